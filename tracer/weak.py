"""Python integers beside NumPy's: a dtype holds them, or it is an OverflowError."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.ir.graph import Constant, Value
from wengert.ir.promotion import plan

__all__ = ["fit", "fitted"]

_COMPARISONS = ("<", "<=", ">", ">=", "==", "!=")


def fitted(xp: Any, op: Any, values: list[Value]) -> list[Value]:
    """The operands of an op; Python integers are compared as they are, and elsewhere held by the dtype."""
    weak = [v.type.weak for v in values]
    if True not in weak or False not in weak:
        return values
    whole = [v.type.weak and v.type.dtype.kind == "i" for v in values]
    if not any(whole):
        return values
    compared = op.symbol in _COMPARISONS
    for k, (v, wanted) in enumerate(zip(values, plan(op, tuple(v.type for v in values))[0], strict=True)):
        if whole[k] and wanted.dtype.kind in "iu" and wanted.dtype != np.int64:
            if not compared:
                fit(xp, v, wanted.dtype)
            elif not isinstance(v, Constant) or not _holds(wanted.dtype, v.array.item()):
                values = [*values[:k], xp.builder.cast(v, v.type.dtype), *values[k + 1 :]]
    return values


def fit(xp: Any, value: Value, dtype: np.dtype[Any]) -> None:
    """OverflowError where a traced Python integer is beyond a dtype, and a guard that it stays within."""
    if isinstance(value, Constant) or dtype.kind not in "iu" or value.type.dtype.kind != "i" or dtype == np.int64:
        return
    n, limits, x = int(xp.trace.evaluate(value)), np.iinfo(dtype), xp.wrap(value)
    if not _holds(dtype, n):
        message = f"Python integer {n} out of bounds for {dtype}."
        raise OverflowError(message)
    above = xp.greater_equal(x, int(limits.min))
    x.guarded(above if limits.max > 2**63 - 1 else xp.logical_and(above, xp.less_equal(x, int(limits.max))))


def _holds(dtype: np.dtype[Any], n: int) -> bool:
    return bool(np.iinfo(dtype).min <= n <= np.iinfo(dtype).max)
