"""Derivative rules, each spoilt in many small ways; tests/mutation.py asks the laws to notice.

What is spoilt: every partial, jvp, vjp and transpose of every op in OPS, the functions of its package that it is made of, and what
``ir.autodiff`` and the numpy backend do with each kind of op.  How: negated, scaled by 1.0005, or taken for constant; and within its
source, a factor or a term dropped, a sign, an operator, a comparison or the branches of a ``where`` turned round, a constant replaced.
A spoilt function is made anew from its syntax tree, with the globals and cells of the old one, so that nothing but one rule's
place is touched.
"""

import __future__

import ast
import contextlib
import dis
import functools
import inspect
import sys
import types
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import batches
from attrs import field, frozen

from wengert.backends import matmul, protocol
from wengert.backends.reference import forward as duals, partials, reverse as tape
from wengert.backends.vectorized import cotangents, tangents
from wengert.ir import kinds, promotion
from wengert.ir.autodiff import forward, transposition
from wengert.ir.ops import OPS

FACTOR = 1.0005


# ----- Places: where a rule is kept -----


@frozen
class Place:
    """A rule that is read from a field of an op, or from a table of rules by kind.

    ``ops`` are those whose derivatives show what it does, on ``backend`` where that is not empty.
    """

    name: str
    owner: Any = field(eq=False)
    key: Any
    ops: tuple[str, ...]
    backend: str = ""

    @property
    def rule(self) -> Any:
        if isinstance(self.owner, dict):
            return self.owner[self.key]
        attribute, k = self.key
        found = getattr(self.owner, attribute)
        return found if k is None else found[k]

    def put(self, rule: Any) -> None:
        if isinstance(self.owner, dict):
            self.owner[self.key] = rule
            return
        attribute, k = self.key
        if k is not None:
            old = getattr(self.owner, attribute)
            rule = (*old[:k], rule, *old[k + 1 :])
        object.__setattr__(self.owner, attribute, rule)

    @contextlib.contextmanager
    def holding(self, rule: Any) -> Iterator[None]:
        """With another rule in this place, and nothing remembered of the one before."""
        kept = self.rule
        try:
            self.put(rule)
            forget()
            yield
        finally:
            self.put(kept)
            forget()


RULES = {"partials", "partial", "transpose", "jvp", "vjp"}
#: What is done with each kind of op, and the backend that shows it.
TABLES = {
    "autodiff.forward": (forward.RULES, "python"), "autodiff.transposition": (transposition.RULES, "python"),
    "numpy.tangents": (tangents._RULES, "numpy"), "numpy.cotangents": (cotangents.RULES, "numpy"),
    "reference.forward": (duals.CASES, "reference"), "reference.reverse": (tape.CASES, "reference"),
}  # fmt: skip
#: Ops that show a case of their own: a partial that is not known, or a mirror; results of which some have no tangent.
SPECIAL = {"jv", "conjugate", "imag", "eigh", "slogdet", "lstsq", "draw", "cummax"}
#: Ops that take the reference minutes, and show nothing that `solve` does not.
DEAR = {"cofactors", "expm_along"}
DERIVING = ("wengert.ir.ops.", *(module.__name__ for module in (forward, transposition, tangents, cotangents, duals, tape, partials)))
#: What the caches of these hold is not made from rules, and is slow to make.
KEPT = (protocol.get, promotion.plan, matmul.plan)


def forget() -> None:
    """Clear what was computed from rules."""
    for name, module in list(sys.modules.items()):
        if name.startswith(("wengert.ir.", "wengert.backends.")) and ".source.c" not in name:
            for value in list(vars(module).values()):
                if hasattr(value, "cache_clear") and value not in KEPT:
                    value.cache_clear()


