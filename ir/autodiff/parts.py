"""Cotangents of many parts of one array, put together once.

Each slice's cotangent is a place in zeros of the whole size.  A loop that reads x[0], x[1], ..., x[n - 1] would so add
n arrays of n elements; held back until all have come, they are n numbers side by side.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from wengert.ir.graph import Node, Value
from wengert.ir.kinds import Movement
from wengert.ir.ops import OPS

__all__ = ["Parts"]

#: So many places in zeros are added one by one: loops fuse a few, and what lies around them.
FEW = 16
#: And so many that do not overlap.
PAIR = 2
#: And so many times the elements that there are.
WASTE = 4


class Parts:
    """The cotangents of slices and gathers of the values that are read in many small parts."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        read: dict[Value, list[Node]] = defaultdict(list)
        self.same: dict[Value, Value] = {}  # views of one value that look at it alike, as the first of them
        seen: dict[Any, Value] = {}
        for node in nodes:
            if node.op in (OPS["slice"], OPS["take"]):
                read[self.same.get(node.operands[0], node.operands[0])].append(node)
            if isinstance(node.op, Movement) and len(node.operands) == 1:
                value = self.same.get(node.operands[0], node.operands[0])
                first = seen.setdefault((node.op, value, *node.params.items()), node.result)
                if first is not node.result:
                    self.same[node.result] = first
        self.many = {v for v, parts in read.items() if _apart(v, parts) or _wasteful(v, parts)}
        self.held: dict[Value, list[tuple[Node, Any]]] = {}

    def hold(self, node: Node, g: Any) -> bool:
        """Keep the cotangent of a part for later, if it is one of many."""
        if not self.many or node.op not in (OPS["slice"], OPS["take"]):
            return False
        value = self.same.get(node.operands[0], node.operands[0])
        if value in self.many:
            self.held.setdefault(value, []).append((node, g))
        return value in self.many

    def totals(self, xp: Any, value: Value) -> list[Any]:
        """The cotangents of a value that were held back: for slices one, and one for each axis of gathers."""
        groups: dict[Any, list[tuple[Node, Any]]] = {}
        for node, g in self.held.pop(value, ()):
            groups.setdefault(node.params.get("axis"), []).append((node, g))
            xp.builder.location = node.location
        return [
            _sliced(xp, value.type.shape, rows) if axis is None else _gathered(xp, value.type.shape, axis, rows)
            for axis, rows in groups.items()
        ]


def _wasteful(value: Value, parts: list[Node]) -> bool:
    """Whether zeros around the parts would be most of what is added."""
    whole, read = math.prod(value.type.shape), sum(math.prod(node.result.type.shape) for node in parts)
    return len(parts) > FEW and len(parts) * whole > WASTE * (read + whole)


def _apart(value: Value, parts: list[Node]) -> bool:
    """Whether the parts are slices along one axis that do not overlap, but where they are the same."""
    if len(parts) <= PAIR or any(node.op is not OPS["slice"] for node in parts):
        return False
    boxes = {_box(node) for node in parts}
    axes = _cut(value.type.shape, boxes)
    if len(boxes) <= PAIR or len(axes) != 1:
        return False
    (axis,) = axes
    along = sorted(box[axis] for box in boxes)
    beside = itertools.pairwise(along)
    return all(step == 1 for *_, step in along) and all(start + n <= after for (start, n, _), (after, *_) in beside)


def _box(node: Node) -> tuple[tuple[int, int, int], ...]:
    """What a slice reads along each axis: start, size and step."""
    return tuple(zip(*(node.params[key] for key in ("start", "size", "step")), strict=True))


def _cut(shape: tuple[int, ...], boxes: Iterable[Any]) -> set[int]:
    """The axes that boxes are parts of."""
    return {a for box in boxes for a, (n, part) in enumerate(zip(shape, box, strict=True)) if part != (0, n, 1)}


def _gathered(xp: Any, shape: tuple[int, ...], axis: int, rows: list[tuple[Node, Any]]) -> Any:
    """Of gathers along one axis: all updates, and all indices, in a row."""
    lead, rest = shape[:axis], shape[axis + 1 :]
    counts = [math.prod(node.operands[1].type.shape) for node, _ in rows]
    updates = [xp.reshape(g, (*lead, n, *rest)) for (_, g), n in zip(rows, counts, strict=True)]
    indices = [xp.reshape(xp.wrap(node.operands[1]), (n,)) for (node, _), n in zip(rows, counts, strict=True)]
    return xp.scatter_add(xp.concatenate(updates, axis=axis), xp.concatenate(indices, axis=0), axis, shape[axis])


def _sliced(xp: Any, shape: tuple[int, ...], rows: list[tuple[Node, Any]]) -> Any:
    """Of slices: side by side where they lie so along one axis, else added at their indices."""
    at: dict[Any, Any] = {}
    for node, g in rows:
        box = _box(node)
        at[box] = at[box] + g if box in at else g
    cut = _cut(shape, at)
    if len(cut) > 1:
        flat = np.arange(math.prod(shape), dtype=np.int64).reshape(shape)
        index = [flat[np.ix_(*(s + d * np.arange(n) for s, n, d in box))].reshape(-1) for box in at]
        updates = xp.concatenate([xp.reshape(g, (i.size,)) for g, i in zip(at.values(), index, strict=True)], axis=0)
        return xp.reshape(xp.scatter_add(updates, np.concatenate(index), 0, flat.size), shape)
    axis = min(cut, default=0)
    found = [(*box[axis], g) for box, g in at.items() if box[axis][1]]
    if not found:
        return xp.full(shape, 0, rows[0][1].dtype)
    ordered = sorted(found, key=lambda each: each[0])
    ends = [0, *(start + n for start, n, _, _ in ordered)]
    if all(step == 1 for *_, step, _ in ordered) and all(e <= each[0] for e, each in zip(ends, ordered, strict=False)):
        beside = []
        for end, (start, _, _, g) in zip(ends, ordered, strict=False):
            beside += [*_gap(xp, shape, axis, start - end, g), g]
        beside += _gap(xp, shape, axis, shape[axis] - ends[-1], ordered[0][3])
        return xp.concatenate(beside, axis=axis)
    indices = np.concatenate([start + step * np.arange(n) for start, n, step, _ in found])
    return xp.scatter_add(xp.concatenate([g for *_, g in found], axis=axis), indices, axis, shape[axis])


def _gap(xp: Any, shape: tuple[int, ...], axis: int, size: int, g: Any) -> list[Any]:
    """Zeros between two parts, if they do not touch."""
    return [xp.full((*shape[:axis], size, *shape[axis + 1 :]), 0, g.dtype)] if size else []
