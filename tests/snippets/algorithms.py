"""Algorithms of textbooks: tables that are filled, loops that run until they are content."""

import math

import numpy as n
import numpy as np
from numpy import arange, zeros


def soft_edit_distance(a, b, t=0.5):
    """Edit distance of two series with a soft minimum, into np.zeros."""
    D = np.zeros((len(a) + 1, len(b) + 1))
    D[1:, 0] = np.arange(1, len(a) + 1)
    D[0, 1:] = np.arange(1, len(b) + 1)
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            costs = np.array([D[i - 1, j] + 1, D[i, j - 1] + 1, D[i - 1, j - 1] + abs(a[i - 1] - b[j - 1])])
            D[i, j] = -t * np.log(np.sum(np.exp(-costs / t)))
    return D[-1, -1]


def soft_dtw(x, y, gamma):
    """Dynamic time warping with borders of infinity."""
    n, m = len(x), len(y)
    R = np.full((n + 1, m + 1), np.inf)
    R[0, 0] = 0
    for i in range(n):
        for j in range(m):
            z = np.array([R[i, j], R[i, j + 1], R[i + 1, j]])
            low = z.min()
            R[i + 1, j + 1] = (x[i] - y[j]) ** 2 + low - gamma * np.log(np.exp((low - z) / gamma).sum())
    return R[n, m]


def dtw(x, y):
    """Dynamic time warping with Python's min."""
    D = [[np.inf] * (len(y) + 1) for _ in range(len(x) + 1)]
    D[0][0] = 0.0
    for i in range(1, len(x) + 1):
        for j in range(1, len(y) + 1):
            D[i][j] = abs(x[i - 1] - y[j - 1]) + min(D[i - 1][j], D[i][j - 1], D[i - 1][j - 1])
    return D[-1][-1]


def viterbi(log_A, log_B, observed):
    """The score of the best path, in log space."""
    V = np.zeros((len(observed), len(log_A)))
    V[0] = log_B[:, observed[0]] - np.log(len(log_A))
    for t in range(1, len(observed)):
        for s in range(len(log_A)):
            V[t, s] = np.max(V[t - 1] + log_A[:, s]) + log_B[s, observed[t]]
    return V[-1].max()


def hmm_forward(A, B, pi, observed):
    """The forward algorithm with scaling."""
    A = A / A.sum(axis=1, keepdims=True)
    alpha = pi * B[:, observed[0]]
    loglik = 0.0
    for o in observed[1:]:
        c = alpha.sum()
        loglik += np.log(c)
        alpha = (alpha / c) @ A * B[:, o]
    return loglik + np.log(alpha.sum())


def soft_knapsack(values, weights, capacity=5, t=0.3):
    """A knapsack, its table of one row updated from the right."""
    best = np.zeros(capacity + 1)
    for v, w in zip(values, weights):
        for c in range(capacity, w - 1, -1):
            best[c] = t * np.logaddexp(best[c] / t, (best[c - w] + v) / t)
    return best[-1]


def floyd_warshall(W, t=0.1):
    """All shortest paths with a soft minimum, a whole matrix at a time."""
    D = W.copy()
    for k in range(len(D)):
        via = D[:, k, None] + D[None, k, :]
        D = -t * np.logaddexp(-D / t, -via / t)
    return D


def bellman_ford(lengths, edges, nodes):
    """Shortest paths by relaxing edges; a branch per edge."""
    dist = np.full(nodes, np.inf)
    dist[0] = 0.0
    for _ in range(nodes - 1):
        for (u, v), w in zip(edges, lengths):
            if dist[u] + w < dist[v]:
                dist[v] = dist[u] + w
    return dist


def thomas(a, b, c, d):
    """A tridiagonal system, in place."""
    n = len(d)
    cp, dp = c.copy(), d.copy()
    cp[0] /= b[0]
    dp[0] /= b[0]
    for i in range(1, n):
        m = b[i] - a[i - 1] * cp[i - 1]
        if i < n - 1:
            cp[i] /= m
        dp[i] = (dp[i] - a[i - 1] * dp[i - 1]) / m
    for i in range(n - 2, -1, -1):
        dp[i] -= cp[i] * dp[i + 1]
    return dp


def gauss_elimination(A, b):
    """Elimination with pivots by argmax and swapped rows."""
    A, b = A.copy(), b.copy()
    n = len(b)
    for k in range(n):
        p = k + np.argmax(np.abs(A[k:, k]))
        if p != k:
            A[[k, p]] = A[[p, k]]
            b[[k, p]] = b[[p, k]]
        for i in range(k + 1, n):
            f = A[i, k] / A[k, k]
            A[i, k:] -= f * A[k, k:]
            b[i] -= f * b[k]
    x = np.zeros(n)
    for i in reversed(range(n)):
        x[i] = (b[i] - A[i, i + 1 :] @ x[i + 1 :]) / A[i, i]
    return x


