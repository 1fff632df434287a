"""Every ufunc of NumPy: a sample call; those of its methods and options are made of it (see ``arrays``)."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.tools.coverage.samples.values import HIGH, LOW, A, I, J, S, V, W, after, z

__all__ = ["CONSTANT", "DIFFERENTIABLE", "OPTIONS", "methods"]

DIFFERENTIABLE: dict[str, Any] = {
    "add": lambda x=V, y=W: np.add(x, y), "subtract": lambda x=V, y=W: np.subtract(x, y),
    "multiply": lambda x=V, y=W: np.multiply(x, y), "divide": lambda x=V, y=W: np.divide(x, y),
    "power": lambda x=V, y=W: np.power(x, y), "float_power": lambda x=V, y=W: np.float_power(x, y),
    "remainder": lambda x=W * 3.1, y=V: np.remainder(x, y), "fmod": lambda x=W * 3.1, y=V: np.fmod(x, y),
    "divmod": lambda x=W * 3.1, y=V: np.divmod(x, y), "modf": lambda x=V * 5: np.modf(x),
    "frexp": lambda x=V: np.frexp(x), "ldexp": lambda x=V, *, i=J: np.ldexp(x, i),
    "negative": lambda x=V: np.negative(x), "positive": lambda x=V: np.positive(x),
    "absolute": lambda x=V: np.absolute(x), "fabs": lambda x=V: np.fabs(x),
    "square": lambda x=V: np.square(x), "sqrt": lambda x=V: np.sqrt(x), "cbrt": lambda x=V: np.cbrt(x),
    "reciprocal": lambda x=V: np.reciprocal(x), "conjugate": lambda x=V: np.conjugate(z(x)),
    "exp": lambda x=V: np.exp(x), "exp2": lambda x=V: np.exp2(x), "expm1": lambda x=V: np.expm1(x),
    "log": lambda x=V: np.log(x), "log2": lambda x=V: np.log2(x), "log10": lambda x=V: np.log10(x),
    "log1p": lambda x=V: np.log1p(x),
    "logaddexp": lambda x=V, y=W: np.logaddexp(x, y), "logaddexp2": lambda x=V, y=W: np.logaddexp2(x, y),
    "sin": lambda x=V: np.sin(x), "cos": lambda x=V: np.cos(x), "tan": lambda x=V: np.tan(x),
    "arcsin": lambda x=V: np.arcsin(x), "arccos": lambda x=V: np.arccos(x), "arctan": lambda x=V: np.arctan(x),
    "sinh": lambda x=V: np.sinh(x), "cosh": lambda x=V: np.cosh(x), "tanh": lambda x=V: np.tanh(x),
    "arcsinh": lambda x=V: np.arcsinh(x), "arccosh": lambda x=1 + V: np.arccosh(x),
    "arctanh": lambda x=V: np.arctanh(x), "arctan2": lambda x=V, y=W: np.arctan2(x, y),
    "hypot": lambda x=V, y=W: np.hypot(x, y),
    "degrees": lambda x=V: np.degrees(x), "rad2deg": lambda x=V: np.rad2deg(x),
    "radians": lambda x=V: np.radians(x), "deg2rad": lambda x=V: np.deg2rad(x),
    "maximum": lambda x=V, y=W: np.maximum(x, y), "minimum": lambda x=V, y=W: np.minimum(x, y),
    "fmax": lambda x=V, y=W: np.fmax(x, y), "fmin": lambda x=V, y=W: np.fmin(x, y),
    "copysign": lambda x=V, *, y=W: np.copysign(x, y), "nextafter": lambda x=V, *, y=W: np.nextafter(x, y),
    "heaviside": lambda h=W, *, x=np.array([0, 1, -1]): np.heaviside(x, h),
    "matmul": lambda x=A, y=S: np.matmul(x, y), "vecdot": lambda x=A, y=V: np.vecdot(x, y),
    "matvec": lambda x=A, y=V: np.matvec(x, y), "vecmat": lambda x=V, y=S: np.vecmat(x, y),
    "_core.umath.clip": lambda x=V, low=LOW, high=HIGH: _umath().clip(x, low, high),
}  # fmt: skip

CONSTANT: dict[str, Any] = {
    "floor_divide": lambda x=W * 3.1, y=V: np.floor_divide(x, y), "sign": lambda x=V: np.sign(x),
    "floor": lambda x=V: np.floor(x), "ceil": lambda x=V: np.ceil(x), "trunc": lambda x=V: np.trunc(x),
    "rint": lambda x=V: np.rint(x), "spacing": lambda x=V: np.spacing(x), "signbit": lambda x=V: np.signbit(x),
    "isfinite": lambda x=V: np.isfinite(x), "isinf": lambda x=V: np.isinf(x), "isnan": lambda x=V: np.isnan(x),
    "equal": lambda x=V, y=W: np.equal(x, y), "not_equal": lambda x=V, y=W: np.not_equal(x, y),
    "less": lambda x=V, y=W: np.less(x, y), "less_equal": lambda x=V, y=W: np.less_equal(x, y),
    "greater": lambda x=V, y=W: np.greater(x, y), "greater_equal": lambda x=V, y=W: np.greater_equal(x, y),
    "logical_and": lambda x=V, y=W: np.logical_and(x, y), "logical_or": lambda x=V, y=W: np.logical_or(x, y),
    "logical_xor": lambda x=V, y=W: np.logical_xor(x, y), "logical_not": lambda x=V: np.logical_not(x),
    "bitwise_and": lambda x=I, y=J: np.bitwise_and(x, y), "bitwise_or": lambda x=I, y=J: np.bitwise_or(x, y),
    "bitwise_xor": lambda x=I, y=J: np.bitwise_xor(x, y), "bitwise_count": lambda x=I: np.bitwise_count(x),
    "invert": lambda x=I: np.invert(x), "left_shift": lambda x=I, y=J: np.left_shift(x, y),
    "right_shift": lambda x=I, y=J: np.right_shift(x, y),
    "gcd": lambda x=I, y=J: np.gcd(x, y), "lcm": lambda x=I, y=J: np.lcm(x, y),
}  # fmt: skip

#: What a call of any ufunc may say besides its operands.
OPTIONS = ("where", "out", "dtype")


def _umath() -> Any:
    return np._core.umath  # type: ignore[attr-defined]  # noqa: SLF001 (what the method clip calls)


def methods(ufunc: Any, operands: list[Any]) -> dict[str, Any]:
    """A sample call for each method, and for each option, that NumPy itself can do with such operands."""
    x, last = operands[0], operands[-1]
    calls: dict[str, Any] = {}
    if ufunc.signature is None and (ufunc.nin, ufunc.nout) == (2, 1):
        # along the first axis: along the last, np.power and np.arctan2 of NumPy 2.0 to 2.5 skip an element (AVX-512)
        wide = np.stack([x, x[::-1] * 2, x])
        calls |= {
            "reduce": lambda x=wide: ufunc.reduce(x, axis=0),
            "accumulate": lambda x=wide: ufunc.accumulate(x, axis=0),
            "reduceat": lambda x=wide: ufunc.reduceat(x, [0, 2], axis=0),
            "outer": lambda x=x, y=last: ufunc.outer(x, y),
        }
    if ufunc.signature is None and ufunc.nout == 1:
        calls["at"] = (lambda x=x, y=last: after(ufunc.at, x, [0, 2, 2], y)) if ufunc.nin == 2 else (
            lambda x=x: after(ufunc.at, x, [0, 2]))  # fmt: skip
        mask = np.array([True, False, True])
        two = ufunc.nin == 2
        calls["where"] = (lambda x=x, y=last: ufunc(x, y, out=np.ones_like(ufunc(x, y)), where=mask)) if two else (
            lambda x=x: ufunc(x, out=np.ones_like(ufunc(x)), where=mask))  # fmt: skip
        calls["out"] = (lambda x=x, y=last: _into(ufunc, x, y)) if two else (lambda x=x: _into(ufunc, x))
        if ufunc.nin < 3 and ufunc(*operands).dtype.kind == "f":
            calls["dtype"] = (lambda x=x, y=last: ufunc(x, y, dtype=np.float64)) if two else (
                lambda x=x: ufunc(x, dtype=np.float64))  # fmt: skip
    return {name: call for name, call in calls.items() if _possible(call)}


def _into(ufunc: Any, *operands: Any) -> Any:
    out = np.zeros_like(ufunc(*operands))
    ufunc(*operands, out=out)
    return out


def _possible(call: Any) -> bool:
    try:
        with np.errstate(all="ignore"):
            call()
    except (TypeError, ValueError):  # NumPy's own: there is no such loop
        return False
    return True
