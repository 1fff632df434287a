"""Derivatives of the solution of a linear system, A(c) x = b: those of the equation, not of how it was solved.

A(c) dx = db - dA x.  What stands there is a linear system again, so the rule is its own derivative, to any order.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from wengert.ir.autodiff.calls import call_fused, call_split
from wengert.ir.autodiff.forward import cotangent_type
from wengert.ir.autodiff.pushing import Pushed, Tangent, emit, there
from wengert.ir.autodiff.subgraphs import transposed
from wengert.ir.build import Builder
from wengert.ir.graph import Graph, Value
from wengert.ir.ops import OPS
from wengert.ir.types import is_inexact

__all__ = ["rules", "solve_fused", "solve_split"]


def solve_fused(b: Builder, params: Any, operands: Sequence[Value], tangents: Sequence[Tangent]) -> Pushed:
    made = emit(b, "linear_solve", operands, **params)
    _, (change,) = call_fused(b, {"graph": params["product"]}, [*operands[:-1], *made], [*tangents[:-1], None])
    return made, _moved(b, params, operands, tangents[-1], change)


def solve_split(
    b: Builder, params: Any, operands: Sequence[Value], tangents: Sequence[Tangent], *, within: bool
) -> Pushed:
    made = emit(b, "linear_solve", operands, **params)
    given = [*operands[:-1], *made], [*tangents[:-1], None]
    _, (change,) = call_split(b, {"graph": params["product"]}, *given, within=within)
    return made, _moved(b, params, operands, tangents[-1], change)


def _moved(b: Builder, params: Any, operands: Sequence[Value], db: Tangent, change: Tangent) -> list[Tangent]:
    """The solution for db - dA x."""
    if change is not None:
        less = _negative(b, change)
        db = less if db is None else b.emit(OPS["add"], [db, less])
    return [None] if db is None else list(emit(b, "linear_solve", [*operands[:-1], db], **params))


def _negative(b: Builder, x: Value) -> Value:
    return b.emit(OPS["negative"], [x])


@functools.lru_cache(maxsize=512)
def rules(graph: Graph, back: Graph, product: Graph, consts: int) -> dict[str, Any]:
    """The parameters of a custom call that solves the system and has its derivative."""
    params = {"graph": graph, "back": back, "product": product, "consts": consts}
    moving = [i for i, v in enumerate(product.inputs) if is_inexact(v.type.dtype)]
    solution = graph.outputs[0].type

    def begun(name: str) -> tuple[Builder, list[Value], Value]:
        b = Builder(f"{graph.name}_{name}")
        return b, [b.input(v.type) for v in graph.inputs], b.input(solution)

    b, operands, x = begun("jvp")
    flows = {i: b.input(cotangent_type(operands[i].type)) for i in moving}
    at, along = [*operands[:-1], x], [*map(flows.get, range(consts)), None]
    _, (change,) = call_fused(b, {"graph": product}, at, along)
    jvp = b.graph(there(_moved(b, params, operands, flows[consts], change)))

    b, operands, x = begun("vjp")
    turned = transposed(product, (consts,), (0,))
    g = b.input(solution)
    turned_params = {"graph": back, "back": graph, "product": turned, "consts": consts}
    (pulled,) = emit(b, "linear_solve", [*operands[:-1], g], **turned_params)
    from wengert.ir.autodiff import vjp as vjp_of

    inner = tuple(i for i in moving if i < consts)
    given = [*operands[:-1], x, _negative(b, pulled)]
    cotangents = emit(b, "call", given, graph=vjp_of(product, inner))[1:] if inner else ()
    return {"graph": graph, "jvp": jvp, "vjp": b.graph([*cotangents, pulled])}
