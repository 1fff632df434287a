"""Backend c: every kind against NumPy, and everything that can go wrong around a compiler."""

import ctypes
import itertools
import math
import os
import re
import stat
import subprocess
import threading
import time

import numpy as np
import oracles
import pytest

import wengert as wg
from wengert.backends import protocol
from wengert.backends.reference import BACKEND as REFERENCE
from wengert.backends.source.c import BACKEND
from wengert.backends.source.c.emit import Program
from wengert.backends.source.c.loops.trusting import trusting
from wengert.backends.source.c.machine import cache, compiler
from wengert.backends.source.c.planning.slices import slices_alone
from wengert.backends.source.c.scalars.spelling import CLASSES, SPELLING
from wengert.ir import autodiff, kinds
from wengert.ir.build import Builder, Namespace
from wengert.ir.errors import BackendError, GraphTypeError
from wengert.ir.graph import Constant, Location
from wengert.ir.ops import OPS
from wengert.ir.passes import dead_code
from wengert.ir.types import DTYPES, ArrayType, type_of

needs_compiler = pytest.mark.skipif(BACKEND.unavailable() is not None, reason=str(BACKEND.unavailable()))
pytestmark = needs_compiler
REAL = {short: dtype for short, dtype in DTYPES.items() if dtype.kind != "c"}


@pytest.fixture(autouse=True, scope="module")
def own_cache(tmp_path_factory):
    """What other runs compiled proves nothing about this one."""
    patch = pytest.MonkeyPatch()
    patch.setenv("WENGERT_CACHE", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()


# ----- An oracle: NumPy, node by node -----


def numpy_value(node, arrays):
    op, params = node.op, node.params
    if isinstance(op, kinds.Elementwise):
        return elementwise_value(op, params, arrays)
    if isinstance(op, kinds.Reduction):
        return reduced(op, arrays[0], params["axes"])
    if isinstance(op, kinds.Cumulative):
        return oracles.running(op, *arrays, **params)
    if isinstance(op, kinds.Movement):
        return moved(node, arrays)
    if isinstance(op, kinds.Contraction):
        return contracted(op, arrays, params["subscripts"])
    if isinstance(op, kinds.Indexing):
        return indexed(op, arrays, params)
    if isinstance(op, kinds.Library):
        return op.call(*arrays, **params)
    return numpy_run(params["graph"], arrays)


def elementwise_value(op, params, arrays):
    if op.name == "cast":
        return arrays[0].astype(DTYPES[params["dtype"]])
    if op.name == "stop_gradient":
        return arrays[0]
    if op.name == "scale":
        p, t = arrays
        return np.where(np.isnan(p * t) & ((p == 0) | (t == 0)), 0, p * t).astype(p.dtype)
    if op.function is None:
        return oracles.FORMULAS[op.name](*arrays)
    return np.asarray(op.function(*arrays))


def reduced(op, x, axes):
    if op.fold in ("argmax", "argmin"):
        kept = [a for a in range(x.ndim) if a not in axes]
        flat = x.transpose(*kept, *sorted(axes)).reshape(
            *(x.shape[a] for a in kept), math.prod(x.shape[a] for a in axes)
        )
        return op.function(flat, axis=-1)
    if op.fold == "+" and x.dtype.kind == "b":
        return np.any(x, axis=axes)
    if op.fold == "*" and x.dtype.kind == "b":
        return np.all(x, axis=axes)
    keep = {"dtype": x.dtype} if op.fold in "+*" else {}
    return op.function(x, axis=axes, **keep)


def moved(node, arrays):
    type_ = node.result.type
    out = np.zeros(type_.shape, type_.dtype)
    for piece in node.op.pieces(tuple(a.shape for a in arrays), type_.shape, node.params):
        source = arrays[piece.operand].reshape(-1)
        for index in np.ndindex(*piece.size):
            there = tuple(s + d * i for s, d, i in zip(piece.start, piece.step, index, strict=True))
            out[there] = source[piece.offset + sum(s * i for s, i in zip(piece.strides, index, strict=True))]
    return out


def contracted(op, arrays, subscripts):
    if not op.scaled:
        return np.einsum(subscripts, *arrays)
    x_term, y_term, out = op.split(subscripts)
    letters = "".join(dict.fromkeys(x_term + y_term))
    one = np.ones((), arrays[0].dtype)
    sizes = dict(zip(x_term + y_term, arrays[0].shape + arrays[1].shape, strict=True))
    shape = [sizes[a] for a in letters]
    x = np.broadcast_to(
        np.einsum(f"{x_term}->{''.join(a for a in letters if a in x_term)}", arrays[0]).reshape(
            [sizes[a] if a in x_term else 1 for a in letters]
        ),
        shape,
    )
    y = np.broadcast_to(
        np.einsum(f"{y_term}->{''.join(a for a in letters if a in y_term)}", arrays[1]).reshape(
            [sizes[a] if a in y_term else 1 for a in letters]
        ),
        shape,
    )
    terms = np.where((x == 0) | (y == 0), 0, x * y) * one
    return np.einsum(f"{letters}->{out}", terms)


def indexed(op, arrays, params):
    x, where = arrays
    if op.gather:
        return np.take(x, where, axis=params["axis"])
    axis = params["axis"]
    lead, tail = x.shape[:axis], x.shape[axis + where.ndim :]
    out = np.zeros((*lead, params["size"], *tail), x.dtype)
    np.add.at(out, (*(slice(None),) * axis, where), x)
    return out


def numpy_run(graph, inputs):
    env = dict(zip(graph.inputs, inputs, strict=True))

    def at(value):
        return value.array if isinstance(value, Constant) else env[value]

    for node in graph.nodes:
        out = numpy_value(node, [at(v) for v in node.operands])
        outs = out if isinstance(out, tuple) else (out,)
        for value, array in zip(node.results, outs, strict=True):
            env[value] = np.asarray(array)
    return tuple(at(v) for v in graph.guarded_outputs)


def graph_of(function, *arrays, name="graph"):
    builder = Builder(name)
    xp = Namespace(builder)
    inputs = [xp.wrap(builder.input(type_of(a))) for a in arrays]
    out = function(xp, *inputs)
    outs = out if isinstance(out, tuple) else (out,)
    return builder.graph([xp.lift(o) for o in outs])


def run(graph, *inputs):
    return BACKEND.build(graph)([np.ascontiguousarray(x).reshape(np.shape(x)) for x in inputs])


def same(ours, theirs, dtype=None, rtol=None):
    assert ours.dtype == theirs.dtype and ours.shape == theirs.shape
    if ours.dtype.kind == "f":
        rtol = rtol or (4e-6 if ours.dtype.itemsize == 4 else 4e-15)
        np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=rtol * 1e-3 if rtol > 1e-10 else 1e-300)
    else:
        np.testing.assert_array_equal(ours, theirs)


