"""Long loops in blocks of rows: columns are brought together first, and rows written last.

Compilers vectorise loops of a moderate length over numbers that lie side by side, and neither rows of fifteen numbers
nor a body of a thousand statements.  So the columns of a block are copied into buffers, computed with in one loop after
the other, with buffers for what goes from one to the next, and what is to lie in rows is written row by row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from wengert.backends.source.c.bodies import Body, Step
from wengert.backends.source.c.loops import Nest
from wengert.backends.source.c.plan import ROWS, in_blocks
from wengert.backends.source.c.scalars import Kernel, weight
from wengert.backends.source.c.spelling import literal, local
from wengert.backends.source.c.views import View

__all__ = ["Blocks"]

#: Statements in one loop.
PART = 250
#: Statements for each column that is copied, from which on that pays.
EACH = 2


class Blocks:
    """The loops of a body over one long axis, with all that is stored: where each view that is computed goes."""

    def __init__(self, kernel: Kernel, nest: Nest, body: Body, stores: Mapping[View, Sequence[View]]) -> None:
        self.kernel, self.nest, self.body, self.stores = kernel, nest, body, stores
        self.columns = [v for v in body.leaves if self._apart(v)]
        made = {view for view, _, _ in body.steps}
        pairs = ((v, target) for v, targets in stores.items() for target in targets)
        self.rows = [(v, target) for v, target in pairs if v not in made or self._apart(target)]
        self.total = sum(weight(node) for _, node, _ in body.steps)

    @property
    def pay(self) -> bool:
        """Whether there is much to compute, or rows to read or write."""
        if not in_blocks(self.nest.shape):
            return False
        moved = len(self.columns) + len(self.rows)
        return self.total > PART or (moved > 1 and self.total >= EACH * moved)

    def _apart(self, view: View) -> bool:
        return any(abs(step) > 1 for step in self.nest.strides[view])

    def run(self, low: str, high: str, then: Callable[[Mapping[View, str]], None]) -> None:
        """The loops from one row to another; ``then`` goes on at a row with the values that are there."""
        k, (i,) = self.kernel, self.nest.names
        top, end = k.name("top"), k.name("end")
        k.open(f"for (ptrdiff_t {top} = {low}; {top} < {high}; {top} += {ROWS})")
        k.line(f"const ptrdiff_t {end} = {top} + {ROWS} < {high} ? {top} + {ROWS} : {high};")
        parts = _parts(self.body.steps)
        buffers = {view: f"{k.name('c')}[{i} - {top}]" for view in self._kept(parts)}
        for view, place in buffers.items():
            k.line(f"{local(view.base.type.dtype)} {place.partition('[')[0]}[{ROWS}];")

        def at(env: dict[View, str], view: View | None, dtype: np.dtype[np.generic]) -> str:
            if view is None:
                return literal(0, dtype)
            if view not in env:
                env[view] = k.define(dtype, buffers[view]) if view in buffers else self.nest.load(view)
            return env[view]

        loop = f"for (ptrdiff_t {i} = {top}; {i} < {end}; ++{i})"
        if self.columns:
            k.open(loop)
            for view in self.columns:
                k.line(f"{buffers[view]} = {self.nest.load(view)};")
            k.close()
        for steps in parts:
            k.open(loop)
            env: dict[View, str] = {}
            for view, node, operands in steps:
                atoms = [at(env, o, v.type.dtype) for o, v in zip(operands, node.operands, strict=True)]
                env[view] = k.apply(node, atoms)
                for target in self.stores.get(view, ()):
                    if not self._apart(target):
                        self.nest.store(target, env[view])
                if view in buffers:
                    k.line(f"{buffers[view]} = {env[view]};")
            then(env)
            k.close()
        if self.rows:
            k.open(loop)
            env = {}
            for view, target in sorted(self.rows, key=lambda pair: pair[1].offset):
                self.nest.store(target, at(env, view, view.base.type.dtype))
            k.close()
        k.close()

    def _kept(self, parts: Sequence[Sequence[Step]]) -> Iterable[View]:
        """What has a buffer: columns, and what is read by a later loop than the one that computes it."""
        kept, made = dict.fromkeys(self.columns), set[View]()
        for steps in parts:
            here = {view for view, _, _ in steps}
            kept.update((o, None) for _, _, operands in steps for o in operands if o in made - here)
            made |= here
        kept.update((view, None) for view, _ in self.rows if view in made)
        return kept


def _parts(steps: Sequence[Step]) -> list[list[Step]]:
    """Steps in order, in loops of moderate length; truth values are found again where they are needed, as there are
    no vectors of them to be kept."""
    found: list[list[Step]] = [[]]
    size = 0
    for step in steps:
        if size and size + weight(step[1]) > PART:
            found.append([])
            size = 0
        found[-1].append(step)
        size += weight(step[1])
    by_view = {step[0]: step for step in steps if step[1].result.type.dtype.kind == "b"}
    return [_with_tests(part, by_view) for part in found]


def _with_tests(part: Sequence[Step], tests: Mapping[View, Step]) -> list[Step]:
    made: dict[View, Step] = {}

    def add(step: Step) -> None:
        for operand in step[2]:
            if operand is not None and operand in tests and operand not in made:
                add(tests[operand])
        made[step[0]] = step

    for step in part:
        if step[0] not in made:
            add(step)
    return list(made.values())
