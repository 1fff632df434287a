"""Plain numbers in arrays made while tracing: NumPy itself computes with them, until a traced value comes in."""

from __future__ import annotations

import functools
import inspect
from typing import Any

import numpy as np

from wengert.ir.types import SHORT_NAMES, KnownSize
from wengert.tracer.array import Array, TraceNamespace, find_arrays
from wengert.tracer.context import current_trace
from wengert.tracer.memory import View

__all__ = ["adopted", "counted", "natively", "plainly"]


def natively(function: Any, args: Any, kwargs: dict[str, Any], *, making: bool = True) -> Any:
    """NumPy's own answer, where only plain numbers are involved.

    A new array in it may still be written into: of a function that is ``making`` one, or was given such an array.
    """
    held: dict[int, tuple[Any, Array]] = {}
    given, named = [_down(x, held) for x in args], {name: _down(x, held) for name, x in kwargs.items()}
    result = function(*given, **named)
    trace = current_trace()
    if trace is not None and trace.symbolic:
        trace.admit(np.size(result) if isinstance(result, np.ndarray) else 0)
    if trace is not None and trace.keeps_values and _has_size((*args, *kwargs.values())):
        return _as_values(TraceNamespace(trace), result)
    if not (making or held) or any(result is x for x in args):
        return result
    return _up(result, held)


def _has_size(items: Any) -> bool:
    return any(isinstance(x, KnownSize) or (type(x) in (list, tuple) and _has_size(x)) for x in items)


def _as_values(xp: TraceNamespace, result: Any) -> Any:
    """Arrays as traced ones: what is done to ``np.arange(n)`` is part of the program, its numbers are a formula."""
    if type(result) in (list, tuple):
        return type(result)(_as_values(xp, x) for x in result)
    is_array = type(result) is np.ndarray and result.dtype in SHORT_NAMES
    return xp.constant(result) if is_array else result


def _down(item: Any, held: dict[int, tuple[Any, Array]]) -> Any:
    """Arrays as NumPy's own, of the same memory."""
    if type(item) is Array:
        numbers = item.numbers
        held[id(numbers)] = numbers, item
        return numbers
    if type(item) in (list, tuple) and find_arrays(item):
        return type(item)(_down(x, held) for x in item)
    return item


def _up(result: Any, held: dict[int, tuple[Any, Array]]) -> Any:
    if id(result) in held:
        return held[id(result)][1]
    if type(result) in (list, tuple):
        return type(result)(_up(x, held) for x in result)
    return adopted(result, [array for _, array in held.values()])


#: Options that say how, not of what: an integer that is traced is a plain one there, and a guard that it stays so.
_COUNTS = frozenset("""
    M N axes axis dimensions indices_or_sections k kth obj pad_width repeats reps shape shift window_shape
""".split())


def plainly(
    implementation: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[list[Any], dict[str, Any]]:
    """Arguments in which arrays of plain numbers, made while tracing, are plain ones; but for what is written into."""
    written, counts = _places(implementation)
    given = [
        x if i in written else counted(x) if i in counts else _plainly(x) for i, x in enumerate(args)
    ]
    return given, {name: counted(x) if name in _COUNTS else x for name, x in kwargs.items()} if kwargs else kwargs


def counted(item: Any) -> Any:
    """A count, or counts in tuples and lists, that are known; anything else as it is."""
    if type(item) in (list, tuple):
        return type(item)(map(counted, item))
    known = type(item) is not Array or item.is_plain
    if isinstance(item, np.integer) if known else not item.shape and item.dtype.kind in "iu":
        return int(item)
    return _plainly(item)


def _plainly(item: Any) -> Any:
    if type(item) in (list, tuple):
        return type(item)(map(_plainly, item))
    return item.numbers.copy() if type(item) is Array and item.is_plain else item  # type: ignore[union-attr]


@functools.lru_cache(maxsize=4096)
def _places(implementation: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The positions of arguments that may be written into, the first one and ``out``, and of counts."""
    try:
        names = list(inspect.signature(implementation).parameters)
    except ValueError:
        return (0,), ()
    counts = tuple(i for i, name in enumerate(names) if name in _COUNTS)
    return (0,) * (0 not in counts) + ((names.index("out"),) if "out" in names else ()), counts


def adopted(result: Any, sources: Any = ()) -> Any:
    """A plain array made while tracing, as one that traced values may be written into."""
    trace = current_trace()
    if trace is None or type(result) is not np.ndarray or result.dtype not in SHORT_NAMES:
        return result
    xp = TraceNamespace(trace)
    for source in sources:
        buffer = source.memory.buffer
        if result.base is not None and _root(result) is _root(buffer.numbers) and result.dtype == buffer.numbers.dtype:
            first = (_address(result) - _address(buffer.numbers)) // result.itemsize
            strides = tuple(s // result.itemsize * 8 for s in result.strides)
            places = np.lib.stride_tricks.as_strided(buffer.root().reshape(-1)[first:], result.shape, strides)
            return xp.plain(result, View(buffer, positions=places))
    if result.base is not None or not result.flags.writeable:
        return result
    return xp.plain(result)


def _root(array: Any) -> Any:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _address(array: Any) -> int:
    return int(array.__array_interface__["data"][0])
