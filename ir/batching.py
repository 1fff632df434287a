"""Many lanes at once, graph to graph: one more axis on every value that differs from lane to lane.

Lanes are along axis 0 of a value, or nowhere: what is the same in every lane stays as it is, and is computed once.  A
rule per kind says what becomes of a node of which an operand has lanes: its results then have them, too.  So a batched
graph is made of the same ops as any other: it runs on every backend, goes into files, and is differentiated, or
batched again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from attrs import frozen

from wengert.ir import kinds
from wengert.ir.build import Builder, Namespace
from wengert.ir.collecting import uncollected
from wengert.ir.graph import Graph, Node, Renamed, Value
from wengert.ir.ops import OPS
from wengert.ir.passes import dead_code, simplify
from wengert.ir.types import ArrayType, is_stack

__all__ = ["RULES", "Lanes", "batch", "directions", "home", "sources", "spread", "with_lanes"]

Axis: TypeAlias = int | None


@uncollected()
def batch(
    graph: Graph, axes: Sequence[Axis], size: int, out_axes: Sequence[Axis] | None = None
) -> tuple[Graph, tuple[Axis, ...]]:
    """The graph that computes ``size`` lanes of ``graph`` at once, and where the lanes are in each of its outputs.

    Parameters
    ----------
    axes : sequence of int or None
        For each input, the axis that its lanes are along; None for one that is the same in every lane.
    size : int
        The number of lanes.
    out_axes : sequence of int or None, optional
        For each output, the axis to put the lanes along, repeating what is the same in all of them; None to leave it
        as it comes: along axis 0, or without lanes.

    Returns
    -------
    (graph, axes)
        A guard holds where it does in every lane.
    """
    b = Builder(f"{graph.name}_lanes")
    lanes = Lanes(Namespace(b), size)
    operands = []
    for value, axis in zip(graph.inputs, axes, strict=True):
        if axis is None:
            operands.append(b.input(value.type, value.name))
            continue
        at = axis % (value.type.ndim + 1)
        given = b.input(with_lanes(value.type, size, at), value.name)
        operands.append(lanes.moved(given, at, home(value.type)))
    outputs, mapped = spread(lanes, dead_code(graph), operands, [axis is not None for axis in axes])
    wanted = (None,) * len(outputs) if out_axes is None else out_axes
    found: list[Axis] = []
    for i, axis in enumerate(wanted):
        if axis is not None:
            type_ = graph.outputs[i].type
            outputs[i] = lanes.moved(lanes.along(outputs[i], has=mapped[i]), home(type_), axis % (type_.ndim + 1))
        found.append(axis if axis is not None else home(graph.outputs[i].type) if mapped[i] else None)
    return simplify(b.graph(outputs)), tuple(found)


def directions(derived: Graph, inputs: int, outputs: int, size: int) -> Graph:
    """A ``jvp`` or ``vjp`` graph (or a linear one) along many directions at once.

    Its first ``inputs`` are the point, which is one; the others, and all outputs but the first ``outputs``, the values
    at the point, have the directions along axis 0.
    """
    axes = (*(None,) * inputs, *(0,) * (len(derived.inputs) - inputs))
    return batch(derived, axes, size, (*(None,) * outputs, *(0,) * (len(derived.outputs) - outputs)))[0]


def home(type_: ArrayType) -> int:
    """The axis that the lanes of a value are along: the first, and in a stack the one behind the steps."""
    return 1 if is_stack(type_) else 0


def with_lanes(type_: ArrayType, size: int, axis: int = 0) -> ArrayType:
    """The type of a value of this type in every lane."""
    return ArrayType(type_.dtype, (*type_.shape[:axis], size, *type_.shape[axis:]))


@frozen(slots=True)
class Lanes:
    """Where rules emit to, and how many lanes there are."""

    xp: Namespace
    size: int

    def along(self, value: Value, *, has: bool) -> Value:
        """The value with lanes: itself where it has them, else repeated."""
        return value if has else self.xp.builder.broadcast_to(value, (self.size, *value.type.shape))

    def moved(self, value: Value, source: int, target: int) -> Value:
        """One axis of the value put in another place."""
        if source == target:
            return value
        order = [a for a in range(value.type.ndim) if a != source]
        order.insert(target, source)
        return self.xp.lift(self.xp.transpose(self.xp.wrap(value), order))

    def every(self, node: Node, mapped: Sequence[bool]) -> list[Value]:
        """All operands of a node, with lanes."""
        return [self.along(v, has=m) for v, m in zip(node.operands, mapped, strict=True)]

    def emit(self, op: kinds.Op, operands: Sequence[Value], **params: Any) -> tuple[Value, ...]:
        """A node of any kind."""
        return self.xp.builder.emit_all(op, operands, **params)


def spread(
    lanes: Lanes, graph: Graph, operands: Sequence[Value], mapped: Sequence[bool]
) -> tuple[list[Value], list[bool]]:
    """Emit a graph on operands of which the ``mapped`` ones have lanes; the outputs, and which of them have lanes."""
    b = lanes.xp.builder
    env = Renamed(b.adopt, zip(graph.inputs, operands, strict=True))
    having = {env[v] for v, m in zip(graph.inputs, mapped, strict=True) if m}
    for node in graph.nodes:
        b.location = node.location
        here = tuple(env[v] for v in node.operands)
        flags = tuple(v in having for v in here)
        if any(flags):
            copy = Node(node.op, here, node.params, node.results, node.location)
            results = RULES[type(node.op)](lanes, copy, flags)
            having.update(r for r, v in zip(results, node.results, strict=True) if r.type.ndim > v.type.ndim)
        else:
            results = b.again(node, here)
        env.update(zip(node.results, results, strict=True))
    for guard in graph.guards:
        value = env[guard.value]
        if value in having:  # true in every lane, or in none
            value = b.emit(OPS["all" if guard.expected else "any"], (value,), axes=(0,))
        b.guard(value, guard.expected, guard.location)
    outputs = [env[v] for v in graph.outputs]
    return outputs, [v in having for v in outputs]


# ----- A rule per kind: a node with lanes in some operands -----


def _elementwise(lanes: Lanes, node: Node, mapped: Sequence[bool]) -> Sequence[Value]:
    weak = {"weak": False} if "weak" in node.params else {}  # an array is never weak
    return lanes.emit(node.op, lanes.every(node, mapped), **{**node.params, **weak})


def _reduction(lanes: Lanes, node: Node, mapped: Sequence[bool]) -> Sequence[Value]:
    return lanes.emit(node.op, node.operands, axes=tuple(a + 1 for a in node.params["axes"]))


def _along_axis(lanes: Lanes, node: Node, mapped: Sequence[bool]) -> Sequence[Value]:
    """One more leading axis; where the op works along an axis, that is one further."""
    further = {"axis": node.params["axis"] + 1} if "axis" in node.params else {}
    return lanes.emit(node.op, lanes.every(node, mapped), **{**node.params, **further})


def _movement(lanes: Lanes, node: Node, mapped: Sequence[bool]) -> Sequence[Value]:
    rule = MOVEMENTS.get(node.op.name, by_pieces)
    return (rule(lanes, node, lanes.every(node, mapped)),)


def by_pieces(lanes: Lanes, node: Node, operands: Sequence[Value]) -> Value:
    """Any movement: each element of the output is one of the operands' side by side, or the zero behind them."""
    xp, out = lanes.xp, node.result.type
    shapes = [v.type.shape[1:] for v in operands]
    where = sources(node, shapes)
    flat = [xp.reshape(xp.wrap(v), (lanes.size, math.prod(s))) for v, s in zip(operands, shapes, strict=True)]
    joined = xp.concatenate([*flat, xp.full((lanes.size, 1), 0, out.dtype)], axis=1)
    return xp.lift(xp.take(joined, where, axis=1))


