"""Control flow is the program that Python would have run: its values, its derivatives of any order, on every backend."""

import functools
import os
import re
from pathlib import Path
from typing import Any, NamedTuple

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


SOAK = bool(os.environ.get("WENGERT_SOAK"))
WAYS = ("", "jvp", "vjp", "jvp vjp", "vjp vjp", *(("jvp jvp", "vjp jvp") if SOAK else ()))


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
    for way in WAYS if backend == "numpy" or SOAK else ("", "jvp", "vjp vjp"):
        graph, arguments, expected = case(name, way)
        agree(protocol.get(backend).compile(graph)(arguments)[: len(expected)], expected, way or "values")


@pytest.mark.parametrize("name", PROGRAMS)
def test_derived_graphs_are_graphs(name):
    for way in WAYS[-4:]:
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
#: What is compiled to the second order, too: one program of each op, and the nested ones.
NESTED = [name for name in PROGRAMS if "_in_" in name or name in (
    "switch_1", "newton", "scan_reverse", "structured", "mixed_carry", "stacked", "custom_vjp", "custom_looping", "primitive",
    "nan_carried", "flowing_late", "again_around_loop_everything")]  # fmt: skip


@pytest.mark.parametrize("group", range(GROUPS))
@pytest.mark.parametrize("way", WAYS[1:] if SOAK else ("jvp", "vjp", "vjp vjp"))
def test_c(group, way):
    """Many programs in one, each a call, so that C compiles once; the derived graphs hold the values too."""
    compiled = protocol.get("c") if "c" in {b.values[0] for b in BACKENDS if not b.marks[0].args[0]} else None
    if compiled is None:
        pytest.skip("no C compiler")
    chosen = list(PROGRAMS) if SOAK or " " not in way else NESTED
    names = [name for name in chosen[group::GROUPS] if not graphs_of(name)[0].guards]
    b, arguments, expected, outputs = Builder("many"), [], [], []
    for name in names:
        graph, mine, values = case(name, way)
        inputs = [b.input(v.type) for v in graph.inputs]
        outputs += b.emit_all(OPS["call"], inputs, graph=graph)
        arguments += mine
        expected += values
    agree(compiled.compile(b.graph(outputs))(arguments), expected, ", ".join(names))


def test_many_directions_at_once():
    def program(scan, x):
        return scan(lambda c, v: (np.sin(c * v), c), 1.0, x)[0]

    for mode in ("forward", "reverse"):
        got, expected = (wg.jacobian(functools.partial(program, s), mode=mode)(X) for s in (wg.scan, control_programs.unrolled))
        np.testing.assert_allclose(got, expected, rtol=1e-12)


# ----- Outside a trace; where what chooses is known -----


def test_outside_a_trace_they_run_at_once():
    carry, ys = wg.scan(lambda c, v: (c * 0.5 + v, c), 0.0, X)
    assert carry == pytest.approx(((0.3 * 0.5) + 1.2) * 0.5 + 2.1)
    np.testing.assert_allclose(ys, [0.0, 0.3, 1.35])
    assert wg.while_loop(lambda s: s < 100.0, lambda s: s * 2.0, 3.0) == 192.0
    assert wg.fori_loop(0, 5, lambda i, s: s + i, 0.0) == 10.0
    assert wg.cond(True, np.sin, np.cos, 2.0) == np.sin(2.0)
    assert wg.switch(np.int64(1), [np.sin, np.cos], 2.0) == np.cos(2.0)
    np.testing.assert_array_equal(wg.map(lambda v: v * 2, X), X * 2)


def test_what_is_known_while_tracing_needs_no_node():
    graph = wg.trace(lambda x: wg.cond(True, np.sin, np.cos, wg.switch(1, [np.sin, np.exp], x))).graph(X).graph
    assert [node.op.name for node in graph.nodes] == ["exp", "sin"]


def test_a_condition_is_what_python_takes_for_true():
    for value in (2, 0, np.int8(-1), 0.5, np.nan, -0.0, np.array([[3.0]]), 1j):
        got = wg.trace(lambda p: wg.cond(p, lambda: "yes" and 1.0, lambda: 2.0))(value)
        assert got == (1.0 if value else 2.0)


