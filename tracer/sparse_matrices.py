"""Sparse Jacobians and Hessians: patterns from the graph, coloured sweeps of the backend, ``scipy.sparse`` arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from wengert.backends.program import Program
from wengert.ir.autodiff.forward import cotangent_type
from wengert.ir.errors import DerivativeError
from wengert.ir.graph import Graph
from wengert.ir.sparsity import Found
from wengert.ir.sparsity.compression import Compression, compress, compress_symmetric
from wengert.ir.sparsity.graphs import gradient_graph
from wengert.ir.sparsity.patterns import united
from wengert.ir.types import ArrayType, is_inexact
from wengert.tracer.callee import Call, Callee, Selection
from wengert.tracer.compressed import blocks_of, entries, given_to, planned, sparse_array
from wengert.tracer.derivatives import Argnums, check_scalar
from wengert.tracer.sweeps import named, nest_outputs, tangent_types

__all__ = ["gradient_of", "sparse_hessian_matrix", "sparse_matrix"]


def sparse_matrix(f: Any, callee: Callee, argnums: Argnums, mode: str | None) -> Callable[..., Any]:
    """``wg.jacobian(f, sparse=True)``."""

    @named(f, "jacobian")
    def matrix(*args: Any, **kwargs: Any) -> Any:
        sparse_array()
        call, chosen, types = _prepared(callee, args, kwargs, argnums)

        def action(program: Program, inputs: list[Any]) -> Any:
            check_real(callee, program.graph, types)
            given = given_to(call, inputs, chosen.active)
            by = planned(program, chosen.active, given, f"jacobian, {mode}", lambda p: compress(p.pattern, mode=mode))
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
            check_scalar(callee, program.graph)
            check_real(callee, program.graph, types)
            gradient = gradient_of(program, chosen.active)
            given = given_to(call, inputs, chosen.active)
            by = planned(gradient, chosen.active, given, "hessian", symmetric)
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
