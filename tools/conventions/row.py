"""One row of the table of conventions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from attrs import field, frozen

__all__ = ["Behaviour", "Row", "choice", "exact", "refused"]


def _tuple(x: Any) -> tuple[Any, ...]:
    return x if isinstance(x, tuple) else (x,)


@frozen(kw_only=True, eq=False)
class Row:
    """At ``point``, the ``order``-th derivative of the sum of the results of ``code`` is ``slopes``.

    Attributes
    ----------
    id : str
        Never reused.  1 to 145 and T1 to T56 are the rows of the survey of other libraries that this table answers.
    code : str
        NumPy code in x (y, z), each an entry of ``point``: a number, or an array as a list.
    value, slopes
        The result; and a number or list per argument, where a number stands for an array full of it.
    exact : bool
        Whether the slope is what calculus gives at that point, in one precision or the limit; else a choice.
    why : str
        The reason, as one sentence.
    raises : type or None
        The error that tracing or differentiating it raises instead.
    waits : str or None
        The topic with which the code will become differentiable.  A test fails when it is and the mark still stands.
    """

    id: str
    code: str
    point: tuple[Any, ...] = field(converter=_tuple)
    value: Any = None
    slopes: tuple[Any, ...] = field(converter=_tuple, default=())
    exact: bool
    why: str
    order: int = 1
    raises: type[Exception] | None = None
    waits: str | None = None

    @property
    def names(self) -> str:
        """The arguments, a letter each."""
        return "xyz"[: len(self.point)]

    @property
    def is_complex(self) -> bool:
        """Whether it is about complex numbers."""
        return any(isinstance(x, complex) for x in self.point)

    def function(self) -> Callable[..., Any]:
        """The code as a function."""
        names = {"np": np}
        if "special." in self.code:
            import scipy.special

            names["special"] = scipy.special
        return eval(f"lambda {', '.join(self.names)}: {self.code}", names)  # type: ignore[no-any-return]  # noqa: S307

    def operands(self, dtype: Any = np.float64) -> list[Any]:
        """The point as arrays and NumPy's scalars."""
        dtypes = (np.complex128 if isinstance(x, complex) else dtype for x in self.point)
        return [np.array(x, d)[()] for x, d in zip(self.point, dtypes, strict=True)]

    def __str__(self) -> str:
        at = ", ".join(f"{n} = {x}" for n, x in zip(self.names, self.point, strict=True))
        return f"row {self.id}: {self.code} at {at}, order {self.order}"


@frozen
class Behaviour:
    """What happens to an input at the edge of the contract; ``test`` in the laws shows it."""

    id: str
    input: str
    decision: str
    test: str


def exact(id: str, code: str, point: Any, value: Any, slopes: Any, why: str, **fields: Any) -> Row:
    """A row whose slope calculus gives."""
    return Row(id=id, code=code, point=point, value=value, slopes=slopes, why=why, exact=True, **fields)


def choice(id: str, code: str, point: Any, value: Any, slopes: Any, why: str, **fields: Any) -> Row:
    """A row whose slope we chose."""
    return Row(id=id, code=code, point=point, value=value, slopes=slopes, why=why, exact=False, **fields)


def refused(id: str, code: str, point: Any, raises: type[Exception], why: str, **fields: Any) -> Row:
    """A row whose code is refused."""
    return Row(id=id, code=code, point=point, raises=raises, why=why, exact=False, **fields)
