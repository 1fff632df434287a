"""The untraced function as a function of flat arrays, and what its values are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.backends.program import Program, is_leaf
from wengert.ir.ops.random import generator_of
from wengert.ir.structure import flatten, unflatten
from wengert.tools.derivatives.comparison import narrowest, wider
from wengert.tools.derivatives.flow import Argument, static_arguments
from wengert.tools.derivatives.report import ValueCheck
from wengert.tracer.decorator import Traced
from wengert.tracer.parameters import keywords, positional
from wengert.tracer.variants import Bound

__all__ = ["Untraced", "same"]


class Untraced:
    """A function called with plain arrays, or a program on the backend that says what its values are.

    Python integers are read as real numbers wherever the function accepts them.
    """

    def __init__(self, target: Program | Traced, bound: Bound) -> None:
        self.target = target
        self.bound = bound
        self.program: Program | None = target if isinstance(target, Program) else None
        self.leaves = list(bound.leaves)
        self.noisy = False
        self.own_errors: tuple[type[Exception], ...] = (TypeError,) if isinstance(target, Program) else ()
        if isinstance(target, Traced):
            first = self.call(self.leaves)  # what the function raises by itself is the caller's to see
            again = self.call(self.leaves)
            self.noisy = not _equal(first, again)
            self._read_as_real()

    # -- values -----------------------------------------------------------------------------------

    def call(self, leaves: Sequence[Any]) -> Any:
        """The function's own result, the arguments copied."""
        assert isinstance(self.target, Traced)
        parameters = list(self.target.signature.parameters.values())
        held = self.bound.generators  # each call draws from where they are now
        flat = iter([generator_of(x) if i in held else x.copy() if isinstance(x, np.ndarray) else x
                     for i, x in enumerate(leaves)])  # fmt: skip
        values = [unflatten(structure, flat) for structure in self.bound.structures]
        with np.errstate(all="ignore"):
            return self.target.function(*positional(parameters, values), **keywords(parameters, values))

    def results(self, arrays: list[Any]) -> list[Any] | None:
        """The flat results for flat inputs; None where there are none, or others than at the point."""
        if self.program is not None and not isinstance(self.target, Traced):
            values = self.program.run(arrays, "numpy")
            return [np.asarray(v) for v in values[: len(self.program.graph.outputs)]]
        assert self.program is not None
        leaves = [_like(now, array) for now, array in zip(self.leaves, arrays, strict=True)]
        try:
            result = self.call(leaves)
        except Exception:  # noqa: BLE001 (beside the point a function may not be defined)
            return None
        flat: list[Any] = []
        structure = flatten(result, is_leaf, flat)
        found = [np.asarray(x) for x in flat]
        expected = self.program.graph
        fits = structure == expected.results and [x.shape for x in found] == [v.type.shape for v in expected.outputs]
        return found if fits else None

    def points(self, inputs: list[Any]) -> tuple[list[Any], np.dtype[Any]]:
        """The inputs to take differences at, in double precision where the function computes in it then."""
        assert self.program is not None
        dtype = narrowest(self.program.graph)
        if dtype == np.float64 or isinstance(self.target, Program):
            return inputs, dtype
        types = [v.type for v in self.program.graph.inputs]
        wide = [x.astype(wider(t).dtype) for x, t in zip(inputs, types, strict=True)]
        try:
            finer = narrowest(self._graph([_like(now, x) for now, x in zip(self.leaves, wide, strict=True)]).graph)
        except Exception:  # noqa: BLE001 (it asks for float32)
            return inputs, dtype
        return (wide, finer) if finer == np.float64 else (inputs, dtype)

    # -- tracing ----------------------------------------------------------------------------------

    def traced(self) -> Program:
        """The program for these arguments."""
        if isinstance(self.target, Program):
            return self.target
        try:
            self.program = self._graph(self.leaves)
        except Exception:
            if self.leaves == self.bound.leaves or not self._ints():
                raise
            self.leaves = list(self.bound.leaves)  # an int that tracing needs whole stays one
            self.program = self._graph(self.leaves)
        return self.program

    def _graph(self, leaves: list[Any]) -> Program:
        assert isinstance(self.target, Traced)
        return self.target.graph_of(Bound(self.bound.structures, list(leaves), self.bound.names, self.bound.generators))

    def _ints(self) -> list[int]:
        return [i for i, leaf in enumerate(self.bound.leaves) if type(leaf) is int]

    def _read_as_real(self) -> None:
        ints = self._ints()
        for chosen in ([ints] if len(ints) > 1 else []) + [[i] for i in ints]:
            trial = [float(x) if i in chosen else x for i, x in enumerate(self.leaves)]
            try:
                self.call(trial)
            except Exception:  # noqa: BLE001, S112 (it counts or indexes)
                continue
            self.leaves = trial
            if chosen == ints:
                return

    # -- the signature ----------------------------------------------------------------------------

    def statics(self) -> list[Argument]:
        """The arguments that are no arrays."""
        if isinstance(self.target, Traced):
            names = list(self.target.signature.parameters)
        else:
            signature = self.target.graph.signature
            names = [] if signature is None else [name for name, _ in signature.parameters]
        pairs = zip(names, self.bound.structures, strict=False)
        return [argument for name, structure in pairs for argument in static_arguments(structure, name)]


def _like(now: Any, array: Any) -> Any:
    """An input as the kind of thing that was given: a Python number, a NumPy scalar or an array."""
    if isinstance(now, np.ndarray):
        return array
    return array[()] if isinstance(now, np.generic) else array.item()


def _equal(first: Any, again: Any) -> bool:
    """Whether two results are the same, NaN for NaN."""
    leaves: tuple[list[Any], list[Any]] = ([], [])
    structures = [flatten(result, is_leaf, found) for result, found in zip((first, again), leaves, strict=True)]
    return structures[0] == structures[1] and all(
        np.array_equal(x, y, equal_nan=np.asarray(x).dtype.kind in "fc") for x, y in zip(*leaves, strict=True)
    )


def same(name: str, values: Sequence[Any], expected: Any, paths: list[str], dtype: np.dtype[Any]) -> ValueCheck:
    """One backend's values against the untraced ones: equal where whole, to rounding where real."""
    if expected is None:
        return ValueCheck(name, np.inf, False, ", ".join(paths) or "the result")
    rough = float(np.finfo(dtype).eps) ** 0.75
    largest, where, fits = 0.0, "", True
    for value, want, path in zip(values, expected, paths, strict=False):
        if want.size == 0:
            continue
        with np.errstate(all="ignore"):
            alike = (value == want) | ((value != value) & (want != want))
            wide = np.complex128 if "c" in (want.dtype.kind, value.dtype.kind) else np.float64
            gap = np.where(alike, 0.0, np.abs(value.astype(wide) - want.astype(wide)))
            amount = float(np.max(np.where(np.isnan(gap), np.inf, gap)))
            finite = np.abs(want.astype(wide))[np.isfinite(want.astype(wide))]
        allowed = rough * float(finite.max(initial=0.0)) if value.dtype.kind in "fc" else 0.0
        if amount > largest:
            largest = amount
            where = path if amount > allowed or not where else where
        if amount > allowed:
            fits, where = False, path
    return ValueCheck(name, largest, fits, where)
