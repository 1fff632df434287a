"""Patterns on their way through a graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from wengert.ir import kinds
from wengert.ir.graph import Graph, Node, Value
from wengert.ir.sparsity.known import Known
from wengert.ir.sparsity.patterns import Pattern, united
from wengert.ir.types import ArrayType, is_inexact, is_stack

__all__ = ["Flow", "Result", "Rule", "rows_of"]

Result: TypeAlias = "Pattern | Sequence[Pattern | None] | None"
Rule: TypeAlias = "Callable[[Flow, Node], Result]"
UNIONS = 256  # remembered at a time


def rows_of(type_: ArrayType) -> int:
    """The rows of the pattern of a value; of a stack of steps, one step stands for all."""
    return type_.with_shape(type_.shape[1:]).size if is_stack(type_) else type_.size


class Flow:
    """The patterns of values, node by node; a value without one depends on no active input.

    ``rules`` holds one for each kind; ``given`` the arrays of inputs that are known.
    """

    def __init__(
        self, graph: Graph, columns: int, given: Mapping[Value, Any], rules: Mapping[type[kinds.Op], Rule]
    ) -> None:
        self.graph = graph
        self.columns = columns
        self.known = Known(graph, given)
        self.rules = rules
        self.patterns: dict[Value, Pattern] = {}
        self.node: Node | None = None
        self._unions: dict[tuple[int, ...], tuple[Any, Pattern]] = {}

    def run(self, patterns: Sequence[Pattern | None]) -> list[Pattern | None]:
        """From the patterns of the inputs to those of the outputs."""
        pairs = zip(self.graph.inputs, patterns, strict=True)
        self.patterns = {v: p for v, p in pairs if p is not None and p.nnz}
        last_read = {v: k for k, node in enumerate(self.graph.nodes) for v in node.operands}
        kept = set(self.graph.outputs)
        for k, node in enumerate(self.graph.nodes):
            self.node = node
            self.pass_through(node)
            for v in node.operands:
                if last_read[v] == k and v not in kept:
                    self.patterns.pop(v, None)
        return [self.patterns.get(v) if is_inexact(v.type.dtype) else None for v in self.graph.outputs]

    def pass_through(self, node: Node) -> None:
        """The patterns of a node's results."""
        if not any(v in self.patterns for v in node.operands):
            return
        if not any(is_inexact(v.type.dtype) for v in node.results):
            return
        made = self.rules[type(node.op)](self, node)
        for v, p in zip(node.results, (made,) if made is None or isinstance(made, Pattern) else made, strict=True):
            if p is not None and p.nnz and is_inexact(v.type.dtype):
                self.patterns[v] = p

    def inner(self, graph: Graph, operands: Sequence[Value], columns: int | None = None) -> Flow:
        """A flow through a sub-graph, which knows of its first inputs what is known here."""
        given = {}
        for own, outer in zip(graph.inputs, operands, strict=False):
            if (array := self.known.array(outer)) is not None:
                given[own] = array
        return Flow(graph, self.columns if columns is None else columns, given, self.rules)

    def of(self, value: Value) -> Pattern:
        """The pattern of a value."""
        return self.patterns.get(value) or Pattern.empty(rows_of(value.type), self.columns)

    def union(self, patterns: Sequence[Pattern]) -> Pattern | None:
        """Of patterns of one shape; the same ones are united once."""
        distinct = list({id(p): p for p in patterns}.values())
        if len(distinct) < 2:
            return distinct[0] if distinct else None
        key = tuple(sorted(map(id, distinct)))
        if key not in self._unions:
            if len(self._unions) >= UNIONS:
                self._unions.clear()
            self._unions[key] = distinct, united(distinct)  # they live on, and so do their ids
        return self._unions[key][1]
