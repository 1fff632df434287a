"""The ops that are not elementwise, once more at 40 digits: NumPy's own loops over mpmath's numbers, and mpmath's linear algebra.

A difference over a step of 1e-13 is then a derivative to 26 digits, so that what the laws measure is the error of our rules,
not the oracle's.
"""

from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import oracles
from control_samples import CONTROL
from samples import Sample

from wengert.ir.kinds import Contraction, Cumulative, Elementwise, Reduction
from wengert.ir.types import is_inexact

mp = mpmath.mp
DIGITS, STEP = 40, "1e-13"
KEPT = 200  # matrices, of each function


def jacobian(sample: Sample) -> np.ndarray:
    """As ``oracles.jacobian``, but for its rounding; of what ``covers`` knows."""
    with mp.workdps(DIGITS):
        exact = [_numbers(x) if is_inexact(x.dtype) else x for x in sample.operands]
        step, columns = mp.mpf(STEP), []
        for k in sample.active:
            for direction in oracles.directions(sample.operands[k].dtype):
                for i in range(exact[k].size):
                    high, low = (_flat(_value(sample, _moved(exact, k, i, sign * step * direction)), sample) for sign in (1, -1))
                    columns.append(np.array([float((b - a) / (2 * step)) for a, b in zip(low, high, strict=True)]))
        rows = len(_flat(_value(sample, exact), sample))
    return np.stack(columns, axis=1) if columns else np.zeros((rows, 0))


def covers(sample: Sample) -> bool:
    """Whether there is a formula, and numbers of double precision to compare with it.

    mpmath knows no matrices without elements, and no order of complex numbers; second derivatives of matrix functions take
    it minutes.
    """
    op, kinds = sample.op, {x.dtype for x in (*sample.operands, *sample.result_types) if is_inexact(x.dtype)}
    if isinstance(op, Elementwise) or not sample.smooth or not kinds <= {np.dtype(np.float64), np.dtype(np.complex128)}:
        return False
    if op.name in ("max", "min", "sort") and sample.is_complex:
        return False
    if isinstance(op, Reduction | Cumulative | Contraction) or op.name in PLAIN:
        return True
    return op.name in FORMULAS and all(x.size for x in sample.operands) and (op.name == "solve" or len(sample.operands) < 3)


def _numbers(x: np.ndarray) -> np.ndarray:
    out = np.empty(x.shape, object)
    out.ravel()[:] = [(mp.mpc if x.dtype.kind == "c" else mp.mpf)(v) for v in x.ravel().tolist()]
    return out


def _moved(operands: list[Any], k: int, i: int, by: Any) -> list[Any]:
    moved = operands[k].copy()
    moved.flat[i] = moved.flat[i] + by
    return [*operands[:k], moved, *operands[k + 1 :]]


def _flat(values: Any, sample: Sample) -> list[Any]:
    out: list[Any] = []
    for value, type_ in zip(values, sample.result_types, strict=True):
        if is_inexact(type_.dtype):
            each = np.asarray(value, object).ravel().tolist()
            out += [mp.re(v) for v in each]
            out += [mp.im(v) for v in each] if type_.dtype.kind == "c" else []
    return out


def _value(sample: Sample, operands: list[Any]) -> tuple[Any, ...]:
    op, params = sample.op, sample.params
    if isinstance(op, Reduction):
        out = op.function(operands[0], axis=params["axes"])
    elif isinstance(op, Cumulative):
        out = _running(op, *operands, **params)
    elif isinstance(op, Contraction):
        out = np.einsum(params["subscripts"], *operands)
    elif op.name in ALIGNED:
        out = FORMULAS[op.name](*operands, like=oracles.value(sample))
    else:
        out = FORMULAS[op.name](*operands, **params)
    return out if isinstance(out, tuple) else (out,)


def _running(op: Any, *operands: Any, axis: int, reverse: bool) -> Any:
    if op.fold != "linear":
        return oracles.running(op, *operands, axis=axis, reverse=reverse)
    carry, x = (np.moveaxis(np.flip(v, axis) if reverse else v, axis, 0) for v in operands)
    out = x.copy()
    for i in range(1, len(x)):
        out[i] = x[i] + carry[i] * out[i - 1]
    out = np.moveaxis(out, 0, axis)
    return np.flip(out, axis) if reverse else out