def check(function, *arrays, rtol=None):
    with np.errstate(all="ignore"):
        graph = graph_of(function, *arrays)
        ours, theirs = run(graph, *arrays), numpy_run(graph, arrays)
    for a, b in zip(ours, theirs, strict=True):
        same(a, b, rtol=rtol)
    return graph


# ----- Elementwise: every op, every dtype, edge values -----


def edges(dtype):
    if dtype.kind == "b":
        return np.array([False, True])
    if dtype.kind == "f":
        info = np.finfo(dtype)
        values = [0.0, -0.0, 0.5, -0.5, 1, -1, 1.5, 2, -2, 3, -3.7, 7.25, 1e-3, info.max, -info.max,
                  info.tiny, info.smallest_subnormal, np.inf, -np.inf, np.nan, 300.7, -129.0, 3e9,
                  9.3e18]  # fmt: skip
        return np.array(values, dtype)
    info = np.iinfo(dtype)
    values = {0, 1, 2, 3, 5, 7, 8, 31, 33, 63, 64, 100, info.max, info.max - 1, info.max // 2}
    if dtype.kind == "i":
        values |= {-1, -2, -3, -7, -64, info.min, info.min + 1}
    return np.array(sorted(values), dtype)


def loops_of(op):
    """The operand dtypes that a graph may use the op with."""
    shorts = list(REAL)
    if op.name == "scale":  # a partial times a tangent: only inexact numbers have those
        shorts = ["f32", "f64"]
    for combination in itertools.product(shorts, repeat=op.arity):
        types = tuple(ArrayType(REAL[s]) for s in combination)
        try:
            op.infer(types, {})
        except GraphTypeError:
            continue
        yield tuple(REAL[s] for s in combination)


#: Those of real numbers; the laws have complex samples of every op.
ELEMENTWISE = [
    op for op in OPS.values()
    if isinstance(op, kinds.Elementwise) and op.library is None and op.name not in ("cast", "complex", "parameter") and any(loops_of(op))]
# libm's last digits: measured against NumPy's own vector functions
LOOSE = {"power": 1e-12, "logaddexp": 1e-13, "logaddexp2": 1e-13}


@pytest.mark.parametrize("op", ELEMENTWISE, ids=lambda op: op.name)
def test_elementwise_ops_agree_with_numpy_at_edge_values(op):
    builder, xs, outputs = Builder(), [], []
    loops = list(loops_of(op))
    assert loops
    for dtypes in loops:
        grid = np.meshgrid(*map(edges, dtypes), indexing="ij")
        flat = [np.ascontiguousarray(a.ravel()) for a in grid]
        if op.name == "power" and dtypes[0].kind == "i":
            flat = [a[flat[1] >= 0] for a in flat]
        inputs = [builder.input(type_of(a)) for a in flat]
        xs += flat
        outputs.append(builder.emit(op, inputs))
    graph = builder.graph(outputs)
    with np.errstate(all="ignore"):
        ours, theirs = run(graph, *xs), numpy_run(graph, xs)
    for dtypes, a, b in zip(loops, ours, theirs, strict=True):
        rtol = 2e-5 if a.dtype.itemsize == 4 else LOOSE.get(op.name, 1e-14)
        same(a, b, rtol=rtol)
        if a.dtype.kind == "f" and op.symbol:
            zero = a == 0
            np.testing.assert_array_equal(np.signbit(a[zero]), np.signbit(b[zero]), err_msg=str(dtypes))


def test_casts_agree_with_numpy():
    builder, xs, outputs, names = Builder(), [], [], []
    for source, target in itertools.product(REAL, REAL):
        x = edges(REAL[source])
        xs.append(x)
        outputs.append(builder.emit(OPS["cast"], [builder.input(type_of(x))], dtype=target, weak=False))
        names.append((source, target))
    with np.errstate(all="ignore"):
        ours = run(builder.graph(outputs), *xs)
        for (source, target), a, x in zip(names, ours, xs, strict=True):
            # one by one: NumPy's vector loop for uint32 answers differently where C leaves it open
            b = np.array([np.asarray(v).astype(REAL[target]) for v in x])
            np.testing.assert_array_equal(a, b, err_msg=f"{source} to {target}")


def test_every_symbol_is_spelled_for_every_class_that_numpy_has():
    for op in ELEMENTWISE:
        if op.symbol is None:
            continue
        for dtypes in loops_of(op):
            name = {"b": "bool", "i": "int", "u": "uint", "f": "float"}[dtypes[-1].kind]
            assert SPELLING[op.symbol][name] is not None, (op, dtypes)
    assert not set(SPELLING) ^ set(kinds.SYMBOLS) and all(set(row) == set(CLASSES) for row in SPELLING.values())


def test_integers_do_not_kill_the_process():
    x, y = np.array([5, np.iinfo(np.int64).min, -7]), np.array([0, -1, 0])
    check(lambda xp, x, y: (x // y, x % y, x << y, x >> y), x, y)


def test_a_negative_integer_power_is_numpys_error():
    graph = graph_of(lambda xp, x, y: x**y, np.array([2, 3]), np.array([1, 1]))
    with pytest.raises(ValueError, match="Integers to negative integer powers are not allowed"):
        run(graph, np.array([2, 3]), np.array([1, -1]))


# ----- The other kinds -----

RNG = np.random.default_rng(0)
SHAPES = [
    (),
    (1,),
    (7,),
    (0,),
    (300,),
    (3, 4),
    (1, 5),
    (130, 3),
    (3, 130),
    (2, 3, 4),
    (2, 0, 3),
    (2, 1, 40),
]


def sample(shape, short):
    dtype = REAL[short]
    if dtype.kind == "b":
        return RNG.random(shape) < 0.5
    if dtype.kind == "f":
        return np.asarray(RNG.standard_normal(shape)).astype(dtype)
    return np.asarray(RNG.integers(0 if dtype.kind == "u" else -5, 6, shape)).astype(dtype)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_reductions(shape):
    builder, xs, outputs, single = Builder(), [], [], []
    for short in ("f64", "f32", "i8", "u16", "i64", "bool"):
        x = sample(shape, short)
        if x.dtype.kind == "f" and x.size > 3:
            x.flat[2] = np.nan if short == "f32" else -0.0
        xs.append(x)
        value = builder.input(type_of(x))
        for op in OPS.values():
            if not isinstance(op, kinds.Reduction) or (op.name in ("any", "all") and short != "bool"):
                continue
            for count in range(len(shape) + 1):
                for axes in itertools.combinations(range(len(shape)), count):
                    if op.has_identity or 0 not in [shape[a] for a in axes]:
                        outputs.append(builder.emit(op, [value], axes=axes))
                        # the same fold of what the loop computes
                        if short == "f64":
                            outputs.append(builder.emit(op, [builder.emit(OPS["negative"], [value])], axes=axes))
        single += [short == "f32"] * (len(outputs) - len(single))
    graph = builder.graph(outputs)
    for ours, theirs, rough in zip(run(graph, *xs), numpy_run(graph, xs), single, strict=True):
        same(ours, theirs, rtol=1e-4 if rough else 1e-10)


def test_sums_are_pairwise():
    x = np.full(1 << 20, np.float32(0.1))
    plain, fused = run(graph_of(lambda xp, x: (xp.sum(x), xp.sum(x * x)), x), x)
    assert abs(float(plain) - float(x.astype(float).sum())) < 0.05
    assert abs(float(fused) - float((x * x).astype(float).sum())) < 1e-2

    # NumPy's own order, which versions before 2.3 follow only within a buffer of 8192
    x = np.random.default_rng(0).random(8192, np.float32)
    (plain,) = run(graph_of(lambda xp, x: xp.sum(x), x), x)
    assert plain == np.sum(x)


def test_folds_of_a_loop_with_other_results():
    x = sample((50, 40), "f64")

    def f(xp, x):
        s = xp.sin(x)
        return s, xp.sum(s * x), xp.max(xp.cos(x) * s, axis=0), xp.sum(xp.exp(x), axis=1)

    check(f, x, rtol=1e-12)


@pytest.mark.parametrize("shape", [s for s in SHAPES if s], ids=str)
def test_running_sums(shape):
    def f(xp, *xs):
        return tuple(xp.cumsum(x, axis, reverse=reverse) for x in xs for axis in range(len(shape)) for reverse in (False, True))

    check(f, sample(shape, "f64"), sample(shape, "i8"), rtol=1e-12)


def test_movements_alone_and_read_through():
    x, v = sample((3, 4, 5), "f64"), sample((4,), "f64")

    def f(xp, x, v):
        t = xp.transpose(x, (2, 0, 1))
        r = xp.reshape(t, (5, 12))
        return (
            t, r, r + 1.0, x[::-1, 1, ::2], x[::-1, 1, ::2] * 2.0, xp.sum(x[:, ::-1], axis=(0, 2)),
            x + xp.broadcast_to(xp.reshape(v, (4, 1)), (3, 4, 5)), xp.broadcast_to(v, (2, 4))[1],
            xp.concatenate([x, x[:, :1] * 3.0], axis=1),
            xp.reshape(xp.transpose(x[:, 1:3, ::-2]), (18,)),
            xp.place(x[0], shape=(9, 5), start=(7, 0), step=(-2, 1)),
            xp.place(v, shape=(4,), start=(3,), step=(-1,)),
            x[1:1], xp.sum(xp.broadcast_to(xp.sum(v), (3, 2))), xp.sum(xp.transpose(xp.sin(x))[1]),
        )  # fmt: skip

    check(f, x, v, rtol=1e-13)


SUBSCRIPTS = [
    ("ij,jk->ik", (3, 4), (4, 5)), ("ij,jk->ik", (20, 33), (33, 41)),
    ("ij,kj->ik", (40, 37), (50, 37)),
    ("ji,jk->ik", (37, 40), (37, 35)), ("ij,jk->ki", (20, 33), (33, 41)),
    ("bij,bjk->bik", (3, 17, 18), (3, 18, 19)),
    ("i,i->", (300,), (300,)), ("i,i->", (0,), (0,)), ("i,j->ij", (3,), (4,)),
    ("ij,j->i", (9, 150), (150,)),
    ("i,ij->j", (90,), (90, 15)), ("ab,ab->a", (4, 5), (4, 5)),
    (",i->i", (), (6,)), (",->", (), ()),
    ("abc,bcd->ad", (5, 20, 17), (20, 17, 30)),
    ("abc,cbd->da", (30, 6, 17), (17, 6, 20)), ("ij,jk->ik", (1, 0), (0, 3)),
    ("ij,ij->", (20, 30), (20, 30)),
]  # fmt: skip


@pytest.mark.parametrize("short", ["f64", "f32", "i8", "u64", "bool"])
def test_contractions(short):
    builder, xs, outputs = Builder(), [], []
    for (subscripts, *shapes), name in itertools.product(SUBSCRIPTS, ("einsum", "scale_einsum")):
        pair = [sample(shape, short) for shape in shapes]
        if name == "scale_einsum" and pair[0].dtype.kind == "f" and pair[0].size > 1:
            pair[0].flat[0], pair[1].flat[-1] = np.inf, np.nan
            pair[0][RNG.random(pair[0].shape) < 0.5] = 0
            pair[1][RNG.random(pair[1].shape) < 0.5] = 0
        elif name == "scale_einsum" and short == "bool":
            continue
        xs += pair
        outputs.append(builder.emit(OPS[name], [builder.input(type_of(a)) for a in pair], subscripts=subscripts))
    graph = builder.graph(outputs)
    with np.errstate(all="ignore"):
        for k, (ours, theirs) in enumerate(zip(run(graph, *xs), numpy_run(graph, xs), strict=True)):
            theirs = theirs.astype(ours.dtype)
            rtol = 2e-4 if short == "f32" else 1e-11
            np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=rtol, err_msg=str(graph.nodes[k].params))


def test_contractions_read_through_views():
    x, y = sample((30, 40), "f64"), sample((20, 30), "f64")
    check(lambda xp, x, y: (
        xp.einsum("ij,jk->ik", xp.transpose(x), xp.transpose(y)), xp.einsum("ij,ij->", x, x),
        xp.einsum("ij,jk->ik", xp.broadcast_to(xp.sum(y), (20, 30)), x),
        xp.einsum("ij,kj->ik", x, x[::-1]),
    ), x, y, rtol=1e-11)  # fmt: skip


def test_gather_and_scatter():
    x, where = sample((4, 5, 3), "f64"), np.array([[1, 0], [4, 4]])
    for short in ("f64", "i8", "bool"):
        x = sample((4, 5, 3), short)
        check(
            lambda xp, x, i: (xp.take(x, i, 1), xp.scatter_add(xp.take(x, i, 1), i, 1, 6)),
            x,
            where,
            rtol=1e-13,
        )
    check(lambda xp, x, i: xp.take(x, i, 0), x[:, :0], np.array([1, 3]))


@pytest.mark.parametrize("bad", [-1, 5, 1 << 62, -(1 << 62)])
def test_an_index_out_of_range_is_an_error_at_the_users_line(bad):
    builder = Builder()
    builder.location = Location("model", "lookup", 12)
    x, where = builder.input(ArrayType(np.float64, (5,))), builder.input(ArrayType(np.int64, (2,)))
    graphs = [
        builder.graph([builder.emit(OPS["take"], [x, where], axis=0)]),
        builder.graph([builder.emit(OPS["scatter_add"], [where, where], axis=0, size=5)]),
    ]
    for graph in graphs:
        with pytest.raises(IndexError, match=r"from 0 to 4.*model\.lookup:12"):
            BACKEND.build(graph)([np.ones(5), np.array([0, bad])])


def test_library_ops_call_back():
    x = sample((6, 5), "f64")
    graph = check(lambda xp, x: (xp.sort(x * 2.0, 0), xp.argsort(x, 1), xp.sum(xp.sort(x, 1)[:, 0])), x)
    with pytest.raises(BackendError, match=r"sort is a call of NumPy"):
        BACKEND.emit(graph)


def test_an_exception_in_a_call_back_reaches_the_caller():
    class OddError(Exception):
        pass

    def call(x):
        raise OddError("no")

    op = kinds.Library(name="odd", call=call, types=lambda op, types, params: types, jvp=None, vjp=None, doc="")
    builder = Builder()
    x = builder.input(ArrayType(np.float64, (3,)))
    program = BACKEND.build(builder.graph([builder.emit(op, [x])]))
    for _ in range(2):
        with pytest.raises(OddError):
            program([np.ones(3)])


def called(inner, *types):
    builder = Builder()
    inputs = [builder.input(t) for t in types]
    return builder, inputs, lambda *operands: builder.emit_all(OPS["call"], operands, graph=inner)


def test_calls_are_functions_written_once():
    x = sample((7,), "f64")
    inner = graph_of(lambda xp, x: (xp.sin(x) * xp.sum(x), x, xp.cumsum(x, 0)), x)
    builder, (value,), call = called(inner, type_of(x))
    outs = [value]
    for _ in range(3):
        outs = call(outs[0])
    graph = builder.graph(outs)
    for ours, theirs in zip(run(graph, x), numpy_run(graph, [x]), strict=True):
        same(ours, theirs, rtol=1e-12)
    assert BACKEND.emit(graph).count("static int f0(") == 1


def test_results_that_are_inputs_constants_or_twice():
    x = sample((3,), "f64")
    graph = check(lambda xp, x: (x, 2.5, x + 1.0, x, xp.lift(np.arange(200.0)) and np.arange(200.0)), x)
    twice = graph.evolve(outputs=(*graph.outputs, graph.outputs[2], graph.outputs[2]))
    out = run(twice, x)
    np.testing.assert_array_equal(out[-1], x + 1.0)
    assert len(out) == len({a.__array_interface__["data"][0] for a in out})


def test_results_own_their_memory_and_calls_are_independent():
    program = BACKEND.build(graph_of(lambda xp, x: xp.sin(x) * xp.sum(x), np.ones(4)))
    (first,) = program([np.ones(4)])
    kept = first.copy()
    program([np.zeros(4)])
    np.testing.assert_array_equal(first, kept)


# ----- Random programs -----


def random_graph(seed):
    rng = np.random.default_rng(seed)
    builder = Builder()
    xp = Namespace(builder)
    shapes = [(4, 6), (6,), (), (4, 1)]
    arrays = [np.asarray(rng.standard_normal(s)) for s in shapes]
    pool = [xp.wrap(builder.input(type_of(a))) for a in arrays]

    def pick():
        return pool[rng.integers(max(0, len(pool) - 9), len(pool))]

    def broadcast(x, y):
        try:
            np.broadcast_shapes(x.shape, y.shape)
        except ValueError:
            return xp.sum(x), y
        return x, y

    for _ in range(40):
        x, y = pick(), pick()
        match rng.integers(9):
            case 0 | 1:
                x, y = broadcast(x, y)
                out = [xp.add, xp.multiply, xp.maximum, xp.subtract][rng.integers(4)](x, y)
            case 2:
                out = [xp.sin, xp.tanh, xp.arctan][rng.integers(3)](x)
            case 3 if x.ndim:
                out = xp.sum(x, axis=int(rng.integers(x.ndim)), keepdims=bool(rng.integers(2)))
            case 4 if x.ndim:
                out = xp.transpose(x)
            case 5 if x.ndim:
                out = x[:: -1 if rng.integers(2) else 1]
            case 6 if x.ndim > 0 and len(x.shape) < 4:
                out = xp.reshape(x, (int(np.prod(x.shape)),))
            case 7 if x.ndim:
                out = xp.concatenate([x, xp.tanh(x)], axis=0) if x.shape[0] < 20 else xp.cumsum(x, 0)
            case 8 if x.ndim < 3:
                out = xp.broadcast_to(x, (2, *x.shape))
            case _:
                out = xp.where(xp.greater(x, 0.0), x, 0.5)
        pool.append(out if int(np.prod(out.shape)) < 3000 else xp.max(out))
    chosen = [pool[k] for k in rng.integers(4, len(pool), 5)]
    return builder.graph([xp.lift(v) for v in chosen]), arrays


@pytest.mark.parametrize("seed", range(25))
def test_random_programs(seed):
    graph, arrays = random_graph(seed)
    for ours, theirs in zip(run(graph, *arrays), numpy_run(graph, arrays), strict=True):
        same(ours, theirs, rtol=1e-9)


@pytest.mark.parametrize("seed", range(8 if os.environ.get("WENGERT_SOAK") else 4))  # tests/test_agreement.py has more
def test_derivatives_agree_with_the_numpy_backend(seed):
    graph, arrays = random_graph(seed)
    rng, active, other = np.random.default_rng(seed), (0, 1, 3), protocol.get("numpy")
    for k in (1, 3):
        tangents = [rng.standard_normal((k, *arrays[i].shape)) for i in active]
        cotangents = [rng.standard_normal((k, *v.type.shape)) for v in graph.outputs]
        for name, given in (("forward", tangents), ("reverse", cotangents)):
            ours = getattr(BACKEND, name)(graph, active)(arrays, given)
            theirs = getattr(other, name)(graph, active)(arrays, given)
            for a, b in zip((*ours[0], *ours[1]), (*theirs[0], *theirs[1]), strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-8)


# ----- Movements read in place, values computed again -----


def kernels(graph):
    """The text of the loops of a program, without its head."""
    text = BACKEND.emit(graph)
    return text[: text.index("int program(")], text[text.index("int program(") :]


def placed(xp, x, start, shape):
    return xp.wrap(xp.builder.emit(OPS["place"], [xp.lift(x)], shape=shape, start=start, step=(1,) * len(shape)))


def test_padding_is_read_in_place_and_cheap_values_are_computed_again():
    """The gradient of a sum over neighbours reads x and writes the result: no array lies between."""
    x = np.linspace(-1, 1, 6)
    graph = check(lambda xp, x: placed(xp, x * 3.0, (0,), (7,)) + placed(xp, 1.0 - x, (1,), (7,)), x)
    loops, calls = kernels(graph)
    assert loops.count("static void k") == 1 and calls.count("k0(in0, out0)") == 1


@pytest.mark.parametrize("shape", [(4,), (1,), (3, 4), (2, 1, 3)], ids=str)
def test_boxes_of_any_rank(shape):
    x = sample(shape, "f64")
    full = tuple(n + 3 for n in shape)
    low, high = (0,) * len(shape), (2,) * len(shape)
    check(lambda xp, x: placed(xp, x, low, full) * 2.0 - placed(xp, xp.sin(x), high, full), x)
    check(lambda xp, x: xp.concatenate([x, xp.sin(x), x], 0) + 1.0, x)


def test_what_is_dear_or_broadcast_is_stored():
    x = sample((50,), "f64")
    loops, _ = kernels(check(lambda xp, x: placed(xp, xp.sin(x), (1,), (51,)) + 1.0, x))
    assert loops.count("= sin_f64(") == 1
    loops, _ = kernels(check(lambda xp, x: xp.broadcast_to(xp.reshape(x * 2.0, (50, 1)), (50, 9)) + 1.0, x))
    assert loops.count("2.0 *") + loops.count("* 2.0") == 1


@pytest.mark.parametrize("bad", [0.0, np.inf, np.nan])
def test_a_long_loop_that_trusts_its_products_is_run_again(bad):
    """0 times inf is 0 in a strong-zero product, also where the loop took it for a plain one."""
    p, t = np.zeros(5000), np.ones(5000)
    p[::2], t[[0, 1, 4999]] = 1, bad
    graph = graph_of(lambda xp, p, t: xp.scale(p, t) - t * 0.5, p, t)
    assert "doubt |= nan0 != 0;" in BACKEND.emit(graph)
    with np.errstate(invalid="ignore"):
        expected = np.where(p == 0, 0, p * t) - t * 0.5
    np.testing.assert_array_equal(run(graph, p, t)[0], expected)


def products(xp, p, c, t):
    """A step: what it carries and gives shows a NaN of two products, and hides that of the third."""
    out = xp.scale(p, t) - xp.scale(c, t)[::-1]
    return 0.5 * c + out, xp.sum(out), xp.where(xp.isnan(xp.scale(p, 2 * t)), 1.0, t)


@pytest.mark.parametrize(("n", "carries", "reverse"), [(2, 1, False), (13, 1, True), (13, 0, False)])
def test_a_scan_that_trusts_its_products_is_run_again(n, carries, reverse):
    """So is a loop of several steps; a product stays as it was where the NaN of another would not show."""
    p, c, ts = np.zeros(n), np.ones(n), np.ones((4, n))
    p[1:], c[-1] = 1, 0
    step, b = graph_of(products, p, c, ts[0]), Builder("loop")
    given = [b.input(type_of(x)) for x in (p, c, ts)]
    graph = b.graph(b.emit_all(OPS["scan"], given, graph=step.evolve(outputs=step.outputs[1 - carries :]), length=4,
                               consts=2 - carries, carries=carries, reverse=reverse))  # fmt: skip
    (node,) = trusting(graph).nodes
    assert [n.op.name for n in node.params["graph"].nodes].count("scale") == 1
    assert node.params["shown"] == tuple(range(len(graph.outputs) - 1))
    ours, theirs = BACKEND.compile(graph), REFERENCE.compile(graph)
    for bad in (1.0, 0.0, np.inf, np.nan):
        ts[2, 0] = bad
        for made, expected in zip(ours([p, c, ts]), theirs([p, c, ts]), strict=True):
            np.testing.assert_array_equal(made, expected)


def test_a_scan_in_a_scan_is_trusted_by_the_outer_one():
    """Which runs again where a NaN of the inner one's products shows in what comes of it."""
    p, ts = np.array([0.0, 1.0]), np.ones((3, 2))
    b = Builder("outer")
    c, t = b.input(type_of(p)), b.input(type_of(ts))
    step = graph_of(lambda xp, p, c, t: c + xp.scale(p, t), p, p, p)
    given, made = b.input(type_of(p)), {"graph": step, "length": 3, "consts": 1, "carries": 1, "reverse": False}
    body = b.graph([b.emit(OPS["negative"], (b.emit_all(OPS["scan"], (given, c, t), **made)[0],))])
    body = body.evolve(inputs=(given, t, c))
    b = Builder("loop")
    x, start, s = (b.input(type_of(v)) for v in (p, p, ts))
    params = {"graph": body.evolve(inputs=(given, t, c)), "length": 2, "consts": 2, "carries": 1, "reverse": False}
    graph = b.graph(b.emit_all(OPS["scan"], (x, s, start), **params))
    (node,) = trusting(graph).nodes
    (inner,) = (n for n in node.params["graph"].nodes if n.op.name == "scan")
    assert "careful" not in inner.params
    assert "scale" not in [n.op.name for n in inner.params["graph"].nodes]
    ours, theirs = BACKEND.compile(graph), REFERENCE.compile(graph)
    for bad in (1.0, np.inf, np.nan):
        ts[1, 0] = bad
        np.testing.assert_array_equal(ours([p, p, ts])[0], theirs([p, p, ts])[0])


@pytest.mark.parametrize("short", ["f64", "f32"])
def test_short_loops_in_whole_vectors(short):
    """Elements that lie in two vectors are computed twice, and counted once."""
    sizes = (3, 7, 11, 14, 15, 22, 29, 31, 62)
    xs, ys = [sample((n,), short) for n in sizes], [sample((3, n), short) for n in sizes]

    def each(xp, *both):
        found = []
        for x, y in zip(both[::2], both[1::2], strict=True):
            found += xp.exp(x) - x, xp.sum(x * x), y * 2.0 + xp.broadcast_to(x, y.shape)
        return tuple(found)

    check(each, *(v for pair in zip(xs, ys, strict=True) for v in pair))
    hosted = Program(graph_of(lambda xp, x: xp.exp(x), sample((14,), short)), "program", hosted=True).text()
    assert ("p0 < 6" if short == "f64" else "++i0") in hosted


def gates(xp, x, h, w):
    whole = xp.concatenate([x, h, x], 0) * w + 0.25
    across = xp.concatenate([x, h], 0) - 1.0
    neighbours = xp.exp(w)
    return (
        xp.exp(whole[:9]) + whole[9:18], whole[26:17:-1], across[4:13] * x, neighbours[1:] - neighbours[:-1], across[:9],
    )  # fmt: skip


def test_what_is_only_sliced_is_computed_in_slices():
    """But not where slices overlap, nor from two arrays that were joined."""
    x, h, w = sample((9,), "f64"), sample((9,), "f64"), sample((27,), "f64")
    graph = check(gates, x, h, w, rtol=1e-12)
    nodes = dead_code(slices_alone(graph)).nodes
    made = {node.result: node.op.name for node in nodes}
    sliced = [made.get(node.operands[0], "input") for node in nodes if node.op.name == "slice"]
    assert set(sliced) == {"input", "broadcast_to", "exp", "concatenate"}
    assert [node.op.name for node in nodes].count("concatenate") == 1 and sliced.count("concatenate") == 2
    svd = graph_of(lambda xp, x: xp.wrap(xp.builder.emit_all(OPS["svd"], [xp.lift(x)])[0])[:1], sample((9, 2), "f64"))
    assert slices_alone(svd) is svd


@pytest.mark.parametrize("shape", [(129,), (144,), (1000,), (3, 600), (600, 3), (2, 130, 5)], ids=str)
def test_sums_in_lanes(shape):
    """Whole vectors, and what is left over; a NaN is seen in all of them."""
    p, t = sample(shape, "f64"), sample(shape, "f64")
    graph = check(lambda xp, p, t: (xp.sum(p * p + 1.0), xp.scale(p, t) + 1.0), p, t, rtol=1e-12)
    for place in (0, p.size // 2, -1):
        zero, inf = p.copy(), t.copy()
        zero.flat[place], inf.flat[place] = 0, np.inf
        np.testing.assert_array_equal(run(graph, zero, inf)[1].flat[place], 1.0)


@pytest.mark.parametrize(("rows", "columns"), [(5, 3), (5, 4), (5, 5), (5, 16), (40, 3), (40, 4), (600, 5)])
def test_sums_read_backwards(rows, columns):
    """gcc 12.2 gets these wrong where they are nested loops."""
    x, y = sample((rows, columns + 2), "f64"), sample((rows, columns + 2), "f64")
    turned = {"start": (0, columns), "size": (rows, columns), "step": (1, -1)}

    def f(xp, x, y):
        a, b = (xp.wrap(xp.builder.emit(OPS["slice"], [xp.lift(v)], **turned)) for v in (x, y))
        return xp.sum(a * b), xp.einsum("ij,ij->", a, b)

    check(f, x, y, rtol=1e-12)


def test_signed_and_unsigned_numbers_are_compared_as_numbers():
    u = np.array([0, 1, 5, 2**63 - 1, 2**63, 2**64 - 1], np.uint64)
    i = np.array([-(2**63), -1, 0, 5, 2**63 - 1, 1])
    u, i = (np.ascontiguousarray(a.ravel()) for a in np.meshgrid(u, i))
    names = ("less", "less_equal", "greater", "greater_equal", "equal", "not_equal")
    for x, y in ((u, i), (i, u)):
        check(lambda xp, x, y: tuple(getattr(xp, name)(x, y) for name in names), x, y)


# ----- The text -----


def everything():
    x, y, i = sample((6, 40), "f64"), sample((40, 6), "f64"), np.array([1, 2])

    def f(xp, x, y, i):
        n = xp.cast(x * 10.0, np.int32)
        u = xp.cast(xp.absolute(n), np.uint8)
        return (
            xp.sum(xp.sin(x) * 2.0), xp.max(x, axis=0), xp.argmax(x, axis=1),
            xp.einsum("ij,jk->ik", x, y),
            xp.einsum("ij,jk->ik", x, y, scaled=True), xp.take(x, i, 1),
            xp.scatter_add(xp.take(x, i, 0), i, 0, 9), xp.cumsum(x, 1), n // 3,
            n % 0, n**2, n << 3, u >> 9, u * u, ~u, -n,
            xp.absolute(n), x // 0.3,
            x % 0.3, xp.where(x > 0.0, x, -x), xp.concatenate([x, x], 0), xp.any(x > 1.0),
            xp.logaddexp(x, x),
            xp.cast(x, np.uint64), xp.cast(x, np.int8), xp.sign(n), xp.sum(n, axis=0), xp.maximum(n, 3), xp.isnan(n),
            xp.isnan(x), xp.scale(x, x), xp.fmin(x, 0.5), xp.power(x, 2.0),
            np.arange(12.0) / 7,
        )  # fmt: skip

    return f, (x, y, i)


def compiled(text, path, *flags, name="program"):
    source, target = path / "p.c", path / "p.so"
    source.write_text(text)
    command = [
        *compiler.find().command,
        *compiler.FLAGS,
        *flags,
        "-o",
        str(target),
        str(source),
        "-lm",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return getattr(ctypes.CDLL(str(target)), name)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_the_text_stands_alone_and_without_warnings(tmp_path):
    f, arrays = everything()
    graph = check(f, *arrays, rtol=1e-11)
    text = BACKEND.emit(graph, "sample")
    function = compiled(text, tmp_path, "-Wall", "-Wextra", "-Werror", "-Wpedantic", name="sample")
    outs = [np.empty(v.type.shape, v.type.dtype) for v in graph.outputs]
    pointers = [ctypes.c_void_p(a.ctypes.data) for a in (*arrays, *outs)]
    size = ctypes.CDLL(str(tmp_path / "p.so")).sample_workspace()
    assert function(*pointers, ctypes.create_string_buffer(size)) == 0
    for ours, theirs in zip(outs, numpy_run(graph, arrays), strict=True):
        same(ours, theirs, rtol=1e-11)


def test_sanitizers_have_nothing_to_say(tmp_path):
    """Undefined behaviour ends this process' child, not the test."""
    f, arrays = everything()
    graph = graph_of(f, *arrays)
    text = BACKEND.emit(graph, "sample")
    values = lambda a: ", ".join(map(repr, a.ravel().tolist())) or "0"
    names = {"float64": "double", "int64": "int64_t"}
    main = [text, "#include <stdlib.h>", "int main(void) {"]
    for k, a in enumerate(arrays):
        main.append(f"static const {names[str(a.dtype)]} in{k}[] = {{{values(a)}}};")
    for k, v in enumerate(graph.outputs):
        main.append(f"void *out{k} = malloc({v.type.size * v.type.dtype.itemsize} + 1);")
    arguments = [f"in{k}" for k in range(len(arrays))] + [f"out{k}" for k in range(len(graph.outputs))]
    main.append(f"void *w = malloc(sample_workspace()); int e = sample({', '.join(arguments)}, w); free(w);")
    main += [f"free(out{k});" for k in range(len(graph.outputs))] + ["return e; }"]
    (tmp_path / "main.c").write_text("\n".join(main))
    command = [
        *compiler.find().command,
        "-std=c99",
        "-g",
        "-fsanitize=undefined,address",
        "-fno-sanitize-recover=all",
    ]
    built = subprocess.run(
        [*command, "-o", tmp_path / "main", tmp_path / "main.c", "-lm"],
        capture_output=True,
        check=False,
    )
    if built.returncode:
        pytest.skip("this compiler has no sanitizers")
    done = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_nothing_from_the_graph_reaches_the_source():
    evil = '*/ int system(const char*); __attribute__((constructor)) void x(void){system("id");}'
    evil += ' /* \\\n#include "/etc/passwd"'
    builder = Builder(name=evil)
    builder.location = Location(evil, evil, 3)
    x = builder.input(ArrayType(np.float64, (3,)), name=evil)
    graph = builder.graph([builder.emit(OPS["sin"], [x])])
    text = BACKEND.emit(graph)
    assert "system(" not in text and 'passwd"' not in text and "constructor)" not in text
    np.testing.assert_array_equal(BACKEND.build(graph)([np.zeros(3)])[0], np.zeros(3))


@pytest.mark.parametrize("name", ["", "1a", "a-b", "int", "k0", "sin", "powf", "x;y", "é", "a" * 99])
def test_a_name_that_c_cannot_have_is_refused(name):
    graph = graph_of(lambda xp, x: x + 1.0, np.ones(2))
    with pytest.raises(BackendError, match="cannot name a C function"):
        BACKEND.emit(graph, name)


@pytest.mark.parametrize("name", ["f", "w", "e", "in0", "workspace", "model_2"])
def test_a_name_that_the_text_uses_inside_is_fine(name, tmp_path):
    text = BACKEND.emit(graph_of(lambda xp, x: xp.sum(xp.cumsum(x, 0) * xp.sum(x)), np.ones(9)), name)
    out = np.empty(())
    size = re.search(r"workspace\n \* is (\d+) bytes", text)[1]
    function = compiled(text, tmp_path, "-Wall", "-Wextra", "-Werror", name=name)
    pointers = [ctypes.c_void_p(a.ctypes.data) for a in (np.ones(9), out)]
    assert function(*pointers, ctypes.create_string_buffer(int(size))) == 0
    assert out == 405


@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_complex_compiles_without_a_warning(dtype, tmp_path):
    def program(xp, x):
        y = xp.exp(x) * np.array([complex(-0.0, np.inf), 2, 1j], dtype) / xp.log1p(x) ** 2.5
        return xp.sum(xp.where(y > x, y, xp.conjugate(x) + 1.0)) * xp.sum(xp.absolute(x)) + xp.max(y)

    graph = graph_of(program, np.ones(3, dtype))
    pullback = autodiff.vjp(graph, (0,))
    for one in (graph, pullback):
        compiled(BACKEND.emit(one, "complex_program"), tmp_path, "-Wall", "-Wextra", "-Werror", name="complex_program")


@pytest.mark.parametrize("shape", [(), (8,)], ids=str)
def test_a_long_chain_compiles(shape):
    """The loops differ, so that none is written once for all."""
    builder = Builder()
    xp = Namespace(builder)
    x = start = xp.wrap(builder.input(ArrayType(np.float64, shape)))
    for k in range(2500):
        x = xp.sin(x) + (k / 2500)
    graph = builder.graph([xp.lift(x)])
    begin = sum(os.times()[:4])  # of the processor, compilers' too: a busy machine is not a bug
    (out,) = BACKEND.build(graph)([np.full(shape, 0.3)])
    assert sum(os.times()[:4]) - begin < 60
    same(out, numpy_run(graph, [np.full(shape, 0.3)])[0], rtol=1e-9)
    assert start is not x


# ----- Around the compiler -----


def small(k):
    return graph_of(lambda xp, x: xp.sin(x) * float(k), np.ones(5))


def test_threads_share_a_program():
    program = BACKEND.build(
        graph_of(lambda xp, x: (xp.cumsum(xp.sin(x) * xp.sum(x), 0), xp.sort(x, 0)), np.ones(20000))
    )
    inputs = [np.linspace(k, k + 1, 20000) for k in range(8)]
    serial = [program([x]) for x in inputs]
    wrong = []

    def work(k):
        for _ in range(20):
            wrong.extend(1 for a, b in zip(program([inputs[k]]), serial[k], strict=True) if not np.array_equal(a, b))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def entry():
    return max(cache.folder().glob("*.so"), key=os.path.getmtime)


@pytest.mark.parametrize("damage", [b"", b"\x7fELF", b"not a library at all"])
def test_a_damaged_entry_is_built_again(damage):
    BACKEND.build(small(3 + len(damage)))
    path = entry()
    good = path.read_bytes()
    path.unlink()  # the loaded file itself is not touched
    path.write_bytes(damage)
    cache._loaded.clear()
    (out,) = BACKEND.build(small(3 + len(damage)))([np.ones(5)])
    np.testing.assert_allclose(out, np.sin(1) * (3 + len(damage)))
    assert len(path.read_bytes()) == len(good)


def test_an_entry_is_used_again(monkeypatch):
    BACKEND.build(small(40))
    cache._loaded.clear()
    monkeypatch.setattr(compiler.Compiler, "compile", lambda *args: pytest.fail("compiled again"))
    BACKEND.build(small(40))([np.ones(5)])


def test_a_cache_that_others_can_write_is_not_used(tmp_path, monkeypatch):
    place = tmp_path / "open"
    place.mkdir()
    place.chmod(0o777)
    monkeypatch.setenv("WENGERT_CACHE", str(place))
    BACKEND.build(small(50))([np.ones(5)])
    assert not list(place.iterdir())
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    monkeypatch.setenv("WENGERT_CACHE", str(link))
    assert cache.folder() != link
    monkeypatch.setenv("WENGERT_CACHE", str(tmp_path / "new"))
    assert stat.S_IMODE(cache.folder().stat().st_mode) == 0o700


def fake(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("cc", ["no-such-compiler", "gcc; rm -rf x", "'unclosed", "/etc/passwd"])
def test_a_compiler_that_is_none_is_named(cc, monkeypatch):
    monkeypatch.setenv("CC", cc)
    assert "$CC" in BACKEND.unavailable()
    with pytest.raises(BackendError, match="no C compiler was found"):
        BACKEND.build(small(60))


def test_a_compiler_that_fails_is_quoted(tmp_path, monkeypatch):
    script = 'case "$1" in --version) echo 1;; *) echo "some reason" >&2; exit 3;; esac'
    monkeypatch.setenv("CC", fake(tmp_path / "my cc", script).replace(" ", "\\ "))
    with pytest.raises(BackendError, match=r"(?s)ended with code 3.*source is kept.*some reason"):
        BACKEND.build(small(61))


def test_a_compiler_that_hangs_is_ended(tmp_path, monkeypatch):
    script = 'case "$1" in --version) echo 1;; *) yes noise & sleep 100;; esac'
    monkeypatch.setenv("CC", fake(tmp_path / "cc", script))
    monkeypatch.setattr(compiler, "SECONDS", 0.5)
    begin = time.perf_counter()
    with pytest.raises(BackendError, match=r"took more than 0.5 s"):
        BACKEND.build(small(62))
    assert time.perf_counter() - begin < 20


def test_a_compiler_that_makes_rubbish(tmp_path, monkeypatch):
    rubbish = 'while [ "$1" != -o ]; do shift; done; echo rubbish > "$2"'
    script = f'case "$1" in --version) echo 1;; *) {rubbish};; esac'
    monkeypatch.setenv("CC", fake(tmp_path / "cc", script))
    with pytest.raises(BackendError, match="cannot be loaded"):
        BACKEND.build(small(63))


def test_long_programs_and_calls_compile_without_warnings(tmp_path):
    """More calls than one function takes, in the graph and in the one that it calls."""

    def long(xp, x, y):
        for k in range(400):
            x = xp.cumsum(x, 0) * (k / 400) + xp.sum(y)
        return x, y + 1.0

    x, y = np.linspace(0, 1, 5), np.ones(3)
    inner = graph_of(long, x, y)
    builder, inputs, call = called(inner, type_of(x), type_of(y))
    graph = builder.graph([*call(*call(*inputs)), *call(*inputs)])
    for ours, theirs in zip(run(graph, x, y), numpy_run(graph, [x, y]), strict=True):
        same(ours, theirs, rtol=1e-9)
    text = BACKEND.emit(graph)
    assert "f0_part1(" in text
    compiled(text, tmp_path, "-Wall", "-Wextra", "-Werror")


def test_a_result_of_a_loop_that_is_only_sliced():
    def turned(x):
        def step(c, row):
            c = np.tanh(c + row)
            return c, c * row

        c, ys = wg.scan(step, np.zeros(2), x)
        return np.sum(c[:1] * c[1:]) + np.sum(ys)

    x = np.linspace(0, 1, 10).reshape(5, 2)
    np.testing.assert_allclose(wg.grad(turned, backend="c")(x), wg.grad(turned, backend="numpy")(x), rtol=1e-13)
