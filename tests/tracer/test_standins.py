"""Buffers and literals, however NumPy is spelled and wherever: spelling x place x thread, and nothing left changed."""

import builtins
import importlib
import math
import pickle
import sys
import threading

import numpy as np
import pytest
from numpy import array, full, zeros, zeros as blank
from numpy_alike import same

import wengert as wg
from wengert.tracer.standins import StandIn

sys.path.insert(0, __file__.rpartition("/")[0])
other = importlib.import_module("other_module")

X = np.array([0.7, 1.9])


def decorated(x):
    out = np.zeros(2)
    out[0] = x[1]
    out[1] = x[0] * out[0]
    return out + np.array([x[0], 2.0])


def named(x):
    out = zeros(2)
    out[:1] = x[:1]
    return array([[x[0], 0], [0, x[1]]]) @ (out + blank(2) + full(2, x[1]))


def with_default(x, make=np.zeros):
    out = make(2)
    out[0] = x[0] ** 2
    return out


def local_import(x):
    import numpy as n  # noqa: ICN001 (spelled as users do)
    from numpy import array as literal

    return n.sum([x[0], x[1]]) * literal([x[0], 1])


def nested(x):
    zero = zeros

    def helper(y):
        out = zero(2)
        out[1] = y[0] ** 2
        return out

    pair = lambda y: np.stack([y[0], array(y[1])])
    return helper(x) + pair(x)


def make_closure():
    make, literal = np.zeros, array

    def inner(x):
        out = make(2)
        out[1] = x[0] ** 3
        return out + literal([x[1], 1])

    return inner


def in_lists(x):
    return np.max([x[0], x[1]]) * np.mean([x[0], 1.0]) + np.sin([x[0], x[1]]) + np.add.reduce([x, x * x]) + np.dot([x[0], 1], [x[1], x[0]])


def objects(x):
    cells = np.empty(2, object)
    cells[0], cells[1] = x[0] ** 2, x[1]
    return np.array(list(cells)) + np.array(cells.tolist())


exec("""
import numpy as qq
def from_exec(x):
    out = qq.zeros(2)
    out[0] = x[1]
    return out
""", made := {"__name__": "a module that is in no file"})  # fmt: skip

PLACES = {
    "decorated": decorated, "named": named, "default": with_default, "local import": local_import, "nested": nested, "closure": make_closure(),
    "lists": in_lists, "objects": objects, "exec": made["from_exec"], "other module": other.by_module, "other module, named": other.by_name,
    "other module, default": other.by_default, "other module, local import": other.by_local_import, "other module, math": other.by_math,
    "other module, closure": other.by_closure, "class": other.Model(), "class attribute": lambda x: np.array(other.Model.make(2)) + x,
    "helper": lambda x: decorated(x) * other.by_name(x),
}  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_buffers_and_literals_are_reached(place):
    f = PLACES[place]
    same(f, X)
    exact = [(8 * (g(X + d) - g(X - d)) - (g(X + 2 * d) - g(X - 2 * d))) / 12e-4 for g in (lambda x: (f(x) * [1.0, 3.0]).sum(),) for d in np.eye(2) * 1e-4]
    for backend in ("reference", "numpy", "python"):
        np.testing.assert_allclose(wg.grad(lambda x: (f(x) * np.array([1.0, 3.0])).sum(), backend=backend)(X), exact, rtol=1e-9, atol=1e-9)


CLASSES = {
    "r_": lambda x: np.r_[x, 1.0, x[0], 0:3, [x[1], 2.0]], "r_ plain": lambda x: np.r_[0:1:3j, 2] * x.sum(), "c_": lambda x: np.c_[x, x**2, [1, 2]],
    "c_ matrix": lambda x: np.c_[np.outer(x, x), x], "vectorize": lambda x: np.vectorize(lambda t: t**2 if t > 1 else -t)(x),
    "vectorize two": lambda x: np.vectorize(lambda a, b: (a * b, a + b))(x[:, None], x), "vectorize plain": lambda x: np.vectorize(abs)([-1, 2]) * x,
    "vectorize otypes": lambda x: np.vectorize(lambda t: t * 2, otypes=[np.float32])(x),
    "mgrid": lambda x: np.mgrid[0:2, x[0] : x[1] : 3j] * x[0], "mgrid plain": lambda x: np.mgrid[0:2, 0:1:3j] * x[0], "mgrid line": lambda x: np.mgrid[x[0] : 2 : 0.5],
    "ogrid": lambda x: np.add(*np.ogrid[:3, x[0] : 2 * x[0] : 4j]), "ix_": lambda x: np.outer(x, x)[np.ix_([1, 0], [np.argmax(x), 1])],
    "ndenumerate": lambda x: [(i, v * j, x[at]) for (i, j), v in np.ndenumerate([[x[0], 2.0]]) for at, _ in np.ndenumerate(x)],
    "math": lambda x: math.erf(x[0]) + math.erfc(x[1]) + math.gamma(x[0]) * math.lgamma(x[1]),
}  # fmt: skip


@pytest.mark.parametrize("name", CLASSES)
def test_objects_that_make_arrays(name):
    same(lambda x: CLASSES[name](x), X)


def test_math_computes_in_double_precision():
    x = np.array([0.1], np.float32)
    assert wg.trace(lambda x: math.sin(x[0]))(x) == pytest.approx(math.sin(x[0]), rel=1e-15)


def filled_by_ndenumerate(x):
    out = np.zeros((2, 2))
    for (i, j), v in np.ndenumerate(out):
        out[i, j] = x[i] * x[j] + v
        out[1, 1] += x[0]
    return out


