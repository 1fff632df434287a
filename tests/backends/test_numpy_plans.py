"""Plans of the numpy target: memory that is used again, plain numbers, loops, and products that are plain at first."""

import gc
import threading
import warnings

import numpy as np
import pytest

import wengert as wg
from wengert.backends.program import Program
from wengert.backends.source.python.emit import emit
from wengert.backends.vectorized import columns, distribution, factors, number_loops, one_pulled, places, straight
from wengert.backends.vectorized.adjoint import sweep
from wengert.backends.vectorized.lines import Lines
from wengert.backends.vectorized.numbers import numbers
from wengert.ir import autodiff
from wengert.ir.build import Builder, Namespace
from wengert.ir.passes import plain_products
from wengert.ir.types import ArrayType

X = np.linspace(0.5, 2.0, 6).reshape(2, 3)


def graph_of(f, *args):
    return wg.trace(f).graph(*args).graph


def chain(x, y):
    z = np.sin(x) * y + x[::-1]
    w = z.T @ (np.exp(z) - y[:1])
    return np.sum(w * w), np.concatenate([z, y]), z.reshape(3, 2), x[:, 1:], z


def test_inputs_are_never_written_to_and_results_share_nothing():
    x, y = X.copy(), X[::-1].copy()
    x.setflags(write=False)
    y.setflags(write=False)

    found = straight(graph_of(chain, X, X))([x, y])

    for got, expected in zip(found, chain(x, y), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-15)
        assert got.flags.writeable
        assert got.flags.c_contiguous
    every = [x, y, *found]
    for i, a in enumerate(every):
        assert not any(np.shares_memory(a, b) for b in every[:i])


def test_dead_arrays_are_written_to():
    def f(x):
        return np.sum((np.exp(x) + 1.0) * 2.0)

    lines = Lines(graph_of(f, X), own=True).lines
    names = {line.partition(" = ")[0] for line in lines if " = np_" in line}

    assert len(names) == 1


def test_large_arrays_are_kept_and_never_handed_out():
    x, y = np.linspace(0.0, 1.0, 20_000), np.linspace(1.0, 2.0, 20_000)

    def f(x, y):
        z = np.exp(x) * y
        w = np.sqrt(z + 1.0) - z
        return w, w[::2], w.reshape(2, -1), np.sum(z * w), w * 2.0

    graph = graph_of(f, x, y)
    lines = Lines(graph, own=True)
    run = straight(graph)
    assert any(line.startswith("w0 = ") for line in lines.lines)
    first, second = run([x, y]), run([y, x])
    for got, want in zip((*first, *second), (*f(x, y), *f(y, x)), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-14)
    every = [*first, *second]
    assert not any(np.shares_memory(a, b) for i, a in enumerate(every) for b in every[:i])

    g = wg.trace(lambda x: np.sum((x[1:] - x[:-1] ** 2) ** 2)).graph(x).on("numpy")
    slopes = [wg.grad(g)(p) for p in (x, y, x)]
    np.testing.assert_array_equal(slopes[0], slopes[2])
    np.testing.assert_allclose(slopes[1], wg.grad(g, backend="python")(y), rtol=1e-13, atol=1e-13)


def test_arrays_that_are_kept_are_given_back_when_nothing_reads_them_any_more(monkeypatch):
    workspace = places.Places.workspace

    def spoilt(self):
        borrow, give = workspace(self)
        return borrow, lambda work: (*(a.fill(-77) for a in work), give(work))

    monkeypatch.setattr(places.Places, "workspace", spoilt)  # as another thread may
    m, c = np.arange(10_000).reshape(100, 100), np.ones((98, 96), int)
    f = lambda m, c: m * 2 + np.pad(c, ((1, 1), (3, 1)))
    np.testing.assert_array_equal(straight(graph_of(f, m, c))([m, c])[0], f(m, c))


