"""Polynomials by their coefficients, the highest power first."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.tracer.array import Array
from wengert.tracer.numpy_api.support import array_of, as_array, plain_or_array


def _coefficients(*polynomials: Any) -> tuple[Any, list[Any], Any]:
    """The namespace, coefficients as arrays, and what the result is wrapped in: poly1d where an operand is one."""
    plain = [np.asarray(p) if isinstance(p, np.poly1d) else p for p in polynomials]
    xp, _ = array_of(*[p for p in plain if isinstance(p, (Array, list, tuple))])
    arrays = [as_array(xp, p) for p in plain]
    arrays = [xp.reshape(xp.cast(a, a.dtype), (1,) if a.ndim == 0 else a.shape) for a in arrays]
    return xp, arrays, np.poly1d if any(isinstance(p, np.poly1d) for p in polynomials) else lambda c: c


def polyval(p, x):
    if isinstance(x, np.poly1d):
        xp, points = array_of(p)
        total = np.poly1d([0])
        for c in points:
            total = total * x + c
        return total
    xp, points = array_of(x, p if isinstance(p, (Array, list, tuple)) else x)
    p = np.asarray(p) if isinstance(p, np.poly1d) else p
    points, coefficients = (as_array(xp, plain_or_array(xp, item)) for item in (x, p))
    value: Any = xp.zeros_like(points)
    for k in range(len(coefficients)):
        value = value * points + coefficients[k]
    return value


def _aligned(minus: bool) -> Any:
    def combined(a1, a2):
        xp, (x, y), wrap = _coefficients(a1, a2)
        missing = len(y) - len(x)
        x, y = (
            np.concatenate((xp.full((n, *v.shape[1:]), 0, v.dtype), v)) if n > 0 else v
            for v, n in ((x, missing), (y, -missing))
        )
        return wrap(xp.subtract(x, y) if minus else xp.add(x, y))

    return combined


def _leading(xp: Any, x: Any) -> Any:
    """Without leading zeros, as poly1d keeps its coefficients; at least one."""
    if x.ndim > 1:
        message = "Polynomial must be 1d only."
        raise ValueError(message)
    first = 0
    while first < len(x) and x[first] == 0:
        first += 1
    return x[first:] if first < len(x) else xp.full((1,), 0, x.dtype)


def polymul(a1, a2):
    xp, (x, y), wrap = _coefficients(a1, a2)
    return wrap(np.convolve(_leading(xp, x), _leading(xp, y)))


def polydiv(u, v):
    xp, (u_, v_), wrap = _coefficients(u, v)
    rest, divisor = u_ + 0.0, v_ + 0.0
    dtype = np.result_type(rest.dtype, divisor.dtype)
    m, n = len(rest) - 1, len(divisor) - 1
    scale = 1.0 / divisor[0]
    rest = rest.astype(dtype)
    quotient = [] if m >= n else [xp.full((), 0, dtype)]
    for k in range(m - n + 1):
        quotient.append((scale * rest[k]).astype(dtype))
        changed = rest[k : k + n + 1] - quotient[-1] * divisor
        rest = np.concatenate([rest[:k], changed, rest[k + n + 1 :]])
    while np.allclose(rest[0], 0, rtol=1e-14) and rest.shape[-1] > 1:
        rest = rest[1:]
    return wrap(np.stack(quotient)), wrap(rest)


def polyder(p, m=1):
    m = int(m)
    if m < 0:
        message = "Order of derivative must be positive (see polyint)"
        raise ValueError(message)
    _, (c,), wrap = _coefficients(p)
    for _ in range(m):
        c = c[:-1] * np.arange(len(c) - 1, 0, -1)
    return wrap(c)


def polyint(p, m=1, k=None):
    m = int(m)
    if m < 0:
        message = "Order of integral must be positive (see polyder)"
        raise ValueError(message)
    xp, (c, constants), wrap = _coefficients(p, np.zeros(m) if k is None else k)
    if len(constants) == 1 and m > 1:
        constants = xp.broadcast_to(constants, (m,))
    if len(constants) < m:
        message = "k must be a scalar or a rank-1 array of length 1 or >m."
        raise ValueError(message)
    for i in range(m):
        c = np.concatenate((c / np.arange(len(c), 0, -1), constants[i : i + 1]))
    return wrap(c)


def poly(seq_of_zeros):
    xp, (zeros,), _ = _coefficients(seq_of_zeros)
    if zeros.ndim == 2 and zeros.shape[0] == zeros.shape[1] != 0:
        zeros = np.linalg.eigvals(zeros)
    elif zeros.ndim != 1:
        message = "input must be 1d or non-empty square 2d array."
        raise ValueError(message)
    if not len(zeros):
        return 1.0
    zeros = zeros if zeros.dtype.kind in "fc" else zeros.astype(np.float64)
    one = xp.full((1,), 1, zeros.dtype)
    product = one
    for k in range(len(zeros)):
        product = np.convolve(product, np.concatenate([one, -zeros[k : k + 1]]))
    return product


TABLE = {
    np.polyval: polyval, np.polyadd: _aligned(False), np.polysub: _aligned(True), np.polymul: polymul,
    np.polydiv: polydiv, np.polyder: polyder, np.polyint: polyint, np.poly: poly,
}  # fmt: skip
