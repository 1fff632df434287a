"""Defaults: a graph keeps them, as they were, so that a file is called like the function it came from."""

import numpy as np

import wengert as wg

WEIGHTS = {"w": np.arange(3.0), "b": [1.0, np.float32(2)]}


def model(x, params=WEIGHTS, scale=2, mode="sum", flag=None):
    total = np.sum(params["w"] * x) if mode == "sum" else np.max(x)
    return total * scale + params["b"][0] * params["b"][1]


def reloaded(program, tmp_path):
    program.save(tmp_path / "f.wg")
    return wg.load(tmp_path / "f.wg")


def test_a_loaded_graph_has_the_defaults(tmp_path):
    x = np.ones(3)
    program = reloaded(wg.trace(model).graph(x), tmp_path)
    assert program(x) == model(x) == 8.0
    assert program(x, scale=3) == model(x, scale=3)
    assert program(x, mode="sum", flag=None) == 8.0
    gradient = wg.grad(program, argnums=1)(x)
    np.testing.assert_array_equal(gradient["w"], [2.0, 2.0, 2.0])
    assert gradient["b"] == [2.0, 1.0]


def test_they_are_kept_as_they_were():
    weights = np.arange(3.0)
    program = wg.trace(lambda x, w=weights: np.sum(w * x)).graph(np.ones(3))
    weights[0] = 100
    assert program(np.ones(3)) == 3.0


def test_a_static_argument_survives_the_file(tmp_path):
    program = reloaded(wg.trace(model).graph(np.ones(3), mode="max", flag=True), tmp_path)
    assert program(np.ones(3), mode="max", flag=True) == model(np.ones(3), mode="max")


def test_a_traced_default_is_no_part_of_an_inner_graph():
    """The idiom that binds a loop variable."""

    def f(x):
        inner = [lambda y, scale=x * k: y * scale for k in range(1, 3)]
        return sum(wg.grad(wg.trace(g))(3.0) for g in inner)

    assert wg.trace(f)(5.0) == 15.0
    assert wg.grad(f)(5.0) == 3.0


def test_a_default_that_is_neither_is_left_out(tmp_path):
    program = wg.trace(lambda x, how=np.sum: how(x)).graph(np.ones(3))
    assert dict(program.graph.signature.defaults) == {}
