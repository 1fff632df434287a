"""The algebra of matrices that the rules of linear algebra are written in: stacks of them, on the last two axes.

Cotangents pair with tangents by Re(sum(g * t)), without conjugation.  The literature pairs them by
Re(sum(conj(g) * t)): its formulas hold between the conjugates, ``conj(rule(conj(g)))``, and for real matrices as they
stand.  Products with a
tangent or cotangent are scaled: a term with an exact zero is zero, so that what is undetermined (NaN) flows only where
something depends on it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.ir.errors import GraphTypeError
from wengert.ir.types import ArrayType

LETTERS = "abcdefghijklmnopqrstuvw"


def conj(xp: Any, x: Any) -> Any:
    """The conjugate; a real array is its own."""
    return xp.conjugate(x) if x.dtype.kind == "c" else x


def real(xp: Any, x: Any) -> Any:
    """The real part."""
    return xp.real(x) if x.dtype.kind == "c" else x


def flip(xp: Any, x: Any) -> Any:
    """The transpose of each matrix."""
    n = len(x.shape)
    return xp.transpose(x, (*range(n - 2), n - 1, n - 2))


def adjoint(xp: Any, x: Any) -> Any:
    """The conjugate transpose."""
    return conj(xp, flip(xp, x))


def mul(xp: Any, *factors: Any) -> Any:
    """The product of matrices of which one is a tangent or cotangent, or comes from one."""
    out = factors[0]
    lead = LETTERS[: len(out.shape) - 2]
    for factor in factors[1:]:
        out = xp.einsum(f"{lead}xy,{lead}yz->{lead}xz", out, factor, scaled=True)
    return out


def product(xp: Any, x: Any, y: Any) -> Any:
    """The product of two known matrices."""
    lead = LETTERS[: len(x.shape) - 2]
    return xp.einsum(f"{lead}xy,{lead}yz->{lead}xz", x, y)


def pairing(xp: Any, x: Any, t: Any) -> Any:
    """sum(x * t) over each matrix."""
    return xp.sum(xp.scale(x, t), axis=(len(t.shape) - 2, len(t.shape) - 1))


def row(xp: Any, v: Any) -> Any:
    """A vector as what scales the columns of a matrix."""
    return xp.reshape(v, (*v.shape[:-1], 1, v.shape[-1]))


def column(xp: Any, v: Any) -> Any:
    """A vector, or a number per matrix, as what scales the rows of a matrix."""
    return xp.reshape(v, (*v.shape, 1))


def over(xp: Any, g: Any) -> Any:
    """A number per matrix, to meet each entry of it."""
    return xp.reshape(g, (*g.shape, 1, 1))


def eye(x: Any, n: int) -> Any:
    """The identity of size n, in the dtype of x."""
    return np.eye(n, dtype=x.dtype)


def eyes(xp: Any, x: Any) -> Any:
    """A stack of identities, one per square matrix of x."""
    return xp.broadcast_to(eye(x, x.shape[-1]), x.shape)


def mask(x: Any, weights: Any) -> Any:
    """A pattern of 0, 1/2 and 1 in the dtype of x."""
    return np.asarray(weights, x.dtype)


def lower(xp: Any, x: Any, diagonal: float = 1.0) -> Any:
    """The lower triangle, the diagonal times a number."""
    n = x.shape[-1]
    return xp.scale(mask(x, np.tri(n, k=-1) + diagonal * np.eye(n)), x)


def diagonal(xp: Any, x: Any) -> Any:
    """The diagonal of each square matrix, as a vector."""
    return xp.sum(xp.scale(eye(x, x.shape[-1]), x), axis=len(x.shape) - 1)


def on_diagonal(xp: Any, v: Any) -> Any:
    """Diagonal matrices."""
    return xp.scale(eye(v, v.shape[-1]), row(xp, v))


def hermitian_part(xp: Any, x: Any) -> Any:
    """What a function that reads one triangle takes a matrix for: both triangles share."""
    half = x.dtype.type(0.5)
    return xp.scale(half, x + adjoint(xp, x))


def from_lower(xp: Any, x: Any) -> Any:
    """The hermitian matrix with the lower triangle of x."""
    under = lower(xp, x, 0.0)
    return under + adjoint(xp, under) + real(xp, lower(xp, x) - under)


def solved(xp: Any, a: Any, b: Any) -> Any:
    """``a^-1 b``; NaN where a is singular: for rules of ops that have a value there."""
    return xp.solve(a, b, singular="nan")


def solved_right(xp: Any, b: Any, a: Any) -> Any:
    """``b a^-1``."""
    return flip(xp, solved(xp, flip(xp, a), flip(xp, b)))


def divided_gaps(xp: Any, w: Any) -> Any:
    """1 / (w_j - w_i) for each pair of values of each row; 0 on the diagonal.

    Values that rounding cannot tell apart belong together: their vectors may be turned into each other, and what
    depends on that turn has no derivative: NaN.
    """
    n = w.shape[-1]
    if n < 2:
        return xp.broadcast_to(np.zeros((n, n), w.dtype), (*w.shape, n))
    gaps = row(xp, w) - column(xp, w)
    size = over(xp, xp.max(xp.absolute(w), axis=len(w.shape) - 1))
    one = np.eye(n, dtype=bool)
    near = xp.logical_and(xp.absolute(gaps) <= size * (4 * n * float(np.finfo(w.dtype).eps)), ~one)
    apart = gaps * xp.where(near, w.dtype.type(np.nan), w.dtype.type(1))
    return xp.where(one, w.dtype.type(0), 1 / xp.where(one, w.dtype.type(1), apart))


def along_directions(name: str) -> Any:
    """The jvp of an op that is a derivative at a matrix, along directions: one more, and linear in each of them."""

    def jvp(xp: Any, out: Any, primals: Any, tangents: Any, params: Any) -> Any:
        op, (a, *directions), (da, *moved) = getattr(xp, name), primals, tangents
        terms = [] if da is None else [op(a, *directions, da)]
        terms += [op(a, *directions[:i], t, *directions[i + 1 :]) for i, t in enumerate(moved) if t is not None]
        return sum(terms[1:], terms[0])

    return jvp


# -- types ----------------------------------------------------------------------------------------


def matrices(op: Any, types: Any, count: int | None = 1, *, square: bool = False) -> tuple[Any, ...]:
    """Check that the operands are stacks of matrices of one inexact dtype and one stack shape; the first one's
    stack shape, rows and columns."""
    ok = (count is None or len(types) == count) and bool(types) and all(t.ndim >= 2 for t in types)
    ok = ok and len({(t.dtype, t.shape[:-2]) for t in types}) == 1 and types[0].dtype.kind in "fc"
    ok = ok and (not square or types[0].shape[-1] == types[0].shape[-2])
    if not ok:
        wanted = f"{count or 'some'} stack{'s' if count != 1 else ''} of {'square ' if square else ''}matrices"
        message = f"{op.name}: expected {wanted} of one float dtype, got {', '.join(map(str, types))}."
        raise GraphTypeError(message, op=op.name)
    return types[0].shape[:-2], types[0].shape[-2], types[0].shape[-1]


def real_type(dtype: np.dtype[Any], shape: tuple[int, ...]) -> ArrayType:
    """An array of the real numbers that a dtype is made of."""
    return ArrayType(np.empty(0, dtype).real.dtype, shape)


def chosen(op: Any, params: Any, name: str, choices: tuple[str, ...]) -> str:
    """A parameter that is one of some words."""
    if params[name] not in choices:
        message = f"{op.name}: expected {name} to be one of {choices}, got {params[name]!r}."
        raise GraphTypeError(message, op=op.name)
    return params[name]
