"""np.linalg on traced arrays: systems, factorizations, eigenvalues; norms are in ``norms``."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np
from numpy.linalg import LinAlgError
from numpy.linalg._linalg import EighResult, EigResult, QRResult, SlogdetResult, SVDResult

from wengert.tracer.array import Array, refuse
from wengert.tracer.numpy_api.support import array_of, arrays_of, deliver

NO = np._NoValue  # noqa: SLF001 (the default of NumPy's own options)


def inexact(*items: Any) -> tuple[Any, list[Any]]:
    """Arguments in the dtype that linear algebra computes in: their common one, float64 where one is not inexact."""
    xp, arrays = arrays_of(items)
    for x in arrays:
        if x.dtype == np.float16:
            message = f"array type {x.dtype} is unsupported in linalg"
            raise TypeError(message)
    dtype = np.result_type(*(x.dtype if x.dtype.kind in "fc" else np.float64 for x in arrays))
    return xp, [xp.cast(x, dtype) for x in arrays]


def _matrices(x: Any, *, square: bool = False) -> None:
    if x.ndim < 2:
        message = f"{x.ndim}-dimensional array given. Array must be at least two-dimensional"
        raise LinAlgError(message)
    if square and x.shape[-1] != x.shape[-2]:
        message = "Last 2 dimensions of the array must be square"
        raise LinAlgError(message)


def _one(a: Any, *, square: bool = False) -> tuple[Any, Array]:
    xp, (x,) = inexact(a)
    _matrices(x, square=square)
    return xp, x


def _flip(x: Any) -> Any:
    return np.swapaxes(x, -1, -2)


def _adjoint(x: Any) -> Any:
    return np.conjugate(_flip(x)) if x.dtype.kind == "c" else _flip(x)


# ----- Systems and inverses -----


def solve(a, b):
    xp, (x, y) = inexact(a, b)
    _matrices(x, square=True)
    vector = y.ndim == 1
    y = y[:, None] if vector else y
    if y.ndim < 2 or x.shape[-1] != y.shape[-2]:
        message = f"solve: a matrix of shape {x.shape[-2:]} does not fit a right side of shape {y.shape}"
        raise ValueError(message)
    out = _solved(xp, x, y)
    return out[..., 0] if vector else out


def _solved(xp: Any, x: Any, y: Any, singular: str = "raise") -> Any:
    stack = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    x, y = (xp.broadcast_to(z, (*stack, *z.shape[-2:])) for z in (x, y))
    return xp.solve(x, y, singular=singular)


def inv(a):
    xp, x = _one(a, square=True)
    return inverse(xp, x)


def inverse(xp: Any, x: Any, singular: str = "raise") -> Any:
    """The inverse, as NumPy finds it: the solution with the identity on the right."""
    return _solved(xp, x, xp.constant(np.eye(x.shape[-1], dtype=x.dtype)), singular)


def pinv(a, rcond=None, hermitian=False, *, rtol=NO):
    if rcond is not None and rtol is not NO:
        message = "`rtol` and `rcond` can't be both set."
        raise ValueError(message)
    _, given = array_of(a)
    xp, x = _one(given, square=hermitian)
    if rcond is None:
        rcond = 1e-15 if rtol is NO else max(x.shape[-2:]) * np.finfo(given.dtype).eps if rtol is None else rtol
    if isinstance(rcond, Array) or np.ndim(rcond):
        raise refuse("np.linalg.pinv with a cutoff per matrix, or a traced one, is not traced.", "Give one number.")
    return xp.pinv(x, rtol=float(rcond), hermitian=bool(hermitian))


def lstsq(a, b, rcond=None):
    xp, (x, y) = inexact(a, b)
    vector = y.ndim == 1
    y = y[:, None] if vector else y
    for z in (x, y):
        if z.ndim != 2:
            message = f"{z.ndim}-dimensional array given. Array must be two-dimensional"
            raise LinAlgError(message)
    if x.shape[0] != y.shape[0]:
        message = "Incompatible dimensions"
        raise LinAlgError(message)
    (m, n), k = x.shape, y.shape[1]
    if isinstance(rcond, Array):
        raise refuse("np.linalg.lstsq with a traced cutoff is not traced.", "Give rcond as a number.")
    found, rank = xp.lstsq(x, y, rcond=None if rcond is None else float(rcond))
    residuals = xp.constant(np.zeros(0, np.zeros(0, x.dtype).real.dtype))
    if m > n and rank == n:
        rest = y - x @ found
        residuals = np.sum(np.square(np.abs(rest)) if x.dtype.kind == "c" else np.square(rest), axis=0)
    values = xp.svdvals(x) if min(m, n) else xp.zeros_like(x[:0, 0] if n else x[0])
    return (found[:, 0] if vector else found.reshape(n, k)), residuals, rank, values


def tensorsolve(a, b, axes=None):
    xp, (x, y) = inexact(a, b)
    if axes is not None:
        every = list(range(x.ndim))
        for k in axes:
            every.remove(k)
            every.insert(x.ndim, k)
        x = np.transpose(x, every)
    kept = x.shape[-(x.ndim - y.ndim) :] if x.ndim > y.ndim else x.shape
    if x.size != math.prod(kept) ** 2:
        message = "Input arrays must satisfy the requirement prod(a.shape[b.ndim:]) == prod(a.shape[:b.ndim])"
        raise LinAlgError(message)
    n = math.prod(kept)
    return np.reshape(solve(np.reshape(x, (n, n)), np.ravel(y)), kept)


def tensorinv(a, ind=2):
    xp, (x,) = inexact(a)
    if ind <= 0:
        message = "Invalid ind argument."
        raise ValueError(message)
    shape = (*x.shape[ind:], *x.shape[:ind])
    return np.reshape(inv(np.reshape(x, (math.prod(x.shape[ind:]), -1))), shape)


def matrix_power(a, n):
    _, x = array_of(a)
    _matrices(x, square=True)
    try:
        n = operator.index(n)
    except TypeError as error:
        message = "exponent must be an integer"
        raise TypeError(message) from error
    if n == 0:
        return np.zeros_like(x) + np.eye(x.shape[-1], dtype=x.dtype)
    if n < 0:
        x, n = inv(x), -n
    if n <= 3:
        return x if n == 1 else x @ x if n == 2 else (x @ x) @ x
    power, out = None, None
    while n > 0:
        power = x if power is None else power @ power
        n, odd = divmod(n, 2)
        if odd:
            out = power if out is None else out @ power
    return out


def multi_dot(arrays, *, out=None):
    xp, items = arrays_of(arrays)
    if len(items) < 2:
        message = "Expecting at least two arrays."
        raise ValueError(message)
    first, last = items[0].ndim, items[-1].ndim
    items[0] = items[0][None] if first == 1 else items[0]
    items[-1] = items[-1][:, None] if last == 1 else items[-1]
    for x in items:
        if x.ndim != 2:
            message = f"{x.ndim}-dimensional array given. Array must be two-dimensional"
            raise LinAlgError(message)
    result = _chain(items)
    result = result[0, 0] if first == last == 1 else result[0] if first == 1 else result[:, 0] if last == 1 else result
    return deliver(result, out)


def _chain(items: list[Any]) -> Any:
    """A product of matrices in the order that takes the fewest operations (Cormen et al., matrix-chain order)."""
    sizes = [items[0].shape[0], *(x.shape[1] for x in items)]
    best: dict[tuple[int, int], tuple[int, int]] = {(i, i): (0, i) for i in range(len(items))}
    for length in range(1, len(items)):
        for i in range(len(items) - length):
            j = i + length
            best[i, j] = min(
                (best[i, k][0] + best[k + 1, j][0] + sizes[i] * sizes[k + 1] * sizes[j + 1], k) for k in range(i, j)
            )

    def made(i: int, j: int) -> Any:
        k = best[i, j][1]
        return items[i] if i == j else np.dot(made(i, k), made(k + 1, j))

    return made(0, len(items) - 1)


# ----- Determinants -----


def det(a):
    xp, x = _one(a, square=True)
    return xp.det(x)


def slogdet(a):
    xp, x = _one(a, square=True)
    return SlogdetResult(*xp.slogdet(x))


# ----- Factorizations -----


def cholesky(a, /, *, upper=False):
    xp, x = _one(a, square=True)
    return _adjoint(xp.cholesky(_adjoint(x))) if upper else xp.cholesky(x)


def qr(a, mode="reduced"):
    if mode not in ("reduced", "complete", "r"):
        if mode == "raw":
            raise refuse("np.linalg.qr with mode='raw' is not traced.", "Ask for mode='reduced'.")
        message = f"Unrecognized mode '{mode}'"
        raise ValueError(message)
    xp, x = _one(a)
    q, r = xp.qr(x)
    m, n = x.shape[-2:]
    if mode == "r":
        return r
    if mode == "complete" and m > n:
        q = np.concatenate((q, xp.complement(x, of="qr")), -1)
        r = np.concatenate((r, xp.full((*x.shape[:-2], m - n, n), 0, x.dtype)), -2)
    return QRResult(q, r)


def svd(a, full_matrices=True, compute_uv=True, hermitian=False):
    xp, x = _one(a, square=hermitian)
    if hermitian:
        return _svd_hermitian(xp, x, compute_uv)
    if not compute_uv:
        return xp.svdvals(x)
    u, s, vh = xp.svd(x)
    m, n = x.shape[-2:]
    if full_matrices and m > n:
        u = np.concatenate((u, xp.complement(x, of="u")), -1)
    if full_matrices and n > m:
        vh = np.concatenate((vh, xp.complement(x, of="vh")), -2)
    return SVDResult(u, s, vh)


def _svd_hermitian(xp: Any, x: Any, compute_uv: bool) -> Any:
    if not compute_uv:
        return np.flip(np.sort(np.abs(xp.eigvalsh(x, UPLO="L"))), -1)
    w, v = xp.eigh(x, UPLO="L")
    order = np.flip(np.argsort(np.abs(w), kind="stable"), -1)
    w = np.take_along_axis(w, order, -1)
    u = np.take_along_axis(v, np.broadcast_to(order[..., None, :], v.shape), -1)
    return SVDResult(u, np.abs(w), _adjoint(u * np.copysign(w.dtype.type(1), w)[..., None, :]))


def _triangle(uplo: str) -> str:
    if uplo.upper() not in ("L", "U"):
        message = "UPLO argument must be 'L' or 'U'"
        raise ValueError(message)
    return uplo.upper()


def eigh(a, UPLO="L"):
    xp, x = _one(a, square=True)
    return EighResult(*xp.eigh(x, UPLO=_triangle(UPLO)))


def eigvalsh(a, UPLO="L"):
    xp, x = _one(a, square=True)
    return xp.eigvalsh(x, UPLO=_triangle(UPLO))


#: NumPy's eig of a real matrix is complex whatever it finds; before, real where every eigenvalue is.
COMPLEX_EIG = np.lib.NumpyVersion(np.__version__) >= "2.5.0"


def real_if_real(x: Any, w: Any, *vectors: Any) -> tuple[Any, ...]:
    """Eigenvalues and vectors of x, as reals where x and every eigenvalue are: that outcome is a guard."""
    found = (w, *vectors)
    return tuple(map(np.real, found)) if x.dtype.kind != "c" and np.all(np.imag(w) == 0) else found


def eig(a):
    xp, x = _one(a, square=True)
    found = xp.eig(x)
    return EigResult(*(found if COMPLEX_EIG else real_if_real(x, *found)))


def eigvals(a):
    return eig(a).eigenvalues


def svdvals(x, /):
    return svd(x, compute_uv=False)


# ----- Products and pieces -----


def _pair(x1: Any, x2: Any) -> tuple[Any, Any]:
    _, (x, y) = arrays_of((x1, x2))
    return x, y


def outer(x1, x2, /):
    _, (x, y) = arrays_of((x1, x2))
    if x.ndim != 1 or y.ndim != 1:
        message = f"Input arrays must be one-dimensional, but they are x1.ndim={x.ndim} and x2.ndim={y.ndim}."
        raise ValueError(message)
    return np.outer(x, y)


def cross(x1, x2, /, *, axis=-1):
    x, y = _pair(x1, x2)
    if x.shape[axis] != 3 or y.shape[axis] != 3:
        message = (
            "Both input arrays must be (arrays of) 3-dimensional vectors, "
            f"but they are {x.shape[axis]} and {y.shape[axis]} dimensional instead."
        )
        raise ValueError(message)
    x, y = np.moveaxis(x, axis, -1), np.moveaxis(y, axis, -1)
    (a, b, c), (d, e, f) = ([z[..., i] for i in range(3)] for z in (x, y))
    return np.moveaxis(np.stack((b * f - c * e, c * d - a * f, a * e - b * d), -1), -1, axis)


def vecdot(x1, x2, /, *, axis=-1):
    x, y = _pair(x1, x2)
    x, y = np.moveaxis(x, axis, -1), np.moveaxis(y, axis, -1)
    if x.shape[-1] != y.shape[-1]:
        message = f"vecdot: shapes {x.shape} and {y.shape} do not fit: the summed axes differ in size"
        raise ValueError(message)
    x = np.conjugate(x) if x.dtype.kind == "c" else x
    return np.matmul(x[..., None, :], y[..., None])[..., 0, 0]


def diagonal(x, /, *, offset=0):
    return np.diagonal(x, offset, -2, -1)


def trace(x, /, *, offset=0, dtype=None):
    return np.trace(x, offset, -2, -1, dtype)


def matrix_transpose(x, /):
    _, x = array_of(x)
    if x.ndim < 2:
        message = f"Input array must be at least 2-dimensional, but it is {x.ndim}"
        raise ValueError(message)
    return _flip(x)


TABLE = {
    np.linalg.solve: solve, np.linalg.inv: inv, np.linalg.pinv: pinv, np.linalg.lstsq: lstsq,
    np.linalg.tensorsolve: tensorsolve, np.linalg.tensorinv: tensorinv, np.linalg.matrix_power: matrix_power,
    np.linalg.multi_dot: multi_dot, np.linalg.det: det, np.linalg.slogdet: slogdet, np.linalg.cholesky: cholesky,
    np.linalg.qr: qr, np.linalg.svd: svd, np.linalg.svdvals: svdvals, np.linalg.eigh: eigh,
    np.linalg.eigvalsh: eigvalsh, np.linalg.eig: eig, np.linalg.eigvals: eigvals,
    np.linalg.outer: outer, np.linalg.cross: cross, np.linalg.vecdot: vecdot,
    np.linalg.diagonal: diagonal, np.linalg.trace: trace, np.linalg.matrix_transpose: matrix_transpose,
}  # fmt: skip
