"""Programs with control flow, each beside the same program in plain Python, which a trace writes out."""

from typing import Any, NamedTuple

import numpy as np

import wengert as wg

X = np.array([0.3, 1.2, 2.1])
M = np.arange(9.0).reshape(3, 3) / 10
Z = np.array([0.4 + 0.3j, -0.2 + 1.1j])


class Pair(NamedTuple):
    low: Any
    high: Any


def unrolled(body, carry, xs=None, length=None, reverse=False):
    """``wg.scan`` in plain Python."""
    n = len(xs) if length is None else length
    ys = [None] * n
    for i in reversed(range(n)) if reverse else range(n):
        carry, ys[i] = body(carry, None if xs is None else xs[i])
    return carry, (np.stack(ys) if ys and ys[0] is not None else None)


def while_python(condition, body, carry):
    while condition(carry):
        carry = body(carry)
    return carry


class Python:
    """The names of ``wg``, in plain Python."""

    @staticmethod
    def cond(p, f, g, *xs):
        return f(*xs) if p else g(*xs)

    @staticmethod
    def switch(i, branches, *xs):
        return branches[int(i)](*xs)

    @staticmethod
    def scan(body, init, xs=None, length=None, *, reverse=False):
        return unrolled(body, init, xs, length, reverse)

    while_loop = staticmethod(while_python)

    @staticmethod
    def fori_loop(low, high, body, carry):
        for i in range(int(low), int(high)):
            carry = body(i, carry)
        return carry

    @staticmethod
    def map(f, xs):
        return np.stack([f(x) for x in xs])

    @staticmethod
    def checkpoint(f, policy="nothing"):
        return f

    @staticmethod
    def custom(f=None, *, jvp=None, vjp=None):
        return (lambda f: f) if f is None else f

    primitive = custom


def softplus_jvp(primals, tangents):
    return np.log1p(np.exp(primals[0])), tangents[0] / (1 + np.exp(-primals[0]))


def softplus_vjp(primals, out, g):
    return (g / (1 + np.exp(-primals[0])),)


def softplus(x):
    return np.log1p(np.exp(x))


def product_jvp(primals, tangents):
    (x, y), (dx, dy) = primals, tangents
    return {"p": x * y, "s": x + y.sum()}, {"p": dx * y + x * dy, "s": dx + dy.sum()}


def product_vjp(primals, out, g):
    x, y = primals
    return g["p"] * y + g["s"], g["p"] * x + g["s"].sum()


def product(x, y):
    return {"p": x * y, "s": x + y.sum()}


def outside(x):
    return np.asarray(x) ** 3 + np.asarray(x)[::-1]


PRIMITIVE = wg.primitive(outside, vjp=lambda p, out, g: (3 * p[0] ** 2 * g + g[::-1],), name="tests.outside")


def newton(ns, a):
    return ns.while_loop(lambda s: np.abs(s * s - a) > 1e-9, lambda s: 0.5 * (s + a / s), np.ones_like(a))


def rnn(ns, w, x):
    def step(h, v):
        h = np.tanh(w @ h + v)
        return h, h.sum()

    h, ys = ns.scan(step, np.zeros(3), x[:, None] * np.ones((3, 3)))
    return np.sum(ys * ys) + h[0], ys


def while_in_scan_in_cond(ns, x, c):
    def outer(carry, v):
        def grow(s):
            return s[0] + np.abs(s[1]) + 0.1 + v * c, s[1] * 1.1  # v and c from two levels above

        a, b = ns.while_loop(lambda s: s[0] < 3 * v + c, grow, (v * 1.0, carry))
        return np.sin(a + b), b

    def run(x):
        carry, ys = ns.scan(outer, 0.5 * c, x, reverse=True)
        return carry * ys.sum()

    return ns.cond(c > 0, run, lambda x: x.sum() * 1.0, x)


def scan_in_while(ns, x):
    def body(s):
        total, ys = ns.scan(lambda c, v: (np.sin(c) + v * s[1], c * v), s[0], x)
        return total + ys.sum() * 0.1, s[1] * 0.7

    return ns.while_loop(lambda s: s[1] > 0.2, body, (x[0], np.float64(1.0)))


