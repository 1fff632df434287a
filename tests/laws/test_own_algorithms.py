"""Law: the first derivatives of ``reference`` and ``numpy`` are their own: they never ask ``wengert.ir.autodiff``."""

import pytest
from batches import Batch, differentiable, expected_jacobian, far

import wengert.ir.autodiff
from wengert.ir.autodiff import forward, transposition
from wengert.ir.ops import OPS


def refuse(*args, **kwargs):
    raise AssertionError("a backend asked wengert.ir.autodiff for its first derivative")


@pytest.fixture
def without_autodiff(monkeypatch):
    for module in (wengert.ir.autodiff, forward, transposition):
        for name in module.__all__:
            if name not in ("Linearized", "cotangent_type"):
                monkeypatch.setattr(module, name, refuse)
    with pytest.raises(AssertionError, match="asked"):
        wengert.ir.autodiff.jvp(None, ())


@pytest.mark.parametrize("mode", ["forward", "reverse"])
@pytest.mark.parametrize("backend", ["reference", "numpy"])
@pytest.mark.parametrize("name", [name for name in OPS if differentiable(name)])
def test_both_modes_work_without_it(name, backend, mode, without_autodiff, cases):
    chosen = differentiable(name)
    for sample, got in zip(chosen, getattr(Batch(chosen), mode)(backend), strict=True):
        if sample.smooth:
            assert not far(sample, got, expected_jacobian(sample)).any(), str(sample)
    cases(len(chosen))
