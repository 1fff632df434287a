"""`make check`: everything a reviewer would run, and one summary."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

__all__ = ["main"]

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "docs" / "ops.md"


def _command(*words: str) -> Callable[[], bool]:
    """A program of this Python, run in the clone; true where it ends well."""

    def run() -> bool:
        sys.stdout.flush()
        return subprocess.run([sys.executable, "-m", *words], cwd=ROOT, check=False).returncode == 0

    return run


def _op_table() -> bool:
    """No hole, and docs/ops.md is what would be written now."""
    from wengert.tools import optable

    table = optable.make(optable.own_backends())
    for sentence in optable.holes(table):
        print(sentence)
    if table.absent:
        print(f"docs/ops.md cannot be compared: {'; '.join(table.absent.values())}")
        return not optable.holes(table)
    kept = TABLE.read_text(encoding="utf-8") if TABLE.exists() else ""
    if kept != optable.markdown(table):
        print("docs/ops.md is out of date; write it with: wengert ops --write docs/ops.md")
        return False
    return not optable.holes(table)


#: In this order: what fails fast comes first.  Golden text is compared by the tests.
STEPS: tuple[tuple[str, Callable[[], bool]], ...] = (
    ("ruff", _command("ruff", "check", ".")),
    ("mypy", _command("mypy")),
    ("op table", _op_table),
    ("tests", _command("pytest", "-q", "-n", str(min(os.cpu_count() or 1, 8)), "--dist", "worksteal")),
)


def main() -> None:
    """Run every step, even after one has failed; exit with 1 where any has."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m wengert.tools.check")
    names = [name for name, _ in STEPS]
    parser.add_argument("only", nargs="*", help=f"some of: {', '.join(names)} (default: all)")
    chosen = parser.parse_args().only or names
    if unknown := set(chosen) - set(names):
        parser.error(f"there is no step called {', '.join(sorted(unknown))}")
    if not (ROOT / "pyproject.toml").exists():
        sys.exit("wengert.tools.check checks a clone of the repository; this wengert is installed.")
    lines = []
    for name, step in STEPS:
        if name in chosen:
            print(f"== {name}", flush=True)
            start = time.perf_counter()
            passed = step()
            lines.append((name, "passed" if passed else "FAILED", time.perf_counter() - start))
    print("== summary")
    for name, verdict, seconds in lines:
        print(f"{name:<10} {verdict}  {seconds:6.1f} s")
    sys.exit(any(verdict == "FAILED" for _, verdict, _ in lines))


if __name__ == "__main__":
    main()
