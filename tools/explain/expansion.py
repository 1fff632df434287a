"""From a program and its arguments to nodes and edges: small arrays taken apart, large ones as
blocks.

Every entry of every array has an id: which node it is shown in, and where there.  What only renames
(casts, broadcasts, reshapes, slices, ...) hands the ids on, so it is not seen, and edges run
straight through it; 0 is the id of whatever is known without the arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.backends import protocol
from wengert.ir import graph as ir
from wengert.ir.errors import DerivativeError
from wengert.ir.types import is_inexact
from wengert.tools.explain import local
from wengert.tools.explain.names import entry_name, node_names, operation, result_paths, written
from wengert.tools.explain.numbers import number
from wengert.tools.explain.view import Block, Edge, Node, View

__all__ = ["TOTAL", "expand"]

#: Arrays are taken apart into this many scalars for each entry that one of them may have; above
#: it, fewer are.
TOTAL = 16
#: So many operands of one entry are written out.
FEW = 6


def expand(graph: ir.Graph, inputs: Sequence[np.ndarray], names: Sequence[str], limit: int) -> View:
    """The view of a graph without calls.

    Parameters
    ----------
    graph : Graph
    inputs : sequence of numpy.ndarray
    names : sequence of str
        One per input.
    limit : int
        Arrays with more entries are blocks.
    """
    _refuse_complex(graph)
    graph = local.one_result_each(graph)
    work = _Expansion(graph, inputs, names, limit)
    for node in graph.nodes:
        work.add(node)
    outputs = tuple((path, work.places(v, path)) for path, v in zip(result_paths(graph), graph.outputs, strict=True))
    places = tuple((name, work.places(v, name)) for name, v in zip(names, graph.inputs, strict=True))
    return View(
        graph.name,
        tuple(work.nodes),
        tuple(work.edges),
        tuple(work.links),
        places,
        outputs,
        work.cap,
    )


def _refuse_complex(graph: ir.Graph) -> None:
    for value in (*graph.inputs, *graph.used_values()):
        if value.type.dtype.kind == "c":
            message = (
                f"{graph.name} computes with complex numbers, and a picture shows one real number on each edge; "
                "explain the function of real and imaginary parts as separate real arrays."
            )
            raise DerivativeError(message)


def _cap(sizes: Sequence[int], limit: int) -> int:
    """The most entries of an array that is taken apart: ``limit``, or less where that makes too
    many nodes.
    """
    cap = limit
    while cap > 1 and sum(n for n in sizes if n <= cap) > TOTAL * limit:
        cap //= 2
    return max(cap, 1)


def _ids(nodes: Any, entries: Any) -> np.ndarray:
    return np.asarray((nodes + 1) << 32 | entries, np.int64)


def _nodes_of(ids: Any) -> tuple[np.ndarray, np.ndarray]:
    """For each id the index of its node, and its place there."""
    return (ids >> 32) - 1, ids & 0xFFFFFFFF


class _Expansion:
    """The nodes and edges so far, and the ids of every value's entries."""

    def __init__(self, graph: ir.Graph, inputs: Sequence[np.ndarray], names: Sequence[str], limit: int) -> None:
        self.nodes: list[Node] = []
        self.edges: list[Edge] = []
        self.links: list[tuple[Node, Node]] = []
        results = [node.result for node in graph.nodes]
        run = protocol.get("numpy").compile(graph.evolve(outputs=tuple(results), guards=()))
        self.arrays: dict[ir.Value, Any] = dict(zip(graph.inputs, inputs, strict=True))
        self.arrays.update(zip(results, run(inputs), strict=True))
        self.ids: dict[ir.Value, np.ndarray] = {}
        own = [node.result for node in graph.nodes if not local.is_rename(node)]
        self.names = node_names(graph, names, own)
        self.cap = _cap([v.type.size for v in (*graph.inputs, *own)], limit)
        for value, name in zip(graph.inputs, names, strict=True):
            self._own(value, name, "input", None, lambda i: "")

    # -- values --------------------------------------------------------------------

    def array(self, value: ir.Value) -> np.ndarray:
        """What a value is."""
        if isinstance(value, ir.Constant):
            return value.array
        return np.asarray(self.arrays[value])

    def of(self, value: ir.Value) -> np.ndarray:
        """The ids of a value's entries."""
        if value not in self.ids:  # a constant
            self.ids[value] = np.zeros(value.type.shape, np.int64)
        return self.ids[value]

    def _own(
        self,
        value: ir.Value,
        name: str,
        op: str,
        location: Any,
        expression: Callable[[int | None], str],
    ) -> None:
        """New ids, and the node or nodes they belong to."""
        array, shape, first = self.array(value), value.type.shape, len(self.nodes)
        moves, every = is_inexact(value.type.dtype), np.arange(value.type.size)

        def show(called: str, i: int | None, number_: Any, block: tuple[int, ...] | None) -> None:
            at, words = len(self.nodes), expression(i)
            self.nodes.append(Node(at, called, op, words, number_, block, moves, location, name))

        if array.size > self.cap:
            show(name, None, array, shape)
            ids = _ids(first, every)
        else:
            for i, number_ in enumerate(array.ravel().tolist()):
                index = shape if op == "input" or array.size > 1 else ()
                show(entry_name(name, index, i), i, number_, None)
            ids = _ids(first + every, 0)
        self.ids[value] = ids.reshape(shape)

    def places(self, value: ir.Value, path: str) -> np.ndarray:
        """For each entry, the index of its node and its place there; a constant gets a node now."""
        ids = self.of(value)
        if not ids.all():
            ids = ids.copy()
            ids[ids == 0] = self._known(value, np.flatnonzero(ids.ravel() == 0), path)
        return np.stack(_nodes_of(ids), axis=-1)

    def _known(self, value: ir.Value, where: np.ndarray, path: str) -> np.ndarray:
        """New ids for the entries of a result that are constants."""
        array, shape, first = self.array(value), value.type.shape, len(self.nodes)
        moves, path = is_inexact(value.type.dtype), self._unused(path)

        def show(called: str, number_: Any, block: tuple[int, ...] | None) -> None:
            at = len(self.nodes)
            node = Node(at, called, "constant", "constant", number_, block, moves, None, path)
            self.nodes.append(node)

        if len(where) > self.cap:
            show(path, array.ravel()[where], (len(where),))
            return _ids(first, np.arange(len(where)))
        for i, number_ in zip(where.tolist(), array.ravel()[where].tolist(), strict=True):
            show(entry_name(path, shape, i), number_, None)
        return _ids(first + np.arange(len(where)), 0)

    def _unused(self, name: str) -> str:
        taken = {node.group for node in self.nodes}
        while name in taken:
            name += "'"
        return name

    # -- nodes ---------------------------------------------------------------------

    def add(self, node: ir.Node) -> None:
        """One node of the program, its operands known."""
        ids = [self.of(v) for v in node.operands]
        arrays = [self.array(v) for v in node.operands]
        if not any(i.any() for i in ids):
            self.ids[node.result] = np.zeros(node.result.type.shape, np.int64)
        elif local.is_rename(node):
            self.ids[node.result] = local.renamed(node, ids, arrays)
        elif node.result.type.size:
            self._compute(node, arrays)
        else:
            self.ids[node.result] = np.zeros(node.result.type.shape, np.int64)

    def _compute(self, node: ir.Node, arrays: Sequence[np.ndarray]) -> None:
        entries = local.pattern(node, arrays)
        expression = self._expressions(node, entries)
        self._own(node.result, self.names[node.result], node.op.name, node.location, expression)
        first = len(self.edges)
        for k, operand in enumerate(node.operands):
            rows, cols = entries[k]
            if not self.of(operand).any():
                continue
            if local.flows(node, k):
                self._join(node.result, operand, rows, cols, local.slopes(node, k, arrays, entries))
            else:
                self._link(node.result, operand, rows, cols)
        self.edges[first:] = sorted(self.edges[first:], key=lambda edge: edge.target.index)

    def _ends(self, target: ir.Value, operand: ir.Value, rows: Any, cols: Any) -> tuple[np.ndarray, ...]:
        """For each entry of a pattern: target node and entry, source node and entry, and which
        entries have both.
        """
        sources = self.of(operand).ravel()[cols]
        known = sources > 0
        targets = self.of(target).ravel()[rows[known]]
        return (*_nodes_of(targets), *_nodes_of(sources[known]), known)

    def _link(self, target: ir.Value, operand: ir.Value, rows: Any, cols: Any) -> None:
        t, _, s, _, _ = self._ends(target, operand, rows, cols)
        pairs = dict.fromkeys(zip(s.tolist(), t.tolist(), strict=True))
        self.links.extend((self.nodes[i], self.nodes[j]) for i, j in pairs)

    def _join(self, target: ir.Value, operand: ir.Value, rows: Any, cols: Any, slopes: Any) -> None:
        """The edges from the entries of one operand."""
        t, row, s, col, known = self._ends(target, operand, rows, cols)
        slopes = np.asarray(slopes, float)[known]
        moving = self._flags(s, lambda node: node.moves)
        if not moving.all():  # an integer that was cast: no derivative
            self._link(target, operand, rows[known][~moving], cols[known][~moving])
            t, row, s, col, slopes = (a[moving] for a in (t, row, s, col, slopes))
        single = ~(self._flags(t, lambda node: node.is_block) | self._flags(s, lambda node: node.is_block))
        for i, j, d in zip(s[single].tolist(), t[single].tolist(), slopes[single].tolist(), strict=True):
            self.edges.append(Edge(self.nodes[i], self.nodes[j], d))
        self._join_blocks(*(a[~single] for a in (t, row, s, col, slopes)))

    def _flags(self, indices: np.ndarray, holds: Callable[[Node], bool]) -> np.ndarray:
        found, inverse = np.unique(indices, return_inverse=True)
        return np.asarray([holds(self.nodes[i]) for i in found.tolist()], bool)[inverse.ravel()]

    def _join_blocks(self, t: Any, row: Any, s: Any, col: Any, slopes: Any) -> None:
        """One edge for each pair of nodes of which one is a block."""
        order = np.lexsort((s, t))
        t, row, s, col, slopes = (a[order] for a in (t, row, s, col, slopes))
        ends = np.flatnonzero((np.diff(t) != 0) | (np.diff(s) != 0)) + 1
        for here in np.split(np.arange(len(t)), ends) if len(t) else ():
            source, target = self.nodes[s[here[0]]], self.nodes[t[here[0]]]
            block = _block((target.size, source.size), row[here], col[here], slopes[here])
            self.edges.append(Edge(source, target, block))

    # -- words ---------------------------------------------------------------------

    def _expressions(self, node: ir.Node, entries: Sequence[local.Pattern]) -> Callable[[int | None], str]:
        """What the node computes, whole (None) or in its entry i."""

        def expression(i: int | None) -> str:
            if i is None:
                return operation(node, [self._label(v) for v in node.operands])
            lists = zip(node.operands, entries, strict=True)
            reads = [(v, cols[rows == i]) for v, (rows, cols) in lists]
            most = max(len(cols) for _, cols in reads)
            kept = range(most) if most <= FEW else (*range(3), -1)
            arguments = [[self._entry(v, cols[j]) for j in kept if j < len(cols)] for v, cols in reads]
            return written(node, arguments, cut=most > FEW)

        return expression

    def _entry(self, value: ir.Value, i: int) -> str:
        """One entry of an operand: a node's name or a number."""
        id_ = self.of(value).ravel()[i]
        if id_ == 0:
            return number(self.array(value).ravel()[i])
        found, entry = _nodes_of(id_)
        node = self.nodes[int(found)]
        return node.name if node.shape is None else entry_name(node.name, node.shape, int(entry))

    def _label(self, value: ir.Value) -> str:
        """A whole operand in a few words."""
        ids = self.of(value)
        if not ids.any():
            array = self.array(value)
            same = array.size and (array == array.flat[0]).all()
            return number(array.flat[0]) if same else f"constant{list(array.shape)}"
        found, _ = _nodes_of(ids[ids > 0])
        groups = list(dict.fromkeys(self.nodes[i].group for i in np.unique(found).tolist()))
        more = len(groups) > 3 or not ids.all()
        return "&".join([*groups[:3], "…"] if more else groups)


def _block(shape: tuple[int, int], rows: Any, cols: Any, slopes: Any) -> Block:
    """A Jacobian from entries of which several may stand at one place."""
    at, inverse = np.unique(rows * shape[1] + cols, return_inverse=True)
    entries = np.bincount(inverse.ravel(), weights=slopes, minlength=len(at))
    keep = entries != 0
    return Block(shape, (at // shape[1])[keep], (at % shape[1])[keep], entries[keep])
