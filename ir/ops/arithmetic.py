"""Sums, products, quotients, powers, and what picks or rounds."""

import numpy as np

from wengert.ir.kinds import Elementwise, above
from wengert.ir.types import is_inexact


def _inexact(dtypes, params):
    """The rule of ops whose meaning here is that of real or complex numbers only."""
    return dtypes[0] if len(set(dtypes)) == 1 and is_inexact(dtypes[0]) else None


def _float(dtypes, params):
    """The rule of ops that order the reals: NumPy refuses them for complex numbers."""
    return dtypes[0] if len(set(dtypes)) == 1 and dtypes[0].kind == "f" else None


def _absolute_partial(xp, out, x):
    if x.dtype.kind != "c":
        return xp.sign(x)
    return xp.where(out == 0, 0.0, xp.conjugate(x) / out)


def _reciprocal(xp, x):
    """1 / x; for complex numbers by Smith's method (R. L. Smith, 1962), which divides by the larger part."""
    if x.dtype.kind != "c":
        return 1 / x
    a, b = xp.real(x), xp.imag(x)
    wide = xp.absolute(b) <= xp.absolute(a)
    ratio = xp.where(wide, b / a, a / b)
    whole = xp.where(wide, a + b * ratio, a * ratio + b)
    return xp.complex(xp.where(wide, 1.0, ratio) / whole, -xp.where(wide, ratio, 1.0) / whole)


add = Elementwise(function=np.add, symbol="+", linear=(0, 1),
    partials=(1, 1),
    doc="x + y; for bool, logical or; integers wrap.")
subtract = Elementwise(function=np.subtract, symbol="-", linear=(0, 1),
    partials=(1, -1),
    doc="x - y; integers wrap.")
multiply = Elementwise(function=np.multiply, symbol="*", linear=(0, 1),
    partials=(lambda xp, out, x, y: y, lambda xp, out, x, y: x),
    doc="x y; for bool, logical and; integers wrap.")
divide = Elementwise(function=np.divide, symbol="/",
    partials=(lambda xp, out, x, y: 1 / y, lambda xp, out, x, y: -out / y),
    doc="x / y.")
floor_divide = Elementwise(function=np.floor_divide, symbol="//",
    partials=(None, None),
    doc="The largest integer not above x / y; for integers, 0 where y is 0. Derivative 0.")
remainder = Elementwise(function=np.remainder, symbol="%",
    partials=(1, lambda xp, out, x, y: -xp.floor_divide(x, y)),
    doc="x - y floor(x / y), with the sign of y; derivative (1, -floor(x / y)), also at the jumps.")
fmod = Elementwise(function=np.fmod, libm="fmod", types=_float,
    partials=(1, lambda xp, out, x, y: -xp.trunc(x / y)),
    doc="x - y trunc(x / y), with the sign of x; derivative (1, -trunc(x / y)), also at the jumps.")
power = Elementwise(function=np.power, symbol="**",
    # x**0 is 1 for every x, so its slope in x is 0, also where 1 / x is no number; where it is one, y x**(y - 1) says
    # so, and is right when differentiated again, in y too.  In y, 0**y is 0 for y > 0 and the slope is taken as 0.
    partials=(
        lambda xp, out, x, y: y * xp.power(xp.where((y != 0) | xp.isfinite(1 / x), x, 1.0), y - 1),
        lambda xp, out, x, y: xp.where((x == 0) & (y >= 0), 0.0, xp.log(x) * out)),
    doc="x to the power y. At x = 0: d/dx of x**0 is 0, d/dy of 0**y is 0 for y >= 0.")
negative = Elementwise(function=np.negative, symbol="neg", linear=(0,),
    partials=(-1,),
    doc="-x; integers wrap.")
positive = Elementwise(function=np.positive, symbol="identity", linear=(0,),
    partials=(1,),
    doc="+x, a copy.")
absolute = Elementwise(function=np.absolute, symbol="abs",
    partials=(_absolute_partial,),
    doc="|x|; derivative sign(x), for complex numbers conj(x) / |x| (du/dx - i du/dy); so 0 at 0.")
