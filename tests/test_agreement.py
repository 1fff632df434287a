"""Random programs: every backend computes the same values, and the same derivatives in both modes.

How far results may differ is not a guess.  ``noisy`` runs a program node by node on NumPy, each rounding that backends
may do otherwise (libm, powers, the order of a sum) disturbed by a few units in the last place; the spread of what comes
out is what the program makes of such differences.  An entry without a spread has to agree to the last bit or
two; one whose spread is a jump (a rounding decided a branch) says nothing about the backends and is counted.
"""

import contextlib
import functools
import os
from collections import Counter
from typing import Any

import numpy as np
import oracles
import pytest
from batches import WHY_NOT
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import tuples
from strategies import NEVER, Maker, Program, programs, unrolled

from wengert.backends import protocol
from wengert.ir import autodiff
from wengert.ir.build import Builder, Namespace
from wengert.ir.graph import Graph, Value
from wengert.ir.kinds import Contraction, Control, Cumulative, Elementwise, Library, Reduction
from wengert.ir.ops import OPS
from wengert.ir.passes import inline_calls
from wengert.ir.storable import graphs_in
from wengert.ir.types import ArrayType, is_inexact
from wengert.ir.verify import verify

SOAK = bool(os.environ.get("WENGERT_SOAK"))
CHUNKS, PER_CHUNK = (20, 600) if SOAK else (10, 40)
C_SHARE = 25 if SOAK else 8  # one graph in so many is compiled
BACKENDS = [name for name, reason in WHY_NOT.items() if reason is None and name != "reference"]
SEEDS = (0, 1, 2, 3)  # 0 disturbs nothing: the oracle
#: Beyond these, a product may overflow, or vanish, in one order and not in another.
LARGE, SMALL = {8: 1e290, 4: 1e35}, {8: 1e-290, 4: 1e-35}


# ----- What rounding may do -----


def rounds(node: Any, moving: bool) -> bool:
    """Whether backends may round a node differently; of a tangent's way, everything: sums change their order."""
    op = node.op
    if all(v.type.dtype.kind not in "fc" for v in node.results):
        return False
    if isinstance(op, Elementwise) and "c" in {v.type.dtype.kind for v in (*node.results, *node.operands)}:  # fused steps, hypot
        return op.name not in ("negative", "where", "real", "imag", "conjugate", "complex", "cast")
    if isinstance(op, Elementwise):
        return not oracles.exact_name(op) or (moving and op.name not in ("negative", "where"))
    if isinstance(op, Library):
        return op.name not in ("sort", "nextafter")
    return isinstance(op, Contraction) or (isinstance(op, Reduction | Cumulative) and op.fold in ("+", "*", "linear"))


def magnitude(node: Any, operands: Any, out: np.ndarray) -> np.ndarray:
    """What the rounding of a node is relative to; of linear algebra to the largest number, in well-conditioned matrices."""
    if isinstance(node.op, Library):
        return np.full(out.shape, 8 * abs(out).max(initial=0), out.real.dtype)
    if isinstance(node.op, Reduction | Contraction | Cumulative) or node.op.name in ("add", "subtract"):
        signs = [abs(x) for x in operands]
        op = OPS["add"] if node.op.name == "subtract" else node.op
        with np.errstate(all="ignore"):
            return oracles.apply(op, signs, node.params)[0].astype(out.real.dtype)
    return abs(out)


