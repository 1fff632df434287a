"""What costs nothing to leave out: nodes that nothing reads, equal nodes, arithmetic on constants."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.ir import kinds
from wengert.ir.graph import Constant, Graph, Node, Value
from wengert.ir.ops import OPS

__all__ = ["common_subexpressions", "dead_code", "fold_constants"]

#: Operations that IEEE rounds exactly, and comparisons: every backend gives the same bits, so they may be done early.
_EXACT = ("+", "-", "*", "/", "neg", "==", "!=", "<", "<=", ">", ">=")


def dead_code(graph: Graph) -> Graph:
    """Without the nodes that no output and no guard needs."""
    needed = set(graph.guarded_outputs)
    kept = []
    for node in reversed(graph.nodes):
        if not needed.isdisjoint(node.results):
            needed.update(node.operands)
            kept.append(node)
    return graph.evolve(nodes=tuple(reversed(kept)))


def common_subexpressions(graph: Graph) -> Graph:
    """With equal nodes made one: the same op, operands and parameters give the same value."""
    same: dict[Value, Value] = {}
    seen: dict[Any, Node] = {}
    kept = []
    for node in graph.nodes:
        operands = tuple([same.get(v, v) for v in node.operands])
        key: Any = (node.op, operands)
        if node.params:
            key = (*key, *sorted(node.params.items(), key=lambda item: item[0]))
        first = seen.get(key)
        if first is None:
            seen[key] = node if operands == node.operands else _reading(node, operands)
            kept.append(seen[key])
        else:
            same.update(zip(node.results, first.results, strict=True))
    return _renamed(graph, kept, same)


def fold_constants(graph: Graph) -> Graph:
    """With exactly rounded arithmetic done now where all elements of each operand are one known number."""
    known: dict[Value, Value] = {}
    numbers: dict[Value, Constant] = {}

    def number(value: Value) -> Constant | None:
        return value if isinstance(value, Constant) and not value.type.shape else numbers.get(value)

    kept = []
    for node in graph.nodes:
        operands = tuple([known.get(v, v) for v in node.operands])
        each = [number(v) for v in operands]
        made = node if operands == node.operands else _reading(node, operands)
        if each and None not in each and (found := _number(node, each)) is not None:
            if node.result.type.shape:
                numbers[node.result] = found
                shape = {"shape": node.result.type.shape}
                made = Node(OPS["broadcast_to"], (found,), shape, node.results, node.location)
            elif found.type == node.result.type:
                known[node.result] = found
                continue
        kept.append(made)
    return _renamed(graph, kept, known)


def _number(node: Node, operands: list[Any]) -> Constant | None:
    """What every element of the result is, of operands that are one number each; None where nobody can say."""
    if node.op.name in ("broadcast_to", "reshape", "transpose", "slice"):
        return operands[0]  # type: ignore[no-any-return]
    if not isinstance(node.op, kinds.Elementwise) or node.op.symbol not in _EXACT:
        return None
    with np.errstate(all="ignore"):
        result = node.op.function(*(v.array[()] for v in operands))
    type_ = node.result.type
    array = np.asarray(result, type_.dtype)
    array.setflags(write=False)
    return Constant(type_.with_shape(()) if type_.shape else type_, array=array)


def _reading(node: Node, operands: tuple[Value, ...]) -> Node:
    """The node with other operands."""
    return Node(node.op, operands, node.params, node.results, node.location)


def _renamed(graph: Graph, nodes: list[Node], same: dict[Value, Value]) -> Graph:
    """The graph with these nodes, and outputs and guards that read what stands for them."""
    guards = tuple(type(g)(same.get(g.value, g.value), g.expected, g.location) for g in graph.guards)
    outputs = tuple(same.get(v, v) for v in graph.outputs)
    return graph.evolve(nodes=tuple(nodes), outputs=outputs, guards=guards)
