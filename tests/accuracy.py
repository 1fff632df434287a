"""How far the elementary functions of generated C are from the exact numbers.

    python tests/accuracy.py --write docs/accuracy.md         millions of points, against long double

An error is counted in units of the last place of the exact result, rounded; what is NaN, infinite or a zero of some sign
has to be just that.
"""

# ruff: noqa: T201 (it is a program, too, and prints)

import argparse
import functools
import platform
from pathlib import Path

import mpmath
import numpy as np

from wengert.backends.source.c import BACKEND
from wengert.backends.source.c.machine import compiler
from wengert.backends.source.c.scalars.elementary import FUNCTIONS, OF_TWO
from wengert.ir.build import Builder, Namespace
from wengert.ir.ops import OPS
from wengert.ir.types import ArrayType
from wengert.tools.bench import table

ROOT = Path(__file__).parent.parent
OF_LIBM = {op.libm: op.name for op in OPS.values() if getattr(op, "libm", None)} | {"pow": "power", "sech2": "sech2"}
NAMES = {name: OF_LIBM[name] for name in FUNCTIONS}  # libm's name to NumPy's
DTYPES = {"float64": np.dtype(np.float64), "float32": np.dtype(np.float32)}
MPMATH = {
    "pow": mpmath.power,
    "exp2": lambda x: mpmath.power(2, x),
    "log2": lambda x: mpmath.log(x, 2),
    "sech2": lambda x: mpmath.sech(x) ** 2,
    **{name: getattr(mpmath, name) for name in ("expm1", "log1p", "log10")},
}
#: Where something begins or ends: overflow, underflow, a turn, a change of formula.
EDGES = (
    0, np.inf, np.nan, 1, 2, 3, 0.5, 0.25, 1e22, 1e300, 1e-300, 709.782712893384, 709.7827128933841, 710.4758600739439, 711, 1025,
    745.1332191019411, 745.1332191019412, 746, 708.3964185322641, 1023.9999999999999, 1024, 1022, 1074, 1075, 1076, 88.72283, 88.72284,
    103.97207, 103.97208, 87.33654, 127.99999, 128, 126, 149, 150, 1 - 2**-53, 1 + 2**-52, 1 - 2**-24, 1 + 2**-23, 2.0**40, 2.0**41,
    np.pi / 4, np.pi / 2, np.pi, 11 * np.pi, 0.34657359, 0.41421356, 2.4142135, 0.70710678, 1.41421356, 20, 20.5, 37.4, 38, 40,
)  # fmt: skip


def edges(dtype):
    """The edges, their negatives, and the limits of the format."""
    info = np.finfo(dtype)
    limits = (info.max, info.tiny, info.smallest_subnormal, 3 * info.smallest_subnormal, info.tiny * (1 - info.eps))
    with np.errstate(over="ignore", under="ignore"):
        half = np.array([*EDGES, *limits], dtype)
    return np.concatenate([half, -half])


