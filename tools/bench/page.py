"""What was measured, as tables."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from wengert.tools.bench.cold import ROWS as COLD_ROWS
from wengert.tools.bench.entry import HAND, PEERS
from wengert.tools.bench.rows import ROWS
from wengert.tools.bench.timing import duration, table

__all__ = ["TITLES", "cold_page", "median", "rows_page", "titled"]

TITLES = {row.name: row.title for row in ROWS}
NAMES = {"hand-c": "C by hand", "hand-numpy": "NumPy by hand"}


def median(its: dict[str, Any] | None, what: str = "derivative") -> float:
    """Seconds; NaN where there are none."""
    return float((its or {}).get(what, {}).get("median", math.nan))


def titled(name: str) -> str:
    """The name of who takes part, for the head of a column."""
    bare = name.removesuffix(" 1")
    return (NAMES.get(bare) or (bare if bare in PEERS else f"wengert {bare}")) + (", 1 thread" if bare != name else "")


def present(results: dict[str, Any]) -> list[str]:
    """Everyone who took part, in a fixed order: by hand, wengert, peers."""
    every = dict.fromkeys(name for found in results.values() for name in found)
    ours = [name for name in every if name.removesuffix(" 1") not in (*HAND, *PEERS)]
    order = ("hand-c", "hand-c 1", "hand-numpy", *sorted(ours), *PEERS)
    return [name for name in order if name in every and name not in ("numpy 1", "python 1")]


def best_peer(found: dict[str, Any]) -> tuple[float, str]:
    """The fastest of the peers, and its name; NaN where there is none."""
    times = [(median(its), name) for name, its in found.items() if name in PEERS]
    return min((pair for pair in times if not math.isnan(pair[0])), default=(math.nan, ""))


def ratio(x: float, y: float) -> str:
    return "" if math.isnan(x / y) else f"{x / y:.2f}"


def ratios(found: dict[str, Any]) -> dict[str, float]:
    """Of ``c``: to the best peer, to C by hand with all threads, and with one."""
    c, hand = median(found.get("c")), median(found.get("hand-c"))
    return {
        "peer": c / best_peer(found)[0],
        "hand": c / hand,
        "hand 1": median(found.get("c 1")) / median(found.get("hand-c 1")),
        "numpy": median(found.get("numpy")) / median(found.get("hand-numpy")),
        "autograd": median(found.get("autograd")) / median(found.get("numpy")),
    }


def geometric(values: Iterable[float]) -> float:
    """The geometric mean of those that are numbers."""
    logs = [math.log(x) for x in values if not math.isnan(x)]
    return math.exp(sum(logs) / len(logs)) if logs else math.nan


def rows_page(results: dict[str, Any]) -> str:
    """Times, ratios, what did not run, and how much more than a value a gradient takes."""
    names = present(results)
    times = [[TITLES[row], *(_cell(found.get(name)) for name in names)] for row, found in results.items()]
    head = ("value and derivative of", *map(titled, names))
    over = [_ratios(row, found) for row, found in results.items()]
    ratio_head = ("of wengert c", "best peer", "to it", "to C by hand", "both on 1 thread", "numpy to NumPy by hand",
                  "autograd to numpy")  # fmt: skip
    left_out = [f"- {TITLES[row]}, {titled(name)}: {its['failed']}"
                for row, found in results.items() for name, its in found.items() if "failed" in its]  # fmt: skip
    parts = [
        "## Beside others, and C and NumPy by hand",
        INTRODUCTION,
        table(head, times),
        "### Ratios",
        table(ratio_head, over),
        summary(results),
        "### A gradient over its value",
        _griewank(results),
        *(["### What was left out", "\n".join(left_out)] if left_out else []),
    ]
    return "\n\n".join(parts)


INTRODUCTION = """\
Medians of calls that take turns in one process per row, threads idle in between; an empty cell is told about below.
All results equal those by hand in NumPy before anything is timed. Peers are jitted where they can be, and their arrays
are theirs already. Small results of C by hand are new arrays, as everyone's are; large ones go into arrays made once.
[tools/bench](../tools/bench) has every program."""


def _cell(its: dict[str, Any] | None) -> str:
    return "" if math.isnan(median(its)) else duration(median(its))


def _ratios(row: str, found: dict[str, Any]) -> list[str]:
    seconds, who = best_peer(found)
    to = ratios(found)
    said = "" if not who else f"{who} {duration(seconds)}"
    numbers = (to[key] for key in ("peer", "hand", "hand 1", "numpy", "autograd"))
    return [TITLES[row], said, *("" if math.isnan(x) else f"{x:.2f}" for x in numbers)]


def summary(results: dict[str, Any]) -> str:
    """The geometric means, and the rows that miss the aims."""
    all_of = [ratios(found) for found in results.values()]
    means = {key: geometric(each[key] for each in all_of) for key in all_of[0]} if all_of else {}
    words = {"peer": "the best peer's time", "hand": "that of C by hand", "hand 1": "that of C by hand on one thread"}
    said = [f"{means[key]:.2f} of {text}" for key, text in words.items() if not math.isnan(means.get(key, math.nan))]
    lost = [f"{TITLES[row]} ({to['peer']:.2f})" for row, to in zip(results, all_of, strict=True) if to["peer"] > 1]
    text = f"In geometric mean wengert's `c` takes {', '.join(said)}." if said else "C did not run here."
    if not math.isnan(means.get("numpy", math.nan)):
        text += f" `numpy` takes {means['numpy']:.2f} of NumPy by hand"
        slower = means["autograd"]
        text += "." if math.isnan(slower) else f"; autograd takes {slower:.2f} of `numpy`."
    if any(not math.isnan(to["peer"]) for to in all_of):
        text += f" Behind a peer: {', '.join(lost)}." if lost else " No peer is faster on any row."
    return text


def _griewank(results: dict[str, Any]) -> str:
    names = ("hand-numpy", "c", "c 1", "numpy", "python")
    rows = []
    for row, found in results.items():
        over = [ratio(median(found.get(name)), median(found.get(name), "value")) for name in names]
        if any(over[1:]):
            rows.append([TITLES[row], *over])
    return table(("derivative over value", *map(titled, names)), rows) if rows else "Not measured."


def cold_page(found: dict[str, Any]) -> str:
    """Import, size, first gradient and memory."""
    head = ("", "import", "installed", *(f"first: {TITLES[row]}" for row in COLD_ROWS), "memory, same rows")
    rows = []
    for name, its in found.items():
        firsts = [its["rows"][row] for row in COLD_ROWS]
        told = [duration(f["seconds"]) if "seconds" in f else f["failed"] for f in firsts]
        peaks = " / ".join(f"{f['megabytes']:.0f}" if "megabytes" in f else "-" for f in firsts)
        rows.append((titled(name), duration(its["import"]), f"{its['megabytes']:.0f} MB", *told, f"{peaks} MB"))
    text = (
        "New processes with empty caches: the import, with NumPy's; the size, with all that is required; from the "
        "import to the first gradient, tracing and compiling included; what the process held at most."
    )
    return f"## From a cold start\n\n{table(head, rows)}\n\n{text}"
