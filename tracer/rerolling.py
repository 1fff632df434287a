"""Loops that Python has unrolled, made loops again on request: :func:`reroll`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import evolve

from wengert.backends.program import Program
from wengert.ir.graph import Graph
from wengert.ir.passes.reroll import Report, reroll as find_loops, rolled
from wengert.ir.passes.reroll.guards import joined
from wengert.ir.symbolic.schema import instantiate
from wengert.tracer.decorator import BoundMethod, Traced, trace
from wengert.tracer.symbolic import lifted

__all__ = ["reroll"]


class RerolledProgram(Program):
    """A program whose loops are loops; ``report`` says what was found (where sizes have names, as it was traced)."""

    report: Report


class RerolledFunction(Traced):
    """A traced function whose graphs have loops for the steps that Python has run; ``report`` is of the last one."""

    report: Report | None = None

    def finished(self, graph: Graph) -> Graph:
        found, self.report = find_loops(super().finished(graph))
        return found

    def on(self, backend: str) -> RerolledFunction:
        return _rerolled(super().on(backend))


def reroll(f: Any) -> Any:
    """``f`` with loops for what Python's own loops have recorded step by step.

    Steps are found in the graph and proved to be alike, down to each operand; what differs is read from arrays, along
    their first axis.  The arithmetic is the same (only a backend may add few numbers in another order), and a guard
    that was one of each step is one of them all.  ``report`` says which loops were found, and of the others why not.
    Backends do so by themselves where it pays; this is to see what they find, to save it and to print it.

    Parameters
    ----------
    f : callable, Program or Graph

    Returns
    -------
    Traced, Program or Graph
        As ``f``; the first two have a ``report``: a function once it has been traced.

    Examples
    --------
    >>> import numpy as np, wengert as wg
    >>> def walk(s):
    ...     for _ in range(1000):
    ...         s = s + 0.01 * np.sin(s)
    ...     return s
    >>> program = wg.reroll(wg.trace(walk).graph(np.ones(3)))
    >>> [node.op.name for node in program.graph.nodes][-1]
    'scan'
    """
    if isinstance(f, Graph):
        return lifted(lambda graph: joined(rolled(graph)), f)
    if isinstance(f, Program):
        program = RerolledProgram(reroll(f.graph), f.backend)
        graph = f.graph if f.graph.sizes is None else instantiate(f.graph, dict(f.graph.sizes.witness))
        program.report = evolve(find_loops(graph)[1], after=len(program.graph.nodes))
        return program
    if isinstance(f, BoundMethod):
        return BoundMethod(reroll(f.traced), f.instance)
    return _rerolled(trace(f))


def _rerolled(traced: Callable[..., Any]) -> RerolledFunction:
    assert isinstance(traced, Traced)
    return RerolledFunction(traced.function, traced.backend, stabilize=traced.stabilize, call=traced.call)
