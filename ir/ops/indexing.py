"""Gather and scatter-add along one axis, with indices known only at run time."""

import numpy as np

from wengert.ir.kinds import Indexing, normal_axes, refuse


def _taken(op, shapes, params):
    x, indices = shapes
    (axis,) = normal_axes(op, (params["axis"],), len(x))
    return (*x[:axis], *indices, *x[axis + 1 :])


def _scattered(op, shapes, params):
    updates, indices = shapes
    axis, size = params["axis"], params["size"]
    if type(axis) is not int or not axis >= 0 or updates[axis : axis + len(indices)] != indices:
        raise refuse(op, f"indices of shape {indices} do not stand at axis {axis!r} of updates of shape {updates}.")
    if type(size) is not int or size < 0:
        raise refuse(op, f"size must be a count, got {size!r}.")
    return (*updates[:axis], size, *updates[axis + len(indices) :])


take = Indexing(function=np.take, gather=True, params=("axis",),
    shape=_taken,
    transpose=lambda xp, g, indices, shapes, params: xp.scatter_add(
        g, indices, axis=params["axis"], size=shapes[0][params["axis"]]),
    doc="The slices of x at the indices along an axis; IndexError outside 0 to n - 1.")
scatter_add = Indexing(name="scatter_add", gather=False, params=("axis", "size"),
    shape=_scattered,
    transpose=lambda xp, g, indices, shapes, params: xp.take(g, indices, axis=params["axis"]),
    doc="Zeros of the given size along an axis, with each slice of the updates added at its index.")