sign = Elementwise(function=np.sign, types=lambda dtypes, params: None if dtypes[0].kind in "bc" else dtypes[0],
    body=lambda xp, x: xp.where(x > 0, 1, xp.where(x == 0, 0, -xp.where(x < 0, 1, x))),  # -1 is no uint8
    partials=(None,),
    doc="-1, 0 or 1; NaN at NaN. Derivative 0.")
square = Elementwise(function=np.square,
    body=lambda xp, x: x * x,
    partials=(lambda xp, out, x: 2 * x,),
    doc="x x.")
reciprocal = Elementwise(function=np.reciprocal, types=_inexact,
    body=_reciprocal,
    partials=(lambda xp, out, x: -out * out,),
    doc="1 / x.")
sqrt = Elementwise(function=np.sqrt, libm="sqrt",
    partials=(lambda xp, out, x: 0.5 / out,),
    domain=(above(0),),
    doc="Square root; derivative inf at 0.")
cbrt = Elementwise(function=np.cbrt, libm="cbrt",
    partials=(lambda xp, out, x: 1 / (3 * out * out),),
    doc="Cube root; derivative inf at 0.")
maximum = Elementwise(function=np.maximum,
    body=lambda xp, x, y: xp.where((x >= y) | (x != x), x, y),
    partials=(
        lambda xp, out, x, y: xp.where(x == y, 0.5, xp.where(x > y, 1.0, xp.where(x != x, x, 0.0))),
        lambda xp, out, x, y: xp.where(x == y, 0.5, xp.where(y > x, 1.0, xp.where(y != y, y, 0.0)))),
    doc="The larger; NaN wins. Ties share the derivative equally; a NaN operand has derivative NaN.")
minimum = Elementwise(function=np.minimum,
    body=lambda xp, x, y: xp.where((x <= y) | (x != x), x, y),
    partials=(
        lambda xp, out, x, y: xp.where(x == y, 0.5, xp.where(x < y, 1.0, xp.where(x != x, x, 0.0))),
        lambda xp, out, x, y: xp.where(x == y, 0.5, xp.where(y < x, 1.0, xp.where(y != y, y, 0.0)))),
    doc="The smaller; NaN wins. Ties share the derivative equally; a NaN operand has derivative NaN.")
fmax = Elementwise(function=np.fmax,
    body=lambda xp, x, y: xp.where((x >= y) | (y != y), x, y),
    partials=(
        lambda xp, out, x, y: xp.where(x == y, 0.5, xp.where((x > y) | (y != y), 1.0, 0.0)),
        lambda xp, out, x, y: xp.where(x == y, 0.5, xp.where((y > x) | ((x != x) & (y == y)), 1.0, 0.0))),
    doc="The larger; a NaN loses to a number. Ties share the derivative equally.")
fmin = Elementwise(function=np.fmin,
    body=lambda xp, x, y: xp.where((x <= y) | (y != y), x, y),
    partials=(
        lambda xp, out, x, y: xp.where(x == y, 0.5, xp.where((x < y) | (y != y), 1.0, 0.0)),
        lambda xp, out, x, y: xp.where(x == y, 0.5, xp.where((y < x) | ((x != x) & (y == y)), 1.0, 0.0))),
    doc="The smaller; a NaN loses to a number. Ties share the derivative equally.")
copysign = Elementwise(function=np.copysign, libm="copysign",
    partials=(lambda xp, out, x, y: xp.sign(x) * xp.copysign(1.0, y), None),
    doc="|x| with the sign of y; derivative in x at 0 is 0.")
heaviside = Elementwise(function=np.heaviside,
    body=lambda xp, x, h: xp.where(x == 0, h, xp.where(x > 0, 1.0, xp.where(x < 0, 0.0, x))),
    partials=(None, lambda xp, out, x, h: xp.where(x == 0, 1.0, 0.0)),
    doc="0 below 0, h at 0, 1 above.")
floor = Elementwise(function=np.floor, libm="floor", partials=(None,), types=_float,
    doc="The largest integer not above x. Derivative 0.")
ceil = Elementwise(function=np.ceil, libm="ceil", partials=(None,), types=_float,
    doc="The smallest integer not below x. Derivative 0.")
trunc = Elementwise(function=np.trunc, libm="trunc", partials=(None,), types=_float,
    doc="x without its fraction. Derivative 0.")
rint = Elementwise(function=np.rint, libm="rint", partials=(None,),
    doc="The nearest integer, halves to even. Derivative 0.")
