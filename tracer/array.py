"""The traced array: it looks like an ndarray, and what is done to it is written down."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.ir.build import Expr, Namespace
from wengert.ir.errors import GraphTypeError, TraceError
from wengert.ir.graph import Value
from wengert.ir.ops import BY_FUNCTION
from wengert.ir.types import SHORT_NAMES
from wengert.tracer.context import Trace, current_trace, leaked
from wengert.tracer.location import described, refuse
from wengert.tracer.memory import View

__all__ = ["Array", "TraceNamespace", "converted", "find_arrays", "namespace_of", "refuse", "strong_apply"]


class TraceNamespace(Namespace):
    """``xp`` of a trace: takes arrays of this and of enclosing traces, plain arrays and numbers."""

    def __init__(self, trace: Trace) -> None:
        super().__init__(trace.builder)
        self.trace = trace

    def lift(self, operand: Any) -> Value:
        if isinstance(operand, Array):
            if operand.owner.finished:
                raise leaked(operand)
            if operand.owner is self.trace:
                return operand.value
            return self.trace.from_outer(operand)
        if type(operand) in (float, int, complex, bool):
            return self.builder.constant(operand)
        if isinstance(operand, (np.generic, np.ndarray)):
            _check_dtype(operand.dtype)
        if isinstance(operand, np.generic):
            self.trace.derived = True
            return self.builder.constant(operand)
        if type(operand) in (np.ndarray, np.memmap):
            return self.trace.capture(operand)
        if isinstance(operand, np.ndarray):
            name = type(operand).__name__
            raise refuse(f"an array of class {name} meets a traced one.", "Pass a plain ndarray: np.asarray(x).")
        if isinstance(operand, (list, tuple)):
            return self.lift(from_nested(self, operand))
        raise refuse(
            f"a traced array meets a {type(operand).__name__}, which is not a number or an array.",
            "Convert it to an array first.",
        )

    def wrap(self, value: Value) -> Array:
        return Array(self, value)

    def apply(self, op: Any, *operands: Any) -> Array:
        return self.applied(op, [self.lift(x) for x in operands])

    def applied(self, op: Any, values: list[Value]) -> Array:
        """An elementwise op on values of this trace, at the user's line."""
        self.trace.locate()
        try:
            return Array(self, self.builder.apply(op, *values))
        except TypeError as error:
            raise _at_line(error) from error

    def emit(self, op_name: str, *operands: Any, **params: Any) -> Array:
        self.trace.locate()
        try:
            return super().emit(op_name, *operands, **params)
        except GraphTypeError as error:
            raise _at_line(error) from error

    def cast(self, x: Any, dtype: Any, *, weak: bool = False) -> Array:
        _check_dtype(np.dtype(dtype))
        self.trace.locate()
        return super().cast(x, dtype, weak=weak)


def _check_dtype(dtype: np.dtype[Any]) -> None:
    if dtype not in SHORT_NAMES and dtype.newbyteorder("=") not in SHORT_NAMES:
        raise refuse(
            f"a value of dtype {dtype} cannot be traced; expected one of {', '.join(map(str, SHORT_NAMES))}.",
            "Convert it first, for instance with .astype(float).",
        )


def _at_line(error: TypeError) -> TraceError:
    """What the Builder refuses, at the user's line."""
    return error if isinstance(error, TraceError) else TraceError(
        f"At {described()}: {error} Convert the operands first, for instance with .astype(float)."
    )


def from_nested(xp: TraceNamespace, items: Any) -> Any:
    """What ``np.array`` makes of nested lists that may hold traced values."""
    if isinstance(items, (list, tuple)):
        parts = [from_nested(xp, item) for item in items]
        if not any(isinstance(part, Array) for part in parts):
            return np.array(parts)
        from wengert.tracer.numpy_api.movement import stack

        return stack(parts)
    return items


def find_arrays(items: Any) -> list[Array]:
    """The traced arrays among arguments, lists and tuples searched."""
    found: list[Array] = []
    for item in items:
        if isinstance(item, Array):
            found.append(item)
        elif isinstance(item, (list, tuple)):
            found.extend(find_arrays(item))
    return found


def namespace_of(*items: Any) -> TraceNamespace:
    """The namespace of the innermost trace among traced arguments."""
    arrays = find_arrays(items)
    if not arrays:  # only out= is traced
        trace = current_trace()
        assert trace is not None  # it is that of out=
        return TraceNamespace(trace)
    best = arrays[0]
    for array in arrays:
        if array.owner.finished:
            raise leaked(array)
        if array.owner.level > best.owner.level:
            best = array
    return best.xp


