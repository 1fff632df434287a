"""wg.taylor and wg.jet: what they give, of what, and at which cost."""

import math
import os

import mpmath
import numpy as np
import pytest
from batches import BACKENDS
from hypothesis import given, settings
from strategies import programs

import wengert as wg
from wengert.backends import protocol
from wengert.ir import autodiff
from wengert.ir.types import is_inexact

SOAK = bool(os.environ.get("WENGERT_SOAK"))
X = np.array([0.3, 1.2, 2.1])


def wave(x):
    return np.sum(np.sin(x) * x[::-1])


# ----- Against mpmath -----


def composite(s, of):
    return of.exp(of.sin(s)) * of.sqrt(1 + s * s) / of.cosh(s) + s**2.5 * of.log(1 + s) ** 3 - of.tan(s) ** -1.5


@pytest.mark.parametrize("backend", BACKENDS)
def test_order_twenty_is_mpmaths(backend):
    order = 20 if backend != "c" or SOAK else 9  # so long a straight line takes a compiler seconds
    got = wg.taylor(lambda s: composite(s, np), 0.7, order, backend=backend)
    with mpmath.workdps(50):
        want = np.array([float(c) for c in mpmath.taylor(lambda s: composite(s, mpmath.mp), mpmath.mpf(0.7), order)])
    np.testing.assert_allclose(got, want, rtol=1e-11)


def test_order_eighty():
    got = wg.taylor(lambda s: np.exp(-s) / (1 - s), 0.0, 80)
    np.testing.assert_allclose(got, np.cumsum([(-1) ** k / math.factorial(k) for k in range(81)]), rtol=1e-12)


def test_bessel_functions_of_many_orders():
    special = pytest.importorskip("scipy.special")
    got = wg.taylor(lambda s: special.jv(0.5, s) + special.gammaln(s), 1.5, 7)
    with mpmath.workdps(50):
        want = [float(c) for c in mpmath.taylor(lambda s: mpmath.besselj(0.5, s) + mpmath.loggamma(s), mpmath.mpf(1.5), 7)]
    np.testing.assert_allclose(got, want, rtol=1e-9)


# ----- Cost -----


def nodes(order, f=lambda s: np.exp(np.sin(s)) / np.cosh(s)):
    return len(autodiff.taylor(wg.trace(f).graph(0.3).graph, (0,), order, 1).nodes)


def test_cost_grows_with_the_square_of_the_order():
    counts = [nodes(order) for order in (5, 10, 20)]
    assert counts[2] < 4.2 * counts[1] < 4.2 * 4.2 * counts[0] < 4.2 * 4.2 * 150


def test_a_long_program_is_no_deep_recursion():
    def unrolled(s):
        for _ in range(500):
            s = np.sin(s) + 0.5 * s
        return s

    assert np.isfinite(wg.taylor(unrolled, 0.1, 2)).all()


# ----- Arguments and results -----


def test_directions():
    np.testing.assert_allclose(wg.taylor(wave, X, 2)[2], wg.hessian(wave)(X).sum() / 2)
    v = np.array([1.0, -2.0, 0.5])
    c = wg.taylor(wave, X, 3, direction=v)
    np.testing.assert_allclose(c[:3], [wave(X), wg.grad(wave)(X) @ v, v @ wg.hessian(wave)(X) @ v / 2])


def test_nested_arguments_and_results():
    def f(p):
        return {"product": p["u"] * p["v"][0], "position": np.argmax(p["v"][0]), "pair": (p["u"], 1.0)}

    c = wg.taylor(f, {"u": 2.0, "v": [X]}, 2, direction={"u": 1.0, "v": [X]})
    np.testing.assert_allclose(c["product"], [2 * X, 3 * X, X])
    assert c["position"].tolist() == [2, 0, 0]
    assert c["position"].dtype == np.int64
    assert [x.tolist() for x in c["pair"]] == [[2, 1, 0], [1, 0, 0]]


def test_an_int_is_a_real_number():
    assert wg.taylor(lambda s: s**3, 2, 4).tolist() == [8, 12, 6, 1, 0]


def test_order_zero_is_the_value():
    assert wg.taylor(np.sin, 0.5, 0).tolist() == [math.sin(0.5)]


