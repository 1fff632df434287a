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
from wengert.ir.types import ArrayType

__all__ = ["unrolled"]


def unrolled(graph: Graph, inputs: Sequence[Any]) -> Graph:
    """A program without sub-graphs that does what ``graph`` does at these inputs.

    Raises
    ------
    DerivativeError
        If an op has several results, or a call has a derivative of its own: neither is an edge with a number on it.
    """
    machine = _Unrolling(graph, inputs)
    with np.errstate(all="ignore"):
        outputs = machine.call(graph, machine.builder.inputs)
    b = machine.builder
    return graph.evolve(inputs=tuple(b.inputs), nodes=tuple(b.nodes), outputs=tuple(outputs))


class _Unrolling:
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
            run = node.op.drive(self, here, node.params) if isinstance(node.op, Control) else self._emitted(node, here)
            env.update(zip(node.results, run, strict=True))
        return [env.get(v, v) for v in graph.outputs]

    again = call

    def _emitted(self, node: Node, operands: Sequence[Value]) -> tuple[Value, ...]:
        if len(node.results) > 1:
            what = f"{node.op.name} gives {len(node.results)} results at once"
            raise DerivativeError(_refusal(what), op=node.op.name, location=node.location)
        results = self.builder.emit_all(node.op, operands, **node.params)
        self.array[results[0]] = lower(node)(*(self.known(v) for v in operands))
        return results

    def custom(self, params: dict[str, Any], operands: Sequence[Value]) -> list[Value]:
        raise DerivativeError(_refusal(f"{params['graph'].name} has a derivative of its own"), op="custom")

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
