"""Branches and loops that stay branches and loops: callable from NumPy code, in a trace or outside.

Outside a trace each is traced and run at once, on the backend in force.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.ir.driving import no_branch
from wengert.ir.graph import Graph, Value
from wengert.ir.passes.schedules import Loop, binomial, square_root
from wengert.ir.structure import LEAF, Structure, unflatten
from wengert.ir.types import ArrayType
from wengert.tracer.array import Array, TraceNamespace, find_arrays
from wengert.tracer.context import current_trace
from wengert.tracer.decorator import Traced
from wengert.tracer.location import described as at, refuse
from wengert.tracer.subprograms import Body, described, is_value, joined, leaves_of, recorded, returning

__all__ = ["cond", "fori_loop", "map_", "scan", "switch", "while_loop"]

_INDEX = ArrayType(np.dtype(np.int64))


def _staged(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that runs within a trace: outside one, in a trace of its own."""

    @functools.wraps(function)
    def run(*args: Any, **kwargs: Any) -> Any:
        if current_trace() is not None:
            return function(*args, **kwargs)
        return Traced(lambda *given: function(*given, **kwargs))(*args)

    return run


def _here() -> TraceNamespace:
    trace = current_trace()
    assert trace is not None  # _staged sees to it
    trace.locate()
    return TraceNamespace(trace)


def _nested(xp: TraceNamespace, structure: Structure, values: Sequence[Value]) -> Any:
    return unflatten(structure, iter([xp.wrap(v) for v in values]))


# -- branches ------------------------------------------------------------------------------------------------------


def cond(pred: Any, true_function: Callable[..., Any], false_function: Callable[..., Any], *operands: Any) -> Any:
    """``true_function(*operands)`` where ``pred`` holds, else ``false_function(*operands)``: only one is run.

    Parameters
    ----------
    pred : bool, or array of one element
    true_function, false_function : callable
        They return alike nested results of the same shapes; dtypes are promoted.
    *operands : arrays, numbers and nested containers of them

    Raises
    ------
    TraceError
        If the branches return results of different structure or shape, or Python asks for a value within one.
    """
    if not find_arrays((pred,)):
        return true_function(*operands) if pred else false_function(*operands)
    xp = _here()
    flag = _one(xp, pred, "cond")
    which = xp.lift(flag if flag.dtype.kind == "b" else flag != 0)
    return _chosen(xp, which, (false_function, true_function), operands)


def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    """``branches[index](*operands)``; the others are not run.

    Parameters
    ----------
    index : int or bool, or array of one element
        An IndexError where it is not from 0 to the number of branches - 1.
    branches : sequence of callables
        They return alike nested results of the same shapes; dtypes are promoted.
    *operands : arrays, numbers and nested containers of them
    """
    if not branches:
        message = f"At {at()}: switch takes at least one branch, got none."
        raise ValueError(message)
    if not find_arrays((index,)):
        k = _integer(index, "The index of a switch")
        if not 0 <= k < len(branches):
            raise IndexError(f"At {at()}: {no_branch(k, len(branches))}")
        return branches[k](*operands)
    xp = _here()
    which = xp.lift(_one(xp, index, "switch"))
    if which.type.dtype.kind not in "biu":
        raise refuse(f"switch takes an integer or bool to choose by, got {which.type}.", "Cast it with .astype(int).")
    return _chosen(xp, which, branches, operands)


def _one(xp: TraceNamespace, value: Any, what: str) -> Any:
    """A value of one element, without axes."""
    if (type_ := xp.lift(value).type).size != 1:
        raise refuse(f"{what} takes one value to choose by, got {type_}.", "Reduce it with np.any or np.all.")
    return xp.reshape(value, ())


