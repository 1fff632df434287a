# ruff: noqa: RUF021, RUF015, RUF034, FURB192, FURB110, FURB171, UP031 (users' code is of every style)
"""Python's control flow on traced values: every branch is followed, and none is taken for another's arguments."""

import numpy as np
import pytest

import wengert as wg
from wengert.tracer import decorator

X, Y, UP = np.arange(1.0, 4.0), -np.arange(1.0, 4.0), np.arange(4.0, 7.0)


def branch(x):
    if x > 0:
        return x * 2
    return -x


def loop(x):
    while x < 10:
        x = x * 2
    return x


def match(x):
    match int(x):
        case 1:
            return x * 100
        case _:
            return x


def early(x):
    for v in x:
        if v > 2:
            return v * 3
    return x.sum()


def table(i):
    return [1.0, 2.0, 3.0][i] * i


#: function: arguments that lead to different paths.
PATHS = {
    "if": (branch, (1.0, -1.0, 0.0)), "while": (loop, (1.0, 3.0, 11.0)), "match": (match, (1.0, 2.0)), "for": (early, (X, Y, UP)), "list[int]": (table, (1, 2, -1)),
    "and or not": (lambda x: x[0] if x[0] > 0 and x[1] > 0 or not x[2] else x[1] * 2, (X, Y, X * [1, 1, 0], X * [-1, 1, 0], X * [1, -1, 1])),
    "max min": (lambda x: max(x[0], x[1]) * min(x[1], 1.0), (X, Y, X[::-1].copy())), "sorted": (lambda x: sorted(x)[1] * 2 + sorted(x, key=lambda v: -v)[0], (X, Y, X[::-1].copy())),
    "range(int)": (lambda x: sum(x * i for i in range(int(x))), (3.0, 5.5, 0.0)), "len": (lambda x: x * len(range(int(x))), (2.0, 3.0)),
    "int negative": (lambda x: x * int(x), (-1.5, 1.5, -0.5)), "mask": (lambda x: (x[x > 2] ** 2).sum(), (X, UP, Y)), "mask shape": (lambda x: x[x > 2], (X, UP, Y)),
    "two masks": (lambda x: x[(x > 1) & (x < 3)].sum(), (X, UP, Y)), "in list": (lambda x: 1.0 if x in (1.0, 2.0) else x * 3, (1.0, 2.0, 5.0)),
    "in array": (lambda x: x.sum() if 3.0 in x else x[0], (X, Y)), "chained": (lambda x: x * 2 if 0 < x < 3 else x * 5, (1.0, 3.0, -1.0)),
    "any": (lambda x: x.sum() if np.any(x > 2) else x.prod(), (X, Y)), "all builtin": (lambda x: all(v > 0 for v in x) * x.sum(), (X, Y)),
    "allclose": (lambda x: x * 2 if np.allclose(x, 1) else x, (X, np.ones(3))), "array_equal": (lambda x: x * 2 if np.array_equal(x, X) else x, (X, Y)),
    "round": (lambda x: x * round(x), (1.4, 1.6)), "index by int": (lambda x: x[int(x[0])], (X, X * 2 - 1)), "slice": (lambda x: x[: int(x[0])].sum(), (X, X + 1)),
    "argmax index": (lambda x: x[x.argmax()], (X, Y)), "argsort index": (lambda x: x[x.argsort()], (X, Y)), "argmax slice": (lambda x: x[: x.argmax()].sum(), (X, Y)),
    "nonzero": (lambda x: x[np.nonzero(x > 1)], (X, Y, UP)), "where": (lambda x: x[np.where(x > 1)[0]] * 2, (X, Y)), "flatnonzero": (lambda x: x[np.flatnonzero(x > 1)], (X, Y)),
    "plain[traced number]": (lambda x: X[x[0].astype(int)] * x, (np.zeros(3), np.ones(3))), "ones(int)": (lambda x: np.ones(int(x)) * x, (2.0, 3.0)),
    "truth": (lambda x: x if x else x + 1, (1.0, 0.0)), "truth of one": (lambda x: x * 2 if x[:1] else x, (X, X * 0)), "dict key": (lambda x: {1: x * 10}.get(int(x), x), (1.0, 2.0)),
    "bool()": (lambda x: x * bool(x > 1), (1.0, 2.0)), "comprehension": (lambda x: [v for v in x if v > 1][0], (X, UP)), "filter": (lambda x: sum(filter(lambda v: v > 1, x)), (X, UP, Y)),
    "format %d": (lambda x: x * len("%d" % x), (1.0, 10.0)), "assign by mask": (lambda x: [y := x * 1, y.__setitem__(x > 1, 0.0), y][2], (X, Y)),
    "nan": (lambda x: x * 2 if x == x else x * 0 + 1, (1.0, np.nan)), "searching": (lambda x: next(i for i, v in enumerate(x) if v > 0) * x, (X, X * [-1, 1, 1])),
}  # fmt: skip


@pytest.mark.parametrize("name", PATHS)
def test_each_path_is_followed_and_followed_again(name):
    f, cases = PATHS[name]
    traced = wg.trace(f)
    for x in cases * 2:
        np.testing.assert_array_equal(traced(x), f(x), strict=False)
    if all(np.ndim(f(x)) == 0 and isinstance(f(x), float) and np.asarray(x).dtype == float for x in cases):
        gradient = wg.grad(traced)
        for x in cases * 2:
            if not np.isnan(x).any():
                np.testing.assert_array_equal(gradient(x), wg.grad(f)(x))


