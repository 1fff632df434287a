"""Derivatives of the graphs within a graph, each made once: ``dual``, ``parted`` and ``transposed``.

Control ops are differentiated by exchanging their sub-graphs for these; see :mod:`wengert.ir.autodiff.control`.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from attrs import frozen

from wengert.ir import kinds
from wengert.ir.autodiff.forward import Tangent, push
from wengert.ir.autodiff.residuals import again
from wengert.ir.autodiff.transposition import pull
from wengert.ir.build import Builder
from wengert.ir.graph import Constant, Graph, Node, Value
from wengert.ir.ops import OPS
from wengert.ir.passes import dead_code, enclose_stacks, simplify
from wengert.ir.types import cotangent_type

__all__ = [
    "Dual", "Parted", "Split", "cotangents_of", "dual", "linear_part", "named", "parted", "split",
    "split_inline", "start", "sweep", "transposed", "zeros",
]  # fmt: skip


def _rules() -> Any:
    """How control nodes are differentiated: with what is made here."""
    from wengert.ir.autodiff import control

    return control


def start(graph: Graph, name: str) -> tuple[Builder, list[Value]]:
    """A builder with the inputs of a graph."""
    b = Builder(f"{graph.name}_{name}")
    return b, [b.input(v.type, v.name) for v in graph.inputs]


def named(value: Value, prefix: str) -> str | None:
    """The name of what belongs to a value."""
    return None if value.name is None else prefix + value.name


def zeros(b: Builder, like: Value) -> Value:
    """A tangent or cotangent along which nothing flows."""
    return b.convert(b.constant(like.type.dtype.type(0)), cotangent_type(like.type))


# -- forward -------------------------------------------------------------------------------------------------------


@frozen(slots=True)
class Dual:
    """Inputs, then tangents of the active ones, to outputs, then tangents of those in ``ends``."""

    graph: Graph
    ends: tuple[int, ...]


@functools.lru_cache(maxsize=512)
def dual(graph: Graph, active: tuple[int, ...], ends: tuple[int, ...] | None = None) -> Dual:
    """A graph and its tangents; ``ends`` are the outputs that get one, by default those that something flows to."""
    b, inputs = start(graph, "jvp")
    tangents = {i: b.input(cotangent_type(inputs[i].type), named(inputs[i], "d_")) for i in active}
    given = [tangents.get(i) for i in range(len(inputs))]
    outputs, moved = push(b, dead_code(graph), inputs, given, _rules().fused)
    ends = _flowing(moved) if ends is None else ends
    return Dual(simplify(b.graph([*outputs, *_filled(b, outputs, moved, ends)])), ends)


@functools.lru_cache(maxsize=512)
def sweep(graph: Graph, active: tuple[int, ...]) -> Dual:
    """The same as ``dual``, of nodes that can be transposed."""
    b, inputs = start(graph, "again")
    parts = split(b, graph, inputs, active, within=False)
    ends = _flowing(parts.moved)
    b.inputs.extend(parts.tangents)
    b.nodes.extend(parts.nodes)
    return Dual(simplify(b.graph([*parts.outputs, *_filled(b, parts.outputs, parts.moved, ends)])), ends)


@functools.lru_cache(maxsize=512)
def linear_part(graph: Graph, active: tuple[int, ...]) -> Graph | None:
    """A graph that is linear in its active inputs, as one that can be transposed: its own derivative in them.

    None where the derivative depends on them, so that the graph is not linear.  In a loop that carries them beside
    other values that cannot be seen: there they are taken to be zero.
    """
    found = sweep(graph, active)
    count = len(graph.outputs)
    b, inputs = start(graph, "linear")
    bare = dead_code(found.graph.evolve(outputs=found.graph.outputs[count:]))
    moving = [found.graph.inputs[i] for i in active]
    loops = any(isinstance(node.op, kinds.Control) for node in graph.nodes)
    if not loops and not set(moving).isdisjoint(bare.used_values()):
        return None
    given = [zeros(b, v) if i in active else v for i, v in enumerate(inputs)]
    moved = iter(b.inline(bare, [*given, *(inputs[i] for i in active)]))
    ends = dict(zip(found.ends, moved, strict=True))
    outputs = [ends.get(i) or zeros(b, v) for i, v in enumerate(graph.outputs)]
    return simplify(b.graph(outputs))


def _flowing(moved: Sequence[Tangent]) -> tuple[int, ...]:
    return tuple(i for i, t in enumerate(moved) if t is not None)


def _filled(b: Builder, outputs: Sequence[Value], moved: Sequence[Tangent], ends: Sequence[int]) -> list[Value]:
    return [zeros(b, outputs[i]) if (t := moved[i]) is None else t for i in ends]


# -- split into known and linear -----------------------------------------------------------------------------------


@frozen(slots=True)
class Split:
    """A jvp taken apart: the linear nodes, the values that move, and the ends of both."""

    outputs: list[Value]
    moved: list[Tangent]
    tangents: list[Value]
    nodes: list[Node]
    linear: set[Value]


def split(b: Builder, graph: Graph, inputs: list[Value], active: tuple[int, ...], *, within: bool) -> Split:
    """Emit values and tangents, then take the nodes that depend on a tangent out of the builder."""
    tangents = {i: Value(cotangent_type(inputs[i].type), named(inputs[i], "d_")) for i in active}
    given = [tangents.get(i) for i in range(len(inputs))]
    rule = _rules().split_within if within else _rules().split
    graph = dead_code(graph)
    outputs, moved = push(b, enclose_stacks(graph) if within else graph, inputs, given, rule)
    known, nodes, linear = _apart(b.nodes, set(tangents.values()))
    b.nodes[:] = known
    return Split(outputs, moved, list(tangents.values()), nodes, linear)


def split_inline(
    b: Builder, graph: Graph, operands: Sequence[Value], tangents: Sequence[Tangent]
) -> tuple[list[Value], list[Tangent]]:
    """The values and tangents of a graph, to be split with those around them."""
    return push(b, dead_code(graph), operands, tangents, _rules().split)


def _apart(nodes: Sequence[Node], linear: set[Value]) -> tuple[list[Node], list[Node], set[Value]]:
    """The nodes that depend on no linear value, those that do, and all linear values."""
    known: list[Node] = []
    moving: list[Node] = []
    for node in nodes:
        if linear.isdisjoint(node.operands):
            known.append(node)
        else:
            moving.append(node)
            linear.update(node.results)
    return known, moving, linear


@frozen(slots=True)
class Parted:
    """A graph linearized: ``primal`` gives the outputs, then what else ``linear`` needs, a graph of the inputs
    ``inputs``, of that, and of the tangents of the active inputs, to tangents of the outputs ``ends``.

    ``fixed`` is as many of what it needs as depends on the first inputs alone (see ``parted``): the graph
    ``before`` gives it from those.
    """

    primal: Graph
    before: Graph
    linear: Graph
    inputs: tuple[int, ...]
    ends: tuple[int, ...]


@functools.lru_cache(maxsize=512)
def parted(
    graph: Graph, active: tuple[int, ...], ends: tuple[int, ...] | None = None, *, consts: int = 0, within: bool,
    lean: bool = False,
) -> Parted:
    """A graph linearized.  ``consts`` is how many of its inputs, the first, stay the same in a loop; ``within`` says
    that it is in a loop or branch, which a stack cannot leave; ``lean``, that cheap work is done again where that
    makes less to keep."""
    b, inputs = start(graph, "primal")
    parts = split(b, graph, inputs, active, within=within)
    ends = _flowing(parts.moved) if ends is None else ends
    last = _filled(b, parts.outputs, parts.moved, ends)
    position = {v: i for i, v in enumerate(inputs)}
    same = {v for node in _constant(b.nodes, set(inputs[:consts])) for v in node.results} if consts else set()
    wanted = [v for node in parts.nodes for v in node.operands if v not in parts.linear]
    redone = again(b.nodes, wanted, (same if lean else set()) | set(inputs[:consts]), lean=lean)
    made = {v for node in redone for v in node.results}
    reads = (v for v in (*(v for node in (*redone, *parts.nodes) for v in node.operands), *last))
    known = dict.fromkeys(v for v in reads if v not in parts.linear | made and not isinstance(v, Constant))
    given = [v for v in known if v in position]
    fixed = [v for v in known if v in same]
    rest = [v for v in known if v not in position and v not in same]
    primal = simplify(b.graph([*parts.outputs, *rest]))
    before = simplify(b.graph(fixed).evolve(inputs=tuple(inputs[:consts]), guards=()))
    needs = (*given, *fixed, *rest, *parts.tangents)
    linear = simplify(Graph(needs, (*redone, *parts.nodes), tuple(last), name=f"{graph.name}_linear"))
    return Parted(primal, before, linear, tuple(position[v] for v in given), ends)


def _constant(nodes: Sequence[Node], fixed: set[Value]) -> list[Node]:
    """The nodes that depend on the ``fixed`` values and on constants alone."""
    found = []
    for node in nodes:
        if all(v in fixed or isinstance(v, Constant) for v in node.operands):
            fixed.update(node.results)
            found.append(node)
    return found


# -- transposed ----------------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=512)
def transposed(graph: Graph, linear: tuple[int, ...], given: tuple[int, ...]) -> Graph:
    """Of a graph that is linear in some inputs: the others, then cotangents of the outputs ``given``, to cotangents of
    those inputs."""
    b = Builder(f"{graph.name}_transposed")
    moving = [graph.inputs[i] for i in linear]
    b.inputs.extend(v for i, v in enumerate(graph.inputs) if i not in linear)
    known, nodes, every = _apart(graph.nodes, set(moving))
    b.nodes.extend(known)
    seeds = [b.input(cotangent_type(graph.outputs[i].type), "g") for i in given]
    cotangents = cotangents_of(b, [(graph.outputs[i], g) for i, g in zip(given, seeds, strict=True)])
    pull(b, nodes, every, cotangents)
    return simplify(b.graph([cotangents.get(v) or zeros(b, v) for v in moving]))


def cotangents_of(b: Builder, pairs: Sequence[tuple[Value | None, Value]]) -> dict[Value, Value]:
    """Cotangents by the value they are of, added where one value comes twice; None takes none."""
    found: dict[Value, Value] = {}
    for value, g in pairs:
        if value is not None:
            old = found.get(value)
            found[value] = g if old is None else b.apply(OPS["add"], old, g)  # type: ignore[arg-type]
    return found
