"""Folds of a list of scalars to one."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.backends.reference.arrays import Flat
from wengert.backends.reference.rounding import zero_of
from wengert.backends.reference.scalar import scaler
from wengert.backends.reference.symbols import symbol
from wengert.ir.errors import BackendError
from wengert.ir.kinds import FOLDS, RUNNING

__all__ = ["STEPS", "fold", "recurrence", "running"]

Function = Callable[..., Any]


def by_halves(add: Function, x: Flat) -> Any:
    """The sum of the sums of the two halves: rounding errors grow as log n, in the plainest way.

    NumPy's sum is pairwise too, but unrolled: the two agree up to rounding.
    """
    if len(x) < 4:
        return functools.reduce(add, x)
    half = len(x) // 2
    return add(by_halves(add, x[:half]), by_halves(add, x[half:]))


def extreme(sign: str) -> Callable[[np.dtype[Any]], Function]:
    """The element that stands in an order to every other, the first of equal ones; NaN wins."""

    def pick(dtype: np.dtype[Any]) -> Function:
        wins = symbol(sign, (dtype, dtype), np.dtype(bool))
        return lambda x, y: x if x != x or wins(x, y) else y

    return pick


larger, smaller = extreme(">="), extreme("<=")


def position(pick: Function) -> Function:
    """The first position of what ``pick`` picks, or of the first NaN."""

    def find(x: Flat) -> int:
        best = functools.reduce(pick, x)
        return next(i for i, element in enumerate(x) if element == best or element != element)

    return find


def sums(dtype: np.dtype[Any]) -> Function:
    """The sum in ``dtype``, from zero on, so that it is never -0.0, as NumPy's; for bool, or."""
    add, zero = symbol("+", (dtype, dtype), dtype), zero_of(dtype)
    return lambda x: add(zero, by_halves(add, x)) if x else zero


def products(dtype: np.dtype[Any]) -> Function:
    """The product in ``dtype``; for bool, and."""
    multiply, one = symbol("*", (dtype, dtype), dtype), type(zero_of(dtype))(1)
    return lambda x: functools.reduce(multiply, x, one)


#: Name of a fold to the function of a list, given the dtype.
MEANINGS: dict[str, Callable[[np.dtype[Any]], Function]] = {
    "+": sums,
    "*": products,
    "max": lambda dtype: functools.partial(functools.reduce, larger(dtype)),
    "min": lambda dtype: functools.partial(functools.reduce, smaller(dtype)),
    "and": lambda dtype: all,
    "or": lambda dtype: any,
    "argmax": lambda dtype: position(larger(dtype)),
    "argmin": lambda dtype: position(smaller(dtype)),
}

if set(MEANINGS) != set(FOLDS):
    raise BackendError(f"The reference backend must define the folds {', '.join(FOLDS)}.")


@functools.cache
def fold(name: str, dtype: np.dtype[Any]) -> Function:
    """The function from a list of scalars of ``dtype`` to one scalar."""
    return MEANINGS[name](dtype)


#: Name of a running fold of one operand to the function of two scalars, given the dtype.
STEPS: dict[str, Callable[[np.dtype[Any]], Function]] = {
    "+": lambda dtype: symbol("+", (dtype, dtype), dtype),
    "*": lambda dtype: symbol("*", (dtype, dtype), dtype),
    "max": larger,
    "min": smaller,
}

if {*STEPS, "linear"} != set(RUNNING):
    raise BackendError(f"The reference backend must define the running folds {', '.join(RUNNING)}.")


def running(add: Function, x: Flat, lines: list[list[int]]) -> Flat:
    """A running fold: along each line of positions, each element is folded with all before it."""
    out = x.copy()
    for line in lines:
        for before, here in itertools.pairwise(line):
            out[here] = add(out[before], out[here])
    return out


def recurrence(carry: Flat, x: Flat, lines: list[list[int]], dtype: np.dtype[Any]) -> Flat:
    """Along each line, carry times the result before, plus the element."""
    add, scale, out = symbol("+", (dtype, dtype), dtype), scaler(dtype), x.copy()
    for line in lines:
        for before, here in itertools.pairwise(line):
            out[here] = add(scale(carry[here], out[before]), x[here])
    return out