@pytest.mark.parametrize("dtype", [np.float32, np.complex64, np.complex128])
def test_dtypes_stay(dtype):
    x = np.array([0.5, 0.25], dtype) * (1 + 0.5j if np.dtype(dtype).kind == "c" else 1)
    c = wg.taylor(lambda x: np.exp(x) / (1 + x * x), x, 3)
    assert (c.dtype, c.shape) == (dtype, (4, 2))
    t = 1e-2
    np.testing.assert_allclose(np.polyval(c[::-1].astype(complex), t), np.exp(x + t) / (1 + (x + t) ** 2), rtol=1e-6)


def test_a_complex_function_that_is_not_holomorphic():
    z, d = np.array([1 + 2j]), np.array([0.5 - 1j])
    c = wg.taylor(lambda z: np.abs(z) ** 2, z, 3, direction=d)
    np.testing.assert_allclose(c[:, 0], [5, 2 * (z[0] * np.conj(d[0])).real, abs(d[0]) ** 2, 0], atol=1e-12)


def test_jet_takes_coefficients_not_derivatives():
    value, (first, second) = wg.jet(lambda a, b: a * b, (2.0, 3.0), ([1.0, 5.0], [0.5, 0.0]))
    assert (value, first, second) == (6.0, 2 * 0.5 + 1 * 3, 5 * 3 + 1 * 0.5)


def test_jet_of_a_curve_is_the_curve_of_the_values():
    x = wg.taylor(np.cos, 0.4, 6)
    _, found = wg.jet(np.exp, (x[0],), (x[1:],))
    np.testing.assert_allclose(found, wg.taylor(lambda s: np.exp(np.cos(s)), 0.4, 6)[1:])


def test_jet_leaves_out_what_does_not_move():
    value, ((first, position),) = wg.jet(lambda a, n: (a**n, n), (X, 2), ([np.ones(3)], None))
    np.testing.assert_allclose(value[0], X**2)
    np.testing.assert_allclose(first, 2 * X)
    assert position is None


@pytest.mark.parametrize(
    ("call", "error", "says"),
    [
        (lambda: wg.taylor(np.sin, 0.5, -1), ValueError, "0 or more; got -1"),
        (lambda: wg.taylor(wave, X, 2, direction=np.ones(2)), TypeError, "direction of x must have type"),
        (lambda: wg.taylor(wave, X, 2, direction=(X,)), TypeError, "direction must be nested like"),
        (lambda: wg.taylor(np.sum, np.arange(3), 2), wg.DerivativeError, "floating-point"),
        (lambda: wg.jet(wave, (X,), ([X], [X])), ValueError, "as many series as primals"),
        (lambda: wg.jet(np.add, (X, X), ([X], [X, X])), ValueError, "as many coefficients"),
    ],
)
def test_what_does_not_fit(call, error, says):
    with pytest.raises(error, match=says):
        call()


# ----- In company -----


def test_within_other_derivatives():
    second = lambda x: wg.taylor(wave, x, 2)[2]
    np.testing.assert_allclose(wg.grad(second)(X), wg.jacobian(lambda x: wg.hessian(wave)(x).sum() / 2)(X))
    np.testing.assert_allclose(
        wg.taylor(lambda d: wg.taylor(np.sin, 0.5, 2, direction=d), 1.0, 1)[1], [0, np.cos(0.5), -np.sin(0.5)])
    np.testing.assert_allclose(
        wg.taylor(lambda s: wg.grad(lambda u: np.exp(2 * u))(s), 0.0, 3), [2, 4, 4, 8 / 3])


@pytest.mark.parametrize("f", [wave, lambda x: wg.scan(lambda c, v: (np.sin(c) * v + c, c), x[0], x)[0]])
def test_many_at_once(f):
    xs = np.stack([X, 2 * X, -X])
    each = np.stack([wg.taylor(f, x, 4) for x in xs])
    np.testing.assert_allclose(wg.vmap(lambda x: wg.taylor(f, x, 4))(xs), each, rtol=1e-13)
    np.testing.assert_allclose(wg.taylor(wg.vmap(f), xs, 4).T, each, rtol=1e-13)


def test_saved(tmp_path):
    path = tmp_path / "series.wg"
    wg.trace(lambda x: wg.taylor(lambda y: np.exp(np.sin(y)), x, 5)).graph(0.3).save(path)
    g = wg.load(path)
    want = wg.taylor(lambda y: np.exp(np.sin(y)), 0.3, 6)
    np.testing.assert_allclose(g(0.3), want[:6])
    np.testing.assert_allclose(wg.jacobian(g)(0.3), np.arange(1, 7) * want[1:], rtol=1e-12)
    wg.trace(wave).graph(X).save(path)
    np.testing.assert_allclose(wg.taylor(wg.load(path), X, 4), wg.taylor(wave, X, 4))


