"""Backend c: contractions of every form, by every BLAS and by none, against sums in higher precision."""

import ctypes
import itertools
import math
import os
import subprocess
import sys
import types

import numpy as np
import oracles
import pytest

import wengert as wg
from wengert.backends.source.c import BACKEND
from wengert.backends.source.c.machine import compiler
from wengert.backends.source.c.planning.plan import Plan
from wengert.backends.source.c.products import blas, dense
from wengert.ir.build import Builder, Namespace
from wengert.ir.ops import OPS
from wengert.ir.types import DTYPES, ArrayType, type_of

pytestmark = pytest.mark.skipif(BACKEND.unavailable() is not None, reason=str(BACKEND.unavailable()))
SOAK = bool(os.environ.get("WENGERT_SOAK"))
ROUNDS, PER_ROUND = (30, 60) if SOAK else (1, 12)
SIZES = (0, 1, 1, 2, 2, 3, 3, 4, 5, 7, 8, 9, 14, 16, 17, 31, 33, 40)
SOURCES = {"numpy": blas._of_numpy, "scipy": blas._of_scipy, "none": lambda: None}


@pytest.fixture
def source(request, monkeypatch):
    """Each BLAS that is there, and none."""
    found = SOURCES[request.param]()
    if found is None and request.param != "none":
        pytest.skip(f"no BLAS of {request.param}")
    monkeypatch.setattr(blas, "find", lambda: found)
    for name in ("BLAS", "BLAS_NEAR", "BLAS_COMPLEX", "MATVEC"):
        monkeypatch.setattr(dense, name, 64)
    blas.routine.cache_clear()
    yield request.param
    blas.routine.cache_clear()


# ----- Cases -----


def numbers(rng, shape, dtype):
    if dtype.kind == "b":
        return np.asarray(rng.random(shape) < 0.5)
    if dtype.kind in "iu":
        return np.asarray(rng.integers(0 if dtype.kind == "u" else -5, 6, shape)).astype(dtype)
    x = rng.standard_normal(shape)
    return np.asarray(x + 1j * rng.standard_normal(shape) if dtype.kind == "c" else x).astype(dtype)


def seen(rng, n_axes):
    """A way of reading an array: the array's shape from what is read, and how, in terms that NumPy and IR share."""
    order = tuple(map(int, rng.permutation(n_axes)))
    kinds = [rng.choice(["plain", "plain", "plain", "part", "back", "apart", "same"]) for _ in range(n_axes)]

    def stored(shape):
        sizes = {
            "plain": lambda n: n,
            "part": lambda n: n + 3,
            "back": lambda n: n,
            "apart": lambda n: 2 * n,
            "same": lambda n: 1,
        }
        return tuple(sizes[kind](n) for kind, n in zip(kinds, (shape[a] for a in order), strict=True))

    def read(module, x, shape):
        shape = tuple(shape[a] for a in order)
        ways = {
            "plain": slice(None),
            "part": slice(2, -1),
            "back": slice(None, None, -1),
            "apart": slice(None, None, 2),
        }
        for axis, kind in enumerate(kinds):
            if kind in ("part", "back", "apart"):
                x = x[(slice(None),) * axis + (ways[kind],)]
        x = module.broadcast_to(x, shape)
        return module.transpose(x, tuple(map(int, np.argsort(order))))

    return stored, read


def case(rng, most=60_000):
    """Subscripts, shapes, and how each operand is read."""
    while True:
        kinds = list(rng.choice(["x", "y", "both", "sum"], rng.integers(1, 6)))
        sizes = [int(rng.choice(SIZES)) for _ in kinds]
        if math.prod(max(n, 1) for n in sizes) <= most:
            break
    letters = "abcdefgh"[: len(kinds)]
    terms = [[], [], []]
    for letter, kind in zip(letters, kinds, strict=True):
        for place in {"x": (0, 2), "y": (1, 2), "both": (0, 1, 2), "sum": (0, 1)}[kind]:
            terms[place].append(letter)
    words = ["".join(rng.permutation(term)) if term else "" for term in terms]
    size = dict(zip(letters, sizes, strict=True))
    shapes = [tuple(size[a] for a in word) for word in words[:2]]
    return f"{words[0]},{words[1]}->{words[2]}", shapes, [seen(rng, len(shape)) for shape in shapes]


