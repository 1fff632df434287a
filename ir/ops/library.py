"""NumPy calls without a scalar meaning, with their jvp and vjp."""

import numpy as np

from wengert.ir.kinds import Library, normal_axes
from wengert.ir.types import ArrayType


def _argsort(x, axis):
    return np.argsort(x, axis=axis, kind="stable")


def _same_shape(op, types, params):
    (x,) = types
    normal_axes(op, (params["axis"],), x.ndim)
    return (ArrayType(x.dtype, x.shape),)


def _positions(op, types, params):
    (sorted_type,) = _same_shape(op, types, params)
    return (ArrayType(np.dtype(np.int64), sorted_type.shape),)


def _sort_jvp(xp, out, primals, tangents, params):
    order = xp.argsort(primals[0], axis=params["axis"])
    return xp.take_along_axis(tangents[0], order, axis=params["axis"])


def _sort_vjp(xp, g, k, out, primals, params):
    rank = xp.argsort(xp.argsort(primals[0], axis=params["axis"]), axis=params["axis"])
    return xp.take_along_axis(g, rank, axis=params["axis"])


sort = Library(function=np.sort, params=("axis",),
    call=lambda x, axis: np.sort(x, axis=axis, kind="stable"),
    types=_same_shape,
    jvp=_sort_jvp,
    vjp=_sort_vjp,
    doc="Sorted along an axis; tangents follow the stable order, also at ties.")
argsort = Library(function=np.argsort, params=("axis",),
    call=_argsort,
    types=_positions,
    jvp=None,
    vjp=None,
    doc="The stable order that sorts along an axis.")
