"""reduce, accumulate, reduceat, outer and at of every ufunc of two operands, and the options of calls: NumPy's, to the value."""

import functools

import numpy as np
import pytest
from numpy.testing import overrides
from numpy_alike import alike, outcome, same

import wengert as wg

INPUTS = {
    "floats": np.array([[1.5, 2.0, 0.25], [3.0, 0.5, 2.0]]),
    "ints": np.array([[3, 1, 2], [5, 5, 1]]),
    "bools": np.array([[True, False, True], [False, False, True]]),
    "single": np.array([[1.5, 2.0, 0.25], [3.0, 0.5, 2.0]], np.float32),
    "small": np.array([[3, 1, 2], [5, 5, 1]], np.int8),
    "scalar": np.float64(2.5),
}
MASK = np.array([[True, False, True], [False, True, True]])
UFUNCS = sorted(
    {u for u in overrides.get_overridable_numpy_ufuncs() if u.nin == 2 and u.signature is None and {"d", "l"} & set("".join(u.types))}
    - {getattr(np.strings, name) for name in ("find", "rfind", "index", "rindex", "count", "startswith", "endswith")},
    key=lambda u: (u.__name__, u.types),
)
#: Where NumPy's own loops for AVX-512 fold a contiguous axis wrongly: 1.5**2**0.25 comes out as 1.5**0.25.
VECTOR_FAULTS = ("power", "arctan2")


def at_pairs(u, x):
    y = x.copy()
    u.at(y, ([0, 1, 0, 0], [1, 2, 1, 0]), x[0, 0])
    return y


def at_rows(u, x):
    y = x.copy()
    u.at(y, [0, 0], x)
    return y


METHODS = {
    **{f"reduce {axis}": lambda u, x, axis=axis: u.reduce(x, axis=axis) for axis in (0, -1, None, (0, 1), 2)},
    "initial": lambda u, x: u.reduce(x, axis=0, initial=2, keepdims=True),
    "traced initial": lambda u, x: u.reduce(x, axis=0, initial=x.sum()),
    "where": lambda u, x: u.reduce(x, axis=0, where=MASK),
    "where, initial": lambda u, x: u.reduce(x, axis=0, initial=1, where=MASK),
    "traced where": lambda u, x: u.reduce(x, axis=0, initial=1, where=x > 1),
    "dtype": lambda u, x: u.reduce(x, dtype=np.float64),
    "out": lambda u, x: u.reduce(x, out=np.zeros_like(x, shape=(3,))),
    "nothing": lambda u, x: u.reduce(x[:0] if np.ndim(x) else x),
    "nothing, initial": lambda u, x: u.reduce(x[:0] if np.ndim(x) else x, initial=3),
    "accumulate": lambda u, x: u.accumulate(x),
    "accumulate 1": lambda u, x: u.accumulate(x, 1),
    "accumulate dtype": lambda u, x: u.accumulate(x, dtype=np.float32),
    "accumulate nothing": lambda u, x: u.accumulate(x[:0] if np.ndim(x) else x),
    "outer": lambda u, x: u.outer(x, x),
    "outer number": lambda u, x: u.outer(2, x),
    "reduceat": lambda u, x: u.reduceat(x, [0, 1, 0]),
    "reduceat 1": lambda u, x: u.reduceat(x, [0, 2, 1], axis=1),
    "reduceat none": lambda u, x: u.reduceat(x, []),
    "reduceat outside": lambda u, x: u.reduceat(x, [5]),
    "at pairs": at_pairs,
    "at rows": at_rows,
}


@pytest.mark.parametrize("ufunc", UFUNCS, ids=lambda u: u.__name__)
@pytest.mark.filterwarnings("ignore")
def test_every_method(ufunc):
    wrong = []
    for (name, method), (sort, x) in ((m, i) for m in METHODS.items() for i in INPUTS.items()):
        if ufunc.__name__ in VECTOR_FAULTS and name in ("reduce -1", "accumulate 1", "reduceat 1"):
            continue
        want, got = outcomes(method, ufunc, x)
        try:
            if not isinstance(want, Exception) and not isinstance(got, Exception):
                alike(got, want)
            elif not refused(ufunc, name, got, x):
                assert isinstance(want, Exception) and isinstance(got, type(want)), f"{got!r} for {want!r}"
        except AssertionError as error:
            wrong.append(f"{name} of {sort}: {error}")
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong)