def switch_in_while(ns, x):
    def body(s):
        k, v = s
        branches = [lambda v: np.sin(v) * x, lambda v: v * 2.0 + M[0], lambda v: v * v * x[0]]
        return k + 1, ns.switch(k % 3, branches, v)

    return ns.while_loop(lambda s: s[0] < 7, body, (np.int64(0), x))[1]


def while_in_while(ns, x):
    def outer(s):
        i, v = s
        inner = ns.while_loop(lambda t: t[0] < i * 1.0, lambda t: (t[0] + 1.0, np.sin(t[1]) + t[1] * x[1]), (0.0, v))
        return i + 1, inner[1]

    return ns.while_loop(lambda s: s[0] < 4, outer, (np.int64(0), x[0]))[1]


def scan_in_scan(ns, w, x):
    def outer(c, row):
        inner, ys = ns.scan(lambda d, v: (d * v + c, np.sin(d) * row), c, row)
        return inner, (ys.sum(), inner * x)

    c, (a, b) = ns.scan(outer, x[0], w) if ns is wg else _pairwise(outer, x[0], w)
    return c, a, b


def _pairwise(body, carry, xs):
    ys = []
    for v in xs:
        carry, y = body(carry, v)
        ys.append(y)
    return carry, tuple(map(np.stack, zip(*ys, strict=True)))


def structured(ns, x):
    def step(c, v):
        new = {"a": c["a"] * v.low, "b": Pair(c["b"].low + v.high, c["b"].high * 1.1)}
        return new, Pair(new["a"], (new["b"].low * v.low,))

    init = {"a": x[0], "b": Pair(x, np.float64(1.0))}
    xs = Pair(x * 2, x[::-1])
    if ns is wg:
        c, ys = ns.scan(step, init, xs)
    else:
        c, each = init, []
        for i in range(3):
            c, y = step(c, Pair(xs.low[i], xs.high[i]))
            each.append(y)
        ys = Pair(np.stack([y.low for y in each]), (np.stack([y.high[0] for y in each]),))
    return c, ys


def mixed_carry(ns, x):
    """int, bool, float32 and complex beside float64."""
    def step(s, v):
        k, flag, single, z, y = s
        new = k + 1, flag ^ (v > 1), single * np.float32(1.5), z * (v + 1j), y + v * k
        return new, np.where(flag, y, k)

    init = (np.int64(0), np.bool_(True), x.astype(np.float32), x[0] * (1 + 0.5j), x[1])
    (_, _, single, z, y), ys = ns.scan(step, init, x)
    return single, z, y, ys


def of_complex(ns, z):
    c, ys = ns.scan(lambda c, v: (c * v + np.conj(c), np.abs(c) * v), z[0], z)
    return c, ys, ns.while_loop(lambda s: np.abs(s) < 5, lambda s: s * s + z[1], z[1] + 1.5)


def flowing_late(ns, x):
    """The carry is a constant at first; tangents reach it in three steps, from one place to the next."""
    def step(s, v):
        a, b, c = s
        return (v, a * 2.0, b + c), c * v

    return ns.scan(step, (0.0, 0.0, 1.0), x)


def stopped(ns, x):
    return ns.scan(lambda c, v: (wg.stop_gradient(c) * v + c, v), x[0], x)


def carried_through(ns, x):
    """What a loop carries and does not change; a carry and a result that are one; two results that are one."""
    step = lambda s, v: ((s[0], s[1] * v, s[1] * v), s[1] * v)
    return ns.scan(step, (x, x[0], x[0]), x)


def empty_rows(ns, w):
    """Steps over arrays without entries."""
    return ns.scan(lambda c, v: (c + v, v * 2), w[0, :0], w[:, :0])


def no_steps(ns, x):
    if ns is wg:
        return wg.scan(lambda c, v: (c * v, np.sin(c)), x[0], x[:0])
    return x[0] * 1.0, np.zeros(0)


def counted(ns, x):
    return ns.scan(lambda c, _: (np.sin(c) * x, None), x, length=4)[0]


