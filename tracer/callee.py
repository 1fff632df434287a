"""What a derivative is taken of: a function, a traced function or a program, seen alike."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from attrs import frozen

from wengert.backends.direct import Entrances
from wengert.backends.program import Program, check_guards
from wengert.ir.errors import DerivativeError, SizeError, TraceError
from wengert.ir.graph import Graph
from wengert.ir.structure import LEAF, Structure, flatten, leaf_paths, only, unflatten
from wengert.ir.types import is_inexact, type_of
from wengert.tracer.array import Array, TraceNamespace
from wengert.tracer.context import current_trace, inner_trace
from wengert.tracer.decorator import BoundMethod, Traced, record
from wengert.tracer.entrances import Path
from wengert.tracer.numpy_api import FUNCTIONS  # noqa: F401 (gives traced arrays their methods)
from wengert.tracer.random import carry_on, from_outside
from wengert.tracer.variants import Bound

__all__ = ["Call", "Callee", "Recorded", "Selection", "matched"]


@frozen
class Selection:
    """The arguments a derivative is taken of: the leaves of each, and how they are nested."""

    active: tuple[int, ...]
    structures: tuple[Structure, ...]
    single: bool

    @property
    def structure(self) -> Structure:
        """How :meth:`nest` nests."""
        return self.structures[0] if self.single else Structure("tuple", self.structures)

    def nest(self, flat: Sequence[Any]) -> Any:
        """Values of the active leaves, nested as the chosen arguments are."""
        leaves = iter(flat)
        nested = tuple(unflatten(s, leaves) for s in self.structures)
        return nested[0] if self.single else nested


class Callee:
    """A function or graph, ready to be called and differentiated."""

    def __init__(self, target: Any, backend: str | None) -> None:
        if isinstance(target, Graph):
            target = Program(target)
        if isinstance(target, BoundMethod):
            target = target.function
        if not isinstance(target, (Program, Traced)):
            if not callable(target):
                message = f"A derivative is taken of a function, traced function or graph; got {target!r}."
                raise TypeError(message)
            target = Traced(target)
        self.target = target
        self.backend = backend or target.backend

    def entrances(self, what: str, *options: Any) -> Entrances:
        """Those of something that is done with the target, however often it is asked for anew."""
        return self.target._entrances.of((what, *map(repr, options), self.backend))  # noqa: SLF001 (ours)

    def takes_out(self) -> bool:
        """Whether ``out`` is ours: no parameter is called so."""
        if isinstance(self.target, Program):
            return self.target.takes_out()
        found = self.target.signature.parameters.values()
        return all(p.name != "out" and p.kind is not p.VAR_KEYWORD for p in found)

    @property
    def name(self) -> str:
        """For messages."""
        return self.target.graph.name if isinstance(self.target, Program) else self.target.__name__

    def call(self, args: tuple[Any, ...], kwargs: dict[str, Any], *, fit: bool = True) -> Call:
        """The arguments bound; with ``fit``, to a symbolic program at the sizes that they have."""
        if isinstance(self.target, Traced):
            return Call(self, self.target.bind(args, kwargs), _positions(self.target.signature, args), len(args))
        leaves = self.target.leaves(args, kwargs)
        call = self.of_leaves(leaves, len(args))
        return call.fitted() if fit else call

    def unbound(self) -> Call:
        """The call of a program without arguments: zeros stand for them."""
        if self.target.graph.sizes is not None:
            names = self.target.graph.sizes.names
            message = f"{self.name} is of any size ({', '.join(names)}); take it at one, program.at({names[0]}=...)."
            raise SizeError(message)
        graph = self.target.graph
        leaves = [np.broadcast_to(v.type.dtype.type(0), v.type.shape) for v in graph.inputs]
        if graph.signature is None:
            return self.of_leaves(leaves, len(leaves))
        pairs = zip(graph.signature.parameters, graph.signature.arguments, strict=True)
        named = {inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD}
        many = inspect.Parameter.VAR_POSITIONAL
        count = sum(len(s.children) if kind == many else kind not in named for (_, kind), s in pairs)
        return self.of_leaves(leaves, count)

    def of_leaves(self, leaves: list[Any], given: int) -> Call:
        program, signature = self.target, self.target.graph.signature
        structures = (LEAF,) * len(leaves) if signature is None else signature.arguments
        kinds: list[Any] = [inspect.Parameter.POSITIONAL_OR_KEYWORD] * len(structures)
        if signature is not None:
            kinds = [inspect._ParameterKind(kind) for _, kind in signature.parameters]  # noqa: SLF001 (its only name)
        return Call(self, Bound(structures, leaves, program.names()), _spread(kinds, given), given)


def _positions(signature: inspect.Signature, args: tuple[Any, ...]) -> list[tuple[int, int | None]]:
    return _spread([p.kind for p in signature.parameters.values()], len(args))


def _spread(kinds: Sequence[Any], count: int) -> list[tuple[int, int | None]]:
    """For each positional argument: its parameter, and its place within ``*args``."""
    found: list[tuple[int, int | None]] = []
    for i, kind in enumerate(kinds):
        if kind is inspect.Parameter.VAR_POSITIONAL:
            found.extend((i, j) for j in range(max(count - len(found), 0)))
        elif kind in (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD):
            found.append((i, None))
    return found


class Call:
    """One call: its bound arguments, and what can be done with them."""

    def __init__(self, callee: Callee, bound: Bound, positions: list[tuple[int, int | None]], given: int) -> None:
        self.callee = callee
        self.bound = bound
        self.positions = positions
        self.given = given

    def fitted(self) -> Call:
        """The same call of the program at the sizes that the arguments now have."""
        target = self.callee.target
        if not isinstance(target, Program) or target.graph.sizes is None:
            return self
        leaves = self.bound.leaves
        return Callee(target.fitting(leaves), self.callee.backend).of_leaves(leaves, self.given)

    def select(
        self, argnums: int | tuple[int, ...] | None, *, strict: bool = True, tangents: Sequence[Any] | None = None
    ) -> Selection:
        """The leaves of the chosen positional arguments; ints among them become real numbers.

        None chooses those that were given by position: not the ones left to their defaults.
        With ``strict``, a leaf that no derivative can be taken of is an error; else it is left out.  So is then an int
        whose tangent is None, and one that a graph was made for.
        """
        single = isinstance(argnums, (int, np.integer))
        if not (single or argnums is None or all(isinstance(n, (int, np.integer)) for n in argnums)):  # type: ignore[union-attr]
            message = f"argnums must be an int or a tuple of ints, the positions of arguments; got {argnums!r}."
            raise TypeError(message)
        numbers: Sequence[Any] = range(self.given) if argnums is None else (argnums,) if single else tuple(argnums)  # type: ignore[arg-type]
        active: list[int] = []
        structures = []
        for number in numbers:
            first, structure = self._argument(number)
            found = range(first, first + structure.leaf_count)
            still = [False] * len(found) if tangents is None else _still(structure, tangents[number])
            moving = [i for i, kept in zip(found, still, strict=True) if self._make_real(i, strict=strict, kept=kept)]
            if strict and not moving and not structure.leaf_count:
                message = f"Argument {number} of {self.callee.name} holds no array to take a derivative of."
                raise DerivativeError(message)
            structures.append(only(structure, [i in moving for i in found]))
            active.extend(moving)
        if len(set(active)) != len(active):
            message = f"argnums={argnums} names an argument twice."
            raise ValueError(message)
        return Selection(tuple(active), tuple(structures), single)

    def _argument(self, number: int) -> tuple[int, Structure]:
        """The first leaf and the structure of a positional argument."""
        count = len(self.positions)
        if not -count <= number < count:
            message = (
                f"argnums={number} is out of range: {self.callee.name} was called with {count} positional arguments."
            )
            raise ValueError(message)
        parameter, inner = self.positions[number]
        before = sum(s.leaf_count for s in self.bound.structures[:parameter])
        structure = self.bound.structures[parameter]
        if inner is None:
            return before, structure
        return before + sum(s.leaf_count for s in structure.children[:inner]), structure.children[inner]

    def _make_real(self, i: int, *, strict: bool, kept: bool) -> bool:
        leaf, name, target = self.bound.leaves[i], self.bound.names[i], self.callee.target
        if not strict and isinstance(target, Program):
            kept = kept or not is_inexact(target.graph.inputs[i].type.dtype)
        if kept and (type(leaf) is int or (isinstance(leaf, Array) and leaf.value.type.dtype.kind == "i")):
            return False
        if type(leaf) is int:
            self.bound.leaves[i] = leaf = float(leaf)
        type_ = leaf.value.type if isinstance(leaf, Array) else type_of(leaf)
        if isinstance(leaf, Array) and type_.weak and type_.dtype.kind == "i":
            self.bound.leaves[i] = leaf.xp.cast(leaf, np.float64, weak=True)
            return True
        if not is_inexact(type_.dtype) and strict:
            message = (
                f"Argument {name} has dtype {type_.dtype}; a derivative is taken in floating-point arguments. "
                f"Convert it with .astype(float), or choose other arguments with argnums."
            )
            raise DerivativeError(message)
        return is_inexact(type_.dtype)

    # -- running --------------------------------------------------------------------------------

    def path(self) -> Path:
        """The path of this call, to be found when it is performed."""
        target = self.callee.target
        kinds = target.kinds if isinstance(target, Traced) else ()
        return Path(self.bound, self.given, kinds, self.callee.backend)

    def perform(
        self, action: Callable[[Program, list[Any]], tuple[Sequence[Any], Any]], path: Path | None = None
    ) -> tuple[Graph, Any]:
        """``action(program, inputs)``, which gives (values, result), on the right path; its graph and result."""
        target = self.callee.target
        if isinstance(target, Traced):
            return target.perform(self.bound, action, path=path)
        target = target.fitting(self.bound.leaves)
        if path is not None:
            path.target = target
        inputs = target.inputs(self.bound.leaves)
        values, result = action(target, inputs)
        check_guards(target.graph, values)
        return target.graph, result

    def within(self) -> Recorded | None:
        """Within a trace that these arguments or the function's closure belong to: graph and operands."""
        trace = current_trace()
        if trace is None:
            return None
        target = self.callee.target
        xp = TraceNamespace(trace)
        if isinstance(target, Program):
            if not any(isinstance(x, Array) for x in self.bound.leaves):
                return None
            target = target.fitting(self.bound.leaves)
            operands = [_fitted(xp, x, v.type, n) for x, v, n in
                        zip(self.bound.leaves, target.graph.inputs, self.bound.names, strict=True)]  # fmt: skip
            return Recorded(xp, target.graph, operands)
        inner = inner_trace(target.__name__)
        graph, sources = record(target.function, target.signature, self.bound, self.bound.leaves, inner)
        given = [*self.bound.leaves, *(from_outside(trace, source) for source in sources)]
        if not any(isinstance(x, Array) for x in given):
            return None
        operands = [xp.lift(x) for x in given]
        carry_on(xp, graph, operands, inner.drawn)
        return Recorded(xp, target.finished(graph), operands)


