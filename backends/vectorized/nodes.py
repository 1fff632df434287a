"""What a node is to straight lines: a view, a new array, a fold, a row of a block."""

from __future__ import annotations

import numpy as np

from wengert.ir import kinds
from wengert.ir.graph import Constant, Node, Value
from wengert.ir.ops import OPS

__all__ = ["FOLDS", "VIEWS", "axes_of", "is_number", "kind", "makes", "same", "shares", "subscripts"]

#: Movements that give a view of their operand, or, for reshape, a copy.
VIEWS = {"reshape", "transpose", "broadcast_to", "slice"}
#: Folds that a ufunc does.
FOLDS = {"+": np.add, "max": np.maximum, "min": np.minimum}


def axes_of(node: Node) -> tuple[int, ...] | None:
    """The axes of a plain sum or largest or smallest element, which a ufunc folds; None for another fold."""
    op = node.op
    if not isinstance(op, kinds.Reduction) or op.fold not in FOLDS or not node.params["axes"]:
        return None
    whole = op.fold != "+" or node.result.type.dtype.kind in "fc"  # a sum of small integers is one of large ones
    return node.params["axes"] if whole else None


def subscripts(node: Node) -> str | None:
    """What ``einsum`` is told for the sum of a product of two arrays, where a node is a sum of real numbers."""
    if axes_of(node) is None or node.op.fold != "+" or node.result.type.dtype.kind != "f":  # type: ignore[attr-defined]
        return None
    letters = "abcdefghijklmnopqrstuvwxyz"[: node.operands[0].type.ndim]
    return f"{letters},{letters}->{''.join(c for a, c in enumerate(letters) if a not in node.params['axes'])}"


def kind(node: Node) -> str | None:
    """What a node may be in a block."""
    if isinstance(node.op, kinds.Elementwise):
        return "map" if makes(node) and not same(node) else None
    if getattr(node.params.get("run"), "each", False):  # a function of each element
        return "map"
    return "place" if node.op.name == "place" else "fold" if axes_of(node) is not None else None


def is_number(v: Value, n: float) -> bool:
    """Whether a value is this number (and 0 is not -0)."""
    if not isinstance(v, Constant) or v.type.shape or v.type.dtype.kind != "f":
        return False
    return bool(v.array == n and not np.signbit(v.array))


def shares(node: Node) -> bool:
    """Whether the result is a view of the operand, or that operand."""
    return node.op.name in VIEWS or same(node)


def same(node: Node) -> bool:
    """Whether a node gives what it is given: a cast to the same dtype."""
    return node.op.name == "cast" and node.operands[0].type.dtype == node.result.type.dtype


def makes(node: Node) -> bool:
    """Whether the results are new arrays for certain."""
    op = node.op
    if isinstance(op, kinds.Elementwise):
        return isinstance(op.function, np.ufunc) or op.function is np.where or op.symbol == "cast" or (
            op is OPS["scale"])
    if isinstance(op, kinds.Reduction):
        return bool(node.params["axes"])
    return isinstance(op, kinds.Contraction | kinds.Indexing | kinds.Movement)
