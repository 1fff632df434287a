"""The memory of large results: kept where the caller lets go of it, never where someone still has it."""

import numpy as np
import pytest

import wengert as wg
from wengert.backends.source.c import BACKEND, entrance

pytestmark = pytest.mark.skipif(BACKEND.unavailable() is not None, reason="needs a C compiler")
X = np.random.default_rng(0).normal(size=20_000)


@pytest.fixture
def double(monkeypatch):
    """A program with an entrance in C."""
    monkeypatch.setenv("WENGERT_ENTRANCE", "now")
    if entrance.entrance_type() is None:
        pytest.skip("Python's headers are not here")
    program = wg.trace(lambda x: x * 2).graph(X).on("c")
    for _ in range(3):
        program(X)
    return program


def place(array):
    return array.__array_interface__["data"][0]


def test_what_is_let_go_of_is_used_again(double):
    y = double(X)
    before = place(y)
    del y
    assert place(double(-X)) == before


def test_what_someone_has_is_left_alone(double):
    results = [double(X + k) for k in range(20)]
    view = results.pop()[5:]
    del results
    more = [double(-X) for _ in range(20)]
    np.testing.assert_array_equal(view, 2 * (X + 19)[5:])
    assert len({place(y) for y in more} | {place(view) - 40}) == 21


def test_such_an_array_is_an_array(double):
    y = double(X)
    assert y.flags.owndata and y.flags.writeable and y.base is None
    y.resize(2 * X.size, refcheck=False)
    np.testing.assert_array_equal(y, np.concatenate([2 * X, 0 * X]))
    del y
    np.testing.assert_array_equal(double(X), 2 * X)


def test_other_arrays_are_left_alone(double):
    names = np._core.multiarray
    small = wg.trace(lambda x: x * 2).graph(X[:10]).on("c")
    for _ in range(3):
        small(X[:10])
    assert names.get_handler_name(double(X)) == "wengert"
    assert names.get_handler_name(small(X[:10])) == names.get_handler_name() == names.get_handler_name(np.empty(20_000))
