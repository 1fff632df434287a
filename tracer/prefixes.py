"""All prefixes of a sequence under an associative operation, in a logarithmic number of steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.backends.program import is_leaf
from wengert.ir.structure import Structure, flatten, unflatten

__all__ = ["associative_scan"]


def associative_scan(function: Callable[[Any, Any], Any], elems: Any, *, reverse: bool = False, axis: int = 0) -> Any:
    """Every prefix ``x[0] o x[1] o ... o x[i]`` of an associative operation, where o is ``function``.

    By halves (Ladner and Fischer, 1980; Blelloch, 1990): about 2 log2(n) calls of the function, each on many elements
    at once, so that the graph grows with log2(n), where a loop would take n steps one after the other.

    Parameters
    ----------
    function : callable
        ``function(x, y)`` combines elements pairwise: both are nested as ``elems``, with any number of entries along
        the axis.  It is associative.
    elems : arrays, nested
        Of one length along ``axis``.
    reverse : bool
        Suffixes instead, from the last element on.
    axis : int

    Returns
    -------
    nested as ``elems``, of the same shapes

    Raises
    ------
    ValueError
        If the arrays differ in length along the axis, or there are none.
    """
    leaves: list[Any] = []
    structure = flatten(elems, is_leaf, leaves)
    arrays = [x if hasattr(x, "shape") else np.asarray(x) for x in leaves]
    if not arrays or any(not -x.ndim <= axis < x.ndim for x in arrays):
        shapes = [x.shape for x in arrays]
        message = f"associative_scan takes arrays that all have an axis {axis}; got arrays of shapes {shapes}."
        raise ValueError(message)
    first = [np.moveaxis(x, axis, 0) for x in arrays]
    if len({len(x) for x in first}) != 1:
        message = f"associative_scan takes arrays of one length along axis {axis}; got {[len(x) for x in first]}."
        raise ValueError(message)
    if reverse:
        first = [x[::-1] for x in first]

    def combined(x: Sequence[Any], y: Sequence[Any]) -> list[Any]:
        pair = [unflatten(structure, iter(_back(each, axis, arrays))) for each in (x, y)]
        found = function(*(reversed(pair) if reverse else pair))
        made: list[Any] = []
        if flatten(found, is_leaf, made) != structure:
            raise ValueError(_otherwise(structure))
        return [np.moveaxis(m, axis, 0) for m in made]

    done = _prefixes(combined, first)
    if reverse:
        done = [x[::-1] for x in done]
    return unflatten(structure, iter(_back(done, axis, arrays)))


def _back(moved: Sequence[Any], axis: int, arrays: Sequence[Any]) -> list[Any]:
    """With the axis where it was."""
    return [np.moveaxis(x, 0, axis % a.ndim) for x, a in zip(moved, arrays, strict=True)]


def _otherwise(structure: Structure) -> str:
    count = structure.leaf_count
    return f"The function of an associative_scan must return what is nested as its arguments are, with {count} arrays."


def _prefixes(combined: Callable[[Sequence[Any], Sequence[Any]], list[Any]], x: list[Any]) -> list[Any]:
    """Prefixes of pairs are every second prefix; the others need one more element each."""
    n = len(x[0])
    if n < 2:
        return x
    odd = _prefixes(combined, combined([a[: n - 1 : 2] for a in x], [a[1::2] for a in x]))
    if n > 2:
        rest = combined([a[: (n - 1) // 2] for a in odd], [a[2::2] for a in x])
        even = [np.concatenate([a[:1], r]) for a, r in zip(x, rest, strict=True)]
    else:
        even = [a[:1] for a in x]
    place = np.empty(n, np.int64)
    place[::2], place[1::2] = np.arange((n + 1) // 2), np.arange((n + 1) // 2, n)
    return [np.concatenate([e, o])[place] for e, o in zip(even, odd, strict=True)]
