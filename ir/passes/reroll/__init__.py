"""Loops that Python has unrolled, as loops again.

A trace holds each step of a ``for`` that Python ran.  Where its nodes repeat themselves (the same ops, types, lines and
parameters with a period), steps are compared operand by operand: each is made in the same step, so many steps before,
or before the loop.  Only steps that all agree become a ``scan``; what else they read becomes

* carried values: what a step before has made,
* consts: what is the same in each step; what only depends on these is computed before the loop,
* entries of arrays: slices whose starts advance (of the array itself), numbers that change, other values, stacked.

What is used of the steps later is stacked by the scan.  So nothing is guessed: written out, the scan is the nodes that
it stands for.  Inner loops come first, then those around them, which repeat over equal scans.
"""

from __future__ import annotations

from collections import ChainMap
from typing import Any

from wengert.ir.build import Builder
from wengert.ir.graph import Constant, Graph, Guard, Node, Value
from wengert.ir.kinds import Elementwise, Movement
from wengert.ir.ops import OPS
from wengert.ir.passes.basic import dead_code
from wengert.ir.passes.loops import prune_loops
from wengert.ir.passes.reroll.bodies import Given, Written, moves, write
from wengert.ir.passes.reroll.entries import entry
from wengert.ir.passes.reroll.joining import join_rows
from wengert.ir.passes.reroll.repeats import FEWEST, described, stretches
from wengert.ir.passes.reroll.report import Loop, Report, counted, refused
from wengert.ir.passes.reroll.steps import Steps, Where, matched, phases

__all__ = ["Loop", "Report", "reroll", "rolled"]

#: Nodes that a loop must save: below, straight code is compiled at once and runs faster.
LEAST = 256
#: Elements from which work on arrays alone gains more by being fused than by being short, and nodes of it.
_WIDE, _MANY = 2048, 2000
#: Depth of loops within loops.
_ROUNDS = 6


def rolled(graph: Graph, least: int = LEAST) -> Graph:
    """The graph with loops for steps that repeat themselves, or itself; the guards as they were, one by one."""
    return _rerolled(graph, least)[0]


def reroll(graph: Graph, least: int = LEAST) -> tuple[Graph, Report]:
    """The same, and what was done.

    Parameters
    ----------
    graph : Graph
    least : int
        Nodes that a loop must save.
    """
    result, loops, misses = _rerolled(graph, least)
    return result, Report(len(graph.nodes), len(result.nodes), counted(loops), refused(result, misses))


def _rerolled(graph: Graph, least: int) -> tuple[Graph, list[Loop], list[tuple[Node, Node, int]]]:
    """The graph with its loops, the loops, and stretches that have a period and are none."""
    loops: list[Loop] = []
    result = graph
    bodies: dict[Any, Graph] = {}
    alive: tuple[Node, ...]
    misses: list[tuple[Node, Node, int]] = []
    for _ in range(_ROUNDS):
        if len(result.nodes) < least:
            break
        done = _Round(result, least, bodies)
        misses = done.misses or misses
        if done.ranges:
            result = done.graph()
            loops += done.loops
        elif loops or len(alive := dead_code(result).nodes) == len(result.nodes):
            break
        else:  # what nobody reads is part of a step, or stands in the way
            result = result.evolve(nodes=alive)
    if not loops:
        return graph, loops, misses
    return dead_code(prune_loops(result)), loops, misses


