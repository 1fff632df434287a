"""Parts of Jacobians and Hessians, and products with them: what the whole matrices say."""

import numpy as np
import pytest
from batches import BACKENDS

import wengert as wg
from wengert.tracer import structured

X = np.linspace(0.3, 2.0, 6)
V = np.cos(X)
M = np.arange(12.0).reshape(4, 3) / 7
W = np.array([[0.3, -0.2], [0.5, 0.1], [-0.4, 0.8]])


def field(x):
    return np.append(np.sin(x[1:] * x[:-1]), np.sum(x)) * x[0]


def energy(x):
    return np.sum(np.sin(x[1:] * x[:-1])) + np.sum(x**3)


def residuals(x, a):
    return np.stack([np.sum(np.sin(x)) * a, np.sum(x * x), x[0] * x[1]])


def log_sum(z):
    return np.log(np.sum(np.exp(z)))


def near(got, expected, tolerance=1e-12):
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)
    assert type(got) is (np.ndarray if np.ndim(expected) else np.float64)


@pytest.mark.parametrize("backend", BACKENDS)
def test_parts_on_every_backend(backend):
    J, H = wg.jacobian(field)(X), wg.hessian(energy)(X)
    near(wg.jacobian_diagonal(field, backend=backend)(X), np.diag(J))
    near(wg.divergence(field, backend=backend)(X), np.trace(J))
    near(wg.hessian_diagonal(energy, backend=backend)(X), np.diag(H))
    near(wg.laplacian(energy, backend=backend)(X), np.trace(H))
    near(wg.hvp(energy, backend=backend)(X, V), H @ V)
    J = wg.jacobian(residuals)(X, 2.0)
    near(wg.gauss_newton_product(residuals, backend=backend)(X, 2.0, V), J.T @ (J @ V))
    full = wg.jacobian(lambda m: np.tanh(m @ W) * m[:, :1])(M)
    near(wg.jacobian_blocks(lambda m: np.tanh(m @ W) * m[:, :1], backend=backend)(M), np.stack([full[i, :, i] for i in range(4)]))


def test_parts_of_loaded_graphs(tmp_path):
    for f in (field, energy):
        wg.trace(f).graph(X).save(tmp_path / f"{f.__name__}.wg")
    g, h = (wg.load(tmp_path / f"{f.__name__}.wg") for f in (field, energy))
    near(wg.jacobian_diagonal(g)(X), np.diag(wg.jacobian(field)(X)))
    near(wg.laplacian(h)(X), np.trace(wg.hessian(energy)(X)))
    near(wg.hvp(h)(X, V), wg.hessian(energy)(X) @ V)
    near(wg.fisher_product(g)(X, V), wg.jacobian(field)(X).T @ (wg.jacobian(field)(X) @ V))


def test_parts_within_traces():
    """They are differentiated as the same parts of whole matrices are."""
    for part, whole in (
        (wg.jacobian_diagonal(field), lambda x: np.diag(wg.jacobian(field)(x))),
        (wg.hessian_diagonal(energy), lambda x: np.diag(wg.hessian(energy)(x))),
        (wg.divergence(field), lambda x: np.trace(wg.jacobian(field)(x))),
        (wg.laplacian(energy), lambda x: np.trace(wg.hessian(energy)(x))),
        (lambda x: wg.hvp(energy)(x, V), lambda x: wg.hessian(energy)(x) @ V),
        (lambda x: wg.hvp(energy)(X, x), lambda x: wg.hessian(energy)(X) @ x),
        (lambda x: wg.gauss_newton_product(residuals, loss=log_sum)(x, 2.0, V), lambda x: _gauss_newton(x, 2.0) @ V),
    ):
        near(wg.grad(lambda x, part=part: np.sum(part(x) ** 2))(X), wg.grad(lambda x, whole=whole: np.sum(whole(x) ** 2))(X), 1e-9)


def _gauss_newton(x, a, argnum=0):
    J = wg.jacobian(residuals)(x, a)
    return J.T @ wg.hessian(log_sum)(residuals(x, a)) @ J


