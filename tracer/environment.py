"""What a function reads besides its arguments: closures, globals, attributes of static arguments.

Numbers and functions found there are compared at each call, so that a changed one traces again; arrays are found
again by the way they were reached, so that a rebound one is read anew.  The search follows names that
occur in the function's code, through helper functions, modules, classes and containers, to a small depth; what it does
not reach (a C extension's state, say) is as it was when traced.
"""

from __future__ import annotations

import collections
import functools
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from attrs import define

from wengert.backends.called import Derivative
from wengert.ir.build import Expr
from wengert.ir.ops.random import is_generator
from wengert.tracer.location import is_ours
from wengert.tracer.random import Stream
from wengert.tracer.standins import StandIn

__all__ = ["Environment", "Watch", "read"]

Getter = Callable[[], Any]
DEPTH = 5
WIDTH = 1024
_GONE = (AttributeError, KeyError, IndexError, NameError, ValueError, TypeError)  # what a getter may raise
_SCALARS = (int, float, complex, bool, str, bytes, type(None), np.generic)
_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType, np.ufunc, type, Derivative)
_STANDING_AROUND = (types.MethodType, functools.partial)
_LIBRARIES = frozenset({"wengert", "numpy", *sys.stdlib_module_names})


class Entry:
    """The way to an entry of a dictionary, as a module's names are."""

    __slots__ = ("holder", "key")

    def __init__(self, holder: dict[str, Any], key: str) -> None:
        self.holder, self.key = holder, key

    def __call__(self) -> Any:
        return self.holder[self.key]


class Cell:
    """The way to what a closure holds."""

    __slots__ = ("holder", "key")

    def __init__(self, holder: types.CellType) -> None:
        self.holder, self.key = holder, None

    def __call__(self) -> Any:
        return self.holder.cell_contents


class Environment:
    """What to watch and the ways to arrays, for one function and its static arguments."""

    def __init__(self, function: Any, statics: tuple[Any, ...]) -> None:
        self._names: set[str] = set()
        known = -1
        while known != len(self._names):  # the names in a helper's code say what else is read
            known = len(self._names)
            self.watched: list[Getter] = []
            self.arrays: dict[int, tuple[Any, Getter]] = {}
            self.generators: dict[int, tuple[Any, Getter]] = {}
            self.holders: list[tuple[Any, Any]] = []
            self._seen: set[int] = set()
            for root in (function, *statics):
                self._visit(root, lambda root=root: root, DEPTH, None)

    def values(self) -> tuple[Any, ...]:
        """What is watched, as it is now (types too: 1 is not 1.0)."""
        return tuple((type(v), v) for v in (getattr(v, "__wrapped__", v) if type(v) is StandIn else v
                                            for v in (read(get) for get in self.watched)))  # fmt: skip

    def forget_changed_since(self, before: tuple[Any, ...]) -> None:
        """Watch no longer what the function itself changed while it was traced: a log, a counter.

        Where it made what was not there (``if self.w is None: self.w = np.ones(3)``), the next call is another one.
        """
        triples = list(zip(self.watched, before, self.values(), strict=True))
        self.watched = [get for get, then, now in triples if then == now]
        if any(then[0] is not now[0] for _, then, now in triples):
            self.watched.append(object)  # never the same

    def way(self, array: Any) -> Getter | None:
        """How an array, or the Generator that a stream stands for, was reached, if it was."""
        known = self.generators if type(array) is Stream else self.arrays
        found = known.get(id(array.real if type(array) is Stream else array))
        return None if found is None else found[1]

    def met(self, given: dict[int, Any]) -> list[tuple[int, ...]]:
        """For each Generator held outside, which of the given ones it is now."""
        held = [read(get) for _, get in self.generators.values()]
        return [tuple(i for i, rng in given.items() if rng is x) for x in held]

    def watches(self, captured: list[Any], *, derived: bool) -> list[Watch]:
        """The arrays that must stay as they are: what plain NumPy made of them is in the graph as a constant.

        An array that the graph reads anew at each call is free to change, unless numbers or arrays were ``derived``
        without the tracer seeing from what.
        """
        found = []
        for array, get in self.arrays.values():
            is_view = any(c is not array and _is_based_on(c, array) for c in captured)
            if derived or not (is_view or any(c is array for c in captured)):
                found.append(Watch(get, array, (array.dtype, array.shape, array.tobytes())))
            elif is_view:
                found.append(Watch(get, array, None))
        return found

    def _watch(self, get: Getter, holder: Any) -> None:
        if holder is not None:  # the function itself, and what is part of the signature, are always the same
            self.watched.append(get)

    def is_as(self, before: tuple[Any, ...]) -> bool:
        """Whether all that is watched is as it was, by identity where that is enough."""
        try:
            for get, then in zip(self.watched, before, strict=True):
                if get() is not then[1]:
                    break
            else:
                return True
        except _GONE:
            pass
        return before == self.values()

    def identical(self, before: tuple[Any, ...]) -> tuple[tuple[Any, Any, Any], ...] | None:
        """Names of modules and of closures, if nothing else is watched, and what each has to be: (holder, key, value).

        Where all are that, nothing has changed."""
        if not all(type(get) in (Entry, Cell) for get in self.watched):
            return None
        ways: Any = self.watched
        return tuple((get.holder, get.key, then) for get, (_, then) in zip(ways, before, strict=True))

    def _visit(self, value: Any, get: Getter, depth: int, holder: Any) -> None:
        if isinstance(value, Expr):  # a leak: its use will say so
            return
        if isinstance(value, _SCALARS):
            self._watch(get, holder)
            if isinstance(value, str) and value.isidentifier():
                self._names.add(value)  # for getattr
            return
        if type(value) in (np.ndarray, np.memmap):
            self.arrays.setdefault(id(value), (value, get))
            return
        if is_generator(value) or type(value).__name__ in ("RandomState", "Random"):
            rng = getattr(value, "real", value)
            self.generators.setdefault(id(rng), (rng, get))
            self.holders.append((holder, value))
            return
        if isinstance(value, _FUNCTIONS):
            self._watch(get, holder)
        if depth == 0 or id(value) in self._seen:
            return
        self._seen.add(id(value))
        if isinstance(value, (list, tuple)):
            self.watched.append(lambda: len(get()))
            if len(value) > WIDTH:
                self.watched.append(lambda: _shallow(get()[WIDTH:]))
        elif isinstance(value, dict):
            self.watched.append(lambda: tuple(get()))
        elif isinstance(value, (set, frozenset, collections.deque)):
            self.watched.append(lambda: _shallow(get()))
        for child, way in _children(value, get, self._names, is_called=depth == DEPTH):
            free = _is_derivative(value) or child is type(value) or isinstance(value, _STANDING_AROUND)
            self._visit(child, way, depth if free else depth - 1, value)


