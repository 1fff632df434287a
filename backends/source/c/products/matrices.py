"""Helper functions of matrix products: templates as in ``helpers``.

Vectors of the machine's width are spelled with GNU C's vector types (gcc, clang, zig); elsewhere one is a number.
"""

from __future__ import annotations

__all__ = ["FIRST", "HELPERS", "PACKED", "PRODUCT"]

#: What each is written after.
FIRST = {"slabs": "lanes", "gram": "lanes", "dots": "dot"}

_LANES = """\
/* As many numbers as a register holds, and half as many, wherever they lie in memory. */
#ifdef __GNUC__
#define INLINE static inline __attribute__((always_inline))
typedef T lanes_S __attribute__((vector_size(__BIGGEST_ALIGNMENT__), aligned(sizeof(T)), may_alias));
typedef T half_S __attribute__((vector_size(__BIGGEST_ALIGNMENT__ / 2), aligned(sizeof(T)), may_alias));
typedef U masks_S __attribute__((vector_size(__BIGGEST_ALIGNMENT__), aligned(sizeof(T)), may_alias));
#else
#define INLINE static inline
typedef T lanes_S, half_S;
typedef U masks_S;
#endif
#if defined __GNUC__ && !defined __clang__
#define FUSED __attribute__((optimize("fp-contract=fast")))
#else
#define FUSED
#endif
enum { WIDE_S = sizeof(lanes_S) / sizeof(T), HALF_S = sizeof(half_S) / sizeof(T) };
"""
_BLOCK = """\
/* Some rows of x, at most 6, times one or two vectors of columns of y, and what is to be added: the sums stay in
   registers. Of a vector that overlaps the one before, the first columns are done. A product and a sum may be rounded
   once (fused), as in every BLAS. */
FUSED INLINE void VECTOR_block_S(const int rows, const int vectors, const ptrdiff_t done, const ptrdiff_t terms,
                                 const T *restrict x, const ptrdiff_t xi, const ptrdiff_t xk,
                                 const T *restrict y, const ptrdiff_t yk,
                                 const T *before, const ptrdiff_t bi, T *out, const ptrdiff_t oi, const int add)
{
#ifdef __clang__
#pragma clang fp contract(fast)
#endif
    enum { N = sizeof(VECTOR_S) / sizeof(T) };
    VECTOR_S sum[6][2];
    for (int r = 0; r < rows; ++r)
        for (int c = 0; c < vectors; ++c) sum[r][c] = (VECTOR_S){0};
    for (ptrdiff_t k = 0; k < terms; ++k)
        for (int c = 0; c < vectors; ++c) {
            const VECTOR_S v = *(const VECTOR_S *)(y + k * yk + c * N);
            for (int r = 0; r < rows; ++r) sum[r][c] += x[r * xi + k * xk] * v;
        }
    for (int r = 0; r < rows; ++r)
        for (int c = 0; c < vectors; ++c) {
            const T *from = before + r * bi + c * N;
            T *to = out + r * oi + c * N, part[N];
            if (add && done) {
                *(VECTOR_S *)part = sum[r][c];
                for (ptrdiff_t j = done; j < N; ++j) to[j] = from[j] + part[j];
            } else if (add)
                *(VECTOR_S *)to = *(const VECTOR_S *)from + sum[r][c];
            else
                *(VECTOR_S *)to = sum[r][c];
        }
}
"""
_ROWS = """\
/* All rows, some at a time; then the rest of them. */
FUSED INLINE void VECTOR_rows_S(const ptrdiff_t m, const int rows, const int rest, const int vectors,
                                const ptrdiff_t done, const ptrdiff_t terms,
                                const T *restrict x, const ptrdiff_t xi, const ptrdiff_t xk,
                                const T *restrict y, const ptrdiff_t yk,
                                const T *before, const ptrdiff_t bi, T *out, const ptrdiff_t oi, const int add)
{
    ptrdiff_t i = 0;
    for (; i + rows <= m; i += rows)
        VECTOR_block_S(rows, vectors, done, terms, x + i * xi, xi, xk, y, yk,
                       before + i * bi, bi, out + i * oi, oi, add);
    if (rest)
        VECTOR_block_S(rest, vectors, done, terms, x + i * xi, xi, xk, y, yk,
                       before + i * bi, bi, out + i * oi, oi, add);
}
"""
_SLABS = """\
/* x times y, and what is to be added: some columns at a time, of which y stays in the nearest cache. Where vectors do
   not fit in the columns, the last one overlaps. */
FUSED INLINE void slabs_S(const ptrdiff_t m, const ptrdiff_t n, const ptrdiff_t terms, const int rows, const int rest,
                          const T *restrict x, const ptrdiff_t xi, const ptrdiff_t xk,
                          const T *restrict y, const ptrdiff_t yk,
                          const T *before, const ptrdiff_t bi, T *out, const ptrdiff_t oi, const int add)
{
    ptrdiff_t j = 0, at;
    for (; j + 2 * WIDE_S <= n; j += 2 * WIDE_S)
        lanes_rows_S(m, rows, rest, 2, 0, terms, x, xi, xk, y + j, yk, before + j, bi, out + j, oi, add);
    for (; n >= WIDE_S && j + HALF_S < n; j += WIDE_S) {
        at = j + WIDE_S <= n ? j : n - WIDE_S;
        lanes_rows_S(m, rows, rest, 1, j - at, terms, x, xi, xk, y + at, yk, before + at, bi, out + at, oi, add);
    }
    for (; n >= HALF_S && j < n; j += HALF_S) {
        at = j + HALF_S <= n ? j : n - HALF_S;
        half_rows_S(m, rows, rest, 1, j - at, terms, x, xi, xk, y + at, yk, before + at, bi, out + at, oi, add);
    }
    for (; j < n; ++j)
        for (ptrdiff_t i = 0; i < m; ++i) {
            T sum = 0;
            for (ptrdiff_t k = 0; k < terms; ++k) sum += x[i * xi + k * xk] * y[k * yk + j];
            out[i * oi + j] = add ? before[i * bi + j] + sum : sum;
        }
}
"""
#: The same of half vectors, without the comments.
_HALF = (_BLOCK.partition("*/\n")[2] + _ROWS.partition("*/\n")[2]).replace("VECTOR", "half")
_SLAB = "\n".join(((_BLOCK + _ROWS).replace("VECTOR", "lanes"), _HALF, _SLABS))
_GRAM = """\
/* Some rows of x, at most 5, times some rows of y, and what is to be added. The sums stay in registers. */
enum { GRAM_S = sizeof(lanes_S) == 64 ? 5 : 2 };
FUSED INLINE void gram_block_S(const int rows, const int columns, const ptrdiff_t terms,
                               const T *restrict x, const ptrdiff_t xi, const T *restrict y, const ptrdiff_t yj,
                               const T *before, const ptrdiff_t bi, T *out, const ptrdiff_t oi, const int add)
{
#ifdef __clang__
#pragma clang fp contract(fast)
#endif
    lanes_S sum[5][GRAM_S];
    for (int r = 0; r < rows; ++r)
        for (int c = 0; c < columns; ++c) sum[r][c] = (lanes_S){0};
    ptrdiff_t k = 0;
    for (; k + WIDE_S <= terms; k += WIDE_S)
        for (int r = 0; r < rows; ++r) {
            const lanes_S v = *(const lanes_S *)(x + r * xi + k);
            for (int c = 0; c < columns; ++c) sum[r][c] += v * *(const lanes_S *)(y + c * yj + k);
        }
    if (k < terms && WIDE_S <= terms) { /* the last vector, without what is summed already */
        U kept[WIDE_S];
        for (ptrdiff_t l = 0; l < WIDE_S; ++l) kept[l] = l < WIDE_S - (terms - k) ? 0 : ~(U)0;
        const masks_S mask = *(masks_S *)kept;
        for (int r = 0; r < rows; ++r) {
            const lanes_S v = (lanes_S)(mask & *(const masks_S *)(x + r * xi + terms - WIDE_S));
            for (int c = 0; c < columns; ++c)
                sum[r][c] += v * (lanes_S)(mask & *(const masks_S *)(y + c * yj + terms - WIDE_S));
        }
        k = terms;
    }
    for (int r = 0; r < rows; ++r)
        for (int c = 0; c < columns; ++c) {
            T part[WIDE_S];
            *(lanes_S *)part = sum[r][c];
            for (int n = WIDE_S / 2; n; n /= 2)
                for (int l = 0; l < n; ++l) part[l] += part[l + n];
            for (ptrdiff_t l = k; l < terms; ++l) part[0] += x[r * xi + l] * y[c * yj + l];
            out[r * oi + c] = add ? before[r * bi + c] + part[0] : part[0];
        }
}
FUSED INLINE void gram_rows_S(const int rows, const ptrdiff_t n, const ptrdiff_t terms,
                              const T *restrict x, const ptrdiff_t xi, const T *restrict y, const ptrdiff_t yj,
                              const T *before, const ptrdiff_t bi, T *out, const ptrdiff_t oi, const int add)
{
    ptrdiff_t j = 0;
    for (; j + GRAM_S <= n; j += GRAM_S)
        gram_block_S(rows, GRAM_S, terms, x, xi, y + j * yj, yj, before + j, bi, out + j, oi, add);
    if (n % GRAM_S) gram_block_S(rows, n % GRAM_S, terms, x, xi, y + j * yj, yj, before + j, bi, out + j, oi, add);
}
FUSED INLINE void gram_S(const ptrdiff_t m, const ptrdiff_t n, const ptrdiff_t terms, const int rows, const int rest,
                         const T *restrict x, const ptrdiff_t xi, const T *restrict y, const ptrdiff_t yj,
                         const T *before, const ptrdiff_t bi, T *out, const ptrdiff_t oi, const int add)
{
    ptrdiff_t i = 0;
    for (; i + rows <= m; i += rows)
        gram_rows_S(rows, n, terms, x + i * xi, xi, y, yj, before + i * bi, bi, out + i * oi, oi, add);
    if (rest) gram_rows_S(rest, n, terms, x + i * xi, xi, y, yj, before + i * bi, bi, out + i * oi, oi, add);
}
"""
#: A matrix product of known sizes: by slabs or grams, a few rows at a time; and by slabs, a few columns at a time,
#: which are packed.
PRODUCT = """\
/* {m} x {p} times {p} x {n}, and what is to be added. */
FUSED static void {name}_S(const T *restrict x, const T *restrict y, const T *before, T *out)
{{
    ptrdiff_t i = 0;
    for (; i + {rows} <= {m}; i += {rows})
        {kind}_S({rows}, {n}, {p}, {rows}, 0, x + i * {xi}, {xs}, y, {ys}, before + i * {bi}, {bi},
            out + i * {oi}, {oi}, {add});
    if (i < {m})
        {kind}_S({m} % {rows}, {n}, {p}, {m} % {rows}, 0, x + i * {xi}, {xs}, y, {ys}, before + i * {bi}, {bi},
            out + i * {oi}, {oi}, {add});
}}
"""
PACKED = """\
/* {m} x {p} times {p} x {n}, and what is to be added: columns of y are packed, so that they stay in the cache. */
FUSED static void {name}_S(const T *restrict x, const T *restrict y, const T *before, T *out)
{{
    enum {{ WIDTH = 2 * WIDE_S, REST = {n} % WIDTH, MOST = {p} < 256 ? {p} : 256 }};
    T panel[MOST * WIDTH];
    for (ptrdiff_t j = 0; j < {n}; j += WIDTH)
        for (ptrdiff_t k0 = 0; k0 < {p}; k0 += MOST) {{
            const ptrdiff_t width = j + WIDTH <= {n} ? WIDTH : REST, terms = k0 + MOST <= {p} ? MOST : {p} - k0;
            const T *from = k0 ? out + j : before + j;
            const ptrdiff_t step = k0 ? {oi} : {bi};
            for (ptrdiff_t k = 0; k < terms; ++k)
                for (ptrdiff_t c = 0; c < width; ++c) panel[k * WIDTH + c] = y[(k0 + k) * {yk} + (j + c) * {yj}];
            if (width == WIDTH)
                slabs_S({m}, WIDTH, terms, {rows}, {m} % {rows}, x + k0 * {xk}, {xs}, panel, WIDTH, from, step,
                    out + j, {oi}, {add} || k0);
            else
                slabs_S({m}, REST, terms, {rows}, {m} % {rows}, x + k0 * {xk}, {xs}, panel, WIDTH, from, step,
                    out + j, {oi}, {add} || k0);
        }}
}}
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
HELPERS = {"lanes": _LANES, "slabs": _SLAB, "gram": _GRAM, "dot": _DOT, "dots": _DOTS}
