"""Norms, condition numbers and ranks, and polynomials fitted by least squares, on traced arrays."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.linalg import LinAlgError

from wengert.tracer.numpy_api.linalg import COMPLEX_EIG, _matrices, inexact, inverse, real_if_real, svd
from wengert.tracer.numpy_api.support import array_of, arrays_of


def norm(x, ord=None, axis=None, keepdims=False):
    """Norms of vectors and matrices; that of zero has the derivative zero."""
    xp, x = array_of(x)
    x = x if x.dtype.kind in "fc" else xp.cast(x, float)
    if axis is None:
        plain = ord is None or (ord in ("f", "fro") and x.ndim == 2) or (ord == 2 and x.ndim == 1)
        if plain:
            out = _length(xp, np.ravel(x), 0)
            return np.reshape(out, (1,) * x.ndim) if keepdims else out
        axes = tuple(range(x.ndim))
    else:
        try:
            axes = axis if isinstance(axis, tuple) else (int(axis),)
        except Exception as error:
            message = "'axis' must be None, an integer or a tuple of integers"
            raise TypeError(message) from error
    if len(axes) == 1:
        return _vector(xp, x, ord, axes[0], keepdims)
    if len(axes) == 2:
        return _matrix(xp, x, ord, axes, keepdims)
    message = "Improper number of dimensions to norm."
    raise ValueError(message)


def _length(xp: Any, x: Any, axis: Any, *, keepdims: bool = False) -> Any:
    """The root of the sum of squares: 0, with derivative 0, at zero.

    Squares that overflow give inf, as in NumPy; there the derivative of a plain root, 1 / (2 inf), would be a silent
    zero, so another function is taken that is inf at inf, and steep.
    """
    size = np.square(np.abs(x)) if x.dtype.kind == "c" else np.square(x)
    squares = np.sum(size, axis=axis, keepdims=keepdims)
    one = squares.dtype.type(1)
    usual = xp.logical_and(squares != 0, squares != np.inf)
    root = np.sqrt(np.where(usual, squares, one))
    return np.where(usual, root, squares * np.where(usual, one, squares))


def _largest(x: Any, axis: int, keepdims: Any = False) -> Any:
    """The maximum of numbers that are not negative; of none, 0."""
    options: dict[str, Any] = {} if x.shape[axis] else {"initial": 0}
    return np.max(x, axis=axis, keepdims=keepdims, **options)


def _vector(xp: Any, x: Any, ord: Any, axis: int, keepdims: Any) -> Any:
    if ord is None or ord == 2:
        return _length(xp, x, axis, keepdims=keepdims)
    if isinstance(ord, str):
        message = f"Invalid norm order '{ord}' for vectors"
        raise ValueError(message)  # noqa: TRY004 (as NumPy)
    if ord == np.inf:
        return _largest(np.abs(x), axis, keepdims)
    if ord == -np.inf:
        return np.min(np.abs(x), axis=axis, keepdims=keepdims)
    if ord == 0:
        return np.sum(np.astype(x != 0, np.zeros(0, x.dtype).real.dtype), axis=axis, keepdims=keepdims)
    if ord == 1:
        return np.sum(np.abs(x), axis=axis, keepdims=keepdims)
    power = np.power(np.abs(x), ord)
    return np.power(np.sum(power, axis=axis, keepdims=keepdims), np.reciprocal(ord, dtype=power.dtype))


def _matrix(xp: Any, x: Any, ord: Any, axes: tuple[int, ...], keepdims: Any) -> Any:
    row, col = np.lib.array_utils.normalize_axis_tuple(axes, x.ndim, allow_duplicate=True)
    if row == col:
        message = "Duplicate axes given."
        raise ValueError(message)
    if ord is None or ord in ("fro", "f"):
        return _length(xp, x, (row, col), keepdims=keepdims)
    if ord in (2, -2, "nuc"):
        values = svd(np.moveaxis(x, (row, col), (-2, -1)), compute_uv=False)
        fold: Any = {2: _largest, -2: np.min, "nuc": np.sum}[ord]
        out = fold(values, axis=-1)
    elif ord in (1, -1, np.inf, -np.inf):
        summed, other = (row, col) if abs(ord) == 1 else (col, row)
        sums = np.sum(np.abs(x), axis=summed)
        out = (_largest if ord > 0 else np.min)(sums, axis=other - (other > summed))
    else:
        message = "Invalid norm order for matrices."
        raise ValueError(message)
    shape = tuple(1 if a in (row, col) else n for a, n in enumerate(x.shape))
    return np.reshape(out, shape) if keepdims else out


def vector_norm(x, /, *, axis=None, keepdims=False, ord=2):
    _, x = array_of(x)
    shape = list(x.shape)
    if axis is None:
        x, moved = np.ravel(x), 0
    elif isinstance(axis, tuple):
        every = np.lib.array_utils.normalize_axis_tuple(axis, x.ndim)
        rest = tuple(i for i in range(x.ndim) if i not in every)
        moved = 0
        count = int(np.prod([x.shape[i] for i in every], dtype=int))
        x = np.reshape(np.transpose(x, (*every, *rest)), (count, *(x.shape[i] for i in rest)))
    else:
        moved = axis
    out = norm(x, axis=moved, ord=ord)
    if keepdims:
        every = np.lib.array_utils.normalize_axis_tuple(range(len(shape)) if axis is None else axis, len(shape))
        out = np.reshape(out, tuple(1 if i in every else n for i, n in enumerate(shape)))
    return out


def matrix_norm(x, /, *, keepdims=False, ord="fro"):
    return norm(x, axis=(-2, -1), keepdims=keepdims, ord=ord)


def cond(x, p=None):
    xp, (x,) = inexact(x)
    if 0 in x.shape[-2:] or x.size == 0:
        message = "cond is not defined on empty arrays"
        raise LinAlgError(message)
    if p is None or p in (2, -2):
        s = svd(x, compute_uv=False)
        out = s[..., -1] / s[..., 0] if p == -2 else s[..., 0] / s[..., -1]
    else:
        _matrices(x, square=True)
        out = norm(x, p, axis=(-2, -1)) * norm(inverse(xp, x, "nan"), p, axis=(-2, -1))
    lost = xp.logical_and(xp.isnan(out), xp.logical_not(np.any(np.isnan(x), axis=(-2, -1))))
    return xp.where(lost, out.dtype.type(np.inf), out)


def matrix_rank(A, tol=None, hermitian=False, *, rtol=None):
    if rtol is not None and tol is not None:
        message = "`tol` and `rtol` can't be both set."
        raise ValueError(message)
    _, x = array_of(A)
    if x.ndim < 2:
        return int(not np.all(x == 0))
    values = svd(x, compute_uv=False, hermitian=hermitian)
    if values.shape[-1] == 0:
        return np.count_nonzero(values > 0, axis=-1)
    if tol is None:
        rtol = max(x.shape[-2:]) * np.finfo(values.dtype).eps if rtol is None else np.asarray(rtol)[..., None]
        tol = np.max(values, axis=-1, keepdims=True) * rtol
    else:
        tol = np.asarray(tol)[..., None]
    return np.count_nonzero(values > tol, axis=-1)


# ----- Polynomials -----


def polyfit(x, y, deg, rcond=None, full=False, w=None, cov=False):
    xp, arrays = arrays_of((x, y) if w is None else (x, y, w))
    x, y, *weights = (z if z.dtype.kind in "fc" else xp.cast(z, float) for z in arrays)
    order = int(deg) + 1
    _check_fit(order, x, y, weights)
    if rcond is None:
        rcond = len(x) * np.finfo(x.dtype).eps
    powers = [np.ones_like(x)]
    for _ in range(order - 1):
        powers.append(powers[-1] * x)
    left, right = np.stack(powers[::-1], 1), y
    if weights:
        left = left * weights[0][:, None]
        right = right * (weights[0] if y.ndim == 1 else weights[0][:, None])
    scale = np.sqrt(np.sum(left * left, axis=0))
    left = left / scale
    c, residuals, rank, values = np.linalg.lstsq(left, right, rcond)
    c = (c.T / scale).T
    if full:
        return c, residuals, rank, values, rcond
    if rank != order:
        warnings.warn("Polyfit may be poorly conditioned", np.exceptions.RankWarning, stacklevel=2)
    if not cov:
        return c
    base = np.linalg.inv(left.T @ left) / np.outer(scale, scale)
    if cov == "unscaled":
        factor = 1
    elif len(x) <= order:
        message = "the number of data points must exceed order to scale the covariance matrix"
        raise ValueError(message)
    else:
        factor = residuals / (len(x) - order)
    return c, base * factor if y.ndim == 1 else base[:, :, None] * factor


def _check_fit(order: int, x: Any, y: Any, weights: list[Any]) -> None:
    if order < 1:
        message = "expected deg >= 0"
        raise ValueError(message)
    for wrong, message in (
        (x.ndim != 1, "expected 1D vector for x"), (x.size == 0, "expected non-empty vector for x"),
        (y.ndim not in (1, 2), "expected 1D or 2D array for y"),
        (x.shape[:1] != y.shape[:1], "expected x and y to have same length"),
        (any(w.ndim != 1 for w in weights), "expected a 1-d array for weights"),
        (any(w.shape[:1] != y.shape[:1] for w in weights), "expected w and y to have the same length"),
    ):  # fmt: skip
        if wrong:
            raise TypeError(message)


def roots(p):
    """The eigenvalues of the companion matrix; which coefficients at the ends are zero is a guard."""
    _, p = array_of(p)
    p = np.atleast_1d(p)
    if p.ndim != 1:
        message = "Input must be a rank-1 array."
        raise ValueError(message)
    zero = [bool(x == 0) for x in p]
    if all(zero):
        return np.array([])
    first, last = zero.index(False), len(zero) - 1 - zero[::-1].index(False)
    trailing = len(zero) - 1 - last
    _, (p,) = inexact(p[first : last + 1])
    n = p.size
    if n < 2:
        return np.zeros(trailing)
    companion = np.concatenate((-p[None, 1:] / p[0], np.eye(n - 2, n - 1, dtype=p.dtype)), 0)
    found = np.linalg.eigvals(companion)
    (found,) = real_if_real(companion, found) if COMPLEX_EIG else (found,)
    return np.concatenate((found, np.zeros(trailing, found.dtype))) if trailing else found


TABLE = {
    np.linalg.norm: norm, np.linalg.vector_norm: vector_norm, np.linalg.matrix_norm: matrix_norm,
    np.linalg.cond: cond, np.linalg.matrix_rank: matrix_rank, np.polyfit: polyfit,
    np.roots: roots,
}  # fmt: skip
