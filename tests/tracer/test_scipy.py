"""SciPy's functions on traced arrays: what dispatches is traced; what does not, or has no rule, says so."""

import math
import subprocess
import sys
import textwrap

import mpmath
import numpy as np
import pytest
import scipy.linalg
import scipy.signal
import scipy.special
from batches import BACKENDS

import wengert as wg
from wengert.ir.build import Builder, Namespace
from wengert.ir.errors import BackendError, DerivativeError, TraceError
from wengert.ir.kinds import Elementwise
from wengert.ir.ops import OPS
from wengert.ir.types import ArrayType
from wengert.tracer.numpy_api import special

NAMES = [n for n in dir(scipy.special) if isinstance(getattr(scipy.special, n), np.ufunc)]
LIBRARY = [op for op in OPS.values() if isinstance(op, Elementwise) and op.library]
X = np.array([0.21, 0.4, 0.63])


def run(code):
    return subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)


# ----- What is traced -----


@pytest.mark.parametrize("name", NAMES)
def test_every_ufunc_is_traced_or_refused_in_words(name):
    ufunc = getattr(scipy.special, name)
    given = [X + 0.1 * k for k in range(ufunc.nin)]
    if name in ("kn", "yn", "expn", "eval_hermite", "eval_hermitenorm"):  # of whole orders
        given[0] = np.array([1, 2, 3])
    try:
        got = wg.trace(ufunc)(*given)
    except TraceError as error:
        assert name in str(error) or name == "psi"
        assert special.ops_of(name) == () or "complex" in str(error)
        return
    expected = ufunc(*given)
    for x, y in zip(*((r,) if ufunc.nout == 1 else r for r in (got, expected)), strict=True):
        assert (x.dtype, x.shape) == (y.dtype, y.shape)
        np.testing.assert_array_max_ulp(x, y, name in special._ALIASES)  # NumPy rounds otherwise


def test_how_many_are_traced():
    traced = [n for n in NAMES if special.ops_of(n)]
    assert len(traced) >= 105
    assert {"erf", "gammaln", "digamma", "psi", "jv", "iv", "betainc", "xlogy", "expit", "sici", "airy"} <= {*traced}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("ufunc", [scipy.special.erf, scipy.special.xlogy, scipy.special.beta, scipy.special.i0e], ids=str)
def test_dtypes_are_scipys(ufunc, backend):
    with wg.backend(backend):
        for given in (np.float32(0.5), 2, 0.5, np.ones(2, np.float32), np.ones((0, 3)), np.arange(1, 4), np.ones(2, np.int8)):
            got = wg.trace(lambda x: ufunc(*(x,) * ufunc.nin))(given)
            expected = ufunc(*(given,) * ufunc.nin)
            assert (got.dtype, got.shape) == (expected.dtype, expected.shape), given
            np.testing.assert_allclose(got, expected, rtol=1e-6 if got.dtype == np.float32 else 1e-14)


def test_broadcasting_outer_and_out():
    y = X[:, None]
    assert np.array_equal(wg.trace(lambda x: scipy.special.betainc(2, 3.5, x * y))(X), scipy.special.betainc(2, 3.5, X * y))
    assert np.array_equal(wg.trace(lambda x: scipy.special.jv.outer(np.arange(3), x))(X), scipy.special.jv.outer(np.arange(3), X))

    def into(x):
        out = np.zeros_like(x)
        scipy.special.digamma(x, out=out)
        return out + x

    assert np.array_equal(wg.trace(into)(X), scipy.special.digamma(X) + X)


def test_an_alias_is_its_ufunc():
    for name, same in (("psi", "digamma"), ("jn", "jv"), ("expm1", "expm1"), ("cbrt", "cbrt"), ("round", "rint")):
        given = (2, X) if name == "jn" else (X,)
        graph = wg.trace(lambda *xs, name=name: getattr(scipy.special, name)(*xs)).graph(*given)
        assert same in {node.op.name for node in graph.graph.nodes}


