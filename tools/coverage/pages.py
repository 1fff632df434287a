"""The table as docs/numpy.md has it, and its counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from wengert.tools.coverage import names
from wengert.tools.coverage.probe import CONSTANT, DIFFERENTIABLE, NOT_NEEDED, REFUSED
from wengert.tools.coverage.rivals import AUTOGRAD, JAX
from wengert.tools.coverage.samples import as_it_is
from wengert.tools.coverage.samples.ufuncs import OPTIONS
from wengert.tools.coverage.table import AS_IT_IS, CLASSES, Row, Table, samples

__all__ = ["arguments", "counts", "markdown", "pending", "versions"]

_METHODS = ("reduce", "accumulate", "reduceat", "outer", "at")
_MARKS = {DIFFERENTIABLE: "✓", CONSTANT: "·", NOT_NEEDED: "·", REFUSED: "✗"}
_TITLES = {
    "ufuncs": "Ufuncs, their methods and options", "numpy": "Functions of numpy", "linalg": "numpy.linalg",
    "fft": "numpy.fft", "lib": "numpy.lib", "ndarray": "Methods, properties and operators of ndarray",
    "polynomial": "numpy.polynomial", "random.Generator": "Methods of numpy.random.Generator",
    "random": "Functions of numpy.random", "classes": "Classes", "modules": "Modules",
}  # fmt: skip
_HEAD = """# NumPy, name by name

Written by `wengert numpy --write docs/numpy.md`; a test fails when it is out of date, when NumPy has a public name that
is not here, and when a row is not what it says. `wengert numpy interp` shows one row.

Every public name is exactly one of

- *differentiable*: forward and reverse mode, in the arguments named, are what 5-point differences of plain NumPy give;
- *locally constant*: the result depends on values and its derivative is zero, or it is made of integers and booleans;
- *no derivative needed*: creation, shapes, dtypes; no value of an array reaches the result;
- *works as it is*: not about arrays of numbers (settings, dtypes, text, dates);
- *refused* at the user's line, with the reason and an alternative; *not yet* where it is only waiting to be written.

None of the first three is declared: each name has a sample call, which is traced, run, differentiated and compared.

