"""Derivatives, graph to graph: the result is a graph again, to be saved, run or differentiated.

``jvp`` pushes tangents along; ``linearize`` splits that into what does not depend on the tangents and
a linear rest; ``vjp`` transposes the rest.  So forward and reverse mode cover the same ops by construction.
"""

from __future__ import annotations

from attrs import frozen

from wengert.ir.autodiff.subgraphs import cotangents_of, dual, split, start, zeros
from wengert.ir.autodiff.taylor import taylor
from wengert.ir.autodiff.transposition import pull
from wengert.ir.collecting import uncollected
from wengert.ir.graph import Constant, Graph
from wengert.ir.passes import dead_code, simplify
from wengert.ir.types import cotangent_type, is_inexact

__all__ = ["Linearized", "jvp", "linearize", "taylor", "vjp"]


@uncollected()
def jvp(graph: Graph, active: tuple[int, ...]) -> Graph:
    """Values and tangents.

    Inputs: those of ``graph``, then one tangent per active input.  Outputs: those of ``graph``, then one
    tangent per inexact output, zeros where it depends on no active input.
    """
    return dual(graph, active, tuple(i for i, v in enumerate(graph.outputs) if is_inexact(v.type.dtype))).graph


@uncollected()
def vjp(graph: Graph, active: tuple[int, ...]) -> Graph:
    """Values and cotangents.

    Inputs: those of ``graph``, then one cotangent per inexact output.  Outputs: those of ``graph``, then
    one cotangent per active input, zeros where no output depends on it.
    """
    b, inputs = start(graph, "vjp")
    parts = split(b, graph, inputs, active, within=False)
    given = [b.input(cotangent_type(v.type), "g") for v in parts.outputs if is_inexact(v.type.dtype)]
    moving = [t for v, t in zip(parts.outputs, parts.moved, strict=True) if is_inexact(v.type.dtype)]
    cotangents = cotangents_of(b, list(zip(moving, given, strict=True)))
    pull(b, parts.nodes, parts.linear, cotangents)
    return simplify(b.graph([*parts.outputs, *(cotangents.get(t) or zeros(b, t) for t in parts.tangents)]))


@frozen(slots=True)
class Linearized:
    """A graph split at a point: ``primal`` gives the outputs and then the residuals that ``linear``, a map of
    (residuals, tangents) to tangents of the inexact outputs, needs."""

    primal: Graph
    linear: Graph


@uncollected()
def linearize(graph: Graph, active: tuple[int, ...]) -> Linearized:
    """Everything that does not depend on the tangents, computed once; and the linear rest."""
    b, inputs = start(graph, "primal")
    parts = split(b, graph, inputs, active, within=False)
    needed = (v for node in parts.nodes for v in node.operands)
    ends = [
        zeros(b, v) if t is None else t
        for v, t in zip(parts.outputs, parts.moved, strict=True) if is_inexact(v.type.dtype)
    ]  # fmt: skip
    known = (v for v in (*needed, *ends) if v not in parts.linear and not isinstance(v, Constant))
    residuals = tuple(dict.fromkeys(known))
    linear = Graph((*residuals, *parts.tangents), tuple(parts.nodes), tuple(ends), name="linear")
    return Linearized(dead_code(b.graph([*parts.outputs, *residuals])), linear)
