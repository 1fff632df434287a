"""What a backend is, and how one is found by name.

A backend implements kinds of ops, not ops, and offers three things for any graph: ``compile`` (its
values), ``forward`` (tangents pushed along) and ``reverse`` (cotangents pulled back).
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import importlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np

from wengert.ir import kinds
from wengert.ir.errors import BackendError
from wengert.ir.graph import Graph

__all__ = [
    "BUILT_IN",
    "CHOOSING",
    "ENTRY_POINTS",
    "Arrays",
    "Backend",
    "Forward",
    "Reverse",
    "Run",
    "available",
    "check_kinds",
    "chosen",
    "current",
    "get",
    "names",
    "using",
]

Arrays: TypeAlias = Sequence[Any]
Run: TypeAlias = Callable[[Arrays], tuple[np.ndarray[Any, Any], ...]]
Forward: TypeAlias = Callable[[Arrays, Arrays], tuple[Arrays, Arrays]]
Reverse: TypeAlias = Callable[..., tuple[Arrays, Any]]


@runtime_checkable
class Backend(Protocol):
    """How a graph runs.

    Inputs arrive as C-contiguous native arrays of exactly the dtypes and shapes of ``graph.inputs``
    and are never written to; results own their memory.  ``active`` are the positions, among the
    inputs, of those that a derivative is taken in.  Nothing warns: the answers are IEEE's.
    """

    name: str

    def unavailable(self) -> str | None:
        """Why this backend cannot run on this machine, in a sentence; None where it can."""

    def compile(self, graph: Graph) -> Run:
        """``run(inputs)`` gives the values of ``graph.guarded_outputs``."""

    def forward(self, graph: Graph, active: tuple[int, ...]) -> Forward:
        """``run(inputs, tangents)`` gives ``(values, tangents)``.

        There is one tangent per active input, of shape ``(k, *input.shape)``: k directions at once.
        There is one result tangent per output, of shape ``(k, *output.shape)``; None where the output is not
        inexact, zeros where it does not depend on an active input.
        """

    def reverse(self, graph: Graph, active: tuple[int, ...]) -> Reverse:
        """``run(inputs, cotangents)`` gives ``(values, cotangents of the active inputs)``.

        There is one cotangent per output, of shape ``(k, *output.shape)``, ignored (and None allowed) where the
        output is not inexact.  Without ``cotangents``, ``run(inputs)`` gives ``(values, pullback)``; the caller leaves
        the inputs as they are for as long as the pullback is used.
        """

    def source(self, graph: Graph) -> str:
        """The program as text; BackendError from a backend that generates none."""


def check_kinds(name: str, handlers: Iterable[type[kinds.Op]]) -> None:
    """Raise, at import, unless every kind of op is handled."""
    every = {kinds.Elementwise, kinds.Reduction, kinds.Cumulative, kinds.Movement,
             kinds.Contraction, kinds.Indexing, kinds.Library, kinds.Control}  # fmt: skip
    if missing := every - set(handlers):
        message = f"Backend {name!r} does not handle {', '.join(sorted(k.__name__ for k in missing))}."
        raise BackendError(message)


#: Names to ``module:attribute``; a module is imported when its backend is first asked for.
BUILT_IN = {
    "numpy": "wengert.backends.vectorized:BACKEND",
    "python": "wengert.backends.source.python:BACKEND",
    "c": "wengert.backends.source.c:BACKEND",
    "reference": "wengert.backends.reference:BACKEND",
}
#: Those that choose one of them for each program, and run nothing themselves.
CHOOSING = {"auto": "wengert.backends.auto:BACKEND"}
#: The entry-point group in which other distributions name theirs.
ENTRY_POINTS = "wengert.backends"


def _entry_points() -> dict[str, Any]:
    import importlib.metadata  # a fifth of what `import wengert` would cost

    return {point.name: point for point in importlib.metadata.entry_points(group=ENTRY_POINTS)}


def names() -> tuple[str, ...]:
    """Every backend that can be asked for: the built-in ones, then those of other distributions."""
    ours = BUILT_IN | CHOOSING
    return (*ours, *(name for name in _entry_points() if name not in ours))


@functools.cache
def get(name: str) -> Backend:
    """The backend of this name; BackendError with the names there are, or with why it cannot run here."""
    if ours := BUILT_IN.get(name) or CHOOSING.get(name):
        module, _, attribute = ours.partition(":")
        backend = getattr(importlib.import_module(module), attribute)
    elif point := _entry_points().get(name):
        backend = point.load()
    else:
        message = f"There is no backend called {name!r}; there are {', '.join(names())}."
        raise BackendError(message)
    if not isinstance(backend, Backend):
        message = f"Backend {name!r} does not follow wengert.backends.protocol.Backend: it is {backend!r}."
        raise BackendError(message)
    if reason := backend.unavailable():
        message = f"Backend {name!r} cannot run here: {reason}"
        raise BackendError(message)
    return backend


def available() -> dict[str, str | None]:
    """Every name, with None where the backend works here and the reason where it does not."""
    reasons: dict[str, str | None] = {}
    for name in names():
        try:
            get(name)
        except (BackendError, ImportError) as error:
            reasons[name] = str(error)
        else:
            reasons[name] = None
    return reasons


#: The backend that ``using`` says; see :func:`current`.
chosen: contextvars.ContextVar[str | None] = contextvars.ContextVar("wengert_backend", default=None)


def current() -> str:
    """The backend in force: the innermost ``using``, else $WENGERT_BACKEND, else ``numpy``.

    ``numpy`` is the default because it answers at once, everywhere, with BLAS; ``c`` pays for its compile
    first and is a choice.
    """
    return chosen.get() or os.environ.get("WENGERT_BACKEND") or "numpy"


@contextlib.contextmanager
def using(name: str) -> Iterator[Backend]:
    """Within this context, ``name`` is the backend of everything that does not choose its own."""
    backend = get(name)
    token = chosen.set(name)
    try:
        yield backend
    finally:
        chosen.reset(token)