def test_several_arguments():
    f = lambda x, p: np.sum(x["a"][1:] * x["a"][:-1]) * x["b"] ** 2 + p**3
    args = ({"a": X, "b": 2.0}, 0.5)
    diagonal = wg.hessian_diagonal(f, argnums=(0, 1))(*args)
    near(diagonal[0]["a"], np.zeros(6))
    near(diagonal[0]["b"], 2 * np.sum(X[1:] * X[:-1]))
    near(diagonal[1], np.float64(3.0))
    near(wg.laplacian(f, argnums=(0, 1))(*args), diagonal[0]["b"] + 3.0)
    J, j = wg.jacobian(residuals, argnums=(0, 1))(X, 2.0)
    w = wg.hessian(log_sum)(residuals(X, 2.0)) @ (J @ V + j * 0.5)
    product = wg.gauss_newton_product(residuals, (0, 1), loss=log_sum)(X, 2.0, (V, 0.5))
    near(product[0], J.T @ w)
    near(product[1], j @ w)


def test_parts_of_what_other_elements_are_left_out():
    """Of a function that mixes entries, a block is still its own; of a full matrix, the diagonal is."""
    mixing = lambda m: m * np.sum(m) + m[::-1]
    full = wg.jacobian(mixing)(M)
    near(wg.jacobian_blocks(mixing)(M), np.stack([full[i, :, i] for i in range(4)]))
    full = lambda x: np.exp(x) * np.sum(x)
    near(wg.jacobian_diagonal(full)(X), np.diag(wg.jacobian(full)(X)))
    near(wg.hessian_diagonal(lambda x: np.sum(x) ** 4)(X), 12 * np.sum(X) ** 2 * np.ones(6))
    near(wg.jacobian_diagonal(lambda x: x * 0 + 1)(X), np.zeros(6))
    near(wg.laplacian(lambda x: x)(2.0), np.float64(0.0))


def test_the_fields_of_the_books():
    """Of a rotation about an axis, curl is twice the axis; a gradient has none; a curl has no divergence."""
    at, axis = np.array([0.3, -0.7, 1.1]), np.array([1.0, 2.0, -0.5])
    near(wg.curl(lambda x: np.cross(axis, x))(at), 2 * axis)
    potential = lambda x: np.exp(x[0]) * np.sin(x[1]) * x[2] ** 2
    near(wg.curl(wg.grad(potential))(at), np.zeros(3))
    swirl = lambda x: np.stack([x[1] * x[2] ** 2, np.sin(x[0] * x[1]), x[0] * np.exp(x[2])])
    near(wg.divergence(wg.curl(swirl))(at), np.float64(0.0))
    near(wg.divergence(wg.grad(potential))(at), wg.laplacian(potential)(at))
    x, y, z = at
    near(wg.laplacian(lambda x: 1 / np.sqrt(np.sum(x * x)))(at), np.float64(0.0))  # harmonic
    near(wg.curl(swirl)(at), np.array([0.0, 2 * y * z - np.exp(z), y * np.cos(x * y) - z**2]))


def full(x):
    return np.sum(np.tanh(np.outer(x, x) + np.log(1 + np.sum(x * x)))) + np.prod(x[:3]) + np.max(x) ** 3 + np.linalg.det(np.eye(2) + np.outer(x[:2], x[3:5]))


@pytest.mark.parametrize("backend", [b for b in BACKENDS if "c" not in b.values])
def test_the_forward_laplacian_is_the_trace_of_the_hessian(backend, monkeypatch):
    expected = np.trace(wg.hessian(full)(X))
    near(wg.laplacian(full, backend=backend)(X), expected)
    monkeypatch.setattr(structured, "LARGEST", 0)
    near(wg.laplacian(full, backend=backend)(X), expected)


