"""The slope of a function along a line from its values alone, how sure that is, and why where it is not.

Five-point differences at two steps: D(h) = (8 (f(h) - f(-h)) - f(2h) + f(-2h)) / 12h has the error h**4 f'''''/30
(Abramowitz and Stegun, 25.3.6), so the distance from D(h) to D(h/2) bounds the error of D(h/2).  Three-point slopes to
either side come closer to each other as h**3 for a smooth function, and stay apart at a kink.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from attrs import define

__all__ = ["Slopes", "slopes"]

#: Steps in units of the best one for a smooth function of scale 1; the finer ones see past a kink that is near.
LADDER = {np.dtype(np.float64): (1.0, 2.0**-6, 2.0**-12), np.dtype(np.float32): (1.0, 2.0**-3, 2.0**-6)}
#: A slope is known where its error is below this part of value / scale (and of itself, at best).
SURE = {np.dtype(np.float64): 1e-6, np.dtype(np.float32): 2e-2}

Array = np.ndarray[Any, Any]


@define
class Slopes:
    """For each function along the line: slope and error; where undecided, the cause and the slopes to either side.

    ``still`` marks what is one value at every step, be it infinite or NaN.
    """

    slope: Array
    error: Array
    cause: list[str]
    left: Array
    right: Array
    still: Array


def slopes(
    values: Callable[[float], Array],
    weight: Array,
    scale: float,
    dtype: np.dtype[Any],
    agrees: Callable[[Array, Array], Array],
) -> Slopes:
    """The slopes at 0 of ``values(h)``, a vector of functions of one number whose scale of change is ``scale``.

    Rounding in the values is relative to ``weight * scale``, or to themselves where they are larger.
    ``agrees(slope, error)`` says which slopes are as expected; while others are not, finer steps are taken.
    """
    unit = float(np.finfo(dtype).eps)
    start = values(0.0)
    n = len(start)
    nan = np.full(n, np.nan)
    best = Slopes(nan.copy(), np.full(n, np.inf), [""] * n, nan.copy(), nan.copy(), np.zeros(n, bool))
    with np.errstate(all="ignore"):
        for ratio in LADDER[dtype]:
            h = 2.0 ** max(round(math.log2(scale) + math.log2(unit**0.2 * ratio)), -1000)
            f = {k: values(k * h) for k in (-2, -1, -0.5, 0.5, 1, 2)}
            _improve(best, start, f, h, weight, scale, unit, SURE[dtype])
            known = np.array([not cause for cause in best.cause], dtype=bool)
            if np.all(known & agrees(best.slope, best.error)):
                break
    return best


def _improve(
    best: Slopes, start: Array, f: dict[Any, Array], h: float, weight: Array, scale: float, unit: float, sure: float
) -> None:
    """Take over what this step knows better."""
    size = np.maximum(np.max(np.abs([start, *f.values()]), axis=0), weight * scale)
    finite = np.isfinite(size)
    coarse = (8 * (f[1] - f[-1]) - (f[2] - f[-2])) / (12 * h)
    fine = (8 * (f[0.5] - f[-0.5]) - (f[1] - f[-1])) / (6 * h)
    right, left = (-3 * start + 4 * f[0.5] - f[1]) / h, (3 * start - 4 * f[-0.5] + f[-1]) / h
    wide = ((-3 * start + 4 * f[1] - f[2]) / (2 * h), (3 * start - 4 * f[-1] + f[-2]) / (2 * h))
    noise = 4 * unit * size / h
    error = np.abs(fine - coarse) + noise + unit * scale / h * np.abs(fine)
    gap, wide_gap = np.abs(right - left), np.abs(wide[0] - wide[1])
    slack = np.maximum(16 * noise, sure * np.maximum(np.abs(right), np.abs(left)))
    apart = (gap > slack) & (gap > 0.5 * wide_gap)
    explained = (error <= sure * np.maximum(np.abs(fine), size / scale)) | (np.abs(fine - coarse) <= 16 * noise)
    known = finite & ~apart & explained
    steep = (apart & (gap > 1.2 * wide_gap)) | ((np.abs(fine - coarse) > slack) & (np.abs(fine) > 1.2 * np.abs(coarse)))
    steady = np.maximum(np.abs(right - wide[0]), np.abs(left - wide[1])) <= 0.25 * gap
    still = np.all([(values == start) | (np.isnan(values) & np.isnan(start)) for values in f.values()], axis=0)
    for i in range(len(fine)):
        best.still[i] = still[i]
        if known[i]:
            if error[i] < best.error[i] or best.cause[i]:
                best.slope[i], best.error[i], best.cause[i] = fine[i], error[i], ""
        elif not math.isfinite(best.error[i]):  # no step has known it: the finest says why
            best.left[i], best.right[i] = left[i], right[i]
            best.cause[i] = (
                "at the edge of its domain" if not finite[i] else "at a jump or an unbounded slope" if steep[i]
                else "at a kink" if apart[i] and steady[i] else "in noise"
            )  # fmt: skip