def _chosen(xp: TraceNamespace, which: Value, branches: Sequence[Callable[..., Any]], operands: Sequence[Any]) -> Any:
    index = xp.builder.cast(which, _INDEX.dtype)
    given = [leaves_of(xp, operand) for operand in operands]
    arguments = [(structure, [v.type for v in values]) for structure, values in given]
    bodies = [recorded(xp, branch, arguments, "a branch", is_value) for branch in branches]
    types = _alike(bodies)
    explicit = [v for _, values in given for v in values]
    graphs, implicit = _together(bodies, len(explicit))
    graphs = [returning(graph, types) for graph in graphs]
    xp.trace.locate()
    made = xp.builder.emit_all(_op("switch"), [index, *explicit, *implicit], graphs=tuple(graphs))
    return _nested(xp, bodies[0].results, made)


def _integer(value: Any, what: str) -> int:
    """A Python integer; raises TypeError for what is none, such as a float."""
    try:
        return operator.index(value.item() if isinstance(value, np.ndarray) and value.size == 1 else value)
    except TypeError:
        message = f"At {at()}: {what} must be an integer; got {value!r} of type {type(value).__name__}."
        raise TypeError(message) from None


def _op(name: str) -> Any:
    from wengert.ir.ops import OPS

    return OPS[name]


def _alike(bodies: Sequence[Body]) -> list[ArrayType]:
    """The types of the results of branches; raises where they differ in more than dtype."""
    first = bodies[0]
    for body in bodies[1:]:
        ours, theirs = ([v.type for v in b.graph.outputs] for b in (first, body))
        if body.results != first.results or [t.shape for t in ours] != [t.shape for t in theirs]:
            raise refuse(
                f"the branches return different results: {described(first.results, ours)} in one, "
                f"{described(body.results, theirs)} in another.",
                "Return results of one nesting and one shape from each, for instance by np.broadcast_to.",
            )
    return [joined(types) for types in zip(*([v.type for v in b.graph.outputs] for b in bodies), strict=True)]


def _together(bodies: Sequence[Body], explicit: int) -> tuple[list[Graph], list[Value]]:
    """Graphs that all take what any of them reads from outside."""
    implicit = list(dict.fromkeys(v for body in bodies for v in body.implicit))
    graphs = []
    for body in bodies:
        inputs = list(body.graph.inputs[:explicit]) + [Value(v.type) for v in implicit]
        env: dict[Value, Value] = {}
        for own, outer in zip(body.graph.inputs[explicit:], body.implicit, strict=True):
            at = explicit + implicit.index(outer)
            if outer in env:  # read twice
                from wengert.ir.passes.rewriting import substitute

                body = Body(substitute(body.graph, {own: env[outer]}), body.implicit, body.results)
            else:
                inputs[at] = env[outer] = own
        graphs.append(body.graph.evolve(inputs=tuple(inputs)))
    return graphs, implicit


# -- loops ---------------------------------------------------------------------------------------------------------


def _settled(
    xp: TraceNamespace, init: Any, what: str, record: Callable[[Structure, list[ArrayType]], Body]
) -> tuple[Body, Structure, list[Value]]:
    """The body of a loop recorded for what it carries, in dtypes that stay as they are from step to step."""
    structure, values = leaves_of(xp, init, is_value)
    types = [v.type for v in values]
    for _ in range(4):
        body = record(structure, types)
        carried = body.results if what == "while" else body.results.children[0]
        made = [v.type for v in body.graph.outputs[: carried.leaf_count]]
        if carried != structure or [t.shape for t in made] != [t.shape for t in types]:
            raise refuse(
                f"the body of the {what} loop takes {described(structure, types)} and gives "
                f"{described(carried, made)} for it.",
                "What a loop carries keeps its nesting and its shapes; begin with an array of the final shape.",
            )
        wider = [joined(pair) for pair in zip(types, made, strict=True)]
        if wider == types:
            graph = returning(body.graph, types)
            ready = [xp.builder.cast(v, t.dtype, weak=t.weak) for v, t in zip(values, types, strict=True)]
            return Body(graph, body.implicit, body.results), structure, ready
        types = wider
    found = described(structure, types)
    raise refuse(f"the dtypes that the {what} loop carries do not settle: {found}.", "Cast with .astype.")


