"""Colourings: columns that may share a direction, because no entry that is wanted is met by two of them.

After Curtis, Powell and Reid, "On the estimation of sparse Jacobian matrices" (1974), Coleman and More (1983), and
Gebremedhin, Manne and Pothen, "What color is your Jacobian?" (2005).  A set of colours is an int, a bit for each: so a
greedy choice is the lowest bit that no neighbour has, and costs one step per entry of the pattern.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from wengert.ir.sparsity.patterns import Ints, Pattern

__all__ = ["colour_columns", "colour_star", "number_of"]


def number_of(colours: Ints) -> int:
    """How many colours there are; what is -1 needs none."""
    return int(colours.max(initial=-1)) + 1


def _lists(pattern: Pattern) -> list[list[int]]:
    """The columns of each row."""
    flat, cuts = pattern.indices.tolist(), pattern.indptr.tolist()
    return [flat[a:b] for a, b in itertools.pairwise(cuts)]


def colour_columns(pattern: Pattern, wanted: Pattern, bound: int) -> Ints | None:
    """Colours of the columns: each ``wanted`` entry is the only one of its colour in its row; fewer than ``bound``, or
    None.

    The better of two orders: as they stand, and columns with many neighbours first.  A row needs as many colours as it
    has entries; where that many are enough, the search ends.
    """
    rows_of = _lists(pattern.transposed())
    wanted_in = rows_of if wanted is pattern else _lists(wanted.transposed())
    least = int(wanted.counts.max(initial=0))
    if least >= bound:
        return None
    best = _greedy(range(pattern.columns), rows_of, wanted_in, pattern.rows, bound)
    if best is None or number_of(best) > least:
        near = np.bincount(pattern.indices, weights=pattern.counts[pattern.row], minlength=pattern.columns)
        order = np.argsort(-near, kind="stable").tolist()
        other = _greedy(order, rows_of, wanted_in, pattern.rows, bound if best is None else number_of(best))
        best = best if other is None else other
    return best


def _greedy(order: Any, rows_of: list[list[int]], wanted_in: list[list[int]], rows: int, bound: int) -> Ints | None:
    """The first colour that is free, column by column; -1 for one in which nothing is wanted.  None at ``bound``."""
    whole = wanted_in is rows_of
    seen = [0] * rows  # the colours of the entries of each row
    asked = seen if whole else [0] * rows  # and of those that are wanted
    colours = [-1] * len(rows_of)
    for c in order:
        if not wanted_in[c]:
            continue
        taken = 0
        for r in wanted_in[c]:
            taken |= seen[r]
        if not whole:
            for r in rows_of[c]:
                taken |= asked[r]
        bit = ~taken & (taken + 1)
        if bit.bit_length() >= bound:
            return None
        colours[c] = bit.bit_length() - 1
        for r in rows_of[c]:
            seen[r] |= bit
        if not whole:
            for r in wanted_in[c]:
                asked[r] |= bit
    return np.array(colours, np.int64)


def colour_star(pattern: Pattern) -> Ints:
    """Colours of a symmetric pattern: neighbours differ, and a path of four has three colours at least.

    Then of every entry (i, j) either j is the only one of its colour in row i, or i of its colour in row j, so that
    one of the two can be read off (Coleman and More, 1984).  In the order of falling degrees.
    """
    near = _lists(pattern)
    near = [[j for j in row if j != i] for i, row in enumerate(near)]
    n = len(near)
    bits = [0] * n
    once, twice = [0] * n, [0] * n  # the colours that a vertex has among its neighbours; those it has more than once
    barred = [0] * n  # for a coloured w: the colours of its neighbours x that have w's colour twice
    counts = pattern.counts
    for v in np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)].tolist():
        taken = 0
        for w in near[v]:  # v-w-x: a third colour where w is not coloured yet; else v-w-x-y
            taken |= (bits[w] | barred[w]) if bits[w] else once[w]
        bit = ~taken & (taken + 1)
        bits[v] = bit
        for w in near[v]:
            if bits[w] & twice[v]:
                barred[w] |= bit
        for x in near[v]:
            if not once[x] & bit:
                once[x] |= bit
            elif bits[x]:
                if twice[x] & bit:
                    barred[v] |= bits[x]
                else:
                    for y in near[x]:
                        if bits[y] == bit:
                            barred[y] |= bits[x]
                twice[x] |= bit
            else:
                twice[x] |= bit
    return np.array([bit.bit_length() - 1 for bit in bits], np.int64)
