"""Loops on a few numbers backwards: a step is a matrix, and those of all steps are computed at once.

What a step hands back is linear in what the step after it hands to it.  So a loop leaves what it carried, nothing else;
from that all steps are computed again in a few calls of NumPy, on arrays of the numbers of all steps, and with them how
each answers to every unit vector.  What is left to do one step after the other is a product of a small matrix and a
vector; what a loop reads is then given what all steps hand back to it in a few calls more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.backends.assembled import assembled
from wengert.backends.vectorized import number_loops
from wengert.backends.vectorized.arrays import scale
from wengert.backends.vectorized.numbers import Names, Written, elements, tuple_of, written
from wengert.ir.graph import Graph, Node

__all__ = ["both"]

#: Steps that are computed at once.  In operations on plain numbers: what a call on arrays costs, and a number that goes
#: from an array to a list or back; of so many numbers an array costs one more.
BLOCK, CALL, MOVED, EACH = 4096, 45, 2, 16
#: Steps from which on it may pay, and numbers that are carried up to which it may.
LEAST, WIDEST = 64, 8
_ZERO = "(0.0)"


def _total(x: Any, n: int) -> Any:
    return np.add.reduce(x) if np.ndim(x) else n * x


def _backwards(x: Any, n: int) -> list[float]:
    return x[::-1].tolist() if np.ndim(x) else [float(x)] * n


_SCOPE = {
    "array": np.array, "empty": np.empty, "total": _total, "backwards": _backwards, "d": np.float64,
    "np_scaled": scale,
    **{f"np_{f.__name__}": f for f in (np.where, np.logical_and, np.logical_or, np.logical_not, np.sqrt)},
}  # fmt: skip


def both(
    node: Node, first: Graph, second: Graph, fixed: Sequence[int], ends: Sequence[int], active: Sequence[int],
    live: Sequence[bool],
) -> tuple[Callable[..., Any], Callable[..., Any]] | None:  # fmt: skip
    """A loop and its pullback, of what it left, of the consts that are ``fixed`` and of the cotangents of ``ends``;
    None where steps are not for numbers, or better taken one by one.

    ``first`` and ``second`` are what a step does before there are cotangents, and with them; see :mod:`.loops`.
    """
    c, m = node.params["consts"], node.params["carries"]
    carried = sum(v.type.size for v in first.inputs[c : c + m])
    if node.params["length"] < LEAST or carried > WIDEST:
        return None
    loop = _Loop(node, first, second, fixed, ends, active, live)
    there = number_loops.forward(node, first.evolve(outputs=first.outputs[: len(node.results)]), leaves=True)
    return (there[0], loop.function()) if loop.pays and there is not None else None


class _Loop:
    """What a loop's pullback computes on arrays.

    ``early`` is what does not depend on cotangents, ``units`` are answers to unit vectors, ``more`` is the answer to
    what arrives at each step, and ``rest`` is what consts and entries are given.
    """

    def __init__(
        self, node: Node, first: Graph, second: Graph, fixed: Sequence[int], ends: Sequence[int],
        active: Sequence[int], live: Sequence[bool],
    ) -> None:  # fmt: skip
        params, self.ins, self.fixed, self.ends, self.live = node.params, first.inputs, fixed, ends, live
        self.n, self.c, self.m = params["length"], params["consts"], params["carries"]
        self.flip = "[::-1]" if params["reverse"] else ""
        c, m = self.c, self.m
        self.stems = [f"{'k' if i < c else 'c' if i < c + m else 'x'}{i}" for i in range(len(self.ins))]
        self.names = [elements(stem, v) for stem, v in zip(self.stems, self.ins, strict=True)]
        given = second.inputs[len(second.inputs) - len(ends) :]
        self.carried = [elements(f"q{i}", v) for i, v in zip(ends, given, strict=True) if i < m]
        self.arriving = [elements(f"y{i}", v) for i, v in zip(ends, given, strict=True) if i >= m]
        self.flat = [x for each in self.carried for x in each]
        self.active, self.state = active, [i for i in active if c <= i < c + m]
        self.shares = [i for i in active if live[i] and i not in self.state]
        self.second, self.made = second, dict(zip(active, second.outputs, strict=True))
        saved = first.evolve(outputs=first.outputs[len(node.results) :])
        early = written(saved, self.names, "v", columns=True)
        self.pays = early is not None and self._written(early, sum(v.type.size for v in saved.outputs))

    def _part(
        self, early: Written, prefix: str, which: Sequence[int], carried: Sequence[Names], *, arrives: bool
    ) -> Any:
        """What some operands are given, of names of cotangents: "" is a zero."""
        arriving = self.arriving if arrives else [("",) * len(each) for each in self.arriving]
        inputs = [*(self.names[i] for i in self.fixed), *early.outputs, *carried, *arriving]
        graph = self.second.evolve(outputs=tuple(self.made[i] for i in which))
        return written(graph, inputs, prefix, derived=range(len(which)), columns=True)

    def _written(self, early: Written, saved: int) -> bool:
        """Whether all of it can be written, and pays."""
        n, flat = self.n, self.flat
        unit = lambda one: [tuple("(1.0)" if x == one else "" for x in each) for each in self.carried]
        units = [self._part(early, f"m{j}_", self.state, unit(one), arrives=False) for j, one in enumerate(flat)]
        more = self._part(early, "b", self.state, unit(None), arrives=True)
        rest = self._part(early, "w", self.shares, self.carried, arrives=True)
        whole = self._part(early, "w", self.active, self.carried, arrives=True)
        parts = [early, *units, more, rest]
        if whole is None or any(each is None for each in parts):
            return False
        self.early, self.units, self.more, self.rest, self.parts = early, units, more, rest, parts
        self.columns = [[x for names in each.outputs for x in names] for each in (*units, more)]
        self.entries = dict.fromkeys(x for each in self.columns for x in each if x != _ZERO)
        moved = len(self.entries) + 3 * len(flat)
        calls = sum(each.size for each in parts) * (CALL * -(-n // BLOCK) + n // EACH)
        together = calls + n * (2 * len(self.entries) + 2 * len(flat) + MOVED * moved)
        return 5 * together < 4 * n * (whole.size + 2 * saved)

    def function(self) -> Callable[..., Any]:
        """The pullback, from the last block of steps to the first."""
        n, left = self.n, [x for i in range(self.c, self.c + self.m) for x in self.names[i]]
        self.before = [f"{tuple_of([*(f's_{x}' for x in left), *(f'{stem}_' for stem in self.stems)])}= kept"]
        self.block = [f"hi = min(lo + {BLOCK}, {n})", *(f"{x} = array(s_{x}[lo:hi])" for x in left)]
        for i, (stem, names) in enumerate(zip(self.stems, self.names, strict=True)):
            if i < self.c:
                self.before.append(f"{stem}_ = {stem}_.reshape({len(names)})")
                self.before += [f"{x} = {stem}_[{j}, ...]" for j, x in enumerate(names)]
            elif i >= self.c + self.m:
                self._entries(f"{stem}_", names)
        for i, names in zip(self.ends, (*self.carried, *self.arriving), strict=True):
            if i < self.m:
                self.before.append(f"{tuple_of([f'g_{x}' for x in names])}= g{i}_.ravel().tolist()")
            else:
                self._entries(f"g{i}_", names)
        for part in (self.early, *self.units, self.more):
            self.block += part.lines
        self._one_by_one()
        self.block += self.rest.lines
        results = [self._given(i) for i in self.active if self.live[i]]
        made = results[0] if len(results) == 1 else f"({tuple_of(results)})"
        head = f"for lo in range({(n - 1) // BLOCK * BLOCK}, -1, -{BLOCK}):"
        lines = [*self.before, head, *(f"    {line}" for line in self.block), f"return {made}"]
        arguments = ["kept", *(f"h{i}_" for i in self.fixed), *(f"g{i}_" for i in self.ends)]
        scope = {name: thing for part in self.parts for name, thing in part.scope.items()}
        return assembled("columns", arguments, lines, scope | _SCOPE)

    def _entries(self, rows: str, names: Names) -> None:
        """Arrays of the entries of steps, in the order of steps."""
        self.before.append(f"{rows} = {rows}.reshape({(self.n, len(names))}){self.flip}")
        self.block += [f"{x} = {rows}[lo:hi, {j}]" for j, x in enumerate(names)]

    def _one_by_one(self) -> None:
        """The cotangents of what is carried, from the last step of a block to the first."""
        if not self.flat:
            return
        entry = {x: f"e{j}" for j, x in enumerate(self.entries)}
        sums = []
        for r in range(len(self.flat)):
            *units, more = (column[r] for column in self.columns)
            terms = [f"{entry[p]} * g_{x}" for p, x in zip(units, self.flat, strict=True) if p in entry]
            sums.append(" + ".join([*terms, *([entry[more]] if more in entry else [])]) or "0.0")
        lists = "".join(f"backwards({x}, hi - lo), " for x in entry)
        self.block += [
            *(f"t_{x} = []" for x in self.flat),
            f"for {tuple_of([*entry.values(), '_'])}in zip({lists}range(lo, hi)):",
            *(f"    t_{x}.append(g_{x})" for x in self.flat),
            f"    {tuple_of([f'g_{x}' for x in self.flat])}= {tuple_of(sums)}",
            *(f"{x} = array(t_{x}[::-1])" for x in self.flat),
        ]

    def _given(self, i: int) -> str:
        """The cotangent of an operand, by its text."""
        v = self.ins[i]
        if i >= self.c + self.m:
            self.before += [f"z{i} = empty({(self.n, v.type.size)})", f"r{i} = z{i}{self.flip}"]
            self.block += [f"r{i}[lo:hi, {j}] = {x}" for j, x in enumerate(self._share(i))]
            return f"z{i}.reshape({(self.n, *v.type.shape)})"
        if i < self.c:
            totals = elements(f"a{i}", v)
            self.before += [f"{a} = 0.0" for a in totals]
            self.block += [f"{a} += total({x}, hi - lo)" for a, x in zip(totals, self._share(i), strict=True)]
        else:
            totals = tuple(f"g_{x}" for x in self.carried[self.state.index(i)])
        return f"array([{', '.join(totals)}]).reshape({v.type.shape})" if v.type.shape else f"d({totals[0]})"

    def _share(self, i: int) -> Names:
        return self.rest.outputs[self.shares.index(i)]  # type: ignore[no-any-return]
