"""The traced array: it looks like an ndarray, and what is done to it is written down."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

from wengert.ir.build import Expr, Namespace
from wengert.ir.errors import TraceError
from wengert.ir.graph import Value
from wengert.ir.ops import BY_FUNCTION, OPS
from wengert.tracer.context import Trace, current_trace, leaked
from wengert.tracer.location import described

__all__ = ["Array", "TraceNamespace", "namespace_of", "refuse"]


def refuse(what: str, fix: str) -> TraceError:
    """An error at the user's line: what cannot be traced, and what to do."""
    return TraceError(f"At {described()}: {what} {fix}")


class TraceNamespace(Namespace):
    """``xp`` of a trace: takes arrays of this and of enclosing traces, plain arrays and numbers."""

    def __init__(self, trace: Trace) -> None:
        super().__init__(trace.builder)
        self.trace = trace

    def lift(self, operand: Any) -> Value:
        if isinstance(operand, Array):
            if operand.owner is self.trace:
                return operand.value
            if operand.owner.finished:
                raise leaked(operand)
            return self.trace.from_outer(operand)
        if type(operand) in (float, int, complex, bool) or isinstance(operand, np.generic):
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
        self.trace.locate()
        return Array(self, self.builder.apply(op, *[self.lift(x) for x in operands]))

    def emit(self, op_name: str, *operands: Any, **params: Any) -> Array:
        self.trace.locate()
        return super().emit(op_name, *operands, **params)


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
    best = arrays[0]
    for array in arrays:
        if array.owner.finished:
            raise leaked(array)
        if array.owner.level > best.owner.level:
            best = array
    return best.xp


class Memory:
    """What views of one array share: who they are, and whether it is the caller's."""

    __slots__ = ("argument", "members")

    def __init__(self, *, argument: bool = False) -> None:
        self.argument = argument
        self.members: list[weakref.ref[Array]] = []


