"""C's math library, answering as C99 does: where Python raises, IEEE has an infinity or a NaN."""

from __future__ import annotations

import math
from collections.abc import Callable

from wengert.backends.libraries import SPECIAL

__all__ = ["LIBM", "divide", "power"]

INF, NAN = math.inf, math.nan


def total(
    function: Callable[..., float],
    *,
    poles: dict[float, float] | None = None,
    odd: bool = False,
) -> Callable[..., float]:
    """``function`` from Python's math, made total.

    A pole has the value that is stated; elsewhere outside the domain the answer is NaN.  A result
    too large is an infinity, of the sign of the first operand where the function is ``odd``.
    """
    at_pole = poles or {}

    def answer(*operands: float) -> float:
        try:
            return function(*operands)
        except ValueError:
            return at_pole.get(operands[0], NAN)
        except OverflowError:
            return math.copysign(INF, operands[0]) if odd else INF

    return answer


def rounding(to_int: Callable[[float], int]) -> Callable[[float], float]:
    """A rounding that keeps what has no fraction: NaN, infinities, and the sign of zero."""
    return lambda x: math.copysign(float(to_int(x)), x) if abs(x) < 2.0**53 else x


def divide(x: float, y: float) -> float:
    """x / y, also where y is 0."""
    if y != 0:
        return x / y
    if x == 0 or x != x:
        return NAN
    return math.copysign(INF, x) * math.copysign(1.0, y)


def power(x: float, y: float) -> float:
    """C's pow: Python's, but for poles, overflow and negative numbers to a fraction."""
    try:
        return math.pow(x, y)
    except (ValueError, OverflowError) as error:
        if x != 0 and isinstance(error, ValueError):
            return NAN  # a negative number to a fraction
        odd_integer = math.isfinite(y) and math.fmod(y, 2.0) in (1.0, -1.0)
        return math.copysign(INF, x) if odd_integer else INF


def _exp2(x: float) -> float:
    return power(2.0, x)


def _cbrt(x: float) -> float:
    if x == 0 or not math.isfinite(x):
        return x
    root = math.copysign(abs(x) ** (1 / 3), x)
    return root - (root - x / root / root) / 3  # one Newton step, for the last bits


#: C99 name to function.  Python has cbrt and exp2 from 3.11 on.
LIBM: dict[str, Callable[..., float]] = {
    "sqrt": total(math.sqrt),
    "cbrt": getattr(math, "cbrt", _cbrt),
    "hypot": total(math.hypot),
    "exp": total(math.exp),
    "exp2": total(getattr(math, "exp2", _exp2)),
    "expm1": total(math.expm1),
    "log": total(math.log, poles={0.0: -INF}),
    "log2": total(math.log2, poles={0.0: -INF}),
    "log10": total(math.log10, poles={0.0: -INF}),
    "log1p": total(math.log1p, poles={-1.0: -INF}),
    "sin": total(math.sin),
    "cos": total(math.cos),
    "tan": total(math.tan),
    "asin": total(math.asin),
    "acos": total(math.acos),
    "atan": math.atan,
    "atan2": math.atan2,
    "sinh": total(math.sinh, odd=True),
    "cosh": total(math.cosh),
    "tanh": math.tanh,
    "asinh": math.asinh,
    "acosh": total(math.acosh),
    "atanh": total(math.atanh, poles={1.0: INF, -1.0: -INF}),
    "fmod": total(math.fmod),
    "copysign": math.copysign,
    "floor": rounding(math.floor),
    "ceil": rounding(math.ceil),
    "trunc": rounding(math.trunc),
    "rint": rounding(round),
    **SPECIAL,
}
