"""Loops that Python has unrolled are loops again, and written out they are the nodes that they stand for."""

import os
import random

import numpy as np
import pytest
from snippet_cases import SNIPPETS
from snippet_checks import copied

import wengert as wg
from wengert.backends import protocol
from wengert.ir.build import Builder
from wengert.ir.graph import Guard
from wengert.ir.kinds import Movement
from wengert.ir.ops import OPS
from wengert.ir.passes import inline_calls
from wengert.ir.passes.reroll import repeats, reroll, rolled, steps
from wengert.ir.passes.reroll.guards import gathered, joined
from wengert.ir.types import ArrayType
from wengert.ir.verify import called_graphs, verify

RNG = np.random.default_rng(5)
SOAK = bool(os.environ.get("WENGERT_SOAK"))


@pytest.fixture(autouse=True)
def _written_out(monkeypatch):
    """Where one graph is compared with another, numpy runs them as they are."""
    monkeypatch.setattr(protocol.get("numpy"), "least", 10**9)


# ----- What a graph means: for each element of a value, which number it is and of which node -----


class Meaning:
    """Values as pairs of arrays: the maker of each element, by a number, and its place in what that has made.

    Movements are carried out, loops run: what is left are the same nodes on the same numbers, or not.
    """

    def __init__(self):
        self.makers = {}

    def maker(self, key):
        return self.makers.setdefault(key, len(self.makers))

    def fresh(self, key, type_):
        places = np.arange(type_.size).reshape(type_.shape)
        return np.stack([np.full(type_.shape, self.maker(key)), places])

    def constant(self, array):
        makers = [self.maker((array.dtype.str, x.tobytes())) for x in array.ravel()]
        return np.stack([np.array(makers, np.int64).reshape(array.shape), np.zeros(array.shape, np.int64)])

    def known(self, operand):
        """The integers that an operand is, where it is all constants."""
        numbers = {k: np.frombuffer(key[1], key[0])[0] for key, k in self.makers.items()
                   if type(key) is tuple and key[0] == "<i8"}  # fmt: skip
        found = [numbers.get(k) for k in operand[0].ravel().tolist()]
        return None if None in found else np.array(found, np.int64).reshape(operand.shape[1:])

    def moved(self, node, operands):
        (out,) = node.results
        shapes = tuple(v.type.shape for v in node.operands)
        found = np.broadcast_to(self.constant(np.zeros((), out.type.dtype))[(..., *(None,) * out.type.ndim)],
                                (2, *out.type.shape)).copy()
        for piece in node.op.pieces(shapes, out.type.shape, node.params):
            steps = np.indices(piece.size)
            to = tuple(s + d * i for s, d, i in zip(piece.start, piece.step, steps, strict=True))
            at = piece.offset + sum((s * i for s, i in zip(piece.strides, steps, strict=True)), np.zeros(piece.size, int))
            found[(slice(None), *to)] = operands[piece.operand].reshape(2, -1)[:, at]
        return found

    def scan(self, node, operands):
        graph, c, m = node.params["graph"], node.params["consts"], node.params["carries"]
        fixed, carry, xs = operands[:c], operands[c : c + m], operands[c + m :]
        columns = []
        for k in range(node.params["length"]):
            made = self.run(graph, [*fixed, *carry, *(x[:, k] for x in xs)])[: len(graph.outputs)]
            carry = made[:m]
            columns.append(made[m:])
        return [*carry, *(np.stack(column, axis=1) for column in zip(*columns, strict=True))]

    def run(self, graph, inputs):
        env = dict(zip(graph.inputs, inputs, strict=True))

        def at(v):
            return env[v] if v in env else self.constant(v.array)

        for node in graph.nodes:
            operands = [at(v) for v in node.operands]
            if node.op is OPS["scan"]:
                env.update(zip(node.results, self.scan(node, operands), strict=True))
            elif isinstance(node.op, Movement):
                env[node.result] = self.moved(node, operands)
            elif node.op is OPS["cast"] and node.result.type.dtype == node.operands[0].type.dtype:
                (env[node.result],) = operands
            elif node.op is OPS["take"] and (indices := self.known(operands[1])) is not None:
                env[node.result] = np.take(operands[0], indices, axis=1 + node.params["axis"])
            else:
                key = (node.op, repr(sorted(node.params.items())), *((x.shape, x.tobytes()) for x in operands))
                for r, v in enumerate(node.results):
                    env[v] = self.fresh((*key, r), v.type)
        return [at(v) for v in graph.guarded_outputs]

    def of(self, graph):
        inputs = [self.fresh(i, v.type) for i, v in enumerate(graph.inputs)]
        values = self.run(graph, inputs)
        return values[: len(graph.outputs)], values[len(graph.outputs) :]


