"""Calls that cost nothing: from arguments of just the types that are expected, straight to the program.

The way that serves every call binds, flattens and converts its arguments, looks for traced ones, and says in sentences
what does not fit.  An *entrance* does none of that: it looks whether this call is like the one that it was made for,
runs the program, and makes the results; if not, it answers ``NotImplemented``, and the other way is taken.  There is
one in Python for every backend, and one in C where a compiled program is called (``direct`` of what ``compile`` gives).
"""

from __future__ import annotations

import contextvars
import inspect
import weakref
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from attrs import frozen

from wengert.backends import protocol
from wengert.backends.python_entrance import (
    ARRAY,
    AS_ARRAY,
    AS_ITEM,
    AS_SCALAR,
    COMPLEX,
    DROPPED,
    FLOAT,
    INT,
    IS_FALSE,
    IS_TRUE,
    SCALAR,
    Links,
    entrance,
)
from wengert.ir.graph import Graph
from wengert.ir.structure import LEAF, Structure, flatten, unflatten
from wengert.ir.types import ArrayType

__all__ = [
    "ARRAY", "AS_ARRAY", "AS_ITEM", "AS_SCALAR", "DROPPED", "IS_TRUE", "Entrances", "Nest", "Plan", "exactly",
    "gradient_run", "loosely", "nests_of", "outputs_of", "pushed_run", "resulting", "written",
]  # fmt: skip

#: None is a leaf; (type, nests, keys) a tuple, list or dict; (None, value) what is always the same.
Nest: TypeAlias = Any
#: Entrances of one callable: for other shapes, branches and backends.
MOST = 8


@frozen(eq=False)
class Plan:
    """A call, time and again: the types of the leaves, and what comes back."""

    inputs: tuple[ArrayType, ...]
    takes: tuple[int, ...]  # for each input
    outputs: tuple[ArrayType, ...]
    hands: tuple[int, ...]  # for each output
    arguments: tuple[Nest, ...]  # the positional ones
    results: Nest
    finish: Callable[[Any], Any] | None = None  # of the results that are nested as a nest cannot say
    rest: tuple[Any, ...] = ()  # the leaves of defaults
    around: Callable[[], tuple[Any, ...] | None] | None = None  # the leaves from outside; None where it is another call
    trace: contextvars.ContextVar[Any] | None = None  # None, but where a trace is under way
    backend: str | None = None  # which has to be the one in force
    writes: bool = False  # whether ``out`` is ours
    same: tuple[tuple[Any, Any, Any], ...] | None = None  # (dict or cell, key, value): so long, ``around`` is empty


# -- how things are nested ----------------------------------------------------------------------------------------


def nest_of(structure: Structure) -> Nest:
    """A structure as a nest; LookupError for a record, or a static value that cannot be known again by its identity."""
    if structure.kind == "leaf":
        return None
    if structure.kind == "static":
        value, cls = structure.static, type(structure.static)  # type: Any, Any
        if value is None or cls in (bool, str) or cls.__eq__ is object.__eq__:
            return (None, value)
        raise LookupError(structure)
    kind = {"tuple": tuple, "list": list, "dict": dict}[structure.kind]
    return (kind, tuple(map(nest_of, structure.children)), structure.keys)


def nests_of(
    kinds: Sequence[int], structures: Sequence[Structure], given: int, leaves: Sequence[Any]
) -> tuple[tuple[Nest, ...], tuple[Any, ...]]:
    """The nests of positional arguments, and the leaves of parameters that are left to their defaults."""
    nests: list[Nest] = []
    rest: list[Any] = []
    at = 0
    for kind, structure in zip(kinds, structures, strict=True):
        stop = at + structure.leaf_count
        if kind == inspect.Parameter.VAR_POSITIONAL:
            nests.extend(map(nest_of, structure.children))
        elif kind < inspect.Parameter.VAR_POSITIONAL and len(nests) < given:
            nests.append(nest_of(structure))
        else:
            rest.extend(leaves[at:stop])
        at = stop
    return tuple(nests), tuple(rest)


