"""Nodes replaced by the programs they stand for: calls, and ops that are defined by others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from wengert.ir import kinds
from wengert.ir.build import Builder, Namespace
from wengert.ir.graph import Constant, Graph, Node, Value
from wengert.ir.ops import OPS
from wengert.ir.passes.rewriting import rewritten
from wengert.ir.storable import graphs_in
from wengert.ir.types import is_stack

__all__ = ["enclose_stacks", "inline_bodies", "inline_calls", "inline_stacks", "with_graphs"]


def inline_calls(graph: Graph) -> Graph:
    """With the body of each called graph in place of the call, to any depth, also within loops."""
    done: dict[Graph, Graph] = {}

    def inlined(graph: Graph) -> Graph:
        if graph not in done:
            done[graph] = rewritten(graph, expand) if any(map(changes, graph.nodes)) else graph
        return done[graph]

    def changes(node: Node) -> bool:
        if not isinstance(node.op, kinds.Control):
            return False
        return node.op.inline is not None or any(inlined(g) is not g for g in graphs_in(node.params))

    def expand(b: Builder, node: Node, operands: Sequence[Value]) -> Sequence[Value] | None:
        if not isinstance(node.op, kinds.Control):
            return None
        params = with_graphs(node.params, inlined)
        if node.op.inline is not None:
            return node.op.inline(b, operands, params)  # type: ignore[no-any-return]
        return b.emit_all(node.op, operands, **params)

    return inlined(graph)


def inline_stacks(graph: Graph) -> Graph:
    """With the calls that give stacks written out, so that a stack stays in the graph that made it."""

    def gives(node: Node) -> bool:
        return isinstance(node.op, kinds.Control) and any(is_stack(v.type) for v in node.results) and (
            node.op.inline is not None)

    def expand(b: Builder, node: Node, operands: Sequence[Value]) -> Sequence[Value] | None:
        return node.op.inline(b, operands, node.params) if gives(node) else None  # type: ignore[attr-defined]

    while any(map(gives, graph.nodes)):
        graph = rewritten(graph, expand)
    return graph


def enclose_stacks(graph: Graph) -> Graph:
    """With all that makes or reads stacks, and what lies between, as one checkpoint: no stack is then to be seen."""
    holds = {node: any(is_stack(v.type) for v in (*node.operands, *node.results)) for node in graph.nodes}
    if not any(holds.values()):
        return graph
    after: set[Value] = set()  # all that depends on a stack
    for node in graph.nodes:
        if holds[node] or not after.isdisjoint(node.operands):
            after.update(node.results)
    before: set[Value] = set()  # all that a stack depends on
    inside: list[Node] = []
    for node in reversed(graph.nodes):
        if holds[node] or not before.isdisjoint(node.results):
            before.update(node.operands)
            inside += [] if after.isdisjoint(node.results) else [node]
    inside.reverse()
    made = {v for node in inside for v in node.results}
    rest = [node for node in graph.nodes if made.isdisjoint(node.results)]
    read = {*(v for node in rest for v in node.operands), *graph.guarded_outputs}
    operands = dict.fromkeys(v for node in inside for v in node.operands if v not in made)
    taken = tuple(v for v in operands if not isinstance(v, Constant))
    results = tuple(v for node in inside for v in node.results if v in read)
    params = {"graph": Graph(taken, tuple(inside), results, name=graph.name), "policy": "nothing"}
    whole = Node(OPS["checkpoint"], taken, params, results, inside[0].location)
    first = [node for node in rest if after.isdisjoint(node.results)]
    last = [node for node in rest if not after.isdisjoint(node.results)]
    return graph.evolve(nodes=(*first, whole, *last))


def with_graphs(params: dict[str, Any], change: Callable[[Graph], Graph]) -> dict[str, Any]:
    """Parameters with each graph among them changed."""

    def changed(value: Any) -> Any:
        if isinstance(value, Graph):
            return change(value)
        return tuple(map(changed, value)) if type(value) is tuple else value

    return {name: changed(value) for name, value in params.items()}


def inline_bodies(graph: Graph, chosen: Callable[[kinds.Elementwise], bool]) -> Graph:
    """With the chosen elementwise ops that state a body written out in the ops of that body."""
    done: dict[Graph, Graph] = {}

    def written_out(graph: Graph) -> Graph:
        if graph not in done:
            done[graph] = rewritten(graph, expand) if any(map(applies, graph.nodes)) else graph
        return done[graph]

    def applies(node: Node) -> bool:
        if isinstance(node.op, kinds.Control):
            return any(written_out(g) is not g for g in graphs_in(node.params))
        return isinstance(node.op, kinds.Elementwise) and node.op.body is not None and chosen(node.op)

    def expand(b: Builder, node: Node, operands: Sequence[Value]) -> Sequence[Value] | None:
        if not applies(node):
            return None
        if isinstance(node.op, kinds.Control):
            return b.emit_all(node.op, operands, **with_graphs(node.params, written_out))
        xp = Namespace(b)
        out = node.op.body(xp, *map(xp.wrap, operands))  # type: ignore[attr-defined]
        return (b.convert(xp.lift(out), node.result.type),)

    return written_out(graph)
