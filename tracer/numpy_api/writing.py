"""NumPy's functions that write into an array they are given."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.tracer.array import Array, namespace_of, refuse
from wengert.tracer.indexing import known, positions
from wengert.tracer.numpy_api.support import as_array, converted, refuse_plain_out


def _repeated(xp: Any, values: Any, count: int) -> Array:
    """The first ``count`` of the values, flat and repeated as often as needed."""
    flat = as_array(xp, values)
    flat = xp.reshape(flat, (flat.size,))
    if flat.size == count:
        return flat
    if not flat.size:
        message = "Cannot put values from an empty array."
        raise ValueError(message)
    return flat[np.arange(count) % flat.size]


def copyto(dst, src, casting="same_kind", where=True):
    refuse_plain_out(dst)
    xp = namespace_of(dst, src, where)
    value = xp.wrap(xp.lift(src))
    zero = {"i": 0, "f": 0.0, "c": 0j}.get(value.dtype.kind)
    number = value.value.type.weak and np.result_type(dst.dtype, zero) == dst.dtype
    if not number and not np.can_cast(value.dtype, dst.dtype, casting):
        message = f"Cannot cast array data from {value.dtype} to {dst.dtype} according to the rule {casting!r}."
        raise TypeError(message)
    if where is True:
        dst[...] = value
        return
    value = xp.broadcast_to(xp.cast(value, dst.dtype), dst.shape)
    dst.write(xp.where(xp.broadcast_to(as_array(xp, where), dst.shape), value, dst).value)


def putmask(a, mask, values):
    refuse_plain_out(a)
    xp = namespace_of(a, mask, values)
    chosen = xp.reshape(as_array(xp, mask), a.shape)
    new = xp.reshape(_repeated(xp, values, a.size), a.shape)
    a.write(converted(xp.where(chosen, xp.cast(new, a.dtype), a), a.dtype))


def place(arr, mask, vals):
    refuse_plain_out(arr)
    xp = namespace_of(arr, mask, vals)
    plain = known(as_array(xp, mask)) if isinstance(mask, Array) else np.asarray(mask, bool)
    plain = plain.reshape(arr.shape)
    if count := int(plain.sum()):
        arr[plain] = _repeated(xp, vals, count)


def put(a, ind, v, mode="raise"):
    refuse_plain_out(a)
    traced = isinstance(ind, Array)
    if (traced and a.ndim != 1) or mode != "raise":
        raise refuse(
            "np.put with a mode, or with traced indices into more than one dimension, is not traced yet.",
            "Use np.where.",
        )
    if traced:
        a[ind.reshape(-1)] = _repeated(namespace_of(a, ind, v), v, ind.size)
        return
    at = positions((a.size,), np.asarray(ind))  # negative ones and errors as NumPy has them
    a[np.unravel_index(at.reshape(-1), a.shape)] = _repeated(namespace_of(a, v), v, at.size)


def put_along_axis(arr, indices, values, axis):
    refuse_plain_out(arr)
    if not isinstance(indices, Array):
        places = np.arange(arr.size, dtype=np.int64)
        at = np.take_along_axis(places.reshape(arr.shape) if axis is not None else places, np.asarray(indices), axis)
        arr[np.unravel_index(at, arr.shape)] = values
        return
    if axis is None:
        raise refuse("np.put_along_axis with traced indices and no axis is not traced yet.", "Use np.where.")
    if indices.ndim != arr.ndim:
        message = "`indices` and `arr` must have the same number of dimensions"
        raise ValueError(message)
    grid = list(np.ogrid[tuple(slice(n) for n in arr.shape)])
    grid[axis] = indices
    arr[tuple(grid)] = values


def fill_diagonal(a, val, wrap=False):
    refuse_plain_out(a)
    places = np.zeros(a.shape, bool)
    np.fill_diagonal(places, True, wrap)
    a[places] = _repeated(namespace_of(a, val), val, int(places.sum()))


TABLE = {
    np.copyto: copyto, np.putmask: putmask, np.place: place, np.put: put, np.put_along_axis: put_along_axis,
    np.fill_diagonal: fill_diagonal,
}  # fmt: skip
