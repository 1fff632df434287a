"""The opt-in rewrites: equal where both forms are fine, right where the written form is not."""

import mpmath
import numpy as np
import pytest
from attrs import evolve, frozen

import wengert as wg
from wengert.ir import autodiff
from wengert.ir.passes import simplify, stabilise
from wengert.ir.passes.stabilising import ROWS, rewrite_forms

mp = mpmath.mp
T = np.linspace(-4.0, 4.0, 9) + 0.3


def sigmoid(t):
    return 1 / (1 + np.exp(-t))


def softmax(z):
    e = np.exp(z)
    return e / e.sum(axis=-1, keepdims=True)


def loss(t, y):
    s = sigmoid(t)
    return y * np.log(s) + (1 - y) * np.log(1 - s)


def turned(t, y):
    s = sigmoid(t)
    return -y * np.log(s) - np.log(1 - s) * (1 - y)


@frozen
class Case:
    """A function, the same in mpmath's numbers (of one number), and a point at which the written form fails."""

    form: str
    f: object
    exact: object
    hard: float
    points: np.ndarray = T


LOG = "log of sums, products and quotients of exponentials"
CASES = [
    Case(LOG, lambda t: np.log(1 + np.exp(t)), lambda t: mp.log(1 + mp.exp(t)), 800.0),
    Case(LOG, lambda t: np.log(np.exp(t) + 1), lambda t: mp.log(1 + mp.exp(t)), -40.0),
    Case(LOG, lambda t: np.log(sigmoid(t)), lambda t: -mp.log(1 + mp.exp(-t)), -800.0),
    Case(LOG, lambda t: np.log(1 - sigmoid(t)), lambda t: -mp.log(1 + mp.exp(t)), 60.0),
    Case(LOG, lambda t: np.log(np.exp(t) / (1 + np.exp(t))), lambda t: -mp.log(1 + mp.exp(-t)), 800.0),
    Case(LOG, lambda t: np.log((1 + np.exp(-t)) ** -1.0), lambda t: -mp.log(1 + mp.exp(-t)), -800.0),
    Case(LOG, lambda t: np.log(np.reciprocal(1 + np.exp(-t))), lambda t: -mp.log(1 + mp.exp(-t)), -800.0),
    Case(LOG, lambda t: np.log(0.5 * (np.tanh(t / 2) + 1)), lambda t: -mp.log(1 + mp.exp(-t)), -800.0),
    Case(LOG, lambda t: np.log(np.exp(2 * t) * np.exp(t)), lambda t: 3 * t, 800.0),
    Case(LOG, lambda t: np.log(np.sqrt(np.exp(t) + np.exp(-t))), lambda t: mp.log(mp.exp(t) + mp.exp(-t)) / 2, 800.0),
    Case(LOG, lambda t: np.log(np.sum(np.exp(np.stack([t, 2 * t, -t])), axis=0)), lambda t: mp.log(mp.exp(t) + mp.exp(2 * t) + mp.exp(-t)), 800.0),
    Case(LOG, lambda t: np.log(np.mean(np.exp(np.stack([t, -t], axis=-1)), axis=-1)), lambda t: mp.log(mp.cosh(t)), 800.0),
    Case(LOG, lambda t: np.log(softmax(np.stack([t, 0 * t], axis=-1)))[..., 0], lambda t: -mp.log(1 + mp.exp(-t)), -800.0),
    Case("log(1 + x), log(1 - x)", lambda t: np.log(1 + t), mp.log1p, 1e-12, abs(T)),
    Case("log(1 + x), log(1 - x)", lambda t: np.log(1 - t), lambda t: mp.log1p(-t), 1e-12, -abs(T)),
    Case("log1p(exp(x))", lambda t: np.log1p(np.exp(t)), lambda t: mp.log(1 + mp.exp(t)), 800.0),
    Case("log1p(-sigmoid(t))", lambda t: np.log1p(-sigmoid(t)), lambda t: -mp.log(1 + mp.exp(t)), 60.0),
    Case("exp(x) - 1", lambda t: np.exp(t) - 1, mp.expm1, 1e-12),
    Case("exp(x) + -1", lambda t: -1 + np.exp(t), mp.expm1, 1e-12),
    Case("1 - exp(x)", lambda t: 1 - np.exp(t), lambda t: -mp.expm1(t), 1e-12),
    Case("exp(t) / (1 + exp(t))", lambda t: np.exp(t) / (1 + np.exp(t)), lambda t: 1 / (1 + mp.exp(-t)), 800.0),
    Case("1 - sigmoid(t)", lambda t: 1 - sigmoid(t), lambda t: 1 / (1 + mp.exp(t)), 60.0),
    Case("exp(z) / sum(exp(z))", lambda t: softmax(np.stack([t, 0 * t], axis=-1))[..., 0], lambda t: 1 / (1 + mp.exp(-t)), 800.0),
    Case("y log(s) + (1 - y) log(1 - s), s = sigmoid(t)", lambda t: loss(t, 0 * t + 0.25), lambda t: t / 4 - mp.log(1 + mp.exp(t)), 800.0),
    Case("y log(s) + (1 - y) log(1 - s), s = sigmoid(t)", lambda t: loss(t, 0.25), lambda t: t / 4 - mp.log(1 + mp.exp(t)), 800.0),
    Case("the same with signs turned", lambda t: turned(t, 0 * t + 0.25), lambda t: mp.log(1 + mp.exp(t)) - t / 4, 800.0),
    Case("sqrt(x**2 + y**2)", lambda t: np.sqrt(t**2 + (2 * t) * (2 * t)), lambda t: mp.sqrt(5) * abs(t), 1e-200),
    Case("1 - cos(x), cos(x) - 1", lambda t: 1 - np.cos(t), lambda t: 2 * mp.sin(t / 2) ** 2, 1e-9),
    Case("1 - cos(x), cos(x) - 1", lambda t: np.cos(t) - 1, lambda t: -2 * mp.sin(t / 2) ** 2, 1e-9),
]  # fmt: skip