def test_all_programs_together_keep_so_much_and_no_more(monkeypatch):
    monkeypatch.setattr(places, "ALL", 500_000)
    f = lambda x: np.sum(np.exp(x) * x)
    xs = [np.linspace(0.0, 1.0, n) for n in range(20_000, 20_010)]  # some 160 kB each
    runs = [straight(graph_of(f, x)) for x in xs]
    for _ in range(2):
        for run, x in zip(runs, xs, strict=True):
            np.testing.assert_allclose(run([x])[0], f(x), rtol=1e-13)
    pools = [pool for ref in list(places._pools) if (pool := ref()) is not None]
    assert 300_000 < sum(pool.size * len(pool.waiting) for pool in pools) <= 500_000
    refs = [pool.ref for pool in pools]
    del runs, run, pools, pool
    gc.collect()
    assert not any(ref() for ref in refs)


def test_long_axes_lie_last_in_memory():
    rng = np.random.default_rng(2)
    x, m, w = rng.normal(size=(3000, 4)), rng.normal(size=(5, 4)), rng.normal(size=(5, 4, 4))

    def f(x, m, w):
        centred = x - m[:, None, :]
        turned = np.tanh(centred @ np.swapaxes(w, 1, 2)) + centred
        return turned, np.sum(turned**2, axis=2), np.sum(turned.reshape(5, -1), axis=1)

    lines = Lines(graph_of(f, x, m, w), own=True).lines
    assert any(".copy().transpose" in line for line in lines)
    for got, want in zip(straight(graph_of(f, x, m, w))([x, m, w]), f(x, m, w), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12)
        assert got.flags.c_contiguous
    loss = lambda *args: sum(np.sum(np.sin(part)) for part in f(*args))
    slopes = [wg.grad(loss, (0, 1, 2), backend=name)(x, m, w) for name in ("numpy", "python")]
    for got, want in zip(*slopes, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9)


def test_tangents_written_down_are_exact_where_plain_products_give_nan():
    def f(x):
        return np.sum(np.sqrt(x) * 0) + np.sum(np.sqrt(x) * x)

    both = wg.trace(lambda x, v: (f(x), wg.jvp(f, (x,), (v,))[1], wg.hvp(f)(x, v)))
    for x in (np.array([0.0, 1.0, 4.0]), np.array([1.0, 1.0, 4.0])):
        found = [both.graph(x, np.array([0.0, 1.0, 2.0])).on(name) for name in ("numpy", "reference")]
        for _ in range(3):
            for got, want in zip(*(p(x, np.array([0.0, 1.0, 2.0])) for p in found), strict=True):
                np.testing.assert_allclose(got, want, rtol=1e-14)


def test_products_are_written_where_memory_is_known():
    a, b = np.arange(6.0).reshape(3, 2), np.arange(6.0).reshape(3, 2) + 1.0
    joined = lambda a, b: np.concatenate([a.T, b.T])  # as NumPy has it, columns first
    f = lambda a, b: (np.sum(joined(a, b)), np.concatenate([a, a[:1]]) @ (b.T @ a) @ a.T)
    for got, want in zip(straight(graph_of(f, a, b))([a, b]), f(a, b), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-13)


def test_sums_come_before_products_where_all_is_finite():
    rng = np.random.default_rng(4)
    x, m, w, c = rng.normal(size=(40, 20)), rng.normal(size=20), rng.normal(size=(20, 20)), rng.normal(size=(40, 20))
    f = lambda m, w: np.sum(((x - m) @ w) * c)
    for corner in (0.5, np.inf, np.nan, 1e308):
        w[3, 4] = corner
        found = [wg.grad(f, (0, 1), backend=name) for name in ("numpy", "reference")]
        for _ in range(2):
            for got, want in zip(*(g(m, w) for g in found), strict=True):
                np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-12)


def test_signs_of_zeros_are_numpys():
    def f(a, b):
        buffer = np.zeros(2)
        buffer[0] = -a
        buffer = buffer + np.concatenate([np.zeros(1), -b[None] * 0.0])
        return 1.0 / buffer[1], 1.0 / (buffer[0] + 0.0)

    with np.errstate(divide="ignore"):
        want = f(np.float64(0.0), np.float64(1.0))
    got = wg.trace(f).graph(np.float64(0.0), np.float64(1.0)).on("numpy")
    assert [got(np.float64(0.0), np.float64(1.0)) for _ in range(3)] == [want] * 3
    step = lambda c, _: (np.array([c[0] * -1.0, 0.0]) + np.array([0.0, -c[1]]), 1.0 / (c[0] + c[1]))
    loop = lambda c: wg.scan(step, c, None, length=4)
    run = [wg.trace(loop).graph(np.zeros(2)).on(name)(np.zeros(2)) for name in ("numpy", "reference")]
    for got, want in zip(*run, strict=True):
        np.testing.assert_array_equal(got, want)
        np.testing.assert_array_equal(np.signbit(got), np.signbit(want))


