"""Sums, products, statistics: NumPy's functions over axes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from wengert.ir.ops import OPS
from wengert.tracer.array import Array
from wengert.tracer.numpy_api.support import NO, array_of, as_array, axis_of, deliver


def _axes(axis: Any, ndim: int) -> tuple[int, ...]:
    if axis is None or (ndim == 0 and axis in (0, -1)):  # of a number, NumPy's folds allow these
        return tuple(range(ndim))
    return tuple(np.lib.array_utils.normalize_axis_tuple(axis, ndim))


def _fold(name: str, a: Any, axis: Any, out: Any, keepdims: Any, initial: Any, where: Any, dtype: Any) -> Array:
    """A reduction with NumPy's options: ``where`` and ``initial`` become an element that changes nothing."""
    xp, x = array_of(a, initial, where)
    if dtype is not None:
        x = xp.cast(x, dtype)
    elif name in ("sum", "prod") and x.dtype.kind in "biu":
        x = xp.cast(x, np.result_type(x.dtype, np.uint64 if x.dtype.kind == "u" else np.int64))
    elif name in ("any", "all") and x.dtype.kind != "b":
        x = xp.not_equal(x, 0)
    else:
        x = xp.cast(x, x.dtype)  # a Python scalar becomes a NumPy one
    neutral = {"sum": 0, "prod": 1, "any": False, "all": True}.get(name)
    if where is not NO and where is not None and where is not True:
        if neutral is None and initial is NO:
            message = f"reduction operation {name!r} does not have an identity, so to use where= specify initial=."
            raise ValueError(message)
        x = xp.where(where, x, _first(xp, x, initial) if neutral is None else x.dtype.type(neutral))
    axes = _axes(axis, x.ndim)
    empty = 0 in (x.shape[i] for i in axes)
    if neutral is None and empty:
        if initial is NO:
            message = f"zero-size array to reduction operation {name} which has no identity"
            raise ValueError(message)
        shape = tuple(n for i, n in enumerate(x.shape) if i not in axes)
        result = xp.broadcast_to(_first(xp, x, initial), shape)
        return deliver(_kept(xp, result, x.shape, axes) if _true(keepdims) else result, out)
    result = getattr(xp, name)(x, axis=axes, keepdims=_true(keepdims))
    if initial is not NO and initial is not None:
        result = getattr(xp, {"sum": "add", "prod": "multiply", "max": "maximum", "min": "minimum"}[name])(
            result, _first(xp, x, initial))
    return deliver(result, out)


def _first(xp: Any, x: Array, initial: Any) -> Array:
    """What a fold starts with, in its dtype."""
    return xp.cast(as_array(xp, initial), x.dtype)


def _true(keepdims: Any) -> bool:
    return keepdims is not NO and bool(keepdims)


def _kept(xp: Any, x: Array, shape: tuple[int, ...], axes: tuple[int, ...]) -> Array:
    return xp.reshape(x, tuple(1 if i in axes else n for i, n in enumerate(shape)))


def sum_(a, axis=None, dtype=None, out=None, keepdims=NO, initial=NO, where=NO):
    return _fold("sum", a, axis, out, keepdims, initial, where, dtype)


def prod(a, axis=None, dtype=None, out=None, keepdims=NO, initial=NO, where=NO):
    return _fold("prod", a, axis, out, keepdims, initial, where, dtype)


def max_(a, axis=None, out=None, keepdims=NO, initial=NO, where=NO):
    return _fold("max", a, axis, out, keepdims, initial, where, None)


def min_(a, axis=None, out=None, keepdims=NO, initial=NO, where=NO):
    return _fold("min", a, axis, out, keepdims, initial, where, None)


def any_(a, axis=None, out=None, keepdims=NO, *, where=NO):
    return _fold("any", a, axis, out, keepdims, NO, where, None)


def all_(a, axis=None, out=None, keepdims=NO, *, where=NO):
    return _fold("all", a, axis, out, keepdims, NO, where, None)


def _position(name: str, a: Any, axis: Any, out: Any, keepdims: Any) -> Array:
    xp, x = array_of(a)
    axes = _axes(axis, x.ndim)
    if 0 in (x.shape[i] for i in axes):
        message = f"attempt to get {name} of an empty sequence"
        raise ValueError(message)
    return deliver(xp.reduce(OPS[name], x, axes, keepdims=_true(keepdims)), out)


def argmax(a, axis=None, out=None, *, keepdims=NO):
    return _position("argmax", a, axis, out, keepdims)


def argmin(a, axis=None, out=None, *, keepdims=NO):
    return _position("argmin", a, axis, out, keepdims)


def mean(a, axis=None, dtype=None, out=None, keepdims=NO, *, where=NO):
    xp, x = array_of(a, where)
    if dtype is None and x.dtype.kind in "biu":
        dtype = np.float64
    total = sum_(x, axis, dtype, None, keepdims, NO, where)
    count = _count(xp, x, axis, where, keepdims)
    return deliver(xp.divide(total, xp.cast(count, total.dtype) if isinstance(count, Array) else count), out)


