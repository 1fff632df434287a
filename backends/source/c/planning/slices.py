"""Slices of what a loop computes, computed alone: the whole is then no array.

The four gates of a recurrent network are quarters of one product plus a bias.  Each quarter joins the loop that
computes with it; and a slice of what was joined is the part that lies there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from wengert.ir.build import Builder
from wengert.ir.graph import Graph, Node, Value
from wengert.ir.kinds import Elementwise
from wengert.ir.ops import OPS
from wengert.ir.passes.rewriting import rewritten

__all__ = ["slices_alone"]

#: Slices of one array, and elements of each: many short loops are no better than one long one.
MOST, LEAST = 4, 8

_Ints: TypeAlias = tuple[int, ...]
#: Where a slice begins, how many elements it has, and how far apart they are, along each axis.
_Slice: TypeAlias = tuple[_Ints, _Ints, _Ints]


def slices_alone(graph: Graph) -> Graph:
    """The graph with the slices of what is only sliced computed one by one, where together they are no more."""
    wanted = _wanted(graph)
    if not wanted:
        return graph
    parts: dict[tuple[Value, _Slice], Value] = {}

    def part(b: Builder, old: Value, new: Value, key: _Slice) -> Value:
        if (old, key) not in parts:
            start, size, step = key
            whole = size == new.type.shape and not any(start)
            parts[old, key] = new if whole else b.emit(OPS["slice"], (new,), start=start, size=size, step=step)
        return parts[old, key]

    def expand(b: Builder, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
        if node.op.name == "slice" and node.operands[0] in wanted:
            return [parts[node.operands[0], _key(node)]]
        keys = wanted.get(node.results[0]) if node.results else None
        if keys is None:
            return None
        for key in keys:
            given = [part(b, node.operands[k], operands[k], inner) for k, inner in _within(node, key)]
            parts[node.result, key] = b.emit(node.op, given, **node.params) if _plain(node) else given[0]
        return [Value(node.result.type)]  # that nobody reads

    return rewritten(graph, expand)


def _wanted(graph: Graph) -> dict[Value, dict[_Slice, None]]:
    """What is only sliced, and the slices."""
    found: dict[Value, dict[_Slice, None]] = {}
    read, wanted = set(graph.guarded_outputs), {}
    for node in reversed(graph.nodes):
        keys = found.pop(node.result, {}) if len(node.results) == 1 else {}
        if keys and node.result not in read and _pays(node, keys):
            wanted[node.result] = keys
            for key in keys:
                for k, inner in _within(node, key):
                    found.setdefault(node.operands[k], {})[inner] = None
        elif node.op.name == "slice":
            found.setdefault(node.operands[0], {})[_key(node)] = None
        else:
            read.update(node.operands)
    return wanted


def _pays(node: Node, keys: Iterable[_Slice]) -> bool:
    """Whether a node can be computed in slices, and they are few, not short, and together no more than the whole."""
    sizes = [math.prod(size) for _, size, _ in keys]
    few = len(sizes) <= MOST and min(sizes) >= LEAST and sum(sizes) <= node.result.type.size
    return few and (_plain(node) or (node.op.name == "concatenate" and all(_within(node, key) for key in keys)))


def _plain(node: Node) -> bool:
    return isinstance(node.op, Elementwise) and not node.op.called


def _key(node: Node) -> _Slice:
    return node.params["start"], node.params["size"], node.params["step"]


def _within(node: Node, key: _Slice) -> list[tuple[int, _Slice]]:
    """The operands that a slice of the result is made of, each with its own slice; none if it joins several."""
    if _plain(node):
        return [(k, key) for k in range(len(node.operands))]
    (start, size, step), axis, at = key, node.params["axis"], 0
    last = start[axis] + step[axis] * (size[axis] - 1)
    for k, operand in enumerate(node.operands):
        end = at + operand.type.shape[axis]
        if at <= min(start[axis], last) and max(start[axis], last) < end:
            return [(k, ((*start[:axis], start[axis] - at, *start[axis + 1 :]), size, step))]
        at = end
    return []
