"""The peers, each in its fastest honest idiom: one file for each, a function for each row that is not plain NumPy."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from typing import Any

__all__ = ["transplanted"]


def transplanted(function: Callable[..., Any], namespace: Any) -> Callable[..., Any]:
    """A row's function as its user would have it with another ``numpy``: ``import ... as np`` and nothing else changed.

    So are the functions that it calls, where they are wengert's.
    """
    module = sys.modules[function.__module__]
    scope = {**vars(module), "np": namespace}
    for name, value in vars(module).items():
        if isinstance(value, types.FunctionType):
            if value.__module__ == module.__name__:
                scope[name] = types.FunctionType(value.__code__, scope, name, value.__defaults__)
            elif value.__module__.startswith("wengert.tools."):
                scope[name] = transplanted(value, namespace)
    return scope[function.__name__]  # type: ignore[no-any-return]
