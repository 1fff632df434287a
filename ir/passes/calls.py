"""Nodes replaced by the programs they stand for: calls, and ops that are defined by others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from wengert.ir import kinds
from wengert.ir.build import Builder, Namespace
from wengert.ir.graph import Constant, Graph, Node, Value

__all__ = ["inline_bodies", "inline_calls"]

#: Appends what a node computes to a builder, given the node's operands there.
Expand: TypeAlias = Callable[[Builder, Node, Sequence[Value]], Sequence[Value]]


def inline_calls(graph: Graph) -> Graph:
    """With the body of each called graph in place of the call, to any depth."""

    def expand(b: Builder, node: Node, operands: Sequence[Value]) -> Sequence[Value]:
        inner = inline_calls(node.params["graph"])
        return node.op.inline(b, operands, {**node.params, "graph": inner})  # type: ignore[attr-defined]

    return _replaced(graph, lambda node: isinstance(node.op, kinds.Control), expand)


def inline_bodies(graph: Graph, chosen: Callable[[kinds.Elementwise], bool]) -> Graph:
    """With the chosen elementwise ops that state a body written out in the ops of that body."""

    def applies(node: Node) -> bool:
        return isinstance(node.op, kinds.Elementwise) and node.op.body is not None and chosen(node.op)

    def expand(b: Builder, node: Node, operands: Sequence[Value]) -> Sequence[Value]:
        xp = Namespace(b)
        out = node.op.body(xp, *map(xp.wrap, operands))  # type: ignore[attr-defined]
        return (b.convert(xp.lift(out), node.result.type),)

    return _replaced(graph, applies, expand)


def _replaced(graph: Graph, applies: Callable[[Node], bool], expand: Expand) -> Graph:
    """With the nodes that it applies to expanded."""
    if not any(map(applies, graph.nodes)):
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
        results = expand(b, node, operands) if applies(node) else b.emit_all(node.op, operands, **node.params)
        env.update(zip(node.results, results, strict=True))
    for guard in graph.guards:
        b.guard(at(guard.value), guard.expected, guard.location)
    return graph.evolve(nodes=tuple(b.nodes), outputs=tuple(at(v) for v in graph.outputs), guards=tuple(b.guards))
