"""Bessel functions and their neighbours: Airy, Struve, and the confluent and Gauss hypergeometric functions.

Numbers in brackets are equations of the DLMF.  No rule for the derivative in an order or a parameter is used.
"""

import math

from wengert.ir.kinds import Unknown, above, between
from wengert.ir.ops.special_functions import SQRT_PI, scipy_special, series


def _asymptotic(order, sign):
    """sign**k a_k(order): the expansion of I in 1/x for sign -1, of K for 1 (10.40.1, 10.40.2)."""
    terms = [1.0]
    for k in range(1, 18):
        terms.append(terms[-1] * sign * (4 * order * order - (2 * k - 1) ** 2) / (8 * k))
    return terms


def _falling(order, sign):
    """The derivative of exp(-x) I(x), or of -exp(x) K(x), beyond 30, where it would cancel: term by term."""
    neighbours = zip(*(_asymptotic(order + k, sign) for k in (-1, 1, 0)), strict=True)
    return [(a + b) / 2 - c for a, b, c in neighbours]


def _scaled(order, near):
    """The derivative of exp(-abs(x)) I(x): ``near`` 0 by its neighbours, far by the expansion."""

    def partial(xp, out, x):
        big = xp.maximum(xp.absolute(x), 1.0)
        tail = series(xp, _falling(order, -1), 1 / big) / xp.sqrt((2 * math.pi) * big)
        return xp.where(x > 30, tail, xp.where(x < -30, tail if order % 2 else -tail, near(xp, out, x)))

    return partial


def _scaled_k(order, near):
    """The derivative of exp(x) K(x), the same way."""

    def partial(xp, out, x):
        big = xp.maximum(x, 1.0)
        tail = -xp.sqrt((math.pi / 2) / big) * series(xp, _falling(order, 1), 1 / big)
        return xp.where(x > 30, tail, near(xp, out, x))

    return partial


def _struve_power(xp, v, x):
    """(x / 2)**v / (sqrt(pi) gamma(v + 3/2)), which the recurrences of Struve's functions carry along."""
    return xp.power(0.5 * x, v) * xp.rgamma(v + 1.5) / SQRT_PI


def _upward(name):
    """Half the difference of the neighbours (10.6.1)."""
    return lambda xp, out, v, x: 0.5 * (getattr(xp, name)(v - 1, x) - getattr(xp, name)(v + 1, x))


def _between(name):
    """Half the sum of the neighbours (10.29.1)."""
    return lambda xp, out, v, x: 0.5 * (getattr(xp, name)(v - 1, x) + getattr(xp, name)(v + 1, x))


POSITIVE, V = above(0), Unknown("the order v")
ORDERS = between(-0.8, 2.8)

j0 = scipy_special("j0",
    partials=(lambda xp, out, x: -xp.j1(x),),
    doc="Bessel function J of order 0; derivative -J1 (10.6.3).")
j1 = scipy_special("j1",
    partials=(lambda xp, out, x: 0.5 * (xp.j0(x) - xp.jv(2.0, x)),),
    doc="Bessel function J of order 1; derivative (J0 - J2) / 2 (10.6.1).")
y0 = scipy_special("y0",
    partials=(lambda xp, out, x: -xp.y1(x),),
    domain=(POSITIVE,),
    doc="Bessel function Y of order 0; derivative -Y1 (10.6.3).")
y1 = scipy_special("y1",
    partials=(lambda xp, out, x: 0.5 * (xp.y0(x) - xp.yv(2.0, x)),),
    domain=(POSITIVE,),
    doc="Bessel function Y of order 1; derivative (Y0 - Y2) / 2 (10.6.1).")
jv = scipy_special("jv",
    partials=(V, _upward("jv")),
    domain=(ORDERS, POSITIVE),
    doc="Bessel function J of real order; derivative in x half the difference of its neighbours (10.6.1).")
yv = scipy_special("yv",
    partials=(V, _upward("yv")),
    domain=(ORDERS, POSITIVE),
    doc="Bessel function Y of real order (10.6.1).")
i0 = scipy_special("i0",
    partials=(lambda xp, out, x: xp.i1(x),),
    doc="Modified Bessel function I of order 0; derivative I1 (10.29.3), exactly 0 at 0.")
i1 = scipy_special("i1",
    partials=(lambda xp, out, x: 0.5 * (xp.i0(x) + xp.iv(2.0, x)),),
    doc="Modified Bessel function I of order 1; derivative (I0 + I2) / 2 (10.29.1), 1/2 at 0.")
k0 = scipy_special("k0",
    partials=(lambda xp, out, x: -xp.k1(x),),
    domain=(POSITIVE,),
    doc="Modified Bessel function K of order 0; derivative -K1 (10.29.3).")
k1 = scipy_special("k1",
    partials=(lambda xp, out, x: -0.5 * (xp.k0(x) + xp.kv(2.0, x)),),
    domain=(POSITIVE,),
    doc="Modified Bessel function K of order 1; derivative -(K0 + K2) / 2 (10.29.1).")
iv = scipy_special("iv",
    partials=(V, _between("iv")),
    domain=(ORDERS, POSITIVE),
    doc="Modified Bessel function I of real order; derivative in x half the sum of its neighbours (10.29.1).")
kv = scipy_special("kv",
    partials=(V, lambda xp, out, v, x: -_between("kv")(xp, out, v, x)),
    domain=(ORDERS, POSITIVE),
    doc="Modified Bessel function K of real order (10.29.1).")
