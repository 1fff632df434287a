"""PyTensor: one compiled function per row, through C or Numba, whichever was found faster for the row."""

from __future__ import annotations

import ctypes.util
import os
import shutil
import subprocess
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from wengert.tools.bench.entry import Entry
from wengert.tools.bench.native import folder
from wengert.tools.bench.peers import transplanted
from wengert.tools.bench.rows import Row
from wengert.tools.bench.rows.loops import STEP, STEPS
from wengert.tools.bench.rows.mixture import GAMMA, M, constant

__all__ = ["entry"]

#: Functions of BLAS that its C calls.
ROUTINES = "dgemm_ dgemv_ dger_ ddot_ sgemm_ sgemv_ sger_ sdot_".split()


def blas() -> str:
    """Flags that link its C to a BLAS: the system's, or SciPy's own under the usual names.

    An installation by pip has none, and then multiplies matrices by calls back into Python.
    """
    if ctypes.util.find_library("openblas"):
        return "-lopenblas"
    import scipy

    found = sorted((Path(scipy.__file__).parent.parent / "scipy.libs").glob("libscipy_openblas-*.so"))
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if not found or compiler is None:
        return ""
    target = folder() / "libscipyblas.so"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        jumps = "\n".join(f'__asm__(".globl {f}\\n.type {f}, @function\\n{f}: jmp scipy_{f}@PLT");' for f in ROUTINES)
        command = [compiler, "-shared", "-fPIC", "-x", "c", "-", "-x", "none", "-o", str(target), str(found[0]),
                   f"-Wl,-rpath,{found[0].parent}"]  # fmt: skip
        subprocess.run(command, input=f"{jumps}\n", text=True, check=True, capture_output=True)
    return f"-L{target.parent} -lscipyblas"


os.environ.setdefault(
    "PYTENSOR_FLAGS",
    f"base_compiledir={folder() / 'pytensor'},blas__ldflags={blas()},gcc__cxxflags=-O3 -march=native",
)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import pytensor
    import pytensor.tensor as pt

#: Rows for which its Numba is faster than its C.
NUMBA = ("lstm", "lotka")


def project(c: Any, x: Any) -> Any:
    r = c[:, :3]
    angle = pt.sqrt(pt.sum(r * r, axis=1, keepdims=True))
    axis, away = r / angle, x - c[:, 3:6]
    cosine = pt.cos(angle)
    a, v = (axis[:, 0], axis[:, 1], axis[:, 2]), (away[:, 0], away[:, 1], away[:, 2])
    across = pt.stack([a[1] * v[2] - a[2] * v[1], a[2] * v[0] - a[0] * v[2], a[0] * v[1] - a[1] * v[0]], axis=1)
    along = pt.sum(axis * away, axis=1, keepdims=True)
    inside = away * cosine + across * pt.sin(angle) + axis * along * (1.0 - cosine)
    flat = inside[:, :2] / inside[:, 2:]
    square = pt.sum(flat * flat, axis=1, keepdims=True)
    return flat * (1.0 + c[:, 9:10] * square + c[:, 10:11] * square * square) * c[:, 6:7] + c[:, 7:9]


def reprojection(p: Any, features: Any) -> Any:
    return p[:, 14:] * (project(p[:, :11], p[:, 11:14]) - features)


def gmm(alphas: Any, means: Any, icf: Any, x: Any) -> Any:
    k, d = means.type.shape
    n = x.type.shape[0]
    columns, rows = np.triu_indices(d, 1)
    steps = np.arange(d)
    diagonal = pt.exp(icf[:, :d])
    factors = pt.set_subtensor(pt.zeros((k, d, d))[:, rows, columns], icf[:, d:])
    factors = pt.set_subtensor(factors[:, steps, steps], diagonal)
    shifts = pt.sum(factors * means[:, None, :], axis=2)
    turned = pt.dot(x, factors.reshape((k * d, d)).T).reshape((n, k, d)) - shifts
    logs = pt.sum(icf[:, :d], axis=1)
    inner = alphas + logs - 0.5 * pt.sum(turned * turned, axis=2)
    prior = 0.5 * GAMMA**2 * (pt.sum(diagonal**2) + pt.sum(icf[:, d:] ** 2)) - M * pt.sum(logs)
    return pt.sum(pt.logsumexp(inner, axis=1)) - n * pt.logsumexp(alphas) + prior + constant(n, d, k)


