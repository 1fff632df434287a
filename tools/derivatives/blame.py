"""Which op is to blame: the same comparison, made of each node alone at the values it meets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from attrs import evolve, frozen

from wengert.backends.program import Program
from wengert.ir.build import Builder
from wengert.ir.graph import Graph, Location, Node, Value
from wengert.ir.kinds import Elementwise
from wengert.ir.types import ArrayType, is_inexact
from wengert.tools.derivatives.comparison import Entry, Problem, compare, lines, narrowest, wider
from wengert.tools.derivatives.flow import COMPARISONS, reached, useful, where
from wengert.tools.explain.local import flows
from wengert.tools.explain.numbers import number

__all__ = ["Blame", "Culprit", "Kink"]

#: The entries of each operand and of the result that one node is asked about.
ENTRIES = 16
#: How many nodes are asked: one of each op and line first, then the next of each.
NODES = 500
#: How many where each is compiled first.
COMPILED = 20
#: Ops whose results are vectors, each of which may be turned by any phase.
_TO_A_PHASE = ("svd", "eigh", "eig")


@frozen
class Culprit:
    """An op whose own derivative is wrong: in which operand (from 0), in which modes, and what it should be."""

    op: str
    location: Location | None
    operand: int
    modes: tuple[str, ...]
    claimed: float
    numeric: float

    def __str__(self) -> str:
        modes = " and ".join(self.modes)
        return (
            f"The derivative of {self.op}{where(self.location)} in operand {self.operand} is wrong in {modes} mode: "
            f"{number(self.claimed)}, where differences of its values give {number(self.numeric)}."
        )


@frozen
class Kink:
    """An op that has no one derivative at the values it meets, and how that shows; or, ``by_convention``, one that is
    more than its values say."""

    op: str
    location: Location | None
    cause: str
    by_convention: bool = False

    def __str__(self) -> str:
        return f"{self.op}{where(self.location)} {self.cause}"


class Blame:
    """The verdict on each node of a graph without calls, reached when it is first asked for."""

    def __init__(self, flat: Graph, known: dict[Value, Any]) -> None:
        self.flat = flat
        self.known = known
        self.wanted = useful(flat)
        self.verdicts: dict[tuple[int, str], tuple[list[Culprit], Kink | None]] = {}

    def between(self, start: Iterable[Value], backend: str) -> tuple[list[Culprit], list[Kink]]:
        """The wrong ops and the kinks among the nodes that lead from ``start`` to a result.

        A rule that is wrong is so on every backend: another than ``numpy`` is asked only where that finds nothing.
        """
        touched = reached(self.flat, start, derivatives=False)
        found = self._asked(touched, "numpy", NODES)
        if backend == "numpy" or any(found):
            return found
        return self._asked(touched, backend, COMPILED if backend == "c" else NODES)

    def _asked(self, touched: set[Value], backend: str, most: int) -> tuple[list[Culprit], list[Kink]]:
        culprits: dict[Any, Culprit] = {}
        kinks: dict[Any, Kink] = {}
        for node in self._between(touched)[:most]:
            wrong, kink = self._of(node, backend)
            for culprit in wrong:
                if node.operands[culprit.operand] in touched:
                    culprits.setdefault((culprit.op, culprit.location, culprit.operand), culprit)
            if kink is not None:
                kinks.setdefault((kink.op, kink.location), kink)
        return list(culprits.values()), list(kinks.values())

    def _between(self, touched: set[Value]) -> list[Node]:
        turns: dict[Any, int] = {}
        found = []
        for node in self.flat.nodes:
            between = not (touched.isdisjoint(node.operands) or self.wanted.isdisjoint(node.results))
            if between and node.op.name != "stop_gradient":
                place = (node.op.name, node.location)
                turns[place] = turns.get(place, 0) + 1
                found.append((turns[place], node))
        return [node for _, node in sorted(found, key=lambda pair: pair[0])]

    def _of(self, node: Node, backend: str) -> tuple[list[Culprit], Kink | None]:
        key = (id(node), backend)
        if key not in self.verdicts:
            self.verdicts[key] = _verdict(node, self.known, backend)
        return self.verdicts[key]


def _verdict(node: Node, known: dict[Value, Any], backend: str) -> tuple[list[Culprit], Kink | None]:
    place = (node.op.name, node.location)
    active = tuple(k for k, v in enumerate(node.operands) if is_inexact(v.type.dtype))
    if not (active and is_inexact(node.results[0].type.dtype)):
        cause = _tied(node, known)
        return [], Kink(*place, cause) if cause else None
    culprits: dict[int, Culprit] = {}
    kink = None
    inputs = [np.asarray(known[v]) for v in node.operands]
    for entry in _entries(node, inputs, active, backend):
        operand = entry.column.place
        if entry.verdict == "wrong" or _outside(entry):
            if not flows(node, operand):
                kink = kink or Kink(*place, "is locally constant, and jumps more often than differences see")
                continue
            modes = entry.off or tuple(entry.claimed)
            culprits.setdefault(operand, Culprit(*place, operand, modes, entry.claimed[modes[0]], _slope(entry)))
        elif entry.verdict == "undecided" and kink is None:
            kink = Kink(*place, f"is {entry.cause or 'beyond the largest number'}")
    if culprits and _only_tied(node, inputs, active, backend):
        return [], Kink(*place, "is given equal numbers, whose order is a choice")
    if culprits and (convention := _convention(node, inputs, active, backend)):
        return [], Kink(*place, convention, by_convention=True)
    return list(culprits.values()), kink


def _convention(node: Node, inputs: list[Any], active: tuple[int, ...], backend: str) -> str:
    """What the values of a matrix function leave open, or do not look at; empty where there is nothing."""
    if node.op.name in _TO_A_PHASE and any(x.dtype.kind == "c" for x in inputs):
        return "gives vectors that are determined up to a phase only"
    square = not isinstance(node.op, Elementwise) and all(x.ndim > 1 and x.shape[-1] == x.shape[-2] for x in inputs)
    if square and all(np.allclose(x, np.conj(np.swapaxes(x, -1, -2))) for x in inputs):
        entries = _entries(node, inputs, active, backend, symmetric=True)
        if all(entry.verdict != "wrong" for entry in entries):
            return "takes its operand as symmetric, while differences change one entry of it"
    return ""


def _only_tied(node: Node, inputs: list[Any], active: tuple[int, ...], backend: str) -> bool:
    """Whether an op that orders numbers is given equal ones, and is right just beside.

    Of three equal numbers the middle one stays where it is when one of them moves, to either side.
    """
    if isinstance(node.op, Elementwise) or not any(len(np.unique(inputs[k])) < inputs[k].size for k in active):
        return False
    rng = np.random.default_rng(1)
    beside = list(inputs)
    for k in active:
        if not np.all(np.isfinite(inputs[k])):
            return False
        size = 1e-2 * np.abs(inputs[k]).max(initial=1e-3)
        beside[k] = (inputs[k] + size * rng.uniform(-1, 1, inputs[k].shape)).astype(inputs[k].dtype)
    return all(entry.verdict != "wrong" for entry in _entries(node, beside, active, backend))


def _entries(
    node: Node, inputs: list[Any], active: tuple[int, ...], backend: str, *, symmetric: bool = False
) -> list[Entry]:
    types = [v.type for v in node.operands]
    program = Program(_alone(node, types))
    double = Program(_alone(node, [wider(t) for t in types]))
    rng = np.random.default_rng(0)
    columns = lines([(k, types[k], inputs[k]) for k in active], ENTRIES, rng)
    if symmetric:
        columns = [evolve(c, vector=c.vector + np.conj(np.swapaxes(c.vector, -1, -2)), index=None) for c in columns]
    ends = [(k, v.type, None) for k, v in enumerate(node.results) if is_inexact(v.type.dtype)]

    def values(arrays: list[Any]) -> Any:
        try:
            return double.run(arrays, "numpy")
        except (ValueError, ArithmeticError):  # as a singular matrix beside a point
            return None

    points = [x.astype(v.type.dtype) for x, v in zip(inputs, double.graph.inputs, strict=True)]
    problem = Problem(program, inputs, active, values, points, narrowest(double.graph))
    return compare(problem, backend, columns, lines(ends, ENTRIES, rng))[0]


def _alone(node: Node, types: list[ArrayType]) -> Graph:
    b = Builder()
    return b.graph(b.emit_all(node.op, [b.input(t) for t in types], **node.params))


def _outside(entry: Entry) -> bool:
    """Whether at a kink an op's derivative lies outside the slopes to either side."""
    if entry.cause != "at a kink" or entry.column.index is None or entry.row.index is None:
        return False
    low, high = sorted((entry.left, entry.right))
    slack = 1e-3 * (high - low) + entry.slack
    return any(not low - slack <= d <= high + slack for d in entry.claimed.values())


def _slope(entry: Entry) -> float:
    return (entry.left + entry.right) / 2 if entry.cause else entry.numeric


def _tied(node: Node, known: dict[Value, Any]) -> str:
    """Where the smallest change of an operand changes a result that is no real number."""
    arrays = [np.asarray(known[v]) for v in node.operands]
    if node.op.name in COMPARISONS and bool(np.any(arrays[0] == arrays[1])):
        return "compares equal numbers"
    with np.errstate(all="ignore"):
        if node.op.name == "cast" and arrays[0].dtype.kind == "f" and bool(np.any(arrays[0] == np.trunc(arrays[0]))):
            return "is given a whole number, at which it jumps"
    return ""
