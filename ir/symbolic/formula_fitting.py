"""The formula that gives given arrays: what a constant is at every witness, as a function of the sizes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from wengert.ir.symbolic.fitting import Fitter
from wengert.ir.symbolic.formulas import FORMS, MAX_ELEMENTS, Formula, constant_at, index
from wengert.ir.symbolic.sizes import Dim, greatest, is_symbolic, least, size
from wengert.ir.types import ArrayType

__all__ = ["fit_constant"]

LARGE = 4

Arrays = Sequence[np.ndarray[Any, Any]]


def fit_constant(fitter: Fitter, arrays: Arrays, type_: ArrayType, name: str | None) -> Formula | None:
    """The formula for a constant of this symbolic type that is these arrays at the witnesses; None if there is none."""
    varying = [a for a, n in enumerate(type_.shape) if is_symbolic(n)]
    rows = [k for k, a in enumerate(arrays) if all(a.shape[axis] >= LARGE for axis in varying)]  # which show a pattern
    if len(rows) <= LARGE:
        return None
    part = fitter if len(rows) == len(arrays) else fitter.of(rows)
    for form, args in _candidates(part, [arrays[k] for k in rows], type_):
        formula = Formula(type_, name, form, tuple(args))
        if all(_same(formula, env, array) for env, array in zip(fitter.envs, arrays, strict=True)):
            return formula
    return None


def _same(formula: Formula, env: Mapping[str, int], array: Any) -> bool:
    try:
        made = constant_at(formula, env).array
    except TypeError:
        return False
    return made.shape == array.shape and made.dtype == array.dtype and made.tobytes() == array.tobytes()


def _candidates(fitter: Fitter, arrays: Arrays, type_: ArrayType) -> Iterator[tuple[str, Any]]:
    if type_.dtype.kind == "c":
        if any(np.any(a.imag) for a in arrays):
            return
        arrays = [a.real for a in arrays]
    if not all(np.all(np.isfinite(a)) for a in arrays):
        return
    if all(a.size and (a == a.flat[0]).all() for a in arrays):
        yield from _number(fitter, [a.flat[0] for a in arrays])
        return
    for divisor in (1, 2) if type_.dtype.kind != "b" else (1,):
        scaled = [a * divisor if divisor > 1 else a for a in arrays]
        if all((a == np.trunc(a)).all() and np.abs(a).max(initial=0) < 2**53 for a in scaled):
            whole = [a.astype(np.int64) for a in scaled]
            for dim in _whole(fitter, whole, type_.ndim):
                yield "elements", (dim, divisor)
            if type_.ndim == 1 and divisor == 1:
                yield from _triangles(fitter, whole)
    if type_.dtype.kind in "fc":
        yield from _real(fitter, arrays, type_)


def _number(fitter: Fitter, values: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """One number per witness: a size, a quotient of sizes, or a function of one."""
    if all(v == int(v) and abs(v) < 2**53 for v in values) and (dim := fitter.fit(values)) is not None:
        yield "elements", (dim, 1)
    if values[0].dtype.kind != "f":
        return
    for name in fitter.names:
        sizes = fitter.vector(size(name))
        for number in dict.fromkeys(float(v) * n for v, n in zip(values, sizes, strict=True)):
            yield "over", (number, size(name))
        for number in dict.fromkeys(float(v) / n for v, n in zip(values, sizes, strict=True)):
            yield "times", (number, size(name))
    squares = [float(v) * float(v) for v in values]
    logs = [float(np.exp(v)) if abs(v) < 40 else 0.0 for v in values]
    inverse = [1 / s if s else 0.0 for s in squares]
    for form, numbers in (("elements", values), ("sqrt", squares), ("rsqrt", inverse), ("log", logs)):
        for above, below in _quotients(fitter, list(map(float, numbers))):
            yield form, (above, below)


def _quotients(fitter: Fitter, numbers: Sequence[float]) -> Iterator[tuple[Dim, Dim]]:
    """Sizes whose quotients are nearly these numbers."""
    known = list(itertools.islice(fitter.known.items(), 16))
    shifted = [(tuple(n + s for n in v), dim + s) for v, dim in known for s in (0, -1, 1)]
    for vector, dim in [((1,) * len(numbers), 1), *shifted]:
        for factor in (1, 2, 3, 4, 6):
            above = [x * n * factor for x, n in zip(numbers, vector, strict=True)]
            near = [round(a) for a in above]
            if all(abs(a - b) <= 1e-9 * max(1, abs(b)) for a, b in zip(above, near, strict=True)):
                found = fitter.fit(near)
                if found is not None and (found or not any(numbers)):
                    yield found, dim * factor


def _whole(fitter: Fitter, arrays: Arrays, ndim: int) -> Iterator[Dim]:
    """Whole numbers as a size in the indices."""
    if (linear := _linear(fitter, arrays, ndim)) is not None:
        yield linear
    if ndim == 1:
        yield from _steps(fitter, arrays)
    if ndim >= 2:
        yield from _diagonal(fitter, arrays, ndim)
    for axis in range(ndim):
        periods = [a.shape[axis] for a in arrays]
        wrapped = _linear(fitter, arrays, ndim, periods)
        period = fitter.fit(periods)
        if wrapped is not None and period is not None:
            yield wrapped % period if type(period) is not int or period else wrapped
    powers = [_root(a) for a in arrays]
    if all(p is not None for p in powers) and (inner := _linear(fitter, powers, ndim)) is not None:  # type: ignore[arg-type]
        yield inner * inner


def _root(array: Any) -> Any:
    root = np.rint(np.sqrt(np.maximum(array, 0))).astype(np.int64)
    if not (root * root == array).all():
        return None
    falling = np.diff(root.reshape(-1)) < 0
    return np.where(np.arange(root.size).reshape(root.shape) < np.count_nonzero(falling), -root, root)


def _linear(fitter: Fitter, arrays: Arrays, ndim: int, periods: Sequence[int] | None = None) -> Dim | None:
    """c + sum of steps times indices, modulo a period if there is one."""
    if any(a.size == 0 for a in arrays):
        return None
    first = [int(a.flat[0]) for a in arrays]
    total = fitter.fit(first)
    if total is None:
        return None
    for axis in range(ndim):
        corner = (0,) * ndim
        nexts = [a[(*corner[:axis], 1, *corner[axis + 1 :])] if a.shape[axis] > 1 else f
                 for a, f in zip(arrays, first, strict=True)]  # fmt: skip
        steps = [int(b) - f for b, f in zip(nexts, first, strict=True)]
        if periods is not None:
            steps = [s % p if p else s for s, p in zip(steps, periods, strict=True)]
        step = fitter.fit(steps)
        if step is None:
            return None
        total = total + step * index(axis)
    return total


def _steps(fitter: Fitter, arrays: Arrays) -> Iterator[Dim]:
    """Each number so many times, or the same numbers again and again: i // k, i % k."""
    counts = [int(np.argmax(a != a[0])) for a in arrays]
    if all(counts) and (count := fitter.fit(counts)) is not None:
        start = fitter.fit([int(a[0]) for a in arrays])
        step = fitter.fit([int(a[c] - a[0]) for a, c in zip(arrays, counts, strict=True)])
        if start is not None and step is not None:
            yield index(0) // count * step + start
    if all(counts):
        yield from _folded(fitter, arrays, counts)
    again = [int(np.argmax(a[1:] == a[0])) + 1 for a in arrays]
    if (period := fitter.fit(again)) is not None and period != 0:
        start, step = fitter.fit([int(a[0]) for a in arrays]), fitter.fit([int(a[1] - a[0]) for a in arrays])
        if start is not None and step is not None:
            yield (index(0) % period) * step + start


