"""Reverse mode: a tape.

The program runs once, forward, and every node leaves on the tape how to pull a cotangent of its
result back to its operands.  Then the tape is read once, backwards, and what arrives at a value
along several edges is added.  Where no cotangent arrives (None), nothing flows, and the partials
are not computed.

Like tangents, cotangents come k at a time: one list of elements per direction.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any

from wengert.backends.reference import evaluate
from wengert.backends.reference.arrays import Flat, from_numpy, groups, zeros
from wengert.backends.reference.folds import recurrence, running
from wengert.backends.reference.partials import (
    ArrayRule,
    cumulative_rules,
    edges,
    elementwise_flow,
    reduction_flow,
)
from wengert.backends.reference.scalar import adder, scaler
from wengert.backends.reference.tape import Cotangents, Entry, Tape
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

__all__ = ["CASES", "Cotangents", "Pullback", "recorder"]

#: From cotangents of the results to those of the operands: (operand, cotangents) where any flow.
Pull = Callable[[list[Cotangents]], list[tuple[int, list[Flat]]]]
#: A case of the tape: from the result and the operands to the pull of a one-result node.
Record = Callable[[Flat, Sequence[Flat]], Callable[[list[Flat]], list[tuple[int, list[Flat]]]]]
#: From cotangents of the outputs to cotangents of every value.
Pullback = Callable[[Sequence[Cotangents]], dict[Value, list[Flat]]]


def recorder(
    graph: Graph, active: set[Value]
) -> Callable[[list[Flat]], tuple[dict[Value, Flat], Pullback]]:
    """A function from the inputs to every value of the graph, and the pullback there."""
    constants = {c: from_numpy(c.array) for c in graph.constants}
    steps = [(node, step(node, active)) for node in graph.nodes]

    def run(inputs: list[Flat]) -> tuple[dict[Value, Flat], Pullback]:
        values = constants | dict(zip(graph.inputs, inputs, strict=True))
        tape: list[tuple[Node, Pull]] = []
        for node, record in steps:
            results, pull = record([values[v] for v in node.operands])
            values.update(zip(node.results, results, strict=True))
            if pull is not None:
                tape.append((node, pull))
        return values, lambda cotangents: sweep(graph, tape, cotangents, active)

    return run


def sweep(
    graph: Graph,
    tape: list[tuple[Node, Pull]],
    cotangents: Sequence[Cotangents],
    active: set[Value],
) -> dict[Value, list[Flat]]:
    """Read the tape backwards, once, adding what arrives."""
    arrived: dict[Value, list[Flat]] = {}

    def add(value: Value, g: list[Flat]) -> None:
        if value in arrived:
            plus = adder(value.type.dtype)
            both = zip(arrived[value], g, strict=True)
            g = [list(map(plus, before, now)) for before, now in both]
        arrived[value] = g

    for value, given in zip(graph.outputs, cotangents, strict=True):
        if given is not None and value in active:
            add(value, given)
    for node, pull in reversed(tape):
        gs = [arrived.get(v) for v in node.results]
        if any(g is not None for g in gs):
            for k, g in pull(gs):
                add(node.operands[k], g)
    return arrived


def step(
    node: Node, active: set[Value]
) -> Callable[[list[Flat]], tuple[Sequence[Flat], Pull | None]]:
    """A function from the operands to the results, and what the tape keeps of the node."""
    if isinstance(node.op, Control):
        return control(node, active)
    value = evaluate.step(node)
    if active.isdisjoint(node.results):
        return lambda xs: (value(*xs), None)
    record: Any = CASES[type(node.op)](node, active)
    if isinstance(node.op, Library):  # which runs the op itself, and may have several results
        return record  # type: ignore[no-any-return]

    def run(xs: list[Flat]) -> tuple[Sequence[Flat], Pull]:
        (out,) = value(*xs)
        pull = record(out, xs)
        return (out,), lambda gs: pull(gs[0])  # type: ignore[arg-type]

    return run


def elementwise(node: Node, active: set[Value]) -> Record:
    """The cotangent times the partial of each operand: the very numbers of forward mode."""
    dtype = node.result.type.dtype
    flows = [
        (k, elementwise_flow(node, partial, dtype, node.operands[k].type.dtype))
        for k, partial in edges(node, active)
    ]
    return lambda out, xs: lambda gs: [(k, flow(out, xs, gs)) for k, flow in flows]


def reduction(node: Node, active: set[Value]) -> Record:
    """Each element of a group gets the group's cotangent times what it contributed."""
    type_ = node.operands[0].type
    together = list(enumerate(groups(type_.shape, node.params["axes"])))
    blank, flow = zeros(type_), reduction_flow(node)

    def spread(g: Flat) -> Flat:
        found = blank.copy()
        for o, group in together:
            for i in group:
                found[i] = g[o]
        return found

    return lambda out, xs: lambda gs: [(0, flow(out, xs, [spread(g) for g in gs]))]


