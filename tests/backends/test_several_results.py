"""Library ops with several results, and with operands they are linear in, on every backend."""

import numpy as np
import pytest
from batches import BACKENDS

from wengert.backends import protocol
from wengert.ir import autodiff
from wengert.ir.build import Builder, Namespace
from wengert.ir.errors import DerivativeError
from wengert.ir.kinds import Library
from wengert.ir.types import ArrayType

INDEX = np.dtype(np.int64)


def _polar_jvp(xp, out, primals, tangents, params):
    (x, y), (dx, dy), (r, _, _, _) = primals, tangents, out
    dr, da = 0.0, 0.0
    if dx is not None:
        dr, da = dr + xp.scale(x / r, dx), da - xp.scale(y / (r * r), dx)
    if dy is not None:
        dr, da = dr + xp.scale(y / r, dy), da + xp.scale(x / (r * r), dy)
    return dr, da, None, None


def _polar_vjp(xp, g, k, out, primals, params):
    assert any(each is not None for each in g)
    (x, y), (r, _, _, _) = primals, out
    radius, angle = (x / r, -y / (r * r)) if k == 0 else (y / r, x / (r * r))
    return sum(xp.scale(p, each) for p, each in ((radius, g[0]), (angle, g[1])) if each is not None) + xp.zeros_like(x)


#: Radius, angle, quadrant, and a float that is locally constant.
POLAR = Library(function=None, name="polar", doc="for this test",
    call=lambda x, y: (np.hypot(x, y), np.arctan2(y, x), (x < 0).astype(INDEX) + 2 * (y < 0), np.sign(x)),
    types=lambda op, types, params: (types[0], types[0], ArrayType(INDEX, types[0].shape), types[0]),
    jvp=_polar_jvp, vjp=_polar_vjp)  # fmt: skip


def polar(dtype=np.float64):
    x, y = np.array([1.0, -2.0, 0.5], dtype), np.array([0.5, 1.5, -3.0], dtype)
    b = Builder("polar")
    inputs = [b.input(ArrayType(x.dtype, (3,))) for _ in range(2)]
    r, angle, quadrant, sign = b.emit_all(POLAR, inputs)
    xp = Namespace(b)
    total = xp.wrap(r) * xp.wrap(sign) + xp.cast(xp.wrap(quadrant), x.dtype)
    return b.graph([total.value, angle, quadrant]), [x, y]


def expected(x, y):
    """By hand: of sign(x) r, and of the angle."""
    r = np.hypot(x, y)
    s = np.sign(x)
    return np.diag(s * x / r), np.diag(s * y / r), np.diag(-y / r**2), np.diag(x / r**2)


@pytest.mark.parametrize("backend", BACKENDS)
def test_values_tangents_and_cotangents(backend):
    graph, (x, y) = polar()
    run = protocol.get(backend)
    values = run.compile(graph)([x, y])
    assert np.allclose(values[0], np.sign(x) * np.hypot(x, y) + values[2])
    assert np.allclose(values[1], np.arctan2(y, x))
    eye, zero = np.eye(3), np.zeros((3, 3))
    _, (ta, tb, none) = run.forward(graph, (0, 1))([x, y], [np.r_[eye, zero], np.r_[zero, eye]])
    assert none is None
    ax, ay, bx, by = expected(x, y)
    assert np.allclose(ta, np.r_[ax, ay], atol=1e-15)
    assert np.allclose(tb, np.r_[bx, by], atol=1e-15)
    for ga, gb, gx, gy in ((eye, None, ax, ay), (None, eye, bx, by), (eye, eye, ax + bx, ay + by)):
        _, (gotx, goty) = run.reverse(graph, (0, 1))([x, y], [ga, gb, None])
        assert np.allclose(gotx, gx, atol=1e-15)
        assert np.allclose(goty, gy, atol=1e-15)
        _, (alone,) = run.reverse(graph, (1,))([x, y], [ga, gb, None])
        assert np.allclose(alone, gy, atol=1e-15)


