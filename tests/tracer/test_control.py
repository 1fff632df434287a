"""Control flow is the program that Python would have run: its values, its derivatives of any order, on every backend."""

import functools
import re

import control_programs
import numpy as np
import pytest
from batches import BACKENDS

import wengert as wg
from wengert.backends import protocol
from wengert.ir import autodiff
from wengert.ir.build import Builder
from wengert.ir.errors import GuardError, TraceError
from wengert.ir.ops import OPS
from wengert.ir.types import is_inexact
from wengert.ir.verify import verify

PROGRAMS = control_programs.PROGRAMS
X = np.array([0.3, 1.2, 2.1])


def active(graph):
    return tuple(i for i, v in enumerate(graph.inputs) if is_inexact(v.type.dtype))


def derived(graph, way):
    """"vjp jvp" is the vjp of the jvp."""
    for mode in reversed(way.split()):
        graph = getattr(autodiff, mode)(graph, active(graph))
    return graph


WAYS = ("", "jvp", "vjp", "jvp vjp", "vjp vjp", "jvp jvp", "vjp jvp")


@functools.cache
def graphs_of(name):
    return control_programs.graphs(name)


@functools.cache
def case(name, way):
    """A derived graph, arguments for it, and what the program written out gives for them."""
    loop, plain, arguments = graphs_of(name)
    loop, plain = derived(loop, way), derived(plain, way)
    assert [v.type for v in loop.inputs] == [v.type for v in plain.inputs]
    rng = np.random.default_rng(len(name))
    more = [_random(rng, v.type) for v in plain.inputs[len(arguments) :]]
    arguments = [np.asarray(x, v.type.dtype) for x, v in zip([*arguments, *more], loop.inputs, strict=True)]
    expected = protocol.get("numpy").compile(plain)(arguments)[: len(plain.outputs)]
    for i, guard in enumerate(plain.guards):
        value = protocol.get("numpy").compile(plain)(arguments)[len(plain.outputs) + i]
        assert bool(value) is guard.expected
    return loop, arguments, expected


def _random(rng, type_):
    x = rng.uniform(-1, 1, type_.shape)
    return x * (1 + 0.5j) if type_.dtype.kind == "c" else x


def agree(got, expected, what):
    for k, (x, y) in enumerate(zip(got, expected, strict=True)):
        assert (x.dtype, x.shape) == (y.dtype, y.shape), f"{what}: output {k}"
        tolerance = 3e-4 if y.dtype in (np.float32, np.complex64) else 1e-9
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance, err_msg=f"{what}: output {k}")


# ----- The law -----


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("backend", [b for b in BACKENDS if b.values[0] != "c"])
def test_every_order(name, backend):
    """Values and derivatives, graph to graph."""
    ways = WAYS if backend == "numpy" else ("", "jvp", "vjp", "jvp vjp", "vjp vjp")
    for way in ways:
        graph, arguments, expected = case(name, way)
        agree(protocol.get(backend).compile(graph)(arguments)[: len(expected)], expected, way or "values")


@pytest.mark.parametrize("name", PROGRAMS)
def test_derived_graphs_are_graphs(name):
    for way in WAYS:
        verify(case(name, way)[0])


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("backend", ["numpy", "reference"])
def test_modes_of_their_own(name, backend):
    """A tape and dual numbers, of the program and of its gradient: forward and reverse over reverse."""
    made = protocol.get(backend)
    for inner in ("", "vjp"):
        graph, arguments, _ = case(name, inner)
        for mode in ("jvp", "vjp"):
            _, full, expected = case(name, f"{mode} {inner}".strip())
            n, m = len(graph.inputs), len(graph.outputs)
            seeds = [x[None] for x in full[n:]]
            if mode == "jvp":
                values, moved = made.forward(graph, active(graph))(arguments, seeds)
            else:
                each = iter(seeds)
                ends = [next(each) if is_inexact(v.type.dtype) else None for v in graph.outputs]
                values, moved = made.reverse(graph, active(graph))(arguments, ends)
            agree([*values[:m], *(g[0] for g in moved if g is not None)], expected, f"{mode} of {inner or 'values'}")


GROUPS = 3


@pytest.mark.parametrize("group", range(GROUPS))
@pytest.mark.parametrize("way", ["jvp", "vjp", "jvp vjp", "vjp vjp"])
def test_c(group, way):
    """Many programs in one, each a call, so that C compiles once; the derived graphs hold the values too."""
    compiled = protocol.get("c") if "c" in {b.values[0] for b in BACKENDS if not b.marks[0].args[0]} else None
    if compiled is None:
        pytest.skip("no C compiler")
    names = [name for name in list(PROGRAMS)[group::GROUPS] if not graphs_of(name)[0].guards]
    b, arguments, expected, outputs = Builder("many"), [], [], []
    for name in names:
        graph, mine, values = case(name, way)
        inputs = [b.input(v.type) for v in graph.inputs]
        outputs += b.emit_all(OPS["call"], inputs, graph=graph)
        arguments += mine
        expected += values
    agree(compiled.compile(b.graph(outputs))(arguments), expected, ", ".join(names))


def test_forward_mode_of_several_directions():
    f = lambda x: wg.scan(lambda c, v: (np.sin(c * v), c), 1.0, x)[0]  # noqa: E731
    g = lambda x: control_programs.unrolled(lambda c, v: (np.sin(c * v), c), 1.0, x)[0]  # noqa: E731
    for mode in ("forward", "reverse"):
        np.testing.assert_allclose(wg.jacobian(f, mode=mode)(X), wg.jacobian(g)(X), rtol=1e-12)