def loosely(type_: ArrayType) -> int:
    """What fits an input of a program (see :func:`wengert.backends.program.as_input`)."""
    if type_.shape:
        return ARRAY
    kind, wide = type_.dtype.kind, type_.dtype.itemsize == (16 if type_.dtype.kind == "c" else 8)
    takes = SCALAR | ARRAY
    if kind == "f" or (kind == "c" and wide):
        takes |= FLOAT
    if kind in "ifc" and wide:
        takes |= INT
    return takes | COMPLEX if kind == "c" and wide else takes


def exactly(type_: ArrayType, *, real: bool = False) -> int:
    """What has this type; with ``real``, an int is a real number."""
    if type_.weak:
        return {"f": FLOAT | (INT if real else 0), "i": INT, "c": COMPLEX}[type_.dtype.kind]
    return ARRAY if type_.shape else SCALAR | ARRAY


def outputs_of(graph: Graph) -> tuple[tuple[ArrayType, ...], tuple[int, ...], Structure]:
    """The types of outputs and guards, what becomes of each, and how the results are nested."""
    guards = [IS_TRUE if guard.expected else IS_FALSE for guard in graph.guards]
    hands = [hand_of(v.type) for v in graph.outputs]
    structure = graph.results or Structure("tuple", (LEAF,) * len(hands))
    return tuple(v.type for v in graph.guarded_outputs), (*hands, *guards), structure


def resulting(structure: Structure) -> tuple[Nest, Callable[[Any], Any] | None]:
    """The nest of results; with records in it, a flat one, and what makes them of that."""
    try:
        return nest_of(structure), None
    except LookupError:
        return (tuple, (None,) * structure.leaf_count, ()), lambda flat: unflatten(structure, iter(flat))


def hand_of(type_: ArrayType) -> int:
    """What NumPy would hand back."""
    return AS_ITEM if type_.weak else AS_ARRAY if type_.shape else AS_SCALAR


# -- one direction ------------------------------------------------------------------------------------------------


def gradient_run(backend: Any, graph: Graph, active: tuple[int, ...]) -> protocol.Run:
    """:meth:`Program.gradient`, by what the backend has of its own, or by its reverse mode."""
    if hasattr(backend, "gradient"):
        return backend.gradient(graph, active)  # type: ignore[no-any-return]
    reverse, ones = backend.reverse(graph, active), [np.ones((1,), graph.outputs[0].type.dtype)]

    def run(inputs: Sequence[Any]) -> tuple[Any, ...]:
        (value, *guards), cotangents = reverse(inputs, ones)
        return (value, *(g[0] for g in cotangents), *guards)

    return run


def pushed_run(backend: Any, graph: Graph, active: tuple[int, ...], given: int) -> protocol.Run:
    """:meth:`Program.pushed`, by what the backend has of its own, or by its forward mode."""
    if hasattr(backend, "pushed"):
        return backend.pushed(graph, active, given)  # type: ignore[no-any-return]
    forward, n, stop = backend.forward(graph, active), len(graph.outputs), given + len(active)

    def run(inputs: Sequence[Any]) -> tuple[Any, ...]:
        tangents = [t[None] for t in inputs[given:stop]]
        values, moved = forward([*inputs[:given], *inputs[stop:]], tangents)
        return (*values[:n], *(t[0] for t in moved if t is not None), *values[n:])

    return run


# -- written into given arrays ------------------------------------------------------------------------------------


def written(result: Any, out: Any) -> Any:
    """The result copied into the arrays of ``out``, which is nested alike; what is None there is handed back as it is.

    All is computed first: ``out`` may share memory with arguments.
    """
    if out is None:
        return result
    is_leaf = lambda x: x is None or isinstance(x, (np.ndarray, np.generic, int, float, complex))
    values: list[Any] = []
    targets: list[Any] = []
    structure = flatten(result, is_leaf, values)
    if flatten(out, is_leaf, targets) != structure:
        message = (
            f"out must be nested like the result, with an array (or None) for each of its {len(values)} arrays; "
            f"got {type(out).__name__} {out!r}."
        )
        raise TypeError(message)
    for k, (value, target) in enumerate(zip(values, targets, strict=True)):
        if target is not None:
            _check_target(k, len(values), value, target)
    for value, target in zip(values, targets, strict=True):
        if target is not None:
            target[...] = value
    return unflatten(structure, iter([v if t is None else t for v, t in zip(values, targets, strict=True)]))


