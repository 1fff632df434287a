"""Many samples as one graph, so that a backend compiles once per op.

The samples do not touch, so the Jacobian of the graph is block diagonal, and one set of directions serves every
block at once.
"""

import contextlib
import functools
import math
from collections.abc import Iterator
from typing import Any

import exact
import numpy as np
import oracles
import pytest
import samples
from samples import Sample

import wengert.ir.autodiff
from wengert.backends import protocol
from wengert.backends.program import Program
from wengert.ir.autodiff import forward, transposition
from wengert.ir.build import Builder
from wengert.ir.ops import OPS
from wengert.ir.types import is_inexact


def _why_not(name: str) -> str | None:
    try:
        protocol.get(name)
    except protocol.BackendError as error:  # no compiler, say; a broken import is a failure
        return str(error)
    return None


WHY_NOT = {name: _why_not(name) for name in protocol.BUILT_IN}
BACKENDS = [
    pytest.param(name, marks=pytest.mark.skipif(reason is not None, reason=str(reason))) for name, reason in WHY_NOT.items()
]


class Batch:
    """One graph that holds all the samples side by side."""

    def __init__(self, chosen: tuple[Sample, ...]) -> None:
        self.samples = chosen
        b = Builder("batch")
        outputs: list[Any] = []
        self.inputs: list[np.ndarray] = []
        self.at: list[tuple[int, int]] = []  # of each sample, its first input and its first output
        for sample in chosen:
            self.at.append((len(b.inputs), len(outputs)))
            operands = [b.input(t) for t in sample.types]
            outputs += self.results(b, sample, b.emit_all(sample.op, operands, **sample.params))
            self.inputs += sample.operands
        self.graph = b.graph(outputs)
        self.program = Program(self.graph)  # it keeps what is compiled of it
        self.active = tuple(first + k for s, (first, _) in zip(chosen, self.at, strict=True) for k in s.active)
        #: How many directions a Jacobian takes in either mode.
        self.columns = max([1, *map(_columns, chosen)])
        self.rows = max([1, *(_wide_rows(s) if s.wide else _rows(s) for s in chosen)])

    def results(self, b: Builder, sample: Sample, results: Any) -> Any:
        """What the graph gives of a sample's results."""
        return results

    def values(self, backend: str) -> list[tuple[np.ndarray, ...]]:
        """The results, sample by sample."""
        return self._split(self.program.run(self.inputs, backend))

    def _split(self, outputs: Any) -> list[Any]:
        return [tuple(outputs[o : o + len(s.result_types)]) for s, (_, o) in zip(self.samples, self.at, strict=True)]

    def forward(self, backend: str) -> list[np.ndarray]:
        """The Jacobian of each sample, from tangents; of a wide one, its diagonals.

        Complex numbers are pairs of reals, as in ``oracles.jacobian``."""
        sizes = [_columns(s) for s in self.samples]
        tangents: dict[int, np.ndarray] = {}
        for sample, (first, _) in zip(self.samples, self.at, strict=True):
            at = 0
            for k in sample.active:
                x = sample.operands[k]
                t = np.zeros((self.columns, x.size), x.dtype)
                for unit in oracles.directions(x.dtype):
                    n = 1 if sample.wide else x.size
                    t[at : at + n] = unit if sample.wide else unit * np.eye(x.size)
                    at += n
                tangents[first + k] = t.reshape(len(t), *x.shape)
        run = self.program.forward(self.active, backend)
        values, moved = run(self.inputs, [tangents[i] for i in self.active])
        found = []
        for sample, n, ts in zip(self.samples, sizes, self._split(moved), strict=True):
            _check_tangents(sample, ts, self.columns)
            rows = [part[:n] for t in ts if t is not None for part in oracles.parts(_flat(t))]
            found.append(np.concatenate(rows, axis=1) if sample.wide else np.concatenate(rows, axis=1).T)
        return found

    def reverse(self, backend: str) -> list[np.ndarray]:
        """The same from cotangents."""
        sizes = [_wide_rows(s) if s.wide else _rows(s) for s in self.samples]
        k = self.rows
        cotangents: list[np.ndarray | None] = []
        for sample in self.samples:
            at = 0
            for type_ in sample.result_types:
                if not is_inexact(type_.dtype):
                    cotangents.append(None)
                    continue
                g = np.zeros((k, type_.size), type_.dtype)
                for unit in oracles.directions(type_.dtype):  # Re(g t) is the part that g is the conjugate unit of
                    n = 1 if sample.wide else type_.size
                    g[at : at + n] = np.conj(unit) if sample.wide else np.conj(unit) * np.eye(type_.size)
                    at += n
                cotangents.append(g.reshape(k, *type_.shape))
        run = self.program.reverse(self.active, backend)
        values, moved = run(self.inputs, cotangents)
        back = dict(zip(self.active, moved, strict=True))
        found = []
        for sample, n, (first, _) in zip(self.samples, sizes, self.at, strict=True):
            gs = [back[first + i] for i in sample.active]
            for g, i in zip(gs, sample.active, strict=True):
                x = sample.operands[i]
                assert (g.shape, g.dtype) == ((k, *x.shape), x.dtype), f"{sample}: cotangent {g.dtype}{g.shape}"
            rows = [part[:n] for g in gs for part in oracles.parts(_flat(np.conj(g)))]
            found.append(np.stack([part.ravel() for part in rows]) if sample.wide else np.concatenate(rows, axis=1))
        return found