"""


def versions() -> str:
    """Which NumPy and SciPy the table is about."""
    try:
        import scipy
    except ImportError:
        return f"NumPy {np.__version__}"
    return f"NumPy {np.__version__}, SciPy {scipy.__version__}"


def arguments(row: Row) -> str:
    """What a row says of its arguments, or why it is refused."""
    if row.kind == REFUSED:
        return row.text
    parts = [", ".join(row.moving)] if row.moving else []
    if row.kind == DIFFERENTIABLE and row.still:
        parts.append(f"locally constant in {', '.join(row.still)}")
    return "; ".join([*parts, *([row.text] if row.text else [])])


def pending(table: Table) -> list[str]:
    """What is refused and waits to be written."""
    return [name for name, row in table.rows.items() if not row.decided]


def counts(table: Table) -> list[str]:
    """How much of NumPy, by class, and against others: a sentence each."""
    rows = table.rows
    every = [row.kind for row in rows.values()]
    functions = [_kind(table, names.path(f)) for f in names.overridable_functions()]
    ufuncs = [_kind(table, names.inner(u) or u.__name__) for u in names.overridable_ufuncs()]
    own = [row.kind for chapter in ("linalg", "fft") for row in table.chapters[chapter]]
    lines = [", ".join(f"{every.count(kind)} {kind}" for kind in CLASSES)]
    partly = sum(row.kind == DIFFERENTIABLE and bool(row.text) for row in rows.values())
    lines[0] = (f"{len(every)} names: {lines[0]} (of which {len(pending(table))} not yet); in {partly} of the "
                "differentiable an argument is refused.")  # fmt: skip
    lines += [_share(f"overridable functions of NumPy ({versions()})", functions), _share("ufuncs of NumPy", ufuncs),
              _share("functions of numpy.linalg and numpy.fft", own)]  # fmt: skip
    here = [name for name in AUTOGRAD if name in rows]
    done = sum(rows[name].kind == DIFFERENTIABLE for name in here)
    lines.append(f"Of the {len(AUTOGRAD)} names that HIPS autograd differentiates, {len(here)} in this NumPy: {done}.")
    moving = [name for name in JAX if name in rows and _is_smooth(name)]
    done = sum(rows[name].kind == DIFFERENTIABLE for name in moving)
    lines.append(f"Of the {len(moving)} names of jax.numpy that have a derivative: {done}.")
    chapters = [table.chapters[chapter] for chapter in ("ufuncs", "numpy", "linalg", "fft")]
    smooth = sum(row.kind == DIFFERENTIABLE for its in chapters for row in its)
    lines.append(f"Differentiable among numpy, numpy.linalg and numpy.fft, counted as those two count: {smooth}.")
    return lines


def _share(what: str, kinds: Sequence[str]) -> str:
    kept = sum(kind != REFUSED for kind in kinds)
    return f"Of {len(kinds)} {what}: {kept} not refused ({100 * kept / len(kinds):.1f} %)."


def _kind(table: Table, name: str) -> str:
    row = table.rows.get(name)
    return row.kind if row else AS_IT_IS if as_it_is.note(name, None) else REFUSED


def _is_smooth(name: str) -> bool:
    value = names.resolve(name)
    declared = samples().get(name) or samples().get(getattr(value, "__name__", ""))
    return declared is not None and declared.kind == DIFFERENTIABLE


def markdown(table: Table) -> str:
    """The table as docs/numpy.md has it."""
    lines = [_HEAD + "\n".join(f"- {line}" for line in counts(table)), ""]
    for chapter, rows in table.chapters.items():
        if chapter == "ufunc methods":
            continue
        lines += [f"## {_TITLES.get(chapter, chapter)}", ""]
        shown = [row for row in rows if row.kind != AS_IT_IS]
        if chapter == "ufuncs":
            lines += _ufuncs(table, shown)
        elif shown:
            lines += [_cells("name", "class", "in, or why not"), _cells("---", "---", "---"),
                      *(_cells(f"`{row.name}`", row.kind, arguments(row)) for row in shown), ""]  # fmt: skip
        lines += _grouped(row for row in rows if row.kind == AS_IT_IS)
    return "\n".join(lines).rstrip() + "\n"


def _ufuncs(table: Table, rows: Sequence[Row]) -> list[str]:
    """Methods and options as columns: ✓ differentiable, · locally constant, ✗ refused, nothing where NumPy has none."""
    lines = ["✓ is differentiable, · locally constant, ✗ refused (not yet); a gap: NumPy itself has it not.", "",
             _cells("name", "class", "in, or why not", *_METHODS, *(f"{option}=" for option in OPTIONS)),
             _cells(*["---"] * (3 + len(_METHODS) + len(OPTIONS)))]  # fmt: skip
    for row in rows:
        canonical = names.resolve(row.name).__name__
        found = [table.rows.get(f"{canonical}.{method}") for method in (*_METHODS, *OPTIONS)]
        marks = [_MARKS[its.kind] if its else "" for its in found]
        if canonical == row.name:
            lines.append(_cells(f"`{row.name}`", row.kind, arguments(row), *marks))
        else:
            lines.append(_cells(f"`{row.name}`", row.kind, f"is `{canonical}`", *marks))
    return [*lines, ""]


def _grouped(rows: Iterable[Row]) -> list[str]:
    notes: dict[str, list[str]] = {}
    for row in rows:
        notes.setdefault(row.text, []).append(row.name)
    lines = [f"Works as it is: {', '.join(f'`{name}`' for name in its)} ({text})." for text, its in notes.items()]
    return [part for line in lines for part in (line, "")]


def _cells(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
