"""Long programs: no recursion limit, no quadratic time; and how fast a trace is."""

import time

import numpy as np
import pytest

import wengert as wg


def chain(x):
    for _ in range(50_000):
        x = x * 0.9999 + 0.0001
    return x


def climb(x):
    while x < 3000.0:
        x = x + 1.0
    return x


def test_a_chain_of_100_000_operations():
    f = wg.trace(chain)
    np.testing.assert_allclose(f(1.0), 1.0)
    np.testing.assert_allclose(wg.grad(f)(1.0), 0.9999**50_000)
    ((variant,),) = f._variants.values()
    assert len(variant.program.graph.nodes) == 100_000


def test_a_chain_of_20_000_operations_forward():
    def f(x):
        for _ in range(20_000):
            x = x * 0.9999
        return x

    np.testing.assert_allclose(wg.jvp(f, (1.0,), (1.0,))[1], 0.9999**20_000)
    np.testing.assert_allclose(wg.grad(wg.grad(lambda x: f(x) * x))(1.0), 2 * 0.9999**20_000)


def test_a_loop_of_3_000_guards():
    f = wg.trace(climb)
    start = time.perf_counter()
    assert f(0.0) == 3000.0
    assert time.perf_counter() - start < 10.0  # 0.2 s on a quiet machine; 20 s where each guard walks every node
    assert f(0.5) == climb(0.5)
    assert wg.grad(f)(0.0) == 1.0


def test_one_value_used_many_times():
    def f(x):
        total = 0.0
        for _ in range(5_000):
            total = total + x
        return total

    assert wg.grad(f)(2.0) == 5000.0


def test_many_views_of_one_array():
    def f(x):
        y = x * 1
        for i in range(200):
            y[i] = y[i - 1] * 2 if i else y[0]
            y[i : i + 1] += 1.0
        return y

    x = np.linspace(0.0, 1.0, 200)
    np.testing.assert_allclose(wg.trace(f)(x), f(x))


@pytest.mark.parametrize("x", [1.0, np.float64(1.0), np.ones(3)], ids=["number", "scalar", "array"])
def test_tracing_is_fast(x):
    """Over 100,000 nodes a second on a quiet machine; here, a bound that only a mistake would break."""

    def f(x):
        for _ in range(5_000):
            x = np.sin(x) * 1.01
        return x

    start = time.perf_counter()
    nodes = len(wg.trace(f).graph(x).graph.nodes)
    assert nodes >= 10_000
    assert nodes / (time.perf_counter() - start) > 5_000