def test_a_loop_is_one_node_whatever_its_length():
    def program(n):
        return wg.trace(lambda x: wg.fori_loop(0, n, lambda i, c: np.sin(c) * x, x)).graph(X)

    assert len(program(10).graph.nodes) == len(program(10_000).graph.nodes)
    short, long = (wg.source(wg.vjp(program(n)), "c") for n in (10, 10_000))
    assert abs(len(short) - len(long)) < 200


# ----- Dtypes -----


def test_what_is_carried_settles_on_the_dtype_that_stays():
    def body(s):
        return s[0] + 1, s[1] * np.float32(2.0), s[2] * X[0], s[3] | (s[0] > 1)

    n, single, wide, flag = wg.while_loop(lambda s: s[0] < 3, body, (np.int32(0), np.float32(1.0), np.float32(1.0), False))
    assert [np.asarray(x).dtype for x in (n, single, wide, flag)] == ["int32", "float32", "float64", "bool"]
    assert (n, single, flag) == (3, 8.0, True)


def test_python_numbers_stay_weak():
    x = X.astype(np.float32)
    carry, ys = wg.scan(lambda c, v: (c * 0.5 + 1, c * v), 1.0, x)
    assert type(carry) is float
    assert ys.dtype == np.float32
    assert wg.fori_loop(0, 3, lambda i, c: c * 2, 1) == 8
    assert wg.cond(wg.trace(lambda x: x > 0)(1.0), lambda: 1, lambda: 2.5) == 1
    assert wg.trace(lambda x: wg.cond(x > 0, lambda: 1, lambda: 2.5) * x)(np.float32(2)).dtype == np.float32


def test_the_index_of_a_fori_loop_is_an_int64():
    assert wg.trace(lambda x: wg.fori_loop(0, 3, lambda i, c: c + i.astype(float) / 2, x))(1.0) == 2.5
    np.testing.assert_array_equal(wg.trace(lambda x: wg.fori_loop(0, 3, lambda i, c: c + x[i], 0.0))(X), X.sum())


def test_bools_are_carried():
    def found(x):
        return wg.while_loop(lambda s: ~s[1] & (s[0] < 3), lambda s: (s[0] + 1, x[s[0]] > 1), (0, False))

    assert wg.trace(found)(X) == (2, True)
    assert wg.trace(lambda x: wg.cond(x > 0, lambda: True, lambda: False))(1.0)
    assert wg.while_loop(lambda s: False, lambda s: s * 2, 3.0) == 3.0


@pytest.mark.parametrize("shape", [(), (0,), (2, 0), (1, 1)])
def test_any_shape(shape):
    x = np.full((2, *shape), 0.5)
    carry, ys = wg.scan(lambda c, v: (c + v, (c, v.sum())), x[0], x)
    np.testing.assert_array_equal(carry, 3 * x[0])
    assert ys[0].shape == (2, *shape)
    assert ys[1].shape == (2,)
    g = wg.grad(lambda x: np.sum(wg.scan(lambda c, v: (c * v, c), x[0], x)[0]))(x)
    np.testing.assert_array_equal(g, x * 0 + [np.full(shape, 0.5), np.full(shape, 0.25)])


# ----- Nesting, closures -----


class Pair(NamedTuple):
    low: Any
    high: Any


def test_structures_come_back_as_they_went():
    carry, ys = wg.scan(lambda c, v: ({"b": c["b"] + v, "a": [c["a"][0] * 2]}, Pair(v, None)), {"b": 0.0, "a": [1.0]}, X)
    assert carry == {"b": pytest.approx(X.sum()), "a": [8.0]}
    assert type(ys) is Pair
    assert ys.high is None
    np.testing.assert_array_equal(ys.low, X)
    assert wg.while_loop(lambda s: s.low < 3, lambda s: Pair(s.low + 1, s.high * 2), Pair(0.0, 1.0)) == Pair(3.0, 8.0)


def test_arrays_outside_are_read_at_each_call():
    table = np.array([1.0, 2.0, 3.0])
    f = wg.trace(lambda x: wg.scan(lambda c, v: (c + wg.cond(v > 1, lambda: table @ X, lambda: table[0]) * v, None), x[0], x)[0])
    before = f(X)
    table *= 2
    assert f(X) - X[0] == pytest.approx(2 * (before - X[0]))


