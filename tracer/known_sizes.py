"""What a traced array shows of its shape in a symbolic trace: whole numbers whose comparisons are remembered.

The function runs at several sizes, and sees plain numbers: ``x.shape[0]`` is 12, then 13, ...  A branch on one is a
branch that another size might not take.  So each is an int that remembers which size it was, keeps to it through
+ - * // %, and writes down every comparison that the user's code makes of it.
"""

from __future__ import annotations

import builtins
import contextlib
import math
import operator
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from wengert.ir.build import Builder
from wengert.ir.errors import SizeError
from wengert.ir.graph import Value
from wengert.ir.kinds import Op
from wengert.ir.symbolic.sizes import Size, greatest, least
from wengert.ir.types import WEAK, ArrayType, KnownSize
from wengert.tracer.array import Array
from wengert.tracer.context import Trace, current_trace
from wengert.tracer.location import here, is_machinery, refuse

if TYPE_CHECKING:
    from wengert.ir.symbolic.witnesses import Note

__all__ = ["LARGE", "SymbolicTrace", "TracedSize", "builtins_in_place"]

MAX_NOTES = 10_000
#: Elements of a value, from which on a witness is left out, unless the first one has as many.
LARGE = 2**22


class TracedSize(KnownSize):
    """A size of an array, at one witness."""

    dim: Any
    trace: SymbolicTrace

    @classmethod
    def of(cls, value: int, dim: Any, trace: SymbolicTrace) -> TracedSize:
        """The size ``dim``, which is ``value`` at this witness."""
        self = cls(value)
        self.dim, self.trace = dim, trace
        return self

    def __neg__(self) -> Any:
        return TracedSize.of(-int(self), -self.dim, self.trace)

    def __reduce__(self) -> Any:
        return int, (int(self),)


WEAK[TracedSize] = WEAK[int]


def _dim(x: Any) -> Any:
    return x.dim if isinstance(x, TracedSize) else int(x)


def _is_whole(x: Any) -> bool:
    return isinstance(x, (int, np.integer))


def _joined(x: Any, y: Any, value: int, operation: Any) -> Any:
    """The result of an operation on sizes; a plain int where it is no longer an expression to write down."""
    trace = x.trace if isinstance(x, TracedSize) else y.trace
    try:
        dim = operation(_dim(x), _dim(y))
    except (SizeError, TypeError):
        return value
    return TracedSize.of(value, dim, trace) if type(dim) is Size else value


def _install() -> None:
    def arithmetic(name: str) -> None:
        function = getattr(operator, name)

        def method(self: TracedSize, other: Any) -> Any:
            if not _is_whole(other):
                return NotImplemented
            return _joined(self, other, function(int(self), int(other)), function)

        def reflected(self: TracedSize, other: Any) -> Any:
            if not _is_whole(other):
                return NotImplemented
            return _joined(other, self, function(int(other), int(self)), function)

        setattr(TracedSize, f"__{name}__", method)
        setattr(TracedSize, f"__r{name}__", reflected)

    def comparison(name: str, relation: str) -> None:
        function = getattr(operator, name)

        def method(self: TracedSize, other: Any) -> Any:
            if isinstance(other, float) and name not in ("eq", "ne") and math.isfinite(other):
                # between two whole numbers: n > 2.5 is n > 2, and n < 2.5 is n <= 2
                whole = math.floor(other)
                if other == whole:
                    return compared(self, whole, function, relation)
                return compared(self, whole, *((operator.gt, ">") if name[0] == "g" else (operator.le, "<=")))
            if not _is_whole(other):
                return getattr(int(self), f"__{name}__")(other)
            return compared(self, other, function, relation)

        setattr(TracedSize, f"__{name}__", method)

    def compared(self: TracedSize, other: Any, function: Any, relation: str) -> bool:
        outcome = bool(function(int(self), int(other)))
        if not is_machinery(sys._getframe(2).f_globals.get("__name__", "?")):  # noqa: SLF001 (as in location.py)
            self.trace.note(self.dim, relation, _dim(other), outcome)
        return outcome

    def is_there(self: TracedSize) -> bool:
        return compared(self, 0, operator.ne, "!=")

    def hashed(self: TracedSize) -> int:
        if not is_machinery(sys._getframe(1).f_globals.get("__name__", "?")):  # noqa: SLF001 (as above)
            raise refuse(
                "a size is a key of a dict or set, and what is found there would be found for this size alone.",
                "Write the cases as ifs, which become conditions on the size, or give the axis a number.",
            )
        return hash(int(self))

    setattr(TracedSize, "__bool__", is_there)  # noqa: B010 (as the methods below)
    setattr(TracedSize, "__hash__", hashed)  # noqa: B010 (likewise)
    for name in ("add", "sub", "mul", "floordiv", "mod"):
        arithmetic(name)
    for name, relation in (("lt", "<"), ("le", "<="), ("gt", ">"), ("ge", ">="), ("eq", "=="), ("ne", "!=")):
        comparison(name, relation)


