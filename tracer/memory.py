"""Memory as NumPy shares it: a view sees what is written into its array, and the other way round."""

from __future__ import annotations

import math
import weakref
from typing import Any

import numpy as np

from wengert.ir.graph import Value
from wengert.tracer.location import refuse

__all__ = ["Buffer", "View", "is_view", "replaced", "share"]

#: How a view looks into what it is a view of: on plain arrays, and on traced ones.
_PLAIN: dict[str, Any] = {
    "index": lambda a, key: a[key],
    "transpose": np.transpose,
    "reshape": np.reshape,
    "broadcast_to": np.broadcast_to,
}
_TRACED = {"index": "basic_index"}

Step = tuple[str, Any]


class Buffer:
    """The memory of an array: its value as a whole, who looks into it, and whether it is the caller's."""

    __slots__ = ("argument", "enough", "members", "value")

    def __init__(self, value: Value, *, argument: bool = False) -> None:
        self.value = value
        self.argument = argument
        self.members: list[weakref.ref[Any]] = []
        self.enough = 16

    def add(self, array: Any) -> None:
        """Remember (weakly) who looks into this memory."""
        self.members.append(weakref.ref(array))
        if len(self.members) > self.enough:
            self.members = [ref for ref in self.members if ref() is not None]
            self.enough = 16 + 2 * len(self.members)

    def others(self, array: Any) -> list[Any]:
        """Who else looks into it."""
        found = [ref() for ref in self.members]
        return [member for member in found if member is not None and member is not array]


class View:
    """How one array looks into a buffer.

    ``certain`` is False where NumPy makes a view or a copy, depending on the order of the elements in memory, which
    is not traced.
    """

    __slots__ = ("buffer", "certain", "steps")

    def __init__(self, buffer: Buffer, steps: tuple[Step, ...] = (), *, certain: bool = True) -> None:
        self.buffer = buffer
        self.steps = steps
        self.certain = certain

    def positions(self) -> np.ndarray[Any, Any]:
        """The place in the buffer of each element."""
        type_ = self.buffer.value.type
        places = np.arange(type_.size, dtype=np.int64).reshape(type_.shape)
        for name, argument in self.steps:
            places = _PLAIN[name](places, argument)
        return places

    def look(self, xp: Any) -> Value:
        """What the view shows now."""
        array = xp.wrap(self.buffer.value)
        for name, argument in self.steps:
            array = getattr(xp, _TRACED.get(name, name))(array, argument)
        return array.value

    def write(self, array: Any, new: Value) -> None:
        """Let ``array``, which has this view, hold ``new``, and every other view of the memory show it."""
        buffer = self.buffer
        if buffer.argument:
            raise refuse(
                "an argument of the traced function is modified in place, which would change the caller's array.",
                "Work on a copy: x = x.copy(), or x = x + y instead of x += y.",
            )
        if any(name == "broadcast_to" for name, _ in self.steps):
            message = "assignment destination is read-only: it is a broadcast view. Make a copy first."
            raise ValueError(message)
        others = buffer.others(array)
        if others and not all(a.memory.certain for a in (array, *others)):
            raise refuse(
                "an array is modified in place while a reshaped view may share its memory, depending on the order of "
                "its elements.",
                "Make the view a copy (y = x.ravel().copy()), or write the update without in-place assignment.",
            )
        array.value = new
        if not others:
            array.memory = None
            return
        xp, written = array.xp, self.positions()
        buffer.value = replaced(xp, xp.wrap(buffer.value), written, xp.wrap(new)).value
        touched = np.zeros(buffer.value.type.size, bool)
        touched[written] = True
        for other in others:
            if touched[other.memory.positions()].any():
                other.value = other.memory.look(xp)


def share(x: Any, result: Any, name: str, argument: Any, *, certain: bool = True) -> Any:
    """Mark ``result`` as one that NumPy would make a view of ``x``, by this step."""
    if result is x or not (x.shape or is_view(x)):  # a scalar has no memory to share
        return result
    if x.memory is None:
        x.memory = View(Buffer(x.value))
        x.memory.buffer.add(x)
    view: View = x.memory
    result.memory = View(view.buffer, (*view.steps, (name, argument)), certain=view.certain and certain)
    view.buffer.add(result)
    return result


def is_view(x: Any) -> bool:
    """Whether an array looks into another's memory."""
    return x.memory is not None and bool(x.memory.steps)


def replaced(xp: Any, x: Any, positions: np.ndarray[Any, Any], new: Any) -> Any:
    """``x`` with the elements at flat positions replaced by those of ``new``, of the positions' shape."""
    chosen = positions.reshape(-1)
    if not chosen.size:
        return x
    if chosen.size == math.prod(x.shape) and np.array_equal(chosen, np.arange(chosen.size)):
        return xp.reshape(new, x.shape)
    source = np.zeros(math.prod(x.shape), dtype=np.int64)
    source[chosen] = np.arange(chosen.size)  # as NumPy: of repeated positions the last wins
    mask = np.zeros(source.size, dtype=bool)
    mask[chosen] = True
    constant = xp.builder.constant
    flat = xp.take(xp.reshape(new, (chosen.size,)), xp.wrap(constant(source.reshape(x.shape))), axis=0)
    return xp.where(xp.wrap(constant(mask.reshape(x.shape))), flat, x)
