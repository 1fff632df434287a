"""Nodes replaced by the programs they stand for: calls, and ops that are defined by others."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from wengert.ir import kinds
from wengert.ir.build import Builder, Namespace
from wengert.ir.graph import Graph, Node, Value
from wengert.ir.passes.rewriting import rewritten

__all__ = ["inline_bodies", "inline_calls"]


def inline_calls(graph: Graph) -> Graph:
    """With the body of each called graph in place of the call, to any depth."""

    def expand(b: Builder, node: Node, operands: Sequence[Value]) -> Sequence[Value] | None:
        if not isinstance(node.op, kinds.Control):
            return None
        return node.op.inline(b, operands, {**node.params, "graph": inline_calls(node.params["graph"])})

    return rewritten(graph, expand) if any(isinstance(node.op, kinds.Control) for node in graph.nodes) else graph


def inline_bodies(graph: Graph, chosen: Callable[[kinds.Elementwise], bool]) -> Graph:
    """With the chosen elementwise ops that state a body written out in the ops of that body."""

    def applies(node: Node) -> bool:
        return isinstance(node.op, kinds.Elementwise) and node.op.body is not None and chosen(node.op)

    def expand(b: Builder, node: Node, operands: Sequence[Value]) -> Sequence[Value] | None:
        if not applies(node):
            return None
        xp = Namespace(b)
        out = node.op.body(xp, *map(xp.wrap, operands))  # type: ignore[attr-defined]
        return (b.convert(xp.lift(out), node.result.type),)

    return rewritten(graph, expand) if any(map(applies, graph.nodes)) else graph
