"""Roots, fixed points, minima and linear systems: derivatives are those of the solution, however it was found."""

import os
import subprocess
import sys

import numpy as np
import pytest
from batches import BACKENDS

import wengert as wg

SOAK = bool(os.environ.get("WENGERT_SOAK"))
A = np.array([[4.0, 1.0, 0.3], [0.5, 3.0, 0.2], [0.1, 0.2, 5.0]])
D = np.array([[0.0, 1.0, 0.3], [0.5, 0.0, 0.2], [0.1, 0.2, 1.0]])
B = np.array([1.0, 2.0, 3.0])
T = np.linspace(0.0, 1.0, 8)


def cubic(a):
    return wg.root(lambda y, a: y**3 + y - a, 1.0, a)


def cosine(a, method="iterate"):
    return wg.fixed_point(lambda y: np.cos(a * y) / 2, 1.0, method=method)


def system(a, method=None):
    return wg.linear_solve(lambda x: A @ x + np.sin(a) * (D @ x), B * a, method=method)


def lowest(a, method="bfgs"):
    return wg.minimize(lambda x, a: np.cosh(x - a) + x * x / 2, 0.0, a, method=method)


def decay(a, method="lm"):
    return wg.least_squares(lambda p: p["c"] * np.exp(-p["k"] * T) - a * np.exp(-a * T), {"c": 1.0, "k": 1.0}, method=method)


def everything(a):
    fit = decay(a)
    return np.concatenate([np.stack([cubic(a), cosine(a), lowest(a), fit["c"], fit["k"]]), system(a, "gmres")])


def few(a):
    return np.concatenate([np.stack([cubic(a)]), system(a, "bicgstab")])


def numeric(f, x, h=1e-3):
    """Differences over five points."""
    return (8 * (f(x + h) - f(x - h)) - (f(x + 2 * h) - f(x - 2 * h))) / (12 * h)


def solved(a):
    return np.linalg.solve(A + np.sin(a) * D, B * a)


# ----- First order, on every backend -----


def slopes(a):
    """By the implicit function theorem, by hand."""
    y, z, x = cubic(a), cosine(a), lowest(a)
    s = np.sin(a * z) / 2
    at = np.stack([1 / (3 * y**2 + 1), -s * z / (1 + a * s), np.cosh(x - a) / (1 + np.cosh(x - a)), 1.0, 1.0])
    return np.concatenate([at, numeric(solved, a)])


@pytest.mark.parametrize("backend", BACKENDS)
def test_forward_and_reverse(backend):
    a, expected = 1.3, slopes(1.3)
    f, kept = (everything, slice(None)) if SOAK or backend == "numpy" else (few, [0, 5, 6, 7])
    with wg.backend(backend):
        np.testing.assert_allclose(f(a)[-3:], solved(a), rtol=1e-9)
        for mode in ("forward", "reverse"):
            np.testing.assert_allclose(wg.jacobian(f, mode=mode)(a), expected[kept], rtol=1e-9)


# ----- Every order -----


def test_derivatives_of_derivatives():
    a = 1.3
    second = wg.jacobian(wg.jacobian(everything, mode="reverse"), mode="forward")(a)
    np.testing.assert_allclose(second, numeric(wg.jacobian(everything), a), rtol=1e-7, atol=1e-8)
    if SOAK:
        np.testing.assert_allclose(second, wg.jacobian(wg.jacobian(everything), mode="reverse")(a), rtol=1e-9, atol=1e-12)


def test_third_order_and_taylor():
    d1, d2 = (lambda y: 1 / (3 * y**2 + 1)), (lambda y: -6 * y / (3 * y**2 + 1) ** 3)
    y = 2.0
    d3 = -6 * d1(y) ** 4 + 108 * y**2 * d1(y) ** 5
    assert wg.grad(wg.grad(cubic))(10.0) == pytest.approx(d2(y), rel=1e-12)
    assert wg.grad(wg.grad(wg.grad(cubic)))(10.0) == pytest.approx(d3, rel=1e-12)
    np.testing.assert_allclose(wg.taylor(cubic, 10.0, order=3), [y, d1(y), d2(y) / 2, d3 / 6], rtol=1e-12)
    a, t = 0.7, 0.1  # the series of a linear system, its matrix moving
    series = wg.taylor(lambda a: system(a, "gmres"), a, order=8)
    np.testing.assert_allclose(np.polynomial.polynomial.polyval(t, series), solved(a + t), rtol=1e-8)


