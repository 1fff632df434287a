"""What comes about in sweeps back, and can be had for less: sums of products, and scatters to known places.

What was broadcast on the way there is summed on the way back, often right behind a product: the sum is taken first, of
one operand.  What was taken at known indices, no two alike, is scattered back to them, and of that parts are read: each
is a gather.  The first changes the order of sums, and both the sign of a zero; so they are for derivatives alone.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from wengert.ir.build import Builder
from wengert.ir.graph import Constant, Graph, Node, Value
from wengert.ir.kinds import Contraction
from wengert.ir.ops import OPS
from wengert.ir.passes.rewriting import rewritten

__all__ = ["leaner_adjoints"]


def leaner_adjoints(graph: Graph) -> Graph:
    """The graph of a derivative with sums before products and gathers for scatters; dead code is left in it."""
    return rewritten(graph, _Leaner(graph))


class _Leaner:
    def __init__(self, graph: Graph) -> None:
        self.uses = Counter(graph.used_values())
        self.read: dict[Value, int] = {}  # of the values made here, how often what they stand for was read
        self.maker: dict[Value, Node] = {}
        self.places: dict[Value, Any] = {}

    def __call__(self, b: Builder, node: Node, operands: tuple[Value, ...]) -> tuple[Value, ...] | None:
        found = None
        if node.op is OPS["sum"] and node.result.type.dtype.kind in "fc":
            found = self.sum(b, operands[0], node.params["axes"])
        elif node.op is OPS["slice"] and operands[0].type.ndim == 1:
            found = self.part(b, operands[0], node.params)
        if found is not None:
            return (found,)
        results = b.keep(node, operands)
        for old, new in zip(node.results, results, strict=True):
            self.maker[new], self.read[new] = b.nodes[-1], self.uses[old]
        return results  # type: ignore[no-any-return]

    def sum(self, b: Builder, x: Value, axes: tuple[int, ...]) -> Value | None:
        """The sum of a product over axes that only one of its operands has: of that operand, before."""
        node = self.maker.get(x)
        if node is None or self.read[x] != 1:
            return None
        if node.op is OPS["negative"]:
            inner = self.sum(b, node.operands[0], axes)
            return None if inner is None else b.emit(OPS["negative"], (inner,))
        if node.op is not OPS["einsum"]:
            return None
        *terms, out = Contraction.split(node.params["subscripts"])
        gone = {out[a] for a in axes}
        alone = [gone - set(terms[1 - k]) for k in (0, 1)]
        if not gone or alone[0] | alone[1] != gone:
            return None
        operands = []
        for v, term, letters in zip(node.operands, terms, alone, strict=True):
            over = tuple(term.index(c) for c in sorted(letters, key=term.index))
            operands.append(b.emit(OPS["sum"], (v,), axes=over) if over else v)
        left = ["".join(c for c in term if c not in gone) for term in (*terms, out)]
        return b.emit(OPS["einsum"], tuple(operands), subscripts=f"{left[0]},{left[1]}->{left[2]}")

    def part(self, b: Builder, x: Value, params: dict[str, Any]) -> Value | None:
        """A part of what is scattered, each of whose places is filled once."""
        node = self.maker.get(x)
        if node is None or node.op is not OPS["scatter_add"] or not isinstance(node.operands[1], Constant):
            return None
        if x not in self.places:
            self.places[x] = _places(node.operands[1].array, x.type.shape[0])
        if self.places[x] is None:
            return None
        (start,), (size,), (step,) = params["start"], params["size"], params["step"]
        here = self.places[x][start + step * np.arange(size)]
        if (here < 0).any():
            return None
        updates = node.operands[0]
        flat = b.emit(OPS["reshape"], (updates,), shape=(updates.type.size,))
        return b.emit(OPS["take"], (flat, b.constant(here)), axis=0)


def _places(indices: Any, size: int) -> Any:
    """Where what lies at each place comes from, -1 where there is nothing; None where something is added."""
    flat = indices.ravel()
    if flat.size and not (flat.min() >= 0 and flat.max() < size):
        return None
    found = np.full(size, -1, np.int64)
    found[flat] = np.arange(flat.size)
    return found if np.array_equal(found[flat], np.arange(flat.size)) else None
