"""Sizes: their arithmetic is that of whole numbers, they are read as they are written, and no text makes them hang."""

import contextlib
import math
import time

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from wengert.ir import text, wire
from wengert.ir.errors import GraphFileError, SizeError, TextError, VerifyError
from wengert.ir.graph import Constant, Graph, Value
from wengert.ir.symbolic.fitting import Fitter
from wengert.ir.symbolic.formulas import Formula, constant_at
from wengert.ir.symbolic.schema import Constraint, Sizes, instantiate, solve, unsolved
from wengert.ir.symbolic.size_text import parse_size
from wengert.ir.symbolic.sizes import Size, greatest, least, replace, size
from wengert.ir.symbolic.witnesses import _candidates
from wengert.ir.types import DTYPES, ArrayType
from wengert.ir.verify import verify

N, M = size("n"), size("m")
ENVS = [{"n": n, "m": m} for n in (0, 1, 2, 5, 12) for m in (1, 3, 8)]


def plain(words, env):
    return eval(words, {}, {"min": min, "max": max, **env})


atoms = st.sampled_from(["n", "m", "0", "1", "2", "3", "7"])
expressions = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*"]), inner).map(lambda p: f"({p[0]}{p[1]}{p[2]})"),
        st.tuples(inner, st.sampled_from(["//", "%"]), st.sampled_from(["2", "3", "m", "(m+1)"])).map(
            lambda p: f"({p[0]}){p[1]}{p[2]}"
        ),
        st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(lambda p: f"{p[0]}({p[1]},{p[2]})"),
        inner.map(lambda x: f"-({x})" if x[:1] == "(" else x),
    ),
    max_leaves=6,
)


@given(expressions)
@settings(max_examples=150, deadline=None)
def test_a_size_is_what_python_makes_of_its_text(words):
    found = parse_size(words)
    for env in ENVS:
        assert replace(found, env) == plain(words, env)
        assert plain(str(found), env) == plain(words, env)  # as Python, not only as we, read what is written
    assert parse_size(str(found)) == found


@pytest.mark.parametrize(
    ("words", "normal"),
    [
        ("n+n", "2*n"), ("n-n", "0"), ("(n-1)+1", "n"), ("2*n//2", "n"), ("(2*n+1)//2", "n"), ("(2*n+1)//4", "n//2"),
        ("(n+2)//2", "n//2+1"), ("min(n,n+1)", "n"), ("max(3,5)", "5"), ("min(n,min(m,n))", "min(m,n)"),
        ("4*n%4", "0"), ("(4*n+5)%4", "1"), ("n*m-m*n", "0"), ("-(n//2)", "-(n//2)"), ("3 * n", "3*n"), ("n//n", "1"),
    ],
)  # fmt: skip
def test_equal_sizes_are_one(words, normal):
    assert str(parse_size(words)) == normal
    assert parse_size(words) == parse_size(normal)
    assert hash(parse_size(words)) == hash(parse_size(normal))


@pytest.mark.parametrize(
    "words",
    ["", "n+", "n**2", "2n", "(n", "n)", "min(n", "min()", "None", "True", "nan", "n//0", "n%0", "1//0", "n/2", "n.x", "é",
     "9" * 30, "n" * 65, "(" * 40 + "n" + ")" * 40, "*".join("n" * 13), "+".join(f"a{k}" for k in range(80)),
     "-" * 100 + "n", "(a+b+c+d+e)*(a+b+c+d+e)*(a+b+c+d+e)*(a+b+c+d+e)*(a+b+c+d+e)*(a+b+c+d+e)", "n+" * 600 + "n", 3, None],
)  # fmt: skip
def test_what_is_no_size_is_refused_at_once(words):
    start = time.process_time()
    with pytest.raises(SizeError):
        parse_size(words)
    assert time.process_time() - start < 1


