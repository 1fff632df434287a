"""Logistic and entropy functions, losses and power transforms: formulas over other ops, right at their limits."""

import math

from wengert.ir.kinds import above, between
from wengert.ir.ops.special_functions import scipy_special, series

DEGREE = math.pi / 180
INF, NAN = math.inf, math.nan
LOG10 = math.log(10.0)


def _log_ratio(xp, x, y):
    """log(x / y), accurate where they are near each other, and where x / y is no number."""
    return xp.where((x > 0.5 * y) & (x < 2 * y), xp.log1p((x - y) / y), xp.log(x) - xp.log(y))


def _relative(xp, x, y, inside, at_zero):
    """``inside`` where both are positive, ``at_zero`` where x is 0 and y is not negative, else inf."""
    outside = xp.where((x != x) | (y != y), NAN, INF)
    return xp.where((x > 0) & (y > 0), inside, xp.where((x == 0) & (y >= 0), at_zero, outside))


#: The expansion of the derivative of exprel at 0.
_EXPREL = [(j + 1) / math.factorial(j + 2) for j in range(18)]
#: That of (v / (1 + v) - log1p(v)) / v**2.
_INVERSE = [(-1) ** (j + 1) * (j + 1) / (j + 2) for j in range(18)]


def _exprel_slope(xp, out, x):
    """(exp(x) - exprel(x)) / x, by its expansion near 0."""
    return xp.where(xp.absolute(x) < 1, series(xp, _EXPREL, x), (xp.exp(x) - out) / x)


def _power_slope(xp, log, k):
    """d/dk of (exp(k log) - 1) / k: log**2 times the slope of exprel there, so log**2 / 2 at k = 0."""
    return log * log * _exprel_slope(xp, xp.exprel(k * log), k * log)


def _inverse_slope(xp, y, k):
    """d/dk of log1p(k y) / k, which is -y**2 / 2 at k = 0."""
    v = k * y
    return y * y * xp.where(xp.absolute(v) < 0.1, series(xp, _INVERSE, v), (v / (1 + v) - xp.log1p(v)) / (v * v))


def _boxcox(xp, log, k):
    return xp.where(xp.absolute(k) < 1e-19, log, xp.expm1(k * log) / k)


def _inv_boxcox(xp, function, y, k):
    return xp.where(k == 0, function(y), function(xp.log1p(k * y) / k))


def _pseudo_huber(xp, delta, r):
    v = r / delta
    loss = delta * delta * xp.expm1(0.5 * xp.log1p(v * v))
    return xp.where(delta < 0, INF, xp.where((delta == 0) | (r == 0), 0.0, loss))


def _pseudo_huber_width(xp, out, delta, r):
    """delta (s - 1)**2 / s with s = sqrt(1 + (r / delta)**2)."""
    v = r / delta
    s = xp.hypot(1.0, v)
    low = v * (v / (s + 1))
    return xp.where(delta == 0, xp.absolute(r), delta * (low / s) * low)


expit = scipy_special("expit",
    body=lambda xp, x: xp.where(x < 0, xp.exp(-xp.absolute(x)), 1.0) / (1 + xp.exp(-xp.absolute(x))),
    partials=(lambda xp, out, x: out * xp.expit(-x),),
    doc="1 / (1 + exp(-x)); derivative expit(x) expit(-x), which neither overflows nor is lost.")
logit = scipy_special("logit",
    body=lambda xp, x: xp.where(
        (x > 0.3) & (x < 0.65), xp.log1p(2 * (x - 0.5)) - xp.log1p(-2 * (x - 0.5)), xp.log(x / (1 - x))),
    partials=(lambda xp, out, x: 1 / (x * (1 - x)),),
    domain=(between(0, 1),),
    doc="log(x / (1 - x)), inverse of expit; derivative inf at 0 and 1.")
log_expit = scipy_special("log_expit",
    body=lambda xp, x: xp.where(x < 0, x - xp.log1p(xp.exp(-xp.absolute(x))), -xp.log1p(xp.exp(-xp.absolute(x)))),
    partials=(lambda xp, out, x: xp.expit(-x),),
    doc="log(expit(x)); derivative expit(-x).")
xlogy = scipy_special("xlogy",
    body=lambda xp, x, y: xp.where((x == 0) & (y == y), 0.0, x * xp.log(y)),
    partials=(
        lambda xp, out, x, y: xp.log(y),
        lambda xp, out, x, y: xp.where((x == 0) & (y == 0), 0.0, x / y)),
    domain=(above(0), above(0)),
    doc="x log(y), and 0 where x is 0; derivative (-inf, 0) at (0, 0).")
xlog1py = scipy_special("xlog1py",
    body=lambda xp, x, y: xp.where((x == 0) & (y == y), 0.0, x * xp.log1p(y)),
    partials=(
        lambda xp, out, x, y: xp.log1p(y),
        lambda xp, out, x, y: xp.where((x == 0) & (y == -1), 0.0, x / (1 + y))),
    domain=(above(0), above(-1)),
    doc="x log(1 + y), and 0 where x is 0; derivative (-inf, 0) at (0, -1).")
entr = scipy_special("entr",
    body=lambda xp, x: xp.where(x > 0, -x * xp.log(x), xp.where(x == 0, 0.0, xp.where(x < 0, -INF, x))),
    partials=(lambda xp, out, x: -1 - xp.log(x),),
    domain=(above(0),),
    doc="-x log(x), 0 at 0, -inf below; derivative -1 - log(x), inf at 0.")
