"""Differences, gradients, integrals, interpolation: derivatives, and interp at its knots and ends."""

import numpy as np
import pytest
from batches import BACKENDS
from numpy_derivatives import Chapter

import wengert as wg

X = np.array([[2.0, -1.0, 0.5, 3.25], [0.25, 4.0, -2.0, 1.5], [1.0, 0.75, 2.5, -0.5]])
T, S = np.array([0.0, 1.0, 1.5, 3.0]), np.array([-1.0, 0.5, 2.5])
Y = np.array([1.0, 4.0, 2.0, -1.0])
AT = np.array([[-0.5, 0.3, 1.2], [2.0, 2.9, 3.4]])
MANY = np.tile([0.1, 0.4, 0.8, 1.2, 1.4, 2.0, 2.7, 3.5], 150)  # more than are compared one by one

CHAPTER = Chapter({
    "diff": (lambda x: np.diff(x, 2), X), "diff, ends": (lambda x, p, q: np.diff(x, axis=0, prepend=p, append=q), X, 0.5, X[:2]),
    "ediff1d": (lambda x, p, q: np.ediff1d(x, p, q), X, 0.5, S), "cumulative sum": (lambda x: getattr(np, "cumulative_sum", np.cumsum)(x, axis=1), X),
    "gradient": (np.gradient, X), "gradient, spacing": (lambda x, h: np.gradient(x, h, axis=1), X, 0.5), "gradient, two": (np.gradient, X, 0.5, 2.0),
    "gradient, points": (lambda x, t: np.gradient(x, t, axis=1), X, T), "gradient, points, second": (lambda x, t: np.gradient(x, t, axis=1, edge_order=2), X, T),
    "gradient, second": (lambda x, h: np.gradient(x, h, axis=0, edge_order=2), X, 0.5), "gradient, both": (lambda x, s, t: np.gradient(x, s, t), X, S, T),
    "gradient, even points": (lambda x, t: np.gradient(x, t, axis=1), X, np.arange(4.0)), "gradient, even, second": (lambda x, t: np.gradient(x, t, axis=1, edge_order=2), X, np.arange(4.0)),
    "gradient in points": (lambda t: np.gradient(Y, t), T),
    "trapezoid": (lambda y, h: np.trapezoid(y, dx=h), X, 0.5), "trapezoid, points": (lambda y, x: np.trapezoid(y, x), X, T), "trapezoid, axis": (lambda y, x: np.trapezoid(y, x, axis=0), X, X**2),
    "unwrap": (lambda x: np.unwrap(3 * x), X), "unwrap in period": (lambda x, p: np.unwrap(x, period=p, axis=0), X, 2.7), "unwrap, discont": (lambda x, d: np.unwrap(3 * x, d), X, 3.3),
    "interp": (np.interp, AT, T, Y), "interp, ends": (lambda x, t, y, a, b: np.interp(x, t, y, a, b), AT, T, Y, 0.5, 7.0), "interp, periodic": (lambda x, t, y, p: np.interp(x, t, y, period=p), AT, T, Y, 3.7),
    "interp, unordered": (lambda x, t, y: np.interp(x, t, y, period=2.3), AT + 0.01, T + 0.2, Y), "interp, many": (lambda t, y: np.interp(MANY, t, y), T, Y), "interp, one knot": (lambda x, y: np.interp(x, [0.7], y), AT, [2.0]),
    "interp, number": (lambda x: np.interp(x, T, Y), 1.25),
})  # fmt: skip


@pytest.mark.parametrize("backend", BACKENDS)
def test_derivatives(backend):
    CHAPTER.check(backend)


def test_second_order():
    CHAPTER.check_second_order()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("x", "expected"),
    [(1.0, 4.0), (0.0, 1.0), (2.0, 0.0), (-1.0, 0.0), (9.0, 0.0), (0.5, 1.0), (1.5, 4.0)],
)
def test_interp_at_a_knot_has_the_slope_to_its_right(x, expected, backend):
    knots, heights = np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 5.0])
    with wg.backend(backend):
        assert wg.grad(lambda x: np.interp(x, knots, heights))(x) == expected
        assert wg.jvp(lambda x: np.interp(x, knots, heights), (x,), (1.0,))[1] == expected
        in_knots, in_heights = wg.grad(lambda t, y: np.interp(x, t, y), argnums=(0, 1))(knots, heights)
    assert np.sum(in_heights) == 1.0
    assert np.sum(in_knots) == -expected  # moved together, the knots are the point moved the other way


def test_interp_takes_another_interval_without_another_trace():
    f = wg.trace(lambda x: np.interp(x, T, Y))
    for x in (-1.0, 0.2, 1.3, 9.0, np.nan):
        np.testing.assert_array_equal(f(x), np.interp(x, T, Y))
    ((_,),) = f._variants.values()


def test_interp_at_infinite_heights_is_numpys():
    knots, heights = np.array([0.0, 1.0, 2.0, 3.0]), np.array([np.inf, 1.0, np.inf, np.inf])
    at = np.array([0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0])
    np.testing.assert_array_equal(wg.trace(np.interp)(at, knots, heights), np.interp(at, knots, heights))
