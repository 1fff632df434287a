"""Boolean matrices, by rows: which elements of a value may depend on which elements of the inputs."""

from __future__ import annotations

import contextvars
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from attrs import field, frozen

__all__ = ["LIMIT", "Ints", "Pattern", "PatternSizeError", "limit", "stacked", "starts_of", "united"]

Ints: TypeAlias = np.ndarray[Any, np.dtype[np.int64]]

#: Entries of one pattern: beyond, the matrix is as good as dense, and its pattern costs more than it saves.
LIMIT = 50_000_000
limit: contextvars.ContextVar[int] = contextvars.ContextVar("limit", default=LIMIT)


class PatternSizeError(ValueError):
    """A pattern with more entries than the limit in force."""


def _ints(values: Any) -> Ints:
    return np.ascontiguousarray(values, dtype=np.int64)


def starts_of(counts: Any) -> Ints:
    """The row pointers of rows of so many entries."""
    starts = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=starts[1:])
    if starts[-1] > limit.get():
        raise PatternSizeError(f"{starts[-1]:,}")
    return starts


@frozen(slots=True, eq=False, repr=False)
class Pattern:
    """Row i has the columns ``indices[indptr[i]:indptr[i + 1]]``, in order, each once."""

    indptr: Ints = field(converter=_ints)
    indices: Ints = field(converter=_ints)
    columns: int

    # -- making ----------------------------------------------------------------------------------

    @classmethod
    def empty(cls, rows: int, columns: int) -> Pattern:
        """No entry."""
        return cls(np.zeros(rows + 1, np.int64), np.zeros(0, np.int64), columns)

    @classmethod
    def diagonal(cls, rows: int, columns: int, first: int = 0) -> Pattern:
        """Row i has the column first + i alone."""
        return cls(np.arange(rows + 1), np.arange(first, first + rows), columns)

    @classmethod
    def full(cls, rows: int, columns: int) -> Pattern:
        """Every entry."""
        return cls(np.arange(rows + 1) * columns, np.tile(np.arange(columns), rows), columns)

    @classmethod
    def of_keys(cls, keys: Any, rows: int, columns: int) -> Pattern:
        """From the numbers row * columns + column, in order and each once."""
        row, column = np.divmod(keys, max(columns, 1))
        return cls(starts_of(np.bincount(row, minlength=rows)), column, columns)

    @classmethod
    def of_pairs(cls, row: Any, column: Any, rows: int, columns: int) -> Pattern:
        """From coordinates in any order, with repetitions."""
        return cls.of_keys(np.unique(_ints(row) * columns + column), rows, columns)

    # -- reading -----------------------------------------------------------------------------------

    @property
    def rows(self) -> int:
        """How many rows."""
        return len(self.indptr) - 1

    @property
    def nnz(self) -> int:
        """How many entries."""
        return len(self.indices)

    @property
    def counts(self) -> Ints:
        """The entries of each row."""
        return np.diff(self.indptr)

    @property
    def row(self) -> Ints:
        """The row of each entry."""
        return np.repeat(np.arange(self.rows), self.counts)

    @property
    def keys(self) -> Ints:
        """row * columns + column of each entry, in order."""
        return self.row * self.columns + self.indices

    def dense(self) -> np.ndarray[Any, Any]:
        """As a matrix of bools."""
        full = np.zeros((self.rows, self.columns), bool)
        full[self.row, self.indices] = True
        return full

    def same(self, other: Pattern) -> bool:
        """Whether the entries are the same."""
        return self is other or (
            self.nnz == other.nnz
            and np.array_equal(self.indptr, other.indptr) and np.array_equal(self.indices, other.indices)
        )  # fmt: skip

    def __repr__(self) -> str:
        return f"<Pattern {self.rows} x {self.columns}, {self.nnz} entries>"

    # -- from one to another -------------------------------------------------------------------------

    def take(self, rows: Any) -> Pattern:
        """These rows, in this order; none for a row below 0."""
        rows = _ints(rows)
        if len(rows) == self.rows and np.array_equal(rows, np.arange(self.rows)):
            return self
        if self.rows == 0:
            return Pattern.empty(len(rows), self.columns)
        counts = np.where(rows < 0, 0, self.counts[rows])
        starts = starts_of(counts)
        at = np.arange(starts[-1]) + np.repeat(self.indptr[:-1][rows] - starts[:-1], counts)
        return Pattern(starts, self.indices[at], self.columns)

    def kept(self, keep: Any) -> Pattern:
        """Rows where ``keep`` holds; the others are left empty."""
        if np.all(keep):
            return self
        return self.take(np.where(keep, np.arange(self.rows), -1))

    def grouped(self, group: Any, count: int) -> Pattern:
        """``count`` rows, each the union of the rows of its group."""
        if count == 1:
            seen = np.flatnonzero(np.bincount(self.indices, minlength=self.columns))
            return Pattern([0, len(seen)], seen, self.columns)
        return Pattern.of_pairs(_ints(group)[self.row], self.indices, count, self.columns)

    def after(self, inner: Pattern) -> Pattern:
        """The pattern of a product of matrices, this one times ``inner``."""
        if not self.nnz:
            return Pattern.empty(self.rows, inner.columns)
        return inner.take(self.indices).grouped(self.row, self.rows)

    def only(self, keep: Any) -> Pattern:
        """The entries where ``keep`` holds."""
        counts = np.bincount(self.row[keep], minlength=self.rows)
        return Pattern(starts_of(counts), self.indices[keep], self.columns)

    def transposed(self) -> Pattern:
        """Rows for columns."""
        order = np.argsort(self.indices, kind="stable")
        return Pattern(starts_of(np.bincount(self.indices, minlength=self.columns)), self.row[order], self.rows)

    def within(self, other: Pattern) -> Pattern:
        """The entries that ``other`` has too."""
        keys = self.keys
        return Pattern.of_keys(keys[np.isin(keys, other.keys, assume_unique=True)], self.rows, self.columns)


def united(patterns: Sequence[Pattern]) -> Pattern:
    """The union of patterns of one shape."""
    distinct: list[Pattern] = []
    for p in patterns:
        if p.nnz and not any(p.same(q) for q in distinct):
            distinct.append(p)
    if len(distinct) < 2:
        return (distinct or list(patterns))[0]
    keys = np.sort(np.concatenate([p.keys for p in distinct]), kind="stable")  # runs in order: merged
    first = np.ones(len(keys), bool)
    np.not_equal(keys[1:], keys[:-1], out=first[1:])
    return Pattern.of_keys(keys[first], distinct[0].rows, distinct[0].columns)


def stacked(patterns: Sequence[Pattern]) -> Pattern:
    """One below the other."""
    counts = np.concatenate([p.counts for p in patterns]) if patterns else np.zeros(0, np.int64)
    columns = patterns[0].columns if patterns else 0
    if len(patterns) == 1:
        return patterns[0]
    return Pattern(starts_of(counts), np.concatenate([p.indices for p in patterns]) if patterns else [], columns)
