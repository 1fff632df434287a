"""The backend that a derivative is told to take runs every call, the first and those that come after."""

import numpy as np
import pytest

import wengert as wg
from wengert.backends import protocol

X = np.array([1.0, -2.0, 0.5])
CUBES = lambda x: np.sum(x**3)
DERIVATIVES = {
    "grad": (wg.grad, (X,)), "value_and_grad": (wg.value_and_grad, (X,)), "hvp": (wg.hvp, (X, X)),
    "jacobian": (lambda f, backend: wg.jacobian(lambda x: f(x) * x, backend=backend), (X,)), "hessian": (wg.hessian, (X,)),
}  # fmt: skip


@pytest.mark.parametrize("of", ["function", "program"])
@pytest.mark.parametrize("name", DERIVATIVES)
def test_it_runs_every_call(name, of, monkeypatch):
    derivative, arguments = DERIVATIVES[name]
    found = derivative(CUBES if of == "function" else wg.trace(CUBES).graph(X), backend="python")
    expected = derivative(CUBES, backend="reference")(*arguments)
    for made in ("compile", "forward", "reverse"):
        monkeypatch.setattr(type(protocol.get("numpy")), made, None)
    for _ in range(3):
        got = found(*arguments)
        for ours, theirs in zip(np.atleast_1d(got), np.atleast_1d(expected), strict=True) if name != "value_and_grad" else zip(got, expected, strict=True):
            np.testing.assert_allclose(ours, theirs)
