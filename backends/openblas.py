"""The BLAS that NumPy brings: its library, and how many threads it may have if it is an OpenBLAS."""

from __future__ import annotations

import ctypes
import importlib
from typing import Any

__all__ = ["library", "threads"]


def library() -> Any:
    """NumPy's core, which is linked to it; None where that is no library to be opened."""
    try:
        return ctypes.CDLL(importlib.import_module("numpy._core._multiarray_umath").__file__)
    except (ImportError, OSError, TypeError):
        return None


def threads(core: Any, symbol: str) -> tuple[Any, Any] | None:
    """What says how many threads it has, and what sets them, by how its symbols are formed.

    None but of an OpenBLAS with threads of its own: not those of OpenMP, which are ours, or a second set of them.
    """
    of = [getattr(core, symbol.format(name), None) for name in ("get_num_threads", "set_num_threads", "get_parallel")]
    return (of[0], of[1]) if None not in of and of[2]() == 1 else None  # type: ignore[misc]
