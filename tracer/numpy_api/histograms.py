"""Counting: how many elements, or how much weight, each bin holds.

Counts are locally constant; weights enter linearly, and bin edges are differentiable. What bins there are is a
matter of shape, and a guard where it depends on values.
"""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from wengert.tracer.array import Array, namespace_of, refuse
from wengert.tracer.numpy_api.movement import concatenate, ravel
from wengert.tracer.numpy_api.sorting import searchsorted
from wengert.tracer.numpy_api.support import array_of, as_array


def bincount(x, /, weights=None, minlength=0):
    xp, values = array_of(x, weights, minlength)
    if values.ndim != 1:
        message = "object of too small depth for desired array" if not values.ndim else "object too deep"
        raise ValueError(message)
    if not np.can_cast(values.dtype, np.int64):
        message = f"Cannot cast array data from {values.dtype} to int64 according to the rule 'safe'"
        raise TypeError(message)
    count = operator.index(minlength)
    if count < 0:
        message = "'minlength' must not be negative"
        raise ValueError(message)
    if not values.size:
        return xp.full((count,), 0, np.int64)
    given = None if weights is None else as_array(xp, weights)
    if given is not None and given.shape != values.shape:
        message = "The weights and list don't have the same length."
        raise ValueError(message)
    count = _length(values, count)
    # The program counts before it finds that a larger one has come, and the guard fails: that goes one place further.
    at = xp.cast(values, np.int64)
    at = xp.where(xp.logical_or(xp.less(at, 0), xp.greater_equal(at, count)), count, at)
    return _gathered(xp, at, given, count + 1)[:count]


def _length(x: Array, least: int) -> int:
    """One more than the largest, which is a guard; where it does not exceed ``minlength``, only that is."""
    if np.min(x) < 0:
        message = "'list' argument must have no negative elements"
        raise ValueError(message)
    largest = np.max(x).astype(np.int64)
    return least if largest < least else int(largest) + 1


def _gathered(xp: Any, at: Array, weights: Array | None, count: int) -> Array:
    """The weight at each position, ones by default."""
    if weights is None:
        added = xp.full(at.shape, 1, np.int64)
    elif np.can_cast(weights.dtype, np.float64):
        added = xp.cast(weights, np.float64)
    else:
        message = f"Cannot cast array data from {weights.dtype} to float64 according to the rule 'safe'"
        raise TypeError(message)
    return xp.scatter_add(added, xp.cast(at, np.int64), axis=0, size=count)


def _outer_edges(a: Array, range_: Any) -> tuple[Any, Any]:
    """The ends of equal bins; whether they are finite, in order and apart are guards."""
    if range_ is not None:
        first, last = range_
        if first > last:
            message = "max must be larger than min in range parameter."
            raise ValueError(message)
    elif not a.size:
        first, last = 0, 1
    else:
        first, last = np.min(a), np.max(a)
    if not (np.isfinite(first) and np.isfinite(last)):
        message = f"the {'supplied' if range_ is not None else 'autodetected'} range is not finite"
        raise ValueError(message)
    if first == last:
        first, last = first - 0.5, last + 0.5
    return first, last


def _dtype_of(x: Any) -> Any:
    """What promotion is to see: Python numbers are weak."""
    if isinstance(x, Array):
        return {"i": 0, "f": 0.0, "c": 0j}[x.dtype.kind] if x.value.type.weak else x.dtype
    return x if type(x) in (int, float, complex) else np.asarray(x).dtype


def _equal_edges(xp: Any, first: Any, last: Any, n: int, dtype: Any) -> Array:
    """``np.linspace``: ``first + k step``, and the last one exactly."""
    ends = [as_array(xp, end) for end in (first, last)]
    computed = np.result_type(*(end.dtype for end in ends), 0.0)
    low, high = (xp.cast(end, computed) for end in ends)
    step = (high - low) / n
    edges = xp.constant(np.arange(n, dtype=computed)) * step + low
    return xp.cast(concatenate([edges, high.reshape(1)]), dtype or computed)


def _edges(xp: Any, a: Array, bins: Any, range_: Any, weights: Any) -> Array:
    """The edges of the bins, sorted."""
    if isinstance(bins, str):
        if weights is not None:
            message = "Automated estimation of the number of bins is not supported for weighted data"
            raise TypeError(message)
        raise refuse(
            f"the number of bins is to be chosen from traced values (bins={bins!r}).",
            "Give a number of bins, or find the edges outside the traced function: np.histogram_bin_edges(a, 'auto').",
        )
    if (given := _given_edges(xp, bins, "`bins`")) is not None:
        return given
    n = _count(bins, "`bins`")
    first, last = _outer_edges(a, range_)
    dtype = np.result_type(_dtype_of(first), _dtype_of(last), a.dtype)
    edges: Any = _equal_edges(xp, first, last, n, np.result_type(dtype, float) if dtype.kind in "biu" else dtype)
    if np.any(edges[:-1] >= edges[1:]):
        message = f"Too many bins for data range. Cannot create {n} finite-sized bins."
        raise ValueError(message)
    return edges