def outcomes(method, ufunc, x):
    return outcome(lambda x: method(ufunc, x), (x,)), outcome(wg.trace(lambda x: method(ufunc, x)), (x,))


def refused(ufunc, name, got, x):
    """What is not traced although NumPy does it; each says why."""
    if not isinstance(got, wg.TraceError):
        return False
    return "float16" in str(got) or (ufunc is np.ldexp and "two operands differ in dtype" in str(got))


@pytest.mark.parametrize("ufunc", VECTOR_FAULTS)
def test_folds_that_numpy_vectorises_wrongly_are_right(ufunc):
    u, x = getattr(np, ufunc), INPUTS["floats"]
    want = functools.reduce(u, x.T)
    np.testing.assert_allclose(wg.trace(lambda x: u.reduce(x, axis=-1))(x), want, rtol=1e-14)
    np.testing.assert_allclose(wg.trace(lambda x: u.accumulate(x, axis=-1))(x)[:, -1], want, rtol=1e-14)


UNARY = [u for u in overrides.get_overridable_numpy_ufuncs() if u.nin == 1 and u.nout == 1 and "d->d" in u.types]


@pytest.mark.parametrize("ufunc", [*UNARY, np.invert, np.logical_not], ids=lambda u: u.__name__)
@pytest.mark.filterwarnings("ignore")
def test_at_of_one_operand(ufunc):
    def at(x):
        y = x.copy()
        ufunc.at(y, [0, 0, 1])
        return y

    for x in ([0.25, 0.5, 1.0], [0, 1, 2], [True, False, True]):
        same(at, np.array(x), refusal=np.array(x).dtype != float)


OPTIONS = {
    "where and out": lambda x: np.sqrt(x, out=np.zeros_like(x), where=x > 1),
    "where and out, plain": lambda x: np.add(x, x, out=x * 2, where=[True, False, True]),
    "where broadcasts": lambda x: np.add(x, 1, out=np.zeros_like(x, shape=(2, 3)), where=np.array([[True], [False]])),
    "where with numbers": lambda x: np.add(x, 1, out=np.zeros_like(x), where=[1, 0, 1]),
    "where with an array of numbers": lambda x: np.add(x, 1, out=np.zeros_like(x), where=np.array([1, 0, 1])),
    "where only out traced": lambda x: np.add([1.0, 2.0, 3.0], 1, out=np.zeros_like(x), where=[True, False, True]),
    "where True": lambda x: np.add(x, 1, where=True),
    "dtype": lambda x: np.add(x, 1, dtype=np.float32),
    "dtype str": lambda x: np.add(x, 1, dtype="d"),
    "dtype of integers": lambda x: np.sqrt(x.astype(int), dtype=np.float32),
    "no such loop": lambda x: np.sqrt(x, dtype=int),
    "sig": lambda x: np.add(x, 1, sig="dd->d"),
    "signature": lambda x: np.add(x, 1, signature=(None, None, np.float64)),
    "signature of one": lambda x: np.sqrt(x, signature="f->f"),
    "casting no": lambda x: np.add(x, x.astype(np.float32), casting="no"),
    "casting equiv": lambda x: np.add(x, x, casting="equiv"),
    "casting safe": lambda x: np.add(x, x, dtype=np.float32, casting="safe"),
    "casting unsafe": lambda x: np.add(x, 1, out=np.zeros_like(x, int), casting="unsafe"),
    "casting unknown": lambda x: np.add(x, 1, casting="perhaps"),
    "out, same kind": lambda x: np.add(x, 1, out=np.zeros_like(x, int)),
    "out larger": lambda x: np.add(x, 1, out=np.zeros_like(x, shape=(2, 3))),
    "out smaller": lambda x: np.add(x, 1, out=np.zeros_like(x, shape=(1,))),
    "out of two": lambda x: np.divmod(x, 2, out=(np.zeros_like(x), None)),
    "out of two, short": lambda x: np.divmod(x, 2, out=(np.zeros_like(x),)),
    "out as position": lambda x: np.sin(x, np.zeros_like(x)),
    "order": lambda x: np.add(x, 1, order="F"),
    "order unknown": lambda x: np.add(x, 1, order="Z"),
    "subok": lambda x: np.add(x, 1, subok=False),
    "unknown": lambda x: np.add(x, 1, colour=1),
    "axis of no product": lambda x: np.add(x, 1, axis=0),
    "too many": lambda x: np.add(x, 1, np.zeros_like(x), 3),
    "too few": lambda x: np.add(x),
    "two outs": lambda x: np.sin(x, np.zeros_like(x), out=np.zeros_like(x)),
    "matmul axes": lambda x: np.matmul(np.outer(x, x), np.outer(x, x + 1), axes=[(0, 1), (1, 0), (1, 0)]),
    "vecdot axis": lambda x: np.vecdot(np.outer(x, x), np.outer(x, x + 1), axis=0),
    "vecdot keepdims": lambda x: np.vecdot(np.outer(x, x), x, keepdims=True),
    "outer options": lambda x: np.add.outer(x, x, dtype=np.float32, out=np.zeros_like(x, np.float32, shape=(3, 3))),
    "reduce position": lambda x: np.add.reduce(x, 0, np.float64, None, True),
    "at of integers converts": lambda x: add_at(x.astype(int), [0, 0], 1.75),
    "at, outside": lambda x: add_at(x * 1, [7], 1.0),
    "at, a mask": lambda x: add_at(x * 1, np.array([True, False, True]), x[:2]),
    "at, wrong values": lambda x: add_at(x * 1, [0, 1], x),
    "reduce of sin": lambda x: np.sin.reduce(x),
    "outer of sin": lambda x: np.sin.outer(x, x),
    "reduce of divmod": lambda x: np.divmod.reduce(x),
    "reduce of matmul": lambda x: np.matmul.reduce(x),
    "accumulate of divmod": lambda x: np.divmod.accumulate(x),
    "isnat": lambda x: np.isnat(x),
    "a ufunc of strings": lambda x: np.strings.str_len(x),
    "gcd of floats": lambda x: np.gcd(x, x),
}  # fmt: skip


