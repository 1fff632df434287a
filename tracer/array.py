"""The traced array: it looks like an ndarray, and what is done to it is written down."""

from __future__ import annotations

import functools
import operator
import warnings
from types import SimpleNamespace
from typing import Any

import numpy as np

from wengert.ir.build import Namespace
from wengert.ir.errors import GraphTypeError
from wengert.ir.graph import Value
from wengert.ir.types import ArrayType, KnownSize, type_of
from wengert.tracer.context import Trace, current_trace, leaked
from wengert.tracer.conversions import Convertible
from wengert.tracer.location import at_line, check_dtype, here, refuse
from wengert.tracer.memory import Buffer, View, look_into, remembered
from wengert.tracer.weak import fitted

__all__ = ["Array", "TraceNamespace", "converted", "direct", "find_arrays", "namespace_of", "quickly", "refuse"]

@functools.cache
def _above() -> SimpleNamespace:
    """What is built on this module, imported when a trace first needs it: an import statement takes a microsecond."""
    from wengert.tracer import indexing
    from wengert.tracer.numpy_api import FUNCTIONS, ufuncs
    from wengert.tracer.plain import natively, plainly

    return SimpleNamespace(FUNCTIONS=FUNCTIONS, indexing=indexing, natively=natively, plainly=plainly, ufuncs=ufuncs)


class TraceNamespace(Namespace):
    """``xp`` of a trace: takes arrays of this and of enclosing traces, plain arrays and numbers."""

    def __init__(self, trace: Trace) -> None:
        super().__init__(trace.builder)
        self.trace, self.level = trace, trace.level

    def lift(self, operand: Any) -> Value:
        if isinstance(operand, Array):
            if (numbers := operand.numbers) is not None:
                return self.builder.constant(np.array(numbers))
            if operand.owner.finished:
                raise leaked(operand)
            if operand.owner is self.trace:
                return operand.value
            return self.trace.from_outer(operand)
        if type(operand) in (float, int, complex, bool) or isinstance(operand, KnownSize):
            return self.builder.constant(operand)
        if isinstance(operand, (np.generic, np.ndarray)):
            check_dtype(operand.dtype)
        if isinstance(operand, np.generic):
            self.trace.derived = True
            return self.builder.constant(operand)
        if type(operand) in (np.ndarray, np.memmap):
            return self.trace.capture(operand)
        if isinstance(operand, np.ndarray):
            name = type(operand).__name__
            raise refuse(f"an array of class {name} meets a traced one.", "Pass a plain ndarray: np.asarray(x).")
        if isinstance(operand, (list, tuple)):
            from wengert.tracer.numpy_api.creation import from_items

            return self.lift(from_items(self, operand))
        raise refuse(
            f"a traced array meets a {type(operand).__name__}, which is not a number or an array.",
            "Convert it to an array first.",
        )

    def wrap(self, value: Value) -> Array:
        return Array(self, value)

    def constant(self, numbers: Any) -> Array:
        """A plain array, known while tracing, as one of this trace."""
        return Array(self, self.builder.constant(np.asarray(numbers)))

    def plain(self, numbers: np.ndarray[Any, Any], view: View | None = None) -> Array:
        """An array of plain numbers, made while tracing, into which traced values may come."""
        array = Array(self, None, type_of(numbers))
        look_into(array, view or View(Buffer(None, numbers=numbers)))
        return array

    def apply(self, op: Any, *operands: Any) -> Array:
        return self.applied(op, [self.lift(x) for x in operands])

    def applied(self, op: Any, values: list[Value]) -> Array:
        """An elementwise op on values of this trace, at the user's line."""
        self.builder.location = here(3)  # who asks is ours
        try:
            return Array(self, self.builder.apply(op, *fitted(self, op, values)))
        except TypeError as error:
            raise at_line(error) from error

    def emit(self, op_name: str, *operands: Any, **params: Any) -> Array:
        self.trace.locate()
        try:
            return super().emit(op_name, *operands, **params)
        except GraphTypeError as error:
            raise at_line(error) from error

    def basic_index(self, x: Any, key: Any) -> Array:
        self.trace.locate()
        return super().basic_index(x, key)  # type: ignore[no-any-return]

    def cast(self, x: Any, dtype: Any, *, weak: bool = False) -> Array:
        dtype = np.dtype(dtype)
        check_dtype(dtype)
        self.trace.locate()
        if self.lift(x).type.dtype.kind == "c" and dtype.kind not in "cb":
            message = "Casting complex values to real discards the imaginary part"  # NumPy's words
            warnings.warn(message, np.exceptions.ComplexWarning, stacklevel=3)
            x = self.real(x)
        return super().cast(x, dtype, weak=weak)


