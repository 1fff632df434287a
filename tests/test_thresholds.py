"""Random programs while every threshold is next to nothing: what is worth it for large programs is done to small ones.

Tiles, lanes taken apart, loops found again, loops run as one, threads, blocks of sums, values written where they will
lie, parts added in place: no value and no derivative may change but by rounding (see ``test_agreement``).
"""

import importlib
import os
from collections import Counter

import numpy as np
import oracles
import pytest
import strategies
from hypothesis import HealthCheck, Phase, given, seed, settings, strategies as st
from test_agreement import BACKENDS, SEEDS, Noisy, spread

import wengert as wg
from wengert.backends import protocol
from wengert.backends.source.c.machine import compiler
from wengert.ir import autodiff
from wengert.ir.passes import inline_calls
from wengert.ir.passes.components import taken_apart
from wengert.ir.types import is_inexact

SOAK = bool(os.environ.get("WENGERT_SOAK"))
CHUNKS, PER_CHUNK, C_SHARE = (60, 20, 2) if SOAK else (2, 6, 4)
C = "backends.source.c"
THRESHOLDS = {
    "ir.passes.tiles": {"LEAST": 1, "GAIN": np.inf, "FEWEST": 2, "SMALL": 8, "SHARED": 8, "START": 0},
    "ir.passes.components": {"PRODUCTS": 40, "JOINED": 0},
    "ir.passes.steps": {"MOVED": 0, "MOST": 18, "MEAN": 100},
    "ir.passes.reroll": {"FEWEST": 3}, "ir.passes.reroll.repeats": {"FEWEST": 3}, "ir.passes.reroll.steps": {"FEWEST": 3},
    "ir.passes.reroll.guards": {"_FEWEST": 2}, "ir.passes.reroll.joining": {"_FEWEST": 2},
    "ir.autodiff.parts": {"FEW": 1, "PAIR": 1, "WASTE": 0}, "ir.autodiff.loops": {"_LARGE": -1},
    "backends.source.base": {"AT_ONCE": 300},
    "backends.source.python.nan": {"SHORT": 2}, "backends.source.python.emit": {"LARGE": 1},
    "ir.passes.early": {"LEAST": 1},
    "backends.vectorized.distribution": {"STEPS": 2, "SAVE": 8},
    "backends.vectorized.columns": {"LEAST": 2, "CALL": 0, "MOVED": -99, "EACH": 10**9, "BLOCK": 3},
    "backends.vectorized.checks": {"SHORT": 2}, "backends.vectorized.lines": {"WIDE": 2, "LARGE": 1}, "backends.vectorized.places": {"NARROW": 2, "LARGE": 1},
    "backends.vectorized.blocks": {"LEAST": 1, "NEAR": 200}, "backends.vectorized.adjoint": {"LARGE": 1},
    "backends.vectorized.stacks": {"LEAST": 1},
    f"{C}.planning.work": {"WORK": 1}, f"{C}.emit": {"WORK": 1, "PRINTED": 2}, f"{C}.planning.merging": {"LARGE": 1}, f"{C}.functions": {"PART": 3},
    f"{C}.loops.fused": {"LONG": 1, "MANY": 2, "CHUNKS": 3, "BLOCK": 32, "SHORT": 2}, f"{C}.loops.folds": {"BLOCK": 32, "SHORT": 2},
    f"{C}.products.contractions": {"DOT": 2}, f"{C}.products.dense": {"OWN": 1, "MATVEC": 1}, f"{C}.planning.joining": {"INNER": 1}, f"{C}.planning.plan": {"ROWS": 5},
    f"{C}.loops.blocked": {"PART": 12, "ROWS": 5, "EACH": 0}, f"{C}.planning.slices": {"LEAST": 1},
}  # fmt: skip
#: Programs share an axis of many elements, for their size.
SHAPES = [(), (24,), (24, 3), (3, 24), (24, 2, 2), (2, 24, 1), (24, 1), (3,), (1, 3), (3, 3), (24, 2), (24, 3), (72,)]


def place(module):
    return importlib.import_module(f"wengert.{module}")


@pytest.fixture
def eager(monkeypatch):
    for module, values in THRESHOLDS.items():
        for name, value in values.items():
            monkeypatch.setattr(place(module), name, value)
    for module in ("backends.vectorized", C):
        monkeypatch.setattr(place(module), "components", apart)
    monkeypatch.setattr(compiler, "FLAGS", tuple("-O0" if flag == "-O3" else flag for flag in compiler.FLAGS))
    for name in BACKENDS:
        monkeypatch.setattr(protocol.get(name), "least", 4)
    for name, value in (("SHAPES", SHAPES), ("LARGEST", 160), ("arrays", arrays), ("STEPS", STEPS)):
        monkeypatch.setattr(strategies, name, value)
    before = wg.threads()
    wg.threads(2)
    yield
    wg.threads(before)


