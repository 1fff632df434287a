"""Work on samples, a tile at a time: the same values, whatever runs side by side and whatever is summed."""

import numpy as np
import pytest

import wengert as wg
from wengert.backends import protocol
from wengert.ir import autodiff
from wengert.ir.passes import tiles
from wengert.ir.passes.tiling import tiled
from wengert.ir.verify import verify

RNG = np.random.default_rng(5)


def normal(*shape):
    return RNG.normal(size=shape)


def logistic(w, X, y):
    z = X @ w
    return np.mean(np.log1p(np.exp(-np.abs(z))) + np.maximum(z, 0) - z * y)


def mixture(a, m, L, x):
    d = np.einsum("kij,nkj->kni", L, x[:, None] - m)
    inner = a - 0.5 * np.sum(d * d, axis=2).T
    top = np.max(inner, axis=1, keepdims=True)
    return np.sum(top[:, 0] + np.log(np.sum(np.exp(inner - top), axis=1))), inner


def standardised(x, w):  # one region needs what another sums
    centred = x - np.mean(x, axis=0)
    return np.sum(np.tanh(centred / np.sqrt(np.mean(centred**2, axis=0) + 1) @ w)), centred


def sequences(x, w):  # lanes in the middle, a running sum along another axis, joined and flipped
    y = np.cumsum(x @ w, axis=2)[:, :, ::-1]
    return np.concatenate([y, y * y], axis=2).transpose(1, 0, 2)[:, 1:], np.sum(y, axis=(0, 2))


def looked_up(table, x, i):
    return np.sum((table[i] @ x) ** 2), table[i]


def in_columns(x, w):
    return np.sum(np.sin(w @ x), axis=0) @ x.T, np.max(x)


def unpacked(x, w):  # rows that are no axis of what they are taken from
    rows = x.reshape(48, 4)
    return np.sum(np.tanh(rows @ w) ** 2), np.sin(rows) * rows


CASES = {
    "logistic": (logistic, (normal(3), normal(50, 3), 1.0 * (normal(50) > 0))),
    "mixture": (mixture, (normal(4), normal(4, 3), normal(4, 3, 3), normal(70, 3))),
    "standardised": (standardised, (normal(64, 3), normal(3, 2))),
    "sequences": (sequences, (normal(2, 40, 5), normal(5, 4))),
    "looked_up": (looked_up, (normal(6, 3), normal(3), RNG.integers(0, 6, 48))),
    "in_columns": (in_columns, (normal(3, 45), normal(2, 3))),
    "unpacked": (unpacked, (normal(192), normal(4, 2))),
}


@pytest.fixture
def eager(monkeypatch):
    """Tiles whatever can be tiled."""
    monkeypatch.setattr(tiles, "LEAST", 0)
    monkeypatch.setattr(tiles, "GAIN", np.inf)
    monkeypatch.setattr(tiles, "FEWEST", 3)


@pytest.mark.parametrize(("parts", "last"), [(1, False), (3, False), (3, True)])
@pytest.mark.parametrize("derived", ["value", "vjp", "jvp"])
@pytest.mark.parametrize("name", CASES)
def test_same_values(name, derived, parts, last, eager, monkeypatch):
    monkeypatch.setattr(tiles, "SMALL", 4096 if parts == 1 else 8)
    monkeypatch.setattr(tiles, "SHARED", 1024 if last else 0)
    monkeypatch.setattr(tiles, "WORTH", -1 if last else 1 << 60)
    function, args = CASES[name]
    graph = wg.trace(function).graph(*args).graph
    active = tuple(i for i, v in enumerate(graph.inputs) if v.type.dtype.kind == "f")
    if derived != "value":
        graph = getattr(autodiff, derived)(graph, active)
    inputs = [*args, *(normal(*v.type.shape) for v in graph.inputs[len(args) :])]
    result = tiled(graph, parts)
    verify(result)
    assert any(node.op.name == "scan" for node in result.nodes)
    run = protocol.get("numpy").compile
    for got, wanted in zip(run(result)(inputs), run(graph)(inputs), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-11, atol=1e-12)


def test_infinities_stay_where_they_are(eager):
    w, X, y = CASES["logistic"][1]
    X = X.copy()
    X[7, 1], X[30] = np.inf, np.nan
    graph = autodiff.vjp(wg.trace(logistic).graph(w, X, y).graph, (0, 1))
    run = protocol.get("numpy").compile
    with np.errstate(all="ignore"):
        for got, wanted in zip(run(tiled(graph))([w, X, y, np.ones(())]), run(graph)([w, X, y, np.ones(())]), strict=True):
            np.testing.assert_array_equal(np.isnan(got), np.isnan(wanted))


def test_lanes_lie_last_where_lines_are_short():
    """In three dimensions the lines of samples are longer; in a hundred, lines are long as they are."""
    for width, last in ((3, True), (100, False)):
        a, m, L, x = normal(8), normal(8, width), normal(8, width, width), np.zeros((5000, width))
        graph = autodiff.vjp(wg.trace(lambda *v: mixture(*v)[0]).graph(a, m, L, x).graph, (0, 1, 2))
        (scan,) = (node for node in tiled(graph).nodes if node.op.name == "scan")
        rows = 5000 // scan.params["length"]
        assert (scan.operands[-1].type.shape[-1] == rows) == last


def test_left_alone_where_nothing_is_gained():
    for name, (function, args) in CASES.items():
        graph = wg.trace(function).graph(*args).graph
        assert tiled(graph) is graph, name


def test_left_alone_where_all_rows_are_the_same(eager):
    program = lambda w, V: np.sum(np.tanh(np.broadcast_to(w, (60, 3)) @ V) ** 2, axis=0)
    graph = wg.trace(program).graph(normal(3), normal(3, 5)).graph
    assert tiled(graph) is graph


def test_a_large_program_is_tiled():
    w, X, y = normal(100), np.zeros((20_000, 100)), np.zeros(20_000)
    graph = autodiff.vjp(wg.trace(logistic).graph(w, X, y).graph, (0,))
    (scan,) = (node for node in tiled(graph).nodes if node.op.name == "scan")
    assert 100 * 8 * (20_000 // scan.params["length"]) <= 1 << 20  # a tile of X stays in the cache


def test_a_large_tile_is_cut_again():
    """Along the components; what is made of a sample and a mean is made again, and not kept for the reverse sweep."""
    args = normal(50), normal(50, 64), normal(50, 64, 64), np.zeros((1000, 64))
    graph = autodiff.vjp(wg.trace(lambda *v: mixture(*v)[0]).graph(*args).graph, (0, 1, 2))
    (samples,) = (node for node in tiled(graph).nodes if node.op.name == "scan")
    components = [node for node in samples.params["graph"].nodes if node.op.name == "scan"]
    made = [[inner.op.name for inner in node.params["graph"].nodes] for node in components]
    assert len(made) > 1
    assert sum("subtract" in names and any("einsum" in name for name in names) for names in made) > 1
    assert sum(v.type.ndim == 4 and v.type.shape[-1] == 64 for node in components for v in node.results) < 3
