"""Law: the forward Laplacian is the sum of second derivatives along unit vectors."""

import os

import numpy as np
import pytest
from batches import differentiable

from wengert.backends import protocol
from wengert.ir import autodiff
from wengert.ir.autodiff.laplacians import laplacian
from wengert.ir.kinds import Control, Elementwise
from wengert.ir.ops import OPS
from wengert.ir.types import is_inexact


def chosen(name):
    """Two smooth samples in float64; of the first one every operand, of the other one alone."""
    some = [s for s in differentiable(name) if s.smooth and not s.wide and s.operands[0].dtype == np.float64]
    some = [s for s in some if 0 < sum(s.operands[k].size for k in s.active) <= 20 and not s.is_complex]
    return [(s, s.active) for s in some[:1]] + [(s, s.active[-1:]) for s in some[1:2]]


SOAK = bool(os.environ.get("WENGERT_SOAK"))
#: What is elementwise goes one way, whatever its partials: a few stand for all.
FEW = {"multiply", "divide", "power", "maximum", "where", "sin", "arctan2", "cast", "scale", "sign", "stop_gradient", "erf", "xlogy"}
NAMES = [name for name, op in OPS.items() if not isinstance(op, Control) and name != "external" and differentiable(name) and chosen(name)]
NAMES = [name for name in NAMES if SOAK or name in FEW or not isinstance(OPS[name], Elementwise)]


@pytest.mark.parametrize("name", NAMES)
def test_it_is_the_sum_over_unit_vectors(name, cases):
    numpy = protocol.get("numpy")
    for sample, active in chosen(name):
        graph, xs = sample.graph(), [sample.operands[k] for k in active]
        n, first, units = sum(x.size for x in xs), 0, []
        for x in xs:
            unit = np.zeros((n, x.size))
            unit[first : first + x.size] = np.eye(x.size)
            units.append(unit.reshape(n, *x.shape))
            first += x.size
        got = numpy.compile(laplacian(graph, active))([*sample.operands, *units])
        once = autodiff.jvp(graph, active)
        ends = sum(is_inexact(v.type.dtype) for v in graph.outputs)
        twice = numpy.forward(once, active)
        expected = [0.0] * ends
        for i in range(n):
            _, moved = twice([*sample.operands, *(u[i] for u in units)], [u[i : i + 1] for u in units])
            expected = [e + t[0] for e, t in zip(expected, moved[len(graph.outputs) :], strict=True)]
        for a, b in zip(got, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9 * max(1.0, abs(b).max(initial=0)), err_msg=str(sample))
    cases(len(chosen(name)))