def places(only: tuple[str, ...] = ()) -> list[Place]:
    """Every place where a rule is read when a derivative is taken; of ``only`` these ops."""
    found = []
    for name, op in OPS.items():
        active = {k for sample in batches.differentiable(name) for k in sample.active}
        if only and name not in only:
            continue
        for attribute in sorted(RULES & {slot for cls in type(op).__mro__ for slot in getattr(cls, "__slots__", ())}):
            if attribute == "partials":
                found += [Place(f"{name}, partial {k}", op, (attribute, k), (name,)) for k in sorted(active)]
            elif active:
                found.append(Place(f"{name}, {attribute}", op, (attribute, None), (name,)))
    for title, (table, backend) in TABLES.items():
        for kind in () if only else table.keys() - {kinds.Control}:  # a call is what is called
            ops = [name for name, op in OPS.items() if type(op) is kind and name not in DEAR and batches.differentiable(name)]
            ops.sort(key=lambda name: -max(len(s.active) for s in batches.differentiable(name)))
            if ops:
                chosen = (*ops[:8], *(name for name in ops[8:] if name in SPECIAL))
                found.append(Place(f"{title}, {kind.__name__}", table, kind, chosen, backend))
    return found


# ----- Mutants -----


@frozen
class Mutant:
    """Another rule for a place.

    ``key`` is None, or names the function that is spoilt, where it is not the rule of one op alone; ``nth`` counts what reads alike.
    """

    place: Place
    kind: str
    text: str
    rule: Any = field(eq=False)
    key: str | None = None
    nth: int = 0

    def __str__(self) -> str:
        return f"{self.key or self.place.name}: {self.text}" + (f" ({self.nth + 1})" if self.nth else "")


def mutants(place: Place) -> Iterator[Mutant]:
    """Every mutant of the rule in a place."""
    rule = place.rule
    if not (callable(rule) or rule is None or isinstance(rule, int | str)):
        return  # a derivative that is refused by name has no rule
    for kind, text, other in whole(place, rule):
        yield Mutant(place, kind, text, other)
    own = named(rule) if isinstance(place.owner, dict) else None
    alike: Counter[Any] = Counter()
    for kind, text, other, key in variants(rule):
        yield Mutant(place, kind, text, other, key or own, alike[key, text])
        alike[key, text] += 1


def whole(place: Place, rule: Any) -> Iterator[tuple[str, str, Any]]:
    """The rule negated, scaled, or gone."""
    if isinstance(place.owner, dict):
        return
    attribute, _ = place.key
    factor = attribute in ("partials", "partial")  # else it is a linear map, made of linear ops
    if callable(rule):
        yield "sign", "negated", lambda xp, *args: each(lambda v: -v, rule(xp, *args))
        yield "scale", f"times {FACTOR}", lambda xp, *args: each(
            lambda v: FACTOR * v if factor else xp.scale(FACTOR, v), rule(xp, *args))
    elif isinstance(rule, str):
        yield "constant", f"1 for {rule}", 1
    elif rule is None and factor:
        yield "constant", "1 for None", 1
    elif not isinstance(place.owner, kinds.Cumulative):
        yield "sign", f"{-rule} for {rule}", -rule
        yield "scale", f"{rule} times {FACTOR}", lambda xp, *args: FACTOR * rule
    if rule is not None and attribute != "transpose" and not isinstance(place.owner, kinds.Cumulative):
        yield "none", "None", None


def each(function: Callable[[Any], Any], value: Any) -> Any:
    """What a rule returned, each part of it that is there mapped."""
    if isinstance(value, tuple):
        return tuple(each(function, v) for v in value)
    return None if value is None else function(value)


# ----- Functions rewritten -----


def variants(function: Any, seen: frozenset[Any] = frozenset()) -> Iterator[tuple[str, str, Any, str | None]]:
    """A function with one thing spoilt in it, or in a function that it calls or closes over."""
    if isinstance(function, functools.partial):
        for kind, text, other, key in variants(function.func, seen):
            yield kind, text, functools.partial(other, *function.args, **function.keywords), key
        return
    if not isinstance(function, types.FunctionType):
        return
    for kind, text, other in rewritten(function):
        yield kind, text, other, None
    seen |= {function}
    for name in dict.fromkeys(i.argval for i in dis.get_instructions(function) if i.opname == "LOAD_GLOBAL"):
        helper = function.__globals__.get(name)
        if derives(helper) and helper not in seen:
            for kind, text, other, key in variants(helper, seen):
                yield kind, text, with_parts(function, {name: other}, {}), key or named(helper)
    for i, cell in enumerate(function.__closure__ or ()):
        if derives(cell.cell_contents) and cell.cell_contents not in seen:
            for kind, text, other, key in variants(cell.cell_contents, seen):
                yield kind, text, with_parts(function, {}, {i: other}), key


