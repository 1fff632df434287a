"""JAX: one jitted function per row, on arrays that are on the device already, in double precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.nn import sigmoid
from jax.scipy.special import logsumexp

from wengert.tools.bench.entry import Entry
from wengert.tools.bench.peers import transplanted
from wengert.tools.bench.rows import Row
from wengert.tools.bench.rows.loops import STEP, STEPS, slope
from wengert.tools.bench.rows.mixture import GAMMA, M, constant

__all__ = ["entry"]

jax.config.update("jax_enable_x64", True)


def gmm(alphas: Any, means: Any, icf: Any, x: Any) -> Any:
    (n, d), k = x.shape, len(alphas)
    columns, rows = jnp.triu_indices(d, 1)
    diagonal = jnp.exp(icf[:, :d])
    steps = jnp.arange(d)
    factors = jnp.zeros((k, d, d)).at[:, rows, columns].set(icf[:, d:]).at[:, steps, steps].set(diagonal)
    shifts = jnp.einsum("kij,kj->ki", factors, means)
    turned = (x @ factors.reshape(k * d, d).T).reshape(n, k, d) - shifts
    logs = jnp.sum(icf[:, :d], axis=1)
    inner = alphas + logs - 0.5 * jnp.sum(turned * turned, axis=2)
    prior = 0.5 * GAMMA**2 * (jnp.sum(diagonal**2) + jnp.sum(icf[:, d:] ** 2)) - M * jnp.sum(logs)
    return jnp.sum(logsumexp(inner, axis=1)) - n * logsumexp(alphas) + prior + constant(n, d, k)


def lstm(main: Any, extra: Any, state: Any, sequence: Any) -> Any:
    """A scan over the sequence; the layers, which are few, are written out."""
    width, layers = sequence.shape[1], len(state) // 2

    def step(carry: Any, pair: Any) -> Any:
        hidden, cell = carry
        now, following = pair
        x, new_hidden, new_cell = now * extra[0], [], []
        for k in range(layers):
            gates = jnp.concatenate((x, hidden[k], x, hidden[k])) * main[2 * k] + main[2 * k + 1]
            forget, let_in, let_out = jnp.split(sigmoid(gates[: 3 * width]), 3)
            new_cell.append(cell[k] * forget + let_in * jnp.tanh(gates[3 * width :]))
            new_hidden.append(let_out * jnp.tanh(new_cell[k]))
            x = new_hidden[k]
        return (new_hidden, new_cell), (x, following)

    _, (x, gold) = lax.scan(step, (list(state[::2]), list(state[1::2])), (sequence[:-1], sequence[1:]), unroll=UNROLL)
    y = x * extra[1] + extra[2]  # of all steps at once
    total = jnp.sum(gold * (y - jnp.log(jnp.sum(jnp.exp(y), axis=1, keepdims=True) + 2.0)))
    return -total / gold.size


def lotka(y: Any, rates: Any) -> Any:
    field = transplanted(slope, jnp)

    def step(y: Any, _: Any) -> Any:
        k1 = field(y, rates)
        k2 = field(y + 0.5 * STEP * k1, rates)
        k3 = field(y + 0.5 * STEP * k2, rates)
        k4 = field(y + STEP * k3, rates)
        return y + STEP / 6 * (k1 + 2 * k2 + 2 * k3 + k4), None

    return jnp.sum(lax.scan(step, y, length=STEPS, unroll=UNROLL)[0] ** 2)


#: Steps of a scan that are compiled into one turn of its loop.
UNROLL = 8


def derivative(row: Row, function: Callable[..., Any]) -> Callable[..., Any]:
    match row.asked:
        case "gradient":
            return jax.value_and_grad(function, argnums=row.argnums)
        case "product":

            def product(x: Any, v: Any) -> Any:
                (value, _), (_, moved) = jax.jvp(jax.value_and_grad(function), (x,), (v,))
                return value, (moved,)

            return product
        case "blocks":
            one = lambda p, features: function(p[None], features[None])[0]
            return jax.vmap(jax.jacrev(one))
        case "jacobian":
            return jax.jacrev(function)
        case _:
            return jax.hessian(function)


def entry(row: Row, given: tuple[Any, ...], arguments: tuple[Any, ...]) -> Entry:
    """The row, by JAX."""
    own = {"gmm": gmm, "lstm": lstm, "lotka": lotka}
    function = own.get(row.function.__name__) or transplanted(row.function, jnp)
    compiled, value = jax.jit(derivative(row, function)), jax.jit(function)
    if row.asked in ("gradient", "product"):

        def call(*args: Any) -> Any:
            out = compiled(*args)
            out[0].block_until_ready()  # all results of a program are ready at once
            return out

    else:
        call = lambda *args: compiled(*args).block_until_ready()
    put = lambda values: tuple(jnp.asarray(x) for x in values)
    return Entry(call, put(given), value=lambda *args: value(*args).block_until_ready(), value_args=put(arguments))
