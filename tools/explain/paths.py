"""Paths: how many there are, and for few of them the sum over all, written out."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence

from attrs import field, frozen

from wengert.tools.explain.numbers import number
from wengert.tools.explain.view import Edge, Node, scaled

__all__ = ["PathSum", "add_paths", "count_paths"]


def count_paths(nodes: Sequence[Node], edges: Sequence[Edge], source: Node) -> list[int]:
    """How many paths lead from ``source`` to each node: exact, in one pass over the edges."""
    counts = [0] * len(nodes)
    counts[source.index] = 1
    for edge in edges:
        counts[edge.target.index] += counts[edge.source.index]
    return counts


@frozen
class PathSum:
    """The sum over all paths between two nodes, and the same sum factored.

    Attributes
    ----------
    terms : tuple of tuple of float
        For each path, the derivatives along it.
    total : float
        The sum of their products.
    factored : float
        What the forward sweep finds.
    """

    terms: tuple[tuple[float, ...], ...] = field(repr=False)
    total: float
    factored: float

    @property
    def count(self) -> int:
        """The number of paths."""
        return len(self.terms)

    @property
    def agrees(self) -> bool:
        """Whether the two are equal, up to rounding."""
        if math.isnan(self.total) or math.isnan(self.factored):
            return math.isnan(self.total) and math.isnan(self.factored)
        scale = sum(abs(_product(term)) for term in self.terms)
        slack = 1e-9 * scale if math.isfinite(scale) else 0.0
        return math.isclose(self.total, self.factored, rel_tol=1e-9, abs_tol=slack)

    def __str__(self) -> str:
        """``1·2 + 1·3``."""
        return " + ".join(_written(term) for term in self.terms) or "0"


def _written(term: tuple[float, ...]) -> str:
    """A product; 1 for the path without edges."""
    return "·".join(f"({number(d)})" if d < 0 else number(d) for d in term) or "1"


def _product(term: tuple[float, ...]) -> float:
    return functools.reduce(scaled, term, 1.0)


def add_paths(edges: Sequence[Edge], source: Node, target: Node, counts: Sequence[int], factored: float) -> PathSum:
    """Walk every path from ``source`` to ``target``, without the factoring that makes the sweeps
    fast.
    """
    terms = tuple(sorted_paths(edges, source, target, counts))
    products = [_product(term) for term in terms]
    finite = all(map(math.isfinite, products))
    return PathSum(terms, math.fsum(products) if finite else sum(products), factored)


def sorted_paths(
    edges: Sequence[Edge], source: Node, target: Node, counts: Sequence[int]
) -> Iterator[tuple[float, ...]]:
    """The derivatives along each path, paths in the order of their edges.

    Walked backwards, and only through nodes that ``source`` leads to.
    """
    into: dict[int, list[Edge]] = {}
    for edge in edges:
        if counts[edge.source.index]:
            into.setdefault(edge.target.index, []).append(edge)
    stack: list[tuple[Node, tuple[float, ...]]] = [(target, ())]
    while stack:
        node, tail = stack.pop()
        if node is source:
            yield tail
            continue
        for edge in reversed(into.get(node.index, ())):
            if not isinstance(edge.derivative, float):
                message = "Paths through a block are counted, not written out; raise the limit to expand the arrays."
                raise ValueError(message)  # noqa: TRY004 (the limit is to blame)
            stack.append((edge.source, (edge.derivative, *tail)))
