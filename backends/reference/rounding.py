"""From exact numbers to the numbers a dtype holds: integers wrap, floats round.

Every scalar in this backend is a Python bool, int, float or complex.  A float32 is a Python float that
float32 can represent; operations run in double precision and are rounded once, which for
``+ - * /`` and square roots is what float32 arithmetic itself would give.
"""

from __future__ import annotations

import ctypes
import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.ir.types import dtype_class

__all__ = ["caster", "finisher", "kind_of", "part_finisher", "zero_of"]

Function = Callable[..., Any]


def kind_of(dtype: np.dtype[Any]) -> str:
    """``"bool"``, ``"int"`` (signed or not: both wrap), ``"float"`` or ``"complex"``."""
    kind = dtype_class(dtype)
    return "int" if kind == "uint" else kind


def zero_of(dtype: np.dtype[Any]) -> bool | int | float | complex:
    """The zero of a dtype."""
    return {"bool": False, "int": 0, "float": 0.0, "complex": 0j}[kind_of(dtype)]


def to_float32(x: float) -> float:
    """The nearest float32; beyond the largest, an infinity."""
    return ctypes.c_float(x).value


def to_complex64(z: complex) -> complex:
    """Both parts to the nearest float32."""
    return complex(to_float32(z.real), to_float32(z.imag))


def int_to_float32(n: int) -> float:
    """The nearest float32 to an integer, rounded once.

    An integer of more than 53 bits does not fit a double.  Its leading 40 bits do, with a last bit
    that says whether anything follows: that is all that rounding to 24 bits needs.
    """
    shift = max(n.bit_length() - 40, 0)
    leading = abs(n) >> shift
    follows = leading << shift != abs(n)
    return to_float32(math.copysign(math.ldexp(leading | follows, shift), n))


def wrapper(dtype: np.dtype[Any]) -> Function:
    """The integer of this dtype that is equal modulo 2**bits."""
    bits = 8 * dtype.itemsize
    mask = (1 << bits) - 1
    if dtype.kind == "u":
        return lambda n: n & mask
    half = 1 << (bits - 1)
    return lambda n: ((n + half) & mask) - half


def float_to_int(dtype: np.dtype[Any]) -> Function:
    """C's conversion, and where C leaves it open, what x86-64 answers.

    The number is truncated into a signed register of 32 or 64 bits, whose smallest integer stands
    for everything that does not fit (NaN too); then the lowest bits are taken.
    """
    wrap = wrapper(dtype)
    half = 2 ** (31 if dtype.itemsize < 4 or dtype == np.int32 else 63)

    def truncate(x: float) -> int:
        return math.trunc(x) if -half - 1 < x < half else -half

    def convert(x: float) -> int:
        if dtype == np.uint64 and x >= half:  # the upper half of the range, moved down and back
            return int(wrap(truncate(x - half) + half))
        return int(wrap(truncate(x)))

    return convert


@functools.cache
def finisher(dtype: np.dtype[Any]) -> Function | None:
    """What makes an exact result one of ``dtype``; None where there is nothing to do."""
    if kind_of(dtype) == "int":
        return wrapper(dtype)
    return {"float32": to_float32, "complex64": to_complex64}.get(dtype.name)


def part_finisher(dtype: np.dtype[Any]) -> Function:
    """What rounds one part of a complex number of ``dtype``."""
    return to_float32 if dtype == np.complex64 else float


@functools.cache
def caster(source: np.dtype[Any], target: np.dtype[Any]) -> Function:
    """The function that converts a scalar of dtype ``source`` to ``target``, as NumPy's astype."""
    if source == target:
        return lambda x: x
    if target.kind == "b":
        return lambda x: x != 0
    if kind_of(target) == "int":
        return float_to_int(target) if source.kind == "f" else wrapper(target)
    if target.kind == "c":
        return to_complex(source, target)
    if target == np.float32:
        return to_float32 if source.kind == "f" else int_to_float32
    return float


def to_complex(source: np.dtype[Any], target: np.dtype[Any]) -> Function:
    """A real number becomes the real part."""
    if source.kind == "c":
        return to_complex64 if target == np.complex64 else complex
    part = caster(source, np.dtype(np.float32 if target == np.complex64 else np.float64))
    return lambda x: complex(part(x), 0.0)
