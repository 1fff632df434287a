"""Entrances for traced functions and their derivatives: the path that a call took, opened for the calls to come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from attrs import define, evolve, frozen

from wengert.backends import protocol
from wengert.backends.direct import (
    ARRAY,
    AS_ARRAY,
    AS_SCALAR,
    DROPPED,
    Entrances,
    Plan,
    exactly,
    loosely,
    nest_of,
    nests_of,
    outputs_of,
    resulting,
)
from wengert.backends.program import Program
from wengert.ir.graph import Graph
from wengert.ir.structure import Structure, only
from wengert.ir.types import ArrayType, cotangent_type, is_inexact, type_of
from wengert.tracer.context import under_way
from wengert.tracer.environment import read
from wengert.tracer.variants import Bound, Variant

__all__ = ["Along", "Ends", "Path", "ends_of", "gradient_ends", "matrix_ends", "pushed_ends"]


@frozen
class Ends:
    """What a run gives, and what is made of it (see :class:`wengert.backends.direct.Plan`)."""

    outputs: Sequence[ArrayType]
    hands: Sequence[int]
    structure: Structure


def ends_of(graph: Graph) -> Ends:
    """Of a run for values."""
    return Ends(*outputs_of(graph))


def gradient_ends(graph: Graph, active: tuple[int, ...], nested: Structure, *, with_value: bool) -> Ends:
    """Of a run for a value and its gradient, which is nested as given."""
    value = ends_of(graph)
    types = [cotangent_type(graph.inputs[i].type) for i in active]
    hands = [AS_ARRAY if t.shape else AS_SCALAR for t in types]
    first = value.hands[0] if with_value else DROPPED
    structure = Structure("tuple", (value.structure, nested)) if with_value else nested
    return Ends((value.outputs[0], *types, *value.outputs[1:]), (first, *hands, *value.hands[1:]), structure)


def pushed_ends(graph: Graph, *, with_value: bool) -> Ends:
    """Of a run for values and tangents."""
    value, n = ends_of(graph), len(graph.outputs)
    moving = [is_inexact(v.type.dtype) for v in graph.outputs]
    types = [cotangent_type(v.type) for v, m in zip(graph.outputs, moving, strict=True) if m]
    hands = [AS_ARRAY if t.shape else AS_SCALAR for t in types]
    first = value.hands[:n] if with_value else (DROPPED,) * n
    nested = only(value.structure, moving)
    structure = Structure("tuple", (value.structure, nested)) if with_value else nested
    return Ends((*value.outputs[:n], *types, *value.outputs[n:]), (*first, *hands, *value.hands[n:]), structure)


def matrix_ends(graph: Graph, active: tuple[int, ...], nested: Structure, *, last: bool) -> Ends:
    """Of a run for values, of which nothing is wanted, and their Jacobian (see :class:`wengert.tracer.dense.One`)."""
    value, n = ends_of(graph), len(graph.outputs)
    wrt = [graph.inputs[i].type for i in active]
    blocks = [ArrayType(t.dtype, (*v.type.shape, *t.shape)) for v in graph.outputs for t in wrt]
    hands = [AS_ARRAY if t.shape else AS_SCALAR for t in blocks]
    at = len(value.outputs) if last else n
    outputs, dropped = list(value.outputs), [DROPPED] * n + list(value.hands[n:])
    outputs[at:at], dropped[at:at] = blocks, hands
    return Ends(outputs, dropped, _for_leaves(value.structure, nested))


def _for_leaves(structure: Structure, nested: Structure) -> Structure:
    """The structure with another in the place of each leaf."""
    if structure.kind == "leaf":
        return nested
    return evolve(structure, children=tuple(_for_leaves(c, nested) for c in structure.children))


@define
class Path:
    """A call of a program, or of a function by one of its variants, which is known once it was performed."""

    bound: Bound
    given: int  # positional arguments
    kinds: Sequence[int] = ()  # of a function's parameters
    backend: str | None = None  # the one it was told to take
    variant: Variant | None = None
    target: Program | None = None

    @property
    def program(self) -> Program:
        """What is run."""
        found = self.target if self.variant is None else self.variant.program
        assert found is not None
        return found

    def open(
        self, entrances: Entrances, active: tuple[int, ...], ends: Callable[[], Ends], make: Callable[[str], Any], *,
        writes: bool = False, along: Along | None = None, lanes: Graph | None = None,
    ) -> None:  # fmt: skip
        """An entrance for calls like this one, if it is wanted; ``make(backend)`` is what is run.

        ``lanes`` is the graph of many lanes, where those are what is called.
        """
        program, variant = self.program, self.variant
        fixed = self.backend or program.backend
        name = fixed or protocol.current()
        graph = lanes or program.graph
        key = (variant or program.graph, active, self.given, name, lanes)
        if not entrances.wants(key):
            return
        if variant is not None and not _is_plain(variant, self.bound):
            return
        same: Any = None
        types, count = [v.type for v in graph.inputs], len(self.bound.leaves)
        try:
            if variant is None:
                arguments, rest = program.nests(self.bound.leaves, self.given)
                takes, around = [loosely(t) for t in types], None
            else:
                arguments, rest = nests_of(self.kinds, self.bound.structures, self.given, self.bound.leaves)
                takes = [exactly(t, real=i in active) if i < count else ARRAY for i, t in enumerate(types)]
                around = _around(variant)
                if around is not None and not (variant.sources or variant.watches):
                    same = variant.environment.identical(variant.watched)
            if along is not None:
                if rest:  # they would come after the tangents
                    return
                arguments = along.placed(arguments, nest_of(along.structure))
                moved = [cotangent_type(types[i]) for i in active]
                types[count:count], takes[count:count] = moved, map(loosely, moved)
        except LookupError:  # nested by records
            return
        found, run = ends(), make(name)
        results, finish = resulting(found.structure)
        plan = Plan(
            tuple(types), tuple(takes), tuple(found.outputs), tuple(found.hands), arguments, results, finish, rest,
            around, None if variant is None else under_way, None if fixed else name, writes, same,
        )  # fmt: skip
        entrances.add(key, plan, run, getattr(run, "direct", None))


@frozen
class Along:
    """Tangents of the active arguments that are given, too: how they are nested, and where among the arguments."""

    structure: Structure
    placed: Callable[[tuple[Any, ...], Any], tuple[Any, ...]]


def _is_plain(variant: Variant, bound: Bound) -> bool:
    """Whether nothing is drawn at random, and all that is captured are arrays."""
    arrays = [read(source) if callable(source) else source for source in variant.sources]
    return not variant.drawn and not bound.generators and all(isinstance(a, np.ndarray) for a in arrays)


def _around(variant: Variant) -> Callable[[], tuple[Any, ...] | None] | None:
    """What is captured, as it is now; None where what the function reads is not as it was."""
    sources, types = variant.sources, [v.type for v in variant.program.graph.inputs[-len(variant.sources) or None :]]
    if not (sources or variant.watched or variant.watches):
        return None

    pairs, unchanged = list(zip(sources, types, strict=False)), variant.unchanged

    def around() -> tuple[Any, ...] | None:
        if not unchanged():
            return None
        arrays = []
        for source, type_ in pairs:
            array = read(source) if callable(source) else source
            if type(array) is not np.ndarray:
                return None
            if not array.flags.carray:
                if type_of(array) != type_:
                    return None
                array = np.require(array, type_.dtype, ("C", "A")).reshape(type_.shape)
            arrays.append(array)
        return tuple(arrays)

    return around
