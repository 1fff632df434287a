"""The ``numpy`` backend: whole arrays.  Forward with many tangents at once, reverse with one adjoint sweep."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from wengert.backends.protocol import Forward, Reverse, Run
from wengert.backends.python_entrance import Straight
from wengert.backends.quiet import quiet
from wengert.backends.rerolled import rerolling
from wengert.backends.vectorized.adjoint import settled, sweep
from wengert.backends.vectorized.arrays import Products, swept
from wengert.backends.vectorized.checks import Check
from wengert.backends.vectorized.distribution import distributed
from wengert.backends.vectorized.lines import Lines
from wengert.backends.vectorized.modes import Pulling, Pushing, active_nodes, owned
from wengert.backends.vectorized.numbers import numbers
from wengert.ir.collecting import uncollected
from wengert.ir.errors import BackendError
from wengert.ir.graph import Constant, Graph, Value
from wengert.ir.passes import early_sums, inline_calls, plain_products, plain_where_told, telling
from wengert.ir.passes.components import components
from wengert.ir.passes.rewriting import substitute
from wengert.ir.types import is_inexact

__all__ = ["BACKEND", "NumpyBackend"]

#: When lanes of small arrays are better as arrays of so many numbers, one for each element: each of these is a call.
APART = {"lanes": 1024, "gains": 4, "parts": 4000, "mean": 8}


@uncollected()
def straight(graph: Graph, checked: Sequence[int] = (), instead: Any = None) -> Run:
    """A graph as a function of its own, without axes on plain numbers; ``instead(inputs)`` has the answer where there
    is a NaN in a checked output, which are derivatives."""
    types = [v.type for v in graph.guarded_outputs]
    if instead is None:
        check = None
    else:
        early = early_sums(graph)
        check = Check(telling(graph, checked), early is not None)
        graph = graph if early is None else settled(early)
    plain = numbers(graph, check)
    call, loud = plain or (Lines(distributed(graph), own=True, derived=checked).function("program", check=check), True)
    return Straight(call, plain is not None, loud, instead).run(types)


def one_pulled(graph: Graph, active: tuple[int, ...], several: Reverse) -> Callable[[Any, Any], Any]:
    """Values and cotangents for one cotangent of each output; by ``several`` where plain products do not do."""
    moving = [i for i, v in enumerate(graph.outputs) if is_inexact(v.type.dtype)]
    n, stop = len(graph.inputs), len(graph.guarded_outputs)

    def instead(given: Any) -> tuple[Any, ...]:
        cotangents = dict(zip(moving, given[n:], strict=True))
        values, pulled = several(given[:n], [cotangents[i][None] if i in cotangents else None for i in range(stop)])
        return (*values, *(g[0] for g in pulled))

    run = straight(sweep(graph, active).graph, range(stop, stop + len(active)), instead)

    def pulled(inputs: Any, cotangents: Any) -> Any:
        made = run([*inputs, *[cotangents[i][0] for i in moving]])
        return made[:stop], tuple([g[None] for g in made[stop:]])

    return pulled


class Sweeps:
    """Values and pullback for any number of cotangents."""

    def __init__(self, graph: Graph, active: tuple[int, ...]) -> None:
        self.graph, self.active = graph, active

    @functools.cached_property
    def mode(self) -> Pulling:
        return Pulling(self.graph, self.active)

    def pull(self, envs: Iterator[list[Any]], given: Any, *, last: bool) -> Any:
        """``envs`` are the values for the first sweep, and for one more."""
        mode, k = self.mode, next((len(g) for g in given if g is not None), 1)

        def sweep(products: Products) -> Any:
            return owned(mode.starts, mode.sweep(next(envs), given, k, products, last=last), given, k)

        return quiet(swept)(sweep)  # type: ignore[no-any-return]

    def __call__(self, inputs: Any, cotangents: Any) -> tuple[Any, Any]:
        mode = self.mode
        env = quiet(mode.values)(inputs)
        values = mode.plan.results(env)
        if cotangents is None:
            return values, lambda given: self.pull(itertools.repeat(env), given, last=False)
        again = (mode.values(inputs) for _ in itertools.count())
        return values, self.pull(itertools.chain([env], again), cotangents, last=True)


@rerolling
class NumpyBackend:
    """See :class:`wengert.backends.protocol.Backend`."""

    name = "numpy"
    least = 256  #: nodes that a loop must save; as c has it, so that one search does for both
    whole_from = 16  #: so many sweeps of a Jacobian are better one program of the whole

    def unavailable(self) -> str | None:
        return None

    @uncollected()
    def compile(self, graph: Graph) -> Run:
        exact = settled(inline_calls(components(graph, **APART)))
        plain, told = plain_where_told(exact)
        if not told:
            return straight(exact)
        again = functools.cache(lambda: straight(exact))
        return straight(settled(plain), told, lambda inputs: again()(inputs))

    def forward(self, graph: Graph, active: tuple[int, ...]) -> Forward:
        mode = Pushing(graph, active)

        @quiet
        def run(inputs: Any, tangents: Any) -> tuple[Any, Any]:
            env = mode.values(inputs)
            ends = swept(lambda products: owned(mode.ends, mode.sweep(env, tangents, products), tangents))
            return mode.plan.results(env), ends

        return run

    def reverse(self, graph: Graph, active: tuple[int, ...]) -> Reverse:
        moving = [i for i, v in enumerate(graph.outputs) if is_inexact(v.type.dtype)]
        several = Sweeps(graph, active)
        one = functools.cache(lambda: one_pulled(graph, active, several))
        active_nodes(graph, active)  # where a rule is unknown, it is refused now

        def run(inputs: Any, cotangents: Any = None) -> tuple[Any, Any]:
            if cotangents is not None and all(cotangents[i] is not None and len(cotangents[i]) == 1 for i in moving):
                return one()(inputs, cotangents)  # type: ignore[no-any-return]
            return several(inputs, cotangents)

        return run

    def gradient(self, graph: Graph, active: tuple[int, ...]) -> Run:
        """Of a graph whose one inexact output, the first, is a real number: the outputs, its gradient and the guards.
        The seed is a constant, 1."""
        written, type_ = sweep(graph, active), graph.outputs[0].type
        one: dict[Value, Value] = {g: Constant.of(type_.dtype.type(1)) for g in written.given}
        whole = settled(substitute(written.graph.evolve(inputs=written.graph.inputs[: len(graph.inputs)]), one))
        m, n = len(graph.outputs), len(graph.guarded_outputs)
        outputs = (*whole.outputs[:m], *whole.outputs[n:], *whole.outputs[m:n])
        several, ones = Sweeps(graph, active), [np.ones(1, type_.dtype), *[None] * (m - 1)]

        def instead(inputs: Any) -> tuple[Any, ...]:
            values, cotangents = several(inputs, ones)
            return (*values[:m], *(g[0] for g in cotangents), *values[m:])

        return straight(whole.evolve(outputs=outputs), range(m, m + len(active)), instead)

    def pushed(self, graph: Graph, active: tuple[int, ...], given: int) -> Run:
        """Along one direction, whose tangents come after so many inputs: the outputs, their tangents and the guards.
        Of the graph of both, which is worth writing once a function is called again and again."""
        from wengert.ir.autodiff import jvp

        both, n = jvp(graph, active), len(graph.inputs)
        exact = both.evolve(inputs=(*both.inputs[:given], *both.inputs[n:], *both.inputs[given:n]))
        plain = plain_products(exact, range(given, given + len(active)))
        again = functools.cache(lambda: self.compile(exact))
        ends = range(len(graph.outputs), len(both.outputs))
        return straight(settled(inline_calls(plain)), ends, lambda inputs: again()(inputs))

    def source(self, graph: Graph) -> str:
        message = "The numpy backend generates no source; ask for 'python', which prints NumPy code."
        raise BackendError(message)


BACKEND = NumpyBackend()
