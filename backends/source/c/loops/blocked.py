"""Long loops in blocks of rows: columns are brought together first, and rows written last.

Compilers vectorise loops of a moderate length over numbers that lie side by side, and neither rows of fifteen numbers
nor a body of a thousand statements.  So the columns of a block are copied into buffers, computed with in one loop after
the other, with buffers for what goes from one to the next, and what is to lie in rows is written row by row.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from wengert.backends.source.c.loops.nests import Nest, index_text
from wengert.backends.source.c.planning.bodies import Body, Step
from wengert.backends.source.c.planning.plan import ROWS, in_blocks
from wengert.backends.source.c.planning.views import View
from wengert.backends.source.c.scalars.spelling import literal, local
from wengert.backends.source.c.scalars.statements import Kernel, weight

__all__ = ["Blocks"]

_TURN = """\
/* Rows of at least TILE numbers from columns, or the other way round: so many of each at a time, in registers. */
#ifndef __has_builtin
#define __has_builtin(x) 0
#endif
#if !__has_builtin(__builtin_shufflevector)
#elif __BIGGEST_ALIGNMENT__ == 64
#define TILE 8
#elif __BIGGEST_ALIGNMENT__ == 32
#define TILE 4
#endif
#ifdef TILE
#define MIXED __builtin_shufflevector
typedef T tile_S __attribute__((vector_size(__BIGGEST_ALIGNMENT__), aligned(sizeof(T)), may_alias));
static inline __attribute__((always_inline)) void exchanged_S(tile_S *x, tile_S *y)
{
#if TILE == 8
    for (int k = 0; k < 8; k += 2) {
        y[k] = MIXED(x[k], x[k + 1], 0, 8, 2, 10, 4, 12, 6, 14);
        y[k + 1] = MIXED(x[k], x[k + 1], 1, 9, 3, 11, 5, 13, 7, 15);
    }
    for (int j = 0; j < 8; j += 4)
        for (int k = j; k < j + 2; ++k) {
            x[k] = MIXED(y[k], y[k + 2], 0, 1, 8, 9, 4, 5, 12, 13);
            x[k + 2] = MIXED(y[k], y[k + 2], 2, 3, 10, 11, 6, 7, 14, 15);
        }
    for (int k = 0; k < 4; ++k) {
        y[k] = MIXED(x[k], x[k + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        y[k + 4] = MIXED(x[k], x[k + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
#else
    const tile_S a = MIXED(x[0], x[1], 0, 4, 2, 6), b = MIXED(x[0], x[1], 1, 5, 3, 7);
    const tile_S c = MIXED(x[2], x[3], 0, 4, 2, 6), d = MIXED(x[2], x[3], 1, 5, 3, 7);
    y[0] = MIXED(a, c, 0, 1, 4, 5), y[1] = MIXED(b, d, 0, 1, 4, 5);
    y[2] = MIXED(a, c, 2, 3, 6, 7), y[3] = MIXED(b, d, 2, 3, 6, 7);
#endif
}
#endif
static void turn_S(int to_rows, ptrdiff_t m, ptrdiff_t n, T *const *columns, T *rows, ptrdiff_t step)
{
    ptrdiff_t i = 0;
#ifdef TILE
    for (; i + TILE <= m; i += TILE)
        for (ptrdiff_t j = 0; j < n; j += TILE) {
            const ptrdiff_t at = j + TILE <= n ? j : n - TILE;
            tile_S x[TILE], y[TILE];
            for (int k = 0; k < TILE; ++k)
                x[k] = *(tile_S *)(to_rows ? columns[at + k] + i : rows + (i + k) * step + at);
            exchanged_S(x, y);
            for (int k = 0; k < TILE; ++k)
                *(tile_S *)(to_rows ? rows + (i + k) * step + at : columns[at + k] + i) = y[k];
        }
#endif
    for (; i < m; ++i)
        for (ptrdiff_t j = 0; j < n; ++j)
            if (to_rows)
                rows[i * step + j] = columns[j][i];
            else
                columns[j][i] = rows[i * step + j];
}
"""
#: Numbers side by side, from which on rows are turned in registers.
TURNED = 8
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
        if columns := self._turn([(view, view) for view in self.columns], buffers, top, end, to_rows=0):
            k.open(loop)
            for view, _ in columns:
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
        if rows := self._turn(self.rows, buffers, top, end, to_rows=1):
            k.open(loop)
            env = {}
            for view, target in rows:
                self.nest.store(target, at(env, view, view.base.type.dtype))
            k.close()
        k.close()

    def _turn(
        self, pairs: Sequence[tuple[View, View]], buffers: Mapping[View, str], top: str, end: str, *, to_rows: int
    ) -> list[tuple[View, View]]:
        """Turn columns, in buffers, into what lies side by side in rows, or these into columns; which pairs are left.

        Among them is what has no buffer: there, something else is written first.
        """
        bases = list(dict.fromkeys(place.base for _, place in pairs))
        left, run = [], list[tuple[View, View]]()
        ordered = sorted(pairs, key=lambda pair: (bases.index(pair[1].base), pair[1].offset))
        for pair, after in itertools.zip_longest(ordered, ordered[1:]):
            run.append(pair)
            place, others = pair[1], after and after[1]
            step = self.nest.strides[place]
            if others and others.base is place.base and others.offset == place.offset + 1 and (
                self.nest.strides[others] == step):
                continue
            kept = [buffers[view].partition("[")[0] for view, _ in run if view in buffers]
            first = run[0][1]
            dtype = first.base.type.dtype
            if dtype == np.float64 and self.kernel.helpers.hosted and len(run) >= TURNED and 2 * len(kept) > len(run):
                k, columns, turn = self.kernel, self.kernel.name("t"), self.kernel.helpers.write("turn", dtype, _TURN)
                names = (buffers[view].partition("[")[0] if view in buffers else kept[0] for view, _ in run)
                k.line(f"double *const {columns}[] = {{{', '.join(names)}}};")
                base = k.write(first.base) if to_rows else k.read(first.base)
                at = f"(double *)&{base}[{index_text(first.offset, step, [top])}]"
                k.line(f"{turn}({to_rows}, {end} - {top}, {len(run)}, {columns}, {at}, {step[0]});")
                left += [(view, target) for view, target in run if view not in buffers]
            else:
                left += run
            run = []
        return left

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
