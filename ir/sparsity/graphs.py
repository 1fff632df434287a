"""The entries of a matrix as a graph: its pattern and colours are constants in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from wengert.ir import autodiff
from wengert.ir.autodiff.forward import cotangent_type
from wengert.ir.build import Builder, Namespace
from wengert.ir.graph import Graph, Value
from wengert.ir.passes import simplify
from wengert.ir.sparsity.compression import Compression
from wengert.ir.sparsity.patterns import Ints
from wengert.ir.structure import LEAF, Structure
from wengert.ir.types import ArrayType

__all__ = ["entries_graph", "gradient_graph", "with_places"]


def entries_graph(
    graph: Graph, active: tuple[int, ...], by: Compression, held: Mapping[int, Any] | None = None
) -> Graph:
    """From the inputs of a real graph to the entries of its Jacobian, in the order of the pattern.

    ``held`` are the inputs that the pattern depends on, with the arrays that it holds for: guards see to it.
    """
    b = Builder(f"{graph.name}_entries")
    xp = Namespace(b)
    inputs = [b.input(v.type, v.name) for v in graph.inputs]
    types = [cotangent_type(graph.inputs[i].type) for i in active]
    dtype = np.result_type(np.float32, *(t.dtype for t in types))
    parts: list[Any] = []

    def sweep(colours: Ints, ends: Sequence[ArrayType], run: Callable[[list[Value]], Sequence[Value]]) -> None:
        for c in range(int(colours.max(initial=-1)) + 1):
            for value in run(_seeds(xp, colours, c, ends)):
                parts.append(xp.cast(xp.reshape(xp.wrap(value), (value.type.size,)), dtype))

    if by.forward:
        split = autodiff.linearize(graph, active)
        known = b.inline(split.primal, inputs)[len(graph.outputs) :]
        sweep(by.columns, types, lambda seeds: b.inline(split.linear, [*known, *seeds]))
    if by.reverse:
        pulled, n = autodiff.vjp(graph, active), len(graph.outputs)
        ends = [cotangent_type(v.type) for v in graph.outputs]
        sweep(by.rows, ends, lambda seeds: b.inline(pulled, [*inputs, *seeds])[n:])
    if not parts:
        b.inline(graph, inputs)
        parts.append(xp.full((1,), 0, dtype))
    del b.guards[len(graph.guards) :]  # each sweep brings them again
    for i, array in (held or {}).items():
        b.guard(xp.lift(xp.all(xp.equal(xp.wrap(inputs[i]), array))), expected=True)
    everything = xp.concatenate(parts, axis=0)
    return simplify(b.graph([xp.lift(xp.take(everything, by.source, axis=0))]))


def _seeds(xp: Namespace, colours: Ints, c: int, types: Sequence[ArrayType]) -> list[Value]:
    """The sum of the unit vectors of one colour, per array; the colours are constants, once for all directions."""
    cuts = np.cumsum([t.size for t in types])[:-1]
    parts = [part.reshape(t.shape) for part, t in zip(np.split(colours, cuts), types, strict=True)]
    return [xp.lift(xp.cast(xp.equal(part, np.int64(c)), t.dtype)) for part, t in zip(parts, types, strict=True)]


def gradient_graph(graph: Graph, active: tuple[int, ...]) -> Graph:
    """The gradient of a real scalar graph in its active inputs; the value is left out."""
    b = Builder(f"{graph.name}_gradient")
    inputs = [b.input(v.type, v.name) for v in graph.inputs]
    one = b.constant(graph.outputs[0].type.dtype.type(1))
    outputs = b.inline(autodiff.vjp(graph, active), [*inputs, one])
    return simplify(b.graph(outputs[1:]))


def with_places(graph: Graph, by: Compression, **fields: Any) -> Graph:
    """The entries, their rows and columns, and the shape: ``((data, (rows, columns)), (m, n))``."""
    b = Builder()
    of, rows, columns = by.wanted, by.wanted.row, by.wanted.indices
    ends = [*graph.outputs, *map(b.constant, (rows, columns, of.rows, of.columns))]
    pair = Structure("tuple", (LEAF, LEAF))
    results = Structure("tuple", (Structure("tuple", (LEAF, pair)), pair))
    return graph.evolve(outputs=tuple(ends), results=results, **fields)
