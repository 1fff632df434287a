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
    """A graph some of whose guards are whole arrays of values: ``places`` says for each guard of the graph that it
    stands for which of these it is in, and which element."""

    graph: Graph
    places: tuple[tuple[int, int], ...]

    def values(self, results: Sequence[Any]) -> tuple[Any, ...]:
        """Results of which the last are of the guards, as those of the graph that it stands for."""
        n = len(results) - len(self.graph.guards)
        arrays = [np.asarray(x).reshape(-1) for x in results[n:]]
        return (*results[:n], *(arrays[i][k] for i, k in self.places))


def gathered(graph: Graph) -> Gathered | None:
    """With arrays in place of the guards that test their elements, for backends to compute; None without such."""
    origins = _origins(graph)
    counts: dict[Value, int] = {}
    for root, _ in origins:
        counts[root] = counts.get(root, 0) + 1
    at: dict[Value, int] = {}
    guards: list[Guard] = []
    places = []
    for guard, (root, place) in zip(graph.guards, origins, strict=True):
        whole = counts[root] >= _FEWEST
        value = root if whole else guard.value
        if value not in at:
            at[value] = len(guards)
            guards.append(Guard(value, guard.expected, guard.location))
        places.append((at[value], place if whole else 0))
    if len(guards) == len(graph.guards):
        return None
    return Gathered(dead_code(graph.evolve(guards=tuple(guards))), tuple(places))
