"""NumPy 2's promotion: for each operation and each pair of dtypes, NumPy's dtype and value, or NumPy's refusal.

Python's numbers are weak.  float16, which no program holds, is refused in words.
"""

import math
import operator
import os

import numpy as np
import pytest
from numpy_alike import alike, outcome

import wengert as wg

DTYPES = [np.dtype(c).type for c in "?bhilBHILfd"]
ARRAYS = [np.array([1, 3]).astype(d) for d in DTYPES]
NUMBERS = [True, 2, 3.0]
OPERANDS = [*ARRAYS, *(a[0] for a in ARRAYS), *NUMBERS]
UNIT = [o for o in OPERANDS if o is not True]  # a Python bool is static

BINARY = {
    **{n: getattr(operator, n) for n in (
        "add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and_", "or_", "xor", "lshift", "rshift",
        "lt", "le", "gt", "ge", "eq", "ne", "matmul")},
    "divmod": divmod, "where": lambda a, b: np.where(a > b, a, b), "stack": lambda a, b: np.stack([a, b]),
    "clip": lambda a, b: np.clip(a, b, b), "dot": np.dot, "copyto": lambda a, b: np.copyto(np.zeros_like(a), b),
    **{u.__name__: u for u in (
        np.add, np.power, np.divide, np.maximum, np.fmax, np.arctan2, np.hypot, np.copysign, np.logaddexp, np.heaviside,
        np.float_power, np.logical_and, np.logical_xor)},
}  # fmt: skip
UNARY = {
    "neg": operator.neg, "pos": operator.pos, "abs": abs, "invert": operator.invert,
    "**2": lambda x: x**2, "**0.5": lambda x: x**0.5, "**1": lambda x: x**1, "**-1.0": lambda x: x**-1.0,
    "**2.0": lambda x: x**2.0, "**3": lambda x: x**3, "2**": lambda x: 2**x, "2.0*": lambda x: 2.0 * x,
    "1-": lambda x: 1 - x, "/2": lambda x: x / 2, "//2": lambda x: x // 2, "True+": lambda x: True + x,
    "+200": lambda x: x + 200, "*-1": lambda x: x * -1, ">300": lambda x: x > 300,
    **{u.__name__: u for u in (
        np.sin, np.exp, np.sqrt, np.square, np.sign, np.floor, np.ceil, np.trunc, np.rint, np.isnan, np.isfinite, np.negative,
        np.cbrt, np.fabs, np.conjugate, np.log1p, np.logical_not, np.degrees, np.deg2rad, np.positive)},
    **{f.__name__: f for f in (
        np.sum, np.prod, np.mean, np.cumsum, np.cumprod, np.max, np.std, np.argmax, np.ptp, np.round, np.real, np.average, np.ones_like)},
}  # fmt: skip


if np.lib.NumpyVersion(np.__version__) < "2.1.0":  # powers of integers, and casts of scalars, depended on values
    del BINARY["pow"], BINARY["copyto"], UNARY["**2.0"]


def agree(f, *args):
    want, got = outcome(f, args), outcome(wg.trace(lambda *a: f(*a)), args)
    halves = not isinstance(want, Exception) and any(np.asarray(w).dtype == np.float16 for w in np.atleast_1d(want))
    if isinstance(want, Exception):
        assert isinstance(got, Exception), f"{args}: {got!r}, NumPy raises {want!r}"
        assert isinstance(got, (type(want), wg.WengertError, ValueError)), f"{args}: {got!r}, NumPy raises {want!r}"
    elif halves or _is_bool_power(f, args):
        assert isinstance(got, Exception) or not halves
        assert not halves or "float16" in str(got)
    elif isinstance(got, Exception):
        assert "float16" in str(got), f"{args}: {got!r}"  # NumPy's loop computes in it: np.isnan of int8
    else:
        alike(got, want)


def _is_bool_power(f, args):
    """NumPy squares an array of bools as int8 when it sees a Python 2, whose value a type does not have."""
    return f in (operator.pow, np.power) and getattr(args[0], "dtype", None) == np.dtype(bool)


@pytest.mark.parametrize("name", BINARY if os.environ.get("WENGERT_SOAK") else sorted(BINARY)[::2])
def test_two_operands(name):
    for a in UNIT:
        for b in OPERANDS:
            agree(BINARY[name], a, b)
    agree(BINARY[name], True, 2.0)


@pytest.mark.parametrize("name", UNARY)
def test_one_operand(name):
    for a in UNIT:
        agree(UNARY[name], a)


@pytest.mark.parametrize("other", [np.float16(1), np.ones(2, np.float16), np.longdouble(1), np.ones(2, np.longdouble)])
def test_a_dtype_that_no_program_holds_is_refused_with_the_line(other):
    with pytest.raises(wg.TraceError, match=r"test_promotion.py:\d+.*a value of dtype float"):
        wg.trace(lambda x: x * other)(np.ones(2))
    with pytest.raises(wg.TraceError, match=r"test_promotion.py:\d+.*a value of dtype float"):
        wg.trace(lambda x: x.astype(other.dtype))(np.ones(2))


def test_integers_wrap_and_large_python_integers_overflow_as_in_numpy():
    assert wg.trace(lambda a, b: a - b)(np.uint8(1), np.uint8(2)) == np.uint8(255)
    with pytest.raises(OverflowError):
        wg.trace(lambda a: a + 300)(np.uint8(1))
    with pytest.raises(OverflowError):
        wg.trace(lambda a: a + 10**30)(np.int64(1))


U, BIG = np.array([1, 2**64 - 1], np.uint64), np.array([1.5, 1e30, -1e31])


@pytest.mark.parametrize(("f", "x"), [
    (lambda x: ((x * 2**63) * 3 + (2**64 - 1), x ^ 0xDEADBEEFDEADBEEF, np.where(x > 1, x, 2**63), x > 2**63, x < 2**64, x == 2**64 - 1, np.append(x, 2**63), np.add(x, 2**63, dtype=np.uint64)), U),
    (lambda x: (x < 2**64, x > -(2**80), x == 10**30, x * 10**30 - math.factorial(25), np.full_like(x, 2**70) / x + 2**63, x[0].astype("f4") * 2**70), BIG),
])  # fmt: skip
def test_python_integers_beyond_int64_are_of_what_they_meet(f, x, tmp_path):
    with np.errstate(over="ignore"):
        wanted = f(x)
    for backend in ("numpy", "python", "c", "reference"):
        alike(wg.trace(f, backend=backend)(x), wanted)
    wg.trace(f).graph(x).save(tmp_path / "f.wg")
    alike(wg.load(tmp_path / "f.wg")(x), wanted)


def test_python_integers_beyond_int64_that_meet_nothing():
    assert wg.grad(lambda x: x * 2**70)(1.5) == 2.0**70
    assert wg.trace(lambda n: n < 2**63)(3) and wg.trace(lambda n: n > -(10**400))(np.uint8(3))
    with pytest.raises(OverflowError, match=r"9223372036854775808 is beyond int64"):
        wg.trace(lambda n: n + 2**63)(3)
