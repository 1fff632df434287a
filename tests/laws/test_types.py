"""Law: the inferred type is what running gives on every backend, and what NumPy gives."""

import itertools

import numpy as np
import oracles
import pytest
from batches import BACKENDS, batch, values as values_of
from numpy.lib.array_utils import byte_bounds
from samples import samples

from wengert.ir.build import Builder
from wengert.ir.errors import GraphTypeError
from wengert.ir.kinds import Elementwise
from wengert.ir.ops import OPS
from wengert.ir.types import DTYPES, ArrayType, type_of

pytestmark = pytest.mark.optimised(True)  # these are the programs that are asked for their values


@pytest.mark.parametrize("name", OPS)
def test_inferred_types_are_numpys(name, cases):
    for sample in samples(name):
        found = [(t.dtype, t.shape) for t in sample.result_types]
        assert found == [(y.dtype, y.shape) for y in oracles.value(sample)], str(sample)
    cases(len(samples(name)))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", OPS)
def test_results_have_the_inferred_types(name, backend, cases):
    inputs = [x for differentiated in (True, False) for x in batch(name, differentiated).inputs if x.size]
    starts, ends = np.array([byte_bounds(x) for x in inputs]).T
    for sample, got in zip(samples(name), values_of(name, backend), strict=True):
        for y, type_ in zip(got, sample.result_types, strict=True):
            assert (y.dtype, y.shape) == (type_.dtype, type_.shape), str(sample)
            assert y.flags.c_contiguous, str(sample)
            assert y.flags.writeable, str(sample)
            start, end = byte_bounds(y)
            assert not ((start < ends) & (starts < end)).any(), f"{sample}: a result is an operand's memory"
    cases(len(samples(name)))


WEAK = [2, 0.5, 1j]
PAIRS = list(itertools.combinations_with_replacement(range(len(DTYPES) + len(WEAK)), 2))
UFUNCS = [op for op in OPS.values() if isinstance(op, Elementwise) and isinstance(op.function, np.ufunc)]


@pytest.mark.parametrize("op", UFUNCS, ids=lambda op: op.name)
def test_promotion_is_numpys(op, cases):
    """For every pair of dtypes and Python scalars; what NumPy refuses is refused.

    An op that states its own dtype rule may be defined for less than NumPy's.
    """
    operands = [*(np.ones((), d)[()] for d in DTYPES.values()), *WEAK]
    count = 0
    for values in itertools.product(operands, repeat=op.arity):
        b = Builder()
        try:
            got = b.apply(op, *(b.input(type_of(v)) for v in values)).type
        except (GraphTypeError, TypeError):
            got = None
        expected = _numpy_dtype(op, values)
        if got is None:
            known = expected is None or op.types is not None or _in_float16(op, values)
            assert known, f"{values}: refused, and NumPy gives {expected}"
        elif op.symbol not in ("and", "or", "xor", "not"):  # these take any truth value, through a cast
            assert got.dtype == expected, str(values)
            assert got.weak == (all(type_of(v).weak for v in values) and got.dtype.kind != "b"), str(values)
        count += 1
    cases(count)


def _in_float16(op, values):
    plain = [v.dtype if isinstance(v, np.generic) else type(v) for v in values]
    return np.dtype(np.float16) in op.function.resolve_dtypes((*plain, None))


def _numpy_dtype(op, values):
    with np.errstate(all="ignore"):
        try:
            return op.function(*values).dtype
        except TypeError:
            return None


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_where_promotes_as_numpy_does(pair, cases):
    operands = [*(np.ones((), d) for d in DTYPES.values()), *WEAK]
    x, y = (operands[i] for i in pair)
    b = Builder()
    got = b.apply(OPS["where"], b.input(ArrayType(np.dtype(bool))), b.input(type_of(x)), b.input(type_of(y))).type
    assert got.dtype == np.where(np.True_, x, y).dtype
    cases(1)
