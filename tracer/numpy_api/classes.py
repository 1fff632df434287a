"""NumPy's objects that are called or indexed to make arrays: ``np.r_``, ``np.c_``, ``np.mgrid``, ``np.vectorize``."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.tracer.array import Array, is_traced, namespace_of, refuse
from wengert.tracer.context import current_trace
from wengert.tracer.numpy_api.creation import arange, from_items
from wengert.tracer.numpy_api.movement import broadcast_arrays
from wengert.tracer.numpy_api.support import as_array
from wengert.tracer.plain import adopted, natively

__all__ = ["INSTEAD"]


def _points(s: slice) -> Any:
    """A slice as NumPy's grids read it: a step of n times i means n points, both ends among them."""
    start, step = 0 if s.start is None else s.start, 1 if s.step is None else s.step
    if isinstance(step, complex):
        return np.linspace(start, s.stop, int(abs(step)))
    return arange(start, s.stop, step)


class Grid:
    """``np.mgrid[0:n, 0:1:5j]`` and ``np.ogrid[...]``, of traced bounds too."""

    def __init__(self, original: Any) -> None:
        self.original = original

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original, name)

    def __getitem__(self, key: Any) -> Any:
        slices = key if isinstance(key, tuple) else (key,)
        bounds = [(s.start, s.stop, s.step) for s in slices]
        if current_trace() is None or not is_traced(bounds):
            return adopted(self.original[key])
        axes = [_points(s) for s in slices]
        if not isinstance(key, tuple):
            return axes[0]
        dtype = np.result_type(*(axis.dtype for axis in axes))
        grid = [axis.astype(dtype) for axis in np.meshgrid(*axes, indexing="ij", sparse=self.original.sparse)]
        return tuple(grid) if self.original.sparse else np.stack(grid)


class Joined:
    """``np.r_[a, 0, b]`` and ``np.c_[a, b]``, of traced values too."""

    def __init__(self, original: Any, *, columns: bool) -> None:
        self.original = original
        self.columns = columns

    def __len__(self) -> int:
        return 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original, name)

    def __getitem__(self, key: Any) -> Any:
        items = key if isinstance(key, tuple) else (key,)
        if current_trace() is None or not is_traced(items):
            return natively(self.original.__getitem__, (key,), {})
        if any(isinstance(item, str) for item in items):
            raise refuse("np.r_ with a directive in words is not traced.", "Use np.concatenate or np.stack.")
        xp = namespace_of(*items)
        arrays = [as_array(xp, self.original[item] if isinstance(item, slice) else item) for item in items]
        if not self.columns:
            return np.concatenate([np.atleast_1d(array) for array in arrays])
        return np.concatenate([np.reshape(a, (-1, 1)) if a.ndim < 2 else a for a in arrays], axis=-1)


class Vectorized(np.vectorize):
    """A function of numbers, element by element; of traced ones, each call is in the graph."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if current_trace() is None or not is_traced((*args, *kwargs.values())):
            return super().__call__(*args, **kwargs)
        if kwargs or self.signature is not None or self.excluded:
            options = "keywords, excluded= or signature="
            raise refuse(f"np.vectorize with {options} is not traced.", "Write the loop, and np.array of it.")
        xp = namespace_of(*args)
        arrays = broadcast_arrays(*args)
        shape = arrays[0].shape
        made = [self.pyfunc(*each) for each in zip(*(np.ravel(a) for a in arrays), strict=True)]
        if not made:
            message = "cannot call `vectorize` on size 0 inputs unless `otypes` is set"
            raise ValueError(message)
        if isinstance(made[0], tuple):
            return tuple(np.reshape(from_items(xp, list(parts)), shape) for parts in zip(*made, strict=True))
        whole = np.reshape(from_items(xp, made), shape)
        return whole if self.otypes is None else whole.astype(np.dtype(self.otypes[0]))


def enumerated(arr: Any) -> Any:
    """``np.ndenumerate``; NumPy's own would share the memory of an array that is being filled."""
    if current_trace() is None or not (isinstance(arr, Array) or is_traced((arr,))):
        return np.ndenumerate(arr)
    array = as_array(namespace_of(arr), arr)
    return ((at, array[at]) for at in np.ndindex(array.shape))


#: What stands in for them while tracing.
INSTEAD: dict[str, Any] = {
    "r_": Joined(np.r_, columns=False), "c_": Joined(np.c_, columns=True), "mgrid": Grid(np.mgrid),
    "ndenumerate": enumerated, "ogrid": Grid(np.ogrid), "vectorize": Vectorized,
}  # fmt: skip
