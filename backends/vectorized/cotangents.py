"""Reverse mode on whole arrays: one sweep back over the nodes, k cotangents at once along a leading axis."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.backends.vectorized import arrays
from wengert.backends.vectorized.arrays import XP, Products
from wengert.backends.vectorized.tangents import (
    along,
    cumulative_partial,
    directed_view,
    reduction_partial,
    stacked,
)
from wengert.ir import kinds
from wengert.ir.build import Builder, Namespace
from wengert.ir.graph import Node
from wengert.ir.ops.reductions import shifted
from wengert.ir.passes import dead_code
from wengert.ir.types import ArrayType

__all__ = ["OUT", "RULES", "Adjoints", "pull", "pull_reads"]


class Adjoints:
    """The cotangent of each slot, added to as the sweep goes.

    A first contribution is kept as it came (it may be a view, or shared); a sum is ours and is added to in place.
    """

    def __init__(self, size: int) -> None:
        self.arrays: list[Any] = [None] * size
        self.owned = [False] * size

    def add(self, slot: int, g: Any) -> None:
        """Add a cotangent."""
        old = self.arrays[slot]
        if old is None:
            self.arrays[slot] = g
        elif self.owned[slot]:
            old += g
        else:
            self.arrays[slot] = old + g
            self.owned[slot] = True

    def buffer(self, slot: int, shape: tuple[int, ...], dtype: Any) -> Any:
        """The cotangent as a C-contiguous array of ours, zeros at first, to be added to."""
        old = self.arrays[slot]
        if old is None:
            self.arrays[slot] = np.zeros(shape, dtype)
        elif not self.owned[slot] or not old.flags.c_contiguous:
            self.arrays[slot] = np.array(np.broadcast_to(old, shape), order="C")
        self.owned[slot] = True
        return self.arrays[slot]


def _elementwise(node: Node, k: int, g: Any, out: Any, operands: Sequence[Any], products: Products) -> Any:
    if node.op.partials[k] is None:  # type: ignore[attr-defined]
        return None
    return along(node, k, g, node.operands[k].type.dtype, out, operands, products)


def _reduction(node: Node, k: int, g: Any, out: Any, operands: Sequence[Any], products: Products) -> Any:
    rule = node.op.partial  # type: ignore[attr-defined]
    if rule is None:
        return None
    shape, axes = node.operands[0].type.shape, node.params["axes"]
    kept = tuple(1 if a in axes else n for a, n in enumerate(shape))
    g = g.reshape(len(g), *kept)
    if rule == 1:
        return np.broadcast_to(g, (len(g), *shape))
    return products.scale(reduction_partial(node, out, operands[0]), g)


def _cumulative(node: Node, k: int, g: Any, out: Any, operands: Sequence[Any], products: Products) -> Any:
    axis, back = node.params["axis"] + 1, not node.params["reverse"]
    if not callable(node.op.partial):  # type: ignore[attr-defined]
        return np.flip(np.cumsum(np.flip(g, axis), axis=axis), axis) if back else np.cumsum(g, axis=axis)
    carry, *shares = cumulative_partial(node, out, operands)
    following = shifted(arrays.XP, carry, 0, axis - 1, back)
    return products.scale(shares[k], arrays.recurrence(following, g, axis, reverse=back, product=products.scale))


def _contraction(node: Node, k: int, g: Any, out: Any, operands: Sequence[Any], products: Products) -> Any:
    terms = kinds.Contraction.split(node.params["subscripts"])
    rest, other = terms[1 - k], operands[1 - k]
    if len(g) == 1:  # one cotangent is a plain product, for BLAS
        return products.contract(f"{terms[2]},{rest}->{terms[k]}", g[0], other)[None]
    return products.contract(f"K{terms[2]},{rest}->K{terms[k]}", g, other)


def _indexing(node: Node, k: int, g: Any, out: Any, operands: Sequence[Any], products: Products) -> Any:
    axis, indices = node.params["axis"] + 1, operands[1]
    if node.op.gather:  # type: ignore[attr-defined]
        return arrays.scatter_add(g, indices, axis, node.operands[0].type.shape[axis - 1])
    return arrays.take(g, indices, axis)


def _library(node: Node, k: int, g: Any, out: Any, operands: Sequence[Any], products: Products) -> Any:
    rule = node.op.vjp  # type: ignore[attr-defined]
    if rule is None:
        return None
    type_ = node.operands[k].type
    gs = g if isinstance(g, tuple) else (g,)
    n = next(len(each) for each in gs if each is not None)
    rows: Any = ([None if each is None else each[i] for each in gs] for i in range(n))
    shares = [rule(XP, tuple(row) if len(row) > 1 else row[0], k, out, list(operands), node.params) for row in rows]
    return stacked(shares, n, type_)


#: Where ``pull_reads`` means the result.
OUT = -1


def pull_reads(node: Node, k: int) -> frozenset[int]:
    """Which operands, and whether the result (OUT), the cotangent of operand ``k`` is made from."""
    op, every = node.op, range(len(node.operands))
    if isinstance(op, kinds.Elementwise):
        return _partial_reads(op, k, node.result.type.dtype, *(v.type.dtype for v in node.operands))
    if isinstance(op, kinds.Movement | kinds.Control):  # a control node has left what it needs on its tape
        return frozenset()
    if isinstance(op, kinds.Reduction | kinds.Cumulative) and not callable(op.partial):
        return frozenset()
    if isinstance(op, kinds.Contraction | kinds.Indexing):
        return frozenset({1 - k})
    if isinstance(op, kinds.Library) and k in op.linear:
        return frozenset(every) - {k}
    return frozenset({OUT, *every})


@functools.cache
def _partial_reads(op: kinds.Elementwise, k: int, result: Any, *dtypes: Any) -> frozenset[int]:
    """Found by running the rule once on a Builder, and looking at what the graph reads."""
    rule = op.partials[k]
    if not callable(rule):
        return frozenset()
    b = Builder()
    xp = Namespace(b)
    operands, out = [b.input(ArrayType(dtype)) for dtype in dtypes], b.input(ArrayType(result))
    graph = dead_code(b.graph([xp.lift(rule(xp, xp.wrap(out), *map(xp.wrap, operands)))]))
    used = set(graph.used_values())
    return frozenset(i for i, v in (*enumerate(operands), (OUT, out)) if v in used)


RULES: dict[type[kinds.Op], Callable[[Node, int, Any, Any, Sequence[Any], Products], Any]] = {
    kinds.Elementwise: _elementwise,
    kinds.Reduction: _reduction,
    kinds.Cumulative: _cumulative,
    kinds.Contraction: _contraction,
    kinds.Indexing: _indexing,
    kinds.Library: _library,
}


def _move_back(node: Node, moving: Sequence[int | None], g: Any, adjoints: Adjoints) -> None:
    """The pieces read backwards, adding straight into the operands' cotangents."""
    shapes = tuple(v.type.shape for v in node.operands)
    for piece in node.op.pieces(shapes, node.result.type.shape, node.params):  # type: ignore[attr-defined]
        slot = moving[piece.operand]
        if slot is None or 0 in piece.size:
            continue
        shape = (len(g), *shapes[piece.operand])
        box = g[(slice(None), *arrays.key(piece.start, piece.size, piece.step))]
        repeated = tuple(a + 1 for a, s in enumerate(piece.strides) if s == 0 and piece.size[a] > 1)
        if repeated:
            box = box.sum(axis=repeated, keepdims=True)
            once = (1 if a + 1 in repeated else n for a, n in enumerate(piece.size))
            piece = kinds.Piece(0, piece.start, tuple(once), piece.offset, piece.strides, piece.step)
        if adjoints.arrays[slot] is None and box.size == len(g) * _size(shape):
            whole = np.empty(shape, g.dtype)
            directed_view(whole, piece)[...] = box
            adjoints.add(slot, whole)
        else:
            view = directed_view(adjoints.buffer(slot, shape, g.dtype), piece)
            view += box


def _size(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape[1:], dtype=int))


def pull(
    node: Node, moving: Sequence[int | None], gs: Sequence[Any], outs: Sequence[Any], operands: Sequence[Any],
    adjoints: Adjoints, products: Products,
) -> None:
    """Hand the cotangents of a node's results to its operands; ``moving`` are the slots of those that want them."""
    g, out = (gs[0], outs[0]) if len(gs) == 1 else (tuple(gs), tuple(outs))
    if isinstance(node.op, kinds.Movement):
        _move_back(node, moving, g, adjoints)
        return
    rule = RULES[type(node.op)]
    for k, slot in enumerate(moving):
        if slot is not None:
            share = rule(node, k, g, out, operands, products)
            if share is not None:
                adjoints.add(slot, share)