def _flat(x: np.ndarray) -> np.ndarray:
    return x.reshape(len(x), math.prod(x.shape[1:]))


def _columns(sample: Sample) -> int:
    own = [sample.operands[k] for k in sample.active]
    return sum(len(oracles.directions(x.dtype)) * (1 if sample.wide else x.size) for x in own)


def _rows(sample: Sample) -> int:
    return sum(len(oracles.directions(t.dtype)) * t.size for t in sample.result_types if is_inexact(t.dtype))


def _wide_rows(sample: Sample) -> int:
    return sum(len(oracles.directions(t.dtype)) for t in sample.result_types if is_inexact(t.dtype))


def _check_tangents(sample: Sample, tangents: Any, k: int) -> None:
    for t, type_ in zip(tangents, sample.result_types, strict=True):
        if is_inexact(type_.dtype):
            assert (t.shape, t.dtype) == ((k, *type_.shape), type_.dtype), f"{sample}: tangent {t.dtype}{t.shape}"
        else:
            assert t is None, f"{sample}: a tangent of {type_}"


#: The laws come op by op (see laws/conftest.py), and ask for the same of an op: what is compiled for one is at hand for the next.
_recent = functools.lru_cache(maxsize=16)


@_recent
def batch(name: str, differentiated: bool = True) -> Batch:
    """The samples of an op that can be differentiated, or the others."""
    return Batch(differentiable(name) if differentiated else tuple(s for s in samples.samples(name) if not s.differentiable))


@_recent
def values(name: str, backend: str) -> list[tuple[np.ndarray, ...]]:
    """The results of every sample of an op, as they come in ``samples.samples``."""
    both = {d: iter(own.values(backend) if (own := batch(name, d)).samples else ()) for d in (True, False)}
    return [next(both[s.differentiable]) for s in samples.samples(name)]


@_recent
def jacobians(name: str, backend: str, mode: str) -> tuple[tuple[Sample, ...], list[np.ndarray]]:
    """Of every differentiable sample of an op, in one mode of one backend; where this is to be the backend's own algorithm, by that.

    A batch has the directions of its widest sample.  Where there is nothing to compile, samples as wide as each other are together.
    """
    chosen = differentiable(name)
    if not chosen or backend not in ("reference", "numpy"):
        return chosen, getattr(batch(name), mode)(backend) if chosen else []
    found: dict[Sample, np.ndarray] = {}
    with without_autodiff():
        for together in batches(name, mode):
            found.update(zip(together.samples, getattr(together, mode)(backend), strict=True))
    return chosen, [found[s] for s in chosen]


