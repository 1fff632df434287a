"""Calls of NumPy's statistics, calculus, polynomials and products: function to what is tried on every sort of array."""

import itertools

import numpy as np

METHODS = (
    "inverted_cdf", "averaged_inverted_cdf", "closest_observation", "interpolated_inverted_cdf", "hazen", "weibull",
    "linear", "median_unbiased", "normal_unbiased", "lower", "higher", "midpoint", "nearest",
)  # fmt: skip
AXES = (None, 0, -1)
#: A whole q takes elements as they are; NumPy 2.0 interpolates, and so finds NaN beside infinities.
WHOLE = (0,) if np.lib.NumpyVersion(np.__version__) >= "2.1.0" else ()


def over_axes(f, axes=AXES):
    """One case per axis and keepdims."""
    return [lambda x, a=a, k=k: f(x, axis=a, **k) for a, k in itertools.product(axes, ({}, {"keepdims": True}))]


def mask(x):
    return np.arange(np.size(x)).reshape(np.shape(x)) % 2 == 0


def holes(x):
    """Some NaNs, where the dtype has them: a whole column of a matrix among them."""
    x = x * np.float32(1) if np.result_type(x) == np.float32 else x * 1.0
    places = np.arange(np.size(x)).reshape(np.shape(x)) % 3 == 1
    return np.where(places, np.float32(np.nan), x)


def first_row(x):
    return np.ravel(x)[:6] if np.ndim(x) else x


def along(x):
    """Weights along the first axis."""
    return np.arange(1.0, 1 + len(x)) if np.ndim(x) else 1.0


def quantile_cases(f, top):
    """Quantiles by every method, of every shape of q, weak and strong, at the ends and between."""
    levels = (0.3 * top, [0.0, 0.5 * top, top], np.float32(0.75 * top), np.array([[0.1, 0.9], [0.25, 1.0]]) * top, 1.0 * top, *WHOLE)
    return [
        *over_axes(lambda x, **o: f(x, 0.4 * top, **o)), *over_axes(lambda x, **o: f(x, [0.2 * top, 0.5 * top], **o), (0, (0, -1))),
        *(lambda x, q=q: f(x, q, axis=-1) for q in levels),
        *(lambda x, m=m, q=q: f(x, q, axis=0, method=m) for m in METHODS for q in (np.array([0.0, 0.1, 0.5, 0.75, 1.0]) * top, 0.35 * top)),
        lambda x: f(x, 2.0 * top), lambda x: f(x, -1), lambda x: f(x, 0.5, method="other"), lambda x: f(x, 0.5 * top, overwrite_input=True),
        lambda x: f(x, 0.5 * top, weights=mask(x) + 1, method="inverted_cdf"),
        lambda x: f(x, 0.5 * top, 0, weights=-along(x), method="inverted_cdf"), lambda x: f(x, 0.5 * top, 0, weights=along(x)),
        lambda x: f(x, 0.5 * top, weights=np.ones(17), method="inverted_cdf"),
    ]  # fmt: skip


def nan_cases(f):
    """A fold that passes over NaN."""
    return [*over_axes(f), *over_axes(lambda x, **o: f(holes(x), **o)), lambda x: f(holes(x), axis=(0, -1)), lambda x: f(x * np.nan, axis=0)]


