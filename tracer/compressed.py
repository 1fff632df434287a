"""Matrices by a few directions: a pattern found from the graph, its colours, and the entries read off."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from attrs import frozen

from wengert.backends.program import Program
from wengert.ir.errors import DerivativeError
from wengert.ir.sparsity import Found, pattern
from wengert.ir.sparsity.compression import Compression
from wengert.ir.sparsity.patterns import LIMIT
from wengert.ir.types import ArrayType, cotangent_type
from wengert.tracer.callee import Call

__all__ = ["Plan", "blocks_of", "entries", "given_to", "planned", "sparse_array"]

#: Elements of the tangents, or cotangents, that one sweep is handed at most, where there are several: as a cache holds.
AT_ONCE = 1 << 19
#: Patterns kept per program and choice of inputs, where they depend on indices that are arguments.
PATTERNS = 8
LIBRARY = "scipy.sparse"


@frozen
class Plan:
    """How a matrix is computed, and the arrays that it holds for."""

    compression: Any
    read: dict[int, Any]

    def holds(self, given: Mapping[int, Any]) -> bool:
        """Whether the inputs that the pattern depends on are what they were."""
        return all(
            np.array_equal(given[i], array, equal_nan=array.dtype.kind in "fc") for i, array in self.read.items()
        )


def given_to(call: Call, inputs: Sequence[Any], active: Sequence[int]) -> dict[int, Any]:
    """The inputs that a pattern may look into: what is not floating-point, and what the function closes over."""
    written = len(call.bound.leaves)
    return {
        i: x for i, x in enumerate(inputs) if i not in active and (i >= written or x.dtype.kind not in "fc")
    }


def planned(
    program: Program, active: tuple[int, ...], given: Mapping[int, Any], what: str, make: Callable[[Any], Any],
    *, limit: int | None = None,
) -> Any:  # fmt: skip
    """The compression that holds for the given inputs, made once and kept with the program.

    With a ``limit`` of entries, a pattern that has more on its way is None to ``make``.
    """
    plans: list[Plan] = program.derived(("compressed", what, active), list)
    for plan in plans:
        if plan.holds(given):
            return plan.compression
    try:
        found: Found | None = pattern(program.graph, active, given, LIMIT if limit is None else min(limit, LIMIT))
    except DerivativeError:
        if limit is None:
            raise
        found = None
    plan = Plan(make(found), {i: given[i].copy() for i in (found.read if found else ())})
    plans.insert(0, plan)
    del plans[PATTERNS:]
    return plan.compression


def entries(
    program: Program, inputs: Any, active: tuple[int, ...], types: Sequence[ArrayType], by: Compression, backend: Any
) -> tuple[Any, Any]:
    """The guarded values, and the entries of the matrix in the order of the pattern."""
    ends = [cotangent_type(v.type) for v in program.graph.outputs]
    values, parts = None, []
    for colours, sources, results, sweep in (
        (by.columns, types, ends, program.forward), (by.rows, ends, types, program.reverse),
    ):  # fmt: skip
        run, size = sweep(active, backend), max(sum(t.size for t in (*sources, *results)), 1)
        for directions in _batches(int(colours.max(initial=-1)) + 1, AT_ONCE // size):
            found, moved = run(inputs, _seeds(colours, directions, sources))
            values = found if values is None else values
            parts.append(np.concatenate([np.reshape(x, (len(directions), -1)) for x in moved], axis=1).ravel())
    if values is None:
        return program.run(inputs, backend), np.zeros(0)
    return values, np.concatenate(parts)[by.source]


def _batches(count: int, most: int) -> list[range]:
    step = max(most, 1)
    return [range(i, min(i + step, count)) for i in range(0, count, step)]


def _seeds(colours: Any, directions: range, types: Sequence[ArrayType]) -> list[Any]:
    """The sums of unit vectors of each colour, per array."""
    cuts = np.cumsum([t.size for t in types])[:-1]
    wanted = np.arange(directions.start, directions.stop)[:, None]
    parts = (colours[None] == wanted for colours in np.split(colours, cuts))
    return [part.astype(t.dtype).reshape(len(directions), *t.shape) for part, t in zip(parts, types, strict=True)]


# -- as scipy.sparse ----------------------------------------------------------------------------------


def sparse_array() -> Any:
    """``scipy.sparse.csr_array``; ImportError with what to do where SciPy is not there."""
    try:
        return importlib.import_module(LIBRARY).csr_array
    except ImportError as error:
        message = (
            f"sparse=True gives scipy.sparse arrays, and SciPy cannot be imported here ({error}). Install it: "
            "pip install wengert[scipy]; or take the entries and their places, without SciPy, from wg.sparse_jacobian."
        )
        raise ImportError(message) from error


def blocks_of(
    data: Any, by: Compression, of: Sequence[ArrayType], wrt: Sequence[ArrayType]
) -> list[list[Any]]:
    """One sparse array per output and argument, the elements of each in C order."""
    make, wanted = sparse_array(), by.wanted
    right, blocks, top = np.cumsum([0, *(t.size for t in wrt)]), [], 0
    for end in of:
        a, b = wanted.indptr[top], wanted.indptr[top + end.size]
        starts, column, numbers = wanted.indptr[top : top + end.size + 1] - a, wanted.indices[a:b], data[a:b]
        row = []
        for t, first in zip(wrt, right, strict=False):
            part = (numbers, column, starts) if len(wrt) == 1 else _columns(numbers, column, starts, first, t.size)
            dtype = np.int32 if max(len(part[1]), t.size, end.size) < 2**31 else np.int64
            arrays = (part[0].astype(t.dtype), part[1].astype(dtype), part[2].astype(dtype))  # copies: the user's own
            row.append(make(arrays, shape=(end.size, t.size)))
        blocks.append(row)
        top += end.size
    return blocks


def _columns(numbers: Any, column: Any, starts: Any, first: int, size: int) -> tuple[Any, Any, Any]:
    """Some neighbouring columns of a matrix by rows."""
    inside = (column >= first) & (column < first + size)
    before = np.concatenate([[0], np.cumsum(inside)])
    return numbers[inside], column[inside] - first, before[starts]

