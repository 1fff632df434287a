"""Plain products for those in which an exact zero is zero, where what they give is linear in some inputs.

The two differ by a NaN alone (zero times infinity), and nothing linear loses one: where none arrives at the results,
none was made, and they are the exact ones.  So a target may run this graph first, and the exact one where a NaN comes.
"""

from __future__ import annotations

from collections.abc import Sequence

from wengert.ir.graph import Constant, Graph, Node, Value
from wengert.ir.kinds import Contraction, Control, Elementwise, Movement, Reduction
from wengert.ir.ops import OPS
from wengert.ir.types import STEPS

__all__ = ["PLAIN", "plain_products", "plain_where_told", "plainly", "telling"]

#: In which no NaN is made but of infinities, as it would be exactly.
_SUMS = (OPS["sum"], OPS["negative"], OPS["add"], OPS["subtract"])
#: Products in which an exact zero is zero, and those without.
PLAIN = {OPS["scale"]: OPS["multiply"], OPS["scale_einsum"]: OPS["einsum"]}


def plainly(node: Node) -> Node:
    """The node of such a product, with a plain one."""
    return Node(PLAIN[node.op], node.operands, node.params, node.results, node.location)


def plain_products(graph: Graph, moving: Sequence[int]) -> Graph:
    """The graph with plain products wherever something depends on the ``moving`` inputs."""
    return _plain(graph, {graph.inputs[i] for i in moving})[0]


def plain_where_told(graph: Graph) -> tuple[Graph, list[int]]:
    """The graph with plain products wherever a NaN of theirs reaches an output, and those outputs.

    What a loop reads stays exact: with a NaN it might not end.
    """
    ends = {v for v in graph.outputs if v.type.dtype.kind in "fc"}
    told, reached, looped, nodes = set(ends), set[Value](), set[Value](), []
    for node in reversed(graph.nodes):
        loops = isinstance(node.op, Control) or not looped.isdisjoint(node.results)
        if loops:
            looped.update(node.operands)
        if told.isdisjoint(node.results) or (loops and node.op in PLAIN):
            nodes.append(node)
            continue
        if node.op in PLAIN:
            reached.update(node.results)
            node = plainly(node)
        if _tells(node):
            told.update(v for v in node.operands if v.type.dtype.kind in "fc")
        nodes.append(node)
    nodes.reverse()
    for node in nodes:
        if not reached.isdisjoint(node.operands) and _tells(node):
            reached.update(node.results)
    outputs = [i for i, v in enumerate(graph.outputs) if v in reached]
    return (graph.evolve(nodes=tuple(nodes)), outputs) if outputs else (graph, [])


def telling(graph: Graph, outputs: Sequence[int]) -> list[int]:
    """Those of some outputs that tell of each NaN of a plain product that any of them tells of.

    The others are sums and parts of what is told of: the sum of what a product with it goes into, say.
    """
    makers = {v: node for node in graph.nodes for v in node.results}
    left = list(outputs)
    for i in outputs:
        others = [j for j in left if j != i]
        told = {graph.outputs[j] for j in others}
        for node in reversed(graph.nodes):
            if not told.isdisjoint(node.results) and _tells(node):
                told.update(node.operands)
        pending, free = [graph.outputs[i]], True
        while pending and free:
            v = pending.pop()
            if v in told or isinstance(v, Constant):
                continue
            maker = makers.get(v)
            free = maker is not None and (isinstance(maker.op, Movement) or maker.op in _SUMS)
            pending += () if maker is None else maker.operands
        if free:
            left = others
    return left


def _tells(node: Node) -> bool:
    """Whether a NaN in an operand is one in the result."""
    op = node.op
    if not all(v.type.size for v in node.results):
        return False
    if isinstance(op, Elementwise):
        return op.symbol in ("+", "-", "*", "/", "neg")
    if isinstance(op, Movement):
        return op.name in ("reshape", "transpose", "broadcast_to", "place", "concatenate")
    return isinstance(op, Contraction) or (isinstance(op, Reduction) and op.fold == "+")


def _plain(graph: Graph, moving: set[Value]) -> tuple[Graph, list[bool]]:
    """The graph, and which of its outputs depend on these values."""
    nodes = []
    for node in graph.nodes:
        flags = [v in moving for v in node.operands]
        made = [any(flags)] * len(node.results)
        if any(flags) and node.op in PLAIN:
            node = plainly(node)
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
