"""Calls with rules of their own: custom derivatives, and primitives from outside.

The rules are recorded like everything else, and so survive a file.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.backends import protocol
from wengert.ir.autodiff.calls import jvp_of
from wengert.ir.build import Builder
from wengert.ir.errors import DerivativeError
from wengert.ir.graph import Graph, Value
from wengert.ir.ops import OPS
from wengert.ir.ops.external import register
from wengert.ir.structure import LEAF, Structure, only, unflatten
from wengert.ir.types import SHORT_NAMES, ArrayType, is_inexact
from wengert.tracer.array import TraceNamespace
from wengert.tracer.context import current_trace
from wengert.tracer.location import refuse
from wengert.tracer.parameters import by_position, signature_of
from wengert.tracer.subprograms import Body, leaves_of, recorded

__all__ = ["Custom", "checkpoint", "custom", "primitive"]

Rule = Callable[..., Any]

#: A rule that calls the function itself, as exp's does, has rules in it to this order; beyond, the function alone.
ORDERS = 3


class Custom:
    """A function with its own derivative; see :func:`custom`."""

    def __init__(self, function: Callable[..., Any], jvp: Rule | None, vjp: Rule | None) -> None:
        functools.update_wrapper(self, function)
        self.__name__ = getattr(function, "__name__", type(function).__name__)
        self.function, self.jvp, self.vjp = function, jvp, vjp
        self.__signature__ = signature_of(function)
        self.checked = True  # that rules fit each other, at random arguments
        self._checked: set[Any] = set()
        self._depth = contextvars.ContextVar("depth", default=0)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """A method: its instance is the first of the primals."""
        return self if instance is None else functools.partial(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        trace = current_trace()
        if trace is None:
            return self.function(*args, **kwargs)
        trace.locate()
        xp = TraceNamespace(trace)
        given = [leaves_of(xp, argument) for argument in by_position(self.__name__, self.__signature__, args, kwargs)]
        operands = [v for _, values in given for v in values]
        arguments = [(structure, [v.type for v in values]) for structure, values in given]
        body = self._body(xp, arguments)
        _no_outer(body, self.__name__)
        depth = self._depth.get()
        token = self._depth.set(depth + 1)
        try:
            rules = self._rules(xp, arguments, body) if depth < ORDERS else {}
        finally:
            self._depth.reset(token)
        graphs, implicit = _aligned(len(operands), body, rules)
        trace.locate()
        if depth == ORDERS:
            made = xp.builder.emit_all(OPS["call"], [*operands, *implicit], graph=graphs["graph"])
        else:
            self._check(graphs)
            made = xp.builder.emit_all(OPS["custom"], [*operands, *implicit], **graphs)
        return unflatten(body.results, iter([xp.wrap(v) for v in made]))

    def _body(self, xp: TraceNamespace, arguments: Any) -> Body:
        return recorded(xp, self.function, arguments, "the function")

    def _rules(self, xp: TraceNamespace, arguments: Any, body: Body) -> dict[str, Body]:
        types = [t for _, each in arguments for t in each]
        moving = [is_inexact(t.dtype) for t in types]
        ends = [v.type for v in body.graph.outputs]
        flows = [is_inexact(t.dtype) for t in ends]
        primals = (Structure("tuple", tuple(s for s, _ in arguments)), types)
        found = {}
        if self.jvp is not None:
            tangents = (only(primals[0], moving), _tangents(types))
            rule = recorded(xp, self.jvp, [primals, tangents], "the jvp")
            if rule.results.kind not in ("tuple", "list") or len(rule.results.children) != 2:
                what = f"the jvp of {self.__name__} returns something other than a pair."
                raise refuse(what, "Return (value, tangent).")
            value, tangent = rule.results.children
            found["jvp"] = _last(rule, value.leaf_count, tangent, only(body.results, flows), _tangents(ends), "jvp")
        if self.vjp is not None:
            cotangent = (only(body.results, flows), _tangents(ends))
            rule = recorded(xp, self.vjp, [primals, (body.results, ends), cotangent], "the vjp")
            results = rule.results
            if len(arguments) == 1 and (results.kind != "tuple" or len(results.children) != 1):
                results = Structure("tuple", (results,))
            found["vjp"] = _last(rule, 0, results, only(primals[0], moving), _tangents(types), "vjp")
        return found

    def _check(self, graphs: dict[str, Any]) -> None:
        """Once for each set of types, at random arguments; where the function has no value there, nothing is learnt."""
        key = tuple(v.type for v in graphs["graph"].inputs)
        if self.jvp is None or not self.checked or key in self._checked:
            return
        with contextlib.suppress(ArithmeticError, IndexError, ValueError):
            _check_rules(self.__name__, graphs["graph"], graphs["jvp"], None if self.vjp is None else graphs["vjp"])
        self._checked.add(key)


def _check_rules(name: str, graph: Graph, jvp: Graph, vjp: Graph | None) -> None:
    """That a jvp is linear, J (t - 2 u) = J t - 2 J u, and a vjp its transpose: <g, J t> = <J' g, t>."""
    rng, numpy = np.random.default_rng(0), protocol.get("numpy")
    xs = [_random(rng, v.type) for v in graph.inputs]
    known = [*xs, *numpy.compile(graph)(xs)]
    run = numpy.compile(jvp)
    ts, us = ([_random(rng, v.type) for v in jvp.inputs[len(known) :]] for _ in range(2))
    pushed, other = run([*known, *ts]), run([*known, *us])
    at_once = run([*known, *(t - 2 * u for t, u in zip(ts, us, strict=True))])
    single = any(v.type.dtype.itemsize <= 4 for v in jvp.inputs if is_inexact(v.type.dtype))
    tolerance = 1e-4 if single else 1e-9
    for x, y, z in zip(pushed, other, at_once, strict=True):
        size = np.max(np.abs(x) + np.abs(y), initial=0)
        if np.any(np.abs(x - 2 * y - z) > 1e3 * tolerance * size):  # NaN compares false
            message = (
                f"The jvp of {name} is not linear in the tangents: at random arguments that of t - 2u is not that of "
                "t less twice that of u. A tangent is multiplied by what does not depend on it, and the products are "
                "added."
            )
            raise DerivativeError(message, op="custom")
    if vjp is None:
        return
    gs = [_random(rng, v.type) for v in vjp.inputs[len(known) :]]
    pulled = numpy.compile(vjp)([*known, *gs])
    ahead, back = (
        float(sum(np.sum(np.real(np.multiply(x, y))) for x, y in zip(a, b, strict=True)))
        for a, b in ((gs, pushed), (pulled, ts))
    )
    size = float(sum(np.sum(np.abs(np.multiply(x, y))) for x, y in zip(gs, pushed, strict=True)))
    if abs(ahead - back) > tolerance * (size + 1e-30):
        message = (
            f"The jvp and the vjp of {name} contradict each other: at random arguments a cotangent times "
            f"the jvp of a tangent is {ahead}, and the vjp of the cotangent times the tangent is {back}; they "
            "should be equal. Correct one of them."
        )
        raise DerivativeError(message, op="custom")


