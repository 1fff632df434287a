"""Guards of all steps of a loop, from the one array that the loop has stacked their values in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from attrs import frozen

from wengert.ir.build import Builder
from wengert.ir.graph import Graph, Guard, Node, Value
from wengert.ir.ops import OPS
from wengert.ir.passes.basic import dead_code

__all__ = ["Gathered", "gathered", "joined"]

#: Guards of one array that are worth being put together.
_FEWEST = 4


def _origins(graph: Graph) -> list[tuple[Value, int]]:
    """For each guard the array that its value is an element of, and which."""
    made = {v: node for node in graph.nodes for v in node.results}
    return [_origin(made, guard.value) for guard in graph.guards]


def _origin(made: dict[Value, Node], value: Value) -> tuple[Value, int]:
    place = 0
    while (node := made.get(value)) is not None and node.op.name in ("slice", "reshape"):
        (x,) = node.operands
        if node.op.name == "slice":
            at = np.unravel_index(place, value.type.shape)
            steps = zip(node.params["start"], node.params["step"], at, strict=True)
            place = int(np.ravel_multi_index(tuple(int(s + d * i) for s, d, i in steps), x.type.shape))
        value = x
    return value, place


def joined(graph: Graph) -> Graph:
    """With one guard for those of one line that test elements of one array: all of them hold."""
    groups: dict[Any, list[tuple[Guard, int]]] = {}
    for guard, (root, place) in zip(graph.guards, _origins(graph), strict=True):
        groups.setdefault((root, guard.expected, guard.location), []).append((guard, place))
    if all(len(each) < _FEWEST for each in groups.values()):
        return graph
    b = Builder(graph.name)
    b.inputs.extend(graph.inputs)
    b.nodes.extend(graph.nodes)
    guards: list[Guard] = []
    for (root, expected, location), each in groups.items():
        if len(each) < _FEWEST:
            guards += [guard for guard, _ in each]
            continue
        b.location = location
        value, places = root, sorted({place for _, place in each})
        if len(places) < root.type.size:
            flat = b.emit(OPS["reshape"], (root,), shape=(root.type.size,))
            value = b.emit(OPS["take"], (flat, b.constant(np.array(places, np.int64))), axis=0)
        fold = OPS["all" if expected else "any"]
        value = b.emit(fold, (value,), axes=tuple(range(value.type.ndim)))
        guards.append(Guard(value, expected, location))
    return dead_code(graph.evolve(nodes=tuple(b.nodes), guards=tuple(guards)))


@frozen(eq=False)
class Gathered:
    """A graph that gives arrays of the values of guards beside its outputs: ``places`` says for each guard of
    the graph that it stands for which of its further results, and which element."""

    graph: Graph
    outputs: int
    places: tuple[tuple[int, int], ...]

    def values(self, results: Sequence[Any]) -> tuple[Any, ...]:
        """The outputs, then the value of each guard."""
        further = [np.asarray(x).reshape(-1) for x in results[self.outputs :]]
        return (*results[: self.outputs], *(further[i][k] for i, k in self.places))


def gathered(graph: Graph) -> Gathered | None:
    """With arrays in place of the guards that test their elements; None where there are none."""
    origins = _origins(graph)
    counts: dict[Value, int] = {}
    for root, _ in origins:
        counts[root] = counts.get(root, 0) + 1
    arrays = [root for root, n in counts.items() if n >= _FEWEST]
    if not arrays:
        return None
    at = {root: i for i, root in enumerate(arrays)}
    kept = [guard for guard, (root, _) in zip(graph.guards, origins, strict=True) if root not in at]
    rest = iter(range(len(arrays), len(graph.guards)))
    places = tuple((at[root], place) if root in at else (next(rest), 0) for root, place in origins)
    found = graph.evolve(outputs=(*graph.outputs, *arrays), guards=tuple(kept), results=None)
    return Gathered(dead_code(found), len(graph.outputs), places)
