"""Law: Taylor coefficients are derivatives of derivatives, divided by factorials.

At smooth points, and at edges wherever the nested derivative is finite.  Of functions of one number they are mpmath's,
to order eight.
"""

import functools
import math
import os

import numpy as np
import oracles
import pytest
from batches import BACKENDS, Batch, differentiable
from samples import random

import wengert as wg
from wengert.backends import protocol
from wengert.ir import autodiff
from wengert.ir.kinds import Elementwise, Library
from wengert.ir.ops import OPS
from wengert.ir.types import is_inexact
from wengert.tools.conventions import CHAPTERS

SOAK = bool(os.environ.get("WENGERT_SOAK"))
NAMES = [name for name in OPS if differentiable(name)]
#: At the edge of the range of numbers a product overflows in one order and not in another.
REASSOCIATED = {"logaddexp"}


def chosen(name):
    """Of an elementwise op one shape, of the others one sample for each choice of parameters; all of them in a soak."""
    found = [s for s in differentiable(name) if s.smooth and not oracles.has_phase(s)]
    if SOAK:
        return tuple(found)
    found = [s for s in found if all(t.dtype in (np.float64, np.complex128) for t in s.types if is_inexact(t.dtype))]
    if isinstance(OPS[name], Elementwise):
        return tuple(s for s in found if s.operands[-1].shape == (3,))
    return tuple({repr((s.params, s.is_complex)): s for s in found if all(x.size for x in s.operands)}.values())


def both(batch, name, backend, order):
    """Coefficients by Taylor mode and by nesting, a row of them per output that moves."""
    graph, active, rng = batch.graph, batch.active, random(name)
    at = [batch.inputs[i] for i in active]
    t = [(rng.standard_normal(x.shape) + (1j * rng.standard_normal(x.shape) if x.dtype.kind == "c" else 0)).astype(x.dtype) for x in at]
    n, moving = len(graph.outputs), [i for i, v in enumerate(graph.outputs) if is_inexact(v.type.dtype)]
    found = protocol.get(backend).compile(autodiff.taylor(graph, active, order, 1))([*batch.inputs, *t])[n:]
    rows = {i: found[k * order : (k + 1) * order] for k, i in enumerate(moving)}
    nested = {i: [] for i in moving}
    for k in range(1, order + 1):
        graph = autodiff.jvp(graph, active)
        graph = graph.evolve(outputs=graph.outputs[-len(moving) :])
        for i, x in zip(moving, protocol.get("numpy").compile(graph)([*batch.inputs, *t * k]), strict=True):
            nested[i].append(x / math.factorial(k))
    return rows, nested


def check(batch, name, backend, order):
    rows, nested = both(batch, name, backend, order)
    wrong = []
    for sample, (_, first) in zip(batch.samples, batch.at, strict=True):
        for i in range(first, first + len(sample.result_types)):
            for k, (x, y) in enumerate(zip(rows.get(i, ()), nested.get(i, ()), strict=True), 1):
                assert (x.dtype, x.shape) == (y.dtype, y.shape)
                known = np.isfinite(y)
                size = np.abs(y[known]).max(initial=1e-3) if sample.smooth else np.maximum(np.abs(y), 1e-3)
                with np.errstate(all="ignore"):
                    near = abs(x - y) <= (1e-9 if np.finfo(x.dtype).bits == 64 else 2e-3) * size
                if not (near | ~known).all():
                    wrong.append(f"{sample}, order {k}: {x}, nested {y}")
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong[:10])


@pytest.mark.parametrize("backend", BACKENDS if SOAK else ["numpy"])
@pytest.mark.parametrize("name", NAMES)
def test_coefficients_are_nested_derivatives(name, backend, cases):
    batch, op = Batch(chosen(name)), OPS[name]
    called = isinstance(op, Library) or (isinstance(op, Elementwise) and op.library is not None)
    order = 2 if called and not SOAK else 3
    check(batch, name, backend, order)
    cases(order * len(batch.samples))


def at_edges(name):
    op = OPS[name]
    return isinstance(op, Elementwise) and name not in REASSOCIATED and (SOAK or op.library is None)


@pytest.mark.parametrize("name", list(filter(at_edges, NAMES)))
def test_edges_are_those_of_nested_derivatives(name, cases):
    edges = [s for s in differentiable(name) if not s.smooth and (SOAK or s.types[-1].dtype == np.float64)]
    batch = Batch(tuple(edges if SOAK else edges[:1]))
    check(batch, name, "numpy", 2)
    cases(2 * len(batch.samples))


ROWS = [row for _, _, rows in CHAPTERS for row in rows
        if len(row.point) == 1 and not (row.waits or row.raises or row.is_complex or isinstance(row.point[0], list))]  # fmt: skip


def test_conventions_are_kept(cases):
    """At kinks, poles, ties, infinities and NaN: as the table of conventions has it."""
    wrong = []
    for row in ROWS:
        f, (x,) = row.function(), row.operands()
        with np.errstate(all="ignore"):
            got = wg.taylor(lambda x, f=f: np.sum(f(x)), x, row.order)[-1] * math.factorial(row.order)
        want = np.asarray(row.slopes[0], float)
        if oracles.differing(got, want, 1e-6 * abs(want) + 1e-12).any():
            wrong.append(f"{row}: {got} for {want}")
    assert not wrong, "\n".join(wrong)
    cases(len(ROWS))


UNARY = [n for n in NAMES if isinstance(OPS[n], Elementwise) and OPS[n].arity == 1 and OPS[n].library is None]
UNARY = [n for n in UNARY if n not in ("cast", "stop_gradient", "real", "imag", "conjugate")]


@functools.cache
def mpmaths(name, order, x):
    """The coefficients of a function of one number."""
    with oracles.mp.workdps(60):
        return np.array([float(c) for c in oracles.mp.taylor(oracles.MP[name], oracles.mp.mpf(x), order)])


@pytest.mark.parametrize("name", UNARY)
def test_order_eight_is_mpmaths(name, cases):
    sample = next(s for s in differentiable(name) if s.smooth and s.types[0].dtype == np.float64 and s.types[0].shape == (3,))
    (x,) = sample.operands
    run = protocol.get("numpy").compile(autodiff.taylor(sample.graph(), (0,), 8, 1))
    found = np.array(run([x, np.ones(3)]))
    for point, column in zip(x.tolist(), found.T, strict=True):
        want = mpmaths(name, 8, point)
        assert not oracles.differing(column, want, 1e-11 * (abs(want) + 1e-3)).any(), f"at {point}: {column} for {want}"
    cases(3 * 8)
