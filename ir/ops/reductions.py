"""Folds over axes, and running folds."""

import numpy as np

from wengert.ir.kinds import Cumulative, Reduction


def _others_product(xp, out, x, axes):
    """The product of all *other* elements along the axes.

    By a tree, never by division: level k+1 multiplies neighbours of level k, and on the way down each
    element is handed its siblings' product.  So it is exact at zeros, costs O(n), and, being made of
    products alone, is right again when differentiated.
    """
    kept = [a for a in range(x.ndim) if a not in axes]
    order = (*kept, *axes)
    moved = xp.transpose(x, order)
    lead = tuple(x.shape[a] for a in kept)
    count = int(np.prod([x.shape[a] for a in axes], dtype=int))
    if count == 0 or 0 in lead:
        return xp.ones_like(x)
    size = 1 << (count - 1).bit_length()
    level = xp.reshape(moved, (*lead, count))
    if size > count:
        level = xp.concatenate([level, xp.ones_like(level)[..., : size - count]], axis=-1)
    levels = []
    while level.shape[-1] > 1:
        levels.append(level)
        level = level[..., 0::2] * level[..., 1::2]
    others = xp.ones_like(level)
    for level in reversed(levels):
        halves = (xp.reshape(others * level[..., k::2], (*others.shape, 1)) for k in (1, 0))
        others = xp.reshape(xp.concatenate(list(halves), axis=-1), level.shape)
    others = xp.reshape(others[..., :count], tuple(x.shape[a] for a in order))
    return xp.transpose(others, tuple(order.index(a) for a in range(x.ndim)))


def _share_of_ties(xp, out, x, axes):
    chosen = xp.where(x == out, 1.0, 0.0)
    return chosen / xp.sum(chosen, axis=axes, keepdims=True)


def shifted(xp, x, first, axis, reverse):
    """Along the axis, the element before each, in the direction of a running fold; ``first`` before the first."""
    lead = (slice(None),) * axis
    edge = x[(*lead, slice(0, 1))]
    start = xp.ones_like(edge) if first else xp.zeros_like(edge)
    before = x[(*lead, slice(1, None) if reverse else slice(0, -1))]
    return xp.concatenate([before, start] if reverse else [start, before], axis=axis)


def _running_product(xp, out, x, axis, reverse):
    """By the product rule step by step, never by division: exact at zeros."""
    return x, shifted(xp, out, 1, axis, reverse)


def _running_ties(xp, out, x, axis, reverse):
    """Each of the elements that tie for the largest so far contributes equally: a result that stays passes on the
    share of those before.  No element ties with NaN, and 0 / 0 is NaN."""
    same = xp.where(out == shifted(xp, out, 0, axis, reverse), 1.0, 0.0)
    tied = xp.where(x == out, 1.0, 0.0)
    count = xp.recurrence(same, tied, axis, reverse=reverse)
    return same * shifted(xp, count, 0, axis, reverse) / count, tied / count


sum = Reduction(function=np.sum, fold="+",
    partial=1,
    doc="Sum; floating sums are pairwise along the last axis, as NumPy's.")
prod = Reduction(function=np.prod, fold="*",
    partial=_others_product,
    doc="Product; the derivative is the product of all others, exact at zeros.")
max = Reduction(function=np.max, fold="max",
    partial=_share_of_ties,
    doc="Largest element, NaN wins; ties share the derivative equally; NaN everywhere where the result is NaN.")
min = Reduction(function=np.min, fold="min",
    partial=_share_of_ties,
    doc="Smallest element, NaN wins; ties share the derivative equally; NaN everywhere where the result is NaN.")
any = Reduction(function=np.any, fold="or", result=np.dtype(bool),
    partial=None,
    doc="Whether some element is true.")
all = Reduction(function=np.all, fold="and", result=np.dtype(bool),
    partial=None,
    doc="Whether every element is true.")
argmax = Reduction(function=np.argmax, fold="argmax", result=np.dtype(np.int64),
    partial=None,
    doc="Flat position, in C order over the axes, of the first largest element (of the first NaN, if any).")
argmin = Reduction(function=np.argmin, fold="argmin", result=np.dtype(np.int64),
    partial=None,
    doc="Flat position, in C order over the axes, of the first smallest element (of the first NaN, if any).")
cumsum = Cumulative(function=np.cumsum, fold="+",
    partial=1,
    doc="Running sum along an axis, from its end where reverse.")
cumprod = Cumulative(function=np.cumprod, fold="*",
    partial=_running_product,
    doc="Running product along an axis, from its end where reverse; the derivative is exact at zeros.")
cummax = Cumulative(name="cummax", fold="max",
    partial=_running_ties,
    doc="Largest element so far, NaN wins; ties so far share the derivative equally; NaN from the first NaN on.")
cummin = Cumulative(name="cummin", fold="min",
    partial=_running_ties,
    doc="Smallest element so far, NaN wins; ties so far share the derivative equally; NaN from the first NaN on.")
recurrence = Cumulative(name="recurrence", fold="linear",
    partial=lambda xp, out, carry, x, axis, reverse: (carry, shifted(xp, out, 0, axis, reverse), 1),
    doc="out[i] = carry[i] out[i-1] + x[i], out[0] = x[0]: a product with an exact zero is 0, as in scale.")