def apart(graph, **_):
    """Lanes are taken apart wherever there are some."""
    count = Counter(v.type.shape[0] for node in graph.nodes for v in node.results if v.type.ndim > 1)
    n = next((n for n, _ in count.most_common() if n > 1), None)
    return graph if n is None else taken_apart(graph, n)


NEVER = {"matrix", "transform", "call"}
STEPS = [*(step for step in strategies.STEPS if step.__name__ not in NEVER), *strategies.LONGER]


def arrays(dtype, shape):
    """Drawn as a whole: mostly ordinary numbers, some telling ones, sometimes NaN and infinities."""

    def make(k):
        rng = np.random.default_rng(k)
        if dtype.kind in "bi":
            return np.asarray(rng.integers(0, 2, shape) if dtype.kind == "b" else rng.integers(-3, 5, shape)).astype(dtype)
        x = np.where(rng.random(shape) < 0.1, rng.choice(strategies.NUMBERS[:16], shape), rng.normal(size=shape))
        return np.where(rng.random(shape) < (k % 5 == 0) * 0.02, rng.choice(strategies.NUMBERS[16:], shape), x).astype(dtype)

    return st.integers(0, 10**6).map(make)


def check(program, backends):
    """Values, and derivatives along two directions at once and along one."""
    graph, arguments = program.graph, program.arguments
    flat, rng, n = inline_calls(graph), np.random.default_rng(0), len(graph.outputs)
    noisy = Noisy(flat, set())
    values = [noisy.run(arguments, s) for s in SEEDS]
    for name in backends:
        run = protocol.get(name).compile(graph)
        found = run(arguments)
        run([x[::-1].copy() if x.ndim else x for x in arguments])  # whatever is kept from call to call
        agree(f"{name}: values", found, values)
    ends = [i for i, v in enumerate(graph.outputs) if is_inexact(v.type.dtype)]
    if not program.active or not ends:
        return
    for mode in ("forward", "reverse"):
        derived = (autodiff.jvp if mode == "forward" else autodiff.vjp)(flat, program.active)
        seeds = derived.inputs[len(graph.inputs) :]
        given = [np.asarray(rng.normal(size=(2, *v.type.shape)) * (rng.random(v.type.shape) < 0.8)).astype(v.type.dtype) for v in seeds]
        noisy = Noisy(derived, set(seeds))
        each = [[noisy.run([*arguments, *(g[k] for g in given)], s)[n:] for s in SEEDS] for k in range(2)]
        if noisy.large:
            continue
        for name in backends:
            run = getattr(protocol.get(name), mode)(graph, program.active)
            for several in (True, False) if name != "c" else (True,):
                moving = given if several else [g[:1] for g in given]
                if mode == "reverse":
                    cotangents = iter(moving)
                    moving = [next(cotangents) if i in ends else None for i in range(n)]
                moved = run(arguments, moving)[1]
                run(arguments, [None if g is None else g[::-1] * 2 for g in moving])
                moved = [moved[i] for i in ends] if mode == "forward" else moved
                for k in range(2 if several else 1):
                    agree(f"{name}: {mode}, direction {k}", [x[k] for x in moved], each[k])


def agree(what, found, runs):
    for k, (x, *each) in enumerate(zip(found, *runs, strict=True)):
        y = each[0]
        assert (x.dtype, x.shape) == (y.dtype, y.shape), f"{what}: {k} is {x.dtype}{x.shape} for {y.dtype}{y.shape}"
        tolerance, jumps = spread(each)
        if y.dtype.kind == "f":
            with np.errstate(all="ignore"):
                tolerance = 4 * tolerance + 4 * np.nan_to_num(np.spacing(abs(y)).astype(float), posinf=0)
        bad = oracles.differing(x, y, tolerance) & ~jumps
        assert not bad.any(), f"{what}: result {k} has {x[bad]} for {y[bad]}, at {np.argwhere(bad).tolist()}"


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_small_programs_as_if_they_were_large(chunk, eager):
    count = Counter()

    @seed(300 + chunk)
    @settings(max_examples=PER_CHUNK, database=None, deadline=None, derandomize=False, print_blob=True,
              phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(strategies.programs(18))
    def same(program):
        count["programs"] += 1
        check(program, [name for name in BACKENDS if name != "c" or count["programs"] % C_SHARE == 0])

    same()
