# ruff: noqa: B023, F811 (users' code is of every style)
"""Closed-over and global arrays are implicit inputs; numbers and functions that change trace again."""

import collections
import sys
import types

import numpy as np
import pytest

import wengert as wg

X = np.arange(1.0, 4.0)
G, S = np.ones(3), 2.0
ACT = np.sin
settings = types.SimpleNamespace(s=1.0, deep=types.SimpleNamespace(t=1.0))


def test_globals(monkeypatch):
    here = globals()
    f = wg.trace(lambda x: (x * G).sum() * S * settings.s * settings.deep.t)
    out = [f(X)]
    G[0] = 2
    out.append(f(X))
    for name, value in (("G", np.zeros(3)), ("G", np.full(3, 2.0)), ("S", 3.0), ("S", 3), ("G", np.ones(3, np.float32)), ("G", np.array([2.0]))):
        monkeypatch.setitem(here, name, value)
        out.append(f(X))
    monkeypatch.setattr(settings, "s", 2.0)
    out.append(f(X))
    monkeypatch.setattr(settings.deep, "t", 0.5)
    out.append(f(X))
    G[0] = 1.0
    assert out == [12, 14, 0, 24, 36, 36, 18, 36, 72, 36]


def test_closed_over_arrays_are_read_anew():
    w, k = np.ones(3), 1.0
    f, g = wg.trace(lambda x: (w * x).sum() * k), wg.grad(lambda x: (w * x).sum() * k)
    assert f(X) == 6
    w[0] = 5
    assert f(X) == 10
    np.testing.assert_array_equal(g(X), w)
    w = np.zeros(3)
    assert f(X) == 0
    np.testing.assert_array_equal(g(X), np.zeros(3))
    w, k = np.ones((2, 3)), 2.0
    assert f(X) == 24


def test_what_plain_numpy_makes_of_them_is_watched():
    w = np.ones(3)
    functions = {
        "array": wg.trace(lambda x: (x * (w * 2)).sum()),
        "number": wg.trace(lambda x: x.sum() * w.sum()),
        "both": wg.trace(lambda x: (x * w).sum() + w.max()),
        "transposed view": wg.trace(lambda x: w.T @ x),
        "slice": wg.trace(lambda x: x[0] * w[:1].sum() + (w[1:] * x[1:]).sum()),
        "stacked": wg.trace(lambda x: (np.stack([w, w]) @ x).sum()),
        "grad": wg.grad(lambda x: (x * (w * 2)).sum()),
    }
    for change in (lambda: w, lambda: put(w, 0, 5.0), lambda: put(w, slice(None), -1.0), lambda: np.full(3, 3.0)):
        w = change()
        want = [(X * (w * 2)).sum(), X.sum() * w.sum(), (X * w).sum() + w.max(), w.T @ X, X[0] * w[0] + (w[1:] * X[1:]).sum(), 2 * w @ X]
        np.testing.assert_allclose([f(X) for name, f in functions.items() if name != "grad"], want)
        np.testing.assert_allclose(functions["grad"](X), 2 * w)


def put(array, key, value):
    array[key] = value
    return array


def test_rebound_functions_and_helpers(monkeypatch):
    def helper(x):
        return x * 2

    f = wg.trace(lambda x: ACT(helper(x)))
    assert f(1.0) == np.sin(2.0)
    monkeypatch.setitem(globals(), "ACT", np.cos)
    assert f(1.0) == np.cos(2.0)
    helper = lambda x: x * 3
    assert f(1.0) == np.cos(3.0)


def test_containers():
    layers, options = [np.ones(3)], {"k": 1.0}

    def model(x):
        for layer in layers:
            x = x * layer
        return x.sum() * options["k"] * len(options)

    f = wg.trace(model)
    assert f(X) == 6
    layers.append(np.full(3, 2.0))
    assert f(X) == 12
    layers[0][:] = 0
    assert f(X) == 0
    layers[0] = np.ones(3)
    options["j"] = 1.0
    assert f(X) == 24


def test_a_module_attribute(monkeypatch):
    module = types.ModuleType("some_users_module")
    module.constant, module.array = 2.0, np.ones(3)
    f = wg.trace(lambda x: (x * module.array).sum() * module.constant)
    assert f(X) == 12
    module.constant = 3.0
    module.array = module.array * 2
    assert f(X) == 36


