"""Cross, kron, vander, convolutions, polynomials, sinc and i0: derivatives, and orders above the first at 0."""

import math

import mpmath
import numpy as np
import pytest
from batches import BACKENDS
from numpy_alike import alike
from numpy_derivatives import Chapter

import wengert as wg
from wengert.tracer.array import Array
from wengert.tracer.numpy_api import FUNCTIONS

X = np.array([[2.0, -1.0, 0.5], [0.25, 4.0, -2.0]])
A, B = np.array([1.5, -0.5, 2.0, 0.75, -1.0]), np.array([0.5, 2.0, -1.25])
ROOTS = np.array([0.5, -1.0, 2.0])

CHAPTER = Chapter({
    "cross": (np.cross, X, X[::-1] + 1), "cross, one": (lambda x, y: np.cross(x, y, axisc=0), X, B), "cross, axis": (lambda x, y: np.cross(x, y, axis=0), X.T, X.T**2),
    "kron": (np.kron, X, A), "kron, grids": (np.kron, X, X.T), "kron, number": (np.kron, 1.5, A), "vander": (np.vander, A), "vander, increasing": (lambda x: np.vander(x, 4, increasing=True), A),
    **{f"convolve {m}": (lambda a, b, m=m: np.convolve(a, b, m), A, B) for m in ("full", "same", "valid")},
    **{f"convolve {m}, longer": (lambda a, b, m=m: np.convolve(a, b, m), B, A) for m in ("full", "same", "valid")},
    **{f"correlate {m}": (lambda a, b, m=m: np.correlate(a, b, m), A, B) for m in ("full", "same", "valid")},
    **{f"correlate {m}, longer": (lambda a, b, m=m: np.correlate(a, b, m), B, A) for m in ("full", "same", "valid")},
    "polyval": (np.polyval, B, X), "polyval, plain": (lambda x: np.polyval([1.0, -2.0, 0.5], x), 0.3), "poly1d": (lambda x: np.poly1d([1.0, -2.0, 0.5])(x), X),
    "polyadd": (np.polyadd, A, B), "polysub": (np.polysub, B, A), "polymul": (np.polymul, A, B), "polydiv": (np.polydiv, A, B), "polyder": (lambda c: np.polyder(c, 2), A), "polyint": (lambda c: np.polyint(c, 2, [1.0, 2.0]), A),
    **{f.__name__: (f, *points, [[1.0, -2.0, 0.5], [0.25, 1.0, -1.0]]) for f, points in (
        (np.polynomial.polynomial.polyval2d, (X, X + 1)), (np.polynomial.polynomial.polygrid2d, (B, A))) if type(f) is type(np.polyval)},
    "poly": (np.poly, ROOTS),
    "sinc": (np.sinc, [0.0, 0.1, -0.49, 0.5, 0.51, -2.3, 7.7]), "i0": (np.i0, [0.0, 0.1, -3.0, 7.9, 8.1, -9.0]),
    **{f"emath {name}": (getattr(np.emath, name), [0.3, 0.7]) for name in ("sqrt", "log", "log2", "log10", "arcsin", "arccos", "arctanh")},
    "kaiser": (lambda b: (FUNCTIONS[np.kaiser] if type(b) is Array else np.kaiser)(7, b), 2.5),
    "emath logn": (np.emath.logn, 2.5, [0.3, 0.7]), "emath power": (np.emath.power, [0.3, 0.7], [-1.5, 2.5]),
})  # fmt: skip


@pytest.mark.parametrize("backend", BACKENDS)
def test_derivatives(backend):
    CHAPTER.check(backend)


def test_second_order():
    CHAPTER.check_second_order()


def nested(f, order):
    """The derivative of an elementwise function, of some order, at every element."""
    for _ in range(order):
        f = wg.grad(lambda x, f=f: np.sum(f(x)))
    return f


def exact(f, order, points):
    with mpmath.workdps(60):
        return [float(mpmath.diff(f, mpmath.mpf(x), order) if order else f(mpmath.mpf(x))) for x in points]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("order", range(5))
