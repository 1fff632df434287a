"""Where results lie: over an operand, in a dead array or in one that is kept from call to call; in what order of axes.

NumPy's loops run along the last axis in memory, so one of ten elements costs as much as one of a thousand.  Where a
result is larger than what it is made of, it is laid out with its longest axis last, and what is made of it follows.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from wengert.backends import matmul
from wengert.backends.liveness import Liveness, Row, memory
from wengert.ir import kinds
from wengert.ir.graph import Node, Value
from wengert.ir.types import ArrayType

__all__ = ["Axes", "Places", "arranged", "empty", "nbytes", "transposed"]

Axes: TypeAlias = tuple[int, ...]
#: The last axis of an array is short up to here.
NARROW = 64
#: Arrays of so many bytes are kept from call to call (they come from the system page by page), so many bytes in all by
#: one program, and by all programs.
LARGE, MOST, ALL = 1 << 16, 1 << 26, 1 << 28


class _Pool:
    """The arrays of these types and orders that a program keeps, once for each call that was under way at a time."""

    def __init__(self, types: Sequence[tuple[ArrayType, Axes | None]], size: int) -> None:
        self.types, self.size, self.ref = types, size, weakref.ref(self)
        self.waiting: list[list[Any]] = []

    def borrow(self) -> list[Any]:
        try:
            return self.waiting.pop()
        except IndexError:
            _make_room(self.size)
            return [empty(type_, order) for type_, order in self.types]

    def give(self, work: list[Any]) -> None:
        self.waiting.append(work)
        _pools.pop(self.ref, None)
        _pools[self.ref] = None


#: Those of all programs in which arrays may wait, the latest last.
_pools: dict[weakref.ref[_Pool], None] = {}


def _make_room(size: int) -> None:
    """Let go of what has waited longest, so that no more than ``ALL`` is kept with so much more."""
    for ref in reversed(list(_pools)):
        if (pool := ref()) is not None:
            size += pool.size * len(pool.waiting)
            if size <= ALL:
                continue
            pool.waiting.clear()
        _pools.pop(ref, None)


class Places:
    """``order`` are the axes, as memory has them, of arrays that are not in C order; ``held`` what is kept."""

    def __init__(self, live: Liveness, rows: Sequence[Row], *, keeps: bool) -> None:
        self.live, self.end, self.keeps = live, len(rows), keeps
        self.order: dict[Value, Axes] = {}
        self.held: list[Value] = []
        self.laid: list[Axes | None] = []  # the order in which each of them is made
        self.free: dict[Any, list[tuple[str, int]]] = {}  # dead arrays by memory: name and line

    # -- which array ----------------------------------------------------------------------------------------------

    def over(self, at: int, out: Value, reads: Sequence[Value], names: Mapping[Value, str]) -> str | None:
        """An operand that is read for the last time, to which its result may be written."""
        for v in reads:
            if self._memory(v) == self._memory(out) and self.live.whole(v, at) and self._may(names[v], out):
                self.live.last[v] = -1  # it goes on under another name
                return names[v]
        return None

    def elsewhere(self, out: Value, *, surely: bool = False) -> str | None:
        """An array that nothing reads any more, or one that is kept; ``surely`` in the order that is noted: what NumPy
        has made may be in another."""
        waiting = self.free.get(self._memory(out), [])
        suits = lambda name: self._may(name, out) and (self.is_kept(name) or not surely)
        i = next((i for i in reversed(range(len(waiting))) if suits(waiting[i][0])), None)
        return self._kept(out) if i is None else waiting.pop(i)[0]

    def dies(self, v: Value, name: str, line: int) -> None:
        """An array waits for a result of its kind."""
        self.free.setdefault(self._memory(v), []).append((name, line))

    def is_kept(self, name: str) -> bool:
        """Whether an array of this name is kept for the next call."""
        return name[0] == "w"

    def _memory(self, v: Value) -> Any:
        return (*memory(v), self.order.get(v))

    def _may(self, name: str, out: Value) -> bool:
        return not (self.is_kept(name) and self._leaves(out))

    def _leaves(self, v: Value) -> bool:
        """Whether a value, or a view of it, is an output."""
        return self.live.last[self.live.root[v]] >= self.end

    def _kept(self, out: Value) -> str | None:
        suits = self.keeps and nbytes(out) >= LARGE and out in self.live.fresh and not self._leaves(out)
        if not suits or sum(map(nbytes, (*self.held, out))) > MOST:
            return None
        return self.keep(out, self.order.get(out))

    def keep(self, like: Value, order: Axes | None) -> str:
        """The name of an array that is kept from call to call."""
        self.held.append(like)
        self.laid.append(order)
        return f"w{len(self.held) - 1}"

    def workspace(self) -> tuple[Callable[[], list[Any]], Callable[[list[Any]], None]]:
        """How a call takes the arrays that are kept, and gives them back; a call at the same time makes others."""
        types = [(v.type, order) for v, order in zip(self.held, self.laid, strict=True)]
        pool = _Pool(types, sum(map(nbytes, self.held)))
        return pool.borrow, pool.give

    # -- in what order --------------------------------------------------------------------------------------------

    def ordered(self, v: Value, order: Axes | None) -> None:
        """Note the order of a value; None is C's."""
        if order is not None and order != tuple(range(len(order))):
            self.order[v] = order

    def follow(self, node: Node, reads: Sequence[Value]) -> list[tuple[Value, Axes]]:
        """Note the order of a result: NumPy follows the operands, and where they are all smaller, us.

        The operands that are to be copied into another order first, and that order.
        """
        out, op = node.results[0], node.op
        if op.name == "transpose":
            axes = node.params["axes"]
            before = self.order.get(reads[0], range(len(axes)))
            self.ordered(out, tuple(axes.index(a) for a in before))
        if not isinstance(op, kinds.Elementwise) or len(out.type.shape) < 2:
            return []
        whole = [v for v in reads if v.type.shape == out.type.shape]
        order = next((self.order[v] for v in whole if v in self.order), None) if whole else self._turned(out)
        if order is None:
            return []
        self.ordered(out, order)
        return [(v, axes) for v in dict.fromkeys(reads) if (axes := self._copied(v, out, order)) is not None]

    def _turned(self, out: Value) -> Axes | None:
        """The order with the longest axis last, where the last one is so short that NumPy is slow at it."""
        shape = out.type.shape
        longest = max(range(len(shape)), key=lambda a: shape[a])
        if nbytes(out) < LARGE or shape[-1] > NARROW or shape[longest] < 4 * shape[-1] or self._leaves(out):
            return None
        return (*(a for a in range(len(shape)) if a != longest), longest)

    def _copied(self, v: Value, out: Value, order: Axes) -> Axes | None:
        """The order that a small operand is to have, where it has another."""
        shape = v.type.shape
        axes = tuple(a - len(order) + len(shape) for a in order if a >= len(order) - len(shape))
        moved = [a for a in axes if shape[a] > 1]
        return None if v in self.order or moved == sorted(moved) or 4 * v.type.size > out.type.size else axes

    def product(self, out: Value, node: Node) -> tuple[matmul.MatmulPlan, Axes | None]:
        """How a contraction is done, and in which order its result lies then."""
        subscripts, shapes = node.params["subscripts"], [v.type.shape for v in node.operands]
        found: list[tuple[matmul.MatmulPlan, Axes | None]] = []
        for turned in (False, True):
            plan = matmul.plan(subscripts, *shapes, turned=turned)
            axes = plan.out_axes
            found.append((plan, None if axes is None else tuple(axes.index(a) for a in range(len(axes)))))
        wanted = self._turned(out) if len(out.type.shape) > 1 else None
        copies = [(p.x_shape is not None) + (p.y_shape is not None) + (p.out_shape is not None) for p, _ in found]
        return found[wanted is not None and found[1][1] == wanted and copies[1] <= copies[0]]


def nbytes(v: Value) -> int:
    """The size of an array."""
    return v.type.size * v.type.dtype.itemsize


def empty(type_: ArrayType, order: Axes | None) -> Any:
    if order is None:
        return np.empty(type_.shape, type_.dtype)
    return np.empty([type_.shape[a] for a in order], type_.dtype).transpose(np.argsort(order))


def arranged(text: str, shape: Any, axes: Any, then: Any) -> tuple[str, tuple[int, ...]]:
    """An operand as a vector, a matrix or a stack of them, and its shape."""
    if axes is not None:
        text, shape = f"{text}{transposed(axes)}", tuple(shape[a] for a in axes)
    if then == (*shape, 1):
        text, shape = f"{text}[..., None]", then
    elif then is not None:
        text, shape = f"{text}.reshape({then})", then
    return text, shape


def transposed(axes: Any) -> str:
    """The text of a view with the axes in another order."""
    return ".T" if tuple(axes) == tuple(range(len(axes)))[::-1] else f".transpose({axes})"
