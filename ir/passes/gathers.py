"""Gathers for scatters: what was taken at known indices, no two alike, goes back to them, and of that parts are read.

Each part is taken from what is scattered.  A zero to which it would have been added makes 0.0 of -0.0, so this is for
derivatives alone.  Where axes are exchanged before or after, so are those of the indices instead.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.ir.build import Builder
from wengert.ir.graph import Constant, Graph, Node, Value
from wengert.ir.ops import OPS
from wengert.ir.passes.rewriting import rewritten

__all__ = ["gathered_parts"]


def gathered_parts(graph: Graph) -> Graph:
    """The graph of a derivative with parts of scatters to known places as gathers; dead code is left in it."""
    known = any(n.op.name in ("take", "scatter_add") and isinstance(n.operands[1], Constant) for n in graph.nodes)
    return rewritten(graph, _Gathering()) if known else graph


class _Gathering:
    def __init__(self) -> None:
        self.scatters: dict[Value, Node] = {}
        self.places: dict[Value, Any] = {}
        self.turned: dict[Value, Node] = {}
        self.taken: dict[Value, Node] = {}

    def __call__(self, b: Builder, node: Node, operands: tuple[Value, ...]) -> tuple[Value, ...]:
        if node.op is OPS["slice"] and (part := self.part(b, operands[0], node.params)) is not None:
            return (part,)
        if node.op is OPS["transpose"] and operands[0] in self.taken:
            x, indices = self.taken[operands[0]].operands
            turned = indices.array.transpose(node.params["axes"])  # type: ignore[attr-defined]
            return (b.emit(OPS["take"], (x, b.constant(turned)), axis=0),)
        results = b.keep(node, operands)
        known = len(operands) > 1 and isinstance(operands[1], Constant)
        if node.op is OPS["transpose"]:
            self.turned[results[0]] = b.nodes[-1]
        elif node.op is OPS["scatter_add"] and node.result.type.ndim == 1 and known:
            self.scatters[results[0]] = b.nodes[-1]
        elif node.op is OPS["take"] and operands[0].type.ndim == 1 and known:
            self.taken[results[0]] = b.nodes[-1]
        return results  # type: ignore[no-any-return]

    def part(self, b: Builder, x: Value, params: dict[str, Any]) -> Value | None:
        """A part of what is scattered, each of whose places is filled once."""
        if x not in self.scatters:
            return None
        updates, indices = self.scatters[x].operands
        if x not in self.places:
            self.places[x] = _places(indices.array, x.type.shape[0])  # type: ignore[attr-defined]
        (start,), (size,), (step,) = params["start"], params["size"], params["step"]
        here = self.places[x][start + step * np.arange(size)]
        if (here < 0).any():
            return None
        if updates in self.turned:
            (before,), axes = self.turned[updates].operands, self.turned[updates].params["axes"]
            here = np.arange(before.type.size).reshape(before.type.shape).transpose(axes).ravel()[here]
            updates = before
        flat = b.emit(OPS["reshape"], (updates,), shape=(updates.type.size,))
        return b.emit(OPS["take"], (flat, b.constant(here)), axis=0)


def _places(indices: Any, size: int) -> Any:
    """Where what lies at each place comes from, -1 where there is nothing, or several numbers are added."""
    flat, found = indices.ravel(), np.full(size, -1, np.int64)
    if flat.size and flat.min() >= 0 and flat.max() < size:
        found[flat] = np.arange(flat.size)
        found[flat[found[flat] != np.arange(flat.size)]] = -1
    return found
