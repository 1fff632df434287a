"""wg.vmap of branches and loops: each lane takes its own way, as it would alone."""

import itertools
import os

import numpy as np
import pytest
from lanes import agree

import wengert as wg
from wengert import cond, fori_loop, grad, hessian, jvp, scan, switch, trace, vmap, while_loop
from wengert.backends import protocol
from wengert.ir.batching import batch
from wengert.ir.verify import verify

SOAK = bool(os.environ.get("WENGERT_SOAK"))
X = np.random.default_rng(0).standard_normal((4, 3))
N, S = np.array([0, 1, 3, 2]), np.array([3.0, 50.0, 150.0, 0.5])


def newton(a):
    """A square root, and how far it is: as many steps as it takes."""
    return while_loop(lambda s: abs(s[0] * s[0] - a) > 1e-12 * a, lambda s: (0.5 * (s[0] + a / s[0]), s[1] + 1), (a + 1.0, 0))[0]


def walk(x, n):
    """Reads as far as x goes: one step more would be an IndexError."""
    at = lambda i: np.take(x, i)
    return while_loop(lambda s: s[0] < n, lambda s: (s[0] + 1, s[1] * 0.5 + np.sin(at(s[0])) * s[1] + at(s[0])), (0, 1.0))[1]


CASES = {
    "cond": (lambda s: cond(s > 60, np.sin, np.cos, s), S),
    "switch": (lambda x, n: switch(n, [np.sum, np.max, np.min, lambda y: (y**2).sum()], x), X, N),
    "while": (lambda s: while_loop(lambda s: s < 100.0, lambda s: s * 2.0, s), S),
    "while, by itself": (newton, S),
    "while, to the edge": (walk, X, N),
    "while, the same in every lane": (lambda x: while_loop(lambda s: s[0] < 2, lambda s: (s[0] + 1, s[1] * x), (0, x))[1], X),
    "scan": (lambda x: scan(lambda c, v: (c * 0.5 + np.sin(v) * c, c * v), 1.0, x)[1], X),
    "scan, what is read beside": (lambda x: scan(lambda c, v: (c * 0.5 + np.sin(v) * x.sum(), c * v), 1.0, np.arange(4.0), reverse=True)[1], X),
    "scan, of lanes": (lambda x: scan(lambda c, v: (c + v, vmap(lambda y: np.sin(y * c).sum())(x)), 1.0, x)[1], X),
    "fori": (lambda x: fori_loop(0, 3, lambda i, s: s * np.take(x, i) + 1.0, 1.0), X),
    "loops in loops": (lambda x, n: fori_loop(0, 2, lambda i, s: s + walk(x * s, n), 0.1), X, N),
    "branches in loops": (lambda s: while_loop(lambda s: s < 100.0, lambda s: cond(s > 10, lambda t: t * 2.0, lambda t: newton(t) + t + 1, s), s), S),
}  # fmt: skip
FEW = [name for name in CASES if SOAK or name in ("switch", "while, to the edge", "scan, what is read beside", "branches in loops")]


def summed(x, y):
    """What a primitive computes: of one lane, and of no more."""
    assert np.shape(x) == (3,) and np.shape(y) == ()
    return np.array([float(np.sum(x) * y), float(y)])


OWN = {
    "checkpoint": wg.checkpoint(lambda x, y: np.sin(x) * y),
    "custom, jvp": wg.custom(lambda x, y: np.sin(x) * y, jvp=lambda p, t: (np.sin(p[0]) * p[1], 3 * p[0] * t[0] + t[1])),
    "custom, vjp": wg.custom(lambda x, y: np.sin(x) * y, vjp=lambda p, value, g: (5 * p[1] * g, np.sum(g * value))),
    "custom, both": wg.custom(lambda x, y: np.sin(x) * y, jvp=lambda p, t: (np.sin(p[0]) * p[1], 3 * t[0] * p[1]),
                              vjp=lambda p, value, g: (3 * g * p[1], None)),
    "scaled": lambda x, y: wg.scale_gradient(np.sin(x) * y, 0.5) * x,
    "straight through": lambda x, y: wg.straight_through(np.round)(x * 3) * y,
    "primitive": wg.primitive(
        summed, name="lanes.summed", like=lambda x, y: np.zeros(2),
        jvp=lambda p, t: (np.zeros(2), np.stack([np.sum(t[0]) * p[1] + np.sum(p[0]) * t[1], t[1]]))),
}  # fmt: skip


