# ruff: noqa: UP031 (users' code is of every style)
"""The rule of mutation: a traced value written into a plain array, or turned into a plain number, is right or raises.

It never just vanishes; the error is at the user's line and says what to do.
"""

import copy
import math
import pickle
import statistics

import numpy as np
import pytest
from numpy_alike import same

import wengert as wg

T = np.array([3.0, 1.0, 2.0])
OUTSIDE = np.zeros(3)


def put(target, key, value):
    target[key] = value


def into(target, write):
    write(target)
    return target


def added(target, value):
    target += value
    return target


def powered(target, value):
    target **= value
    return target


def matmuled(target, value):
    target @= value
    return target


#: Into a plain array: every one of these must raise a TraceError (a TypeError) that names this file and a line.
PLAIN = {
    "b[0] = t": lambda b, t: put(b, 0, t[0]),
    "b[0:2] = t": lambda b, t: put(b, slice(2), t[:2]),
    "b[...] = t": lambda b, t: put(b, ..., t),
    "b[mask] = t": lambda b, t: put(b, b == 0, t),
    "b[traced mask] = 1": lambda b, t: put(b, t > 1, 1.0),
    "b[fancy] = t": lambda b, t: put(b, [0, 1], t[:2]),
    "b[traced array] = 1": lambda b, t: put(b, t.astype(int)[:1], 1.0),
    "b[0] = [t]": lambda b, t: put(b, slice(1), [t[0]]),
    "copyto": lambda b, t: np.copyto(b, t),
    "copyto where": lambda b, t: np.copyto(b, 1.0, where=t > 1),
    "put": lambda b, t: np.put(b, [0, 1], t[:2]),
    "place": lambda b, t: np.place(b, np.array([True, False, True]), t[:2]),
    "putmask": lambda b, t: np.putmask(b, np.array([True, False, True]), t),
    "putmask by traced": lambda b, t: np.putmask(b, t > 1, 5.0),
    "put_along_axis": lambda b, t: np.put_along_axis(b, np.array([0, 1]), t[:2], 0),
    "put_along_axis traced": lambda b, t: np.put_along_axis(b, np.argsort(t)[:2], t[:2], -1), "put traced": lambda b, t: np.put(b, np.argsort(t)[:2], [t[0]]),
    "fill_diagonal": lambda b, t: np.fill_diagonal(b[:, None] * b, t),
    "fill_diagonal number": lambda b, t: np.fill_diagonal(b[:, None] * b, t[0]),
    **{f"{u.__name__}.at": lambda b, t, u=u: u.at(b, [0, 0, 1], t) for u in (
        np.add, np.subtract, np.multiply, np.divide, np.maximum, np.minimum, np.power)},
    "add.at number": lambda b, t: np.add.at(b, 0, t[0]),
    "negative.at": lambda b, t: np.negative.at(b, t.astype(int)),
    "fill": lambda b, t: b.fill(t[0]),
    "b.put": lambda b, t: b.put(0, t[0]),
    "b.flat = t": lambda b, t: setattr(b, "flat", t),
    "b.real = t": lambda b, t: setattr(b.astype(complex), "real", t),
    "b.T[0] = t": lambda b, t: put(b[None].T, 0, t[0]),
    "b += t": lambda b, t: added(b, t),
    "b[1:] += t": lambda b, t: added(b[1:], t[1:]),
    "b **= t": lambda b, t: powered(b, t),
    "b @= t": lambda b, t: matmuled(b[:, None] * b, np.outer(t, t)),
    "add out": lambda b, t: np.add(t, 1, out=b),
    "add out tuple": lambda b, t: np.add(1, t, out=(b,)),
    "sum out": lambda b, t: np.sum(t, out=b[:1].reshape(())),
    "sum method out": lambda b, t: t.sum(out=b[0:1].reshape(())),
    "matmul out": lambda b, t: np.matmul(np.eye(3), t, out=b),
    "dot out": lambda b, t: np.dot(np.eye(3), t, out=b),
    "concatenate out": lambda b, t: np.concatenate([t[:1], t[:2]], out=b),
    "clip out": lambda b, t: np.clip(t, 0, 1, out=b),
    "reduce out": lambda b, t: np.add.reduce(t, out=b[:1].reshape(())),
    "modf out": lambda b, t: np.modf(t, out=(b, None)),
    "plain.sum out": lambda b, t: np.cumsum(t, out=b),
    "where= out": lambda b, t: np.add(b, 1, out=b, where=t > 1),
    "take out": lambda b, t: np.take(t, [0, 1, 2], out=b),
    "lib.stride_tricks": lambda b, t: np.lib.stride_tricks.as_strided(t, (2,), (8,)),
}  # fmt: skip


