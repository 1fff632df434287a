"""Functions that no program of arrays can hold: each says what it is about, and what to do instead."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.tracer.array import refuse


def _refusal(name: str, what: str, fix: str) -> Any:
    def refused(*args: Any, **kwargs: Any) -> Any:
        raise refuse(f"{name} {what}.", fix)

    return refused


#: Functions, what they are about, what to do instead.
_REASONS: tuple[tuple[tuple[Any, ...], str, str], ...] = (
    ((np.save, np.savez, np.savez_compressed, np.savetxt),
     "writes numbers into a file, and a traced array has none yet",
     "Return the array from the traced function and save it there."),
    ((np.busday_count, np.busday_offset, np.is_busday, np.datetime_as_string),
     "is about dates, which are not traced",
     "Work on dates outside the traced function, and pass it numbers."),
)  # fmt: skip

TABLE = {
    function: _refusal(f"np.{function.__name__}", what, fix)
    for functions, what, fix in _REASONS
    for function in functions
}