def test_paths_are_a_tree(monkeypatch):
    """A guard that fails tells which paths are left: 24 paths, and at most two are run where the first branch decides."""
    def f(x):
        while x > 1:
            x = x / 2
        return x

    def numbers(x):
        return x * int(x) if x > 0 else -x if x > -5 else x

    runs = []
    run = decorator._attempt
    monkeypatch.setattr(decorator, "_attempt", lambda *args: [runs.append(1), run(*args)][1])
    traced, counted = wg.trace(f), wg.trace(numbers)
    for x in (2.0 ** np.arange(24)).tolist():
        assert traced(x) == 1.0
    traces, runs[:] = sum(runs), []
    assert traced(0.5) == 0.5 and len(runs) == 2 and traces < 24 * 24 / 2
    for x in (1.5, 2.5, 3.5, -1.0, -7.0, 4.5):
        assert counted(x) == numbers(x)
    runs.clear()
    assert counted(-1.0) == 1.0 and len(runs) <= 3 and counted(2.5) == 5.0
    assert len(counted._variants[next(iter(counted._variants))]) == 6  # none was traced twice


def test_derivatives_follow_the_path():
    f = wg.trace(branch)
    assert [wg.grad(f)(x) for x in (1.0, -1.0, 2.0)] == [2.0, -1.0, 2.0]
    assert [wg.jvp(f, (x,), (1.0,))[1] for x in (1.0, -1.0)] == [2.0, -1.0]
    assert [wg.vjp(f, x)[1](1.0)[0] for x in (1.0, -1.0)] == [2.0, -1.0]
    assert [wg.linearize(f, x)[1](1.0) for x in (1.0, -1.0)] == [2.0, -1.0]
    assert [wg.jacobian(f)(x) for x in (1.0, -1.0)] == [2.0, -1.0]
    assert [wg.hessian(lambda x: branch(x) * x)(x) for x in (1.0, -1.0)] == [4.0, -2.0]
    assert wg.grad(loop)(1.0) == 16.0


def test_an_assertion_fails_as_it_should():
    def f(x):
        assert x > 0, "positive"
        return x

    traced = wg.trace(f)
    assert traced(1.0) == 1.0
    with pytest.raises(AssertionError, match="positive"):
        traced(-1.0)
    assert traced(2.0) == 2.0


def test_a_graph_where_a_guard_fails(tmp_path):
    program = wg.trace(branch).graph(1.0)
    program.save(tmp_path / "f.wg")
    line = branch.__code__.co_firstlineno + 1
    for g in (program, wg.load(tmp_path / "f.wg"), *(program.on(b) for b in ("reference", "numpy", "python"))):
        assert g(2.0) == 4.0 and wg.grad(g)(2.0) == 2.0
        for run in (g, wg.grad(g), wg.hessian(g), lambda x, g=g: wg.jvp(g, (x,), (1.0,)), lambda x, g=g: wg.vjp(g, x), lambda x, g=g: wg.linearize(g, x), wg.jacobian(g)):
            with pytest.raises(wg.GuardError, match=rf"condition was True, and now it is False.*Trace the function again.*branch:{line}\)") as caught:
                run(-1.0)
            assert caught.value.location.line == line


def test_a_graph_called_in_a_trace_guards_its_caller():
    program = wg.trace(branch).graph(1.0)
    outer = wg.trace(lambda x: program(x) + 1).graph(1.0)
    assert outer(2.0) == 5.0
    with pytest.raises(wg.GuardError):
        outer(-2.0)


def test_guards_of_inner_functions():
    f = wg.trace(lambda x: wg.grad(lambda y: y * x if y > 0 else y * y)(x))
    assert [f(x) for x in (2.0, -3.0, 4.0, -1.0)] == [2.0, -6.0, 4.0, -2.0]
    g = wg.trace(lambda x: wg.grad(lambda y: y * x if x > 0 else y * y)(x))
    assert [g(x) for x in (2.0, -3.0, 4.0, -1.0)] == [2.0, -6.0, 4.0, -2.0]


def test_too_many_paths_say_what_to_do():
    f = wg.trace(PATHS["range(int)"][0])
    with pytest.raises(wg.TraceError, match=r"has taken \d+ different branches.*np.where"):
        for i in range(200):
            f(float(i))


@pytest.mark.parametrize("ask", [lambda x: bool(x), lambda x: x if x > 1 else x, lambda x: x and 1, lambda x: not x, lambda x: max(x, x + 1), lambda x: x in [x * 1]])
def test_the_truth_of_many_is_numpys_error(ask):
    with pytest.raises(ValueError, match="more than one element is ambiguous"):
        wg.trace(ask)(X)


@pytest.mark.parametrize("ask", [lambda x: int(x), lambda x: range(x[0]), lambda x: [1, 2][x[0]], lambda x: len(x[0]), lambda x: list(x[0]), lambda x: x[x]])
def test_what_is_no_number_is_a_type_or_index_error(ask):
    with pytest.raises((TypeError, IndexError)):
        wg.trace(ask)(X)
    with pytest.raises((TypeError, IndexError)):
        ask(X)


def test_recursion():
    @wg.trace
    def factorial(n):
        return n * factorial(n - 1) if n > 1 else n

    assert [factorial(5.0), factorial(3.0)] == [120, 6]
    assert wg.grad(factorial)(3.0) == 11.0


def test_an_integer_as_a_key_is_a_guard():
    f = wg.trace(lambda x, n, labels: x * {2: 3.0, 3: 5.0}[n] * {0: 1.0, 1: 7.0}[labels[0]])
    graph = f.graph(1.0, 2, np.array([1]))

    assert (f(1.0, 2, np.array([1])), f(1.0, 3, np.array([0]))) == (21.0, 5.0)
    for n, label in ((3, 1), (2, 0)):
        with pytest.raises(wg.GuardError):
            graph(1.0, n, np.array([label]))