def writing_into(outside, write):
    return lambda t: into(OUTSIDE * 1 if outside is None else outside, lambda b: write(b, t))


@pytest.mark.parametrize("name", PLAIN)
def test_a_traced_value_never_vanishes_in_an_array_from_outside(name):
    """(``b * 1`` inside is out of reach as well.)"""
    for outside in (np.zeros(3), None):
        with pytest.raises(wg.TraceError, match=r"At .*test_writing.py:\d+, in .+: .+\. [A-Z].+\.$"):
            wg.trace(writing_into(outside, PLAIN[name]))(T)


#: What NumPy does with buffers of its own and we still refuse in words.
STILL_REFUSED = {
    "b.real = t", "where= out", "lib.stride_tricks", "put_along_axis", "append", "insert",
    "power.at", "multiply.at", "divide.at", "maximum.at", "minimum.at", "negative.at",
}  # fmt: skip


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.filterwarnings("ignore:invalid value", "ignore:divide by zero")
def test_a_buffer_made_inside_is_written_into(name):
    same(lambda t: into(np.zeros(3), lambda b: PLAIN[name](b, t)), T, refusal=name in STILL_REFUSED)


def test_flat_assignment_raises():
    """NumPy hides our error here behind its own; it comes out all the same."""
    with pytest.raises(wg.TraceError, match=r"test_writing.py:\d+, in .*plain array"):
        wg.trace(lambda t: into(OUTSIDE * 1, lambda b: put(b.flat, 0, t[0])))(T)


#: Making plain arrays or numbers of traced values.
MAKING = {
    "float64": lambda t: np.float64(t[0]), "int64": lambda t: np.int64(t[0]), "bool_": lambda t: np.bool_(t[0]),
    "float": lambda t: float(t[0]), "complex": lambda t: complex(t[0]),
    "%f": lambda t: "%f" % t[0],
    "memoryview": lambda t: memoryview(t), "bytes": lambda t: bytes(t), "nditer": lambda t: list(np.nditer(t)),
    "statistics": lambda t: statistics.mean([t[0], t[1]]),
    "pickle": lambda t: pickle.dumps(t), "hash": lambda t: hash(t), "dict key": lambda t: {t[0]: 1}, "set": lambda t: {t[0]}, "np.save": lambda t: np.save("/nowhere", t),
    "ma": lambda t: np.ma.array([1.0, 2.0, 3.0]) + t, "ma reflected": lambda t: t + np.ma.array([1.0, 2.0, 3.0]), "matrix": lambda t: np.matrix(np.eye(3)) @ t,
    "objects": lambda t: t * np.array([1, 2, 3], object), "strings": lambda t: t == np.array(["a", "b", "c"]), "None": lambda t: t + None, "str": lambda t: t + "a",
    "set operand": lambda t: t + {1}, "frombuffer": lambda t: np.frombuffer(t),
}  # fmt: skip


@pytest.mark.parametrize("name", MAKING)
def test_a_traced_value_never_becomes_a_plain_one(name):
    with pytest.raises(TypeError):
        wg.trace(MAKING[name])(T)


