"""Explanations: values, edges, both sweeps, paths, blocks, pictures."""

import importlib.util
import itertools
import xml.etree.ElementTree as ET
from typing import NamedTuple

import numpy as np
import pytest

import wengert as wg
from wengert.ir.graph import Graph
from wengert.tools.explain import graph_dot, graph_svg, picture
from wengert.tools.explain.view import Block

drawing = pytest.mark.skipif(not picture.can_render(), reason="needs the extra `draw`")


def product_of_sums(a, b):
    return (a + b) * (b + 1)


def doubled(x):
    for _ in range(40):
        x = x + x
    return x


class Layer(NamedTuple):
    weights: np.ndarray
    bias: np.ndarray


def network(layers, x):
    for layer in layers:
        x = np.tanh(layer.weights @ x + layer.bias)
    return {"loss": np.sum(x**2) / 2, "x": x}


def layers(*sizes):
    rng = np.random.default_rng(5)
    return [Layer(rng.normal(size=(m, n)) / n, rng.normal(size=m)) for n, m in itertools.pairwise(sizes)]


def edges(e):
    return [(edge.source.name, edge.target.name, edge.derivative) for edge in e.edges]


def gathered(e, name, shape):
    """The reverse derivatives of an array that was taken apart."""
    if name in e.reverse:
        return e.reverse[name]
    return np.array([e.reverse[f"{name}[{','.join(map(str, i))}]"] for i in np.ndindex(shape)]).reshape(shape)


# ----- The example with all its figures -----


@pytest.mark.parametrize("kind", ["function", "traced", "program", "graph", "loaded"])
def test_every_figure_of_the_example(kind, tmp_path):
    traced = wg.trace(product_of_sums)
    program = traced.graph(2.0, 1.0)
    program.save(tmp_path / "f.wg")
    target = {
        "function": product_of_sums, "traced": traced, "program": program, "graph": program.graph,
        "loaded": wg.load(tmp_path / "f.wg"),
    }[kind]  # fmt: skip
    e = wg.explain(target)(2, 1, wrt="b")
    assert dict(e.values) == {"a": 2, "b": 1, "c": 3, "d": 2, "e": 6}
    assert edges(e) == [("a", "c", 1), ("b", "c", 1), ("b", "d", 1), ("c", "e", 2), ("d", "e", 3)]
    assert dict(e.forward) == {"a": 0, "b": 1, "c": 1, "d": 1, "e": 5}
    assert dict(e.reverse) == {"a": 2, "b": 5, "c": 2, "d": 3, "e": 1}
    assert (e.wrt, e.output, e.outputs) == ("b", "e", ("out",))
    assert e.reverse["out"] == 1
    assert e["e"].location.line == e["c"].location.line == product_of_sums.__code__.co_firstlineno + 1
    assert str(e.path_sum("b", "e")) == "1·2 + 1·3"
    assert [edge.derivative for edge in e.edges_between("b", "d")] == [1.0]


def test_keyword_arguments_and_other_ends():
    e = wg.explain(product_of_sums)(b=1, a=2)
    assert e.wrt == "a" and dict(e.forward)["e"] == 2
    assert e.between(wrt=1).forward["e"] == 5
    assert e.between(e["b"], e["d"]).reverse["b"] == 1


# ----- Paths -----


def test_paths_are_exact_integers():
    e = wg.explain(doubled)(1.0)
    assert e.paths() == 2**40 and len(e.edges) == 80
    assert e.paths("x", "x") == 1 and e.paths("%40", "x") == 0
    assert e.forward["%40"] == e.reverse["x"] == 2.0**40
    deep = wg.explain(lambda x: doubled(doubled(doubled(x))))(1.0)
    assert deep.paths() == 2**120


def test_too_many_paths_are_not_written_out():
    with pytest.raises(ValueError, match="1099511627776 paths from x to %40, more than the limit"):
        wg.explain(doubled)(1.0).path_sum()


