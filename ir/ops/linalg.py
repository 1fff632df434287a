"""Linear systems, determinants and inverses, batched: the last two axes are the matrix.

Rules after Giles, "Collected matrix derivative results" (2008), Magnus and Neudecker, "Matrix Differential Calculus"
(1988), and Golub and Pereyra, "The differentiation of pseudo-inverses" (1973).
"""

import functools
import itertools

import numpy as np

from wengert.ir.errors import GraphTypeError
from wengert.ir.kinds import Library
from wengert.ir.ops.matrices import (
    LETTERS,
    adjoint,
    along_directions,
    chosen,
    conj,
    eye,
    eyes,
    flip,
    from_lower,
    hermitian_part,
    matrices,
    mul,
    over,
    pairing,
    product,
    real_type,
    solved,
)
from wengert.ir.types import ArrayType

# ----- Linear systems -----


def _solve(a, b, singular):
    try:
        return np.linalg.solve(a, b)
    except np.linalg.LinAlgError:
        if singular == "raise":
            raise
    if a.ndim > 2:
        return np.stack([_solve(each, right, singular) for each, right in zip(a, b, strict=True)])
    nothing = (b == 0).all(axis=0)  # a zero flows through what is undetermined, as it does through ``scale``
    unknown = complex(np.nan, np.nan) if b.dtype.kind == "c" else np.nan  # both parts of a number
    return np.where(nothing, b.dtype.type(0), np.full(b.shape, unknown, b.dtype))


def _solve_types(op, types, params):
    chosen(op, params, "singular", ("raise", "nan"))
    _, n, _ = matrices(op, types, 2, square=True)
    if types[1].shape[-2] != n:
        message = f"solve: expected a right side with {n} rows, got {types[1]}."
        raise GraphTypeError(message, op=op.name)
    return (ArrayType(types[1].dtype, types[1].shape),)


def _solve_jvp(xp, out, primals, tangents, params):
    """A X = B: dX = A^-1 (dB - dA X)."""
    (a, _), (da, db) = primals, tangents
    if da is None:
        return xp.solve(a, db, **params)
    right = -mul(xp, da, out)
    return xp.solve(a, right if db is None else db + right, **params)


def _solve_vjp(xp, g, k, out, primals, params):
    share = xp.solve(flip(xp, primals[0]), g, **params)
    return share if k == 1 else -mul(xp, share, flip(xp, out))


# ----- Determinants -----


@functools.lru_cache(maxsize=64)
def _left_out(n, k):
    """For each tuple of k of n indices: the values that are left; whether the indices are different."""
    tuples = np.indices((n,) * k).reshape(k, -1)
    kept = np.ones((n, tuples.shape[1]), bool)
    for i in tuples:
        kept[i, np.arange(tuples.shape[1])] = False
    return kept, kept.sum(axis=0) == n - k


@functools.lru_cache(maxsize=16)
def _terms(k):
    """For each permutation of k indices: its sign, which entries meet, and whether the first index stays."""
    letters, found = LETTERS[:k], []
    for order in itertools.permutations(range(k)):
        meet = ",".join(f"...{letters[i]}{letters[order[i]]}" for i in range(1, k))
        place = letters[0] if order[0] == 0 else letters[0] + letters[order[0]]
        odd = sum(x > y for x, y in itertools.combinations(order, 2)) % 2
        found.append((-1 if odd else 1, f"...{letters}{',' if k > 1 else ''}{meet}->...{place}", order[0] == 0))
    return found


def _cofactors(a, *directions):
    """With A = U S V, the cofactors of A are conj(U) cof(S) conj(V) times det(U V); those of a diagonal S and their
    derivatives are sums of products of singular values, one left out per direction and one more: no division."""
    n, k = a.shape[-1], len(directions)
    if n == 0:
        return a.copy()
    u, s, vh = np.linalg.svd(a)
    kept, differ = _left_out(n, k + 1)
    products = np.where(kept, s[..., None], 1).prod(axis=-2) * differ
    products = products.reshape(*s.shape[:-1], *(n,) * (k + 1))
    turned = [np.swapaxes(u.conj(), -1, -2) @ e @ np.swapaxes(vh.conj(), -1, -2) for e in directions]
    total = np.zeros(a.shape, np.result_type(a, float) if a.dtype.kind == "c" else np.float64)
    for sign, subscripts, stays in _terms(k + 1):
        term = np.einsum(subscripts, products, *turned)
        # the entry at (row, col) is what an entry of one more direction there would be multiplied with
        total += sign * (term[..., None] * np.eye(n) if stays else term)
    phase = np.linalg.det(u) * np.linalg.det(vh)
    whole = np.matmul(np.matmul(u.conj(), total), vh.conj())
    return (phase[..., None, None] * whole).astype(a.dtype)