def program(cases, arrays, names):
    """A graph of the cases, one result each."""
    builder = Builder()
    xp, outputs = Namespace(builder), []
    for (subscripts, shapes, ways), pair, name in zip(cases, arrays, names, strict=True):
        values = [xp.wrap(builder.input(type_of(a))) for a in pair]
        if len(values) == 1:  # with itself
            values = values * 2
        read = [way[1](xp, v, shape) for way, v, shape in zip(ways, values, shapes, strict=True)]
        outputs.append(builder.emit(OPS[name], [xp.lift(v) for v in read], subscripts=subscripts))
    return builder.graph(outputs)


def alone(graph, inputs, folder):
    """The stand-alone text, compiled without a warning, run."""
    source, target = folder / "p.c", folder / f"p{len(list(folder.iterdir()))}.so"
    source.write_text(text := BACKEND.emit(graph))
    assert "address" not in text
    found = compiler.find()
    flags = [*found.flags, "-Wall", "-Wextra", "-Werror"]
    subprocess.run([*found.command, *flags, "-o", target, source, "-lm"], check=True)
    library = ctypes.CDLL(str(target))
    library.program_workspace.restype = ctypes.c_size_t
    outputs = [np.full(v.type.shape, 7, v.type.dtype) for v in graph.outputs]
    work = np.empty(max(library.program_workspace(), 1), np.uint8)
    assert library.program(*(ctypes.c_void_p(a.ctypes.data) for a in (*inputs, *outputs, work))) == 0
    return outputs


def exact(name, subscripts, x, y):
    """In the widest numbers; complex ones (all finite) by parts: einsum of clongdouble ends in a corrupted heap (NumPy 2.4)."""
    f = lambda x, y: np.asarray(oracles.FORMULAS[name](x.astype(np.longdouble), y.astype(np.longdouble), subscripts))
    if x.dtype.kind != "c":
        return f(x, y)
    return f(x.real, y.real) - f(x.imag, y.imag) + 1j * (f(x.real, y.imag) + f(x.imag, y.real))


def check(ours, name, subscripts, x, y):
    with np.errstate(all="ignore"):
        if x.dtype.kind not in "fc":
            expected = oracles.FORMULAS[name](x, y, subscripts) if x.dtype.kind == "b" else np.einsum(subscripts, x, y)
            np.testing.assert_array_equal(ours, expected.astype(ours.dtype), subscripts)
            return
        expected = exact(name, subscripts, x, y)
        size = np.einsum(subscripts, *(np.where(np.isfinite(a), np.abs(a), 0).astype(np.longdouble) for a in (x, y)))
    bad = ~np.isfinite(expected)
    np.testing.assert_array_equal(np.isnan(ours), np.isnan(expected), subscripts)
    if x.dtype.kind == "f":
        np.testing.assert_array_equal(ours[bad], expected[bad].astype(ours.dtype), subscripts)
    error = np.abs(np.where(bad, 0, ours) - np.where(bad, 0, expected))
    assert np.all(error <= 24 * np.finfo(x.dtype).eps * size), subscripts


FORMS = [
    *itertools.product(["none"], ["f64", "f32", "c128", "c64", "i32", "u8", "bool"]),
    *itertools.product(["numpy"], ["f64", "f32", "c128", "c64"]), ("scipy", "f64"), ("scipy", "c64"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "short"), FORMS, indirect=["source"])