def test_derivatives_in_what_is_read_from_two_levels_up():
    def f(a, loops):
        def outer(c, v):
            return loops.fori_loop(0, 2, lambda i, d: d * a + v, c), c * a

        carry, ys = loops.scan(outer, a, X)
        return carry + ys.sum()

    got, expected = (wg.grad(wg.grad(functools.partial(f, loops=loops)))(0.7) for loops in (wg, control_programs.Python))
    assert got == pytest.approx(expected, rel=1e-12)


def test_a_guard_on_what_is_outside_is_the_callers():
    f = wg.trace(lambda x: wg.scan(lambda c, v: (c * v if x[0] < 1 else c + v, None), 1.0, x)[0])
    assert f(X) == pytest.approx(X.prod())
    assert f(X + 1) == pytest.approx(1 + (X + 1).sum())
    with pytest.raises(GuardError, match="traced where a condition was True"):
        f.graph(X)(X + 1)


def test_loaded_programs_run_and_are_differentiated(tmp_path):
    program, *arguments = PROGRAMS["while_in_scan_in_cond"]
    graph = wg.trace(functools.partial(program, wg)).graph(*arguments)
    graph.save(tmp_path / "loop.wg")
    loaded = wg.load(tmp_path / "loop.wg")
    assert loaded(*arguments) == graph(*arguments)
    np.testing.assert_array_equal(wg.hessian(loaded)(*arguments), wg.hessian(graph)(*arguments))


# ----- Errors: a sentence, the user's line, what to do -----


def _grown(x):
    buffer = np.zeros(3)

    def step(c, v):
        buffer[0] = v
        return c + v, v

    return wg.scan(step, x[0], x)[0] + buffer[0]


REFUSED = {
    "branches of two shapes": (lambda x: wg.cond(x[0] > 0, lambda v: v, lambda v: v[:2], x), TraceError, r"f64\[2\] in one, f64\[3\] in another"),
    "branches nested otherwise": (lambda x: wg.cond(x[0] > 0, lambda v: (v,), lambda v: [v], x), TraceError, r"\[f64\[3\]\] in one, \(f64\[3\],\) in"),
    "a condition of several": (lambda x: wg.cond(x > 0, np.sin, np.cos, x), TraceError, r"cond takes one value .* got bool\[3\]. Reduce it"),
    "no branches": (lambda x: wg.switch(x[0] > 0, [], x), ValueError, "at least one branch"),
    "a switch by a float": (lambda x: wg.switch(x[0], [np.sin], x), TraceError, "an integer or bool"),
    "a switch by a known float": (lambda x: wg.switch(0.5, [np.sin], x), TypeError, "must be an integer; got 0.5"),
    "no such branch, known": (lambda x: wg.switch(-1, [np.sin], x), IndexError, "index -1 is out of range; there are 1 branches"),
    "a branch of other arguments": (lambda x: wg.cond(x[0] > 0, lambda a: a, lambda a, b: a, x), TraceError, "called with 1 arguments"),
    "no pair": (lambda x: wg.scan(lambda c, v: c, x[0], x), TraceError, r"something other than a pair. Return \(carry, y\)"),
    "a carry of another shape": (lambda x: wg.scan(lambda c, v: (c * x, v), x[0], x), TraceError, r"takes f64\[\] and gives f64\[3\]"),
    "a carry nested otherwise": (lambda x: wg.scan(lambda c, v: ({"a": c}, v), x[0], x), TraceError, r"gives \{'a': f64\[\]\} for it"),
    "two lengths": (lambda x: wg.scan(lambda c, v: (c, v), x[0], (x, x[:2])), ValueError, "needs one length, .* got 2, 3"),
    "another length": (lambda x: wg.scan(lambda c, v: (c, v), x[0], x, 4), ValueError, "got 3, 4"),
    "no length": (lambda x: wg.scan(lambda c, v: (c, v), x[0]), ValueError, "neither xs nor length"),
    "a negative length": (lambda x: wg.scan(lambda c, v: (c, v), x[0], None, -1), ValueError, "got -1"),
    "a length that is no integer": (lambda x: wg.scan(lambda c, v: (c, v), x[0], None, 2.0), TypeError, "must be an integer; got 2.0"),
    "a number to read": (lambda x: wg.scan(lambda c, v: (c, v), x[0], 1.0), ValueError, "a number, which has none"),
    "another number of arguments": (lambda x: wg.scan(lambda c: (c, c), x[0], x), TraceError, "the body is called with 2 arguments"),
    "a Python branch": (lambda x: wg.scan(lambda c, v: (c if c > 0 else v, v), x[0], x), TraceError, "within the body, .* wg.cond"),
    "an index for Python": (lambda x: wg.scan(lambda c, v: (c, X[int(v)]), x[0], x), TraceError, "Python asks for a value"),
    "a mask": (lambda x: wg.scan(lambda c, v: (c + x[x > v].sum(), v), x[0], x), TraceError, "Python asks for a value"),
    "a Python branch in a condition": (lambda x: wg.while_loop(lambda s: not s > 1, lambda s: s, x[0]), TraceError, "within the condition"),
    "a condition of two values": (lambda x: wg.while_loop(lambda s: s > 1, lambda s: s, x), TraceError, "other than one bool. Use np.any"),
    "a while that grows": (lambda x: wg.while_loop(lambda s: s[0] > 1, lambda s: s[1:], x), TraceError, r"takes f64\[3\] and gives f64\[2\]"),
    "a bound that is no integer": (lambda x: wg.fori_loop(0, 2.5, lambda i, c: c, x), TypeError, "must be an integer; got 2.5"),
    "a traced bound that is no integer": (lambda x: wg.fori_loop(0, x[0], lambda i, c: c, x), TraceError, r"integers, got f64\[\]"),
    "a body that returns nothing": (lambda x: wg.fori_loop(0, 3, lambda i, c: None, x), TraceError, "gives None for it"),
    "writing outside": (_grown, TraceError, "array of an enclosing trace is modified in place"),
    "drawing outside": (lambda x: wg.scan(lambda c, v: (c + RNG.normal(), v), x[0], x), TraceError, "random Generator .* carry a key"),
}  # fmt: skip
RNG = np.random.default_rng(0)