def _cofactors_types(op, types, params):
    matrices(op, types, None, square=True)
    return (ArrayType(types[0].dtype, types[0].shape),)


def _cofactors_vjp(xp, g, k, out, primals, params):
    """A higher derivative of one function, det, is symmetric: the cotangent is one direction like the others."""
    a, *directions = primals
    return xp.cofactors(a, *directions, g) if k == 0 else xp.cofactors(a, *directions[: k - 1], g, *directions[k:])


def _det_types(op, types, params):
    stack, _, _ = matrices(op, types, square=True)
    return (ArrayType(types[0].dtype, stack),)


def _slogdet_types(op, types, params):
    (sign,) = _det_types(op, types, params)
    return (sign, real_type(sign.dtype, sign.shape))


def _slogdet_jvp(xp, out, primals, tangents, params):
    """d log det A = tr(A^-1 dA); the sign of a real determinant is locally constant."""
    (a,), (da,) = primals, tangents
    trace = pairing(xp, eye(a, a.shape[-1]), solved(xp, a, da))
    if a.dtype.kind != "c":
        return None, trace
    return xp.scale(out[0], trace - xp.real(trace)), xp.real(trace)


def _slogdet_vjp(xp, g, k, out, primals, params):
    (a,), (over_sign, over_log) = primals, g
    inverse = flip(xp, solved(xp, a, eyes(xp, a)))
    total = None if over_log is None else xp.scale(inverse, over(xp, over_log))
    if a.dtype.kind != "c":
        return total
    if over_sign is None:
        return total
    turn = xp.scale(out[0], over_sign)
    share = xp.scale(inverse, over(xp, xp.scale(turn - conj(xp, turn), a.dtype.type(0.5))))
    return share if total is None else total + share


# ----- Inverses of matrices of any rank -----


def _pinv(a, rtol, hermitian):
    return np.linalg.pinv(a, rtol, hermitian)


def _pinv_types(op, types, params):
    stack, m, n = matrices(op, types, square=params["hermitian"])
    return (ArrayType(types[0].dtype, (*stack, n, m)),)


def _read(xp, a):
    """The hermitian matrix that NumPy finds in the lower triangle; its derivative both triangles share."""
    shared = hermitian_part(xp, a)
    return shared + xp.stop_gradient(from_lower(xp, a) - shared)


def _residues(xp, a, p):
    """The projections onto what A does not reach, and onto what it does not read: I - A P and I - P A."""
    m, n = a.shape[-2:]
    return xp.subtract(eye(a, m), product(xp, a, p)), xp.subtract(eye(a, n), product(xp, p, a))


def _pinv_jvp(xp, out, primals, tangents, params):
    """Where the rank is constant (Golub and Pereyra): dP = -P dA P + P P* dA* (I - A P) + (I - P A) dA* P* P."""
    (a,), (da,), p = primals, tangents, out
    if params["hermitian"]:
        a, da = _read(xp, a), hermitian_part(xp, da)
    back, ph = adjoint(xp, da), adjoint(xp, p)
    unreached, unread = _residues(xp, a, p)
    return (mul(xp, p, ph, mul(xp, back, unreached)) - mul(xp, p, da, p)) + mul(xp, unread, back, mul(xp, ph, p))


def _pinv_vjp(xp, g, k, out, primals, params):
    (a,), p = primals, out
    a = _read(xp, a) if params["hermitian"] else a
    g, ph = conj(xp, g), adjoint(xp, out)
    gh = adjoint(xp, g)
    unreached, unread = _residues(xp, a, p)
    both = mul(xp, unreached, gh, product(xp, p, ph)) + mul(xp, ph, p, mul(xp, gh, unread))
    share = conj(xp, both - mul(xp, ph, g, ph))
    return hermitian_part(xp, share) if params["hermitian"] else share


