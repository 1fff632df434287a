"""Questions about arrays, and their bits; and the functions that are refused, each with its reason."""

import io

import numpy as np
import pytest
from numpy_alike import INPUTS, name_of, same

import wengert as wg
from wengert.tracer.numpy_api import questions

X, M = INPUTS["vector"], INPUTS["matrix"]


def bits(x):
    return np.clip(np.where(x == x, abs(x * 40.0), 0), 0, 255).astype(np.uint8)


CASES = {
    np.array_equiv: [lambda x: np.array_equiv(x, x), lambda x: np.array_equiv(x, x[None]) if np.ndim(x) else x, lambda x: np.array_equiv(x, [1, 2, 3, 4, 5]), lambda x: np.array_equiv(x, x + 1), lambda x: np.array_equiv(3, x)],
    np.iscomplex: [np.iscomplex], np.isreal: [np.isreal], np.isposinf: [np.isposinf, lambda x: np.isposinf(x, np.zeros_like(x, bool))], np.isneginf: [np.isneginf],
    np.real_if_close: [lambda x: np.real_if_close(x) * 1],
    np.may_share_memory: [lambda x: np.may_share_memory(x, x), lambda x: np.may_share_memory(x[:2], x[1:]), lambda x: np.may_share_memory(x, x * 1), lambda x: np.may_share_memory(x[::2], x[1::2]), lambda x: np.may_share_memory(x, np.ones(3))],
    np.shares_memory: [lambda x: np.shares_memory(x, x), lambda x: np.shares_memory(x[:2], x[1:]), lambda x: np.shares_memory(x[::2], x[1::2]), lambda x: np.shares_memory(x.T, x[..., 0])],
    np.min_scalar_type: [lambda x: str(np.min_scalar_type(x)) if np.ndim(x) else x], np.can_cast: [lambda x: np.can_cast(x, np.float32), lambda x: np.can_cast(np.asarray(1.0) if np.ndim(x) == 0 else x, "f8", casting="no")],
    np.common_type: [lambda x: np.common_type(x, np.float32(1)).__name__, lambda x: np.common_type(x).__name__],
    np.array_repr: [], np.array_str: [], np.array2string: [],
    np.packbits: [lambda x: np.packbits(x > 0), lambda x: np.packbits(bits(x) > 30, axis=-1), lambda x: np.packbits(bits(x), 0, "little"), lambda x: np.packbits(x * 1.5), lambda x: np.packbits(x > 0, bitorder="middle"), lambda x: np.packbits(x > 0, axis=4)],
    np.unpackbits: [  # of nothing, NumPy reads memory that is not there
        lambda x: np.unpackbits(bits(x)), lambda x: np.unpackbits(bits(x), axis=-1), lambda x: np.unpackbits(bits(x), 0, 5) if np.size(x) else x, lambda x: np.unpackbits(bits(x), count=-3, bitorder="little"), lambda x: np.unpackbits(bits(x), count=99) if np.size(x) else x, lambda x: np.unpackbits(x * 1.0), lambda x: np.unpackbits(bits(x), count=-999)],
}  # fmt: skip
NUMBERS = ("scalar", "number", "int", "complex number")
#: What NumPy does and the tracer does not: (function, sort of array).
REFUSED = {(f, sort) for f in (np.may_share_memory, np.shares_memory, np.can_cast, np.common_type) for sort in NUMBERS}
REFUSED.add((np.packbits, "complex number"))  # Python does not order complex numbers, NumPy does


def test_every_function_has_a_case():
    assert set(CASES) == set(questions.TABLE)


@pytest.mark.parametrize("sort", INPUTS)
@pytest.mark.parametrize("function", CASES, ids=name_of)
def test_a_function_does_what_numpy_does(function, sort):
    for case in CASES[function]:
        same(lambda x, case=case: case(x), INPUTS[sort], refusal=(function, sort) in REFUSED)


def test_the_text_of_a_traced_array_is_its_type():
    seen = []
    wg.trace(lambda x: [seen.extend([np.array_repr(x), np.array_str(x, 5), np.array2string(x, precision=3)]), x][1])(X)
    assert seen == ["<traced f64[6]>"] * 3


def test_whether_memory_is_shared_is_not_guessed():
    with pytest.raises(wg.TraceError, match=r"test_questions.py:\d+.*np.shares_memory.*x.copy"):
        wg.trace(lambda x: x * np.shares_memory(x, x.ravel()))(M)


def test_the_smallest_type_of_a_number_is_not_guessed():
    with pytest.raises(wg.TraceError, match=r"test_questions.py:\d+.*np.min_scalar_type.*x.dtype"):
        wg.trace(lambda x: str(np.min_scalar_type(x)))(1.0)


WORDS = {
    "save": lambda x: np.save(io.BytesIO(), x), "savez": lambda x: np.savez(io.BytesIO(), x), "savetxt": lambda x: np.savetxt("f", x),
    "is_busday": lambda x: np.is_busday(x), "datetime_as_string": lambda x: np.datetime_as_string(x),
}  # fmt: skip


@pytest.mark.parametrize("name", WORDS)
def test_what_is_refused_says_why_and_what_to_do(name):
    with pytest.raises(wg.TraceError, match=rf"test_questions.py:\d+.*{name} \w+ .*\. \w+ .*\."):
        wg.trace(WORDS[name])(X)