def loop(g, *args):
    return np.stack([g(*lane) for lane in zip(*args, strict=True)])


def same(x, y):
    np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-10)


def squared(g):
    return lambda *args: np.sum(g(*args) ** 2)


@pytest.mark.parametrize("name", CASES)
def test_each_lane_its_own_way(name):
    g, *args = CASES[name]
    same(vmap(g)(*args), loop(g, *args))
    slopes = loop(grad(squared(g)), *args)
    same(vmap(grad(squared(g)))(*args), slopes)
    same(grad(lambda x: vmap(squared(g))(x, *args[1:]).sum())(args[0]), slopes)


@pytest.mark.parametrize("name", FEW)
def test_with_other_transformations(name, tmp_path):
    g, x, *rest = CASES[name]
    f, along = squared(g), np.ones_like(x)
    pushed = loop(lambda x, t, *r: jvp(lambda y: g(y, *r), (x,), (t,))[1], x, along, *rest)
    same(vmap(lambda x, t, *r: jvp(lambda y: g(y, *r), (x,), (t,))[1])(x, along, *rest), pushed)
    same(jvp(lambda x: vmap(g)(x, *rest), (x,), (along,))[1], pushed)
    same(vmap(hessian(f))(x, *rest), loop(hessian(f), x, *rest))
    slopes = loop(grad(f), x, *rest)
    same(vmap(vmap(grad(f)))(*(np.stack([a, a]) for a in (x, *rest))), np.stack([slopes, slopes]))
    trace(vmap(grad(f))).graph(x, *rest).save(tmp_path / "lanes.wg")
    same(wg.load(tmp_path / "lanes.wg")(x, *rest), slopes)
    trace(grad(f)).graph(*(a[0] for a in (x, *rest))).save(tmp_path / "lane.wg")
    same(vmap(wg.load(tmp_path / "lane.wg"))(x, *rest), slopes)
    assert vmap(grad(f))(*(a[:0] for a in (x, *rest))).shape == (0, *x.shape[1:])


def positive(rng, type_):
    """Counts that loops end with, and numbers that they do."""
    if type_.dtype.kind in "iu":
        return np.asarray(rng.integers(0, 4, type_.shape), type_.dtype)
    return np.asarray(rng.choice([0.5, 1.5, 2.0, 0.3, 3.0, 0.7, 40.0, 150.0], type_.shape), type_.dtype)


EVERY = [s for s in itertools.product(["jvp", "vjp", "lanes"], repeat=3) if "lanes" in s]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", [*CASES, *(name for name in OWN if name != "primitive")])
def test_three_transformations(name):
    g, *args = CASES[name] if name in CASES else (OWN[name], X, S)
    graph = trace(g).graph(*(x[1] for x in args)).graph.evolve(signature=None, results=None)
    for number, steps in enumerate(EVERY if SOAK else EVERY[len(name) % 19 :: 19]):
        agree(graph, steps, np.random.default_rng(number), positive)


@pytest.mark.parametrize("backend", ["reference", "python", pytest.param("c", marks=pytest.mark.skipif("c" not in wg.available_backends(), reason="no compiler"))])
@pytest.mark.parametrize("name", FEW if SOAK else FEW[1:2])
def test_on_every_backend(name, backend):
    g, *args = CASES[name]
    same(vmap(g, backend=backend)(*args), loop(g, *args))
    same(vmap(grad(squared(g)), backend=backend)(*args), loop(grad(squared(g)), *args))


# ----- What a lane must not meet -----


def test_a_branch_that_would_fail_in_other_lanes():
    matrices = np.stack([np.eye(2), np.zeros((2, 2)), np.ones((2, 2)) + np.eye(2)])
    g = lambda a, b: cond(np.abs(a).sum() > 0, np.linalg.solve, lambda a, b: b * 0, a, b)
    sides = np.ones((3, 2))
    same(vmap(g)(matrices, sides), loop(g, matrices, sides))
    f = lambda a, b: g(a, b).sum()
    same(vmap(grad(f))(matrices, sides), loop(grad(f), matrices, sides))


