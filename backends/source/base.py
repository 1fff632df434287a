"""What a generated-source target needs beyond its printer: derivatives, graph to graph, then printed."""

from __future__ import annotations

import contextvars
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.backends.protocol import Forward, Reverse, Run
from wengert.ir import autodiff
from wengert.ir.batching import directions
from wengert.ir.errors import WengertError
from wengert.ir.graph import Constant, Graph, Value
from wengert.ir.passes import simplify
from wengert.ir.passes.rewriting import substitute
from wengert.ir.types import is_inexact

__all__ = ["SourceBackend"]

#: The most numbers in one value of a program of several directions; more directions than that are taken in parts.
AT_ONCE = 1 << 22
#: Programs of several directions kept; other numbers of directions are then taken by one of these.
KEPT = 4


class SourceBackend(ABC):
    """A backend that prints a graph as a program; see :class:`wengert.backends.protocol.Backend`.

    A derivative is the derived graph, printed and built: values and derivative in one program, along one direction or
    along several at once.
    """

    name: str
    whole_from = 2  #: so many sweeps of a Jacobian are better one program of the whole

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
        moving = [is_inexact(v.type.dtype) for v in graph.outputs]
        sweep = _Sweep(self.derivative, autodiff.jvp(graph, active), graph, sum(moving))

        def run(inputs: Any, tangents: Any) -> tuple[Any, Any]:
            values, moved = sweep(inputs, tangents, len(tangents[0]))
            columns = iter(moved)
            return values, tuple(next(columns) if m else None for m in moving)

        run.prepare = sweep.prepare  # type: ignore[attr-defined]
        return run

    def derivative(
        self, derived: Graph, moving: range, ends: range, then: Callable[[Graph], Graph] | None = None
    ) -> Run:
        """A derived graph, built: its outputs ``ends`` are linear in its inputs ``moving``.  ``then`` is done to it."""
        return self.build(derived if then is None else then(derived))

    def gradient(self, graph: Graph, active: tuple[int, ...]) -> Run:
        """Of a graph with one output, a real number: it, its gradient and the guards.  The seed is a constant, 1."""
        derived, n, m = autodiff.vjp(graph, active), len(graph.inputs), len(graph.outputs)

        def seeded(derived: Graph) -> Graph:
            *inputs, seed = derived.inputs
            one: dict[Value, Value] = {seed: Constant.of(seed.type.dtype.type(1))}
            return simplify(substitute(derived.evolve(inputs=tuple(inputs)), one))

        return self.derivative(derived, range(n, n + 1), range(m, m + len(active)), seeded)

    def pushed(self, graph: Graph, active: tuple[int, ...], given: int) -> Run:
        """The outputs, the tangents of those that are inexact, and the guards; one tangent for each active input comes
        after the first ``given`` inputs."""
        derived, n, m = autodiff.jvp(graph, active), len(graph.inputs), len(graph.outputs)
        derived = derived.evolve(inputs=(*derived.inputs[:given], *derived.inputs[n:], *derived.inputs[given:n]))
        count = sum(is_inexact(v.type.dtype) for v in graph.outputs)
        return self.derivative(derived, range(given, given + len(active)), range(m, m + count))

    def reverse(self, graph: Graph, active: tuple[int, ...]) -> Reverse:
        sweep = _Sweep(self.derivative, autodiff.vjp(graph, active), graph, len(active))
        ends = [v.type if is_inexact(v.type.dtype) else None for v in graph.outputs]
        value: list[Run] = []  # built when first asked for

        def pull(inputs: Any, cotangents: Any) -> tuple[Any, Any]:
            k = next((len(g) for g in cotangents if g is not None), 1)
            filled = [np.zeros((k, *t.shape), t.dtype) if g is None else g
                      for g, t in zip(cotangents, ends, strict=True) if t is not None]  # fmt: skip
            values, moved = sweep(inputs, filled, k)
            return values, tuple(moved)

        def run(inputs: Any, cotangents: Any = None) -> tuple[Any, Any]:
            if cotangents is not None:
                return pull(inputs, cotangents)
            if not value:
                value.append(self.build(graph))
            return value[0](inputs), lambda given: pull(inputs, given)[1]

        run.prepare = sweep.prepare  # type: ignore[attr-defined]
        return run


class _Sweep:
    """A derived graph as programs, each built when it is first asked for: of one direction, and of several at once.

    The derived graph gives the values of ``graph``, then ``count`` derivatives, then guards.
    """

    def __init__(self, build: Callable[[Graph, range, range], Run], derived: Graph, graph: Graph, count: int) -> None:
        self.build, self.derived = build, derived
        self.inputs, self.outputs, self.stop = len(graph.inputs), len(graph.outputs), len(graph.outputs) + count
        largest = max((v.type.size for node in derived.nodes for v in node.results), default=1)
        self.most = AT_ONCE // max(largest, 1)
        self.programs: dict[int, Run] = {}
        self.context = contextvars.copy_context()  # in which it was asked for: of symbolic sizes, with its family

    def __call__(self, inputs: Any, seeds: Sequence[Any], k: int) -> tuple[tuple[Any, ...], list[Any]]:
        """The guarded values, and per derivative one array with the k directions along axis 0."""
        size = self._size(k)
        if size == 1:
            parts = [self._single(inputs, [g[i] for g in seeds]) for i in range(k)]
            parts = parts or [self._single(inputs, [np.zeros(g.shape[1:], g.dtype) for g in seeds])]
        else:
            run = self._program(size)
            parts = [run([*inputs, *(_filled(g[i : i + size], size) for g in seeds)]) for i in range(0, k, size)]
        first = parts[0]
        values = (*first[: self.outputs], *first[self.stop :])
        rows = [part[self.outputs : self.stop] for part in parts]
        if len(rows) == 1:
            return values, [x[:k] if len(x) > k else x for x in rows[0]]
        return values, [np.concatenate(column)[:k] for column in zip(*rows, strict=True)]

    def _single(self, inputs: Any, seed: Sequence[Any]) -> tuple[Any, ...]:
        found = self._program(1)([*inputs, *seed])
        moved = (x[None] for x in found[self.outputs : self.stop])
        return (*found[: self.outputs], *moved, *found[self.stop :])

    def _size(self, k: int) -> int:
        """How many directions to take at once: as many as there are, but for those that an earlier program is for."""
        if k <= 1 or self.most <= 1:
            return 1
        size = -(-k // -(-k // self.most))
        kept = [n for n in self.programs if n > 1]
        enough = min((n for n in kept if n >= size), default=max(kept, default=0))
        if size <= enough <= 1.5 * size or len(kept) == KEPT:
            return enough
        return size if self._several(size) else 1

    def prepare(self) -> None:
        """Build the program of one direction now."""
        self._program(1)

    def _several(self, size: int) -> bool:
        """Whether there is a program of so many directions; a graph that has none goes one by one."""
        try:
            self._program(size)
        except WengertError:
            self.most = 1
            return False
        return True

    def _program(self, size: int) -> Run:
        if size not in self.programs:
            graph = self.derived if size == 1 else directions(self.derived, self.inputs, self.outputs, size)
            moving, ends = range(self.inputs, len(graph.inputs)), range(self.outputs, self.stop)
            self.programs[size] = self.context.copy().run(self.build, graph, moving, ends)
        return self.programs[size]


def _filled(seeds: Any, size: int) -> Any:
    """As many directions as a program takes: behind the last, zeros."""
    if len(seeds) == size:
        return seeds
    return np.concatenate([seeds, np.zeros((size - len(seeds), *seeds.shape[1:]), seeds.dtype)])
