"""Jacobians and Hessians, dense or sparse."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.backends.direct import written
from wengert.backends.program import Program
from wengert.ir import autodiff
from wengert.ir.batching import directions
from wengert.ir.errors import DerivativeError
from wengert.ir.graph import Graph, Value
from wengert.ir.ops import OPS
from wengert.ir.passes import dead_code, inline_calls
from wengert.ir.types import ArrayType, cotangent_type, is_inexact
from wengert.tracer.callee import Callee, Recorded, Selection
from wengert.tracer.compressed import given_to
from wengert.tracer.dense import (
    AT_ONCE,
    One,
    block_type,
    dense_blocks,
    is_forward,
    matrix_graph,
    split_up,
    traced_by_colours,
)  # fmt: skip
from wengert.tracer.derivatives import Argnums, grad
from wengert.tracer.entrances import matrix_ends
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
    entrances = callee.entrances("jacobian", argnums, mode, holomorphic)

    @named(f, "jacobian", entrances)
    def matrix(*args: Any, **kwargs: Any) -> Any:
        if "out" in kwargs and callee.takes_out():
            return written(matrix(*args, **{k: v for k, v in kwargs.items() if k != "out"}), kwargs["out"])
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
            one.clear()
            return dense_blocks(program, inputs, chosen.active, types, way, given, callee.backend, one)

        one: list[One] = []
        path = call.path()
        graph, blocks = call.perform(action, path)
        if one and not kwargs:
            path.open(
                entrances, chosen.active,
                lambda: matrix_ends(graph, chosen.active, chosen.structure, last=one[0].last), one[0].make,
                writes=callee.takes_out(),
            )  # fmt: skip
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
    """A Jacobian within a trace: along its colours if these are few, else along all unit vectors; at once, or in a loop
    where that is too much memory."""
    xp, graph = recorded.xp, recorded.graph
    forward = is_forward(graph, types, mode)
    ends = [cotangent_type(v.type) for v in graph.outputs]
    if (matrix := traced_by_colours(recorded, chosen.active, types, mode)) is not None:
        return split_up(matrix, ends, types, lambda x, dtype: xp.cast(x, dtype))
    xp.trace.locate()
    if (whole := matrix_graph(graph, chosen.active, types, mode)) is not None:
        found = [xp.wrap(v) for v in xp.builder.inline(whole, recorded.operands)[len(ends) :]]
        return [found[i * len(types) : (i + 1) * len(types)] for i in range(len(ends))]
    derived = (autodiff.jvp if forward else autodiff.vjp)(graph, chosen.active)
    units = _units(xp, types if forward else ends)
    largest = max((v.type.size for node in derived.nodes for v in node.results), default=1)
    at_once = units[0].shape[0] * largest <= AT_ONCE
    lines = (_many if at_once else _in_turn)(recorded, derived, [xp.lift(u) for u in units])
    cuts = np.cumsum([0, *(t.size for t in (types if forward else ends))])

    def block(i: int, j: int) -> Any:
        line, k = (lines[i], j) if forward else (lines[j], i)
        part = xp.reshape(xp.wrap(line), (cuts[-1].item(), (ends[i] if forward else types[j]).size))
        part = part[cuts[k].item() : cuts[k + 1].item()]
        whole = xp.reshape(xp.transpose(part) if forward else part, (*ends[i].shape, *types[j].shape))
        return xp.cast(whole, block_type(ends[i], types[j]))

    return [[block(i, j) for j in range(len(types))] for i in range(len(ends))]


def _units(xp: Any, types: Sequence[ArrayType]) -> list[Any]:
    """The unit vectors of all entries of all arrays together, one batch per array."""
    total, first, batches = sum(t.size for t in types), 0, []
    for t in types:
        here = xp.equal(np.arange(total)[:, None], np.arange(first, first + t.size)[None])
        batches.append(xp.reshape(xp.cast(here, t.dtype), (total, *t.shape)))
        first += t.size
    return batches


def _many(recorded: Recorded, derived: Graph, units: Sequence[Value]) -> Sequence[Value]:
    b, n = recorded.xp.builder, len(recorded.graph.outputs)
    sweep = directions(derived, len(recorded.operands), n, units[0].type.shape[0])
    return b.inline(sweep, [*recorded.operands, *units])[n:]


def _in_turn(recorded: Recorded, derived: Graph, units: Sequence[Value]) -> Sequence[Value]:
    b, n = recorded.xp.builder, len(recorded.graph.outputs)
    b.inline(dead_code(recorded.graph.evolve(outputs=())), recorded.operands)  # its guards
    body = dead_code(derived.evolve(outputs=derived.outputs[n:], guards=()))
    params = {"consts": len(recorded.operands), "carries": 0, "length": units[0].type.shape[0], "reverse": False}
    return b.emit_all(OPS["scan"], [*recorded.operands, *units], graph=body, **params)


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
