"""Loops over elements: nests of them, copies, running folds, gather and scatter."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from wengert.backends.source.c.planning.bodies import Body
from wengert.backends.source.c.planning.plan import Plan, Unit
from wengert.backends.source.c.planning.views import View, box, coalesce, pieces_of, whole
from wengert.backends.source.c.scalars.spelling import literal, spell, stored
from wengert.backends.source.c.scalars.statements import PARALLEL, Kernel
from wengert.ir.graph import Constant, Node, Value
from wengert.ir.kinds import c_strides

__all__ = ["Nest", "copy", "cumulative", "gather", "open_flat", "run_body", "scatter"]

#: Bytes of the widest vectors, and in how many of them a loop is short.
VECTOR, FEW = 64, 8


def index_text(offset: int, strides: Sequence[int], names: Sequence[str]) -> str:
    """``offset + sum(strides * names)`` as C."""
    terms = [name if s == 1 else f"{name} * {s}" for s, name in zip(strides, names, strict=True) if s]
    text = " + ".join(terms)
    if not text:
        return str(offset)
    return f"{text} + {offset}" if offset > 0 else f"{text} - {-offset}" if offset < 0 else text


def open_flat(kernel: Kernel, names: Sequence[str], sizes: Sequence[int]) -> None:
    """One loop that counts as nested ones would.

    gcc (12.2, -O3) vectorises nested loops that add up floating numbers read backwards, and gets another sum.
    """
    kernel.open(f"for (ptrdiff_t i = 0; i < {math.prod(sizes)}; ++i)")
    for name, size, step in zip(names, sizes, c_strides(tuple(sizes)), strict=True):
        kernel.line(f"const ptrdiff_t {name} = i / {step} % {size};")


class Nest:
    """Loops over a shape, with their axes merged as far as what is read and written allows."""

    def __init__(
        self,
        kernel: Kernel,
        shape: tuple[int, ...],
        views: Sequence[View],
        labels: Sequence[object] | None = None,
    ) -> None:
        self.kernel = kernel
        unique = list(dict.fromkeys(views))
        self.shape, strides, self.labels = coalesce(shape, [v.strides for v in unique], labels)
        self.strides = dict(zip(unique, strides, strict=True))
        self.names = [f"i{axis}" for axis in range(len(self.shape))]
        #: Where the loop of an axis begins and ends, if not at its ends.
        self.bounds: dict[int, tuple[str, str]] = {}

    def enter(self, axes: Sequence[int] | None = None, *, again: bool = False) -> None:
        """Open the loops of some axes, all by default; ``again`` where an element may be computed twice."""
        for axis in range(len(self.shape)) if axes is None else axes:
            name, (low, high) = self.names[axis], self.bounds.get(axis, ("0", str(self.shape[axis])))
            if again and (lanes := self._lanes(axis)):
                part, last = self.kernel.name("p"), self.shape[axis] - lanes
                parts = f"for (ptrdiff_t {part} = 0; {part} < {self.shape[axis]}; {part} += {lanes})"
                self.kernel.open(f"{parts} for (ptrdiff_t {name}_ = 0; {name}_ < {lanes}; ++{name}_)")
                self.kernel.line(f"const ptrdiff_t {name} = ({part} < {last} ? {part} : {last}) + {name}_;")
            else:
                self.kernel.open(f"for (ptrdiff_t {name} = {low}; {name} < {high}; ++{name})")

    def _lanes(self, axis: int) -> int:
        """The width of whole vectors that a short loop is done in, of which the last overlaps the one before it.

        So 14 numbers are 8 and 8, which compilers make 8, 4 and 2. None where that is not fewer, or where more than a
        quarter would be done again.
        """
        n, size = self.shape[axis], max((v.base.type.dtype.itemsize for v in self.strides), default=VECTOR)
        lanes = min(VECTOR // size, 1 << n.bit_length() - 1)
        parts = -(-n // lanes)
        fewer = parts < n // lanes + (n % lanes).bit_count() and 4 * parts * lanes <= 5 * n
        lines = axis == len(self.shape) - 1 and all(strides[axis] in (0, 1) for strides in self.strides.values())
        return lanes if fewer and lines and parts <= FEW and self.kernel.helpers.alone else 0

    def backwards(self, axes: Sequence[int]) -> bool:
        """Whether something is read backwards by the inner of several loops."""
        return len(axes) > 1 and any(strides[axes[-1]] < 0 for strides in self.strides.values())

    def enter_flat(self, axes: Sequence[int]) -> None:
        """One loop over some axes together."""
        open_flat(self.kernel, [self.names[axis] for axis in axes], [self.shape[axis] for axis in axes])

    def leave(self, count: int | None = None) -> None:
        """Close the innermost loops; all by default."""
        for _ in range(len(self.shape) if count is None else count):
            self.kernel.close()

    def index(self, view: View, *, without: int | None = None) -> str:
        """Where the loops stand in an array; ``without`` leaves one axis at its start."""
        strides = [0 if axis == without else s for axis, s in enumerate(self.strides[view])]
        return index_text(view.offset, strides, self.names)

    def load(self, view: View) -> str:
        """The element the loops stand at."""
        return self.kernel.load(view, self.index(view))

    def store(self, view: View, atom: str) -> None:
        """Write the element the loops stand at."""
        self.kernel.line(f"{self.kernel.write(view.base)}[{self.index(view)}] = {atom};")


def run_body(nest: Nest, body: Body, stores: Mapping[View, Sequence[View]]) -> dict[View, str]:
    """The statements of a body at one element, and what stores each view in all its places; the names of its values."""
    env: dict[View, str] = {}

    def at(view: View | None, dtype: np.dtype[Any]) -> str:
        if view is None:
            return literal(0, dtype)
        if view not in env:
            env[view] = nest.load(view)
        return env[view]

    for view, node, operands in body.steps:
        atoms = [at(o, v.type.dtype) for o, v in zip(operands, node.operands, strict=True)]
        env[view] = nest.kernel.apply(node, atoms)
        for place in stores.get(view, ()):
            nest.store(place, env[view])
    return env


# ----- Movement -----


def copy(kernel: Kernel, plan: Plan, unit: Unit) -> None:
    """A movement that is not read in place: each piece copied, what no piece covers set to zero."""
    node = unit.last
    pieces = pieces_of(node)
    type_ = node.result.type
    if sum(math.prod(piece.size) for piece in pieces) < type_.size:
        fill(kernel, node.result, "0")
    for piece in pieces:
        source = plan.read_piece(node, piece)
        target = box(node.result, piece)
        if plan.homes.get(source.base) == (node.result, target.offset):
            continue  # it was written there
        nest = Nest(kernel, piece.size, [source, target])
        if nest.shape and math.prod(piece.size) >= kernel.grain:
            kernel.line(PARALLEL)
        nest.enter()
        nest.store(target, nest.load(source))
        nest.leave()


def fill(kernel: Kernel, value: Value, atom: str) -> None:
    """One number everywhere."""
    nest = Nest(kernel, value.type.shape, [whole(value)])
    nest.enter()
    nest.store(whole(value), atom)
    nest.leave()


# ----- Running folds -----


def _folded(kernel: Kernel, node: Node, before: str, values: Sequence[str]) -> str:
    """The result before, and the elements here, as one."""
    fold, dtype = node.op.fold, node.result.type.dtype  # type: ignore[attr-defined]
    *_, x = values
    if fold in ("+", "*"):
        return spell(fold, kernel.helpers, dtype, (dtype, dtype), [before, x])
    if fold == "linear":
        return f"{kernel.helpers.need('scale', dtype)}({values[0]}, {before}) + {x}"
    nan = f" || {before} != {before}" if dtype.kind == "f" else ""  # NaN wins, and stays
    return f"({before} {'>=' if fold == 'max' else '<='} {x}{nan} ? {before} : {x})"


def cumulative(kernel: Kernel, plan: Plan, unit: Unit) -> None:
    """A running fold: each element from the one before it, which is already written."""
    node = unit.last
    axis, shape = node.params["axis"], node.result.type.shape
    views = [*(plan.view(operand) for operand in node.operands), whole(node.result)]
    *sources, target = [_turned(view, axis) for view in views] if node.params["reverse"] else views
    nest = Nest(kernel, shape, [*sources, target], [a == axis for a in range(len(shape))])
    nest.enter()
    values = [nest.load(source) for source in sources]
    value = values[-1]
    if True in nest.labels:  # an axis of one element has no loop
        k = nest.labels.index(True)
        step = nest.strides[target][k]
        before = f"{kernel.write(target.base)}[{nest.index(target)} - {step}]".replace("- -", "+ ")
        value = f"{nest.names[k]} == 0 ? {value} : {_folded(kernel, node, before, values)}"
    nest.store(target, value)
    nest.leave()


def _turned(view: View, axis: int) -> View:
    """The same elements from the other end of an axis."""
    strides = tuple(-s if a == axis else s for a, s in enumerate(view.strides))
    return View(view.base, view.shape, view.offset + view.strides[axis] * (view.shape[axis] - 1), strides)


# ----- Gather and scatter -----


def _indexed(kernel: Kernel, node: Node, size: int, move: Callable[[str], None], shape: tuple[int, int]) -> None:
    """Check every index that is not known, then move line by line: nothing moves before all are known to be good."""
    given = node.operands[1]
    indices, count = kernel.read(given), given.type.size
    lines, inner = shape
    if not (isinstance(given, Constant) and ((given.array >= 0) & (given.array < size)).all()):
        kernel.open(f"for (ptrdiff_t k = 0; k < {count}; ++k)")
        kernel.line(f"if ({indices}[k] < 0 || {indices}[k] >= {size}) {kernel.fail('index', node)}")
        kernel.close()
    if 0 in (lines, inner, count):
        return
    shared = node.op.gather and lines * count * inner >= kernel.grain  # type: ignore[attr-defined]
    for name, steps in (("i", lines), ("k", count)):
        if shared and steps > 1:
            kernel.line(PARALLEL)
            shared = False
        kernel.open(f"for (ptrdiff_t {name} = 0; {name} < {steps}; ++{name})")
    kernel.open(f"for (ptrdiff_t j = 0; j < {inner}; ++j)")
    at = f"(i * {count} + k) * {inner} + j"
    kernel.line(f"const ptrdiff_t there = (i * {size} + {indices}[k]) * {inner} + j;")
    move(at)
    for _ in range(3):
        kernel.close()


def gather(kernel: Kernel, plan: Plan, unit: Unit) -> None:
    """Slices at run-time indices."""
    node = unit.last
    x, axis = node.operands[0], node.params["axis"]
    lines, inner = math.prod(x.type.shape[:axis]), math.prod(x.type.shape[axis + 1 :])

    def move(at: str) -> None:
        kernel.line(f"{kernel.write(node.result)}[{at}] = {kernel.read(x)}[there];")

    _indexed(kernel, node, x.type.shape[axis], move, (lines, inner))


def scatter(kernel: Kernel, plan: Plan, unit: Unit) -> None:
    """Slices added at run-time indices, one after the other: indices may repeat."""
    node = unit.last
    updates, axis, size = node.operands[0], node.params["axis"], node.params["size"]
    shape, dtype = node.result.type.shape, node.result.type.dtype
    if node.result.type.size:
        fill(kernel, node.result, "0")

    def move(at: str) -> None:
        out = f"{kernel.write(node.result)}[there]"
        value = f"{kernel.read(updates)}[{at}]"
        total = spell("+", kernel.helpers, dtype, (dtype, dtype), [out, value])
        kernel.line(f"{out} = ({stored(dtype)})({total});")

    _indexed(kernel, node, size, move, (math.prod(shape[:axis]), math.prod(shape[axis + 1 :])))
