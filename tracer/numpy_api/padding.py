"""np.pad: its modes are either where each element comes from, or what is joined on along one axis after the other."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.tracer.array import Array, find_arrays
from wengert.tracer.indexing import gathered, places
from wengert.tracer.numpy_api.support import array_of, as_array

#: The option of each mode.
_OPTION = {
    "empty": None, "edge": None, "wrap": None, "constant": "constant_values", "linear_ramp": "end_values",
    "maximum": "stat_length", "minimum": "stat_length", "mean": "stat_length", "median": "stat_length",
    "reflect": "reflect_type", "symmetric": "reflect_type",
}  # fmt: skip


def pad(array, pad_width, mode="constant", **kwargs):
    xp, x = array_of(array, *kwargs.values())
    x = xp.cast(x, x.dtype)
    widths = _widths(pad_width, x.ndim)
    if callable(mode):
        return _by_function(xp, x, widths, mode, kwargs)
    if mode not in _OPTION:
        message = f"mode {mode!r} is not supported"
        raise ValueError(message)
    if unknown := set(kwargs) - {_OPTION[mode]}:
        message = f"unsupported keyword arguments for mode {mode!r}: {unknown}"
        raise ValueError(message)
    option = next(iter(kwargs.values()), None)
    zeros = mode == "constant" and (option is None or not (find_arrays([option]) or np.any(option)))
    if x.ndim == 0 or mode == "empty" or zeros:
        return _placed(xp, x, widths)
    if x.size == 0 and mode != "constant":
        if any(n == 0 and pair.any() for n, pair in zip(x.shape, widths, strict=True)):
            message = "can't extend an empty axis using modes other than 'constant' or 'empty'"
            raise ValueError(message)
        return _placed(xp, x, widths)
    if mode in ("edge", "wrap") or (mode in ("reflect", "symmetric") and option != "odd"):
        return gathered(xp, x, np.pad(places(x.shape), widths, mode))  # type: ignore[call-overload]
    for axis, (before, after) in enumerate(widths.tolist()):
        left, right = _SIDES[mode](xp, x, axis, before, after, option)
        parts = [xp.cast(part, x.dtype) for part in (left, x, right) if part.shape[axis]]
        x = xp.concatenate(parts, axis) if parts else x
    return x


def _widths(pad_width: Any, ndim: int) -> np.ndarray[Any, Any]:
    """How many elements before and after, per axis."""
    if isinstance(pad_width, dict):
        listed = [(0, 0)] * ndim
        for axis, width in pad_width.items():
            listed[axis] = (width, width) if isinstance(width, int) else width
        pad_width = listed
    widths = np.asarray(pad_width, int if ndim == 0 and not np.size(pad_width) else None)
    if widths.dtype.kind != "i":
        message = "`pad_width` must be of integral type."
        raise TypeError(message)
    if np.any(widths < 0):
        message = "index can't contain negative values"
        raise ValueError(message)
    return np.broadcast_to(widths, (ndim, 2))


def _placed(xp: Any, x: Array, widths: np.ndarray[Any, Any]) -> Array:
    """Zeros around ``x``."""
    shape = tuple(int(n + sum(pair)) for n, pair in zip(x.shape, widths, strict=True))
    return xp.place(x, shape=shape, start=tuple(widths[:, 0].tolist()), step=(1,) * x.ndim)


def _by_function(xp: Any, x: Array, widths: Any, function: Any, kwargs: dict[str, Any]) -> Array:
    """The user's function fills, line by line along each axis, the ends of the line in place."""
    padded = xp.wrap(_placed(xp, x, widths).value)
    for axis in range(x.ndim):
        lines = np.moveaxis(padded, axis, -1)
        for line in np.ndindex(lines.shape[:-1]):
            function(lines[(*line, ...)], widths[axis], axis, kwargs)
    return padded


def _pair(xp: Any, option: Any, axis: int, ndim: int) -> list[Any]:
    """What an option says of the two ends of an axis."""
    if option is None:
        return [None, None]
    both = np.broadcast_to(as_array(xp, option), (ndim, 2))
    return [both[axis, 0], both[axis, 1]]


