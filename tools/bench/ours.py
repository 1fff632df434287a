"""How wengert computes a row: the calls of a user who has bound the program to a backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import wengert as wg
from wengert.tools.bench.rows.row import Row

__all__ = ["programs"]


def programs(row: Row, backend: str, *, tiny: bool = False) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The function alone, and what is asked of the row; the latter is called with ``row.given()``."""
    value = wg.trace(row.function).graph(*row.arguments(tiny=tiny)).on(backend)
    match row.asked:
        case "gradient":
            return value, wg.value_and_grad(value, argnums=row.argnums)
        case "product":
            both = wg.trace(lambda x, v: (row.function(x), (wg.hvp(row.function)(x, v),)))
            return value, both.graph(*row.given(tiny=tiny)).on(backend)
        case "blocks":
            return value, wg.jacobian_blocks(value)
        case "jacobian":
            return value, wg.jacobian(value)
        case _:
            return value, wg.hessian(value)
