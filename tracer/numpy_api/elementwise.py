"""Elementwise functions that are not ufuncs, sorting, and questions about an array."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from wengert.tracer.array import Array, namespace_of, refuse
from wengert.tracer.known_sizes import shown
from wengert.tracer.memory import share
from wengert.tracer.numpy_api.support import NO, array_of, axis_of, deliver


def where(condition, x=None, y=None, /):
    if x is None and y is None:
        return nonzero(condition)
    xp = namespace_of(condition, x, y)
    c = xp.wrap(xp.lift(condition))
    return xp.where(c if c.dtype.kind == "b" else xp.not_equal(c, 0), x, y)


def nonzero(a):
    """Positions, plain and known now; that they stay the same becomes a guard."""
    from wengert.tracer.indexing import known

    _, x = array_of(a)
    return np.nonzero(known(x if x.dtype.kind == "b" else x != 0))


def flatnonzero(a):
    return nonzero(np.ravel(a))[0]


def argwhere(a):
    found = np.transpose(nonzero(np.atleast_1d(a)))
    return found if np.ndim(a) else found[:, :0]


def clip(a, a_min=None, a_max=None, out=None, *, min=None, max=None, **kwargs):
    low, high = (x if x is not None and x is not NO else y for x, y in ((min, a_min), (max, a_max)))
    xp, x = array_of(a, low, high)
    x = xp.cast(x, x.dtype)
    if low is not None and low is not NO:
        x = xp.maximum(x, low)
    if high is not None and high is not NO:
        x = xp.minimum(x, high)
    return deliver(x, out)


def round_(a, decimals=0, out=None):
    xp, x = array_of(a)
    if x.dtype.kind in "biu":
        if decimals < 0:
            raise refuse("rounding integers to tens is not traced yet.", "Convert to float first.")
        return deliver(xp.cast(x, np.float16 if x.dtype.kind == "b" else x.dtype), out)  # float16 is refused
    if x.dtype.kind == "c":
        return deliver(xp.complex(*(round_(part, decimals) for part in (xp.real(x), xp.imag(x)))), out)
    if decimals == 0:
        return deliver(xp.rint(xp.cast(x, x.dtype)), out)
    factor = 10.0 ** abs(decimals)
    up, down = (xp.multiply, xp.divide) if decimals > 0 else (xp.divide, xp.multiply)
    return deliver(down(xp.rint(up(x, factor)), factor), out)


def nan_to_num(x, copy=True, nan=0.0, posinf=None, neginf=None):
    xp, a = array_of(x)
    if a.dtype.kind == "c":
        return xp.complex(*(nan_to_num(part, copy, nan, posinf, neginf) for part in (xp.real(a), xp.imag(a))))
    if a.dtype.kind in "biu":
        return xp.cast(a, a.dtype)
    limits = np.finfo(a.dtype)
    a = xp.where(xp.isnan(a), nan, a)
    a = xp.where(xp.equal(a, np.inf), float(limits.max) if posinf is None else posinf, a)
    a = xp.where(xp.equal(a, -np.inf), float(limits.min) if neginf is None else neginf, a)
    return a if copy or not np.ndim(x) else deliver(a, x)  # copy=False writes into x


def isclose(a, b, rtol=1e-5, atol=1e-8, equal_nan=False):
    xp = namespace_of(a, b)
    a, b = xp.wrap(xp.lift(a)), xp.wrap(xp.lift(b))
    b = xp.cast(b, np.result_type(b.dtype, 1.0))
    bound = xp.add(atol, xp.multiply(rtol, xp.absolute(b)))
    near = xp.less_equal(xp.absolute(xp.subtract(a, b)), bound)
    result = xp.logical_or(xp.logical_and(near, xp.isfinite(b)), xp.equal(a, b))
    return xp.logical_or(result, xp.logical_and(xp.isnan(a), xp.isnan(b))) if equal_nan else result


def allclose(a, b, rtol=1e-5, atol=1e-8, equal_nan=False):
    return isclose(a, b, rtol, atol, equal_nan).all()


def array_equal(a1, a2, equal_nan=False):
    xp = namespace_of(a1, a2)
    a, b = xp.wrap(xp.lift(a1)), xp.wrap(xp.lift(a2))
    if a.shape != b.shape:
        return False
    same = xp.equal(a, b)
    if equal_nan and a.dtype.kind in "fc":
        same = xp.logical_or(same, xp.logical_and(xp.isnan(a), xp.isnan(b)))
    return bool(same.all())


def sort(a, axis=-1, kind=None, order=None, *, stable=None):
    xp, x = array_of(a)
    if axis is None:
        x, axis = xp.reshape(x, (x.size,)), 0
    return xp.sort(x, axis_of(axis, x.ndim))


def argsort(a, axis=-1, kind=None, order=None, *, stable=None):
    xp, x = array_of(a)
    if axis is None:
        x, axis = xp.reshape(x, (x.size,)), 0
    return xp.argsort(x, axis_of(axis, x.ndim))


def astype(x, dtype, /, *, copy=True, device=None):
    xp, a = array_of(x)
    if not copy and a.dtype == np.dtype(dtype) and not a.value.type.weak:
        return a
    return xp.cast(a, dtype)


def result_type(*arrays_and_dtypes):
    return np.result_type(*(_example(x) for x in arrays_and_dtypes))


def _example(x: Any) -> Any:
    """A stand-in for NumPy's promotion questions: a Python number where weak, else the dtype."""
    if not isinstance(x, Array):
        return x
    return {"i": 0, "f": 0.0, "c": 0j}[x.dtype.kind] if x.value.type.weak else x.dtype


