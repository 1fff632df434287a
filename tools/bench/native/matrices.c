/* One long pass in blocks that stay in cache, and rows that ask for a matrix. */

/* sin and cos are called in loops of their own: together gcc makes of them sincos, which has no vector form. */
static double elementwise_part(const double *restrict x, double *restrict g, size n)
{
    enum { PART = 512 };
    double s[PART], c[PART], e[PART], t[PART], sum = 0.0;
    for (size top = 0; top < n; top += PART, x += PART, g += PART) {
        size m = n - top < PART ? n - top : PART;
#pragma omp simd
        for (size i = 0; i < m; i++) s[i] = sin(x[i]);
#pragma omp simd
        for (size i = 0; i < m; i++) c[i] = cos(x[i]);
#pragma omp simd
        for (size i = 0; i < m; i++) e[i] = exp(x[i] * s[i]);
#pragma omp simd
        for (size i = 0; i < m; i++) t[i] = tanh(x[i]);
#pragma omp simd reduction(+ : sum)
        for (size i = 0; i < m; i++) {
            double square = x[i] * x[i];
            sum += log1p(e[i]) + square * t[i];
            g[i] = e[i] / (1.0 + e[i]) * (s[i] + x[i] * c[i]) + 2.0 * x[i] * t[i] + square * (1.0 - t[i] * t[i]);
        }
    }
    return sum;
}

ROW(elementwise)
{
    size n = LONG(0, 0), step = 1 << 16;
    const double *x = AT(0);
    double *g = AT(1), sum = 0.0;
#pragma omp parallel for reduction(+ : sum) schedule(static) if (n > step)
    for (size top = 0; top < n; top += step) sum += elementwise_part(x + top, g + top, n - top < step ? n - top : step);
    return PyFloat_FromDouble(sum);
}

/* Observations first <= i < first + m of parameters p (15 in a row), m at most OBS: their blocks (2 x 15). */
enum { OBS = 32 };
static void reprojection_part(const double *restrict rows, const double *restrict features, double *restrict out, size m)
{
    double p[15][OBS], angle[OBS], sine[OBS], cosine[OBS], o[2][15][OBS], feature[2][OBS];
    for (size i = 0; i < OBS; i++) {
        for (int q = 0; q < 15; q++) p[q][i] = rows[(i < m ? i : 0) * 15 + q];
        for (int q = 0; q < 2; q++) feature[q][i] = features[(i < m ? i : 0) * 2 + q];
    }
#pragma omp simd
    for (int i = 0; i < OBS; i++) angle[i] = sqrt(p[0][i] * p[0][i] + p[1][i] * p[1][i] + p[2][i] * p[2][i]);
#pragma omp simd
    for (int i = 0; i < OBS; i++) sine[i] = sin(angle[i]);
#pragma omp simd
    for (int i = 0; i < OBS; i++) cosine[i] = cos(angle[i]);
#pragma omp simd
    for (int i = 0; i < OBS; i++) {
        double r0 = p[0][i], r1 = p[1][i], r2 = p[2][i], square = angle[i] * angle[i];
        double a = sine[i] / angle[i], b = (1.0 - cosine[i]) / square, f = p[6][i], w = p[14][i];
        double v0 = p[11][i] - p[3][i], v1 = p[12][i] - p[4][i], v2 = p[13][i] - p[5][i];
        /* R = 1 + a K + b K K, where K K = r r' - square */
        double R00 = 1.0 + b * (r0 * r0 - square), R01 = b * r0 * r1 - a * r2, R02 = b * r0 * r2 + a * r1;
        double R10 = b * r0 * r1 + a * r2, R11 = 1.0 + b * (r1 * r1 - square), R12 = b * r1 * r2 - a * r0;
        double R20 = b * r0 * r2 - a * r1, R21 = b * r1 * r2 + a * r0, R22 = 1.0 + b * (r2 * r2 - square);
        double y0 = R00 * v0 + R01 * v1 + R02 * v2, y1 = R10 * v0 + R11 * v1 + R12 * v2;
        double y2 = R20 * v0 + R21 * v1 + R22 * v2, over = 1.0 / y2, x = y0 * over, y = y1 * over;
        double s = x * x + y * y, k1 = p[9][i], k2 = p[10][i], scale = 1.0 + s * (k1 + k2 * s);
        double bend = 2.0 * k1 + 4.0 * k2 * s, wf = w * f * over;
        double d00 = wf * (scale + bend * x * x), d01 = wf * bend * x * y, d11 = wf * (scale + bend * y * y);
        double lens[2][3] = {{d00, d01, -(d00 * x + d01 * y)}, {d01, d11, -(d01 * x + d11 * y)}};
        double inverse = -1.0 / square;
#pragma GCC unroll 2
        for (int q = 0; q < 2; q++) {
            double l0 = lens[q][0], l1 = lens[q][1], l2 = lens[q][2];
            double A0 = l0 * R00 + l1 * R10 + l2 * R20, A1 = l0 * R01 + l1 * R11 + l2 * R21;
            double A2 = l0 * R02 + l1 * R12 + l2 * R22;
            /* in r: -((t . r) r + ((R - 1) t) x r) / square, t = A x v (Gallego and Yezzi) */
            double t0 = A1 * v2 - A2 * v1, t1 = A2 * v0 - A0 * v2, t2 = A0 * v1 - A1 * v0;
            double u0 = R00 * t0 + R01 * t1 + R02 * t2 - t0, u1 = R10 * t0 + R11 * t1 + R12 * t2 - t1;
            double u2 = R20 * t0 + R21 * t1 + R22 * t2 - t2, along = t0 * r0 + t1 * r1 + t2 * r2;
            o[q][0][i] = inverse * (along * r0 + u1 * r2 - u2 * r1);
            o[q][1][i] = inverse * (along * r1 + u2 * r0 - u0 * r2);
            o[q][2][i] = inverse * (along * r2 + u0 * r1 - u1 * r0);
            o[q][3][i] = -A0, o[q][4][i] = -A1, o[q][5][i] = -A2;
            double flat = q ? y : x;
            o[q][6][i] = w * scale * flat;
            o[q][7][i] = q ? 0.0 : w, o[q][8][i] = q ? w : 0.0;
            o[q][9][i] = w * f * s * flat, o[q][10][i] = w * f * s * s * flat;
            o[q][11][i] = A0, o[q][12][i] = A1, o[q][13][i] = A2;
            o[q][14][i] = scale * f * flat + p[7 + q][i] - feature[q][i];
        }
    }
    for (size i = 0; i < m; i++)
        for (int q = 0; q < 2; q++)
            for (int j = 0; j < 15; j++) out[i * 30 + q * 15 + j] = o[q][j][i];
}

