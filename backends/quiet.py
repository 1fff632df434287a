"""``np.errstate(all="ignore")`` at a third of its price, for what runs at every call."""

from __future__ import annotations

import contextvars
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["QUIET", "quiet"]


def _state() -> tuple[Callable[[Any], Any], Callable[[Any], None], Any] | None:
    """How the context variable that NumPy keeps its error state in is set and set back, and the value that ignores
    all; None where it keeps it elsewhere."""
    with np.errstate(all="ignore"):
        found = [(v, value) for v, value in contextvars.copy_context().items() if v.name == "numpy.ufunc.extobj"]
    return (found[0][0].set, found[0][0].reset, found[0][1]) if len(found) == 1 else None


QUIET = _state()


def quiet(run: Callable[..., Any]) -> Callable[..., Any]:
    """A function in which no floating-point error is told."""
    if QUIET is None:
        return np.errstate(all="ignore")(run)
    enter, leave, state = QUIET

    @functools.wraps(run)
    def quietly(*args: Any) -> Any:
        token = enter(state)
        try:
            return run(*args)
        finally:
            leave(token)

    return quietly
