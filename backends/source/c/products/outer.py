"""Contractions without a sum, as elementwise products: they join the loop that adds them up, or computes with them."""

from __future__ import annotations

from attrs import evolve

from wengert.ir.build import Builder
from wengert.ir.graph import Graph, Node, Value
from wengert.ir.kinds import Contraction
from wengert.ir.ops import OPS

__all__ = ["outer_products"]


def outer_products(graph: Graph) -> Graph:
    """The graph with a product of two views in place of each contraction that sums nothing."""
    if not any(map(_sums_nothing, graph.nodes)):
        return graph
    parts = (_product(node) if _sums_nothing(node) else [node] for node in graph.nodes)
    return graph.evolve(nodes=tuple(made for part in parts for made in part))


def _sums_nothing(node: Node) -> bool:
    if not isinstance(node.op, Contraction) or not node.result.type.size:
        return False
    x, y, out = Contraction.split(node.params["subscripts"])
    sizes = (*zip(x, node.operands[0].type.shape, strict=True), *zip(y, node.operands[1].type.shape, strict=True))
    return all(letter in out or n == 1 for letter, n in sizes)


def _product(node: Node) -> list[Node]:
    assert isinstance(node.op, Contraction)
    x, y, out = Contraction.split(node.params["subscripts"])
    builder, type_ = Builder(), node.result.type
    builder.location = node.location

    def seen(term: str, value: Value) -> Value:
        if not set(term) <= set(out):  # letters of one element, that are summed
            sizes = dict(zip(term, value.type.shape, strict=True))
            term = "".join(letter for letter in term if letter in out)
            value = builder.emit(OPS["reshape"], (value,), shape=tuple(sizes[letter] for letter in term))
        order = sorted(range(len(term)), key=lambda axis: out.index(term[axis]))
        if order != list(range(len(term))):
            value = builder.emit(OPS["transpose"], (value,), axes=tuple(order))
        shape = tuple(n if letter in term else 1 for letter, n in zip(out, type_.shape, strict=True))
        value = builder.emit(OPS["reshape"], (value,), shape=shape) if value.type.shape != shape else value
        return builder.broadcast_to(value, type_.shape)

    pair = [seen(term, value) for term, value in zip((x, y), node.operands, strict=True)]
    strong = node.op.scaled and type_.dtype.kind in "fc"
    builder.emit(OPS["scale" if strong else "multiply"], pair)
    *before, product = builder.nodes
    return [*before, evolve(product, results=node.results)]
