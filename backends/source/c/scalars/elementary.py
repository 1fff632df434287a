"""Elementary functions as straight-line C, which compilers vectorise in the loop that calls them.

A libm is called one number at a time; and what glibc has for vectors (libmvec) is off by up to 4 ulp, is there on
one platform alone, and gives a number one value in the body of a loop and another in its rest: a maximum, computed
again, would not be equal to itself.  These give every number the same bits wherever it stands.  ``docs/accuracy.md``
says how far they are off.

The reductions and their error terms are the textbook ones (Muller, Elementary Functions, chapters 5 and 11; the
logarithm's s = f / (2 + f) is Tang's).  All rest on fma: where that is not one instruction, each name is libm's.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from wengert.backends.source.c.scalars.parts import PARTS
from wengert.ir.types import SHORT_NAMES

__all__ = ["FUNCTIONS", "OF_TWO", "TURNING", "Elementary"]

#: Up to here sin, cos and tan are these; beyond, n pi/2 would need more of pi's digits.
LARGEST = "0x1p40"
TURNING = {"sin", "cos", "tan"}
OF_TWO = {"pow"}

FUNCTIONS = {
    "exp": """\
static inline double exp_f64(double x)
{
    const double y = pick_f64(x > 710.0, 710.0, pick_f64(x < -746.0, -746.0, x));
    const double n = whole_f64(y * 0x1.71547652b82fep+0);
    const double r = fma(-n, 0x1.abc9e3b39803fp-56, fma(-n, 0x1.62e42fefa39efp-1, y));
    return scaled_f64(1 + fma(r * r, exp_tail_f64(r), r), n);
}
""",
    "exp2": """\
static inline double exp2_f64(double x)
{
    const double y = pick_f64(x > 1024.0, 1024.0, pick_f64(x < -1076.0, -1076.0, x)), n = whole_f64(y), f = y - n;
    const double r = f * 0x1.62e42fefa39efp-1, l = fma(f, 0x1.abc9e3b39803fp-56, fma(f, 0x1.62e42fefa39efp-1, -r));
    return scaled_f64(1 + (r + fma(r * r, exp_tail_f64(r), l)), n);
}
""",
    "expm1": """\
/* 2^n ((1 - 2^-n) + p), with what the sum rounds off. */
static inline double expm1_f64(double x)
{
    double p, l;
    const double n = expm1_parts_f64(pick_f64(x > 710.0, 710.0, pick_f64(x < -40.0, -40.0, x)), &p, &l);
    const double a = 1 - two_to_f64(n > 64 ? -64 : -n), s = a + p;
    return pick_f64(x == 0, x, scaled_f64(s + (((a - s) + p) + l), n));
}
""",
    "log": """\
/* k log(2) + f - (f^2 / 2 - s (f^2 / 2 + R)), the first part of log(2) so short that k times it is exact. */
static inline double log_f64(double x)
{
    double f;
    const bool tiny = x < 0x1p-1022;
    const double k = log_split_f64(tiny ? x * 0x1p54 : x, &f) - (tiny ? 54 : 0);
    const double s = f / (2 + f), z = s * s, half = 0.5 * f * f;
    const double rest = fma(s, fma(z, log_tail_f64(z), half), k * 0x1.ef35793c76730p-45);
    return log_ends_f64(x, fma(k, 0x1.62e42fefa3800p-1, f - (half - rest)));
}
""",
    "log1p": """\
/* As log(u), u = 1 + x rounded, and c / u for what the rounding took. */
static inline double log1p_f64(double x)
{
    double f;
    const double u = 1 + x, c = x > 1 ? 1 - (u - x) : x - (u - 1), k = log_split_f64(u, &f);
    const double s = f / (2 + f), z = s * s, half = 0.5 * f * f;
    const double rest = fma(s, fma(z, log_tail_f64(z), half), k * 0x1.ef35793c76730p-45) + c / u;
    const double v = fma(k, 0x1.62e42fefa3800p-1, f - (half - rest));
    return pick_f64(x == 0, x, log_ends_f64(u, v));
}
""",
    "log2": """\
