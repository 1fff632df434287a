"""Small C functions that generated loops call, each written only where it is needed.

A text is a template: ``T`` stands for the C type, ``U`` for its unsigned type of at least 32 bits,
``S`` for the short name, ``F`` for the suffix of its libm functions.  Those of complex numbers are in ``complexes``.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from wengert.backends.source.c.products import matrices
from wengert.backends.source.c.scalars import complexes
from wengert.backends.source.c.scalars.elementary import Elementary
from wengert.ir.types import SHORT_NAMES

__all__ = ["BLOCK", "BODIES", "SHORT", "Helpers"]

#: Elements of a loop whose terms are summed at once.
BLOCK = 512
#: Up to this many are summed without a tree.
SHORT = 128

_FLOORDIV_INT = """\
/* Rounds down, as NumPy does. C has no answer for a divisor 0 (here 0) nor MIN / -1 (here MIN). */
static T floordiv_S(T x, T y)
{
    if (y == 0) return 0;
    if (y == -1) return (T)(0u - (U)x);
    return (T)(x / y - (x % y != 0 && (x < 0) != (y < 0)));
}
"""
_MOD_INT = """\
/* The sign of y, as NumPy has it. C has no answer for a divisor 0 nor for MIN % -1 (here 0). */
static T mod_S(T x, T y)
{
    if (y == 0 || y == -1) return 0;
    T r = (T)(x % y);
    return (T)(r != 0 && (r < 0) != (y < 0) ? r + y : r);
}
"""
_FLOORDIV_UINT = """\
/* C has no answer for a divisor 0; NumPy's is 0. */
static T floordiv_S(T x, T y)
{
    return (T)(y == 0 ? 0 : x / y);
}
"""
_MOD_UINT = """\
/* C has no answer for a divisor 0; NumPy's is 0. */
static T mod_S(T x, T y)
{
    return (T)(y == 0 ? 0 : x % y);
}
"""
_FLOORDIV_FLOAT = """\
/* floor(x / y) without the error of rounding x / y up to an integer first. */
static T floordiv_S(T x, T y)
{
    T r = fmodF(x, y);
    if (y == 0) return x / y;
    T q = (x - r) / y;
    if (r != 0 && (y < 0) != (r < 0)) q -= 1;
    if (q == 0) return copysignF(0, x / y);
    T whole = floorF(q);
    return q - whole > (T)0.5 ? whole + 1 : whole;
}
"""
_MOD_FLOAT = """\
/* The sign of y, also where the result is 0. */
static T mod_S(T x, T y)
{
    T r = fmodF(x, y);
    if (y == 0) return r;
    if (r == 0) return copysignF(0, y);
    return (y < 0) != (r < 0) ? r + y : r;
}
"""
_POWER = """\
/* By squaring, wrapping; y >= 0. */
static T power_S(T x, T y)
{
    U base = (U)x, product = 1;
    for (; y > 0; y >>= 1) {
        if (y & 1) product *= base;
        base *= base;
    }
    return (T)product;
}
"""
_SHIFT_LEFT = """\
/* In C a shift by the width or more is undefined; bits shifted out are lost. */
static T shift_left_S(T x, T y)
{
    return (T)((uint64_t)y < 8 * sizeof(T) ? (U)x << y : 0);
}
"""
_SHIFT_RIGHT = """\
/* In C a shift by the width or more is undefined; here only the sign is left. */
static T shift_right_S(T x, T y)
{
    return (T)((uint64_t)y < 8 * sizeof(T) ? x >> y : -(x < 0));
}
"""
_SHIFT_RIGHT_UINT = """\
/* In C a shift by the width or more is undefined; here nothing is left. */
static T shift_right_S(T x, T y)
{
    return (T)((uint64_t)y < 8 * sizeof(T) ? x >> y : 0);
}
"""
_TO_I64 = """\
/* Where C has no answer (NaN, out of range) this is what NumPy has on x86-64. */
static int64_t to_i64_S(T x)
{
    return x >= -9223372036854775808.0F && x < 9223372036854775808.0F ? (int64_t)x : INT64_MIN;
}
"""
_TO_I32 = """\
/* Where C has no answer (NaN, out of range) this is what NumPy has on x86-64. */
static int32_t to_i32_S(T x)
{
    return (double)x > -2147483649.0 && (double)x < 2147483648.0 ? (int32_t)x : INT32_MIN;
}
"""
_TO_U64 = """\
/* Where C has no answer (NaN, negative, out of range) this is what NumPy has on x86-64. */
static uint64_t to_u64_S(T x)
{
    if (!(x >= 9223372036854775808.0F)) return (uint64_t)to_i64_S(x);
    return (uint64_t)to_i64_S(x - 9223372036854775808.0F) ^ UINT64_C(0x8000000000000000);
}
"""
_TO_NARROW = """\
/* By way of {wide}, as NumPy does. */
static {c} to_{short}_S(T x)
{{
    return ({c})to_{wide}_S(x);
}}
"""
_NARROW = """\
/* To float and through memory: GCC 12 at -O3 may take (double)(float)x for x, and so not round. */
static inline float narrow_S(T x)
{
    volatile float y = (float)x;
    return y;
}
"""
_SCALE = """\
/* A partial times a cotangent: where either is exactly 0, so is the product, even against inf or NaN. */
static inline T scale_S(T p, T t)
{
    const T r = p * t;
    return r != r && (p == 0 || t == 0) ? 0 : r;
}
"""
_HAS_NAN = """\
static bool has_nan_S(const T *x, ptrdiff_t n)
{
    T nan = 0;  /* a number, as compilers vectorise the loop best then */
    for (ptrdiff_t i = 0; i < n; ++i) nan = x[i] != x[i] ? 1 : nan;
    return nan != 0;
}
"""
_HALVES = """\
/* The sum of m numbers, a power of two up to 64: one half onto the other, again and again. */
static inline T halves_S(T *r, ptrdiff_t m)
{
    if (m == 64) for (ptrdiff_t k = 0; k < 32; ++k) r[k] += r[k + 32];
    if (m >= 32) for (ptrdiff_t k = 0; k < 16; ++k) r[k] += r[k + 16];
    if (m >= 16) for (ptrdiff_t k = 0; k < 8; ++k) r[k] += r[k + 8];
    if (m >= 8) for (ptrdiff_t k = 0; k < 4; ++k) r[k] += r[k + 4];
    if (m >= 4) for (ptrdiff_t k = 0; k < 2; ++k) r[k] += r[k + 2];
    return m >= 2 ? r[0] + r[1] : r[0];
}
"""
_BLOCK_SUM = """\
/* The sum of at most 512 numbers: in 64 lanes, which are added in pairs. It starts from 0: a sum of -0.0 is 0.0. */
static inline T block_sum_S(const T *x, ptrdiff_t n, ptrdiff_t step)
{
    if (n <= 0) return 0;
    T r[64];
    const ptrdiff_t m = n >= 64 ? 64 : n >= 32 ? 32 : n >= 16 ? 16 : n >= 8 ? 8 : n >= 4 ? 4 : n >= 2 ? 2 : 1;
    for (ptrdiff_t k = 0; k < m; ++k) r[k] = x[k * step];
    ptrdiff_t i = m;
    for (; i + 64 <= n; i += 64)
        for (ptrdiff_t k = 0; k < 64; ++k) r[k] += x[(i + k) * step];
    for (ptrdiff_t k = 0; k < n - i; ++k) r[k] += x[(i + k) * step];
    return (T)0 + halves_S(r, m);
}
"""
_PAIRWISE = """\
/* Pairwise, so that the error grows with log n. */
static T pairwise_S(const T *x, ptrdiff_t n, ptrdiff_t step)
{
    if (n <= 512) return block_sum_S(x, n, step);
    ptrdiff_t half = n / 2 - n / 2 % 64;
    return pairwise_S(x, half, step) + pairwise_S(x + half * step, n - half, step);
}
"""
_EXTREME = """\
/* The {word} in 32 lanes. NaN wins, and stays: nothing is {sign} it. */
static inline T {name}_S(const T *x, ptrdiff_t n, ptrdiff_t step)
{{
    T r[32];
    ptrdiff_t i = 0;
    if (n >= 32) {{
        for (ptrdiff_t k = 0; k < 32; ++k) r[k] = x[k * step];
        for (i = 32; i + 32 <= n; i += 32)
            for (ptrdiff_t k = 0; k < 32; ++k) {{
                const T v = x[(i + k) * step];
                r[k] = (v {sign} r[k]) | (v != v) ? v : r[k];
            }}
        for (ptrdiff_t k = 0; k < 16; ++k) r[k] = (r[k + 16] {sign} r[k]) | (r[k + 16] != r[k + 16]) ? r[k + 16] : r[k];
        for (ptrdiff_t k = 1; k < 16; ++k) r[0] = (r[k] {sign} r[0]) | (r[k] != r[k]) ? r[k] : r[0];
    }} else
        r[0] = x[0];
    for (; i < n; ++i) {{
        const T v = x[i * step];
        r[0] = (v {sign} r[0]) | (v != v) ? v : r[0];
    }}
    return r[0];
}}
"""
_PUSH = """\
/* Adds the sum of one more block to a tree of partial sums: level k holds 2^k blocks. */
static void push_S(T *level, uint64_t count, T sum)
{
    int k = 0;
    for (; count & 1; count >>= 1) sum = level[k++] + sum;
    level[k] = sum;
}