def test_sinc_to_the_fourth_order(order, backend):
    points = np.array([0.0, 1e-9, -0.01, 0.499, 0.501, 1.3])
    with wg.backend(backend):
        np.testing.assert_allclose(nested(np.sinc, order)(points), exact(mpmath.sincpi, order, points), rtol=1e-12, atol=1e-12)


def test_sinc_at_zero_exactly():
    at = [nested(np.sinc, order)(np.zeros(1))[0] for order in range(5)]
    assert at[0] == 1.0
    assert at[1] == at[3] == 0.0
    np.testing.assert_allclose(at[2::2], [-(math.pi**2) / 3, math.pi**4 / 5], rtol=1e-15)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("order", range(4))
def test_i0_to_the_third_order(order, backend):
    points = np.array([0.0, 1e-9, -0.5, 7.999, 8.001, -30.0, 600.0])
    with wg.backend(backend):
        np.testing.assert_allclose(nested(np.i0, order)(points), exact(lambda x: mpmath.besseli(0, x), order, points), rtol=1e-12, atol=1e-12)


def test_a_convolution_keeps_infinities_where_they_are():
    a, b = np.array([1.0, np.inf, 2.0, 0.0]), np.array([1.0, 0.5, 3.0])
    np.testing.assert_array_equal(wg.trace(np.convolve)(a, b), np.convolve(a, b))
    np.testing.assert_array_equal(wg.trace(np.convolve)(b, a), np.convolve(b, a))


X4 = np.array([0.5, -1.5, 2.25, 0.75])
#: Calls on lists that hold traced values, of which NumPy's own dispatch does not know: the stand-ins do.
LISTS = {
    "median": lambda call, x, s: call(np.median)([x[0], x[1] * 2, 3.0]), "quantile": lambda call, x, s: call(np.quantile)([1.0, 2, 5], [s / 3, 0.5]),
    "average": lambda call, x, s: call(np.average)([1.0, 2.0, 3.0], weights=[x[0], s, 2]), "interp": lambda call, x, s: call(np.interp)([s, 0.2], [0.0, 1, 2], [x[0], x[1], 3]),
    "weighted": lambda call, x, s: call(np.quantile)([3.0, 1, 2], 0.5, weights=[s, 1.0, 2], method="inverted_cdf"), "nanmax": lambda call, x, s: call(np.nanmax)([s, np.nan, 1.0]),
    "cov": lambda call, x, s: call(np.cov)([1.0, 2, 4], aweights=[s, 1.0, 2]), "corrcoef": lambda call, x, s: call(np.corrcoef)([[1.0, 2, 4], [s, 1.0, 2]]),
    "gradient": lambda call, x, s: call(np.gradient)([1.0, s, 4.0], [0.0, s, 3.0]), "trapezoid": lambda call, x, s: call(np.trapezoid)([1.0, 2, 3], [0.0, s, 4.0]),
    "ediff1d": lambda call, x, s: call(np.ediff1d)([1.0, 2, 4], to_end=[s, 1.0]), "cross": lambda call, x, s: call(np.cross)([1, 2, 3], [s, 1.0, 2]), "kron": lambda call, x, s: call(np.kron)([[1, 2]], [s, 1.0]),
    "convolve": lambda call, x, s: call(np.convolve)([1, 2, 3], [s, 1.0]), "polyval": lambda call, x, s: call(np.polyval)([x[0], x[1], 1.0], 2.0), "polyval in x": lambda call, x, s: call(np.polyval)([1.0, 2.0], [s, 2]),
    "polyint": lambda call, x, s: call(np.polyint)([s, 2.0], 2, [s, 1.0]), "polydiv": lambda call, x, s: call(np.polydiv)([s, 2.0, 3], [1.0, s]), "poly": lambda call, x, s: call(np.poly)([s, 2.0]),
    "kaiser": lambda call, x, s: call(np.kaiser)(6, s), "poly1d": lambda call, x, s: (np.poly1d(x).deriv().integ() * np.poly1d([1.0, 2.0]) + 1.0)(s), "of poly1d": lambda call, x, s: call(np.polyadd)(np.poly1d([1.0, 2]), [x[0], s]).coeffs,
}  # fmt: skip