def add_at(y, indices, values):
    np.add.at(y, indices, values)
    return y


@pytest.mark.parametrize("name", OPTIONS)
def test_options(name):
    same(OPTIONS[name], np.array([0.25, 1.5, 2.0]))


def test_the_errors_are_numpys():
    for f in OPTIONS.values():
        want, got = outcome(f, (np.ones(3),)), outcome(wg.trace(lambda x, f=f: f(x)), (np.ones(3),))
        if isinstance(want, Exception):
            assert isinstance(got, tuple(c for c in (TypeError, ValueError, IndexError, RuntimeError) if isinstance(want, c)))


def test_where_without_out_is_refused_with_the_alternative():
    with pytest.raises(wg.TraceError, match=r"test_ufunc_methods.py:\d+.*undefined\. Use np.where"):
        wg.trace(lambda x: np.add(x, 1, where=x > 0))(np.ones(3))


DIFFERENTIABLE = {
    "multiply": lambda x: np.multiply.accumulate(x),
    "cumprod": lambda x: np.cumprod(x),
    "maximum": lambda x: np.maximum.accumulate(x),
    "minimum": lambda x: np.minimum.accumulate(x),
    "logaddexp": lambda x: np.logaddexp.accumulate(x),
    "logaddexp reduce": lambda x: np.logaddexp.reduce(x),
    "divide": lambda x: np.divide.reduce(x),
    "subtract": lambda x: np.subtract.accumulate(x),
    "hypot": lambda x: np.hypot.reduce(x),
    "reduceat": lambda x: np.add.reduceat(x, [0, 3, 1]),
    "multiply reduceat": lambda x: np.multiply.reduceat(x, [0, 3, 1]),
    "outer": lambda x: np.arctan2.outer(x, x[:2]),
    "at": lambda x: at_rows(np.multiply, np.stack([x, x + 1])),
    "maximum at": lambda x: at_rows(np.maximum, np.stack([x, x + 1])),
    "sin at": lambda x: sin_at(x * 1),
    "where out": lambda x: np.sqrt(x, out=x * 3, where=x > 1),
    "frexp": lambda x: np.frexp(x)[0],
    "ldexp": lambda x: np.ldexp(x, [1, -2, 3, 0]),
    "spacing": lambda x: x * np.spacing(x),
    "matvec": lambda x: np.matvec(np.outer(x, x), x) + np.vecmat(x, np.outer(x, x + 1)),
    "fmod": lambda x: np.fmod(x, 0.75),
}  # fmt: skip


