"""Complex scalars as NumPy computes them: C's formulas and C99's answers, where Python's complex raises or differs.

A number is a Python complex; arithmetic is in its parts.  ``r`` rounds one part to the precision of the dtype, so that
complex64 is rounded after every step, as in hardware.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable
from typing import Any

from wengert.backends.reference.libm import LIBM as REAL, divide as quotient

__all__ = ["ARITHMETIC", "LIBM", "SYMBOLS"]

Function = Callable[..., Any]
INF, NAN = math.inf, math.nan


# -- arithmetic ----------------------------------------------------------------------------------


def multiply(r: Function, x: complex, y: complex) -> complex:
    """The plain formula, without the infinities that C99's Annex G recovers: NumPy has none."""
    a, b, c, d = x.real, x.imag, y.real, y.imag
    return complex(r(r(a * c) - r(b * d)), r(r(a * d) + r(b * c)))


def divide(r: Function, x: complex, y: complex) -> complex:
    """Smith's method (R. L. Smith, 1962): the larger part of y divides the smaller."""
    a, b, c, d = x.real, x.imag, y.real, y.imag
    if y == 0:
        return complex(quotient(a, abs(c)), quotient(b, abs(c)))
    if abs(c) >= abs(d):
        ratio = r(d / c)
        scale = r(quotient(1.0, r(c + r(d * ratio))))
        return complex(r(r(a + r(b * ratio)) * scale), r(r(b - r(a * ratio)) * scale))
    ratio = r(quotient(c, d))
    scale = r(quotient(1.0, r(d + r(c * ratio))))
    return complex(r(r(r(a * ratio) + b) * scale), r(r(r(b * ratio) - a) * scale))


def power(r: Function, x: complex, y: complex) -> complex:
    """Small whole powers are products; 0 is 0 to what has a positive real part, else NaN; the rest is exp(y log x)."""
    if y == 0:
        return 1 + 0j
    if x == 0:
        return 0j if y.real > 0 else complex(NAN, NAN)
    if y.imag == 0 and abs(y.real) < 100 and y.real == int(y.real):
        return whole_power(r, x, int(y.real))
    far = exp(multiply(float, y, log(x)))
    return complex(r(far.real), r(far.imag))


def whole_power(r: Function, x: complex, n: int) -> complex:
    """By repeated squaring."""
    if n in (1, 2, 3):
        return [x, multiply(r, x, x), multiply(r, x, multiply(r, x, x))][n - 1]
    out, square, left = 1 + 0j, x, abs(n)
    while left:
        if left & 1:
            out = multiply(r, out, square)
        left >>= 1
        square = multiply(r, square, square) if left else square
    return divide(r, 1 + 0j, out) if n < 0 else out


#: Symbols whose every step is rounded: called with the rounding first.
ARITHMETIC: dict[str, Function] = {"*": multiply, "/": divide, "**": power}


# -- order and parts -----------------------------------------------------------------------------


def before(x: complex, y: complex, *, ties: bool) -> bool:
    """Lexicographic order; never where a part that is looked at is NaN."""
    if x.real == y.real:
        return x.imag < y.imag or (ties and x.imag == y.imag)
    return x.real < y.real and x.imag == x.imag and y.imag == y.imag


SYMBOLS: dict[str, Function] = {
    "<": lambda x, y: before(x, y, ties=False), "<=": lambda x, y: before(x, y, ties=True),
    ">": lambda x, y: before(y, x, ties=False), ">=": lambda x, y: before(y, x, ties=True),
    "==": lambda x, y: x == y, "!=": lambda x, y: x != y,
    "+": lambda x, y: complex(x.real + y.real, x.imag + y.imag),
    "-": lambda x, y: complex(x.real - y.real, x.imag - y.imag),
    "neg": lambda x: complex(-x.real, -x.imag),
    "abs": lambda x: REAL["hypot"](x.real, x.imag),
    "real": lambda x: x.real, "imag": lambda x: x.imag, "conj": lambda x: complex(x.real, -x.imag),
}  # fmt: skip


# -- the math library ----------------------------------------------------------------------------


