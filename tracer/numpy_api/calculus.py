"""Differences, gradients, integrals, interpolation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from wengert.tracer.array import Array
from wengert.tracer.numpy_api.sorting import ranked
from wengert.tracer.numpy_api.support import NO, array_of, arrays_of, as_array, axis_of, plain_or_array


def _along(axis: int, key: Any) -> tuple[Any, ...]:
    return (*(slice(None),) * axis, key)


def diff(a, n=1, axis=-1, prepend=NO, append=NO):
    if n == 0:
        return a
    if n < 0:
        message = f"order must be non-negative but got {n!r}"
        raise ValueError(message)
    xp, x = array_of(a, prepend, append)
    if x.ndim == 0:
        message = "diff requires input that is at least one dimensional"
        raise ValueError(message)
    at = axis_of(axis, x.ndim)
    ends = [None if end is NO else as_array(xp, end) for end in (prepend, append)]
    one = tuple(1 if i == at else m for i, m in enumerate(x.shape))
    before, after = ([] if end is None else [xp.broadcast_to(end, one) if end.ndim == 0 else end] for end in ends)
    if before or after:
        x = np.concatenate([*before, x, *after], at)
    for _ in range(n):
        minus = xp.not_equal if x.dtype.kind == "b" else xp.subtract
        x = minus(x[_along(at, slice(1, None))], x[_along(at, slice(None, -1))])
    return x


def ediff1d(ary, to_end=None, to_begin=None):
    xp, x = array_of(ary, to_end, to_begin)
    x = xp.reshape(xp.cast(x, x.dtype), (x.size,))
    parts = [xp.subtract(x[1:], x[:-1])]
    for name, end in (("to_begin", to_begin), ("to_end", to_end)):
        if end is None:
            continue
        y = as_array(xp, end)
        if not np.can_cast(y.dtype, x.dtype, casting="same_kind") and type(end) is not int:
            message = f"dtype of `{name}` must be compatible with input `ary` under the `same_kind` rule."
            raise TypeError(message)
        y = xp.reshape(xp.cast(y, x.dtype), (y.size,))
        parts = [y, *parts] if name == "to_begin" else [*parts, y]
    return np.concatenate(parts) if len(parts) > 1 else parts[0]


def _spacings(xp: Any, varargs: Any, shape: tuple[int, ...], axes: tuple[int, ...]) -> list[Any]:
    """Per axis the distances between neighbours: a number, or an array."""
    if not varargs:
        return [1.0] * len(axes)
    points = [plain_or_array(xp, given) for given in varargs]
    if len(points) == 1 and points[0].ndim == 0:
        return list(varargs) * len(axes)
    if len(points) != len(axes):
        message = "invalid number of arguments"
        raise TypeError(message)
    return [
        given if x.ndim == 0 else _steps(x, shape[axis])
        for given, x, axis in zip(varargs, points, axes, strict=True)
    ]


def _steps(points: Any, size: int) -> Any:
    if points.ndim != 1:
        message = "distances must be either scalars or 1d"
        raise ValueError(message)
    if len(points) != size:
        message = "when 1d, distances must match the length of the corresponding dimension"
        raise ValueError(message)
    steps = np.diff(points.astype(np.float64) if points.dtype.kind in "iu" else points)
    # Traced points keep their own formula where they happen to be evenly spaced: the derivative is that of each.
    return steps[0] if not isinstance(steps, Array) and (steps == steps[0]).all() else steps


def gradient(f, *varargs, axis=None, edge_order=1):
    xp, x = array_of(f, *varargs)
    axes = tuple(range(x.ndim)) if axis is None else np.lib.array_utils.normalize_axis_tuple(axis, x.ndim)
    spacings = _spacings(xp, varargs, x.shape, axes)
    if edge_order > 2:
        message = "'edge_order' greater than 2 not supported"
        raise ValueError(message)
    dtype = x.dtype if x.dtype.kind in "fc" else np.dtype(np.float64)
    x = xp.cast(x, np.float64 if x.dtype.kind in "iu" else x.dtype)
    found = []
    for at, steps in zip(axes, spacings, strict=True):
        if x.shape[at] < edge_order + 1:
            message = (
                "Shape of array too small to calculate a numerical gradient, at least (edge_order + 1) elements are "
                "required."
            )
            raise ValueError(message)
        parts = _slopes(x, steps, at, edge_order)
        found.append(np.concatenate([xp.cast(as_array(xp, part), dtype) for part in parts], at))
    return found[0] if len(axes) == 1 else tuple(found)


def _slopes(x: Any, steps: Any, axis: int, edge_order: int) -> list[Any]:
    """The slope at the first element, at those inside, at the last."""

    def f(start: int, stop: int | None) -> Any:
        return x[_along(axis, slice(start, stop))]

    even = np.ndim(steps) == 0
    if even:
        inside = (f(2, None) - f(0, -2)) / (2.0 * steps)
    else:
        left, right = steps[:-1], steps[1:]
        weights = (-right / (left * (left + right)), (right - left) / (left * right), left / (right * (left + right)))
        shape = tuple(len(left) if a == axis else 1 for a in range(x.ndim))
        a, b, c = (np.reshape(w, shape) for w in weights)
        inside = a * f(0, -2) + b * f(1, -1) + c * f(2, None)
    if edge_order == 1:
        first, last = (steps, steps) if even else (steps[0], steps[-1])
        return [(f(1, 2) - f(0, 1)) / first, inside, (f(-1, None) - f(-2, -1)) / last]
    if even:
        near = (-1.5 / steps, 2.0 / steps, -0.5 / steps)
        far = (0.5 / steps, -2.0 / steps, 1.5 / steps)
    else:
        p, q = steps[0], steps[1]
        near = (-(2.0 * p + q) / (p * (p + q)), (p + q) / (p * q), -p / (q * (p + q)))
        p, q = steps[-2], steps[-1]
        far = (q / (p * (p + q)), -(q + p) / (p * q), (2.0 * q + p) / (q * (p + q)))
    begin = near[0] * f(0, 1) + near[1] * f(1, 2) + near[2] * f(2, 3)
    end = far[0] * f(-3, -2) + far[1] * f(-2, -1) + far[2] * f(-1, None)
    return [begin, inside, end]


def trapezoid(y, x=None, dx=1.0, axis=-1):
    xp, given = array_of(y, x, dx)
    heights: Any = xp.cast(given, given.dtype)
    at = axis_of(axis, heights.ndim)
    steps = dx
    if x is not None:
        points: Any = as_array(xp, x)
        steps = diff(points, axis=-1 if points.ndim == 1 else axis)
        if points.ndim == 1:
            steps = xp.reshape(steps, tuple(steps.size if i == at else 1 for i in range(heights.ndim)))
    both = heights[_along(at, slice(1, None))] + heights[_along(at, slice(None, -1))]
    return np.sum(steps * both / 2.0, axis)


def unwrap(p, discont=None, axis=-1, *, period=2 * math.pi):
    xp, x = array_of(p, discont, period)
    x = xp.cast(x, x.dtype)
    at = axis_of(axis, x.ndim)
    steps = diff(x, axis=at)
    half = period / 2
    discont = half if discont is None else discont
    dtype = np.result_type(steps, period)
    ambiguous = True
    if dtype.kind in "iu":
        half, rest = divmod(period, 2)
        ambiguous = rest == 0
    turned = np.remainder(steps - -half, period) + -half
    if ambiguous:
        turned = np.where((turned == -half) & (steps > 0), half, turned)
    correction = np.where(np.abs(steps) < discont, 0, turned - steps)
    rest = x[_along(at, slice(1, None))] + np.cumsum(correction, at)
    return np.concatenate([x[_along(at, slice(0, 1))].astype(dtype), rest.astype(dtype)], at)


def interp(x, xp, fp, left=None, right=None, period=None):
    """Piecewise linear through the knots; at a knot the derivative is that of the interval to its right."""
    space, items = arrays_of((x, xp, fp))
    if items[2].dtype.kind == "c":
        whole = space.cast(items[2], np.complex128)
        halves = [[None if end is None else part(end) for end in (left, right)] for part in (np.real, np.imag)]
        parts = zip((space.real(whole), space.imag(whole)), halves, strict=True)
        return space.complex(*(interp(x, xp, half, low, high, period) for half, (low, high) in parts))
    if period is None and any(item.dtype.kind == "c" for item in items):
        message = "Cannot cast array data from complex to float64: np.interp takes complex numbers as fp= alone."
        raise TypeError(message)
    points: list[Any] = [space.cast(item, np.float64) for item in items]
    at, knots, heights = points
    if knots.ndim != 1 or heights.ndim != 1:
        message = "Data points must be 1-D sequences" if period is not None else "object too deep for desired array"
        raise ValueError(message)
    if not knots.size:
        message = "array of sample points is empty"
        raise ValueError(message)
    if knots.shape != heights.shape:
        message = "fp and xp are not of the same length."
        raise ValueError(message)
    if period is not None:
        if period == 0:
            message = "period must be a non-zero value"
            raise ValueError(message)
        period = abs(period)
        left = right = None
        at, knots = at % period, knots % period
        order = np.argsort(knots, kind="stable")
        knots, heights = np.take(knots, order), np.take(heights, order)
        knots = np.concatenate((knots[-1:] - period, knots, knots[:1] + period))
        heights = np.concatenate((heights[-1:], heights, heights[:1]))
    low = heights[0] if left is None else left
    high = heights[-1] if right is None else right
    if knots.size == 1:
        inside = np.broadcast_to(heights[0], at.shape)
    else:
        passed = _knots_passed(at, knots)
        inside = _on_interval(at, knots, heights, np.clip(passed - 1, 0, knots.size - 2))
        inside = np.where(np.isnan(at), at, np.where(at == knots[-1], heights[-1], inside))
    return np.where(at < knots[0], low, np.where(at > knots[-1], high, inside)).astype(np.float64)


def _on_interval(at: Any, knots: Any, heights: Any, j: Any) -> Any:
    """The line through knots j and j + 1, from the end where it is a number."""
    x0, x1, y0, y1 = (np.take(values, j + k) for values in (knots, heights) for k in (0, 1))
    slope = (y1 - y0) / (x1 - x0)
    value = slope * (at - x0) + y0
    value = np.where(np.isnan(value), slope * (at - x1) + y1, value)
    return np.where(np.isnan(value) & ((y0 == y1) | (at == x0)), y0, value)


def _knots_passed(at: Any, knots: Any) -> Any:
    """How many knots are not above each point, known at run time."""
    if knots.size * at.size <= 4096:
        return np.sum(knots <= np.reshape(at, (*at.shape, 1)), -1)
    return ranked(knots, at, inclusive=True)


TABLE = {
    np.diff: diff, np.ediff1d: ediff1d, np.gradient: gradient, np.trapezoid: trapezoid, np.unwrap: unwrap,
    np.interp: interp,
}  # fmt: skip
if hasattr(np, "trapz"):  # until NumPy 2.4
    TABLE[vars(np)["trapz"]] = trapezoid