def single_guards(graph):
    """Guards that test all or any of an array, as guards of the array."""
    made = {v: node for node in graph.nodes for v in node.results}
    guards = []
    for guard in graph.guards:
        node = made.get(guard.value)
        fold = "all" if guard.expected else "any"
        value = node.operands[0] if node is not None and node.op.name == fold else guard.value
        guards.append(Guard(value, guard.expected, guard.location))
    return graph.evolve(guards=tuple(guards))


def same_meaning(a, b):
    meaning = Meaning()
    (outs, guards), (others, tests) = meaning.of(single_guards(a)), meaning.of(single_guards(b))
    assert all(np.array_equal(x, y) for x, y in zip(outs, others, strict=True))

    def tested(graph, values):
        return {(g.expected, g.location, *column) for g, v in zip(graph.guards, values, strict=True)
                for column in v.reshape(2, -1).T.tolist()}  # fmt: skip

    assert tested(a, guards) == tested(b, tests)


def values(graph, inputs, backend):
    with np.errstate(all="ignore"):
        return protocol.get(backend).compile(graph)(inputs)[: len(graph.outputs)]


def drawn(type_, rng=RNG):
    return np.asarray(rng.uniform(0.2, 0.9, type_.shape)).astype(type_.dtype)


def check(graph, least=16, backends=("numpy",)):
    """Re-rolled, it is well formed, and the same; the report is as the graph."""
    found, report = reroll(graph, least)
    verify(found)
    same_meaning(graph, found)
    same_meaning(graph, joined(found))
    inputs = [drawn(v.type) for v in graph.inputs]
    for backend in backends:
        for x, y in zip(values(graph, inputs, backend), values(found, inputs, backend), strict=True):
            assert (x.dtype, x.shape) == (y.dtype, y.shape)
            assert x.tobytes() == y.tobytes() or backend == "numpy"  # its sums of few numbers are in an order of its own
            np.testing.assert_allclose(x, y, rtol=1e-12)
    scans = [node for inner in called_graphs(found) for node in inner.nodes if node.op.name == "scan"]
    assert report.loops or not scans
    return found, report


def traced(f, *args):
    graph = wg.trace(f).graph(*args)
    return getattr(graph, "graph", graph)


@pytest.fixture
def _short_loops(monkeypatch):
    """Loops of few steps and nodes are rerolled too, and keep little for their derivatives."""
    for module in (repeats, steps):
        monkeypatch.setattr(module, "FEWEST", 3)
    monkeypatch.setattr("wengert.ir.passes.reroll.FEWEST", 3)
    monkeypatch.setattr("wengert.ir.autodiff.loops._LARGE", -1)
    for backend in ("c", "python", "numpy"):
        monkeypatch.setattr(protocol.get(backend), "least", 4)


# ----- Programs as people write them -----

N = 40
X = RNG.normal(size=(N, 3))
W = RNG.normal(size=(3, 3)) / 2
ORDER = RNG.permutation(N)
NOISE = RNG.normal(size=(N, 3))


def runge_kutta(s, p):
    def f(s):
        return np.array([p[0] * s[0] - p[1] * s[0] * s[1], -p[2] * s[1] + p[0] * s[0] * s[1]])

    for _ in range(N):
        k1 = f(s)
        k2 = f(s + 0.05 * k1)
        s = s + 0.1 * (k1 + 2 * k2)
    return s.sum()


def recurrent(w, x, h):
    hs, loss = [], 0.0
    for t in range(len(x)):
        h = np.tanh(w @ h + x[t])
        hs.append(h)
        loss += np.sum((h - x[t]) ** 2)
    return np.stack(hs), np.stack(hs, axis=1), np.concatenate(hs[::-1]), loss


