"""Entire functions that formulas tear: a hole at 0 (sinc) or a seam at |x| = 8 (I0).

Near 0 the partial is the power series in x**2, so that every derivative of it is exact there too.
"""

import math

import numpy as np

from wengert.ir.kinds import Elementwise
from wengert.ir.ops.arithmetic import _float, _inexact


def _horner(coefficients, x):
    """The polynomial with these coefficients, the constant first."""
    total = coefficients[-1]
    for c in coefficients[-2::-1]:
        total = total * x + c
    return total


#: sinc'(x) / x = sum over k of (-1)**(k + 1) 2 (k + 1) pi**(2 k + 2) x**(2 k) / (2 k + 3)!
_SINC_NEAR = tuple(
    (-1) ** (k + 1) * 2 * (k + 1) * math.pi ** (2 * k + 2) / math.factorial(2 * k + 3) for k in range(14)
)
#: I0(x) = sum over k of (x**2 / 4)**k / k!**2, and I1(x) = x / 2 times that of (x**2 / 4)**k / (k! (k + 1)!):
#: no term is negative, so nothing cancels.
_I0_NEAR = tuple(1 / math.factorial(k) ** 2 for k in range(32))
_I1_NEAR = tuple(0.5 / (math.factorial(k) * math.factorial(k + 1)) for k in range(32))
#: From 8 on, exp(-x) sqrt(x) I0(x) and the same of I1, as polynomials in 16 / x - 1 (interpolated at 50 digits at
#: Chebyshev points).
_I0_FAR = (
    0.4021765094450081, 0.0033605519836678865, 0.0001362160743919305, 1.1143033788352455e-05,
    1.4838475658279249e-06, 2.9735993830791437e-07, 8.872219737904054e-08, 3.9324708328742363e-08,
    2.1548377974791598e-08, 7.56377201554603e-09, -6.747657956107524e-09, -1.3453822931523271e-08,
    -5.404771567579958e-09, 7.697662019062485e-09, 7.430464650325426e-09, -3.82099512308995e-09,
    -5.95356943826489e-09, 1.983359036878627e-09, 3.6379546359011143e-09, -1.0267340552488217e-09,
    -1.618980683624682e-09, 4.388861044991905e-10, 4.577087631643623e-10, -1.2429481430536811e-10,
    -6.067631570603006e-11, 1.6645473602872717e-11,
)  # fmt: skip
_I1_FAR = (
    0.38939845902587233, -0.00974957719323576, -0.00021923576383388928, -1.503854719814553e-05,
    -1.8349101326980946e-06, -3.4838565069237384e-07, -1.0001288294864884e-07, -4.312811174972107e-08,
    -2.337392820814264e-08, -8.436290430234562e-09, 6.734464815301592e-09, 1.4076395500755014e-08,
    5.974437608040264e-09, -7.778592763970399e-09, -7.888351507862078e-09, 3.7219797447255018e-09,
    6.242741219786445e-09, -1.8736450470066097e-09, -3.794670896208339e-09, 9.568523624905203e-10,
    1.6848984479705146e-09, -4.086984233473255e-10, -4.758818838703853e-10, 1.161813630287145e-10,
    6.305965197150057e-11, -1.5626599071977848e-11,
)  # fmt: skip


def _far(coefficients, xp, a):
    return xp.exp(a) / xp.sqrt(a) * _horner(coefficients, 16 / a - 1)


def _i0(xp, x):
    a = xp.absolute(x)
    return xp.where(a <= 8, _horner(_I0_NEAR, 0.25 * a * a), _far(_I0_FAR, xp, a))


def _i1(xp, out, x):
    a = xp.absolute(x)
    return xp.where(a <= 8, x * _horner(_I1_NEAR, 0.25 * x * x), xp.sign(x) * _far(_I1_FAR, xp, a))


sinc = Elementwise(function=np.sinc, types=_inexact,
    body=lambda xp, x: xp.where(x == 0, 1.0, xp.sin(math.pi * x) / (math.pi * x)),
    partials=(lambda xp, out, x: xp.where(
        xp.absolute(x) < 0.5, x * _horner(_SINC_NEAR, x * x), (xp.cos(math.pi * x) - out) / x),),
    doc="sin(pi x) / (pi x), 1 at 0; smooth there, to every order.")
bessel_i0 = Elementwise(function=np.i0, name="bessel_i0", types=_float,
    body=_i0,
    partials=(_i1,),
    doc="The modified Bessel function of order 0; its derivative, that of order 1, is 0 at 0.")
