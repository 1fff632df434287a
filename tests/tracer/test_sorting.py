"""Sorting by several keys, partial sorting, searching in what is sorted: positions without guards."""

import numpy as np
import pytest
from numpy_alike import INPUTS, name_of, same, same_slope

import wengert as wg
from wengert.tracer.numpy_api import sorting

X, M, C, NANS = INPUTS["vector"], INPUTS["matrix"], INPUTS["cube"], INPUTS["special"]


def partly(f, **options):
    """What NumPy promises of a partition: the kth element, and which elements stand before and after it."""

    def promised(x):
        result = f(x, **options)
        if f is np.argpartition:
            result = np.take_along_axis(np.ravel(x) if options.get("axis", -1) is None else x, result, options.get("axis", -1) if options.get("axis", -1) is not None else -1)
        axis = -1 if options.get("axis", -1) is None else options.get("axis", -1)
        k = options["kth"] if np.ndim(options["kth"]) == 0 else options["kth"][0]
        parts = np.split(result, [k, k + 1], axis) if k >= 0 else [result]
        return [np.sort(part, axis) for part in parts]

    return promised


SORTED = np.array([-2.0, -0.4, 0.3, 0.3, 0.9, 2.5])
CASES = {
    np.lexsort: [
        lambda x: np.lexsort((x, abs(x * 1.0))), lambda x: np.lexsort((np.sign(x), x, x * 0), 0), lambda x: np.lexsort(x), lambda x: np.lexsort((x, np.ones(3))), lambda x: np.lexsort((-x, abs(x)), axis=5),
        lambda x: np.lexsort((x,)), lambda x: x[np.lexsort((x, x > 0))] if np.ndim(x) == 1 else x,
    ],
    np.partition: [partly(np.partition, kth=1), partly(np.partition, kth=0, axis=0), partly(np.partition, kth=2, axis=None), partly(np.partition, kth=9), partly(np.partition, kth=-1), partly(np.partition, kth=[1, 0]), lambda x: np.partition(x, 0)[..., 0]],
    np.argpartition: [partly(np.argpartition, kth=1), partly(np.argpartition, kth=0, axis=0), partly(np.argpartition, kth=2, axis=None), partly(np.argpartition, kth=9), lambda x: np.ravel(x).argpartition(0)[:0]],
    np.sort_complex: [],
    np.searchsorted: [
        *(lambda x, s=s: np.searchsorted(SORTED, x, side=s) for s in ("left", "right")), *(lambda x, s=s: np.searchsorted(np.sort(np.ravel(x)), 0.3, s) for s in ("left", "right")), *(lambda x, s=s: np.searchsorted(np.sort(np.ravel(x)), x, s) for s in ("left", "right")),
        lambda x: np.searchsorted(np.ravel(x), [[1, 2]], sorter=np.argsort(np.ravel(x))), lambda x: np.searchsorted(x, x, "middle"), lambda x: np.searchsorted(M, x), lambda x: np.searchsorted(x, 1, sorter=[0]), lambda x: np.searchsorted(x, 1, sorter=[0.0]),
        lambda x: np.sort(np.ravel(x)).searchsorted([1, 2.5], side="right"), lambda x: np.searchsorted([1, 2, 3], x), lambda x: np.searchsorted([], x), lambda x: np.searchsorted([0, 1, np.nan, np.nan], x, "right"), lambda x: np.searchsorted(np.sort(np.ravel(x)), np.nan),
    ],
    np.digitize: [
        *(lambda x, r=r: np.digitize(x, SORTED, r) for r in (False, True)), *(lambda x, r=r: np.digitize(x, SORTED[::-1], right=r) for r in (False, True)), lambda x: np.digitize(x, [0, 2, 1]), lambda x: np.digitize(x, 1), lambda x: np.digitize([0.5, 1, 2.5], x),
        lambda x: np.digitize(x, np.sort(np.ravel(x))), lambda x: np.digitize(x, [1.0]), lambda x: np.digitize(x, [1, 1]),
    ],
}  # fmt: skip
SLOPES = [
    (lambda x, m: m[0][np.lexsort((m[1], x[:3] > 0))] ** 2, X, M), (lambda m: np.partition(m, 1, 0) ** 2, M), (lambda c: np.take_along_axis(c, np.argpartition(-c, 1, -1), -1) ** 2, C), (lambda c: np.partition(c, [1, 5], None)[:6], C),
    (lambda x, y: y[np.searchsorted(np.sort(x), [0.5, 1.5])] * x[0], X, X[::-1].copy()), (lambda x: x * np.digitize(x, np.sort(x)), X + np.arange(6)),
]  # fmt: skip


def test_every_function_has_a_case():
    assert set(CASES) == set(sorting.TABLE)


@pytest.mark.parametrize("sort", INPUTS)
@pytest.mark.parametrize("function", CASES, ids=name_of)
def test_a_function_does_what_numpy_does(function, sort):
    for case in CASES[function]:
        same(lambda x, case=case: case(x), INPUTS[sort])


@pytest.mark.parametrize("i", range(len(SLOPES)))
def test_slopes(i):
    same_slope(*SLOPES[i])


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_search_in_arrays_of_every_size(side):
    def positions(a, v):
        return np.searchsorted(a, v, side)

    f, wanted = wg.trace(positions), np.linspace(-0.2, 1.2, 57)
    for n in (*range(20), 63, 64, 65, 1000):
        a = np.sort(np.round(np.random.default_rng(n).random(n), 1))
        for backend in ("numpy", "c", "reference", "python")[: 4 if n < 20 else 2]:
            np.testing.assert_array_equal(f.graph(a, wanted).on(backend)(a, wanted), positions(a, wanted))


def test_order_needs_no_guard():
    f = wg.trace(lambda x, y: (np.lexsort((x, y)), np.partition(x, 2), np.searchsorted(np.sort(x), y), np.take_along_axis(x, np.argsort(y), 0), np.choose(np.argmax(x), [x, y], mode="clip")))
    assert not f.graph(X, X).graph.guards


def test_which_way_bins_go_is_a_guard():
    f = wg.trace(lambda x, bins: np.digitize(x, bins))
    for bins in (SORTED, SORTED[::-1].copy(), SORTED * 2):
        np.testing.assert_array_equal(f(X, bins), np.digitize(X, bins))
    with pytest.raises(ValueError, match="monotonically"):
        f(X, X)


def test_complex_values_are_refused():
    with pytest.raises(wg.TraceError, match=r"test_sorting.py:\d+.*sort_complex"):
        wg.trace(lambda x: np.sort_complex(x))(X)
