"""Colourings, checked one by one, and compressed matrices of random graphs against dense ones."""

import os

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from strategies import programs

from wengert.backends.program import Program
from wengert.ir import autodiff, sparsity
from wengert.ir.build import Builder, Namespace
from wengert.ir.errors import DerivativeError
from wengert.ir.ops import OPS
from wengert.ir.sparsity.coloring import colour_star
from wengert.ir.sparsity.compression import compress, compress_symmetric
from wengert.ir.sparsity.control import _forgotten, _stepped
from wengert.ir.sparsity.graphs import gradient_graph
from wengert.ir.sparsity.patterns import Pattern, stacked, united
from wengert.ir.types import ArrayType

EXAMPLES = 600 if os.environ.get("WENGERT_SOAK") else 60


def of(matrix):
    matrix = np.asarray(matrix, bool)
    return Pattern.of_pairs(*matrix.nonzero(), *matrix.shape)


@st.composite
def matrices(draw, *, square=False):
    m = draw(st.integers(0, 9))
    n = m if square else draw(st.integers(0, 9))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    matrix = rng.random((m, n)) < draw(st.sampled_from([0.0, 0.15, 0.3, 0.6, 1.0]))
    if m and n and draw(st.booleans()):
        matrix[rng.integers(m)] = True
    if m and n and draw(st.booleans()):
        matrix[:, rng.integers(n)] = True
    return matrix


# ----- Patterns against matrices of bools -----


@given(matrices(), matrices(), st.randoms(use_true_random=False))
def test_patterns_are_matrices(first, second, random):
    p = of(first)
    np.testing.assert_array_equal(p.dense(), first)
    np.testing.assert_array_equal(p.transposed().dense(), first.T)
    rows = [random.randrange(-1, len(first)) for _ in range(5)] if len(first) else [-1, -1]
    padded = np.concatenate([first, np.zeros((1, first.shape[1]), bool)])
    np.testing.assert_array_equal(p.take(rows).dense(), padded[rows])
    groups = np.array([random.randrange(3) for _ in first], int)
    expected = np.array([first[groups == g].any(axis=0) for g in range(3)]).reshape(3, first.shape[1])
    np.testing.assert_array_equal(p.grouped(groups, 3).dense(), expected)
    np.testing.assert_array_equal(p.grouped(None, 1).dense(), first.any(axis=0)[None])
    if first.shape == second.shape:
        np.testing.assert_array_equal(united([p, of(second)]).dense(), first | second)
        np.testing.assert_array_equal(p.within(of(second)).dense(), first & second)
    if first.shape[1] == second.shape[1]:
        np.testing.assert_array_equal(stacked([p, of(second)]).dense(), np.concatenate([first, second]))


# ----- Colourings -----


def decompressed(by, matrix):
    """What the directions of a compression give of a matrix, said again; the entries read off."""
    forward = [matrix[:, by.columns == c].sum(axis=1) for c in range(by.forward)]
    reverse = [matrix[by.rows == c].sum(axis=0) for c in range(by.reverse)]
    flat = np.concatenate([*forward, *reverse, np.zeros(0)])
    out = np.zeros(matrix.shape)
    out[by.wanted.dense()] = flat[by.source]
    return out


def numbers(pattern, seed=0):
    """Distinct numbers: no sum of some is another."""
    rng = np.random.default_rng(seed)
    return np.where(pattern, rng.normal(size=np.shape(pattern)), 0.0)


@given(matrices())
def test_every_entry_is_read_off(matrix):
    values = numbers(matrix)
    for mode in (None, "forward", "reverse"):
        by = compress(of(matrix), mode=mode)
        np.testing.assert_array_equal(decompressed(by, values), values)
        assert by.forward + by.reverse <= min(matrix.shape) or mode is not None
        assert by.reverse == 0 or mode != "forward"
        assert by.forward == 0 or mode != "reverse"


@given(matrices(), st.integers(0, 1000))
def test_entries_that_are_wanted_are_read_off(matrix, seed):
    wanted = matrix & (np.random.default_rng(seed).random(matrix.shape) < 0.4)
    values = numbers(matrix)
    for mode in (None, "forward", "reverse"):
        by = compress(of(matrix), of(wanted), mode=mode)
        np.testing.assert_array_equal(decompressed(by, values), np.where(wanted, values, 0.0))


@given(matrices(square=True))
def test_a_symmetric_matrix_is_read_off_in_one_triangle_or_the_other(matrix):
    matrix = matrix | matrix.T
    values = numbers(matrix)
    values = values + values.T
    by = compress_symmetric(of(matrix))
    np.testing.assert_array_equal(decompressed(by, values), values)
    assert by.reverse == 0


