"""Weighted means, covariance, correlation."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.tracer.array import Array
from wengert.tracer.numpy_api.support import NO, array_of, as_array, plain_or_array


def average(a, axis=None, weights=None, returned=False, *, keepdims=NO):
    xp, x = array_of(a, weights)
    if axis is not None:
        axis = np.lib.array_utils.normalize_axis_tuple(axis, x.ndim, argname="axis")
    if weights is None:
        result = np.mean(x, axis, keepdims=keepdims)
        total = np.asarray(x.size / result.size, result.dtype)[()]
    else:
        w = fitted_weights(xp, weights, x, axis)
        dtype = np.result_type(x.dtype, w.dtype, *([np.float64] if x.dtype.kind in "biu" else []))
        total = np.sum(w, axis, dtype=dtype, keepdims=keepdims)
        if np.any(total == 0.0):
            message = "Weights sum to zero, can't be normalized"
            raise ZeroDivisionError(message)
        result = np.sum(np.multiply(xp.cast(x, dtype), w.astype(dtype)), axis, keepdims=keepdims) / total
    if not returned:
        return result
    return result, xp.broadcast_to(as_array(xp, total), result.shape)


def fitted_weights(xp: Any, weights: Any, x: Array, axis: Any) -> Any:
    """Weights that broadcast against x: of its shape, or of that of its axes."""
    w = plain_or_array(xp, weights)
    if w.shape == x.shape:
        return w
    if axis is None:
        message = "Axis must be specified when shapes of a and weights differ."
        raise TypeError(message)
    axes = np.lib.array_utils.normalize_axis_tuple(axis, x.ndim)
    if w.shape != tuple(x.shape[a] for a in axes):
        message = "Shape of weights must be consistent with shape of a along specified axis."
        raise ValueError(message)
    w = np.transpose(w, np.argsort(axes).tolist())
    return np.reshape(w, tuple(n if a in axes else 1 for a, n in enumerate(x.shape)))


def _observations(xp: Any, m: Any, name: str, dtype: Any) -> Any:
    """A table of variables in rows."""
    x = as_array(xp, m)
    if x.ndim > 2:
        message = f"{name} has more than 2 dimensions"
        raise ValueError(message)
    return xp.reshape(xp.cast(x, dtype), (1,) * (2 - x.ndim) + x.shape)


def _sample_weights(xp: Any, weights: Any, count: int, name: str) -> Any:
    w = plain_or_array(xp, weights).astype(float)
    if name == "fweights" and not np.all(w == np.around(w)):
        message = "fweights must be integer"
        raise TypeError(message)
    if w.ndim > 1:
        message = f"cannot handle multidimensional {name}"
        raise RuntimeError(message)
    if w.shape[0] != count:
        message = f"incompatible numbers of samples and {name}"
        raise RuntimeError(message)
    if np.any(w < 0):
        message = f"{name} cannot be negative"
        raise ValueError(message)
    return w


def cov(m, y=None, rowvar=True, bias=False, ddof=None, fweights=None, aweights=None, *, dtype=None):
    if ddof is not None and ddof != int(ddof):
        message = "ddof must be integer"
        raise ValueError(message)
    xp, first = array_of(m, y, fweights, aweights)
    if dtype is None:
        dtype = np.result_type(first.dtype, *([] if y is None else [as_array(xp, y).dtype]), np.float64)
    x = _observations(xp, first, "m", dtype)
    x = x.T if not rowvar and first.ndim != 1 else x
    if x.shape[0] == 0:
        return xp.full((0, 0), 0, np.float64)
    if y is not None:
        other = _observations(xp, y, "y", dtype)
        x = np.concatenate((x, other.T if not rowvar and other.shape[0] != 1 else other), axis=0)
    ddof = (1 if bias == 0 else 0) if ddof is None else ddof
    counts = None if fweights is None else _sample_weights(xp, fweights, x.shape[1], "fweights")
    importance = None if aweights is None else _sample_weights(xp, aweights, x.shape[1], "aweights")
    w = counts if importance is None else importance if counts is None else counts * importance
    mean, total = average(x, axis=1, weights=w, returned=True)
    total = total[0]
    if w is None:
        freedom: Any = x.shape[1] - ddof
    elif ddof == 0:
        freedom = total
    elif importance is None:
        freedom = total - ddof
    else:
        freedom = total - ddof * np.sum(w * importance) / total
    freedom = np.where(freedom <= 0, 0.0, freedom)
    x = x - mean[:, None]
    products = np.dot(x, np.conjugate((x if w is None else x * w).T)) * np.true_divide(1, freedom)
    return np.squeeze(xp.cast(products, x.dtype))


def corrcoef(x, y=None, rowvar=True, *, dtype=None):
    c = cov(x, y, rowvar, dtype=dtype)
    if c.ndim == 0:
        return c / c
    deviation = np.sqrt(np.real(np.diag(c)))
    c = c / deviation[:, None] / deviation[None, :]
    if c.dtype.kind != "c":
        return np.clip(c, -1, 1)
    return c.xp.complex(np.clip(np.real(c), -1, 1), np.clip(np.imag(c), -1, 1))


TABLE = {np.average: average, np.cov: cov, np.corrcoef: corrcoef}
