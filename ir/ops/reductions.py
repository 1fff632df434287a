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
    doc="Running sum along an axis, from its end where reverse.")