def test_nine_paths_and_three_by_three_factored():
    first, second = np.array([2.0, 3.0, 5.0]), np.array([7.0, 11.0, 13.0])

    def xyz(x):
        y = np.dot(first, np.stack([x, x, x]))
        return {"z": np.dot(second, np.stack([y, y, y])), "y": y}

    e = wg.explain(xyz)(1.0)
    assert list(e.values) == ["x", "y", "z"]
    total = e.path_sum()
    assert total.count == e.paths() == 9
    assert set(total.terms) == set(itertools.product(first, second))
    assert total.total == total.factored == first.sum() * second.sum()
    assert total.agrees
    assert str(total).startswith("2·7 + 3·7")


@pytest.mark.parametrize("seed", range(30))
def test_paths_and_sweeps_agree_on_random_graphs(seed):
    """Every pair of nodes: the sum over all paths, the forward sweep and the reverse sweep."""
    rng = np.random.default_rng(seed)

    def f(*xs):
        pool = list(xs)
        for _ in range(7):
            x, y = (pool[i] for i in rng.integers(0, len(pool), 2))
            pool.append([x * y, x + y, x - y, np.sin(x), x / (2 + y * y), np.where(x > y, x, y)][rng.integers(6)])
        return tuple(pool)

    e = wg.explain(f)(*rng.normal(size=3).tolist())
    assert e.edge_visits == {mode: (1,) * len(e.edges) for mode in ("forward", "reverse")}
    moving = [node for node in e.nodes if node.moves]
    for a, b in itertools.product(moving, moving):
        there = e.between(a, b)
        total = e.path_sum(a, b)
        assert total.agrees and total.count == e.paths(a, b)
        assert np.isclose(there.forward[b], there.reverse[a], rtol=1e-9, atol=1e-12)
        assert np.isclose(total.total, there.reverse[a], rtol=1e-9, atol=1e-12)


# ----- The sweeps against wg.grad -----


@pytest.mark.parametrize("limit", [1, 4, 64])
def test_expanded_or_not_the_gradient_is_the_same(limit):
    values, x = layers(3, 4, 2), np.array([0.3, -0.2, 0.9])
    e = wg.explain(network)(values, x, limit=limit)
    expected, _ = wg.grad(lambda p, x: network(p, x)["loss"], argnums=(0, 1))(values, x)
    for i, layer in enumerate(expected):
        for field, array in layer._asdict().items():
            found = gathered(e, f"layers[{i}].{field}", array.shape)
            assert np.allclose(found, array, rtol=1e-12, atol=1e-15)
    assert e.output == "loss"
    assert set(e.edge_visits["forward"] + e.edge_visits["reverse"]) == {1}


LIMITS = [1, 64]
CASES = {
    "reduce": (lambda x: np.max(x, axis=0) @ np.prod(x, axis=0), (3, 2)),
    "cumsum": (lambda x: np.sum(np.cumsum(x, axis=0) ** 2), (4, 2)),
    "sort": (lambda x: np.sum(np.sort(x) * np.arange(5.0)), (5,)),
    "take": (lambda x: np.sum(x[np.array([0, 2, 2])] ** 3), (4,)),
    "move": (lambda x: np.sum(np.concatenate([x[::-1], np.pad(x, 1)]) ** 2 * np.arange(12.0)), (5,)),
    "einsum": (lambda x: np.sum(np.einsum("ij,kj->ik", x, x) ** 2), (3, 2)),
    "broadcast": (lambda x: np.sum((x[:, None] * x[None, :]) ** 2), (4,)),
    "outer": (lambda x: np.sum(np.outer(x, x[:2])), (3,)),
    "mean": (lambda x: np.mean(np.exp(x) / np.sum(np.exp(x))) + x[0], (3,)),
}  # fmt: skip


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("case", CASES)
def test_every_kind_of_op(case, limit):
    f, shape = CASES[case]
    x = np.random.default_rng(1).normal(size=shape)
    e = wg.explain(f)(x, limit=limit)
    assert e.values["out"] == pytest.approx(f(x))
    assert np.allclose(gathered(e, "x", shape), wg.grad(f)(x), rtol=1e-12, atol=1e-14)
    assert e.forward["out"] == pytest.approx(wg.grad(f)(x).ravel()[0], abs=1e-13)
    assert len(e.edge_visits["reverse"]) == len(e.edges)


