"""Arrays that have, along a first axis, what each step of a loop reads: slices that advance, numbers, values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.ir.build import Builder
from wengert.ir.graph import Constant, Value
from wengert.ir.ops import OPS
from wengert.ir.types import ArrayType

__all__ = ["chosen", "cut", "entry", "places", "reshaped", "sliced", "stacked"]

Starts = Sequence[tuple[int, ...]]

#: Windows of so many entries may overlap: an array for each shift.
_SHIFTS = 8
#: Elements of a table of places.
_TABLE = 2**24


def reshaped(b: Builder, x: Value, shape: tuple[int, ...]) -> Value:
    """``x`` in another shape."""
    return x if x.type.shape == shape else b.emit(OPS["reshape"], (x,), shape=shape)


def cut(b: Builder, x: Value, start: tuple[int, ...], size: tuple[int, ...], step: tuple[int, ...]) -> Value:
    """A slice, or the array where it is the whole of it."""
    if size == x.type.shape and not any(start) and all(d == 1 or n == 1 for d, n in zip(step, size, strict=True)):
        return x
    return b.emit(OPS["slice"], (x,), start=start, size=size, step=step)


def entry(b: Builder, stack: Value, k: int, type_: ArrayType) -> Value:
    """Entry ``k`` along the first axis."""
    shape = stack.type.shape
    row = cut(b, stack, (k, *(0,) * (len(shape) - 1)), (1, *shape[1:]), (1,) * len(shape))
    return b.cast(reshaped(b, row, shape[1:]), type_.dtype, weak=type_.weak)


def stacked(b: Builder, values: Sequence[Value]) -> Value:
    """Values of one type along a new first axis; those that come again are taken from where they were."""
    if all(isinstance(v, Constant) for v in values):
        return b.constant(np.stack([v.array for v in values]))  # type: ignore[attr-defined]
    each = list(dict.fromkeys(values))
    rows = [reshaped(b, b.cast(v, v.type.dtype), (1, *v.type.shape)) for v in each]
    joined = rows[0] if len(rows) == 1 else b.emit(OPS["concatenate"], rows, axis=0)
    if len(each) == len(values):
        return joined
    order = np.array([each.index(v) for v in values] if len(each) < 32 else _order(each, values), np.int64)
    return b.emit(OPS["take"], (joined, b.constant(order)), axis=0)


def _order(each: Sequence[Value], values: Sequence[Value]) -> list[int]:
    at = {v: i for i, v in enumerate(each)}
    return [at[v] for v in values]


def sliced(b: Builder, x: Value, starts: Starts, size: tuple[int, ...], step: tuple[int, ...]) -> Value | None:
    """The slices of ``x`` that begin at ``starts``, along a new first axis; None where that takes too much."""
    moves = np.diff(np.array(starts, np.int64).reshape(len(starts), -1), axis=0)
    axes = np.flatnonzero(moves.any(axis=0)).tolist()
    if len(axes) == 1:
        (axis,) = axes
        advance = int(moves[0, axis])
        steady = bool((moves[:, axis] == advance).all())
        found = _advancing(b, x, starts, size, step, axis, advance) if steady else None
        if found is None and size[axis] == 1:
            found = _chosen(b, x, starts, size, step, axis)
        if found is not None:
            return found
    if len(starts) * int(np.prod(size, dtype=np.int64)) > _TABLE:
        return None
    flat = reshaped(b, x, (x.type.size,))
    return b.emit(OPS["take"], (flat, b.constant(places(x.type.shape, starts, size, step))), axis=0)


def places(shape: tuple[int, ...], starts: Starts, size: tuple[int, ...], step: tuple[int, ...]) -> Any:
    """The flat places of the elements of each slice."""
    table = np.zeros((len(starts), *size), np.int64)
    stride = 1
    for axis in reversed(range(len(shape))):
        first = np.array([s[axis] for s in starts], np.int64).reshape(-1, *(1,) * len(size))
        along = np.arange(size[axis], dtype=np.int64).reshape(-1, *(1,) * (len(size) - axis - 1)) * step[axis]
        table += (first + along) * stride
        stride *= shape[axis]
    return table


def _with(values: tuple[int, ...], axis: int, value: int) -> tuple[int, ...]:
    return (*values[:axis], value, *values[axis + 1 :])


def _front(b: Builder, x: Value, axis: int) -> Value:
    """An axis moved to the front."""
    order = (axis, *(a for a in range(len(x.type.shape)) if a != axis))
    return x if axis == 0 else b.emit(OPS["transpose"], (x,), axes=order)


def _advancing(
    b: Builder, x: Value, starts: Starts, size: tuple[int, ...], step: tuple[int, ...], axis: int, advance: int
) -> Value | None:
    """Slices that advance along an axis by the same from step to step."""
    n, width = len(starts), size[axis]
    if width == 1:
        rows = cut(b, x, starts[0], _with(size, axis, n), _with(step, axis, advance))
        return reshaped(b, _front(b, rows, axis), (n, *size))
    if step[axis] == 1 and advance == width:  # blocks
        whole = cut(b, x, starts[0], _with(size, axis, n * width), step)
        split = reshaped(b, whole, (*size[:axis], n, width, *size[axis + 1 :]))
        return _front(b, split, axis)
    if width <= _SHIFTS:
        shifted = []
        for k in range(width):
            first = _with(starts[0], axis, starts[0][axis] + k * step[axis])
            rows = _front(b, cut(b, x, first, _with(size, axis, n), _with(step, axis, advance)), axis)
            shifted.append(reshaped(b, rows, (n, *_with(size, axis, 1))))
        return b.emit(OPS["concatenate"], shifted, axis=axis + 1)
    return None


def _chosen(
    b: Builder, x: Value, starts: Starts, size: tuple[int, ...], step: tuple[int, ...], axis: int
) -> Value:
    """Slices of one entry along an axis, in any order."""
    whole = cut(b, x, _with(starts[0], axis, 0), _with(size, axis, x.type.shape[axis]), _with(step, axis, 1))
    order = b.constant(np.array([s[axis] for s in starts], np.int64))
    return reshaped(b, chosen(b, whole, order, axis), (len(starts), *size))


def chosen(b: Builder, x: Value, indices: Value, axis: int) -> Value:
    """What is taken of ``x`` along an axis, by each of the indices along a first axis."""
    return _front(b, b.emit(OPS["take"], (x, indices), axis=axis), axis)
