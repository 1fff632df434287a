"""Law: the derivative at kinks, poles, ties, infinities and NaN is the one written down, in both modes on every backend."""

import conventions
import numpy as np
import oracles
import pytest
from batches import BACKENDS

from wengert.backends import protocol
from wengert.ir.types import is_inexact


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("chapter", ["KINKS", "POLES", "POWERS", "EXACT", "FOLDS", "STRONG_ZERO", "SPECIAL"])
def test_conventions(chapter, dtype, backend, cases):
    wrong = []
    rows = getattr(conventions, chapter)
    for row in rows:
        graph, operands = row.graph(dtype), row.operands(dtype)
        active = tuple(k for k, x in enumerate(operands) if is_inexact(x.dtype) and row.expected[k] is not None)
        for mode, got in (("forward", forward(graph, operands, active, backend)), ("reverse", reverse(graph, operands, active, backend))):
            for k, derivative in zip(active, got, strict=True):
                expected = np.broadcast_to(np.asarray(row.expected[k], float), operands[k].shape)
                assert derivative.dtype == operands[k].dtype
                rtol = row.rtol if dtype == "float64" else 1e-6
                if oracles.differing(derivative, expected, rtol * abs(expected)).any():
                    wrong.append(f"{row}, {mode}, operand {k}: {derivative} for {expected}")
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong)
    cases(2 * len(rows))


def forward(graph, operands, active, backend):
    """The derivative of the sum of the results, one unit tangent at a time."""
    sizes = [operands[k].size for k in active]
    tangents, at = [], 0
    for k in active:
        t = np.zeros((sum(sizes), operands[k].size), operands[k].dtype)
        t[at : at + operands[k].size] = np.eye(operands[k].size)
        tangents.append(t.reshape(sum(sizes), *operands[k].shape))
        at += operands[k].size
    if not sum(sizes):
        return [np.zeros_like(operands[k]) for k in active]
    _, (moved,) = protocol.get(backend).forward(graph, active)(operands, tangents)
    total = [row[row != 0].sum(dtype=moved.dtype) for row in moved.reshape(len(moved), -1)]
    parts = np.split(np.array(total, moved.dtype), np.cumsum(sizes)[:-1])
    return [p.reshape(operands[k].shape) for p, k in zip(parts, active, strict=True)]


def reverse(graph, operands, active, backend):
    (out,) = graph.outputs
    ones = np.ones((1, *out.type.shape), out.type.dtype)
    _, pulled = protocol.get(backend).reverse(graph, active)(operands, [ones])
    return [g[0] for g in pulled]
