"""`wg.check`: what it finds in functions, and that it finds what is wrong with a rule."""

import contextlib
import re
import subprocess
import sys

import numpy as np
import pytest
import samples
from hypothesis import HealthCheck, given, seed, settings
from strategies import programs

import wengert as wg
from wengert.backends import protocol
from wengert.ir.build import Builder
from wengert.ir.errors import DerivativeError
from wengert.ir.kinds import Elementwise, Reduction
from wengert.ir.ops import OPS
from wengert.tools import derivatives
from wengert.tools.derivatives.differences import slopes

X = np.array([0.5, -1.25, 2.0])


@contextlib.contextmanager
def altered(name, **fields):
    """An op with other fields, for as long as this lasts."""
    op = OPS[name]
    kept = {key: getattr(op, key) for key in fields}
    for key, value in fields.items():
        object.__setattr__(op, key, value)
    try:
        yield
    finally:
        for key, value in kept.items():
            object.__setattr__(op, key, value)


def line(function, after=1):
    return f"at {__name__}.{function.__qualname__}:{function.__code__.co_firstlineno + after}"


def sentences(report):
    """The lines of a report, each checked to be a sentence."""
    lines = str(report).splitlines()
    for text in lines:
        assert re.match(r"^[A-Za-z].+[.](| \(at .+:\d+\))$", text), text
        assert "  " not in text and ".." not in text and "None" not in text.replace("it is None", ""), text
    return lines


def model(x, n, k=2.0, flag=True, mode="sum", extra=None):
    if np.max(x) < 10:
        x = x * k
    for _ in range(n):
        x = np.sin(x) + 0.1 * x
    return {"loss": np.sum(x * x), "x": x}


# ----- A function that is in order -----


@pytest.mark.parametrize("kind", ["function", "traced", "program", "loaded"])
def test_a_sound_function(kind, tmp_path):
    traced = wg.trace(model)
    traced.graph(X, 2).save(tmp_path / "f.wg")
    f = {"function": model, "traced": traced, "program": traced.graph(X, 2), "loaded": wg.load(tmp_path / "f.wg")}[kind]
    report = wg.check(f)(X, 2)
    assert report.ok and report and not (report.wrong or report.undecided or report.lacks or report.culprits)
    assert report.entries == 4 * 4
    assert report.worst.amount < 1e-9 and report.worst.verdict == "agrees"
    said = {a.path: (a.differentiable, a.dtype, a.shape) for a in report.arguments}
    assert said == {
        "x": (True, "float64", (3,)), "n": (False, "int64", ()), "k": (True, "float64", ()), "flag": (False, "bool", ()),
        "mode": (False, "str", ()), "extra": (False, "NoneType", ()),
    }  # fmt: skip
    lines = sentences(report)
    assert lines[0] == "model can be differentiated in both modes."
    assert "Argument n is not differentiable: it is a Python integer that counts or indexes, or was traced as one." in lines
    assert "Argument flag is not differentiable: it is a bool, which is a static part of the signature." in lines
    assert "Argument x, float64 of shape (3,), is differentiable." in lines
    where = line(model)
    assert f"The branch {where} was taken because 2 < 10 is True; the two sides are 8 apart." in lines
    assert report.branches[0].margin == 8.0 and report.branches[0].outcome is True
    assert any(text.endswith("2 == 2 is True; any other number takes another branch.") for text in lines)


def test_every_backend_in_values_and_those_named_in_derivatives():
    report = wg.check(model, backends=("reference", "numpy", "python"))(X, 1)
    assert report.ok and report.entries == 3 * 16
    available = {name for name in protocol.BUILT_IN if wg.available_backends()[name] is None}
    assert {v.backend for v in report.values if v.agrees} == available
    assert sentences(report)[-1].startswith("The values on numpy, python")
    with wg.backend("python"):
        assert wg.check(np.sin)(0.5).worst.backend == "python"
    assert wg.check(wg.trace(np.sin, backend="reference"))(0.5).worst.backend == "reference"


def test_integers_are_real_where_the_function_accepts_them():
    report = wg.check(lambda a, b: (a + b) * (b + 1))(2, 1)
    assert report.ok and [a.differentiable for a in report.arguments] == [True, True]
    assert str(report).startswith("The function can be")


