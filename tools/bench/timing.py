"""Medians of calls that take turns, and how they are told."""

from __future__ import annotations

import statistics
import time
import timeit
from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["Watch", "duration", "interleaved", "settle", "table", "turns"]


def duration(seconds: float) -> str:
    """A time in the unit that suits it."""
    for unit, size in (("us", 1e-6), ("ms", 1e-3), ("s", 1.0)):
        if seconds < 1000 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 3600:.3g} h"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in markdown that reads well as text too."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [" | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in (head, *rows)]
    rule = " | ".join("-" * w for w in widths)
    return "\n".join(f"| {line} |" for line in (lines[0], rule, *lines[1:]))


def settle(pause: float = 0.005, most: float = 0.5) -> None:
    """Wait until the threads of this process are idle: those of OpenBLAS and OpenMP spin for a while after a call."""
    end = time.perf_counter() + most
    while time.perf_counter() < end:
        before = time.process_time()
        time.sleep(pause)
        if time.process_time() - before < 0.1 * pause:
            return


class Watch:
    """The times of one call, in batches that are long enough for the clock."""

    def __init__(self, call: Callable[..., Any], args: Sequence[Any]) -> None:
        names = [f"a{i}" for i in range(len(args))]
        self.timer = timeit.Timer(f"f({', '.join(names)})", globals={"f": call, **dict(zip(names, args, strict=True))})
        self.times: list[float] = []
        self.count = 1

    def turn(self, seconds: float) -> None:
        """A warm call unless calls are long, then batches for so long; at least one."""
        end = time.perf_counter() + seconds
        if not self.times or self.times[-1] < seconds:
            self.timer.timeit(1)
        least = min(seconds / 5, 0.001)
        while True:
            took = self.timer.timeit(self.count)
            if took < least and self.count < 10**6:
                self.count *= 2 if took > least / 4 else 4
            else:
                self.times.append(took / self.count)
            if time.perf_counter() > end and self.times:
                return

    def found(self) -> dict[str, float]:
        return {"median": statistics.median(self.times), "least": min(self.times), "samples": len(self.times)}


def turns(watches: Sequence[Watch], *, seconds: float, rounds: int = 5) -> None:
    """Every call in turn, so many rounds, so many seconds for each in all; threads are idle in between."""
    for _ in range(rounds):
        for watch in watches:
            settle()
            watch.turn(seconds / rounds)


def interleaved(calls: Sequence[Callable[[], Any]], *, seconds: float = 1.0) -> list[float]:
    """The median time of each call, in turns, so that a busy moment touches all alike; so many seconds for all."""
    watches = [Watch(call, ()) for call in calls]
    turns(watches, seconds=seconds / len(watches))
    return [watch.found()["median"] for watch in watches]
