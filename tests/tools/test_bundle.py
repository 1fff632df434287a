"""Bundle adjustment: the sparse Jacobian against differences, and against the derivatives of the formulas by hand."""

import numpy as np
import pytest
import scipy.sparse
from batches import BACKENDS

import wengert as wg
from wengert.tools.bench import bundle

ARGS = bundle.problem(4, 12, 30)


def jacobian(args, backend=None):
    return scipy.sparse.block_array(wg.jacobian(bundle.objective, argnums=(0, 1, 2), sparse=True, backend=backend)(*args)).toarray()


def flat(x, args=ARGS):
    cuts = np.cumsum([a.size for a in args[:3]])[:-1]
    parts = [p.reshape(a.shape) for p, a in zip(np.split(x, cuts), args[:3], strict=True)]
    return np.concatenate([e.ravel() for e in bundle.objective(*parts, *args[3:])])


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_jacobian_is_that_of_differences(backend):
    x = np.concatenate([a.ravel() for a in ARGS[:3]])
    step, columns = 2e-3, []
    for i in range(x.size):
        e = np.eye(x.size)[i] * step
        columns.append((8 * (flat(x + e) - flat(x - e)) - (flat(x + 2 * e) - flat(x - 2 * e))) / (12 * step))
    got, expected = jacobian(ARGS, backend), np.stack(columns, axis=1)
    np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-6 * abs(expected).max())
    assert (abs(expected[got == 0]) < 1e-6).all()


def skew(a):
    return np.array([[0, -a[2], a[1]], [a[2], 0, -a[0]], [-a[1], a[0], 0]])


def test_the_jacobian_is_the_one_by_hand():
    """The chain rule over the formulas, with the derivative of a rotation of G. Gallego and A. Yezzi, "A compact formula for the
    derivative of a 3-D rotation in exponential coordinates" (2015)."""
    cameras, points, weights, features, seen_by, seen = ARGS
    n, m, p = len(cameras), len(points), len(weights)
    expected = np.zeros((3 * p, 11 * n + 3 * m + p))
    for k, (i, j) in enumerate(zip(seen_by, seen, strict=True)):
        r, c, f, (k1, k2), w = cameras[i, :3], cameras[i, 3:6], cameras[i, 6], cameras[i, 9:], weights[k]
        angle, d = np.linalg.norm(r), points[j] - c
        R = np.eye(3) + np.sin(angle) / angle * skew(r) + (1 - np.cos(angle)) / angle**2 * skew(r) @ skew(r)
        y = R @ d
        turn = -R @ skew(d) @ (np.outer(r, r) + (R.T - np.eye(3)) @ skew(r)) / angle**2
        u = y[:2] / y[2]
        flatten = np.array([[1, 0, -u[0]], [0, 1, -u[1]]]) / y[2]
        s = u @ u
        scale = 1 + k1 * s + k2 * s * s
        lens = w * f * (scale * np.eye(2) + np.outer(u, u) * (2 * k1 + 4 * k2 * s)) @ flatten
        rows = slice(2 * k, 2 * k + 2)
        expected[rows, 11 * i : 11 * i + 11] = np.column_stack([
            lens @ turn, -lens @ R, w * scale * u, w * np.eye(2), w * f * np.outer(u, [s, s * s])])  # fmt: skip
        expected[rows, 11 * n + 3 * j : 11 * n + 3 * j + 3] = lens @ R
        at = 11 * n + 3 * m + k
        expected[rows, at] = scale * f * u + cameras[i, 7:9] - features[k]
        expected[2 * p + k, at] = -2 * w
    np.testing.assert_allclose(jacobian(ARGS), expected, rtol=1e-11, atol=1e-9)


def test_it_takes_fourteen_directions():
    """A row reads 6 numbers of the camera's place, f, u0 or v0, two coefficients, 3 of the point and one weight."""
    for size in ((4, 12, 30), (10, 100, 400)):
        found = wg.sparsity(bundle.objective, argnums=(0, 1, 2))(*bundle.problem(*size))
        assert (found.tangents, found.cotangents, found.least) == (14, 0, 14)
        assert found.nnz == size[2] * (2 * 14 + 1)


def test_a_camera_that_is_not_turned_has_its_limit():
    still = (ARGS[0] * np.r_[np.zeros(3), np.ones(8)], *ARGS[1:])
    near = (ARGS[0] * np.r_[np.full(3, 1e-7), np.ones(8)], *ARGS[1:])
    np.testing.assert_allclose(jacobian(still), jacobian(near), rtol=1e-4, atol=1e-3)


def test_the_benchmark_says_what_it_found():
    text = bundle.bundle(3, 10, 20, seconds=0.01)
    assert "A Jacobian of 60 x 83 with 580 entries" in text
    assert "14 tangents and 0 cotangents" in text
