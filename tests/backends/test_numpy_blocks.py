"""The numpy target on large arrays: work in blocks, shares of the larger as masks, numbers taken together, stacks."""

import threading

import numpy as np
import pytest

import wengert as wg
from wengert.backends.vectorized import adjoint, blocks, stacks, straight
from wengert.backends.vectorized.adjoint import settled, sweep
from wengert.backends.vectorized.lines import Lines
from wengert.ir.build import Builder
from wengert.ir.ops import OPS
from wengert.ir.types import ArrayType

N = 5000
C = np.random.default_rng(7).normal(size=(400, 7))


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(blocks, "LEAST", 8 * 1000)
    monkeypatch.setattr(blocks, "NEAR", 8 * 1024)
    monkeypatch.setattr(adjoint, "LARGE", 4)


def graph_of(f, *args):
    return wg.trace(f).graph(*args).graph


def rosenbrock(x):
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def in_loops(lines):
    return [line for line in lines if line.startswith("    ")]


def test_value_and_slope_are_one_loop_in_which_parts_are_added():
    x = np.random.default_rng(0).normal(size=N)
    graph = graph_of(rosenbrock, x)
    lines = Lines(sweep(graph, (0,)).graph, own=True, derived=range(1, 2)).lines
    assert sum(line.startswith("for ") for line in lines) == 1
    assert any("largest(" in line for line in in_loops(lines))  # NaN is looked for on the way
    assert not any("zeros(" in line or "np_" in line for line in lines if line not in in_loops(lines))

    program = wg.trace(rosenbrock).graph(x).on("numpy")
    for each in (x, 1e200 * x, np.where(np.arange(N) == 7, np.nan, x), np.where(np.arange(N) == N - 1, np.inf, x)):
        with np.errstate(all="ignore"):
            want, slope = rosenbrock(each), wg.grad(program, backend="python")(each)
        found, its = wg.value_and_grad(program)(each)
        np.testing.assert_array_equal(found, want)  # cut where NumPy cuts a sum
        np.testing.assert_array_equal(np.isnan(its), np.isnan(slope))
        np.testing.assert_allclose(its, slope, rtol=1e-12)


@pytest.mark.parametrize("n", [1001, 4096, 99_991])
def test_sums_have_the_bits_of_numpys(n):
    x = np.random.default_rng(n).normal(size=n) * 1e3
    for f in (lambda x: np.sum(np.sin(x) * x), lambda x: np.sum(np.exp(np.sin(x).astype(np.float32)))):
        assert in_loops(Lines(graph_of(f, x), own=True).lines)
        assert straight(graph_of(f, x))([x])[0] == f(x)


def test_rows_of_matrices_and_what_is_read_later():
    rng = np.random.default_rng(1)
    x, m, s = rng.normal(size=(400, 7)), rng.normal(size=7), rng.normal(size=(400, 1))

    def f(x, m, s):
        z = np.where(x > m, np.sin(x - m), s) * s - C
        e = np.exp(z - np.max(z, axis=1, keepdims=True))
        y = np.maximum.reduce(e * x, axis=0)
        return z, C + np.cumsum(z, axis=0), np.sum(e, axis=1), np.sum(e * z, axis=0), y, np.sum(np.abs(e)), (z + 1.0)[::-1], np.cumsum(e, axis=0)

    graph = graph_of(f, x, m, s)
    assert sum(line.startswith("for ") for line in Lines(graph, own=True).lines) > 1
    first = straight(graph)([x, m, s])
    for got, want in zip(first, f(x, m, s), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-13, atol=1e-13)
    assert not any(np.shares_memory(a, b) for i, a in enumerate(first) for b in first[:i])


def test_what_is_placed_and_read_again_stays_as_it_is():
    b = Builder("placed")
    x = b.input(ArrayType(np.dtype(float), (N,)))
    c = b.emit(OPS["cbrt"], (x,))
    parts = [b.emit(OPS["place"], (c,), shape=(2 * N,), start=(0,), step=(2,)), b.emit(OPS["multiply"], (c, c))]
    given = np.random.default_rng(3).normal(size=N)
    placed, squared = straight(b.graph(parts))([given])
    np.testing.assert_array_equal(placed, np.stack([np.cbrt(given), np.zeros(N)], 1).ravel())
    np.testing.assert_array_equal(squared, np.cbrt(given) ** 2)


