"""Loops at work: what schedules of checkpoints keep of a long scan, and back-propagation through time on real data."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import numpy as np

import wengert as wg

__all__ = ["accuracy", "digits", "initial", "loops", "loss", "measured", "scores", "trained", "workspace"]

# -- a long scan ---------------------------------------------------------------------------------------------------

STEPS, WIDTH = 100_000, 16
SCHEDULES: tuple[str | int | None, ...] = (None, "sqrt", 10, 20)


def recurrent(weights: Any, inputs: Any, schedule: Any) -> Any:
    """The last state of a recurrent network, summed."""

    def step(h: Any, x: Any) -> Any:
        return np.tanh(weights @ h + x), None

    return wg.scan(step, np.zeros(WIDTH), inputs, checkpoint=schedule)[0].sum()


def measured(schedule: str | int | None, steps: int = STEPS) -> tuple[float, float, Any]:
    """Seconds and bytes that a gradient through so many steps takes on ``c``, and the gradient.

    The bytes are what the process has at most beyond what it had before, the program compiled and its inputs there.
    """
    import resource

    rng = np.random.default_rng(0)
    weights, inputs = rng.normal(size=(WIDTH, WIDTH)) / 5, rng.normal(size=(steps, WIDTH))
    program = wg.trace(lambda w, x: recurrent(w, x, schedule)).graph(weights, inputs).on("c")
    run, one = program.reverse((0,)), [np.ones((1,))]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    gradient = run([weights, inputs], one)[1][0][0]
    seconds = time.perf_counter() - start
    return seconds, 1024.0 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before), gradient


def workspace(schedule: str | int | None, steps: int) -> int:
    """The bytes that the compiled gradient works in, beside its arguments and results."""
    from wengert.backends.source.c.emit import Program
    from wengert.ir import autodiff

    arrays = np.zeros((WIDTH, WIDTH)), np.zeros((steps, WIDTH))
    graph = wg.trace(lambda w, x: recurrent(w, x, schedule)).graph(*arrays).graph
    return Program(autodiff.vjp(graph, (0,)), "gradient", hosted=True).workspace


def _in_a_process(schedule: str | int | None, steps: int) -> tuple[float, float, list[float]]:
    """The same in a process of its own, whose memory nobody else has grown."""
    code = (
        "import json; from wengert.tools.bench.loops import measured; "
        f"s, b, g = measured({schedule!r}, {steps}); print(json.dumps([s, b, g.ravel().tolist()]))"
    )
    import json

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return tuple(json.loads(done.stdout))  # type: ignore[return-value]


# -- digits, pixel by pixel ----------------------------------------------------------------------------------------

PIXELS, HIDDEN, CLASSES = 64, 48, 10


def digits() -> tuple[Any, Any, Any, Any]:
    """Handwritten digits as sequences of 64 pixels, and one-hot labels: to train with, and to test with."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(images))
    sequences, rows = images[order].T[:, :, None] / 16.0, np.eye(CLASSES)[labels[order]]
    cut = 1500
    return sequences[:, :cut], rows[:cut], sequences[:, cut:], rows[cut:]


def initial(seed: int = 0) -> dict[str, Any]:
    """Weights of a gated recurrent unit (Cho et al., 2014) and of the layer that reads its last state."""
    rng = np.random.default_rng(seed)
    square = np.concatenate([np.linalg.qr(rng.normal(size=(HIDDEN, HIDDEN)))[0] for _ in range(3)], axis=1)
    return {
        "x": rng.normal(size=(1, 3 * HIDDEN)) * 0.5, "h": square,
        "b": np.concatenate([np.zeros(HIDDEN), np.ones(HIDDEN), np.zeros(HIDDEN)]),
        "out": rng.normal(size=(HIDDEN, CLASSES)) * 0.1,
    }  # fmt: skip


def _step(params: dict[str, Any], h: Any, x: Any) -> Any:
    reading = x @ params["x"] + params["b"]
    remembered = h @ params["h"]
    gates = 1.0 / (1.0 + np.exp(-(reading[:, : 2 * HIDDEN] + remembered[:, : 2 * HIDDEN])))
    reset, keep = gates[:, :HIDDEN], gates[:, HIDDEN:]
    new = np.tanh(reading[:, 2 * HIDDEN :] + reset * remembered[:, 2 * HIDDEN :])
    return keep * h + (1.0 - keep) * new


