"""The points at which sample calls are made: inside every domain, without ties, well conditioned."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

__all__ = [
    "C3",
    "GRID",
    "HIGH",
    "LOW",
    "MASK",
    "V4",
    "V5",
    "A",
    "B",
    "I",
    "J",
    "S",
    "T",
    "V",
    "W",
    "after",
    "hermitian",
    "positive",
    "rng",
    "text",
    "z",
]  # fmt: skip

V = np.array([0.3, 0.72, 0.45])
W = np.array([0.6, 0.21, 0.83])
V4 = np.array([0.31, 0.74, 0.52, 0.15])
V5 = np.array([0.31, 0.74, 0.52, 0.15, 0.93])
A = np.array([[0.34, 0.81, 0.57], [0.72, 0.13, 0.46]])
B = np.array([[0.61, 0.28, 0.93], [0.17, 0.54, 0.39]])
GRID = np.array([0.1, 0.5, 0.9])
S = np.array([[2.1, 0.3, -0.4], [0.5, 1.6, 0.2], [-0.3, 0.7, 3.2]])  # eigenvalues real and apart
T = np.array([[1.3, 0.0, 0.0], [0.4, 2.2, 0.0], [-0.6, 0.5, 1.7]])
C3 = np.array([[[0.3, 0.8], [0.5, 0.1]], [[0.9, 0.4], [0.2, 0.7]]])
LOW, HIGH = np.array([0.4, 0.62, 0.35]), np.array([0.5, 0.92, 0.4])  # one below, one within, one above
I = np.array([6, 10, 15])
J = np.array([4, 3, 5])
MASK = np.array([True, False, True])


def z(x: Any) -> Any:
    """A complex array made of a real one."""
    return x + 0.5j * x * x


def positive(x: Any) -> Any:
    """A symmetric positive definite matrix, however the square x moves."""
    return x @ x.T + np.eye(3)


def hermitian(x: Any) -> Any:
    """A symmetric matrix, however the square x moves."""
    return x + x.T


def after(change: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
    """A copy of x after ``change(x, ...)`` has changed it in place."""
    x = x.copy()
    change(x, *args, **kwargs)
    return x


def rng() -> Any:
    """The same generator each time, so that draws are functions of their parameters."""
    return np.random.default_rng(7)


def text(content: str = "0.5 1.5\n") -> Any:
    """A file with numbers."""
    return io.StringIO(content)
