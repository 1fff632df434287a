"""The solution of a linear system, A(c) x = b, as custom calls for the modes that backends have of their own.

A call may be *held*: nothing moves it.  With the solution y held, and r = A(c) y, which moves by dA y, the solution
moves by S(db - dr), S being the solver of the same system, and cotangents g by S^T g: no derivative of A is stated.
"""

from __future__ import annotations

import functools
from typing import Any

from wengert.ir.build import Builder
from wengert.ir.graph import Graph, Value
from wengert.ir.ops import OPS
from wengert.ir.types import ArrayType, is_inexact

__all__ = ["held", "moving"]


def _zero(b: Builder, type_: ArrayType) -> Value:
    return b.convert(b.constant(type_.dtype.type(0)), ArrayType(type_.dtype, type_.shape))


def _tangents(b: Builder, values: list[Value]) -> list[Value]:
    return [b.input(ArrayType(v.type.dtype, v.type.shape)) for v in values if is_inexact(v.type.dtype)]


def _begun(graph: Graph, more: int) -> tuple[Builder, list[Value]]:
    """A builder with the inputs of a solver, and so many more of its result's type."""
    b = Builder(graph.name)
    return b, [b.input(t) for t in (*(v.type for v in graph.inputs), *(graph.outputs[0].type,) * more)]


@functools.lru_cache(maxsize=512)
def held(graph: Graph) -> dict[str, Any]:
    """Of consts and b: the solution, which does not move."""
    b, operands = _begun(graph, 0)
    b.input(graph.outputs[0].type)
    _tangents(b, operands)
    jvp = b.graph([_zero(b, graph.outputs[0].type)])
    b, operands = _begun(graph, 2)
    zeros = [_zero(b, v.type) for v in operands[:-2] if is_inexact(v.type.dtype)]
    return {"graph": graph, "jvp": jvp, "vjp": b.graph(zeros)}


@functools.lru_cache(maxsize=512)
def moving(graph: Graph, back: Graph) -> dict[str, Any]:
    """Of consts, b, r and y: y, which moves by S(db - dr)."""
    b, operands = _begun(graph, 2)
    value = b.graph([operands[-1]])

    b, operands = _begun(graph, 3)
    *_, db, dr, _ = _tangents(b, operands[:-1])
    right = b.emit(OPS["subtract"], [db, dr])
    jvp = b.graph(b.emit_all(OPS["call"], [*operands[:-4], right], graph=graph))

    b, operands = _begun(graph, 4)
    zeros = [_zero(b, v.type) for v in operands[:-5] if is_inexact(v.type.dtype)]
    (pulled,) = b.emit_all(OPS["call"], [*operands[:-5], operands[-1]], graph=back)
    less = b.emit(OPS["negative"], [pulled])
    vjp = b.graph([*zeros, pulled, less, _zero(b, pulled.type)])
    return {"graph": value, "jvp": jvp, "vjp": vjp}
