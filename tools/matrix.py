"""The matrix of completeness: op x transformation x backend, each mark earned by building, running and comparing.

A transformation makes a graph of an op's sample graph.  The graphs of all ops are run side by side, on every backend;
where a backend refuses the whole it is asked op by op.  Answers are compared with the reference backend's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from attrs import frozen

from wengert.backends import protocol
from wengert.ir import autodiff, wire
from wengert.ir.autodiff.taylor import taylor
from wengert.ir.batching import batch
from wengert.ir.errors import GraphTypeError
from wengert.ir.graph import Graph
from wengert.ir.ops import CHAPTERS, OPS
from wengert.ir.sparsity import pattern
from wengert.ir.symbolic.schema import instantiate
from wengert.ir.symbolic.sizes import size
from wengert.ir.symbolic.witnesses import Run, symbolic
from wengert.ir.types import is_inexact
from wengert.tools.optable_samples import Sample, joined, samples
from wengert.tracer.symbolic import agree

__all__ = ["COLUMNS", "Matrix", "holes", "make", "markdown"]

DONE, NOTHING, HOLE = "✓", "·", "✗"
LANES, ORDER = 2, 3


def _ends(graph: Graph) -> list[Any]:
    return [np.ones(v.type.shape, v.type.dtype) for v in graph.outputs if is_inexact(v.type.dtype)]


def _starts(one: Sample) -> list[Any]:
    return [np.full(one.inputs[i].shape, 0.5, one.inputs[i].dtype) for i in one.active]


def _value(one: Sample) -> tuple[Graph, Sequence[Any]]:
    return one.graph, one.inputs


def _forward(one: Sample) -> tuple[Graph, Sequence[Any]]:
    return autodiff.jvp(one.graph, one.active), [*one.inputs, *_starts(one)]


def _reverse(one: Sample) -> tuple[Graph, Sequence[Any]]:
    return autodiff.vjp(one.graph, one.active), [*one.inputs, *_ends(one.graph)]


def _forward_over_reverse(one: Sample) -> tuple[Graph, Sequence[Any]]:
    graph, inputs = _reverse(one)
    return autodiff.jvp(graph, one.active), [*inputs, *_starts(one)]


def _lanes(of: Callable[[Sample], tuple[Graph, Sequence[Any]]]) -> Callable[[Sample], tuple[Graph, Sequence[Any]]]:
    def derived(one: Sample) -> tuple[Graph, Sequence[Any]]:
        graph, inputs = of(one)
        return batch(graph, (0,) * len(inputs), LANES)[0], [np.stack([x] * LANES) for x in inputs]

    return derived


def _taylor(one: Sample) -> tuple[Graph, Sequence[Any]]:
    return taylor(one.graph, one.active, ORDER, 1), [*one.inputs, *_starts(one)]


def _sparse(one: Sample) -> tuple[Graph, Sequence[Any]]:
    """The op itself, once the pattern has been held against the Jacobian: it may leave out zeros alone."""
    found = pattern(one.graph, one.active).pattern.dense()
    moved = protocol.get("numpy").forward(one.graph, one.active)(list(one.inputs), _basis(one))[1]
    first = 0
    for value, columns in zip(one.graph.outputs, moved, strict=True):
        stop = first + value.type.size
        if columns is not None:
            dense = columns.reshape(len(columns), -1).T
            if np.any(dense[~found[first:stop]] != 0):
                message = "the pattern leaves out entries of the Jacobian that are not zero."
                raise ValueError(message)
        first = stop
    return one.graph, one.inputs


def _basis(one: Sample) -> list[Any]:
    total, first, found = sum(one.inputs[i].size for i in one.active), 0, []
    for i in one.active:
        x = one.inputs[i]
        seeds = np.zeros((total, x.size), x.dtype)
        seeds[first : first + x.size] = np.eye(x.size, dtype=x.dtype)
        found.append(seeds.reshape(total, *x.shape))
        first += x.size
    return found


def _sizes(one: Sample) -> tuple[Graph, Sequence[Any]]:
    """Any number of lanes: one graph, read from its file, at as many as there are."""
    def make(env: Mapping[str, int]) -> Run:
        return Run(batch(one.graph, (0,) * len(one.inputs), env["n"])[0])

    shapes = [(size("n"), *v.type.shape) for v in one.graph.inputs]
    graph = wire.from_bytes(wire.to_bytes(symbolic(make, ("n",), shapes, agree)))
    return instantiate(graph, {"n": LANES}), [np.stack([x] * LANES) for x in one.inputs]


def _file(one: Sample) -> tuple[Graph, Sequence[Any]]:
    return wire.from_bytes(wire.to_bytes(one.graph)), one.inputs


#: Transformation to (what makes the graph and its inputs, whether it is a derivative).
COLUMNS: dict[str, tuple[Callable[[Sample], tuple[Graph, Sequence[Any]]], bool]] = {
    "value": (_value, False),
    "forward": (_forward, True),
    "reverse": (_reverse, True),
    "forward over reverse": (_forward_over_reverse, True),
    "lanes": (_lanes(_value), False),
    "lanes of forward": (_lanes(_forward), True),
    "lanes of reverse": (_lanes(_reverse), True),
    "Taylor": (_taylor, True),
    "sparsity": (_sparse, True),
    "sizes": (_sizes, False),
    "file": (_file, False),
}


@frozen
class Matrix:
    """``marks[op][column]`` has one character per backend."""

    backends: tuple[str, ...]
    marks: dict[str, dict[str, str]]
    complaints: dict[tuple[str, str, str], str]


def make(backends: Sequence[str] | None = None, ops: Sequence[str] | None = None) -> Matrix:
    """The matrix, for these backends and ops or for all there are."""
    names = tuple(protocol.BUILT_IN) if backends is None else tuple(backends)
    complaints: dict[tuple[str, str, str], str] = {}
    ones = {}
    for name in OPS if ops is None else ops:
        op = OPS[name]
        try:
            found = samples(op, ("f64", "i64", "u64", "bool", "c128"))
        except GraphTypeError as error:
            complaints[name, "every column", "every backend"] = str(error)
        else:
            ones[name] = next((one for one in found if one.differentiable), found[0])
    marks = {name: dict.fromkeys(COLUMNS, "") for name in ones}
    for column, (derive, derivative) in COLUMNS.items():
        asked, derived = [name for name, one in ones.items() if one.differentiable or not derivative], {}
        for name in asked:
            try:
                graph, inputs = derive(ones[name])
                derived[name] = Sample(graph, tuple(inputs), {(name, ""): (slice(0), slice(0))})
            except Exception as error:  # noqa: BLE001 (it goes into the table)
                complaints[name, column, "every backend"] = f"{type(error).__name__}: {error}"
        wanted, failed = _answers("reference", derived)
        for backend in names:
            answers, refused = (wanted, failed) if backend == "reference" else _answers(backend, derived)
            complaints |= {(name, column, backend): why for name, why in refused.items()}
            for name, values in answers.items():
                if name in wanted and not _agree(values, wanted[name]):
                    complaints[name, column, backend] = f"it computes {values}, and the reference {wanted[name]}."
            for name in ones:
                bad = (name, column, backend) in complaints or (name, column, "every backend") in complaints
                marks[name][column] += NOTHING if name not in asked else HOLE if bad else DONE
    return Matrix(names, marks, complaints)


def _answers(backend: str, derived: dict[str, Sample]) -> tuple[dict[str, list[Any]], dict[str, str]]:
    """What a backend computes for each op, and where it fails, with its words."""
    run = protocol.get(backend)
    try:
        whole = joined(list(derived.values()))
        values = list(run.compile(whole.graph)(list(whole.inputs)))
        return {name: values[outputs] for (name, _), (_, outputs) in whole.spans.items()}, {}
    except Exception:  # noqa: BLE001 (whatever it is: the culprit is looked for below)
        answers: dict[str, list[Any]] = {}
        failures: dict[str, str] = {}
    for name, one in derived.items():
        try:
            answers[name] = list(run.compile(one.graph)(list(one.inputs)))
        except Exception as error:  # noqa: BLE001 (it goes into the table)
            failures[name] = f"{type(error).__name__}: {error}"
    return answers, failures


def _agree(found: Sequence[Any], expected: Sequence[Any]) -> bool:
    return len(found) == len(expected) and all(
        x.shape == y.shape and x.dtype == y.dtype and np.allclose(x, y, 1e-9, 1e-9, equal_nan=True)
        for x, y in zip(found, expected, strict=True)
    )


def holes(matrix: Matrix) -> list[str]:
    """A sentence for every hole."""
    return [f"{op}, {column}, on {backend}: {why}" for (op, column, backend), why in matrix.complaints.items()]


_HEAD = """# Every op, transformed in every way, on every backend

