"""``xp`` on NumPy arrays: NumPy itself, and the few ops that NumPy does not have."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from wengert.backends import libraries, matmul
from wengert.ir.kinds import Contraction, Elementwise, Library
from wengert.ir.ops import OPS

__all__ = [
    "XP", "Products", "contract", "elementwise_function", "key", "place", "recurrence", "scale", "scatter_add", "swept",
    "take",
]  # fmt: skip


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
    return matmul.plan(subscripts, x.shape, y.shape)(_matmul, x, y)


def _matmul(x: Any, y: Any) -> Any:
    """A matrix product; where nothing is summed, an outer one, which is no work for BLAS."""
    if x.ndim > 1 and y.ndim > 1 and x.shape[-1] == 1:
        return np.multiply(x, y)
    # BLAS takes no repeated elements, and NumPy's own loop for them is slow: better a copy
    return np.matmul(*(a.copy() if 0 in a.strides and a.size > a.shape[-1] else a for a in (x, y)))


def scale_contract(subscripts: str, p: Any, t: Any) -> Any:
    """A contraction in which a term with an exact zero is zero."""
    return matmul.plan(subscripts, p.shape, t.shape)(_scale_matmul, p, t)


def _scale_matmul(p: Any, t: Any) -> Any:
    """A matrix product; where it holds a NaN, it is summed again term by term, through ``scale``."""
    out = _matmul(p, t)
    total = out.sum()
    if total == total:
        return out
    rows = p if p.ndim > 1 else p[None]
    columns = t if t.ndim > 1 else t[:, None]
    terms = (scale(rows[..., k, None], columns[..., k, None, :]) for k in range(rows.shape[-1]))
    return functools.reduce(np.add, terms).reshape(out.shape)


class Products(NamedTuple):
    """How a partial meets a tangent or cotangent: element by element, and in a contraction."""

    scale: Callable[[Any, Any], Any]
    contract: Callable[[str, Any, Any], Any]


#: Plain products first.  They differ from the exact ones only by a NaN (zero times inf), and no linear op loses one:
#: if none arrives at the end of a sweep, none was made.  If one does, the sweep is run again with STRICT.
PLAIN = Products(np.multiply, contract)
STRICT = Products(scale, scale_contract)


def swept(sweep: Callable[[Products], Sequence[Any]]) -> Sequence[Any]:
    """The results of a linear sweep, in which a product with an exact zero is zero."""
    results = sweep(PLAIN)
    if any(r is not None and np.isnan(r.sum()) for r in results):
        return sweep(STRICT)
    return results


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


def recurrence(carry: Any, x: Any, axis: int, *, reverse: bool = False, product: Any = None) -> Any:
    """out[i] = carry[i] out[i-1] + x[i]: a step for all lines at once, or line by line where there are few.

    ``product`` is that of carry and out.
    """
    out, carry = np.array(x), np.broadcast_to(carry, np.shape(x))
    lines, factors = np.moveaxis(out, axis, 0), np.moveaxis(carry, axis, 0)
    if reverse:
        lines, factors = lines[::-1], factors[::-1]
    if out.dtype == np.float64 and out.size < 16 * len(lines):
        for line in np.ndindex(lines.shape[1:]):
            whole = (slice(None), *line)
            lines[whole] = _line(factors[whole].tolist(), lines[whole].tolist())
        return out
    for i in range(1, len(lines)):
        lines[i, ...] += (product or scale)(factors[i], lines[i - 1])
    return out


def _line(carry: list[float], x: list[float]) -> list[float]:
    """Python's floats are IEEE's here, and a step of them is far cheaper than one of short arrays."""
    total, out = x[0], x[:1]
    for c, u in zip(carry[1:], x[1:], strict=True):
        product = c * total
        if product != product and (c == 0 or total == 0):
            product = 0.0
        total = product + u
        out.append(total)
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


def complex_(x: Any, y: Any) -> Any:
    """x + iy, whatever the parts are."""
    out = np.empty(np.broadcast_shapes(np.shape(x), np.shape(y)), np.result_type(x, y, np.complex64))
    out.real, out.imag = x, y
    return out


def _body(op: Elementwise) -> Any:
    return lambda *operands: op.body(XP, *operands)  # type: ignore[misc]


def elementwise_function(op: Elementwise) -> Any:
    """What computes an elementwise op on arrays: the ufunc itself, or its body."""
    if op.function is not None:
        return op.function
    if op is OPS["scale"]:
        return scale
    if op.symbol == "identity":
        return np.copy  # np.positive has no loop for bool
    if op.symbol == "complex":
        return complex_
    if op.library is not None and (op.body is None or libraries.there(op)):
        return libraries.find(op)
    return _body(op)


class _Namespace:
    """NumPy's functions, with ours where a name is not NumPy's or means the strict op."""

    def __init__(self) -> None:
        for op in OPS.values():
            if isinstance(op, Elementwise) and op.symbol != "cast" and op.library is None:
                setattr(self, op.name, elementwise_function(op))
            elif isinstance(op, Library):
                setattr(self, op.name, op.call)

    def __getattr__(self, name: str) -> Any:
        op = OPS.get(name)
        if not isinstance(op, Elementwise):
            return getattr(np, name)
        setattr(self, name, elementwise_function(op))  # a library is imported when it is first needed
        return self.__dict__[name]

    place = staticmethod(place)
    recurrence = staticmethod(recurrence)
    take = staticmethod(take)
    scatter_add = staticmethod(scatter_add)

    @staticmethod
    def slice(x: Any, start: Any, size: Any, step: Any) -> Any:
        return x[key(start, size, step)]

    @staticmethod
    def einsum(subscripts: str, x: Any, y: Any, *, scaled: bool = False) -> Any:
        return scale_contract(subscripts, x, y) if scaled else contract(subscripts, x, y)


XP = _Namespace()


def contraction(op: Contraction) -> Any:
    """What computes a contraction."""
    return scale_contract if op.scaled else contract
