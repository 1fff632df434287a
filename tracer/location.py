"""Which line of the user's program are we on."""

from __future__ import annotations

import contextvars
import functools
import sys
from types import CodeType, FrameType

from wengert.ir.errors import TraceError
from wengert.ir.graph import Location

__all__ = ["described", "here", "refusals", "refuse"]

_PACKAGE = __name__.partition(".")[0]


@functools.lru_cache(maxsize=65536)
def _location(code: CodeType, module: str, line: int) -> Location:
    return Location(module, code.co_qualname if hasattr(code, "co_qualname") else code.co_name, line)


@functools.lru_cache(maxsize=65536)
def _is_machinery(module: str) -> bool:
    """Whether a module is ours or NumPy's, and so never the user's line (our tests and examples are users)."""
    top, _, rest = module.partition(".")
    if top == _PACKAGE:
        return not rest.startswith(("tests", "tools"))
    return top == "numpy"


def here() -> Location | None:
    """The innermost line outside wengert and NumPy."""
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001 (inspect.stack reads every file)
    while frame is not None:
        module = frame.f_globals.get("__name__", "?")
        if not _is_machinery(module):
            return _location(frame.f_code, module, frame.f_lineno)
        frame = frame.f_back
    return None


def described() -> str:
    """The user's line for a message, as ``file:line``."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 (as above)
    while frame is not None:
        if not _is_machinery(frame.f_globals.get("__name__", "?")):
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
