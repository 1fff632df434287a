"""CasADi: its generated C, compiled as hand-written C is, and called through buffers that are bound once."""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import casadi as ca
import numpy as np

from wengert.tools.bench.entry import Absent, Entry
from wengert.tools.bench.native import folder
from wengert.tools.bench.rows import Row
from wengert.tools.bench.rows.loops import STEP, STEPS
from wengert.tools.bench.rows.mixture import GAMMA, M, constant

__all__ = ["entry"]

FLAGS = "-O3 -march=native -fno-math-errno -fno-trapping-math -ffp-contract=off -fPIC -shared -w".split()
KEPT: list[Any] = []
#: Arguments of fewer numbers are one vector, copied in, and results copied out; more are where the call reads them.
SMALL = 10_000
BATCHES = "its matrices have two axes, and no products but naive ones"


def compiled(function: Any) -> Any:
    """The function as generated C in a shared library, which is kept."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        raise Absent("needs a C compiler")
    with tempfile.TemporaryDirectory() as name:
        generator = ca.CodeGenerator("casadi_row.c")
        generator.add(function)
        generator.generate(f"{name}/")
        source = Path(name) / "casadi_row.c"
        digest = hashlib.sha256(source.read_bytes() + " ".join(FLAGS).encode()).hexdigest()[:16]
        target = folder() / f"casadi-{digest}.so"
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            made = Path(name) / "row.so"
            command = [compiler, *FLAGS, str(source), "-o", str(made), "-lm"]
            subprocess.run(command, check=True, capture_output=True)
            shutil.copy(made, target)
    return ca.external(function.name(), str(target))


def bound(function: Any, inputs: list[Any], shapes: list[tuple[int, ...]]) -> tuple[Callable[[], Any], Any, Any]:
    """A call without arguments, and the two arrays that all it reads and writes are parts of: matrices by columns."""
    buffer, call = compiled(function).buffer()
    read = np.concatenate([np.ravel(x, order="F").astype(float) for x in inputs])
    written = np.zeros(sum(int(np.prod(shape)) for shape in shapes))
    both = (read, map(np.size, inputs), buffer.set_arg), (written, map(np.prod, shapes), buffer.set_res)
    for array, sizes, bind in both:
        ends = np.cumsum([0, *sizes], dtype=int)
        for i, (first, last) in enumerate(itertools.pairwise(ends)):
            bind(i, memoryview(array[first:last]))
    KEPT.append((buffer, read, written))  # it holds pointers only
    return call, read, written


def copying(call: Callable[[], Any], read: Any, written: Any, count: int) -> Callable[..., Any]:
    """The call as everyone else's: it takes arguments, and its results stay as they are when it is called again."""
    if len(read) == 2:

        def two(x: Any, y: Any) -> Any:
            read[0] = x
            read[1] = y
            call()
            return written.tolist()

        return two
    moving = read[:count]

    def one(x: Any) -> Any:
        moving[:] = x
        call()
        return written.copy()

    return one


def dense(expressions: list[Any]) -> list[Any]:
    return [ca.densify(e) for e in expressions]


def symbols(kind: Any, given: tuple[Any, ...]) -> list[Any]:
    """A symbol for each argument: a matrix, a column, or a number."""
    return [kind.sym(f"x{i}", *(np.shape(x) or (1, 1))) for i, x in enumerate(given)]


def scalar_row(function: Callable[..., Any], kind: Any, given: tuple[Any, ...], argnums: tuple[int, ...]) -> Any:
    """Value and gradients, by its own reverse mode."""
    xs = symbols(kind, given)
    value = function(*xs)
    return ca.Function("row", xs, dense([value, *(ca.gradient(value, xs[i]) for i in argnums)]))


def product(a: Any, b: Any) -> Any:
    return (a + b) * (b + 1)


def rosenbrock(x: Any) -> Any:
    return ca.sumsqr(10.0 * (x[1:] - x[:-1] ** 2)) + ca.sumsqr(1.0 - x[:-1])


def hessian_times(x: Any, v: Any) -> Any:
    value = rosenbrock(x)
    return ca.Function("row", [x, v], dense([value, ca.jtimes(ca.gradient(value, x), x, v)]))


def xor(W1: Any, b1: Any, W2: Any, b2: Any, X: Any, Y: Any) -> Any:
    hidden = ca.tanh(X @ W1 + ca.repmat(b1.T, X.shape[0], 1))
    return ca.sumsqr(1.0 / (1.0 + ca.exp(-(hidden @ W2 + b2))) - Y)


