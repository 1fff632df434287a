"""The second half of the demo: a process that has digits.wg, and no source of the model."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from attrs import define, field

import wengert as wg
from wengert.backends import protocol

__all__ = ["main"]

MODEL = "wengert.tools.demo_model"
WEIGHTS = 2  # digits(X, Y, params)
SECONDS = 6.0
COLUMNS = ("target", "loss", "largest difference\nof gradients", "ready in", "value", "value and\ngradient", "ratio")


@define
class Target:
    """One backend, bound to the data; times in seconds."""

    name: str
    value: Callable[[], Any]
    gradient: Callable[[], Any]
    ready: float = 0.0
    loss: float = 0.0
    weights: Any = None
    value_times: list[float] = field(factory=list)
    gradient_times: list[float] = field(factory=list)

    def row(self, expected: list[Any]) -> tuple[str, ...]:
        """The cells of the table."""
        pairs = zip(self.weights.values(), expected, strict=True)
        worst = max(float(np.max(np.abs(g - e))) for g, e in pairs)
        value, gradient = statistics.median(self.value_times), statistics.median(self.gradient_times)
        return (self.name, f"{self.loss:.12f}", f"{worst:.1e}", f"{self.ready:.2f} s",
                _duration(value), _duration(gradient), f"{gradient / value:.1f}")  # fmt: skip


def _duration(seconds: float) -> str:
    return f"{1e6 * seconds:.0f} us" if seconds < 1e-3 else f"{1e3 * seconds:.1f} ms"


def _clock(call: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def _target(program: Any, name: str, X: Any, Y: Any) -> Target:
    """Made ready: compiled, and called once."""
    chosen = program.on(name)
    both = wg.value_and_grad(chosen, argnums=WEIGHTS)
    target = Target(name, lambda: chosen(X, Y), lambda: both(X, Y))
    first, _ = _clock(target.value)
    second, (target.loss, target.weights) = _clock(target.gradient)
    target.ready = first + second
    return target


def _measure(targets: list[Target]) -> None:
    """Interleaved, so that a busy moment touches all alike."""
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end or len(targets[0].value_times) < 3:
        for target in targets:
            target.value_times.append(_clock(target.value)[0])
            target.gradient_times.append(_clock(target.gradient)[0])


def _print(rows: list[tuple[str, ...]], title: str) -> None:
    try:
        import rich.box
        from rich.console import Console
        from rich.table import Table
    except ImportError:
        print(title)
        for cells in ([c.replace("\n", " ") for c in COLUMNS], *rows):
            print("  " + "  ".join(f"{c:>12}" for c in cells))
        return
    table = Table(title=title, box=rich.box.SIMPLE_HEAD, title_justify="left", title_style="bold")
    for i, column in enumerate(COLUMNS):
        table.add_column(column, justify="right" if i else "left", no_wrap=True)
    for cells in rows:
        table.add_row(*cells)
    Console(width=max(Console().width, 100)).print(table)


def main(folder: Path) -> None:
    """Load, run and differentiate on every target."""
    data = np.load(folder / "held-out.npz")
    X, Y = data["X"], data["Y"]
    program = wg.load(folder / "digits.wg")
    read = wg.load(folder / "digits-read.wg")
    wrong = int(np.sum(read(X) != data["labels"]))
    absent = {name: reason for name, reason in wg.available_backends().items() if reason is not None}
    targets = [_target(program, name, X, Y) for name in protocol.BUILT_IN if name not in absent]
    _measure(targets)
    if MODEL in sys.modules:
        sys.exit(f"{MODEL} was imported: this process was to know the model from its file alone.")
    weights = sum(w.size for w in targets[0].weights.values())
    print(f"\nA new process, without the model's source, read {len(X)} held-out images, {wrong} of them wrongly.")
    expected = list(next(t.weights for t in targets if t.name == "numpy").values())
    title = f"Loss over {len(X)} images, and its gradient in {weights} weights: medians of interleaved calls"
    _print([target.row(expected) for target in targets], title)
    for name, reason in absent.items():
        print(f"{name} has no row: {reason}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
