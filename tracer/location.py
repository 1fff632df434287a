"""Which line of the user's program are we on."""

from __future__ import annotations

import contextvars
import functools
import sys
from types import CodeType, FrameType
from typing import Any

import numpy as np

from wengert.ir.errors import TraceError
from wengert.ir.graph import Location
from wengert.ir.types import SHORT_NAMES

__all__ = ["at_line", "check_dtype", "described", "here", "is_machinery", "is_ours", "refusals", "refuse"]

_PACKAGE = __name__.partition(".")[0]


#: By module, code and instruction.  The code is kept, so that no other has its id; its own hash reads all of it, and
#: to find a line Python reads the table of lines from the start.
_known: dict[tuple[str, int, int], tuple[CodeType, Location]] = {}
_MANY = 65536


def _located(module: str, frame: FrameType) -> Location:
    code = frame.f_code
    found = _known.get((module, id(code), frame.f_lasti))
    if found is None:
        if len(_known) >= _MANY:
            _known.clear()
        name = code.co_qualname if hasattr(code, "co_qualname") else code.co_name
        found = _known[module, id(code), frame.f_lasti] = code, Location(module, name, frame.f_lineno)
    return found[1]


def is_ours(module: str) -> bool:
    """Whether a module is wengert's (our tests and examples are users)."""
    top, _, rest = module.partition(".")
    return top == _PACKAGE and not rest.startswith(("tests", "tools"))


@functools.lru_cache(maxsize=65536)
def is_machinery(module: str) -> bool:
    """Whether a module is ours, NumPy's or SciPy's, and so never the user's line."""
    return module.partition(".")[0] in ("numpy", "scipy") or is_ours(module)


def here(skip: int = 2) -> Location | None:
    """The innermost line outside wengert, NumPy and SciPy; the first ``skip`` frames are known to be ours."""
    frame: FrameType | None = sys._getframe(skip)  # noqa: SLF001 (inspect.stack reads every file)
    while frame is not None:
        module = frame.f_globals.get("__name__", "?")
        if not is_machinery(module):
            return _located(module, frame)
        frame = frame.f_back
    return None


def described() -> str:
    """The user's line for a message, as ``file:line``."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 (as above)
    while frame is not None:
        if not is_machinery(frame.f_globals.get("__name__", "?")):
            return f"{frame.f_code.co_filename}:{frame.f_lineno}, in {frame.f_code.co_name}"
        frame = frame.f_back
    return "an unknown line"


#: The refusals of the trace under way: one that is caught and passed over would leave a path that is not NumPy's.
refusals: contextvars.ContextVar[list[TraceError] | None] = contextvars.ContextVar("wengert_refusals", default=None)


def refuse(what: str, fix: str) -> TraceError:
    """An error at the user's line: what cannot be traced, and what to do."""
    error = TraceError(f"At {described()}: {what} {fix}")
    if (kept := refusals.get()) is not None:
        kept.append(error)
    return error


def at_line(error: TypeError) -> TraceError:
    """What the Builder refuses, at the user's line."""
    return error if isinstance(error, TraceError) else TraceError(
        f"At {described()}: {error} Convert the operands first, for instance with .astype(float)."
    )


def check_dtype(dtype: np.dtype[Any]) -> None:
    """Raise, at the user's line, for a dtype that no value has."""
    if dtype not in SHORT_NAMES and (dtype.kind not in "iufc" or dtype.newbyteorder("=") not in SHORT_NAMES):
        raise refuse(
            f"a value of dtype {dtype} cannot be traced; expected one of {', '.join(map(str, SHORT_NAMES))}.",
            "Convert it first, for instance with .astype(float).",
        )
