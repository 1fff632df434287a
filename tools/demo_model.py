"""The network of the demo, in plain NumPy: nothing here knows of wengert."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["SHAPES", "initial", "loss", "nested", "predicted", "scores"]

#: 64 pixels, 32 hidden units, 10 digits.
SHAPES = {"W1": (64, 32), "b1": (32,), "W2": (32, 10), "b2": (10,)}
WEIGHT_DECAY = 1e-3


def initial(seed: int) -> Any:
    """Random weights, small enough to start in the steep part of tanh, as one vector."""
    rng = np.random.default_rng(seed)
    parts = [rng.normal(size=shape) / np.sqrt(shape[0]) if len(shape) == 2 else np.zeros(shape)
             for shape in SHAPES.values()]  # fmt: skip
    return np.concatenate([part.ravel() for part in parts])


def nested(vector: Any) -> dict[str, Any]:
    """The vector that an optimiser moves, cut into the network's arrays."""
    params, first = {}, 0
    for name, shape in SHAPES.items():
        last = first + int(np.prod(shape))
        params[name] = vector[first:last].reshape(shape)
        first = last
    return params


def scores(params: dict[str, Any], X: Any) -> Any:
    """One row of ten scores per image."""
    hidden = np.tanh(X @ params["W1"] + params["b1"])
    return hidden @ params["W2"] + params["b2"]


def loss(params: dict[str, Any], X: Any, Y: Any) -> Any:
    """Mean cross-entropy of softmax against one-hot rows Y, with a little weight decay."""
    z = scores(params, X)
    top = np.max(z, axis=1, keepdims=True)  # so that exp never overflows
    log_sum = top[:, 0] + np.log(np.sum(np.exp(z - top), axis=1))
    decay = np.sum(params["W1"] ** 2) + np.sum(params["W2"] ** 2)
    return np.mean(log_sum - np.sum(z * Y, axis=1)) + 0.5 * WEIGHT_DECAY * decay


def predicted(params: dict[str, Any], X: Any) -> Any:
    """The digit in each image."""
    return np.argmax(scores(params, X), axis=1)
