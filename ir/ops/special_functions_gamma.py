"""The gamma and beta functions, complete and incomplete, and distributions that are made of them.

Numbers in brackets are equations of the DLMF.
"""

import math

from wengert.ir.kinds import Unknown, above, between
from wengert.ir.ops.special_functions import scipy_special, series


def _trigamma(xp, x):
    """The derivative of digamma: zeta(2, x) (25.11.12), reflected (5.15.6) where x is not positive, since the sum
    over a pole after the other takes as long as x is far."""
    left = x <= 0
    sine = xp.sin(math.pi * (x - xp.rint(x)))  # sin(pi x) up to its sign, exact at the poles
    reflected = (math.pi / sine) * (math.pi / sine) - xp.zeta(2.0, xp.where(left, 1 - x, 1.0))
    return xp.where(left, reflected, xp.zeta(2.0, xp.where(left, 1.0, x)))


def _rgamma(xp, out, x):
    """-digamma(x) / gamma(x); for x <= 0 the derivative of sin(pi x) gamma(1 - x) / pi (5.5.3), which has no poles."""
    left, whole = x <= 0, xp.rint(x)
    turn, y = math.pi * (x - whole), xp.where(left, 1 - x, 1.0)
    reflected = xp.gamma(y) * (xp.cos(turn) - xp.sin(turn) / math.pi * xp.digamma(y))
    return xp.where(left, xp.cos(math.pi * whole) * reflected, -out * xp.digamma(xp.where(left, 1.0, x)))


#: log(gamma(a)) - (a - 1/2) log(a) + a - log(2 pi)/2, times a, in a**-2 (5.11.1).
_STIRLING = [1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156]


def _gamma_density(xp, a, x):
    """x**(a - 1) exp(-x) / gamma(a) (8.8.13); for large a with Stirling's formula, since its large terms cancel."""
    large = xp.maximum(a, 10.0)
    m = (x - large) / large
    log = xp.where(xp.absolute(m) < 0.5, xp.log1p(m), xp.log(x / large))
    exponent = large * (log - m) - series(xp, _STIRLING, 1 / (large * large)) / large
    peaked = xp.where(x == 0, 0.0, xp.sqrt(large / (2 * math.pi)) / x * xp.exp(exponent))
    return xp.where(a > 10, peaked, xp.exp(xp.xlogy(a - 1, x) - x - xp.gammaln(a)))


def _beta_density(xp, a, b, x):
    """x**(a - 1) (1 - x)**(b - 1) / beta(a, b) (8.17.20)."""
    return xp.exp(xp.xlogy(a - 1, x) + xp.xlog1py(b - 1, -x) - xp.betaln(a, b))


def _t_density(xp, df, t):
    """Student's density."""
    scale = xp.exp(xp.gammaln(0.5 * (df + 1)) - xp.gammaln(0.5 * df)) / xp.sqrt(math.pi * df)
    return scale * xp.exp(-0.5 * (df + 1) * xp.log1p(t * t / df))


POSITIVE, UNIT = above(0), between(0, 1)

gamma = scipy_special("gamma", libm="tgamma",
    partials=(lambda xp, out, x: out * xp.digamma(x),),
    domain=(POSITIVE,),
    doc="Gamma function; derivative gamma(x) digamma(x) (5.2.2).")
gammaln = scipy_special("gammaln", libm="lgamma",
    partials=(lambda xp, out, x: xp.digamma(x),),
    domain=(POSITIVE,),
    doc="log(abs(gamma(x))); derivative digamma(x) (5.2.2), -inf at 0, NaN at -1, -2, ...")
loggamma = scipy_special("loggamma",
    partials=(lambda xp, out, x: xp.digamma(x),),
    domain=(POSITIVE,),
    doc="log(gamma(x)) for x > 0, else NaN; derivative digamma(x) (5.2.2).")
rgamma = scipy_special("rgamma",
    partials=(_rgamma,),
    doc="1 / gamma(x), which has no poles; derivative -digamma(x) / gamma(x), at 0, -1, ... its limit.")
gammasgn = scipy_special("gammasgn",
    partials=(None,),
    doc="The sign of gamma(x). Derivative 0.")
digamma = scipy_special("digamma",
    partials=(lambda xp, out, x: _trigamma(xp, x),),
    domain=(POSITIVE,),
    doc="The derivative of log(gamma(x)); its own is zeta(2, x) (5.15.1), reflected for x <= 0 (5.15.6).")
zeta = scipy_special("zeta",
    partials=(Unknown("x"), lambda xp, out, x, q: -x * xp.zeta(x + 1, q)),
    domain=(above(1.2), POSITIVE),
    doc="Hurwitz's zeta(x, q), the sum of (k + q)**-x; derivative in q -x zeta(x + 1, q) (25.11.17).")
riemann_zeta = scipy_special("riemann_zeta", library="scipy.special.zeta",
    partials=(Unknown("x"),),
    domain=(above(1.2),),
    doc="Riemann's zeta(x).")
zetac = scipy_special("zetac",
    partials=(Unknown("x"),),
    domain=(above(1.2),),
    doc="Riemann's zeta(x) - 1.")
beta = scipy_special("beta",
    partials=(
        lambda xp, out, a, b: out * (xp.digamma(a) - xp.digamma(a + b)),
        lambda xp, out, a, b: out * (xp.digamma(b) - xp.digamma(a + b))),
    domain=(POSITIVE, POSITIVE),
    doc="gamma(a) gamma(b) / gamma(a + b) (5.12.1).")
betaln = scipy_special("betaln",
    partials=(
        lambda xp, out, a, b: xp.digamma(a) - xp.digamma(a + b),
        lambda xp, out, a, b: xp.digamma(b) - xp.digamma(a + b)),
    domain=(POSITIVE, POSITIVE),
    doc="log(abs(beta(a, b))).")
