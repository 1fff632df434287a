"""Movements in pieces (padding, concatenation), read where they are by loops over boxes.

The loop of the consumer is split at the boundaries of all pieces that it reads.  Within each box
a piece is an index expression, and what no piece covers is the literal 0: no branch, no copy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from wengert.backends.source.c.planning.bodies import Part
from wengert.backends.source.c.planning.views import View, ascending, pieces_of, whole
from wengert.backends.source.c.scalars.statements import weight
from wengert.ir.graph import Node, Value
from wengert.ir.kinds import Elementwise, Movement, c_strides

if TYPE_CHECKING:
    from wengert.backends.source.c.planning.plan import Plan, Unit

__all__ = ["Box", "bases", "boxes", "roots", "split_movements", "summed"]

#: Where a loop begins, and how far it goes, along each axis.
Box = tuple[tuple[int, ...], tuple[int, ...]]


def boxes(plan: Plan, unit: Unit) -> list[Box]:
    """The boxes of a unit's loops: in each, every piece is read everywhere or nowhere."""
    values = dict.fromkeys(v for node in unit.nodes for v in node.operands)
    parts = [part for v in values for part in plan.split.get(v, ())]
    shapes = dict.fromkeys(node.operands[0].type.shape for node in unit.sums)
    fewer = [((0,) * len(shape), shape, whole(unit.sums[0].result)) for shape in shapes if shape != unit.shape]
    return list(_cut(unit.shape, [*parts, *fewer]))


def _cut(
    shape: tuple[int, ...], parts: Sequence[Part], start: tuple[int, ...] = (), size: tuple[int, ...] = ()
) -> Iterator[Box]:
    """Boxes by their first axis, then within the pieces that are met there by the next one."""
    axis = len(start)
    if axis == len(shape):
        yield start, size
        return
    ends = {0, shape[axis], *(s[axis] for s, _, _ in parts), *(s[axis] + n[axis] for s, n, _ in parts)}
    for low, high in pairwise(sorted(ends)):
        met = [part for part in parts if part[0][axis] <= low and high <= part[0][axis] + part[1][axis]]
        yield from _cut(shape, met, (*start, low), (*size, high - low))


def _within(value: Value, box: Box) -> View:
    """The elements of an array that lie in a box."""
    strides = c_strides(value.type.shape)
    return View(value, box[1], sum(s * i for s, i in zip(strides, box[0], strict=True)), strides)


def roots(unit: Unit, box: Box) -> list[View]:
    """What the elementwise nodes of a unit are for: what is stored, and what is folded."""
    kept = [_within(v, box) for v in unit.kept]
    return [*kept, whole(unit.last.operands[0])] if unit.folds else kept


def summed(unit: Unit, box: Box) -> dict[Node, View]:
    """The terms of the sums on the way, of those whose terms reach to the end of a box."""
    terms = {node: node.operands[0] for node in unit.sums}
    inside = lambda v: all(i + n <= m for i, n, m in zip(*box, v.type.shape, strict=True))
    return {node: _within(v, box) for node, v in terms.items() if inside(v)}


def split_movements(plan: Plan, units: list[Unit], limit: int) -> list[Unit]:
    """Take away the copies that elementwise loops can do without, as long as those stay short.

    A loop that also sums keeps them: the terms of a sum are added in an order that boxes would change.
    """
    home = {node: unit for unit in units for node in unit.nodes}
    for unit in units:
        node = unit.last
        if not isinstance(node.op, Movement) or node.result in plan.arrays:
            continue
        readers = {home[user]: None for user in plan.uses[node.result]}
        parts = _parts(plan, node)
        if parts is None or not readers or not all(isinstance(u.last.op, Elementwise) for u in readers):
            continue
        plan.split[node.result] = parts
        if all(len(boxes(plan, u)) * sum(map(weight, u.nodes)) <= limit for u in readers):
            unit.nodes = []
        else:
            del plan.split[node.result]
    return [unit for unit in units if unit.nodes]


def _parts(plan: Plan, node: Node) -> tuple[Part, ...] | None:
    """The pieces as they are read; None where one has gaps."""
    pieces = [ascending(piece) for piece in pieces_of(node)]
    if any(d != 1 for piece in pieces for d in piece.step):
        return None
    return tuple((piece.start, piece.size, plan.read_piece(node, piece)) for piece in pieces)


def bases(plan: Plan, value: Value) -> list[Value]:
    """The arrays that hold the elements of a value."""
    parts = plan.split.get(value)
    return [plan.view(value).base] if parts is None else [view.base for _, _, view in parts]