class Array(Expr):
    """An ndarray whose history is recorded.

    Shape and dtype are known; the numbers are not.  Python control flow on its values records a guard.
    """

    __slots__ = ("__weakref__", "memory", "owner")
    __array_priority__ = 1000.0
    xp: TraceNamespace

    def __init__(self, xp: TraceNamespace, value: Value, memory: View | None = None) -> None:
        self.xp = xp
        self.value = value
        self.owner = xp.trace
        self.memory = memory

    @property  # type: ignore[misc]
    def __class__(self) -> Any:  # type: ignore[override]
        """What ``isinstance`` is to see: the class that the value would have without tracing."""
        type_ = self.value.type
        if type_.shape:
            return np.ndarray
        return {"i": int, "f": float, "c": complex}[type_.dtype.kind] if type_.weak else type_.dtype.type

    # -- NumPy's protocols ----------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        from wengert.tracer.numpy_api import ufuncs

        op = BY_FUNCTION.get(ufunc)
        if op is not None and method == "__call__" and not kwargs and ufunc not in ufuncs.COMPOSED:
            return strong_apply(namespace_of(*inputs), op, inputs)
        return ufuncs.call(ufunc, method, inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        from wengert.tracer.numpy_api import FUNCTIONS

        implementation = FUNCTIONS.get(function)
        if implementation is None:
            from wengert.tracer.numpy_api.refused import refusal

            raise refusal(function)
        return implementation(*args, **kwargs)

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        self.check_alive()
        raise refuse(
            f"a traced array of type {self.value.type} is being turned into a plain NumPy array, which would lose "
            "track of it.",
            "Leave np.asarray(x) away where x is an array already; build arrays of traced values with np.stack or "
            "np.concatenate, or fill one made by np.zeros_like(traced); index a plain array with "
            "np.take_along_axis(a, traced, 0); if you need numbers, return the array from the function.",
        )

    # -- Python's protocols -----------------------------------------------------------------------

    def __bool__(self) -> bool:
        self.check_alive()
        if self.size != 1:
            message = "The truth value of an array with more than one element is ambiguous. Use a.any() or a.all()."
            raise ValueError(message)
        condition = self if self.dtype.kind == "b" else self.xp.not_equal(self, 0)
        return self.guarded(self.xp.reshape(condition, ()))

    def guarded(self, condition: Array) -> bool:
        self.check_alive()
        outcome = bool(self.owner.evaluate(condition.value))
        self.owner.locate()
        self.owner.builder.guard(condition.value, outcome)
        return outcome

    def __int__(self) -> int:
        if self.size != 1:
            message = "only arrays of one element can be converted to Python integers."
            raise TypeError(message)
        scalar = self.xp.reshape(self, ())
        whole = self.xp.trunc(scalar) if self.dtype.kind == "f" else scalar
        number = int(self.owner.evaluate(whole.value))
        self.guarded(self.xp.equal(whole, number))
        return number

    def __index__(self) -> int:
        if self.dtype.kind not in "iu" or self.shape != ():
            message = "only integer scalar arrays can be converted to an index."
            raise TypeError(message)
        return int(self)

    def __float__(self) -> float:
        self.check_alive()
        raise refuse(
            "a traced value is being turned into a Python number (by float(), by a function such as math.sin, or by "
            "writing it into a plain array), which would lose its derivative.",
            "Leave it as it is: use np.sin(x) instead of math.sin(x), and fill arrays made by np.zeros_like(traced), "
            "or build them with np.stack.",
        )

    __complex__ = __float__

    def __len__(self) -> int:
        if not self.shape:
            message = "len() of unsized object"
            raise TypeError(message)
        return self.shape[0]

    def __iter__(self) -> Any:
        return iter([self[i] for i in range(len(self))])

    def __contains__(self, item: Any) -> bool:
        return bool((self == item).any())

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __repr__(self) -> str:
        return f"<{'leaked' if self.owner.finished else 'traced'} {self.value.type}>"

    def __reduce__(self) -> Any:
        raise refuse("a traced array cannot be pickled.", "Return it from the traced function.")

    def check_alive(self) -> None:
        if self.owner.finished:
            raise leaked(self)

    # -- indexing ---------------------------------------------------------------------------------

    def __getitem__(self, key: Any) -> Array:
        from wengert.tracer import indexing

        self.check_alive()
        return indexing.get(self, key)

    def __setitem__(self, key: Any, new: Any) -> None:
        from wengert.tracer import indexing

        self.check_alive()
        indexing.set_(self, key, new)

    # -- memory -----------------------------------------------------------------------------------

    def write(self, new: Value) -> None:
        """Replace what this array holds, as an in-place operation does; views that share its memory see it."""
        self.check_alive()
        if (innermost := current_trace()) is not None and innermost is not self.owner:
            raise refuse("an array of an enclosing trace is modified in place.", "Return the new value instead.")
        if self.memory is None:
            self.value = new
        else:
            self.memory.write(self, new)

    # -- attributes -------------------------------------------------------------------------------

    @property
    def size(self) -> int:
        return self.value.type.size

    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return self.size * self.itemsize

    def __getattr__(self, name: str) -> Any:
        if hasattr(np.ndarray, name) and not name.startswith("__"):  # NumPy and others ask for protocols
            raise refuse(
                f"ndarray.{name} of a traced array is not there: it is about memory, or cannot be traced yet.",
                "Use NumPy functions that can be traced (see `wengert ops`), or do it outside the traced function.",
            )
        message = f"a traced array has no attribute {name!r}."
        raise AttributeError(message)

    def __hash__(self) -> int:  # type: ignore[override]
        message = "unhashable type: a traced array (as ndarray is)."
        raise TypeError(message)


def converted(array: Array, dtype: Any) -> Value:
    """The value for an in-place write into an array of this dtype."""
    if not np.can_cast(array.dtype, dtype, "same_kind"):
        message = f"Cannot cast the result from {array.dtype} to {dtype} with casting rule 'same_kind'."
        raise TypeError(message)
    return array.xp.builder.cast(array.value, dtype)


def strong_apply(xp: TraceNamespace, op: Any, operands: Any) -> Array:
    """A NumPy function makes NumPy scalars of Python ones when no array is there to decide."""
    values = [xp.lift(x) for x in operands]
    if all(v.type.weak for v in values):
        values = [xp.builder.cast(v, v.type.dtype) for v in values]
    return xp.applied(op, values)
