"""Lanes that lie last: a node on the same arrays, of which the axis of the lanes is the last one.

Ten numbers for each sample are ten short lines; the samples of each of the ten numbers are ten long ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wengert.ir.build import Builder
from wengert.ir.graph import Node, Value
from wengert.ir.kinds import Contraction, Cumulative, Indexing, Movement, Reduction
from wengert.ir.ops import OPS
from wengert.ir.passes.lanes import Strand

__all__ = ["emit_last", "moved", "narrowed"]


def narrowed(node: Node, axis: int, rows: int) -> dict[str, Any]:
    """The parameters of a node for fewer rows."""
    name = {"reshape": "shape", "broadcast_to": "shape", "place": "shape", "slice": "size"}.get(node.op.name)
    if name is None:
        return node.params
    shape = node.params[name]
    return {**node.params, name: (*shape[:axis], rows, *shape[axis + 1 :])}


def moved(b: Builder, value: Value, axis: int, to: int) -> Value:
    """One axis brought to another place."""
    if axis == to:
        return value
    order = [a for a in range(value.type.ndim) if a != axis]
    order.insert(to, axis)
    return b.emit(OPS["transpose"], (value,), axes=tuple(order))


def emit_last(b: Builder, node: Node, operands: Sequence[Value], strand: Strand, params: dict[str, Any]) -> Value:
    """The node of these parameters, on operands whose lanes lie last; so do those of the result, if there are any."""
    op, axis, out = node.op, next(iter(strand.operands.values())), strand.result
    ndim = node.operands[next(iter(strand.operands))].type.ndim

    def at(a: int) -> int:
        """Where an axis of the operands with lanes is now."""
        return ndim - 1 if a == axis else a - (a > axis)

    if isinstance(op, Reduction):
        params = {**params, "axes": tuple(sorted(map(at, params["axes"])))}
    elif isinstance(op, Cumulative) or op.name == "concatenate":
        params = {**params, "axis": at(params["axis"])}
    elif isinstance(op, Contraction):
        params = {**params, "subscripts": _subscripts(node, strand)}
    elif op.name == "transpose":
        params = {**params, "axes": (*(at(a) for a in params["axes"] if a != axis), ndim - 1)}
    elif isinstance(op, Movement):
        params = {name: _last(given, out) if isinstance(given, tuple) else given for name, given in params.items()}
    elif isinstance(op, Indexing):
        if 1 in strand.operands:  # the lanes are among the indices, which stand before the rest of x
            made = b.emit(op, operands, **params)
            return moved(b, made, params["axis"] + ndim - 1, made.type.ndim - 1)
        params = {**params, "axis": at(params["axis"])}
    return b.emit(op, operands, **params)


def _subscripts(node: Node, strand: Strand) -> str:
    *terms, out = Contraction.split(node.params["subscripts"])
    letter = next(terms[k][axis] for k, axis in strand.operands.items())
    x, y, result = (term.replace(letter, "") + letter * (letter in term) for term in (*terms, out))
    return f"{x},{y}->{result}"


def _last(given: tuple[int, ...], axis: int | None) -> tuple[int, ...]:
    """Numbers by axis, with that of the lanes at the end."""
    assert axis is not None
    return (*given[:axis], *given[axis + 1 :], given[axis])