kn = scipy_special("kn",
    partials=(V, lambda xp, out, n, x: -_between("kv")(xp, out, xp.trunc(n), x)),
    domain=(above(0.9), POSITIVE),
    doc="kv for whole orders; others are truncated.")
yn = scipy_special("yn",
    partials=(V, lambda xp, out, n, x: _upward("yv")(xp, out, xp.trunc(n), x)),
    domain=(above(0.9), POSITIVE),
    doc="yv for whole orders; others are truncated.")
i0e = scipy_special("i0e",
    partials=(_scaled(0, lambda xp, out, x: xp.i1e(x) - xp.sign(x) * out),),
    doc="exp(-abs(x)) I0(x); derivative I1e - sign(x) I0e, beyond 30 by its expansion; 0 at the kink 0.")
i1e = scipy_special("i1e",
    partials=(_scaled(1, lambda xp, out, x: 0.5 * (xp.i0e(x) + xp.ive(2.0, x)) - xp.sign(x) * out),),
    doc="exp(-abs(x)) I1(x); derivative (I0e + I2e) / 2 - sign(x) I1e, beyond 30 by its expansion; 1/2 at 0.")
k0e = scipy_special("k0e",
    partials=(_scaled_k(0, lambda xp, out, x: out - xp.k1e(x)),),
    domain=(POSITIVE,),
    doc="exp(x) K0(x); derivative K0e - K1e, beyond 30 by its expansion.")
k1e = scipy_special("k1e",
    partials=(_scaled_k(1, lambda xp, out, x: out - 0.5 * (xp.k0e(x) + xp.kve(2.0, x))),),
    domain=(POSITIVE,),
    doc="exp(x) K1(x); derivative K1e - (K0e + K2e) / 2, beyond 30 by its expansion.")
ive = scipy_special("ive",
    partials=(V, lambda xp, out, v, x: _between("ive")(xp, out, v, x) - xp.sign(x) * out),
    domain=(ORDERS, POSITIVE),
    doc="exp(-abs(x)) iv(v, x).")
kve = scipy_special("kve",
    partials=(V, lambda xp, out, v, x: out - _between("kve")(xp, out, v, x)),
    domain=(ORDERS, POSITIVE),
    doc="exp(x) kv(v, x).")
struve = scipy_special("struve",
    partials=(V, lambda xp, out, v, x: 0.5 * (xp.struve(v - 1, x) - xp.struve(v + 1, x) + _struve_power(xp, v, x))),
    domain=(ORDERS, POSITIVE),
    doc="Struve's function H (11.4.23, 11.4.27).")
modstruve = scipy_special("modstruve",
    partials=(V, lambda xp, out, v, x: 0.5 * (
        xp.modstruve(v - 1, x) + xp.modstruve(v + 1, x) + _struve_power(xp, v, x))),
    domain=(ORDERS, POSITIVE),
    doc="Struve's modified function L (11.4.25, 11.4.28).")
airy_ai = scipy_special("airy_ai", library="scipy.special.airy[0]",
    partials=(lambda xp, out, x: xp.airy_aip(x),),
    doc="Airy's function Ai.")
airy_aip = scipy_special("airy_aip", library="scipy.special.airy[1]",
    partials=(lambda xp, out, x: x * xp.airy_ai(x),),
    doc="The derivative of Ai; its own is x Ai(x) (9.2.1).")
airy_bi = scipy_special("airy_bi", library="scipy.special.airy[2]",
    partials=(lambda xp, out, x: xp.airy_bip(x),),
    doc="Airy's function Bi.")
airy_bip = scipy_special("airy_bip", library="scipy.special.airy[3]",
    partials=(lambda xp, out, x: x * xp.airy_bi(x),),
    doc="The derivative of Bi; its own is x Bi(x) (9.2.1).")
hyp0f1 = scipy_special("hyp0f1",
    partials=(Unknown("v"), lambda xp, out, v, x: xp.hyp0f1(v + 1, x) / v),
    domain=(POSITIVE, between(-3, 3)),
    doc="0F1(; v; x); derivative in x 0F1(; v + 1; x) / v (16.3.1).")
hyp1f1 = scipy_special("hyp1f1",
    partials=(Unknown("a"), Unknown("b"), lambda xp, out, a, b, x: a / b * xp.hyp1f1(a + 1, b + 1, x)),
    domain=(POSITIVE, POSITIVE, between(-3, 3)),
    doc="Kummer's 1F1(a; b; x); derivative in x (a / b) 1F1(a + 1; b + 1; x) (13.3.15).")
hyp2f1 = scipy_special("hyp2f1",
    partials=(Unknown("a"), Unknown("b"), Unknown("c"),
              lambda xp, out, a, b, c, x: a * b / c * xp.hyp2f1(a + 1, b + 1, c + 1, x)),
    domain=(POSITIVE, POSITIVE, POSITIVE, between(-0.9, 0.8)),
    doc="Gauss's 2F1(a, b; c; x); derivative in x (a b / c) 2F1(a + 1, b + 1; c + 1; x) (15.5.1).")
hyperu = scipy_special("hyperu",
    partials=(Unknown("a"), Unknown("b"), lambda xp, out, a, b, x: -a * xp.hyperu(a + 1, b + 1, x)),
    domain=(POSITIVE, POSITIVE, POSITIVE),
    doc="Tricomi's U(a, b, x); derivative in x -a U(a + 1, b + 1, x) (13.3.22).")
