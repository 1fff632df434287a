"""What ``explain(f)(*args)`` gives: a program at one point, with every derivative on it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from wengert.ir.errors import DerivativeError
from wengert.tools.explain import picture, sweeps, text
from wengert.tools.explain.names import entry_name
from wengert.tools.explain.paths import PathSum, add_paths, count_paths
from wengert.tools.explain.view import Edge, Node, View

__all__ = ["Explanation", "Table"]

Key: TypeAlias = "str | int | Node"


class Table(Mapping[str, Any]):
    """Something for every node, by the node's name, by the node itself, or by the path of an
    output.
    """

    def __init__(self, explanation: Explanation, at: list[Any]) -> None:
        self._explanation = explanation
        self._at = at

    def __getitem__(self, key: Any) -> Any:
        node, entry = self._explanation.find(key, whole=True)
        at = self._at[node.index]
        return at if entry is None else np.ravel(at)[entry].item()

    def __iter__(self) -> Iterator[str]:
        return (node.name for node in self._explanation.nodes)

    def __len__(self) -> int:
        return len(self._at)

    def __repr__(self) -> str:
        return repr(dict(self))


class Explanation:
    """A program at one point: values, derivatives, both sweeps, and paths.

    A node is named by a string: ``"b"``, ``"W[0,1]"``, ``"c"``, ``"%7"``; also by the path of an
    output (``"out"``, ``"out[1]"``, ``"loss"`` where the function returns a dict with that key).

    Parameters
    ----------
    view : View
    wrt : str, int or Node, optional
        Where the forward sweep starts: a node (an entry of it, ``"X[3,1]"``, for a block), or the
        number of an input; by default the first real number among the arguments.
    output : str, int or Node, optional
        Where the reverse sweep starts: a node, or the number of an output; by default the first
        real number among the results.

    Attributes
    ----------
    nodes : tuple of Node
        Sources before targets.
    edges : tuple of Edge
        With the derivative on each; in the order of their targets.
    links : tuple of (Node, Node)
        What is read without a derivative: a condition by ``where``, a number by ``floor``.
    values : Table
        The value of every node.
    forward : Table
        The derivative of every node in ``wrt``.
    reverse : Table
        The derivative of ``output`` in every node.
    edge_visits : dict of str to tuple of int
        For ``"forward"`` and ``"reverse"``, how often that sweep touched each edge.
    outputs : tuple of str
        The paths of the outputs.
    wrt, output : str
        The names of the two ends.
    limit : int
        Arrays of more entries are blocks.
    """

    def __init__(self, view: View, wrt: Key | None = None, output: Key | None = None) -> None:
        self._view = view
        self.name, self.nodes, self.edges, self.links = (
            view.name,
            view.nodes,
            view.edges,
            view.links,
        )
        self.limit = view.cap
        self.outputs = tuple(path for path, _ in view.outputs)
        self._names = {node.name: node for node in self.nodes}
        start = self._end(wrt, view.inputs, "argument", "wrt")
        end = self._end(output, view.outputs, "result", "output")
        self.wrt, self.output = _name(*start), _name(*end)
        forward = sweeps.forward(self.nodes, self.edges, *start)
        reverse = sweeps.reverse(self.nodes, self.edges, *end)
        self.values = Table(self, [node.value for node in self.nodes])
        self.forward = Table(self, forward.derivatives)
        self.reverse = Table(self, reverse.derivatives)
        self.edge_visits = {"forward": tuple(forward.visits), "reverse": tuple(reverse.visits)}

    # -- finding nodes -------------------------------------------------------------

    def __getitem__(self, key: Key) -> Node:
        """The node of a name."""
        return self.find(key, whole=True)[0]

    def find(self, key: Any, *, whole: bool = False) -> tuple[Node, int | None]:
        """The node that a key names, and which entry of it where it names one entry of a block.

        Raises
        ------
        KeyError
            If there is no such node; or, unless ``whole``, if it is a block of which no entry is
            chosen.
        """
        node, entry = (key, None) if isinstance(key, Node) else self._lookup(key)
        if node.is_block and entry is None and not whole:
            example = entry_name(node.name, node.shape or (), 0)
            message = f"{node.name} is an array of shape {node.shape}; choose one entry of it, such as {example!r}."
            raise KeyError(message)
        return node, entry

    def _lookup(self, key: Any) -> tuple[Node, int | None]:
        if key in self._names:
            return self._names[key], None
        base, index = _entry(str(key))
        shape = self._names[base].shape if base in self._names else None
        if shape is not None and _inside(index, shape):
            return self._names[base], int(np.ravel_multi_index(index, shape))
        if base in self._names and index and not any(index) and not self._names[base].is_block:
            return self._names[base], None  # an array of one entry
        for path, places in self._view.outputs:
            if key == path and places.ndim == 1:
                return self._place(places)
            if base == path and _inside(index, places.shape[:-1]):
                return self._place(places[index])
        names = ", ".join(list(self._names)[:12]) + (", ..." if len(self._names) > 12 else "")
        message = f"There is no node {key!r}; there are {names}, and the outputs {', '.join(self.outputs)}."
        raise KeyError(message)

    def _place(self, place: Any) -> tuple[Node, int | None]:
        node = self.nodes[int(place[0])]
        return node, int(place[1]) if node.is_block else None

    def _end(self, key: Key | None, ends: Any, what: str, keyword: str) -> tuple[Node, int]:
        """Where a sweep starts."""
        if key is None:
            node, entry = self._first(ends, what)
        elif isinstance(key, (int, np.integer)) and not isinstance(key, bool):
            if not 0 <= key < len(ends):
                message = f"{keyword}={key} is out of range: there are {len(ends)} {what}s that are arrays or numbers."
                raise ValueError(message)
            node, entry = self._first(ends[key : int(key) + 1], what)
        else:
            node, entry = self.find(key)
        if not node.moves:
            message = (
                f"{node.name} is {node.value!r}, not a real number, so it has no derivative. "
                "Give it as a float, or "
                f"choose another node with {keyword}=."
            )
            raise DerivativeError(message)
        return node, entry or 0

    def _first(self, ends: Any, what: str) -> tuple[Node, int | None]:
        """The first real number among the arguments or results."""
        places = [p for _, array in ends for p in array.reshape(-1, 2)[: self.limit + 1].tolist()]
        moving = [p for p in places if self.nodes[p[0]].moves]
        depending = [p for p in moving if self.nodes[p[0]].op != "constant"]
        if moving:
            return self._place((depending or moving)[0])
        message = (
            f"No {what} of {self.name} is a real number (a float, or an array of them), so "
            "there is nothing to "
            "differentiate. Convert integers with .astype(float)."
        )
        raise DerivativeError(message)

    # -- paths ---------------------------------------------------------------------

    def paths(self, a: Key | None = None, b: Key | None = None) -> int:
        """How many paths lead from ``a`` to ``b`` (from ``wrt`` to ``output``): an exact integer.

        An edge that carries the derivative 0 is an edge; one between blocks counts once.
        """
        source = self.find(self.wrt if a is None else a, whole=True)[0]
        target = self.find(self.output if b is None else b, whole=True)[0]
        return count_paths(self.nodes, self.edges, source)[target.index]

    def path_sum(self, a: Key | None = None, b: Key | None = None, *, limit: int = 10_000) -> PathSum:
        """The sum over all paths from ``a`` to ``b`` (from ``wrt`` to ``output``), written out.

        Returns
        -------
        PathSum
            ``str`` of it is ``1·2 + 1·3``; ``agrees`` says that it equals the factored sum.

        Raises
        ------
        ValueError
            If there are more than ``limit`` paths, or one leads through a block.
        """
        source, _ = self.find(self.wrt if a is None else a)
        target, _ = self.find(self.output if b is None else b)
        counts = count_paths(self.nodes, self.edges, source)
        if counts[target.index] > limit:
            message = (
                f"There are {counts[target.index]} paths from {source.name} to {target.name}, "
                "more than the limit of "
                f"{limit}; the sweeps add them up without walking each."
            )
            raise ValueError(message)
        factored = sweeps.forward(self.nodes, self.edges, source).derivatives[target.index]
        return add_paths(self.edges, source, target, counts, factored)

    def edges_between(self, a: Key, b: Key) -> tuple[Edge, ...]:
        """The edges from ``a`` straight to ``b``."""
        source, target = self[a], self[b]
        return tuple(edge for edge in self.edges if edge.source is source and edge.target is target)

    def between(self, wrt: Key | None = None, output: Key | None = None) -> Explanation:
        """The same program at the same point, the sweeps between other ends."""
        return Explanation(self._view, self.wrt if wrt is None else wrt, self.output if output is None else output)

    # -- showing -------------------------------------------------------------------

    def text(self, rows: int = 80) -> str:
        """Tables of at most about ``rows`` rows each."""
        return text.describe(self, rows)

    def __str__(self) -> str:
        return self.text()

    __repr__ = __str__

    def dot(self) -> str:
        """The picture in Graphviz' language; needs nothing installed."""
        return picture.explanation_dot(self)

    def svg(self) -> str:
        """The picture; ImportError, naming the extra, without ``pip install wengert[draw]``."""
        return picture.render(self.dot())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the picture to ``name.svg`` or ``name.dot``, or the text to ``name.txt``."""
        write = {".svg": self.svg, ".dot": self.dot, ".txt": self.text}
        suffix = Path(path).suffix
        if suffix not in write:
            message = f"An explanation is saved as one of {', '.join(write)}; got the file name {str(path)!r}."
            raise ValueError(message)
        Path(path).write_text(write[suffix](), encoding="utf-8")

    def _repr_svg_(self) -> str | None:
        return self.svg() if picture.can_render() and len(self.nodes) <= picture.MOST_NODES else None


def _entry(key: str) -> tuple[str, Any]:
    """``W[0,1]`` as ``W`` and ``(0, 1)``; None for the index where there is none."""
    base, _, inside = key.rpartition("[")
    numbers = inside.removesuffix("]").split(",")
    fits = inside.endswith("]") and all(k.strip().isdecimal() for k in numbers)
    return base, tuple(map(int, numbers)) if fits else None


def _inside(index: Any, shape: Any) -> bool:
    """Whether there is an index, and it is that of an entry."""
    if index is None or len(index) != len(shape):
        return False
    return all(0 <= k < n for k, n in zip(index, shape, strict=True))


def _name(node: Node, entry: int) -> str:
    return node.name if node.shape is None else entry_name(node.name, node.shape, entry)
