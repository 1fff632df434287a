"""Choosing by conditions and indices, and functions applied to pieces."""

import numpy as np
import pytest
from numpy_alike import INPUTS, name_of, same, same_slope

import wengert as wg
from wengert.tracer.numpy_api import choosing, pieces

X, M, C = INPUTS["vector"], INPUTS["matrix"], INPUTS["cube"]


def whole(x):
    """Small integers with the signs of ``x``."""
    return np.where(x == x, np.clip(x * 1.0, -3, 4), 0).astype(int)  # of int64 minimum, np.choose never comes back


CASES = {
    np.select: [
        lambda x: np.select([x > 1, x > 0], [x, x * 2]), lambda x: np.select([x > 1, x < -1], [x, 1], default=7), lambda x: np.select([x > 0], [2.5], x), lambda x: np.select([x > 0], [[1, 2]]),
        lambda x: np.select([x], [x]), lambda x: np.select([], []), lambda x: np.select([x > 0], []), lambda x: np.select([np.bool_(True), x > 0], [x, np.float32(2)]), lambda x: np.select([x > 0, x > 1], [1, 2]),
        lambda x: np.select([x > 0], [np.arange(3)], -1),
    ],
    np.choose: [
        lambda x: np.choose(x > 0, [x, x * 2]), lambda x: np.choose(x > 0, (0, 1.5)), lambda x: np.choose(np.zeros(np.shape(x), int), [x, 9]), lambda x: np.choose([0, 1, 1], [x, -x]), lambda x: np.choose(whole(x), [x, 2 * x, 3 * x]),
        lambda x: np.choose(whole(x), [x, 2 * x, 3 * x], mode="clip"), lambda x: np.choose(whole(x), [x, 2 * x, 3 * x], mode="wrap"), lambda x: np.choose(x, [1, 2]), lambda x: np.choose(np.zeros(3, int), x),
    ],
    np.compress: [
        lambda x: np.compress([True, False, True], x), lambda x: np.compress([0, 1], x, 0), lambda x: np.compress(np.ravel(x) > 0, x), lambda x: np.compress(x > 0, x), lambda x: np.compress([1] * 9, x, -1), lambda x: np.compress([np.max(x) > 2, True, np.sum(x)], x), lambda x: np.compress([True, False, True], x, axis=-1),
    ],
    np.extract: [lambda x: np.extract(x > 0, x), lambda x: np.extract([1, 0, 1], x), lambda x: np.extract(x, x)],
    np.piecewise: [
        lambda x: np.piecewise(x, [x < 0, x >= 0], [lambda v: -v, lambda v: v * v]), lambda x: np.piecewise(x, [x < 0], [-1, 2]), lambda x: np.piecewise(x, [x < 0, x > 1], [lambda v: v / 3, 5.5, lambda v: v * 0 + 1]),
        lambda x: np.piecewise(x, x > 0, [3]), lambda x: np.piecewise(x, [x > 0], [1, 2, 3]), lambda x: np.piecewise(x, [x > 0, x > 1], [lambda v, a, b=1: v * a + b, 0], 3, b=2), lambda x: np.piecewise(x, [x > 99], [lambda v: 1 / 0]),
        lambda x: np.piecewise(x, [x > 0], [lambda v: v - v.mean(), lambda v: v.size]), lambda x: np.piecewise(x, np.stack([x > 0, x < 0]), [1, 2]),
    ],
    np.apply_along_axis: [
        lambda x: np.apply_along_axis(np.sum, 0, x), lambda x: np.apply_along_axis(lambda v: v * 2, -1, x), lambda x: np.apply_along_axis(lambda v: v[:2] if v[0] > 0 else -v[:2], -1, x), lambda x: np.apply_along_axis(np.diag, -1, x),
        lambda x: np.apply_along_axis(lambda v, p, q: v * p - q, 0, x, 2, q=1), lambda x: np.apply_along_axis(np.sort, 7, x), lambda x: np.apply_along_axis(lambda v: 1.5, 0, x) * x.sum(), lambda x: np.apply_along_axis(np.outer, 0, x, [1, 2]),
    ],
    np.apply_over_axes: [lambda x: np.apply_over_axes(np.sum, x, [0, -1]), lambda x: np.apply_over_axes(np.sum, x, 0), lambda x: np.apply_over_axes(np.cumsum, x, 0), lambda x: np.apply_over_axes(lambda a, i: a.sum(), x, 0)],
    np.take: [
        lambda x: np.take(x, 1), lambda x: np.take(x, [[0, -1], [1, 1]]), lambda x: np.take(x, [1, 0], 0), lambda x: np.take(x, 99), lambda x: np.take(x, []), lambda x: np.take(x, np.argsort(x, -1)[..., 0], -1), lambda x: np.take(x, [1.5]), lambda x: np.take(x, x * 1.0),
        *(lambda x, m=m: np.take(x, [-1, 7, 2], mode=m) for m in ("clip", "wrap", "raise", "wrong")), *(lambda x, m=m: np.take(x, whole(np.ravel(x)), mode=m) for m in ("clip", "wrap")), lambda x: x.take([[0], [1]], 0, mode="wrap"), lambda x: np.take(x, [np.argmax(x), 0]),
    ],
    np.ix_: [lambda x: x[np.ix_([0, 1], [1, 0])], lambda x: np.ix_(np.ravel(x) > 0, [1, 2]), lambda x: np.ix_(x, x), lambda x: np.ix_(np.ravel(x), [])],
    np.ravel_multi_index: [
        lambda x: np.ravel_multi_index((whole(abs(x * 1.0)), whole(x * 0)), (6, 7)), lambda x: np.ravel_multi_index((whole(x), whole(x * 0)), (6, 7)), lambda x: np.ravel_multi_index((whole(x), whole(-x)), (3, 2), mode=("clip", "wrap"), order="F"), lambda x: np.ravel_multi_index((x * 1.5,), (3,)),
        lambda x: np.ravel_multi_index((whole(x),), (3, 4), "clip"), lambda x: np.ravel_multi_index((whole(x), 1), (3, 4), "clip"),
    ],
    np.unravel_index: [lambda x: np.unravel_index(whole(abs(x * 1.0)), (2, 3)), lambda x: np.unravel_index(whole(abs(x * 1.0)), (2, 2, 5), order="F"), lambda x: np.unravel_index(np.argmax(x), np.shape(x)), lambda x: np.unravel_index(whole(x), (7,)), lambda x: np.unravel_index(x * 1.5, 9), lambda x: np.unravel_index(whole(x * 0), 9)],
    np.diag_indices_from: [lambda x: np.diag_indices_from(x)],
    np.tril_indices_from: [lambda x: np.tril_indices_from(x), lambda x: x[np.tril_indices_from(x, k=-1)]],
    np.triu_indices_from: [lambda x: np.triu_indices_from(x, 1)],
}  # fmt: skip
#: What NumPy does and the tracer refuses: (function, sort of array).
REFUSED = {
    *((np.take, sort) for sort in ("scalar", "number", "int", "complex number")),  # the order of a number
    *((np.apply_over_axes, sort) for sort in ("number", "int", "complex number")),  # NumPy asks a Python number for its ndim
    (np.select, "small"),  # NumPy finds the dtype with weak numbers, and then does not cast them
    *((f, "complex number") for f in (np.choose, np.extract, np.piecewise, np.select)),  # Python does not order complex numbers, NumPy does
    (np.compress, "empty"),  # NumPy takes elements that are not there
}
SLOPES = [
    (lambda x, y: np.select([x > 1, x > 0], [x * y, y**2], x), X, X[::-1].copy()), (lambda x, y: np.choose(x > 0, [x * y, y**2]), X, X[::-1].copy()), (lambda m: np.choose(whole(m + 0.1), [m, m**2, m[0]], mode="wrap"), M),
    (lambda m: np.compress([0, 1, 1], m, 1), M), (lambda x: np.extract(x > 0, x) ** 2, X), (lambda x: np.piecewise(x, [x < 0, x > 2], [lambda v: v**3, 3, lambda v: np.sqrt(v) * v.sum()]), X),
    (lambda c: np.apply_along_axis(lambda v: np.outer(v, v), 1, c[:, :2, :2]), C), (lambda c: np.apply_over_axes(np.prod, c, (0, 2)), C), (lambda m: np.take(m, [[0, 1], [9, -9]], 1, mode="clip"), M), (lambda x: np.take(x, np.argsort(x)[:3]) ** 2, X),
    (lambda m: m[np.ix_([1, 0], [2, 2])], M), (lambda m: m[np.triu_indices_from(m)], M), (lambda m: np.take_along_axis(m, np.argsort(m[:1], 1), 1) ** 2, M),
]  # fmt: skip


