"""One row in a process of its own: prepare, check, then measure all who take part, in turns."""

from __future__ import annotations

import argparse
import json
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from wengert.tools.bench.entry import PEERS, Absent, close, entry, reference
from wengert.tools.bench.race import told
from wengert.tools.bench.rows import ROWS
from wengert.tools.bench.timing import Watch, turns

__all__ = ["main", "measure"]


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in what takes longer, where the system has alarms."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def ring(*_: Any) -> None:
        message = f"took longer than {seconds:.0f} s to prepare"
        raise TimeoutError(message)

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def sentence(error: BaseException) -> str:
    """An error in a line."""
    text = " ".join(str(error).split())
    return text if isinstance(error, (Absent, TimeoutError)) else f"{type(error).__name__}: {text}"[:300]


def measure(name: str, entrants: list[str], *, seconds: float, limit: float, tiny: bool = False) -> dict[str, Any]:
    """What each entrant takes: by its name, ``{"derivative": times, "value": times}``, or ``{"failed": why}``."""
    (row,) = (row for row in ROWS if row.name == name)
    expected = reference(row, tiny=tiny)
    found: dict[str, Any] = {}
    watches: dict[tuple[str, str], Watch] = {}
    for who in entrants:
        start = time.perf_counter()
        told(f"  {name}: {who} ...")
        try:
            with deadline(limit):
                its = entry(who, row, tiny=tiny)
                result = its.call(*its.args)
                first = time.perf_counter() - start
                found[who] = {"first": first, "error": close(its.read(result), expected)}
                watches[who, "derivative"] = Watch(its.call, its.args)
                if its.value is not None and who not in PEERS:
                    its.value(*its.value_args)
                    watches[who, "value"] = Watch(its.value, its.value_args)
        except Exception as error:  # noqa: BLE001 (whatever it is, it is told in the table)
            found[who] = {"failed": sentence(error)}
            watches = {key: watch for key, watch in watches.items() if key[0] != who}
    for thread in threading.enumerate():
        if thread.name.startswith("wengert-"):  # what is compiled while programs run already
            thread.join(limit)
    turns(list(watches.values()), seconds=seconds)
    for (who, what), watch in watches.items():
        found[who][what] = watch.found()
    return found


def main() -> None:
    """The measurements of a row, as JSON on the last line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("row")
    parser.add_argument("entrants")
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--limit", type=float, default=60.0)
    options = parser.parse_args()
    found = measure(options.row, options.entrants.split(","), seconds=options.seconds, limit=options.limit)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
