"""Backend auto: NumPy answers at once, while C is compiled in the background; from then on C answers.

The two differ in the last digits, so when exactly C takes over can be seen in them.  With ``WENGERT_AUTO=wait`` in
the environment nothing is left to time: each program waits for its compiler.  Where there is no compiler, or it
fails, NumPy goes on answering; of a failure there is one warning.
"""

from __future__ import annotations

import atexit
import contextlib
import contextvars
import os
import queue
import threading
import warnings
from collections.abc import Callable
from typing import Any

from wengert.backends import protocol
from wengert.backends.protocol import Backend, Forward, Reverse, Run
from wengert.ir.errors import BackendError
from wengert.ir.graph import Graph

__all__ = ["BACKEND", "AutoBackend", "settle"]

FIRST, LATER = "numpy", "c"
SECONDS = 10.0  # to leave in, when Python ends while a compiler runs
Make = Callable[[Backend], Callable[..., Any]]


class Switch:
    """One program: a function that becomes another one once that is there."""

    def __init__(self, make: Make) -> None:
        self._make = make
        self._context = contextvars.copy_context()  # programs of several sizes share what they compile through it
        self._made = threading.Event()
        self._failed: str | None = None
        self.run: Callable[..., Any] | None = None
        self._open = _later()
        if self._open and os.environ.get("WENGERT_AUTO") == "wait":
            self.compile()
        if self.run is None:
            self.run = make(protocol.get(FIRST))
        self._process: int | None = None
        if self._open:
            self._look()

    def __call__(self, *args: Any) -> Any:
        if self._open:
            self._look()
        assert self.run is not None
        return self.run(*args)

    def _look(self) -> None:
        """Have it compiled, if nobody does so yet (a forked child has no thread for it); tell what came of it."""
        if self._made.is_set():
            self._open = False
            if self._failed is not None:
                _warn(self._failed)
        elif self._process != os.getpid():
            self._process = os.getpid()
            _WORKER.submit(self)

    def compile(self) -> None:
        """Make the later function, and take it."""
        try:
            self.run = self._context.copy().run(self._ready)
        except Exception as error:  # noqa: BLE001 (whatever it is, there is another way to go on)
            self._failed = f"{type(error).__name__}: {error}"
        self._made.set()

    def _ready(self) -> Callable[..., Any]:
        """The later function, with what it would build at its first call."""
        made = self._make(protocol.get(LATER))
        if (prepare := getattr(made, "prepare", None)) is not None:
            prepare()
        return made

    def wait(self, seconds: float | None) -> bool:
        """Whether it is decided by then which function answers."""
        return self._made.wait(seconds)


class Worker:
    """A thread that compiles one program after the other."""

    def __init__(self) -> None:
        self.leaving = False
        self._lock = threading.Lock()
        self._jobs: queue.SimpleQueue[Switch | None] = queue.SimpleQueue()
        self._open: list[Switch] = []
        self._thread: threading.Thread | None = None

    def submit(self, job: Switch) -> None:
        """Compile this one too."""
        with self._lock:
            if self.leaving:
                return
            self._open.append(job)
            self._jobs.put(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="wengert-auto", daemon=True)
                self._thread.start()

    def open(self) -> list[Switch]:
        """What is not compiled yet."""
        with self._lock:
            return list(self._open)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None and not self.leaving:
            job.compile()
            with self._lock:
                self._open.remove(job)

    def leave(self) -> None:
        """Let go of the compiler that runs, so that it leaves nothing behind."""
        self.leaving = True
        if self._thread is None:
            return
        self._jobs.put(None)
        abandon = getattr(protocol.get(LATER), "abandon", None)
        if abandon is not None:
            abandon()
        self._thread.join(SECONDS)


_WORKER = Worker()
atexit.register(_WORKER.leave)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_WORKER.__init__)  # type: ignore[misc]


def _later() -> bool:
    try:
        return protocol.get(LATER).unavailable() is None
    except (BackendError, ImportError):
        return False


_warned = threading.Event()


def _warn(reason: str) -> None:
    if not _warned.is_set():
        _warned.set()
        warnings.warn(f"Backend 'auto' stays with {FIRST!r}, as {LATER!r} failed: {reason}", RuntimeWarning)


def settle(seconds: float | None = None) -> bool:
    """Wait for all that is being compiled; False if a program takes longer than ``seconds``."""
    return all(job.wait(seconds) for job in _WORKER.open())


class AutoBackend:
    """See :class:`wengert.backends.protocol.Backend`."""

    name = "auto"

    def unavailable(self) -> str | None:
        return None

    def compile(self, graph: Graph) -> Run:
        return Switch(lambda backend: backend.compile(graph))

    def forward(self, graph: Graph, active: tuple[int, ...]) -> Forward:
        return Switch(lambda backend: backend.forward(graph, active))

    def reverse(self, graph: Graph, active: tuple[int, ...]) -> Reverse:
        return Switch(lambda backend: backend.reverse(graph, active))

    def source(self, graph: Graph) -> str:
        return protocol.get(LATER).source(graph)

    def sharing(self, kept: dict[str, Any]) -> contextlib.AbstractContextManager[None]:
        """What the later backend keeps for programs of other sizes."""
        sharing = getattr(protocol.get(LATER), "sharing", None) if _later() else None
        return sharing(kept) if sharing is not None else contextlib.nullcontext()


BACKEND = AutoBackend()
