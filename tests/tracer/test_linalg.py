"""np.linalg traced: derivatives of every function, and what happens where matrices are singular or eigenvalues equal."""

import math

import mpmath
import numpy as np
import pytest
from batches import BACKENDS
from numpy.linalg import LinAlgError

import wengert as wg

RNG = np.random.default_rng(7)
W = RNG.standard_normal((6, 6))
STEPS = ((1, 8), (-1, -8), (2, -1), (-2, 1))
INF, NAN = math.inf, math.nan


def spd(x):
    """Symmetric, with eigenvalues far from each other, whatever x."""
    n = x.shape[-1]
    return x + np.swapaxes(x, -1, -2) + np.diag(np.arange(4.0, 4.0 + 3 * n, 3))


def far(x):
    """With singular values far from each other and from 0."""
    m, n = x.shape[-2:]
    return 0.3 * x + np.eye(m, n) * np.arange(2.0, 2.0 + 2 * n, 2)


def total(y):
    """A number that every entry counts in differently."""
    if isinstance(y, tuple):
        return sum(k * total(each) for k, each in enumerate(y, 1))
    weights = np.cos(np.arange(np.size(y))).reshape(np.shape(y))
    return np.sum(weights * y)


def turned(vectors, values):
    """Of vectors known up to their signs, what does not depend on those."""
    return np.swapaxes(vectors * np.exp(-values)[..., None, :], -1, -2), vectors * vectors


