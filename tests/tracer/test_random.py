"""Random draws: NumPy's numbers, Generators advanced as NumPy would, replay and redraw, derivatives, refusals."""

import copy
import random
import threading

import numpy as np
import pytest
from batches import BACKENDS
from numpy.random import default_rng, standard_normal as old_normal

import wengert as wg
from wengert.backends import protocol
from wengert.ir.ops.random import KINDS, generator_of, key_of


def same(got, want):
    """Whether two results are one, to the bit; of no axes, NumPy's scalar for an array."""
    if type(want) in (int, float, bool):
        return type(got) is type(want) and got == want
    found, known = np.asarray(got), np.asarray(want)
    return (type(got) in (int, float), found.dtype, found.shape, found.tobytes()) == (
        False, known.dtype, known.shape, known.tobytes())  # fmt: skip


A, B = np.array([0.7, 1.9, 3.2]), np.array([[0.5], [2.5]])
#: Method to calls of it; each is made untraced and traced, and the numbers and the states compared.
CALLS = {
    "random": [((), {}), ((3,), {}), (((2, 3), np.float32), {}), ((), {"dtype": "f4"}), (((),), {})],
    "standard_normal": [((), {}), ((4, "f4"), {}), (((2, 0),), {})],
    "standard_exponential": [((5,), {"method": "inv"}), ((), {}), ((3, np.float32), {})],
    "standard_gamma": [((2.5,), {}), ((A, None), {}), ((A, (2, 3)), {}), ((0.4, 3, np.float32), {})],
    "standard_cauchy": [((), {}), ((3,), {})],
    "uniform": [((), {}), ((-1, 3), {}), ((A, B + 9), {}), ((0, A, (2, 3)), {}), ((np.float32(1), 2), {"size": 2})],
    "normal": [((), {}), ((A,), {}), ((A, B), {}), ((1, 2, (2, 2)), {}), (([1, 2], 3), {}), ((np.array(2.0),), {})],
    "laplace": [((), {}), ((A, B), {}), ((1, 2, 9), {})], "logistic": [((), {}), ((A, B), {}), ((1, 2, 9), {})],
    "gumbel": [((), {}), ((A, B), {}), ((1, 2, 9), {})], "lognormal": [((), {}), ((A, B), {}), ((1, 0.5, 40), {})],
    "exponential": [((), {}), ((A, (2, 3)), {}), ((2, 9), {})], "rayleigh": [((), {}), ((A,), {}), ((2, 9), {})],
    "weibull": [((2,), {}), ((A,), {}), ((0.7, 40), {}), (([0, 1, 0, 2],), {})], "pareto": [((2,), {}), ((A,), {}), ((0.7, 40), {})],
    "power": [((2,), {}), ((A,), {}), ((0.7, 40), {})],
    "triangular": [((0, 1, 3), {}), ((-A, 0, B), {}), ((0, 1, 3, 40), {}), ((0, 0, 1, 9), {})],
    "gamma": [((2,), {}), ((A, B), {}), ((0.4, 2, 30), {})], "chisquare": [((3,), {}), ((A,), {}), ((0.4, 30), {})],
    "beta": [((2, 3), {}), ((A, B), {}), ((0.4, 0.3, 9), {})], "f": [((2, 3), {}), ((A, B), {}), ((3, 4, 9), {})],
    "noncentral_chisquare": [((2, 3), {}), ((A, B), {})], "noncentral_f": [((2, 3, 1), {}), ((A, B, 1), {})],
    "standard_t": [((3,), {}), ((A,), {}), ((A, (2, 3)), {})], "vonmises": [((0, 1), {}), ((A, B), {})],
    "wald": [((2, 3), {}), ((A, B), {})], "dirichlet": [((A,), {}), ((A, 2), {}), ((A, (2, 2)), {})],
    "geometric": [((0.3,), {}), ((A / 4, (2, 3)), {})], "logseries": [((0.3,), {}), ((A / 4,), {})],
    "zipf": [((2.5,), {}), ((A + 1,), {})], "negative_binomial": [((3, 0.5), {}), ((A, 0.4), {})],
    "poisson": [((), {}), ((A,), {}), ((B, (2, 3)), {}), ((30.5, 9), {})],
    "binomial": [((5, 0.4), {}), (([5, 90], 0.4), {}), ((5, A / 4, 3), {})],
    "multinomial": [((5, [0.2, 0.8]), {}), ((5, A / A.sum(), 4), {}), (([5, 6], [0.5, 0.5]), {}), ((5, [0.5, 0.5], (2, 2)), {})],
    "hypergeometric": [((4, 5, 3), {}), (([4, 9], 5, 3), {}), ((4, 5, 3, 6), {})],
    "multivariate_hypergeometric": [(([4, 3], 2), {}), (([4, 3, 9], 5, 3), {}), (([4, 3], 2), {"method": "count"})],
    "integers": [
        ((5,), {}), ((2, 9, 7), {}), (([3, 4, 5],), {}), ((1, [3, 4, 5], (2, 3)), {}), ((5,), {"dtype": np.int32}),
        ((2**64,), {"dtype": np.uint64, "size": 3}), ((-(2**63), 2**63, 3), {}), ((2,), {"dtype": bool, "size": 5}),
        ((5,), {"endpoint": True, "size": 9}), ((250,), {"dtype": np.uint8, "size": 9}), ((5, None, ()), {}), ((3,), {"dtype": np.int16, "size": 5}),
    ],
    "choice": [
        ((5,), {}), ((5, 3), {}), ((A,), {}), ((A, (2, 2)), {}), ((5, 3, False), {}), ((A, 2), {"p": [0.2, 0.3, 0.5]}), ((5, ()), {}),
        ((9, 4), {"replace": False, "shuffle": False}), ((np.eye(3), 2), {"axis": 1}), ((3, 2, False, [0.2, 0.3, 0.5]), {}), (([1, 2, 3],), {}), (([4, 5], 3), {}),
        ((20000, 3), {"replace": False}), ((np.eye(3),), {}),
    ],
    "permutation": [((6,), {}), ((A,), {}), ((np.arange(12).reshape(4, 3),), {}), ((np.arange(12).reshape(4, 3), 1), {}), (([3, 1, 2],), {})],
    "permuted": [((A,), {}), ((np.arange(12).reshape(4, 3),), {}), ((np.arange(12.0).reshape(4, 3),), {"axis": 1}), ((np.arange(12).reshape(4, 3),), {"axis": 0})],
    "multivariate_normal": [(([1, 2], [[2, 0.5], [0.5, 1]]), {"method": m, "size": s}) for m in ("svd", "eigh", "cholesky") for s in (None, 3, (2, 2))],
}  # fmt: skip
#: The last step is a product of matrices, or a function whose last bit is the processor's.
ROUNDED = {"multivariate_normal": 1e-14, "lognormal": 1e-15, "weibull": 1e-15, "pareto": 1e-15, "power": 1e-15}
ALL = [pytest.param(name, *call, id=f"{name}-{i}") for name, calls in CALLS.items() for i, call in enumerate(calls)]


