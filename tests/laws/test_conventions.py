"""Law: the derivative at kinks, poles, ties, infinities and NaN is the one written down, in both modes on every backend.

The table is wengert.tools.conventions.  Its rows are traced, to their order in mixtures of modes, and those of a chapter
run side by side as one graph, so that a backend compiles once: every operand alone, and in an array, where fused and vectorised loops have their say.
"""

import functools
import math
import sys
from pathlib import Path

import numpy as np
import oracles
import pytest
from batches import BACKENDS

import wengert as wg
from wengert.backends import protocol
from wengert.ir import autodiff
from wengert.ir.build import Builder
from wengert.ir.errors import WengertError
from wengert.ir.kinds import Elementwise
from wengert.tools.conventions import BEHAVIOUR, CHAPTERS, ROWS, page

ROOT = Path(__file__).parent.parent.parent
LENGTH = 5  # of the arrays: beyond one vector of a SIMD loop
#: The rows that are run together.
REAL = {title: rows for title, _, every in CHAPTERS if (rows := [r for r in every if not (r.waits or r.raises or r.is_complex)])}


def derived(row, inner):
    """The program whose derivative is the row's: for order 2, its first derivative in the mode ``inner``."""
    f = wg.trace(row.function())
    for mode in inner:
        f = {"f": forward_of, "r": reverse_of}[mode](f)
    return f


def mixtures(n):
    """Words of ``f`` and ``r`` for the n inner derivatives: all of one letter, and for more than one, in turns."""
    return dict.fromkeys(("f" * n, "r" * n, ("fr" * n)[:n], ("rf" * n)[:n]))


def forward_of(f):
    return wg.trace(lambda x: wg.jvp(f, (x,), (np.ones_like(x),))[1])


def reverse_of(f):
    return wg.trace(lambda x: wg.grad(lambda x: np.sum(f(x)))(x))


def fits(row):
    """Whether float32 has the numbers of the row: else its point would be another."""
    with np.errstate(all="ignore"):
        numbers = [np.asarray(x, float) for x in (*row.point, row.value, *row.slopes)]
        big = any(((abs(n) > 1e37) | (abs(n) < 1e-37) & (n != 0)).any() & np.isfinite(n).all() for n in numbers)
        return not big and "e200" not in row.code and all(np.array_equal(np.float32(n), n, equal_nan=True) for n in numbers[: len(row.point)])


class Case:
    """A row, the derivatives within it, and the numbers to be had."""

    def __init__(self, row, inner, operands, graph, stretched):
        self.row, self.inner, self.operands, self.graph, self.stretched = row, inner, operands, graph, stretched

    def __str__(self):
        return f"{self.row}{' within ' + self.inner if self.inner else ''}{', in an array' if self.stretched else ''}"


@functools.cache
def cases_of(chapter, dtype):
    """Every row of a chapter as a case, and once more with arrays for numbers where it is elementwise."""
    found = []
    with np.errstate(all="ignore"):
        for row in REAL[chapter]:
            if dtype == "float32" and not fits(row):
                continue
            for inner in mixtures(row.order - 1):
                operands = row.operands(dtype)
                graph = derived(row, inner).graph(*operands).graph
                found.append(Case(row, inner, operands, graph, False))
                if row.order < 3 and not any(x.ndim for x in operands) and all(isinstance(n.op, Elementwise) for n in graph.nodes):
                    operands = [np.full(LENGTH, x) for x in operands]
                    found.append(Case(row, inner, operands, derived(row, inner).graph(*operands).graph, True))
    return found


@functools.cache
def batch(chapter, dtype):
    """One graph of all the cases, its inputs, and for each case where they and the outputs start."""
    b, outputs, inputs, at = Builder("conventions"), [], [], []
    for case in cases_of(chapter, dtype):
        at.append((len(inputs), len(outputs)))
        operands = [b.input(v.type) for v in case.graph.inputs]
        outputs += b.inline(case.graph, operands)
        inputs += case.operands
    return b.graph(outputs), inputs, at


