"""Sparse matrices as programs: to be saved, loaded, run on every backend, and called within traces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wengert.backends.program import Program, as_input
from wengert.ir.errors import SizeError
from wengert.ir.graph import Graph
from wengert.ir.sparsity import pattern
from wengert.ir.sparsity.compression import compress
from wengert.ir.sparsity.graphs import entries_graph, with_places
from wengert.tracer.callee import Call, Callee
from wengert.tracer.derivatives import Argnums, check_scalar
from wengert.tracer.sparse_matrices import check_real, gradient_of, symmetric
from wengert.tracer.sweeps import tangent_types

__all__ = ["sparse_hessian", "sparse_jacobian"]


def sparse_jacobian(
    program: Program | Graph, argnums: Argnums = 0, *, known: Mapping[str, Any] | None = None, mode: str | None = None
) -> Program:
    """The program of the entries of a program's sparse Jacobian.

    The pattern, the colours and the places of the entries are constants in it: it is saved, loaded and run without
    being analysed again, on every backend.

    Parameters
    ----------
    program : Program or Graph
        With real results; what a traced function's ``.graph(*args)`` gives, or :func:`wengert.load`.
    argnums : int or tuple of int
        Several arguments, and several results, stand one behind the other in the order of the matrix.
    known : mapping of name to array, optional
        Arguments that the pattern may be looked up in, such as indices: it then holds for these alone, and the program
        raises a GuardError for others.  What is not known may be anything.
    mode : {"forward", "reverse"}, optional
        By default what needs fewer sweeps, or a mix.

    Returns
    -------
    Program
        Takes the arguments of ``program`` and gives ``((data, (rows, columns)), (m, n))``, which is what
        ``scipy.sparse.coo_array(*result)`` takes; sorted by rows.
    """
    callee, call, active = _selected(program, argnums)
    graph = callee.target.graph
    check_real(callee, graph, tangent_types(call, call.select(argnums)))
    given = _given(callee, known)
    found = pattern(graph, active, given)
    by = compress(found.pattern, mode=mode)
    entries = entries_graph(graph, active, by, {i: given[i] for i in found.read})
    return Program(with_places(entries, by, name=f"{graph.name}_jacobian", signature=graph.signature), callee.backend)


def sparse_hessian(
    program: Program | Graph, argnums: Argnums = 0, *, known: Mapping[str, Any] | None = None
) -> Program:
    """The program of the entries of the sparse Hessian of a real scalar program; see :func:`sparse_jacobian`."""
    callee, call, active = _selected(program, argnums)
    graph = callee.target.graph
    check_scalar(callee, graph)
    check_real(callee, graph, tangent_types(call, call.select(argnums)))
    gradient = gradient_of(callee.target, active).graph
    given = _given(callee, known)
    by = symmetric(found := pattern(gradient, active, given))
    entries = entries_graph(gradient, active, by, {i: given[i] for i in found.read})
    return Program(with_places(entries, by, name=f"{graph.name}_hessian", signature=graph.signature), callee.backend)


def _given(callee: Callee, known: Mapping[str, Any] | None) -> dict[int, Any]:
    """The known arguments by position, in the types of the inputs."""
    names, inputs = callee.target.names(), callee.target.graph.inputs
    if unknown := [name for name in known or () if name not in names]:
        message = f"{callee.name} has no argument {unknown[0]!r}; it has {', '.join(names)}."
        raise ValueError(message)
    at = {name: i for i, name in enumerate(names)}
    return {at[name]: as_input(x, inputs[at[name]].type, name) for name, x in (known or {}).items()}


def _selected(program: Any, argnums: Argnums) -> tuple[Callee, Call, tuple[int, ...]]:
    """The chosen inputs of a program, without arguments at hand."""
    if not isinstance(program, (Program, Graph)):
        message = f"This takes a program, f.graph(*args) of a traced function or wg.load(path); got {program!r}."
        raise TypeError(message)
    callee = Callee(program, None)
    if (sizes := callee.target.graph.sizes) is not None:
        given = ", ".join(f"{name}=..." for name in sizes.names)
        message = (
            f"{callee.name} is of any size, and the pattern of its matrix is of one. Take program.at({given}), or "
            "wg.jacobian and wg.hessian with sparse=True, which find the pattern for the arguments they are given."
        )
        raise SizeError(message)
    call = callee.unbound()
    return callee, call, call.select(argnums).active