def ids(case):
    return case.form


def slope(f, t):
    """Along ones: all entries are apart."""
    return wg.jvp(f, (t,), (np.ones_like(t),))[1]


@pytest.mark.parametrize("case", CASES, ids=ids)
def test_equal_where_both_are_fine(case):
    ours = wg.stabilize(case.f)
    np.testing.assert_allclose(ours(case.points), case.f(case.points), rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(slope(ours, case.points), slope(case.f, case.points), rtol=1e-11, atol=1e-13)
    second = [slope(lambda t, f=f: slope(f, t), case.points) for f in (ours, case.f)]
    np.testing.assert_allclose(*second, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("case", CASES, ids=ids)
@pytest.mark.parametrize("backend", ["numpy", "python", "reference"])
def test_right_where_it_gains(case, backend):
    ours, t = wg.trace(case.f, stabilize=True, backend=backend), np.array([case.hard])
    with mpmath.workdps(1200):
        point = mp.mpf(case.hard)
        exact = case.exact(point), mpmath.diff(case.exact, point, h=mp.mpf(10) ** -500)
        want = [np.array([float(x)]) for x in exact]
    with np.errstate(all="ignore"):
        written = case.f(t), slope(case.f, t)
    got = ours(t), slope(ours, t)
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-300)
    assert not np.allclose(written, want, rtol=1e-9, atol=1e-300), "the written form is as good here"


def test_every_row_has_a_case_that_uses_it(monkeypatch):
    used = set()

    def noting(row):
        def rewrite(*args):
            found = row.rewrite(*args)
            if found is not None:
                used.add(row.form)
            return found

        return evolve(row, rewrite=rewrite)

    monkeypatch.setitem(rewrite_forms.__globals__, "ROWS", tuple(map(noting, ROWS)))
    for case in CASES:
        used.clear()
        wg.stabilize(case.f).graph(T)
        assert case.form in used
    assert {row.form for row in ROWS} == {case.form for case in CASES}


# ----- What is not touched -----


@pytest.mark.parametrize(
    "f",
    [
        lambda t: 2 + np.exp(t),
        lambda t: np.log(2 + t),
        lambda t: np.exp(t) - 2,
        lambda t: np.sqrt(t**2 - (2 * t) ** 2),
        lambda t: np.exp(t) / (2 + np.exp(t)),
        lambda t: 1 / (1 + np.exp(-t)),
        lambda t: t / np.sum(np.exp(t)),
        lambda t: np.log(t),
        lambda t: np.sin(t) * np.cos(t),
    ],
)
def test_other_forms_stay(f):
    graph = wg.trace(f).graph(T).graph
    assert [n.op for n in stabilise(graph).nodes] == [n.op for n in simplify(graph).nodes]


def test_long_and_shared_products_are_looked_through_in_no_time():
    def long(t):
        p = np.exp(t)
        for _ in range(400):
            p = p * (1 + np.exp(t)) if len(t) else p
        return np.log(p)

    def shared(t):
        p = np.exp(t)
        for _ in range(30):
            p = p * p
        return np.log(p)

    assert "log" in [n.op.name for n in wg.stabilize(long).graph(T).graph.nodes]
    np.testing.assert_allclose(wg.stabilize(shared)(T), 2.0**30 * T)


def test_complex_numbers_stay():
    graph = wg.trace(lambda z: np.log(1 + np.exp(z))).graph(T + 1j).graph
    assert [n.op for n in stabilise(graph).nodes] == [n.op for n in graph.nodes]


def test_float32_stays():
    for case in CASES:
        t = case.points.astype(np.float32)
        assert wg.stabilize(case.f)(t).dtype == case.f(t).dtype == np.float32, case.form


# ----- The cross-entropy of a sigmoid -----


def cross_entropy(t, y):
    return -loss(t, y)


def derived(f, *args):
    """The graph of a gradient, and its ops."""
    graph = wg.trace(lambda *xs: wg.grad(f)(*xs)).graph(*args).graph
    return graph, [n.op.name for n in graph.nodes]


def test_the_derived_graph_holds_output_less_label():
    """L3 - y, with L3 = 1 / (1 + exp(-t)), and no division by L3 (1 - L3)."""
    graph, ops = derived(wg.stabilize(lambda t, y: cross_entropy(t, y)[0]), np.ones(1), np.zeros(1))
    assert ops.count("subtract") == ops.count("divide") == 1
    difference = next(n for n in graph.nodes if n.op.name == "subtract")
    quotient = next(n for n in graph.nodes if n.op.name == "divide")
    assert difference.operands == (quotient.result, graph.inputs[1])
    assert {"exp", "add", "negative"} <= set(ops)
    written = derived(lambda t, y: cross_entropy(t, y)[0], np.ones(1), np.zeros(1))[1]
    assert written.count("divide") > 2


@pytest.mark.parametrize("make", [
    lambda f: wg.stabilize(f), lambda f: wg.stabilize(wg.trace(f)), lambda f: wg.stabilize(wg.trace(f).graph(0.5, 1.0)),
    lambda f: wg.stabilize(wg.trace(f).graph(0.5, 1.0).graph), lambda f: wg.trace(f, stabilize=True),
    lambda f: wg.trace(f, stabilize=True).graph(0.5, 1.0), lambda f: wg.trace(stabilize=True)(f).on("reference"),
])  # fmt: skip
def test_right_where_the_unit_saturates(make):
    f = make(cross_entropy)
    for t, y, want in ((-800.0, 1.0, -1.0), (800.0, 1.0, 0.0), (800.0, 0.0, 1.0), (-800.0, 0.0, 0.0), (0.0, 1.0, -0.5)):
        assert wg.grad(f)(t, y) == want


def test_with_labels_as_people_have_them():
    t, batch = np.array([-800.0, 3.0, 800.0]), np.array([1, 0, 1])
    want = (1 / (1 + np.exp(-np.clip(t, -700, 700))) - batch) / 3
    for y in (batch, batch.astype(bool), batch.astype(float), batch.astype(np.float32)):
        f = wg.stabilize(lambda t, y=y: np.mean(cross_entropy(t, 1.0 * y)))
        np.testing.assert_allclose(wg.grad(f)(t), want, atol=1e-15)


def test_softmax_with_cross_entropy():
    z, y = np.array([[1000.0, 0.0, -3.0], [1.0, 2.0, 3.0]]), np.eye(3)[:2]

    def written(z):
        return -np.mean(np.sum(y * np.log(softmax(z)), axis=1))

    def shifted(z):
        low = z - z.max(axis=1, keepdims=True)
        return -np.mean(np.sum(y * (low - np.log(np.exp(low).sum(axis=1, keepdims=True))), axis=1))

    np.testing.assert_allclose(wg.stabilize(written)(z), shifted(z), rtol=1e-14)
    np.testing.assert_allclose(wg.grad(wg.stabilize(written))(z), wg.grad(shifted)(z), rtol=1e-13, atol=1e-16)
    assert wg.stabilize(written).graph(z).graph.nodes[0].op.name == "max"
    ops = [n.op.name for n in wg.stabilize(shifted).graph(z).graph.nodes]
    assert ops.count("max") == 1, "what is shifted already is not shifted again"


# ----- Where it applies -----


def test_a_stabilised_function_stays_so_within_another():
    inner = wg.trace(lambda t: np.log(1 + np.exp(t)), stabilize=True)
    assert wg.trace(lambda t: 2 * inner(t))(800.0) == 1600.0
    assert wg.grad(lambda t: inner(3 * t))(800.0) == 3.0
    assert inner(800.0) == 800.0


def test_methods_and_loops():
    class Model:
        def __init__(self, shift):
            self.shift = shift

        @wg.trace(stabilize=True)
        def value(self, t):
            return np.log(1 + np.exp(t + self.shift))

    assert Model(1.0).value(800.0) == 801.0
    f = wg.stabilize(lambda x: wg.scan(lambda c, v: (c + np.log(1 + np.exp(v)), c), 0.0, x)[0])
    assert f(np.array([800.0, 900.0])) == 1700.0


def test_sizes_with_names():
    def written(z, y):
        return -np.mean(np.sum(y * np.log(softmax(z)), axis=1))

    z, y = np.array([[1000.0, 0.0, -3.0], [1.0, 2.0, 3.0]]), np.eye(3)[:2]
    specs = (wg.spec(("n", "k")),) * 2
    for g in (wg.stabilize(wg.trace(written).graph(*specs)), wg.trace(written, stabilize=True).graph(*specs)):
        assert wg.grad(g)(z, y).tolist() == wg.grad(wg.stabilize(written))(z, y).tolist()


def test_saved(tmp_path):
    path = tmp_path / "loss.wg"
    wg.stabilize(wg.trace(cross_entropy).graph(0.5, 1.0)).save(path)
    assert wg.grad(wg.load(path))(-800.0, 1.0) == -1.0
    assert autodiff.jvp(wg.load(path).graph, (0,)).nodes


def test_the_page_has_every_row():
    from pathlib import Path

    page = (Path(__file__).parents[2] / "docs" / "passes.md").read_text(encoding="utf-8")
    assert [row.form for row in ROWS if f"`{row.form}`" not in page and row.form not in page] == []
