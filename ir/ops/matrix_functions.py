"""Functions of square matrices, batched, with all their derivatives.

The derivative of exp along directions follows Al-Mohy and Higham, "Computing the Frechet derivative of the matrix
exponential" (2009): scaling and squaring, differentiated with A scaled; here in several directions at once.  It is
symmetric in the directions; and f'(A)[E] being a sum (integral) of products p(A) E q(A), the cotangent of E is
f'(A^T)[g], without conjugation.
"""

import importlib
import math

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
    """By scaling and squaring, scaled for A alone: what is linear in a direction leaves it as it is."""
    if not a.size:
        return a.copy()
    wide = [x.astype(np.result_type(x, np.float64), copy=False) for x in (a, *directions)]
    size = abs(wide[0]).sum(axis=-2).max(axis=-1)[..., None, None]
    halvings = np.maximum(np.ceil(np.log2(np.where(np.isfinite(size) & (size > 0), size, 1) / REACH)), 0)
    x = [np.zeros_like(wide[0]) for _ in range(2 ** len(directions))]
    for k, e in enumerate(wide):
        x[2**k // 2] = e * np.exp2(-halvings)
    total = _pade(x)
    for k in range(int(halvings.max(initial=0))):
        total = [np.where(k < halvings, new, old) for new, old in zip(_times(total, total), total, strict=True)]
    return total[-1].astype(a.dtype)


#: [13/13], and up to which norm of A it and its derivative are those of exp to double precision.
PADE = [math.comb(13, k) / math.perm(26, k) for k in range(14)]
REACH = 4.74


def _times(x, y):
    """The product of sums of words.  Part s of a sum are the words that hold the directions k of which 2^k is in s,
    each of them once; those in which one is twice count for nothing."""
    return [sum(x[t] @ y[s ^ t] for t in range(s + 1) if t | s == s) for s in range(len(x))]


def _pade(x):
    """The approximant p / q of exp: p and q are even + odd and even - odd."""
    one = [np.eye(x[0].shape[-1]), *(0.0,) * (len(x) - 1)]
    x2 = _times(x, x)
    x4 = _times(x2, x2)
    powers = (one, x2, x4, _times(x4, x2))

    def combined(low):
        """Every second term from `low` on, up to three squarings, and as far beyond."""
        front, behind = ([sum(PADE[low + 2 * k + shift] * power[s] for k, power in some) for s in range(len(x))]
                         for shift, some in ((0, tuple(enumerate(powers))), (6, tuple(enumerate(powers))[1:])))
        return [f + b for f, b in zip(front, _times(powers[3], behind), strict=True)]

    even, odd = combined(0), _times(x, combined(1))
    p, q = ([e + sign * o for e, o in zip(even, odd, strict=True)] for sign in (1, -1))
    found: list[np.ndarray] = []
    for s in range(len(x)):
        rest = p[s] - sum(q[t] @ found[s ^ t] for t in range(1, s + 1) if t | s == s)
        found.append(np.linalg.solve(q[0], rest))
    return found


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