@pytest.mark.parametrize(("name", "args", "kwargs"), ALL)
def test_the_numbers_are_numpys(name, args, kwargs):
    """As an argument and as made within, on every backend; the Generator is where NumPy leaves it."""
    theirs = default_rng(8)
    expected = [getattr(theirs, name)(*args, **kwargs), theirs.normal()]
    ours = default_rng(8)
    f = wg.trace(lambda rng: [getattr(rng, name)(*args, **kwargs), rng.normal()])
    for backend in protocol.BUILT_IN:
        ours = default_rng(8)
        got = f.on(backend)(ours)
        if name in ROUNDED:
            assert np.shape(got[0]) == np.shape(expected[0])
            assert np.allclose(got[0], expected[0], rtol=ROUNDED[name], atol=0)
        else:
            assert same(got[0], expected[0])
        assert got[1] == expected[1]
        assert ours.bit_generator.state == theirs.bit_generator.state


@pytest.mark.parametrize("kind", KINDS[1:])
def test_every_bit_generator(kind):
    make = lambda: np.random.Generator(getattr(np.random, kind)(7))

    def f(rng):
        return rng.integers(9, size=3, dtype=np.int32), rng.normal(size=2)

    ours, theirs, traced = make(), make(), wg.trace(f)
    for _ in range(3):
        assert all(map(same, traced(ours), f(theirs)))
    assert key_of(ours).tobytes() == key_of(theirs).tobytes() == key_of(generator_of(key_of(ours))).tobytes()


