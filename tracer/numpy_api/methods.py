"""ndarray's methods and properties on traced arrays: each is the NumPy function of that name."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from wengert.tracer.array import Array, is_traced, refuse
from wengert.tracer.numpy_api import (
    choosing,
    contractions,
    creation,
    elementwise,
    movement,
    reductions,
    sorting,
    writing,
)
from wengert.tracer.operators import in_place
from wengert.tracer.plain import natively

__all__ = ["install"]


def _shape_arguments(function: Any) -> Any:
    """``x.reshape(2, 3)`` and ``x.reshape((2, 3))`` are the same."""

    def method(self: Array, *shape: Any, **kwargs: Any) -> Any:
        given = shape[0] if len(shape) == 1 else shape
        return function(self, given, **kwargs) if shape else function(self, **kwargs)

    return method


def _item(self: Array, *args: Any) -> Any:
    if not args and self.size != 1:
        message = "can only convert an array of size 1 to a Python scalar"
        raise ValueError(message)
    key: Any = args[0] if len(args) == 1 else args
    flat = args and not isinstance(key, tuple)
    at = np.unravel_index(range(self.size)[key], self.shape) if flat else key or (0,) * self.ndim
    return _tolist(self[at])


def _tolist(self: Any) -> Any:
    if not isinstance(self, Array):
        return self.tolist()
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
    return creation.copy(movement.ravel(self, order))


class Flat:
    """The elements in C order, as ``ndarray.flat`` gives them: read, assigned and iterated over."""

    def __init__(self, array: Array) -> None:
        self.base = array

    def __len__(self) -> int:
        return self.base.size

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return self.base.__array__(dtype, copy)

    def copy(self) -> Any:
        return self.base.flatten()  # type: ignore[attr-defined]

    def _key(self, key: Any) -> Any:
        return np.unravel_index(np.arange(self.base.size)[key], self.base.shape)

    def __getitem__(self, key: Any) -> Any:
        return self.base[self._key(key)] if self.base.ndim else self.copy()[key]

    def __setitem__(self, key: Any, new: Any) -> None:
        if places := np.ravel(np.arange(self.base.size)[key]).tolist():
            writing.put(self.base, places, new)  # which repeats the values as often as needed, as NumPy does here


def _set_flat(self: Array, new: Any) -> None:
    if self.size:
        writing.put(self, np.arange(self.size), new)


_METHODS: dict[str, Any] = {
    "sum": reductions.sum_, "prod": reductions.prod, "mean": reductions.mean, "var": reductions.var,
    "std": reductions.std, "max": reductions.max_, "min": reductions.min_, "any": reductions.any_,
    "all": reductions.all_, "argmax": reductions.argmax, "argmin": reductions.argmin,
    "cumsum": reductions.cumsum, "cumprod": reductions.cumprod,
    "reshape": _shape_arguments(movement.reshape), "transpose": _shape_arguments(movement.transpose),
    "ravel": movement.ravel, "flatten": _flatten, "squeeze": movement.squeeze,
    "swapaxes": movement.swapaxes, "repeat": movement.repeat, "take": choosing.take,
    "diagonal": movement.diagonal, "trace": movement.trace, "copy": creation.copy,
    "dot": contractions.dot, "clip": elementwise.clip, "round": elementwise.round_,
    "compress": lambda self, condition, axis=None, out=None: choosing.compress(condition, self, axis, out),
    "choose": choosing.choose, "searchsorted": sorting.searchsorted, "argpartition": sorting.argpartition,
    "argsort": elementwise.argsort, "nonzero": elementwise.nonzero, "astype": _astype,
    "sort": _sort, "fill": _fill, "put": _put,
    "item": _item, "tolist": _tolist, "conj": elementwise.conjugate, "conjugate": elementwise.conjugate,
    "__matmul__": lambda self, other: contractions.matmul(self, other),
    "__rmatmul__": lambda self, other: contractions.matmul(other, self),
    "__imatmul__": lambda self, other: in_place(self, contractions.matmul(self, other)),
    "__divmod__": lambda self, other: (self // other, self % other),
    "__rdivmod__": lambda self, other: (other // self, other % self),
    "__copy__": creation.copy, "__deepcopy__": lambda self, memo: creation.copy(self),
}  # fmt: skip

def _fixed(name: str) -> property:
    """An attribute of ndarray that cannot be set."""
    inherited = getattr(Array, name, None)

    get = (lambda self: self.__getattr__(name)) if inherited is None else inherited.fget

    def set_(self: Array, new: Any) -> None:
        instead = _INSTEAD.get(name, "x.copy()")
        raise refuse(f"the attribute {name} of a traced array is set.", f"Make a new array: {instead}.")

    return property(get, set_)


_INSTEAD = {"shape": "x = x.reshape(shape)", "dtype": "x = x.astype(dtype)"}
_FIXED = ("shape", "dtype", "strides", "T", "real", "imag", "data")


_PROPERTIES: dict[str, Any] = {
    "itemsize": lambda x: x.dtype.itemsize, "nbytes": lambda x: x.size * x.dtype.itemsize,
    "T": movement.transpose, "mT": lambda x: movement.swapaxes(x, -1, -2),
    "real": elementwise.real, "imag": elementwise.imag,
}


def _method(name: str, function: Any) -> Any:
    """The method; on an array of plain numbers, ndarray's own."""

    @functools.wraps(getattr(np.ndarray, name))
    def method(self: Array, *args: Any, **kwargs: Any) -> Any:
        if self.is_plain and not is_traced((*args, *kwargs.values())):
            return natively(getattr(np.ndarray, name), (self, *args), kwargs)
        return function(self, *args, **kwargs)

    return method


def _property(name: str, function: Any) -> Any:
    return lambda self: natively(getattr, (self, name), {}) if self.is_plain else function(self)


def _namespace(self: Array, *, api_version: Any = None) -> Any:
    """NumPy, as ndarray has it; while tracing, as the user's modules see it."""
    from wengert.tracer.standins import stood_in_for

    return np if self.owner.finished else stood_in_for(np)


def install() -> None:
    """Give the traced array its methods and properties."""
    for name, function in _METHODS.items():
        setattr(Array, name, _method(name, function))
    for name, function in _PROPERTIES.items():
        setattr(Array, name, property(_property(name, function)))
    for name in _FIXED:
        setattr(Array, name, _fixed(name))
    Array.flat = property(Flat, _set_flat)  # type: ignore[attr-defined]
    Array.__array_namespace__ = _namespace  # type: ignore[attr-defined]