def test_contractions_of_every_form(short, source, tmp_path):
    dtype = DTYPES[short]
    for k in range(ROUNDS):
        rng = np.random.default_rng([k, sum(map(ord, short))])
        cases, arrays, names = [], [], []
        while len(cases) < PER_ROUND:
            subscripts, shapes, ways = case(rng)
            pair = [numbers(rng, way[0](shape), dtype) for way, shape in zip(ways, shapes, strict=True)]
            name = "scale_einsum" if dtype.kind != "b" and rng.random() < 0.4 else "einsum"
            if dtype.kind == "f" and rng.random() < 0.3:
                for a in pair:
                    a[rng.random(a.shape) < 0.3] = 0
                    a[rng.random(a.shape) < 0.02] = rng.choice([np.inf, -np.inf, np.nan])
            if pair[0].shape == pair[1].shape and rng.random() < 0.5:
                pair = pair[:1]
            cases.append((subscripts, shapes, ways))
            arrays.append(pair)
            names.append(name)
        graph, inputs = program(cases, arrays, names), [a for pair in arrays for a in pair]
        made = alone(graph, inputs, tmp_path) if source == "none" else BACKEND.build(graph)(inputs)
        for ours, name, (subscripts, shapes, ways), pair in zip(made, names, cases, arrays, strict=True):
            x, y = (way[1](np, a, s) for way, a, s in zip(ways, (pair * 2)[:2], shapes, strict=True))
            check(ours, name, subscripts, x, y)


# ----- Which BLAS -----


def square(n, name="einsum"):
    builder = Builder()
    x = builder.input(ArrayType(np.float64, (n, n)))
    return builder.graph([builder.emit(OPS[name], (x, x), subscripts="ij,jk->ik")])


def test_no_blas_is_looked_for_without_a_large_product(monkeypatch):
    monkeypatch.setattr(blas, "find", lambda: pytest.fail("looked for"))
    blas.routine.cache_clear()
    x = np.arange(49.0).reshape(7, 7)
    np.testing.assert_array_equal(BACKEND.build(square(7))([x])[0], x @ x)


def test_scipy_is_imported_only_where_numpy_has_none(monkeypatch):
    monkeypatch.setattr(blas, "_of_scipy", lambda: "SciPy's")
    monkeypatch.setattr(blas, "_of_numpy", lambda: "NumPy's")
    assert blas.find.__wrapped__() == "NumPy's"
    monkeypatch.setattr(blas, "_of_numpy", lambda: None)
    assert blas.find.__wrapped__() == "SciPy's"


class Core:
    """A core of NumPy that is linked to a CBLAS with these symbols."""

    def __init__(self, ending):
        self.symbols = [f"cblas_{name}{ending}" for name in blas._NAMES]

    def __getattr__(self, name):
        if name not in self.symbols:
            raise AttributeError(name)
        return ctypes.c_void_p(4096 + self.symbols.index(name))


@pytest.mark.parametrize(
    ("ending", "built", "wide"),
    [("", "lp64", False), ("64_", "USE64BITINT", True), ("", "USE64BITINT", None), ("_", "", None)],
)
def test_the_symbol_says_how_wide_integers_are(ending, built, wide, monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda path: Core(ending))
    monkeypatch.setattr(np, "show_config", lambda mode: {"blas": built})
    found = blas._of_numpy()
    assert (found and found.wide) == wide
    if found:
        assert found.address("sgemm") == 4096


def test_without_any_blas_there_is_none(monkeypatch):
    monkeypatch.setitem(sys.modules, blas._CAPSULES, types.SimpleNamespace(__pyx_capi__={}))
    assert blas._of_scipy() is None
    monkeypatch.setitem(sys.modules, blas._CAPSULES, None)
    assert blas._of_scipy() is None
    monkeypatch.setattr(blas, "find", lambda: None)
    blas.routine.cache_clear()
    assert blas.routine("gemm", np.dtype(np.float64)) is None
    blas.routine.cache_clear()


def test_products_in_functions_of_the_program():
    """Bodies of loops, and the parts that a long program has, are given addresses too."""
    a = np.random.default_rng(0).standard_normal((20, 20)) / 5

    def f(a):
        return wg.scan(lambda c, _: (np.tanh(c @ a), np.sum(c)), a, length=4)

    def plain(a):
        c, sums = a, []
        for _ in range(4):
            c, total = np.tanh(c @ a), np.sum(c)
            sums.append(total)
        return c, np.array(sums)

    for ours, theirs in zip(wg.trace(f).on("c")(a), plain(a), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)

    def long(a):
        for _ in range(320):
            a = np.tanh(a @ a)
        return a

    np.testing.assert_allclose(wg.trace(long).on("c")(a), long(a), rtol=1e-9, atol=1e-12)


