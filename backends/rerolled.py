"""Programs whose loops Python has unrolled, run and differentiated as loops."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from attrs import frozen

from wengert.backends.protocol import Forward, Reverse, Run
from wengert.ir.collecting import uncollected
from wengert.ir.graph import Graph

if TYPE_CHECKING:
    from wengert.ir.passes.reroll.guards import Gathered

__all__ = ["rerolling"]

_Backend = TypeVar("_Backend")


@frozen(eq=False)
class _Rerolled:
    """A graph with its loops, and what makes of its results those of the graph it stands for."""

    graph: Graph
    guards: Gathered | None = None

    def run(self, run: Run) -> Run:
        """Whatever comes before the guards, and these."""
        found = self.guards
        return run if found is None else lambda inputs: found.values(run(inputs))

    def forward(self, run: Forward) -> Forward:
        """Values and tangents."""
        if (found := self.guards) is None:
            return run

        def forward(inputs: Any, tangents: Any) -> tuple[Any, Any]:
            values, moved = run(inputs, tangents)
            return found.values(values), moved

        return forward

    def reverse(self, run: Reverse) -> Reverse:
        """Values and cotangents, or a pullback."""
        if (found := self.guards) is None:
            return run

        def reverse(inputs: Any, cotangents: Any = None) -> tuple[Any, Any]:
            values, rest = run(inputs, cotangents)
            return found.values(values), rest

        return reverse


@functools.lru_cache(maxsize=4)
@uncollected()
def _rerolled(graph: Graph, least: int) -> _Rerolled:
    """A graph with its loops, the last few of which are remembered; itself where there are none."""
    from wengert.ir.passes.reroll import rolled
    from wengert.ir.passes.reroll.guards import gathered

    loops = rolled(graph, least)
    if loops is graph or not loops.guards:
        return _Rerolled(loops)
    found = gathered(loops)
    return _Rerolled(loops) if found is None else _Rerolled(found.graph, found)


def rerolling(backend: type[_Backend]) -> type[_Backend]:
    """A backend that runs loops where Python has unrolled them, in values and in derivatives.

    Its ``least`` is how many nodes a loop must save: straight code is as good where it is short.
    """
    for name, restored in _RESTORED.items():
        if hasattr(backend, name):
            setattr(backend, name, _looped(getattr(backend, name), restored))
    return backend


def _looped(method: Any, restored: Callable[[_Rerolled, Any], Any]) -> Any:
    @functools.wraps(method)
    def looped(self: Any, graph: Graph, *args: Any) -> Any:
        if len(graph.nodes) < self.least:
            return method(self, graph, *args)
        found = _rerolled(graph, self.least)
        made = method(self, found.graph, *args)
        whole = restored(found, made)
        if whole is not made and hasattr(made, "prepare"):
            whole.prepare = made.prepare
        return whole

    return looped


#: What the methods of a backend give for a graph with loops, as of the graph it stands for.
_RESTORED: dict[str, Callable[[_Rerolled, Any], Any]] = {
    "compile": _Rerolled.run,
    "forward": _Rerolled.forward,
    "reverse": _Rerolled.reverse,
    "gradient": _Rerolled.run,
    "pushed": _Rerolled.run,
}
