"""What is computed in which loop: views, fused groups, and their order.

A *unit* is one loop nest (or call).  Elementwise nodes of one shape that feed each other form one
unit, with the reduction that consumes them if there is one.  Values that leave their unit are
arrays; the rest are locals.  Then copies are read in place (``splits``), and what is cheap is
computed where it is read (``recompute``): its nodes are in several units.
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator

from attrs import define, field

from wengert.backends.source.c.planning.bodies import Part
from wengert.backends.source.c.planning.joining import joined
from wengert.backends.source.c.planning.merging import merged
from wengert.backends.source.c.planning.recompute import recompute
from wengert.backends.source.c.planning.splits import bases, split_movements
from wengert.backends.source.c.planning.views import View, box, compose, covers, pieces_of, whole
from wengert.backends.source.c.products.added import added
from wengert.backends.source.c.scalars.slopes import twins
from wengert.backends.source.c.scalars.statements import weight
from wengert.ir.graph import Graph, Node, Value
from wengert.ir.kinds import Control, Elementwise, Indexing, Library, Movement, Piece, Reduction
from wengert.ir.types import is_stack

__all__ = ["ROWS", "Plan", "Unit", "in_blocks"]

#: Statements in one loop body: compilers take time that grows faster than a function's length.
LIMIT = 200
#: Rows of a block, of which a hundred buffers stay in the nearest cache; statements in all loops that share a block.
ROWS, WIDE = 64, 3000


def in_blocks(shape: tuple[int, ...]) -> bool:
    """Whether loops over a shape can run block by block, each in several loops (:mod:`.blocked`)."""
    return len(shape) == 1 and shape[0] >= 2 * ROWS


def limit(shape: tuple[int, ...]) -> int:
    """Statements in one unit."""
    return WIDE if in_blocks(shape) else LIMIT


@define(eq=False)
class Unit:
    """One kernel: elementwise nodes in order, then at most one node of another kind (before which what is added to it
    stands)."""

    nodes: list[Node]
    stored: list[Value] = field(factory=list)
    #: Sums of all of what elementwise nodes give.
    sums: list[Node] = field(factory=list)
    #: What is written into arrays that it is a part of, too: where, and what.
    joined: list[tuple[View, View]] = field(factory=list)
    extent: tuple[int, ...] | None = None

    @property
    def last(self) -> Node:
        """The node that gives the unit its kind."""
        return self.nodes[-1]

    @property
    def folds(self) -> bool:
        """Whether it is a loop that computes what it folds."""
        return isinstance(self.last.op, Reduction) and len(self.nodes) > 1

    @property
    def shape(self) -> tuple[int, ...]:
        """What its loops run over."""
        return self.extent or (self.last.operands[0] if self.folds else self.last.result).type.shape

    @property
    def kept(self) -> list[Value]:
        """What its elementwise nodes store."""
        others = {self.last.result} if self.folds else {node.result for node in self.sums}
        others.update(target.base for target, _ in self.joined)
        return [v for v in self.stored if v not in others]


class Plan:
    """The units of a graph, in an order in which they can run."""

    def __init__(self, graph: Graph, outputs: Iterable[Value]) -> None:
        self.outputs = tuple(outputs)
        self.nodes = self._live(graph)
        self.producer = {v: node for node in self.nodes for v in node.results}
        self.views: dict[Value, View] = {}
        self.needed = self._needed_as_arrays()
        self.arrays = set(self.needed)
        self.split: dict[Value, tuple[Part, ...]] = {}
        self._find_views()
        self._hand_over()
        self.uses = self._count_uses()
        self.twins = twins(self.nodes)
        self.arrays.update(node.result for node in self.twins)
        units = split_movements(self, self._merge_reductions(self._groups()), LIMIT)
        self._mark_stored(units)
        self.units = joined(self, added(self, merged(self, recompute(self, units, LIMIT), limit)))
        #: Arrays that are parts of others, joined from them: which one, and from which element on.
        self.homes: dict[Value, tuple[Value, int]] = {}
        self._find_homes()

    # -- reading ----------------------------------------------------------------------------

    def view(self, value: Value) -> View:
        """How a value is read."""
        return self.views.get(value) or whole(value)

    def reads(self, unit: Unit) -> Iterator[Value]:
        """Every array a unit reads, with repetitions."""
        inside = {v for node in unit.nodes for v in node.results}
        for node in unit.nodes:
            for operand in node.operands:
                yield from (v for v in bases(self, operand) if v not in inside)
        yield from (source.base for _, source in unit.joined if source.base not in inside)

    def _live(self, graph: Graph) -> list[Node]:
        """The nodes that a result depends on."""
        wanted, live = set(self.outputs), []
        for node in reversed(graph.nodes):
            if wanted.intersection(node.results):
                live.append(node)
                wanted.update(node.operands)
        return live[::-1]

    def _needed_as_arrays(self) -> set[Value]:
        """What is handed over whole: results, and operands of calls back and of indexing."""
        arrays = set(self.outputs)
        for node in self.nodes:
            if isinstance(node.op, (Library, Indexing)):
                arrays.update(node.operands)
        return arrays

    def _hand_over(self) -> None:
        """Operands of sub-graphs are arrays too, or parts of arrays that lie together, which are not copied."""
        for node in self.nodes:
            for value in node.operands if isinstance(node.op, Control) else ():
                view = self.views.get(value)
                if view is not None and not (view.contiguous and view.shape == value.type.shape):
                    del self.views[value]
                self.needed.add(self.view(value).base)
        self.arrays |= self.needed

    def _find_views(self) -> None:
        for node in self.nodes:
            if not isinstance(node.op, Movement):
                continue
            pieces = pieces_of(node)
            if node.result not in self.arrays and len(pieces) == 1 and covers(pieces[0], node.result.type.shape):
                self.views[node.result] = self.read_piece(node, pieces[0])
            else:
                for piece in pieces:
                    self.read_piece(node, piece)

    def read_piece(self, node: Node, piece: Piece) -> View:
        """Where a piece is read.  An operand that cannot be read through is made an array."""
        operand = node.operands[piece.operand]
        found = compose(self.view(operand), piece.offset, piece.strides, piece.size)
        if found is None:
            del self.views[operand]
            found = compose(whole(operand), piece.offset, piece.strides, piece.size)
            assert found is not None
        return found

    def _find_homes(self) -> None:
        """What is joined is written where it will lie, if it lies there in one piece: then nothing is copied."""
        stored = {v for unit in self.units for v in unit.stored if not is_stack(v.type)} - set(self.outputs)
        for unit in self.units:
            node = unit.last
            if not isinstance(node.op, Movement):
                continue
            pieces = pieces_of(node)
            if sum(math.prod(piece.size) for piece in pieces) < node.result.type.size:
                continue  # the rest is set to 0, which comes last
            for piece in pieces:
                source, target = self.read_piece(node, piece), box(node.result, piece)
                value = source.base
                whole = source.offset == 0 and math.prod(source.shape) == value.type.size and source.contiguous
                if whole and target.contiguous and value in stored and value not in self.homes:
                    self.homes[value] = (node.result, target.offset)

    def home(self, value: Value) -> tuple[Value, int]:
        """The array that holds a value, and from which element on."""
        offset = 0
        while value in self.homes:
            value, start = self.homes[value]
            offset += start
        return value, offset

    def is_unit(self, node: Node) -> bool:
        """Whether a node computes anything: views do not."""
        return not (isinstance(node.op, Movement) and node.result in self.views)

    def _count_uses(self) -> dict[Value, list[Node]]:
        """Who reads a value as it is.  A view is read by nobody: its base is, and is an array."""
        uses: dict[Value, list[Node]] = defaultdict(list)
        for view in self.views.values():
            self.arrays.add(view.base)
        for node in self.nodes:
            if self.is_unit(node):
                for operand in node.operands:
                    uses[operand].append(node)
        return uses

    # -- grouping ---------------------------------------------------------------------------

    def _fusable(self, operand: Value, node: Node) -> bool:
        """Whether ``node`` can take ``operand`` as a local of the same loop."""
        producer = self.producer.get(operand)
        return (
            producer is not None
            and isinstance(producer.op, Elementwise)
            and isinstance(node.op, Elementwise)
            and operand.type.shape == node.result.type.shape
        )

    def _levels(self) -> dict[Node, int]:
        """How many loops lie before each node.

        Equal levels can share a loop: whatever leaves a loop and comes back has passed through
        another, and so is on a higher level.
        """
        level: dict[Node, int] = {}
        for node in filter(self.is_unit, self.nodes):
            least = 0
            for operand in node.operands:
                producer = self.producer.get(self.view(operand).base)
                if producer is not None:
                    least = max(least, level[producer] + (not self._fusable(operand, node)))
            level[node] = least
        for node in reversed(self.nodes):  # sink what was computed too early next to its consumers
            if isinstance(node.op, Elementwise) and node.result not in self.arrays:
                users = self.uses[node.result]
                if users and all(self._fusable(node.result, user) for user in users):
                    level[node] = min(level[user] for user in users)
        return level

    def _groups(self) -> list[Unit]:
        level, units = self._levels(), []
        group_of: dict[Node, tuple[Unit, int]] = {}
        parent: dict[Node, Node] = {}

        def root(node: Node) -> Node:
            while parent[node] is not node:
                parent[node] = parent[parent[node]]
                node = parent[node]
            return node

        for node in filter(self.is_unit, self.nodes):
            parent[node] = node
            for operand in node.operands:
                if self._fusable(operand, node) and level[self.producer[operand]] == level[node]:
                    parent[root(self.producer[operand])] = root(node)
        for node, twin in self.twins.items():
            if level[node] == level[twin]:
                parent[root(node)] = root(twin)
        for node in filter(self.is_unit, self.nodes):
            if not isinstance(node.op, Elementwise):
                units.append(Unit([node]))
                continue
            unit, size = group_of.get(root(node)) or (Unit([]), 0)
            if size + weight(node) > limit(node.result.type.shape):
                unit, size = Unit([]), 0
            if not unit.nodes:
                units.append(unit)
            unit.nodes.append(node)
            group_of[root(node)] = (unit, size + weight(node))
        return units

    def _merge_reductions(self, units: list[Unit]) -> list[Unit]:
        """A reduction joins the loop of its operand, if nothing else needs that as an array."""
        unit_of = {v: unit for unit in units for node in unit.nodes for v in node.results}
        merged: set[Unit] = set()
        for unit in units:
            node = unit.last
            if not isinstance(node.op, Reduction) or node.operands[0] in self.arrays:
                continue
            host = unit_of.get(node.operands[0])
            if host is None or host in merged or not isinstance(host.last.op, Elementwise):
                continue
            if self.uses[node.operands[0]] == [node] and 0 not in node.operands[0].type.shape:
                host.nodes.append(node)
                merged.update((host, unit))
                unit.nodes = []
        return [unit for unit in units if unit.nodes]

    # -- order ------------------------------------------------------------------------------

    def ordered(self, units: list[Unit]) -> list[Unit]:
        """Topological, and otherwise the program's order: it keeps the arrays alive at once few."""
        position = {node: k for k, node in enumerate(self.nodes)}
        home = {v: k for k, unit in enumerate(units) for v in unit.stored}
        waiting = [0] * len(units)
        next_: list[set[int]] = [set() for _ in units]
        for k, unit in enumerate(units):
            for j in {home[v] for v in self.reads(unit) if v in home}:
                next_[j].add(k)
                waiting[k] += 1
        ready = [(position[u.last], k) for k, u in enumerate(units) if not waiting[k]]
        heapq.heapify(ready)
        order = []
        while ready:
            _, k = heapq.heappop(ready)
            order.append(units[k])
            for j in next_[k]:
                waiting[j] -= 1
                if not waiting[j]:
                    heapq.heappush(ready, (position[units[j].last], j))
        assert len(order) == len(units), "units depend on each other in a circle"
        return order

    def _mark_stored(self, units: list[Unit]) -> None:
        """Decide which values of each unit are arrays."""
        outside = {v for unit in units for v in self.reads(unit)}
        for unit in units:
            for node in unit.nodes:
                keep = not isinstance(node.op, Elementwise)
                unit.stored += [v for v in node.results if keep or v in outside or v in self.needed]
