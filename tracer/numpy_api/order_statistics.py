"""Median, quantiles: sorted at run time, so that no guard depends on the order of the elements.

The derivative goes to the elements that the result is made of, in the stable order: at ties of the two in the middle
each has its weight.  In a traced ``q`` it is the slope to the right (at ``q = 1`` to the left), 0 for methods that
jump.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from wengert.tracer.array import Array
from wengert.tracer.numpy_api.support import NO, array_of, as_array, deliver, lines, plain_or_array, restored


def median(a, axis=None, out=None, overwrite_input=False, keepdims=False):
    xp, x = array_of(a)
    columns, axes = lines(xp, x, axis)
    n = columns.shape[0]
    if n == 0:
        return deliver(restored(xp, np.mean(columns, 0), x, axes, keepdims), out)
    ordered = np.sort(columns, 0)
    middle = np.mean(ordered[(n - 1) // 2 : n // 2 + 1], 0)
    return deliver(restored(xp, _nan_wins(ordered, middle), x, axes, keepdims), out)


def nanmedian(a, axis=None, out=None, overwrite_input=False, keepdims=NO):
    xp, x = array_of(a)
    if x.dtype.kind in "biu":
        return median(x, axis, out, overwrite_input, keepdims is not NO and keepdims)
    if x.size == 0:
        return np.nanmean(x, axis, out=out, keepdims=keepdims)
    columns, axes = lines(xp, x, axis)
    ordered = np.sort(columns, 0)
    count = np.sum(~np.isnan(columns), 0)
    low, high = _at(xp, ordered, np.maximum(count - 1, 0) // 2), _at(xp, ordered, np.minimum(count // 2, count))
    middle = np.where(count % 2 == 1, low, (low + high) / 2)
    result = np.where(count == 0, np.nan, middle)
    return deliver(restored(xp, result, x, axes, keepdims is not NO and keepdims), out)


def _nan_wins(ordered: Any, result: Any) -> Any:
    """NaN sorts to the end: where one is, it is the result."""
    if ordered.dtype.kind not in "fc":
        return result
    last = ordered[-1]
    return np.where(np.isnan(last), last.astype(result.dtype), result)


def _at(xp: Any, ordered: Any, index: Any) -> Any:
    """Of each column the element at its own index: of shape ``index``, whose last axes are those of the columns."""
    kept = ordered.shape[1:]
    size = math.prod(kept)
    place = np.arange(size, dtype=np.int64).reshape(kept)
    return np.take(xp.reshape(ordered, (math.prod(ordered.shape),)), index.astype(np.int64) * size + place)


# ----- Where a quantile lies among n sorted elements, after Hyndman and Fan (1996) -----


def _continuous(alpha: float, beta: float) -> Any:
    return lambda n, q: n * q + (alpha + q * (1 - alpha - beta)) - 1


def _whole(index: Any, stays: Any) -> Any:
    """The next whole index, or the previous one where the position ``stays``."""
    previous = np.floor(index)
    found = np.where(stays(index - previous, index), previous, previous + 1).astype(np.int64)
    return np.maximum(found, 0)


def _clipped_half(n, q):
    return 0.5 * (np.floor((n - 1) * q) + np.ceil((n - 1) * q))


#: Per method the position as a function of n and q, and what replaces its fraction (None: positions are whole).
_METHODS: dict[str, tuple[Any, Any]] = {
    "inverted_cdf": (lambda n, q: _whole(n * q - 1, lambda part, _: part == 0), None),
    "averaged_inverted_cdf": (lambda n, q: n * q - 1, lambda part, _: np.where(part == 0, 0.5, 1.0)),
    "closest_observation": (
        lambda n, q: _whole(n * q - 1 - 0.5, lambda part, index: (part == 0) & (np.floor(index) % 2 == 1)), None),
    "interpolated_inverted_cdf": (_continuous(0, 1), lambda part, _: part),
    "hazen": (_continuous(0.5, 0.5), lambda part, _: part),
    "weibull": (_continuous(0, 0), lambda part, _: part),
    "linear": (lambda n, q: (n - 1) * q, lambda part, _: part),
    "median_unbiased": (_continuous(1 / 3.0, 1 / 3.0), lambda part, _: part),
    "normal_unbiased": (_continuous(3 / 8.0, 3 / 8.0), lambda part, _: part),
    "lower": (lambda n, q: np.floor((n - 1) * q).astype(np.int64), None),
    "higher": (lambda n, q: np.ceil((n - 1) * q).astype(np.int64), None),
    "midpoint": (_clipped_half, lambda part, index: np.where(index % 1 == 0, 0.0, 0.5)),
    "nearest": (lambda n, q: np.around((n - 1) * q).astype(np.int64), None),
}  # fmt: skip


def _quantile(xp: Any, ordered: Any, q: Any, n: Any, method: str, weak: bool, take: Any) -> Any:
    """The quantiles of sorted columns that hold n elements each; ``take(index)`` gives those at positions."""
    position, fraction = _METHODS[method]
    where = position(n, q)
    if fraction is None or (method == "linear" and where.dtype.kind in "iu"):
        return take(where)
    previous = np.floor(where)
    over, under = where >= n - 1, where < 0
    # The last interval ends at q = 1, where the slope is that to the left: with the same value, from there.
    last = np.maximum(n - 2, 0) if method == "linear" and isinstance(q, Array) else n - 1
    low = np.where(over, last, np.where(under, 0, previous)).astype(np.int64)
    high = np.where(over, n - 1, np.where(under, 0, previous + 1)).astype(np.int64)
    part = fraction(where - (low if isinstance(q, Array) and method == "linear" else np.where(over, -1, low)), where)
    part = part.astype(where.dtype)
    a, b = take(low), take(high)
    part = part.reshape(part.shape + (1,) * (a.ndim - part.ndim))
    if weak:
        part = part.astype(np.result_type(a.dtype, 0.0))
    return _between(a, b, part)


def _between(a: Any, b: Any, t: Any) -> Any:
    """From a to b, from the nearer end, as NumPy rounds it."""
    step = b - a
    return np.where(t >= 0.5, b - step * (1 - t), a + step * t)


def _quantiles(name: str, hundred: bool, skip_nan: bool) -> Any:
    def quantile(a, q, axis=None, out=None, overwrite_input=False, method="linear", keepdims=NO, *, weights=None):
        xp, x = array_of(a, q, weights)
        if x.dtype.kind == "c":
            message = "a must be an array of real numbers"
            raise TypeError(message)
        keepdims = keepdims is not NO and bool(keepdims)
        weak = type(q) in (int, float) or (isinstance(q, Array) and q.value.type.weak)
        q = plain_or_array(xp, q)
        q = np.true_divide(q, 100) if hundred else q
        if not np.all((q >= 0) & (q <= 1)):
            top = "Percentiles must be in the range [0, 100]" if hundred else "Quantiles must be in the range [0, 1]"
            raise ValueError(top)
        if q.ndim > 2:
            message = "q must be a scalar or 1d"
            raise ValueError(message)
        if weights is not None:
            if method != "inverted_cdf":
                message = f"Only method 'inverted_cdf' supports weights. Got: {method}."
                raise ValueError(message)
            weights = _column_weights(xp, weights, x, axis)
        if skip_nan and x.size == 0:
            return np.nanmean(x, axis, out=out, keepdims=keepdims)
        columns, axes = lines(xp, x, axis)
        if weights is not None:
            result = _weighted(xp, columns, q, weights, skip_nan)
        else:
            result = _unweighted(xp, columns, q, method, weak, skip_nan and x.dtype.kind == "f")
        return deliver(restored(xp, result, x, axes, keepdims, q.shape), out)

    quantile.__name__ = name
    return quantile


def _unweighted(xp: Any, columns: Any, q: Any, method: str, weak: bool, skip_nan: bool) -> Any:
    if method not in _METHODS:
        message = f"{method!r} is not a valid method. Use one of: {', '.join(_METHODS)}"
        raise ValueError(message)
    ordered = np.sort(columns, 0)
    if not skip_nan:
        if not columns.shape[0]:
            message = "index -1 is out of bounds for axis 0 with size 0"
            raise IndexError(message)
        result = _quantile(xp, ordered, q, columns.shape[0], method, weak, lambda index: np.take(ordered, index, 0))
        return _nan_wins(ordered, result)
    count = np.sum(~np.isnan(columns), 0)
    known = np.maximum(count, 1)  # a column of NaNs alone holds one at 0
    known = known.astype(q.dtype) if q.dtype.kind == "f" else known
    q = q.reshape(q.shape + (1,) * count.ndim)
    shape = q.shape[: q.ndim - count.ndim] + count.shape

    def take(index: Any) -> Any:
        index = np.broadcast_to(index, shape)
        return _at(xp, ordered, np.where(index < 0, index + known, index))

    return _quantile(xp, ordered, q, known, method, weak, take)


def _column_weights(xp: Any, weights: Any, x: Any, axis: Any) -> Any:
    """Weights as columns, checked: whether they are valid is known now, and of traced ones a guard."""
    from wengert.tracer.numpy_api.statistics import fitted_weights

    w: Any = as_array(xp, fitted_weights(xp, weights, x, axis))
    if np.any(w < 0):
        message = "Weights must be non-negative."
        raise ValueError(message)
    return lines(xp, xp.broadcast_to(w, x.shape), axis)[0]


def _weighted(xp: Any, columns: Any, q: Any, weights: Any, skip_nan: bool) -> Any:
    """The first element at which the share of the weights up to it reaches q."""
    order = np.argsort(columns, 0, kind="stable")
    ordered = np.take_along_axis(columns, order, 0)
    sorted_weights = np.take_along_axis(weights, order, 0)
    n: Any = columns.shape[0]
    counted = skip_nan and ordered.dtype.kind == "f"
    if counted:
        sorted_weights = np.where(np.isnan(ordered), 0, sorted_weights)
        n = np.sum(~np.isnan(ordered), 0)
    share = np.cumsum(sorted_weights, 0, dtype=np.float64)
    share = share / share[-1]
    if np.any(np.isnan(share[-1]) & (n > 0)):
        message = "Weights included NaN, inf or were all zero."
        raise ValueError(message)
    if q.dtype.kind == "f":
        share = share.astype(q.dtype)
    share = np.where(share == 0, -1, share)
    level = q.reshape(q.shape + (1,) * columns.ndim)
    index = np.sum(share < level, q.ndim)
    result = _at(xp, ordered, np.maximum(np.minimum(index, n - 1), 0))
    return np.where(n == 0, np.nan, result) if counted else _nan_wins(ordered, result)


TABLE = {
    np.median: median, np.nanmedian: nanmedian,
    np.quantile: _quantiles("quantile", False, False), np.percentile: _quantiles("percentile", True, False),
    np.nanquantile: _quantiles("nanquantile", False, True), np.nanpercentile: _quantiles("nanpercentile", True, True),
}  # fmt: skip
