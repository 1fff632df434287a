"""Derivatives of functions of complex numbers: the gradient of u(x + iy) is du/dx - i du/dy."""

import cmath

import numpy as np
import pytest

import wengert as wg
from wengert.backends import protocol

BACKENDS = [name for name, reason in protocol.available().items() if reason is None and name in protocol.BUILT_IN]
Z = np.array([1 + 2j, -0.5 + 0.3j, 2 - 1j])
X = np.array([0.3, 1.2, -0.7])
H = 2.0**-10


def differences(f, z, direction):
    """Five points along a direction, entry by entry; f gives a number."""
    found = np.zeros(z.shape, complex)
    for i in np.ndindex(z.shape):
        for step, weight in ((1, 8), (-1, -8), (2, -1), (-2, 1)):
            moved = z.copy()
            moved[i] += step * H * direction
            found[i] += weight * f(moved) / (12 * H)
    return found


TO_REAL = {
    "abs": lambda z: np.abs(z).sum(),
    "abs squared": lambda z: np.sum(np.abs(z) ** 2 * np.arange(3)),
    "real": lambda z: np.real(z**3).sum(),
    "imag": lambda z: np.sum(np.exp(z).imag * z.real),
    "angle": lambda z: np.sum(np.angle(z) ** 2),
    "sign": lambda z: np.sum(np.sign(z).real),
    "vdot": lambda z: np.vdot(z, z * z).real,
    "norm": lambda z: np.linalg.norm(z),
    "var": lambda z: np.var(z) + np.std(z),
    "matmul": lambda z: np.abs(z @ np.outer(z.conj(), z) @ z),
    "roots": lambda z: np.sum(np.abs(np.sqrt(z) + np.log1p(z) ** 1.5 - 1j / z)),
    "arcs": lambda z: np.sum(np.abs(np.arcsin(z) * np.arctan(z) + np.arccosh(z) / np.arcsinh(z))),
    "through reals": lambda z: np.sum((z.real + 1j * z.imag**2).imag * np.abs(z)),
    "prod": lambda z: np.abs(np.prod(z) + np.cumsum(z)[1]),
    "nanmax": lambda z: np.abs(np.nanmax(z) + np.nanmin(np.where(X > 1, np.nan, z * z))),
    "nanvar": lambda z: np.nanvar(np.where(X > 1, np.nan, z)) + np.nanstd(z),
    "convolve": lambda z: np.sum(np.abs(np.convolve(z, 1j * z[:2]))) + np.sum(np.abs(np.correlate(z, z * z, "full"))),
    "cov": lambda z: np.abs(np.cov(z, z**2)[0, 1]) + np.abs(np.corrcoef(z, z**2)[0, 1]),
    "interp": lambda z: np.sum(np.abs(np.interp([-1.0, 0.2, 1.5, 9.0], [0.0, 1.0, 2.0], z, left=z[1] * z[0]))),
    "sinc": lambda z: np.sum(np.abs(np.sinc(z) + np.sinc(z * 0.1)) ** 2),
    "not of z": lambda z: np.sum(np.isfinite(z) * 1.0),
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", TO_REAL)
def test_grad(name, backend):
    f = TO_REAL[name]
    got = wg.grad(f, backend=backend)(Z)
    expected = differences(f, Z, 1) - 1j * differences(f, Z, 1j)
    np.testing.assert_allclose(got, expected, rtol=1e-8, atol=1e-9)
    assert got.dtype == Z.dtype
    single = wg.grad(f, backend=backend)(Z.astype(np.complex64))
    assert single.dtype == np.complex64
    np.testing.assert_allclose(single, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", TO_REAL)
def test_jvp_and_vjp_are_paired_without_a_conjugate(name, backend):
    f, t = TO_REAL[name], np.array([0.3 - 1j, 2 + 0.5j, -1 - 1j])
    _, pushed = wg.jvp(f, (Z,), (t,), backend=backend)
    _, pullback = wg.vjp(f, Z, backend=backend)
    (g,) = pullback(1.0)
    np.testing.assert_allclose(pushed, np.real(np.sum(g * t)), rtol=1e-12)


@pytest.mark.parametrize("backend", BACKENDS)
def test_real_arguments_through_complex_numbers(backend):
    def f(x):
        return np.sum(np.abs(np.exp(1j * x) + x) ** 2 + np.real(x * (1 - 2j)))

    with wg.backend(backend):
        np.testing.assert_allclose(wg.grad(f)(X), differences(f, X, 1).real, rtol=1e-9)
        expected = np.stack([differences(lambda x, i=i: wg.grad(f)(x)[i], X, 1).real for i in range(3)])
        np.testing.assert_allclose(wg.hessian(f)(X), expected, rtol=1e-7, atol=1e-9)
        assert wg.grad(f)(X.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize("backend", BACKENDS)
def test_second_derivatives(backend):
    """The gradient is no holomorphic function; along a direction it has a derivative."""
    f, t = TO_REAL["roots"], np.array([0.3 - 1j, 2 + 0.5j, -1 - 1j])
    got = wg.hvp(f, backend=backend)(Z, t)
    expected = sum(
        w * wg.grad(f)(Z + s * H * t) / (12 * H) for s, w in ((1, 8), (-1, -8), (2, -1), (-2, 1)))  # fmt: skip
    np.testing.assert_allclose(got, expected, rtol=1e-8)
    with pytest.raises(wg.DerivativeError, match="complex arguments to complex results"):
        wg.hessian(f)(Z)


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_the_jacobian_of_a_holomorphic_function(mode):
    got = wg.jacobian(lambda z: np.exp(z) * z[::-1], holomorphic=True, mode=mode)(Z)
    np.testing.assert_allclose(got, np.diag(np.exp(Z) * Z[::-1]) + np.diag(np.exp(Z))[:, ::-1], rtol=1e-13)
    nested = wg.trace(lambda z: wg.jacobian(np.sin, holomorphic=True, mode=mode)(z))(Z)
    np.testing.assert_allclose(nested, np.diag(np.cos(Z)))
    second = wg.jacobian(wg.jacobian(np.sin, holomorphic=True), holomorphic=True, mode=mode)(1 + 2j)
    np.testing.assert_allclose(second, -cmath.sin(1 + 2j))


def test_the_jacobian_where_one_side_is_real():
    np.testing.assert_allclose(wg.jacobian(np.abs)(Z), np.diag(Z.conj() / abs(Z)))
    np.testing.assert_allclose(wg.jacobian(lambda x: np.exp(1j * x))(X), np.diag(1j * np.exp(1j * X)))
    assert wg.jacobian(lambda x: x * 1j)(X.astype(np.float32)).dtype == np.complex64
    np.testing.assert_allclose(wg.trace(lambda z: wg.jacobian(np.abs)(z))(Z), np.diag(Z.conj() / abs(Z)))


REFUSED = {
    "C to C": (lambda z: wg.grad(lambda z: z.sum())(z), "complex result.*holomorphic=True.*wg.jvp or wg.vjp"),
    "R to C": (lambda z: wg.grad(lambda x: x * 1j)(1.0), "complex result"),
    "within": (lambda z: wg.trace(wg.grad(lambda z: z.sum()))(z), "complex result"),
    "jacobian": (lambda z: wg.jacobian(np.sin)(z), "two complex numbers per entry.*holomorphic=True"),
    "forward": (lambda z: wg.jacobian(np.abs, mode="forward")(z), "complex arguments, is taken in reverse mode only"),
    "reverse": (lambda z: wg.jacobian(lambda x: x * 1j, mode="reverse")(X), "complex results, is taken in forward mode"),
    "conj": (lambda z: wg.jacobian(lambda z: z * z.conj(), holomorphic=True)(z), r"uses conjugate.*test_complex\.py|uses conj"),
    "parts": (lambda z: wg.jacobian(lambda z: z.real + 1j * z.imag, holomorphic=True)(z), "not built from holomorphic"),
    "reals": (lambda z: wg.jacobian(np.sin, holomorphic=True)(X), "for complex arguments and complex results"),
    "explain": (lambda z: wg.explain(np.abs)(z[0]), "complex"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_derivative_is_refused_in_words(name):
    call, words = REFUSED[name]
    with pytest.raises(wg.DerivativeError, match=words):
        call(Z)


def test_a_condition_does_not_make_a_function_less_holomorphic():
    f = wg.jacobian(lambda z: np.where(np.abs(z) > 1, z * z, z) + np.angle(1j), holomorphic=True)
    np.testing.assert_allclose(f(Z), np.diag(np.where(abs(Z) > 1, 2 * Z, 1)))


def test_tangents_fit():
    with pytest.raises(TypeError, match="must have type f64"):
        wg.jvp(np.sin, (X,), (X * 1j,))
    np.testing.assert_allclose(wg.jvp(np.conj, (Z,), (X,))[1], X)
    np.testing.assert_allclose(wg.linearize(np.sin, Z)[1](Z), np.cos(Z) * Z)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_file_and_its_derivatives(backend, tmp_path):
    path = tmp_path / "f.wg"
    wg.trace(TO_REAL["imag"]).graph(Z).save(path)
    again = wg.load(path)
    with wg.backend(backend):
        np.testing.assert_allclose(again(Z), TO_REAL["imag"](Z), rtol=1e-14)
        np.testing.assert_allclose(wg.grad(again)(Z), wg.grad(TO_REAL["imag"])(Z), rtol=1e-13)


@pytest.mark.parametrize(("write", "words"), [
    (lambda z: z.real.__setitem__(0, 1.0), None),
    (lambda z: setattr(z, "real", 1.0), "the attribute real of a traced array is set"),
    (lambda z: (z.imag, z.__setitem__(0, 1.0)), None),
])  # fmt: skip
def test_parts_are_views(write, words):
    """A write through one, or beneath one that is still in use, is refused: it would go unseen."""

    def f(z):
        z = z * 1
        kept = z.real, z.imag
        write(z)
        return z + kept[0] + kept[1]

    with pytest.raises(wg.TraceError, match=words or "real or imaginary part"):
        wg.trace(f)(Z)


# ----- Branch cuts: values and derivatives are those of one side -----

CUTS = {  # a function, points on its cut, and the direction along the cut
    np.sqrt: (-2.0, 1), np.log: (-2.0, 1), np.log2: (-3.0, 1), np.log10: (-0.5, 1), np.log1p: (-2.5, 1),
    np.arcsin: (2.0, 1), np.arccos: (-2.0, 1), np.arccosh: (-0.5, 1), np.arctanh: (3.0, 1),
    np.arctan: (2j, 1j), np.arcsinh: (-3j, 1j),
}  # fmt: skip


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("f", CUTS, ids=lambda f: f.__name__)
def test_on_a_cut(f, backend):
    """Along the cut the function is smooth on either side, which the sign of a zero tells."""
    at, along = CUTS[f]
    for zero in (0.0, -0.0):
        def point(s, zero=zero):
            return complex(at.real + s, zero) if along == 1 else complex(zero, at.imag + s)

        values = [complex(f(np.complex128(point(s * H)))) for s in (1, -1, 2, -2)]
        slope = sum(w * v for w, v in zip((8, -8, -1, 1), values, strict=True)) / (12 * H) / along
        got = wg.jacobian(f, holomorphic=True, backend=backend)(np.complex128(point(0.0)))
        np.testing.assert_allclose(got, slope, rtol=1e-8)
        value = wg.trace(f).graph(np.complex128(point(0.0))).on(backend)(np.complex128(point(0.0)))
        np.testing.assert_allclose(value, f(np.complex128(point(0.0))), rtol=1e-14)


# ----- Hard points -----


@pytest.mark.parametrize("backend", BACKENDS)
def test_hard_points(backend):
    def grad(f, z):
        return wg.grad(f, backend=backend)(z)

    assert grad(np.abs, 0j) == 0
    np.testing.assert_allclose(grad(np.abs, 3 + 4j), 0.6 - 0.8j)
    assert grad(lambda z: np.real(z**2), 1 + 2j) == 2 + 4j
    assert grad(lambda z: np.real(np.conj(z)), 1 + 2j) == 1
    assert grad(lambda z: np.where(z == 0, 0.0, np.real(np.log(np.where(z == 0, 1, z)))), 0j) == 0
    with np.errstate(all="ignore"):
        for f in (np.sqrt, np.log, np.reciprocal):  # infinite, in no direction
            assert not np.isfinite(wg.jacobian(f, holomorphic=True, backend=backend)(0j))
    for z in (800 + 1j, -800 - 1j):
        np.testing.assert_allclose(wg.jacobian(np.tanh, holomorphic=True, backend=backend)(z), 0, atol=1e-300)
    np.testing.assert_allclose(wg.jacobian(np.arctan, holomorphic=True, backend=backend)(1e200 + 1e200j), 0, atol=1e-300)
    z = 1e200 - 3e200j
    np.testing.assert_allclose(wg.jacobian(np.arcsin, holomorphic=True, backend=backend)(z), -1j / z, rtol=1e-13)
    z = 0.3 + 25j
    np.testing.assert_allclose(wg.jacobian(np.tanh, holomorphic=True, backend=backend)(z), 1 / np.cosh(z) ** 2, rtol=1e-13)
    for f, z, turned in ((np.tanh, 25 - 0.5j, 50 - 1j), (np.tanh, -25 - 0.5j, 50 + 1j), (np.tan, 0.5 + 25j, 50 - 1j)):
        far = wg.jacobian(f, holomorphic=True, backend=backend)(z)
        np.testing.assert_allclose(far, 4 * cmath.exp(-turned), rtol=1e-13)
