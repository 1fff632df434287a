"""The command line of the benchmarks, and their page: tables, and beside it the numbers and a plot."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wengert.tools.bench import cold, page, plot, sections
from wengert.tools.bench.entry import HAND, PEERS, installed
from wengert.tools.bench.machine import facts, machine
from wengert.tools.bench.race import race, told
from wengert.tools.bench.rows import ROWS, chosen
from wengert.tools.bench.timing import duration

__all__ = ["main", "run_all", "run_rows"]

TARGETS = ("c", "numpy", "python", "reference")


def measured(options: Any) -> dict[str, Any]:
    """The race, told on the way."""
    peers = installed() if options.peers == "all" else _names(options.peers)
    results = {}
    for row, found in race(chosen(options.rows), _names(options.targets), peers, hand=_names(options.hand),
                           seconds=options.seconds, limit=options.limit):  # fmt: skip
        results[row.name] = found
        told(row.title)
        for name, its in found.items():
            told(f"    {name:14}{_told(its)}")
    return results


def _told(its: dict[str, Any]) -> str:
    if "failed" in its:
        return str(its["failed"])
    times = [f"{what} {duration(its[what]['median'])} (least {duration(its[what]['least'])})"
             for what in ("value", "derivative") if what in its]  # fmt: skip
    return f"{', '.join(times)}; first {duration(its['first'])}, error {its['error']:.0e}"


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def run_rows(options: Any) -> str:
    """The rows alone."""
    return page.rows_page(measured(options))


def run_all(options: Any) -> str:
    """Every section; with ``write``, the numbers and a plot beside the page."""
    peers = installed() if options.peers == "all" else _names(options.peers)
    versions = cold.versions(["wengert", "numpy", "scipy", *peers])
    where = facts()
    written = "Written by `wengert bench --write docs/bench.md`, with the extra `bench`."
    head = f"# Benchmarks\n\n{written} {machine(where)} With {', '.join(map(' '.join, versions.items()))}."
    results = measured(options)
    starts = {} if options.warm else cold.everyone(["hand-numpy", "c", "numpy", *peers], limit=2 * options.limit)
    write = options.write
    parts = [head, page.rows_page(results)]
    if starts:
        parts.append(page.cold_page(starts))
    if write is not None:
        picture = plot.svg(results)
        if picture:
            write.with_suffix(".svg").write_text(picture, encoding="utf-8")
            parts.insert(1, f"![times as long as C by hand]({write.with_suffix('.svg').name})")
        numbers = {"machine": where, "versions": versions, "rows": results, "cold": starts}
        write.with_suffix(".json").write_text(json.dumps(numbers, indent=1) + "\n", encoding="utf-8")
    for section in sections.EVERY:
        told(f"{section.__name__} ...")
        parts.append(section())
    return "\n\n".join(parts)


def main(words: Sequence[str] | None = None) -> None:
    """The benchmarks, as a program."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m wengert.tools.bench")
    parser.add_argument("which", nargs="?", choices=["all", "rows"], default="all")
    parser.add_argument("--rows", help=f"beginnings of names, of {', '.join(row.name for row in ROWS)}")
    parser.add_argument("--targets", default=",".join(TARGETS), help="targets of wengert")
    parser.add_argument("--peers", default="all", help=f"of {', '.join(PEERS)}; all that are installed, by default")
    parser.add_argument("--hand", default=",".join(HAND), help="what is written by hand, in NumPy and in C")
    parser.add_argument("--seconds", type=float, default=0.3, help="for each number of the tables")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds in which an entrant has to be ready")
    parser.add_argument("--warm", action="store_true", help="leave out what new processes pay")
    parser.add_argument("--write", type=Path, help="write the page here, and numbers and a plot beside it")
    options = parser.parse_args(words)
    text = run_rows(options) if options.which == "rows" else run_all(options)
    print(text)
    if options.write is not None:
        options.write.write_text(text + "\n", encoding="utf-8")
