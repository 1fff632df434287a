"""What a function reads besides its arguments: closures, globals, attributes of static arguments.

Numbers found there are compared at each call, so that a changed one traces again; arrays are found
again by the way they were reached, so that a rebound one is read anew.  The search follows names that
occur in the function's code, through helper functions and containers, to a small depth; what it does not
reach (a C extension's state, say) is as it was when traced.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

__all__ = ["Environment"]

Getter = Callable[[], Any]
DEPTH = 4
WIDTH = 64
_SCALARS = (int, float, complex, bool, str, type(None))


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _is_library(function: types.FunctionType) -> bool:
    return function.__module__ is None or function.__module__.partition(".")[0] in ("wengert", "numpy", *sys.stdlib_module_names)


class Environment:
    """The numbers to watch and the ways to arrays, for one function and its static arguments."""

    def __init__(self, function: Any, statics: tuple[Any, ...]) -> None:
        self.watched: list[Getter] = []
        self.ways: dict[int, Getter] = {}
        self._seen: set[int] = set()
        self._names: set[str] = set()
        roots = (function, *statics)
        for root in roots:
            self._visit(root, lambda root=root: root, DEPTH)

    def values(self) -> tuple[Any, ...]:
        """The watched numbers as they are now (their types too: 1 is not 1.0)."""
        return tuple((type(v), v) for v in (_read(get) for get in self.watched))

    def _visit(self, value: Any, get: Getter, depth: int) -> None:
        if isinstance(value, _SCALARS) or isinstance(value, np.generic):
            self.watched.append(get)
            return
        if type(value) is np.ndarray or isinstance(value, np.memmap):
            self.ways.setdefault(id(value), get)
            return
        if depth == 0 or id(value) in self._seen:
            return
        self._seen.add(id(value))
        for child, way in _children(value, get, self._names):
            self._visit(child, way, depth - 1)


def _read(get: Getter) -> Any:
    try:
        return get()
    except (AttributeError, KeyError, IndexError, NameError, ValueError):
        return _Missing


class _Missing:
    """Stands for what can no longer be reached."""


def _children(value: Any, get: Getter, names: set[str]) -> Iterator[tuple[Any, Getter]]:
    if isinstance(value, types.MethodType):
        yield value.__func__, lambda: get().__func__
        yield value.__self__, lambda: get().__self__
    elif isinstance(value, types.FunctionType):
        if not _is_library(value):
            yield from _function(value, names)
    elif isinstance(value, dict):
        for key in list(value)[:WIDTH]:
            yield value[key], lambda key=key: get()[key]
    elif type(value) in (list, tuple):
        for i, item in enumerate(value[:WIDTH]):
            yield item, lambda i=i: get()[i]
    elif not isinstance(value, (type, types.ModuleType)) and hasattr(value, "__dict__"):
        for name in [n for n in vars(value) if n in names][:WIDTH]:
            yield vars(value)[name], lambda name=name: getattr(get(), name)
        if hasattr(value, "function"):  # a traced or otherwise wrapped function
            yield value.function, lambda: get().function


def _function(function: types.FunctionType, names: set[str]) -> Iterator[tuple[Any, Getter]]:
    for code in _codes(function.__code__):
        names.update(code.co_names)
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents, lambda cell=cell: cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    module = function.__globals__
    for name in sorted({n for code in _codes(function.__code__) for n in code.co_names if n in module}):
        yield module[name], lambda name=name: module[name]
