"""The entries of a matrix as a graph: its pattern and colours are constants in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from wengert.ir import autodiff
from wengert.ir.batching import directions
from wengert.ir.build import Builder, Namespace
from wengert.ir.graph import Graph, Value
from wengert.ir.passes import simplify
from wengert.ir.sparsity.compression import Compression
from wengert.ir.sparsity.patterns import Ints
from wengert.ir.structure import LEAF, Structure
from wengert.ir.types import ArrayType, cotangent_type

__all__ = ["entries_graph", "gradient_graph", "seeds_of", "with_places"]


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
    ends = [cotangent_type(v.type) for v in graph.outputs]
    parts: list[Any] = []
    for colours, given, derive in ((by.columns, types, autodiff.jvp), (by.rows, ends, autodiff.vjp)):
        if count := int(colours.max(initial=-1)) + 1:
            many = directions(derive(graph, active), len(inputs), len(graph.outputs), count)
            found = b.inline(many, [*inputs, *seeds_of(xp, colours, count, given)])[len(graph.outputs) :]
            flat = [xp.reshape(xp.wrap(v), (count, v.type.size // count)) for v in found]
            whole = xp.concatenate([xp.cast(x, dtype) for x in flat], axis=1)
            parts.append(xp.reshape(whole, (whole.shape[0] * whole.shape[1],)))
    if not parts:
        b.inline(graph, inputs)
        parts.append(xp.full((1,), 0, dtype))
    del b.guards[len(graph.guards) :]  # each mode brings them again
    for i, array in (held or {}).items():
        b.guard(xp.lift(xp.all(xp.equal(xp.wrap(inputs[i]), array))), expected=True)
    everything = xp.concatenate(parts, axis=0)
    return simplify(b.graph([xp.lift(xp.take(everything, by.source, axis=0))]))


def seeds_of(xp: Namespace, colours: Ints, count: int, types: Sequence[ArrayType]) -> list[Value]:
    """The sums of the unit vectors of each colour, per array: the colours are constants, and compared."""
    cuts = np.cumsum([t.size for t in types])[:-1]
    numbers = [np.arange(count).reshape(count, *(1,) * t.ndim) for t in types]
    parts = [part.reshape(t.shape) for part, t in zip(np.split(colours, cuts), types, strict=True)]
    triples = zip(parts, numbers, types, strict=True)
    return [xp.lift(xp.cast(xp.equal(part, number), t.dtype)) for part, number, t in triples]


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
