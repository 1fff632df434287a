"""Functions of SciPy that dispatch nothing, stood in for: SciPy's values and dtypes, slopes in both modes, refusals."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest
import scipy
import scipy.linalg
import scipy.signal
import scipy.special
from batches import BACKENDS
from numpy_alike import same
from numpy_derivatives import Chapter
from scipy import linalg as sla
from scipy.linalg import expm as exponential
from scipy.special import logsumexp

import wengert as wg
from wengert.ir.errors import TraceError
from wengert.tracer import scipy_api

L, G, S = scipy.linalg, scipy.signal, scipy.special
RNG = np.random.default_rng(5)
M, N3, TALL, WIDE = RNG.standard_normal((3, 3)), RNG.standard_normal((3, 3)), RNG.standard_normal((4, 2)), RNG.standard_normal((2, 4))
V, W, R4 = RNG.standard_normal(3), RNG.standard_normal(3), RNG.standard_normal(4)
I3 = np.eye(3)


def gram(x):
    return x @ x.T + np.diag(np.arange(1.0, 1 + len(x)))


def far(x):
    return x * 0.2 + np.diag([1.0, 3.0, 6.0])


def low(x):
    return x + 3 * np.eye(3)


CALLS = {
    "solve": (lambda a, b: L.solve(low(a), b), M, V), "solve of columns": (lambda a, b: L.solve(low(a), b, overwrite_a=True), M, N3),
    "solve transposed": (lambda a, b: L.solve(low(a), b, transposed=True), M, V),
    **{f"solve {kind}": (lambda a, b, kind=kind: L.solve(gram(a), b, assume_a=kind), M, V) for kind in ("gen", "sym", "her", "pos")},
    "solve lower": (lambda a, b: L.solve(low(a), b, lower=True, assume_a="sym"), M, V),
    "solve triangular": (lambda a, b: L.solve(low(a), b, assume_a="upper triangular") + L.solve(low(a), b, assume_a="lower triangular"), M, V),
    "solve diagonal": (lambda a, b: L.solve(low(a), b, assume_a="diagonal"), M, V),
    "inv": (lambda a: L.inv(low(a)), M), "inv pos": (lambda a: L.inv(gram(a), assume_a="pos", lower=True), M), "det": (lambda a: L.det(a), M),
    "norm": (lambda a: (L.norm(a), L.norm(a, 1), L.norm(a[0]), L.norm(a, axis=0), L.norm(a, "nuc")), M),
    "expm": (lambda a: exponential(a), M), "expm of a stack": (lambda a: sla.expm(np.stack((a, 2 * a))), M), "expm_frechet": (lambda a, e: L.expm_frechet(a, e), M, N3),
    "expm_frechet alone": (lambda a, e: L.expm_frechet(a, e, compute_expm=False), M, N3),
    **{name: (lambda a, name=name: getattr(L, name)(a / 2), M) for name in ("cosm", "sinm", "tanm", "coshm", "sinhm", "tanhm")},
    "cosm of complex": (lambda a: (L.cosm(a + 1j * N3).real, L.sinm(a + 1j * N3).imag), M),
    "eigh": (lambda a: [np.square(x) for x in L.eigh(gram(a))], M), "eigh by another driver": (lambda a: [np.square(x) for x in L.eigh(gram(a), driver="evd")], M), "eigh upper": (lambda a: L.eigh(gram(a), lower=False, eigvals_only=True), M),
    "eigh of some": (lambda a: [np.square(x) for x in L.eigh(gram(a), subset_by_index=[1, 2])], M), "eigvalsh": (lambda a: L.eigvalsh(gram(a)), M),
    "eig": (lambda a: (L.eig(far(a))[0].real, np.square(L.eig(far(a))[1])), M), "eigvals": (lambda a: np.abs(L.eigvals(a + 4 * N3)), M),
    "cholesky": (lambda a: (L.cholesky(gram(a)), L.cholesky(gram(a), lower=True)), M),
    "cho_factor": (lambda a: (np.triu(L.cho_factor(gram(a))[0]), np.tril(L.cho_factor(gram(a), lower=True)[0])), M),
    "cho_solve": (lambda a, b: L.cho_solve(L.cho_factor(gram(a)), b), M, V), "cho_solve lower": (lambda a, b: L.cho_solve((low(a), True), b), M, N3),
    "qr": (lambda a: L.qr(low(a)), M), "qr economic": (lambda a: L.qr(a, mode="economic"), TALL), "qr r": (lambda a: L.qr(a, mode="r")[0], TALL),
    "svd": (lambda a: [np.square(x) for x in L.svd(a, full_matrices=False)], TALL), "svdvals": (lambda a: L.svdvals(a), WIDE),
    "svd values": (lambda a: L.svd(a, compute_uv=False), TALL),
    "lstsq": (lambda a, b: (L.lstsq(a, b)[0], L.lstsq(a, b)[1], L.lstsq(a, b)[3]), TALL, R4), "lstsq wide": (lambda a, b: L.lstsq(a, b)[0], WIDE, N3[:2]),
    "pinv": (lambda a: (L.pinv(a), L.pinv(a, rtol=1e-3)), TALL), "pinvh": (lambda a: L.pinvh(gram(a)), M),
    **{f"solve_triangular {k}": (lambda a, b, k=k: L.solve_triangular(low(a), b, **k), M, V)
       for k in ({}, {"lower": True}, {"trans": 1}, {"trans": "C", "lower": True}, {"unit_diagonal": True}, {"unit_diagonal": True, "lower": True, "trans": "T"})},
    "toeplitz": (lambda c, r: (L.toeplitz(c), L.toeplitz(c, r), L.toeplitz(1.5, r)), V, R4), "hankel": (lambda c, r: (L.hankel(c), L.hankel(c, r)), V, R4),
    "circulant": (lambda c: L.circulant(c), V), "block_diag": (lambda a, b, v: L.block_diag(a, b, v, 2.5), TALL, M, V), "khatri_rao": (lambda a, b: L.khatri_rao(a, b), TALL, WIDE[:, :2]),
    **{f"{name} {mode}": (lambda x, y, name=name, mode=mode: (getattr(G, name)(x, y, mode), getattr(G, name)(y, x, mode)), V, RNG.standard_normal(6))
       for name in ("convolve", "fftconvolve", "correlate", "oaconvolve") for mode in ("full", "same", "valid")},
    **{f"{name} of matrices {mode}": (lambda x, y, name=name, mode=mode: (getattr(G, name)(x, y, mode), getattr(G, name)(y, x, mode)), M, RNG.standard_normal((4, 6)))
       for name in ("convolve", "fftconvolve", "correlate") for mode in ("full", "same", "valid")},
    "convolve by fft": (lambda x, y: G.convolve(x, y, method="fft") + G.convolve(x, y, method="direct"), V, R4),
    "fftconvolve along an axis": (lambda x, y: (G.fftconvolve(x, y, axes=1), G.fftconvolve(x, y[:1], "same", axes=-1)), M, RNG.standard_normal((3, 2))),
    "convolve of numbers": (lambda x, y: G.convolve(x, y) + G.fftconvolve(x, y) + G.correlate(x, y), 0.7, 0.3),
    "logsumexp": (lambda x: (logsumexp(x), S.logsumexp(x, axis=0), scipy.special.logsumexp(x, 1, b=np.abs(N3), keepdims=True)), M),
    "softmax, log_softmax": (lambda x: (S.softmax(x), S.softmax(x, axis=1), S.log_softmax(x, 0)), M), "polygamma": (lambda x: S.polygamma(2, x * x + 1), V),
    **({"kron": (lambda x, y: L.kron(x, y), M, TALL)} if hasattr(L, "kron") else {}),
}  # fmt: skip


def test_every_function_has_a_case():
    whole = " ".join(CALLS)
    for name in scipy_api.MODULES:
        assert [n for n in scipy_api.functions_of(sys.modules[name]) if n not in whole] == []


@pytest.mark.parametrize("name", CALLS)
def test_values_are_scipys(name):
    f, *args = CALLS[name]
    want, got = f(*args), wg.trace(f)(*args)
    alike(got, want)


def alike(got, want):
    if isinstance(want, (tuple, list)):
        assert len(got) == len(want)
        for g, w in zip(got, want, strict=True):
            alike(g, w)
        return
    assert (np.result_type(got), np.shape(got)) == (np.result_type(want), np.shape(want))
    np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-12)


CHAPTER = Chapter(CALLS)


@pytest.mark.parametrize("backend", BACKENDS)
def test_slopes(backend):
    CHAPTER.check(backend)


def test_second_order():
    kept = {name: case for name, case in CALLS.items() if not name.startswith(("lstsq", "norm", "tan"))}
    Chapter(kept).check_second_order()


@pytest.mark.parametrize("dtype", [np.float32, np.complex64, np.complex128, np.int64])
def test_dtypes_are_scipys(dtype):
    x = np.array([[4, 1, 0], [1, 5, 2], [0, 2, 6]], dtype) + (np.array([[0, 1j, 0], [-1j, 0, 0], [0, 0, 0]], dtype) if np.dtype(dtype).kind == "c" else 0)
    for name in ("inv", "det", "expm", "cholesky", "eigvalsh", "svdvals", "pinv", "norm", "toeplitz", "cosm"):
        given = x[0] if name == "toeplitz" else x
        want, got = getattr(L, name)(given), wg.trace(lambda x, name=name: getattr(L, name)(x))(given)
        assert (np.result_type(got), np.shape(got)) == (np.result_type(want), np.shape(want)), name
        np.testing.assert_allclose(got, want, rtol=2e-5 if x.dtype.itemsize * (2 - (x.dtype.kind == "c")) == 8 and x.dtype.kind != "i" else 1e-12, atol=1e-5)
    for f in (G.convolve, G.correlate, G.fftconvolve):
        want, got = f(x, x[:2]), wg.trace(lambda x, f=f: f(x, x[:2]))(x)
        assert got.dtype == want.dtype, f
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-4)


def test_errors_are_scipys():
    for f in (
        lambda x: G.convolve(x, x[0]), lambda x: G.convolve(x, x, "other"), lambda x: G.fftconvolve(x[:2], x[:, :2], "valid"),
        lambda x: L.det(x[:2]), lambda x: L.solve(0 * x, x), lambda x: L.expm(x[:2]), lambda x: L.qr(x, mode="other"),
    ):
        same(f, M, refusal=False)


def test_every_place_is_stood_in_for_and_given_back():
    def f(x):
        import scipy.linalg as inner
        from scipy.special import softmax

        return sla.det(x) + scipy.linalg.det(x) + inner.det(x) + exponential(x).sum() + softmax(x)[0, 0] + scipy.special.erf(x).sum()

    want = f(M)
    np.testing.assert_allclose(wg.trace(f)(M), want, rtol=1e-13)
    assert sla is scipy.linalg is sys.modules["scipy.linalg"]
    assert exponential is scipy.linalg.expm
    assert type(scipy) is type(sys)
    np.testing.assert_allclose(wg.trace(scipy.linalg.expm)(M), exponential(M), rtol=1e-13)


def test_plain_arguments_are_scipys_own():
    def f(x):
        grid = np.zeros((3, 3))
        grid[0, 1] = 0.5
        plain = sla.lu_factor(I3), sla.expm(grid), sla.qr(I3, pivoting=True)[2], sla.expm(np.eye(2))
        assert isinstance(plain[3], np.ndarray)
        return plain[1] @ x + plain[2] + sla.expm(grid * 2)[0, 1]

    same(f, M)


@pytest.mark.parametrize("f, words", [
    (lambda x: sla.qr(x, pivoting=True), "pivoting=True"), (lambda x: sla.eigh(x, I3), "scipy.linalg.eigh with b="), (lambda x: sla.pinv(x, atol=0.1), "atol=0.1"),
    (lambda x: sla.solve(x, x, assume_a="tridiagonal"), "assume_a='tridiagonal'"), (lambda x: sla.toeplitz(x), "Give vectors"),
    (lambda x: sla.lu_factor(x), "np.linalg|NumPy"), (lambda x: [sla.inv][0](x) if x is None else sla.sqrtm(x), "sqrtm"),
])  # fmt: skip
def test_refusals(f, words):
    with pytest.raises(TraceError, match=words) as info:
        wg.trace(f)(M)
    assert "test_scipy_bridges.py" in str(info.value)


def run(code):
    return subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)


def test_scipy_imported_after_the_first_trace():
    done = run("""
        import sys, numpy as np, wengert as wg
        x = np.array([[0.1, 0.7], [0.2, 0.4]])
        wg.trace(np.sin)(x)
        assert "scipy" not in sys.modules
        import scipy.special
        f, there = lambda x: scipy.special.logsumexp(x), "scipy.linalg" in sys.modules  # SciPy 1.18 imports it by itself
        assert np.isclose(wg.trace(f)(x), f(x)) and ("scipy.linalg" in sys.modules) is there
        def g(x):
            from scipy import linalg
            return linalg.expm(x), scipy.linalg.det(x)
        for got, want in zip(wg.trace(g)(x), g(x)):
            assert np.allclose(got, want)
        assert type(scipy) is type(sys)
    """)
    assert done.returncode == 0, done.stderr
