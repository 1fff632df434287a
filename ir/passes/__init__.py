"""Graph to graph, small, each tested alone.  None changes a value or a derivative's convention."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.ir import kinds
from wengert.ir.build import Builder
from wengert.ir.graph import Constant, Graph, Node, Value

__all__ = ["common_subexpressions", "dead_code", "fold_constants", "inline_calls", "simplify"]

#: Operations that IEEE rounds exactly: every backend gives the same bits, so they may be done early.
_EXACT = ("+", "-", "*", "/", "neg")


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
        operands = tuple(same.get(v, v) for v in node.operands)
        key = (node.op, operands, tuple(sorted(node.params.items(), key=lambda item: item[0])))
        first = seen.get(key)
        if first is None:
            seen[key] = node if operands == node.operands else _reading(node, operands)
            kept.append(seen[key])
        else:
            same.update(zip(node.results, first.results, strict=True))
    return _renamed(graph, kept, same)


def fold_constants(graph: Graph) -> Graph:
    """With exactly rounded arithmetic on scalar constants done now."""
    known: dict[Value, Value] = {}
    kept = []
    for node in graph.nodes:
        operands = tuple(known.get(v, v) for v in node.operands)
        exact = isinstance(node.op, kinds.Elementwise) and node.op.symbol in _EXACT
        if exact and all(isinstance(v, Constant) and not v.type.shape for v in operands):
            with np.errstate(all="ignore"):
                number = node.op.function(*(v.array[()] for v in operands))  # type: ignore[attr-defined]
            array = np.asarray(number, node.result.type.dtype)
            array.setflags(write=False)
            known[node.result] = Constant(node.result.type, array=array)
        else:
            kept.append(node if operands == node.operands else _reading(node, operands))
    return _renamed(graph, kept, known)


def _reading(node: Node, operands: tuple[Value, ...]) -> Node:
    """The node with other operands."""
    return Node(node.op, operands, node.params, node.results, node.location)


def _renamed(graph: Graph, nodes: list[Node], same: dict[Value, Value]) -> Graph:
    """The graph with these nodes, and outputs and guards that read what stands for them."""
    guards = tuple(type(g)(same.get(g.value, g.value), g.expected, g.location) for g in graph.guards)
    outputs = tuple(same.get(v, v) for v in graph.outputs)
    return graph.evolve(nodes=tuple(nodes), outputs=outputs, guards=guards)


def simplify(graph: Graph) -> Graph:
    """What every derived graph goes through: dead code out, constants folded, equal nodes merged."""
    return common_subexpressions(fold_constants(dead_code(graph)))


def inline_calls(graph: Graph) -> Graph:
    """With the body of each called graph in place of the call, to any depth."""
    if not any(isinstance(node.op, kinds.Control) for node in graph.nodes):
        return graph
    b = Builder(graph.name)
    b.inputs.extend(graph.inputs)
    env: dict[Value, Value] = {v: v for v in graph.inputs}

    def at(value: Value) -> Value:
        if value not in env:
            env[value] = b.adopt(value) if isinstance(value, Constant) else value
        return env[value]

    for node in graph.nodes:
        b.location = node.location
        operands = tuple(at(v) for v in node.operands)
        if isinstance(node.op, kinds.Control):
            inner = inline_calls(node.params["graph"])
            results = node.op.inline(b, operands, {**node.params, "graph": inner})
        else:
            results = b.emit_all(node.op, operands, **node.params)
        env.update(zip(node.results, results, strict=True))
    for guard in graph.guards:
        b.guard(at(guard.value), guard.expected, guard.location)
    return graph.evolve(nodes=tuple(b.nodes), outputs=tuple(at(v) for v in graph.outputs), guards=tuple(b.guards))