def _ordered(body: Body) -> Graph:
    """The graph with what it reads from outside first."""
    n = body.explicit
    return body.graph.evolve(inputs=(*body.graph.inputs[n:], *body.graph.inputs[:n]))


@_staged
def scan(
    body: Callable[[Any, Any], tuple[Any, Any]], init: Any, xs: Any = None, length: int | None = None, *,
    reverse: bool = False, checkpoint: str | int | None = None,
) -> tuple[Any, Any]:
    """A loop that carries a value and reads and writes arrays entry by entry.

    In plain Python::

        carry, ys = init, []
        for x in xs:
            carry, y = body(carry, x)
            ys.append(y)
        return carry, np.stack(ys)

    Parameters
    ----------
    body : callable
        ``body(carry, x)`` gives ``(carry, y)``, either nested; the carry keeps its shapes.
    init : the first carry
    xs : arrays, nested, or None
        Each is read along its first axis.
    length : int, optional
        How many steps; needed where ``xs`` is None.
    reverse : bool
        From the last entry to the first; ``ys`` stands in the order of ``xs``.
    checkpoint : {None, "sqrt"} or int
        What reverse mode keeps of n steps: all that every step needs; the carries before about sqrt(n) blocks, each
        step being computed twice; or that many carries at a time, by the binomial schedule (revolve).

    Returns
    -------
    (carry, ys)
        The last carry, and the results of all steps stacked along a new first axis.

    Raises
    ------
    ValueError
        If the first axes of ``xs`` and ``length`` differ, or there is neither.
    """
    xp = _here()
    structure, arrays = leaves_of(xp, xs)
    n = _length(arrays, length)
    entries = [ArrayType(v.type.dtype, v.type.shape[1:]) for v in arrays]

    def record(carry: Structure, types: list[ArrayType]) -> Body:
        found = recorded(xp, body, [(carry, types), (structure, entries)], "the body", is_value)
        if found.results.kind not in ("tuple", "list") or len(found.results.children) != 2:
            raise refuse("the body of a scan returns something other than a pair.", "Return (carry, y).")
        return found

    done, carry, values = _settled(xp, init, "scan", record)
    xp.trace.locate()
    loop, parts = Loop(_ordered(done), len(done.implicit), len(values), bool(reverse)), (done.implicit, values, arrays)
    if checkpoint is None:
        last, made = loop.emit(xp.builder, *parts, n)
    elif checkpoint == "sqrt":
        last, made = square_root(xp.builder, loop, *parts, n)
    else:
        last, made = binomial(xp.builder, loop, *parts, n, _snapshots(checkpoint))
    return _nested(xp, carry, last), _nested(xp, done.results.children[1], made)


def _snapshots(checkpoint: Any) -> int:
    if isinstance(checkpoint, bool) or not isinstance(checkpoint, (int, np.integer)) or not 1 <= checkpoint <= 40:
        message = f"checkpoint must be None, 'sqrt' or a number of snapshots from 1 to 40, got {checkpoint!r}."
        raise ValueError(message)
    return int(checkpoint)


def _length(arrays: Sequence[Value], length: int | None) -> int:
    if any(not v.type.shape for v in arrays):
        message = f"At {at()}: scan reads arrays along their first axis; got a number, which has none."
        raise ValueError(message)
    sizes = {v.type.shape[0] for v in arrays}
    if length is not None:
        sizes.add(_integer(length, "The length of a scan"))
    if len(sizes) != 1 or min(sizes) < 0:
        found = ", ".join(map(str, sorted(sizes))) or "neither xs nor length"
        message = f"At {at()}: scan needs one length, that of the first axis of each of xs and of length; got {found}."
        raise ValueError(message)
    return sizes.pop()


