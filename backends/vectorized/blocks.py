"""Work on large arrays block by block, so that what one call leaves for the next is still in the cache.

The rows of a block treat the elements of one shape side by side: elementwise ops, folds of what these give, and what is
put into parts of zeros and added up there.  Only what is read later is an array of its own; all else lies in buffers of
a block's size.  A sum of numbers in a line is cut where NumPy cuts it, and so has the same bits.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import define, field

from wengert.backends.liveness import Row, exactly
from wengert.backends.vectorized import arrays
from wengert.backends.vectorized.nodes import kind
from wengert.backends.vectorized.places import Axes, empty, nbytes
from wengert.ir.graph import Node, Value
from wengert.ir.ops import OPS
from wengert.ir.types import ArrayType

if TYPE_CHECKING:
    from wengert.backends.vectorized.lines import Lines

__all__ = ["Block", "gathered", "write"]

#: Bytes of an array that is cut into blocks; of its lines along the other axes at most; of the buffers of a block.
LEAST, LINE, NEAR = 1 << 21, 1 << 16, 1 << 20
#: A graph of more rows is called seldom; so many rows are looked at for one block.
MOST, AHEAD = 2000, 256


@define(eq=False)
class Block:
    """Rows that run block by block.

    ``inner`` is what is made of blocks, ``whole`` what is there once all of them are done, and what depends on it;
    ``sums`` are parts of zeros and sums of such, with the nodes that place them.
    """

    shape: tuple[int, ...]
    rows: list[Row] = field(factory=list)
    inner: set[Value] = field(factory=set)
    whole: set[Value] = field(factory=set)
    sums: dict[Value, list[Node]] = field(factory=dict)


class _Gathering:
    def __init__(self, rows: list[Row], ends: Sequence[Value], exact: Sequence[Value]) -> None:
        self.ends = set(ends)
        self.readers = Counter(itertools.chain(ends, *(reads for _, reads in rows)))
        self.signed = exactly(rows, exact)
        self.rows: list[Row] = []
        self.blocks: dict[int, Block] = {}
        self.arrange(rows)

    def arrange(self, rows: list[Row]) -> None:
        """Add rows, those of each block side by side."""
        at, tried = 0, set[Value]()
        while at < len(rows):
            node, v, shape = rows[at][0], rows[at][0].results[0], rows[at][0].results[0].type.shape
            if shape and LEAST <= nbytes(v) <= LINE * shape[0] and v not in tried and kind(node) == "map":
                block, before, after = self.drawn(rows[at : at + AHEAD], shape)
                tried |= block.inner
                if any(v in block.inner for _, reads in block.rows for v in reads):
                    self.rows += rows[:at]
                    self.arrange(before)
                    self.blocks[len(self.rows)] = block
                    self.rows += block.rows
                    rows, at = after + rows[at + AHEAD :], -1
            at += 1
        self.rows += rows

    def drawn(self, rows: list[Row], shape: tuple[int, ...]) -> tuple[Block, list[Row], list[Row]]:
        """All that can run in blocks of the first row; of the others, those that need nothing of it, and the rest."""
        block, before, after = Block(shape), list[Row](), list[Row]()
        for row in rows:
            if self.joins(block, row):
                block.rows.append(row)
            elif block.inner.isdisjoint(row[1]) and block.whole.isdisjoint(row[1]):
                before.append(row)
            else:
                block.whole.update(row[0].results)
                after.append(row)
        alone = [v for v, parts in block.sums.items() if len(parts) == 1 and v not in self.ends]
        for v in alone:  # it may be added to something else, in place
            del block.sums[v]
        late = [row for row in block.rows if row[0].results[0] in alone]
        block.rows = [row for row in block.rows if row[0].results[0] not in alone]
        return block, before, late + after

    def joins(self, block: Block, row: Row) -> bool:
        """Whether a row runs in these blocks; noted if so."""
        (node, reads), what = row, kind(row[0])
        if what is None:
            return False
        v = node.result
        if what == "map" and v.type.shape == block.shape and block.whole.isdisjoint(reads):
            block.inner.add(v)
            return True
        if what in ("fold", "place") and reads[0] in block.inner:
            if what == "place":
                block.sums[v] = [node]
        elif parts := self.added(block, node, reads):
            for read in reads:
                del block.sums[read]
            block.sums[v] = parts
        else:
            return False
        block.whole.add(v)
        return True

    def added(self, block: Block, node: Node, reads: Sequence[Value]) -> list[Node]:
        """The parts of a sum, those that begin last first: the others are then added to what is there already."""
        if node.op is not OPS["add"] or not block.sums.keys() >= set(reads) or node.result in self.signed:
            return []
        parts = [part for v in reads for part in block.sums[v]]
        if any(self.readers[v] > 1 for v in reads) or any(part.params["step"][0] != 1 for part in parts):
            return []
        return sorted(parts, key=lambda part: -part.params["start"][0])


def gathered(
    rows: list[Row], ends: Sequence[Value], exact: Sequence[Value]
) -> tuple[list[Row], dict[int, Block]]:
    """The rows, those of each block side by side, and the blocks by where they begin."""
    if len(rows) > MOST or all(nbytes(v) < LEAST for node, _ in rows for v in node.results):
        return rows, {}
    found = _Gathering(rows, ends, exact)
    return found.rows, found.blocks


def halves(start: int, n: int, most: int) -> list[tuple[int, int]]:
    """Where blocks of at most so many begin and end, as NumPy halves a sum."""
    if n <= most or n < 2:
        return [(start, start + n)]
    half = n // 2 - n // 2 % 8 or n // 2
    return halves(start, half, most) + halves(start + half, n - half, most)


def total(sums: Iterator[Any], n: int, most: int) -> Any:
    """The sums of such blocks added, as NumPy adds them."""
    if n <= most or n < 2:
        return next(sums)
    half = n // 2 - n // 2 % 8 or n // 2
    return total(sums, half, most) + total(sums, n - half, most)


class Writer:
    """The text of a block."""

    def __init__(self, lines: Lines, start: int, block: Block) -> None:
        self.lines, self.block, self.start, self.stop = lines, block, start, start + len(block.rows)
        self.before: list[str] = []
        self.body: list[str] = []
        self.after: list[str] = []
        self.count = 0
        self.chunks: dict[str, str] = {}  # the names of this block of arrays
        self.buffers: list[tuple[str, ArrayType, Axes | None]] = []
        self.free: dict[Any, list[str]] = {}
        self.taken: dict[Value, tuple[Any, str]] = {}  # the buffers that values are in
        self.ends: dict[Value, str] = {}  # the names of what is there in the end
        self.last = {v: k for k, (_, reads) in enumerate(block.rows) for v in reads}
        for v, parts in block.sums.items():
            k = next(k for k, (node, _) in enumerate(block.rows) if node.results[0] is v)
            self.last.update((part.operands[0], max(k, self.last[part.operands[0]])) for part in parts)
        self.parts = {v: [*map(self.part, itertools.repeat(self.whole(v)), parts)] for v, parts in block.sums.items()}
        reads = Counter(v for _, reads in block.rows for v in reads)
        self.hosts = {parts[0].operands[0]: self.parts[v][0] for v, parts in block.sums.items()
                      if reads[parts[0].operands[0]] == 1 and not self.leaves(parts[0].operands[0])}  # fmt: skip

    def new(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}{self.start}_{self.count}"

    def leaves(self, v: Value) -> bool:
        """Whether a value is read later."""
        return self.lines.last[v] >= self.stop

    def whole(self, v: Value, at: int = 0, reads: Sequence[Value] = ()) -> str:
        """An array for all of a value, in which there are zeros where no part of a sum will be written first."""
        root, places = self.lines.root, self.lines.places
        read = {(root[x], x) for _, others in self.block.rows for x in others}
        alone = [x for x in reads if x not in self.block.inner and [y for r, y in read if r is root[x]] == [x]]
        name = places.over(self.start + at, v, alone, self.lines.names) or places.elsewhere(v)
        if name is None:
            name, make = self.new("v"), functools.partial(empty, v.type, self.lines.places.order.get(v))
            self.before.append(f"{name} = {self.lines.bind('e', make)}()")
        self.ends[v] = name
        if parts := self.block.sums.get(v):
            start, size = parts[0].params["start"], parts[0].operands[0].type.shape
            if size[1:] == v.type.shape[1:] and parts[0].params["step"][0] == 1:
                self.before += [f"{name}[:{start[0]}] = 0", f"{name}[{start[0] + size[0]}:] = 0"]
            else:
                self.before.append(f"{name}[...] = 0")
        return name

    def part(self, whole: str, node: Node) -> str:
        """The part of a sum that a node places."""
        name, key = self.new("t"), arrays.key(node.params["start"], node.operands[0].type.shape, node.params["step"])
        self.before.append(f"{name} = {whole}[{self.lines.bind('k', key)}]")
        return name

    def chunk(self, text: str) -> str:
        """This block of an array."""
        if text not in self.chunks:
            self.chunks[text] = self.new("t")
            self.body.append(f"{self.chunks[text]} = {text}[i:j]")
        return self.chunks[text]

    # -- rows -----------------------------------------------------------------------------------------------------

    def row(self, k: int, node: Node, reads: Sequence[Value]) -> None:
        """Write down the row of a block."""
        v = node.result
        if v in self.block.sums:
            self.added(v)
        elif v in self.block.inner:
            self.mapped(k, node, reads)
        elif node.op is not OPS["place"] and node.op is not OPS["add"]:
            self.folded(node, reads)
        for v in dict.fromkeys(self.taken):
            if self.last.get(v, k) <= k:
                key, name = self.taken.pop(v)
                self.free.setdefault(key, []).append(name)

    def mapped(self, k: int, node: Node, reads: Sequence[Value]) -> None:
        lines, v = self.lines, node.result
        for x, axes in lines.places.follow(node, reads):
            lines.reordered(x, axes)
        names, shape = {x: lines.name(x) for x in reads}, v.type.shape
        for x, name in names.items():
            if x not in self.block.inner and len(x.type.shape) == len(shape) and x.type.shape[0] == shape[0]:
                lines.names[x] = self.chunk(name)
        text, takes = lines.expression(node, reads)
        lines.names.update(names)
        if takes:
            name = self.place(k, v, reads)
            self.body.append(f"{name} = {text.replace('OUT=', f', out={name}').replace('OUT', f', {name}')}")
        else:
            name = self.new("t")
            self.body.append(f"{name} = {text.replace('OUT=', '').replace('OUT', '')}")
            if self.leaves(v):
                self.body.append(f"{self.chunk(self.whole(v))}[...] = {name}")
        lines.names[v] = name
        if takes and self.leaves(v):
            self.tested(v, name, "0.0")

    def tested(self, v: Value, chunk: str, rest: str) -> None:
        """Look for NaN in a block of a result that is tested, while it is in the cache."""
        if v in self.lines.tested:
            sums = self.new("t")
            self.before.append(f"{sums} = []")
            self.body.append(f"{sums}.append(largest({chunk}, None))")
            self.lines.tested[v] = f"sum({sums}, {rest})"

    def place(self, k: int, v: Value, reads: Sequence[Value]) -> str:
        """Where this block of a value is written to."""
        if self.leaves(v):
            return self.chunk(self.whole(v, k, reads))
        if v in self.hosts:
            return self.chunk(self.hosts[v])
        order = self.lines.places.order.get(v)
        key = v.type.dtype, order
        over = next((x for x in reads if self.last[x] == k and self.taken.get(x, (None,))[0] == key), None)
        if over is not None:
            name = self.taken.pop(over)[1]
        elif not (name := (self.free.get(key) or [""]).pop()):
            name = self.new("b")
            self.buffers.append((name, v.type, order))
        self.taken[v] = key, name
        return name

    def folded(self, node: Node, reads: Sequence[Value]) -> None:
        lines, v, axes = self.lines, node.result, node.params["axes"]
        text, _ = lines.expression(node, reads)
        if 0 not in axes:
            chunk = self.chunk(self.whole(v))
            self.body.append(text.replace("OUT", f", {chunk}"))
            return
        self.ends[v], sums = self.new("v"), self.new("t")
        self.before.append(f"{sums} = []")
        self.body.append(f"{sums}.append({text.replace(', NoneOUT', '')})")
        if len(self.block.shape) == 1 and node.op.fold == "+":  # type: ignore[attr-defined]
            self.after.append(f"{self.ends[v]} = {lines.bind('s', total)}(iter({sums}), {self.block.shape[0]}, MOST)")
        else:
            self.after.append(f"{self.ends[v]} = {text.split('(')[0]}(array({sums}), 0)")

    def added(self, v: Value) -> None:
        """Parts added up: the first is there already, or is written now."""
        for i, (part, node) in enumerate(zip(self.parts[v], self.block.sums[v], strict=True)):
            x, chunk = node.operands[0], self.chunk(part)
            name = self.lines.names[x]
            if i > 0:
                self.body.append(f"{self.lines.ufunc(np.add)}({chunk}, {name}, {chunk})")
            elif name != chunk:
                self.body.append(f"{chunk}[...] = {name}")
        (start, *_), (n, *size) = self.block.sums[v][-1].params["start"], self.block.shape
        if size == [*v.type.shape[1:]] and self.block.sums[v][-1].params["step"][0] == 1:
            whole = self.ends[v]
            self.tested(v, self.chunk(self.parts[v][-1]), f"{whole}[:{start}].sum() + {whole}[{start + n}:].sum()")

    # -- the loop -------------------------------------------------------------------------------------------------

    def loop(self) -> None:
        """Write down the loop, and that what has been read in it is read no more."""
        lines, shape = self.lines, self.block.shape
        n, width = shape[0], sum(type_.dtype.itemsize for _, type_, _ in self.buffers) or 8
        most = max(1, NEAR // (width * math.prod(shape[1:])))
        ends = halves(0, n, most)
        cut = max(j - i for i, j in ends)
        head = []
        for name, type_, order in self.buffers:
            kept = lines.places.keep(Value(type_.with_shape((cut, *shape[1:]))), order)
            head.append(f"{name} = {kept}[:j - i]")
        lines.lines += [*self.before, f"for i, j in {lines.bind('e', ends)}:"]
        lines.lines += [f"    {line}" for line in (*head, *self.body)]
        lines.lines += [line.replace("MOST", str(most)) for line in self.after]
        gone = [*self.chunks.values(), *(name for name, _, _ in self.buffers), *itertools.chain(*self.parts.values())]
        lines.lines += [f"del {', '.join(gone)}"] if gone else []
        for v in self.block.inner:
            if not self.leaves(v):
                lines.last[v] = -2  # it has no array
        lines.names.update(self.ends)
        for at in range(self.start, self.stop):
            lines.release(at, *lines.rows[at])


def write(lines: Lines, start: int, block: Block) -> int:
    """Write a block down; where it ends."""
    writer = Writer(lines, start, block)
    for k, (node, reads) in enumerate(block.rows):
        writer.row(k, node, reads)
    writer.loop()
    return writer.stop
