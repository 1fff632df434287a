"""Calls replaced by the programs they call."""

from __future__ import annotations

from wengert.ir import kinds
from wengert.ir.build import Builder
from wengert.ir.graph import Constant, Graph, Value

__all__ = ["inline_calls"]


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
