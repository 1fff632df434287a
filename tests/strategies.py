"""Random well-typed graphs with arguments, for Hypothesis.  Every op must be able to appear (see ``NEVER``)."""

import functools
import math
from typing import Any

import numpy as np
import oracles
from hypothesis import strategies as st

from wengert.ir import autodiff
from wengert.ir.batching import batch
from wengert.ir.build import Builder, Expr, Namespace
from wengert.ir.graph import Constant, Graph, Value
from wengert.ir.jacobians import jacobian_graph
from wengert.ir.kinds import Control, Elementwise, Movement, Reduction
from wengert.ir.ops import OPS
from wengert.ir.types import ArrayType, is_inexact
from wengert.tools.explain.unrolling import Unrolling

#: Ops that only differentiation makes, one without a derivative, randomness, and SciPy's, which round float32 in their own
#: ways: the laws look at those.
NEVER = {"linear", "linear_solve", "external", "scale", "scale_einsum", "complement", "eigh_evr", "expm_along", "nextafter", "draw", "random_key", "parameter", *(
    op.name for op in OPS.values() if isinstance(op, Elementwise) and op.library)}
#: Ops of complex numbers alone.
PARTS = {"real", "imag", "complex", "conjugate"}
LARGEST = 18  # elements of any value
SHAPES = [(), (), (3,), (3,), (2, 3), (1, 3), (2, 1), (1,), (0,), (2, 2)]
FLOAT, SINGLE, INT, BOOL = (np.dtype(n) for n in ("float64", "float32", "int64", "bool"))
COMPLEX, PAIR = np.dtype(np.complex128), np.dtype(np.complex64)
#: Ordinary numbers, ties and zeros often; infinities and NaN seldom.
NUMBERS = [0.5, -1.5, 2.0, 0.3, 1.0, -1.0, 3.0, -0.7, 0.0, 1.0, 2.0, -0.0, 0.1, -2.0, 0.0, 1.25, math.inf, -math.inf, math.nan]


class Program:
    """A graph, arguments for it, and the inputs that derivatives are taken of."""

    def __init__(self, graph: Graph, arguments: tuple[np.ndarray, ...], active: tuple[int, ...]) -> None:
        self.graph, self.arguments, self.active = graph, arguments, active

    def __repr__(self) -> str:
        arguments = ", ".join(f"np.array({x.tolist()!r}, {x.dtype.name!r})" for x in self.arguments)
        return f"a program\n{self.graph}\nwith ({arguments})"


@st.composite
def programs(draw: Any, max_nodes: int = 20, *, of_complex: bool = False, loops: bool = False) -> Program:
    """Graphs of all kinds of ops, with shared nodes, broadcasts, mixed dtypes, calls and dead code; with ``loops``, of all
    control ops, nested."""
    make = (Looping if loops else Maker)(draw, Builder("random"), of_complex=of_complex)
    arguments = []
    main = draw(st.sampled_from([COMPLEX, COMPLEX, PAIR] if of_complex else [FLOAT, FLOAT, FLOAT, SINGLE]))
    for dtype in [main, *draw(st.lists(st.sampled_from([main, main, FLOAT, INT, BOOL]), max_size=2))]:
        shape = draw(st.sampled_from(SHAPES))
        make.add(make.xp.wrap(make.builder.input(ArrayType(dtype, shape))))
        arguments.append(draw(arrays(dtype, shape)))
    for _ in range(draw(st.integers(1, max_nodes))):
        make.step()
    made = [e for e in make.pool if is_inexact(e.dtype)][-6:] or make.pool
    outputs = [make.pool[-1], *draw(st.lists(st.sampled_from(made), min_size=1, max_size=2))]
    graph = make.builder.graph([e.value for e in outputs])
    active = tuple(i for i, v in enumerate(graph.inputs) if is_inexact(v.type.dtype))
    return Program(graph, tuple(arguments), active)


def arrays(dtype: np.dtype, shape: tuple[int, ...]) -> Any:
    """Arrays of a few telling numbers."""
    if dtype.kind == "b":
        numbers: Any = st.booleans()
    elif dtype.kind == "c":
        numbers = st.builds(complex, *[st.sampled_from(NUMBERS[:16])] * 2)
    else:
        numbers = st.integers(-3, 4) if dtype.kind == "i" else st.sampled_from(NUMBERS)
    size = math.prod(shape)
    return st.lists(numbers, min_size=size, max_size=size).map(lambda xs: np.array(xs, dtype).reshape(shape))


