"""The derivative of an op in words: its own rules, run on symbols instead of numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from wengert.ir import kinds
from wengert.ir.build import Builder, Expr, Namespace
from wengert.ir.graph import Graph
from wengert.ir.ops.external import no_rule
from wengert.ir.ops.library import no_derivative
from wengert.ir.types import ArrayType, is_inexact

__all__ = ["derivative"]

_CONSTANTS = {
    math.log(2): "log(2)", 1 / math.log(2): "1/log(2)", 1 / math.log(10): "1/log(10)",
    math.pi / 180: "pi/180", 180 / math.pi: "180/pi",
}  # fmt: skip
_BINARY = {
    "add": ("+", 4), "sub": ("-", 4), "mul": ("*", 5), "truediv": ("/", 5), "pow": ("**", 7),
    "and": ("&", 3), "or": ("|", 2), "eq": ("==", 1), "ne": ("!=", 1), "lt": ("<", 1), "le": ("<=", 1),
    "gt": (">", 1), "ge": (">=", 1),
}  # fmt: skip
_ATOM, _UNARY = 9, 6


class Symbol:
    """A formula: operators and functions of it are longer formulas.  It stands for a real number."""

    dtype = np.dtype(np.float64)
    __hash__ = None  # type: ignore[assignment]  # == makes a formula

    def __init__(self, text: str, strength: int = _ATOM) -> None:
        self.text = text
        self.strength = strength

    def __neg__(self) -> Symbol:
        return Symbol(f"-{_within(self, _UNARY)}", _UNARY)

    def __invert__(self) -> Symbol:
        return Symbol(f"~{_within(self, _UNARY)}", _UNARY)


def symbol(value: Any) -> Symbol:
    """A formula for a literal in a rule."""
    if isinstance(value, Symbol):
        return value
    if value in _CONSTANTS:
        return Symbol(_CONSTANTS[value], _BINARY["truediv"][1])
    if isinstance(value, complex):
        return Symbol(str(value), _UNARY)
    return Symbol(f"{value:g}", _ATOM if value >= 0 else _UNARY)


def _within(value: Any, strength: int, *, right: bool = False) -> str:
    formula = symbol(value)
    weaker = formula.strength < strength or (right and formula.strength == strength)
    return f"({formula.text})" if weaker else formula.text


def _operators() -> None:
    """Give symbols the binary operators, from either side."""

    def joined(left: Any, sign: str, right: Any, strength: int) -> Symbol:
        return Symbol(f"{_within(left, strength)} {sign} {_within(right, strength, right=True)}", strength)

    for name, (sign, strength) in _BINARY.items():
        setattr(Symbol, f"__{name}__", lambda a, b, s=sign, n=strength: joined(a, s, b, n))
        setattr(Symbol, f"__r{name}__", lambda a, b, s=sign, n=strength: joined(b, s, a, n))


_operators()


class _Functions:
    """``xp`` for symbols: any function by name."""

    def __getattr__(self, name: str) -> Callable[..., Symbol]:
        return lambda *args, **_: Symbol(f"{name}({', '.join(symbol(a).text for a in args)})")


def derivative(op: kinds.Op, graph: Graph) -> str:
    """One line: the partials, or what carries a tangent and a cotangent.  ``graph`` is a sample with this op."""
    return _LINES[type(op)](op, graph)


# -- partials -------------------------------------------------------------------------------------


def _names(partials: tuple[Any, ...]) -> list[str]:
    """What the rules call their operands."""
    for partial in partials:
        if callable(partial):
            code = partial.__code__
            return list(code.co_varnames[2 : code.co_argcount])
    return ["x", "y", "z"][: len(partials)]


#: A longer formula than this is told by the ops in it.
LENGTH = 160


def _partial(partial: Any, names: list[str]) -> str:
    if isinstance(partial, kinds.Unknown):
        return "refused"
    if not callable(partial):
        return str(partial or 0)
    text = symbol(partial(_Functions(), Symbol("out"), *map(Symbol, names))).text
    if len(text) <= LENGTH:
        return text
    real = ArrayType(np.dtype(np.float64))
    return f"by {_ops_used(partial, (real,) * (1 + len(names)))}"


def _elementwise(op: Any, graph: Graph) -> str:
    if all(p is None for p in op.partials):
        return "0"
    names = _names(op.partials)
    return "; ".join(f"d{name}: {_partial(p, names)}" for name, p in zip(names, op.partials, strict=True))


def _reduction(op: Any, graph: Graph) -> str:
    if not callable(op.partial):
        return "0" if op.partial is None else f"dx: {op.partial}"
    try:
        return f"dx: {symbol(op.partial(_Functions(), Symbol('out'), Symbol('x'), ())).text}"
    except (AttributeError, TypeError):  # a rule that asks for shapes is an algorithm, not a formula
        (node,) = graph.nodes
        types = (node.result.type.with_shape(_kept(node)), node.operands[0].type)
        return f"dx: {_ops_used(lambda xp, out, x: op.partial(xp, out, x, node.params['axes']), types)}"


def _kept(node: Any) -> tuple[int, ...]:
    return tuple(1 if a in node.params["axes"] else n for a, n in enumerate(node.operands[0].type.shape))


# -- everything else: which ops its rules are made of ---------------------------------------------


def _ops_used(rule: Callable[..., Any], types: Any) -> str:
    """The ops that a rule appends, each once, for operands of these types."""
    builder = Builder("rule")
    xp = Namespace(builder)
    operands: list[Expr] = [xp.wrap(builder.input(type_)) for type_ in types]
    rule(xp, *operands)
    return " ".join(dict.fromkeys(node.op.name for node in builder.nodes)) or "itself"


def _movement(op: Any, graph: Graph) -> str:
    (node,) = graph.nodes
    shapes = tuple(v.type.shape for v in node.operands)
    back = _ops_used(lambda xp, g: op.transpose(xp, g, 0, shapes, node.params), (node.result.type,))
    return f"linear; backwards: {back}"


def _indexing(op: Any, graph: Graph) -> str:
    (node,) = graph.nodes
    shapes = tuple(v.type.shape for v in node.operands)
    types = (node.result.type, node.operands[1].type)
    back = _ops_used(lambda xp, g, indices: op.transpose(xp, g, indices, shapes, node.params), types)
    return f"linear; backwards: {back}"


def _cumulative(op: Any, graph: Graph) -> str:
    if not callable(op.partial):
        return f"linear; backwards: {op.name} from the other end"
    (node,) = graph.nodes
    types = (node.result.type, *(v.type for v in node.operands))
    return f"recurrence, of {_ops_used(lambda xp, *values: op.partial(xp, *values, **node.params), types)}"


def _library(op: Any, graph: Graph) -> str:
    if op.jvp is None:
        return "0"
    if op.jvp is no_derivative:
        return "none: differentiating raises"
    if op.jvp is no_rule:
        return "that of the custom call around it"
    (node,) = graph.nodes
    outs, xs = [v.type for v in node.results], [v.type for v in node.operands]
    one = len(outs) == 1

    def parts(values: Sequence[Expr], *counts: int) -> Iterator[Any]:
        at = iter(values)
        for n in counts:
            yield tuple(next(at) for _ in range(n))

    def push(xp: Namespace, *values: Expr) -> None:
        out, primals, tangents = parts(values, len(outs), len(xs), len(xs))
        op.jvp(xp, out[0] if one else out, primals, tangents, node.params)

    def pull(xp: Namespace, *values: Expr) -> None:
        g, out, primals = parts(values, len(outs), len(outs), len(xs))
        for k in (k for k, x in enumerate(xs) if is_inexact(x.dtype)):
            op.vjp(xp, g[0] if one else g, k, out[0] if one else out, primals, node.params)

    return f"forward: {_ops_used(push, (*outs, *xs, *xs))}; backwards: {_ops_used(pull, (*outs, *outs, *xs))}"


_LINES: dict[type[kinds.Op], Callable[[Any, Graph], str]] = {
    kinds.Elementwise: _elementwise,
    kinds.Reduction: _reduction,
    kinds.Cumulative: _cumulative,
    kinds.Movement: _movement,
    kinds.Contraction: lambda op, graph: "bilinear; forward and backwards: scale_einsum",
    kinds.Indexing: _indexing,
    kinds.Library: _library,
    kinds.Control: lambda op, graph: "that of its graph",
}