def _folded(fitter: Fitter, arrays: Arrays, counts: Sequence[int]) -> Iterator[Dim]:
    """The places that padding reads: beyond an end the axis is reflected, repeated, or begun again."""
    firsts, lasts = [int(a[0]) for a in arrays], [int(a.max()) for a in arrays]
    i, first, last, zeros = index(0), fitter.fit(firsts), fitter.fit(lasts), fitter.fit(counts)
    if first is None or last is None or zeros is None:
        return
    away = greatest(i - first, first - i)
    yield last - greatest(last - away, away - last)
    yield (i + first) % (last + 1)
    yield least(greatest(i - zeros + 1, 0), last)
    other = greatest(i - first - 1, first - i)
    yield least(other, 2 * last + 1 - other)


def _diagonal(fitter: Fitter, arrays: Arrays, ndim: int) -> Iterator[Dim]:
    """A number on one diagonal of the last two axes, or on one side of it: eye, tri."""
    i, j = index(ndim - 2), index(ndim - 1)
    planes = [a.reshape(-1, *a.shape[-2:])[0] for a in arrays]
    if not all(p.any() for p in planes):
        return
    scale = fitter.fit([int(p[p != 0][0]) for p in planes])
    where = [np.argwhere(p) for p in planes]
    gaps = [w[:, 1] - w[:, 0] for w in where]
    highest, lowest = fitter.fit([g.max() for g in gaps]), fitter.fit([g.min() for g in gaps])
    if scale is None:
        return
    one: Dim = 1
    if highest is not None and highest == lowest:
        away = j - i - highest
        yield scale * greatest(one - greatest(away, -away), 0)
    if highest is not None:
        yield scale * least(greatest(highest - (j - i) + 1, 0), 1)
    if lowest is not None:
        yield scale * least(greatest(j - i - lowest + 1, 0), 1)


