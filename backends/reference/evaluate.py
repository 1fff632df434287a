"""The values of a graph: a case per kind, one scalar at a time.

Each case turns a node, once, into a function from the operands' elements to the results' elements.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.backends.reference.arrays import Flat, from_numpy, groups, offsets, to_numpy, zeros
from wengert.backends.reference.folds import STEPS, fold, recurrence, running
from wengert.backends.reference.scalar import adder, meaning, scaler
from wengert.backends.reference.symbols import symbol
from wengert.ir.graph import Graph, Node, Value
from wengert.ir.kinds import (
    Contraction,
    Control,
    Cumulative,
    Elementwise,
    Indexing,
    Library,
    Movement,
    Reduction,
    c_strides,
)
from wengert.ir.types import ArrayType

__all__ = ["CASES", "Values", "evaluator", "library_arrays", "step"]

#: From the elements of the operands to those of each result.
Step = Callable[..., tuple[Flat, ...]]


def evaluator(graph: Graph) -> Callable[[list[Flat]], dict[Value, Flat]]:
    """A function from the inputs to every value in the graph."""
    constants = {c: from_numpy(c.array) for c in graph.constants}
    steps = [(node, step(node)) for node in graph.nodes]

    def run(inputs: list[Flat]) -> dict[Value, Flat]:
        values = constants | dict(zip(graph.inputs, inputs, strict=True))
        for node, run_node in steps:
            results = run_node(*[values[v] for v in node.operands])
            values.update(zip(node.results, results, strict=True))
        return values

    return run


def step(node: Node) -> Step:
    """The function of a node."""
    return CASES[type(node.op)](node)


def elementwise(node: Node) -> Step:
    """The op's scalar function, mapped."""
    dtypes = tuple(v.type.dtype for v in node.operands)
    function = meaning(node.op, dtypes, node.result.type.dtype)  # type: ignore[arg-type]
    return lambda *xs: (list(map(function, *xs)),)


def reduction(node: Node) -> Step:
    """A fold per group of elements along the axes."""
    type_ = node.operands[0].type
    together = groups(type_.shape, node.params["axes"])
    function = fold(node.op.fold, type_.dtype)  # type: ignore[attr-defined]
    return lambda x: ([function([x[i] for i in group]) for group in together],)


def cumulative(node: Node) -> Step:
    """A running fold per line along the axis."""
    fold, dtype, every = node.op.fold, node.result.type.dtype, lines(node)  # type: ignore[attr-defined]
    if fold == "linear":
        return lambda carry, x: (recurrence(carry, x, every, dtype),)
    return lambda x: (running(STEPS[fold](dtype), x, every),)


def lines(node: Node, *, backwards: bool = False) -> list[list[int]]:
    """The positions of each line of a Cumulative node, in the order of its fold, or the other."""
    found = groups(node.operands[0].type.shape, (node.params["axis"],))
    return [line[::-1] for line in found] if node.params["reverse"] != backwards else found


# -- movement ------------------------------------------------------------------------------------


def moves(node: Node) -> list[tuple[int, int, int]]:
    """The pieces, element by element: position in the result, operand, position in the operand."""
    op, out = node.op, node.result.type.shape
    strides = c_strides(out)
    found = []
    for piece in op.pieces(tuple(v.type.shape for v in node.operands), out, node.params):  # type: ignore[attr-defined]
        start = sum(s * i for s, i in zip(strides, piece.start, strict=True))
        steps = [s * d for s, d in zip(strides, piece.step, strict=True)]
        here = offsets(piece.size, steps, start)
        there = offsets(piece.size, piece.strides, piece.offset)
        found += [(t, piece.operand, s) for t, s in zip(here, there, strict=True)]
    return found


def movement(node: Node) -> Step:
    """Zeros, with every piece copied in."""
    every, blank = moves(node), zeros(node.result.type)

    def run(*xs: Flat) -> tuple[Flat]:
        out = blank.copy()
        for target, operand, source in every:
            out[target] = xs[operand][source]
        return (out,)

    return run


# -- contraction ---------------------------------------------------------------------------------


def terms(node: Node) -> list[list[tuple[int, int]]]:
    """For each element of the result, the positions in x and in y of the factors of its terms."""
    letters = node.op.split(node.params["subscripts"])  # type: ignore[attr-defined]
    operands = list(zip(letters, node.operands, strict=False))
    sizes = {c: n for names, v in operands for c, n in zip(names, v.type.shape, strict=True)}
    own = [dict(zip(names, c_strides(v.type.shape), strict=True)) for names, v in operands]
    summed = "".join(c for c in sizes if c not in letters[2])

    def positions(names: str) -> list[tuple[int, int]]:
        shape = [sizes[c] for c in names]
        x, y = (offsets(shape, [strides.get(c, 0) for c in names]) for strides in own)
        return list(zip(x, y, strict=True))

    inner = positions(summed)
    return [[(x + i, y + j) for i, j in inner] for x, y in positions(letters[2])]