@pytest.mark.parametrize("backend", BACKENDS)
def test_loops_are_split_around_calls(backend):
    """exp and the product are one loop before, the rest one after; second derivatives call again."""

    def f(x):
        return np.sum(np.exp(-x) * scipy.special.digamma(x * x) + scipy.special.xlogy(x, x))

    with mpmath.workdps(40):
        exact = [float(mpmath.diff(lambda x: mpmath.exp(-x) * mpmath.digamma(x * x) + x * mpmath.log(x), v, 2)) for v in X.tolist()]
    with wg.backend(backend):
        np.testing.assert_allclose(np.diag(wg.hessian(f)(X)), exact, rtol=1e-11)


def test_bodies_use_no_library():
    """The C printer writes a body as statements: there a library's function has no name."""
    for op in LIBRARY:
        if op.body is not None:
            b = Builder()
            xp = Namespace(b)
            op.body(xp, *(xp.wrap(b.input(ArrayType(np.dtype(float)))) for _ in range(op.arity)))
            assert not any(isinstance(n.op, Elementwise) and n.op.library for n in b.nodes), op.name


# ----- What is refused -----


def both_modes(f, x):
    yield lambda: wg.grad(lambda x: np.sum(f(x)))(x)
    yield lambda: wg.jvp(f, (x,), (np.ones_like(x),))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("f, words", [
    (lambda v: scipy.special.jv(v, 1.5), ("jv", "order v")), (lambda a: scipy.special.gammainc(a, 2.0), ("gammainc", " a")),
    (lambda x: scipy.special.betainc(2.0, x, 0.3), ("betainc", " b")), (lambda x: scipy.special.zeta(x + 1), ("riemann_zeta", "x")),
    (lambda x: scipy.special.jv(x, x), ("jv", "order v")),
])  # fmt: skip
def test_an_unknown_partial_is_refused_never_zero(f, words, backend):
    with wg.backend(backend):
        f(X)  # the value is known
        for derivative in both_modes(f, X):
            with pytest.raises(DerivativeError, match="no known rule") as info:
                derivative()
            assert all(word in str(info.value) for word in words)
            assert info.value.op == words[0]
            assert "test_scipy" in str(info.value)
        with pytest.raises(DerivativeError, match="no known rule"):  # not even where there is nothing to derive
            next(both_modes(f, np.zeros(0)))()


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_constant_operand_needs_no_rule(backend):
    with wg.backend(backend):
        got = wg.grad(lambda x: np.sum(scipy.special.gammainc(np.array([1.0, 2.0, 3.0]), x)))(X)
        np.testing.assert_allclose(got, np.exp(-X) * [1, 1, 0.5] * X ** [0, 1, 2], rtol=1e-14)
        steep = wg.hessian(lambda x: np.sum(scipy.special.jv(2, x)))(X)
        np.testing.assert_allclose(np.diag(steep), scipy.special.jvp(2, X, 2), rtol=1e-12)


def test_refusals():
    double = np.frompyfunc(lambda x: 2 * x, 1, 1)
    for f, words in (
        (scipy.special.kolmogorov, "scipy.special.kolmogorov cannot be traced yet"),
        (lambda x: scipy.special.hankel1(1, x), "hankel1"),
        (lambda x: scipy.special.erf(x * 1j), "complex"),
        (double, "in object, which no program can hold"),
        (lambda x: scipy.special._logsumexp.logsumexp(x), "np.log(np.sum(np.exp(x - m)))"),  # under a name of SciPy's own
        (lambda x: scipy.special._logsumexp.softmax(x), "e / e.sum()"),
        (lambda x: scipy.special._basic.polygamma(1, x), "scipy.special.zeta(n + 1, x)"),
        (lambda x: scipy.special.comb(5, x), "scipy.special.binom"),
        (lambda x: scipy.signal._signaltools.convolve(x, x), "np.convolve"),
        (lambda x: scipy.signal._signaltools.correlate(x, x), "np.correlate"),
        (lambda x: scipy.linalg._basic.inv(np.outer(x, x)), "np.linalg.inv"),
        (lambda x: scipy.linalg._basic.solve(np.outer(x, x), x), "np.linalg.solve"),
        (lambda x: scipy.linalg.lu_solve(scipy.linalg.lu_factor(np.eye(3)), x), "np.linalg.solve"),
    ):
        with pytest.raises(TraceError) as info:
            wg.trace(f)(X)
        assert words in str(info.value)
        assert "test_scipy.py" in str(info.value), "the user's line, not SciPy's"