def pulses(ns, x):
    return ns.scan(lambda c, v: (None, np.sin(v) * x), None, x)[1]


def stacked(ns, x):
    """A map in a while in a switch."""
    def body(s):
        return s[0] * 2, ns.map(lambda v: np.sin(v) * s[0] + np.exp(s[1][0] * 0.1), s[1])

    def run(x):
        return ns.while_loop(lambda s: s[0] < 5, body, (x[0], x))[1]

    return ns.switch(np.asarray(x[2] > 1, np.int64), [np.cos, run], x)


def again_in_loop(policy):
    def program(ns, w, x):
        step = ns.checkpoint(lambda c, v: np.tanh(w @ c) * v + c, policy=policy)
        return ns.scan(lambda c, v: (step(c, v), c[0]), x, x)

    return program


def again_around_loop(policy):
    def program(ns, w, x):
        run = ns.checkpoint(lambda w, c: ns.while_loop(lambda c: c.sum() < 9, lambda c: np.exp(w @ c * 0.1) + c, c), policy=policy)
        return run(w, x) * w[0]

    return program


def ruled(**rules):
    def program(ns, x):
        f = ns.custom(softplus, **rules)
        return ns.scan(lambda c, v: (f(c * v) + f(x), f(v)), x, x)

    return program


def ruled_structure(**rules):
    def program(ns, x):
        made = ns.custom(product, **rules)(x, x * 2)
        return made["p"] * made["s"]

    return program


def primitive(ns, x):
    f = PRIMITIVE if ns is wg else outside_traced
    return ns.scan(lambda c, v: (f(c) * v, f(c).sum()), x * 0.3, x)


def long_way_jvp(primals, tangents):
    """That of x**4 y / 4, by a loop that is linear in the tangent."""
    (x, y), (dx, dy) = primals, tangents
    _, slope = wg.while_loop(lambda s: s[0] < 3.0, lambda s: (s[0] + 1.0, s[1] * x), (0.0, dx))
    return x**4 / 4 * y, slope * y + dy * x**4 / 4


def looping_rule(ns, x):
    f = ns.custom(lambda x, y: x**4 / 4 * y, jvp=long_way_jvp)
    return ns.scan(lambda c, v: (f(c, v), f(v, v)), x[0], x)


def slope_in_scan(ns, x):
    """A derivative within a loop, of a loop."""
    def step(c, v):
        def inner(a):
            return ns.while_loop(lambda s: s[0] < 5.0, lambda s: (s[0] * 2 + a * a, s[1] * np.sin(a) + s[0]), (a, 1.0))[1]

        g = wg.grad(inner)(v * c + 0.1)
        return g * 0.1 + c, g

    return ns.scan(step, x[0], x)


def outside_traced(x):
    return x**3 + x[::-1]


def guarded_outside(ns, x):
    """A guard on what comes from outside is the caller's."""
    return ns.scan(lambda c, v: (c * v if x[0] < 1 else c + v, c), x[1], x)


