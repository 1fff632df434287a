"""Straight lines of plain numbers: a graph of few elements in Python's own float arithmetic, which is IEEE's.

Each element of a small array is a number of its own, so that what moves elements is a choice of names.  Functions are
NumPy's, which give the same bits here as on arrays.  Where Python raises and IEEE answers (a division by zero), the
call is made again with care.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from attrs import frozen

from wengert.backends.assembled import assembled
from wengert.backends.vectorized.checks import Check
from wengert.ir import kinds
from wengert.ir.batching import sources
from wengert.ir.graph import Constant, Graph, Node, Value
from wengert.ir.ops import OPS
from wengert.ir.passes import dead_code, inline_bodies

__all__ = ["Names", "Written", "elements", "later", "numbers", "tuple_of", "written"]

_BINARY = {
    **{symbol: symbol for symbol in ("+", "-", "*", "/", "<", "<=", ">", ">=", "==", "!=")},
    "and": "and", "or": "or", "xor": "!=",
}  # fmt: skip
_UNARY = {"neg": "-{}", "not": "not {}", "abs": "abs({})"}
#: What Python raises where IEEE has an answer.
RAISED = (ZeroDivisionError, ValueError)
#: Elements that may come about, and how long an expression may be.
LIMIT, LENGTH = 1500, 80
#: What a step costs: on an array, a call on a number; in units of an operation on numbers.
ARRAY, CALL = 12, 5

Names: TypeAlias = tuple[str, ...]
#: What the names of elements are put into, and the names.
Term: TypeAlias = tuple[str, Names]


def _scaled(p: float, t: float) -> float:
    product = p * t
    return 0.0 if product != product and (p == 0 or t == 0) else product


def _divided(x: float, y: float) -> float:
    if y or x != x or not x:
        return x / y if y else math.nan
    return math.copysign(math.inf, x) * math.copysign(1.0, y)


def _root(x: float) -> float:
    return math.sqrt(x) if x >= 0 else x if x != x else math.nan


_SCOPE: dict[str, Any] = {"scaled": _scaled, "divided": _divided, "sqrt": math.sqrt, "root": _root, "raised": RAISED,
                          "nan": math.nan}  # fmt: skip


#: What stands for some terms where each name is an array, of the numbers of all steps.
_COLUMNS = {
    "{1} if {0} else {2}": "np_where({0}, {1}, {2})", "{} and {}": "np_logical_and({}, {})",
    "{} or {}": "np_logical_or({}, {})", "not {}": "np_logical_not({})", "float({})": "({} + 0.0)",
    "sqrt({})": "np_sqrt({})", "scaled({}, {})": "np_scaled({}, {})",
}  # fmt: skip


def elements(name: str, v: Value) -> Names:
    """A name for each element of a value."""
    return (name,) if not v.type.shape else tuple(f"{name}_{i}" for i in range(v.type.size))


def tuple_of(names: Sequence[str]) -> str:
    """The text of a tuple, or of what one is taken apart into; of nothing, nothing."""
    return "".join(f"{name}, " for name in names)


def _spelled(x: Any) -> str:
    return repr(x) if isinstance(x, bool) or math.isfinite(x) else f"float('{x!r}')"


def _term(node: Node, xs: Names, *, careful: bool) -> Term | None:
    """An element of an elementwise node; None where it has no text."""
    op = node.op
    assert isinstance(op, kinds.Elementwise)
    bools = all(v.type.dtype.kind == "b" for v in node.operands)
    if op is OPS["scale"]:
        return "scaled({}, {})", xs
    if op.symbol in ("cast", "identity"):
        same = node.operands[0].type.dtype == node.result.type.dtype
        return ("{}", xs) if same else ("float({})", xs) if bools else None
    if op.symbol == "?:":
        return "{1} if {0} else {2}", xs
    if bools and op.symbol in ("+", "-", "*", "/", "neg", "abs"):
        return None
    if careful and op.symbol == "/":
        return "divided({}, {})", xs
    if op.symbol in _BINARY:
        return f"{{}} {_BINARY[op.symbol]} {{}}", xs
    if op.symbol in _UNARY:
        return _UNARY[op.symbol], xs
    if op is OPS["sqrt"]:
        return "root({})" if careful else "sqrt({})", xs
    if not isinstance(op.function, np.ufunc):
        return None
    return f"np_{op.name}({', '.join(['{}'] * len(xs))}).item()", xs


def _known(symbol: str | None, xs: Names) -> str | None:
    """An element of an elementwise node that needs no operation: "" is a zero, of which the sign does not matter."""
    if symbol == "+" and "" in xs:
        return "".join(xs)
    if symbol == "*" and "(1.0)" in xs:
        return xs[xs[0] == "(1.0)"]
    if symbol in ("*", "neg") and "" in xs:
        return ""
    return xs[0] if (symbol == "-" and not xs[1]) or (symbol == "/" and not xs[0]) else None


@frozen
class Written:
    """The lines of a graph, the names of the elements of each output, what the lines read besides, and how many
    operations they are."""

    lines: list[str]
    outputs: list[Names]
    scope: dict[str, Any]
    size: int

    @property
    def loud(self) -> bool:
        """Whether NumPy would tell of errors."""
        return any(name.startswith("np_") for name in self.scope)


class _Writer:
    def __init__(
        self, graph: Graph, inputs: Sequence[Names], prefix: str, exact: set[Value], *, careful: bool, columns: bool
    ) -> None:
        self.graph, self.prefix, self.exact, self.careful, self.columns = graph, prefix, exact, careful, columns
        self.scope = dict(_SCOPE)
        self.terms: dict[str, Term] = {}
        self.known: dict[Term, str] = {}
        #: Of each value the names of its elements; "" is a zero that makes no difference to what it is added to.
        self.names: dict[Value, Names] = dict(zip(graph.inputs, inputs, strict=True))

    def of(self, v: Value) -> Names:
        if v not in self.names:
            assert isinstance(v, Constant)
            self.names[v] = tuple(f"({_spelled(x)})" for x in v.array.ravel().tolist())
        return self.names[v]

    def plain(self, v: Value) -> Names:
        return tuple(name or "(0.0)" for name in self.of(v))

    def name(self, term: Term) -> str:
        if term[0] == "{}":
            return term[1][0]
        if term not in self.known:
            self.known[term] = name = f"{self.prefix}{len(self.known)}"
            self.terms[name] = term
        return self.known[term]

    def total(self, names: Sequence[str]) -> str:
        whole = ""
        for name in filter(None, names):
            whole = self.name(("{} + {}", (whole, name))) if whole else name
        return whole

    def made(self, node: Node) -> Names | None:
        """The elements of a node; None where it is no node for numbers."""
        op = node.op
        if isinstance(op, kinds.Movement):
            flat = [x for v in node.operands for x in self.of(v)]
            zero = "(False)" if node.result.type.dtype.kind == "b" else "(0.0)" if node.result in self.exact else ""
            places = sources(node, [v.type.shape for v in node.operands]).ravel()
            return tuple(flat[k] if k < len(flat) else zero for k in places)
        if isinstance(op, kinds.Elementwise):
            return self.elementwise(node)
        if isinstance(op, kinds.Reduction) and op.fold == "+" and node.result.type.dtype.kind == "f":
            (x,), axes = node.operands, node.params["axes"]
            places = np.arange(x.type.size).reshape(x.type.shape)
            rest = [a for a in range(x.type.ndim) if a not in axes]
            rows = places.transpose(*rest, *axes).reshape(node.result.type.size, -1)
            return tuple(self.total([self.of(x)[k] for k in row]) for row in rows) if rows.size else None
        return self.contraction(node) if isinstance(op, kinds.Contraction) else None

    def elementwise(self, node: Node) -> Names | None:
        op, made = node.op, []
        assert isinstance(op, kinds.Elementwise)
        for xs in zip(*map(self.of, node.operands), strict=True):
            if (found := _known(op.symbol, xs)) is not None:
                made.append(found)
                continue
            term = _term(node, tuple(x or "(0.0)" for x in xs), careful=self.careful)
            if term is None:
                return None
            if term[0].startswith("np_"):
                self.scope[f"np_{op.name}"] = op.function
            form = term[0] if not self.columns else _COLUMNS.get(term[0], term[0].replace(".item()", ""))
            made.append(self.name((form, term[1])))
        return tuple(made)

    def contraction(self, node: Node) -> Names | None:
        if node.result.type.dtype.kind != "f":
            return None
        (x, y), terms = node.operands, kinds.Contraction.split(node.params["subscripts"])
        size = dict(zip(terms[0] + terms[1], (*x.type.shape, *y.type.shape), strict=True))
        summed = [c for c in size if c not in terms[2]]
        if 0 in size.values():
            return None
        places = [dict(np.ndenumerate(np.arange(v.type.size).reshape(v.type.shape))) for v in (x, y)]
        product = "scaled({}, {})" if node.op.scaled else "{} * {}"  # type: ignore[attr-defined]
        product = _COLUMNS.get(product, product) if self.columns else product
        made = []
        for outer in itertools.product(*(range(size[c]) for c in terms[2])):
            parts = []
            for inner in itertools.product(*(range(size[c]) for c in summed)):
                at = dict(zip((*terms[2], *summed), (*outer, *inner), strict=True))
                a, b = (self.of(v)[place[tuple(at[c] for c in term)]]
                        for v, place, term in zip((x, y), places, terms, strict=False))  # fmt: skip
                found = _known("*", (a, b))
                parts.append(self.name((product, (a, b))) if found is None else found)
            made.append(self.total(parts))
        return tuple(made)

    def written(self) -> Written | None:
        for node in self.graph.nodes:
            made = self.made(node) if len(node.results) == 1 else None
            if made is None or len(self.terms) > LIMIT:
                return None
            self.names[node.result] = made
        outputs = [self.plain(v) for v in self.graph.guarded_outputs]
        lines, size = self.statements(outputs)
        return Written(lines, outputs, self.scope, size)

    def statements(self, outputs: Sequence[Names]) -> tuple[list[str], int]:
        """A line for each element that is read; where that is read once, it is written there.  And how many are."""
        reads = Counter({name: 2 for names in outputs for name in names})
        for name, (_, xs) in reversed(self.terms.items()):
            if reads[name]:
                reads.update(xs)
        texts: dict[str, str] = {}
        lines = []
        for name, (form, xs) in self.terms.items():
            if not reads[name]:
                continue
            text = form.format(*(texts.get(x, x) for x in xs))
            if reads[name] == 1 and len(text) < LENGTH:
                texts[name] = f"({text})"
            else:
                lines.append(f"{name} = {text}")
        return lines, sum(map(bool, map(reads.get, self.terms)))


def _written_out(op: kinds.Elementwise) -> bool:
    """Whether an op is as good as its body, to the last bit."""
    return op is not OPS["scale"] and (not isinstance(op.function, np.ufunc) or op.name in ("square", "isnan"))


def _price(node: Node) -> int:
    """The operations that a node is on numbers."""
    op, size = node.op, sum(v.type.size for v in node.results)
    if isinstance(op, kinds.Elementwise):
        return size if op.symbol else CALL * size
    if isinstance(op, kinds.Reduction):
        return node.operands[0].type.size
    if isinstance(op, kinds.Contraction):
        terms = kinds.Contraction.split(node.params["subscripts"])
        sizes = {c: n for v, t in zip(node.operands, terms, strict=False) for c, n in zip(t, v.type.shape, strict=True)}
        return math.prod(sizes.values())
    return size


def written(
    graph: Graph, inputs: Sequence[Names], prefix: str = "v", *, derived: Sequence[int] = (), careful: bool = False,
    columns: bool = False,
) -> Written | None:  # fmt: skip
    """The lines of a graph of real numbers and truths, whose elements come under these names; None where it has other
    values, or arrays that are better left whole.

    New names have the prefix.  With ``careful`` nothing raises; with ``columns`` names are of arrays, of the numbers of
    all steps.  Of the outputs that are ``derived`` the signs of zeros do not matter.
    """
    graph = dead_code(inline_bodies(graph, _written_out))
    made = [v for node in graph.nodes for v in node.results]
    every = {*graph.inputs, *graph.used_values(), *made}
    if any(v.type.dtype not in (np.float64, np.bool_) for v in every):
        return None
    if any(v.type.shape for v in every):
        price = sum(map(_price, graph.nodes)) + sum(v.type.size for v in graph.inputs if v.type.shape)
        if price > ARRAY * len(made) or not all(v.type.size for v in every):
            return None
    exact = {v for i, v in enumerate(graph.guarded_outputs) if i not in derived}
    for node in reversed(graph.nodes):
        if not exact.isdisjoint(node.results):
            exact.update(node.operands)
    return _Writer(graph, inputs, prefix, exact, careful=careful, columns=columns).written()


def numbers(graph: Graph, check: Check | None = None) -> tuple[Callable[..., tuple[Any, ...]], bool] | None:
    """The function of a graph without axes, from Python's numbers to Python's, and whether NumPy would tell of errors
    in it; None for any other graph.

    Last comes, with ``check``, a number that is NaN where it fails.
    """
    arguments = [f"x{i}" for i in range(len(graph.inputs))]
    outputs = graph.guarded_outputs
    if any(v.type.shape for v in (*graph.inputs, *outputs)):
        return None

    def function(*, careful: bool) -> tuple[Callable[..., tuple[Any, ...]], bool] | None:
        derived = () if check is None else check.outputs
        made = written(graph, [(x,) for x in arguments], derived=derived, careful=careful)
        if made is None:
            return None
        results = [name for names in made.outputs for name in names]
        if check is not None:
            held = [f"(0.0 if {results.pop()} else nan)"] if check.guard else []
            results.append(" + ".join(["0.0", *held, *(f"{results[i]} * {results[i]}" for i in check.outputs)]))
        lines = [*made.lines, f"return ({tuple_of(results)})"]
        if not careful:
            made.scope["again"] = later(lambda: function(careful=True)[0])  # type: ignore[index]
            lines = ["try:", *(f"    {line}" for line in lines), "except raised:",
                     f"    return again({', '.join(arguments)})"]  # fmt: skip
        return assembled("numbers", arguments, lines, made.scope), made.loud

    return function(careful=False)


def later(make: Callable[[], Callable[..., Any]]) -> Callable[..., Any]:
    """A function that is made when it is called first."""
    made: list[Callable[..., Any]] = []

    def call(*args: Any) -> Any:
        if not made:
            made.append(make())
        return made[0](*args)

    return call
