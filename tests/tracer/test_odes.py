"""wg.solve_ivp: derivatives of the steps, and of the trajectory, against solutions that are known."""

import os

import numpy as np
import pytest
from batches import BACKENDS

import wengert as wg

SOAK = bool(os.environ.get("WENGERT_SOAK"))
ADJOINTS = ("discrete", "continuous")
EXACT = {"rtol": 1e-10, "atol": 1e-12}


def falls(a, end=1.0, **how):
    """y' = -a y**2 from 1: 1 / (1 + a t)."""
    return wg.solve_ivp(lambda t, y: -a * y**2, (0.0, end), 1.0, **{"rtol": 1e-9, **how}).y[-1]


def swings(a, start, times, **how):
    return wg.solve_ivp(lambda t, y, a: [y[1], -a * a * y[0]], (times[0], times[-1]), start, t_eval=times, args=(a,), **EXACT, **how).y[0]


def swung(a, start, times):
    s = a * (times - times[0])
    return start[0] * np.cos(s) + start[1] / a * np.sin(s)


@pytest.mark.parametrize("adjoint", ADJOINTS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_both_modes(backend, adjoint):
    f = lambda a: falls(a, method="RK23", adjoint=adjoint, rtol=1e-5 if backend == "reference" else 1e-7)
    with wg.backend(backend):
        assert f(0.5) == pytest.approx(1 / 1.5, rel=1e-5)
        if SOAK or backend != "c" or adjoint == "discrete":
            assert wg.jvp(f, (0.5,), (1.0,))[1] == pytest.approx(-1 / 1.5**2, rel=1e-4)
        if SOAK or backend != "c" or adjoint == "continuous":
            assert wg.grad(f)(0.5) == pytest.approx(-1 / 1.5**2, rel=1e-4)


@pytest.mark.parametrize("adjoint", ADJOINTS)
def test_in_everything(adjoint):
    point = 1.3, np.array([0.7, -0.4]), np.array([0.2, 0.9, 1.0, 2.1])
    expected = wg.jacobian(swung, (0, 1, 2))(*point)
    for mode in ("forward", "reverse"):
        found = wg.jacobian(lambda *x: swings(*x, adjoint=adjoint), (0, 1, 2), mode=mode)(*point)
        for x, y in zip(found, expected, strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("adjoint", ADJOINTS)
def test_every_order(adjoint):
    f = lambda a: falls(a, adjoint=adjoint, **EXACT)
    assert wg.grad(wg.grad(f))(0.3) == pytest.approx(2 / 1.3**3, rel=1e-7)
    if adjoint == "continuous" and not SOAK:
        return
    assert wg.jvp(wg.grad(f), (0.3,), (1.0,))[1] == pytest.approx(2 / 1.3**3, rel=1e-7)
    np.testing.assert_allclose(wg.taylor(f, 0.3, order=3), [(-1) ** k / 1.3 ** (k + 1) for k in range(4)], rtol=1e-6)
    np.testing.assert_allclose(wg.vmap(wg.grad(f))(np.array([0.3, 1.0])), [-1 / 1.3**2, -1 / 4], rtol=1e-8)


def test_discrete_derivatives_are_those_of_the_numbers():
    f = lambda a: falls(a, method="RK4", steps=3)
    h = 1e-3
    numeric = (8 * (f(0.5 + h) - f(0.5 - h)) - (f(0.5 + 2 * h) - f(0.5 - 2 * h))) / (12 * h)
    assert wg.grad(f)(0.5) == pytest.approx(numeric, rel=1e-11)
    assert abs(wg.grad(f)(0.5) + 1 / 1.5**2) > 1e-6  # not of the trajectory


def test_continuous_reverse_mode_keeps_no_steps():
    discrete, f = (lambda a, adjoint=adjoint: falls(a, 20.0, adjoint=adjoint, **EXACT) for adjoint in ADJOINTS)
    assert "checkpoint" in str(wg.vjp(wg.trace(lambda a: discrete(a)).graph(0.5)))  # the loop, run again
    assert "checkpoint" not in str(wg.vjp(wg.trace(lambda a: f(a)).graph(0.5)))
    assert wg.grad(f)(0.5) == pytest.approx(-20 / 11**2, rel=1e-7)


def test_stiff():
    f = lambda k: wg.solve_ivp(lambda t, y, k: -k * (y - np.cos(t)), (0.0, 1.0), 1.0, "ODE23s", args=(k,)).y[-1]
    exact = lambda k: (k * k * np.cos(1.0) + k * np.sin(1.0)) / (1 + k * k)
    value, slope = wg.value_and_grad(f)(1e6)
    assert value == pytest.approx(exact(1e6), rel=1e-6)
    assert wg.grad(f)(1e3) == pytest.approx(wg.grad(exact)(1e3), rel=1e-3)
    assert abs(slope) < 1e-11


def test_nests_directions_and_times():
    found = wg.solve_ivp(lambda t, y, k: {"x": y["v"], "v": -k * y["x"]}, (0, 1), {"x": 1.0, "v": np.float32(0)}, args=(4.0,))
    assert found.t.tolist() == [0, 1]
    np.testing.assert_allclose(found.y["x"], [1, np.cos(2.0)], rtol=1e-5)
    assert found.y["v"].dtype == np.float32
    back = wg.solve_ivp(lambda t, y: y, (1, 0), np.ones((2, 3)), t_eval=[1, 0.5, 0], **EXACT).y
    np.testing.assert_allclose(back, np.ones((2, 3, 1)) * np.exp([0, -0.5, -1]), rtol=1e-9)


def test_as_scipy():
    integrate = pytest.importorskip("scipy.integrate")
    field = lambda t, y: [y[1], (1 - y[0] ** 2) * y[1] - y[0]]
    times = np.linspace(0, 5, 7)
    expected = integrate.solve_ivp(field, (0, 5), [2.0, 0.0], "DOP853", times, rtol=1e-12, atol=1e-12)
    found = wg.solve_ivp(field, (0, 5), [2.0, 0.0], "RK45", times, **EXACT)
    np.testing.assert_allclose(found.y, expected.y, rtol=1e-7, atol=1e-8)


def test_scipys_steps():
    pytest.importorskip("scipy")
    f = lambda a: falls(a, 2.0, method="scipy:LSODA", adjoint="continuous", **EXACT)
    assert f(0.5) == pytest.approx(1 / 2, rel=1e-7)
    assert wg.grad(f)(0.5) == pytest.approx(-2 / 4, rel=1e-7)
    assert wg.jvp(f, (0.5,), (1.0,))[1] == pytest.approx(-2 / 4, rel=1e-7)
    with pytest.raises(ValueError, match="SciPy's own.*adjoint='continuous'"):
        falls(0.5, method="scipy:BDF")


def test_refusals():
    rising = lambda t, y: y
    for call, error, words in (
        (lambda: wg.solve_ivp(rising, (0, 1, 2), 1.0), ValueError, "t_span is a pair"),
        (lambda: wg.solve_ivp(rising, (0, 1), 1.0, t_eval=[0.5, 0.2]), ValueError, "in that order"),
        (lambda: wg.solve_ivp(rising, (0, 1), 1.0, t_eval=[0.5, 2]), ValueError, "from 0 to 1"),
        (lambda: wg.solve_ivp(rising, (0, 1), 1.0, "BDF"), ValueError, "'ODE23s'.*got 'BDF'"),
        (lambda: wg.solve_ivp(rising, (0, 1), 1.0, adjoint="both"), ValueError, "'continuous', got 'both'"),
        (lambda: wg.solve_ivp(lambda t, y: y**2, (0, 2), 1.0), wg.ConvergenceError, "too small to matter"),
        (lambda: wg.solve_ivp(lambda t, y: np.sin(1e4 * t), (0, 9), 1.0, max_steps=50), wg.ConvergenceError, "max_steps"),
        (lambda: wg.solve_ivp(lambda t, y: y * np.ones(2), (0, 1), 1.0), wg.TraceError, "one number for each"),
    ):  # fmt: skip
        with pytest.raises(error, match=words):
            call()
    assert np.all(np.isnan(wg.trace(lambda: wg.solve_ivp(lambda t, y: y**2, (0, 2), 1.0).y)()))
