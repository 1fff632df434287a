"""Ufuncs that are compositions of ops.

Each is handed arrays of exactly the dtypes of NumPy's loop (see ``ufuncs.call``).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.ir.ops import OPS
from wengert.tracer.array import Array
from wengert.tracer.numpy_api import contractions, elementwise, reductions

__all__ = ["COMPOSED"]


def _logical(name: str) -> Any:
    """Anything but bool is compared with zero first, as NumPy's truth of a number."""

    def logical(*operands: Array) -> Array:
        xp = operands[0].xp
        return getattr(xp, name)(*(x if x.dtype.kind == "b" else xp.not_equal(x, 0) for x in operands))

    return logical


def _same(x: Array) -> Array:
    """The value in an array of its own."""
    return x.xp.wrap(x.value)


def _rounding(name: str) -> Any:
    """Integers are whole already."""
    return lambda x: _same(x) if x.dtype.kind in "biu" else getattr(x.xp, name)(x)


def _divmod(x: Array, y: Array) -> tuple[Array, Array]:
    return x.xp.floor_divide(x, y), x.xp.remainder(x, y)


def _fmod(x: Array, y: Array) -> Array:
    """Of integers the remainder with the sign of x, from the one with the sign of y."""
    xp = x.xp
    if x.dtype.kind == "f":
        return xp.fmod(x, y)
    rest = xp.remainder(x, y)
    if x.dtype.kind == "u":
        return rest
    other = xp.logical_and(xp.not_equal(rest, 0), xp.not_equal(xp.less(x, 0), xp.less(y, 0)))
    return xp.where(other, xp.subtract(rest, y), rest)


def _reciprocal(x: Array) -> Array:
    """Of integers, 1 / x without its fraction; of 0, what this machine's NumPy says."""
    xp = x.xp
    if x.dtype.kind in "fc":
        return xp.reciprocal(x)
    with np.errstate(all="ignore"):
        of_zero = np.reciprocal(np.zeros((), x.dtype))
    one = xp.where(xp.equal(x, 1), x.dtype.type(1), x.dtype.type(0))
    if x.dtype.kind == "i":
        one = xp.where(xp.equal(x, -1), x, one)
    return xp.where(xp.equal(x, 0), of_zero, one)


def _modf(x: Array) -> tuple[Array, Array]:
    xp = x.xp
    whole = xp.trunc(x)
    fraction = xp.where(xp.isinf(x), xp.copysign(0.0, x), xp.subtract(x, whole))
    return xp.copysign(fraction, x), whole


def _conjugate(x: Array) -> Array:
    return x.xp.conjugate(x) if x.dtype.kind == "c" else _same(x)


def _sign(z: Array) -> Array:
    """Of complex numbers z / |z|; an infinite part alone is the whole of it."""
    xp = z.xp
    if z.dtype.kind != "c":
        return xp.sign(z)
    a, b = xp.real(z), xp.imag(z)
    parts = [xp.isinf(a), xp.isinf(b)]
    some, both = xp.logical_or(*parts), xp.logical_and(*parts)
    unit = [xp.where(inf, xp.sign(x), 0.0) for inf, x in zip(parts, (a, b), strict=True)]
    z = xp.where(some, xp.complex(*(xp.where(both, np.nan, u) for u in unit)), z)
    size = xp.absolute(z)
    return xp.divide(z, xp.where(xp.equal(size, 0), 1.0, size))


def _times(factor: float) -> Any:
    return lambda x: x.xp.multiply(x, factor)


# ----- Floating numbers taken apart -----


def _power_of_two(xp: Any, n: Array) -> tuple[Array, Array]:
    """Two factors, each a normal number, whose product is 2**n, 0 or inf; the first takes nearly all of n.

    A number from 0.5 to 1 times the first is exact, so its product with both is rounded once.
    """
    most = float(np.finfo(n.dtype).maxexp - 24)
    first = xp.minimum(xp.maximum(n, -most), most)
    rest = xp.minimum(xp.maximum(xp.subtract(n, first), -100.0), 100.0)
    return xp.exp2(first), xp.exp2(rest)


def _frexp(x: Array) -> tuple[Array, Array]:
    """x = mantissa * 2**exponent, the mantissa from 0.5 to 1: its derivative is 2**-exponent."""
    xp = x.xp
    mantissa, exponent = _parts(x)
    return mantissa, xp.cast(exponent, np.int32)


def _parts(x: Array) -> tuple[Array, Array]:
    xp = x.xp
    ordinary = xp.logical_and(xp.isfinite(x), xp.not_equal(x, 0))
    size = xp.where(ordinary, xp.absolute(xp.stop_gradient(x)), 1.0)
    guess = xp.add(xp.floor(xp.log2(size)), 1.0)  # at most one away
    left = _scaled(xp, size, xp.negative(guess))
    step = xp.where(xp.greater_equal(left, 1.0), 1.0, xp.where(xp.less(left, 0.5), -1.0, 0.0))
    exponent = xp.where(ordinary, xp.add(guess, xp.cast(step, x.dtype)), x.dtype.type(0))
    return _scaled(xp, x, xp.negative(exponent)), exponent


def _scaled(xp: Any, x: Array, n: Array) -> Array:
    """x * 2**n, exact where x and the result are normal or x is subnormal."""
    half = xp.floor(xp.multiply(n, 0.5))
    return xp.multiply(xp.multiply(x, xp.exp2(half)), xp.exp2(xp.subtract(n, half)))


