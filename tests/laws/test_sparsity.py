"""Law: a pattern covers the Jacobian, and is no larger where its kind promises so.

Nothing, not even NaN, is outside of the pattern that the graph gives; of the kinds that are exact (see wengert/ir/sparsity/rules.py)
every entry of the pattern is nonzero at some point.
"""

import math

import numpy as np
import oracles
import pytest
from batches import differentiable, jacobians
from samples import Sample, random

from wengert.backends import protocol
from wengert.ir.kinds import Control, Elementwise, Indexing, Library
from wengert.ir.ops import OPS
from wengert.ir.sparsity import pattern
from wengert.ir.types import is_inexact

NAMES = [name for name, op in OPS.items() if not isinstance(op, Control) and name != "external" and differentiable(name)]
EXACT = [name for name in NAMES if not isinstance(OPS[name], Elementwise | Library)]
DRAWS = 64  # of six numbers, one is the largest in one of them at least


def found(sample, *, looked_into=True):
    """The pattern of the op's own graph, what is not floating-point known, or nothing."""
    given = {i: x for i, x in enumerate(sample.operands) if not is_inexact(x.dtype)} if looked_into else {}
    return pattern(sample.graph(), sample.active, given).pattern.dense()


def in_parts(matrix, sample):
    """A pattern for complex numbers as pairs of reals, in the form of Batch.forward."""
    rows, top = [], 0
    for t in sample.result_types:
        part = matrix[top : top + t.size]
        rows += [part] * len(oracles.directions(t.dtype)) if is_inexact(t.dtype) else []
        top += t.size
    whole, columns, left = np.concatenate(rows), [], 0
    for x in (sample.operands[k] for k in sample.active):
        columns += [whole[:, left : left + x.size]] * len(oracles.directions(x.dtype))
        left += x.size
    return np.concatenate(columns, axis=1)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_outside_of_the_pattern(name, cases):
    count = 0
    for sample, jacobian in zip(*jacobians(name, "numpy", "forward"), strict=True):
        if sample.wide or math.prod(jacobian.shape) > 20_000:
            continue
        for looked_into in (True, False):
            outside = jacobian[~in_parts(found(sample, looked_into=looked_into), sample)]
            assert not np.any(outside), f"{sample}: {outside[outside != 0][:5]} outside"
        count += 2
    cases(count)


@pytest.mark.parametrize("name", [n for n in NAMES if isinstance(OPS[n], Elementwise)])
def test_of_an_elementwise_op_it_is_diagonals(name, cases):
    some = next(s for s in differentiable(name) if s.operands[0].shape == (3,) and not s.wide)
    partials = [OPS[name].partials[k] for k in some.active]
    expected = [np.eye(3, dtype=bool) if p is not None else np.zeros((3, 3), bool) for p in partials]
    np.testing.assert_array_equal(found(some, looked_into=False), np.concatenate(expected, axis=1))
    cases(1)


@pytest.mark.parametrize("name", EXACT)
def test_no_entry_is_zero_everywhere(name, cases):
    rng, count = random(name), 0
    smooth = [s for s in differentiable(name) if s.smooth and not s.is_complex and s.operands[0].dtype == np.float64]
    for sample in smooth[:12]:
        met, floats = False, [is_inexact(x.dtype) for x in sample.operands]
        for _ in range(DRAWS if OPS[name].kind in ("Reduction", "Cumulative") else 2):
            operands = [rng.normal(size=x.shape) if f else x for x, f in zip(sample.operands, floats, strict=True)]
            met = met | (dense(Sample(sample.op, operands, sample.params)) != 0)
        np.testing.assert_array_equal(found(sample), met, str(sample))
        count += 1
    cases(count)


def dense(sample):
    basis, first = [], 0
    total = sum(sample.operands[k].size for k in sample.active)
    for k in sample.active:
        x = sample.operands[k]
        t = np.zeros((total, x.size))
        t[first : first + x.size] = np.eye(x.size)
        basis.append(t.reshape(total, *x.shape))
        first += x.size
    _, moved = protocol.get("numpy").forward(sample.graph(), sample.active)(sample.operands, basis)
    return np.concatenate([t.reshape(total, math.prod(t.shape[1:])) for t in moved if t is not None], axis=1).T


@pytest.mark.parametrize("name", [n for n in NAMES if isinstance(OPS[n], Indexing)])
def test_unknown_indices_may_be_any(name, cases):
    """The stated superset: whatever the indices are, their pattern is within it."""
    rng, count = random(name), 0
    for sample in [s for s in differentiable(name) if s.operands[1].size and not s.is_complex]:
        size = sample.operands[0].shape[sample.params["axis"]] if OPS[name].gather else sample.params["size"]
        for _ in range(20):
            indices = rng.integers(0, size, sample.operands[1].shape)
            exact = found(Sample(sample.op, (sample.operands[0], indices), sample.params))
            assert not (exact & ~found(sample, looked_into=False)).any(), str(sample)
        count += 1
    cases(count)
