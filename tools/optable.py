"""The op table: op x mode x backend, each mark earned by building, running and comparing.

A mark is never declared.  Every backend is handed a program with every op, in every mode; where it refuses
the whole, it is asked op by op.  Its answers are compared with the reference backend's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from attrs import frozen

from wengert.backends import protocol
from wengert.ir.errors import GraphTypeError
from wengert.ir.ops import CHAPTERS, OPS
from wengert.ir.types import is_inexact
from wengert.tools.optable_samples import Sample, classes, joined, sample
from wengert.tools.optable_symbols import derivative

__all__ = ["MODES", "Row", "Table", "holes", "make", "markdown"]

MODES = ("value", "forward", "reverse")
DONE, NOTHING, HOLE = "✓", "·", "✗"
TOLERANCE = 1e-9


@frozen
class Row:
    """One op: ``marks[backend]`` has one character per mode."""

    op: str
    chapter: str
    kind: str
    types: str
    derivative: str
    marks: dict[str, str]


@frozen
class Table:
    """The rows, why some backends could not be asked, and what is wrong with each hole."""

    rows: tuple[Row, ...]
    absent: dict[str, str]
    complaints: dict[tuple[str, str, str], str]


Answers = dict[str, list[Any]]


def _run(backend: Any, mode: str, program: Sample) -> Answers:
    """What a backend computes in a mode, per op."""
    graph, inputs, active = program.graph, list(program.inputs), program.active
    if mode == "value":
        values = list(backend.compile(graph)(inputs))
        return {name: values[outputs] for name, (_, outputs) in program.spans.items()}
    if mode == "forward":
        tangents = [np.ones((1, *inputs[i].shape), inputs[i].dtype) for i in active]
        moved = list(backend.forward(graph, active)(inputs, tangents)[1])
        return {name: moved[outputs] for name, (_, outputs) in program.spans.items()}
    types = [v.type for v in graph.outputs]
    ones = [np.ones((1, *t.shape), t.dtype) if is_inexact(t.dtype) else None for t in types]
    pulled = dict(zip(active, backend.reverse(graph, active)(inputs, ones)[1], strict=True))
    return {name: [pulled[i] for i in range(own.start, own.stop) if i in pulled]
            for name, (own, _) in program.spans.items()}  # fmt: skip


def _answers(backend: Any, mode: str, samples: Sequence[Sample]) -> tuple[Answers, dict[str, str]]:
    """What a backend computes for every op, and for which it fails, with its words."""
    try:
        return _run(backend, mode, joined(samples)), {}
    except Exception:  # noqa: BLE001 (whatever it is: the culprit is looked for below)
        answers: Answers = {}
        failures: dict[str, str] = {}
    for one in samples:
        (name,) = one.spans
        try:
            answers |= _run(backend, mode, one)
        except Exception as error:  # noqa: BLE001 (it goes into the table)
            failures[name] = f"{type(error).__name__}: {error}"
    return answers, failures


def _agree(found: Sequence[Any], expected: Sequence[Any]) -> bool:
    pairs = zip(found, expected, strict=True)
    return all(
        (x is None) == (y is None)
        and (x is None or (np.shape(x) == np.shape(y) and x.dtype == y.dtype
                           and np.allclose(x, y, TOLERANCE, TOLERANCE, equal_nan=True)))
        for x, y in pairs
    )  # fmt: skip


def _samples() -> tuple[dict[str, Sample], dict[str, str]]:
    found, missing = {}, {}
    for name, op in OPS.items():
        try:
            found[name] = sample(op)
        except GraphTypeError as error:
            missing[name] = str(error)
    return found, missing


def _chosen(names: Sequence[str] | None) -> tuple[dict[str, Any], dict[str, str]]:
    """The backends that can be asked, and the sentences of the others."""
    reasons = protocol.available()
    wanted = tuple(reasons) if names is None else tuple(names)
    absent = {name: reason for name in wanted if (reason := reasons[name]) is not None}
    return {name: protocol.get(name) for name in wanted if name not in absent}, absent


def make(backends: Sequence[str] | None = None) -> Table:
    """The table, for these backends or for all there are."""
    samples, missing = _samples()
    asked, absent = _chosen(backends)
    expected = {mode: _answers(protocol.get("reference"), mode, list(samples.values()))[0] for mode in MODES}
    complaints = {(name, "any", "any"): text for name, text in missing.items()}
    marks: dict[str, dict[str, str]] = {name: {} for name in OPS}
    for backend_name, backend in asked.items():
        results = {mode: _answers(backend, mode, list(samples.values())) for mode in MODES}
        for name in OPS:
            text = ""
            for mode in MODES:
                mark, complaint = _mark(name, mode, samples.get(name), results[mode], expected[mode])
                text += mark
                if complaint:
                    complaints[name, mode, backend_name] = complaint
            marks[name][backend_name] = text
    chapters = {op.name: chapter for chapter, module in CHAPTERS.items() for op in _ops_in(module)}
    rows = tuple(_row(name, chapters[name], samples.get(name), marks[name]) for name in OPS)
    return Table(rows, absent, complaints)


def _ops_in(module: Any) -> Iterator[Any]:
    return (value for value in vars(module).values() if any(value is op for op in OPS.values()))


def _row(name: str, chapter: str, one: Sample | None, marks: dict[str, str]) -> Row:
    op = OPS[name]
    types = " ".join(classes(op))
    text = derivative(op, one.graph) if one is not None else "?"
    return Row(name, chapter, op.kind, types, text, marks)


def _mark(
    name: str, mode: str, one: Sample | None, result: tuple[Answers, dict[str, str]], expected: Answers
) -> tuple[str, str | None]:
    """A mark, and a complaint where it is a hole."""
    answers, failures = result
    if one is None:
        return HOLE, "There is no sample call of this op."
    if mode != "value" and not one.active:
        return NOTHING, None
    if name in failures:
        return HOLE, failures[name]
    if name in expected and not _agree(answers[name], expected[name]):
        return HOLE, f"It computes {answers[name]}; the reference computes {expected[name]}."
    return DONE, None


def holes(table: Table) -> list[str]:
    """A sentence for every hole."""
    return [f"{op}, {mode}, on {backend}: {why}" for (op, mode, backend), why in table.complaints.items()]


# -- markdown -------------------------------------------------------------------------------------

_HEAD = """# Every op, in every mode, on every backend

