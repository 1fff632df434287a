"""Elementary functions as straight-line C, which compilers vectorise in the loop that calls them.

A libm is called one number at a time; and what glibc has for vectors (libmvec) is off by up to 4 ulp, is there on
one platform alone, and gives a number one value in the body of a loop and another in its rest: a maximum, computed
again, would not be equal to itself.  These give every number the same bits wherever it stands.  ``docs/accuracy.md``
says how far they are off.

The reductions and their error terms are the textbook ones (Muller, Elementary Functions, chapters 5 and 11; the
logarithm's s = f / (2 + f) is Tang's); polynomials are Remez's, made by ``tests/minimax.py``.  All rest on fma: where
that is not one instruction, each name is libm's.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from wengert.ir.types import SHORT_NAMES

__all__ = ["FUNCTIONS", "TURNING", "Elementary"]

#: Up to here sin, cos and tan are these; beyond, n pi/2 would need more of pi's digits.
LARGEST = "0x1p40"
TURNING = {"sin", "cos", "tan"}

_PARTS = {
    "bits": """\
static inline uint64_t bits_f64(double x)
{
    uint64_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}
""",
    "from_bits": """\
static inline double from_bits_f64(uint64_t u)
{
    double x;
    memcpy(&x, &u, sizeof x);
    return x;
}
""",
    "pick": """\
/* c ? a : b, as bits: of several ?: GCC makes branches, and then no vectors. */
static inline double pick_f64(bool c, double a, double b)
{
    const uint64_t m = -(uint64_t)c;
    return from_bits_f64((bits_f64(a) & m) | (bits_f64(b) & ~m));
}
""",
    "whole": """\
/* The nearest whole number, up to 2^51: what is left of the fraction once 1.5 * 2^52 has been added. */
static inline double whole_f64(double x)
{
    return (x + 0x1.8p52) - 0x1.8p52;
}
""",
    "two_to": """\
/* 2^n for a whole n from -1022 to 1023: the low bits of the sum are n + 1023. */
static inline double two_to_f64(double n)
{
    return from_bits_f64(bits_f64(n + (0x1.8p52 + 1023)) << 52);
}
""",
    "scaled": """\
/* x 2^n in two steps: neither overflows before the result does, and a subnormal result is rounded once. */
static inline double scaled_f64(double x, double n)
{
    const double half = whole_f64(0.5 * n);
    return x * two_to_f64(half) * two_to_f64(n - half);
}
""",
    "exp_tail": """\
/* (exp(r) - 1 - r) / r^2 where |r| <= log(2) / 2, to 2^-55. */
static inline double exp_tail_f64(double r)
{
    const double r2 = r * r, r4 = r2 * r2;
    const double a = fma(0x1.555555555555cp-3, r, 0x1.0000000000004p-1);
    const double b = fma(0x1.111111110e92fp-7, r, 0x1.55555555525b4p-5);
    const double c = fma(0x1.a01a01b51a6efp-13, r, 0x1.6c16c17e3ed89p-10);
    const double d = fma(0x1.71ddeb91462cap-19, r, 0x1.a019a8fddd50dp-16);
    const double e = fma(0x1.af745fb0ec8a5p-26, r, 0x1.28a085d32f5a8p-22);
    return fma(r4, fma(r4, e, fma(r2, d, c)), fma(r2, b, a));
}
""",
    "expm1_parts": """\
/* exp(x) = 2^n (1 + high + low), with |high| < 0.42. */
static inline double expm1_parts_f64(double x, double *high, double *low)
{
    const double n = whole_f64(x * 0x1.71547652b82fep+0), y = fma(-n, 0x1.62e42fefa39efp-1, x);
    const double r = fma(-n, 0x1.abc9e3b39803fp-56, y), rest = fma(-n, 0x1.abc9e3b39803fp-56, y - r);
    const double q = fma(r * r, exp_tail_f64(r), rest);
    *high = r + q;
    *low = (r - *high) + q;
    return n;
}
""",
    "log_tail": """\
/* (log((1 + s) / (1 - s)) - 2 s) / s^3 of z = s^2 where |s| <= 0.1716, to 2^-58. */
static inline double log_tail_f64(double z)
{
    const double z2 = z * z, z4 = z2 * z2;
    const double a = fma(0x1.9999999988a1dp-2, z, 0x1.5555555555572p-1);
    const double b = fma(0x1.c71c56eda3681p-3, z, 0x1.2492493b3673ep-2);
    const double c = fma(0x1.39b7a0d35712cp-3, z, 0x1.74655454878eap-3);
    return fma(z4, fma(z2, 0x1.2e36d841827d2p-3, c), fma(z2, b, a));
}
""",
    "log_split": """\
