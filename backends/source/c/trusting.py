"""Loops that trust their strong-zero products, and run again with care where a NaN shows that they should not have.

A product in which an exact zero is zero takes three comparisons more than a plain one.  The two differ by a NaN alone,
and what only adds, moves and scales loses no NaN: where none arrives at the results of a loop, none was made that any
of them depends on.
"""

from __future__ import annotations

from attrs import evolve

from wengert.ir.graph import Graph, Node, Value
from wengert.ir.kinds import Cumulative, Elementwise, Indexing, Movement, Op, Reduction
from wengert.ir.passes.plain import PLAIN, plainly

__all__ = ["KEEPING", "trusting"]

#: Ops that give NaN where any operand is NaN.
KEEPING = {"add", "subtract", "multiply", "divide", "negative", "square", "scale", "absolute", "cast",
           "einsum", "scale_einsum"}  # fmt: skip


def trusting(graph: Graph) -> Graph:
    """The graph whose scans take plain products wherever a NaN of theirs shows.

    Those have two parameters more: ``careful``, the exact graph, and ``shown``, the results to look for a NaN in.
    """
    nodes = tuple(_scan(node) if node.op.name == "scan" else node for node in graph.nodes)
    return graph if nodes == graph.nodes else graph.evolve(nodes=nodes)


def _scan(node: Node) -> Node:
    body, c, m = node.params["graph"], node.params["consts"], node.params["carries"]
    if not any(inner.op in PLAIN for inner in body.nodes):
        return node
    carried = dict(zip(body.inputs[c : c + m], body.outputs[:m], strict=True))
    hidden = _hidden(body, carried)
    nodes = tuple(
        plainly(inner) if inner.op in PLAIN and inner.result not in hidden and _real(inner.result) else inner
        for inner in body.nodes
    )
    reached = {new.result for new, old in zip(nodes, body.nodes, strict=True) if new is not old}
    if not reached:
        return node
    while (more := _reached(body, carried, reached)) != reached:
        reached = more
    shown = tuple(k for k, v in enumerate(body.outputs) if v in reached)
    return evolve(node, params={**node.params, "graph": body.evolve(nodes=nodes), "careful": body, "shown": shown})


def _real(value: Value) -> bool:
    return value.type.dtype.kind == "f"


def _hidden(body: Graph, carried: dict[Value, Value]) -> set[Value]:
    """The values a NaN of which may be lost before it comes to a result."""
    hidden: set[Value] = {v for v in (*body.inputs, *body.outputs) if not _real(v)}
    while True:
        before = len(hidden)
        hidden.update(after for v, after in carried.items() if v in hidden)
        for node in reversed(body.nodes):
            kept = all(_real(v) and v not in hidden for v in node.results)
            hidden.update(v for k, v in enumerate(node.operands) if not (kept and _keeps(node.op, k)))
        if len(hidden) == before:
            return hidden


def _keeps(op: Op, position: int) -> bool:
    """Whether an op gives NaN in whatever depends on an element of an operand that is NaN."""
    if isinstance(op, Elementwise):
        return op.name in KEEPING or (op.name == "where" and position > 0)
    if isinstance(op, (Reduction, Cumulative)):
        return op.fold == "+"
    return op.name in KEEPING or isinstance(op, Movement) or (isinstance(op, Indexing) and position == 0)


def _reached(body: Graph, carried: dict[Value, Value], reached: set[Value]) -> set[Value]:
    """Those values, and what they go into, a step later too."""
    found = reached | {v for v, after in carried.items() if after in reached}
    for node in body.nodes:
        if any(v in found for v in node.operands):
            found.update(node.results)
    return found
