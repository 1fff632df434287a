# ruff: noqa: PLC3002 (users' code is of every style)
"""Derivatives within traced functions: closures over outer traced values, modes mixed, graphs called."""

import numpy as np
import pytest

from wengert import GuardError, grad, hessian, hvp, jacobian, jvp, linearize, stop_gradient, trace, value_and_grad, vjp
from wengert.tracer import matrices

X = np.array([0.3, 0.5, 0.7])
ONES = np.ones(3)


def s(x):
    return (np.sin(x) * x**2).sum()


D1 = np.cos(X) * X**2 + 2 * X * np.sin(X)
D2 = -np.sin(X) * X**2 + 4 * X * np.cos(X) + 2 * np.sin(X)

CASES = {
    "grad": (lambda x: grad(s)(x) * 2, 2 * D1),
    "value_and_grad": (lambda x: value_and_grad(s)(x)[1] + value_and_grad(s)(x)[0], D1 + s(X)),
    "closure": (lambda x: grad(lambda y: (y * x).sum())(x * 2), X),
    "hvp": (lambda x: hvp(s)(x, x), D2 * X),
    "hessian": (lambda x: hessian(s)(x) @ x, D2 * X),
    "jacobian forward": (lambda x: jacobian(lambda y: np.sin(y) * x, mode="forward")(x), np.diag(np.cos(X) * X)),
    "jacobian reverse": (lambda x: jacobian(lambda y: np.sin(y) * x, mode="reverse")(x), np.diag(np.cos(X) * X)),
    "vjp": (lambda x: vjp(lambda y: y * x, x)[1](x)[0], X**2),
    "pullback twice": (lambda x: (lambda v, p: p(x)[0] + p(v)[0])(*vjp(lambda y: y * y, x)), 2 * X**2 + 2 * X**3),
    "linearize": (lambda x: (lambda v, l: l(x) + v)(*linearize(lambda y: y * y * x, x)), 3 * X**3),
    "jvp": (lambda x: jvp(lambda y: y * x, (x,), (x,))[1], X**2),
    "traced primal only": (lambda x: jvp(s, (x,), (ONES,))[1] * ONES, D1.sum() * ONES),
    "traced tangent only": (lambda x: jvp(lambda y: y**2, (X,), (x,))[1], 2 * X * X),
    "traced cotangent only": (lambda x: vjp(lambda y: y**2, X)[1](x)[0], 2 * X * X),
    "in a loop": (lambda x: np.stack([grad(np.sin)(v) for v in x]), np.cos(X)),
    "of a program": (lambda x: grad(trace(s).graph(X))(x), D1),
    "of a traced function": (lambda x: grad(trace(s))(x), D1),
    "three deep": (lambda x: grad(lambda y: grad(lambda z: grad(lambda w: (w * z * y * x).sum())(z).sum())(y).sum())(x), np.zeros(3) + X),
    "stop_gradient": (lambda x: grad(lambda y: (stop_gradient(y) * y * x).sum())(x), X * X),
    "nested arguments": (lambda x: grad(lambda p: (p["a"] * p["b"][0] * x).sum())({"a": x, "b": [2.0]})["a"], 2 * X),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_within_a_trace(name):
    f, want = CASES[name]
    np.testing.assert_allclose(trace(f)(X), want, rtol=1e-12)
    np.testing.assert_allclose(f(X), want, rtol=1e-12)  # without a trace around it
    np.testing.assert_allclose(trace(f).graph(X)(X), want, rtol=1e-12)


@pytest.mark.parametrize("name", [n for n in CASES if n not in ("three deep", "stop_gradient")])
@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_differentiated_again(name, mode):
    f, _ = CASES[name]
    step = 1e-6
    columns = [(f(X + step * e) - f(X - step * e)) / (2 * step) for e in np.eye(3)]
    np.testing.assert_allclose(jacobian(f, mode=mode)(X), np.stack(columns, -1), rtol=1e-6, atol=1e-8)


def test_modes_mixed():
    np.testing.assert_allclose(grad(lambda x: jvp(s, (x,), (ONES,))[1])(X), D2)
    np.testing.assert_allclose(jvp(grad(s), (X,), (ONES,))[1], D2)
    np.testing.assert_allclose(vjp(lambda x: jvp(s, (x,), (ONES,))[1], X)[1](1.0)[0], D2)
    np.testing.assert_allclose(jacobian(grad(s), mode="forward")(X), np.diag(D2))
    np.testing.assert_allclose(grad(grad(grad(lambda x: x**4)))(2.0), 48.0)
    np.testing.assert_allclose(grad(lambda x: grad(lambda y: (y**2 * x).sum())(x).sum())(X), 4 * X)
    assert grad(lambda a: grad(lambda b: a * b**3)(2.0))(5.0) == 12.0


def test_perturbations_are_not_confused():
    assert grad(lambda x: x * grad(lambda y: x + y)(1.0))(3.0) == 1.0
    assert jvp(lambda x: x * jvp(lambda y: x + y, (1.0,), (1.0,))[1], (3.0,), (1.0,))[1] == 1.0


def test_a_pullback_outlives_the_arrays_it_was_made_from():
    x, w = X.copy(), X.copy()
    value, pullback = vjp(lambda y: y * y * w, x)
    apply = linearize(lambda y: y * y * w, x)[1]
    x[:], w[:], value[:] = 0.0, 0.0, 0.0
    np.testing.assert_allclose(pullback(ONES)[0], 2 * X * X)
    np.testing.assert_allclose(apply(ONES), 2 * X * X)


def test_what_does_not_depend_has_a_zero_derivative():
    np.testing.assert_array_equal(grad(lambda a, b: (a * a).sum(), argnums=1)(X, X), np.zeros(3))
    np.testing.assert_array_equal(grad(lambda a: 3.0)(X), np.zeros(3))
    np.testing.assert_array_equal(trace(lambda x: grad(lambda a: 3.0)(x))(X), np.zeros(3))


def test_a_traced_function_within_a_trace_is_part_of_it():
    inner = trace(lambda y: (y * 2).sum())
    np.testing.assert_allclose(grad(lambda x: inner(x * x))(X), 4 * X)
    assert trace(lambda x: inner(x) + inner(x)).graph(X)(X) == 4 * X.sum()


def test_a_pullback_is_of_its_point_in_every_trace():
    x = np.array([0.5, 1.0])
    _, pullback = vjp(lambda x, k: np.sin(x) * k, x, 2.0)
    _, linear = linearize(lambda x, k: np.sin(x) * k, x, 2.0)
    slope = 2 * np.cos(x)
    x[:] = 7.0  # after the fact

    for _ in range(2):
        back = grad(lambda g: np.sum(pullback(g)[0] ** 2))(np.ones(2))
        along = grad(lambda t: np.sum(linear(t, 0.0) ** 2))(np.ones(2))
        np.testing.assert_allclose(back, 2 * slope**2, rtol=1e-14)
        np.testing.assert_allclose(along, 2 * slope**2, rtol=1e-14)


def narrow(x, y):
    """Two arguments, two results, a branch."""
    if x[0] > 0:
        x = x * 2
    return {"a": np.tanh(x * y), "b": (x @ x) * y}


@pytest.mark.parametrize("at_once", [1 << 22, 0])
@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_a_jacobian_in_a_trace_is_one_sweep_or_one_loop(mode, at_once, monkeypatch):
    monkeypatch.setattr(matrices, "AT_ONCE", at_once)
    of = jacobian(narrow, argnums=(0, 1), mode=mode)
    want = of(X, 0.5)
    program = trace(of).graph(X, 0.5)
    got = program(X, 0.5)
    for name in "ab":
        for here, there in zip(got[name], want[name], strict=True):
            assert here.shape == there.shape
            np.testing.assert_allclose(here, there, rtol=1e-12)
    assert len(program.graph.nodes) == len(trace(of).graph(np.tile(X, 10), 0.5).graph.nodes)  # however many columns or rows
    with pytest.raises(GuardError, match="narrow"):
        program(-X, 0.5)
    inner = lambda x: jacobian(narrow, mode=mode)(x, 0.5)["a"].sum()
    np.testing.assert_allclose(grad(inner)(X), grad(lambda x: (1 - np.tanh(x) ** 2).sum())(X), rtol=1e-12)
    np.testing.assert_allclose(hessian(inner)(X), hessian(lambda x: (1 - np.tanh(x) ** 2).sum())(X), rtol=1e-10, atol=1e-12)