# ----- Arrays -----


def test_movements_casts_and_broadcasts_are_not_seen():
    def f(x, y):
        moved = np.concatenate([x.reshape(3, 1), x[::-1][:, None]], axis=1).astype(np.float64)
        return moved.T[0] * y

    e = wg.explain(f)(np.array([1, 2, 3], np.float32), 2.0)
    assert {node.op for node in e.nodes} == {"input", "multiply"}
    assert edges(e) == [(s, f"a[{i}]", d) for i in range(3) for s, d in ((f"x[{i}]", 2.0), ("y", i + 1.0))]


def test_blocks_have_shape_and_norm():
    rng = np.random.default_rng(0)
    W, x = rng.normal(size=(20, 30)), rng.normal(size=30)

    def f(W, x):
        return np.sum(np.exp(W @ x))

    e = wg.explain(f)(W, x, wrt="W[3,4]", limit=10)
    (to_x,) = e.edges_between("x", "a")
    (to_W,) = e.edges_between("W", "a")
    assert isinstance(to_x.derivative, Block) and to_x.derivative.shape == (20, 30)
    assert np.allclose(to_x.derivative.toarray(), W)
    assert to_x.derivative.norm == pytest.approx(np.linalg.norm(W))
    assert to_W.derivative.shape == (20, 600)
    assert to_W.derivative.norm == pytest.approx(np.sqrt(20) * np.linalg.norm(x))
    assert np.allclose(e.reverse["W"], wg.grad(f)(W, x))
    assert e.forward["out"] == pytest.approx(wg.grad(f)(W, x)[3, 4])
    assert e.reverse["W[3,4]"] == pytest.approx(wg.grad(f)(W, x)[3, 4])
    assert "20x600, ‖·‖" in str(e) and "counts as one" in str(e)
    with pytest.raises(KeyError, match=r"choose one entry of it, such as 'W\[0,0\]'"):
        e.between(wrt="W")
    with pytest.raises(ValueError, match="through a block"):
        e.path_sum("x[0]", "out")


def test_a_block_may_read_one_entry_many_times():
    e = wg.explain(lambda x: np.sum(x * x[:, None]))(np.arange(1.0, 5.0), limit=5)
    assert np.allclose(gathered(e, "x", (4,)), 20.0)
    (first, second) = e.edges_between("x[0]", "a")
    assert first.derivative.shape == second.derivative.shape == (16, 1)


def test_many_small_arrays_lower_the_limit():
    e = wg.explain(lambda x: sum(np.sin(x * k) for k in range(60)))(np.ones(60))
    assert e.limit < 60 and e["x"].is_block


def test_a_large_program_stays_within_its_means():
    values = layers(64, 100, 10)
    e = wg.explain(network)(values, np.ones(64))
    expected = wg.grad(lambda p: network(p, np.ones(64))["loss"])(values)
    assert np.allclose(e.reverse["layers[0].weights"], expected[0].weights)
    assert len(str(e).splitlines()) < 250


def test_a_jacobian_beyond_the_budget_is_refused():
    with pytest.raises(ValueError, match="has 16000000 entries, and explain works with 10000000 at most"):
        wg.explain(lambda x: np.cumsum(x)[-1])(np.ones(4000))


# ----- Where nothing flows -----


def test_where_and_its_condition():
    e = wg.explain(lambda x: np.where(x > 0, np.log(x), 3 * x))(0.0)
    condition = e["a"]
    assert condition.value is False and not condition.moves
    assert (condition, e["d"]) in e.links and (e["x"], condition) in e.links
    assert [edge.derivative for edge in e.edges_between("b", "d")] == [0.0]
    assert e.edges_between("x", "b")[0].derivative == np.inf
    assert e.reverse["x"] == e.forward["d"] == 3.0
    assert e.path_sum().agrees


