"""NumPy's functions, stood in for while a trace is under way.

``np.zeros(3)`` makes a plain array, of which NumPy tells nobody, and ``np.array([t, 1.0])`` would make one of
traced values.  So for the time of a trace the *user's* modules see a stand-in for NumPy: where a module, a closure or a
default holds ``numpy``, ``numpy.linalg``, ``numpy.fft`` or ``math``, or one of their functions, by whatever name, it
is found by identity and replaced; an ``import`` statement run meanwhile in such a module gives the stand-in too.  NumPy
itself is not touched (but ``numpy.polynomial``, which is written as users write), nor what NumPy, SciPy and other
packages of compiled code hold.  A stand-in

- asks at each call whether *this* thread is tracing: otherwise it is the function itself, 0.1 microseconds later;
- finds traced values in lists and tuples, where NumPy itself would not look for them;
- makes of a new array one that traced values may be written into (:mod:`wengert.tracer.memory`).

Of SciPy, if somebody has imported it, the functions in :mod:`wengert.tracer.scipy_api` are stood in for likewise; where
no argument is traced they are SciPy's own.

The first trace puts the stand-ins in place and the last one takes them away, under a lock; nothing is left changed.
What keeps a function where this does not look (an attribute of an object, a list, a C extension) gets NumPy's own; a
traced value that is written into an array made so raises, as it does for any array from outside.
"""

from __future__ import annotations

import builtins
import contextlib
import functools
import importlib
import math
import random
import sys
import threading
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from wengert.tracer.array import is_traced, quickly
from wengert.tracer.context import current_trace
from wengert.tracer.location import is_ours
from wengert.tracer.math_api import MATH
from wengert.tracer.numpy_api.ufuncs import ONE_NODE
from wengert.tracer.plain import adopted, natively, plainly
from wengert.tracer.random import stood_in
from wengert.tracer.scipy_api import MODULES, TRACED, functions_of

__all__ = ["StandIn", "in_place", "stood_in_for"]

#: Whose modules are left alone: packages that hand arrays to compiled code.
_LEFT_ALONE = frozenset("""
    numpy scipy pandas sklearn matplotlib numba pyarrow h5py xarray torch jax jaxlib tensorflow
""".split())
#: What makes a new array that a user may go on to fill.
_MAKING = """
    array asarray asanyarray ascontiguousarray asfortranarray require copy fromiter fromfunction zeros ones empty full
    eye identity zeros_like ones_like empty_like full_like arange linspace logspace geomspace diag diagflat tri tril
    triu vander tile repeat indices concatenate stack hstack vstack column_stack dstack block append outer kron roll
    where ravel reshape atleast_1d atleast_2d atleast_3d broadcast_to sort clip
""".split()


np_fromiter = np.fromiter  # what it iterates over is not known beforehand


class StandIn:
    # A function of NumPy while a trace is under way; equal to it, and in all else (its docstring too) the function.

    __slots__ = ("__wrapped__", "instead", "making", "op")  # the op, of a ufunc that is one
    __doc__ = property(lambda self: self.__wrapped__.__doc__)  # type: ignore[assignment]

    def __init__(self, function: Any, *, making: bool = False, instead: Any = None, op: Any = None) -> None:
        self.__wrapped__ = function
        self.op = op
        self.making = making
        self.instead = instead

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        function = self.__wrapped__
        if current_trace() is None:
            return function(*args, **kwargs)
        if self.instead is not None:
            return self.instead(*args, **kwargs)
        if self.op is not None and not kwargs and (quick := quickly(self.op, args)) is not None:
            return quick
        given = (*args, *kwargs.values())
        if function is np_fromiter or is_traced(given):
            return traced_call(function, args, kwargs)
        result = natively(function, args, kwargs, making=self.making)
        inner = self.making and type(result) is np.ndarray and result.base is not None
        if inner and not any(isinstance(x, np.ndarray) and np.may_share_memory(result, x) for x in given):
            return adopted(result.copy())  # the base is NumPy's own, nobody else's
        return result

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self.__wrapped__, name)
        if name in _METHODS and isinstance(self.__wrapped__, np.ufunc):
            return StandIn(attribute)
        return attribute

    @property  # type: ignore[misc]
    def __class__(self) -> Any:  # type: ignore[override]
        return type(self.__wrapped__)

    def __instancecheck__(self, instance: object) -> bool:
        return isinstance(instance, self.__wrapped__)

    def __eq__(self, other: object) -> bool:
        return self.__wrapped__ is (other.__wrapped__ if type(other) is StandIn else other)

    def __hash__(self) -> int:
        return hash(self.__wrapped__)

    def __repr__(self) -> str:
        return repr(self.__wrapped__)

    def __reduce__(self) -> Any:
        return _itself, (self.__wrapped__,)


