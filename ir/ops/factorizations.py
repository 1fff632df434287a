"""Matrices taken apart, batched: the last two axes are the matrix.

Rules after Giles, "Collected matrix derivative results" (2008), Walter and Lehmann, "Algorithmic differentiation of
linear algebra functions" (2010), Murray, "Differentiation of the Cholesky decomposition" (2016), and Seeger et al.,
"Auto-differentiating linear algebra" (2017).

Vectors of equal eigenvalues or singular values are determined up to a rotation only: see ``divided_gaps``.
"""

import numpy as np

from wengert.ir.errors import DerivativeError
from wengert.ir.kinds import Library
from wengert.ir.ops.matrices import (
    adjoint,
    chosen,
    column,
    conj,
    diagonal,
    divided_gaps,
    eye,
    eyes,
    flip,
    from_lower,
    hermitian_part,
    lower,
    matrices,
    mul,
    on_diagonal,
    product,
    real,
    real_type,
    row,
    solved,
    solved_right,
)
from wengert.ir.types import ArrayType


def _same(op, types, params):
    matrices(op, types, square=True)
    return (ArrayType(types[0].dtype, types[0].shape),)


# ----- Cholesky -----


def _cholesky_jvp(xp, out, primals, tangents, params):
    """dL = L phi(L^-1 dA L^-*), phi the lower triangle with half the diagonal."""
    inner = solved_right(xp, solved(xp, out, hermitian_part(xp, tangents[0])), adjoint(xp, out))
    return mul(xp, out, lower(xp, inner, 0.5))


def _cholesky_vjp(xp, g, k, out, primals, params):
    g, back = conj(xp, g), adjoint(xp, out)
    inner = lower(xp, mul(xp, back, g), 0.5)
    return conj(xp, hermitian_part(xp, solved_right(xp, solved(xp, back, inner), out)))


# ----- QR -----


def _qr_types(op, types, params):
    stack, m, n = matrices(op, types)
    k = min(m, n)
    return (ArrayType(types[0].dtype, (*stack, m, k)), ArrayType(types[0].dtype, (*stack, k, n)))


def _skew(xp, x):
    """The skew-hermitian matrix with the lower triangle of x."""
    under = lower(xp, x, 0.0)
    turn = under - adjoint(xp, under)
    if x.dtype.kind != "c":
        return turn
    on = lower(xp, x) - under
    return turn + (on - real(xp, on))


def _square_part(xp, a, r):
    """The columns of A, and of R, up to the number of rows of R; and the columns behind them."""
    k = r.shape[-2]
    return (a[..., :k], r[..., :k]), (a[..., k:], r[..., k:])


def _qr_jvp(xp, out, primals, tangents, params):
    """With X = dA R^-1 and Q* X = (skew S) + (upper T): dQ = X - Q T, dR = T R; columns behind the square follow."""
    (q, r), (da,) = out, tangents
    (front, r1), (behind, r2) = _square_part(xp, da, r)
    x = solved_right(xp, front, r1)
    inner = mul(xp, adjoint(xp, q), x)
    upper = inner - _skew(xp, inner)
    dq, dr = x - mul(xp, q, upper), mul(xp, upper, r1)
    if r2.shape[-1]:
        rest = primals[0][..., r.shape[-2] :]
        moved = mul(xp, adjoint(xp, dq), rest) + mul(xp, adjoint(xp, q), behind)
        dr = xp.concatenate((dr, moved), axis=len(r.shape) - 1)
    return dq, dr


def _qr_vjp(xp, g, k, out, primals, params):
    """(G_Q + Q copyltu(M)) R^-*, M = R G_R* - G_Q* Q, copyltu what ``from_lower`` is."""
    (q, r), (gq, gr) = out, (None if each is None else conj(xp, each) for each in g)
    gq = xp.zeros_like(q) if gq is None else gq
    gr = xp.zeros_like(r) if gr is None else gr
    (_, r1), (behind, r2) = _square_part(xp, primals[0], r)
    (_, g1), (_, g2) = _square_part(xp, primals[0], gr)
    if r2.shape[-1]:
        gq = gq + mul(xp, behind, adjoint(xp, g2))
    m = mul(xp, r1, adjoint(xp, g1)) - mul(xp, adjoint(xp, gq), q)
    share = solved_right(xp, gq + mul(xp, q, from_lower(xp, m)), adjoint(xp, r1))
    if r2.shape[-1]:
        share = xp.concatenate((share, mul(xp, q, g2)), axis=len(r.shape) - 1)
    return conj(xp, share)


