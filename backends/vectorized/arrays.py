"""``xp`` on NumPy arrays: NumPy itself, and the few ops that NumPy does not have."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.backends import matmul
from wengert.ir.kinds import Contraction, Elementwise
from wengert.ir.ops import OPS

__all__ = ["XP", "contract", "elementwise_function", "key", "place", "scale", "scatter_add", "take"]


def scale(p: Any, t: Any) -> Any:
    """A partial times a tangent; only where that is NaN need an exact zero be looked for."""
    product = np.multiply(p, t)
    total = product.sum()
    if total != total:
        zero = ((p == 0) | (t == 0)) & (product != product)
        product = np.where(zero, product.dtype.type(0), product)
    return product


def contract(subscripts: str, x: Any, y: Any) -> Any:
    """A contraction as one matrix product (BLAS)."""
    return matmul.plan(subscripts, x.shape, y.shape)(np.matmul, x, y)


def scale_contract(subscripts: str, p: Any, t: Any) -> Any:
    """A contraction in which a term with an exact zero is zero."""
    out = contract(subscripts, p, t)
    total = out.sum()
    return out if total == total else _repaired(subscripts, p, t, out.dtype)


def _repaired(subscripts: str, p: Any, t: Any, dtype: Any) -> Any:
    """Finite terms summed as ever; infinite and NaN ones counted, where the other factor is not zero."""

    def count(x: Any, y: Any) -> Any:
        return contract(subscripts, x.astype(np.float64), y.astype(np.float64)) > 0

    def finite(x: Any) -> Any:
        return np.where(np.isfinite(x), x, dtype.type(0))

    inf = np.inf
    nan = count(np.isnan(p), t != 0) | count(p != 0, np.isnan(t))
    up = (count(p == inf, t > 0) | count(p == -inf, t < 0)
          | count(finite(p) > 0, t == inf) | count(finite(p) < 0, t == -inf))  # fmt: skip
    down = (count(p == inf, t < 0) | count(p == -inf, t > 0)
            | count(finite(p) < 0, t == inf) | count(finite(p) > 0, t == -inf))  # fmt: skip
    out = contract(subscripts, finite(p), finite(t))
    infinite = np.where(up, inf, 0.0) - np.where(down, inf, 0.0)  # inf - inf is NaN, as it should be
    return (out + infinite + np.where(nan, np.nan, 0.0)).astype(dtype)


def key(start: Any, size: Any, step: Any) -> tuple[slice, ...]:
    """The slices that take ``size`` elements from ``start`` on."""
    stops = (s + d * n for s, n, d in zip(start, size, step, strict=True))
    return tuple(
        slice(s, None if stop < 0 else stop, d) for s, stop, d in zip(start, stops, step, strict=True)
    )


def place(x: Any, shape: Any, start: Any, step: Any) -> Any:
    """``x`` in zeros."""
    out = np.zeros(shape, x.dtype)
    out[key(start, x.shape, step)] = x
    return out


def take(x: Any, indices: Any, axis: int) -> Any:
    """Slices at indices, none of them negative."""
    _check_indices(indices, x.shape[axis])
    return np.take(x, indices, axis=axis)


def scatter_add(updates: Any, indices: Any, axis: int, size: int) -> Any:
    """Zeros with each slice of the updates added at its index."""
    _check_indices(indices, size)
    lead, tail = updates.shape[:axis], updates.shape[axis + indices.ndim :]
    out = np.zeros((*lead, size, *tail), updates.dtype)
    np.add.at(out, (*(slice(None) for _ in lead), indices), updates)
    return out


def _check_indices(indices: Any, size: int) -> None:
    if indices.size and not (indices.min() >= 0 and indices.max() < size):
        bad = indices[(indices < 0) | (indices >= size)].flat[0]
        message = f"index {bad} is out of bounds for an axis with size {size}."
        raise IndexError(message)


def _body(op: Elementwise) -> Any:
    return lambda *operands: op.body(XP, *operands)  # type: ignore[misc]


def elementwise_function(op: Elementwise) -> Any:
    """What computes an elementwise op on arrays: the ufunc itself, or its body."""
    if op.function is not None:
        return op.function
    if op is OPS["scale"]:
        return scale
    if op.symbol == "identity":
        return np.positive
    return _body(op)


class _Namespace:
    """NumPy's functions, with ours where a name is not NumPy's or means the strict op."""

    def __init__(self) -> None:
        for op in OPS.values():
            if isinstance(op, Elementwise) and op.symbol != "cast":
                setattr(self, op.name, elementwise_function(op))

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    place = staticmethod(place)
    take = staticmethod(take)
    scatter_add = staticmethod(scatter_add)

    @staticmethod
    def slice(x: Any, start: Any, size: Any, step: Any) -> Any:
        return x[key(start, size, step)]

    @staticmethod
    def argsort(x: Any, axis: int) -> Any:
        return np.argsort(x, axis=axis, kind="stable")

    @staticmethod
    def sort(x: Any, axis: int) -> Any:
        return np.sort(x, axis=axis, kind="stable")


XP = _Namespace()


def contraction(op: Contraction) -> Any:
    """What computes a contraction."""
    return scale_contract if op.scaled else contract