SQUARE, STACK, TALL, WIDE = (RNG.uniform(-1, 1, s) for s in ((3, 3), (2, 3, 3), (4, 2), (2, 4)))
LA = np.linalg
SMOOTH = {
    "solve vector": (lambda x: LA.solve(far(x), x[:, 0]), SQUARE), "solve matrix": (lambda x: LA.solve(far(x), x[:, :2]), SQUARE),
    "solve stack": (lambda x: LA.solve(far(x), x[0]), STACK), "solve one for many": (lambda x: LA.solve(far(x[0]), x), STACK),
    "inv": (lambda x: LA.inv(far(x)), STACK), "det": (lambda x: LA.det(far(x)), STACK), "det one": (lambda x: LA.det(x), SQUARE),
    "slogdet": (lambda x: tuple(LA.slogdet(far(x))), STACK), "negative slogdet": (lambda x: LA.slogdet(-far(x)).logabsdet, SQUARE),
    "cholesky": (lambda x: LA.cholesky(spd(x)), STACK), "upper cholesky": (lambda x: LA.cholesky(spd(x), upper=True), SQUARE),
    "qr": (lambda x: tuple(LA.qr(far(x))), STACK), "tall qr": (lambda x: tuple(LA.qr(far(x))), TALL), "wide qr": (lambda x: tuple(LA.qr(far(x))), WIDE),
    "qr r": (lambda x: LA.qr(far(x), "r"), TALL), "complete r": (lambda x: LA.qr(far(x), "complete").R, TALL),
    "svd": (lambda x: _svd(far(x)), SQUARE), "tall svd": (lambda x: _svd(far(x)), TALL), "wide svd": (lambda x: _svd(far(x)), WIDE),
    "svd stack": (lambda x: _svd(far(x)), STACK), "svdvals": (lambda x: LA.svdvals(far(x)), STACK), "full svd values": (lambda x: LA.svd(far(x)).S, TALL),
    "hermitian svd": (lambda x: _svd(spd(x), hermitian=True), SQUARE), "hermitian svd of negatives": (lambda x: _svd(-spd(x), hermitian=True), SQUARE),
    "eigh": (lambda x: (*turned(*LA.eigh(spd(x))[::-1]), LA.eigh(spd(x)).eigenvalues), STACK), "eigvalsh": (lambda x: LA.eigvalsh(spd(x), "U"), STACK),
    "pinv": (lambda x: LA.pinv(far(x)), STACK), "tall pinv": (lambda x: LA.pinv(far(x)), TALL), "wide pinv": (lambda x: LA.pinv(far(x)), WIDE),
    "pinv of rank 1": (lambda x: LA.pinv(np.outer(2 + x[:, 0], x[0] - 3), 1e-8), TALL), "hermitian pinv": (lambda x: LA.pinv(spd(x), hermitian=True), SQUARE),
    "lstsq": (lambda x: _lstsq(far(x), x[:, 0]), TALL), "lstsq of many": (lambda x: _lstsq(far(x), x), TALL), "wide lstsq": (lambda x: _lstsq(far(x), x[:, 0]), WIDE),
    "lstsq of rank 1": (lambda x: LA.lstsq(np.outer(2 + x[:, 0], x[0] - 3), x, 1e-8)[0], TALL),
    "matrix_power": (lambda x: LA.matrix_power(far(x), 5), SQUARE), "negative power": (lambda x: LA.matrix_power(far(x), -2), STACK),
    "multi_dot": (lambda x: LA.multi_dot([x[0], x.T, x, x.T, x[:, 0]]), SQUARE), "tensorsolve": (lambda x: LA.tensorsolve(np.reshape(far(np.ravel(x)[:4].reshape(2, 2)), (2, 1, 2)), np.ravel(x)[4:6].reshape(2, 1)), SQUARE),
    "tensorinv": (lambda x: LA.tensorinv(np.reshape(far(x), (3, 3, 1)), 1), SQUARE), "vecdot": (lambda x: LA.vecdot(x, x[0]), STACK),
    "cross": (lambda x: LA.cross(x, x[::-1]), SQUARE), "trace": (lambda x: LA.trace(x * x), STACK), "diagonal": (lambda x: LA.diagonal(x * x), STACK),
    **{f"norm {o}": (lambda x, o=o: LA.norm(far(x), o), SQUARE) for o in (None, 1, -1, 2, -2, INF, -INF, "fro", "nuc")},
    **{f"vector norm {o}": (lambda x, o=o: LA.norm(x, o, -1), TALL) for o in (None, 1, 2, 3, 0.5, -2, INF, -INF)},
    "vector_norm": (lambda x: LA.vector_norm(x, axis=(0, 2), ord=3), STACK), "matrix_norm": (lambda x: LA.matrix_norm(far(x), ord=2), STACK),
    **{f"cond {p}": (lambda x, p=p: LA.cond(far(x), p), SQUARE) for p in (None, 2, -2, 1, -1, INF, "fro", "nuc")},
    "eigvals": (lambda x: LA.eigvals(far(x)).real, STACK), "eig": (lambda x: tuple(map(np.real, LA.eig(far(x)))), SQUARE), "roots": (lambda x: _parts(np.roots(x[0])), WIDE),
    "complex eigvals": (lambda x: _parts(LA.eigvals(x + TURN)), SQUARE), "complex eig": (lambda x: tuple(map(_parts, LA.eig(x + TURN))), SQUARE),
    "of complex matrices": (lambda x: _of_complex(x + 1j * TURN), SQUARE), "polyfit in y": (lambda y: np.polyfit(np.arange(4.0), y[:, 0], 2), TALL), "polyfit in x": (lambda x: np.polyfit(x[:, 0], np.arange(4.0), 1), TALL),
    "polyfit with weights": (lambda y: np.polyfit(np.arange(4.0), y, 1, w=2 + y[:, 0], cov=True), TALL),
}  # fmt: skip


def _svd(a, **options):
    u, s, vh = LA.svd(a, full_matrices=False, **options)
    return s, (u * np.exp(-s)[..., None, :]) @ vh, u * u, vh * vh


TURN = np.array([[1.0, 5.0, 0.0], [-5.0, 2.0, 1.0], [0.5, 0.0, 3.0]])


def _parts(z):
    return np.stack((np.real(z), np.imag(z)))