def test_every_function_has_a_case():
    assert set(CASES) == set(choosing.TABLE) | set(pieces.TABLE)


@pytest.mark.parametrize("sort", sorted(INPUTS.keys() - {"special complex"}))  # with -2**63, np.choose wraps for ever
@pytest.mark.parametrize("function", CASES, ids=name_of)
def test_a_function_does_what_numpy_does(function, sort):
    for case in CASES[function]:
        same(lambda x, case=case: case(x), INPUTS[sort], refusal=(function, sort) in REFUSED)


@pytest.mark.parametrize("i", range(len(SLOPES)))
def test_slopes(i):
    same_slope(*SLOPES[i])


def test_the_choice_not_taken_gives_no_nan():
    f = wg.trace(lambda x: np.sum(np.select([x > 0], [np.log(x)], 0.0)))
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(wg.grad(f)(np.array([2.0, -1.0, 0.0])), [0.5, 0.0, 0.0])


def test_pieces_are_followed():
    f = wg.trace(lambda x: np.piecewise(x, [x < 0, x > 2], [lambda v: -v, lambda v: v.mean(), 0.5]))
    for x in (X, -X, X * 0, X + 9):
        np.testing.assert_allclose(f(x), np.piecewise(x, [x < 0, x > 2], [lambda v: -v, lambda v: v.mean(), 0.5]))