def sources(node: Node, shapes: Sequence[tuple[int, ...]]) -> np.ndarray[Any, Any]:
    """For each element of what a movement gives, the place of its source among all elements of operands of these
    shapes, one operand behind the other; behind the last, where it is zero."""
    out = node.result.type.shape
    starts = np.cumsum([0, *map(math.prod, shapes)])
    where = np.full(out, starts[-1], np.int64)
    for piece in node.op.pieces(tuple(shapes), out, node.params):  # type: ignore[attr-defined]
        here = tuple(
            start + step * np.arange(n) for start, step, n in zip(piece.start, piece.step, piece.size, strict=True))
        offset = np.full(piece.size, piece.offset + starts[piece.operand])
        for axis, (stride, n) in enumerate(zip(piece.strides, piece.size, strict=True)):
            offset += stride * np.arange(n).reshape(-1, *(1,) * (len(piece.size) - 1 - axis))
        where[np.ix_(*here) if here else ...] = offset
    return where


def _broadcast_to(lanes: Lanes, node: Node, operands: Sequence[Value]) -> Value:
    """New axes come between the lanes and the others."""
    shape, (x,) = node.params["shape"], operands
    lead = (1,) * (len(shape) - x.type.ndim + 1)
    wide = lanes.xp.reshape(lanes.xp.wrap(x), (lanes.size, *lead, *x.type.shape[1:]))
    return lanes.xp.lift(lanes.xp.broadcast_to(wide, (lanes.size, *shape)))


