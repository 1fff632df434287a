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
    if row.asked == "gradient":
        return value, wg.value_and_grad(value, argnums=row.argnums)
    derivative = wg.trace(_MATRICES[row.asked](row.function)).graph(*row.given(tiny=tiny))
    return value, derivative.on(backend)


#: Derivatives of other kinds are traced in their turn, so that a program is all there is to call.
_MATRICES: dict[str, Callable[[Any], Callable[..., Any]]] = {
    "product": lambda f: lambda x, v: (f(x), (wg.hvp(f)(x, v),)),
    "blocks": lambda f: wg.vmap(wg.jacobian(lambda p, features: f(p[None], features[None])[0])),
    "jacobian": wg.jacobian,
    "hessian": wg.hessian,
}