@pytest.mark.parametrize("what", REFUSED)
def test_errors_name_the_line_and_the_fix(what):
    function, kind, message = REFUSED[what]
    with pytest.raises(kind, match=message) as caught:
        wg.trace(function)(X)
    assert f"{__file__}:" in str(caught.value)
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_switch_without_such_a_branch(backend):
    for k in (2, -1, 2**62):
        with pytest.raises(IndexError, match=r"test_control.*" if backend == "c" else f"index {k} is out of range"):
            wg.trace(lambda i: wg.switch(i, [np.sin, np.cos], 1.0), backend=backend)(k)


def test_a_value_that_leaves_a_body_says_so():
    kept = []

    def step(c, v):
        kept.append(v)
        return c + v, v

    with pytest.raises(TraceError, match="the trace of 'step' that made it has finished"):
        wg.trace(lambda x: wg.scan(step, x[0], x)[0] + kept[0])(X)


# ----- docs/control.md -----


def test_the_page_says_the_truth():
    """Its examples run, in order, and the C it shows is what is generated."""
    page = (Path(__file__).parents[2] / "docs" / "control.md").read_text(encoding="utf-8")
    scope: dict[str, Any] = {}
    for block in re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        exec(block, scope)
    shown = re.findall(r"^```c\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert len(shown) == 2
    assert all(block in scope["text"] for block in shown)
    assert str(scope["found"].report).splitlines()[0] in page


@pytest.mark.parametrize("backend", ["numpy", "python", "c", "reference"])
def test_a_while_is_linearized_once_and_pulled_back_often(backend):
    """What its steps keep has no size that is known beforehand; a pullback leaves it as it was."""
    x, t = np.array([0.3, 1.2, 2.1]), np.array([1.0, 2.0, 3.0])

    def f(x):
        return wg.while_loop(lambda s: np.sum(s) < 50, lambda s: s * 1.3 + np.sin(x) * s[::-1], x)

    jacobian = wg.jacobian(f)(x)
    value, linear = wg.linearize(f, x, backend=backend)
    np.testing.assert_allclose(value, f(x))
    np.testing.assert_allclose(linear(t), jacobian @ t)
    np.testing.assert_allclose(wg.jacobian(linear)(t), jacobian)
    _, pull = wg.vjp(f, x, backend=backend)
    for g in (t, np.ones(3), t):
        np.testing.assert_allclose(pull(g)[0], g @ jacobian)
