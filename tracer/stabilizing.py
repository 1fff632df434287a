"""Known forms that lose digits or overflow, rewritten on request: :func:`stabilize`; and calls within a trace."""

from __future__ import annotations

import weakref
from typing import Any

from wengert.backends.program import Program
from wengert.ir.graph import Graph
from wengert.ir.ops import OPS
from wengert.ir.passes import stabilise
from wengert.ir.wire import identity
from wengert.tracer.callee import Callee
from wengert.tracer.decorator import BoundMethod, Traced, trace
from wengert.tracer.sweeps import wrap_outputs
from wengert.tracer.symbolic import lifted

__all__ = ["run_within", "stabilize"]


def stabilize(f: Any) -> Any:
    """``f`` with known forms that lose digits or overflow written as those that do not.

    log(1 + exp(x)), log of a sigmoid, logsumexp, softmax and its cross-entropy, exp(x) - 1, log(1 + x), 1 - cos(x),
    sqrt(x**2 + y**2): the rows of :data:`wengert.ir.passes.stabilising.ROWS`.  Where the forms as written are fine,
    values and derivatives are the same but for rounding; elsewhere they become right.  Nothing else is touched.

    Parameters
    ----------
    f : callable, Program or Graph

    Returns
    -------
    Traced, Program or Graph
        As ``f``: a function is traced (the same as ``wg.trace(f, stabilize=True)``).
    """
    if isinstance(f, Graph):
        return lifted(stabilise, f)
    if isinstance(f, Program):
        return Program(lifted(stabilise, f.graph), f.backend)
    if isinstance(f, BoundMethod):
        return BoundMethod(stabilize(f.traced), f.instance)
    return trace(f, stabilize=True)


def run_within(traced: Traced, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A call within another trace: a node there, or its nodes; where nothing is traced, the function itself runs.

    Guards must be those of the caller, and so its nodes go there if there are any.
    """
    recorded = Callee(traced, None).call(args, kwargs).within()
    if recorded is None:
        return traced.function(*args, **kwargs)
    builder, graph = recorded.xp.builder, recorded.graph
    recorded.xp.trace.locate()
    if not traced.call or graph.guards:
        return wrap_outputs(recorded, builder.inline(graph, recorded.operands))
    return wrap_outputs(recorded, builder.emit_all(OPS["call"], recorded.operands, graph=_shared(graph)))


def _shared(graph: Graph) -> Graph:
    """The one graph of those that mean the same."""
    bare = graph.evolve(signature=None, results=None)
    return _called.setdefault(identity(bare), bare)


_called: weakref.WeakValueDictionary[str, Graph] = weakref.WeakValueDictionary()
