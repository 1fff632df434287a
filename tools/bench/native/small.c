/* Functions of a few numbers; and Rosenbrock's, whose gradient is one pass that reads neighbours. */

ROW(product)
{
    double a = PyFloat_AS_DOUBLE(args[0]), b = PyFloat_AS_DOUBLE(args[1]), c = a + b, d = b + 1.0;
    PyObject *out = PyTuple_New(3);
    PyTuple_SET_ITEM(out, 0, PyFloat_FromDouble(c * d));
    PyTuple_SET_ITEM(out, 1, PyFloat_FromDouble(d));
    PyTuple_SET_ITEM(out, 2, PyFloat_FromDouble(c + d));
    return out;
}

/* Of elements first <= i < last, of which neither end is an end of x. */
static double rosenbrock_part(const double *restrict x, double *restrict g, size first, size last)
{
    double sum = 0.0;
#pragma omp simd reduction(+ : sum)
    for (size i = first; i < last; i++) {
        double before = x[i] - x[i - 1] * x[i - 1], across = x[i + 1] - x[i] * x[i], along = 1.0 - x[i];
        sum += 100.0 * (across * across) + along * along;
        g[i] = 200.0 * before - 400.0 * x[i] * across - 2.0 * along;
    }
    return sum;
}

ROW(rosenbrock)
{
    size n = LONG(0, 0);
    const double *x = AT(0);
    double *g = AT(1), across = x[1] - x[0] * x[0], along = 1.0 - x[0], sum = 0.0;
    if (n < 100000) {
        sum = rosenbrock_part(x, g, 1, n - 1);
    } else {
#pragma omp parallel reduction(+ : sum)
        {
            size share = (n - 2) / omp_get_num_threads(), me = omp_get_thread_num();
            size last = me == omp_get_num_threads() - 1 ? n - 1 : 1 + (me + 1) * share;
            for (size i = 1 + me * share; i < last; i += 4096)
                sum += rosenbrock_part(x, g, i, i + 4096 < last ? i + 4096 : last);
        }
    }
    g[0] = -400.0 * x[0] * across - 2.0 * along;
    g[n - 1] = 200.0 * (x[n - 1] - x[n - 2] * x[n - 2]);
    return PyFloat_FromDouble(sum + 100.0 * across * across + along * along);
}

ROW(hvp)
{
    size n = LONG(0, 0);
    const double *restrict x = AT(0), *restrict v = AT(1);
    double *restrict out = AT(2), across = x[1] - x[0] * x[0], along = 1.0 - x[0];
    double sum = 100.0 * across * across + along * along;
    out[0] = (800.0 * x[0] * x[0] - 400.0 * across + 2.0) * v[0] - 400.0 * x[0] * v[1];
    out[n - 1] = 200.0 * v[n - 1] - 400.0 * x[n - 2] * v[n - 2];
#pragma omp simd reduction(+ : sum)
    for (size i = 1; i < n - 1; i++) {
        double a = x[i + 1] - x[i] * x[i], b = 1.0 - x[i];
        sum += 100.0 * (a * a) + b * b;
        out[i] = (800.0 * x[i] * x[i] - 400.0 * a + 202.0) * v[i] - 400.0 * (x[i] * v[i + 1] + x[i - 1] * v[i - 1]);
    }
    return PyFloat_FromDouble(sum);
}

/* Two hidden units, four rows: (W1, b1, W2, b2, X, Y, dW1, db1, dW2, db2). */
ROW(xor)
{
    const double *W1 = AT(0), *b1 = AT(1), *W2 = AT(2), b2 = PyFloat_AS_DOUBLE(args[3]), *X = AT(4), *Y = AT(5);
    double *dW1 = AT(6), *db1 = AT(7), *dW2 = AT(8), *db2 = AT(9), h[8], dh[8], z[4], value = 0.0;
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 2; j++) h[4 * j + i] = X[2 * i] * W1[j] + X[2 * i + 1] * W1[2 + j] + b1[j];
#pragma omp simd
    for (int i = 0; i < 8; i++) h[i] = tanh(h[i]);
#pragma omp simd
    for (int i = 0; i < 4; i++) z[i] = 1.0 / (1.0 + exp(-(h[i] * W2[0] + h[4 + i] * W2[1] + b2)));
    dW2[0] = dW2[1] = db2[0] = db1[0] = db1[1] = dW1[0] = dW1[1] = dW1[2] = dW1[3] = 0.0;
    for (int i = 0; i < 4; i++) {
        double error = z[i] - Y[i], dz = 2.0 * error * z[i] * (1.0 - z[i]);
        value += error * error;
        db2[0] += dz;
        for (int j = 0; j < 2; j++) {
            dW2[j] += dz * h[4 * j + i];
            dh[4 * j + i] = dz * W2[j] * (1.0 - h[4 * j + i] * h[4 * j + i]);
            db1[j] += dh[4 * j + i];
            dW1[j] += X[2 * i] * dh[4 * j + i];
            dW1[2 + j] += X[2 * i + 1] * dh[4 * j + i];
        }
    }
    return PyFloat_FromDouble(value);
}

NEW(rosenbrock, 0)
NEW(hvp, 0)
NEW(xor, 0, 1, 2, 3)
