"""What the derivatives share: tangents fitted and nested, derived graphs inlined into a trace."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.backends.called import Derivative
from wengert.backends.direct import Entrances
from wengert.ir.graph import Constant, Graph, Value
from wengert.ir.passes import simplify
from wengert.ir.passes.rewriting import substitute
from wengert.ir.structure import Structure, only, unflatten
from wengert.ir.types import ArrayType, cotangent_type, is_inexact
from wengert.tracer.array import Array, TraceNamespace, namespace_of
from wengert.tracer.callee import Call, Recorded, Selection, matched


def named(target: Any, prefix: str, entrances: Entrances | None = None) -> Callable[[Any], Any]:
    """Name a derivative after what it is taken of; its entrances, if it has any, are looked at first."""

    def wrap(function: Any) -> Any:
        name, doc = getattr(target, "__name__", None) or "function", getattr(target, "__doc__", None)
        function.__name__ = function.__qualname__ = f"{prefix}_{name}"
        function.__module__ = getattr(target, "__module__", None)
        function.__doc__ = f"wg.{prefix} of {name}." + (f"\n\n{doc}" if doc and doc != type(target).__doc__ else "")
        return function if entrances is None else Derivative(function, entrances, None if prefix == "hvp" else target)

    return wrap


def paired(result: tuple[Any, Any]) -> tuple[Any, Any]:
    """(values, (values, rest)): what ``perform`` wants of an action."""
    return result[0], result


def scalar_of(array: Any) -> Any:
    """A NumPy scalar for no axes, as NumPy's own functions return."""
    return array[()] if array.ndim == 0 else array


def wrap_outputs(recorded: Recorded, values: Sequence[Value]) -> Any:
    """Output values as the function's nested result."""
    flat = iter([recorded.xp.wrap(v) for v in values])
    structure = recorded.graph.results
    return tuple(flat) if structure is None else unflatten(structure, flat)


def pull_within(recorded: Recorded, chosen: Selection, cotangents: Sequence[Value]) -> tuple[list[Value], list[Array]]:
    """Inline the vjp graph: the output values, and the cotangents of the active inputs."""
    from wengert.ir import autodiff

    xp, graph = recorded.xp, recorded.graph
    xp.trace.locate()
    derived = _seeded(autodiff.vjp(graph, chosen.active), cotangents)
    outputs = xp.builder.inline(derived, [*recorded.operands, *(g for g in cotangents if not isinstance(g, Constant))])
    n = len(graph.outputs)
    return list(outputs[:n]), [xp.wrap(v) for v in outputs[n:]]


def _seeded(graph: Graph, seeds: Sequence[Value]) -> Graph:
    """The graph with constants for those of its last inputs that are given as such, and simpler for it."""
    pairs = list(zip(graph.inputs[len(graph.inputs) - len(seeds) :], seeds, strict=True))
    known: dict[Value, Value] = {v: seed for v, seed in pairs if isinstance(seed, Constant)}
    if not known:
        return graph
    return simplify(substitute(graph.evolve(inputs=tuple(v for v in graph.inputs if v not in known)), known))


def push_within(recorded: Recorded, chosen: Selection, tangents: Sequence[Value]) -> tuple[list[Value], list[Any]]:
    """Inline the jvp graph: the output values, and one tangent per output (None where not inexact)."""
    from wengert.ir import autodiff

    xp, graph = recorded.xp, recorded.graph
    xp.trace.locate()
    outputs = xp.builder.inline(autodiff.jvp(graph, chosen.active), [*recorded.operands, *tangents])
    n = len(graph.outputs)
    moved = iter([xp.wrap(v) for v in outputs[n:]])
    return list(outputs[:n]), [next(moved) if is_inexact(v.type.dtype) else None for v in graph.outputs]


def tangent_types(call: Call, chosen: Selection) -> list[ArrayType]:
    """The type of a tangent of each active leaf."""
    leaves = [call.bound.leaves[i] for i in chosen.active]
    return [cotangent_type(ArrayType(np.result_type(_dtype_of(x)), np.shape(x))) for x in leaves]


def _dtype_of(leaf: Any) -> Any:
    return leaf.dtype if hasattr(leaf, "dtype") else np.float64 if isinstance(leaf, float) else np.asarray(leaf).dtype


def within(call: Call, extra: Sequence[Any]) -> Recorded | None:
    """As ``call.within``, also where only the tangents are traced."""
    recorded = call.within()
    if recorded is None and any(isinstance(x, Array) for x in extra):
        call.bound.leaves[:] = [_as_traced(x, extra) for x in call.bound.leaves]
        recorded = call.within()
    return recorded


def _as_traced(leaf: Any, near: Sequence[Any]) -> Any:
    xp = namespace_of(*near)
    return xp.wrap(xp.lift(leaf))


def fitted(value: Any, type_: ArrayType, what: str, name: str) -> Any:
    """A tangent or cotangent as an array of its type; raises where shape or dtype do not fit."""
    array = np.asarray(value)
    fits = array.dtype.kind in "iub" or (
        array.dtype.kind in "fc" and np.can_cast(array.dtype, type_.dtype, "same_kind"))
    if array.shape != type_.shape or not fits:
        message = f"The {what} of {name} must have type {type_}, got {array.dtype} of shape {array.shape}."
        raise TypeError(message)
    return np.ascontiguousarray(array, type_.dtype).reshape(type_.shape)


def placed(xp: TraceNamespace, graph: Graph, arrays: Sequence[Any]) -> Recorded:
    """A graph within a trace, with plain arrays for its first inputs."""
    types = [v.type for v in graph.inputs]
    operands = [xp.builder.cast(xp.lift(x), t.dtype, weak=t.weak) for x, t in zip(arrays, types, strict=False)]
    return Recorded(xp, graph, operands)


def lifted(recorded: Recorded, values: Sequence[Any], types: Sequence[ArrayType], what: str) -> list[Value]:
    """Tangents or cotangents, traced or not, as values of their types."""
    results = []
    for value, type_ in zip(values, types, strict=True):
        found = recorded.xp.lift(value)
        if found.type.shape != type_.shape or (found.type.dtype.kind == "c" and type_.dtype.kind != "c"):
            message = f"A {what} must have type {type_}, got {found.type}."
            raise TypeError(message)
        results.append(recorded.xp.builder.cast(found, type_.dtype))
    return results


def nest_outputs(graph: Graph, flat: Sequence[Any]) -> Any:
    """One entry per output (or None), nested as the result."""
    return tuple(flat) if graph.results is None else unflatten(graph.results, iter(flat))


def output_types(graph: Graph) -> list[ArrayType]:
    return [cotangent_type(v.type) for v in graph.outputs if is_inexact(v.type.dtype)]


def output_cotangents(graph: Graph, cotangent: Any) -> list[Any]:
    """The cotangents of the inexact outputs, from one nested as the result (None where not inexact)."""
    moving = [is_inexact(v.type.dtype) for v in graph.outputs]
    structure = graph.results or Structure("tuple", (Structure("leaf"),) * len(moving))
    return matched(only(structure, moving), cotangent, "cotangent", "result")
