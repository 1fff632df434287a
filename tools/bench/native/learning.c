/* Logistic regression in blocks of rows, so that the data are read once; a perceptron on BLAS, or for one row on loops. */

enum { BLOCK = 64 };

/* Rows first <= i < last: their losses, and into g their part of the gradient. */
static double logistic_part(const double *w, const double *X, const double *y, double *restrict g, size n, size first,
                            size last)
{
    double sum = 0.0, z[BLOCK], r[BLOCK];
    for (size top = first; top < last; top += BLOCK) {
        size m = last - top < BLOCK ? last - top : BLOCK, i = 0;
        const double *rows = X + top * n;
        for (; i + 4 <= m; i += 4) {
            double a = 0.0, b = 0.0, c = 0.0, d = 0.0;
            const double *x = rows + i * n;
#pragma omp simd reduction(+ : a, b, c, d)
            for (size j = 0; j < n; j++) {
                a += x[j] * w[j];
                b += x[n + j] * w[j];
                c += x[2 * n + j] * w[j];
                d += x[3 * n + j] * w[j];
            }
            z[i] = a, z[i + 1] = b, z[i + 2] = c, z[i + 3] = d;
        }
        for (; i < m; i++) {
            double a = 0.0;
            for (size j = 0; j < n; j++) a += rows[i * n + j] * w[j];
            z[i] = a;
        }
#pragma omp simd
        for (i = 0; i < m; i++) r[i] = exp(-y[top + i] * z[i]);
#pragma omp simd reduction(+ : sum)
        for (i = 0; i < m; i++) {
            sum += log1p(r[i]);
            r[i] = -y[top + i] * r[i] / (1.0 + r[i]);
        }
        for (i = 0; i + 4 <= m; i += 4) {
            const double *x = rows + i * n;
#pragma omp simd
            for (size j = 0; j < n; j++)
                g[j] += (r[i] * x[j] + r[i + 1] * x[n + j]) + (r[i + 2] * x[2 * n + j] + r[i + 3] * x[3 * n + j]);
        }
        for (; i < m; i++)
            for (size j = 0; j < n; j++) g[j] += r[i] * rows[i * n + j];
    }
    return sum;
}

/* (w, X, y, dw) */
ROW(logistic)
{
    size m = LONG(1, 0), n = LONG(1, 1);
    const double *w = AT(0), *X = AT(1), *y = AT(2);
    double *g = AT(3), sum = 0.0;
    for (size j = 0; j < n; j++) g[j] = 0.0;
#pragma omp parallel reduction(+ : sum) if (m * n > 50000)
    {
        size team = omp_get_num_threads(), me = omp_get_thread_num(), share = (m + team - 1) / team;
        double own[n];
        for (size j = 0; j < n; j++) own[j] = 0.0;
        sum = logistic_part(w, X, y, own, n, me * share, (me + 1) * share < m ? (me + 1) * share : m);
#pragma omp critical
        for (size j = 0; j < n; j++) g[j] += own[j] / m;
    }
    return PyFloat_FromDouble(sum / m);
}

/* Softmax, cross-entropy, and in place of z its cotangent. */
static double cross_entropy(double *restrict z, const double *Y, size m, size n)
{
    double value = 0.0;
    for (size i = 0; i < m; i++) {
        double *row = z + i * n, top = row[0], total = 0.0, hit = 0.0;
        for (size j = 1; j < n; j++) top = row[j] > top ? row[j] : top;
        for (size j = 0; j < n; j++) hit += (row[j] - top) * Y[i * n + j];
#pragma omp simd
        for (size j = 0; j < n; j++) row[j] = exp(row[j] - top);
        for (size j = 0; j < n; j++) total += row[j];
        value += log(total) - hit;
        for (size j = 0; j < n; j++) row[j] = (row[j] / total - Y[i * n + j]) / m;
    }
    return value / m;
}