rel_entr = scipy_special("rel_entr",
    body=lambda xp, x, y: _relative(xp, x, y, x * _log_ratio(xp, x, y), 0.0),
    partials=(
        lambda xp, out, x, y: 1 + _log_ratio(xp, x, y),
        lambda xp, out, x, y: xp.where((x == 0) & (y == 0), 0.0, -x / y)),
    domain=(above(0), above(0)),
    doc="x log(x / y), 0 where x is 0, inf outside; derivative (NaN, 0) at (0, 0).")
kl_div = scipy_special("kl_div",
    body=lambda xp, x, y: _relative(xp, x, y, x * _log_ratio(xp, x, y) - x + y, y),
    partials=(
        lambda xp, out, x, y: _log_ratio(xp, x, y),
        lambda xp, out, x, y: xp.where((x == 0) & (y == 0), 1.0, -xp.expm1(_log_ratio(xp, x, y)))),
    domain=(above(0), above(0)),
    doc="x log(x / y) - x + y, inf outside; derivative (NaN, 1) at (0, 0).")
huber = scipy_special("huber",
    body=lambda xp, delta, r: xp.where(delta < 0, INF, xp.where(
        xp.absolute(r) <= delta, 0.5 * r * r, delta * (xp.absolute(r) - 0.5 * delta))),
    partials=(
        lambda xp, out, delta, r: xp.where(xp.absolute(r) <= delta, 0.0, xp.absolute(r) - delta),
        lambda xp, out, delta, r: xp.where(xp.absolute(r) <= delta, r, delta * xp.sign(r))),
    domain=(above(0), between(-3, 3)),
    doc="r**2 / 2 for abs(r) <= delta, else delta (abs(r) - delta / 2); inf for delta < 0.")
pseudo_huber = scipy_special("pseudo_huber",
    body=_pseudo_huber,
    partials=(
        _pseudo_huber_width,
        lambda xp, out, delta, r: xp.where(delta == 0, 0.0, delta * (r / xp.hypot(delta, r)))),
    domain=(above(0), between(-3, 3)),
    doc="delta**2 (sqrt(1 + (r / delta)**2) - 1); inf for delta < 0.")
boxcox = scipy_special("boxcox",
    body=lambda xp, x, k: _boxcox(xp, xp.log(x), k),
    partials=(
        lambda xp, out, x, k: xp.power(x, k - 1),
        lambda xp, out, x, k: _power_slope(xp, xp.log(x), k)),
    domain=(above(0), between(-2, 2)),
    doc="(x**k - 1) / k, log(x) at k = 0, where its derivative in k is log(x)**2 / 2.")
boxcox1p = scipy_special("boxcox1p",
    body=lambda xp, x, k: _boxcox(xp, xp.log1p(x), k),
    partials=(
        lambda xp, out, x, k: xp.exp((k - 1) * xp.log1p(x)),
        lambda xp, out, x, k: _power_slope(xp, xp.log1p(x), k)),
    domain=(above(-1), between(-2, 2)),
    doc="boxcox(1 + x, k), accurate for small x.")
inv_boxcox = scipy_special("inv_boxcox",
    body=lambda xp, y, k: _inv_boxcox(xp, xp.exp, y, k),
    partials=(
        lambda xp, out, y, k: out / (1 + k * y),
        lambda xp, out, y, k: out * _inverse_slope(xp, y, k)),
    domain=(between(-0.8, 0.8), between(-1, 1)),
    doc="The x with boxcox(x, k) = y.")
inv_boxcox1p = scipy_special("inv_boxcox1p",
    body=lambda xp, y, k: _inv_boxcox(xp, xp.expm1, y, k),
    partials=(
        lambda xp, out, y, k: (1 + out) / (1 + k * y),
        lambda xp, out, y, k: (1 + out) * _inverse_slope(xp, y, k)),
    domain=(between(-0.8, 0.8), between(-1, 1)),
    doc="The x with boxcox1p(x, k) = y.")
exprel = scipy_special("exprel",
    body=lambda xp, x: xp.where(xp.absolute(x) < 1e-16, 1.0, xp.where(x > 717, INF, xp.expm1(x) / x)),
    partials=(_exprel_slope,),
    doc="(exp(x) - 1) / x, 1 at 0, where its derivative is 1/2.")
cosm1 = scipy_special("cosm1",
    body=lambda xp, x: 0.0 - 2 * xp.square(xp.sin(0.5 * x)),
    partials=(lambda xp, out, x: -xp.sin(x),),
    doc="cos(x) - 1, accurate for small x.")
exp10 = scipy_special("exp10",
    body=lambda xp, x: xp.power(10.0, x),
    partials=(lambda xp, out, x: LOG10 * out,),
    doc="10 to the power x.")
powm1 = scipy_special("powm1",
    partials=(
        lambda xp, out, x, y: y * xp.power(x, y - 1),
        lambda xp, out, x, y: xp.log(x) * (1 + out)),
    domain=(above(0), between(-3, 3)),
    doc="x**y - 1, accurate near 0.")
sindg = scipy_special("sindg",
    partials=(lambda xp, out, x: DEGREE * xp.cosdg(x),),
    doc="Sine of degrees.")
cosdg = scipy_special("cosdg",
    partials=(lambda xp, out, x: -DEGREE * xp.sindg(x),),
    doc="Cosine of degrees.")
tandg = scipy_special("tandg",
    partials=(lambda xp, out, x: DEGREE * (1 + out * out),),
    doc="Tangent of degrees.")
cotdg = scipy_special("cotdg",
    partials=(lambda xp, out, x: -DEGREE * (1 + out * out),),
    domain=(between(1, 89),),
    doc="Cotangent of degrees.")