def _random(rng: np.random.Generator, type_: ArrayType) -> Any:
    if not is_inexact(type_.dtype):
        return np.ones(type_.shape, type_.dtype)
    numbers = rng.uniform(0.2, 0.9, type_.shape)
    return np.asarray(numbers + (0.3j * numbers if type_.dtype.kind == "c" else 0), type_.dtype)


def _tangents(types: Sequence[ArrayType]) -> list[ArrayType]:
    return [ArrayType(t.dtype, t.shape) for t in types if is_inexact(t.dtype)]


def _no_outer(body: Body, name: str) -> None:
    """A rule says nothing about what the function reads besides its arguments: that must be constant."""
    if body.traced:
        raise refuse(
            f"the custom function {name} reads a traced value of type {body.traced[0]} from outside, in "
            "which its rule gives no derivative.",
            "Pass it as an argument, or wg.stop_gradient of it.",
        )


def _last(
    rule: Body, skip: int, found: Structure, expected: Structure, types: Sequence[ArrayType], what: str
) -> Body:
    """The rule as one of its last results alone, one for each expected leaf: zeros where it says None."""
    b = Builder(rule.graph.name)
    b.inputs.extend(rule.graph.inputs)
    b.nodes.extend(rule.graph.nodes)
    made, outputs = iter(rule.graph.outputs[skip:]), []
    wanted = iter(types)
    for given in _leafwise(found, expected, what):
        type_ = next(wanted)
        value = next(made) if given else b.constant(type_.dtype.type(0))
        if value.type.shape not in ((), type_.shape):
            raise refuse(f"a {what} returns {value.type} where {type_} is due.", "Return what has the shape of it.")
        outputs.append(b.convert(value, type_))
    return Body(b.graph(outputs), rule.implicit, rule.results, rule.traced)


