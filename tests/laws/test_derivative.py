"""Law: each mode gives the derivative.

The Jacobian, from tangents pushed along or cotangents pulled back, at points inside the domain: of scalar functions against mpmath at
50 digits, of the others in double precision against tests/exact.py, and of what is left against 5-point differences of NumPy's values.
"""

import numpy as np
import oracles
import pytest
from batches import BACKENDS, Batch, differentiable, error, expected_jacobian, extremes, far, jacobians
from samples import random

from wengert.backends import protocol
from wengert.ir.kinds import Elementwise
from wengert.ir.ops import OPS
from wengert.ir.types import is_inexact

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
    wrong, errors = [], []
    for sample, got in zip(*jacobians(name, backend, mode), strict=True):
        if sample.smooth:
            expected = expected_jacobian(sample)
            assert got.shape == expected.shape, str(sample)
            if (bad := far(sample, got, expected)).any():
                wrong.append(f"{sample}: {got[bad][0]!r} for {expected[bad][0]!r}")
            errors.append(error(sample, got, expected))
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong[:20])
    cases(len(errors), max(errors, default=0.0))


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


def of_several_operands(name):
    """Smooth samples in float64 with more than one operand to differentiate in; of an elementwise op one shape."""
    double = [s for s in differentiable(name) if not s.is_complex and s.operands[s.active[0]].dtype == np.float64]
    made = [s for s in double if s.smooth and len(s.active) > 1]
    return tuple(s for s in made if not isinstance(OPS[name], Elementwise) or s.operands[0].shape == (3,))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", [name for name in NAMES if of_several_operands(name)])
def test_an_operand_alone(name, backend, mode, cases):
    """The others constant: its columns of the Jacobian, in a random direction."""
    batch, rng, wrong, count = Batch(of_several_operands(name)), random(name), [], 0
    for k in range(max(len(s.active) for s in batch.samples)):
        here = [(s, i + s.active[k], o) for s, (i, o) in zip(batch.samples, batch.at, strict=True) if len(s.active) > k]
        ends = batch.graph.outputs if mode == "reverse" else [batch.graph.inputs[i] for _, i, _ in here]
        given = [rng.standard_normal((1, *v.type.shape)) if is_inexact(v.type.dtype) else None for v in ends]
        _, got = getattr(protocol.get(backend), mode)(batch.graph, tuple(i for _, i, _ in here))(batch.inputs, given)
        for j, (sample, _, o) in enumerate(here):
            starts = np.cumsum([0, *(sample.operands[a].size for a in sample.active)])
            columns = expected_jacobian(sample)[:, starts[k] : starts[k + 1]]
            results = slice(o, o + len(sample.result_types))
            if mode == "forward":
                ours, expected = oracles.flat(got[results], sample), columns @ given[j].ravel()
            else:
                ours, expected = got[j].ravel(), oracles.flat(given[results], sample) @ columns
            if oracles.differing(ours, expected, 1e-10 * max(1.0, abs(expected).max(initial=0))).any():
                wrong.append(f"{sample}, operand {sample.active[k]}: {ours} for {expected}")
            count += 1
    assert not wrong, "\n".join(wrong[:20])
    cases(count)


def of_several_results(name):
    """Smooth samples in float64 with more than one result to come back from."""
    double = [s for s in differentiable(name) if s.smooth and all(x.dtype == np.float64 for x in s.operands)]
    return tuple(s for s in double if sum(is_inexact(t.dtype) for t in s.result_types) > 1)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", [name for name in NAMES if of_several_results(name)])
def test_a_result_alone(name, backend, cases):
    """Nothing comes back from the others, which is not the same as zeros: its rows of the Jacobian, in a random direction."""
    batch, rng, wrong, count = Batch(of_several_results(name)), random(name), [], 0
    for k in range(max(len(s.result_types) for s in batch.samples)):
        given = [None] * len(batch.graph.outputs)
        here = [(s, i, o + k) for s, (i, o) in zip(batch.samples, batch.at, strict=True) if any(is_inexact(t.dtype) for t in s.result_types[k : k + 1])]
        for sample, _, o in here:
            t = sample.result_types[k]
            given[o] = (rng.standard_normal((1, *t.shape)) + (1j * rng.standard_normal((1, *t.shape)) if t.dtype.kind == "c" else 0)).astype(t.dtype)
        active = tuple(i + a for s, i, _ in here for a in s.active)
        _, got = protocol.get(backend).reverse(batch.graph, active)(batch.inputs, given)
        pulled = dict(zip(active, got, strict=True))
        for sample, i, o in here:
            sizes = [sum(p.size for p in oracles.parts(np.empty(t.shape, t.dtype))) if is_inexact(t.dtype) else 0 for t in sample.result_types]
            rows = expected_jacobian(sample)[sum(sizes[:k]) : sum(sizes[: k + 1])]
            expected = np.concatenate([p.ravel() for p in oracles.parts(given[o].conj())]) @ rows
            ours = np.concatenate([pulled[i + a].ravel() for a in sample.active])
            if oracles.differing(ours, expected, 1e-8 * max(1.0, abs(expected).max(initial=0))).any():
                wrong.append(f"{sample}, result {k}: {ours} for {expected}")
            count += 1
    assert not wrong, "\n".join(wrong[:20])
    cases(count)
