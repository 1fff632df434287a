"""Calls by an entrance give what the way that serves every call gives: on every backend, in Python and in C."""

import collections
import copy
import functools
import gc
import inspect
import os
import pickle
import re
import sys
import threading
import types
from pathlib import Path

import numpy as np
import pytest

import wengert as wg
from wengert.backends import direct
from wengert.backends.source.c import BACKEND, entrance
from wengert.backends.source.c.machine import cache
from wengert.ir.errors import DerivativeError, GuardError

C = pytest.mark.skipif(BACKEND.unavailable() is not None, reason=str(BACKEND.unavailable()))
WAYS = ("numpy", "python", pytest.param("extension", marks=C))
MORE = ("reference", pytest.param("c", marks=C))  # whose entrance is that of numpy
Pair = collections.namedtuple("Pair", "first second")


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    monkeypatch.setenv("WENGERT_ENTRANCE", "now")


@pytest.fixture(params=WAYS)
def way(request, monkeypatch):
    """A backend's name; of c, by ctypes or by the extension."""
    return taken(request, monkeypatch)


@pytest.fixture(params=WAYS + MORE)
def every_way(request, monkeypatch):
    return taken(request, monkeypatch)


def taken(request, monkeypatch):
    monkeypatch.setattr(direct, "found", "c" if request.param == "extension" else "python", raising=False)
    if request.param == "extension" and entrance.entrance_type() is None:
        pytest.skip("Python's headers are not here")
    if request.param == "c":
        monkeypatch.setenv("WENGERT_ENTRANCE", "off")
    return "c" if request.param == "extension" else request.param


def same(a, b):
    """Equal in value, type, dtype and nesting; NaN is NaN."""
    assert type(a) is type(b)
    if isinstance(a, (tuple, list)):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            same(x, y)
    elif isinstance(a, dict):
        assert list(a) == list(b)
        same(list(a.values()), list(b.values()))
    elif isinstance(a, np.ndarray):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    else:
        assert a == b or (a != a and b != b)


def opened(call, *args):
    """The results of a call on its slow way, and then through an entrance."""
    call(*args)
    slow = call(*args)
    links = entrances(call)
    assert links.first is not direct._nothing, "no entrance was opened"
    result = links.first(*args)
    assert result is not NotImplemented, "the entrance did not take the call"
    wanted = getattr(direct, "found", None)
    assert wanted is None or in_python(links) == (wanted == "python"), "the entrance is not the backend's"
    return slow, result


def in_python(links):
    return isinstance(links.first, types.FunctionType) and links.first is not direct._nothing


def entrances(call):
    return call._entrances


