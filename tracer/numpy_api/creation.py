"""Arrays made of traced values: literals, filled arrays, ranges; and copies of arrays."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from wengert.tracer.array import Array, TraceNamespace, find_arrays, namespace_of
from wengert.tracer.context import current_trace
from wengert.tracer.numpy_api.support import array_of, as_array


def from_items(xp: TraceNamespace, items: Any, dtype: Any = None) -> Any:
    """What ``np.array`` makes of nested lists in which traced values stand.

    Numbers that were read from one array are remembered by their places in it, so that a literal costs no node per
    element.
    """
    if isinstance(items, np.ndarray) and items.dtype.kind == "O":
        items = items.tolist()
    if not isinstance(items, (list, tuple)):
        return items
    leaves: list[tuple[tuple[int, ...], Any]] = []
    shape = _shape(items, (), leaves)
    kinds = [_dtype(x) for _, x in leaves] or [np.float64]
    made = np.zeros(shape, np.result_type(*kinds) if dtype is None else np.dtype(dtype))
    array = xp.plain(made)
    buffer = array.memory.buffer  # type: ignore[union-attr]
    places = buffer.root()
    for at, leaf in leaves:
        if isinstance(leaf, Array) and not leaf.is_plain:
            cast = xp.lift(leaf) if leaf.dtype == made.dtype else xp.lift(xp.cast(leaf, made.dtype))
            known = leaf.origin if leaf.dtype == made.dtype and leaf.owner is xp.trace else None
            buffer.put(places[at], xp.builder.cast(cast, made.dtype), known)
        else:
            made[at] = leaf.numbers if isinstance(leaf, Array) else leaf
    return array


def _shape(items: Any, at: tuple[int, ...], leaves: list[tuple[tuple[int, ...], Any]]) -> tuple[int, ...]:
    if not isinstance(items, (list, tuple)):
        leaf = items if isinstance(items, (Array, int, float, complex)) else np.asarray(items)
        leaves.append((at, leaf))
        return tuple(np.shape(leaf))
    shapes = {_shape(item, (*at, i), leaves) for i, item in enumerate(items)}
    if len(shapes) > 1:
        message = (
            "setting an array element with a sequence. The requested array has an inhomogeneous shape after "
            f"{len(at) + 1} dimensions: its parts have the shapes {sorted(shapes)}."
        )
        raise ValueError(message)
    return (len(items), *(shapes.pop() if shapes else ()))


def _dtype(leaf: Any) -> Any:
    """The dtype of a part of a literal; a Python number counts as an array here, in NumPy too."""
    return leaf.dtype if isinstance(leaf, (Array, np.ndarray)) else np.asarray(leaf).dtype


def array(object, dtype=None, *, copy=True, order="K", subok=False, ndmin=0, ndmax=0, like=None):
    made = _array(object, dtype, copy=copy is not False)
    return np.reshape(made, (1,) * (ndmin - np.ndim(made)) + np.shape(made)) if np.ndim(made) < ndmin else made


def asarray(a, dtype=None, order=None, *, device=None, copy=None, like=None):
    return _array(a, dtype, copy=bool(copy))


def asanyarray(a, dtype=None, order=None, *, device=None, copy=None, like=None):
    return _array(a, dtype, copy=bool(copy))


def contiguous(a, dtype=None, *, like=None):
    return np.atleast_1d(_array(a, dtype, copy=False))


def require(a, dtype=None, requirements=None, *, like=None):
    return _array(a, dtype, copy=False)


def _array(a: Any, dtype: Any, *, copy: bool) -> Any:
    if not isinstance(a, Array):
        return from_items(_namespace(a), a, dtype)
    dtype = np.dtype(dtype) if dtype is not None else a.dtype
    if not copy and dtype == a.dtype and not a.type.weak:
        return a
    xp, x = array_of(a)
    return xp.wrap(xp.cast(x, dtype).value)


def _namespace(*items: Any) -> TraceNamespace:
    if find_arrays(items):
        return namespace_of(*items)
    trace = current_trace()
    assert trace is not None  # `like=` was traced
    return TraceNamespace(trace)


def copy(a, order="K", subok=False):
    return _array(a, None, copy=True)


def fromiter(iter, dtype, count=-1, *, like=None):
    items = list(iter) if count < 0 else [x for x, _ in zip(iter, range(count), strict=False)]
    return array(items, dtype) if find_arrays(items) else np.fromiter(items, dtype)


def _size(shape: Any) -> tuple[int, ...]:
    return tuple(map(operator.index, shape)) if isinstance(shape, (tuple, list)) else (operator.index(shape),)


def _filled(fill: Any) -> Any:
    """``zeros(shape)``: a traced number in the shape is a count, which becomes a guard."""

    def filled(shape, dtype=float, order="C", *, device=None, like=None):
        return _namespace(shape, like).plain(np.full(_size(shape), fill, np.dtype(dtype or float)))

    return filled


def full(shape, fill_value, dtype=None, order="C", *, device=None, like=None):
    xp, value = array_of(fill_value, shape)
    value = xp.cast(value, dtype or value.dtype)
    made = xp.plain(np.zeros(_size(shape), value.dtype))
    made[...] = value
    return made


def _alike(fill: Any) -> Any:
    def alike(a, dtype=None, order="K", subok=True, shape=None, *, device=None):
        xp, x = array_of(a)
        return xp.plain(np.full(x.shape if shape is None else _size(shape), fill, dtype or x.dtype))

    return alike


def full_like(a, fill_value, dtype=None, order="K", subok=True, shape=None, *, device=None):
    xp, value = array_of(fill_value, a)
    made = xp.plain(np.zeros(np.shape(a) if shape is None else _size(shape), dtype or xp.lift(a).type.dtype))
    made[...] = value
    return made


def eye(N, M=None, k=0, dtype=float, order="C", *, device=None, like=None):
    return _namespace(N, M, k, like).plain(np.eye(int(N), None if M is None else int(M), int(k), dtype))


def arange(start, stop=None, step=None, dtype=None, *, device=None, like=None):
    xp = _namespace(start, stop, step, like)
    if stop is None:
        start, stop = 0, start
    step = 1 if step is None else step
    length = (stop - start) / step
    count = max(int(np.ceil(length)), 0)  # how many is a guard; the numbers are traced
    kinds = [xp.lift(x).type.dtype for x in (start, stop, step)]
    found = xp.cast(xp.add(start, xp.multiply(np.arange(count), step)), dtype or np.result_type(*kinds))
    return xp.wrap(found.value)


def linspace(start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0, *, device=None):
    xp = _namespace(start, stop, num)
    kind = np.result_type(*(_promoting(xp, x) for x in (start, stop)), 1.0)
    first, last = (xp.cast(as_array(xp, x), kind) for x in (start, stop))
    num = operator.index(num)
    if num < 0:
        message = f"Number of samples, {num}, must be non-negative."
        raise ValueError(message)
    parts = num - 1 if endpoint else num
    length = xp.subtract(last, first)
    shape = np.broadcast_shapes(first.shape, last.shape)
    count = np.arange(num, dtype=kind).reshape(-1, *(1,) * len(shape))
    step = xp.divide(length, parts) if parts > 0 else xp.multiply(length, np.nan)
    along = xp.multiply(as_array(xp, count), step if parts > 0 else length)
    made = xp.add(along, first)
    if endpoint and num > 1:
        ends = xp.broadcast_to(xp.reshape(last, (1, *last.shape)), (1, *shape))
        made = xp.concatenate([made[:-1], xp.cast(ends, made.dtype)], axis=0)
    if dtype is not None:
        floors = np.issubdtype(dtype, np.integer)
        made = xp.cast(xp.floor(made) if floors else made, dtype)
    made = np.moveaxis(made, 0, axis)
    return (made, step) if retstep else made


def _promoting(xp: TraceNamespace, x: Any) -> Any:
    """What NumPy's promotion sees: a Python number, or a dtype."""
    type_ = as_array(xp, x).type
    return type_.dtype.type(0).item() if type_.weak else type_.dtype


