"""Where a list of nodes repeats itself: each node as a number, and stretches in which the numbers have a period."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from wengert.ir.graph import Graph, Node

__all__ = ["FEWEST", "described", "stretches"]

#: Steps that make a loop.
FEWEST = 8

Numbers = np.ndarray[Any, Any]

#: Lengths of the words whose next occurrence is measured: in a loop that repeats parts of itself the longer ones tell.
_WORDS = (1, 4, 16, 64, 256)
_PERIODS = 48


def described(nodes: Sequence[Node], *, types: bool = True) -> Numbers:
    """A number for each node, equal for those that can be one node of a loop: the same op, line, types and parameters,
    but for the place where a slice begins."""
    numbers: dict[Any, int] = {}
    named: dict[Graph, str] = {}
    found = np.empty(len(nodes), np.int64)
    for i, node in enumerate(nodes):
        key: Any = (node.op, node.location)
        if types:
            operands = tuple([v.type for v in node.operands])
            key = (*key, operands, tuple([v.type for v in node.results]), _given(node, named))
        found[i] = numbers.setdefault(key, len(numbers))
    return found


def _given(node: Node, named: dict[Graph, str]) -> Any:
    """The parameters that must be the same in each step."""
    params = node.params
    if node.op.name == "slice":
        return params["size"], params["step"]
    if not params:
        return ()
    return tuple(sorted((name, _hashable(value, named)) for name, value in params.items()))


def _hashable(value: Any, named: dict[Graph, str]) -> Any:
    if isinstance(value, Graph):
        if value not in named:
            from wengert.ir.wire import identity  # the file format sits above the passes

            named[value] = identity(value.evolve(signature=None, results=None))
        return named[value]
    return tuple(_hashable(item, named) for item in value) if type(value) is tuple else repr(value)


def stretches(numbers: Numbers, least: int) -> Iterator[tuple[int, int, int]]:
    """Each ``(start, stop, period)`` with FEWEST periods and ``least`` numbers or more, short periods first."""
    for period in _periods(numbers):
        if period * FEWEST > len(numbers):
            continue
        same = np.zeros(len(numbers) - period + 2, bool)
        same[1:-1] = numbers[period:] == numbers[:-period]
        edges = np.flatnonzero(same[1:] != same[:-1])
        starts, stops = edges[::2], edges[1::2]
        long = stops - starts >= max((FEWEST - 1) * period, least)
        for start, stop in zip(starts[long].tolist(), stops[long].tolist(), strict=True):
            yield start, stop + period, period


def _periods(numbers: Numbers) -> list[int]:
    """Distances at which words come again, the most frequent ones, in order."""
    counts: dict[int, int] = {}
    for length in _WORDS:
        words = _words(numbers, length)
        order = np.argsort(words, kind="stable")
        again = words[order][1:] == words[order][:-1]
        distances, times = np.unique(np.diff(order)[again], return_counts=True)
        often = np.argsort(-times, kind="stable")[:_PERIODS]
        for d, n in zip(distances[often].tolist(), times[often].tolist(), strict=True):
            if n >= FEWEST - 1:
                counts[d] = max(counts.get(d, 0), n)
    return sorted(sorted(counts, key=lambda d: (-counts[d], d))[: 2 * _PERIODS])


def _words(numbers: Numbers, length: int) -> Numbers:
    """A hash of the ``length`` numbers from each place on; what is compared later are the numbers themselves."""
    if length > len(numbers):
        return np.arange(len(numbers), dtype=np.uint64)
    with np.errstate(over="ignore"):
        words, done = (numbers.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15), 1
        while done < length:  # the word of twice the length, of two words
            words = words[:-done] * np.uint64(0xD1B54A32D192ED03) + words[done:]
            words ^= words >> np.uint64(29)
            done *= 2
    return words
