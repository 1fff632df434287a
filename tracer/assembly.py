"""Values put together again: from where each element of a buffer came to the few nodes that say so."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from wengert.ir.graph import Constant, Value

__all__ = ["Parts", "assembled"]

Positions = np.ndarray[Any, Any]
PLAIN = -1


class Parts:
    """For each element of a buffer, which value it came from and its place there; or the number it is."""

    __slots__ = ("_index", "numbers", "offset", "source", "values")

    def __init__(self, size: int, base: Value | None, numbers: np.ndarray[Any, Any] | None) -> None:
        self.values: list[Value] = [] if base is None else [base]
        self._index = {value: k for k, value in enumerate(self.values)}
        self.numbers = numbers
        self.source = np.full(size, PLAIN if base is None else 0, dtype=np.int32)
        self.offset = np.arange(size, dtype=np.int64)

    def put(self, places: Positions, new: Value, origin: tuple[Value, int] | None) -> None:
        """Let the elements at these positions be those of ``new``; as NumPy, of repeated positions the last wins."""
        if isinstance(new, Constant):
            if self.numbers is None:
                self.numbers = np.zeros(self.source.size, new.type.dtype)
            self.numbers[places] = new.array
            self.source[places], self.offset[places] = PLAIN, places
            return
        value, start = origin or (new, 0)
        self.source[places] = self._index.setdefault(value, len(self.values))
        if len(self._index) > len(self.values):
            self.values.append(value)
        self.offset[places] = start + np.arange(new.type.size).reshape(new.type.shape)

    def origin(self, place: int) -> tuple[Value, int]:
        """The value that the element at a position came from, and its place there."""
        return self.values[self.source[place]], int(self.offset[place])


def assembled(xp: Any, parts: Parts, places: Positions) -> Value:
    """The elements at these positions as one value, in as few nodes as their pattern allows."""
    source, offset = parts.source[places], parts.offset[places]
    if not source.size:
        held = parts.values[0].type.dtype if parts.numbers is None else parts.numbers.dtype
        return xp.builder.constant(np.zeros(source.shape, held))
    kinds = np.unique(source)
    if kinds.size > 1:
        limit = 4 * kinds.size + 8
        tree = _blocks(source, [limit])
        if tree is not None:
            return _joined(xp, parts, source, offset, tree).value
        return _gathered(xp, parts, kinds, source, offset).value
    return _from_one(xp, parts, source, offset).value


def _blocks(source: Positions, left: list[int]) -> Any:
    """How to cut the elements, axis by axis, into blocks of one source: (axis, cuts, the blocks'); None where
    that takes too many."""
    for axis in range(source.ndim):
        if source.shape[axis] == 1:
            continue
        moved = np.moveaxis(source, axis, 0)
        differs = (moved[1:] != moved[:-1]).reshape(moved.shape[0] - 1, -1).any(axis=1)
        cuts = [0, *(np.flatnonzero(differs) + 1).tolist(), source.shape[axis]]
        if len(cuts) == 2:
            continue
        if len(cuts) - 1 > left[0]:
            return None
        found = []
        for low, high in itertools.pairwise(cuts):
            inner = _blocks(source[(slice(None),) * axis + (slice(low, high),)], left)
            if inner is None:
                return None
            found.append(inner)
        return axis, cuts, found
    left[0] -= 1
    return () if left[0] >= 0 else None


def _joined(xp: Any, parts: Parts, source: Positions, offset: Positions, tree: Any) -> Any:
    if not tree:
        return _from_one(xp, parts, source, offset)
    axis, cuts, found = tree
    boxes = [(slice(None),) * axis + (slice(*cut),) for cut in itertools.pairwise(cuts)]
    blocks = [_joined(xp, parts, source[b], offset[b], t) for b, t in zip(boxes, found, strict=True)]
    return xp.concatenate(blocks, axis=axis)


def _from_one(xp: Any, parts: Parts, source: Positions, offset: Positions) -> Any:
    """Elements of one source."""
    which = int(source.flat[0])
    if which == PLAIN:
        return xp.constant(parts.numbers[offset])  # type: ignore[index]
    return _picked(xp, parts.values[which], offset)


def _picked(xp: Any, value: Value, offset: Positions) -> Any:
    """The elements of a value at these flat positions: itself, a slice, a transposed or repeated one, or a gather."""
    x, shape = xp.wrap(value), offset.shape
    if offset.size == value.type.size and (offset.reshape(-1) == np.arange(offset.size)).all():
        return xp.reshape(x, shape)
    once = offset
    for axis in range(offset.ndim):  # repeated along an axis: once is enough
        if offset.shape[axis] > 1 and (offset == offset.take([0], axis)).all():
            once = once.take([0], axis)
    if once.shape != shape:
        return xp.broadcast_to(_picked(xp, value, once), shape)
    corner = (0,) * offset.ndim
    steps = [abs(int(offset[(*corner[:a], 1, *corner[a + 1 :])] - offset[corner])) if n > 1 else 0
             for a, n in enumerate(shape)]  # fmt: skip
    order = sorted((a for a in range(offset.ndim) if steps[a]), key=lambda a: -steps[a])
    order += [a for a in range(offset.ndim) if not steps[a]]
    turned = offset.transpose(order)
    box = _box(turned, value.type.shape)
    if box is None:
        flat = xp.reshape(x, (value.type.size,))
        return xp.take(flat, xp.constant(offset), axis=0)
    start, size, step = box
    cut = x if size == value.type.shape and set(step) <= {1} else xp.slice(x, start=start, size=size, step=step)
    return xp.transpose(xp.reshape(cut, turned.shape), tuple(order.index(a) for a in range(offset.ndim)))


def _box(offset: Positions, shape: tuple[int, ...]) -> Any:
    """Start, size and step of the slice of an array of this shape that has these flat positions, if there is one."""
    first = np.unravel_index(int(offset.reshape(-1)[0]), shape)
    last = np.unravel_index(int(offset.reshape(-1)[-1]), shape)
    sizes = [n for n in offset.shape if n > 1]
    size, step = [], []
    for low, high in zip(first, last, strict=True):
        n = 1 if low == high else sizes.pop(0) if sizes else 0
        if n == 0 or (n > 1 and (high - low) % (n - 1)):
            return None
        size.append(n)
        step.append(int(high - low) // (n - 1) if n > 1 else 1)
    if sizes:
        return None
    weights = np.cumprod((1, *shape[:0:-1]))[::-1]
    found = np.zeros((), np.int64)
    for axis, (low, n, d) in enumerate(zip(first, size, step, strict=True)):
        found = np.add.outer(found, (int(low) + d * np.arange(n)) * weights[axis])
    if not np.array_equal(found.reshape(-1), offset.reshape(-1)):
        return None
    return tuple(map(int, first)), tuple(size), tuple(step)


def _gathered(xp: Any, parts: Parts, kinds: Positions, source: Positions, offset: Positions) -> Any:
    """The sources side by side, and from them each element."""
    pieces, starts, at = [], np.zeros(len(parts.values) + 1, np.int64), 0
    for which in kinds.tolist():
        if which == PLAIN:
            assert parts.numbers is not None  # an element is plain
            numbers = parts.numbers
            if numbers.tobytes() == numbers[:1].tobytes() * len(numbers):  # one is enough
                numbers, offset = numbers[:1], np.where(source == PLAIN, 0, offset)
            piece = xp.constant(numbers)
        else:
            piece = xp.reshape(xp.wrap(parts.values[which]), (parts.values[which].type.size,))
        pieces.append(piece)
        starts[which] = at
        at += piece.shape[0]
    flat = xp.concatenate(pieces, axis=0)
    return xp.take(flat, xp.constant(offset + starts[source]), axis=0)
