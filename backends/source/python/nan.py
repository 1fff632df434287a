"""Whether there is a NaN in an array, as cheaply as can be: asked of the results of every sweep in plain products."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["has_nan"]

#: Up to here a dot product is cheaper than a sum, and is not given to threads.
SHORT = 8192


def has_nan(x: Any) -> bool:
    """Whether there may be a NaN in a C-contiguous array; certain that there is none where this is false."""
    x = x.sum() if x.size > SHORT else np.vdot(x, x)  # a sum of squares is NaN where an element is
    return bool(x != x)