def mixed(x, rng):
    y = np.zeros(3)
    y[1] = rng.normal(x)
    total = rng.uniform(0, x, 3) + y
    for _ in range(3):
        total = total * rng.gamma(2.0, x, 3)
    order = rng.permutation(3)
    if rng.random() < 0.5:
        total = total - rng.exponential(x)
    rng.shuffle(y)
    return total[order] + rng.poisson(2.0) + y, rng.integers(10)


def test_a_sequence_of_draws_with_a_branch_on_one():
    f = wg.trace(mixed)
    ours, theirs = default_rng(5), default_rng(5)
    for _ in range(8):
        assert all(map(same, f(1.5, ours), mixed(1.5, theirs)))
        assert ours.bit_generator.state == theirs.bit_generator.state


def test_made_within_it_is_a_constant():
    def f(x, seed=None):
        rng = np.random.default_rng(4 if seed is None else seed)
        other = np.random.Generator(np.random.Philox(3))
        return x * rng.normal(size=2) + other.uniform() + rng.random()

    traced = wg.trace(f)
    assert same(traced(2.0), f(2.0))
    assert same(traced(2.0), f(2.0))
    assert [len(v) for v in traced._variants.values()] == [1]
    for seed in (0, 1, 2**40):  # of a seed that is an argument, computed: one graph
        assert same(traced(2.0, seed), f(2.0, seed))
    assert [len(v) for v in traced._variants.values()] == [1, 1]
    assert same(wg.trace(lambda s: np.random.default_rng(s).normal())(np.array([1, 2])), default_rng(np.array([1, 2])).normal())


def test_without_a_seed_every_call_draws_anew():
    f = wg.trace(lambda x: x + default_rng().normal(size=2))
    first, second = f(1.0), f(1.0)
    assert not np.allclose(first, second)
    assert len(next(iter(f._variants.values()))) == 1
    branching = wg.trace(lambda x: x if default_rng().random() < 0.5 else -x)
    assert 60 < sum(branching(1.0) > 0 for _ in range(200)) < 140  # each draw counts: none is rejected by a guard
    assert len(next(iter(branching._variants.values()))) == 2
    with pytest.raises(wg.TraceError, match=r"without a seed.*Give np.random.default_rng a seed"):
        f.graph(1.0)
    values = {wg.trace(lambda x: wg.grad(lambda y: y * default_rng().normal())(x))(1.0) for _ in range(2)}
    assert len(values) == 2


GLOBAL = default_rng(1)


def rebind(seed):
    globals()["GLOBAL"] = default_rng(seed)


class Model:
    def __init__(self):
        self.rng = default_rng(1)
        self.held = {"rngs": [default_rng(1)]}

    @wg.trace
    def attribute(self, x):
        return x * self.rng.normal(size=2)

    @wg.trace
    def contained(self, x):
        return x * self.held["rngs"][0].normal(size=2)


def helper(x):
    return x * GLOBAL.normal(size=2)


def test_held_outside_it_is_read_and_advanced_at_each_call():
    closed, model = default_rng(1), Model()
    get = lambda: GLOBAL
    for f, rng in (
        (wg.trace(lambda x: x * closed.normal(size=2)), lambda: closed), (wg.trace(helper), get),
        (wg.trace(lambda x: helper(x)), get), (model.attribute, lambda: model.rng),
        (model.contained, lambda: model.held["rngs"][0]),
    ):  # fmt: skip
        rebind(1)
        theirs = default_rng(1)
        for _ in range(3):
            assert same(f(2.0), 2.0 * theirs.normal(size=2))
            assert type(rng()) is np.random.Generator
            assert rng().bit_generator.state == theirs.bit_generator.state
    rebind(9)  # another stream
    assert same(wg.trace(helper)(2.0), 2.0 * default_rng(9).normal(size=2))
    assert same(wg.jvp(helper, (2.0,), (1.0,))[1], [v := default_rng(9), v.normal(size=2), v.normal(size=2)][-1])


