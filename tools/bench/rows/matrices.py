"""Rows that ask for a matrix: blocks, a dense Jacobian, a Hessian; and one long pass over memory."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.tools.bench.bundle import problem, project
from wengert.tools.bench.rows.row import Row

__all__ = ["ROWS"]


def elementwise(x: Any) -> Any:
    return np.sum(np.log1p(np.exp(x * np.sin(x))) + x**2 * np.tanh(x))


def elementwise_by_hand(x: Any) -> Any:
    sine, bent, square = np.sin(x), np.tanh(x), x * x
    e = np.exp(x * sine)
    slope = e / (1.0 + e) * (sine + x * np.cos(x)) + 2.0 * x * bent + square * (1.0 - bent * bent)
    return np.sum(np.log1p(e) + square * bent), (slope,)


def reprojection(p: Any, features: Any) -> Any:
    """The weighted errors of every observation: a row of p is a camera (11), the point it sees (3), a weight."""
    return p[:, 14:] * (project(p[:, :11], p[:, 11:14]) - features)


def skew(a: Any) -> Any:
    """The matrices of the cross products with each row."""
    out = np.zeros((len(a), 3, 3))
    out[:, 2, 1], out[:, 0, 2], out[:, 1, 0] = a.T
    return out - np.swapaxes(out, 1, 2)


def reprojection_by_hand(p: Any, features: Any) -> Any:
    """The chain rule over the formulas.

    The derivative of a rotation is that of G. Gallego and A. Yezzi, "A compact formula for the derivative of a 3-D
    rotation in exponential coordinates" (2015).
    """
    r, f, k1, k2, w = p[:, :3], p[:, 6], p[:, 9], p[:, 10], p[:, 14]
    eye, away = np.eye(3), p[:, 11:14] - p[:, 3:6]
    square = np.sum(r * r, axis=1)[:, None, None]
    angle, K = np.sqrt(square), skew(r)
    R = eye + np.sin(angle) / angle * K + (1.0 - np.cos(angle)) / square * (K @ K)
    y = (R @ away[:, :, None])[:, :, 0]
    turn = -R @ skew(away) @ (r[:, :, None] * r[:, None, :] + (np.swapaxes(R, 1, 2) - eye) @ K) / square
    flat = y[:, :2] / y[:, 2:]
    s = np.sum(flat * flat, axis=1)
    scale = 1.0 + k1 * s + k2 * s * s
    bend = 2.0 * k1 + 4.0 * k2 * s
    flatten = np.zeros((len(p), 2, 3))
    flatten[:, 0, 0] = flatten[:, 1, 1] = 1.0 / y[:, 2]
    flatten[:, :, 2] = -flat / y[:, 2:]
    lens = (scale[:, None, None] * np.eye(2) + bend[:, None, None] * flat[:, :, None] * flat[:, None, :]) @ flatten
    lens *= (w * f)[:, None, None]
    out = np.zeros((len(p), 2, 15))
    out[:, :, :3] = lens @ turn
    out[:, :, 11:14] = lens @ R
    out[:, :, 3:6] = -out[:, :, 11:14]
    out[:, :, 6] = (w * scale)[:, None] * flat
    out[:, 0, 7] = out[:, 1, 8] = w
    out[:, :, 9] = (w * f * s)[:, None] * flat
    out[:, :, 10] = s[:, None] * out[:, :, 9]
    out[:, :, 14] = (scale * f)[:, None] * flat + p[:, 7:9] - features
    return out


def observations(cameras: int, points: int, count: int) -> tuple[Any, ...]:
    c, x, weights, features, seen_by, seen = problem(cameras, points, count)
    return np.concatenate([c[seen_by], x[seen], weights[:, None]], axis=1), features


def layered(x: Any, W1: Any, W2: Any) -> Any:
    return np.tanh(W2 @ np.tanh(W1 @ x))


def layered_by_hand(x: Any, W1: Any, W2: Any) -> Any:
    inner = np.tanh(W1 @ x)
    outer = np.tanh(W2 @ inner)
    return (W2 * ((1.0 - outer * outer)[:, None] * (1.0 - inner * inner))) @ W1


def squares(n: int) -> tuple[Any, ...]:
    rng = np.random.default_rng(0)
    return rng.normal(size=n), rng.normal(size=(n, n)) / np.sqrt(n), rng.normal(size=(n, n)) / np.sqrt(n)


def penalised(w: Any, X: Any) -> Any:
    """Logistic regression with every label 1, and a penalty on the weights."""
    return np.sum(np.log1p(np.exp(-(X @ w)))) + 0.5 * np.sum(w**2)


def penalised_by_hand(w: Any, X: Any) -> Any:
    e = np.exp(-(X @ w))
    share = 1.0 / (1.0 + e)
    out = (X.T * (share * (1.0 - share))) @ X
    out[np.diag_indices(len(w))] += 1.0
    return out


def design(n: int) -> tuple[Any, ...]:
    rng = np.random.default_rng(0)
    return rng.normal(size=n) / np.sqrt(n), rng.normal(size=(n, n))


def numbers(n: int) -> tuple[Any, ...]:
    return (np.random.default_rng(0).normal(size=n),)


ROWS = (
    Row("bundle", "bundle adjustment, 5,000 observations, blocks of the Jacobian", reprojection, observations,
        (49, 2000, 5000), reprojection_by_hand, (3, 4, 6), asked="blocks", threads=True),
    Row("elementwise", "elementwise, n = 10^7: sum(log1p(exp(x sin x)) + x^2 tanh x)", elementwise, numbers, (10**7,),
        elementwise_by_hand, (6,), threads=True),
    Row("jacobian", "dense Jacobian, 200 x 200", layered, squares, (200,), layered_by_hand, (5,), asked="jacobian"),
    Row("hessian", "Hessian, 100 inputs", penalised, design, (100,), penalised_by_hand, (5,), asked="hessian"),
)  # fmt: skip
