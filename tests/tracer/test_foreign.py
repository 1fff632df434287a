"""What no program holds meets a traced value: NumPy's other dtypes, subclasses of ndarray, other libraries' arrays.

Either the answer is NumPy's, or it is an error; and where NumPy has an answer, the error is in words, at the user's line.
"""

import datetime as dt
import re

import numpy as np
import pytest
from numpy_alike import outcome

import wengert as wg

sparse = pytest.importorskip("scipy.sparse")
pytestmark = pytest.mark.filterwarnings("ignore")


class Plain(np.ndarray):
    """A subclass that adds nothing."""


class Units(np.ndarray):
    """A subclass that answers for itself."""

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        return f"{ufunc.__name__} in units"


FOREIGN = {
    "float16": np.ones(3, np.float16), "float16 scalar": np.float16(1), "longdouble": np.ones(3, np.longdouble),
    "longdouble scalar": np.longdouble(1), "clongdouble": np.ones(3, np.clongdouble), "object": np.array([1, 2, 3], object),
    "str": np.array(["a", "b", "c"]), "bytes": np.array([b"a", b"b", b"c"]), "StringDType": np.array(["a", "b", "c"], np.dtypes.StringDType()),
    "datetime": np.array(["2020-01-01"] * 3, "M8[D]"), "timedelta": np.array([1, 2, 3], "m8[s]"), "timedelta scalar": np.timedelta64(1, "s"),
    "structured": np.zeros(3, [("a", float)]), "void": np.zeros(1, [("a", float)])[0], "records": np.rec.array([(1.0,)] * 3, dtype=[("a", float)]),
    "masked array": np.ma.array([1.0, 2.0, 3.0], mask=[0, 1, 0]), "masked": np.ma.masked, "matrix": np.matrix([[1.0, 2.0, 3.0]]),
    "subclass": np.ones(3).view(Plain), "subclass with its own ufuncs": np.ones(3).view(Units), "chararray": np.char.array(["a", "b", "c"]),
    "csr_matrix": sparse.csr_matrix(np.eye(3)), "csr_array": sparse.csr_array(np.eye(3)), "coo_array": sparse.coo_array(np.eye(3)),
    "string": "abc", "None": None, "timedelta of Python": dt.timedelta(1), "set": {1, 2}, "dict": {},
}  # fmt: skip


def added(y, other):
    y += other
    return y


def assigned(y, other):
    y[:] = other
    return y


def filled(other, x):
    other = other.copy()
    other[0] = x[0]
    return other


MEETINGS = {
    "x + o": lambda x, o: x + o, "o + x": lambda x, o: o + x, "o * x": lambda x, o: o * x, "o @ x": lambda x, o: o @ x,
    "x @ o": lambda x, o: x @ o, "x < o": lambda x, o: x < o, "x == o": lambda x, o: x == o, "o == x": lambda x, o: o == x,
    "np.add(x, o)": lambda x, o: np.add(x, o), "np.add(o, x)": lambda x, o: np.add(o, x),
    "np.add.outer": lambda x, o: np.add.outer(o, x), "np.add.at": lambda x, o: np.add.at(x * 1, [0, 1, 2], o),
    "np.add.reduce": lambda x, o: np.add.reduce(x, initial=o), "np.sin(where=)": lambda x, o: np.sin(x, where=o, out=x * 1),
    "np.where": lambda x, o: np.where(x > 0, x, o), "np.concatenate": lambda x, o: np.concatenate([x, o]),
    "np.stack": lambda x, o: np.stack([o, x]), "np.dot": lambda x, o: np.dot(o, x), "np.clip": lambda x, o: np.clip(x, o, None),
    "x += o": lambda x, o: added(x * 1, o), "o += x": lambda x, o: added(o.copy(), x), "x[:] = o": lambda x, o: assigned(x * 1, o),
    "o[0] = x": lambda x, o: filled(o, x), "out=o": lambda x, o: np.add(x, 1, out=o),
}  # fmt: skip
#: NumPy asks the traced value for a string or a date before anybody else can speak: an error of NumPy's own.
NUMPY_SPEAKS = {("o[0] = x", name) for name in ("str", "bytes", "StringDType", "datetime", "timedelta", "chararray")}
#: Python's own words, which say as much.
PYTHON_SPEAKS = {("o * x", "timedelta of Python")}


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("meeting", MEETINGS)
def test_the_answer_is_numpys_or_an_error(meeting, name):
    f, x = MEETINGS[meeting], np.array([1.0, 2.0, 3.0])
    other = FOREIGN[name]
    want = outcome(f, (x, other))
    got = outcome(wg.trace(lambda x: f(x, other)), (x,))
    if isinstance(got, Exception):
        in_words = isinstance(got, wg.TraceError) and re.match(r"At .*(test_foreign|numpy_alike)\.py:\d+, in .*\. [A-Z].*\.$", str(got), re.DOTALL)
        assert in_words or isinstance(want, Exception) or (meeting, name) in NUMPY_SPEAKS | PYTHON_SPEAKS, f"{got!r} for {want!r}"
    else:
        assert type(got) is type(want), f"{got!r} for {want!r}"
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("name", FOREIGN)
def test_as_an_argument(name):
    """An argument that is not NumPy's plain array is refused, or static, or left as it is."""
    x = np.array([1.0, 2.0, 3.0])
    got = outcome(wg.trace(lambda x, o: x * 2), (x, FOREIGN[name]))
    if isinstance(got, Exception):
        assert isinstance(got, wg.WengertError) and str(got).endswith("."), repr(got)
    else:
        np.testing.assert_array_equal(got, x * 2)


@pytest.mark.parametrize("dtype", [np.float16, np.longdouble, object, "U3", "M8[D]", "m8[s]"])
def test_a_conversion_to_it(dtype):
    for f in (lambda x: x.astype(dtype), lambda x: np.add(x, 1, dtype=dtype), lambda x: np.sum(x, dtype=dtype), lambda x: np.zeros_like(x, dtype)):
        got = outcome(wg.trace(lambda x, f=f: f(x)), (np.ones(3),))
        assert isinstance(got, TypeError), repr(got)
        assert not isinstance(got, wg.TraceError) or "test_foreign.py" in str(got)
