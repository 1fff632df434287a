"""The error function and its family, and distributions that are made of them.

Special functions are found by SciPy's names.  Those that C has too, or that are a formula over other ops, run
everywhere; the rest is called by name.  Numbers in brackets are equations of the NIST Digital Library of
Mathematical Functions (DLMF).
"""

import math

from wengert.ir.kinds import Elementwise, between
from wengert.ir.ops.arithmetic import _float

SQRT_PI = math.sqrt(math.pi)
SQRT_2 = math.sqrt(2.0)


def scipy_special(name, **fields):
    """The record of a function of ``scipy.special``."""
    return Elementwise(**{"name": name, "library": f"scipy.special.{name}", "types": _float, **fields})


def series(xp, coefficients, x):
    """A polynomial, its coefficients from the lowest on, by Horner's rule."""
    total = coefficients[-1]
    for coefficient in coefficients[-2::-1]:
        total = coefficient + x * total
    return total


def _double_factorials(count):
    """1, 3, 3 5, 3 5 7, ..."""
    return [float(math.prod(range(3, 2 * m + 2, 2))) for m in range(count)]


def _tail(xp, t):
    """1 + 3 t + 3 5 t**2 + ..., to which 1 - 2 x D(x) and its like tend for large x, where they would cancel."""
    return series(xp, _double_factorials(14), t)


def _far(x):
    return (x > 10) | (x < -10)


def _dawsn(xp, out, x):
    return xp.where(_far(x), -0.5 / (x * x) * _tail(xp, 0.5 / (x * x)), 1 - 2 * x * out)


def _erfcx(xp, out, x):
    tail = -1 / (SQRT_PI * x * x) * _tail(xp, -0.5 / (x * x))
    return xp.where(x > 10, tail, 2 * x * out - 2 / SQRT_PI)


erf = scipy_special("erf", libm="erf",
    partials=(lambda xp, out, x: (2 / SQRT_PI) * xp.exp(-x * x),),
    doc="Error function; derivative 2/sqrt(pi) exp(-x**2) (7.10.1).")
erfc = scipy_special("erfc", libm="erfc",
    partials=(lambda xp, out, x: (-2 / SQRT_PI) * xp.exp(-x * x),),
    doc="1 - erf(x), accurate for large x; derivative -2/sqrt(pi) exp(-x**2) (7.10.1).")
erfcx = scipy_special("erfcx",
    partials=(_erfcx,),
    doc="exp(x**2) erfc(x); derivative 2 x erfcx(x) - 2/sqrt(pi) (7.10.1), beyond 10 by its expansion (7.12.1).")
erfi = scipy_special("erfi",
    partials=(lambda xp, out, x: (2 / SQRT_PI) * xp.exp(x * x),),
    doc="-i erf(i x); derivative 2/sqrt(pi) exp(x**2).")
dawsn = scipy_special("dawsn",
    partials=(_dawsn,),
    doc="Dawson's integral; derivative 1 - 2 x dawsn(x) (7.10.2), beyond 10 by its expansion.")
erfinv = scipy_special("erfinv",
    partials=(lambda xp, out, x: (SQRT_PI / 2) * xp.exp(out * out),),
    domain=(between(-1, 1),),
    doc="Inverse of erf; derivative inf at -1 and 1.")
erfcinv = scipy_special("erfcinv",
    partials=(lambda xp, out, x: (-SQRT_PI / 2) * xp.exp(out * out),),
    domain=(between(0, 2),),
    doc="Inverse of erfc; derivative -inf at 0 and 2.")
fresnel_s = scipy_special("fresnel_s", library="scipy.special.fresnel[0]",
    partials=(lambda xp, out, x: xp.sin((math.pi / 2) * x * x),),
    doc="Fresnel's integral S(x) = integral of sin(pi t**2 / 2) (7.2.8).")
fresnel_c = scipy_special("fresnel_c", library="scipy.special.fresnel[1]",
    partials=(lambda xp, out, x: xp.cos((math.pi / 2) * x * x),),
    doc="Fresnel's integral C(x) = integral of cos(pi t**2 / 2) (7.2.7).")
ndtr = scipy_special("ndtr",
    partials=(lambda xp, out, x: (1 / math.sqrt(2 * math.pi)) * xp.exp(-0.5 * x * x),),
    doc="Distribution of a standard normal; derivative its density.")
log_ndtr = scipy_special("log_ndtr",
    # density / distribution, with exp(-x**2/2) cancelled: neither of them underflows
    partials=(lambda xp, out, x: math.sqrt(2 / math.pi) / xp.erfcx((-1 / SQRT_2) * x),),
    doc="log(ndtr(x)), accurate for x far below 0.")
ndtri = scipy_special("ndtri",
    partials=(lambda xp, out, x: math.sqrt(2 * math.pi) * xp.exp(0.5 * out * out),),
    domain=(between(0, 1),),
    doc="Inverse of ndtr; derivative inf at 0 and 1.")
ndtri_exp = scipy_special("ndtri_exp",
    partials=(lambda xp, out, x: math.sqrt(math.pi / 2) * xp.erfcx((-1 / SQRT_2) * out),),
    domain=(between(-30, 0),),
    doc="Inverse of log_ndtr.")
owens_t = scipy_special("owens_t",
    partials=(
        lambda xp, out, h, a: (-0.5 / math.sqrt(2 * math.pi)) * xp.exp(-0.5 * h * h) * xp.erf((1 / SQRT_2) * a * h),
        lambda xp, out, h, a: (0.5 / math.pi) * xp.exp(-0.5 * h * h * (1 + a * a)) / (1 + a * a)),
    doc="Owen's T(h, a) = 1/(2 pi) integral from 0 to a of exp(-h**2 (1 + t**2) / 2) / (1 + t**2).")