/* x > 0, not subnormal, is 2^k (1 + f), with 1 + f between sqrt(1/2) and sqrt(2). */
static inline double log_split_f64(double x, double *f)
{
    const uint64_t e = (bits_f64(x) + UINT64_C(0x00095f619980c433)) >> 52;
    *f = from_bits_f64(bits_f64(x) - (e << 52) + UINT64_C(0x3ff0000000000000)) - 1;
    return from_bits_f64(e | UINT64_C(0x4330000000000000)) - (0x1p52 + 1023);
}
""",
    "log_parts": """\
/* x = 2^k exp(high + low), for log2 and log10: high may be multiplied before the rest is added. */
static inline double log_parts_f64(double x, double *high, double *low)
{
    double f;
    const bool tiny = x < 0x1p-1022;
    const double k = log_split_f64(tiny ? x * 0x1p54 : x, &f) - (tiny ? 54 : 0);
    const double s = f / (2 + f), z = s * s, square = f * f, rest = fma(f, f, -square);
    *high = f - 0.5 * square;
    *low = ((f - *high) - 0.5 * square) - fma(0.5, rest, -s * fma(z, log_tail_f64(z), 0.5 * square));
    return k;
}
""",
    "log_ends": """\
/* What a logarithm is at 0, below, at infinity and at NaN, and v elsewhere. */
static inline double log_ends_f64(double x, double v)
{
    return pick_f64(x < 0, NAN, pick_f64(x == 0, -INFINITY, pick_f64(x < INFINITY, v, x)));
}
""",
    "turned": """\
/* x = n pi/2 + r + l with |r| <= pi/4; n pi/2 in three parts, the error of each subtraction kept. */
static inline uint64_t turned_f64(double x, double *r, double *l)
{
    const double t = fma(x, 0x1.45f306dc9c883p-1, 0x1.8p52), n = t - 0x1.8p52;
    const double a = fma(-n, 0x1.921fb54442d18p+0, x), p = n * 0x1.1a62633145c07p-54, s = a - p, b = s - a;
    const double rest = fma(n, -0x1.f1976b7ed8fbcp-110, fma(n, 0x1.1a62633145c07p-54, -p));
    *r = s;
    *l = ((a - (s - b)) - (p + b)) - rest;
    return bits_f64(t);
}
""",
    "sin_tail": """\
/* sin(r + l) - r. */
static inline double sin_tail_f64(double r, double l)
{
    const double z = r * r, z2 = z * z;
    const double a = fma(0x1.111111110f64dp-7, z, -0x1.5555555555548p-3);
    const double b = fma(0x1.71de3532cb591p-19, z, -0x1.a01a019bc66b4p-13);
    const double c = fma(0x1.5d8211150bb10p-33, z, -0x1.ae5e2ddb734b2p-26);
    return fma(r * z, fma(z2, fma(z2, c, b), a), fma(-0.5 * z, l, l));
}
""",
    "cos_tail": """\
/* cos(r + l) - w where w is 1 - r^2 / 2, rounded. */
static inline double cos_tail_f64(double r, double l, double w)
{
    const double z = r * r, z2 = z * z;
    const double a = fma(-0x1.6c16c16c15253p-10, z, 0x1.555555555554cp-5);
    const double b = fma(-0x1.27e4f804f487ep-22, z, 0x1.a01a019cb6d98p-16);
    const double c = fma(-0x1.8fa86bd071c03p-37, z, 0x1.1ee9e3d2aa065p-29);
    return fma(z2, fma(z2, fma(z2, c, b), a), -r * l) + ((1 - w) - 0.5 * z);
}
""",
    "quarter": """\
/* sin(r + l + q pi/2). */
static inline double quarter_f64(uint64_t q, double r, double l)
{
    const double w = 1 - 0.5 * (r * r), s = r + sin_tail_f64(r, l), c = w + cos_tail_f64(r, l, w);
    const double v = q & 1 ? c : s;
    return from_bits_f64(bits_f64(v) ^ (q & 2) << 62);
}
""",
    "atan_tail": """\