class _Round:
    """One level of loops: those with the shortest steps first, and others beside them."""

    def __init__(self, graph: Graph, least: int, bodies: dict[Any, Graph]) -> None:
        self.graph_, self.least, self.bodies = graph, least, bodies
        self.nodes = _known_first(graph.nodes)
        self.where: Where = {v: (i, r) for i, node in enumerate(self.nodes) for r, v in enumerate(node.results)}
        self.taken = bytearray(len(self.nodes))
        self.ranges: list[Steps] = []
        self.loops: list[Loop] = []
        self.misses: list[tuple[Node, Node, int]] = []
        for start, stop, period in stretches(described(self.nodes), least):
            self._find(start, stop, period)
        self.ranges.sort(key=lambda steps: steps.start)

    # -- finding ----------------------------------------------------------------------------

    def _find(self, start: int, stop: int, period: int) -> None:
        """The loops in a stretch of nodes with a period, one after the other."""
        todo = [(start, stop, period)]
        while todo:
            start, stop, period = todo.pop()
            if stop - start < max(FEWEST * period, self.least) or any(self.taken[start:stop]):
                continue
            found = self._first(start, stop, period)
            if found is None:
                continue
            if self._worth(found):
                self.ranges.append(found)
                self.taken[found.start : found.stop] = bytes([1]) * (found.stop - found.start)
                todo += [(start, found.start, period), (found.stop, stop, period)]
            elif found.stop - found.start < stop - start - period:  # begun again and again: a step of a longer one
                todo.append((start, stop, found.count * found.period))

    def _first(self, start: int, stop: int, period: int) -> Steps | None:
        """A loop in a stretch of nodes with a period, or some multiple of it."""
        missed = start
        for many in (1, 2, 3, 4):
            every = many * period
            if stop - start < FEWEST * every:
                break
            for phase in phases(self.nodes, self.where, start, stop, every):
                count = (stop - start - phase) // every
                found = matched(self.nodes, self.where, start + phase, every, count) if count >= FEWEST else start
                if isinstance(found, Steps):
                    return found
                missed = found
        self.misses.append((self.nodes[start], self.nodes[missed], (stop - start) // period))
        return None

    def _worth(self, steps: Steps) -> bool:
        step = self.nodes[steps.start : steps.start + steps.period]
        saved = (steps.count - 1) * steps.period
        if saved < self.least or all(isinstance(node.op, Movement) for node in step):
            return False
        mapped = all(isinstance(node.op, (Elementwise, Movement)) for node in step)
        return saved >= _MANY or not mapped or max(v.type.size for node in step for v in node.results) < _WIDE

    # -- writing ----------------------------------------------------------------------------

    def graph(self) -> Graph:
        """The graph with its loops."""
        graph = self.graph_
        self.b = Builder(graph.name)
        self.b.inputs.extend(graph.inputs)
        self.env: dict[Value, Value] = {}
        self.rows: dict[Value, tuple[Value, int]] = {}
        self.written: list[Written] = []
        self.of = [-1] * len(self.nodes)
        for r, steps in enumerate(self.ranges):
            self.of[steps.start : steps.stop] = [r] * (steps.stop - steps.start)
        wanted = self._wanted()
        maker = {v: node for node, r in zip(self.nodes, self.of, strict=True) if r < 0 for v in node.results}
        i, r = 0, 0
        while i < len(self.nodes):
            if self.of[i] < 0:
                self._copy(self.nodes[i])
                i += 1
                continue
            steps = self.ranges[r]
            own = {v: node for node in self.nodes[steps.start : steps.stop] for v in node.results}
            given = Given(self.nodes, ChainMap(own, maker), self.b, self._at)
            each, last = map(sorted, wanted[r])
            written = write(given, steps, each, last, self.bodies)
            self._note(steps, written)
            self.written.append(written)
            i, r = steps.stop, r + 1
        outputs = tuple(map(self._at, graph.outputs))
        guards = tuple(Guard(self._at(guard.value), guard.expected, guard.location) for guard in graph.guards)
        made = graph.evolve(nodes=tuple(self.b.nodes), outputs=outputs, guards=guards)
        return dead_code(join_rows(made, self.rows))

    def _note(self, steps: Steps, written: Written) -> None:
        n = steps.count - 1
        self.rows.update((v, (written.stacks[key], n)) for key, v in written.last.items() if key in written.stacks)
        if not written.carries + written.ys:
            return  # nodes that are equal, made once
        location = next((n.location for n in self.nodes[steps.start : steps.stop] if n.location is not None), None)
        self.loops.append(Loop(location, steps.count, steps.period, written.carries, written.xs, written.ys))

    def _copy(self, node: Node) -> None:
        operands = tuple(map(self._at, node.operands))
        if operands != node.operands:
            node = Node(node.op, operands, node.params, node.results, node.location)
        self.b.location = node.location
        self.b.nodes.append(node)

    def _wanted(self) -> list[tuple[set[tuple[int, int]], set[tuple[int, int]]]]:
        """Of each loop, the results that are read after it: of any step, and of the last alone."""
        wanted: list[tuple[set[tuple[int, int]], set[tuple[int, int]]]] = [(set(), set()) for _ in self.ranges]

        def read(value: Value, reader: int) -> None:
            index, result = self.where.get(value, (-1, 0))
            if index < 0 or (r := self.of[index]) < 0 or r == reader:
                return
            step, j = self.ranges[r].at(index)
            wanted[r][step == self.ranges[r].count - 1].add((j, result))

        for i, node in enumerate(self.nodes):
            for v in node.operands:
                read(v, self.of[i])
        for v in self.graph_.guarded_outputs:
            read(v, -1)
        return wanted

    def _at(self, value: Value) -> Value:
        """What stands for a value after the loops before it."""
        if isinstance(value, Constant):
            return self.b.adopt(value)
        index, result = self.where.get(value, (-1, 0))
        if index < 0 or (r := self.of[index]) < 0:
            return value
        if value not in self.env:
            step, j = self.ranges[r].at(index)
            self.env[value] = self._result(self.written[r], (j, result), step, self.ranges[r].count, value)
        return self.env[value]

    def _result(self, written: Written, key: tuple[int, int], step: int, count: int, value: Value) -> Value:
        if key in written.same:
            return written.same[key]
        if step == count - 1 and key in written.last:
            return written.last[key]
        return entry(self.b, written.stacks[key], step, value.type)


def _known_first(nodes: tuple[Node, ...]) -> list[Node]:
    """With numbers that are broadcast at the beginning: a trace does so once, in the first step of a loop."""
    known: set[Value] = set()
    first, rest = [], []
    for node in nodes:
        if moves(node) and all(isinstance(v, Constant) or v in known for v in node.operands):
            known.update(node.results)
            first.append(node)
        else:
            rest.append(node)
    return [*first, *rest]