@pytest.mark.parametrize("backend", BACKENDS)
def test_second_derivatives(backend):
    graph, (x, y) = polar()
    gradient = autodiff.vjp(graph.evolve(outputs=graph.outputs[:2]), (0, 1))
    gradient = gradient.evolve(outputs=gradient.outputs[2:])
    ones = np.ones(3)
    t, h = np.array([0.3, -0.7, 1.1]), 1e-6
    run = protocol.get(backend)
    _, moved = run.forward(gradient, (0,))([x, y, ones, 2 * ones], [t[None]])
    far, near = (run.compile(gradient)([x + s * t, y, ones, 2 * ones]) for s in (h, -h))
    for got, a, b in zip(moved, far, near, strict=True):
        assert np.allclose(got[0], (a - b) / (2 * h), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("backend", BACKENDS)
def test_only_some_results_are_used(backend):
    """The others take no part: neither in values nor in derivatives."""
    graph, (x, y) = polar()
    graph = graph.evolve(outputs=(graph.nodes[0].results[1],))
    run = protocol.get(backend)
    (value,) = run.compile(graph)([x, y])
    assert np.allclose(value, np.arctan2(y, x))
    _, (t,) = run.forward(graph, (0,))([x, y], [np.ones((1, 3))])
    _, (g,) = run.reverse(graph, (0,))([x, y], [np.ones((1, 3))])
    assert np.allclose(t, -y / (x * x + y * y))
    assert np.allclose(g, t)


def _halves(m, x):
    """The first half of the operand times m, and the difference of the halves."""
    return m * x[:2], x[2:] - x[:2]


def _halves_vjp(xp, g, k, out, primals, params):
    first, second = g
    if k == 0:
        return None if first is None else xp.scale(primals[1][:2], first)
    assert primals[1] is None or out is not None  # transposed: neither is there to be read
    m, zero = primals[0], xp.zeros_like(primals[0])
    left, right = (zero if first is None else xp.scale(m, first)), (zero if second is None else second)
    return xp.concatenate((left - right, right), 0)


HALVES = Library(function=None, name="halves", doc="for this test", linear=(1,), call=_halves,
    types=lambda op, types, params: (types[0], types[0]),
    jvp=lambda xp, out, primals, tangents, params: _halves_jvp(xp, primals, tangents),
    vjp=_halves_vjp)  # fmt: skip


def _halves_jvp(xp, primals, tangents):
    (m, x), (dm, dx) = primals, tangents
    moved = (xp.zeros_like(m), xp.zeros_like(m))
    if dx is not None and hasattr(xp, "builder"):
        moved = tuple(map(xp.wrap, xp.builder.emit_all(HALVES, [m.value, dx.value])))
    elif dx is not None:
        moved = _halves(m, dx)
    return (moved[0] if dm is None else moved[0] + xp.scale(x[:2], dm), moved[1])


def linear():
    b = Builder("linear")
    inputs = [b.input(ArrayType(np.dtype(float), (n,))) for n in (2, 4)]
    return b.graph(b.emit_all(HALVES, inputs)), [np.array([2.0, -3.0]), np.array([1.0, 5.0, -2.0, 0.5])]


@pytest.mark.parametrize("backend", BACKENDS)
def test_linear_in_an_operand(backend):
    graph, (m, x) = linear()
    run = protocol.get(backend)
    g = [np.array([[1.0, 10.0]]), np.array([[100.0, 1000.0]])]
    for cotangents, over_m, over_x in (
        (g, [1, 50], [-98, -1030, 100, 1000]), ([g[0], None], [1, 50], [2, -30, 0, 0]), ([None, g[1]], [0, 0], [-100, -1000, 100, 1000]),
    ):  # fmt: skip
        _, (gm, gx) = run.reverse(graph, (0, 1))([m, x], cotangents)
        assert (gm[0].tolist(), gx[0].tolist()) == (over_m, over_x)
    t = np.arange(1.0, 5.0)
    _, (first, second) = run.forward(graph, (1,))([m, x], [t[None]])
    assert (first[0].tolist(), second[0].tolist()) == ([2, -6], [2, 2])


def test_the_transpose_of_a_linear_op_is_its_vjp():
    graph, (m, x) = linear()
    parts = autodiff.linearize(graph, (1,))
    assert [node.op.name for node in parts.linear.nodes] == ["halves"]
    pulled = autodiff.vjp(graph, (1,))
    assert "halves" in [node.op.name for node in pulled.nodes]  # for the value alone
    again = autodiff.vjp(pulled.evolve(outputs=pulled.outputs[2:]), (0,))  # and back again
    assert len(again.outputs) == 2


def test_an_op_that_does_not_say_that_it_is_linear_is_not_transposed():
    graph, _ = linear()
    stubborn = Library(function=None, name="stubborn", doc="", call=_halves, types=HALVES.types,
        jvp=lambda xp, out, primals, tangents, params: tuple(map(xp.wrap, xp.builder.emit_all(stubborn, [primals[0].value, tangents[1].value]))),
        vjp=_halves_vjp)  # fmt: skip
    node = graph.nodes[0]
    graph = graph.evolve(nodes=(type(node)(stubborn, node.operands, node.params, node.results),))
    with pytest.raises(DerivativeError, match="not linear in operand 1"):
        autodiff.vjp(graph, (1,))
