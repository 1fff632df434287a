"""autograd: the user's functions with its NumPy; it traces again at every call, and there is nothing to prepare."""

from __future__ import annotations

from typing import Any

import autograd
import autograd.numpy as anp
import numpy as np
from autograd.scipy.special import logsumexp

from wengert.tools.bench.entry import Entry
from wengert.tools.bench.peers import transplanted
from wengert.tools.bench.rows import Row
from wengert.tools.bench.rows.mixture import GAMMA, M, constant

__all__ = ["entry"]


def gmm(alphas: Any, means: Any, icf: Any, x: Any) -> Any:
    """It has no assignment to entries: the factors are read from rows with a zero at their end."""
    (n, d), k = x.shape, len(alphas)
    diagonal = anp.exp(icf[:, :d])
    factors = anp.concatenate([diagonal, icf[:, d:], np.zeros((k, 1))], axis=1)[:, places(d)]
    shifts = anp.einsum("kij,kj->ki", factors, means)
    turned = anp.reshape(anp.dot(x, anp.reshape(factors, (k * d, d)).T), (n, k, d)) - shifts
    logs = anp.sum(icf[:, :d], axis=1)
    inner = alphas + logs - 0.5 * anp.sum(turned * turned, axis=2)
    prior = 0.5 * GAMMA**2 * (anp.sum(diagonal**2) + anp.sum(icf[:, d:] ** 2)) - M * anp.sum(logs)
    return anp.sum(logsumexp(inner, axis=1)) - n * logsumexp(alphas) + prior + constant(n, d, k)


def places(d: int) -> Any:
    """Where each entry of a factor is in its row of ``icf``, whose end is zero."""
    columns, rows = np.triu_indices(d, 1)
    out = np.full((d, d), d + len(rows))
    out[np.arange(d), np.arange(d)] = np.arange(d)
    out[rows, columns] = d + np.arange(len(rows))
    return out


def entry(row: Row, given: tuple[Any, ...], arguments: tuple[Any, ...]) -> Entry:
    """The row, by autograd."""
    function = gmm if row.function.__name__ == "gmm" else transplanted(row.function, anp)
    match row.asked:
        case "product":
            gradient = autograd.grad(function)

            def product(x: Any, v: Any) -> Any:
                return function(x), (autograd.make_jvp(gradient)(x)(v)[1],)

            return Entry(product, given)
        case "blocks":

            def blocks(p: Any, features: Any) -> Any:
                pull, result = autograd.make_vjp(lambda q: function(q, features))(p)
                rows = np.eye(result.shape[1])[:, None] + np.zeros((1, len(result), 1))
                return np.stack([pull(each) for each in rows], axis=1)

            return Entry(blocks, given, value=function, value_args=arguments)
        case "jacobian":
            return Entry(autograd.jacobian(function), given, value=function, value_args=arguments)
        case "hessian":
            return Entry(autograd.hessian(function), given, value=function, value_args=arguments)
    if row.argnums == (0,):
        one = autograd.value_and_grad(function)
        return Entry(one, given, read=lambda out: (out[0], (out[1],)), value=function, value_args=arguments)
    rest = given[len(row.argnums) :]
    both = autograd.value_and_grad(lambda own: function(*own, *rest))
    own = tuple(given[: len(row.argnums)])
    return Entry(lambda *_: both(own), given, value=function, value_args=arguments)