def shifted(x):
    total = 0.0
    for t in range(1, len(x) - 1):
        total = total + np.sum(np.sin(x[t + 1] - 2 * x[t] + x[t - 1]))
    return total


def grid(ts, s):
    found = [s]
    for i in range(len(ts) - 1):
        s = s + (ts[i + 1] - ts[i]) * np.cos(s)
        found.append(s)
    return np.array(found)


def numbered(x):
    total = x[0]
    for i in range(N):
        total = total * 0.5 + np.sin(i * 0.1) * x[0] + (i % 7) * x[1]
    return total


def backwards(x):
    s = 0.0
    for t in reversed(range(len(x))):
        s = np.tanh(s + x[t, 1])
    return s


def permuted(x, s):
    for t in ORDER:
        s = np.tanh(s * x[t] + NOISE[t])
    return s


def windows(x):
    out = np.zeros(N - 3)
    for t in range(N - 3):
        out[t] = np.sum(np.exp(x[t : t + 3, 0]))
    return out


def blocks(v):
    total = np.zeros(3)
    for t in range(N):
        total = np.maximum(total * 0.9, v[3 * t : 3 * t + 3])
    return total


def fibonacci(a, b):
    for _ in range(N):
        a, b = b, np.sin(a) + b
    return a * b


def adams(s, x):
    old = older = s
    for t in range(N):
        new = np.tanh(s + x[t]) - 0.5 * older
        s, old, older = s + 0.1 * new, new, old
    return s, old, older


def columns(x):
    s = np.ones(N)
    each = []
    for j in range(3):
        for _ in range(10):
            s = np.tanh(s + x[:, j])
        each.append(s)
    return np.stack(each, axis=1)


def nested(x, w):
    total = 0.0
    for i in range(len(x)):
        s = 1.0
        for j in range(9):
            s = np.sin(s * w[0, 0] + x[i, j % 3])
        total = total + s
    return total


def grids(m):
    total = np.zeros(())
    for i in range(12):
        row = 0.0
        for j in range(10):
            row = row * 0.5 + np.exp(m[i, j])
        total = total + np.sin(row)
    return total


def restarted(x, w):
    found = []
    for i in range(12):
        s = x[i]
        for _ in range(8):
            s = np.tanh(w @ s)
        found.append(s)
    return np.stack(found)


def unpacked(x):
    total = 0.0
    for i, row in enumerate(x):
        total = total + row * i * 0.1
    return total


def buffered(s):
    out = np.empty((N, 3))
    out[0] = s
    for t in range(1, N):
        out[t] = np.tanh(out[t - 1] * 1.5 + 0.1)
    return out, out[-1].sum(), sum(out[t].max() for t in range(N))


def guarded(x, s):
    for t in range(len(x)):
        s = s + np.sin(x[t, 0])
        if s > 1000.0:
            break
        if x[t, 1] < 100.0:
            s = s * 0.5
    return s


def powers(x):
    y, each = np.ones_like(x), []
    for _ in range(N):
        y = y * x
        each.append(y)
    return sum(e.sum() for e in each)


def newton(a):
    x = 1.0
    for _ in range(N):
        x = 0.5 * (x + a / x)
    return x


def integers(k, x):
    for t in range(N):
        k = (k * 5 + t) % 1024
    return k, x[0] * k


PROGRAMS = {
    "runge_kutta": (runge_kutta, RNG.normal(size=2), np.ones(3)),
    "recurrent": (recurrent, W, X, np.zeros(3)),
    "shifted": (shifted, X), "grid": (grid, np.linspace(0, 1, N), 0.3), "numbered": (numbered, X[0]),
    "backwards": (backwards, X), "permuted": (permuted, X, X[0]), "windows": (windows, X),
    "blocks": (blocks, RNG.normal(size=3 * N)), "fibonacci": (fibonacci, 0.3, 0.5), "adams": (adams, X[0], X),
    "columns": (columns, X), "nested": (nested, X[:12], W), "grids": (grids, RNG.normal(size=(12, 10))),
    "unpacked": (unpacked, X), "restarted": (restarted, X, W), "buffered": (buffered, X[0]), "guarded": (guarded, X, 0.5), "powers": (powers, X[0]),
    "newton": (newton, 2.0), "integers": (integers, 3, X[0]),
}  # fmt: skip


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_as_people_write_them(name):
    f, *args = PROGRAMS[name]
    graph = traced(f, *args)
    found, report = check(graph, backends=("numpy", "reference"))
    assert report.loops, report
    assert len(joined(found).nodes) < len(graph.nodes) / 3 or name == "columns", report


