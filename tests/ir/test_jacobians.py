"""The graph of a whole Jacobian is the one along all unit vectors, with less work."""

import os

import numpy as np
import pytest
from hypothesis import given, settings
from strategies import programs

import wengert as wg
from wengert.backends import protocol
from wengert.ir.jacobians import jacobian_graph, work
from wengert.ir.kinds import Contraction
from wengert.tracer.dense import basis

RNG = np.random.default_rng(0)
N = 6
A, B, Q = RNG.normal(size=(N, N)), RNG.normal(size=(4, N)), RNG.normal(size=(N, N))
X, Y = RNG.normal(size=N), RNG.normal(size=(2, 3))
AT = np.array([0, 5, 5, 2])
EXAMPLES = 400 if os.environ.get("WENGERT_SOAK") else 15

CASES = {
    "elementwise": lambda x, y: np.sin(x) * np.exp(x) - 3.0 * x,
    "moved": lambda x, y: np.concatenate([x[::2], x[:1] * 2.0, np.cos(y).T.ravel(), x[4:0:-1], np.pad(x, 1)[:3]]),
    "repeated": lambda x, y: np.outer(np.ones(2), x * x)[:, :3] + y[:1],
    "network": lambda x, y: np.tanh(A @ np.tanh(Q @ x)),
    "both arguments": lambda x, y: np.sin(B @ x) + np.sum(y * y) * np.array([1.0, 2.0, 0.0, -1.0]),
    "product of matrices": lambda x, y: y @ Q[:3] * x,
    "a sum": lambda x, y: np.sum(np.tanh(x) ** 2) + np.sum(A @ x * x),
    "sums of rows": lambda x, y: np.sum(y * y, axis=1) + np.mean(y) + np.sum(np.outer(x, x)[:, :2] * Q[:, :2], axis=0),
    "taken": lambda x, y: np.exp(x)[AT] * x[AT[::-1]],
    "put": lambda x, y: np.bincount(AT, x[:4] * 2.0, 7) + np.sum(y),
    "running": lambda x, y: np.cumsum(A @ x) * np.cumprod(x),
    "a call": lambda x, y: np.linalg.solve(A + np.diag(x), Q[0]) + np.sort(x),
    "one side": lambda x, y: np.where(x > 0, np.sqrt(abs(x)), np.where(X > 1, 0.0, x**3)),
    "a loop": lambda x, y: wg.scan(lambda c, r: (np.tanh(A @ c + r), c), x, np.outer(y[0], X))[0],
    "constant": lambda x, y: np.ones(3) * 2.0,
    "cast": lambda x, y: np.sin(x.astype(np.float32)).astype(float) * x,
    "log cosh": lambda x, y: wg.grad(lambda x: np.sum(np.log(np.cosh(A @ x))) + 0.5 * x @ Q @ x)(x),
}  # fmt: skip
EVERY = wg.trace(lambda x, y: tuple(f(x, y) for f in CASES.values())).graph(X, Y).graph


def by_sweeps(graph, active, inputs, *, forward):
    """The blocks by the numpy backend's own modes."""
    types, ends = [graph.inputs[i].type for i in active], [v.type for v in graph.outputs]
    run = protocol.get("numpy")
    lines = types if forward else ends
    cuts = np.cumsum([0, *(t.size for t in lines)])
    moved = run.forward(graph, active)(inputs, basis(types))[1] if forward else run.reverse(graph, active)(inputs, basis(ends))[1]
    pick = lambda i, j: np.moveaxis(moved[i][cuts[j] : cuts[j + 1]], 0, -1) if forward else moved[j][cuts[i] : cuts[i + 1]]
    return [pick(i, j).reshape((*of.shape, *wrt.shape)) for i, of in enumerate(ends) for j, wrt in enumerate(types)]


@pytest.mark.parametrize(("forward", "backend"), [(f, b) for f in (True, False) for b in ("numpy", "python")] + [(True, "c")])
def test_every_case(forward, backend):
    graph = jacobian_graph(EVERY, (0, 1), forward=forward)
    found = protocol.get(backend).compile(graph)([X, Y])
    expected = by_sweeps(EVERY, (0, 1), [X, Y], forward=forward)
    names = [name for name in CASES for _ in range(2)]
    for name, got, want in zip(names, found[len(CASES) : 3 * len(CASES)], expected, strict=True):
        assert got.dtype == want.dtype
        np.testing.assert_allclose(got, want, rtol=1e-6 if name == "cast" else 1e-11, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("forward", [True, False])
@settings(max_examples=EXAMPLES, deadline=None)
@given(programs())
def test_random_graphs(forward, program):
    """Also at infinities and NaN: these are where they are along every unit vector."""
    outputs = tuple(v for v in program.graph.outputs if v.type.dtype.kind == "f")
    graph, active = program.graph.evolve(outputs=outputs), program.active
    if not active or not outputs:
        return
    inputs = list(program.arguments)
    with np.errstate(all="ignore"):
        found = protocol.get("numpy").compile(jacobian_graph(graph, active, forward=forward))(inputs)
        expected = by_sweeps(graph, active, inputs, forward=forward)
    single = any(v.type.dtype == np.float32 for node in graph.nodes for v in node.results)
    for got, want in zip(found[len(outputs) :], expected, strict=False):
        rtol = 1e-3 if single or want.dtype == np.float32 else 1e-8
        size = np.max(np.abs(want[np.isfinite(want)]), initial=1.0)
        np.testing.assert_allclose(got, want, rtol=rtol, atol=rtol * size)


@pytest.mark.parametrize("forward", [True, False])
def test_nothing_flows_where_nothing_does(forward):
    """Unit vectors are zeros but for one element, and exact zeros against infinities and NaN are zero."""
    M = np.array([[np.inf, 1.0, 0.0], [np.nan, 0.0, 2.0], [0.0, -1.0, 3.0]])
    f = lambda x: np.sqrt(x) * M[0] + M @ (x * x)
    graph, x = wg.trace(f).graph(np.zeros(3)).graph, np.array([0.0, 1.0, 0.0])
    with np.errstate(all="ignore"):
        (_, found), (expected,) = protocol.get("numpy").compile(jacobian_graph(graph, (0,), forward=forward))([x]), by_sweeps(graph, (0,), [x], forward=forward)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("forward", "name", "products"), [(f, name, 1) for f in (True, False) for name in ("network", "log cosh")])
def test_as_much_as_by_hand(forward, name, products):
    """One product of two matrices, and of the others each once."""
    f = CASES[name]
    graph = jacobian_graph(wg.trace(lambda x: f(x, Y)).graph(X).graph, (0,), forward=forward)
    sizes = [len(set(node.params["subscripts"]) & set("abcdefghijklmnopqrstuvwxyz")) for node in graph.nodes if isinstance(node.op, Contraction)]
    assert sizes.count(3) == products
    assert work(graph) < N**3 + 16 * N**2


def test_a_diagonal_is_numbers_until_the_end():
    f = wg.trace(lambda x: np.sin(np.exp(x) * 2.0) + x).graph(X).graph
    for forward in (True, False):
        large = [node.op.name for node in jacobian_graph(f, (0,), forward=forward).nodes if node.result.type.size > N]
        assert set(large) <= {"place", "reshape"}