def test_the_forward_laplacian_within_a_trace(monkeypatch):
    both = lambda x, y: full(x) * y["a"] + y["a"] ** 4
    got = [wg.grad(lambda x: wg.laplacian(both, (0, 1))(x, {"a": 2.0}))(X)]
    got.append(wg.trace(lambda x: wg.laplacian(both, (0, 1))(x, {"a": 2.0}))(X))
    near(got[1], wg.laplacian(both, (0, 1))(X, {"a": 2.0}))
    monkeypatch.setattr(structured, "LARGEST", 0)
    near(wg.grad(lambda x: wg.laplacian(both, (0, 1))(x, {"a": 2.0}))(X), got[0], 1e-9)
    near(wg.laplacian(both, (0, 1))(X, {"a": 2.0}), got[1])


def test_laplacians_of_branches_and_loops():
    loop = lambda x: wg.scan(lambda c, v: (c * v + np.sum(x) ** 2, None), 1.0, x)[0]
    if_full = wg.trace(lambda x: full(x) if x[0] > 0 else np.sum(x**2))
    near(wg.laplacian(loop)(X), np.trace(wg.hessian(loop)(X)), 1e-9)
    for x in (X, X - 1):
        near(wg.laplacian(if_full)(x), np.trace(wg.hessian(if_full)(x)))
    with pytest.raises(wg.GuardError):
        wg.laplacian(if_full.graph(X))(X - 1)


def test_a_laplacian_takes_as_many_directions_as_arguments_meet(monkeypatch):
    """None where all meet: it is then a pass of its own."""
    count = []
    original = wg.Program.forward

    def forward(self, active, backend=None):
        run = original(self, active, backend)
        return lambda inputs, tangents: (count.append(len(tangents[0])), run(inputs, tangents))[1]

    monkeypatch.setattr(wg.Program, "forward", forward)
    x = np.linspace(0, 1, 50)
    for f, directions in ((lambda x: np.sum(np.exp(x)), 1), (lambda x: np.sum(x[1:] ** 2 * x[:-1] ** 2), 2), (lambda x: np.sum(x) ** 2, 0)):
        count.clear()
        wg.laplacian(f)(x)
        assert sum(count) == directions


def test_the_fisher_information_of_a_logistic_model():
    """With the loss of the natural parameters, Gauss-Newton is X' p (1 - p) X."""
    rng = np.random.default_rng(0)
    A, y, w, v = rng.normal(size=(20, 3)), rng.integers(0, 2, 20), rng.normal(size=3), rng.normal(size=3)
    nll = lambda z: np.sum(np.logaddexp(0.0, z) - y * z)
    p = 1 / (1 + np.exp(-A @ w))
    near(wg.gauss_newton_product(lambda w: A @ w, loss=nll)(w, v), A.T @ (p * (1 - p) * (A @ v)))
    scores = (y - p)[:, None] * A
    near(wg.fisher_product(lambda w: y * (A @ w) - np.logaddexp(0.0, A @ w))(w, v), scores.T @ (scores @ v))


def test_refusals():
    for f, message in (
        (lambda: wg.jacobian_diagonal(lambda x: x[1:])(X), "one array of its argument's shape"),
        (lambda: wg.jacobian_blocks(lambda m: m[1:])(M), "n entries to n entries"),
        (lambda: wg.curl(lambda x: x)(X), r"shapes \(3,\) to \(3,\)"),
        (lambda: wg.hessian_diagonal(field)(X), "one real number"),
        (lambda: wg.divergence(lambda x: x * 1j)(X), "complex arguments or results"),
        (lambda: wg.laplacian(lambda x: np.sum(abs(x)))(X + 1j), "complex arguments or results"),
        (lambda: wg.gauss_newton_product(lambda x: x * 1j)(X, V), "needs real results"),
    ):
        with pytest.raises(wg.DerivativeError, match=message):
            f()
    with pytest.raises(TypeError, match="last, the vector"):
        wg.hvp(energy)(X)
    with pytest.raises(TypeError, match="must have type"):
        wg.hvp(energy)(X, V[1:])