def _lstsq(a, b, rcond):
    stack = a.shape[:-2]
    x, rank = np.empty((*stack, a.shape[-1], b.shape[-1]), a.dtype), np.empty(stack, np.int32)
    for i in np.ndindex(stack):
        x[i], _, rank[i], _ = np.linalg.lstsq(a[i], b[i], rcond)
    return x, rank


def _lstsq_types(op, types, params):
    stack, m, n = matrices(op, types, 2)
    if types[1].shape[-2] != m:
        message = f"lstsq: expected two matrices with as many rows, got {', '.join(map(str, types))}."
        raise GraphTypeError(message, op=op.name)
    x = ArrayType(types[0].dtype, (*stack, n, types[1].shape[-1]))
    return (x, ArrayType(np.dtype(np.int32), stack))


def _cutoff(a, rcond):
    """Singular values below this share of the largest are zeros to NumPy's lstsq."""
    return float(np.finfo(a.dtype).eps) * max(a.shape[-2:]) if rcond is None else rcond


def _lstsq_jvp(xp, out, primals, tangents, params):
    """X = P B, P the pseudo-inverse, and dP B by the rule of that."""
    (a, b), (da, db), (x, _) = primals, tangents, out
    p = xp.pinv(a, rtol=_cutoff(a, params["rcond"]), hermitian=False)
    terms = [] if db is None else [mul(xp, p, db)]
    if da is not None:
        ph, (_, unread) = adjoint(xp, p), _residues(xp, a, p)
        residual = b - product(xp, a, x)
        terms += [-mul(xp, p, da, x), mul(xp, product(xp, p, ph), adjoint(xp, da), residual)]
        terms += [mul(xp, unread, adjoint(xp, da), product(xp, ph, x))]
    return sum(terms[1:], terms[0]), None


def _lstsq_vjp(xp, g, k, out, primals, params):
    (a, b), (x, _), g = primals, out, conj(xp, g[0])
    p = xp.pinv(a, rtol=_cutoff(a, params["rcond"]), hermitian=False)
    ph = adjoint(xp, p)
    if k == 1:
        return conj(xp, mul(xp, ph, g))
    (_, unread), gh = _residues(xp, a, p), adjoint(xp, g)
    residual = b - product(xp, a, x)
    share = mul(xp, residual, gh, product(xp, p, ph)) + mul(xp, product(xp, ph, x), gh, unread)
    return conj(xp, share - mul(xp, ph, g, adjoint(xp, x)))


solve = Library(function=None, name="solve", params=("singular",), linear=(1,),
    call=_solve,
    types=_solve_types,
    jvp=_solve_jvp,
    vjp=_solve_vjp,
    doc="A^-1 B; a singular A is an error, or gives NaN, as `singular` says.")
cofactors = Library(function=None, name="cofactors", linear=tuple(range(1, 9)),
    call=_cofactors,
    types=_cofactors_types,
    jvp=along_directions("cofactors"),
    vjp=_cofactors_vjp,
    doc="The derivative of det, a matrix, or the next ones in given directions; exact at every rank.")
det = Library(function=None, name="det",
    call=np.linalg.det,
    types=_det_types,
    jvp=lambda xp, out, primals, tangents, params: pairing(xp, xp.cofactors(primals[0]), tangents[0]),
    vjp=lambda xp, g, k, out, primals, params: xp.scale(xp.cofactors(primals[0]), over(xp, g)),
    doc="The determinant; its derivative is the matrix of cofactors, also where A is singular.")
slogdet = Library(function=None, name="slogdet",
    call=np.linalg.slogdet,
    types=_slogdet_types,
    jvp=_slogdet_jvp,
    vjp=_slogdet_vjp,
    doc="Sign (locally constant for reals) and log |det A|; the derivative is NaN where A is singular.")
pinv = Library(function=None, name="pinv", params=("rtol", "hermitian"),
    call=_pinv,
    types=_pinv_types,
    jvp=_pinv_jvp,
    vjp=_pinv_vjp,
    doc="The pseudo-inverse; singular values up to `rtol` times the largest are zeros, and stay so.")
lstsq = Library(function=None, name="lstsq", params=("rcond",),
    call=_lstsq,
    types=_lstsq_types,
    jvp=_lstsq_jvp,
    vjp=_lstsq_vjp,
    doc="The shortest X with the least |A X - B|, and the rank of A, which stays what it is.")