def test_a_number_may_change_at_every_call():
    k = 0.0
    f = wg.trace(lambda x: x * k)
    for i in range(200):
        k = float(i)
        assert f(2.0) == 2.0 * i
    assert sum(map(len, f._variants.values())) <= 16


def test_a_buffer_is_a_constant_as_it_was_at_each_use():
    shared = np.zeros(3)

    @wg.trace
    def f(x):
        shared[0] = 1
        y = x * shared
        shared[0], shared[1] = 2, 5
        z = x * shared
        shared[:] = 0
        local = np.zeros(3)
        local[2] = 1
        return (y + z + x * local).sum()

    assert [f(X), f(X)] == [1 + 2 + 10 + 3] * 2
    np.testing.assert_array_equal(wg.grad(f)(X), [3.0, 5.0, 1.0])


def test_memory_that_is_used_again_is_another_array():
    def f(x):
        total = 0.0
        for i in range(20):
            total = total + (x * np.full(3, float(i))).sum()
        return total

    assert wg.trace(f)(X) == 6 * 190


def test_in_a_graph_and_a_file_they_are_constants(tmp_path):
    w = np.ones(3)
    program = wg.trace(lambda x: (w * x).sum()).graph(X)
    program.save(tmp_path / "f.wg")
    w[:] = 5
    assert program(X) == 6
    assert wg.load(tmp_path / "f.wg")(X) == 6


def test_they_are_inputs_of_inner_derivatives_too():
    w = X.copy()
    f = wg.trace(lambda x: wg.grad(lambda y: (y * y * w).sum())(x))
    np.testing.assert_allclose(f(X), 2 * X * X)
    w[0] = 9.0
    np.testing.assert_allclose(f(X), 2 * X * w)


@pytest.mark.parametrize("bad", [np.ma.array([1.0, 2.0, 3.0]), np.matrix([1.0, 2.0, 3.0]), np.array(["a"]), np.ones(3, np.float16)])
def test_what_cannot_be_closed_over_is_named_with_the_line(bad):
    with pytest.raises(wg.TraceError, match=r"test_closures.py:\d+"):
        wg.trace(lambda x: x * bad)(X)


class _Settings:
    def __init__(self):
        self.k = 2.0
        self.items = [2.0]

    def __getitem__(self, i):
        return self.items[i]


def _scaled(x):
    return x * _scaled.factor


_scaled.factor = 2.0


def test_roundabout_reads_are_watched():
    settings, queue, numbers, name = _Settings(), collections.deque([2.0]), {2.0}, "k"
    functions = [
        lambda x: x * getattr(settings, "k"),  # noqa: B009
        lambda x: x * getattr(settings, name),
        lambda x: x * vars(settings)["k"],
        lambda x: x * settings[0],
        lambda x: x * sum(queue),
        lambda x: x * sum(numbers),
        _scaled,
    ]
    traced = [wg.trace(f) for f in functions]
    for t in traced:
        assert t(1.0) == 2.0
    settings.k = settings.items[0] = queue[0] = _scaled.factor = 5.0
    numbers.add(3.0)

    assert [t(1.0) for t in traced] == [5.0] * 7
    _scaled.factor = 2.0


def test_a_refusal_is_not_passed_over():
    def f(x):
        try:
            return float(x) * 2
        except TypeError:
            return x * 4

    with pytest.raises(wg.TraceError, match="test_closures.py"):
        wg.trace(f)(1.0)


def test_isinstance_answers_as_without_tracing():
    kinds = wg.trace(lambda x: (isinstance(x, np.ndarray), isinstance(x, float), isinstance(x, int), np.isscalar(x)))

    for x in (np.ones(2), 1.0, 1, np.float64(1.0), np.float32(1.0)):
        expected = (isinstance(x, np.ndarray), isinstance(x, float), isinstance(x, int), np.isscalar(x))
        assert kinds(x) == expected
    assert wg.grad(lambda x: x * 2 if isinstance(x, float) else x * 3)(2.0) == 2.0