def test_sizes_with_names():
    f = lambda x: np.sum(np.exp(np.sin(x)) * x)
    inside = wg.trace(lambda x: wg.taylor(f, x, 4)).graph(wg.spec(("n",)))
    outside = wg.trace(f).graph(wg.spec(("n",)))
    for n in (1, 4):
        x = np.linspace(0.1, 1.0, n)
        want = wg.taylor(f, x, 4)
        np.testing.assert_allclose(inside(x), want, rtol=1e-13)
        np.testing.assert_allclose(wg.taylor(outside, x, 4), want, rtol=1e-13)


def test_guards_hold():
    f = wg.trace(lambda x: np.sin(x) if x < 1 else 2 * x)
    g = f.graph(0.5)
    assert wg.taylor(f, 2.0, 2).tolist() == [4, 2, 0]
    with pytest.raises(wg.GuardError):
        wg.taylor(g, 2.0, 2)


def test_the_value_is_that_of_the_function():
    f = lambda x: (x + 1.0) - 1.0
    assert wg.taylor(f, 1e-20, 2).tolist() == [f(1e-20), 1, 0]


# ----- Conventions -----


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("f", "x", "want"),
    [
        (np.abs, 0.0, [0, 0, 0, 0]),
        (lambda x: np.maximum(x, 0), 0.0, [0, 0.5, 0, 0]),
        (lambda x: np.where(x > 0, np.log(x), 0.0), 0.0, [0, 0, 0, 0]),
        (lambda x: x**2, 0.0, [0, 0, 1, 0]),
        (lambda x: x**0, 0.0, [1, 0, 0, 0]),
        (lambda x: x**3.5, 0.0, [0, 0, 0, 0]),
        (lambda x: np.sqrt(x * 0.0), 0.0, [0, 0, 0, 0]),
        (lambda x: x**-1.5, 1.0, [1, -1.5, 1.875, -2.1875]),
        (lambda x: np.floor(x) + np.sign(x), 0.5, [1, 0, 0, 0]),
        (lambda x: np.prod(np.array([x, x, 2.0])), 0.0, [0, 0, 2, 0]),
        (lambda x: np.sort(np.array([x, 3 - x]))[0], 2.0, [1, -1, 0, 0]),
        (lambda x: np.cumprod(np.array([x, x, x]))[2], 0.0, [0, 0, 0, 1]),
    ],
)
def test_kinks(f, x, want, backend):
    assert wg.taylor(f, x, 3, backend=backend).tolist() == want


def test_what_grows_without_bound_says_so():
    c = wg.taylor(lambda x: x**1.5, 0.0, 3)
    assert c[:2].tolist() == [0, 0]
    assert not np.isfinite(c[2:]).any()
    assert not np.isfinite(wg.taylor(lambda x: (x * x) ** 2.5, 0.0, 5)[5])


@pytest.mark.parametrize("n", [1, 3])
def test_matrices(n):
    rng = np.random.default_rng(n)
    a, b = rng.standard_normal((2, n, n)) + 2 * np.eye(n)

    def f(t):
        m = a + t * b + t * t * np.eye(n)
        return np.linalg.det(m), np.linalg.solve(m, b), np.linalg.inv(m)

    det, solution, inverse = wg.taylor(f, 0.0, 6)
    circle = np.exp(2j * np.pi * np.arange(9) / 9)  # a polynomial of degree 6 at most, from its values there
    exact = np.fft.fft([np.linalg.det(a + t * b + t * t * np.eye(n)) for t in circle]).real / 9
    np.testing.assert_allclose(det, exact[:7], rtol=1e-9, atol=1e-10)
    t = 1e-3
    values = (np.linalg.solve(a + t * b + t * t * np.eye(n), b), np.linalg.inv(a + t * b + t * t * np.eye(n)))
    for c, value in zip((solution, inverse), values, strict=True):
        np.testing.assert_allclose(sum(x * t**k for k, x in enumerate(c)), value, rtol=1e-10)


def test_matrix_exponential():
    linalg = pytest.importorskip("scipy.linalg")
    a, b = np.array([[0.1, 1.0], [-0.5, 0.2]]), np.array([[0.0, 0.3], [1.0, -0.2]])
    c = wg.taylor(lambda t: linalg.expm(a + t * b), 0.0, 10)
    np.testing.assert_allclose(sum(x * 0.5**k for k, x in enumerate(c)), linalg.expm(a + 0.5 * b), atol=1e-10)


