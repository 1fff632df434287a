"""Parts of Jacobians and Hessians that cost less than the whole: diagonals, blocks, traces, products.

A part is computed by as few directions as a colouring needs that keeps its entries apart from others in their row: of a
tridiagonal matrix, the diagonal takes two.  Where the matrix is full, it is one direction per column, many at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.backends.program import Program
from wengert.ir.autodiff.laplacians import has_laplacian, laplacian as forward_laplacian
from wengert.ir.errors import DerivativeError
from wengert.ir.graph import Constant, Graph
from wengert.ir.sparsity import Found, pattern
from wengert.ir.sparsity.compression import Compression, compress
from wengert.ir.sparsity.graphs import entries_graph, gradient_graph, seeds_of
from wengert.ir.sparsity.patterns import Ints, Pattern
from wengert.ir.types import ArrayType, cotangent_type
from wengert.tracer.callee import Call, Callee, Recorded
from wengert.tracer.compressed import entries, given_to, planned
from wengert.tracer.dense import basis
from wengert.tracer.derivatives import Argnums, check_scalar
from wengert.tracer.matrices import jacobian
from wengert.tracer.sparse_matrices import check_real, gradient_of, guarded
from wengert.tracer.sweeps import named, scalar_of, tangent_types

__all__ = ["curl", "divergence", "hessian_diagonal", "jacobian_blocks", "jacobian_diagonal", "laplacian"]

#: Elements of the largest stack of derivatives in a forward Laplacian.
LARGEST = 1 << 24
#: For each array of the result, the row and the column of each of its elements.
Wanted = list[tuple[Ints, Ints]]


def jacobian_diagonal(f: Any, argnum: int = 0, *, backend: str | None = None) -> Callable[..., Any]:
    """The derivative of each result in the argument at the same place: the diagonal of the Jacobian.

    ``f`` gives one array of the shape of the argument, and so does this.
    """
    callee = Callee(f, backend)

    def diagonal(graph: Graph, types: Sequence[ArrayType]) -> Wanted:
        (type_,), ends = types, [v.type.shape for v in graph.outputs]
        if ends != [type_.shape]:
            message = (
                f"The diagonal of a Jacobian is that of a function to one array of its argument's shape; {callee.name} "
                f"takes an array of shape {type_.shape} to {', '.join(map(str, ends)) or 'nothing'}."
            )
            raise DerivativeError(message)
        return [_diagonal(types)[0]]

    return _parts(f, callee, argnum, "jacobian_diagonal", diagonal)


def hessian_diagonal(f: Any, argnums: Argnums = 0, *, backend: str | None = None) -> Callable[..., Any]:
    """The second derivatives of a real scalar function in each element of its arguments, nested and shaped as these."""
    wants = lambda graph, types: _diagonal(types)
    return _parts(f, Callee(f, backend), argnums, "hessian_diagonal", wants, second=True)


def jacobian_blocks(f: Any, argnum: int = 0, *, backend: str | None = None) -> Callable[..., Any]:
    """The derivative of each entry of the result, along its first axis, in the same entry of the argument.

    Of a function of shapes (n, *a) to (n, *r) that is n functions side by side, this is all of the Jacobian, at the
    cost of one of them: an array of shape (n, *r, *a).  What other entries contribute is left out.
    """
    callee = Callee(f, backend)

    def blocks(graph: Graph, types: Sequence[ArrayType]) -> Wanted:
        (type_,), ends = types, [v.type.shape for v in graph.outputs]
        if len(ends) != 1 or not type_.shape or ends[0][:1] != type_.shape[:1]:
            message = (
                f"The blocks of a Jacobian are those of a function of n entries to n entries, along the first axis; "
                f"{callee.name} takes an array of shape {type_.shape} to {', '.join(map(str, ends)) or 'nothing'}."
            )
            raise DerivativeError(message)
        shape = (*ends[0], *type_.shape[1:])
        n, of, wrt = shape[0], int(np.prod(ends[0][1:], dtype=int)), int(np.prod(type_.shape[1:], dtype=int))
        entry, row, column = np.indices((n, of, wrt))
        return [((entry * of + row).reshape(shape), (entry * wrt + column).reshape(shape))]

    return _parts(f, callee, argnum, "jacobian_blocks", blocks)


def laplacian(f: Any, argnums: Argnums = 0, *, backend: str | None = None) -> Callable[..., Any]:
    """The sum of the second derivatives of a real scalar function in each element of its arguments.

    Where the Hessian's diagonal takes few directions, the sum of it: one where no two arguments meet.  Else the forward
    Laplacian (see :mod:`wengert.ir.autodiff.laplacians`): one pass with the n first derivatives of every value, and of
    the second ones their sum alone; n values' worth of work and of memory, for n arguments.  Functions with branches
    or loops, and very many arguments, have the diagonal in batches.
    """
    callee = Callee(f, backend)

    @named(f, "laplacian")
    def total(*args: Any, **kwargs: Any) -> Any:
        call = callee.call(args, kwargs)
        chosen = call.select(argnums)
        types = tangent_types(call, chosen)
        n = sum(t.size for t in types)

        def fits(graph: Graph) -> bool:
            check_scalar(callee, graph)
            check_real(callee, graph, types)
            largest = max([v.type.size for node in graph.nodes for v in node.results], default=1)
            return n > 1 and n * largest <= LARGEST and has_laplacian(graph)

        if (recorded := call.within()) is not None:
            if not fits(recorded.graph):
                return sum(np.sum(x) for x in _traced(recorded, chosen.active, _diagonal(types), types, second=True))
            units = seeds_of(recorded.xp, np.arange(n), n, types)
            recorded.xp.trace.locate()
            whole = forward_laplacian(recorded.graph, chosen.active)
            return recorded.xp.wrap(*recorded.xp.builder.inline(whole, [*recorded.operands, *units]))

        def action(program: Program, inputs: list[Any]) -> Any:
            forward, active = fits(program.graph), chosen.active
            of, by = _planned(program, call, inputs, active, "hessian_diagonal", _diagonal(types), second=True)
            if forward and 2 * by.forward > n:
                key = ("laplacian", active)
                whole = program.derived(key, lambda: Program(forward_laplacian(program.graph, active)))
                values = whole.run([*inputs, *basis(types)], callee.backend)
                return (None, *values[1:]), values[0][()]
            values, data = entries(of, inputs, active, types, by, callee.backend)
            return guarded(program.graph, of.graph, values), np.sum(data, dtype=types[0].dtype)

        return call.perform(action)[1]

    return total


def divergence(f: Any, argnum: int = 0, *, backend: str | None = None) -> Callable[..., Any]:
    """The trace of the Jacobian of a field: a function to one array of its argument's shape."""
    diagonal = jacobian_diagonal(f, argnum, backend=backend)

    @named(f, "divergence")
    def total(*args: Any, **kwargs: Any) -> Any:
        return np.sum(diagonal(*args, **kwargs))

    return total


