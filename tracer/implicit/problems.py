"""A user's function of an unknown, as a graph; and a solver with a derivative of its own, as a node."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.backends.program import Program, is_leaf
from wengert.ir.build import Builder
from wengert.ir.errors import ConvergenceError
from wengert.ir.graph import Graph, Value
from wengert.ir.ops import OPS
from wengert.ir.structure import LEAF, Structure, flatten, unflatten
from wengert.ir.types import ArrayType, is_inexact
from wengert.tracer.array import TraceNamespace
from wengert.tracer.context import current_trace
from wengert.tracer.control import map_
from wengert.tracer.decorator import Traced
from wengert.tracer.derivatives import jvp
from wengert.tracer.location import described, refuse
from wengert.tracer.subprograms import Body, leaves_of, recorded

__all__ = [
    "Problem", "Unknown", "along", "arranged", "columns", "largest", "loose", "moved", "node", "settled", "smallest",
    "staged",
]  # fmt: skip


def staged(what: str, advice: str, run: Callable[..., tuple[Any, Any]], *operands: Any) -> Any:
    """The result of ``run(xp, *operands)``, which gives that and a vector that is finite if it was found.

    Outside a trace it is traced and run at once, and what is not found is an error.
    """
    def here(*given: Any) -> tuple[Any, Any]:
        trace = current_trace()
        assert trace is not None
        trace.locate()
        return run(TraceNamespace(trace), *given)

    if current_trace() is not None:
        return here(*operands)[0]
    result, numbers = Traced(here)(*operands)
    found = np.isfinite(numbers)
    if not np.all(found):
        message = (
            f"At {described()}: {what} found no solution. {advice} (Within a trace the result is NaN, and there is no "
            "error.)"
        )
        raise ConvergenceError(message)
    return result


def _as_array(y: Any, sequence: Any = list) -> Any:
    """A list of numbers is an array, as it is for SciPy."""
    if isinstance(y, sequence) and y and not hasattr(y, "_fields") and all(is_leaf(x) and np.shape(x) == () for x in y):
        return np.stack(y)
    return y


class Unknown:
    """How a nested unknown is one real vector z."""

    def __init__(self, xp: TraceNamespace, y: Any, what: str, dtype: np.dtype[Any] | None = None) -> None:
        self.structure, values = leaves_of(xp, _as_array(y))
        if not values:
            raise refuse(f"{what} has an unknown without numbers: {y!r}.", "Give an array, a number, or nest of them.")
        if any(v.type.dtype.kind == "c" for v in values):
            raise refuse(
                f"{what} has a complex unknown.", "Solve for its real and imaginary part, a pair of real arrays."
            )
        self.dtypes = [v.type.dtype if v.type.dtype.kind == "f" else np.dtype(float) for v in values]
        self.shapes = [v.type.shape for v in values]
        self.type = ArrayType(dtype or np.result_type(*self.dtypes), (sum(v.type.size for v in values),))
        self.start = self.flat([xp.wrap(v) for v in values])

    def flat(self, leaves: Sequence[Any]) -> Any:
        """Leaves as one vector."""
        return np.concatenate([np.reshape(leaf, (-1,)).astype(self.type.dtype) for leaf in leaves])

    def nested(self, z: Any, *, last: int | None = None) -> Any:
        """A vector as the unknown; with ``last``, a row for each of so many, which becomes its last axis."""
        return unflatten(self.structure, iter(self._leaves(z, last)))

    def _leaves(self, z: Any, last: int | None) -> list[Any]:
        found, first = [], 0
        for shape, dtype in zip(self.shapes, self.dtypes, strict=True):
            stop = first + int(np.prod(shape, dtype=int))
            part = z[..., first:stop] if last is None else np.transpose(z[:, first:stop])
            found.append(np.reshape(part, shape if last is None else (*shape, last)).astype(dtype))
            first = stop
        return found

    def like(self, result: Any, name: str) -> Any:
        """A result that is nested and shaped as the unknown, as a vector."""
        leaves: list[Any] = []
        result = _as_array(result, sequence=(list, tuple)) if self.structure == LEAF else result
        found = flatten(result, is_leaf, leaves)
        shapes = [np.shape(leaf) for leaf in leaves]
        if found != self.structure or shapes != self.shapes:
            raise refuse(
                f"{name} returns arrays of shapes {shapes} for an unknown of shapes {self.shapes}.",
                "Return one number for each number of the unknown, nested and shaped as it is.",
            )
        return self.flat(leaves)


class Problem:
    """A function recorded with its unknown as a vector z, and all else that it reads as ``parameters``.

    Within any trace, ``problem(z, *parameters)`` is a call of its graph.
    """

    def __init__(self, graph: Graph, parameters: Sequence[Value] = ()) -> None:
        self.graph, self.parameters = graph, list(parameters)
        self.call = Program(graph)

    def __call__(self, *operands: Any) -> Any:
        (result,) = self.call(*operands)
        return result

    @classmethod
    def of(
        cls, xp: TraceNamespace, flat: Callable[..., Any], given: Sequence[Any], args: Sequence[Any], what: str
    ) -> Problem:
        """``flat(*given, *args)`` recorded: ``given`` are types, ``args`` the user's, ``what`` its name in messages."""
        nested = [leaves_of(xp, argument) for argument in args]
        arguments: list[tuple[Structure, Sequence[ArrayType]]] = [(LEAF, [t]) for t in given]
        arguments += [(structure, [v.type for v in values]) for structure, values in nested]

        def called(*operands: Any) -> Any:
            return flat(*operands)

        called.__name__ = f"of {what}"
        body = recorded(xp, called, arguments, "the function")
        return cls(body.graph, [*(v for _, values in nested for v in values), *body.implicit])


    @classmethod
    def typed(cls, xp: TraceNamespace, function: Callable[..., Any], types: Sequence[ArrayType]) -> Problem:
        """A function of arrays of these types; it reads nothing else."""
        return cls(recorded(xp, function, [(LEAF, [t]) for t in types], "the function").graph)