def _cut(x: Any, axis: int, *ends: Any) -> Any:
    return x[(*(slice(None),) * axis, slice(*ends))]


def _wide(xp: Any, x: Array, axis: int, width: int) -> Array:
    """A slice of width 1, or a number, repeated along an axis."""
    return xp.broadcast_to(x, (*x.shape[:axis], width, *x.shape[axis + 1 :]))


def _constant(xp: Any, x: Array, axis: int, before: int, after: int, option: Any) -> list[Array]:
    shapes = [(*x.shape[:axis], width, *x.shape[axis + 1 :]) for width in (before, after)]
    ends = _pair(xp, 0 if option is None else option, axis, x.ndim)
    return [xp.broadcast_to(xp.cast(end, x.dtype), shape) for end, shape in zip(ends, shapes, strict=True)]


def _linear_ramp(xp: Any, x: Array, axis: int, before: int, after: int, option: Any) -> list[Array]:
    """From the end value, which is in it, to the edge, which is not: ``end + k (edge - end) / width``."""
    ends = _pair(xp, 0 if option is None else option, axis, x.ndim)
    ramps = []
    for end, edge, width in zip(ends, (_cut(x, axis, 0, 1), _cut(x, axis, -1, None)), (before, after), strict=True):
        dtype = np.result_type(end.dtype, x.dtype, 0.0)
        first = xp.cast(end, dtype)
        along = xp.constant(np.arange(width, dtype=dtype).reshape(-1, *(1,) * (x.ndim - axis - 1)))
        ramp = along * ((xp.cast(edge, dtype) - first) / max(width, 1)) + first
        ramps.append(xp.floor(ramp) if x.dtype.kind in "iu" else ramp)
    return [ramps[0], np.flip(ramps[1], axis)]


def _statistic(name: str) -> Any:
    """The ends of an axis filled with a statistic of the elements next to them."""

    def sides(xp: Any, x: Array, axis: int, before: int, after: int, option: Any) -> list[Array]:
        n = x.shape[axis]
        lengths = [n if k is None else min(int(k), n) for k in np.broadcast_to(np.asarray(option), (x.ndim, 2))[axis]]
        if 0 in lengths and name in ("amax", "amin"):
            message = "stat_length of 0 yields no value for padding"
            raise ValueError(message)
        chunks = (_cut(x, axis, 0, lengths[0]), _cut(x, axis, n - lengths[1], None))
        values = [getattr(np, name)(chunk, axis=axis, keepdims=True) for chunk in chunks]
        if x.dtype.kind in "iu":
            values = [np.rint(value) if value.dtype.kind == "f" else value for value in values]
        return [_wide(xp, value, axis, width) for value, width in zip(values, (before, after), strict=True)]

    return sides


def _odd(offset: int) -> Any:
    """Reflection through the edge, ``2 edge - x``, again and again until the ends are full."""

    def sides(xp: Any, x: Array, axis: int, before: int, after: int, option: Any) -> list[Array]:
        n = x.shape[axis]
        if n == 1:
            return [_wide(xp, x, axis, before), _wide(xp, x, axis, after)]
        grown, left, right = x, 0, 0
        while left < before or right < after:
            length = grown.shape[axis]
            most = length // n * n if not offset else (length - 1) // (n - 1) * (n - 1)
            one, two = min(most, before - left), min(most, after - right)
            low = 2 * _cut(grown, axis, 0, 1) - np.flip(_cut(grown, axis, offset, offset + one), axis)
            end = length - offset
            high = 2 * _cut(grown, axis, -1, None) - np.flip(_cut(grown, axis, end - two, end), axis)
            grown = xp.concatenate([xp.cast(part, x.dtype) for part in (low, grown, high)], axis)
            left, right = left + one, right + two
        return [_cut(grown, axis, 0, left), _cut(grown, axis, left + n, None)]

    return sides


_SIDES = {
    "constant": _constant, "linear_ramp": _linear_ramp, "reflect": _odd(1), "symmetric": _odd(0),
    "maximum": _statistic("amax"), "minimum": _statistic("amin"), "mean": _statistic("mean"),
    "median": _statistic("median"),
}  # fmt: skip

TABLE = {np.pad: pad}