def test_the_same_generator_twice_is_one_stream():
    def f(x, a, b):
        return x + a.normal(), x + b.normal()

    traced = wg.trace(f)
    rng, other, theirs = default_rng(3), default_rng(4), default_rng(3)
    assert traced(1.0, rng, rng) == f(1.0, theirs, theirs)
    assert rng.bit_generator.state == theirs.bit_generator.state
    again = default_rng(4)
    assert traced(1.0, rng, other) == f(1.0, theirs, again)
    assert (rng.bit_generator.state, other.bit_generator.state) == (theirs.bit_generator.state, again.bit_generator.state)


def test_an_argument_that_is_also_held_outside():
    held = default_rng(1)

    def f(x, rng):
        return x + held.normal(), x + rng.normal()

    traced, other = wg.trace(f), default_rng(2)
    got = [traced(1.0, rng) for rng in (other, held, other, held)]
    held, other = default_rng(1), default_rng(2)
    assert got == [f(1.0, rng) for rng in (other, held, other, held)]


@pytest.mark.parametrize(
    "derive",
    [
        lambda f: lambda p, rng: wg.vjp(f, p, rng)[1](1.0), lambda f: lambda p, rng: wg.linearize(f, p, rng),
        lambda f: wg.hessian(f), lambda f: wg.jacobian(f), lambda f: wg.hessian(wg.trace(f)),
        lambda f: lambda p, rng: wg.jvp(f, (p, rng), (p, None)), lambda f: wg.value_and_grad(f), lambda f: wg.grad(lambda p, rng: wg.grad(f)(p, rng).sum()),
    ],
)  # fmt: skip
def test_every_derivative_advances_a_generator_once(derive):
    f = lambda p, rng: np.sum(rng.normal(p[0], p[1], 3) ** 3)
    held, rng, theirs = default_rng(2), default_rng(2), default_rng(2)
    theirs.normal(size=3)
    derive(f)(np.array([1.0, 2.0]), rng)
    derive(lambda p, _: f(p, held))(np.array([1.0, 2.0]), None)
    assert rng.bit_generator.state == held.bit_generator.state == theirs.bit_generator.state


def test_a_default_and_a_container():
    kept = default_rng(3)

    def f(x, rngs, rng=kept):
        return x + rngs["one"].normal() + rng.normal()

    ours, theirs, more = default_rng(1), default_rng(1), default_rng(3)
    traced = wg.trace(f)
    for _ in range(2):
        assert traced(1.0, {"one": ours}) == 1.0 + theirs.normal() + more.normal()
    assert (ours.bit_generator.state, kept.bit_generator.state) == (theirs.bit_generator.state, more.bit_generator.state)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_file_replays_and_redraws(backend, tmp_path):
    def f(x, rng):
        return x * rng.normal(size=3) + rng.integers(5)

    closed = default_rng(2)
    rng = default_rng(1)
    wg.trace(f).graph(2.0, rng).save(tmp_path / "f.wg")
    assert rng.bit_generator.state == default_rng(1).bit_generator.state  # a graph is only written down
    g = wg.load(tmp_path / "f.wg").on(backend)
    assert same(g(2.0, wg.key(1)), f(2.0, default_rng(1)))
    assert same(g(2.0, wg.key(1)), g(2.0, rng=wg.key(rng)))
    assert same(g(3.0, wg.key(default_rng(7))), f(3.0, default_rng(7)))
    mean = lambda x, key: g(x, key).sum()
    assert np.isclose(wg.grad(mean)(2.0, wg.key(1)), default_rng(1).normal(size=3).sum(), rtol=1e-14)
    assert same(g(2.0, wg.key(np.random.Generator(np.random.SFC64(5)))), f(2.0, np.random.Generator(np.random.SFC64(5))))
    with pytest.raises(TypeError, match=r"Argument rng is a Generator.*wg.key"):
        g(2.0, rng)
    with pytest.raises(TypeError, match="Argument rng has type"):
        g(2.0, np.zeros(3, np.uint64))
    with pytest.raises(ValueError, match=r"is no key; make one by wg.key"):
        g(2.0, np.zeros(7, np.uint64))
    constant = wg.trace(lambda x: x * closed.normal(size=3)).graph(2.0)
    assert len(constant.graph.inputs) == 1
    assert same(constant(2.0), 2.0 * default_rng(2).normal(size=3))
    assert closed.bit_generator.state == default_rng(2).bit_generator.state