@pytest.mark.parametrize("name", LISTS)
def test_lists_of_traced_values(name):
    f = LISTS[name]
    got, want = wg.trace(lambda x, s: f(FUNCTIONS.__getitem__, x, s))(X4, 1.3), f(lambda function: function, X4, 1.3)
    alike(got, want)


def test_leading_zeros_of_a_product_are_a_guard():
    f = wg.trace(lambda a: np.polymul(a, [1.0, 2.0]))
    np.testing.assert_array_equal(f(np.array([1.0, 3.0])), [1, 5, 6])
    np.testing.assert_array_equal(f(np.array([0.0, 3.0])), [3, 6])


def test_emath_says_where_it_leaves_the_reals():
    f = wg.trace(np.emath.sqrt)
    assert f(4.0) == 2.0
    with pytest.raises(wg.TraceError, match="leaves the real numbers"):
        f(-4.0)


@pytest.mark.filterwarnings("ignore:.*2-dimensional vectors:DeprecationWarning")
def test_cross_of_flat_vectors_is_numpys():
    for a, b in ((2, 2), (2, 3), (3, 2)):
        x, y = np.arange(1.0, 1 + a) ** 2, np.arange(2.0, 2 + b)
        np.testing.assert_array_equal(wg.trace(np.cross)(x, y), np.cross(x, y))


def held(polynomial):
    return lambda x: polynomial(x * 2)


def test_numpys_polynomial_series_trace_as_they_stand():
    """numpy.polynomial is written as users write: at points and in coefficients, as functions and as classes."""
    x, c = np.array([0.3, -0.7]), np.array([1.0, 2.0, -0.5, 0.25])
    for name, kind in (("polynomial.polyval", "Polynomial"), ("chebyshev.chebval", "Chebyshev"), ("legendre.legval", "Legendre"),
                       ("hermite.hermval", "Hermite"), ("hermite_e.hermeval", "HermiteE"), ("laguerre.lagval", "Laguerre")):  # fmt: skip
        module, _, function = name.partition(".")
        series, of_class = getattr(np.polynomial, module), getattr(np.polynomial, kind)
        value, basis = getattr(series, function), getattr(series, function.removesuffix("val") + "vander")
        slope = value(x, getattr(series, function.removesuffix("val") + "der")(c))
        for f in (lambda x, value=value: value(x, c), held(of_class(c, [-2, 2], [-1, 1])), lambda x, of_class=of_class: of_class(list(c))(x)):
            np.testing.assert_allclose(wg.trace(f)(x), value(x, c), rtol=1e-15)
            np.testing.assert_allclose(wg.grad(lambda x, f=f: np.sum(f(x)))(x), slope, rtol=1e-13)
        np.testing.assert_allclose(wg.jacobian(lambda c, value=value: value(x, c))(c), basis(x, 3), rtol=1e-14)
        np.testing.assert_allclose(wg.jacobian(lambda c, of_class=of_class: (of_class(c) ** 2).deriv()(x))(c),
                                   wg.jacobian(lambda c, of_class=of_class: 2 * of_class(c)(x) * of_class(c).deriv()(x))(c), rtol=1e-11)  # fmt: skip
    assert isinstance(np.polynomial.polyutils.np, type(np)) and np.polynomial.polyutils.np is np  # nothing is left changed


def test_a_polynomials_branches_are_guards():
    f = wg.trace(lambda c: np.polynomial.Polynomial(c).trim().degree() * c[0])
    for c in ([2.0, 1.0, 3.0], [2.0, 1.0, 0.0], [2.0, 0.0, 0.0]):
        assert f(np.array(c)) == np.polynomial.Polynomial(c).trim().degree() * 2.0