def derives(value: Any) -> bool:
    """Whether something is a function of which rules, or what is done with them, are made."""
    return isinstance(value, types.FunctionType) and value.__module__.startswith(DERIVING)


def named(function: Any) -> str:
    """The name of a function in its package."""
    return f"{function.__module__.removeprefix('wengert.')}.{function.__qualname__}"


def with_parts(function: Any, names: dict[str, Any], cells: dict[int, Any]) -> Any:
    """A function with other globals, or with other values in its cells."""
    closure = tuple(types.CellType(cells[i]) if i in cells else cell for i, cell in enumerate(function.__closure__ or ()))
    made = types.FunctionType(function.__code__, {**function.__globals__, **names}, function.__name__, function.__defaults__, closure)
    made.__kwdefaults__, made.__module__ = function.__kwdefaults__, function.__module__
    return made


@functools.cache
def syntax(path: str) -> list[Any]:
    return [n for n in ast.walk(ast.parse(Path(path).read_text(encoding="utf-8"))) if isinstance(n, ast.Lambda | ast.FunctionDef)]


def remade(node: Any, function: Any) -> Any:
    """A function from a syntax tree, with the globals, defaults and cells of another."""
    is_lambda = isinstance(node, ast.Lambda)
    body = [ast.Return(node)] if is_lambda else [node, ast.Return(ast.Name(node.name, ast.Load()))]
    parameters = ast.arguments([], [ast.arg(name) for name in function.__code__.co_freevars], None, [], [], None, [])
    outer = ast.FunctionDef("_outer", parameters, body, [], None)
    if sys.version_info >= (3, 12):
        outer.type_params = []
    module = ast.fix_missing_locations(ast.Module([outer], []))
    flags = __future__.annotations.compiler_flag
    names: dict[str, Any] = {}
    exec(compile(module, "<mutant>", "exec", flags, dont_inherit=True), function.__globals__, names)
    made = names["_outer"](*[cell.cell_contents for cell in function.__closure__ or ()])
    made.__defaults__, made.__kwdefaults__, made.__module__ = function.__defaults__, function.__kwdefaults__, function.__module__
    return made


def tree_of(function: Any) -> Any:
    """The syntax tree of a function; of lambdas that begin on one line, that with the same code."""
    code = function.__code__
    here = [n for n in syntax(inspect.getsourcefile(function)) if n.lineno == code.co_firstlineno and isinstance(n, ast.Lambda) == (code.co_name == "<lambda>")]
    if len(here) == 1:
        return here[0]

    def marks(c: Any) -> tuple[Any, ...]:
        return c.co_code, c.co_names, c.co_varnames, c.co_freevars, [k for k in c.co_consts if not isinstance(k, types.CodeType)]

    return next(n for n in here if closes_over(n, code) and marks(remade(n, function).__code__) == marks(code))


def closes_over(node: Any, code: Any) -> bool:
    """Whether the names that a function closes over are all in the tree."""
    return set(code.co_freevars) <= {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}


def rewritten(function: Any) -> Iterator[tuple[str, str, Any]]:
    """The function with one expression replaced by another, everywhere and in every way."""
    root = tree_of(function)
    for parent, name, index in spots(root):
        held = getattr(parent, name)
        node = held if index is None else held[index]
        for kind, other in alternatives(node, parent, name):
            put(parent, name, index, other)
            try:
                made = remade(root, function)
            finally:
                put(parent, name, index, node)
            yield kind, f"{ast.unparse(other)} for {ast.unparse(node)}", made


