"""Dense Jacobians by fewer sweeps than rows or columns, where the graph shows that fewer are enough."""

import numpy as np
import pytest

import wengert as wg
from wengert.backends.vectorized import NumpyBackend
from wengert.tracer import dense

RNG = np.random.default_rng(0)
N = 80
C, A, B = RNG.normal(size=(N, N)) / 9, RNG.normal(size=(3, N)) / 9, RNG.normal(size=(N, 3))
X = RNG.normal(size=N)


def narrow(x):
    return np.tanh(C @ (B @ np.sin(A @ np.tanh(C @ x))))


def nested(x, p):
    z = A @ (x["a"] * p)
    return {"u": np.sin(B @ z), "v": (np.sum(z), x["a"][:5].reshape(5, 1) * 1.0)}


@pytest.fixture
def directions(monkeypatch):
    """Counts the directions that backends are handed; a matrix is no program of its own here."""
    counts = []
    monkeypatch.setattr(NumpyBackend, "whole_from", None)
    for name in ("forward", "reverse"):
        original = getattr(wg.Program, name)

        def counted(self, active, backend=None, original=original):
            run = original(self, active, backend)

            def counting(inputs, seeds=None):
                counts.append(next(len(s) for s in seeds if s is not None))
                return run(inputs, seeds)

            return counting

        monkeypatch.setattr(wg.Program, name, counted)
    return counts


def plainly(monkeypatch, f, *args, **options):
    with monkeypatch.context() as patch:
        patch.setattr(dense, "SWEEPS", 10**9)
        patch.setattr(NumpyBackend, "whole_from", None)
        return wg.jacobian(f, **options)(*args)


CASES = [
    ("sparse", lambda x: x[1:] * x[:-1], 2), ("narrow", narrow, 6), ("full", lambda x: np.tanh(C @ x), N),
    ("narrow in front of many", lambda x: np.outer(A @ x, np.ones(40)) ** 2, 6), ("a number", lambda x: np.exp(np.sum(x) / N) * B[:, 0], 2),
    ("a scalar of a narrow place", lambda x: np.sum(narrow(x)), 1), ("one branch of it", lambda x: np.where(A[0] @ x > 0, narrow(x), 0.0), 6),
]  # fmt: skip


@pytest.mark.parametrize(("name", "f", "count"), CASES)
def test_the_jacobian_and_its_directions(name, f, count, monkeypatch, directions):
    expected = plainly(monkeypatch, f, X)
    directions.clear()
    np.testing.assert_allclose(wg.jacobian(f)(X), expected, rtol=1e-10, atol=1e-12)
    assert sum(directions) == count


def test_arguments_and_results_are_nested(monkeypatch):
    args = ({"a": X, "b": 2.0}, np.linspace(1, 2, N))
    got, expected = wg.jacobian(nested, argnums=(0, 1))(*args), plainly(monkeypatch, nested, *args, argnums=(0, 1))
    for ours, theirs in ((got["u"], expected["u"]), *zip(got["v"], expected["v"], strict=True)):
        for a, b in ((ours[0]["a"], theirs[0]["a"]), (ours[0]["b"], theirs[0]["b"]), (ours[1], theirs[1])):
            assert np.shape(a) == np.shape(b)
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def test_a_mode_that_is_asked_for_is_kept(directions):
    for mode, count in (("forward", N), ("reverse", N)):
        directions.clear()
        wg.jacobian(narrow, mode=mode)(X)
        assert sum(directions) == count


def test_no_number_flows_where_nothing_does(monkeypatch):
    """A product of factors would spread NaN and infinities over zeros: then it is the sweeps that say."""
    f = lambda x: np.concatenate([np.sqrt(z := A @ x * 0.0), B @ z])
    for mode in (None, "forward"):
        np.testing.assert_array_equal(wg.jacobian(f, mode=mode)(X), plainly(monkeypatch, f, X, mode=mode))


def test_branches_and_guards(directions):
    f = wg.trace(lambda x: narrow(x) if x[0] > 0 else x[1:] * x[:-1])
    for x, shape in ((abs(X), (N, N)), (-abs(X), (N - 1, N)), (abs(X), (N, N))):
        assert wg.jacobian(f)(x).shape == shape
    g = f.graph(abs(X))
    wg.jacobian(g)(abs(X))
    with pytest.raises(wg.GuardError):
        wg.jacobian(g)(-abs(X))


def test_hessians_take_fewer_products(directions):
    f = lambda x: np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)
    H = wg.hessian(f)(X)
    assert sum(directions) == 3
    np.testing.assert_allclose(H, wg.hessian(f, sparse=True)(X).toarray())


def test_within_a_trace_colours_are_lanes(monkeypatch):
    f = lambda x, p: {"a": np.sin(x[1:] * x[:-1]) * p, "b": (np.sum(x[:2]), x[::-1].reshape(2, -1))}
    leaves = lambda J: [J["a"][0], J["a"][1], J["b"][0][0], J["b"][1][1]]
    total = lambda x: sum(np.sum(b**2) for b in leaves(wg.jacobian(f, (0, 1))(x, 2.0)))
    program = wg.trace(total).graph(X)
    got = wg.grad(total)(X)
    with monkeypatch.context() as patch:
        patch.setattr(dense, "SWEEPS", 10**9)
        np.testing.assert_allclose(got, wg.grad(total)(X), rtol=1e-10)
        np.testing.assert_allclose(program(X), total(X))
        more = wg.trace(total).graph(X)
    work = lambda program: sum(v.type.size for node in program.graph.nodes for v in node.results)
    assert 2 * work(program) < work(more)


def test_floats_of_both_sizes(monkeypatch):
    f = lambda x, y: np.concatenate([x * 2.0, y**2])
    args = (X.astype(np.float32), X)
    got, expected = wg.jacobian(f, (0, 1))(*args), plainly(monkeypatch, f, *args, argnums=(0, 1))
    for a, b in zip(got, expected, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b)
