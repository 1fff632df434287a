"""Schedules of what a long scan keeps for its derivative: a scan as shorter ones, some of them run again.

``square_root`` keeps the carry before every block of about sqrt(n) steps, and within one block everything: memory for
2 sqrt(n) steps, every step computed twice.  ``binomial`` keeps at most s carries at a time and computes a step at most
r times more, for n up to binomial(s + r, s) blocks, which no other schedule exceeds (Griewank, 1992; Griewank and
Walther, "Algorithm 799: revolve", 2000).  Both are graphs of calls: their size does not grow with n, but for binomial
with s r.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from attrs import frozen

from wengert.ir.build import Builder, Namespace
from wengert.ir.graph import Graph, Value
from wengert.ir.ops import OPS
from wengert.ir.types import ArrayType

__all__ = ["Loop", "binomial", "square_root"]


@frozen
class Loop:
    """A scan without its arrays: a body of (consts, carry, entries) to (carry, results)."""

    graph: Graph
    consts: int
    carries: int
    reverse: bool

    @property
    def entries(self) -> list[ArrayType]:
        """The types of one entry of each array."""
        return [v.type for v in self.graph.inputs[self.consts + self.carries :]]

    def emit(self, b: Builder, consts: Sequence[Value], carry: Sequence[Value], xs: Sequence[Value], n: int) -> _Done:
        """The plain scan."""
        made = b.emit_all(
            OPS["scan"], [*consts, *carry, *xs], graph=self.graph, consts=self.consts, carries=self.carries, length=n,
            reverse=self.reverse,
        )  # fmt: skip
        return made[: self.carries], made[self.carries :]

    def whole(self, name: str, n: int) -> tuple[Builder, list[Value], list[Value], list[Value]]:
        """A builder of a graph that takes n steps: consts, carry and arrays are its inputs."""
        b = Builder(name)
        first = [b.input(v.type) for v in self.graph.inputs[: self.consts + self.carries]]
        xs = [b.input(ArrayType(t.dtype, (n, *t.shape))) for t in self.entries]
        return b, first[: self.consts], first[self.consts :], xs


_Done = tuple[Sequence[Value], Sequence[Value]]


def _cut(b: Builder, xs: Sequence[Value], start: int, stop: int) -> list[Value]:
    xp = Namespace(b)
    return [xp.lift(xp.wrap(x)[start:stop]) for x in xs]


def _shaped(b: Builder, xs: Sequence[Value], lead: int, shape: tuple[int, ...]) -> list[Value]:
    """With the first ``lead`` axes in another shape."""
    xp = Namespace(b)
    return [xp.lift(xp.reshape(xp.wrap(x), (*shape, *x.type.shape[lead:]))) for x in xs]


def _joined(b: Builder, parts: Sequence[Sequence[Value]]) -> list[Value]:
    xp = Namespace(b)
    columns = zip(*parts, strict=True)
    return [xp.lift(xp.concatenate([xp.wrap(x) for x in column])) for column in columns]


def square_root(
    b: Builder, loop: Loop, consts: Sequence[Value], carry: Sequence[Value], xs: Sequence[Value], n: int
) -> _Done:
    """A scan over blocks of about sqrt(n) steps, each run again for the derivative."""
    size = max(1, math.isqrt(max(n - 1, 0)) + 1)
    blocks, rest = divmod(n, size)
    cut = rest if loop.reverse else n - rest  # what is left over is run last
    inner, c, first, entries = loop.whole("block", size)
    last, results = loop.emit(inner, c, first, entries, size)
    block = inner.graph([*last, *results])
    outer, c, first, entries = loop.whole("again", size)
    every = outer.emit_all(OPS["checkpoint"], [*c, *first, *entries], graph=block, policy="nothing")
    body = outer.graph(every)
    again = Loop(body, loop.consts, loop.carries, loop.reverse)
    head, tail = ((cut, n), (0, cut)) if loop.reverse else ((0, cut), (cut, n))
    carry, ys = again.emit(b, consts, carry, _shaped(b, _cut(b, xs, *head), 1, (blocks, size)), blocks)
    ys = _shaped(b, ys, 2, (blocks * size,))
    carry, more = loop.emit(b, consts, carry, _cut(b, xs, *tail), rest)
    return carry, _joined(b, [more, ys] if loop.reverse else [ys, more])


def _reach(s: int, r: int) -> int:
    """How many blocks s snapshots reach when each is run at most r times more."""
    return math.comb(s + r, s)


def binomial(
    b: Builder, loop: Loop, consts: Sequence[Value], carry: Sequence[Value], xs: Sequence[Value], n: int, snapshots: int
) -> _Done:
    """A scan cut in two again and again: the first part is run again with as many snapshots, the rest with one less."""
    size = snapshots + 1  # steps in a block, which are kept together
    made: dict[tuple[int, int], Graph] = {}

    def part(length: int, s: int) -> Graph:
        if (length, s) not in made:
            inner, c, first, entries = loop.whole(f"steps_{length}", length)
            last, results = steps(inner, c, first, entries, length, s)
            made[length, s] = inner.graph([*last, *results])
        return made[length, s]

    def steps(
        at: Builder, c: Sequence[Value], first: Sequence[Value], entries: Sequence[Value], length: int, s: int
    ) -> _Done:
        blocks = -(-length // size)
        if blocks <= 1 or s < 1:
            return loop.emit(at, c, first, entries, length)
        r = next(r for r in range(length) if _reach(s, r) >= blocks)
        m = min(_reach(s, r - 1), blocks - 1) * size
        head, tail = ((length - m, length), (0, length - m)) if loop.reverse else ((0, m), (m, length))
        given = [*c, *first, *_cut(at, entries, *head)]
        done = at.emit_all(OPS["checkpoint"], given, graph=part(m, s), policy="nothing")
        middle, ys = done[: loop.carries], done[loop.carries :]
        rest = at.emit_all(OPS["call"], [*c, *middle, *_cut(at, entries, *tail)], graph=part(length - m, s - 1))
        more = rest[loop.carries :]
        return rest[: loop.carries], _joined(at, [more, ys] if loop.reverse else [ys, more])

    return steps(b, consts, carry, xs, n, snapshots)
