"""The loops that are shown at work: schedules give one gradient, and what trains is the gradient of the plain loop."""

import numpy as np
import pytest

import wengert as wg
from wengert.tools.bench import loops


def test_a_schedule_keeps_less_and_gives_the_same_gradient():
    whole, square, binomial = (loops.measured(schedule, 300)[2] for schedule in (None, "sqrt", 3))
    np.testing.assert_allclose(square, whole, rtol=1e-12)
    np.testing.assert_allclose(binomial, whole, rtol=1e-12)


def test_back_propagation_through_time_is_that_of_the_plain_loop():
    pytest.importorskip("sklearn")
    x, rows, *_ = loops.digits()
    few, some, params = x[:6, :4], rows[:4], loops.initial()
    scanned = wg.grad(loops.loss)(params, few, some)
    unrolled = wg.grad(lambda p, x, r: loops.loss(p, x, r, unrolled=True))(params, few, some)
    for name in params:
        np.testing.assert_allclose(scanned[name], unrolled[name], rtol=1e-12, atol=1e-15)
