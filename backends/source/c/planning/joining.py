"""What is joined of values that loops compute, written by these loops: elements of rows where they will lie.

A stack of columns along a last axis is no array of each column and then a copy of all, but one loop that stores rows.
What will lie in one piece is written there anyway (``Plan.homes``).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from wengert.backends.source.c.planning.splits import boxes
from wengert.backends.source.c.planning.views import View, box, coalesce, compose, pieces_of, whole
from wengert.ir.kinds import Elementwise, Movement, c_strides

if TYPE_CHECKING:
    from wengert.backends.source.c.planning.plan import Plan, Unit

__all__ = ["joined"]

#: Elements of the innermost loop, from which on it may be one over rows.
INNER = 32
#: Loops looked at to see whether a piece depends on the loop that would write it.
SEARCH = 500


def joined(plan: Plan, units: list[Unit]) -> list[Unit]:
    """The units, in an order in which they can run, where loops also write what is joined of what they compute."""
    units = plan.ordered(units)
    for unit in [unit for unit in units if isinstance(unit.last.op, Movement)]:
        host, parts = _host(plan, units, unit)
        if host is not None:
            host.joined += parts
            host.stored += unit.stored
            units.remove(unit)
            units = plan.ordered(units)
    read = {v for unit in units for v in plan.reads(unit)} | plan.needed
    for unit in units:
        if unit.joined:  # of these, what nobody reads any more is no array
            results = {target.base for target, _ in unit.joined}
            unit.stored = [v for v in unit.stored if v in read or v in results]
    return units


def _host(plan: Plan, units: list[Unit], unit: Unit) -> tuple[Unit | None, list[tuple[View, View]]]:
    """The unit that can write what another joins, and the parts: where, and what."""
    node = unit.last
    pieces = pieces_of(node)
    sizes = {math.prod(piece.size) for piece in pieces}
    places = [box(node.result, piece) for piece in pieces]
    if len(sizes) != 1 or len(pieces) * sum(sizes) < node.result.type.size or all(v.contiguous for v in places):
        return None, []
    read = [plan.read_piece(node, piece) for piece in pieces]
    bases = {source.base for source in read}
    makers = [(k, u) for k, u in enumerate(units) if not bases.isdisjoint(u.stored)]
    at, host = next(((k, u) for k, u in reversed(makers) if _suits(plan, u, *sizes)), (0, None))
    if host is None or _depends(plan, units, at, {k for k, _ in makers if k > at}):
        return None, []
    shape, parts = host.shape, list[tuple[View, View]]()
    for pair in zip(places, read, strict=True):
        one, other = (compose(v, 0, c_strides(shape), shape) for v in pair)
        if one is None or other is None or (other.base in host.stored and other != whole(other.base)):
            return None, []
        parts.append((one, other))
    inner, *_ = coalesce(shape, [view.strides for pair in parts for view in pair])
    return (host, parts) if inner[-1:] >= (INNER,) else (None, [])


def _suits(plan: Plan, unit: Unit, size: int) -> bool:
    """Whether it is one loop over so many elements."""
    return isinstance(unit.last.op, Elementwise) and math.prod(unit.shape) == size and len(boxes(plan, unit)) == 1


def _depends(plan: Plan, units: list[Unit], at: int, others: set[int]) -> bool:
    """Whether some later units need what one stores, by way of others too; if in doubt, yes."""
    last = max(others, default=at)
    stored = set(units[at].stored)
    for k in range(at + 1, last + 1):
        if not stored.isdisjoint(plan.reads(units[k])):
            if k in others:
                return True
            stored.update(units[k].stored)
    return last - at > SEARCH
