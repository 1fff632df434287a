"""Memory as NumPy shares it: a view sees what is written into its array, and the other way round.

A *buffer* is one allocation.  It knows, for each element, the traced value that it came from and its place there, or
the plain number that it is.  Views look into it by positions that NumPy itself computes, so aliasing, repeated indices
and negative strides are NumPy's.  Nothing is emitted by a write; a read puts together what it needs: the element that
was stored, a slice of one value, values joined, and only failing these a gather.
"""

from __future__ import annotations

import sys
import weakref
from typing import Any

import numpy as np

from wengert.ir.graph import Constant, Value
from wengert.tracer.assembly import Parts, assembled
from wengert.tracer.location import refuse

__all__ = ["Buffer", "View", "is_view", "share"]

#: How a view looks into what it is a view of: on plain arrays, and on traced ones.
_PLAIN: dict[str, Any] = {
    "index": lambda a, key: a[key],
    "transpose": np.transpose,
    "reshape": np.reshape,
    "broadcast_to": np.broadcast_to,
    "real": lambda a, _: np.real(a), "imag": lambda a, _: np.imag(a),
}
_TRACED = {"index": "basic_index"}

Step = tuple[str, Any]
Positions = np.ndarray[Any, Any]


class Buffer:
    """One allocation: what its elements are, who looks into it, and whether it is the caller's.

    It is *plain* until a traced value is written into it: then ``numbers`` is an ndarray like any other.
    """

    __slots__ = ("argument", "base", "enough", "members", "numbers", "parts", "places", "shape", "version")

    def __init__(
        self, base: Value | None, *, numbers: np.ndarray[Any, Any] | None = None, argument: bool = False
    ) -> None:
        self.base = base
        self.numbers = numbers
        self.parts: Parts | None = None
        self.shape: tuple[int, ...] = base.type.shape if base is not None else numbers.shape  # type: ignore[union-attr]
        self.argument = argument
        self.version = 0
        self.places: Positions | None = None
        self.members: list[weakref.ref[Any]] = []
        self.enough = 16

    @property
    def plain(self) -> bool:
        """Whether no traced value is in it."""
        return self.base is None and self.parts is None

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

    def root(self) -> Positions:
        """The position of each element."""
        if self.places is None:
            self.places = np.arange(int(np.prod(self.shape, dtype=int)), dtype=np.int64).reshape(self.shape)
        return self.places

    def put(self, places: Positions, new: Value, origin: tuple[Value, int] | None) -> None:
        """Let the elements at these positions be those of ``new``, which is broadcast to them."""
        self.version += 1
        whole = places.shape == self.shape == new.type.shape and (places is self.places or _in_order(places))
        if whole:
            known = isinstance(new, Constant)
            self.base, self.parts = None if known else new, None
            self.numbers = np.array(new.array) if known else None  # type: ignore[attr-defined]
            return
        if self.parts is None:
            self.parts = Parts(self.root().size, self.base, None if self.numbers is None else self.numbers.reshape(-1))
        self.parts.put(places, new, origin)

    def look(self, xp: Any, places: Positions) -> Value:
        """The elements at these positions, as a value."""
        if self.plain:
            return xp.builder.constant(self.numbers.reshape(-1)[places])  # type: ignore[union-attr]
        parts = self.parts or Parts(self.root().size, self.base, None)
        value = assembled(xp, parts, places)
        if places is self.places and len(parts.values) > 4:  # put together once; what follows starts from it
            self.base, self.parts, self.numbers = value, None, None
        return value

    def number(self, place: int) -> Any:
        """The plain number at a position; None where it is a traced one."""
        if self.plain:
            return self.numbers.reshape(-1)[place]  # type: ignore[union-attr]
        if self.parts is None or self.parts.source[place] >= 0:
            return None
        return self.parts.numbers[place]  # type: ignore[index]

    def surrender(self) -> None:
        """Before a traced value comes into plain numbers: nobody else may be looking at them."""
        # seen by this buffer and by the two frames that ask; views of an array hold the array itself
        if self.plain and sys.getrefcount(self.numbers) > 2:
            raise refuse(
                "a traced value is written into an array whose memory a plain NumPy array shares (made of it by a "
                "library, or by a function that is not NumPy's), and that array would not see it.",
                "Write into a copy: y = np.array(y).",
            )