def predators(x, p):
    a, b = x[:, 0], x[:, 1]
    for _ in range(16):
        a, b = a + 0.05 * (p[0] * a - p[1] * a * b), b + 0.05 * (p[3] * a * b - p[2] * b)
    return np.mean(a**2 + b)


def test_what_steps_move_in_ways_of_their_own():
    """A gradient takes parts of what was there before the loop, in some steps as others do not."""
    graph = inline_calls(traced(lambda x, p: wg.grad(predators, (0, 1))(x, p), X[:5, :2], np.ones(4)))
    found = rolled(graph, 100)
    assert len(found.nodes) < len(graph.nodes)
    same_meaning(graph, found)


# ----- Programs drawn at random -----


def random_loop(seed):
    """A graph of a loop that is written out: drawn operands, delays, arrays, numbers; what is used of it is drawn."""
    rng = random.Random(seed)
    b = Builder(f"loop_{seed}")
    n = rng.randint(12, 22)
    vector = ArrayType(np.dtype(float), (3,))
    scalar = ArrayType(np.dtype(float))
    consts = {t: [b.input(t) for _ in range(2)] for t in (vector, scalar)}
    arrays = [b.input(ArrayType(np.dtype(float), (2 * n + 6, 3))) for _ in range(2)]
    offset, stride = rng.randint(0, 3), rng.choice([1, 2, -1])
    history = {t: [[rng.choice(consts[t]) for _ in range(2)] for _ in range(2)] for t in (vector, scalar)}
    recipe = [draw_node(rng, k) for k in range(rng.randint(3, 9))]
    extra = {rng.randrange(n)} if rng.random() < 0.3 else set()
    kept = []
    for k in range(n):
        now = {vector: [], scalar: []}
        for kind, *how in recipe:
            made = step_node(b, kind, how, now, history, consts, arrays, offset + stride * k if stride > 0 else n + 3 - k, k)
            now[made.type].append(made)
        if k in extra:  # a step that is not like the others
            now[scalar].append(b.emit(OPS["sin"], (pick(now[scalar] or consts[scalar], 0),)))
        history = {t: [[*pair[1:], pick(now[t] or pair, i)] for i, pair in enumerate(history[t])] for t in history}
        kept.append(now)
    outputs = [pair[-1] for t in history for pair in history[t]]
    for t in (vector, scalar):
        found = [now[t][rng.randrange(3) % len(now[t])] for now in kept if now[t]]
        if len(found) == n and rng.random() < 0.7:
            rows = [b.emit(OPS["reshape"], (v,), shape=(1, *t.shape)) for v in found]
            outputs.append(b.emit(OPS["concatenate"], rows[:: rng.choice([1, -1])], axis=0))
        outputs += rng.sample(found, min(len(found), rng.randrange(3)))
    if rng.random() < 0.5 and all(now[scalar] for now in kept):
        for now in kept:
            b.guard(b.apply(OPS["greater"], now[scalar][0], b.constant(-1e300)), True)
    return b.graph(outputs)


def draw_node(rng, k):
    kind = rng.choice(["sin", "add", "add", "multiply", "multiply", "row", "number", "sum", "broadcast", "table"])
    return kind, rng.choice(["vector", "scalar"]), [(rng.choice(["now", "now", "back", "const"]), rng.randrange(9)) for _ in "ab"]


def pick(values, i):
    return values[i % len(values)]


