"""Long programs: no recursion limit, no quadratic time; and how fast a trace is."""

import inspect
import sys
import time

import numpy as np
import pytest

import wengert as wg
from wengert.backends import protocol
from wengert.ir import autodiff, batching, passes, wire
from wengert.ir.parser import parse
from wengert.ir.text import dump
from wengert.ir.verify import verify
from wengert.tools.bench import scale as bench_scale


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
    start = time.process_time()
    assert f(0.0) == 3000.0
    assert time.process_time() - start < 10.0  # 0.2 s on a quiet machine; 20 s where each guard walks every node
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

    start = time.process_time()
    nodes = len(wg.trace(f).graph(x).graph.nodes)
    assert nodes >= 10_000
    assert nodes / (time.process_time() - start) > 5_000


# ----- Recursion: every transform of a chain of twice as many nodes as frames are allowed -----


@pytest.fixture
def shallow():
    """A stack that is too small for anything that calls itself node by node."""
    kept = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 250)
    yield
    sys.setrecursionlimit(kept)


def _sines(x):
    for _ in range(300):
        x = np.sin(x) * 1.001
    return x


TRANSFORMS = {
    "jvp": lambda g: autodiff.jvp(g, (0,)), "vjp": lambda g: autodiff.vjp(g, (0,)),
    "linearize": lambda g: autodiff.linearize(g, (0,)).linear,
    "batch": lambda g: batching.batch(g, (0,), 3)[0], "simplify": passes.simplify, "stabilise": passes.stabilise,
    "files": lambda g: wire.from_bytes(wire.to_bytes(g)), "text": lambda g: parse(dump(g, elide=False)),
}  # fmt: skip


@pytest.mark.parametrize("name", TRANSFORMS)
def test_no_transform_recurses(name, shallow):
    graph = wg.trace(_sines).graph(0.5).graph
    verify(TRANSFORMS[name](graph))


@pytest.mark.parametrize("backend", ["reference", "numpy", "python"])
def test_no_backend_recurses(backend, shallow):
    graph = wg.trace(_sines).graph(0.5).graph
    (value,) = protocol.get(backend).compile(graph)([np.asarray(0.5)])
    np.testing.assert_allclose(value, _sines(0.5), rtol=1e-13)


# ----- Many parts of one array: their adjoint has as many elements as they have -----

_PLACES = np.arange(75).reshape(25, 3) * 7 % 30


def _each(x):
    s = 0.0
    for t in range(len(x)):
        s = np.sin(s * 0.9 + x[t])
    return s


def _backwards_and_twice(x):
    s = np.sum(x)
    for t in range(len(x)):
        s = np.sin(s * 0.9 + x[-1 - t] * x[t // 2])
    return s


def _every_other(x):
    s = 0.0
    for t in range(3, len(x) - 2, 2):
        s = np.sin(s * 0.9 + x[t])
    return s


def _windows(x):
    s = 0.0
    for t in range(len(x) - 5):
        s = np.sin(s * 0.9 + np.sum(x[t : t + 5 : 2]) + np.sum(x[t:t]))
    return s


def _rows(x):
    rows, h = x.reshape(-1, 2), np.zeros(2)
    for t in range(len(rows)):
        h = np.tanh(h + rows[t])
    return np.sum(h)


def _columns(x):
    columns, h = x.reshape(2, -1), np.zeros(2)
    for t in range(columns.shape[1]):
        h = np.tanh(h + columns[:, t])
    return np.sum(h)


def _elements(x):
    both, s = x.reshape(-1, 2, 2), 0.0
    for i in range(len(both)):
        for j in range(2):
            s = np.sin(s * 0.9 + both[i, j, 1 - j])
    return s


def _gathers(x):
    s, rows = 0.0, x[: len(x) // 4 * 4].reshape(-1, 4)
    for k in range(len(x) // 2):
        at = _PLACES[k % 25] % len(rows)
        s = np.sin(s * 0.9 + np.sum(rows[at] ** 2) + np.sum(x[[k, 0, k]]) + rows[0, 1])
    return s


def _joined(x):
    return np.sum(np.concatenate([np.sin(x[t : t + 1] * t) for t in range(len(x))]) ** 2)


MANY = [_each, _backwards_and_twice, _every_other, _windows, _rows, _columns, _elements, _gathers, _joined]


@pytest.mark.parametrize("function", MANY)
def test_the_adjoint_of_many_parts(function):
    x = np.cos(np.arange(44.0))
    program = wg.trace(function).graph(x)
    swept = wg.grad(program.on("numpy"))(x)  # a sweep of its own, which adds in place
    derived = wg.grad(program.on("python"))(x)
    np.testing.assert_allclose(derived, swept, rtol=1e-12, atol=1e-15)
    v = np.sin(np.arange(44.0))
    near = [function(x + h * 1e-4 * v) for h in (-2, -1, 1, 2)]
    slope = (near[0] - 8 * near[1] + 8 * near[2] - near[3]) / 12e-4
    np.testing.assert_allclose(derived @ v, slope, rtol=1e-7)
    twice = wg.grad(lambda x: np.sum(wg.grad(function)(x) * v))(x)  # the adjoint of the adjoint
    ahead = wg.jvp(wg.grad(function), (x,), (v,))[1]
    np.testing.assert_allclose(twice, ahead, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("function", MANY)
def test_the_adjoint_of_many_parts_is_linear(function):
    """Twice the elements, twice the work: the elements of all values of the derived graph are counted."""
    work = []
    for n in (100, 200):
        graph = autodiff.vjp(wg.trace(function).graph(np.ones(n)).graph, (0,))
        work.append(sum(v.type.size for node in graph.nodes for v in node.results if node.op.name != "broadcast_to"))
    assert work[1] < 2.3 * work[0]


def test_a_pass_leaves_alone_what_it_does_not_change():
    graph = passes.simplify(wg.trace(_sines).graph(0.5).graph)
    for each in (passes.algebra, passes.merge_shapes, passes.fold_constants, passes.common_subexpressions):
        assert all(a is b for a, b in zip(graph.nodes, each(graph).nodes, strict=True))


def test_costs_against_size(monkeypatch):
    monkeypatch.setattr(bench_scale.gc, "collect", lambda: None)  # of all the tests' objects
    times = bench_scale.measured(bench_scale.reads, (8, 16))
    assert list(times)[:4] == ["trace", "derive", "save", "load"]
    assert all(len(row) == 2 for row in times.values())
    assert bench_scale.exponent((10, 100, 1000), (1.0, 100.0, 10_000.0)) == pytest.approx(2.0)
