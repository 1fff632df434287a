"""What users call: its entrances first; what none of them takes goes the way that serves every call."""

from __future__ import annotations

import functools
import types
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

from wengert.backends.direct import Entrances

__all__ = ["Called", "Derivative"]


class Called:
    """A program, a traced function or a derivative.

    Once the extension of ``c`` is loaded, ``__call__`` is its own, which does the same without a frame of Python's (see
    :mod:`wengert.backends.source.c.entrance`).
    """

    __slots__ = ("_entrances",)
    _entrances: Entrances

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Called like the function."""
        first = self._entrances.first
        result = first(*args, **kwargs) if kwargs else first(*args)  # no dictionary is made for nothing
        return self._called(*args, **kwargs) if result is NotImplemented else result

    @abstractmethod
    def _called(self, /, *args: Any, **kwargs: Any) -> Any:
        """The way that serves every call."""


class Derivative(Called):
    """What is made of a function by ``wg.grad`` and the like; like a function, also as a method."""

    __name__: str
    __wrapped__: Callable[..., Any]

    def __init__(self, function: Callable[..., Any], entrances: Entrances) -> None:
        self._entrances = entrances
        functools.update_wrapper(self, function)

    def _called(self, /, *args: Any, **kwargs: Any) -> Any:
        return self.__wrapped__(*args, **kwargs)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def __copy__(self) -> Derivative:
        return self

    def __deepcopy__(self, memo: Any) -> Derivative:
        return self

    def __repr__(self) -> str:
        return f"<function {self.__name__} at {id(self):#x}>"
