"""Steps of Runge-Kutta and Rosenbrock methods, from one time to another.

The size of a step is held in derivatives, but for the last one, which ends where it is asked to: so the state there
has its derivative in both times, and what chose the sizes takes no part.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from attrs import frozen

from wengert.ir.types import ArrayType
from wengert.tracer.control import scan, while_loop
from wengert.tracer.derivatives import stop_gradient
from wengert.tracer.implicit.problems import columns, moved

__all__ = ["METHODS", "Step"]

Slope = Callable[[Any, Any], Any]


class Step(Protocol):
    """A method: what it remembers from step to step, and how it comes from one time to another."""

    def begun(self, f: Slope, t: Any, z: Any, goal: Any) -> Any: ...
    def across(self, f: Slope, t: Any, z: Any, goal: Any, memory: Any) -> tuple[Any, Any, Any]: ...


@frozen
class Tableau:
    """An embedded pair whose last stage is the first of the next step."""

    nodes: tuple[float, ...]
    weights: tuple[tuple[float, ...], ...]  # a row per stage but the first; the last row is the solution
    error: tuple[float, ...]


#: Dormand and Prince 1980.
RK45 = Tableau(
    (0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1, 1),
    (
        (1 / 5,),
        (3 / 40, 9 / 40),
        (44 / 45, -56 / 15, 32 / 9),
        (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
        (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
        (35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
    ),
    (71 / 57600, 0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40),
)
#: Bogacki and Shampine 1989.
RK23 = Tableau(
    (0, 1 / 2, 3 / 4, 1),
    ((1 / 2,), (0, 3 / 4), (2 / 9, 1 / 3, 4 / 9)),
    (-5 / 72, 1 / 12, 1 / 9, -1 / 8),
)


def _combined(ks: list[Any], weights: tuple[float, ...]) -> Any:
    total: Any = 0
    for k, w in zip(ks, weights, strict=True):
        total = total + w * k if w else total
    return total


def explicit(tableau: Tableau) -> Callable[..., tuple[Any, Any, Any]]:
    """The stages of an embedded pair."""
    def stages(f: Slope, t: Any, z: Any, k: Any, h: Any) -> tuple[Any, Any, Any]:
        ks, new = [k], z
        for c, row in zip(tableau.nodes[1:], tableau.weights, strict=True):
            new = z + h * _combined(ks, row)
            ks.append(f(t + c * h, new))
        return new, ks[-1], h * _combined(ks, tableau.error)

    return stages


def rosenbrock(f: Slope, t: Any, z: Any, k: Any, h: Any) -> tuple[Any, Any, Any]:
    """Shampine and Reichelt 1997, 4.2: of second order, its error of third, L-stable."""
    type_ = ArrayType(z.dtype, z.shape)
    slope = columns(lambda v: moved(lambda z: f(t, z), (z,), (v,)), type_)
    rate = moved(lambda t: f(t, z), (t,), (1.0,))
    d, e = 1 / (2 + 2**0.5), 6 + 2**0.5
    matrix = np.eye(type_.size) - h * d * slope
    solve = lambda b: b / matrix[0] if type_.size == 1 else np.linalg.solve(matrix, b)
    k1 = solve(k + h * d * rate)
    middle = f(t + h / 2, z + h / 2 * k1)
    k2 = solve(middle - k1) + k1
    new = z + h * k2
    last = f(t + h, new)
    k3 = solve(last - e * (k2 - middle) - 2 * (k1 - k) + h * d * rate)
    return new, last, h / 6 * (k1 - 2 * k2 + k3)


@frozen
class Adaptive:
    """Steps whose error is near the tolerance (Hairer, Norsett and Wanner, II.4).  Remembers the next step's size.

    ``stages(f, t, z, k, h)`` gives the state after a step from t, where the slope is k; the slope there; the error.
    """

    stages: Callable[..., tuple[Any, Any, Any]]
    order: int  # of the error
    rtol: float
    atol: float
    limit: int

    def _size(self, x: Any, scale: Any) -> Any:
        return np.max(np.abs(x) / scale, initial=0.0)

    def begun(self, f: Slope, t: Any, z: Any, goal: Any) -> Any:
        t, z, goal = stop_gradient(t), stop_gradient(z), stop_gradient(goal)
        k, scale, span = stop_gradient(f(t, z)), self.atol + self.rtol * np.abs(z), goal - t
        d0, d1 = self._size(z, scale), self._size(k, scale)
        tiny = (d0 < 1e-5) | (d1 < 1e-5)
        h = np.where(tiny, 1e-6, 0.01 * d0 / np.where(tiny, 1.0, d1))
        h = np.minimum(h, np.abs(span))
        after = stop_gradient(f(t + np.sign(span) * h, z + np.sign(span) * h * k))
        d2 = self._size(after - k, scale) / np.where(h > 0, h, 1.0)
        most = np.maximum(d1, d2)
        flat = most <= 1e-15
        power = (0.01 / np.where(flat, 1.0, most)) ** (1 / self.order)
        longer = np.where(flat, np.maximum(1e-6, h * 1e-3), power)
        return stop_gradient(np.minimum(100 * h, longer))

    def across(self, f: Slope, t: Any, z: Any, goal: Any, memory: Any) -> tuple[Any, Any, Any]:
        def step(state: Any) -> Any:
            t, z, k, h, steps = state
            rest = goal - t
            last = h >= np.abs(rest) * (1 - 1e-12)
            size = np.where(last, rest, np.sign(rest) * h)
            new, slope, error = self.stages(f, t, z, k, size)
            scale = self.atol + self.rtol * stop_gradient(np.maximum(np.abs(z), np.abs(new)))
            e = self._size(stop_gradient(error), scale)
            taken = e <= 1
            factor = np.where(e > 0, 0.9 * np.where(e > 0, e, 1.0) ** (-1 / self.order), 10.0)
            factor = np.where(np.isfinite(e), np.clip(factor, 0.2, 10.0), 0.2)
            following = stop_gradient(np.abs(size)) * np.where(taken, factor, np.minimum(factor, 1.0))
            h = np.where(taken & last, np.maximum(h, following), following)  # the last step may have been a short one
            t = np.where(taken, np.where(last, goal, t + size), t)
            return t, np.where(taken, new, z), np.where(taken, slope, k), stop_gradient(h), steps + 1

        def goes_on(state: Any) -> Any:
            t, _, _, h, steps = state
            return (t != goal) & (steps < self.limit) & (h > 1e-15 * np.abs(t))

        t, z, k, h, _ = while_loop(goes_on, step, (t, z, f(t, z), memory, 0))
        # what is added is zero, and has a derivative where no step was made
        return z + (goal - t) * k, h, t == goal


@frozen
class Fixed:
    """So many equal steps of the classical method (Kutta 1901)."""

    steps: int

    def begun(self, f: Slope, t: Any, z: Any, goal: Any) -> Any:
        return 0.0

    def across(self, f: Slope, t: Any, z: Any, goal: Any, memory: Any) -> tuple[Any, Any, Any]:
        h = (goal - t) / self.steps

        def step(z: Any, i: Any) -> Any:
            at = t + i * h
            k1 = f(at, z)
            k2 = f(at + h / 2, z + h / 2 * k1)
            k3 = f(at + h / 2, z + h / 2 * k2)
            k4 = f(at + h, z + h * k3)
            return z + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4), None

        z, _ = scan(step, z, np.arange(float(self.steps)))
        return z, memory, np.True_


METHODS: dict[str, Callable[[float, float, int, int], Step]] = {
    "RK45": lambda rtol, atol, steps, limit: Adaptive(explicit(RK45), 5, rtol, atol, limit),
    "RK23": lambda rtol, atol, steps, limit: Adaptive(explicit(RK23), 3, rtol, atol, limit),
    "ODE23s": lambda rtol, atol, steps, limit: Adaptive(rosenbrock, 3, rtol, atol, limit),
    "RK4": lambda rtol, atol, steps, limit: Fixed(steps),
}
