"""What the ops mean, said again and independently: NumPy for values, mpmath and differences for derivatives."""

import functools
import itertools
import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
from attrs import evolve
from samples import Sample

from wengert.ir.kinds import Cumulative, Elementwise, Reduction
from wengert.ir.types import DTYPES, is_inexact

# ----- Values -----


def value(sample: Sample, operands: Any = None) -> tuple[np.ndarray, ...]:
    """What NumPy's own function gives, or, for the ops that NumPy does not have, a formula."""
    return apply(sample.op, sample.operands if operands is None else operands, sample.params)


def apply(op: Any, operands: Any, params: dict[str, Any]) -> tuple[np.ndarray, ...]:
    """The results of one op."""
    with np.errstate(all="ignore"):
        if op.name in FORMULAS:
            out = FORMULAS[op.name](*operands, **params)
        elif isinstance(op, Elementwise):
            out = op.function(*operands)
        elif isinstance(op, Reduction):
            out = reduced(op, operands[0], params["axes"])
        elif isinstance(op, Cumulative):
            out = running(operands[0], **params)
        else:
            raise LookupError(f"tests/oracles.py does not say what {op.name!r} means: add a formula.")
    return tuple(map(np.asarray, out)) if isinstance(out, tuple) else (np.asarray(out),)


def reduced(op, x, axes):
    if op.fold in ("argmax", "argmin"):
        kept = [a for a in range(x.ndim) if a not in axes]
        flat = x.transpose(*kept, *axes).reshape(*(x.shape[a] for a in kept), math.prod(x.shape[a] for a in axes))
        return op.function(flat, axis=-1)
    keep = {"dtype": x.dtype} if op.fold in "+*" else {}
    return op.function(x, axis=axes, **keep)


def running(x, axis, reverse):
    turned = np.flip(x, axis) if reverse else x
    out = np.cumsum(turned, axis=axis, dtype=x.dtype)
    return np.flip(out, axis) if reverse else out


def _grid(start, size, step):
    return np.ix_(*(s + d * np.arange(n) for s, n, d in zip(start, size, step, strict=True)))


def _slice(x, start, size, step):
    return x[_grid(start, size, step)] if start else x


def _place(x, shape, start, step):
    out = np.zeros(shape, x.dtype)
    out[_grid(start, x.shape, step) if start else ...] = x
    return out


def _scatter_add(updates, indices, axis, size):
    out = np.zeros((*updates.shape[:axis], size, *updates.shape[axis + indices.ndim :]), updates.dtype)
    lead = (slice(None),) * axis
    for where in np.ndindex(indices.shape):
        here, there = (*lead, int(indices[where])), (*lead, *where)
        out[here] = out[here] + updates[there]
    return out


def _scale(p, t):
    return np.where((p == 0) | (t == 0), np.where(np.isnan(p * t), 0, p * t), p * t).astype(p.dtype)


def _scale_einsum(x, y, subscripts):
    """Term by term; a term with an exact zero is zero."""
    names, out = subscripts.split("->")
    first, second = names.split(",")
    sizes = dict(zip(first + second, x.shape + y.shape, strict=True))
    letters = list(sizes)
    total = np.zeros([sizes[c] for c in out], x.dtype)
    for index in itertools.product(*(range(sizes[c]) for c in letters)):
        at = dict(zip(letters, index, strict=True))
        a, b = x[tuple(at[c] for c in first)], y[tuple(at[c] for c in second)]
        if a != 0 and b != 0:
            total[tuple(at[c] for c in out)] += a * b
    return total


def _product(x, y):
    return x * y + x


#: The graphs of samples.callees.
CALLEES: dict[str, Callable[..., tuple[Any, ...]]] = {
    "product": lambda x, y: (_product(x, y),),
    "two": lambda x, y: (x * x, x - y),
    "mixed": lambda x, y: (x < y, y * y),
    "through": lambda x, y: (y, x, x),
    "nested": lambda x, y: (_product(y, x) * x,),
}

def _complex(x, y):
    out = np.empty(x.shape, np.result_type(x, np.complex64))
    out.real, out.imag = x, y
    return out


FORMULAS: dict[str, Callable[..., Any]] = {
    "complex": _complex,
    "cast": lambda x, dtype, weak: x.astype(DTYPES[dtype]),
    "stop_gradient": lambda x: x,
    "scale": _scale,
    "reshape": lambda x, shape: np.reshape(x, shape),
    "transpose": lambda x, axes: np.transpose(x, axes),
    "broadcast_to": lambda x, shape: np.broadcast_to(x, shape),
    "concatenate": lambda *xs, axis: np.concatenate(xs, axis=axis),
    "slice": _slice,
    "place": _place,
    "einsum": lambda x, y, subscripts: np.einsum(subscripts, x, y),
    "scale_einsum": _scale_einsum,
    "take": lambda x, indices, axis: np.take(x, indices, axis=axis),
    "scatter_add": _scatter_add,
    "sort": lambda x, axis: np.sort(x, axis=axis, kind="stable"),
    "argsort": lambda x, axis: np.argsort(x, axis=axis, kind="stable"),
    "call": lambda *xs, graph: CALLEES[graph.name](*xs),
}