def test_nested_arguments_and_large_arrays():
    rng = np.random.default_rng(3)
    params = {"W": rng.normal(size=(10, 20)), "b": [rng.normal(size=10)]}
    report = wg.check(lambda p, x: np.tanh(p["W"] @ x + p["b"][0]), limit=12)(params, rng.normal(size=20))
    assert report.ok and [a.path for a in report.arguments] == ["p['W']", "p['b'][0]", "x"]
    assert report.worst.amount < 1e-8
    assert report.entries < 16 * 20
    sentences(report)


def test_float32_is_checked_to_its_own_precision():
    x = np.linspace(0.1, 1, 5, dtype=np.float32)
    report = wg.check(lambda x: np.sum(np.exp(x) / np.sum(np.exp(x)) * x))(x)
    assert report.ok and report.worst.amount < 1e-5 and report.worst.error < 1e-8
    with altered("exp", partials=(lambda xp, out, x: 1.005 * out,)):
        assert not wg.check(lambda x: np.sum(np.exp(x)))(x)


def test_complex_arguments_and_results():
    z = np.array([0.5 + 1j, -1 - 0.25j])
    report = wg.check(lambda z: (np.sum(np.abs(z) ** 2), np.exp(z) * np.conj(z)))(z)
    assert report.ok and report.entries == 4 * 5
    with altered("exp", partials=(lambda xp, out, x: -out,)):
        report = wg.check(lambda z: np.exp(z))(z)
    assert not report.ok and [c.op for c in report.culprits] == ["exp"]
    assert "part of z[" in str(report.wrong[0])
    sentences(report)


# ----- What is wrong -----


def rows(x, y):
    a = np.sin(x) * 2
    b = np.cos(y)
    return a + b


@pytest.mark.parametrize(("factor", "how"), [(-1, "sign"), (1.0005, "scale"), (np.nan, "nan"), (np.inf, "infinite")])
def test_a_wrong_rule_is_found_at_its_line_and_argument(factor, how):
    with altered("cos", partials=(lambda xp, out, x: -factor * xp.sin(x),)):
        report = wg.check(rows)(X, X + 1)
    assert not report.ok and not report
    assert {d.argument for d in report.wrong} == {"y"} and {d.index for d in report.wrong} >= {d.result_index for d in report.wrong}
    assert all(set(d.modes) <= {"forward", "reverse"} and d.modes for d in report.wrong)
    (culprit,) = report.culprits
    assert (culprit.op, culprit.operand, culprit.location.line) == ("cos", 0, rows.__code__.co_firstlineno + 2)
    lines = sentences(report)
    assert lines[0] == "rows has faults: a derivative is wrong."
    assert any(text.startswith("The derivative of out[") and "in y[" in text and "is wrong: forward mode gives" in text for text in lines)
    assert any(text.startswith(f"The derivative of cos {line(rows, 2)} in operand 0 is wrong in forward and reverse mode") for text in lines)


def test_the_operand_is_named():
    broken = (OPS["arctan2"].partials[0], lambda xp, out, y, x: y / (x * x + y * y))
    with altered("arctan2", partials=broken):
        report = wg.check(lambda a, b: np.arctan2(a, b))(1.0, 2.0)
    assert [(c.op, c.operand) for c in report.culprits] == [("arctan2", 1)]
    assert [d.argument for d in report.wrong] == ["b"]


def test_a_mode_that_is_wrong_by_itself(monkeypatch):
    from wengert.backends import protocol

    backend = protocol.get("numpy")
    right = type(backend).reverse

    def reverse(self, graph, active):
        run = right(self, graph, active)

        def doubled(inputs, *cotangents):
            values, pulled = run(inputs, *cotangents)
            return values, [2 * p for p in pulled]

        return doubled

    monkeypatch.setattr(type(backend), "reverse", reverse)
    report = wg.check(lambda x: np.sin(x))(0.5)
    assert [d.modes for d in report.wrong] == [("reverse",)]
    assert report.culprits[0].modes == ("reverse",)
    with_kink = wg.check(lambda x: np.abs(x) + x)(0.0)
    assert with_kink.wrong and with_kink.wrong[0].modes == ("forward", "reverse")  # two modes are one sum, at a kink too


def test_a_fault_that_no_op_has_by_itself(monkeypatch):
    from wengert.backends import protocol

    backend = protocol.get("numpy")
    right = type(backend).forward

    def forward(self, graph, active):
        run = right(self, graph, active)
        if len(graph.nodes) == 1:
            return run

        def doubled(inputs, tangents):
            values, moved = run(inputs, tangents)
            return values, [2 * t for t in moved]

        return doubled

    monkeypatch.setattr(type(backend), "forward", forward)
    report = wg.check(lambda x: np.sin(x) + np.abs(x - 0.5))(0.5)
    assert not report.ok and not report.culprits and report.kinks
    report = wg.check(lambda x: np.sin(np.cos(x)))(0.5)
    assert [d.modes for d in report.wrong] == [("forward",)]
    assert "Each op is right by itself: the fault is in how they are put together" in sentences(report)[3]


