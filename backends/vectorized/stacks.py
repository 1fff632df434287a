"""Stacks of matrix products, a part of the stack in each of a few threads.

BLAS is asked for one product after the other.  Where each is some 100 microseconds of work, its threads cost more than
they save: so it is told to stay in the thread that calls it, and threads of ours, which run for this product alone,
have some of the products each.
"""

from __future__ import annotations

import contextvars
import functools
import itertools
import math
import threading
from typing import Any

import numpy as np

from wengert.backends import openblas

__all__ = ["matmul", "stacked"]

#: So many products and sums are worth a thread: two milliseconds or so.
LEAST = 1 << 26
_lock = threading.Lock()


@functools.cache
def _openblas() -> tuple[Any, Any] | None:
    """How many threads OpenBLAS may have, and how that is set; None where it is another, or has no threads."""
    core = openblas.library()
    symbols = ("scipy_openblas_{}64_", "openblas_{}64_", "openblas_{}")
    return next((found for symbol in symbols if (found := openblas.threads(core, symbol))), None)


def _alone() -> int:
    """Tell OpenBLAS to keep to one thread; how many it had.

    While it keeps to one already, for another call of ours or of a program in C, it had 1, which nobody has to put
    back: so whoever found more puts back more.
    """
    if (found := _openblas()) is None:
        return 1
    with _lock:
        had: int = found[0]()
        if had > 1:
            found[1](1)
    return had


def matmul(x: tuple[int, ...], y: tuple[int, ...]) -> Any:
    """What multiplies arrays of these shapes."""
    return stacked if len(x) == 3 and math.prod(x) * y[-1] >= LEAST else np.matmul


def stacked(x: Any, y: Any, out: Any = None) -> Any:
    """The products of two stacks of matrices."""
    before = _alone() if len(x) > 1 else 1
    if before < 2:
        return np.matmul(x, y, out)
    count = min(before, len(x))
    if out is None:
        out = np.empty((*x.shape[:-1], y.shape[-1]), np.result_type(x, y))
    failed: list[BaseException] = []

    def run(i: int, j: int) -> None:
        try:
            np.matmul(x[i:j], y[i:j], out[i:j])
        except BaseException as error:  # noqa: BLE001 (it is raised in the caller's thread)
            failed.append(error)

    (first, *others) = itertools.pairwise(len(x) * k // count for k in range(count + 1))
    threads = [threading.Thread(target=contextvars.copy_context().run, args=(run, *part)) for part in others]
    try:
        for thread in threads:
            thread.start()
        run(*first)
        for thread in threads:
            thread.join()
    finally:
        _openblas()[1](before)  # type: ignore[index]
    if failed:
        raise failed[0]
    return out
