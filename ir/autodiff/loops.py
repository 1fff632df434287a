"""Derivatives of loops: values and tangents in one, or a loop that keeps what a second, linear one needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from wengert.ir.autodiff.pushing import Pushed, Scan, Tangent, emit, positions, reading, spread, there
from wengert.ir.autodiff.residuals import bytes_of
from wengert.ir.autodiff.subgraphs import dual, parted, zeros
from wengert.ir.build import Builder
from wengert.ir.graph import Graph, Node, Value
from wengert.ir.ops import OPS
from wengert.ir.types import SHORT_NAMES, STEPS, cotangent_type

#: From so many bytes on, which no longer stay in a processor's cache, cheap work is done again rather than kept.
_LARGE = 2**18

__all__ = ["scan_fused", "scan_split", "while_fused", "while_split"]


def _carried(tangents: Sequence[Tangent], ends: Callable[[set[int]], Sequence[int]]) -> tuple[int, ...]:
    """Which carried values move: those that do at first, and those that a step makes move."""
    active = {i for i, t in enumerate(tangents) if t is not None}
    while not (more := set(ends(active))) <= active:
        active |= more
    return tuple(sorted(active))


def _initial(b: Builder, operands: Sequence[Value], tangents: Sequence[Tangent], active: Sequence[int]) -> list[Value]:
    return [zeros(b, operands[i]) if (t := tangents[i]) is None else t for i in active]


def while_fused(b: Builder, params: Any, operands: Sequence[Value], tangents: Sequence[Tangent]) -> Pushed:
    graph, c = params["graph"], params["consts"]
    m = len(operands) - c
    fixed = positions(tangents[:c])
    moving = _carried(tangents[c:], lambda s: [
        i for i in dual(graph, (*fixed, *(c + i for i in sorted(s)))).ends if i < m])  # fmt: skip
    active = (*fixed, *(c + i for i in moving))
    found = dual(graph, active)
    ys = [i for i in found.ends if i >= m]
    whole = dual(graph, active, (*moving, *ys)).graph
    n, k, q = len(graph.inputs), len(fixed), len(moving)
    ins, outs, count = whole.inputs, whole.outputs, len(graph.outputs)
    body = whole.evolve(
        inputs=(*ins[:c], *ins[n : n + k], *ins[c:n], *ins[n + k :]),
        outputs=(*outs[:m], *outs[count : count + q], *outs[m:count], *outs[count + q :]),
    )
    condition = reading(params["condition"], [*range(c), *range(c + k, c + k + m)], [v.type for v in body.inputs])
    given = [*operands[:c], *there(tangents[:c]), *operands[c:], *_initial(b, operands[c:], tangents[c:], moving)]
    made = emit(b, "while", given, condition=condition, graph=body, consts=c + k)
    carry, dcarry, rest = made[:m], made[m : m + q], made[m + q :]
    results = (*carry, *rest[: 1 + count - m])
    moved = spread(len(results), [*moving, *(1 + i for i in ys)], [*dcarry, *rest[1 + count - m :]])
    return results, moved


def while_split(
    b: Builder, params: Any, operands: Sequence[Value], tangents: Sequence[Tangent], *, within: bool
) -> Pushed:
    """The steps taken are counted, and what each needs is stacked: the linear part is a scan over the stacks."""
    graph, c = params["graph"], params["consts"]
    m = len(operands) - c
    fixed = positions(tangents[:c])
    moving = _carried(tangents[c:], lambda s: [
        i for i in parted(graph, (*fixed, *(c + i for i in sorted(s))), within=True).ends if i < m])  # fmt: skip
    active = (*fixed, *(c + i for i in moving))
    ys = [i for i in parted(graph, active, within=True).ends if i >= m]
    parts = parted(graph, active, (*moving, *ys), consts=c, within=True)
    count = len(graph.outputs)
    primal, carried = _giving(parts.primal, [i for i in parts.inputs if i >= c])
    made = emit(b, "while", operands, condition=params["condition"], graph=primal, consts=c)
    results, kept = made[: count + 1], made[count + 1 :]
    steps, saved = made[m], dict(zip(carried, kept[len(kept) - len(carried) :], strict=True))
    before = b.inline(parts.before, operands[:c])
    moved = _linear_scan(
        b, parts, operands[:c], before, saved, kept[: len(kept) - len(carried)],
        (there(tangents[:c]), _initial(b, operands[c:], tangents[c:], moving), []), STEPS, [steps],
        reverse=False,
    )  # fmt: skip
    return results, spread(len(results), [*moving, *(1 + i for i in ys)], moved)


def _giving(graph: Graph, inputs: Sequence[int]) -> tuple[Graph, list[int]]:
    """The graph that also gives some of its inputs."""
    return graph.evolve(outputs=(*graph.outputs, *(graph.inputs[i] for i in inputs))), list(inputs)


def _linear_scan(
    b: Builder, parts: Any, consts: Sequence[Value], before: Sequence[Value], saved: dict[int, Value],
    stacked: Sequence[Value], tangents: tuple[list[Value], list[Value], list[Value]], length: int,
    steps: Sequence[Value], *, reverse: bool,
) -> tuple[Value, ...]:
    """The scan of a linear graph: ``saved`` are the stacks of the inputs it reads, ``stacked`` those of the rest."""
    dconsts, dcarry, dxs = tangents
    ins, c = parts.linear.inputs, len(consts)
    fixed, varying = [i for i in parts.inputs if i < c], [i for i in parts.inputs if i >= c]
    a, f, r = len(parts.inputs), len(before), len(stacked)
    at = {i: ins[k] for k, i in enumerate(parts.inputs)}
    first = a + f + r
    body = parts.linear.evolve(inputs=(
        *(at[i] for i in fixed), *ins[a : a + f], *ins[first : first + len(dconsts) + len(dcarry)],
        *(at[i] for i in varying), *ins[a + f : first], *ins[first + len(dconsts) + len(dcarry) :],
    ))  # fmt: skip
    body = _of_entries(body, len(fixed) + f + len(dconsts) + len(dcarry))
    operands = [
        *steps, *(consts[i] for i in fixed), *before, *dconsts, *dcarry, *(saved[i] for i in varying), *stacked, *dxs,
    ]  # fmt: skip
    return emit(b, "scan", operands, graph=body, consts=len(fixed) + f + len(dconsts), carries=len(dcarry),
                 length=length, reverse=reverse)  # fmt: skip


def _of_entries(graph: Graph, first: int) -> Graph:
    """The graph as one of entries of stacks, which are arrays: a Python number that was kept is made one again."""
    inputs, casts = list(graph.inputs), []
    for i, v in enumerate(graph.inputs[first:], first):
        if v.type.weak:
            inputs[i] = Value(cotangent_type(v.type))
            params = {"dtype": SHORT_NAMES[v.type.dtype], "weak": True}
            casts.append(Node(OPS["cast"], (inputs[i],), params, (v,)))
    return graph.evolve(inputs=tuple(inputs), nodes=(*casts, *graph.nodes)) if casts else graph


def scan_fused(b: Builder, params: Any, operands: Sequence[Value], tangents: Sequence[Tangent]) -> Pushed:
    s, t = Scan.of(params, operands), Scan.of(params, tangents)
    c, m, graph = len(s.consts), len(s.carry), s.graph
    fixed, varying = positions(t.consts), positions(t.xs)

    def active(moving: Sequence[int]) -> tuple[int, ...]:
        return (*fixed, *(c + i for i in moving), *(c + m + i for i in varying))

    moving = _carried(t.carry, lambda found: [i for i in dual(graph, active(sorted(found))).ends if i < m])
    ys = [i for i in dual(graph, active(moving)).ends if i >= m]
    whole = dual(graph, active(moving), (*moving, *ys)).graph
    n, k, q, count = len(graph.inputs), len(fixed), len(moving), len(graph.outputs)
    ins, outs = whole.inputs, whole.outputs
    body = whole.evolve(
        inputs=(
            *ins[:c], *ins[n : n + k], *ins[c : c + m], *ins[n + k : n + k + q], *ins[c + m : n], *ins[n + k + q :],
        ),
        outputs=(*outs[:m], *outs[count : count + q], *outs[m:count], *outs[count + q :]),
    )
    given = [
        *s.steps, *s.consts, *there(t.consts), *s.carry, *_initial(b, s.carry, t.carry, moving), *s.xs, *there(t.xs),
    ]  # fmt: skip
    made = emit(b, "scan", given, graph=body, consts=c + k, carries=m + q, length=s.length, reverse=s.reverse)
    results = (*made[:m], *made[m + q : q + count])
    return results, spread(count, [*moving, *ys], [*made[m : m + q], *made[q + count :]])


def scan_split(
    b: Builder, params: Any, operands: Sequence[Value], tangents: Sequence[Tangent], *, within: bool
) -> Pushed:
    s, t = Scan.of(params, operands), Scan.of(params, tangents)
    c, m, graph = len(s.consts), len(s.carry), s.graph
    fixed, varying = positions(t.consts), positions(t.xs)

    def active(moving: Sequence[int]) -> tuple[int, ...]:
        return (*fixed, *(c + i for i in moving), *(c + m + i for i in varying))

    moving = _carried(
        t.carry, lambda found: [i for i in parted(graph, active(sorted(found)), within=True).ends if i < m])
    ys = [i for i in parted(graph, active(moving), within=True).ends if i >= m]
    parts = parted(graph, active(moving), (*moving, *ys), consts=c, within=True)
    count = len(graph.outputs)
    if s.length * bytes_of(parts.primal.outputs[count:]) > _LARGE:
        parts = parted(graph, active(moving), (*moving, *ys), consts=c, within=True, lean=True)
    primal, carried = _giving(parts.primal, [i for i in parts.inputs if c <= i < c + m])
    made = emit(b, "scan", operands, **{**params, "graph": primal})
    kept = made[count:]
    stacked, own = kept[: len(kept) - len(carried)], kept[len(kept) - len(carried) :]
    saved = {**dict(zip(carried, own, strict=True)), **{c + m + i: x for i, x in enumerate(s.xs)}}
    before = b.inline(parts.before, s.consts)
    tangents_ = (there(t.consts), _initial(b, s.carry, t.carry, moving), there(t.xs))
    moved = _linear_scan(b, parts, s.consts, before, saved, stacked, tangents_, s.length, s.steps, reverse=s.reverse)
    return made[:count], spread(count, [*moving, *ys], moved)