class Array(Expr):
    """An ndarray whose history is recorded.

    Shape and dtype are known; the numbers are not.  Python control flow on its values records a guard.
    """

    __slots__ = ("__weakref__", "_memory", "owner")
    __array_priority__ = 1000.0
    xp: TraceNamespace

    def __init__(self, xp: TraceNamespace, value: Value, memory: Memory | None = None) -> None:
        self.xp = xp
        self.value = value
        self.owner = xp.trace
        self._memory = memory

    # -- NumPy's protocols ----------------------------------------------------------------------

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        from wengert.tracer.numpy_api import ufuncs

        op = BY_FUNCTION.get(ufunc)
        if op is not None and method == "__call__" and not kwargs and ufunc not in ufuncs.COMPOSED:
            return _strong_apply(namespace_of(*inputs), op, inputs)
        return ufuncs.call(ufunc, method, inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        from wengert.tracer.numpy_api import FUNCTIONS

        implementation = FUNCTIONS.get(function)
        if implementation is None:
            name = f"{getattr(function, '__module__', 'numpy')}.{function.__name__}"
            raise refuse(
                f"{name} cannot be traced yet.",
                "Write it with functions that can (see `wengert ops`), or apply it outside the traced function.",
            )
        return implementation(*args, **kwargs)

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise refuse(
            f"a traced array of type {self.value.type} is being turned into a plain NumPy array, which would lose "
            "track of it.",
            "If you fill an array by index, make it with np.zeros_like(traced) or build it with np.stack or "
            "np.concatenate; if you need numbers, return the array from the traced function.",
        )

    # -- Python's protocols -----------------------------------------------------------------------

    def __bool__(self) -> bool:
        if self.size != 1:
            message = "The truth value of an array with more than one element is ambiguous. Use a.any() or a.all()."
            raise ValueError(message)
        condition = self if self.dtype.kind == "b" else self.xp.not_equal(self, 0)
        return self._guarded(self.xp.reshape(condition, ()))

    def _guarded(self, condition: Array) -> bool:
        self._check_alive()
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
        self._guarded(self.xp.equal(whole, number))
        return number

    def __index__(self) -> int:
        if self.dtype.kind not in "iu" or self.shape != ():
            message = "only integer scalar arrays can be converted to an index."
            raise TypeError(message)
        return int(self)

    def __float__(self) -> float:
        raise refuse(
            "float() of a traced value would lose its derivative (so would math.sin(x) and the like).",
            "Leave the value as it is, and use NumPy's functions: np.sin(x) instead of math.sin(x).",
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
        return f"<traced {self.value.type}>"

    def __reduce__(self) -> Any:
        raise refuse("a traced array cannot be pickled.", "Return it from the traced function.")

    def _check_alive(self) -> None:
        if self.owner.finished:
            raise leaked(self)

    # -- indexing ---------------------------------------------------------------------------------

    def __getitem__(self, key: Any) -> Array:
        from wengert.tracer import indexing

        self._check_alive()
        return indexing.get(self, key)

    def __setitem__(self, key: Any, new: Any) -> None:
        from wengert.tracer import indexing

        self._check_alive()
        indexing.set_(self, key, new)

    # -- memory -----------------------------------------------------------------------------------

    def view(self, array: Array) -> Array:
        """Mark ``array`` as one that NumPy would make a view of this one."""
        if array is self or not array.shape:
            return array
        if self._memory is None:
            self._memory = Memory()
        if not any(ref() is self for ref in self._memory.members):
            self._memory.members.append(weakref.ref(self))
        array._memory = self._memory
        self._memory.members.append(weakref.ref(array))
        return array

    def write(self, new: Value) -> None:
        """Replace what this array holds, as an in-place operation does."""
        self._check_alive()
        if (innermost := current_trace()) is not None and innermost is not self.owner:
            raise refuse("an array of an enclosing trace is modified in place.", "Return the new value instead.")
        memory = self._memory
        if memory is not None and memory.argument:
            raise refuse(
                "an argument of the traced function is modified in place, which would change the caller's array.",
                "Work on a copy: x = x.copy(), or x = x + y instead of x += y.",
            )
        if memory is not None and any(ref() not in (None, self) for ref in memory.members):
            raise refuse(
                "an array is modified in place while a view shares its memory, which is not traced yet.",
                "Make the view a copy (y = x[1:].copy()), or write the update without in-place assignment.",
            )
        self.value = new

    def _in_place(self, op_name: str, other: Any) -> Array:
        op = OPS[op_name]
        result = self.xp.apply(op, self, other) if op_name != "einsum" else self @ other
        if not self.shape:
            return result
        if result.shape != self.shape:
            message = (f"non-broadcastable output operand with shape {self.shape} doesn't match the broadcast "
                       f"shape {result.shape}.")  # fmt: skip
            raise ValueError(message)
        self.write(converted(result, self.dtype))
        return self

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
        if hasattr(np.ndarray, name):
            raise refuse(f"ndarray.{name} cannot be traced yet.", "Use the NumPy function instead.")
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


def _strong_apply(xp: TraceNamespace, op: Any, operands: Any) -> Array:
    """A NumPy function makes NumPy scalars of Python ones when no array is there to decide."""
    values = [xp.lift(x) for x in operands]
    xp.trace.locate()
    if all(v.type.weak for v in values):
        values = [xp.builder.cast(v, v.type.dtype) for v in values]
    return Array(xp, xp.builder.apply(op, *values))


def _operators() -> None:
    """Binary operators defer to other classes' own, and know their in-place forms."""
    binary = {
        "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "floordiv": "floor_divide",
        "mod": "remainder", "pow": "power", "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor",
        "lshift": "left_shift", "rshift": "right_shift",
        "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal", "eq": "equal", "ne": "not_equal",
    }  # fmt: skip

    def define(dunder: str, op: Any) -> None:
        def method(self: Array, other: Any) -> Any:
            if not _operand(other):
                return NotImplemented
            return namespace_of(self, other).apply(op, self, other)

        def reflected(self: Array, other: Any) -> Any:
            if not _operand(other):
                return NotImplemented
            return namespace_of(self, other).apply(op, other, self)

        def in_place(self: Array, other: Any) -> Any:
            return self._in_place(op.name, other)

        setattr(Array, f"__{dunder}__", method)
        if dunder not in ("lt", "le", "gt", "ge", "eq", "ne"):
            setattr(Array, f"__r{dunder}__", reflected)
            setattr(Array, f"__i{dunder}__", in_place)

    for dunder, name in binary.items():
        define(dunder, OPS[name])


def _operand(other: Any) -> bool:
    return isinstance(other, (Array, float, int, complex, np.ndarray, np.generic, list, tuple))


_operators()

_FAST_POWERS = {2: "square", 0.5: "sqrt", 1: "positive"}


def _power(self: Array, other: Any) -> Any:
    """NumPy's own short cuts: x**2 is square(x), x**0.5 sqrt(x)."""
    if type(other) in (int, float) and other in _FAST_POWERS and not self.value.type.weak:
        if self.dtype.kind in "fc" or (other == 2 and self.dtype.kind in "iu"):
            return namespace_of(self).apply(OPS[_FAST_POWERS[other]], self)
    if not _operand(other):
        return NotImplemented
    return namespace_of(self, other).apply(OPS["power"], self, other)


Array.__pow__ = _power  # type: ignore[attr-defined]


def _unary(name: str) -> Any:
    return lambda self: self.xp.apply(OPS[name], self) if not self.owner.finished else _raise(leaked(self))


def _raise(error: Exception) -> Any:
    raise error


for _dunder, _name in (("neg", "negative"), ("pos", "positive"), ("abs", "absolute"), ("invert", "invert")):
    setattr(Array, f"__{_dunder}__", _unary(_name))
