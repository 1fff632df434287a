"""Elliptic and exponential integrals, and their like.

Numbers in brackets are equations of the DLMF; SciPy's m is k**2 there.
"""

import math

from wengert.ir.kinds import Unknown, above, between
from wengert.ir.ops.special_functions import scipy_special, series

#: pi/2 c(n)**2 2n / (2n - 1) with c(n) = (2n - 1)!! / (2n)!!: the expansion of (K - E) / m (19.5.1, 19.5.2).
_D = [
    math.pi / 2 * (math.comb(2 * n, n) / 4**n) ** 2 * 2 * n / (2 * n - 1) for n in range(1, 20)
]  # fmt: skip
#: log(x) / (1 - x) in 1 - x.
_LOG = [-1 / (k + 1) for k in range(18)]
#: Nearer to a removable singularity than this, its expansion is summed.
NEAR = 0.1


def _ellip_d(xp, m, k, e):
    """(K - E) / m, by its expansion near 0."""
    return xp.where(xp.absolute(m) < NEAR, series(xp, _D, m), (k - e) / m)


def _ellipk(xp, out, m):
    return xp.where(m == 1, math.inf, 0.5 * (out - _ellip_d(xp, m, out, xp.ellipe(m))) / (1 - m))


def _ellipkm1(xp, out, p):
    """-(K - D) / (2 p), with m = 1 - p."""
    return xp.where(p == 0, -math.inf, -0.5 * (out - _ellip_d(xp, 1 - p, out, xp.ellipe(1 - p))) / p)


def _spence(xp, out, x):
    return xp.where(xp.absolute(1 - x) < NEAR, series(xp, _LOG, 1 - x), xp.log(x) / (1 - x))


def _expn(xp, out, n, x):
    """-E of order n - 1 (8.19.13); that of order -1 is exp(-x) (1 + x) / x**2."""
    return -xp.where(n < 1, xp.exp(-x) * (1 + x) / (x * x), xp.expn(xp.maximum(xp.trunc(n) - 1, 0.0), x))


def _ratio(function, expansion):
    """function(x) / x, by its expansion near 0."""
    return lambda xp, out, x: xp.where(
        xp.absolute(x) < NEAR, series(xp, expansion, x * x), function(xp, x) / x)


#: sin(x) / x and sinh(x) / x in x**2.
_SINC = [(-1) ** k / math.factorial(2 * k + 1) for k in range(8)]
_SINHC = [1 / math.factorial(2 * k + 1) for k in range(8)]
POSITIVE = above(0)

ellipk = scipy_special("ellipk",
    partials=(_ellipk,),
    domain=(between(-3, 1),),
    doc="Complete elliptic integral K(m); derivative (E - (1 - m) K) / (2 m (1 - m)) (19.4.1), pi/8 at 0, inf at 1.")
ellipkm1 = scipy_special("ellipkm1",
    partials=(_ellipkm1,),
    domain=(between(0, 2),),
    doc="K(1 - p), accurate near p = 0, where its derivative is -inf.")
ellipe = scipy_special("ellipe",
    partials=(lambda xp, out, m: -0.5 * _ellip_d(xp, m, xp.ellipk(m), out),),
    domain=(between(-3, 1),),
    doc="Complete elliptic integral E(m); derivative (E - K) / (2 m) (19.4.2), -pi/8 at 0, -inf at 1.")
ellipkinc = scipy_special("ellipkinc",
    partials=(lambda xp, out, phi, m: 1 / xp.sqrt(1 - m * xp.square(xp.sin(phi))), Unknown("m")),
    domain=(between(-1.5, 1.5), between(-2, 1)),
    doc="Incomplete elliptic integral F(phi, m) (19.2.4).")
ellipeinc = scipy_special("ellipeinc",
    partials=(lambda xp, out, phi, m: xp.sqrt(1 - m * xp.square(xp.sin(phi))), Unknown("m")),
    domain=(between(-1.5, 1.5), between(-2, 1)),
    doc="Incomplete elliptic integral E(phi, m) (19.2.5).")
expi = scipy_special("expi",
    partials=(lambda xp, out, x: xp.exp(x) / x,),
    domain=(POSITIVE,),
    doc="Exponential integral Ei(x); derivative exp(x) / x (6.2.5).")
exp1 = scipy_special("exp1",
    partials=(lambda xp, out, x: -xp.exp(-x) / x,),
    domain=(POSITIVE,),
    doc="Exponential integral E1(x); derivative -exp(-x) / x (6.2.1).")
expn = scipy_special("expn",
    partials=(Unknown("n"), _expn),
    domain=(POSITIVE, POSITIVE),
    doc="Generalized exponential integral of whole order n; derivative -E of order n - 1 (8.19.13).")
spence = scipy_special("spence",
    partials=(_spence,),
    domain=(POSITIVE,),
    doc="Spence's function, Li2(1 - x); derivative log(x) / (1 - x) (25.12.2), -1 at 1.")
sici_s = scipy_special("sici_s", library="scipy.special.sici[0]",
    partials=(_ratio(lambda xp, x: xp.sin(x), _SINC),),
    doc="Sine integral Si(x); derivative sin(x) / x (6.2.9), 1 at 0.")
sici_c = scipy_special("sici_c", library="scipy.special.sici[1]",
    partials=(lambda xp, out, x: xp.cos(x) / x,),
    domain=(POSITIVE,),
    doc="Cosine integral Ci(x); derivative cos(x) / x (6.2.11).")
shichi_s = scipy_special("shichi_s", library="scipy.special.shichi[0]",
    partials=(_ratio(lambda xp, x: xp.sinh(x), _SINHC),),
    doc="Hyperbolic sine integral Shi(x); derivative sinh(x) / x (6.2.15), 1 at 0.")
shichi_c = scipy_special("shichi_c", library="scipy.special.shichi[1]",
    partials=(lambda xp, out, x: xp.cosh(x) / x,),
    domain=(POSITIVE,),
    doc="Hyperbolic cosine integral Chi(x); derivative cosh(x) / x (6.2.16).")
