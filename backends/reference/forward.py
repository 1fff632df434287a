"""Forward mode: dual numbers.

Every element of an active array is a dual number: its primal, and a tangent in each of k
directions.  The two parts are kept side by side: the primals as one list, the tangents as one list
per direction.  An array that depends on no active input has no tangents at all (None): nothing
flows along its edges, and the partials on them are not computed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from wengert.backends.reference import evaluate
from wengert.backends.reference.arrays import Flat, from_numpy, groups, zeros
from wengert.backends.reference.folds import fold, recurrence, running
from wengert.backends.reference.partials import (
    ArrayRule,
    active_values,
    cumulative_rules,
    edges,
    elementwise_flow,
    reduction_flow,
)
from wengert.backends.reference.scalar import adder, number, scaler
from wengert.ir.driving import forward_rule
from wengert.ir.graph import Graph, Node, Value
from wengert.ir.kinds import (
    Contraction,
    Control,
    Cumulative,
    Elementwise,
    Indexing,
    Library,
    Movement,
    Reduction,
)
from wengert.ir.types import ArrayType, is_inexact

__all__ = ["CASES", "Dual", "Tangents", "dual_evaluator"]

#: One list of elements per direction; None where nothing flows.
Tangents = list[Flat] | None
#: The primals of an array, and their tangents.
Dual = tuple[Flat, Tangents]
#: The tangent of a node's result in one direction, given its primal and the operands'.
Push = Callable[[Flat, Sequence[Flat], Sequence[Any]], Flat]


def dual_evaluator(graph: Graph, active: set[Value]) -> Callable[[list[Dual]], dict[Value, Dual]]:
    """A function from dual inputs to every value of the graph as duals."""
    constants: dict[Value, Dual] = {c: (from_numpy(c.array), None) for c in graph.constants}
    steps = [(node, step(node, active)) for node in graph.nodes]

    def run(inputs: list[Dual]) -> dict[Value, Dual]:
        duals = constants | dict(zip(graph.inputs, inputs, strict=True))
        for node, run_node in steps:
            results = run_node([duals[v] for v in node.operands])
            duals.update(zip(node.results, results, strict=True))
        return duals

    return run


def step(node: Node, active: set[Value]) -> Callable[[list[Dual]], list[Dual]]:
    """The function of a node on dual numbers."""
    if isinstance(node.op, Control):
        return control(node, active)
    value = evaluate.step(node)
    if active.isdisjoint(node.results):
        return lambda duals: [(out, None) for out in value(*[x for x, _ in duals])]
    push = CASES[type(node.op)](node, active)
    if isinstance(node.op, Library):
        return lambda duals: push(value(*[x for x, _ in duals]), duals)

    def run(duals: list[Dual]) -> list[Dual]:
        xs = [x for x, _ in duals]
        (out,) = value(*xs)
        return [(out, push(out, xs, [t for _, t in duals]))]

    return run


def directions(tangents: Sequence[Tangents]) -> list[list[Any]]:
    """Direction by direction, the tangent of each operand, None where it has none."""
    k = next(len(t) for t in tangents if t is not None)
    return [[t and t[i] for t in tangents] for i in range(k)]


def each_direction(push: Push) -> Callable[..., list[Flat]]:
    """Run a rule for one direction in every direction."""
    return lambda out, xs, ts: [push(out, xs, direction) for direction in directions(ts)]


def elementwise(node: Node, active: set[Value]) -> Callable[..., list[Flat]]:
    """Partial times tangent, an exact zero on either side giving zero, summed over the operands."""
    dtype = node.result.type.dtype
    add = adder(dtype)
    flows = [
        (k, elementwise_flow(node, partial, node.operands[k].type.dtype, dtype))
        for k, partial in edges(node, active)
    ]

    def run(out: Flat, xs: list[Flat], ts: list[Any]) -> list[Flat]:
        total: list[Flat] = []
        for k, flow in flows:
            parts = flow(out, xs, ts[k])
            both = zip(total, parts, strict=True) if total else ()
            total = [list(map(add, s, t)) for s, t in both] or parts
        return total

    return run


def reduction(node: Node, active: set[Value]) -> Callable[..., list[Flat]]:
    """What each element contributes, times its tangent, summed per group."""
    type_ = node.operands[0].type
    together = groups(type_.shape, node.params["axes"])
    add, flow = fold("+", type_.dtype), reduction_flow(node)

    def run(out: Flat, xs: list[Flat], ts: list[Any]) -> list[Flat]:
        parts = flow(out, xs, ts[0])
        return [[add([t[i] for i in group]) for group in together] for t in parts]

    return run


def cumulative(node: Node, active: set[Value]) -> Callable[..., list[Flat]]:
    """A running sum is linear; the tangent of another fold is the recurrence of what it carries and is given."""
    dtype, lines = node.result.type.dtype, evaluate.lines(node)
    add, scale = adder(dtype), scaler(dtype)
    if not callable(node.op.partial):  # type: ignore[attr-defined]
        return each_direction(lambda out, xs, ts: running(add, ts[0], lines))
    rule = cumulative_rules(node)

    def run(out: Flat, xs: list[Flat], ts: list[Any]) -> list[Flat]:
        carry, *shares = rule(out, *xs)

        def push(_: Flat, __: Sequence[Flat], direction: Sequence[Any]) -> Flat:
            terms = [map(scale, p, t) for p, t in zip(shares, direction, strict=True) if t is not None]
            given = [functools.reduce(add, each) for each in zip(*terms, strict=True)]
            return recurrence(carry, given, lines, dtype)

        return each_direction(push)(out, xs, ts)

    return run


def movement(node: Node, active: set[Value]) -> Callable[..., list[Flat]]:
    """Tangents move as their elements do."""
    every, blank = evaluate.moves(node), zeros(node.result.type)

    def push(out: Flat, xs: Sequence[Flat], ts: Sequence[Any]) -> Flat:
        moved = blank.copy()
        for target, operand, source in every:
            if ts[operand] is not None:
                moved[target] = ts[operand][source]
        return moved

    return each_direction(push)


def contraction(node: Node, active: set[Value]) -> Callable[..., list[Flat]]:
    """The product rule, term by term; a term with an exact zero is zero."""
    dtype = node.result.type.dtype
    add, add_all, scale = adder(dtype), fold("+", dtype), scaler(dtype)
    every = evaluate.terms(node)

    def push(out: Flat, xs: Sequence[Flat], ts: Sequence[Any]) -> Flat:
        (x, y), (dx, dy) = xs, ts
        parts = []
        if dx is not None:
            parts.append([add_all([scale(dx[i], y[j]) for i, j in term]) for term in every])
        if dy is not None:
            parts.append([add_all([scale(x[i], dy[j]) for i, j in term]) for term in every])
        return parts[0] if len(parts) == 1 else list(map(add, *parts))

    return each_direction(push)


def indexing(node: Node, active: set[Value]) -> Callable[..., list[Flat]]:
    """Linear in the array: the tangent is gathered, or scattered, by the same indices."""
    value = evaluate.indexing(node)
    return each_direction(lambda out, xs, ts: value(ts[0], xs[1])[0])


def library(node: Node, active: set[Value]) -> Callable[[Sequence[Flat], list[Dual]], list[Dual]]:
    """The op's jvp, a rule on arrays, is built as a graph and evaluated: from the results and the operands."""
    results, types = [v.type for v in node.results], [v.type for v in node.operands]
    live = [k for k, v in enumerate(node.operands) if v in active]
    m, n = len(results), len(types)

    def rule(xp: Any, v: list[Any]) -> Any:
        out, tangents = v[0] if m == 1 else tuple(v[:m]), dict(zip(live, v[m + n :], strict=True))
        ts = tuple(map(tangents.get, range(n)))
        moved = node.op.jvp(xp, out, tuple(v[m : m + n]), ts, node.params)  # type: ignore[attr-defined]
        return (moved,) if m == 1 else moved

    jvp = ArrayRule(rule, [*results, *types, *(types[k] for k in live)], results)

    def push(outs: Sequence[Flat], duals: list[Dual]) -> list[Dual]:
        xs = [x for x, _ in duals]
        each = [jvp(*outs, *xs, *(ts[k] for k in live)) for ts in directions([t for _, t in duals])]
        moved = [[t[j] for t in each] for j in range(m)]
        return [(out, t if v in active else None) for out, t, v in zip(outs, moved, node.results, strict=True)]

    return push