def test_values_beyond_64_bits_and_divisions_by_zero_are_refused():
    with pytest.raises(SizeError, match="64 bits"):
        (N * N).evaluate({"n": 2**40})
    with pytest.raises(SizeError, match="divides by zero where"):
        (N // M).evaluate({"n": 1, "m": 0})
    with pytest.raises(SizeError, match="'m' is not known"):
        (N + M).evaluate({"n": 1})


# ----- Fitting -----

FORMS = [
    "n", "n+1", "2*n+1", "n-3", "n//2+1", "(n+1)//2", "(n-1)//3", "(3*n-3)//10", "n*m", "n*m*m", "n*(n+1)//2", "3*n*m+2", "n%2",
    "n%7", "min(n,m)", "max(n,m)", "min(n,20)", "max(n-20,0)", "2*(n//2)", "m//n", "n+m-1", "(n+m)//2", "-n", "n-n//2-1",
    "(n*m)//2", "(-n)%4+1", "max(n,m)-min(n,m)+1", "n*(m//2+1)", "-((-n)//m)", "n*n*n",
]  # fmt: skip


@pytest.mark.parametrize("words", FORMS)
def test_the_fitted_size_is_right_where_it_was_not_looked_at(words):
    stream, found = list(_candidates(("m", "n"))), None
    for count in (12, 22):  # as where a number fits nothing
        fitter = Fitter(stream[:count])
        for known in ("n*m", "min(n,m)", "max(n,m)", *(("m//2+1",) if "m//2" in words else ())):
            fitter.learn(parse_size(known))
        if (found := fitter.fit([plain(words, env) for env in fitter.envs])) is not None:
            break
    assert found is not None
    for env in [*stream[12:], {"n": 5, "m": 3}, {"n": 3, "m": 7}, {"n": 1234, "m": 777}]:
        assert replace(found, env) == plain(words, env), (str(found), env)


def test_what_is_no_expression_is_not_fitted():
    fitter = Fitter(list(_candidates(("n",)))[:12])
    rng = np.random.default_rng(0)
    for _ in range(20):
        assert fitter.fit(rng.integers(0, 1000, 12).tolist()) is None
    assert fitter.fit([int(math.log2(env["n"])) for env in fitter.envs]) is None
    assert fitter.fit([math.isqrt(env["n"]) for env in fitter.envs]) is None


# ----- Sizes from shapes -----


def graph_of(*shapes, constraints=()):
    inputs = tuple(Value(ArrayType(DTYPES["f64"], tuple(parse_size(d) if isinstance(d, str) else d for d in s))) for s in shapes)
    names = dict.fromkeys(n for s in shapes for d in s if isinstance(d, str) for n in ("n", "m", "k") if n in d)
    return Graph(inputs, (), inputs, sizes=Sizes(tuple((name, 12 + i) for i, name in enumerate(names)), constraints))


@pytest.mark.parametrize(
    ("dims", "given", "env"),
    [
        ([("n", "m")], [(2, 3)], {"n": 2, "m": 3}),
        ([("2*n+1",)], [(7,)], {"n": 3}),
        ([("n*m",), ("m",)], [(6,), (2,)], {"n": 3, "m": 2}),
        ([("n+m", "n-m")], None, None),
        ([("n//2",), ("n",)], [(3,), (7,)], {"n": 7}),
        ([("min(n,m)",), ("n",), ("m",)], [(2,), (5,), (2,)], {"n": 5, "m": 2}),
        ([("n*m+m+1",), ("m",)], [(9,), (2,)], {"n": 3, "m": 2}),
    ],
)
def test_shapes_tell_sizes(dims, given, env):
    graph = graph_of(*dims)
    if env is None:
        assert unsolved(graph)
        return
    assert solve(graph, given, "xyz"[: len(dims)]) == env
    assert not unsolved(graph)


@pytest.mark.parametrize(
    ("dims", "given", "message"),
    [
        ([("n", 3)], [(2, 4)], "Argument x has size 4 along axis 1; the graph was made for 3."),
        ([("n", 3)], [(2,)], "Argument x has 1 axes, of sizes"),
        ([("n",), ("n",)], [(2,), (3,)], r"Argument y has size 3 along axis 0; n == 3 does not hold: it is 2, where n = 2 \(axis 0 of x\)."),
        ([("n",), ("2*n+1",)], [(2,), (3,)], r"Argument y has size 3 along axis 0; 2\*n\+1 == 3 does not hold: it is 5"),
        ([("2*n+1",)], [(4,)], r"Argument x has size 4 along axis 0; no size n makes 2\*n\+1 == 4."),
        ([("n+5",)], [(4,)], "no size n makes"),
        ([("n",), ("n*m",)], [(0,), (3,)], "does not tell 'm', where n = 0"),
    ],
)  # fmt: skip
def test_a_wrong_size_names_argument_axis_and_equation(dims, given, message):
    with pytest.raises(SizeError, match=message):
        solve(graph_of(*dims), given, "xyz"[: len(dims)])


# ----- Symbolic graphs that are wrong -----


def symbolic(*, witness=12, constraints=(), formula=None, dim=N):
    x = Value(ArrayType(DTYPES["f64"], (dim,)), "x")
    outputs = (x,) if formula is None else (x, formula)
    return Graph((x,), (), outputs, sizes=Sizes((("n", witness),), constraints))


def made(form, *args, dims=(N,)):
    return Formula(ArrayType(DTYPES["f64"], dims), None, form, args)


INDEX = Size(((((("_0"), 1),), 1),))
BEYOND = Size(((((("_7"), 1),), 1),))
WRONG = {
    "a witness that is too large": symbolic(witness=2**62),
    "a negative witness": symbolic(witness=-1),
    "a witness that is a bool": symbolic(witness=True),
    "an unknown name": symbolic(dim=N + M),
    "a constraint that does not hold": symbolic(constraints=(Constraint(N, ">", 20),)),
    "no comparison": symbolic(constraints=(Constraint(N, "=>", 2),)),
    "a division by zero": symbolic(constraints=(Constraint(N // (N - 12), ">", 2),)),
    "a negative size": symbolic(dim=N - 20),
    "a size that nothing tells": symbolic(dim=N // 2),
    "no formula": symbolic(formula=made("os.system", "ls")),
    "arguments that do not fit": symbolic(formula=made("hanning", 1.5, 2.5, 3.5)),
    "a formula of another shape": symbolic(formula=made("hanning", N + 1)),
    "an index of no axis": symbolic(formula=made("elements", BEYOND, 1)),
    "an index where there is none": symbolic(formula=made("linspace", 0.0, 1.0, INDEX, 1)),
    "a huge constant": symbolic(formula=made("elements", INDEX, 1, dims=(N * N * N * N * N * N * N * N,))),
    "a huge window": symbolic(formula=made("hanning", N * N * N * N * N * N * N * N)),
    "a huge triangle": symbolic(formula=made("triangle", N * N * N * N * N * N, 1, 0, 1, 1, 1, 0)),
    "no names": Graph((Value(ArrayType(DTYPES["f64"], (N,))),), (), (), sizes=Sizes(())),
    "named twice": Graph((Value(ArrayType(DTYPES["f64"], (N,))),), (), (), sizes=Sizes((("n", 3), ("n", 3)))),
    "sizes without names": Graph((Value(ArrayType(DTYPES["f64"], (N,))),), (), ()),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_a_symbolic_graph_that_is_wrong_is_refused(what):
    start = time.process_time()
    with pytest.raises(VerifyError):
        verify(WRONG[what])
    with pytest.raises(GraphFileError):
        wire.to_bytes(WRONG[what])
    assert time.process_time() - start < 2


def test_elements_of_a_formula():
    formula = Formula(ArrayType(DTYPES["f32"], (N, M)), "c", "elements", (INDEX * 2 + N, 4))
    made = constant_at(formula, {"n": 3, "m": 2})
    np.testing.assert_array_equal(made.array, np.array([[3, 3], [5, 5], [7, 7]], np.float32) / 4)
    assert made.name == "c"
    assert made.array.dtype == np.float32


def sample():
    """One of everything that only symbolic graphs hold."""
    x = Value(ArrayType(DTYPES["f64"], (N, 3)), "x")
    y = Value(ArrayType(DTYPES["i64"], (least(N, M), greatest(M - 2, 0))))
    scale = Formula(ArrayType(DTYPES["f64"]), None, "elements", (N, M + 1))
    even = Formula(ArrayType(DTYPES["f64"], (N // 2 + 1,)), "even", "linspace", (0.0, -1.5, N // 2 + 1, 1))
    m = Value(ArrayType(DTYPES["bool"], (M,)), "m")
    sizes = Sizes((("n", 12), ("m", 9)), (Constraint(N, ">", M), Constraint(N % 5, "!=", 3)))
    return Graph((x, y, m), (), (x, scale, even, y, scale, Constant.of(2.0)), sizes=sizes)


def test_text_and_file_keep_everything():
    graph = sample()
    printed = text.dump(graph)
    assert text.dump(text.parse(printed)) == printed
    assert wire.identity(text.parse(printed)) == wire.identity(graph)
    data = wire.to_bytes(graph)
    assert wire.to_bytes(wire.from_bytes(data)) == data
    env = {"n": 7, "m": 4}
    assert wire.identity(instantiate(wire.from_bytes(data), env)) == wire.identity(instantiate(graph, env))
    ordinary = instantiate(graph, env)
    assert wire.to_bytes(ordinary) == wire.to_bytes(text.parse(text.dump(ordinary)))  # and is written as it ever was


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("sizes (n=12, m=9)\n  where n > m\n  where n%5 != 3\n", "", "a line such as: sizes"),
        ("sizes (n=12, m=9)", "sizes (n=12)", "'m' is not among n"),
        ("n=12", "n=1", "holds for sizes with"),
        ("n=12", "n=99999999999", "expected a count up to"),
        ("where n > m", "where n > ", "is not a size"),
        ("where n > m", "where n ~ m", "expected a comparison"),
        ("f64[n,3]", "f64[n,,3]", "is not a size"),
        ("f64[n,3]", "f64[n+,3]", "is not a size"),
        ("f64[n,3]", "f64[n-13,3]", "counts"),
        ("formula linspace", "formula system", "is no formula"),
        ("f64[n//2+1]", "f64[n//2]", "shape"),
        ("%0: x: f64[n,3]", "%0: x: f64*[n,3]", "scalar"),
    ],
)
def test_damaged_text_says_what_is_wrong(old, new, message):
    printed = text.dump(sample())
    assert old in printed
    with pytest.raises(TextError, match=message):
        text.parse(printed.replace(old, new, 1))


def test_damaged_files_are_refused_or_are_other_graphs():
    body = wire.to_bytes(sample())[50:]
    rng = np.random.default_rng(0)
    start = time.process_time()
    for _ in range(300):
        damaged = bytearray(body)
        for at in rng.integers(0, len(body), 2):
            damaged[at] = rng.integers(0, 256)
        with contextlib.suppress(GraphFileError):
            verify(wire.unpack(bytes(damaged)))
    assert time.process_time() - start < 20
