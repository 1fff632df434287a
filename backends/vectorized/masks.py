"""Shares of what is larger or smaller, by masks: on long arrays ``where`` costs NumPy more than all else.

The larger of two has all of a cotangent, or half where they are equal; of the largest of many, each has a part.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["AHEAD", "tied"]


def _ahead(wins: Any, loses: Any) -> Any:
    def run(x: Any, y: Any) -> Any:
        ahead = wins(x, y)
        share = ahead.astype(x.dtype)
        if np.count_nonzero(ahead) + np.count_nonzero(loses(x, y)) < ahead.size:  # there are ties, or NaN
            np.copyto(share, x.dtype.type(0.5), where=x == y)
            np.copyto(share, x, where=x != x)
        return share

    run.each = True  # type: ignore[attr-defined]
    return run


#: The share of an operand, the other after it.
AHEAD = {"maximum": _ahead(np.greater, np.less), "minimum": _ahead(np.less, np.greater)}


def tied(axes: tuple[int, ...]) -> Any:
    """The share of each of those that are the largest along axes, which is mostly one."""

    def run(x: Any, out: Any) -> Any:
        chosen = np.equal(x, out)
        share = chosen.astype(x.dtype)
        if np.count_nonzero(chosen) != out.size or np.isnan(out).any():
            share /= share.sum(axis=axes, keepdims=True)
        return share

    run.each = 0 not in axes  # type: ignore[attr-defined]
    return run
