"""Derivatives of the solution of a linear system, A(c) x = b: those of the equation, not of how it was solved.

A(c) dx = db - dA x.  What stands there is a linear system again, so the rule is its own derivative, to any order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wengert.ir.autodiff.calls import call_fused, call_split
from wengert.ir.autodiff.pushing import Pushed, Tangent, emit
from wengert.ir.build import Builder
from wengert.ir.graph import Value
from wengert.ir.ops import OPS

__all__ = ["solve_fused", "solve_split"]


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
        less = b.emit(OPS["negative"], [change])
        db = less if db is None else b.emit(OPS["add"], [db, less])
    return [None] if db is None else list(emit(b, "linear_solve", [*operands[:-1], db], **params))
