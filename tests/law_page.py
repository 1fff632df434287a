"""docs/laws.md, from what a run of tests/laws counted: `make laws`."""

from pathlib import Path

from wengert.ir.ops import CHAPTERS, OPS
from wengert.tools.bench import table

LAWS = Path(__file__).parent / "laws"
INTRODUCTION = """\
# The laws, counted

Written by `make laws`. A law is asked of every op, at samples of every dtype that the op takes and of every kind of shape and memory
(0-d, vectors, matrices, broadcast, empty, one element, negative and zero strides, ...), on every backend: {cases:,} cases in
{tests:,} tests. What `make test` leaves to `make soak` is named in [tests/laws/conftest.py](../tests/laws/conftest.py).

## By law

{laws}

## By chapter

*Error* is the largest relative error of a first derivative in float64 (or complex128), in either mode on any backend, at points inside
the domain: of a scalar function relative to each partial, against mpmath at 50 digits; of the others relative to the largest entry of
the Jacobian, or to 1, against the same function in mpmath's numbers at 40 digits ([tests/exact.py](../tests/exact.py)).
A dash stands where all partials are constants.

{chapters}"""


def page(cases):
    """The page of a list of [file, law, op, number of cases, error]."""
    laws = {}
    for file, _, _, n, _ in cases:
        total = laws.setdefault(file, [0, 0])
        total[0] += 1
        total[1] += n
    rows = [(f"`{file}`", _says(file), f"{tests:,}", f"{n:,}") for file, (tests, n) in sorted(laws.items())]
    return INTRODUCTION.format(
        cases=sum(n for *_, n, _ in cases), tests=len(cases), laws=table(("file", "what it says", "tests", "cases"), rows),
        chapters=table(("chapter", "ops", "cases", "error", "at"), list(_chapters(cases))),
    )  # fmt: skip


def _says(file):
    """The sentence that the file starts with."""
    text = (LAWS / f"{file}.py").read_text().split('"""')[1]
    return text.partition("\n")[0].removeprefix("Law: ").rstrip(".")


def _chapters(cases):
    for chapter, module in CHAPTERS.items():
        own = {op.name for op in vars(module).values() if getattr(op, "name", None) in OPS and OPS[op.name] is op}
        met = [case for case in cases if case[2] in own]
        error, where = max(((case[4], case[2]) for case in met), default=(0.0, ""))
        yield chapter.replace("_", " "), str(len(own)), f"{sum(case[3] for case in met):,}", *((f"{error:.0e}", f"`{where}`") if error else ("-", ""))