def test_a_product_that_sums_nothing_and_repeats_nothing():
    builder = Builder()
    x, y = (builder.input(ArrayType(np.float64, shape)) for shape in ((4, 1), (4,)))
    outputs = [builder.emit(OPS["einsum"], (y, y), subscripts="a,a->a")]
    outputs += [builder.emit(OPS[name], (x, y), subscripts="ab,a->ab") for name in ("einsum", "scale_einsum")]
    x, y = np.array([[0.0], [1.0], [-2.0], [0.0]]), np.array([np.inf, 2.0, 3.0, 1.0])
    plain, ordinary, strong = BACKEND.build(builder.graph(outputs))([x, y])
    np.testing.assert_array_equal(plain, y * y)
    np.testing.assert_array_equal(ordinary, [[np.nan], [2.0], [-6.0], [0.0]])
    np.testing.assert_array_equal(strong, [[0.0], [2.0], [-6.0], [0.0]])


def test_a_product_that_sums_nothing_joins_the_loop_around_it():
    builder = Builder()
    xp = Namespace(builder)
    x, y = (xp.wrap(builder.input(ArrayType(np.float64, (n,)))) for n in (300, 40))
    total = xp.einsum("i,j->ij", x, y) + xp.einsum("j,i->ij", y, x)
    graph = builder.graph([xp.lift(total)])
    assert BACKEND.emit(graph).count("static void k") == 1
    x, y = np.arange(300.0), np.arange(40.0)
    np.testing.assert_array_equal(BACKEND.build(graph)([x, y])[0], 2 * np.outer(x, y))


ADDED = [
    ("ij,jk->ik", ((3, 2), (2, 2)), (3, 2)),  # written out
    ("ij,jk->ik", ((5, 9), (9, 3)), (5, 3)),  # lines
    ("ij,jk->ik", ((11, 10), (10, 13)), (11, 13)),  # slabs
    ("ij,jk->ik", ((11, 10), (10, 13)), (13,)),  # a bias
    ("ij,jk->ik", ((11, 10), (10, 13)), (11, 1)),
    ("ij,kj->ik", ((7, 21), (9, 21)), (7, 9)),  # grams
    ("aij,akj->ik", ((2, 7, 21), (2, 9, 21)), (7, 9)),  # of which several are added up
    ("ij,j->i", ((20, 30), (30,)), (20,)),  # dots
    ("ij,jk->ik", ((30, 34), (34, 31)), (30, 31)),  # BLAS, or blocks
    ("ij,jk->ki", ((30, 34), (34, 31)), (31, 30)),
    ("ij,j->i", ((4, 3), (3,)), (4,)),  # results one by one
    ("ij,jk->ik", ((4, 0), (0, 3)), (4, 3)),
]


@pytest.mark.parametrize(("name", "hosted"), [("einsum", False), ("scale_einsum", True)])
def test_what_is_added_to_a_product_is_added_by_its_loop(name, hosted, tmp_path, monkeypatch):
    monkeypatch.setattr(dense, "NEAR", 8 * 33 * 31)
    rng = np.random.default_rng(7)
    builder, inputs, expected = Builder(), [], []
    for subscripts, shapes, start in ADDED:
        x, y, s = map(rng.standard_normal, (*shapes, start))
        vx, vy, vs = (builder.input(type_of(a)) for a in (x, y, s))
        product = builder.emit(OPS[name], (vx, vy), subscripts=subscripts)
        builder.emit(OPS["add"], (builder.broadcast_to(vs, product.type.shape), product))
        if x.size:
            x[1, 0], y[0], s[0] = np.nan, np.inf, -np.inf
        inputs += [x, y, s]
        with np.errstate(all="ignore"):
            expected.append(s + oracles.FORMULAS[name](x, y, subscripts))
    graph = builder.graph([node.result for node in builder.nodes if node.op.name == "add"])
    units = Plan(graph, graph.outputs).units
    assert len(units) == len(ADDED)
    made = BACKEND.build(graph)(inputs) if hosted else alone(graph, inputs, tmp_path)
    for ours, theirs in zip(made, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)
