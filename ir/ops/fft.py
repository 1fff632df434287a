"""Discrete Fourier transforms along one axis.

The matrix w^(jk), w = exp(-2 pi i / n), is symmetric: fft and ifft are their own transposes.  rfft leaves half of the
results out, and irfft takes them for the conjugates of those that are there, each of which then counts for two: all but
the first and, of an even n, the last.
"""

import numpy as np

from wengert.ir.kinds import Library, normal_axes, refuse
from wengert.ir.ops.matrices import conj, real_type
from wengert.ir.types import ArrayType

#: The norm in which the transform back has the same factor.
_BACK = {"backward": "forward", "ortho": "ortho", "forward": "backward"}


def _types(op, types, params):
    wanted = "float" if op is rfft else "complex"
    if len(types) != 1 or types[0].dtype.kind != wanted[0]:
        raise refuse(op, f"expected one {wanted} operand, got {', '.join(map(str, types))}.")
    (x,) = types
    (axis,) = normal_axes(op, (params["axis"],), x.ndim)
    size = x.shape[axis]
    n = params.get("n", size)
    if type(n) is not int or n < 1 or size != (n // 2 + 1 if op is irfft else n):
        raise refuse(op, f"an operand of shape {x.shape} has no transform of length {n!r} along axis {axis}.")
    if params["norm"] not in _BACK:
        raise refuse(op, f"expected norm to be one of {tuple(_BACK)}, got {params['norm']!r}.")
    if op is irfft:
        return (real_type(x.dtype, (*x.shape[:axis], n, *x.shape[axis + 1 :])),)
    shape = (*x.shape[:axis], n // 2 + 1 if op is rfft else n, *x.shape[axis + 1 :])
    return (ArrayType(np.result_type(x.dtype, np.complex64), shape),)


def _counted(xp, x, others, n, axis):
    """The results that stand for two times a number."""
    counts = np.full(n // 2 + 1, others, x.dtype)
    counts[0] = 1
    if n % 2 == 0:
        counts[-1] = 1
    return xp.scale(counts.reshape(-1, *(1,) * (len(x.shape) - axis - 1)), x)


def _rfft_vjp(xp, g, k, out, primals, params):
    n, axis = params["n"], params["axis"]
    return xp.irfft(_counted(xp, conj(xp, g), 0.5, n, axis), n=n, axis=axis, norm=_BACK[params["norm"]])


def _irfft_vjp(xp, g, k, out, primals, params):
    n, axis = params["n"], params["axis"]
    return _counted(xp, conj(xp, xp.rfft(g, n=n, axis=axis, norm=_BACK[params["norm"]])), 2.0, n, axis)


fft = Library(function=None, name="fft", params=("axis", "norm"), linear=(0,),
    call=lambda x, axis, norm: np.fft.fft(x, None, axis, norm),
    types=_types,
    jvp=lambda xp, out, primals, tangents, params: xp.fft(tangents[0], **params),
    vjp=lambda xp, g, k, out, primals, params: xp.fft(g, **params),
    doc="sum(x_j w^(jk)) along an axis; its own transpose.")
ifft = Library(function=None, name="ifft", params=("axis", "norm"), linear=(0,),
    call=lambda x, axis, norm: np.fft.ifft(x, None, axis, norm),
    types=_types,
    jvp=lambda xp, out, primals, tangents, params: xp.ifft(tangents[0], **params),
    vjp=lambda xp, g, k, out, primals, params: xp.ifft(g, **params),
    doc="sum(x_j w^(-jk)) / n along an axis; its own transpose.")
rfft = Library(function=None, name="rfft", params=("n", "axis", "norm"), linear=(0,),
    call=lambda x, n, axis, norm: np.fft.rfft(x, n, axis, norm),
    types=_types,
    jvp=lambda xp, out, primals, tangents, params: xp.rfft(tangents[0], **params),
    vjp=_rfft_vjp,
    doc="The first n // 2 + 1 results of the fft of n reals.")
irfft = Library(function=None, name="irfft", params=("n", "axis", "norm"), linear=(0,),
    call=lambda x, n, axis, norm: np.fft.irfft(x, n, axis, norm),
    types=_types,
    jvp=lambda xp, out, primals, tangents, params: xp.irfft(tangents[0], **params),
    vjp=_irfft_vjp,
    doc="The n reals whose rfft is x; the imaginary part of what has no conjugate beside it counts for nothing.")