def test_a_loop_that_would_never_end_in_lanes_that_are_done():
    halved = lambda s: while_loop(lambda t: t % 2 == 0, lambda t: t // 2, s)  # of 0: for ever
    g = lambda n: while_loop(lambda s: s[0] > 0, lambda s: (halved(s[0]) - 1, s[1] + 1), (n, 0))[1]
    numbers = np.array([0, 5, 12, 7, 1])
    np.testing.assert_array_equal(vmap(g)(numbers), loop(g, numbers))


def test_a_branch_that_no_lane_takes_is_not_run():
    raising = lambda x: np.linalg.solve(np.zeros((2, 2)), x)
    g = vmap(lambda x: cond(x[0] > 0, raising, np.copy, x))
    np.testing.assert_array_equal(g(-np.ones((3, 2))), -np.ones((3, 2)))
    with pytest.raises(np.linalg.LinAlgError):
        g(np.array([[-1.0, 1.0], [1.0, 1.0]]))


@pytest.mark.parametrize("bad", [-1, 2])
def test_a_lane_without_a_branch(bad):
    with pytest.raises(IndexError, match=str(bad)):
        vmap(lambda i, x: switch(i, [np.sin, np.cos], x))(np.array([0, 1, bad]), np.ones(3))


# ----- Calls -----


def test_calls_stay_calls():
    inner = trace(lambda x, y: (np.sin(x) * y, y + 1)).graph(1.0, 2.0)
    outer = trace(lambda x, y: inner(x, inner(x, y)[0])).graph(1.0, 2.0)
    lanes, axes = batch(outer.graph, (None, 0), 3)
    calls = [node for node in lanes.nodes if node.op.name == "call"]
    assert [[v.type.shape for v in node.params["graph"].inputs] for node in calls] == [[(), (3,)]] * 2
    assert "sin" not in [node.op.name for node in lanes.nodes]
    verify(lanes)
    ys = np.arange(3.0)
    first, second = protocol.get("numpy").compile(lanes)([np.array(0.5), ys])
    same(first, np.sin(0.5) ** 2 * ys)
    same(second, np.sin(0.5) * ys + 1)
    assert axes == (0, 0)


@pytest.mark.parametrize("name", OWN)
def test_calls_with_rules_of_their_own(name):
    h = OWN[name]
    f, ys = lambda x, y: np.sum(h(x, y) ** 2), np.array([2.0, -1.0, 0.5, 3.0])
    for given, axes in (((X, ys), 0), ((X, 2.0), (0, None)), ((X[0], ys), (None, 0))):
        lanes = list(zip(*(a if len(np.shape(a)) == 2 or a is ys else [a] * 4 for a in given), strict=True))
        same(vmap(h, axes)(*given), np.stack([trace(h)(*lane) for lane in lanes]))
        slopes = [grad(f, (0, 1))(*lane) for lane in lanes]
        for got, want in zip(vmap(grad(f, (0, 1)), axes)(*given), zip(*slopes, strict=True), strict=True):
            same(got, np.stack(want))
        total = grad(lambda *a, axes=axes: vmap(f, axes)(*a).sum(), (0, 1))(*given)
        for got, want, each in zip(total, zip(*slopes, strict=True), given, strict=True):
            same(got, np.stack(want) if np.ndim(each) == np.ndim(want[0]) + 1 else np.sum(want, axis=0))


def test_a_rule_for_reverse_mode_alone():
    f = lambda x: np.sum(wg.clip_gradient(x, -1.0, 1.0) ** 2)
    same(vmap(grad(f))(X), np.clip(2 * X, -1, 1))
    same(grad(lambda x: vmap(f)(x).sum())(X), np.clip(2 * X, -1, 1))
    with pytest.raises(wg.DerivativeError, match="not linear"):
        vmap(lambda x: jvp(f, (x,), (x,))[1])(X)
