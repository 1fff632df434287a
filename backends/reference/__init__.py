"""The reference backend: the definition of what a graph means, one scalar at a time.

It is meant to be read, and to be compared with; nothing here is fast.  Bottom up:

``rounding``, ``libm``, ``symbols``, ``scalar``
    What one op does to one number: wrapping integers, IEEE answers, rules run on scalars.
``arrays``, ``folds``, ``evaluate``
    The values of a graph, a case per kind of op.
``partials``
    The numbers on the edges of the graph.
``forward``, ``reverse``
    Dual numbers, and a tape: two algorithms for the derivative that share nothing but the partials.

Differentiation here never looks at ``wengert.ir.autodiff``: it is a second opinion.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.backends.protocol import Arrays, Forward, Reverse, Run, check_kinds
from wengert.backends.reference import evaluate, forward, reverse
from wengert.backends.reference.arrays import Flat, from_numpy, to_numpy, zeros
from wengert.backends.reference.partials import active_values
from wengert.ir.errors import BackendError
from wengert.ir.graph import Graph, Value
from wengert.ir.types import ArrayType, is_inexact

__all__ = ["BACKEND", "Reference"]

for _mode in (evaluate, forward, reverse):
    check_kinds("reference", _mode.CASES)

Array = np.ndarray[Any, Any]


class Reference:
    """See wengert.backends.protocol.Backend."""

    name = "reference"

    def unavailable(self) -> str | None:
        """It runs wherever Python does."""
        return None

    def compile(self, graph: Graph) -> Run:
        """The values, one scalar at a time."""
        run = evaluate.evaluator(graph)
        return lambda inputs: arrays_of(graph, run([from_numpy(x) for x in inputs]))

    def forward(self, graph: Graph, active: tuple[int, ...]) -> Forward:
        """Dual numbers."""
        carrying = active_values(graph, active)
        run = forward.dual_evaluator(graph, carrying)

        def run_arrays(inputs: Arrays, tangents: Arrays) -> tuple[Arrays, Arrays]:
            given: dict[int, Any] = dict(zip(active, tangents, strict=True))
            k = len(tangents[0]) if len(tangents) else 1
            duals = run([
                (from_numpy(x), split(given[i], v.type) if v in carrying else None)
                for i, (x, v) in enumerate(zip(inputs, graph.inputs, strict=True))
            ])  # fmt: skip
            values = {v: x for v, (x, _) in duals.items()}
            pushed = tuple(
                join(duals[v][1], v.type, k) if is_inexact(v.type.dtype) else None
                for v in graph.outputs
            )
            return arrays_of(graph, values), pushed

        return run_arrays

    def reverse(self, graph: Graph, active: tuple[int, ...]) -> Reverse:
        """A tape."""
        carrying = active_values(graph, active)
        run = reverse.recorder(graph, carrying)

        def run_arrays(inputs: Arrays, cotangents: Arrays | None = None) -> tuple[Arrays, Any]:
            values, pull = run([from_numpy(x) for x in inputs])
            pullback = pullback_of(graph, active, pull)
            outputs = arrays_of(graph, values)
            return outputs, (pullback if cotangents is None else pullback(cotangents))

        return run_arrays

    def source(self, graph: Graph) -> str:
        """There is none."""
        message = (
            "The reference backend interprets a graph and generates no source; "
            "ask the python or the c backend for it."
        )
        raise BackendError(message)


def arrays_of(graph: Graph, values: dict[Value, Flat]) -> tuple[Array, ...]:
    """The outputs and the guards' values as new arrays."""
    return tuple(to_numpy(values[v], v.type) for v in graph.guarded_outputs)


def pullback_of(
    graph: Graph, active: tuple[int, ...], pull: reverse.Pullback
) -> Callable[[Arrays], tuple[Array | None, ...]]:
    """From cotangents of the outputs to those of the active inputs, as arrays."""

    def pullback(cotangents: Arrays) -> tuple[Array | None, ...]:
        given = [
            split(g, v.type) if g is not None and is_inexact(v.type.dtype) else None
            for g, v in zip(cotangents, graph.outputs, strict=True)
        ]
        k = next((len(g) for g in given if g is not None), 1)
        arrived = pull(given)
        wanted = [graph.inputs[i] for i in active]
        return tuple(
            join(arrived.get(v), v.type, k) if is_inexact(v.type.dtype) else None for v in wanted
        )

    return pullback


def split(directions: Any, type_: ArrayType) -> list[Flat]:
    """An array with a leading axis of directions as one list of elements per direction."""
    return [from_numpy(d, type_.dtype) for d in directions]


def join(directions: Sequence[Flat] | None, type_: ArrayType, k: int) -> Array:
    """The other way round; zeros where nothing flows."""
    rows = [zeros(type_)] * k if directions is None else directions
    return np.array(rows, type_.dtype).reshape(k, *type_.shape)


#: What protocol.get("reference") gives.
BACKEND = Reference()
