"""Law: a movement is its pieces, and its stated transpose is its pieces read backwards."""

import numpy as np
import oracles
import pytest
from samples import samples

from wengert.backends import protocol
from wengert.ir.build import Builder, Namespace
from wengert.ir.kinds import Movement
from wengert.ir.ops import OPS
from wengert.ir.types import ArrayType

MOVEMENTS = [name for name, op in OPS.items() if isinstance(op, Movement)]


def pairs(sample):
    """Where each element of the output comes from: (output index, operand, flat position)."""
    shapes, (out,) = tuple(x.shape for x in sample.operands), sample.result_types
    for piece in sample.op.pieces(shapes, out.shape, sample.params):
        for index in np.ndindex(*piece.size):
            there = tuple(s + d * i for s, d, i in zip(piece.start, piece.step, index, strict=True))
            yield there, piece.operand, piece.offset + sum(s * i for s, i in zip(piece.strides, index, strict=True))


@pytest.mark.parametrize("name", MOVEMENTS)
def test_a_movement_is_its_pieces(name, cases):
    for sample in samples(name):
        (out,) = sample.result_types
        got, covered = np.zeros(out.shape, out.dtype), np.zeros(out.shape, int)
        for there, k, here in pairs(sample):
            assert 0 <= here < sample.operands[k].size, str(sample)
            assert all(0 <= i < n for i, n in zip(there, out.shape, strict=True)), str(sample)
            got[there] = sample.operands[k].flat[here]
            covered[there] += 1
        np.testing.assert_array_equal(got, oracles.value(sample)[0], str(sample))
        assert covered.max(initial=0) <= 1, f"{sample}: pieces overlap"
    cases(len(samples(name)))


@pytest.mark.parametrize("name", MOVEMENTS)
def test_the_transpose_is_the_pieces_backwards(name, cases):
    count = 0
    for sample in samples(name):
        if not (sample.smooth and sample.operands[0].dtype == np.float64):
            continue
        (out,) = sample.result_types
        g = np.arange(1.0, out.size + 1).reshape(out.shape)
        expected = [np.zeros(x.size) for x in sample.operands]
        for there, k, here in pairs(sample):
            expected[k][here] += g[there]
        for k, x in enumerate(sample.operands):
            b = Builder()
            xp = Namespace(b)
            cotangent = xp.wrap(b.input(ArrayType(g.dtype, g.shape)))
            stated = sample.op.transpose(xp, cotangent, k, tuple(x.shape for x in sample.operands), sample.params)
            (got,) = protocol.get("numpy").compile(b.graph([xp.lift(stated)]))([g])
            np.testing.assert_array_equal(got, expected[k].reshape(x.shape), f"{sample}, operand {k}")
            count += 1
    cases(count)