@pytest.mark.parametrize("f", [np.maximum, np.minimum])
def test_shares_of_the_larger_one_are_exact_at_ties_infinities_and_nan(f):
    telling = np.array([-np.inf, -1.0, -5e-324, -0.0, 0.0, 5e-324, 1.0, np.inf, np.nan])
    x, y = (a.ravel() for a in np.meshgrid(telling, telling))
    for args in ((x, y), (x, 0.0), (np.arange(1.0, 82.0), 0.0)):
        both = tuple(range(len([a for a in args if np.ndim(a)])))
        for c in (1.0, 3.0):
            program = wg.trace(lambda *args, c=c: np.sum(f(*args) * c)).graph(*args)
            for got, want in zip(*(wg.grad(program, both, backend=b)(*args) for b in ("numpy", "python")), strict=True):
                assert got.dtype == want.dtype
                np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("axis", [0, 1, None])
def test_shares_of_the_largest_elements_are_exact_at_ties_and_nan(axis):
    x = np.random.default_rng(8).integers(0, 40, (400, 7)) / 4.0
    w = 1.0 + np.arange(2800.0).reshape(400, 7)[tuple(slice(1) if axis in (a, None) else slice(None) for a in (0, 1))]
    f = lambda x: np.sum(np.max(x, axis, keepdims=True) * w) - np.sum(np.min(-x, axis, keepdims=True) / w)
    program = wg.trace(f).graph(x)
    for each in (x, np.where(x == 3.0, np.nan, x), np.where(x == 3.0, np.inf, x), np.arange(2800.0).reshape(400, 7)):
        got, want = (wg.grad(program, backend=b)(each) for b in ("numpy", "python"))
        np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
        np.testing.assert_allclose(got, want, rtol=1e-14)


def test_shares_are_found_block_by_block():
    x = np.random.default_rng(6).integers(-3, 4, N) / 2.0
    program = wg.trace(lambda x: np.sum(np.maximum(np.sin(x), 0.0) ** 2 + np.minimum(x, 1.0))).graph(x)
    lines = Lines(sweep(program.graph, (0,)).graph, own=True, derived=range(1, 2)).lines
    assert sum(line.startswith("for ") for line in lines) == 1
    np.testing.assert_array_equal(wg.grad(program, backend="numpy")(x), wg.grad(program, backend="python")(x))


def test_numbers_are_taken_into_the_smaller_factor():
    x, w = np.random.default_rng(4).normal(size=(2, 30, 40))

    def f(x, w):
        return np.sum(np.mean((w * x) ** 2, axis=1) * 0.5)

    graph = sweep(graph_of(f, x, w), (0,)).graph
    products = [node for node in settled(graph).nodes if node.op.name == "multiply" and node.result.type.shape == x.shape]
    assert len(products) == 3  # w x, that times the mean's cotangent, that times w
    np.testing.assert_allclose(wg.grad(f, backend="numpy")(x, w), w * w * x / 40, rtol=1e-13)


def test_sums_of_products_need_no_array_for_them():
    x, y = np.random.default_rng(9).normal(size=(2, 9, 4, 3000))

    def f(x, y):
        z = np.exp(y)
        return np.sum(np.square(x), axis=1), np.sum(z * x, axis=(0, 1)), np.sum(x * y, axis=2), np.sin(z), np.sum(z * z, axis=0) + z

    lines = Lines(graph_of(f, x, y), own=True).lines
    assert sum("np_einsum" in line for line in lines) == 3  # and not along the lines
    first, second = (straight(graph_of(f, x, y))([x, y]) for _ in range(2))
    for got, want in zip((*first, *second), (*f(x, y), *f(x, y)), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-13, atol=1e-13)


def test_stacks_of_products_are_shared_by_threads(monkeypatch):
    x, y = np.random.default_rng(5).normal(size=(2, 7, 6, 6))
    told, started = [], []
    monkeypatch.setattr(stacks, "LEAST", 1)
    monkeypatch.setattr(stacks, "_openblas", lambda: (lambda: 3, told.append))
    start = threading.Thread.start
    monkeypatch.setattr(threading.Thread, "start", lambda self: (started.append(self), start(self)))

    found = straight(graph_of(lambda x, y: np.tanh(x @ y), x, y))([x, y])[0]

    np.testing.assert_allclose(found, np.tanh(x @ y), rtol=1e-13)
    assert (len(started), told) == (2, [1, 3])
    with pytest.raises(ValueError, match="matmul"):
        stacks.stacked(x, y[:, :3])
    assert told == [1, 3, 1, 3]
