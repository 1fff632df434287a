"""``np.emath``: on the real line these are NumPy's own functions; that the value stays real is a guard."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.tracer.array import namespace_of, refuse
from wengert.tracer.numpy_api.support import plain_or_array


def _real(xp: Any, name: str, x: Any, outside: Any) -> Any:
    array = plain_or_array(xp, x)
    if array.dtype.kind != "c" and np.any(outside(array)):
        raise refuse(
            f"np.emath.{name} leaves the real numbers here: the dtype of its result would depend on values.",
            "Stay inside its real domain, or give it complex numbers: x + 0j.",
        )
    return array


def _negative(x: Any) -> Any:
    return x < 0


def _one(name: str, outside: Any) -> Any:
    def function(x):
        return getattr(np, name)(_real(namespace_of(x), name, x, outside))

    return function


def logn(n, x):
    xp = namespace_of(n, x)
    return np.log(_real(xp, "logn", x, _negative)) / np.log(_real(xp, "logn", n, _negative))


def power(x, p):
    xp = namespace_of(x, p)
    base, exponent = _real(xp, "power", x, _negative), plain_or_array(xp, p)
    return np.power(base, exponent * 1.0 if np.any(exponent < 0) else exponent)


_INVERSE = {name: _one(name, lambda x: np.abs(x) > 1) for name in ("arccos", "arcsin", "arctanh")}
_ROOTS = {name: _one(name, _negative) for name in ("sqrt", "log", "log2", "log10")}

TABLE = {
    **{getattr(np.emath, name): function for name, function in {**_INVERSE, **_ROOTS}.items()},
    np.emath.logn: logn, np.emath.power: power,
}  # fmt: skip