# ----- Singular values -----


def _svd_types(op, types, params):
    stack, m, n = matrices(op, types)
    dtype, k = types[0].dtype, min(m, n)
    return (ArrayType(dtype, (*stack, m, k)), real_type(dtype, (*stack, k)), ArrayType(dtype, (*stack, k, n)))


def _svd_parts(xp, out):
    """1 / (s_j^2 - s_i^2), taken apart so that neither overflows; 1 / s; the projections onto what U, and V, leave."""
    u, s, vh = out
    gaps = divided_gaps(xp, s)
    n = s.shape[-1]
    sums = xp.add(row(xp, s) + column(xp, s), eye(s, n))  # the diagonal counts for nothing, and is no 0 / 0
    inverse = 1 / xp.where(s == 0, s.dtype.type(np.nan), s)
    left, right = (
        xp.subtract(eye(x, x.shape[-2]), product(xp, x, adjoint(xp, x))) if x.shape[-2] > n else None
        for x in (u, adjoint(xp, vh))
    )
    return gaps, 1 / sums, inverse, left, right


def _svd_jvp(xp, out, primals, tangents, params):
    """With P = U* dA V: ds = diag(P), dU = U (F o (P S + S P*)) + (I - U U*) dA V / S, and V likewise."""
    (u, s, vh), (da,) = out, tangents
    gaps, sums, inverse, left, right = _svd_parts(xp, out)
    v, uh = adjoint(xp, vh), adjoint(xp, u)
    av, ua = mul(xp, da, v), mul(xp, uh, da)
    p = mul(xp, uh, av)
    ph = adjoint(xp, p)

    def turned(x):
        return xp.scale(gaps, xp.scale(sums, x))

    du = mul(xp, u, turned(xp.scale(row(xp, s), p) + xp.scale(column(xp, s), ph)))
    dv = mul(xp, v, turned(xp.scale(column(xp, s), p) + xp.scale(row(xp, s), ph)))
    if u.dtype.kind == "c":  # the phase of each pair of vectors: all of it to u
        phase = p - real(xp, p)
        du = du + mul(xp, u, xp.scale(eye(u, s.shape[-1]), xp.scale(row(xp, inverse), phase)))
    if left is not None:
        du = du + mul(xp, left, xp.scale(row(xp, inverse), av))
    if right is not None:
        dv = dv + mul(xp, right, xp.scale(row(xp, inverse), adjoint(xp, ua)))
    return du, real(xp, diagonal(xp, p)), adjoint(xp, dv)


def _svd_vjp(xp, g, k, out, primals, params):
    u, s, vh = out
    gu, gs, gvh = (None if each is None else conj(xp, each) for each in g)
    gaps, sums, inverse, left, right = _svd_parts(xp, out)
    uh = adjoint(xp, u)
    inner, outer = [], []

    def turned(x):
        return xp.scale(sums, xp.scale(gaps, x))

    if gs is not None:
        inner.append(xp.scale(eye(u, s.shape[-1]), row(xp, gs)))
    if gu is not None:
        ku = mul(xp, uh, gu)
        q = turned(ku)
        inner.append(xp.scale(row(xp, s), q + adjoint(xp, q)))
        if u.dtype.kind == "c":
            phase = ku - real(xp, ku)
            inner.append(xp.scale(eye(u, s.shape[-1]), xp.scale(row(xp, inverse), phase)))
        if left is not None:
            outer.append(mul(xp, xp.scale(row(xp, inverse), mul(xp, left, gu)), vh))
    if gvh is not None:
        gv = adjoint(xp, gvh)
        q = turned(mul(xp, vh, gv))
        inner.append(xp.scale(column(xp, s), q + adjoint(xp, q)))
        if right is not None:
            outer.append(mul(xp, u, adjoint(xp, xp.scale(row(xp, inverse), mul(xp, right, gv)))))
    terms = [mul(xp, u, sum(inner[1:], inner[0]), vh), *outer]
    return conj(xp, sum(terms[1:], terms[0]))


def _svdvals_jvp(xp, out, primals, tangents, params):
    """ds = diag(U* dA V): no vector is turned, so that equal values do no harm."""
    u, _, vh = xp.svd(primals[0])
    av = mul(xp, tangents[0], adjoint(xp, vh))
    return real(xp, xp.sum(xp.scale(conj(xp, u), av), axis=len(u.shape) - 2))


