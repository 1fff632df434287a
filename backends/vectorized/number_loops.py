"""Loops of known length whose steps are plain numbers: one Python function, in which each step is straight lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from attrs import field, frozen

from wengert.backends.assembled import assembled
from wengert.backends.vectorized.numbers import Names, Written, elements, later, tuple_of, written
from wengert.ir.graph import Graph, Node, Value

__all__ = ["Kept", "backward", "forward"]


@frozen
class Kept:
    """The names of the elements that a step keeps, each once, and which of them are those of each value."""

    names: Names
    values: list[Names]


@frozen
class _Loop:
    """The text of a loop: ``columns`` are read one row at a time, from the end with ``flip``."""

    n: int
    flip: bool
    arguments: list[str] = field(factory=list)
    before: list[str] = field(factory=list)
    columns: dict[str, str] = field(factory=dict)  # what is taken apart in a step, and the rows
    within: list[str] = field(factory=list)
    results: list[str] = field(factory=list)
    scope: dict[str, Any] = field(factory=lambda: {"array": np.array})

    def dtype(self, v: Value) -> str:
        self.scope[name := f"d_{v.type.dtype.name}"] = v.type.dtype.type
        return name

    def enters(self, name: str, v: Value) -> Names:
        """A value that is there from the beginning."""
        names = elements(name, v)
        self.arguments.append(f"{name}_")
        self.before.append(f"{name} = {name}_.item()" if not v.type.shape else
                           f"{tuple_of(names)}= {name}_.ravel().tolist()")  # fmt: skip
        return names

    def column(self, name: str, v: Value, shape: tuple[int, ...]) -> Names:
        """Values of which each step reads one."""
        names = elements(name, v)
        self.arguments.append(f"{name}_")
        rows = f"{name}_.reshape({(self.n, v.type.size)})" if shape else f"{name}_"
        self.columns[f"({tuple_of(names)})" if shape else name] = f"{rows}{self.turned}.tolist()"
        return names

    @property
    def turned(self) -> str:
        return "[::-1]" if self.flip else ""

    def gathers(self, name: str, names: Names, v: Value) -> None:
        """One value of each step, along a new first axis."""
        self.before.append(f"{name} = []")
        self.within.append(f"{name}.append({f'({tuple_of(names)})' if v.type.shape else names[0]})")
        text = f"array({name}{self.turned}, {self.dtype(v)})"
        self.results.append(f"{text}.reshape({(self.n, *v.type.shape)})" if v.type.shape else text)

    def leaves(self, names: Names, v: Value) -> None:
        """A value as it is at the end."""
        self.results.append(f"array([{', '.join(names)}], {self.dtype(v)}).reshape({v.type.shape})" if v.type.shape
                            else f"{self.dtype(v)}({names[0]})")  # fmt: skip

    def carries(self, old: Sequence[str], new: Sequence[str]) -> None:
        pairs = [(a, b) for a, b in zip(old, new, strict=True) if a != b]
        if pairs:
            self.within.append(f"{tuple_of([a for a, _ in pairs])}= {tuple_of([b for _, b in pairs])}")

    def function(self, step: Written, again: Callable[[], Callable[..., Any]] | None) -> Callable[..., Any]:
        head = f"for _ in range({self.n}):"
        if self.columns:
            rows = list(self.columns.values())
            head = f"for {tuple_of(list(self.columns))}in zip({', '.join(rows)}):" if len(rows) > 1 else (
                f"for {next(iter(self.columns))} in {rows[0]}:")
        made = self.results[0] if len(self.results) == 1 else f"({tuple_of(self.results)})"
        body = [*step.lines, *self.within] or ["pass"]
        lines = [*self.before, head, *(f"    {line}" for line in body)]
        scope = {**self.scope, **step.scope}
        if again is not None:
            scope["again"] = later(again)
            lines = ["try:", *(f"    {line}" for line in lines), "except raised:",
                     f"    return again({', '.join(self.arguments)})"]  # fmt: skip
        return assembled("loop", self.arguments, [*lines, f"return {made}"], scope)


def forward(
    node: Node, graph: Graph, *, keeps: bool = False, leaves: bool = False, careful: bool = False
) -> tuple[Callable[..., Any], Kept | None] | None:
    """The values of a loop; None where its steps are not for numbers.

    With ``keeps``, ``graph`` gives more than a step does: what is kept of each step comes last, in a list.  With
    ``leaves``, last comes a tuple: a list for each number that is carried, of what it was in each step, and operands.
    """
    params = node.params
    c, m, ins, outs = params["consts"], params["carries"], graph.inputs, graph.outputs
    text = _Loop(params["length"], flip=params["reverse"])
    names = [text.enters(f"k{i}" if i < c else f"c{i - c}", v) for i, v in enumerate(ins[: c + m])]
    names += [text.column(f"x{i}", v, v.type.shape) for i, v in enumerate(ins[c + m :])]
    step = written(graph, names, careful=careful)
    if step is None:
        return None
    stop, kept = len(node.results), None
    for names_of, v in zip(names[c : c + m], outs[:m], strict=True):
        text.leaves(names_of, v)
    for i in range(m, stop):
        text.gathers(f"y{i}", step.outputs[i], outs[i])
    if keeps:
        values = step.outputs[stop:]
        kept = Kept(tuple(dict.fromkeys(x for x in _flat(values) if x[0] != "(")), values)
        text.before.append("kept = []")
        text.within.append(f"kept.append(({tuple_of(kept.names)}))")
        text.results.append("kept")
    if leaves:
        carried = _flat(names[c : c + m])
        text.before.extend(f"s_{x} = []" for x in carried)
        text.within.extend(f"s_{x}.append({x})" for x in carried)
        text.results.append(f"({tuple_of([*(f's_{x}' for x in carried), *text.arguments])})")
    text.carries(_flat(names[c : c + m]), _flat(step.outputs[:m]))
    again = None if careful else (
        lambda: forward(node, graph, keeps=keeps, leaves=leaves, careful=True)[0])  # type: ignore[index]
    return text.function(step, again), kept


def backward(
    node: Node, graph: Graph, held: Sequence[int], kept: Kept, ends: Sequence[int], active: Sequence[int],
    live: Sequence[bool], *, careful: bool = False,
) -> Callable[..., Any] | None:  # fmt: skip
    """The pullback of a loop, of what was kept, of consts that are ``held`` and of the cotangents of ``ends``.

    ``graph`` takes the consts, what a step kept and the cotangents; it gives those of the ``active`` inputs of a step.
    """
    params, ins = node.params, node.params["graph"].inputs
    c, m = params["consts"], params["carries"]
    text = _Loop(params["length"], flip=not params["reverse"])
    text.arguments.append("kept")
    names = [text.enters(f"k{i}", v) for i, v in zip(held, graph.inputs, strict=False)]
    text.columns[f"({tuple_of(kept.names)})" if kept.names else "_"] = "reversed(kept)"
    names += kept.values
    given = {}
    for i, v in zip(ends, graph.inputs[len(names) :], strict=True):
        given[i] = text.enters(f"g{i}", v) if i < m else text.column(f"g{i}", v, v.type.shape)
    step = written(graph, [*names, *given.values()], "w", derived=range(len(active)), careful=careful)
    if step is None:
        return None
    old: list[str] = []
    new: list[str] = []
    for i, share in zip(active, step.outputs, strict=True):
        v = ins[i]
        if i < c and live[i]:
            totals = elements(f"a{i}", v)
            text.before.extend(f"{total} = 0.0" for total in totals)
            text.within.extend(f"{total} += {x}" for total, x in zip(totals, share, strict=True))
            text.leaves(totals, v)
        elif c <= i < c + m:
            old += given[i - c]
            new += share
            if live[i]:
                text.leaves(given[i - c], v)
        elif live[i]:
            text.gathers(f"h{i}", share, v)
    text.carries(old, new)
    again = None if careful else lambda: backward(node, graph, held, kept, ends, active, live, careful=True)
    return text.function(step, again)  # type: ignore[arg-type]


def _flat(names: Sequence[Names]) -> list[str]:
    return [name for names_of in names for name in names_of]
