"""The table as docs/conventions.md has it."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.tools.conventions.row import Behaviour, Row

__all__ = ["page"]

_HEAD = """# What the derivative is, where calculus leaves a choice or arithmetic goes astray

Written by `wengert conventions --write docs/conventions.md` from the table in `tools/conventions`. The tests hold every
backend to each row, in forward and in reverse mode, alone and in an array, in float64 and (where it has the numbers) in
float32; rows of order 2 and more in mixtures of modes. Each op states its own convention in its `doc`, too.

A row gives the derivative of the sum of the results in each argument, separated by semicolons. *Exact* means that
calculus leaves no choice: the slope is the derivative, or its limit, to 1e-12. Otherwise it is a *choice*, with its
reason. Rows 1 to 145 and T1 to T56 answer a survey of what JAX, PyTorch and autograd do; the others are our own.
"""
_MODES = """## Where forward and reverse mode may differ

They are the same sum over paths, bracketed from the other end. Two things depend on the brackets:

- **Overflow by re-association**: a * (b * c) may overflow where (a * b) * c does not.
- **A sum that cancels, times an infinite partial**: for `sqrt(x - x)` forward mode adds first, 1 - 1 = 0, and an exact
  0 against inf is 0; reverse mode multiplies first, and inf - inf is NaN.

Everywhere else they agree, NaN positions included: `tests/test_agreement.py` holds them to it on random graphs.
"""
_COLUMNS = ("row", "code", "at", "order", "value", "derivative", "", "because")


def page(chapters: tuple[tuple[str, str, tuple[Row, ...]], ...], behaviour: tuple[Behaviour, ...]) -> str:
    """The whole page."""
    parts = [_HEAD]
    for title, text, rows in chapters:
        table = [_cells(*_COLUMNS), _cells(*["---"] * len(_COLUMNS)), *map(_row, rows)]
        parts.append("\n".join([f"## {title}", "", text, "", *table, ""]))
    table = [_cells("row", "what", "decision"), _cells("---", "---", "---")]
    table += [_cells(b.id, b.input, b.decision) for b in behaviour]
    parts += ["\n".join(["## Inputs at the edge of the contract", "", *table, ""]), _MODES]
    rows = tuple(row for _, _, its in chapters for row in its)
    waiting = sum(row.waits is not None for row in rows)
    chosen = sum(not row.exact for row in rows)
    parts.append(f"{len(rows)} rows, of which {chosen} are a choice and {waiting} wait for a topic.\n")
    return "\n".join(parts)


def _row(row: Row) -> str:
    names = zip(row.names, row.point, strict=True)
    at = f"`{', '.join(f'{name} = {_number(x)}' for name, x in names)}`"
    kind = "exact" if row.exact else "choice"
    if row.raises is not None:
        kind, value, slopes = "refused", row.raises.__name__, ""
    else:
        value, slopes = _number(row.value), "; ".join(map(_number, row.slopes))
    why = row.why if row.waits is None else f"{row.why} *Waits for {row.waits}.*"
    return _cells(row.id, f"`{row.code}`".replace("|", "\\|"), at, str(row.order), value, slopes, kind, why)


def _number(x: Any) -> str:
    """Short, and enough to be recognised."""
    if isinstance(x, (list, tuple)):
        return f"[{', '.join(map(_number, x))}]"
    if isinstance(x, complex):
        return f"{_number(x.real)}{'' if x.imag < 0 else '+'}{_number(x.imag)}j"
    return np.format_float_positional(x, trim="-") if x == round(x, 3) and abs(x) < 1e6 else f"{x:.7g}"


def _cells(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