def test_backends_that_differ_at_a_kink(monkeypatch):
    from wengert.backends import protocol

    backend = protocol.get("python")
    for mode in ("forward", "reverse"):
        right = getattr(type(backend), mode)

        def wrong(self, graph, active, right=right):
            run = right(self, graph, active)

            def shifted(*given):
                values, moved = run(*given)
                return values, [t + 0.25 for t in moved]

            return shifted

        monkeypatch.setattr(type(backend), mode, wrong)
    assert wg.check(np.abs, backends="python")(0.0).ok, "within both slopes: nobody can tell"
    report = wg.check(np.abs, backends=("numpy", "python"))(0.0)
    assert [(d.backend, d.elsewhere) for d in report.wrong] == [("python", 0.0)]
    assert "and the first backend gives 0." in str(report.wrong[0])


def test_a_wrong_value_is_found():
    with altered("tanh", libm="sinh"):
        wrong = [v for v in wg.check(lambda x: np.tanh(x) + 0.125, backends=("numpy",))(0.75).values if not v.agrees]
    assert wrong
    assert all("are wrong: out differs by" in str(v) for v in wrong)


def test_a_rule_that_raises_is_named_with_its_mode():
    def refuse(xp, out, x):
        raise DerivativeError("sinh: there is no known rule for its derivative.", op="sinh", location="here.f:1")

    with altered("sinh", partials=(refuse,)):
        report = wg.check(lambda x, y: np.sinh(x) * y)(0.5, 2.0)
    assert not report.ok and {(k.mode, k.op, k.argument) for k in report.lacks} == {("forward", "sinh", "x"), ("reverse", "sinh", "x")}
    assert [a.differentiable for a in report.arguments] == [False, True]
    assert report.entries == 1, "the other argument is compared all the same"
    assert ("sinh", "refused") in {(s.op, s.kind) for s in report.stops}
    lines = sentences(report)
    assert lines[0] == "The function has faults: a mode is lacking."
    assert "Forward mode on numpy is lacking for x: sinh: there is no known rule for its derivative. (at here.f:1)." in lines

    with altered("sinh", partials=(lambda xp, out, x: {}["no"],)):
        assert "KeyError" in wg.check(lambda x: np.sinh(x))(0.5).lacks[0].message


def mutations():
    for name, op in OPS.items():
        if isinstance(op, Elementwise):
            yield from ((name, k) for k, rule in enumerate(op.partials) if (callable(rule) or rule in (1, -1)) and name != "cast")
        elif isinstance(op, Reduction) and callable(op.partial):
            yield name, 0


def point(name):
    for sample in samples.samples(name):
        if sample.smooth and sample.differentiable and 0 < sample.operands[0].size < 10 and all(x.dtype in (np.float64, bool) for x in sample.operands):
            return sample
    return None


@pytest.mark.parametrize(("name", "operand"), list(mutations()))
def test_each_rule_scaled_by_a_little_is_found(name, operand, monkeypatch):
    monkeypatch.setattr(derivatives, "_values", lambda *args: [])
    sample = point(name)
    if sample is None:
        pytest.skip("has no smooth sample of float64")
    op, b = OPS[name], Builder()
    graph = b.graph(b.emit_all(op, [b.input(t, f"x{k}") for k, t in enumerate(sample.types)], **sample.params))
    rules = [op.partial] if isinstance(op, Reduction) else list(op.partials)
    rule = rules[operand]
    rules[operand] = lambda xp, *args: 1.0005 * (rule(xp, *args) if callable(rule) else xp.ones_like(args[1]) * rule)
    fields = {"partial": rules[0]} if isinstance(op, Reduction) else {"partials": tuple(rules)}
    program = wg.Program(graph, "numpy")
    clean = wg.check(program)(*sample.operands)
    assert not clean.wrong and f"x{operand}" not in {k.argument for k in clean.lacks}
    _, (moved,) = program.forward((operand,))(sample.operands, [np.ones((1, *sample.operands[operand].shape))])
    if not np.any(moved):
        pytest.skip("has the derivative 0 at its sample")
    with altered(name, **fields):
        report = wg.check(wg.Program(graph, "numpy"))(*sample.operands)
    assert {(c.op, c.operand) for c in report.culprits} == {(name, operand)}
    assert {d.argument for d in report.wrong} == {f"x{operand}"}


