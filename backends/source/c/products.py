"""Contractions: sums of products over named axes."""

from __future__ import annotations

from typing import Any

import numpy as np
from attrs import define, evolve

from wengert.backends.source.c.folds import blocks
from wengert.backends.source.c.loops import fill, index_text, open_flat
from wengert.backends.source.c.plan import Plan, Unit
from wengert.backends.source.c.scalars import Kernel
from wengert.backends.source.c.spelling import literal, local, spell
from wengert.backends.source.c.views import View, whole
from wengert.ir.kinds import Contraction

__all__ = ["contraction"]

#: From this size on, blocking pays.
LARGE = 16


@define
class Product:
    """A contraction in the making: sizes and strides by letter."""

    kernel: Kernel
    x: View
    y: View
    out: View
    sizes: dict[str, int]
    free: list[str]  # the letters of the result
    summed: list[str]
    terms: tuple[list[str], list[str], list[str]]

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.out.base.type.dtype

    def stride(self, view: View, letter: str) -> int:
        """How far a step along a letter moves in an array; 0 where it has no such axis."""
        term = self.terms[0 if view is self.x else 1 if view is self.y else 2]
        return view.strides[term.index(letter)] if letter in term else 0

    def index(self, view: View, without: tuple[str, ...] = ()) -> str:
        """Where the loops stand; some letters may have no loop yet."""
        letters = [letter for letter in (*self.free, *self.summed) if letter not in without]
        return index_text(view.offset, [self.stride(view, a) for a in letters], [f"i{a}" for a in letters])

    def enter(self, letters: list[str]) -> None:
        for letter in letters:
            self.kernel.open(f"for (ptrdiff_t i{letter} = 0; i{letter} < {self.sizes[letter]}; ++i{letter})")

    def enter_sum(self, letters: list[str]) -> int:
        """Open the loops of a sum; how many there are."""
        backwards = any(self.stride(view, letters[-1]) < 0 for view in (self.x, self.y))
        if self.dtype.kind not in "fc" or len(letters) == 1 or not backwards:
            self.enter(letters)
            return len(letters)
        open_flat(self.kernel, [f"i{a}" for a in letters], [self.sizes[a] for a in letters])
        return 1

    def leave(self, letters: list[str]) -> None:
        for _ in letters:
            self.kernel.close()

    def factors(self) -> tuple[str, str]:
        """The two elements the loops stand at."""
        return self.kernel.load(self.x, self.index(self.x)), self.kernel.load(self.y, self.index(self.y))

    def place(self) -> str:
        """The element of the result."""
        return f"{self.kernel.write(self.out.base)}[{self.index(self.out)}]"

    def spell(self, symbol: str, x: str, y: str) -> str:
        return spell(symbol, self.kernel.helpers, self.dtype, (self.dtype, self.dtype), [x, y])


def contraction(kernel: Kernel, plan: Plan, unit: Unit) -> None:
    """Chooses the order of the loops: blocks if dense, else lines along contiguous axes."""
    node = unit.last
    assert isinstance(node.op, Contraction)
    terms = Contraction.split(node.params["subscripts"])
    x, y = map(plan.view, node.operands)
    y = evolve(y)  # told apart from x by identity, also in the product of an array with itself
    # The letters become names of loop variables: ours, not the graph's.
    names = {letter: str(k) for k, letter in enumerate(dict.fromkeys("".join(terms)))}
    x_term, y_term, out_term = ([names[letter] for letter in term] for term in terms)
    sizes = {**dict(zip(x_term, x.shape, strict=True)), **dict(zip(y_term, y.shape, strict=True))}
    free = [a for a in out_term if sizes[a] != 1]
    summed = [a for a in dict.fromkeys(x_term) if a not in out_term and sizes[a] != 1]
    p = Product(kernel, x, y, whole(node.result), sizes, free, summed, (x_term, y_term, out_term))
    strong = node.op.scaled and p.dtype.kind in "fc"
    if not summed or any(sizes[a] == 0 for a in summed):
        _outer(p, strong)
        return
    if not _dense(p):
        (_by_lines if _lines_pay(p) else _by_results)(p)
    if strong:
        _repair(p)


def _outer(p: Product, strong: bool) -> None:
    """Nothing is summed, or there is nothing to sum."""
    if 0 in (p.sizes[a] for a in p.summed):
        fill(p.kernel, p.out.base, literal(0, p.dtype))
        return
    p.enter(p.free)
    x, y = p.factors()
    product = f"{p.kernel.helpers.need('scale', p.dtype)}({x}, {y})" if strong else p.spell("*", x, y)
    p.kernel.line(f"{p.place()} = {product};")
    p.leave(p.free)