def _elementwise(arity: int, dtype: np.dtype) -> list[str]:
    """The elementwise ops that are defined for so many operands of a dtype."""
    skip = {"where", "cast", "stop_gradient", "power", *NEVER, *PARTS}
    ops = (op for op in OPS.values() if isinstance(op, Elementwise) and op.arity == arity and op.name not in skip)
    return [op.name for op in ops if op.result_dtype((dtype,) * arity, {}) is not None]


ELEMENTWISE = {(n, d): _elementwise(n, d) for n in (1, 2) for d in (FLOAT, SINGLE, INT, BOOL, COMPLEX, PAIR)}
EVERYWHERE = [op.name for op in OPS.values() if isinstance(op, Reduction) and op.fold not in ("and", "or")]
MATRIX = ["solve", "cofactors", "det", "slogdet", "pinv", "lstsq", "cholesky", "qr", "svd", "svdvals", "eigh", "eigvalsh", "eig", "expm"]
BOOLEAN = [op.name for op in OPS.values() if isinstance(op, Reduction) and op.fold in ("and", "or")]
#: Arithmetic comes more often than its share of the ops.
COMMON = ["add", "subtract", "multiply", "multiply", "divide", "maximum", "minimum"]


class Maker:
    """Appends one random node after another; ``pool`` are the values so far."""

    def __init__(self, draw: Any, builder: Builder, depth: int = 0, *, of_complex: bool = False) -> None:
        self.draw, self.builder, self.depth, self.of_complex = draw, builder, depth, of_complex
        self.xp = Namespace(builder)
        self.pool: list[Expr] = []

    def add(self, e: Expr) -> None:
        if math.prod(e.shape) <= LARGEST:
            self.pool.append(e)

    def choose(self, options: Any) -> Any:
        return self.draw(st.sampled_from(options))

    def pick(self, accept: Any) -> Expr | None:
        """A value of the pool, late ones more often."""
        fitting = [e for e in self.pool if accept(e)]
        return self.choose([*fitting, *fitting[-3:]]) if fitting else None

    def step(self) -> None:
        e = self.choose(self.steps())(self)
        if e is not None:
            self.add(e)

    def steps(self) -> list[Any]:
        return [*STEPS, *[Maker.part] * 8] if self.of_complex else STEPS

    # -- a method per family of ops ------------------------------------------------------------

    def unary(self) -> Expr | None:
        x = self.pick(lambda e: e.dtype.kind in "fc") if self.draw(st.integers(0, 3)) else None
        x = x or self.pick(lambda e: True)
        names = ELEMENTWISE[1, x.dtype]
        name = self.choose(names)
        return getattr(self.xp, name)(self.signed(x) if name == "signbit" else x)

    def signed(self, x: Any) -> Any:
        """Without NaN: IEEE leaves its sign open."""
        return self.xp.where(self.xp.not_equal(x, x), 1.0, x)

    def integral(self) -> Expr | None:
        wanted = self.choose([BOOL, INT])
        x = self.pick(lambda e: e.dtype == wanted) or self.compare()
        return None if x is None else self._binary(x, ELEMENTWISE[2, x.dtype], lambda e: e.dtype == x.dtype)

    def binary(self) -> Expr | None:
        x = self.pick(lambda e: e.dtype.kind in "fc")
        if x is None:
            return None
        return self._binary(x, [*COMMON * 3, *ELEMENTWISE[2, x.dtype]], lambda e: True)

    def _binary(self, x: Expr, names: list[str], accept: Any) -> Expr | None:
        y = self.partner(x, accept)
        name = self.choose(names)
        if (dtype := _dtype(name, x, y)) is None or dtype not in (FLOAT, SINGLE, INT, BOOL, COMPLEX, PAIR):
            return None
        x, y = (y, x) if self.draw(st.booleans()) else (x, y)
        return getattr(self.xp, name)(x, self.signed(y) if name == "copysign" else y)

    def partner(self, x: Expr, accept: Any) -> Any:
        """A value that broadcasts with ``x``, or a number."""
        y = self.pick(lambda e: accept(e) and _broadcast(x, e))
        if y is not None and self.draw(st.integers(0, 3)):
            return y
        number = self.choose(NUMBERS[:12] if x.dtype.kind in "fc" else [0, 1, 2, 3])
        return np.asarray(number, x.dtype)[()] if x.dtype.kind in "ib" else number

    def power(self) -> Expr | None:
        x = self.pick(lambda e: e.dtype != BOOL)
        if x is None:
            return None
        if x.dtype == INT:
            return self.xp.power(x, self.choose([0, 1, 2, 3]))
        y = self.pick(lambda e: e.dtype in (x.dtype, INT) and _broadcast(x, e))
        exponent = self.choose([0, 1, 2, 3, 4, -1, -2, 2.0, 0.5, 1.5, -1.0])
        if y is not None and not self.draw(st.integers(0, 2)):
            exponent = y
        whole = exponent.dtype == INT if isinstance(exponent, Expr) else exponent == int(exponent)
        # x**0.5 at -inf and -0.0: NumPy answers by sqrt where the exponent is one number, else by C's pow
        return self.xp.power(x if whole else self.xp.absolute(x), exponent)

    def where(self) -> Expr | None:
        x = self.pick(lambda e: e.dtype != BOOL)
        if x is None:
            return None
        y = self.partner(x, lambda e: e.dtype != BOOL)
        shape = np.broadcast_shapes(x.shape, np.shape(y) if not isinstance(y, Expr) else y.shape)
        c = self.pick(lambda e: e.dtype == BOOL and _fits(e.shape, shape))
        return self.xp.where(x > self.choose(NUMBERS[:9]) if c is None else c, x, y)

    def compare(self) -> Expr | None:
        x = self.pick(lambda e: True)
        names = ["less", "less_equal", "greater", "greater_equal", "equal", "not_equal"]
        y = self.partner(x, lambda e: e.dtype == x.dtype)
        return getattr(self.xp, self.choose(names))(x, y)

    def cast(self) -> Expr | None:
        x = self.pick(lambda e: True)
        if x.dtype.kind == "c" or (self.of_complex and self.draw(st.booleans())):
            return self.xp.cast(x, self.choose([COMPLEX, COMPLEX, PAIR]))
        target = self.choose([FLOAT, FLOAT, SINGLE, INT, BOOL])
        if x.dtype.kind == "f" and target == INT:  # C leaves open what does not fit
            x = self.xp.minimum(self.xp.maximum(self.xp.where(x == x, x, 0.0), -5.0), 5.0)
        return self.xp.cast(x, target)

    def part(self) -> Expr | None:
        x = self.pick(lambda e: e.dtype.kind == "c")
        if x is not None and self.draw(st.integers(0, 2)):
            return getattr(self.xp, self.choose(["real", "imag", "conjugate", "conjugate", "absolute"]))(x)
        x = self.pick(lambda e: e.dtype.kind == "f")
        y = x and self.pick(lambda e: (e.dtype, e.shape) == (x.dtype, x.shape))
        return None if x is None else self.xp.complex(x, y)

    def stop(self) -> Expr | None:
        return self.xp.stop_gradient(self.pick(lambda e: True))

    def reduce(self) -> Expr | None:
        x = self.pick(lambda e: e.dtype == BOOL) if not self.draw(st.integers(0, 5)) else self.pick(lambda e: e.shape)
        x = x or self.pick(lambda e: True)
        name = self.choose([*EVERYWHERE, *BOOLEAN * 6] if x.dtype == BOOL else [*["sum"] * 3, *EVERYWHERE])
        axes = tuple(a for a in range(x.ndim) if self.draw(st.booleans()))
        if not OPS[name].has_identity and 0 in (x.shape[a] for a in axes):
            return None
        if not axes and name in ("argmax", "argmin"):
            return None
        return self.xp.reduce(OPS[name], x, axes, keepdims=self.draw(st.booleans()))

    def along(self) -> Expr | None:
        x = self.pick(lambda e: e.shape)
        if x is None:
            return None
        axis = self.draw(st.integers(0, x.ndim - 1))
        ordered = [] if x.dtype.kind == "c" else ["cummax", "cummin"]
        name = self.choose(["cumsum", "cumprod", *ordered, "recurrence", "sort", "argsort"])
        if name == "recurrence":
            carry = self.pick(lambda e: (e.dtype, e.shape) == (x.dtype, x.shape))
            return self.xp.recurrence(carry, x, axis, reverse=self.draw(st.booleans())) if x.dtype.kind == "f" else None
        if name in ("cummax", "cummin") and x.dtype.kind == "f":
            x = x + 0.0  # which of two zeros is the larger is open
        if name.startswith("cum"):
            return getattr(self.xp, name)(x, axis, reverse=self.draw(st.booleans())) if x.dtype != BOOL else None
        return getattr(self.xp, name)(x, axis)

    def divisors(self) -> Expr | None:
        x = self.pick(lambda e: e.dtype == INT)
        return x and self.xp.emit(self.choose(["gcd", "lcm"]), x, self.pick(lambda e: (e.dtype, e.shape) == (INT, x.shape)))

    def move(self) -> Expr | None:
        x = self.pick(lambda e: e.shape) or self.pick(lambda e: True)
        return self.choose([_reshape, _transpose, _broadcast_to, _concatenate, _slice, _slice, _place])(self, x)

    def product(self) -> Expr | None:
        x = self.pick(lambda e: 1 <= e.ndim <= 2) or self.pick(lambda e: not e.shape)
        y = x and self.pick(lambda e: e.ndim <= 2 and e.dtype == x.dtype)
        if x is None or y is None:
            return None
        known = dict(zip("ij", x.shape, strict=False))
        second, first = "", "ij"[: x.ndim]
        for n in y.shape:
            options = [c for c, m in known.items() if m == n and c not in second and c in first]
            second += self.choose([*options, "kl"[len(second)]])
        letters = dict.fromkeys(first + second)
        shared = [c for c in letters if c in first and c in second]
        out = "".join(c for c in letters if c not in shared or self.draw(st.booleans()))
        out = "".join(self.draw(st.permutations(out)))
        product = self.xp.einsum(f"{first},{second}->{out}", x, y)
        return product + 0.0 if x.dtype.kind in "fc" else product  # whether a sum of zeros is -0.0 is open

    def tame(self, x: Expr) -> Expr:
        """Finite numbers of moderate size in its place: LAPACK refuses others."""
        if x.dtype.kind == "c":
            return self.xp.complex(self.tame(self.xp.real(x)), self.tame(self.xp.imag(x)))
        return self.xp.tanh(self.xp.where(self.xp.equal(x, x), x, 0.0))

    def matrix(self) -> Expr | None:
        """Linear algebra, of matrices that are well conditioned: no singular one, no equal eigenvalues."""
        x = self.pick(lambda e: e.dtype.kind in "fc" and e.ndim == 2 and e.shape[0] == e.shape[1] > 0)
        if x is None:
            flat = self.pick(lambda e: e.dtype.kind in "fc" and e.shape == (3,))
            if flat is None:
                return None
            x = self.xp.reshape(flat, (3, 1)) * self.xp.reshape(self.tame(flat), (1, 3))
        xp, n, x = self.xp, x.shape[0], self.tame(x)
        offset = np.diag(3.0 * np.arange(1, n + 1))
        if x.dtype.kind == "c":  # a phase is a matter of rounding where numbers are real by chance
            offset = offset + 0.4j * np.triu(np.ones((n, n)))
        apart = x * np.asarray(0.25, x.dtype) + offset.astype(x.dtype)
        adjoint = xp.transpose(xp.conjugate(apart) if x.dtype.kind == "c" else apart, (1, 0))
        name = self.choose(MATRIX)
        if name in ("solve", "lstsq"):
            b = self.pick(lambda e: (e.dtype, e.shape) == (x.dtype, x.shape))
            params: dict[str, Any] = {"singular": "raise"} if name == "solve" else {"rcond": None}
            out = xp.emit(name, apart, x if b is None else self.tame(b), **params)
        elif name == "cholesky":
            out = xp.cholesky(xp.emit("einsum", apart, adjoint, subscripts="ij,jk->ik"))
        elif name in ("eigh", "eigvalsh"):
            out = xp.emit(name, apart + adjoint, UPLO=self.choose("LU"))
        elif name == "pinv":
            out = xp.emit(name, apart, rtol=None, hermitian=False)
        else:
            out = xp.emit(name, x if name in ("cofactors", "expm") else apart)
        if isinstance(out, Expr):
            return out
        for each in out[1:]:
            if is_inexact(each.dtype):  # and not the rank that lstsq finds, an int32
                self.add(each)
        return out[0]

    def transform(self) -> Expr | None:
        x = self.pick(lambda e: e.dtype.kind in "fc" and e.shape and 0 not in e.shape)
        if x is None:
            return None
        axis, norm = self.draw(st.integers(0, x.ndim - 1)), self.choose(["backward", "ortho", "forward"])
        n, x = x.shape[axis], self.tame(x)
        if x.dtype.kind == "f":
            return self.xp.emit("rfft", x, n=n, axis=axis, norm=norm)
        if self.draw(st.booleans()):
            return self.xp.emit(self.choose(["fft", "ifft"]), x, axis=axis, norm=norm)
        return self.xp.emit("irfft", x, n=2 * (n - 1) or 1, axis=axis, norm=norm)

    def take(self) -> Expr | None:
        x = self.pick(lambda e: e.shape and 0 not in e.shape)
        if x is None:
            return None
        axis = self.draw(st.integers(0, x.ndim - 1))
        return self.xp.take(x, self.indices(x.shape[axis]), axis)

    def indices(self, n: int, shape: tuple[int, ...] | None = None) -> Any:
        """Valid ones: constants, or what the program computed, folded into range."""
        found = self.pick(lambda e: e.dtype == INT and (e.shape == shape if shape else e.ndim <= 1))
        if found is not None and self.draw(st.booleans()):
            return self.xp.remainder(found, np.int64(n))
        shape = shape or self.choose([(), (2,), (3,), (2, 2)])
        return np.array(self.draw(st.lists(st.integers(0, n - 1), min_size=math.prod(shape), max_size=math.prod(shape))),
                        np.int64).reshape(shape)  # fmt: skip

    def scatter(self) -> Expr | None:
        x = self.pick(lambda e: e.shape)
        if x is None:
            return None
        axis, size = self.draw(st.integers(0, x.ndim - 1)), self.draw(st.integers(1, 3))
        return self.xp.scatter_add(x, self.indices(size, (x.shape[axis],)), axis, size)

    def call(self) -> Expr | None:
        if self.depth == 2:
            return None
        operands = [self.pick(lambda e: True) for _ in range(self.draw(st.integers(1, 2)))]
        inner = Maker(self.draw, Builder("callee"), self.depth + 1, of_complex=self.of_complex)
        for e in operands:
            inner.add(inner.xp.wrap(inner.builder.input(e.value.type)))
        for _ in range(self.draw(st.integers(1, 4))):
            inner.step()
        outputs = [inner.pool[-1].value, inner.pool[0].value][: self.draw(st.integers(1, 2))]
        results = self.builder.emit_all(OPS["call"], [e.value for e in operands], graph=inner.builder.graph(outputs))
        for value in results[1:]:
            self.add(self.xp.wrap(value))
        return self.xp.wrap(results[0])


