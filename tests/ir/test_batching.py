"""Graphs of many lanes: what the law of the ops (tests/laws/test_lanes.py) does not ask."""

import math
import os

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, seed, settings, strategies as st
from lanes import agree, compare, run
from samples import samples
from strategies import programs

from wengert.backends.program import Program, check_guards
from wengert.ir import autodiff, batched_control, batching, wire
from wengert.ir.batching import Lanes, batch
from wengert.ir.build import Builder, Namespace
from wengert.ir.errors import GuardError
from wengert.ir.graph import Location
from wengert.ir.kinds import Control, Movement, Op
from wengert.ir.ops import OPS
from wengert.ir.types import ArrayType
from wengert.ir.verify import verify

SOAK = bool(os.environ.get("WENGERT_SOAK"))
F64, INT, BOOL = (np.dtype(n) for n in ("float64", "int64", "bool"))
BACKENDS = ["reference", "numpy", "python", "c"]


def graph_of(build, *types):
    b = Builder("found")
    xp = Namespace(b)
    out = build(xp, *(xp.wrap(b.input(t)) for t in types))
    return b.graph([xp.lift(v) for v in (out if isinstance(out, tuple) else (out,))])


def test_every_kind_has_a_rule():
    assert set(batching.RULES) == set(Op.__subclasses__())
    assert set(batched_control.RULES) == {op.name for op in OPS.values() if isinstance(op, Control)}


# ----- Where the lanes are -----


@pytest.mark.parametrize("mode", ["jvp", "vjp"])
def test_many_directions_from_one_point(mode):
    """A Jacobian in one sweep: the values, and the partials that they are made of, once."""
    graph = graph_of(lambda xp, x: (xp.sin(x), xp.sum(x * x)), ArrayType(F64, (3,)))
    x, shapes = np.array([0.3, 0.5, 0.7]), [(3,)] if mode == "jvp" else [(3,), ()]
    sweep = batching.directions(getattr(autodiff, mode)(graph, (0,)), 1, 2, k := sum(map(math.prod, shapes)))
    parts = np.split(np.eye(k), np.cumsum([math.prod(s) for s in shapes])[:-1], axis=1)
    values, total, *moved = run(sweep, x, *(p.reshape(k, *s) for p, s in zip(parts, shapes, strict=True)))
    np.testing.assert_array_equal(values, np.sin(x))
    assert total.shape == () and [n.result.type.shape for n in sweep.nodes if n.op.name == "cos"] == [(3,)]
    jacobian = np.concatenate([m.reshape(k, -1) for m in moved], axis=1)
    np.testing.assert_allclose(jacobian.T if mode == "jvp" else jacobian, [*np.diag(np.cos(x)), 2 * x])


def test_what_is_the_same_in_every_lane_is_computed_once():
    graph = graph_of(lambda xp, x, y: (xp.sin(x), xp.sin(x) * y, y), *[ArrayType(F64, (3,))] * 2)
    lanes, axes = batch(graph, (None, -1), 4)
    assert axes == (None, 0, 0)
    assert [v.type.shape for v in lanes.inputs] == [(3,), (3, 4)]
    assert [v.type.shape for v in lanes.outputs] == [(3,), (4, 3), (4, 3)]
    (sine,) = (node for node in lanes.nodes if node.op.name == "sin")
    assert sine.result.type.shape == (3,)


def test_lanes_are_put_where_they_are_wanted():
    graph = graph_of(lambda xp, x, y: (x * 1.0, y * x, y), ArrayType(F64, (2, 3)), ArrayType(F64))
    lanes, axes = batch(graph, (None, 0), 4, (0, -1, 0))
    assert axes == (0, -1, 0)
    x, y = np.arange(6.0).reshape(2, 3), np.arange(4.0)
    first, second, third = run(lanes, x, y)
    np.testing.assert_array_equal(first, np.stack([x] * 4))
    np.testing.assert_array_equal(second, np.stack([x * v for v in y], -1))
    np.testing.assert_array_equal(third, y)


@pytest.mark.parametrize("size", [0, 1])
def test_no_lane_and_one(size):
    graph = graph_of(lambda xp, x, i: (xp.sort(x, 0), xp.take(x, i, 0), xp.max(x), xp.argmax(x, (0,)), xp.concatenate([x, x])),
                     ArrayType(F64, (3,)), ArrayType(INT, (2,)))  # fmt: skip
    x, i = np.array([[3.0, 1.0, 2.0]] * size).reshape(size, 3), np.array([[2, 0]] * size, np.int64).reshape(size, 2)
    lanes, _ = batch(graph, (0, 0), size)
    for backend in BACKENDS:
        got = run(lanes, x, i, backend=backend)
        for each, alone in zip(got, run(graph, [3.0, 1.0, 2.0], np.array([2, 0]), backend=backend), strict=True):
            np.testing.assert_array_equal(each, np.stack([alone] * size) if size else np.zeros((0, *alone.shape)))


def test_weak_numbers_are_arrays_in_lanes():
    b = Builder()
    x = b.input(ArrayType(F64, (), weak=True))
    doubled = b.cast(b.apply(OPS["add"], x, x), np.dtype(np.complex128), weak=True)
    lanes, _ = batch(b.graph([doubled]), (0,), 2)
    verify(lanes)
    np.testing.assert_array_equal(run(lanes, [1.0, 2.0])[0], [2, 4])


def test_a_graph_of_lanes_is_kept_in_files_and_by_its_program(tmp_path):
    graph = graph_of(lambda xp, x, y: xp.sin(x) * y, *[ArrayType(F64, (3,))] * 2)
    lanes, _ = batch(graph, (0, None), 2)
    again = wire.from_bytes(wire.to_bytes(lanes))
    assert wire.identity(again) == wire.identity(lanes)
    program = Program(graph)
    assert program.batched((0, None), 2) is program.batched((0, None), 2)
    assert program.batched((0, None), 3)[0].graph.inputs[0].type.shape == (3, 3)


