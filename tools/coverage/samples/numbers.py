"""Sums, products, statistics, polynomials and signals: a sample call for each function (see ``arrays``)."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.tools.coverage.samples.values import GRID, HIGH, LOW, V4, V5, A, B, S, V, W

__all__ = ["CONSTANT", "DIFFERENTIABLE", "NOT_NEEDED"]

N = np.array([[0.34, np.nan, 0.57], [0.72, 0.13, 0.46]])

DIFFERENTIABLE: dict[str, Any] = {
    # folds
    "sum": lambda x=A: np.sum(x, axis=1),
    "prod": lambda x=A: np.prod(x, axis=0),
    "mean": lambda x=A: np.mean(x, axis=0),
    "var": lambda x=A: np.var(x, axis=1, ddof=1),
    "std": lambda x=A: np.std(x, axis=1),
    "max": lambda x=A: np.max(x, axis=1),
    "min": lambda x=A: np.min(x, axis=1),
    "amax": lambda x=A: np.amax(x),
    "amin": lambda x=A: np.amin(x),
    "ptp": lambda x=A: np.ptp(x, axis=1),
    "cumsum": lambda x=A: np.cumsum(x, axis=1),
    "cumprod": lambda x=A: np.cumprod(x, axis=1),
    "cumulative_sum": lambda x=V: np.cumulative_sum(x, include_initial=True),
    "cumulative_prod": lambda x=V: np.cumulative_prod(x, include_initial=True),
    "trace": lambda x=S: np.trace(x),
    # statistics
    "average": lambda x=A, weights=V: np.average(x, axis=1, weights=weights),
    "median": lambda x=A: np.median(x, axis=1),
    "quantile": lambda x=A, q=0.37: np.quantile(x, q, axis=1),
    "percentile": lambda x=A, q=37.0: np.percentile(x, q, axis=1),
    "cov": lambda x=A, y=B: np.cov(x, y),
    "corrcoef": lambda x=A: np.corrcoef(x),
    "nansum": lambda x=N: np.nansum(x, axis=1),
    "nanprod": lambda x=N: np.nanprod(x, axis=1),
    "nanmean": lambda x=N: np.nanmean(x, axis=1),
    "nanvar": lambda x=N: np.nanvar(x, axis=1),
    "nanstd": lambda x=N: np.nanstd(x, axis=1),
    "nanmax": lambda x=N: np.nanmax(x, axis=1),
    "nanmin": lambda x=N: np.nanmin(x, axis=1),
    "nancumsum": lambda x=N: np.nancumsum(x, axis=1),
    "nancumprod": lambda x=N: np.nancumprod(x, axis=1),
    "nanmedian": lambda x=N: np.nanmedian(x, axis=1),
    "nanquantile": lambda x=N, q=0.37: np.nanquantile(x, q, axis=1),
    "nanpercentile": lambda x=N, q=37.0: np.nanpercentile(x, q, axis=1),
    "histogram": lambda weights=V5, *, x=V5: np.histogram(x, bins=[0.0, 0.5, 1.0], weights=weights)[0],
    "histogram2d": lambda weights=V, *, x=V, y=W: np.histogram2d(x, y, bins=[[0, 0.5, 1]] * 2, weights=weights)[0],
    "histogramdd": lambda weights=V, *, x=A.T: np.histogramdd(x, bins=[[0, 0.5, 1]] * 2, weights=weights)[0],
    "histogram_bin_edges": lambda x=V5: np.histogram_bin_edges(x, bins=3),
    # differences, integrals, signals
    "diff": lambda x=A: np.diff(x),
    "ediff1d": lambda x=V4: np.ediff1d(x),
    "gradient": lambda x=V5, spacing=0.7: np.gradient(x, spacing),
    "trapezoid": lambda y=V, x=GRID: np.trapezoid(y, x),
    "trapz": lambda y=V, x=GRID: np.trapz(y, x),  # noqa: NPY201 (of some versions)
    "convolve": lambda x=V, y=V4: np.convolve(x, y),
    "correlate": lambda x=V4, y=V: np.correlate(x, y, "full"),
    "interp": lambda x=W, xp=GRID, fp=V: np.interp(x, xp, fp),
    "unwrap": lambda x=V * 9: np.unwrap(x),
    "kaiser": lambda beta=2.3: np.kaiser(5, beta),
    "i0": lambda x=V: np.i0(x),
    "sinc": lambda x=V: np.sinc(x),
    "nan_to_num": lambda x=V: np.nan_to_num(x),
    "clip": lambda x=V, low=LOW, high=HIGH: np.clip(x, low, high),
    # products
    "dot": lambda x=A, y=V: np.dot(x, y),
    "vdot": lambda x=V, y=W: np.vdot(x, y),
    "inner": lambda x=A, y=V: np.inner(x, y),
    "outer": lambda x=V, y=W: np.outer(x, y),
    "tensordot": lambda x=A, y=B: np.tensordot(x, y, axes=([1], [1])),
    "einsum": lambda x=A, y=B: np.einsum("ij,kj->ik", x, y),
    "kron": lambda x=A, y=V: np.kron(x, y),
    "cross": lambda x=V, y=W: np.cross(x, y),
    # polynomials
    "poly": lambda x=V: np.poly(x),
    "poly1d": lambda c=V: np.poly1d(c)(0.5),
    "polyadd": lambda c=V, d=V4: np.polyadd(c, d),
    "polysub": lambda c=V, d=V4: np.polysub(c, d),
    "polymul": lambda c=V, d=V4: np.polymul(c, d),
    "polydiv": lambda c=V5, d=V: np.polydiv(c, d),
    "polyder": lambda c=V: np.polyder(c),
    "polyint": lambda c=V: np.polyint(c),
    "polyval": lambda c=V, x=W: np.polyval(c, x),
    "polyfit": lambda x=V5, y=V5**2: np.polyfit(x, y, 1),
    "roots": lambda c=np.array([1.2, -3.4, 1.1]): np.roots(c),
    # numpy.emath, whose results are complex where they must be
    "lib.scimath.sqrt": lambda x=V: np.emath.sqrt(x),
    "lib.scimath.log": lambda x=V: np.emath.log(x),
    "lib.scimath.log2": lambda x=V: np.emath.log2(x),
    "lib.scimath.log10": lambda x=V: np.emath.log10(x),
    "lib.scimath.logn": lambda n=3.0, x=V: np.emath.logn(n, x),
    "lib.scimath.power": lambda x=V, y=W: np.emath.power(x, y),
    "lib.scimath.arccos": lambda x=V: np.emath.arccos(x),
    "lib.scimath.arcsin": lambda x=V: np.emath.arcsin(x),
    "lib.scimath.arctanh": lambda x=V: np.emath.arctanh(x),
}

CONSTANT: dict[str, Any] = {
    "argmax": lambda x=A: np.argmax(x, axis=1), "argmin": lambda x=A: np.argmin(x, axis=1),
    "nanargmax": lambda x=N: np.nanargmax(x, axis=1), "nanargmin": lambda x=N: np.nanargmin(x, axis=1),
    "all": lambda x=A: np.all(x > 0.2, axis=1), "any": lambda x=A: np.any(x > 0.2, axis=1),
    "count_nonzero": lambda x=A: np.count_nonzero(x > 0.4),
    "isneginf": lambda x=V: np.isneginf(x), "isposinf": lambda x=V: np.isposinf(x),
    "round": lambda x=V - 0.02: np.round(x, 1), "around": lambda x=V: np.around(x * 4),
    "fix": lambda x=V: np.fix(x * 5),
}  # fmt: skip

NOT_NEEDED: dict[str, Any] = {}
