"""The ``python`` backend: readable NumPy source that could be pasted into a project, run as it is printed."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.backends.protocol import Forward, Reverse, Run
from wengert.backends.source.base import SourceBackend
from wengert.backends.source.python.emit import emit
from wengert.backends.source.python.nan import has_nan
from wengert.ir import autodiff
from wengert.ir.graph import Graph
from wengert.ir.passes import plain_products
from wengert.ir.types import is_inexact

__all__ = ["BACKEND", "PythonBackend"]


class PythonBackend(SourceBackend):
    """See :class:`wengert.backends.protocol.Backend`."""

    name = "python"

    def unavailable(self) -> str | None:
        return None

    def emit(self, graph: Graph, name: str = "program") -> str:
        return emit(graph, None if name == "program" else name).text

    def build(self, graph: Graph) -> Run:
        program = emit(graph, standalone=False)
        scope: dict[str, Any] = dict(program.globals)
        # The text is ours: names come from counters or a strict pattern, literals from repr of numbers.
        exec(compile(program.text, f"<wengert {program.name}>", "exec"), scope)
        function, dtypes = scope[program.name], [v.type.dtype for v in graph.guarded_outputs]
        scalar = [not v.type.shape for v in graph.inputs]

        @np.errstate(all="ignore")
        def run(inputs: Any) -> tuple[Any, ...]:
            results = function(*[x[()] if flag else x for x, flag in zip(inputs, scalar, strict=True)])
            rows = zip(results, dtypes, program.own, strict=True)
            return tuple([
                r if own and r.flags.c_contiguous and r.dtype == d else np.array(r, dtype=d, order="C")
                for r, d, own in rows
            ])

        return run

    def forward(self, graph: Graph, active: tuple[int, ...]) -> Forward:
        n, ends = len(graph.inputs), [is_inexact(v.type.dtype) for v in graph.outputs]
        m, count = len(graph.outputs), sum(ends)
        plain = self._plain(autodiff.jvp(graph, active), n)
        exact = super().forward(graph, active)

        def run(inputs: Any, tangents: Any) -> tuple[Any, Any]:
            if not (tangents and len(tangents[0]) == 1):
                return exact(inputs, tangents)
            made = plain([*inputs, *(t[0] for t in tangents)])
            if any(map(has_nan, made[m : m + count])):
                return exact(inputs, tangents)
            moved = iter(made[m : m + count])
            return (*made[:m], *made[m + count :]), tuple([next(moved)[None] if end else None for end in ends])

        return run

    def reverse(self, graph: Graph, active: tuple[int, ...]) -> Reverse:
        n, ends = len(graph.inputs), [i for i, v in enumerate(graph.outputs) if is_inexact(v.type.dtype)]
        m, stop = len(graph.outputs), len(graph.outputs) + len(active)
        plain = self._plain(autodiff.vjp(graph, active), n)
        exact = super().reverse(graph, active)

        def run(inputs: Any, cotangents: Any = None) -> tuple[Any, Any]:
            if cotangents is None or any(cotangents[i] is None or len(cotangents[i]) != 1 for i in ends):
                return exact(inputs, cotangents)
            made = plain([*inputs, *(cotangents[i][0] for i in ends)])
            if any(map(has_nan, made[m:stop])):
                return exact(inputs, cotangents)
            return (*made[:m], *made[stop:]), tuple([g[None] for g in made[m:stop]])

        return run

    def _plain(self, derived: Graph, n: int) -> Run:
        """A derivative in plain products, linear in the inputs from n on; right where no NaN arrives."""
        return self.build(plain_products(derived, range(n, len(derived.inputs))))


BACKEND = PythonBackend()