_install()


class SymbolicBuilder(Builder):
    """A builder that writes plain ints where the user's code gave it sizes.

    ``limit`` is the number of elements that a value may have: no array is made of it, but of its sizes one may be.
    """

    largest, limit = 0, 2**62

    def _append(self, op: Op, operands: Any, params: Any, types: tuple[ArrayType, ...]) -> tuple[Value, ...]:
        self.grows(max((t.size for t in types), default=0))
        return super()._append(op, operands, params, types)

    def grows(self, size: int) -> None:
        """Note that there is a value, or an array, of so many elements."""
        self.largest = max(self.largest, size)
        if self.largest > self.limit:
            message = "This witness makes large arrays; the others do without it."
            raise MemoryError(message)

    def constant(self, value: Any) -> Any:
        self.grows(np.size(value))
        return super().constant(int(value) if isinstance(value, KnownSize) else value)

    def keeps(self, key: Any) -> bool:
        items = key if isinstance(key, tuple) else (key,)  # x[:3] is all of a short x, and a slice of a long one
        return any(isinstance(item, slice) and item != slice(None) for item in items)

    def emit(self, op: Op, operands: Any, **params: Any) -> Value:
        return super().emit(op, operands, **{k: _plain(v) for k, v in params.items()})

    def emit_all(self, op: Op, operands: Any, **params: Any) -> tuple[Value, ...]:
        return super().emit_all(op, operands, **{k: _plain(v) for k, v in params.items()})


def _plain(param: Any) -> Any:
    if isinstance(param, KnownSize):
        return int(param)
    return tuple(map(_plain, param)) if type(param) is tuple else param


class SymbolicTrace(Trace):
    """A trace at one witness: it remembers which sizes the user's code looked at, and how it compared them."""

    symbolic = True

    def __init__(self, name: str, *, keeps_values: bool = False) -> None:
        super().__init__(name)
        self.builder: SymbolicBuilder = SymbolicBuilder(name)
        self.keeps_values = keeps_values
        self.slots: list[int] = []
        self.notes: list[Note] = []

    def admit(self, size: int) -> None:
        self.builder.grows(size)

    def inner(self, name: str) -> Trace:
        inner = SymbolicTrace(name, keeps_values=self.keeps_values)
        inner.slots, inner.notes, inner.builder.limit = self.slots, self.notes, self.builder.limit
        return inner

    def shown(self, shape: tuple[int, ...], *, depth: int = 2) -> tuple[int, ...]:
        """A shape, as the user's code sees it."""
        if depth and is_machinery(sys._getframe(depth).f_globals.get("__name__", "?")):  # noqa: SLF001 (as above)
            return shape
        first = len(self.slots)
        self.slots.extend(shape)
        names = (f"_s{first + axis}" for axis in range(len(shape)))
        return tuple(TracedSize.of(n, Size(((((name, 1),), 1),)), self) for n, name in zip(shape, names, strict=True))

    def note(self, left: Any, relation: str, right: Any, outcome: bool) -> None:
        """Remember a comparison."""
        if left != right and len(self.notes) < MAX_NOTES:
            from wengert.ir.symbolic.witnesses import Note

            self.notes.append(Note(left, relation, right, outcome, here()))


# ----- len, min and max -----

_lock = threading.Lock()
_depth = 0
_len, _min, _max = len, min, max


def _counted(x: Any, /) -> int:
    """``len``, which C would make a plain int of."""
    if type(x) is Array and isinstance(x.owner, SymbolicTrace) and x.type.shape:
        return x.owner.shown(x.type.shape[:1], depth=0)[0]
    return _len(x)


def _chosen(function: Any, joined: Any) -> Any:
    def choose(*args: Any, **kwargs: Any) -> Any:
        if not kwargs and _len(args) > 1 and any(type(x) is TracedSize for x in args) and all(map(_is_whole, args)):
            found = args[0]
            for other in args[1:]:
                value = function(int(found), int(other))
                sized = any(isinstance(x, TracedSize) for x in (found, other))
                found = _joined(found, other, value, joined) if sized else value
            return found
        return function(*args, **kwargs)

    return choose


@contextlib.contextmanager
def builtins_in_place() -> Iterator[None]:
    """Within this context ``len``, ``min`` and ``max`` keep to sizes; for all else they are Python's."""
    global _depth  # noqa: PLW0603 (a count of the symbolic traces under way, in all threads)
    with _lock:
        _depth += 1
        builtins.len, builtins.min, builtins.max = _counted, _chosen(_min, least), _chosen(_max, greatest)  # type: ignore[assignment]
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if _depth == 0:
                builtins.len, builtins.min, builtins.max = _len, _min, _max


def shown(array: Array) -> tuple[int, ...]:
    """The shape of a traced array for the user, who asked one of our functions for it."""
    trace = current_trace()
    return trace.shown(array.type.shape, depth=0) if isinstance(trace, SymbolicTrace) else array.type.shape
