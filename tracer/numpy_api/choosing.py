"""Choosing elements by conditions and by indices."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from wengert.tracer.array import Array, find_arrays, namespace_of
from wengert.tracer.indexing import places
from wengert.tracer.numpy_api.elementwise import result_type
from wengert.tracer.numpy_api.movement import broadcast_arrays, ravel
from wengert.tracer.numpy_api.positions import plain_mask, stand_in, within
from wengert.tracer.numpy_api.support import array_of, as_array, axis_of, deliver, plain_or_array
from wengert.tracer.plain import counted


def select(condlist, choicelist, default=0):
    if len(condlist) != len(choicelist):
        message = "list of cases must be same length as list of conditions"
        raise ValueError(message)
    if not len(condlist):
        message = "select with an empty condition list is not possible"
        raise ValueError(message)
    xp = namespace_of(condlist, choicelist, default)
    conditions = [as_array(xp, c) for c in condlist]
    for i, c in enumerate(conditions):
        if c.dtype.kind != "b":
            message = f"invalid entry {i} in condlist: should be boolean ndarray"
            raise TypeError(message)
    *choices, result = _promoted(xp, (*choicelist, default))
    for c, choice in zip(reversed(conditions), reversed(choices), strict=True):
        result = xp.where(c, choice, result)
    return result


def _promoted(xp: Any, items: Any) -> list[Array]:
    """Arrays of the dtype that the items promote to, among which Python numbers are weak."""
    arrays = [as_array(xp, item) for item in items]
    dtype = result_type(*(x if type(x) in (int, float, complex) else a for x, a in zip(items, arrays, strict=True)))
    return [xp.cast(a, dtype) for a in arrays]


def choose(a, choices, out=None, mode="raise"):
    """The element of the chosen array at each place: one gather from all of them."""
    xp = namespace_of(a, choices, out)
    index: Any = as_array(xp, a)
    if index.dtype.kind not in "biu" or not np.can_cast(index.dtype, np.int64):
        message = f"Cannot cast array data from {index.dtype} to int64 according to the rule 'safe'"
        raise TypeError(message)
    items = _promoted(xp, list(choices))
    index, *items = broadcast_arrays(index, *items)
    index = xp.cast(index, np.int64)
    if mode == "raise" and ((index < 0).any() or (index >= len(items)).any()):
        message = "invalid entry in choice array"
        raise ValueError(message)
    index = within(xp, index, len(items), "clip" if mode == "raise" else mode)  # a guard finds what is outside
    flat = xp.concatenate([xp.reshape(item, (item.size,)) for item in items], axis=0)
    here = xp.add(xp.multiply(index, index.size), xp.constant(places(index.shape)))
    return deliver(xp.take(flat, here, axis=0), out)


def compress(condition, a, axis=None, out=None):
    xp, x = array_of(a, condition, out)
    mask = plain_mask(condition)
    if mask.ndim != 1:
        message = "condition must be a 1-d array"
        raise ValueError(message)
    if axis is None or x.ndim == 0:  # a number is a line of one
        x, axis = xp.reshape(x, (x.size,)), 0 if axis is None else axis
    at = axis_of(axis, x.ndim)
    chosen = np.flatnonzero(mask)
    if chosen.size and chosen[-1] >= x.shape[at]:
        message = f"index {chosen[-1]} is out of bounds for axis {at} with size {x.shape[at]}"
        raise IndexError(message)
    return deliver(xp.take(x, xp.constant(chosen.astype(np.int64)), axis=at), out)


def extract(condition, arr):
    return compress(ravel(condition) if find_arrays([condition]) else np.ravel(condition), ravel(arr))


# ----- Indices -----


def take(a, indices, axis=None, out=None, mode="raise"):
    xp, x = array_of(a, indices, out)
    if axis is None or x.ndim == 0:  # a number is a line of one
        x, axis = xp.reshape(x, (x.size,)), 0 if axis is None else axis
    at = axis_of(axis, x.ndim)
    n = x.shape[at]
    if not find_arrays([indices]):
        chosen = np.take(np.arange(n, dtype=np.int64), indices, mode=mode)
        return deliver(xp.take(x, xp.constant(chosen), axis=at), out)
    indices = as_array(xp, indices)
    if indices.dtype.kind not in "biu" or not np.can_cast(indices.dtype, np.int64):
        message = f"Cannot cast array data from {indices.dtype} to int64 according to the rule 'safe'"
        raise TypeError(message)
    if not n and indices.size:
        message = "cannot do a non-empty take from an empty axes."
        raise IndexError(message)
    return deliver(xp.take(x, within(xp, indices, n, mode), axis=at), out)


def ix_(*args):
    """Index arrays that span a grid; of a mask its positions, which are a guard."""
    results = []
    for k, arg in enumerate(args):
        sequence = plain_or_array(namespace_of(*args), arg)
        if sequence.ndim != 1:
            message = "Cross index must be 1 dimensional"
            raise ValueError(message)
        if sequence.dtype.kind == "b":
            sequence = np.flatnonzero(plain_mask(sequence))
        elif sequence.size == 0 and not isinstance(sequence, Array):
            sequence = sequence.astype(np.intp)
        results.append(sequence.reshape((1,) * k + (sequence.size,) + (1,) * (len(args) - k - 1)))
    return tuple(results)


def _in_order(shape: Any, order: str) -> tuple[list[int], list[int]]:
    """The axes of a shape, slowest first, and how far apart neighbours along each are."""
    if order not in ("C", "F"):
        message = f"only 'C' or 'F' order is permitted, got {order!r}"
        raise ValueError(message)
    axes = list(range(len(shape)))[:: 1 if order == "C" else -1]
    strides = [math.prod(shape[a] for a in axes[k + 1 :]) for k in range(len(axes))]
    return axes, strides


def ravel_multi_index(multi_index, dims, mode="raise", order="C"):
    xp = namespace_of(multi_index)
    dims = (dims,) if isinstance(dims, (int, np.integer)) else tuple(dims)
    items = [as_array(xp, index) for index in multi_index]
    modes = mode if isinstance(mode, tuple) else (mode,) * len(items)
    if len(items) != len(dims):
        message = f"parameter multi_index must be a sequence of length {len(dims)}"
        raise ValueError(message)
    if any(item.dtype.kind not in "iu" for item in items):
        message = "only int indices permitted"
        raise TypeError(message)
    axes, strides = _in_order(dims, order)
    total: Any = None
    for axis, stride in zip(axes, strides, strict=True):
        index: Any = xp.cast(items[axis], np.int64)
        if modes[axis] == "raise":
            if (index < 0).any() or (index >= dims[axis]).any():
                message = "invalid entry in coordinates array"
                raise ValueError(message)
        else:
            index = within(xp, index, dims[axis], modes[axis])
        index = xp.multiply(index, stride)
        total = index if total is None else xp.add(total, index)
    return total


def unravel_index(indices, shape, order="C"):
    index: Any
    xp, index = array_of(indices)
    shape = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
    if index.dtype.kind not in "iu":
        message = "only int indices permitted"
        raise TypeError(message)
    index = xp.cast(index, np.int64)
    if (index < 0).any() or (index >= math.prod(shape)).any():
        message = f"index is out of bounds for array with size {math.prod(shape)}"
        raise ValueError(message)
    results: dict[int, Any] = {}
    for axis, stride in zip(*_in_order(shape, order), strict=True):
        results[axis] = xp.remainder(xp.floor_divide(index, max(stride, 1)), max(shape[axis], 1))
    return tuple(results[axis] for axis in range(len(shape)))


def _of_shape(function: Any) -> Any:
    """A function that looks at the shape and dtype of its array alone."""

    def of_shape(arr, *args, **kwargs):
        _, x = array_of(arr)
        return function(stand_in(x), *counted(args), **kwargs)

    return of_shape


TABLE = {
    np.select: select, np.choose: choose, np.compress: compress, np.extract: extract, np.take: take, np.ix_: ix_,
    np.ravel_multi_index: ravel_multi_index, np.unravel_index: unravel_index,
    np.diag_indices_from: _of_shape(np.diag_indices_from),
    np.tril_indices_from: _of_shape(np.tril_indices_from), np.triu_indices_from: _of_shape(np.triu_indices_from),
}  # fmt: skip
