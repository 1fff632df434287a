"""Taylor series of functions and graphs along a line or a curve: derivatives of high order at polynomial cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from attrs import frozen

from wengert.backends.program import Program, results_of
from wengert.ir import autodiff
from wengert.ir.graph import Graph
from wengert.ir.types import is_inexact
from wengert.tracer.array import Array
from wengert.tracer.callee import Call, Callee, Selection, matched
from wengert.tracer.sweeps import fitted, lifted, nest_outputs, scalar_of, tangent_types, within, wrap_outputs

__all__ = ["jet", "taylor"]


def taylor(f: Any, x: Any, order: Any, *, direction: Any = None, backend: str | None = None) -> Any:
    """The Taylor coefficients c of ``f`` at ``x``: f(x + t v) = c[0] + c[1] t + ... + c[order] t**order + ...

    The k-th derivative along v is ``c[k] * math.factorial(k)``.  The cost grows with the square of the order, where
    that of derivatives of derivatives doubles with each.

    Parameters
    ----------
    f : callable, Program or Graph
        Of one argument.
    x : array, number, or a nesting of them
    order : int
        Of the last coefficient.
    direction : optional
        v, nested and shaped as ``x``; by default ones: every entry moves by t.
    backend : str, optional

    Returns
    -------
    array, or a nesting of arrays as ``f`` returns
        Of shape ``(order + 1, *result.shape)``, the coefficients along the first axis; zeros behind the first of a
        result that is not floating-point.
    """
    if not isinstance(order, (int, np.integer)) or order < 0:
        message = f"The order of a Taylor series is the number of its last coefficient, 0 or more; got {order!r}."
        raise ValueError(message)
    callee = Callee(f, backend)
    call = callee.call((x,), {})
    chosen = call.select(0)
    types = tangent_types(call, chosen)
    ones = [np.ones(t.shape, t.dtype) for t in types]
    flat = ones if direction is None else matched(chosen.structures[0], direction, "direction", "x")
    series = _series(callee, call, chosen, [[v] for v in flat], int(order), "direction")
    return nest_outputs(series.graph, [
        _stacked(first, [_zeros(first)] * order if rest is None else rest)
        for first, rest in zip(series.values, series.coefficients, strict=True)
    ])  # fmt: skip


def jet(
    f: Any, primals: Sequence[Any], series: Sequence[Sequence[Any] | None], *, backend: str | None = None
) -> tuple[Any, list[Any]]:
    """The Taylor coefficients of ``f`` along curves: those of the arguments to those of the result.

    All are coefficients of powers of t, not derivatives: x(t) = x_0 + x_1 t + x_2 t**2 + ..., where x_k is the k-th
    derivative at t = 0 divided by k!.

    Parameters
    ----------
    f : callable, Program or Graph
    primals : sequence
        x_0 of each positional argument.
    series : sequence of sequences
        For each argument x_1, x_2, ..., each nested and shaped as the argument (an array with the coefficients along
        its first axis will do), as many for each; None for an argument that does not move.
    backend : str, optional

    Returns
    -------
    (value, coefficients)
        y_0, nested as the result; and the list of y_1, y_2, ..., each nested as the result, None in place of what is
        not floating-point.
    """
    counts = {len(s) for s in series if s is not None}
    if len(primals) != len(series) or len(counts) > 1:
        message = (
            "jet takes as many series as primals, each with as many coefficients, or None; got "
            f"{len(primals)} primals and series of {[None if s is None else len(s) for s in series]} coefficients."
        )
        raise ValueError(message)
    order = max(counts, default=0)
    callee = Callee(f, backend)
    call = callee.call(tuple(primals), {})
    chosen = call.select(None, strict=False, tangents=[s[0] if s is not None and order else None for s in series])
    columns: list[list[Any]] = []
    for structure, s in zip(chosen.structures, series, strict=True):
        rows = [[None] * structure.leaf_count] * order if s is None else [
            matched(structure, c, "coefficient", "primal") for c in s]  # fmt: skip
        columns += [[row[i] for row in rows] for i in range(structure.leaf_count)]
    for column, type_ in zip(columns, tangent_types(call, chosen), strict=True):
        column[:] = [np.zeros(type_.shape, type_.dtype) if c is None else c for c in column]
    found = _series(callee, call, chosen, columns, order, "coefficient")
    rest = [[None if c is None else c[k] for c in found.coefficients] for k in range(order)]
    return found.nested, [nest_outputs(found.graph, row) for row in rest]


@frozen
class _Found:
    """A function's result: nested, and flat with the coefficients behind each value, None of what does not move."""

    graph: Graph
    nested: Any
    values: list[Any]
    coefficients: list[list[Any] | None]


def _series(callee: Callee, call: Call, chosen: Selection, columns: Any, order: int, what: str) -> _Found:
    """The coefficients of the results, from those, 1 and up, of each active leaf."""
    types, given = tangent_types(call, chosen), len(columns[0]) if columns else 0
    names = [call.bound.names[i] for i in chosen.active]
    flat = [(c, t, n) for column, t, n in zip(columns, types, names, strict=True) for c in column]
    seeds = [c for c, _, _ in flat]

    def derive(graph: Graph) -> Graph:
        return autodiff.taylor(graph, chosen.active, order, given)

    if (recorded := within(call, seeds)) is not None:
        xp, graph = recorded.xp, recorded.graph
        xp.trace.locate()
        operands = [*recorded.operands, *lifted(recorded, seeds, [t for _, t, _ in flat], what)]
        outputs = xp.builder.inline(derive(graph), operands)
        nested = wrap_outputs(recorded, outputs[: len(graph.outputs)])
        return _found(graph, nested, [xp.wrap(v) for v in outputs], order)
    arrays = [fitted(c, t, what, n) for c, t, n in flat]

    def action(program: Program, inputs: list[Any]) -> Any:
        run = program.transformed(("taylor", chosen.active, order, given), derive, callee.backend)
        outputs = run([*inputs, *arrays])
        stop = len(outputs) - len(program.graph.guards)
        return (*outputs[: len(program.graph.outputs)], *outputs[stop:]), outputs[:stop]

    graph, outputs = call.perform(action)
    return _found(graph, results_of(graph, outputs), list(outputs), order)


def _found(graph: Graph, nested: Any, outputs: list[Any], order: int) -> _Found:
    n = len(graph.outputs)
    rest = iter(map(scalar_of, outputs[n:]))
    moving = (is_inexact(v.type.dtype) for v in graph.outputs)
    return _Found(graph, nested, outputs[:n], [[next(rest) for _ in range(order)] if m else None for m in moving])


def _zeros(x: Any) -> Any:
    return x.xp.zeros_like(x) if isinstance(x, Array) else np.zeros_like(x)


def _stacked(first: Any, rest: Sequence[Any]) -> Any:
    """One array of the coefficients, along a new first axis."""
    if not isinstance(first, Array):
        return np.stack([first, *rest])
    xp = first.xp
    rows = (xp.cast(x, first.dtype) for x in (first, *rest))
    return xp.concatenate([xp.reshape(x, (1, *first.shape)) for x in rows], axis=0)
