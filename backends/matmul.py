"""How a contraction becomes one matrix product: what whole-array targets share."""

from __future__ import annotations

import functools
import math
from typing import Any

from attrs import frozen

from wengert.ir.kinds import Contraction

__all__ = ["MatmulPlan", "plan"]

Shape = tuple[int, ...]


@frozen(slots=True)
class MatmulPlan:
    """``x`` and ``y`` transposed and reshaped to (batch, left, sum) and (batch, sum, right), multiplied, and back.

    A transposition or shape that changes nothing is None.  ``swap`` says that y comes first, which may
    save transposing the result.
    """

    swap: bool
    x_axes: Shape | None
    x_shape: Shape | None
    y_axes: Shape | None
    y_shape: Shape | None
    out_shape: Shape | None
    out_axes: Shape | None

    def __call__(self, matmul: Any, x: Any, y: Any) -> Any:
        """Run on arrays, or on anything with ``transpose`` and ``reshape``."""
        if self.swap:
            x, y = y, x
        x = x if self.x_axes is None else x.transpose(self.x_axes)
        x = x if self.x_shape is None else x.reshape(self.x_shape)
        y = y if self.y_axes is None else y.transpose(self.y_axes)
        y = y if self.y_shape is None else y.reshape(self.y_shape)
        out = matmul(x, y)
        out = out if self.out_shape is None else out.reshape(self.out_shape)
        return out if self.out_axes is None else out.transpose(self.out_axes)


def _axes(term: str, order: str) -> Shape | None:
    axes = tuple(term.index(c) for c in order)
    return None if axes == tuple(range(len(term))) else axes


@functools.lru_cache(maxsize=4096)
def plan(subscripts: str, x_shape: Shape, y_shape: Shape, *, turned: bool = False) -> MatmulPlan:
    """The plan for a contraction of operands of these shapes; ``turned``, the other operand comes first."""
    x, y, out = Contraction.split(subscripts)
    free = [c for c in out if (c in x) != (c in y)]
    swap = (bool(free) and free[0] in y) is not turned
    if swap:
        x, y, x_shape, y_shape = y, x, y_shape, x_shape
    size = dict(zip(x, x_shape, strict=True)) | dict(zip(y, y_shape, strict=True))
    batch = [c for c in out if c in x and c in y]
    left = [c for c in x if c in out and c not in y]
    right = [c for c in y if c in out and c not in x]
    summed = [c for c in x if c in y and c not in out]

    def total(letters: list[str]) -> int:
        return math.prod(size[c] for c in letters)

    stack = tuple(size[c] for c in batch)
    # matmul itself drops a missing vector axis, so a plain vector needs no axis of size 1
    x_matrix = (*stack, *((total(left),) if left or batch or not summed else ()), total(summed))
    y_matrix = (*stack, total(summed), *((total(right),) if right or batch or not summed else ()))
    now = (*stack, *x_matrix[len(stack) : -1], *y_matrix[len(stack) + 1 :])
    order = "".join((*batch, *left, *right))
    then = tuple(size[c] for c in order)
    x_order, y_order = "".join((*batch, *left, *summed)), "".join((*batch, *summed, *right))
    return MatmulPlan(
        swap,
        _axes(x, x_order),
        None if tuple(size[c] for c in x_order) == x_matrix else x_matrix,
        _axes(y, y_order),
        None if tuple(size[c] for c in y_order) == y_matrix else y_matrix,
        None if now == then else then,
        _axes(order, out),
    )
