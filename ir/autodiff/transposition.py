"""Transposition: linear nodes, read backwards once, each handing its cotangent to its operands."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from wengert.ir import kinds
from wengert.ir.autodiff.forward import along, partial_value
from wengert.ir.autodiff.parts import Parts
from wengert.ir.build import Builder, Namespace
from wengert.ir.errors import DerivativeError
from wengert.ir.graph import Node, Value
from wengert.ir.ops import OPS
from wengert.ir.ops.reductions import shifted
from wengert.ir.types import is_stack

__all__ = ["pull"]


def pull(builder: Builder, nodes: Sequence[Node], linear: set[Value], cotangents: dict[Value, Value]) -> None:
    """Run the transpose of the linear ``nodes``, backwards.

    ``linear`` are the values that depend on a tangent; every other operand is known.  ``cotangents`` maps
    values to theirs and is added to in place.
    """
    from wengert.ir.autodiff.transposed_control import transpose as transpose_control

    xp, parts = Namespace(builder), Parts(nodes)

    def give(value: Value, g: Any) -> None:
        new = xp.lift(g)
        old: Any = cotangents.get(value)
        if is_stack(value.type):  # several are added where they are read
            cotangents[value] = (new,) if old is None else (*old, new)  # type: ignore[assignment]
        else:
            cotangents[value] = new if old is None else builder.apply(OPS["add"], old, new)  # type: ignore[arg-type]

    def collect(value: Value) -> None:
        for g in parts.totals(xp, value):
            give(value, g)

    for node in reversed(nodes):
        for v in node.results:
            if v in parts.held:
                collect(v)
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
        gs = tuple([None if g is None else xp.wrap(g) for g in arrived])
        if parts.hold(node, gs[0]):
            continue
        if node.op is OPS["concatenate"]:
            for operand, g in zip(node.operands, _taken_apart(xp, node, gs[0]), strict=True):
                if operand in linear:
                    give(operand, g())
            continue
        for k, operand in enumerate(node.operands):
            if operand in linear:
                give(operand, transpose(xp, node, k, gs if len(gs) > 1 else gs[0]))
    for value in list(parts.held):
        collect(value)


def _not_linear(xp: Namespace, node: Node, k: int, g: Any) -> Any:
    message = f"{node.op.name} is not linear in operand {k}, so it cannot be transposed."
    raise DerivativeError(message, op=node.op.name, location=node.location)


def _elementwise(xp: Namespace, node: Node, k: int, g: Any) -> Any:
    """A diagonal Jacobian is its own transpose: the same partial scales the cotangent."""
    op = node.op
    if k not in op.linear:  # type: ignore[attr-defined]
        _not_linear(xp, node, k, g)
    partial = op.partials[k]  # type: ignore[attr-defined]
    at = (None, *map(xp.wrap, node.operands)) if callable(partial) else ()  # a linear op's partial never reads out
    return xp.wrap(along(xp, partial, at, xp.lift(g), node.operands[k].type.dtype))


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


def _taken_apart(xp: Namespace, node: Node, g: Any) -> Iterator[Callable[[], Any]]:
    """The part of each operand of a concatenation: of many, in one go."""
    axis, start = node.params["axis"], 0
    for v in node.operands:
        end = start + v.type.shape[axis]
        yield functools.partial(xp.basic_index, g, (*[slice(None)] * axis, slice(start, end)))
        start = end


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
