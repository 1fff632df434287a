"""A graph written again, node by node."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from attrs import evolve

from wengert.ir.build import Builder
from wengert.ir.graph import Graph, Node, Renamed, Value

__all__ = ["rewritten", "substitute"]

#: Appends what stands for a node to a builder, given the node's operands there; None to leave the node as it is.
Expand: TypeAlias = Callable[[Builder, Node, tuple[Value, ...]], Sequence[Value] | None]


def rewritten(graph: Graph, expand: Expand, builder: Builder | None = None) -> Graph:
    """With what ``expand`` appends, to a builder of its choice, in place of each node."""
    b = builder or Builder(graph.name)
    b.inputs.extend(graph.inputs)
    env = Renamed(b.adopt)
    for node in graph.nodes:
        b.location = node.location
        operands = tuple([env[v] for v in node.operands])
        results = expand(b, node, operands)
        if results is None:
            results = b.keep(node, operands)
        for old, new in zip(node.results, results, strict=True):
            env[old] = new
    for guard in graph.guards:
        b.guard(env[guard.value], guard.expected, guard.location)
    return graph.evolve(nodes=tuple(b.nodes), outputs=tuple(env[v] for v in graph.outputs), guards=tuple(b.guards))


def substitute(graph: Graph, changes: dict[Value, Value]) -> Graph:
    """The graph with some values replaced where they are read."""
    if not changes:
        return graph

    def at(value: Value) -> Value:
        return changes.get(value, value)

    nodes = tuple(
        node if changes.keys().isdisjoint(node.operands) else evolve(node, operands=tuple(map(at, node.operands)))
        for node in graph.nodes
    )
    guards = tuple(evolve(guard, value=at(guard.value)) for guard in graph.guards)
    return graph.evolve(nodes=nodes, outputs=tuple(map(at, graph.outputs)), guards=guards)
