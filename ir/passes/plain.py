"""Plain products for those in which an exact zero is zero, where what they give is linear in some inputs.

The two differ by a NaN alone (zero times infinity), and nothing linear loses one: where none arrives at the results,
none was made, and they are the exact ones.  So a target may run this graph first, and the exact one where a NaN comes.
"""

from __future__ import annotations

from collections.abc import Sequence

from wengert.ir.graph import Graph, Node, Value
from wengert.ir.ops import OPS
from wengert.ir.types import STEPS

__all__ = ["plain_products"]


def plain_products(graph: Graph, moving: Sequence[int]) -> Graph:
    """The graph with plain products wherever something depends on the ``moving`` inputs."""
    return _plain(graph, {graph.inputs[i] for i in moving})[0]


def _plain(graph: Graph, moving: set[Value]) -> tuple[Graph, list[bool]]:
    """The graph, and which of its outputs depend on these values."""
    plain = {OPS["scale"]: OPS["multiply"], OPS["scale_einsum"]: OPS["einsum"]}
    nodes = []
    for node in graph.nodes:
        flags = [v in moving for v in node.operands]
        made = [any(flags)] * len(node.results)
        if any(flags) and node.op in plain:
            node = Node(plain[node.op], node.operands, node.params, node.results, node.location)
        elif any(flags) and node.op.name in ("call", "scan"):
            node, made = _nested(node, flags)
        moving.update(v for v, flag in zip(node.results, made, strict=True) if flag)
        nodes.append(node)
    return graph.evolve(nodes=tuple(nodes)), [v in moving for v in graph.outputs]


def _nested(node: Node, flags: list[bool]) -> tuple[Node, list[bool]]:
    """A call or a loop; of a loop, what is carried depends on what it did in any step before."""
    inner, params = node.params["graph"], node.params
    given = flags[1:] if node.op.name == "scan" and params["length"] == STEPS else flags
    c, m = (params["consts"], params["carries"]) if node.op.name == "scan" else (0, 0)
    while True:
        found, made = _plain(inner, {v for v, flag in zip(inner.inputs, given, strict=True) if flag})
        more = [flag or (c <= i < c + m and made[i - c]) for i, flag in enumerate(given)]
        if more == given:
            break
        given = more
    made = [flag or (i < m and given[c + i]) for i, flag in enumerate(made)]
    return Node(node.op, node.operands, {**params, "graph": found}, node.results, node.location), made
