"""scipy.signal's convolutions on traced arrays: all of the convolution, and then the part that is asked for."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from wengert.tracer.numpy_api.support import arrays_of

__all__ = ["TABLE"]

#: Up to so many elements a kernel of several axes is moved along one by one.
_DIRECT = 64
_MODES = ("full", "same", "valid")


def _pair(in1: Any, in2: Any, mode: str) -> tuple[Any, Any]:
    _, (x, y) = arrays_of((in1, in2))
    if x.ndim != y.ndim:
        message = "in1 and in2 should have the same dimensionality"
        raise ValueError(message)
    if mode not in _MODES:
        message = "acceptable mode flags are 'valid', 'same', or 'full'"
        raise ValueError(message)
    return x, y


def _cropped(full: Any, x: Any, y: Any, mode: str, axes: Any) -> Any:
    """The middle of a full convolution."""
    if mode == "full":
        return full
    first = x.shape
    if mode == "valid":
        larger = [[a >= b for a, b in zip(s, t, strict=True)] for s, t in ((x.shape, y.shape), (y.shape, x.shape))]
        if not any(all(its[a] for a in axes) for its in larger):
            message = "For 'valid' mode, one must be at least as large as the other in every dimension"
            raise ValueError(message)
        first = [abs(m - n) + 1 for m, n in zip(x.shape, y.shape, strict=True)]
    key = [slice(None)] * full.ndim
    for a in axes:
        start = (full.shape[a] - first[a]) // 2
        key[a] = slice(start, start + first[a])
    return full[tuple(key)]


def _direct(x: Any, y: Any) -> Any:
    if x.ndim == 1:
        return np.convolve(x, y)
    if x.size < y.size:
        x, y = y, x
    total = None
    for index in np.ndindex(y.shape):
        pads = [(i, n - 1 - i) for i, n in zip(index, y.shape, strict=True)]
        term = np.pad(x * y[index], pads)
        total = term if total is None else total + term
    return total


def _by_fft(x: Any, y: Any, axes: Any) -> Any:
    sizes = [x.shape[a] + y.shape[a] - 1 for a in axes]
    if "c" in x.dtype.kind + y.dtype.kind:
        return np.fft.ifftn(np.fft.fftn(x, sizes, axes) * np.fft.fftn(y, sizes, axes), sizes, axes)
    return np.fft.irfftn(np.fft.rfftn(x, sizes, axes) * np.fft.rfftn(y, sizes, axes), sizes, axes)


def convolve(in1, in2, mode="full", method="auto"):
    x, y = _pair(in1, in2, mode)
    if method not in ("auto", "direct", "fft"):
        message = "Acceptable method flags are 'auto', 'direct', or 'fft'."
        raise ValueError(message)
    if x.ndim == 0:
        return x * y
    exact = np.result_type(x.dtype, y.dtype).kind in "biu"
    few = x.ndim == 1 or min(x.size, y.size) <= _DIRECT
    if method == "direct" or (method == "auto" and (exact or few)):
        return _cropped(_direct(x, y), x, y, mode, range(x.ndim))
    out = fftconvolve(x, y, mode)
    return (np.round(out) if exact else out).astype(np.result_type(x.dtype, y.dtype))


def correlate(in1, in2, mode="full", method="auto"):
    x, y = _pair(in1, in2, mode)
    return convolve(x, np.conjugate(np.flip(y)) if y.ndim else np.conjugate(y), mode, method)


def fftconvolve(in1, in2, mode="full", axes=None):
    x, y = _pair(in1, in2, mode)
    if x.ndim == 0:
        return x * y
    if not math.prod(x.shape) or not math.prod(y.shape):
        return np.array([])
    given = range(x.ndim) if axes is None else np.lib.array_utils.normalize_axis_tuple(axes, x.ndim)
    for a, (m, n) in enumerate(zip(x.shape, y.shape, strict=True)):
        if a not in given and m != n and 1 not in (m, n):
            message = f"incompatible shapes for in1 and in2: {x.shape} and {y.shape}"
            raise ValueError(message)
    moved = [a for a in given if x.shape[a] != 1 and y.shape[a] != 1]  # the others are products
    return _cropped(_by_fft(x, y, moved) if moved else x * y, x, y, mode, moved)


TABLE = {
    "scipy.signal.convolve": convolve, "scipy.signal.correlate": correlate, "scipy.signal.fftconvolve": fftconvolve,
    "scipy.signal.oaconvolve": fftconvolve,
}  # fmt: skip
