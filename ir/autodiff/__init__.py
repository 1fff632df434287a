"""Derivatives, graph to graph: the result is a graph again, to be saved, run or differentiated.

``jvp`` pushes tangents along; ``linearize`` splits that into what does not depend on the tangents and
a linear rest; ``vjp`` transposes the rest.  So forward and reverse mode cover the same ops by construction.
"""

from __future__ import annotations

from attrs import frozen

from wengert.ir.autodiff.forward import cotangent_type, push
from wengert.ir.autodiff.transposition import pull
from wengert.ir.build import Builder
from wengert.ir.graph import Constant, Graph, Node, Value
from wengert.ir.ops import OPS
from wengert.ir.passes import dead_code, inline_calls, simplify
from wengert.ir.types import is_inexact

__all__ = ["Linearized", "jvp", "linearize", "vjp"]


def jvp(graph: Graph, active: tuple[int, ...]) -> Graph:
    """Values and tangents.

    Inputs: those of ``graph``, then one tangent per active input.  Outputs: those of ``graph``, then one
    tangent per inexact output, zeros where it depends on no active input.
    """
    b, inputs = _start(graph, "jvp")
    tangents = {i: b.input(cotangent_type(inputs[i].type), _named(inputs[i], "d_")) for i in active}
    outputs, moved = push(b, dead_code(inline_calls(graph)), inputs, [tangents.get(i) for i in range(len(inputs))])
    results = [
        _zeros(b, v) if t is None else t
        for v, t in zip(outputs, moved, strict=True) if is_inexact(v.type.dtype)
    ]  # fmt: skip
    return simplify(b.graph([*outputs, *results]))


def vjp(graph: Graph, active: tuple[int, ...]) -> Graph:
    """Values and cotangents.

    Inputs: those of ``graph``, then one cotangent per inexact output.  Outputs: those of ``graph``, then
    one cotangent per active input, zeros where no output depends on it.
    """
    b, inputs = _start(graph, "vjp")
    parts = _split(b, graph, inputs, active)
    given = [b.input(cotangent_type(v.type), "g") for v in parts.outputs if is_inexact(v.type.dtype)]
    moving = [t for v, t in zip(parts.outputs, parts.moved, strict=True) if is_inexact(v.type.dtype)]
    cotangents: dict[Value, Value] = {}
    for t, g in zip(moving, given, strict=True):
        if t is not None:
            old = cotangents.get(t)
            cotangents[t] = g if old is None else b.apply(OPS["add"], old, g)  # type: ignore[arg-type]
    pull(b, parts.nodes, parts.linear, cotangents)
    results = [cotangents.get(t) or _zeros(b, t) for t in parts.tangents]
    return simplify(b.graph([*parts.outputs, *results]))


@frozen(slots=True)
class Linearized:
    """A graph split at a point: ``primal`` gives the outputs and then the residuals that ``linear``, a map of
    (residuals, tangents) to tangents of the inexact outputs, needs."""

    primal: Graph
    linear: Graph


def linearize(graph: Graph, active: tuple[int, ...]) -> Linearized:
    """Everything that does not depend on the tangents, computed once; and the linear rest."""
    b, inputs = _start(graph, "primal")
    parts = _split(b, graph, inputs, active)
    needed = (v for node in parts.nodes for v in node.operands)
    ends = [
        _zeros(b, v) if t is None else t
        for v, t in zip(parts.outputs, parts.moved, strict=True) if is_inexact(v.type.dtype)
    ]  # fmt: skip
    known = (v for v in (*needed, *ends) if v not in parts.linear and not isinstance(v, Constant))
    residuals = tuple(dict.fromkeys(known))
    linear = Graph((*residuals, *parts.tangents), tuple(parts.nodes), tuple(ends), name="linear")
    return Linearized(dead_code(b.graph([*parts.outputs, *residuals])), linear)


@frozen(slots=True)
class _Parts:
    """A jvp taken apart: the linear nodes, the values that move, and the ends of both."""

    outputs: list[Value]
    moved: list[Value | None]
    tangents: list[Value]
    nodes: list[Node]
    linear: set[Value]


def _split(b: Builder, graph: Graph, inputs: list[Value], active: tuple[int, ...]) -> _Parts:
    """Emit values and tangents, then take the nodes that depend on a tangent out of the builder."""
    tangents = {i: Value(cotangent_type(inputs[i].type), _named(inputs[i], "d_")) for i in active}
    outputs, moved = push(b, dead_code(inline_calls(graph)), inputs, [tangents.get(i) for i in range(len(inputs))])
    linear = set(tangents.values())
    known: list[Node] = []
    nodes: list[Node] = []
    for node in b.nodes:
        if linear.isdisjoint(node.operands):
            known.append(node)
        else:
            nodes.append(node)
            linear.update(node.results)
    b.nodes[:] = known
    return _Parts(outputs, moved, list(tangents.values()), nodes, linear)


def _start(graph: Graph, name: str) -> tuple[Builder, list[Value]]:
    b = Builder(f"{graph.name}_{name}")
    return b, [b.input(v.type, v.name) for v in graph.inputs]


def _named(value: Value, prefix: str) -> str | None:
    return None if value.name is None else prefix + value.name


def _zeros(b: Builder, like: Value) -> Value:
    return b.convert(b.constant(like.type.dtype.type(0)), cotangent_type(like.type))
