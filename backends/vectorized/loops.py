"""Loops of known length, and their pullbacks: of plain numbers where steps are for these, else loops again.

Backwards, a step is cut in two.  What does not depend on a cotangent is done on the way there, and what the rest
reads of it is kept; on the way back each step takes what it kept, and the cotangents of what it carried.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from attrs import frozen

from wengert.backends.vectorized import columns, number_loops
from wengert.backends.vectorized.factors import factored
from wengert.ir.graph import Constant, Graph, Node, Value
from wengert.ir.ops import OPS
from wengert.ir.passes import simplify
from wengert.ir.types import STEPS, is_inexact

__all__ = ["Halves", "halves", "has_length", "loop"]

#: Views that are taken again where they are read, so that what they are of is kept.
_TAKEN_AGAIN = ("broadcast_to", "reshape", "transpose")


def has_length(node: Node) -> bool:
    """Whether a node is a loop whose number of steps is known."""
    return node.op is OPS["scan"] and node.params["length"] != STEPS


def loop(node: Node) -> Callable[..., Any]:
    """The values of a loop of known length: a tuple, of one result itself."""
    from wengert.backends.vectorized.steps import Steps  # which stands above this file

    plain = number_loops.forward(node, node.params["graph"], keeps=False)
    return Steps(node).run() if plain is None else plain[0]


@frozen
class Halves:
    """Both ways of a loop whose live operands have cotangents, of which those ``there`` arrive.

    ``first`` gives what a step does and then what is saved of it; ``second`` takes the consts at ``fixed``, what was
    saved, and the cotangents of ``ends``, and gives those of the ``active`` inputs of a step.  ``plain`` are functions
    of plain numbers, where both can be.
    """

    first: Graph
    second: Graph
    fixed: list[int]
    ends: tuple[int, ...]
    active: tuple[int, ...]
    plain: tuple[Callable[..., Any], Callable[..., Any]] | None


def halves(node: Node, live: Sequence[bool], there: Sequence[bool], sweep: Callable[..., Any]) -> Halves:
    """A loop of known length, cut in two; ``sweep`` writes a sweep down."""
    params, graph = node.params, node.params["graph"]
    c, m, ins, outs = params["consts"], params["carries"], graph.inputs, graph.outputs
    active = tuple(i for i, (v, flag) in enumerate(zip(ins, live, strict=True))
                   if is_inexact(v.type.dtype) and (flag or c <= i < c + m))  # fmt: skip
    ends = tuple(i for i, v in enumerate(outs) if is_inexact(v.type.dtype) and (i < m or there[i]))
    written = sweep(graph, active, ends)
    first, second, fixed = _halves(written.graph, written.given, len(outs), ins[:c])
    plain = number_loops.forward(node, first, keeps=True)
    back = None
    if plain is not None:
        back = number_loops.backward(node, second, fixed, plain[1], ends, active, live)  # type: ignore[arg-type]
    if plain is not None and back is not None:
        together = columns.both(node, first, second, fixed, ends, active, live)
        if together is not None:
            return Halves(first, second, fixed, ends, active, together)
        return Halves(first, second, fixed, ends, active, (plain[0], back))
    graph = simplify(factored(written.graph, written.given))
    return Halves(*_halves(graph, written.given, len(outs), ins[:c]), ends, active, None)


def _halves(
    graph: Graph, given: Sequence[Value], n: int, consts: Sequence[Value]
) -> tuple[Graph, Graph, list[int]]:
    """A sweep cut in two: what does not depend on a cotangent, and the rest.

    The first gives its n outputs and then what the second reads; the second takes the consts that it reads, whose
    positions come third, what the first kept, and the cotangents.
    """
    moving, makers, early, late = set(given), {}, [], []
    for node in graph.nodes:
        if moving.isdisjoint(node.operands):
            early.append(node)
            makers.update(dict.fromkeys(node.results, node))
        else:
            moving.update(node.results)
            late.append(node)
    read = dict.fromkeys(v for node in late for v in node.operands) | dict.fromkeys(graph.outputs[n:])
    again: dict[Node, None] = {}
    kept: dict[Value, None] = {}
    pending = [v for v in read if v not in moving]
    while pending:
        v = pending.pop()
        maker = makers.get(v)
        if maker is not None and maker.op.name in _TAKEN_AGAIN:
            again[maker] = None
            pending.extend(maker.operands)
        elif not isinstance(v, Constant):
            kept[v] = None
    fixed = [i for i, v in enumerate(consts) if v in kept]
    held = [consts[i] for i in fixed]
    saved = [v for v in kept if v not in held]
    first = graph.evolve(nodes=tuple(early), outputs=(*graph.outputs[:n], *saved))
    first = first.evolve(inputs=tuple(v for v in graph.inputs if v not in given))
    more = [node for node in early if node in again]
    second = Graph((*held, *saved, *given), (*more, *late), graph.outputs[n:], name="back")
    return first, second, fixed
