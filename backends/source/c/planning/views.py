"""Reading an array without copying it: offsets and strides, composed and merged.

A movement whose single piece covers its whole output is an index expression in its consumer's loop.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from wengert.ir.graph import Node, Value
from wengert.ir.kinds import Movement, Piece, c_strides

__all__ = ["View", "ascending", "box", "coalesce", "compose", "covers", "folded_into", "pieces_of", "unravel", "whole"]


@frozen(slots=True)
class View:
    """Element ``offset + sum(strides * i)`` of the C-ordered ``base``, for ``i`` in ``shape``."""

    base: Value
    shape: tuple[int, ...]
    offset: int
    strides: tuple[int, ...]

    @property
    def contiguous(self) -> bool:
        """Whether flat positions advance as in a C-ordered array."""
        own = zip(self.strides, c_strides(self.shape), self.shape, strict=True)
        return all(s == c or n == 1 for s, c, n in own)


def whole(value: Value) -> View:
    """A materialised array, read as it is."""
    shape = value.type.shape
    return View(value, shape, 0, c_strides(shape))


def pieces_of(node: Node) -> list[Piece]:
    """The pieces of a movement node that hold elements."""
    assert isinstance(node.op, Movement)
    shapes = tuple(v.type.shape for v in node.operands)
    pieces = node.op.pieces(shapes, node.result.type.shape, node.params)
    return [piece for piece in pieces if 0 not in piece.size]


def box(value: Value, piece: Piece) -> View:
    """The elements of the output that a piece covers."""
    own = c_strides(value.type.shape)
    offset = sum(c * s for c, s in zip(own, piece.start, strict=True))
    return View(value, piece.size, offset, tuple(c * d for c, d in zip(own, piece.step, strict=True)))


def ascending(piece: Piece) -> Piece:
    """The same piece, entered where its box begins: no step is negative, and the only one of one element is 1."""
    start, step = list(piece.start), [1 if n == 1 else d for n, d in zip(piece.size, piece.step, strict=True)]
    offset, strides = piece.offset, list(piece.strides)
    for axis, n in enumerate(piece.size):
        if step[axis] < 0:
            start[axis] += step[axis] * (n - 1)
            offset += strides[axis] * (n - 1)
            step[axis], strides[axis] = -step[axis], -strides[axis]
    return Piece(piece.operand, tuple(start), piece.size, offset, tuple(strides), tuple(step))


def folded_into(node: Node) -> View:
    """The result, as the loops over the operand see it: reduced axes do not move."""
    shape, axes = node.operands[0].type.shape, node.params["axes"]
    own = iter(c_strides(node.result.type.shape))
    strides = tuple(0 if a in axes else next(own) for a in range(len(shape)))
    return View(node.result, shape, 0, strides)


def covers(piece: Piece, shape: tuple[int, ...]) -> bool:
    """Whether a piece is the whole output, in order."""
    return piece.size == shape and not any(piece.start) and all(d == 1 for d in piece.step)


def unravel(flat: int, shape: tuple[int, ...]) -> list[int]:
    """The index of a flat position; a negative one counts backwards along every axis."""
    sign, flat = (-1, -flat) if flat < 0 else (1, flat)
    index = []
    for step in c_strides(shape):
        index.append(sign * (flat // step) if step else 0)
        flat %= step or 1
    return index


def compose(view: View, offset: int, strides: tuple[int, ...], size: tuple[int, ...]) -> View | None:
    """The view whose element i is the flat element ``offset + sum(strides * i)`` of ``view``.

    None where no strides say it (merged axes of a transposed array): a step must never carry
    from one axis of ``view`` into the next.
    """
    if not offset and size == view.shape and strides == c_strides(size):
        return view
    if 0 in size:
        return View(view.base, size, 0, (0,) * len(size))
    if view.contiguous:
        return View(view.base, size, view.offset + offset, strides)
    start = unravel(offset, view.shape)
    steps = [unravel(s, view.shape) for s in strides]
    for axis, n in enumerate(view.shape):
        moves = [step[axis] * (m - 1) for step, m in zip(steps, size, strict=True)]
        low = start[axis] + sum(min(move, 0) for move in moves)
        high = start[axis] + sum(max(move, 0) for move in moves)
        if low < 0 or high >= n:
            return None

    def dot(index: Sequence[int]) -> int:
        return sum(s * i for s, i in zip(view.strides, index, strict=True))

    return View(view.base, size, view.offset + dot(start), tuple(dot(step) for step in steps))


def coalesce(
    shape: tuple[int, ...],
    accesses: Sequence[tuple[int, ...]],
    labels: Sequence[object] | None = None,
) -> tuple[tuple[int, ...], list[tuple[int, ...]], tuple[object, ...]]:
    """Drop axes of size 1 and merge neighbours wherever every access allows it.

    Axes with different labels (kept and reduced ones) are never merged.
    """
    labels = labels if labels is not None else (None,) * len(shape)
    axes: list[tuple[int, tuple[int, ...], object]] = []
    for axis, n in enumerate(shape):
        if n == 1:
            continue
        steps, label = tuple(a[axis] for a in accesses), labels[axis]
        if axes and axes[-1][2] == label and axes[-1][1] == tuple(s * n for s in steps):
            axes[-1] = (axes[-1][0] * n, steps, label)
        else:
            axes.append((n, steps, label))
    merged = [tuple(steps[k] for _, steps, _ in axes) for k in range(len(accesses))]
    return tuple(n for n, _, _ in axes), merged, tuple(label for _, _, label in axes)
