"""Loops of known length as one function: the lines of a step, on arrays that are made once.

What a step computes is written to the same arrays as in the step before, so that views of them are taken once.  What
it gives is written to its row of an array of all steps, and what it carries on is a new array.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.backends.assembled import assembled
from wengert.backends.vectorized.distribution import accumulated
from wengert.backends.vectorized.evaluate import NO_ARRAY, RUN
from wengert.backends.vectorized.lines import Lines
from wengert.backends.vectorized.numbers import tuple_of
from wengert.ir.graph import Node, Value
from wengert.ir.ops import OPS

__all__ = ["Steps"]


class Steps(Lines):
    """The lines of a step; ``before`` are those before the loop, ``lasting`` the names that each step finds as they
    are, ``solid`` those of them whose array is C-contiguous."""

    def __init__(self, node: Node) -> None:
        graph, self.node = node.params["graph"], node
        c, m, self.outs = node.params["consts"], node.params["carries"], graph.outputs
        self.totals = {self.outs[i]: graph.inputs[c + i] for i in accumulated(graph, graph.inputs[c : c + m])}
        self.yields = {v: f"r{i}" for i, v in enumerate(dict.fromkeys(self.outs[m:]))}
        self.before: list[str] = []
        self.solid = {f"x{i}" for i in range(c)}
        self.lasting = set(self.solid)
        self.loose: set[Value] = set()
        self.columns: dict[str, str] = {}  # of which each step has a row
        self.wholes: dict[Value, tuple[str, list[str]]] = {}  # what is written in parts
        self.parts_of: dict[Value, str] = {}
        super().__init__(graph, own=False)

    def _prepare(self) -> None:
        m = self.node.params["carries"]
        self.loose = {self.root[v] for v in self.outs[:m]}
        readers = Counter(self.graph.used_values())
        for node, reads in reversed(self.rows):
            out = node.results[0]
            if out in self.loose and any(x in self.parts for x in reads):  # it is added to where it is
                self.loose.update(self.root[x] for x in reads)
            if node.op is OPS["concatenate"] and not self._new(out):
                self._joined(out, node, reads, readers)

    def _joined(self, out: Value, node: Node, reads: Sequence[Value], readers: Counter[Value]) -> None:
        """Operands that are computed for this are written where they will lie."""
        axis, start = node.params["axis"], 0
        made = [readers[v] == 1 and v in self.fresh and self.root[v] is v and not self._new(v) and v not in self.yields
                for v in reads]  # fmt: skip
        if 2 * sum(made) <= len(reads):
            return
        name = self.yields.get(out, f"j{len(self.wholes)}")
        parts: list[str] = []
        self.wholes[out] = name, parts
        if name[0] == "j":
            self.before.append(f"{name} = {self._empty(out, out.type.shape)}")
            self.lasting.add(name)
            self.solid.add(name)
        for i, (v, flag) in enumerate(zip(reads, made, strict=True)):
            end = start + v.type.shape[axis]
            key = self.bind("k", (slice(None),) * axis + (slice(start, end),))
            part = f"{name}p{i}"
            parts.append(part)
            if name[0] == "j":
                self.before.append(f"{part} = {name}[{key}]")
            else:
                self.columns[part] = f"{name}s[{self.bind('k', (slice(None),) * (axis + 1) + (slice(start, end),))}]"
            if flag:
                self.parts_of[v], self.last[v] = part, len(self.rows)  # where nothing else is to be written
            start = end

    def _new(self, v: Value) -> bool:
        """Whether the array of a value is a new one in each step: it may be carried on."""
        return self.root[v] in self.loose or self.root[v] not in self.fresh

    def _statement(self, at: int, node: Node, reads: Sequence[Value]) -> None:
        if node.results[0] in self.wholes:
            name, parts = self.wholes[node.result]
            self.lines += [f"{part}[...] = {self.name(v)}" for v, part in zip(reads, parts, strict=True)
                           if self.name(v) != part]  # fmt: skip
            self.names[node.result] = name
            return
        total = self.totals.get(node.results[0])
        if total is None or not total.type.shape:
            super()._statement(at, node, reads)
            return
        self.names[node.result] = name = self.names[total]
        self.before.append(f"{name} = array({name})")
        self.lines.append(f"{self.ufunc(np.add)}({name}, {self.name(reads[reads[0] is total])}, {name})")

    def _host(self, out: Value, reads: Sequence[Value] = (), at: int = -1, *, surely: bool = False) -> str | None:
        ordered = self.places.order.get(out) is None
        if not out.type.shape:
            return None
        if out in self.parts_of and not surely:
            return self.parts_of[out]
        if out in self.yields:
            return self.yields[out] if ordered else None
        if self._new(out):
            return None
        name = super()._host(out, reads, at, surely=surely)
        if name is None and ordered:
            name = f"v{len(self.names)}"
            self.before.append(f"{name} = {self._empty(out, out.type.shape)}")
            self.lasting.add(name)
            self.solid.add(name)
        return name

    def _view(self, node: Node, of: Value, line: str) -> None:
        name, old = self.names[node.result], self.names.get(of)
        if old not in self.lasting or (node.op.name == "reshape" and old not in self.solid):
            self.lines.append(line)
            return
        self.before.append(line)
        self.lasting.add(name)
        if node.op.name == "reshape":
            self.solid.add(name)

    def release(self, at: int, node: Node, reads: Sequence[Value]) -> None:
        n = len(self.lines)
        super().release(at, node, reads)
        del self.lines[n:]  # nothing is let go of

    def _let_go(self) -> None:
        pass

    def number(self, v: Value, *, literal: bool = True) -> str:
        n = len(self.lines)
        text = super().number(v, literal=literal)
        if len(self.lines) > n and self.names[v] in self.lasting:
            self.before.append(self.lines.pop())
        return text

    def _empty(self, v: Value, shape: tuple[int, ...]) -> str:
        self.scope["empty"] = np.empty
        return f"empty({shape}, {self.bind('d', v.type.dtype)})"

    def run(self) -> Callable[..., Any]:
        """The function of the loop's operands: a tuple, of one result itself."""
        params, outs, lines, before = self.node.params, self.outs, self.lines, self.before
        n, c, m, turned = params["length"], params["consts"], params["carries"], "[::-1]" if params["reverse"] else ""
        columns = {x: f"{x}s" for x in self.arguments[c + m :]} | self.columns
        found: dict[Value, str] = {}
        for v, row in self.yields.items():
            if v.type.shape:
                found[v] = f"{row}s"
                before.append(f"{row}s = {self._empty(v, (n, *v.type.shape))}")
                columns[row] = f"{row}s"
                if self.name(v) != row:
                    lines.append(f"{row}[...] = {self.name(v)}")
            else:
                before.append(f"{row}s = []")
                lines.append(f"{row}s.append({self.name(v)})")
                found[v] = f"{row}s{turned}" if self._no_array(v) else (
                    f"array({row}s{turned}, {self.bind('d', v.type.dtype)})")
        carried = self.arguments[c : c + m]
        pairs = [(x, self._carried(v)) for x, v in zip(carried, outs[:m], strict=True) if self.name(v) != x]
        if pairs:
            lines.append(f"{tuple_of([x for x, _ in pairs])}= {tuple_of([text for _, text in pairs])}")
        head = f"for _ in range({n}):"
        if columns:
            head = f"for {tuple_of(list(columns))}in zip({', '.join(f'{x}{turned}' for x in columns.values())}):"
        results = [*carried, *(found[v] for v in outs[m:])]
        made = results[0] if len(results) == 1 else f"({tuple_of(results)})"
        body = [f"    {line}" for line in lines or ["pass"]]
        arguments = [*self.arguments[: c + m], *(f"{x}s" for x in self.arguments[c + m :])]
        return assembled("loop", arguments, [*before, head, *body, f"return {made}"], self.scope)

    def _carried(self, v: Value) -> str:
        """What is carried on: an array of its own, or one that is given."""
        root = self.root[v]
        own = root in self.fresh or not v.type.shape or root not in self.makers
        return self.name(v) if own else f"array({self.name(v)})"

    def _no_array(self, v: Value) -> bool:
        node = self.makers.get(v)
        return node is not None and node.op is RUN and node.params["types"][node.results.index(v)] is NO_ARRAY
