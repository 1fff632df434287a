"""Lanes of branches and loops: the same op on sub-graphs that have lanes.

Where lanes part, by the index of a branch or the condition of a loop, each branch is run if some lane takes it, and a
loop until every lane is done; each lane keeps what is its own.  Lanes that a branch or step is not for follow one that
it is for, where a graph could fail or never end on numbers that it is not meant for.

A stack has its lanes behind its steps, along axis 1.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.ir import kinds
from wengert.ir.autodiff.pushing import Scan
from wengert.ir.batching import Lanes, batch, home, spread, with_lanes
from wengert.ir.build import Builder, Namespace
from wengert.ir.graph import Constant, Graph, Node, Value
from wengert.ir.ops import OPS
from wengert.ir.types import STEPS, ArrayType

__all__ = ["control"]

Flags = Sequence[bool]


@functools.lru_cache(maxsize=512)
def _batched(graph: Graph, mapped: tuple[bool, ...], size: int, ends: tuple[bool, ...]) -> Graph:
    """The graph with lanes in some inputs, and in some outputs in any case (the first ones, if these are fewer)."""
    wanted = (*ends, *(False,) * (len(graph.outputs) - len(ends)))
    out = [home(v.type) if end else None for v, end in zip(graph.outputs, wanted, strict=True)]
    return batch(graph, _axes(graph, mapped), size, out)[0]


@functools.lru_cache(maxsize=512)
def _ends(graph: Graph, mapped: tuple[bool, ...], size: int) -> tuple[bool, ...]:
    """Which outputs have lanes where these inputs do."""
    return tuple(axis is not None for axis in batch(graph, _axes(graph, mapped), size)[1])


def _axes(graph: Graph, mapped: Flags) -> list[int | None]:
    return [home(v.type) if has else None for v, has in zip(graph.inputs, mapped, strict=True)]


# ----- Calls -----


def _call(lanes: Lanes, node: Node, mapped: Flags) -> Sequence[Value]:
    graph = _batched(node.params["graph"], tuple(mapped), lanes.size, ())
    return lanes.emit(node.op, node.operands, **{**node.params, "graph": graph})


def _custom(lanes: Lanes, node: Node, mapped: Flags) -> Sequence[Value]:
    """Its rules are of one lane, and become rules of all."""

    def every(graph: Graph | None) -> Graph | None:
        return graph and _batched(graph, (True,) * len(graph.inputs), lanes.size, (True,) * len(graph.outputs))

    params = {name: every(graph) for name, graph in node.params.items()}
    return lanes.emit(node.op, lanes.every(node, mapped), **params)


def _linear(lanes: Lanes, node: Node, mapped: Flags) -> Sequence[Value]:
    """What it is linear in has lanes, and so has what the transpose takes and gives."""
    k, fixed = node.params["consts"], tuple(mapped[: node.params["consts"]])

    def every(graph: Graph | None) -> Graph | None:
        given = (*fixed, *(True,) * (len(graph.inputs) - k)) if graph else ()
        return graph and _batched(graph, given, lanes.size, (True,) * len(graph.outputs))

    operands = [*node.operands[:k], *lanes.every(node, mapped)[k:]]
    return lanes.emit(node.op, operands, graph=every(node.params["graph"]), back=every(node.params["back"]), consts=k)


def _linear_solve(lanes: Lanes, node: Node, mapped: Flags) -> Sequence[Value]:
    """One system, of all lanes side by side."""
    k = node.params["consts"]
    given = (*mapped[:k], True)
    graphs = {name: _batched(node.params[name], given, lanes.size, (True,)) for name in ("graph", "back", "product")}
    return lanes.emit(node.op, [*node.operands[:k], lanes.every(node, mapped)[k]], **graphs, consts=k)


# ----- Branches -----


def _switch(lanes: Lanes, node: Node, mapped: Flags) -> Sequence[Value]:
    graphs, given = node.params["graphs"], tuple(mapped[1:])
    if mapped[0]:
        return _parting(lanes, node, given)
    ends = tuple(map(any, zip(*(_ends(graph, given, lanes.size) for graph in graphs), strict=True)))
    made = tuple(_batched(graph, given, lanes.size, ends) for graph in graphs)
    return lanes.emit(node.op, node.operands, graphs=made)


def _parting(lanes: Lanes, node: Node, given: tuple[bool, ...]) -> Sequence[Value]:
    """Each branch for the lanes that take it."""
    xp, (at, *operands), graphs = lanes.xp, node.operands, node.params["graphs"]
    index = xp.take(np.arange(len(graphs)), xp.wrap(at), axis=0)  # an IndexError where there is no such branch
    results: list[Value] = []
    for k, graph in enumerate(graphs):
        here = xp.equal(index, k)
        made = _batched(graph, given, lanes.size, (True,) * len(graph.outputs))
        follows = _following(lanes, here, operands, given, graph)
        some = xp.lift(xp.cast(xp.any(here), np.int64))
        found = lanes.emit(node.op, (some, *follows), graphs=(_zeros_like(made), made))
        results = _chosen(lanes, here, found, results) if k else list(found)
    return results


def _zeros_like(graph: Graph) -> Graph:
    b = Builder("zeros")
    for value in graph.inputs:
        b.input(value.type)
    return b.graph([b.convert(b.constant(v.type.dtype.type(0)), v.type) for v in graph.outputs])


def _chosen(lanes: Lanes, here: Any, new: Sequence[Value], old: Sequence[Value]) -> list[Value]:
    """In the lanes that are here the new values, in the others the old ones."""
    xp, found = lanes.xp, []
    for x, y in zip(new, old, strict=True):
        mask = xp.reshape(here, (lanes.size, *(1,) * (x.type.ndim - 1)))
        found.append(xp.lift(xp.where(mask, xp.wrap(x), xp.wrap(y))))
    return found


def _following(lanes: Lanes, here: Any, values: Sequence[Value], mapped: Flags, graph: Graph) -> Sequence[Value]:
    """What a graph is given in each lane: its own where that is here, else, where it matters, that of one that is."""
    if not lanes.size or not _is_delicate(graph):
        return values
    xp = lanes.xp
    leader = xp.where(here, np.arange(lanes.size), xp.argmax(here))
    return [xp.lift(xp.take(xp.wrap(v), leader, axis=0)) if m else v for v, m in zip(values, mapped, strict=True)]


def _is_delicate(graph: Graph) -> bool:
    """Whether numbers that it is not meant for could make a graph fail, or run for ever."""
    return any(
        isinstance(node.op, (kinds.Library, kinds.Control)) or getattr(node.op, "library", None) is not None
        or (isinstance(node.op, kinds.Indexing) and not isinstance(node.operands[1], Constant))
        or (node.op is OPS["power"] and node.result.type.dtype.kind in "iu")
        for node in graph.nodes
    )


# ----- Loops -----


def _settled(carried: Flags, size: int, ends: Callable[[tuple[bool, ...]], Flags]) -> tuple[bool, ...]:
    """Which carried values have lanes: those that do at first, and those that a step gives them."""
    now = tuple(carried)
    while (then := tuple(a or b for a, b in zip(now, ends(now), strict=True))) != now:
        now = then
    return now


def _while(lanes: Lanes, node: Node, mapped: Flags) -> Sequence[Value]:
    graph, condition, c = node.params["graph"], node.params["condition"], node.params["consts"]
    fixed, size, m = tuple(mapped[:c]), lanes.size, len(mapped) - c

    def parts(carried: tuple[bool, ...]) -> bool:
        return _ends(condition, (*fixed, *carried), size)[0]

    carried = _settled(mapped[c:], size, lambda now: [parts(now) or e for e in _ends(graph, (*fixed, *now), size)[:m]])
    start = [lanes.along(v, has=has) if now else v
             for v, has, now in zip(node.operands[c:], mapped[c:], carried, strict=True)]  # fmt: skip
    if not parts(carried):
        given = (*fixed, *carried)
        made = {"condition": _batched(condition, given, size, ()), "graph": _batched(graph, given, size, carried)}
        return lanes.emit(node.op, [*node.operands[:c], *start], **made, consts=c)
    (first,), _ = spread(lanes, condition, [*node.operands[:c], *start], [*fixed, *carried])
    steps = lanes.along(lanes.xp.builder.constant(np.int64(0)), has=False)
    body, test = _while_some(graph, condition, fixed, size)
    made_ = lanes.emit(node.op, [*node.operands[:c], *start, first, steps], condition=test, graph=body, consts=c)
    return (*made_[:m], made_[m + 1], *made_[m + 3 :])


@functools.lru_cache(maxsize=512)
def _while_some(graph: Graph, condition: Graph, fixed: tuple[bool, ...], size: int) -> tuple[Graph, Graph]:
    """A step of the lanes that are not done, and whether there are any; with what is carried go whether a lane is
    still under way, and its number of steps."""
    b = Builder(graph.name)
    lanes, c = Lanes(Namespace(b), size), len(fixed)
    mapped = (*fixed, *(True,) * (len(graph.inputs) - c))
    given = [b.input(with_lanes(v.type, size) if has else v.type) for v, has in zip(graph.inputs, mapped, strict=True)]
    here, steps = b.input(ArrayType(np.dtype(bool), (size,))), b.input(ArrayType(np.dtype(np.int64), (size,)))
    xp, m = lanes.xp, len(given) - c
    under_way = xp.wrap(here)
    outputs, has = spread(lanes, graph, _following(lanes, under_way, given, mapped, graph), mapped)
    every = [lanes.along(v, has=own) for v, own in zip(outputs[:m], has[:m], strict=True)]
    carry = _chosen(lanes, under_way, every, given[c:])
    (more,), _ = spread(lanes, condition, [*given[:c], *carry], mapped)
    left, count = xp.lift(xp.logical_and(under_way, xp.wrap(more))), xp.lift(xp.add(xp.wrap(steps), under_way))
    body = b.graph([*carry, left, count, *outputs[m:]])
    t = Builder("some")
    inputs = [t.input(v.type) for v in b.inputs]
    test = t.graph([t.emit(OPS["any"], (inputs[-2],), axes=(0,))])
    return body, test


def _scan(lanes: Lanes, node: Node, mapped: Flags) -> Sequence[Value]:
    params, size = node.params, lanes.size
    s, has = Scan.of(params, node.operands), Scan.of(params, mapped)
    fixed, entries, m, graph = tuple(has.consts), tuple(has.xs), len(s.carry), s.graph
    ragged = any(has.steps)
    carried = _settled(
        has.carry, size, lambda now: [ragged or e for e in _ends(graph, (*fixed, *now, *entries), size)[:m]])
    start = [lanes.along(v, has=own) if now else v for v, own, now in zip(s.carry, has.carry, carried, strict=True)]
    xs = [lanes.moved(x, 0, 1) if own and s.length != STEPS else x for x, own in zip(s.xs, entries, strict=True)]
    given = (*fixed, *carried, *entries)
    if ragged:
        made = _scan_some(lanes, s, given, start, xs)
    else:
        body = _batched(graph, given, size, carried)
        made = lanes.emit(node.op, [*s.steps, *s.consts, *start, *xs], **{**params, "graph": body})
    if s.length == STEPS:
        return made
    return [v if v.type.ndim == one.type.ndim or i < m else lanes.moved(v, 1, 0)
            for i, (v, one) in enumerate(zip(made, node.results, strict=True))]  # fmt: skip


def _scan_some(
    lanes: Lanes, s: Scan, given: tuple[bool, ...], start: Sequence[Value], xs: Sequence[Value]
) -> tuple[Value, ...]:
    """Over stacks of which each lane filled so many entries as it took steps."""
    xp, (steps,), m = lanes.xp, s.steps, len(s.carry)
    longest = xp.max(xp.concatenate([xp.wrap(steps), np.zeros(1, np.int64)]))
    place = xp.lift(longest - 1) if s.reverse else xp.builder.constant(np.int64(0))
    body = _step_of_some(s.graph, len(s.consts), m, given, lanes.size, s.reverse)
    made = lanes.emit(
        OPS["scan"], [xp.lift(longest), steps, *s.consts, *start, place, *xs], graph=body, consts=len(s.consts) + 1,
        carries=m + 1, length=s.length, reverse=s.reverse,
    )  # fmt: skip
    return (*made[:m], *made[m + 1 :])


@functools.lru_cache(maxsize=512)
def _step_of_some(graph: Graph, c: int, m: int, mapped: tuple[bool, ...], size: int, reverse: bool) -> Graph:
    """A step of the lanes that have an entry here."""
    b = Builder(graph.name)
    lanes, count = Lanes(Namespace(b), size), ArrayType(np.dtype(np.int64))
    xp, steps = lanes.xp, b.input(with_lanes(count, size))
    types = [with_lanes(v.type, size) if has else v.type for v, has in zip(graph.inputs, mapped, strict=True)]
    given = [b.input(t) for t in types[: c + m]]
    place = b.input(count)
    given += [b.input(t) for t in types[c + m :]]
    here = xp.less(xp.wrap(place), xp.wrap(steps))
    outputs, has = spread(lanes, graph, _following(lanes, here, given, mapped, graph), mapped)
    every = [lanes.along(v, has=own) for v, own in zip(outputs[:m], has[:m], strict=True)]
    carry = _chosen(lanes, here, every, given[c : c + m])
    then = xp.lift(xp.wrap(place) + (-1 if reverse else 1))
    return b.graph([*carry, then, *outputs[m:]])


RULES: dict[str, Callable[[Lanes, Node, Flags], Sequence[Value]]] = {
    "call": _call,
    "checkpoint": _call,
    "custom": _custom,
    "linear": _linear,
    "linear_solve": _linear_solve,
    "switch": _switch,
    "while": _while,
    "scan": _scan,
}


def control(lanes: Lanes, node: Node, mapped: Flags) -> Sequence[Value]:
    """A control node of which some operands have lanes; results have them where it may be that they differ."""
    return RULES[node.op.name](lanes, node, mapped)
