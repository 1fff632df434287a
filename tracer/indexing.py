"""``x[key]`` and ``x[key] = v``, for every kind of NumPy key."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from wengert.ir import keys
from wengert.tracer.array import Array, converted, namespace_of, refuse
from wengert.tracer.memory import replaced, share

__all__ = ["get", "set_"]


def get(x: Array, key: Any) -> Array:
    """``x[key]``; basic keys give views."""
    key = _concrete_masks(x, key)
    traced = [k for k in _items(key) if isinstance(k, Array)]
    if not traced:
        if keys.is_basic(key):
            result = x.xp.basic_index(x, key)
            number = not result.shape and Ellipsis not in _items(key)  # NumPy makes a scalar, not a view
            return result if number else share(x, result, "index", key)
        return _gather(x, key)
    return _take(x, key)


def _items(key: Any) -> tuple[Any, ...]:
    return key if isinstance(key, tuple) else (key,)


def _concrete_masks(x: Array, key: Any) -> Any:
    """Traced boolean masks as plain ones: which elements they choose becomes a guard."""

    def plain(item: Any) -> Any:
        if not (isinstance(item, Array) and item.dtype.kind == "b"):
            return item
        return known_mask(item)

    items = tuple(map(plain, _items(key)))
    return items if isinstance(key, tuple) else items[0]


def known_mask(mask: Array) -> np.ndarray[Any, Any]:
    """A traced boolean array as it is now; that it stays so becomes a guard."""
    mask.check_alive()
    now = np.array(mask.owner.evaluate(mask.value))
    mask.guarded(mask.xp.reduce(_all(), mask.xp.equal(mask, mask.xp.wrap(mask.xp.builder.constant(now)))))
    return now


def _all() -> Any:
    from wengert.ir.ops import OPS

    return OPS["all"]


def positions(shape: tuple[int, ...], key: Any) -> np.ndarray[Any, Any]:
    """The flat position of each element that a key chooses: NumPy itself resolves the key."""
    return np.arange(math.prod(shape), dtype=np.int64).reshape(shape)[key]


def _gather(x: Array, key: Any) -> Array:
    """An advanced key without traced parts: flat positions, known now."""
    if isinstance(key, list):
        key = np.asarray(key) if key else np.asarray(key, dtype=np.int64)
    chosen = np.asarray(positions(x.shape, key))
    flat = x.xp.reshape(x, (x.size,))
    return x.xp.take(flat, x.xp.wrap(x.xp.builder.constant(chosen)), axis=0)


def _is_same_memory(x: Array, chosen: np.ndarray[Any, Any], new: Any) -> bool:
    """Whether ``new`` is the view of ``x`` that holds exactly the chosen elements."""
    if not isinstance(new, Array) or x.memory is None or new.memory is None or x.memory.buffer is not new.memory.buffer:
        return False
    if not (x.memory.certain and new.memory.certain):
        return False
    return np.array_equal(x.memory.positions().reshape(-1)[chosen], new.memory.positions())


def _take(x: Array, key: Any) -> Array:
    """A key with one traced integer array; full slices beside it."""
    xp = namespace_of(x, *_items(key))
    items = list(_items(key))
    if Ellipsis in [k for k in items if not isinstance(k, (Array, np.ndarray))]:
        at = next(i for i, k in enumerate(items) if k is Ellipsis)
        items[at : at + 1] = [slice(None)] * (x.ndim - len(items) + 1)
    axes = [a for a, k in enumerate(items) if isinstance(k, Array)]
    plain = all(isinstance(k, slice) and k == slice(None) for a, k in enumerate(items) if a not in axes)
    if len(axes) != 1 or not plain:
        raise refuse(
            "an index mixes a traced integer array with others.",
            "Index with one traced array at a time and full slices beside it.",
        )
    (axis,) = axes
    index = items[axis]
    if index.dtype.kind not in "iu":
        message = "arrays used as indices must be of integer (or boolean) type."
        raise IndexError(message)
    return xp.take(x, normal_indices(xp, index, x.shape[axis]), axis=axis)


def normal_indices(xp: Any, index: Any, size: int) -> Array:
    """Indices as int64, the negative ones counted from the end."""
    index = xp.cast(index, np.int64)
    return xp.where(xp.less(index, 0), xp.add(index, size), index)


def set_(x: Array, key: Any, new: Any) -> None:
    """``x[key] = new``: choose, by a mask known now, between the old elements and the new ones."""
    key = _concrete_masks(x, key)
    if any(isinstance(k, Array) for k in _items(key)):
        raise refuse(
            "an element is assigned at an index that is itself traced.",
            "Use a plain integer index, or np.where(np.arange(n) == i, new, x).",
        )
    chosen = np.asarray(positions(x.shape, key))
    if _is_same_memory(x, chosen, new):  # the end of x[key] += y: its middle has written it
        return
    xp = namespace_of(x, new)
    value = xp.wrap(xp.lift(new))
    if value.dtype.kind == "c" and x.dtype.kind != "c":
        message = "Cannot assign complex values to a real array without losing the imaginary part."
        raise TypeError(message)
    if x.dtype.kind == "b" and value.dtype.kind != "b":
        value = xp.not_equal(value, 0)
    elif not np.can_cast(value.dtype, x.dtype, "same_kind") and value.dtype.kind == "f":
        value = xp.cast(xp.trunc(value), x.dtype)
    value = xp.cast(value, x.dtype)
    lead = value.ndim - chosen.ndim
    if lead > 0 and all(n == 1 for n in value.shape[:lead]):  # NumPy drops extra leading axes of size 1
        value = xp.reshape(value, value.shape[lead:])
    try:
        value = xp.broadcast_to(value, chosen.shape)
    except TypeError as error:
        message = f"could not broadcast input array from shape {value.shape} into shape {chosen.shape}."
        raise ValueError(message) from error
    result = replaced(xp, x, chosen, value)
    x.write(converted(result, x.dtype))
