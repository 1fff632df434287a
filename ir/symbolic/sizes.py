"""Sizes: whole-number expressions in named sizes, as ``n//2+1``, closed under + - * // % min max.

A size is a polynomial with integer coefficients over *atoms*: a name, or a quotient, remainder, minimum or maximum of
sizes.  Equal polynomials are one size, printed one way; what is constant is a plain int.  ``//`` and ``%`` are
Python's: they round down.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from wengert.ir.errors import SizeError

__all__ = [
    "INT64", "MAX_DEPTH", "NAME", "NUMBER", "RESERVED", "Dim", "Size", "divided", "greatest", "is_symbolic", "least",
    "names_in", "remainder", "replace", "size",
]  # fmt: skip

#: A size that may be known: what a dimension of a type is.
Dim: TypeAlias = "int | Size"
#: A name and how often it is a factor; or (operation, sizes) in place of the name.
Monomial: TypeAlias = tuple[tuple[Any, int], ...]

MAX_TERMS = 64
MAX_DEGREE = 12
MAX_DEPTH = 16
INT64 = range(-(2**63), 2**63)

NAME = re.compile(r"[A-Za-z_][A-Za-z_0-9]{0,63}")
NUMBER = re.compile(r"[0-9]{1,19}")
#: Words that text has another use for.
RESERVED = frozenset("None True False nan inf j min max".split())


class Size:
    """A polynomial that is not constant; made by arithmetic on :func:`size`, or read from text."""

    __slots__ = ("_hash", "_text", "depth", "terms")

    def __init__(self, terms: tuple[tuple[Monomial, int], ...]) -> None:
        self.terms = terms
        self._hash = hash(terms)
        self._text: str | None = None
        inner = (a for m, _ in terms for atom, _ in m if type(atom) is tuple for a in atom[1] if type(a) is Size)
        self.depth: int = 1 + max((s.depth for s in inner), default=0)
        degree = max(sum(power for _, power in m) for m, _ in terms)
        if len(terms) > MAX_TERMS or degree > MAX_DEGREE or self.depth > MAX_DEPTH:
            raise SizeError("An expression in sizes is too long; expected one that could be written down by hand.")
        if any(c not in INT64 for _, c in terms):
            raise SizeError("A coefficient of an expression in sizes does not fit into 64 bits.")

    # -- arithmetic -------------------------------------------------------------------------------

    def __add__(self, other: Any) -> Any:
        return _sum(self, other, 1) if type(other) in (int, Size) else NotImplemented

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return _sum(self, other, -1) if type(other) in (int, Size) else NotImplemented

    def __rsub__(self, other: Any) -> Any:
        return -self + other

    def __neg__(self) -> Any:
        return _made({m: -c for m, c in self.terms})

    def __mul__(self, other: Any) -> Any:
        if type(other) not in (int, Size):
            return NotImplemented
        found: dict[Monomial, int] = {}
        for (m, c) in self.terms:
            for k, d in _terms(other):
                product = _times(m, k)
                found[product] = found.get(product, 0) + c * d
        return _made(found)

    __rmul__ = __mul__

    def __floordiv__(self, other: Any) -> Any:
        return divided(self, other) if type(other) in (int, Size) else NotImplemented

    def __rfloordiv__(self, other: Any) -> Any:
        return divided(other, self) if type(other) is int else NotImplemented

    def __mod__(self, other: Any) -> Any:
        return remainder(self, other) if type(other) in (int, Size) else NotImplemented

    def __rmod__(self, other: Any) -> Any:
        return remainder(other, self) if type(other) is int else NotImplemented

    # -- what it is -------------------------------------------------------------------------------

    def __eq__(self, other: object) -> bool:
        return type(other) is Size and self.terms == other.terms

    def __hash__(self) -> int:
        return self._hash

    def evaluate(self, env: Mapping[str, Any]) -> Any:
        """The value where the names are these: ints give an int, sizes a size.

        Raises
        ------
        SizeError
            Where a name is not known, a divisor is zero, or the value does not fit into 64 bits.
        """
        total: Any = 0
        for monomial, coefficient in self.terms:
            product: Any = coefficient
            for atom, power in monomial:
                value = _value(atom, env)
                for _ in range(power):
                    product = product * value
            total = total + product
        if type(total) is int and total not in INT64:
            raise SizeError(f"The size {self} does not fit into 64 bits where {_where(env)}.")
        return total

    def __str__(self) -> str:
        if self._text is None:
            text = "".join(("-" if c < 0 else "+") + _written(m, c) for m, c in self.terms)
            self._text = text.removeprefix("+")
        return self._text

    def __repr__(self) -> str:
        return f"<size {self}>"


def size(name: str) -> Size:
    """The size of this name; SizeError where it cannot be one."""
    if type(name) is not str or not NAME.fullmatch(name) or name in RESERVED:
        raise SizeError(f"{name!r:.100} cannot name a size; expected letters, digits and _, and none of "
                        f"{', '.join(sorted(RESERVED))}.")  # fmt: skip
    return Size(((((name, 1),), 1),))


def is_symbolic(dims: Any) -> bool:
    """Whether a dimension, or one at any depth of a tuple, is not a plain int."""
    return type(dims) is Size or (type(dims) is tuple and any(map(is_symbolic, dims)))


def names_in(dim: Any) -> Iterator[str]:
    """The names in a size, or in the sizes of a tuple, in order, with repetitions."""
    if type(dim) is tuple:
        for item in dim:
            yield from names_in(item)
    elif type(dim) is Size:
        for monomial, _ in dim.terms:
            for atom, _ in monomial:
                if type(atom) is str:
                    yield atom
                else:
                    yield from names_in(atom[1])


def replace(dims: Any, env: Mapping[str, Any]) -> Any:
    """A dimension, or the dimensions in a tuple, where the names are these; anything else is itself."""
    if type(dims) is tuple:
        return tuple([replace(item, env) for item in dims])
    return dims.evaluate(env) if type(dims) is Size else dims


# ----- Normal form -----


def _terms(dim: Dim) -> tuple[tuple[Monomial, int], ...]:
    return dim.terms if type(dim) is Size else (((), dim),)  # type: ignore[return-value]


def _order(atom: Any) -> tuple[str, str]:
    """Names before quotients and the like; each by its text."""
    return ("", atom) if type(atom) is str else (atom[0], ",".join(map(str, atom[1])))


def _rank(monomial: Monomial) -> Any:
    """Terms of high degree first, the constant last."""
    return -sum(power for _, power in monomial), [(_order(atom), -power) for atom, power in monomial]


def _made(terms: Mapping[Monomial, int]) -> Dim:
    kept = {m: c for m, c in terms.items() if c}
    if not kept.keys() - {()}:
        return kept.get((), 0)
    return Size(tuple(sorted(kept.items(), key=lambda term: _rank(term[0]))))


def _times(a: Monomial, b: Monomial) -> Monomial:
    powers = dict(a)
    for atom, power in b:
        powers[atom] = powers.get(atom, 0) + power
    return tuple(sorted(powers.items(), key=lambda item: _order(item[0])))


def _sum(a: Dim, b: Dim, sign: int) -> Dim:
    found = dict(_terms(a))
    for m, c in _terms(b):
        found[m] = found.get(m, 0) + sign * c
    return _made(found)


def _atom(operation: str, *sizes: Dim) -> Dim:
    return Size((((((operation, sizes), 1),), 1),))


def divided(a: Dim, b: Dim) -> Dim:
    """a // b.  Of a known divisor d, (d q + r) // d = q + r // d; and (g x + c) // (g h) = x // h for 0 <= c < g."""
    if b == 0:
        raise SizeError(f"The size {a}//0 divides by zero.")
    if type(b) is Size:
        return 1 if a == b else _atom("//", a, b)
    if type(a) is int:
        return a // b  # type: ignore[operator]
    if b < 0:  # type: ignore[operator]
        return divided(-a, -b)  # type: ignore[operator]
    whole, rest = _split(a, b)  # type: ignore[arg-type]
    g = math.gcd(b, *(c for m, c in rest.items() if m))  # type: ignore[arg-type]
    d, reduced = b // g, _made({m: c // g for m, c in rest.items()})  # type: ignore[operator]
    if type(reduced) is int or d == 1:
        return _sum(whole, reduced // d, 1)  # type: ignore[operator]
    return _sum(whole, _atom("//", reduced, d), 1)


def remainder(a: Dim, b: Dim) -> Dim:
    if b == 0:
        raise SizeError(f"The size {a}%0 divides by zero.")
    if type(b) is Size:
        return 0 if a == b else _atom("%", a, b)
    if type(a) is int:
        return a % b  # type: ignore[operator]
    if b < 0:  # type: ignore[operator]
        return -remainder(-a, -b)  # type: ignore[operator]
    rest = _made(_split(a, b)[1])  # type: ignore[arg-type]
    return rest % b if type(rest) is int else _atom("%", rest, b)  # type: ignore[operator]


def _split(a: Size, d: int) -> tuple[Dim, dict[Monomial, int]]:
    """q, and r with coefficients from 0 to d - 1, where a = d q + r."""
    return _made({m: c // d for m, c in a.terms}), {m: c % d for m, c in a.terms}


def least(*dims: Dim) -> Dim:
    """The minimum."""
    return _extreme("min", dims)


def greatest(*dims: Dim) -> Dim:
    """The maximum."""
    return _extreme("max", dims)


def _extreme(which: str, dims: tuple[Dim, ...]) -> Dim:
    """Of two that differ by a constant, one is the answer everywhere."""
    choose: Callable[..., int] = min if which == "min" else max
    kept: list[Dim] = []
    for dim in dims:
        inner = dim.terms[0][0] if type(dim) is Size and len(dim.terms) == 1 and dim.terms[0][1] == 1 else ()
        nested = len(inner) == 1 and inner[0][1] == 1 and type(inner[0][0]) is tuple and inner[0][0][0] == which
        for item in inner[0][0][1] if nested else (dim,):
            for i, other in enumerate(kept):
                if type(gap := _sum(item, other, -1)) is int:
                    kept[i] = item if choose(gap, 0) == gap and gap else other
                    break
            else:
                kept.append(item)
    if len(kept) == 1:
        return kept[0]
    if all(type(k) is int for k in kept):
        return choose(kept)
    return _atom(which, *sorted(kept, key=lambda k: (type(k) is int, str(k))))


def _value(atom: Any, env: Mapping[str, Any]) -> Any:
    if type(atom) is str:
        if atom not in env:
            raise SizeError(f"The size {atom!r} is not known; known are {', '.join(env) or 'none'}.")
        return env[atom]
    operation, sizes = atom
    values = [s.evaluate(env) if type(s) is Size else s for s in sizes]
    if operation in ("min", "max"):
        return _extreme(operation, tuple(values))
    a, b = values
    if b == 0:
        raise SizeError(f"The size {_written(((atom, 1),), 1)} divides by zero where {_where(env)}.")
    return a // b if operation == "//" else a % b


def _where(env: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {value}" for name, value in env.items())


# ----- Text -----


def _written(monomial: Monomial, coefficient: int) -> str:
    """A term without its sign; -(n//2), which is not -n//2, keeps its brackets."""
    factors = [atom for atom, power in monomial for _ in range(power)]
    alone = len(factors) == 1 and coefficient == 1
    words = [_atom_text(atom, alone=alone) for atom in factors]
    return "*".join(words if words and abs(coefficient) == 1 else [str(abs(coefficient)), *words])


def _atom_text(atom: Any, *, alone: bool) -> str:
    if type(atom) is str:
        return atom
    operation, sizes = atom
    if operation in ("min", "max"):
        return f"{operation}({','.join(map(str, sizes))})"
    sides = [str(s) if NAME.fullmatch(str(s)) or NUMBER.fullmatch(str(s)) else f"({s})" for s in sizes]
    text = operation.join(sides)
    return text if alone else f"({text})"
