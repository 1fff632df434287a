"""Nested arguments and results, and their flat leaves.

A structure is data, so that a file can keep it: a loaded graph takes and returns the same nesting
as the function it came from, without that function's source.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import attrs
from attrs import field, frozen

__all__ = ["LEAF", "Signature", "Structure", "describe", "flatten", "leaf_paths", "only", "unflatten"]


@frozen(slots=True)
class Structure:
    """One level of nesting.

    ``kind`` is ``leaf``, ``static``, ``tuple``, ``list``, ``dict``, ``namedtuple``, ``dataclass``
    or ``attrs``; ``keys`` are the dict keys or field names; ``name`` the class name; ``static`` the
    value that is not an array (None, a string, ...).  ``cls`` is the class while it is at hand and
    takes no part in equality.
    """

    kind: str
    children: tuple[Structure, ...] = ()
    keys: tuple[Any, ...] = ()
    name: str = ""
    static: Any = None
    cls: type | None = field(default=None, eq=False, repr=False)

    @property
    def leaf_count(self) -> int:
        """How many leaves lie below."""
        return 1 if self.kind == "leaf" else sum(child.leaf_count for child in self.children)


LEAF = Structure("leaf")


def _fields(obj: Any) -> tuple[str, tuple[str, ...]] | None:
    """The kind and field names of a record (named tuple, dataclass, attrs class); and what else was set on it."""
    if isinstance(obj, tuple) and hasattr(obj, "_fields"):
        return "namedtuple", tuple(obj._fields)
    if hasattr(type(obj), "__dataclass_fields__"):
        import dataclasses

        kind, names = "dataclass", tuple(f.name for f in dataclasses.fields(obj))
    elif attrs.has(type(obj)):
        kind, names = "attrs", tuple(f.name for f in attrs.fields(type(obj)))
    else:
        return None
    # a cached property is computed anew from what the fields are
    others = (n for n in getattr(obj, "__dict__", ()) if n not in names)
    kept = [n for n in others if not isinstance(getattr(type(obj), n, None), functools.cached_property)]
    return kind, (*names, *kept)


def flatten(obj: Any, is_leaf: Callable[[Any], bool], leaves: list[Any]) -> Structure:
    """Append the leaves of ``obj`` to ``leaves``, depth first; return its structure.

    What is neither a container nor a leaf (``is_leaf``) is static.
    """
    if is_leaf(obj):
        leaves.append(obj)
        return LEAF
    if type(obj) in (tuple, list):
        children = tuple(flatten(item, is_leaf, leaves) for item in obj)
        return Structure("tuple" if type(obj) is tuple else "list", children)
    if isinstance(obj, dict):
        children = tuple(flatten(item, is_leaf, leaves) for item in obj.values())
        return Structure("dict", children, keys=tuple(obj))
    if not isinstance(obj, type) and (record := _fields(obj)) is not None:
        kind, names = record
        children = tuple(flatten(getattr(obj, name), is_leaf, leaves) for name in names)
        return Structure(kind, children, names, type(obj).__name__, cls=type(obj))
    return Structure("static", static=obj)


def unflatten(structure: Structure, leaves: Iterator[Any]) -> Any:
    """Rebuild an object from its structure and an iterator over its leaves."""
    kind = structure.kind
    if kind == "leaf":
        return next(leaves)
    if kind == "static":
        return structure.static
    items = [unflatten(child, leaves) for child in structure.children]
    if kind == "tuple":
        return tuple(items)
    if kind == "list":
        return items
    if kind == "dict":
        return dict(zip(structure.keys, items, strict=True))
    cls = structure.cls or _stand_in(structure)
    if kind == "namedtuple":
        return cls(*items)
    # Fields are set past __init__ and its validators: a cotangent need not be a valid record.
    record = cls.__new__(cls)  # type: ignore[call-overload]
    for name, item in zip(structure.keys, items, strict=True):
        object.__setattr__(record, name, item)
    return record


def _stand_in(structure: Structure) -> type:
    """A class with the same name and fields, for a record whose class is not at hand."""
    if structure.kind == "namedtuple":
        import collections

        return collections.namedtuple(structure.name, structure.keys)  # noqa: PYI024 (made from data)
    import dataclasses

    return dataclasses.make_dataclass(structure.name, structure.keys)


def describe(structure: Structure) -> str:
    """A structure in a few words: ``dict(w: array, b: array)``."""
    if structure.kind == "leaf":
        return "array"
    if structure.kind == "static":
        return repr(structure.static)
    keys = structure.keys or range(len(structure.children))
    inside = ", ".join(f"{k}: {describe(c)}" for k, c in zip(keys, structure.children, strict=True))
    return f"{structure.name or structure.kind}({inside})"


def only(structure: Structure, keep: Sequence[bool]) -> Structure:
    """The structure with each leaf that is not kept replaced by None."""
    flags = iter(keep)

    def walk(s: Structure) -> Structure:
        if s.kind == "leaf":
            return s if next(flags) else Structure("static")
        return attrs.evolve(s, children=tuple(walk(c) for c in s.children))

    return walk(structure)


def leaf_paths(structure: Structure, prefix: str) -> Iterator[str]:
    """A readable name for every leaf: ``params['w'][0]``."""
    if structure.kind == "leaf":
        yield prefix
    for index, child in enumerate(structure.children):
        if structure.kind in ("tuple", "list"):
            path = f"{prefix}[{index}]"
        elif structure.kind == "dict":
            path = f"{prefix}[{structure.keys[index]!r}]"
        else:
            path = f"{prefix}.{structure.keys[index]}"
        yield from leaf_paths(child, path)


@frozen(slots=True)
class Signature:
    """How a call binds to flat inputs: the parameters, and the structure bound to each.

    ``parameters`` holds ``(name, kind)`` with the kinds of :class:`inspect.Parameter` as integers;
    ``arguments`` one structure per parameter (a tuple for ``*args``, a dict for ``**kwargs``).
    ``defaults`` are the parameters that may be left out: they hold the traced default again.
    """

    parameters: tuple[tuple[str, int], ...]
    arguments: tuple[Structure, ...]
    defaults: tuple[tuple[str, Any], ...] = ()

    @property
    def inspected(self) -> inspect.Signature:
        """As Python has it."""
        defaults = dict(self.defaults)
        return inspect.Signature(
            [
                inspect.Parameter(
                    name, inspect._ParameterKind(kind),  # noqa: SLF001 (a Parameter's own kinds have no other name)
                    default=defaults.get(name, inspect.Parameter.empty)
                )
                for name, kind in self.parameters
            ]
        )

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        """The argument of each parameter, in order; raises TypeError as a Python call does."""
        bound = self.inspected.bind(*args, **kwargs)
        bound.apply_defaults()
        return [bound.arguments[name] for name, _ in self.parameters]

    @classmethod
    def positional(cls, names: tuple[str, ...], arguments: tuple[Structure, ...]) -> Signature:
        """A signature of plain positional-or-keyword parameters."""
        kind = int(inspect.Parameter.POSITIONAL_OR_KEYWORD)
        return cls(tuple((name, kind) for name in names), arguments)
