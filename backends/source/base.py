"""What a generated-source target needs beyond its printer: derivatives, graph to graph, then printed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.backends.protocol import Forward, Reverse, Run
from wengert.ir import autodiff
from wengert.ir.graph import Constant, Graph, Value
from wengert.ir.passes import simplify
from wengert.ir.passes.rewriting import substitute
from wengert.ir.types import is_inexact

__all__ = ["SourceBackend"]


class SourceBackend(ABC):
    """A backend that prints a graph as a program; see :class:`wengert.backends.protocol.Backend`.

    A derivative is the derived graph, printed and built: values and derivative in one program.
    """

    name: str

    @abstractmethod
    def unavailable(self) -> str | None:
        """Why this target cannot run here, or None."""

    @abstractmethod
    def emit(self, graph: Graph, name: str = "program") -> str:
        """The graph as a stand-alone program text."""

    @abstractmethod
    def build(self, graph: Graph) -> Run:
        """The graph as a function from input arrays to its guarded outputs."""

    def compile(self, graph: Graph) -> Run:
        return self.build(graph)

    def source(self, graph: Graph) -> str:
        return self.emit(graph)

    def forward(self, graph: Graph, active: tuple[int, ...]) -> Forward:
        program = self.build(autodiff.jvp(graph, active))
        n = len(graph.outputs)
        moving = [is_inexact(v.type.dtype) for v in graph.outputs]

        def run(inputs: Any, tangents: Any) -> tuple[Any, Any]:
            directions = list(zip(*tangents, strict=True)) or [tuple(np.zeros(t.shape[1:], t.dtype) for t in tangents)]
            each = [program([*inputs, *direction]) for direction in directions]
            columns = iter(_stacked([r[n : n + sum(moving)] for r in each], len(tangents[0])))
            return _values(each[0], n, n + sum(moving)), tuple(next(columns) if m else None for m in moving)

        return run

    def gradient(self, graph: Graph, active: tuple[int, ...]) -> Run:
        """Of a graph with one output, a real number: it, its gradient and the guards.  The seed is a constant, 1."""
        derived = autodiff.vjp(graph, active)
        *inputs, seed = derived.inputs
        one: dict[Value, Value] = {seed: Constant.of(seed.type.dtype.type(1))}
        return self.build(simplify(substitute(derived.evolve(inputs=tuple(inputs)), one)))

    def pushed(self, graph: Graph, active: tuple[int, ...], given: int) -> Run:
        """The outputs, the tangents of those that are inexact, and the guards; one tangent for each active input comes
        after the first ``given`` inputs."""
        derived, n = autodiff.jvp(graph, active), len(graph.inputs)
        inputs = (*derived.inputs[:given], *derived.inputs[n:], *derived.inputs[given:n])
        return self.build(derived.evolve(inputs=inputs))

    def reverse(self, graph: Graph, active: tuple[int, ...]) -> Reverse:
        program = self.build(autodiff.vjp(graph, active))
        n, stop = len(graph.outputs), len(graph.outputs) + len(active)
        moving = [is_inexact(v.type.dtype) for v in graph.outputs]
        shapes = [(v.type.shape, v.type.dtype) for v in graph.outputs]
        value: list[Run] = []  # built when first asked for

        def pull(inputs: Any, cotangents: Any) -> tuple[Any, Any]:
            k = next((len(g) for g in cotangents if g is not None), 1)
            filled = [np.zeros((k, *shape), dtype) if g is None else g
                      for g, m, (shape, dtype) in zip(cotangents, moving, shapes, strict=True) if m]  # fmt: skip
            seeds = [tuple(g[i] for g in filled) for i in range(k)] or [
                tuple(np.zeros(g.shape[1:], g.dtype) for g in filled)]
            each = [program([*inputs, *seed]) for seed in seeds]
            return _values(each[0], n, stop), tuple(_stacked([r[n:stop] for r in each], k))

        def run(inputs: Any, cotangents: Any = None) -> tuple[Any, Any]:
            if cotangents is not None:
                return pull(inputs, cotangents)
            if not value:
                value.append(self.build(graph))
            return value[0](inputs), lambda given: pull(inputs, given)[1]

        return run


def _values(results: Sequence[Any], n: int, stop: int) -> tuple[Any, ...]:
    """The outputs and the guards, without the derivatives between them."""
    return (*results[:n], *results[stop:])


def _stacked(rows: Sequence[Sequence[Any]], k: int) -> list[Any]:
    """One array per result, the k directions along a leading axis (a view for a single one; for none, one row was
    run for its values)."""
    if len(rows) == 1:
        return [x[None][:k] for x in rows[0]]
    return [np.stack(column) for column in zip(*rows, strict=True)]