#: Draws as functions of two parameters; smooth in both with the key held.
SMOOTH = {
    "uniform": lambda rng, a, b: rng.uniform(a, a + b, 4), "normal": lambda rng, a, b: rng.normal(a, b, 4),
    "laplace": lambda rng, a, b: rng.laplace(a, b, 4), "logistic": lambda rng, a, b: rng.logistic(a, b, 4),
    "gumbel": lambda rng, a, b: rng.gumbel(a, b, 4), "lognormal": lambda rng, a, b: rng.lognormal(a, b, 4),
    "exponential": lambda rng, a, b: rng.exponential(a * b, 4), "rayleigh": lambda rng, a, b: rng.rayleigh(a * b, 4),
    "weibull": lambda rng, a, b: b * rng.weibull(a, 4), "pareto": lambda rng, a, b: b * rng.pareto(a + 1, 4),
    "power": lambda rng, a, b: b * rng.power(a, 4), "triangular": lambda rng, a, b: rng.triangular(-a, b / 4, a + b, 9),
    "gamma": lambda rng, a, b: a * rng.gamma(2.5, b, 4),
    "broadcast": lambda rng, a, b: rng.normal(a * A, b * B),
    "choice": lambda rng, a, b: rng.choice(np.stack([a, b, a * b]), 6),
    "permutation": lambda rng, a, b: rng.permutation(a * A) * b, "permuted": lambda rng, a, b: rng.permuted(a * A * B, axis=1) * b,
    "svd": lambda rng, a, b: rng.multivariate_normal(a * A[:2], np.array([[2, 0.5], [0.5, 1]]) * b, 3),
    "eigh": lambda rng, a, b: rng.multivariate_normal(a * A[:2], np.array([[2, 0.5], [0.5, 1]]) * b, 3, method="eigh"),
    "cholesky": lambda rng, a, b: rng.multivariate_normal(a * A[:2], np.array([[2, 0.5], [0.5, 1]]) * b, 3, method="cholesky"),
    "not drawn from": lambda rng, a, b: a * b * default_rng(1).normal(size=2),
}  # fmt: skip


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", SMOOTH)
def test_derivatives_with_the_draw_held(name, backend):
    draw, at = SMOOTH[name], np.array([1.3, 0.8])

    def f(p, rng):
        return np.sum(np.sin(draw(rng, p[0], p[1])))

    def gradient(p):
        return np.array([f(p + h, default_rng(5)) - f(p - h, default_rng(5)) for h in 1e-6 * np.eye(2)]) / 2e-6

    rng, theirs = default_rng(5), default_rng(5)
    value, got = wg.value_and_grad(f, backend=backend)(at, rng)
    expected = f(at, theirs)
    assert np.isclose(value, expected, rtol=1e-13)
    assert np.allclose(got, gradient(at), rtol=1e-7, atol=1e-7)
    assert rng.bit_generator.state == theirs.bit_generator.state  # advanced once
    moved = [wg.jvp(lambda p: f(p, default_rng(5)), (at,), (t,), backend=backend)[1] for t in np.eye(2)]
    assert np.allclose(moved, got, rtol=1e-13)