PROGRAMS = {
    "cond_true": (lambda ns, x: ns.cond(x[0] < 1, np.sin, lambda v: v * 2, x), X),
    "cond_false": (lambda ns, x: ns.cond(x[0] > 1, np.sin, lambda v: v * x[1], x), X),
    "cond_dtypes": (lambda ns, x: ns.cond(x[0] < 1, lambda v: v.astype(np.float32) * 1j, lambda v: v * 2, x) * x, X),
    "cond_nothing_flows": (lambda ns, x: ns.cond(x[0] < 1, lambda v: (M[0], v), lambda v: (v, M[1]), x), X),
    **{f"switch_{i}": (lambda ns, i, x: ns.switch(i, [np.sin, lambda v: v * x[0], lambda v: np.exp(v) * M[0, 1]], x), np.int64(i), X)
       for i in range(3)},
    "switch_of_nothing": (lambda ns, x: ns.switch(np.asarray(x[0] < 1, np.int64), [lambda: X * 2, lambda: x * M[1]]), X),
    "newton": (newton, np.float64(7.0)),
    "while_zero_trips": (lambda ns, x: ns.while_loop(lambda s: s[0] > 9, lambda s: s * x, x * x), X),
    "while_bool": (lambda ns, x: ns.while_loop(lambda s: s[1], lambda s: (s[0] * x, s[0].sum() < 9), (x, np.bool_(True))), X),
    "fori_known": (lambda ns, x: ns.fori_loop(2, 5, lambda i, c: np.sin(c) * x + i, x), X),
    "fori_found": (lambda ns, n, x: ns.fori_loop(1, n, lambda i, c: c * x + i, x), np.int64(4), X),
    "fori_none": (lambda ns, n, x: ns.fori_loop(n, 3, lambda i, c: c * x + i, x), np.int64(4), X),
    "rnn": (rnn, M, X),
    "scan_reverse": (lambda ns, x: ns.scan(lambda c, v: (np.sin(c * v) + v, c * v), x[0], x, reverse=True), X),
    "counted": (counted, X), "pulses": (pulses, X), "no_steps": (no_steps, X), "empty_rows": (empty_rows, M),
    "map": (lambda ns, w: ns.map(lambda row: np.sin(row) @ w, w), M),
    "structured": (structured, X), "mixed_carry": (mixed_carry, X), "complex": (of_complex, Z), "flowing_late": (flowing_late, X),
    "stopped": (stopped, X), "carried_through": (carried_through, X),
    "float32": (lambda ns, x: ns.scan(lambda c, v: (c * v + 0.5, np.sqrt(v) * c), x[0], x), X.astype(np.float32)),
    "while_in_scan_in_cond": (while_in_scan_in_cond, X, np.float64(0.7)),
    "scan_in_while": (scan_in_while, X), "switch_in_while": (switch_in_while, X), "while_in_while": (while_in_while, X),
    "scan_in_scan": (scan_in_scan, M, X), "stacked": (stacked, X), "guarded_outside": (guarded_outside, X),
    **{f"again_in_loop_{p}": (again_in_loop(p), M, X) for p in ("nothing", "contractions", "everything")},
    **{f"again_around_loop_{p}": (again_around_loop(p), M, X) for p in ("nothing", "contractions", "everything")},
    "custom_jvp": (ruled(jvp=softplus_jvp), X), "custom_vjp": (ruled(vjp=softplus_vjp), X),
    "custom_both": (ruled(jvp=softplus_jvp, vjp=softplus_vjp), X),
    "custom_structure_jvp": (ruled_structure(jvp=product_jvp), X), "custom_structure_vjp": (ruled_structure(vjp=product_vjp), X),
    "custom_structure_both": (ruled_structure(jvp=product_jvp, vjp=product_vjp), X),
    "custom_looping": (looping_rule, X), "slope_in_scan": (slope_in_scan, X), "primitive": (primitive, X),
    # NaN and infinities: the same places everywhere
    "where_trap": (lambda ns, x: ns.scan(lambda c, v: (c + np.where(v > 0, np.log(v), 0.0), c), x[0], x), np.array([0.0, -1.0, 2.0])),
    "nan_carried": (lambda ns, x: ns.scan(lambda c, v: (c * v, np.sqrt(v)), x[0], x), np.array([0.0, np.nan, -2.0])),
    "nan_not_read": (lambda ns, x: ns.scan(lambda c, v: (v, None), x[0], x)[0], np.array([np.nan, np.inf, 2.0])),
    "nan_in_while": (lambda ns, x: ns.while_loop(lambda s: s[0] < 3, lambda s: s + np.sqrt(x) + 1, x), np.array([0.0, -1.0, np.inf])),
}  # fmt: skip


def graphs(name):
    """The graphs of a program, with control flow and written out, and its arguments."""
    program, *arguments = PROGRAMS[name]
    with np.errstate(all="ignore"):
        made = [wg.trace(lambda *args, ns=ns: program(ns, *args)).graph(*arguments).graph for ns in (wg, Python)]
    return (*(g.evolve(signature=None, results=None) for g in made), [np.asarray(x) for x in arguments])

