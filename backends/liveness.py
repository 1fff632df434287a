"""Whose memory each value of a graph is in, and until when it is read: what whole-array targets share.

So a result can be written to an array that nothing reads again.  Inputs, constants and what may be a view of something
else are nobody's to write to.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.ir.graph import Constant, Graph, Node, Value
from wengert.ir.ops import OPS

__all__ = ["Liveness", "bare", "exactly", "memory", "sources"]

Row = tuple[Node, Sequence[Value]]


def sources(graph: Graph) -> dict[Value, Value]:
    """What each broadcast value repeats: NumPy broadcasts by itself where an elementwise op reads it.

    So it does for an array that has been given leading axes of size 1.
    """
    found: dict[Value, Value] = {}
    for node in graph.nodes:
        if node.op is OPS["broadcast_to"] or (node.op is OPS["reshape"] and _leads(node)):
            x = node.operands[0]
            found[node.result] = found.get(x, x)
    return found


def _leads(node: Node) -> bool:
    """Whether a reshape adds leading axes of size 1, and does nothing else."""
    given, made = node.operands[0].type.shape, node.result.type.shape
    more = len(made) - len(given)
    return more > 0 and made == (*(1,) * more, *given)


def bare(node: Node, source: dict[Value, Value], *, sized: Callable[[Value], bool]) -> tuple[Value, ...]:
    """The operands of an elementwise node as they were before they were broadcast, as far as NumPy's own broadcasting
    gives the node's shape; ``sized`` are those that take part in it."""
    if source.keys().isdisjoint(node.operands):
        return node.operands
    found = [source.get(v, v) for v in node.operands]
    pending = sorted(range(len(found)), key=lambda k: isinstance(found[k], Constant), reverse=True)
    while pending:
        shapes = [v.type.shape for v in found if sized(v)]
        if shapes and np.broadcast_shapes(*shapes) == node.result.type.shape:
            break
        k = pending.pop()
        found[k] = node.operands[k]
    return tuple(found)


def memory(v: Value) -> Any:
    """What an array must have in common with a value for the value to be written to it."""
    return v.type.shape, v.type.dtype


def exactly(rows: Sequence[Row], exact: Sequence[Value]) -> set[Value]:
    """The floats that these are made of, the signs of their zeros included."""
    found = set(exact)
    for node, reads in reversed(rows):
        if not found.isdisjoint(node.results):
            found.update(reads)
    return {v for v in found if v.type.dtype.kind in "fc"}


class Liveness:
    """``rows`` are the nodes that run, each with what it reads.

    ``shares(node)`` says whether its result is a view of its first operand, or that operand; ``makes(node)`` whether
    its results are new arrays for certain.

    ``root`` is the value whose memory a value is in; ``last`` the last row that reads a root or a view of it, one more
    than the last for outputs; ``fresh`` are the roots that were made here, and may be written to.
    """

    def __init__(
        self, rows: Sequence[Row], outputs: Sequence[Value], shares: Callable[[Node], bool],
        makes: Callable[[Node], bool],
    ) -> None:
        self.root: dict[Value, Value] = {}
        self.last: dict[Value, int] = {}
        self.fresh: set[Value] = set()
        for at, (node, reads) in enumerate(rows):
            for v in reads:
                self.last[self.root.setdefault(v, v)] = at
            if shares(node):
                self.root[node.results[0]] = self.root[reads[0]]
            elif makes(node):
                self.root.update((v, v) for v in node.results)
                self.fresh.update(v for v in node.results if v.type.shape)
            else:  # its results may be views of its operands
                self.root.update((v, v) for v in node.results)
                self.fresh.difference_update(self.root[v] for v in reads)
            for v in node.results:
                self.last[self.root[v]] = max(at, self.last.get(self.root[v], 0))
        for v in outputs:
            self.last[self.root.setdefault(v, v)] = len(rows)

    def whole(self, v: Value, at: int) -> bool:
        """Whether a value is an array of its own that only row ``at`` reads from here on."""
        return v in self.fresh and self.root[v] is v and self.last[v] == at

    def parts(self, rows: Sequence[Row], outputs: Sequence[Value], exact: Sequence[Value]) -> dict[Value, int]:
        """The values put in zeros that one row alone reads, to add them to an array of its own: they can be added in
        place there.  What they are made of is then read in that row.

        A zero that is added makes 0.0 of -0.0, and so do these not: in what ``exact`` is made of, no floats are.
        """
        readers = Counter(v for _, reads in rows for v in reads) + Counter(outputs)
        makers = {v: node for node, _ in rows for v in node.results}
        signed, found = exactly(rows, exact), dict[Value, int]()
        for at, (node, reads) in enumerate(rows):
            for x, y in (reads[::-1], reads) if node.op is OPS["add"] and node.results[0] not in signed else ():
                part = makers.get(y)
                if part is not None and part.op is OPS["place"] and readers[y] == 1 and x not in found and (
                    memory(x) == memory(y) and self.whole(x, at)):
                    found[y] = at
                    root = self.root[part.operands[0]]
                    self.last[root] = max(self.last[root], at)
                    break
        return found

    def own(self, outputs: Sequence[Value]) -> list[bool]:
        """Which outputs are arrays that nothing else holds, counting each array once."""
        taken: set[Value] = set()
        found = []
        for v in outputs:
            found.append(v in self.fresh and self.root[v] is v and v not in taken)
            taken.add(v)
        return found