KINKS = [(abs, 0.0), (lambda x: np.floor(x) + 2 * x, 2.0), (lambda x: np.maximum(x, 0 * x), 0.5)]


@pytest.mark.parametrize(("f", "slope"), KINKS)
def test_kinks(f, slope):
    e = wg.explain(f)(0.0)
    assert e.reverse["x"] == slope


def test_stopped_gradients_and_integers_carry_nothing():
    e = wg.explain(lambda x, n: wg.stop_gradient(x * x) * x + n[1] * x)(3.0, np.array([4, 5]))
    assert e.reverse["x"] == 14.0 and e.paths() == 2
    assert e["n[1]"].value == 5 and not e["n[1]"].moves
    assert e.paths("n[1]", "out") == 0


def test_an_output_that_is_an_input_or_a_constant():
    e = wg.explain(lambda x: {"x": x, "one": 1.0, "pad": np.pad(x, 1)})(np.array([7.0]))
    assert e.reverse["x[0]"] == 1 and e.paths() == 1
    assert e["one"].op == "constant" and e.between(output="one").reverse["x[0]"] == 0
    assert e.values["pad[0]"] == 0 and e["pad[1]"] is e["x[0]"]
    assert wg.explain(lambda x: 2.0)(1.0).forward["out"] == 0


# ----- Arguments -----


def test_an_int_is_a_real_number_unless_it_counts():
    def power(x, n):
        y = 1.0
        for _ in range(n):
            y = y * x
        return y

    assert wg.explain(lambda x: x * x)(3).reverse["x"] == 6.0
    assert wg.explain(power)(2.0, 3).reverse["x"] == 12.0


def test_nested_arguments_have_readable_names():
    e = wg.explain(lambda p: p["w"][0] * p["w"][1] + p["b"][1])({"w": [2.0, 3.0], "b": np.ones(2)})
    assert [node.name for node in e.nodes[:4]] == ["p['w'][0]", "p['w'][1]", "p['b'][0]", "p['b'][1]"]
    assert e.reverse["p['w'][0]"] == 3.0


def test_closed_over_arrays_are_constants():
    weights = np.array([2.0, 3.0])
    e = wg.explain(lambda x: weights @ x)(np.array([5.0, 7.0]))
    assert e["a"].expression == "2 * x[0] + 3 * x[1]"


def test_methods_and_calls_of_graphs():
    class Model:
        scale = 3.0

        @wg.trace
        def run(self, x):
            return self.scale * x

    assert wg.explain(Model().run)(2.0).reverse["x"] == 3.0
    inner = wg.trace(lambda x: x * x).graph(2.0)
    assert wg.explain(lambda x: inner(x) * 5)(2.0).reverse["x"] == 20.0


def test_the_branch_taken_is_explained():
    def f(x):
        return x * x if x > 0 else -x

    assert wg.explain(f)(-2.0).reverse["x"] == -1.0
    with pytest.raises(wg.GuardError):
        wg.explain(wg.trace(f).graph(1.0))(-2.0)


def test_errors_are_sentences():
    e = wg.explain(product_of_sums)(2, 1)
    with pytest.raises(KeyError, match="There is no node 'z'; there are a, b, c, d, e, and the outputs out"):
        e.paths("z", "e")
    with pytest.raises(ValueError, match="wrt=2 is out of range: there are 2 arguments"):
        e.between(wrt=2)
    with pytest.raises(ValueError, match="at least 1, got 0"):
        wg.explain(np.sin)(1.0, limit=0)
    with pytest.raises(ValueError, match=r"\.svg, \.dot, \.txt"):
        e.save("picture.png")
    with pytest.raises(wg.DerivativeError, match=r"No argument of .* is a real number"):
        wg.explain(lambda x: x + x)(np.arange(3))
    with pytest.raises(wg.DerivativeError, match="complex"):
        wg.explain(lambda x: x * 1j)(1.0)
    with pytest.raises(TypeError, match="got 3"):
        wg.explain(3)


# ----- Showing -----