def lu_determinant(A):
    """A determinant from Doolittle's factors."""
    n = A.shape[0]
    U, L = A.copy(), np.eye(n)
    for k in range(n - 1):
        L[k + 1 :, k] = U[k + 1 :, k] / U[k, k]
        U[k + 1 :] -= np.outer(L[k + 1 :, k], U[k])
    return np.prod(np.diagonal(U))


def cholesky_by_hand(A):
    """Cholesky and Banachiewicz, entry by entry."""
    n = len(A)
    L = np.zeros((n, n))
    for i in range(n):
        for j in range(i + 1):
            s = A[i, j] - np.dot(L[i, :j], L[j, :j])
            L[i, j] = np.sqrt(s) if i == j else s / L[j, j]
    return L


def gram_schmidt(A):
    """Modified Gram and Schmidt, on columns in place."""
    Q = A.copy()
    R = np.zeros((A.shape[1], A.shape[1]))
    for k in range(A.shape[1]):
        R[k, k] = np.linalg.norm(Q[:, k])
        Q[:, k] /= R[k, k]
        for j in range(k + 1, A.shape[1]):
            R[k, j] = Q[:, k] @ Q[:, j]
            Q[:, j] -= R[k, j] * Q[:, k]
    return Q, R


def power_iteration(A):
    """The largest eigenvalue, until it stands still."""
    v = np.ones(len(A)) / np.sqrt(len(A))
    old, lam = 0.0, 1.0
    while abs(lam - old) > 1e-13:
        w = A @ v
        old, lam = lam, v @ w
        v = w / np.linalg.norm(w)
    return lam


def jacobi(A, b):
    """Jacobi's iteration."""
    D = np.diag(A)
    R = A - np.diagflat(D)
    x = np.zeros_like(b)
    for _ in range(8):
        x = (b - R @ x) / D
    return x


def newton_sqrt(a, tol=1e-14):
    """A square root by Newton's iteration."""
    x = a
    while abs(x * x - a) > tol * a:
        x = 0.5 * (x + a / x)
    return x


def bisection(c):
    """A root by halving, then one Newton step that carries the derivative."""
    f = lambda x: x**3 + x - c
    lo, hi = 0.0, 4.0
    while hi - lo > 1e-6:
        mid = (lo + hi) / 2
        if f(mid) > 0:
            hi = mid
        else:
            lo = mid
    x = (lo + hi) / 2
    return x - f(x) / (3 * x**2 + 1)


def fixed_point(a):
    """x = cos(a x), iterated."""
    x = 0.5
    for _ in range(200):
        new = np.cos(a * x)
        if abs(new - x) < 1e-15:
            break
        x = new
    return x


def secant(a, b):
    """The secant method on an exponential."""
    f = lambda x: np.exp(a * x) - b
    x0, x1 = 0.0, 1.0
    for _ in range(12):
        f0, f1 = f(x0), f(x1)
        if abs(f1) < 1e-9:
            break
        x0, x1 = x1, x1 - f1 * (x1 - x0) / (f1 - f0)
    return x1


def simpson(a, b, k):
    """Simpson's rule; the limits have derivatives too."""
    x = np.linspace(a, b, 21)
    y = np.exp(-k * x) * np.sin(x)
    h = (b - a) / 20
    return h / 3 * (y[0] + 4 * y[1:-1:2].sum() + 2 * y[2:-1:2].sum() + y[-1])


def trapezoid(a, b):
    """A trapezoid rule in pure Python with math.exp."""
    h = (b - a) / 10
    total = 0.5 * (math.exp(-a * a) + math.exp(-b * b))
    for i in range(1, 10):
        total += math.exp(-((a + i * h) ** 2))
    return total * h


def gauss_legendre(a, b, k):
    """Quadrature by NumPy's nodes."""
    x, w = np.polynomial.legendre.leggauss(6)
    t = 0.5 * (b - a) * x + 0.5 * (b + a)
    return 0.5 * (b - a) * np.sum(w * np.cos(k * t))


def monte_carlo(scale):
    """An expectation over fixed draws."""
    rng = np.random.default_rng(7)
    z = rng.standard_normal(50)
    return np.mean(np.maximum(scale * z - 0.5, 0.0))


def horner(c, x):
    """A polynomial by Horner's scheme."""
    result = 0.0
    for a in c:
        result = result * x + a
    return result


def chebyshev(c, x):
    """Clenshaw's recurrence backwards."""
    b1, b2 = zeros(x.shape), zeros(x.shape)
    for a in c[:0:-1]:
        b1, b2 = 2 * x * b1 - b2 + a, b1
    return x * b1 - b2 + c[0]


def lagrange(xs, ys, x):
    """Lagrange's polynomial, a product per node."""
    total = 0
    for i in arange(len(xs)):
        others = np.delete(xs, i)
        total += ys[i] * np.prod((x - others) / (xs[i] - others))
    return total


def cubic_spline(y):
    """Second derivatives of a natural spline, by a matrix filled in place."""
    n_ = len(y)
    A = n.zeros((n_, n_))
    r = n.zeros(n_)
    A[0, 0] = A[-1, -1] = 1
    for i in range(1, n_ - 1):
        A[i, i - 1 : i + 2] = 1, 4, 1
        r[i] = 6 * (y[i + 1] - 2 * y[i] + y[i - 1])
    return n.linalg.solve(A, r)


