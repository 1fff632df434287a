"""Contractions: sums of products over named axes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from attrs import define, evolve, frozen

from wengert.backends.source.c import blas
from wengert.backends.source.c.folds import blocks
from wengert.backends.source.c.loops import fill, index_text, open_flat
from wengert.backends.source.c.matrices import PRODUCT
from wengert.backends.source.c.plan import Plan, Unit
from wengert.backends.source.c.scalars import PARALLEL, Kernel
from wengert.backends.source.c.spelling import literal, local, part, spell
from wengert.backends.source.c.views import View, whole
from wengert.ir.kinds import Contraction

__all__ = ["contraction"]

#: Products of two numbers up to which all are written out, without loops; and where what is around them is a
#: contiguous loop: 3 x 3 x 3 1,000 times takes 4.6 us, in loops 24 us; 6 x 6 x 6 in contiguous lanes a third.
WRITTEN, WRITTEN_IN_LANES = 64, 256
#: Terms that are added to a line of the result at a time, and up to which all are.
TERMS, ALL_TERMS = 8, 16
#: From this length on, a sum over two contiguous lines is kept in vectors.
DOT = 8


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

        def view(which: str) -> View | None:
            given = getattr(self, which)
            return given and evolve(given, offset=given.offset + sum(getattr(a, which) * place[a.name] for a in fixed))

        views = {which: view(which) for which in ("x", "y", "out", "start")}
        return evolve(self, **views, free=free, summed=summed)


def contraction(kernel: Kernel, plan: Plan, unit: Unit) -> None:
    """Writes small products out, hands large ones to BLAS or to blocks, and the rest to lines along contiguous axes.

    Something is summed: the others are elementwise products by now (``outer``).
    """
    node = unit.last
    assert isinstance(node.op, Contraction)
    p = _product(kernel, plan, unit)
    strong = node.op.scaled and p.dtype.kind in "fc"
    if any(a.size == 0 for a in p.summed):
        p.fill()
        return
    if not (_written_out(p) or _dense(p) or _dense(p.turned)):
        if _lines_pay(p):
            _by_lines(p)
        elif not (_by_dots(p) or _by_dots(p.turned)):
            _by_results(p)
    if strong:
        _repair(p)


def _product(kernel: Kernel, plan: Plan, unit: Unit) -> Product:
    node = unit.last
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


def _written_out(p: Product) -> bool:
    """Every product of two numbers as a statement, in a loop over the axes that all three arrays have."""
    around = [a for a in p.free if a.x and a.y]
    inner = [a for a in p.free if a not in around]
    lanes = around and around[-1] is p.free[-1] and around[-1].steps[:3] == (1, 1, 1)
    if not around or math.prod(a.size for a in (*inner, *p.summed)) > (WRITTEN_IN_LANES if lanes else WRITTEN):
        return False
    p.enter(around)
    for place in _places(inner):
        here = p.at(place)
        terms = [here.at(term).product() for term in _places(p.summed)]
        p.kernel.line(f"{here.place()} = {p.spell('+', p.total(terms), here.begin())};")
    p.leave(len(around))
    return True


def _places(axes: Sequence[Axis]) -> Iterable[dict[str, int]]:
    names = [a.name for a in axes]
    return (dict(zip(names, place, strict=True)) for place in itertools.product(*(range(a.size) for a in axes)))


# ----- Lines: the last axis of the result is contiguous, or absent, in all three -----


def _lines_pay(p: Product) -> bool:
    return bool(p.free) and all(step in (0, 1) for step in p.free[-1].steps)


def _by_lines(p: Product) -> None:
    """Line by line of the result, several terms added to the whole line at a time."""
    *rows, line = p.free
    *around, term = p.summed
    if not around and term.size <= ALL_TERMS:
        p.enter(rows)
        _add_terms(p, line, [p.at({term.name: k}) for k in range(term.size)], p.begin)
        p.leave(len(rows))
        return
    p.fill()
    p.enter([*rows, *around])
    i = term.name
    most = f"{term.size} / {TERMS} * {TERMS}"
    p.kernel.open(f"for (ptrdiff_t {i} = 0; {i} < {most}; {i} += {TERMS})")
    shifted = [
        evolve(p, x=evolve(p.x, offset=p.x.offset + k * term.x), y=evolve(p.y, offset=p.y.offset + k * term.y))
        for k in range(TERMS)
    ]
    _add_terms(p, line, shifted, p.place)
    p.kernel.close()
    p.kernel.open(f"for (ptrdiff_t {i} = {most}; {i} < {term.size}; ++{i})")
    _add_terms(p, line, [p], p.place)
    p.kernel.close()
    p.leave(len(rows) + len(around))


def _add_terms(p: Product, line: Axis, terms: Sequence[Product], before: Callable[[], str]) -> None:
    p.enter([line])
    p.kernel.line(f"{p.place()} = {p.spell('+', before(), p.total([term.product() for term in terms]))};")
    p.leave(1)


# ----- Results one by one -----


def _by_dots(p: Product) -> bool:
    """Sums over lines that are contiguous in both, of several rows of x at a time."""
    term = p.summed[-1]
    if p.dtype.kind != "f" or term.x != 1 or term.y != 1 or term.size < DOT:
        return False
    rows = [a for a in p.free if a.x and not a.y]
    row = max(rows, key=lambda a: a.size) if rows else None
    if row is None and any(a.y and not a.x for a in p.free):
        return False  # turned it has rows
    inner = [term] if row is None else [row, term]
    x, y, out = _firsts(p, inner)
    if row is None:
        call = f"{p.place()} += {p.kernel.helpers.need('dot', p.dtype)}({term.size}, {x}, {y});"
    else:
        dots = p.kernel.helpers.need("dots", p.dtype)
        call = f"{dots}({row.size}, {term.size}, {x}, {row.x}, {y}, {out}, {row.out});"
    _around(p, inner, call, add=True)
    return True


def _by_results(p: Product) -> None:
    """Result by result; long floating sums in blocks of 128, added in a tree."""
    p.enter(p.free)
    if p.dtype.kind in "fc" and p.summed[-1].size >= DOT:
        total = _tree(p)
    else:
        total = p.kernel.name("s")
        p.kernel.line(f"{local(p.dtype)} {total} = {literal(0, p.dtype)};")
        depth = p.enter_sum(p.summed)
        p.kernel.line(f"{total} = {p.spell('+', total, p.product())};")
        p.leave(depth)
    p.kernel.line(f"{p.place()} = {total if p.start is None else p.spell('+', p.begin(), total)};")
    p.leave(len(p.free))


def _tree(p: Product) -> str:
    *around, last = p.summed
    with blocks(p.kernel, p.dtype, last.name, last.size, lambda: p.enter(around)) as block:
        p.kernel.line(f"{block.element} = {p.product()};")
    p.leave(len(around))
    return block.total


# ----- Matrix products -----

#: Rows times columns times terms from which on BLAS takes less time: where a panel of y does not stay in the nearest
#: cache, or is not as ours want it; where it does (there BLAS has threads); and of complex numbers.
BLAS, BLAS_NEAR, BLAS_COMPLEX = 1 << 12, 1 << 20, 1 << 9
#: Bytes of such a panel; rows times columns times terms from which on a function of its own is better than lines.
NEAR, OWN = 1 << 17, 1 << 9
#: Bytes of a line that vectors are worth it for.
LINE = 32
#: The same for a matrix times a vector, which threads may share (one alone takes as long as ours).
MATVEC = 1 << 17
#: Rows, columns and terms from which on blocks do: beside lines (32 x 32 x 32 in 1.9 us, lines 2.2 us), and where
#: there are none (64 x 64 x 64 in 12.9 us, sums one by one 20 us; 16 x 16 x 16 either in 0.38 us).
BLOCKS, BLOCKS_ALONE = 28, 16


def _dense(p: Product) -> bool:
    """A matrix product, perhaps many: the largest axes at once, the others around them."""
    rows = [a for a in p.free if a.x and not a.y]
    columns = [a for a in p.free if a.y and not a.x and a.out == 1]
    terms = [a for a in p.summed if a.x and a.y]
    if p.dtype.kind not in "fc" or not (rows and terms):
        return False
    row, term = (max(axes, key=lambda a: a.size) for axes in (rows, terms))
    if not any(a.y and not a.x for a in p.free):
        return row.size * term.size >= MATVEC and _by_blas(p, "gemv", [row, term])
    if not columns:
        return False
    (column,) = columns
    size, sides = row.size * column.size * term.size, (row.size, column.size)
    dots = term.x == 1 and term.y == 1 and min(sides) < 4  # BLAS takes twice as long
    own = _own(p, row, column, term)
    least = BLAS_COMPLEX if p.dtype.kind == "c" else BLAS_NEAR if own else BLAS
    if size >= least and not dots and _by_blas(p, "gemm", [row, column, term]):
        return True
    if own:
        _by_own(p, own, row, column, term)
        return True
    if p.dtype.kind != "f" or min(*sides, term.size) < (BLOCKS if _lines_pay(p) else BLOCKS_ALONE):
        return False
    matmul = p.kernel.helpers.need("matmul", p.dtype)
    x, y, out = _firsts(p, [row, column, term])
    sizes = f"{row.size}, {column.size}, {term.size}"
    call = f"{matmul}({sizes}, {x}, {row.x}, {term.x}, {y}, {term.y}, {column.y}, {out}, {row.out});"
    _around(p, [row, column, term], call, add=True)
    return True


def _own(p: Product, row: Axis, column: Axis, term: Axis) -> str:
    """Whether a function for just these sizes is best, and which: where y lies in the nearest cache, line by line."""
    near = column.size * term.size * p.dtype.itemsize <= NEAR
    if p.dtype.kind != "f" or not near or row.size * column.size * term.size < OWN or row.size < 2:
        return ""
    if column.y == 1 and column.size * p.dtype.itemsize >= LINE:
        return "slabs"
    return "gram" if term.x == term.y == 1 and column.size > 1 and term.size * p.dtype.itemsize >= 2 * LINE else ""


def _by_own(p: Product, kind: str, row: Axis, column: Axis, term: Axis) -> None:
    inner = [row, column, term]
    again = len(p.summed) > 1 or (p.start is not None and column.start != 1)  # to what is there, else to what is given
    p.kernel.helpers.need(kind, p.dtype)
    most, xs, ys = (6, (row.x, term.x), term.y) if kind == "slabs" else (5, (row.x,), column.y)
    add, added = int(again or p.start is not None), row.out if again or p.start is None else row.start
    rows = -(-row.size // -(-row.size // most))
    sizes = row.size, column.size, term.size
    name = "_".join(str(n).replace("-", "m") for n in (kind, *sizes, *xs, ys, row.out, added, add))
    text = PRODUCT.format(name=name, kind=kind, m=row.size, n=column.size, p=term.size, rows=rows,
                          steps=", ".join(map(str, ("x", *xs, "y", ys))), oi=row.out, bi=added, add=add)  # fmt: skip
    function = p.kernel.helpers.write(name, p.dtype, text)
    x, y, out = _firsts(p, inner)
    before = out if again or p.start is None else p.first("start", inner)
    _around(p, inner, f"{function}({x}, {y}, {before}, {out});", add=again)


def _firsts(p: Product, inner: Sequence[Axis]) -> tuple[str, ...]:
    return tuple(p.first(which, inner) for which in ("x", "y", "out"))


def _around(p: Product, inner: Sequence[Axis], call: str, *, add: bool) -> None:
    """A call in loops over all other axes.  What it computes is added to the result, or is written there."""
    outer = [a for a in (*p.free, *p.summed) if a not in inner]
    if add:
        p.fill()
    p.enter(outer)
    p.kernel.line(call)
    p.leave(len(outer))


def _by_blas(p: Product, name: str, inner: Sequence[Axis]) -> bool:
    """The call of BLAS; False where there is none, or the arrays do not lie as it wants them."""
    row, *column, term = inner
    left = _lies(row.x, term.x, row.size, term.size)
    right = _lies(term.y, column[0].y, term.size, column[0].size) if column else (term.y,) * (term.y > 0)
    if not (p.kernel.helpers.hosted and left and right) or row.out < (column[0].size if column else 1):
        return False
    found = blas.routine(name, p.dtype)
    if found is None or max(*(a.size for a in inner), left[1], right[-1], row.out) > found.largest:
        return False
    add, (x, y, out) = len(p.summed) > 1 or p.start is not None, _firsts(p, inner)
    begun = found.begun(p.kernel, name, p.dtype, math.prod(a.size for a in inner))
    sizes, beta = ", ".join(str(a.size) for a in inner), literal(int(add), p.dtype)
    given = [begun, sizes, x, *map(str, left), y, *map(str, right), beta, out, str(row.out)]
    _around(p, inner, f"{', '.join(given)});", add=add)
    return True


def _lies(down: int, across: int, rows: int, columns: int) -> tuple[int, int] | None:
    """Whether a matrix is turned, and how far apart its lines are, if its lines are contiguous."""
    if across == 1 and down >= columns:
        return 0, down
    return (1, across) if down == 1 and across >= rows else None


# ----- Strong zeros -----


def _repair(p: Product) -> None:
    """Only a NaN can hide an exact 0 times inf or NaN: those results are summed again, by terms."""
    k = p.kernel
    size = p.out.base.type.size
    if size >= DOT:  # first a glance at all, as compilers vectorise it best
        dtype = part(p.dtype) if p.dtype.kind == "c" else p.dtype
        parts = p.dtype.itemsize // dtype.itemsize
        bits = f"uint{8 * dtype.itemsize}_t"
        k.line(f"{bits} nan = 0;")
        if size >= k.grain:
            k.line(f"{PARALLEL} reduction(|:nan)")
        k.open(f"for (ptrdiff_t i = 0; i < {size * parts}; ++i)")
        value = k.define(dtype, f"((const {local(dtype)} *){k.write(p.out.base)})[i]")
        k.line(f"nan |= -({bits})({value} != {value});")
        k.close()
        k.open("if (nan != 0)")
    p.enter(p.free)
    k.open(f"if ({p.place()} != {p.place()})")
    total = k.name("s")
    k.line(f"{local(p.dtype)} {total} = {p.begin()};")
    depth = p.enter_sum(p.summed)
    x, y = p.load("x"), p.load("y")
    k.line(f"if ({x} != 0 && {y} != 0) {total} += {p.spell('*', x, y)};")
    p.leave(depth)
    k.line(f"{p.place()} = {total};")
    k.close()
    p.leave(len(p.free))
    if size >= DOT:
        k.close()
