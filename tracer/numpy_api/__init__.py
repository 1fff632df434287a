"""NumPy's functions on traced arrays, one file per chapter of its manual; collected here."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.tracer import operators
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

operators.install()
methods.install()
