"""Loops that read the same arrays, run as one: each array is then read once.

A sum of all elements joins the loop of what it is computed from, or of anything else that reads the same arrays;
shapes may differ a little, as those of neighbours' differences do (``x[1:] - x[:-1]``).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs import evolve

from wengert.backends.source.c.bodies import Body, CannotComposeError
from wengert.backends.source.c.scalars import weight
from wengert.backends.source.c.splits import boxes, roots
from wengert.ir.graph import Value
from wengert.ir.kinds import Elementwise

if TYPE_CHECKING:
    from wengert.backends.source.c.plan import Plan, Unit

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


class _Merging:
    def __init__(self, plan: Plan, units: list[Unit], limit: Callable[[tuple[int, ...]], int]) -> None:
        self.plan, self.units, self.limit = plan, units, limit
        self.position = {node: k for k, node in enumerate(plan.nodes)}
        self.home = {v: unit for unit in units for v in unit.stored}
        self.into: dict[int, Unit] = {}  # by the id of one that is gone

    def run(self) -> list[Unit]:
        """Each loop joins the first before it that has most of what it reads, if neither needs the other."""
        hosts: dict[Value, list[Unit]] = {}
        for unit in self.units:
            large = self._large(unit)
            seen = dict.fromkeys(host for v in large for host in hosts.get(v, ())[-RECENT:])
            host = next((h for h in seen if self._can(h, unit)), None)
            if host is not None:
                self._join(host, unit)
            else:
                for v in large:
                    hosts.setdefault(v, []).append(unit)
        return [unit for unit in self.units if id(unit) not in self.into]

    def _large(self, unit: Unit) -> list[Value]:
        """The large arrays that an elementwise loop reads, each once."""
        if not isinstance(unit.last.op, Elementwise):
            return []
        return [v for v in dict.fromkeys(self.plan.reads(unit)) if v.type.size >= LARGE]

    def _can(self, host: Unit, unit: Unit) -> bool:
        big, small = (host, unit) if math.prod(host.shape) >= math.prod(unit.shape) else (unit, host)
        if len(big.shape) != len(small.shape) or not big.shape:
            return False
        apart = [n - m for n, m in zip(big.shape, small.shape, strict=True)]
        if any(d < 0 or d > APART for d in apart) or (any(apart) and small.kept):
            return False
        common = set(self._large(host)) & set(self._large(unit))
        least = min(self._size(self._large(u)) for u in (host, unit))
        if 2 * self._size(list(common)) < least:
            return False
        made = self._united(host, unit)
        try:
            total = sum(weight(node) for box in boxes(self.plan, made)
                        for _, node, _ in Body(self.plan, made.nodes, roots(made, box)).steps)  # fmt: skip
        except CannotComposeError:
            return False
        total += sum(map(weight, unit.nodes)) if unit.sums else 0
        return total <= self.limit(made.shape) and not self._needs(host, unit) and not self._needs(unit, host)

    def _size(self, values: list[Value]) -> int:
        return sum(v.type.size * v.type.dtype.itemsize for v in values)

    def _united(self, host: Unit, unit: Unit) -> Unit:
        nodes = sorted({*host.nodes, *unit.nodes}, key=self.position.__getitem__)
        extent = max(host.shape, unit.shape, key=math.prod)
        return evolve(host, nodes=nodes, sums=[*host.sums, *unit.sums], stored=[*host.stored, *unit.stored],
                      extent=extent)  # fmt: skip

    def _join(self, host: Unit, unit: Unit) -> None:
        made = self._united(host, unit)
        host.nodes, host.sums, host.stored, host.extent = made.nodes, made.sums, made.stored, made.extent
        self.into[id(unit)] = host
        self.home.update(dict.fromkeys(unit.stored, host))

    def _needs(self, unit: Unit, other: Unit) -> bool:
        """Whether a loop reads, by way of others too, what another stores; if in doubt, yes."""
        waiting, seen = [unit], {id(unit)}
        while waiting:
            for v in self.plan.reads(waiting.pop()):
                before = self.home.get(v)
                if before is other:
                    return True
                if before is not None and id(before) not in seen:
                    seen.add(id(before))
                    waiting.append(before)
            if len(seen) > SEARCH:
                return True
        return False