def curl(f: Any, argnum: int = 0, *, backend: str | None = None) -> Callable[..., Any]:
    """The curl of a field in three dimensions, a function of shapes (3,) to (3,): as many numbers."""
    callee = Callee(f, backend)
    matrix = jacobian(f, argnum, backend=backend)

    @named(f, "curl")
    def rotation(*args: Any, **kwargs: Any) -> Any:
        J = matrix(*args, **kwargs)
        if np.shape(J) != (3, 3):
            message = (
                f"A curl is that of a function of shapes (3,) to (3,); the Jacobian of {callee.name} has the shape "
                f"{np.shape(J)}."
            )
            raise DerivativeError(message)
        return np.stack([J[2, 1] - J[1, 2], J[0, 2] - J[2, 0], J[1, 0] - J[0, 1]])

    return rotation


# -- entries of a matrix, wherever they are wanted ---------------------------------------------------------------


def _diagonal(types: Sequence[ArrayType]) -> Wanted:
    first = np.cumsum([0, *(t.size for t in types)])
    places = [a + np.arange(t.size).reshape(t.shape) for a, t in zip(first, types, strict=False)]
    return [(place, place) for place in places]


def _parts(
    f: Any, callee: Callee, argnums: Argnums, what: str, wants: Callable[..., Wanted], *, second: bool = False
) -> Callable[..., Any]:
    """The function that gives entries of a Jacobian, or of a Hessian, in arrays nested as the arguments."""

    @named(f, what)
    def part(*args: Any, **kwargs: Any) -> Any:
        call = callee.call(args, kwargs)
        chosen = call.select(argnums)
        types = tangent_types(call, chosen)

        def wanted(graph: Graph) -> Wanted:
            if second:
                check_scalar(callee, graph)
            check_real(callee, graph, types)
            return wants(graph, types)

        if (recorded := call.within()) is not None:
            return chosen.nest(_traced(recorded, chosen.active, wanted(recorded.graph), types, second=second))

        def action(program: Program, inputs: list[Any]) -> Any:
            places = wanted(program.graph)
            of, by = _planned(program, call, inputs, chosen.active, what, places, second=second)
            values, data = entries(of, inputs, chosen.active, types, by, callee.backend)
            padded = np.append(data, data.dtype.type(0))
            found = [scalar_of(padded[at].astype(t.dtype, copy=False))
                     for at, t in zip(_places(by, places), types, strict=True)]  # fmt: skip
            return guarded(program.graph, of.graph, values), found

        _, found = call.perform(action)
        return chosen.nest(found)

    return part