# ----- What is undecided -----


KINKS = {
    "abs": (lambda x: np.abs(x), 0.0, "at a kink", "absolute"),
    "max": (lambda x: np.maximum(x, 1.0), 1.0, "at a kink", "maximum"),
    "relu": (lambda x: np.where(x > 0, x, 0.0), 0.0, "at a kink", "greater"),
    "floor": (lambda x: np.floor(x), 3.0, "at a jump or an unbounded slope", "floor"),
    "sign": (lambda x: np.sign(x), 0.0, "at a jump or an unbounded slope", "sign"),
    "sqrt": (lambda x: np.sqrt(x), 0.0, "at the edge of its domain", "sqrt"),
    "log": (lambda x: np.log(x), 0.0, "at the edge of its domain", "log"),
    "cbrt": (lambda x: np.cbrt(x), 0.0, "at a jump or an unbounded slope", "cbrt"),
    "cancelling": (lambda x: np.where(x > 0, x, 0) - np.where(-x > 0, -x, 0), 0.0, "at a kink, where greater", "greater"),
    "norm": (lambda x: np.hypot(x, 0.0), 0.0, "at a kink", "hypot"),
}


@pytest.mark.parametrize("name", KINKS)
def test_kinks_are_undecided_not_wrong(name):
    f, x, cause, op = KINKS[name]
    report = wg.check(f)(x)
    assert report.ok and not report.wrong
    (entry,) = report.undecided
    assert entry.cause.startswith(cause)
    assert op in {k.op for k in report.kinks}
    assert all(k.location.line == f.__code__.co_firstlineno for k in report.kinks)
    lines = sentences(report)
    assert any(text.startswith(f"The derivative of out in x on numpy is undecided {cause}") for text in lines)
    assert any(text.startswith("At these arguments, ") for text in lines)


def test_a_kink_says_its_slopes():
    report = wg.check(lambda x: np.sum(np.abs(x)))(np.array([3.0, 0.0]))
    (entry,) = report.undecided
    assert (entry.index, round(entry.left, 6), round(entry.right, 6), entry.forward) == ((1,), -1, 1, 0)
    assert str(entry).endswith("forward mode gives 0, reverse mode gives 0 and the slope is -1 to the left and 1 to the right.")
    assert report.entries == 1


@pytest.mark.parametrize("near", [1e-3, 1e-4, 1e-5])
def test_beside_a_kink_it_is_decided(near):
    report = wg.check(lambda x: np.abs(x - 1) * 3)(1 + near)
    assert report.ok and not report.undecided and report.worst.numeric == pytest.approx(3, rel=1e-7)


def test_ties_of_an_order():
    report = wg.check(lambda x: np.sort(x))(np.array([1.0, 1.0, 1.0, 2.0]))
    assert report.ok and {k.op for k in report.kinks} == {"sort"}
    assert "is given equal numbers, whose order is a choice" in str(report)


def test_a_kink_at_the_end_of_a_long_loop_is_found():
    def f(x):
        for _ in range(300):
            x = np.sin(x) * 1.001
        return np.abs(x)

    report = wg.check(f)(0.0)
    assert [k.op for k in report.kinks] == ["absolute"]


def test_a_matrix_that_is_taken_as_symmetric():
    a = np.diag([1.0, 2.0, 4.0]) + 0.1
    report = wg.check(lambda a: np.linalg.eigvalsh(a))(a)
    assert report.ok and all(d.cause.startswith("by convention, as eigvalsh at") for d in report.undecided)
    lines = sentences(report)
    assert "takes its operand as symmetric, while differences change one entry of it" in lines[4]
    assert "And 8 more entries are undecided." in lines
    report = wg.check(lambda a: np.linalg.eigvalsh((a + a.T) / 2))(a)
    assert report.ok and not report.undecided


def test_at_infinity_and_nan():
    report = wg.check(lambda x: 1 / x)(np.array([np.inf, np.nan, 2.0]))
    assert report.ok
    assert {(d.index, d.cause) for d in report.undecided} == {((1,), "at nan")}
    sentences(report)


def test_a_wrong_rule_is_found_beside_a_kink():
    with altered("sin", partials=(lambda xp, out, x: -xp.cos(x),)):
        report = wg.check(lambda x: np.sin(x) + np.abs(x - 0.5))(X)
    assert not report.ok and [c.op for c in report.culprits] == ["sin"]