def _svdvals_vjp(xp, g, k, out, primals, params):
    u, _, vh = xp.svd(primals[0])
    return conj(xp, mul(xp, xp.scale(u, row(xp, g)), vh))


# ----- Eigenvalues of symmetric and hermitian matrices -----


def _eigh_types(op, types, params):
    chosen(op, params, "UPLO", ("L", "U"))
    stack, n, _ = matrices(op, types, square=True)
    return (real_type(types[0].dtype, (*stack, n)), ArrayType(types[0].dtype, types[0].shape))


def _eigh_jvp(xp, out, primals, tangents, params):
    """With M = V* dA V: dw = diag(M), dV = V (F o M), F_ij = 1 / (w_j - w_i)."""
    (w, v), da = out, hermitian_part(xp, tangents[0])
    m = mul(xp, adjoint(xp, v), da, v)
    return real(xp, diagonal(xp, m)), mul(xp, v, xp.scale(divided_gaps(xp, w), m))


def _eigh_vjp(xp, g, k, out, primals, params):
    (w, v), (gw, gv) = out, (None if each is None else conj(xp, each) for each in g)
    terms = [] if gw is None else [xp.scale(v, row(xp, gw))]
    if gv is not None:
        terms.append(mul(xp, v, xp.scale(divided_gaps(xp, w), mul(xp, adjoint(xp, v), gv))))
    return conj(xp, hermitian_part(xp, mul(xp, sum(terms[1:], terms[0]), adjoint(xp, v))))


def _eigvalsh_jvp(xp, out, primals, tangents, params):
    """dw = diag(V* dA V), also where eigenvalues are equal."""
    _, v = xp.eigh(primals[0], **params)
    av = mul(xp, hermitian_part(xp, tangents[0]), v)
    return real(xp, xp.sum(xp.scale(conj(xp, v), av), axis=len(v.shape) - 2))


def _eigvalsh_vjp(xp, g, k, out, primals, params):
    _, v = xp.eigh(primals[0], **params)
    return conj(xp, hermitian_part(xp, mul(xp, xp.scale(v, row(xp, g)), adjoint(xp, v))))


# ----- Eigenvalues of any matrix -----


def _eig(a):
    dtype = np.result_type(a.dtype, np.complex64)
    return tuple(x.astype(dtype) for x in np.linalg.eig(a))


def _eig_types(op, types, params):
    stack, n, _ = matrices(op, types, square=True)
    dtype = np.result_type(types[0].dtype, np.complex64)
    return (ArrayType(dtype, (*stack, n)), ArrayType(dtype, types[0].shape))


def _pinned(xp, v):
    """1 / v where LAPACK turned a vector so that its largest component is real; 0 elsewhere."""
    n = v.shape[-1]
    size = xp.where(xp.imag(v) == 0, xp.absolute(v), -1.0)
    first = xp.argmax(size, axis=len(v.shape) - 2) if n else np.zeros(v.shape[:-1], np.int64)
    here = xp.equal(row(xp, first), np.arange(n, dtype=np.int64)[:, None])
    return xp.where(here, 1 / xp.where(here, v, v.dtype.type(1)), v.dtype.type(0))


def _eig_jvp(xp, out, primals, tangents, params):
    """With M = V^-1 dA V: dw = diag(M), and dV = Y + V diag(c), Y = V (F o M).

    c keeps each vector of length 1 with its largest component real, as LAPACK has it: Re c = -Re(v* y),
    Im c = -Im(y_k) / v_k.
    """
    (w, v), one = out, out[0].dtype.type(1)
    m = mul(xp, solved(xp, v, eyes(xp, v)), xp.scale(one, tangents[0]), v)  # a solve would spread what is NaN
    y = mul(xp, v, xp.scale(divided_gaps(xp, w), m))
    along, at = len(v.shape) - 2, _pinned(xp, v)
    length = xp.real(xp.sum(xp.scale(conj(xp, v), y), axis=along))
    phase = xp.imag(xp.sum(xp.scale(at, y), axis=along))
    c = xp.scale(one, length) + xp.scale(w.dtype.type(1j), phase)
    return diagonal(xp, m), y - xp.scale(v, row(xp, c))


