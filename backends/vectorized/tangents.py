"""Forward mode on whole arrays: k tangents at once, along a leading axis.  A case per kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.backends.vectorized import arrays
from wengert.backends.vectorized.arrays import XP, Products
from wengert.backends.vectorized.control import Dual, Duals, Values
from wengert.backends.vectorized.evaluate import runner
from wengert.ir import kinds
from wengert.ir.graph import Node
from wengert.ir.types import ArrayType, is_inexact

__all__ = ["along", "cumulative_partial", "push", "reduction_partial", "stacked"]

Tangents = Sequence[Any]


def along(node: Node, k: int, value: Any, end: Any, out: Any, operands: Sequence[Any], products: Products) -> Any:
    """A tangent or cotangent, passed along the edge of operand ``k`` to an end of a dtype.

    Partial times value, and of that the real part where the end is real.
    """
    rule = node.op.partials[k]  # type: ignore[attr-defined]
    if isinstance(rule, kinds.Unknown):
        raise rule.refused(node)
    if callable(rule):
        dtype = end if value.dtype == end else np.result_type(value.dtype, end)
        value = products.scale(np.asarray(rule(XP, out, *operands), dtype), value.astype(dtype, copy=False))
    if value.dtype.kind == "c" and end.kind != "c":
        value = value.real
    value = value.astype(end, copy=False)
    return -value if rule == -1 else np.conjugate(value) if rule == kinds.CONJUGATE else value


def reduction_partial(node: Node, out: Any, x: Any) -> Any:
    """What each element contributes."""
    axes = node.params["axes"]
    kept = tuple(1 if a in axes else n for a, n in enumerate(x.shape))
    p = node.op.partial(XP, np.reshape(out, kept), x, axes)  # type: ignore[attr-defined]
    return np.asarray(p, x.dtype)


def _elementwise(node: Node, out: Any, operands: Sequence[Any], tangents: Tangents, products: Products) -> Any:
    total = None
    for k, (rule, t) in enumerate(zip(node.op.partials, tangents, strict=True)):  # type: ignore[attr-defined]
        if t is None or rule is None:
            continue
        term = along(node, k, t, node.result.type.dtype, out, operands, products)
        total = term if total is None else total + term
    return total


def _reduction(node: Node, out: Any, operands: Sequence[Any], tangents: Tangents, products: Products) -> Any:
    (t,), (x,) = tangents, operands
    rule = node.op.partial  # type: ignore[attr-defined]
    if rule is None:
        return None
    contribution = t if rule == 1 else products.scale(reduction_partial(node, out, x), t)
    return np.sum(contribution, axis=tuple(a + 1 for a in node.params["axes"]))


def _cumulative(node: Node, out: Any, operands: Sequence[Any], tangents: Tangents, products: Products) -> Any:
    axis, reverse = node.params["axis"] + 1, node.params["reverse"]
    if not callable(node.op.partial):  # type: ignore[attr-defined]
        (t,) = tangents
        return np.flip(np.cumsum(np.flip(t, axis), axis=axis), axis) if reverse else np.cumsum(t, axis=axis)
    carry, *shares = cumulative_partial(node, out, operands)
    terms = [products.scale(share, t) for share, t in zip(shares, tangents, strict=True) if t is not None]
    return arrays.recurrence(carry, sum(terms[1:], terms[0]), axis, reverse=reverse, product=products.scale)


def cumulative_partial(node: Node, out: Any, operands: Sequence[Any]) -> list[Any]:
    """The carry, and what each operand contributes."""
    partials = node.op.partial(XP, out, *operands, **node.params)  # type: ignore[attr-defined]
    return [np.asarray(p, node.result.type.dtype) for p in partials]


def _movement(node: Node, out: Any, operands: Sequence[Any], tangents: Tangents, products: Products) -> Any:
    """The pieces, with the directions as one more axis in front."""
    k = next(len(t) for t in tangents if t is not None)
    type_, shapes = node.result.type, tuple(v.type.shape for v in node.operands)
    result = np.zeros((k, *type_.shape), type_.dtype)
    for piece in node.op.pieces(shapes, type_.shape, node.params):  # type: ignore[attr-defined]
        t = tangents[piece.operand]
        if t is not None:
            box = (slice(None), *arrays.key(piece.start, piece.size, piece.step))
            result[box] = directed_view(np.ascontiguousarray(t), piece)
    return result


def directed_view(flat: Any, piece: kinds.Piece) -> Any:
    """A piece's elements of k C-contiguous arrays, one behind the other."""
    shape = (len(flat), *piece.size)
    if 0 in shape:
        return np.empty(shape, flat.dtype)
    item = flat.itemsize
    strides = (flat[0].size * item, *(s * item for s in piece.strides))
    return np.ndarray(shape, flat.dtype, flat, piece.offset * item, strides)