def _leafwise(found: Structure, expected: Structure, what: str) -> list[bool]:
    """For each leaf that is due, whether there is one: None stands for zeros of any nesting."""
    if expected.kind == "static":
        if found.leaf_count:
            raise refuse(f"a {what} returns a derivative for what has none.", "Return None there.")
        return []
    if found.kind == "static" and found.static is None:
        return [False] * expected.leaf_count
    if expected == LEAF and found == LEAF:
        return [True]
    if len(found.children) != len(expected.children) or found.kind == "leaf" or expected.kind == "leaf":
        raise refuse(
            f"a {what} returns results nested otherwise than what they belong to.",
            "Return one derivative for each array, nested alike; None for none.",
        )
    return [flag for f, e in zip(found.children, expected.children, strict=True) for flag in _leafwise(f, e, what)]


def _aligned(n: int, body: Body, rules: dict[str, Body]) -> tuple[dict[str, Any], list[Value]]:
    """The function and its rules as graphs of the same operands: arguments, then all that any reads from outside."""
    bodies = [body, *rules.values()]
    implicit = list(dict.fromkeys(v for each in bodies for v in each.implicit))
    extra = [ArrayType(v.type.dtype, v.type.shape) for v in implicit if is_inexact(v.type.dtype)]
    results = [v.type for v in body.graph.outputs]

    def arranged(each: Body, between: Sequence[Value], last: Sequence[Value]) -> Graph:
        inputs = each.graph.inputs
        mine = dict(zip(each.implicit, inputs[each.explicit :], strict=True))
        outer = [mine[v] if v in mine else Value(v.type) for v in implicit]
        return each.graph.evolve(inputs=(*inputs[:n], *outer, *between, *inputs[n : each.explicit], *last))

    graphs: dict[str, Any] = {"graph": arranged(body, [], []), "jvp": None, "vjp": None}
    if "vjp" in rules:
        graph, b = arranged(rules["vjp"], [], []), Builder()
        zeros = [b.convert(b.constant(t.dtype.type(0)), t) for t in extra]
        graphs["vjp"] = graph.evolve(nodes=(*b.nodes, *graph.nodes), outputs=(*graph.outputs, *zeros))
        graphs["jvp"] = jvp_of(graphs["vjp"], n + len(implicit) + len(results))
    if "jvp" in rules:
        graphs["jvp"] = arranged(rules["jvp"], [Value(t) for t in results], [Value(t) for t in extra])
    return graphs, implicit


def custom(
    function: Callable[..., Any] | None = None, *, jvp: Rule | None = None, vjp: Rule | None = None
) -> Any:
    """A function whose derivative is what you say.

    Parameters
    ----------
    function : callable
        Of arrays, numbers, nested; none by keyword alone.
    jvp : callable, optional
        ``jvp(primals, tangents)`` gives ``(value, tangent)``: tuples of the arguments and of their tangents (None for
        what is not floating-point), to the value and its tangent.  It is linear in the tangents.
    vjp : callable, optional
        ``vjp(primals, value, cotangent)`` gives a cotangent for each argument, a tuple, None for none.

    One is enough for both modes, as each is the other's transpose.  Where both are given, each mode uses its own, and
    they are checked against each other at random arguments when first traced.  The rules are part of the graph and of
    its file, and are differentiated themselves for higher orders.  One that calls the function itself is followed to
    the third order; beyond, what the function computes is differentiated.

    Raises
    ------
    DerivativeError
        If jvp and vjp contradict each other, or there is neither and a derivative is asked for.
    TraceError
        If a rule returns what does not fit, or the function reads a traced value besides its arguments.

    Examples
    --------
    >>> @wg.custom(jvp=lambda x, t: (np.log1p(np.exp(x[0])), t[0] / (1 + np.exp(-x[0]))))
    ... def softplus(s):
    ...     return np.log1p(np.exp(s))
    """
    if function is None:
        return functools.partial(custom, jvp=jvp, vjp=vjp)
    return Custom(function, jvp, vjp)


