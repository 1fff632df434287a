"""Transposition: linear nodes, read backwards once, each handing its cotangent to its operands."""

from __future__ import annotations

import bisect
import functools
from collections.abc import Callable, Sequence
from typing import Any

from attrs import evolve, frozen

from wengert.ir import kinds
from wengert.ir.autodiff.forward import along, partial_value
from wengert.ir.build import Builder, Namespace
from wengert.ir.errors import DerivativeError
from wengert.ir.graph import Node, Value
from wengert.ir.ops import OPS
from wengert.ir.ops.reductions import shifted
from wengert.ir.types import is_stack

__all__ = ["pull"]

#: Cotangents of so many slices of a value are joined; of fewer, each is put into zeros, and these are added.
FEWEST = 3


def pull(builder: Builder, nodes: Sequence[Node], linear: set[Value], cotangents: dict[Value, Value]) -> None:
    """Run the transpose of the linear ``nodes``, backwards.

    ``linear`` are the values that depend on a tangent; every other operand is known.  ``cotangents`` maps
    values to theirs and is added to in place.
    """
    from wengert.ir.autodiff.transposed_control import transpose as transpose_control

    xp = Namespace(builder)

    beside: dict[Value, _Pieces] = {}

    def give(value: Value, g: Any) -> None:
        new = xp.lift(g)
        if (piece := _piece(builder, new)) is not None and beside.setdefault(value, _Pieces()).put(builder, piece):
            return
        old: Any = cotangents.get(value)
        if is_stack(value.type):  # several are added where they are read
            cotangents[value] = (new,) if old is None else (*old, new)  # type: ignore[assignment]
        else:
            cotangents[value] = new if old is None else builder.apply(OPS["add"], old, new)  # type: ignore[arg-type]

    def gather(value: Value) -> None:
        """What has come in pieces, put side by side."""
        if pieces := beside.pop(value, None):
            whole, old = _joined(xp, list(pieces.at.values())), cotangents.get(value)
            cotangents[value] = whole if old is None else builder.apply(OPS["add"], whole, old)  # type: ignore[arg-type]

    for node in reversed(nodes):
        for v in node.results:
            gather(v)
        arrived = [cotangents.pop(v, None) for v in node.results]
        if all(g is None for g in arrived):
            continue
        builder.location = node.location
        if isinstance(node.op, kinds.Control):
            for operand, share in zip(node.operands, transpose_control(builder, node, linear, arrived), strict=True):
                if share is not None:
                    give(operand, xp.wrap(share))
            continue
        transpose = RULES.get(type(node.op), _not_linear)
        gs = tuple(None if g is None else xp.wrap(g) for g in arrived)
        for k, operand in enumerate(node.operands):
            if operand in linear:
                give(operand, transpose(xp, node, k, gs if len(gs) > 1 else gs[0]))
    for v in tuple(beside):
        gather(v)


@frozen(slots=True)
class _Piece:
    """A cotangent of some neighbouring elements along one axis; ``whole`` has zeros around it."""

    whole: Value
    part: Value
    axis: int
    params: dict[str, Any]

    @property
    def start(self) -> int:
        return self.params["start"][self.axis]  # type: ignore[no-any-return]

    @property
    def stop(self) -> int:
        return self.start + self.part.type.shape[self.axis]

    def apart(self, other: _Piece) -> bool:
        """Whether the two are beside each other."""
        return self.axis == other.axis and (self.stop <= other.start or other.stop <= self.start)


def _piece(builder: Builder, value: Value) -> _Piece | None:
    """The cotangent of a slice along one axis, if it has just been made."""
    node = builder.nodes[-1] if builder.nodes else None
    if node is None or node.op is not OPS["place"] or node.result is not value:
        return None
    shapes = zip(node.operands[0].type.shape, value.type.shape, strict=True)
    axes = [a for a, (n, m) in enumerate(shapes) if n != m]
    if len(axes) != 1 or node.params["step"][axes[0]] != 1:
        return None
    return _Piece(value, node.operands[0], axes[0], node.params)


class _Pieces:
    """Pieces along one axis that do not overlap, in their order."""

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.at: dict[int, _Piece] = {}

    def put(self, builder: Builder, piece: _Piece) -> bool:
        """Put a piece where there is none, or add it to the one that is at its place; False where some overlap."""
        here = self.at.get(piece.start)
        if here is not None:
            if (piece.axis, piece.stop) != (here.axis, here.stop):
                return False
            part: Value = builder.apply(OPS["add"], here.part, piece.part)  # type: ignore[arg-type]
            whole = builder.emit(OPS["place"], (part,), **piece.params)
            self.at[piece.start] = evolve(piece, whole=whole, part=part)
            return True
        k = bisect.bisect(self.starts, piece.start)
        around = [self.at[start] for start in self.starts[max(k - 1, 0) : k + 1]]
        if all(map(piece.apart, around)):
            self.starts.insert(k, piece.start)
            self.at[piece.start] = piece
            return True
        return False


