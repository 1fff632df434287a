"""Where a program is narrow: a Jacobian is then the product of two, each with fewer sweeps."""

from __future__ import annotations

from attrs import frozen

from wengert.ir import kinds
from wengert.ir.graph import Graph, Node, Value
from wengert.ir.passes import dead_code
from wengert.ir.types import is_inexact, is_stack

__all__ = ["Cut", "narrowest"]


@frozen
class Cut:
    """A graph in two: ``first`` gives the values at the cut, ``second`` takes the inputs and then these.

    Of the second's inputs, the original ones are constants to the derivative.
    """

    first: Graph
    second: Graph
    width: int


def narrowest(graph: Graph, active: tuple[int, ...], below: int) -> Cut | None:
    """The cut between two nodes, in the order in which they stand, that the fewest moving elements pass; None unless
    these are fewer than ``below``."""
    graph = dead_code(graph)
    moving = {graph.inputs[i] for i in active}
    last = {v: k for k, node in enumerate(graph.nodes) for v in node.operands}
    last.update(dict.fromkeys(graph.outputs, len(graph.nodes)))
    live = [v for v in moving if v in last]
    found: tuple[Value, ...] | None = None
    at = 0
    for k, node in enumerate(graph.nodes):
        if any(v in moving and _flows(node, i) for i, v in enumerate(node.operands)):
            new = [v for v in node.results if is_inexact(v.type.dtype)]
            moving.update(new)
            live += [v for v in new if v in last]
        live = [v for v in live if last[v] > k]
        if any(is_stack(v.type) or v.type.dtype.kind == "c" for v in live):
            continue
        width = sum(v.type.size for v in live)
        if width < below:
            below, found, at = width, tuple(live), k
    if not found or set(found) <= set(graph.outputs) or set(found) <= set(graph.inputs):
        return None
    first = dead_code(graph.evolve(outputs=found, guards=(), signature=None, results=None))
    stand_ins = {v: Value(v.type) for v in found}
    nodes = [*graph.nodes[: at + 1], *(_reading(node, stand_ins) for node in graph.nodes[at + 1 :])]
    outputs = tuple(stand_ins.get(v, v) for v in graph.outputs)
    inputs = (*graph.inputs, *stand_ins.values())
    second = graph.evolve(inputs=inputs, nodes=tuple(nodes), outputs=outputs, signature=None, results=None)
    return Cut(first, dead_code(second), below)


def _flows(node: Node, k: int) -> bool:
    """Whether a derivative may flow through operand ``k``."""
    return not (isinstance(node.op, kinds.Elementwise) and node.op.partials[k] is None)


def _reading(node: Node, stand_ins: dict[Value, Value]) -> Node:
    operands = tuple(stand_ins.get(v, v) for v in node.operands)
    return node if operands == node.operands else Node(node.op, operands, node.params, node.results, node.location)