def _in_order(places: Positions) -> bool:
    return bool((places.reshape(-1) == np.arange(places.size)).all())


class View:
    """How one array looks into a buffer.

    ``certain`` is False where NumPy makes a view or a copy, depending on the order of the elements in memory, which
    is not traced.
    """

    __slots__ = ("_positions", "buffer", "certain", "steps")

    def __init__(self, buffer: Buffer, steps: tuple[Step, ...] = (), *, certain: bool = True,
                 positions: Positions | None = None) -> None:  # fmt: skip
        self.buffer = buffer
        self.steps = steps
        self.certain = certain
        self._positions = positions

    def positions(self) -> Positions:
        """The place in the buffer of each element."""
        if self._positions is None:
            self._positions = self._stepped(self.buffer.root())
        return self._positions

    def numbers(self) -> np.ndarray[Any, Any]:
        """What a plain buffer holds here: NumPy's own view of it."""
        whole: Any = self.buffer.numbers
        if self._positions is None or not self._positions.size:
            return self._stepped(whole) if self._positions is None else whole.reshape(-1)[self._positions]
        places, size = self._positions, whole.itemsize
        strides = tuple(s // places.itemsize * size for s in places.strides)
        return np.ndarray(places.shape, whole.dtype, whole, int(places.flat[0]) * size, strides)

    def _stepped(self, array: Any) -> Any:
        for name, argument in self.steps:
            array = _PLAIN[name](array, argument)
        return array

    def look(self, xp: Any) -> Value:
        """What the view shows now."""
        buffer = self.buffer
        if buffer.base is None or buffer.parts is not None or self._positions is not None:
            return buffer.look(xp, self.positions())
        array = xp.wrap(buffer.base)
        for name, argument in self.steps:
            array = getattr(xp, _TRACED.get(name, name))(array, argument)
        return array.value

    def write(self, array: Any, new: Value, chosen: Positions | None, origin: tuple[Value, int] | None) -> None:
        """Let ``array``, which has this view, hold ``new`` (at the flat positions ``chosen`` of it)."""
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
                "its elements, or while its real or imaginary part is in use.",
                "Make the view a copy (y = x.ravel().copy()), or write the update without in-place assignment.",
            )
        buffer.surrender()
        places = self.positions()
        buffer.put(places if chosen is None else places.reshape(-1)[chosen], new, origin)


def share(x: Any, result: Any, name: str, argument: Any, *, certain: bool = True) -> Any:
    """Mark ``result`` as one that NumPy would make a view of ``x``, by this step."""
    if result is x or not (x.shape or is_view(x)):  # a scalar has no memory to share
        return result
    view = remembered(x)
    places = view._positions  # noqa: SLF001 (a view's own)
    halves = name in ("real", "imag")  # of elements: they have no positions, so that no write can reach them
    positions = None if places is None or halves or name not in _PLAIN else _PLAIN[name](places, argument)
    look_into(result, View(view.buffer, (*view.steps, (name, argument)), certain=view.certain and certain,
                           positions=positions))  # fmt: skip
    return result


def remembered(x: Any) -> View:
    """The view of an array, which now has memory if it had none."""
    if x.memory is None:
        look_into(x, View(Buffer(x.value)))
    return x.memory


def look_into(array: Any, view: View) -> None:
    """Give an array its view; what it holds is what the view shows."""
    array.memory = view
    array.version = view.buffer.version
    view.buffer.add(array)


def is_view(x: Any) -> bool:
    """Whether an array looks into another's memory."""
    return x.memory is not None and (bool(x.memory.steps) or not x.memory.buffer.argument)