static inline double log2_f64(double x)
{
    double h, l;
    const double k = log_parts_f64(x, &h, &l), p = h * 0x1.71547652b82fep+0, s = k + p;
    const double rest = fma(h, 0x1.71547652b82fep+0, -p) + fma(l, 0x1.71547652b82fep+0, h * 0x1.777d0ffda0d24p-56);
    return log_ends_f64(x, s + (((k - s) + p) + rest));
}
""",
    "log10": """\
static inline double log10_f64(double x)
{
    double h, l;
    const double k = log_parts_f64(x, &h, &l), p = h * 0x1.bcb7b1526e50ep-2, a = k * 0x1.34413509f7800p-2, s = a + p;
    const double rest = fma(h, 0x1.bcb7b1526e50ep-2, -p) + fma(l, 0x1.bcb7b1526e50ep-2, h * 0x1.95355baaafad3p-57);
    return log_ends_f64(x, s + ((((a - s) + p) + k * 0x1.fef311f12b358p-46) + rest));
}
""",
    "sin": """\
static inline double sin_f64(double x)
{
    double r, l;
    const uint64_t q = turned_f64(x, &r, &l);
    const double v = quarter_f64(q, r, l);
    return pick_f64(x == 0, x, v);
}
""",
    "cos": """\
static inline double cos_f64(double x)
{
    double r, l;
    const uint64_t q = turned_f64(x, &r, &l);
    return quarter_f64(q + 1, r, l);
}
""",
    "tan": """\
/* (r + s) / (w + c), or minus its inverse; then once more with what the division left. */
static inline double tan_f64(double x)
{
    double r, l;
    const bool odd = turned_f64(x, &r, &l) & 1;
    const double w = 1 - 0.5 * (r * r), s = sin_tail_f64(r, l), c = cos_tail_f64(r, l, w);
    const double top = odd ? -w : r, more = odd ? -c : s, a = odd ? r : w, b = odd ? s : c;
    const double d = a + b, e = (a - d) + b, i = 1 / d, v = top * i;
    return pick_f64(x == 0, x, fma(fma(-v, d, top) + fma(-v, e, more), i, v));
}
""",
    "sinh": """\
/* With u = expm1(|x|), (u + u / (1 + u)) / 2. */
static inline double sinh_f64(double x)
{
    double p, l;
    const double y = fabs(x) > 712.0 ? 712.0 : fabs(x), n = expm1_parts_f64(y, &p, &l);
    const double i = two_to_f64(n > 64 ? -64 : -n), a = 1 - i, u = a + p, low = ((a - u) + p) + l;
    const double v = u + (fma(u, i / (1 + p), low) + low * i);
    return x != x ? x : copysign(scaled_f64(v, n - 1), x);
}
""",
    "cosh": """\
static inline double cosh_f64(double x)
{
    double p, l;
    const double y = fabs(x) > 712.0 ? 712.0 : fabs(x), n = expm1_parts_f64(y, &p, &l);
    const double i = two_to_f64(n > 64 ? -64 : -n), s = 1 + p;
    return scaled_f64(s + (fma(i, i / s, (1 - s) + p) + l), n - 1);
}
""",
    "tanh": """\
/* With u = expm1(2 |x|), u / (u + 2), both times 2^-n; then once more with what the division left. */
static inline double tanh_f64(double x)
{
    double p, l, i, q, k, d, e;
    tanh_parts_f64(x, &p, &l, &i, &q, &k, &d, &e);
    const double a = 1 - i, u = a + p, low = ((a - u) + p) + (((1 - a) - i) + l), w = 1 / d, v = u * w;
    return copysign(fma(fma(-v, d, u) + fma(-v, e, low), w, v), x);
}
""",
    "sech2": """\
