"""Calls with rules of their own: custom derivatives, primitives, checkpoints, and what acts on gradients alone.

That both modes follow the rules on every backend, to the second order, is in test_control.py.
"""

import subprocess
import sys

import numpy as np
import pytest
import scipy.special
from batches import BACKENDS

import wengert as wg
from wengert.ir.errors import DerivativeError, TraceError

X = np.array([0.3, 1.2, 2.1])
ONES = np.ones(3)


def traced(f, *args):
    return wg.trace(f).graph(*args).graph


def ops(graph):
    return [node.op.name for node in graph.nodes]


# ----- custom: whose derivative it is -----


def test_outside_a_trace_the_function_is_called():
    f = wg.custom(lambda x: x * 2, jvp=lambda p, t: (0, 0))
    assert f(3.0) == 6.0
    assert f.__name__ == "<lambda>"


def test_the_rule_is_followed_where_it_differs_from_the_function():
    """A wrong rule, on purpose."""
    tripled = wg.custom(lambda x: x * 2, jvp=lambda p, t: (p[0] * 2, 3 * t[0]))
    for backend in ("numpy", "reference", "python"):
        with wg.backend(backend):
            np.testing.assert_array_equal(wg.grad(lambda x: tripled(x).sum())(X), 3 * ONES)
            np.testing.assert_array_equal(wg.jvp(tripled, (X,), (ONES,))[1], 3 * ONES)


def test_each_mode_has_its_own_rule():
    """Both are right, and told apart by what they round to: 2**-60 is lost in one."""
    both = wg.custom(lambda x: x * 1.0, jvp=lambda p, t: (p[0], t[0] * (1 + 2.0**-40)), vjp=lambda p, y, g: (g,))
    assert wg.jvp(both, (1.0,), (1.0,))[1] == 1 + 2.0**-40
    assert wg.grad(both)(1.0) == 1.0


def test_reverse_mode_by_a_jvp_and_forward_mode_by_a_vjp():
    by_jvp = wg.custom(lambda x, y: x * y, jvp=lambda p, t: (p[0] * p[1], t[0] * p[1] + p[0] * t[1]))
    by_vjp = wg.custom(lambda x, y: x * y, vjp=lambda p, z, g: (g * p[1], g * p[0]))
    for f in (by_jvp, by_vjp):
        np.testing.assert_array_equal(wg.grad(lambda x, f=f: f(x, 2 * x).sum())(X), 4 * X)
        np.testing.assert_array_equal(wg.jvp(lambda x, f=f: f(x, 2 * x), (X,), (ONES,))[1], 4 * X)
        np.testing.assert_array_equal(wg.hessian(lambda x, f=f: f(x, 2 * x).sum())(X), np.diag(4 * ONES))


@pytest.mark.parametrize("rule", ["jvp", "vjp"])
def test_third_derivatives(rule):
    rules = {"jvp": lambda p, t: (np.exp(p[0]), t[0] * np.exp(p[0])), "vjp": lambda p, y, g: (g * y,)}
    f = wg.custom(np.exp, **{rule: rules[rule]})
    assert wg.grad(wg.grad(wg.grad(f)))(0.5) == pytest.approx(np.exp(0.5), rel=1e-14)
    assert wg.jvp(wg.grad(wg.grad(f)), (0.5,), (1.0,))[1] == pytest.approx(np.exp(0.5), rel=1e-14)


