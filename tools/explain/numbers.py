"""Numbers as they are shown."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["number", "shown"]


def number(value: Any) -> str:
    """Up to six digits, and no ``.0``: ``2``, ``0.731059``, ``-1e-09``, ``True``."""
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    return f"{float(value) + 0.0:.6g}"  # + 0.0: no -0


def shown(value: Any) -> str:
    """A number, or for an array its norm."""
    if np.ndim(value) == 0 and not isinstance(value, np.ndarray):
        return number(value)
    array = np.asarray(value)
    with np.errstate(all="ignore"):
        norm = np.linalg.norm(array.ravel().astype(float))
    return f"‖·‖ {number(norm)}"
