"""Order: sorting by several keys, partial sorting, and searching in what is sorted.

Positions are locally constant; they are found by the program when it runs, without a guard.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.tracer.array import Array, refuse
from wengert.tracer.numpy_api.positions import stand_in
from wengert.tracer.numpy_api.support import array_of, arrays_of, as_array, axis_of, promote


def lexsort(keys, axis=-1):
    """The last key decides first: sort by the first key, then by each later one, stably."""
    xp, items = arrays_of(keys)
    if not items:
        message = "need sequence of keys with len > 0 in lexsort"
        raise TypeError(message)
    if len({key.shape for key in items}) != 1:
        message = "all keys need to be the same shape"
        raise ValueError(message)
    at = axis_of(axis, max(items[0].ndim, 1))
    if not items[0].ndim:
        return xp.full((), 0, np.int64)
    order = xp.argsort(items[0], at)
    for key in items[1:]:
        sorted_key = xp.take_along_axis(key, order, at)
        order = xp.take_along_axis(order, xp.argsort(sorted_key, at), at)
    return order


def _partitioned(name: str) -> Any:
    """NumPy promises the kth element, smaller ones before and larger ones after it: sorting keeps that promise."""

    def partitioned(a, kth, axis=-1, kind="introselect", order=None):
        _, x = array_of(a, kth)
        if isinstance(kth, Array):
            if kth.ndim:
                raise refuse(f"np.{name}partition at several traced places.", "Use plain places, or np.sort.")
            kth = int(kth)
        getattr(np, f"{name}partition")(stand_in(x), kth, axis, kind)  # for its errors
        return getattr(np, f"{name}sort")(x, axis)

    return partitioned


partition, argpartition = _partitioned(""), _partitioned("arg")


def sort_complex(a):
    raise refuse("np.sort_complex gives complex values, whose order is not traced.", "Use np.sort on reals.")


def searchsorted(a, v, side="left", sorter=None):
    xp, x = array_of(a, v, sorter)
    if str(side).lower() not in ("left", "right"):
        message = f"side must be 'left' or 'right' (got {side!r})"
        raise ValueError(message)
    if x.ndim != 1:
        message = "object of too small depth for desired array" if not x.ndim else "object too deep for desired array"
        raise ValueError(message)
    if sorter is not None:
        order = as_array(xp, sorter)
        if order.dtype.kind not in "iu":
            message = "sorter must only contain integers"
            raise TypeError(message)
        if order.shape != x.shape:
            message = "sorter.size must equal a.size"
            raise ValueError(message)
        x = np.take(x, order)
    x, wanted = promote(xp, [x, as_array(xp, v)])
    return _searched(xp, x, wanted, inclusive=str(side).lower() == "right")


def _searched(xp: Any, x: Array, wanted: Array, *, inclusive: bool) -> Array:
    """How many elements of the sorted ``x`` come before each wanted one: the search by halves, all at once.

    As many steps as the size asks for, whatever the elements: each decides whether ``half`` more come before.
    """
    if x.dtype.kind == "c":
        return ranked(x, wanted, inclusive=inclusive)
    before = xp.less_equal if inclusive else xp.less
    at, left = xp.full(wanted.shape, 0, np.int64), x.shape[0]
    while left:
        half = (left + 1) // 2
        further = before(xp.take(x[half - 1 :], at, axis=0), wanted)
        at = xp.where(further, xp.add(at, half), at)
        left -= half
    if x.dtype.kind != "f":
        return at
    # NaN is sorted behind all numbers, and equals itself.
    numbers = xp.full((), x.shape[0], np.int64) if inclusive else np.sum(xp.equal(x, x), dtype=np.int64)
    return xp.where(xp.isnan(wanted), numbers, at)


def ranked(x: Any, wanted: Any, *, inclusive: bool) -> Any:
    """How many elements of the sorted ``x`` come before each wanted one: by the order of both together.

    A stable sort ranks what is wanted behind its equals in ``x``, or before them, depending on which stand first.
    """
    flat = np.reshape(wanted, (wanted.size,))
    both = np.concatenate([x, flat] if inclusive else [flat, x])
    ranks = np.argsort(np.argsort(both, kind="stable"), kind="stable")
    ranks = ranks[x.size :] if inclusive else ranks[: wanted.size]
    return np.reshape(ranks - np.argsort(np.argsort(flat, kind="stable"), kind="stable"), wanted.shape)


def digitize(x, bins, right=False):
    xp, wanted = array_of(x, bins)
    edges: Any = as_array(xp, bins)
    if wanted.dtype.kind == "c":
        message = "x may not be complex"
        raise TypeError(message)
    if edges.ndim != 1:
        message = "object of too small depth for desired array" if not edges.ndim else "bins must be 1-d"
        raise ValueError(message)
    side = "left" if right else "right"
    if not np.any(edges[:-1] > edges[1:]):  # a guard: the order of the bins decides what is computed
        return searchsorted(edges, wanted, side)
    if np.any(edges[:-1] < edges[1:]):
        message = "bins must be monotonically increasing or decreasing"
        raise ValueError(message)
    return xp.subtract(edges.shape[0], searchsorted(edges[::-1], wanted, side))


TABLE = {
    np.lexsort: lexsort, np.partition: partition, np.argpartition: argpartition,
    np.sort_complex: sort_complex, np.searchsorted: searchsorted, np.digitize: digitize,
}  # fmt: skip