def _changed(change: Callable[[int, dict[str, Any]], dict[str, Any]]) -> Callable[..., Value]:
    """The op itself, its parameters changed by the number of lanes."""
    return lambda lanes, node, operands: lanes.emit(node.op, operands, **change(lanes.size, node.params))[0]


MOVEMENTS: dict[str, Callable[[Lanes, Node, Sequence[Value]], Value]] = {
    "reshape": _changed(lambda n, p: {"shape": (n, *p["shape"])}),
    "transpose": _changed(lambda n, p: {"axes": (0, *(a + 1 for a in p["axes"]))}),
    "broadcast_to": _broadcast_to,
    "concatenate": _changed(lambda n, p: {"axis": p["axis"] + 1}),
    "slice": _changed(lambda n, p: {"start": (0, *p["start"]), "size": (n, *p["size"]), "step": (1, *p["step"])}),
    "place": _changed(lambda n, p: {"start": (0, *p["start"]), "shape": (n, *p["shape"]), "step": (1, *p["step"])}),
}


def _contraction(lanes: Lanes, node: Node, mapped: Sequence[bool]) -> Sequence[Value]:
    """One more letter, which is that of the lanes; where none is left, letters of one role become one."""
    xp, terms = lanes.xp, kinds.Contraction.split(node.params["subscripts"])
    x, y, out = ("*" * has + term for has, term in zip((*mapped, True), terms, strict=True))
    from string import ascii_letters  # costs as much as all of this file, and few programs need one

    letter = next((c for c in ascii_letters if c not in x + y), None)
    if letter is not None:
        return lanes.emit(node.op, node.operands, subscripts=f"{x},{y}->{out}".replace("*", letter))
    stack, left = ([c for c in out if c in x and (c in y) is both] for both in (True, False))
    right, summed = [c for c in out if c not in x], [c for c in x if c not in out]
    sizes = dict(zip(x + y, node.operands[0].type.shape + node.operands[1].type.shape, strict=True))

    def three(value: Value, term: str, *roles: list[str]) -> Any:
        moved = xp.transpose(xp.wrap(value), [term.index(c) for role in roles for c in role])
        return xp.reshape(moved, tuple(math.prod(sizes[c] for c in role) for role in roles))

    operands = (three(node.operands[0], x, stack, left, summed), three(node.operands[1], y, stack, summed, right))
    product = xp.einsum("bls,bsr->blr", *operands, scaled=node.op.scaled)  # type: ignore[attr-defined]
    order = [*stack, *left, *right]
    whole = xp.reshape(product, tuple(sizes[c] for c in order))
    return (xp.lift(xp.transpose(whole, [order.index(c) for c in out])),)


def _indexing(lanes: Lanes, node: Node, mapped: Sequence[bool]) -> Sequence[Value]:
    """The same indices in every lane are indices along the next axis; others, along one axis that holds all lanes."""
    if not mapped[1]:
        return lanes.emit(node.op, node.operands, **{**node.params, "axis": node.params["axis"] + 1})
    x, indices = node.operands
    rule = _taken if node.op.gather else _scattered  # type: ignore[attr-defined]
    return (lanes.xp.lift(rule(lanes, x, mapped[0], indices, node.params)),)


def _taken(lanes: Lanes, x: Value, has: bool, indices: Value, params: dict[str, Any]) -> Any:
    xp, axis, count = lanes.xp, params["axis"], indices.type.ndim
    if not has:
        return xp.wrap(lanes.moved(lanes.emit(OPS["take"], (x, indices), axis=axis)[0], axis, 0))
    n = x.type.shape[axis + 1]
    first = xp.wrap(lanes.moved(x, axis + 1, 1))
    rows = xp.reshape(first, (lanes.size * n, *first.shape[2:]))
    taken = xp.take(rows, _shifted(lanes, indices, n), axis=0)
    return xp.transpose(taken, (0, *range(count, count + axis), *range(1, count), *range(count + axis, taken.ndim)))


