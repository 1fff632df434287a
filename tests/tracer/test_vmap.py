"""wg.vmap: many lanes at once are a loop over the lanes, whatever is made of them before and after."""

import dataclasses
import os
import re
from pathlib import Path

import numpy as np
import pytest

import wengert as wg
from wengert import grad, hessian, hvp, jacobian, jvp, linearize, load, trace, value_and_grad, vjp, vmap, while_loop

RNG = np.random.default_rng(0)
SOAK = bool(os.environ.get("WENGERT_SOAK"))
X, T = RNG.standard_normal((4, 3)), RNG.standard_normal((4, 3))
TWO = X[:2], T[:2]
BACKENDS = ["numpy", "python", "reference", pytest.param("c", marks=pytest.mark.skipif("c" not in wg.available_backends(), reason="no compiler"))]


def f(x):
    return np.sum(np.sin(x) * x[::-1]) + np.max(x) * np.prod(x)


def loop(g, *args):
    return np.stack([g(*lane) for lane in zip(*args, strict=True)])


def same(x, y):
    np.testing.assert_allclose(x, y, rtol=1e-10, atol=1e-12)


# ----- With every derivative -----

OF_A_LANE = {
    "value": (f, X[:2]), "grad": (grad(f), X[:2]), "value_and_grad": (lambda x: np.multiply(*value_and_grad(f)(x)), X[:2]),
    "hessian": (hessian(f), X[:2]), "jvp": (lambda x, t: jvp(f, (x,), (t,))[1], *TWO), "vjp": (lambda x, g: vjp(f, x)[1](g[0])[0], *TWO),
    "jacobian, forward": (jacobian(lambda x: np.sin(x) * f(x), mode="forward"), X[:2]),
    "jacobian, reverse": (jacobian(lambda x: np.sin(x) * f(x), mode="reverse"), X[:2]),
    "hvp": (hvp(f), *TWO), "linearize": (lambda x, t: linearize(f, x)[1](t), *TWO),
    "laplacian": (wg.laplacian(f), X[:2]), "taylor": (lambda x: np.stack(wg.taylor(lambda s: f(x * s), 1.0, order=3)), X[:2]),
    "third": (lambda x: grad(lambda y: (hessian(f)(y) @ y).sum())(x), X[:2]),
}  # fmt: skip


@pytest.mark.parametrize("name", [name for name in OF_A_LANE if SOAK or name != "third"])
def test_of_a_derivative(name, tmp_path):
    g, *args = OF_A_LANE[name]
    want = loop(g, *args)
    same(vmap(g)(*args), want)
    same(vmap(trace(g))(*args), want)
    same(trace(vmap(g))(*args), want)
    trace(vmap(g)).graph(*args).save(tmp_path / "lanes.wg")
    same(load(tmp_path / "lanes.wg")(*args), want)
    trace(g).graph(*(x[0] for x in args)).save(tmp_path / "lane.wg")
    loaded = load(tmp_path / "lane.wg")
    same(vmap(loaded)(*args), want)
    same(vmap(loaded.graph)(*args), want)
    twice = [np.stack([x, 2 * x], 1) for x in args]
    same(vmap(vmap(g), 1, -1)(*twice), np.stack([want, loop(g, *(2 * x for x in args))], -1))


@pytest.mark.parametrize("name", [name for name in OF_A_LANE if SOAK or name not in ("third", "laplacian")])
def test_derivatives_of_lanes(name):
    g, x, *rest = OF_A_LANE[name]
    lanes = lambda x: vmap(g)(x, *rest)
    same(grad(lambda x: (lanes(x) ** 2).sum())(x), loop(lambda x, *r: grad(lambda y: (g(y, *r) ** 2).sum())(x), x, *rest))
    same(jvp(lanes, (x,), (TWO[1],))[1], loop(lambda x, t, *r: jvp(lambda y: g(y, *r), (x,), (t,))[1], x, TWO[1], *rest))
    _, pull = vjp(lanes, x)
    weights = np.cos(np.arange(lanes(x).size)).reshape(lanes(x).shape)
    same(pull(weights)[0], loop(lambda x, w, *r: vjp(lambda y: g(y, *r), x)[1](w)[0], x, weights, *rest))


