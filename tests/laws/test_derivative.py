"""Law: each mode gives the derivative.

The Jacobian, from tangents pushed along or cotangents pulled back, against mpmath at 50 digits for scalar functions and 5-point differences of NumPy's
values for everything else, at points inside the domain.
"""

import oracles
import pytest
from batches import BACKENDS, Batch, differentiable, expected_jacobian, extremes, jacobians

from wengert.ir.kinds import Elementwise
from wengert.ir.ops import OPS

MODES = ("forward", "reverse")
NAMES = [name for name in OPS if differentiable(name)]
PARTS = ("real", "imag", "complex", "conjugate")  # of complex numbers: differences alone


@pytest.mark.parametrize("name", [n for n in NAMES if isinstance(OPS[n], Elementwise) and n not in PARTS])
def test_every_scalar_function_has_an_oracle(name):
    assert name in oracles.MP


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", NAMES)
def test_the_jacobian_is_the_oracles(name, backend, mode, cases):
    wrong, count = [], 0
    for sample, got in zip(*jacobians(name, backend, mode), strict=True):
        if sample.smooth:
            expected = expected_jacobian(sample)
            assert got.shape == expected.shape, str(sample)
            if (bad := oracles.far(sample, got, expected)).any():
                wrong.append(f"{sample}: {got[bad][0]!r} for {expected[bad][0]!r}")
            count += 1
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong[:20])
    cases(count)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", [n for n in NAMES if n in oracles.SMOOTH])
def test_the_derivative_is_right_over_the_whole_range(name, backend, mode, cases):
    """From 1e-300 to 1e300: nothing overflows, or cancels, on the way to a derivative that is itself a float."""
    sample, expected, tolerance = extremes(name)
    (got,) = getattr(Batch((sample,)), mode)(backend)
    bad = oracles.differing(got, expected, tolerance)
    at = [(*(x[i] for x in sample.operands), k, got[k, i], expected[k, i]) for k, i in zip(*bad.nonzero(), strict=True)]
    assert not at, f"{len(at)} of {bad.size}: " + "\n".join(map(str, at[:20]))
    cases(bad.size)
