"""Turns of Python and NumPy that real code is full of."""

import itertools
import math
import operator
from collections import defaultdict, deque
from functools import lru_cache, partial, reduce

import numpy as np


def rolling_mean(x, n=3):
    """A window that moves: collections.deque."""
    window, means = deque(maxlen=n), []
    for v in x:
        window.append(v)
        means.append(sum(window) / len(window))
    return np.array(means)


def pair_energy(x):
    """All pairs by itertools, products by functools.reduce."""
    return sum(a * b for a, b in itertools.combinations(x, 2)) + reduce(operator.mul, x)


def totals_by_key(x):
    """Sums in a defaultdict."""
    sums = defaultdict(float)
    for i, v in enumerate(x):
        sums[i % 2] += v**2
    return np.array([sums[key] for key in sorted(sums)])


def outer_table(x):
    """A table filled by np.ndenumerate."""
    out = np.zeros((len(x), len(x)))
    for (i, j), old in np.ndenumerate(out):
        out[i, j] = old + x[i] * x[j] if i <= j else 0
    return out


def squares_of_all(X):
    """Every element by np.ndindex."""
    return sum(X[at] ** 2 for at in np.ndindex(X.shape))


def best_index(x, gains):
    """max() with a key, then the element it found."""
    k = max(range(len(x)), key=lambda i: x[i] * gains[i])
    return x[k] ** 2 * gains[k]


def starred(x):
    """Unpacking with a star."""
    first, *middle, last = x
    return first * last + sum(middle)


def swapped(x):
    """Elements and rows that change places: rows are views, so the second swap is not one."""
    y = x.copy()
    y[0], y[1] = y[1], y[0]
    m = y.reshape(2, -1)
    m[0], m[1] = m[1], m[0]
    return y * np.arange(1, len(y) + 1)


def views_of_views(u):
    """Writes through views of views."""
    v = u.copy()
    inner = v[1:3]
    core = inner[:, 1:3]
    core *= 2
    v[0] = core.sum()
    inner[1, 1] -= v[0, 0]
    return v**2


def one_array_twice(x):
    """A list that holds one array twice."""
    rows = [np.zeros(2)] * 2
    rows[0][0] = x[0]
    return rows[1] * x[1]


def safe_log(x):
    """Where the logarithm is not defined, zero; np.errstate around it."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(x > 0, np.log(x), 0)


def try_solve(x):
    """try, except LinAlgError."""
    try:
        return np.linalg.solve(np.outer(x, x) + np.eye(len(x)), x)
    except np.linalg.LinAlgError:
        return np.zeros_like(x)


def memoised(x, n=8):
    """A recursion with lru_cache."""

    @lru_cache(None)
    def term(k):
        return x[k] if k < 2 else term(k - 1) + term(k - 2) * x[2]

    return term(n)


def generated(x):
    """A generator and np.fromiter."""

    def squares():
        for v in x:
            yield v * v

    return np.fromiter(squares(), float) + sum(squares())


def out_arguments(x):
    """out= and where= of ufuncs."""
    y = np.empty(len(x))
    np.multiply(x, x, out=y)
    np.exp(y, y)
    np.add(y, 1, out=y, where=x > 0)
    return y + np.divide(1, x, out=np.zeros_like(x), where=x > 0.1)


def pipeline(x):
    """Functions in a list, one with its options fixed by partial."""
    for f in [np.sin, abs, partial(np.clip, a_min=0.1, a_max=0.8), np.tanh]:
        x = f(x)
    return x


def winners(X):
    """The largest of each row by take_along_axis, and put_along_axis over the smallest."""
    Y = X.copy()
    np.put_along_axis(Y, np.argmin(Y, axis=1)[:, None], 0.0, axis=1)
    return Y**2 + np.take_along_axis(X, np.argmax(X, axis=1)[:, None], axis=1)


def sections(x):
    """np.add.reduceat, and np.logaddexp.reduce."""
    return np.add.reduceat(x**2, [0, 2, 5]) + np.logaddexp.reduce(x)


def modulus_phase(x):
    """Complex numbers on the way to real ones."""
    z = np.exp(1j * x)
    return np.abs(z.sum()) ** 2 + np.angle(z * (1 + 0.5j))


def matrix_function(A):
    """A square root through np.linalg.eigh."""
    w, v = np.linalg.eigh(A @ A.T + np.eye(len(A)))
    return (v * np.sqrt(w)) @ v.T


def stirling(x):
    """Python's math, one number at a time."""
    return 0.5 * math.log(2 * math.pi / x) + x * (math.log(x + 1 / (12 * x)) - 1) - math.lgamma(x)


def polynomial_objects(c):
    """np.poly1d, its derivative too."""
    p = np.poly1d(c)
    return p(0.5) + p.deriv()(0.3)


def missing_values(x):
    """A gap, and functions that step over it."""
    y = x.copy()
    y[1] = np.nan
    return np.nansum(y**2) + np.nanmean(y) + np.nanmax(y) + np.nanstd(y)


def named_results(x):
    """A dictionary of results."""
    return {"loss": x @ x, "parts": (x**2, [x[0]])}


def guarded(x):
    """Checks of an argument as libraries write them."""
    assert x.ndim == 1 and np.all(np.isfinite(x)), "expected finite numbers"
    if np.any(x > 100) or not -5 < x[0] < 5:
        raise ValueError(f"out of range: {x}")
    return np.linalg.norm(x, 3)


def polynomial_package(c, x):
    """numpy.polynomial's functions."""
    return np.polynomial.polynomial.polyval(x, c)


def iterated(x):
    """np.nditer."""
    total = 0.0
    for v in np.nditer(x):
        total = total + v * v
    return total


def masked_mean(x):
    """A masked array."""
    return np.ma.masked_array(x, mask=x < 0).mean()


def noisy(loc, scale):
    """Draws of a distribution whose parameters vary."""
    return np.random.default_rng(1).normal(loc, scale, size=3).sum()


def cubic_roots(c):
    """np.roots, their real parts in order."""
    return np.sort(np.roots(c).real)
