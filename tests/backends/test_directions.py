"""Backends that generate source take several directions at once, with as few programs as can be."""

import numpy as np
import pytest

import wengert as wg
from wengert.backends import protocol
from wengert.backends.source import base

RNG = np.random.default_rng(0)
M, X, Y = RNG.normal(size=(4, 3)), RNG.normal(size=3), RNG.normal(size=(2, 3))


def function(x, y):
    turns = wg.while_loop(lambda c: c[0] < 3.0, lambda c: (c[0] + 1.0, np.sin(c[1]) * x), (0.0, x))[1]
    return np.tanh(M @ x) * np.sum(y), np.argmax(x), np.linalg.solve(M[:3] + np.diag(x), y.T), np.where(x > 0, turns, y[0])


GRAPH = wg.trace(lambda x, y: (function(x, y), 1.0 / x if x[0] < 9.0 else x)).graph(X, Y).graph
TYPES = [v.type for v in GRAPH.outputs]


@pytest.fixture(params=["python", "c"])
def backend(request):
    return protocol.get(request.param)


@pytest.fixture
def built(monkeypatch):
    """The number of lanes, or of none, that each program was built for: the first axis of its last input."""
    counts, python = [], type(protocol.get("python"))
    original = python._run
    count = lambda graph: counts.append(graph.inputs[-1].type.shape)
    monkeypatch.setattr(python, "_run", lambda self, graph, *more: count(graph) or original(self, graph, *more))
    return counts


def seeds(k, types):
    return [RNG.normal(size=(k, *t.shape)) if t.dtype.kind == "f" else None for t in types]


def check(run, mode, k):
    given = seeds(k, [v.type for v in GRAPH.inputs] if mode == "forward" else TYPES)
    values, moved = run([X, Y], given)
    expected = getattr(protocol.get("numpy"), mode)(GRAPH, (0, 1))([X, Y], given)
    assert len(values) == len(TYPES) + len(GRAPH.guards)
    for got, want in zip((*values, *moved), (*expected[0], *expected[1]), strict=True):
        if want is None:
            assert got is None
            continue
        assert got.shape == want.shape
        assert got.dtype == want.dtype
        assert got.flags.writeable
        np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_any_number_of_them(backend, mode):
    run = getattr(backend, mode)(GRAPH, (0, 1))
    for k in (3, 1, 0, 3):
        check(run, mode, k)


def test_a_pullback_takes_several():
    values, pull = protocol.get("python").reverse(GRAPH, (0, 1))([X, Y])
    given = seeds(4, TYPES)
    _, expected = protocol.get("numpy").reverse(GRAPH, (0, 1))([X, Y], given)
    for got, want in zip(pull(given), expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-13)
    np.testing.assert_array_equal(values[1], np.argmax(X))


def test_programs_are_few(built):
    """One for each of the first numbers of directions; others are filled up, or taken in parts."""
    run = protocol.get("python").forward(GRAPH, (0, 1))
    for k in (5, 2, 9, 3, 4, 7, 12, 1, 5):
        check(run, "forward", k)
    assert built == [(k, 2, 3) for k in (5, 2, 9, 3)] + [(2, 3)]


def test_what_is_too_much_is_taken_in_parts(built, monkeypatch):
    monkeypatch.setattr(base, "AT_ONCE", 9 * 5)  # the largest value has nine numbers
    run = protocol.get("python").reverse(GRAPH, (0, 1))
    for k in (4, 7, 10):
        check(run, "reverse", k)
    assert built == [(4, 3), (5, 3)]


def test_one_by_one_where_lanes_are_refused(built, monkeypatch):
    def refused(*_):
        raise wg.GraphTypeError("no lanes")

    monkeypatch.setattr(base, "directions", refused)
    check(protocol.get("python").forward(GRAPH, (0, 1)), "forward", 3)
    assert built == [(2, 3)]
