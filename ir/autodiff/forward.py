"""Forward mode, graph to graph: each node is followed by its jvp.

A tangent is a Value, or None where nothing flows: no partial is computed for an operand without one.
Tangents are never weak.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.ir import kinds
from wengert.ir.build import Builder, Namespace
from wengert.ir.graph import Graph, Node, Renamed, Value
from wengert.ir.ops import OPS
from wengert.ir.types import ArrayType, cotangent_type, is_inexact

__all__ = ["Tangent", "along", "push"]

Tangent = Value | None


#: What a control node and its tangents become: (xp, node, operands, tangents) to results and their tangents.
Nested = Callable[[Namespace, Node, Sequence[Value], Sequence[Tangent]], tuple[Sequence[Value], Sequence[Tangent]]]


def push(
    builder: Builder, graph: Graph, operands: Sequence[Value], tangents: Sequence[Tangent], control: Nested
) -> tuple[list[Value], list[Tangent]]:
    """Emit the graph and, beside each node, the tangents of its results; ``control`` does so for control nodes.

    Returns the values of the outputs and their tangents.
    """
    env = Renamed(builder.adopt, zip(graph.inputs, operands, strict=True))
    dual = {v: t for v, t in zip(graph.inputs, tangents, strict=True) if t is not None}
    xp = Namespace(builder)
    for node in graph.nodes:
        builder.location = node.location
        here = tuple(env[v] for v in node.operands)
        moving = tuple(dual.get(v) for v in node.operands)
        if isinstance(node.op, kinds.Control) and any(t is not None for t in moving):
            made, ends = control(xp, node, here, moving)
            env.update(zip(node.results, made, strict=True))
            dual.update((v, t) for v, t in zip(node.results, ends, strict=True) if t is not None)
            continue
        results = builder.again(node, here)
        env.update(zip(node.results, results, strict=True))
        if any(t is not None for t in moving) and any(is_inexact(v.type.dtype) for v in results):
            copy = Node(node.op, here, node.params, results, node.location)
            moved = RULES[type(node.op)](xp, copy, moving)
            pairs = zip(node.results, moved if isinstance(moved, tuple) else (moved,), strict=True)
            dual.update((v, t) for v, t in pairs if t is not None)
    for guard in graph.guards:
        builder.guard(env[guard.value], guard.expected, guard.location)
    return [env[v] for v in graph.outputs], [dual.get(v) for v in graph.outputs]


def partial_value(xp: Namespace, partial: Any, like: ArrayType) -> Value:
    """What a rule returned (an expression or a number) as a value of the tangent's type."""
    value = xp.lift(partial)
    return xp.builder.convert(value, cotangent_type(like))


def _sum(xp: Namespace, terms: Sequence[Value]) -> Tangent:
    if not terms:
        return None
    return functools.reduce(lambda x, y: xp.builder.apply(OPS["add"], x, y), terms)  # type: ignore[arg-type]


def _elementwise(xp: Namespace, node: Node, tangents: Sequence[Tangent]) -> Tangent:
    op, out = node.op, node.result
    assert isinstance(op, kinds.Elementwise)
    for partial, t in zip(op.partials, tangents, strict=True):
        if t is not None and isinstance(partial, kinds.Unknown):
            raise partial.refused(node)
    exprs = [xp.wrap(v) for v in node.operands]
    return _sum(xp, [
        along(xp, partial, (xp.wrap(out), *exprs), t, out.type.dtype)
        for partial, t in zip(op.partials, tangents, strict=True) if t is not None and partial is not None
    ])  # fmt: skip


def along(xp: Namespace, partial: Any, at: tuple[Any, ...], value: Value, end: np.dtype[Any]) -> Value:
    """A tangent or cotangent, passed along the edge of a partial (a rule of ``at``) to an end of a dtype.

    Partial times value, and of that the real part where the end is real.
    """
    b = xp.builder
    if callable(partial):
        type_ = value.type
        if type_.dtype != end:
            type_ = ArrayType(np.result_type(type_.dtype, end), type_.shape)
        value = b.emit(OPS["scale"], (partial_value(xp, partial(xp, *at), type_), b.cast(value, type_.dtype)))
    if value.type.dtype.kind == "c" and end.kind != "c":
        value = b.emit(OPS["real"], (value,))
    value = b.cast(value, end)
    if partial == -1:
        return b.apply(OPS["negative"], value)  # type: ignore[arg-type]
    return b.emit(OPS["conjugate"], (value,)) if partial == kinds.CONJUGATE else value


