"""Loops and branches written out, as they run at known arguments: what is shown is what was done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.backends.vectorized.evaluate import lower
from wengert.ir.build import Builder, Namespace
from wengert.ir.errors import DerivativeError
from wengert.ir.graph import Constant, Graph, Node, Value
from wengert.ir.kinds import Control
from wengert.ir.passes import inline_calls
from wengert.ir.types import ArrayType

__all__ = ["Unrolling", "unrolled"]

#: So many nodes can still be looked at; a longer program is shown with its loops as they are.
LIMIT = 2000


class _TooLongError(Exception):
    """More nodes than can be looked at."""


def unrolled(graph: Graph, inputs: Sequence[Any]) -> Graph:
    """A program without loops and branches that does what ``graph`` does at these inputs; where it would be too long,
    the graph as it is.

    Raises
    ------
    DerivativeError
        If an op has several results, none of them an edge with a number on it.
    """
    machine = Unrolling(graph, inputs)
    try:
        with np.errstate(all="ignore"):
            outputs = machine.call(graph, machine.builder.inputs)
    except _TooLongError:
        return inline_calls(graph)
    b = machine.builder
    return graph.evolve(inputs=tuple(b.inputs), nodes=tuple(b.nodes), outputs=tuple(outputs))


class Unrolling:
    """The machine (:mod:`wengert.ir.driving`) that writes down what is run, and runs it."""

    def __init__(self, graph: Graph, inputs: Sequence[Any]) -> None:
        self.builder = Builder(graph.name)
        self.xp = Namespace(self.builder)
        self.array = {self.builder.input(v.type, v.name): x for v, x in zip(graph.inputs, inputs, strict=True)}

    def known(self, value: Value) -> Any:
        return value.array if isinstance(value, Constant) else self.array[value]

    def call(self, graph: Graph, operands: Sequence[Value]) -> list[Value]:
        env = dict(zip(graph.inputs, operands, strict=True))
        for node in graph.nodes:
            self.builder.location = node.location
            here = [env.get(v, v) for v in node.operands]
            run = node.op.drive(self, here, node.params) if self.is_written_out(node) else self.emitted(node, here)  # type: ignore[attr-defined]
            env.update(zip(node.results, run, strict=True))
        return [env.get(v, v) for v in graph.outputs]

    again = call

    def is_written_out(self, node: Node) -> bool:
        """Whether a node runs sub-graphs whose own nodes take its place."""
        return isinstance(node.op, Control) and node.op.name in ("call", "checkpoint", "switch", "while", "scan")

    def emitted(self, node: Node, operands: Sequence[Value]) -> tuple[Value, ...]:
        """One node, and its values."""
        if len(node.results) > 1:
            what = f"{node.op.name} gives {len(node.results)} results at once"
            raise DerivativeError(_refusal(what), op=node.op.name, location=node.location)
        if len(self.builder.nodes) >= LIMIT:
            raise _TooLongError
        results = self.builder.emit_all(node.op, operands, **node.params)
        made = lower(node)(*(self.known(v) for v in operands))
        self.array.update(zip(results, (made,), strict=True))
        return results

    def holds(self, graph: Graph, operands: Sequence[Value]) -> bool:
        return bool(self.known(self.call(graph, operands)[0]))

    def index(self, value: Value) -> int:
        return int(self.known(value))

    def number(self, n: int) -> Value:
        return self.builder.constant(np.int64(n))

    def at(self, value: Value, i: int, n: int) -> Value:
        return self._made(self.xp.wrap(value)[i], self.known(value)[i])

    def stack(self, values: Sequence[Value], type_: ArrayType) -> Value:
        if not values:
            return self.builder.constant(np.empty((0, *type_.shape), type_.dtype))
        rows = [self.xp.reshape(self.xp.wrap(v), (1, *type_.shape)) for v in values]
        return self._made(self.xp.concatenate(rows, 0), np.stack([self.known(v) for v in values]))

    def _made(self, made: Any, array: Any) -> Value:
        value: Value = self.xp.lift(made)
        self.array[value] = np.asarray(array)
        return value


def _refusal(what: str) -> str:
    return (
        f"wg.explain shows a number on every edge, and {what}, which is no edge between two numbers. Explain the parts "
        "of the program before and after it, or see wg.check."
    )