Written by `wengert matrix --write docs/matrix.md`. A column is a transformation of the op's graph into another graph,
and the marks in it are the backends {names}: {done} was built, run and compared with the reference's answer; {nothing}
has nothing to differentiate; {hole} is a hole. Lanes are `vmap`'s, two of them; Taylor is to order {order}; under
sparsity, no entry of the Jacobian lies outside the pattern. [ops.md](ops.md) has each backend's own forward and
reverse mode, and every dtype.

"""


def markdown(matrix: Matrix) -> str:
    """The matrix as docs/matrix.md has it."""
    lines = [_HEAD.format(names=", ".join(matrix.backends), done=DONE, nothing=NOTHING, hole=HOLE, order=ORDER)]
    for chapter, module in CHAPTERS.items():
        own = [name for name, op in OPS.items() if any(v is op for v in vars(module).values()) and name in matrix.marks]
        lines += [f"## {chapter.replace('_', ' ').capitalize()}", "", _cells("op", *COLUMNS)]
        lines.append(_cells(*["---"] * (1 + len(COLUMNS))))
        lines += [_cells(f"`{name}`", *matrix.marks[name].values()) for name in own]
        lines.append("")
    count = f"{len(matrix.marks)} ops, {len(COLUMNS)} transformations, {len(matrix.backends)} backends"
    lines.append(f"{count}, {len(matrix.complaints)} holes.\n")
    return "\n".join(lines)


def _cells(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
