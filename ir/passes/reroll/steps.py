"""Steps of a loop found among nodes, and proved: in each, operands come from where they come from in the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
from attrs import frozen

from wengert.ir.graph import Node, Value
from wengert.ir.kinds import Movement
from wengert.ir.passes.reroll.repeats import FEWEST

__all__ = ["DELAY", "Back", "Steps", "Where", "matched", "phases"]

#: How many steps back an operand may come from.
DELAY = 8

#: Which node makes a value, and which of its results it is.
Where: TypeAlias = dict[Value, tuple[int, int]]


@frozen(slots=True)
class Back:
    """Result ``result`` of the node ``node`` of a step, ``steps`` before this one (0: of this one)."""

    steps: int
    node: int
    result: int


@frozen
class Steps:
    """``count`` steps of ``period`` nodes from node ``start`` on.

    ``sources`` has for each node of a step, and each operand, where it comes from; None for what is computed before.
    """

    start: int
    period: int
    count: int
    sources: tuple[tuple[Back | None, ...], ...]

    @property
    def stop(self) -> int:
        """The node after the last."""
        return self.start + self.count * self.period

    def at(self, index: int) -> tuple[int, int]:
        """The step and the place in it of a node."""
        return divmod(index - self.start, self.period)


def phases(nodes: Sequence[Node], where: Where, start: int, stop: int, period: int) -> list[int]:
    """Where a step may begin, counted from ``start``, the best first: where the least is handed on."""
    middle = start + (stop - start - period) // (2 * period) * period
    low, high = max(start, middle - 2 * period), min(stop, middle + 3 * period)
    last: dict[Value, int] = {}
    for i in range(low, high):
        for v in nodes[i].operands:
            if (at := where.get(v)) is not None and low <= at[0] and i - at[0] <= 2 * period:
                last[v] = i
    handed = np.zeros(high - low + 1, np.int64)
    for v, i in last.items():
        first = where[v][0]
        if _is_read(nodes, where, v, low):
            continue
        size = max(1, v.type.size) * v.type.dtype.itemsize
        handed[first + 1 - low] += size
        handed[i + 1 - low] -= size
    costs = np.cumsum(handed)[middle - low : middle - low + period]
    spare = (stop - start) % period
    return sorted(range(period), key=lambda k: (int(costs[k]), k > spare, k))[:3]


def _is_read(nodes: Sequence[Node], where: Where, value: Value, low: int) -> bool:
    """Whether a value is moved from what is there before a node: it can be read from there at any time."""
    index = where[value][0]
    while index >= low and isinstance(nodes[index].op, Movement) and len(nodes[index].operands) == 1:
        index = where.get(nodes[index].operands[0], (-1, 0))[0]
    return index < low


def matched(nodes: Sequence[Node], where: Where, start: int, period: int, count: int) -> Steps | int:
    """The longest loop around the middle of so many steps; the first node that does not fit, where it is too short."""
    bad = start
    for part in (2, 4, 8):
        for k in dict.fromkeys((count // part, count - 1 - count // part)):
            found = _Matching(nodes, where, start, period, count, k).loop()
            if isinstance(found, Steps):
                return found
            bad = found
    return bad


class _Matching:
    """Other steps against the one in the middle."""

    def __init__(self, nodes: Sequence[Node], where: Where, start: int, period: int, count: int, middle: int) -> None:
        self.nodes, self.where = nodes, where
        self.start, self.period, self.count, self.middle = start, period, count, middle
        first = start + middle * period
        self.sources = [tuple(self._source(first, v) for v in nodes[first + j].operands) for j in range(period)]
        self.bad = first

    def _source(self, first: int, value: Value) -> Back | None:
        index, result = self.where.get(value, (-1, 0))
        steps = (first - index + self.period - 1) // self.period if index < first else 0
        if index < 0 or steps > min(DELAY, self.middle):
            return None
        return Back(steps, (index - first) % self.period, result)

    def loop(self) -> Steps | int:
        """The steps that fit."""
        m = self.middle
        latest = self._outside(m, m)
        if latest is None:
            return self.bad
        first, last = m, m + 1
        while last < self.count and (seen := self._outside(last, m)) is not None:
            latest, last = max(latest, seen), last + 1
        stuck = self.bad if last < self.count else None
        while first > 0 and latest < self._begin(k := first - 1) and (seen := self._outside(k, k)) is not None:
            latest, first = max(latest, seen), k
        stuck = stuck or self.bad
        while first > 0 and latest < self._begin(first - 1) and self._may_begin(first - 1, last):
            first -= 1
        if last - first < FEWEST:
            return stuck
        return Steps(self._begin(first), self.period, last - first, tuple(self.sources))

    def _begin(self, step: int) -> int:
        return self.start + step * self.period

    def _outside(self, step: int, first: int) -> int | None:
        """The last node before the loop that a step reads (-1 for none), if it reads all as the middle one does."""
        latest, begin, bound = -1, self._begin(step), self._begin(first)
        for j, sources in enumerate(self.sources):
            for v, source in zip(self.nodes[begin + j].operands, sources, strict=True):
                if source is None:
                    at = self.where.get(v, (-1, 0))[0]
                    if at >= bound:
                        self.bad = begin + j
                        return None
                    latest = max(latest, at)
                elif not self._is(v, begin, source):
                    self.bad = begin + j
                    return None
        return latest

    def _is(self, value: Value, begin: int, source: Back) -> bool:
        index = begin - source.steps * self.period + source.node
        if index < 0:
            return False
        results = self.nodes[index].results
        return source.result < len(results) and results[source.result] is value

    def _may_begin(self, first: int, last: int) -> bool:
        """Whether a loop may begin here: what its first steps would have from steps before it is computed before."""
        bound = self._begin(first)
        for step in range(first, min(first + DELAY, last)):
            begin = self._begin(step)
            for v, source in self._pairs(begin):
                if source is None or source.steps > step - first:
                    fits = self.where.get(v, (-1, 0))[0] < bound
                else:
                    fits = self._is(v, begin, source)
                if not fits:
                    self.bad = begin
                    return False
        return True

    def _pairs(self, begin: int) -> Iterator[tuple[Value, Back | None]]:
        for j, sources in enumerate(self.sources):
            yield from zip(self.nodes[begin + j].operands, sources, strict=True)