def cumulative(node: Node, active: set[Value]) -> Record:
    """The running sum of the cotangent, from the other end; of another fold, the recurrence."""
    dtype, backwards = node.result.type.dtype, evaluate.lines(node, backwards=True)
    add, scale = adder(dtype), scaler(dtype)
    if not callable(node.op.partial):  # type: ignore[attr-defined]
        return lambda out, xs: lambda gs: [(0, [running(add, g, backwards) for g in gs])]
    rule = cumulative_rules(node)
    live = [k for k, v in enumerate(node.operands) if v in active]

    def record(out: Flat, xs: Sequence[Flat]) -> Any:
        carry, *shares = rule(out, *xs)
        following = carry.copy()  # what the element after each, in the order of the fold, takes over from it
        for line in backwards:
            for after, here in itertools.pairwise(line):
                following[here] = carry[after]

        def pull(gs: list[Flat]) -> list[tuple[int, list[Flat]]]:
            summed = [recurrence(following, g, backwards, dtype) for g in gs]
            return [(k, [list(map(scale, shares[k], h)) for h in summed]) for k in live]

        return pull

    return record


def movement(node: Node, active: set[Value]) -> Record:
    """The pieces read backwards: an element that was copied to several places gets their sum."""
    live = [k for k, v in enumerate(node.operands) if v in active]
    every = [move for move in evaluate.moves(node) if move[1] in live]
    add, blanks = adder(node.result.type.dtype), [zeros(v.type) for v in node.operands]

    def back(g: Flat) -> dict[int, Flat]:
        found = {k: blanks[k].copy() for k in live}
        for target, operand, source in every:
            found[operand][source] = add(found[operand][source], g[target])
        return found

    def pull(gs: list[Flat]) -> list[tuple[int, list[Flat]]]:
        moved = [back(g) for g in gs]
        return [(k, [found[k] for found in moved]) for k in live]

    return lambda out, xs: pull


def contraction(node: Node, active: set[Value]) -> Record:
    """Each factor of a term gets the cotangent times the other factor; an exact zero gives zero."""
    dtype, every = node.result.type.dtype, list(enumerate(evaluate.terms(node)))
    add, scale = adder(dtype), scaler(dtype)
    live = [k for k, v in enumerate(node.operands) if v in active]
    blanks = [zeros(v.type) for v in node.operands]

    def back(k: int, other: Flat, g: Flat) -> Flat:
        found = blanks[k].copy()
        for o, term in every:
            for pair in term:
                i, j = pair[k], pair[1 - k]
                found[i] = add(found[i], scale(other[j], g[o]))
        return found

    return lambda out, xs: lambda gs: [(k, [back(k, xs[1 - k], g) for g in gs]) for k in live]


def indexing(node: Node, active: set[Value]) -> Record:
    """Gather and scatter-add are each other's pullback."""
    add, blank = adder(node.result.type.dtype), zeros(node.operands[0].type)

    def record(out: Flat, xs: Sequence[Flat]) -> Any:
        at = evaluate.targets(node, xs[1])
        if node.op.gather:  # type: ignore[attr-defined]
            return lambda gs: [(0, [evaluate.scatter(g, at, add, blank) for g in gs])]
        return lambda gs: [(0, [evaluate.gather(g, at) for g in gs])]

    return record


def library(node: Node, active: set[Value]) -> Callable[[list[Flat]], tuple[Sequence[Flat], Pull]]:
    """The op's vjp, a rule on arrays, is built as a graph and evaluated; once per set of results with a cotangent."""
    value, results, types = evaluate.step(node), [v.type for v in node.results], [v.type for v in node.operands]
    live, m = [k for k, v in enumerate(node.operands) if v in active], len(node.results)

    @functools.cache
    def rule_of(k: int, there: tuple[int, ...]) -> ArrayRule:
        def rule(xp: Any, v: list[Any]) -> Any:
            given = dict(zip(there, v, strict=False))
            g, out, xs = tuple(map(given.get, range(m))), tuple(v[len(there) :][:m]), tuple(v[len(there) + m :])
            one = m == 1
            return (node.op.vjp(xp, g[0] if one else g, k, out[0] if one else out, xs, node.params),)  # type: ignore[attr-defined]

        return ArrayRule(rule, [*(results[j] for j in there), *results, *types], (types[k],))

    def record(xs: list[Flat]) -> tuple[Sequence[Flat], Pull]:
        outs = value(*xs)

        def pull(gs: list[Cotangents]) -> list[tuple[int, list[Flat]]]:
            there = tuple(j for j, g in enumerate(gs) if g is not None)
            each = list(zip(*(gs[j] for j in there), strict=True))  # type: ignore[arg-type]
            return [(k, [rule_of(k, there)(*g, *outs, *xs)[0] for g in each]) for k in live]

        return outs, pull

    return record


def control(
    node: Node, active: set[Value]
) -> Callable[[list[Flat]], tuple[Sequence[Flat], Pull | None]]:
    """The op's schedule, run on a tape of its own."""
    live = [v in active for v in node.operands]

    def record(xs: list[Flat]) -> tuple[Sequence[Flat], Pull]:
        tape = Tape(recorder)
        entries = [Entry(x, flag) for x, flag in zip(xs, live, strict=True)]
        ends = node.op.drive(tape, entries, node.params)  # type: ignore[attr-defined]

        def pull(gs: list[Cotangents]) -> list[tuple[int, list[Flat]]]:
            tape.pull(ends, gs, [v.type.dtype for v in node.results])
            taken = [(k, e.take()) for k, e in enumerate(entries)]
            return [(k, g) for k, g in taken if g is not None]

        return [e.primal for e in ends], pull

    return record


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