def test_what_a_library_call_reads_is_not_written_to():
    def f(x):
        y = np.exp(x)
        s = np.sort(y, axis=1)
        return s, (y + 1.0) * 2.0

    for got, expected in zip(straight(graph_of(f, X))([X]), f(X), strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("f", [
    lambda x: np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2),
    lambda x: np.sum(x[::2] * x[1::2]) + np.sum(np.flip(x)[1:3] ** 3),
], ids=["rosenbrock", "steps"])  # fmt: skip
def test_cotangents_of_parts_are_added_in_place(f):
    x = np.array([0.3, 1.2, -0.4, 0.9, 2.0, 0.1])
    graph = graph_of(f, x)

    value, g = wg.value_and_grad(f, backend="numpy")(x)

    np.testing.assert_allclose(g, wg.grad(f, backend="reference")(x), rtol=1e-13)
    assert any("np_add(part" in line for line in Lines(sweep(graph, (0,)).graph, own=True, derived=range(1, 2)).lines)
    text = emit(plain_products(autodiff.vjp(graph, (0,)), [1]), standalone=False, derived=range(1, 2)).text
    assert "] += " in text


def test_what_is_added_to_is_read_before():
    b = Builder()
    x, y = b.input(ArrayType(np.dtype(float), (3,))), b.input(ArrayType(np.dtype(float), (2,)))
    xp = Namespace(b)
    whole = xp.exp(xp.wrap(x))
    before = whole * 2.0
    after = whole + xp.place(xp.wrap(y), shape=(3,), start=(1,), step=(1,))
    graph = b.graph([xp.lift(before * after), xp.lift(after)])
    given = [np.array([0.1, 0.2, 0.3]), np.array([5.0, 7.0])]

    e = np.exp(given[0])
    added = np.add(e, [0.0, 5.0, 7.0])
    for backend in ("numpy", "python"):
        product, total = Program(graph, backend).run(given)
        np.testing.assert_allclose(product, e * 2.0 * added, rtol=1e-15)
        np.testing.assert_allclose(total, added, rtol=1e-15)
    text = emit(graph, standalone=False, derived=range(2))
    assert "] += " in text.text
    scope = dict(text.globals)
    exec(text.text, scope)  # what is ours
    for got, expected in zip(scope[text.name](*given), (e * 2.0 * added, added), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-15)


def test_a_zero_that_is_added_has_its_sign():
    x, y = np.array([-0.0, -0.0, 1.0, -0.0]), np.array([-0.0, 2.0])
    f = lambda x, y: (x * y[1]) + np.pad(y, 1)
    for backend in ("numpy", "python"):
        program = wg.trace(f).graph(x, y).on(backend)
        for got in (program(x, y), wg.vjp(program, x, y)[0], wg.jvp(program, (x, y), (x, y))[0]):
            np.testing.assert_array_equal(np.signbit(got), [False, True, False, False])


def test_real_numbers_are_plain_ones():
    def f(a, b):
        return np.where(a > b, a * b, a - b) + abs(a) * np.exp(-b)

    run, loud = numbers(graph_of(f, 2.0, 1.0))
    assert loud  # exp
    for a, b in [(2.0, 1.0), (1.0, 2.0), (-0.0, 0.0), (np.nan, 1.0), (np.inf, -np.inf), (1.0, -1e3)]:
        with np.errstate(all="ignore"):
            (got,) = run(a, b)
            np.testing.assert_array_equal(got, f(np.float64(a), np.float64(b)))

    assert numbers(graph_of(lambda x: x + X, 2.0)) is None
    assert numbers(graph_of(lambda n: n + 1, 2)) is None


