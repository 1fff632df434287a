"""Law: many lanes at once are each lane by itself, whichever operands have lanes: values, and both derivatives.

To the bit, but for sums of products, which BLAS and NumPy add up in an order of their own, and for matrices that are solved for
several right sides at once: a few units in the last place of the largest number.  So on c where it is optimised, in `make soak`: there
long loops have functions of our own, short ones libm's, which are within 2 units of each other.
"""

import os

import numpy as np
import pytest
from batches import BACKENDS, Batch, differentiable
from lanes import LANES, compare
from samples import random, samples

from wengert.ir import autodiff
from wengert.ir.kinds import Control, Elementwise, Library
from wengert.ir.ops import OPS
from wengert.ir.ops.random import key_of
from wengert.ir.types import is_inexact

SUMS = {"sum", "prod", "einsum", "scale_einsum", "solve", "cofactors"}
SOAK = bool(os.environ.get("WENGERT_SOAK"))
DOUBLE = (np.float64, np.complex128)
NAMES = [name for name in OPS if differentiable(name)]


def chosen(some, most):
    """All in `make soak`; else the widest dtypes, of an elementwise op few shapes, of a library's only so many."""
    wide = [s for s in some if all(t.dtype in (*DOUBLE, np.int64, np.uint64, bool) for t in s.types)]
    few = [s for s in wide if not isinstance(s.op, Elementwise) or s.wide or s.operands[0].shape in ((), (3,), (2, 1, 3))]
    found = few or wide or some
    return tuple(some if SOAK else found[:: -(-len(found) // most)] if isinstance(found[0].op, Library) else found)


def lane(sample, k, i):
    """Operand k in lane i: other numbers, with which the op is as well defined."""
    x = sample.operands[k]
    if sample.op.name == "draw":
        return key_of(np.random.default_rng(7 + i)) if k == 0 else x + (i if k == 2 else -i)
    if sample.op.name == "random_key":
        return (x + i).astype(x.dtype)
    if isinstance(sample.op, Elementwise) or not is_inexact(x.dtype):
        return np.roll(x.ravel(), i).reshape(x.shape)
    with np.errstate(all="ignore"):
        return (x * [1, 2, 0.5][i]).astype(x.dtype)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", OPS)
def test_values(name, backend, cases):
    some, count = chosen(samples(name), 12), 0
    for pattern in range(1, 2 ** max(len(s.operands) for s in some)):
        here = Batch(tuple(s for s in some if pattern % 2 ** len(s.operands)))
        every = [[lane(s, k, i) for i in range(LANES)] if pattern >> k & 1 else x for s in here.samples for k, x in enumerate(s.operands)]
        compare(here.graph, backend, every, 20 if name in SUMS or isinstance(OPS[name], Control) or (SOAK and backend == "c") else 0)
        count += len(here.samples)
    cases(count)


@pytest.mark.parametrize("mode", ["jvp", "vjp"])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", NAMES)
def test_derivatives(name, backend, mode, cases):
    """Lanes in the point, in what is pushed or pulled along, and in both."""
    smooth = [s for s in differentiable(name) if s.smooth or not isinstance(s.op, Elementwise)]
    double = [s for s in smooth if SOAK or (s.operands[-1].dtype == np.float64 and s.operands[-1].shape != (2, 1, 3))]
    here, rng = Batch(chosen(double or smooth, 4)), random(name)
    graph = getattr(autodiff, mode)(here.graph, here.active)
    extra = graph.inputs[len(here.inputs) :]
    given = [[normal(rng, v.type) for _ in range(LANES)] for v in extra]
    points = [[lane(s, k, i) for i in range(LANES)] for s in here.samples for k in range(len(s.operands))]
    for of_point, of_given in ((False, True), (True, False), (True, True)):
        every = [*(x if of_point else x[0] for x in points), *(x if of_given else x[0] for x in given)]
        compare(graph, backend, every, 40)
    cases(3 * len(here.samples))


def normal(rng, type_):
    x = rng.standard_normal(type_.shape) + (1j * rng.standard_normal(type_.shape) if type_.dtype.kind == "c" else 0)
    return np.asarray(x, type_.dtype)
