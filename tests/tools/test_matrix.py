"""The matrix of completeness: its page knows every op and transformation, and has no hole; and it can see one."""

from pathlib import Path

from wengert.ir import kinds
from wengert.ir.ops import OPS
from wengert.tools import matrix

PAGE = Path(__file__).parent.parent.parent / "docs" / "matrix.md"
#: One op of each rule, and every op with sub-graphs: the page has them all, and `wengert matrix` runs them all.
SOME = [
    "multiply", "where", "cast", "sum", "max", "argmax", "recurrence", "cumprod", "place", "concatenate", "einsum", "take",
    "scatter_add", "solve", "sort", "eigh", "fft",
]  # fmt: skip


def test_the_page_has_every_op_and_no_hole():
    text = PAGE.read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert {row.split("`")[1] for row in rows} == set(OPS)
    assert matrix.HOLE not in "".join(rows)
    assert " 0 holes." in text
    assert all(row.count("|") == len(matrix.COLUMNS) + 2 for row in rows)


def test_an_op_of_each_kind_has_no_hole():
    control = [name for name, op in OPS.items() if isinstance(op, kinds.Control)]
    found = matrix.make(["numpy", "python"], [*SOME, *control])
    assert matrix.holes(found) == []
    assert {mark for row in found.marks.values() for marks in row.values() for mark in marks} <= {"✓", "·"}


def test_a_transformation_that_fails_is_a_hole(monkeypatch):
    def refuse(one):
        raise ValueError("no")

    monkeypatch.setitem(matrix.COLUMNS, "lanes", (refuse, False))
    found = matrix.make(["numpy"], ["sin"])
    assert found.marks["sin"]["lanes"] == matrix.HOLE
    assert matrix.holes(found) == ["sin, lanes, on every backend: ValueError: no"]


def test_a_wrong_answer_is_a_hole(monkeypatch):
    answers = matrix._answers
    monkeypatch.setattr(matrix, "_answers", lambda backend, derived: (
        ({k: [x + 1 for x in v] for k, v in answers(backend, derived)[0].items()}, {}) if backend == "numpy" else answers(backend, derived)
    ))
    assert matrix.make(["numpy"], ["sin"]).marks["sin"]["value"] == matrix.HOLE