def put(parent: Any, name: str, index: int | None, node: Any) -> None:
    if index is None:
        setattr(parent, name, node)
    else:
        getattr(parent, name)[index] = node


def spots(root: Any) -> Iterator[tuple[Any, str, int | None]]:
    """Where an expression stands that is computed with: not in signatures, nor in what is raised."""
    todo = [root]
    while todo:
        node = todo.pop(0)
        for name, value in ast.iter_fields(node):
            for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
                if isinstance(child, ast.arguments | ast.Raise | ast.Assert) or name in ("returns", "annotation", "decorator_list"):
                    continue
                if isinstance(child, ast.keyword) and child.arg in ("strict", "copy"):  # checks and savings
                    continue
                if isinstance(child, ast.expr):
                    yield node, name, index
                if isinstance(child, ast.AST):
                    todo.append(child)


SWAPPED = {ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Add: ast.Sub, ast.Sub: ast.Add, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
           ast.And: ast.Or, ast.Or: ast.And, ast.FloorDiv: ast.Mult, ast.LShift: ast.RShift, ast.RShift: ast.LShift}  # fmt: skip
COMPARED = {ast.Lt: (ast.LtE, ast.Gt), ast.LtE: (ast.Lt, ast.GtE), ast.Gt: (ast.GtE, ast.Lt), ast.GtE: (ast.Gt, ast.LtE), ast.Eq: (ast.NotEq,),
            ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,), ast.In: (ast.NotIn,), ast.NotIn: (ast.In,)}  # fmt: skip


def alternatives(node: Any, parent: Any, name: str) -> Iterator[tuple[str, Any]]:
    """What may stand instead of an expression."""
    if name == "test" and not isinstance(parent, ast.While):
        yield "condition", ast.UnaryOp(ast.Not(), node)
    match node:
        case ast.Tuple(parts) if isinstance(parent, ast.Return) or (isinstance(parent, ast.Lambda) and name == "body"):
            for i, part in enumerate(parts):
                for kind, other in ("sign", ast.UnaryOp(ast.USub(), part)), ("scale", ast.BinOp(ast.Constant(FACTOR), ast.Mult(), part)):
                    if not isinstance(part, ast.Constant):
                        yield kind, ast.Tuple([*parts[:i], other, *parts[i + 1 :]], ast.Load())
        case ast.BinOp(left, operator, right):
            yield "drop", left
            if isinstance(operator, ast.Mult | ast.MatMult | ast.Add | ast.BitAnd | ast.BitOr):
                yield "drop", right
            if isinstance(operator, ast.Sub):
                yield "drop", ast.UnaryOp(ast.USub(), right)
            if type(operator) in SWAPPED:
                yield "sign" if isinstance(operator, ast.Add | ast.Sub) else "operator", ast.BinOp(left, SWAPPED[type(operator)](), right)
        case ast.UnaryOp(operator, operand) if not isinstance(operand, ast.Constant):
            yield "sign" if isinstance(operator, ast.USub) else "condition", operand
        case ast.BoolOp(operator, values):
            yield "condition", ast.BoolOp(SWAPPED[type(operator)](), values)
            for value in values:
                yield "condition", value
        case ast.Constant(bool(value)):
            yield "constant", ast.Constant(not value)
        case ast.Constant(int(value) | float(value)) if not isinstance(parent, ast.UnaryOp):
            yield "constant", ast.Constant(1 if value != 1 else 2)
            if isinstance(value, float) and value:
                yield "scale", ast.Constant(value * FACTOR)
        case ast.Compare(left, [operator], others):
            for other in COMPARED[type(operator)]:
                yield "condition", ast.Compare(left, [other()], others)
        case ast.Call(ast.Attribute(_, "where"), [condition, one, other], []):
            yield "where", one
            yield "where", other
            yield "where", ast.Call(node.func, [condition, other, one], [])
        case ast.Call(ast.Attribute(ast.Name("xp")), [operand], []):
            yield "call", operand
        case ast.IfExp(_, one, other):
            yield "condition", one
            yield "condition", other
