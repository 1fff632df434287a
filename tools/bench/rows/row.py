"""What a row of the benchmark is: a plain NumPy function, its arguments, and the derivative that is asked of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import frozen

__all__ = ["Row", "rows_of"]


@frozen
class Row:
    """One row.

    ``asked`` is "gradient" or "product" (of the Hessian with the last argument), each with the value; or "blocks",
    "jacobian" or "hessian", without it.  Derivatives are taken in ``argnums``.
    """

    name: str
    title: str
    function: Callable[..., Any]         #: as a user would write it
    data: Callable[..., tuple[Any, ...]]  #: sizes to arguments, always the same ones
    size: tuple[int, ...]
    by_hand: Callable[..., Any]          #: arguments to (value, derivative), or to the matrix, in NumPy
    tiny: tuple[int, ...] = ()           #: sizes for tests
    asked: str = "gradient"
    argnums: tuple[int, ...] = (0,)
    threads: bool = False                #: large enough for the hand-written C to be given a second core

    def arguments(self, *, tiny: bool = False) -> tuple[Any, ...]:
        """What the function is called with; of a product, without the vector."""
        given = self.data(*(self.tiny if tiny else self.size))
        return given[:-1] if self.asked == "product" else given

    def given(self, *, tiny: bool = False) -> tuple[Any, ...]:
        """What the derivative is called with."""
        return self.data(*(self.tiny if tiny else self.size))


def rows_of(every: tuple[Row, ...], names: str | None) -> list[Row]:
    """The rows of these names, or of names that begin so; all of them for None."""
    if names is None:
        return list(every)
    chosen = [row for row in every if any(row.name.startswith(name) for name in names.split(","))]
    if not chosen:
        message = f"No row is called {names}; there are {', '.join(row.name for row in every)}."
        raise ValueError(message)
    return chosen
