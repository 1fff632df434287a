"""A function's parameters: how arguments bind to them, and which defaults a graph keeps."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from wengert.backends.called import Called
from wengert.backends.program import is_leaf
from wengert.ir.build import Expr
from wengert.ir.errors import TraceError
from wengert.ir.ops.random import is_generator
from wengert.ir.structure import Signature, Structure, flatten
from wengert.tracer.location import described

__all__ = [
    "by_position", "check_result", "kept_signature", "keywords", "positional", "signature_of", "statics",
    "unhashable",
]  # fmt: skip

Parameters = Sequence[inspect.Parameter]


def signature_of(function: Callable[..., Any]) -> inspect.Signature:
    """The parameters of a function; those of a ufunc are its operands."""
    if isinstance(function, np.ufunc):
        names = [f"x{i}" for i in range(1, function.nin + 1)] if function.nin > 1 else ["x"]
        return inspect.Signature([inspect.Parameter(n, inspect.Parameter.POSITIONAL_ONLY) for n in names])
    try:
        return inspect.signature(function._called if isinstance(function, Called) else function)  # noqa: SLF001 (ours)
    except ValueError as error:
        inner = getattr(function, "func", function)  # of a partial
        if getattr(inner, "__module__", "") == "numpy" or isinstance(getattr(inner, "__self__", None), np.ufunc):
            return inspect.signature(lambda *args, **kwargs: None)  # before NumPy 2.4 these do not say
        name = getattr(function, "__name__", "f")
        message = f"{function!r} does not say what arguments it takes; wrap it: lambda x: {name}(x)."
        raise TypeError(message) from error


def by_position(name: str, signature: inspect.Signature, args: Sequence[Any], kwargs: dict[str, Any]) -> list[Any]:
    """The arguments of a call in their order; a TypeError where one has a keyword alone."""
    bound = signature.bind(*args, **kwargs)
    if bound.kwargs:  # defaults before them are theirs
        bound.apply_defaults()
    if bound.kwargs:
        taken = ", ".join(bound.kwargs)
        message = f"{name} takes the arguments {taken} by keyword alone; bind them before, with functools.partial."
        raise TypeError(message)
    return list(bound.args)


def statics(structure: Structure) -> Iterator[Any]:
    """What is not an array, at any depth."""
    if structure.kind == "static":
        yield structure.static
    for child in structure.children:
        yield from statics(child)


def kept_signature(parameters: Parameters, structures: Sequence[Structure]) -> Signature:
    """What a graph keeps: all but what was left to a default that is data to nobody, as a function is."""
    kept = [row for row in zip(parameters, structures, strict=True) if not _is_left_out(*row)]
    names = tuple((p.name, int(p.kind)) for p, _ in kept)
    return Signature(names, tuple(s for _, s in kept), _kept_defaults([p for p, _ in kept]))


def _is_left_out(parameter: inspect.Parameter, structure: Structure) -> bool:
    default = parameter.default
    return not (structure.leaf_count or _is_kept(default)) and structure == flatten(default, is_leaf, [])


def _kept_defaults(parameters: Parameters) -> tuple[tuple[str, Any], ...]:
    """The defaults that a graph keeps, as they are now: numbers, arrays (a model's weights), containers of them.

    Before a parameter that has none, Python allows none.
    """
    found: list[tuple[str, Any]] = []
    for p in reversed(parameters):
        if _is_kept(p.default):
            found.insert(0, (p.name, copy.deepcopy(p.default)))
        elif p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD):
            break
    return tuple(found)


def _is_kept(default: Any) -> bool:
    leaves: list[Any] = []
    structure = flatten(default, is_leaf, leaves)  # "no default" is a class, so static
    plain = all(static is None or isinstance(static, (bool, str)) for static in statics(structure))
    return plain and not any(isinstance(leaf, Expr) or is_generator(leaf) for leaf in leaves)


def positional(parameters: Parameters, values: Sequence[Any]) -> list[Any]:
    """The values that a call gives by position."""
    args: list[Any] = []
    for p, value in zip(parameters, values, strict=True):
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD):
            args.append(value)
        elif p.kind is p.VAR_POSITIONAL:
            args.extend(value)
    return args


def keywords(parameters: Parameters, values: Sequence[Any]) -> dict[str, Any]:
    """The values that a call gives by keyword."""
    kwargs: dict[str, Any] = {}
    for p, value in zip(parameters, values, strict=True):
        if p.kind is p.KEYWORD_ONLY:
            kwargs[p.name] = value
        elif p.kind is p.VAR_KEYWORD:
            kwargs.update(value)
    return kwargs


def unhashable(values: Iterable[Any]) -> TraceError:
    for value in values:
        try:
            hash(value)
        except TypeError:
            return TraceError(
                f"An argument of type {type(value).__name__} is neither an array nor hashable, so it can be no part "
                "of a signature. Pass arrays, numbers, nested containers of them, or hashable options."
            )
    return TraceError("The arguments contain an unhashable dictionary key or option.")


def check_result(function: Any, structure: Structure) -> None:
    for static in statics(structure):
        if not (static is None or isinstance(static, (bool, str))):
            message = (
                f"{getattr(function, '__qualname__', function)} returned a {type(static).__name__} "
                f"(seen at {described()}); expected arrays, numbers, or nested tuples, lists, dicts, named tuples, "
                "dataclasses or attrs classes of them."
            )
            raise TraceError(message)
