"""Likelihoods, losses and summaries."""

import math

import numpy as np


def t_statistic(x, y):
    """Welch's t of two samples."""
    vx, vy = x.var(ddof=1) / len(x), y.var(ddof=1) / len(y)
    return (x.mean() - y.mean()) / np.sqrt(vx + vy)


def logsumexp(a, axis=None):
    """Log of a sum of exponentials by hand."""
    top = np.max(a, axis=axis, keepdims=True)
    return np.squeeze(top + np.log(np.sum(np.exp(a - top), axis=axis, keepdims=True)), axis=axis)


def gmm_log_likelihood(log_pi, mu, log_sigma, data):
    """A mixture of normals, logsumexp by hand."""
    z = (data[:, None] - mu) / np.exp(log_sigma)
    logp = log_pi - logsumexp(log_pi) - log_sigma - 0.5 * z**2 - 0.5 * np.log(2 * np.pi)
    return logsumexp(logp, axis=1).sum()


def linear_regression(beta, X, y):
    """The mean of squared residuals."""
    return np.mean((X @ beta - y) ** 2)


def logistic_regression(w, X, y, l2=0.1):
    """A stable negative log likelihood by logaddexp."""
    z = X.dot(w[1:]) + w[0]
    return np.sum(np.logaddexp(0, z) - y * z) + l2 * np.linalg.norm(w[1:]) ** 2


def poisson_regression(w, X, counts):
    """Poisson counts; log factorials by a list of math.lgamma."""
    eta = X @ w
    const = sum(math.lgamma(c + 1) for c in counts)
    return np.sum(np.exp(eta) - counts * eta) + const


def gaussian_process(log_theta, X, y):
    """The marginal likelihood of a Gaussian process by Cholesky."""
    length, scale, noise = np.exp(log_theta)
    d2 = (X[:, None] - X[None, :]) ** 2
    K = scale**2 * np.exp(-0.5 * d2 / length**2) + noise * np.eye(len(X))
    L = np.linalg.cholesky(K)
    alpha = np.linalg.solve(L.T, np.linalg.solve(L, y))
    return 0.5 * y @ alpha + np.sum(np.log(np.diag(L))) + 0.5 * len(X) * np.log(2 * np.pi)


def kernel_density(points, data, h):
    """A sum of bumps on a grid."""
    u = np.subtract.outer(points, data) / h
    return np.exp(-0.5 * u * u).mean(axis=-1) / (h * np.sqrt(2 * np.pi))


def ar2_likelihood(phi, sigma, y):
    """An autoregression of order two, conditional likelihood."""
    e = y[2:] - phi[0] * y[1:-1] - phi[1] * y[:-2]
    return -0.5 * len(e) * np.log(2 * np.pi * sigma**2) - 0.5 * (e @ e) / sigma**2


def garch(params, returns):
    """GARCH(1, 1): variances into a buffer."""
    omega, alpha, beta = params
    T = len(returns)
    s2 = np.zeros(T)
    s2[0] = np.var(returns)
    for t in range(1, T):
        s2[t] = omega + alpha * returns[t - 1] ** 2 + beta * s2[t - 1]
    return 0.5 * np.sum(np.log(s2) + returns**2 / s2)


_DRAWS = np.random.default_rng(0).integers(0, 6, size=(5, 6))


def bootstrap_means(x):
    """Means of resamples; the draws are a constant of the module."""
    return x[_DRAWS].mean(axis=1).std()


def ridge(X, y, lam):
    """Ridge coefficients by np.linalg.solve."""
    return np.linalg.solve(X.T @ X + lam * np.eye(X.shape[1]), X.T @ y)


def pca_error(X, k=1):
    """What the first principal component leaves over, by svd."""
    Xc = X - X.mean(0)
    U, s, Vt = np.linalg.svd(Xc, full_matrices=False)
    rec = U[:, :k] * s[:k] @ Vt[:k]
    return np.mean((Xc - rec) ** 2)


def huber(r, delta=1.0):
    """Huber's loss by nested where."""
    a = np.abs(r)
    return np.where(a <= delta, 0.5 * r**2, delta * (a - 0.5 * delta)).sum()


def quantile_loss(q, y, tau):
    """The pinball loss."""
    e = y - q
    return np.mean(np.maximum(tau * e, (tau - 1) * e))


def median_deviation(x):
    """The median of absolute deviations from the median."""
    return np.median(np.abs(x - np.median(x)))


def interquartile(x):
    """From the first quartile to the third."""
    q75, q25 = np.percentile(x, [75, 25])
    return q75 - q25


def trimmed_mean(x, cut=0.2):
    """The mean without the extremes, by sorted()."""
    k = int(cut * len(x))
    kept = sorted(x)[k : len(x) - k]
    return sum(kept) / len(kept)


def pearson(x, y):
    """Correlation by hand."""
    xm, ym = x - np.mean(x), y - np.mean(y)
    return np.sum(xm * ym) / np.sqrt(np.sum(xm**2) * np.sum(ym**2))


