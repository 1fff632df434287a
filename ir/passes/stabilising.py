"""Known forms that lose digits or overflow, written as those that do not.  Opt-in: values change, for the better.

Each row says at which ops it looks and what it puts in their place; a test holds it to equality where both forms are
fine, and shows where it gains.  Forms are seen through what the tracer puts between them (broadcasts, reshapes, casts)
and in either order; equal nodes are one, so that "the same x" is one value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from attrs import frozen

from wengert.ir.build import Builder
from wengert.ir.graph import Graph, Node, Value
from wengert.ir.passes.calls import with_graphs
from wengert.ir.passes.forms import Forms
from wengert.ir.passes.rewriting import rewritten
from wengert.ir.sharing import Sharing, number

__all__ = ["ROWS", "Row", "rewrite_forms"]

#: (what is known of values, the operands of a node) to what stands for its result, or None.
Rewrite: TypeAlias = Callable[..., Any]


@frozen
class Row:
    """A form: what it is called, the op it ends in, what becomes of it, and what for."""

    form: str
    op: str
    becomes: str
    rewrite: Rewrite
    gain: str


def rewrite_forms(graph: Graph) -> Graph:
    """With each form of ROWS rewritten, also within branches and loops."""
    b = Sharing(graph.name)
    forms = Forms(b)

    def expand(_: Builder, node: Node, operands: tuple[Value, ...]) -> tuple[Value, ...]:
        params = with_graphs(node.params, rewrite_forms)
        if len(node.results) == 1 and node.result.type.dtype.kind == "f":
            for row in ROWS:
                if row.op == node.op.name and (found := row.rewrite(forms, *operands)) is not None:
                    return (b.convert(forms.xp.lift(found), node.result.type),)
        return b.emit_all(node.op, operands, **params)

    return rewritten(graph, expand, b)


# ----- Logarithms and exponentials -----


def _log(f: Forms, u: Value) -> Any:
    return f.log(u)


def _log_of_one_and(f: Forms, u: Value) -> Any:
    """1 + x, or 1 - x."""
    if (x := f.beside(u, 1.0)) is not None:
        return f.xp.log1p(f.wrap(x))
    node = f.node(u, "subtract")
    return f.xp.log1p(-f.wrap(node.operands[1])) if node is not None and f.is_number(node.operands[0], 1.0) else None


def _log1p_of_exp(f: Forms, u: Value) -> Any:
    x = f.argument(u, "exp")
    return None if x is None else f.xp.logaddexp(x, 0.0)


def _log1p_of_sigmoid(f: Forms, u: Value) -> Any:
    node = f.node(u, "negative")
    t = None if node is None else f.logit(node.operands[0])
    return None if t is None else f.xp.log_expit(f.minus(t))


def _exp_less_one(f: Forms, x: Value, y: Value) -> Any:
    e = f.argument(x, "exp")
    return f.xp.expm1(e) if e is not None and f.is_number(y, 1.0) else None


def _exp_and_minus_one(f: Forms, x: Value, y: Value) -> Any:
    for one, other in ((x, y), (y, x)):
        if f.is_number(other, -1.0) and (e := f.argument(one, "exp")) is not None:
            return f.xp.expm1(e)
    return None


def _one_less_exp(f: Forms, x: Value, y: Value) -> Any:
    e = f.argument(y, "exp")
    return -f.xp.expm1(e) if e is not None and f.is_number(x, 1.0) else None


# ----- Sigmoid, softmax and their losses -----


def _sigmoid(f: Forms, x: Value, y: Value) -> Any:
    """exp(t) / (1 + exp(t)); 1 / (1 + exp(-t)) is well as it is."""
    t = f.argument(x, "exp")
    if t is None or (z := f.over_one(y)) is None or t.value is not z.value:
        return None
    return 1 / (1 + f.xp.exp(f.minus(t)))


def _one_less_sigmoid(f: Forms, x: Value, y: Value) -> Any:
    t = f.logit(y) if f.is_number(x, 1.0) else None
    return None if t is None else 1 / (1 + f.xp.exp(t))


def _softmax(f: Forms, x: Value, y: Value) -> Any:
    """exp(z) / sum(exp(z)), and what differs from it by a factor that is a known exponential."""
    total = f.node(f.source(y), "sum")
    if total is None or (z := f.log(x)) is None:
        return None
    axes = total.params["axes"]
    if total.operands[0] is x:
        if f.is_shifted(z, axes):
            return None
        e = f.xp.exp(f.shifted(z, axes)[0])
        return e / f.moved(y, f.xp.sum(e, axis=axes))
    below = f.log(y)
    return None if below is None else f.xp.exp(z - below)


def _cross_entropy(sign: int) -> Rewrite:
    """y log(s) + (1 - y) log(1 - s), s being the sigmoid of t: -logistic_loss(t, y); in ``subtract``, of opposite
    signs."""

    def rewrite(f: Forms, u: Value, v: Value) -> Any:
        (s, first), (r, last) = (_factors(f, x) for x in (u, v))
        if first is None or last is None or s != sign * r:
            return None
        for weight, log in (first, first[::-1]):
            for rest, other in (last, last[::-1]):
                found = _weighed(f, weight, log, rest, other) or _weighed(f, rest, other, weight, log)
                if found is not None:
                    return -found if s == 1 else found
        return None

    return rewrite


def _factors(f: Forms, v: Value) -> tuple[int, tuple[Value, Value] | None]:
    """The sign and the two factors of a product."""
    sign, v = _signed(f, v)
    node = f.node(v, "multiply")
    if node is None:
        return sign, None
    (s, x), (r, y) = (_signed(f, operand) for operand in node.operands)
    return sign * s * r, (x, y)


def _signed(f: Forms, v: Value) -> tuple[int, Value]:
    node = f.node(v, "negative")
    return (1, v) if node is None else (-1, node.operands[0])


def _weighed(f: Forms, y: Value, log: Value, rest: Value, other: Value) -> Any:
    """The loss, if ``log`` is log_expit(t), ``other`` log_expit(-t), and ``rest`` 1 - y."""
    t, minus = f.argument(log, "log_expit"), f.argument(other, "log_expit")
    if t is None or minus is None or (f.minus(t).value is not minus.value and f.minus(minus).value is not t.value):
        return None
    return f.xp.logistic_loss(t, f.wrap(y)) if _is_complement(f, rest, y) else None


def _is_complement(f: Forms, rest: Value, y: Value) -> bool:
    """Whether ``rest`` is 1 - y."""
    node, known = f.node(f.source(rest), "subtract"), number(y, f.made)
    if node is None:
        return known is not None and f.is_number(rest, float(1 - known))
    return f.is_number(node.operands[0], 1.0) and f.source(node.operands[1]) is f.source(y)


# ----- Roots and circles -----


def _hypot(f: Forms, u: Value) -> Any:
    node = f.node(u, "add")
    if node is None:
        return None
    x, y = (f.root(v) for v in node.operands)
    return None if x is None or y is None else f.xp.hypot(x, y)


def _one_less_cos(f: Forms, x: Value, y: Value) -> Any:
    for one, other, sign in ((x, y, 1), (y, x, -1)):
        if f.is_number(one, 1.0) and (angle := f.argument(other, "cos")) is not None:
            return sign * 2 * f.xp.square(f.xp.sin(0.5 * angle))
    return None


#: The first that applies is taken; operands have been rewritten before.
ROWS: tuple[Row, ...] = (
    Row("log of sums, products and quotients of exponentials", "log", "log_expit, logaddexp, logsumexp, x itself", _log,
        "exp overflows from 710 on and is 0 below -745: log gives inf and -inf, and slopes that are NaN"),
    Row("log(1 + x), log(1 - x)", "log", "log1p(x), log1p(-x)", _log_of_one_and,
        "1 + x drops the digits of a small x"),
    Row("log1p(exp(x))", "log1p", "logaddexp(x, 0)", _log1p_of_exp,
        "exp overflows"),
    Row("log1p(-sigmoid(t))", "log1p", "log_expit(-t)", _log1p_of_sigmoid,
        "sigmoid(t) is 1 from t = 37 on"),
    Row("exp(x) - 1", "subtract", "expm1(x)", _exp_less_one,
        "cancels for small x"),
    Row("exp(x) + -1", "add", "expm1(x)", _exp_and_minus_one,
        "cancels for small x"),
    Row("1 - exp(x)", "subtract", "-expm1(x)", _one_less_exp,
        "cancels for small x"),
    Row("exp(t) / (1 + exp(t))", "divide", "1 / (1 + exp(-t))", _sigmoid,
        "inf / inf from t = 710 on"),
    Row("1 - sigmoid(t)", "subtract", "1 / (1 + exp(t))", _one_less_sigmoid,
        "cancels where t is large: 0 from t = 37 on"),
    Row("exp(z) / sum(exp(z))", "divide", "the same of z - max(z)", _softmax,
        "inf / inf from z = 710 on"),
    Row("y log(s) + (1 - y) log(1 - s), s = sigmoid(t)", "add", "-logistic_loss(t, y)", _cross_entropy(1),
        "the slope in t is s - y, and nothing is divided by s (1 - s)"),
    Row("the same with signs turned", "subtract", "logistic_loss(t, y)", _cross_entropy(-1),
        "the slope in t is s - y, and nothing is divided by s (1 - s)"),
    Row("sqrt(x**2 + y**2)", "sqrt", "hypot(x, y)", _hypot,
        "squares overflow from 1e154 on and vanish below 1e-162; the slope at the origin is 0, not NaN"),
    Row("1 - cos(x), cos(x) - 1", "subtract", "2 sin(x / 2)**2, -2 sin(x / 2)**2", _one_less_cos,
        "cancels for small x"),
)  # fmt: skip
