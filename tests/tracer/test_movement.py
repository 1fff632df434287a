"""Movement: derivatives on every backend, views where NumPy has them, and the order of elements in memory."""

import numpy as np
import pytest
from numpy_alike import INPUTS, same, same_slope

import wengert as wg

X, M, C = INPUTS["vector"], INPUTS["matrix"], INPUTS["cube"]
windows = np.lib.stride_tricks.sliding_window_view
SLOPES = [
    (lambda m: m.reshape((3, 2), order="F"), M), (lambda c: c.ravel("F"), C), (lambda c: c.T.reshape((2, -1), order="F"), C), (lambda x, m: np.meshgrid(x, m[0]), X, M), (lambda x, m: np.meshgrid(x, m, indexing="ij", sparse=True)[0] ** 2, X, M),
    (lambda x: np.diagflat(x[:3], -1), X), (lambda c: np.dsplit(c, 2), C), (lambda x: windows(x, 3) ** 2, X), (lambda c: windows(c, (2, 2), (1, 2)).sum((-1, -2)), C), (lambda c: windows(c, (2, 2), (2, 2)), C), (lambda m: np.roll(m, (1, -2), (0, 1)), M),
    (lambda m: np.split(m, [1, 2], 1), M), (lambda c: np.einsum(c, [0, 1, 2], c, [0, 2, 1], [1, 0]), C[:, :3, :3]), (lambda m: np.einsum("ij,kj,kl,l", m, m, m, m[0]), M), (lambda m: [v**2 for v in m.flat], M), (lambda x: x.compress([1, 0, 1]), X),
    (lambda x: (x > 0).choose([x**2, 3 * x]), X), (lambda m: np.take_along_axis(m, np.array([[2, -1]]), 1), M), (lambda c: np.moveaxis(np.tile(c, (1, 2, 1)), 0, -1), C),
]  # fmt: skip


@pytest.mark.parametrize("i", range(len(SLOPES)))
def test_slopes(i):
    same_slope(*SLOPES[i])


def written(view, write=lambda v: v.fill(7.0)):
    """What becomes of an array when a view of it is written into."""

    def f(x):
        y = x * 1
        write(view(y))
        return y

    return f


@pytest.mark.parametrize("view", [
    lambda y: np.meshgrid(y[0], copy=False)[0], lambda y: np.meshgrid(y[0])[0], lambda y: np.array_split(y, 3, 1)[1], lambda y: np.rollaxis(y, 1)[1],
    lambda y: np.squeeze(y[None])[:, 1], lambda y: np.expand_dims(y, 0)[0, 1], lambda y: np.insert(y, 0, 1), lambda y: np.take(y, [0], 0), lambda y: np.compress([True, True], y, 0), lambda y: np.roll(y, 0),
])  # fmt: skip
def test_what_is_a_view_is_one(view):
    same(written(view), M)


def test_a_window_is_not_left_behind():
    def f(x):
        y = x * 1
        seen = windows(y, 2)
        y[0] = 5.0
        return seen * 1

    with pytest.raises(wg.TraceError, match=r"test_movement.py:\d+.*modified in place"):
        wg.trace(f)(X)


def test_an_order_that_is_not_known_is_refused():
    same(lambda x: (x + 1).ravel("K"), C)
    same(lambda x: (x[..., 0] * 2).reshape(-1, order="A"), C)
    for f in (lambda x: x.T.ravel("K"), lambda x: (x.T * 2).reshape(-1, order="A"), lambda x: x.swapaxes(0, 1).flatten("A")):
        with pytest.raises(wg.TraceError, match=r"test_movement.py:\d+.*order=.*which is not traced.*order='C' or order='F'"):
            wg.trace(f)(C)


def test_flat_is_read_and_written():
    same(lambda x: [x.flat[2] * 2, x.flat[1:3], [v for v in x.flat if v > 0]], M)
    same(written(lambda y: y.flat, lambda v: v.__setitem__(slice(None, None, 2), [1.0, 2.0])), M)
    same(written(lambda y: y.T.flat, lambda v: v.__setitem__(1, 9.0)), M)
    with pytest.raises(wg.TraceError, match=r"test_movement.py:\d+.*turned into a plain NumPy array"):
        wg.trace(lambda x: np.asarray(x.flat))(M)