/* 1 / cosh(x)^2 = 4 2^-n (q + k) / (d + e)^2, with what the inverse and its square round off. */
static inline double sech2_f64(double x)
{
    double p, l, i, q, k, d, e;
    const double n = tanh_parts_f64(x, &p, &l, &i, &q, &k, &d, &e), w = 1 / d, rest = fma(-w, d, 1) - w * e;
    const double m = w * w, more = fma(w, w, -m);
    return scaled_f64(4 * fma(q, m, fma(q, fma(2 * m, rest, more), k * m)), -n);
}
""",
    "asin": """\
static inline double asin_f64(double x)
{
    double s, l;
    const bool big = asin_parts_f64(x, &s, &l);
    const double a = 0x1.921fb54442d18p+0 - 2 * s, b = (0x1.921fb54442d18p+0 - a) - 2 * s;
    return copysign(big ? a + (b - (2 * l - 0x1.1a62633145c07p-54)) : s + l, x);
}
""",
    "acos": """\
static inline double acos_f64(double x)
{
    double s, l;
    const bool big = asin_parts_f64(x, &s, &l);
    const double y = x < 0 ? -s : s, more = x < 0 ? -l : l, a = 0x1.921fb54442d18p+0 - y;
    const double near = a + (((0x1.921fb54442d18p+0 - a) - y) - (more - 0x1.1a62633145c07p-54));
    const double b = 0x1.921fb54442d18p+0 - s, rest = (0x1.921fb54442d18p+0 - b) - s;
    const double far = b + (rest - (l - 0x1.1a62633145c07p-54));
    return !big ? near : x < 0 ? 2 * far : 2 * (s + l);
}
""",
    "atan": """\
/* atan(c) + atan((y - c) / (1 + c y)) with c = 0, 1 or infinity. */
static inline double atan_f64(double x)
{
    const double y = fabs(x);
    const bool far = y > 0x1.3504f333f9de6p+1, near = y <= 0x1.a827999fcef32p-2;
    const double top = near ? y : far ? -1 : y - 1, below = near ? 1 : far ? y : y + 1;
    const double base = near ? 0 : far ? 0x1.921fb54442d18p+0 : 0x1.921fb54442d18p-1;
    const double low = near ? 0 : far ? 0x1.1a62633145c07p-54 : 0x1.1a62633145c07p-55;
    const double i = 1 / below, t = top * i, rest = y < INFINITY ? fma(-t, below, top) * i : 0, z = t * t;
    const double s = base + t, l = ((base - s) + t) + (low + fma(t * z, atan_tail_f64(z), rest));
    return copysign(s + l, x);
}
""",
    "pow": """\
/* exp(y log|x|) from both parts of the logarithm, and the ends of C99's table. */
static inline double pow_f64(double x, double y)
{
    double low;
    const double a = fabs(x), l = log_exact_f64(a, &low), p = y * l, rest = fma(y, low, fma(y, l, -p));
    const double q = pick_f64(p > 710.0, 710.0, pick_f64(p < -746.0, -746.0, p));
    const double n = whole_f64(q * 0x1.71547652b82fep+0);
    const double b = fma(-n, 0x1.abc9e3b39803fp-56, pick_f64(p == q, rest, 0)), c = fma(-n, 0x1.62e42fefa39efp-1, q);
    const double r = c + b, t = fma(r * r, exp_tail_f64(r), (c - r) + b), h = r + t, s = 1 + h;
    const double plain = scaled_f64(s + (((1 - s) + h) + ((r - h) + t)), n);
    const double nothing = pick_f64(y < 0, INFINITY, 0), endless = pick_f64(y < 0, 0, INFINITY);
    const double ends = pick_f64(a == 0, nothing, pick_f64(a == INFINITY, endless, pick_f64(a == 1, 1, plain)));
    const uint64_t whole = where_f64(floor(y) == y), odd = whole & where_f64(floor(0.5 * y) != 0.5 * y);
    const uint64_t none = (where_f64(x < 0) & where_f64(a < INFINITY) & ~whole) | where_f64(x != x) | where_f64(y != y);
    const uint64_t one = where_f64(y == 0) | where_f64(x == 1), sign = bits_f64(x) & odd & UINT64_C(1) << 63;
    return from_bits_f64((bits_f64(1) & one) | ((bits_f64(ends) | sign | none) & ~one));
}
""",
}

#: A function that is called stands in the way of vectors, and compilers do not inline a long one unasked.
_HEAD = """\
#ifdef __GNUC__
#define INLINED inline __attribute__((always_inline))
#else
#define INLINED inline
#endif
/* Functions that compilers can vectorise, where fma is one instruction and a * b + c is not made one unasked.
   Elsewhere the names are libm's. */
