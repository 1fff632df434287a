"""Median and quantiles: derivatives, in the elements and in q, and what happens at ties, ends and NaN."""

import numpy as np
import pytest
from batches import BACKENDS
from numpy_derivatives import Chapter
from numpy_statistics import METHODS

import wengert as wg

X = np.array([[2.0, -1.0, 0.5, 3.25], [0.25, 4.0, -2.0, 1.5], [1.0, 0.75, 2.5, -0.5]])
HOLES = np.array([[True, False, False, True], [False, False, False, False], [False, True, False, True]])
W = np.array([0.5, 2.0, 1.25])
CONTINUOUS = ("interpolated_inverted_cdf", "hazen", "weibull", "linear", "median_unbiased", "normal_unbiased")


def holey(f, **options):
    return lambda x: f(np.where(HOLES, np.nan, x), **options)


CHAPTER = Chapter({
    "median": (np.median, X), "median, axis 0": (lambda x: np.median(x, 0), X), "median, axes": (lambda x: np.median(x, (0, 1), keepdims=True), X),
    "median, even": (lambda x: np.median(x, axis=-1), X),
    **{f"quantile {m}": (lambda x, m=m: np.quantile(x, [0.0, 0.13, 0.37, 0.61, 0.9, 1.0], axis=0, method=m), X) for m in METHODS},
    **{f"quantile {m} in q": (lambda x, q, m=m: np.quantile(x, q, axis=1, method=m), X, [0.17, 0.52, 0.93]) for m in CONTINUOUS},
    **{f"nanquantile {m} in q": (lambda x, q, m=m: np.nanquantile(np.where(HOLES, np.nan, x), q, axis=1, method=m), X, [0.17, 0.52]) for m in CONTINUOUS},
    "a number q": (lambda x, q: np.quantile(x, q), X, 0.3), "percentile in q": (lambda x, q: np.percentile(x, q, axis=(0, 1)), X, [31.0, 77.0]),
    "plain elements": (lambda q: np.quantile(X, q, axis=0), 0.3),
    "in q, jumping": (lambda x, q: np.quantile(x, q, axis=0, method="nearest"), X, [0.2, 0.6]),
    "weighted": (lambda x, w: np.quantile(x, [0.2, 0.6], 0, weights=w, method="inverted_cdf"), X, W),
    "weighted, whole": (lambda x, w: np.percentile(x, 40, weights=w, method="inverted_cdf"), X, X**2 + 1),
    "nan, weighted": (lambda x, w: np.nanquantile(np.where(HOLES, np.nan, x), 0.6, weights=w, method="inverted_cdf"), X, X**2 + 1),
    "nanmedian": (holey(np.nanmedian), X), "nanmedian, axis 0": (holey(np.nanmedian, axis=0), X), "nanmedian, axis 1": (holey(np.nanmedian, axis=1, keepdims=True), X),
    "nanquantile": (holey(np.nanquantile, q=[0.1, 0.8], axis=1), X), "nanpercentile": (holey(np.nanpercentile, q=33.0, method="hazen"), X),
})  # fmt: skip


@pytest.mark.parametrize("backend", BACKENDS)
def test_derivatives(backend):
    CHAPTER.check(backend)


def test_second_order():
    CHAPTER.check_second_order()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("f", "x", "expected"),
    [
        (np.median, [1.0, 2, 2, 5], [0, 0.5, 0.5, 0]),
        (lambda x: np.percentile(x, 50), [1.0, 2, 2, 5], [0, 0.5, 0.5, 0]),
        (np.median, [2.0, 1, 1, 1], [0, 0, 0.5, 0.5]),  # the middle two in the stable order
        (lambda x: np.quantile(x, 1.0), [3.0, 1, 3], [0, 0, 1]),
        (lambda x: np.quantile(x, 0.25), [5.0], [1]),
        (np.nanmedian, [np.nan, 1, 4, np.nan], [0, 0.5, 0.5, 0]),
        (lambda x: np.nanquantile(x, 0.5), [np.nan, 3, np.nan], [0, 1, 0]),
        (lambda q: np.quantile(np.array([0.0, 1, 5]), q), 0.5, 8.0),  # at an element the slope to its right
        (lambda q: np.quantile(np.array([0.0, 1, 5]), q), 0.0, 2.0),
        (lambda q: np.quantile(np.array([0.0, 1, 5]), q), 1.0, 8.0),  # at the end that to the left
        (lambda q: np.quantile(np.array([0.0, 1, 5]), q, method="hazen"), 1.0, 0.0),
        (lambda q: np.nanquantile(np.array([0.0, np.nan, 5]), q), 1.0, 5.0),
    ],
)
def test_ties_ends_and_nan(f, x, expected, backend):
    x = np.array(x)
    with wg.backend(backend):
        np.testing.assert_array_equal(wg.grad(f)(x), expected)
        np.testing.assert_array_equal(wg.jvp(f, (x,), (np.ones_like(x),))[1], np.sum(expected))


def test_one_graph_serves_every_order_of_the_elements():
    f = wg.trace(lambda x: np.nanquantile(x, [0.2, 0.7]) + np.median(x) + np.quantile(x, 0.3, weights=W, method="inverted_cdf"))
    rng = np.random.default_rng(3)
    for _ in range(5):
        f(rng.normal(size=3))
    (variants,) = f._variants.values()
    assert len(variants) == 1


def test_a_traced_q_outside_is_refused_as_in_numpy():
    f = wg.trace(lambda q: np.quantile(X, q))
    f(0.5)
    with pytest.raises(ValueError, match="range"):
        f(1.5)


def test_the_dtype_is_numpys_for_weak_and_strong_q():
    x = X.astype(np.float32)
    for q in (0.3, np.float64(0.3), np.array([0.3]), np.float32(0.3), [0.3]):
        assert wg.trace(lambda x, q=q: np.quantile(x, q))(x).dtype == np.quantile(x, q).dtype