class Noisy:
    """A graph that runs node by node, disturbed; ``extremes`` tells of numbers at which orders matter."""

    def __init__(self, graph: Graph, moving: set[Value]) -> None:
        self.graph = inline_calls(graph)
        self.moving = set(moving)
        for node in self.graph.nodes:
            if not self.moving.isdisjoint(node.operands):
                self.moving.update(node.results)
        self.large = self.infinite = False

    def run(self, inputs: Any, number: int) -> list[np.ndarray]:
        rng = np.random.default_rng(number)
        env: dict[Value, np.ndarray] = {c: c.array for c in self.graph.constants}
        env.update(zip(self.graph.inputs, inputs, strict=True))
        for node in self.graph.nodes:
            operands = [env[v] for v in node.operands]
            moving = not self.moving.isdisjoint(node.results)
            for result, out in zip(node.results, oracles.apply(node.op, operands, node.params), strict=True):
                env[result] = self._disturbed(node, operands, out, moving, rng) if number and rounds(node, moving) else out
                if moving and out.dtype.kind in "fc":
                    self._notice(env[result])
        return [env[v] for v in self.graph.outputs]

    def _disturbed(self, node: Any, operands: Any, out: np.ndarray, moving: bool, rng: np.random.Generator) -> np.ndarray:
        if out.dtype.kind not in "fc":
            return out
        with np.errstate(all="ignore"):
            unit = 4 * oracles.eps(out.dtype) * magnitude(node, operands, out)
            unit += 4 * np.finfo(out.dtype).smallest_subnormal * (out != 0)
            if not moving and not isinstance(node.op, Library) and _exact(operands, out):
                unit = np.zeros_like(unit)
            shift = np.where(np.isfinite(unit), unit, 0) * rng.uniform(-1, 1, out.shape)
            if out.dtype.kind == "c":
                shift = shift * (1 + 1j * rng.uniform(-1, 1, out.shape))
            return (out + shift).astype(out.dtype)

    def _notice(self, out: np.ndarray) -> None:
        size = abs(out)
        item = size.dtype.itemsize
        self.infinite |= bool((~np.isfinite(size)).any())
        self.large |= bool(((size > LARGE[item]) & np.isfinite(size)).any() or ((size > 0) & (size < SMALL[item])).any())


def _exact(operands: Any, out: np.ndarray) -> bool:
    """Small integers are summed, multiplied and raised to powers without rounding."""
    arrays = (*operands, out)
    with np.errstate(all="ignore"):
        return all((x == np.rint(x)).all() and (abs(x) < 2.0**20).all() for x in map(np.asarray, arrays) if x.dtype.kind in "fc")


