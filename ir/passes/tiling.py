"""A few samples at a time: long axes cut into tiles, so that what one loop leaves for the next is still in the cache.

A program that treats 100,000 samples writes each intermediate array to memory and reads it again.  Where samples are
treated side by side (:mod:`wengert.ir.passes.lanes`), the same nodes run on a tile of samples, then on the next: a
``scan`` whose steps are tiles.  What is summed over the samples is summed over a tile, and then over tiles.
No value changes but by the order of such sums.  Where a tile is too large for the nearest caches, work on it
is cut along another axis again.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence

from attrs import evolve

from wengert.ir.build import Builder
from wengert.ir.collecting import uncollected
from wengert.ir.graph import Constant, Graph, Node, Renamed, Value
from wengert.ir.ops import OPS
from wengert.ir.passes.basic import dead_code
from wengert.ir.passes.last import emit_last, moved, narrowed
from wengert.ir.passes.tiles import Plan, Region, bytes_of, planned

__all__ = ["tiled"]

#: How many parts are added at once.
FEW = 8


@uncollected()
def tiled(graph: Graph, parts: int = 1, times: int = 1) -> Graph:
    """The graph with its long stretches of work on samples as scans over tiles, where that saves enough traffic.

    A scan that carries sums from tile to tile is in ``parts``, which can run at once: scans in a scan, each with sums
    of its own.  The graph runs so many ``times``, as a part of another.
    """
    plan = planned(graph, parts, times)
    return _Tiling(graph, plan).run() if plan is not None else graph


class _Tiling:
    """The graph written again, by a plan."""

    def __init__(self, graph: Graph, plan: Plan) -> None:
        self.graph, self.plan = graph, plan
        self.builder = Builder(graph.name)
        self.builder.inputs.extend(graph.inputs)
        self.env = Renamed(self.builder.adopt)

    def run(self) -> Graph:
        plan, b = self.plan, self.builder
        for k in range(max((*plan.outside, *plan.regions), default=-1) + 1):
            for node in plan.outside[k]:
                self._copy(node)
            if plan.regions[k].rows:
                self._scan(plan.regions[k])
            else:
                for node in plan.regions[k].nodes:
                    if node.result not in self.env:
                        self._copy(node)
        for guard in self.graph.guards:
            b.guard(self._at(guard.value), guard.expected, guard.location)
        outputs = tuple(map(self._at, self.graph.outputs))
        return dead_code(self.graph.evolve(nodes=tuple(b.nodes), outputs=outputs, guards=tuple(b.guards)))

    def _at(self, value: Value) -> Value:
        if value not in self.env and value in self.plan.sources:
            self._copy(self.plan.sources[value])
        return self.env[value]

    def _copy(self, node: Node) -> None:
        self.builder.nodes.append(evolve(node, operands=tuple(map(self._at, node.operands))))
        self.env.update(zip(node.results, node.results, strict=True))

    # -- a region ---------------------------------------------------------------------------------

    def _scan(self, region: Region) -> None:
        b, rows, tiles = self.builder, region.rows, self.plan.tiles(region, region.rows)
        part = _Part(self.plan, region, tiles)
        b.location = region.nodes[0].location
        consts = [self._at(v) for v in part.consts]
        lanes = [moved(b, self._at(v), self.plan.lanes[v], 0) for v in part.given]
        several = self.plan.parts if part.carried else 1
        lead = (several, tiles // several) if several > 1 else (tiles,)
        entries = [_reshaped(b, _rows(b, x, 0, tiles * rows), (*lead, rows, *x.type.shape[1:])) for x in lanes]
        entries = [moved(b, x, len(lead), region.place(x, len(lead))) for x in entries]
        made = _loop(b, part, rows, consts, entries)
        m, p = len(part.carried), len(part.paired)
        if several > 1:
            made = [*(_added(b, v) for v in made[:m]), *(_reshaped(b, v, (tiles, *v.type.shape[2:])) for v in made[m:])]
        sums = [*made[:m], *(_sum(b, v) for v in made[m : m + p])]
        left = [moved(b, v, region.place(v, 1), 1) for v in made[m + p :]]
        left = [_reshaped(b, v, (tiles * rows, *v.type.shape[2:])) for v in left]
        if rest := self.plan.length - tiles * rows:
            last = [_rows(b, x, tiles * rows, rest) for x in lanes]
            last = [moved(b, x, 0, region.place(x, 0)) for x in last]
            ends = b.inline(part.body(rest, carried=False), [*consts, *last])
            sums = [b.emit(OPS["add"], pair) for pair in zip(sums, ends, strict=False)]
            last = [moved(b, x, region.place(x, 0), 0) for x in ends[len(sums) :]]
            left = [b.emit(OPS["concatenate"], pair, axis=0) for pair in zip(left, last, strict=True)]
        self.env.update(zip((*part.carried, *part.paired), sums, strict=True))
        for v, whole in zip(part.leaving, left, strict=True):
            self.env[v] = moved(b, whole, 0, self.plan.lanes[v])


def _loop(b: Builder, part: _Part, rows: int, consts: Sequence[Value], entries: Sequence[Value]) -> list[Value]:
    """The scan over the first axis of the entries: what is carried, and what each step gives.

    Where tiles are the second axis, a scan of scans: each step gives what it has carried, too.
    """
    if (entries[0].type.ndim - part.given[0].type.ndim) == 2:
        inner = Builder("tiles")
        steps = [inner.input(v.type.with_shape(v.type.shape[1:])) for v in entries]
        known = [inner.input(v.type) for v in consts]
        found = _loop(inner, part, rows, known, steps)
        inner.inputs = [*known, *steps]
        body, zeros = inner.graph(found), []
    else:
        body = part.body(rows, carried=True)
        zeros = [_zeros(b, v) for v in part.carried]
    made = b.emit_all(OPS["scan"], [*consts, *zeros, *entries], graph=body, consts=len(consts), carries=len(zeros),
                      length=entries[0].type.shape[0], reverse=False)  # fmt: skip
    return list(made)


class _Part:
    """The nodes of a region, as a graph of some rows."""

    def __init__(self, plan: Plan, region: Region, tiles: int) -> None:
        self.plan, self.region, nodes = plan, region, region.nodes
        made = {v for node in nodes for v in node.results}
        operands = dict.fromkeys(v for node in nodes for v in node.operands if v not in made)
        consts = dict.fromkeys(v for v in operands if v not in plan.lanes)
        for v in operands:
            if v in plan.sources:
                consts.update(dict.fromkeys(self._roots(v)))
        self.consts = [v for v in consts if not isinstance(v, Constant)]
        self.given = [v for v in operands if v in plan.lanes and v not in plan.sources]
        sums = [node.result for node in nodes if plan.summed(node)]
        self.carried = [v for v in sums if plan.carries(bytes_of(v), tiles)]
        self.paired = [v for v in sums if v not in self.carried]
        self.leaving = [v for node in nodes for v in node.results if v in plan.leaving]

    def _roots(self, value: Value) -> Iterable[Value]:
        """What a source is made from."""
        if value not in self.plan.sources:
            return (value,)
        return (root for v in self.plan.sources[value].operands for root in self._roots(v))

    def body(self, rows: int, *, carried: bool) -> Graph:
        """From (consts, what is carried, rows of each array) to (sums, what leaves)."""
        b, plan = Builder("tile"), self.plan
        env = Renamed(b.adopt)
        for v in self.consts:
            env[v] = b.input(v.type)
        before = [b.input(v.type) for v in self.carried] if carried else []
        last = self.region.last
        for v in self.given:
            axis, shape = plan.lanes[v], v.type.shape
            others = *shape[:axis], *shape[axis + 1 :]
            entry = b.input(v.type.with_shape((*others, rows) if last else (rows, *others)))
            env[v] = entry if last else moved(b, entry, 0, axis)

        def at(value: Value) -> Value:
            if value not in env and value in plan.sources:
                emit(plan.sources[value])
            return env[value]

        def emit(node: Node) -> None:
            operands = tuple(map(at, node.operands))
            b.location = node.location
            params = node.params if node.result not in plan.lanes else narrowed(node, plan.lanes[node.result], rows)
            if last and node in plan.strands:
                env[node.result] = emit_last(b, node, operands, plan.strands[node], params)
                return
            env[node.result] = made = b.emit(node.op, operands, **params)
            if last:  # the same for all lanes
                env[node.result] = moved(b, made, plan.lanes[node.result], made.type.ndim - 1)

        for node in self.region.nodes:
            emit(node)
        sums = [env[v] for v in self.carried]
        if carried:
            sums = [b.emit(OPS["add"], pair) for pair in zip(before, sums, strict=True)]
        ends = [env[v] if last else moved(b, env[v], plan.lanes[v], 0) for v in self.leaving]
        body = dead_code(b.graph([*sums, *(env[v] for v in self.paired), *ends]))
        return tiled(body, times=plan.length // rows if carried else 1)


def _rows(b: Builder, value: Value, start: int, count: int) -> Value:
    shape = value.type.shape
    if shape[0] == count:
        return value
    still = (0,) * (len(shape) - 1)
    return b.emit(OPS["slice"], (value,), start=(start, *still), size=(count, *shape[1:]), step=(1,) * len(shape))


def _reshaped(b: Builder, value: Value, shape: tuple[int, ...]) -> Value:
    return b.emit(OPS["reshape"], (value,), shape=shape)


def _zeros(b: Builder, value: Value) -> Value:
    zero = b.constant(value.type.dtype.type(0))
    return b.emit(OPS["broadcast_to"], (zero,), shape=value.type.shape)


def _added(b: Builder, value: Value) -> Value:
    """The sum over the first axis; of few as one loop that reads all of them."""
    if (count := value.type.shape[0]) > FEW:
        return _sum(b, value)
    rows = (_reshaped(b, _rows(b, value, k, 1), value.type.shape[1:]) for k in range(count))
    return functools.reduce(lambda x, y: b.emit(OPS["add"], (x, y)), rows)


def _sum(b: Builder, value: Value) -> Value:
    return b.emit(OPS["sum"], (value,), axes=(0,))
