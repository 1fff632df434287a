"""Circular and hyperbolic functions, and their inverses.

Forms are chosen so that nothing overflows or cancels where the derivative itself is representable.
"""

import math

import numpy as np

from wengert.ir.kinds import Elementwise, above, between

sin = Elementwise(function=np.sin, libm="sin",
    partials=(lambda xp, out, x: xp.cos(x),),
    doc="Sine, x in radians.")
cos = Elementwise(function=np.cos, libm="cos",
    partials=(lambda xp, out, x: -xp.sin(x),),
    doc="Cosine, x in radians.")
tan = Elementwise(function=np.tan, libm="tan",
    partials=(lambda xp, out, x: 1 + out * out,),
    doc="Tangent, x in radians.")
arcsin = Elementwise(function=np.arcsin, libm="asin",
    partials=(lambda xp, out, x: 1 / xp.sqrt((1 - x) * (1 + x)),),
    domain=(between(-1, 1),),
    doc="Inverse sine; derivative inf at -1 and 1.")
arccos = Elementwise(function=np.arccos, libm="acos",
    partials=(lambda xp, out, x: -1 / xp.sqrt((1 - x) * (1 + x)),),
    domain=(between(-1, 1),),
    doc="Inverse cosine; derivative -inf at -1 and 1.")
arctan = Elementwise(function=np.arctan, libm="atan",
    partials=(lambda xp, out, x: 1 / (1 + x * x),),
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
    partials=(lambda xp, out, x: xp.square(1 / xp.cosh(x)),),
    doc="Hyperbolic tangent.")
arcsinh = Elementwise(function=np.arcsinh, libm="asinh",
    partials=(lambda xp, out, x: 1 / xp.hypot(1.0, x),),
    doc="Inverse hyperbolic sine.")
arccosh = Elementwise(function=np.arccosh, libm="acosh",
    partials=(lambda xp, out, x: 1 / (xp.sqrt(x - 1) * xp.sqrt(x + 1)),),
    domain=(above(1),),
    doc="Inverse hyperbolic cosine; derivative inf at 1.")
arctanh = Elementwise(function=np.arctanh, libm="atanh",
    partials=(lambda xp, out, x: 1 / ((1 - x) * (1 + x)),),
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
