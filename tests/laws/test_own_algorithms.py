"""Law: the first derivatives of ``reference`` and ``numpy`` are their own: they never ask ``wengert.ir.autodiff``.

Wherever the laws speak of these derivatives, they are those that came about without it.
"""

import itertools

import pytest
from batches import differentiable, jacobians, without_autodiff

import wengert.ir.autodiff
from wengert.ir.ops import OPS


def test_without_it_there_is_none():
    with without_autodiff(), pytest.raises(AssertionError, match="asked"):
        wengert.ir.autodiff.jvp(None, ())


@pytest.mark.parametrize("name", [name for name in OPS if differentiable(name)])
def test_both_modes_work_without_it(name, cases):
    for backend, mode in itertools.product(("reference", "numpy"), ("forward", "reverse")):
        chosen, found = jacobians(name, backend, mode)
        assert len(found) == len(chosen)
    cases(4 * len(differentiable(name)))