def _scattered(lanes: Lanes, updates: Value, has: bool, indices: Value, params: dict[str, Any]) -> Any:
    xp, axis, n, count = lanes.xp, params["axis"], params["size"], indices.type.ndim
    every = xp.wrap(lanes.along(updates, has=has))
    own = range(axis + 1, axis + count)
    first = xp.transpose(every, (0, *own, *(a for a in range(1, every.ndim) if a not in own)))
    added = xp.scatter_add(first, _shifted(lanes, indices, n), axis=0, size=lanes.size * n)
    rows = xp.wrap(xp.lift(xp.reshape(added, (lanes.size, n, *added.shape[1:]))))
    return xp.wrap(lanes.moved(rows.value, 1, axis + 1))


def _shifted(lanes: Lanes, indices: Value, n: int) -> Any:
    """Indices into the rows of all lanes; what is no index within its lane is none there."""
    xp, i = lanes.xp, lanes.xp.wrap(indices)
    lane = np.arange(lanes.size, dtype=np.int64).reshape(-1, *(1,) * (i.ndim - 1)) * n
    beyond = xp.where(i >= n, i + (lanes.size - 1) * n, i + lane)
    return xp.where(i < 0, i, beyond)


def _library(lanes: Lanes, node: Node, mapped: Sequence[bool]) -> Sequence[Value]:
    return LIBRARY.get(node.op.name, _along_axis)(lanes, node, mapped)


def _solve(lanes: Lanes, node: Node, mapped: Sequence[bool]) -> Sequence[Value]:
    """One matrix, or one stack of them, is taken apart once: the right sides of all lanes are columns side by side."""
    a, b = node.operands
    if mapped[0]:
        return _along_axis(lanes, node, mapped)
    xp, stack, (n, k) = lanes.xp, a.type.shape[:-2], b.type.shape[-2:]
    beside = xp.reshape(xp.wrap(lanes.moved(b, 0, b.type.ndim - 2)), (*stack, n, lanes.size * k))
    (solved,) = lanes.emit(node.op, (a, xp.lift(beside)), **node.params)
    split = xp.lift(xp.reshape(xp.wrap(solved), (*stack, n, lanes.size, k)))
    return (lanes.moved(split, b.type.ndim - 2, 0),)


def _random_key(lanes: Lanes, node: Node, mapped: Sequence[bool]) -> Sequence[Value]:
    """A seed of each lane; one number is the same seed as a vector of it."""
    (seed,) = node.operands
    rows = lanes.xp.reshape(lanes.xp.wrap(seed), (lanes.size, *(seed.type.shape[1:] or (1,))))
    return lanes.emit(node.op, (lanes.xp.lift(rows),))


def _one_by_one(lanes: Lanes, node: Node, mapped: Sequence[bool]) -> Sequence[Value]:
    """A loop over the lanes: for a function that is called on those of one."""
    b = Builder(node.op.name)
    b.location = node.location
    given = [v.type for v, has in zip(node.operands, mapped, strict=True) if not has]
    entries = [v.type.with_shape(v.type.shape[1:]) for v, has in zip(node.operands, mapped, strict=True) if has]
    inputs = [b.input(t) for t in (*given, *entries)]
    consts, xs = iter(inputs[: len(given)]), iter(inputs[len(given) :])
    body = b.graph(b.emit_all(node.op, [next(xs if has else consts) for has in mapped], **node.params))
    ordered = sorted(zip(mapped, node.operands, strict=True), key=lambda pair: pair[0])
    params = {"consts": len(given), "carries": 0, "length": lanes.size, "reverse": False}
    return lanes.emit(OPS["scan"], [v for _, v in ordered], graph=body, **params)


#: Library ops take stacks: one more leading axis of every operand is one of every result.  These go their own ways.
LIBRARY: dict[str, Callable[[Lanes, Node, Sequence[bool]], Sequence[Value]]] = {
    "solve": _solve,
    "random_key": _random_key,
    "external": _one_by_one,
}


def _control(lanes: Lanes, node: Node, mapped: Sequence[bool]) -> Sequence[Value]:
    from wengert.ir.batched_control import control  # batches sub-graphs with what is here

    return control(lanes, node, mapped)


#: The results of a node of which some operands (those ``mapped``) have lanes: with lanes, or of a control node without
#: them where they are the same in every lane.
RULES: dict[type[kinds.Op], Callable[[Lanes, Node, Sequence[bool]], Sequence[Value]]] = {
    kinds.Elementwise: _elementwise,
    kinds.Reduction: _reduction,
    kinds.Cumulative: _along_axis,
    kinds.Movement: _movement,
    kinds.Contraction: _contraction,
    kinds.Indexing: _indexing,
    kinds.Library: _library,
    kinds.Control: _control,
}
