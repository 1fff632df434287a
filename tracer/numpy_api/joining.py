"""Growing, shrinking, putting together and taking apart."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from wengert.tracer.array import Array, namespace_of, refuse
from wengert.tracer.indexing import gathered, places
from wengert.tracer.numpy_api.movement import concatenate, moveaxis, reshape, transpose
from wengert.tracer.numpy_api.positions import plain_mask
from wengert.tracer.numpy_api.support import array_of, as_array, axis_of, promote


def append(arr, values, axis=None):
    xp, x = array_of(arr, values)
    return concatenate([x, as_array(xp, values)], axis)


def _plain_index(name: str, obj: Any) -> Any:
    """Where to insert or delete: it decides the shape, and so has to be known now."""
    if not isinstance(obj, Array):
        return obj
    if obj.dtype.kind == "b":
        return plain_mask(obj)
    if obj.size == 1:
        return int(obj) if obj.ndim == 0 else [int(obj.reshape(()))]
    raise refuse(f"np.{name} at traced indices.", "Use plain indices, or a boolean mask (which becomes a guard).")


def insert(arr, obj, values, axis=None):
    xp, x = array_of(arr, obj, values)
    new = xp.cast(as_array(xp, values), x.dtype)
    # NumPy inserts -1, -2, ... into the positions 0, 1, ...: from which array an element comes, and from where in it.
    mixed = np.insert(places(x.shape), _plain_index("insert", obj), -1 - places(new.shape), axis)
    both = xp.concatenate([xp.reshape(x, (x.size,)), xp.reshape(new, (new.size,))], axis=0)
    return gathered(xp, both, np.where(mixed < 0, x.size - 1 - mixed, mixed))


def delete(arr, obj, axis=None):
    xp, x = array_of(arr, obj)
    if axis is None:
        x, axis = xp.reshape(x, (x.size,)), 0
    at = axis_of(axis, x.ndim)
    left = np.delete(np.arange(x.shape[at], dtype=np.int64), _plain_index("delete", obj))
    return xp.take(x, xp.constant(left), axis=at)


def resize(a, new_shape):
    xp, x = array_of(a)
    shape = tuple(map(operator.index, new_shape if isinstance(new_shape, (tuple, list)) else (new_shape,)))
    chosen = np.resize(places(x.shape), shape)  # raises for negative sizes
    return gathered(xp, x, chosen) if x.size else xp.full(shape, 0, x.dtype)


def unstack(x, /, *, axis=0):
    if np.ndim(x) == 0:
        message = "Input array must be at least 1-d."
        raise ValueError(message)
    return tuple(moveaxis(x, axis, 0))


def _depth(arrays: Any) -> int:
    """How deep the lists of np.block are nested: equally deep everywhere, and not empty."""
    if isinstance(arrays, tuple):
        message = "np.block takes nested lists, got a tuple."
        raise TypeError(message)
    if not isinstance(arrays, list):
        return 0
    depths = {_depth(part) for part in arrays}
    if len(depths) != 1:
        message = f"List depths are mismatched, or a list is empty: depths {sorted(depths)}."
        raise ValueError(message)
    return 1 + depths.pop()


def block(arrays):
    xp = namespace_of(arrays)
    depth = _depth(arrays)
    leaves: list[Array] = []

    def lifted(part: Any) -> Any:
        if isinstance(part, list):
            return [lifted(item) for item in part]
        leaves.append(as_array(xp, part))
        return leaves[-1]

    nested = lifted(arrays)
    ndim = max(depth, *(leaf.ndim for leaf in leaves), 0)

    def joined(part: Any, level: int) -> Array:
        if isinstance(part, list):
            return concatenate([joined(item, level + 1) for item in part], level - depth)
        return reshape(part, (1,) * (ndim - part.ndim) + part.shape)

    result = joined(nested, 0)
    return xp.cast(xp.wrap(result.value), promote(xp, leaves)[0].dtype)  # also of one leaf a copy


def trim_zeros(filt, trim="fb", axis=None):
    """A view without the zeros at the ends; how many those are becomes a guard."""
    _, x = array_of(filt)
    ends = trim.lower()
    if ends not in ("fb", "bf", "f", "b"):
        message = f"unexpected character(s) in `trim`: {trim!r}"
        raise ValueError(message)
    axes = range(x.ndim) if axis is None else np.lib.array_utils.normalize_axis_tuple(axis, x.ndim, argname="axis")
    if not axes:
        return filt
    filled = x != 0
    key = [slice(None)] * x.ndim
    for at in axes:
        line = np.any(filled, axis=tuple(i for i in range(x.ndim) if i != at))
        if not line.size or not np.any(line):
            key[at] = slice(0, 0)
            continue
        first = int(np.argmax(line)) if "f" in ends else 0
        last = int(np.argmax(line[::-1])) if "b" in ends else 0
        key[at] = slice(first, x.shape[at] - last)
    return x[tuple(key)]


def rot90(m, k=1, axes=(0, 1)):
    _, x = array_of(m)
    axes = tuple(axes)
    if len(axes) != 2:
        message = "len(axes) must be 2."
        raise ValueError(message)
    if axes[0] == axes[1] or abs(axes[0] - axes[1]) == x.ndim:
        message = "Axes must be different."
        raise ValueError(message)
    if not all(-x.ndim <= axis < x.ndim for axis in axes):
        message = f"Axes={axes} out of range for array of ndim={x.ndim}."
        raise ValueError(message)
    turns = k % 4
    if turns in (0, 2):
        return x[:] if turns == 0 else np.flip(np.flip(x, axes[0]), axes[1])
    order = list(range(x.ndim))
    order[axes[0]], order[axes[1]] = order[axes[1]], order[axes[0]]
    return transpose(np.flip(x, axes[1]), order) if turns == 1 else np.flip(transpose(x, order), axes[1])


def rollaxis(a, axis, start=0):
    n = np.ndim(a)
    axis = axis_of(axis, n)
    if not -n <= start <= n:
        message = f"'start' arg requires {-n} <= start < {n + 1}, but {start} was passed in"
        raise np.exceptions.AxisError(message)
    start += n if start < 0 else 0
    start -= 1 if axis < start else 0
    order = [i for i in range(n) if i != axis]
    return transpose(a, [*order[:start], axis, *order[start:]])


TABLE: dict[Any, Any] = {
    np.append: append, np.insert: insert, np.delete: delete, np.resize: resize, np.block: block,
    np.trim_zeros: trim_zeros, np.rot90: rot90, np.rollaxis: rollaxis,
    **({np.unstack: unstack} if hasattr(np, "unstack") else {}),  # since NumPy 2.1
}  # fmt: skip
