"""Sets: the elements are sorted when the program runs, and which of them repeat their neighbour becomes a guard."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.tracer.array import namespace_of
from wengert.tracer.numpy_api.movement import concatenate, moveaxis, ravel
from wengert.tracer.numpy_api.positions import plain_mask
from wengert.tracer.numpy_api.sorting import lexsort, searchsorted
from wengert.tracer.numpy_api.support import array_of, arrays_of, as_array, promote


def unique(
    ar, return_index=False, return_inverse=False, return_counts=False, axis=None, *, equal_nan=True, sorted=True
):
    """Sorted, as NumPy's are (where it may leave them unsorted, too)."""
    _, x = array_of(ar)
    if axis is not None and x.ndim != 1:
        rows = moveaxis(x, axis, 0)
        rest = rows.shape[1:]
        rows = rows.reshape(len(rows), int(np.prod(rest)))
        order = lexsort(tuple(rows.T[::-1])) if rows.shape[1] else None
        return_shape: Any = np.unique(np.zeros(x.shape), axis=axis, return_inverse=True)[1].shape
    else:
        np.unique(np.zeros((0,) * x.ndim), axis=axis)  # for its error
        rows, rest = ravel(x)[:, None], ()
        order = np.argsort(rows[:, 0], kind="stable")
        return_shape = np.unique(np.zeros(x.shape), return_inverse=True)[1].shape
    xp = x.xp
    if order is None:  # rows without elements are all the same
        order = xp.constant(np.arange(len(rows)))
    rows = xp.take(rows, order, axis=0)
    differs = rows[1:] != rows[:-1]
    if rows.dtype.kind in "fc" and equal_nan and (axis is None or x.ndim == 1):
        differs = differs & ~(np.isnan(rows[1:]) & np.isnan(rows[:-1]))
    first = np.ones(len(rows), bool)
    first[1:] = plain_mask(np.any(differs, axis=1))
    values = rows[np.flatnonzero(first)].reshape(int(first.sum()), *rest)
    results: list[Any] = [values if axis is None or x.ndim == 1 else moveaxis(values, 0, axis)]
    if return_index:
        results.append(order[np.flatnonzero(first)])
    if return_inverse:
        rank = np.argsort(order)
        inverse = xp.take(xp.constant(np.cumsum(first) - 1), rank, axis=0)
        results.append(inverse.reshape(return_shape))
    if return_counts:
        results.append(np.diff(np.append(np.flatnonzero(first), first.size)))
    return tuple(results) if len(results) > 1 else results[0]


def _named(name: str, **options: bool) -> Any:
    """The Array API's names for what np.unique gives."""

    def named(x, /):
        results = unique(x, equal_nan=False, **options)
        example = getattr(np, name)(np.zeros(1))
        return type(example)(*results) if isinstance(results, tuple) else results

    return named


def union1d(ar1, ar2):
    return unique(concatenate((ar1, ar2), None))


def intersect1d(ar1, ar2, assume_unique=False, return_indices=False):
    _, (a, b) = arrays_of((ar1, ar2))
    a, b = ravel(a), ravel(b)
    at_a: Any = None
    at_b: Any = None
    if not assume_unique:
        a, at_a = unique(a, return_index=True)
        b, at_b = unique(b, return_index=True)
    both = concatenate((a, b))
    order = np.argsort(both, kind="stable")
    both = both[order]
    shared = np.flatnonzero(plain_mask(both[1:] == both[:-1]))
    common = both[shared]
    if not return_indices:
        return common
    where_a, where_b = order[shared], order[shared + 1] - a.size
    if assume_unique:
        return common, where_a, where_b
    # Clipped, since the program looks there before it finds that others are shared now, and the guard fails.
    return common, np.take(at_a, where_a, mode="clip"), np.take(at_b, where_b, mode="clip")


def setxor1d(ar1, ar2, assume_unique=False):
    if not assume_unique:
        ar1, ar2 = unique(ar1), unique(ar2)
    both = np.sort(concatenate((ar1, ar2), None))
    if not both.size:
        return both
    edges = np.concatenate(([True], plain_mask(both[1:] != both[:-1]), [True]))
    return both[np.flatnonzero(edges[1:] & edges[:-1])]


def isin(element, test_elements, assume_unique=False, invert=False, *, kind=None):
    """Whether an element is where the search in the sorted test elements ends."""
    if kind not in (None, "sort", "table"):
        message = f"Invalid kind: {kind!r}. Please use None, 'sort' or 'table'."
        raise ValueError(message)
    xp = namespace_of(element, test_elements)
    x, tests = promote(xp, [as_array(xp, element), as_array(xp, test_elements)])
    if not tests.size:
        return xp.full(x.shape, bool(invert), bool)
    ordered: Any = np.sort(ravel(tests))
    at = np.minimum(searchsorted(ordered, x), tests.size - 1)
    found = xp.take(ordered, at, axis=0)
    return (xp.not_equal if invert else xp.equal)(found, x)


def setdiff1d(ar1, ar2, assume_unique=False):
    _, (a, b) = arrays_of((ar1, ar2))
    a = ravel(a) if assume_unique else unique(a)
    return a[np.flatnonzero(plain_mask(isin(a, b, invert=True)))]


TABLE = {
    np.unique: unique, np.union1d: union1d, np.intersect1d: intersect1d, np.setxor1d: setxor1d, np.isin: isin,
    np.setdiff1d: setdiff1d,
    np.unique_all: _named("unique_all", return_index=True, return_inverse=True, return_counts=True),
    np.unique_counts: _named("unique_counts", return_counts=True),
    np.unique_inverse: _named("unique_inverse", return_inverse=True),
    np.unique_values: _named("unique_values"),
}  # fmt: skip