def logspace(start, stop, num=50, endpoint=True, base=10.0, dtype=None, axis=0):
    exponents = linspace(start, stop, num, endpoint, axis=axis)
    made = np.power(np.expand_dims(base, axis) if np.ndim(base) else base, exponents)
    return made if dtype is None else made.astype(dtype, copy=False)


def geomspace(start, stop, num=50, endpoint=True, dtype=None, axis=0):
    xp = _namespace(start, stop)
    kind = np.result_type(*(as_array(xp, x).dtype for x in (start, stop)), np.float64)
    start, stop = (xp.cast(as_array(xp, x), kind) for x in (start, stop))
    if np.any(start == 0) or np.any(stop == 0):
        message = "Geometric sequence cannot include zero"
        raise ValueError(message)
    sign = np.sign(start)
    start, stop = start / sign, stop / sign
    made = logspace(np.log10(start), np.log10(stop), num, endpoint)
    ends = [np.broadcast_to(x, np.shape(made)[1:])[None] for x in (start, stop)]
    if num > 0:
        made = np.concatenate([ends[0], made[1:-1], ends[1]] if endpoint and num > 1 else [ends[0], made[1:]])
    made = np.moveaxis(made * sign, 0, axis)
    return made if dtype is None else made.astype(dtype, copy=False)


def fromfunction(function, shape, *, dtype=float, like=None, **kwargs):
    return function(*np.indices(shape, dtype), **kwargs)


TABLE: dict[Any, Any] = {
    np.array: array, np.asarray: asarray, np.asanyarray: asanyarray, np.ascontiguousarray: contiguous,
    np.asfortranarray: contiguous, np.require: require, np.copy: copy, np.fromiter: fromiter,
    np.zeros: _filled(0), np.ones: _filled(1), np.empty: _filled(0), np.full: full, np.eye: eye,
    np.identity: lambda n, dtype=None, *, like=None: eye(n, dtype=dtype or float),
    np.zeros_like: _alike(0), np.ones_like: _alike(1), np.empty_like: _alike(0), np.full_like: full_like,
    np.arange: arange, np.linspace: linspace, np.logspace: logspace, np.geomspace: geomspace,
    np.fromfunction: fromfunction,
}  # fmt: skip