@given(matrices(square=True))
def test_a_star_colouring_is_one(matrix):
    """No two neighbours, and no path of four in two colours, looked at one by one."""
    matrix = (matrix | matrix.T) & ~np.eye(len(matrix), dtype=bool)
    colours = colour_star(of(matrix | np.eye(len(matrix), dtype=bool)))
    near = [np.flatnonzero(row).tolist() for row in matrix]
    for v, some in enumerate(near):
        for w in some:
            assert colours[v] != colours[w]
            for x in near[w]:
                for y in near[x]:
                    if len({v, w, x, y}) == 4:
                        assert len({int(colours[i]) for i in (v, w, x, y)}) > 2


@pytest.mark.parametrize(("matrix", "count"), [
    (np.eye(9), 1), (np.tri(9, k=1) - np.tri(9, k=-2), 3), (np.ones((3, 9)), 3), (np.ones((9, 3)), 3),
    (np.kron(np.eye(4), np.ones((5, 2))), 2), (np.kron(np.eye(4), np.ones((2, 5))), 2),
])  # fmt: skip
def test_directions_of_matrices_that_are_known(matrix, count):
    by = compress(of(matrix))
    assert by.forward + by.reverse == count


def arrow(n):
    matrix = np.eye(n, dtype=bool)
    matrix[0] = matrix[:, 0] = True
    return matrix


def test_a_full_row_and_a_full_column_take_a_mix():
    by = compress(of(arrow(30)))
    assert (by.forward, by.reverse) in ((2, 1), (1, 2))
    assert compress_symmetric(of(arrow(30))).forward == 2


# ----- Loops -----


@given(st.integers(0, 10**6), st.integers(1, 6), st.booleans(), st.booleans())
def test_a_loop_that_forgets_is_composed_at_once(seed, n, back, forgets):
    """As it is step by step, said with matrices of bools."""
    rng = np.random.default_rng(seed)
    k, c, x, y, columns = (int(v) for v in rng.integers(0, 4, 5))
    c, columns = c + 1, columns + 1
    body = rng.random((c + y, k + c + x)) < 0.5
    if forgets:
        body[:c, k : k + c] &= np.tri(c, k=-1, dtype=bool)
    known, carried, entries = (rng.random((rows, columns)) < 0.4 for rows in (k, c, n * x))
    places = np.arange(n * x).reshape(n, x)
    expected, now = np.zeros((n, c + y, columns), bool), carried
    for t in range(n)[::-1] if back else range(n):
        expected[t] = body.astype(int) @ np.concatenate([known, now, entries[places[t]]]).astype(int) > 0
        now = expected[t][:c]
    got = _stepped(of(body), of(known), of(carried), of(entries), places, back)
    np.testing.assert_array_equal(got.dense(), expected.reshape(n * (c + y), columns))
    if forgets:
        around = of(body).only((of(body).indices >= k) & (of(body).indices < k + c))
        assert _forgotten(Pattern(around.indptr, around.indices - k, c), c) is not None


# ----- Random graphs -----


@settings(max_examples=EXAMPLES)
@given(programs())
def test_the_jacobian_of_a_random_graph(program):
    check(program.graph, program.active, program.arguments)


@settings(max_examples=EXAMPLES)
@given(programs(max_nodes=6, loops=True))
def test_the_jacobian_of_a_random_graph_with_loops(program):
    check(program.graph, program.active, program.arguments)


@settings(max_examples=EXAMPLES)
@given(programs(max_nodes=4, loops=True))
def test_the_gradient_of_a_random_graph_with_loops(program):
    check_gradient(program)


@settings(max_examples=EXAMPLES)
@given(programs(max_nodes=10))
def test_the_gradient_of_a_random_graph(program):
    check_gradient(program)


def check_gradient(program):
    """Its pattern holds, and of all that is a Hessian's."""
    graph = program.graph
    b = Builder()
    inputs = [b.input(v.type) for v in graph.inputs]
    ends = [b.constant(np.ones(v.type.shape, v.type.dtype)) for v in graph.outputs if v.type.dtype.kind in "fc"]
    outputs = b.inline(autodiff.vjp(graph, program.active), [*inputs, *ends])
    check(b.graph(outputs[len(graph.outputs) :]), program.active, program.arguments)


@settings(max_examples=EXAMPLES)
@given(programs(max_nodes=10))
def test_the_hessian_of_a_random_graph(program):
    """By a star colouring, where the second derivatives are symmetric numbers: at kinks and beyond infinity they may not be."""
    floats = [v for v in program.graph.outputs if v.type.dtype.kind == "f"]
    if not floats or not program.active:
        return
    b = Builder()
    xp = Namespace(b)
    inputs = [b.input(v.type) for v in program.graph.inputs]
    env = dict(zip(program.graph.outputs, b.inline(program.graph, inputs), strict=True))
    total = sum((xp.sum(xp.cast(xp.wrap(env[v]), np.float64)) for v in floats[1:]), xp.sum(xp.cast(xp.wrap(env[floats[0]]), np.float64)))
    gradient = gradient_graph(b.graph([xp.lift(total)]), program.active)
    dense = matrix_of(gradient, program.active, program.arguments, "forward")
    given = {i: x for i, x in enumerate(program.arguments) if i not in program.active}
    found = sparsity.pattern(gradient, program.active, given).pattern
    assert not np.any(dense[~found.dense()])
    if np.isfinite(dense).all() and np.allclose(dense, dense.T, rtol=1e-6, atol=1e-6):
        by = compress_symmetric(united([found, found.transposed()]))
        np.testing.assert_allclose(matrix_of(gradient, program.active, program.arguments, by), dense, rtol=1e-5, atol=1e-5)


