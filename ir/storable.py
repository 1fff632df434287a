"""What a graph holds beside arrays: op parameters, called graphs, structures, defaults.

Text and files keep a closed set of it.  In memory a structure may hold any static value; what a
file cannot keep is named, with what to do about it, when it is saved.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from wengert.ir.graph import Constant, Graph
from wengert.ir.structure import Structure, flatten, unflatten

__all__ = ["MAX_NESTING", "complaint", "graphs_in", "is_data", "join_default", "split_default"]

MAX_NESTING = 24
INT64 = range(-(2**63), 2**63)
_STATIC = (type(None), bool, str)
_NUMBERS = (int, float, complex)


def is_data(value: Any) -> bool:
    """Whether a value is None, a bool, an int64, a float, a str, a Graph or a tuple of these."""
    level = [value]
    for _ in range(MAX_NESTING):
        if not all(_is_atom(v) for v in level if type(v) is not tuple):
            return False
        level = [item for v in level if type(v) is tuple for item in v]
        if not level:
            return True
    return False


def _is_atom(value: Any) -> bool:
    # Exact types: a NumPy float is a float too, and would come back as another type.
    return (type(value) is int and value in INT64) or type(value) in (*_STATIC, float, Graph)


def graphs_in(params: dict[str, Any]) -> Iterator[Graph]:
    """The graphs among the parameters, by the parameters' names, with repetitions."""
    todo = [params[name] for name in sorted(params, reverse=True)]
    while todo:
        value = todo.pop()
        if isinstance(value, Graph):
            yield value
        elif type(value) is tuple:
            todo.extend(reversed(value))


# ----- Defaults: a structure like any other, with constants for leaves -----


def _is_number(value: Any) -> bool:
    return type(value) in _NUMBERS or isinstance(value, (np.ndarray, np.generic))


def split_default(value: Any) -> tuple[Structure, list[Constant]]:
    """A default value as a structure and the constants at its leaves."""
    leaves: list[Any] = []
    structure = flatten(value, _is_number, leaves)
    return structure, [Constant.of(leaf) for leaf in leaves]


def join_default(structure: Structure, constants: list[Constant]) -> Any:
    """The default value again; a weak constant is a Python number."""
    numbers = (c.array.item() if c.type.weak else c.array[()] for c in constants)
    return unflatten(structure, numbers)


# ----- What cannot be kept -----


def _static_complaint(structure: Structure, place: str, argument: str) -> str | None:
    """What is wrong with storing one structure, level by level; None where nothing is."""
    level = [structure]
    for _ in range(MAX_NESTING):
        for s in level:
            if s.kind == "static" and type(s.static) not in _STATIC:
                return (
                    f"{place} holds {s.static!r:.200} of type {type(s.static).__name__}; expected "
                    f"arrays, numbers, strings, bools or None. Bind it before tracing, "
                    f"for instance functools.partial(f, {argument}=...)."
                )
            if not all(is_data(key) and not isinstance(key, Graph) for key in s.keys):
                return f"{place} has the keys {s.keys!r:.200}; expected strings or ints."
        level = [child for s in level for child in s.children]
        if not level:
            return None
    return f"{place} nests more than {MAX_NESTING} deep; expected less. Flatten it before tracing."


def _default_complaint(name: str, value: Any) -> str | None:
    place = f"The default of argument {name!r}"
    try:
        structure, _ = split_default(value)
    except (TypeError, OverflowError) as error:
        return f"{place} cannot be kept: {error} Pass it as an argument instead."
    return _static_complaint(structure, place, name)


def complaint(graph: Graph) -> str | None:
    """A sentence on what in ``signature`` or ``results`` cannot be kept, or None."""
    found = []
    if graph.signature is not None:
        pairs = zip(graph.signature.parameters, graph.signature.arguments, strict=True)
        found += [_static_complaint(s, f"Argument {name!r}", name) for (name, _), s in pairs]
        found += [_default_complaint(name, value) for name, value in graph.signature.defaults]
    if graph.results is not None:
        found.append(_static_complaint(graph.results, "The result", "argument"))
    return next(filter(None, found), None)
