"""The ``python`` backend: readable NumPy source that could be pasted into a project, run as it is printed."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.backends.protocol import Run
from wengert.backends.quiet import quiet
from wengert.backends.rerolled import rerolling
from wengert.backends.source.base import SourceBackend
from wengert.backends.source.python.emit import emit
from wengert.backends.source.python.nan import has_nan
from wengert.ir.graph import Graph
from wengert.ir.passes import plain_products
from wengert.ir.passes.reroll import rolled

__all__ = ["BACKEND", "PythonBackend"]


@rerolling
class PythonBackend(SourceBackend):
    """See :class:`wengert.backends.protocol.Backend`."""

    name = "python"
    least = 2000  # Python runs straight code faster than loops, but takes its time to compile it

    def unavailable(self) -> str | None:
        return None

    def emit(self, graph: Graph, name: str = "program") -> str:
        return emit(rolled(graph, self.least), None if name == "program" else name).text

    def build(self, graph: Graph, derived: range = range(0)) -> Run:
        """``derived`` are the outputs that are derivatives."""
        program = emit(graph, standalone=False, derived=derived)
        scope: dict[str, Any] = dict(program.globals)
        # The text is ours: names come from counters or a strict pattern, literals from repr of numbers.
        exec(compile(program.text, f"<wengert {program.name}>", "exec"), scope)
        function, dtypes = scope[program.name], [v.type.dtype for v in graph.guarded_outputs]
        scalar = [not v.type.shape for v in graph.inputs]

        @quiet
        def run(inputs: Any) -> tuple[Any, ...]:
            results = function(*[x[()] if flag else x for x, flag in zip(inputs, scalar, strict=True)])
            rows = zip(results, dtypes, program.own, strict=True)
            return tuple([
                r if own and r.flags.c_contiguous and r.dtype == d else np.array(r, dtype=d, order="C")
                for r, d, own in rows
            ])

        return run

    def derivative(
        self, derived: Graph, moving: range, ends: range, then: Callable[[Graph], Graph] | None = None
    ) -> Run:
        """In plain products first, and in exact ones where a NaN comes of it."""
        build = lambda graph: self.build(graph if then is None else then(graph), ends)
        plain = build(plain_products(derived, moving))
        exact = functools.cache(lambda: build(derived))

        def run(inputs: Any) -> tuple[Any, ...]:
            made = plain(inputs)
            return exact()(inputs) if any(map(has_nan, made[ends.start : ends.stop])) else made

        return run


BACKEND = PythonBackend()
