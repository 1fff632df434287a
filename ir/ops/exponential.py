"""Exponentials and logarithms."""

import math

import numpy as np

from wengert.ir.kinds import Elementwise, above
from wengert.ir.ops.arithmetic import _float

LOG2 = math.log(2.0)
LOG10 = math.log(10.0)


def _share(xp, exp, x, y):
    """The share of exp(x) in exp(x) + exp(y); of equal infinities, whose gap is NaN, the limit along the diagonal."""
    gap = y - x
    return xp.where((x == y) & (gap != gap), 0.5, 1 / (1 + exp(gap)))


exp = Elementwise(function=np.exp, libm="exp",
    partials=(lambda xp, out, x: out,),
    doc="e to the power x.")
exp2 = Elementwise(function=np.exp2, libm="exp2",
    partials=(lambda xp, out, x: LOG2 * out,),
    doc="2 to the power x.")
expm1 = Elementwise(function=np.expm1, libm="expm1",
    partials=(lambda xp, out, x: xp.exp(x),),
    doc="exp(x) - 1, accurate for small x.")
log = Elementwise(function=np.log, libm="log",
    partials=(lambda xp, out, x: 1 / x,),
    domain=(above(0),),
    doc="Natural logarithm; derivative 1 / x, inf at 0.")
log2 = Elementwise(function=np.log2, libm="log2",
    partials=(lambda xp, out, x: (1 / LOG2) / x,),
    domain=(above(0),),
    doc="Logarithm to base 2; derivative inf at 0.")
log10 = Elementwise(function=np.log10, libm="log10",
    partials=(lambda xp, out, x: (1 / LOG10) / x,),
    domain=(above(0),),
    doc="Logarithm to base 10; derivative inf at 0.")
log1p = Elementwise(function=np.log1p, libm="log1p",
    partials=(lambda xp, out, x: 1 / (1 + x),),
    domain=(above(-1),),
    doc="log(1 + x), accurate for small x; derivative inf at -1.")
logaddexp = Elementwise(function=np.logaddexp,
    body=lambda xp, x, y: xp.where(
        x == y, x + LOG2, xp.maximum(x, y) + xp.log1p(xp.exp(-xp.absolute(x - y)))),
    partials=(
        lambda xp, out, x, y: _share(xp, xp.exp, x, y),
        lambda xp, out, x, y: _share(xp, xp.exp, y, x)),
    doc="log(exp(x) + exp(y)) without overflow; ties share the derivative equally, also of infinities.")
logaddexp2 = Elementwise(function=np.logaddexp2,
    body=lambda xp, x, y: xp.where(
        x == y, x + 1, xp.maximum(x, y) + (1 / LOG2) * xp.log1p(xp.exp2(-xp.absolute(x - y)))),
    partials=(
        lambda xp, out, x, y: _share(xp, xp.exp2, x, y),
        lambda xp, out, x, y: _share(xp, xp.exp2, y, x)),
    doc="log2(2**x + 2**y) without overflow; ties share the derivative equally, also of infinities.")
logistic_loss = Elementwise(name="logistic_loss", types=_float,
    body=lambda xp, t, y: xp.maximum(t, 0.0) - t * y + xp.log1p(xp.exp(-xp.absolute(t))),
    partials=(
        lambda xp, out, t, y: 1 / (1 + xp.exp(-t)) - y,
        lambda xp, out, t, y: -t),
    doc="log(1 + exp(t)) - t y: what the probability 1 / (1 + exp(-t)) loses, in nats, against y; derivative in t "
        "their difference.")