def scores(params: dict[str, Any], sequences: Any, *, unrolled: bool = False) -> Any:
    """One row of ten scores for each sequence; ``unrolled`` is the same as a Python loop."""
    h = np.zeros((sequences.shape[1], HIDDEN))
    if unrolled:
        for x in sequences:
            h = _step(params, h, x)
    else:
        h, _ = wg.scan(lambda h, x: (_step(params, h, x), None), h, sequences)
    return h @ params["out"]


def loss(params: dict[str, Any], sequences: Any, rows: Any, *, unrolled: bool = False) -> Any:
    """Mean cross-entropy of softmax."""
    z = scores(params, sequences, unrolled=unrolled)
    top = np.max(z, axis=1, keepdims=True)
    return np.mean(top[:, 0] + np.log(np.sum(np.exp(z - top), axis=1)) - np.sum(z * rows, axis=1))


def accuracy(params: dict[str, Any], sequences: Any, rows: Any) -> float:
    """How many are named right."""
    found = wg.trace(scores)(params, sequences)
    return float(np.mean(np.argmax(found, axis=1) == np.argmax(rows, axis=1)))


def trained(epochs: int, backend: str = "numpy", batch: int = 50) -> tuple[list[float], float, float]:
    """Train by back-propagation through time: the losses, the accuracy on what was kept back, seconds per gradient."""
    x, rows, kept, labels = digits()
    params, rng = initial(), np.random.default_rng(1)
    gradient = wg.value_and_grad(wg.trace(loss), backend=backend)
    first = {k: np.zeros_like(v) for k, v in params.items()}
    second = {k: np.zeros_like(v) for k, v in params.items()}
    losses, spent, count, value = [], 0.0, 0, 0.0
    for epoch in range(epochs):
        for chosen in np.split(rng.permutation(len(rows)), len(rows) // batch):
            start = time.perf_counter()
            value, g = gradient(params, x[:, chosen], rows[chosen])
            spent, count = spent + time.perf_counter() - start, count + 1
            rate = 0.01 * 0.5 * (1 + np.cos(np.pi * epoch / epochs))
            for k in params:  # Adam (Kingma and Ba, 2015)
                first[k] += 0.1 * (g[k] - first[k])
                second[k] += 0.001 * (g[k] ** 2 - second[k])
                size = np.sqrt(second[k] / (1 - 0.999**count)) + 1e-8
                params[k] = params[k] - rate * first[k] / (1 - 0.9**count) / size
        losses.append(float(value))
    return losses, accuracy(params, kept, labels), spent / count


def loops(epochs: int = 12, steps: int = STEPS) -> str:
    """Both, as a page."""
    lines = [
        f"# Loops\n\nThe gradient through a recurrent network of {steps:,} steps of width {WIDTH}, on `c`:\n",
        "| checkpoint | seconds | MB it works in | MB that the process grew by | largest difference |",
        "| --- | --- | --- | --- | --- |",
    ]  # fmt: skip
    whole: Any = None
    for schedule in SCHEDULES:
        seconds, taken, gradient = _in_a_process(schedule, steps)
        whole = np.array(gradient) if whole is None else whole
        worst = np.max(np.abs(np.array(gradient) - whole)) / np.max(np.abs(whole))
        own = workspace(schedule, steps) / 1e6
        lines.append(f"| {schedule} | {seconds:.2f} | {own:.2f} | {taken / 1e6:.1f} | {worst:.0e} |")
    lines += [
        f"\nBack-propagation through time: digits, read pixel by pixel ({PIXELS} steps), {epochs} epochs:\n",
        "| backend | ms per gradient of 50 sequences | last loss | right of those kept back |",
        "| --- | --- | --- | --- |",
    ]
    for backend in ("numpy", "c"):
        losses, right, each = trained(epochs, backend)
        lines.append(f"| {backend} | {1e3 * each:.1f} | {losses[-1]:.3f} | {right:.1%} |")
    return "\n".join(lines)
