"""Python loops: a recurrent network over a long sequence, and a differential equation in a thousand steps."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.tools.bench.rows.row import Row

__all__ = ["ROWS"]


def sigmoid(x: Any) -> Any:
    return 1.0 / (1.0 + np.exp(-x))


def lstm(main: Any, extra: Any, state: Any, sequence: Any) -> Any:
    """ADBench's LSTM: two rows of ``main``, weights and biases, for each layer, and gates that are not mixed.

    As in github.com/microsoft/ADBench, each step predicts the next row of the sequence.
    """
    width = sequence.shape[1]
    hidden, cell = list(state[::2]), list(state[1::2])
    total = 0.0
    for t in range(len(sequence) - 1):
        x = sequence[t] * extra[0]
        for k in range(len(hidden)):
            gates = np.concatenate((x, hidden[k], x, hidden[k])) * main[2 * k] + main[2 * k + 1]
            forget, let_in = sigmoid(gates[:width]), sigmoid(gates[width : 2 * width])
            let_out, change = sigmoid(gates[2 * width : 3 * width]), np.tanh(gates[3 * width :])
            cell[k] = cell[k] * forget + let_in * change
            hidden[k] = let_out * np.tanh(cell[k])
            x = hidden[k]
        y = x * extra[1] + extra[2]
        total += np.sum(sequence[t + 1] * (y - np.log(np.sum(np.exp(y)) + 2.0)))
    return -total / ((len(sequence) - 1) * width)


def lstm_by_hand(main: Any, extra: Any, state: Any, sequence: Any) -> Any:
    steps, width = len(sequence) - 1, sequence.shape[1]
    layers, f, i, o, c = len(state) // 2, *(slice(k * width, (k + 1) * width) for k in range(4))
    hidden, cell = list(state[::2]), list(state[1::2])
    weights, biases = main[::2], main[1::2]
    kept, ends, total = [], [], 0.0
    for t in range(steps):
        x = sequence[t] * extra[0]
        for k in range(layers):
            taken = np.concatenate((x, hidden[k], x, hidden[k]))
            gates = taken * weights[k] + biases[k]
            gates[: 3 * width] = sigmoid(gates[: 3 * width])
            gates[c] = np.tanh(gates[c])
            before, cell[k] = cell[k], cell[k] * gates[f] + gates[i] * gates[c]
            bent = np.tanh(cell[k])
            x = hidden[k] = gates[o] * bent
            kept.append((taken, gates, before, bent))
        y = x * extra[1] + extra[2]
        e = np.exp(y)
        sum_e = np.sum(e) + 2.0
        gold = sequence[t + 1]
        mass = np.sum(gold)
        total += gold @ y - mass * np.log(sum_e)
        ends.append((x, (gold - mass * e / sum_e) / (-steps * width)))
    d_main, d_extra = np.zeros_like(main), np.zeros_like(extra)
    d_hidden, d_cell = np.zeros((layers, width)), np.zeros((layers, width))
    slopes = np.empty(4 * width)
    for t in range(steps - 1, -1, -1):
        x, dy = ends[t]
        d_extra[1] += dy * x
        d_extra[2] += dy
        dx = dy * extra[1]
        for k in range(layers - 1, -1, -1):
            taken, gates, before, bent = kept[t * layers + k]
            dh = dx + d_hidden[k]
            dc = d_cell[k] + dh * gates[o] * (1.0 - bent * bent)
            slopes[f], slopes[i], slopes[o] = dc * before, dc * gates[c], dh * bent
            slopes[: 3 * width] *= gates[: 3 * width] * (1.0 - gates[: 3 * width])
            slopes[c] = dc * gates[i] * (1.0 - gates[c] * gates[c])
            d_cell[k] = dc * gates[f]
            d_main[2 * k] += slopes * taken
            d_main[2 * k + 1] += slopes
            back = slopes * weights[k]
            dx = back[f] + back[o]
            d_hidden[k] = back[i] + back[c]
        d_extra[0] += dx * sequence[t]
    return -total / (steps * width), (d_main, d_extra)


def text(layers: int, width: int, length: int) -> tuple[Any, ...]:
    """Parameters, and letters in bits."""
    rng = np.random.default_rng(0)
    main, extra = rng.uniform(-1, 1, (2 * layers, 4 * width)), rng.uniform(-1, 1, (3, width))
    state = rng.uniform(-1, 1, (2 * layers, width))
    return main, extra, state, rng.integers(0, 2, (length, width)).astype(float)


STEP, STEPS = 0.01, 1000


def slope(y: Any, rates: Any) -> Any:
    """The equations of Lotka and Volterra: prey, and what eats it."""
    prey, predators = y
    return np.array([prey * (rates[0] - rates[1] * predators), predators * (rates[2] * prey - rates[3])])


def lotka(y: Any, rates: Any) -> Any:
    """The squared length of the last state, after steps of Runge and Kutta's method of order four."""
    for _ in range(STEPS):
        k1 = slope(y, rates)
        k2 = slope(y + 0.5 * STEP * k1, rates)
        k3 = slope(y + 0.5 * STEP * k2, rates)
        k4 = slope(y + STEP * k3, rates)
        y = y + STEP / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return np.sum(y**2)