def logistic(w: Any, X: Any, y: Any) -> Any:
    return ca.sum1(ca.log1p(ca.exp(-y * (X @ w)))) / X.shape[0]


def mlp(W1: Any, b1: Any, W2: Any, b2: Any, W3: Any, b3: Any, X: Any, Y: Any) -> Any:
    rows = X.shape[0]
    wide = lambda b: ca.repmat(b.T, rows, 1)
    h = ca.fmax(X @ W1 + wide(b1), 0.0)
    h = ca.fmax(h @ W2 + wide(b2), 0.0)
    z = h @ W3 + wide(b3)
    return (ca.sum1(ca.log(ca.sum2(ca.exp(z)))) - ca.sum2(ca.sum1(z * Y))) / rows


def gmm(given: tuple[Any, ...]) -> Any:
    """The likelihood of one point and its derivatives, mapped over the points; and the rest."""
    alphas, means, icf, x = given
    (n, d), k = x.shape, len(alphas)
    if d > 16:
        raise Absent("its straight-line code for one point would have half a million lines")
    a, m, f, p = (ca.SX.sym("s", *size) for size in ((k, 1), means.shape, icf.shape, (d, 1)))
    columns, rows = np.triu_indices(d, 1)
    inner = []
    for c in range(k):
        factor = ca.diag(ca.exp(f[c, :d]))
        for q, (i, j) in enumerate(zip(rows, columns, strict=True)):
            factor[i, j] = f[c, d + q]
        inner.append(a[c] + ca.sum2(f[c, :d]) - 0.5 * ca.sumsqr(factor @ (p - m[c, :].T)))
    inner = ca.vertcat(*inner)
    top = ca.mmax(inner)
    value = top + ca.log(ca.sum1(ca.exp(inner - top)))
    one = ca.Function("one", [a, m, f, p], dense([value, *(ca.gradient(value, s) for s in (a, m, f))]))
    every = one.map("every", "serial", n, [0, 1, 2], [0, 1, 2, 3])
    logs = ca.sum1(ca.exp(a - ca.mmax(a)))
    rest = constant(n, d, k) - n * (ca.mmax(a) + ca.log(logs)) - M * ca.sum1(ca.sum2(f[:, :d]))
    rest += 0.5 * GAMMA**2 * (ca.sumsqr(ca.exp(f[:, :d])) + ca.sumsqr(f[:, d:]))
    other = ca.Function("other", [a, f], dense([rest, ca.gradient(rest, a), ca.gradient(rest, f)]))
    A, Ms, F, X = symbols(ca.MX, given)
    found, more = every(A, Ms, F, X.T), other(A, F)
    return ca.Function("row", [A, Ms, F, X], [found[0] + more[0], found[1] + more[1], found[2], found[3] + more[2]])


def lstm(given: tuple[Any, ...]) -> Any:
    """One step in scalars, run over the sequence by its own loop, through which its reverse mode goes."""
    main, extra, state, sequence = given
    layers, width = len(state) // 2, sequence.shape[1]
    s, x, gold = ca.SX.sym("s", 2 * layers * width), ca.SX.sym("x", width), ca.SX.sym("gold", width)
    p, e = ca.SX.sym("p", *main.shape), ca.SX.sym("e", *extra.shape)
    sigmoid = lambda z: 1.0 / (1.0 + ca.exp(-z))
    y, after = x * e[0, :].T, []
    for k in range(layers):
        hidden, cell = (s[(2 * k + q) * width : (2 * k + q + 1) * width] for q in (0, 1))
        gates = ca.vertcat(y, hidden, y, hidden) * p[2 * k, :].T + p[2 * k + 1, :].T
        forget, let_in, let_out = (sigmoid(gates[q * width : (q + 1) * width]) for q in range(3))
        cell = cell * forget + let_in * ca.tanh(gates[3 * width :])
        y = let_out * ca.tanh(cell)
        after += [y, cell]
    y = y * e[1, :].T + e[2, :].T
    part = ca.dot(gold, y - ca.log(ca.sum1(ca.exp(y)) + 2.0))
    step = ca.Function("step", [s, x, gold, p, e], [ca.vertcat(*after), part])
    steps = len(sequence) - 1
    P, E, S, Q = symbols(ca.MX, given)
    wide = lambda z: ca.repmat(z, 1, steps)
    rows = Q.T
    _, parts = step.mapaccum("all", steps)(ca.vec(S.T), rows[:, :-1], rows[:, 1:], wide(P), wide(E))
    value = -ca.sum2(parts) / (steps * width)
    return ca.Function("row", [P, E, S, Q], dense([value, ca.gradient(value, P), ca.gradient(value, E)]))