x3, z3 = np.array([1.0, np.nan, -0.0]), np.array([1 + 2j, 3j])
CASES = {
    "numbers": (lambda a, b: (a + b) * (b + 1), (2.0, 1.0)),
    "ints": (lambda a, b: (a + b) * (b + 1), (2, 1)),
    "int and float": (lambda a, b: a * b, (2, 1.5)),
    "complex": (lambda a: a * a, (1 + 2j,)),
    "float32": (lambda a, x: a * x, (np.float32(0.1), np.ones(2, np.float32))),
    "weak and float32": (lambda a, x: a * x, (0.1, np.ones(2, np.float32))),
    "no axes": (lambda x: x * 2, (np.array(1.5),)),
    "NumPy's numbers": (lambda a, n: (a * 2, n + 1), (np.float64(1.5), np.int8(3))),
    "bools": (lambda m, x: np.where(m, x, -x), (np.array([True, False, True]), x3)),
    "bool result": (lambda x: (x > 0, x.sum() > 0, np.any(x > 0)), (x3,)),
    "NaN": (lambda x: (x.sum(), x * 2, 1 / x), (x3,)),
    "complex arrays": (lambda z: (z.sum(), np.abs(z)), (z3,)),
    "ints and indices": (lambda x, i: (x[i], i + 1), (x3, np.array([2, 0]))),
    "small ints": (lambda i: i * i, (np.array([100, -100], np.int8),)),
    "empty": (lambda x: (x * 2, x.sum()), (np.zeros((0, 3)),)),
    "nested": (lambda p: {"a": p["w"] @ p["x"], "b": [p["s"][0], (p["s"][1], None)]},
               ({"w": np.ones((2, 3)), "x": x3, "s": [1.0, 2]},)),
    "records": (lambda p: Pair(p[0] * 2, {"x": p[1]}), ((1.0, x3),)),
    "results alike": (lambda x: (x, x, x * 2), (x3,)),
    "a constant": (lambda x: (np.ones(3), 2.0 * np.ones(()), x), (x3,)),
    "default": (lambda x, scale=2.0, *, shift=x3: x * scale + shift, (x3,)),
    "many": (lambda *xs: sum(xs), (1.0, 2.0, x3)),
    "static": (lambda x, how, flag: x * 2 if how == "twice" and flag else x, (x3, "twice", True)),
    "nothing": (lambda: np.arange(3.0) * 2, ()),
    "read-only": (lambda x: x * 2, (np.broadcast_to(1.0, (1,)),)),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_program_and_a_function(name, way):
    f, args = CASES[name]
    program = wg.trace(f).graph(*args).on(way)
    fresh = wg.trace(f).graph(*args).on("reference")(*args)
    for call in (program, wg.trace(f, backend=way)):
        slow, fast = opened(call, *args)
        same(slow, fast)
        same(fast, fresh)


GRADIENTS = {
    "two numbers": (lambda a, b: (a + b) * (b + 1), (2, 1), (0, 1)),
    "one": (lambda x: np.sum(x**2 * np.sin(x)), (np.array([1.0, 2.0, np.nan]),), 0),
    "float32": (lambda x: np.sum(x**3), (np.ones(2, np.float32),), 0),
    "complex": (lambda z: np.sum(np.abs(z) ** 2), (z3,), 0),
    "nested": (lambda p, n: {"loss": np.sum(p["w"] @ p["x"]) * n}, ({"w": np.ones((2, 3)), "x": np.ones(3)}, 2), 0),
    "records": (lambda p: p.first * np.sum(p.second), (Pair(2.0, np.ones(3)),), 0),
    "alike": (lambda a, b: a + b, (1.0, 2.0), (0, 1)),
    "linear": (lambda x: x.sum(), (np.ones(3),), 0),
    "constant": (lambda x, y: y * 2.0, (np.ones(3), 1.0), 0),
    "no axes": (lambda x, y: x * y, (np.array(2.0), np.float64(3.0)), (0, 1)),
    "empty": (lambda x: np.sum(x**2), (np.zeros(0),), 0),
}  # fmt: skip


@pytest.mark.parametrize("name", GRADIENTS)
def test_a_gradient(name, way):
    f, args, argnums = GRADIENTS[name]
    want = wg.value_and_grad(f, argnums, backend="reference")(*args)
    targets = [wg.trace(f, backend=way)]
    if name != "two numbers":  # made for ints
        targets.append(wg.trace(f).graph(*args).on(way))
    for target in targets:
        for derivative, part in ((wg.value_and_grad, want), (wg.grad, want[1])):
            call = derivative(f if target is targets[0] else target, argnums, backend=way)
            if name == "records":
                call(*args)
                same(call(*args), part)
                continue
            slow, fast = opened(call, *args)
            same(slow, fast)
            assert repr(fast) == repr(part) or np.allclose(np.concatenate(flat(fast)), np.concatenate(flat(part)), equal_nan=True)
    assert call.__name__.startswith("grad_")


SECOND = {
    "two numbers": (lambda a, b: (a + b) * (b + 1) * a, (2, 1), (0, 1), (1.0, 2)),
    "one": (lambda x: np.sum(x**2 * np.sin(x)), (np.array([1.0, 2.0, np.nan]),), 0, np.array([1.0, -1.0, 0.5])),
    "captured": (lambda x, n: np.sum(x**3 * CAPTURED) * n, (np.array([1.0, 2.0]), 2), 0, np.array([1.0, -1.0])),
    "branch": (lambda p: np.sum(p["x"] ** 3) if p["n"] > 0 else 0.0, ({"x": np.ones(2), "n": 1.5},), 0, {"x": np.ones(2), "n": 1.0}),
}  # fmt: skip
CAPTURED = np.array([1.0, 2.0])


@pytest.mark.parametrize("name", SECOND)
def test_products_and_tangents(name, way):
    f, args, argnums, vector = SECOND[name]
    want = wg.hvp(f, argnums, backend="reference")(*args, vector)
    traced = wg.trace(f, backend=way)
    products = [wg.hvp(traced, argnums)]
    if name != "two numbers":
        products.append(wg.hvp(traced.graph(*args), argnums, backend=way))
    for product in products:
        slow, fast = opened(product, *args, vector)
        same(slow, fast)
        np.testing.assert_allclose(np.concatenate(flat(fast)), np.concatenate(flat(want)))

    tangents = vector if len(args) > 1 and isinstance(argnums, tuple) else (vector, *[None for _ in args[1:]])
    want = wg.jvp(f, args, tangents, backend="reference")
    for target in (traced, *([] if name == "two numbers" else [traced.graph(*args).on(way)])):
        for _ in range(2):
            slow = wg.jvp(target, args, tangents)
        fast = target._entrances.of(("jvp", way)).first(args, tangents)
        same(slow, fast)
        np.testing.assert_allclose(np.concatenate(flat(fast)), np.concatenate(flat(want)))


SQUARE = np.cos(np.arange(12.0)).reshape(3, 4)
MATRICES = {
    "dense": (lambda x: np.tanh(SQUARE @ x), (np.arange(4.0),), 0),
    "two": (lambda x, y: {"a": np.outer(x, x) * y, "b": np.sum(x) * y}, (np.arange(3.0), 2.0), (0, 1)),
    "branch": (lambda x: x**3 if x[0] > -1 else x, (np.array([1.0, np.nan]),), 0),
    "float32": (lambda x: x[1:] * x[:-1], (np.ones(3, np.float32),), 0),
    "sparse": (lambda x: x[1:] * x[:-1], (np.arange(70.0),), 0),
}  # fmt: skip


@pytest.mark.parametrize("name", MATRICES)
def test_a_matrix(name, way):
    f, args, argnums = MATRICES[name]
    want = wg.jacobian(f, argnums, backend="reference")(*args)
    for target in (wg.trace(f, backend=way), wg.trace(f).graph(*args).on(way)):
        call = wg.jacobian(target, argnums)
        if way == "numpy":  # has no program of the whole
            call(*args)
            slow = fast = call(*args)
        else:
            slow, fast = opened(call, *args)
        same(slow, fast)
        np.testing.assert_allclose(np.concatenate(flat(fast)), np.concatenate(flat(want)), rtol=1e-6)
    if name in ("dense", "sparse"):
        out = np.empty(want.shape)
        assert call(*args, out=out) is out and np.allclose(out, want)


def test_a_hessian(way):
    call = wg.hessian(wg.trace(lambda x: np.sum(x[1:] ** 2 * x[:-1]), backend=way))
    x = np.arange(70.0)
    call(x)
    slow, fast = (call(x), call(x)) if way == "numpy" else opened(call, x)
    same(slow, fast)
    assert fast[3, 4] == 2 * x[4] and fast[4, 4] == 2 * x[3] and fast[3, 5] == 0


def test_many_lanes(way):
    f = wg.trace(lambda w, x, k: (np.tanh(w @ x) * k, x[0] * 2), backend=way)
    w, xs, ks = np.ones(3), np.arange(12.0).reshape(4, 3), np.arange(4.0)
    for call, given in (
        (wg.vmap(f, (None, 0, 0)), (w, xs, ks)),
        (wg.vmap(f, (None, 0, None)), (w, xs, 2.0)),
        (wg.vmap(f.graph(w, w, np.float64(1)), (None, 0, 0), backend=way), (w, xs, ks)),
        (wg.vmap(wg.grad(lambda *args: f(*args)[0], (0, 1)), (None, 0, 0), backend=way), (w, xs, ks)),
    ):
        slow, fast = opened(call, *given)
        same(slow, fast)
        fewer = [a[:3].copy() if np.ndim(a) and len(a) == 4 else a for a in given]
        same(call(*fewer), opened(call, *fewer)[1])
    assert wg.vmap(f, (None, 1, 0), backend=way)(w, xs.T, ks)[1].tolist() == [0, 6, 12, 18]
    branch = wg.vmap(wg.trace(lambda x: x if x > 0 else -x, backend=way))
    opened(branch, np.ones(3))
    assert branch(-np.ones(3)).tolist() == [1, 1, 1]
    with pytest.raises(GuardError, match="lane"):
        branch(np.array([1.0, -1.0, 1.0]))


def test_tangents_of_several_results(way):
    f = wg.trace(lambda x, i: (x[i], {"i": i + 1, "s": x.sum()}), backend=way)
    args, tangents = (np.array([1.0, np.nan, 3.0]), np.array([0, 2])), (np.array([1.0, 0.0, 2.0]), None)
    for _ in range(3):
        slow = wg.jvp(f, args, tangents)
    fast = f._entrances.of(("jvp", way)).first(args, tangents)
    same(slow, fast)
    same(fast[1], (np.array([1.0, 2.0]), {"i": None, "s": np.float64(3)}))


def flat(tree):
    if isinstance(tree, dict):
        tree = list(tree.values())
    return [x for part in tree for x in flat(part)] if isinstance(tree, (tuple, list)) else [np.ravel(tree)]


def test_other_arguments_take_the_other_way(way):
    program = wg.trace(lambda a, x: a * x).graph(2.0, np.ones(3)).on(way)
    x = np.arange(3.0)
    opened(program, 2.0, x)
    unaligned = np.frombuffer(b" " + x.tobytes(), np.uint8)[1:].view(np.float64)
    assert not unaligned.flags.aligned
    given = (x.astype(">f8"), unaligned, np.arange(6.0)[::2] / 2, x.view(type("Sub", (np.ndarray,), {})), x[::-1][::-1])
    for other in given:
        assert program(2.0, other).tolist() == [0, 2, 4]
        assert program(2, other).tolist() == [0, 2, 4]
    assert program(np.float64(2), x).tolist() == program(np.array(2.0), x).tolist() == [0, 2, 4]
    assert program(a=2.0, x=x).tolist() == program(2.0, x=x).tolist() == [0, 2, 4]
    frozen = x.copy()
    frozen.flags.writeable = False
    assert program(2.0, frozen).tolist() == [0, 2, 4]
    for wrong in ((2.0, np.ones(4)), (2.0, np.ones((3, 1))), (2.0, np.ones(3, complex)), (1j, x), (2.0,), (2.0, x, x), ("2", x), (True, x), (10**400, x)):
        with pytest.raises((TypeError, OverflowError)):
            program(*wrong)
    with pytest.raises(TypeError, match="was made for"):
        program(2.0, np.ones(4))


def test_arguments_are_read_anew(every_way):
    program, x = wg.trace(lambda x: (x, x + 1)).graph(np.ones(3)).on(every_way), np.zeros(3)
    _, (first, second) = opened(program, x)
    x[:] = 5
    assert first.tolist() == [0, 0, 0], "the result is the argument's memory"
    first[:], second[:] = 7, 7
    assert x.tolist() == [5, 5, 5]
    again = program(x)
    assert again[0].tolist() == [5, 5, 5] and again[1].tolist() == [6, 6, 6]
    assert first.flags.owndata or first.base is not None


def test_types_of_a_function_are_told_apart(way):
    f = wg.trace(lambda a: a * 2, backend=way)
    for value in (2.0, 2, 2j, np.float64(2), np.float32(2), np.int64(2), np.array(2.0), np.ones(2), np.ones((2, 1)), np.ones(2, np.float32)):
        f(value)
        slow, fast = opened(f, value)
        same(slow, fast)
        same(fast, f.function(value) if not isinstance(value, np.ndarray) or value.shape else np.float64(4))
    assert len(f._entrances._links) <= direct.MOST
    assert f(True) is not None


def test_branches(every_way):
    f = wg.trace(lambda x: x * 2 if x > 0 else -x, backend=every_way)
    g = wg.grad(f)
    for _ in range(5):
        assert [f(3.0), f(-3.0), g(3.0), g(-3.0)] == [6, 3, 2, -1]
    program = f.graph(3.0)
    opened(program, 3.0)
    with pytest.raises(GuardError, match="the branch taken would be another"):
        program(-3.0)


def test_an_error_behind_a_branch_that_is_not_taken(way):
    f = wg.trace(lambda x, i: x[i] if i < 2 else x[0], backend=way)
    x = np.arange(2.0)
    for _ in range(4):
        assert f(x, 1) == 1
        assert f(x, 5) == 0
    index = wg.trace(lambda x, i: x[i], backend=way)
    for _ in range(3):
        index(x, np.array([1]))
    with pytest.raises(IndexError):
        index(x, np.array([2]))


scale, weights = 2.0, np.ones(3)


def test_what_is_read_outside(way):
    global scale, weights  # noqa: PLW0603 (a user's script does so)
    f = wg.trace(lambda x: np.sum(x * weights) * scale, backend=way)
    g = wg.value_and_grad(f)
    x = np.ones(3)
    for call in (f, lambda x: g(x)[0], lambda x: g(x)[1][0] * 3):
        scale, weights = 2.0, np.ones(3)
        assert [call(x) for _ in range(4)] == [6.0] * 4
        scale = 3.0
        assert [call(x) for _ in range(4)] == [9.0] * 4
        weights[:] = 2
        assert [call(x) for _ in range(3)] == [18.0] * 3
        weights = np.zeros(6)[::2]
        assert [call(x) for _ in range(3)] == [0.0] * 3
        weights = np.ones(3, ">f8")
        assert [call(x) for _ in range(3)] == [9.0] * 3
        weights = np.ones((1, 3))
        assert call(x) == 9.0
    assert entrances(f).first is not direct._nothing


def twice(x):
    return 2 * x


def test_helpers_and_closures(way):
    global scale, twice  # noqa: PLW0603
    shift, was = 1.0, twice

    @wg.trace(backend=way)
    def f(x):
        return twice(x) * scale + shift

    g, scale = wg.value_and_grad(f), 2.0
    for call in (f, lambda x: g(x)[0]):
        shift, scale, twice = 1.0, 2.0, was
        assert [call(3.0) for _ in range(4)] == [13] * 4
        scale = float("2")  # equal, and another
        assert [call(3.0) for _ in range(3)] == [13] * 3
        shift = 2.0
        assert [call(3.0) for _ in range(3)] == [14] * 3
        shift = 2
        assert [call(3.0) for _ in range(3)] == [14] * 3
        twice = np.sin
        assert [call(0.0) for _ in range(3)] == [2] * 3
        twice = was
        assert [call(3.0) for _ in range(3)] == [14] * 3
        scale = np.full(1, 3.0)
        assert [call(3.0) for _ in range(3)] == [[20]] * 3 if call is f else True
        scale = 2.0
    del scale
    with pytest.raises(NameError):
        f(3.0)
    scale = 2.0
    assert f(3.0) == 14
    assert entrances(f).first is not direct._nothing and any(link for link in entrances(f)._links)


def test_within_a_trace(way):
    runs = []

    def plain(x):
        runs.append(x)
        return x**3

    f = wg.trace(plain, backend=way)
    for _ in range(3):
        f(2.0)
    before = len(runs)
    assert wg.grad(lambda x: f(x) * f(2.0))(2.0) == 96.0
    assert len(runs) == before + 2
    program, g = f.graph(2.0), wg.grad(f)
    opened(program, 2.0)
    opened(g, 2.0)
    assert wg.grad(program)(2.0) == 12 and wg.grad(g)(2.0) == 12 and wg.grad(lambda x: g(x) * g(2.0))(2.0) == 144


def test_what_is_made_anew_at_each_call(way):
    f = wg.trace(lambda x: np.sum(x**3), backend=way)
    x = np.arange(3.0)
    program = f.graph(x)
    for _ in range(3):
        assert wg.grad(f)(x).tolist() == [0, 3, 12] == wg.grad(program.on(way))(x).tolist()
        assert wg.grad(f, (0,))(x)[0].tolist() == [0, 3, 12] and wg.value_and_grad(f)(x)[0] == program.on(way)(x) == 9
    for call in (wg.grad(f), wg.grad(f, (0,)), wg.value_and_grad(f), program.on(way), wg.grad(program.on(way))):
        assert entrances(call).first is not direct._nothing
    with pytest.raises(TypeError):
        wg.grad(f, 0.0)(x)


def test_the_backend_in_force(monkeypatch):
    monkeypatch.delenv("WENGERT_BACKEND", raising=False)
    f = wg.trace(lambda a: a * 2)
    p, g = f.graph(1.0), wg.grad(lambda a: a * a)
    used = []
    for name in ("numpy", "python", "reference"):
        with wg.backend(name):
            for call in (f, p, g):
                opened(call, 1.0)
                used.append(next(iter(entrances(call)._links.values())).links.plan.backend)
    assert used == [name for name in ("numpy", "python", "reference") for _ in range(3)]
    with wg.backend("numpy"):
        assert [f(1.0), p(1.0), g(1.0)] == [2, 2, 2]
    if BACKEND.unavailable() is None and entrance.entrance_type() is not None:
        monkeypatch.setenv("WENGERT_BACKEND", "c")
        for call in (f, p, g):
            opened(call, 1.0)
            inner = entrances(call).first
            inner.otherwise = None
            assert inner(1.0) == 2
            with wg.backend("numpy"):
                assert inner(1.0) is NotImplemented
            monkeypatch.setenv("WENGERT_BACKEND", "python")
            assert inner(1.0) is NotImplemented
            monkeypatch.setenv("WENGERT_BACKEND", "c")


# ----- out -----


def test_out(every_way):
    program = wg.trace(lambda x, y: (x + y, {"s": np.sum(x)})).graph(np.ones(3), np.ones(3)).on(every_way)
    x, y, out = np.arange(3.0), np.ones(3), np.empty(3)
    for _ in range(3):
        out[:] = -1
        got = program(x, y, out=(out, {"s": None}))
        assert got[0] is out and out.tolist() == [1, 2, 3] and got[1] == {"s": 3.0}
        assert program(x, y, out=None)[0].tolist() == [1, 2, 3]
    opened(program, x, y)
    s = np.empty(())
    assert program(x, y, out=(None, {"s": s}))[1]["s"] is s and s == 3
    strided = np.zeros(6)
    assert program(x, y, out=(strided[::2], {"s": None}))[0].tolist() == [1, 2, 3] and strided.tolist() == [1, 0, 2, 0, 3, 0]
    for bad in (np.empty(4), np.empty(3, np.float32), [1, 2, 3], np.empty((3, 1))):
        with pytest.raises(TypeError, match=r"out is .*result|Array 0 of out|out must be nested"):
            program(x, y, out=(bad, {"s": None}))
    with pytest.raises(TypeError, match="out must be nested like the result"):
        program(x, y, out=out)
    frozen = np.empty(3)
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        program(x, y, out=(frozen, {"s": None}))


def test_out_among_the_arguments(way):
    program = wg.trace(lambda x: (x[::-1].copy(), np.cumsum(x))).graph(np.ones(4)).on(way)
    for _ in range(4):
        x = np.arange(4.0)
        first, second = program(x, out=(x, None))
        assert first is x and x.tolist() == [3, 2, 1, 0] and second.tolist() == [0, 1, 3, 6]
        memory = np.arange(6.0)
        first, _ = program(memory[:4], out=(memory[2:], None))
        assert memory.tolist() == [0, 1, 3, 2, 1, 0]
        both = np.zeros(5)
        assert program(np.arange(4.0), out=(both[:4], both[1:]))[1].tolist() == [0, 1, 3, 6]


def test_out_of_a_gradient(every_way):
    for target in (wg.trace(lambda x: np.sum(x**2), backend=every_way), wg.trace(lambda x: np.sum(x**2)).graph(np.ones(3)).on(every_way)):
        value_and_grad, grad = wg.value_and_grad(target), wg.grad(target)
        x, out = np.arange(3.0), np.empty(3)
        for _ in range(3):
            value, slope = value_and_grad(x, out=(None, out))
            assert value == 5 and slope is out and out.tolist() == [0, 2, 4]
            assert grad(x, out=out) is out
            y = x.copy()
            assert grad(y, out=y) is y and y.tolist() == [0, 2, 4]
            grad(x), value_and_grad(x)
    mine = wg.trace(lambda x, out: np.sum(x * out), backend=every_way)
    for _ in range(3):
        assert wg.grad(mine)(x, out=2.0).tolist() == [2, 2, 2], "the function's own parameter"


# ----- threads, memory, processes -----


def test_nothing_leaks(way):
    program = wg.trace(lambda p, b: [p["x"] * b, {"n": p["x"].sum()}, (b, None)]).graph({"x": np.ones(3)}, 2.0).on(way)
    g = wg.value_and_grad(wg.trace(lambda x: np.sum(x**2) if x[0] > 0 else x[1], backend=way))
    x, b, out = np.ones(3), 2.5, np.ones(3)
    arguments = {"x": x}

    def calls(n):
        for _ in range(n):
            program(arguments, b)
            program(arguments, b, out=[out, {"n": None}, (None, None)])
            g(x)

    calls(5)
    repeats = 20_000 if way == "c" and os.environ["WENGERT_ENTRANCE"] == "now" else 100
    gc.collect()
    held, blocks = [sys.getrefcount(o) for o in (x, b, out, x.dtype, arguments, float)], sys.getallocatedblocks()
    calls(repeats)
    gc.collect()
    assert [sys.getrefcount(o) for o in (x, b, out, x.dtype, arguments, float)] == held
    assert sys.getallocatedblocks() - blocks < 300


@C
def test_ten_threads_at_once():
    program = wg.trace(lambda x: np.sum(np.sin(x)[::-1] * np.cos(np.cumsum(x)))).graph(np.ones(20_000)).on("c")
    small = wg.value_and_grad(wg.trace(lambda x: np.sum(np.cumsum(x) ** 2), backend="c"))
    inputs = [np.linspace(0, k, 20_000) for k in range(10)]
    want = [program(x) for x in inputs]
    slopes = [small(x[:50])[1] for x in inputs]
    opened(program, inputs[0])
    wrong = []

    def work(k):
        for _ in range(10):
            if program(inputs[k]) != want[k] or (small(inputs[k][:50])[1] != slopes[k]).any():
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(10)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_a_long_program_lets_others_run():
    graph = lambda n: wg.trace(lambda x: np.sum(np.sin(x))).graph(np.ones(n)).graph
    assert not entrance.is_long(graph(100)) and entrance.is_long(graph(100_000))
    product = lambda n: wg.trace(lambda a, b: a @ b).graph(np.ones((n, n)), np.ones((n, n))).graph
    assert not entrance.is_long(product(10)) and entrance.is_long(product(100))


def test_a_program_dropped_while_in_use(way):
    holder = []

    def work():
        for _ in range(50):
            holder[0](2.0)

    for _ in range(3):
        holder[:] = [wg.trace(lambda a: a * 2).graph(1.0).on(way)]
        opened(holder[0], 1.0)
        thread = threading.Thread(target=work)
        thread.start()
        holder[0] = wg.trace(lambda a: a * 3).graph(1.0).on(way)
        gc.collect()
        thread.join()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_after_a_fork(way):
    program = wg.trace(lambda x: np.sum(np.cumsum(x) ** 2)).graph(np.ones(30)).on(way)
    _, want = opened(program, np.ones(30))
    child = os.fork()
    if child == 0:
        os._exit(0 if program(np.ones(30)) == want else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_copies(way):
    program, f = wg.trace(lambda a: a * 2).graph(1.0), wg.trace(np.sin, backend=way)
    opened(f, 1.0)
    assert copy.copy(program)(3.0) == copy.deepcopy(program)(3.0) == 6
    assert copy.copy(f)(3.0) == np.sin(3.0)
    with wg.backend("numpy"):
        assert [program(1.0) for _ in range(3)] == [2, 2, 2]
    assert copy.copy(program)(3.0) == 6
    assert entrances(copy.deepcopy(wg.trace(np.sin))).first is direct._nothing


@pytest.mark.parametrize("kept", ["nothing", "all", "the tuple within", "one number", "all but the value"])
def test_results_that_someone_has_stay_as_they_are(way, kept):
    program = wg.trace(lambda a, b: (a + b) * (b + 1)).graph(2.0, 1.0).on(way)
    call, seen = wg.value_and_grad(program, (0, 1)), []
    opened(call, 2.0, 1.0)
    for b in range(9):
        result = call(2.0, float(b))
        same(result, (float((2 + b) * (b + 1)), (np.float64(b + 1), np.float64(2 * b + 3))))
        value, (left, right) = result
        seen.append({"nothing": None, "all": result, "the tuple within": result[1], "one number": right,
                     "all but the value": (left, right)}[kept])  # fmt: skip
        del result, value, left, right
    slopes = [(np.float64(b + 1), np.float64(2 * b + 3)) for b in range(9)]
    whole = [(float((2 + b) * (b + 1)), slopes[b]) for b in range(9)]
    same(seen, {"nothing": [None] * 9, "all": whole, "the tuple within": slopes, "one number": [s for _, s in slopes],
                "all but the value": slopes}[kept])  # fmt: skip


def test_numbers_written_into_arrays_that_are_given(way):
    program = wg.trace(lambda a, b: (a + b) * (b + 1)).graph(2.0, 1.0).on(way)
    call, x, y = wg.value_and_grad(program, (0, 1)), np.empty(()), np.empty(())
    opened(call, 2.0, 1.0)
    for b in map(float, range(1, 9)):  # results with and without in turn
        want = (2 + b) * (b + 1), (np.float64(b + 1), np.float64(2 * b + 3))
        same(call(2.0, b), want)
        value, (left, right) = call(2.0, b, out=(None, (x, y)))
        assert value == want[0] and left is x and right is y and (x, y) == want[1]
        value, (left, right) = call(2.0, b, out=(None, (None, y)))
        assert right is y and (left, y) == want[1] and type(left) is np.float64
        same(call(2.0, b), want)


def test_derivatives_are_like_functions(way):
    """Whether their call is the extension's or not: names, parameters, methods, copies, attributes; keywords and errors."""

    class Model:
        w = 3.0

        @wg.value_and_grad
        def loss(self, x):
            return self.w * x**2

        slope = wg.grad(lambda self, x: self.w * x**2, 1)

    slope = wg.grad(wg.trace(lambda x, k=2.0: k * x**2, backend=way))
    opened(slope, 3.0)
    assert slope(3.0) == slope(x=3.0) == slope(3.0, k=2.0) == 12 and slope(3.0, k=1.0) == 6
    assert slope.__name__ == "grad_<lambda>" and slope.__name__ in repr(slope) and slope.__call__(3.0) == 12
    assert list(inspect.signature(type(slope).__call__).parameters)[-2:] == ["args", "kwargs"]
    assert wg.grad(lambda self: self**2)(self=3.0) == 6 and wg.trace(lambda self: self + 1)(self=3.0) == 4
    assert copy.copy(slope) is copy.deepcopy(slope) is slope and callable(slope)
    slope.note = 1
    assert [wg.trace(slope, backend=way)(3.0) for _ in range(3)] == [12] * 3
    assert [Model().slope(2.0) for _ in range(3)] == [12] * 3
    with pytest.raises(DerivativeError, match="Argument 0 of loss holds no array"):
        Model().loss(2.0)  # self is no array
    with pytest.raises(TypeError):
        slope()
    with pytest.raises(TypeError):
        type(slope).__call__()


def test_a_traced_method(way):
    class Model:
        def __init__(self, w):
            self.w = w

        @wg.trace(backend=way)
        def loss(self, x):
            return np.sum(x * self.w)

    a, b = Model(2.0), Model(3.0)
    x = np.ones(2)
    for _ in range(4):
        assert (a.loss(x), b.loss(x)) == (4, 6)
    a.w = 5.0
    assert [a.loss(x) for _ in range(3)] == [10] * 3
    assert wg.grad(a.loss)(x).tolist() == [5, 5]


# ----- where the extension comes from -----


@C
def test_the_extension_is_built_while_calls_go_the_other_way(monkeypatch, tmp_path):
    if entrance.entrance_type() is None:
        pytest.skip("Python's headers are not here")
    monkeypatch.setenv("WENGERT_CACHE", str(tmp_path))
    monkeypatch.delenv("WENGERT_ENTRANCE")
    monkeypatch.setattr(cache, "_loaded", collections.OrderedDict())
    state = type("State", (), {"type": None, "failed": False, "thread": None})
    monkeypatch.setattr(entrance, "_State", state)
    released = threading.Event()
    load = entrance.load
    monkeypatch.setattr(entrance, "load", lambda *args: (released.wait(20), load(*args))[1])
    program = wg.trace(lambda a: a * 2).graph(1.0).on("c")
    for _ in range(40):
        assert program(2.0) == 4
    assert in_python(program._entrances)
    released.set()
    state.thread.join()
    for _ in range(40):
        assert program(2.0) == 4
    assert isinstance(program._entrances.first, state.type)
    state.type = state.thread = None  # another process
    again = wg.trace(lambda a: a * 2).graph(1.0).on("c")
    opened(again, 1.0)
    assert state.thread is None and isinstance(again._entrances.first, state.type)


@C
def test_without_it_all_works(monkeypatch):
    monkeypatch.setattr(entrance, "_State", type("State", (), {"type": None, "failed": False, "thread": None}))
    monkeypatch.setattr(entrance, "TEXT", "#error no headers\n")
    program = wg.trace(lambda a: a * 2).graph(1.0).on("c")
    opened(program, 1.0)
    assert entrance._State.failed and in_python(program._entrances)
    monkeypatch.setattr(entrance, "_State", type("State", (), {"type": None, "failed": False, "thread": None}))
    monkeypatch.setattr(entrance.np, "get_include", lambda: "/nowhere")
    assert entrance.entrance_type() is None and entrance._State.failed


def test_the_page_is_true():
    text = (Path(__file__).parents[2] / "docs" / "calls.md").read_text().replace('on("c")', 'on("python")')
    names = {}
    exec("\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL)), names)
    assert names["same"] is names["slope"]


def documented(x, k=2.0):
    """Told."""
    return k * x**2


named = wg.trace(documented)
documented, plainly = named, documented


def test_what_functions_are_asked_for():
    for slope in (wg.grad(plainly), wg.value_and_grad(named), wg.vmap(wg.grad(named)), wg.grad(named.graph(1.0))):
        assert str(inspect.signature(slope)) == "(x, k=2.0)" and "documented" in slope.__qualname__
        if slope.__name__ != "grad_documented" or slope.__module__ == __name__:
            assert slope.__doc__.startswith("wg.") and slope.__doc__.endswith("Told.") and slope.__module__ == __name__
        assert repr(slope.__call__).startswith("<bound method Called.__call__ of <function")
    program = named.graph(1.0)
    assert str(inspect.signature(program)) == "(x, k=2.0)" and program.__name__ == "documented"
    assert functools.wraps(program)(lambda: 0).__name__ == "documented"

    class Model:
        @wg.trace
        def f(self, x):
            return x * 2

    method = Model().f
    assert str(inspect.signature(method)) == "(x)" and "Model.f" in repr(method) and wg.trace(method)(3.0) == 6


def test_pickles(way):
    program = named.graph(1.0).on(way)
    opened(program, 3.0)
    again = pickle.loads(pickle.dumps(program))
    assert again(3.0) == 18 and again.backend == way and wg.grad(again)(3.0) == 12 and repr(again) == repr(program)
    assert pickle.loads(pickle.dumps(named)) is named and str(again) == str(program)
    other = pickle.loads(pickle.dumps(wg.trace(np.hypot, backend=way)))
    assert other(3.0, 4.0) == 5 and other.backend == way
    with pytest.raises(TypeError, match="grad_documented.*cannot be pickled. Pickle what it is made of"):
        pickle.dumps(wg.grad(named))
    assert copy.deepcopy([program])[0] is program and copy.copy(named) is named


class Emptying:
    def __init__(self, held):
        self.held, self.me = held, self

    def __del__(self):
        self.held.clear()


@C
def test_a_list_that_is_emptied_while_memory_is_made():
    n = 20_000
    program = wg.trace(lambda x: x[0][::-1] * 2 + x[1]).graph([np.ones(n), np.ones(n)]).on("c")
    opened(program, [np.arange(float(n)), np.ones(n)])
    threshold = gc.get_threshold()
    for _ in range(10):
        args = [np.arange(float(n)), np.ones(n)]
        Emptying(args)
        gc.set_threshold(1)
        try:
            result = program(args)
        finally:
            gc.set_threshold(*threshold)
        np.testing.assert_array_equal(result, np.arange(n)[::-1] * 2.0 + 1)
