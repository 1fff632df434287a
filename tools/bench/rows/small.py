"""Functions of a few numbers, where a call costs more than its arithmetic; and Rosenbrock's at three sizes."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.tools.bench.rows.row import Row

__all__ = ["ROWS"]


def product(a: Any, b: Any) -> Any:
    return (a + b) * (b + 1)


def product_by_hand(a: Any, b: Any) -> Any:
    c, d = a + b, b + 1
    return c * d, (d, c + d)


def rosenbrock(x: Any) -> Any:
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def rosenbrock_by_hand(x: Any) -> Any:
    head = x[:-1]
    across, along = x[1:] - head * head, 1.0 - head
    slope = np.zeros_like(x)
    slope[1:] = 200.0 * across
    slope[:-1] -= 400.0 * head * across + 2.0 * along
    return 100.0 * (across @ across) + along @ along, (slope,)


def rosenbrock_times(x: Any, v: Any) -> Any:
    """The value, and the tridiagonal Hessian times v."""
    head, tail = x[:-1], x[1:]
    across, along = tail - head * head, 1.0 - head
    moved = np.zeros_like(x)
    moved[:-1] = (800.0 * head * head - 400.0 * across + 2.0) * v[:-1] - 400.0 * head * v[1:]
    moved[1:] += 200.0 * v[1:] - 400.0 * head * v[:-1]
    return 100.0 * (across @ across) + along @ along, (moved,)


def points(n: int) -> tuple[Any, ...]:
    return (np.random.default_rng(0).normal(size=n),)


def points_and_directions(n: int) -> tuple[Any, ...]:
    rng = np.random.default_rng(0)
    return rng.normal(size=n), rng.normal(size=n)


def xor(W1: Any, b1: Any, W2: Any, b2: Any, X: Any, Y: Any) -> Any:
    """The squared errors of a network with one hidden layer, over the four rows of the truth table."""
    hidden = np.tanh(X @ W1 + b1)
    found = 1.0 / (1.0 + np.exp(-(hidden @ W2 + b2)))
    return np.sum((found - Y) ** 2)


def xor_by_hand(W1: Any, b1: Any, W2: Any, b2: Any, X: Any, Y: Any) -> Any:
    hidden = np.tanh(X @ W1 + b1)
    found = 1.0 / (1.0 + np.exp(-(hidden @ W2 + b2)))
    error = found - Y
    dz = 2.0 * error * found * (1.0 - found)
    dh = np.outer(dz, W2) * (1.0 - hidden * hidden)
    return error @ error, (X.T @ dh, dh.sum(axis=0), dz @ hidden, dz.sum())


def truth_table(hidden: int) -> tuple[Any, ...]:
    rng = np.random.default_rng(0)
    X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    Y = np.array([0.0, 1.0, 1.0, 0.0])
    return rng.normal(size=(2, hidden)), rng.normal(size=hidden), rng.normal(size=hidden), 0.1, X, Y


def _rosenbrock(n: int, title: str, **more: Any) -> Row:
    return Row(f"rosenbrock{n}", title, rosenbrock, points, (n,), rosenbrock_by_hand, (7,), **more)


ROWS = (
    Row("product", "(a + b) (b + 1)", product, lambda: (2.0, 1.0), (), product_by_hand, argnums=(0, 1)),
    _rosenbrock(10, "Rosenbrock, n = 10"),
    _rosenbrock(1000, "Rosenbrock, n = 1000"),
    Row("hvp1000", "the same, value and Hessian times a vector", rosenbrock, points_and_directions, (1000,),
        rosenbrock_times, (7,), asked="product"),
    Row("xor", "XOR network 2-2-1", xor, truth_table, (2,), xor_by_hand, (3,), argnums=(0, 1, 2, 3)),
    _rosenbrock(10**6, "Rosenbrock, n = 10^6", threads=True),
)  # fmt: skip
