"""`make bench-scale`: what graphs of a thousand to fifty thousand nodes cost, stage by stage, and how it grows.

Each stage's CPU time is fitted by c n**p over the sizes: p is 1 where twice the nodes take twice the time.
"""

from __future__ import annotations

import argparse
import gc
import math
import os
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import wengert as wg
from wengert.backends import protocol
from wengert.ir import autodiff, wire
from wengert.tools.bench.timing import table

__all__ = ["FAMILIES", "exponent", "main", "measured"]

SIZES = (1_000, 7_000, 50_000)
#: A stage that takes longer than this is not measured at larger sizes.
PATIENCE = 40.0
#: What an exponent may be, noise and all.
LINEAR = 1.15

Case = tuple[Callable[..., Any], tuple[Any, ...]]


def chain(n: int) -> Case:
    """One operation after the other."""

    def function(x: Any) -> Any:
        for _ in range(n // 2):
            x = np.sin(x) * 1.1
        return np.sum(x)

    return function, (np.linspace(0, 1, 3),)


def fan(n: int) -> Case:
    """One value read by all, one sum of as many terms."""

    def function(x: Any) -> Any:
        total = 0.0
        for k in range(n // 2):
            total = total + x * (k + 1.0)
        return np.sum(total)

    return function, (np.linspace(0, 1, 3),)


def reads(n: int) -> Case:
    """x[0], x[1], ...: the adjoint of as many slices of one array."""

    def function(x: Any) -> Any:
        state = 0.0
        for t in range(n // 4):
            state = state * 0.9 + x[t]
        return state

    return function, (np.linspace(0, 1, n // 4),)


def writes(n: int) -> Case:
    """An array filled by index, each element from the one before."""

    def function(x: Any) -> Any:
        y = np.zeros(len(x) + 1)
        for t in range(n // 5):
            y[t + 1] = y[t] * 0.9 + x[t]
        return np.sum(y * y)

    return function, (np.linspace(0, 1, n // 5),)


def stack(n: int) -> Case:
    """Many values put into one array."""

    def function(x: Any) -> Any:
        return np.sum(np.stack([x * (k + 1.0) for k in range(n // 2)]) ** 2)

    return function, (np.linspace(0, 1, 3),)


def wide(n: int) -> Case:
    """As many arguments as results."""

    def function(xs: Any) -> Any:
        return sum([np.sin(x) * x for x in xs])

    return function, ([float(v) for v in np.linspace(0, 1, n // 3)],)


def steps(n: int) -> Case:
    """Runge-Kutta steps of two equations, of Python numbers."""

    def slope(y: Any, z: Any) -> Any:
        return 1.5 * y - y * z, y * z - 3.0 * z

    def function(y: Any, z: Any) -> Any:
        h = 0.01
        for _ in range(n // 52):
            a, b = slope(y, z)
            c, d = slope(y + h / 2 * a, z + h / 2 * b)
            p, q = slope(y + h / 2 * c, z + h / 2 * d)
            r, s = slope(y + h * p, z + h * q)
            y, z = y + h / 6 * (a + 2 * c + 2 * p + r), z + h / 6 * (b + 2 * d + 2 * q + s)
        return y + z

    return function, (1.0, 1.0)


#: Shapes of graphs, of about as many nodes as asked for.
FAMILIES: dict[str, Callable[[int], Case]] = {
    "a chain": chain, "fan out, fan in": fan, "reads of x[t]": reads, "writes of y[t]": writes, "one stack": stack,
    "many arguments": wide, "Runge-Kutta": steps,
}  # fmt: skip


def _stages(case: Case) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Each stage, on what the one before made."""
    function, args = case
    found: dict[str, Any] = {}

    def keep(name: str, value: Any) -> Any:
        found[name] = value
        return value

    yield "trace", lambda: keep("program", wg.trace(function).graph(*args))
    program = found["program"]
    graph = program.graph
    active = tuple(range(len(graph.inputs)))
    yield "derive", lambda: keep("vjp", autodiff.vjp(graph, active))
    yield "save", lambda: keep("bytes", wire.to_bytes(found["vjp"]))
    yield "load", lambda: wire.from_bytes(found["bytes"])
    found.pop("bytes", None)
    arrays = [np.asarray(x) for x in (args[0] if isinstance(args[0], list) else args)]
    given = [*arrays, *(np.ones(v.type.shape) for v in graph.outputs)]
    for backend in ("numpy", "python"):
        yield f"compile ({backend})", lambda: keep("run", protocol.get(backend).compile(found["vjp"]))  # noqa: B023 (called at once)
        yield f"run ({backend})", lambda: found["run"](given)


def measured(make: Callable[[int], Case], sizes: Sequence[int] = SIZES) -> dict[str, list[float]]:
    """The CPU seconds of each stage at each size; those that took too long at a size end there."""
    times: dict[str, list[float]] = {}
    for i, size in enumerate(sizes):
        for name, call in _stages(make(size)):
            gc.collect()
            start = time.process_time()
            call()
            times.setdefault(name, []).append(time.process_time() - start)
        if sum(row[i] for row in times.values()) > PATIENCE:
            break
    return times


def exponent(sizes: Sequence[int], seconds: Sequence[float]) -> float:
    """The slope of log(seconds) over log(sizes)."""
    if len(seconds) < 2:
        return math.nan
    logs = np.log(np.maximum(seconds, 1e-6))
    return float(np.polyfit(np.log(sizes[: len(seconds)]), logs, 1)[0])


def _memory() -> float:
    """The most memory that this process has had, in GB; 0 where nobody says."""
    try:
        import resource
    except ImportError:
        return 0.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def one(name: str, size: int) -> None:
    """Print the CPU seconds of each stage of one graph as it ends, and the most memory until then."""
    for stage, call in _stages(FAMILIES[name](size)):
        start = time.process_time()
        call()
        print(f"{stage:18} {time.process_time() - start:8.1f} s  {_memory():6.2f} GB", flush=True)


def _machine() -> str:
    """One line on where this was measured."""
    return (
        f"Measured on {platform.system()} {platform.machine()}, {os.cpu_count()} CPUs, Python "
        f"{platform.python_version()}, NumPy {np.__version__}."
    )


def run_all(sizes: Sequence[int] = SIZES, write: Path | None = None) -> None:
    """Print the costs of each family as they are measured; with ``write``, into a file too."""
    found = {name: measured(make, sizes) for name, make in FAMILIES.items()}
    stages = list(next(iter(found.values())))
    slopes = {(name, s): exponent(sizes, row[s]) for name, row in found.items() for s in stages}
    head = ("graph", *stages)
    grows = [(name, *(f"{slopes[name, s]:.2f}" for s in stages)) for name in found]
    costs = []
    for name, row in found.items():
        last = [(1e6 * row[s][-1] / sizes[len(row[s]) - 1]) for s in stages]
        costs.append((name, *(f"{micro:.3g}" for micro in last)))
    above = sorted(f"{s} of {name} ({p:.2f})" for (name, s), p in slopes.items() if p > LINEAR)
    text = (
        f"# Cost against size\n\nWritten by `make bench-scale`. {_machine()} CPU times at about "
        f"{', '.join(f'{n:,}' for n in sizes)} nodes; derive is reverse mode, graph to graph, and what is saved, "
        f"loaded, compiled and run is its result.\n\n## How cost grows: the exponent p of c n**p\n\n"
        f"{table(head, grows)}\n\nAbove {LINEAR}: {', '.join(above) or 'none'}.\n\n"
        f"## Microseconds per node of the function, at the largest size\n\n{table(head, costs)}\n\n"
        f"The process took {_memory():.1f} GB at most."
    )
    print(text)
    if write is not None:
        write.write_text(text + "\n", encoding="utf-8")


def main() -> None:
    """The costs, as a program."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m wengert.tools.bench.scale")
    parser.add_argument("--sizes", type=float, nargs="+", default=SIZES, help="about how many nodes")
    parser.add_argument("--write", type=Path, help="write the tables into this file, too")
    parser.add_argument("--one", choices=FAMILIES, metavar="GRAPH", help="this graph alone, at each size")
    given = parser.parse_args()
    if given.one:
        for size in given.sizes:
            one(given.one, int(size))
        return
    run_all(tuple(map(int, given.sizes)), given.write)


if __name__ == "__main__":
    main()