def _dtype(name: str, x: Any, y: Any) -> Any:
    """The dtype of a binary op; None where NumPy has none, or where int meets float in a way it refuses."""
    plain = [e.dtype if isinstance(e, Expr | np.generic) else type(e) for e in (x, y)]
    if OPS[name].function is None:  # ours: no promotion
        return OPS[name].result_dtype(tuple(plain), {}) if plain[0] == plain[1] else None
    try:
        wanted = (OPS[name].function or np.add).resolve_dtypes((*plain, None))
    except TypeError:
        return None
    return OPS[name].result_dtype(wanted[:-1], {})


def _broadcast(x: Expr, y: Expr) -> bool:
    try:
        return math.prod(np.broadcast_shapes(x.shape, y.shape)) <= LARGEST
    except ValueError:
        return False


def _fits(shape: tuple[int, ...], out: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(shape, out) == out
    except ValueError:
        return False


def _reshape(m: Maker, x: Expr) -> Expr:
    n = math.prod(x.shape)
    shapes = [(n,), (1, n), (n, 1)] + [(d, n // d) for d in (2, 3) if n % d == 0] + [()] * (n == 1)
    return m.xp.reshape(x, m.choose(shapes))


def _transpose(m: Maker, x: Expr) -> Expr:
    return m.xp.transpose(x, tuple(m.draw(st.permutations(range(x.ndim)))))


def _broadcast_to(m: Maker, x: Expr) -> Expr:
    shape = tuple(m.choose([1, 2, 3, 3]) if n == 1 else n for n in x.shape)
    return m.xp.broadcast_to(x, (*m.choose([(), (), (2,), (1,)]), *shape))


def _concatenate(m: Maker, x: Expr) -> Expr | None:
    if not x.shape:
        return None
    axis = m.draw(st.integers(0, x.ndim - 1))

    def joins(e: Expr) -> bool:
        rest = (e.shape[:axis], e.shape[axis + 1 :])
        return e.dtype == x.dtype and e.ndim == x.ndim and rest == (x.shape[:axis], x.shape[axis + 1 :])

    others = [m.pick(joins) for _ in range(m.draw(st.integers(1, 2)))]
    return m.xp.concatenate([x, *others], axis)


def _slice(m: Maker, x: Expr) -> Expr | None:
    bound = functools.partial(m.draw, st.one_of(st.none(), st.integers(-4, 4)))
    step = functools.partial(m.choose, [None, 1, 2, -1, -1, -2])
    return x[tuple(m.draw(st.integers(0, n - 1)) if n and not m.draw(st.integers(0, 4)) else slice(bound(), bound(), step())
                   for n in x.shape)]  # fmt: skip


def _place(m: Maker, x: Expr) -> Expr:
    shape, start, steps = [], [], []
    for n in x.shape:
        step, before, after = m.choose([1, 1, 2, -1, -2]), m.choose([0, 0, 1]), m.choose([0, 0, 1])
        reach = abs(step) * max(n - 1, 0)
        shape.append(before + (reach + 1 if n else 0) + after)
        start.append(0 if not n else before if step > 0 else before + reach)
        steps.append(step)
    return m.xp.place(x, shape=tuple(shape), start=tuple(start), step=tuple(steps))


STEPS = [
    *[Maker.unary] * 5, *[Maker.binary] * 8, *[Maker.integral] * 3, *[Maker.power] * 2, *[Maker.where] * 2, Maker.compare,
    Maker.cast, Maker.stop, *[Maker.reduce] * 3, *[Maker.along] * 2, *[Maker.move] * 4, *[Maker.product] * 2,
    Maker.take, Maker.scatter, Maker.call, Maker.divisors, *[Maker.matrix] * 2, Maker.transform,
]  # fmt: skip


# ----- What people write out, and map -----


def _within(m: Maker, types: list[ArrayType], steps: int) -> Maker:
    inner = Maker(m.draw, Builder("body"), m.depth + 1, of_complex=m.of_complex)
    for type_ in types:
        inner.add(inner.xp.wrap(inner.builder.input(type_)))
    for _ in range(m.draw(st.integers(1, steps))):
        inner.step()
    return inner


def _plain(e: Expr, shape: tuple[int, ...]) -> ArrayType:
    return ArrayType(e.dtype, shape)


def written_out(m: Maker) -> Expr | None:
    """A loop that Python has unrolled: each step takes an entry, what is carried and a value; its results are joined."""
    x = m.pick(lambda e: e.shape and 2 <= e.shape[0] <= 9 and e.dtype.kind in "fc")
    c = x and m.pick(lambda e: e.dtype.kind in "fc")
    if c is None or m.depth == 2:
        return None
    k = m.pick(lambda e: True)
    inner = _within(m, [_plain(c, c.shape), _plain(x, x.shape[1:]), _plain(k, k.shape)], 5)
    carry = next(e for e in (*inner.pool[:2:-1], inner.pool[0]) if e.dtype == c.dtype)
    if carry.shape != c.shape:
        carry = inner.xp.broadcast_to(inner.xp.sum(carry, axis=None), c.shape)
    y = inner.pick(lambda e: e.dtype == x.dtype) or carry
    graph, made, now = inner.builder.graph([carry.value, y.value]), [], m.xp.lift(c)
    for i in range(x.shape[0])[:: m.choose([1, -1])]:
        now, out = m.builder.inline(graph, [now, m.xp.lift(x[i]), k.value])
        made.append(m.xp.reshape(m.xp.wrap(out), (1, *out.type.shape)))
    m.add(m.xp.wrap(now))
    return m.xp.concatenate(made, axis=0)


def in_parts(m: Maker) -> Expr | None:
    """Many parts of one array, some of them again, joined."""
    x = m.pick(lambda e: e.shape and 0 not in e.shape)
    if x is None:
        return None
    axis = m.draw(st.integers(0, x.ndim - 1))
    made = []
    for _ in range(m.draw(st.integers(2, 6))):
        start, step = m.draw(st.integers(0, x.shape[axis] - 1)), m.choose([1, 1, 2, -1])
        stop = start + step * m.draw(st.integers(0, 3))
        part = x[(*(slice(None),) * axis, slice(start, stop if stop >= 0 else None, step))]
        made.append(part * part if m.draw(st.booleans()) else part)
    return m.xp.concatenate(made, axis)


def mapped(m: Maker) -> Expr | None:
    """A function, its Jacobian or its gradient, for each entry of an array at once."""
    x = m.pick(lambda e: e.shape and e.shape[0] and e.dtype.kind == "f")
    if x is None or m.depth == 2:
        return None
    k = m.pick(lambda e: e.dtype.kind in "fc")
    inner = _within(m, [_plain(x, x.shape[1:]), _plain(k, k.shape)], 3)
    y = inner.pick(lambda e: e.dtype.kind == "f")
    graph, how = inner.builder.graph([y.value]), m.choose(["value", "value", "forward", "reverse"])
    if how != "value":
        graph = jacobian_graph(graph, (0,), forward=how == "forward")
        graph = graph.evolve(outputs=graph.outputs[1:])
    if math.prod(graph.outputs[0].type.shape) * x.shape[0] > LARGEST:
        return None
    lanes, _ = batch(graph, (0, None), x.shape[0], (0,))
    return m.xp.wrap(m.builder.inline(lanes, [x.value, k.value])[0])


#: What takes several nodes: beside ``STEPS``, where programs are to be long.
LONGER = [*[written_out] * 4, *[in_parts] * 4, *[mapped] * 4]


# ----- Loops and branches -----


class Looping(Maker):
    """With control ops.  What they decide by is exact: a rounding never takes another way, or another step."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.exact: set[Value] = set()
        self.seen = 0

    def steps(self) -> list[Any]:
        return [*super().steps(), *(CONTROL * 3 if self.depth < 2 else [])]

    def add(self, e: Expr) -> None:
        super().add(e)
        nodes = self.builder.nodes
        if not nodes:  # an input of the program
            self.exact.add(e.value)
        for node in nodes[self.seen :]:
            if _is_exact(node) and all(v in self.exact or isinstance(v, Constant) for v in node.operands):
                self.exact.update(node.results)
        self.seen = len(nodes)

    def number(self, count: int) -> Any:
        """An int64 from 0 to ``count`` - 1 that the program knows exactly."""
        found = self.pick(lambda e: e.value in self.exact and e.dtype.kind in "bif" and e.dtype != SINGLE and 0 not in e.shape)
        if found is None or not self.draw(st.integers(0, 2)):
            return self.xp.wrap(self.builder.constant(np.int64(self.draw(st.integers(0, count - 1)))))
        if found.dtype.kind == "f":
            found = self.xp.greater(found, self.choose(NUMBERS[:12]))
        found = self.xp.cast(self.xp.max(self.xp.cast(found, INT), axis=None), INT)
        return self.xp.remainder(found, np.int64(count))

    def picked(self, least: int, most: int, accept: Any = lambda e: True) -> list[Expr]:
        found = [self.pick(accept) for _ in range(self.draw(st.integers(least, most)))]
        return [e for e in found if e is not None]

    def inner(self, types: list[ArrayType], exact: list[bool], steps: int = 4) -> "Looping":
        """A maker within this one, of values of these types, with a few steps done."""
        inner = Looping(self.draw, Builder("body"), self.depth + 1, of_complex=self.of_complex)
        inner.pool = [inner.xp.wrap(inner.builder.input(t)) for t in types]
        inner.exact = {e.value for e, flag in zip(inner.pool, exact, strict=True) if flag}
        for _ in range(self.draw(st.integers(1, steps)) if types else 0):
            inner.step()
        return inner

    def next(self, old: Expr) -> Value:
        """A value of one type with what is carried, late ones more often."""
        return self.pick(lambda e: e.value.type == old.value.type).value

    def known(self, values: list[Expr]) -> list[bool]:
        return [e.value in self.exact for e in values]

    def results(self, values: Any) -> Expr | None:
        made = [self.xp.wrap(v) for v in values]
        for e in made[1:]:
            self.add(e)
        return made[0] if made else None

    def scan(self) -> Expr | None:
        xs = self.picked(0, 2, lambda e: e.shape and e.shape[0] < 4)
        n = xs[0].shape[0] if xs else self.draw(st.integers(0, 3))
        xs = [e for e in xs if e.shape[0] == n]
        consts, carry = self.picked(0, 2), self.picked(0 if xs else 1, 2)
        entries = [ArrayType(e.dtype, e.shape[1:]) for e in xs]
        inner = self.inner([*(e.value.type for e in (*consts, *carry)), *entries], [*self.known(consts), *[False] * (len(carry) + len(xs))])
        old = [Expr(inner.xp, v) for v in inner.builder.inputs[len(consts) : len(consts) + len(carry)]]
        ys = [e.value for e in inner.picked(0, 2, lambda e: max(n, 1) * math.prod(e.shape) <= LARGEST)]
        graph = inner.builder.graph([*map(inner.next, old), *ys])
        if not graph.outputs:
            return None
        return self.results(self.builder.emit_all(
            OPS["scan"], [e.value for e in (*consts, *carry, *xs)], graph=graph, consts=len(consts), carries=len(carry), length=n,
            reverse=self.draw(st.booleans())))  # fmt: skip

    def while_(self) -> Expr | None:
        consts, carry = self.picked(0, 2), self.picked(1, 2)
        limit, start = self.number(4), self.xp.wrap(self.builder.constant(np.int64(self.draw(st.integers(0, 1)))))
        consts, carry = [limit, *consts], [start, *carry]
        types = [e.value.type for e in (*consts, *carry)]
        inner = self.inner(types, [*self.known(consts), True, *[False] * (len(carry) - 1)])
        old = [Expr(inner.xp, v) for v in inner.builder.inputs[len(consts) :]]
        after = inner.xp.lift(old[0] + np.int64(1))
        graph = inner.builder.graph([after, *map(inner.next, old[1:])])
        test = Builder("condition")
        inputs = [test.input(t) for t in types]
        less = test.apply(OPS["less"], inputs[len(consts)], inputs[0])
        made = self.builder.emit_all(
            OPS["while"], [e.value for e in (*consts, *carry)], condition=test.graph([less]), graph=graph, consts=len(consts))
        return self.results(made[1:])

    def switch(self) -> Expr | None:
        operands, count = self.picked(1, 3), self.draw(st.integers(1, 3))
        makers = [self.inner([e.value.type for e in operands], self.known(operands)) for _ in range(count)]
        chosen = [e.value for e in makers[0].picked(1, 2)]
        graphs = [makers[0].builder.graph(chosen)]
        for maker in makers[1:]:
            graphs.append(maker.builder.graph([maker.of_type(v.type) for v in chosen]))
        values = [self.number(count).value, *(e.value for e in operands)]
        return self.results(self.builder.emit_all(OPS["switch"], values, graphs=tuple(graphs)))

    def of_type(self, type_: ArrayType) -> Value:
        found = self.pick(lambda e: e.value.type == type_)
        return self.builder.convert(self.builder.constant(type_.dtype.type(1)), type_) if found is None else found.value

    def again(self) -> Expr | None:
        operands, graph = self.function()
        policy = self.choose(["nothing", "contractions", "everything"])
        return self.results(self.builder.emit_all(OPS["checkpoint"], operands, graph=graph, policy=policy))

    def function(self) -> tuple[list[Value], Graph]:
        operands = self.picked(1, 3)
        inner = self.inner([e.value.type for e in operands], self.known(operands))
        return [e.value for e in operands], inner.builder.graph([e.value for e in inner.picked(1, 2)])

    def ruled(self) -> Expr | None:
        """A function whose rules are its own derivatives."""
        operands, graph = self.function()
        active = tuple(i for i, v in enumerate(graph.inputs) if is_inexact(v.type.dtype))
        rules: dict[str, Any] = {"jvp": None, "vjp": None}
        for name in self.choose([["jvp"], ["jvp", "vjp"]]):
            b = Builder(name)
            inputs = [b.input(v.type) for v in graph.inputs]
            for v in graph.outputs:
                b.input(v.type)
            ends = [graph.inputs[i] for i in active] if name == "jvp" else [v for v in graph.outputs if is_inexact(v.type.dtype)]
            moving = [b.input(ArrayType(v.type.dtype, v.type.shape)) for v in ends]
            made = b.inline(getattr(autodiff, name)(graph, active), [*inputs, *moving])
            rules[name] = b.graph(made[len(graph.outputs) :])
        return self.results(self.builder.emit_all(OPS["custom"], operands, graph=graph, **rules))


def _is_exact(node: Any) -> bool:
    """Whether every backend gives the same bits for the same bits."""
    op, whole = node.op, all(v.type.dtype.kind in "bi" for v in node.results)
    if isinstance(op, Elementwise):
        return (whole and all(v.type.dtype.kind in "bi" for v in node.operands)) or op.name in ("less", "less_equal", "greater", "equal", "where")
    return isinstance(op, Movement) or (isinstance(op, Reduction) and whole and op.fold not in ("argmax", "argmin"))


CONTROL = [Looping.scan, Looping.scan, Looping.while_, Looping.switch, Looping.again, Looping.ruled]


class Unrolled(Unrolling):
    """The unrolling machine with the oracles' values, and every op with sub-graphs written out."""

    def is_written_out(self, node: Any) -> bool:
        return isinstance(node.op, Control)

    def emitted(self, node: Any, operands: list[Value]) -> Any:
        results = self.builder.emit_all(node.op, operands, **node.params)
        arrays = oracles.apply(node.op, [self.known(v) for v in operands], node.params)
        self.array.update(zip(results, arrays, strict=True))
        return results

    def custom(self, params: Any, operands: Any) -> list[Value]:
        return self.call(params["graph"], operands)


def unrolled(program: Program) -> Graph:
    """What the program does at its arguments, written out."""
    machine = Unrolled(program.graph, program.arguments)
    return machine.builder.graph(machine.call(program.graph, machine.builder.inputs))
