"""Forward mode, reverse mode and differences of the values, entry by entry of a Jacobian.

A column is a direction in one argument, a row a linear function of one result: unit vectors, as many as the limits
allow, and, where they do not reach every entry, one direction through all.  For complex numbers each stands twice, once
per part; a cotangent g is paired with a tangent t by Re(sum(g t)).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from attrs import evolve, field, frozen

from wengert.backends.program import Program
from wengert.ir.graph import Graph
from wengert.ir.passes import inline_calls
from wengert.ir.types import ArrayType, is_inexact
from wengert.tools.derivatives.differences import slopes

__all__ = ["Entry", "Lack", "Line", "Problem", "compare", "lines", "narrowest", "wider"]

#: The most numbers that all directions together may hold.
MEMORY = 4_000_000

Values = Callable[[list[Any]], Sequence[Any] | None]


@frozen
class Line:
    """A direction in one argument or result: ``vector`` in array ``place``; ``index`` for a unit vector, else None."""

    place: int
    vector: np.ndarray = field(repr=False)
    index: tuple[int, ...] | None
    part: str = ""
    scale: float = 1.0

    def size(self, array: Any) -> float:
        """What ``along`` would be if nothing cancelled: sum(abs(vector array))."""
        if self.index is not None:
            return float(np.abs(array[self.index]))
        return float(np.sum(np.abs(np.where(self.vector != 0, array, 0)) * np.abs(self.vector)))

    def along(self, array: Any) -> Any:
        """Re(sum(vector array))."""
        if self.index is not None:
            return np.real(self.vector[self.index] * array[self.index])
        terms = np.zeros(self.vector.shape, np.result_type(self.vector, array, np.float64))
        return np.real(np.sum(np.multiply(self.vector, array, where=self.vector != 0, out=terms)))


@frozen
class Entry:
    """One entry of the Jacobian as each way has it; ``cause`` where the differences cannot decide."""

    column: Line
    row: Line
    claimed: dict[str, float]
    numeric: float
    error: float
    cause: str
    left: float
    right: float
    slack: float

    @property
    def amount(self) -> float:
        """The largest distance between any two."""
        every = [*self.claimed.values(), *(() if self.cause else (self.numeric,))]
        return max((_distance(x, y) for x in every for y in every), default=0.0)

    @property
    def off(self) -> tuple[str, ...]:
        """The modes that the differences contradict."""
        if self.cause:
            return ()
        allowed = 8 * self.error + self.slack
        return tuple(mode for mode, d in self.claimed.items() if not _distance(d, self.numeric) <= allowed)

    @property
    def split(self) -> bool:
        """Whether the modes contradict each other."""
        first, *rest = self.claimed.values()
        return any(not _distance(first, d) <= self.slack for d in rest)

    def apart(self, other: Entry) -> float | None:
        """What another backend has for this entry, where it is something else; None where it is the same."""
        for mode, d in self.claimed.items():
            there = other.claimed.get(mode, d)
            if math.isfinite(d) and math.isfinite(there) and abs(d - there) > self.slack:
                return there
        return None

    @property
    def verdict(self) -> str:
        """``agrees``, ``wrong`` or ``undecided``.

        At a kink, too, the modes are one sum over paths; where it overflows, or meets inf - inf, they may differ.
        """
        finite = all(map(math.isfinite, self.claimed.values()))
        return "wrong" if self.off or (self.split and finite) else "undecided" if self.cause or self.split else "agrees"


def _distance(x: float, y: float) -> float:
    if math.isnan(x) or math.isnan(y):
        return 0.0 if math.isnan(x) and math.isnan(y) else math.inf
    return 0.0 if x == y else abs(x - y)


@frozen
class Lack:
    """A mode that a backend has not for an argument of this program."""

    backend: str
    mode: str
    argument: str
    message: str
    op: str | None = None
    location: Any = None

    def __str__(self) -> str:
        message = self.message if self.message.endswith(".") else f"{self.message}."
        return f"{self.mode.capitalize()} mode on {self.backend} is lacking for {self.argument}: {message}"


@frozen
class Problem:
    """What is compared: a program at its inputs, and the values, by whichever way they come, at the same ``points``,
    which may be of a wider ``dtype``: differences of float32 are hardly worth having."""

    program: Program
    inputs: list[Any]
    active: tuple[int, ...]
    values: Values
    points: list[Any]
    dtype: np.dtype[Any]


def narrowest(graph: Graph) -> np.dtype[Any]:
    """float32 where any value of a program has its precision, else float64."""
    flat = inline_calls(graph)
    every = (*flat.inputs, *(v for node in flat.nodes for v in node.results))
    return np.dtype(np.float32 if any(v.type.dtype in (np.float32, np.complex64) for v in every) else np.float64)


def wider(type_: ArrayType) -> ArrayType:
    """The type in double precision."""
    wide = {"float32": "float64", "complex64": "complex128"}.get(type_.dtype.name)
    return type_ if wide is None else ArrayType(np.dtype(wide), type_.shape, type_.weak)


def lines(arrays: Sequence[tuple[int, ArrayType, Any]], limit: int, rng: np.random.Generator) -> list[Line]:
    """Directions in arrays, each given by its place, type and, for an argument, value."""
    found: list[Line] = []
    total = max(1, sum(t.size for _, t, _ in arrays))
    limit = max(1, min(limit, MEMORY // total))
    for place, type_, value in arrays:
        n = type_.size
        units = range(n) if total <= limit else sorted(rng.choice(n, min(n, max(1, limit * n // total)), replace=False))
        turned = -1j if value is None else 1j  # the pairing of -i with a result is its imaginary part
        parts = (("", 1.0),) if type_.dtype.kind == "f" else (("real", 1.0), ("imaginary", turned))
        sizes = np.ones(type_.shape) if value is None else _scales(value)
        for part, factor in parts:
            for flat in units:
                index = tuple(int(k) for k in np.unravel_index(flat, type_.shape))
                unit = np.zeros(type_.shape, type_.dtype)
                unit[index] = factor
                found.append(Line(place, unit, index, part, float(sizes[index])))
            if len(units) < n:
                signs = rng.choice([-1.0, 1.0], type_.shape) * rng.uniform(0.5, 1, type_.shape) * sizes
                signs[... if value is None else ~np.isfinite(value)] *= value is None
                found.append(Line(place, (factor * signs).astype(type_.dtype), None, part))
    return found


def _scales(value: Any) -> Any:
    """The scale on which each entry of an argument changes: its own size, unless that is much less than what it stands
    beside (and than 1)."""
    size = np.abs(np.asarray(value)).astype(np.float64)
    size = np.where(np.isfinite(size), size, 0)
    largest = float(size.max(initial=0.0))
    return np.maximum(size, max(1e-3 * min(largest, 1.0), 1e-290)) if largest else np.ones(size.shape)


def compare(
    problem: Problem, backend: str, columns: Sequence[Line], rows: Sequence[Line]
) -> tuple[list[Entry], list[Lack]]:
    """Every entry of a Jacobian, and the modes that could not be asked; if any, each argument is asked alone."""
    entries, lacks = _compare(problem, backend, columns, rows)
    if not lacks or len(problem.active) == 1:
        return entries, lacks
    entries, lacks = [], []
    for place in problem.active:
        own = [column for column in columns if column.place == place]
        found, missing = _compare(evolve(problem, active=(place,)), backend, own, rows)
        entries += found
        lacks += missing
    return entries, lacks


def _compare(
    problem: Problem, backend: str, columns: Sequence[Line], rows: Sequence[Line]
) -> tuple[list[Entry], list[Lack]]:
    claimed: dict[str, Any] = {}
    lacks: list[Lack] = []
    for mode, ask in (("forward", _pushed), ("reverse", _pulled)):
        try:
            with np.errstate(all="ignore"):
                claimed[mode] = ask(problem, backend, columns, rows)
        except Exception as error:  # noqa: BLE001 (whatever a rule does wrong is what the report is about)
            said = str(error) if hasattr(error, "op") else f"{type(error).__name__}: {error}"
            names = ", ".join(problem.program.names()[i] for i in problem.active)
            lacks.append(Lack(backend, mode, names, said, getattr(error, "op", None), getattr(error, "location", None)))
    if not claimed:
        return [], lacks
    return _against_differences(problem, claimed, columns, rows), lacks


def _pushed(problem: Problem, backend: str, columns: Sequence[Line], rows: Sequence[Line]) -> Any:
    """Forward mode: (columns, rows)."""
    tangents = []
    for place in problem.active:
        type_ = problem.program.graph.inputs[place].type
        batch = np.zeros((len(columns), *type_.shape), type_.dtype)
        for k, column in enumerate(columns):
            if column.place == place:
                batch[k] = column.vector
        tangents.append(batch)
    _, moved = problem.program.forward(problem.active, backend)(problem.inputs, tangents)
    return np.array([[row.along(moved[row.place][k]) for row in rows] for k in range(len(columns))])


def _pulled(problem: Problem, backend: str, columns: Sequence[Line], rows: Sequence[Line]) -> Any:
    """Reverse mode: (columns, rows)."""
    cotangents: list[Any] = []
    for place, value in enumerate(problem.program.graph.outputs):
        if not is_inexact(value.type.dtype):
            cotangents.append(None)
            continue
        batch = np.zeros((len(rows), *value.type.shape), value.type.dtype)
        for k, row in enumerate(rows):
            if row.place == place:
                batch[k] = row.vector
        cotangents.append(batch)
    _, pulled = problem.program.reverse(problem.active, backend)(problem.inputs, cotangents)
    at = dict(zip(problem.active, pulled, strict=True))
    return np.array([[column.along(at[column.place][k]) for k in range(len(rows))] for column in columns])


def _against_differences(
    problem: Problem, claimed: dict[str, Any], columns: Sequence[Line], rows: Sequence[Line]
) -> list[Entry]:
    dtype = problem.dtype
    limits = np.finfo(narrowest(problem.program.graph))
    unit, smallest = float(limits.eps), float(limits.tiny) ** 0.5
    nothing = np.full(len(rows), np.nan)

    def along(column: Line, h: float) -> Any:
        moved = list(problem.points)
        here = moved[column.place]
        moved[column.place] = (here + h * column.vector).astype(here.dtype)
        results = problem.values(moved) if h else base
        if results is None:
            return nothing
        return np.array([row.along(results[row.place]) for row in rows], dtype=np.float64)

    base = problem.values(list(problem.points))
    with np.errstate(all="ignore"):
        sizes = np.array([0.0 if base is None else row.size(base[row.place]) for row in rows])
    entries = []
    for k, column in enumerate(columns):
        lists = {mode: table[k] for mode, table in claimed.items()}
        with np.errstate(all="ignore"):
            weight = _weight(lists, sizes / column.scale, rows)
            steepest = np.max([np.where(np.isfinite(d), np.abs(d), 0) for d in lists.values()], axis=0)
            allowed = smallest + unit**0.5 * steepest + unit**0.65 * weight

            def agrees(slope: Any, error: Any, lists: Any = lists, allowed: Any = allowed) -> Any:
                return np.all([np.abs(d - slope) <= 8 * error + allowed for d in lists.values()], axis=0)

            found = slopes(functools.partial(along, column), weight, column.scale, dtype, agrees)
        for i, row in enumerate(rows):
            if abs(found.slope[i]) > limits.max / 2:
                found.cause[i] = "beyond the largest number"
            if found.still[i] and all(d[i] == 0 for d in lists.values()):
                found.slope[i], found.error[i], found.cause[i] = 0.0, 0.0, ""
            here = 0.0 if column.index is None else problem.inputs[column.place][column.index]
            if not np.isfinite(here) and any(d[i] != 0 for d in lists.values()):  # no number is beside it
                found.cause[i] = "at nan" if np.isnan(here) else "at infinity"
            entries.append(Entry(
                column, row, {mode: float(d[i]) for mode, d in lists.items()}, float(found.slope[i]),
                float(found.error[i]), found.cause[i], float(found.left[i]), float(found.right[i]), float(allowed[i]),
            ))  # fmt: skip
    return entries


def _weight(claimed: dict[str, Any], sizes: Any, rows: Sequence[Line]) -> Any:
    """What rounding in a slope is relative to: the value itself, and, as it may come of the same numbers, the largest
    value in the same result where that is as steep."""
    steepest: dict[int, float] = {}
    largest: dict[int, float] = {}
    slope = np.max([np.where(np.isfinite(d), np.abs(d), 0) for d in claimed.values()], axis=0)
    sizes = np.where(np.isfinite(sizes), sizes, 0)
    for row, steep, size in zip(rows, slope, sizes, strict=True):
        steepest[row.place] = max(steepest.get(row.place, 0.0), float(steep))
        largest[row.place] = max(largest.get(row.place, 0.0), float(size))
    return np.maximum(sizes, [min(steepest[row.place], largest[row.place]) for row in rows])