def test_the_text_names_lines_and_shortens_tables():
    e = wg.explain(doubled)(1.0)
    assert len(e.text(rows=6).splitlines()) == 24
    assert "(35 more)" in e.text(rows=6)
    assert "doubled:" in str(e) and str(2**40) in str(e)
    assert "sweep: 80 visits to 80 edges, each once" in str(e)


def test_dot_needs_nothing_and_quotes_everything(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    e = wg.explain(lambda d: d['a"b\\'] * 2)({'a"b\\': 3.0})
    assert r"d['a\"b\\\\']" in e.dot()
    e.save(tmp_path / "e.dot")
    assert (tmp_path / "e.dot").read_text(encoding="utf-8") == e.dot()
    assert e._repr_svg_() is None
    with pytest.raises(ImportError, match=r"pip install wengert\[draw\]"):
        e.svg()


@drawing
def test_pictures_are_svg_with_every_node_and_edge(tmp_path):
    e = wg.explain(product_of_sums)(2, 1)
    e.save(tmp_path / "e.svg")
    drawn = ET.parse(tmp_path / "e.svg").getroot()
    kinds = [part.get("class") for part in drawn.iter() if part.get("class")]
    assert (kinds.count("node"), kinds.count("edge")) == (5, 5)
    assert e._repr_svg_() == e.svg()
    hostile = wg.explain(lambda d: np.where(d["<b>&"] > 0, d["<b>&"], 0))({"<b>&": 1.0})
    ET.fromstring(hostile.svg())


@drawing
def test_pictures_of_graphs():
    graph = wg.trace(network).graph(layers(3, 2), np.ones(3))
    assert isinstance(graph.graph, Graph) and graph_dot(graph) == graph_dot(graph.graph)
    drawn = ET.fromstring(graph_svg(graph))
    kinds = [part.get("class") for part in drawn.iter()]
    assert kinds.count("node") >= len(graph.graph.nodes) + 3 + 2
    assert "einsum" in graph_svg(graph)


def test_loops_and_branches_are_shown_as_they_ran():
    """A loop is written out, step by step: what is shown is what was done."""
    e = wg.explain(lambda a: wg.while_loop(lambda s: s < 10.0, lambda s: s * 2, a))(1.0)
    assert list(e.values.values()) == [1.0, 2.0, 4.0, 8.0, 16.0]
    assert str(e.path_sum("a", "e")) == "2·2·2·2"
    f = lambda x: wg.scan(lambda c, v: (np.sin(c * v), c), 0.5, x)[1].sum() + wg.cond(x[0] > 1, np.sin, np.cos, x[0])
    x = np.array([0.3, 1.2])
    e = wg.explain(f)(x)
    assert [e.reverse[f"x[{i}]"] for i in range(2)] == pytest.approx(list(wg.grad(f)(x)))


def test_what_is_no_edge_between_numbers_is_said():
    with pytest.raises(wg.DerivativeError, match="gives 2 results at once"):
        wg.explain(lambda a: np.linalg.eigh(a)[0].sum())(np.eye(2))


CONTROL = {
    "scan": lambda x: wg.scan(lambda c, v: (np.sin(c * v) + x, c), x, np.linspace(0.1, 0.2, 1000))[0].sum(),
    "while": lambda x: wg.while_loop(lambda c: c.sum() < 9, lambda c: c * 1.0001 + 0.001 * x, x).sum(),
    "custom": lambda x: wg.custom(np.exp, vjp=lambda p, y, g: (g * y,))(x).sum(),
}


@pytest.mark.parametrize("name", CONTROL)
def test_a_long_loop_or_a_rule_is_one_node_with_its_derivative(name):
    f, x = CONTROL[name], np.array([0.3, 1.2, 2.1])
    found = wg.explain(f)(x)
    text = str(found)
    assert name in text
    gradient = wg.grad(f)(x)
    for i, g in enumerate(gradient):
        (row,) = (line for line in text.splitlines() if line.startswith(f"x[{i}]  input"))
        assert float(row.split()[-1]) == pytest.approx(g, rel=1e-4, abs=1e-9)