def check(graph, active, arguments):
    if any(v.type.dtype.kind == "c" for v in graph.outputs):
        graph = graph.evolve(outputs=tuple(v for v in graph.outputs if v.type.dtype.kind != "c"))
    floats = tuple(v for v in graph.outputs if v.type.dtype.kind == "f")
    if not floats or not active:
        return
    graph = graph.evolve(outputs=floats)
    given = {i: x for i, x in enumerate(arguments) if i not in active}
    known = sparsity.pattern(graph, active, given).pattern
    assert not (known.dense() & ~sparsity.pattern(graph, active).pattern.dense()).any()
    for mode in ("forward", "reverse"):
        dense = matrix_of(graph, active, arguments, mode)
        assert not np.any(dense[~known.dense()]), "an entry is outside of the pattern"
        got = matrix_of(graph, active, arguments, compress(known, mode=mode))
        np.testing.assert_allclose(got, dense, rtol=1e-6, atol=1e-6)


def matrix_of(graph, active, arguments, by):
    """The dense matrix from unit vectors in one mode, or what a compression gives of it."""
    program, types = Program(graph, "numpy"), [graph.inputs[i].type for i in active]
    n, m = sum(t.size for t in types), sum(v.type.size for v in graph.outputs)

    def swept(sweep, seeds, types):
        parts = np.split(seeds, np.cumsum([t.size for t in types])[:-1], axis=1)
        _, moved = sweep(arguments, [p.astype(t.dtype).reshape(-1, *t.shape) if p.size else np.zeros((len(p), *t.shape), t.dtype)
                                     for p, t in zip(parts, types, strict=True)])  # fmt: skip
        return np.concatenate([t.reshape(len(seeds), -1) if t.size else np.zeros((len(seeds), 0)) for t in moved], axis=1)

    ends = [v.type for v in graph.outputs]
    if by == "forward":
        return swept(program.forward(active), np.eye(n), types).T if n else np.zeros((m, 0))
    if by == "reverse":
        return swept(program.reverse(active), np.eye(m), ends) if m else np.zeros((0, n))
    flat = [np.zeros(0)]
    if by.forward:
        flat.append(swept(program.forward(active), by.columns == np.arange(by.forward)[:, None], types).ravel())
    if by.reverse:
        flat.append(swept(program.reverse(active), by.rows == np.arange(by.reverse)[:, None], ends).ravel())
    out = np.zeros((m, n))
    out[by.wanted.row, by.wanted.indices] = np.concatenate(flat)[by.source]
    return out


# ----- What is known -----


def test_a_pattern_says_which_inputs_it_looked_into():
    b = Builder()
    x, i, m = b.input(ArrayType(np.float64, (4,))), b.input(ArrayType(np.int64, (3,))), b.input(ArrayType(np.float64, (4, 4)))
    taken = b.emit(OPS["take"], (x, i), axis=0)
    graph = b.graph([taken, b.emit(OPS["einsum"], (m, x), subscripts="ij,j->i")])
    found = sparsity.pattern(graph, (0,), {1: np.array([3, 1, 1]), 2: np.diag([1.0, 0, 2, 3])})
    assert found.read == (1, 2)
    expected = np.zeros((7, 4), bool)
    expected[[0, 1, 2, 3, 5, 6], [3, 1, 1, 0, 2, 3]] = True
    np.testing.assert_array_equal(found.pattern.dense(), expected)
    assert sparsity.pattern(graph, (0,)).pattern.dense().all()


def test_a_product_with_a_known_zero_has_no_entry():
    b = Builder()
    xp = Namespace(b)
    x = xp.wrap(b.input(ArrayType(np.float64, (3,))))
    ends = [xp.einsum(",i->i", np.float64(v), x) for v in (0.0, 2.0)] + [xp.einsum("i,j->ij", x, np.array([0.0, 0.0])), x * 0.0]
    found = sparsity.pattern(b.graph([xp.lift(e) for e in ends]), (0,)).pattern
    assert found.counts.tolist() == [0] * 3 + [1] * 3 + [0] * 9


def test_a_pattern_that_grows_too_large_is_refused():
    b = Builder()
    x = b.input(ArrayType(np.float64, (50,)))
    graph = b.graph([b.emit(OPS["cumsum"], (x,), axis=0, reverse=False)])
    with pytest.raises(DerivativeError, match="nearly every other"):
        sparsity.pattern(graph, (0,), limit=1000)
    assert sparsity.pattern(graph, (0,)).pattern.nnz == 1275