def _count(xp: Any, x: Array, axis: Any, where: Any, keepdims: Any) -> Any:
    """How many elements each result gathers; a weak number, so that float32 stays float32."""
    if where is NO or where is None or where is True:
        return math.prod(x.shape[i] for i in _axes(axis, x.ndim))
    return sum_(xp.broadcast_to(xp.wrap(xp.lift(where)), x.shape), axis, np.int64, None, keepdims)


def freedom_lost(ddof: Any, correction: Any) -> Any:
    """The two names of one option."""
    if correction is NO:
        return ddof
    if ddof != 0:
        message = "ddof and correction can't be provided simultaneously."
        raise ValueError(message)
    return correction


def root(variance: Any) -> Any:
    """At zero variance the slope of the root is infinite and that of the variance zero: the convention is 0."""
    xp, variance = array_of(variance)
    positive = xp.not_equal(variance, 0)
    return xp.where(positive, xp.sqrt(xp.where(positive, variance, variance.dtype.type(1))), variance)


def squares(xp: Any, x: Any) -> Any:
    """|x|^2."""
    return xp.square(x) if x.dtype.kind != "c" else xp.add(xp.square(xp.real(x)), xp.square(xp.imag(x)))


def var(a, axis=None, dtype=None, out=None, ddof=0, keepdims=NO, *, where=NO, mean=NO, correction=NO):
    ddof = freedom_lost(ddof, correction)
    xp, x = array_of(a, where, mean)
    dtype = dtype or (np.float64 if x.dtype.kind in "biu" else None)
    centre = globals()["mean"](x, axis, dtype, keepdims=True, where=where) if mean is NO or mean is None else mean
    total = sum_(squares(xp, xp.subtract(x, centre)), axis, dtype, None, keepdims, NO, where)
    count = _count(xp, x, axis, where, keepdims)
    if isinstance(count, Array):
        return deliver(xp.divide(total, xp.cast(xp.maximum(xp.subtract(count, ddof), 0), total.dtype)), out)
    return deliver(xp.divide(total, max(count - ddof, 0)), out)


def std(a, axis=None, dtype=None, out=None, ddof=0, keepdims=NO, *, where=NO, mean=NO, correction=NO):
    variance = var(a, axis, dtype, None, ddof, keepdims, where=where, mean=mean, correction=correction)
    return deliver(root(variance), out)


def ptp(a, axis=None, out=None, keepdims=NO):
    xp, x = array_of(a)
    return deliver(xp.subtract(max_(x, axis, None, keepdims), min_(x, axis, None, keepdims)), out)


def _running(name: str, a: Any, axis: Any, dtype: Any, out: Any) -> Array:
    xp, x = array_of(a)
    if dtype is not None:
        x = xp.cast(x, dtype)
    elif x.dtype.kind in "biu":
        x = xp.cast(x, np.result_type(x.dtype, np.uint64 if x.dtype.kind == "u" else np.int64))
    if axis is None:
        x, axis = xp.reshape(x, (x.size,)), 0
    return deliver(getattr(xp, name)(x, axis_of(axis, x.ndim)), out)


def cumsum(a, axis=None, dtype=None, out=None):
    return _running("cumsum", a, axis, dtype, out)


def cumprod(a, axis=None, dtype=None, out=None):
    return _running("cumprod", a, axis, dtype, out)


def _cumulative(name: str, first: int) -> Any:
    def cumulative(x, /, *, axis=None, dtype=None, out=None, include_initial=False):
        xp, a = array_of(x)
        a = xp.reshape(a, (1,)) if not a.ndim else a
        if axis is None and a.ndim > 1:
            message = "For arrays which have more than one dimension ``axis`` argument is required."
            raise ValueError(message)
        axis = axis_of(axis or 0, a.ndim)
        result = _running(name, a, axis, dtype, None)
        if include_initial:
            start = xp.full((*a.shape[:axis], 1, *a.shape[axis + 1 :]), first, result.dtype)
            result = xp.concatenate([start, result], axis=axis)
        return deliver(result, out)

    return cumulative


def count_nonzero(a, axis=None, *, keepdims=False):
    xp, x = array_of(a)
    return sum_(xp.not_equal(x, 0), axis, np.int64, None, keepdims)


TABLE: dict[Any, Any] = {
    np.sum: sum_, np.prod: prod, np.max: max_, np.amax: max_, np.min: min_, np.amin: min_,
    np.any: any_, np.all: all_, np.argmax: argmax, np.argmin: argmin, np.mean: mean, np.var: var, np.std: std,
    np.ptp: ptp, np.cumsum: cumsum, np.cumprod: cumprod,
    np.count_nonzero: count_nonzero,
}  # fmt: skip
for _name, _function in (("cumulative_sum", _cumulative("cumsum", 0)), ("cumulative_prod", _cumulative("cumprod", 1))):
    if hasattr(np, _name):  # from NumPy 2.1 on
        TABLE[getattr(np, _name)] = _function
