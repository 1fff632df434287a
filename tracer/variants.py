"""One call of a traced function, taken apart, and one path through the function, ready to run again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from attrs import define, field, frozen

from wengert.backends.program import Program
from wengert.ir.graph import Constant, Graph
from wengert.ir.ops.random import is_generator
from wengert.ir.passes.rewriting import substitute
from wengert.ir.structure import Structure
from wengert.ir.types import type_of
from wengert.tracer.environment import Environment, Watch, read
from wengert.tracer.location import refuse
from wengert.tracer.parameters import statics
from wengert.tracer.random import Entropy, Fresh, Stream, advance, current_key

__all__ = ["Bound", "Variant", "with_constants"]


@frozen
class Bound:
    """Arguments taken apart: one structure per parameter, and the flat leaves; of a Generator, its key."""

    structures: tuple[Structure, ...]
    leaves: list[Any]
    names: list[str]
    generators: dict[int, Any] = field(factory=dict)

    @property
    def statics(self) -> tuple[Any, ...]:
        """The arguments that are not arrays."""
        return tuple(s for structure in self.structures for s in statics(structure))

    @property
    def shared(self) -> tuple[tuple[int, int], ...]:
        """Which leaves are Generators, each with the first that is the same one."""
        first: dict[int, int] = {}
        return tuple((i, first.setdefault(id(rng), i)) for i, rng in self.generators.items())


@define(eq=False)
class Variant:
    """One path through the function: its program, and where its implicit inputs come from."""

    program: Program
    sources: list[Any]
    environment: Environment
    watched: tuple[Any, ...]
    watches: list[Watch]
    drawn: list[Any]  # the Generators to advance: positions of leaves, or the ways to them
    whole: Program  # gives the keys that they are left with, too
    met: list[tuple[int, ...]]  # which Generators among the arguments are held outside, too

    def beside(self, broken: int, variants: list[Variant]) -> list[Variant]:
        """Where to look once a guard did not hold.

        A function meets the same branches in the same order until one goes the other way: its paths are a tree, of
        which the paths that part from this one at the broken guard are left.  They went the other way there; or,
        where a number was asked for, as by ``int(x)``, they found it to be another one, as true as this one's.
        """
        outcomes = [guard.expected for guard in self.program.graph.guards[: broken + 1]]
        ways = [[guard.expected for guard in v.program.graph.guards[: broken + 1]] for v in variants]
        other = [v for v, way in zip(variants, ways, strict=True) if way == [*outcomes[:-1], not outcomes[-1]]]
        return other or [v for v, way in zip(variants, ways, strict=True) if way == outcomes]

    def applies(self, bound: Bound) -> bool:
        """Whether what the function reads besides its arguments is as it was."""
        if bound.generators and self.environment.generators and self.met != self.environment.met(bound.generators):
            return False
        return self.unchanged()

    def unchanged(self) -> bool:
        """Whether all that is watched is as it was, and so are the arrays that constants were made of."""
        same = self.environment.is_as(self.watched)
        return same and (not self.watches or all(watch.holds() for watch in self.watches))

    def implicit(self, entropy: Entropy) -> list[Any] | None:
        """The implicit inputs as they are now; None where one is no longer what it was traced as."""
        arrays = []
        for source, value in zip(self.sources, self.program.graph.inputs[-len(self.sources) or None :], strict=False):
            array = read(source) if callable(source) else source
            if isinstance(array, Fresh):
                array = entropy.at(array.place)
            if is_generator(array):
                array = current_key(getattr(array, "real", array))
            if not isinstance(array, np.ndarray) or type_of(array) != value.type:
                return None
            arrays.append(np.ascontiguousarray(array, dtype=value.type.dtype).reshape(array.shape))
        return arrays

    def advance(self, bound: Bound, keys: Sequence[Any]) -> None:
        """Leave the Generators where NumPy would have left them."""
        for way, key in zip(self.drawn, keys, strict=True):
            advance(bound.generators[way] if isinstance(way, int) else way() if callable(way) else way, key)


def with_constants(graph: Graph, sources: Sequence[Any]) -> Graph:
    """The graph with its implicit inputs replaced by the arrays they stand for."""
    if not sources:
        return graph
    values = graph.inputs[-len(sources) :]
    changes = {v: Constant.of(_as_constant(s)) for v, s in zip(values, sources, strict=True)}
    return substitute(graph.evolve(inputs=graph.inputs[: -len(sources)]), changes)  # type: ignore[arg-type]


def _as_constant(source: Any) -> Any:
    if isinstance(source, Fresh):
        raise refuse(
            "a graph holds a Generator made without a seed, and would draw the same at each call.",
            "Give np.random.default_rng a seed, or take the Generator as an argument.",
        )
    return current_key(source.real) if type(source) is Stream else np.asarray(source)
