"""PyTorch: value and derivative as one program of torch.compile, or eager where compiling would unroll a long loop."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.tools.bench.entry import Entry
from wengert.tools.bench.native import folder
from wengert.tools.bench.rows import Row
from wengert.tools.bench.rows.loops import STEP, STEPS
from wengert.tools.bench.rows.mixture import GAMMA, M, constant

os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(folder() / "torch"))

import torch
from torch.func import grad_and_value, hessian, jacrev, jvp, vmap

__all__ = ["entry"]

#: Rows of long Python loops, which the compiler would write out.
EAGER = ("lstm", "lotka")


def product(a: Any, b: Any) -> Any:
    return (a + b) * (b + 1)


def rosenbrock(x: Any) -> Any:
    return torch.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2)


def xor(W1: Any, b1: Any, W2: Any, b2: Any, X: Any, Y: Any) -> Any:
    return torch.sum((torch.sigmoid(torch.tanh(X @ W1 + b1) @ W2 + b2) - Y) ** 2)


def logistic(w: Any, X: Any, y: Any) -> Any:
    return torch.mean(torch.log1p(torch.exp(-y * (X @ w))))


def mlp(W1: Any, b1: Any, W2: Any, b2: Any, W3: Any, b3: Any, X: Any, Y: Any) -> Any:
    z = torch.relu(torch.addmm(b2, torch.relu(torch.addmm(b1, X, W1)), W2))
    z = torch.addmm(b3, z, W3)
    return torch.mean(torch.logsumexp(z, 1) - torch.sum(z * Y, 1))


def gmm(alphas: Any, means: Any, icf: Any, x: Any) -> Any:
    (n, d), k = x.shape, len(alphas)
    columns, rows = (torch.from_numpy(i) for i in np.triu_indices(d, 1))
    diagonal = torch.exp(icf[:, :d])
    factors = torch.diag_embed(diagonal).index_put((torch.arange(k)[:, None], rows, columns), icf[:, d:])
    shifts = (factors @ means[:, :, None])[:, :, 0]
    turned = (x @ factors.reshape(k * d, d).T).reshape(n, k, d) - shifts
    logs = torch.sum(icf[:, :d], 1)
    inner = alphas + logs - 0.5 * torch.sum(turned * turned, 2)
    prior = 0.5 * GAMMA**2 * (torch.sum(diagonal**2) + torch.sum(icf[:, d:] ** 2)) - M * torch.sum(logs)
    likelihood = torch.sum(torch.logsumexp(inner, 1)) - n * torch.logsumexp(alphas, 0)
    return likelihood + prior + constant(n, d, k)


def lstm(main: Any, extra: Any, state: Any, sequence: Any) -> Any:
    hidden, cell = list(state[::2]), list(state[1::2])
    width, outputs = sequence.shape[1], []
    weights = main.unbind(0)
    for x in (sequence[:-1] * extra[0]).unbind(0):
        for k in range(len(hidden)):
            gates = torch.addcmul(weights[2 * k + 1], torch.cat((x, hidden[k], x, hidden[k])), weights[2 * k])
            forget, let_in, let_out = torch.sigmoid(gates[: 3 * width]).split(width)
            cell[k] = cell[k] * forget + let_in * torch.tanh(gates[3 * width :])
            x = hidden[k] = let_out * torch.tanh(cell[k])
        outputs.append(x)
    y, gold = torch.stack(outputs) * extra[1] + extra[2], sequence[1:]
    return -torch.sum(gold * (y - torch.log(torch.sum(torch.exp(y), 1, keepdim=True) + 2.0))) / gold.numel()


def lotka(y: Any, rates: Any) -> Any:
    """Both equations at once: each population times what the other adds to its own rate."""
    own, other = torch.stack((rates[0], -rates[3])), torch.stack((-rates[1], rates[2]))
    slope = lambda y: y * torch.addcmul(own, other, y.flip(0))
    for _ in range(STEPS):
        k1 = slope(y)
        k2 = slope(torch.add(y, k1, alpha=0.5 * STEP))
        k3 = slope(torch.add(y, k2, alpha=0.5 * STEP))
        k4 = slope(torch.add(y, k3, alpha=STEP))
        y = torch.add(y, k1 + k4 + 2 * (k2 + k3), alpha=STEP / 6)
    return torch.sum(y**2)


def reprojection(p: Any, feature: Any) -> Any:
    """Of one observation."""
    r, away = p[:3], p[11:14] - p[3:6]
    angle = torch.sqrt(torch.sum(r * r))
    axis, cosine = r / angle, torch.cos(angle)
    inside = away * cosine + torch.linalg.cross(axis, away) * torch.sin(angle)
    inside = inside + axis * torch.sum(axis * away) * (1.0 - cosine)
    flat = inside[:2] / inside[2]
    s = torch.sum(flat * flat)
    return p[14] * (flat * (1.0 + p[9] * s + p[10] * s * s) * p[6] + p[7:9] - feature)


def elementwise(x: Any) -> Any:
    return torch.sum(torch.log1p(torch.exp(x * torch.sin(x))) + x**2 * torch.tanh(x))


def layered(x: Any, W1: Any, W2: Any) -> Any:
    return torch.tanh(W2 @ torch.tanh(W1 @ x))


def penalised(w: Any, X: Any) -> Any:
    return torch.sum(torch.log1p(torch.exp(-(X @ w)))) + 0.5 * torch.sum(w**2)


def eager(function: Callable[..., Any], argnums: tuple[int, ...]) -> Callable[..., Any]:
    """Value and gradients by its tape."""

    def both(*args: Any) -> Any:
        own = [args[i].detach().requires_grad_() for i in argnums]
        value = function(*own, *args[len(own) :])
        return torch.autograd.grad(value, own), value.detach()

    return both


def entry(row: Row, given: tuple[Any, ...], arguments: tuple[Any, ...]) -> Entry:
    """The row, by PyTorch."""
    torch._dynamo.reset()  # noqa: SLF001 (what it kept of other rows would be asked first)
    function = globals()[row.function.__name__]
    put = lambda values: tuple(torch.as_tensor(x, dtype=torch.float64) for x in values)
    match row.asked:
        case "gradient":
            call = grad_and_value(function, argnums=row.argnums)
            if row.name in EAGER:
                return Entry(eager(function, row.argnums), put(given), read=lambda out: (out[1], out[0]))
        case "product":

            def call(x: Any, v: Any) -> Any:
                (_, value), (moved, _) = jvp(grad_and_value(function), (x,), (v,))
                return (moved,), value

        case "blocks":
            call = vmap(jacrev(function))
        case "jacobian":
            call = jacrev(function)
        case _:
            call = hessian(function)
    compiled = torch.compile(call, fullgraph=True, dynamic=False)
    if row.asked in ("gradient", "product"):
        return Entry(compiled, put(given), read=lambda out: (out[1], out[0]))
    return Entry(compiled, put(given))
