"""The ``numpy`` backend: whole arrays.  Forward with many tangents at once, reverse with one adjoint sweep."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from wengert.backends.protocol import Forward, Reverse, Run
from wengert.backends.vectorized.arrays import Products, swept
from wengert.backends.vectorized.evaluate import Plan
from wengert.backends.vectorized.modes import Pulling, Pushing, owned
from wengert.ir.errors import BackendError
from wengert.ir.graph import Graph

__all__ = ["BACKEND", "NumpyBackend"]


class NumpyBackend:
    """See :class:`wengert.backends.protocol.Backend`."""

    name = "numpy"

    def unavailable(self) -> str | None:
        return None

    def compile(self, graph: Graph) -> Run:
        plan = Plan(graph)
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

        def pull(env: list[Any], given: Any, *, last: bool, again: Any) -> Any:
            k = next((len(g) for g in given if g is not None), 1)
            envs = itertools.chain([env], itertools.repeat(again))

            def sweep(products: Products) -> Any:
                now = next(envs)
                pulled = mode.sweep(now if isinstance(now, list) else now(), given, k, products, last=last)
                return owned(mode.starts, pulled, given, k)

            with np.errstate(all="ignore"):
                return swept(sweep)

        def run(inputs: Any, cotangents: Any = None) -> tuple[Any, Any]:
            with np.errstate(all="ignore"):
                env = mode.values(inputs)
            values = mode.plan.results(env)
            if cotangents is None:
                return values, lambda given: pull(env, given, last=False, again=env)
            return values, pull(env, cotangents, last=True, again=lambda: mode.values(inputs))

        return run

    def source(self, graph: Graph) -> str:
        message = "The numpy backend generates no source; ask for 'python', which prints NumPy code."
        raise BackendError(message)


BACKEND = NumpyBackend()