# ----- Derivatives of scalar functions, at 50 digits -----

mp = mpmath.mp


def _trunc(q):
    return mp.floor(q) if q >= 0 else mp.ceil(q)


def _constant(*xs):
    return mp.mpf(0)


#: The functions of the elementwise ops that have a real result, in mpmath's numbers.
MP: dict[str, Callable[..., Any]] = {
    "add": lambda x, y: x + y, "subtract": lambda x, y: x - y, "multiply": lambda x, y: x * y,
    "divide": lambda x, y: x / y, "floor_divide": lambda x, y: mp.floor(x / y),
    "remainder": lambda x, y: x - y * mp.floor(x / y), "fmod": lambda x, y: x - y * _trunc(x / y),
    "power": lambda x, y: x**y, "negative": lambda x: -x, "positive": lambda x: +x, "absolute": abs,
    "sign": mp.sign, "square": lambda x: x**2, "reciprocal": lambda x: 1 / x, "sqrt": mp.sqrt,
    "cbrt": lambda x: mp.sign(x) * mp.cbrt(abs(x)), "maximum": max, "minimum": min, "fmax": max, "fmin": min,
    "copysign": lambda x, y: abs(x) if y > 0 else -abs(x),
    "heaviside": lambda x, h: mp.mpf(1) if x > 0 else mp.mpf(0),
    "floor": mp.floor, "ceil": mp.ceil, "trunc": _trunc, "rint": mp.nint,
    "exp": mp.exp, "exp2": lambda x: mp.mpf(2) ** x, "expm1": mp.expm1, "log": mp.log,
    "log2": lambda x: mp.log(x, 2), "log10": mp.log10, "log1p": mp.log1p,
    "logaddexp": lambda x, y: mp.log(mp.exp(x) + mp.exp(y)),
    "logaddexp2": lambda x, y: mp.log(mp.mpf(2) ** x + mp.mpf(2) ** y, 2),
    "sin": mp.sin, "cos": mp.cos, "tan": mp.tan, "arcsin": mp.asin, "arccos": mp.acos, "arctan": mp.atan,
    "arctan2": mp.atan2, "hypot": lambda x, y: mp.sqrt(x * x + y * y),
    "sinh": mp.sinh, "cosh": mp.cosh, "tanh": mp.tanh, "arcsinh": mp.asinh, "arccosh": mp.acosh,
    "arctanh": mp.atanh, "deg2rad": mp.radians, "rad2deg": mp.degrees,
    "sinc": mp.sincpi, "bessel_i0": lambda x: mp.besseli(0, x),
    "cast": lambda x: +x, "scale": lambda p, t: p * t, "where": lambda c, x, y: x if c else y,
    "stop_gradient": _constant,  # by definition
}  # fmt: skip


#: The analytic ones, with the intervals (of magnitudes as powers of ten) where they are looked at, and their signs.
SMOOTH: dict[str, tuple[tuple[float, float, bool], ...]] = {
    "multiply": ((-150, 150, True),) * 2, "divide": ((-150, 150, True),) * 2, "square": ((-300, 300, True),),
    "reciprocal": ((-150, 150, True),), "sqrt": ((-300, 300, False),), "cbrt": ((-300, 300, True),),
    "power": ((-20, 20, False), (-3, 1, True)), "exp": ((-300, 2.5, True),), "exp2": ((-300, 2.5, True),),
    "expm1": ((-300, 2.5, True),), "log": ((-300, 300, False),), "log2": ((-300, 300, False),),
    "log10": ((-300, 300, False),), "log1p": ((-300, 300, False),), "logaddexp": ((-10, 2.8, True),) * 2,
    "logaddexp2": ((-10, 2.8, True),) * 2, "sin": ((-300, 5, True),), "cos": ((-300, 5, True),),
    "tan": ((-300, 0, True),), "arcsin": ((-300, -0.0001, True),), "arccos": ((-300, -0.0001, True),),
    "arctan": ((-300, 150, True),), "arctan2": ((-300, 300, True),) * 2, "hypot": ((-300, 300, True),) * 2,
    "sinh": ((-300, 2.5, True),), "cosh": ((-300, 2.5, True),), "tanh": ((-300, 2.5, True),),
    "arcsinh": ((-300, 300, True),), "arccosh": ((0.0001, 300, False),), "arctanh": ((-300, -0.0001, True),),
    "sinc": ((-300, 0.1, True),), "bessel_i0": ((-300, 2.5, True),),
}  # fmt: skip


