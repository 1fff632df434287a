"""What the elementary functions of generated C are put together from, by name; see ``elementary``.

Polynomials are Remez's, made by ``tests/minimax.py``.
"""

from __future__ import annotations

__all__ = ["PARTS"]

PARTS = {
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
    "where": """\
/* All bits where c, else none: of ?: and of bool GCC makes branches, and then no vectors. */
static inline uint64_t where_f64(bool c)
{
    return -(uint64_t)c;
}
""",
    "pick": """\
/* c ? a : b */
static inline double pick_f64(bool c, double a, double b)
{
    const uint64_t m = where_f64(c);
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
    "tanh_parts": """\
/* exp(2 |x|) = 2^n (1 + p + l) = 2^n (q + k), and 1 more than that is 2^n (d + e); i is 2^-n, as far as 1 notices. */
static inline double tanh_parts_f64(double x, double *p, double *l, double *i, double *q, double *k,
    double *d, double *e)
{
    const double n = expm1_parts_f64(fabs(x) > 374.0 ? 748.0 : 2 * fabs(x), p, l);
    *i = two_to_f64(n > 64 ? -64 : -n);
    *q = 1 + *p;
    *k = ((1 - *q) + *p) + *l;
    *d = *q + *i;
    *e = ((*q - *d) + *i) + *k;
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
    "log_exact": """\
/* log(x) = high + low, to 2^-66. The first terms, 2 s + 2/3 s^3, are sums of two numbers each. */
static inline double log_exact_f64(double x, double *low)
{
    double f;
    const bool tiny = x < 0x1p-1022;
    const double k = log_split_f64(tiny ? x * 0x1p54 : x, &f) - (tiny ? 54 : 0);
    const double d = 2 + f, more = f - (d - 2), i = 1 / d, s = f * i, rest = (fma(-s, d, f) - s * more) * i;
    const double z = s * s, z_low = fma(s, s, -z) + 2 * s * rest, z2 = z * z, z4 = z2 * z2;
    const double a = fma(0x1.2492492492491p-2, z, 0x1.999999999999ap-2);
    const double b = fma(0x1.745d174512169p-3, z, 0x1.c71c71c71cfecp-3);
    const double c = fma(0x1.1110df7d9195cp-3, z, 0x1.3b13b1bd1dc60p-3);
    const double e = fma(0x1.ac49532a46d90p-4, z, 0x1.e1f80955e34fep-4);
    const double t = z * fma(z4, fma(z4, 0x1.b8de7db5ff0cap-4, fma(z2, e, c)), fma(z2, b, a));
    const double u = 0x1.5555555555555p-1 + t, u_low = ((0x1.5555555555555p-1 - u) + t) + 0x1.5555555555555p-55;
    const double v = s * z, v_low = fma(s, z, -v) + fma(s, z_low, rest * z), w = v * u;
    const double w_low = fma(v, u, -w) + fma(v, u_low, v_low * u), m = 2 * s + w, n = k * 0x1.62e42fefa3800p-1;
    const double m_low = ((2 * s - m) + w) + (w_low + 2 * rest), high = n + m;
    *low = ((n - high) + m) + fma(k, 0x1.ef35793c76730p-45, m_low);
    return high;
}
""",
}