def lstm(main: Any, extra: Any, state: Any, sequence: Any) -> Any:
    layers, width = state.type.shape[0] // 2, state.type.shape[1]

    def step(now: Any, s: Any, p: Any, e: Any) -> Any:
        x, after = now * e[0], []
        for k in range(layers):
            hidden, cell = s[2 * k], s[2 * k + 1]
            gates = pt.concatenate([x, hidden, x, hidden]) * p[2 * k] + p[2 * k + 1]
            shares = pt.sigmoid(gates[: 3 * width])
            forget, let_in, let_out = (shares[q * width : (q + 1) * width] for q in range(3))
            cell = cell * forget + let_in * pt.tanh(gates[3 * width :])
            x = let_out * pt.tanh(cell)
            after += [x, cell]
        return pt.stack(after)

    states = pytensor.scan(step, sequences=[sequence[:-1]], outputs_info=[state], non_sequences=[main, extra],
                           return_updates=False, strict=True)  # fmt: skip
    y, gold = states[:, -2] * extra[1] + extra[2], sequence[1:]
    total = pt.sum(gold * (y - pt.log(pt.sum(pt.exp(y), axis=1, keepdims=True) + 2.0)))
    return -total / ((sequence.type.shape[0] - 1) * width)


def lotka(y: Any, rates: Any) -> Any:
    def step(u: Any, v: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
        field = lambda u, v: (u * (a - b * v), v * (c * u - d))
        k1, l1 = field(u, v)
        k2, l2 = field(u + 0.5 * STEP * k1, v + 0.5 * STEP * l1)
        k3, l3 = field(u + 0.5 * STEP * k2, v + 0.5 * STEP * l2)
        k4, l4 = field(u + STEP * k3, v + STEP * l3)
        return u + STEP / 6 * (k1 + 2 * k2 + 2 * k3 + k4), v + STEP / 6 * (l1 + 2 * l2 + 2 * l3 + l4)

    u, v = pytensor.scan(step, outputs_info=[y[0], y[1]], non_sequences=[rates[i] for i in range(4)], n_steps=STEPS,
                         return_updates=False, strict=True)  # fmt: skip
    return u[-1] ** 2 + v[-1] ** 2


def entry(row: Row, given: tuple[Any, ...], arguments: tuple[Any, ...]) -> Entry:
    """The row, by PyTensor."""
    own = {"gmm": gmm, "lstm": lstm, "lotka": lotka, "reprojection": reprojection}
    function = own.get(row.function.__name__) or transplanted(row.function, pt)
    xs = [pt.tensor(f"x{i}", dtype="float64", shape=np.shape(x)) for i, x in enumerate(given)]
    result = function(*xs[: len(arguments)])
    mode = pytensor.compile.mode.get_mode("NUMBA" if row.name in NUMBA else "FAST_RUN")
    if row.name not in NUMBA:
        mode = pytensor.compile.mode.Mode(linker="cvm", optimizer="fast_run")
    match row.asked:
        case "gradient":
            outputs = [result, *pytensor.grad(result, [xs[i] for i in row.argnums])]
        case "product":
            slope = pytensor.grad(result, xs[0])
            outputs = [result, pytensor.grad(pt.sum(slope * xs[1]), xs[0], consider_constant=[xs[1]])]
        case "blocks":
            outputs = [pt.stack([pytensor.grad(pt.sum(result[:, q]), xs[0]) for q in range(2)], axis=1)]
        case "jacobian":
            outputs = [pytensor.gradient.jacobian(result, xs[0], vectorize=True)]
        case _:
            outputs = [pytensor.gradient.jacobian(pytensor.grad(result, xs[0]), xs[0], vectorize=True)]
    arrays = tuple(np.asarray(x, dtype=float) for x in given)
    compiled = pytensor.function(xs, outputs, mode=mode, on_unused_input="ignore")
    compiled.trust_input = True
    if row.asked in ("gradient", "product"):
        return Entry(compiled, arrays, read=lambda out: (out[0], tuple(out[1:])))
    return Entry(compiled, arrays, read=lambda out: out[0])
