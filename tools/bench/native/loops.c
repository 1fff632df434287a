/* A recurrent network and a differential equation: states are kept on the way forward, in one buffer. */

enum { MOST = 16 };  /* the width of a gate, in vectors of eight: at most 16 units */

/* What a layer of a step keeps: inputs and gates side by side, the cell before, and its tanh after. */
typedef struct { double taken[4][MOST], gate[4][MOST], before[MOST], bent[MOST]; } kept;

/* (main, extra, state, sequence, dmain, dextra, room for layers x steps of kept + ends) */
ROW(lstm)
{
    size layers = LONG(2, 0) / 2, width = LONG(2, 1), steps = LONG(3, 0) - 1;
    const double *main = AT(0), *extra = AT(1), *state = AT(2), *sequence = AT(3);
    double *dmain = AT(4), *dextra = AT(5), total = 0.0, scale = -1.0 / (steps * width);
    kept *all = (kept *)AT(6);
    double (*slopes)[MOST] = (double (*)[MOST])(all + layers * steps);
    double (*last)[MOST] = slopes + steps;
    double W[layers][4][MOST], B[layers][4][MOST], hidden[layers][MOST], cell[layers][MOST], ends[3][MOST];
    double dW[layers][4][MOST], dB[layers][4][MOST], dends[3][MOST], dhidden[layers][MOST], dcell[layers][MOST];
    memset(W, 0, sizeof W), memset(B, 0, sizeof B), memset(hidden, 0, sizeof hidden), memset(cell, 0, sizeof cell);
    memset(ends, 0, sizeof ends), memset(dW, 0, sizeof dW), memset(dB, 0, sizeof dB), memset(dends, 0, sizeof dends);
    memset(dhidden, 0, sizeof dhidden), memset(dcell, 0, sizeof dcell);
    for (size k = 0; k < layers; k++) {
        for (size q = 0; q < 4; q++)
            for (size j = 0; j < width; j++) {
                W[k][q][j] = main[(8 * k + q) * width + j];
                B[k][q][j] = main[(8 * k + 4 + q) * width + j];
            }
        for (size j = 0; j < width; j++) {
            hidden[k][j] = state[2 * k * width + j];
            cell[k][j] = state[(2 * k + 1) * width + j];
        }
    }
    for (size q = 0; q < 3; q++)
        for (size j = 0; j < width; j++) ends[q][j] = extra[q * width + j];

    for (size t = 0; t < steps; t++) {
        double x[MOST] = {0}, y[MOST], e[MOST], sum = 2.0, mass = 0.0, hit = 0.0;
        for (size j = 0; j < width; j++) x[j] = sequence[t * width + j] * ends[0][j];
        for (size k = 0; k < layers; k++) {
            kept *its = all + t * layers + k;
            double *f = its->gate[0], *i = its->gate[1], *o = its->gate[2], *c = its->gate[3];
#pragma omp simd
            for (int j = 0; j < MOST; j++) {
                its->taken[0][j] = its->taken[2][j] = x[j];
                its->taken[1][j] = its->taken[3][j] = hidden[k][j];
                its->before[j] = cell[k][j];
            }
#pragma omp simd
            for (int j = 0; j < 3 * MOST; j++)
                f[j] = 1.0 / (1.0 + exp(-(its->taken[0][j] * W[k][0][j] + B[k][0][j])));
#pragma omp simd
            for (int j = 0; j < MOST; j++) c[j] = tanh(its->taken[3][j] * W[k][3][j] + B[k][3][j]);
#pragma omp simd
            for (int j = 0; j < MOST; j++) {
                cell[k][j] = cell[k][j] * f[j] + i[j] * c[j];
                its->bent[j] = tanh(cell[k][j]);
                hidden[k][j] = x[j] = o[j] * its->bent[j];
            }
        }
        const double *gold = sequence + (t + 1) * width;
#pragma omp simd
        for (int j = 0; j < MOST; j++) {
            last[t][j] = x[j];
            y[j] = x[j] * ends[1][j] + ends[2][j];
            e[j] = exp(y[j]);
        }
        for (size j = 0; j < width; j++) sum += e[j], mass += gold[j], hit += gold[j] * y[j];
        total += hit - mass * log(sum);
        mass /= sum;
        for (size j = 0; j < MOST; j++) slopes[t][j] = j < width ? scale * (gold[j] - mass * e[j]) : 0.0;
    }

    for (size t = steps - 1; t >= 0; t--) {
        double dx[MOST], *dy = slopes[t];
#pragma omp simd
        for (int j = 0; j < MOST; j++) {
            dends[1][j] += dy[j] * last[t][j];
            dends[2][j] += dy[j];
            dx[j] = dy[j] * ends[1][j];
        }
        for (size k = layers - 1; k >= 0; k--) {
            kept *its = all + t * layers + k;
            const double *f = its->gate[0], *i = its->gate[1], *o = its->gate[2], *c = its->gate[3];
#pragma omp simd
            for (int j = 0; j < MOST; j++) {
                double dh = dx[j] + dhidden[k][j], dc = dcell[k][j] + dh * o[j] * (1.0 - its->bent[j] * its->bent[j]);
                double df = dc * its->before[j] * f[j] * (1.0 - f[j]), di = dc * c[j] * i[j] * (1.0 - i[j]);
                double go = dh * its->bent[j] * o[j] * (1.0 - o[j]), gc = dc * i[j] * (1.0 - c[j] * c[j]);
                dcell[k][j] = dc * f[j];
                dB[k][0][j] += df, dB[k][1][j] += di, dB[k][2][j] += go, dB[k][3][j] += gc;
                dW[k][0][j] += df * its->taken[0][j], dW[k][1][j] += di * its->taken[1][j];
                dW[k][2][j] += go * its->taken[2][j], dW[k][3][j] += gc * its->taken[3][j];
                dx[j] = df * W[k][0][j] + go * W[k][2][j];
                dhidden[k][j] = di * W[k][1][j] + gc * W[k][3][j];
            }
        }
        for (size j = 0; j < width; j++) dends[0][j] += dx[j] * sequence[t * width + j];
    }
    for (size k = 0; k < layers; k++)
        for (size q = 0; q < 4; q++)
            for (size j = 0; j < width; j++) {
                dmain[(8 * k + q) * width + j] = dW[k][q][j];
                dmain[(8 * k + 4 + q) * width + j] = dB[k][q][j];
            }
    for (size q = 0; q < 3; q++)
        for (size j = 0; j < width; j++) dextra[q * width + j] = dends[q][j];
    return PyFloat_FromDouble(scale * total);
}

