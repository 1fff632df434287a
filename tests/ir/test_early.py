"""Sums taken before products: the same numbers from fewer products, and only where nobody needs more."""

import numpy as np
import pytest

import wengert as wg
from wengert.backends import protocol
from wengert.ir import autodiff
from wengert.ir.build import Builder
from wengert.ir.ops import OPS
from wengert.ir.passes import early
from wengert.ir.types import type_of
from wengert.ir.verify import verify

RNG = np.random.default_rng(3)


def graph_of(x, y, subscripts, axes, *, op="einsum", negative=False, read_twice=False):
    b = Builder()
    product = b.emit(OPS[op], [b.input(type_of(x)), b.input(type_of(y))], subscripts=subscripts)
    b.emit(OPS["sum"], [b.emit(OPS["negative"], [product]) if negative else product], axes=axes)
    return b.graph([b.nodes[-1].result, *[product] * read_twice])


def run(graph, *inputs):
    return protocol.get("numpy").compile(graph)(inputs)


@pytest.fixture
def early_sums(monkeypatch):
    """The pass, for the smallest programs too."""
    monkeypatch.setattr(early, "LEAST", 1)
    return early.early_sums


@pytest.mark.parametrize("negative", [False, True])
@pytest.mark.parametrize("op", ["einsum", "scale_einsum"])
@pytest.mark.parametrize(
    ("shapes", "subscripts", "axes", "left"),
    [
        (((7, 3), (3, 5)), "ij,jk->ik", (0,), "j,jk->k"),
        (((7, 3), (3, 5)), "ij,jk->ik", (0, 1), "j,j->"),
        (((4, 6, 3), (4, 5, 3)), "Aij,Asj->Ais", (1,), "Aj,Asj->As"),
        (((4, 6, 3), (4, 5, 3)), "Aij,Asj->sAi", (1, 2), "Aj,Asj->sA"),
        (((4,), (5,)), "i,j->ij", (0,), ",j->j"),
    ],
)
def test_factors_are_summed(shapes, subscripts, axes, left, op, negative, early_sums):
    x, y = (RNG.normal(size=shape) for shape in shapes)
    graph = graph_of(x, y, subscripts, axes, op=op, negative=negative)
    graph_early = early_sums(graph)
    verify(graph_early)
    assert [n.params["subscripts"] for n in graph_early.nodes if n.op.name == op] == [left]
    (wanted,), (got, holds) = run(graph, x, y), run(graph_early, x, y)
    assert holds
    np.testing.assert_allclose(got, wanted, rtol=1e-12, atol=1e-12)
    for bad in (np.nan, np.inf, 1.7e308):  # the last where only a sum is too large
        x[1], x[2] = bad, bad
        assert not run(graph_early, x, y * 1e-3)[-1]
    x[1], x[2], y[0] = 1, 1, np.inf
    assert not run(graph_early, x, y)[-1]


@pytest.mark.parametrize(
    ("shapes", "subscripts", "axes", "options"),
    [
        (((7, 3), (3, 5)), "ij,jk->ik", (0,), {"read_twice": True}),
        (((4, 6), (4, 6)), "Ai,Ai->Ai", (0,), {}),
        (((0, 3), (3, 5)), "ij,jk->ik", (0,), {}),
    ],
)
def test_left_alone(shapes, subscripts, axes, options, early_sums):
    assert early_sums(graph_of(*map(np.ones, shapes), subscripts, axes, **options)) is None


def test_integers_are_left_alone(early_sums):
    assert early_sums(graph_of(np.ones((2, 3), int), np.ones((3, 4), int), "ij,jk->ik", (0,))) is None


def distance(x, m, w):
    return np.sum(np.square((x - m) @ w))


def test_what_is_taken_from_each_row():
    x, m, w = RNG.normal(size=(200, 8)), RNG.normal(size=8), RNG.normal(size=(8, 8))
    graph = autodiff.vjp(wg.trace(distance).graph(x, m, w).graph, (1,))
    made = [n.result.type.shape for n in early.early_sums(graph).nodes if n.op.name == "scale_einsum"]
    assert made == [(8,)]


@pytest.mark.parametrize("times", [1, np.inf])
def test_a_factor_that_is_not_finite(times):
    """The exact program answers, from the first call on and through the entrance."""
    x, m, w = RNG.normal(size=(200, 8)), RNG.normal(size=8), RNG.normal(size=(8, 8))
    w[3, 4] *= times
    graph = wg.trace(distance).graph(x, m, w)
    grads = {name: wg.value_and_grad(graph.on(name), argnums=(1, 2)) for name in ("numpy", "c")}
    for _ in range(3):
        (value, found), (wanted, right) = grads["c"](x, m, w), grads["numpy"](x, m, w)
        for a, b in zip((value, *found), (wanted, *right), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-11)
    w[3, 4] = np.inf
    found, right = grads["c"](x, m, w)[1], grads["numpy"](x, m, w)[1]
    for a, b in zip(found, right, strict=True):
        np.testing.assert_array_equal(np.isnan(a), np.isnan(b))