def control(node: Node, active: set[Value]) -> Callable[[list[Dual]], list[Dual]]:
    """The op's schedule, run on dual numbers; zeros where nothing flowed on the path that was taken."""
    machine = Duals()

    def run_node(duals: list[Dual]) -> list[Dual]:
        k = next((len(t) for _, t in duals if t is not None), 1)
        results = node.op.drive(machine, duals, node.params)  # type: ignore[attr-defined]
        return [
            (x, [[number(0, v.type.dtype)] * len(x)] * k if t is None and v in active else t if v in active else None)
            for (x, t), v in zip(results, node.results, strict=True)
        ]

    return run_node


class Duals:
    """The machine of control nodes (:mod:`wengert.ir.driving`) on dual numbers."""

    def __init__(self) -> None:
        self.values = evaluate.Values()
        self.made: dict[Any, Any] = {}

    def call(self, graph: Graph, operands: Sequence[Dual]) -> list[Dual]:
        flags = tuple(t is not None for _, t in operands)
        if (graph, flags) not in self.made:
            active = active_values(graph, [i for i, flag in enumerate(flags) if flag])
            self.made[graph, flags] = dual_evaluator(graph, active)
        values = self.made[graph, flags](list(operands))
        return [values[v] for v in graph.outputs]

    again = call

    def custom(self, params: dict[str, Any], operands: Sequence[Dual]) -> list[Dual]:
        """Tangents by the jvp."""
        graph, xs = params["graph"], [x for x, _ in operands]
        outs = self.values.call(graph, xs)
        if all(t is None for _, t in operands):
            return [(x, None) for x in outs]
        moving = [v for v in graph.outputs if is_inexact(v.type.dtype)]
        k = next(len(t) for _, t in operands if t is not None)
        lines = [
            [t[j] if t is not None else zeros(v.type) for v, (_, t) in zip(graph.inputs, operands, strict=True)
             if is_inexact(v.type.dtype)]
            for j in range(k)
        ]  # fmt: skip
        rows = [self.values.call(forward_rule(params), [*xs, *outs, *line]) for line in lines]
        columns = iter([list(column) for column in zip(*rows, strict=True)])
        return [(x, next(columns) if v in moving else None) for x, v in zip(outs, graph.outputs, strict=True)]

    def holds(self, graph: Graph, operands: Sequence[Dual]) -> bool:
        return self.values.holds(graph, [x for x, _ in operands])

    def index(self, value: Dual) -> int:
        return self.values.index(value[0])

    def number(self, n: int) -> Dual:
        return [n], None

    def at(self, value: Dual, i: int, n: int) -> Dual:
        x, ts = value
        return self.values.at(x, i, n), ts and [self.values.at(t, i, n) for t in ts]

    def stack(self, values: Sequence[Dual], type_: ArrayType) -> Dual:
        joined = [e for x, _ in values for e in x]
        k = next((len(t) for _, t in values if t is not None), None)
        if k is None:
            return joined, None
        blank = zeros(type_)
        return joined, [[e for _, t in values for e in (blank if t is None else t[j])] for j in range(k)]


CASES: dict[type, Callable[..., Any]] = {
    Elementwise: elementwise,
    Reduction: reduction,
    Cumulative: cumulative,
    Movement: movement,
    Contraction: contraction,
    Indexing: indexing,
    Library: library,
    Control: control,
}