def _of_complex(x):
    """What of a complex matrix does not depend on the phases of vectors."""
    h = x + np.conj(x.T) + np.diag([4.0, 8.0, 12.0])
    w, v = LA.eigh(h)
    u, s, vh = LA.svd(x)
    parts = (v * np.exp(-w / 5)) @ np.conj(v.T), (u * np.exp(-s / 5)) @ vh, LA.cholesky(h + 9 * np.eye(3)), LA.pinv(x[:, :2]), LA.inv(x), LA.eig(x)[1]
    qr, sign, found = LA.qr(x[:, :2]), LA.slogdet(x), LA.lstsq(x[:, :2], x * x)[0]
    return tuple(map(_parts, (*parts, *qr, *sign, found, LA.det(x)))), LA.norm(x), LA.norm(x, 2), LA.cond(x)


def _lstsq(a, b):
    x, residuals, _, s = LA.lstsq(a, b)
    return x, residuals, s


def differences(f, x, h=1e-3):
    """The gradient by 5-point differences of NumPy."""
    out = np.zeros_like(x)
    for i in range(x.size):
        for step, weight in STEPS:
            moved = x.copy()
            moved.flat[i] += step * h
            out.flat[i] += weight * f(moved) / (12 * h)
    return out


@pytest.mark.parametrize("name", SMOOTH)
def test_gradients_are_differences(name):
    f, x = SMOOTH[name]
    expected = differences(lambda z: total(f(z)), x)
    got = wg.grad(lambda z: total(f(z)), backend="numpy")(x)
    np.testing.assert_allclose(got, expected, rtol=2e-7, atol=2e-7 * max(1, abs(expected).max()))
    t = np.sin(np.arange(x.size)).reshape(x.shape)
    _, moved = wg.jvp(lambda z: total(f(z)), (x,), (t,), backend="numpy")
    np.testing.assert_allclose(moved, (got * t).sum(), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("name", SMOOTH)
def test_second_derivatives_are_differences(name):
    f, x = SMOOTH[name]
    t = np.sin(np.arange(x.size)).reshape(x.shape)
    gradient = wg.grad(lambda z: total(f(z)), backend="numpy")
    expected = sum(w * gradient(x + s * 1e-3 * t) for s, w in STEPS) / 12e-3
    got = wg.hvp(lambda z: total(f(z)))(x, t)
    np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-6 * max(1, abs(expected).max()))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", ["solve stack", "det", "slogdet", "cholesky", "wide qr", "tall svd", "eigh", "wide pinv", "lstsq", "cond 1", "norm nuc"])
