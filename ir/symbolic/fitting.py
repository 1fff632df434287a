"""The size that takes given values: an expression in named sizes that agrees at every witness.

A *witness* is one value of each name; a *vector* holds what a program has at each witness.  The simplest forms come
first: what the program has already, sums of multiples, products, quotients, remainders, minima and maxima.  With
some ten witnesses of all residues and magnitudes, of which a form's coefficients use up four at most, a wrong form does
not agree by chance.
"""

from __future__ import annotations

import collections
import itertools
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from wengert.ir.errors import SizeError
from wengert.ir.symbolic.sizes import Dim, greatest, least, replace, size

__all__ = ["Fitter"]

#: How many sizes of a program are combined with one another.
POOL = 24
#: The largest divisor that is looked for.
DIVISORS = range(2, 17)
#: How many more witnesses there are than coefficients to find.
SPARE = 2

#: How far slopes may be from fractions: a quotient is within one of its slope times the size.
NEAR = 0.25

Vector = tuple[int, ...]


class Fitter:
    """Fits vectors of values at the witnesses ``envs``."""

    def __init__(self, envs: Sequence[Mapping[str, int]]) -> None:
        self.envs = envs
        self.names = tuple(envs[0])
        self.known: dict[Vector, Dim] = {}
        self.failed: set[Vector] = set()
        for name in self.names:
            self.learn(size(name))

    def of(self, rows: Sequence[int]) -> Fitter:
        """The fitter of some of the witnesses, which knows the same sizes."""
        part = Fitter([self.envs[k] for k in rows])
        for dim in self.known.values():
            part.learn(dim)
        return part

    def learn(self, dim: Dim) -> Dim:
        """Let this be the size of its vector."""
        return self.known.setdefault(self.vector(dim), dim)

    def vector(self, dim: Dim) -> Vector:
        """The values of a size."""
        return tuple(replace(dim, env) for env in self.envs)

    def fit(self, values: Sequence[int]) -> Dim | None:
        """The size of these values; None if there is none."""
        vector = tuple(map(int, values))
        if len(set(vector)) == 1:
            return vector[0]
        if vector in self.known:
            return self.known[vector]
        if vector in self.failed:
            return None
        for candidate in self._candidates(vector):
            if self.vector(candidate) == vector:
                return self.learn(candidate)
        self.failed.add(vector)
        return None

    # -- forms ------------------------------------------------------------------------------------

    def _candidates(self, v: Vector) -> Iterator[Dim]:
        if max(map(abs, v)) >= 2**53:  # beyond the floats that find coefficients
            return
        for form in (self._polynomial, self._products, self._quotients, self._extremes, self._remainders):
            try:
                yield from form(v)
            except SizeError:  # too long an expression is none
                continue

    def _pool(self) -> list[tuple[Vector, Dim]]:
        """The sizes of the program so far, the names first."""
        return list(itertools.islice(self.known.items(), POOL))

    def _polynomial(self, v: Vector) -> Iterator[Dim]:
        """Names, and their products of two and three."""
        monomials: list[Dim] = [1]
        for degree in (1, 2, 3):
            for names in itertools.combinations_with_replacement(self.names, degree):
                product: Dim = 1
                for name in names:
                    product = product * size(name)
                monomials.append(product)
            if len(monomials) + SPARE > len(v):
                return
            yield from self._linear(v, monomials)

    def _columns(self, basis: Sequence[Dim]) -> Any:
        return np.array([self.vector(b) for b in basis], np.float64).T

    def _linear(self, v: Vector, basis: Sequence[Dim]) -> Iterator[Dim]:
        """Multiples of these sizes, over one divisor: (n*n+n)//2 is whole for every n."""
        columns = self._columns(basis)
        scale = np.abs(columns).max(axis=0)
        found, _, rank, _ = np.linalg.lstsq(columns / scale, np.array(v, float), rcond=None)
        if rank < len(basis):
            return
        exact = [Fraction(c).limit_denominator(DIVISORS[-1]) for c in (found / scale).tolist()]
        divisor = int(np.lcm.reduce([c.denominator for c in exact]))
        total: Dim = 0
        for c, b in zip(exact, basis, strict=True):
            total = total + int(c * divisor) * b
        if tuple(n * divisor for n in v) == self.vector(total):
            yield total // divisor

    def _products(self, v: Vector) -> Iterator[Dim]:
        """p * q + c, p + q, p - q and multiples, for sizes p and q of the program."""
        pool = self._pool()
        for p, dim in pool:
            for sign in (1, -1):
                rest = tuple(a - sign * b for a, b in zip(v, p, strict=True))
                if rest in self.known:
                    yield sign * dim + self.known[rest]
            if 0 in p:
                continue
            quotient = tuple(a // b for a, b in zip(v, p, strict=True))
            if all(a == b * c for a, b, c in zip(v, p, quotient, strict=True)):
                if quotient in self.known:
                    yield dim * self.known[quotient]
                for factor in self._linear(quotient, [1, *map(size, self.names)]):
                    yield dim * factor
        for (p, left_dim), (q, right_dim) in itertools.combinations_with_replacement(pool, 2):
            for offsets, dim in (
                ({a - b * c for a, b, c in zip(v, p, q, strict=True)}, left_dim * right_dim),
                ({a - b - c for a, b, c in zip(v, p, q, strict=True)}, left_dim + right_dim),
                ({a - b + c for a, b, c in zip(v, p, q, strict=True)}, left_dim - right_dim),
                ({a + b - c for a, b, c in zip(v, p, q, strict=True)}, right_dim - left_dim),
            ):
                if len(offsets) == 1:
                    yield dim + offsets.pop()

    def _quotients(self, v: Vector) -> Iterator[Dim]:
        """(sum of multiples + b) // d: b lies where d v - s <= b < d v - s + d at every witness."""
        names = list(map(size, self.names))
        columns = self._columns([*names, 1])
        slopes = np.linalg.lstsq(columns, np.array(v, float), rcond=None)[0][:-1]
        for d in DIVISORS:
            total: Dim = 0
            for slope, name in zip(slopes.tolist(), names, strict=True):
                total = total + round(slope * d) * name
            starts = [d * a - s for a, s in zip(v, self.vector(total), strict=True)]
            low, high = max(starts), min(starts) + d - 1
            if low == high and np.abs(slopes * d - np.round(slopes * d)).max() < NEAR:
                yield (total + low) // d
        for p, dim in self._pool():
            for d in DIVISORS:
                if len(offsets := {a - b // d for a, b in zip(v, p, strict=True)}) == 1:
                    yield dim // d + offsets.pop()
            for q, divisor in self._pool():
                if p != q and 0 not in q:
                    if len(offsets := {a - b // c for a, b, c in zip(v, p, q, strict=True)}) == 1:
                        yield dim // divisor + offsets.pop()
                    ceilings = {a + (-b // c) for a, b, c in zip(v, p, q, strict=True)}
                    if len(ceilings) == 1:
                        yield -(-dim // divisor) + ceilings.pop()
        for factor in (2, 3, 4):
            rest = v[0] % factor
            if all(a % factor == rest for a in v):
                for part in self._quotients(tuple(a // factor for a in v)) if factor == 2 else ():
                    yield factor * part + rest

    def _extremes(self, v: Vector) -> Iterator[Dim]:
        """The minimum or maximum of two sizes, or of a size and a number."""
        pool = self._pool()
        for p, dim in pool:
            shifts = collections.Counter(a - b for a, b in zip(v, p, strict=True))
            for shift, _ in shifts.most_common(4):
                moved = tuple(b + shift for b in p)
                agree = [a == b for a, b in zip(v, moved, strict=True)]
                rest = {a for a, same in zip(v, agree, strict=True) if not same}
                if sum(agree) < SPARE:
                    continue
                if len(rest) == 1:
                    bound = rest.pop()
                    yield least(dim + shift, bound)
                    yield greatest(dim + shift, bound)
                for q, other in pool:
                    if all(a == b or same for a, b, same in zip(v, q, agree, strict=True)):
                        yield least(dim + shift, other)
                        yield greatest(dim + shift, other)

    def _remainders(self, v: Vector) -> Iterator[Dim]:
        """p % d, and p % q."""
        pool = self._pool()
        for p, dim in pool:
            for d in DIVISORS:
                for b in range(min(d, len(self.envs) // 2)):
                    for sign in (1, -1):
                        if len(offsets := {a - (sign * n + b) % d for a, n in zip(v, p, strict=True)}) == 1:
                            yield (sign * dim + b) % d + offsets.pop()
            for q, divisor in pool:
                if p != q and 0 not in q and all(a == b % c for a, b, c in zip(v, p, q, strict=True)):
                    yield dim % divisor


def as_text(values: Sequence[Any]) -> str:
    """A few of the values, for a message."""
    shown = ", ".join(map(str, values[:4]))
    return f"{shown}, ..." if len(values) > 4 else shown
