"""The ``python`` backend: readable NumPy source that could be pasted into a project, run as it is printed."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.backends.protocol import Run
from wengert.backends.source.base import SourceBackend
from wengert.backends.source.python.emit import emit
from wengert.ir.graph import Graph

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

        def run(inputs: Any) -> tuple[Any, ...]:
            with np.errstate(all="ignore"):
                results = function(*inputs)
            return tuple(np.array(r, dtype=d, order="C") for r, d in zip(results, dtypes, strict=True))

        return run


BACKEND = PythonBackend()
