"""Law: a derivative is a graph like any other, and differentiating it gives the second derivative.

With H the Hessian of <g, f> (of complex numbers <g, t> is Re(sum(g t))): forward over reverse, reverse over forward and reverse over reverse give one H t; H is symmetric;
and H t is the difference of first derivatives.  Of scalar functions, orders two and three are mpmath's.
"""

import functools
import itertools

import numpy as np
import oracles
import pytest
from batches import BACKENDS, Batch, differentiable
from samples import random

from wengert.backends import protocol
from wengert.ir import autodiff
from wengert.ir.build import Namespace
from wengert.ir.kinds import Elementwise
from wengert.ir.ops import OPS
from wengert.ir.types import is_inexact

NAMES = [name for name in OPS if differentiable(name)]
H = 2.0**-13


def chosen(name):
    """Smooth samples in float64: of an elementwise op one shape, of the others every choice of parameters."""

    def double(sample):
        types = (*sample.types, *sample.result_types)
        return all(t.dtype in (np.float64, np.complex128) for t in types if is_inexact(t.dtype))

    found = [s for s in differentiable(name) if s.smooth and double(s) and not oracles.has_phase(s)]
    return tuple(s for s in found if s.operands[-1].shape == (3,)) if isinstance(OPS[name], Elementwise) else tuple(found)


def normal(rng, shape, dtype):
    return rng.standard_normal(shape) + (1j * rng.standard_normal(shape) if dtype.kind == "c" else 0)


def vectors(rng, arrays):
    return [normal(rng, (1, *x.shape), x.dtype) for x in arrays]


class WithoutPhase(Batch):
    """For vectors that are known up to a phase, the products in which it is none: v v*, and u v*."""

    def results(self, b, sample, results):
        xp, stack = Namespace(b), "abc"[: sample.operands[0].ndim - 2]
        *left, right = (xp.wrap(v) for v in results if v.type.ndim > len(stack) + 1)
        if left:
            pairs = xp.einsum(f"{stack}ik,{stack}kj->{stack}kij", *left, right)
        else:
            pairs = xp.einsum(f"{stack}ik,{stack}jk->{stack}kij", right, xp.conjugate(right))
        return [xp.lift(pairs), *(v for v in results if v.type.ndim == len(stack) + 1)]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", NAMES)
def test_hessians(name, backend, cases):
    check(Batch(chosen(name)), name, backend)
    cases(4 * len(chosen(name)))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", [n for n in NAMES if any(map(oracles.has_phase, differentiable(n)))])
def test_hessians_of_what_has_no_phase(name, backend, cases):
    of_complex = tuple(s for s in differentiable(name) if s.smooth and oracles.has_phase(s) and s.operands[0].dtype == np.complex128)
    check(WithoutPhase(of_complex), name, backend)
    cases(4 * len(of_complex))


def check(batch, name, backend):
    rng, target = random(name), protocol.get(backend)
    n, active = len(batch.inputs), batch.active
    primals = [batch.inputs[i] for i in active]
    ends = [i for i, v in enumerate(batch.graph.outputs) if is_inexact(v.type.dtype)]
    g = [normal(rng, batch.graph.outputs[i].type.shape, batch.graph.outputs[i].type.dtype) for i in ends]
    t, s = vectors(rng, primals), vectors(rng, primals)
    gradient, tangent = autodiff.vjp(batch.graph, active), autodiff.jvp(batch.graph, active)
    outputs = len(batch.graph.outputs)

    forward = target.forward(gradient, active)
    over_reverse = [x[0] for x in forward([*batch.inputs, *g], t)[1][outputs:]]
    other_side = [x[0] for x in forward([*batch.inputs, *g], s)[1][outputs:]]
    _, reverse_reverse = target.reverse(gradient, active)([*batch.inputs, *g], [None] * outputs + t)
    cotangents = [None] * outputs + [x[None] for x in g]
    _, reverse_forward = target.reverse(tangent, active)([*batch.inputs, *(x[0] for x in t)], cotangents)
    assert len(gradient.inputs) == n + len(g)

    halves = {i for sample, (i, _) in zip(batch.samples, batch.at, strict=True) if oracles.shared(sample)}
    first = target.compile(gradient)
    differences: list = [0.0] * len(active)
    for step, weight in oracles.STEPS:
        moved = list(batch.inputs)
        for i, direction in zip(active, t, strict=True):
            along = oracles.half(direction[0]) if i in halves else direction[0]
            moved[i] = batch.inputs[i] + step * H * along
        for k, x in enumerate(first([*moved, *g])[outputs:]):
            differences[k] = differences[k] + weight * x / (12 * H)

    wrong = []
    for sample, (i, _) in zip(batch.samples, batch.at, strict=True):
        here = [active.index(i + k) for k in sample.active]
        ours = [over_reverse[k] for k in here]
        scale = max([1.0, *(abs(x).max(initial=0) for x in ours)])
        for label, others, tolerance in (
            ("reverse over reverse", [reverse_reverse[k][0] for k in here], 1e-13),
            ("reverse over forward", [reverse_forward[k][0] for k in here], 1e-13),
            ("differences", [differences[k] for k in here], 1e-8),
        ):
            if any(oracles.differing(x, y, tolerance * scale).any() for x, y in zip(ours, others, strict=True)):
                wrong.append(f"{sample}: forward over reverse {ours}, {label} {others}")
        left = sum((s[k][0] * over_reverse[k]).real.sum() for k in here)
        right = sum((t[k][0] * other_side[k]).real.sum() for k in here)
        if abs(left - right) > 1e-12 * scale * sum(x.size for x in ours):
            wrong.append(f"{sample}: not symmetric, {left} and {right}")
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong[:10])


@functools.cache
def mpmaths(name, order, points):
    """The derivatives of a scalar function, which mpmath computes to so many digits times the order."""
    with oracles.mp.workdps(30):
        return np.array([float(oracles.mp.diff(oracles.MP[name], oracles.mp.mpf(x), order)) for x in points])


UNARY = [n for n in NAMES if isinstance(OPS[n], Elementwise) and OPS[n].arity == 1 and n not in ("cast", "stop_gradient", "real", "imag", "conjugate")]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("order", [2, 3])
@pytest.mark.parametrize("name", UNARY)
def test_orders_two_and_three_are_mpmaths(name, order, backend, cases):
    sample = next(s for s in chosen(name) if not s.is_complex)
    (x,) = sample.operands
    graph = sample.graph()
    for _ in range(order - 1):
        graph = autodiff.jvp(graph, (0,))
        graph = graph.evolve(outputs=graph.outputs[-1:])
    inputs = [x, *itertools.repeat(np.ones(3), order - 1)]
    _, (got,) = protocol.get(backend).forward(graph, (0,))(inputs, [np.ones((1, 3))])
    expected = mpmaths(name, order, tuple(x.tolist()))
    assert not oracles.differing(got[0], expected, 1e-11 * (abs(expected) + 1e-3)).any(), f"{got[0]} for {expected}"
    cases(3)
