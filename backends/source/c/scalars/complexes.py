"""Helper functions of complex numbers, and which function of <complex.h> each libm name is.

Templates as in ``helpers``; besides, ``R`` stands for the real type.  C's own ``*`` and ``/`` recover infinities
(Annex G), which NumPy's do not; and C99 has no way but these to put a number together from an infinity or -0.0.
"""

from __future__ import annotations

__all__ = ["FIRST", "HELPERS", "LIBM", "OURS"]

#: libm names that <complex.h> has with a c in front.
LIBM = {
    "sqrt", "exp", "log", "sin", "cos", "tan", "asin", "acos", "atan",
    "sinh", "cosh", "tanh", "asinh", "acosh", "atanh",
}  # fmt: skip

_CPLX = """\
/* x + iy. */
static inline T cplx_S(R x, R y)
{
    const R parts[2] = {x, y};
    T z;
    memcpy(&z, parts, sizeof z);
    return z;
}
"""
_MUL = """\
/* The plain formula. */
static inline T mul_S(T x, T y)
{
    const R a = crealF(x), b = cimagF(x), c = crealF(y), d = cimagF(y);
    return cplx_S(a * c - b * d, a * d + b * c);
}
"""
_DIV = """\
/* Smith's method: the larger part of y divides the smaller. */
static inline T div_S(T x, T y)
{
    const R a = crealF(x), b = cimagF(x), c = crealF(y), d = cimagF(y);
    if (c == 0 && d == 0) return cplx_S(a / fabsF(c), b / fabsF(c));
    if (fabsF(c) >= fabsF(d)) {
        const R ratio = d / c, scale = 1 / (c + d * ratio);
        return cplx_S((a + b * ratio) * scale, (b - a * ratio) * scale);
    }
    const R ratio = c / d, scale = 1 / (d + c * ratio);
    return cplx_S((a * ratio + b) * scale, (b * ratio - a) * scale);
}
"""
_POWER = """\
/* Small whole powers are products; 0 is 0 to what has a positive real part, else NaN. */
static T power_S(T x, T y)
{
    const R c = crealF(y), d = cimagF(y);
    if (c == 0 && d == 0) return 1;
    if (x == 0) return c > 0 ? cplx_S(0, 0) : cplx_S(NAN, NAN);
    if (d != 0 || !(fabsF(c) < 100) || c != floorF(c)) return cpowF(x, y);
    if (c == 1) return x;
    if (c == 2) return mul_S(x, x);
    if (c == 3) return mul_S(x, mul_S(x, x));
    T product = 1, square = x;
    for (int n = (int)fabsF(c); n;) {
        if (n & 1) product = mul_S(product, square);
        if (n >>= 1) square = mul_S(square, square);
    }
    return c < 0 ? div_S(1, product) : product;
}
"""
_LESS = """\
/* By real parts, equal ones by imaginary parts; false where one is NaN. */
static inline bool less_S(T x, T y)
{
    const R a = crealF(x), b = cimagF(x), c = crealF(y), d = cimagF(y);
    return (a < c && b == b && d == d) || (a == c && b < d);
}
"""
_LESS_EQUAL = """\
/* By real parts, equal ones by imaginary parts; false where one is NaN. */
static inline bool less_equal_S(T x, T y)
{
    const R a = crealF(x), b = cimagF(x), c = crealF(y), d = cimagF(y);
    return (a < c && b == b && d == d) || (a == c && b <= d);
}
"""
_SCALE = """\
/* A partial times a cotangent: where either is exactly 0, so is the product, even against inf or NaN. */
static inline T scale_S(T p, T t)
{
    const T r = mul_S(p, t);
    return r != r && (p == 0 || t == 0) ? 0 : r;
}
"""
_NARROW = """\
/* Both parts to float and through memory, as for real numbers. */
static inline float complex narrow_S(T x)
{
    volatile float parts[2] = {(float)crealF(x), (float)cimagF(x)};
    return cplx_c64(parts[0], parts[1]);
}
"""


def _by_parts(name: str, why: str, *lines: str) -> str:
    body = "\n".join(f"    {line}" for line in lines)
    return f"/* {why} */\nstatic T {name}_S(T x)\n{{\n    const R a = crealF(x), b = cimagF(x);\n{body}\n}}\n"


HELPERS: dict[str, str] = {
    "cplx": _CPLX, "mul": _MUL, "div": _DIV, "power": _POWER, "less": _LESS, "less_equal": _LESS_EQUAL,
    "scale": _SCALE, "narrow": _NARROW,
    "rint": _by_parts("rint", "Part by part.", "return cplx_S(rintF(a), rintF(b));"),
    "exp2": _by_parts(
        "exp2", "exp(x log 2).", "return cexpF(cplx_S(a * (R)0.69314718055994530942, b * (R)0.69314718055994530942));"),
    "expm1": _by_parts(
        "expm1", "exp(a) cos(b) - 1 = expm1(a) cos(b) - 2 sin(b / 2)^2, without cancellation.",
        "const R half = sinF(b / 2);",
        "return cplx_S(expm1F(a) * cosF(b) - 2 * half * half, expF(a) * sinF(b));"),
    "log1p": _by_parts("log1p", "log(1 + x).", "return cplx_S(logF(hypotF(a + 1, b)), atan2F(b, a + 1));"),
    "log2": _by_parts(
        "log2", "log(x) / log(2).", "const T y = clogF(cplx_S(a, b));",
        "return cplx_S(crealF(y) * (R)1.44269504088896340736, cimagF(y) * (R)1.44269504088896340736);"),
    "log10": _by_parts(
        "log10", "log(x) / log(10).", "const T y = clogF(cplx_S(a, b));",
        "return cplx_S(crealF(y) * (R)0.43429448190325182765, cimagF(y) * (R)0.43429448190325182765);"),
}  # fmt: skip
#: libm names that are helpers of ours, as they are compositions of NumPy's.
OURS = {"rint", "exp2", "expm1", "log1p", "log2", "log10"}
#: What the text of a helper calls.
FIRST: dict[str, tuple[str, ...]] = {
    "mul": ("cplx",), "div": ("cplx",), "power": ("cplx", "mul", "div"), "scale": ("mul",),
    **dict.fromkeys(OURS, ("cplx",)),
}  # fmt: skip