def test_jacobian_and_hessian_of_lanes():
    found = jacobian(vmap(f))(X)
    assert found.shape == (4, 4, 3)
    same(found, np.einsum("ij,ik->ijk", np.eye(4), loop(grad(f), X)))
    same(hessian(lambda x: vmap(f)(x).sum())(X), np.einsum("ij,ikl->ikjl", np.eye(4), loop(hessian(f), X)))


@pytest.mark.parametrize("backend", BACKENDS)
def test_on_every_backend(backend):
    same(vmap(grad(f), backend=backend)(X), loop(grad(f), X))
    same(vmap(trace(grad(f)).graph(X[0]).on(backend))(X), loop(grad(f), X))
    with wg.backend(backend):
        same(grad(lambda x: vmap(f)(x).sum())(X), loop(grad(f), X))


def test_cotangents_and_tangents_alone():
    g = lambda x: np.sin(x) * x[::-1]
    want = jacobian(g)(X[0])
    _, pull = vjp(g, X[0])
    same(vmap(pull)(np.eye(3))[0], want)
    _, along = linearize(g, X[0])
    same(vmap(along, out_axes=1)(np.eye(3)), want)
    same(vmap(lambda t: jvp(g, (X[0],), (t,))[1])(np.eye(3)), want.T)


def test_lanes_do_not_touch():
    """Of a function of lanes, the Jacobian that is found from the graph is block diagonal."""
    found = jacobian(vmap(lambda x, n: while_loop(lambda s: s[0] < n, lambda s: (s[0] + 1, np.sin(s[1]) * x[0]), (0, x))[1]), sparse=True)
    lanes = found(X, np.arange(4)).toarray().reshape(4, 3, 4, 3)
    for i in range(4):
        assert not lanes[i][:, [j for j in range(4) if j != i]].any()
        one = lambda x, i=i: while_loop(lambda s: s[0] < i, lambda s: (s[0] + 1, np.sin(s[1]) * x[0]), (0, x))[1]
        same(lanes[i][:, i], jacobian(one)(X[i]))


def test_a_matrix_of_all_pairs():
    outer = vmap(vmap(lambda x, y: np.exp(-((x - y) ** 2).sum()), in_axes=(None, 0)), in_axes=(0, None))
    want = np.exp(-((X[:, None] - T[None]) ** 2).sum(-1))
    same(outer(X, T), want)
    same(grad(lambda x: outer(x, T).sum())(X), grad(lambda x: np.exp(-((x[:, None] - T[None]) ** 2).sum(-1)).sum())(X))


# ----- Axes -----


@dataclasses.dataclass
class Layer:
    w: object
    b: object


@pytest.mark.parametrize("axis", [0, 1, 2, -1, -2, -3])
def test_any_axis_in_and_out(axis):
    x = RNG.standard_normal((2, 3, 4))
    want = np.moveaxis(np.stack([np.cumsum(lane, 0) * lane.max() for lane in np.moveaxis(x, axis, 0)]), 0, axis)
    got = vmap(lambda a: np.cumsum(a, 0) * a.max(), axis, axis)(x)
    np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(trace(vmap(lambda a: np.cumsum(a, 0) * a.max(), axis, axis))(x), want)


def test_axes_are_a_prefix_of_the_arguments():
    def g(p, x, *more, scale=2.0):
        return {"a": p["w"] @ x + p["l"].b, "b": [x.sum() * scale, (p["l"].w, *more)]}

    p = {"w": RNG.standard_normal((3, 4, 2)), "l": Layer(1.0, RNG.standard_normal((3, 2)))}
    x, y = RNG.standard_normal((4, 2)), RNG.standard_normal(5)
    for axes in (({"w": -1, "l": Layer(None, 1)}, -1, None, None), [{"l": Layer(None, 1), "w": 2}, 1, None, None]):
        for of in (g, trace(g), trace(g).graph({"w": p["w"][..., 0], "l": Layer(1.0, p["l"].b[:, 0])}, x[:, 0], 1.0, y)):
            got = vmap(of, axes, {"a": 1, "b": [0, (0, None, -1)]})(p, x, 1.0, y)
            for i in range(2):
                alone = g({"w": p["w"][..., i], "l": Layer(1.0, p["l"].b[:, i])}, x[:, i], 1.0, y)
                same(got["a"][:, i], alone["a"])
                same(got["b"][0][i], alone["b"][0])
                assert (got["b"][1][0][i], got["b"][1][1]) == (1.0, 1.0)
                same(got["b"][1][2][:, i], y)


