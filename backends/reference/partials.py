"""The numbers on the edges of the graph, and which edges carry a derivative at all.

Forward and reverse mode share this file and no other: both take the partials of a node from here;
forward multiplies them with tangents, reverse with cotangents, by the same ``scale``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from wengert.backends.reference.arrays import Flat
from wengert.backends.reference.evaluate import evaluator, sub_graph
from wengert.backends.reference.rounding import caster
from wengert.backends.reference.scalar import XP, Scalar, number, scaler
from wengert.ir.build import Builder, Expr, Namespace
from wengert.ir.errors import DerivativeError
from wengert.ir.graph import Graph, Node, Value
from wengert.ir.kinds import Control, Elementwise, Indexing, Library, Partial, Reduction, Unknown
from wengert.ir.types import ArrayType, is_inexact

__all__ = [
    "ArrayRule", "Flow", "active_values", "converted", "cumulative_rules", "edges", "elementwise_flow",
    "reduction_flow",
]  # fmt: skip

#: From the result, the operands, and k tangents or cotangents of one shape, to k of the same shape.
Flow = Callable[[Flat, Sequence[Flat], list[Flat]], list[Flat]]


# -- activity ------------------------------------------------------------------------------------


def active_values(graph: Graph, active: Iterable[int]) -> set[Value]:
    """The values that carry a tangent when these inputs do.

    The others are constant to the derivative; not even the partials on their edges are computed.
    """
    found = {graph.inputs[i] for i in active if is_inexact(graph.inputs[i].type.dtype)}
    for value in found:
        refuse_complex("an input", value)
    for position, node in enumerate(graph.nodes):
        for value in active_results(node, [v in found for v in node.operands]):
            refuse_complex(f"the result of node {position}, {node.op.name},", value, node)
            found.add(value)
    return found


def active_results(node: Node, active: Sequence[bool]) -> list[Value]:
    """The results of a node that carry a tangent when the operands marked ``active`` do."""
    op = node.op
    if isinstance(op, Control):
        graph = sub_graph(node)
        inner = active_values(graph, [i for i, carries in enumerate(active) if carries])
        flags = [v in inner for v in graph.outputs]
        return [v for v, flag in zip(node.results, flags, strict=True) if flag]
    return [v for v in node.results if is_inexact(v.type.dtype)] if any_edge(op, active) else []


def any_edge(op: Any, active: Sequence[bool]) -> bool:
    """Whether some active operand has a derivative through ``op``."""
    match op:
        case Elementwise():
            return any(a and p is not None for a, p in zip(active, op.partials, strict=True))
        case Reduction():
            return active[0] and op.partial is not None
        case Indexing():
            return active[0]
        case Library():
            return op.jvp is not None and any(active)
    return any(active)


def refuse_complex(where: str, value: Value, node: Node | None = None) -> None:
    """DerivativeError where a tangent would be complex."""
    if value.type.dtype.kind == "c":
        message = (
            f"The reference backend differentiates real programs only, but {where} carries a "
            f"derivative and has the type {value.type}; ask the NumPy backend for it."
        )
        op, location = (node.op.name, node.location) if node else (None, None)
        raise DerivativeError(message, op=op, location=location)


# -- elementwise ---------------------------------------------------------------------------------


def edges(node: Node, active: set[Value]) -> list[tuple[int, Partial]]:
    """The operands of an elementwise node that a derivative flows through, and their partials."""
    pairs = enumerate(zip(node.operands, node.op.partials, strict=True))  # type: ignore[attr-defined]
    found = [(k, p) for k, (v, p) in pairs if v in active and p is not None]
    if unknown := next((p for _, p in found if isinstance(p, Unknown)), None):
        raise unknown.refused(node)
    return found


def elementwise_flow(node: Node, k: int, partial: Any) -> Flow:
    """What flows along the edge of operand ``k``, in the dtype of that operand."""
    own = node.operands[k].type.dtype
    if partial == 1:
        return lambda out, xs, ts: ts
    if partial == -1:
        return lambda out, xs, ts: [[-element for element in t] for t in ts]
    dtypes = tuple(v.type.dtype for v in (node.result, *node.operands))

    def partial_at(*values: Any) -> Any:
        return number(partial(XP, *map(Scalar, values, dtypes)), own)

    return scaled(lambda out, *xs: list(map(partial_at, out, *xs)), scaler(own))


def scaled(partial_at: Callable[..., Flat], scale: Callable[..., Any]) -> Flow:
    """Partial times tangent or cotangent, where an exact zero on either side gives zero."""

    def flow(out: Flat, xs: Sequence[Flat], ts: list[Flat]) -> list[Flat]:
        partials = partial_at(out, *xs)
        return [list(map(scale, partials, t)) for t in ts]

    return flow


def converted(t: Flat, source: np.dtype[Any], target: np.dtype[Any]) -> Flat:
    """A tangent or cotangent in another dtype."""
    return t if source == target else list(map(caster(source, target), t))


# -- rules on whole arrays -----------------------------------------------------------------------


class ArrayRule:
    """A rule on whole arrays, one scalar at a time: it makes a small graph, which is evaluated.

    A result that the rule says is None is zeros.
    """

    def __init__(
        self,
        rule: Callable[[Namespace, list[Expr]], Sequence[Any]],
        operands: Sequence[ArrayType],
        results: Sequence[ArrayType],
    ) -> None:
        builder = Builder("rule")
        xp = Namespace(builder)
        inputs = [xp.wrap(builder.input(type_)) for type_ in operands]
        self.outs = [
            builder.convert(xp.lift(xp.zeros_like(t) if made is None else made), ArrayType(t.dtype, t.shape))
            for made, t in zip(rule(xp, inputs), results, strict=True)
        ]
        self.run = evaluator(builder.graph(self.outs))

    def __call__(self, *arrays: Flat) -> list[Flat]:
        values = self.run(list(arrays))
        return [values[out] for out in self.outs]


def cumulative_rules(node: Node) -> list[ArrayRule]:
    """The functions of the result and the operands to the carry, and to what each operand contributes."""
    op, type_, params = node.op, node.result.type, node.params
    kinds = (type_, *(v.type for v in node.operands))

    def part(k: int) -> ArrayRule:
        return ArrayRule(lambda xp, v: xp.ones_like(v[0]) * op.partial(xp, *v, **params)[k], kinds, type_)  # type: ignore[attr-defined]

    return [part(k) for k in range(1 + len(node.operands))]


def reduction_flow(node: Node) -> Flow:
    """What flows between each element of the operand and its group's result."""
    op, type_ = node.op, node.operands[0].type
    if op.partial == 1:  # type: ignore[attr-defined]
        return lambda out, xs, ts: ts
    partial = reduction_partial(op, type_, node.params["axes"])
    return scaled(lambda out, x: partial(out, x)[0], scaler(type_.dtype))


@functools.lru_cache(maxsize=4096)
def reduction_partial(op: Any, x: ArrayType, axes: tuple[int, ...]) -> ArrayRule:
    """The function ``(out, x)`` to what each element of ``x`` contributes."""
    kept = ArrayType(x.dtype, tuple(1 if a in axes else n for a, n in enumerate(x.shape)))
    return ArrayRule(lambda xp, v: (op.partial(xp, v[0], v[1], axes),), (kept, x), (x,))
