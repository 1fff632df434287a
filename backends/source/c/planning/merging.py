"""Loops that read the same arrays, run as one: each array is then read once.

A sum of all elements joins the loop of what it is computed from, or of anything else that reads the same arrays;
shapes may differ a little, as those of neighbours' differences do (``x[1:] - x[:-1]``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from attrs import define, evolve

from wengert.backends.source.c.planning.bodies import Body, CannotComposeError
from wengert.backends.source.c.planning.splits import boxes, roots, summed
from wengert.backends.source.c.scalars.statements import weight
from wengert.ir.graph import Value
from wengert.ir.kinds import Elementwise

if TYPE_CHECKING:
    from wengert.backends.source.c.planning.plan import Plan, Unit

__all__ = ["merged"]

#: Elements below which loops are left alone: their arrays stay in the cache.
LARGE = 256
#: By how much shapes may differ along an axis.
APART = 8
#: Of the loops that read an array, so many are asked to take another in.
RECENT = 8
#: Loops looked at to see whether one needs another's results.
SEARCH = 2000


def merged(plan: Plan, units: list[Unit], limit: Callable[[tuple[int, ...]], int]) -> list[Unit]:
    """The units, of which some now do the work of several; ``limit`` says how much in a loop over a shape."""
    return _Merging(plan, [_with_sums(unit) for unit in units], limit).run()


def _with_sums(unit: Unit) -> Unit:
    """A loop that ends in a sum of all that it computes, as one with that sum on the way."""
    node = unit.last
    if not unit.folds or node.op.fold != "+" or node.result.type.ndim:  # type: ignore[attr-defined]
        return unit
    if node.result.type.dtype.kind not in "fc" or node.operands[0].type.size == 0:
        return unit
    return evolve(unit, nodes=unit.nodes[:-1], sums=[node], extent=unit.shape)


@define
class _Facts:
    """What is asked of a loop again and again: what it reads, the large of these, what it computes, its statements."""

    reads: set[Value]
    large: dict[Value, None]
    inside: set[Value]
    total: int | None = None


class _Merging:
    def __init__(self, plan: Plan, units: list[Unit], limit: Callable[[tuple[int, ...]], int]) -> None:
        self.plan, self.units, self.limit = plan, units, limit
        self.position = {node: k for k, node in enumerate(plan.nodes)}
        self.home = {v: unit for unit in units for v in unit.stored}
        self.facts: dict[int, _Facts] = {}

    def run(self) -> list[Unit]:
        """Each loop joins the first before it that has most of what it reads, if neither needs the other."""
        hosts: dict[Value, list[Unit]] = {}
        left = []
        for unit in self.units:
            large = self._of(unit).large
            seen = dict.fromkeys(host for v in large for host in hosts.get(v, ())[-RECENT:])
            host = next((h for h in seen if self._can(h, unit)), None)
            if host is not None:
                self._join(host, unit)
            else:
                left.append(unit)
                for v in large:
                    hosts.setdefault(v, []).append(unit)
        return left

    def _of(self, unit: Unit) -> _Facts:
        if id(unit) not in self.facts:
            reads = dict.fromkeys(self.plan.reads(unit))
            loop = isinstance(unit.last.op, Elementwise)
            large = dict.fromkeys(v for v in reads if loop and v.type.size >= LARGE)
            inside = {v for node in unit.nodes for v in node.results}
            self.facts[id(unit)] = _Facts(set(reads), large, inside)
        return self.facts[id(unit)]

    def _can(self, host: Unit, unit: Unit) -> bool:
        big, small = (host, unit) if math.prod(host.shape) >= math.prod(unit.shape) else (unit, host)
        if len(big.shape) != len(small.shape) or not big.shape:
            return False
        apart = [n - m for n, m in zip(big.shape, small.shape, strict=True)]
        if any(d < 0 or d > APART for d in apart) or (any(apart) and small.kept):
            return False
        here, there = self._of(unit), self._of(host)
        least = min(_size(here.large), _size(there.large))
        if 2 * _size(v for v in here.large if v in there.large) < least:
            return False
        total = self._total(host, unit)
        if total is None or total > self.limit(big.shape):
            return False
        return not self._needs(host, unit) and not self._needs(unit, host)

    def _total(self, host: Unit, unit: Unit) -> int | None:
        """The statements of both in one; None where that cannot be."""
        here, there = self._of(unit), self._of(host)
        moved = (v for u in (host, unit) for node in u.nodes for v in node.operands)
        if host.shape != unit.shape or not here.inside.isdisjoint(there.reads) or (
            not there.inside.isdisjoint(here.reads) or not self.plan.split.keys().isdisjoint(moved)):
            return self._statements(self._united(host, unit))
        totals = [self._known(u) for u in (host, unit)]
        common = sum(weight(node) for node in unit.nodes if node.result in there.inside)
        return None if None in totals else sum(totals) - common  # type: ignore[arg-type]

    def _known(self, unit: Unit) -> int | None:
        facts = self._of(unit)
        if facts.total is None:
            facts.total = self._statements(unit)
        return facts.total

    def _statements(self, unit: Unit) -> int | None:
        total = 0
        try:
            for box in boxes(self.plan, unit):
                steps = Body(self.plan, unit.nodes, [*roots(unit, box), *summed(unit, box).values()]).steps
                total += sum(weight(node) for _, node, _ in steps)
        except CannotComposeError:
            return None
        return total

    def _united(self, host: Unit, unit: Unit) -> Unit:
        nodes = sorted({*host.nodes, *unit.nodes}, key=self.position.__getitem__)
        extent = max(host.shape, unit.shape, key=math.prod)
        return evolve(host, nodes=nodes, sums=[*host.sums, *unit.sums], stored=[*host.stored, *unit.stored],
                      extent=extent)  # fmt: skip

    def _join(self, host: Unit, unit: Unit) -> None:
        total, made = self._total(host, unit), self._united(host, unit)
        here, there = self._of(unit), self._of(host)
        host.nodes, host.sums, host.stored, host.extent = made.nodes, made.sums, made.stored, made.extent
        self.home.update(dict.fromkeys(unit.stored, host))
        computed = here.inside | there.inside
        large = dict.fromkeys(v for v in (*there.large, *here.large) if v not in computed)
        self.facts[id(host)] = _Facts((here.reads | there.reads) - computed, large, computed, total)

    def _needs(self, unit: Unit, other: Unit) -> bool:
        """Whether a loop reads, by way of others too, what another stores; if in doubt, yes."""
        waiting, seen = [unit], {id(unit)}
        while waiting:
            for v in self._of(waiting.pop()).reads:
                before = self.home.get(v)
                if before is other:
                    return True
                if before is not None and id(before) not in seen:
                    seen.add(id(before))
                    waiting.append(before)
            if len(seen) > SEARCH:
                return True
        return False


def _size(values: Iterable[Value]) -> int:
    return sum(v.type.size * v.type.dtype.itemsize for v in values)
