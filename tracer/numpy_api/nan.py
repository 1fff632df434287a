"""Folds that pass over NaN: what is passed over has derivative 0."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.tracer.numpy_api.reductions import freedom_lost, root, squares
from wengert.tracer.numpy_api.support import NO, array_of, as_array, deliver


def _filled(a: Any, fill: float) -> tuple[Any, Any]:
    """The array with NaN replaced, and where it was; None for integers, which have none."""
    xp, x = array_of(a)
    if x.dtype.kind in "biu":
        return xp.cast(x, x.dtype), None
    missing = np.isnan(x)
    return np.where(missing, x.dtype.type(fill), x), missing


def _folded(function: Any, fill: float) -> Any:
    def fold(a, axis=None, dtype=None, out=None, keepdims=NO, initial=NO, where=NO):
        return function(_filled(a, fill)[0], axis, dtype, out, keepdims, initial, where)

    return fold


def _running(function: Any, fill: float) -> Any:
    def run(a, axis=None, dtype=None, out=None):
        return function(_filled(a, fill)[0], axis, dtype, out)

    return run


def _extreme(fold: Any, meet: Any, worst: float) -> Any:
    """The largest or smallest number, of complex ones by real part first; NaN where there is none."""

    def extreme(a, axis=None, out=None, keepdims=NO, initial=NO, where=NO):
        xp, x = array_of(a, initial, where)
        if x.dtype.kind in "biu":
            return fold(x, axis, out, keepdims, initial, where)
        if where is not NO and where is not True:
            if initial is NO:
                message = (
                    f"reduction operation '{meet.__name__}' does not have an identity, so to use a where mask one has "
                    "to specify 'initial'"
                )
                raise ValueError(message)
            x = np.where(where, x, np.nan)
        last = x.dtype.type(complex(worst, worst) if x.dtype.kind == "c" else worst)
        full, missing = _filled(x, last)
        best = fold(full, axis, None, keepdims, NO if initial is NO else last)
        # Where the best is what was filled in, those that really are that infinity share the derivative equally.
        total = np.sum(np.where(missing, 0, x), axis, keepdims=keepdims)
        count = _count(missing, axis, keepdims, last.real.dtype)
        equal = xp.complex(np.real(total) / count, np.imag(total) / count) if x.dtype.kind == "c" else total / count
        best = np.where(best == last, equal, best)
        best = np.where(np.all(missing, axis, keepdims=keepdims), x.dtype.type(np.nan), best)
        return deliver(best if initial is NO else meet(best, xp.cast(as_array(xp, initial), x.dtype)), out)

    return extreme


def _count(missing: Any, axis: Any, keepdims: Any, dtype: Any, where: Any = NO) -> Any:
    """How many numbers each result gathers."""
    return np.sum(~missing, axis, np.int64, keepdims=keepdims, where=where).astype(dtype)


def _position(function: Any, worst: float) -> Any:
    def position(a, axis=None, out=None, *, keepdims=NO):
        full, missing = _filled(a, worst)
        if missing is not None and missing.size and np.any(np.all(missing, axis)):
            message = "All-NaN slice encountered"
            raise ValueError(message)
        return function(full, axis, out, keepdims=keepdims)

    return position


def _float_only(dtype: Any) -> None:
    if dtype is not None and np.dtype(dtype).kind not in "fc":
        message = "If a is inexact, then dtype must be inexact"
        raise TypeError(message)


def nanmean(a, axis=None, dtype=None, out=None, keepdims=NO, *, where=NO):
    full, missing = _filled(a, 0)
    if missing is None:
        return np.mean(full, axis, dtype, out, keepdims, where=where)
    _float_only(dtype)
    total = np.sum(full, axis, dtype, keepdims=keepdims, where=where)
    return deliver(total / _count(missing, axis, keepdims, total.dtype, where), out)


def nanvar(a, axis=None, dtype=None, out=None, ddof=0, keepdims=NO, *, where=NO, mean=NO, correction=NO):
    full, missing = _filled(a, 0)
    if missing is None:
        return np.var(full, axis, dtype, out, ddof, keepdims, where=where, mean=mean, correction=correction)
    _float_only(dtype)
    ddof, xp = freedom_lost(ddof, correction), full.xp
    count = _count(missing, axis, True, np.dtype(dtype or full.dtype), where)
    centre = np.sum(full, axis, dtype, keepdims=True, where=where) / count if mean is NO else mean
    apart = np.where(missing, 0, np.subtract(full, centre).astype(full.dtype))
    total = np.sum(squares(xp, apart), axis, dtype, keepdims=keepdims, where=where)
    freedom = _count(missing, axis, keepdims, total.dtype, where) - ddof
    return deliver(np.where(freedom <= 0, total.dtype.type(np.nan), total / freedom), out)


def nanstd(a, axis=None, dtype=None, out=None, ddof=0, keepdims=NO, *, where=NO, mean=NO, correction=NO):
    variance = nanvar(a, axis, dtype, None, ddof, keepdims, where=where, mean=mean, correction=correction)
    return deliver(root(variance), out)


TABLE = {
    np.nansum: _folded(np.sum, 0), np.nanprod: _folded(np.prod, 1),
    np.nancumsum: _running(np.cumsum, 0),
    np.nanmax: _extreme(np.max, np.fmax, -np.inf), np.nanmin: _extreme(np.min, np.fmin, np.inf),
    np.nanargmax: _position(np.argmax, -np.inf), np.nanargmin: _position(np.argmin, np.inf),
    np.nanmean: nanmean, np.nanvar: nanvar, np.nanstd: nanstd,
}  # fmt: skip
