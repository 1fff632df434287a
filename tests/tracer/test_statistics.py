"""Weighted means, covariance, and the folds that pass over NaN: derivatives and edges."""

import numpy as np
import pytest
from batches import BACKENDS
from numpy_derivatives import Chapter

import wengert as wg

X = np.array([[2.0, -1.0, 0.5, 3.25], [0.25, 4.0, -2.0, 1.5], [1.0, 0.75, 2.5, -0.5]])
HOLES = np.array([[True, False, False, True], [False, False, False, False], [False, True, False, True]])
W, V = np.array([0.5, 2.0, 1.25]), np.array([1.0, 0.5, 2.0, 3.0])
KEEP = np.array([[True, False, True, True]] * 3)


def holey(f, **options):
    return lambda x: f(np.where(HOLES, np.nan, x), **options)


CHAPTER = Chapter({
    "average": (lambda x, w: np.average(x, 0, w), X, W), "average, whole": (lambda x, w: np.average(x, weights=w), X, X**2),
    "average, returned": (lambda x, w: np.average(x, 1, w, returned=True), X, V), "average, axes": (lambda x, w: np.average(x, (1, 0), w), X, X.T**2 + 1),
    "cov": (np.cov, X), "cov, two": (np.cov, X, W[:, None] * V), "cov, weights": (lambda x, w: np.cov(x, aweights=w), X, V),
    "cov, both weights": (lambda x, w: np.cov(x, aweights=w, fweights=[1, 2, 1, 3]), X, V), "cov, ddof": (lambda x, w: np.cov(x, aweights=w, ddof=0), X, V),
    "cov, columns": (lambda x: np.cov(x, rowvar=False, bias=True), X), "cov, vector": (np.cov, V),
    "corrcoef": (lambda x: np.corrcoef(x)[0], X), "corrcoef, two": (lambda x, y: np.corrcoef(x, y), X[0], X[1]),
    "var, where": (lambda x: np.var(x, axis=1, where=KEEP, ddof=0.5), X), "std, where": (lambda x: np.std(x, where=KEEP), X), "var, mean": (lambda x, m: np.var(x, mean=m), X, 0.5),
    "std, mean": (lambda x, m: np.std(x, axis=1, mean=m, ddof=1), X, W[:, None]),
    **{f.__name__: (holey(f), X) for f in (np.nansum, np.nanprod, np.nanmax, np.nanmin, np.nanmean, np.nanvar, np.nanstd, np.nancumsum)},
    **{f"{f.__name__}, axis 0": (holey(f, axis=0), X) for f in (np.nansum, np.nanprod, np.nanmax, np.nanmin, np.nanmean, np.nanvar, np.nanstd, np.nancumsum)},
    "nanvar, ddof": (holey(np.nanvar, axis=1, ddof=0.5, keepdims=True), X), "nanmean, where": (holey(np.nanmean, where=KEEP), X),
    "nanvar, mean": (lambda x, m: np.nanvar(np.where(HOLES, np.nan, x), mean=m), X, 0.5),
    "nanmax, initial": (lambda x, i: np.nanmax(np.where(HOLES, np.nan, x), axis=0, initial=i), X, 1.2),
    "nan_to_num": (holey(np.nan_to_num, nan=1.5), X), "nan_to_num, traced": (lambda x, n: np.nan_to_num(np.where(HOLES, np.nan, x), nan=n), X, 0.5),
})  # fmt: skip


@pytest.mark.parametrize("backend", BACKENDS)
def test_derivatives(backend):
    CHAPTER.check(backend)


def test_second_order():
    CHAPTER.check_second_order()


NAN, INF = np.nan, np.inf


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("f", "x", "expected"),
    [
        (np.nansum, [1.0, NAN], [1, 0]),
        (np.nanprod, [2.0, NAN, 0.0], [0, 0, 2]),
        (np.nanmax, [1.0, 3.0, NAN, 3.0], [0, 0.5, 0, 0.5]),
        (np.nanmax, [-INF, NAN, -INF], [0.5, 0, 0.5]),
        (np.nanmin, [INF, NAN], [1, 0]),
        (np.nanmax, [INF, NAN, 2.0], [1, 0, 0]),
        (np.nanmax, [NAN, NAN], [0, 0]),
        (np.nanstd, [2.0, NAN, 2.0], [0, 0, 0]),
        (np.std, [2.0, 2.0, 2.0], [0, 0, 0]),
        (lambda x: np.sum(np.nan_to_num(x)), [NAN, 1.0, INF], [0, 1, 0]),
        (np.nanmean, [NAN, 1.0, 3.0], [0, 0.5, 0.5]),
    ],
)
def test_edges(f, x, expected, backend):
    x = np.array(x)
    with wg.backend(backend):
        np.testing.assert_array_equal(wg.grad(f)(x), expected)
        np.testing.assert_array_equal(wg.jvp(f, (x,), (np.ones_like(x),))[1], np.sum(expected))


def test_weights_that_sum_to_zero_raise_in_a_later_call_too():
    f = wg.trace(lambda x, w: np.average(x, weights=w))
    assert f(W, W) == np.average(W, weights=W)
    with pytest.raises(ZeroDivisionError):
        f(W, W * 0)


def test_all_nan_raises_where_numpy_raises():
    f = wg.trace(np.nanargmax)
    assert f(np.array([np.nan, 2.0])) == 1
    with pytest.raises(ValueError, match="All-NaN"):
        f(np.array([np.nan, np.nan]))


@pytest.mark.parametrize("f", [np.var, np.std, np.nanvar, np.nanstd])
def test_where_and_mean_are_numpys(f):
    x = X.astype(np.float32)
    for options in ({"where": KEEP}, {"where": KEEP[:1], "axis": 1}, {"mean": 0.5}, {"mean": np.float32(0.5), "axis": 0, "ddof": 1}, {"mean": np.mean(X, 1, keepdims=True), "axis": 1}):
        got, want = wg.trace(lambda x: f(x, **options))(x), f(x, **options)  # noqa: B023 (called at once)
        assert got.dtype == want.dtype
        np.testing.assert_allclose(got, want, rtol=1e-6)
    with pytest.raises(ValueError, match="simultaneously"):
        wg.trace(lambda x: f(x, ddof=1, correction=1))(x)


def into(f, shape, **options):
    """What becomes of a buffer given as out=, and whether that is what is returned."""

    def call(x):
        buffer = np.zeros_like(x, shape=shape)
        returned = f(x, out=buffer, **options)
        return buffer + 0, returned + 0

    return call


@pytest.mark.parametrize(
    "f",
    [
        *(into(f, (3,), axis=1) for f in (np.median, np.nanmedian, np.nansum, np.nanprod, np.nanmax, np.nanmin, np.nanmean, np.nanvar, np.nanstd, np.var, np.std)),
        into(np.median, (1, 4), axis=0, keepdims=True), into(np.quantile, (2, 3, 1), q=[0.1, 0.6], axis=1, keepdims=True),
        into(np.nanpercentile, (3,), q=20, axis=1), into(np.nancumsum, (3, 4), axis=1),
    ],
)  # fmt: skip
def test_out(f):
    for got, want in zip(wg.trace(f)(X), f(X), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-15)


def test_nan_to_num_in_place():
    def f(x):
        y = x.copy()
        y[0, 0] = np.nan
        np.nan_to_num(y, copy=False, nan=5.0)
        return y

    np.testing.assert_array_equal(wg.trace(f)(X), f(X))
