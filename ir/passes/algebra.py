"""What IEEE arithmetic lets one leave out: each row gives the same bits (but for a NaN's sign), zeros of both signs,
infinities and NaN included, and the same derivatives, conventions included.

So x * 1 is x, and x + 0 is not: -0 + 0 is 0.  And 0 - x is not -x, x / 3 not x * (1 / 3), and for complex numbers
hardly anything is the same: only real numbers are looked at.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from wengert.ir.build import Builder
from wengert.ir.graph import Constant, Graph, Node, Value
from wengert.ir.kinds import Contraction
from wengert.ir.ops import OPS
from wengert.ir.passes.rewriting import rewritten
from wengert.ir.sharing import VIEWS, number

__all__ = ["ROWS", "algebra"]


#: What rows look for above a node, and the ops that have rows which look for nothing.
_LOOKED_FOR = {"logical_not", "multiply", "negative", *VIEWS}
_ALONE = ("positive", "where")


class _Made:
    """The values so far that rows look for, by what made them."""

    def __init__(self, builder: Builder) -> None:
        self.builder = builder
        self.nodes: dict[Value, Node] = {}

    def of(self, v: Value, op: str) -> Value | None:
        """x, of op(x)."""
        node = self.nodes.get(v)
        return node.operands[0] if node is not None and node.op.name == op else None

    def number(self, v: Value) -> float | None:
        """The number that all elements are known to be."""
        found = number(v, self.nodes)
        return float(found) if found is not None and found.dtype.kind == "f" else None

    def emit(self, op: str, *operands: Value, **params: Any) -> Value:
        value = self.builder.emit(OPS[op], operands, **params)
        if op in _LOOKED_FOR:
            self.nodes[value] = self.builder.nodes[-1]
        return value

    def times(self, x: Value, c: float, like: Value) -> Value | None:
        """c * x, if c is a number of that type."""
        with np.errstate(over="ignore"):
            number = like.type.dtype.type(c)
        if not np.isfinite(number):
            return None
        filled: Value = self.builder.constant(number)
        if x.type.shape:
            filled = self.emit("broadcast_to", filled, shape=x.type.shape)
        return self.emit("multiply", filled, x)

    def factors(self, v: Value) -> tuple[Value, float] | None:
        """x and the number c, of x * c or c * x."""
        node = self.nodes.get(v)
        for x, y in (node.operands, node.operands[::-1]) if node is not None and node.op.name == "multiply" else ():
            if (c := self.number(y)) is not None and math.isfinite(c):
                return x, c
        return None


Rewrite: TypeAlias = Callable[..., Value | None]


def algebra(graph: Graph) -> Graph:
    """With the rows below applied, from the inputs on."""
    b = Builder(graph.name)
    made = _Made(b)

    def expand(_: Builder, node: Node, operands: tuple[Value, ...]) -> tuple[Value, ...]:
        told = node.op.name in _ALONE or any(v in made.nodes or isinstance(v, Constant) for v in operands)
        rows = ROWS.get(node.op.name, ()) if told else ()
        for rewrite in rows if rows and all(v.type.dtype.kind in "fb" for v in operands) else ():
            found = rewrite(made, *operands, **node.params) if node.params else rewrite(made, *operands)
            if found is not None and found.type == node.results[0].type:
                return (found,)
        results = b.keep(node, operands)
        if node.op.name in _LOOKED_FOR:
            made.nodes[results[0]] = b.nodes[-1]
        return results

    return rewritten(graph, expand, b)


def _twice(m: _Made, x: Value) -> Value | None:
    """--x is x."""
    return m.of(x, "negative")


def _even(op: str) -> Rewrite:
    """f(-x) is f(x)."""

    def rewrite(m: _Made, x: Value) -> Value | None:
        inner = m.of(x, "negative")
        return None if inner is None else m.emit(op, inner)

    return rewrite


def _itself(m: _Made, x: Value) -> Value | None:
    """+x is x."""
    return x


def _plus_zero(m: _Made, x: Value, y: Value) -> Value | None:
    """x + -0 is x."""
    for one, other in ((x, y), (y, x)):
        if (n := m.number(other)) is not None and n == 0 and math.copysign(1, n) < 0:
            return one
    return None


def _less_zero(m: _Made, x: Value, y: Value) -> Value | None:
    """x - 0 is x."""
    n = m.number(y)
    return x if n is not None and n == 0 and math.copysign(1, n) > 0 else None


def _plus_negative(m: _Made, x: Value, y: Value) -> Value | None:
    """x + -y is x - y."""
    for one, other in ((x, y), (y, x)):
        if (inner := m.of(other, "negative")) is not None:
            return m.emit("subtract", one, inner)
    return None


def _less_negative(m: _Made, x: Value, y: Value) -> Value | None:
    """x - -y is x + y."""
    inner = m.of(y, "negative")
    return None if inner is None else m.emit("add", x, inner)


def _by_one(m: _Made, x: Value, y: Value) -> Value | None:
    """x * 1 and x / 1 are x, x * -1 and x / -1 are -x."""
    n = m.number(y)
    return x if n == 1 else m.emit("negative", x) if n == -1 else None


def _one_by(m: _Made, x: Value, y: Value) -> Value | None:
    return _by_one(m, y, x)


def _by_two_numbers(m: _Made, x: Value, y: Value) -> Value | None:
    """x * 2 * c is x * 2c where |c| >= 1: the first product is exact, or both overflow.  -x * c is x * -c."""
    for one, other in ((x, y), (y, x)):
        if (c := m.number(other)) is None or not math.isfinite(c):
            continue
        if (inner := m.of(one, "negative")) is not None:
            return m.times(inner, -c, other)
        found = m.factors(one)
        if found is not None and abs(c) >= 1 <= abs(found[1]) and abs(math.frexp(found[1])[0]) == 0.5:
            return m.times(found[0], found[1] * c, other)
    return None


def _negative_product(m: _Made, x: Value) -> Value | None:
    """-(x * c) is x * -c."""
    found = m.factors(x)
    return None if found is None else m.times(found[0], -found[1], x)


def _both_negative(op: str) -> Rewrite:
    """-x * -y is x * y."""

    def rewrite(m: _Made, x: Value, y: Value) -> Value | None:
        inner = m.of(x, "negative"), m.of(y, "negative")
        return None if inner[0] is None or inner[1] is None else m.emit(op, inner[0], inner[1])

    return rewrite


def _scale_by_number(m: _Made, x: Value, y: Value) -> Value | None:
    """By a number that is neither 0 nor infinite, scale is a product: no zero meets an infinity."""
    plain = any(n is not None and n != 0 and math.isfinite(n) for n in (m.number(x), m.number(y)))
    return (_by_two_numbers(m, x, y) or m.emit("multiply", x, y)) if plain else None


def _product_with_one(m: _Made, x: Value, y: Value, *, subscripts: str) -> Value | None:
    """A product with ones, of which nothing is summed, is the other operand, its axes in another order."""
    first, second, out = Contraction.split(subscripts)
    for one, other, term, left in ((x, y, second, first), (y, x, first, second)):
        if m.number(one) == 1 and set(term) == set(out) and set(left) <= set(out):
            order = tuple(term.index(c) for c in out)
            return other if term == out else m.emit("transpose", other, axes=order)
    return None


def _same_branches(m: _Made, c: Value, x: Value, y: Value) -> Value | None:
    """where(c, x, x) is x."""
    return x if x is y else None


def _turned(m: _Made, c: Value, x: Value, y: Value) -> Value | None:
    """where(not c, x, y) is where(c, y, x)."""
    inner = m.of(c, "logical_not")
    return None if inner is None else m.emit("where", inner, y, x)


#: By op, in the order in which they are tried.
ROWS: dict[str, tuple[Rewrite, ...]] = {
    "negative": (_twice, _negative_product),
    "positive": (_itself,),
    "absolute": (_even("absolute"),),
    "square": (_even("square"),),
    "add": (_plus_zero, _plus_negative),
    "subtract": (_less_zero, _less_negative),
    "multiply": (_by_one, _one_by, _both_negative("multiply"), _by_two_numbers),
    "divide": (_by_one, _both_negative("divide")),
    "scale": (_by_one, _one_by, _both_negative("scale"), _scale_by_number),
    "einsum": (_product_with_one,),
    "scale_einsum": (_product_with_one,),
    "where": (_same_branches, _turned),
    "logical_not": (lambda m, x: m.of(x, "logical_not"),),
}
