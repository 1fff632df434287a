"""In-place operations: aliases and views see them, as in NumPy; where that is not known, an error."""

import numpy as np
import pytest
from numpy_alike import same

import wengert as wg

VECTOR, MATRIX = np.arange(1.0, 7.0), np.arange(1.0, 7.0).reshape(2, 3)


def put(target, key, value):
    target[key] = value


def add(target, value):
    target += value


#: What is done to ``y`` (a fresh copy of the argument); all of it must be seen in what is returned.
RIGHT = {
    "alias": lambda y: (b := y, add(y, 1), b),
    "slice is a view": lambda y: (v := y[1:], add(v, 1), y),
    "slice in place": lambda y: (add(y[1:], y[:1] * 2), y),
    "base changes, view sees": lambda y: (v := y[1:], add(y, 1), v * 2),
    "view of a view": lambda y: (w := y[1:][::2], put(w, 0, 7.0), y),
    "two overlapping views": lambda y: (a := y[:2], b := y[1:], put(a, slice(None), 9.0), b),
    "disjoint views": lambda y: (a := y[:1], b := y[1:], add(a, 1), b),
    "reversed": lambda y: (z := y[::-1], put(z, 0, 3.0), put(y, 0, 4.0), z),
    "transposed": lambda y: (put(y.T, 0, 9.0), y),
    "swapped": lambda y: (put(np.swapaxes(y, 0, -1), 0, 3.0), y),
    "new axis": lambda y: (put(y[None], 0, 5.0), y),
    "expand_dims": lambda y: (put(np.expand_dims(y, 0), (0, 0), 9.0), y),
    "squeeze": lambda y: (put(np.squeeze(y[None]), 0, 3.0), y),
    "atleast": lambda y: (put(np.atleast_2d(y), (0, 0), 3.0), y),
    "flip": lambda y: (put(np.flip(y), 0, 3.0), y),
    "split": lambda y: (put(np.split(y, 2)[0], slice(None), 0.0), y),
    "real": lambda y: (put(y.real, 0, 5.0), y),
    "conj": lambda y: (put(y.conj(), 0, 5.0), y),
    "astype copy=False": lambda y: (put(y.astype(float, copy=False), 0, 5.0), y),
    "broadcast view sees": lambda y: (z := np.broadcast_to(y, (2, *y.shape)), put(y, 0, 9.0), z * 1),
    "view with no axes": lambda y: (add(y[(0,) * y.ndim + (...,)], 5.0), y),
    "rows": lambda y: ([put(row, 0, row.sum()) for row in np.atleast_2d(y)], y),
    "chained index": lambda y: (put(np.atleast_2d(y)[0], 1, 5.0), y),
    "mask": lambda y: (put(y, y > 2, 0.0), y),
    "traced index": lambda y: (put(y, np.int64(0) * y.astype(int).ravel()[0], 7.0), y),
    "traced indices": lambda y: (put(y, np.argsort(y.sum(axis=tuple(range(1, y.ndim)))), y[::-1] * 2), y),
    "element of an element": lambda y: (put(y, (0,) * y.ndim, y[(-1,) * y.ndim]), put(y, (-1,) * y.ndim, y[(0,) * y.ndim]), y),
    "swap": lambda y: (put(y, [0, 1], y[[1, 0]]), y),
    "steps": lambda y: (put(y, slice(None, None, 2), 1.0), put(y, slice(1, None, 2), y[::2][: len(y) // 2]), y * 1),
    "checkerboard": lambda y: ([put(y, i, y[-i - 1] * i) for i in range(0, len(y), 2)], y),
    "filled with one": lambda y: (put(y, ..., y[(0,) * y.ndim] * 3), y),
    "filled with a row": lambda y: (b := np.zeros((3, *y.shape)), put(b, ..., y), put(b, 1, 0.0), b),
    "read then written": lambda y: (s := y.sum(), put(y, 0, s), t := y.sum(), put(y, -1, t), y),
    "mask in place": lambda y: (put(y, y > 2, y[y > 2] + 1), y),
    "repeated index": lambda y: (put(y, [0, 0, 1], y[[0, 0, 1]] + 1), y),
    "shift": lambda y: (put(y, slice(1, None), y[:-1]), y),
    "shift in place": lambda y: (add(y[1:], y[:-1]), y),
    "self": lambda y: (add(y, y[..., ::-1]), y),
    "ellipsis": lambda y: (put(y, ..., 1.0), y),
    "out is a view": lambda y: (np.sin(y[1:], out=y[1:]), y),
    "wider value": lambda y: (put(y, slice(1), np.ones((1, 1, *y[:1].shape))), y),
    "wrong shape": lambda y: (put(y, 0, np.ones(17)), y),
    "out of range": lambda y: (put(y, 17, 1.0), y),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_a_write_is_seen_wherever_numpy_lets_it_be_seen(name):
    for x in (VECTOR, MATRIX):
        same(lambda x: [p for p in RIGHT[name](x * 1) if hasattr(p, "shape")], x)


#: Functions that copy: writing into the result leaves ``y`` alone.
COPIES = {
    "copy": np.copy, "y.copy": lambda y: y.copy(), "flatten": lambda y: y.flatten(), "concatenate": lambda y: np.concatenate([y]),
    "roll": lambda y: np.roll(y, 0), "clip": lambda y: y.clip(0, 9), "sum": lambda y: np.sum(y, axis=()), "pos": lambda y: +y,
    "power": lambda y: y**1, "tile": lambda y: np.tile(y, 1), "pad": lambda y: np.pad(y, 0), "repeat": lambda y: np.repeat(y, 1, 0),
    "take": lambda y: np.take(y, np.arange(len(y)), 0), "sort": np.sort, "where": lambda y: np.where(True, y, y),
    "astype": lambda y: y.astype(float), "fancy": lambda y: y[[0, 1]], "mask": lambda y: y[y > 0], "reshape": lambda y: np.reshape(y, y.shape, copy=True),
    "nan_to_num": np.nan_to_num, "triu": lambda y: np.triu(np.atleast_2d(y)), "round": lambda y: np.round(y.astype(int)),
    "floor": lambda y: np.floor(y.astype(int)), "cumsum": lambda y: np.cumsum(y[:1], 0), "max": lambda y: np.max(y[None], axis=()),
    "prod": lambda y: np.prod(y[None], 0),
    "conjugate": np.conjugate, "average": lambda y: np.average(y[None], 0),
}  # fmt: skip


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_is_a_copy(name):
    for x in (VECTOR, MATRIX):
        same(lambda x: (y := x * 1, z := COPIES[name](y), put(z, 0, 77), y, z)[3:], x)


RAISING = {
    "reshape": (lambda y: add(y.reshape(-1), 1) or y, "reshaped view may share"),
    "ravel": (lambda y: (v := y.ravel(), add(y, 1), v), "reshaped view may share"),
    "einsum": (lambda y: put(np.einsum("ij->ji", y), 0, 1.0) or y, "reshaped view may share"),
    "outer trace": (lambda y: wg.grad(lambda z: (add(y, z), z.sum())[1])(y), "enclosing trace"),
}  # fmt: skip


@pytest.mark.parametrize("name", RAISING)
def test_what_is_not_known_is_an_error(name):
    write, message = RAISING[name]
    with pytest.raises(wg.TraceError, match=rf"test_views.py:\d+.*{message}"):
        wg.trace(lambda x: write(x * 1))(MATRIX)


def test_a_broadcast_view_is_read_only():
    with pytest.raises(ValueError, match="read-only"):
        wg.trace(lambda x: put(np.broadcast_to(x * 1, (2, 6)), 0, 1.0))(VECTOR)


WRITES = [
    lambda x: add(x, 1), lambda x: put(x, 0, 1.0), lambda x: add(x[1:], 1), lambda x: x.sort(), lambda x: x.fill(0), lambda x: np.copyto(x, 1.0),
    lambda x: np.add(x, 1, out=x), lambda x: put(x.T, 0, 1.0), lambda x: np.add.at(x, [0], 1.0), lambda x: x.put(0, 1.0), lambda x: np.sum(x, 0, out=x[0]),
    lambda x: np.fill_diagonal(x, 0.0), lambda x: np.putmask(x, x > 1, 0.0), lambda x: put(x.reshape(-1), 0, 1.0),
]  # fmt: skip


@pytest.mark.parametrize("write", WRITES)
def test_an_argument_is_never_modified(write):
    x = MATRIX.copy()
    with pytest.raises(wg.TraceError, match=r"test_views.py:\d+.*an argument of the traced function is modified in place.*x.copy\(\)"):
        wg.trace(write)(x)
    np.testing.assert_array_equal(x, MATRIX)


def test_numbers_are_rebound():
    def f(x):
        first = x
        x += 1
        return first, x

    same(f, 2.0)
    same(f, np.float64(2.0))
    same(lambda x: (s := x.sum(), v := s.reshape(1), add(v, 5), s)[-1], VECTOR)


def test_writes_into_views_have_derivatives():
    def f(x):
        y = np.zeros_like(x)
        y[...] = x
        y[1:] *= y[:-1]
        y.T[0] += 1.0
        return (y**2).sum()

    x = np.array([0.5, 2.0, 3.0])
    by_hand = wg.grad(lambda x: (x[0] + 1) ** 2 + (x[1] * x[0]) ** 2 + (x[2] * x[1]) ** 2)(x)
    np.testing.assert_allclose(wg.grad(f)(x), by_hand)
    np.testing.assert_allclose(wg.jvp(f, (x,), (x,))[1], by_hand @ x)