def test_what_a_derivative_stands_around_is_watched():
    c = 2.0
    hessian, slope = wg.hessian(lambda x: c * x**2), wg.grad(wg.grad(lambda x: c * x**2))
    assert (hessian(1.0), slope(1.0)) == (4.0, 4.0)
    c = 3.0
    assert (hessian(1.0), slope(1.0)) == (6.0, 6.0)


# ----- What is read by ways that no name in the function's own code shows -----

CONFIG = {"k": 2.0}
FACTOR = 2.0


class Constants:
    k = 2.0

    @staticmethod
    def times(x):
        return x * Constants.k

    @classmethod
    def of_class(cls, x):
        return x * cls.k


class Number:
    def __init__(self, a):
        self.a = a

    def __add__(self, other):
        return Number(self.a + FACTOR * other.a)


def helper(x, c=CONFIG, *, weights=[1.0, 2.0]):  # noqa: B006 (that it can change is the point)
    return x * c["k"] * weights[1]


class Options:
    def scaled(self, x):
        return x * getattr(self, "k", 1.0)


@pytest.mark.parametrize("read, owner, name, value", [
    (lambda x: Constants.times(x), Constants, "k", 3.0), (lambda x: Constants.of_class(x), Constants, "k", 3.0),
    (lambda x: (Number(x) + Number(x)).a, sys.modules[__name__], "FACTOR", 3.0),
])  # fmt: skip
def test_statics_of_classes_and_operators(monkeypatch, read, owner, name, value):
    f = wg.trace(read)
    assert f(1.0) == read(1.0)
    monkeypatch.setattr(owner, name, value)
    assert f(1.0) == read(1.0)


def test_defaults_of_helpers(monkeypatch):
    f = wg.trace(lambda x: helper(x))
    assert f(1.0) == 4.0
    monkeypatch.setitem(CONFIG, "k", 3.0)
    assert f(1.0) == 6.0
    monkeypatch.setitem(helper.__kwdefaults__, "weights", [1.0, 5.0])
    assert f(1.0) == 15.0


def test_an_attribute_that_was_not_there():
    o = Options()
    f = wg.trace(lambda x: o.scaled(x))
    assert f(1.0) == 1.0
    o.k = 2.0
    assert f(1.0) == 2.0
    o.scaled = lambda x: x * 7.0
    assert f(1.0) == 7.0


def test_long_lists_and_other_lists():
    pair = collections.namedtuple("pair", "a b")(2.0, [1.0])
    numbers = [1.0] * 2000
    f = wg.trace(lambda x: x * numbers[1999] + x * pair.a + pair.b[0])
    assert f(1.0) == 4.0
    numbers[1999] = 5.0
    pair.b[0] = 2.0
    assert f(1.0) == 9.0


def test_what_a_function_changes_in_a_list_hides_nothing_beside_it():
    state, names = [0, 2.0], ["k"]
    o = Options()
    o.k = 1.0

    def f(x):
        state[0] += 1
        return x * state[1] * sum(getattr(o, name) for name in names)

    traced = wg.trace(f)
    assert traced(1.0) == 2.0
    state[1] = 5.0
    assert traced(1.0) == 5.0
    o.k = 3.0
    assert traced(1.0) == 15.0


def test_defaults_of_the_function_itself_are_arguments():
    data = np.ones(3)

    def loss(x, data=data):
        return np.sum(x * data)

    traced = wg.trace(loss)
    assert traced(2.0) == 6.0 and wg.grad(loss)(2.0) == 3.0
    (variants,) = traced._variants.values()
    assert variants[0].watches == []  # of which nothing is compared
    data[:] = 2.0
    assert traced(2.0) == 12.0 and len(variants) == 1


def test_what_is_made_when_first_asked_for():
    class Net:
        w = None

        def loss(self, x):
            if self.w is None:
                self.w = np.ones(3)
            return np.sum(self.w * x**2)

    o, x = Net(), np.array([1.0, 2.0, 3.0])
    g = wg.grad(o.loss)
    for w in (o.w, np.zeros(3), np.ones(3) * 5):
        o.w = w
        np.testing.assert_array_equal(g(x), 2 * x * (np.ones(3) if w is None else w))
