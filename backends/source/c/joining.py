"""What is joined of values that loops compute, written by these loops: elements of rows where they will lie.

A stack of columns along a last axis is no array of each column and then a copy of them all, but one loop that stores
rows.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from attrs import evolve

from wengert.backends.source.c.splits import boxes
from wengert.backends.source.c.views import View, box, coalesce, compose, pieces_of, whole
from wengert.ir.graph import Value
from wengert.ir.kinds import Elementwise, Movement, c_strides

if TYPE_CHECKING:
    from wengert.backends.source.c.plan import Plan, Unit

__all__ = ["joined"]

#: Elements of the innermost loop, from which on it may be one over rows.
INNER = 32


def joined(plan: Plan, units: list[Unit]) -> list[Unit]:
    """The units, in the order in which they run, where loops also write what is joined of what they compute.

    The last one to compute a piece does: all others are there by then.
    """
    place = {v: k for k, unit in enumerate(units) for v in unit.stored}
    for k, unit in enumerate(units):
        found = _host(plan, units, place, unit)
        if found is not None:
            at, parts = found
            (result,) = unit.stored
            units[at] = evolve(units[at], joined=[*units[at].joined, *parts], stored=[*units[at].stored, result])
            units[k] = evolve(unit, nodes=[], stored=[])
            place[result] = at
    return _without_unread(plan, [unit for unit in units if unit.nodes])


def _host(
    plan: Plan, units: list[Unit], place: dict[Value, int], unit: Unit
) -> tuple[int, list[tuple[View, View]]] | None:
    """Which unit can write what another joins, and the parts: where, and what."""
    node = unit.last
    if not isinstance(node.op, Movement):
        return None
    pieces = pieces_of(node)
    if len(pieces) < 2 or sum(math.prod(piece.size) for piece in pieces) < node.result.type.size:
        return None
    read = [(piece, plan.read_piece(node, piece)) for piece in pieces]
    at = max((place.get(source.base, -1) for _, source in read), default=-1)
    if at < 0 or not isinstance(units[at].last.op, Elementwise) or len(boxes(plan, units[at])) > 1:
        return None
    host, shape = units[at], units[at].shape
    parts = []
    for piece, source in read:
        if math.prod(piece.size) != math.prod(shape):
            return None
        one, other = (compose(v, 0, c_strides(shape), shape) for v in (box(node.result, piece), source))
        if one is None or other is None or (source.base in host.stored and other != whole(source.base)):
            return None
        parts.append((one, other))
    inner, *_ = coalesce(shape, [view.strides for pair in parts for view in pair])
    return (at, parts) if inner[-1:] >= (INNER,) else None


def _without_unread(plan: Plan, units: list[Unit]) -> list[Unit]:
    """Without the arrays that nobody reads any more."""
    read = {v for unit in units for v in plan.reads(unit)} | plan.needed
    for unit in units:
        if unit.joined:
            results = {target.base for target, _ in unit.joined}
            unit.stored = [v for v in unit.stored if v in read or v in results]
    return units