def test_a_function_of_each_element_needs_no_guard():
    scale = 3.0

    def f(x, y):
        return np.piecewise(x, [x < 0, x > 2], [lambda v: np.exp(v) * y, lambda v: v**2 / scale, 0.5])

    traced = wg.trace(f)
    program = traced.graph(X, 2.0)
    assert not program.graph.guards
    for x in (X, -X, X * 0, X + 9):
        np.testing.assert_allclose(program(x, 2.0), f(x, 2.0))
    same_slope(f, X, 1.5)
    log = wg.trace(lambda x: np.sum(np.piecewise(x, [x > 0], [np.log, 0.0])))
    assert not log.graph(X).graph.guards
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(wg.grad(log)(np.array([2.0, -1.0, 0.0])), [0.5, 0.0, 0.0])


@pytest.mark.parametrize("piece", [lambda v: v / len(v), lambda v: v - v.max(), lambda v: v[::-1], lambda v: v if v[0] > 0 else -v, lambda v: np.cumsum(v), lambda v: v * np.arange(v.size), lambda v: np.sort(v), lambda v: v if len(v) > 1 else 2 * v, lambda v: np.random.default_rng(0).random(v.shape) * v])
def test_a_function_of_all_elements_has_its_piece_for_a_guard(piece):
    f = wg.trace(lambda x: np.piecewise(x, [x > 0.5], [piece, 7.0]))
    for x in (X, -X, X + 9, np.array([1.0, 0.0, 0, 0, 0, 0])):
        np.testing.assert_allclose(f(x), np.piecewise(x, [x > 0.5], [piece, 7.0]))


def test_an_index_outside_its_line_is_an_error():
    f = wg.trace(lambda m, i: np.take_along_axis(m, i, 1))
    np.testing.assert_array_equal(f(M, np.array([[-1, 2], [0, -3]])), [[0.25, 0.25], [3.0, 3.0]])
    for bad in (3, -4):
        with pytest.raises(IndexError):
            f(M, np.array([[0, 0], [bad, 0]]))
    same(lambda m, i: np.take_along_axis(m, i, 1), M, np.array([[2]]))
    same(lambda m, i: np.take_along_axis(m[:1], i, 1), M, np.array([[2], [1]]))
    same(lambda m, i: np.take_along_axis(m, i, 1), M, np.array([2]))


I, J = np.array([[0, -1, 2]]), np.array([[1], [0]])
KEYS = {
    "together": lambda x, i, j: x[i, j], "one twice": lambda x, i, j: x[j, :, j], "thrice": lambda x, i, j: x[j, j, j], "beside a slice": lambda x, i, j: x[i, :, j], "apart": lambda x, i, j: x[:, i, None, j],
    "known among them": lambda x, i, j: x[i, j, [[1, 0, 1]]], "one number": lambda x, i, j: x[i, j[0, 0], ::-1],
    "no axis between": lambda x, i, j: x[:, i, ..., np.array([1])], "an axis between": lambda x, i, j: x[i, ..., j],
    "none of them": lambda x, i, j: x[i, j[:0]],
}  # fmt: skip


@pytest.mark.parametrize("name", KEYS)
def test_indices_that_are_arguments(name):
    x, f = np.arange(24.0).reshape(3, 4, 2), KEYS[name]
    np.testing.assert_array_equal(wg.trace(f)(x, I, J), f(x, I, J), strict=True)
    slope = wg.grad(lambda x: np.sum(np.sin(f(x, I, J))))(x)
    wanted = np.zeros(x.shape)
    np.add.at(wanted, np.unravel_index(f(np.arange(24).reshape(3, 4, 2), I, J), x.shape), np.cos(f(x, I, J)))
    np.testing.assert_allclose(slope, wanted, rtol=1e-13)


def test_indices_that_are_arguments_do_not_fit():
    with pytest.raises(IndexError, match="shape mismatch"):
        wg.trace(lambda x, i, j: x[i, j])(np.ones((3, 3)), np.arange(2), np.arange(3))


def test_many_indices_that_are_arguments():
    """Nothing is made of as many elements as there are pairs of them."""
    x, i = np.arange(9.0).reshape(3, 3), np.arange(60_000) % 3
    np.testing.assert_array_equal(wg.trace(lambda x, i, j: x[i, j])(x, i, i[::-1].copy()), x[i, i[::-1]])
