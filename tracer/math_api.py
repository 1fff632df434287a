"""Python's math on traced values, as NumPy has it."""

from __future__ import annotations

import functools
import math
import operator
from typing import Any

import numpy as np

from wengert.ir.ops import OPS
from wengert.tracer.array import Array

__all__ = ["MATH"]


def _float(function: Any) -> Any:
    """A function of NumPy that gives a Python number, as math does."""

    def number(*args: Any) -> Any:
        single = (type(x) is Array and x.dtype == np.float32 for x in args)  # math computes in double precision
        result = function(*(x.xp.cast(x, np.float64) if s else x for x, s in zip(args, single, strict=True)))
        return result.xp.cast(result, result.dtype, weak=True) if type(result) is Array else result

    return number


def _special(name: str) -> Any:
    """A function that math and ``scipy.special`` share."""
    return _float(lambda x: x.xp.apply(OPS[name], x.xp.cast(x, np.float64)))


#: What Python's math has in NumPy; NaN and infinity where math raises.
_SAME = """
    sin cos tan sinh cosh tanh exp expm1 log2 log10 log1p sqrt hypot copysign fmod degrees radians fabs isnan isinf
    isfinite
""".split()
MATH: dict[Any, Any] = {
    **{getattr(math, name): _float(getattr(np, name)) for name in _SAME},
    **{getattr(math, name.replace("arc", "a")): _float(getattr(np, name)) for name in (
        "arcsin", "arccos", "arctan", "arctan2", "arcsinh", "arccosh", "arctanh")},
    **{getattr(math, name): _special(op) for name, op in (
        ("erf", "erf"), ("erfc", "erfc"), ("gamma", "gamma"), ("lgamma", "gammaln"))},
    math.pow: _float(np.float_power),
    math.log: _float(lambda x, base=None: np.log(x) if base is None else np.log(x) / np.log(base)),
    math.floor: lambda x: int(np.floor(x)), math.ceil: lambda x: int(np.ceil(x)), math.trunc: lambda x: int(x),
    math.fsum: _float(lambda items: np.sum(np.stack(list(items)))),
    math.prod: lambda items, start=1: functools.reduce(operator.mul, items, start),
    math.dist: _float(lambda p, q: np.sqrt(sum((x - y) ** 2 for x, y in zip(p, q, strict=True)))),
}  # fmt: skip
