"""Basic keys resolve as NumPy resolves them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp

from wengert.ir import keys


@given(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4).flatmap(
    lambda shape: hnp.basic_indices(shape, allow_newaxis=True).map(lambda key: (shape, key))))
def test_resolves_like_numpy(case):
    shape, key = case
    x = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    found = keys.resolve(key, shape)
    index = np.ix_(*(s + d * np.arange(n) for s, n, d in zip(found.start, found.size, found.step, strict=True)))

    np.testing.assert_array_equal(x[index].reshape(found.shape), x[key])


def test_errors_are_numpys():
    with pytest.raises(IndexError, match="out of bounds for axis 1 with size 2"):
        keys.resolve((0, 2), (3, 2))
    with pytest.raises(IndexError, match="too many indices"):
        keys.resolve((0, 0, 0), (3, 2))
    with pytest.raises(IndexError, match="single ellipsis"):
        keys.resolve((..., ...), (3, 2))


def test_is_basic():
    assert keys.is_basic((1, slice(None), None, ..., np.int64(2).item()))
    assert not keys.is_basic([0, 1])
    assert not keys.is_basic(True)
    assert not keys.is_basic((0, np.array([1])))
