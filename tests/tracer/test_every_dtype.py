"""Every ufunc, every dtype or pair of dtypes, every kind of operand: NumPy's dtype and NumPy's values, or NumPy's error.

What NumPy does and a traced function refuses is in ``REFUSED``, by reason: nothing is refused that is not there.
"""

import itertools
import os
import re

import numpy as np
import pytest
from numpy.testing import overrides
from numpy_alike import outcome

import wengert as wg
from wengert.ir.types import DTYPES

pytestmark = pytest.mark.filterwarnings("ignore")
EVERY = sorted(overrides.get_overridable_numpy_ufuncs(), key=lambda u: u.__name__)
#: Those of numbers; the others are of strings and dates.
UFUNCS = [u for u in EVERY if any(set(loop.replace("->", "")) <= set("?bBhHiIlLqQfdFD") for loop in u.types)]


def numbers(dtype):
    """Zeros, ordinary numbers and the ends of the range."""
    if dtype.kind == "b":
        some = [False, True]
    elif dtype.kind in "iu":
        some = [0, 1, 2, 5, np.iinfo(dtype).max, -3 if dtype.kind == "i" else 7]
    elif dtype.kind == "f":
        some = [0.0, -0.0, 1.0, 2.5, -3.0, np.inf, np.nan]
    else:
        some = [0.0, 1 + 2j, -2.0, 0.5 - 1j]
    return np.array(some, dtype)


ARRAYS = {short: numbers(dtype) for short, dtype in DTYPES.items()}
#: Python's numbers are weak, NumPy's and arrays without axes are not.
OPERANDS = {
    **{f"{short} array": x for short, x in ARRAYS.items()},
    **{f"{short} 0-d": np.array(x[-1]) for short, x in ARRAYS.items()},
    **{f"{short} scalar": x[1] for short, x in ARRAYS.items()},
    "int": 2, "negative int": -1, "large int": 300, "float": 2.5, "complex": 1 + 2j,
}  # fmt: skip

#: Pairs of kinds that others stand for.
TWICE = {("array", "0-d"), ("0-d", "0-d"), ("0-d", "scalar"), *((n, "0-d") for n in ("int", "float", "complex")),
         *(("0-d", n) for n in ("int", "float", "complex"))}  # fmt: skip

#: Why NumPy's answer is not ours: the ufuncs, a dtype of NumPy's operands or results, and words of the refusal.
REFUSED = [
    (UFUNCS, np.float16, r"float16, which no program can hold|cannot have dtype float16"),
    ([np.conjugate, np.vecdot, *([np.vecmat] if hasattr(np, "vecmat") else [])], np.complexfloating,
     r"the conjugate of complex values is not traced yet"),
    ([np.sign], np.complexfloating, r"sign: not defined for dtypes complex"),
]


def refused(ufunc, error, types):
    """Whether an error is one of the refusals above."""
    return any(
        ufunc in ufuncs and any(np.issubdtype(t, dtype) for t in types) and re.search(words, str(error))
        for ufuncs, dtype, words in REFUSED
    )


def same(got, want):
    """dtype, shape, and every value: NaN where NumPy has it, zeros of NumPy's sign."""
    if isinstance(want, tuple):
        return len(got) == len(want) and all(map(same, got, want))
    got, want = np.asarray(got), np.asarray(want)
    if (got.dtype, got.shape) != (want.dtype, want.shape):
        return False
    if want.dtype.kind not in "fc":
        return np.array_equal(got, want)
    close = 2e-6 if want.dtype in (np.float32, np.complex64) else 1e-14
    parts = [(got, want)] if want.dtype.kind == "f" else [(got.real, want.real), (got.imag, want.imag)]
    for g, w in parts:
        near = (g == w) | (np.isnan(g) & np.isnan(w)) | (abs(g - w) <= close * abs(w))
        if not near.all() or (want.dtype.kind == "f" and (np.signbit(g) != np.signbit(w))[(g == 0) & (w == 0)].any()):
            return False
    return True


