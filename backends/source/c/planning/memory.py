"""Where intermediate arrays live: one workspace, its parts used again when their array is dead."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from wengert.backends.source.c.planning.plan import Plan, Unit
from wengert.ir.graph import Constant, Value

__all__ = ["Workspace", "layout"]

#: The bytes of a stack's place: where its memory is, and for how many entries.
SLOT = 16
ALIGN = 64  # a cache line, and the widest vector


class Workspace:
    """Offsets into a block of bytes that grows as needed."""

    def __init__(self) -> None:
        self.size = 0
        self._free: list[tuple[int, int]] = []  # (offset, size), sorted, never touching

    def take(self, size: int) -> int:
        """The offset of a free part: the first that is large enough."""
        size = max(1, -(-size // ALIGN)) * ALIGN
        for k, (offset, room) in enumerate(self._free):
            if room >= size:
                self._free[k : k + 1] = [(offset + size, room - size)] if room > size else []
                return offset
        start = self.size
        if self._free and sum(self._free[-1]) == self.size:  # the last free part grows
            start = self._free.pop()[0]
        self.size = start + size
        return start

    def give(self, offset: int, size: int) -> None:
        """Free a part again."""
        size = max(1, -(-size // ALIGN)) * ALIGN
        k = next((k for k, (start, _) in enumerate(self._free) if start > offset), len(self._free))
        self._free.insert(k, (offset, size))
        for left in (k, k - 1):
            if 0 <= left < len(self._free) - 1 and sum(self._free[left]) == self._free[left + 1][0]:
                (start, first), (_, second) = self._free[left : left + 2]
                self._free[left : left + 2] = [(start, first + second)]


def layout(
    plan: Plan, given: Iterable[Value], scratch: dict[Unit, int], stacks: Sequence[Value] = ()
) -> tuple[dict[Value, int], dict[Unit, int], int]:
    """Offsets of all arrays not ``given``, and of the scratch that units ask for; the total size.

    A unit never writes where it reads: all its arrays are distinct.  Where ``stacks`` are kept, nothing else ever is.
    """
    elsewhere, last = {*given, *stacks}, dict[Value, int]()
    for k, unit in enumerate(plan.units):
        last.update((plan.home(v)[0], k) for v in (*unit.stored, *plan.reads(unit)))
    dies: dict[int, list[Value]] = {}
    for value, k in last.items():
        if value not in elsewhere and not isinstance(value, Constant):
            dies.setdefault(k, []).append(value)
    space, spare = Workspace(), {}
    first = space.take(SLOT * len(stacks)) if stacks else 0
    place = {v: first + SLOT * i for i, v in enumerate(stacks)}
    for k, unit in enumerate(plan.units):
        for value in (plan.home(v)[0] for v in unit.stored):
            if value not in elsewhere and value not in place:
                place[value] = space.take(_bytes(value))
        if unit in scratch:
            spare[unit] = space.take(scratch[unit])
            space.give(spare[unit], scratch[unit])
        for value in dies.get(k, ()):
            space.give(place[value], _bytes(value))
    return place, spare, space.size


def _bytes(value: Value) -> int:
    return value.type.size * value.type.dtype.itemsize
