"""What a loop keeps of each step for its derivative, and what is computed again from that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from wengert.ir.graph import Constant, Node, Value
from wengert.ir.kinds import Elementwise, Movement

__all__ = ["again", "bytes_of"]

#: Nodes that only look at what is there in another way.
_VIEWS = ("slice", "reshape", "transpose", "broadcast_to")
#: Scalar operations that take less time than a number takes to be fetched from memory.
_CHEAP = (
    "+", "-", "*", "/", "neg", "abs", "<", "<=", ">", ">=", "==", "!=", "and", "or", "xor", "not", "?:", "cast",
    "identity", "real", "imag", "conj", "complex",
)  # fmt: skip


def bytes_of(values: Iterable[Value]) -> int:
    """What values take in memory."""
    return sum(v.type.size * v.type.dtype.itemsize for v in values)


def again(nodes: Sequence[Node], wanted: Iterable[Value], fixed: set[Value], *, lean: bool) -> list[Node]:
    """The nodes that are done again on the way to the wanted values, where the others are kept: views, and if ``lean``
    cheap ones too, where that makes less to keep.  ``fixed`` are values that are there anyway."""
    wanted = list(wanted)
    views, least = _again(nodes, wanted, fixed, lambda node: node.op.name in _VIEWS)
    if not lean:
        return views
    more, kept = _again(nodes, wanted, fixed, _cheap)
    return more if kept < least else views


def _cheap(node: Node) -> bool:
    return isinstance(node.op, Movement) or (isinstance(node.op, Elementwise) and node.op.symbol in _CHEAP)


def _again(
    nodes: Sequence[Node], wanted: Sequence[Value], fixed: set[Value], chosen: Callable[[Node], bool]
) -> tuple[list[Node], int]:
    """The chosen nodes among those that make the wanted values, and the bytes of what these leave to be kept."""
    needed, found = set(wanted), []
    made: set[Value] = set()
    for node in reversed(nodes):
        if chosen(node) and not needed.isdisjoint(node.results) and fixed.isdisjoint(node.results):
            needed.update(node.operands)
            made.update(node.results)
            found.append(node)
    kept = (v for v in needed if v not in made and v not in fixed and not isinstance(v, Constant))
    return found[::-1], bytes_of(kept)