def _contraction(node: Node, out: Any, operands: Sequence[Any], tangents: Tangents, products: Products) -> Any:
    x, y, z = kinds.Contraction.split(node.params["subscripts"])
    total = None
    for terms, pair in (
        ((f"K{x}", y), (tangents[0], operands[1])),
        ((x, f"K{y}"), (operands[0], tangents[1])),
    ):
        if pair[0] is not None and pair[1] is not None:
            term = products.contract(f"{terms[0]},{terms[1]}->K{z}", *pair)
            total = term if total is None else total + term
    return total


def _indexing(node: Node, out: Any, operands: Sequence[Any], tangents: Tangents, products: Products) -> Any:
    t, indices = tangents[0], operands[1]
    params = {**node.params, "axis": node.params["axis"] + 1}
    return None if t is None else getattr(arrays, node.op.name)(t, indices, **params)


def _library(node: Node, out: Any, operands: Sequence[Any], tangents: Tangents, products: Products) -> Any:
    """One direction at a time: a jvp is stated for one."""
    rule, types = node.op.jvp, [v.type for v in node.results]  # type: ignore[attr-defined]
    if rule is None:
        return (None,) * len(types)
    k = next(len(t) for t in tangents if t is not None)
    each = ([None if t is None else t[i] for t in tangents] for i in range(k))
    moved = [rule(XP, out, list(operands), direction, node.params) for direction in each]
    columns = zip(*moved, strict=True) if len(types) > 1 else (moved,)
    return tuple(stacked(column, k, type_) for column, type_ in zip(columns, types, strict=True))


def _control(node: Node, out: Any, operands: Sequence[Any], tangents: Tangents, products: Products) -> Any:
    """Values and tangents side by side: the values are computed again."""
    from wengert.backends.vectorized import modes  # which stands above this file

    k = next(len(t) for t in tangents if t is not None)
    machine = Duals(Values(runner), modes.pushing, k, products)
    given = [Dual(x, t) for x, t in zip(operands, tangents, strict=True)]
    return tuple(d.tangent for d in node.op.drive(machine, given, node.params))  # type: ignore[attr-defined]


def stacked(column: Sequence[Any], k: int, type_: ArrayType) -> Any:
    """What a rule gave in each of k directions; None where nothing flows."""
    if any(t is None for t in column):  # in one direction, in all
        return None
    return np.reshape(column, (k, *type_.shape)).astype(type_.dtype, copy=False)


_RULES: dict[type[kinds.Op], Callable[[Node, Any, Sequence[Any], Tangents, Products], Any]] = {
    kinds.Elementwise: _elementwise,
    kinds.Reduction: _reduction,
    kinds.Cumulative: _cumulative,
    kinds.Movement: _movement,
    kinds.Contraction: _contraction,
    kinds.Indexing: _indexing,
    kinds.Library: _library,
    kinds.Control: _control,
}


def push(
    node: Node, outs: Sequence[Any], operands: Sequence[Any], tangents: Tangents, products: Products
) -> Sequence[Any]:
    """The tangents of a node's results, None where nothing flows."""
    if all(t is None for t in tangents) or not any(is_inexact(v.type.dtype) for v in node.results):
        return (None,) * len(outs)
    out = outs[0] if len(outs) == 1 else tuple(outs)
    moved = _RULES[type(node.op)](node, out, operands, tangents, products)
    return moved if isinstance(moved, tuple) else (moved,)
