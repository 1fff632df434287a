"""The reference backend: its scalars against NumPy, its two derivatives against differences."""

import itertools
import math
import platform
import subprocess
import sys

import numpy as np
import pytest

from wengert.backends import protocol
from wengert.backends.reference import evaluate, forward, reverse
from wengert.backends.reference.arrays import groups, offsets
from wengert.backends.reference.libm import LIBM, _cbrt, _exp2
from wengert.backends.reference.rounding import caster, int_to_float32
from wengert.backends.reference.scalar import XP, Scalar, meaning, scaler
from wengert.ir.build import Builder, Namespace
from wengert.ir.errors import BackendError
from wengert.ir.graph import Graph, Location, Value
from wengert.ir.kinds import Elementwise
from wengert.ir.ops import OPS
from wengert.ir.types import DTYPES, ArrayType

BACKEND = protocol.get("reference")
REAL = [d for d in DTYPES.values() if d.kind != "c"]
FLOATS = [d for d in REAL if d.kind == "f"]
F64 = np.dtype("float64")
EVERY = [op for op in OPS.values() if isinstance(op, Elementwise) and op.name != "cast"]
NUMPY = [op for op in EVERY if isinstance(op.function, np.ufunc)]

pytestmark = pytest.mark.filterwarnings("error")


# ----- Scalars -----


