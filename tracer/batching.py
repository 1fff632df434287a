"""Functions of one example made functions of many: what users call, and how their arguments are taken apart."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from attrs import frozen

from wengert.backends.program import Program, results_of
from wengert.ir.batching import batch
from wengert.ir.errors import GuardError, TraceError
from wengert.ir.graph import Graph, Guard, Value
from wengert.ir.ops import OPS
from wengert.ir.structure import LEAF, Structure, describe, flatten, leaf_paths
from wengert.ir.types import ArrayType
from wengert.tracer.array import Array, TraceNamespace
from wengert.tracer.callee import Call, Callee, Recorded
from wengert.tracer.context import Trace, current_trace
from wengert.tracer.entrances import ends_of
from wengert.tracer.sweeps import named, wrap_outputs

__all__ = ["vmap"]

Axis: TypeAlias = int | None
#: An axis, None, or nested tuples, lists and dicts of them: a prefix of what they are for.
Axes: TypeAlias = Any


def vmap(
    f: Any, in_axes: Axes = 0, out_axes: Axes = 0, *, axis_size: int | None = None, backend: str | None = None
) -> Callable[..., Any]:
    """``f`` of every lane at once: each argument gets one more axis, and so does each result.

    Parameters
    ----------
    f : callable, Program or Graph
        Takes and returns what belongs to one lane.
    in_axes : int, None, or nested
        The axis that the lanes are along, from the end where negative; None for an argument that is the same in every
        lane.  One for all positional arguments, or a tuple with one for each, each of them one for a whole argument or
        nested as it is.  Keyword arguments have their lanes along axis 0.  A dict names the arguments that have lanes,
        by position or keyword; the others have none.
    out_axes : int, None, or nested
        Where the results have them; None for a result that is the same in every lane.
    axis_size : int, optional
        The number of lanes, needed where no argument has any.
    backend : str, optional

    Returns
    -------
    callable
        Takes the arguments of ``f``; every lane has to take the same path through Python branches.

    Raises
    ------
    ValueError
        If the arguments do not have one number of lanes along the axes.
    GuardError
        If a branch that ``f`` takes is not the same in every lane: use ``np.where`` or ``wg.cond`` there.
    """
    if not callable(f) and not isinstance(f, Graph):
        message = f"wg.vmap takes a function, traced function or graph; got {f!r}."
        raise TypeError(message)
    callee = Callee(f, backend)
    entrances = callee.entrances("vmap", in_axes, out_axes, axis_size)

    @named(f, "vmap", entrances)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        call = callee.call(args, kwargs, fit=False)
        lanes = _taken_apart(call, in_axes, kwargs, axis_size)
        whole = list(call.bound.leaves)
        call.bound.leaves[:] = [_first_lane(x, axis, lanes.size) for x, axis in zip(whole, lanes.axes, strict=True)]
        call = call.fitted()
        if (recorded := call.within()) is not None:
            return _inlined(callee, recorded, whole, lanes, out_axes)

        def action(program: Program, inputs: list[Any]) -> Any:
            graph = program.graph
            _check_draws(callee, graph, len(whole))
            wanted = _result_axes(callee, graph, out_axes)
            given = list(inputs)
            first: list[Axis] = [None] * len(inputs)
            for i, (x, axis) in enumerate(zip(whole, lanes.axes, strict=True)):
                if axis is not None:  # moved here, so that each lane lies in memory as it would alone
                    given[i] = np.ascontiguousarray(np.moveaxis(x, axis, 0), graph.inputs[i].type.dtype)
                    first[i] = 0
            batched, found = program.batched(tuple(first), lanes.size, wanted)
            _check_results(callee, graph, wanted, found)
            values = batched.run(given, callee.backend)
            return values, (values, batched)

        path = call.path()
        try:
            graph, (values, batched) = call.perform(action, path)
        except GuardError as error:
            raise _mixed(callee, error.location) from None
        every = batched.graph.evolve(results=graph.results)
        if not kwargs and all(axis in (None, 0) for axis in lanes.axes):
            path.open(entrances, (), lambda: ends_of(every), batched.compiled, lanes=batched.graph)
        return results_of(every, values)

    return mapped


@frozen
class _Lanes:
    """How many lanes there are, and the axis of each leaf that they are along."""

    size: int
    axes: tuple[Axis, ...]


def _inlined(callee: Callee, recorded: Recorded, whole: Sequence[Any], lanes: _Lanes, out_axes: Axes) -> Any:
    """Within a trace: the nodes of all lanes at once."""
    xp, graph, operands = recorded.xp, recorded.graph, list(recorded.operands)
    _check_draws(callee, graph, len(whole))
    for i, (x, axis) in enumerate(zip(whole, lanes.axes, strict=True)):
        if axis is not None:
            operands[i] = xp.builder.cast(xp.lift(x), graph.inputs[i].type.dtype)
    wanted = _result_axes(callee, graph, out_axes)
    axes = (*lanes.axes, *(None,) * (len(operands) - len(whole)))
    batched, found = batch(graph, axes, lanes.size, wanted)
    _check_results(callee, graph, wanted, found)
    xp.trace.locate()
    before = len(xp.builder.guards)
    outputs = xp.builder.inline(batched, operands)
    for guard in xp.builder.guards[before:]:
        if not _holds(xp.trace, guard):
            raise _mixed(callee, guard.location)
    return wrap_outputs(recorded, outputs)


def _holds(trace: Trace, guard: Guard) -> bool:
    return bool(trace.evaluate(guard.value)) is guard.expected


def _mixed(callee: Callee, location: Any) -> GuardError:
    message = (
        f"The lanes of wg.vmap({callee.name}) do not all take the path that was traced: a branch, or a number that was "
        "asked for as by int(x), depends on what differs from lane to lane, and one graph serves them all. "
        "Write np.where(condition, x, y) or wg.cond there, or loop over the lanes in Python."
    )
    return GuardError(message, location=location)


# ----- What goes in -----


def _taken_apart(call: Call, in_axes: Axes, kwargs: dict[str, Any], size: int | None) -> _Lanes:
    """The axis of every leaf, checked against the leaves."""
    name, bound = call.callee.name, call.bound
    axes: list[Axis] = []
    for path, leaf, axis in zip(bound.names, bound.leaves, _leaf_axes(call, in_axes, kwargs), strict=True):
        axes.append(axis if axis is None else _normal(axis, path, leaf, name))
    if bound.generators:
        raise _generator(name)
    found = [(int(np.shape(x)[axis]), f"{path} (axis {axis} of its shape {np.shape(x)})")
             for path, x, axis in zip(bound.names, bound.leaves, axes, strict=True) if axis is not None]  # fmt: skip
    if size is not None:
        found.append((operator.index(size), "axis_size"))
    if not found:
        message = (
            f"wg.vmap({name}) maps over no array: in_axes is {in_axes!r}, for {len(bound.leaves)} arrays in the "
            "arguments. Give an axis for one of them, or the number of lanes as axis_size."
        )
        raise ValueError(message)
    if len({n for n, _ in found}) > 1:
        sizes = ", ".join(f"{n} in {where}" for n, where in found)
        message = f"wg.vmap({name}) needs one number of lanes in all arguments that have any, got {sizes}."
        raise ValueError(message)
    return _Lanes(found[0][0], tuple(axes))


def _normal(axis: int, path: str, leaf: Any, name: str) -> int:
    shape = np.shape(leaf)
    if not -len(shape) <= axis < len(shape):
        message = (
            f"wg.vmap({name}) maps argument {path} over its axis {axis}, but it has the shape {shape}. "
            "Give in_axes=None for what is the same in every lane, as in in_axes=(0, None); "
            "for keyword arguments, name those that have lanes, as in in_axes={'x': 0}."
        )
        raise ValueError(message)
    return axis % len(shape)


def _first_lane(leaf: Any, axis: Axis, size: int) -> Any:
    """What the function is traced with: the first lane, or zeros where there is none."""
    if axis is None:
        return leaf
    if isinstance(leaf, Array):
        trace = current_trace()
        assert trace is not None  # else the array has leaked, which the tracer says
        return _traced_lane(TraceNamespace(trace), leaf, axis, size)
    return np.moveaxis(leaf, axis, 0)[0] if size else np.zeros(np.delete(leaf.shape, axis), leaf.dtype)[()]


def _traced_lane(xp: TraceNamespace, leaf: Array, axis: int, size: int) -> Array:
    """A lane of a traced array, to trace with: no node gives it, but its numbers are at hand."""
    whole = xp.lift(leaf)
    shape = tuple(n for a, n in enumerate(whole.type.shape) if a != axis)
    value = Value(ArrayType(whole.type.dtype, shape))
    xp.trace.deferred[value] = lambda: np.asarray(
        np.moveaxis(xp.trace.evaluate(whole), axis, 0)[0] if size else np.zeros(shape), whole.type.dtype)
    return Array(xp, value)


def _leaf_axes(call: Call, in_axes: Axes, kwargs: dict[str, Any]) -> list[Axis]:
    """For each leaf of the arguments the axis that was asked for."""
    parameters, structures = _parameters(call), call.bound.structures
    if isinstance(in_axes, dict):
        unknown = [n for n in in_axes if n not in [p for p, _ in parameters]]
        if unknown:
            message = (
                f"in_axes names the arguments {', '.join(map(str, unknown))}, and {call.callee.name} takes "
                f"{', '.join(p for p, _ in parameters)}."
            )
            raise ValueError(message)
        pairs = [(s, in_axes.get(p), p) for (p, _), s in zip(parameters, structures, strict=True)]
        return [axis for s, axes, p in pairs for axis in _prefix(s, axes, "in_axes", f"argument {p}")]
    given = call.positions[: call.given]
    if isinstance(in_axes, (tuple, list)):
        if len(in_axes) != len(given):
            message = (
                f"in_axes has {len(in_axes)} entries, one for each positional argument, and {call.callee.name} was "
                f"called with {len(given)} of them."
            )
            raise ValueError(message)
        by_position: Sequence[Axes] = in_axes
    else:
        by_position = [in_axes] * len(given)
    places = dict(zip(given, by_position, strict=True))
    found: list[Axis] = []
    for i, ((name, kind), structure) in enumerate(zip(parameters, structures, strict=True)):
        what = f"argument {name}"
        if kind is inspect.Parameter.VAR_POSITIONAL:
            for j, child in enumerate(structure.children):
                found += _prefix(child, places[i, j], "in_axes", f"{what}[{j}]")
        elif (i, None) in places:
            found += _prefix(structure, places[i, None], "in_axes", what)
        else:  # by keyword; a default is the same in every lane
            by_keyword = name in kwargs or kind is inspect.Parameter.VAR_KEYWORD
            found += _prefix(structure, 0 if by_keyword else None, "in_axes", what)
    return found


def _parameters(call: Call) -> list[tuple[str, Any]]:
    """The name and kind of each parameter."""
    target = call.callee.target
    if not isinstance(target, Program):
        return [(p.name, p.kind) for p in target.signature.parameters.values()]
    if target.graph.signature is None:
        return [(name, inspect.Parameter.POSITIONAL_ONLY) for name in call.bound.names]
    return [(n, inspect._ParameterKind(kind)) for n, kind in target.graph.signature.parameters]  # noqa: SLF001 (its only name)


def _prefix(structure: Structure, axes: Axes, what: str, of: str) -> list[Axis]:
    """An axis for each leaf of a structure, from axes nested like it down to some depth."""
    if axes is None or (isinstance(axes, (int, np.integer)) and not isinstance(axes, bool)):
        return [axes if axes is None else int(axes)] * structure.leaf_count
    entries: list[Any] = []
    shape = flatten(axes, lambda x: x is not axes, entries)  # one level
    kinds = [("tuple" if s.kind == "list" else s.kind) for s in (shape, structure)]
    fits = kinds[0] == kinds[1] and len(entries) == len(structure.children)
    if not fits or shape.kind in ("static", "leaf") or set(shape.keys) != set(structure.keys):
        message = (
            f"{what} is {axes!r} for {of}, which is nested as {describe(structure)}; expected an axis, None, or axes "
            "nested alike."
        )
        raise ValueError(message)
    if shape.kind == "dict":
        entries = [axes[k] for k in structure.keys]
    paths = leaf_paths(Structure(structure.kind, (LEAF,) * len(entries), structure.keys), of)
    triples = zip(structure.children, entries, paths, strict=True)
    return [axis for child, entry, path in triples for axis in _prefix(child, entry, what, path)]


# ----- What comes out -----


def _result_axes(callee: Callee, graph: Graph, out_axes: Axes) -> tuple[Axis, ...]:
    """For each output the axis that was asked for."""
    structure = graph.results or Structure("tuple", (LEAF,) * len(graph.outputs))
    axes = _prefix(structure, out_axes, "out_axes", "the result")
    for value, axis, path in zip(graph.outputs, axes, leaf_paths(structure, "result"), strict=True):
        ndim = value.type.ndim
        if axis is not None and not -ndim - 1 <= axis <= ndim:
            message = (
                f"out_axes is {axis} for {path} of wg.vmap({callee.name}), which with the lanes has {ndim + 1} axes."
            )
            raise ValueError(message)
    return tuple(axes)


def _check_results(callee: Callee, graph: Graph, wanted: Sequence[Axis], found: Sequence[Axis]) -> None:
    structure = graph.results or Structure("tuple", (LEAF,) * len(graph.outputs))
    for asked, has, path in zip(wanted, found, leaf_paths(structure, "result"), strict=True):
        if asked is None and has is not None:
            message = (
                f"out_axes is None for {path} of wg.vmap({callee.name}), which differs from lane to lane; give the "
                "axis that the lanes are to be along."
            )
            raise ValueError(message)


# ----- Random generators -----


def _check_draws(callee: Callee, graph: Graph, count: int) -> None:
    """Raise where a Generator from outside would draw the same in every lane; ``count`` inputs are arguments."""
    keys = {v for v in graph.inputs[count:] if v.type.dtype == np.uint64}
    for node in graph.nodes if keys else ():
        if node.op is OPS["draw"] and node.operands[0] in keys:
            raise _generator(callee.name)


def _generator(name: str) -> TraceError:
    return TraceError(
        f"wg.vmap({name}) would draw from one Generator in all lanes, and a Generator draws in one order. Give each "
        "lane a seed, vmap over the seeds, and make np.random.default_rng(seed) in the function."
    )
