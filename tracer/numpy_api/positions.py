"""Where elements come from: NumPy itself moves the numbers 0, 1, 2, ... and the traced elements follow them."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.tracer.array import Array, find_arrays, namespace_of
from wengert.tracer.indexing import known, normal_indices
from wengert.tracer.numpy_api.support import as_array

__all__ = ["plain_mask", "stand_in", "within"]


def stand_in(x: Any) -> np.ndarray[Any, Any]:
    """A plain array of the shape and dtype of ``x``, for functions that look at nothing else; it takes no memory."""
    return np.broadcast_to(np.zeros((), x.dtype), x.shape)


def plain_mask(condition: Any) -> np.ndarray[Any, Any]:
    """Which elements are true; of a traced condition as it is now, and that it stays so becomes a guard."""
    if not find_arrays([condition]):
        return np.asarray(condition, bool)
    xp = namespace_of(condition)
    mask = as_array(xp, condition)
    return known(mask if mask.dtype.kind == "b" else xp.not_equal(mask, 0))


def within(xp: Any, index: Array, size: int, mode: str) -> Array:
    """Indices as ``mode`` has them: ``raise`` counts from the end, ``clip`` and ``wrap`` bring all inside."""
    if mode == "raise":
        return normal_indices(xp, index, size)
    index = xp.cast(index, np.int64)
    if mode == "clip":
        return xp.minimum(xp.maximum(index, 0), size - 1)
    if mode == "wrap":
        return xp.remainder(index, size)
    message = f"clipmode must be one of 'clip', 'raise', or 'wrap' (got {mode!r})"
    raise ValueError(message)