class Primitive(Custom):
    """A function from outside; see :func:`primitive`."""

    def __init__(
        self, function: Callable[..., Any], jvp: Rule | None, vjp: Rule | None, name: str, like: Rule | None
    ) -> None:
        super().__init__(function, jvp, vjp)
        self.name, self.like = name, like
        register(name, function)

    def _body(self, xp: TraceNamespace, arguments: Any) -> Body:
        """A graph of the one call; its types are those that ``like`` gives, or the function at ones."""
        b = Builder(self.__name__)
        types = [t for _, each in arguments for t in each]
        inputs = [b.input(t) for t in types]
        if any(structure != LEAF for structure, _ in arguments):
            raise refuse(f"the primitive {self.name} is called with nested arguments.", "Pass arrays one by one.")
        made = (self.like or self.function)(*(np.ones(t.shape, t.dtype)[()] for t in types))
        each = made if isinstance(made, tuple) else (made,)
        found = [np.asarray(x) for x in each]
        results = tuple((SHORT_NAMES[x.dtype], x.shape) for x in found)
        outputs = b.emit_all(OPS["external"], inputs, name=self.name, results=results)
        structure = Structure("tuple", (LEAF,) * len(each)) if isinstance(made, tuple) else LEAF
        return Body(b.graph(outputs), [], structure)


def primitive(
    function: Callable[..., Any] | None = None, *, jvp: Rule | None = None, vjp: Rule | None = None,
    name: str | None = None, like: Callable[..., Any] | None = None,
) -> Any:
    """A function from outside (SciPy, C, a simulator) as one node of a graph, with its derivative.

    Parameters
    ----------
    function : callable
        Of arrays, to an array or a tuple of them; always the same for the same arguments.  It is never traced.
    jvp, vjp : callable, optional
        As in :func:`custom`; they are traced, and may call primitives.
    name : str, optional
        What a file keeps of it; by default its module and qualified name.  A file that holds it loads where a
        primitive of this name has been made, and is a clear error elsewhere.
    like : callable, optional
        Gives, for arrays of the arguments' shapes, arrays of the dtypes and shapes of the results.  By default the
        function is called once at ones.
    """
    if function is None:
        return functools.partial(primitive, jvp=jvp, vjp=vjp, name=name, like=like)
    known = name or f"{function.__module__}.{getattr(function, '__qualname__', type(function).__qualname__)}"
    return Primitive(function, jvp, vjp, known, like)


def checkpoint(function: Callable[..., Any], *, policy: str = "nothing") -> Callable[..., Any]:
    """A function whose values a derivative computes again, instead of keeping them: less memory, more time.

    Parameters
    ----------
    function : callable
        Of arrays, numbers, nested; none by keyword alone.
    policy : {"nothing", "contractions", "everything"}
        What is kept all the same: matrix products and library calls, or everything, as without a checkpoint.
    """
    from wengert.ir.verify import POLICIES

    if policy not in POLICIES:
        message = f"policy must be one of {', '.join(map(repr, POLICIES))}, got {policy!r}."
        raise ValueError(message)

    signature = signature_of(function)

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        trace = current_trace()
        if trace is None:
            return function(*args, **kwargs)
        xp = TraceNamespace(trace)
        given = [leaves_of(xp, argument) for argument in by_position(called.__name__, signature, args, kwargs)]
        arguments = [(structure, [v.type for v in values]) for structure, values in given]
        body = recorded(xp, function, arguments, "the function")
        operands = [*(v for _, values in given for v in values), *body.implicit]
        trace.locate()
        made = xp.builder.emit_all(OPS["checkpoint"], operands, graph=body.graph, policy=policy)
        return unflatten(body.results, iter([xp.wrap(v) for v in made]))

    return called
