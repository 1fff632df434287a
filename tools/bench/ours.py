"""How wengert computes a row: the calls of a user who has bound the program to a backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import wengert as wg
from wengert.tools.bench.rows.row import Row

__all__ = ["derivative", "value"]


def value(row: Row, backend: str, *, tiny: bool = False) -> Callable[..., Any]:
    """The function alone, as a program."""
    return wg.trace(row.function).graph(*row.arguments(tiny=tiny)).on(backend)


def derivative(row: Row, backend: str, *, tiny: bool = False) -> Callable[..., Any]:
    """What is asked of the row; called with ``row.given()``."""
    if row.asked == "product":
        both = wg.trace(lambda x, v: (row.function(x), (wg.hvp(row.function)(x, v),)))
        return both.graph(*row.given(tiny=tiny)).on(backend)
    program = value(row, backend, tiny=tiny)
    match row.asked:
        case "gradient":
            return wg.value_and_grad(program, argnums=row.argnums)
        case "blocks":
            return wg.jacobian_blocks(program)
        case "jacobian":
            return wg.jacobian(program)
        case _:
            return wg.hessian(program)