@define(eq=False)
class Watch:
    """An array that a trace depends on in a way that its graph does not show."""

    get: Getter
    array: Any
    content: tuple[Any, ...] | None

    def holds(self) -> bool:
        """Whether it is the same array, or (where the content is kept) an equal one."""
        now = read(self.get)
        if self.content is None:
            return now is self.array
        return isinstance(now, np.ndarray) and (now.dtype, now.shape, now.tobytes()) == self.content


def _shallow(items: Any) -> tuple[Any, ...]:
    return tuple(x if isinstance(x, _SCALARS) else id(x) for x in items)


def _is_based_on(view: Any, array: Any) -> bool:
    while isinstance(view := view.base, np.ndarray):
        if view is array:
            return True
    return False


def read(get: Getter) -> Any:
    """What is there now; a value of no type that is ours where there is nothing."""
    try:
        return get()
    except _GONE:
        return _Missing


class _Missing:
    """Stands for what can no longer be reached."""


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes(constant)


def _module_of(value: Any) -> str:
    """Where a function or class is from; of a class that stands in for another, a descriptor says it."""
    module = getattr(value, "__module__", None)
    return module if isinstance(module, str) else ""


def _is_library(value: Any) -> bool:
    """Whether a function, class or module is NumPy's, Python's or ours (our tests and examples are users)."""
    module = value.__name__ if isinstance(value, types.ModuleType) else _module_of(value)
    top, _, rest = module.partition(".")
    return not module or (top in _LIBRARIES and not (top == "wengert" and rest.startswith(("tests", "tools"))))


def _is_derivative(value: Any) -> bool:
    """Whether this is a function of ours that stands around one of the user's: wg.grad(f) and the like."""
    return is_ours(_module_of(value if isinstance(value, types.FunctionType) else type(value)))


