"""Comparison, logic, bits, and choosing between two values.

Complex numbers are ordered as NumPy orders them: by real parts, equal ones by imaginary parts; never where one is NaN.
"""

import math

import numpy as np

from wengert.ir.kinds import Elementwise

NONE = (None, None)


def _all_bool(dtypes, params):
    return np.dtype(bool) if all(d.kind == "b" for d in dtypes) else None


def _where(dtypes, params):
    return dtypes[1] if dtypes[0].kind == "b" and dtypes[1] == dtypes[2] else None


def _some_part(xp, x, holds):
    """Whether it holds for x, of a complex number for its real or its imaginary part."""
    return holds(xp.real(x)) | holds(xp.imag(x)) if x.dtype.kind == "c" else holds(x)


less = Elementwise(function=np.less, symbol="<", partials=NONE, doc="x < y.")
less_equal = Elementwise(function=np.less_equal, symbol="<=", partials=NONE, doc="x <= y.")
greater = Elementwise(function=np.greater, symbol=">", partials=NONE, doc="x > y.")
greater_equal = Elementwise(function=np.greater_equal, symbol=">=", partials=NONE, doc="x >= y.")
equal = Elementwise(function=np.equal, symbol="==", partials=NONE, doc="x == y.")
not_equal = Elementwise(function=np.not_equal, symbol="!=", partials=NONE, doc="x != y.")
logical_and = Elementwise(function=np.logical_and, symbol="and", partials=NONE, types=_all_bool,
    doc="x and y.")
logical_or = Elementwise(function=np.logical_or, symbol="or", partials=NONE, types=_all_bool,
    doc="x or y.")
logical_xor = Elementwise(function=np.logical_xor, symbol="xor", partials=NONE, types=_all_bool,
    doc="Exactly one of x and y.")
logical_not = Elementwise(function=np.logical_not, symbol="not", partials=(None,), types=_all_bool,
    doc="not x.")
bitwise_and = Elementwise(function=np.bitwise_and, symbol="&", partials=NONE, doc="The bits in both.")
bitwise_or = Elementwise(function=np.bitwise_or, symbol="|", partials=NONE, doc="The bits in either.")
bitwise_xor = Elementwise(function=np.bitwise_xor, symbol="^", partials=NONE, doc="The bits in one only.")
invert = Elementwise(function=np.invert, symbol="~", partials=(None,), doc="Every bit flipped; for bool, not x.")
left_shift = Elementwise(function=np.left_shift, symbol="<<", partials=NONE,
    doc="x times 2**y, bits lost; 0 where y is the width or more.")
right_shift = Elementwise(function=np.right_shift, symbol=">>", partials=NONE,
    doc="floor(x / 2**y); 0 (or -1 for a negative x) where y is the width or more.")
isnan = Elementwise(function=np.isnan, partials=(None,),
    body=lambda xp, x: x != x,
    doc="Whether x is NaN.")
isinf = Elementwise(function=np.isinf, partials=(None,),
    body=lambda xp, x: _some_part(xp, x, lambda part: xp.absolute(part) == math.inf),
    doc="Whether x is an infinity.")
isfinite = Elementwise(function=np.isfinite, partials=(None,),
    body=lambda xp, x: ~_some_part(xp, x, lambda part: ~(xp.absolute(part) < math.inf)),
    doc="Whether x is neither NaN nor an infinity.")
signbit = Elementwise(function=np.signbit, partials=(None,),
    body=lambda xp, x: xp.copysign(1.0, x) < 0,
    doc="Whether the sign bit of x is set (also for -0.0).")
where = Elementwise(function=np.where, symbol="?:", types=_where, linear=(1, 2),
    partials=(
        None,
        lambda xp, out, c, x, y: xp.where(c, 1.0, 0.0),
        lambda xp, out, c, x, y: xp.where(c, 0.0, 1.0)),
    doc="x where c, else y; the branch not taken contributes exactly 0, whatever it holds.")