# ----- Without SciPy -----


def test_scipy_is_not_imported():
    assert run("import sys, wengert; sys.exit('scipy' in sys.modules)").returncode == 0


def test_a_file_on_a_machine_without_scipy(tmp_path):
    digamma = wg.trace(lambda x: scipy.special.digamma(x)).graph(X)
    common = wg.trace(lambda x: scipy.special.erf(x) + scipy.special.xlogy(x, x) - scipy.special.expit(x)).graph(X)
    digamma.save(tmp_path / "digamma.wg")
    common.save(tmp_path / "common.wg")
    expected = common(X)
    done = run(f"""
        import sys
        sys.modules["scipy"] = None
        import numpy as np, wengert as wg
        x = np.array({X.tolist()})
        for backend in {[p.values[0] for p in BACKENDS if not p.marks[0].args[0]]}:
            with wg.backend(backend):
                got = wg.load({str(tmp_path / "common.wg")!r})(x)
                np.testing.assert_allclose(got, {expected.tolist()}, rtol=1e-14)
                slope = wg.grad(lambda x: wg.load({str(tmp_path / "common.wg")!r})(x).sum())(x)
                try:
                    wg.load({str(tmp_path / "digamma.wg")!r})(x)
                except wg.BackendError as error:
                    assert "digamma" in str(error) and "pip install wengert[scipy]" in str(error), error
                else:
                    raise AssertionError("it ran")
    """)
    assert done.returncode == 0, done.stderr


def test_stand_alone_programs():
    graph = wg.trace(lambda x: scipy.special.digamma(x) * scipy.special.sici(x)[1]).graph(X)
    text = wg.source(graph, "python")
    assert "import scipy.special\n" in text
    scope = {}
    exec(text, scope)
    (function,) = (v for k, v in scope.items() if callable(v) and not k.startswith("_"))
    assert np.array_equal(function(X)[0], scipy.special.digamma(X) * scipy.special.sici(X)[1])
    with pytest.raises(BackendError, match="digamma"):
        wg.source(graph, "c")
    assert "erf(" in wg.source(wg.trace(lambda x: scipy.special.erf(x)).graph(X), "c")


def test_scipys_array_api_mode():
    """There every function of scipy.special is a Python function around its ufunc."""
    done = run("""
        import os
        os.environ["SCIPY_ARRAY_API"] = "1"
        import numpy as np, scipy.special, wengert as wg
        assert not isinstance(scipy.special.erf, np.ufunc) or tuple(map(int, scipy.__version__.split(".")[:2])) < (1, 14)
        x = np.array([0.2, 0.7])
        assert np.array_equal(wg.trace(lambda x: scipy.special.erf(x))(x), scipy.special.erf(x))
        assert np.array_equal(wg.trace(lambda x: scipy.special.xlogy(x, 2 * x))(x), scipy.special.xlogy(x, 2 * x))
    """)
    assert done.returncode == 0, done.stderr


# ----- Functions that SciPy writes in Python, as they are on traced arrays -----

A = np.array([[1.0, -2.0, 0.5], [3.0, 3.0, -1000.0]])