#if defined __STRICT_ANSI__ && (defined __FMA__ || defined __aarch64__ || defined FP_FAST_FMA)
"""
#: What is not libm's.
_WITHOUT = {
    "sech2": """\
static inline double sech2_f64(double x)
{
    const double i = 1 / cosh(x);
    return i * i;
}
"""
}
_SINGLE = """\
static inline float {name}_f32({taken})
{{
    return (float){name}_f64({given});
}}
"""
_ANY = """\
/* {name}(x), however large x is. */
static {c} any_{name}_{short}({c} x)
{{
    return fabs{f}(x) <= {largest}{f} ? {name}_{short}(x) : {name}{f}(x);
}}
"""
_HUGE = """\
/* Whether {largest} does not bound x. */
static inline uint64_t huge_{short}({c} x)
{{
    return fabs{f}(x) > {largest}{f};
}}
"""
_CALLED = re.compile(r"\b(\w+)_f64\(")


class Elementary:
    """The functions of this file that a program needs."""

    def __init__(self) -> None:
        self.uses = 0
        self.parts: dict[str, str] = {}
        self.doubles: dict[str, None] = {}
        self.others: dict[str, str] = {}

    def need(self, name: str, dtype: np.dtype[Any]) -> str:
        """The C name of a function for a dtype, which is from now on part of the program."""
        self.doubles[name] = None
        self._part(name, FUNCTIONS[name])
        if dtype == np.float32:
            taken, given = ("float x, float y", "x, y") if name in OF_TWO else ("float x", "x")
            self.others[name] = _SINGLE.format(name=name, taken=taken, given=given)
        return f"{name}_{SHORT_NAMES[dtype]}"

    def any(self, name: str, dtype: np.dtype[Any]) -> str:
        """That of one which takes arguments that are too large for ``name``."""
        self.need(name, dtype)
        return self._other(f"any_{name}", _ANY, name, dtype)

    def huge(self, dtype: np.dtype[Any]) -> str:
        """That of one which tells such arguments."""
        return self._other("huge", _HUGE, "", dtype)

    def text(self) -> str:
        """Their definitions."""
        if not self.doubles:
            return "".join(self.others.values())
        libm = "".join(_WITHOUT.get(name, f"#define {name}_f64 {name}\n") for name in self.doubles)
        lines = (_HEAD, *self.parts.values(), "#else\n", libm, "#endif\n", *self.others.values())
        return "".join(lines).replace("static inline", "static INLINED")

    def _part(self, name: str, text: str) -> None:
        if name in self.parts:
            return
        for called in dict.fromkeys(_CALLED.findall(text)):
            if called != name:
                self._part(called, PARTS[called])
        self.parts[name] = text

    def _other(self, key: str, template: str, name: str, dtype: np.dtype[Any]) -> str:
        short, single = SHORT_NAMES[dtype], dtype == np.float32
        function = f"{key}_{short}"
        values = {"name": name, "short": short, "largest": LARGEST, "f": "f" if single else ""}
        self.others[function] = template.format(c="float" if single else "double", **values)
        return function