def test_in_all_that_is_read():
    def f(m, b):  # the matrix is closed over, the vector passed
        return np.sum(wg.linear_solve(lambda x, b: m @ x, b, b, method="gmres") ** 2)

    def g(m, b):
        return np.sum(np.linalg.solve(m, b) ** 2)

    for found, expected in zip(wg.grad(f, (0, 1))(A, B), wg.grad(g, (0, 1))(A, B), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-10)
    np.testing.assert_allclose(wg.hvp(f)(A, B, D), wg.hvp(g)(A, B, D), rtol=1e-9)


# ----- Ways to find it -----


@pytest.mark.parametrize("method", ["dense", "gmres", "bicgstab", "cg"])
def test_linear_methods(method):
    symmetric = A @ A.T
    x = wg.linear_solve(lambda x: symmetric @ x, B, method=method)
    np.testing.assert_allclose(symmetric @ x, B, rtol=1e-10)
    slope = wg.grad(lambda s: wg.linear_solve(lambda x: (symmetric * s) @ x, B, method=method)[0])(2.0)
    assert slope == pytest.approx(-x[0] / 4, rel=1e-9)


def test_large_systems_are_never_formed():
    n = 1000
    image = lambda x, d: d * x - np.roll(x, 1) - 0.5 * np.roll(x, -1)
    x = wg.linear_solve(image, np.arange(float(n)), 3.0)
    np.testing.assert_allclose(image(x, 3.0), np.arange(float(n)), atol=1e-8)
    graph = wg.trace(lambda b, d: wg.linear_solve(image, b, d)).graph(np.ones(n), 3.0)
    assert f"{n},{n}" not in str(graph)


@pytest.mark.parametrize("find", [
    lambda a: cosine(a, "anderson"), lambda a: cosine(a, "newton"), lambda a: cosine(a, "iterate"),
    lambda a: wg.root(lambda y, a: np.cos(a * y) / 2 - y, 0.0, a, method="bisect", bracket=(0, 1)),
    lambda a: wg.root(lambda y, a: np.cos(a * y) / 2 - y, 0.0, a, linear="gmres"),
])  # fmt: skip
def test_ways_to_a_fixed_point(find):
    z = 0.4
    for _ in range(200):
        z = np.cos(1.3 * z) / 2
    s = np.sin(1.3 * z) / 2
    value, slope = wg.value_and_grad(find)(1.3)
    assert value == pytest.approx(z, rel=1e-12)
    assert slope == pytest.approx(-s * z / (1 + 1.3 * s), rel=1e-10)