def lotka(given: tuple[Any, ...]) -> Any:
    y, r = ca.SX.sym("y", 2), ca.SX.sym("r", 4)
    slope = lambda y: ca.vertcat(y[0] * (r[0] - r[1] * y[1]), y[1] * (r[2] * y[0] - r[3]))
    k1 = slope(y)
    k2 = slope(y + 0.5 * STEP * k1)
    k3 = slope(y + 0.5 * STEP * k2)
    k4 = slope(y + STEP * k3)
    step = ca.Function("step", [y, r], [y + STEP / 6 * (k1 + 2 * k2 + 2 * k3 + k4)])
    Y, R = symbols(ca.MX, given)
    value = ca.sumsqr(step.mapaccum("all", STEPS)(Y, ca.repmat(R, 1, STEPS))[:, -1])
    return ca.Function("row", [Y, R], dense([value, ca.gradient(value, Y), ca.gradient(value, R)]))


def blocks(given: tuple[Any, ...]) -> Any:
    """One observation in scalars, its Jacobian by colours, mapped over them all."""
    p, feature = ca.SX.sym("p", 15), ca.SX.sym("feature", 2)
    r = p[:3]
    x = p[11:14] - p[3:6]
    angle = ca.norm_2(r)
    axis = r / angle
    turned = x * ca.cos(angle) + ca.cross(axis, x) * ca.sin(angle) + axis * ca.dot(axis, x) * (1.0 - ca.cos(angle))
    flat = turned[:2] / turned[2]
    s = ca.sumsqr(flat)
    projected = flat * (1.0 + p[9] * s + p[10] * s * s) * p[6] + p[7:9]
    J = ca.densify(ca.jacobian(p[14] * (projected - feature), p))
    one = ca.Function("one", [p, feature], [J.T])  # by columns: a row of the block after the other
    n = len(given[0])
    P, F = ca.MX.sym("P", 15, n), ca.MX.sym("F", 2, n)
    return ca.Function("row", [P, F], [one.map(n)(P, F)])


def penalised(w: Any, X: Any) -> Any:
    return ca.sum1(ca.log1p(ca.exp(-(X @ w)))) + 0.5 * ca.sumsqr(w)


def elementwise(x: Any) -> Any:
    return ca.sum1(ca.log1p(ca.exp(x * ca.sin(x))) + x**2 * ca.tanh(x))


def entry(row: Row, given: tuple[Any, ...], arguments: tuple[Any, ...]) -> Entry:
    """The row, by CasADi."""
    shapes: list[tuple[int, ...]] = [(1,), *(np.shape(given[i]) for i in row.argnums)]
    inputs = list(given)
    name = row.function.__name__
    if row.asked == "product":
        function = hessian_times(*symbols(ca.MX, given))
    elif name in ("product", "xor") or (name == "rosenbrock" and len(given[0]) <= 100):
        function = scalar_row(globals()[name], ca.SX, given, row.argnums)
    elif name in ("logistic", "mlp", "rosenbrock", "elementwise"):
        function = scalar_row(globals()[name], ca.MX, given, row.argnums)
    elif name in ("gmm", "lstm", "lotka"):
        function = globals()[name](given)
    elif name == "reprojection":
        function, shapes = blocks(given), [(len(given[0]), 2, 15)]
        inputs = [x.T for x in given]
    elif name == "penalised":
        w, X = symbols(ca.MX, given)
        function = ca.Function("row", [w, X], [ca.densify(ca.hessian(penalised(w, X), w)[0])])
        shapes = [(len(given[0]),) * 2]
    else:
        raise Absent(BATCHES)
    call, read, written = bound(function, inputs, shapes)
    order = "C" if name == "reprojection" else "F"

    def taken(out: Any) -> Any:
        cuts = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
        pairs = zip(np.split(np.asarray(out), cuts), shapes, strict=True)
        parts = [x.reshape(shape, order=order) for x, shape in pairs]
        return (parts[0][0], tuple(parts[1:])) if row.asked in ("gradient", "product") else parts[0]

    if len(read) >= SMALL:
        return Entry(call, (), read=lambda _: taken(written))
    count = len(given) if row.asked == "product" else len(row.argnums)
    flat = np.concatenate([np.ravel(x, order="F") for x in given[:count]])
    return Entry(copying(call, read, written, len(flat)), given if len(read) == 2 else (flat,), read=taken)