def stretched(x: float, part: float, factor: float = 1.0) -> float:
    """factor exp(x) part, in two steps, so that only the result overflows; an exact zero stays one."""
    half = REAL["exp"](x / 2)
    return part * half * half * factor if part else part


def exp(z: complex) -> complex:
    """e to the power z."""
    x, y = z.real, z.imag
    if math.isinf(y) and x != -INF:
        return complex(INF if x == INF else NAN, NAN)
    try:
        return cmath.exp(z)
    except OverflowError:
        return complex(stretched(x, math.cos(y)), stretched(x, math.sin(y)))


def cosh(z: complex) -> complex:
    """Hyperbolic cosine."""
    x, y = z.real, z.imag
    if math.isinf(y) and x == x:
        return complex(INF, NAN) if math.isinf(x) else complex(NAN, x * 0.0 if x == 0 else NAN)
    try:
        return cmath.cosh(z)
    except OverflowError:
        far = math.copysign(0.5, x)
        return complex(stretched(abs(x), math.cos(y), 0.5), stretched(abs(x), math.sin(y), far))


def sinh(z: complex) -> complex:
    """Hyperbolic sine."""
    x, y = z.real, z.imag
    if math.isinf(y) and x == x:
        return complex(x if x == 0 or math.isinf(x) else NAN, NAN)
    try:
        return cmath.sinh(z)
    except OverflowError:
        far = math.copysign(0.5, x)
        return complex(stretched(abs(x), math.cos(y), far), stretched(abs(x), math.sin(y), 0.5))


def tanh(z: complex) -> complex:
    """Hyperbolic tangent."""
    if not math.isfinite(z.imag) and math.isfinite(z.real):
        return complex(z.real if z.real == 0 else NAN, NAN)
    return cmath.tanh(z)


def log(z: complex) -> complex:
    """Natural logarithm, cut along the negative reals."""
    return cmath.log(z) if z else complex(-INF, math.atan2(z.imag, z.real))


def arccosh(z: complex) -> complex:
    """Inverse hyperbolic cosine."""
    return complex(NAN, math.pi / 2) if z.real == 0 and z.imag != z.imag else cmath.acosh(z)


def arctanh(z: complex) -> complex:
    """Inverse hyperbolic tangent."""
    return complex(math.copysign(INF, z.real), z.imag) if z in (1, -1) else cmath.atanh(z)


def about_i(function: Function) -> Function:
    """-i f(i z): the circular function of a hyperbolic one that is odd."""

    def turned(z: complex) -> complex:
        w = function(complex(-z.imag, z.real))
        return complex(w.imag, -w.real)

    return turned


def expm1(z: complex) -> complex:
    """exp(z) - 1 without cancellation: exp(x) cos(y) - 1 = expm1(x) cos(y) - 2 sin(y / 2)**2."""
    x, y = z.real, z.imag
    half = REAL["sin"](y / 2)
    real = REAL["expm1"](x) * REAL["cos"](y) - 2 * half * half
    return complex(real, REAL["exp"](x) * REAL["sin"](y))


def log1p(z: complex) -> complex:
    """log(1 + z)."""
    x, y = z.real + 1, z.imag
    return complex(REAL["log"](REAL["hypot"](x, y)), math.atan2(y, x))


def times(z: complex, factor: float) -> complex:
    """A complex and a real number."""
    return complex(z.real * factor, z.imag * factor)


#: C99 name to the function of a complex number.
LIBM: dict[str, Function] = {
    "sqrt": cmath.sqrt, "exp": exp, "log": log, "expm1": expm1, "log1p": log1p,
    "exp2": lambda z: exp(times(z, math.log(2))),
    "log2": lambda z: times(log(z), 1 / math.log(2)),
    "log10": lambda z: times(log(z), 1 / math.log(10)),
    "sinh": sinh, "cosh": cosh, "tanh": tanh,
    "sin": about_i(sinh), "cos": lambda z: cosh(complex(-z.imag, z.real)), "tan": about_i(tanh),
    "asin": cmath.asin, "acos": cmath.acos, "atan": about_i(arctanh),
    "asinh": cmath.asinh, "acosh": arccosh, "atanh": arctanh,
    "rint": lambda z: complex(REAL["rint"](z.real), REAL["rint"](z.imag)),
}  # fmt: skip
