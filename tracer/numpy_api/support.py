"""What the chapters share: arguments made arrays, axes made plain, and options that are not traced refused."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from wengert.tracer.array import Array, TraceNamespace, converted, find_arrays, namespace_of, refuse

__all__ = [
    "NO", "array_of", "arrays_of", "as_array", "axis_of", "converted", "deliver", "lines",
    "plain_or_array", "promote", "refuse_plain_out", "restored",
]  # fmt: skip

NO = np._NoValue  # noqa: SLF001 (the default of NumPy's own options)


def array_of(*items: Any) -> tuple[TraceNamespace, Any]:
    """The namespace of the innermost trace, and the first item as an array of it."""
    xp = namespace_of(*items)
    return xp, as_array(xp, items[0])


def arrays_of(items: Any) -> tuple[TraceNamespace, list[Any]]:
    """The namespace, and every item as an array of it."""
    items = list(items)
    xp = namespace_of(*items)
    return xp, [as_array(xp, item) for item in items]


def as_array(xp: TraceNamespace, item: Any) -> Array:
    """An item as an array of this trace: itself where it is one, so that views of it are known as its views."""
    return item if isinstance(item, Array) and item.owner is xp.trace else xp.wrap(xp.lift(item))


def plain_or_array(xp: TraceNamespace, item: Any) -> Any:
    """An item as an array: a traced one (never weak) if anything in it is traced, else a plain one."""
    if not find_arrays((item,)):
        return np.asarray(item)
    array = as_array(xp, item)
    return xp.cast(array, array.dtype)


def promote(xp: TraceNamespace, arrays: list[Array]) -> list[Array]:
    """Arrays cast to the dtype they promote to; Python numbers count as arrays here, in NumPy too."""
    dtype = np.result_type(*(getattr(a.value, "array", a).dtype for a in arrays))  # an int beyond int64 has its own
    return [xp.cast(a, dtype) for a in arrays]


def axis_of(axis: Any, ndim: int) -> int:
    """One axis, counted from 0."""
    return int(np.lib.array_utils.normalize_axis_index(int(axis), ndim))


def lines(xp: Any, x: Array, axis: Any) -> tuple[Array, tuple[int, ...]]:
    """The elements along some axes (all, for None) as one leading axis; and those axes."""
    axes = range(x.ndim) if axis is None else np.lib.array_utils.normalize_axis_tuple(axis, x.ndim)
    axes = tuple(sorted(axes))
    kept = tuple(a for a in range(x.ndim) if a not in axes)
    count = math.prod(x.shape[a] for a in axes)
    return xp.reshape(xp.transpose(xp.cast(x, x.dtype), axes + kept), (count, *(x.shape[a] for a in kept))), axes


def restored(xp: Any, result: Any, x: Array, axes: tuple[int, ...], keepdims: Any, lead: tuple[int, ...] = ()) -> Array:
    """What was folded over axes of ``x``, with those axes kept at size 1 if asked for."""
    if not keepdims:
        return result
    return xp.reshape(result, (*lead, *(1 if a in axes else n for a, n in enumerate(x.shape))))


def deliver(result: Any, out: Any) -> Any:
    """The result, or ``out`` with the result written into it."""
    if isinstance(out, tuple) and len(out) == 1:
        (out,) = out
    if out is None:
        return result
    if not isinstance(out, Array):
        refuse_plain_out(out)
    result = as_array(out.xp, result)
    if out.shape != result.shape:
        message = f"output array has shape {out.shape}, but the result has shape {result.shape}."
        raise ValueError(message)
    out.write(converted(result, out.dtype))
    return out


def refuse_plain_out(out: Any) -> None:
    """Raise if ``out`` is a plain array."""
    for item in out if isinstance(out, tuple) else (out,):
        if item is not None and not isinstance(item, Array):
            raise refuse(
                "a traced value is written into a plain array (by out=, by an operator such as +=, or by a function "
                "that fills an array).",
                "Leave out= away and use the result (y = y + x instead of y += x), or make the array with "
                "np.zeros_like(traced).",
            )
