"""Contractions: sums of products over named axes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence

from attrs import evolve

from wengert.backends.source.c.loops.folds import blocks
from wengert.backends.source.c.planning.plan import Plan, Unit
from wengert.backends.source.c.products.dense import dense
from wengert.backends.source.c.products.product import Axis, Product, product_of
from wengert.backends.source.c.scalars.spelling import literal, local, part
from wengert.backends.source.c.scalars.statements import PARALLEL, Kernel

__all__ = ["contraction"]

#: Products of two numbers up to which all are written out, without loops; and where what is around them is a
#: contiguous loop: 3 x 3 x 3 1,000 times takes 4.6 us, in loops 24 us; 6 x 6 x 6 in contiguous lanes a third.
WRITTEN, WRITTEN_IN_LANES = 64, 256
#: Terms that are added to a line of the result at a time, and up to which all are.
TERMS, ALL_TERMS = 8, 16
#: From this length on, a sum over two contiguous lines is kept in vectors.
DOT = 8


def contraction(kernel: Kernel, plan: Plan, unit: Unit) -> None:
    """Writes small products out, hands large ones to BLAS or to blocks, and the rest to lines along contiguous axes.

    Something is summed: the others are elementwise products by now (``outer``).
    """
    p = product_of(kernel, plan, unit)
    if any(a.size == 0 for a in p.summed):
        p.fill()
        return
    if not (_written_out(p) or dense(p) or dense(p.turned)):
        if _lines_pay(p):
            _by_lines(p)
        elif not (_by_dots(p) or _by_dots(p.turned)):
            _by_results(p)
    if unit.last.op.scaled and p.dtype.kind in "fc":  # type: ignore[attr-defined]
        _repair(p)


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
    x, y, out = p.firsts(inner)
    if row is None:
        call = f"{p.place()} += {p.kernel.helpers.need('dot', p.dtype)}({term.size}, {x}, {y});"
    else:
        dots = p.kernel.helpers.need("dots", p.dtype)
        call = f"{dots}({row.size}, {term.size}, {x}, {row.x}, {y}, {out}, {row.out});"
    p.around(inner, call, add=True)
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
