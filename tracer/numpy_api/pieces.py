"""Functions applied to pieces of an array."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.ir.errors import TraceError
from wengert.ir.graph import Constant
from wengert.ir.kinds import Elementwise
from wengert.ir.types import ArrayType
from wengert.tracer.array import Array, TraceNamespace, namespace_of
from wengert.tracer.context import Trace
from wengert.tracer.numpy_api.movement import moveaxis
from wengert.tracer.numpy_api.positions import plain_mask
from wengert.tracer.numpy_api.support import array_of, as_array, axis_of


def piecewise(x, condlist, funclist, *args, **kw):
    """Each function on the elements of its piece.

    Which elements those are becomes a guard, except where it makes no difference: for numbers, and for functions that
    do the same to each element.
    """
    xp, values = array_of(x, condlist, funclist)
    number = values.ndim == 0
    sequence = isinstance(condlist, (list, tuple, np.ndarray))
    if not sequence or (not isinstance(condlist[0], (list, np.ndarray)) and not number):
        condlist = [condlist]
    conditions = [as_array(xp, c) for c in condlist]
    conditions = [c if c.dtype.kind == "b" else xp.not_equal(c, 0) for c in conditions]
    if len(conditions) == len(funclist) - 1:
        otherwise = conditions[0]
        for c in conditions[1:]:
            otherwise = xp.logical_or(otherwise, c)
        conditions.append(xp.logical_not(otherwise))
    elif len(conditions) != len(funclist):
        n = len(conditions)
        message = f"with {n} condition(s), either {n} or {n + 1} functions are expected"
        raise ValueError(message)
    result: Any = xp.wrap(xp.full(values.shape, 0, values.dtype).value)
    for c, function in zip(conditions, funclist, strict=True):
        if not callable(function):
            result = xp.where(c, xp.cast(as_array(xp, function), values.dtype), result)
        elif values.dtype.kind == "f" and values.size and _is_elementwise(function, values, args, kw):
            everywhere = as_array(xp, function(xp.reshape(values, (values.size,)), *args, **kw))
            everywhere = xp.reshape(everywhere, values.shape) if everywhere.ndim else everywhere
            result = xp.where(c, xp.cast(everywhere, values.dtype), result)
        else:
            mask = np.broadcast_to(plain_mask(c), values.shape)
            if mask.any():
                result[mask] = function(values[mask], *args, **kw)
    return result


def _is_elementwise(function: Any, x: Array, args: Any, kw: dict[str, Any]) -> bool:
    """Whether a function does the same to each element, whatever the others and however many.

    Traced on arrays of several sizes, whose numbers it must not ask for, it is the same elementwise ops every time.
    """
    found = [_elementwise_steps(lambda piece: function(piece, *args, **kw), x.dtype, n) for n in (1, 2, 7)]
    return found[0] is not None and all(steps == found[0] for steps in found)


def _elementwise_steps(function: Any, dtype: Any, n: int) -> list[Any] | None:
    """What a function does to an array of size ``n``, size left out; None if not all of it is elementwise."""
    trace = Trace("piecewise")

    def unknown() -> Any:
        raise TraceError("The numbers are not known.")

    with trace.active():
        xp = TraceNamespace(trace)
        piece = Array(xp, trace.argument(ArrayType(dtype, (n,)), None, unknown))
        try:
            made = xp.lift(function(piece))
        except Exception:  # noqa: BLE001 (what is wrong with it shows when it is called on its piece)
            return None
    known: dict[Any, Any] = {piece.value: "x", **{inner: id(value) for value, (_, inner) in trace.outer.items()}}
    steps: list[Any] = []

    def name(value: Any) -> Any:
        return value.key if isinstance(value, Constant) else known.get(value)

    for i, node in enumerate(trace.builder.nodes):
        names = tuple(map(name, node.operands))
        spread = node.op.name == "broadcast_to" and not node.operands[0].type.shape
        if None in names or not (spread or isinstance(node.op, Elementwise)):
            return None
        steps.append((node.op.name, names, () if spread else tuple(node.params.items())))
        known[node.results[0]] = i
    return None if trace.builder.guards or trace.captures or name(made) is None else [*steps, name(made)]


def apply_along_axis(func1d, axis, arr, *args, **kwargs):
    """Line by line, so as many nodes as the function has for each line."""
    xp, x = array_of(arr)
    at = axis_of(axis, x.ndim)
    lines = moveaxis(x, at, -1)
    outer = lines.shape[:-1]
    if 0 in outer:
        message = "Cannot apply_along_axis when any iteration dimensions are 0"
        raise ValueError(message)
    results: list[Any] = []
    for line in np.ndindex(outer):
        found = func1d(lines[(*line, ...)], *args, **kwargs)
        made = as_array(namespace_of(x, found), found)
        results.append(made if not results else made.xp.cast(made, results[0].dtype))
    joined = np.stack(results).reshape((*outer, *results[0].shape))
    inner = tuple(range(len(outer), joined.ndim))
    return moveaxis(joined, inner, tuple(range(at, at + len(inner))))


def apply_over_axes(func, a, axes):
    _, result = array_of(a)
    n = result.ndim
    for axis in (axes,) if np.ndim(axes) == 0 else axes:
        at = axis + n if axis < 0 else axis
        reduced = func(result, at)
        if np.ndim(reduced) != result.ndim:
            reduced = np.expand_dims(reduced, at)
            if np.ndim(reduced) != result.ndim:
                message = "function is not returning an array of the correct shape"
                raise ValueError(message)
        result = reduced
    return result


TABLE = {np.piecewise: piecewise, np.apply_along_axis: apply_along_axis, np.apply_over_axes: apply_over_axes}