def _eig_vjp(xp, g, k, out, primals, params):
    (w, v), (gw, gv), (a,) = out, g, primals
    one, i = w.dtype.type(1), w.dtype.type(1j)
    terms = [] if gw is None else [on_diagonal(xp, gw)]
    if gv is not None:
        gc = xp.sum(xp.scale(v, gv), axis=len(v.shape) - 2)
        length = xp.scale(conj(xp, v), row(xp, xp.scale(one, xp.real(gc))))
        phase = xp.scale(_pinned(xp, v), row(xp, xp.scale(i, xp.imag(gc))))
        terms.append(xp.scale(divided_gaps(xp, w), mul(xp, flip(xp, v), gv - length - phase)))
    inverse = solved(xp, v, eyes(xp, v))
    share = mul(xp, flip(xp, inverse), sum(terms[1:], terms[0]), flip(xp, v))
    return share if a.dtype.kind == "c" else xp.real(share)


# ----- What completes an orthonormal basis -----


def _complement(a, of):
    n = min(a.shape[-2:])
    if of == "qr":
        return np.linalg.qr(a, "complete")[0][..., n:]
    u, _, vh = np.linalg.svd(a)
    return u[..., n:] if of == "u" else vh[..., n:, :]


def _complement_types(op, types, params):
    chosen(op, params, "of", ("qr", "u", "vh"))
    stack, m, n = matrices(op, types)
    k = min(m, n)
    return (ArrayType(types[0].dtype, (*stack, n - k, n) if params["of"] == "vh" else (*stack, m, m - k)),)


def _complement_jvp(xp, out, primals, tangents, params):
    """Where nothing is missing from the basis, nothing moves."""
    if 0 in out.shape:
        return xp.zeros_like(out)
    raise _undetermined()


def _complement_vjp(xp, g, k, out, primals, params):
    if 0 in g.shape:
        return xp.zeros_like(primals[0])
    raise _undetermined()


def _undetermined():
    message = (
        "The vectors that complete an orthonormal basis (of np.linalg.svd with full_matrices=True, or of np.linalg.qr "
        "with mode='complete') are determined up to a rotation only, and have no derivative. Ask for the thin "
        "factorization, full_matrices=False or mode='reduced', or use them through wg.stop_gradient."
    )
    return DerivativeError(message, op="complement")


cholesky = Library(function=None, name="cholesky",
    call=np.linalg.cholesky,
    types=_same,
    jvp=_cholesky_jvp,
    vjp=_cholesky_vjp,
    doc="The lower L with L L* = A; reads the lower triangle of A, both triangles share the derivative.")
qr = Library(function=None, name="qr",
    call=lambda x: tuple(np.linalg.qr(x)),
    types=_qr_types,
    jvp=_qr_jvp,
    vjp=_qr_vjp,
    doc="Orthonormal columns times an upper triangle; the first min(m, n) columns must be independent.")
svd = Library(function=None, name="svd",
    call=lambda x: tuple(np.linalg.svd(x, full_matrices=False)),
    types=_svd_types,
    jvp=_svd_jvp,
    vjp=_svd_vjp,
    doc="U, s, V* with U diag(s) V* = A, thin; what depends on a turn of vectors with equal s is NaN.")
svdvals = Library(function=None, name="svdvals",
    call=lambda x: np.linalg.svd(x, compute_uv=False),
    types=lambda op, types, params: (_svd_types(op, types, params)[1],),
    jvp=_svdvals_jvp,
    vjp=_svdvals_vjp,
    doc="The singular values, largest first; at equal ones, the derivative in the basis that NumPy finds.")
eigh = Library(function=None, name="eigh", params=("UPLO",),
    call=lambda x, UPLO: tuple(np.linalg.eigh(x, UPLO)),
    types=_eigh_types,
    jvp=_eigh_jvp,
    vjp=_eigh_vjp,
    doc="Eigenvalues and vectors; reads one triangle, both share the derivative; what turns equal ones is NaN.")
eigvalsh = Library(function=None, name="eigvalsh", params=("UPLO",),
    call=lambda x, UPLO: np.linalg.eigvalsh(x, UPLO),
    types=lambda op, types, params: (_eigh_types(op, types, params)[0],),
    jvp=_eigvalsh_jvp,
    vjp=_eigvalsh_vjp,
    doc="The eigenvalues of eigh; at equal ones, the derivative in the basis that NumPy finds.")
eig = Library(function=None, name="eig",
    call=_eig,
    types=_eig_types,
    jvp=_eig_jvp,
    vjp=_eig_vjp,
    doc="Eigenvalues and vectors, complex; vectors of length 1 with the largest component real, as LAPACK has them.")
complement = Library(function=None, name="complement", params=("of",),
    call=_complement,
    types=_complement_types,
    jvp=_complement_jvp,
    vjp=_complement_vjp,
    doc="What completes the basis of a thin factorization; has no derivative, which is said in words.")