def test_backends_agree(name, backend):
    f, x = SMOOTH[name]
    expected = wg.grad(lambda z: total(f(z)), backend="numpy")(x)
    np.testing.assert_allclose(wg.grad(lambda z: total(f(z)), backend=backend)(x), expected, rtol=1e-11, atol=1e-12)
    graph = wg.trace(f).graph(x)
    again = wg.load(_saved(graph))
    for a, b in zip(_flat(again.on(backend)(x)), _flat(f(x)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def _flat(y):
    return [z for each in y for z in _flat(each)] if isinstance(y, tuple) else [y]


def _saved(graph):
    import tempfile
    from pathlib import Path

    path = Path(tempfile.mkdtemp()) / "f.wg"
    graph.save(path)
    return path


# ----- The hard points, on every backend in both modes -----

EYE2 = 2 * np.eye(2)
ONES = np.array([1.0, 10.0])
TWO_ONE = np.array([[2.0, 1.0], [1.0, 2.0]])
RANK_1 = np.array([[1.0, 2.0], [2.0, 4.0]])
W4 = np.array([[1.0, 0.0], [1.0, 1.0]])
HARD = {
    "98": (lambda x: np.sum(ONES * LA.eigh(x).eigenvalues), EYE2, np.diag(ONES)),
    "98 eigvalsh": (lambda x: np.sum(ONES * LA.eigvalsh(x)), EYE2, np.diag(ONES)),
    "99": (lambda x: np.sum(LA.eigh(x).eigenvectors), EYE2, [[0, NAN], [NAN, 0]]),
    "100": (lambda x: np.sum(ONES * LA.eigh(x).eigenvalues), TWO_ONE, [[5.5, 4.5], [4.5, 5.5]]),
    "100 upper": (lambda x: np.sum(ONES * LA.eigvalsh(x, "U")), TWO_ONE, [[5.5, 4.5], [4.5, 5.5]]),
    "101": (lambda x: np.sum(ONES * LA.svdvals(x)), EYE2, np.diag(ONES)),
    "101 svd": (lambda x: np.sum(ONES * LA.svd(x).S), EYE2, np.diag(ONES)),
    "102": (lambda x: np.sum(ONES * LA.svd(x, compute_uv=False)), np.zeros((2, 2)), np.diag(ONES)),
    "103": (LA.det, RANK_1, [[4, -2], [-2, 1]]),
    "104": (LA.det, np.zeros((3, 3)), np.zeros((3, 3))),
    "105": (LA.det, np.diag([0.0, 0.0, 1.0]), np.zeros((3, 3))),
    "det of a stack": (lambda x: np.sum(LA.det(x)), np.stack([RANK_1, TWO_ONE]), [[[4, -2], [-2, 1]], [[2, -1], [-1, 2]]]),
    "106": (lambda x: LA.slogdet(x).logabsdet, RANK_1, np.full((2, 2), NAN)),
    "108": (lambda x: np.sum(np.array([[0.375, 0], [0.25, 0.5]]) * LA.cholesky(x)), np.eye(2), [[0.1875, 0.125], [0.125, 0.25]]),
    "44": (LA.norm, np.zeros(2), [0, 0]),
    "44 axis": (lambda x: np.sum(LA.norm(x, axis=-1)), np.array([[0.0, 0.0], [3.0, 4.0]]), [[0, 0], [0.6, 0.8]]),
    "44 frobenius": (lambda x: LA.norm(x, "fro"), np.zeros((2, 2)), np.zeros((2, 2))),
    "46": (lambda x: LA.norm(x, 1), np.array([0.0, 1.0]), [0, 1]),
    "47": (lambda x: LA.norm(x, INF), np.array([2.0, 2.0]), [0.5, 0.5]),
    "48": (lambda x: LA.norm(x, 3), np.zeros(2), [0, 0]),
    "145": (LA.norm, np.array([1e200, 0.0]), [INF, 0]),
    "the projection on a space of equal eigenvalues": (lambda x: np.sum(W[:2, :2] * (LA.eigh(x).eigenvectors @ LA.eigh(x).eigenvectors.T)), EYE2,
                                                       None),
}  # fmt: skip


@pytest.mark.parametrize("mode", ["forward", "reverse"])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", HARD)
def test_hard_points(name, backend, mode):
    f, x, expected = HARD[name]
    got = wg.jacobian(f, mode=mode, backend=backend)(x)
    if expected is None:
        assert np.isnan(got).any()
        return
    np.testing.assert_allclose(got, expected, rtol=1e-14, atol=1e-14)


def test_norm_that_overflows_is_inf_and_its_derivative_is_not_zero():
    """Row 145: NumPy's value; never a silent zero."""
    value, gradient = wg.value_and_grad(LA.norm)(np.array([1e200, 1e200]))
    assert value == INF
    assert not np.isfinite(gradient).any()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("f", [LA.inv, lambda x: LA.solve(x, np.ones(2)), lambda x: LA.inv(np.stack([x, x]))])
def test_a_singular_matrix_is_numpys_error(f, backend):
    """Row 107."""
    with pytest.raises(LinAlgError, match=r"Singular matrix \(at .*test_linalg.*:\d+\)"):  # at the user's line
        wg.trace(f, backend=backend)(RANK_1)
    with pytest.raises(LinAlgError, match="Singular matrix"):
        wg.jacobian(f, backend=backend)(RANK_1)
    with pytest.raises(LinAlgError, match="not positive definite"):
        wg.trace(LA.cholesky, backend=backend)(-np.eye(2))


@pytest.mark.parametrize("n", [1, 2, 3, 4])
@pytest.mark.parametrize("rank", [0, 1, 2, 3, 4])
def test_det_is_a_polynomial_at_every_rank(n, rank):
    """Derivatives up to the third in random directions, against mpmath's determinant of the polynomial's values."""
    rng = np.random.default_rng(rank)
    x = rng.standard_normal((n, min(rank, n))) @ rng.standard_normal((min(rank, n), n))
    directions = [rng.standard_normal((n, n)) for _ in range(3)]
    f = LA.det
    for k in range(3):
        f = _along(f, directions[k])
        np.testing.assert_allclose(f(x), _mixed(x, directions[: k + 1]), rtol=1e-9, atol=1e-11)
    h = wg.hessian(LA.det)(x)
    np.testing.assert_allclose(np.einsum("ijkl,ij,kl", h, *directions[:2]), _mixed(x, directions[:2]), rtol=1e-9, atol=1e-11)


def _along(f, t):
    return lambda x: wg.jvp(f, (x,), (t,))[1]


def _mixed(x, directions):
    with mpmath.workdps(50):
        def det(*s):
            m = mpmath.matrix(x.tolist())
            for each, t in zip(s, directions, strict=True):
                m = m + each * mpmath.matrix(t.tolist())
            return mpmath.det(m)

        return float(mpmath.diff(det, (0,) * len(directions), (1,) * len(directions)))


def test_eigenvalues_are_mpmaths():
    """At 50 digits, with their second derivatives."""
    a, b = spd(SQUARE), spd(STACK[0]) - np.diag([4.0, 7.0, 10.0])

    def exact(k, order):
        with mpmath.workdps(50):
            def value(s):
                m = mpmath.matrix(a.tolist()) + s * mpmath.matrix(b.tolist())
                return sorted(mpmath.eigsy(m, eigvals_only=True))[k]

            return float(mpmath.diff(value, 0, order))

    def along(s):
        return LA.eigvalsh(a + s * b)

    first = wg.jvp(along, (0.0,), (1.0,))[1]
    second = wg.jvp(lambda s: wg.jvp(along, (s,), (1.0,))[1], (0.0,), (1.0,))[1]
    np.testing.assert_allclose(first, [exact(k, 1) for k in range(3)], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(second, [exact(k, 2) for k in range(3)], rtol=1e-11, atol=1e-12)


def test_solutions_are_mpmaths():
    """At 50 digits: forward and reverse."""
    a, b, da = far(SQUARE), SQUARE[:, 0], STACK[0]
    with mpmath.workdps(50):
        def solution(s, k):
            return mpmath.lu_solve(mpmath.matrix(a.tolist()) + s * mpmath.matrix(da.tolist()), mpmath.matrix(b.tolist()))[k]

        expected = [float(mpmath.diff(lambda s, k=k: solution(s, k), 0)) for k in range(3)]
    _, moved = wg.jvp(lambda x: LA.solve(x, b), (a,), (da,))
    np.testing.assert_allclose(moved, expected, rtol=1e-13, atol=1e-14)
    for k in range(3):
        gradient = wg.grad(lambda x, k=k: LA.solve(x, b)[k])(a)
        np.testing.assert_allclose((gradient * da).sum(), expected[k], rtol=1e-12, atol=1e-13)


# ----- What is undetermined is never a number -----


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_function_of_a_matrix_with_equal_eigenvalues_is_nan_rather_than_wrong(backend):
    """sum(B * expm(A)) through eigh at 2 I: the derivative, B e^2, needs what eigh cannot say; its diagonal it can."""
    b = np.array([[1.0, 2.0], [2.0, 5.0]])

    def f(x):
        w, v = LA.eigh(x)
        return np.sum(b * ((v * np.exp(w)) @ v.T))

    for mode in ("forward", "reverse"):
        got = wg.jacobian(f, mode=mode, backend=backend)(EYE2)
        np.testing.assert_allclose(got, [[np.exp(2), NAN], [NAN, 5 * np.exp(2)]], rtol=1e-14)


def test_nearly_equal_eigenvalues_count_as_equal():
    """Rounding cannot tell them apart: the quotient would be noise, of any size."""
    turn = np.linalg.qr(SQUARE)[0]
    a = turn @ np.diag([1.0, 1.0, 3.0]) @ turn.T
    gradient = wg.grad(lambda x: np.sum(W[:3, :3] * LA.eigh(x).eigenvectors))(a)
    assert not abs(np.linalg.eigvalsh(a)[1] - np.linalg.eigvalsh(a)[0]) > 1e-14
    assert np.isnan(gradient).any()
    assert not (abs(gradient) > 100).any()


def test_completed_bases_are_refused_in_words():
    for f in (lambda x: np.sum(LA.svd(x).U), lambda x: np.sum(LA.qr(x, "complete").Q)):
        assert wg.trace(f)(TALL) == pytest.approx(f(TALL))
        with pytest.raises(wg.DerivativeError, match="full_matrices=False or mode='reduced'"):
            wg.grad(f)(TALL)
        with pytest.raises(wg.DerivativeError, match="up to a rotation"):
            wg.jvp(f, (TALL,), (TALL,))


def test_results_have_numpys_names():
    @wg.trace
    def f(x):
        u, s, vh = LA.svd(x)
        return LA.eigh(x @ x.T), LA.qr(x), LA.slogdet(x), u @ (s[:, None] * vh)

    values, factors, signed, again = f(SQUARE)
    assert values.eigenvalues.shape == (3,)
    assert values.eigenvectors.shape == factors.Q.shape == factors.R.shape == (3, 3)
    assert signed.sign == np.sign(np.linalg.det(SQUARE))
    assert signed.logabsdet == pytest.approx(np.log(abs(np.linalg.det(SQUARE))))
    np.testing.assert_allclose(again, SQUARE, atol=1e-14)


def test_the_rank_that_lstsq_found_is_guarded():
    """NumPy's residuals are empty where the rank is not full: another rank is another path."""
    @wg.trace
    def f(x):
        return LA.lstsq(x, np.arange(4.0), 1e-8)[1]

    full, short = np.array(TALL), np.outer(TALL[:, 0], [1.0, 2.0])
    for x in (full, short, full):
        np.testing.assert_allclose(f(x), np.linalg.lstsq(x, np.arange(4.0), 1e-8)[1])


@pytest.mark.parametrize("name", ["solve stack", "slogdet", "cholesky", "wide qr", "tall svd", "svdvals", "eigh", "eigvalsh", "pinv", "lstsq"])
def test_derivatives_print_as_stand_alone_numpy(name):
    f, x = SMOOTH[name]
    gradient = wg.trace(wg.grad(lambda z: total(f(z))))
    text, scope = wg.source(gradient.graph(x), "python"), {}
    exec(text, scope)
    (function,) = (v for k, v in scope.items() if callable(v) and not k.startswith("_"))
    np.testing.assert_allclose(function(x)[0], gradient(x), rtol=1e-11, atol=1e-12)


def test_what_is_refused():
    for f, words in (
        (lambda x: LA.qr(x, "raw"), "reduced"),
        (lambda x: LA.pinv(x, rtol=x[:, 0]), "one number"),
    ):  # fmt: skip
        with pytest.raises(wg.TraceError, match=words):
            wg.trace(f)(SQUARE)
    with pytest.raises(TypeError, match="float16"):
        wg.trace(lambda x: LA.det(x.astype(np.float16)))(SQUARE)
