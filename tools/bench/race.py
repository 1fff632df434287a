"""The race: every row in a process of its own, with one thread and with all of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from wengert.tools.bench.entry import HAND
from wengert.tools.bench.rows import Row

__all__ = ["THREADS", "environment", "race", "told"]

#: The variables that libraries with threads read when they start.
THREADS = ("WENGERT_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def told(text: str) -> None:
    """Progress, which is not part of the page."""
    print(text, file=sys.stderr, flush=True)


def environment(threads: int | None) -> dict[str, str]:
    """This process's, with as many threads."""
    path = os.pathsep.join(p for p in sys.path if p)
    limits = {} if threads is None else dict.fromkeys(THREADS, str(threads))
    found = {**os.environ, "PYTHONPATH": path, **limits}
    found.pop("PYTHONDONTWRITEBYTECODE", None)  # as after an installation
    return found


def run(row: Row, entrants: Sequence[str], *, seconds: float, limit: float, threads: int | None) -> dict[str, Any]:
    """The measurements of a row; where the process dies, those of each half of the entrants, until one is left."""
    command = [sys.executable, "-m", "wengert.tools.bench.worker", row.name, ",".join(entrants),
               "--seconds", str(seconds), "--limit", str(limit)]  # fmt: skip
    here, most = environment(threads), len(entrants) * (limit + 30 * seconds + 30)
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False, env=here, timeout=most)
        if done.returncode == 0 and done.stdout:
            return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]
        why = f"its process ended with {done.returncode}"
    except subprocess.TimeoutExpired:
        why = f"its process did not end within {most:.0f} s"
    if len(entrants) == 1:
        return {entrants[0]: {"failed": why}}
    told(f"  {row.name}: {why}; again, in halves")
    halves = entrants[: len(entrants) // 2], entrants[len(entrants) // 2 :]
    options: dict[str, Any] = {"seconds": seconds, "limit": limit, "threads": threads}
    return {name: its for half in halves for name, its in run(row, half, **options).items()}


def race(
    rows: Sequence[Row], targets: Sequence[str], peers: Sequence[str], *, hand: Sequence[str] = HAND,
    seconds: float, limit: float,
) -> Iterator[tuple[Row, dict[str, Any]]]:
    """Row by row, who takes how long; on one thread too (names end in " 1") where the row is large enough for two."""
    for row in rows:
        found = run(row, [*hand, *targets, *peers], seconds=seconds, limit=limit, threads=None)
        if row.threads and (os.cpu_count() or 1) > 1:
            alone = [*hand, *(name for name in targets if name != "reference")]
            again = run(row, alone, seconds=seconds, limit=limit, threads=1)
            found |= {f"{name} 1": its for name, its in again.items()}
        yield row, found
