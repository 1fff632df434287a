"""The table of NumPy's public names: each is exactly one of five things, and four of them are measured."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Iterable
from typing import Any

import numpy as np
from attrs import evolve, frozen

from wengert.tools.coverage import names
from wengert.tools.coverage.probe import CONSTANT, DIFFERENTIABLE, NOT_NEEDED, REFUSED, Found, probe
from wengert.tools.coverage.samples import arrays, as_it_is, linalg, methods, numbers, random, scipy, ufuncs
from wengert.tracer.numpy_api.refused import REASONS, reason_of

__all__ = ["AS_IT_IS", "CLASSES", "Row", "Table", "make", "one"]

AS_IT_IS = "works as it is"
CLASSES = (DIFFERENTIABLE, CONSTANT, NOT_NEEDED, AS_IT_IS, REFUSED)


@frozen
class Sample:
    """A declared call: the class it should have, and the arguments of that class."""

    kind: str
    call: Any

    @property
    def moving(self) -> list[str]:
        """The arguments that it should be differentiable in."""
        parameters = inspect.signature(self.call).parameters.values()
        return [p.name for p in parameters if self.kind == DIFFERENTIABLE and p.kind is not p.KEYWORD_ONLY]


@frozen
class Row:
    """One name: its class, the arguments it is differentiable and locally constant in, and why it is refused.

    What is refused and not ``decided`` waits to be written; ``said`` is what a user is told.
    """

    name: str
    kind: str
    moving: tuple[str, ...] = ()
    still: tuple[str, ...] = ()
    text: str = ""
    decided: bool = True
    said: str = ""
    faults: tuple[str, ...] = ()


@frozen(slots=False)
class Table:
    """The rows by chapter, and what is wrong."""

    chapters: dict[str, tuple[Row, ...]]
    faults: tuple[str, ...]

    @functools.cached_property
    def rows(self) -> dict[str, Row]:
        """Every row, by name."""
        return {row.name: row for rows in self.chapters.values() for row in rows}


@functools.cache
def samples() -> dict[str, Sample]:
    """Every declared call."""
    found: dict[str, Sample] = {}
    tables: list[Any] = [vars(m) for m in (arrays, numbers, ufuncs, linalg, methods, random)]
    with contextlib.suppress(ImportError):
        tables.append(scipy.calls())
    for table in tables:
        for kind, key in ((DIFFERENTIABLE, "DIFFERENTIABLE"), (CONSTANT, "CONSTANT"), (NOT_NEEDED, "NOT_NEEDED")):
            for name, call in table.get(key, {}).items():
                found[name] = Sample(kind, call)
    return found


def make() -> Table:
    """The whole table, measured."""
    known: dict[int, Row] = {}
    chapters = {chapter: tuple(_row(name, known) for name in chosen) for chapter, chosen in _chapters().items()}
    rows = [row for its in chapters.values() for row in its]
    faults = [f"{row.name}: {fault}" for row in rows for fault in row.faults]
    return Table(chapters, (*faults, *_strays(row.name for row in rows)))


def one(name: str) -> list[Row]:
    """The row of a name, and those of the ufunc's methods; KeyError where there is none."""
    name = name.removeprefix("np.").removeprefix("numpy.")
    chosen = [n for its in _chapters().values() for n in its if n == name or n.startswith(name + ".")]
    if name not in chosen:
        raise KeyError(name)
    known: dict[int, Row] = {}
    return [_row(n, known) for n in chosen]


def _chapters() -> dict[str, tuple[str, ...]]:
    """Every public name, the declared ones of SciPy, and the methods and options of each ufunc."""
    chapters = dict(names.public())
    declared = samples()
    for module in ("scipy.special", "scipy.linalg", "scipy.signal"):
        its = [n for n in declared if n.startswith(module + ".") and names.resolve(n) is not None]
        if its:
            chapters[module] = tuple(sorted({*chapters.get(module, ()), *its}))
    chapters["ufunc methods"] = tuple(f"{n}.{m}" for n in chapters["ufuncs"] for m in _methods(n))
    return chapters


@functools.cache
def _methods(name: str) -> dict[str, Any]:
    """Calls of a ufunc's methods and options; of aliases, once."""
    ufunc = names.resolve(name)
    sample = samples().get(ufunc.__name__)
    if sample is None or name != ufunc.__name__:
        return {}
    parameters = inspect.signature(sample.call).parameters
    operands = [parameters[n].default for n in sorted(parameters, key=lambda n: n != "x")]
    return ufuncs.methods(ufunc, operands)


def _strays(rows: Iterable[str]) -> list[str]:
    """Declarations of what does not exist."""
    known = {*rows, *names.SOMETIMES}
    declared = [name for name in (*samples(), *REASONS, *as_it_is.NAMES) if not name.startswith("scipy.")]
    return [f"{name}: it is declared, and there is no such public name" for name in declared
            if name not in known and name[-1] != "*"]  # fmt: skip


# -- a row ----------------------------------------------------------------------------------------


def _row(name: str, known: dict[int, Row]) -> Row:
    parent, _, method = name.rpartition(".")
    if parent and isinstance(names.resolve(parent), np.ufunc):
        return _measured(name, Sample("", _methods(parent)[method]))
    value = names.resolve(name)
    sample = samples().get(name)
    if sample is None and isinstance(value, np.ufunc):
        sample = samples().get(value.__name__) or samples().get(f"_core.umath.{value.__name__}")
    if sample is None:
        sample = next((s for n, s in samples().items() if callable(value) and _same(names.resolve(n), value)), None)
    if sample is None:
        text = as_it_is.note(name, value)
        if text is not None:
            return Row(name, AS_IT_IS, text=text)
        if (found := reason_of(name)) is not None:
            return Row(name, REFUSED, text=" ".join(found))
        return Row(name, REFUSED, faults=("it is in NumPy, and not in this table",), decided=False)
    if id(sample) not in known:
        known[id(sample)] = _measured(name, sample)
    return evolve(known[id(sample)], name=name)


def _same(x: Any, y: Any) -> bool:
    return x is y and x is not None


def _measured(name: str, sample: Sample) -> Row:
    found = probe(sample.call)
    declined = reason_of(name)
    faults = [fault for fault in found.faults if not (declined and fault.startswith("it fails with"))]
    faults += _disagreement(sample, found)
    if found.kind == REFUSED:
        text = "not yet" if declined is None else " ".join(declined)
        return Row(name, REFUSED, tuple(sample.moving), (), text, declined is not None, found.reason, tuple(faults))
    if name in REASONS:
        faults.append("it is declared refused, and can be traced: take it out of REASONS")
    refused = found.named(REFUSED)
    text = f"refused in {', '.join(refused)}" if refused else ""
    return Row(name, found.kind, tuple(found.named(DIFFERENTIABLE)), tuple(found.named(CONSTANT)), text,
               faults=tuple(faults))  # fmt: skip


def _disagreement(sample: Sample, found: Found) -> list[str]:
    """What is declared and was not found."""
    if not sample.kind or found.kind == REFUSED:
        return []
    if sample.kind != found.kind:
        return [f"it is declared {sample.kind}, and was found {found.kind}"]
    missing = [name for name in sample.moving if found.arguments[name] not in (DIFFERENTIABLE, REFUSED)]
    extra = [name for name in found.named(DIFFERENTIABLE) if name not in sample.moving]
    return [f"it is declared differentiable in {name}, and was not found so" for name in missing] + [
        f"it was found differentiable in {name}, which is declared locally constant" for name in extra]  # fmt: skip