def test_nested_arguments_none_and_counts():
    """A tangent is None for an int; a rule says None, or nothing for a whole tuple, where there is none."""
    def f(pair, n, table):
        return {"y": pair["a"] * n, "k": n + 1}

    def rule(primals, value, g):
        assert g["k"] is None
        return {"a": g["y"] * primals[1], "b": None}, None, None

    f = wg.custom(f, vjp=rule)
    loss = lambda a, b: f({"a": a, "b": b}, np.int64(3), X)["y"].sum()
    ga, gb = wg.grad(loss, argnums=(0, 1))(X, X)
    np.testing.assert_array_equal(ga, 3 * ONES)
    np.testing.assert_array_equal(gb, 0 * ONES)
    forward = wg.custom(lambda pair, n: pair[0] * n, jvp=lambda p, t: (p[0][0] * p[1], t[0][0] * p[1] if t[1] is None else 1 / 0))
    np.testing.assert_array_equal(wg.jvp(lambda x: forward((x, x), np.int64(3)), (X,), (ONES,))[1], 3 * ONES)


def test_keywords_defaults_and_methods():
    def scaled(x, n=2):
        return x * n

    f = wg.custom(scaled, jvp=lambda p, t: (scaled(*p), 10 * scaled(t[0], *p[1:])))
    again = wg.checkpoint(scaled)
    for g, factor in ((f, 10), (again, 1)):
        assert wg.grad(lambda x, g=g: g(x))(1.0) == 2 * factor
        assert wg.grad(lambda x, g=g: g(x, 3))(1.0) == 3 * factor
        assert wg.grad(lambda x, g=g: g(n=4, x=x))(1.0) == 4 * factor

    class Model:
        factor = 3.0

        @wg.custom(vjp=lambda p, y, g: (None, g * p[0].factor * 10))
        def f(self, x):
            return x * self.factor

    assert Model().f(2.0) == 6.0
    assert wg.grad(Model().f)(2.0) == 30.0
    with pytest.raises(TypeError, match="takes the arguments n by keyword alone; bind them before"):
        wg.trace(wg.checkpoint(lambda x, *, n: x * n))(1.0, n=2)


def test_float32_and_complex():
    f = wg.custom(np.sin, jvp=lambda p, t: (np.sin(p[0]), np.cos(p[0]) * t[0]))
    g = wg.grad(lambda x: f(x).sum())(X.astype(np.float32))
    assert g.dtype == np.float32
    z = X * (1 + 0.5j)
    np.testing.assert_allclose(wg.grad(lambda z: f(z).sum().real)(z), wg.grad(lambda z: np.sin(z).sum().real)(z), rtol=1e-14)
    by_vjp = wg.custom(np.conj, vjp=lambda p, y, g: (np.conj(g),))
    np.testing.assert_array_equal(wg.grad(lambda z: (by_vjp(z) * 1j).sum().real)(z), wg.grad(lambda z: (np.conj(z) * 1j).sum().real)(z))


def test_what_it_reads_from_outside_is_constant():
    table = X.copy()
    f = wg.custom(lambda x: x * table, vjp=lambda p, y, g: (g * table,))
    np.testing.assert_array_equal(wg.grad(lambda x: f(x).sum())(X), X)
    np.testing.assert_array_equal(wg.grad(lambda a: (f(X * a) + f(wg.stop_gradient(a) * X)).sum())(2.0), (X * X).sum())
    with pytest.raises(TraceError, match=r"reads a traced value of type f64\*\[\] .*Pass it as an argument, or wg.stop_gradient"):
        wg.grad(lambda a: wg.custom(lambda x: x * a, vjp=lambda p, y, g: (g * a,))(2.0))(1.0)


def test_a_rule_may_call_what_it_is_a_rule_of():
    f = wg.custom(np.exp, jvp=lambda p, t: (f(p[0]), t[0] * f(p[0])))
    for _ in range(3):
        f, expected = wg.grad(f), np.exp(0.5)
        assert f(0.5) == pytest.approx(expected, rel=1e-14)


