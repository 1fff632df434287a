"""Which axis is cut into tiles, and into which: a plan of regions, and what it saves."""

from __future__ import annotations

import math
from collections import Counter, defaultdict

from attrs import define, field

from wengert.ir.graph import Graph, Node, Value
from wengert.ir.kinds import Contraction, Elementwise, Movement, Reduction
from wengert.ir.passes.lanes import Lanes, Strand, together

__all__ = ["Plan", "Region", "bytes_of", "planned"]

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
#: The least rows of a tile; of a tile of others one may be enough, if so many do not stay in the nearest caches.
FEWEST = 8
#: What starting a tile costs, in weighed bytes.
START = 4096
#: Bytes of a sum that each tile gives on its own, to be added in pairs, and of those of all tiles: threads can share
#: these.  Larger ones are carried from tile to tile.
SMALL, SHARED = 4096, 1 << 20


def bytes_of(value: Value) -> int:
    """How large an array is."""
    return max(value.type.size, 0) * value.type.dtype.itemsize


def _weighed(traffic: float, size: float) -> float:
    """Traffic to and from something of this size that is used again and again: what is too much comes from further."""
    near, far = min(size, NEAR), min(max(size - NEAR, 0), FAR - NEAR)
    return traffic * sum(c * part for c, part in zip(COSTS, (near, far, size - near - far), strict=True)) / (size or 1)


def planned(graph: Graph, parts: int, times: int) -> Plan | None:
    """The plan that saves most of the traffic of a graph that runs so many times, if one saves enough."""
    if times * sum(bytes_of(v) for node in graph.nodes for v in node.results) < LEAST or graph.sizes is not None:
        return None
    classes = (lanes for lanes in Lanes(graph).classes() if times * sum(map(bytes_of, lanes)) >= LEAST)
    plans = (Plan(graph, lanes, parts, times) for lanes in classes)
    paying = [plan for plan in plans if any(region.rows for region in plan.regions.values())]
    return max(paying, key=lambda plan: plan.saved, default=None)


@define
class Region:
    """Nodes that can run tile by tile, the rows of a tile, 0 where that does not pay, and whether lanes lie last."""

    nodes: list[Node] = field(factory=list)
    rows: int = 0
    last: bool = False

    def place(self, value: Value, first: int) -> int:
        """Where the lanes are of a value whose other axes in a tile come after the first ones."""
        return value.type.ndim - 1 if self.last else first


def _missing(region: Region) -> set[Value]:
    """What a region reads and does not make."""
    return {v for node in region.nodes for v in node.operands} - {v for node in region.nodes for v in node.results}


class Plan:
    """What can be tiled along one class of axes.

    The nodes outside of phase k run before region k: all that they need of the lanes is from the regions before.
    """

    def __init__(self, graph: Graph, lanes: dict[Value, int], parts: int, times: int) -> None:
        self.lanes, self.parts, self.times = lanes, parts, times
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
        outside = {v for nodes in self.outside.values() for node in nodes for v in node.operands}
        kept = outside.union(graph.guarded_outputs)
        for region in self.regions.values():
            self._again(graph, region, kept)
        #: The values of lanes that are needed beyond their region.
        self.leaving = {v for v in kept.union(*map(_missing, self.regions.values())) if v in lanes}
        self.saved = sum(map(self._choose, self.regions.values()))

    def _again(self, graph: Graph, region: Region, kept: set[Value]) -> None:
        """Make in this region, too, what costs less to make than to keep."""
        if not (wanted := {v for v in _missing(region) - kept if self._light(v)}):
            return
        copied: list[Node] = []
        for node in reversed(graph.nodes):
            if node in self.strands and wanted.intersection(node.results):
                copied.insert(0, node)
                wanted.update(v for v in node.operands if self._origin(v) is not v)
        region.nodes = [*copied, *(node for node in region.nodes if node not in copied)]

    def _light(self, value: Value) -> bool:
        """Whether a value is cheap to make, of what is much smaller and of one product at most."""
        node = self.producer.get(value)
        if node not in self.strands or not isinstance(node.op, Elementwise) or node.op.symbol not in ("+", "-", "*"):
            return False
        origins = {self._origin(v) for v in node.operands}
        made = [v for v in origins if self.producer.get(v) in self.strands]
        products = all(isinstance(self.producer[v].op, Contraction) for v in made)
        return len(made) < 2 and products and 2 * sum(map(bytes_of, origins.difference(made))) <= bytes_of(value)

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
        carry = any(self.summed(node) and self.carries(bytes_of(node.result), tiles) for node in region.nodes)
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
                sums += bytes_of(node.result)
            elif node.result in read:
                stored += bytes_of(node.result)
            for value in node.operands:
                if value in self.lanes:
                    readers[self._origin(value)] += 1
                else:
                    whole += bytes_of(value)
        stored += sum(bytes_of(v) for v in readers if v in made and isinstance(self.producer[v].op, Elementwise))
        again = sum(bytes_of(v) * (count - (v not in made)) for v, count in readers.items())
        traffic, n = stored + again, self.length
        before = _weighed(traffic, traffic)
        leaving = self.leaving & made
        copied = sum(map(bytes_of, leaving))
        outer = leaving | given
        last = self._short(region) > WORTH * sum(v.type.size for v in outer if self.lanes[v] < v.type.ndim - 1)
        #: Where the lanes do not lie outside as in a tile, an array is copied, element by element.
        turned = sum(bytes_of(v) for v in outer if self.lanes[v] or last)

        def after(rows: int) -> float:
            rest = n - self.tiles(region, rows) * rows
            joined = 2 * copied + _weighed(traffic * rest / n, traffic * rest / n) if rest else 0
            each = _weighed(whole, whole) + _weighed(2 * sums, sums) + START
            total = n / rows * each + joined + _weighed(traffic, traffic * rows / n)
            odd = -(-rows // EVEN) * EVEN / rows if last else 1
            return total * odd * (REST if rest else 1) + TURNED * _weighed(turned, turned)

        least = 1 if self.times > 1 and traffic > n * NEAR / FEWEST else FEWEST
        most = min(n // (4 * self.parts), 1 << 16)
        rows = {b for b in range(least, most + 1) if n % b == 0 or b & (b - 1) == 0}
        rows.update(b for k in range(1, 65) if least <= (b := n // (k * self.parts)) <= most)
        best = min(sorted(rows), key=after, default=0)
        if before * self.times < LEAST or not best or after(best) > GAIN * before:
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