def cases(ufunc):
    """Operands by name; of two, each value of the one meets each of the other."""
    if ufunc.signature is not None:
        core = ufunc.signature.partition("->")[0].replace("?", "")[1:-1].split("),(")
        shapes = [tuple({"m": 2, "n": 3, "k": 3, "p": 2}[c] for c in letters.split(",")) for letters in core]
        return {pair: [np.resize(ARRAYS[s], shape) for s, shape in zip(pair, shapes, strict=True)]
                for pair in itertools.product(ARRAYS, repeat=2)}  # fmt: skip
    found = {}
    every = OPERANDS if ufunc.nin < 3 else [n for n in OPERANDS if "array" in n]
    for names in itertools.product(every, repeat=ufunc.nin):
        operands = [OPERANDS[n] for n in names]
        if ufunc.nin > 1 and np.ndim(operands[0]) and np.ndim(operands[1]):
            operands[0] = operands[0][:, None]
        if tuple(n.split()[-1] for n in names) not in TWICE:
            found[names] = operands
    return found


def plain(ufunc, operands):
    return outcome(ufunc, operands)


SOAK = bool(os.environ.get("WENGERT_SOAK"))


def whole(ufunc, every):
    """All cases in one traced function; in two more, one operand of each is plain.

    That operand becomes one of the graph before the ufunc has its say: every third ufunc stands for the others.
    """
    flat = [x for operands in every for x in operands]
    n = len(every[0])

    def f(*xs):
        rows = [xs[i : i + n] for i in range(0, len(xs), n)]
        return [ufunc(*row) for row in rows]

    yield "traced", wg.trace(f)(*flat)
    if n > 1 and (SOAK or UFUNCS.index(ufunc) % 9 == 0):
        yield "first traced", wg.trace(lambda *xs: [ufunc(x, *o[1:]) for x, o in zip(xs, every, strict=True)])(*(o[0] for o in every))
        yield "last traced", wg.trace(lambda *xs: [ufunc(*o[:-1], x) for x, o in zip(xs, every, strict=True)])(*(o[-1] for o in every))


@pytest.mark.parametrize("ufunc", UFUNCS if SOAK else UFUNCS[::3], ids=lambda u: u.__name__)
def test_every_dtype(ufunc):
    wrong, batch = [], {}
    for names, operands in cases(ufunc).items():
        want = plain(ufunc, operands)
        types = [r.dtype for r in (want if isinstance(want, tuple) else (want,)) if isinstance(r, (np.ndarray, np.generic))]
        if types and all(t in DTYPES.values() for t in types):
            batch[names] = (operands, want)
        elif "0-d" not in "".join(names):
            got = outcome(wg.trace(lambda *xs: ufunc(*xs)), operands)
            if not isinstance(got, Exception):
                wrong.append(f"{names}: {got!r} for {want!r}")
            elif not (isinstance(want, Exception) and isinstance(got, raised(want))) and not refused(ufunc, got, types):
                wrong.append(f"{names}: {type(got).__name__} {got} for {want!r}")
    try:
        results = list(whole(ufunc, [operands for operands, _ in batch.values()])) if batch else []
    except Exception:  # noqa: BLE001 (one by one then)
        results = []
        for names, (operands, want) in batch.items():
            got = outcome(wg.trace(lambda *xs: ufunc(*xs)), operands)
            if isinstance(got, Exception) and not refused(ufunc, got, [np.result_type(o) for o in operands]):
                wrong.append(f"{names}: {type(got).__name__} {got} for {want!r}")
    for how, outputs in results:
        for (names, (_, want)), got in zip(batch.items(), outputs, strict=True):
            if not same(got, want):
                wrong.append(f"{names}, {how}: {got!r} for {want!r}")
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong[:40])


@pytest.mark.parametrize("ufunc", sorted(set(EVERY) - set(UFUNCS), key=lambda u: u.__name__), ids=lambda u: u.__name__)
def test_strings_and_dates(ufunc):
    for x in (np.ones(3), np.array([1, 2]), True, 2.5):
        want, got = (outcome(f, (x,) * ufunc.nin) for f in (ufunc, wg.trace(lambda *xs: ufunc(*xs))))
        assert isinstance(want, TypeError) and isinstance(got, TypeError), f"{got!r} for {want!r}"


def raised(want):
    """The built-in class of NumPy's error."""
    return next(c for c in (OverflowError, TypeError, ValueError, IndexError, Exception) if isinstance(want, c))
