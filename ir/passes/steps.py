"""Steps of loops on a few numbers: each number as a value of its own, rather than small arrays.

A step of a Runge-Kutta method in the plane slices, stacks and adds arrays of two elements, each a loop of its own.
Taken apart, it is one stretch of arithmetic on numbers, which compilers keep in registers.
"""

from __future__ import annotations

from typing import Any

from attrs import evolve

from wengert.ir.batching import batch
from wengert.ir.build import Builder
from wengert.ir.errors import WengertError
from wengert.ir.graph import Graph, Node, Value
from wengert.ir.kinds import Contraction, Elementwise, Movement, Reduction
from wengert.ir.ops import OPS
from wengert.ir.passes.components import taken_apart

__all__ = ["small_steps"]

#: Nodes that move, join or sum elements, from which on it pays.
MOVED = 2
#: Elements of an array that is taken apart; numbers that may come about in a step, and how many for each node.
MOST, LIMIT, MEAN = 8, 600, 5


def small_steps(graph: Graph) -> Graph:
    """The graph with the steps of its loops on numbers, where they are on arrays of a few."""
    nodes = tuple(_loop(node) for node in graph.nodes)
    return graph if all(a is b for a, b in zip(nodes, graph.nodes, strict=True)) else graph.evolve(nodes=nodes)


def _loop(node: Node) -> Node:
    if node.op.name not in ("scan", "while"):
        return node
    body = node.params["graph"]
    made = _on_numbers(body) if _suits(body) else small_steps(body)
    return node if made is body else evolve(node, params={**node.params, "graph": made})


def _suits(body: Graph) -> bool:
    """Whether all is small, and there is something to be gained."""
    values = [v for node in body.nodes for v in node.results]
    plain = all(isinstance(node.op, (Elementwise, Movement, Reduction, Contraction)) for node in body.nodes)
    if not plain or body.guards or not all(0 < v.type.size <= MOST for v in (*values, *body.inputs)):
        return False
    total, moved = sum(v.type.size for v in values), sum(not isinstance(node.op, Elementwise) for node in body.nodes)
    return moved >= MOVED and total <= min(LIMIT, MEAN * len(values))


def _on_numbers(body: Graph) -> Graph:
    """The graph of one lane: so each of its values is taken apart into numbers."""
    try:
        lane, _ = batch(body, (0,) * len(body.inputs), 1, (0,) * len(body.outputs))
    except WengertError:
        return body
    b = Builder(body.name)
    inputs = [b.input(v.type, v.name) for v in body.inputs]
    entered = [_shaped(b, v, (1, *v.type.shape)) for v in inputs]
    found = b.inline(taken_apart(lane, 1), entered)
    return b.graph([_shaped(b, v, old.type.shape) for v, old in zip(found, body.outputs, strict=True)])


def _shaped(b: Builder, value: Value, shape: tuple[int, ...]) -> Any:
    return b.emit(OPS["reshape"], (value,), shape=shape)
