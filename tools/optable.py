"""The op table: op x mode x backend, each mark earned by building, running and comparing.

A mark is never declared.  Every backend is handed a program with every op on every dtype, in every mode; where it
refuses the whole, it is asked op by op.  Its answers are compared with the reference backend's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from attrs import frozen

from wengert.backends import protocol
from wengert.ir.errors import GraphTypeError
from wengert.ir.kinds import Op
from wengert.ir.ops import CHAPTERS, OPS
from wengert.ir.types import DTYPES, dtype_class, is_inexact
from wengert.tools.optable_samples import Key, Sample, joined, samples
from wengert.tools.optable_symbols import derivative

__all__ = ["MODES", "Row", "Table", "holes", "make", "markdown", "own_backends"]

MODES = ("value", "forward", "reverse")
DONE, NOTHING, HOLE = "✓", "·", "✗"
TOLERANCE = (1e-9, 1e-5)  # for everything, and for float32


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


Answers: TypeAlias = dict[Key, list[Any]]


def make(backends: Sequence[str] | None = None) -> Table:
    """The table, for these backends or for all there are."""
    calls, missing = _calls()
    asked, absent = _chosen(backends)
    expected = {mode: _answers(protocol.get("reference"), mode, calls)[0] for mode in MODES}
    complaints = {(name, "every mode", "every backend"): text for name, text in missing.items()}
    for backend_name, backend in asked.items():
        for mode in MODES:
            found = _complaints(backend, mode, calls, expected[mode])
            complaints.update({(name, mode, backend_name): why for name, why in found.items()})
    rows = []
    for chapter, module in CHAPTERS.items():
        for name, op in OPS.items():
            if any(value is op for value in vars(module).values()):
                own = [one for one in calls if next(iter(one.spans))[0] == name]
                marks = {b: "".join(_mark(name, mode, b, own, complaints) for mode in MODES) for b in asked}
                rows.append(_row(op, chapter, own, marks))
    return Table(tuple(rows), absent, complaints)


def _calls() -> tuple[list[Sample], dict[str, str]]:
    """A sample for every op and dtype, and why some ops have none."""
    found: list[Sample] = []
    missing = {}
    for name, op in OPS.items():
        try:
            found.extend(samples(op))
        except GraphTypeError as error:
            missing[name] = str(error)
    return found, missing


def _chosen(names: Sequence[str] | None) -> tuple[dict[str, Any], dict[str, str]]:
    """The backends that can be asked, and the sentences of the others."""
    reasons = protocol.available()
    wanted = tuple(reasons) if names is None else tuple(names)
    absent = {name: reason for name in wanted if (reason := reasons[name]) is not None}
    return {name: protocol.get(name) for name in wanted if name not in absent}, absent


def own_backends() -> tuple[str, ...]:
    """Those of this distribution: what docs/ops.md is about."""
    return tuple(protocol.BUILT_IN)


# -- asking ---------------------------------------------------------------------------------------


def _run(backend: Any, mode: str, program: Sample) -> Answers:
    """What a backend computes in a mode, per op and dtype."""
    graph, inputs, active = program.graph, list(program.inputs), program.active
    if mode == "value":
        values = list(backend.compile(graph)(inputs))
        return {key: values[outputs] for key, (_, outputs) in program.spans.items()}
    if mode == "forward":
        tangents = [np.ones((1, *inputs[i].shape), inputs[i].dtype) for i in active]
        moved = list(backend.forward(graph, active)(inputs, tangents)[1])
        return {key: moved[outputs] for key, (_, outputs) in program.spans.items()}
    types = [v.type for v in graph.outputs]
    ones = [np.ones((1, *t.shape), t.dtype) if is_inexact(t.dtype) else None for t in types]
    pulled = dict(zip(active, backend.reverse(graph, active)(inputs, ones)[1], strict=True))
    return {key: [pulled[i] for i in range(own.start, own.stop) if i in pulled]
            for key, (own, _) in program.spans.items()}  # fmt: skip


def _answers(backend: Any, mode: str, calls: Sequence[Sample]) -> tuple[Answers, dict[Key, str]]:
    """What a backend computes, and where it fails, with its words."""
    calls = [one for one in calls if mode == "value" or one.differentiable]
    try:
        return _run(backend, mode, joined(calls)), {}
    except Exception:  # noqa: BLE001 (whatever it is: the culprit is looked for below)
        answers: Answers = {}
        failures: dict[Key, str] = {}
    for one in calls:
        (key,) = one.spans
        try:
            answers |= _run(backend, mode, one)
        except Exception as error:  # noqa: BLE001 (it goes into the table)
            failures[key] = f"{type(error).__name__}: {error}"
    return answers, failures


def _complaints(backend: Any, mode: str, calls: Sequence[Sample], expected: Answers) -> dict[str, str]:
    """What is wrong, per op."""
    answers, failures = _answers(backend, mode, calls)
    found = {f"{op}": f"for {dtype}: {why}" for (op, dtype), why in failures.items()}
    for (op, dtype), values in answers.items():
        wanted = expected.get((op, dtype))
        if wanted is not None and not _agree(values, wanted, TOLERANCE[dtype in ("f32", "c64")]):
            found[op] = f"for {dtype}: it computes {values}, and the reference {wanted}."
    return found


def _agree(found: Sequence[Any], expected: Sequence[Any], tolerance: float) -> bool:
    def same(x: Any, y: Any) -> bool:
        if x is None or y is None:
            return x is y
        return (np.shape(x) == np.shape(y) and x.dtype == y.dtype
                and np.allclose(x, y, tolerance, tolerance, equal_nan=True))  # fmt: skip

    return all(same(x, y) for x, y in zip(found, expected, strict=True))


# -- rows -----------------------------------------------------------------------------------------


def _row(op: Op, chapter: str, own: Sequence[Sample], marks: dict[str, str]) -> Row:
    dtypes = {DTYPES[dtype] for one in own for _, dtype in one.spans}
    types = " ".join(dict.fromkeys(dtype_class(d) for d in DTYPES.values() if d in dtypes))
    text = derivative(op, own[-1].graph) if own else "?"
    return Row(op.name, chapter, op.kind, types, text, marks)


def _mark(name: str, mode: str, backend: str, own: Sequence[Sample], complaints: dict[Any, str]) -> str:
    if not own or (name, mode, backend) in complaints:
        return HOLE
    return DONE if mode == "value" or any(one.differentiable for one in own) else NOTHING


def holes(table: Table) -> list[str]:
    """A sentence for every hole."""
    return [f"{op}, {mode}, on {backend}: {why}" for (op, mode, backend), why in table.complaints.items()]


# -- markdown -------------------------------------------------------------------------------------

_HEAD = """# Every op, in every mode, on every backend

Written by `wengert ops --write docs/ops.md`; a test fails when it is out of date, and when there is a hole.

The three marks under a backend are value, forward mode and reverse mode. {done} was built, run and compared with
the reference, for each of the types; {nothing} has nothing to differentiate, since the op takes no reals; {hole} is a
hole. Types are the classes of dtype that the op is defined for.

Derivatives are the ops' own rules, run on symbols: `out` is the result, `dx` the partial in the operand `x`. Where a
rule is an algorithm, the ops that it is made of are named. Where the rule for complex numbers has another form, the
formula is that for reals.
"""


def markdown(table: Table) -> str:
    """The table as docs/ops.md has it."""
    names = list(table.rows[0].marks)
    lines = [_HEAD.format(done=DONE, nothing=NOTHING, hole=HOLE)]
    for chapter in CHAPTERS:
        title = chapter.replace("_", " ").capitalize()
        lines += [f"## {title}", "", _cells("op", "kind", "types", "derivative", *names)]
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