def correlation_matrix(X):
    """np.corrcoef and np.cov of columns."""
    return np.corrcoef(X.T) + np.cov(X, rowvar=False)


def mahalanobis(x, X):
    """Distance in units of the sample's covariance."""
    d = x - X.mean(axis=0)
    return np.sqrt(d @ np.linalg.inv(np.cov(X.T)) @ d)


def multivariate_normal(x, mu, A):
    """A normal density with covariance A A' + I."""
    cov = A @ A.T + np.eye(len(mu))
    d = x - mu
    sign, logdet = np.linalg.slogdet(2 * np.pi * cov)
    return -0.5 * (logdet + np.einsum("i,ij,j->", d, np.linalg.inv(cov), d))


def em_step(mu, sigma, w, x):
    """One step of expectation and maximisation."""
    resp = np.zeros((len(x), len(mu)))
    for k in range(len(mu)):
        resp[:, k] = w[k] * np.exp(-0.5 * ((x - mu[k]) / sigma[k]) ** 2) / sigma[k]
    resp /= resp.sum(axis=1, keepdims=True)
    nk = resp.sum(axis=0)
    new = (resp * x[:, None]).sum(axis=0) / nk
    return new, np.sqrt((resp * (x[:, None] - new) ** 2).sum(axis=0) / nk), nk / len(x)


def kl_divergence(p, q):
    """From logits to a divergence; zero probabilities are masked out."""
    p, q = np.exp(p), np.exp(q)
    p, q = p / p.sum(), q / q.sum()
    mask = p > 1e-9
    return np.sum(p[mask] * np.log(p[mask] / q[mask]))


def entropy_of_groups(x, labels):
    """Entropy of weights that are added up by np.bincount."""
    totals = np.bincount(labels, weights=x)
    p = totals / totals.sum()
    return -(p * np.log(p)).sum()


def group_means(x, labels, n=3):
    """Means by group through np.add.at."""
    sums, counts = np.zeros(n), np.zeros(n)
    np.add.at(sums, labels, x)
    np.add.at(counts, labels, 1)
    return sums / counts


def z_scores(X):
    """Columns standardised in place."""
    Z = X.copy()
    Z -= Z.mean(axis=0)
    Z /= Z.std(axis=0)
    return Z


def weighted_histogram(x, w):
    """np.histogram of constants with weights that vary."""
    counts, edges = np.histogram(x, bins=4, range=(-2, 2), weights=w)
    return counts / np.diff(edges)


def cox_partial_likelihood(beta, X, events):
    """Survival: sums over who is still at risk, by a reversed cumulative sum."""
    eta = X @ beta
    risk = np.cumsum(np.exp(eta)[::-1])[::-1]
    return np.sum(events * (eta - np.log(risk)))


def isotonic(y):
    """Pool adjacent violators, with Python lists."""
    blocks = []
    for v in y:
        blocks.append([v, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            b, a = blocks.pop(), blocks.pop()
            blocks.append([(a[0] * a[1] + b[0] * b[1]) / (a[1] + b[1]), a[1] + b[1]])
    return np.concatenate([[v] * n for v, n in blocks])


def skewness_kurtosis(x):
    """Third and fourth moments from a dictionary."""
    z = (x - x.mean()) / x.std()
    moments = {k: np.mean(z**k) for k in (3, 4)}
    return moments[3] + moments[4] - 3


def polynomial_fit(x, y):
    """np.polyfit, then np.polyval between the points."""
    coefficients = np.polyfit(x, y, 2)
    return np.polyval(coefficients, (x[1:] + x[:-1]) / 2)


def least_squares(A, b):
    """np.linalg.lstsq and the residual it leaves."""
    x, *_ = np.linalg.lstsq(A, b, rcond=None)
    return np.append(x, np.sum((A @ x - b) ** 2))


def gini(x):
    """Gini's coefficient by sorting."""
    x = np.sort(x)
    n = x.shape[0]
    return (2 * np.arange(1, n + 1) - n - 1) @ x / (n * x.sum())


def lasso_coordinate_descent(X, y, lam):
    """Three sweeps of coordinate descent, one coefficient at a time."""
    n, p = X.shape
    beta = np.zeros(p)
    for _ in range(3):
        for j in range(p):
            partial = y - X @ beta + X[:, j] * beta[j]
            rho = X[:, j] @ partial
            beta[j] = np.sign(rho) * max(abs(rho) - lam, 0) / (X[:, j] @ X[:, j])
    return beta


def distance_correlation(x, y):
    """Centred distance matrices."""

    def centred(v):
        d = np.abs(v[:, None] - v[None, :])
        return d - d.mean(axis=0) - d.mean(axis=1, keepdims=True) + d.mean()

    A, B = centred(x), centred(y)
    return np.sqrt((A * B).mean() / np.sqrt((A * A).mean() * (B * B).mean()))
