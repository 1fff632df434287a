"""Backend c on long arrays of short rows: what is read, computed and written together."""

import numpy as np
import pytest

import wengert as wg
from wengert.backends import protocol
from wengert.backends.source.c import BACKEND
from wengert.backends.source.c.build import build

RNG = np.random.default_rng(0)
pytestmark = pytest.mark.skipif(BACKEND.unavailable() is not None, reason=str(BACKEND.unavailable()))


def same_as_numpy(graph, inputs, run=None):
    """What a graph gives in C, compared with the numpy backend's arrays."""
    found = (run or BACKEND.compile(graph))(inputs)
    with np.errstate(all="ignore"):
        expected = protocol.get("numpy").compile(graph)(inputs)
    for got, want in zip(found, expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-13)


def test_loops_over_pieces_are_not_run_with_strides():
    """Two loops that read the same rows stay two, where one computes what the other reads column by column."""

    def f(u, x):
        return np.sum(np.cross(u, x + np.cross(u, x)) ** 2)

    u, x = RNG.normal(size=(2, 400, 3))
    graph = wg.trace(wg.grad(f, argnums=(0, 1))).graph(u, x).graph
    same_as_numpy(graph, [u, x], run=build(graph))