@functools.cache
def answers(chapter, dtype, backend):
    """The values, and the derivatives of the sum of the results in both modes."""
    graph, inputs, at = batch(chapter, dtype)
    active = tuple(range(len(inputs)))
    target, cases = protocol.get(backend), cases_of(chapter, dtype)
    directions = max(sum(x.size for x in case.operands) for case in cases)
    tangents = []
    for case in cases:
        start = 0
        for x in case.operands:
            t = np.zeros((directions, x.size), dtype)
            t[start : start + x.size] = np.eye(x.size)
            tangents.append(t.reshape(directions, *x.shape))
            start += x.size
    values, moved = target.forward(graph, active)(inputs, tangents)
    ones = [np.ones((1, *v.type.shape), v.type.dtype) for v in graph.outputs]
    _, pulled = target.reverse(graph, active)(inputs, ones)
    with np.errstate(all="ignore"):
        forward = [t.reshape(directions, -1) for t in moved]
        forward = [np.array([row[row != 0].sum(dtype=dtype) for row in t], dtype) for t in forward]
    found = []
    for case, (i, o) in zip(cases, at, strict=True):
        ends = np.cumsum([x.size for x in case.operands])
        parts = np.split(forward[o][: ends[-1]], ends[:-1])
        forward_parts = [p.reshape(x.shape) for p, x in zip(parts, case.operands, strict=True)]
        found.append((values[o], forward_parts, [g[0] for g in pulled[i : i + len(case.operands)]]))
    return found


#: What optimisers may do is asked of edges; at smooth points there are none, and the programs are long.
ASKED = [pytest.param(title, marks=pytest.mark.optimised(not title.startswith("Smooth points"))) for title in REAL]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("chapter", ASKED)
@pytest.mark.filterwarnings("ignore:floating point number truncated to an integer")
def test_every_row(chapter, dtype, backend, cases):
    rtol, wrong, n = 1e-12 if dtype == "float64" else 2e-6, [], 0
    for case, (value, *modes) in zip(cases_of(chapter, dtype), answers(chapter, dtype, backend), strict=True):
        row = case.row
        if row.order == 1:
            wrong += complaints(f"{case}, value", value, row.value, rtol)
        for mode, got in zip(("forward", "reverse"), modes, strict=True):
            for k, (derivative, slope) in enumerate(zip(got, row.slopes, strict=True)):
                assert derivative.dtype == np.dtype(dtype)
                wrong += complaints(f"{case}, {mode}, argument {k}", derivative, slope, rtol)
                n += 1
    assert not wrong, f"{len(wrong)}:\n" + "\n".join(wrong)
    cases(n)


def complaints(what, got, expected, rtol):
    expected = np.broadcast_to(np.asarray(expected, float), np.shape(got))
    bad = oracles.differing(got, expected, rtol * abs(expected)).any()
    return [f"{what}: {got} for {expected}"] if bad else []


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("row", [row for row in ROWS if row.is_complex and not row.waits], ids=str)
def test_complex_rows(row, backend, cases):
    """du/da - i du/db, by tangents 1 and i, and by the pullback."""
    f, (z,) = wg.trace(row.function()), row.operands()
    (slope,) = row.slopes
    a, b = (wg.jvp(f, (z,), (t,), backend=backend)[1] for t in (np.complex128(1), np.complex128(1j)))
    for got in (complex(a, -b), wg.grad(f, backend=backend)(z)):
        assert np.isnan(got) if np.isnan(slope) else abs(got - slope) <= 1e-12 * abs(slope)
    cases(2)


@pytest.mark.parametrize("row", [row for row in ROWS if row.raises and not row.waits], ids=str)
def test_rows_that_are_refused(row):
    f = row.function()
    with np.errstate(all="ignore"), pytest.raises(row.raises):
        wg.grad(lambda *xs: np.sum(f(*xs)))(*row.operands())


@pytest.mark.parametrize("row", [row for row in ROWS if row.waits], ids=str)
def test_rows_that_wait_still_have_to(row):
    """One that is differentiable by now is to be tested like the others: take its ``waits=`` away."""
    with np.errstate(all="ignore"), pytest.raises((WengertError, TypeError)):
        graph = wg.trace(row.function()).graph(*row.operands()).graph
        autodiff.vjp(graph, tuple(range(len(graph.inputs))))
        pytest.fail(f"{row}: it can be differentiated now. Take its waits= away.")


class Exactly:
    """NumPy's and SciPy's functions in mpmath's numbers: another reading of a row's code."""

    absolute = abs = staticmethod(abs)
    inf = oracles.mp.inf

    def __getattr__(self, name):
        function = oracles.MP[{"mod": "remainder", "round": "rint"}.get(name, name)]
        return lambda *xs: function(*map(oracles.mp.mpf, xs))

    @staticmethod
    def clip(x, low, high):
        return min(max(x, low), high)


def interior(row):
    """Whether it is of numbers alone, has a finite derivative, and is not at an edge where it exists to one side only."""
    finite = all(isinstance(x, float) and np.isfinite(x) for x in (*row.point, *row.slopes))
    return row.exact and finite and not any(word in row.code for word in ("@", "array", "ones", "linalg", "where", "nan_to_num", "prod", "sort", "copysign"))


