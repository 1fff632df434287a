"""Which axes of a program run side by side: element i along one depends on element i along the others alone.

The axes of the samples of a data set are such: whatever is done sample by sample can be done for a few samples at a
time.  ``together`` says of one node which axes of its operands and of its result go together; ``Lanes`` joins these
through a whole graph.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator

from attrs import frozen

from wengert.ir.graph import Graph, Node, Value
from wengert.ir.kinds import Contraction, Cumulative, Elementwise, Indexing, Movement, Reduction

__all__ = ["Axis", "Lanes", "Strand", "together"]

#: One axis of one value.
Axis = tuple[Value, int]


@frozen
class Strand:
    """Axes of a node that go together: by the operand's number, and of the result; None where it is summed over."""

    operands: dict[int, int]
    result: int | None = None


def together(node: Node) -> Iterator[Strand]:
    """The strands of a node.  An axis in none of them stands still: any of its elements may need all of another's."""
    op, params = node.op, node.params
    if isinstance(op, Elementwise):
        for axis in range(node.result.type.ndim):
            yield Strand(dict.fromkeys(range(len(node.operands)), axis), axis)
    elif isinstance(op, Reduction) and op.fold not in ("argmax", "argmin"):
        kept = iter(range(node.result.type.ndim))
        for axis in range(node.operands[0].type.ndim):
            if axis not in params["axes"]:
                yield Strand({0: axis}, next(kept))
            elif op.fold == "+":
                yield Strand({0: axis})
    elif isinstance(op, Cumulative):
        for axis in range(node.result.type.ndim):
            if axis != params["axis"]:
                yield Strand(dict.fromkeys(range(len(node.operands)), axis), axis)
    elif isinstance(op, Contraction):
        *terms, out = Contraction.split(params["subscripts"])
        for letter in dict.fromkeys("".join(terms)):
            place = out.find(letter)
            yield Strand({k: term.index(letter) for k, term in enumerate(terms) if letter in term},
                         None if place < 0 else place)  # fmt: skip
    elif isinstance(op, Movement):
        yield from _moved(node)
    elif isinstance(op, Indexing) and op.gather:
        yield from _taken(node)


def _moved(node: Node) -> Iterator[Strand]:
    shapes = [v.type.shape for v in node.operands]
    out, name, params = node.result.type.shape, node.op.name, node.params
    if name == "transpose":
        yield from (Strand({0: a}, i) for i, a in enumerate(params["axes"]))
    elif name == "reshape":
        ends = {(math.prod(shapes[0][:a]), n): a for a, n in enumerate(shapes[0]) if n != 1}
        for i, n in enumerate(out):
            if (axis := ends.get((math.prod(out[:i]), n))) is not None:
                yield Strand({0: axis}, i)
    elif name == "broadcast_to":
        lead = len(out) - len(shapes[0])
        for i, n in enumerate(out):
            yield Strand({0: i - lead} if i >= lead and shapes[0][i - lead] == n else {}, i)
    elif name == "concatenate":
        yield from (Strand(dict.fromkeys(range(len(shapes)), i), i) for i in range(len(out)) if i != params["axis"])
    elif name in ("slice", "place"):
        inner, outer = (out, shapes[0]) if name == "slice" else (shapes[0], out)
        for i, (start, step) in enumerate(zip(params["start"], params["step"], strict=True)):
            if start == 0 and step == 1 and inner[i] == outer[i]:
                yield Strand({0: i}, i)


def _taken(node: Node) -> Iterator[Strand]:
    x, indices = (v.type.ndim for v in node.operands)
    axis = node.params["axis"]
    for i in range(x):
        if i != axis:
            yield Strand({0: i}, i if i < axis else i + indices - 1)
    yield from (Strand({1: i}, axis + i) for i in range(indices))


class Lanes:
    """The axes of a graph, in classes of those that run side by side."""

    def __init__(self, graph: Graph) -> None:
        self._parent: dict[Axis, Axis] = {}
        for node in graph.nodes:
            for strand in together(node):
                joined = [(node.operands[k], axis) for k, axis in strand.operands.items()]
                if strand.result is not None:
                    joined.append((node.result, strand.result))
                for axis in joined[1:]:
                    self._parent[self._root(axis)] = self._root(joined[0])

    def _root(self, axis: Axis) -> Axis:
        parent = self._parent
        parent.setdefault(axis, axis)
        while parent[axis] != axis:
            parent[axis] = parent[parent[axis]]
            axis = parent[axis]
        return axis

    def classes(self) -> list[dict[Value, int]]:
        """For each class the axis that a value has in it; a value with two axes in one has none."""
        found: dict[Axis, dict[Value, list[int]]] = defaultdict(lambda: defaultdict(list))
        for value, axis in list(self._parent):
            found[self._root((value, axis))][value].append(axis)
        return [{v: axes[0] for v, axes in members.items() if len(axes) == 1} for members in found.values()]
