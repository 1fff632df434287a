"""What the derivatives of control ops share: tangents in a row, and a scan taken apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from attrs import frozen

from wengert.ir.build import Builder
from wengert.ir.graph import Graph, Value
from wengert.ir.ops import OPS
from wengert.ir.types import STEPS, ArrayType

__all__ = ["Pushed", "Scan", "Tangent", "emit", "positions", "reading", "spread", "there"]

Tangent: TypeAlias = Value | None
#: The results of a node and their tangents.
Pushed: TypeAlias = tuple[Sequence[Value], Sequence[Tangent]]


def positions(tangents: Sequence[Tangent]) -> tuple[int, ...]:
    return tuple(i for i, t in enumerate(tangents) if t is not None)


def there(tangents: Sequence[Tangent]) -> list[Value]:
    return [t for t in tangents if t is not None]


def spread(count: int, ends: Sequence[int], moved: Sequence[Value]) -> list[Tangent]:
    """One tangent per result, None where nothing flows."""
    found: list[Tangent] = [None] * count
    for i, t in zip(ends, moved, strict=True):
        found[i] = t
    return found


def emit(b: Builder, name: str, operands: Sequence[Value], **params: Any) -> tuple[Value, ...]:
    return b.emit_all(OPS[name], operands, **params)


@frozen
class Scan:
    """The parameters and operands of a scan, taken apart."""

    graph: Graph
    length: int
    reverse: bool
    steps: Sequence[Any]
    consts: Sequence[Any]
    carry: Sequence[Any]
    xs: Sequence[Any]

    @classmethod
    def of(cls, params: dict[str, Any], items: Sequence[Any]) -> Scan:
        n = params["length"]
        first = int(n == STEPS)
        c = first + params["consts"]
        m = c + params["carries"]
        return cls(params["graph"], n, params["reverse"], items[:first], items[first:c], items[c:m], items[m:])


def reading(graph: Graph, positions: Sequence[int], types: Sequence[ArrayType]) -> Graph:
    """The graph as one of inputs of these types, of which it reads those at ``positions``."""
    inputs = [Value(t) for t in types]
    for i, value in zip(positions, graph.inputs, strict=True):
        inputs[i] = value
    return graph.evolve(inputs=tuple(inputs))
