"""Sample operands for every op: inside its domain, and at the edges.

An elementwise op gets its samples from its record.  An op of any other kind, or one with parameters, has a
generator in ``GENERATORS``; a law fails where there is none.
"""

import functools
import itertools
import math
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from attrs import field, frozen

from wengert.ir.build import Builder, Namespace
from wengert.ir.graph import Graph
from wengert.ir.kinds import Elementwise, Interval, Op, Reduction, Unknown
from wengert.ir.ops import OPS
from wengert.ir.ops.external import no_rule
from wengert.ir.ops.library import no_derivative
from wengert.ir.ops.random import key_of
from wengert.ir.storable import graphs_in
from wengert.ir.types import DTYPES, ArrayType, is_inexact

REAL = {short: dtype for short, dtype in DTYPES.items() if dtype.kind != "c"}
COMPLEX = {short: dtype for short, dtype in DTYPES.items() if dtype.kind == "c"}
FLOATS = {short: dtype for short, dtype in DTYPES.items() if dtype.kind == "f"}
SHAPES = ((), (1,), (3,), (0,), (2, 3), (2, 1, 3), (0, 2))


@frozen(eq=False)
class Sample:
    """One application of an op.

    ``smooth`` operands lie where the op is differentiable and well conditioned, away from every kink.  A ``wide``
    sample maps an elementwise op over many points: of its Jacobian only the diagonals are looked at.
    """

    op: Op
    operands: tuple[np.ndarray, ...] = field(converter=lambda xs: tuple(map(_frozen, xs)))
    params: dict[str, Any] = field(factory=dict)
    smooth: bool = False
    wide: bool = False

    @property
    def types(self):
        return tuple(map(_type, self.operands))

    @property
    def result_types(self):
        return self.op.infer(self.types, self.params)

    @property
    def active(self) -> tuple[int, ...]:
        """The operands that a derivative can be taken of."""
        partials = getattr(self.op, "partials", (None,) * len(self.operands))
        known = [not isinstance(p, Unknown) for p in partials]
        return tuple(k for k, x in enumerate(self.operands) if is_inexact(x.dtype) and known[k])

    @property
    def is_complex(self) -> bool:
        """Whether an operand or a result is complex."""
        return any(t.dtype.kind == "c" for t in (*self.types, *self.result_types))

    @property
    def differentiable(self) -> bool:
        """Whether an operand and a result can carry a derivative, and the op has one."""
        if self.op.name == "complement" or getattr(self.op, "jvp", None) in (no_derivative, no_rule):  # their rules say why
            return False
        return bool(self.active) and any(is_inexact(t.dtype) for t in self.result_types)

    def graph(self) -> Graph:
        """The one-node graph."""
        b = Builder(self.op.name)
        inputs = [b.input(t) for t in self.types]
        return b.graph(b.emit_all(self.op, inputs, **self.params))

    def __str__(self):
        where = ", ".join(map(str, self.types))
        params = ", ".join(f"{k}={v}" for k, v in self.params.items() if not any(graphs_in({k: v})))
        return f"{self.op.name}({where}{'; ' + params if params else ''})"


def _frozen(x):
    x = np.array(x, order="C")
    x.setflags(write=False)
    return x


def _type(x):
    return ArrayType(x.dtype, x.shape)


@functools.cache
def samples(name: str) -> tuple[Sample, ...]:
    """Every sample of an op: for real dtypes, and for complex ones where it is defined for them."""
    op = OPS[name]
    from control_samples import GENERATORS as SUBGRAPHS

    make = {**GENERATORS, **SUBGRAPHS}.get(name)
    if make is None and isinstance(op, Elementwise) and not op.params:
        make = elementwise
    if make is None:
        raise LookupError(f"tests/samples.py has no samples for the op {name!r}: add a generator for it.")
    return (*make(op, REAL), *make(op, COMPLEX))


def random(name: str) -> np.random.Generator:
    """The same numbers for an op in every run."""
    return np.random.default_rng(zlib.crc32(name.encode()))


# ----- Numbers -----

_F64 = [0.0, 1.0, 0.5, 2.0, 3.0, 2.5, 0.3, 7.0, 20.0, 710.0, 1e200, 1e-200, 1.7e308, 2.3e-308, 5e-324, math.inf]
_F32 = [0.0, 1.0, 0.5, 2.0, 3.0, 2.5, 0.3, 7.0, 20.0, 89.0, 1e30, 1e-30, 3.4e38, 1.2e-38, 1e-45, math.inf]


def edges(dtype: np.dtype) -> list[Any]:
    """The numbers of a dtype at which something could go wrong."""
    if dtype.kind == "b":
        return [False, True]
    if dtype.kind in "iu":
        info = np.iinfo(dtype)
        some = [0, 1, 2, 3, 7, 8, 33, 64, 100, info.max, info.max - 1]
        return some + ([-1, -2, -3, -7, info.min, info.min + 1] if dtype.kind == "i" else [])
    if dtype.kind == "c":
        return [0j, 1 + 0j, -1 + 2j, 0.5 - 0.25j, 3j, -2 + 0j, complex(math.inf, 0), complex(math.nan, 1)]
    return [s * v for v in (_F64 if dtype.itemsize == 8 else _F32) for s in (1, -1)] + [math.nan]


