"""Ops that are not NumPy's: what differentiation itself needs."""

from wengert.ir.kinds import Elementwise
from wengert.ir.ops.arithmetic import _inexact
from wengert.ir.types import DTYPES


def _same(dtypes, params):
    return dtypes[0] if len(set(dtypes)) == 1 else None


def _cast(dtypes, params):
    """Dropping an imaginary part is no cast: it would lose a derivative silently."""
    dtype = DTYPES[params["dtype"]]
    return None if dtypes[0].kind == "c" and dtype.kind not in "cb" else dtype


cast = Elementwise(name="cast", symbol="cast", types=_cast, linear=(0,), params=("dtype", "weak"),
    partials=(1,),
    doc="x in another dtype, as NumPy's astype converts.")
scale = Elementwise(name="scale", types=_inexact, linear=(0, 1),
    body=lambda xp, p, t: xp.where((p * t != p * t) & ((p == 0) | (t == 0)), 0.0, p * t),
    partials=(lambda xp, out, p, t: t, lambda xp, out, p, t: p),
    doc="p t, the product of a partial with a tangent or cotangent: 0 where either is exactly 0, even against "
        "inf or NaN, so nothing flows along an edge that carries nothing.")
stop_gradient = Elementwise(name="stop_gradient", symbol="identity", types=_same,
    partials=(None,),
    doc="x, taken as constant by every derivative.")
