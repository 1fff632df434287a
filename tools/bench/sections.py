"""What a gradient, a trace and an import cost: wengert alone, and medians of interleaved runs."""

from __future__ import annotations

import functools
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import wengert as wg
from wengert.backends import protocol
from wengert.tools.bench.cases import MILLION, SMALL, Case, deep, network, network_by_hand, weights_and_data
from wengert.tools.bench.timing import duration, interleaved, table

__all__ = ["EVERY"]

ROOT = Path(wg.__file__).resolve().parent
RATIO, NODES, IMPORT_MS, WHEEL_KB = 3, 50_000, 100, 1000


def _here(names: Sequence[str]) -> list[str]:
    reasons = wg.available_backends()
    return [name for name in names if reasons.get(name, "") is None]


# -- sections -------------------------------------------------------------------------------------


def cheap_gradient(backends: Sequence[str] = ("numpy", "python", "c")) -> str:
    """Gradient over value, for a million inputs; and what forward mode would take."""
    rows, ratios = [], []
    for name, function, args in MILLION:
        for backend in _here(backends):
            calls = [*_pair(function, args, backend), _sweep(function, args, backend)]
            value, gradient, push = interleaved(calls)
            rows.append((name, backend, duration(value), duration(gradient), f"{gradient / value:.2f}",
                         duration(push * args[0].size)))  # fmt: skip
            if backend != "python":
                ratios.append(gradient / value)
    head = ("function of 10^6 inputs", "backend", "value", "value and gradient", "ratio", "10^6 forward sweeps")
    kept = sum(ratio <= RATIO for ratio in ratios)
    text = (
        f"On numpy and c, {kept} of {len(ratios)} ratios are at most {RATIO}, which is the aim; the median is "
        f"{statistics.median(ratios):.2f}, the largest {max(ratios):.2f}. A ratio is large where the value is little "
        "more than one pass over memory: the gradient is an array to be written, the value one number."
    )
    return f"## A gradient costs a small multiple of a value\n\n{table(head, rows)}\n\n{text}"


def _pair(function: Any, args: Any, backend: str) -> list[Callable[[], Any]]:
    """The value, and the value with its gradient, as calls."""
    program = wg.trace(function).graph(*args).on(backend)
    both = wg.value_and_grad(program)
    return [lambda: program(*args), lambda: both(*args)]


def _sweep(function: Any, args: Any, backend: str) -> Callable[[], Any]:
    """One forward sweep, as a call."""
    program = wg.trace(function).graph(*args).on(backend)
    tangents = (np.ones_like(args[0]), *map(np.zeros_like, args[1:]))
    return lambda: wg.jvp(program, args, tangents)


def every_target(cases: Sequence[Case] = SMALL) -> str:
    """Value and gradient of small functions, on every backend there is."""
    rows = []
    names = _here(tuple(protocol.BUILT_IN))
    for name, function, args in cases:
        medians = iter(interleaved([call for backend in names for call in _pair(function, args, backend)]))
        for backend in names:
            value, gradient = next(medians), next(medians)
            rows.append((name, backend, duration(value), duration(gradient), f"{gradient / value:.2f}"))
    head = ("function", "backend", "value", "value and gradient", "ratio")
    return f"## Small functions, on every target\n\n{table(head, rows)}"


def against_hand(backends: Sequence[str] = ("numpy", "python", "c")) -> str:
    """Value and gradient of a network, over those written by hand."""
    rows = []
    names = _here(backends)
    for sizes in ((32, 64, 32, 10), (128, 784, 128, 10), (512, 784, 512, 10)):
        args = weights_and_data(*sizes)
        program = wg.trace(network).graph(*args)
        ours = [wg.value_and_grad(program.on(name), argnums=(0, 1)) for name in names]
        calls = [functools.partial(f, *args) for f in (network_by_hand, *ours)]
        hand, *times = interleaved(calls, seconds=4)
        rows.append((", ".join(map(str, sizes)), duration(hand), *(f"{t / hand:.2f}" for t in times)))
    head = ("rows, inputs, hidden, outputs", "by hand", *names)
    text = (
        "Times over that of the same by hand, in NumPy. Of operations, 1.01 as many are counted (docs/passes.md); the "
        "rest is calls of nodes, which weigh where arrays are small."
    )
    return f"## Against a gradient by hand\n\n{table(head, rows)}\n\n{text}"


def tracing() -> str:
    """Nodes recorded per second."""
    args = (np.linspace(0, 1, 20), np.full(20, 0.9))
    traced = wg.trace(deep)
    nodes = len(traced.graph(*args).graph.nodes)
    (seconds,) = interleaved([lambda: traced.graph(*args)], seconds=2)
    found = f"{nodes} nodes in {duration(seconds)}: {nodes / seconds:,.0f} nodes per second"
    return f"## Tracing\n\n{found}; the aim is more than {NODES:,}."


_IMPORTS = """
import time
start = time.perf_counter()
import numpy
middle = time.perf_counter()
import wengert
alone = time.perf_counter()
wengert.trace, wengert.grad
print(middle - start, alone - middle, time.perf_counter() - middle)
"""


def importing(runs: int = 15) -> str:
    """The import of wengert over that of NumPy, each time in a new process, from compiled bytecode."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONPYCACHEPREFIX": folder}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # as after an installation
        pairs = [_import_times(environment) for _ in range(runs + 1)][1:]
    numpy_ms, alone_ms, own_ms = (1000 * statistics.median(column) for column in zip(*pairs, strict=True))
    return (
        "## Import\n\n"
        f"`import numpy` takes {numpy_ms:.0f} ms, `import wengert` {alone_ms:.1f} ms on top of it, and with `wg.trace` "
        f"and `wg.grad`, which load what they need, {own_ms:.0f} ms (medians of {runs} processes); the aim is less "
        f"than {IMPORT_MS} ms."
    )


def _import_times(environment: dict[str, str]) -> list[float]:
    command = [sys.executable, "-c", _IMPORTS]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return [float(word) for word in done.stdout.split()]


def wheel() -> str:
    """The size of the wheel."""
    title = "## Wheel\n\n"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ignored = shutil.ignore_patterns(".*", "build", "dist", "demo", "*.egg-info", "__pycache__")
        shutil.copytree(ROOT, folder / "clone", ignore=ignored)
        command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", name, f"{folder}/clone"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return f"{title}Not built: {done.stderr.strip().splitlines()[-1]}"
        (built,) = folder.glob("*.whl")
        return f"{title}{built.name} has {built.stat().st_size / 1000:.0f} kB; the aim is less than {WHEEL_KB} kB."


#: What the page tells of wengert alone.
EVERY = (cheap_gradient, every_target, against_hand, tracing, importing, wheel)
