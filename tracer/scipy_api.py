"""SciPy's functions that are traced, by name: they are looked up in SciPy only if somebody else has imported it."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

__all__ = ["MODULES", "TRACED", "functions_of"]

#: The modules that are stood in for (see :mod:`wengert.tracer.standins`), if they are there.
MODULES = ("scipy.special", "scipy.linalg", "scipy.signal")


#: SciPy's functions to their traced forms, as far as ``functions_of`` was asked.
TRACED: dict[Any, Callable[..., Any]] = {}


def functions_of(module: types.ModuleType) -> dict[str, Any]:
    """The functions of a module of SciPy that are traced, by name."""
    from wengert.tracer.numpy_api import scipy_linalg, scipy_signal, special

    found = {}
    for path, implementation in (special.WRAPPERS | scipy_linalg.TABLE | scipy_signal.TABLE).items():
        owner, _, name = path.rpartition(".")
        function = getattr(module, name, None) if owner == module.__name__ else None  # of another version it may lack
        if function is not None:
            found[name] = function
            TRACED[function] = implementation
    return found
