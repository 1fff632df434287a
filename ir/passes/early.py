"""Sums before products: what is summed along an axis that one factor alone has is summed in that factor.

``sum_i (P[i, j] L[j, k])`` is ``(sum_i P[i, j]) L[j, k]``: a vector times a matrix in place of a matrix times a matrix.
The cotangent of whatever was broadcast before a product (a bias, a mean that is taken away) is such a sum.

No value changes but by the order of sums, as long as the other factor and the result are finite: P of both signs times
an infinity is NaN, and their sum times it is not; and a sum may be too large where products are not.  So the graph that
comes back has one guard more, which says whether it holds.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Iterable

from attrs import evolve

from wengert.ir.build import Builder
from wengert.ir.graph import Graph, Guard, Node, Value
from wengert.ir.kinds import Contraction
from wengert.ir.ops import OPS
from wengert.ir.passes.basic import dead_code

__all__ = ["early_sums"]

#: Products of two numbers from which on it is worth a guard.
LEAST = 1 << 13


def early_sums(graph: Graph) -> Graph | None:
    """The graph with each sum of a product that nobody else reads taken early, and a guard; None where there is none.

    The guard comes last: where it fails, the graph as it was answers.
    """
    producer = {v: node for node in graph.nodes for v in node.results}
    uses = Counter(graph.used_values())

    def read(node: Node) -> Node | None:
        """What makes the operand, if nobody else reads it."""
        (value,) = node.operands
        return producer.get(value) if uses[value] == 1 else None

    nodes: list[Node] = []
    others: dict[Value, None] = {}
    for node in graph.nodes:
        product = read(node) if node.op.name == "sum" else None
        if negative := product is not None and product.op.name == "negative":
            product = read(product)  # type: ignore[arg-type]
        if product is not None and isinstance(product.op, Contraction) and (axes := _axes(product, node)):
            nodes += _early(product, node, axes, negative=negative)
            others.update(dict.fromkeys((*_others(product, axes), node.result)))  # the sums may overflow, too
        else:
            nodes.append(node)
    if not others:
        return None
    b = Builder()
    guard = Guard(_finite(b, others), expected=True)
    return dead_code(graph.evolve(nodes=(*nodes, *b.nodes), guards=(*graph.guards, guard)))


def _finite(b: Builder, values: Iterable[Value]) -> Value:
    """Whether all elements are finite: the sum of x - x is no NaN then."""
    gone = (b.emit(OPS["subtract"], (v, v)) for v in values)
    sums = [b.emit(OPS["sum"], (v,), axes=tuple(range(v.type.ndim))) for v in gone]
    tests = [b.emit(OPS["equal"], (v, v)) for v in sums]
    return functools.reduce(lambda x, y: b.emit(OPS["logical_and"], (x, y)), tests)


def _others(product: Node, axes: tuple[int, ...]) -> list[Value]:
    """The factors that are multiplied by a sum."""
    *terms, out = Contraction.split(product.params["subscripts"])
    return [v for v, term in zip(product.operands, terms, strict=True) if any(out[a] not in term for a in axes)]


def _axes(product: Node, node: Node) -> tuple[int, ...]:
    """The axes of a sum of a product that one factor alone has."""
    x, y, out = Contraction.split(product.params["subscripts"])
    sizes = {letter: n for v, term in zip(product.operands, (x, y), strict=True)
             for letter, n in zip(term, v.type.shape, strict=True)}  # fmt: skip
    if product.result.type.dtype.kind not in "fc" or not math.prod(sizes.values()) >= LEAST:
        return ()
    return tuple(a for a in node.params["axes"] if (out[a] in x) != (out[a] in y))


def _early(product: Node, node: Node, axes: tuple[int, ...], *, negative: bool) -> list[Node]:
    """The product of sums, summed along the other axes."""
    *terms, out = Contraction.split(product.params["subscripts"])
    b, operands, gone = Builder(), list(product.operands), {out[a] for a in axes}
    left = "".join(letter for letter in out if letter not in gone)
    for k, term in enumerate(terms):
        b.location = node.location
        if summed := tuple(a for a, letter in enumerate(term) if letter in gone):
            operands[k] = b.emit(OPS["sum"], (operands[k],), axes=summed)
            terms[k] = "".join(letter for letter in term if letter not in gone)
    b.location = product.location
    value = b.emit(product.op, operands, subscripts=f"{','.join(terms)}->{left}")
    b.location = node.location
    if rest := tuple(left.index(out[a]) for a in node.params["axes"] if a not in axes):
        value = b.emit(OPS["sum"], (value,), axes=rest)
    if negative:
        b.emit(OPS["negative"], (value,))
    *before, last = b.nodes
    return [*before, evolve(last, results=node.results)]