def test_rules_are_in_the_file(tmp_path):
    doubled = wg.custom(lambda x: np.sin(x), jvp=lambda p, t: (np.sin(p[0]), 2 * np.cos(p[0]) * t[0]))
    wg.trace(lambda x: doubled(x).sum()).graph(X).save(tmp_path / "f.wg")
    child = f"""
import numpy as np, wengert as wg
g, x = wg.load({str(tmp_path / "f.wg")!r}), np.array({X.tolist()})
np.testing.assert_allclose(wg.grad(g)(x), 2 * np.cos(x))
np.testing.assert_allclose(wg.jvp(g, (x,), (np.ones(3),))[1], 2 * np.cos(x).sum())
np.testing.assert_allclose(wg.hessian(g)(x), np.diag(-2 * np.sin(x)))
"""
    subprocess.run([sys.executable, "-c", child], check=True)


# ----- custom: rules that cannot be right -----


def _call(**rules):
    return lambda: traced(lambda x: wg.custom(lambda x, y: (x * y).sum(), **rules)(x, x), X)


WRONG = {
    "contradicting": (lambda: traced(wg.custom(lambda x: x * 2, jvp=lambda p, t: (p[0] * 2, t[0] * 2), vjp=lambda p, y, g: (3 * g,)), X),
                      DerivativeError, "contradict each other"),
    "a tangent squared": (lambda: traced(wg.custom(lambda x: x * 2, jvp=lambda p, t: (p[0], t[0] ** 2)), X), DerivativeError, "not linear"),
    "a tangent and one": (lambda: traced(wg.custom(lambda x: x * 2, jvp=lambda p, t: (p[0], t[0] + 1)), X), DerivativeError, "not linear"),
    "no pair": (_call(jvp=lambda p, t: t[0]), TraceError, "other than a pair. Return .value, tangent."),
    "a tangent of another shape": (_call(jvp=lambda p, t: (p[0], t[0][:2])), TraceError, r"f64\[2\] where f64\[\] is due"),
    "a tangent nested otherwise": (_call(jvp=lambda p, t: (p[0], (t[0], t[0]))), TraceError, "nested otherwise"),
    "one cotangent of two": (_call(vjp=lambda p, y, g: (g * p[0],)), TraceError, "nested otherwise"),
    "a cotangent of another shape": (_call(vjp=lambda p, y, g: (p[0][:2], p[0])), TraceError, r"f64\[2\] where f64\[3\] is due"),
    "a derivative of an int": (lambda: traced(lambda x: wg.custom(lambda x, n: x * n, vjp=lambda p, y, g: (g, g))(x, np.int64(2)), X),
                               TraceError, "derivative for what has none. Return None there"),
    "a branch on a value": (_call(jvp=lambda p, t: (p[0], t[0] if p[0][0] > 0 else -t[0])), TraceError, "Python asks for a value within the jvp"),
    "other arguments": (_call(jvp=lambda p: p), TraceError, "the jvp is called with 2 arguments"),
    "an unknown policy": (lambda: wg.checkpoint(np.sin, policy="some"), ValueError, "'nothing', 'contractions', 'everything', got 'some'"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_a_rule_that_cannot_be_right_is_refused(what):
    make, kind, message = WRONG[what]
    with pytest.raises(kind, match=message) as caught:
        make()
    assert str(caught.value).endswith(".")


def test_no_rule_is_an_error_when_a_derivative_is_asked_for():
    f = wg.custom(lambda x: x * 2)
    assert wg.trace(f)(2.0) == 4.0
    for derive in (wg.grad(f), wg.grad(wg.grad(f)), lambda x: wg.jvp(f, (x,), (1.0,))):
        with pytest.raises(DerivativeError, match="states no derivative"):
            derive(1.0)
    assert wg.grad(lambda x: f(wg.stop_gradient(x)) * x)(2.0) == 4.0


def test_rules_are_looked_at_where_they_have_numbers():
    """At random arguments this one has none, and nothing is learnt."""
    def rule(p, t):
        return np.linalg.solve(p[0], X), np.linalg.solve(p[0], -t[0] @ np.linalg.solve(p[0], X))

    f = wg.custom(lambda a: np.linalg.solve(a, X), jvp=rule)
    a = np.diag(X) + 1
    np.testing.assert_allclose(wg.jacobian(f)(a), wg.jacobian(lambda a: np.linalg.solve(a, X))(a), rtol=1e-12)


# ----- Primitives -----


ERF = wg.primitive(
    lambda x: scipy.special.erf(np.asarray(x)), vjp=lambda p, y, g: (g * 2 / np.sqrt(np.pi) * np.exp(-(p[0] ** 2)),), name="tests.erf")


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_primitive_is_called_everywhere(backend):
    slope = 2 / np.sqrt(np.pi) * np.exp(-(X**2))
    with wg.backend(backend):
        np.testing.assert_array_equal(wg.trace(lambda x: ERF(x) * 1.0)(X), scipy.special.erf(X))
        np.testing.assert_allclose(wg.grad(lambda x: ERF(x).sum())(X), slope, rtol=1e-15)
        np.testing.assert_allclose(wg.jvp(ERF, (X,), (ONES,))[1], slope, rtol=1e-15)
        np.testing.assert_allclose(wg.hessian(lambda x: ERF(x).sum())(X), np.diag(-2 * X * slope), rtol=1e-14)


def test_it_is_not_called_while_tracing_where_its_results_are_told():
    calls = []
    f = wg.primitive(lambda x: calls.append(1) or x.sum(0), like=lambda x: np.zeros(x.shape[1:]), name="tests.like")
    traced(f, X)
    assert not calls
    assert wg.trace(f)(X) == X.sum()
    assert len(calls) == 1


def test_several_results_and_integers():
    f = wg.primitive(lambda x: (np.sort(x), np.argsort(x)), name="tests.sorted",
                     vjp=lambda p, y, g: (np.zeros(3) if g[0] is None else g[0][np.argsort(y[1])],))  # fmt: skip
    values, order = wg.trace(f)(X[::-1])
    np.testing.assert_array_equal(values, X)
    assert order.dtype == np.int64
    np.testing.assert_array_equal(wg.grad(lambda x: (f(x)[0] * X).sum())(X[::-1]), X[::-1])


def test_a_primitive_that_returns_something_else_than_it_said_is_an_error():
    f = wg.primitive(lambda x: x[:2] if x[0] > 0.9 else x, name="tests.fickle")
    with pytest.raises(ValueError, match=r"'tests.fickle' returned float64 of shape \(3,\); its graph was made for"):
        wg.trace(f)(X)


def test_without_a_rule_and_with_nested_arguments():
    bare = wg.primitive(np.cumsum, name="tests.bare")
    with pytest.raises(DerivativeError, match="states no derivative"):
        wg.grad(lambda x: bare(x).sum())(X)
    with pytest.raises(TraceError, match="tests.bare is called with nested arguments. Pass arrays one by one"):
        traced(lambda x: bare((x, x)), X)


def test_a_file_needs_the_primitive(tmp_path):
    path = tmp_path / "f.wg"
    wg.trace(lambda x: ERF(x).sum()).graph(X).save(path)
    np.testing.assert_array_equal(wg.load(path)(X), scipy.special.erf(X).sum())
    child = f"""
import numpy as np, wengert as wg
try:
    wg.load({str(path)!r})
except wg.WengertError as error:
    print(error)
wg.primitive(lambda x: x * 2, name="tests.erf")
g = wg.load({str(path)!r})
print(g(np.ones(3)), wg.grad(g)(np.zeros(3)))
"""
    said = subprocess.run([sys.executable, "-c", child], check=True, capture_output=True, text=True).stdout
    first, second = said.splitlines()
    assert "no primitive called 'tests.erf' is registered here" in first
    assert "import the module that makes it with wg.primitive" in first
    assert second.startswith("6.0 [1.128")


# ----- Checkpoints -----


def test_a_checkpoint_keeps_what_its_policy_says():
    m = np.arange(9.0).reshape(3, 3) / 10

    def f(x):
        return np.sin(np.tanh(m @ np.sin(x)) * x).sum()

    def work(policy):
        derived = wg.trace(wg.grad(wg.checkpoint(f, policy=policy))).graph(X).graph
        return [node.op.name for g in every(derived) for node in g.nodes]

    nothing, contractions, everything = map(work, ("nothing", "contractions", "everything"))
    assert nothing.count("tanh") > everything.count("tanh")
    assert nothing.count("einsum") > contractions.count("einsum")
    assert contractions.count("tanh") == nothing.count("tanh")


def every(graph):
    from wengert.ir.verify import called_graphs

    return called_graphs(graph)


def test_a_checkpoint_outside_a_trace_is_the_function():
    assert wg.checkpoint(np.sin)(0.5) == np.sin(0.5)
    assert wg.checkpoint(np.sin).__name__ == "sin"


def test_a_checkpoint_reads_from_outside():
    def f(a, x):
        return wg.checkpoint(lambda x: np.sin(a * x) * X)(x).sum()

    got = wg.hessian(f, argnums=(0, 1))(0.7, X)
    expected = wg.hessian(lambda a, x: (np.sin(a * x) * X).sum(), argnums=(0, 1))(0.7, X)
    for row, other in zip(got, expected, strict=True):
        for x, y in zip(row, other, strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-13)


# ----- What acts on gradients alone -----


@pytest.mark.parametrize("backend", BACKENDS)
def test_gradients_are_clipped_scaled_and_passed_straight_through(backend):
    with wg.backend(backend):
        clipped = lambda x: (wg.clip_gradient(x, -0.1, 0.1) * 3 * x).sum()
        np.testing.assert_allclose(wg.grad(clipped)(X), 3 * X + 0.1, rtol=1e-15)
        np.testing.assert_allclose(wg.grad(lambda x: (wg.scale_gradient(x, -2.0) ** 2).sum())(X), -4 * X, rtol=1e-15)
        np.testing.assert_allclose(wg.jvp(lambda x: wg.scale_gradient(x, -2.0) ** 2, (X,), (ONES,))[1], -4 * X, rtol=1e-15)
        np.testing.assert_allclose(wg.grad(lambda x: (wg.straight_through(np.round)(x) * x).sum())(X), np.round(X) + X, rtol=1e-15)


def test_values_are_left_alone():
    for f in (lambda x: wg.clip_gradient(x, -1, 1), lambda x: wg.scale_gradient(x, 0.0), wg.straight_through(np.sign)):
        expected = np.sign(X) if f.__name__ != "<lambda>" else X
        np.testing.assert_array_equal(wg.trace(f)(X), expected)
    assert type(wg.trace(lambda x: wg.scale_gradient(x, 0.0))(2.0)) is float


def test_a_clipped_cotangent_has_no_forward_mode():
    with pytest.raises(DerivativeError, match="use reverse mode, or give wg.custom a jvp"):
        wg.jvp(lambda x: wg.clip_gradient(x, -1.0, 1.0), (1.0,), (1.0,))


def test_a_clipped_gradient_is_differentiated_in_reverse():
    f = lambda x: np.sin(wg.clip_gradient(x, -0.5, 0.5) * 1.0)
    assert wg.grad(f)(0.3) == 0.5
    assert wg.grad(wg.grad(f))(1.6) == pytest.approx(-0.5)  # -sin 1.6, on its way through the clip once more
    assert wg.grad(wg.grad(f))(0.3) == 0.0


# ----- In a file and in text -----


def test_text_of_all_of_it():
    def f(x):
        step = wg.custom(lambda c, v: c * v, vjp=lambda p, y, g: (g * p[1], g * p[0]))
        return wg.checkpoint(lambda x: wg.scan(lambda c, v: (step(c, v), wg.clip_gradient(c, -1.0, 1.0)), x[0], x))(x)

    program = wg.trace(f).graph(X)
    for derived in (program, wg.vjp(program)):
        text = derived.text()
        assert wg.parse(text).text() == text