def mp_partial(name: str, k: int, point: tuple[Any, ...], dps: int = 50) -> Any:
    """The derivative of an elementwise op in operand ``k`` at one point."""
    with mp.workdps(dps):
        here = [x if isinstance(x, (bool, np.bool_)) else mp.mpf(float(x)) for x in point]

        def along(x):
            return MP[name](*here[:k], x, *here[k + 1 :])

        return mp.diff(along, here[k], relative=dps > 50)


# ----- Derivatives of everything else: differences -----

STEPS = ((1, 8), (-1, -8), (2, -1), (-2, 1))  # over 12 h: exact for polynomials of degree 4


def jacobian(sample: Sample) -> np.ndarray:
    """5-point differences of the oracle's value in double precision, all results against all inexact operands.

    A complex number counts as two: of each operand first all real parts, then all imaginary parts; so of each result.
    """
    wide = [x.astype(np.result_type(x, np.float64)) if is_inexact(x.dtype) else x for x in sample.operands]
    if sample.params.get("dtype") == "c64":
        sample = evolve(sample, params={**sample.params, "dtype": "c128"})
    columns = []
    for k in sample.active:
        for direction in directions(wide[k].dtype):
            for i in range(wide[k].size):
                total: Any = 0
                for step, weight in STEPS:
                    moved = [x.copy() for x in wide]
                    moved[k].flat[i] += step * H * direction
                    total = total + weight * flat(value(sample, moved), sample)
                columns.append(total / (12 * H))
    rows = flat(value(sample, wide), sample).size
    return np.stack(columns, axis=1) if columns else np.zeros((rows, 0))


H = 2.0**-10  # below every gap between the samples' numbers, and exact


def directions(dtype: np.dtype) -> tuple[complex, ...]:
    """The units of one number: 1, and i for a complex one."""
    return (1, 1j) if dtype.kind == "c" else (1,)


def parts(x: np.ndarray) -> list[np.ndarray]:
    """The real and the imaginary part of what is complex."""
    return [x.real, x.imag] if x.dtype.kind == "c" else [x]


def flat(values: Any, sample: Sample) -> np.ndarray:
    """The inexact results one behind the other, a complex one as its real and its imaginary parts."""
    types = zip(values, sample.result_types, strict=True)
    kept = [part.ravel() for v, t in types if is_inexact(t.dtype) for part in parts(v)]
    return np.concatenate(kept) if kept else np.zeros(0)


# ----- Equality -----


def exact_name(op: Any) -> bool:
    """Whether an elementwise op is exact or rounded once, so that every backend must give the same bits."""
    if op.libm is not None:
        return op.libm in ("sqrt", "fmod", "copysign", "floor", "ceil", "trunc", "rint")
    return op.symbol != "**" and op.name not in ("logaddexp", "logaddexp2", "deg2rad", "rad2deg", "sinc", "bessel_i0")


@functools.cache
def eps(dtype: np.dtype) -> float:
    return float(np.finfo(dtype).eps)


def differing(got: np.ndarray, expected: np.ndarray, tolerance: Any) -> np.ndarray:
    """Where two arrays differ: NaN and infinities in other places, or numbers by more than the tolerance."""
    if np.asarray(got).dtype.kind == "c":
        return differing(got.real, expected.real, tolerance) | differing(got.imag, expected.imag, tolerance)
    got, expected = np.asarray(got, np.float64), np.asarray(expected, np.float64)
    with np.errstate(all="ignore"):
        close = (got == expected) | (abs(got - expected) <= tolerance) & np.isfinite(got) & np.isfinite(expected)
    return ~(close | (np.isnan(got) & np.isnan(expected)))


def far(sample: Sample, got: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Where a Jacobian is not the oracle's: 1e-12 of each partial in float64, 1e-5 in float32.

    Against differences, whose rounding is that of the values over the step, of the largest entry.
    """
    dtypes = (*(sample.operands[k].dtype for k in sample.active), *(t.dtype for t in sample.result_types))
    single = any(dtype in (np.float32, np.complex64) for dtype in dtypes)
    if sample.is_complex:
        return differing(got, expected, max(1.0, abs(expected).max(initial=0)) * (3e-5 if single else 1e-8))
    if sample.op.name in MP:
        return differing(got, expected, abs(expected) * (1e-5 if single else 1e-12))
    return differing(got, expected, max(1.0, abs(expected).max(initial=0)) * (1e-5 if single else 1e-11))
