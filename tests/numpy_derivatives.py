"""Derivatives of NumPy calls: every float argument, every backend, both modes, against 5-point differences.

A chapter is a table of calls.  They are traced side by side as one function, so that a backend compiles once.
"""

import functools
from typing import Any

import numpy as np

import wengert as wg

H = 2.0**-10
STEPS = ((1, 8), (-1, -8), (2, -1), (-2, 1))  # over 12 h: exact for polynomials of degree 4


def flat(result: Any) -> list[Any]:
    """The float parts of a nested result."""
    if isinstance(result, (tuple, list)):
        return [part for item in result for part in flat(item)]
    return [result] if np.result_type(result).kind == "f" else []


def total(f: Any, args: Any) -> Any:
    """A weighted sum of what ``f`` gives: no two elements weigh the same."""
    value: Any = 0.0
    for k, part in enumerate(flat(f(*args))):
        weights = np.cos(1.0 + k + np.arange(np.size(part))).reshape(np.shape(part))
        value = value + np.sum(weights * part)
    return value


class Chapter:
    """A table of ``name: (function, *float arguments)``."""

    def __init__(self, calls: dict[str, tuple[Any, ...]]) -> None:
        self.calls = calls
        self.args = [np.asarray(x, np.float64) for _, *args in calls.values() for x in args]
        self.owners = [(name, k) for name, (_, *args) in calls.items() for k in range(len(args))]
        self.traced = wg.trace(lambda *args: self(*args))  # once for all backends

    def __call__(self, *args: Any) -> Any:
        args, value = list(args), 0.0
        for f, *own in self.calls.values():
            taken, args = args[: len(own)], args[len(own) :]
            value = value + total(f, taken)
        return value

    @functools.cached_property
    def differences(self) -> list[np.ndarray]:
        """The gradient in every argument, without the tracer."""
        found = []
        for f, *args in self.calls.values():
            args = [np.asarray(x, np.float64) for x in args]
            found += [self._difference(f, args, k) for k in range(len(args))]
        return found

    @staticmethod
    def _difference(f: Any, args: list[np.ndarray], k: int) -> np.ndarray:
        slope = np.zeros(args[k].shape)
        for where in np.ndindex(slope.shape):
            for step, weight in STEPS:
                moved = [x.copy() for x in args]
                moved[k][where] += step * H
                slope[where] += weight * total(f, moved)
        return slope / (12 * H)

    def check(self, backend: str) -> None:
        """Reverse and forward against the differences, each argument by name."""
        want = self.differences
        with wg.backend(backend):
            value, got = wg.value_and_grad(self.traced, argnums=tuple(range(len(self.args))))(*self.args)
            np.testing.assert_allclose(value, self(*self.args), rtol=1e-12)
            for (name, k), g, w in zip(self.owners, got, want, strict=True):
                np.testing.assert_allclose(g, w, rtol=2e-9, atol=2e-9 * max(1, abs(w).max(initial=0)), err_msg=f"{name}, argument {k}")
            directions = [np.sin(1.0 + np.arange(x.size)).reshape(x.shape) for x in self.args]
            _, tangent = wg.jvp(self.traced, tuple(self.args), tuple(directions))
        slope = sum(np.vdot(d, g) for d, g in zip(directions, got, strict=True))
        np.testing.assert_allclose(tangent, slope, rtol=1e-11)

    def check_second_order(self) -> None:
        """Forward over reverse, along one direction, against differences of the gradient."""
        gradient = wg.grad(self.traced, argnums=tuple(range(len(self.args))))
        ways = [np.sin(1.0 + np.arange(x.size)).reshape(x.shape) for x in self.args]
        slope = [np.zeros(x.shape) for x in self.args]
        for step, weight in STEPS:
            moved = gradient(*(x + step * H * w for x, w in zip(self.args, ways, strict=True)))
            slope = [s + weight * g / (12 * H) for s, g in zip(slope, moved, strict=True)]
        _, got = wg.jvp(gradient, tuple(self.args), tuple(ways))
        for (name, k), g, w in zip(self.owners, got, slope, strict=True):
            np.testing.assert_allclose(g, w, rtol=1e-8, atol=1e-8 * max(1, abs(w).max(initial=0)), err_msg=f"{name}, argument {k}")
