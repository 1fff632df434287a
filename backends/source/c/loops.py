"""Loops over elements: fused elementwise units, copies, running folds, gather and scatter."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from wengert.backends.source.c.plan import Plan, Unit, pieces_of
from wengert.backends.source.c.scalars import Kernel
from wengert.backends.source.c.spelling import spell, stored
from wengert.backends.source.c.views import View, coalesce, whole
from wengert.ir.errors import BackendError
from wengert.ir.graph import Node, Value
from wengert.ir.kinds import Cumulative, Piece, c_strides

__all__ = ["Nest", "copy", "cumulative", "elementwise", "gather", "run_body", "scatter"]


def index_text(offset: int, strides: Sequence[int], names: Sequence[str]) -> str:
    """``offset + sum(strides * names)`` as C."""
    terms = [name if s == 1 else f"{name} * {s}" for s, name in zip(strides, names, strict=True) if s]
    text = " + ".join(terms)
    if not text:
        return str(offset)
    return f"{text} + {offset}" if offset > 0 else f"{text} - {-offset}" if offset < 0 else text


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

    def enter(self, axes: Sequence[int] | None = None) -> None:
        """Open the loops of some axes; all by default."""
        for axis in range(len(self.shape)) if axes is None else axes:
            name = self.names[axis]
            self.kernel.open(f"for (ptrdiff_t {name} = 0; {name} < {self.shape[axis]}; ++{name})")

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


def body_views(plan: Plan, nodes: Sequence[Node], kept: Sequence[Value]) -> list[View]:
    """What the loop of some elementwise nodes reads and writes."""
    inside = {node.result for node in nodes}
    read = [plan.view(v) for node in nodes for v in node.operands if v not in inside]
    return [*read, *(whole(v) for v in kept)]


def run_body(nest: Nest, plan: Plan, nodes: Sequence[Node], kept: Sequence[Value]) -> dict[Value, str]:
    """The statements of elementwise nodes at one element; the names of their values."""
    env: dict[Value, str] = {}
    loaded: dict[View, str] = {}

    def at(value: Value) -> str:
        if value in env:
            return env[value]
        view = plan.view(value)
        if view not in loaded:
            loaded[view] = nest.load(view)
        return loaded[view]

    for node in nodes:
        env[node.result] = nest.kernel.apply(node, [at(v) for v in node.operands])
        if node.result in kept:
            nest.store(whole(node.result), env[node.result])
    return env


def elementwise(kernel: Kernel, plan: Plan, unit: Unit) -> None:
    """A fused group."""
    nest = Nest(kernel, unit.last.result.type.shape, body_views(plan, unit.nodes, unit.stored))
    nest.enter()
    run_body(nest, plan, unit.nodes, unit.stored)
    nest.leave()


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
        target = _box(node.result, piece)
        nest = Nest(kernel, piece.size, [source, target])
        nest.enter()
        nest.store(target, nest.load(source))
        nest.leave()


def _box(value: Value, piece: Piece) -> View:
    """The elements of the output that a piece covers."""
    own = c_strides(value.type.shape)
    offset = sum(c * s for c, s in zip(own, piece.start, strict=True))
    return View(value, piece.size, offset, tuple(c * d for c, d in zip(own, piece.step, strict=True)))


def fill(kernel: Kernel, value: Value, atom: str) -> None:
    """One number everywhere."""
    nest = Nest(kernel, value.type.shape, [whole(value)])
    nest.enter()
    nest.store(whole(value), atom)
    nest.leave()


# ----- Running folds -----

_RUNNING = {"+": "+", "*": "*"}


def cumulative(kernel: Kernel, plan: Plan, unit: Unit) -> None:
    """A running fold: each element from the one before it, which is already written."""
    node = unit.last
    (operand,), axis = node.operands, node.params["axis"]
    assert isinstance(node.op, Cumulative)
    if node.op.fold not in _RUNNING:
        raise BackendError(
            f"Backend 'c' has no running fold {node.op.fold!r}.",
            op=node.op.name,
            location=node.location,
        )
    source, target = plan.view(operand), whole(node.result)
    shape, dtype = node.result.type.shape, node.result.type.dtype
    if node.params["reverse"]:
        source, target = _turned(source, axis), _turned(target, axis)
    nest = Nest(kernel, shape, [source, target], [a == axis for a in range(len(shape))])
    nest.enter()
    value = nest.load(source)
    if True in nest.labels:  # an axis of one element has no loop
        k = nest.labels.index(True)
        step = nest.strides[target][k]
        before = f"{kernel.write(target.base)}[{nest.index(target)} - {step}]".replace("- -", "+ ")
        fold = spell(_RUNNING[node.op.fold], kernel.helpers, dtype, (dtype, dtype), [before, value])
        value = f"{nest.names[k]} == 0 ? {value} : {fold}"
    nest.store(target, value)
    nest.leave()


def _turned(view: View, axis: int) -> View:
    """The same elements from the other end of an axis."""
    strides = tuple(-s if a == axis else s for a, s in enumerate(view.strides))
    return View(view.base, view.shape, view.offset + view.strides[axis] * (view.shape[axis] - 1), strides)


# ----- Gather and scatter -----


def _indexed(kernel: Kernel, node: Node, size: int, move: Callable[[str], None], shape: tuple[int, int]) -> None:
    """Check every index, then move line by line: nothing moves before all are known to be good."""
    indices = kernel.read(node.operands[1])
    count = node.operands[1].type.size
    lines, inner = shape
    kernel.open(f"for (ptrdiff_t k = 0; k < {count}; ++k)")
    kernel.line(f"if ({indices}[k] < 0 || {indices}[k] >= {size}) {kernel.fail('index', node)}")
    kernel.close()
    if 0 in (lines, inner, count):
        return
    kernel.open(f"for (ptrdiff_t i = 0; i < {lines}; ++i)")
    kernel.open(f"for (ptrdiff_t k = 0; k < {count}; ++k)")
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
