"""Questions about arrays: what they hold, what dtypes they have, where they lie; and their bits."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.tracer.array import Array, namespace_of, refuse
from wengert.tracer.numpy_api.elementwise import astype
from wengert.tracer.numpy_api.positions import stand_in
from wengert.tracer.numpy_api.support import array_of, as_array, axis_of, deliver


def array_equiv(a1, a2):
    xp = namespace_of(a1, a2)
    a, b = as_array(xp, a1), as_array(xp, a2)
    try:
        np.broadcast_shapes(a.shape, b.shape)
    except ValueError:
        return False
    return bool(xp.equal(a, b).all())


def _all_of(answer: bool) -> Any:
    """What is the same for every real element."""

    def question(x):
        xp, array = array_of(x)
        if array.dtype.kind != "c":
            return xp.full(array.shape, answer, bool)
        return (xp.equal if answer else xp.not_equal)(np.imag(array), 0)

    return question


def _infinite(sign: float) -> Any:
    def infinite(x, out=None):
        xp, array = array_of(x, out)
        if array.dtype.kind == "c":
            message = f"This operation is not supported for {array.dtype} values because it would be ambiguous."
            raise TypeError(message)
        return deliver(xp.equal(array, sign * np.inf), out)

    return infinite


def real_if_close(a, tol=100):
    """The real part where every imaginary part is nearly zero, which is a guard."""
    _, x = array_of(a)
    if x.dtype.kind != "c":
        return a
    limit = float(np.finfo(x.dtype).eps) * tol if tol > 1 else tol
    return np.real(x) if np.all(np.abs(np.imag(x)) < limit) else a


def _overlap(name: str) -> Any:
    """Whether two arrays have memory in common, as far as it can be known (``bounds``: whether it interlaces)."""

    def overlap(a, b, /, max_work=None):
        if not (isinstance(a, Array) and isinstance(b, Array)):
            return False  # no traced array looks into a plain one
        if a is b:
            return bool(a.shape) and a.size > 0
        if a.memory is None or b.memory is None or a.memory.buffer is not b.memory.buffer:
            return False
        if not (a.memory.certain and b.memory.certain):
            raise refuse(
                f"np.{name}: whether a reshaped array is a view depends on the order of its elements in memory, which "
                "is not traced.",
                "Make a copy where memory must not be shared: x.copy().",
            )
        p, q = a.memory.positions(), b.memory.positions()
        if not (p.size and q.size):
            return False
        if name == "may_share_memory":
            return bool(p.min() <= q.max() and q.min() <= p.max())
        return bool(np.isin(p, q).any())

    return overlap


def min_scalar_type(a, /):
    if np.ndim(a) == 0:
        raise refuse("np.min_scalar_type of a traced number depends on its value.", "Use x.dtype.")
    return a.dtype


def can_cast(from_, to, casting="safe"):
    return np.can_cast(from_.dtype if isinstance(from_, Array) else from_, to, casting)


def common_type(*arrays):
    return np.common_type(*(stand_in(x) if isinstance(x, Array) else x for x in arrays))


def _text(*args: Any, **kwargs: Any) -> str:
    """A traced array has no numbers to print: its text is its type, as ``repr`` has it."""
    return repr(kwargs.get("a", kwargs.get("arr")) if not args else args[0])


# ----- Bits -----


def _bit_numbers(xp: Any, bitorder: str) -> Array:
    if bitorder not in ("big", "little"):
        message = "'bitorder' must be either 'little' or 'big'"
        raise ValueError(message)
    return xp.constant(np.arange(8, dtype=np.uint8)[:: -1 if bitorder == "big" else 1])


def _last(x: Any, axis: Any) -> tuple[Any, int]:
    """The axis in question behind the others; all elements in a row without one."""
    if axis is None or x.ndim == 0:  # a number is a line of one
        return np.ravel(x), axis_of(axis or 0, 1)
    at = axis_of(axis, x.ndim)
    return np.moveaxis(x, at, -1), at


def packbits(a, /, axis=None, bitorder="big"):
    xp, x = array_of(a)
    if x.dtype.kind not in "biu":
        message = "Expected an input array of integer or boolean data type"
        raise TypeError(message)
    numbers = _bit_numbers(xp, bitorder)
    x, at = _last(x, axis)
    bits: Any = np.pad(astype(xp.not_equal(x, 0), np.uint8), [(0, 0)] * (x.ndim - 1) + [(0, -x.shape[-1] % 8)])
    bits = bits.reshape(*bits.shape[:-1], bits.shape[-1] // 8, 8)
    packed: Any = np.sum(xp.left_shift(bits, numbers), -1, np.uint8)
    return np.moveaxis(packed, -1, at)


def unpackbits(a, /, axis=None, count=None, bitorder="big"):
    xp, x = array_of(a)
    if x.dtype != np.uint8:
        message = "Expected an input array of unsigned byte data type"
        raise TypeError(message)
    numbers = _bit_numbers(xp, bitorder)
    x, at = _last(x, axis)
    bits = xp.bitwise_and(xp.right_shift(x[..., None], numbers), np.uint8(1))
    bits = bits.reshape(*x.shape[:-1], x.shape[-1] * 8)
    size = bits.shape[-1]
    kept = size if count is None else count if count >= 0 else size + count
    if kept < 0:
        message = f"-count larger than number of elements: {count} of {size}"
        raise ValueError(message)
    bits = np.pad(bits[..., :kept], [(0, 0)] * (x.ndim - 1) + [(0, max(kept - size, 0))])
    return np.moveaxis(bits, -1, at)


TABLE = {
    np.array_equiv: array_equiv, np.iscomplex: _all_of(False), np.isreal: _all_of(True),
    np.isposinf: _infinite(1.0), np.isneginf: _infinite(-1.0), np.real_if_close: real_if_close,
    np.may_share_memory: _overlap("may_share_memory"), np.shares_memory: _overlap("shares_memory"),
    np.min_scalar_type: min_scalar_type, np.can_cast: can_cast, np.common_type: common_type,
    np.array_repr: _text, np.array_str: _text, np.array2string: _text,
    np.packbits: packbits, np.unpackbits: unpackbits,
}  # fmt: skip
