"""Backend c on long arrays of short rows: what is read, computed and written together."""

import re

import numpy as np
import pytest

import wengert as wg
from wengert.backends import protocol
from wengert.backends.source.c import BACKEND, emit
from wengert.backends.source.c.build import build
from wengert.backends.source.c.loops import blocked, fused
from wengert.backends.source.c.planning import work
from wengert.backends.source.c.planning.plan import ROWS
from wengert.ir import autodiff

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


def seen(camera, point):
    """Where a camera (a quaternion, a place, a focal length) sees a point."""
    turn, axis = camera[0], camera[1:4]
    t = 2.0 * np.cross(axis, point)
    x = point + turn * t + np.cross(axis, t) + camera[4:7]
    return camera[7] * x[:2] / x[2]


CAMERAS = RNG.normal(size=(300, 8)) + np.array([0, 0, 0, 0, 0, 0, 9, 800])
POINTS = RNG.normal(size=(300, 3))


def test_blocks_of_a_jacobian():
    """One loop over the rows, which writes rows; the same on all backends."""
    blocks = wg.vmap(wg.jacobian(seen, argnums=(0, 1)))
    graph = wg.trace(blocks).graph(CAMERAS, POINTS)
    text = wg.source(graph, "c")
    assert len(re.findall(r"static void k\d+\(", text)) == 1
    assert "_workspace(void)\n{\n    return 0;" in text
    same_as_numpy(graph.graph, [CAMERAS, POINTS])
    few = CAMERAS[:2], POINTS[:2]
    for name in ("reference", "python", "numpy", "c"):
        for got, want in zip(wg.trace(blocks, backend=name)(*few), graph.on("c")(CAMERAS, POINTS), strict=True):
            np.testing.assert_allclose(got, want[:2], rtol=1e-12, atol=1e-12)


def test_a_loss_and_its_gradient_are_one_loop():
    def loss(cameras, points):
        return np.sum(np.tanh(wg.vmap(seen)(cameras, points)) ** 2)

    graph = wg.trace(wg.value_and_grad(loss, argnums=(0, 1))).graph(CAMERAS, POINTS).graph
    assert len(re.findall(r"static void k\d+\(", BACKEND.emit(graph))) == 1
    near = CAMERAS * ([1.0] * 7 + [1e-3])
    same_as_numpy(graph, [near, POINTS])


def joined(x, y):
    """Rows of what is computed, given, the same in every row, and there twice; and a sum of what is computed."""
    r = np.sqrt(x[:, 0] ** 2 + x[:, 3] ** 2)
    far = r > 1.0 + x[:, 2] * x[:, 4] * x[:, 5] * x[:, 6] * x[:, 7] * x[:, 8]
    bent = np.where(far, np.sin(y) / r, x[:, 1] * y)
    out = np.stack([bent, r, np.full(len(y), 0.5), x[:, 2], bent, y[::-1], x[:, 8], r * r, -bent], axis=1)
    return out, np.sum(bent * r), np.where(far, bent, -bent) + 1.0, np.concatenate([r[:, None], x, y[:, None]], axis=1)


@pytest.mark.parametrize(("n", "part"), [(128, 250), (131, 9)])
def test_rows_in_blocks(n, part, monkeypatch):
    """In loops of few statements too, shared by threads, with zeros, NaN, infinities and huge angles."""
    monkeypatch.setattr(blocked, "PART", part)
    monkeypatch.setattr(blocked, "EACH", 0)
    if part < 10:
        monkeypatch.setattr(work, "WORK", 1)
        monkeypatch.setattr(fused, "LONG", 1)
    x, y = RNG.normal(size=(n, 9)), RNG.normal(size=n)
    graph = wg.trace(joined).graph(x, y).graph
    text = emit.Program(graph, "p", hosted=True).text()
    assert f"+ {ROWS} <" in BACKEND.emit(graph)
    assert all(f"turn_f64({to_rows}, " in text for to_rows in (0, 1))  # rows of eight numbers and more
    for values in ((), (0.0, np.nan, np.inf, 1e300)):
        x[: len(values), 0], y[len(y) - len(values) :] = values, values
        same_as_numpy(graph, [x, y])
    derived = autodiff.vjp(graph, (0, 1))
    seeds = [np.ones(v.type.shape) for v in derived.inputs[2:]]
    seeds[0][::3] = 0.0
    same_as_numpy(derived, [x, y, *seeds])