def _triangles(fitter: Fitter, arrays: Arrays) -> Iterator[tuple[str, Any]]:
    """The places of a triangle: np.triu_indices, or what they choose of a flat array."""
    for (rows, rows_dim), (columns, columns_dim) in itertools.product(list(fitter.known.items())[:8], repeat=2):
        for k, upper in itertools.product((0, 1, -1), (1, 0)):
            if max(rows) * max(columns) > MAX_ELEMENTS or min(*rows, *columns) < 1:
                continue
            indices = np.triu_indices if upper else np.tril_indices
            places = ((indices(n, k, m), a) for n, m, a in zip(rows, columns, arrays, strict=True))
            found = []
            for (row, column), array in itertools.takewhile(lambda pair: len(pair[0][0]) == len(pair[1]), places):
                basis = np.stack([row, column, np.ones_like(row)], 1).astype(np.float64)
                steps = np.linalg.lstsq(basis, array.astype(np.float64), rcond=None)[0]
                found.append([round(c) for c in steps.tolist()])
            if len(found) == len(arrays):
                i, j, first = (fitter.fit(list(column)) for column in zip(*found, strict=True))
                if i is not None and j is not None and first is not None:
                    yield "triangle", (rows_dim, columns_dim, k, upper, i, j, first)


def _real(fitter: Fitter, arrays: Arrays, type_: ArrayType) -> Iterator[tuple[str, Any]]:
    """Even steps and NumPy's windows."""
    if type_.ndim != 1 or any(a.size < 2 for a in arrays):
        return
    n = type_.shape[0]
    starts, stops = {float(a[0]) for a in arrays}, {float(a[-1]) for a in arrays}
    if len(starts) == len(stops) == 1:
        yield "linspace", (starts.pop(), stops.pop(), n, 1)
    elif len(starts) == 1:
        ends = [float(np.float64(a[0]) + len(a) * (np.float64(a[1]) - a[0])) for a in arrays]
        for end in {ends[0], round(ends[0], 12)}:
            yield "linspace", (float(arrays[0][0]), end, n, 0)
        counts = [len(a) for a in arrays]
        half = [(lengths, dim) for lengths, dim in fitter.known.items() if [m // 2 + 1 for m in lengths] == counts]
        for form, lengths, length in (("fftfreq", counts, n), *(("rfftfreq", *pair) for pair in half)):
            steps = [m * float(a[1]) for m, a in zip(lengths, arrays, strict=True)]
            for spacing in {round(1 / step, 12) for step in steps if step}:
                yield form, (length, spacing)
    for form in ("hanning", "hamming", "blackman", "bartlett"):
        assert form in FORMS  # of the closed list
        yield form, (n,)