/* The sum of all levels in use, the smallest first. */
static T total_S(const T *level, uint64_t count)
{
    T sum = 0;
    for (int k = 0; count; count >>= 1, ++k)
        if (count & 1) sum = level[k] + sum;
    return sum;
}
"""
_BY_KIND = {
    "floordiv": {"i": _FLOORDIV_INT, "u": _FLOORDIV_UINT, "f": _FLOORDIV_FLOAT},
    "mod": {"i": _MOD_INT, "u": _MOD_UINT, "f": _MOD_FLOAT},
    "power": {"i": _POWER, "u": _POWER},
    "shift_left": {"i": _SHIFT_LEFT, "u": _SHIFT_LEFT},
    "shift_right": {"i": _SHIFT_RIGHT, "u": _SHIFT_RIGHT_UINT},
    "to_i64": {"f": _TO_I64},
    "to_i32": {"f": _TO_I32},
    "to_u64": {"f": _TO_U64},
    "narrow": {"f": _NARROW},
    "scale": {"f": _SCALE},
    "has_nan": {"f": _HAS_NAN},
    "halves": {"f": _HALVES},
    "block_sum": {"f": _BLOCK_SUM},
    "pairwise": {"f": _PAIRWISE},
    "push": {"f": _PUSH},
    "largest": {"f": _EXTREME.format(name="largest", word="largest", sign=">")},
    "smallest": {"f": _EXTREME.format(name="smallest", word="smallest", sign="<")},
    **{name: {"f": text} for name, text in matrices.HELPERS.items()},
    **{
        f"to_{short}": {"f": _TO_NARROW.format(short=short, c=c, wide=wide)}
        for short, c, wide in (
            ("i8", "int8_t", "i32"), ("i16", "int16_t", "i32"), ("u8", "uint8_t", "i32"),
            ("u16", "uint16_t", "i32"), ("u32", "uint32_t", "i64"),
        )
    },
}  # fmt: skip
_FIRST = {
    "block_sum": "halves", "pairwise": "block_sum", "push": "block_sum", "to_u64": "to_i64",
    "to_i8": "to_i32", "to_i16": "to_i32", "to_u8": "to_i32", "to_u16": "to_i32",
    "to_u32": "to_i64",
    **matrices.FIRST,
}  # fmt: skip


#: Ops whose body is written as a function: as statements in a loop compilers do not vectorise it where
#: one operand does not change.
BODIES = {"scale"}


class Helpers:
    """The helper functions a program needs, in the order of their definition.

    ``hosted`` says that it runs in this process, and may be handed addresses; ``alone``, that it is for its own sizes
    only, not the text of a family.
    """

    def __init__(self, *, hosted: bool = False, alone: bool = False) -> None:
        self.texts: dict[str, str] = {}
        self.hosted, self.alone = hosted, alone
        self.elementary = Elementary()

    def need(self, name: str, dtype: np.dtype[Any]) -> str:
        """The C name of a helper for a dtype, which is from now on part of the program."""
        short = SHORT_NAMES[dtype]
        function = f"{name}_{short}"
        if function not in self.texts:
            if name in _FIRST:
                self.need(_FIRST[name], dtype)
            if dtype.kind == "c":
                self._need_complex(name, dtype)
            else:
                self.texts[function] = _instance(_BY_KIND[name][dtype.kind], dtype)
        return function

    def write(self, name: str, dtype: np.dtype[Any], template: str) -> str:
        """A helper whose template is given: its C name."""
        function = f"{name}_{SHORT_NAMES[dtype]}"
        self.texts.setdefault(function, _instance(template, dtype))
        return function

    def _need_complex(self, name: str, dtype: np.dtype[Any]) -> None:
        for before in complexes.FIRST.get(name, ()):
            self.need(before, dtype)
        if name == "narrow":
            self.need("cplx", np.dtype(np.complex64))
        sums = {k: _BY_KIND[k]["f"] for k in ("halves", "block_sum", "pairwise", "push")}
        self.texts[f"{name}_{SHORT_NAMES[dtype]}"] = _instance((sums | complexes.HELPERS)[name], dtype)


def _instance(template: str, dtype: np.dtype[Any]) -> str:
    kind, width = dtype.kind, 8 * dtype.itemsize // (2 if dtype.kind == "c" else 1)
    real = "float" if width == 32 else "double"
    c_type = {
        "f": real,
        "c": f"{real} complex",
        "i": f"int{width}_t",
        "u": f"uint{width}_t",
    }[kind]
    unsigned = "uint64_t" if width == 64 else "uint32_t"
    suffix = "f" if width == 32 else ""
    text = re.sub(r"\bT\b", c_type, template)
    text = re.sub(r"\bU\b", unsigned, text)
    text = re.sub(r"\bR\b", real, text)
    text = re.sub(r"_S\b", f"_{SHORT_NAMES[dtype]}", text)
    text = re.sub(r"(\d\.\d)F", rf"\g<1>{suffix}", text)
    return re.sub(r"\b([a-z0-9]+)F\b", rf"\g<1>{suffix}", text)