@pytest.mark.parametrize("at", [0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("f", [
    lambda x: 1 / x, lambda x: x / (x - x), lambda x: np.sqrt(x), lambda x: np.log(x) / x, lambda x: x**-1.5,
    lambda x: np.exp(1e3 * x), lambda x: np.arctan2(x, x) % x,
], ids=["reciprocal", "zeros", "sqrt", "log", "power", "exp", "atan2"])  # fmt: skip
def test_plain_numbers_answer_as_ieee_does(f, at):
    with np.errstate(all="ignore"):
        expected = f(np.float64(at))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for backend in ("numpy", "python"):
            traced = wg.trace(f).graph(1.0).on(backend)
            np.testing.assert_array_equal(traced(at), expected)
            g = wg.grad(traced, backend=backend)(at)
            np.testing.assert_allclose(g, wg.grad(traced, backend="reference")(at), rtol=1e-14)
            with wg.backend(backend):
                function, slope = wg.trace(f), wg.grad(wg.trace(f))
                for _ in range(4):  # by an entrance, and told nothing of
                    np.testing.assert_array_equal(function(np.float64(at)), expected)
                    np.testing.assert_array_equal(slope(np.float64(at)), g)


@pytest.mark.parametrize("backend", ["numpy", "python"])
def test_an_error_of_a_nan_of_plain_products_is_nobodys(backend):
    def f(x):
        g = wg.grad(lambda x: np.sum(np.where(x > 1.0, np.sqrt(x), 0.0 * x)))(x)
        return g, np.take(x * 1.0, g.astype(int)), np.linalg.eigvalsh(g[:, None] * g)

    x = np.array([0.0, 4.0, 0.5])
    (slope, taken, values) = wg.trace(f).graph(x).on("reference")(x)
    traced = wg.trace(f, backend=backend)
    for _ in range(4):
        got = traced(x)
        np.testing.assert_array_equal(got[0], slope)
        np.testing.assert_array_equal(got[1], taken)
        np.testing.assert_allclose(got[2], values, atol=1e-15)

    def halved(x):  # until it is small: a NaN never is
        g = f(x)[0]
        return g, wg.while_loop(lambda c: np.logical_not(np.sum(c) < 0.1), lambda c: c / 2, g)

    np.testing.assert_array_equal(wg.trace(halved, backend=backend)(x)[1], slope / 4)
    with pytest.raises(IndexError, match="out of bounds"):
        wg.trace(lambda x: (f(x)[0], np.take(x, (f(x)[0] + 7.0).astype(int))), backend=backend)(x)


def test_exact_products_where_plain_ones_give_nan():
    def f(x):
        return np.sum(np.where(x > 0, np.log(x), 0.0)) + np.sum(np.sqrt(x) * 0)

    x = np.array([0.0, 1.0, 2.0])
    graph = graph_of(f, x)

    asked = []
    several = lambda inputs, cotangents: asked.append(cotangents) or ((0.0,), (x[None],))
    one_pulled(graph, (0,), several)([x], [np.ones(1)])
    assert len(asked) == 1
    for backend in ("numpy", "python"):
        g = wg.grad(f, backend=backend)
        for _ in range(3):  # the later ones by another way in
            np.testing.assert_array_equal(g(x), [0.0, 1.0, 0.5])


def loops(x, w):
    def step(carry, row):
        h, n, total = carry
        h = np.tanh(row @ w + h)
        return (h, n + 1, total + h.sum() * n), (h * row[:2], total)

    (h, n, total), (rows, totals) = wg.scan(step, (np.zeros(2), 0, 0.0), x)
    return np.sum(h) + total * n + np.sum(rows**2) + np.sum(np.exp(-totals))


def numbers_only(a, xs):
    def step(c, x):
        u = c[0] * a + x
        return (u, c[1] - u * c[0]), u / (1.0 + c[1] * c[1])

    (u, v), ys = wg.scan(step, (1.0, 0.5), xs, reverse=True)
    return u * v + np.sum(ys)


def small_arrays(xs, w):
    """A plane, a matrix, truths, and a division by zero whose branch is not taken."""

    def step(c, x):
        y, far = c
        turned = w[:2] @ y + x[:2] * np.array([x[2], w[2, 0]])
        near = np.where(turned > 0, np.sqrt(abs(turned)), 1 / (turned - turned))
        y = np.array([near[1] / 2, y[0] - 0.25 * np.sum(turned)])
        return (y, (y @ y > 4) | far), (near[::-1], y[0] > 0, np.outer(y, x))

    w = np.where(w > 5, w, w / 2)
    (y, far), (ys, up, grown) = wg.scan(step, (xs[:1, :2].sum(axis=0) + np.array([1.0, 2.0]), False), abs(xs), reverse=True)
    return np.sum(y * w[0]) + np.sum(ys**2) + np.sum(np.where(up, grown[:, 0, 1], 1.0)) + np.where(far, 1.0, 2.0)


def test_small_arrays_in_loops_are_numbers():
    xs, w = np.ones((4, 3)), np.ones((3, 2))
    graph = graph_of(small_arrays, xs, w)
    node = next(n for n in graph.nodes if n.op.name == "scan")
    assert number_loops.forward(node, node.params["graph"], keeps=False) is not None
    for step in (lambda c, x: (c, np.tanh(x)), lambda c, x: (c + x @ x, c)):
        wide = graph_of(lambda x, step=step: wg.scan(step, 0.0, x)[1], np.ones((2, 50)))
        node = next(n for n in wide.nodes if n.op.name == "scan")
        assert number_loops.forward(node, node.params["graph"], keeps=False) is None, "better as an array"


@pytest.mark.parametrize("n", [0, 1, 5, 9])
@pytest.mark.parametrize("f, second", [(loops, np.arange(6.0).reshape(3, 2) / 7), (numbers_only, None),
                                       (small_arrays, np.arange(6.0).reshape(3, 2) / 7)])  # fmt: skip
def test_loops_of_known_length(f, second, n, monkeypatch):
    rng = np.random.default_rng(3)
    for name, value in {"LEAST": 6, "CALL": 0, "MOVED": -99, "EACH": 10**9, "BLOCK": 4}.items():
        monkeypatch.setattr(columns, name, value)
    args = (rng.normal(size=(n, 3)), second) if second is not None else (0.7, rng.normal(size=n))

    expected = wg.value_and_grad(f, (0, 1), backend="reference")(*args)
    for backend in ("numpy", "python"):
        value, gradients = wg.value_and_grad(f, (0, 1), backend=backend)(*args)
        np.testing.assert_allclose(value, expected[0], rtol=1e-13)
        for got, want in zip(gradients, expected[1], strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-15)


def recurrent(w, xs, back):
    """A network whose step is work on arrays: before what it carries, along it, and after it."""

    def step(carry, x):
        h, total, grown = carry
        given = np.concatenate((np.tanh(x * w[0]), h[5:], h[:5])) * np.concatenate((w[1], w[2]))
        h = np.tanh(given[:20] + given[20:] * x) - h * 0.5
        late = np.exp(h) / (1.0 + np.exp(h + given[:20]))
        return (h, total + np.sum(late * x), grown + np.outer(h, x)), (late, np.sum(h))

    (h, total, grown), (late, sums) = wg.scan(step, (w[2], 0.5, np.ones((20, 20))), xs, reverse=back)
    return total + np.sum(h * late[1]) + np.sum(grown * w[3]) + np.sum(np.sin(late)) + sums[2] * w[0, 0]


@pytest.mark.parametrize("most, save, back", [(1 << 18, 100, False), (1 << 18, 2, True), (1 << 18, 10**6, False),
                                              (200, 100, True)])  # fmt: skip
def test_what_no_step_hands_on_is_done_for_all_steps_at_once(most, save, back, monkeypatch):
    monkeypatch.setattr(distribution, "MOST", most)
    monkeypatch.setattr(distribution, "SAVE", save)
    rng = np.random.default_rng(8)
    w, xs = rng.normal(size=(4, 20)), rng.normal(size=(9, 20))

    graph = graph_of(recurrent, w, xs, back)
    before, after = ([len(n.params["graph"].nodes) for n in g.nodes if n.op.name == "scan"]
                     for g in (graph, distribution.distributed(graph)))  # fmt: skip
    assert after < before
    expected = wg.value_and_grad(recurrent, (0, 1), backend="python")(w, xs, back)
    value, gradients = wg.value_and_grad(recurrent, (0, 1), backend="numpy")(w, xs, back)
    np.testing.assert_allclose(value, expected[0], rtol=1e-13)
    for got, want in zip(gradients, expected[1], strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-13)


def test_parts_that_come_twice():
    b = Builder()
    x, y = (b.input(ArrayType(np.dtype(float), (n,))) for n in (2, 3))
    xp = Namespace(b)
    first = xp.place(xp.wrap(x), shape=(5,), start=(0,), step=(1,))
    second = xp.place(xp.wrap(y), shape=(5,), start=(2,), step=(1,))
    graph = b.graph([xp.lift(first + first + second), xp.lift(first + second), xp.lift(first + second + second)])
    given = [np.array([1.0, 2.0]), np.array([3.0, 5.0, 7.0])]

    made = factors.joined(graph)
    for got, expected in zip(straight(made)(given), straight(graph)(given), strict=True):
        np.testing.assert_array_equal(got, expected)
    assert "concatenate" in {node.op.name for node in made.nodes}


def test_long_loops_on_numbers_are_matrices_backwards(monkeypatch):
    made = []
    both = columns.both
    monkeypatch.setattr(columns, "BLOCK", 256)
    monkeypatch.setattr(columns, "CALL", 0)
    monkeypatch.setattr(columns, "both", lambda *args: made.append(both(*args)) or made[-1])

    def f(c, rates):
        def step(y, _):
            turned = np.array([rates[0] * y[1], np.where(y[0] > 0.9, -rates[1] * np.sin(y[0]), y[0] * y[1])])
            return y + 0.01 * turned / (1.0 + y @ y), y[0]

        y, each = wg.scan(step, c, None, length=600)
        return y[0] - y[1] + np.sum(each) / 7.0

    at = np.array([1.0, 0.5]), np.array([0.7, 1.3])
    value, gradients = wg.value_and_grad(f, (0, 1), backend="numpy")(*at)
    assert made[0] is not None
    expected = wg.value_and_grad(f, (0, 1), backend="python")(*at)
    np.testing.assert_allclose(value, expected[0], rtol=1e-12)
    for got, want in zip(gradients, expected[1], strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-10)


def test_a_loop_that_divides_by_zero():
    def f(x):
        return wg.scan(lambda c, _: (c * 2.0 / (c - c), None), x, None, length=2)[0]

    for backend in ("numpy", "python"):
        assert np.isnan(wg.trace(f).graph(1.0).on(backend)(1.0))


def test_large_arrays_are_written_over_and_let_go():
    x = np.linspace(0.0, 1.0, 50_000)

    def f(x):
        y = np.exp(x) * 2.0
        z = y[1:] + y[:-1]
        return np.sum(np.where(z > 3.0, np.sqrt(z) + z, z * 0.5)), y

    graph = graph_of(f, x)
    text = emit(graph, standalone=False).text
    value, y = wg.trace(f).graph(x).on("python")(x)

    assert ", out=v" in text
    assert "del v" in text
    np.testing.assert_allclose(value, f(x)[0], rtol=1e-14)
    np.testing.assert_array_equal(y, f(x)[1])
    g = wg.grad(lambda x: f(x)[0], backend="python")(x)
    np.testing.assert_allclose(g, wg.grad(lambda x: f(x)[0], backend="numpy")(x), rtol=1e-14)


def test_plain_products_reach_into_loops():
    graph = autodiff.vjp(graph_of(numbers_only, 0.7, np.ones(3)), (0, 1))
    plain = plain_products(graph, [2])

    scans = [node.params["graph"] for node in plain.nodes if node.op.name == "scan"]
    names = {node.op.name for body in (*scans, plain) for node in body.nodes}
    before = {node.op.name for node in graph.nodes} | {
        n.op.name for node in graph.nodes if node.op.name == "scan" for n in node.params["graph"].nodes}
    assert "scale" in before
    assert "scale" not in names


def test_threads_share_a_plan():
    g = wg.value_and_grad(loops, (0, 1), backend="numpy")
    rng = np.random.default_rng(5)
    points = [(rng.normal(size=(5, 3)), rng.normal(size=(3, 2))) for _ in range(4)]
    expected = [g(*p) for p in points]
    wrong = []

    def work(k):
        for _ in range(20):
            value, (a, b) = g(*points[k])
            if value != expected[k][0] or (a != expected[k][1][0]).any() or (b != expected[k][1][1]).any():
                wrong.append(k)

    workers = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    assert not wrong
