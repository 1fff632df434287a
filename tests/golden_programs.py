"""The programs whose generated text is kept.  Their line numbers are part of it: append, do not insert."""

import numpy as np

import wengert as wg

X = np.array([0.3, 1.2, 2.1])
M = np.arange(6.0).reshape(2, 3) / 7


def colah(a, b):
    return (a + b) * (b + 1)


def chain(x):
    return np.exp(np.sin(x**2))


def rosenbrock(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def network(w, b, x):
    hidden = np.tanh(x @ w + b)
    return np.mean(hidden**2)


def softmax(x):
    e = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


def masked(x):
    return np.sum(np.where(x > 1, np.log(x), 0.0))


def product(x):
    return np.prod(x)


def moved(x):
    y = np.concatenate([x.T, np.flip(x.T, 0)], axis=1)
    return np.pad(y, 1)[:, ::2]


def running(x):
    return np.cumsum(x, axis=1) * np.sort(x, axis=1)


def gathered(x):
    return x[[0, 2, 2]] * np.argmax(x)


def integers(n, k):
    return n // k + (n % k) * 2 - (n << 1)


def single(x):
    return x / 3 + np.hypot(x, 1)


def branch(x):
    if x[0] > 0:
        return x[0] * x[1]
    return x[2]


def recurrent(x):
    last, seen = wg.scan(lambda c, v: (np.tanh(c * v) + v, c), 0.5, x)
    return last * seen.sum()


def halved(x):
    return wg.while_loop(lambda c: np.sum(c * c) > 0.1, lambda c: 0.5 * c, x).sum()


def chosen(x):
    return wg.cond(x[0] > x[1], np.sin, np.cos, x).sum()


def smoothed(x, w):
    return np.sum((x[1:] - x[:-1]) ** 2 * w[0]) / len(x) + np.mean(np.cumsum(x)[::2]) * w[1]


PROGRAMS = {
    "colah": (colah, (2.0, 1.0)),
    "chain": (chain, (0.7,)),
    "rosenbrock": (rosenbrock, (np.ones(5),)),
    "network": (network, (M.T, np.zeros(2), X[None])),
    "softmax": (softmax, (M,)),
    "masked": (masked, (X,)),
    "product": (product, (X,)),
    "moved": (moved, (M,)),
    "running": (running, (M,)),
    "gathered": (gathered, (X,)),
    "integers": (integers, (np.array([7, -7, 0]), np.array([2, 0, -3]))),
    "single": (single, (X.astype(np.float32),)),
    "branch": (branch, (X,)),
    "recurrent": (recurrent, (X,)),
    "halved": (halved, (X,)),
    "chosen": (chosen, (X,)),
}
#: With what they are recorded for: arrays of any length.
SIZED = {"smoothed": (smoothed, (X, np.array([0.5, 2.0])), (wg.spec(("n",)), wg.spec((2,))))}
