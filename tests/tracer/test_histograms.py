"""Counting: counts are locally constant, weights and edges differentiable."""

import numpy as np
import pytest
from numpy_alike import COMPLEX, INPUTS, name_of, same, same_slope

import wengert as wg
from wengert.tracer.numpy_api import histograms

X, M, C = INPUTS["vector"], INPUTS["matrix"], INPUTS["cube"]
EDGES = [-2.0, -0.5, 0.3, 0.3, 2.5]


def whole(x):
    return np.where(x == x, np.clip(abs(x * 1.0), 0, 5), 0).astype(int)


def pairs(x):
    """The elements of ``x`` as points of the plane."""
    return np.stack([np.ravel(x), np.ravel(x)[::-1]], -1)


CASES = {
    np.bincount: [
        lambda x: np.bincount(np.ravel(whole(x))), lambda x: np.bincount(np.ravel(whole(x)), np.ravel(x)), lambda x: np.bincount(np.ravel(whole(x)), minlength=9), lambda x: np.bincount(np.ravel(whole(x)), np.ravel(x), 2), lambda x: np.bincount(x), lambda x: np.bincount(-1 - np.ravel(whole(x))),
        lambda x: np.bincount(np.ravel(whole(x)), [1.0]), lambda x: np.bincount(np.ravel(x > 0)), lambda x: np.bincount([0, 1, 1, 3, 2, 2], np.ravel(x)), lambda x: np.bincount(np.ravel(whole(x)), minlength=-1),
    ],
    np.histogram: [
        np.histogram, lambda x: np.histogram(x, 4), lambda x: np.histogram(x, 3, (-1, 2)), lambda x: np.histogram(x, 5, density=True), lambda x: np.histogram(x, EDGES), lambda x: np.histogram(x, [0, 1, 2], density=True), lambda x: np.histogram(x, 3, (0, 2), weights=x * 1.5), lambda x: np.histogram(x, 3, (0.5, 2), weights=x),
        lambda x: np.histogram(x, EDGES, weights=(x > 0) * 1.5), lambda x: np.histogram(x, 2, weights=x, density=True), lambda x: np.histogram(x, 0), lambda x: np.histogram(x, 1.5), lambda x: np.histogram(x, [1, 0]), lambda x: np.histogram(x, [[1, 0]]), lambda x: np.histogram(x, 3, (2, 0)), lambda x: np.histogram(x, 2, (0, np.inf)),
        lambda x: np.histogram(x * 0, 3), lambda x: np.histogram(x, 3, weights=[1.0]), lambda x: np.histogram([0.1, 1.5, 1.7], np.sort(np.ravel(x))), lambda x: np.histogram(x, 3, (1, 1)), lambda x: np.histogram(x, [2.5]), lambda x: np.histogram(np.float32(1) * x, 3),
    ],
    np.histogram_bin_edges: [np.histogram_bin_edges, lambda x: np.histogram_bin_edges(x, 4, (-1, 2)), lambda x: np.histogram_bin_edges(x, [1, 2, 3]), lambda x: np.histogram_bin_edges(x, 3), lambda x: np.histogram_bin_edges(x, 2.5)],
    np.histogramdd: [
        lambda x: np.histogramdd(pairs(x)), lambda x: np.histogramdd(pairs(x), (2, 3)), lambda x: np.histogramdd(pairs(x), [[0, 1, 2], 3]), lambda x: np.histogramdd(pairs(x), 2, [(0, 1), (0, 2)]), lambda x: np.histogramdd(pairs(x), 2, density=True), lambda x: np.histogramdd(pairs(x), 3, weights=np.ravel(x) * 1.0),
        lambda x: np.histogramdd((np.ravel(x), np.ravel(x)), 2) if np.ndim(x) == 1 else x, lambda x: np.histogramdd(pairs(x), (1, 2, 3)), lambda x: np.histogramdd(pairs(x), 2, [(0, 1)]), lambda x: np.histogramdd(pairs(x), 0), lambda x: np.histogramdd(pairs(x), (2.5, 2)), lambda x: np.histogramdd(pairs(x), ([1, 0], 2)),
    ],
    np.histogram2d: [
        lambda x: np.histogram2d(np.ravel(x), np.ravel(x)[::-1], 3), lambda x: np.histogram2d(np.ravel(x), np.ravel(x), [0, 1, 2]), lambda x: np.histogram2d(np.ravel(x), np.ravel(x), [2, [0, 1, 2]], weights=np.ravel(x) * 1.0), lambda x: np.histogram2d(np.ravel(x), [1.0, 2.0], 3),
        lambda x: np.histogram2d(np.ravel(x), np.ravel(x), 2, [[0, 1], [0, 2]], density=True),
    ],
}  # fmt: skip
REFUSED = {
    (np.histogram, "bools"),  # NumPy adds integers to truth values
    *((f, sort) for f in (np.histogram, np.histogramdd, np.histogram2d) for sort in COMPLEX),
    (np.bincount, "complex number"),  # Python does not order complex numbers, NumPy does
}  # fmt: skip
Y = X + np.arange(6) / 50  # no two alike
SLOPES = [
    (lambda x, w: np.bincount(whole(x + 0.01), w**2, 7), Y, X[::-1].copy()), (lambda x, w: np.histogram(x + 0.01, 4, (-2, 3), weights=w**2), Y, X[::-1].copy()), (lambda x: np.histogram(x, 5, density=True), Y),
    (lambda x, w: np.histogram(x, 3, weights=w * x), Y, X[::-1].copy()), (lambda m: np.histogram_bin_edges(m, 7), M), (lambda x, e: np.histogram(x + 0.01, np.sort(e), density=True), X, M[0]), (lambda x: np.histogram(x, 4, (x[1] - 1, x[2] * 2), density=True), Y),
    (lambda x, w: np.histogramdd(pairs(x) + 0.01, (2, 3), weights=w**2, density=True), Y, X[::-1].copy() + 3), (lambda x, w: np.histogram2d(x, w, 3, density=True), Y, np.sin(Y)),
]  # fmt: skip