def test_second_order_and_nesting():
    def f(p, rng):
        return np.sum(rng.normal(p[0], p[1], 3) ** 3)

    def by_hand(p, z):
        x = p[0] + p[1] * z
        return np.array([[np.sum(6 * x), np.sum(6 * x * z)], [np.sum(6 * x * z), np.sum(6 * x * z * z)]])

    at, rng = np.array([1.0, 2.0]), default_rng(2)
    z = default_rng(2).normal(size=3)
    assert np.allclose(wg.hessian(f)(at, rng), by_hand(at, z))

    @wg.trace
    def outer(p, rng):
        first = rng.normal()
        inner = wg.grad(f)(p, rng)  # takes the key on, and leaves the next
        return first, inner, rng.normal()

    ours, theirs = default_rng(6), default_rng(6)
    first, inner, last = outer(at, ours)
    assert first == theirs.normal()
    z = theirs.normal(size=3)
    assert np.allclose(inner, [np.sum(3 * (1 + 2 * z) ** 2), np.sum(3 * (1 + 2 * z) ** 2 * z)])
    assert last == theirs.normal()
    assert ours.bit_generator.state == theirs.bit_generator.state

    @wg.trace
    def closed(p, rng):
        made = np.random.default_rng(3)
        slope = wg.grad(lambda q: q * rng.normal() + q * made.normal() + q * GLOBAL.normal())(p)
        return slope, rng.normal(), made.normal(), GLOBAL.normal()

    rebind(8)
    ours = default_rng(6)
    a, b, c = default_rng(6), default_rng(3), default_rng(8)
    slope, *rest = closed(1.0, ours)
    assert np.isclose(slope, a.normal() + b.normal() + c.normal(), rtol=1e-14)
    assert rest == [a.normal(), b.normal(), c.normal()]
    assert ours.bit_generator.state == a.bit_generator.state
    assert GLOBAL.bit_generator.state == c.bit_generator.state


def test_traced_functions_and_graphs_within():
    inner = wg.trace(lambda x, rng: x * rng.normal())
    graph = inner.graph(1.0, default_rng(0))

    @wg.trace
    def f(x, rng):
        again = graph(x, wg.key(rng))
        return again, inner(x, rng), graph(x, wg.key(rng))

    rng, theirs = default_rng(1), default_rng(1)
    again, first, second = f(2.0, rng)
    assert again == first == 2.0 * theirs.normal()
    assert rng.bit_generator.state == theirs.bit_generator.state
    assert second == 2.0 * theirs.normal()


#: Parameters in which there is no derivative.
ROUGH = {
    "poisson": lambda rng, x: rng.poisson(x) * x, "binomial": lambda rng, x: rng.binomial(5, x / 4) * x,
    "standard_gamma": lambda rng, x: rng.standard_gamma(x), "gamma": lambda rng, x: rng.gamma(x, 2.0), "beta": lambda rng, x: rng.beta(x, 2.0),
    "chisquare": lambda rng, x: rng.chisquare(x), "dirichlet": lambda rng, x: rng.dirichlet(np.stack([x, x]))[0], "standard_t": lambda rng, x: rng.standard_t(x),
    "choice": lambda rng, x: rng.choice(2, p=np.stack([x / 4, 1 - x / 4])) * x,
}  # fmt: skip


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", ROUGH)
def test_no_derivative_is_refused_never_zero(name, backend):
    draw = ROUGH[name]
    f = lambda x, rng: np.float64(1) * draw(rng, x)
    assert same(wg.trace(f).on(backend)(1.3, default_rng(1)), f(np.float64(1.3), default_rng(1)))
    for derive in (
        lambda: wg.grad(f, backend=backend)(1.3, default_rng(1)),
        lambda: wg.jvp(lambda x: f(x, default_rng(1)), (1.3,), (1.0,), backend=backend),
    ):
        with pytest.raises(wg.DerivativeError, match=r"has no derivative here.*score.*wg.stop_gradient") as error:
            derive()
        assert "test_random" in str(error.value.location)
    held = lambda x, rng: x * draw(rng, wg.stop_gradient(x))
    assert np.isfinite(wg.grad(held, backend=backend)(1.3, default_rng(1)))


