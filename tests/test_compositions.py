"""Transformations of transformations, to depth three, of random programs: two ways to each, that share little.

Each of jvp, vjp, vmap, jacobian, checkpoint and scan turns a function of vectors into another one, and so they compose.
Its double gives the same by other means: a Jacobian for a product with one, a Python loop for lanes and for a scan,
the function itself for a checkpoint.
"""

from __future__ import annotations

import itertools
import os

import numpy as np
import pytest

import wengert as wg

N = 3
V = np.array([0.7, -0.4, 1.1])
MATRIX = np.array([[0.6, -0.3, 0.1], [0.2, 0.5, -0.4], [-0.1, 0.3, 0.4]])
STEPS = np.array([0.8, -0.6])


def scanned(f):
    return lambda x: wg.scan(lambda c, a: (np.tanh(f(c) * a) + x, c * a), x, STEPS)


def unrolled(f, x):
    c, ys = x, []
    for a in STEPS:
        c, y = np.tanh(f(c) * a) + x, c * a
        ys.append(y)
    return c + sum(ys)


def final(pair):
    return pair[0] + pair[1].sum(axis=0)


#: Each transformation, and its double.
BOTH = {
    "jvp": (lambda f: lambda x: wg.jvp(f, (x,), (V,))[1], lambda f: lambda x: wg.jacobian(f, mode="reverse")(x) @ V),
    "vjp": (lambda f: lambda x: wg.vjp(f, x)[1](V)[0], lambda f: lambda x: V @ wg.jacobian(f, mode="forward")(x)),
    "vmap": (
        lambda f: lambda x: wg.vmap(f)(np.stack([x, 0.5 * x - V])).sum(axis=0),
        lambda f: lambda x: f(x) + f(0.5 * x - V),
    ),
    "jacobian": (
        lambda f: lambda x: wg.jacobian(f)(x).sum(axis=1),
        lambda f: lambda x: sum(wg.jvp(f, (x,), (row,))[1] for row in np.eye(N)),
    ),
    "checkpoint": (lambda f: wg.checkpoint(f), lambda f: f),
    "scan": (lambda f: lambda x: final(scanned(f)(x)), lambda f: lambda x: unrolled(f, x)),
}

#: What programs are made of: smooth near where they are evaluated, and of moderate size.
UNARY = [
    np.sin, np.tanh, np.arctan, lambda x: np.exp(-x * x), lambda x: np.log1p(x * x), lambda x: np.sqrt(1 + x * x),
    lambda x: MATRIX @ x, lambda x: x[::-1], lambda x: np.cumsum(x) / 2, lambda x: x - x.mean(), np.roll,
    lambda x: np.where(x > 0.3, x * x, np.sin(x)), lambda x: x / (1 + np.sum(x * x)), lambda x: np.cumprod(np.cos(x)),
    lambda x: np.concatenate([x[1:], x[:1] * 0.5]), lambda x: np.take(x, [2, 0, 2]), lambda x: np.sort(x),
    lambda x: np.linalg.solve(np.eye(N) * 2 + np.outer(np.tanh(x), V) / 9, x), lambda x: np.maximum(x, 0.2 * x),
    lambda x: np.abs(np.fft.rfft(x)[0]) / 4 + x, lambda x: np.interp(x, [-9.0, 0.0, 9.0], [-1.0, 0.5, 2.0]),
    lambda x: wg.cond(x[0] > x[1], np.sin, np.cos, x),
    lambda x: wg.while_loop(lambda c: np.sum(c * c) > 0.5, lambda c: c * 0.6, x) + 0.3 * x,
    lambda x: wg.fori_loop(0, 2, lambda i, c: np.sin(c) + 0.1 * x, x),
]  # fmt: skip
UNARY[10] = lambda x: np.roll(x, 1)
BINARY = [np.add, np.subtract, np.multiply, lambda x, y: x / (2 + y * y), lambda x, y: np.hypot(x, 1 + y),
          lambda x, y: np.outer(np.tanh(x), y).sum(axis=0) / 3, np.minimum]  # fmt: skip


def program(seed):
    """A random function of a vector: a graph of five steps, each of values before it."""
    rng = np.random.default_rng(seed)
    plan = [(int(rng.integers(len(UNARY) + len(BINARY))), *map(int, rng.integers(0, i + 1, 2))) for i in range(5)]

    def f(x):
        values = [x]
        for which, i, j in plan:
            if which < len(UNARY):
                values.append(UNARY[which](values[i]))
            else:
                values.append(BINARY[which - len(UNARY)](values[i], values[j]))
        return values[-1] + 0.1 * values[-2]

    return f


CHAINS = [chain for depth in (1, 2, 3) for chain in itertools.product(BOTH, repeat=depth)]


def composed(chain, f, which):
    for name in chain:
        f = BOTH[name][which](f)
    return f


def check(seed, chain, backend):
    f = program(seed)
    x = np.random.default_rng(seed + 1).normal(size=N)
    want = wg.trace(composed(chain, f, 1), backend="numpy")(x)
    found = wg.trace(composed(chain, f, 0), backend=backend)(x)
    assert found.shape == want.shape
    np.testing.assert_allclose(found, want, rtol=1e-7, atol=1e-7 * max(1.0, np.abs(want).max()))


#: Of the deepest, as many as `make test` has time for; `make soak` takes all, of many programs.
SOME = [k for k, chain in enumerate(CHAINS) if len(chain) < 3 or k % 12 == 0]


@pytest.mark.parametrize("k", SOME, ids=["-".join(CHAINS[k]) for k in SOME])
def test_composition(k):
    check(k, CHAINS[k], ("numpy", "python")[k % 2])


@pytest.mark.skipif(not os.environ.get("WENGERT_SOAK"), reason="make soak: 1,032 compositions of 20 programs")
@pytest.mark.parametrize("backend", ["numpy", "python", "c", "reference"])
@pytest.mark.parametrize("seed", range(1000, 1020))
def test_every_composition_of_a_random_program(seed, backend):
    for k, chain in enumerate(CHAINS):
        if backend != "c" or k % 10 == seed % 10:
            check(seed, chain, backend)
