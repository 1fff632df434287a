"""A few samples at a time: long axes cut into tiles, so that what one loop leaves for the next is still in the cache.

A program that treats 100,000 samples writes each intermediate array to memory and reads it again.  Where samples are
treated side by side (:mod:`wengert.ir.passes.lanes`), the same nodes run on a tile of samples, then on the next: a
``scan`` whose steps are tiles.  What is summed over the samples is summed over a tile, and then over tiles.
No value changes but by the order of such sums.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

from attrs import define, evolve, field

from wengert.ir.build import Builder
from wengert.ir.graph import Constant, Graph, Node, Renamed, Value
from wengert.ir.kinds import Contraction, Elementwise, Movement, Reduction
from wengert.ir.ops import OPS
from wengert.ir.passes.lanes import Lanes, Strand, together
from wengert.ir.passes.last import emit_last, moved, narrowed

__all__ = ["tiled"]

#: Bytes: what stays in the nearest caches, and what stays in any.
NEAR, FAR = 1 << 19, 1 << 23
#: How much a byte costs from a near cache, from a far one, and from memory.
COSTS = (0.1, 0.3, 1.0)
#: Traffic, in weighed bytes, below which nothing is worth a loop more.
LEAST = 1 << 20
#: How much of the traffic may be left.
GAIN = 0.7
#: How much better tiles that leave rows over have to be: these are a second program to compile.
REST = 1.5
#: What a byte costs that is copied into another order.
TURNED = 6
#: Elements after the lanes below which lines are short; how much work on such lines there is for each element that is
#: copied into another order, if the lanes are to lie last; the lanes of a vector: then they come in so many.
SHORT, WORTH, EVEN = 16, 8, 8
#: The least rows of a tile.
FEWEST = 8
#: What starting a tile costs, in weighed bytes.
START = 4096
#: Bytes of a sum that each tile gives on its own, to be added in pairs, and of those of all tiles: threads can share
#: these.  Larger ones are carried from tile to tile.
SMALL, SHARED = 4096, 1 << 20


def tiled(graph: Graph, parts: int = 1) -> Graph:
    """The graph with its long stretches of work on samples as scans over tiles, where that saves enough traffic.

    A scan that carries sums from tile to tile is in ``parts``, which can run at once: scans in a scan, each with sums
    of its own.
    """
    if sum(_bytes(v) for node in graph.nodes for v in node.results) < LEAST or graph.sizes is not None:
        return graph
    plans = [_Plan(graph, lanes, parts) for lanes in Lanes(graph).classes() if sum(map(_bytes, lanes)) >= LEAST]
    paying = [plan for plan in plans if any(region.rows for region in plan.regions.values())]
    return _Tiling(graph, max(paying, key=lambda plan: plan.saved)).run() if paying else graph


def _bytes(value: Value) -> int:
    return max(value.type.size, 0) * value.type.dtype.itemsize


def _weighed(traffic: float, size: float) -> float:
    """Traffic to and from something of this size that is used again and again: what is too much comes from further."""
    near, far = min(size, NEAR), min(max(size - NEAR, 0), FAR - NEAR)
    return traffic * sum(c * part for c, part in zip(COSTS, (near, far, size - near - far), strict=True)) / (size or 1)


@define
class Region:
    """Nodes that can run tile by tile, the rows of a tile, 0 where that does not pay, and whether lanes lie last."""

    nodes: list[Node] = field(factory=list)
    rows: int = 0
    last: bool = False

    def place(self, value: Value, first: int) -> int:
        """Where the lanes are of a value whose other axes in a tile come after the first ones."""
        return value.type.ndim - 1 if self.last else first


class _Plan:
    """What can be tiled along one class of axes.

    The nodes outside of phase k run before region k: all that they need of the lanes is from the regions before.
    """

    def __init__(self, graph: Graph, lanes: dict[Value, int], parts: int) -> None:
        self.lanes, self.parts = lanes, parts
        self.length = next(v.type.shape[axis] for v, axis in lanes.items())
        self.producer = {v: node for node in graph.nodes for v in node.results}
        self.uses = Counter(graph.used_values())
        self.outside: dict[int, list[Node]] = defaultdict(list)
        self.regions: dict[int, Region] = defaultdict(Region)
        self.strands: dict[Node, Strand] = {}
        #: What is the same for every lane: made where it is needed.
        self.sources: dict[Value, Node] = {}
        self._phase: dict[Value, int] = {}
        for node in graph.nodes:
            self._enlist(node)
        region_of = {node: region for region in self.regions.values() for node in region.nodes}
        #: The values of lanes that are needed beyond their region.
        self.leaving = {v for v in graph.guarded_outputs if v in self.lanes}
        for node in graph.nodes:
            for v in node.operands:
                if v in lanes and region_of.get(self.producer.get(v)) is not region_of.get(node):  # type: ignore[arg-type]
                    self.leaving.add(v)
        self.saved = sum(map(self._choose, self.regions.values()))

    def _enlist(self, node: Node) -> None:
        strand = self._follow(node)
        phase = max((self._phase.get(v, 0) for v in node.operands), default=0)
        if strand is None:
            phase += any(self.producer.get(v) in self.strands and self._phase[v] == phase for v in node.operands)
            self.outside[phase].append(node)
        elif not strand.operands:
            self.sources[node.result] = node
        else:
            self.strands[node] = strand
            self.regions[phase].nodes.append(node)
            phase += strand.result is None
        self._phase.update(dict.fromkeys(node.results, phase))

    def _follow(self, node: Node) -> Strand | None:
        """The strand of the lanes, if all that the node has of them is in it."""
        given = {k: self.lanes[v] for k, v in enumerate(node.operands) if v in self.lanes}
        result = next((self.lanes[v] for v in node.results if v in self.lanes), None)
        if not given and result is None:
            return None
        for strand in together(node):
            if strand.result == result and strand.operands == given:
                return strand if result is not None or node.result.type.dtype.kind in "fc" else None
        return None

    def summed(self, node: Node) -> bool:
        """Whether a node of a region gives a sum over the lanes."""
        return self.strands[node].result is None

    def carries(self, size: int, tiles: int) -> bool:
        """Whether a sum of so many bytes is carried from tile to tile."""
        return size > max(SMALL, SHARED // tiles)

    def tiles(self, region: Region, rows: int) -> int:
        """How many whole tiles of so many rows, the same number in each part."""
        tiles = self.length // rows
        carry = any(self.summed(node) and self.carries(_bytes(node.result), tiles) for node in region.nodes)
        return tiles // self.parts * self.parts if carry else tiles

    # -- does it pay ------------------------------------------------------------------------------

    def _choose(self, region: Region) -> float:
        """Choose the rows of a tile; the traffic that this saves."""
        made = {v for node in region.nodes for v in node.results}
        read = {v for node in region.nodes for v in node.operands}
        given = {v for v in read - made if v in self.lanes and v not in self.sources}
        if not given:  # every lane is the same
            return 0.0
        stored, whole, sums = 0, 0, 0
        readers: dict[Value, int] = defaultdict(int)
        for node in region.nodes:
            if isinstance(node.op, (Elementwise, Movement)) or self._folds(node):
                continue
            if self.summed(node):
                sums += _bytes(node.result)
            elif node.result in read:
                stored += _bytes(node.result)
            for value in node.operands:
                if value in self.lanes:
                    readers[self._origin(value)] += 1
                else:
                    whole += _bytes(value)
        stored += sum(_bytes(v) for v in readers if v in made and isinstance(self.producer[v].op, Elementwise))
        again = sum(_bytes(v) * (count - (v not in made)) for v, count in readers.items())
        traffic, n = stored + again, self.length
        before = _weighed(traffic, traffic)
        leaving = self.leaving & made
        copied = sum(map(_bytes, leaving))
        outer = leaving | given
        last = self._short(region) > WORTH * sum(v.type.size for v in outer if self.lanes[v] < v.type.ndim - 1)
        #: Where the lanes do not lie outside as in a tile, an array is copied, element by element.
        turned = sum(_bytes(v) for v in outer if self.lanes[v] or last)

        def after(rows: int) -> float:
            rest = n - self.tiles(region, rows) * rows
            joined = 2 * copied + _weighed(traffic * rest / n, traffic * rest / n) if rest else 0
            each = _weighed(whole, whole) + _weighed(2 * sums, sums) + START
            total = n / rows * each + joined + _weighed(traffic, traffic * rows / n)
            odd = -(-rows // EVEN) * EVEN / rows if last else 1
            return total * odd * (REST if rest else 1) + TURNED * _weighed(turned, turned)

        most = min(n // (4 * self.parts), 1 << 16)
        rows = {b for b in range(FEWEST, most + 1) if n % b == 0 or b & (b - 1) == 0}
        rows.update(b for k in range(1, 65) if FEWEST <= (b := n // (k * self.parts)) <= most)
        best = min(sorted(rows), key=after, default=0)
        if before < LEAST or not best or after(best) > GAIN * before:
            return 0.0
        region.rows, region.last = best, last
        return before - after(best)

    def _short(self, region: Region) -> int:
        """Elements that are treated in short lines: products, sums over them and what is the same along them."""
        count = 0
        for node in region.nodes:
            value = node.operands[0] if isinstance(node.op, Reduction) else node.result
            line = math.prod(value.type.shape[self.lanes[value] + 1 :]) if value in self.lanes else 1
            if 1 < line < SHORT and (isinstance(node.op, (Reduction, Contraction)) or node.op.name == "broadcast_to"):
                count += value.type.size
        return count

    def _folds(self, node: Node) -> bool:
        """Whether it sums what one loop computes for it alone."""
        if not isinstance(node.op, Reduction):
            return False
        made = self.producer.get(node.operands[0])
        return made is not None and isinstance(made.op, Elementwise) and self.uses[node.operands[0]] == 1

    def _origin(self, value: Value) -> Value:
        """What a loop that reads this has to load: views are looked through."""
        while (node := self.producer.get(value)) and isinstance(node.op, Movement) and len(node.operands) == 1:
            value = node.operands[0]
        return value


class _Tiling:
    """The graph written again, by a plan."""

    def __init__(self, graph: Graph, plan: _Plan) -> None:
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
                    self._copy(node)
        for guard in self.graph.guards:
            b.guard(self._at(guard.value), guard.expected, guard.location)
        outputs = tuple(map(self._at, self.graph.outputs))
        return self.graph.evolve(nodes=tuple(b.nodes), outputs=outputs, guards=tuple(b.guards))

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
            made = [*(_sum(b, v) for v in made[:m]), *(_reshaped(b, v, (tiles, *v.type.shape[2:])) for v in made[m:])]
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

    def __init__(self, plan: _Plan, region: Region, tiles: int) -> None:
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
        self.carried = [v for v in sums if plan.carries(_bytes(v), tiles)]
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
        return b.graph([*sums, *(env[v] for v in self.paired), *ends])


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


def _sum(b: Builder, value: Value) -> Value:
    return b.emit(OPS["sum"], (value,), axes=(0,))