def test_keyword_arguments_and_defaults():
    def g(x, scale=2.0, *, shift=0.0):
        return x * scale + shift

    x = np.arange(3.0)
    np.testing.assert_array_equal(vmap(g)(x), 2 * x)  # a default is the same in every lane
    np.testing.assert_array_equal(vmap(g)(x, scale=x), x * x)
    np.testing.assert_array_equal(vmap(g, in_axes={"x": 0})(x, scale=3.0, shift=1), 3 * x + 1)
    np.testing.assert_array_equal(vmap(g, in_axes={"shift": 0, "x": None})(1.0, shift=x), 2 + x)
    program = trace(g).graph(1.0, shift=1.0)
    np.testing.assert_array_equal(vmap(program, in_axes={"x": 0})(x, shift=1.0), 2 * x + 1)
    np.testing.assert_array_equal(vmap(program)(x, shift=x), 3 * x)


def test_results_that_are_the_same_in_every_lane():
    g = lambda x, y: {"x": x, "y": y * 2, "n": None}
    got = vmap(g, in_axes=(0, None))(np.arange(3.0), np.ones(2))
    np.testing.assert_array_equal(got["y"], np.full((3, 2), 2.0))
    assert got["n"] is None
    got = vmap(g, in_axes=(0, None), out_axes={"x": 0, "y": None, "n": None})(np.arange(3.0), 2.0)
    assert got["y"] == 4.0 and type(got["y"]) is float
    np.testing.assert_array_equal(vmap(g, in_axes=(0, None), out_axes={"x": 0, "y": 1, "n": 0})(np.arange(3.0), np.ones(2))["y"], np.full((2, 3), 2.0))
    assert vmap(lambda x: x + 1, in_axes=None, axis_size=3)(1.0).tolist() == [2, 2, 2]


@pytest.mark.parametrize("size", [0, 1])
def test_no_lane_and_one(size):
    x = np.ones((size, 3))
    assert vmap(f)(x).shape == (size,)
    assert vmap(grad(f))(x).shape == (size, 3)
    assert trace(vmap(hessian(f)))(x).shape == (size, 3, 3)
    assert vmap(lambda x: x if x.sum() > 5 else 2 * x)(x).shape == (size, 3)
    assert grad(lambda x: vmap(f)(x).sum())(x).shape == (size, 3)