Written by `wengert ops --write`; a test fails when it is out of date, and when there is a hole.

The three marks under a backend are value, forward mode and reverse mode. {done} was built, run and compared with
the reference; {nothing} has nothing to differentiate, since the op takes no reals; {hole} is a hole. Types are the
dtype classes that the op is defined for, once operands have one dtype and one shape. Derivatives are the ops' own
rules, run on symbols: `out` is the result, and a sum over axes or a broadcast is not written.
"""


def markdown(table: Table) -> str:
    """The table as docs/ops.md has it."""
    names = list(table.rows[0].marks)
    lines = [_HEAD.format(done=DONE, nothing=NOTHING, hole=HOLE)]
    for chapter in CHAPTERS:
        lines += [f"## {chapter.capitalize()}", "", _cells("op", "kind", "types", "derivative", *names)]
        lines.append(_cells(*["---"] * (4 + len(names))))
        for row in table.rows:
            if row.chapter == chapter:
                formula = f"`{row.derivative}`".replace("|", "\\|")
                lines.append(_cells(f"`{row.op}`", row.kind, row.types, formula, *row.marks.values()))
        lines.append("")
    lines.append(f"{len(table.rows)} ops, {len(MODES)} modes, {len(names)} backends, {len(table.complaints)} holes.\n")
    return "\n".join(lines)


def _cells(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