def _given_edges(xp: Any, bins: Any, name: str) -> Array | None:
    """Bins that are edges; None where they are a number of bins."""
    edges: Any = as_array(xp, bins) if isinstance(bins, (list, tuple, np.ndarray)) else None
    if edges is None or edges.ndim == 0:
        return None
    if edges.ndim > 1:
        message = f"{name} must be 1d, when an array"
        raise ValueError(message)
    if np.any(edges[:-1] > edges[1:]):
        message = f"{name} must increase monotonically, when an array"
        raise ValueError(message)
    return edges


def _count(bins: Any, name: str) -> int:
    try:
        n = operator.index(bins)
    except TypeError as error:
        message = f"{name} must be an integer, a string, or an array"
        raise TypeError(message) from error
    if n < 1:
        message = f"{name} must be positive, when an integer"
        raise ValueError(message)
    return n


def _bin_of(xp: Any, a: Array, edges: Array) -> Array:
    """Which bin holds each element: 0 below the first edge, and one more above the last, which is in the last bin."""
    if a.dtype.kind == "c":
        raise refuse("a histogram of complex values is not traced.", "Take real and imaginary parts apart.")
    at = searchsorted(edges, a, "right")
    return xp.subtract(at, xp.cast(xp.equal(a, edges[-1]), np.int64))


def _prepared(a: Any, bins: Any, weights: Any) -> tuple[Any, Array, Array | None]:
    xp = namespace_of(a, bins, weights)
    values = as_array(xp, a)
    given = None if weights is None else as_array(xp, weights)
    if given is not None and given.shape != values.shape:
        message = "weights should have the same shape as a."
        raise ValueError(message)
    values = xp.cast(values, np.uint8 if values.dtype.kind == "b" else values.dtype)
    return xp, ravel(values), None if given is None else ravel(given)


def histogram_bin_edges(a, bins=10, range=None, weights=None):
    xp, values, _ = _prepared(a, bins, weights)
    return _edges(xp, values, bins, range, weights)


def histogram(a, bins=10, range=None, density=None, weights=None):
    xp, values, given = _prepared(a, bins, weights)
    edges = _edges(xp, values, bins, range, weights)
    if not edges.size:
        return xp.full((0,), 0, np.int64 if given is None else given.dtype), edges
    both = np.result_type(values.dtype, edges.dtype)
    at = _bin_of(xp, xp.cast(values, both), edges)
    counts = _gathered(xp, at, given, edges.shape[0] + 1)[1:-1]
    if given is not None:
        counts = xp.cast(counts, given.dtype)
    if not density:
        return counts, edges
    widths = xp.cast(np.diff(edges), np.float64)
    return counts / widths / np.sum(counts), edges


def histogramdd(sample, bins=10, range=None, density=None, weights=None):
    xp = namespace_of(sample, bins, weights)
    if len(getattr(sample, "shape", ())) != 2:
        sample = np.atleast_2d(as_array(xp, sample)).T
    columns = list(as_array(xp, sample).T)
    n = len(columns)
    bins = list(bins) if isinstance(bins, (list, tuple, np.ndarray)) else [bins] * n
    if len(bins) != n:
        message = "The dimension of bins must be equal to the dimension of the sample x."
        raise ValueError(message)
    ranges = [None] * n if range is None else list(range)
    if len(ranges) != n:
        message = "range argument must have one entry per dimension"
        raise ValueError(message)
    edges = [
        _edges_of_axis(xp, x, b, r, i) for i, (x, b, r) in enumerate(zip(columns, bins, ranges, strict=True))
    ]
    at: Any = None
    for x, edge in zip(columns, edges, strict=True):
        place = _bin_of(xp, *(xp.cast(item, np.result_type(x.dtype, edge.dtype)) for item in (x, edge)))
        at = place if at is None else at * (edge.shape[0] + 1) + place
    sizes = tuple(edge.shape[0] + 1 for edge in edges)
    given = None if weights is None else as_array(xp, weights)
    counts = _gathered(xp, at, given, math.prod(sizes)).reshape(sizes)
    counts = xp.cast(counts, np.float64)[(slice(1, -1),) * n]
    if density:
        total = np.sum(counts)
        for i, edge in enumerate(edges):
            counts = counts / np.diff(edge).reshape(-1, *(1,) * (n - i - 1))
        counts = counts / total
    return counts, edges


def _edges_of_axis(xp: Any, x: Array, bins: Any, range_: Any, i: int) -> Array:
    """As np.histogramdd has them: always float64 where the bins are equal."""
    if (edges := _given_edges(xp, bins, f"`bins[{i}]`")) is not None:
        return edges
    return _equal_edges(xp, *_outer_edges(x, range_), _count(bins, f"`bins[{i}]`"), None)


def histogram2d(x, y, bins=10, range=None, density=None, weights=None):
    if len(x) != len(y):
        message = "x and y must have the same length."
        raise ValueError(message)
    if isinstance(bins, (list, tuple, np.ndarray)) and len(bins) not in (1, 2):
        bins = [bins, bins]
    xp = namespace_of(x, y, bins, weights)
    columns = np.stack([as_array(xp, x), as_array(xp, y)], -1)
    counts, edges = histogramdd(columns, bins, range, density, weights)
    return counts, edges[0], edges[1]


TABLE = {
    np.bincount: bincount, np.histogram: histogram, np.histogram_bin_edges: histogram_bin_edges,
    np.histogramdd: histogramdd, np.histogram2d: histogram2d,
}  # fmt: skip