REFUSED = {
    "global": lambda x: x + np.random.normal(), "spelled": lambda x: x + old_normal(2), "seed": lambda x: np.random.seed(0) or x,
    "rand": lambda x: x * np.random.rand(2), "class": lambda x: x + np.random.RandomState(1).normal(), "ranf": lambda x: x + np.random.ranf(),
    "python": lambda x: x + random.random(), "shuffle": lambda x: random.shuffle([x, 1]) or x,
    "spawn": lambda x: x + default_rng(1).spawn(1)[0].normal(), "bit_generator": lambda x: default_rng(1).bit_generator and x,
    "bytes": lambda x: x + len(default_rng(1).bytes(2)), "out": lambda x: default_rng(1).random(out=np.zeros(2)) + x,
    "list": lambda x: default_rng(1).shuffle([1, 2]) or x, "copy": lambda x: copy.deepcopy(default_rng(1)).normal() + x,
    "entropy": lambda x: np.random.Generator(np.random.PCG64()).normal() + x,
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_graph_can_replay_is_refused(name):
    state = np.random.get_state()[1].tobytes(), random.getstate()
    with pytest.raises(wg.TraceError, match=r"At .*(test_random|copy).py:\d+") as error:
        wg.trace(REFUSED[name])(1.0)
    assert any(word in str(error.value) for word in ("default_rng", "argument", "permutation", "out=", "wg.key", "rng.integers"))
    assert (np.random.get_state()[1].tobytes(), random.getstate()) == state


OLD, TUPLE, BITS, PYTHON, BOUND = np.random.RandomState(1), (default_rng(1),), np.random.PCG64(1), random.Random(1), default_rng(1).normal


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x + OLD.normal(), lambda x: x + TUPLE[0].normal(), lambda x: x + np.random.Generator(BITS).normal(),
        lambda x: x + PYTHON.random(), lambda x: x + BOUND(),
    ],
)  # fmt: skip
def test_what_is_held_where_it_cannot_be_replaced_is_noticed(f):
    with pytest.raises(wg.TraceError, match=r"as an argument"):
        wg.trace(f)(1.0)
    with pytest.raises(wg.TraceError, match=r"as an argument"):
        wg.trace(f).graph(1.0)


def test_numpys_errors():
    f = wg.trace(lambda x, rng: rng.normal(0, x))
    with pytest.raises(ValueError, match="scale < 0"):
        f(-1.0, default_rng(1))
    with pytest.raises(ValueError, match="low >= high"):
        wg.trace(lambda x, rng: x + rng.integers(5, 3))(1.0, default_rng(1))
    with pytest.raises(TypeError):
        wg.trace(lambda x, rng: x + rng.normal(nonsense=3))(1.0, default_rng(1))
    with pytest.raises(AttributeError):
        wg.trace(lambda x, rng: x + rng.nonsense())(1.0, default_rng(1))
    drawn = wg.trace(lambda x, rng: rng.poisson(x))
    assert drawn(1.0, default_rng(1)) == default_rng(1).poisson(1.0)
    with pytest.raises(ValueError, match="lam"):
        drawn(-1.0, default_rng(1))


def test_it_looks_like_a_generator_and_other_threads_see_one():
    rng, seen = default_rng(1), []

    def look():
        seen.append((isinstance(rng, np.random.Generator), 0 <= default_rng(3).random() < 1, np.random.default_rng(2).random(), rng.bit_generator))

    @wg.trace
    def f(x):
        assert isinstance(rng, np.random.Generator)
        assert not isinstance(x, np.random.Generator)
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        return x + rng.normal()

    assert f(1.0) == 1.0 + default_rng(1).normal()
    assert type(rng) is np.random.Generator
    assert seen == [(True, True, default_rng(2).random(), rng.bit_generator)]


def test_outside_a_trace_nothing_changes():
    wg.trace(lambda x: x + default_rng(1).normal())(1.0)
    assert type(np.random.default_rng(1)) is np.random.Generator
    assert 0 <= np.random.rand() < 1
    assert 0 <= random.random() < 1
    assert type(wg.key(3)) is np.ndarray
    assert same(wg.key(3), key_of(default_rng(3)))
