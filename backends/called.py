"""What users call: its entrances first; what none of them takes goes the way that serves every call."""

from __future__ import annotations

import functools
import inspect
import sys
import types
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

from wengert.backends.direct import Entrances

__all__ = ["Called", "Derivative"]


class Called:
    """A program, a traced function or a derivative; a copy of it is itself, as a function's is.

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

    def __reduce__(self) -> Any:
        found: Any = sys.modules.get(self.__module__)
        for name in getattr(self, "__qualname__", "").split("."):
            found = getattr(found, name, None)
        return self.__qualname__ if found is self else self._remade()  # type: ignore[attr-defined]

    def _remade(self) -> Any:
        """How a pickle makes it, where its name does not lead to it."""
        message = f"{self!r} cannot be pickled. Pickle what it is made of, and make it anew there."
        raise TypeError(message)

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: Any) -> Any:
        return self


class Derivative(Called):
    """What is made of a function by ``wg.grad`` and the like; like a function, also as a method."""

    __name__: str
    __wrapped__: Callable[..., Any]

    def __init__(self, function: Callable[..., Any], entrances: Entrances, like: Any = None) -> None:
        self._entrances = entrances
        self._like = like  # what is called as it is
        functools.update_wrapper(self, function)

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self.__wrapped__ if self._like is None else self._like)

    def _called(self, /, *args: Any, **kwargs: Any) -> Any:
        return self.__wrapped__(*args, **kwargs)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def __repr__(self) -> str:
        return f"<function {self.__name__} at {id(self):#x}>"
