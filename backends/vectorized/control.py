"""Control ops on whole arrays: the machines that their schedules are run on, one per mode.

See :mod:`wengert.ir.driving`.  What a machine is made with keeps the graphs that it has made ready.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from attrs import define, frozen

from wengert.ir.driving import forward_rule, reverse_rules
from wengert.ir.graph import Graph
from wengert.ir.types import ArrayType, is_inexact

__all__ = ["Dual", "Duals", "Entry", "Tape", "Values"]

Made = Callable[..., Any]


class Values:
    """Values are arrays.  ``ready(graph)`` gives a function of arrays."""

    def __init__(self, ready: Made) -> None:
        self.ready = ready

    def call(self, graph: Graph, operands: Sequence[Any]) -> Sequence[Any]:
        return self.ready(graph)(operands)  # type: ignore[no-any-return]

    again = call

    def custom(self, params: dict[str, Any], operands: Sequence[Any]) -> Sequence[Any]:
        return self.call(params["graph"], operands)

    def holds(self, graph: Graph, operands: Sequence[Any]) -> bool:
        return bool(self.call(graph, operands)[0])

    def index(self, value: Any) -> int:
        return int(value)

    def number(self, n: int) -> Any:
        return np.asarray(n, np.int64)

    def at(self, value: Any, i: int, n: int) -> Any:
        return value[i, ...]

    def stack(self, values: Sequence[Any], type_: ArrayType) -> Any:
        return _stacked(values, type_)


def _stacked(arrays: Sequence[Any], type_: ArrayType) -> Any:
    return np.stack(arrays) if len(arrays) else np.empty((0, *type_.shape), type_.dtype)


@frozen
class Dual:
    """An array and its tangents, k at once along a leading axis; None where nothing flows."""

    primal: Any
    tangent: Any = None


class Duals:
    """Values are duals.  ``ready(graph, active)`` gives a function of arrays and tangents to both."""

    def __init__(self, values: Values, ready: Made, k: int, products: Any) -> None:
        self.values, self.ready, self.k, self.products = values, ready, k, products

    def call(self, graph: Graph, operands: Sequence[Dual]) -> list[Dual]:
        active = tuple(i for i, d in enumerate(operands) if d.tangent is not None)
        primals = [d.primal for d in operands]
        if not active:
            return [Dual(x) for x in self.values.call(graph, primals)]
        moving = [operands[i].tangent for i in active]
        outs, moved = self.ready(graph, active)(primals, moving, self.products)
        return [Dual(x, t) for x, t in zip(outs, moved, strict=True)]

    again = call

    def custom(self, params: dict[str, Any], operands: Sequence[Dual]) -> list[Dual]:
        primals = [d.primal for d in operands]
        outs = self.values.call(params["graph"], primals)
        if all(d.tangent is None for d in operands):
            return [Dual(x) for x in outs]
        lines = [
            [np.zeros_like(d.primal) if d.tangent is None else d.tangent[j] for d in operands if _moves(d.primal)]
            for j in range(self.k)
        ]
        rows = [self.values.call(forward_rule(params), [*primals, *outs, *line]) for line in lines]
        columns = iter([np.stack(column) for column in zip(*rows, strict=True)])
        return [Dual(x, next(columns) if _moves(x) else None) for x in outs]

    def holds(self, graph: Graph, operands: Sequence[Dual]) -> bool:
        return self.values.holds(graph, [d.primal for d in operands])

    def index(self, value: Dual) -> int:
        return int(value.primal)

    def number(self, n: int) -> Dual:
        return Dual(np.asarray(n, np.int64))

    def at(self, value: Dual, i: int, n: int) -> Dual:
        return Dual(value.primal[i, ...], None if value.tangent is None else value.tangent[:, i, ...])

    def stack(self, values: Sequence[Dual], type_: ArrayType) -> Dual:
        primal = _stacked([d.primal for d in values], type_)
        if all(d.tangent is None for d in values):
            return Dual(primal)
        shape = (self.k, *type_.shape)
        moving = [np.zeros(shape, type_.dtype) if d.tangent is None else np.broadcast_to(d.tangent, shape)
                  for d in values]  # fmt: skip
        return Dual(primal, np.stack(moving, 1))


def _moves(array: Any) -> bool:
    return is_inexact(np.asarray(array).dtype)


@define(eq=False)
class Entry:
    """An array on a tape, and the cotangents that have arrived at it; ``live`` where any may.

    The first to arrive is kept as it came; a sum is ours, and is added to in place.
    """

    primal: Any
    live: bool = False
    cotangent: Any = None
    owned: bool = False

    def add(self, g: Any) -> None:
        """Add cotangents."""
        if self.cotangent is None:
            self.cotangent = g
        elif self.owned:
            self.cotangent += g
        else:
            self.cotangent, self.owned = self.cotangent + g, True

    def buffer(self, k: int) -> Any:
        """The cotangents, to be written to."""
        if not self.owned:
            g = np.zeros((k, *np.shape(self.primal)), self.primal.dtype)
            self.cotangent, self.owned = g if self.cotangent is None else g + self.cotangent, True
        return self.cotangent

    def take(self) -> Any:
        """The cotangents, which are then gone from here."""
        g, self.cotangent, self.owned = self.cotangent, None, False
        return g


class Tape:
    """Values are entries.  ``ready(graph, active)`` gives a function of arrays to results and their pullback, of
    (cotangents, k, products)."""

    def __init__(self, values: Values, ready: Made) -> None:
        self.values, self.ready = values, ready
        self.pulls: list[Callable[[int, Any], None]] = []

    def pull(self, ends: Sequence[Entry], gs: Sequence[Any], k: int, products: Any) -> None:
        """Read the tape backwards from cotangents of the ends; they collect in the entries."""
        for end, g in zip(ends, gs, strict=True):
            if g is not None and end.live:
                end.add(g)
        for pull in reversed(self.pulls):
            pull(k, products)

    def _leave(self, operands: Sequence[Entry], active: Sequence[int], outs: Sequence[Any], back: Made) -> list[Entry]:
        """Entries for results, and on the tape how their cotangents are handed on."""
        entries = [Entry(x, _moves(x)) for x in outs]

        def pull(k: int, products: Any) -> None:
            gs = [e.take() for e in entries]
            if any(g is not None for g in gs):
                for i, g in zip(active, back(gs, k, products), strict=True):
                    if g is not None:
                        operands[i].add(g)

        self.pulls.append(pull)
        return entries

    def call(self, graph: Graph, operands: Sequence[Entry]) -> list[Entry]:
        active = tuple(i for i, e in enumerate(operands) if e.live)
        primals = [e.primal for e in operands]
        if not active:
            return [Entry(x) for x in self.values.call(graph, primals)]
        outs, back = self.ready(graph, active)(primals)
        return self._leave(operands, active, outs, back)

    def again(self, graph: Graph, operands: Sequence[Entry]) -> list[Entry]:
        active = tuple(i for i, e in enumerate(operands) if e.live)
        primals = [e.primal for e in operands]
        outs = self.values.call(graph, primals)
        if not active:
            return [Entry(x) for x in outs]
        return self._leave(operands, active, outs, lambda gs, k, p: self.ready(graph, active)(primals)[1](gs, k, p))

    def custom(self, params: dict[str, Any], operands: Sequence[Entry]) -> list[Entry]:
        primals = [e.primal for e in operands]
        outs = self.values.call(params["graph"], primals)
        moving = [i for i, e in enumerate(operands) if _moves(e.primal)]
        if not any(e.live for e in operands):
            return [Entry(x) for x in outs]

        vjp, jvp = reverse_rules(params)

        def back(gs: Sequence[Any], k: int, products: Any) -> list[Any]:
            ends = [(np.zeros((k, *x.shape), x.dtype) if g is None else g)
                    for g, x in zip(gs, outs, strict=True) if _moves(x)]  # fmt: skip
            if vjp is not None:
                rows = [self.values.call(vjp, [*primals, *outs, *(g[j] for g in ends)]) for j in range(k)]
                return [np.stack(column) for column in zip(*rows, strict=True)]
            n = len(primals) + len(outs)
            at = [*primals, *outs, *(np.zeros_like(primals[i]) for i in moving)]
            return list(self.ready(jvp, tuple(range(n, n + len(moving))))(at)[1](ends, k, products))

        return self._leave(operands, moving, outs, back)

    def holds(self, graph: Graph, operands: Sequence[Entry]) -> bool:
        return self.values.holds(graph, [e.primal for e in operands])

    def index(self, value: Entry) -> int:
        return int(value.primal)

    def number(self, n: int) -> Entry:
        return Entry(np.asarray(n, np.int64))

    def at(self, value: Entry, i: int, n: int) -> Entry:
        entry = Entry(value.primal[i, ...], value.live)
        if value.live:

            def pull(k: int, products: Any) -> None:
                if (g := entry.take()) is not None:
                    value.buffer(k)[:, i] += g

            self.pulls.append(pull)
        return entry

    def stack(self, values: Sequence[Entry], type_: ArrayType) -> Entry:
        entry = Entry(_stacked([e.primal for e in values], type_), any(e.live for e in values))
        if entry.live:

            def pull(k: int, products: Any) -> None:
                if (g := entry.take()) is not None:
                    for j, e in enumerate(values):
                        if e.live:
                            e.add(g[:, j])

            self.pulls.append(pull)
        return entry