def test_every_function_has_a_case():
    assert set(CASES) == set(histograms.TABLE)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("sort", INPUTS)
@pytest.mark.parametrize("function", CASES, ids=name_of)
def test_a_function_does_what_numpy_does(function, sort):
    for case in CASES[function]:
        same(lambda x, case=case: case(x), INPUTS[sort], refusal=(function, sort) in REFUSED)


@pytest.mark.parametrize("i", range(len(SLOPES)))
def test_slopes(i):
    same_slope(*SLOPES[i])


def test_equal_bins_are_numpys_to_the_last_bit():
    rng = np.random.default_rng(0)
    f = wg.trace(lambda x: np.histogram(x, 37))
    for scale in (1.0, 1e-7, 1e9, 3e200):
        x = scale * np.round(rng.normal(size=500), 1)
        for got, want in zip(f(x), np.histogram(x, 37), strict=True):
            np.testing.assert_array_equal(got, want)


def test_the_largest_is_a_guard_only_where_it_decides():
    f = wg.trace(lambda i: np.bincount(i, minlength=4) * 2)
    program = f.graph(np.array([0, 1, 3]))
    np.testing.assert_array_equal(program(np.array([2, 2, 2])), [0, 0, 6, 0])
    with pytest.raises(wg.GuardError):
        program(np.array([2, 2, 4]))
    np.testing.assert_array_equal(f(np.array([2, 2, 4])), [0, 0, 4, 0, 2])


def test_a_closed_over_array_is_read_again():
    at = np.array([0, 1, 1])
    f = wg.trace(lambda w: np.bincount(at, w))
    np.testing.assert_array_equal(f(np.ones(3)), [1, 2])
    at[:] = [3, 3, 0]
    np.testing.assert_array_equal(f(np.ones(3)), [1, 0, 0, 2])


def test_the_number_of_bins_is_not_chosen_from_traced_values():
    with pytest.raises(wg.TraceError, match=r"test_histograms.py:\d+.*bins='auto'.*outside the traced function"):
        wg.trace(lambda x: np.histogram(x, "auto"))(X)
