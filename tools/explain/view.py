"""What is shown: nodes, and the edges between them, each with a derivative."""

from __future__ import annotations

from typing import Any

import numpy as np
from attrs import field, frozen

from wengert.ir.graph import Location

__all__ = ["Block", "Edge", "Node", "View", "scaled"]


def scaled(p: float, t: float) -> float:
    """``p t``, and 0 where either is exactly 0: nothing flows along an edge that has none."""
    return 0.0 if p == 0 or t == 0 else p * t


@frozen(eq=False)
class Node:
    """A scalar of the program, or a whole array that is shown as one block.

    Attributes
    ----------
    index : int
        Its place in ``Explanation.nodes``.
    name : str
        ``b``, ``W[0,1]``, ``c``: unique.
    op : str
        ``input``, ``constant`` or the name of an op.
    expression : str
        What it is computed from: ``a + b``.
    value : float, int, bool or numpy.ndarray
    shape : tuple of int or None
        None for a scalar, the array's shape for a block.
    moves : bool
        Whether it can have a derivative: False for bools and integers.
    location : Location or None
        The line of the user's program.
    """

    index: int
    name: str
    op: str
    expression: str
    value: Any = field(repr=False)
    shape: tuple[int, ...] | None
    moves: bool
    location: Location | None = None
    group: str = field(default="", repr=False)

    @property
    def is_block(self) -> bool:
        """Whether it stands for a whole array."""
        return self.shape is not None

    @property
    def size(self) -> int:
        """How many numbers it stands for."""
        return int(np.size(self.value))


@frozen(eq=False)
class Block:
    """A Jacobian between two nodes of which one at least is a block: sparse, in flat entries.

    Attributes
    ----------
    shape : tuple of int
        Entries of the target, entries of the source.
    rows, cols, entries : numpy.ndarray
        Where the entries that can be other than 0 stand, each place once, and what they are.
    """

    shape: tuple[int, int]
    rows: np.ndarray = field(repr=False)
    cols: np.ndarray = field(repr=False)
    entries: np.ndarray = field(repr=False)

    @property
    def norm(self) -> float:
        """The Frobenius norm."""
        return float(np.linalg.norm(self.entries))

    def push(self, tangent: np.ndarray) -> np.ndarray:
        """The Jacobian times a flat tangent."""
        return self._times(self.rows, tangent[self.cols], self.shape[0])

    def pull(self, cotangent: np.ndarray) -> np.ndarray:
        """A flat cotangent times the Jacobian."""
        return self._times(self.cols, cotangent[self.rows], self.shape[1])

    def _times(self, places: np.ndarray, along: np.ndarray, n: int) -> np.ndarray:
        with np.errstate(all="ignore"):
            terms = np.where((self.entries == 0) | (along == 0), 0.0, self.entries * along)
            return np.bincount(places, weights=terms, minlength=n)

    def toarray(self) -> np.ndarray:
        """The Jacobian, dense."""
        dense = np.zeros(self.shape)
        dense[self.rows, self.cols] = self.entries
        return dense


@frozen(eq=False)
class Edge:
    """One way in which a node depends on another.

    Attributes
    ----------
    source, target : Node
    derivative : float or Block
        Of the target in the source, along this edge alone; two nodes may be joined by several.
    """

    source: Node
    target: Node
    derivative: float | Block

    def push(self, tangent: Any) -> Any:
        """What this edge adds to the target's derivative."""
        if not isinstance(self.derivative, Block):
            return scaled(self.derivative, tangent)
        return _own(self.derivative.push(np.ravel(tangent)), self.target)

    def pull(self, cotangent: Any) -> Any:
        """What this edge adds to the derivative in the source."""
        if not isinstance(self.derivative, Block):
            return scaled(self.derivative, cotangent)
        return _own(self.derivative.pull(np.ravel(cotangent)), self.source)


def _own(flat: np.ndarray, node: Node) -> Any:
    return float(flat[0]) if node.shape is None else flat.reshape(node.shape)


@frozen(eq=False)
class View:
    """A program at one point.  Edges stand in the order of their targets, sources before targets.

    ``links`` are pairs (source, target) read without a derivative; ``inputs`` and ``outputs``
    hold, for each flat input and output, its path and where its entries are: pairs (node, entry).
    """

    name: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    links: tuple[tuple[Node, Node], ...]
    inputs: tuple[tuple[str, Any], ...]
    outputs: tuple[tuple[str, Any], ...]
    cap: int
