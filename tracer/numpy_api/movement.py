"""Shapes, joining, splitting, repeating: NumPy's functions that move elements."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from wengert.tracer.array import Array, refuse
from wengert.tracer.memory import share
from wengert.tracer.numpy_api.positions import stand_in
from wengert.tracer.numpy_api.support import array_of, arrays_of, as_array, axis_of, deliver, promote
from wengert.tracer.plain import counted


def reshape(a, /, shape=None, order="C", *, newshape=None, copy=None):
    xp, x = array_of(a)
    shape = newshape if shape is None else shape
    if order not in ("C", "F", "A"):
        message = f"order must be one of 'C', 'F', or 'A' (got {order!r})"
        raise ValueError(message)
    sizes = [operator.index(n) for n in (shape if isinstance(shape, (tuple, list)) else (shape,))]
    if sizes.count(-1) == 1:
        rest = math.prod(n for n in sizes if n != -1)
        if rest and x.size % rest == 0:
            sizes[sizes.index(-1)] = x.size // rest
    if math.prod(sizes) != x.size or min(sizes, default=0) < 0:
        wanted = tuple(shape) if isinstance(shape, (tuple, list)) else shape
        message = f"cannot reshape array of size {x.size} into shape {wanted}"
        raise ValueError(message)
    if order == "F" or (order == "A" and _memory_order(x, order) == "F"):
        return transpose(reshape(transpose(x), tuple(sizes[::-1]), copy=copy))
    return xp.wrap(xp.reshape(x, tuple(sizes)).value) if copy else reshaped(xp, x, tuple(sizes))


def _memory_order(x: Array, order: str) -> str:
    """What A and K mean: C, the order of what comes in and of what is computed from it, axes left where they are."""
    if sum(n != 1 for n in x.shape) <= 1:
        return "C"  # there is one order only
    reached = {x.value}
    for node in reversed(x.owner.builder.nodes):
        if not reached.isdisjoint(node.results):
            if node.op.name in ("transpose", "einsum"):
                raise refuse(
                    f"order={order!r} asks for the order of the elements in memory, which is not traced, and the axes "
                    "have been moved before.",
                    "Use order='C' or order='F'.",
                )
            reached.update(node.operands)
    return "C"


def reshaped(xp: Any, x: Array, shape: tuple[int, ...]) -> Array:
    """Another shape; a view for sure only where no axes are joined or split, or there is one axis."""
    wide = [n for n in x.shape if n != 1]
    certain = len(wide) <= 1 or wide == [n for n in shape if n != 1]
    return share(x, xp.reshape(x, shape), "reshape", shape, certain=certain)


def ravel(a, order="C"):
    return reshape(a, -1, _memory_order(array_of(a)[1], order) if order == "K" else order)


def transpose(a, axes=None):
    xp, x = array_of(a)
    if axes is not None:
        axes = np.lib.array_utils.normalize_axis_tuple(axes, x.ndim)
        if len(axes) != x.ndim:
            message = "axes don't match array"
            raise ValueError(message)
    return share(x, xp.transpose(x, axes), "transpose", axes)


def swapaxes(a, axis1, axis2):
    order = list(range(np.ndim(a)))
    i, j = axis_of(axis1, len(order)), axis_of(axis2, len(order))
    order[i], order[j] = order[j], order[i]
    return transpose(a, order)


def moveaxis(a, source, destination):
    ndim = np.ndim(a)
    source = np.lib.array_utils.normalize_axis_tuple(source, ndim)
    destination = np.lib.array_utils.normalize_axis_tuple(destination, ndim)
    if len(source) != len(destination):
        message = "`source` and `destination` arguments must have the same number of elements"
        raise ValueError(message)
    order = [n for n in range(ndim) if n not in source]
    for to, from_ in sorted(zip(destination, source, strict=True)):
        order.insert(to, from_)
    return transpose(a, order)


def broadcast_to(array, shape, subok=False):
    xp, x = array_of(array)
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    if np.broadcast_shapes(x.shape, shape) != shape:
        message = f"operands could not be broadcast together with remapped shapes {x.shape} and {shape}"
        raise ValueError(message)
    return share(x, xp.broadcast_to(x, shape), "broadcast_to", shape)


def broadcast_arrays(*args, subok=False):
    xp, arrays = arrays_of(args)
    shape = np.broadcast_shapes(*(a.shape for a in arrays))
    if all(a.shape == shape for a in arrays):
        return tuple(arrays)
    return tuple(share(a, xp.broadcast_to(a, shape), "broadcast_to", shape) for a in arrays)


def expand_dims(a, axis):
    xp, x = array_of(a)
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    axes = np.lib.array_utils.normalize_axis_tuple(axes, x.ndim + len(axes))
    rest = iter(x.shape)
    return reshaped(xp, x, tuple(1 if i in axes else next(rest) for i in range(x.ndim + len(axes))))


def squeeze(a, axis=None):
    xp, x = array_of(a)
    axes = [i for i, n in enumerate(x.shape) if n == 1] if axis is None else list(
        np.lib.array_utils.normalize_axis_tuple(axis, x.ndim))
    if any(x.shape[i] != 1 for i in axes):
        message = "cannot select an axis to squeeze out which has size not equal to one"
        raise ValueError(message)
    return reshaped(xp, x, tuple(n for i, n in enumerate(x.shape) if i not in axes))


def concatenate(arrays, /, axis=0, out=None, *, dtype=None, casting="same_kind"):
    xp, items = arrays_of(arrays)
    items = [xp.cast(a, dtype) for a in items] if dtype is not None else promote(xp, items)
    if axis is None:
        items, axis = [xp.reshape(a, (a.size,)) for a in items], 0
    if any(a.ndim == 0 for a in items):
        message = "zero-dimensional arrays cannot be concatenated"
        raise ValueError(message)
    at = axis_of(axis, items[0].ndim)
    if len({(*a.shape[:at], *a.shape[at + 1 :], a.ndim) for a in items}) != 1:
        shapes = [a.shape for a in items]
        message = f"all the input array dimensions except for the concatenation axis must match, got {shapes}"
        raise ValueError(message)
    return deliver(xp.concatenate(items, axis=at), out)


def stack(arrays, axis=0, out=None, *, dtype=None, casting="same_kind"):
    _, items = arrays_of(arrays)
    if len({a.shape for a in items}) != 1:
        message = "all input arrays must have the same shape"
        raise ValueError(message)
    return concatenate([expand_dims(a, axis) for a in items], axis_of(axis, items[0].ndim + 1), out, dtype=dtype)


def _at_least(ndim: int, front: int) -> Any:
    """atleast_nd: new axes in front, or one behind for the third (as NumPy has it)."""

    def at_least(*arrays):
        _, items = arrays_of(arrays)
        results = []
        for x in items:
            shape = x.shape
            while len(shape) < ndim:
                shape = (*shape, 1) if len(shape) >= front else (1, *shape)
            results.append(reshape(x, shape) if shape != x.shape else x)
        return results[0] if len(results) == 1 else tuple(results)

    return at_least


atleast_1d, atleast_2d, atleast_3d = _at_least(1, 1), _at_least(2, 2), _at_least(3, 2)


def _list(result: Any) -> list[Any]:
    return list(result) if isinstance(result, tuple) else [result]


def vstack(tup, *, dtype=None, casting="same_kind"):
    return concatenate(_list(atleast_2d(*tup)), 0, dtype=dtype)


def hstack(tup, *, dtype=None, casting="same_kind"):
    items = _list(atleast_1d(*tup))
    return concatenate(items, 0 if items[0].ndim == 1 else 1, dtype=dtype)


def dstack(tup, *, dtype=None, casting="same_kind"):
    return concatenate(_list(atleast_3d(*tup)), 2, dtype=dtype)


def column_stack(tup):
    _, items = arrays_of(tup)
    return concatenate([reshape(x, (x.size, 1)) if x.ndim < 2 else x for x in items], 1)


def flip(m, axis=None):
    _, x = array_of(m)
    axes = range(x.ndim) if axis is None else np.lib.array_utils.normalize_axis_tuple(axis, x.ndim)
    return x[tuple(slice(None, None, -1) if i in axes else slice(None) for i in range(x.ndim))]


def roll(a, shift, axis=None):
    xp, x = array_of(a)
    if axis is None:
        return xp.reshape(roll(xp.reshape(x, (x.size,)), shift, 0), x.shape)
    shifts, axes = np.broadcast_arrays(shift, axis)
    for by, at in zip(shifts.flat, axes.flat, strict=True):
        n, at = x.shape[axis_of(at, x.ndim)], axis_of(at, x.ndim)
        cut = -int(by) % n if n else 0
        if cut:
            lead = (slice(None),) * at
            x = xp.concatenate([x[(*lead, slice(cut, None))], x[(*lead, slice(None, cut))]], axis=at)
    return x if x is not a else xp.wrap(x.value)


def meshgrid(*xi, copy=True, sparse=False, indexing="xy"):
    if indexing not in ("xy", "ij"):
        message = "Valid values for `indexing` are 'xy' and 'ij'."
        raise ValueError(message)
    _, items = arrays_of(xi)
    n = len(items)
    axes = [1, 0, *range(2, n)] if indexing == "xy" and n > 1 else list(range(n))
    grids = [reshape(x, (1,) * at + (x.size,) + (1,) * (n - at - 1)) for x, at in zip(items, axes, strict=True)]
    grids = grids if sparse else list(broadcast_arrays(*grids))
    return tuple(map(np.copy, grids) if copy else grids)


def sliding_window_view(x, window_shape, axis=None, *, subok=False, writeable=False):
    """One gather per axis: index ``[i, k]`` is element ``i + k`` of it."""
    xp, a = array_of(x)
    np.lib.stride_tricks.sliding_window_view(stand_in(a), window_shape, axis)  # for its errors
    sizes = window_shape if np.iterable(window_shape) else (window_shape,)
    if axis is None:
        axis = range(a.ndim)
    axes = np.lib.array_utils.normalize_axis_tuple(axis, a.ndim, allow_duplicate=True)
    windows = a
    for at, size in zip(axes, map(int, sizes), strict=True):
        starts = np.arange(windows.shape[at] - size + 1, dtype=np.int64)
        taken = xp.take(windows, xp.constant(starts[:, None] + np.arange(size)), axis=at)
        windows = xp.transpose(taken, [*(i for i in range(taken.ndim) if i != at + 1), at + 1])
    return share(a, xp.wrap(windows.value), "windows", None, certain=False)


def tile(A, reps):
    xp, x = array_of(A)
    reps = tuple(int(r) for r in np.atleast_1d(reps))
    ndim = max(x.ndim, len(reps))
    shape, reps = (1,) * (ndim - x.ndim) + x.shape, (1,) * (ndim - len(reps)) + reps
    spread = xp.reshape(x, tuple(n for s in shape for n in (1, s)))
    grown = xp.broadcast_to(spread, tuple(n for r, s in zip(reps, shape, strict=True) for n in (r, s)))
    return xp.reshape(grown, tuple(r * s for r, s in zip(reps, shape, strict=True)))


def repeat(a, repeats, axis=None):
    xp, x = array_of(a)
    if isinstance(repeats := counted(repeats), Array):
        raise refuse("np.repeat with traced counts gives a shape that depends on values.", "Use plain counts.")
    if axis is None:
        x, axis = xp.reshape(x, (x.size,)), 0
    at = axis_of(axis, x.ndim)
    where = np.repeat(np.arange(x.shape[at], dtype=np.int64), repeats)
    return xp.take(x, xp.constant(where), axis=at)


def array_split(ary, indices_or_sections, axis=0):
    _, x = array_of(ary)
    at = axis_of(axis, x.ndim)
    parts = np.array_split(np.arange(x.shape[at]), indices_or_sections)
    lead = (slice(None),) * at
    starts = [int(p[0]) if p.size else 0 for p in parts]
    return [x[(*lead, slice(s, s + p.size))] for s, p in zip(starts, parts, strict=True)]


def split(ary, indices_or_sections, axis=0):
    if np.ndim(indices_or_sections) == 0 and np.shape(ary)[axis] % int(indices_or_sections):
        message = "array split does not result in an equal division"
        raise ValueError(message)
    return array_split(ary, indices_or_sections, axis)


def _splitter(name: str, least: int) -> Any:
    def splitter(ary, indices_or_sections):
        if np.ndim(ary) < least:
            message = f"{name} only works on arrays of {least} or more dimensions"
            raise ValueError(message)
        axis = {"vsplit": 0, "hsplit": min(np.ndim(ary) - 1, 1), "dsplit": 2}[name]
        return split(ary, indices_or_sections, axis)

    return splitter


def diagonal(a, offset=0, axis1=0, axis2=1):
    x = moveaxis(a, (axis1, axis2), (-2, -1))
    chosen = np.diagonal(np.arange(x.shape[-2] * x.shape[-1]).reshape(x.shape[-2:]), offset)
    flat = reshape(x, (*x.shape[:-2], x.shape[-2] * x.shape[-1]))
    step = x.shape[-1] + 1
    first = int(chosen[0]) if chosen.size else 0
    stop = first + step * max(chosen.size - 1, 0) + (1 if chosen.size else 0)
    return flat[..., first:stop:step]


def diag(v, k=0):
    xp, x = array_of(v)
    if x.ndim == 2:
        return diagonal(x, k)
    n = x.size + abs(k)
    flat = xp.place(x, shape=(n * n,), start=(max(k, 0) + n * max(-k, 0) if x.size else 0,), step=(n + 1,))
    return xp.reshape(flat, (n, n))


def diagflat(v, k=0):
    return diag(ravel(v), k)


def trace(a, offset=0, axis1=0, axis2=1, dtype=None, out=None):
    from wengert.tracer.numpy_api.reductions import sum_

    return sum_(diagonal(a, offset, axis1, axis2), -1, dtype, out)


def _triangle(function: Any) -> Any:
    def triangle(m, k=0):
        xp, x = array_of(m)
        keep = function(np.ones(x.shape[-2:], bool), k)
        return xp.where(xp.constant(keep), x, x.dtype.type(0))

    return triangle


def take_along_axis(arr, indices, axis=-1):
    from wengert.tracer.indexing import normal_indices

    xp, x = array_of(arr, indices)
    index = as_array(xp, indices)
    if index.dtype.kind not in "iu":
        message = "`indices` must be an integer array"
        raise IndexError(message)
    if axis is None:
        x, axis = xp.reshape(x, (x.size,)), 0
    if index.ndim != x.ndim:
        message = "`indices` and `arr` must have the same number of dimensions"
        raise ValueError(message)
    at = axis_of(axis, x.ndim)
    n = x.shape[at]
    lines = np.broadcast_shapes(*((*a.shape[:at], *a.shape[at + 1 :]) for a in (x, index)))
    x, index = (xp.broadcast_to(a, (*lines[:at], a.shape[at], *lines[at:])) for a in (x, index))
    index = normal_indices(xp, index, n)
    # An index outside its line must not reach the next line, but be outside of all.
    inside = xp.logical_and(xp.greater_equal(index, 0), xp.less(index, n))
    return xp.take_along_axis(x, xp.where(inside, index, x.size), at)


TABLE = {
    np.reshape: reshape, np.ravel: ravel, np.transpose: transpose, np.permute_dims: transpose,
    np.swapaxes: swapaxes, np.moveaxis: moveaxis,
    np.matrix_transpose: lambda x: swapaxes(x, -1, -2),
    np.broadcast_to: broadcast_to, np.broadcast_arrays: broadcast_arrays, np.expand_dims: expand_dims,
    np.squeeze: squeeze, np.concatenate: concatenate, np.concat: concatenate, np.stack: stack,
    np.vstack: vstack, np.hstack: hstack, np.dstack: dstack, np.column_stack: column_stack,
    np.atleast_1d: atleast_1d, np.atleast_2d: atleast_2d, np.atleast_3d: atleast_3d,
    np.flip: flip, np.fliplr: lambda m: flip(m, 1), np.flipud: lambda m: flip(m, 0),
    np.roll: roll, np.tile: tile, np.repeat: repeat,
    np.array_split: array_split, np.split: split,
    np.hsplit: _splitter("hsplit", 1), np.vsplit: _splitter("vsplit", 2),
    np.dsplit: _splitter("dsplit", 3), np.diagflat: diagflat, np.meshgrid: meshgrid,
    np.lib.stride_tricks.sliding_window_view: sliding_window_view,
    np.diagonal: diagonal, np.diag: diag, np.trace: trace, np.tril: _triangle(np.tril), np.triu: _triangle(np.triu),
    np.take_along_axis: take_along_axis,
}  # fmt: skip
