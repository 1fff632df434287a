"""What each symbol of the IR means for one scalar: once each for bools, integers, floats and complex numbers.

The functions here are exact, or in double precision; what they give is then wrapped or rounded to
the dtype of the result (see rounding).
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.backends.reference import complexes
from wengert.backends.reference.libm import divide, power
from wengert.backends.reference.rounding import caster, finisher, kind_of, part_finisher

__all__ = ["MEANINGS", "finished", "symbol"]

Function = Callable[..., Any]


# -- division ------------------------------------------------------------------------------------


def divmod_float(x: float, y: float) -> tuple[float, float]:
    """floor(x / y) and x - y floor(x / y) as NumPy has them, the signs of their zeros too."""
    if y == 0:
        return divide(x, y), math.nan
    remainder = math.fmod(x, y) if math.isfinite(x) else math.nan
    quotient = divide(x - remainder, y)  # an integer, but for its last bit
    if remainder == 0:
        remainder = math.copysign(0.0, y)
    elif (y < 0) != (remainder < 0):  # fmod has the sign of x; this one has that of y
        remainder += y
        quotient -= 1.0
    if quotient == 0:
        return math.copysign(0.0, divide(x, y)), remainder
    if not math.isfinite(quotient):
        return quotient, remainder
    below = float(math.floor(quotient))
    return (below + 1.0 if quotient - below > 0.5 else below), remainder


def floor_divide_float(x: float, y: float) -> float:
    """floor(x / y)."""
    return divmod_float(x, y)[0]


def remainder_float(x: float, y: float) -> float:
    """x - y floor(x / y): it has the sign of y."""
    return divmod_float(x, y)[1]


def floor_divide_int(x: int, y: int) -> int:
    """floor(x / y), and 0 where y is 0."""
    return x // y if y else 0


def remainder_int(x: int, y: int) -> int:
    """x - y floor(x / y), and 0 where y is 0."""
    return x % y if y else 0


# -- powers and bits -----------------------------------------------------------------------------


def power_int(x: int, y: int) -> int:
    """x to the power y modulo 2**64, of which narrower integers take the lowest bits."""
    if y < 0:
        message = "Integers to negative integer powers are not allowed; convert one to float first."
        raise ValueError(message)
    return pow(x, y, 2**64)


def left_shift(x: int, y: int) -> int:
    """x 2**y; all bits are lost where y is 64 or more, or negative."""
    return x << y if 0 <= y < 64 else 0


def right_shift(x: int, y: int) -> int:
    """floor(x / 2**y); only the sign is left where y is 64 or more, or negative."""
    return x >> (y if 0 <= y < 64 else 64)


# -- the table -----------------------------------------------------------------------------------


def same(x: Any) -> Any:
    """x."""
    return x


def choose(condition: bool, x: Any, y: Any) -> Any:
    """x where the condition holds, else y."""
    return x if condition else y


ORDER: dict[str, Function] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
    "==": operator.eq, "!=": operator.ne, "?:": choose, "identity": same,
}  # fmt: skip

BITS: dict[str, Function] = {"&": operator.and_, "|": operator.or_, "^": operator.xor}

NUMBERS: dict[str, Function] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "neg": operator.neg, "abs": abs,
}  # fmt: skip

#: Class of dtype, to symbol, to function.
MEANINGS: dict[str, dict[str, Function]] = {
    "bool": ORDER | BITS | {
        "+": operator.or_, "*": operator.and_, "abs": same, "~": operator.not_,
        "and": operator.and_, "or": operator.or_, "xor": operator.xor, "not": operator.not_,
    },
    "int": ORDER | BITS | NUMBERS | {
        "//": floor_divide_int, "%": remainder_int, "**": power_int,
        "~": operator.invert, "<<": left_shift, ">>": right_shift,
    },
    "float": ORDER | NUMBERS | {
        "/": divide, "//": floor_divide_float, "%": remainder_float, "**": power, "complex": complex,
    },
    "complex": ORDER | complexes.SYMBOLS | complexes.ARITHMETIC,
}  # fmt: skip


def finished(function: Function, dtype: np.dtype[Any]) -> Function:
    """``function``, its result wrapped or rounded to ``dtype``."""
    finish = finisher(dtype)
    if finish is None:
        return function
    return lambda *operands: finish(function(*operands))


def symbol(name: str, dtypes: tuple[np.dtype[Any], ...], out: np.dtype[Any]) -> Function:
    """The scalar function of a symbol, for operands of ``dtypes`` and a result of ``out``."""
    if name == "cast":
        return caster(dtypes[0], out)
    kind = kind_of(dtypes[-1])  # the last: the first of ?: is its condition
    function = MEANINGS[kind][name]
    if kind == "complex" and name in complexes.ARITHMETIC:
        return functools.partial(function, part_finisher(dtypes[-1]))
    return function if name in ORDER else finished(function, out)