#define STEP 0.01

/* (y, rates, dy, drates, room for eight numbers a step, their count) */
ROW(lotka)
{
    const double *rates = AT(1), a = rates[0], b = rates[1], c = rates[2], d = rates[3];
    const double half = 0.5 * STEP, sixth = STEP / 6.0, third = 2.0 * sixth;
    double u = AT(0)[0], v = AT(0)[1], *room = AT(4);
    size steps = LONG(4, 0) / 8;
    for (size t = 0; t < steps; t++) {
        double k1 = u * fma(-b, v, a), l1 = v * fma(c, u, -d), u2 = fma(half, k1, u), v2 = fma(half, l1, v);
        double k2 = u2 * fma(-b, v2, a), l2 = v2 * fma(c, u2, -d), u3 = fma(half, k2, u), v3 = fma(half, l2, v);
        double k3 = u3 * fma(-b, v3, a), l3 = v3 * fma(c, u3, -d), u4 = fma(STEP, k3, u), v4 = fma(STEP, l3, v);
        double k4 = u4 * fma(-b, v4, a), l4 = v4 * fma(c, u4, -d), *its = room + 8 * t;
        its[0] = u, its[1] = v, its[2] = u2, its[3] = v2, its[4] = u3, its[5] = v3, its[6] = u4, its[7] = v4;
        u = fma(sixth, k4, fma(third, k3, fma(third, k2, fma(sixth, k1, u))));
        v = fma(sixth, l4, fma(third, l3, fma(third, l2, fma(sixth, l1, v))));
    }
    double value = u * u + v * v, du = 2.0 * u, dv = 2.0 * v, da = 0.0, db = 0.0, dc = 0.0, dd = 0.0;
/* From the cotangents p, q of a stage's slopes: those of the rates, and of the state it was taken at. */
#define STAGE(x, z, p, q, back_u, back_v)                         \
    da = fma(p, x, da), db = fma(-(p) * (x), z, db);              \
    dc = fma((q) * (x), z, dc), dd = fma(-(q), z, dd);            \
    double back_u = fma(p, fma(-b, z, a), (q) * c * (z));         \
    double back_v = fma(q, fma(c, x, -d), -(p) * b * (x));
    for (size t = steps - 1; t >= 0; t--) {
        const double *its = room + 8 * t;
        double p4 = sixth * du, q4 = sixth * dv;
        STAGE(its[6], its[7], p4, q4, u4, v4)
        double p3 = fma(STEP, u4, third * du), q3 = fma(STEP, v4, third * dv);
        STAGE(its[4], its[5], p3, q3, u3, v3)
        double p2 = fma(half, u3, third * du), q2 = fma(half, v3, third * dv);
        STAGE(its[2], its[3], p2, q2, u2, v2)
        double p1 = fma(half, u2, sixth * du), q1 = fma(half, v2, sixth * dv);
        STAGE(its[0], its[1], p1, q1, u1, v1)
        du += (u4 + u3) + (u2 + u1), dv += (v4 + v3) + (v2 + v1);
    }
    AT(2)[0] = du, AT(2)[1] = dv;
    AT(3)[0] = da, AT(3)[1] = db, AT(3)[2] = dc, AT(3)[3] = dd;
    return PyFloat_FromDouble(value);
}
