"""ndarray's methods and properties on traced arrays: each is the NumPy function of that name."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.tracer.array import Array, refuse
from wengert.tracer.indexing import positions
from wengert.tracer.numpy_api import choosing, contractions, elementwise, movement, reductions, sorting, writing
from wengert.tracer.operators import in_place

__all__ = ["install"]


def _shape_arguments(function: Any) -> Any:
    """``x.reshape(2, 3)`` and ``x.reshape((2, 3))`` are the same."""

    def method(self: Array, *shape: Any, **kwargs: Any) -> Any:
        given = shape[0] if len(shape) == 1 else shape
        return function(self, given, **kwargs) if shape else function(self, **kwargs)

    return method


def _item(self: Array, *args: Any) -> Any:
    raise refuse("item() of a traced value would lose its derivative.", "Index instead: x[0], or x.reshape(()).")


def _tolist(self: Array) -> Any:
    if self.ndim:
        return [x.tolist() for x in self]
    python = {"f": float, "c": complex}.get(self.dtype.kind, int)
    return self if self.dtype.kind == "b" else self.xp.cast(self, python, weak=True)


def _fill(self: Array, value: Any) -> None:
    self[...] = value


def _put(self: Array, indices: Any, values: Any, mode: str = "raise") -> None:
    writing.put(self, indices, values, mode)


def _sort(self: Array, axis: int = -1, kind: Any = None, order: Any = None, *, stable: Any = None) -> None:
    self.write(elementwise.sort(self, axis).value)


def _astype(
    self: Array, dtype: Any, order: str = "K", casting: str = "unsafe", subok: bool = True, copy: bool = True
) -> Array:
    if not np.can_cast(self.dtype, dtype, casting):  # type: ignore[arg-type]
        message = f"Cannot cast array data from {self.dtype} to {np.dtype(dtype)} according to the rule {casting!r}."
        raise TypeError(message)
    return elementwise.astype(self, dtype, copy=copy)


def _flatten(self: Array, order: str = "C") -> Array:
    return movement.copy(movement.ravel(self, order))


class _Flat:
    """``x.flat``: the elements one after the other, to read and to write."""

    def __init__(self, base: Array) -> None:
        self.base = base

    def __len__(self) -> int:
        return self.base.size

    def __iter__(self) -> Any:
        return iter(movement.ravel(self.base))

    def __getitem__(self, key: Any) -> Array:
        return _flatten(self.base)[key]

    def __setitem__(self, key: Any, new: Any) -> None:
        if chosen := np.ravel(positions((self.base.size,), key)).tolist():
            writing.put(self.base, chosen, new)

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        return self.base.__array__()

    def copy(self) -> Array:
        return _flatten(self.base)


_METHODS: dict[str, Any] = {
    "sum": reductions.sum_, "prod": reductions.prod, "mean": reductions.mean, "var": reductions.var,
    "std": reductions.std, "max": reductions.max_, "min": reductions.min_, "any": reductions.any_,
    "all": reductions.all_, "argmax": reductions.argmax, "argmin": reductions.argmin,
    "cumsum": reductions.cumsum,
    "reshape": _shape_arguments(movement.reshape), "transpose": _shape_arguments(movement.transpose),
    "ravel": movement.ravel, "flatten": _flatten, "squeeze": movement.squeeze,
    "swapaxes": movement.swapaxes, "repeat": movement.repeat, "take": choosing.take,
    "diagonal": movement.diagonal, "trace": movement.trace, "copy": movement.copy,
    "dot": contractions.dot, "clip": elementwise.clip, "round": elementwise.round_,
    "compress": lambda self, condition, axis=None, out=None: choosing.compress(condition, self, axis, out),
    "choose": choosing.choose, "searchsorted": sorting.searchsorted, "argpartition": sorting.argpartition,
    "argsort": elementwise.argsort, "nonzero": elementwise.nonzero, "astype": _astype,
    "sort": _sort, "fill": _fill, "put": _put,
    "item": _item, "tolist": _tolist, "conj": elementwise.real, "conjugate": elementwise.real,
    "__matmul__": lambda self, other: contractions.matmul(self, other),
    "__rmatmul__": lambda self, other: contractions.matmul(other, self),
    "__imatmul__": lambda self, other: in_place(self, contractions.matmul(self, other)),
    "__divmod__": lambda self, other: (self // other, self % other),
    "__rdivmod__": lambda self, other: (other // self, other % self),
    "__copy__": movement.copy, "__deepcopy__": lambda self, memo: movement.copy(self),
}  # fmt: skip

def _fixed(name: str) -> property:
    """An attribute of ndarray that cannot be set."""
    inherited = getattr(Array, name, None)

    def get(self: Array) -> Any:
        return self.__getattr__(name) if inherited is None else inherited.fget(self)

    def set_(self: Array, new: Any) -> None:
        instead = _INSTEAD.get(name, "x.copy()")
        raise refuse(f"the attribute {name} of a traced array is set.", f"Make a new array: {instead}.")

    return property(get, set_)


_INSTEAD = {"shape": "x = x.reshape(shape)", "dtype": "x = x.astype(dtype)", "flat": "x = np.full_like(x, value)"}
_FIXED = ("shape", "dtype", "strides", "flat", "T", "real", "imag", "data")


_PROPERTIES: dict[str, Any] = {
    "T": movement.transpose, "mT": lambda x: movement.swapaxes(x, -1, -2),
    "flat": _Flat, "real": elementwise.real, "imag": elementwise.imag,
}


def install() -> None:
    """Give the traced array its methods and properties."""
    for name, function in _METHODS.items():
        setattr(Array, name, function)
    for name, function in _PROPERTIES.items():
        setattr(Array, name, property(function))
    for name in _FIXED:
        setattr(Array, name, _fixed(name))
