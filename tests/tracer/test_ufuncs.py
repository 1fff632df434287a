"""Operators, every traced ufunc, their methods and options."""

import operator

import numpy as np
import pytest
from numpy_alike import INPUTS, same

import wengert as wg
from wengert.ir.ops import BY_FUNCTION
from wengert.tracer.numpy_api.ufuncs import COMPOSED

ARRAYS = {name: INPUTS[name] for name in ("vector", "matrix", "floats", "ints", "bools", "scalar", "number", "special", "complex", "single complex")}
UFUNCS = sorted({u for u in (*BY_FUNCTION, *COMPOSED) if isinstance(u, np.ufunc)}, key=lambda u: u.__name__)


def operands(ufunc, x):
    """The array, and others near it but not equal."""
    others = [np.asarray(x)[..., ::-1] if np.ndim(x) else 0.5, 2]
    return [(x, *[o] * (ufunc.nin - 1)) for o in (others[1:] if "shift" in ufunc.__name__ else others)]


@pytest.mark.parametrize("ufunc", UFUNCS, ids=lambda u: u.__name__)
def test_every_ufunc(ufunc):
    for x in ARRAYS.values():
        if ufunc.signature is not None and not np.ndim(x):
            continue
        for args in operands(ufunc, x):
            same(lambda *a: ufunc(*a), *args, refusal=np.asarray(x).dtype == bool)


OPERATORS = [
    operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod, operator.pow,
    operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne, divmod, np.hypot,
]  # fmt: skip


@pytest.mark.parametrize("op", OPERATORS, ids=lambda op: op.__name__)
def test_operators_with_plain_operands_on_either_side(op):
    x, plain = np.array([1.5, 2.0, 3.0]), np.array([[2.0], [0.5]])
    for other in (plain, plain[0, 0], np.float32(2), 2, 2.5, [1.0, 2.0, 3.0], (1, 2, 3), np.arange(3), True, [[1], [2]]):
        same(lambda a, other=other: op(a, other), x)
        same(lambda a, other=other: op(other, a), x)
        if not (op is operator.mul and isinstance(other, (list, tuple))):  # NumPy: not by its scalars, by arrays without axes
            same(lambda a, other=other: op(other, a), np.float64(1.5))
        same(lambda a, other=other: op(a, other), 1.5)


IN_PLACE = [
    operator.iadd, operator.isub, operator.imul, operator.itruediv, operator.ifloordiv, operator.imod,
    *([operator.ipow] if np.lib.NumpyVersion(np.__version__) >= "2.1.0" else []),  # before, other short cuts of integers
]  # fmt: skip


@pytest.mark.parametrize("op", IN_PLACE, ids=lambda op: op.__name__)
def test_operators_in_place(op):
    for other in (2, 2.0, np.array([1.0, 2.0, 3.0]), np.float32(2), np.ones((2, 3))):
        for x in (np.array([1.5, 2.0, 3.0]), np.array([1, 2, 3]), np.float64(2.0), 2, 2.5):
            same(lambda a, other=other: op(a * 1, other), x)
    same(lambda a: op(a * 1, [1, 2, 3]), np.array([1.5, 2.0, 3.0]))


def test_bits_in_place():
    for op in (operator.iand, operator.ior, operator.ixor, operator.ilshift, operator.irshift):
        same(lambda a, op=op: op(a * 1, 1), np.array([1, 2, 3]))
    same(lambda a: operator.imatmul(a * 1, np.eye(2)), np.ones((3, 2)))


METHODS = {
    "add.reduce": lambda x: np.add.reduce(x),
    "add.reduce axis": lambda x: np.add.reduce(x, -1, keepdims=True),
    "add.reduce all": lambda x: np.add.reduce(x, axis=None),
    "add.reduce initial": lambda x: np.add.reduce(x, initial=2.0, where=np.ones_like(x, bool)),
    "multiply.reduce": lambda x: np.multiply.reduce(x),
    "maximum.reduce": lambda x: np.maximum.reduce(x),
    "minimum.reduce": lambda x: np.minimum.reduce(x, 0),
    "logical_and.reduce": lambda x: np.logical_and.reduce(x),
    "logical_or.reduce": lambda x: np.logical_or.reduce(x, axis=None),
    "add.accumulate": lambda x: np.add.accumulate(x),
    "add.accumulate axis": lambda x: np.add.accumulate(x, -1),
    "multiply.outer": lambda x: np.multiply.outer(x, x),
    "subtract.outer": lambda x: np.subtract.outer(x, np.arange(2.0)),
    "greater.outer": lambda x: np.greater.outer([1.0, 2.0], x),
    "dtype=": lambda x: np.add(x, x, dtype=np.float64),
    "dtype= sin": lambda x: np.sin(x, dtype=np.float32),
    "out=": lambda x: np.sin(x, out=np.zeros_like(x)),
    "out= dtype": lambda x: np.add(x, 1.5, out=np.zeros_like(x, np.float32)),
    "out= too small": lambda x: np.add(x, 1.5, out=np.zeros_like(x, np.int8)),
    "out= tuple": lambda x: np.add(x, 1, out=(np.zeros_like(x),)),
    "out= two": lambda x: np.modf(x, out=(np.zeros_like(x, float), np.zeros_like(x, float))),
    "out= wrong shape": lambda x: np.add(x, 1, out=np.zeros_like(x, shape=(7,))),
    "out= of plain operands": lambda x: np.add(np.ones_like(x).shape, 1, out=np.zeros_like(x, int, shape=np.ndim(x))),
    "casting=": lambda x: np.add(x, 1, casting="same_kind"),
}


@pytest.mark.parametrize("name", METHODS)
def test_ufunc_methods_and_options(name):
    for sort in ("vector", "matrix", "floats", "ints"):
        same(METHODS[name], INPUTS[sort])


REFUSALS = {
    "where=": lambda x: np.add(x, 1, where=x > 0),
    "reduceat traced": lambda x: np.add.reduceat(x, (x[0] * 0).astype(int)),
    "ldexp.reduce": lambda x: np.ldexp.reduce(x.astype(int)),
    "a long fold": lambda x: np.subtract.reduce(np.ones(5000) * x[0, 0]),
    "frompyfunc": lambda x: np.frompyfunc(lambda v: v, 1, 1)(x),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_is_not_traced_says_so_at_the_users_line(name):
    with pytest.raises(wg.TraceError, match=r"At .*test_ufuncs.py:\d+, in <lambda>: .*\. \w+.*\.$"):
        wg.trace(REFUSALS[name])(np.eye(3))


def test_at_adds_repeated_places():
    def f(x, at):
        y = x * 1
        np.add.at(y, [0, 0, 2], x[:3])
        np.subtract.at(y, (slice(1),), 2)
        np.add.at(y, at, 1)
        return y

    same(lambda x: f(x, 1), np.arange(5.0))
    same(lambda x: f(x, [-1, -1]), np.arange(5))
    np.testing.assert_array_equal(wg.grad(lambda x: f(x, 1).sum())(np.arange(5.0)), [2.0, 2.0, 2.0, 1.0, 1.0])