def test_noise_is_called_noise():
    source = iter(np.random.default_rng(0).normal(size=100000))
    report = wg.check(lambda x: x * x + 1e-3 * next(source))(1.0)
    assert not report.wrong and "in noise" in report.undecided[0].cause
    assert "were not compared: the function gives other values when it is called again." in str(report)


def test_stopped_on_purpose():
    report = wg.check(lambda x: wg.stop_gradient(x) * x)(2.0)
    assert report.ok and report.undecided[0].cause.startswith("behind stop_gradient at")
    assert [(s.op, s.kind) for s in report.stops] == [("stop_gradient", "stop_gradient")]
    sentences(report)


# ----- What stops derivatives, and arguments -----


def stopping(x, i, unused, m):
    a = np.floor(x)
    b = x.astype(int)
    c = np.where(x > 1, a, b)
    d = x[np.argmax(x)]
    return c + m * d + i


def test_what_stops_derivatives_is_named():
    report = wg.check(stopping)(X + 0.1, np.arange(3), 1.5, np.ones(3, bool))
    first = stopping.__code__.co_firstlineno
    found = {(s.op, s.kind, s.location.line - first) for s in report.stops}
    assert found >= {("floor", "locally constant", 1), ("cast", "integer cast", 2), ("greater", "comparison", 3)}
    lines = sentences(report)
    assert f"No derivative passes through floor {line(stopping)}: it is locally constant by declaration, so its derivative is 0." in lines
    assert f"No derivative passes through cast {line(stopping, 2)}: its result is a whole number." in lines
    assert f"No derivative passes through greater {line(stopping, 3)}: its result is a truth value." in lines
    assert "Argument i is not differentiable: it is of integers (int64); convert it with .astype(float) to differentiate in it." in lines
    assert "Argument unused is not differentiable: it does not reach a result." in lines
    assert "Argument m is not differentiable: it is a truth value." in lines


def test_an_argument_that_ends_in_a_stop():
    report = wg.check(lambda x, y: np.floor(x) + y)(0.3, 1.0)
    assert report.ok
    assert re.match(r"it reaches the results only through floor at .*:\d+, so its derivative is 0\.$", report.arguments[0].reason)


@pytest.mark.parametrize(
    ("f", "x", "sentence"),
    [
        (lambda x: x * 2, np.arange(3), "The function has no derivative to take: none of its arguments is a real or complex number."),
        (lambda x: x > 0, X, "The function has no derivative to take: none of its results is a real or complex number."),
    ],
)
def test_where_there_is_none_to_take(f, x, sentence):
    report = wg.check(f)(x)
    assert not report.ok and sentences(report)[0] == sentence


# ----- Guards -----


def branching(x):
    if x.sum() > 1:
        x = x * 2
    if not np.all(x == x):
        x = x * 3
    if x[0] < 1.0:
        x = x * 4
    return x * int(x[2])


def test_guards_and_their_distances():
    report = wg.check(branching)(X)
    lines = sentences(report)
    assert f"The branch {line(branching)} was taken because 1.25 > 1 is True; the two sides are 0.25 apart." in lines
    assert any("all of (an array of shape (3,) == another)" in text for text in lines)
    assert f"The branch {line(branching, 5)} was taken because 1 < 1 is False; the two sides are equal, so the smallest change may take the other branch." in lines
    assert report.branches[0].margin == 0.25
    assert report.branches[2].outcome is False


def test_a_graph_that_does_not_hold_here():
    report = wg.check(wg.trace(branching).graph(X))(-X)
    assert not report.ok and report.refusal.error == "GuardError"
    assert report.refusal.location.line == branching.__code__.co_firstlineno + 1
    assert "branching cannot be differentiated as it is." in sentences(report)


# ----- What is refused -----


def refused(x):
    return float(x) * 2


def test_what_tracing_refuses_is_reported_with_its_line():
    report = wg.check(refused)(2.0)
    assert not report and report.refusal.error == "TraceError"
    assert report.refusal.location.line == refused.__code__.co_firstlineno + 1
    lines = sentences(report)
    assert lines[0] == "refused cannot be differentiated as it is."
    assert lines[1].startswith("It was refused with TraceError: At ") and f":{report.refusal.location.line}, in refused" in lines[1]