def sin_at(y):
    np.sin.at(y, [0, 0, 2])
    return y


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_both_modes_are_the_differences(name):
    f, x, h = DIFFERENTIABLE[name], np.array([1.3, 0.6, 2.2, 0.9]), 1e-3
    if name == "matvec" and not hasattr(np, "matvec"):
        return
    columns = []
    for e in np.eye(4):
        near = [np.asarray(f(x + s * h * e)) for s in (1, -1, 2, -2)]
        columns.append((8 * (near[0] - near[1]) - (near[2] - near[3])) / (12 * h))
    want = np.stack(columns, -1)
    for mode in ("forward", "reverse"):
        np.testing.assert_allclose(wg.jacobian(f, mode=mode)(x), want, rtol=1e-9, atol=1e-9)


def test_nextafter_has_no_derivative_and_says_so():
    x = np.array([1.0, -2.0])
    np.testing.assert_array_equal(wg.trace(lambda x: np.nextafter(x, np.inf))(x), np.nextafter(x, np.inf))
    for derivative in (wg.grad(lambda x: np.nextafter(x, 2.0).sum()), wg.jacobian(lambda x: np.nextafter(x, 2.0), mode="forward")):
        for backend in ("numpy", "reference", "python"):
            with pytest.raises(wg.DerivativeError, match="nextafter has no derivative.*spacing"), wg.backend(backend):
                derivative(x)


def test_at_traced_indices():
    def f(x, i):
        y = x * 1
        np.add.at(y, i, [1.0, 2.0])
        np.subtract.at(y, i[0], 5.0)
        return y

    for i in ([0, 0], [-1, 2]):
        same(f, np.arange(4.0), np.array(i))
    with pytest.raises(wg.TraceError, match=r"np.multiply.at cannot be traced at these indices"):
        wg.trace(lambda x, i: np.multiply.at(x * 1, i, 2.0))(np.arange(3.0), np.array([0, 1]))


def traced(f):
    return wg.trace(lambda *xs: f(*xs))


@pytest.mark.parametrize("backend", ["numpy", "reference", "python"])
@pytest.mark.parametrize("bits", [np.uint64, np.uint32])
@pytest.mark.filterwarnings("ignore")
def test_numbers_taken_apart_bit_by_bit(bits, backend):
    """Any pattern of bits, powers of two and their neighbours, subnormal numbers, the largest."""
    rng, real = np.random.default_rng(0), {np.uint64: np.float64, np.uint32: np.float32}[bits]
    powers = (2.0 ** np.arange(-1074, 1024, 7)).astype(real)
    x = np.concatenate([
        rng.integers(0, np.iinfo(bits).max, 300, dtype=bits, endpoint=True).view(real), rng.integers(0, 99, 50).astype(bits).view(real),
        powers, np.nextafter(powers, real(0)), np.array([0, -0.0, np.finfo(real).max, np.finfo(real).min], real)])  # fmt: skip
    n = rng.integers(-2200, 2200, len(x))
    with wg.backend(backend):
        for f in (np.ldexp, lambda x, n: np.ldexp(x, n // 20), lambda x, n: np.frexp(x), lambda x, n: np.spacing(x), lambda x, n: np.nextafter(x, x[::-1])):
            for got, want in zip(np.atleast_2d(traced(f)(x, n)), np.atleast_2d(f(x, n)), strict=True):
                np.testing.assert_array_equal(got, want)
        for code in "bhilBHIL" if hasattr(np, "bitwise_count") else "":
            v = rng.integers(np.iinfo(code).min, np.iinfo(code).max, 99, dtype=code, endpoint=True)
            same(np.bitwise_count, v)
