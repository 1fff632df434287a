"""Which outputs depend on which inputs, element by element, found from the graph alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from wengert.ir import kinds
from wengert.ir.errors import DerivativeError
from wengert.ir.graph import Graph
from wengert.ir.passes import dead_code, inline_calls
from wengert.ir.sparsity import patterns
from wengert.ir.sparsity.control import control
from wengert.ir.sparsity.flow import Flow, Rule
from wengert.ir.sparsity.patterns import LIMIT, Ints, Pattern, PatternSizeError, stacked
from wengert.ir.sparsity.rules import KINDS

__all__ = ["RULES", "Found", "Ints", "Pattern", "pattern"]

#: How patterns pass through a node, a rule per kind.
RULES: dict[type[kinds.Op], Rule] = {**KINDS, kinds.Control: control}


@frozen(slots=True)
class Found:
    """The pattern of a Jacobian, rows those of all outputs, columns those of all active inputs, one behind the other;
    and the inputs whose given arrays it depends on."""

    pattern: Pattern
    read: tuple[int, ...]


def pattern(graph: Graph, active: tuple[int, ...], given: Mapping[int, Any] | None = None, limit: int = LIMIT) -> Found:
    """Find the pattern of the Jacobian of a graph.

    Parameters
    ----------
    graph : Graph
    active : tuple of int
        The inputs that derivatives are taken of.
    given : mapping of int to array, optional
        Inputs that are known, by position: indices, masks, matrices with zeros.
    limit : int, optional
        The entries that the pattern of any value may have.

    Raises
    ------
    DerivativeError
        If one has more.
    """
    flat = dead_code(inline_calls(graph))
    sizes = [flat.inputs[i].type.size for i in active]
    columns, first = sum(sizes), 0
    known = {flat.inputs[i]: array for i, array in (given or {}).items() if i not in active}
    starts: list[Pattern | None] = [None] * len(flat.inputs)
    for i, size in zip(active, sizes, strict=True):
        starts[i] = Pattern.diagonal(size, columns, first)
        first += size
    flow = Flow(flat, columns, known, RULES)
    token = patterns.limit.set(limit)
    try:
        found = flow.run(starts)
        ends = [p or Pattern.empty(v.type.size, columns) for v, p in zip(flat.outputs, found, strict=True)]
        whole = stacked(ends) if ends else Pattern.empty(0, columns)
    except PatternSizeError as error:
        raise _too_many(flow.node, error) from error
    finally:
        patterns.limit.reset(token)
    position = {v: i for i, v in enumerate(flat.inputs)}
    return Found(whole, tuple(sorted(position[v] for v in flow.known.read)))


def _too_many(node: Any, error: PatternSizeError) -> DerivativeError:
    where = "" if node is None else f" at {node.op.name}" + (f" ({node.location})" if node.location else "")
    message = (
        f"The pattern of this Jacobian grows to {error} entries, too many,{where}: nearly every element "
        "depends on nearly every other. Ask for products with it (wg.jvp, wg.vjp, wg.hvp) or, if there is the memory, "
        "for the dense matrix."
    )
    if node is not None and isinstance(node.op, kinds.Indexing):
        message += (
            " If its indices are an argument, the pattern is exact once they are known: wg.jacobian and wg.hessian "
            "look into the arguments, wg.sparse_jacobian and wg.sparse_hessian take them as known={name: array}."
        )
    return DerivativeError(message, op=None if node is None else node.op.name,
                           location=None if node is None else node.location)  # fmt: skip