def contraction(node: Node) -> Step:
    """A sum of products; for bool, an or of ands.  A single product keeps its sign of zero."""
    dtype = node.result.type.dtype
    scaled = node.op.scaled  # type: ignore[attr-defined]
    multiply = scaler(dtype) if scaled else symbol("*", (dtype, dtype), dtype)
    add, every = fold("+", dtype), terms(node)
    if every and len(every[0]) == 1:
        return lambda x, y: ([multiply(x[i], y[j]) for ((i, j),) in every],)
    return lambda x, y: ([add([multiply(x[i], y[j]) for i, j in term]) for term in every],)


# -- indexing ------------------------------------------------------------------------------------


def targets(node: Node, indices: Flat) -> list[int]:
    """Where in the indexed array (what take reads, scatter_add writes) each element stands."""
    gather, axis = node.op.gather, node.params["axis"]  # type: ignore[attr-defined]
    shape = (node.operands[0] if gather else node.result).type.shape
    n = shape[axis]
    for index in indices:
        if not 0 <= index < n:
            raise IndexError(out_of_range(node, index, axis, n))
    strides = c_strides(shape)
    before = offsets(shape[:axis], strides[:axis])
    after = offsets(shape[axis + 1 :], strides[axis + 1 :])
    return [b + index * strides[axis] + a for b in before for index in indices for a in after]


def out_of_range(node: Node, index: int, axis: int, n: int) -> str:
    """Which index, and where."""
    where = f" (at {node.location})" if node.location is not None else ""
    return f"{node.op.name}: index {index} is out of bounds for axis {axis} with size {n}.{where}"


def gather(x: Flat, positions: list[int]) -> Flat:
    """The elements at the positions."""
    return [x[i] for i in positions]


def scatter(x: Flat, positions: list[int], add: Callable[..., Any], blank: Flat) -> Flat:
    """Zeros, with each element added at its position."""
    out = blank.copy()
    for i, element in zip(positions, x, strict=True):
        out[i] = add(out[i], element)
    return out


def indexing(node: Node) -> Step:
    """Gather or scatter-add."""
    if node.op.gather:  # type: ignore[attr-defined]
        return lambda x, indices: (gather(x, targets(node, indices)),)
    add, blank = adder(node.result.type.dtype), zeros(node.result.type)
    return lambda x, indices: (scatter(x, targets(node, indices), add, blank),)


# -- library and control -------------------------------------------------------------------------


def library(node: Node) -> Step:
    """The one kind that is not one scalar at a time: it calls NumPy."""
    return lambda *xs: tuple(map(from_numpy, library_arrays(node, xs)))


def library_arrays(node: Node, xs: tuple[Flat, ...]) -> list[Any]:
    """What NumPy gives."""
    arrays = [to_numpy(x, v.type) for x, v in zip(xs, node.operands, strict=True)]
    with np.errstate(all="ignore"):
        made = node.op.run(arrays, node.params, node.location)  # type: ignore[attr-defined]
    results = made if len(node.results) > 1 else (made,)
    return [np.asarray(x, v.type.dtype) for x, v in zip(results, node.results, strict=True)]


class Values:
    """The machine of control nodes (:mod:`wengert.ir.driving`): values are lists of elements."""

    def __init__(self) -> None:
        self.made: dict[Graph, Callable[[list[Flat]], dict[Value, Flat]]] = {}

    def call(self, graph: Graph, operands: Sequence[Flat]) -> list[Flat]:
        if graph not in self.made:
            self.made[graph] = evaluator(graph)
        values = self.made[graph](list(operands))
        return [values[v] for v in graph.outputs]

    again = call

    def custom(self, params: dict[str, Any], operands: Sequence[Flat]) -> list[Flat]:
        return self.call(params["graph"], operands)

    def holds(self, graph: Graph, operands: Sequence[Flat]) -> bool:
        return bool(self.call(graph, operands)[0][0])

    def index(self, value: Flat) -> int:
        return int(value[0])

    def number(self, n: int) -> Flat:
        return [n]

    def at(self, value: Flat, i: int, n: int) -> Flat:
        size = len(value) // n
        return value[i * size : (i + 1) * size]

    def stack(self, values: Sequence[Flat], type_: ArrayType) -> Flat:
        return [x for value in values for x in value]


def control(node: Node) -> Step:
    """The op's schedule, run on values."""
    drive, params, machine = node.op.drive, node.params, Values()  # type: ignore[attr-defined]
    return lambda *xs: tuple(drive(machine, xs, params))


CASES: dict[type, Callable[[Node], Step]] = {
    Elementwise: elementwise,
    Reduction: reduction,
    Cumulative: cumulative,
    Movement: movement,
    Contraction: contraction,
    Indexing: indexing,
    Library: library,
    Control: control,
}
