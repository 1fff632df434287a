"""Graph-to-graph derivatives: what they are made of, and what they refuse."""

import numpy as np
import pytest

from wengert.backends.program import Program
from wengert.ir import autodiff, kinds
from wengert.ir.autodiff.transposition import pull
from wengert.ir.build import Builder, Namespace
from wengert.ir.errors import DerivativeError
from wengert.ir.ops import OPS
from wengert.ir.types import ArrayType
from wengert.ir.verify import verify

VECTOR = ArrayType("f8", (3,))
X, T = np.array([0.3, 1.2, 2.1]), np.array([1.0, -2.0, 0.5])


def sample_graph():
    b = Builder("sample")
    xp = Namespace(b)
    x, n = xp.wrap(b.input(VECTOR, "x")), xp.wrap(b.input(ArrayType("i8", (3,)), "n"))
    y = xp.sum(xp.tanh(x) * x[::-1], axis=0)
    return b.graph([y.value, (n + 1).value, xp.prod(x, axis=0).value])


def run(graph, *inputs):
    return Program(graph, "numpy").run(inputs)


def test_jvp_gives_values_then_tangents_of_inexact_outputs():
    graph = autodiff.jvp(sample_graph(), (0,))
    y, n, p, dy, dp = run(graph, X, np.arange(3), T)

    assert [v.name for v in graph.inputs] == ["x", "n", "d_x"]
    assert y == pytest.approx(np.sum(np.tanh(X) * X[::-1]))
    np.testing.assert_array_equal(n, [1, 2, 3])
    gradient = X[::-1] / np.cosh(X) ** 2 + np.tanh(X)[::-1]
    assert dy == pytest.approx(gradient @ T, rel=1e-14)
    assert dp == pytest.approx(np.prod(X) * np.sum(T / X), rel=1e-14)
    assert p == pytest.approx(np.prod(X))


def test_vjp_gives_values_then_cotangents_of_active_inputs():
    graph = autodiff.vjp(sample_graph(), (0,))
    *_, g = run(graph, X, np.arange(3), np.float64(2.0), np.float64(3.0))
    gradient = X[::-1] / np.cosh(X) ** 2 + np.tanh(X)[::-1]

    np.testing.assert_allclose(g, 2 * gradient + 3 * np.prod(X) / X, rtol=1e-14)


def test_linearize_computes_once_what_does_not_depend_on_the_tangent():
    parts = autodiff.linearize(sample_graph(), (0,))
    verify(parts.primal)
    verify(parts.linear)
    values = run(parts.primal, X, np.arange(3))
    dy, dp = run(parts.linear, *values[3:], T)
    *_, expected_y, expected_p = run(autodiff.jvp(sample_graph(), (0,)), X, np.arange(3), T)

    assert (dy, dp) == (pytest.approx(expected_y, rel=1e-15), pytest.approx(expected_p, rel=1e-15))
    transcendental = {"tanh", "cosh", "exp", "log"}
    assert not transcendental & {n.op.name for n in parts.linear.nodes}


def test_the_linear_part_holds_only_linear_ops():
    parts = autodiff.linearize(sample_graph(), (0,))
    for node in parts.linear.nodes:
        linear = isinstance(node.op, (kinds.Movement, kinds.Contraction, kinds.Cumulative, kinds.Indexing))
        assert linear or node.op.name == "sum" or (isinstance(node.op, kinds.Elementwise) and node.op.linear)


def test_derived_graphs_verify_and_differentiate_again():
    graph = sample_graph()
    for _ in range(2):
        active = tuple(i for i, v in enumerate(graph.inputs) if v.type.dtype.kind == "f")
        graph = autodiff.vjp(graph, active)
        verify(graph)


def test_an_inactive_operand_costs_no_partial():
    b = Builder()
    x, y = b.input(VECTOR), b.input(VECTOR)
    graph = b.graph([b.apply(OPS["power"], x, y)])

    assert "log" not in {n.op.name for n in autodiff.vjp(graph, (0,)).nodes}
    assert "log" in {n.op.name for n in autodiff.vjp(graph, (1,)).nodes}


def test_an_output_that_depends_on_nothing_has_zeros():
    b = Builder()
    x = b.input(VECTOR)
    graph = b.graph([b.apply(OPS["floor"], x)])

    np.testing.assert_array_equal(run(autodiff.jvp(graph, (0,)), X, T)[1], np.zeros(3))
    np.testing.assert_array_equal(run(autodiff.vjp(graph, (0,)), X, T)[1], np.zeros(3))


def test_a_nonlinear_node_is_not_transposed():
    b = Builder()
    x = b.input(VECTOR)
    y = b.apply(OPS["exp"], x)
    with pytest.raises(DerivativeError, match="exp is not linear in operand 0"):
        pull(b, list(b.nodes), {x, y}, {y: b.input(VECTOR)})


def test_guards_stay_with_the_primal():
    b = Builder()
    x = b.input(ArrayType("f8", ()))
    b.guard(b.apply(OPS["less"], x, b.constant(1.0)), expected=True)
    graph = b.graph([b.apply(OPS["exp"], x)])

    assert len(autodiff.vjp(graph, (0,)).guards) == len(autodiff.jvp(graph, (0,)).guards) == 1
