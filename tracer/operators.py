"""Python's operators on traced arrays."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from wengert.ir.ops import OPS
from wengert.tracer.array import Array, converted, direct, is_traced, namespace_of, refuse
from wengert.tracer.memory import is_view
from wengert.tracer.plain import natively

__all__ = ["in_place", "install"]

_ARITHMETIC = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "floordiv": "floor_divide",
    "mod": "remainder", "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor",
    "lshift": "left_shift", "rshift": "right_shift",
}  # fmt: skip
_ORDER = {"lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal"}
_EQUALITY = {"eq": "equal", "ne": "not_equal"}
_UNARY = {"neg": "negative", "pos": "positive", "abs": "absolute", "invert": "invert"}
_FAST_POWERS = {2: "square", 0.5: "sqrt", 1: "positive"}


def _is_operand(self: Array, other: Any) -> bool:
    """Other classes know their own operators; a list meets a Python number as Python has it."""
    if isinstance(other, (list, tuple)):
        return not self.type.weak
    return isinstance(other, (Array, float, int, complex, np.ndarray, np.generic))


def _weak(self: Array, other: Any) -> Any:
    """Between Python numbers a bool is an int."""
    return int(other) if type(other) is bool and self.type.weak else other


def _binary(op: Any) -> tuple[Any, Any]:
    """An operator and its reflected form; both leave other classes to their own."""

    def method(self: Array, other: Any) -> Any:
        if (values := direct(self.xp, (self, other))) is not None:
            return self.xp.applied(op, values)
        if not _is_operand(self, other):
            return NotImplemented
        if self.is_plain and not is_traced((other,)):
            return natively(op.function, (self, other), {})
        return namespace_of(self, other).apply(op, self, _weak(self, other))

    def reflected(self: Array, other: Any) -> Any:
        if (values := direct(self.xp, (other, self))) is not None:
            return self.xp.applied(op, values)
        if not _is_operand(self, other):
            return NotImplemented
        if self.is_plain and not is_traced((other,)):
            return natively(op.function, (other, self), {})
        return namespace_of(self, other).apply(op, _weak(self, other), self)

    return method, reflected


def _equality(op: Any, otherwise: bool) -> Any:
    """== and !=; None and strings equal no number, as in NumPy."""

    def method(self: Array, other: Any) -> Any:
        if _is_operand(self, other):
            return _compared(op, self, other)
        if isinstance(other, (list, tuple)):
            return NotImplemented
        if other is None or isinstance(other, str):
            return namespace_of(self).full(self.shape, otherwise, bool)
        raise refuse(
            f"a traced array is compared with a {type(other).__name__}, which is not a number or an array.",
            "Convert it to an array first, or compare with `is`.",
        )

    return method


def _compared(op: Any, self: Array, other: Any) -> Array:
    """A comparison; a Python integer that the dtype does not hold is beyond every element."""
    if self.is_plain and not is_traced((other,)):
        return natively(op.function, (self, other), {})
    xp = namespace_of(self, other)
    whole, beyond = self.dtype.kind in "iu", 2**63 if self.type.weak else 2**64
    try:
        if not (whole and type(other) is int and not -(2**63) <= other < beyond):
            return xp.apply(op, self, _weak(self, other))
    except OverflowError:
        if not whole:
            raise
    return xp.full(self.shape, bool(op.function(0, other)), bool)


def _order(op: Any) -> Any:
    return lambda self, other: _compared(op, self, other) if _is_operand(self, other) else NotImplemented


def _power(self: Array, other: Any, modulo: Any = None) -> Any:
    """NumPy's own short cuts: x**2 is square(x), x**0.5 sqrt(x)."""
    if modulo is not None or not _is_operand(self, other):
        return NotImplemented
    if self.is_plain and not is_traced((other,)):
        return natively(operator.pow, (self, other), {})
    squares = type(other) is int and other == 2
    known = type(other) in (int, float) and other in _FAST_POWERS and not self.type.weak
    if known and (self.dtype.kind in "fc" or (squares and self.dtype.kind in "iu")):
        return namespace_of(self).apply(OPS[_FAST_POWERS[other]], self)
    if squares and self.dtype.kind == "b" and self.shape:  # NumPy squares these as int8
        narrow: Any = namespace_of(self).cast(self, np.int8)
        return narrow * narrow
    return namespace_of(self, other).apply(OPS["power"], self, _weak(self, other))


def in_place_of(method: Any, native: Any) -> Any:
    """The operator that writes into its left operand."""

    def in_place_method(self: Array, other: Any) -> Any:
        if self.is_plain and not is_traced((other,)):
            return natively(native, (self, other), {})
        return in_place(self, method(self, other))

    return in_place_method


def in_place(self: Array, result: Any) -> Any:
    """``self op= other``, given ``self op other``: an array is written into, a number is not."""
    if result is NotImplemented or not (self.shape or is_view(self)):
        return result
    if result.shape != self.shape:
        message = (f"non-broadcastable output operand with shape {self.shape} doesn't match the broadcast "
                   f"shape {result.shape}.")  # fmt: skip
        raise ValueError(message)
    self.write(converted(result, self.dtype))
    return self


def _unary(op: Any) -> Any:
    def method(self: Array) -> Any:
        if (values := direct(self.xp, (self,))) is not None:
            return self.xp.applied(op, values)
        return natively(op.function, (self,), {}) if self.is_plain else namespace_of(self).apply(op, self)

    return method


def _round(self: Array, digits: int | None = None) -> Any:
    if self.shape:
        message = "round() of an array is not defined, in NumPy neither. Use np.round."
        raise TypeError(message)
    rounded = np.round(self, digits or 0)  # type: ignore[call-overload]
    return int(rounded) if digits is None else rounded


def install() -> None:
    """Give the traced array its operators."""

    def define(dunder: str, method: Any, reflected: Any) -> None:
        setattr(Array, f"__{dunder}__", method)
        setattr(Array, f"__r{dunder}__", reflected)
        setattr(Array, f"__i{dunder}__", in_place_of(method, getattr(operator, f"i{dunder}")))

    for dunder, name in _ARITHMETIC.items():
        define(dunder, *_binary(OPS[name]))
    define("pow", _power, _binary(OPS["power"])[1])
    for dunder, name in _ORDER.items():
        setattr(Array, f"__{dunder}__", _order(OPS[name]))
    for dunder, name in _EQUALITY.items():
        setattr(Array, f"__{dunder}__", _equality(OPS[name], dunder == "ne"))
    for dunder, name in _UNARY.items():
        setattr(Array, f"__{dunder}__", _unary(OPS[name]))
    Array.__round__ = _round  # type: ignore[attr-defined]
