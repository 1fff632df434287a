"""Where the elements of a movement come from, as data."""

from __future__ import annotations

from attrs import frozen

__all__ = ["Piece", "c_strides"]


@frozen(slots=True)
class Piece:
    """A box of the output, and where its elements come from.

    The element at ``start + step * i`` of the output, ``0 <= i < size``, is element
    ``offset + sum(strides * i)`` of the flat (C order) operand.  What no piece covers is zero; pieces never overlap in
    the output.
    """

    operand: int
    start: tuple[int, ...]
    size: tuple[int, ...]
    offset: int
    strides: tuple[int, ...]
    step: tuple[int, ...]


def c_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Strides in elements of a C-ordered array."""
    strides, step = [], 1
    for n in reversed(shape):
        strides.append(step)
        step *= n
    return tuple(reversed(strides))
