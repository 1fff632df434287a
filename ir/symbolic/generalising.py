"""One symbolic graph from the ordinary graphs of several sizes.

The graphs must be the same program: the same nodes in the same order.  Every whole number in which they differ (of a
shape, a parameter, a constant) becomes the size that it is at each of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from attrs import evolve

from wengert.ir.errors import SizeError
from wengert.ir.graph import Constant, Graph, Guard, Location, Node, Value
from wengert.ir.symbolic.fitting import Fitter, as_text
from wengert.ir.symbolic.formula_fitting import fit_constant
from wengert.ir.symbolic.sizes import Dim
from wengert.ir.types import ArrayType

__all__ = ["ConstantError", "check_alike", "generalised"]

LOOPS = (
    "Replace a Python loop over elements by a NumPy function over the axis, or by wg.scan or wg.fori_loop; or give "
    "the axis a number instead of a name."
)


def generalised(graphs: Sequence[Graph], fitter: Fitter, shapes: Sequence[Any] | None = None) -> Graph:
    """The graph, with sizes, that is each of these at its witness; ``shapes`` are those of its inputs, where known.

    Raises
    ------
    SizeError
        Naming the line, if the graphs differ in more than numbers, or a number is no known function of the sizes.
    """
    for shape in shapes or ():
        for dim in shape:
            fitter.learn(dim)
    return _General(fitter).graph(tuple(graphs))


def check_alike(first: Graph, other: Graph, envs: Sequence[Mapping[str, int]]) -> None:
    """Raise, naming the line, unless two graphs are one program but for whole numbers and the elements of constants."""
    _Alike(Fitter(envs)).graph((first, other))


def _check_ops(first: Graph, other: Graph, envs: Sequence[Mapping[str, int]]) -> None:
    longer = first if len(first.nodes) >= len(other.nodes) else other
    for k, (a, b) in enumerate(itertools.zip_longest(first.nodes, other.nodes)):
        if a is None or b is None or a.op is not b.op or len(a.operands) != len(b.operands):
            raise SizeError(
                f"The program itself depends on a size: where {_list(envs[0])} it has {len(first.nodes)} nodes, and "
                f"where {_list(envs[1])} {len(other.nodes)}, which part here: {_op(a)} and {_op(b)}. {LOOPS}",
                location=longer.nodes[k].location,
            )


def _op(node: Node | None) -> str:
    return "the end" if node is None else node.op.name


def _list(env: Mapping[str, int]) -> str:
    return ", ".join(f"{name} = {n}" for name, n in env.items())


class ConstantError(SizeError):
    """A constant is no formula that a graph can hold."""


class _General:
    """Walks all graphs in step."""

    def __init__(self, fitter: Fitter) -> None:
        self.fitter = fitter
        self.graphs: dict[tuple[int, ...], Graph] = {}
        self.constants: dict[tuple[Any, ...], Value] = {}
        self.location: Location | None = None

    def refuse(self, what: str) -> SizeError:
        return SizeError(what, location=self.location)

    def graph(self, graphs: tuple[Graph, ...]) -> Graph:
        key = tuple(map(id, graphs))
        if key not in self.graphs:
            self.graphs[key] = self._graph(graphs)
        return self.graphs[key]

    def _graph(self, graphs: tuple[Graph, ...]) -> Graph:
        first = graphs[0]
        for other, env in zip(graphs[1:], self.fitter.envs[1:], strict=True):
            _check_ops(first, other, (self.fitter.envs[0], env))
            self.check_results(first, other)
        numbers: list[dict[Value, int]] = [{} for _ in graphs]
        made: list[Value] = []

        def define(values: Sequence[Value]) -> Value:
            for known, value in zip(numbers, values, strict=True):
                known[value] = len(made)
            made.append(Value(self.type([v.type for v in values]), values[0].name))
            return made[-1]

        def read(values: Sequence[Value]) -> Value:
            places = {known.get(value) for known, value in zip(numbers, values, strict=True)}
            if places == {None}:
                return self.constant(values)  # type: ignore[arg-type]
            if len(places) > 1:
                raise self.refuse(f"Which value is read here depends on a size. {LOOPS}")
            return made[places.pop()]  # type: ignore[index]

        inputs = [define(values) for values in zip(*(g.inputs for g in graphs), strict=True)]
        nodes = []
        for alike in zip(*(g.nodes for g in graphs), strict=True):
            self.location = alike[0].location
            operands = tuple(map(read, zip(*(n.operands for n in alike), strict=True)))
            results = tuple(map(define, zip(*(n.results for n in alike), strict=True)))  # parameters build on them
            params = {name: self.param(name, [n.params[name] for n in alike]) for name in alike[0].params}
            nodes.append(Node(alike[0].op, operands, params, results, self.location))
        guards = []
        for same in zip(*(g.guards for g in graphs), strict=True):
            self.location = same[0].location
            guards.append(Guard(read([g.value for g in same]), same[0].expected, self.location))
        self.location = None
        outputs = tuple(map(read, zip(*(g.outputs for g in graphs), strict=True)))
        return evolve(first, inputs=tuple(inputs), nodes=tuple(nodes), outputs=outputs, guards=tuple(guards))

    def check_results(self, first: Graph, other: Graph) -> None:
        counts = [(len(g.inputs), len(g.outputs), [guard.expected for guard in g.guards]) for g in (first, other)]
        kept = [g.signature and (g.signature.parameters, g.signature.arguments) for g in (first, other)]
        if counts[0] != counts[1] or first.results != other.results or kept[0] != kept[1]:
            raise self.refuse(f"How many results there are, or how they are nested, depends on a size. {LOOPS}")

    def dim(self, values: Sequence[Any], what: str) -> Dim:
        found = self.fitter.fit(values)
        if found is None:
            where = "; ".join(_list(env) for env in self.fitter.envs[:4])
            raise self.refuse(
                f"{what} is {as_text(values)} where {where}; it was expected to be an expression in these sizes with "
                "+ * // % min max. Does it depend on how large an array is in some other way? Give the axis a number "
                "instead of a name."
            )
        return found

    def type(self, types: Sequence[ArrayType]) -> ArrayType:
        first = types[0]
        if all(t == first for t in types):
            return first
        if any((t.dtype, t.ndim, t.weak) != (first.dtype, first.ndim, first.weak) for t in types):
            raise self.refuse(f"The dtype or number of axes of a value depends on a size: {as_text(types)}. {LOOPS}")
        shape: Any = tuple(self.dim([t.shape[a] for t in types], "The size of an axis") for a in range(first.ndim))
        return ArrayType(first.dtype, shape, first.weak)

    def param(self, name: str, values: Sequence[Any]) -> Any:
        first = values[0]
        kinds = set(map(type, values))
        if kinds == {Graph}:
            return self.graph(tuple(values))
        if kinds == {tuple} and len(set(map(len, values))) == 1:
            return tuple(self.param(name, list(items)) for items in zip(*values, strict=True))
        if kinds == {int}:
            return self.dim(values, f"The parameter {name}")
        if len(kinds) > 1 or any(v != first and not (v != v and first != first) for v in values):
            raise self.refuse(f"The parameter {name} depends on a size: it is {as_text(values)}. {LOOPS}")
        return first

    def constant(self, constants: Sequence[Constant]) -> Value:
        key = tuple(c.key for c in constants)
        if all(k == key[0] for k in key):
            return self.constants.setdefault(key[0], constants[0])
        if key not in self.constants:
            type_ = self.type([c.type for c in constants])
            with np.errstate(all="ignore"):
                found = fit_constant(self.fitter, [c.array for c in constants], type_, constants[0].name)
            if found is None:
                shapes = as_text([f"{c.array:.6g}" if c.array.ndim == 0 else c.type for c in constants])
                raise ConstantError(
                    f"A constant that depends on a size ({shapes}) is no formula that a graph can hold; known are "
                    "numbers that are quotients of sizes, their roots and logarithms, even steps, diagonals and "
                    "triangles, and NumPy's windows. Pass it as an argument, or give the axis a number instead of a "
                    "name.",
                    location=self.location,
                )
            self.constants[key] = found
        return self.constants[key]


class _Alike(_General):
    """Takes every number, and every constant, for one that could be fitted."""

    def dim(self, values: Sequence[Any], what: str) -> Dim:
        return int(values[0])

    def constant(self, constants: Sequence[Constant]) -> Value:
        self.type([c.type for c in constants])
        return constants[0]
