"""Derivatives of calls: plain ones, those that are run again, and those with a rule of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wengert.ir import kinds
from wengert.ir.autodiff.pushing import Pushed, Tangent, emit, positions, spread, there
from wengert.ir.autodiff.subgraphs import dual, linear_part, parted, split_inline, sweep, transposed, zeros
from wengert.ir.build import Builder
from wengert.ir.driving import BACK_ONLY, forward_rule, reverse_rules
from wengert.ir.errors import DerivativeError
from wengert.ir.graph import Constant, Graph, Node, Value
from wengert.ir.passes import dead_code
from wengert.ir.passes.rewriting import substitute
from wengert.ir.types import is_inexact, is_stack

__all__ = [
    "again", "call_fused", "call_split", "checkpoint_fused", "checkpoint_split", "custom_fused", "custom_split",
    "jvp_of", "linear_fused", "linear_split",
]  # fmt: skip


def call_fused(
    b: Builder, params: dict[str, Any], operands: Sequence[Value], tangents: Sequence[Tangent], name: str = "call"
) -> Pushed:
    found, n = dual(params["graph"], positions(tangents)), len(params["graph"].outputs)
    made = emit(b, name, [*operands, *there(tangents)], **{**params, "graph": found.graph})
    return made[:n], spread(n, found.ends, made[n:])


def call_split(
    b: Builder, params: dict[str, Any], operands: Sequence[Value], tangents: Sequence[Tangent], *, within: bool
) -> Pushed:
    """A callee with a ``while`` is written out, so that its stacks stay in the graph that makes them."""
    parts, n = parted(params["graph"], positions(tangents), within=within), len(params["graph"].outputs)
    if any(is_stack(v.type) for v in parts.primal.outputs):
        return split_inline(b, params["graph"], operands, tangents)
    made = emit(b, "call", operands, graph=parts.primal)
    known = [*(operands[i] for i in parts.inputs), *made[n:]]
    moved = emit(b, "call", [*known, *there(tangents)], graph=parts.linear) if parts.ends else ()
    return made[:n], spread(n, parts.ends, moved)


# -- checkpoint ----------------------------------------------------------------------------------------------------


def checkpoint_fused(b: Builder, params: Any, operands: Sequence[Value], tangents: Sequence[Tangent]) -> Pushed:
    return call_fused(b, params, operands, tangents, "checkpoint")


def checkpoint_split(
    b: Builder, params: Any, operands: Sequence[Value], tangents: Sequence[Tangent], *, within: bool
) -> Pushed:
    if params["policy"] == "everything":
        return call_split(b, params, operands, tangents, within=within)
    return again(b, params["graph"], params["policy"], operands, tangents)


def again(
    b: Builder, graph: Graph, policy: str, operands: Sequence[Value], tangents: Sequence[Tangent]
) -> Pushed:
    """Values now; tangents by a graph that computes the values again, but for what the policy keeps."""
    kept = [v for node in graph.nodes if _is_kept(node, policy) for v in node.results]
    whole = graph.evolve(outputs=(*graph.outputs, *kept))
    n, m = len(graph.outputs), len(whole.outputs)
    made = emit(b, "checkpoint", operands, graph=whole, policy=policy)
    found = sweep(whole, positions(tangents))
    ends = [i for i in found.ends if i < n]
    if not ends:
        return made[:n], [None] * n
    saved = found.graph.outputs[n:m]
    inner = _given(found.graph.evolve(outputs=found.graph.outputs[m : m + len(ends)]), saved)
    moved = emit(b, "checkpoint", [*operands, *there(tangents), *made[n:]], graph=inner, policy=policy)
    return made[:n], spread(n, ends, moved)


def _is_kept(node: Node, policy: str) -> bool:
    return policy == "contractions" and isinstance(node.op, (kinds.Contraction, kinds.Library))


def _given(graph: Graph, values: Sequence[Value]) -> Graph:
    """The graph with some of its values handed to it, as inputs behind the others."""
    fresh = {v: Value(v.type) for v in values if v not in graph.inputs and not isinstance(v, Constant)}
    first = {v: i for i, v in reversed(list(enumerate(values)))}
    given = (fresh[v] if v in fresh and first[v] == i else Value(v.type) for i, v in enumerate(values))
    return dead_code(substitute(graph, fresh).evolve(inputs=(*graph.inputs, *given)))


# -- custom rules --------------------------------------------------------------------------------------------------


def _tangents(b: Builder, operands: Sequence[Value], tangents: Sequence[Tangent]) -> list[Value]:
    """A tangent for each inexact operand, zeros where nothing flows."""
    pairs = zip(operands, tangents, strict=True)
    return [zeros(b, v) if t is None else t for v, t in pairs if is_inexact(v.type.dtype)]


def _inexact(values: Sequence[Value]) -> list[int]:
    return [i for i, v in enumerate(values) if is_inexact(v.type.dtype)]


def custom_fused(b: Builder, params: Any, operands: Sequence[Value], tangents: Sequence[Tangent]) -> Pushed:
    made, rule = emit(b, "custom", operands, **params), forward_rule(params)
    moved = emit(b, "call", [*operands, *made, *_tangents(b, operands, tangents)], graph=rule)
    return made, spread(len(made), _inexact(made), moved)


def custom_split(
    b: Builder, params: Any, operands: Sequence[Value], tangents: Sequence[Tangent], *, within: bool
) -> Pushed:
    """A vjp is kept as it is stated.  A jvp is linear in tangents, and so its own derivative in them, taken at zero."""
    made, (vjp, jvp) = emit(b, "custom", operands, **params), reverse_rules(params)
    known = [*operands, *made]
    if vjp is not None:
        given = [*known, *_tangents(b, operands, tangents)]
        moved = emit(b, "linear", given, graph=jvp, back=vjp, consts=len(known))
        return made, spread(len(made), _inexact(made), moved)
    pairs = [(v, t) for v, t in zip(operands, tangents, strict=True) if is_inexact(v.type.dtype)]
    at = [*known, *(zeros(b, v) for v, _ in pairs)]
    moving = [*([None] * len(known)), *(t for _, t in pairs)]
    _, ends = call_split(b, {"graph": jvp}, at, moving, within=within)
    return made, spread(len(made), _inexact(made), ends)  # type: ignore[arg-type]


def jvp_of(vjp: Graph, first: int) -> Graph | None:
    """The transpose of a vjp in its cotangents, the inputs from ``first`` on; None where it is not linear in them."""
    moving = tuple(range(first, len(vjp.inputs)))
    alone = linear_part(vjp, moving)
    return None if alone is None else transposed(alone, moving, tuple(range(len(vjp.outputs))))


def linear_fused(b: Builder, params: Any, operands: Sequence[Value], tangents: Sequence[Tangent]) -> Pushed:
    if params["graph"] is None:
        raise DerivativeError(BACK_ONLY, op="linear")
    return call_fused(b, {"graph": params["graph"]}, operands, tangents)


def linear_split(
    b: Builder, params: Any, operands: Sequence[Value], tangents: Sequence[Tangent], *, within: bool
) -> Pushed:
    if params["graph"] is None:
        raise DerivativeError(BACK_ONLY, op="linear")
    return call_split(b, {"graph": params["graph"]}, operands, tangents, within=within)
