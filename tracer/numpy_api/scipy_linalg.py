"""scipy.linalg on traced arrays, mostly as compositions of numpy.linalg.

``overwrite_a``, ``lwork`` and ``lapack_driver`` change no result, and are not looked at; nor is ``check_finite``: what
is NaN or infinite flows on.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.tracer.array import refuse
from wengert.tracer.numpy_api.linalg import _adjoint, _flip, _matrices, inexact, real_if_real
from wengert.tracer.numpy_api.support import array_of, arrays_of

__all__ = ["TABLE"]


def _refuse(function: str, option: str, fix: str) -> Exception:
    return refuse(f"scipy.linalg.{function} with {option} is not traced.", fix)


def _only_defaults(function: str, **options: Any) -> None:
    for name, value in options.items():
        if value is not None and value is not False:
            raise _refuse(function, f"{name}={value!r}", f"Leave {name}= away.")


def _full(x: Any, lower: bool, *, hermitian: bool = True) -> Any:
    """The symmetric or hermitian matrix of which only one triangle is read."""
    kept, other = (np.tril(x), np.tril(x, -1)) if lower else (np.triu(x), np.triu(x, 1))
    return kept + (_adjoint(other) if hermitian else _flip(other))


def _structured(function: str, a: Any, assume_a: Any, lower: bool) -> Any:
    """What SciPy takes a matrix for."""
    _, x = array_of(a)
    match assume_a:
        case None | "gen" | "general":
            return x
        case "sym" | "symmetric":
            return _full(x, lower, hermitian=False)
        case "her" | "hermitian" | "pos" | "positive definite":
            return _full(x, lower)
        case "diagonal":
            return x * np.eye(x.shape[-1], dtype=x.dtype)
        case "upper triangular":
            return np.triu(x)
        case "lower triangular":
            return np.tril(x)
    raise _refuse(function, f"assume_a={assume_a!r}", "Leave assume_a= away.")


# ----- Systems and inverses -----


def solve(
    a, b, lower=False, overwrite_a=False, overwrite_b=False, check_finite=True, assume_a=None, transposed=False
):  # fmt: skip
    _, (_, y) = arrays_of((a, b))
    x = np.atleast_2d(_structured("solve", a, assume_a, lower))
    if transposed and x.dtype.kind == "c":
        message = "scipy.linalg.solve can currently not solve a^T x = b or a^H x = b for complex matrices."
        raise NotImplementedError(message)
    return np.linalg.solve(_flip(x) if transposed else x, np.atleast_1d(y))


def inv(a, overwrite_a=False, check_finite=True, *, assume_a=None, lower=False):
    return np.linalg.inv(_structured("inv", a, assume_a, lower))


def det(a, overwrite_a=False, check_finite=True):
    _, x = array_of(a)
    _matrices(x, square=True)
    return np.linalg.det(x.astype(np.result_type(x.dtype, np.float64)))  # of float32 SciPy gives a float64


def solve_triangular(a, b, trans=0, lower=False, unit_diagonal=False, overwrite_b=False, check_finite=True):
    _, (x, y) = arrays_of((a, b))
    _matrices(x, square=True)
    if unit_diagonal:
        x = (np.tril(x, -1) if lower else np.triu(x, 1)) + np.eye(x.shape[-1], dtype=x.dtype)
    else:
        x = np.tril(x) if lower else np.triu(x)
    if trans not in (0, 1, 2, "N", "T", "C"):
        message = f"trans is one of 0, 1, 2, 'N', 'T' and 'C', got {trans!r}"
        raise ValueError(message)
    return np.linalg.solve(x if trans in (0, "N") else _flip(x) if trans in (1, "T") else _adjoint(x), y)


def cho_factor(a, lower=False, overwrite_a=False, check_finite=True):
    """The factor, and ``a`` in the other triangle, where SciPy says nothing (before 1.18 it leaves this)."""
    _, x = array_of(a)
    return cholesky(x, lower) + (np.triu(x, 1) if lower else np.tril(x, -1)), lower


def cho_solve(c_and_lower, b, overwrite_b=False, check_finite=True):
    c, lower = c_and_lower
    first = solve_triangular(c, b, 0 if lower else 2, lower)
    return solve_triangular(c, first, 2 if lower else 0, lower)


def lstsq(a, b, cond=None, overwrite_a=False, overwrite_b=False, check_finite=True, lapack_driver=None):
    if lapack_driver == "gelsy":
        raise _refuse("lstsq", "lapack_driver='gelsy'", "Leave it away: 'gelsd' finds the same solution.")
    _, (x, y) = inexact(a, b)
    vector = y.ndim == 1
    if x.ndim != 2 or y.ndim > 2 or not x.size:
        raise _refuse("lstsq", "stacks of matrices, or empty ones", "Use np.linalg.pinv(a) @ b.")
    found, residuals, rank, s = np.linalg.lstsq(x, y, float(np.finfo(x.dtype).eps) if cond is None else cond)
    return found, residuals[0] if vector and residuals.shape == (1,) else residuals, rank, s


def pinv(a, *, atol=None, rtol=None, return_rank=False, check_finite=True):
    _only_defaults("pinv", atol=atol, return_rank=return_rank)
    _, (x,) = inexact(a)
    return np.linalg.pinv(x, max(x.shape[-2:]) * float(np.finfo(x.dtype).eps) if rtol is None else rtol)


def pinvh(a, atol=None, rtol=None, lower=True, return_rank=False, check_finite=True):
    _only_defaults("pinvh", atol=atol, return_rank=return_rank)
    _, (x,) = inexact(a)
    rtol = x.shape[-1] * float(np.finfo(x.dtype).eps) if rtol is None else rtol
    return np.linalg.pinv(_full(x, lower), rtol, hermitian=True)


def norm(a, ord=None, axis=None, keepdims=False, check_finite=True):
    return np.linalg.norm(a, ord=ord, axis=axis, keepdims=keepdims)


# ----- Factorizations -----


def cholesky(a, lower=False, overwrite_a=False, check_finite=True):
    return np.linalg.cholesky(a, upper=not lower)


def qr(a, overwrite_a=False, lwork=None, mode="full", pivoting=False, check_finite=True):
    _only_defaults("qr", pivoting=pivoting)
    if mode == "raw":
        raise _refuse("qr", "mode='raw'", "Ask for mode='economic'.")
    if mode not in ("full", "qr", "r", "economic"):
        message = "Mode argument should be one of ['full', 'r', 'economic', 'raw']"
        raise ValueError(message)
    if mode != "r":
        return tuple(np.linalg.qr(a, "reduced" if mode == "economic" else "complete"))
    _, x = array_of(a)
    r: Any = np.linalg.qr(x, "r")
    below = max(0, x.shape[-2] - x.shape[-1])
    return (np.concatenate((r, np.zeros((*r.shape[:-2], below, r.shape[-1]), r.dtype)), -2),)


def svd(a, full_matrices=True, compute_uv=True, overwrite_a=False, check_finite=True, lapack_driver="gesdd"):
    found = np.linalg.svd(a, full_matrices, compute_uv)
    return tuple(found) if compute_uv else found


def svdvals(a, overwrite_a=False, check_finite=True):
    return np.linalg.svd(a, compute_uv=False)


def eigh(
    a, b=None, *, lower=True, eigvals_only=False, overwrite_a=False, overwrite_b=False, type=1, check_finite=True,
    subset_by_index=None, subset_by_value=None, driver=None,
):  # fmt: skip
    _only_defaults("eigh", b=b, subset_by_value=subset_by_value)
    part = slice(None) if subset_by_index is None else slice(subset_by_index[0], subset_by_index[1] + 1)
    if eigvals_only:
        return np.linalg.eigvalsh(a, "L" if lower else "U")[..., part]
    xp, (x,) = inexact(a)
    _matrices(x, square=True)
    found = xp.eigh if driver in ("ev", "evd") else xp.eigh_evr
    w, v = found(x, UPLO="L" if lower else "U")
    return w[..., part], v[..., part]


def eigvalsh(a, b=None, *, lower=True, **options):
    return eigh(a, b, lower=lower, eigvals_only=True, **options)


def eig(
    a, b=None, left=False, right=True, overwrite_a=False, overwrite_b=False, check_finite=True,
    homogeneous_eigvals=False,
):  # fmt: skip
    """The values are complex in any case; of a real matrix with real values the vectors are real."""
    _only_defaults("eig", b=b, left=left, homogeneous_eigvals=homogeneous_eigvals)
    xp, (x,) = inexact(a)
    _matrices(x, square=True)
    w, v = xp.eig(x)
    return (w, real_if_real(x, w, v)[1]) if right else w


def eigvals(a, b=None, overwrite_a=False, check_finite=True, homogeneous_eigvals=False):
    return eig(a, b, right=False, homogeneous_eigvals=homogeneous_eigvals)


# ----- Functions of matrices -----


def expm(A):
    xp, (x,) = inexact(A)
    _matrices(x, square=True)
    return xp.expm(x)


def expm_frechet(A, E, method=None, compute_expm=True, check_finite=True):
    xp, (x, e) = inexact(A, E)
    _matrices(x, square=True)
    if x.shape != e.shape:
        message = "expected A and E to be the same shape"
        raise ValueError(message)
    along = xp.expm_along(x, e)
    return (xp.expm(x), along) if compute_expm else along


def _turns(A: Any) -> tuple[Any, Any]:
    """cos and sin, by exp(iA); of a real matrix its real and imaginary part."""
    _, (x,) = inexact(A)
    there = expm(1j * x)
    if x.dtype.kind == "f":
        return there.real, there.imag
    back = expm(-1j * x)
    return 0.5 * (there + back), -0.5j * (there - back)


def cosm(A):
    return _turns(A)[0]


def sinm(A):
    return _turns(A)[1]


def tanm(A):
    cos, sin = _turns(A)
    return np.linalg.solve(cos, sin)


def coshm(A):
    return 0.5 * (expm(A) + expm(-array_of(A)[1]))


def sinhm(A):
    return 0.5 * (expm(A) - expm(-array_of(A)[1]))


def tanhm(A):
    return np.linalg.solve(coshm(A), sinhm(A))


# ----- Matrices made of vectors and blocks -----


def _vectors(function: str, *items: Any) -> list[Any]:
    _, found = arrays_of(items)
    if any(x.ndim > 1 for x in found):
        raise _refuse(function, "more than one axis", "Give vectors.")
    return [np.atleast_1d(x) for x in found]


def toeplitz(c, r=None):
    c, *rest = _vectors("toeplitz", c, *(() if r is None else (r,)))
    r = rest[0] if rest else np.conjugate(c)
    m, n = len(c), len(r)
    return np.concatenate((c[::-1], r[1:]))[np.arange(m - 1, -1, -1)[:, None] + np.arange(n)]


def hankel(c, r=None):
    c, *rest = _vectors("hankel", c, *(() if r is None else (r,)))
    r = rest[0] if rest else np.zeros_like(c)
    return np.concatenate((c, r[1:]))[np.arange(len(c))[:, None] + np.arange(len(r))]


def circulant(c):
    (c,) = _vectors("circulant", c)
    return c[(np.arange(len(c))[:, None] - np.arange(len(c))) % len(c)]


def block_diag(*arrs):
    _, found = arrays_of(arrs)
    blocks = [np.atleast_2d(x) for x in found]
    if any(x.ndim > 2 for x in blocks):
        raise _refuse("block_diag", "stacks of matrices", "Give matrices.")
    dtype, width, at, rows = np.result_type(*(x.dtype for x in blocks)), sum(x.shape[1] for x in blocks), 0, []
    for x in blocks:
        m, n = x.shape
        before, behind = np.zeros((m, at), dtype), np.zeros((m, width - at - n), dtype)
        rows.append(np.concatenate((before, x.astype(dtype), behind), 1))
        at += n
    return np.concatenate(rows)


def khatri_rao(a, b):
    _, (x, y) = arrays_of((a, b))
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1]:
        message = "The arguments are matrices with as many columns."
        raise ValueError(message)
    return np.reshape(x[:, None] * y[None], (-1, x.shape[1]))


TABLE = {f"scipy.linalg.{function.__name__}": function for function in (
    solve, inv, det, solve_triangular, cho_factor, cho_solve, lstsq, pinv, pinvh, norm, cholesky, qr, svd, svdvals,
    eigh, eigvalsh, eig, eigvals, expm, expm_frechet, cosm, sinm, tanm, coshm, sinhm, tanhm, toeplitz, hankel,
    circulant, block_diag, khatri_rao,
)} | {"scipy.linalg.kron": lambda a, b: np.kron(a, b)}  # fmt: skip
