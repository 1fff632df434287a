"""NumPy calls without a scalar meaning, with their jvp and vjp."""

import numpy as np

from wengert.ir.errors import DerivativeError
from wengert.ir.kinds import Library, normal_axes, refuse
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


def _paired(op, types, params):
    """Two operands of one type: integers, but for nextafter floats."""
    if len(types) != 2 or types[0] != types[1] or types[0].dtype.kind not in ("f" if op is nextafter else "iu"):
        raise refuse(op, f"not defined for operands of types {', '.join(map(str, types))}.")
    return (ArrayType(types[0].dtype, types[0].shape),)


def no_derivative(xp, *known):
    message = (
        "nextafter has no derivative: it steps through the floating numbers, not along the real line. "
        "Use x + np.spacing(x), whose derivative is 1, or wg.stop_gradient of the operands."
    )
    raise DerivativeError(message, op="nextafter", location=getattr(getattr(xp, "builder", None), "location", None))


gcd = Library(function=np.gcd, call=np.gcd, types=_paired, jvp=None, vjp=None,
    doc="The greatest common divisor of integers; 0 of 0 and 0.")
lcm = Library(function=np.lcm, call=np.lcm, types=_paired, jvp=None, vjp=None,
    doc="The least common multiple of integers; 0 where one is 0.")
nextafter = Library(function=np.nextafter, call=np.nextafter, types=_paired, jvp=no_derivative, vjp=no_derivative,
    doc="The floating number next to x towards y. It has no derivative: differentiating it raises.")
