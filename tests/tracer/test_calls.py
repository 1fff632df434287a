"""``@trace(call=True)``: within another trace a call stays a call, of one sub-graph however often it is made."""

import numpy as np
import pytest
from batches import BACKENDS

import wengert as wg
from wengert.ir.errors import TraceError

W = np.arange(9.0).reshape(3, 3) / 10
X = np.array([0.3, 1.2, 2.1])


def plain(h, w):
    return np.tanh(h @ w) + h


layer = wg.trace(plain, call=True)


def model(layer):
    def f(x, w):
        for _ in range(6):
            x = layer(x, w)
        return (x * x).sum()

    return f


def test_many_calls_are_nodes_of_one_graph():
    graph = wg.trace(model(layer)).graph(X, W).graph
    calls = [node for node in graph.nodes if node.op.name == "call"]
    assert len(calls) == 6
    assert len({id(node.params["graph"]) for node in calls}) == 1
    assert len(graph.nodes) == 8
    assert str(graph).count("tanh") == 1
    assert "test_calls.model.<locals>.f" in str(calls[0].location)


@pytest.mark.parametrize("backend", BACKENDS)
def test_values_and_derivatives_are_the_functions(backend):
    with wg.backend(backend):
        for take in (lambda f: wg.trace(f)(X, W), lambda f: wg.grad(f, argnums=1)(X, W), lambda f: wg.hessian(f)(X, W)):
            np.testing.assert_allclose(take(model(layer)), take(model(plain)), rtol=1e-12)


def test_outside_a_trace_and_with_known_arguments_it_is_as_ever():
    assert layer(X, W) == pytest.approx(plain(X, W))
    graph = wg.trace(lambda x: x * layer(X, W)).graph(X).graph
    assert "call" not in {node.op.name for node in graph.nodes}


def test_guards_are_the_callers():
    @wg.trace(call=True)
    def folded(x):
        return x if x.sum() > 0 else -x

    f = wg.trace(lambda x: folded(x) * folded(2 * x))
    for x in (X, -X):
        np.testing.assert_allclose(f(x), 2 * X * X)
    assert len(f.graph(X).graph.guards) == 2


def test_what_it_reads_from_outside_is_given_to_it():
    table = X.copy()

    def f(x):
        inner = wg.trace(lambda y: y * x + table, call=True)
        return inner(x) + inner(2 * x)

    f = wg.trace(f)
    np.testing.assert_allclose(f(X), 3 * X * X + 2 * X)
    table += 1
    np.testing.assert_allclose(f(X), 3 * X * X + 2 * X + 2)
    np.testing.assert_allclose(wg.grad(lambda x: f(x).sum())(X), 6 * X)
    assert [node.op.name for node in f.graph(X).graph.nodes].count("call") == 2


def test_structures_statics_and_methods():
    class Model:
        factor = 3.0

        @wg.trace(call=True)
        def step(self, pair, kind="sin"):
            return {"y": getattr(np, kind)(pair[0]) * self.factor, "z": pair[1]}

    def f(x):
        made = Model().step((x, 2 * x))
        return Model().step((made["y"], made["z"]), kind="cos")

    got = wg.trace(f)(X)
    np.testing.assert_allclose(got["y"], 3 * np.cos(3 * np.sin(X)))
    np.testing.assert_allclose(got["z"], 2 * X)


def test_random_numbers_go_on():
    @wg.trace(call=True)
    def noisy(x, rng):
        return x + rng.normal(size=3)

    def f(x, rng):
        return noisy(x, rng) - 2 * noisy(x, rng)

    rng, other = np.random.default_rng(5), np.random.default_rng(5)
    expected = (X + other.normal(size=3)) - 2 * (X + other.normal(size=3))
    np.testing.assert_allclose(wg.trace(f)(X, rng), expected)
    assert rng.normal() == other.normal()


def test_in_a_loop_and_of_a_call():
    twice = wg.trace(lambda x: layer(layer(x, W), W), call=True)
    f = lambda x: wg.scan(lambda c, v: (twice(c) * v, None), x, X)[0]
    g = lambda x: wg.scan(lambda c, v: (plain(plain(c, W), W) * v, None), x, X)[0]
    np.testing.assert_allclose(wg.jacobian(f)(X), wg.jacobian(g)(X), rtol=1e-12)


def test_writing_into_an_argument_is_refused():
    @wg.trace(call=True)
    def doubled(x):
        x *= 2
        return x

    with pytest.raises(TraceError, match="an argument of the traced function is modified in place"):
        wg.trace(lambda x: doubled(x.copy()))(X)


def test_options_are_kept():
    assert wg.trace(layer).call
    assert layer.on("python").call
    assert wg.trace(call=True)(plain).call