# ----- Linear algebra -----


def matrixwise(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of matrices, which gives one result or several, on stacks of them; ``like`` are what NumPy found.

    Of a stack one matrix is moved at a time: what was found of the others is kept.
    """
    found: dict[Any, Any] = {}

    def stacked(*operands: Any, like: tuple[np.ndarray, ...] | None = None, **params: Any) -> Any:
        stack = operands[0].shape[:-2]
        if not stack:
            key = (mp.prec, repr(params), *((x.shape, *x.ravel().tolist()) for x in operands), *(x.tobytes() for x in like or ()))
            if key not in found:
                made = function(*map(_matrix, operands), **params, **({} if like is None else {"like": like}))
                found[key] = tuple(map(_array, made)) if isinstance(made, tuple) else _array(made)
                if len(found) > KEPT:
                    del found[next(iter(found))]
            return found[key]
        each = [stacked(*(x[i] for x in operands), **params, **({} if like is None else {"like": tuple(x[i] for x in like)}))
                for i in range(stack[0])]  # fmt: skip
        return tuple(map(np.stack, zip(*each, strict=True))) if isinstance(each[0], tuple) else np.stack(each)

    return stacked


def _matrix(x: np.ndarray) -> Any:
    return mp.matrix(x.tolist())


def _array(x: Any) -> np.ndarray:
    return np.array(x.tolist(), object) if isinstance(x, mp.matrix) else np.array(x, object)


def _half(a: Any) -> Any:
    return (a + a.H) / 2


def _slogdet(a: Any) -> Any:
    det = mp.det(a)
    return det / abs(det), mp.log(abs(det))


def _minors(a: Any) -> Any:
    n = a.rows

    def minor(i: int, j: int) -> Any:
        rest = [[a[r, c] for c in range(n) if c != j] for r in range(n) if r != i]
        return (-1) ** (i + j) * (mp.det(mp.matrix(rest)) if rest else mp.mpf(1))

    return mp.matrix([[minor(i, j) for j in range(n)] for i in range(n)])


def _cofactors(a: Any, *directions: Any) -> Any:
    """Polynomials of degree 2 at most for the sizes of the samples: differences are derivatives."""
    match directions:
        case ():
            return _minors(a)
        case (e,):
            return (_minors(a + e) - _minors(a - e)) / 2
        case (e, f):
            return _minors(a + e + f) - _minors(a + e) - _minors(a + f) + _minors(a)


def _pinv(a: Any, hermitian: bool = False, **_: Any) -> Any:
    """Of full rank."""
    if hermitian:
        return _half(a) ** -1
    return (a.H * a) ** -1 * a.H if a.rows >= a.cols else a.H * (a * a.H) ** -1


def _qr(a: Any, like: Any) -> Any:
    """R* R = A* A for the first columns; its diagonal has the signs that LAPACK chose."""
    n = min(a.rows, a.cols)
    first = a[:, 0:n]
    signs = mp.diag([mp.sign(mp.re(like[1][i, i].item())) for i in range(n)])
    r = signs * mp.cholesky(first.H * first).H
    q = first * r**-1
    return q, q.H * a


def _svd(a: Any, like: Any) -> Any:
    u, s, vh = mp.svd(a)
    turns = [_turn([vh[k, i] for i in range(vh.cols)], like[2][k]) for k in range(vh.rows)]
    return u * mp.diag([mp.conj(turn) for turn in turns]), np.array(list(s), object), mp.diag(turns) * vh


def _eigh(a: Any, like: Any) -> Any:
    w, v = mp.eighe(_half(a))
    turns = [_turn([v[i, k] for i in range(v.rows)], like[1][:, k]) for k in range(v.cols)]
    return np.array(list(w), object), v * mp.diag(turns)


def _turn(vector: Any, like: Any) -> Any:
    """The sign or phase that turns a vector to another, as in ``oracles.aligned``."""
    along = sum(mp.conj(x.item()) * y for x, y in zip(like, vector, strict=True))
    return mp.conj(along) / abs(along)


def _eig(a: Any, like: Any) -> Any:
    """In NumPy's order; vectors of length 1, their largest component real and with NumPy's sign."""
    w, v = mp.eig(a)
    values, columns = [], []
    for found, vector in zip(like[0].tolist(), like[1].T, strict=True):
        k = min(range(len(w)), key=lambda k, found=found: abs(w[k] - found))
        largest = int(np.argmax(abs(vector)))
        scale = mp.norm(v[:, k]) * v[largest, k] / abs(v[largest, k]) * mp.sign(vector[largest].real.item())
        values.append(w[k])
        columns.append([x / scale for x in v[:, k]])
    return np.array(values, object), np.array(columns, object).T


def _expm(a: Any, *directions: Any) -> Any:
    """Derivatives are blocks of the exponential of a larger matrix (Mathias, SIAM J. Matrix Anal. Appl. 17, 1996)."""
    n, blocks = a.rows, a
    for e in directions:
        m = blocks.rows
        larger = mp.zeros(2 * m)
        for i in range(m):
            for j in range(m):
                larger[i, j] = larger[m + i, m + j] = blocks[i, j]
        for b in range(m // n):
            for i in range(n):
                for j in range(n):
                    larger[b * n + i, m + b * n + j] = e[i, j]
        blocks = larger
    whole = mp.expm(blocks, method="taylor")
    return whole[0:n, whole.cols - n : whole.cols]


# ----- Transforms -----


def _dft(x: Any, sign: int, axis: int, norm: str, kept: int | None = None) -> Any:
    n = x.shape[axis]
    factor = {"ortho": 1 / mp.sqrt(n), "forward": mp.one / n if sign < 0 else mp.one, "backward": mp.one if sign < 0 else mp.one / n}[norm]
    turns = [[factor * mp.expjpi(mp.mpf(2 * sign * (i * j % n)) / n) for j in range(n)] for i in range(n if kept is None else kept)]
    return np.moveaxis(np.tensordot(np.array(turns, object), x, ([1], [axis])), 0, axis)


def _irfft(x: Any, n: int, axis: int, norm: str) -> Any:
    """Of the whole, symmetric spectrum."""
    lines = np.moveaxis(x, axis, 0)
    whole = np.concatenate((lines, np.conj(lines[1 : (n + 1) // 2][::-1])))
    for alone in (0, n // 2) if n % 2 == 0 else (0,):
        whole[alone] = (whole[alone] + np.conj(whole[alone])) / 2
    return np.moveaxis(_dft(whole, 1, 0, norm), 0, axis)


#: Formulas that do with any shape.
PLAIN: dict[str, Callable[..., Any]] = {
    **{name: oracles.FORMULAS[name] for name in (
        "reshape", "transpose", "broadcast_to", "concatenate", "slice", "place", "take", "scatter_add", *CONTROL)},
    "sort": lambda x, axis: np.sort(x, axis=axis),
}  # fmt: skip
_eighs = matrixwise(_eigh)
#: Those of vectors that are known up to a sign.
ALIGNED: dict[str, Callable[..., Any]] = {
    "qr": matrixwise(_qr), "svd": matrixwise(_svd), "eig": matrixwise(_eig),
    "eigh": lambda a, like: _eighs(a, like=like), "eigh_evr": lambda a, like: _eighs(a, like=like),
}  # fmt: skip
FORMULAS: dict[str, Callable[..., Any]] = {
    **PLAIN, **ALIGNED,
    "solve": matrixwise(lambda a, b, singular: a**-1 * b),
    "det": matrixwise(mp.det), "slogdet": matrixwise(_slogdet), "cofactors": matrixwise(_cofactors),
    "pinv": matrixwise(_pinv), "lstsq": matrixwise(lambda a, b, rcond: (_pinv(a) * b, min(a.rows, a.cols))),
    "cholesky": matrixwise(lambda a: mp.cholesky(_half(a))),
    "svdvals": matrixwise(lambda a: np.array(list(mp.svd(a, compute_uv=False)), object)),
    "eigvalsh": matrixwise(lambda a, UPLO: np.array(list(mp.eighe(_half(a), eigvals_only=True)), object)),
    "expm": matrixwise(_expm), "expm_along": matrixwise(_expm),
    "fft": lambda x, axis, norm: _dft(x, -1, axis, norm), "ifft": lambda x, axis, norm: _dft(x, 1, axis, norm),
    "rfft": lambda x, n, axis, norm: _dft(x, -1, axis, norm, n // 2 + 1), "irfft": _irfft,
}  # fmt: skip
