"""Small axes taken apart: the same numbers, whatever the program does."""

import os

import numpy as np
import pytest
from hypothesis import given, settings
from strategies import programs

import wengert as wg
from wengert.backends import protocol
from wengert.backends.vectorized import APART
from wengert.ir.batching import batch
from wengert.ir.passes.components import components, taken_apart

RNG = np.random.default_rng(0)
EXAMPLES = 400 if os.environ.get("WENGERT_SOAK") else 20
N = 50  # more than any other size
LANES = APART["lanes"]


def turned(r, x):
    """Each row of x turned about its r, projected, and stretched by a matrix of its own."""
    angle = np.sqrt(np.sum(r * r, axis=1, keepdims=True))
    axis = r / angle
    y = x * np.cos(angle) + np.cross(axis, x) * np.sin(angle) + axis * np.sum(axis * x, axis=1, keepdims=True) * (1.0 - np.cos(angle))
    flat = y[:, :2] / y[:, 2:]
    stretched = np.einsum("nij,nj->ni", r[:, :2, None] * x[:, None, :2], flat)
    return np.stack([flat, stretched], axis=1), np.pad(flat, ((0, 0), (1, 2)))[:, ::-1], np.where(flat > 0, flat, 0.0) @ np.array([[1.0, 2.0], [3.0, 4.0]])


def run(graph, inputs):
    with np.errstate(all="ignore"):
        return protocol.get("reference" if len(inputs[0]) < 3 else "numpy").compile(graph)(inputs)


@pytest.mark.parametrize("n", [1, LANES])
def test_a_function_of_rows(n):
    r, x = RNG.normal(size=(2, n, 3))
    graph = wg.trace(turned).graph(r, x).graph
    apart = taken_apart(graph, n)
    assert all(v.type.ndim < 2 for node in apart.nodes if node.op.kind == "Elementwise" for v in node.results)
    for got, want, plain in zip(run(apart, [r, x]), run(graph, [r, x]), turned(r, x), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-13, atol=1e-14)
        np.testing.assert_allclose(got, plain, rtol=1e-12, atol=1e-13)


@settings(max_examples=EXAMPLES, deadline=None)
@given(programs(loops=False))
def test_lanes_of_random_graphs(program):
    """Of all kinds of nodes, taken apart or not, at infinities and NaN too."""
    graph, _ = batch(program.graph, [0] * len(program.graph.inputs), N)
    inputs = [np.stack([np.roll(x, i) for i in range(N)]) for x in program.arguments]
    for got, want in zip(run(taken_apart(graph, N), inputs), run(graph, inputs), strict=True):
        assert got.dtype == want.dtype
        if want.dtype.kind in "fc":
            rtol = 1e-3 if any(v.type.dtype in (np.float32, np.complex64) for node in graph.nodes for v in node.results) else 1e-9
            np.testing.assert_allclose(got, want, rtol=rtol, atol=rtol * np.max(np.abs(want[np.isfinite(want)]), initial=1.0))
        else:
            np.testing.assert_array_equal(got, want)


def test_only_where_it_is_a_gain():
    W, x = RNG.normal(size=(3, 4)), RNG.normal(size=(LANES, 3))
    network = lambda x: np.tanh(np.tanh(x @ W) @ W.T)
    for f, arguments in ((network, (x,)), (np.sin, (x,)), (turned, (x[:100], x[:100])), (np.cumsum, (x,))):
        graph = wg.trace(f).graph(*arguments).graph
        assert components(graph, **APART) is graph
    graph = wg.trace(turned).graph(x, x).graph
    assert components(graph, **APART) is not graph