def find_arrays(items: Any) -> list[Array]:
    """The traced arrays among arguments; lists, tuples and arrays of objects searched."""
    found: list[Array] = []
    for item in items:
        kind = type(item)
        if kind is Array:
            found.append(item)
        elif kind in (list, tuple):
            found.extend(find_arrays(item))
        elif kind is np.ndarray and item.dtype.kind == "O":
            found.extend(find_arrays(item.reshape(-1).tolist()))
    return found


def is_traced(items: Any) -> bool:
    """Whether a value that depends on the trace is among arguments; plain numbers in arrays made here are not."""
    return any(not array.is_plain for array in find_arrays(items))


def namespace_of(*items: Any) -> TraceNamespace:
    """The namespace of the innermost trace among traced arguments."""
    arrays = [array for array in find_arrays(items) if not array.is_plain]
    if not arrays:  # only out= is traced
        trace = current_trace()
        assert trace is not None  # it is that of out=
        return TraceNamespace(trace)
    for array in arrays:
        if array.owner.finished:
            raise leaked(array)
    return max(arrays, key=lambda array: array.owner.level).xp


class Array(Convertible):
    """An ndarray whose history is recorded.

    Shape and dtype are known; the numbers are not.  Python control flow on its values records a guard.
    """

    __slots__ = ("__weakref__", "_value", "memory", "origin", "owner", "type", "version")
    __array_priority__ = 1000.0
    xp: TraceNamespace

    def __init__(self, xp: TraceNamespace, value: Value | None, type_: ArrayType | None = None) -> None:
        self.xp = xp
        self.owner = xp.trace
        self._value = value
        self.type = type_ or value.type  # type: ignore[union-attr]
        self.memory: View | None = None
        self.version = 0
        self.origin: tuple[Value, int] | None = None  # of a number: the array it was read from, and its place

    @property
    def value(self) -> Value:  # type: ignore[override]
        """What it holds now."""
        view = self.memory
        if view is not None and (self.version != view.buffer.version or self._value is None):
            value, self.version = view.look(self.xp), view.buffer.version
            if view.buffer.plain:  # its numbers may change without our seeing it
                return value
            self._value = value
        return self._value  # type: ignore[return-value]

    @property
    def is_plain(self) -> bool:
        """Whether it holds plain numbers alone."""
        return self.memory is not None and self.memory.buffer.plain

    @property
    def numbers(self) -> np.ndarray[Any, Any] | None:
        """The plain array that it is, as long as no traced value has come into its memory; else None."""
        return self.memory.numbers() if self.memory is not None and self.memory.buffer.plain else None

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.type.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        return self.owner.shown(self.type.shape)

    @property
    def ndim(self) -> int:
        return len(self.type.shape)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:  # type: ignore[override]
        """What ``isinstance`` is to see: the class that the value would have without tracing."""
        type_ = self.type
        if type_.shape or self.is_plain:
            return np.ndarray
        return {"i": int, "f": float, "c": complex}[type_.dtype.kind] if type_.weak else type_.dtype.type

    # -- NumPy's protocols ----------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if self.is_plain and not is_traced((inputs, *kwargs.values())):
            return _above().natively(getattr(ufunc, method), inputs, kwargs)
        op = _above().ufuncs.ONE_NODE.get(ufunc)
        if op is not None and method == "__call__" and not kwargs:
            xp = namespace_of(*inputs)
            return _strongly(xp, op, [xp.lift(x) for x in inputs])
        return _above().ufuncs.call(ufunc, method, inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if self.is_plain and not is_traced((args, *kwargs.values())):
            return _above().natively(function, args, kwargs)
        implementation = _above().FUNCTIONS.get(function)
        if implementation is None and function.__module__.startswith("numpy.polynomial."):
            implementation = function.__wrapped__  # what NumPy dispatches of it is itself written in NumPy's terms
        if implementation is None:
            from wengert.tracer.numpy_api.refused import refusal

            raise refusal(function)
        args, kwargs = _above().plainly(implementation, args, kwargs)
        return implementation(*args, **kwargs)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        from wengert.tracer.numpy_api import special

        if (numbers := self.numbers) is not None:
            return np.array(numbers, dtype, copy=copy)
        self.check_alive()
        if (instead := special.advice()) is not None:
            raise refuse(*instead)
        raise refuse(
            f"a traced array of type {self.value.type} is being turned into a plain NumPy array, which would lose "
            "track of it.",
            "Give it to functions of NumPy; fill an array made in the traced function (by np.zeros, np.array, "
            "np.zeros_like) instead of one from outside; index a plain array with np.take(a, traced, 0); if you need "
            "numbers, return the array from the function.",
        )

    # -- Python's protocols -----------------------------------------------------------------------

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
        return format(numbers, spec) if (numbers := self.numbers) is not None else repr(self)

    def __repr__(self) -> str:
        if (numbers := self.numbers) is not None:
            return repr(numbers)
        return f"<{'leaked' if self.owner.finished else 'traced'} {self.type}>"

    def __reduce__(self) -> Any:
        if (numbers := self.numbers) is not None:
            return np.array(numbers).__reduce__()
        raise refuse("a traced array cannot be pickled.", "Return it from the traced function.")

    def check_alive(self) -> None:
        if self.owner.finished:
            raise leaked(self)

    # -- indexing ---------------------------------------------------------------------------------

    def __getitem__(self, key: Any) -> Array:
        if self.is_plain and not is_traced((key,)):
            return _above().natively(operator.getitem, (self, key), {})
        self.check_alive()
        return _above().indexing.get(self, key)

    def __setitem__(self, key: Any, new: Any) -> None:
        if self.is_plain and not is_traced((key, new)):
            _above().natively(operator.setitem, (self, key, new), {})
            return
        self.check_alive()
        _above().indexing.set_(self, key, new)

    # -- memory -----------------------------------------------------------------------------------

    def write(
        self, new: Value, chosen: np.ndarray[Any, Any] | None = None, origin: tuple[Value, int] | None = None
    ) -> None:
        """Replace what this array holds (at these flat positions of it), as an in-place operation does.

        Views that share its memory see it.  Of an element ``origin`` says which array it was read from, and where.
        """
        self.check_alive()
        if (innermost := current_trace()) is not None and innermost is not self.owner:
            raise refuse("an array of an enclosing trace is modified in place.", "Return the new value instead.")
        if chosen is not None:
            remembered(self)
        self.origin = None
        if self.memory is None:
            self._value = new
        else:
            self.memory.write(self, new, chosen, origin)

    # -- attributes -------------------------------------------------------------------------------

    @property
    def size(self) -> int:  # type: ignore[override]
        return self.owner.shown((self.type.size,))[0]

    def __getattr__(self, name: str) -> Any:
        if hasattr(np.ndarray, name) and self.is_plain:
            from wengert.tracer.plain import natively

            return natively(getattr, (self, name), {})
        if hasattr(np.ndarray, name) and not name.startswith("__"):  # NumPy and others ask for protocols
            raise refuse(
                f"ndarray.{name} of a traced array is not there: it is about memory, or cannot be traced yet.",
                "Use NumPy functions that can be traced (see `wengert ops`), or do it outside the traced function.",
            )
        message = f"a traced array has no attribute {name!r}."
        raise AttributeError(message)

    def __hash__(self) -> int:  # type: ignore[override]
        if self.shape == () and self.dtype.kind in "iu":  # a key: which one it is becomes a guard
            return hash(int(self))
        message = "unhashable type: a traced array (as ndarray is)."
        raise TypeError(message)


def converted(array: Array, dtype: Any) -> Value:
    """The value for an in-place write into an array of this dtype."""
    if not np.can_cast(array.dtype, dtype, "same_kind"):
        message = f"Cannot cast the result from {array.dtype} to {dtype} with casting rule 'same_kind'."
        raise TypeError(message)
    return array.xp.builder.cast(array.value, dtype)


def direct(xp: TraceNamespace, operands: Any) -> list[Value] | None:
    """The values of traced arrays of one trace and of Python numbers; None where an operand needs a second look."""
    values, trace, constant = [], xp.trace, xp.builder.constant
    for x in operands:
        kind = type(x)
        if kind is Array:
            view = x.memory
            if x.owner is not trace or (view is not None and view.buffer.plain):
                return None
            values.append(x.value)
        elif kind is float or kind is int:
            values.append(constant(x))
        else:
            return None
    return None if trace.finished else values


def quickly(op: Any, operands: Any) -> Array | None:
    """A ufunc of one node on such operands; None where they are others, or one more is where the result goes."""
    if len(operands) != op.arity:
        return None
    for x in operands:
        if type(x) is Array:
            values = direct(x.xp, operands)
            return None if values is None else _strongly(x.xp, op, values)
    return None


def _strongly(xp: TraceNamespace, op: Any, values: list[Value]) -> Array:
    """A NumPy function makes NumPy scalars of Python ones when no array is there to decide."""
    if False not in [v.type.weak for v in values]:
        values = [xp.builder.cast(v, v.type.dtype) for v in values]
    return xp.applied(op, values)