def _children(value: Any, get: Getter, names: set[str], *, is_called: bool) -> Iterator[tuple[Any, Getter]]:
    if isinstance(value, Derivative):
        value = value.__wrapped__
    if isinstance(value, types.MethodType):
        yield value.__func__, lambda: get().__func__
        yield value.__self__, lambda: get().__self__
    elif isinstance(value, functools.partial):
        yield value.func, lambda: get().func
        yield value.args, lambda: get().args
        yield value.keywords, lambda: get().keywords
    elif isinstance(value, types.FunctionType):
        if not _is_library(value):
            yield from _function(value, names)
            if not is_called:  # else they are arguments
                yield from _defaults(value)
        elif _is_derivative(value):
            for cell in value.__closure__ or ():
                yield cell.cell_contents, Cell(cell)
    elif isinstance(value, dict):
        for key in list(value)[:WIDTH]:
            yield value[key], lambda key=key: get()[key]
    elif isinstance(value, (list, tuple)):
        for i, item in enumerate(value[:WIDTH]):
            yield item, lambda i=i: get()[i]
    elif isinstance(value, type):
        if not _is_library(value):
            yield from _class(value, get, names)
    elif isinstance(value, types.ModuleType):
        if not _is_library(value):
            yield from _attributes(vars(value), get, names)
    else:
        yield from _instance(value, get, names)


def _attributes(found: Any, get: Getter, names: set[str]) -> Iterator[tuple[Any, Getter]]:
    for name in sorted(n for n in names if n in found)[:WIDTH]:
        yield found[name], lambda name=name: getattr(get(), name)


def _instance(value: Any, get: Getter, names: set[str]) -> Iterator[tuple[Any, Getter]]:
    """Attributes of an object, its slots and its class; the code of its methods and properties."""
    own = getattr(value, "__dict__", {})
    computed = not _is_library(type(value)) and any(hasattr(type(value), n) for n in ("__getitem__", "__getattr__"))
    yield from _attributes(own, get, set(own) if computed else names)
    for name in ("function", "target"):  # a traced or otherwise wrapped function; what a derivative is taken of
        if callable(own.get(name)):
            yield own[name], lambda name=name: getattr(get(), name)
    if _is_library(type(value)):
        return
    if hasattr(value, "__dict__"):  # what is set on the object later on is another attribute
        yield " ".join(sorted(names & own.keys())), lambda: " ".join(sorted(names & vars(get()).keys()))
    for cls in type(value).__mro__[:-1]:
        for name, entry in list(vars(cls).items()):
            if isinstance(entry, types.MemberDescriptorType) and name in names:
                if (held := read(lambda name=name: getattr(value, name))) is not _Missing:
                    yield held, lambda name=name: getattr(get(), name)
            elif isinstance(entry, property) and name in names:
                yield entry.fget, lambda name=name, cls=cls: vars(cls)[name].fget
    yield type(value), lambda: type(get())


def _class(cls: type, get: Getter, names: set[str]) -> Iterator[tuple[Any, Getter]]:
    """What a class and its bases have by the names in use, and its operators: no name in the code calls those."""
    for base in cls.__mro__[:-1]:
        for name, entry in list(vars(base).items()):
            plain = _plain(entry)
            is_operator = name.startswith("__") and isinstance(plain, types.FunctionType)
            if (name in names or is_operator) and not isinstance(entry, (property, types.MemberDescriptorType)):
                yield plain, lambda name=name: _class_entry(get(), name)


def _class_entry(cls: type, name: str) -> Any:
    return _plain(next((vars(c)[name] for c in cls.__mro__ if name in vars(c)), None))


def _plain(entry: Any) -> Any:
    return entry.__func__ if isinstance(entry, (staticmethod, classmethod)) else entry


def _function(function: types.FunctionType, names: set[str]) -> Iterator[tuple[Any, Getter]]:
    for code in _codes(function.__code__):
        names.update(code.co_names, (c for c in code.co_consts if isinstance(c, str) and c.isidentifier()))
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents, Cell(cell)
        except ValueError:  # not assigned yet
            continue
    module = function.__globals__
    yield from _attributes(vars(function), lambda: function, names)
    mentioned = {n for code in _codes(function.__code__) for n in (*code.co_names, *code.co_consts)}
    for name in sorted(n for n in mentioned if isinstance(n, str) and n in module):
        yield module[name], Entry(module, name)


def _defaults(function: types.FunctionType) -> Iterator[tuple[Any, Getter]]:
    for i, default in enumerate(function.__defaults__ or ()):
        yield default, lambda i=i: (function.__defaults__ or ())[i]
    for name, default in (function.__kwdefaults__ or {}).items():
        yield default, lambda name=name: (function.__kwdefaults__ or {})[name]