# ----- Movements, contractions, indices -----


@pytest.mark.parametrize("name", [name for name, op in OPS.items() if isinstance(op, Movement)])
def test_any_movement_is_its_pieces_in_lanes(name, monkeypatch):
    """The way that a movement without a row of its own goes."""
    monkeypatch.setattr(batching, "MOVEMENTS", {})
    for sample in samples(name):
        if sample.operands[0].dtype in (F64, np.uint8):
            compare(sample.graph(), "numpy", [[x, x[::-1] if x.ndim else x + x, x] for x in sample.operands], 0)


@pytest.mark.parametrize("mapped", [(0, 0), (0, None), (None, 0)])
@pytest.mark.parametrize("name", ["einsum", "scale_einsum"])
def test_a_contraction_without_a_letter_left(name, mapped):
    """52 letters in two operands, and lanes."""
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    x, y, sizes = letters[:28], letters[24:], dict.fromkeys(letters, 1) | {"b": 2, "y": 3, "z": 2, "Z": 3}
    out = letters[:25][::-1] + letters[26:][::-1]  # y and z meet: y is summed
    types = [ArrayType(F64, tuple(sizes[c] for c in term)) for term in (x, y)]
    graph = graph_of(lambda xp, x_, y_: xp.einsum(f"{x},{y}->{out}", x_, y_, scaled=name == "scale_einsum"), *types)
    rng = np.random.default_rng(0)
    lanes = [[rng.standard_normal(t.shape) for _ in range(3)] for t in types]
    whole = [a[0] if axis is None else np.stack(a) for a, axis in zip(lanes, mapped, strict=True)]
    (got,) = run(batch(graph, mapped, 3)[0], *whole)
    for i in range(3):
        (want,) = run(graph, *(a[0] if axis is None else a[i] for a, axis in zip(lanes, mapped, strict=True)))
        np.testing.assert_allclose(got[i], want, rtol=1e-14)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("bad", [-1, -4, 3, 5, 400])
def test_an_index_that_is_none_in_its_lane_is_none(backend, bad):
    """Whatever lies beside it in memory."""
    take = graph_of(lambda xp, x, i: xp.take(x, i, 0), ArrayType(F64, (3,)), ArrayType(INT, (1,)))
    scatter = graph_of(lambda xp, x, i: xp.scatter_add(x, i, 0, 3), ArrayType(F64, (1,)), ArrayType(INT, (1,)))
    for graph, x in ((take, np.ones((3, 3))), (scatter, np.ones((3, 1)))):
        lanes, _ = batch(graph, (0, 0), 3)
        run(lanes, x, np.array([[0], [2], [1]]), backend=backend)
        for row in range(3):
            indices = np.ones((3, 1), np.int64)
            indices[row] = bad
            with pytest.raises(IndexError):
                run(lanes, x, indices, backend=backend)


def test_one_matrix_is_taken_apart_once():
    graph = graph_of(lambda xp, a, b: xp.solve(a, b, singular="raise"), ArrayType(F64, (3, 3)), ArrayType(F64, (3, 2)))
    lanes, _ = batch(graph, (None, 1), 5)
    (solve,) = (node for node in lanes.nodes if node.op.name == "solve")
    assert [v.type.shape for v in solve.operands] == [(3, 3), (3, 10)]


# ----- Guards -----


def guarded(expected):
    b = Builder()
    x = b.input(ArrayType(F64))
    b.guard(b.apply(OPS["less"], x, b.constant(1.0)), expected, Location("m", "f", 7))
    b.guard(b.constant(True), True)
    return b.graph([x])


@pytest.mark.parametrize("expected", [True, False])
def test_a_guard_holds_in_every_lane(expected):
    lanes, _ = batch(guarded(expected), (0,), 3)
    verify(lanes)
    holding, other = (0.0, 2.0) if expected else (2.0, 0.0)
    check_guards(lanes, run(lanes, [holding] * 3))
    for i in range(3):
        x = np.full(3, holding)
        x[i] = other
        with pytest.raises(GuardError, match=r"m\.f:7"):
            check_guards(lanes, run(lanes, x))
    check_guards(empty := batch(guarded(expected), (0,), 0)[0], run(empty, np.zeros(0)))


# ----- Random graphs, and what is made of them -----


@st.composite
def cases(draw):
    try:
        program = draw(programs(8, of_complex=draw(st.sampled_from([False, False, True]))))
    except KeyError:  # an int32, which the strategy has no ops for
        assume(False)
    steps = draw(st.lists(st.sampled_from(["jvp", "vjp", "lanes", "lanes"]), min_size=2, max_size=2))
    steps.insert(draw(st.integers(0, 2)), "lanes")
    return program, steps, draw(st.integers(0, 2**32 - 1))


@seed(0)
@settings(max_examples=2000 if SOAK else 40, database=None, deadline=None, derandomize=False, suppress_health_check=list(HealthCheck))
@given(cases())
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_three_transformations_of_random_graphs(case):
    program, steps, number = case
    agree(program.graph, steps, np.random.default_rng(number))


def test_lanes_say_what_they_emit_to():
    b = Builder()
    lanes = Lanes(Namespace(b), 2)
    value = b.input(ArrayType(F64, (3, 4, 5)))
    assert lanes.moved(value, 2, 0).type.shape == (5, 3, 4)
    assert lanes.along(value, has=False).type.shape == (2, 3, 4, 5)
    assert lanes.along(value, has=True) is value
