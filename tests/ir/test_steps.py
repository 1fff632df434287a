"""Steps of loops on a few numbers, taken apart: the same values and derivatives."""

import numpy as np
import pytest

import wengert as wg
from wengert.backends import protocol
from wengert.ir import autodiff
from wengert.ir.passes.steps import small_steps
from wengert.ir.verify import verify

X = np.array([1.0, 0.5])
TIMES = np.linspace(0, 1, 12)


def runge_kutta(x, rates):
    def slope(x):
        return np.stack([rates[0] * x[0] - rates[1] * x[0] * x[1], rates[2] * x[0] * x[1] - x[1]])

    def step(x, t):
        a = slope(x)
        b = slope(x + 0.05 * a)
        return x + 0.1 * (a + b) * np.cos(t), np.sum(x * b)

    last, energies = wg.scan(step, x, TIMES)
    return np.sum(last**2), energies


def rotated(x, angle):
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return wg.fori_loop(0, 9, lambda i, x: turn @ x[::-1] / (1 + i), x)


def stopped(x):
    return wg.while_loop(lambda s: s[1] < 20, lambda s: (s[0][::-1] * 1.1 + s[1], s[1] + s[0][0] ** 2 + 1), (x, 0.0))


CASES = {
    "runge_kutta": (runge_kutta, (X, np.array([1.5, 1.0, 0.8]))),
    "rotated": (rotated, (X, 0.3)),
    "stopped": (stopped, (X,)),
}


@pytest.mark.parametrize("derived", ["value", "vjp", "jvp"])
@pytest.mark.parametrize("name", CASES)
def test_same_values(name, derived):
    function, args = CASES[name]
    graph = wg.trace(function).graph(*args).graph
    if derived != "value":
        graph = getattr(autodiff, derived)(graph, tuple(range(len(args))))
    rng = np.random.default_rng(0)
    inputs = [np.asarray(x, v.type.dtype) for x, v in zip(args, graph.inputs, strict=False)]
    inputs += [rng.normal(size=v.type.shape) for v in graph.inputs[len(args) :]]
    result = small_steps(graph)
    assert result is not graph
    verify(result)
    run = protocol.get("numpy").compile
    for got, wanted in zip(run(result)(inputs), run(graph)(inputs), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-13, atol=1e-13)


def test_large_steps_are_left_alone():
    W = np.ones((9, 9)) / 9
    graph = wg.trace(lambda x: wg.fori_loop(0, 4, lambda i, x: np.tanh(W @ x), x)).graph(np.ones(9)).graph
    assert small_steps(graph) is graph