def _ldexp(x: Array, n: Array) -> Array:
    xp = x.xp
    mantissa, exponent = _parts(x)
    first, rest = _power_of_two(xp, xp.add(exponent, xp.cast(n, x.dtype)))
    return xp.multiply(xp.multiply(mantissa, first), rest)


def _spacing(x: Array) -> Array:
    """The distance to the next number away from zero: locally constant."""
    xp, limits = x.xp, np.finfo(x.dtype)
    x = xp.stop_gradient(x)
    _, exponent = _parts(x)
    n = xp.maximum(xp.subtract(exponent, float(limits.nmant + 1)), float(limits.minexp - limits.nmant))
    first, rest = _power_of_two(xp, n)
    size = xp.where(xp.equal(x, 0), limits.smallest_subnormal, xp.multiply(first, rest))
    size = xp.where(xp.equal(xp.absolute(x), limits.max), x.dtype.type(np.inf), size)  # the next one is no number
    return xp.where(xp.isfinite(x), xp.where(xp.less(x, 0), xp.negative(size), size), x.dtype.type(np.nan))


def _bit_count(x: Array) -> Array:
    """Ones counted in pairs, then in fours, then in bytes, whose counts a product adds up in its top byte."""
    xp, bits = x.xp, 8 * x.dtype.itemsize
    word = np.dtype(f"u{x.dtype.itemsize}")
    v = xp.cast(xp.absolute(x) if x.dtype.kind == "i" else x, word)

    def fields(byte: int) -> Any:
        return word.type(int.from_bytes(bytes([byte]) * x.dtype.itemsize, "big"))

    def shifted(n: int) -> Array:
        return xp.right_shift(v, word.type(n))

    v = xp.subtract(v, xp.bitwise_and(shifted(1), fields(0x55)))
    v = xp.add(xp.bitwise_and(v, fields(0x33)), xp.bitwise_and(shifted(2), fields(0x33)))
    v = xp.bitwise_and(xp.add(v, shifted(4)), fields(0x0F))
    v = xp.multiply(v, fields(0x01))
    return xp.cast(shifted(bits - 8), np.uint8)


def _of_two(name: str) -> Any:
    """An op that is no Elementwise: the operands are broadcast first."""

    def call(x: Array, y: Array) -> Array:
        shape = np.broadcast_shapes(x.shape, y.shape)
        return x.xp.emit(OPS[name].name, *(x.xp.broadcast_to(item, shape) for item in (x, y)))

    return call


# ----- Products of stacks -----


def _vecdot(x: Array, y: Array) -> Array:
    _fit("vecdot", (x, 1, -1), (y, 1, -1))
    return reductions.sum_(x.xp.multiply(_conjugate(x), y), -1, x.dtype)


def _matvec(x: Array, y: Array) -> Array:
    _fit("matvec", (x, 2, -1), (y, 1, -1))
    return contractions.matmul(x, y[..., None])[..., 0]


def _vecmat(x: Array, y: Array) -> Array:
    _fit("vecmat", (x, 1, -1), (y, 2, -2))
    return contractions.matmul(_conjugate(x)[..., None, :], y)[..., 0, :]


def _fit(name: str, *operands: tuple[Array, int, int]) -> None:
    """Raise unless each operand has its core axes, and the summed ones are of one size."""
    for k, (x, ndim, _) in enumerate(operands):
        if x.ndim < ndim:
            message = f"{name}: operand {k} does not have enough axes: {x.ndim}, where {ndim} are required."
            raise ValueError(message)
    n, m = (x.shape[at] for x, _, at in operands)
    if n != m:
        message = f"{name}: the axes that are summed must have one size, got {n} and {m}."
        raise ValueError(message)


_umath: Any = np._core.umath  # type: ignore[attr-defined]  # noqa: SLF001 (ufuncs that NumPy's methods call)

#: Ufuncs that need more than one node, or another type than NumPy's loop.
COMPOSED: dict[Any, Any] = {
    **{u: _logical(u.__name__) for u in (np.logical_and, np.logical_or, np.logical_xor, np.logical_not)},
    **{u: _rounding(u.__name__) for u in (np.floor, np.ceil, np.trunc)},
    np.matmul: contractions.matmul, np.vecdot: _vecdot,
    **({np.matvec: _matvec, np.vecmat: _vecmat} if hasattr(np, "matvec") else {}),
    _umath.clip: elementwise.clip, _umath._ones_like: lambda x: x.xp.ones_like(x),  # noqa: SLF001
    np.divmod: _divmod, np.fmod: _fmod, np.reciprocal: _reciprocal, np.modf: _modf,
    np.frexp: _frexp, np.ldexp: _ldexp, np.spacing: _spacing, np.nextafter: _of_two("nextafter"),
    np.gcd: _of_two("gcd"), np.lcm: _of_two("lcm"),
    **({np.bitwise_count: _bit_count} if hasattr(np, "bitwise_count") else {}),
    np.float_power: lambda x, y: x.xp.power(x, y), np.fabs: lambda x: x.xp.absolute(x),
    np.signbit: lambda x: x.xp.signbit(x), np.conjugate: _conjugate, np.sign: _sign,
    **dict.fromkeys((np.degrees, np.rad2deg), _times(180.0 / np.pi)),
    **dict.fromkeys((np.radians, np.deg2rad), _times(np.pi / 180.0)),
}  # fmt: skip
