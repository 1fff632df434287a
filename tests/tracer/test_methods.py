# ruff: noqa: PLC3002 (users' code is of every style)
"""ndarray's methods and attributes: each does what NumPy's does, or says at the user's line that it cannot."""

import copy

import numpy as np
import pytest
from numpy_alike import INPUTS, same

import wengert as wg

SUPPORTED = {
    **{n: lambda x, n=n: getattr(x, n)() for n in (
        "sum", "prod", "mean", "var", "std", "max", "min", "any", "all", "argmax", "argmin", "cumsum", "cumprod", "ravel", "flatten", "squeeze",
        "transpose", "diagonal", "trace", "copy", "round", "conj", "conjugate", "nonzero", "tolist")},
    **{n: lambda x, n=n: getattr(x, n) for n in ("T", "mT", "real", "imag", "shape", "ndim", "size", "itemsize", "nbytes")},
    "dtype": lambda x: str(x.dtype),
    "sum axis": lambda x: x.sum(0, keepdims=True),
    "mean axis": lambda x: x.mean(axis=-1),
    "max out": lambda x: x.max(-1, np.zeros_like(x[..., 0])) if x.ndim > 1 else x,
    "reshape": lambda x: x.reshape(-1, 1),
    "reshape tuple": lambda x: x.reshape((1, -1)),
    "transpose axes": lambda x: x.transpose(1, 0),
    "transpose tuple": lambda x: x.transpose((1, 0)),
    "swapaxes": lambda x: x.swapaxes(0, 1),
    "repeat": lambda x: x.repeat(2, 0),
    "take": lambda x: x.take([0, 1]),
    "dot": lambda x: x.dot(np.ones(x.shape[-1])),
    "clip": lambda x: x.clip(0, 1),
    "round digits": lambda x: x.astype(float).round(1),
    "argsort": lambda x: x.argsort(kind="stable"),
    "astype": lambda x: x.astype(np.float32),
    "astype copy": lambda x: x.astype(x.dtype, copy=False) + 1,
    "astype casting": lambda x: x.astype(np.int8, casting="safe"),
    "argpartition": lambda x: np.take_along_axis(x, x.argpartition(0), -1)[..., 0],
    "compress": lambda x: [x.compress([True, False]), x.compress([1, 0, 1], axis=-1)],
    "choose": lambda x: (x > 0).choose([x, 2.5]),
    "searchsorted": lambda x: np.sort(x.ravel()).searchsorted([0.5, 1], "right"),
    "flat": lambda x: [x.flat[1], x.flat[::2], x.flat[[0, -1]], sum(x.flat), len(x.flat), x.flat.copy() * 2],
    "flat write": lambda x: [(b := x.copy()).flat.__setitem__(slice(1, 3), 7), b.flat.__setitem__(0, x.ravel()[1]), b.flat.__setitem__([1, 2], [4, 5]), b],
    "sort": lambda x: [(b := x.copy()).sort(), b],
    "sort axis": lambda x: [(b := x.copy()).sort(0), b],
    "fill": lambda x: [(b := x.copy()).fill(3), b],
    "put": lambda x: [(b := x.copy()).put([0, 1], 3), b],
    "copy.copy": lambda x: copy.copy(x) + copy.deepcopy([x])[0],
    "len": lambda x: x * len(x),
    "iter": lambda x: [2 * row for row in x],
    "reversed": lambda x: list(reversed(x)),
    "unpack": lambda x: (lambda first, *rest: first)(*x),
    "contains": lambda x: 3 in x,
    "round scalar": lambda x: round(x.sum() * 1.0, 1) if x.ndim else x,
    "int": lambda x: int(x.ravel()[0]) * 2,
    "builtins": lambda x: [sum(x), max(x.ravel()), abs(x)],
}  # fmt: skip
UNSUPPORTED = (
    "view", "strides", "base", "flags", "ctypes", "data", "byteswap", "dump", "dumps", "getfield",
    "partition", "resize", "setfield", "setflags", "tobytes", "tofile", "to_device", "device",
)  # fmt: skip
IGNORED = {"item", "flat", "newbyteorder", "ptp", "itemset", "tostring"}


@pytest.mark.parametrize("name", SUPPORTED)
def test_a_method_does_what_numpys_does(name):
    for sort in ("vector", "matrix", "cube", "square", "floats", "ints", "small"):
        same(lambda x: SUPPORTED[name](x), INPUTS[sort])


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_what_is_not_there_says_so_at_the_users_line(name):
    if not hasattr(np.ndarray, name):
        pytest.skip("not in this NumPy")
    with pytest.raises(wg.TraceError, match=rf"At .*test_methods.py:\d+, in .*: ndarray.{name} of a traced array"):
        wg.trace(lambda x: getattr(x * 1, name))(np.ones(3))


def test_every_public_name_of_ndarray_is_one_or_the_other():
    known = {name.split()[0] for name in SUPPORTED} | set(UNSUPPORTED) | IGNORED
    assert {n for n in dir(np.ndarray) if not n.startswith("_")} <= known


def test_item_is_a_number_that_stays_traced():
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    for read in (lambda x: x.item(3), lambda x: x.item(-1), lambda x: x.item(1, 0), lambda x: x.item((0, 1)), lambda x: x[0, :1].item()):
        same(read, x)
        assert wg.grad(lambda x, read=read: read(x) ** 2)(x).sum() == 2 * read(x)
    same(lambda x: x.item(), x)


def test_flat_reads_and_writes_in_c_order():
    x = np.arange(6.0).reshape(2, 3)
    for use in (
        lambda y: y.flat[4], lambda y: y.flat[1:5], lambda y: sum(y.flat) * 1.0, lambda y: len(y.flat) * y, lambda y: y.T.flat[1],
        lambda y: y.flat.__setitem__(4, 9.0) or y, lambda y: y.flat.__setitem__(slice(0, 3), y[1]) or y, lambda y: setattr(y, "flat", y[0]) or y,
        lambda y: y.T.flat.__setitem__([0, 1], y[0, 2]) or y,
    ):  # fmt: skip
        same(lambda x, use=use: use(x * 1), x)


def test_attributes_cannot_be_set():
    for name in ("shape", "dtype", "T", "real", "imag", "strides", "data"):
        with pytest.raises(wg.TraceError, match=f"the attribute {name} of a traced array is set"):
            wg.trace(lambda x, name=name: setattr(x * 1, name, x))(np.ones(3))
    with pytest.raises(AttributeError):
        wg.trace(lambda x: setattr(x * 1, "anything", 1))(np.ones(3))


def test_a_misspelt_attribute_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'summ'"):
        wg.trace(lambda x: x.summ())(np.ones(3))
    assert wg.trace(lambda x: x * hasattr(x, "fit"))(2.0) == 0.0
