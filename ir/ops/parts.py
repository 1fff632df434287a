"""Complex numbers taken apart, put together and mirrored.

Every other op on complex numbers is holomorphic, or maps them to reals; see ``wengert.ir.kinds``.
"""

import numpy as np

from wengert.ir.kinds import CONJUGATE, Elementwise

_PART = {np.dtype(np.complex64): np.dtype(np.float32), np.dtype(np.complex128): np.dtype(np.float64)}
_WHOLE = {part: whole for whole, part in _PART.items()}


def _part(dtypes, params):
    return _PART.get(dtypes[0])


def _whole(dtypes, params):
    return _WHOLE.get(dtypes[0]) if dtypes[0] == dtypes[1] else None


def _complex_only(dtypes, params):
    return dtypes[0] if dtypes[0].kind == "c" else None


real = Elementwise(function=np.real, symbol="real", types=_part, linear=(0,),
    partials=(1,),
    doc="The real part x of x + iy; du/dx - i du/dy is 1.")
imag = Elementwise(function=np.imag, symbol="imag", types=_part, linear=(0,),
    partials=(lambda xp, out, z: -1j,),
    doc="The imaginary part y of x + iy; du/dx - i du/dy is -i.")
complex_ = Elementwise(name="complex", symbol="complex", types=_whole, linear=(0, 1),
    partials=(1, lambda xp, out, x, y: 1j),
    doc="x + iy of two reals, each part as it is, infinities, NaN and the sign of zero too.")
conjugate = Elementwise(function=np.conjugate, symbol="conj", types=_complex_only, linear=(0,),
    partials=(CONJUGATE,),
    doc="x - iy of x + iy; the derivative is the conjugate of what it meets, in both modes.")
