"""How many directions a matrix takes, and where its entries are found in what they give."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from attrs import frozen

from wengert.ir.sparsity.coloring import colour_columns, colour_star, number_of
from wengert.ir.sparsity.patterns import Ints, Pattern

__all__ = ["Compression", "compress", "compress_symmetric"]

#: Cuts that a mix of both modes is looked for at.
CUTS = 12


@frozen(slots=True, eq=False)
class Compression:
    """The entries of ``wanted`` by a few directions.

    Colour c of ``columns`` is one forward direction, the sum of the unit vectors of its columns; colour c of ``rows``
    one cotangent; -1 is in none.  Entry k is element ``source[k]`` of all forward results one behind the other, then
    of all reverse ones.
    """

    wanted: Pattern
    columns: Ints
    rows: Ints
    source: Ints

    @property
    def forward(self) -> int:
        """The number of tangents."""
        return number_of(self.columns)

    @property
    def reverse(self) -> int:
        """The number of cotangents."""
        return number_of(self.rows)

    def __str__(self) -> str:
        return f"{self.forward} tangents and {self.reverse} cotangents for {self.wanted.nnz} entries"


def compress(pattern: Pattern, wanted: Pattern | None = None, mode: str | None = None) -> Compression:
    """The fewest directions found: along columns, along rows, or rows that are nearly full by reverse mode and the
    rest forward (or full columns forward, and the rest in reverse).

    ``mode`` "forward" or "reverse" leaves one choice.  A mix runs the program twice, and is looked for where it may
    take half as many directions as either alone has to.
    """
    wanted = pattern if wanted is None else wanted
    choices = [
        choice for turned in (False, True) if mode in (None, "reverse" if turned else "forward")
        for choice in _choices(pattern, wanted, turned=turned, mixed=mode is None and wanted is pattern)
    ]  # fmt: skip
    alone = min(least for least, _, rare in choices if not rare.any())
    choices = [choice for choice in choices if not choice[2].any() or 2 * choice[0] <= alone]
    best: Any = None
    fewest = pattern.rows + pattern.columns + 1
    for least, turned, rare in sorted(choices, key=lambda choice: choice[0]):
        if least >= fewest:
            break
        found = _coloured(pattern, wanted, rare, fewest, turned=turned)
        if found is not None:
            best, fewest = (*found[:2], turned), found[2]
    columns, rows, turned = best
    by_rows = bool(number_of(rows)) if not turned else not number_of(columns)
    return Compression(wanted, columns, rows, _source(wanted, columns, rows, by_rows=by_rows))


def _choices(pattern: Pattern, wanted: Pattern, *, turned: bool, mixed: bool) -> Iterator[tuple[int, bool, Any]]:
    """(how many directions it takes at least, whether rows stand for columns, which rows are set apart)."""
    full, asked = (pattern.transposed(), wanted.transposed()) if turned else (pattern, wanted)
    yield int(asked.counts.max(initial=0)), turned, np.zeros(full.rows, bool)
    counts, row = full.counts, full.row
    for longest in np.unique(counts)[::-1][1 : CUTS + 1] if mixed else ():
        rare = counts > longest
        met = np.bincount(full.indices[rare[row]], minlength=1)
        yield int(longest + met.max() + 1), turned, rare


def _coloured(pattern: Pattern, wanted: Pattern, rare: Any, bound: int, *, turned: bool) -> Any:
    """Colours of columns and of rows, and how many they come to; None where those are not fewer than ``bound``."""
    full, asked = (pattern.transposed(), wanted.transposed()) if turned else (pattern, wanted)
    columns: Ints | None
    rows: Ints | None
    if not rare.any():
        columns, rows, extra = colour_columns(full, asked, bound), np.full(full.rows, -1, np.int64), 0
    else:
        columns = colour_columns(part := full.kept(~rare), part, bound)
        rows = colour_columns(part := full.kept(rare).transposed(), part, bound)
        extra = 1
    if columns is None or rows is None or (count := number_of(columns) + number_of(rows) + extra) >= bound:
        return None
    return (rows, columns, count) if turned else (columns, rows, count)


def compress_symmetric(pattern: Pattern) -> Compression:
    """Of a symmetric matrix, by forward directions alone: an entry is read off in its column, or in the other's."""
    columns, none = colour_star(pattern), np.full(pattern.rows, -1, np.int64)
    plain = colour_columns(pattern, pattern, number_of(columns))
    columns = columns if plain is None else plain
    row, column = pattern.row, pattern.indices
    here = row * (number_of(columns) + 1) + columns[column]
    alone = np.bincount(here, minlength=1)[here] == 1
    source = np.where(alone, columns[column] * pattern.rows + row, columns[row] * pattern.rows + column)
    return Compression(pattern, columns, none, source)


def _source(wanted: Pattern, columns: Ints, rows: Ints, *, by_rows: bool) -> Ints:
    """Where each entry is; with ``by_rows`` in reverse if its row has a colour, else forward if its column has."""
    row, column = wanted.row, wanted.indices
    forward = columns[column] * wanted.rows + row
    reverse = number_of(columns) * wanted.rows + rows[row] * wanted.columns + column
    return np.where(rows[row] >= 0 if by_rows else columns[column] < 0, reverse, forward)