#: What looks alike and works.
RIGHT = {
    "sum of a list": lambda t: sum([t, t]), "sum of a generator": lambda t: sum(x * x for x in t), "stack": lambda t: np.stack([t[0], 2.0]),
    "concatenate lists": lambda t: np.concatenate([[t[0], 1.0], t]), "buffer": lambda t: into(np.zeros_like(t), lambda b: put(b, 0, t[1])),
    "buffer grown": lambda t: into(np.zeros_like(t, shape=5), lambda b: put(b, slice(3), t)), "full_like": lambda t: np.full_like(t, t[0]),
    "out=": lambda t: into(np.zeros_like(t), lambda b: np.add(t, 1, out=b)), "out= plain operands": lambda t: into(np.zeros_like(t), lambda b: np.add(np.ones(3), 1, out=b)),
    "sum out=": lambda t: into(np.zeros_like(t), lambda b: np.ones((2, 3)).sum(axis=0, out=b)), "np.sum out=": lambda t: into(np.zeros_like(t), lambda b: np.sum(np.ones((2, 3)), 0, None, b)),
    "cumsum out=": lambda t: into(np.zeros_like(t), lambda b: np.cumsum(t, out=b)), "plain += is new": lambda t: np.ones(3) + t,
    "plain number += t": lambda t: added(1.0, t), "list += t": lambda t: added([1.0, 2.0, 3.0], t) if False else [1.0, *t], "format": lambda t: len(f"{t[0]:.2f}{t}") * 0 + t,
    "copy": lambda t: copy.copy(t) + copy.deepcopy([t])[0], "sorted": lambda t: sorted(t)[1], "plain[traced number]": lambda t: np.arange(9.0)[t[0].astype(int)],
    "fill": lambda t: into(t.copy(), lambda b: b.fill(t[1])), "sort": lambda t: into(t.copy(), lambda b: b.sort()), "compare None": lambda t: t == None,  # noqa: E711
    "compare text": lambda t: t != "a", "plain.clip": lambda t: np.ones(3).clip(t, 2 * t), "tuple operand": lambda t: (1, 2, 3) * t, "round": lambda t: round(t[0] / 3, 2),
    "array": lambda t: np.array(t),
    "array list": lambda t: np.array([t[0], 1]),
    "asarray": lambda t: np.asarray(t),
    "asarray list": lambda t: np.asarray([t]),
    "nested": lambda t: np.asarray([[t[0], 1.0]]),
    "asanyarray": lambda t: np.asanyarray(t),
    "ascontiguousarray": lambda t: np.ascontiguousarray(t),
    "full": lambda t: np.full(3, t[0]),
    "full array": lambda t: np.full((2, 3), t),
    "full_like plain": lambda t: np.full_like(np.zeros(3), t[0]),
    "fromiter": lambda t: np.fromiter(iter(t), float),
    "arange": lambda t: np.arange(t[0]),
    "array like": lambda t: np.array([1.0], like=t),
    "linspace": lambda t: np.linspace(0.0, t[0], 3),
    "math.sin": lambda t: math.sin(t[0]),
    "math.fsum": lambda t: math.fsum(t),
    "np.max list": lambda t: np.max([t[0], t[1]]),
    "np.exp list": lambda t: np.exp([t[0]]),
    "np.add list": lambda t: np.add([t[0], t[1]], 1),
    "math.floor": lambda t: math.floor(t[0]),
    "plain.dot": lambda t: np.ones((2, 3)).dot(t),
    "plain[traced]": lambda t: np.arange(9.0)[t.astype(int)],
    "plain[mask]": lambda t: np.arange(3.0)[t > 1],
    "math.isnan": lambda t: math.isnan(t[0]),
    "plain.take": lambda t: np.ones(5).take(t.astype(int)),
    "item": lambda t: t[0].item(),
    "np.sum list": lambda t: np.sum([t, t]),
    "np.mean list": lambda t: np.mean([t[0], 1.0]),
    "shuffle": lambda t: into(t.copy(), lambda b: np.random.default_rng(0).shuffle(b)),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.filterwarnings("ignore:you are shuffling")
def test_what_works(name):
    same(lambda t: RIGHT[name](t), T)
