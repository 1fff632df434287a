"""Circular and hyperbolic functions, and their inverses.

Forms are chosen so that nothing overflows or cancels where the derivative itself is representable, and so that on a
branch cut of a complex function the derivative is that of the side which the value belongs to.
"""

import math

import numpy as np

from wengert.ir.kinds import Elementwise, above, between


def _factors(xp, x):
    """1 - x and 1 + x; of a complex number by parts: the 0 of the 1 would hide the sign of a zero, and that says on
    which side of a cut x lies."""
    if x.dtype.kind != "c":
        return 1 - x, 1 + x
    a, b = xp.real(x), xp.imag(x)
    return xp.complex(1 - a, -b), xp.complex(1 + a, b)


def _times_i(xp, x):
    """i x, exactly."""
    return xp.complex(-xp.imag(x), xp.real(x))


def _over_root(xp, number, x):
    """number / sqrt(1 - x x)."""
    minus, plus = _factors(xp, x)
    return number / (xp.sqrt(minus) * xp.sqrt(plus) if x.dtype.kind == "c" else xp.sqrt(minus * plus))


def _over_factors(xp, x):
    """1 / (1 - x x)."""
    minus, plus = _factors(xp, x)
    return 1 / minus / plus if x.dtype.kind == "c" else 1 / (minus * plus)


def _arccosh_partial(xp, out, x):
    if x.dtype.kind != "c":
        return 1 / (xp.sqrt(x - 1) * xp.sqrt(x + 1))
    minus, plus = (xp.complex(xp.real(x) + one, xp.imag(x)) for one in (-1, 1))
    return 1 / (xp.sqrt(minus) * xp.sqrt(plus))


def _sech_squared(xp, x):
    """1 / cosh(x)**2; far out 4 exp(-2 |x|), as a complex cosh is not one infinity there, but two."""
    near = xp.square(1 / xp.cosh(x))
    if x.dtype.kind != "c":
        return near
    far = 4 * xp.exp(xp.where(xp.real(x) < 0, 2.0, -2.0) * x)
    return xp.where(xp.absolute(xp.real(x)) > 20, far, near)


sin = Elementwise(function=np.sin, libm="sin",
    partials=(lambda xp, out, x: xp.cos(x),),
    doc="Sine, x in radians.")
cos = Elementwise(function=np.cos, libm="cos",
    partials=(lambda xp, out, x: -xp.sin(x),),
    doc="Cosine, x in radians.")
tan = Elementwise(function=np.tan, libm="tan",
    partials=(lambda xp, out, x: _sech_squared(xp, _times_i(xp, x)) if x.dtype.kind == "c" else 1 + out * out,),
    doc="Tangent, x in radians.")
arcsin = Elementwise(function=np.arcsin, libm="asin",
    partials=(lambda xp, out, x: _over_root(xp, 1, x),),
    domain=(between(-1, 1),),
    doc="Inverse sine; derivative inf at -1 and 1.")
arccos = Elementwise(function=np.arccos, libm="acos",
    partials=(lambda xp, out, x: _over_root(xp, -1, x),),
    domain=(between(-1, 1),),
    doc="Inverse cosine; derivative -inf at -1 and 1.")
arctan = Elementwise(function=np.arctan, libm="atan",
    partials=(lambda xp, out, x: _over_factors(xp, _times_i(xp, x)) if x.dtype.kind == "c" else 1 / (1 + x * x),),
    doc="Inverse tangent.")
arctan2 = Elementwise(function=np.arctan2, libm="atan2",
    partials=(
        lambda xp, out, y, x: x / xp.hypot(x, y) / xp.hypot(x, y),
        lambda xp, out, y, x: -y / xp.hypot(x, y) / xp.hypot(x, y)),
    doc="The angle of the point (x, y), operands in the order y, x; derivative NaN at the origin.")
hypot = Elementwise(function=np.hypot, libm="hypot",
    partials=(
        lambda xp, out, x, y: xp.where(out == 0, 0.0, x / out),
        lambda xp, out, x, y: xp.where(out == 0, 0.0, y / out)),
    doc="sqrt(x**2 + y**2) without overflow; derivative (0, 0) at the origin.")
sinh = Elementwise(function=np.sinh, libm="sinh",
    partials=(lambda xp, out, x: xp.cosh(x),),
    doc="Hyperbolic sine.")
cosh = Elementwise(function=np.cosh, libm="cosh",
    partials=(lambda xp, out, x: xp.sinh(x),),
    doc="Hyperbolic cosine.")
tanh = Elementwise(function=np.tanh, libm="tanh",
    # not 1 - out**2, which is 0 from x = 19 on; and the square comes last, lest it overflow
    partials=(lambda xp, out, x: _sech_squared(xp, x),),
    doc="Hyperbolic tangent.")
arcsinh = Elementwise(function=np.arcsinh, libm="asinh",
    partials=(
        lambda xp, out, x: _over_root(xp, 1, _times_i(xp, x)) if x.dtype.kind == "c" else 1 / xp.hypot(1.0, x),),
    doc="Inverse hyperbolic sine.")
arccosh = Elementwise(function=np.arccosh, libm="acosh",
    partials=(_arccosh_partial,),
    domain=(above(1),),
    doc="Inverse hyperbolic cosine; derivative inf at 1.")
arctanh = Elementwise(function=np.arctanh, libm="atanh",
    partials=(lambda xp, out, x: _over_factors(xp, x),),
    domain=(between(-1, 1),),
    doc="Inverse hyperbolic tangent; derivative inf at -1 and 1.")
deg2rad = Elementwise(function=np.deg2rad,
    body=lambda xp, x: x * (math.pi / 180),
    partials=(lambda xp, out, x: math.pi / 180,),
    doc="Degrees to radians.")
rad2deg = Elementwise(function=np.rad2deg,
    body=lambda xp, x: x * (180 / math.pi),
    partials=(lambda xp, out, x: 180 / math.pi,),
    doc="Radians to degrees.")
