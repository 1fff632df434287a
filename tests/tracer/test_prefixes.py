"""All prefixes of an associative operation, against a loop; and what is looked at on the way of a gradient."""

import numpy as np
import pytest

import wengert as wg
from wengert.ir.passes import inline_calls

X = np.array([0.4, -1.2, 0.7, 2.0, -0.3, 1.1, 0.9])


def affine(first, then):
    """(a, b) is x -> a x + b: first one, then the other."""
    return first[0] * then[0], first[1] * then[0] + then[1]


def in_a_loop(a, b, order):
    found, state = [None] * len(a), None
    for i in order:
        state = (a[i], b[i]) if state is None else affine(state, (a[i], b[i]))
        found[i] = state
    return tuple(np.stack(each) for each in zip(*found, strict=True)) if found else (a, b)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5, 7])
@pytest.mark.parametrize("reverse", [False, True])
def test_prefixes_are_those_of_the_loop(n, reverse):
    a, b = X[:n], X[:n] ** 2
    want = in_a_loop(a, b, range(n)[::-1] if reverse else range(n))
    combine = (lambda x, y: affine(y, x)) if reverse else affine
    for found in (wg.associative_scan(combine, (a, b), reverse=reverse),
                  wg.trace(lambda a, b: wg.associative_scan(combine, (a, b), reverse=reverse))(a, b)):
        np.testing.assert_allclose(found[0], want[0], rtol=1e-12)
        np.testing.assert_allclose(found[1], want[1], rtol=1e-12)


def test_sums_along_any_axis_and_their_gradient():
    m = np.arange(12.0).reshape(3, 4)
    for axis in (0, 1, -1):
        np.testing.assert_allclose(wg.associative_scan(np.add, m, axis=axis), np.cumsum(m, axis=axis))
        np.testing.assert_allclose(wg.associative_scan(np.add, m, axis=axis, reverse=True), np.flip(np.cumsum(np.flip(m, axis), axis), axis))
    f = lambda x: np.sum(wg.associative_scan(np.multiply, x) ** 2)
    g = lambda x: np.sum(np.cumprod(x) ** 2)
    for backend in ("numpy", "python", "c", "reference"):
        np.testing.assert_allclose(wg.grad(f, backend=backend)(X), wg.grad(g)(X), rtol=1e-10)


def test_the_graph_grows_with_the_logarithm():
    count = lambda n: len(inline_calls(wg.trace(lambda x: wg.associative_scan(np.add, x)).graph(np.ones(n)).graph).nodes)
    assert count(1024) - count(512) == count(512) - count(256)


def test_what_does_not_fit_is_said():
    with pytest.raises(ValueError, match="one length along axis 0; got \\[3, 2\\]"):
        wg.associative_scan(affine, (np.ones(3), np.ones(2)))
    with pytest.raises(ValueError, match="all have an axis 1"):
        wg.associative_scan(np.add, np.ones(3), axis=1)
    with pytest.raises(ValueError, match="nested as its arguments are, with 2 arrays"):
        wg.associative_scan(lambda x, y: x[0], (np.ones(3), np.ones(3)))


@pytest.mark.parametrize("backend", ["numpy", "python", "c", "reference"])
def test_a_gradient_is_looked_at_and_is_as_it_was(backend):
    seen = []
    f = lambda x: np.sum(wg.inspect_gradient(np.sin(x), seen.append) ** 2)
    np.testing.assert_allclose(wg.grad(f, backend=backend)(X), 2 * np.sin(X) * np.cos(X))
    assert len(seen) == 1
    np.testing.assert_allclose(seen[0], 2 * np.sin(X))
    wg.jvp(f, (X,), (np.ones(7),), backend=backend)
    np.testing.assert_allclose(seen[-1], np.cos(X))
    assert np.array_equal(wg.inspect_gradient(X, seen.append), X)
