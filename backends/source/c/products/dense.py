"""Matrix products: by BLAS, or by functions of ours for just their sizes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from wengert.backends.source.c.products import blas
from wengert.backends.source.c.products.matrices import PACKED, PRODUCT
from wengert.backends.source.c.products.product import Axis, Product
from wengert.backends.source.c.scalars.spelling import literal

__all__ = ["dense"]

#: Rows times columns times terms from which on BLAS takes less time: where a panel of y does not stay in the nearest
#: cache, or is not as ours want it; where it does (there BLAS has threads); and of complex numbers.
BLAS, BLAS_NEAR, BLAS_COMPLEX = 1 << 12, 1 << 20, 1 << 9
#: Bytes of y up to which ours are as good, and up to which all of it stays in the nearest cache.
NEAR, NEAREST = 1 << 17, 1 << 15
#: Rows times columns times terms from which on a function of its own is better than lines.
OWN = 1 << 9
#: Rows whose sums are in registers.
ROWS = {"slabs": 6, "packed": 6, "gram": 5}
#: Bytes of a line that vectors are worth it for, and of one whose sum takes longer than to add up a vector.
LINE, LONG = 32, 512
#: The same for a matrix times a vector, which threads may share (one alone takes as long as ours).
MATVEC = 1 << 17


def dense(p: Product) -> bool:
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
    size = row.size * column.size * term.size
    kind = _own(p, row, column, term)
    near = kind and column.size * term.size * p.dtype.itemsize <= NEAR
    least = BLAS_COMPLEX if p.dtype.kind == "c" else BLAS_NEAR if near else BLAS
    dots = term.x == term.y == 1 and min(row.size, column.size) < 4  # BLAS takes twice as long
    if size >= least and not dots and _by_blas(p, "gemm", [row, column, term]):
        return True
    if not kind or size < OWN:
        return False
    _by_own(p, kind, row, column, term)
    return True


def _own(p: Product, row: Axis, column: Axis, term: Axis) -> str:
    """Which function for just these sizes is better than lines."""
    panel, deep, wide = (n * p.dtype.itemsize for n in (column.size * term.size, term.size, column.size))
    if p.dtype.kind != "f" or row.size == 1:
        return ""
    if column.y == 1 and wide >= LINE and (panel <= NEAREST or row.size <= ROWS["slabs"]):
        return "slabs"
    dots = term.x == term.y == 1 and column.size > 1 and deep >= 2 * LINE
    if wide >= LINE and row.size >= 2 * ROWS["packed"] and (deep < LONG or not dots):
        return "packed"
    return "gram" if dots else ""


def _by_own(p: Product, kind: str, row: Axis, column: Axis, term: Axis) -> None:
    """A call of a function for just these sizes."""
    inner, several = [row, column, term], len(p.summed) > 1
    x, y, out = p.firsts(inner)
    given = p.start is not None and column.start == 1 and not several  # what is added: is it read where it lies,
    begun = not given and (several or p.start is not None)  # or first written to the result?
    before, step = (p.first("start", inner), row.start) if given else (out, row.out)
    rows, add = -(-row.size // -(-row.size // ROWS[kind])), int(given or begun)
    sizes = {"m": row.size, "n": column.size, "p": term.size, "xi": row.x, "xk": term.x, "yk": term.y, "yj": column.y,
             "oi": row.out, "bi": step, "add": add}  # fmt: skip
    name = "_".join(str(n).replace("-", "m") for n in (kind, *sizes.values()))
    xs, ys = (row.x, column.y) if kind == "gram" else (f"{row.x}, {term.x}", term.y)
    p.kernel.helpers.need("gram" if kind == "gram" else "slabs", p.dtype)
    text = (PACKED if kind == "packed" else PRODUCT).format(name=name, kind=kind, rows=rows, xs=xs, ys=ys, **sizes)
    function = p.kernel.helpers.write(name, p.dtype, text)
    p.around(inner, f"{function}({x}, {y}, {before}, {out});", add=begun)


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
    add, (x, y, out) = len(p.summed) > 1 or p.start is not None, p.firsts(inner)
    begun = found.begun(p.kernel, name, p.dtype, math.prod(a.size for a in inner))
    sizes, beta = ", ".join(str(a.size) for a in inner), literal(int(add), p.dtype)
    given = [begun, sizes, x, *map(str, left), y, *map(str, right), beta, out, str(row.out)]
    p.around(inner, f"{', '.join(given)});", add=add, shared=False)
    return True


def _lies(down: int, across: int, rows: int, columns: int) -> tuple[int, int] | None:
    """Whether a matrix is turned, and how far apart its lines are, if its lines are contiguous."""
    if across == 1 and down >= columns:
        return 0, down
    return (1, across) if down == 1 and across >= rows else None