def spread(runs: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """How far results may be apart, and where nothing can be said."""
    rows, dtype = np.stack([np.asarray(r, np.float64) for r in runs]), np.asarray(runs[0]).dtype
    unit: Any = 0
    with np.errstate(all="ignore"):
        apart = rows.max(axis=0) - rows.min(axis=0)
        nans, same = np.isnan(rows), (rows == rows[:1]).all(axis=0)
        jumps = nans.any(axis=0) & ~nans.all(axis=0)
        infinite = np.isinf(rows).any(axis=0)
        scale = abs(rows).max(axis=0)
        jumps |= infinite & ~same & ~nans.all(axis=0)
        if dtype.kind == "f":
            noise = 2.0**16 * oracles.eps(dtype) * scale[np.isfinite(scale)].max(initial=0)  # of a zero among large numbers
            jumps |= (apart > 1e-3 * scale) & ~(apart < noise)
            unit = np.spacing(scale.astype(dtype))
        else:
            jumps = ~same
        return np.where(np.isfinite(apart), 16 * apart, 0) + 2 * np.where(np.isfinite(unit), unit, 0), jumps


# ----- What backends compute -----


def basis(types: Any, k: int) -> list[np.ndarray]:
    arrays, at = [], 0
    for type_ in types:
        t = np.zeros((k, type_.size), type_.dtype)
        for unit in oracles.directions(type_.dtype):
            t[at : at + type_.size] = unit * np.eye(type_.size)
            at += type_.size
        arrays.append(t.reshape(k, *type_.shape))
    return arrays


def reals(types: Any) -> int:
    """How many real numbers these hold."""
    return sum(t.size * len(oracles.directions(t.dtype)) for t in types)


class Case:
    """A program, with the bases of its tangents and cotangents."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.graph = program.graph
        inlined = inline_calls(self.graph)
        self.flat = unrolled(program) if any(isinstance(node.op, Control) for node in inlined.nodes) else inlined
        self.ins = [self.graph.inputs[i].type for i in program.active]
        self.ends = [i for i, v in enumerate(self.graph.outputs) if is_inexact(v.type.dtype)]
        self.outs = [self.graph.outputs[i].type for i in self.ends]
        self.is_complex = any(v.type.dtype.kind == "c" for v in _every(self.flat))
        self.columns, self.rows = reals(self.ins), reals(self.outs)
        self.tangents = basis(self.ins, self.columns)
        self.cotangents = [np.conj(g) for g in basis(self.outs, self.rows)]  # Re(g t) is a part of t

    def values(self, backend: str) -> list[np.ndarray]:
        return list(protocol.get(backend).compile(self.graph)(self.program.arguments))

    def forward(self, backend: str) -> np.ndarray:
        run = protocol.get(backend).forward(self.graph, self.program.active)
        moved = run(self.program.arguments, self.tangents)[1]
        return np.concatenate([_rows(moved[i]) for i in self.ends], axis=1).T

    def reverse(self, backend: str) -> np.ndarray:
        run = protocol.get(backend).reverse(self.graph, self.program.active)
        given = [None] * len(self.graph.outputs)
        for i, g in zip(self.ends, self.cotangents, strict=True):
            given[i] = g
        return np.concatenate([_rows(np.conj(g)) for g in run(self.program.arguments, given)[1]], axis=1)

    def noisy_forward(self) -> tuple[Noisy, list[np.ndarray]]:
        graph = autodiff.jvp(self.flat, self.program.active)
        noisy = Noisy(graph, set(graph.inputs[len(self.graph.inputs) :]))
        n = len(self.graph.outputs)
        each = [
            np.stack([np.concatenate([_list(x) for x in noisy.run([*self.program.arguments, *d], s)[n:]])
                      for d in zip(*self.tangents, strict=True)], axis=1)
            for s in SEEDS
        ]  # fmt: skip
        return noisy, each

    def noisy_reverse(self) -> tuple[Noisy, list[np.ndarray]]:
        graph = autodiff.vjp(self.flat, self.program.active)
        noisy = Noisy(graph, set(graph.inputs[len(self.graph.inputs) :]))
        n = len(self.graph.outputs)
        each = [
            np.stack([np.concatenate([_list(np.conj(x)) for x in noisy.run([*self.program.arguments, *d], s)[n:]])
                      for d in zip(*self.cotangents, strict=True)], axis=0)
            for s in SEEDS
        ]  # fmt: skip
        return noisy, each


def _rows(x: np.ndarray) -> np.ndarray:
    """A row per direction; of complex numbers first the real and then the imaginary parts."""
    flat = x.reshape(len(x), int(np.prod(x.shape[1:])))
    return np.concatenate(oracles.parts(flat), axis=1).astype(float)


def _list(x: np.ndarray) -> np.ndarray:
    return np.concatenate(oracles.parts(x.ravel())).astype(np.float64)


# ----- The law -----


def check(program: Program, count: Counter, with_c: bool) -> None:
    verify(program.graph)
    case = Case(program)
    backends = [name for name in BACKENDS if name != "c" or with_c]
    count["graphs"] += 1
    count["graphs compiled as C"] += "c" in backends
    count["nodes"] += len(case.flat.nodes)
    reference = case.values("reference")
    _values(case, reference, backends, count)
    if not case.columns or not case.rows:
        count["graphs without a derivative (no entries, or none inexact)"] += 1
        return
    single = any(t.dtype in (np.float32, np.complex64) for t in (*case.ins, *case.outs))
    count["graphs in float32"] += single
    forward = _mode(case, "forward", case.noisy_forward(), backends, count)
    reverse = _mode(case, "reverse", case.noisy_reverse(), backends, count)
    _transposed(case, forward, reverse, count)


def _values(case: Case, reference: list[np.ndarray], backends: list[str], count: Counter) -> None:
    noisy = Noisy(case.flat, set())
    runs = [noisy.run(case.program.arguments, s) for s in SEEDS]
    for name in ("oracle", *backends):
        got = runs[0] if name == "oracle" else case.values(name)
        for k, (x, y, *each) in enumerate(zip(got, reference, *runs, strict=True)):
            assert (x.dtype, x.shape) == (y.dtype, y.shape), f"output {k} of {name} is {x.dtype}{x.shape} for {y.dtype}{y.shape}"
            if x.dtype.kind == "c":
                x, y, *each = (np.stack(oracles.parts(v)) for v in (x, y, *each))
            tolerance, jumps = spread(each)
            if case.is_complex:
                tolerance, jumps = _of_complex(tolerance, jumps, y)
            bad = oracles.differing(x, y, tolerance) & ~jumps
            assert not bad.any(), f"output {k}: {name} has\n{x}\nand reference\n{y}\n(tolerance {tolerance})"
            if name == "oracle":
                count["values"] += x.size
                count["values undecided (a rounding decides a jump)"] += int(jumps.sum())
                count["values that are NaN"] += int(np.isnan(y).sum()) if y.dtype.kind == "f" else 0


def _mode(case: Case, mode: str, noisy: Any, backends: list[str], count: Counter) -> Any:
    """Every backend's Jacobian against the reference's; returns that, its tolerance, jumps, and what to know of it."""
    run, each = noisy
    tolerance, jumps = spread(each)
    tolerance = tolerance + 2 * _units(case, each)
    reference = getattr(case, mode)("reference")
    if case.is_complex:
        tolerance, jumps = _of_complex(tolerance, jumps, reference)
    for name in backends:
        got = getattr(case, mode)(name)
        bad = oracles.differing(got, reference, tolerance) & ~jumps
        if bad.any() and run.large:
            count["Jacobians exempt (overflow or underflow by re-association)"] += 1
            continue
        if bad.any() and not (bad & np.isfinite(got)).any() and any(isinstance(node.op, Library) for node in case.flat.nodes):
            # a rule of linear algebra multiplies matrices in its own order: NaN and zeros meet otherwise
            count["Jacobians exempt (NaN through linear algebra)"] += 1
            continue
        assert not bad.any(), f"{mode}: {name} has\n{got}\nand reference\n{reference}\n(tolerance {tolerance})"
    count[f"entries in {mode} mode"] += reference.size
    count["entries undecided (a rounding decides a jump)"] += int(jumps.sum())
    return reference, tolerance, jumps, run


def _of_complex(tolerance: np.ndarray, jumps: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The parts of a complex number round together; which part of one that is not finite is NaN is left open."""
    return np.broadcast_to(tolerance.max(initial=0), tolerance.shape), jumps | ~np.isfinite(reference)


def _units(case: Case, each: list[np.ndarray]) -> np.ndarray:
    """The last place of an entry, in the narrowest dtype among inputs and outputs."""
    narrow = any(v.type.dtype in (np.float32, np.complex64) for v in _every(case.flat))
    with np.errstate(all="ignore"):
        unit = np.spacing(abs(each[0]).astype(np.float32 if narrow else np.float64)).astype(float)
    return np.where(np.isfinite(unit), unit, 0)


def _every(flat: Graph):
    return (*flat.inputs, *(v for node in flat.nodes for v in node.results))


def _transposed(case: Case, forward: Any, reverse: Any, count: Counter) -> None:
    (j, t, jumps, run), (k, u, more, back) = forward, reverse
    bad = oracles.differing(j, k, t + u) & ~jumps & ~more
    finite = np.isfinite(j) & np.isfinite(k)
    if bad.any() and (run.large or back.large):
        count["Jacobians exempt (overflow or underflow by re-association)"] += 1
    elif (bad & ~finite).any() and not (bad & finite).any() and (run.infinite or back.infinite):
        # sqrt(x - x): forward adds 1 and -1 and then meets the infinite partial; reverse adds inf and -inf
        count["Jacobians exempt (infinite partials times sums that cancel)"] += 1
    else:
        assert not bad.any(), f"forward has\n{j}\nand reverse\n{k}\n(tolerances {t}, {u})"
    count["Jacobians, forward = reverse"] += 1


# ----- The tests -----


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_all_backends_agree_on_random_programs(chunk, record_property):
    count: Counter = Counter()

    @seed(chunk)
    @settings(max_examples=PER_CHUNK, database=None, deadline=None, derandomize=False, print_blob=True,
              suppress_health_check=list(HealthCheck))
    @given(programs())
    def agree(program):
        check(program, count, with_c=count["graphs"] % C_SHARE == 0)

    agree()
    for key, n in count.items():
        record_property(f"agreement: {key}", n)


@pytest.mark.parametrize("chunk", range(CHUNKS // 2))
def test_all_backends_agree_on_random_complex_programs(chunk, record_property):
    count: Counter = Counter()

    @seed(100 + chunk)
    @settings(max_examples=PER_CHUNK // 2, database=None, deadline=None, derandomize=False, print_blob=True,
              suppress_health_check=list(HealthCheck))
    @given(programs(of_complex=True))
    def agree(program):
        check(program, count, with_c=count["graphs"] % C_SHARE == 0)

    agree()
    for key, n in count.items():
        record_property(f"complex agreement: {key}", n)


@pytest.mark.parametrize(("chunk", "of_complex"), [*((k, False) for k in range(CHUNKS // 2)), *((k, True) for k in range(CHUNKS // 5))])
def test_all_backends_agree_on_random_loops(chunk, of_complex, record_property):
    """Against what they do, written out; to the second order."""
    count: Counter = Counter()

    @seed(200 + chunk)
    @settings(max_examples=PER_CHUNK // 4, database=None, deadline=None, derandomize=False, print_blob=True,
              suppress_health_check=list(HealthCheck))
    @given(programs(12, of_complex=of_complex, loops=True))
    def agree(program):
        check(program, count, with_c=count["graphs"] % (2 * C_SHARE) == 0)
        second_order(program, count)

    agree()
    for key, n in count.items():
        record_property(f"loops agreement: {key}", n)


def second_order(program: Program, count: Counter) -> None:
    """Derivatives of derivatives, graph to graph, of the loops and of what they do, at one direction."""
    case, rng = Case(program), np.random.default_rng(0)
    if not case.columns or not case.rows:
        return
    for outer in ("jvp", "vjp"):
        loops, flat = (_twice(graph, outer) for graph in (case.graph, case.flat))
        verify(loops)
        more = [_direction(rng, v.type) for v in flat.inputs[len(program.arguments) :]]
        noisy = Noisy(flat, set(flat.inputs[len(program.arguments) :]))
        runs = [noisy.run([*program.arguments, *more], s) for s in SEEDS]
        if noisy.infinite or noisy.large:
            count["second orders exempt (not finite, or large)"] += 1
            continue
        for name in ("numpy", "python") if outer == "vjp" else ("numpy",):
            got = protocol.get(name).compile(loops)([*program.arguments, *more])
            for k, (x, *each) in enumerate(zip(got, *runs, strict=True)):
                x, *each = (np.stack(oracles.parts(v)) if v.dtype.kind == "c" else v for v in (x, *each))
                tolerance, jumps = spread(each)
                if case.is_complex:
                    tolerance, jumps = _of_complex(tolerance, jumps, each[0])
                bad = oracles.differing(x, each[0], tolerance + 2 * _last_place(case, each[0])) & ~jumps
                assert not bad.any(), f"{outer} of vjp, output {k}: {name} has\n{x}\nand what it does\n{each[0]}\n(tolerance {tolerance})"
        count["second orders"] += 1


def _twice(graph: Graph, outer: str) -> Graph:
    for mode in ("vjp", outer):
        graph = getattr(autodiff, mode)(graph, tuple(i for i, v in enumerate(graph.inputs) if is_inexact(v.type.dtype)))
    return graph


def _direction(rng: np.random.Generator, type_: ArrayType) -> np.ndarray:
    x = rng.uniform(-1, 1, type_.shape)
    return (x * (1 + 0.5j) if type_.dtype.kind == "c" else x).astype(type_.dtype)


def _last_place(case: Case, x: np.ndarray) -> np.ndarray:
    return _units(case, [x]) if x.dtype.kind == "f" else np.zeros(x.shape)


class AllSeenError(Exception):
    """Ends a search."""


@pytest.mark.parametrize("loops", [False, True])
def test_every_op_can_appear(loops, monkeypatch):
    """A new op has to join tests/strategies.py.  That it stands to choice says so, long before each has been chosen: for that
    `make soak` waits.
    """
    missing = {name for name, op in OPS.items() if (isinstance(op, Control) and name != "call") == loops} - NEVER
    choose = Maker.choose

    def noticed(self, options):
        missing.difference_update(x for x in options if isinstance(x, str))
        return choose(self, options)

    if not SOAK:
        monkeypatch.setattr(Maker, "choose", noticed)

    def walk(graph):
        for node in graph.nodes:
            missing.discard(node.op.name)
            for inner in graphs_in(node.params):
                walk(inner)

    @seed(0)
    @settings(max_examples=4000, database=None, deadline=None, derandomize=False, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))
    @given(tuples(programs(12, loops=True)) if loops else tuples(programs(), programs(of_complex=True)))
    def look(together):
        for program in together:
            walk(program.graph)
        if not missing:
            raise AllSeenError

    with contextlib.suppress(AllSeenError):
        look()
    assert missing == set()


# ----- Mismatches that were found, and stay -----


def program_of(build: Any, *arguments: Any) -> Program:
    b = Builder("found")
    xp = Namespace(b)
    arrays = tuple(map(np.asarray, arguments))
    inputs = [xp.wrap(b.input(ArrayType(x.dtype, x.shape))) for x in arrays]
    out = build(xp, *inputs)
    graph = b.graph([xp.lift(v) for v in (out if isinstance(out, tuple) else (out,))])
    return Program(graph, arrays, tuple(i for i, x in enumerate(arrays) if is_inexact(x.dtype)))


FOUND: dict[str, Any] = {
    "where_trap": functools.partial(program_of, lambda xp, x: xp.where(x > 0, xp.log(x), 0.0), np.array([0.0, -1.0, 2.0])),
    "sum_of_negative_zeros": functools.partial(
        program_of, lambda xp, x: 1 / xp.sum(x, axis=0), np.array([[-0.0, 0.5], [-0.0, 0.5]])),
    "product_of_negative_zeros": functools.partial(
        program_of, lambda xp, x: xp.einsum("i,j->ij", x, x) + 0.0, np.array([0.5, -0.0])),
    "float32_that_cancels": functools.partial(
        program_of, lambda xp, x: xp.cast(xp.cast(x, np.float32), np.float64) * xp.reciprocal(x), np.array([0.5, 0.3, -1.5])),
    "tie_after_a_running_sum": functools.partial(
        program_of, lambda xp, x: xp.where(xp.equal(x, xp.cumsum(x, 0)), x, 2 * x), np.array([0.0, 0.5, 0.5])),
    "infinite_slopes_that_cancel": functools.partial(  # forward 0, reverse inf - inf: exempt, and counted
        program_of, lambda xp, x: xp.sqrt(x - x), np.array([0.0, 2.0])),
    "complex_eigenvalues_without_their_vectors": functools.partial(
        program_of, lambda xp, x: xp.emit("eigh", x, UPLO="L")[0], np.array([[2.0, 1j], [-1j, 5.0]])),
    "complex_singular_values_without_their_vectors": functools.partial(
        program_of, lambda xp, x: xp.emit("svd", x)[1], np.array([[2.0, 1j], [-1j, 5.0], [1.0, 1 + 1j]])),
    "tangent_that_is_read_once": functools.partial(program_of, lambda xp, x: xp.tan(x) - 1.0, np.array([0.5 + 1j, 0.3 - 2j])),
    "shared": functools.partial(program_of, lambda xp, x: (x * x + x, x - x), np.array([0.0, np.inf, 2.0])),
}


@pytest.mark.parametrize("name", FOUND)
def test_found(name, record_property):
    check(FOUND[name](), Counter(), with_c=True)
