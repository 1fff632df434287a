"""Law: <g, J v> = <transpose(J) g, v>, with <g, t> = Re(sum(g t)): forward and reverse mode are each other's transposes.

At smooth points with random g and v; and entry by entry, by the identity as tangents and as cotangents, at every sample, ties,
zeros, infinities and NaN included.  There the Jacobian is the same on every backend, too.
"""

import numpy as np
import oracles
import pytest
from batches import BACKENDS, batch as batch_of, differentiable, jacobians
from samples import random

from wengert.ir.kinds import Control, Library
from wengert.ir.ops import OPS
from wengert.ir.types import is_inexact

NAMES = [name for name in OPS if differentiable(name)]


def some(rng, directions, shape, dtype, most):
    """Random directions, followed by zeros if more are taken."""
    x = rng.standard_normal((directions, *shape))
    found = np.zeros((max(most, directions), *shape), dtype)
    found[:directions] = x + 1j * rng.standard_normal(x.shape) if dtype.kind == "c" else x
    return found


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", NAMES)
def test_the_two_products_are_one_number(name, backend, cases):
    batch = batch_of(name)
    rng = random(name)
    directions = 2
    # as many as the Jacobian has, where a program is made for so many: it is at hand
    columns, rows = (batch.columns, batch.rows) if backend in ("python", "c") else (directions, directions)
    tangents = [some(rng, directions, batch.inputs[i].shape, batch.inputs[i].dtype, columns) for i in batch.active]
    moving = [is_inexact(v.type.dtype) for v in batch.graph.outputs]
    cotangents = [
        some(rng, directions, v.type.shape, v.type.dtype, rows) if m else None
        for v, m in zip(batch.graph.outputs, moving, strict=True)
    ]
    _, pushed = batch.program.forward(batch.active, backend)(batch.inputs, tangents)
    _, pullback = batch.program.reverse(batch.active, backend)(batch.inputs)
    pulled = dict(zip(batch.active, pullback(cotangents), strict=True))
    moved = dict(zip(batch.active, tangents, strict=True))
    wrong, count = [], 0
    for sample, (i, o) in zip(batch.samples, batch.at, strict=True):
        if not sample.smooth:
            continue
        count += directions
        ends = range(o, o + len(sample.result_types))
        for d in range(directions):
            left = [np.complex128(cotangents[j][d]) * np.complex128(pushed[j][d]) for j in ends if moving[j]]
            right = [np.complex128(pulled[i + k][d]) * np.complex128(moved[i + k][d]) for k in sample.active]
            scale = sum(abs(x).sum() for x in (*left, *right))
            eps = max(oracles.eps(sample.operands[k].dtype) for k in sample.active)
            eps = max([eps, *(oracles.eps(t.dtype) for t in sample.result_types if is_inexact(t.dtype))])
            a, b = (sum(x.real.sum() for x in side) for side in (left, right))
            if not abs(a - b) <= 8 * eps * scale:
                wrong.append(f"{sample}: {a} and {b}")
    assert not wrong, "\n".join(wrong[:20])
    cases(count)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", NAMES)
def test_forward_is_reverse_entry_by_entry(name, backend, cases):
    chosen, forward = jacobians(name, backend, "forward")
    _, reverse = jacobians(name, backend, "reverse")
    wrong = []
    for sample, j, k in zip(chosen, forward, reverse, strict=True):
        assert j.shape == k.shape, str(sample)
        wrong += complaints(sample, j, k, 4)
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong[:20])
    cases(len(chosen))


@pytest.mark.parametrize("mode", ["forward", "reverse"])
@pytest.mark.parametrize("backend", [p for p in BACKENDS if p.values[0] != "reference"])
@pytest.mark.parametrize("name", NAMES)
def test_the_jacobian_is_the_references(name, backend, mode, cases):
    chosen, ours = jacobians(name, backend, mode)
    _, reference = jacobians(name, "reference", mode)
    wrong = []
    for sample, j, k in zip(chosen, ours, reference, strict=True):
        # SciPy rounds in float32 what the reference rounds once, and our formulas are others
        wrong += complaints(sample, j, k, 4096 if getattr(sample.op, "library", None) else 16)
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong[:20])
    cases(len(chosen))


def magnitude(sample, size):
    """What rounding is relative to: each number, or, of complex ones, the larger of the parts that belong together."""
    if not sample.is_complex:
        return size
    finite = np.where(np.isfinite(size), size, 0)
    if not sample.wide:
        return np.full_like(size, finite.max(initial=0))
    n = sample.operands[0].size
    return np.tile(finite.reshape(-1, n).max(axis=0), (len(size), size.shape[1] // n))


def complaints(sample, j, k, ulps):
    """NaN and infinities in the same places, and numbers equal but for some units in the last place."""
    with np.errstate(all="ignore"):
        dtype = j.dtype if j.dtype.kind == "f" else np.dtype(np.float64)
        dtypes = (dtype, *(x.dtype for x in sample.operands))
        single = np.dtype(np.float32) in dtypes or np.dtype(np.complex64) in dtypes
        size = magnitude(sample, np.maximum(abs(j), abs(k)))
        unit = np.spacing(size.astype(np.float32 if single else np.float64))
        if isinstance(sample.op, Control | Library):  # many edges, whose products are summed in another order
            unit = np.full_like(unit, unit[np.isfinite(unit)].max(initial=0)) * (8 if isinstance(sample.op, Library) else 1)
        bad = oracles.differing(j, k, ulps * np.where(np.isfinite(unit), unit, 0))
    if not bad.any():
        return []
    row, column = (int(i[0]) for i in bad.nonzero())
    column %= max(sample.operands[0].size, 1)
    at = [x[column].item() for x in sample.operands] if sample.wide else [x.tolist() for x in sample.operands]
    return [f"{sample}: {bad.sum()} of {bad.size}, first {j[row, column]} and {k[row, column]} in {row} at {at}"]
