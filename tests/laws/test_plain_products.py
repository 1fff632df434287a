"""Law: a sweep of ``numpy`` in plain products, written down once, is the exact one, but for NaN that it may add.

So where none arrives it is right; where one does, the exact one is run (see wengert.backends.vectorized.adjoint).
"""

import os

import numpy as np
import pytest
from batches import batch, differentiable

from wengert.backends.vectorized import straight
from wengert.backends.vectorized.adjoint import sweep
from wengert.ir.ops import OPS
from wengert.ir.types import is_inexact

NAMES = [name for name in OPS if differentiable(name)]


@pytest.mark.parametrize("name", NAMES if os.environ.get("WENGERT_SOAK") else NAMES[::3])
def test_right_or_nan(name, cases):
    together, rng = batch(name), np.random.default_rng(7)
    types = [v.type for v in together.graph.outputs]
    gs = [rng.normal(size=t.shape).astype(t.dtype) * (rng.random(t.shape) > 0.3) if is_inexact(t.dtype) else None
          for t in types]  # fmt: skip
    gs = [None if g is None else np.asarray(g, t.dtype) for g, t in zip(gs, types, strict=True)]
    twice = [None if g is None else np.stack([g, g]) for g in gs]

    values, exact = together.program.reverse(together.active, "numpy")(together.inputs, twice)
    with np.errstate(all="ignore"):
        made = straight(sweep(together.graph, together.active).graph)(
            [*together.inputs, *(g for g in gs if g is not None)])

    for got, want in zip(made, values, strict=False):
        np.testing.assert_array_equal(got, want)
    for got, (want, _) in zip(made[len(values) :], exact, strict=True):
        eps = np.finfo(want.dtype).eps
        with np.errstate(all="ignore"):
            near = np.abs(got - want) <= 1e3 * eps * np.maximum(np.abs(want), 1.0)
        assert (near | (got == want) | np.isnan(got)).all(), (name, got, want)
        assert (np.isnan(got) | ~np.isnan(want)).all()
    cases(len(exact))
