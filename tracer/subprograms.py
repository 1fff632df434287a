"""Functions recorded as graphs of their own within a trace: the bodies of loops and branches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from attrs import evolve, frozen

from wengert.backends.program import is_leaf
from wengert.ir.build import Builder
from wengert.ir.graph import Graph, Value
from wengert.ir.passes import dead_code
from wengert.ir.promotion import common_dtype
from wengert.ir.structure import Structure, flatten
from wengert.ir.types import ArrayType
from wengert.tracer.array import Array, TraceNamespace
from wengert.tracer.context import Trace, inner_trace
from wengert.tracer.decorator import record
from wengert.tracer.location import refuse
from wengert.tracer.parameters import signature_of
from wengert.tracer.random import from_outside
from wengert.tracer.variants import Bound

__all__ = ["Body", "described", "is_value", "joined", "leaves_of", "recorded", "returning"]


class _Unknown(Trace):
    """What stands for the arguments of a body: they have types, and no values yet."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what

    def evaluate(self, value: Value) -> Any:
        raise refuse(
            f"Python asks for a value within {self.what}, which is recorded once for every value.",
            "Branch with wg.cond, wg.switch or np.where; repeat with wg.while_loop, wg.fori_loop or wg.scan; and pass "
            "counts and indices that Python needs from outside.",
        )


@frozen
class Body:
    """A function recorded: a graph of its arguments, then of what it reads from outside, which is ``implicit``."""

    graph: Graph
    implicit: list[Value]
    results: Structure
    traced: tuple[ArrayType, ...] = ()  # of what is implicit, that which a trace around it made

    @property
    def explicit(self) -> int:
        """How many inputs are the function's arguments."""
        return len(self.graph.inputs) - len(self.implicit)


def is_value(value: Any) -> bool:
    """Whether something is an array where bools are arrays, too: what loops carry, what branches give."""
    return type(value) is bool or is_leaf(value)


def leaves_of(
    xp: TraceNamespace, value: Any, leaf: Callable[[Any], bool] = is_leaf
) -> tuple[Structure, list[Value]]:
    """A nested value as values of the trace."""
    leaves: list[Any] = []
    structure = flatten(value, leaf, leaves)
    return structure, [xp.lift(leaf) for leaf in leaves]


def recorded(
    xp: TraceNamespace, function: Callable[..., Any], arguments: Sequence[tuple[Structure, Sequence[ArrayType]]],
    what: str, leaf: Callable[[Any], bool] = is_leaf,
) -> Body:
    """A function recorded on arguments of these structures and types; ``leaf`` says what of its results is an array.

    Raises
    ------
    TraceError
        If Python asks for a value of an argument, or the function draws from a Generator outside.
    """
    name = getattr(function, "__name__", "<lambda>")
    what = what if name == "<lambda>" else f"{what} {name}"
    unknown = _Unknown(what)
    above = TraceNamespace(unknown)
    leaves: list[Any] = [Array(above, Value(t)) for _, types in arguments for t in types]
    names = [f"x{i}" for i in range(len(leaves))]
    signature = signature_of(function)
    try:
        bound = signature.bind(*arguments)
    except TypeError as error:
        count = len(arguments)
        raise refuse(f"{what} is called with {count} arguments: {error}.", "Change its parameters.") from None
    bound.apply_defaults()
    structures, given = [], iter(leaves)
    every: list[Any] = []
    for parameter, value in bound.arguments.items():
        if signature.parameters[parameter].kind is signature.parameters[parameter].VAR_POSITIONAL:
            structures.append(Structure("tuple", tuple(s for s, _ in value)))
            every.extend(next(given) for _, types in value for _ in types)
        elif any(value is argument for argument in arguments):
            structures.append(value[0])
            every.extend(next(given) for _ in value[1])
        else:
            structures.append(flatten(value, is_leaf, every))
    names = [f"x{i}" for i in range(len(every))]
    trace = inner_trace("function" if name == "<lambda>" else name)
    graph, sources = record(function, signature, Bound(tuple(structures), every, names), every, trace, leaf)
    if trace.drawn:
        raise refuse(
            f"{what} draws from a random Generator that it reads from outside.",
            "Draw the numbers beforehand and scan over them, or carry a key: wg.key(seed).",
        )
    operands = [xp.lift(from_outside(xp.trace, source)) for source in sources]
    extra = [xp.lift(x) for x in every if not (isinstance(x, Array) and x.owner is unknown)]  # defaults
    graph = graph.evolve(signature=None)
    results = graph.results
    graph = graph.evolve(results=None)
    explicit = [v for v, x in zip(graph.inputs, every, strict=False) if isinstance(x, Array) and x.owner is unknown]
    rest = [v for v in graph.inputs if v not in explicit]
    outer = tuple(s.value.type for s in sources if isinstance(s, Array))
    body = Body(graph.evolve(inputs=(*explicit, *rest)), [*extra, *operands], results, outer)  # type: ignore[arg-type]
    return _without_guards(xp, body, what)


def _without_guards(xp: TraceNamespace, body: Body, what: str) -> Body:
    """Guards on what comes from outside are the caller's; there are no others."""
    graph = body.graph
    if not graph.guards:
        return body
    alone = dead_code(graph.evolve(outputs=()))
    used = set(alone.used_values())
    outer = dict(zip(graph.inputs[body.explicit :], body.implicit, strict=True))
    if any(v in used for v in graph.inputs[: body.explicit]):
        raise refuse(f"Python branches on a value within {what}.", "Use wg.cond, wg.switch or np.where.")
    inputs = tuple(v for v in graph.inputs if v in outer)
    xp.builder.inline(alone.evolve(inputs=inputs), [outer[v] for v in inputs])
    return evolve(body, graph=dead_code(graph.evolve(guards=())))


def returning(graph: Graph, types: Sequence[ArrayType]) -> Graph:
    """The graph with its results, from the first, as values of these types."""
    if all(v.type == t for v, t in zip(graph.outputs, types, strict=False)):
        return graph
    b = Builder(graph.name)
    b.inputs.extend(graph.inputs)
    b.nodes.extend(graph.nodes)
    outputs = [b.cast(v, t.dtype, weak=t.weak) for v, t in zip(graph.outputs, types, strict=False)]
    return b.graph([*outputs, *graph.outputs[len(types) :]])


def joined(types: Sequence[ArrayType]) -> ArrayType:
    """The type that values of these types, alike but for the dtype, are kept in."""
    dtype = common_dtype(types)
    return ArrayType(dtype, types[0].shape, all(t.weak for t in types) and dtype.kind in "ifc")


def described(structure: Structure, types: Sequence[ArrayType]) -> str:
    """A nested value of these types for a message."""
    return _shown(structure, iter(types))


def _shown(structure: Structure, types: Iterator[ArrayType]) -> str:
    if structure.kind == "leaf":
        return str(next(types))
    if structure.kind == "static":
        return repr(structure.static)
    inside = [_shown(child, types) for child in structure.children]
    if structure.kind in ("tuple", "list"):
        comma = "," if structure.kind == "tuple" and len(inside) == 1 else ""
        return f"({', '.join(inside)}{comma})" if structure.kind == "tuple" else f"[{', '.join(inside)}]"
    if structure.kind == "dict":
        return f"{{{', '.join(f'{key!r}: {x}' for key, x in zip(structure.keys, inside, strict=True))}}}"
    return f"{structure.name}({', '.join(f'{key}={x}' for key, x in zip(structure.keys, inside, strict=True))})"
