"""Threads that share a loop: the same bits, however many."""

import os

import numpy as np
import pytest

import wengert as wg
from wengert.backends.source.c import BACKEND, emit, work
from wengert.ir import autodiff
from wengert.ir.passes import tiling

pytestmark = pytest.mark.skipif(BACKEND.unavailable() is not None, reason="needs a C compiler")
RNG = np.random.default_rng(0)


@pytest.fixture
def shared(monkeypatch):
    """Every loop is long enough; afterwards the number of threads is what it was."""
    monkeypatch.setattr(work, "WORK", 1)
    monkeypatch.setattr(emit, "WORK", 1)
    before = wg.threads()
    yield
    wg.threads(before)


def energy(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def field(x):
    return np.sum(np.sin(x[:, 1:] * x[:, :-1]) * x[0, 0]) + np.sum(x[:, ::-1] ** 3)


@pytest.mark.parametrize(
    ("f", "shape"), [(energy, (5000,)), (energy, (70,)), (field, (3, 700)), (field, (900, 4)), (np.exp, (300,))]
)
def test_the_same_bits_however_many(f, shape, shared):
    x = RNG.normal(size=shape)
    program = wg.trace(f).graph(x)
    found = []
    for count in (1, 2, 5):
        assert wg.threads(count) == count == wg.threads()
        run = wg.vjp(program.on("c"), x)
        found.append((run[0], *run[1](np.ones(np.shape(run[0]))[()])))
    wanted = wg.vjp(program.on("numpy"), x)
    for value, gradient in found:
        np.testing.assert_array_equal(value, found[0][0])
        np.testing.assert_array_equal(gradient, found[0][1])
    np.testing.assert_allclose(found[0][0], wanted[0], rtol=1e-12)
    np.testing.assert_allclose(found[0][1], wanted[1](np.ones(np.shape(wanted[0]))[()])[0], rtol=1e-12, atol=1e-12)


def test_a_loop_that_trusts_is_run_again(shared):
    x = RNG.normal(size=6000)
    x[77] = np.inf
    with np.errstate(all="ignore"):
        wanted = wg.grad(wg.trace(energy).graph(x).on("numpy"))(x)
    np.testing.assert_array_equal(np.isnan(wg.grad(wg.trace(energy).graph(x).on("c"))(x)), np.isnan(wanted))


def test_threads_share_the_tiles_of_a_program(shared, monkeypatch):
    for name, value in (("SMALL", 8), ("LEAST", 0), ("GAIN", np.inf)):
        monkeypatch.setattr(tiling, name, value)
    X, W = RNG.normal(size=(200, 6)), RNG.normal(size=(6, 5))
    program = wg.trace(lambda X, W: np.sum(np.tanh(X @ W) ** 2)).graph(X, W)
    wg.threads(3)
    compiled = wg.grad(program.on("c"), argnums=(0, 1))
    assert "THREAD *" in emit.Program(tiling.tiled(autodiff.vjp(program.graph, (0, 1)), 3), "p", hosted=True).text()
    wanted = wg.grad(program.on("numpy"), argnums=(0, 1))(X, W)
    for count in (3, 1, 2):
        wg.threads(count)
        for got, want in zip(compiled(X, W), wanted, strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-11)


def test_a_loop_that_may_fail_is_not_shared(shared):
    x, y = np.arange(40).reshape(8, 5), np.arange(40).reshape(8, 5) % 3
    program = wg.trace(lambda x, y: (x**y, np.sum(1.5 * x**y))).graph(x, y).on("c")
    for got, want in zip(program(x, y), (x**y, np.sum(1.5 * x**y)), strict=True):
        np.testing.assert_array_equal(got, want)
    with pytest.raises(ValueError, match="negative integer powers"):
        program(x, -y)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_runs_alone(shared):
    x = RNG.normal(size=5000)
    gradient = wg.grad(wg.trace(energy).graph(x).on("c"))
    wg.threads(2)
    wanted = gradient(x)
    child = os.fork()
    if child == 0:
        os._exit(0 if wg.threads() == 1 and np.array_equal(gradient(x), wanted) else 1)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("count", [0, -1, 2.0, True, "2"])
def test_a_number_of_threads_is_asked_for_in_a_sentence(count):
    with pytest.raises(ValueError, match=r"at least 1; got"):
        wg.threads(count)
