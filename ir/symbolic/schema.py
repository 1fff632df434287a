"""Symbolic graphs: a graph whose types, parameters and constants hold sizes, and the graph it is at known ones.

A symbolic graph is a Graph like any other, with ``sizes`` beside it: the names, the sizes that it was traced at, and
what must hold of them.  Nothing runs it or derives it as it is.  :func:`instantiate` gives the ordinary graph that it
is at given sizes, every type inferred anew; :func:`solve` finds the sizes from the shapes of arguments.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import evolve, field, frozen

from wengert.ir.errors import GraphTypeError, SizeError
from wengert.ir.graph import Constant, Graph, Location, Node, Value
from wengert.ir.symbolic.formulas import FORMS, MAX_ELEMENTS, Formula, constant_at, is_index
from wengert.ir.symbolic.sizes import NAME, RESERVED, Dim, Size, is_symbolic, names_in, replace
from wengert.ir.types import ArrayType

__all__ = [
    "RELATIONS", "Constraint", "Sizes", "broken", "has_sizes", "instantiate", "sizes_complaints", "solve",
    "unsolved",
]  # fmt: skip

MAX_NAMES = 64
MAX_WITNESS = 10_000

RELATIONS = {
    "==": lambda a, b: a == b, "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b, ">=": lambda a, b: a >= b,
}  # fmt: skip


@frozen
class Constraint:
    """What must hold of the sizes: a branch that was taken, or what the program is right for."""

    left: Dim
    relation: str
    right: Dim
    location: Location | None = None

    def holds(self, env: Mapping[str, int]) -> bool:
        """Whether it holds where the names are these."""
        return bool(RELATIONS[self.relation](replace(self.left, env), replace(self.right, env)))

    def __str__(self) -> str:
        return f"{self.left} {self.relation} {self.right}"


@frozen
class Sizes:
    """The named sizes of a symbolic graph.

    ``witness`` holds each name with a size that the graph was traced at; every size is from 0.
    """

    witness: tuple[tuple[str, int], ...]
    constraints: tuple[Constraint, ...] = field(default=())

    @property
    def names(self) -> tuple[str, ...]:
        """The names, in order of first use."""
        return tuple(name for name, _ in self.witness)


def has_sizes(graph: Graph) -> bool:
    """Whether a type, parameter or constant of the graph itself holds a size."""
    values = [*graph.inputs, *(v for node in graph.nodes for v in node.results), *graph.used_values()]
    params = (tuple(node.params.values()) for node in graph.nodes)
    return any(isinstance(v, Formula) or is_symbolic(v.type.shape) for v in values) or any(map(is_symbolic, params))


def broken(sizes: Sizes, env: Mapping[str, int]) -> Constraint | None:
    """The first constraint that does not hold."""
    return next((c for c in sizes.constraints if not c.holds(env)), None)


# ----- Known sizes -----


def instantiate(graph: Graph, env: Mapping[str, int], *, limit: int = MAX_ELEMENTS) -> Graph:
    """The ordinary graph that a symbolic one is where the sizes are these.

    ``limit`` is how many elements the constants that sizes make may have together.

    Raises
    ------
    SizeError
        If a constraint does not hold, a size is negative, or an op is not defined for such sizes.
    """
    if graph.sizes is not None:
        if set(env) != set(graph.sizes.names):
            raise SizeError(f"The graph {graph.name!r} has the sizes {', '.join(graph.sizes.names)}; got {_list(env)}.")
        if wrong := [name for name, n in env.items() if type(n) is not int or not 0 <= n < 2**62]:
            raise SizeError(f"The size {wrong[0]} is {env[wrong[0]]!r}; expected a count.")
        if (constraint := broken(graph.sizes, env)) is not None:
            raise SizeError(
                f"The graph {graph.name!r} holds for sizes with {constraint} alone, and now {_list(env)}. "
                "Trace the function for such sizes apart.",
                location=constraint.location,
            )
    return _Instance(env, limit).graph(graph)


def _list(env: Mapping[str, int]) -> str:
    return ", ".join(f"{name} = {n}" for name, n in env.items())


class _Instance:
    """Graphs with sizes filled in; each called graph once."""

    def __init__(self, env: Mapping[str, int], left: int) -> None:
        self.env = env
        self.left = left
        self.done: dict[int, tuple[Graph, Graph]] = {}

    def graph(self, graph: Graph) -> Graph:
        if id(graph) not in self.done:
            self.done[id(graph)] = graph, self._graph(graph)  # the first is kept, so that its id is
        return self.done[id(graph)][1]

    def _graph(self, graph: Graph) -> Graph:
        now: dict[Value, Value] = {v: Value(self.type(v.type), v.name) for v in graph.inputs}

        def at(value: Value) -> Value:
            if value not in now:
                now[value] = self.constant(value)
            return now[value]

        nodes = []
        for node in graph.nodes:
            made = self.node(node, tuple(map(at, node.operands)))
            nodes.append(made)
            now.update(zip(node.results, made.results, strict=True))
        return graph.evolve(
            inputs=tuple(now[v] for v in graph.inputs), nodes=tuple(nodes), outputs=tuple(map(at, graph.outputs)),
            guards=tuple(evolve(guard, value=at(guard.value)) for guard in graph.guards), sizes=None,
        )  # fmt: skip

    def constant(self, value: Value) -> Value:
        if isinstance(value, Formula):
            made = constant_at(value, self.env, self.left)
            self.left -= made.type.size
            return made
        if isinstance(value, Constant):
            return value
        raise SizeError("A value is read that no input, constant or node above defines.")

    def type(self, type_: ArrayType) -> ArrayType:
        if not is_symbolic(type_.shape):
            return type_
        shape = replace(type_.shape, self.env)  # in which a stack may have STEPS, as it was
        if any(n < 0 for n, dim in zip(shape, type_.shape, strict=True) if is_symbolic(dim)):
            raise SizeError(f"The sizes of {type_} are {shape} where {_list(self.env)}; expected counts.")
        return ArrayType(type_.dtype, shape, type_.weak)

    def param(self, value: Any) -> Any:
        if isinstance(value, Graph):
            return self.graph(value)
        if type(value) is tuple:
            return tuple([self.param(item) for item in value])
        return replace(value, self.env)

    def node(self, node: Node, operands: tuple[Value, ...]) -> Node:
        params = {name: self.param(value) for name, value in node.params.items()}
        try:
            types = node.op.infer(tuple(v.type for v in operands), params)
        except Exception as error:  # a rule meets here whatever sizes there are
            known = error if isinstance(error, GraphTypeError) else repr(error)
            raise SizeError(f"Where {_list(self.env)}: {known}", op=node.op.name, location=node.location) from error
        if list(types) != [self.type(v.type) for v in node.results]:
            stated = ", ".join(str(v.type) for v in node.results)
            got = ", ".join(map(str, types))
            raise SizeError(
                f"Where {_list(self.env)}: {node.op.name} gives {got}, and the graph says {stated}.",
                op=node.op.name, location=node.location,
            )  # fmt: skip
        return Node(node.op, operands, params, tuple(map(Value, types, (v.name for v in node.results))), node.location)


# ----- Sizes from shapes -----


@frozen
class Equation:
    """One axis of one argument: the size that the graph states, and the one that was given."""

    dim: Dim
    given: int
    argument: str
    axis: int


def solve(graph: Graph, shapes: Sequence[tuple[int, ...]], arguments: Sequence[str]) -> dict[str, int]:
    """The sizes for which arguments have these shapes; plain names first, then expressions that have one name left.

    Raises
    ------
    SizeError
        Naming the argument, the axis and the equation that failed.
    """
    assert graph.sizes is not None  # of a symbolic graph
    equations = []
    for value, shape, argument in zip(graph.inputs, shapes, arguments, strict=True):
        dims = value.type.shape
        if len(dims) != len(shape):
            raise SizeError(
                f"Argument {argument} has {len(shape)} axes, of sizes {shape}; the graph was made for {len(dims)}, "
                f"{value.type}."
            )
        equations += [Equation(*pair, argument, axis) for axis, pair in enumerate(zip(dims, shape, strict=True))]
    env, origin = _solution(equations)
    for each in equations:
        if unknown := [name for name in names_in(each.dim) if name not in env]:
            raise SizeError(
                f"Argument {each.argument} has size {each.given} along axis {each.axis}, which is {each.dim} and does "
                f"not tell {unknown[0]!r}{_because(each.dim, env, origin)}."
            )
        if (wanted := replace(each.dim, env)) != each.given:
            raise SizeError(_mismatch(each, wanted, env, origin))
    return {name: env[name] for name in graph.sizes.names}


def _solution(equations: Sequence[Equation]) -> tuple[dict[str, int], dict[str, Equation]]:
    env: dict[str, int] = {}
    origin: dict[str, Equation] = {}
    waiting = sorted((e for e in equations if type(e.dim) is Size), key=lambda e: len(str(e.dim)))
    while waiting:
        for each in waiting:
            found = _only_name(each.dim, env)
            if found is not None:
                break
        else:
            return env, origin
        waiting.remove(each)
        name, factor, rest = found
        if name is None:
            continue
        n, left = divmod(each.given - rest, factor)
        if left or n < 0:
            raise SizeError(
                f"Argument {each.argument} has size {each.given} along axis {each.axis}; no size {name} makes "
                f"{each.dim} == {each.given}{_because(each.dim, env, origin)}."
            )
        env[name], origin[name] = n, each
    return env, origin


def _only_name(dim: Any, env: Mapping[str, int]) -> tuple[str | None, int, int] | None:
    """(name, factor, rest) where a size comes to factor * name + rest; name None where it is known; else None."""
    unknown = [name for name in dict.fromkeys(names_in(dim)) if name not in env]
    if not unknown:
        return None, 1, 0
    if len(unknown) > 1:
        return None
    (name,) = unknown
    known = dim.evaluate({**env, name: Size(((((name, 1),), 1),))})
    terms = dict(known.terms) if type(known) is Size else {}
    rest, factor = terms.pop((), 0), terms.pop(((name, 1),), 0)
    return (name, factor, rest) if factor and not terms else None


def unsolved(graph: Graph) -> list[str]:
    """The names that no shape of an argument tells."""
    assert graph.sizes is not None  # of a symbolic graph
    env = dict(graph.sizes.witness)
    equations = [Equation(d, replace(d, env), "", 0) for v in graph.inputs for d in v.type.shape]
    return [name for name in env if name not in _solution(equations)[0]]


def _because(dim: Any, env: Mapping[str, int], origin: Mapping[str, Equation]) -> str:
    """Which known sizes a message builds on, and where they come from."""
    names = [name for name in dict.fromkeys(names_in(dim)) if name in env]
    parts = [f"{name} = {env[name]} (axis {origin[name].axis} of {origin[name].argument})" for name in names]
    return f", where {' and '.join(parts)}" if parts else ""


def _mismatch(each: Equation, wanted: int, env: Mapping[str, int], origin: Mapping[str, Equation]) -> str:
    if type(each.dim) is not Size:
        equation = f"the graph was made for {each.dim}"
    elif str(wanted) == str(each.dim):
        equation = f"expected {each.dim}"
    else:
        equation = f"{each.dim} == {each.given} does not hold: it is {wanted}{_because(each.dim, env, origin)}"
    return f"Argument {each.argument} has size {each.given} along axis {each.axis}; {equation}."


def sizes_complaints(graph: Graph, calls: Sequence[Graph]) -> Iterator[str]:
    """What is wrong with what a symbolic graph, and the graphs it calls, say about sizes."""
    sizes = graph.sizes
    assert sizes is not None  # of a symbolic graph
    names = sizes.names
    if len(set(names)) != len(names) or len(names) > MAX_NAMES:
        yield f"the sizes {', '.join(names)} are named twice, or more than {MAX_NAMES}."
    for name, n in sizes.witness:
        if not NAME.fullmatch(name) or name in RESERVED or name.startswith("_"):
            yield f"{name!r:.100} cannot name a size."
        if type(n) is not int or not 0 <= n <= MAX_WITNESS:
            yield f"the graph was traced with {name} = {n!r:.40}; expected a count up to {MAX_WITNESS}."
    for constraint in sizes.constraints:
        if constraint.relation not in RELATIONS:
            yield f"{constraint.relation!r:.20} is no comparison of sizes."
    if any(inner.sizes is not None for inner in calls if inner is not graph):
        yield "a called graph names sizes; the graph that calls it has them."
    used = itertools.chain(*map(used_names, calls), *(names_in((c.left, c.right)) for c in sizes.constraints))
    if unknown := next((name for name in used if name not in names), None):
        yield f"the size {unknown!r:.100} is not among {', '.join(names) or 'none'}."
    for formula in (v for inner in calls for v in inner.used_values() if isinstance(v, Formula)):
        axes = [int(name[1:]) for name in names_in(formula.args) if is_index(name)]
        if formula.form not in FORMS or (axes and max(axes) >= formula.type.ndim):
            yield f"{formula.form!r:.40} is no formula, or has an index of an axis that is not there."
    if told := unsolved(graph):
        yield f"no axis of an input tells the size {told[0]!r}."


def used_names(graph: Graph) -> Iterator[str]:
    """The names in the sizes of the graph itself, with repetitions; not its indices."""
    values = [*graph.inputs, *(v for node in graph.nodes for v in node.results), *graph.used_values()]
    for value in values:
        yield from names_in(value.type.shape)
        if isinstance(value, Formula):
            yield from (name for name in names_in(value.args) if not is_index(name))
    for node in graph.nodes:
        yield from names_in(tuple(node.params.values()))
