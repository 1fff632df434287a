"""Shape changes merged, and elementwise work done before it is broadcast: the same numbers, fewer of them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from wengert.ir import kinds
from wengert.ir.build import Builder
from wengert.ir.graph import Graph, Node, Value
from wengert.ir.ops import OPS
from wengert.ir.passes.rewriting import rewritten

__all__ = ["merge_shapes"]


#: What the rules look for above a node.
_SOURCES = ("broadcast_to", "place", "reshape", "transpose")


class _Rewriter:
    """Rules, and the ``maker`` of a new value: the node that gives it, if it is one that rules look for."""

    def __init__(self) -> None:
        self.builder = Builder()
        self.maker: dict[Value, Node] = {}

    def __call__(self, builder: Builder, node: Node, operands: tuple[Value, ...]) -> tuple[Value, ...]:
        self.builder = builder
        rule = _RULES.get(node.op.name) or (_early if isinstance(node.op, kinds.Elementwise) else None)
        result = rule(self, node, operands) if rule is not None else None
        if result is not None:
            return (result,)
        results = builder.keep(node, operands)
        if node.op.name in _SOURCES:
            self.maker[results[0]] = builder.nodes[-1]
        return results

    def emit(self, op: kinds.Op, operands: tuple[Value, ...], **params: object) -> Value:
        value = self.builder.emit(op, operands, **params)
        if op.name in _SOURCES:
            self.maker[value] = self.builder.nodes[-1]
        return value

    def source(self, value: Value, op: kinds.Op) -> Value:
        """What ``value`` was before nodes of ``op`` made it, or itself."""
        node = self.maker.get(value)
        return value if node is None or node.op is not op else node.operands[0]


def merge_shapes(graph: Graph) -> Graph:
    """A reshape of a reshape, a transpose of a transpose and a broadcast of a broadcast are one; one that changes
    nothing is none; an elementwise op on broadcast operands is done once and then broadcast."""
    return rewritten(graph, _Rewriter())


def _reshape(rewriter: _Rewriter, node: Node, operands: tuple[Value, ...]) -> Value | None:
    x = rewriter.source(operands[0], node.op)
    if x.type.shape == node.params["shape"] and x.type == node.result.type:
        return x
    return None if x is operands[0] else rewriter.emit(node.op, (x,), **node.params)


def _transpose(rewriter: _Rewriter, node: Node, operands: tuple[Value, ...]) -> Value | None:
    axes, inner = node.params["axes"], rewriter.maker.get(operands[0])
    x = operands[0]
    if inner is not None and inner.op is node.op:
        x, axes = inner.operands[0], tuple(inner.params["axes"][a] for a in axes)
    if axes == tuple(range(len(axes))):
        return x
    return None if x is operands[0] else rewriter.emit(node.op, (x,), axes=axes)


def _broadcast(rewriter: _Rewriter, node: Node, operands: tuple[Value, ...]) -> Value | None:
    x = rewriter.source(operands[0], node.op)
    return None if x is operands[0] else rewriter.emit(node.op, (x,), **node.params)


def _add(rewriter: _Rewriter, node: Node, operands: tuple[Value, ...]) -> Value | None:
    """Two arrays put at one place in zeros are added first."""
    x, y = (rewriter.maker.get(v) for v in operands)
    place = OPS["place"]
    if x is None or y is None or not (x.op is y.op is place) or x.params != y.params or (
        x.operands[0].type != y.operands[0].type):
        return _early(rewriter, node, operands)
    inner = rewriter.emit(node.op, (x.operands[0], y.operands[0]))
    return rewriter.emit(place, (inner,), **x.params)


_RULES: dict[str, Callable[[_Rewriter, Node, tuple[Value, ...]], Value | None]] = {
    "add": _add,
    "reshape": _reshape,
    "transpose": _transpose,
    "broadcast_to": _broadcast,
}


def _early(rewriter: _Rewriter, node: Node, operands: tuple[Value, ...]) -> Value | None:
    """The op on what its operands were before they were broadcast, where that is less work."""
    op, full = OPS["broadcast_to"], node.result.type.shape
    sources: tuple[Value, ...] = ()
    for v in operands:
        if (source := rewriter.source(v, op)) is v:
            return None
        sources += (source,)
    small = np.broadcast_shapes(*(v.type.shape for v in sources))
    if math.prod(small) >= math.prod(full):
        return None
    ready = tuple(v if v.type.shape == small else rewriter.emit(op, (v,), shape=small) for v in sources)
    return rewriter.emit(op, (rewriter.emit(node.op, ready, **node.params),), shape=full)