def edge_values(dtype):
    if dtype.kind == "b":
        return [False, True]
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        some = [0, 1, 2, 3, 7, 8, 31, 33, 64, 100, info.max, info.max - 1, info.max // 2]
        signed = [-1, -2, -3, -7, info.min, info.min + 1] if dtype.kind == "i" else []
        return [dtype.type(v).item() for v in some + signed]
    info = np.finfo(dtype)
    some = [0, 0.5, 1, 1.5, 2, 3, 7, 0.1, 2.5, 10, 88, 700, 5e-5, 1e15]
    some += [info.max, info.tiny, info.smallest_subnormal, info.eps, math.inf]
    return [dtype.type(sign * v).item() for v in some for sign in (1, -1)] + [math.nan]


def operand_dtypes(op, dtype):
    if op.symbol == "?:":
        return (np.dtype(bool), dtype, dtype)
    return (dtype,) * op.arity


def same(got, expected, dtype, ulps, zeros=True):
    """Equal, NaN as NaN, and the sign of zero; or within some units in the last place."""
    if dtype.kind != "f":
        return type(got) is type(expected) and got == expected
    if got != got or expected != expected:
        return got != got and expected != expected
    if got == expected:
        return not zeros or got != 0 or math.copysign(1, got) == math.copysign(1, expected)
    if math.isinf(got) or math.isinf(expected):
        return False
    return abs(got - expected) <= ulps * np.spacing(np.asarray(max(abs(got), abs(expected)), dtype))


# What may differ from NumPy, in units in the last place; NumPy's float32 loops are approximations.
ULPS = {F64: {"**": 1}, np.dtype("float32"): {"**": 2, "//": 1}}
BODIES = {"logaddexp": 4, "logaddexp2": 4, "deg2rad": 2, "rad2deg": 2}
# Which of -0.0 and 0.0 is larger is left open.
ZEROS_DIFFER = ("maximum", "minimum", "fmax", "fmin")


def tolerance(op, dtype):
    if op.libm:
        exact = op.libm in ("sqrt", "fmod", "copysign", "floor", "ceil", "trunc", "rint")
        return 0 if exact else 2 if dtype == F64 else 4
    if op.body:
        return BODIES.get(op.name, 0)
    return ULPS.get(dtype, {}).get(op.symbol, 0)


@pytest.mark.parametrize("dtype", REAL, ids=str)
@pytest.mark.parametrize("op", NUMPY, ids=lambda op: op.name)
def test_every_elementwise_op_means_what_numpy_means(op, dtype):
    dtypes = operand_dtypes(op, dtype)
    out = op.result_dtype(dtypes, {})
    if out is None:
        return
    rows = list(itertools.product(*map(edge_values, dtypes)))
    if op.symbol == "**" and dtype.kind in "iu":
        rows = [row for row in rows if row[1] >= 0]
    columns = [np.array(c, d) for c, d in zip(zip(*rows, strict=True), dtypes, strict=True)]
    with np.errstate(all="ignore"):
        expected = op.function(*columns)
    assert expected.dtype == out
    function = meaning(op, dtypes, out)
    ulps, zeros = tolerance(op, dtype), op.name not in ZEROS_DIFFER
    wrong = []
    for row, want in zip(rows, expected.tolist(), strict=True):
        got = function(*row)
        if not same(got, want, out, ulps, zeros):
            wrong.append((row, got, want))
    assert wrong == []


def test_integers_of_two_dtypes_compare_by_value():
    i, u = np.dtype("int64"), np.dtype("uint64")
    assert meaning(OPS["less"], (i, u), np.dtype(bool))(-1, 2**64 - 1)


@pytest.mark.parametrize("dtype", [d for d in REAL if d.kind == "i"], ids=str)
def test_a_negative_power_of_an_integer_is_refused(dtype):
    with pytest.raises(ValueError, match="negative integer powers"):
        meaning(OPS["power"], (dtype, dtype), dtype)(1, -1)


@pytest.mark.parametrize("target", REAL, ids=str)
@pytest.mark.parametrize("source", REAL, ids=str)
def test_casts_are_astype(source, target):
    values = edge_values(source)
    if source.kind == "f":
        values += [1e20, -1e20, 3e9, -3e9, 2.0**63, 2.0**62, 300.7, -300.7, -0.5]
        values = [source.type(v).item() for v in values]
        if target.kind in "iu" and platform.machine() not in ("x86_64", "AMD64"):
            values = [v for v in values if 0 <= v < 100]
    else:
        values += [2**24 + 1] if source.itemsize >= 4 else []
        big = 2**60 + 2**36 + 1  # halfway between two float32, and a bit
        values += [big, big - 1, big - 2] if source.itemsize == 8 and source.kind in "iu" else []
    cast = caster(source, target)
    with np.errstate(all="ignore"):
        # one by one: NumPy's vector loops answer otherwise where C leaves the answer open
        expected = [np.array(v, source).astype(target).item() for v in values]
    pairs = zip(values, expected, strict=True)
    assert [p for p in pairs if not same(cast(p[0]), p[1], target, 0)] == []


def test_an_integer_is_rounded_to_float32_once():
    between = 2**60 + 2**36 + 1  # a double would round this to halfway, and then to even
    assert int_to_float32(between) == 2.0**60 + 2.0**37
    assert int_to_float32(-between) == -(2.0**60) - 2.0**37


def test_functions_for_python_310():
    for x in (1e-320, 1e-30, 0.1, 1.0, 8.0, 27.0, 1e300, -8.0, 5.5):
        assert same(_cbrt(x), float(np.cbrt(x)), F64, 2)
    for x in (0.0, -0.0, math.inf, -math.inf, math.nan):
        assert same(_cbrt(x), float(np.cbrt(x)), F64, 0)
    for x in (0.5, -1074.0, -1075.0, 1024.0, 10.25, math.inf, -math.inf, math.nan):
        with np.errstate(all="ignore"):
            assert same(_exp2(x), float(np.exp2(x)), F64, 1)


def test_every_libm_name_of_the_ops_is_here():
    assert {op.libm for op in EVERY if op.libm} <= set(LIBM)


# ----- Rules on scalars -----


def scalar(value, dtype="float64"):
    return Scalar(value, np.dtype(dtype))


def test_scalars_answer_as_ieee_does():
    zero = scalar(0.0)
    assert (1 / zero).value == math.inf
    assert math.isnan((zero / zero).value)
    assert math.isnan(XP.log(scalar(-1.0)).value)
    assert XP.exp(scalar(1000.0)).value == math.inf
    assert (scalar(-0.0) ** -1.0).value == -math.inf
    assert math.isnan((scalar(-1.0) ** 0.5).value)
    assert (scalar(-1e300) ** 3.0).value == -math.inf


def test_literals_are_weak():
    x = scalar(np.float32(0.1).item(), "float32")
    for y in (x + 1, 2.5 * x, 1 / x, x**2, XP.copysign(1.0, x), XP.where(x > 0, 1.0, x)):
        assert y.dtype == np.float32
        assert np.float32(y.value) == y.value
    assert (1 / x).value == np.float32(1) / np.float32(0.1)
    assert ((x > 0) * 1.0).dtype == np.float64
    assert (scalar(3, "int8") + 1).dtype == np.int8
    assert (scalar(3, "int8") * 1.0).dtype == np.float64
    assert (scalar(3, "int64") + x).dtype == np.float64
    with pytest.raises(OverflowError):
        scalar(3, "int8") + 300


def test_a_rule_may_not_branch():
    with pytest.raises(TypeError, match=r"Use xp\.where"):
        bool(scalar(1.0) > 0)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_scaler_is_the_op_scale(dtype):
    values = edge_values(dtype)
    stated = meaning(OPS["scale"], (dtype, dtype), dtype)
    for p, t in itertools.product(values, repeat=2):
        assert same(scaler(dtype)(p, t), stated(p, t), dtype, 0)


# ----- Graphs -----


def build(function, *shapes, dtype="float64", location=None):
    """The graph of function(xp, *operands)."""
    builder = Builder()
    builder.location = location
    xp = Namespace(builder)
    operands = [xp.wrap(builder.input(ArrayType(dtype, shape))) for shape in shapes]
    results = function(xp, *operands)
    results = results if isinstance(results, tuple) else (results,)
    return builder.graph([r if isinstance(r, Value) else xp.lift(r) for r in results])


def run(function, *inputs):
    inputs = [np.asarray(x) for x in inputs]
    graph = build(function, *(x.shape for x in inputs), dtype=inputs[0].dtype)
    return BACKEND.compile(graph)(inputs)[0]


def derivatives(function, *inputs):
    """The Jacobians of the first output in every input: by dual numbers, and by the tape."""
    inputs = [np.asarray(x) for x in inputs]
    dtype = inputs[0].dtype
    graph = build(function, *(x.shape for x in inputs), dtype=dtype)
    active = tuple(range(len(inputs)))
    pushed, pulled = [], []
    _, pullback = BACKEND.reverse(graph, active)(inputs)
    out = graph.outputs[0].type
    basis = np.eye(out.size, dtype=out.dtype).reshape(out.size, *out.shape)
    cotangents = pullback([basis] + [None] * (len(graph.outputs) - 1))
    for i, x in enumerate(inputs):
        directions = [np.zeros((x.size, *y.shape), dtype) for y in inputs]
        directions[i] = np.eye(x.size, dtype=dtype).reshape(x.size, *x.shape)
        _, tangents = BACKEND.forward(graph, active)(inputs, directions)
        pushed.append(tangents[0].reshape(x.size, out.size).T)
        pulled.append(cotangents[i].reshape(out.size, x.size))
    return pushed, pulled


def differences(function, *inputs, h=1e-3):
    """The Jacobians of the first output by the five-point formula."""
    inputs = [np.asarray(x, float) for x in inputs]
    graph = build(function, *(x.shape for x in inputs))
    f = BACKEND.compile(graph)
    found = []
    for i, x in enumerate(inputs):
        columns = []
        for j in range(x.size):
            step = np.zeros(x.size)
            step[j] = h
            step = step.reshape(x.shape)
            at = [f([*inputs[:i], x + m * step, *inputs[i + 1 :]])[0] for m in (-2, -1, 1, 2)]
            columns.append(((at[0] - at[3]) + 8 * (at[2] - at[1])).ravel() / (12 * h))
        found.append(np.array(columns).reshape(x.size, -1).T)
    return found


def agree(function, *inputs, rtol=1e-7, atol=1e-8):
    pushed, pulled = derivatives(function, *inputs)
    for p, q, d in zip(pushed, pulled, differences(function, *inputs), strict=True):
        np.testing.assert_allclose(p, q, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(p, d, rtol=rtol, atol=atol)


SMOOTH = [
    op for op in NUMPY
    if str(op.result_dtype(operand_dtypes(op, F64), {})) == "float64"  # None == np.dtype(float) is true
    and any(p is not None for p in op.partials)
]  # fmt: skip


@pytest.mark.parametrize("op", SMOOTH, ids=lambda op: op.name)
def test_partials_are_slopes(op):
    rng = np.random.default_rng(1)
    low, high = (op.domain[0].low, op.domain[0].high) if op.domain else (-math.inf, math.inf)
    if op.name == "power":
        low = 0
    count = op.arity - (op.symbol == "?:")
    inputs = [rng.uniform(max(low + 0.1, -2.3), min(high - 0.1, 2.3), 7) + i for i in range(count)]
    inputs = [np.where(abs(x) < 0.05, 0.3, x) for x in inputs]

    def function(xp, *xs):
        xs = (xs[0] > 0.2, *xs) if op.symbol == "?:" else xs
        return xp.apply(op, *xs)

    agree(function, *inputs, rtol=1e-6)


X = np.array([[0.3, -1.2, 2.5, 0.7], [1.1, 0.4, -0.6, 1.9], [-2.2, 1.3, 0.9, -0.8]])
V = np.array([0.5, -1.5, 2.0, 0.25])
W = np.array([[1.5, -0.5], [0.2, 2.0], [-1.0, 0.7], [0.9, 0.1]])

EXAMPLES = {
    "sum": lambda xp, x: xp.sum(x * x, axis=0),
    "sum_all": lambda xp, x: xp.sum(xp.sin(x)),
    "sum_of_axes": lambda xp, x: xp.sum(xp.exp(xp.reshape(x, (3, 2, 2))), axis=(0, 2)),
    "prod": lambda xp, x: xp.prod(x, axis=1),
    "prod_all": lambda xp, x: xp.prod(x),
    "prod_of_axes": lambda xp, x: xp.prod(xp.reshape(x, (2, 3, 2)), axis=(0, 2)),
    "max": lambda xp, x: xp.max(x, axis=0) * 2,
    "min": lambda xp, x: xp.min(x),
    "argmax": lambda xp, x: xp.take(xp.reshape(x, (12,)), xp.argmax(x), axis=0) * x,
    "cumsum": lambda xp, x: xp.cumsum(x * x, 1),
    "cumsum_reverse": lambda xp, x: xp.cumsum(xp.exp(x), 0, reverse=True),
    "transpose": lambda xp, x: xp.transpose(x) * xp.reshape(x, (4, 3)),
    "broadcast": lambda xp, x: xp.sum(xp.broadcast_to(x, (2, 3, 4)), axis=1) * x[0],
    "concatenate": lambda xp, x: xp.concatenate([x, x * x, xp.ones_like(x)], axis=1),
    "slice": lambda xp, x: x[::-2, 1:] * x[0, 3:0:-1],
    "place": lambda xp, x: xp.place(x * x, shape=(7, 5), start=(6, 1), step=(-3, 1)),
    "take": lambda xp, x: xp.take(x * x, np.array([[2, 0], [2, 2]]), axis=0),
    "take_inner": lambda xp, x: xp.take(x, np.array([3, 3, 1]), axis=1) * 2,
    "scatter": lambda xp, x: xp.scatter_add(x * x, np.array([1, 1, 3]), axis=0, size=5),
    "scatter_inner": lambda xp, x: xp.scatter_add(x, np.array([0, 2, 0, 2]), axis=1, size=3),
    "sort": lambda xp, x: xp.sort(x * x, 1) * x,
    "along": lambda xp, x: xp.take_along_axis(x, xp.argsort(x, 0), 0) * x,
    "outer": lambda xp, x: xp.einsum("ij,kl->ikjl", x, x * x),
    "unused": lambda xp, x: (x[0] * 3, xp.sum(x)),
    "stopped": lambda xp, x: x * xp.stop_gradient(xp.floor(x)),
    "constant": lambda xp, x: xp.ones_like(x),
    "itself": lambda xp, x: x,
    "scale": lambda xp, x: xp.scale(x, xp.sin(x)),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_dual_numbers_the_tape_and_differences_agree(name):
    agree(EXAMPLES[name], X)


@pytest.mark.parametrize("subscripts", ["ij,jk->ik", "ij,jk->ki", "ij,jk->kij"])
def test_contractions(subscripts):
    agree(lambda xp, x, w: xp.einsum(subscripts, x, w), X, W)
    scaled = run(lambda xp, x, w: xp.einsum(subscripts, x, w, scaled=True), X, W)
    np.testing.assert_allclose(scaled, np.einsum(subscripts, X, W))
    agree(lambda xp, x, w: xp.einsum(subscripts, x, w, scaled=True), X, W)


def test_contraction_to_a_number_and_by_one_active_operand():
    agree(lambda xp, v: xp.einsum("i,i->", v, xp.sin(v)), V)
    agree(lambda xp, v: xp.einsum("ij,j->i", X, v), V)
    agree(lambda xp, v: xp.einsum("j,ij->i", v, X), V)


def test_contraction_of_bools_is_or_of_ands():
    x, y = X > 0, W > 0
    got = run(lambda xp, a: xp.einsum("ij,jk->ik", a, y), x)
    np.testing.assert_array_equal(got, np.einsum("ij,jk->ik", x, y))
    assert got.dtype == bool


REDUCE = [(name, op) for name, op in OPS.items() if op.kind == "Reduction"]


@pytest.mark.parametrize(("name", "op"), REDUCE, ids=[name for name, _ in REDUCE])
@pytest.mark.parametrize("dtype", REAL, ids=str)
def test_reductions_are_numpys(name, op, dtype):
    rng = np.random.default_rng(3)
    base = rng.integers(0, 2 if name in ("any", "all") else 5, (2, 3, 4)).astype(dtype)
    for axis in ((), (0,), (1,), (0, 2), (0, 1, 2)):
        if op.fold in ("and", "or") and dtype.kind != "b":
            continue
        if op.fold in ("argmax", "argmin"):
            if len(axis) > 1:
                continue
            expected = op.function(base, axis=axis[0]) if axis else np.zeros(base.shape, int)
        else:
            own = {"dtype": dtype} if name in ("sum", "prod") else {}
            expected = op.function(base, axis=axis, **own)
        got = run(lambda xp, x, axis=axis: xp.emit(name, x, axes=axis), base)
        assert got.dtype == expected.dtype
        np.testing.assert_array_equal(got, expected)


def test_largest_and_nan():
    x = np.array([1.0, np.nan, 3.0, np.nan])
    assert np.isnan(run(lambda xp, x: xp.max(x), x))
    assert run(lambda xp, x: xp.argmax(x), x) == 1
    assert run(lambda xp, x: xp.argmin(x), x) == 1
    assert run(lambda xp, x: xp.argmax(x), np.array([1.0, 3.0, 3.0])) == 1
    two_axes = np.array([[1.0, 5.0], [5.0, 0.0]])
    assert run(lambda xp, x: xp.argmax(x), two_axes) == 1


def test_empty_arrays():
    empty = np.zeros((0, 3))
    np.testing.assert_array_equal(run(lambda xp, x: xp.sum(x, axis=0), empty), np.zeros(3))
    np.testing.assert_array_equal(run(lambda xp, x: xp.prod(x, axis=0), empty), np.ones(3))
    assert run(lambda xp, x: xp.sin(x) * 2, empty).shape == (0, 3)
    for function in (lambda xp, x: xp.sum(x, axis=0), lambda xp, x: xp.prod(x, axis=0)):
        pushed, pulled = derivatives(function, empty)
        assert pushed[0].shape == pulled[0].shape == (3, 0)


def test_a_sum_in_float32_is_rounded_at_every_step():
    x = np.array([1.0, 2.0**-25, 2.0**-25], np.float32)
    assert run(lambda xp, x: xp.sum(x), x) == np.float32(1)


@pytest.mark.parametrize("function", EXAMPLES.values(), ids=EXAMPLES)
def test_float32_stays_float32(function):
    x = X.astype(np.float32)
    graph = build(function, x.shape, dtype="float32")
    (out, *_), (tangent, *_) = BACKEND.forward(graph, (0,))([x], [x[None]])
    assert out.dtype == tangent.dtype == np.float32
    _, (cotangent,) = BACKEND.reverse(graph, (0,))([x], [np.ones((1, *v.type.shape), np.float32)
                                                        for v in graph.outputs])  # fmt: skip
    assert cotangent.dtype == np.float32
    (expected,) = BACKEND.compile(build(function, x.shape))([x.astype(float)])[:1]
    np.testing.assert_allclose(out, expected, rtol=1e-4, atol=1e-5)


def test_casts_carry_the_derivative():
    def function(xp, x):
        return xp.cast(xp.sin(xp.cast(x, "float32")), "float64") * x

    pushed, pulled = derivatives(function, V)
    np.testing.assert_allclose(pushed[0], np.diag(np.sin(V) + V * np.cos(V)), rtol=1e-6)
    np.testing.assert_allclose(pulled[0], pushed[0], rtol=1e-6)
    to_int = build(lambda xp, x: xp.cast(xp.cast(x, "int64"), "float64"), (4,))
    (_,), (tangent,) = BACKEND.forward(to_int, (0,))([V], [np.ones((1, 4))])
    np.testing.assert_array_equal(tangent, np.zeros((1, 4)))


# ----- Zeros, ties, edges that carry nothing -----


def jacobian(function, *inputs):
    """By both modes, which here agree to the last bit, NaN and all."""
    pushed, pulled = derivatives(function, *inputs)
    for p, q in zip(pushed, pulled, strict=True):
        np.testing.assert_array_equal(p, q)
    return pushed[0]


def test_the_branch_not_taken_contributes_nothing():
    x = np.array([0.0, -1.0, 2.0])
    slope = jacobian(lambda xp, x: xp.where(x > 0, xp.log(x), 0.0), x)
    np.testing.assert_array_equal(slope, np.diag([0, 0, 0.5]))


def test_an_exact_zero_stops_infinity_and_nan():
    x = np.array([0.0, 4.0])
    np.testing.assert_array_equal(jacobian(lambda xp, x: xp.sqrt(x) * 0.0, x), np.zeros((2, 2)))
    slope = jacobian(lambda xp, x: xp.sum(xp.sqrt(x)), x)
    np.testing.assert_array_equal(slope, [[np.inf, 0.25]])
    slope = jacobian(lambda xp, x: xp.sqrt(x * x), np.array([0.0]))
    np.testing.assert_array_equal(slope, [[0.0]])
    nan = np.array([np.nan, 1.0])
    slope = jacobian(lambda xp, v: xp.einsum("i,i->", nan, v * np.array([0.0, 1.0])), V[:2])
    np.testing.assert_array_equal(slope, [[0.0, 1.0]])


def test_products_with_zeros():
    for x in ([0.0, 2.0, 3.0], [0.0, 0.0, 3.0], [1.0, 2.0, 3.0, 4.0, 5.0]):
        others = [[math.prod(x[:i] + x[i + 1 :]) for i in range(len(x))]]
        slope = jacobian(lambda xp, x: xp.prod(x), np.array(x))
        np.testing.assert_array_equal(slope, others)


def test_ties_share():
    slope = jacobian(lambda xp, x: xp.max(x), np.array([1.0, 2.0, 2.0]))
    np.testing.assert_array_equal(slope, [[0, 0.5, 0.5]])
    pushed, pulled = derivatives(lambda xp, x, y: xp.maximum(x, y), np.ones(1), np.ones(1))
    assert [p.item() for p in pushed + pulled] == [0.5] * 4


def test_partials_on_dead_edges_are_not_computed():
    def fail(*_):
        raise AssertionError

    op = Elementwise(name="watched", symbol="*", partials=(fail, lambda xp, out, x, y: x),
                     types=lambda dtypes, params: dtypes[0], doc="x y")  # fmt: skip
    graph = build(lambda xp, x, y: xp.apply(op, x, y) + 0 * y, (1,), (1,))
    one = [np.ones(1), np.ones(1)]
    _, (t,) = BACKEND.forward(graph, (1,))(one, [np.ones((1, 1))])
    _, (g,) = BACKEND.reverse(graph, (1,))(one, [np.ones((1, 1))])
    assert t.item() == g.item() == 1
    two = build(lambda xp, x, y: (x + y, xp.apply(op, x, y)), (1,), (1,))
    _, cotangents = BACKEND.reverse(two, (0, 1))(one, [np.ones((1, 1)), None])
    assert [c.item() for c in cotangents] == [1, 1]


# ----- Programs inside programs -----


def called():
    inner = Builder("inner")
    xp = Namespace(inner)
    x, y = (xp.wrap(inner.input(ArrayType("float64", ()))) for _ in range(2))
    return inner.graph([(xp.sin(x) * y).value, (x > y).value, y.value])


def outer(inner):
    builder = Builder()
    xp = Namespace(builder)
    x = xp.wrap(builder.input(ArrayType("float64", ())))
    y = xp.wrap(builder.input(ArrayType("float64", ())))
    results = builder.emit_all(OPS["call"], [(x * y).value, y.value], graph=inner)
    a, b, c = map(xp.wrap, results)
    return builder.graph([(xp.where(b, a, a * c)).value, *results])


def test_a_call_is_its_graph():
    x, y = np.array(0.7), np.array(1.3)
    for graph in (outer(called()), outer(outer_as_inner())):
        inline = inlined(graph)
        values = BACKEND.compile(graph)([x, y])
        expected = BACKEND.compile(inline)([x, y])
        assert [v.item() for v in values] == [v.item() for v in expected]
        t = [np.array([1.0, 0.0, 0.3]), np.array([0.0, 1.0, -2.0])]
        for a, b in zip(BACKEND.forward(graph, (0, 1))([x, y], t)[1],
                        BACKEND.forward(inline, (0, 1))([x, y], t)[1], strict=True):  # fmt: skip
            np.testing.assert_array_equal(a, b)
        g = [np.array([1.0, 0.5]), np.array([2.0, 0.1]), None, np.array([-1.0, 3.0])]
        for a, b in zip(BACKEND.reverse(graph, (0, 1))([x, y], g)[1],
                        BACKEND.reverse(inline, (0, 1))([x, y], g)[1], strict=True):  # fmt: skip
            np.testing.assert_array_equal(a, b)


def outer_as_inner():
    graph = outer(called())
    return Graph(graph.inputs, graph.nodes, graph.outputs[:1] + graph.outputs[2:])


def inlined(graph):
    while any(node.op is OPS["call"] for node in graph.nodes):
        builder = Builder()
        env = {v: builder.input(v.type) for v in graph.inputs}
        for node in graph.nodes:
            operands = [env.get(v, v) for v in node.operands]
            if node.op is OPS["call"]:
                results = builder.inline(node.params["graph"], operands)
            else:
                results = builder.emit_all(node.op, operands, **node.params)
            env.update(zip(node.results, results, strict=True))
        graph = builder.graph([env.get(v, v) for v in graph.outputs])
    return graph


# ----- The contract -----


def test_guards_follow_the_outputs():
    builder = Builder()
    xp = Namespace(builder)
    x = xp.wrap(builder.input(ArrayType("float64", ())))
    builder.guard((x > 0).value, expected=True)
    graph = builder.graph([(x * x).value])
    three = [np.array(3.0)]
    assert [v.item() for v in BACKEND.compile(graph)(three)] == [9, True]
    values, tangents = BACKEND.forward(graph, (0,))(three, [np.ones(1)])
    assert [v.item() for v in values] == [9, True]
    assert len(tangents) == 1
    values, cotangents = BACKEND.reverse(graph, (0,))(three, [np.ones(1)])
    assert [v.item() for v in values] == [9, True]
    assert cotangents[0].item() == 6


def test_results_own_their_memory():
    x = np.ones(3)
    graph = build(lambda xp, x: (x, x, np.arange(3.0)), (3,))
    first, second, constant = BACKEND.compile(graph)([x])
    first[:], constant[:] = 7, 7
    assert x[0] == second[0] == 1
    np.testing.assert_array_equal(BACKEND.compile(graph)([x])[2], np.arange(3.0))


def test_what_is_not_inexact_has_no_tangent():
    builder = Builder()
    xp = Namespace(builder)
    n = xp.wrap(builder.input(ArrayType("int64", (2,))))
    x = xp.wrap(builder.input(ArrayType("float64", (2,))))
    graph = builder.graph([(n * n).value, (x * n).value, (x > 0).value, xp.exp(n * 1.0).value])
    inputs = [np.array([2, 3]), np.array([0.5, 1.5])]
    given = [np.zeros((3, 2), np.int64), np.ones((3, 2))]
    _, tangents = BACKEND.forward(graph, (0, 1))(inputs, given)
    assert tangents[0] is None
    assert tangents[2] is None
    np.testing.assert_array_equal(tangents[1], [[2, 3]] * 3)
    np.testing.assert_array_equal(tangents[3], np.zeros((3, 2)))
    g = [None, np.ones((4, 2)), None, np.ones((4, 2))]
    _, cotangents = BACKEND.reverse(graph, (0, 1))(inputs, g)
    assert cotangents[0] is None
    np.testing.assert_array_equal(cotangents[1], [[2, 3]] * 4)


def test_no_directions():
    graph = build(lambda xp, x: xp.prod(xp.sin(x)), (3,))
    x = [np.ones(3)]
    _, (tangent,) = BACKEND.forward(graph, (0,))(x, [np.ones((0, 3))])
    assert tangent.shape == (0,)
    _, (cotangent,) = BACKEND.reverse(graph, (0,))(x, [np.ones(0)])
    assert cotangent.shape == (0, 3)


@pytest.mark.parametrize(("name", "params"), [("take", {}), ("scatter_add", {"size": 3})])
@pytest.mark.parametrize("bad", [-1, 3])
def test_an_index_out_of_range_is_an_error(name, params, bad):
    at = np.array([0, bad, 1])
    here = Location("m", "f", 7)
    graph = build(lambda xp, x: xp.emit(name, x, at, axis=0, **params), (3,), location=here)
    for attempt in (
        lambda: BACKEND.compile(graph)([np.ones(3)]),
        lambda: BACKEND.forward(graph, (0,))([np.ones(3)], [np.ones((1, 3))]),
        lambda: BACKEND.reverse(graph, (0,))([np.ones(3)]),
    ):
        with pytest.raises(IndexError, match=rf"{name}: index {bad} .*size 3.*m\.f:7"):
            attempt()


def test_there_is_no_source():
    with pytest.raises(BackendError, match="generates no source"):
        BACKEND.source(build(lambda xp, x: x, ()))


def test_it_never_looks_at_the_graph_to_graph_derivatives():
    code = """
import sys
import numpy as np
import wengert.ir.autodiff
sys.modules["wengert.ir.autodiff"] = None  # importing it raises
wengert.ir.autodiff.forward.push = wengert.ir.autodiff.transposition.pull = None
from wengert.backends import protocol
from wengert.ir.build import Builder, Namespace
from wengert.ir.types import ArrayType
builder = Builder()
xp = Namespace(builder)
x = xp.wrap(builder.input(ArrayType("float64", (3,))))
graph = builder.graph([(xp.prod(x) + xp.sort(x, 0)).value])
backend = protocol.get("reference")
print(backend.forward(graph, (0,))([np.ones(3)], [np.ones((1, 3))]))
print(backend.reverse(graph, (0,))([np.ones(3)], [np.ones((1, 3))]))
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_mode_has_every_kind():
    assert set(evaluate.CASES) == set(forward.CASES) == set(reverse.CASES)
    with pytest.raises(BackendError, match="does not handle Library"):
        protocol.check_kinds("toy", [k for k in evaluate.CASES if k.__name__ != "Library"])


def test_positions():
    assert offsets((2, 3), (10, 1), 5) == [5, 6, 7, 15, 16, 17]
    assert offsets((), ()) == [0]
    assert groups((2, 3), (0,)) == [[0, 3], [1, 4], [2, 5]]
    assert groups((2, 0), (1,)) == [[], []]
