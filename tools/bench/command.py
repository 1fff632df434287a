"""The command line of the benchmarks."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from wengert.tools.bench.entry import HAND, PEERS, installed
from wengert.tools.bench.race import race
from wengert.tools.bench.rows import ROWS, chosen
from wengert.tools.bench.timing import duration

__all__ = ["main"]


def rows(options: Any) -> None:
    """The medians and minima of some rows, as they are found."""
    targets = [name for name in options.targets.split(",") if name]
    peers = installed() if options.peers == "all" else [name for name in options.peers.split(",") if name]
    for row, found in race(chosen(options.rows), targets, peers, seconds=options.seconds, limit=options.limit):
        print(row.title)
        for name, its in found.items():
            if "failed" in its:
                print(f"    {name:13} {its['failed']}")
                continue
            times = [f"{what} {duration(its[what]['median']):>8} (least {duration(its[what]['least']):>8})"
                     for what in ("value", "derivative") if what in its]  # fmt: skip
            print(f"    {name:13} {'  '.join(times)}  first {duration(its['first'])}  error {its['error']:.0e}", flush=True)


def main() -> None:
    """The benchmarks, as a program."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m wengert.tools.bench")
    parser.add_argument("which", nargs="?", choices=["all", "rows"], default="all")
    parser.add_argument("--rows", help=f"beginnings of names, of {', '.join(row.name for row in ROWS)}")
    parser.add_argument("--targets", default="c,numpy,python", help="targets of wengert")
    parser.add_argument("--peers", default="all", help=f"of {', '.join(PEERS)}; all that are installed, by default")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each number of the tables")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds in which an entrant has to be ready")
    parser.add_argument("--write", type=Path, help="write the page here, and numbers and plot beside it")
    options = parser.parse_args()
    if options.which == "rows":
        rows(options)
        return
    from wengert.tools.bench.sections import run_all

    run_all(options.write)
