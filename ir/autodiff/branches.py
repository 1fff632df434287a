"""Derivatives of a switch: the same switch between the derivatives of its branches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wengert.ir.autodiff.pushing import Pushed, Tangent, emit, positions, reading, spread, there
from wengert.ir.autodiff.subgraphs import dual, parted
from wengert.ir.build import Builder
from wengert.ir.graph import Graph, Value
from wengert.ir.types import ArrayType

__all__ = ["switch_fused", "switch_split"]


def switch_fused(b: Builder, params: Any, operands: Sequence[Value], tangents: Sequence[Tangent]) -> Pushed:
    graphs, active = params["graphs"], positions(tangents[1:])
    n = len(graphs[0].outputs)
    ends = tuple(sorted({i for graph in graphs for i in dual(graph, active).ends}))
    duals = tuple(dual(graph, active, ends).graph for graph in graphs)
    made = emit(b, "switch", [*operands, *there(tangents)], graphs=duals)
    return made[:n], spread(n, ends, made[n:])


def switch_split(
    b: Builder, params: Any, operands: Sequence[Value], tangents: Sequence[Tangent], *, within: bool
) -> Pushed:
    """Every branch gives all that any of them needs, in slots that they share by type; zeros where it has nothing."""
    graphs, active = params["graphs"], positions(tangents[1:])
    n = len(graphs[0].outputs)
    ends = tuple(sorted({i for graph in graphs for i in parted(graph, active, within=True).ends}))
    parts = [parted(graph, active, ends, within=True) for graph in graphs]
    slots: list[ArrayType] = []
    chosen: list[list[int]] = []
    for part in parts:
        free, mine = dict(enumerate(slots)), []
        for value in part.primal.outputs[n:]:
            at = next((i for i, type_ in free.items() if type_ == value.type), len(slots))
            if at == len(slots):
                slots.append(value.type)
            free.pop(at, None)
            mine.append(at)
        chosen.append(mine)
    primal = tuple(_with_slots(part.primal, n, mine, slots) for part, mine in zip(parts, chosen, strict=True))
    used = sorted({i for part in parts for i in part.inputs})
    moving = there(tangents)
    types = [*(operands[1 + i].type for i in used), *slots, *(t.type for t in moving)]
    linear = tuple(
        reading(part.linear, [*(used.index(i) for i in part.inputs), *(len(used) + i for i in mine),
                               *range(len(used) + len(slots), len(types))], types)
        for part, mine in zip(parts, chosen, strict=True)
    )  # fmt: skip
    made = emit(b, "switch", operands, graphs=primal)
    known = [*(operands[1 + i] for i in used), *made[n:]]
    moved = emit(b, "switch", [operands[0], *known, *moving], graphs=linear) if ends else ()
    return made[:n], spread(n, ends, moved)


def _with_slots(graph: Graph, n: int, mine: Sequence[int], slots: Sequence[ArrayType]) -> Graph:
    """The graph with what it gives beyond ``n`` outputs in its slots, and zeros in the others."""
    b = Builder(graph.name)
    b.inputs.extend(graph.inputs)
    b.nodes.extend(graph.nodes)
    extra = dict(zip(mine, graph.outputs[n:], strict=True))
    filled = [extra[i] if i in extra else b.convert(b.constant(t.dtype.type(0)), t) for i, t in enumerate(slots)]
    return b.graph([*graph.outputs[:n], *filled])


