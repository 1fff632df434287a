"""Basic indexing keys as data: ints, slices, ellipsis and new axes resolved against a shape."""

from __future__ import annotations

import operator
from typing import Any

from attrs import frozen

__all__ = ["BasicKey", "is_basic", "resolve"]


@frozen(slots=True)
class BasicKey:
    """The slice a basic key takes, and the shape it has once integer axes are gone and new axes there."""

    start: tuple[int, ...]
    size: tuple[int, ...]
    step: tuple[int, ...]
    shape: tuple[int, ...]


def is_basic(key: Any) -> bool:
    """Whether NumPy takes this key as basic indexing (a view), no element of it being an array."""
    items = key if isinstance(key, tuple) else (key,)
    return all(
        item is None or item is Ellipsis or isinstance(item, slice)
        or (hasattr(item, "__index__") and not isinstance(item, bool) and not hasattr(item, "ndim"))
        for item in items
    )  # fmt: skip


def resolve(key: Any, shape: tuple[int, ...]) -> BasicKey:
    """Resolve a basic key; raises IndexError as NumPy does."""
    if type(key) is int and shape and -shape[0] <= key < shape[0]:  # x[i]: one entry of all
        rest = shape[1:]
        zeros, ones = (0,) * len(rest), (1,) * len(rest)
        return BasicKey((key % shape[0], *zeros), (1, *rest), (1, *ones), rest)
    items = list(key) if isinstance(key, tuple) else [key]
    used = sum(item is not None and item is not Ellipsis for item in items)
    if used > len(shape):
        message = f"too many indices: the array has {len(shape)} axes, but {used} were indexed."
        raise IndexError(message)
    if items.count(Ellipsis) > 1:
        message = "an index can only have a single ellipsis ('...')."
        raise IndexError(message)
    if Ellipsis not in items:
        items.append(Ellipsis)
    at = items.index(Ellipsis)
    items[at : at + 1] = [slice(None)] * (len(shape) - used)

    start, size, step, result = [], [], [], []
    axis = 0
    for item in items:
        if item is None:
            result.append(1)
            continue
        n = shape[axis]
        if isinstance(item, slice):
            low, high, stride = item.indices(n)
            count = len(range(low, high, stride))
            result.append(count)
        else:
            low, count, stride = operator.index(item), 1, 1
            if not -n <= low < n:
                message = f"index {low} is out of bounds for axis {axis} with size {n}."
                raise IndexError(message)
            low %= n
        start.append(low if count else 0)
        size.append(count)
        step.append(stride if count > 1 else 1)
        axis += 1
    return BasicKey(tuple(start), tuple(size), tuple(step), tuple(result))
