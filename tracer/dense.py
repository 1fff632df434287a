"""Dense matrices by rows or columns, or by less: colours where they are sparse, two factors where they are narrow."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from attrs import frozen

from wengert.backends import protocol
from wengert.backends.program import Program
from wengert.ir.bottleneck import Cut, narrowest
from wengert.ir.build import Builder, Namespace
from wengert.ir.errors import DerivativeError
from wengert.ir.graph import Constant, Graph
from wengert.ir.jacobians import jacobian_graph, work
from wengert.ir.passes import simplify
from wengert.ir.sparsity import Found, pattern
from wengert.ir.sparsity.compression import Compression, compress
from wengert.ir.sparsity.graphs import entries_graph
from wengert.ir.types import ArrayType, cotangent_type
from wengert.tracer.callee import Recorded
from wengert.tracer.compressed import entries, planned
from wengert.tracer.sweeps import scalar_of

__all__ = [
    "AT_ONCE", "One", "basis", "block_type", "dense_blocks", "fits_whole", "is_forward", "matrix_graph", "split_up",
    "traced_by_colours",
]  # fmt: skip

Active = tuple[int, ...]


@frozen
class One:
    """A program of a whole Jacobian: ``make(backend)`` gives the outputs, the blocks and the guards; or, with ``last``,
    the only block after the guards."""

    make: Callable[[str], Any]
    last: bool


#: Below so many sweeps, nothing is looked for.
SWEEPS = 64
#: What is found has to take so many times fewer.
GAIN = 4
#: The most numbers in one value of a sweep along all unit vectors at once; beyond, they are taken in turn.
AT_ONCE = 1 << 22


def dense_blocks(
    program: Program, inputs: Any, active: Active, types: Sequence[ArrayType], mode: str | None,
    given: Mapping[int, Any], backend: Any, one: list[One] | None = None,
) -> tuple[Any, list[list[Any]]]:  # fmt: skip
    """The guarded values, and for each output a block for each active input.

    Whichever needs fewer sweeps, forward or reverse, unless ``mode`` says; and if that is many, what needs far fewer.
    Where it is one program that gives it all, it is appended to ``one``.
    """
    one = [] if one is None else one
    ends = [v.type for v in program.graph.outputs]
    columns, rows = sum(t.size for t in types), sum(t.size for t in ends)
    forward = is_forward(program.graph, types, mode)
    count = columns if forward else rows
    if not all(t.dtype.kind == "f" for t in (*types, *ends)):
        return _sweeps(program, inputs, active, types, backend, forward=forward)
    if count >= SWEEPS:
        made = _coloured(program, inputs, active, types, mode, given, backend, count, one)
        if made is None and mode is None:
            made = _through(program, inputs, active, types, backend, count)
        if made is not None:
            values, matrix = made
            return values, split_up(matrix, ends, types, lambda x, dtype: scalar_of(x.astype(dtype)))
    made = _at_once(program, inputs, active, types, mode, backend, count, one)
    if made is not None:
        return made
    return _sweeps(program, inputs, active, types, backend, forward=forward)


def is_forward(graph: Graph, types: Sequence[ArrayType], mode: str | None) -> bool:
    """Whether there are fewer columns than rows, unless the mode is given."""
    columns, rows = sum(t.size for t in types), sum(v.type.size for v in graph.outputs)
    return mode == "forward" or (mode is None and columns <= rows)


def block_type(of: ArrayType, wrt: ArrayType) -> np.dtype[Any]:
    """The dtype of a block: that of the argument, and complex where the result is."""
    return np.result_type(wrt.dtype, np.complex64) if of.dtype.kind == "c" else wrt.dtype


def basis(types: Sequence[ArrayType]) -> list[np.ndarray[Any, Any]]:
    """The unit vectors of all entries of all arrays together, one batch per array."""
    total = sum(t.size for t in types)
    batches, first = [], 0
    for t in types:
        batch = np.zeros((total, t.size), t.dtype)
        batch[first : first + t.size] = np.eye(t.size, dtype=t.dtype)
        batches.append(batch.reshape(total, *t.shape))
        first += t.size
    return batches


def _sweeps(
    program: Program, inputs: Any, active: Active, types: Sequence[ArrayType], backend: Any, *, forward: bool
) -> Any:
    return (_by_columns if forward else _by_rows)(program, inputs, active, types, backend)


def _by_columns(program: Program, inputs: Any, active: Active, types: Sequence[ArrayType], backend: Any) -> Any:
    graph = program.graph
    values, moved = program.forward(active, backend)(inputs, basis(types))
    cuts = np.cumsum([t.size for t in types])[:-1]
    return values, [
        [scalar_of(np.moveaxis(part, 0, -1).reshape((*v.type.shape, *t.shape))
                   .astype(block_type(v.type, t), copy=False))
         for part, t in zip(np.split(columns, cuts), types, strict=True)]
        for columns, v in zip(moved, graph.outputs, strict=True)
    ]  # fmt: skip


def _by_rows(program: Program, inputs: Any, active: Active, types: Sequence[ArrayType], backend: Any) -> Any:
    graph = program.graph
    ends = [cotangent_type(v.type) for v in graph.outputs]
    values, pulled = program.reverse(active, backend)(inputs, basis(ends))
    cuts = np.cumsum([t.size for t in ends])[:-1]
    parts = [np.split(rows, cuts) for rows in pulled]
    return values, [
        [scalar_of(part[i].reshape((*end.shape, *t.shape))) for part, t in zip(parts, types, strict=True)]
        for i, end in enumerate(ends)
    ]


# -- as one program -----------------------------------------------------------------------------------------------


def _at_once(
    program: Program, inputs: Any, active: Active, types: Sequence[ArrayType], mode: str | None, backend: Any,
    count: int, one: list[One],
) -> Any:
    """By the graph of the whole matrix, on backends that it serves from so many sweeps on."""
    asked = program.derived(("sweeps", active, mode), lambda: [0])
    asked[0] += count  # in all calls
    if not fits_whole(program, backend, asked[0]):
        return None
    graph = program.derived(("whole", active, mode), lambda: matrix_graph(program.graph, active, types, mode))
    if graph is None:
        return None
    make = lambda name: program.transformed(("whole", active, mode), lambda _: graph, name)
    found = make(backend)(inputs)
    n, m = len(program.graph.outputs), len(types)
    one.append(One(make, last=False))
    rows = [[scalar_of(x) for x in found[n + i * m : n + (i + 1) * m]] for i in range(n)]
    return (*found[:n], *found[n + n * m :]), rows


def fits_whole(program: Program, backend: str | None, count: float = math.inf) -> bool:
    """Whether the backend is one that a graph of the whole matrix serves from so many sweeps on.

    There a graph in which the derivative is one program with the values is compiled, rather than a mode asked for.
    """
    least = getattr(protocol.get(backend or program.backend or protocol.current()), "whole_from", None)
    return least is not None and count >= least


def matrix_graph(graph: Graph, active: Active, types: Sequence[ArrayType], mode: str | None) -> Graph | None:
    """The whole Jacobian of a real graph, in the mode that is less work unless it is given; None of others, and where
    a value would be too large."""
    ends = [v.type for v in graph.outputs]
    if not all(t.dtype.kind == "f" for t in (*types, *ends)):
        return None
    columns, rows = sum(t.size for t in types), sum(t.size for t in ends)
    most = GAIN * min(columns, rows)
    largest = max((v.type.size for node in graph.nodes for v in node.results), default=1)
    found = [
        jacobian_graph(graph, active, forward=way == "forward")
        for way, count in (("reverse", rows), ("forward", columns))
        if (way == mode or (mode is None and count <= most)) and 0 < count * largest <= AT_ONCE
    ]
    return min(found, key=work, default=None)


# -- less than all rows or columns --------------------------------------------------------------------------------


def _coloured(
    program: Program, inputs: Any, active: Active, types: Any, mode: str | None, given: Any, backend: Any, count: int,
    one: list[One],
) -> Any:
    """By colours, of a matrix of which the graph shows that it is sparse."""
    size = sum(t.size for t in types) * sum(v.type.size for v in program.graph.outputs)

    def few(found: Found | None) -> tuple[Compression, list[Program]] | None:
        by = None if found is None else compress(found.pattern, mode=mode)
        return (by, []) if by is not None and GAIN * (by.forward + by.reverse) <= count else None

    plan = planned(program, active, given, f"dense, {mode}", few, limit=size // GAIN)
    if plan is None:
        return None
    by, whole = plan
    if size <= AT_ONCE and fits_whole(program, backend, count):
        if not whole:
            whole.append(Program(_entered(program.graph, active, by), program.backend))
        *values, matrix = whole[0].run(inputs, backend)
        shapes = [(*v.type.shape, *t.shape) for v in program.graph.outputs for t in types]
        if not given and shapes == [matrix.shape] and matrix.dtype == types[0].dtype:
            one.append(One(whole[0].compiled, last=True))
        return values, matrix
    values, data = entries(program, inputs, active, types, by, backend)
    matrix = np.zeros((by.wanted.rows, by.wanted.columns), data.dtype)
    matrix[by.wanted.row, by.wanted.indices] = data
    return values, matrix


def _entered(graph: Graph, active: Active, by: Compression) -> Graph:
    """The outputs and guards of a graph, and its Jacobian by colours, in full."""
    b = Builder(f"{graph.name}_jacobian")
    xp = Namespace(b)
    inputs = [b.input(v.type, v.name) for v in graph.inputs]
    outputs = b.inline(graph, inputs)
    (data,) = b.inline(entries_graph(graph, active, by).evolve(guards=()), inputs)
    rows, columns = by.wanted.rows, by.wanted.columns
    flat = xp.scatter_add(xp.wrap(data), by.wanted.keys, axis=0, size=rows * columns)
    guards = [guard.value for guard in b.guards]
    b.guards.clear()
    return simplify(b.graph([*outputs, *guards, xp.lift(xp.reshape(flat, (rows, columns)))]))


def _through(program: Program, inputs: Any, active: Active, types: Any, backend: Any, count: int) -> Any:
    """By the chain rule over a narrow place, where there is one: the Jacobian behind it times the one before it."""

    def made() -> tuple[Program, Program] | None:
        cut: Cut | None = narrowest(program.graph, active, count // (2 * GAIN) + 1)
        return None if cut is None else (Program(cut.first, program.backend), Program(cut.second, program.backend))

    if (both := program.derived(("cut", active), made)) is None:
        return None
    first, second = both
    n = len(first.graph.outputs)
    values, before = dense_blocks(first, inputs, active, types, None, {}, backend)
    middle = [cotangent_type(v.type) for v in first.graph.outputs]
    behind = tuple(range(len(inputs), len(inputs) + n))
    results, after = dense_blocks(second, [*inputs, *values[:n]], behind, middle, None, {}, backend)
    ends = [v.type for v in second.graph.outputs]
    with np.errstate(all="ignore"):
        matrix = _whole(after, ends, middle) @ _whole(before, middle, types)
    return (results, matrix) if np.isfinite(matrix).all() else None  # a zero times no number is for the sweeps


def _whole(blocks: list[list[Any]], of: Sequence[ArrayType], wrt: Sequence[ArrayType]) -> Any:
    rows = [np.concatenate([np.reshape(b, (end.size, t.size)) for b, t in zip(row, wrt, strict=True)], axis=1)
            for row, end in zip(blocks, of, strict=True)]  # fmt: skip
    return np.concatenate(rows)


def split_up(matrix: Any, of: Sequence[ArrayType], wrt: Sequence[ArrayType], cast: Callable[..., Any]) -> Any:
    """The blocks of a matrix, per output and argument, in their shapes and dtypes."""
    tops, lefts = ([0, *itertools.accumulate(t.size for t in every)] for every in (of, wrt))
    return [
        [cast(matrix[a : a + end.size, b : b + t.size].reshape((*end.shape, *t.shape)), t.dtype)
         for t, b in zip(wrt, lefts, strict=False)]
        for end, a in zip(of, tops, strict=False)
    ]  # fmt: skip


def traced_by_colours(recorded: Recorded, active: Active, types: Sequence[ArrayType], mode: str | None) -> Any:
    """The matrix within a trace, if colours take far fewer directions than rows or columns; else None."""
    xp, graph = recorded.xp, recorded.graph
    ends = [v.type for v in graph.outputs]
    columns, rows = sum(t.size for t in types), sum(t.size for t in ends)
    count = columns if is_forward(graph, types, mode) else rows
    if count < SWEEPS or any(t.dtype.kind != "f" for t in (*types, *ends)):
        return None
    given = {i: v.array for i, v in enumerate(recorded.operands) if isinstance(v, Constant) and i not in active}
    try:
        by = compress(pattern(graph, active, given, limit=columns * rows // GAIN).pattern, mode=mode)
    except DerivativeError:  # too full to be worth it
        return None
    if GAIN * (by.forward + by.reverse) > count:
        return None
    xp.trace.locate()
    (data,) = xp.builder.inline(entries_graph(graph, active, by), recorded.operands)
    return xp.reshape(xp.scatter_add(xp.wrap(data), by.wanted.keys, axis=0, size=rows * columns), (rows, columns))
