"""Sample operands of the ops with sub-graphs, and what those mean: formulas that take arrays of any numbers."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from samples import Sample, array, callees, random

from wengert.ir.build import Builder, Namespace
from wengert.ir.graph import Graph
from wengert.ir.kinds import Op
from wengert.ir.ops import OPS, external
from wengert.ir.types import SHORT_NAMES, ArrayType, is_inexact
from wengert.ir.verify import POLICIES

SHAPES = ((), (3,), (0,), (2, 3))
INT64 = ArrayType(np.dtype(np.int64))


def _made(build: Callable[..., Any], name: str, *types: ArrayType) -> Graph:
    b = Builder(name)
    xp = Namespace(b)
    return b.graph([xp.lift(v) for v in build(xp, *(xp.wrap(b.input(t)) for t in types))])


def _numbers(name: str, dtypes: dict[str, np.dtype]) -> Iterator[tuple[np.random.Generator, np.dtype, tuple[int, ...]]]:
    """Of every dtype numbers, of float64 more: a sub-graph is compiled for each."""
    rng = random(name)
    for dtype in dtypes.values():
        for shape in SHAPES if dtype == np.float64 else ((3,),) if dtype.kind == "f" else ((),):
            if dtype.kind != "b":
                yield rng, dtype, shape


def _first(dtype: np.dtype, shape: tuple[int, ...], variants: Any) -> Iterator[Any]:
    """All variants of vectors in float64; of the others one."""
    made = list(variants)
    yield from made if dtype == np.float64 and shape == (3,) else made[:1]


def checkpoints(op: Op, dtypes: dict[str, np.dtype]) -> Iterator[Sample]:
    for rng, dtype, shape in _numbers(op.name, dtypes):
        made = callees(dtype, shape)
        for name, policy in _first(dtype, shape, itertools.product(("two", "nested"), POLICIES)):
            operands = [array(rng, dtype, shape) for _ in range(2)]
            yield Sample(op, operands, {"graph": made[name].evolve(name=name), "policy": policy}, smooth=True)


def customs(op: Op, dtypes: dict[str, np.dtype]) -> Iterator[Sample]:
    """The right rules, so that differences are an oracle: a jvp alone, or both."""
    for rng, dtype, shape in _numbers(op.name, dtypes):
        graphs, type_ = callees(dtype, shape), ArrayType(dtype, shape)
        if is_inexact(dtype):
            product = (
                _made(lambda xp, x, y, out, dx, dy: [dx * y + x * dy + dx], "jvp", *[type_] * 5),
                _made(lambda xp, x, y, out, g: [g * y + g, g * x], "vjp", *[type_] * 4),
            )
            two = (
                _made(lambda xp, x, y, a, b, dx, dy: [2 * x * dx, dx - dy], "jvp", *[type_] * 6),
                _made(lambda xp, x, y, a, b, g, h: [g * (2 * x) + h, -h], "vjp", *[type_] * 6),
            )
        else:
            product = (_made(lambda xp, x, y, out: [], "jvp", *[type_] * 3),) * 2
            two = (_made(lambda xp, x, y, a, b: [], "jvp", *[type_] * 4),) * 2
        for (name, (jvp, vjp)), both in _first(dtype, shape, itertools.product((("two", two), ("product", product)), (True, False))):
            params = {"graph": graphs[name].evolve(name=name), "jvp": jvp, "vjp": vjp if both else None}
            yield Sample(op, [array(rng, dtype, shape) for _ in range(2)], params, smooth=True)


def linears(op: Op, dtypes: dict[str, np.dtype]) -> Iterator[Sample]:
    for rng, dtype, shape in _numbers(op.name, dtypes):
        type_ = ArrayType(dtype, shape)
        params = {
            "graph": _made(lambda xp, x, t: [x * t, t + t], "graph", type_, type_),
            "back": _made(lambda xp, x, g, h: [x * g + h + h], "back", *[type_] * 3), "consts": 1,
        }  # fmt: skip
        yield Sample(op, [array(rng, dtype, shape) for _ in range(2)], params, smooth=True)


def solves(op: Op, dtypes: dict[str, np.dtype]) -> Iterator[Sample]:
    """Of a diagonal matrix."""
    for rng, dtype, shape in _numbers(op.name, dtypes):
        if is_inexact(dtype):
            type_ = ArrayType(dtype, shape)
            quotient, product = (_made(f, "diagonal", type_, type_) for f in (lambda xp, a, b: [b / a], lambda xp, a, x: [a * x]))
            params = {"graph": quotient, "back": quotient, "product": product, "consts": 1}
            yield Sample(op, [array(rng, dtype, shape) for _ in range(2)], params, smooth=True)


def switches(op: Op, dtypes: dict[str, np.dtype]) -> Iterator[Sample]:
    for rng, dtype, shape in _numbers(op.name, dtypes):
        made = callees(dtype, shape)
        graphs = tuple(made[name].evolve(name=name) for name in ("product", "nested"))
        for k in _first(dtype, shape, (1, 0)):
            operands = [np.int64(k), *(array(rng, dtype, shape) for _ in range(2))]
            yield Sample(op, operands, {"graphs": graphs}, smooth=True)


def whiles(op: Op, dtypes: dict[str, np.dtype]) -> Iterator[Sample]:
    """Of x, i and y: until i is 3, y becomes x y + y."""
    for rng, dtype, shape in _numbers(op.name, dtypes):
        types = (ArrayType(dtype, shape), INT64, ArrayType(dtype, shape))
        params = {
            "condition": _made(lambda xp, x, i, y: [i < 3], "condition", *types),
            "graph": _made(lambda xp, x, i, y: [i + 1, x * y + y], "graph", *types), "consts": 1,
        }  # fmt: skip
        for start in _first(dtype, shape, (1, 2, 3)):
            yield Sample(op, [array(rng, dtype, shape), np.int64(start), array(rng, dtype, shape)], params, smooth=True)


def scans(op: Op, dtypes: dict[str, np.dtype]) -> Iterator[Sample]:
    """Of x, y and a row of v: y becomes y v + x, and y - v is kept."""
    for rng, dtype, shape in _numbers(op.name, dtypes):
        type_ = ArrayType(dtype, shape)
        graph = _made(lambda xp, x, y, v: [y * v + x, y - v], "step", *[type_] * 3)
        for n, reverse in _first(dtype, shape, itertools.product((3, 1, 0), (False, True))):
            operands = [array(rng, dtype, shape), array(rng, dtype, shape), array(rng, dtype, (n, *shape))]
            yield Sample(op, operands, {"graph": graph, "consts": 1, "carries": 1, "length": n, "reverse": reverse}, smooth=True)


def externals(op: Op, dtypes: dict[str, np.dtype]) -> Iterator[Sample]:
    external.register("tests.doubled", lambda x: (x + x, x.sum()))
    for rng, dtype, shape in _numbers(op.name, dtypes):
        x = array(rng, dtype, shape)
        results = tuple((SHORT_NAMES[y.dtype], y.shape) for y in map(np.asarray, (x + x, x.sum())))
        yield Sample(op, [x], {"name": "tests.doubled", "results": results}, smooth=True)


GENERATORS: dict[str, Callable[..., Iterator[Sample]]] = {
    "checkpoint": checkpoints, "custom": customs, "linear": linears, "switch": switches, "while": whiles, "scan": scans,
    "external": externals, "linear_solve": solves,
}  # fmt: skip

# ----- Formulas -----


def _while(x, i, y, **params):
    start = int(i)
    for _ in range(start, 3):
        y = x * y + y
    return np.int64(max(start, 3)), y, np.int64(max(0, 3 - start))


def _scan(x, y, xs, reverse, **params):
    rows = [None] * len(xs)
    for k in reversed(range(len(xs))) if reverse else range(len(xs)):
        rows[k] = y - xs[k]
        y = y * xs[k] + x
    return y, np.array(rows, xs.dtype).reshape(xs.shape)


def formulas(callees: dict[str, Callable[..., tuple[Any, ...]]]) -> dict[str, Callable[..., Any]]:
    """By op; ``callees`` say what the graphs of samples.callees mean."""
    return {
        "call": lambda *xs, graph: callees[graph.name](*xs),
        "checkpoint": lambda *xs, graph, policy: callees[graph.name](*xs),
        "custom": lambda *xs, graph, jvp, vjp: callees[graph.name](*xs),
        "linear": lambda x, t, **params: (x * t, t + t),
        "switch": lambda k, *xs, graphs: callees[graphs[int(k)].name](*xs),
        "linear_solve": lambda a, b, **params: b / a,
        "while": _while, "scan": _scan,
        "external": lambda x, name, results: (x + x, x.sum()),
    }  # fmt: skip


#: Programs that hold others.
CONTROL = [name for name, op in OPS.items() if op.kind == "Control"]