def _check_target(k: int, count: int, value: Any, target: Any) -> None:
    which = "out" if count == 1 else f"Array {k} of out"
    wanted = np.asarray(value)
    if value is None or type(target) is not np.ndarray:
        message = f"{which} is {target!r}; expected an ndarray of {wanted.dtype}, of shape {wanted.shape}, or None."
        raise TypeError(message)
    if target.dtype != wanted.dtype or target.shape != wanted.shape:
        message = (
            f"{which} is an array of {target.dtype} of shape {target.shape}; the result is of {wanted.dtype}, of shape "
            f"{wanted.shape}. Make it with np.empty({wanted.shape}, np.{wanted.dtype})."
        )
        raise TypeError(message)
    if not target.flags.writeable:
        message = f"{which} is read-only; the result cannot be written to it. Pass a copy."
        raise ValueError(message)


# -- the entrances ------------------------------------------------------------------------------------------------


def _nothing(*args: Any, **kwargs: Any) -> Any:
    return NotImplemented


class Entrances:
    """Those of one callable, the latest first.  ``first(*args, **kwargs)`` is the result, or NotImplemented."""

    __slots__ = ("__weakref__", "_counts", "_links", "_others", "first")

    def __init__(self) -> None:
        self._others: dict[Any, Entrances] = {}
        self.first: Callable[..., Any] = _nothing
        self._links: dict[Any, Any] = {}
        self._counts: dict[int, int] = {}

    def __deepcopy__(self, memo: Any) -> Entrances:
        return Entrances()

    def of(self, key: Any) -> Entrances:
        """Those of something else that is done with the same callable."""
        return self._others.setdefault(key, Entrances())

    def wants(self, key: Any) -> bool:
        """Whether there is to be an entrance for calls of this key: from the second on; one that had to go comes back
        after twice as many."""
        if key in self._links:
            return False
        if len(self._counts) > 64 * MOST:
            self._counts.clear()
        number = hash(key)  # what is counted is not kept alive
        count = self._counts[number] = self._counts.get(number, 0) + 1
        return count > 1 and count & (count - 1) == 0

    def add(self, key: Any, plan: Plan, run: Any, direct: Callable[[Plan], Any] | None = None) -> None:
        """A new entrance; ``direct(plan)`` makes a better one, or gives None where it is not ready yet."""
        made = None if direct is None else direct(plan)
        if made is None:
            later = None if direct is None else _Later(weakref.ref(self), key, plan, direct)
            made = entrance(plan, run, later)
        self._linked({key: made, **self._links})

    def replace(self, key: Any, made: Any) -> None:
        """Put a better one in the place of one that is there."""
        if key in self._links:
            self._linked({**self._links, key: made})

    def _linked(self, links: dict[Any, Any]) -> None:
        kept = list(links.items())[:MOST]
        following = None
        for _, each in reversed(kept):
            getattr(each, "links", each).otherwise = following
            following = each
        self._links = dict(kept)
        self.first = following if following is not None else _nothing


class _Later:
    """Ask again, now and then, for an entrance that was not ready."""

    def __init__(self, owner: Any, key: Any, plan: Plan, direct: Any) -> None:
        self.owner, self.key, self.plan, self.direct, self.calls = owner, key, plan, direct, 0

    def __call__(self, links: Links) -> None:
        self.calls += 1
        if self.calls % 16 == 0 and (made := self.direct(self.plan)) is not None:
            links.later = None
            if (owner := self.owner()) is not None:
                owner.replace(self.key, made)
