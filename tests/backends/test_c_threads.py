"""Threads that share a loop: the same bits, however many."""

import ctypes
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import wengert as wg
from wengert.backends.source.c import BACKEND, emit
from wengert.backends.source.c.machine import threads
from wengert.backends.source.c.machine.cache import load
from wengert.backends.source.c.planning import work
from wengert.backends.source.c.products import blas
from wengert.ir import autodiff
from wengert.ir.passes import tiles
from wengert.ir.passes.tiling import tiled

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


def moved(x):  # gathers, copies in another order, many small products
    y = x[np.arange(len(x))[::-1] // 2].reshape(-1, 4, 9)
    return np.cumsum(y @ y.transpose(0, 2, 1), axis=2) + (y @ np.arange(9.0))[:, None]


@pytest.mark.parametrize(
    ("f", "shape"),
    [(energy, (5000,)), (energy, (70,)), (field, (3, 700)), (field, (900, 4)), (np.exp, (300,)), (moved, (12, 36))],
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
        monkeypatch.setattr(tiles, name, value)
    X, W = RNG.normal(size=(200, 6)), RNG.normal(size=(6, 5))
    program = wg.trace(lambda X, W: np.sum(np.tanh(X @ W) ** 2)).graph(X, W)
    wg.threads(3)
    compiled = wg.grad(program.on("c"), argnums=(0, 1))
    assert "THREAD *" in emit.Program(tiled(autodiff.vjp(program.graph, (0, 1)), 3), "p", hosted=True).text()
    wanted = wg.grad(program.on("numpy"), argnums=(0, 1))(X, W)
    for count in (3, 1, 2):
        wg.threads(count)
        for got, want in zip(compiled(X, W), wanted, strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(("alone", "by_all", "share"), [(3, 2, 0.97), (2, 3, 0.03), (2, 20, 0.03), (300, 200, 1)])
def test_a_program_runs_as_takes_less_time(alone, by_all, share):
    """Of 1,000 runs, some of which someone else holds up; one that takes long is not tried in the other way."""
    exports = "int shared(void) { return shares(); }\nvoid took(int s, double t) { learn(s, t); }\n"
    exports += f"int own_library = {by_all};\n"
    library = load(threads.PACE + exports)
    library.took.argtypes, library.took.restype = [ctypes.c_int, ctypes.c_double], None
    ctypes.c_int.in_dll(library, threads.MOST).value = 2
    found = []
    for k in range(1000):
        found.append(library.shared())
        milliseconds = by_all if found[-1] else alone
        library.took(found[-1], 1e-3 * (milliseconds * (1 + k % 3 / 10) + 50 * (k % 71 == 0)))
    assert np.mean(found) <= share if share < 0.5 else np.mean(found) >= share


@pytest.fixture
def blas_has():
    """How many threads BLAS has; five of them, or what it had."""
    source = blas.find()
    if source is None or not source.threads:
        pytest.skip("a BLAS that cannot be told")
    get = ctypes.CFUNCTYPE(ctypes.c_int)(source.threads[0])
    tell = ctypes.CFUNCTYPE(None, ctypes.c_int)(source.threads[1])
    before = get()
    tell(5)
    yield get
    tell(before)


@pytest.mark.parametrize(
    ("subscripts", "sizes"),
    [("ij,jk->ik", (131, 97, 150)), ("ji,jk->ik", (300, 70, 65)), ("ij,kj->ik", (300, 70, 65)),
     ("ji,kj->ik", (131, 97, 150)), ("ij,j->i", (700, 190)), ("ji,j->i", (31, 5000)), ("ji,j->i", (700, 190))],
)  # fmt: skip
def test_threads_share_a_product(subscripts, sizes, shared, blas_has):
    size = dict(zip("ijk", sizes, strict=False))
    x, y = (RNG.normal(size=[size[a] for a in term]) for term in subscripts[: subscripts.index("-")].split(","))
    traced = wg.trace(lambda x, y: np.einsum(subscripts, x, y)).graph(x, y)
    assert f"_shared_f64(a2, {threads.MOST}" in emit.Program(traced.graph, "p", hosted=True).text()
    program = traced.on("c")
    for count in (1, 2, 3, 5):
        wg.threads(count)
        found = [program(x, y) for _ in range(6)]  # by all, and at times by one
        np.testing.assert_allclose(found[0], np.einsum(subscripts, x, y), rtol=1e-10, atol=1e-10)
        assert all(np.array_equal(again, found[0]) for again in found)
        assert blas_has() == 5


def test_products_of_several_types_in_a_program(shared, blas_has):
    x = RNG.normal(size=(80, 80))
    arrays = x, x.astype(np.float32), x * 1j
    program = wg.trace(lambda *arrays: [a @ a for a in arrays]).graph(*arrays).on("c")
    for a, found in zip(arrays, program(*arrays), strict=True):
        np.testing.assert_allclose(found, a @ a, rtol=1e-3, atol=1e-3)


def test_products_of_python_threads_leave_blas_its_threads(shared, blas_has):
    x = RNG.normal(size=(150, 150))
    run, wanted = wg.trace(lambda x: x @ x).graph(x).on("c"), x @ x
    wg.threads(3)
    with ThreadPoolExecutor(6) as pool:
        for found in pool.map(run, [x] * 100):
            np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-10)
    assert blas_has() == 5


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
