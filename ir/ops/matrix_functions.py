"""Functions of square matrices, batched, with all their derivatives.

The k-th derivative along k directions is the corner of the function of one larger matrix (Mathias, "A chain rule for
matrix functions and applications", 1996; Higham and Relton, "Higher order Frechet derivatives of matrix functions",
2014).  It is symmetric in the directions; and f'(A)[E] being a sum (integral) of products p(A) E q(A), the cotangent of
E is f'(A^T)[g], without conjugation.
"""

import importlib

import numpy as np

from wengert.ir.errors import BackendError
from wengert.ir.kinds import Library
from wengert.ir.ops import factorizations
from wengert.ir.ops.matrices import along_directions, flip, matrices
from wengert.ir.types import ArrayType


def _scipy(module, name):
    try:
        return getattr(importlib.import_module(f"scipy.{module}"), name)
    except ImportError as error:
        message = (
            f"{name} is computed by scipy.{module}, and scipy cannot be imported here ({error}). "
            "Install it: pip install wengert[scipy]."
        )
        raise BackendError(message, op=name) from error


def _expm(a):
    return _scipy("linalg", "expm")(a).astype(a.dtype, copy=False) if a.size else a.copy()


def _expm_along(a, *directions):
    """The corner of the exponential of [[X, E], [0, X]], X the matrix for the directions before, of E of the size of 1:
    what is linear in E is scaled, exactly, by a power of two."""
    n = a.shape[-1]
    if not a.size:
        return a.copy()
    whole, scale = a, np.ones((*a.shape[:-2], 1, 1), a.real.dtype)
    for e in directions:
        size = abs(e).max(axis=(-2, -1), keepdims=True)
        power = np.exp2(np.clip(np.frexp(np.where(np.isfinite(size), size, 1))[1], -120, 120)).astype(scale.dtype)
        scale = scale * power
        m = whole.shape[-1]
        larger = np.zeros((*a.shape[:-2], 2 * m, 2 * m), a.dtype)
        larger[..., :m, :m] = larger[..., m:, m:] = whole
        for at in range(0, m, n):
            larger[..., at : at + n, m + at : m + at + n] = e / power
        whole = larger
    return (_scipy("linalg", "expm")(whole)[..., :n, -n:] * scale).astype(a.dtype, copy=False)


def _eigh_evr(a, UPLO):
    if not a.size:
        return np.linalg.eigh(a, UPLO)
    lines = [_scipy("linalg", "eigh")(each, lower=UPLO == "L") for each in a.reshape(-1, *a.shape[-2:])]
    w, v = (np.stack(part) for part in zip(*lines, strict=True))
    return w.reshape(a.shape[:-1]), v.reshape(a.shape)


def _types(op, types, params):
    matrices(op, types, None if op is expm_along else 1, square=True)
    return (ArrayType(types[0].dtype, types[0].shape),)


def _along_vjp(xp, g, k, out, primals, params):
    others = [flip(xp, e) for i, e in enumerate(primals) if i not in (0, k)]
    return xp.expm_along(flip(xp, primals[0]), *others, g)


eigh_evr = Library(function=None, name="eigh_evr", params=("UPLO",),
    call=_eigh_evr,
    types=factorizations.eigh.types,
    jvp=factorizations.eigh.jvp,
    vjp=factorizations.eigh.vjp,
    doc="eigh as SciPy has it: by another driver of LAPACK, whose vectors may have other signs.")
expm_along = Library(function=None, name="expm_along", linear=tuple(range(1, 9)),
    call=_expm_along,
    types=_types,
    jvp=along_directions("expm_along"),
    vjp=_along_vjp,
    doc="The derivative of expm, or the next ones, in given directions: the sum over all orders of them.")
expm = Library(function=None, name="expm",
    call=_expm,
    types=_types,
    jvp=lambda xp, out, primals, tangents, params: xp.expm_along(primals[0], tangents[0]),
    vjp=lambda xp, g, k, out, primals, params: xp.expm_along(flip(xp, primals[0]), g),
    doc="The matrix exponential, by SciPy.")