def _fitted(xp: TraceNamespace, leaf: Any, type_: Any, name: str) -> Any:
    value = xp.lift(leaf)
    if value.type.shape != type_.shape or not np.can_cast(value.type.dtype, type_.dtype, "same_kind"):
        message = f"Argument {name} has type {value.type}; the graph was made for {type_}."
        raise TraceError(message)
    return xp.builder.cast(value, type_.dtype, weak=type_.weak)


@frozen
class Recorded:
    """A graph within a trace, and what it is to be given."""

    xp: TraceNamespace
    graph: Graph
    operands: list[Any]


def _still(structure: Structure, tangent: Any) -> list[bool]:
    """For each leaf, whether its tangent is None."""
    if structure.kind == "leaf" or tangent is None:
        return [tangent is None] * structure.leaf_count
    parts = list(tangent.values()) if isinstance(tangent, dict) else tangent
    if not isinstance(parts, (tuple, list)) or len(parts) != len(structure.children):
        return [False] * structure.leaf_count
    return [flag for child, part in zip(structure.children, parts, strict=True) for flag in _still(child, part)]


def matched(structure: Structure, value: Any, what: str, name: str) -> list[Any]:
    """The leaves of a tangent or cotangent that must be nested like ``structure``; None where that is None."""
    from wengert.backends.program import is_leaf

    leaves: list[Any] = []
    if value is None and structure.leaf_count == 0:
        return leaves
    found = flatten(value, is_leaf, leaves)
    if found != structure:
        paths = ", ".join(leaf_paths(structure, name)) or name
        message = f"The {what} must be nested like its primal, with the leaves {paths}; got {value!r}."
        raise TypeError(message)
    return leaves


