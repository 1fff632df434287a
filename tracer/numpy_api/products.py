"""Products that are not contractions: cross, kron, vander, convolve, correlate."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from wengert.tracer.array import Array
from wengert.tracer.numpy_api.support import array_of, arrays_of, axis_of, promote


def _pair(a: Any, b: Any) -> tuple[Any, Any, Any]:
    xp, items = arrays_of((a, b))
    x, y = promote(xp, items)
    return xp, x, y


def cross(a, b, axisa=-1, axisb=-1, axisc=-1, axis=None):
    xp, x, y = _pair(a, b)
    if axis is not None:
        axisa = axisb = axisc = axis
    if x.ndim < 1 or y.ndim < 1:
        message = "At least one array has zero dimension"
        raise ValueError(message)
    x, y = np.moveaxis(x, axis_of(axisa, x.ndim), -1), np.moveaxis(y, axis_of(axisb, y.ndim), -1)
    if x.shape[-1] not in (2, 3) or y.shape[-1] not in (2, 3):
        message = "incompatible dimensions for cross product\n(dimension must be 2 or 3)"
        raise ValueError(message)
    flat = [v.shape[-1] == 2 for v in (x, y)]
    if any(flat):
        message = "Arrays of 2-dimensional vectors are deprecated. Use arrays of 3-dimensional vectors instead."
        warnings.warn(message, DeprecationWarning, stacklevel=2)
    x0, x1, y0, y1 = x[..., 0], x[..., 1], y[..., 0], y[..., 1]
    last = x0 * y1 - x1 * y0
    if all(flat):
        return last
    if flat[0]:
        first, second = x1 * y[..., 2], -(x0 * y[..., 2])
    elif flat[1]:
        first, second = -(x[..., 2] * y1), x[..., 2] * y0
    else:
        x2, y2 = x[..., 2], y[..., 2]
        first, second = x1 * y2 - x2 * y1, x2 * y0 - x0 * y2
    return np.stack([first, second, last], axis_of(axisc, last.ndim + 1))


def kron(a, b):
    xp, x, y = _pair(a, b)
    ndim = max(x.ndim, y.ndim)
    if x.ndim == 0 or y.ndim == 0:
        return xp.multiply(x, y)
    left, right = ((1,) * (ndim - len(v.shape)) + v.shape for v in (x, y))
    x = xp.reshape(x, tuple(n for size in left for n in (size, 1)))
    y = xp.reshape(y, tuple(n for size in right for n in (1, size)))
    return xp.reshape(xp.multiply(x, y), tuple(n * m for n, m in zip(left, right, strict=True)))


def vander(x, N=None, increasing=False):
    xp, points = array_of(x)
    if points.ndim != 1:
        message = "x must be a one-dimensional array or sequence."
        raise ValueError(message)
    n = len(points) if N is None else N
    points = xp.cast(points, np.promote_types(points.dtype, int))
    columns = [xp.ones_like(points)]
    for k in range(1, n):
        columns.append(points if k == 1 else xp.multiply(columns[-1], points))
    if not n:
        return xp.full((len(points), 0), 0, points.dtype)
    return np.stack(columns[:n] if increasing else columns[:n][::-1], 1)


# ----- Convolution -----


def _sequences(a: Any, b: Any) -> tuple[Any, Array, Array]:
    xp, x, y = _pair(a, b)
    if x.ndim > 1 or y.ndim > 1:
        message = "object too deep for desired array"
        raise ValueError(message)
    return xp, xp.reshape(x, (x.size,)), xp.reshape(y, (y.size,))


def _convolved(xp: Any, x: Array, y: Array, mode: Any) -> Array:
    """Sum over i of y[i] x[k - i], y being the shorter, for which fewer rows are made.

    Each row of the outer product is moved right by its number: zeros are appended, and the same elements read in
    rows that are shorter by one.  No term is there that the sum does not have, so infinities stay where they are.
    """
    n, m = x.size, y.size
    table = xp.multiply(xp.reshape(y, (m, 1)), xp.reshape(x, (1, n)))
    padded = xp.place(table, shape=(m, n + m), start=(0, 0), step=(1, 1))
    flat = xp.reshape(padded, (m * (n + m),))[: m * (n + m - 1)]
    full = xp.sum(xp.reshape(flat, (m, n + m - 1)), axis=0)
    first, count = {
        "full": (0, n + m - 1), "same": ((min(n, m) - 1) // 2, max(n, m)),
        "valid": (min(n, m) - 1, max(n, m) - min(n, m) + 1),
    }[mode]  # fmt: skip
    return full[first : first + count]


def _mode(mode: Any) -> str:
    modes = ("valid", "same", "full")
    if type(mode) is int and 0 <= mode < 3:
        return modes[mode]
    if mode not in modes:
        message = f"mode must be one of 'valid', 'same', or 'full' (got {mode!r})"
        raise ValueError(message)
    return str(mode)


def convolve(a, v, mode="full"):
    xp, x, y = _sequences(a, v)
    for name, item in (("a", x), ("v", y)):
        if not item.size:
            message = f"{name} cannot be empty"
            raise ValueError(message)
    x, y = (y, x) if y.size > x.size and not xp.trace.symbolic else (x, y)  # which is shorter may not be known
    return _convolved(xp, x, y, _mode(mode))


def correlate(a, v, mode="valid"):
    xp, x, y = _sequences(a, v)
    y = xp.conjugate(y) if y.dtype.kind == "c" else y
    for name, item in (("first", x), ("second", y)):
        if not item.size:
            message = f"{name} array argument cannot be empty"
            raise ValueError(message)
    if not np.ndim(a) or not np.ndim(v):
        message = "object of too small depth for desired array"
        raise ValueError(message)
    if y.size > x.size:
        return _convolved(xp, y, x[::-1], _mode(mode))[::-1]
    return _convolved(xp, x, y[::-1], _mode(mode))


def sinc(x):
    xp, values = array_of(x)
    return xp.sinc(xp.cast(values, values.dtype if values.dtype.kind in "fc" else np.float64))


def i0(x):
    xp, values = array_of(x)
    if values.dtype.kind == "c":
        message = "i0 not supported for complex values"
        raise TypeError(message)
    return xp.bessel_i0(xp.cast(values, values.dtype if values.dtype.kind == "f" else np.float64))


def kaiser(M, beta):
    xp, b = array_of(beta, M)
    if b.ndim or np.ndim(M):
        message = "np.kaiser takes numbers: a length M and a shape beta."
        raise ValueError(message)
    b, M = xp.cast(b, np.result_type(b.dtype, np.float64)), int(M) if isinstance(M, Array) else M
    if M == 1:
        return xp.full((1,), 1, b.dtype)
    middle = (M - 1) / 2.0
    return i0(b * np.sqrt(1 - ((np.arange(0, M) - middle) / middle) ** 2.0)) / i0(b)


TABLE = {
    np.cross: cross, np.kron: kron, np.vander: vander, np.convolve: convolve, np.correlate: correlate,
    np.sinc: sinc, np.i0: i0, np.kaiser: kaiser,
}  # fmt: skip
