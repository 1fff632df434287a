"""``explain(f)(*args)``: the value of every node, the derivative on every edge, and both sweeps.

The chain rule adds up, over all paths through a graph, the products of the derivatives along
them.  There may be very many paths; forward mode and reverse mode find the sum by touching each
edge once.  An :class:`Explanation` shows it on a program of yours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wengert.backends.program import Program, check_guards
from wengert.ir.passes import dead_code
from wengert.tools.explain.expansion import expand
from wengert.tools.explain.explanation import Explanation, Table
from wengert.tools.explain.paths import PathSum
from wengert.tools.explain.picture import graph_dot, graph_svg
from wengert.tools.explain.unrolling import unrolled
from wengert.tools.explain.view import Block, Edge, Node
from wengert.tracer.callee import Callee

__all__ = [
    "LIMIT",
    "Block",
    "Edge",
    "Explanation",
    "Node",
    "PathSum",
    "Table",
    "explain",
    "graph_dot",
    "graph_svg",
]

#: Arrays of more entries are shown as one block each.
LIMIT = 64


def explain(f: Any) -> Callable[..., Explanation]:
    """Explain a function at a point.

    Parameters
    ----------
    f : callable, Program or Graph

    Returns
    -------
    callable
        Takes the arguments of ``f``, in which a Python int is a real number wherever ``f``
        accepts one, and three keywords: ``wrt`` and ``output`` are the ends of the two sweeps,
        and ``limit`` the number of entries up to which an array is taken apart into scalars
        (lowered where that would make more than 16 ``limit`` of them); see :class:`Explanation`,
        which it returns.  (Arguments of these names are given by position.)

    Raises
    ------
    DerivativeError
        If there is no real number among the arguments or the results, or ``f`` computes with
        complex numbers.
    GuardError
        If a graph is explained at a point where it does not hold.

    Examples
    --------
    >>> e = explain(lambda a, b: (a + b) * (b + 1))(2, 1, wrt="b")
    >>> e.values["c"], e.forward["e"], e.reverse["c"]
    (3.0, 5.0, 2.0)
    >>> print(e.path_sum("b", "e"))
    1·2 + 1·3
    """
    callee = Callee(f, None)

    def explained(*args: Any, wrt: Any = None, output: Any = None, limit: int = LIMIT, **kwargs: Any) -> Explanation:
        if limit < 1:
            message = f"limit is the number of entries up to which arrays are taken apart: at least 1, got {limit}."
            raise ValueError(message)
        program, leaves = _program(callee, args, kwargs)
        inputs = program.inputs(leaves)
        if program.graph.guards:
            check_guards(program.graph, program.run(inputs, "numpy"))
        graph = dead_code(unrolled(dead_code(program.graph.evolve(guards=())), inputs))
        return Explanation(expand(graph, inputs, _names(program), limit), wrt, output)

    return explained


def _program(callee: Callee, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Program, list[Any]]:
    """The program for these arguments, and the flat arguments."""
    call = callee.call(args, kwargs)
    bound = call.bound
    if isinstance(callee.target, Program):
        return callee.target.fitting(bound.leaves), bound.leaves
    given = list(bound.leaves)
    bound.leaves[:] = [float(leaf) if type(leaf) is int else leaf for leaf in given]
    try:
        return callee.target.graph_of(bound), bound.leaves
    except (TypeError, IndexError):
        if not any(type(leaf) is int for leaf in given):
            raise
    bound.leaves[:] = given  # an int that counts or indexes stays one
    return callee.target.graph_of(bound), bound.leaves


def _names(program: Program) -> list[str]:
    """The inputs' names, each once."""
    names: list[str] = []
    for i, name in enumerate(program.names()):
        clear = name if program.graph.signature is not None or program.graph.inputs[i].name else f"%{i}"
        names.append(clear if clear not in names else f"%{i}")
    return names
