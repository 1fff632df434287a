"""NumPy's functions on traced arrays, one file per chapter of its manual; collected here."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from wengert.tracer import operators
from wengert.tracer.array import find_arrays, refuse
from wengert.tracer.numpy_api import (
    calculus,
    choosing,
    contractions,
    creation,
    elementwise,
    fft,
    histograms,
    joining,
    linalg,
    methods,
    movement,
    nan,
    norms,
    order_statistics,
    padding,
    pieces,
    polynomials,
    products,
    questions,
    reductions,
    scimath,
    sets,
    sorting,
    statistics,
    writing,
)

__all__ = ["FUNCTIONS"]

#: NumPy function to its traced form: what ``__array_function__`` looks up.
FUNCTIONS: dict[Any, Any] = {
    **reductions.TABLE, **movement.TABLE, **contractions.TABLE, **elementwise.TABLE, **writing.TABLE,
    **creation.TABLE,
    **joining.TABLE, **padding.TABLE, **choosing.TABLE, **sorting.TABLE, **sets.TABLE, **histograms.TABLE,
    **pieces.TABLE, **questions.TABLE,
    **statistics.TABLE, **order_statistics.TABLE, **nan.TABLE, **calculus.TABLE, **products.TABLE,
    **polynomials.TABLE, **scimath.TABLE,
    **linalg.TABLE, **norms.TABLE, **fft.TABLE,
}  # fmt: skip



def _of_reals(function: Any, implementation: Any) -> Any:
    """What NumPy defines of complex numbers in a way of its own, and we only of reals."""

    @functools.wraps(implementation)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if any(x.dtype.kind == "c" for x in find_arrays((*args, *kwargs.values()))):
            parts = "Take real and imaginary parts apart."
            raise refuse(f"np.{function.__name__} of complex values is not traced.", parts)
        return implementation(*args, **kwargs)

    return guarded


for _function in (np.nanmax, np.nanmin, np.nanvar, np.nanstd, np.convolve, np.kaiser):
    FUNCTIONS[_function] = _of_reals(_function, FUNCTIONS[_function])

operators.install()
methods.install()
