"""numpy.fft on traced arrays: transforms along one axis after the other, as NumPy takes them."""

from __future__ import annotations

import operator
import warnings
from typing import Any

import numpy as np

from wengert.tracer.array import Array
from wengert.tracer.numpy_api.support import array_of, axis_of, deliver

__all__ = ["TABLE"]

_SWAPPED = {None: "forward", "backward": "forward", "ortho": "ortho", "forward": "backward"}


def _swapped(norm: Any) -> str:
    try:
        return _SWAPPED[norm]
    except KeyError:
        message = f'Invalid norm value {norm}; should be "backward", "ortho" or "forward".'
        raise ValueError(message) from None


def _fitted(xp: Any, x: Array, size: int, axis: int) -> Array:
    """Cut off, or filled up with zeros, to a size along an axis."""
    lead = (slice(None),) * axis
    if x.shape[axis] >= size:
        return x if x.shape[axis] == size else x[(*lead, slice(size))]
    rest = (*x.shape[:axis], size - x.shape[axis], *x.shape[axis + 1 :])
    return xp.concatenate((x, xp.full(rest, 0, x.dtype)), axis=axis)


def _along(name: str, a: Any, n: Any, axis: Any, norm: Any, out: Any) -> Any:
    """One transform: n results or, of rfft, as many operands."""
    xp, x = array_of(a)
    if n is None:
        n = (x.shape[axis] - 1) * 2 if name == "irfft" else x.shape[axis]
    n = operator.index(n)
    if n < 1:
        message = f"Invalid number of FFT data points ({n}) specified."
        raise ValueError(message)
    norm = _swapped(_swapped(norm))
    axis = axis_of(axis, x.ndim)
    if name == "rfft" and x.dtype.kind == "c":
        message = (
            "ufunc 'rfft' not supported for the input types: it takes reals, and a complex array was given. "
            "Use np.fft.fft, or give it x.real."
        )
        raise TypeError(message)
    single = x.dtype == np.float32 and name != "rfft"
    dtype = np.complex128 if single else np.result_type(x.dtype, 1.0 if name == "rfft" else 1j)
    x = _fitted(xp, xp.cast(x, dtype), n // 2 + 1 if name == "irfft" else n, axis)
    params = {"axis": axis, "norm": norm} | ({"n": n} if name in ("rfft", "irfft") else {})
    result = _of_single(xp, name, x, n, params) if single else getattr(xp, name)(x, **params)
    return deliver(result, out)


def _of_single(xp: Any, name: str, x: Array, n: int, params: dict[str, Any]) -> Array:
    """Of float32, NumPy has no loop but that of complex128; its factor is a float32 all the same."""
    norm, plain = params["norm"], "backward" if name == "fft" else "forward"
    y = getattr(xp, name)(x, **params | {"norm": plain})
    if norm != plain:
        one = np.float32(1)
        factor = one / np.sqrt(np.float32(n)) if norm == "ortho" else one / np.float32(n)
        y = xp.multiply(y, np.float64(factor))
    return xp.cast(y, np.float32 if name == "irfft" else np.complex64)


def fft(a, n=None, axis=-1, norm=None, out=None):
    return _along("fft", a, n, axis, norm, out)


def ifft(a, n=None, axis=-1, norm=None, out=None):
    return _along("ifft", a, n, axis, norm, out)


def rfft(a, n=None, axis=-1, norm=None, out=None):
    return _along("rfft", a, n, axis, norm, out)


def irfft(a, n=None, axis=-1, norm=None, out=None):
    return _along("irfft", a, n, axis, norm, out)


def hfft(a, n=None, axis=-1, norm=None, out=None):
    _, x = array_of(a)
    return irfft(np.conjugate(x), n, axis, _swapped(norm), out)


def ihfft(a, n=None, axis=-1, norm=None, out=None):
    return deliver(np.conjugate(rfft(a, n, axis, _swapped(norm))), out)


# ----- Along several axes -----


def _sizes(x: Array, s: Any, axes: Any, *, back: bool = False) -> tuple[list[Any], Any]:
    """The length of each transform, and its axis."""
    given = s is not None
    sizes = list(s) if given else list(x.shape) if axes is None else [x.shape[a] for a in axes]
    if axes is None:
        if given:
            message = (
                "`axes` should not be `None` if `s` is not `None` (Deprecated in NumPy 2.0). To keep what it means "
                "now, give the last len(s) axes."
            )
            warnings.warn(message, DeprecationWarning, stacklevel=4)
        axes = range(-len(sizes), 0)
    if len(sizes) != len(axes):
        message = "Shape and axes have different lengths."
        raise ValueError(message)
    if back and not given:
        sizes[-1] = (x.shape[axes[-1]] - 1) * 2
    if None in sizes:
        message = "Passing `None` values in `s` is deprecated in NumPy 2.0; give -1, or leave `s` away."
        warnings.warn(message, DeprecationWarning, stacklevel=4)
    return [x.shape[a] if n == -1 else n for n, a in zip(sizes, axes, strict=True)], axes


def _every(function: Any, a: Any, s: Any, axes: Any, norm: Any, out: Any) -> Any:
    """The last axis first."""
    _, x = array_of(a)
    sizes, axes = _sizes(x, s, axes)
    for n, axis in reversed([*zip(sizes, axes, strict=True)]):
        x = function(x, n, axis, norm)
    return deliver(x, out) if sizes else x


def fftn(a, s=None, axes=None, norm=None, out=None):
    return _every(fft, a, s, axes, norm, out)


def ifftn(a, s=None, axes=None, norm=None, out=None):
    return _every(ifft, a, s, axes, norm, out)


def fft2(a, s=None, axes=(-2, -1), norm=None, out=None):
    return _every(fft, a, s, axes, norm, out)


def ifft2(a, s=None, axes=(-2, -1), norm=None, out=None):
    return _every(ifft, a, s, axes, norm, out)


def rfftn(a, s=None, axes=None, norm=None, out=None):
    _, x = array_of(a)
    sizes, axes = _sizes(x, s, axes)
    x = rfft(x, sizes[-1], axes[-1], norm)
    for n, axis in reversed([*zip(sizes[:-1], axes[:-1], strict=True)]):
        x = fft(x, n, axis, norm)
    return deliver(x, out)


def irfftn(a, s=None, axes=None, norm=None, out=None):
    _, x = array_of(a)
    sizes, axes = _sizes(x, s, axes, back=True)
    for n, axis in zip(sizes[:-1], axes[:-1], strict=True):
        x = ifft(x, n, axis, norm)
    return irfft(x, sizes[-1], axes[-1], norm, out)


def rfft2(a, s=None, axes=(-2, -1), norm=None, out=None):
    return rfftn(a, s, axes, norm, out)


def irfft2(a, s=None, axes=(-2, -1), norm=None, out=None):
    return irfftn(a, s, axes, norm, out)


# ----- Orders of frequencies -----


def _shifted(a: Any, axes: Any, sign: int) -> Any:
    _, x = array_of(a)
    several = range(x.ndim) if axes is None else (axes,) if np.ndim(axes) == 0 else axes
    axes = tuple(operator.index(axis) for axis in several)
    return np.roll(x, [sign * (x.shape[axis] // 2) for axis in axes], axes)


def fftshift(x, axes=None):
    return _shifted(x, axes, 1)


def ifftshift(x, axes=None):
    return _shifted(x, axes, -1)


TABLE: dict[Any, Any] = {
    np.fft.fft: fft, np.fft.ifft: ifft, np.fft.rfft: rfft, np.fft.irfft: irfft, np.fft.hfft: hfft, np.fft.ihfft: ihfft,
    np.fft.fft2: fft2, np.fft.ifft2: ifft2, np.fft.rfft2: rfft2, np.fft.irfft2: irfft2,
    np.fft.fftn: fftn, np.fft.ifftn: ifftn, np.fft.rfftn: rfftn, np.fft.irfftn: irfftn,
    np.fft.fftshift: fftshift, np.fft.ifftshift: ifftshift,
}  # fmt: skip
