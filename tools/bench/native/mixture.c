/* A mixture of Gaussians, on loops whose lanes are points: half the work of BLAS, as the factors are triangular. */

enum { LANES = 64 };

/* For points first <= p < last, by blocks of LANES; own is this thread's share of all sums:
   counts (k), then for each component the d sums of pulled, then d (d + 1) / 2 of pulled x'. */
static double mixture_part(size k, size d, const double *restrict L, const double *logs, const double *means,
                          const double *x, size first, size last, double *restrict own)
{
    size half = d * (d + 1) / 2, record = d + half;
    double xt[d][LANES], turned[k][d][LANES], inner[k][LANES], likelihood = 0.0;
    for (size top = first; top < last; top += LANES) {
        size m = last - top < LANES ? last - top : LANES;
        for (size j = 0; j < d; j++)
            for (size p = 0; p < LANES; p++) xt[j][p] = x[(top + (p < m ? p : 0)) * d + j];
        for (size c = 0; c < k; c++) {
            double centred[d][LANES], square[LANES] = {0};
            for (size j = 0; j < d; j++)
#pragma omp simd
                for (int p = 0; p < LANES; p++) centred[j][p] = xt[j][p] - means[c * d + j];
            const double *row = L + c * half;
            for (size i = 0; i < d; row += ++i) {
                double sum[LANES] = {0};
                for (size j = 0; j <= i; j++)
#pragma omp simd
                    for (int p = 0; p < LANES; p++) sum[p] = fma(row[j], centred[j][p], sum[p]);
#pragma omp simd
                for (int p = 0; p < LANES; p++) turned[c][i][p] = sum[p], square[p] = fma(sum[p], sum[p], square[p]);
            }
#pragma omp simd
            for (int p = 0; p < LANES; p++) inner[c][p] = logs[c] - 0.5 * square[p];
        }
        double most[LANES], total[LANES] = {0};
        for (int p = 0; p < LANES; p++) most[p] = inner[0][p];
        for (size c = 1; c < k; c++)
            for (int p = 0; p < LANES; p++) most[p] = inner[c][p] > most[p] ? inner[c][p] : most[p];
        for (size c = 0; c < k; c++)
#pragma omp simd
            for (int p = 0; p < LANES; p++) total[p] += inner[c][p] = exp(inner[c][p] - most[p]);
#pragma omp simd
        for (int p = 0; p < LANES; p++) most[p] += log(total[p]);
        for (size p = 0; p < m; p++) likelihood += most[p];
        for (int p = 0; p < LANES; p++) total[p] = p < m ? 1.0 / total[p] : 0.0;
        for (size c = 0; c < k; c++) {
            double count = 0.0, pulled[d][LANES], *sums = own + k + c * record, *outer = sums + d;
#pragma omp simd reduction(+ : count)
            for (int p = 0; p < LANES; p++) count += inner[c][p] *= total[p];
            own[c] += count;
            for (size i = 0; i < d; i++) {
                double sum = 0.0;
#pragma omp simd reduction(+ : sum)
                for (int p = 0; p < LANES; p++) sum += pulled[i][p] = inner[c][p] * turned[c][i][p];
                sums[i] += sum;
                for (size j = 0; j <= i; j++) {
                    double s = 0.0;
#pragma omp simd reduction(+ : s)
                    for (int p = 0; p < LANES; p++) s = fma(pulled[i][p], xt[j][p], s);
                    *outer++ += s;
                }
            }
        }
    }
    return likelihood;
}

/* (alphas, means, icf, x, dalphas, dmeans, dicf, gamma, m, constant); of icf, d logarithms and the columns below */
ROW(gmm)
{
    size k = LONG(1, 0), d = LONG(1, 1), n = LONG(3, 0), half = d * (d + 1) / 2, record = d + half;
    const double *alphas = AT(0), *means = AT(1), *icf = AT(2), *x = AT(3);
    double *dalphas = AT(4), *dmeans = AT(5), *dicf = AT(6);
    double gamma = PyFloat_AS_DOUBLE(args[7]), m = PyFloat_AS_DOUBLE(args[8]), value = PyFloat_AS_DOUBLE(args[9]);
    double *L = malloc(k * half * sizeof *L), logs[k], counts[k], most = alphas[0], total = 0.0;
    for (size c = 0; c < k; c++) {
        const double *its = icf + c * half, *below = its + d;
        double sum = 0.0;
        for (size j = 0; j < d; j++) {
            double e = exp(its[j]);
            L[c * half + j * (j + 3) / 2] = e;
            value += 0.5 * gamma * gamma * e * e;
            sum += its[j];
            for (size i = j + 1; i < d; i++, below++) {
                L[c * half + i * (i + 1) / 2 + j] = *below;
                value += 0.5 * gamma * gamma * *below * *below;
            }
        }
        value -= m * sum;
        logs[c] = sum + alphas[c];
        most = alphas[c] > most ? alphas[c] : most;
    }
    for (size c = 0; c < k; c++) total += dalphas[c] = exp(alphas[c] - most);
    value -= n * (most + log(total));

    double *sums = malloc(k * d * sizeof *sums), *outer = malloc(k * half * sizeof *outer);
    double likelihood = 0.0;
    memset(counts, 0, sizeof counts), memset(sums, 0, k * d * sizeof *sums), memset(outer, 0, k * half * sizeof *outer);
#pragma omp parallel reduction(+ : likelihood)
    {
        size team = omp_get_num_threads(), me = omp_get_thread_num(), share = (n + team - 1) / team;
        double *own = calloc(k * (1 + record), sizeof *own);
        likelihood = mixture_part(k, d, L, logs, means, x, me * share, (me + 1) * share < n ? (me + 1) * share : n, own);
#pragma omp critical
        for (size c = 0; c < k; c++) {
            counts[c] += own[c];
            for (size i = 0; i < d; i++) sums[c * d + i] += own[k + c * record + i];
            for (size i = 0; i < half; i++) outer[c * half + i] += own[k + c * record + d + i];
        }
        free(own);
    }
    value += likelihood;
    for (size c = 0; c < k; c++) {
        const double *its = icf + c * half, *factor = L + c * half, *all = outer + c * half, *below = its + d;
        double *to = dicf + c * half, *rest = to + d;
        dalphas[c] = counts[c] - n * dalphas[c] / total;
        for (size j = 0; j < d; j++) {
            double pull = 0.0;
            for (size i = j; i < d; i++) {
                size at = i * (i + 1) / 2 + j;
                double push = all[at] - sums[c * d + i] * means[c * d + j];
                pull += factor[at] * sums[c * d + i];
                if (i == j)
                    to[j] = counts[c] - m + factor[at] * (gamma * gamma * factor[at] - push);
                else
                    *rest++ = gamma * gamma * *below++ - push;
            }
            dmeans[c * d + j] = pull;
        }
    }
    free(L), free(sums), free(outer);
    return PyFloat_FromDouble(value);
}