@_staged
def while_loop(condition: Callable[[Any], Any], body: Callable[[Any], Any], init: Any) -> Any:
    """``body`` again and again, as long as ``condition`` of what is carried holds.

    In plain Python::

        carry = init
        while condition(carry):
            carry = body(carry)
        return carry

    Differentiable in forward and reverse mode: reverse counts the steps and keeps what each needs, or, within another
    loop, runs the loop again.

    Parameters
    ----------
    condition : callable
        Gives one bool.
    body : callable
        Gives what it takes: the same nesting and shapes.
    init : arrays and numbers, nested
    """
    xp = _here()

    def record(carry: Structure, types: list[ArrayType]) -> Body:
        return recorded(xp, body, [(carry, types)], "the body", is_value)

    done, carry, values = _settled(xp, init, "while", record)
    test = recorded(xp, condition, [(carry, [v.type for v in values])], "the condition", is_value)
    if test.results != LEAF or test.graph.outputs[0].type.size != 1:
        raise refuse("the condition of a while loop returns something other than one bool.", "Use np.any or np.all.")
    test = Body(_as_bool(test.graph), test.implicit, test.results)
    graphs, implicit = _together([test, done], len(values))
    condition_graph, graph = (g.evolve(inputs=(*g.inputs[len(values) :], *g.inputs[: len(values)])) for g in graphs)
    xp.trace.locate()
    made = xp.builder.emit_all(
        _op("while"), [*implicit, *values], condition=condition_graph, graph=graph, consts=len(implicit))
    return _nested(xp, carry, made[: len(values)])


def _as_bool(graph: Graph) -> Graph:
    from wengert.ir.build import Builder

    b = Builder(graph.name)
    b.inputs.extend(graph.inputs)
    b.nodes.extend(graph.nodes)
    value = graph.outputs[0]
    if value.type.shape:
        value = b.emit(_op("reshape"), (value,), shape=())
    if value.type.dtype.kind != "b":
        value = b.apply(_op("not_equal"), value, b.constant(value.type.dtype.type(0)))
    return b.graph([value])


def fori_loop(lower: Any, upper: Any, body: Callable[[Any, Any], Any], init: Any) -> Any:
    """``body(i, carry)`` for i from ``lower`` to ``upper`` - 1, an int64 each; gives the last carry.

    With bounds that are known while tracing it is a scan, else a while loop.

    Parameters
    ----------
    lower, upper : int, or integer array of no axes
    body : callable
        ``body(i, carry)`` gives the next carry: the same nesting and shapes.
    init : arrays and numbers, nested
    """
    found = find_arrays((lower, upper))
    if not found:
        first, last = (_integer(n, "A bound of a fori_loop") for n in (lower, upper))
        return _counted(body, init, first=first, length=max(0, last - first))
    if bad := [x for x in found if x.dtype.kind not in "iu" or x.shape]:
        raise refuse(f"the bounds of a fori_loop are integers, got {bad[0].type}.", "Cast them with .astype(int).")
    end = np.asarray(upper) if not isinstance(upper, Array) else upper
    return while_loop(lambda s: s[0] < end, lambda s: (s[0] + 1, body(s[0], s[1])), (lower, init))[1]


@_staged
def _counted(body: Callable[[Any, Any], Any], init: Any, *, first: int, length: int) -> Any:
    """A scan over numbers from ``first``, which are computed: a file does not hold them."""
    xp = _here()
    ones = xp.broadcast_to(np.int64(1), (length,))
    return scan(lambda carry, i: (body(i, carry), None), init, xp.cumsum(ones, 0, reverse=False) + (first - 1))[0]


def map_(function: Callable[[Any], Any], xs: Any) -> Any:
    """``np.stack([function(x) for x in xs])``, one entry at a time: a scan that carries nothing.

    ``wg.vmap`` computes all entries at once, in more memory.
    """
    return scan(lambda carry, x: (carry, function(x)), None, xs)[1]