@_recent
def batches(name: str, mode: str) -> list[Batch]:
    """The samples that can be differentiated, sorted by how many directions they need."""
    groups: dict[int, list[Sample]] = {}
    for s in differentiable(name):
        n = _columns(s) if mode == "forward" else _wide_rows(s) if s.wide else _rows(s)
        groups.setdefault(n, []).append(s)
    return [Batch(tuple(group)) for group in groups.values()]


@functools.cache
def differentiable(name: str) -> tuple[Sample, ...]:
    return tuple(s for s in samples.samples(name) if s.differentiable)


def forget() -> None:
    """What was compiled and computed: a rule has changed."""
    for kept in (batch, batches, values, jacobians):
        kept.cache_clear()


@contextlib.contextmanager
def without_autodiff() -> Iterator[None]:
    """Within it, nothing can be asked of ``wengert.ir.autodiff``."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (wengert.ir.autodiff, forward, transposition):
            for name in module.__all__:
                if name not in ("Linearized", "cotangent_type"):
                    patch.setattr(module, name, _refuse)
        yield


def _refuse(*args: Any, **kwargs: Any) -> None:
    raise AssertionError("a backend asked wengert.ir.autodiff for its first derivative")


@functools.cache
def expected_jacobian(sample: Sample) -> np.ndarray:
    """The independent oracle's, in the form of Batch.forward; for smooth samples."""
    if sample.is_complex and sample.op.name == "stop_gradient":  # by definition
        return np.zeros_like(oracles.jacobian(sample))
    if sample.op.name not in oracles.MP or sample.is_complex:
        return exact.jacobian(sample) if exact.covers(sample) else oracles.jacobian(sample)
    rows = []
    for k in sample.active:
        points = zip(*(x.ravel().tolist() for x in sample.operands), strict=True)
        rows.append(np.array([float(oracles.mp_partial(sample.op.name, k, p)) for p in points]))
    return np.concatenate([np.diag(r) for r in rows], axis=1)


def far(sample: Sample, got: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Where a Jacobian is not the expected one: by more than 1e-13 of its largest entry where that is exact."""
    if exact.covers(sample):
        return oracles.differing(got, expected, 1e-13 * max(1.0, abs(expected).max(initial=0)))
    return oracles.far(sample, got, expected)


def error(sample: Sample, got: np.ndarray, expected: np.ndarray) -> float:
    """The largest relative error against an exact oracle in double precision, 0 where there is none.

    Of a scalar function relative to each partial, of the others to the largest entry, or to 1.
    """
    if exact.covers(sample):
        return float(abs(got - expected).max(initial=0) / max(1.0, abs(expected).max(initial=0)))
    if sample.op.name not in oracles.MP or any(t.dtype != np.float64 for t in (*sample.types, *sample.result_types)):
        return 0.0
    at = (expected != 0) & np.isfinite(expected)
    return float((abs(got - expected)[at] / abs(expected[at])).max(initial=0))


@functools.cache
def extremes(name: str) -> tuple[Sample, np.ndarray, np.ndarray]:
    """A scalar function at points of every magnitude: its partials, and how far off they may be.

    What 1e-12 means is the function's own condition: an operand's rounding, times the second derivative.
    """
    rng = samples.random(name)
    points = []
    for low, high, signed in oracles.SMOOTH[name]:
        x = 10 ** rng.uniform(low, high, 60)
        points.append(x * rng.choice([-1, 1], 60) if signed else x)
    op = OPS[name]
    expected = np.array([[float(oracles.mp_partial(name, k, p, 700)) for p in zip(*points, strict=True)]
                         for k in range(op.arity)])  # fmt: skip
    return Sample(op, points, wide=True), expected, abs(expected) * 1e-12 + 1e-300
