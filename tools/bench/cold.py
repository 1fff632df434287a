"""What a new process pays: import, first gradient with empty caches, memory at most, and what had to be installed."""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wengert.tools.bench.entry import PEERS
from wengert.tools.bench.race import environment, told

__all__ = ["ROWS", "first", "import_seconds", "main", "megabytes", "versions"]

#: The rows whose first gradient is timed.
ROWS = ("rosenbrock1000", "mlp128", "gmm10")

#: What `wg.trace` and `wg.grad` load when they are first asked for.
OWN = "wengert.tracer.derivatives"

_IMPORT = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"


def import_seconds(module: str, runs: int = 3) -> float:
    """The median of imports in new processes, NumPy's included."""
    command = [sys.executable, "-c", _IMPORT.format(module)]
    here = environment(None)
    done = [subprocess.run(command, capture_output=True, text=True, check=True, env=here) for _ in range(runs + 1)]
    return statistics.median(float(each.stdout) for each in done[1:])


def megabytes(distribution: str) -> float:
    """The size of what an installation brings: the distribution, and all that it requires."""
    seen: set[str] = set()
    todo, total = [distribution], 0
    while todo:
        name = re.sub(r"[-_.]+", "-", todo.pop()).lower()
        if name in seen:
            continue
        seen.add(name)
        try:
            found = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # for another platform, or Python
        for file in found.files or ():
            path = Path(str(found.locate_file(file)))
            total += path.stat().st_size if path.is_file() and path.suffix != ".pyc" else 0
        for requirement in found.requires or ():
            if "extra ==" not in requirement and (match := re.match(r"[\w.-]+", requirement)):
                todo.append(match.group())
    return total / 1e6


def package_megabytes() -> float:
    """The size of wengert as it lies here, and of what it requires."""
    root = Path(__file__).resolve().parents[2]
    own = sum(f.stat().st_size for layer in ("ir", "backends", "tracer", "tools") for f in (root / layer).rglob("*.py"))
    return own / 1e6 + sum(megabytes(name) for name in ("numpy", "attrs", "msgpack"))


def versions(names: Sequence[str]) -> dict[str, str]:
    """The version of each distribution that there is."""
    found = {}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def first(name: str, row: str, *, limit: float) -> dict[str, Any]:
    """Seconds from nothing compiled to the first gradient, and the process's memory, in a new process."""
    with tempfile.TemporaryDirectory() as folder:
        here = environment(None) | {"WENGERT_CACHE": folder}
        command = [sys.executable, "-m", "wengert.tools.bench.cold", name, row]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, env=here, timeout=limit)
        except subprocess.TimeoutExpired:
            return {"failed": f"more than {limit:.0f} s"}
        if done.returncode != 0:
            return {"failed": (done.stderr.strip().splitlines() or ["it ended"])[-1]}
        return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def everyone(names: Sequence[str], *, limit: float) -> dict[str, dict[str, Any]]:
    """By name: import, size, and for each row the first gradient and the memory."""
    found: dict[str, dict[str, Any]] = {}
    for name in names:
        told(f"  cold start: {name} ...")
        module = PEERS.get(name, "numpy" if name == "hand-numpy" else "wengert")
        size = package_megabytes() if module == "wengert" else megabytes(module)
        found[name] = {"import": import_seconds(OWN if module == "wengert" else module), "megabytes": size,
                       "rows": {row: first(name, row, limit=limit) for row in ROWS}}  # fmt: skip
    return found


def main() -> None:
    """One first gradient, as JSON."""
    from wengert.tools.bench.entry import entry
    from wengert.tools.bench.rows import chosen

    (row,) = (each for each in chosen(sys.argv[2]) if each.name == sys.argv[2])
    if sys.argv[1] in PEERS:
        importlib.import_module(PEERS[sys.argv[1]])
    start = time.perf_counter()
    its = entry(sys.argv[1], row)
    its.call(*its.args)
    seconds, peak = time.perf_counter() - start, 0.0
    if os.name == "posix":
        import resource

        size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        peak = size / (1e6 if sys.platform == "darwin" else 1e3)
    print(json.dumps({"seconds": seconds, "megabytes": peak}))


if __name__ == "__main__":
    main()
