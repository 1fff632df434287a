"""C programs of any size: one is compiled for many sizes, and one text takes the sizes as arguments."""

import ctypes

import numpy as np
import pytest

import wengert as wg
from wengert.backends.protocol import get
from wengert.backends.source.c import shared
from wengert.backends.source.c.machine import cache
from wengert.backends.source.c.machine.compiler import find

pytestmark = pytest.mark.skipif(get("c").unavailable() is not None, reason="there is no C compiler")

FUNCTIONS = {
    "network": (lambda m, v: np.tanh(m @ v).sum(), [("n", 3), 3]),
    "mixed": (lambda x: (x * np.arange(len(x))).sum() / len(x) + np.sort(x)[0], ["n"]),
    "scan": (lambda x: wg.scan(lambda c, v: (c * 0.5 + v, c), 0.0, x)[0], ["n"]),
}
SIZES = (3, 5, 8, 40, 128, 129, 300, 1000)


def arguments(shapes, n, rng):
    env = {"n": n, "m": n // 2 + 3}
    dims = [s if isinstance(s, tuple) else (s,) for s in shapes]
    return [rng.uniform(0.2, 0.9, tuple(env.get(d, d) for d in s)) for s in dims]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_many_sizes_are_compiled_a_few_times(name, monkeypatch):
    f, shapes = FUNCTIONS[name]
    loaded = set()
    monkeypatch.setattr(shared, "load", lambda text: loaded.add(text) or cache.load(text))
    g = wg.trace(f).graph(*map(wg.spec, shapes)).on("c")
    rng = np.random.default_rng(0)
    for n in SIZES:
        args = arguments(shapes, n, rng)
        np.testing.assert_allclose(g(*args), wg.trace(f)(*args), rtol=1e-12)
    assert len(loaded) < len(SIZES)
    count = len(loaded)
    for n in (6, 30, 31, 77, 500, 2000):
        args = arguments(shapes, n, rng)
        np.testing.assert_allclose(g(*args), wg.trace(f)(*args), rtol=1e-12)
    assert len(loaded) == count


def test_sizes_may_change_within_a_callback():
    """The tables of a program that is under way stay its own."""
    g = wg.trace(lambda x: np.sum(np.cumsum(np.sort(np.cumsum(x)))[::-1] * x)).graph(wg.spec("n")).on("c")
    sizes = (20, 21, 22, 23)
    for n in sizes:
        g(np.ones(n))
    outer = g.at(n=22)
    seen = []
    node = next(node for node in outer.graph.nodes if node.op.name == "sort")
    run = type(node.op).run

    def nested(op, arrays, params, location):
        if arrays[0].size == 22 and not seen:
            seen.append(float(g(np.ones(23))))
        return run(op, arrays, params, location)

    x = np.linspace(0, 1, 22)
    want = float(g(x))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(node.op), "run", nested)
        assert float(g(x)) == want
    assert seen == [float(g.on("numpy")(np.ones(23)))]


def test_text_of_a_table():
    first, numbers = shared.skeleton("#define A 8\nstatic void k0(double *a)\n{\n    a[3] = 2.5 + 0x1.8p-3 + 1e-05; /* 7 */\n}\n")
    assert numbers == ["3", "2.5", "0x1.8p-3", "1e-05"]
    assert "#define A 8" in first
    assert "k0" in first
    text = "typedef int call_t(int);\nstatic void k0(double *a)\n{\n    a[3] = 2.5;\n}\n"
    made = shared.tabulated(text, frozenset({0, 1}), "p")
    assert "    const ptrdiff_t n_0_ = whole[0];\n    const double r_1_ = real[1];\n    a[n_0_] = r_1_;" in made


def compiled(text, folder):
    source, made = folder / "p.c", folder / "p.so"
    source.write_text(text)
    find().compile(source, made)
    return ctypes.CDLL(str(made))


@pytest.mark.parametrize(
    ("f", "shapes", "sizes"),
    [
        (lambda m, v: np.tanh(m @ v).sum(), [("n", 3), 3], [(129,), (1000,), (5,)]),
        (lambda x: x[1::2] * 2, ["n"], [(4,), (5,), (400,), (1,)]),
        (lambda x, y: x @ y, [("n", "m"), "m"], [(2, 129), (77, 300), (1, 300), (5, 5)]),
        (lambda x, y: np.concatenate([x[::-1], y]), ["w", "i0"], [(7, 9), (100, 3)]),
    ],
)
def test_one_text_takes_the_sizes(f, shapes, sizes, tmp_path):
    g = wg.trace(f).graph(*map(wg.spec, shapes))
    text = wg.source(g, "c")
    names = g.graph.sizes.names
    called = [n if n in ("n", "m") else f"size_{n}" for n in names]
    assert f"int program({', '.join(f'const ptrdiff_t {n}' for n in called)}, const double *in0" in text
    library = compiled(text, tmp_path)
    library.program_workspace.restype = ctypes.c_size_t
    ran = 0
    for values in sizes:
        env = dict(zip(names, values, strict=True))
        rng = np.random.default_rng(0)
        args = [rng.uniform(0.2, 0.9, tuple(env.get(d, d) for d in (s if isinstance(s, tuple) else (s,)))) for s in shapes]
        want = np.asarray(f(*args))
        out = np.zeros(want.shape)
        counts = [ctypes.c_ssize_t(n) for n in values]
        work = np.empty(library.program_workspace(*counts) + 1, np.uint8)
        pointers = [ctypes.c_void_p(a.ctypes.data) for a in (*args, out, work)]
        if library.program(*counts, *pointers):
            continue  # too small for this text, which says so
        np.testing.assert_allclose(out, want, rtol=1e-12)
        ran += 1
    assert ran >= 2


def test_where_no_one_text_serves_it_says_for_which_sizes_it_is():
    g = wg.trace(lambda x: x * np.sin(np.arange(len(x)))).graph(wg.spec("n"))
    assert wg.source(g, "c").startswith("// For n = 12; the source of other sizes: program.at(...).\n")
