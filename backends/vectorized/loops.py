"""Loops of known length, made ready once: a step is one call of straight lines, of plain numbers where it can be.

Backwards, a step is cut in two.  What does not depend on a cotangent is done on the way there, and what the rest
reads of it is kept; on the way back each step takes what it kept, and the cotangents of what it carried.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.backends.assembled import assembled
from wengert.backends.vectorized import number_loops
from wengert.backends.vectorized.lines import Lines
from wengert.backends.vectorized.numbers import tuple_of
from wengert.ir.graph import Constant, Graph, Node, Value
from wengert.ir.ops import OPS
from wengert.ir.types import STEPS, is_inexact

__all__ = ["Loop", "has_length", "loop"]

#: Views that are taken again where they are read, so that what they are of is kept.
_TAKEN_AGAIN = ("broadcast_to", "reshape", "transpose")


def has_length(node: Node) -> bool:
    """Whether a node is a loop whose number of steps is known."""
    return node.op is OPS["scan"] and node.params["length"] != STEPS


class _Text:
    """The text of a loop: what comes in, what is made of each step, what goes out."""

    def __init__(self, step: Callable[..., Any], n: int, *, reverse: bool) -> None:
        self.flip = reverse
        self.scope: dict[str, Any] = {
            "step": step, "order": range(n)[::-1] if reverse else range(n), "array": np.array, "empty": np.empty,
            "zeros": np.zeros, "add": np.add}  # fmt: skip
        self.n = n
        self.before: list[str] = []
        self.within: list[str] = []

    def dtype(self, v: Value) -> str:
        name = f"d_{v.type.dtype.name}"
        self.scope[name] = v.type.dtype.type
        return name

    def gathers(self, name: str, v: Value) -> str:
        """One value of each step, along a new first axis."""
        column, dtype = f"{name}s", self.dtype(v)
        if v.type.shape:
            self.before.append(f"{column} = empty({(self.n, *v.type.shape)}, {dtype})")
            self.within.append(f"{column}[i] = {name}")
            return column
        self.before.append(f"{column} = []")
        self.within.append(f"{column}.append({name})")
        return f"array({column}{'[::-1]' if self.flip else ''}, {dtype})"

    def adds(self, total: str, name: str, v: Value) -> str:
        """The sum of a value over all steps."""
        if v.type.shape:
            self.before.append(f"{total} = zeros({v.type.shape}, {self.dtype(v)})")
            self.within.append(f"add({total}, {name}, {total})")
        else:
            self.before.append(f"{total} = {self.dtype(v)}(0)")
            self.within.append(f"{total} = {total} + {name}")
        return total

    def function(self, arguments: Sequence[str], call: Sequence[str], results: Sequence[str]) -> Callable[..., Any]:
        body = [*call, *self.within] or ["pass"]
        made = results[0] if len(results) == 1 else f"({tuple_of(results)})"
        lines = [*self.before, "for i in order:", *(f"    {line}" for line in body), f"return {made}"]
        return assembled("loop", arguments, lines, self.scope)


def _forward(node: Node, graph: Graph, *, keeps: bool) -> Callable[..., Any]:
    """The values of a loop; with ``keeps``, what each step saves in a list behind them."""
    params, stop = node.params, len(node.results)
    step = Lines(graph, own=False).function("step", stop if keeps else None)
    c, m, ins = params["consts"], params["carries"], graph.inputs
    text = _Text(step, params["length"], reverse=params["reverse"])
    names = [f"k{i}" for i in range(c)] + [f"c{i}" for i in range(m)]
    columns = [f"x{i}s" for i in range(len(ins) - c - m)]
    carry, ys = names[c:], [f"y{i}" for i in range(stop - m)]
    results = [*carry, *(text.gathers(name, v) for name, v in zip(ys, graph.outputs[m:stop], strict=True))]
    if keeps:
        text.before.append("kept = []")
        text.within.append("kept.append(saved)")
        results.append("kept")
    given = tuple_of([*names, *(f"{x}[i]" for x in columns)])
    targets = tuple_of([*carry, *ys, *(["saved"] if keeps else [])])
    return text.function([*names, *columns], [f"{targets}= step({given})"] if targets else [], results)


def loop(node: Node) -> Callable[..., Any]:
    """The values of a loop of known length: a tuple, of one result itself."""
    graph = node.params["graph"]
    plain = number_loops.forward(node, graph, keeps=False)
    return _forward(node, graph, keeps=False) if plain is None else plain[0]


class Loop:
    """A loop of known length and its pullback; ``sweep`` writes a sweep down."""

    def __init__(self, node: Node, live: Sequence[bool], sweep: Callable[..., Any]) -> None:
        self.node, self.live, self.sweep = node, live, sweep
        self.made: Callable[..., Any] | None = None

    def forward(self, *operands: Any) -> Any:
        """The results, and what the pullback needs."""
        if self.made is None:  # no cotangent arrives
            run = loop(self.node)
            one = len(self.node.results) == 1
            self.made = lambda *xs: (run(*xs), None) if one else (*run(*xs), None)
        made = self.made(*operands)
        return (*made[:-1], (made[-1], operands))

    def pullback(self, there: Sequence[bool]) -> Callable[..., Any]:
        """A function of what ``forward`` left and of cotangents, for the results that have one."""
        params, graph = self.node.params, self.node.params["graph"]
        c, m, ins, outs = params["consts"], params["carries"], graph.inputs, graph.outputs
        moves = [is_inexact(v.type.dtype) and (flag or c <= i < c + m)
                 for i, (v, flag) in enumerate(zip(ins, self.live, strict=True))]  # fmt: skip
        active = tuple(i for i, flag in enumerate(moves) if flag)
        ends = tuple(i for i, v in enumerate(outs) if is_inexact(v.type.dtype) and (i < m or there[i]))
        first, second, fixed = _halves(self.sweep(graph, active, ends), len(outs), ins[:c])
        self.made, run = self._plain(first, second, fixed, ends, active) or (
            _forward(self.node, first, keeps=True), self._back(second, fixed, ends, active))  # fmt: skip
        arrives = [i for i, flag in enumerate(there) if flag]
        types = {i: outs[i].type for i in ends}

        def back(left: Any, *cotangents: Any) -> Any:
            kept, operands = left
            found = dict(zip(arrives, cotangents, strict=True))
            full = [found[i] if i in found else np.zeros(types[i].shape, types[i].dtype) for i in ends]
            return run(kept, *[operands[i] for i in fixed], *full)

        return back

    def _plain(self, first: Graph, second: Graph, fixed: Any, ends: Any, active: Any) -> tuple[Any, Any] | None:
        """Both ways on plain numbers, where both can be."""
        plain = number_loops.forward(self.node, first, keeps=True)
        if plain is None:
            return None
        there, kept = plain
        back = number_loops.backward(self.node, second, fixed, kept, ends, active, self.live)  # type: ignore[arg-type]
        return None if back is None else (there, back)

    def _back(self, second: Graph, fixed: Any, ends: Any, active: Any) -> Callable[..., Any]:
        params, ins = self.node.params, self.node.params["graph"].inputs
        c, m = params["consts"], params["carries"]
        step = Lines(second, own=False, derived=range(len(second.outputs))).function("step")
        text = _Text(step, params["length"], reverse=not params["reverse"])
        held, gs = [f"k{i}" for i in fixed], [f"g{i}" for i in ends]
        saved = [f"r{i}" for i in range(len(second.inputs) - len(held) - len(gs))]
        shares, results = [], []
        for i in active:
            share, v = f"s{i}" if i < c else f"g{i - c}" if i < c + m else f"h{i}", ins[i]
            shares.append(share)
            if self.live[i]:
                results.append(
                    text.adds(f"a{i}", share, v) if i < c else share if i < c + m else text.gathers(share, v))
        given = tuple_of([*held, *saved, *(name if i < m else f"{name}[i]" for i, name in zip(ends, gs, strict=True))])
        call = [f"{tuple_of(saved)}= kept.pop()"] if saved else []
        call += [f"{tuple_of(shares)}= step({given})"]
        return text.function(["kept", *held, *gs], call, results)


def _halves(written: Any, n: int, consts: Sequence[Value]) -> tuple[Graph, Graph, list[int]]:
    """A sweep cut in two: what does not depend on a cotangent, and the rest.

    The first gives its n outputs and then what the second reads; the second takes the consts that it reads, whose
    positions come third, what the first kept, and the cotangents.
    """
    graph = written.graph
    moving, makers, early, late = set(written.given), {}, [], []
    for node in graph.nodes:
        if moving.isdisjoint(node.operands):
            early.append(node)
            makers.update(dict.fromkeys(node.results, node))
        else:
            moving.update(node.results)
            late.append(node)
    read = dict.fromkeys(v for node in late for v in node.operands) | dict.fromkeys(graph.outputs[n:])
    again: dict[Node, None] = {}
    kept: dict[Value, None] = {}
    pending = [v for v in read if v not in moving]
    while pending:
        v = pending.pop()
        node = makers.get(v)
        if node is not None and node.op.name in _TAKEN_AGAIN:
            again[node] = None
            pending.extend(node.operands)
        elif not isinstance(v, Constant):
            kept[v] = None
    fixed = [i for i, v in enumerate(consts) if v in kept]
    held = [consts[i] for i in fixed]
    saved = [v for v in kept if v not in held]
    first = graph.evolve(nodes=tuple(early), outputs=(*graph.outputs[:n], *saved))
    first = first.evolve(inputs=tuple(v for v in graph.inputs if v not in written.given))
    more = [node for node in early if node in again]
    second = Graph((*held, *saved, *written.given), (*more, *late), graph.outputs[n:], name="back")
    return first, second, fixed