def test_an_error_that_only_tracing_meets_is_reported_with_its_line():
    def f(x):
        if type(x) is not float:
            raise ValueError("a plain number is wanted.")
        return x

    report = wg.check(f)(2.0)
    assert report.refusal.error == "ValueError" and report.refusal.location.line == f.__code__.co_firstlineno + 2
    assert f"ValueError at {__name__}.{f.__qualname__}:{f.__code__.co_firstlineno + 2}: a plain" in str(report) or sys.version_info < (3, 11)


def test_arguments_that_are_no_arrays_of_ours():
    assert wg.check(lambda x: x)(np.ma.array([1.0])).refusal.error == "TraceError"


def test_what_is_no_function_is_a_type_error():
    with pytest.raises(TypeError, match="taken of a function, traced function or graph; got 3"):
        wg.check(3)
    with pytest.raises(TypeError, match="argument"):
        wg.check(lambda x: x)(1.0, 2.0)
    with pytest.raises(TypeError, match="was made for"):
        wg.check(wg.trace(np.sin).graph(1.0))(X)
    with pytest.raises(wg.BackendError, match="no backend called"):
        wg.check(np.sin, backends=("fortran",))
    with pytest.raises(ValueError, match="at least 1, got 0"):
        wg.check(np.sin, limit=0)
    with pytest.raises(wg.TraceError, match=r"Call it outside"):
        wg.trace(lambda x: wg.check(np.sin)(x).refusal and x)(1.0)


def test_what_the_function_raises_itself_is_its_own():
    with pytest.raises(ZeroDivisionError):
        wg.check(lambda x: 1 // 0)(1.0)


def test_arguments_are_left_as_they_are():
    x = X.copy()

    def f(y):
        y[0] = 7.0
        return y * 2

    assert "is modified in place" in wg.check(f)(x).refusal.message
    assert wg.check(lambda y: f(y.copy()))(x).ok
    np.testing.assert_array_equal(x, X)


# ----- The differences themselves -----


@pytest.mark.parametrize(
    ("f", "x", "slope"),
    [(np.exp, 1.5, np.exp(1.5)), (np.sin, 10.0, np.cos(10.0)), (np.log, 1e-6, 1e6), (np.tanh, 1e-12, 1.0), (lambda x: x**7, 3.0, 7 * 3.0**6)],
)
def test_differences_know_their_error(f, x, slope):
    scale = abs(x)
    found = slopes(lambda h: np.array([f(x + h)]), np.zeros(1), scale, np.dtype(float), lambda s, e: np.array([True]))
    assert not found.cause[0]
    assert abs(found.slope[0] - slope) <= 4 * found.error[0] <= 1e-6 * max(abs(slope), abs(f(x)) / scale)


def test_no_smooth_sample_of_any_op_is_found_wrong(monkeypatch):
    """One sample of each, in double precision."""
    monkeypatch.setattr(derivatives, "_values", lambda *args: [])
    bad = []
    for name, op in OPS.items():
        sample = point(name)
        if sample is None:
            continue
        b = Builder()
        graph = b.graph(b.emit_all(op, [b.input(t) for t in sample.types], **sample.params))
        report = wg.check(wg.Program(graph, "numpy"))(*sample.operands)
        bad += [f"{name}: {d}" for d in report.wrong]
    assert bad == []


def test_no_random_program_is_found_wrong(monkeypatch):
    """At kinks, ties, infinities and NaN too: undecided at most."""
    monkeypatch.setattr(derivatives, "_values", lambda *args: [])
    decided = []

    @seed(0)
    @settings(max_examples=60, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(programs())
    def check(program):
        report = wg.check(wg.Program(program.graph, "numpy"), limit=6)(*program.arguments)
        assert not report.wrong, str(report)
        decided.append(bool(report.entries))

    check()
    assert sum(decided) > 30


def test_the_facade_has_it():
    assert "check" in wg.__all__


# ----- The command -----


def test_the_command(tmp_path):
    wg.trace(lambda a, b: (a + b) * (b + 1)).graph(2.0, 1.0).save(tmp_path / "f.wg")
    command = [sys.executable, "-m", "wengert.tools.cli", "check", str(tmp_path / "f.wg")]
    done = subprocess.run([*command, "2", "1", "--backend", "numpy", "--backend", "python"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "can be differentiated in both modes." in done.stdout and "agree in 4 entries" in done.stdout
    done = subprocess.run([*command, "2"], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "takes 2 values (a, b); 1 were given" in " ".join(done.stderr.split())
    done = subprocess.run([*command, "2", "1", "--backend", "fortran"], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "no backend called 'fortran'" in done.stderr