binom = scipy_special("binom",
    partials=(
        lambda xp, out, n, k: out * (xp.digamma(n + 1) - xp.digamma(n - k + 1)),
        lambda xp, out, n, k: out * (xp.digamma(n - k + 1) - xp.digamma(k + 1))),
    domain=(above(5), between(0, 4)),
    doc="Binomial coefficient of real n and k, gamma(n + 1) / (gamma(k + 1) gamma(n - k + 1)).")
poch = scipy_special("poch",
    partials=(
        lambda xp, out, x, m: out * (xp.digamma(x + m) - xp.digamma(x)),
        lambda xp, out, x, m: out * xp.digamma(x + m)),
    domain=(POSITIVE, POSITIVE),
    doc="Rising factorial gamma(x + m) / gamma(x) (5.2.5).")
gammainc = scipy_special("gammainc",
    partials=(Unknown("a"), lambda xp, out, a, x: _gamma_density(xp, a, x)),
    domain=(POSITIVE, POSITIVE),
    doc="Regularized lower incomplete gamma function P(a, x); derivative in x the gamma density (8.8.13).")
gammaincc = scipy_special("gammaincc",
    partials=(Unknown("a"), lambda xp, out, a, x: -_gamma_density(xp, a, x)),
    domain=(POSITIVE, POSITIVE),
    doc="Regularized upper incomplete gamma function 1 - P(a, x).")
gammaincinv = scipy_special("gammaincinv",
    partials=(Unknown("a"), lambda xp, out, a, y: 1 / _gamma_density(xp, a, out)),
    domain=(POSITIVE, UNIT),
    doc="The x with gammainc(a, x) = y; derivative one over the gamma density there.")
gammainccinv = scipy_special("gammainccinv",
    partials=(Unknown("a"), lambda xp, out, a, y: -1 / _gamma_density(xp, a, out)),
    domain=(POSITIVE, UNIT),
    doc="The x with gammaincc(a, x) = y.")
betainc = scipy_special("betainc",
    partials=(Unknown("a"), Unknown("b"), lambda xp, out, a, b, x: _beta_density(xp, a, b, x)),
    domain=(POSITIVE, POSITIVE, UNIT),
    doc="Regularized incomplete beta function I_x(a, b); derivative in x the beta density (8.17.20).")
betaincc = scipy_special("betaincc",
    partials=(Unknown("a"), Unknown("b"), lambda xp, out, a, b, x: -_beta_density(xp, a, b, x)),
    domain=(POSITIVE, POSITIVE, UNIT),
    doc="1 - betainc(a, b, x).")
betaincinv = scipy_special("betaincinv",
    partials=(Unknown("a"), Unknown("b"), lambda xp, out, a, b, y: 1 / _beta_density(xp, a, b, out)),
    domain=(POSITIVE, POSITIVE, UNIT),
    doc="The x with betainc(a, b, x) = y; derivative one over the beta density there.")
betainccinv = scipy_special("betainccinv",
    partials=(Unknown("a"), Unknown("b"), lambda xp, out, a, b, y: -1 / _beta_density(xp, a, b, out)),
    domain=(POSITIVE, POSITIVE, UNIT),
    doc="The x with betaincc(a, b, x) = y.")
chdtr = scipy_special("chdtr",
    partials=(Unknown("v"), lambda xp, out, v, x: 0.5 * _gamma_density(xp, 0.5 * v, 0.5 * x)),
    domain=(POSITIVE, POSITIVE),
    doc="Chi-square distribution, gammainc(v / 2, x / 2).")
chdtrc = scipy_special("chdtrc",
    partials=(Unknown("v"), lambda xp, out, v, x: -0.5 * _gamma_density(xp, 0.5 * v, 0.5 * x)),
    domain=(POSITIVE, POSITIVE),
    doc="1 - chdtr(v, x).")
gdtr = scipy_special("gdtr",
    partials=(
        lambda xp, out, a, b, x: x * _gamma_density(xp, b, a * x),
        Unknown("b"),
        lambda xp, out, a, b, x: a * _gamma_density(xp, b, a * x)),
    domain=(POSITIVE, POSITIVE, POSITIVE),
    doc="Gamma distribution, gammainc(b, a x).")
gdtrc = scipy_special("gdtrc",
    partials=(
        lambda xp, out, a, b, x: -x * _gamma_density(xp, b, a * x),
        Unknown("b"),
        lambda xp, out, a, b, x: -a * _gamma_density(xp, b, a * x)),
    domain=(POSITIVE, POSITIVE, POSITIVE),
    doc="1 - gdtr(a, b, x).")
stdtr = scipy_special("stdtr",
    partials=(Unknown("df"), lambda xp, out, df, t: _t_density(xp, df, t)),
    domain=(POSITIVE, between(-3, 3)),
    doc="Student's distribution; derivative in t its density.")
stdtrit = scipy_special("stdtrit",
    partials=(Unknown("df"), lambda xp, out, df, p: 1 / _t_density(xp, df, out)),
    domain=(above(1), UNIT),
    doc="The t with stdtr(df, t) = p.")
pdtr = scipy_special("pdtr",
    partials=(None, lambda xp, out, k, m: -_gamma_density(xp, xp.floor(k) + 1, m)),
    domain=(POSITIVE, POSITIVE),
    doc="Poisson distribution, at most floor(k) events of mean m. Derivative 0 in k.")
pdtrc = scipy_special("pdtrc",
    partials=(None, lambda xp, out, k, m: _gamma_density(xp, xp.floor(k) + 1, m)),
    domain=(POSITIVE, POSITIVE),
    doc="1 - pdtr(k, m).")