@pytest.mark.parametrize("row", [row for row in ROWS if interior(row) and not row.waits], ids=str)
def test_exact_rows_are_mpmaths(row):
    """The numbers of the table, from central differences at 1200 digits."""
    mp, n = oracles.mp, row.order
    f = eval(f"lambda {', '.join(row.names)}: {row.code}", {"np": Exactly(), "special": Exactly()})
    with mp.workdps(1200):
        here = [mp.mpf(x) for x in row.point]
        for k, slope in enumerate(row.slopes):
            h = mp.mpf(10) ** -120 * (abs(here[k]) or 1)
            places = [here[k] + (mp.mpf(n) / 2 - i) * h for i in range(n + 1)]
            values = [f(*here[:k], x, *here[k + 1 :]) for x in places]
            got = sum((-1) ** i * math.comb(n, i) * v for i, v in enumerate(values)) / h**n
            assert abs(got - slope) <= (1e-13 * abs(slope) or 1e-100), f"{mp.nstr(got, 20)} for {slope}"


def test_the_survey_is_answered_row_by_row():
    ids = [row.id for row in ROWS]
    assert len(set(ids)) == len(ids)
    assert {str(n) for n in range(1, 146)} | {f"T{n}" for n in range(1, 57)} <= set(ids)


def test_docs_are_up_to_date():
    kept = (ROOT / "docs" / "conventions.md").read_text(encoding="utf-8")
    assert kept == page(), "write it with: wengert conventions --write docs/conventions.md"


# ----- Behaviour -----


def test_each_behaviour_has_its_test():
    assert all(callable(getattr(sys.modules[__name__], b.test)) for b in BEHAVIOUR)
    assert [b.id for b in BEHAVIOUR] == [f"B{n}" for n in range(1, len(BEHAVIOUR) + 1)]


def square_sum(x):
    return np.sum(x * x)


def test_integers():
    assert wg.grad(square_sum)(3) == 6.0
    with pytest.raises(WengertError, match="x"):
        wg.grad(square_sum)(np.array([1, 2]))
    np.testing.assert_array_equal(wg.grad(lambda x, n: np.sum(x * n))(np.ones(2), np.array([1, 2])), [1.0, 2.0])


@pytest.mark.parametrize("backend", BACKENDS)
def test_big_endian(backend):
    got = wg.grad(square_sum, backend=backend)(np.arange(3.0).astype(">f8"))
    assert got.dtype.isnative
    np.testing.assert_array_equal(got, [0.0, 2.0, 4.0])


@pytest.mark.parametrize("backend", BACKENDS)
def test_negative_strides(backend):
    np.testing.assert_array_equal(wg.grad(square_sum, backend=backend)(np.arange(3.0)[::-1]), [4.0, 2.0, 0.0])


@pytest.mark.parametrize("backend", BACKENDS)
def test_float32(backend):
    assert wg.grad(square_sum, backend=backend)(np.ones(3, np.float32)).dtype == np.float32


def test_item_assignment():
    def f(x):
        y = x * 1
        y[1:][0] = 7 * x[0]
        return np.sum(y)

    np.testing.assert_array_equal(wg.grad(f)(np.ones(3)), [8.0, 0.0, 1.0])


def test_a_python_branch():
    f = wg.trace(lambda x: x * x if x > 0 else -x)
    assert (wg.grad(f)(3.0), wg.grad(f)(-3.0)) == (6.0, -1.0)
    with pytest.raises(WengertError):
        f.graph(3.0)(-3.0)


def test_a_leaked_value():
    kept = []
    wg.trace(lambda x: kept.append(x) or x)(1.0)
    with pytest.raises(WengertError):
        kept[0] + 1


def test_promotion_facts():
    x, n = np.ones(2, np.float32), np.ones(2, np.int32)
    for f in (lambda x, n: x[0] + 3.0, lambda x, n: x + np.float64(1), lambda x, n: x + np.array(1.0), lambda x, n: n + 1.5,
              lambda x, n: x * 2, lambda x, n: np.mean(n), lambda x, n: np.sqrt(n)):  # fmt: skip
        assert wg.trace(f)(x, n).dtype == f(x, n).dtype
    small = np.uint8(1), np.uint8(2)
    with np.errstate(over="ignore"):
        assert wg.trace(lambda a, b: a - b)(*small) == 255
    with pytest.raises(OverflowError):
        wg.trace(lambda a: a + 200)(np.int8(1))
