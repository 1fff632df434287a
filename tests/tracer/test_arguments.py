# ruff: noqa: B023 (users' code is of every style)
"""What may be an argument and a result, and what is refused by name."""

import collections
import dataclasses
import enum
import functools

import attrs
import numpy as np
import pytest
from numpy_alike import alike, same

import wengert as wg

X = np.arange(1.0, 4.0)
Pair = collections.namedtuple("Pair", "a b")


@dataclasses.dataclass
class Data:
    a: object
    b: object = 2.0


@dataclasses.dataclass(frozen=True)
class Frozen:
    a: object


@attrs.define
class Record:
    a: object
    b: object = None


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


def test_nested_arguments_and_results():
    @wg.trace
    def f(p, q, *, r):
        return {"s": p["a"][0] + q.a, "n": Pair(q.b.a, (p["b"],)), "d": Data(q.a * 2, None), "l": [Record(r.a, "x"), None, True, Frozen(3.0)]}

    out = f({"a": [X, 1], "b": 3}, Pair(X * 2, Data(1.0, "static")), r=Record(Frozen(X)))
    np.testing.assert_array_equal(out["s"], 3 * X)
    assert type(out["n"]) is Pair and out["n"] == (1.0, (3,))
    assert type(out["d"]) is Data and out["d"].b is None
    assert type(out["l"][0]) is Record and out["l"][0].b == "x" and type(out["l"][0].a) is Frozen
    assert out["l"][1:] == [None, True, Frozen(3.0)]
    assert list(out) == ["s", "n", "d", "l"]


def test_static_arguments_each_have_their_graph():
    traced = []

    class Log:
        def note(self, what):
            traced.append(what)

    log = Log()

    @wg.trace
    def f(x, mode="a", *, flag=True, colour=Colour.RED, none=None):
        log.note(mode)
        return x * 2 if mode == "a" and flag and colour is Colour.RED and none is None else x * 3

    for _ in range(2):
        assert [f(2.0), f(2.0, "b"), f(2.0, flag=False), f(2.0, colour=Colour.BLUE), f(2.0, none="z"), f(3.0)] == [4, 6, 6, 6, 6, 6]
    assert len(traced) == 5


def test_bools_are_static_and_numpys_bools_are_guarded():
    @wg.trace
    def f(x, flag):
        return x if flag else -x

    for flag in (True, False, 1, 0, np.True_, np.False_, np.array(True), np.array(False), 2.0):
        assert f(1.0, flag) == (1.0 if flag else -1.0)


def test_variadic_and_keyword_arguments():
    @wg.trace
    def f(a, /, *rest, k=2, **options):
        return a + sum(rest) * k + options.get("w", 0) * 10

    assert [f(1), f(1, 2, 3), f(1, 2, k=3), f(1, w=1), f(a for a in ()) if False else f(0)] == [1, 11, 7, 11, 0]
    assert wg.grad(f, argnums=(0, 1))(1.0, 2.0, k=3.0, w=1.0) == (1.0, 3.0)
    for wrong in (lambda: f(), lambda: f(a=1)):
        with pytest.raises(TypeError):
            wrong()
    with pytest.raises(TypeError):
        wg.trace(lambda x: x)(1, 2)


def test_a_signature_is_type_shape_and_structure():
    seen = []
    f = wg.trace(lambda x: (append(seen, x), x)[1])
    for x in (X, X + 1, X.astype(np.float32), np.ones(4), 1.0, 1, np.float64(1), [X], (X,), {"a": X}):
        f(x)
    assert len(seen) == 9


def append(items, item):
    items.append(str(item))


class Model:
    gain = 2.0

    def __init__(self):
        self.w, self.k, self.inner = np.array([1.0, 2.0, 3.0]), 1.0, {"q": np.ones(3)}

    @wg.trace
    def f(self, x):
        return (self.w * x * self.k * self.gain + self.inner["q"] + self.helper(x)).sum()

    def helper(self, x):
        return x * self.off

    off = 0.0

    @property
    def scale(self):
        return self._scale

    _scale = 1.0

    @wg.trace
    def scaled(self, x):
        return x * self.scale

    @staticmethod
    @wg.trace
    def static(x):
        return x * 2

    @classmethod
    @wg.trace
    def of_class(cls, x):
        return x * cls.gain

    def __call__(self, x):
        return (self.w * x).sum()


