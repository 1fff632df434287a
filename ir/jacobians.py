"""Jacobians, graph to graph: all rows or columns at once, and no work on the zeros of unit vectors."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from wengert.ir import autodiff, kinds
from wengert.ir.build import Namespace
from wengert.ir.graph import Graph, Renamed, Value
from wengert.ir.passes import dead_code, simplify
from wengert.ir.sharing import Sharing
from wengert.ir.unit_lanes import Form, Unit, Walk

__all__ = ["jacobian_graph", "work"]


def jacobian_graph(graph: Graph, active: tuple[int, ...], *, forward: bool) -> Graph:
    """The outputs of a real graph, and then for each of them a block for each active input.

    A block has the shape ``(*output.shape, *input.shape)`` and the input's dtype.
    """
    count, inner = len(graph.inputs), len(graph.outputs)
    derived = (autodiff.jvp if forward else autodiff.vjp)(graph, active)
    b = Sharing(f"{graph.name}_jacobian")
    seeds = derived.inputs[count:]
    walk = Walk(Namespace(b), sum(v.type.size for v in seeds), forward)
    forms: dict[Value, Form] = {}
    first = 0
    for seed in seeds:
        lane = np.arange(first, first + seed.type.size).reshape(seed.type.shape)
        forms[seed] = Unit(walk.xp.lift(walk.xp.full(seed.type.shape, 1, seed.type.dtype)), lane)
        first += seed.type.size
    given = [b.input(v.type, v.name) for v in graph.inputs]
    env = Renamed(b.adopt, zip(derived.inputs[:count], given, strict=True))
    for node in derived.nodes:
        b.location = node.location
        here = [forms[v] if v in forms else env[v] for v in node.operands]
        if any(not isinstance(x, Value) for x in here):
            for value, found in zip(node.results, walk.follow(node, here), strict=True):
                if isinstance(found, Value):
                    env[value] = found
                else:
                    forms[value] = found
        else:
            env.update(zip(node.results, b.emit_all(node.op, here, **node.params), strict=True))  # type: ignore[arg-type]
    for guard in derived.guards:
        b.guard(env[guard.value], guard.expected, guard.location)
    moved = [walk.filled(forms[v] if v in forms else walk.nothing(env[v])) for v in derived.outputs[inner:]]
    sources = [graph.inputs[i] for i in active]
    blocks = _blocks(walk, moved, graph.outputs, sources)
    return simplify(dead_code(b.graph([*(env[v] for v in derived.outputs[:inner]), *blocks])))


def _blocks(walk: Walk, moved: Sequence[Value], of: Sequence[Value], wrt: Sequence[Value]) -> list[Value]:
    xp = walk.xp

    def block(i: int, j: int) -> Value:
        lanes, k, lines = (wrt, j, moved[i]) if walk.forward else (of, i, moved[j])
        first, size = sum(v.type.size for v in lanes[:k]), lanes[k].type.size
        end = lines.type.shape[:-1] if walk.forward else lines.type.shape[1:]
        whole, zero = (0,) * len(end), (1,) * (len(end) + 1)
        start, box = ((*whole, first), (*end, size)) if walk.forward else ((first, *whole), (size, *end))
        part = xp.wrap(lines)
        if size != walk.size:
            part = xp.slice(part, start=start, size=box, step=zero)
        shaped = xp.reshape(part, (*of[i].type.shape, *wrt[j].type.shape))
        return xp.lift(xp.cast(shaped, wrt[j].type.dtype))

    return [block(i, j) for i in range(len(of)) for j in range(len(wrt))]


def work(graph: Graph) -> int:
    """About how many numbers are computed: what two ways to the same end are compared by."""
    total = 0
    for node in graph.nodes:
        if isinstance(node.op, kinds.Contraction):
            x, y, _ = kinds.Contraction.split(node.params["subscripts"])
            shapes = node.operands[0].type.shape + node.operands[1].type.shape
            sizes = dict(zip(x + y, shapes, strict=True))
            total += math.prod(sizes.values())
        else:
            total += max(v.type.size for v in (*node.operands, *node.results))
    return total
