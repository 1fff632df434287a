"""A contraction in the making: the loops over its axes, and what they stand at."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from attrs import define, evolve, frozen

from wengert.backends.source.c.loops.nests import fill, index_text, open_flat
from wengert.backends.source.c.planning.plan import Plan, Unit
from wengert.backends.source.c.planning.views import View, whole
from wengert.backends.source.c.scalars.spelling import literal, spell
from wengert.backends.source.c.scalars.statements import PARALLEL, Kernel
from wengert.ir.kinds import Contraction

__all__ = ["Axis", "Product", "product_of"]


@frozen
class Axis:
    """A letter, or several that are one: the name of its loop, and how far a step moves in each array."""

    name: str
    size: int
    x: int
    y: int
    out: int
    start: int  # in what is added to the products

    @property
    def steps(self) -> tuple[int, ...]:
        return self.x, self.y, self.out, self.start


@define
class Product:
    """A contraction in the making."""

    kernel: Kernel
    x: View
    y: View
    out: View
    start: View | None  # what is added to the products
    free: list[Axis]  # the axes of the result
    summed: list[Axis]

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.out.base.type.dtype

    @property
    def turned(self) -> Product:
        """The same with the operands in the other order."""
        free, summed = ([evolve(a, x=a.y, y=a.x) for a in axes] for axes in (self.free, self.summed))
        return evolve(self, x=self.y, y=self.x, free=free, summed=summed)

    def index(self, which: str, without: Iterable[Axis] = ()) -> str:
        """Where the loops stand in an array; some axes may have no loop yet."""
        axes = [a for a in (*self.free, *self.summed) if a not in without]
        offset = getattr(self, which).offset
        return index_text(offset, [getattr(a, which) for a in axes], [a.name for a in axes])

    def enter(self, axes: Iterable[Axis]) -> None:
        for a in axes:
            self.kernel.open(f"for (ptrdiff_t {a.name} = 0; {a.name} < {a.size}; ++{a.name})")

    def enter_sum(self, axes: Sequence[Axis]) -> int:
        """Open the loops of a sum; how many there are."""
        backwards = min(axes[-1].x, axes[-1].y) < 0
        if self.dtype.kind not in "fc" or len(axes) == 1 or not backwards:
            self.enter(axes)
            return len(axes)
        open_flat(self.kernel, [a.name for a in axes], [a.size for a in axes])
        return 1

    def leave(self, count: int) -> None:
        for _ in range(count):
            self.kernel.close()

    def load(self, which: str) -> str:
        """The element of an operand that the loops stand at."""
        return self.kernel.load(getattr(self, which), self.index(which))

    def first(self, which: str, without: Sequence[Axis]) -> str:
        """The address of an element of an operand, or of the result."""
        view = getattr(self, which)
        base = self.kernel.write(view.base) if which == "out" else self.kernel.read(view.base)
        return f"&{base}[{self.index(which, without)}]"

    def begin(self) -> str:
        """What a result starts from."""
        return literal(0, self.dtype) if self.start is None else self.load("start")

    def fill(self) -> None:
        """Every result as it starts."""
        if self.start is None:
            fill(self.kernel, self.out.base, literal(0, self.dtype))
            return
        self.enter(self.free)
        self.kernel.line(f"{self.place()} = {self.begin()};")
        self.leave(len(self.free))

    def firsts(self, inner: Sequence[Axis]) -> list[str]:
        """The addresses in x, y and the result that the other loops stand at."""
        return [self.first(which, inner) for which in ("x", "y", "out")]

    def around(self, inner: Sequence[Axis], call: str, *, add: bool, shared: bool = True) -> None:
        """A call in loops over all other axes, which threads may share.  What it computes is added to the result, or is
        written there."""
        outer = [a for a in (*self.free, *self.summed) if a not in inner]
        if add:
            self.fill()
        work = math.prod(a.size for a in (*self.free, *self.summed))
        if shared and outer and outer[0].out and work >= self.kernel.grain:
            self.kernel.line(PARALLEL)
        self.enter(outer)
        self.kernel.line(call)
        self.leave(len(outer))

    def place(self) -> str:
        """The element of the result."""
        return f"{self.kernel.write(self.out.base)}[{self.index('out')}]"

    def product(self) -> str:
        """The product of the elements that the loops stand at."""
        return self.kernel.define(self.dtype, self.spell("*", self.load("x"), self.load("y")))

    def spell(self, symbol: str, x: str, y: str) -> str:
        return spell(symbol, self.kernel.helpers, self.dtype, (self.dtype, self.dtype), [x, y])

    def total(self, terms: Sequence[str]) -> str:
        """The sum of terms, by halves."""
        while len(terms) > 1:
            pairs = [terms[k : k + 2] for k in range(0, len(terms), 2)]
            terms = [self.kernel.define(self.dtype, self.spell("+", *two)) if two[1:] else two[0] for two in pairs]
        return terms[0]

    def at(self, place: dict[str, int]) -> Product:
        """The product of which some axes are left at one place."""
        free, summed = ([a for a in axes if a.name not in place] for axes in (self.free, self.summed))
        fixed = [a for a in (*self.free, *self.summed) if a.name in place]

        def view(which: str) -> Any:
            given = getattr(self, which)
            return given and evolve(given, offset=given.offset + sum(getattr(a, which) * place[a.name] for a in fixed))

        x, y, out, start = map(view, ("x", "y", "out", "start"))
        return Product(self.kernel, x, y, out, start, free, summed)


def product_of(kernel: Kernel, plan: Plan, unit: Unit) -> Product:
    """The contraction of a unit, and what is added to it."""
    node = unit.last
    assert isinstance(node.op, Contraction)
    terms = Contraction.split(node.params["subscripts"])
    x, y = map(plan.view, node.operands)
    out, start = whole(unit.stored[0]), None
    if unit.nodes[1:]:
        (other,) = (v for v in unit.nodes[0].operands if v is not node.result)
        start = plan.view(other)
    arrays = [(x, terms[0]), (y, terms[1]), (out, terms[2]), (start, terms[2])]
    axes = {}
    # The letters become names of loop variables: ours, not the graph's.
    for k, letter in enumerate(dict.fromkeys("".join(terms))):
        at = [(view, term.index(letter)) if view and letter in term else None for view, term in arrays]
        steps = [place[0].strides[place[1]] if place else 0 for place in at]
        size = next(place[0].shape[place[1]] for place in at if place)
        axes[letter] = Axis(f"i{k}", size, *steps)
    free = [axes[a] for a in terms[2]]
    summed = sorted((axes[a] for a in axes if a not in terms[2]), key=lambda a: -max(abs(a.x), abs(a.y)))
    return Product(kernel, x, y, out, start, _merged(free), _merged(summed))


def _merged(axes: Iterable[Axis]) -> list[Axis]:
    """Neighbours as one axis wherever all three arrays allow it; axes of one element have no loop."""
    merged: list[Axis] = []
    for a in axes:
        if merged and merged[-1].steps == tuple(step * a.size for step in a.steps) and a.size != 1:
            merged[-1] = evolve(a, size=a.size * merged[-1].size)
        elif a.size != 1:
            merged.append(a)
    return merged