def test_methods_read_attributes_anew(monkeypatch):
    m = Model()
    out = [m.f(X)]
    m.w[0] = 10
    out.append(m.f(X))
    m.w = np.ones(3)
    out.append(m.f(X))
    m.k = 2.0
    out.append(m.f(X))
    m.inner["q"] = np.zeros(3)
    out.append(m.f(X))
    m.inner["q"][:] = 5
    out.append(m.f(X))
    monkeypatch.setattr(Model, "gain", 3.0)
    out.append(m.f(X))
    monkeypatch.setattr(Model, "off", 1.0)
    out.append(m.f(X))
    m.w = np.ones(3, np.float32)
    out.append(m.f(X))
    monkeypatch.setattr(Model, "helper", lambda self, x: 0 * x)
    out.append(m.f(X))
    assert out == [31, 49, 15, 27, 24, 39, 51, 57, 57, 51]
    np.testing.assert_array_equal(wg.grad(m.f)(X), [6.0, 6.0, 6.0])
    assert Model().f(X) == 3 * 14 + 3


def test_properties_static_and_class_methods_and_callable_objects(monkeypatch):
    m = Model()
    assert (m.scaled(2.0), m.static(2.0), Model.static(2.0), m.of_class(2.0), Model.of_class(2.0)) == (2, 4, 4, 4, 4)
    m._scale = 5.0
    monkeypatch.setattr(Model, "gain", 7.0)
    assert (m.scaled(2.0), Model.of_class(2.0)) == (10, 14)
    call = wg.trace(m)
    assert call(X) == 14
    m.w[:] = 1
    assert call(X) == 6
    np.testing.assert_array_equal(wg.grad(call)(X), np.ones(3))
    assert wg.trace(m.helper)(2.0) == 0.0


def test_partials_and_lambdas():
    w = np.ones(3)
    f = wg.trace(functools.partial(lambda w, x, k: (w * x * k).sum(), w, k=2.0))
    assert f(X) == 12
    w[0] = 5
    assert f(X) == 20
    np.testing.assert_array_equal(wg.grad(f)(X), 2 * w)
    assert "partial" not in repr(f.graph(X))


def test_the_same_array_twice():
    f = wg.trace(lambda a, b: (a * b).sum())
    assert (f(X, X), f(X, 2 * X)) == (14, 28)
    np.testing.assert_array_equal(wg.grad(f)(X, X), X)
    np.testing.assert_array_equal(wg.grad(lambda a: (a * a).sum())(X), 2 * X)


def test_results_own_their_memory():
    x = X.copy()
    for f in (wg.trace(lambda x: x), wg.trace(lambda x: [x, x][0]), wg.trace(lambda x: x.T), wg.trace(lambda x: x[:])):
        f(x)[:] = 9
        np.testing.assert_array_equal(x, X)
        np.testing.assert_array_equal(f(x), X)
    constant = wg.trace(lambda x: np.ones(2))
    constant(x)[:] = 7
    np.testing.assert_array_equal(constant(x), np.ones(2))
    first, second = wg.trace(lambda x: (x, x))(x)
    first[:] = 5
    np.testing.assert_array_equal(second, X)


def layouts(tmp_path):
    base = np.arange(6.0).reshape(2, 3)
    mapped = np.memmap(tmp_path / "m", float, "w+", shape=(2, 3))
    mapped[:] = base
    locked = base.copy()
    locked.setflags(write=False)
    odd = np.frombuffer(b"x" + base.tobytes(), np.uint8)[1:].view(float).reshape(2, 3)
    return [
        base[::-1], base[:, ::-1], np.asfortranarray(base), np.broadcast_to(base[0], (2, 3)), base.astype(">f8"), mapped, locked, odd,
        np.arange(12.0).reshape(2, 6)[:, ::2], base.T[::-1].T, np.zeros((2, 0)).T.reshape(0, 2), np.array(3.0),
    ]  # fmt: skip