def points(dtype, count, seed):
    """Numbers of every size: of random bits, near 0, near 1, in the range of exp, and in that of angles."""
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2 ** (8 * dtype.itemsize), count // 4, f"u{dtype.itemsize}").view(dtype)
    wide = rng.uniform(-1.05, 1.05, count // 4) * (750 if dtype.itemsize == 8 else 110)
    sizes = 2.0 ** rng.uniform(-30, 41, count // 4) * rng.choice([-1, 1], count // 4)
    near = rng.choice([-1, 0, 1, 1], count // 4) + rng.normal(size=count // 4) * 2.0 ** rng.uniform(-30, 1, count // 4)
    return np.concatenate([bits, *(x.astype(dtype) for x in (wide, sizes, near))])


def exponents(dtype, count, seed):
    """Second operands: such that powers of the first neither overflow nor vanish, small whole ones, and any number."""
    rng = np.random.default_rng(~seed & 0xFFFF)
    with np.errstate(all="ignore"):
        some = rng.uniform(-1.05, 1.05, count) * (745 if dtype.itemsize == 8 else 104)
        some = (some / np.abs(np.log(np.abs(points(dtype, count, seed).astype(float))))).astype(dtype)
    kind = rng.integers(0, 8, count)
    some = np.where(kind == 0, rng.integers(-5, 6, count) / 2, some)
    return np.where(kind == 1, rng.permutation(points(dtype, count, seed)), some).astype(dtype)


def function(xp, name):
    """A function of C as an operation, or of NumPy."""
    return (lambda x: xp.square(1 / xp.cosh(x))) if name == "sech2" else getattr(xp, NAMES[name])


def arity(name):
    return 2 if name in OF_TWO else 1


@functools.cache
def program(count):
    """Every function of ``count`` numbers, or pairs of them, of either format, compiled together."""
    builder = Builder("accuracy")
    xp = Namespace(builder)
    inputs = [[xp.wrap(builder.input(ArrayType(dtype, (count,)))) for _ in "xy"] for dtype in DTYPES.values()]
    results = [xp.lift(function(xp, f)(*xy[: arity(f)])) for xy in inputs for f in NAMES]
    run = BACKEND.compile(builder.graph(results))

    def values(pairs):
        found = run([np.ascontiguousarray(array) for pair in pairs for array in pair])
        return {key: dict(zip(NAMES, found[k:], strict=False)) for key, k in zip(DTYPES, (0, len(NAMES)), strict=True)}

    return values


def ulps(got, exact):
    """The errors of some results, given the exact ones in a wider format."""
    info = np.finfo(got.dtype)
    with np.errstate(all="ignore"):
        rounded = exact.astype(got.dtype)
        beyond = exact.dtype.type(2) ** info.maxexp  # what infinity stands for, where the other is finite
        ends = [np.where(np.isinf(v), np.copysign(beyond, v), v.astype(exact.dtype)) for v in (got, exact)]
        unit = np.spacing(np.minimum(np.abs(rounded), info.max))
        error = np.where(np.isinf(got) & (got == rounded), 0, np.abs(ends[0] - ends[1]) / unit)
        wrong = np.isnan(got) != np.isnan(exact)
        wrong |= (got == 0) & (rounded == 0) & (np.signbit(got) != np.signbit(rounded))
        wrong |= np.isinf(got) & np.isinf(rounded) & (got != rounded)
        wrong |= (got == 0) & (rounded != 0) & (np.abs(exact) > info.smallest_subnormal)
        return np.where(wrong, np.inf, np.where(np.isnan(exact), 0, error)).astype(float)


def by_mpmath(name, got, *xy):
    """The errors against mpmath at 50 digits; points that it has no answer for are compared with NumPy's."""
    with mpmath.workdps(50), np.errstate(all="ignore"):
        exactly = MPMATH.get(name) or getattr(mpmath, name)
        reference = function(np, name)(*(x.astype(np.float64) for x in xy))
        near = reference.astype(got.dtype)
        plain = np.isfinite(reference) & np.all([np.isfinite(x) & (x != 0) for x in xy], axis=0)
        errors = ulps(got, reference)
        top = mpmath.mpf(2) ** np.finfo(got.dtype).maxexp
        for k in np.flatnonzero(plain):
            unit = mpmath.mpf(float(np.spacing(np.minimum(abs(near[k]), np.finfo(got.dtype).max))))
            have = mpmath.mpf(float(got[k])) if np.isfinite(got[k]) else top if got[k] > 0 else -top
            exact = exactly(*(mpmath.mpf(float(x[k])) for x in xy))
            within = np.isinf(got[k]) and abs(exact) >= top
            errors[k] = 0.0 if within else float(abs(have - mpmath.re(exact)) / unit)
    return errors


def by_long_double(name, got, *xy):
    """The errors against the same function of C's in a wider format."""
    wider = np.longdouble if got.dtype == np.float64 else np.float64
    with np.errstate(all="ignore"):
        return ulps(got, function(np, name)(*(x.astype(wider) for x in xy)))


def worst(count, rounds):
    """Per function and format, the largest error and where it is."""
    found = {name: dict.fromkeys(DTYPES, (0.0, ())) for name in NAMES}
    for seed in range(rounds):
        pairs = {key: (points(dtype, count, seed), exponents(dtype, count, seed)) for key, dtype in DTYPES.items()}
        results = program(count)(list(pairs.values()))
        for name in NAMES:
            for key, pair in pairs.items():
                xy = pair[: arity(name)]
                errors = by_long_double(name, results[key][name], *xy)
                k = int(np.argmax(errors))
                found[name][key] = max(found[name][key], (float(errors[k]), tuple(float(x[k]) for x in xy)))
    return found


PAGE = """\
# How accurate generated C is

Written by `python tests/accuracy.py --write docs/accuracy.md`. Measured on {machine}.

In loops, generated C computes the functions below itself ([elementary.py](../backends/source/c/scalars/elementary.py)): straight-line code
that compilers vectorise, and that gives a number the same bits wherever in an array it stands. The largest error, in units of the last
place of the exact result, at {points:,} points each: random bits, numbers near 0 and 1, in the range of exp, and angles up to 2^41
(from 2^40 on, a loop that meets one runs again with libm's sin, cos and tan); against long double for float64, and float64 for float32. NaN,
infinities, subnormal numbers and signs of zeros are IEEE's. Every other function is libm's, and so is every one that is not in a loop of
at least 8 turns, or where fma is not an instruction.

{table}
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write")
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    count = 1 << 17
    found = worst(count, options.rounds)
    rows = [
        (f"`{NAMES[name]}`", *(text for error, at in each.values() for text in (f"{error:.2f}", ", ".join(f"{v:.9g}" for v in at))))
        for name, each in found.items()
    ]  # fmt: skip
    machine = f"{platform.system()} {platform.machine()}, {compiler.find().version.splitlines()[0]}"
    text = PAGE.format(machine=machine, points=count * options.rounds,
        table=table(("function", "float64", "at", "float32", "at"), rows))  # fmt: skip
    print(text)
    if options.write:
        Path(options.write).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
