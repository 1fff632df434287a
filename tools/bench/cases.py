"""What the benchmarks run: plain NumPy functions, and data for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["MILLION", "SMALL", "Case", "deep", "network", "network_by_hand", "weights_and_data"]

#: A name, a function that returns one number, and its arguments; the gradient is taken in the first.
Case = tuple[str, Callable[..., Any], tuple[Any, ...]]

_N = 1_000_000
_RNG = np.random.default_rng(0)


def smooth(x: Any) -> Any:
    return np.sum(np.sin(x) * np.exp(-0.5 * x * x))


def log_sum_exp(x: Any) -> Any:
    top = np.max(x)
    return top + np.log(np.sum(np.exp(x - top)))


def rosenbrock(x: Any) -> Any:
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def layer(W: Any, v: Any) -> Any:
    return np.sum(np.tanh(W @ v))


def normalised(x: Any) -> Any:
    centred = x - np.mean(x)
    return np.sum(np.tanh(centred / np.sqrt(np.mean(centred * centred) + 1e-6)) ** 3)


def product(a: Any, b: Any) -> Any:
    return (a + b) * (b + 1)


def network(W1: Any, W2: Any, X: Any, Y: Any) -> Any:
    z = np.tanh(X @ W1) @ W2
    top = np.max(z, axis=1, keepdims=True)
    return np.mean(top[:, 0] + np.log(np.sum(np.exp(z - top), axis=1)) - np.sum(z * Y, axis=1))


def network_by_hand(W1: Any, W2: Any, X: Any, Y: Any) -> Any:
    """``network`` and its gradient in both weights, as one would write it."""
    h = np.tanh(X @ W1)
    z = h @ W2
    top = np.max(z, axis=1, keepdims=True)
    e = np.exp(z - top)
    total = np.sum(e, axis=1, keepdims=True)
    value = np.mean(top[:, 0] + np.log(total[:, 0]) - np.sum(z * Y, axis=1))
    dz = (e / total - Y) / len(X)
    return value, (X.T @ ((dz @ W2.T) * (1 - h * h)), h.T @ dz)


def weights_and_data(rows: int, inputs: int, hidden: int, outputs: int) -> tuple[Any, ...]:
    """Arguments of ``network``."""
    sizes = ((inputs, hidden), (hidden, outputs), (rows, inputs))
    labels = np.eye(outputs)[_RNG.integers(0, outputs, rows)]
    return (*(_RNG.normal(size=size) / np.sqrt(inputs) for size in sizes), labels)


#: Scalar functions of a million inputs.
MILLION: tuple[Case, ...] = (
    ("sum(sin(x) exp(-x**2 / 2))", smooth, (_RNG.normal(size=_N),)),
    ("log(sum(exp(x)))", log_sum_exp, (_RNG.normal(size=_N),)),
    ("Rosenbrock", rosenbrock, (_RNG.normal(size=_N),)),
    ("normalised, tanh, cubed", normalised, (_RNG.normal(size=_N),)),
    ("sum(tanh(W v)), W 1000 x 1000", layer, (_RNG.normal(size=(1000, 1000)) / 30, _RNG.normal(size=1000))),
)

#: Functions small enough for one scalar at a time.
SMALL: tuple[Case, ...] = (
    ("(a + b) (b + 1)", product, (2.0, 1.0)),
    ("Rosenbrock, 1000 inputs", rosenbrock, (_RNG.normal(size=1000),)),
    ("network 64-32-10, 32 rows", network, (
        _RNG.normal(size=(64, 32)) / 8, _RNG.normal(size=(32, 10)) / 6,
        _RNG.normal(size=(32, 64)), np.eye(10)[_RNG.integers(0, 10, 32)])),
)  # fmt: skip


def deep(x: Any, w: Any) -> Any:
    """A long program for the tracer: 1000 rounds of arithmetic, functions, a slice and a reduction."""
    for _ in range(1000):
        x = np.tanh(w * x + 0.1)
        y = x - np.mean(x)
        x = y * np.exp(-y * y) + np.sin(x[::-1])
    return np.sum(x)
