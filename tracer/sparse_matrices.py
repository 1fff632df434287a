"""Sparse Jacobians and Hessians: patterns from the graph, coloured sweeps of the backend, ``scipy.sparse`` arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from attrs import frozen

from wengert.backends.program import Program
from wengert.ir.errors import DerivativeError
from wengert.ir.graph import Graph
from wengert.ir.sparsity import Found
from wengert.ir.sparsity.compression import Compression, compress, compress_symmetric
from wengert.ir.sparsity.graphs import gradient_graph
from wengert.ir.sparsity.patterns import united
from wengert.ir.types import ArrayType, cotangent_type, is_inexact
from wengert.tracer.callee import Call, Callee, Selection
from wengert.tracer.compressed import blocks_of, entries, given_to, planned, sparse_array
from wengert.tracer.derivatives import Argnums, check_scalar
from wengert.tracer.sweeps import named, nest_outputs, tangent_types

__all__ = [
    "Sparsity", "check_real", "gradient_of", "guarded", "sparse_hessian_matrix", "sparse_matrix", "sparsity",
    "symmetric",
]  # fmt: skip


@frozen
class Sparsity:
    """Which entries a matrix can have, and the directions that compute it.

    ``rows`` and ``columns`` are the places of the entries, by rows; ``shape`` is that of the matrix; ``tangents`` and
    ``cotangents`` count the directions, of which any way of this kind needs ``least``.
    """

    rows: Any
    columns: Any
    shape: tuple[int, int]
    tangents: int
    cotangents: int
    least: int

    @property
    def nnz(self) -> int:
        """The number of entries."""
        return len(self.rows)

    def __str__(self) -> str:
        m, n = self.shape
        return f"{self.nnz} entries of {m} x {n}, by {self.tangents} tangents and {self.cotangents} cotangents"

    __repr__ = __str__


def sparsity(
    f: Any, argnums: Argnums = 0, *, of: str = "jacobian", mode: str | None = None, backend: str | None = None
) -> Callable[..., Sparsity]:
    """The pattern of the Jacobian of a real function, or with ``of="hessian"`` of its Hessian, and its directions.

    Several arguments, and several results, stand one behind the other.  Nothing is evaluated: the pattern follows from
    the graph, and from the arrays that :func:`jacobian` looks into.
    """
    if of not in ("jacobian", "hessian"):
        message = f"of must be 'jacobian' or 'hessian', got {of!r}."
        raise ValueError(message)
    callee = Callee(f, backend)

    @named(f, "sparsity")
    def found(*args: Any, **kwargs: Any) -> Sparsity:
        call, chosen, types = _prepared(callee, args, kwargs, argnums)

        def action(program: Program, inputs: list[Any]) -> Any:
            _, by = _matrix(callee, call, program, inputs, chosen, types, of, mode)
            wanted = by.wanted
            forward, reverse = wanted.counts.max(initial=0), wanted.transposed().counts.max(initial=0)
            least = int(min(forward, reverse)) if of == "jacobian" else min(int(forward), 2)
            row, column, shape = wanted.row, wanted.indices.copy(), (wanted.rows, wanted.columns)
            return program.run(inputs, callee.backend), Sparsity(row, column, shape, by.forward, by.reverse, least)

        return call.perform(action)[1]

    return found


def _matrix(
    callee: Callee, call: Call, program: Program, inputs: Any, chosen: Selection, types: Any, of: str, mode: str | None
) -> tuple[Program, Compression]:
    """The program of which the matrix is the Jacobian, and its compression."""
    if of == "hessian":
        check_scalar(callee, program.graph)
    check_real(callee, program.graph, types)
    target = gradient_of(program, chosen.active) if of == "hessian" else program
    given = given_to(call, inputs, chosen.active)
    make = symmetric if of == "hessian" else lambda found: compress(found.pattern, mode=mode)
    return target, planned(target, chosen.active, given, f"{of}, {mode}", make)


def sparse_matrix(f: Any, callee: Callee, argnums: Argnums, mode: str | None) -> Callable[..., Any]:
    """``wg.jacobian(f, sparse=True)``."""

    @named(f, "jacobian")
    def matrix(*args: Any, **kwargs: Any) -> Any:
        sparse_array()
        call, chosen, types = _prepared(callee, args, kwargs, argnums)

        def action(program: Program, inputs: list[Any]) -> Any:
            _, by = _matrix(callee, call, program, inputs, chosen, types, "jacobian", mode)
            values, data = entries(program, inputs, chosen.active, types, by, callee.backend)
            return values, blocks_of(data, by, _ends(program.graph), types)

        graph, blocks = call.perform(action)
        return nest_outputs(graph, [chosen.nest(row) for row in blocks])

    return matrix


def sparse_hessian_matrix(f: Any, callee: Callee, argnums: Argnums) -> Callable[..., Any]:
    """``wg.hessian(f, sparse=True)``."""

    @named(f, "hessian")
    def matrix(*args: Any, **kwargs: Any) -> Any:
        sparse_array()
        call, chosen, types = _prepared(callee, args, kwargs, argnums)

        def action(program: Program, inputs: list[Any]) -> Any:
            gradient, by = _matrix(callee, call, program, inputs, chosen, types, "hessian", None)
            values, data = entries(gradient, inputs, chosen.active, types, by, callee.backend)
            return guarded(program.graph, gradient.graph, values), blocks_of(data, by, types, types)

        _, blocks = call.perform(action)
        return chosen.nest([chosen.nest(row) for row in blocks])

    return matrix


def symmetric(found: Found) -> Compression:
    """A Hessian is symmetric, and its pattern both triangles of what was found."""
    return compress_symmetric(united([found.pattern, found.pattern.transposed()]))


def gradient_of(program: Program, active: tuple[int, ...]) -> Program:
    """The program of the gradient of a real scalar program, kept with it."""
    key = ("gradient", active)
    return program.derived(key, lambda: Program(gradient_graph(program.graph, active), program.backend))


def guarded(graph: Graph, derived: Graph, values: Sequence[Any]) -> tuple[Any, ...]:
    """What a derived program says of the guards, as from the program itself; no outputs."""
    return (*(None for _ in graph.outputs), *values[len(derived.outputs) :])


def _prepared(callee: Callee, args: Any, kwargs: Any, argnums: Argnums) -> tuple[Call, Selection, list[ArrayType]]:
    call = callee.call(args, kwargs)
    chosen = call.select(argnums)
    types = tangent_types(call, chosen)
    if call.within() is not None:
        message = (
            f"A sparse matrix of {callee.name} is asked for within a traced function, and scipy.sparse holds no traced "
            "arrays. Call the program of its entries, wg.sparse_jacobian(graph), or ask for the dense matrix."
        )
        raise DerivativeError(message)
    return call, chosen, types


def check_real(callee: Callee, graph: Graph, types: Sequence[ArrayType]) -> None:
    """Raise unless all that is differentiated, and all that it is differentiated in, is real."""
    for value in graph.outputs:
        if not is_inexact(value.type.dtype):
            message = f"{callee.name} returns an array of type {value.type}; a Jacobian needs floating-point results."
            raise DerivativeError(message)
    if any(t.dtype.kind == "c" for t in (*types, *(v.type for v in graph.outputs))):
        message = (
            f"{callee.name} has complex arguments or results; this matrix is for real ones. Differentiate np.real(...) "
            "and np.imag(...) in the real and the imaginary parts, or use wg.jacobian, wg.jvp or wg.vjp."
        )
        raise DerivativeError(message)


def _ends(graph: Graph) -> list[ArrayType]:
    return [cotangent_type(v.type) for v in graph.outputs]
