"""Logistic regression and a multilayer perceptron: matrix products, and what is done between them."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from wengert.tools.bench.rows.row import Row

__all__ = ["ROWS"]


def logistic(w: Any, X: Any, y: Any) -> Any:
    """The mean logistic loss of labels -1 and 1."""
    return np.mean(np.log1p(np.exp(-y * (X @ w))))


def logistic_by_hand(w: Any, X: Any, y: Any) -> Any:
    e = np.exp(-y * (X @ w))
    return np.mean(np.log1p(e)), (X.T @ (-y * e / (1.0 + e)) / len(y),)


def labelled(rows: int, columns: int) -> tuple[Any, ...]:
    rng = np.random.default_rng(0)
    w, X = rng.normal(size=columns) / np.sqrt(columns), rng.normal(size=(rows, columns))
    return w, X, np.where(rng.normal(size=rows) > 0.0, 1.0, -1.0)


def mlp(W1: Any, b1: Any, W2: Any, b2: Any, W3: Any, b3: Any, X: Any, Y: Any) -> Any:
    """The mean cross-entropy of softmax, after two hidden layers of rectified units."""
    h = np.maximum(X @ W1 + b1, 0.0)
    h = np.maximum(h @ W2 + b2, 0.0)
    z = h @ W3 + b3
    z = z - np.max(z, axis=1, keepdims=True)
    return np.mean(np.log(np.sum(np.exp(z), axis=1)) - np.sum(z * Y, axis=1))


def mlp_by_hand(W1: Any, b1: Any, W2: Any, b2: Any, W3: Any, b3: Any, X: Any, Y: Any) -> Any:
    h1 = np.maximum(X @ W1 + b1, 0.0)
    h2 = np.maximum(h1 @ W2 + b2, 0.0)
    z = h2 @ W3 + b3
    z -= np.max(z, axis=1, keepdims=True)
    e = np.exp(z)
    total = np.sum(e, axis=1, keepdims=True)
    value = np.mean(np.log(total[:, 0]) - np.sum(z * Y, axis=1))
    dz = (e / total - Y) / len(X)
    d2 = (dz @ W3.T) * (h2 > 0.0)
    d1 = (d2 @ W2.T) * (h1 > 0.0)
    return value, (X.T @ d1, d1.sum(axis=0), h1.T @ d2, d2.sum(axis=0), h2.T @ dz, dz.sum(axis=0))


def layers(batch: int, *widths: int) -> tuple[Any, ...]:
    rng = np.random.default_rng(0)
    weights: list[Any] = []
    for above, below in itertools.pairwise(widths):
        weights += [rng.normal(size=(above, below)) / np.sqrt(above), rng.normal(size=below) / 10]
    labels = np.eye(widths[-1])[rng.integers(0, widths[-1], batch)]
    return (*weights, rng.normal(size=(batch, widths[0])), labels)


def _perceptron(batch: int, title: str) -> Row:
    size = (batch, 784, 256, 128, 10)
    return Row(f"mlp{batch}", title, mlp, layers, size, mlp_by_hand, (5, 7, 6, 4, 3), argnums=(0, 1, 2, 3, 4, 5),
               threads=True)  # fmt: skip


ROWS = (
    Row("logistic", "logistic regression, 10,000 x 100", logistic, labelled, (10_000, 100), logistic_by_hand, (9, 4),
        threads=True),
    _perceptron(128, "MLP 784-256-128-10, batch 128"),
    _perceptron(1, "the same, batch 1"),
)  # fmt: skip