def step_node(b, kind, how, now, history, consts, arrays, at, k):
    types = {t.ndim: t for t in now}
    type_ = types[1 if how[0] == "vector" else 0]

    def operand(type_, which):
        place, i = how[1][which]
        if place == "now" and now[type_]:
            return pick(now[type_], i)
        if place == "back":
            return pick(history[type_], i)[i // 2 % 2]
        return pick(consts[type_], i)

    if kind == "row":
        x = arrays[how[1][0][1] % 2]
        row = b.emit(OPS["slice"], (x,), start=(at, 0), size=(1, 3), step=(1, 1))
        return b.emit(OPS["reshape"], (row,), shape=(3,))
    if kind == "table":
        return b.apply(OPS["multiply"], b.constant(np.array([k, k % 3, 0.5])), operand(types[1], 0))
    if kind == "number":
        return b.apply(OPS["multiply"], b.constant(0.25 + k * k / 10), operand(type_, 0))
    if kind == "sum":
        return b.emit(OPS["sum"], (operand(types[1], 0),), axes=(0,))
    if kind == "broadcast":
        return b.broadcast_to(operand(types[0], 0), (3,))
    if kind == "sin":
        return b.emit(OPS["sin"], (operand(type_, 0),))
    return b.apply(OPS[kind], operand(type_, 0), operand(type_, 1))


@pytest.mark.parametrize("part", range(1 if not SOAK else 100))
def test_programs_drawn_at_random(part):
    found = 0
    for seed in range(20 * part, 20 * part + 20):
        _, report = check(random_loop(seed), least=2)
        found += len(report.loops)
    assert found >= 10


# ----- Guards -----


def limited(x, s):
    for t in range(len(x)):
        s = s * 0.9 + x[t]
        if s > 100.0:
            s = s - 1.0
    return s


def test_guards_of_the_steps_of_a_loop_become_one():
    graph = traced(limited, X[:, 0], 0.5)
    found = joined(reroll(graph, 16)[0])
    lines = {g.location.line for g in graph.guards}
    assert len(graph.guards) == N
    assert len(found.guards) <= 2  # that of the first step, where s is Python's, and those of the others
    assert {g.location.line for g in found.guards} == lines
    program, big = wg.Program(found), X[:, 0].copy()
    assert program(X[:, 0], 0.5) == limited(X[:, 0], 0.5)
    big[7] = 1e6
    with pytest.raises(wg.GuardError) as caught:
        program(big, 0.5)
    assert caught.value.location.line in lines


def test_each_guard_has_its_value_where_loops_stack_them():
    graph = traced(limited, X[:, 0], 0.5)
    found = gathered(reroll(graph, 16)[0])
    assert len(found.graph.guards) < 4
    for x in (X[:, 0], X[:, 0] * 300):
        run = protocol.get("numpy").compile(graph)([x, np.array(0.5)])
        values_ = found.values(protocol.get("numpy").compile(found.graph)([x, np.array(0.5)]))
        assert len(values_) == len(run)
        assert [bool(a) for a in run[1:]] == [bool(a) for a in values_[1:]]
        assert run[0] == values_[0]


# ----- What users hold -----


def walk(s, x):
    for t in range(len(x)):
        s = s + 0.01 * np.sin(s) * x[t]
        if s[0] > 100:
            s = s * 2
    return s


def growing(x):
    for i in range(60):
        x = np.concatenate([x, x[:1] * i + x[-1:]])
    return x


def changing(x):
    for i in range(300):
        x = np.sin(x) if i % 7 and i % 11 and i % 13 else np.cos(x) * x
    return x


LONG = RNG.normal(size=64)


def test_a_function_a_program_and_a_graph():
    s = np.ones(3)
    program = wg.trace(walk).graph(s, LONG)
    f, small, graph = wg.reroll(walk), wg.reroll(program), wg.reroll(program.graph)
    assert f(s, LONG).tobytes() == small(s, LONG).tobytes() == wg.Program(graph)(s, LONG).tobytes()
    np.testing.assert_allclose(small(s, LONG), walk(s, LONG), rtol=1e-15)
    assert len(small.graph.nodes) < 10
    assert "64 steps of 10 nodes; 1 carried, 1 read, 1 given" in str(small.report)
    assert f.report.loops == small.report.loops
    want = wg.grad(lambda s: walk(s, LONG).sum())(s)
    for g in (f, small, f.on("c"), small.on("c")):
        np.testing.assert_allclose(wg.grad(lambda s, g=g: g(s, LONG).sum())(s), want, rtol=1e-13)


class Oscillator:
    @wg.trace
    def steps(self, s):
        for _ in range(100):
            s = s + 0.01 * np.sin(s) * np.cos(s)
        return s


def test_a_method_and_named_sizes():
    ours = Oscillator()
    found = wg.reroll(ours.steps)
    assert found(LONG).tobytes() == ours.steps(LONG).tobytes()
    assert found.traced.report.loops
    small = wg.reroll(ours.steps.graph(wg.spec("n")))
    assert len(small.graph.nodes) == 2
    for n in (3, 50):
        assert small(LONG[:n]).tobytes() == ours.steps(LONG[:n]).tobytes()


@pytest.mark.parametrize(("f", "why"), [(growing, "shapes change from step to step"), (changing, "does not repeat")])
def test_what_is_no_loop_stays_and_is_told(f, why):
    program = wg.trace(f).graph(LONG)
    found = wg.reroll(program)
    assert found.graph.nodes == program.graph.nodes
    assert why in str(found.report)
    assert f"{__name__}.{f.__name__}" in str(found.report)


def flat(x):
    return np.concatenate([np.ravel(part) for part in (x if isinstance(x, tuple) else (x,))])


@pytest.mark.usefixtures("_short_loops")
@pytest.mark.parametrize("backend", ["numpy", "python", "c"])
def test_values_derivatives_and_guards(backend):
    if wg.available_backends()[backend]:
        pytest.skip(wg.available_backends()[backend])

    def f(s, x):
        return walk(s, x).sum()

    s, x = np.ones(3), LONG[:40]
    program = wg.trace(f).graph(s, x)
    ours = wg.trace(f).on(backend)
    for call in (
        lambda g: g(s, x), lambda g: wg.grad(g, argnums=(0, 1))(s, x), lambda g: wg.jvp(g, (s, x), (s, x)),
    ):  # fmt: skip
        want, *found = [flat(call(g)) for g in (program.on("reference"), program.on(backend), ours)]
        for got in found:
            np.testing.assert_allclose(got, want, rtol=1e-12)
    big = x * 1e6
    assert ours(s, big) == pytest.approx(f(s, big), rel=1e-13)
    with pytest.raises(wg.GuardError):
        program.on(backend)(s, big)


# ----- Derivatives of loops, generated -----


def assert_same_derivatives(graph, backend):
    inputs = [drawn(v.type) for v in graph.inputs]
    active = tuple(range(len(inputs)))
    tangents = [drawn(v.type)[None] for v in graph.inputs]
    cotangents = [drawn(v.type)[None] for v in graph.outputs]
    with np.errstate(all="ignore"):
        for which, given in (("forward", tangents), ("reverse", cotangents)):
            (values_, moved), (others, also) = (
                getattr(protocol.get(name), which)(graph, active)(inputs, given) for name in ("reference", backend))
            for x, y in zip((*values_, *moved), (*others, *also), strict=True):
                np.testing.assert_allclose(y, x, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("backend", ["numpy", "python", "c"])
@pytest.mark.parametrize("seed", range(3 if not SOAK else 60))
@pytest.mark.usefixtures("_short_loops")
def test_derivatives_of_programs_drawn_at_random(seed, backend):
    if wg.available_backends()[backend]:
        pytest.skip(wg.available_backends()[backend])
    assert_same_derivatives(random_loop(seed), backend)


@pytest.mark.parametrize("backend", ["numpy", "python", "c"])
@pytest.mark.parametrize("name", ["recurrent", "newton", *(PROGRAMS if SOAK else ())])
@pytest.mark.usefixtures("_short_loops")
def test_derivatives_of_programs_as_people_write_them(name, backend):
    if wg.available_backends()[backend]:
        pytest.skip(wg.available_backends()[backend])
    f, *args = PROGRAMS[name]
    if name != "integers":
        assert_same_derivatives(traced(f, *args), backend)


@pytest.mark.skipif(not SOAK, reason="make soak runs all of them")
@pytest.mark.parametrize("name", sorted(SNIPPETS) if SOAK else ["none"])
@pytest.mark.usefixtures("_short_loops")
def test_snippets(name):
    """Each loop of theirs, written out, is what it was."""
    function, args = SNIPPETS[name]
    try:
        graph = traced(function, *copied(args))
    except Exception as error:  # noqa: BLE001 (what is not traced yet is told elsewhere)
        pytest.skip(str(error))
    found, report = reroll(graph, 6)
    verify(found)
    if report.loops:
        same_meaning(graph, found)
        same_meaning(graph, joined(found))
