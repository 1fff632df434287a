"""The slope of tanh, 1 / cosh(x)^2, as one function: in a loop that has tanh(x), too, both are made of one exp."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from wengert.ir.graph import Constant, Graph, Node, Value
from wengert.ir.kinds import Elementwise
from wengert.ir.ops import OPS
from wengert.ir.passes import dead_code

__all__ = ["slopes", "twins"]

SECH2 = Elementwise(name="sech2", types=lambda dtypes, _: dtypes[0],
    body=lambda xp, x: xp.square(1 / xp.cosh(x)),
    partials=(None,),
    doc="1 / cosh(x)**2.")  # fmt: skip


def slopes(graph: Graph) -> Graph:
    """The graph with one node for each square of an inverse of a real cosh."""
    made = {node.result: node for node in graph.nodes if node.op in (OPS["cosh"], OPS["divide"], OPS["broadcast_to"])}
    nodes = tuple(_slope(node, made) for node in graph.nodes)
    return graph if nodes == graph.nodes else dead_code(graph.evolve(nodes=nodes))


def twins(nodes: Sequence[Node]) -> dict[Node, Node]:
    """By each slope, the tanh of the same number: they are computed together, though the slope may be wanted later."""
    tanh = {node.operands[0]: node for node in nodes if node.op is OPS["tanh"]}
    return {node: tanh[node.operands[0]] for node in nodes if node.op is SECH2 and node.operands[0] in tanh}


def _slope(node: Node, made: dict[Value, Node]) -> Node:
    inverse = made.get(node.operands[0]) if node.op is OPS["square"] else None
    if inverse is None or inverse.op is not OPS["divide"] or node.result.type.dtype.kind != "f":
        return node
    one, cosh = inverse.operands
    if one in made and made[one].op is OPS["broadcast_to"]:
        one = made[one].operands[0]
    below = made.get(cosh)
    if below is None or below.op is not OPS["cosh"] or not (isinstance(one, Constant) and (one.array == 1).all()):
        return node
    return evolve(node, op=SECH2, operands=below.operands)
