"""The two sweeps.  Each adds up, over all paths, products of the derivatives along them, in one
pass over the edges.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from attrs import frozen

from wengert.tools.explain.view import Edge, Node

__all__ = ["Sweep", "forward", "reverse"]


@frozen
class Sweep:
    """Attributes
    ----------
    derivatives : list
        One per node.
    visits : list of int
        One per edge: how often the sweep touched it, counted while sweeping.
    """

    derivatives: list[Any]
    visits: list[int]


def forward(nodes: Sequence[Node], edges: Sequence[Edge], node: Node, entry: int = 0) -> Sweep:
    """The derivative of every node in one entry of ``node``, from the inputs on."""
    sweep = Sweep(_seed(nodes, node, entry), [0] * len(edges))
    at = sweep.derivatives
    for i, edge in enumerate(edges):
        sweep.visits[i] += 1
        at[edge.target.index] = at[edge.target.index] + edge.push(at[edge.source.index])
    return sweep


def reverse(nodes: Sequence[Node], edges: Sequence[Edge], node: Node, entry: int = 0) -> Sweep:
    """The derivative of one entry of ``node`` in every node, from the output back."""
    sweep = Sweep(_seed(nodes, node, entry), [0] * len(edges))
    at = sweep.derivatives
    for i in reversed(range(len(edges))):
        sweep.visits[i] += 1
        edge = edges[i]
        at[edge.source.index] = at[edge.source.index] + edge.pull(at[edge.target.index])
    return sweep


def _seed(nodes: Sequence[Node], node: Node, entry: int) -> list[Any]:
    """0 everywhere, and 1 at one entry."""
    at: list[Any] = [np.zeros(n.shape) if n.shape is not None else 0.0 for n in nodes]
    if node.shape is None:
        at[node.index] = 1.0
    else:
        at[node.index].flat[entry] = 1.0
    return at
