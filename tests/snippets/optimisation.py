"""Functions that optimisers are tried on, and optimisers that are tried on them."""

import numpy as np


def ackley(x, a=20.0, b=0.2, c=2 * np.pi):
    """Ackley: a bowl under egg boxes."""
    d = len(x)
    s1 = np.sqrt(sum(x**2) / d)
    s2 = sum(np.cos(c * x)) / d
    return -a * np.exp(-b * s1) - np.exp(s2) + a + np.e


def rastrigin(x):
    """Rastrigin: a valley every unit step."""
    return 10 * x.size + (x**2 - 10 * np.cos(2 * np.pi * x)).sum()


def himmelblau(p):
    """Himmelblau: four equal minima."""
    x, y = p
    return (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2


def rosenbrock_slices(x):
    """Rosenbrock's valley by slices."""
    return np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def rosenbrock_loop(x):
    """Rosenbrock's valley by a loop over indices."""
    total = 0
    for i in range(len(x) - 1):
        total += 100 * (x[i + 1] - x[i] ** 2) ** 2
        total += (1 - x[i]) ** 2
    return total


def styblinski_tang(x):
    """Styblinski and Tang: a quartic in each coordinate, by a generator."""
    return 0.5 * sum(v**4 - 16 * v**2 + 5 * v for v in x)


def beale(x, y):
    """Beale: steep at the corners; two scalar arguments."""
    terms = [(1.5, 1), (2.25, 2), (2.625, 3)]
    return np.sum([(c - x + x * y**k) ** 2 for c, k in terms])


def griewank(x):
    """Griewank: a product of cosines over a bowl."""
    i = np.arange(1, x.shape[0] + 1)
    return 1 + np.sum(x**2) / 4000 - np.prod(np.cos(x / np.sqrt(i)))


def levy(x):
    """Levy: first, middle and last coordinates differ."""
    w = 1 + (x - 1) / 4
    first = np.sin(np.pi * w[0]) ** 2
    last = (w[-1] - 1) ** 2 * (1 + np.sin(2 * np.pi * w[-1]) ** 2)
    wi = w[:-1]
    return first + ((wi - 1) ** 2 * (1 + 10 * np.sin(np.pi * wi + 1) ** 2)).sum() + last


def michalewicz(x, m=10):
    """Michalewicz: ravines, by enumerate."""
    total = 0.0
    for i, xi in enumerate(x, start=1):
        total -= np.sin(xi) * np.sin(i * xi**2 / np.pi) ** (2 * m)
    return total


def schwefel(x):
    """Schwefel: the best is far from the next best."""
    return 418.9829 * len(x) - np.dot(x, np.sin(np.sqrt(np.abs(x))))


def rotated_ellipsoid(x):
    """Partial sums squared."""
    return np.sum(np.cumsum(x) ** 2)


def easom(p):
    """Easom: a needle, written with tuple unpacking and math constants."""
    x, y = p[0], p[1]
    return -np.cos(x) * np.cos(y) * np.exp(-((x - np.pi) ** 2 + (y - np.pi) ** 2))


_A = np.array([[10, 3, 17, 3.5], [0.05, 10, 17, 0.1], [3, 3.5, 1.7, 10]])
_P = 1e-4 * np.array([[1312, 1696, 5569, 124], [2329, 4135, 8307, 3736], [2348, 1451, 3522, 2883]])


def hartmann(x):
    """Hartmann: constants of the module, broadcast."""
    alpha = np.array([1.0, 1.2, 3.0])
    return -alpha @ np.exp(-np.sum(_A * (x - _P) ** 2, axis=1))


def powell_singular(x):
    """Powell: reshaped into blocks of four."""
    a, b, c, d = x.reshape(-1, 4).T
    return np.sum((a + 10 * b) ** 2 + 5 * (c - d) ** 2 + (b - 2 * c) ** 4 + 10 * (a - d) ** 4)


def penalised(x, rho):
    """An objective with quadratic penalties for what it may not do."""
    f = (x[0] - 2) ** 2 + (x[1] - 1) ** 2
    g = np.array([x[0] ** 2 - x[1], x[0] + x[1] - 2])
    h = x[0] - 2 * x[1] + 1
    return f + rho * (np.maximum(g, 0) ** 2).sum() + rho * h**2


def gradient_descent(start, rate):
    """Ten steps of gradient descent by a gradient that is written by hand."""
    x = start.copy()
    for _ in range(10):
        g = np.zeros_like(x)
        g[0] = 2 * x[0] + 0.5 * x[1]
        g[1] = 0.5 * x[0] + 4 * x[1] ** 3
        x -= rate * g
    return x


def adam(start, rate, beta1=0.9, beta2=0.999):
    """Adam with its moments in place."""
    x = start.copy()
    m, v = np.zeros_like(x), np.zeros_like(x)
    for t in range(1, 6):
        g = 2 * x * np.array([1.0, 10.0, 0.1])
        m *= beta1
        m += (1 - beta1) * g
        v *= beta2
        v += (1 - beta2) * g * g
        x -= rate * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + 1e-8)
    return x


def backtracking(x, c=1e-4):
    """One step of a line search that halves until Armijo is content."""
    f = lambda z: z @ z + np.cos(z).sum()
    g = 2 * x - np.sin(x)
    step = 4.0
    while f(x - step * g) > f(x) - c * step * (g @ g):
        step /= 2
    return x - step * g


def simplex_projection(v):
    """The nearest point of the probability simplex, by sorting."""
    u = np.sort(v)[::-1]
    css = np.cumsum(u)
    rho = np.nonzero(u * np.arange(1, len(v) + 1) > (css - 1))[0][-1]
    theta = (css[rho] - 1) / (rho + 1.0)
    return np.maximum(v - theta, 0)


def soft_threshold(x, lam):
    """The proximal map of the 1-norm."""
    return np.sign(x) * np.maximum(np.abs(x) - lam, 0.0)


def conjugate_gradient(A, b):
    """Conjugate gradients for a positive definite matrix, to the end."""
    x = np.zeros_like(b)
    r = b - A @ x
    p = r.copy()
    rs = r @ r
    for _ in range(len(b)):
        Ap = A @ p
        alpha = rs / (p @ Ap)
        x += alpha * p
        r -= alpha * Ap
        new = r @ r
        p = r + (new / rs) * p
        rs = new
    return x


def gauss_newton(theta, t, y):
    """One Gauss-Newton step for a decaying oscillation; the Jacobian by hand."""
    a, k = theta
    model = a * np.exp(-k * t)
    J = np.column_stack((np.exp(-k * t), -a * t * np.exp(-k * t)))
    return theta + np.linalg.solve(J.T @ J, J.T @ (y - model))


def log_barrier(x, A, b, mu=0.1):
    """A linear programme with a barrier at its walls."""
    slack = b - A @ x
    if np.any(slack <= 0):
        return np.inf
    return x.sum() - mu * np.log(slack).sum()
