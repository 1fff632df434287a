"""Arrays as flat lists of scalars in C order, and where in them an element stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.backends.reference.rounding import zero_of
from wengert.ir.kinds import c_strides
from wengert.ir.types import ArrayType

__all__ = ["Flat", "from_numpy", "groups", "offsets", "to_numpy", "zeros"]

#: One array: its elements in C order, as Python bools, ints or floats.  The type is kept elsewhere.
Flat = list[Any]


def from_numpy(array: Any, dtype: np.dtype[Any] | None = None) -> Flat:
    """The elements of an array."""
    elements: Flat = np.asarray(array, dtype).ravel().tolist()
    return elements


def to_numpy(elements: Flat, type_: ArrayType) -> np.ndarray[Any, Any]:
    """A new array of these elements."""
    return np.array(elements, type_.dtype).reshape(type_.shape)


def zeros(type_: ArrayType) -> Flat:
    """A zero for each element."""
    return [zero_of(type_.dtype)] * type_.size


def offsets(shape: Sequence[int], strides: Sequence[int], start: int = 0) -> list[int]:
    """The positions start + sum(strides * i) for every index i into ``shape``, in C order."""
    found = [start]
    for n, stride in zip(shape, strides, strict=True):
        found = [position + stride * i for position in found for i in range(n)]
    return found


def groups(shape: tuple[int, ...], axes: tuple[int, ...]) -> list[list[int]]:
    """For each index into the axes that stay, the positions along ``axes``, in C order."""
    strides = c_strides(shape)
    stay = [a for a in range(len(shape)) if a not in axes]
    along = [a for a in range(len(shape)) if a in axes]
    starts = offsets([shape[a] for a in stay], [strides[a] for a in stay])
    steps = offsets([shape[a] for a in along], [strides[a] for a in along])
    return [[start + step for step in steps] for start in starts]