CASES = {
    np.median: [*over_axes(np.median, (*AXES, (0, -1), (-1, 0), 5)), lambda x: np.median(holes(x), 0), lambda x: np.median(x, overwrite_input=True)],
    np.quantile: [*quantile_cases(np.quantile, 1), lambda x: np.quantile(x, [0.3, 0.8], 0, weights=along(x), method="inverted_cdf")],
    np.percentile: [*quantile_cases(np.percentile, 100), lambda x: np.percentile(holes(x), 50, axis=0)],
    np.nanmedian: nan_cases(np.nanmedian),
    np.nanquantile: [*quantile_cases(np.nanquantile, 1), *(lambda x, m=m: np.nanquantile(holes(x), [0.0, 0.3, 0.5, 1.0], axis=0, method=m) for m in METHODS),
                     *over_axes(lambda x, **o: np.nanquantile(holes(x), 0.3, **o))],
    np.nanpercentile: [*quantile_cases(np.nanpercentile, 100), *nan_cases(lambda x, **o: np.nanpercentile(x, 30, **o)), *over_axes(lambda x, **o: np.nanpercentile(holes(x), [30, 100], **o))],
    np.nansum: [*nan_cases(np.nansum), lambda x: np.nansum(holes(x), 0, initial=2.0, where=mask(x)), lambda x: np.nansum(x, dtype=np.float32)],
    np.nanprod: [*nan_cases(np.nanprod), lambda x: np.nanprod(holes(x), -1, np.float64)],
    np.nancumsum: [lambda x, a=a: np.nancumsum(holes(x), a) for a in AXES] + [lambda x: np.nancumsum(x)],
    np.nanmax: [*nan_cases(np.nanmax), lambda x: np.nanmax(holes(x), initial=1.0, where=mask(x)), lambda x: np.nanmax(x, where=mask(x)), lambda x: np.nanmax(holes(x), 0, initial=0.0)],
    np.nanmin: [*nan_cases(np.nanmin), lambda x: np.nanmin(holes(x), initial=1.0, where=mask(x))],
    np.nanargmax: [*over_axes(np.nanargmax), lambda x: np.nanargmax(holes(x)), lambda x: np.nanargmax(holes(x), 0), lambda x: np.nanargmax(holes(x), -1)],
    np.nanargmin: [*over_axes(np.nanargmin), lambda x: np.nanargmin(holes(x)), lambda x: np.nanargmin(holes(x), 0)],
    np.nanmean: [*nan_cases(np.nanmean), lambda x: np.nanmean(holes(x), where=mask(x)), lambda x: np.nanmean(x, dtype=np.float64), lambda x: np.nanmean(holes(x), dtype=int)],
    np.nanvar: [*nan_cases(np.nanvar), lambda x: np.nanvar(holes(x), 0, ddof=1), lambda x: np.nanvar(holes(x), correction=1), lambda x: np.nanvar(holes(x), where=mask(x)), lambda x: np.nanvar(holes(x), mean=0.5)],
    np.nanstd: [*nan_cases(np.nanstd), lambda x: np.nanstd(holes(x), -1, ddof=1)],
    np.average: [
        *over_axes(np.average), *over_axes(lambda x, **o: np.average(x, weights=mask(x) + 1.0, **o)),
        lambda x: np.average(x, 0, np.arange(1.0, 1 + len(x))), lambda x: np.average(x, weights=np.arange(2.0)),
        lambda x: np.average(x, returned=True), lambda x: np.average(x, 0, along(x), returned=True),
        lambda x: np.average(x, (0, -1), np.ones(np.shape(x)), True), lambda x: np.average(x, (1, 0), np.ones((3, 2)) + np.arange(2)),
        lambda x: np.average(x, 0, 0 * along(x)), lambda x: np.average(x, weights=mask(x), returned=True, axis=-1, keepdims=True),
    ],
    np.cov: [
        np.cov, lambda x: np.cov(x, x * x), lambda x: np.cov(x, rowvar=False), lambda x: np.cov(x, bias=True), lambda x: np.cov(x, ddof=0),
        lambda x: np.cov(x, fweights=np.arange(1, 1 + np.shape(x)[-1])), lambda x: np.cov(x, aweights=along(np.transpose(x))),
        lambda x: np.cov(x, aweights=along(np.transpose(x)), fweights=np.arange(1, 1 + np.shape(x)[-1])),
        lambda x: np.cov(x, np.arange(3.0)), lambda x: np.cov(x, dtype=np.float32), lambda x: np.cov(x, ddof=0.5),
        lambda x: np.cov(x, fweights=np.ones(17)), lambda x: np.cov(x, aweights=-along(np.transpose(x))), lambda x: np.cov(x, x, False),
    ],
    np.corrcoef: [lambda x: np.corrcoef(x * x + np.arange(np.shape(x)[-1]) ** 2.0), lambda x: np.corrcoef(x, rowvar=False), lambda x: np.corrcoef(x, x * x + 0.5)],
    # calculus
    np.diff: [
        np.diff, lambda x: np.diff(x, 2, 0), lambda x: np.diff(x, 0), lambda x: np.diff(x, prepend=0), lambda x: np.diff(x, append=x[..., :1]),
        lambda x: np.diff(x, 1, 0, x[:1], 7.5), lambda x: np.diff(x, -1), lambda x: np.diff(x, 3, axis=5),
    ],
    np.ediff1d: [np.ediff1d, lambda x: np.ediff1d(x, 1, [2, 3]), lambda x: np.ediff1d(x, to_end=x), lambda x: np.ediff1d(x, to_begin=np.array([0.5]))],
    np.gradient: [
        lambda x: np.gradient(x * x), lambda x: np.gradient(x, 0.5), lambda x: np.gradient(x, axis=0), lambda x: np.gradient(x, edge_order=2),
        lambda x: np.gradient(x, np.arange(np.shape(x)[-1]) ** 2.0, axis=-1), lambda x: np.gradient(x, np.arange(np.shape(x)[-1]), axis=-1, edge_order=2),
        lambda x: np.gradient(x, np.arange(np.shape(x)[-1]) ** 2.0, axis=-1, edge_order=2), lambda x: np.gradient(x, 2, 0.5), lambda x: np.gradient(x, 1, 2, 3),
        lambda x: np.gradient(x, axis=(-1, 0)), lambda x: np.gradient(x, edge_order=3), lambda x: np.gradient(x, np.arange(4.0)), lambda x: np.gradient(x, np.float32(2)),
        lambda x: np.gradient(np.arange(6.0) ** 2, x), lambda x: np.gradient(np.arange(6.0) ** 2, x, edge_order=2),
    ],
    np.trapezoid: [
        np.trapezoid, lambda x: np.trapezoid(x, dx=0.5), lambda x: np.trapezoid(x, axis=0), lambda x: np.trapezoid(x, np.arange(np.shape(x)[-1]) ** 2.0),
        lambda x: np.trapezoid(x, x * x), lambda x: np.trapezoid(x, [0.0, 1.0, 5.0]), lambda x: np.trapezoid(np.arange(6.0), x), lambda x: np.trapezoid(x, 3 * x, axis=0),
    ],
    np.unwrap: [lambda x: np.unwrap(x * 3), lambda x: np.unwrap(x * 3, axis=0), lambda x: np.unwrap(x, discont=2, period=2), lambda x: np.unwrap(x * 2, period=3), lambda x: np.unwrap(x * 4.0, 4.0)],
    np.interp: [
        lambda x: np.interp(x, [-1.0, 0.25, 0.5, 3.0], [1.0, 5.0, 2.0, 0.0]), lambda x: np.interp(x, [-1, 0, 2], [3, 5, 1], left=9, right=np.nan),
        lambda x: np.interp(0.3, np.sort(np.ravel(x)), np.arange(6.0)), lambda x: np.interp([0.1, 1.0, 3.0, np.nan, -9, np.inf], np.arange(6), np.ravel(x)),
        lambda x: np.interp(x, [0.5, 1.0, 1.7], [2.0, 3.0, 4.0], period=2), lambda x: np.interp(x, [0.5, 3.5], [0, 1], period=-1.5), lambda x: np.interp(x, [1.0], [7.0], left=0),
        lambda x: np.interp(x, [], []), lambda x: np.interp(x, [1.0, 2.0], [1.0]), lambda x: np.interp(x, [0.0, 1.0], [0.0, 1.0], period=0), lambda x: np.interp(x, [[0.0]], [[1.0]]),
        lambda x: np.interp(np.linspace(-3, 3, 5000), np.sort(np.ravel(x)), np.ravel(x)), lambda x: np.interp(x, [0.0, 0.25, np.inf], [1.0, np.inf, 2.0]),
    ],
    # products
    np.cross: [
        lambda x: np.cross(x, [1.0, 2.0, 3.0]), lambda x: np.cross(x, x[..., ::-1]), lambda x: np.cross([1, 2, 3], x), lambda x: np.cross(x, x + 1, axis=-1), lambda x: np.cross(x, x, axisc=0),
        lambda x: np.cross(np.transpose(x), [3, 1, 2], axisa=0), lambda x: np.cross(x, np.ones(4)), lambda x: np.cross(x, 2.0),
    ],
    np.kron: [lambda x: np.kron(x, x), lambda x: np.kron(x, [1, 2.5]), lambda x: np.kron(np.eye(2), x), lambda x: np.kron(3, x), lambda x: np.kron(x, np.ones((2, 1, 2)))],
    np.vander: [np.vander, lambda x: np.vander(x, 3), lambda x: np.vander(np.ravel(x), 4, increasing=True), lambda x: np.vander(np.ravel(x), 0), lambda x: np.vander(np.ravel(x), 1)],
    np.convolve: [
        *(lambda x, m=m, v=v: np.convolve(first_row(x), v, m) for m in ("full", "same", "valid") for v in ([1.0, 2.0], [0.5, -1.0, 2.0, 1.0], np.arange(9), 2)),
        lambda x: np.convolve(x, x), lambda x: np.convolve(first_row(x), first_row(x)), lambda x: np.convolve(np.array([1, 2]), first_row(x)), lambda x: np.convolve(first_row(x), []), lambda x: np.convolve(x, [1, 2], "other"),
        lambda x: np.convolve(first_row(np.real(x)), np.array([np.inf, 1.0])),  # BLAS multiplies infinite complex numbers in a way of its own
    ],
    np.correlate: [
        *(lambda x, m=m, v=v: np.correlate(first_row(x), v, m) for m in ("full", "same", "valid") for v in ([1.0, 2.0], [0.5, -1.0, 2.0, 1.0], np.arange(9), 2)),
        lambda x: np.correlate(x, x), lambda x: np.correlate(np.arange(3), first_row(x), "same"), lambda x: np.correlate(first_row(x), []),
    ],
    np.sinc: [np.sinc, lambda x: np.sinc(x * 0), lambda x: np.sinc(3 * x)],
    np.i0: [np.i0, lambda x: np.i0(x * 9), lambda x: np.i0(x * 0)],
    np.kaiser: [lambda x: np.kaiser(5, x), lambda x: np.kaiser(1, x)],  # a traced beta reaches it through the stand-ins alone
    # polynomials
    np.polyval: [
        lambda x: np.polyval([1.0, -2.0, 0.5], x), lambda x: np.polyval([1, -2], x), lambda x: np.polyval(x, 2.0), lambda x: np.polyval(np.ravel(x), np.ravel(x)), lambda x: np.polyval([], x),
        lambda x: np.poly1d([1.0, 2.0])(x), lambda x: np.polyval(np.poly1d([1, 0, 2]), x), lambda x: np.polyval(np.ravel(x), np.array([1, 2])),
    ],
    np.polyadd: [lambda x: np.polyadd(x, [1.0, 2.0]), lambda x: np.polyadd(np.ravel(x), [1, 2, 3]), lambda x: np.polyadd([1.0], np.ravel(x)), lambda x: np.polyadd(x, x)],
    np.polysub: [lambda x: np.polysub(np.ravel(x), [1, 2, 3]), lambda x: np.polysub([1.0], np.ravel(x)), lambda x: np.polysub(x, x)],
    np.polymul: [lambda x: np.polymul(np.ravel(x), [1, 2, 3]), lambda x: np.polymul([0.0, 1.0], np.ravel(x)), lambda x: np.polymul(x, x), lambda x: np.polymul(np.ravel(x) * 0, [2, 1])],
    np.polydiv: [lambda x: np.polydiv(np.ravel(x), [1.0, 2, 3]), lambda x: np.polydiv([1.0, 2, 3, 4, 5, 6, 7, 8], np.ravel(x)), lambda x: np.polydiv(np.polymul(np.ravel(x), [2, 1]), [2, 1]), lambda x: np.polydiv([1.0], np.ravel(x))],
    np.polyder: [lambda x: np.polyder(np.ravel(x)), lambda x: np.polyder(np.ravel(x), 2), lambda x: np.polyder(np.ravel(x), 9), lambda x: np.polyder(np.ravel(x), -1), lambda x: np.polyder(np.ravel(x), 0)],
    np.polyint: [
        lambda x: np.polyint(np.ravel(x)), lambda x: np.polyint(np.ravel(x), 2, 3.0), lambda x: np.polyint(np.ravel(x), 2, [1, 2]), lambda x: np.polyint(np.ravel(x), 3, [1, 2]),
    ],
    np.poly: [lambda x: np.poly(np.ravel(x)), lambda x: np.poly(np.ravel(x)[:3])],
    np.trim_zeros: [lambda x: np.trim_zeros(np.ravel(x)), lambda x: np.trim_zeros(np.concatenate([np.zeros(2), np.ravel(x), np.zeros(1)])), lambda x: np.trim_zeros(np.ravel(x) * 0, "f"), lambda x: np.trim_zeros(np.ravel(x), "b")],
    # real parts of the complex plane
    **{getattr(np.emath, name): [lambda x, name=name: getattr(np.emath, name)(np.minimum(np.abs(x), 0.5))]
       for name in ("sqrt", "log", "log2", "log10", "arcsin", "arccos", "arctanh")},
    np.emath.logn: [lambda x: np.emath.logn(2, np.abs(x) + 0.5), lambda x: np.emath.logn(np.abs(x) + 0.5, 3.0)],
    np.emath.power: [lambda x: np.emath.power(np.abs(x), 2), lambda x: np.emath.power(2.0, x), lambda x: np.emath.power(np.abs(x), -1)],
}  # fmt: skip
if hasattr(np, "cumulative_sum"):
    CASES[np.cumulative_sum] = [
        np.cumulative_sum, *(lambda x, a=a, i=i: np.cumulative_sum(x, axis=a, include_initial=i) for a in (0, -1) for i in (False, True)),
        lambda x: np.cumulative_sum(x, axis=0, dtype=np.float32),
    ]  # fmt: skip
if hasattr(np, "trapz"):  # until NumPy 2.4
    CASES[vars(np)["trapz"]] = [lambda x: vars(np)["trapz"](x, x * x)]
if type(np.polynomial.polynomial.polyval2d) is type(np.polyval):
    CASES[np.polynomial.polynomial.polyval2d] = [
        lambda x: np.polynomial.polynomial.polyval2d(x, x * 2, [[1.0, 2, 3], [4, 5, 6]]), lambda x: np.polynomial.polynomial.polyval2d(x, 1.0, [[1, 2]]),
    ]  # fmt: skip
    CASES[np.polynomial.polynomial.polygrid2d] = [lambda x: np.polynomial.polynomial.polygrid2d(x, [0.5, 2.0], [[1, 2, 3], [4, 5, 6]])]
