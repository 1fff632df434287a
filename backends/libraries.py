"""Functions that are not NumPy's: a library's, by the name that an op states, imported when first needed."""

from __future__ import annotations

import functools
import importlib
import math
import operator
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.ir.errors import BackendError
from wengert.ir.kinds import Elementwise

__all__ = ["SPECIAL", "find", "split", "there"]


def _gamma(x: float) -> float:
    try:
        return math.gamma(x)
    except ValueError:
        return math.copysign(math.inf, x) if x == 0 else math.nan
    except OverflowError:
        return math.copysign(math.inf, x)


def _lgamma(x: float) -> float:
    try:
        return math.lgamma(x)
    except (ValueError, OverflowError):
        return math.inf


#: C's special functions, one number at a time, answering as C99 does.
SPECIAL: dict[str, Callable[[float], float]] = {
    "erf": math.erf, "erfc": math.erfc, "tgamma": _gamma, "lgamma": _lgamma,
}  # fmt: skip


def split(library: str) -> tuple[str, str, int | None]:
    """Module, name, and which of its results: ``a.b.c[1]`` is (a.b, c, 1)."""
    found = re.fullmatch(r"([\w.]+)\.(\w+)(?:\[(\d)\])?", library)
    assert found is not None
    return found[1], found[2], None if found[3] is None else int(found[3])


@functools.cache
def _imported(library: str) -> Callable[..., Any]:
    module, name, k = split(library)
    function = getattr(importlib.import_module(module), name)
    return function if k is None else lambda *xs: operator.getitem(function(*xs), k)


def there(op: Elementwise) -> bool:
    """Whether the library of an op is installed, and has its function."""
    assert op.library is not None
    try:
        _imported(op.library)
    except (ImportError, AttributeError):
        return False
    return True


def find(op: Elementwise, location: Any = None) -> Callable[..., Any]:
    """The function of an op on arrays; where its library is not there, C's own one, mapped.

    Raises
    ------
    BackendError
        If there is neither.
    """
    assert op.library is not None
    try:
        return _imported(op.library)
    except (ImportError, AttributeError) as error:
        if op.libm is not None:
            return functools.partial(_mapped, SPECIAL[op.libm])
        top, missing = op.library.partition(".")[0], isinstance(error, ImportError)
        what = "cannot be imported here" if missing else "is too old here, and lacks it"
        message = (
            f"{op.name} is computed by {op.library.partition('[')[0]}, and {top} {what} ({error}). "
            f"Install it: pip install {'' if missing else '-U '}wengert[{top}]."
        )
        raise BackendError(message, op=op.name, location=location) from error


def _mapped(function: Callable[[float], float], x: Any) -> Any:
    array = np.asarray(x)
    return np.array([function(v) for v in array.ravel().tolist()], array.dtype).reshape(array.shape)