/* (atan(t) - t) / t^3 of z = t^2 where |t| <= tan(pi/8). */
static inline double atan_tail_f64(double z)
{
    const double z2 = z * z, z4 = z2 * z2;
    const double a = fma(0x1.99999999962b2p-3, z, -0x1.5555555555543p-2);
    const double b = fma(0x1.c71c70f7a7800p-4, z, -0x1.24924922e26f2p-3);
    const double c = fma(0x1.3b11340596604p-4, z, -0x1.745cfa93a2abap-4);
    const double d = fma(0x1.df1d3ee0caea6p-5, z, -0x1.10ecc91c28a24p-4);
    const double e = fma(0x1.385947b6d6240p-5, z, -0x1.9d0ba9afee895p-5);
    return fma(z4, fma(z4, fma(z2, -0x1.2671d2e0648c8p-6, e), fma(z2, d, c)), fma(z2, b, a));
}
""",
    "asin_parts": """\
/* asin(|x|) is s + l up to 1/2; above, s + l is half of what it lacks to pi/2.
   The tail is (asin(s) - s) / s^3, to 2^-56. */
static inline bool asin_parts_f64(double x, double *s, double *l)
{
    const double y = fabs(x);
    const bool big = y > 0.5;
    const double z = big ? 0.5 * (1 - y) : y * y, root = sqrt(z);
    const double z2 = z * z, z4 = z2 * z2;
    const double a = fma(0x1.3333333367490p-4, z, 0x1.55555555553e6p-3);
    const double b = fma(0x1.f1c72b43c1a51p-6, z, 0x1.6db6db461e3b1p-5);
    const double c = fma(0x1.1c6ae7ce5ca66p-6, z, 0x1.6e8a078ed7949p-6);
    const double d = fma(0x1.8e61a7a5c292cp-7, z, 0x1.c70e8f3d29d2fp-7);
    const double e = fma(0x1.3e27bdf4c2660p-6, z, 0x1.aebd73efb63eep-8);
    const double f = fma(0x1.04a19ea2308c6p-5, z, -0x1.07452c4782240p-6);
    const double tail = fma(z4, fma(z4, fma(z2, f, e), fma(z2, d, c)), fma(z2, b, a));
    *s = big ? root : y;
    *l = fma(*s * z, tail, big && root > 0 ? fma(-root, root, z) / (2 * root) : 0);
    return big;
}
""",
}

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
    double p, l;
    const double n = expm1_parts_f64(fabs(x) > 20.0 ? 40.0 : 2 * fabs(x), &p, &l), i = two_to_f64(-n), j = 2 * i;
    const double a = 1 - i, u = a + p, low = ((a - u) + p) + l;
    const double big = j > u ? j : u, small = j > u ? u : j, d = big + small, e = ((big - d) + small) + low;
    const double w = 1 / d, v = u * w;
    return copysign(fma(fma(-v, d, u) + fma(-v, e, low), w, v), x);
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
}

_HEAD = """\
/* Functions that compilers can vectorise, where fma is one instruction and a * b + c is not made one unasked.
   Elsewhere the names are libm's. */
#if defined __STRICT_ANSI__ && (defined __FMA__ || defined __aarch64__ || defined FP_FAST_FMA)
"""
_SINGLE = """\
static inline float {name}_f32(float x)
{{
    return (float){name}_f64(x);
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
        self.parts: dict[str, str] = {}
        self.doubles: dict[str, None] = {}
        self.others: dict[str, str] = {}

    def need(self, name: str, dtype: np.dtype[Any]) -> str:
        """The C name of a function for a dtype, which is from now on part of the program."""
        self.doubles[name] = None
        self._part(name, FUNCTIONS[name])
        if dtype == np.float32:
            self.others[name] = _SINGLE.format(name=name)
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
        libm = "".join(f"#define {name}_f64 {name}\n" for name in self.doubles)
        lines = (_HEAD, *self.parts.values(), "#else\n", libm, "#endif\n", *self.others.values())
        return "".join(lines)

    def _part(self, name: str, text: str) -> None:
        if name in self.parts:
            return
        for called in dict.fromkeys(_CALLED.findall(text)):
            if called != name:
                self._part(called, _PARTS[called])
        self.parts[name] = text

    def _other(self, key: str, template: str, name: str, dtype: np.dtype[Any]) -> str:
        short, single = SHORT_NAMES[dtype], dtype == np.float32
        function = f"{key}_{short}"
        values = {"name": name, "short": short, "largest": LARGEST, "f": "f" if single else ""}
        self.others[function] = template.format(c="float" if single else "double", **values)
        return function