def test_dtypes_are_those_of_a_lane():
    x = np.arange(6).reshape(3, 2)
    assert vmap(np.argsort)(x).dtype == np.int64
    np.testing.assert_array_equal(vmap(lambda x: (x > 2, x // 2, x & 1, np.argmax(x)))(x)[1], x // 2)
    single = vmap(lambda x: x * 2.0 + 1)(x.astype(np.float32))
    assert single.dtype == np.float32
    z = x + 1j
    same(vmap(grad(lambda z: np.abs(z).sum()))(z), np.conj(z) / abs(z))
    assert vmap(lambda x, s: x * s, in_axes=(0, None))(x, 2.5).dtype == np.float64
    assert vmap(lambda x: x + np.float32(1))(np.arange(3.0, dtype=np.float32)).dtype == np.float32


def test_what_the_function_reads_is_read_anew():
    w, k = np.array([1.0, 2.0, 3.0]), 2.0
    g, traced = vmap(lambda x: x @ w * k), trace(vmap(lambda x: x @ w * k))
    changes = [lambda: None, lambda: 3.0, lambda: np.ones(3), lambda: w.__setitem__(0, 7.0)]
    for change in changes:
        new = change()
        w, k = (new if np.ndim(new) else w), (new if isinstance(new, float) else k)
        same(g(X), X @ w * k)
        same(traced(X), X @ w * k)
    same(grad(lambda w: vmap(lambda x: (x @ w) ** 2)(X).sum())(w), 2 * X.T @ (X @ w))


def test_arguments_of_an_outer_trace_and_arrays_beside_them():
    g = trace(lambda x, w: vmap(lambda x, t: x @ w + t @ x)(x, T).sum())
    same(g(X, np.ones(3)), (X.sum(1) + (X * T).sum(1)).sum())
    same(grad(g, argnums=1)(X, np.ones(3)), X.sum(0))


# ----- Branches -----


def branchy(x):
    return 2 * x if x.sum() > 0 else -x


def test_lanes_take_one_path():
    up, down, mixed = np.ones((2, 3)), -np.ones((2, 3)), np.array([[1.0], [-1.0]]) * np.ones(3)
    for g in (vmap(branchy), trace(vmap(branchy))):
        np.testing.assert_array_equal(g(up), 2 * up)
        np.testing.assert_array_equal(g(down), -down)
        for bad in (mixed, mixed[::-1]):
            with pytest.raises(wg.GuardError, match=r"wg\.vmap\(branchy\).*np\.where.*wg\.cond.*test_vmap\.branchy"):
                g(bad)
        np.testing.assert_array_equal(g(up), 2 * up)
    with pytest.raises(wg.GuardError, match=r"wg\.cond"):
        vmap(vmap(branchy))(np.stack([up, down]))
    with pytest.raises(wg.GuardError, match=r"wg\.cond"):
        vmap(lambda x: x[: int(x[0])])(np.array([[1.0, 1], [2, 2]]))
    program = trace(branchy).graph(up[0])
    np.testing.assert_array_equal(vmap(program)(up), 2 * up)
    for bad in (mixed, down):
        with pytest.raises(wg.GuardError, match=r"test_vmap\.branchy"):
            vmap(program)(bad)
    saved = trace(vmap(branchy)).graph(up)
    with pytest.raises(wg.GuardError, match=r"test_vmap\.branchy"):
        saved(mixed)
    same(vmap(lambda x: np.where(x.sum() > 0, 2 * x, -x))(mixed), np.stack([2 * mixed[0], -mixed[1]]))


# ----- Random numbers -----


def test_a_seed_for_each_lane():
    draw = lambda x, seed: np.random.default_rng(seed).normal(x, size=2)
    want = np.stack([draw(x, i) for i, x in enumerate(X[:, 0])])
    np.testing.assert_array_equal(vmap(draw)(X[:, 0], np.arange(4)), want)
    np.testing.assert_array_equal(trace(vmap(draw))(X[:, 0], np.arange(4)), want)
    seeds = np.arange(8).reshape(4, 2)
    np.testing.assert_array_equal(vmap(draw)(X[:, 0], seeds), np.stack([draw(x, s) for x, s in zip(X[:, 0], seeds, strict=True)]))
    nested = vmap(vmap(draw, in_axes=(None, 0)), in_axes=(0, None))(X[:, 0], np.arange(3))
    np.testing.assert_array_equal(nested[1, 2], draw(X[1, 0], 2))
    constant = vmap(lambda x: x + np.random.default_rng(5).normal())(X[:, 0])
    np.testing.assert_array_equal(constant, X[:, 0] + np.random.default_rng(5).normal())


def test_a_key_for_each_lane():
    program = trace(lambda x, rng: rng.normal(x)).graph(X[0], np.random.default_rng(0))
    keys = np.stack([wg.key(i) for i in range(4)])
    np.testing.assert_array_equal(vmap(program)(X, keys), np.stack([program(X[i], keys[i]) for i in range(4)]))
    np.testing.assert_array_equal(vmap(program, in_axes=(0, None))(X, keys[3]), np.stack([program(x, keys[3]) for x in X]))


def test_one_generator_for_all_lanes_is_refused():
    rng = np.random.default_rng(0)
    before = wg.key(rng)
    for g in (
        lambda: vmap(lambda x: rng.normal(x))(X), lambda: vmap(lambda x, r: r.normal(x), in_axes=(0, None))(X, rng),
        lambda: trace(vmap(lambda x: rng.normal(x)))(X), lambda: trace(lambda x, r: vmap(lambda x: r.normal(x))(x))(X, rng),
        lambda: vmap(lambda x: np.random.default_rng().normal(x))(X),
    ):  # fmt: skip
        with pytest.raises(wg.TraceError, match=r"Give each lane a seed"):
            g()
    np.testing.assert_array_equal(wg.key(rng), before)


# ----- Any size -----


@pytest.mark.parametrize("n", [1, 30])
def test_a_program_of_any_size(n):
    g = trace(lambda m, v: np.tanh(m @ v).sum()).graph(wg.spec(("n", 3)), wg.spec(3))
    matrix, vectors = np.arange(3.0 * n).reshape(n, 3) / n, np.stack([np.ones(3), np.ones(3) / 2])
    matrices = np.stack([matrix, -matrix])
    same(vmap(g, in_axes=(None, 0))(matrix, vectors), np.stack([g(matrix, v) for v in vectors]))
    same(vmap(grad(g))(matrices, vectors), loop(grad(g), matrices, vectors))
    same(grad(lambda m: vmap(g)(m, vectors).sum())(matrices), loop(grad(g), matrices, vectors))


def test_any_number_of_lanes():
    f = vmap(lambda x, i: np.sort(x)[i] * np.cumsum(x) + grad(lambda y: (np.sin(y) * y[::-1]).sum())(x))
    g = trace(f).graph(wg.spec(("lanes", "n")), wg.spec("lanes", int))
    for lanes, n in ((1, 3), (7, 11)):
        x, i = RNG.standard_normal((lanes, n)), np.arange(lanes) % n
        same(g(x, i), f(x, i))


# ----- The page -----


def test_the_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = (Path(__file__).parents[2] / "docs" / "vmap.md").read_text(encoding="utf-8")
    (tmp_path / "page.py").write_text("\n".join(re.findall(r"```python\n(.*?)```", text, re.DOTALL)), encoding="utf-8")
    names = {"__name__": "page"}
    exec(compile((tmp_path / "page.py").read_text(encoding="utf-8"), str(tmp_path / "page.py"), "exec"), names)
    w, xs, ys = (names[n] for n in ("w", "xs", "ys"))
    same(names["each"](w, xs, ys), (np.tanh(xs @ w) - ys) ** 2)
    same(names["pairs"](w, xs, ys), (np.tanh(xs @ w)[:, None] - ys) ** 2)
    same(load("per_example.wg")(w, xs, ys), loop(lambda x, y: grad(names["loss"])(w, x, y), xs, ys))


# ----- What is said where it does not work -----

A, B = np.ones(3), np.ones((4, 2))
REFUSED = {
    "sizes": (lambda: vmap(lambda x, y: x)(A, B), ValueError, r"one number of lanes.*3 in x \(axis 0 of its shape \(3,\)\), 4 in y \(axis 0 of its shape \(4, 2\)\)"),
    "axis_size": (lambda: vmap(lambda x: x, axis_size=2)(A), ValueError, r"3 in x.*2 in axis_size"),
    "no axis": (lambda: vmap(lambda x, y: x)(A, 2.0), ValueError, r"argument y over its axis 0, but it has the shape \(\).*in_axes=None"),
    "far axis": (lambda: vmap(lambda x: x, -3)(B), ValueError, r"argument x over its axis -3, but it has the shape \(4, 2\)"),
    "nothing": (lambda: vmap(lambda x: x, None)(A), ValueError, r"maps over no array.*axis_size"),
    "entries": (lambda: vmap(lambda x, y: x, (0,))(A, A), ValueError, r"in_axes has 1 entries.*called with 2"),
    "nesting": (lambda: vmap(lambda p: p["a"], ({"b": 0},))({"a": A}), ValueError, r"\{'b': 0\} for argument p.*dict\(a: array\)"),
    "deep nesting": (lambda: vmap(lambda p: p["a"][0], ({"a": (0, 0)},))({"a": [A]}), ValueError, r"\(0, 0\) for argument p\['a'\].*list\(0: array\)"),
    "a bool": (lambda: vmap(lambda p: p, (True,))(A), ValueError, r"in_axes is True for argument p"),
    "a name": (lambda: vmap(lambda x: x, {"y": 0})(A), ValueError, r"names the arguments y, and .* takes x"),
    "a result": (lambda: vmap(lambda x: x, out_axes=None)(A), ValueError, r"out_axes is None for result .*differs from lane to lane"),
    "a result's axis": (lambda: vmap(lambda x: (x, x), out_axes=(0, 1))(A), ValueError, r"out_axes is 1 for result\[1\].*1 axes"),
    "results": (lambda: vmap(lambda x: (x, x), out_axes=(0, 1, 2))(A), ValueError, r"out_axes is \(0, 1, 2\) for the result.*tuple"),
    "a list": (lambda: vmap(lambda x: x[0])([1.0, 2.0]), ValueError, r"argument x\[0\] over its axis 0"),
    "no function": (lambda: vmap(3), TypeError, r"wg\.vmap takes a function, traced function or graph; got 3"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    g, kind, message = REFUSED[name]
    with pytest.raises(kind, match=message):
        g()