def moved(function: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any]) -> Any:
    """The tangent of a function's result; of an exact argument there is no tangent."""
    return jvp(function, tuple(primals), tuple(tangents))[1]


def along(tangents: Sequence[Any], values: Sequence[Any]) -> list[Any]:
    """The tangents of inexact values, in order, and None for the others."""
    left = iter(tangents)
    return [next(left) if is_inexact(v.dtype) else None for v in values]


def columns(product: Callable[[Any], Any], type_: ArrayType) -> Any:
    """The matrix of a linear function of vectors of a type."""
    return np.transpose(map_(product, np.eye(type_.size, dtype=type_.dtype)))


def smallest(a: Any, b: Any, cut: float) -> Any:
    """The smallest x among those for which a x is nearest to b; singular values below ``cut`` of the largest are 0."""
    u, s, v = np.linalg.svd(a, full_matrices=False)
    there = s > cut * np.max(s)
    return np.transpose(v) @ np.where(there, (b @ u) / np.where(there, s, 1), 0)


def largest(z: Any) -> Any:
    """The largest magnitude in a vector; NaN if there is one; 0 of an empty one."""
    return np.max(np.abs(z), initial=0.0)


def loose(z: Any) -> float:
    """How near, relatively, is near enough where rounding keeps a search from coming nearer."""
    return float(np.finfo(z.dtype).eps) ** 0.375


def settled(found: Any, z: Any) -> Any:
    """``z`` where it was found, else NaN."""
    return np.where(found, z, np.nan).astype(z.dtype)


def node(
    xp: TraceNamespace, operands: Sequence[Value], function: Callable[..., Any], *,
    jvp: Callable[..., Any], vjp: Callable[..., Any] | None = None,
) -> tuple[Any, ...]:
    """``function(*operands)``, a tuple of arrays, as a custom call.

    ``jvp(*operands, *results, *tangents)`` gives tangents of the inexact results, ``vjp(*operands, *results,
    *cotangents)`` cotangents of the inexact operands; tangents and cotangents are those of what is inexact.
    """
    types = [v.type for v in operands]
    body = _recorded(xp, function, types)
    results = [v.type for v in body.graph.outputs]
    moving, ends = (_tangents(every) for every in (types, results))
    rules = {"jvp": (_recorded(xp, jvp, [*types, *results, *moving]), ends)}
    if vjp is not None:
        rules["vjp"] = (_recorded(xp, vjp, [*types, *results, *ends]), moving)
    bodies = [body, *(rule for rule, _ in rules.values())]
    implicit = list(dict.fromkeys(v for each in bodies for v in each.implicit))
    extra = _tangents([v.type for v in implicit])
    n = len(types)
    graphs: dict[str, Any] = {"graph": arranged(body, n, implicit), "jvp": None, "vjp": None}
    for name, (rule, due) in rules.items():
        graph = arranged(rule, n, implicit, extra if name == "jvp" else [])
        graphs[name] = _giving(graph, due, [] if name == "jvp" else extra)
    made = xp.builder.emit_all(OPS["custom"], [*operands, *implicit], **graphs)
    return tuple(xp.wrap(v) for v in made)


def _recorded(xp: TraceNamespace, function: Callable[..., Any], types: Sequence[ArrayType]) -> Body:
    return recorded(xp, function, [(LEAF, [t]) for t in types], "the solver")


def _tangents(types: Sequence[ArrayType]) -> list[ArrayType]:
    return [ArrayType(t.dtype, t.shape) for t in types if is_inexact(t.dtype)]


def arranged(body: Body, n: int, implicit: Sequence[Value], last: Sequence[ArrayType] = ()) -> Graph:
    """The graph with what any of the graphs reads from outside behind its first ``n`` inputs."""
    inputs = body.graph.inputs
    mine = dict(zip(body.implicit, inputs[body.explicit :], strict=True))
    outer = [mine[v] if v in mine else Value(v.type) for v in implicit]
    return body.graph.evolve(inputs=(*inputs[:n], *outer, *inputs[n : body.explicit], *map(Value, last)))


def _giving(graph: Graph, types: Sequence[ArrayType], zeros: Sequence[ArrayType]) -> Graph:
    """The graph with results of these types, and zeros of some more."""
    b = Builder(graph.name)
    b.inputs.extend(graph.inputs)
    b.nodes.extend(graph.nodes)
    made = [b.convert(v, t) for v, t in zip(graph.outputs, types, strict=True)]
    return b.graph([*made, *(b.convert(b.constant(t.dtype.type(0)), t) for t in zeros)])