@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 1)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_logsumexp(axis, keepdims):
    b = np.array([[1.0, 2.0, 0.0], [0.5, 3.0, 1.0]])
    for weights in (None, b):
        for x in (A, A * 100, A.astype(np.float32), A.astype(int)):
            got = wg.trace(lambda x: special.logsumexp(x, axis, weights, keepdims))(x)  # noqa: B023
            expected = scipy.special.logsumexp(x, axis, weights, keepdims)
            assert (got.dtype, got.shape) == (expected.dtype, np.shape(expected))
            np.testing.assert_allclose(got, expected, rtol=1e-6 if x.dtype == np.float32 else 1e-14)


def test_logsumexp_with_signs_and_without_elements():
    got = wg.trace(lambda x: special.logsumexp(x, b=np.array([1.0, -1.0]), return_sign=True))(np.array([1.0, 2.0]))
    np.testing.assert_allclose(got, scipy.special.logsumexp([1.0, 2.0], b=[1.0, -1.0], return_sign=True), rtol=1e-14)
    assert np.array_equal(wg.trace(lambda x: special.logsumexp(x, 1))(np.zeros((2, 0))), [-math.inf] * 2)


def test_the_derivative_of_logsumexp_in_weights():
    x, b = np.array([1.0, -3.0, 2.0]), np.array([0.5, 0.0, 2.0])
    exact = np.exp(x) / np.sum(b * np.exp(x))
    np.testing.assert_allclose(wg.grad(lambda b: special.logsumexp(x, b=b))(b), exact, rtol=1e-14)
    np.testing.assert_allclose(wg.grad(lambda x: special.logsumexp(x, b=b))(x), b * exact, rtol=1e-14)
    assert wg.trace(lambda b: special.logsumexp(np.array([np.nan, np.inf, 2.0]), b=b))(np.array([0.0, 0.0, 1.0])) == 2.0


@pytest.mark.parametrize("x", [[1000.0, 1000.0], [-math.inf, -math.inf], [math.inf, 0.0], [-math.inf, 1.0], [math.nan, 1.0]])
def test_logsumexp_at_edges(x):
    x = np.array(x)
    assert np.array_equal(wg.trace(special.logsumexp)(x), scipy.special.logsumexp(x), equal_nan=True)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_derivative_of_logsumexp_is_softmax(backend):
    with wg.backend(backend):
        for x in ([1000.0, 1000.0], [1.0, -3.0, 2.0], [-math.inf, 1.0]):
            x = np.array(x)
            got = wg.grad(special.logsumexp)(x)
            np.testing.assert_allclose(got, scipy.special.softmax(x), rtol=1e-14)
            np.testing.assert_allclose(wg.jvp(special.logsumexp, (x,), (np.ones(len(x)),))[1], 1.0, rtol=1e-14)
        p = scipy.special.softmax([1.0, -3.0, 2.0])
        np.testing.assert_allclose(wg.hessian(special.logsumexp)(np.array([1.0, -3.0, 2.0])), np.diag(p) - np.outer(p, p), atol=1e-15)


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_softmax_and_its_log(axis):
    np.testing.assert_allclose(wg.trace(lambda x: special.softmax(x, axis))(A), scipy.special.softmax(A, axis), rtol=1e-14)
    np.testing.assert_allclose(wg.trace(lambda x: special.log_softmax(x, axis))(A), scipy.special.log_softmax(A, axis), rtol=1e-14)
    p = scipy.special.softmax(A[0])
    np.testing.assert_allclose(wg.jacobian(special.log_softmax)(A[0]), np.eye(3) - p, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(wg.jacobian(special.softmax)(A[0]), np.diag(p) - np.outer(p, p), rtol=1e-13, atol=1e-15)


def test_polygamma():
    for n in range(5):
        np.testing.assert_allclose(wg.trace(lambda x: special.polygamma(n, x))(X), scipy.special.polygamma(n, X), rtol=1e-14)  # noqa: B023
        got = wg.grad(lambda x: np.sum(special.polygamma(n, x)))(X)  # noqa: B023
        np.testing.assert_allclose(got, scipy.special.polygamma(n + 1, X), rtol=1e-13)