def de_casteljau(points, t):
    """A Bezier curve by repeated interpolation."""
    p = points
    while len(p) > 1:
        p = (1 - t) * p[:-1] + t * p[1:]
    return p[0]


def sinkhorn(C, eps):
    """Optimal transport by scaling rows and columns."""
    K = np.exp(-C / eps)
    u, v = np.ones(C.shape[0]), np.ones(C.shape[1])
    for _ in range(6):
        u = 1 / C.shape[0] / (K @ v)
        v = 1 / C.shape[1] / (K.T @ u)
    return np.sum(u[:, None] * K * v * C)


def page_rank(links, damping):
    """Rank by a fixed number of steps."""
    P = links / links.sum(axis=0)
    r = np.full(len(P), 1 / len(P))
    for _ in range(6):
        r = (1 - damping) / len(P) + damping * P @ r
    return r


def kmeans_step(X, centres):
    """Assignments by argmin, new centres by boolean masks."""
    nearest = np.argmin(((X[:, None] - centres[None]) ** 2).sum(-1), axis=1)
    return np.array([X[nearest == k].mean(axis=0) for k in range(len(centres))])


def value_iteration(rewards, gamma, transitions):
    """A small decision process until values stand still."""
    V = np.zeros(len(rewards))
    for _ in range(5):
        Q = rewards + gamma * np.einsum("sat,t->sa", transitions, V)
        V = Q.max(axis=1)
    return V


def interpolation_table(x, table):
    """Searchsorted by hand, then a line between neighbours."""
    grid = np.linspace(0, 1, len(table))
    k = np.clip(np.searchsorted(grid, x) - 1, 0, len(table) - 2)
    w = (x - grid[k]) / (grid[k + 1] - grid[k])
    return (1 - w) * table[k] + w * table[k + 1]


def piecewise_curve(x):
    """np.piecewise with three pieces."""
    return np.piecewise(x, [x < 0, (x >= 0) & (x < 1)], [lambda v: v**2, np.sin, lambda v: np.log1p(v)])


def selected_curve(x):
    """np.select with a default."""
    return np.select([x < -1, x < 1], [-x, x**2], default=np.sqrt(np.abs(x)))


def norms_along(X):
    """np.apply_along_axis of a small function."""
    return np.apply_along_axis(lambda r: np.sqrt(np.sum(r**2)) / np.max(np.abs(r)), 1, X)


def vectorized_step(x, k):
    """np.vectorize of a function with a branch."""
    f = np.vectorize(lambda v: v**2 if v > 0 else -k * v)
    return f(x)


def submatrix(A, keep):
    """np.ix_ picks rows and columns."""
    B = A[np.ix_(keep, keep)]
    return np.linalg.det(B) + np.trace(B @ B)


def mesh_integral(a, b):
    """An integral on np.meshgrid."""
    x, y = np.meshgrid(np.linspace(0, 1, 6), np.linspace(0, 2, 5), indexing="ij")
    return (np.exp(-a * x**2) * np.cos(b * y)).mean()


def longest_increase(x):
    """Runs found by comparing neighbours, their sum kept by max()."""
    best = run = x[0]
    for a, b in zip(x[:-1], x[1:]):
        run = run + b if b > a else b
        best = max(best, run)
    return best


def max_subarray(x):
    """Kadane's algorithm."""
    best = here = x[0]
    for v in x[1:]:
        here = max(v, here + v)
        best = max(best, here)
    return best


def insertion_sort(x):
    """A sort by swaps in place."""
    a = x.copy()
    for i in range(1, len(a)):
        j = i
        while j > 0 and a[j - 1] > a[j]:
            a[j - 1], a[j] = a[j], a[j - 1].copy()
            j -= 1
    return a * np.arange(1, len(a) + 1)


def recursive_fft_power(x):
    """A Fourier transform by hand: cosines and sines, real arithmetic."""

    def fft(re, im):
        n = len(re)
        if n == 1:
            return re, im
        er, ei = fft(re[::2], im[::2])
        dr, di = fft(re[1::2], im[1::2])
        k = np.arange(n // 2)
        c, s = np.cos(2 * np.pi * k / n), np.sin(2 * np.pi * k / n)
        tr, ti = c * dr + s * di, c * di - s * dr
        return np.concatenate([er + tr, er - tr]), np.concatenate([ei + ti, ei - ti])

    re, im = fft(x, np.zeros_like(x))
    return re**2 + im**2


def continued_fraction(x, depth=8):
    """tan as a continued fraction, by recursion."""

    def level(k):
        return 2 * k + 1 - (x**2 / level(k + 1) if k < depth else 0)

    return x / level(0)


def game_of_soft_life(grid):
    """One step of a smoothed cellular automaton by rolled copies."""
    around = sum(np.roll(grid, (i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0))
    return 1 / (1 + np.exp(-10 * (grid + around - 2.5))) * np.exp(-((around - 3) ** 2))