/* h = x W + b, for one row. */
static void forward_one(const double *x, const double *restrict W, const double *b, double *restrict h, size m, size n,
                        int rectify)
{
    for (size j = 0; j < n; j++) h[j] = b[j];
    size i = 0;
    for (; i + 4 <= m; i += 4) {
        const double *w = W + i * n;
#pragma omp simd
        for (size j = 0; j < n; j++)
            h[j] += (x[i] * w[j] + x[i + 1] * w[n + j]) + (x[i + 2] * w[2 * n + j] + x[i + 3] * w[3 * n + j]);
    }
    for (; i < m; i++)
        for (size j = 0; j < n; j++) h[j] += x[i] * W[i * n + j];
    if (rectify)
        for (size j = 0; j < n; j++) h[j] = h[j] > 0.0 ? h[j] : 0.0;
}

/* From the cotangent d of h those of W, b and, where it is asked for, of x, which was rectified. */
static void back_one(const double *x, const double *restrict W, const double *restrict d, double *restrict dW,
                     double *restrict db, double *restrict dx, size m, size n)
{
    for (size j = 0; j < n; j++) db[j] = d[j];
    for (size i = 0; i < m; i++) {
        double sum = 0.0;
#pragma omp simd
        for (size j = 0; j < n; j++) dW[i * n + j] = x[i] * d[j];
        if (!dx) continue;
#pragma omp simd reduction(+ : sum)
        for (size j = 0; j < n; j++) sum += W[i * n + j] * d[j];
        dx[i] = x[i] > 0.0 ? sum : 0.0;
    }
}

static void forward_many(const double *x, const double *W, const double *b, double *restrict h, size rows, size m,
                         size n, int rectify)
{
    for (size i = 0; i < rows; i++) memcpy(h + i * n, b, n * sizeof *h);
    product_of(0, 0, rows, n, m, x, m, W, n, 1.0, h, n);
    if (rectify)
        for (size i = 0; i < rows * n; i++) h[i] = h[i] > 0.0 ? h[i] : 0.0;
}

static void back_many(const double *x, const double *W, const double *d, double *dW, double *restrict db, double *dx,
                      size rows, size m, size n)
{
    for (size j = 0; j < n; j++) db[j] = 0.0;
    for (size i = 0; i < rows; i++)
        for (size j = 0; j < n; j++) db[j] += d[i * n + j];
    product_of(1, 0, m, n, rows, x, m, d, n, 0.0, dW, n);
    if (!dx) return;
    product_of(0, 1, rows, m, n, d, n, W, n, 0.0, dx, m);
    for (size i = 0; i < rows * m; i++) dx[i] = x[i] > 0.0 ? dx[i] : 0.0;
}

/* (W1, b1, W2, b2, W3, b3, X, Y, and the cotangents of the first six, and room for hidden units and theirs) */
ROW(mlp)
{
    size m = LONG(6, 0), n0 = LONG(0, 0), n1 = LONG(2, 0), n2 = LONG(4, 0), n3 = LONG(4, 1);
    double *h1 = AT(14), *h2 = h1 + m * n1, *z = h2 + m * n2, *d1 = z + m * n3, *d2 = d1 + m * n1, value;
    if (m == 1) {
        forward_one(AT(6), AT(0), AT(1), h1, n0, n1, 1);
        forward_one(h1, AT(2), AT(3), h2, n1, n2, 1);
        forward_one(h2, AT(4), AT(5), z, n2, n3, 0);
        value = cross_entropy(z, AT(7), m, n3);
        back_one(h2, AT(4), z, AT(12), AT(13), d2, n2, n3);
        back_one(h1, AT(2), d2, AT(10), AT(11), d1, n1, n2);
        back_one(AT(6), NULL, d1, AT(8), AT(9), NULL, n0, n1);
        return PyFloat_FromDouble(value);
    }
    forward_many(AT(6), AT(0), AT(1), h1, m, n0, n1, 1);
    forward_many(h1, AT(2), AT(3), h2, m, n1, n2, 1);
    forward_many(h2, AT(4), AT(5), z, m, n2, n3, 0);
    value = cross_entropy(z, AT(7), m, n3);
    back_many(h2, AT(4), z, AT(12), AT(13), d2, m, n2, n3);
    back_many(h1, AT(2), d2, AT(10), AT(11), d1, m, n1, n2);
    back_many(AT(6), NULL, d1, AT(8), AT(9), NULL, m, n0, n1);
    return PyFloat_FromDouble(value);
}
