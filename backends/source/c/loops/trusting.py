"""Loops that trust their strong-zero products, and run again with care where a NaN shows that they should not have.

A product in which an exact zero is zero takes three comparisons more than a plain one.  The two differ by a NaN alone,
and what only adds, moves and scales loses no NaN: where none arrives at the results of a loop, none was made that any
of them depends on.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from wengert.ir.graph import Graph, Node, Value
from wengert.ir.kinds import Cumulative, Elementwise, Indexing, Movement, Op, Reduction
from wengert.ir.passes.plain import PLAIN, plainly
from wengert.ir.types import STEPS

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
    body = node.params["graph"]
    if not any(inner.op in PLAIN or inner.op.name == "scan" for inner in body.nodes):
        return node
    carried = _carried(node)
    hidden = _hidden(body, carried)
    nodes, reached = [], set[Value]()
    for inner in body.nodes:
        plain, made = _plain(inner)
        trusted = made and all(_real(v) and v not in hidden for v in made)
        nodes.append(plain if trusted else inner)
        reached.update(made if trusted else ())
    if not reached:
        return node
    while (more := _reached(body, carried, reached)) != reached:
        reached = more
    shown = tuple(k for k, v in enumerate(body.outputs) if v in reached)
    plainer = body.evolve(nodes=tuple(nodes))
    return evolve(node, params={**node.params, "graph": plainer, "careful": body, "shown": shown})


def _plain(node: Node) -> tuple[Node, Sequence[Value]]:
    """A node with plain products, and the results that tell of their NaN."""
    if node.op in PLAIN:
        return plainly(node), node.results
    params = _scan(node).params if node.op.name == "scan" else {}
    if "careful" not in params:
        return node, ()
    made = [node.results[k] for k in params["shown"]]
    return evolve(node, params={**node.params, "graph": params["graph"]}), made


def _carried(node: Node) -> dict[Value, Value]:
    """What a step reads of the step before, and what it gives the next for it."""
    body, c, m = node.params["graph"], node.params["consts"], node.params["carries"]
    return dict(zip(body.inputs[c : c + m], body.outputs[:m], strict=True))


def _real(value: Value) -> bool:
    return value.type.dtype.kind == "f"


def _hidden(body: Graph, carried: dict[Value, Value]) -> set[Value]:
    """The values a NaN of which may be lost before it comes to a result."""
    hidden: set[Value] = {v for v in (*body.inputs, *body.outputs) if not _real(v)}
    keeps: dict[Node, set[int]] = {}  # the operands of a scan a NaN of which comes to a result
    for node in body.nodes:
        if node.op.name == "scan" and node.params["length"] not in (0, STEPS):
            within = _hidden(node.params["graph"], _carried(node))
            keeps[node] = {k for k, v in enumerate(node.params["graph"].inputs) if v not in within}
    while True:
        before = len(hidden)
        hidden.update(after for v, after in carried.items() if v in hidden)
        for node in reversed(body.nodes):
            kept = all(_real(v) and v not in hidden for v in node.results)
            hidden.update(v for k, v in enumerate(node.operands) if not (kept and (
                k in keeps[node] if node in keeps else _keeps(node.op, k))))
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