def _reduction(xp: Namespace, node: Node, tangents: Sequence[Tangent]) -> Tangent:
    op, (t,), axes = node.op, tangents, node.params["axes"]
    assert isinstance(op, kinds.Reduction) and t is not None  # noqa: PT018
    if op.partial is None:
        return None
    if op.partial != 1:
        t = xp.builder.emit(OPS["scale"], (reduction_partial(xp, node), t))
    return xp.lift(xp.sum(xp.wrap(t), axis=axes))


def reduction_partial(xp: Namespace, node: Node) -> Value:
    """What each element of a reduction's operand contributes, in the operand's type."""
    (x,), axes = node.operands, node.params["axes"]
    kept = tuple(1 if a in axes else n for a, n in enumerate(x.type.shape))
    out = xp.reshape(xp.wrap(node.result), kept)
    partial: Any = node.op.partial  # type: ignore[attr-defined]
    return partial_value(xp, partial(xp, out, xp.wrap(x), axes), x.type)


def _cumulative(xp: Namespace, node: Node, tangents: Sequence[Tangent]) -> Tangent:
    """The tangent is a linear recurrence: each result passes on what it carries, and gets what is contributed."""
    op, type_ = node.op, node.result.type
    assert isinstance(op, kinds.Cumulative)
    if not callable(op.partial):
        return _itself(xp, node, tangents)
    carry, *shares = op.partial(xp, xp.wrap(node.result), *map(xp.wrap, node.operands), **node.params)
    terms = []
    for share, t in zip(shares, tangents, strict=True):
        if t is not None:
            whole = share == 1 if isinstance(share, int) else False
            terms.append(t if whole else xp.builder.emit(OPS["scale"], (partial_value(xp, share, type_), t)))
    return xp.builder.emit(OPS["recurrence"], (partial_value(xp, carry, type_), _sum(xp, terms)), **node.params)  # type: ignore[arg-type]


def _itself(xp: Namespace, node: Node, tangents: Sequence[Tangent]) -> Tangent:
    """The jvp of a linear op: itself, zeros standing in for operands without a tangent."""
    filled = [
        xp.lift(xp.zeros_like(xp.wrap(v))) if t is None else t
        for v, t in zip(node.operands, tangents, strict=True)
    ]
    return xp.builder.emit(node.op, filled, **node.params)


def _indexing(xp: Namespace, node: Node, tangents: Sequence[Tangent]) -> Tangent:
    moved, _ = tangents
    return None if moved is None else xp.builder.emit(node.op, (moved, node.operands[1]), **node.params)


def _contraction(xp: Namespace, node: Node, tangents: Sequence[Tangent]) -> Tangent:
    x, y = node.operands
    pairs = ((tangents[0], y), (x, tangents[1]))
    scaled = OPS["scale_einsum"]
    return _sum(xp, [xp.builder.emit(scaled, pair, **node.params) for pair in pairs if None not in pair])  # type: ignore[arg-type]


def _library(xp: Namespace, node: Node, tangents: Sequence[Tangent]) -> Tangent | tuple[Tangent, ...]:
    jvp = node.op.jvp  # type: ignore[attr-defined]
    if jvp is None:
        return (None,) * len(node.results)
    dual = [None if t is None else xp.wrap(t) for t in tangents]
    out = tuple(map(xp.wrap, node.results))
    one = len(out) == 1
    moved = jvp(xp, out[0] if one else out, [xp.wrap(v) for v in node.operands], dual, node.params)
    pairs = zip((moved,) if one else moved, node.results, strict=True)
    return tuple(None if t is None else partial_value(xp, t, v.type) for t, v in pairs)


#: The tangent of a node's result; a tuple of them for an op that may have several results.
RULES: dict[type[kinds.Op], Callable[[Namespace, Node, Sequence[Tangent]], Tangent | tuple[Tangent, ...]]] = {
    kinds.Elementwise: _elementwise,
    kinds.Reduction: _reduction,
    kinds.Cumulative: _cumulative,
    kinds.Movement: _itself,
    kinds.Contraction: _contraction,
    kinds.Indexing: _indexing,
    kinds.Library: _library,
}