def lotka_by_hand(y: Any, rates: Any) -> Any:
    """On plain numbers, which for two of them at a time is faster than arrays."""
    (u, v), (a, b, c, d) = y.tolist(), rates.tolist()
    half, sixth = 0.5 * STEP, STEP / 6
    stages = []
    for _ in range(STEPS):
        k1, l1 = u * (a - b * v), v * (c * u - d)
        u2, v2 = u + half * k1, v + half * l1
        k2, l2 = u2 * (a - b * v2), v2 * (c * u2 - d)
        u3, v3 = u + half * k2, v + half * l2
        k3, l3 = u3 * (a - b * v3), v3 * (c * u3 - d)
        u4, v4 = u + STEP * k3, v + STEP * l3
        k4, l4 = u4 * (a - b * v4), v4 * (c * u4 - d)
        stages.append(((u4, v4, STEP), (u3, v3, half), (u2, v2, half), (u, v, 0.0)))
        u, v = u + sixth * (k1 + 2 * k2 + 2 * k3 + k4), v + sixth * (l1 + 2 * l2 + 2 * l3 + l4)
    value = u * u + v * v
    du, dv, da, db, dc, dd = 2 * u, 2 * v, 0.0, 0.0, 0.0, 0.0
    for stage in reversed(stages):
        su, sv, back_u, back_v, length = du, dv, 0.0, 0.0, 0.0
        for (x, z, reach), share in zip(stage, (sixth, 2 * sixth, 2 * sixth, sixth), strict=True):
            # a stage's slope enters the next state with its share, and the stage after it over that one's reach
            p, q = share * du + length * back_u, share * dv + length * back_v
            da, db, dc, dd = da + p * x, db - p * x * z, dc + q * x * z, dd - q * z
            back_u, back_v = p * (a - b * z) + q * c * z, q * (c * x - d) - p * b * x
            su, sv, length = su + back_u, sv + back_v, reach
        du, dv = su, sv
    return value, (np.array([du, dv]), np.array([da, db, dc, dd]))


def populations() -> tuple[Any, ...]:
    return np.array([1.0, 0.7]), np.array([1.1, 0.4, 0.1, 0.4])


ROWS = (
    Row("lstm", "LSTM (ADBench), 2 x 14, sequence 1024", lstm, text, (2, 14, 1024), lstm_by_hand, (2, 3, 5),
        argnums=(0, 1)),
    Row("lotka", "Lotka-Volterra, Runge-Kutta 4, 1,000 steps", lotka, populations, (), lotka_by_hand, argnums=(0, 1)),
)  # fmt: skip
