"""Helper functions of matrix products: templates as in ``helpers``.

Vectors of the machine's width are spelled with GNU C's vector types (gcc, clang, zig); elsewhere one is a number.
"""

from __future__ import annotations

__all__ = ["FIRST", "HELPERS"]

#: What each is written after.
FIRST = {"matmul": "tile", "tile": "lanes", "dots": "dot"}

_LANES = """\
/* As many numbers as a register holds, wherever they lie in memory. */
#ifdef __GNUC__
typedef T lanes_S __attribute__((vector_size(__BIGGEST_ALIGNMENT__), aligned(sizeof(T)), may_alias));
#else
typedef T lanes_S;
#endif
enum { WIDE_S = sizeof(lanes_S) / sizeof(T) };
"""
_TILE = """\
/* ROWS rows of x times two vectors of columns of y, both packed: the sums stay in registers.
   A product and a sum may be rounded once (fused), as in every BLAS. */
enum { ROWS_S = sizeof(lanes_S) == 64 ? 8 : sizeof(lanes_S) == 32 ? 6 : 4, COLS_S = 2 * WIDE_S };
#if defined __GNUC__ && !defined __clang__
__attribute__((optimize("fp-contract=fast")))
#endif
static void tile_S(ptrdiff_t terms, const T *restrict x, const T *restrict y, T *restrict out)
{
#ifdef __clang__
#pragma clang fp contract(fast)
#endif
    lanes_S sum[ROWS_S][2];
    for (int r = 0; r < ROWS_S; ++r)
        for (int c = 0; c < 2; ++c) sum[r][c] = (lanes_S){0};
    for (ptrdiff_t k = 0; k < terms; ++k) {
        const lanes_S v = *(const lanes_S *)(y + k * COLS_S), w = *(const lanes_S *)(y + k * COLS_S + WIDE_S);
        for (int r = 0; r < ROWS_S; ++r) {
            sum[r][0] += x[k * ROWS_S + r] * v;
            sum[r][1] += x[k * ROWS_S + r] * w;
        }
    }
    for (int r = 0; r < ROWS_S; ++r)
        for (int c = 0; c < 2; ++c) *(lanes_S *)(out + r * COLS_S + c * WIDE_S) = sum[r][c];
}
"""
_MATMUL = """\
/* out += x y. A panel of y is packed, so that it stays in the cache, and ROWS rows of x at a time;
   what is missing in the last tile of a row or column counts as 0 and is not written. */
static void matmul_S(ptrdiff_t m, ptrdiff_t n, ptrdiff_t p,
                     const T *restrict x, ptrdiff_t xi, ptrdiff_t xk,
                     const T *restrict y, ptrdiff_t yk, ptrdiff_t yj,
                     T *restrict out, ptrdiff_t oi)
{
    enum { TERMS = 128, WIDTH = 64 };
    T panel[WIDTH * TERMS], rows[ROWS_S * TERMS], tile[ROWS_S * COLS_S];
    for (ptrdiff_t j0 = 0; j0 < n; j0 += WIDTH)
        for (ptrdiff_t k0 = 0; k0 < p; k0 += TERMS) {
            const ptrdiff_t width = n - j0 < WIDTH ? n - j0 : WIDTH, terms = p - k0 < TERMS ? p - k0 : TERMS;
            for (ptrdiff_t j = 0; j < width; j += COLS_S)
                for (ptrdiff_t k = 0; k < terms; ++k) {
                    const T *from = y + (k0 + k) * yk + (j0 + j) * yj;
                    T *to = panel + j * TERMS + k * COLS_S;
                    if (yj == 1 && j + COLS_S <= width)
                        memcpy(to, from, COLS_S * sizeof(T));
                    else
                        for (ptrdiff_t c = 0; c < COLS_S; ++c) to[c] = j + c < width ? from[c * yj] : 0;
                }
            for (ptrdiff_t i = 0; i < m; i += ROWS_S) {
                for (ptrdiff_t r = 0; r < ROWS_S; ++r)
                    for (ptrdiff_t k = 0; k < terms; ++k)
                        rows[k * ROWS_S + r] = i + r < m ? x[(i + r) * xi + (k0 + k) * xk] : 0;
                for (ptrdiff_t j = 0; j < width; j += COLS_S) {
                    tile_S(terms, rows, panel + j * TERMS, tile);
                    for (ptrdiff_t r = 0; r < ROWS_S && i + r < m; ++r) {
                        T *to = out + (i + r) * oi + j0 + j;
                        if (j + COLS_S <= width)
                            for (ptrdiff_t c = 0; c < COLS_S; ++c) to[c] += tile[r * COLS_S + c];
                        else
                            for (ptrdiff_t c = 0; j + c < width; ++c) to[c] += tile[r * COLS_S + c];
                    }
                }
            }
        }
}
"""
_DOT = """\
/* At most 32 bytes: wider ones gain nothing where two numbers are loaded for each product, and leave more over. */
#ifdef __GNUC__
typedef T strip_S __attribute__((
    vector_size(__BIGGEST_ALIGNMENT__ < 32 ? __BIGGEST_ALIGNMENT__ : 32), aligned(sizeof(T)), may_alias));
#else
typedef T strip_S;
#endif
enum { STRIP_S = sizeof(strip_S) / sizeof(T) };

/* The sum of a vector's numbers, by halves. */
static inline T folded_S(strip_S v)
{
    T x[STRIP_S];
    *(strip_S *)x = v;
    for (int n = STRIP_S / 2; n; n /= 2)
        for (int k = 0; k < n; ++k) x[k] += x[k + n];
    return x[0];
}

/* The sum of x[k] y[k] in four vectors of sums, and by halves where it is long. It starts from 0. */
static T dot_S(ptrdiff_t p, const T *x, const T *y)
{
    if (p > 4096) {
        const ptrdiff_t half = p / 2 - p / 2 % 64;
        return dot_S(half, x, y) + dot_S(p - half, x + half, y + half);
    }
    strip_S a = {0}, b = {0}, c = {0}, d = {0};
    ptrdiff_t k = 0;
    for (; k + 4 * STRIP_S <= p; k += 4 * STRIP_S) {
        a += *(const strip_S *)(x + k) * *(const strip_S *)(y + k);
        b += *(const strip_S *)(x + k + STRIP_S) * *(const strip_S *)(y + k + STRIP_S);
        c += *(const strip_S *)(x + k + 2 * STRIP_S) * *(const strip_S *)(y + k + 2 * STRIP_S);
        d += *(const strip_S *)(x + k + 3 * STRIP_S) * *(const strip_S *)(y + k + 3 * STRIP_S);
    }
    for (; k + STRIP_S <= p; k += STRIP_S) a += *(const strip_S *)(x + k) * *(const strip_S *)(y + k);
    T sum = folded_S((a + b) + (c + d));
    for (; k < p; ++k) sum += x[k] * y[k];
    return sum;
}
"""
_DOTS = """\
/* out[i] += the sum of x[i, k] y[k]: four rows at a time, in pieces of the length. */
static void dots_S(ptrdiff_t m, ptrdiff_t p, const T *restrict x, ptrdiff_t xi, const T *restrict y,
                   T *restrict out, ptrdiff_t oi)
{
    const ptrdiff_t fours = m - m % 4;
    for (ptrdiff_t i = 0; i < fours; i += 4)
        for (ptrdiff_t k0 = 0; k0 < p; k0 += 2048) {
            const ptrdiff_t end = k0 + 2048 < p ? k0 + 2048 : p;
            const T *const x0 = x + i * xi, *const x1 = x0 + xi, *const x2 = x1 + xi, *const x3 = x2 + xi;
            strip_S a = {0}, b = {0}, c = {0}, d = {0};
            ptrdiff_t k = k0;
            for (; k + STRIP_S <= end; k += STRIP_S) {
                const strip_S v = *(const strip_S *)(y + k);
                a += *(const strip_S *)(x0 + k) * v;
                b += *(const strip_S *)(x1 + k) * v;
                c += *(const strip_S *)(x2 + k) * v;
                d += *(const strip_S *)(x3 + k) * v;
            }
            T s0 = folded_S(a), s1 = folded_S(b), s2 = folded_S(c), s3 = folded_S(d);
            for (; k < end; ++k) {
                s0 += x0[k] * y[k];
                s1 += x1[k] * y[k];
                s2 += x2[k] * y[k];
                s3 += x3[k] * y[k];
            }
            out[i * oi] += s0;
            out[(i + 1) * oi] += s1;
            out[(i + 2) * oi] += s2;
            out[(i + 3) * oi] += s3;
        }
    for (ptrdiff_t i = fours; i < m; ++i) out[i * oi] += dot_S(p, x + i * xi, y);
}
"""
HELPERS = {"lanes": _LANES, "tile": _TILE, "matmul": _MATMUL, "dot": _DOT, "dots": _DOTS}
