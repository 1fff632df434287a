"""Sets: which elements repeat is a guard, and nothing else about them."""

import numpy as np
import pytest
from numpy_alike import INPUTS, name_of, same, same_slope

import wengert as wg
from wengert.tracer.numpy_api import sets

X, M, NANS = INPUTS["vector"], INPUTS["matrix"] + [[0, 0, 0.1], [0.2, 0.3, 0.4]], np.array([np.nan, 1.0, np.nan, 0.0, -0.0, 1.0, np.inf])
ALL = {"return_index": True, "return_inverse": True, "return_counts": True}
CASES = {
    np.unique: [
        np.unique, lambda x: np.unique(x, **ALL), lambda x: np.unique(x, True), lambda x: np.unique(x, return_inverse=True), lambda x: np.unique(x, return_counts=True, equal_nan=False), lambda x: np.unique(x, axis=0), lambda x: np.unique(x, axis=-1, **ALL),
        lambda x: np.unique(np.sign(x * 1.0), axis=1, **ALL), lambda x: np.unique(np.sign(x * 1.0), axis=0, **ALL), lambda x: np.unique(x, axis=7), lambda x: np.unique(np.round(x * 1.0), axis=0, return_counts=True),
    ],
    np.unique_all: [lambda x: tuple(np.unique_all(x))], np.unique_counts: [lambda x: tuple(np.unique_counts(x))], np.unique_inverse: [lambda x: tuple(np.unique_inverse(x))], np.unique_values: [lambda x: np.sort(np.unique_values(x))],
    np.union1d: [lambda x: np.union1d(x, [0.25, 9, 3]), lambda x: np.union1d(x, x)],
    np.intersect1d: [lambda x: np.intersect1d(x, [0.25, 2.5, 3, 1.25, 3]), lambda x: np.intersect1d(x, [0.25, 2.5, 3, 3], return_indices=True), lambda x: np.intersect1d(np.unique(x), np.array([0.25, 1, 3]), True, True), lambda x: np.intersect1d([1, 3, 3], x, return_indices=True)],
    np.setdiff1d: [lambda x: np.setdiff1d(x, [0.25, 2.5, 3]), lambda x: np.setdiff1d(x, x), lambda x: np.setdiff1d(np.ravel(x), [1], assume_unique=True), lambda x: np.setdiff1d([1, 2, 3], x)],
    np.setxor1d: [lambda x: np.setxor1d(x, [0.25, 2.5, 3, 3]), lambda x: np.setxor1d(x, x), lambda x: np.setxor1d(np.unique(x), [7, 3], True)],
    np.isin: [lambda x: np.isin(x, [0.25, 3, 1.25]), lambda x: np.isin(x, [3, 1], invert=True), lambda x: np.isin([0, 3], x), lambda x: np.isin(x, []), lambda x: np.isin(x, x), lambda x: np.isin(x, 3, kind="sort"), lambda x: np.isin(x, 3, kind="odd"), lambda x: np.isin(x, [np.nan, np.inf])],
}  # fmt: skip
SLOPES = [
    (np.unique, M.ravel() + np.arange(6)), (lambda m: np.unique(m, axis=1) ** 2, M), (lambda x, y: np.union1d(x, y) ** 2, X + np.arange(6), M), (lambda x: np.intersect1d(x, np.concatenate([x[:2], x[3:4]])) ** 2, X),
    (lambda x, y: np.setdiff1d(x * y[0, 0], y) ** 2, X + np.arange(6), M), (lambda x, y: np.setxor1d(x, y) ** 2, X + np.arange(6), M + np.arange(3)), (lambda x: x * np.isin(x, [2.5]) * x[0], X * 1.01),
    (lambda x: np.take(*np.unique(x, return_inverse=True)) ** 2, M.ravel()[:5]),
]  # fmt: skip


def test_every_function_has_a_case():
    assert set(CASES) == set(sets.TABLE)


#: Along the axis of a vector, NaNs were not equal in older NumPys.
SORTS = [*INPUTS, "nans"] if np.lib.NumpyVersion(np.__version__) >= "2.3.0" else list(INPUTS)


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("function", CASES, ids=name_of)
def test_a_function_does_what_numpy_does(function, sort):
    for case in CASES[function]:
        same(lambda x, case=case: case(x), NANS if sort == "nans" else INPUTS[sort])


@pytest.mark.parametrize("i", range(len(SLOPES)))
def test_slopes(i):
    same_slope(*SLOPES[i])


def test_named_results():
    for f in (np.unique_all, np.unique_counts, np.unique_inverse):
        assert type(wg.trace(f)(X)).__name__ == type(f(X)).__name__
        assert wg.trace(lambda x, f=f: f(x).values * 2)(X).shape == (5,)


def test_only_what_repeats_is_a_guard():
    f = wg.trace(lambda x: np.unique(x) * 2)
    program = f.graph(X[:5])
    np.testing.assert_array_equal(program(-X[:5]), np.unique(-X[:5]) * 2)  # another order, the same path
    with pytest.raises(wg.GuardError):
        program(X[1:])
    for x in (X, X[1:], X * 0, np.arange(6.0), NANS):
        np.testing.assert_array_equal(f(x), np.unique(x) * 2)
