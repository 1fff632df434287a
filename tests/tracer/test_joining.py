"""Growing, shrinking, joining, turning: as NumPy, with derivatives, and views where NumPy has them."""

import numpy as np
import pytest
from numpy_alike import INPUTS, name_of, same, same_slope

import wengert as wg
from wengert.tracer.numpy_api import joining

X, M = INPUTS["vector"], INPUTS["matrix"]
CASES = {
    np.append: [
        lambda x: np.append(x, 1), lambda x: np.append(x, [1.5, 2.5]), lambda x: np.append(x, x, 0), lambda x: np.append(x, [[7.0], [8.0]], axis=1), lambda x: np.append([1, 2], x),
        lambda x: np.append(x, x[..., :1], axis=-1), lambda x: np.append(x, 1, 0), lambda x: np.append(np.float32(1), x),
    ],
    np.insert: [
        lambda x: np.insert(x, 1, 5), lambda x: np.insert(x, 1, 5.5, axis=0), lambda x: np.insert(x, -1, [1, 2, 3], 0), lambda x: np.insert(x, [0, 2], 9), lambda x: np.insert(x, [1, 1], [7, 8]),
        lambda x: np.insert(x, slice(0, 2), 4), lambda x: np.insert(x, 1, x[..., 0], axis=-1), lambda x: np.insert(x, 99, 1), lambda x: np.insert(x, [0, 1], [[1], [2]], axis=0),
        lambda x: np.insert(x, np.array([], int), []), lambda x: np.insert(x, 0, x), lambda x: np.insert([1, 2, 3], 1, x), lambda x: np.insert(x, 2, [1, 2], axis=1),
    ],
    np.delete: [
        lambda x: np.delete(x, 1), lambda x: np.delete(x, -1, 0), lambda x: np.delete(x, [0, 2], -1), lambda x: np.delete(x, slice(None, None, 2)), lambda x: np.delete(x, [], 0),
        lambda x: np.delete(x, 99), lambda x: np.delete(x, np.arange(np.size(x)) % 2 == 0), lambda x: np.delete(x, np.ravel(x) > 0), lambda x: np.delete(x, slice(5, 1, -1), -1),
    ],
    np.resize: [lambda x: np.resize(x, 4), lambda x: np.resize(x, (3, 5)), lambda x: np.resize(x, ()), lambda x: np.resize(x, (0, 2)), lambda x: np.resize(x, -1), lambda x: np.resize(x, (2, -3))],
    np.block: [
        lambda x: np.block([x, x]), lambda x: np.block([[x, x * 2], [x, x]]), lambda x: np.block(x), lambda x: np.block([[x], [1.0]]), lambda x: np.block([[x, np.ones((2, 2))], [np.zeros((2, 5))]]),
        lambda x: np.block([x, 1, 2.5]), lambda x: np.block([[[x]], [[x]]]), lambda x: np.block([]) if x is None else np.block([x, []]), lambda x: np.block([[x], x]), lambda x: np.block((x, x)),
    ],
    np.trim_zeros: [
        lambda x: np.trim_zeros(np.where(x > 0, x, 0)), lambda x: np.trim_zeros(np.ravel(np.where(x > 0, x, 0))), lambda x: np.trim_zeros(np.ravel(np.where(x > 1, x, 0)), "f"), lambda x: np.trim_zeros(np.ravel(x), "b"),
        lambda x: np.trim_zeros(np.ravel(x) * 0), lambda x: np.trim_zeros(np.ravel(x), "q"),
    ],
    np.rot90: [*(lambda x, k=k: np.rot90(x, k) for k in range(-1, 4)), lambda x: np.rot90(x, axes=(1, 0)), lambda x: np.rot90(x, 1, (1, 2)), lambda x: np.rot90(x, 1, (0, 0)), lambda x: np.rot90(x, 1, (0, 5)), lambda x: np.rot90(x, 3, (-1, 0))],
    np.rollaxis: [lambda x: np.rollaxis(x, 1), lambda x: np.rollaxis(x, 0, 2), lambda x: np.rollaxis(x, -1, 1), lambda x: np.rollaxis(x, 0, 9), lambda x: np.rollaxis(x, 0, -1), lambda x: np.rollaxis(x, 2, 3)],
}  # fmt: skip
if np.lib.NumpyVersion(np.__version__) < "2.2.0":  # only for one axis, and slower to complain
    CASES[np.trim_zeros] = [lambda x: np.trim_zeros(np.ravel(np.where(x > 1, x, 0)), "f"), lambda x: np.trim_zeros(np.ravel(x), "b")]
if hasattr(np, "unstack"):
    CASES[np.unstack] = [np.unstack, lambda x: np.unstack(x, axis=-1), lambda x: np.unstack(x, axis=5)]

REFUSED = {(f, "complex number") for f in (np.insert, np.trim_zeros)}  # Python does not order complex numbers, NumPy does
SLOPES = [
    (np.append, X, M), (lambda x, m: np.append(m, x[:2, None], 1), X, M), (lambda x, m: np.insert(m, [0, 1, 1], x[:3], -1), X, M), (lambda x, m: np.insert(x, [0, 2], m[:, 0]), X, M),
    (lambda x: np.delete(x, [0, -1]), X), (lambda m: np.delete(m, 1, 1), M), (lambda x: np.resize(x, (4, 4)), X), (lambda x, m: np.block([[m, x[:2, None]], [x[:4]]]), X, M),
    (lambda x: np.trim_zeros(np.where(x > 0, x, 0)), X), (lambda m: np.rot90(m) @ np.rot90(m, 3).T, M), (lambda m: np.rollaxis(m[None], 2), M), (lambda m: np.rot90(m, 2), M),
]  # fmt: skip


def test_every_function_has_a_case():
    assert set(CASES) == set(joining.TABLE)


@pytest.mark.parametrize("sort", INPUTS)
@pytest.mark.parametrize("function", CASES, ids=name_of)
def test_a_function_does_what_numpy_does(function, sort):
    for case in CASES[function]:
        same(lambda x, case=case: case(x), INPUTS[sort], refusal=(function, sort) in REFUSED)


@pytest.mark.parametrize("i", range(len(SLOPES)))
def test_slopes(i):
    same_slope(*SLOPES[i])


def test_turned_arrays_are_views():
    def turned(x):
        y = x * 1
        a, b = np.rot90(y), np.rollaxis(y, 1)
        y[0] = 7.0
        return a * 1, b * 1, y

    same(turned, M)
    same(lambda x: [(y := x * 1), [part.fill(3) for part in (np.dsplit(y, 2)[0], *np.vsplit(y, 2))], y][-1], INPUTS["cube"])


def test_zeros_that_come_and_go_are_a_guard():
    f = wg.trace(lambda x: np.trim_zeros(x) * 2)
    for x in ([0.0, 1.0, 0.0, 2.0], [3.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0], [0.0, 5.0, 5.0, 5.0]):
        np.testing.assert_array_equal(f(np.array(x)), np.trim_zeros(np.array(x)) * 2)


def test_traced_places_say_what_to_do():
    with pytest.raises(wg.TraceError, match=r"test_joining.py:\d+.*np.insert at traced indices"):
        wg.trace(lambda x: np.insert(x, np.argsort(x), 1))(X)
    same(lambda x, i: np.insert(x, i, 1.0), X, np.int64(2))
    same(lambda x, i: np.delete(x, i), X, np.int64(2))
