"""The ``numpy`` backend: whole arrays.  Forward with many tangents at once, reverse with one adjoint sweep."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from wengert.backends.protocol import Forward, Reverse, Run
from wengert.backends.vectorized.arrays import Products, swept
from wengert.backends.vectorized.evaluate import Plan
from wengert.backends.vectorized.modes import Pulling, Pushing, owned
from wengert.ir.errors import BackendError
from wengert.ir.graph import Graph
from wengert.ir.passes.components import components

__all__ = ["BACKEND", "NumpyBackend"]

#: So many lanes of small arrays are better as arrays of so many numbers, one for each element.
LANES = 1024


class NumpyBackend:
    """See :class:`wengert.backends.protocol.Backend`."""

    name = "numpy"
    whole_from = 16  #: so many sweeps of a Jacobian are better one program of the whole

    def unavailable(self) -> str | None:
        return None

    def compile(self, graph: Graph) -> Run:
        plan = Plan(components(graph, LANES))
        frees = plan.frees(plan.outputs)

        def run(inputs: Any) -> tuple[Any, ...]:
            with np.errstate(all="ignore"):
                return plan.results(plan.run(inputs, frees))

        return run

    def forward(self, graph: Graph, active: tuple[int, ...]) -> Forward:
        mode = Pushing(graph, active)

        def run(inputs: Any, tangents: Any) -> tuple[Any, Any]:
            with np.errstate(all="ignore"):
                env = mode.values(inputs)
                ends = swept(lambda products: owned(mode.ends, mode.sweep(env, tangents, products), tangents))
                return mode.plan.results(env), ends

        return run

    def reverse(self, graph: Graph, active: tuple[int, ...]) -> Reverse:
        mode = Pulling(graph, active)

        def pull(envs: Iterator[list[Any]], given: Any, *, last: bool) -> Any:
            """``envs`` are the values for the first sweep, and for one more."""
            k = next((len(g) for g in given if g is not None), 1)

            def sweep(products: Products) -> Any:
                return owned(mode.starts, mode.sweep(next(envs), given, k, products, last=last), given, k)

            with np.errstate(all="ignore"):
                return swept(sweep)

        def run(inputs: Any, cotangents: Any = None) -> tuple[Any, Any]:
            with np.errstate(all="ignore"):
                env = mode.values(inputs)
            values = mode.plan.results(env)
            if cotangents is None:
                return values, lambda given: pull(itertools.repeat(env), given, last=False)
            again = (mode.values(inputs) for _ in itertools.count())
            return values, pull(itertools.chain([env], again), cotangents, last=True)

        return run

    def source(self, graph: Graph) -> str:
        message = "The numpy backend generates no source; ask for 'python', which prints NumPy code."
        raise BackendError(message)


BACKEND = NumpyBackend()
