"""Taylor mode, graph to graph: values become truncated power series in one variable t.

A series is the list of its coefficients: y(t) = y_0 + y_1 t + y_2 t**2 + ...  (not of derivatives, which are k! y_k).
Every rule that forward mode has gives one here: with y' the derivative along t,

    k y_k  =  (y')_{k-1},        y' = the tangent of y along x',        (x')_k = (k + 1) x_{k+1},

and the tangent is a program like any other, of products of partials with x', whose series is known as far as it is
asked for: y_k needs the operands up to k, and ``out``, which a partial may read, up to k - 1.  So a *tape* holds the
program, of series, that grows by the tangents that are needed, each once; and coefficients are computed from it
lazily, each once.  exp and its partial are one series, sin and cos two, and an op costs O(order**2) products.

What has a shorter way is in :mod:`wengert.ir.autodiff.taylor_rules`: products, quotients, powers, choices, linear
systems; and what is linear in the operands that move maps coefficient to coefficient.  (The recurrences are classical;
see Griewank and Walther, *Evaluating Derivatives*, 2nd ed., chapter 13.)
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from attrs import frozen

from wengert.ir import kinds
from wengert.ir.autodiff import control, forward
from wengert.ir.autodiff.taylor_control import RULES as CONTROL, Orders
from wengert.ir.autodiff.taylor_rules import Rule, short_way
from wengert.ir.build import Namespace
from wengert.ir.graph import Constant, Graph, Node, Value
from wengert.ir.ops import OPS
from wengert.ir.passes import dead_code, simplify
from wengert.ir.sharing import Sharing
from wengert.ir.types import cotangent_type, is_inexact

__all__ = ["taylor"]

#: A coefficient, or None where it is zero whatever the numbers are.
Coefficient = Value | None


def taylor(graph: Graph, active: tuple[int, ...], order: int, given: int | None = None) -> Graph:
    """Values and Taylor coefficients up to an order.

    Inputs: those of ``graph``, then of each active input the coefficients 1 to ``given`` (``order``, by default), those
    behind it being zero.  Outputs: those of ``graph``, then of each inexact output the coefficients 1 to ``order``.
    """
    given = order if given is None else given
    start = tuple(tuple(range(1, given + 1)) if i in active else () for i in range(len(graph.inputs)))
    ends = tuple(tuple(range(1, order + 1)) if is_inexact(v.type.dtype) else () for v in graph.outputs)
    return _expanded(graph, order, start, ends).graph


@frozen(slots=True)
class _Expanded:
    """Inputs, then of each the coefficients that it is given, to outputs, then of each its coefficients ``ends``."""

    graph: Graph
    ends: Orders


@functools.lru_cache(maxsize=256)
def _expanded(graph: Graph, order: int, given: Orders, ends: Orders | None = None) -> _Expanded:
    """A graph of series; ``ends`` are the coefficients that its outputs are to have, by default those there are."""
    live = dead_code(graph)
    builder = Sharing(f"{graph.name}_taylor")
    inputs = [builder.input(v.type, v.name) for v in live.inputs]
    series = _Series(builder, order)
    for v, x, orders in zip(live.inputs, inputs, given, strict=True):
        series.begin(v, x, {k: builder.input(cotangent_type(v.type), named(v, k)) for k in orders})
    outputs = series.run(live)
    if ends is None:
        ends = tuple(tuple(k for k in range(1, order + 1) if series.at(v, k) is not None) for v in outputs)
    coefficients = [
        series.zeros(v) if (c := series.at(v, k)) is None else c
        for v, orders in zip(outputs, ends, strict=True) for k in orders
    ]  # fmt: skip
    return _Expanded(simplify(builder.graph([*map(series.value, outputs), *coefficients])), ends)


def named(value: Value, k: int) -> str | None:
    """The name of a coefficient."""
    return None if value.name is None else f"{value.name}_{k}"


class _Series:
    """A program of series, on the ``tape``, and the ``builder`` that their coefficients are computed in."""

    expanded = staticmethod(_expanded)

    def __init__(self, builder: Sharing, order: int) -> None:
        self.order = order
        self._program: set[Node] = set()  # the nodes of the tape that are the program's own
        self.builder, self.tape = builder, Sharing("tape")
        self.xp, self._tape_xp = Namespace(builder), Namespace(self.tape)
        self._known: dict[tuple[Value, int], Coefficient] = {}
        self._moves: dict[Value, bool] = {}
        self._rates: dict[Value, Value | None] = {}
        self._written: dict[Any, Value] = {}
        self._bodies: dict[Value, Sequence[Value]] = {}  # of calls in tangents
        self._of: dict[Value, Value] = {}  # of a rate made by ``rate`` what it is the rate of

    def begin(self, value: Value, first: Value, coefficients: dict[int, Value]) -> None:
        """Name an input of the tape by its coefficients."""
        self._known[value, 0] = first
        self._known.update(((value, k), c) for k, c in coefficients.items())
        self._moves[value] = bool(coefficients)

    def run(self, graph: Graph) -> list[Value]:
        """Put the graph on the tape, and its coefficients and guards into the builder; its outputs on the tape.

        In the order of the nodes: so what a coefficient is computed from is there, but for a few steps.
        """
        env: dict[Value, Value] = {}
        for node in graph.nodes:
            self.tape.location = node.location
            results = self.tape.emit_all(node.op, [env.get(v, v) for v in node.operands], **node.params)
            env.update(zip(node.results, results, strict=True))
            self._program.update(made for v in results if (made := self.tape.made.get(v)) is not None)
            for v in results:
                for k in range(self.order + 1 if self.moves(v) else 1):
                    self.at(v, k)
        for guard in graph.guards:
            self.builder.guard(self.value(env.get(guard.value, guard.value)), guard.expected, guard.location)
        return [env.get(v, v) for v in graph.outputs]

    # -- coefficients -----------------------------------------------------------------------------

    def at(self, v: Value, k: int) -> Coefficient:
        """The coefficient k of a value of the tape."""
        if isinstance(v, Constant):
            return None if k else self.builder.adopt(v)
        if (v, k) not in self._known:
            if v in self._of:
                self._known[v, k] = self.times(k + 1, self.at(self._of[v], k + 1))
            elif k and (v not in self.tape.made or not self.moves(v)):
                self._known[v, k] = None
            else:
                self._compute(self.tape.made[v], k)
        return self._known[v, k]

    def value(self, v: Value) -> Value:
        """The coefficient 0, which there is in any case."""
        found = self.at(v, 0)
        return self.zeros(v) if found is None else found

    def zeros(self, v: Value) -> Value:
        """A coefficient that is zero, written out."""
        return self.builder.convert(self.builder.constant(v.type.dtype.type(0)), cotangent_type(v.type))

    def _compute(self, node: Node, k: int) -> None:
        before, self.builder.location = self.builder.location, node.location
        if not k:
            found: Any = self.builder.emit_all(node.op, [self.value(v) for v in node.operands], **node.params)
        elif isinstance(node.op, kinds.Control) and node.op.name in CONTROL:
            found = self._controlled(node, k)
        elif (rule := self.rule(node)) is not None:
            found = rule(self, node, k)
        else:
            rates = [self.rate(v) for v in node.results]
            found = tuple(None if r is None else self.over(self.at(r, k - 1), k) for r in rates)
        coefficients = found if isinstance(found, tuple) else (found,)
        self._known.update(((v, k), c) for v, c in zip(node.results, coefficients, strict=True))
        self.builder.location = before

    def _controlled(self, node: Node, k: int) -> tuple[Coefficient, ...]:
        """Of the program's own calls, branches and loops, all coefficients at once; in a tangent, which may read what
        is being computed, calls are written out, and branches and loops give those up to k."""
        own = node in self._program
        if node.op.inline is not None and not own:  # type: ignore[attr-defined]
            return tuple(self.at(v, k) for v in self._written_out(node))
        top = max(k, self.order) if own else k
        found = CONTROL[node.op.name](self, node, top)
        for v, coefficients in zip(node.results, found, strict=True):
            self._known.update(((v, j), coefficients.get(j)) for j in range(1, top + 1))
        return tuple(c.get(k) for c in found)

    def _written_out(self, node: Node) -> Sequence[Value]:
        if node.results[0] not in self._bodies:
            inline, given = node.op.inline, (node.operands, node.params)  # type: ignore[attr-defined]
            self._bodies[node.results[0]] = self._at_line_of(node, lambda xp: inline(xp.builder, *given))
        return self._bodies[node.results[0]]

    def rule(self, node: Node) -> Rule | None:
        """The short way to a node's coefficients, if it has one."""
        return short_way(self, node)

    # -- what moves, and how ----------------------------------------------------------------------

    def moves(self, v: Value) -> bool:
        """Whether a coefficient but the first may be other than zero."""
        if v not in self._moves:
            node = self.tape.made.get(v)
            self._moves[v] = node is not None and is_inexact(v.type.dtype) and any(self.moving(node))
        return self._moves[v]

    def moving(self, node: Node) -> list[bool]:
        """Of each operand, whether it moves the results."""
        still = getattr(node.op, "partial", 1) is None or getattr(node.op, "jvp", 1) is None
        partials = getattr(node.op, "partials", None) or (1,) * len(node.operands)
        return [not still and p is not None and self.moves(v) for v, p in zip(node.operands, partials, strict=True)]

    def rate(self, v: Value) -> Value | None:
        """The derivative of a value along t, on the tape; None where it is zero."""
        if not self.moves(v):
            return None
        if v not in self._rates:
            node = self.tape.made.get(v)
            if node is None or node.op.name in CONTROL or self.rule(node) is not None:
                self._rates[v] = rate = Value(cotangent_type(v.type))
                self._of[rate], self._moves[rate] = v, True
            else:
                self._push(node)
        return self._rates[v]

    def _push(self, node: Node) -> None:
        """Put the tangents of a node's results on the tape."""
        rates = [self.rate(v) if m else None for v, m in zip(node.operands, self.moving(node), strict=True)]
        found: Any = (None,) * len(node.results)
        if any(r is not None for r in rates):
            found = self._at_line_of(node, lambda xp: _tangents(xp, node, rates))
        found = found if isinstance(found, tuple) else (found,)
        self._rates.update(zip(node.results, found, strict=True))

    def written(self, node: Node, formula: Callable[..., Any], *values: Value) -> Value:
        """A formula of values of the tape, put there once for a node."""
        key = (node.result, formula.__name__)
        if key not in self._written:
            self._written[key] = self._at_line_of(node, lambda xp: xp.lift(formula(xp, *map(xp.wrap, values))))
        return self._written[key]

    def _at_line_of(self, node: Node, make: Callable[[Namespace], Any]) -> Any:
        before, self.tape.location = (self.tape.location, self.tape.merge_shifts), node.location
        self.tape.merge_shifts = True
        made = make(self._tape_xp)
        self.tape.location, self.tape.merge_shifts = before
        return made

    # -- arithmetic of coefficients ---------------------------------------------------------------

    def times(self, n: float, x: Coefficient) -> Coefficient:
        """n x."""
        return x if x is None or n == 1 else self.xp.lift(self.xp.wrap(x) * n)

    def over(self, x: Coefficient, n: int) -> Coefficient:
        """x / n."""
        return x if x is None or n == 1 else self.xp.lift(self.xp.wrap(x) / n)

    def sum(self, terms: Sequence[Coefficient]) -> Coefficient:
        """The sum of what is there."""
        there = [self.xp.wrap(t) for t in terms if t is not None]
        return self.xp.lift(functools.reduce(self.xp.add, there)) if there else None

    def less(self, x: Coefficient, y: Coefficient) -> Coefficient:
        """x - y."""
        if y is None:
            return x
        return self.xp.lift(-self.xp.wrap(y) if x is None else self.xp.wrap(x) - self.xp.wrap(y))

    def product(self, x: Coefficient, y: Coefficient, op: str = "scale", **params: Any) -> Coefficient:
        """x y; 0 where either is exactly 0."""
        return None if x is None or y is None else self.builder.emit(OPS[op], (x, y), **params)

    def cauchy(self, x: Value, y: Value, k: int, first: int = 0, op: str = "scale", **params: Any) -> Coefficient:
        """The sum of x_j y_{k-j}, j from ``first`` to k."""
        return self.sum([self.product(self.at(x, j), self.at(y, k - j), op, **params) for j in range(first, k + 1)])


def _tangents(xp: Namespace, node: Node, rates: list[Value | None]) -> Any:
    """The tangents of a node's results, as forward mode has them."""
    if isinstance(node.op, kinds.Control):
        return tuple(control.fused(xp, node, node.operands, rates)[1])
    return forward.RULES[type(node.op)](xp, node, rates)