def _lines_pay(p: Product) -> bool:
    """Whether the last axis of the result is contiguous, or absent, in all three."""
    if not p.free:
        return False
    last = p.free[-1]
    return all(p.stride(v, last) in (0, 1) for v in (p.x, p.y, p.out))


def _by_lines(p: Product) -> None:
    """Line by line of the result, each term added to the whole line: i-k-j."""
    fill(p.kernel, p.out.base, literal(0, p.dtype))
    order = [*p.free[:-1], *p.summed, p.free[-1]]
    p.enter(order)
    product = p.kernel.define(p.dtype, p.spell("*", *p.factors()))
    p.kernel.line(f"{p.place()} = {p.spell('+', p.place(), product)};")
    p.leave(order)


def _by_results(p: Product) -> None:
    """Result by result; long floating sums in blocks of 128, added in a tree."""
    p.enter(p.free)
    order = sorted(p.summed, key=lambda a: -max(abs(p.stride(p.x, a)), abs(p.stride(p.y, a))))
    last = order[-1]
    if p.dtype.kind in "fc" and p.sizes[last] >= 8:
        total = _tree(p, order)
    else:
        total = p.kernel.name("s")
        p.kernel.line(f"{local(p.dtype)} {total} = {literal(0, p.dtype)};")
        depth = p.enter_sum(order)
        product = p.kernel.define(p.dtype, p.spell("*", *p.factors()))
        p.kernel.line(f"{total} = {p.spell('+', total, product)};")
        p.leave(order[:depth])
    p.kernel.line(f"{p.place()} = {total};")
    p.leave(p.free)


def _tree(p: Product, order: list[str]) -> str:
    last = order[-1]
    with blocks(p.kernel, p.dtype, f"i{last}", p.sizes[last], lambda: p.enter(order[:-1])) as block:
        p.kernel.line(f"{block.element} = {p.spell('*', *p.factors())};")
    p.leave(order[:-1])
    return block.total


def _dense(p: Product) -> bool:
    """A matrix product, perhaps many: the largest letters by blocks, the others around them."""
    if p.dtype.kind != "f" or not p.free:
        return False
    column = p.free[-1]
    if p.stride(p.out, column) != 1:
        return False
    x, y = (p.x, p.y) if p.stride(p.y, column) and not p.stride(p.x, column) else (p.y, p.x)
    rows = [a for a in p.free if p.stride(x, a) and not p.stride(y, a)]
    if p.stride(x, column) or not p.stride(y, column) or not rows:
        return False
    row, term = max(rows, key=lambda a: p.sizes[a]), max(p.summed, key=lambda a: p.sizes[a])
    if min(p.sizes[a] for a in (row, column, term)) < LARGE or not (p.stride(x, term) and p.stride(y, term)):
        return False
    fill(p.kernel, p.out.base, literal(0, p.dtype))
    around = [a for a in (*p.free, *p.summed) if a not in (row, column, term)]
    inner = (row, column, term)
    p.enter(around)
    matmul = p.kernel.helpers.need("matmul", p.dtype)
    sizes = ", ".join(str(p.sizes[a]) for a in inner)
    left = f"&{p.kernel.read(x.base)}[{p.index(x, inner)}], {p.stride(x, row)}, {p.stride(x, term)}"
    right = f"&{p.kernel.read(y.base)}[{p.index(y, inner)}], {p.stride(y, term)}, {p.stride(y, column)}"
    out = f"&{p.kernel.write(p.out.base)}[{p.index(p.out, inner)}], {p.stride(p.out, row)}"
    p.kernel.line(f"{matmul}({sizes}, {left}, {right}, {out});")
    p.leave(around)
    return True


def _repair(p: Product) -> None:
    """Only a NaN can hide an exact 0 times inf or NaN: those results are summed again, by terms."""
    k = p.kernel
    p.enter(p.free)
    k.open(f"if ({p.place()} != {p.place()})")
    total = k.name("s")
    k.line(f"{local(p.dtype)} {total} = 0;")
    depth = p.enter_sum(p.summed)
    x, y = p.factors()
    k.line(f"if ({x} != 0 && {y} != 0) {total} += {p.spell('*', x, y)};")
    p.leave(p.summed[:depth])
    k.line(f"{p.place()} = {total};")
    k.close()
    p.leave(p.free)
