"""Graph to graph, small, each tested alone.  None changes a value or a derivative's convention."""

from __future__ import annotations

from typing import Any

from wengert.ir import kinds
from wengert.ir.build import Builder
from wengert.ir.graph import Constant, Graph, Node, Value

__all__ = ["common_subexpressions", "dead_code", "inline_calls", "simplify"]


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
            moved = node if operands == node.operands else Node(
                node.op, operands, node.params, node.results, node.location)
            seen[key] = moved
            kept.append(moved)
        else:
            same.update(zip(node.results, first.results, strict=True))
    guards = tuple(type(g)(same.get(g.value, g.value), g.expected, g.location) for g in graph.guards)
    outputs = tuple(same.get(v, v) for v in graph.outputs)
    return graph.evolve(nodes=tuple(kept), outputs=outputs, guards=guards)


def simplify(graph: Graph) -> Graph:
    """What every derived graph goes through: dead code out, equal nodes merged."""
    return common_subexpressions(dead_code(graph))


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
