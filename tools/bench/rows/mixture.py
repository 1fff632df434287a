"""The log-likelihood of a mixture of Gaussians with a Wishart prior.

The objective is that of ADBench (F. Srajer, Z. Kukelova and A. Fitzgibbon, "A benchmark of selected algorithmic
differentiation tools on some problems in computer vision and machine learning", 2018): the inverse of each
covariance is L'L, where L has exp of the first d numbers of a row of ``icf`` as its diagonal, and the others below it,
column after column.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from wengert.tools.bench.rows.row import Row

__all__ = ["ROWS", "constant"]

GAMMA, M = 1.0, 0


def gmm(alphas: Any, means: Any, icf: Any, x: Any) -> Any:
    """The log-likelihood, in the logarithms of weights, the means and the factors."""
    k, d = means.shape
    columns, rows = np.triu_indices(d, 1)
    factors = np.zeros((k, d, d))
    factors[:, rows, columns] = icf[:, d:]
    diagonal = np.exp(icf[:, :d])
    factors[:, np.arange(d), np.arange(d)] = diagonal
    centred = x - means[:, None, :]
    turned = centred @ np.swapaxes(factors, 1, 2)
    logs = np.sum(icf[:, :d], axis=1)
    inner = (alphas + logs)[:, None] - 0.5 * np.sum(turned**2, axis=2)
    top = np.max(inner, axis=0)
    likelihood = np.sum(top + np.log(np.sum(np.exp(inner - top), axis=0)))
    most = np.max(alphas)
    weights = most + np.log(np.sum(np.exp(alphas - most)))
    prior = 0.5 * GAMMA**2 * (np.sum(diagonal**2) + np.sum(icf[:, d:] ** 2)) - M * np.sum(logs)
    return likelihood - len(x) * weights + prior + constant(len(x), d, k)


def constant(n: int, d: int, k: int) -> float:
    """What does not depend on the parameters: of the normal densities, and of the Wishart's."""
    degrees = d + M + 1
    gammas = 0.25 * d * (d - 1) * math.log(math.pi) + sum(math.lgamma(0.5 * (degrees - j)) for j in range(d))
    return -n * d * 0.5 * math.log(2 * math.pi) - k * (degrees * d * math.log(GAMMA / math.sqrt(2)) - gammas)


def gmm_by_hand(alphas: Any, means: Any, icf: Any, x: Any) -> Any:
    (k, d), n = means.shape, len(x)
    columns, rows = np.triu_indices(d, 1)
    factors = np.zeros((k, d, d))
    factors[:, rows, columns] = icf[:, d:]
    diagonal = np.exp(icf[:, :d])
    factors[:, np.arange(d), np.arange(d)] = diagonal
    # L (x - mean) = L x - L mean, so that one product serves all components; points are along the last axis
    turned = (factors.reshape(k * d, d) @ x.T).reshape(k, d, n)
    turned -= factors @ means[:, :, None]
    logs = np.sum(icf[:, :d], axis=1)
    inner = (alphas + logs)[:, None] - 0.5 * np.einsum("kdn,kdn->kn", turned, turned)
    top = np.max(inner, axis=0)
    shares = np.exp(inner - top)
    total = np.sum(shares, axis=0)
    shares /= total
    of_alphas = np.exp(alphas - np.max(alphas))
    weights = np.max(alphas) + np.log(np.sum(of_alphas))
    prior = 0.5 * GAMMA**2 * (np.sum(diagonal**2) + np.sum(icf[:, d:] ** 2)) - M * np.sum(logs)
    value = np.sum(top + np.log(total)) - n * weights + prior + constant(n, d, k)

    counts = np.sum(shares, axis=1)
    turned *= shares[:, None, :]  # minus the cotangent of L (x - mean)
    sums = np.sum(turned, axis=2)
    # d/dL of -|L (x - mean)|^2 / 2, summed, = -(sum of turned x' - sum of turned mean')
    outer = (turned.reshape(k * d, n) @ x).reshape(k, d, d) - sums[:, :, None] * means[:, None, :]
    d_icf = np.empty_like(icf)
    steps = np.arange(d)
    d_icf[:, d:] = GAMMA**2 * icf[:, d:] - outer[:, rows, columns]
    d_icf[:, :d] = counts[:, None] - M + diagonal * (GAMMA**2 * diagonal - outer[:, steps, steps])
    d_means = np.einsum("kij,ki->kj", factors, sums)
    return value, (counts - n * of_alphas / np.sum(of_alphas), d_means, d_icf)


def clusters(n: int, d: int, k: int) -> tuple[Any, ...]:
    rng = np.random.default_rng(0)
    icf = rng.normal(size=(k, d + d * (d - 1) // 2)) / d
    return rng.normal(size=k), rng.uniform(size=(k, d)), icf, rng.normal(size=(n, d))


def _mixture(name: str, title: str, *size: int) -> Row:
    return Row(name, title, gmm, clusters, size, gmm_by_hand, (6, 3, 2), argnums=(0, 1, 2), threads=True)


ROWS = (
    _mixture("gmm10", "GMM (ADBench), n = 1000, d = 10, K = 25", 1000, 10, 25),
    _mixture("gmm64", "GMM, n = 1000, d = 64, K = 50", 1000, 64, 50),
)