def _planned(
    program: Program, call: Call, inputs: Any, active: tuple[int, ...], what: str, places: Wanted, *, second: bool
) -> tuple[Program, Compression]:
    """The program of which entries of the Jacobian are wanted, and the directions that give them."""
    of = gradient_of(program, active) if second else program
    ends, starts = of.graph.outputs, [of.graph.inputs[i] for i in active]
    rows, columns = (sum(v.type.size for v in some) for some in (ends, starts))

    def make(found: Found | None) -> Compression:
        return _chosen(Pattern.full(rows, columns) if found is None else found.pattern, places)

    given = given_to(call, inputs, active)
    return of, planned(of, active, given, what, make, limit=max(rows * columns // 2, 1 << 12))


def _chosen(p: Pattern, places: Wanted) -> Compression:
    """The compression of the entries that are wanted, as far as there are such."""
    rows, columns = (np.concatenate([part[i].ravel() for part in places]) for i in (0, 1))
    return compress(p, p.within(Pattern.of_pairs(rows, columns, p.rows, p.columns)))


def _places(by: Compression, places: Wanted) -> list[Ints]:
    """Where among the entries each that is wanted is; behind the last one where the pattern has none."""
    keys = by.wanted.keys
    found = []
    for rows, columns in places:
        key = rows * by.wanted.columns + columns
        at = np.searchsorted(keys, key)
        there = keys[np.minimum(at, len(keys) - 1)] == key if len(keys) else np.zeros(key.shape, bool)
        found.append(np.where(there, at, len(keys)))
    return found


def _traced(recorded: Recorded, active: Any, places: Wanted, types: Sequence[ArrayType], *, second: bool) -> list[Any]:
    """The same within a trace, as nodes."""
    xp, graph = recorded.xp, recorded.graph
    xp.trace.locate()
    of = gradient_graph(graph, active) if second else graph
    given = {i: v.array for i, v in enumerate(recorded.operands) if isinstance(v, Constant) and i not in active}
    by = _chosen(pattern(of, active, given).pattern, places)
    (data,) = xp.builder.inline(entries_graph(of, active, by), recorded.operands)
    padded = xp.concatenate([xp.wrap(data), xp.full((1,), 0, data.type.dtype)], axis=0)
    parts = zip(_places(by, places), types, strict=True)
    return [xp.cast(xp.take(padded, at, axis=0), cotangent_type(t).dtype) for at, t in parts]