def test_every_layout_of_memory(tmp_path):
    for x in layouts(tmp_path):
        plain = np.array(x, float, order="C")
        f = wg.trace(lambda x: (x * 2 + 1, x.sum(), x.T, x[..., ::-1] if x.ndim else x))
        for got, want in zip(f(x), f(plain), strict=True):
            np.testing.assert_array_equal(got, want)
        np.testing.assert_array_equal(wg.grad(lambda x: (x**2).sum())(x), 2 * plain)
        np.testing.assert_array_equal(wg.trace(lambda s: s * x)(2.0), 2 * plain)  # and closed over
        np.testing.assert_array_equal(wg.trace(lambda s: s * x).graph(2.0)(2.0), 2 * plain)


def test_integers_where_a_derivative_is_taken():
    assert wg.grad(lambda a, b: a * b, argnums=(0, 1))(2, 3) == (3.0, 2.0)
    assert wg.grad(lambda p: p["a"] ** 2)({"a": 3}) == {"a": 6.0}
    for bad in (np.array([1, 2]), np.array([True])):
        with pytest.raises(wg.DerivativeError, match=r"Argument a has dtype \w+;.*astype\(float\)"):
            wg.grad(lambda a: a.sum())(bad)
    assert type(wg.grad(lambda a: a * a)(np.float32(1))) is np.float32


class Subclass(np.ndarray):
    pass


REFUSED = [
    np.array([1, 2], object), np.array(["a"]), np.array([b"a"]), np.array(["2020"], "M8[D]"), np.array([1], "m8[s]"), np.array([(1, 2.0)], [("a", int), ("b", float)]),
    np.ones(1, np.float16), np.ones(1, np.longdouble), np.ones(1, np.clongdouble), np.float16(1), np.longdouble(1), np.datetime64("2020"), np.str_("a"),
    np.ma.array([1.0]), np.matrix([1.0]), np.ones(2).view(Subclass), np.rec.array([(1,)], [("a", int)]), np.array([(1,)], [("a", int)])[0],
]  # fmt: skip


@pytest.mark.parametrize("bad", REFUSED, ids=lambda b: f"{type(b).__name__} {b.dtype}"[:40])
def test_what_is_refused_is_named(bad):
    for call in (wg.trace(lambda first, data: first), lambda *a: wg.trace(lambda first, data: first).graph(*a)):
        with pytest.raises(wg.TraceError, match=r"Argument data(\['k'\])?(:| is).+\."):
            call(1.0, {"k": bad})
    with pytest.raises(TypeError):
        wg.trace(lambda x: x * bad)(1.0)


@pytest.mark.parametrize("bad", [{1, 2}, [{1}], bytearray(b"x"), {"k": {1}}])
def test_what_is_neither_array_nor_hashable(bad):
    with pytest.raises(wg.TraceError, match="neither an array nor hashable"):
        wg.trace(lambda x, option: x)(1.0, bad)


@pytest.mark.parametrize("result", [lambda x: object(), lambda x: {x.size}, lambda x: (v for v in x), lambda x: [print], lambda x: b"x"])
def test_results_that_are_no_arrays(result):
    with pytest.raises(wg.TraceError, match=r"returned a \w+ .*expected arrays"):
        wg.trace(result)(X)


def test_generators_and_coroutines_are_refused_at_decoration():
    def generator(x):
        yield x

    async def coroutine(x):
        return x

    async def both(x):
        yield x

    for bad in (generator, coroutine, both, 3.0, "x", None.__class__ and 0):
        with pytest.raises(TypeError, match=r"trace expects a plain function of arrays, got"):
            wg.trace(bad)


def test_scalars_keep_their_kind():
    for x in (1, 2.0, np.float64(2), np.float32(2), np.int8(3), np.array(2.0)):
        same(lambda x: (x + 1, x * 2.0, x / 2, -x), x)


@dataclasses.dataclass
class Layer:
    w: object
    mode = "once"

    def __call__(self, x):
        return np.sum(self.w * x * (2 if self.mode == "twice" else 1))

    @functools.cached_property
    def norm(self):
        return np.sum(self.w**2)


def test_what_is_set_on_a_record_beside_its_fields():
    m, f = Layer(np.ones(3)), wg.trace(lambda m, x: m(x) + m.norm)
    m.mode = "twice"
    assert f(m, X) == m(X) + 3.0
    m.mode = "once"
    assert f(m, X) == m(X) + 3.0 and "norm" not in vars(m)
    assert m.norm == 3.0
    np.testing.assert_array_equal(wg.grad(f)(m, X).w, X + 2)


