"""The tape of control nodes: what was run, to be read backwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from attrs import define

from wengert.backends.reference import evaluate
from wengert.backends.reference.arrays import Flat, zeros
from wengert.backends.reference.partials import active_values
from wengert.backends.reference.scalar import adder
from wengert.ir.driving import reverse_rules
from wengert.ir.graph import Graph
from wengert.ir.types import ArrayType, is_inexact

__all__ = ["Cotangents", "Entry", "Tape", "turned"]

#: One list of elements per direction; None where nothing flows.
Cotangents: TypeAlias = list[Flat] | None
#: What makes the tape of a graph: ``recorder`` of wengert.backends.reference.reverse.
Recorder: TypeAlias = Callable[..., Any]


@define(eq=False)
class Entry:
    """A value on a tape, and the cotangents that have arrived at it; ``live`` where any may."""

    primal: Flat
    live: bool = False
    cotangents: Cotangents = None

    def add(self, gs: list[Flat], dtype: Any) -> None:
        """Add cotangents."""
        plus = adder(dtype)
        both = zip(self.cotangents or (), gs, strict=False)
        self.cotangents = [list(map(plus, before, now)) for before, now in both] if self.cotangents else gs

    def take(self) -> Cotangents:
        """The cotangents, which are then gone from here."""
        gs, self.cotangents = self.cotangents, None
        return gs


class Tape:
    """The machine of control nodes (:mod:`wengert.ir.driving`) on entries of a tape."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.values = evaluate.Values()
        self.made: dict[Any, Any] = {}
        self.pulls: list[Callable[[], None]] = []

    def pull(self, ends: Sequence[Entry], gs: Sequence[Cotangents], dtypes: Sequence[Any]) -> None:
        """Read the tape backwards from cotangents of the ends; they collect in the entries."""
        for end, g, dtype in zip(ends, gs, dtypes, strict=True):
            if g is not None and end.live:
                end.add(g, dtype)
        for pull in reversed(self.pulls):
            pull()

    def _recorder(self, graph: Graph, flags: tuple[bool, ...]) -> Any:
        if (graph, flags) not in self.made:
            inner = active_values(graph, [i for i, flag in enumerate(flags) if flag])
            self.made[graph, flags] = self.recorder(graph, inner), [v in inner for v in graph.outputs]
        return self.made[graph, flags]

    def _leave(
        self, graph: Graph, operands: Sequence[Entry], outs: Sequence[Flat], live: Sequence[bool],
        back: Callable[[list[Cotangents]], list[Cotangents]],
    ) -> list[Entry]:
        """Entries for results, and on the tape how their cotangents are handed on."""
        entries = [Entry(x, flag) for x, flag in zip(outs, live, strict=True)]

        def pull() -> None:
            gs = [e.take() for e in entries]
            if any(g is not None for g in gs):
                for e, g, v in zip(operands, back(gs), graph.inputs, strict=True):
                    if e.live and g is not None:
                        e.add(g, v.type.dtype)

        self.pulls.append(pull)
        return entries

    def call(self, graph: Graph, operands: Sequence[Entry]) -> list[Entry]:
        run, live = self._recorder(graph, tuple(e.live for e in operands))
        values, pullback = run([e.primal for e in operands])

        def back(gs: list[Cotangents]) -> list[Cotangents]:
            arrived = pullback(gs)
            return [arrived.get(v) for v in graph.inputs]

        return self._leave(graph, operands, [values[v] for v in graph.outputs], live, back)

    def again(self, graph: Graph, operands: Sequence[Entry]) -> list[Entry]:
        """The values are forgotten, and computed once more when cotangents arrive."""
        run, live = self._recorder(graph, tuple(e.live for e in operands))
        xs = [e.primal for e in operands]

        def back(gs: list[Cotangents]) -> list[Cotangents]:
            arrived = run(xs)[1](gs)
            return [arrived.get(v) for v in graph.inputs]

        return self._leave(graph, operands, self.values.call(graph, xs), live, back)

    def custom(self, params: dict[str, Any], operands: Sequence[Entry]) -> list[Entry]:
        """Cotangents by the rule: the vjp, or the pullback, in its tangents, of the jvp."""
        graph, xs = params["graph"], [e.primal for e in operands]
        outs = self.values.call(graph, xs)
        moving = [is_inexact(v.type.dtype) for v in graph.inputs]
        vjp, jvp = reverse_rules(params) if any(e.live for e in operands) else (None, None)
        ends = [is_inexact(v.type.dtype) and any(e.live for e in operands) for v in graph.outputs]

        def back(gs: list[Cotangents]) -> list[Cotangents]:
            k = next(len(g) for g in gs if g is not None)
            lines = [
                [zeros(v.type) if g is None else g[j] for g, v, end in zip(gs, graph.outputs, ends, strict=True) if end]
                for j in range(k)
            ]
            if vjp is not None:
                rows = [self.values.call(vjp, [*xs, *outs, *line]) for line in lines]
            else:
                assert jvp is not None
                at = [zeros(v.type) for v, m in zip(graph.inputs, moving, strict=True) if m]
                rows = turned(self.recorder, jvp, [*xs, *outs], at, lines)
            columns = iter([list(column) for column in zip(*rows, strict=True)])
            return [next(columns) if m else None for m in moving]

        return self._leave(graph, operands, outs, ends, back)

    def holds(self, graph: Graph, operands: Sequence[Entry]) -> bool:
        return self.values.holds(graph, [e.primal for e in operands])

    def index(self, value: Entry) -> int:
        return self.values.index(value.primal)

    def number(self, n: int) -> Entry:
        return Entry([n])

    def at(self, value: Entry, i: int, n: int) -> Entry:
        entry = Entry(self.values.at(value.primal, i, n), value.live)
        size = len(entry.primal)

        def pull() -> None:
            if (gs := entry.take()) is not None and value.live:
                if value.cotangents is None:
                    value.cotangents = [[type(e)(0) for e in value.primal] for _ in gs]
                for whole, g in zip(value.cotangents, gs, strict=True):
                    whole[i * size : (i + 1) * size] = g  # each entry is read once

        self.pulls.append(pull)
        return entry

    def stack(self, values: Sequence[Entry], type_: ArrayType) -> Entry:
        entry = Entry([x for e in values for x in e.primal], any(e.live for e in values))

        def pull() -> None:
            if (gs := entry.take()) is not None:
                for i, e in enumerate(values):
                    if e.live:
                        e.add([self.values.at(g, i, len(values)) for g in gs], type_.dtype)

        self.pulls.append(pull)
        return entry


def turned(
    recorder: Recorder, rule: Graph, known: Sequence[Flat], at: Sequence[Flat], lines: Sequence[Sequence[Flat]]
) -> list[list[Flat]]:
    """A rule that is linear in its last inputs, transposed: its pullback in them, at ``at``, of each line."""
    n = len(known)
    moving = range(n, n + len(at))
    _, pullback = recorder(rule, active_values(rule, moving))([*known, *at])
    rows = []
    for line in lines:
        arrived = pullback([[g] for g in line])
        rows.append([arrived[rule.inputs[i]][0] if rule.inputs[i] in arrived else at[i - n] for i in moving])
    return rows