def real(val):
    xp, z = array_of(val)
    return share(z, xp.real(z), "real", None, certain=False) if z.dtype.kind == "c" else z


def imag(val):
    xp, z = array_of(val)
    if z.dtype.kind == "c":
        return share(z, xp.imag(z), "imag", None, certain=False)
    return xp.multiply(z, 0) if z.value.type.weak else xp.zeros_like(z)


def conjugate(x):
    """The method, which leaves what is real as it is (NumPy's function makes a copy)."""
    xp, z = array_of(x)
    return xp.conjugate(z) if z.dtype.kind == "c" else z


def angle(z, deg=False):
    xp, z = array_of(z)
    y, x = (xp.imag(z), xp.real(z)) if z.dtype.kind == "c" else (0, z)
    turn = xp.arctan2(y, x)
    return xp.multiply(turn, 180 / np.pi) if deg else turn


def isreal(x):
    xp, z = array_of(x)
    return xp.equal(xp.imag(z), 0) if z.dtype.kind == "c" else xp.full(z.shape, True, bool)


def iscomplex(x):
    xp, z = array_of(x)
    return xp.not_equal(xp.imag(z), 0) if z.dtype.kind == "c" else xp.full(z.shape, False, bool)


def real_if_close(a, tol=100):
    """Which of the two it is becomes a guard."""
    xp, z = array_of(a)
    if z.dtype.kind != "c":
        return z
    limit = tol * float(np.finfo(z.dtype).eps) if tol > 1 else tol
    return real(z) if xp.less(xp.absolute(xp.imag(z)), limit).all() else z


TABLE = {
    np.where: where, np.nonzero: nonzero, np.flatnonzero: flatnonzero, np.argwhere: argwhere,
    np.clip: clip, np.round: round_, np.around: round_, np.nan_to_num: nan_to_num,
    np.isclose: isclose, np.allclose: allclose, np.array_equal: array_equal,
    np.sort: sort, np.argsort: argsort, np.astype: astype,
    np.shape: shown, np.ndim: lambda a: namespace_of(a).lift(a).type.ndim,
    np.size: lambda a, axis=None: math.prod(shown(a)) if axis is None else shown(a)[axis],
    np.result_type: result_type,
    np.iscomplexobj: lambda x: x.dtype.kind == "c", np.isrealobj: lambda x: x.dtype.kind != "c",
    np.real: real, np.imag: imag, np.angle: angle, np.real_if_close: real_if_close,
    np.isreal: isreal, np.iscomplex: iscomplex,
}  # fmt: skip