@pytest.mark.parametrize("change", [
    lambda d: d["l"].append(1.0), lambda d: d.update(y=d["x"] * 2), lambda d: setattr(d["o"], "w", d["o"].w * 2), lambda d: d.pop("x"),
])  # fmt: skip
def test_changing_a_container_that_was_given_is_refused(change):
    def f(d):
        x = d["x"]
        change(d)
        return x

    with pytest.raises(wg.TraceError, match=r"changes its argument d \(dict\) in place.*Work on a copy"):
        wg.trace(f)({"x": 1.0, "l": [2.0], "o": Layer(np.ones(3))})


@pytest.mark.parametrize("f", [
    np.add.reduce, np.minimum.reduce, np.maximum.accumulate, np.hypot.accumulate, np.diff, np.sum, np.prod, np.cumsum, np.diag, np.tril, np.roll, np.clip, np.repeat, np.gradient, np.std, np.multiply.outer,
    functools.partial(np.add.reduce, axis=0), lambda x, n=2, g=np.sin: g(x) * n,
])  # fmt: skip
def test_functions_of_numpy_with_their_defaults(f, tmp_path):
    if f is np.clip and np.lib.NumpyVersion(np.__version__) < "2.1.0":
        pytest.skip("np.clip needs its limits")
    x = np.array([[3.0, 1, 2], [0.5, 4, 6]])[: 2 if f is np.tril else 1].squeeze()
    args = {np.roll: (x, 1), np.repeat: (x, 2), np.multiply.outer: (x, x)}.get(f, (x,))
    traced = wg.trace(f)
    alike(traced(*args), f(*args))
    p = traced.graph(*args)
    p.save(tmp_path / "f.wg")
    alike(wg.load(tmp_path / "f.wg")(*args), f(*args))
    moved = wg.jvp(traced, args, (np.ones_like(x), *(None if type(a) is int else np.zeros_like(x) for a in args[1:])))[1]
    np.testing.assert_allclose(moved, (f(x + 1e-6, *args[1:]) - f(x - 1e-6, *args[1:])) / 2e-6, atol=1e-8)
    np.testing.assert_allclose(np.tensordot(wg.jacobian(p)(*args), np.ones_like(x), x.ndim), moved)


def test_a_method_of_a_ufunc_in_every_mode():
    x = np.array([[3.0, 1, 2], [0.5, 4, 6]])
    np.testing.assert_array_equal(wg.vmap(lambda r: np.maximum.accumulate(r))(x), np.maximum.accumulate(x, 1))
    np.testing.assert_array_equal(wg.grad(lambda x, k: np.hypot.reduce(x, k).sum())(x, 0), x / np.hypot(x[0], x[1]))
    assert wg.trace(lambda x, k: np.add.reduceat(x, [0, k], 1))(x, 2).tolist() == [[4, 2], [4.5, 6]]


@pytest.mark.parametrize("f", [
    lambda x, k: np.roll(x, (k, 1)), lambda x, k: np.tile(x, (k, 2)), lambda x, k: x.repeat(k), lambda x, k: np.array_split(x, k), lambda x, k: np.diag(x, k=-k), lambda x, k: np.tri(4, 4, k) @ x, lambda x, k: np.pad(x, ((k, 0),)),
    lambda x, k: np.lib.stride_tricks.sliding_window_view(x, k), lambda x, k: np.delete(x, [k, 0]), lambda x, k: np.broadcast_to(x, (k, 4)), lambda x, k: np.outer(x, x)[np.triu_indices(4, k)], lambda x, k: np.hamming(k) * x[0], lambda x, k: _filled(np.tri(4, k=k), x),
])  # fmt: skip
def test_counts_among_the_arguments(f):
    x, g = np.array([3.0, 1.0, 2.0, 5.0]), wg.trace(f)
    for k in (1, 2, 1):
        alike(g(x, k), f(x, k))
    alike(wg.trace(lambda x: f(x, np.int64(2)))(x), f(x, 2))


def _filled(a, x):
    a[0] = x
    return a


def test_out_by_position():
    made = np.zeros(3)
    with pytest.raises(wg.TraceError, match="written into a plain array"):
        wg.trace(lambda x: np.sin(x, made))(X)