# ----- Random programs -----


@settings(max_examples=2000 if SOAK else 25)
@given(programs(max_nodes=12))
def test_random_programs_agree_with_nesting(program):
    graph, active, order = program.graph, program.active, 2
    t = [np.ones(graph.inputs[i].type.shape, graph.inputs[i].type.dtype) for i in active]
    run = protocol.get("numpy").compile
    n, moving = len(graph.outputs), [v for v in graph.outputs if is_inexact(v.type.dtype)]
    found = run(autodiff.taylor(graph, active, order, 1))([*program.arguments, *t])[n:]
    for k in range(1, order + 1):
        graph = autodiff.jvp(graph, active)
        graph = graph.evolve(outputs=graph.outputs[-len(moving) :])
        nested = run(graph)([*program.arguments, *t * k])
        for i, y in enumerate(nested):
            x, y = found[i * order + k - 1], y / math.factorial(k)
            with np.errstate(all="ignore"):
                tolerance = np.sqrt(np.finfo(y.dtype).eps) * (1e-2 + np.abs(y[np.isfinite(y)]).max(initial=0))
                assert ((abs(x - y) <= tolerance) | ~np.isfinite(y)).all(), (k, x, y)


# ----- Branches and loops -----


def nested(f, x, order):
    """The coefficients along ones, by derivatives of derivatives."""

    def along(g):
        return lambda x: wg.jvp(g, (x,), (np.ones_like(x),))[1]

    found = []
    for k in range(order + 1):
        found.append(np.asarray(f(x)) / math.factorial(k))
        f = along(f)
    return np.stack(found)


INNER = wg.trace(lambda y: np.sin(y) * y).graph(X)


def steps(x):
    return wg.while_loop(lambda s: s < 100.0, lambda s: s * (2.0 + x[0]) + np.sin(x[1]) * 0.1, x[2])


def running(x):
    return wg.scan(lambda c, v: (np.sin(c) * 0.5 + v * x[1], c * v + np.exp(x[2])), 0.1, x)[1]


@pytest.mark.parametrize(
    "f",
    [
        running,
        lambda x: wg.scan(lambda c, v: (c + 1, c * v), 0.0, x)[1],
        steps,
        lambda x: wg.cond(x[0] < 1, np.sin, np.cos, x * x),
        lambda x: wg.switch(1, [np.sin, lambda y: y * 0.0 + 1, np.exp], x),
        lambda x: wg.scan(lambda c, v: (wg.cond(v > 0.5, lambda a: np.exp(-a) * v, lambda a: a * a, c), c), x[0], x)[1],
        lambda x: INNER(INNER(x) * x),
        wg.grad(steps),
        wg.grad(lambda x: running(x).sum()),
    ],
)
def test_branches_and_loops_stay_what_they_are(f):
    np.testing.assert_allclose(wg.taylor(f, X, 3), nested(f, X, 3), rtol=1e-12, atol=1e-14)


def test_size_is_independent_of_the_trip_count():
    counts = {n: len(autodiff.taylor(wg.trace(running).graph(np.ones(n)).graph, (0,), 6, 1).nodes) for n in (3, 300)}
    assert counts[3] == counts[300]


def test_a_rule_of_ones_own_is_kept():
    """y' = 2 exp(x) x', whatever y is; also where it is stated backwards."""
    forwards = wg.custom(jvp=lambda primals, tangents: (np.exp(primals[0]), 2 * np.exp(primals[0]) * tangents[0]))(np.exp)
    np.testing.assert_allclose(wg.taylor(lambda s: forwards(s), 0.0, 3), [1, 2, 1, 1 / 3])
    np.testing.assert_allclose(wg.taylor(wg.grad(lambda s: forwards(s)), 0.0, 2), [2, 2, 1])
    outside = wg.primitive(np.exp, name="series.exp", vjp=lambda primals, value, g: (np.exp(primals[0]) * g,))
    np.testing.assert_allclose(wg.taylor(lambda s: outside(np.sin(s)), 0.5, 4), wg.taylor(lambda s: np.exp(np.sin(s)), 0.5, 4))
    np.testing.assert_allclose(wg.taylor(lambda a: wg.root(lambda y, a: y**3 + y - a, 1.0, a), 2.0, 3), [1, 1 / 4, -3 / 64, 7 / 512])
    np.testing.assert_allclose(wg.taylor(wg.checkpoint(lambda s: np.exp(2 * s)), 0.0, 3), [1, 2, 2, 4 / 3])
