"""The exception family.  Every message is full sentences; op, node and location ride along as data."""

from __future__ import annotations

from typing import Any

__all__ = [
    "BackendError",
    "ConvergenceError",
    "DerivativeError",
    "GraphFileError",
    "GraphTypeError",
    "GuardError",
    "SizeError",
    "TextError",
    "TraceError",
    "VerifyError",
    "WengertError",
]


class WengertError(Exception):
    """Base of every error wengert raises on purpose.

    Attributes
    ----------
    op : str or None
        Name of the op concerned.
    location : Location or None
        The user's line that made it.
    """

    def __init__(self, message: str, *, op: str | None = None, location: Any = None) -> None:
        where = f" (at {location})" if location is not None else ""
        super().__init__(message + where)
        self.op = op
        self.location = location


class GraphTypeError(WengertError, TypeError):
    """An op was given operands or parameters it is not defined for."""


class VerifyError(WengertError, ValueError):
    """A graph breaks a numbered constraint of the IR (``constraint``)."""

    def __init__(self, constraint: str, message: str, **data: Any) -> None:
        super().__init__(f"{constraint}: {message}", **data)
        self.constraint = constraint


class TextError(WengertError, ValueError):
    """The text of a graph could not be parsed."""


class GraphFileError(WengertError, ValueError):
    """A file is not a graph this version can read."""


class TraceError(WengertError, TypeError):
    """Something in the user's function cannot be traced."""


class DerivativeError(WengertError, TypeError):
    """A derivative was asked for that does not exist or is not defined."""


class GuardError(WengertError, ValueError):
    """A graph was called with values for which its recorded branch does not hold."""


class SizeError(WengertError, TypeError):
    """Sizes do not fit those that a graph was made for, or an expression in sizes is not one."""


class BackendError(WengertError, RuntimeError):
    """A backend is missing, cannot run here, or does not handle a graph."""


class ConvergenceError(WengertError, RuntimeError):
    """A solver did not find what it was to find."""