def test_ndenumerate_sees_what_is_written_meanwhile():
    same(filled_by_ndenumerate, X)


def test_nothing_is_left_changed():
    before = {name: dict(vars(module)) for name, module in (("np", np), ("math", math), ("other", other), ("here", sys.modules[__name__]))}
    defaults, statement = other.by_default.__defaults__, builtins.__import__
    for place in PLACES.values():
        wg.trace(place)(X)
    with pytest.raises(ZeroDivisionError):
        wg.trace(lambda x: 1 // 0)(X)
    now = {name: dict(vars(module)) for name, module in (("np", np), ("math", math), ("other", other), ("here", sys.modules[__name__]))}
    for name, then in before.items():
        assert all(then[key] is now[name].get(key) for key in then)
    assert other.by_default.__defaults__ == defaults
    assert builtins.__import__ is statement
    assert type(other.by_closure.__closure__[0].cell_contents) is not StandIn


def test_numpy_itself_sees_numpy():
    def f(x):
        assert type(sys.modules["numpy"].zeros) is not StandIn
        draws = np.random.default_rng(0).normal(size=2)  # compiled code that makes arrays by NumPy's names
        return x * draws

    same(f, X)


def test_other_threads_are_left_alone():
    seen, started, done = [], threading.Event(), threading.Event()

    def beside():
        started.wait(10)
        seen.append(type(other.by_module(X)))
        seen.append(type(zeros(2)))
        seen.append(type(np.array([1.0, 2.0])))
        seen.append(wg.grad(lambda x: other.by_name(x).sum())(X))
        done.set()

    def f(x):
        started.set()
        done.wait(10)
        out = np.zeros(2)
        out[0] = x[0] ** 2
        return out.sum()

    thread = threading.Thread(target=beside)
    thread.start()
    np.testing.assert_allclose(wg.grad(f)(X), [2 * X[0], 0])
    thread.join()
    assert seen[:3] == [np.ndarray] * 3
    np.testing.assert_allclose(seen[3], [1 + X[1], 3 + X[0]])


def test_a_stand_in_is_as_its_function():
    def f(x):
        assert np.sin == sys.modules["numpy"].sin
        assert {sys.modules["numpy"].sin: 1}[np.sin] == 1
        assert isinstance(np.add, np.ufunc)
        assert np.add.nin == 2
        assert np.zeros.__doc__ == sys.modules["numpy"].zeros.__doc__
        assert pickle.loads(pickle.dumps(np.mean)) is sys.modules["numpy"].mean
        assert "einsum" in dir(np)
        assert np.pi == math.pi
        assert isinstance(np, type(sys))
        assert np.add.reduce([1, 2]) == 3
        return x

    wg.trace(f)(X)


def test_plain_buffers_behave_as_arrays_and_take_traced_values_later():
    def f(x):
        grid = np.linspace(0.0, 1.0, 5) ** 2
        index = np.arange(4)[::-1]
        assert index[1] == 2
        assert isinstance(index[1], np.int64)
        assert isinstance(grid, np.ndarray)
        assert list(range(10))[index[0]] == 3
        view = grid[1:4]
        view += 1
        half = view[::2]
        half[1] = x[0]
        grid[index[0]] *= 2
        table = np.eye(2)
        table.T[0] = x
        table[[0, 1], [1, 0]] += 1
        grid[4] += table.sum()
        return grid, view * x[1], table, np.asarray(grid) is grid

    same(lambda x: f(x)[:3], X)


def test_what_is_not_reached_raises_at_the_line():
    kept = [np.zeros, np.array]
    for f in (lambda x: kept[0](2).__setitem__(0, x[0]), lambda x: kept[1]([x[0], 1.0])):
        with pytest.raises(wg.TraceError, match=r"test_standins.py:\d+"):
            wg.trace(f)(X)


def test_memory_that_others_see_is_not_written_into():
    def f(x):
        out = np.zeros(2)
        kept.append(memoryview(out.__array__()))  # whoever holds this would not see the write
        out[0] = x[0]
        return out

    kept = []
    with pytest.raises(wg.TraceError, match=r"test_standins.py:\d+.*would not see it"):
        wg.trace(f)(X)


def test_a_cached_plain_array_outlives_its_trace():
    cache = {}

    def grid(n):
        if n not in cache:
            cache[n] = np.linspace(0.0, 1.0, n)
        return cache[n]

    f = wg.trace(lambda x: (x * grid(2)).sum())
    np.testing.assert_allclose(wg.grad(f)(X), [0, 1])
    np.testing.assert_allclose(cache[2] * 2 + np.sin(cache[2]), np.linspace(0, 2, 2) + np.sin([0, 1]))
    np.testing.assert_allclose(wg.grad(lambda x: (x * grid(2)).sum())(X), [0, 1])


def test_numbers_read_from_one_array_are_one_gather():
    graph = wg.trace(lambda x: np.array([x[i] for i in (4, 2, 0, 3, 1)])).graph(np.arange(5.0)).graph
    (result,) = graph.outputs
    (last,) = (node for node in graph.nodes if result in node.results)
    assert (last.op.name, last.operands[0]) == ("take", graph.inputs[0])


def test_elements_are_forwarded():
    """A buffer filled element by element is read element by element: nothing of its size is copied."""

    def f(x):
        out = np.zeros(200)
        out[0] = x[0]
        for i in range(1, 200):
            out[i] = out[i - 1] * 0.5 + x[i]
        return out[-1]

    graph = wg.trace(f).graph(np.arange(200.0)).graph
    assert all(node.results[0].type.size <= 1 for node in graph.nodes)
    same(f, np.arange(200.0))
