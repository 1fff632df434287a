"""What is known of a program without its arguments: constants, and what follows from them exactly.

Indices, masks and zeros decide which elements depend on which.  Only what every backend computes to the last bit is
followed: integers, booleans, and of floats what is moved, chosen, or rounded by IEEE alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from wengert.ir import kinds
from wengert.ir.graph import Constant, Graph, Node, Value

__all__ = ["Known", "movement_rows"]

_WAITS = object()
_EXACT = ("+", "-", "*", "/", "neg", "abs", "<", "<=", ">", ">=", "==", "!=", "identity")


def movement_rows(node: Node) -> np.ndarray[Any, Any]:
    """For each element of a movement's result, its place among all elements of the operands; -1 for a zero."""
    shapes, out = tuple(v.type.shape for v in node.operands), node.result.type.shape
    firsts = np.cumsum([0, *(v.type.size for v in node.operands)])
    rows = np.full(out, -1, np.int64)
    for piece in node.op.pieces(shapes, out, node.params):  # type: ignore[attr-defined]
        if 0 in piece.size:
            continue
        box = tuple(
            slice(s, None if d < 0 and s + d * n < 0 else s + d * n, d)
            for s, n, d in zip(piece.start, piece.size, piece.step, strict=True)
        )
        ranges = np.ix_(*map(np.arange, piece.size)) if piece.size else ()
        places = sum((s * i for s, i in zip(piece.strides, ranges, strict=True)), start=np.int64(piece.offset))
        rows[box] = firsts[piece.operand] + places
    return rows.ravel()


class Known:
    """The arrays of values that are known; ``given`` maps inputs to arrays that hold for them.

    ``read`` are the inputs that an answer depended on.
    """

    def __init__(self, graph: Graph, given: Mapping[Value, Any]) -> None:
        self.given = given
        self.read: set[Value] = set()
        self._arrays: dict[Value, Any] = {}
        self._made = {v: node for node in graph.nodes for v in node.results}

    def array(self, value: Value) -> Any:
        """The value as an array, or None where it is not known."""
        waiting = [value]
        while waiting:
            v = waiting[-1]
            if v in self._arrays:
                waiting.pop()
                continue
            node = self._made.get(v)
            if node is None or not _followed(node):
                self._arrays[v] = self._leaf(v)
                continue
            operands = [self._arrays.get(x, _WAITS) for x in node.operands]
            if any(x is None for x in operands):  # one that is unknown decides
                self._arrays[v] = None
            elif any(x is _WAITS for x in operands):
                waiting.append(next(x for x, a in zip(node.operands, operands, strict=True) if a is _WAITS))
            else:
                self._arrays[v] = _computed(node, operands)
        return self._arrays[value]

    def _leaf(self, value: Value) -> Any:
        if isinstance(value, Constant):
            return value.array
        if value in self.given:
            self.read.add(value)
            return self.given[value]
        return None


def _followed(node: Node) -> bool:
    op = node.op
    if len(node.results) != 1:
        return False
    if isinstance(op, kinds.Movement) or op.name in ("take", "where", "scale", "sort", "argsort"):
        return True
    if isinstance(op, kinds.Elementwise):
        if op.symbol == "cast":
            return True
        plain = isinstance(op.function, np.ufunc) and op.library is None
        whole = all(v.type.dtype.kind in "biu" for v in (*node.operands, *node.results))
        return plain and (whole or op.symbol in _EXACT)
    return isinstance(op, kinds.Reduction) and node.operands[0].type.dtype.kind in "biu" and "arg" not in op.name


def _computed(node: Node, operands: list[Any]) -> Any:
    op, type_ = node.op, node.result.type
    with np.errstate(all="ignore"):
        if op.name == "broadcast_to":
            return np.broadcast_to(operands[0], type_.shape)
        if isinstance(op, kinds.Movement):
            flat, rows = np.concatenate([x.ravel() for x in operands]), movement_rows(node)
            out = np.where(rows < 0, type_.dtype.type(0), flat[rows]) if flat.size else np.zeros(type_.shape)
        elif op.name == "take":
            if not _fits(operands[1], operands[0].shape[node.params["axis"]]):
                return None
            out = np.take(operands[0], operands[1], axis=node.params["axis"])
        elif op.name == "where":
            out = np.where(*operands)
        elif op.name == "scale":
            p, t = operands
            out = np.where((p == 0) | (t == 0), type_.dtype.type(0), p * t)
        elif isinstance(op, kinds.Elementwise):
            out = operands[0] if op.symbol == "cast" else op.function(*operands)
        elif isinstance(op, kinds.Reduction):
            out = op.function(operands[0], axis=node.params["axes"])
        else:
            out = op.call(*operands, **node.params)  # type: ignore[attr-defined]
        return np.asarray(out).astype(type_.dtype, copy=False).reshape(type_.shape)


def _fits(indices: Any, n: int) -> bool:
    return bool(np.all((indices >= 0) & (indices < n)))
