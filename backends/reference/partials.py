"""The numbers on the edges of the graph, and which edges carry a derivative at all.

Forward and reverse mode share this file and no other: both take the partials of a node from here;
forward multiplies them with tangents, reverse with cotangents, by the same ``scale``.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from wengert.backends.reference.arrays import Flat
from wengert.backends.reference.evaluate import evaluator
from wengert.backends.reference.rounding import caster
from wengert.backends.reference.scalar import XP, Scalar, number, scaler
from wengert.ir.build import Builder, Expr, Namespace
from wengert.ir.graph import Graph, Node, Value
from wengert.ir.kinds import CONJUGATE, Control, Elementwise, Indexing, Library, Reduction, Unknown
from wengert.ir.partials import Partial
from wengert.ir.types import STEPS, ArrayType, is_inexact

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
    for node in graph.nodes:
        found.update(active_results(node, [v in found for v in node.operands]))
    return found


def active_results(node: Node, active: Sequence[bool]) -> list[Value]:
    """The results of a node that carry a tangent when the operands marked ``active`` do."""
    op = node.op
    if isinstance(op, Control):
        return [v for v, flag in zip(node.results, control_flows(node, active), strict=True) if flag]
    return [v for v in node.results if is_inexact(v.type.dtype)] if any_edge(op, active) else []


def graph_flows(graph: Graph, active: Sequence[bool]) -> list[bool]:
    """Which outputs of a graph carry a tangent when the inputs marked ``active`` do."""
    inner = active_values(graph, [i for i, carries in enumerate(active) if carries])
    return [v in inner for v in graph.outputs]


def control_flows(node: Node, active: Sequence[bool]) -> list[bool]:
    """Which results of a control node carry a tangent; in a loop, after any number of steps."""
    params = node.params
    if node.op.name == "switch":
        each = [graph_flows(graph, active[1:]) for graph in params["graphs"]]
        return [any(flags) for flags in zip(*each, strict=True)]
    if node.op.name in ("custom", "linear_solve"):
        return [any(active) and is_inexact(v.type.dtype) for v in node.results]
    if node.op.name not in ("while", "scan"):
        return graph_flows(params["graph"], active)
    first = int(node.op.name == "scan" and params["length"] == STEPS)
    start = first + params["consts"]
    stop = start + params["carries"] if node.op.name == "scan" else len(active)
    given = list(active)
    while True:
        flags = graph_flows(params["graph"], given[first:])
        carried = [a or b for a, b in zip(given[start:stop], flags, strict=False)]
        if carried == given[start:stop]:
            counted = [False] if node.op.name == "while" else []
            return [*carried, *counted, *flags[stop - start :]]
        given[start:stop] = carried


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


# -- elementwise ---------------------------------------------------------------------------------


def edges(node: Node, active: set[Value]) -> list[tuple[int, Partial]]:
    """The operands of an elementwise node that a derivative flows through, and their partials."""
    pairs = enumerate(zip(node.operands, node.op.partials, strict=True))  # type: ignore[attr-defined]
    found = [(k, p) for k, (v, p) in pairs if v in active and p is not None]
    if unknown := next((p for _, p in found if isinstance(p, Unknown)), None):
        raise unknown.refused(node)
    return found


def elementwise_flow(
    node: Node, partial: Any, start: np.dtype[Any], end: np.dtype[Any]
) -> Flow:
    """What flows along the edge of a partial, from a dtype at its start to one at its end.

    Partial times tangent or cotangent, and of that the real part where the end is real.
    """
    if partial in (1, -1, CONJUGATE):
        sign = {1: None, -1: operator.neg, CONJUGATE: complex.conjugate}[partial]
        alike = functools.partial(converted, source=start, target=end)
        return lambda out, xs, ts: [list(map(sign, alike(t))) if sign else alike(t) for t in ts]
    dtypes, dtype = tuple(v.type.dtype for v in (node.result, *node.operands)), np.result_type(start, end)

    def partial_at(*values: Any) -> Any:
        return number(partial(XP, *map(Scalar, values, dtypes)), dtype)

    flow = scaled(lambda out, *xs: list(map(partial_at, out, *xs)), scaler(dtype))
    if start == end:
        return flow
    return lambda out, xs, ts: [
        converted(t, dtype, end) for t in flow(out, xs, [converted(t, start, dtype) for t in ts])
    ]


def scaled(partial_at: Callable[..., Flat], scale: Callable[..., Any]) -> Flow:
    """Partial times tangent or cotangent, where an exact zero on either side gives zero."""

    def flow(out: Flat, xs: Sequence[Flat], ts: list[Flat]) -> list[Flat]:
        partials = partial_at(out, *xs)
        return [list(map(scale, partials, t)) for t in ts]

    return flow


def converted(t: Flat, source: np.dtype[Any], target: np.dtype[Any]) -> Flat:
    """A tangent or cotangent in another dtype; from complex to real, its real part."""
    if source.kind == "c" and target.kind != "c":
        t, source = [x.real for x in t], np.dtype(np.float64)
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


def cumulative_rules(node: Node) -> ArrayRule:
    """The function of the result and the operands to the carry, and to what each operand contributes."""
    op, type_, params = node.op, node.result.type, node.params

    def rule(xp: Namespace, v: list[Expr]) -> Any:
        return [xp.ones_like(v[0]) * part for part in op.partial(xp, *v, **params)]  # type: ignore[attr-defined]

    kinds = (type_, *(v.type for v in node.operands))
    return ArrayRule(rule, kinds, (type_,) * len(kinds))


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
