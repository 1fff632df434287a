"""Jacobians and Hessians, dense or sparse."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.backends.program import Program
from wengert.ir import autodiff
from wengert.ir.autodiff.forward import cotangent_type
from wengert.ir.batching import directions
from wengert.ir.errors import DerivativeError
from wengert.ir.graph import Graph
from wengert.ir.ops import OPS
from wengert.ir.passes import inline_calls
from wengert.ir.sparsity.graphs import seeds_of
from wengert.ir.types import ArrayType, is_inexact
from wengert.tracer.callee import Callee, Recorded, Selection
from wengert.tracer.compressed import given_to
from wengert.tracer.dense import block_type, dense_blocks, is_forward, split_up, traced_by_colours
from wengert.tracer.derivatives import Argnums, grad
from wengert.tracer.sparse_matrices import sparse_hessian_matrix, sparse_matrix
from wengert.tracer.sweeps import (
    named,
    nest_outputs,
    tangent_types,
)

__all__ = ["hessian", "jacobian"]


def jacobian(
    f: Any, argnums: Argnums = 0, *, mode: str | None = None, holomorphic: bool = False, sparse: bool = False,
    backend: str | None = None,
) -> Callable[..., Any]:
    """The matrix of all partial derivatives.

    Parameters
    ----------
    argnums : int or tuple of int
    mode : {"forward", "reverse"}, optional
        By default the one that needs fewer sweeps: forward unless there are more inputs than outputs.  Where that is
        still many, and the graph shows a matrix that takes far fewer, these: by colours if it is sparse, or the
        product of two Jacobians if all passes through a narrow place.
    holomorphic : bool
        The complex derivatives df/dz of complex results in complex arguments.  Without it, results may be complex
        where arguments are real (df/dx), and arguments where results are real (du/dx - i du/dy, row by row a grad).
    sparse : bool
        Find from the graph which entries there can be, and compute them by as few sweeps as a colouring needs; of
        real functions (see :mod:`wengert.ir.sparsity.rules`).  Arrays that are closed over, and arguments that
        are not floating-point, are looked into.

    Returns
    -------
    callable
        Gives, nested as the result and in it as the chosen arguments, arrays of shape
        ``(*output.shape, *input.shape)``; with ``sparse``, ``scipy.sparse.csr_array`` of shape
        ``(output.size, input.size)``.

    Raises
    ------
    DerivativeError
        If no one complex number per entry is the derivative, or ``f`` is not built from holomorphic functions.
    """
    if mode not in (None, "forward", "reverse"):
        message = f"mode must be 'forward', 'reverse' or None, got {mode!r}."
        raise ValueError(message)
    callee = Callee(f, backend)
    if sparse:
        return sparse_matrix(f, callee, argnums, mode)

    @named(f, "jacobian")
    def matrix(*args: Any, **kwargs: Any) -> Any:
        call = callee.call(args, kwargs)
        chosen = call.select(argnums)
        types = tangent_types(call, chosen)
        if (recorded := call.within()) is not None:
            way = _way(callee, recorded.graph, chosen, types, mode, holomorphic)
            blocks = _traced_blocks(recorded, chosen, types, way)
            return _nest_blocks(recorded.graph, chosen, blocks)

        def action(program: Program, inputs: list[Any]) -> Any:
            way = _way(callee, program.graph, chosen, types, mode, holomorphic)
            given = given_to(call, inputs, chosen.active)
            return dense_blocks(program, inputs, chosen.active, types, way, given, callee.backend)

        graph, blocks = call.perform(action)
        return _nest_blocks(graph, chosen, blocks)

    return matrix


def _way(
    callee: Callee, graph: Graph, chosen: Selection, types: Sequence[ArrayType], mode: str | None, holomorphic: bool
) -> str | None:
    """The mode that is left to choose from; raises where the entries are not derivatives in any."""
    for value in graph.outputs:
        if not is_inexact(value.type.dtype):
            message = f"{callee.name} returns an array of type {value.type}; a Jacobian needs floating-point results."
            raise DerivativeError(message)
    into, out_of = ({t.dtype.kind for t in every} for every in (types, (v.type for v in graph.outputs)))
    if holomorphic:
        _check_holomorphic(callee, graph, chosen, into | out_of)
        return mode
    only = "forward" if "c" in out_of else "reverse" if "c" in into else mode
    if "c" in into and "c" in out_of:
        message = (
            f"{callee.name} takes complex arguments to complex results: not one but two complex numbers per entry are "
            "its derivative. For a holomorphic function use wg.jacobian(f, holomorphic=True); else differentiate "
            "np.real(...) and np.imag(...) of the result, or use wg.jvp or wg.vjp."
        )
        raise DerivativeError(message)
    if mode not in (None, only):
        kind = "results" if only == "forward" else "arguments"
        message = f"The Jacobian of {callee.name}, which has complex {kind}, is taken in {only} mode only, not {mode}."
        raise DerivativeError(message)
    return only


def _check_holomorphic(callee: Callee, graph: Graph, chosen: Selection, kinds: set[str]) -> None:
    if kinds != {"c"}:
        message = f"holomorphic=True is for complex arguments and complex results; {callee.name} has real ones."
        raise DerivativeError(message)
    flat = inline_calls(graph)
    moving = {flat.inputs[i] for i in chosen.active}
    for node in flat.nodes:
        partials = getattr(node.op, "partials", node.operands)
        if any(v in moving and p is not None for v, p in zip(node.operands, partials, strict=False)):
            moving.update(v for v in node.results if is_inexact(v.type.dtype))
    wanted = set(flat.outputs)
    for node in reversed(flat.nodes):
        if wanted.isdisjoint(node.results) or moving.isdisjoint(node.results):
            continue
        wanted.update(node.operands)
        if node.op is OPS["conjugate"] or node.result.type.dtype.kind != "c":
            message = f"{callee.name} is not built from holomorphic functions alone: it uses {node.op.name}."
            raise DerivativeError(message, op=node.op.name, location=node.location)


def _traced_blocks(recorded: Recorded, chosen: Selection, types: Sequence[ArrayType], mode: str | None) -> Any:
    """A Jacobian within a trace: its rows, or columns, or their colours, are lanes of the vjp, or jvp."""
    xp, graph = recorded.xp, recorded.graph
    forward = is_forward(graph, types, mode)
    ends = [cotangent_type(v.type) for v in graph.outputs]
    if (matrix := traced_by_colours(recorded, chosen.active, types, mode)) is not None:
        return split_up(matrix, ends, types, lambda x, dtype: xp.cast(x, dtype))
    ours = types if forward else ends
    cuts = np.cumsum([0, *(t.size for t in ours)]).tolist()
    seeds = seeds_of(xp, np.arange(cuts[-1]), cuts[-1], ours)
    derived = (autodiff.jvp if forward else autodiff.vjp)(graph, chosen.active)
    many = directions(derived, len(graph.inputs), len(graph.outputs), cuts[-1])
    xp.trace.locate()
    lines = [xp.wrap(v) for v in xp.builder.inline(many, [*recorded.operands, *seeds])[len(graph.outputs) :]]
    blocks = []
    for i, end in enumerate(ends):
        row = []
        for j, t in enumerate(types):
            k, line, other = (j, lines[i], end) if forward else (i, lines[j], t)
            part = xp.reshape(line[cuts[k] : cuts[k + 1]], (ours[k].size, other.size))
            block = xp.reshape(xp.transpose(part) if forward else part, (*end.shape, *t.shape))
            row.append(xp.cast(block, block_type(end, t)))
        blocks.append(row)
    return blocks


def _nest_blocks(graph: Graph, chosen: Selection, blocks: Any) -> Any:
    return nest_outputs(graph, [chosen.nest(row) for row in blocks])


def hessian(
    f: Any, argnums: Argnums = 0, *, sparse: bool = False, backend: str | None = None
) -> Callable[..., Any]:
    """The matrix of second derivatives of a real scalar function: forward over reverse.

    Gives, nested as the arguments twice over, arrays of shape ``(*input.shape, *input.shape)``; with ``sparse``,
    ``scipy.sparse.csr_array`` of shape ``(input.size, input.size)``, by as few products as a colouring of the
    symmetric pattern needs (see :func:`jacobian`).
    """
    callee = Callee(f, backend)
    if sparse:
        return sparse_hessian_matrix(f, callee, argnums)
    return jacobian(grad(f, argnums), argnums, mode="forward", backend=callee.backend)