def array(rng: np.random.Generator, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    """Ordinary numbers, no two floats closer than 0.01: no ties, no zeros."""
    size = math.prod(shape)
    if dtype.kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    if dtype.kind in "iu":
        return rng.integers(0 if dtype.kind == "u" else -5, 6, shape).astype(dtype)
    grid = rng.permutation(np.arange(1, 201))[:size] * 0.013 * rng.choice([-1, 1], size)
    if dtype.kind == "c":
        return (grid + 1j * rng.permutation(grid)).astype(dtype).reshape(shape)
    return grid.astype(dtype).reshape(shape)


#: By arity, fewer edges for a library's functions: they take their time, and go their own ways far away.
FEW = {
    1: [0.0, 1.0, -1.5, 0.3, 0.5, 2.0, 3.0, 25.0, -25.0, -800.0, 800.0, math.inf, math.nan],
    2: [0.0, 1.0, -1.5, 0.5, 2.0, 25.0, math.inf, math.nan],
    3: [0.0, 0.5, 2.0, math.inf, math.nan],
    4: [0.5, 2.0, math.nan],
}  # fmt: skip


def edgy(rng: np.random.Generator, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    """Ties, zeros of both signs, infinities, NaN and wrapping integers, drawn at random."""
    if dtype.kind == "f":
        some = [0.0, -0.0, 1.0, 1.0, -1.0, 2.0, 2.0, 0.1, math.inf, -math.inf, math.nan]
        weights = np.array([2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1]) / 19
        return rng.choice(some, shape, p=weights).astype(dtype)
    return rng.choice(np.array(edges(dtype), dtype), shape)


# ----- Elementwise -----

#: Where a pair of operands is too near a kink, or the value is not a real number.
ROUGH: dict[str, Callable[..., Any]] = {
    "power": lambda x, y: x <= 0.05,
    "divide": lambda x, y: abs(y) < 0.3,
    "reciprocal": lambda x: abs(x) < 0.3,
    "cbrt": lambda x: abs(x) < 0.05,
    "absolute": lambda x: abs(x) < 0.05,
    "hypot": lambda x, y: abs(x) + abs(y) < 0.05,
    "arctan2": lambda x, y: abs(x) + abs(y) < 0.05,
    "copysign": lambda x, y: (abs(x) < 0.05) | (abs(y) < 0.05),
    "heaviside": lambda x, h: abs(x) < 0.05,
    "tan": lambda x: abs(np.cos(x)) < 0.1,
    **dict.fromkeys(("maximum", "minimum", "fmax", "fmin"), lambda x, y: abs(x - y) < 0.05),
    **dict.fromkeys(("remainder", "fmod", "floor_divide"),
                    lambda x, y: (abs(y) < 0.3) | (abs(x / y - np.round(x / y)) < 0.05)),
    **dict.fromkeys(("floor", "ceil", "trunc"), lambda x: abs(x - np.round(x)) < 0.05),
    "rint": lambda x: abs(x - np.floor(x) - 0.5) < 0.05,
    "sign": lambda x: abs(x) < 0.05,
    "huber": lambda delta, r: abs(abs(r) - delta) < 0.05,
    "pdtr": lambda k, m: abs(k - np.round(k)) < 0.05, "pdtrc": lambda k, m: abs(k - np.round(k)) < 0.05,
    # near 1 an inverse is known to fewer digits than its distance from 1 has
    **dict.fromkeys(("betaincinv", "betainccinv"), lambda a, b, y: (a < 0.8) | (b < 0.8)),
    **dict.fromkeys(("i0e", "i1e"), lambda x: abs(x) < 0.05),
}  # fmt: skip
ARE_REAL = Interval()

#: Where a rule has other formulas than in the interior of the domain: far out, near a removable singularity, reflected.
ELSEWHERE: dict[str, tuple[tuple[float, ...], ...]] = {
    "dawsn": ((10.5,), (-1e3,), (40.0,)), "erfcx": ((10.5,), (14.0,), (1e3,), (-5.0,)), "log_ndtr": ((-40.0,), (8.0,)),
    "exprel": ((0.9,), (-0.9,), (0.0,), (-1.9,), (20.0,)), "ive": ((2.0, -1.5), (1.0, -4.0)),
    **dict.fromkeys(("ellipk", "ellipe"), ((0.09,), (-0.09,), (0.0,), (0.11,), (-0.2,))),
    "ellipkm1": ((0.92,), (1.08,), (1.0,), (1e-9,)), "spence": ((0.92,), (1.08,), (1.0,), (1e-9,), (30.0,)),
    **dict.fromkeys(("sici_s", "shichi_s"), ((0.09,), (-0.09,), (0.0,), (-0.2,), (20.0,))),
    **dict.fromkeys(("i0e", "i1e"), ((31.0,), (-31.0,), (-1e6,), (25.0,), (1e6,))),
    **dict.fromkeys(("k0e", "k1e"), ((31.0,), (200.0,), (25.0,), (1e6,))),
    "digamma": ((-0.3,), (-2.6,), (-1000.001,)), "rgamma": ((-0.3,), (-2.6,), (0.0,), (-1.0,), (-2.0,), (-20.4,)),
    **dict.fromkeys(("gammainc", "gammaincc"), ((12.0, 11.0), (12.0, 2.5), (12.0, 30.0), (1e5, 99850.0), (12.0, 1e-3))),
    **dict.fromkeys(("gammaincinv", "gammainccinv"), ((12.0, 0.3), (40.0, 0.6))),
    **dict.fromkeys(("chdtr", "chdtrc"), ((24.0, 22.0), (80.0, 86.0), (24.0, 5.0), (24.0, 60.0))),
    **dict.fromkeys(("gdtr", "gdtrc"), ((2.0, 12.0, 5.5), (0.5, 40.0, 86.0), (2.0, 12.0, 15.0))),
    **dict.fromkeys(("pdtr", "pdtrc"), ((11.5, 11.0), (39.5, 43.0), (11.5, 30.0))),
    **dict.fromkeys(("rel_entr", "kl_div"), ((0.1, 5.0), (5.0, 0.1), (1e-20, 5.0), (2.0, 2.000000002), (2.000000002, 2.0), (1e-3, 1.000000001e-3))),
    **dict.fromkeys(("boxcox", "boxcox1p"), ((2.0, 0.0), (2.0, 1e-9), (0.5, 1.5), (30.0, 2.0), (3.0, -2.0), (0.15, 1.0))),
    **dict.fromkeys(("inv_boxcox", "inv_boxcox1p"), ((0.7, 0.0), (0.7, 1e-9), (0.7, 0.12), (-0.5, -0.15), (0.7, 2.0))),
    "pseudo_huber": ((0.1, 5.0), (5.0, -0.1)), "owens_t": ((4.0, 0.2), (0.2, 4.0), (-1.5, 3.0)),
    "arctan2": ((1.0, 0.0), (0.0, 2.0)), "hypot": ((1.0, 0.0), (0.0, 2.0)),
}  # fmt: skip


def rough_complex(z: complex) -> bool:
    """Near a branch cut, which lie on the axes, or a pole or branch point."""
    near = min(abs(z), *(abs(z - p) for p in (1, -1, 1j, -1j))) < 0.4
    return near or min(abs(z.real), abs(z.imag)) < 0.15 or min(abs(np.cos(z)), abs(np.cosh(z))) < 0.3


def interior(op: Elementwise, rng: np.random.Generator, dtypes: Any, shape: tuple[int, ...]) -> list[np.ndarray]:
    """Operands well inside the domain, away from the kinks."""
    size = math.prod(shape)
    kept: list[tuple[Any, ...]] = []
    domain = op.domain or (ARE_REAL,) * op.arity
    while len(kept) < size:
        row = [_inside(rng, interval, dtype) for interval, dtype in zip(domain, dtypes, strict=True)]
        complex_row = [z for z, dtype in zip(row, dtypes, strict=True) if dtype.kind == "c"]
        rough = ROUGH.get(op.name, lambda *_: False)(*row) if dtypes[0].kind == "f" else any(map(rough_complex, complex_row))
        if not rough:
            kept.append(tuple(row))
    columns = zip(*kept, strict=True) if kept else [()] * len(dtypes)
    return [np.array(c, d).reshape(shape) for c, d in zip(columns, dtypes, strict=True)]


def _inside(rng: np.random.Generator, interval: Interval, dtype: np.dtype) -> Any:
    if dtype.kind == "b":
        return bool(rng.integers(2))
    if dtype.kind in "iu":
        return int(rng.integers(0 if dtype.kind == "u" else -9, 10))
    low = interval.low if math.isfinite(interval.low) else min(-3.0, interval.high - 3)
    high = interval.high if math.isfinite(interval.high) else max(3.0, interval.low + 3)
    margin = 0.03 * (high - low)
    x = rng.uniform(low + margin, high - margin)
    return complex(rng.uniform(-1.5, 1.5), rng.uniform(-1.5, 1.5)) if dtype.kind == "c" else x


def operand_dtypes(op: Elementwise, dtype: np.dtype) -> tuple[np.dtype, ...]:
    """The dtypes of the operands of a sample of ``dtype``."""
    return (np.dtype(bool), dtype, dtype) if op.symbol == "?:" else (dtype,) * op.arity


def elementwise(op: Elementwise, dtypes: dict[str, np.dtype]) -> Iterator[Sample]:
    rng = random(op.name)
    for dtype in dtypes.values():
        each = operand_dtypes(op, dtype)
        if op.result_dtype(each, {}) is None:
            continue
        for shape in SHAPES:
            yield Sample(op, _allowed(op, interior(op, rng, each, shape)), smooth=True)
        if op.name in ELSEWHERE and dtype == np.float64:
            yield Sample(op, np.array(ELSEWHERE[op.name]).T[..., None], smooth=True)
        at = [edges(d) for d in each] if op.library is None else [FEW[op.arity]] * op.arity
        if op.name.startswith("hyp") and op.library:  # SciPy never comes back from hyp1f1(0, 0.5, inf)
            at = [[x for x in some if x != math.inf] for some in at]
        rows = zip(*itertools.product(*at), strict=True)
        columns = [np.array(c, d) for c, d in zip(rows, each, strict=True)]
        if op.symbol == "?:":  # the third operand need not meet each of the second
            columns = [c[::7] for c in columns]
        yield Sample(op, _allowed(op, columns), wide=True)


def _allowed(op: Elementwise, columns: list[np.ndarray]) -> list[np.ndarray]:
    """Without negative integer powers, which raise, and with whole orders where there are no others."""
    if op.symbol == "**" and columns[0].dtype.kind == "i":
        columns[1] = np.where(columns[1] < 0, 3, columns[1]).astype(columns[1].dtype)
    if op.name in ("kn", "yn", "expn"):
        columns[0] = np.trunc(np.where(abs(columns[0]) < 100, columns[0], 7)).astype(columns[0].dtype)
    return columns


def cast(op: Elementwise, dtypes: dict[str, np.dtype]) -> Iterator[Sample]:
    rng = random(op.name)
    targets = {**REAL, **COMPLEX}
    for source, (short, target) in itertools.product(dtypes.values(), targets.items()):
        params = {"dtype": short, "weak": False}
        if op.result_dtype((source,), params) is None:
            continue
        for shape in SHAPES:
            yield Sample(op, [_fitting(array(rng, source, shape), target)], params, smooth=True)
        points = np.array(edges(source), source)
        if source.kind == "f" and target.kind in "iu":  # C leaves open what does not fit
            points = points[(abs(points) < 100) & ((points >= 0) | (target.kind == "i"))]
        yield Sample(op, [points], params, wide=True)


def _fitting(x: np.ndarray, target: np.dtype) -> np.ndarray:
    return abs(x) if target.kind == "u" and x.dtype.kind == "f" else x


# ----- Folds -----

AXES = {
    (): [()], (1,): [(0,), ()], (3,): [(0,)], (9,): [(0,)], (0,): [(0,), ()], (2, 3): [(0,), (1,), (0, 1), ()],
    (2, 1, 3): [(1,), (0, 2), (2,)], (2, 0): [(0,), (1,)], (5, 4): [(0,), (1,)],
}  # fmt: skip


def reduction(op: Reduction, dtypes: dict[str, np.dtype]) -> Iterator[Sample]:
    rng = random(op.name)
    for dtype in dtypes.values():
        if op.fold in ("and", "or") and dtype.kind != "b":
            continue
        for shape, every in AXES.items():
            for axes in every:
                if not op.has_identity and 0 in (shape[a] for a in axes):
                    continue
                yield Sample(op, [array(rng, dtype, shape)], {"axes": axes}, smooth=True)
                if math.prod(shape) > 1:
                    yield Sample(op, [edgy(rng, dtype, shape)], {"axes": axes})
    for shape, special in (((3,), [1, 3, 3]), ((3,), [2, 0, 3]), ((3,), [0, 0, 3]), ((2,), [0, math.inf]),
                           ((3,), [1, math.nan, 2]), ((2,), [-math.inf, -math.inf]), ((2, 2), [0.0, -0.0, 5, 5])):
        for dtype in dtypes.values():
            if dtype.kind == "f" and op.fold not in ("and", "or"):
                x = np.array(special, dtype).reshape(shape)
                yield Sample(op, [x], {"axes": tuple(range(len(shape)))})


def cumulative(op: Op, dtypes: dict[str, np.dtype]) -> Iterator[Sample]:
    rng = random(op.name)
    for dtype, reverse in itertools.product(dtypes.values(), (False, True)):
        for shape, axis in (((1,), 0), ((3,), 0), ((0,), 0), ((2, 3), 0), ((2, 3), 1), ((2, 1, 3), 2), ((0, 2), 1)):
            params, count = {"axis": axis, "reverse": reverse}, 1 + (op.fold == "linear")
            if (op.fold == "linear" and dtype.kind not in "fc") or (op.fold in ("max", "min") and dtype.kind == "c"):
                continue
            yield Sample(op, [array(rng, dtype, shape) for _ in range(count)], params, smooth=True)
            edge = [edgy(rng, dtype, shape) for _ in range(count)]
            if dtype.kind == "c" and op.fold != "+":  # products of infinite complex numbers are no two times alike
                edge = [np.where(np.isinf(x), dtype.type(0), x) for x in edge]
            yield Sample(op, edge, params)
    for special in ([1, 3, 3, 3], [2, 0, 3, 4], [0, 0, 3], [1, math.nan, 2], [0, math.inf, 2], [0.0, -0.0, 0.0]):
        for dtype in (d for d in dtypes.values() if d.kind == "f"):
            yield Sample(op, [np.array(special, dtype)] * (1 + (op.fold == "linear")), {"axis": 0, "reverse": False})


# ----- Movement -----

MOVES: dict[str, list[tuple[tuple[tuple[int, ...], ...], dict[str, Any]]]] = {
    "reshape": [(((6,),), {"shape": (2, 3)}), (((2, 3),), {"shape": (3, 1, 2)}), (((),), {"shape": (1, 1)}),
                (((1, 1),), {"shape": ()}), (((0, 3),), {"shape": (5, 0)}), (((2, 3),), {"shape": (2, 3)})],
    "transpose": [(((2, 3),), {"axes": (1, 0)}), (((2, 1, 3),), {"axes": (2, 0, 1)}), (((),), {"axes": ()}),
                  (((3,),), {"axes": (0,)}), (((0, 2),), {"axes": (1, 0)}), (((2, 2, 2),), {"axes": (1, 2, 0)})],
    "broadcast_to": [(((),), {"shape": (2, 3)}), (((3,),), {"shape": (2, 3)}), (((2, 1),), {"shape": (2, 3)}),
                     (((1,),), {"shape": (0,)}), (((1, 3),), {"shape": (2, 1, 3)}), (((),), {"shape": ()}),
                     (((0,),), {"shape": (2, 0)}), (((2, 1, 2),), {"shape": (3, 2, 3, 2)}), (((3,),), {"shape": (3,)})],
    "concatenate": [(((2,), (3,)), {"axis": 0}), (((2, 1), (2, 3)), {"axis": 1}), (((2,),), {"axis": 0}),
                    (((1, 2), (0, 2), (3, 2)), {"axis": 0}), (((0,), (0,)), {"axis": 0}),
                    (((2, 1, 3), (2, 2, 3)), {"axis": 1})],
    "slice": [(((5,),), {"start": (1,), "size": (3,), "step": (1,)}),
              (((5,),), {"start": (4,), "size": (5,), "step": (-1,)}),
              (((5,),), {"start": (4,), "size": (3,), "step": (-2,)}),
              (((5,),), {"start": (0,), "size": (0,), "step": (1,)}),
              (((5,),), {"start": (3,), "size": (1,), "step": (-7,)}),
              (((0,),), {"start": (0,), "size": (0,), "step": (1,)}),
              (((),), {"start": (), "size": (), "step": ()}),
              (((3, 4),), {"start": (2, 1), "size": (2, 2), "step": (-2, 2)}),
              (((2, 1, 3),), {"start": (1, 0, 2), "size": (1, 1, 3), "step": (1, 1, -1)}),
              (((3, 4),), {"start": (0, 3), "size": (3, 0), "step": (1, -1)})],
    "place": [(((3,),), {"shape": (5,), "start": (1,), "step": (1,)}),
              (((3,),), {"shape": (5,), "start": (4,), "step": (-2,)}),
              (((2,),), {"shape": (5,), "start": (0,), "step": (3,)}),
              (((0,),), {"shape": (4,), "start": (0,), "step": (1,)}),
              (((1,),), {"shape": (3,), "start": (2,), "step": (-5,)}),
              (((),), {"shape": (), "start": (), "step": ()}),
              (((2, 2),), {"shape": (3, 4), "start": (2, 1), "step": (-2, 2)}),
              (((1, 1, 3),), {"shape": (2, 1, 3), "start": (1, 0, 2), "step": (1, 1, -1)}),
              (((2, 0),), {"shape": (2, 3), "start": (0, 0), "step": (1, 1)})],
}  # fmt: skip


def movement(op: Op, dtypes: dict[str, np.dtype]) -> Iterator[Sample]:
    rng = random(op.name)
    for dtype in dtypes.values():
        for shapes, params in MOVES[op.name]:
            yield Sample(op, [array(rng, dtype, s) for s in shapes], params, smooth=True)
            if dtype.kind == "f":
                yield Sample(op, [edgy(rng, dtype, s) for s in shapes], params)


# ----- Products and indices -----

PRODUCTS = [
    (",->", (), ()), ("i,->i", (3,), ()), (",i->i", (), (3,)), ("i,i->", (3,), (3,)), ("i,i->i", (3,), (3,)),
    ("i,j->ij", (2,), (3,)), ("i,j->ji", (2,), (3,)), ("ij,j->i", (2, 3), (3,)), ("i,ij->j", (2,), (2, 3)),
    ("ij,jk->ik", (2, 3), (3, 4)), ("ij,kj->ki", (2, 3), (4, 3)), ("ji,jk->ik", (3, 2), (3, 4)),
    ("ij,ij->", (2, 3), (2, 3)), ("ij,ji->ij", (2, 3), (3, 2)), ("ij,ij->j", (2, 3), (2, 3)),
    ("bij,bjk->bik", (2, 1, 3), (2, 3, 2)), ("bij,jk->bik", (2, 1, 3), (3, 2)), ("aij,bij->ab", (2, 1, 3), (3, 1, 3)),
    ("ij,jk->ik", (2, 0), (0, 3)), ("ij,jk->ik", (0, 2), (2, 3)), ("i,i->", (0,), (0,)), ("ij,jk->ik", (1, 1), (1, 1)),
]  # fmt: skip


def contraction(op: Op, dtypes: dict[str, np.dtype]) -> Iterator[Sample]:
    rng = random(op.name)
    for dtype, (subscripts, x, y) in itertools.product(dtypes.values(), PRODUCTS):
        params = {"subscripts": subscripts}
        yield Sample(op, [array(rng, dtype, x), array(rng, dtype, y)], params, smooth=True)
        if dtype.kind == "f":
            yield Sample(op, [edgy(rng, dtype, x), edgy(rng, dtype, y)], params)


def take(op: Op, dtypes: dict[str, np.dtype]) -> Iterator[Sample]:
    rng = random(op.name)
    for dtype in dtypes.values():
        for shape, axis, indices in (
            ((3,), 0, 1), ((3,), 0, [2, 0, 2]), ((3,), 0, [[0, 1], [2, 2]]), ((2, 3), 1, [0, 0]), ((2, 3), 0, 1),
            ((2, 1, 3), 1, [0, 0, 0]), ((2, 3), 0, np.zeros((0,))), ((0, 2), 1, [1]), ((0,), 0, np.zeros((2, 0))),
        ):  # fmt: skip
            where = np.array(indices, np.int64)
            yield Sample(op, [array(rng, dtype, shape), where], {"axis": axis}, smooth=True)
            if dtype.kind == "f":
                yield Sample(op, [edgy(rng, dtype, shape), where], {"axis": axis})


def scatter_add(op: Op, dtypes: dict[str, np.dtype]) -> Iterator[Sample]:
    rng = random(op.name)
    for dtype in dtypes.values():
        for shape, axis, indices, size in (
            ((), 0, 1, 3), ((3,), 0, [2, 0, 2], 4), ((2, 2), 0, [[0, 1], [2, 2]], 3), ((2, 2), 1, [0, 0], 3),
            ((3,), 0, 1, 2), ((2, 3, 3), 1, [1, 0, 1], 2), ((0, 3), 0, np.zeros((0,)), 2), ((2, 0), 1, np.zeros((0,)), 0),
        ):  # fmt: skip
            where, params = np.array(indices, np.int64), {"axis": axis, "size": size}
            yield Sample(op, [array(rng, dtype, shape), where], params, smooth=True)
            if dtype.kind == "f":
                yield Sample(op, [edgy(rng, dtype, shape), where], params)


def sorting(op: Op, dtypes: dict[str, np.dtype]) -> Iterator[Sample]:
    rng = random(op.name)
    for dtype in dtypes.values():
        for shape, axis in (((1,), 0), ((3,), 0), ((0,), 0), ((2, 3), 0), ((2, 3), 1), ((2, 1, 3), 2), ((7,), 0)):
            yield Sample(op, [array(rng, dtype, shape)], {"axis": axis}, smooth=True)
            yield Sample(op, [edgy(rng, dtype, shape)], {"axis": axis})


def pairs(op: Op, dtypes: dict[str, np.dtype]) -> Iterator[Sample]:
    rng = random(op.name)
    for dtype in dtypes.values():
        if dtype.kind in {"gcd": "bf", "lcm": "bf", "nextafter": "biu"}[op.name] + "c":
            continue
        for shape in SHAPES:
            yield Sample(op, [array(rng, dtype, shape), array(rng, dtype, shape)], smooth=True)
        columns = zip(*itertools.product(edges(dtype), repeat=2), strict=True)
        yield Sample(op, [np.array(c, dtype) for c in columns])


# ----- Matrices -----

SQUARE = ((2, 2), (2, 3, 3), (1, 1), (0, 0), (0, 2, 2))
OBLONG = ((3, 2), (2, 3), (2, 3, 2), (2, 2), (1, 2), (0, 2), (3, 0))


def matrix(rng: np.random.Generator, dtype: np.dtype, shape: tuple[int, ...], shift: float = 0.0) -> np.ndarray:
    """Singular values far from each other and from zero, in random directions."""
    m, n = shape[-2:]
    real = np.empty(0, dtype).real.dtype
    left, right = (np.linalg.qr(_normal(rng, dtype, (*shape[:-2], k, k)))[0] for k in (m, n))
    sizes = np.zeros(shape, real)
    sizes[..., range(min(m, n)), range(min(m, n))] = 1.0 + shift + 1.25 * np.arange(min(m, n))
    return (left @ sizes @ right).astype(dtype)


def hermitian(rng: np.random.Generator, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    """Positive eigenvalues far from each other, in random directions."""
    turn = np.linalg.qr(_normal(rng, dtype, shape))[0]
    made = (turn * (1.0 + 1.25 * np.arange(shape[-1]))) @ np.swapaxes(turn, -1, -2).conj()
    return ((made + np.swapaxes(made, -1, -2).conj()) / 2).astype(dtype)


def _normal(rng: np.random.Generator, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    x = rng.standard_normal(shape)
    return x + 1j * rng.standard_normal(shape) if dtype.kind == "c" else x


def _inexact(dtypes: dict[str, np.dtype]) -> list[np.dtype]:
    return [d for d in dtypes.values() if d.kind in "fc"]


#: Matrices at which something is undetermined, infinite or not smooth.
HARD = ([[1.0, 2.0], [2.0, 4.0]], np.zeros((3, 3)), np.diag([0.0, 0.0, 1.0]), [[[2.0, 1.0], [1.0, 2.0]], [[1.0, 1.0], [1.0, 1.0]]])
#: With equal eigenvalues, in the basis of the axes: forward and reverse mode meet NaN in the same entries.
EQUAL = (2 * np.eye(2), np.diag([1.0, 3.0, 3.0]))


def one_matrix(op: Op, dtypes: dict[str, np.dtype]) -> Iterator[Sample]:
    rng = random(op.name)
    for dtype in _inexact(dtypes):
        for shape in OBLONG if op.name in ("qr", "svd", "svdvals") else SQUARE:
            x = matrix(rng, dtype, shape)
            if op.name == "eig":
                x = (_normal(rng, dtype, shape) * 0.1 + 2 * np.diag(np.arange(1.0, 1 + shape[-1]))).astype(dtype)
            yield Sample(op, [x], smooth=True)
        if op.name == "eig":  # complex vectors of a real matrix too, and largest components that are not the diagonal
            x = np.array([[1.0, 4.0, 2.0], [0.5, 2.0, 5.0], [1.0, -1.0, 3.0]])
            turned = x + 1j * np.array([[0.0, 1.0, -1.0], [0.5, 0.0, 1.0], [2.0, -1.0, 0.3]])
            yield Sample(op, [(turned if dtype.kind == "c" else x).astype(dtype)], smooth=True)
        hard = {"slogdet": HARD[:1], "svd": EQUAL, "svdvals": (*EQUAL, *HARD[1:3]), "qr": (), "eig": EQUAL, "det": HARD}[op.name]
        yield from (Sample(op, [np.array(x, dtype)]) for x in hard)


def symmetric(op: Op, dtypes: dict[str, np.dtype]) -> Iterator[Sample]:
    rng = random(op.name)
    for dtype, uplo in itertools.product(_inexact(dtypes), "LU" if op.params else "L"):
        params = {"UPLO": uplo} if op.params else {}
        for shape in SQUARE:
            jumps = op.name == "eigh_evr" and shape[-1] > 2  # its signs hang on the last bits
            yield Sample(op, [hermitian(rng, dtype, shape)], params, smooth=not jumps)
        if op.params:
            yield from (Sample(op, [np.array(x, dtype)], params) for x in EQUAL)


def solve(op: Op, dtypes: dict[str, np.dtype]) -> Iterator[Sample]:
    rng = random(op.name)
    for dtype, singular in itertools.product(_inexact(dtypes), ("raise", "nan")):
        for shape, columns in (*((shape, 2) for shape in SQUARE), ((3, 3), 1), ((2, 2), 0)):
            operands = [matrix(rng, dtype, shape), matrix(rng, dtype, (*shape[:-1], columns))]
            yield Sample(op, operands, {"singular": singular}, smooth=True)
    hard = np.array([[[1.0, 2.0], [2.0, 4.0]], [[1.0, 2.0], [2.0, 5.0]]])
    for dtype in _inexact(dtypes):
        yield Sample(op, [hard.astype(dtype), np.ones((2, 2, 1), dtype)], {"singular": "nan"})


def cofactors(op: Op, dtypes: dict[str, np.dtype]) -> Iterator[Sample]:
    rng = random(op.name)
    for dtype, shape, k in itertools.product(_inexact(dtypes), SQUARE, range(3)):
        yield Sample(op, [matrix(rng, dtype, shape) for _ in range(k + 1)], smooth=True)
    if np.dtype(np.float64) in dtypes.values():  # the smallest in which three directions are not the end
        yield Sample(op, [matrix(rng, np.dtype(np.float64), (4, 4)) for _ in range(3)], smooth=True)
    for x, k in itertools.product(HARD, range(3)):
        yield Sample(op, [np.array(x), *(rng.standard_normal(np.shape(x)) for _ in range(k))])


def pinv(op: Op, dtypes: dict[str, np.dtype]) -> Iterator[Sample]:
    rng = random(op.name)
    for dtype in _inexact(dtypes):
        for shape in OBLONG:
            yield Sample(op, [matrix(rng, dtype, shape)], {"rtol": 1e-6, "hermitian": False}, smooth=True)
        for shape in SQUARE:
            yield Sample(op, [hermitian(rng, dtype, shape)], {"rtol": 1e-6, "hermitian": True}, smooth=True)
    for x in (*HARD, *EQUAL):
        yield Sample(op, [x], {"rtol": 1e-6, "hermitian": False})


def lstsq(op: Op, dtypes: dict[str, np.dtype]) -> Iterator[Sample]:
    rng = random(op.name)
    for dtype, (m, n), k in itertools.product(_inexact(dtypes), ((3, 2), (2, 3), (2, 2), (0, 2)), (1, 2)):
        yield Sample(op, [matrix(rng, dtype, (m, n)), matrix(rng, dtype, (m, k))], {"rcond": None}, smooth=True)
    for x in HARD[:3]:
        yield Sample(op, [np.array(x), rng.standard_normal((len(x), 2))], {"rcond": 1e-6})


def complement(op: Op, dtypes: dict[str, np.dtype]) -> Iterator[Sample]:
    rng = random(op.name)
    for dtype, shape, of in itertools.product(_inexact(dtypes), OBLONG, ("qr", "u", "vh")):
        yield Sample(op, [matrix(rng, dtype, shape)], {"of": of}, smooth=True)


def exponential(op: Op, dtypes: dict[str, np.dtype]) -> Iterator[Sample]:
    rng = random(op.name)
    for dtype, shape in itertools.product(_inexact(dtypes), SQUARE):
        for k in ((1, 2) if shape == (2, 2) else (1,)) if op.name == "expm_along" else (0,):
            yield Sample(op, [matrix(rng, dtype, shape) / dtype.type(2) for _ in range(k + 1)], smooth=True)
    for x, k in itertools.product((*HARD, *EQUAL, [[0.0, 1.0], [0.0, 0.0]]), (1, 2) if op.name == "expm_along" else (0,)):
        yield Sample(op, [np.array(x), *(rng.standard_normal(np.shape(x)) for _ in range(k))])


def transform(op: Op, dtypes: dict[str, np.dtype]) -> Iterator[Sample]:
    rng = random(op.name)
    shapes = (((1,), 0), ((2,), 0), ((5,), 0), ((6,), 0), ((2, 3), 0), ((2, 3), 1), ((2, 1, 4), 2), ((3, 1, 2), 0), ((0, 3), 1))
    for dtype, (shape, axis), norm in itertools.product(_inexact(dtypes), shapes, ("backward", "ortho", "forward")):
        if (dtype.kind == "f") != (op.name == "rfft"):
            continue
        size = shape[axis]
        for n in (2 * size - 2, 2 * size - 1) if op.name == "irfft" else (size,):
            if n > 0:
                params = {"axis": axis, "norm": norm, **({"n": n} if "n" in op.params else {})}
                yield Sample(op, [array(rng, dtype, shape)], params, smooth=True)


# ----- Sub-graphs -----


def callees(dtype: np.dtype, shape: tuple[int, ...]) -> dict[str, Graph]:
    """Graphs to call, by name; ``oracles.CALLEES`` says what they mean."""

    def made(build):
        b = Builder("callee")
        xp = Namespace(b)
        x, y = (xp.wrap(b.input(ArrayType(dtype, shape))) for _ in range(2))
        return b.graph([xp.lift(v) for v in build(xp, x, y)])

    product = made(lambda xp, x, y: [x * y + x])

    def nested(xp, x, y):
        (first,) = xp.builder.emit_all(OPS["call"], [y.value, x.value], graph=product)
        return [xp.wrap(first) * x]

    return {
        "product": product,
        "two": made(lambda xp, x, y: [x * x, x - y]),
        "mixed": made(lambda xp, x, y: [x < y, y * y]),
        "through": made(lambda xp, x, y: [y, x, x]),
        "nested": made(nested),
        "none": made(lambda xp, x, y: []),
    }


def calls(op: Op, dtypes: dict[str, np.dtype]) -> Iterator[Sample]:
    rng = random(op.name)
    for dtype, shape in itertools.product(dtypes.values(), ((), (3,), (0,), (2, 3))):
        if dtype.kind == "b":
            continue
        for name, graph in callees(dtype, shape).items():
            if name == "none" or (name == "mixed" and dtype.kind == "c"):
                continue
            operands = [array(rng, dtype, shape) for _ in range(2)]
            yield Sample(op, operands, {"graph": graph.evolve(name=name)}, smooth=True)


def draws(op: Op, dtypes: dict[str, np.dtype]) -> Iterator[Sample]:
    """Keys of one kind; every method is compared with NumPy's in tests/tracer/test_random.py."""
    if np.dtype(np.uint64) not in dtypes.values():
        return
    low, high = np.array([0, -5, 3]), np.array([1, 5, 90])
    for shape in ((), (3,), (0,), (2, 3)):
        for method, dtype, options in (
            ("random", "f32", ()), ("standard_normal", "f64", ()), ("standard_exponential", "f64", ("zig",)), ("choice", "i64", (9, True, True)),
        ):  # fmt: skip
            params = {"method": method, "shape": shape, "dtype": dtype, "options": options}
            yield Sample(op, [key_of(np.random.default_rng(7))], params, smooth=True)
    params = {"method": "integers", "shape": (3,), "dtype": "i32", "options": (False,)}
    yield Sample(op, [key_of(np.random.default_rng(7)), low, high], params)
    yield Sample(op, [key_of(np.random.default_rng(7)), low[:0], high[:0]], {**params, "shape": (0,)})


def seeds(op: Op, dtypes: dict[str, np.dtype]) -> Iterator[Sample]:
    for dtype in dtypes.values():
        if dtype.kind in "iu":
            yield Sample(op, [np.array(7, dtype)], smooth=True)
            yield Sample(op, [np.array([1, 2, 3], dtype)], smooth=True)
            yield Sample(op, [np.array([], dtype)], smooth=True)


def parameters(op: Op, dtypes: dict[str, np.dtype]) -> Iterator[Sample]:
    rng = random(op.name)
    for dtype in dtypes.values():
        if dtype.kind == "f":
            for shape in SHAPES:
                yield Sample(op, [array(rng, dtype, shape)], {"of": "rng.poisson: lam"}, smooth=True)


GENERATORS: dict[str, Callable[[Any, dict[str, np.dtype]], Iterator[Sample]]] = {
    "cast": cast, "einsum": contraction, "scale_einsum": contraction, "take": take,
    "scatter_add": scatter_add, "sort": sorting, "argsort": sorting, "call": calls,
    **dict.fromkeys(("gcd", "lcm", "nextafter"), pairs), "draw": draws, "random_key": seeds, "parameter": parameters,
    **dict.fromkeys(("sum", "prod", "max", "min", "any", "all", "argmax", "argmin"), reduction),
    **dict.fromkeys(("cumsum", "cumprod", "cummax", "cummin", "recurrence"), cumulative),
    **dict.fromkeys(MOVES, movement),
    **dict.fromkeys(("det", "slogdet", "qr", "svd", "svdvals", "eig"), one_matrix), "solve": solve, "cofactors": cofactors,
    **dict.fromkeys(("cholesky", "eigh", "eigh_evr", "eigvalsh"), symmetric), "pinv": pinv, "lstsq": lstsq, "complement": complement,
    **dict.fromkeys(("expm", "expm_along"), exponential),
    **dict.fromkeys(("fft", "ifft", "rfft", "irfft"), transform),
}  # fmt: skip