_METHODS = ("reduce", "accumulate", "outer", "at", "reduceat")


def _itself(function: Any) -> Any:
    return function


def traced_call(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A call with traced values among its arguments, be they in lists."""
    from wengert.tracer.numpy_api import FUNCTIONS, ufuncs

    if isinstance(function, np.ufunc):
        if not any(type(x) in (list, tuple, np.ndarray) for x in args):  # NumPy finds them by itself
            return function(*args, **kwargs)
        return ufuncs.call(function, "__call__", args, kwargs)
    owner = getattr(function, "__self__", None)
    if isinstance(owner, np.ufunc):
        return ufuncs.call(owner, function.__name__, args, kwargs)
    implementation = TRACED.get(function) or FUNCTIONS.get(function) or MATH.get(function) or function
    given, named = plainly(implementation, args, kwargs)
    traced = implementation is not function or is_traced((*given, *named.values()))
    # without one, NumPy's own asks us, or is refused the numbers
    return implementation(*given, **named) if traced else natively(function, given, named)


class ModuleStandIn(types.ModuleType):
    """A module of NumPy (or math) with stand-ins for its functions."""

    def __init__(self, module: types.ModuleType) -> None:
        super().__init__(module.__name__, module.__doc__)
        object.__setattr__(self, "__wrapped__", module)

    def __getattr__(self, name: str) -> Any:
        return stood_in_for(getattr(self.__wrapped__, name))  # scipy's modules, as they are imported

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.__wrapped__, name, value)
        object.__setattr__(self, name, value)

    def __dir__(self) -> list[str]:
        return dir(self.__wrapped__)

    def __reduce__(self) -> Any:
        return importlib.import_module, (self.__name__,)


@functools.cache
def _of_numpy() -> dict[int, Any]:
    """What of NumPy and math is stood in for."""
    found: dict[int, Any] = {}
    making = {getattr(np, name) for name in _MAKING}
    kinds = (np.ufunc, types.FunctionType, types.BuiltinFunctionType, type(np.sum))
    for module in (np, np.linalg, np.fft):
        for name, function in list(vars(module).items()):
            if not name.startswith("_") and isinstance(function, kinds):
                found[id(function)] = StandIn(function, making=function in making, op=ONE_NODE.get(function))  # type: ignore[arg-type]
    found.update({id(function): StandIn(function) for function in MATH})
    from wengert.tracer.numpy_api.classes import INSTEAD
    found.update({id(getattr(np, name)): instead for name, instead in INSTEAD.items()})
    found.update({id(function): StandIn(function, instead=instead) for function, instead in stood_in().items()})
    modules = [ModuleStandIn(module) for module in (np.linalg, np.fft, np.random, random, math, np)]
    found.update({id(module.__wrapped__): module for module in modules})
    for module in modules:
        names = {name: found.get(id(value), value) for name, value in vars(module.__wrapped__).items()}
        vars(module).update(names)
    return found


@functools.cache
def _of_scipy(module: types.ModuleType) -> dict[int, Any]:
    """What of a module of SciPy is stood in for."""
    names, stand_in = {n: StandIn(f) for n, f in functions_of(module).items()}, ModuleStandIn(module)
    vars(stand_in).update(names)
    return {id(module): stand_in, **{id(each.__wrapped__): each for each in names.values()}}


_tables: dict[tuple[Any, ...], dict[int, Any]] = {}


def _table() -> dict[int, Any]:
    """What is stood in for, by identity: functions and ufuncs that may meet a traced value, and their modules."""
    there = tuple([sys.modules.get(name) for name in MODULES])
    if there not in _tables:
        found, top = dict(_of_numpy()), sys.modules.get("scipy")
        if top is not None and there != (None,) * len(there):
            found[id(top)] = ModuleStandIn(top)
        for module in there:
            found.update(_of_scipy(module) if module is not None else {})
        for known in (_bare, _sizes, _holding):  # what held nothing may hold something of this
            known.clear()
        _tables[there] = found
    return _tables[there]


def stood_in_for(value: Any) -> Any:
    """The stand-in for a function or module of NumPy, if this is one."""
    return _table().get(id(value), value)


# -- putting them in place ------------------------------------------------------------------------

_lock = threading.Lock()
_depth = 0
_undo: list[Callable[[], None]] = []
_imported: set[str] = set()
_import = builtins.__import__


def _importing(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:
    """The import statement: of NumPy, in a user's module, gives the stand-in."""
    module = _import(name, globals, locals, fromlist, level)
    return module if globals is None or _is_library(globals.get("__name__", "")) else stood_in_for(module)


@contextlib.contextmanager
def in_place(function: Any) -> Iterator[None]:
    """Within this context NumPy, as the user's modules and ``function`` see it, is the stand-in."""
    global _depth  # noqa: PLW0603 (a count of the traces under way, in all threads)
    with _lock:
        _depth += 1
    try:
        with _lock:
            if builtins.__import__ is not _importing:
                _replace_everywhere()
            _replace_in_function(function, set())
        yield
    finally:
        with _lock:
            _depth -= 1
            if _depth == 0:
                _restore_everywhere()


def _replace_everywhere() -> None:
    table = _table()
    _imported.clear()
    _imported.update(sys.modules)
    builtins.__import__ = _importing
    _undo.append(functools.partial(setattr, builtins, "__import__", _import))
    for name in _unsearched():
        _replace_in_module(name, sys.modules.get(name), table)


def _restore_everywhere() -> None:
    while _undo:
        _undo.pop()()
    for name in sys.modules.keys() - _imported:  # what these took from NumPy
        _give_back(getattr(sys.modules[name], "__dict__", {}))


@functools.cache
def _given_back() -> dict[int, Any]:
    from wengert.tracer.numpy_api.classes import INSTEAD

    return {id(instead): getattr(np, name) for name, instead in INSTEAD.items()}


def _give_back(names: dict[str, Any]) -> None:
    for name, value in list(names.items()):
        if isinstance(value, ModuleStandIn) or type(value) is StandIn:
            names[name] = value.__wrapped__
        elif id(value) in _given_back():
            names[name] = _given_back()[id(value)]


@functools.lru_cache(maxsize=65536)
def _is_library(name: str) -> bool:
    top = name.partition(".")[0]
    alone = top in _LEFT_ALONE and not name.startswith("numpy.polynomial.")
    return alone or top in sys.stdlib_module_names or is_ours(name)


def _replace_in(names: dict[str, Any]) -> None:
    table = _table()
    for name in [n for n, value in list(names.items()) if id(value) in table]:
        _replace_name(names, name, table)


def _restore(names: dict[str, Any], name: str, stand_in: Any, original: Any) -> None:
    if names.get(name) is stand_in:  # not bound anew meanwhile
        names[name] = original


#: Modules that are libraries; the others that hold nothing, and their sizes; and what the rest holds.
_passed: set[str] = set()
_bare: dict[str, types.ModuleType] = {}
_sizes: dict[str, int] = {}
_holding: dict[str, tuple[tuple[int, int], list[str], list[types.FunctionType]]] = {}


def _unsearched() -> set[str]:
    """The modules that may hold something: not those that held nothing, and are as large as they were."""
    known = list(_bare.values())
    if [*map(sys.modules.get, _bare)] != known or [*map(len, map(vars, known))] != [*_sizes.values()]:
        for name in [n for n, m in _bare.items() if sys.modules.get(n) is not m or len(vars(m)) != _sizes[n]]:
            del _bare[name], _sizes[name]
    return sys.modules.keys() - _passed - _bare.keys()


def _replace_in_module(name: str, module: Any, table: dict[int, Any]) -> None:
    if not isinstance(module, types.ModuleType) or _is_library(name):
        _passed.add(name)
        return
    names = vars(module)
    now, known = (id(module), len(names)), _holding.get(name)
    if known is None or known[0] != now:
        held = [n for n, value in list(names.items()) if id(value) in table]
        keepers = [f for f in _functions_of(names) if not table.keys().isdisjoint(map(id, _kept(f)))]
        known = _holding[name] = now, held, keepers
        if not (held or keepers):
            _bare[name], _sizes[name] = module, len(names)
    for n in known[1]:
        _replace_name(names, n, table)
    for function in known[2]:
        _replace_kept(function, table)


def _replace_name(names: dict[str, Any], name: str, table: dict[int, Any]) -> None:
    original = names.get(name)
    stand_in = table.get(id(original))
    if stand_in is not None:
        names[name] = stand_in
        _undo.append(functools.partial(_restore, names, name, stand_in, original))


def _kept(function: types.FunctionType) -> list[Any]:
    """What a function has in its defaults and its closure."""
    cells = [cell.cell_contents for cell in function.__closure__ or () if not _is_empty(cell)]
    return [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values(), *cells]


def _functions_of(names: dict[str, Any]) -> Iterator[types.FunctionType]:
    for value in list(names.values()):
        if type(value) is types.FunctionType:
            yield value
        elif type(value) is type and value.__module__ == names.get("__name__"):
            for entry in list(vars(value).values()):
                entry = getattr(entry, "__func__", entry)
                if type(entry) is types.FunctionType:
                    yield entry


def _is_empty(cell: Any) -> bool:
    return bool(cell == types.CellType())  # which compares no contents where one has none


def _replace_kept(function: types.FunctionType, table: dict[int, Any]) -> None:
    defaults = function.__defaults__ or ()
    if any(id(value) in table for value in defaults):
        function.__defaults__ = tuple(table.get(id(value), value) for value in defaults)
        _undo.append(functools.partial(setattr, function, "__defaults__", defaults))
    _replace_in(function.__kwdefaults__ or {})
    for cell in function.__closure__ or ():
        original = None if _is_empty(cell) else cell.cell_contents
        if (stand_in := table.get(id(original))) is not None:
            cell.cell_contents = stand_in
            _undo.append(functools.partial(_restore_cell, cell, stand_in, original))


def _restore_cell(cell: Any, stand_in: Any, original: Any) -> None:
    if not _is_empty(cell) and cell.cell_contents is stand_in:
        cell.cell_contents = original


def _replace_in_function(function: Any, seen: set[int]) -> None:
    """The closures and defaults of a function, and of the functions that it has there."""
    for _ in range(8):  # partials, methods, traced functions, of one another
        if not isinstance(function, (functools.partial, types.MethodType)) and not hasattr(function, "function"):
            break
        function = getattr(function, "func", None) or getattr(function, "__func__", None) or function.function
    if not isinstance(function, types.FunctionType):
        function = vars(type(function)).get("__call__")
    if type(function) is not types.FunctionType or id(function) in seen or _is_library(function.__module__ or ""):
        return
    seen.add(id(function))
    _replace_kept(function, _table())
    _replace_in(function.__globals__)  # of a module that sys.modules does not know, as exec makes
    for value in _kept(function):
        if callable(value) and type(value) is not StandIn and not isinstance(value, type):
            _replace_in_function(value, seen)