/* (p, features, blocks) */
ROW(reprojection)
{
    size n = LONG(0, 0);
    const double *p = AT(0), *features = AT(1);
    double *out = AT(2);
#pragma omp parallel for schedule(static) if (n > 1000)
    for (size i = 0; i < n; i += OBS)
        reprojection_part(p + 15 * i, features + 2 * i, out + 30 * i, n - i < OBS ? n - i : OBS);
    Py_RETURN_NONE;
}

/* y = tanh(A x), and in slope 1 - y^2 */
static void bent(const double *A, const double *x, double *restrict y, double *restrict slope, size n)
{
    int N = (int)n, step = 1;
    double one = 1.0, zero = 0.0;
    dgemv("T", &N, &N, &one, (double *)A, &N, (double *)x, &step, &zero, y, &step);
#pragma omp simd
    for (size i = 0; i < n; i++) {
        y[i] = tanh(y[i]);
        slope[i] = 1.0 - y[i] * y[i];
    }
}

/* (x, W1, W2, the matrix, room for one more) */
ROW(layered)
{
    size n = LONG(0, 0);
    const double *W2 = AT(2);
    double *room = AT(4), inner[n], outer[n], y[n];
    bent(AT(1), AT(0), y, inner, n);
    double z[n];
    bent(W2, y, z, outer, n);
    for (size i = 0; i < n; i++)
#pragma omp simd
        for (size j = 0; j < n; j++) room[i * n + j] = outer[i] * W2[i * n + j] * inner[j];
    product_of(0, 0, n, n, n, room, n, AT(1), n, 0.0, AT(3), n);
    Py_RETURN_NONE;
}

/* (w, X, the matrix, room for one as X): with d = share (1 - share), half of (sqrt(d) X)' (sqrt(d) X), and its mirror */
ROW(penalised)
{
    size m = LONG(1, 0), n = LONG(1, 1);
    const double *X = AT(1);
    double *out = AT(2), *room = AT(3), z[m], one = 1.0, zero = 0.0;
    int M = (int)m, N = (int)n, step = 1;
    dgemv("T", &N, &M, &one, (double *)X, &N, AT(0), &step, &zero, z, &step);
#pragma omp simd
    for (size i = 0; i < m; i++) {
        double e = exp(-z[i]);
        z[i] = sqrt(e) / (1.0 + e);
    }
    for (size i = 0; i < m; i++)
#pragma omp simd
        for (size j = 0; j < n; j++) room[i * n + j] = z[i] * X[i * n + j];
    dsyrk("U", "N", &N, &M, &one, room, &N, &zero, out, &N);
    for (size i = 0; i < n; i++) {
        out[i * n + i] += 1.0;
        for (size j = 0; j < i; j++) out[j * n + i] = out[i * n + j];
    }
    Py_RETURN_NONE;
}
