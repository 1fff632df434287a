"""How much a loop has to do, roughly: is it worth several threads?"""

from __future__ import annotations

import math
from collections.abc import Iterator

from wengert.backends.source.c.scalars.statements import cheap
from wengert.ir.graph import Graph, Node
from wengert.ir.kinds import Contraction, Control, Elementwise, Library, Movement
from wengert.ir.storable import graphs_in

__all__ = ["WITHIN", "WORK", "calls_back", "cost_of", "grain", "work"]

#: From how much work on several threads share a loop, in simple statements: some tenths of a millisecond, as it takes
#: a thread that sleeps a tenth to wake.
WORK = 1 << 21
#: Of a program that does so much in all, a loop of this part of it: threads that are awake take a microsecond.
AWAKE = 1 / 16
#: In what one of several threads runs: no loop is worth it.
WITHIN = 1e300
#: What the call of a function counts.
CALL = 16


def cost_of(node: Node) -> int:
    """Of one element of an elementwise node."""
    return 1 if cheap(node) else CALL


def work(node: Node) -> int:
    """Of a node, the graphs that it runs included."""
    op = node.op
    if isinstance(op, Control):
        times = max(1, node.params.get("length", 1))
        graphs = [node.params["graph"]] if "careful" in node.params else graphs_in(node.params)
        return times * sum(work(inner) for graph in graphs for inner in graph.nodes)
    if isinstance(op, Contraction):
        x, y, _ = Contraction.split(node.params["subscripts"])
        shapes = (v.type.shape for v in node.operands)
        products = math.prod({a: n for term, shape in zip((x, y), shapes, strict=True)
                              for a, n in zip(term, shape, strict=True)}.values())  # fmt: skip
        return products + sum(v.type.size for v in node.operands)
    if isinstance(op, Movement):
        return 0
    return sum(v.type.size for v in (*node.operands, *node.results)) * (
        cost_of(node) if isinstance(op, Elementwise) and not op.called else 1)


def grain(graph: Graph) -> float:
    """From how much work on threads share a loop of this program."""
    return WORK * AWAKE if sum(map(work, graph.nodes)) >= WORK else WORK


def _nodes(graph: Graph) -> Iterator[Node]:
    for node in graph.nodes:
        yield node
        for inner in graphs_in(node.params):
            yield from _nodes(inner)


def calls_back(graph: Graph) -> bool:
    """Whether something in it is a call of Python, which one thread makes."""
    return any(isinstance(n.op, Library) or (isinstance(n.op, Elementwise) and n.op.called) for n in _nodes(graph))
