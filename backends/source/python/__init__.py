"""The ``python`` backend: readable NumPy source that could be pasted into a project, run as it is printed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.backends.assembled import assembled
from wengert.backends.protocol import Run
from wengert.backends.python_entrance import Straight
from wengert.backends.rerolled import rerolling
from wengert.backends.source.base import SourceBackend
from wengert.backends.source.python.emit import emit
from wengert.backends.source.python.nan import has_nan
from wengert.ir.collecting import uncollected
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

    def build(self, graph: Graph) -> Run:
        return self._run(graph)

    @uncollected()
    def _run(self, graph: Graph, checked: Sequence[int] = (), instead: Callable[[Any], Any] | None = None) -> Run:
        """The graph; with ``instead``, what that says where a checked output, which is a derivative, has a NaN."""
        program = emit(graph, standalone=False, derived=checked)
        scope: dict[str, Any] = dict(program.globals)
        # The text is ours: names come from counters or a strict pattern, literals from repr of numbers.
        exec(compile(program.text, f"<wengert {program.name}>", "exec"), scope)
        names, results = [f"x{i}" for i in range(len(graph.inputs))], graph.guarded_outputs
        around: dict[str, Any] = {"program": scope[program.name], "array": np.array, "has_nan": has_nan,
                                  "finished": _finished, "nan": np.nan}  # fmt: skip
        given = ", ".join(x if v.type.shape else f"{x}[()]" for x, v in zip(names, graph.inputs, strict=True))
        lines = [f"{''.join(f'r{i}, ' for i in range(len(results)))}= program({given})"] if results else []
        for i, (v, own) in enumerate(zip(results, program.own, strict=True)):
            around[f"d{i}"] = v.type.dtype if v.type.shape else v.type.dtype.type
            made = "finished(r{0}, d{0})" if own else "array(r{0}, d{0}, order='C')"
            lines.append((f"r{{0}} = {made}" if v.type.shape else "r{0} = d{0}(r{0})").format(i))
        ends = [f"r{i}" for i in range(len(results))]
        if instead is not None:
            tests = [f"has_nan(r{i})" if results[i].type.shape else f"r{i} != r{i}" for i in checked]
            ends.append(f"nan if {' or '.join(tests) or 'False'} else 0.0")
        call = assembled("call", names, [*lines, f"return ({''.join(f'{end}, ' for end in ends)})"], around)
        return Straight(call, plain=False, instead=instead).run([v.type for v in results])

    def derivative(
        self, derived: Graph, moving: range, ends: range, then: Callable[[Graph], Graph] | None = None
    ) -> Run:
        """In plain products first, and in exact ones where a NaN comes of it."""
        build = super().derivative
        exact = functools.cache(lambda: build(derived, moving, ends, then))
        plain = plain_products(derived, moving)
        return self._run(plain if then is None else then(plain), ends, lambda inputs: exact()(inputs))


def _finished(x: Any, dtype: np.dtype[Any]) -> Any:
    """An array of ours, of this dtype and C-contiguous."""
    return x if x.flags.c_contiguous and x.dtype == dtype else np.array(x, dtype, order="C")


BACKEND = PythonBackend()
