"""Reverse mode written down: the values of a graph and one adjoint sweep over it as a single graph.

The rules are those of :mod:`wengert.backends.vectorized.cotangents`, for one cotangent and plain products, run on a
Builder instead of arrays.  So what a partial has in common with a value is computed once, shapes are settled
beforehand, and the whole can be made into straight lines.  Loops, branches and library calls keep what they do to
arrays: each is two nodes, one that also gives what its second, the pullback, needs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from attrs import frozen

from wengert.backends.vectorized import arrays
from wengert.backends.vectorized.cotangents import RULES
from wengert.backends.vectorized.evaluate import NO_ARRAY, RUN
from wengert.backends.vectorized.factors import joined, unsigned
from wengert.backends.vectorized.loops import Halves, halves, has_length
from wengert.backends.vectorized.masks import AHEAD, tied
from wengert.backends.vectorized.modes import active_nodes, recorder
from wengert.ir import kinds
from wengert.ir.build import Builder, Namespace
from wengert.ir.graph import Graph, Node, Renamed, Value
from wengert.ir.ops import OPS
from wengert.ir.ops.reductions import shifted
from wengert.ir.passes import common_subexpressions, dead_code, inline_calls, simplify
from wengert.ir.passes.gathers import gathered_parts
from wengert.ir.passes.rewriting import substitute
from wengert.ir.sharing import number
from wengert.ir.types import ArrayType, is_inexact

__all__ = ["Sweep", "settled", "sweep"]

#: A graph of more nodes is called seldom, and gains least by being simplified.
LONG = 5000
_LIBRARY = RULES[kinds.Library]
#: Arrays of so many numbers are not made into numbers, and NumPy's ``where`` costs more than all else.
LARGE = 1024


@frozen
class Sweep:
    """``graph`` takes the inputs of the primal graph and the cotangents ``given``, one for each end; it gives its
    guarded outputs and the cotangents of the active inputs."""

    graph: Graph
    given: tuple[Value, ...]


def _type(v: Value) -> ArrayType:
    return ArrayType(v.type.dtype, v.type.shape)


class _Writer:
    def __init__(self, graph: Graph, active: Sequence[int]) -> None:
        self.b = b = Builder(graph.name)
        self.xp = Namespace(b)
        self.graph = graph
        b.inputs.extend(graph.inputs)
        for constant in graph.constants:
            b.adopt(constant)
        self.adopted = Renamed(b.adopt)
        self.cotangents: dict[Value, Value] = {}
        self.pulls: dict[Node, Value] = {}
        self.loops: dict[Node, int] = {}  # where they are
        self.nodes = active_nodes(graph, active)
        self.made: dict[Value, Node] = {}
        self.seen = 0  #: so many nodes of the builder are in it

    def written(self, active: Sequence[int], ends: Sequence[int]) -> Sweep:
        graph, b = self.graph, self.b
        for node in graph.nodes:
            self._value(node)
        given = [b.input(_type(graph.outputs[i]), "g") for i in ends]
        for i, g in zip(ends, given, strict=True):
            self.give(graph.outputs[i], g)
        for node in reversed(graph.nodes):
            if node in self.nodes:
                self._pull(node, self.nodes[node])
        starts = [graph.inputs[i] for i in active]
        pulled = [self.cotangents.get(v) or self._zeros(v) for v in starts]
        whole = b.graph([*(self.adopted[v] for v in graph.guarded_outputs), *pulled])
        return Sweep(settled(unsigned(joined(gathered_parts(whole)))), tuple(given))

    def _value(self, node: Node) -> None:
        operands = tuple(self.adopted[v] for v in node.operands)
        if not (node in self.nodes and isinstance(node.op, kinds.Control)):
            self.b.nodes.append(Node(node.op, operands, node.params, node.results, node.location))
            return
        if has_length(node):
            self.loops[node] = len(self.b.nodes)
            self.b.nodes.append(Node(node.op, operands, node.params, node.results, node.location))
            return
        run = _recorded(node, self.nodes[node])
        self.b.nodes.append(self._leaving(node, operands, run))

    def _leaving(self, node: Node, operands: tuple[Value, ...], run: Callable[..., Any]) -> Node:
        """A control node as a function, which also leaves what its pullback needs."""
        self.pulls[node] = pull = Value(NO_ARRAY)
        types = (*(v.type for v in node.results), NO_ARRAY)
        return Node(RUN, operands, {"run": run, "types": types}, (*node.results, pull), node.location)

    def give(self, value: Value, g: Value) -> None:
        old = self.cotangents.get(value)
        self.cotangents[value] = g if old is None else self.b.emit(OPS["add"], (old, g))

    def _pull(self, node: Node, moving: Sequence[bool]) -> None:
        gs = [self.cotangents.pop(v, None) for v in node.results]
        if all(g is None for g in gs):
            return
        self.b.location = node.location
        if isinstance(node.op, kinds.Control):
            self._pull_control(node, moving, gs)
            return
        rule = _RULES[type(node.op)]
        for k, (v, moves) in enumerate(zip(node.operands, moving, strict=True)):
            if moves and (share := rule(self, node, k, gs)) is not None:
                self.give(v, share)

    def _pull_control(self, node: Node, moving: Sequence[bool], gs: Sequence[Value | None]) -> None:
        if node in self.loops:
            self._pull_loop(node, moving, gs)
            return
        there = tuple(g is not None for g in gs)
        targets = [v for v, moves in zip(node.operands, moving, strict=True) if moves]
        types = tuple(map(_type, targets))
        given = [g for g in gs if g is not None]
        shares = self.b.emit_all(RUN, (self.pulls[node], *given), run=_pullback(there, moving), types=types)
        for v, share in zip(targets, shares, strict=True):
            self.give(v, share)

    def _pull_loop(self, node: Node, moving: Sequence[bool], gs: Sequence[Value | None]) -> None:
        """A loop and its pullback: two loops, or two functions of plain numbers."""
        at, params, b = self.loops[node], node.params, self.b
        operands = b.nodes[at].operands
        found = halves(node, moving, [g is not None for g in gs], sweep)
        arrived = zip(gs, node.results, strict=True)
        ends = [self._zeros(v) if g is None else g for i, (g, v) in enumerate(arrived) if i in found.ends]
        held = [operands[i] for i in found.fixed]
        targets = [i for i in found.active if moving[i]]
        if found.plain is not None:
            b.nodes[at] = self._leaving(node, operands, found.plain[0])
            types = tuple(_type(node.operands[i]) for i in targets)
            shares = list(b.emit_all(RUN, (self.pulls[node], *held, *ends), run=found.plain[1], types=types))
        else:
            first, n = found.first, params["length"]
            left = tuple(Value(ArrayType(v.type.dtype, (n, *v.type.shape))) for v in first.outputs[len(node.results) :])
            b.nodes[at] = Node(node.op, operands, {**params, "graph": first}, (*node.results, *left), node.location)
            shares = self._back(node, found, targets, held, left, ends)
        for i, share in zip(targets, shares, strict=True):
            self.give(node.operands[i], share)

    def _back(
        self, node: Node, found: Halves, targets: Sequence[int], held: Sequence[Value], left: Sequence[Value],
        ends: Sequence[Value],
    ) -> list[Value]:  # fmt: skip
        """The loop backwards: the shares of the targets among the operands."""
        c, m, second, b = node.params["consts"], node.params["carries"], found.second, Builder("back")
        made = dict(zip(found.active, second.outputs, strict=True))
        ins, h = second.inputs, len(held)
        given = dict(zip(found.ends, ins[h + len(left) :], strict=True))
        arrived = dict(zip(found.ends, ends, strict=True))
        weak = {v: Value(_type(v)) for v in ins[h : h + len(left)] if v.type.weak}
        b.nodes.extend(substitute(second, weak).nodes)
        state = [i for i in found.active if c <= i < c + m]
        totals = {i: Value(_type(node.operands[i])) for i in targets if i < c}
        more = [i for i in targets if i >= c + m]
        late = [i for i in found.ends if i >= m]
        outputs = [b.convert(made[i], given[i - c].type) for i in state]
        outputs += [b.emit(OPS["add"], (v, b.convert(made[i], v.type))) for i, v in totals.items()]
        inputs = (*ins[:h], *(given[i - c] for i in state), *totals.values(),
                  *(weak.get(v, v) for v in ins[h : h + len(left)]), *(given[i] for i in late))  # fmt: skip
        body = Graph(inputs, tuple(b.nodes), (*outputs, *(made[i] for i in more)), name="back")
        zeros = map(self._zeros, totals.values())
        operands = (*held, *(arrived[i - c] for i in state), *zeros, *left, *(arrived[i] for i in late))
        results = self.b.emit_all(
            node.op, operands, graph=body, consts=h, carries=len(outputs), length=node.params["length"],
            reverse=not node.params["reverse"])  # fmt: skip
        shares = dict(zip((*state, *totals, *more), results, strict=True))
        return [shares[i] for i in targets]

    def _zeros(self, v: Value) -> Value:
        return self.xp.lift(self.xp.full(v.type.shape, 0, v.type.dtype))

    def wrapped(self, values: Sequence[Value]) -> list[Any]:
        return [self.xp.wrap(self.adopted[v]) for v in values]

    def maker(self, v: Value) -> Node | None:
        """What made a value in this graph."""
        self.made.update((v, node) for node in self.b.nodes[self.seen :] for v in node.results)
        self.seen = len(self.b.nodes)
        return self.made.get(v)

    def product(self, partial: Any, g: Value) -> Value:
        """A partial, an expression or a number, times a cotangent.

        Of (c x) g, with a number c, it is x (c g) if c can be taken into a number, or into few that are repeated.
        """
        p = self.b.convert(self.xp.lift(partial), g.type)
        node, x = self.maker(p), None
        c = number(p, self.made)
        if node is not None and node.op is OPS["multiply"]:
            c, x = number(node.operands[0], self.made), node.operands[1]
        taken = None if c is None or not _modest(c) else self._taken(c, g, g.type.size)
        if taken is None:
            return self.b.emit(OPS["multiply"], (p, g))
        return taken if x is None else self.b.emit(OPS["multiply"], (x, taken))

    def _taken(self, c: Any, g: Value, size: int, *, deep: bool = True) -> Value | None:
        """A number times a cotangent, if that takes no product of so many numbers more."""
        d, node, emit = number(g, self.made), self.made.get(g), self.b.emit
        if d is not None and _modest(d):
            return self._filled(c * d, g)
        if node is not None and node.op.name in ("broadcast_to", "reshape", "negative"):
            negative = node.op is OPS["negative"]
            x = self._taken(-c if negative else c, node.operands[0], size, deep=deep)
            if x is not None:
                return x if negative else emit(node.op, (x,), **node.params)
        elif node is not None and deep and node.op is OPS["multiply"]:
            for x, y in (node.operands, node.operands[::-1]):
                if (taken := self._taken(c, y, y.type.size, deep=False)) is not None:
                    return emit(OPS["multiply"], (x, taken))
        return emit(OPS["multiply"], (self._filled(c, g), g)) if d is None and g.type.size < size else None

    def _filled(self, c: Any, like: Value) -> Value:
        return self.b.broadcast_to(self.b.constant(np.asarray(c, like.type.dtype)), like.type.shape)


def _modest(c: Any) -> bool:
    """Whether no product with a few such numbers overflows that would not have without them."""
    return c.dtype.kind == "f" and c.dtype.itemsize > 2 and 1e-6 < abs(c) < 1e6  # type: ignore[no-any-return]


def _recorded(node: Node, live: Sequence[bool]) -> Callable[..., Any]:
    """Any control node: its results, and what its pullback needs."""
    run = recorder(node, live)

    def forward(*operands: Any) -> Any:
        *made, back = run(*operands)
        return (*made, (back, operands))

    return forward


def _pullback(there: Sequence[bool], moving: Sequence[bool]) -> Callable[..., Any]:
    """A function of what ``_recorded`` left and of cotangents, for the results that have one."""

    def run(left: Any, *cotangents: Any) -> Any:
        back, operands = left
        arrived = iter(cotangents)
        full = [np.asarray(next(arrived))[None] if flag else None for flag in there]
        shares = zip(back(full, 1, arrays.PLAIN), operands, moving, strict=True)
        made = [np.zeros_like(x) if g is None else g[0] for g, x, moves in shares if moves]
        return made if len(made) != 1 else made[0]

    return run


def _elementwise(w: _Writer, node: Node, k: int, gs: Sequence[Any]) -> Value:
    """Partial times cotangent, and of that the real part where the operand is real."""
    rule, (g,), b = node.op.partials[k], gs, w.b  # type: ignore[attr-defined]
    end = node.operands[k].type.dtype
    if callable(rule):
        dtype = end if g.type.dtype == end else np.result_type(g.type.dtype, end)
        if node.op.name in AHEAD and node.result.type.size >= LARGE and end.kind == "f":
            rule = _share(w, node, k)
        (out,) = w.wrapped(node.results)
        g = w.product(rule(w.xp, out, *w.wrapped(node.operands)), b.cast(g, dtype))
    if g.type.dtype.kind == "c" and end.kind != "c":
        g = b.emit(OPS["real"], (g,))
    g = b.cast(g, end)
    name = "negative" if rule == -1 else "conjugate" if rule == kinds.CONJUGATE else None
    return g if name is None else b.emit(OPS[name], (g,))


def _share(w: _Writer, node: Node, k: int) -> Any:
    """The partial of a larger or smaller one, by masks."""
    x, y = (w.adopted[node.operands[i]] for i in (k, 1 - k))
    share = w.b.emit(RUN, (x, y), run=AHEAD[node.op.name], types=(_type(node.result),))
    return lambda xp, out, *operands: xp.wrap(share)


def _reduction(w: _Writer, node: Node, k: int, gs: Sequence[Any]) -> Value | None:
    rule, (x,), axes, xp = node.op.partial, node.operands, node.params["axes"], w.xp  # type: ignore[attr-defined]
    if rule is None:
        return None
    kept = tuple(1 if a in axes else n for a, n in enumerate(x.type.shape))
    g = xp.lift(xp.broadcast_to(xp.reshape(xp.wrap(gs[0]), kept), x.type.shape))
    if rule == 1:
        return g  # type: ignore[no-any-return]
    if node.op.fold in ("max", "min") and x.type.size >= LARGE and x.type.dtype.kind == "f":  # type: ignore[attr-defined]
        return w.product(_ties(w, node, kept, axes), g)
    (out,), (x,) = w.wrapped(node.results), w.wrapped(node.operands)
    return w.product(rule(xp, xp.reshape(out, kept), x, axes), g)


def _ties(w: _Writer, node: Node, kept: tuple[int, ...], axes: tuple[int, ...]) -> Any:
    """The share of each of those that are the largest, which is mostly one."""
    x, out = w.adopted[node.operands[0]], w.b.emit(OPS["reshape"], (w.adopted[node.results[0]],), shape=kept)
    return w.xp.wrap(w.b.emit(RUN, (x, out), run=tied(axes), types=(_type(node.operands[0]),)))


def _cumulative(w: _Writer, node: Node, k: int, gs: Sequence[Any]) -> Value:
    axis, back, xp = node.params["axis"], not node.params["reverse"], w.xp
    (g,) = gs
    rule: Any = node.op.partial  # type: ignore[attr-defined]
    if not callable(rule):
        return xp.lift(xp.cumsum(xp.wrap(g), axis, reverse=back))
    carry, *shares = rule(xp, *w.wrapped([*node.results, *node.operands]), **node.params)
    following = shifted(xp, xp.wrap(w.b.convert(xp.lift(carry), g.type)), 0, axis, back)
    pulled = w.b.emit(OPS["recurrence"], (xp.lift(following), g), axis=axis, reverse=back)
    return w.product(shares[k], pulled)


def _movement(w: _Writer, node: Node, k: int, gs: Sequence[Any]) -> Value:
    made = w.maker(gs[0])
    if node.op.name == "broadcast_to" and made is not None and made.op is OPS["negative"]:  # the sum's is smaller
        return w.b.emit(OPS["negative"], (_movement(w, node, k, made.operands),))
    shapes = tuple(v.type.shape for v in node.operands)
    return w.xp.lift(node.op.transpose(w.xp, w.xp.wrap(gs[0]), k, shapes, node.params))  # type: ignore[attr-defined]


def _contraction(w: _Writer, node: Node, k: int, gs: Sequence[Any]) -> Value:
    terms = kinds.Contraction.split(node.params["subscripts"])
    other = w.adopted[node.operands[1 - k]]
    return w.b.emit(OPS["einsum"], (gs[0], other), subscripts=f"{terms[2]},{terms[1 - k]}->{terms[k]}")


def _indexing(w: _Writer, node: Node, k: int, gs: Sequence[Any]) -> Value:
    shapes, (_, indices) = tuple(v.type.shape for v in node.operands), w.wrapped(node.operands)
    return w.xp.lift(node.op.transpose(w.xp, w.xp.wrap(gs[0]), indices, shapes, node.params))  # type: ignore[attr-defined]


def _library(w: _Writer, node: Node, k: int, gs: Sequence[Any]) -> Value | None:
    """Its vjp, on arrays."""
    if node.op.vjp is None:  # type: ignore[attr-defined]
        return None
    there, n, m = tuple(g is not None for g in gs), sum(g is not None for g in gs), len(node.results)
    type_ = _type(node.operands[k])

    def run(*given: Any) -> Any:
        arrived = iter(given)
        g = tuple(np.asarray(next(arrived))[None] if flag else None for flag in there)
        outs, operands = given[n : n + m], given[n + m :]
        one = m == 1
        share = _LIBRARY(node, k, g[0] if one else g, outs[0] if one else outs, operands, arrays.PLAIN)
        return np.zeros(type_.shape, type_.dtype) if share is None else share[0]

    given = [g for g in gs if g is not None]
    known = [w.adopted[v] for v in (*node.results, *node.operands)]
    return w.b.emit(RUN, (*given, *known), run=run, types=(type_,))


_RULES: dict[type[kinds.Op], Callable[[_Writer, Node, int, Sequence[Any]], Value | None]] = {
    kinds.Elementwise: _elementwise,
    kinds.Reduction: _reduction,
    kinds.Cumulative: _cumulative,
    kinds.Movement: _movement,
    kinds.Contraction: _contraction,
    kinds.Indexing: _indexing,
    kinds.Library: _library,
}


def settled(graph: Graph) -> Graph:
    """A graph simplified, a long one only a little."""
    return simplify(graph) if len(graph.nodes) <= LONG else dead_code(common_subexpressions(graph))


def sweep(graph: Graph, active: tuple[int, ...], ends: tuple[int, ...] | None = None) -> Sweep:
    """The values of a graph and the cotangents of its active inputs.

    ``ends`` are the outputs that have a cotangent, by default every inexact one.
    """
    if ends is None:
        ends = tuple(i for i, v in enumerate(graph.outputs) if is_inexact(v.type.dtype))
    return _Writer(dead_code(inline_calls(graph)), active).written(active, ends)