ROSENBROCK = (lambda x, a: (a - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2, wg.minimize)
RESIDUALS = (lambda x, a: np.stack([a - x[0], 10 * (x[1] - x[0] ** 2)]), wg.least_squares)


@pytest.mark.parametrize(("function", "find", "method"), [
    (*ROSENBROCK, "bfgs"), (*ROSENBROCK, "newton"), (*RESIDUALS, "lm"), (*RESIDUALS, "bfgs")])  # fmt: skip
def test_ways_to_a_minimum(function, find, method):
    at = lambda a: find(function, np.array([-1.2, 1.0]), a, method=method)
    np.testing.assert_allclose(at(1.3), [1.3, 1.69], rtol=1e-11)
    np.testing.assert_allclose(wg.jacobian(at)(1.3), [1.0, 2.6], rtol=1e-9)


@pytest.mark.parametrize(("function", "start", "expected"), [
    (lambda x: np.exp(x) - 7 * x, 50.0, np.log(7)),             # a gradient of 1e21 at the start
    (lambda x: 1e-12 * (x - 3) ** 2, 0.0, 3.0),                 # and one of 1e-12
    (lambda x: np.cosh(x - 1) + 1e6, 3.0, 1.0),                 # a value in which the last steps are lost
    (lambda x: (x - 3) ** 2 + 5, 3.0, 3.0),                     # there from the first
    (lambda x: np.sum(np.cosh(x - np.arange(30.0)) + (x - np.arange(30.0)) ** 2), np.zeros(30), np.arange(30.0)),
])  # fmt: skip
def test_minima_are_where_the_gradient_vanishes(function, start, expected):
    np.testing.assert_allclose(wg.minimize(function, start), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("function", "find", "method"), [
    (*ROSENBROCK, "L-BFGS-B"), (*RESIDUALS, "trf"), (lambda x, a: x**3 + x - a**3 - a, wg.root, "hybr"),
])  # fmt: skip
def test_scipys_ways(function, find, method, tmp_path):
    pytest.importorskip("scipy")
    at = lambda a: find(function, np.array([-1.2, 1.0]), a, method=f"scipy:{method}")[0]
    assert at(1.3) == pytest.approx(1.3, rel=1e-11)
    wg.trace(at).graph(1.3).save(tmp_path / "scipy.wg")
    loaded = wg.load(tmp_path / "scipy.wg")
    for g in (loaded, loaded.on("python"), loaded.on("reference")) if SOAK or method == "hybr" else (loaded,):
        assert g(1.5) == pytest.approx(1.5, rel=1e-11)
        assert wg.grad(g)(1.5) == pytest.approx(1.0, rel=1e-9)


# ----- Where there is none -----


@pytest.mark.parametrize("find", [
    lambda: wg.root(lambda y: y * y + 1, 1e8), lambda: wg.root(lambda y: y**3 - 2 * y + 2, 0.0, maxiter=3),
    lambda: wg.minimize(lambda x: x, 3.0, maxiter=20), lambda: wg.minimize(lambda x: np.abs(x - 1) + x / 5, 3.0, maxiter=40),
    lambda: wg.fixed_point(lambda y: 2 * y + 1, 1.0, maxiter=50),
    lambda: wg.linear_solve(lambda x: 3 * x - np.roll(x, 1), np.arange(50.0), method="cg", maxiter=2),
    lambda: wg.root(lambda y: y * y + 1, 1.0, method="bisect", bracket=(0, 1)),
])  # fmt: skip
def test_an_error_outside_a_trace_and_nan_within(find):
    with pytest.raises(wg.ConvergenceError, match=r"test_implicit.py.*found no solution\. .*NaN"):
        find()
    assert np.all(np.isnan(wg.trace(lambda: find())()))


def test_refusals():
    for call, error, words in (
        (lambda: wg.root(lambda y: y, 1.0, method="hybr"), ValueError, "one of 'newton', 'bisect', got 'hybr'"),
        (lambda: wg.root(lambda y: y, 1.0, linear="lu"), ValueError, "one of 'dense'.*got 'lu'"),
        (lambda: wg.root(lambda y: np.sum(y), np.ones(3)), wg.TraceError, "one number for each"),
        (lambda: wg.root(lambda y: y, 1j), wg.TraceError, "complex unknown"),
        (lambda: wg.root(lambda y: y - 1 if y > 0 else y, 1.0), wg.TraceError, "the function of root.*wg.cond"),
        (lambda: wg.minimize(lambda x: x, np.ones(3)), wg.TraceError, "not one real number"),
        (lambda: wg.linear_solve(lambda x: x**2, np.ones(3)), wg.DerivativeError, "not linear"),
    ):  # fmt: skip
        with pytest.raises(error, match=words):
            call()


# ----- What goes in and comes out -----


def test_nests_dtypes_and_starts():
    found = wg.root(lambda y, a: {"u": y["u"] ** 2 - a, "v": y["v"] - y["u"].sum()}, {"u": np.ones(2), "v": 0}, B[:2] ** 2)
    np.testing.assert_allclose(found["u"], B[:2])
    assert found["v"] == pytest.approx(3.0)
    single = wg.root(lambda y, a: y**3 + y - a, np.ones(2, np.float32), np.array([2.0, 10.0], np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, [1, 2], rtol=1e-6)
    np.testing.assert_allclose(wg.root(lambda y: [y[0] + y[1] - 3, y[0] - y[1] - 1], [0.0, 0.0]), [2, 1])
    assert wg.root(lambda y: y, np.zeros(0)).shape == (0,)
    assert wg.grad(lambda y0: wg.root(lambda y: y * y - 2, y0))(1.5) == 0
    assert np.max(np.abs(wg.linear_solve(lambda x: 2 * x + 1, np.ones(3)))) == 0  # of what is affine, the rest too


def test_in_loops_branches_and_lanes():
    each = np.array([2.0, 10.0, 30.0])
    slope = [1 / (3 * y**2 + 1) for y in (1.0, 2.0, 3.0)]
    total, slopes = wg.scan(lambda c, a: (c + cubic(a), wg.grad(cubic)(a)), 0.0, each)
    assert total == pytest.approx(6.0)
    np.testing.assert_allclose(slopes, slope)
    np.testing.assert_allclose(wg.grad(lambda e: wg.scan(lambda c, a: (c + cubic(a), None), 0.0, e)[0])(each), slope)
    np.testing.assert_allclose(wg.vmap(wg.grad(cubic))(each), slope)
    lanes = wg.jacobian(wg.vmap(lambda a: system(a, "gmres")))(each)
    np.testing.assert_allclose(lanes[[0, 1, 2], :, [0, 1, 2]], [numeric(solved, a) for a in each], rtol=1e-8)
    assert np.count_nonzero(lanes) == 9
    chosen = lambda a: wg.cond(a > 0, cubic, lambda a: -a, a)
    assert wg.grad(chosen)(10.0) == pytest.approx(slope[1])
    assert wg.grad(chosen)(-10.0) == -1


def test_a_solution_within_a_solution():
    inner = lambda c: wg.minimize(lambda x: (cubic(x) - c) ** 2, 3.0)  # cubic(x) = c
    value, slope = wg.value_and_grad(inner)(2.0)
    assert value == pytest.approx(10.0)
    assert slope == pytest.approx(13.0)


def test_patterns():
    assert wg.sparsity(lambda a: wg.root(lambda y: y**3 + y - a, np.ones(5)))(np.ones(5)).nnz == 5
    lower = lambda a: wg.linear_solve(lambda x: a * x + np.concatenate([np.zeros(1), x[:-1]]), np.ones(4), method="gmres")
    assert wg.sparsity(lower)(np.ones(4)).nnz == 10  # triangular, as the inverse is


# ----- Files -----


def test_a_file_of_any_size(tmp_path):
    wg.trace(lambda d, b: wg.linear_solve(lambda x: d * x, b, method="cg").sum()).graph(wg.spec("n"), wg.spec("n")).save(tmp_path / "n.wg")
    g = wg.load(tmp_path / "n.wg")
    for n in (1, 5):
        d = np.arange(2.0, 2.0 + n)
        np.testing.assert_allclose(wg.grad(g)(d, d), -1 / d, rtol=1e-9)


CHILD = """
import sys
import numpy as np, wengert as wg
g = wg.load(sys.argv[1])
for backend in ("numpy", "reference"):
    h = g.on(backend)
    assert np.allclose(h(10.0), 2.0), backend
    assert np.allclose(wg.grad(h)(10.0), 1 / 13), backend
    assert np.allclose(wg.grad(wg.grad(h))(10.0), -12 / 13**3), backend
assert np.allclose(wg.vmap(wg.grad(g))(np.array([2.0, 10.0])), [1 / 4, 1 / 13])
"""


def test_a_file_in_another_process(tmp_path):
    path = tmp_path / "root.wg"
    wg.trace(cubic).graph(10.0).save(path)
    run = subprocess.run([sys.executable, "-c", CHILD, str(path)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