def _joined(xp: Namespace, pieces: list[_Piece]) -> Value:
    """Pieces side by side, with zeros where there is none: no element of many arrays is added to zeros."""
    if len(pieces) < FEWEST:
        return functools.reduce(lambda x, y: xp.builder.apply(OPS["add"], x, y), (p.whole for p in pieces))  # type: ignore[arg-type]
    axis, shape, at, found = pieces[0].axis, pieces[0].whole.type.shape, 0, []
    zeros = lambda n: xp.full((*shape[:axis], n, *shape[axis + 1 :]), 0, pieces[0].whole.type.dtype)
    for piece in sorted(pieces, key=lambda p: p.start):
        found += [zeros(piece.start - at)] if piece.start > at else []
        found.append(xp.wrap(piece.part))
        at = piece.stop
    found += [zeros(shape[axis] - at)] if shape[axis] > at else []
    return xp.lift(xp.concatenate(found, axis=axis))


def _not_linear(xp: Namespace, node: Node, k: int, g: Any) -> Any:
    message = f"{node.op.name} is not linear in operand {k}, so it cannot be transposed."
    raise DerivativeError(message, op=node.op.name, location=node.location)


def _elementwise(xp: Namespace, node: Node, k: int, g: Any) -> Any:
    """A diagonal Jacobian is its own transpose: the same partial scales the cotangent."""
    op = node.op
    if k not in op.linear:  # type: ignore[attr-defined]
        _not_linear(xp, node, k, g)
    at = (None, *(xp.wrap(v) for v in node.operands))  # a linear op's partial never reads out
    return xp.wrap(along(xp, op.partials[k], at, xp.lift(g), node.operands[k].type.dtype))  # type: ignore[attr-defined]


def _reduction(xp: Namespace, node: Node, k: int, g: Any) -> Any:
    if node.op is not OPS["sum"]:
        _not_linear(xp, node, k, g)
    shape, axes = node.operands[0].type.shape, node.params["axes"]
    kept = tuple(1 if a in axes else n for a, n in enumerate(shape))
    return xp.broadcast_to(xp.reshape(g, kept), shape)


def _cumulative(xp: Namespace, node: Node, k: int, g: Any) -> Any:
    axis, back = node.params["axis"], not node.params["reverse"]
    if node.op is OPS["cumsum"]:
        return xp.cumsum(g, axis, reverse=back)
    if node.op is not OPS["recurrence"] or k != 1:
        _not_linear(xp, node, k, g)
    return xp.recurrence(shifted(xp, xp.wrap(node.operands[0]), 0, axis, back), g, axis, reverse=back)


def _movement(xp: Namespace, node: Node, k: int, g: Any) -> Any:
    shapes = tuple(v.type.shape for v in node.operands)
    return node.op.transpose(xp, g, k, shapes, node.params)  # type: ignore[attr-defined]


def _indexing(xp: Namespace, node: Node, k: int, g: Any) -> Any:
    shapes = tuple(v.type.shape for v in node.operands)
    return node.op.transpose(xp, g, xp.wrap(node.operands[1]), shapes, node.params)  # type: ignore[attr-defined]


def _contraction(xp: Namespace, node: Node, k: int, g: Any) -> Any:
    """With z = x y summed, the cotangent of x is z's times y: the letters change places."""
    terms = kinds.Contraction.split(node.params["subscripts"])
    other = node.operands[1 - k]
    subscripts = f"{terms[2]},{terms[1 - k]}->{terms[k]}"
    return xp.einsum(subscripts, g, xp.wrap(other), scaled=True)


def _library(xp: Namespace, node: Node, k: int, g: Any) -> Any:
    """In an operand that the op is linear in, the vjp is the transpose."""
    op, type_ = node.op, node.operands[k].type
    if k not in op.linear:  # type: ignore[attr-defined]
        _not_linear(xp, node, k, g)
    primals = [None if i == k else xp.wrap(v) for i, v in enumerate(node.operands)]
    share = op.vjp(xp, g, k, None, primals, node.params)  # type: ignore[attr-defined]
    return xp.zeros_like(type_) if share is None else xp.wrap(partial_value(xp, share, type_))


RULES: dict[type[kinds.Op], Callable[[Namespace, Node, int, Any], Any]] = {
    kinds.Elementwise: _elementwise,
    kinds.Reduction: _reduction,
    kinds.Cumulative: _cumulative,
    kinds.Movement: _movement,
    kinds.Contraction: _contraction,
    kinds.Indexing: _indexing,
    kinds.Library: _library,
}
