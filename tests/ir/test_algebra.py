"""The algebra that every derived graph goes through gives the same bits, and the same derivatives."""

import itertools
import warnings

import numpy as np
import pytest

from wengert.backends import protocol
from wengert.ir import autodiff
from wengert.ir.build import Builder, Namespace
from wengert.ir.passes import algebra, dead_code
from wengert.ir.passes.algebra import ROWS
from wengert.ir.types import ArrayType

EDGES = [0.0, -0.0, 1.0, -1.5, 0.3, 7.0, 5e-324, 1e308, -1e308, np.inf, -np.inf, np.nan]
X, Y = (np.array(column) for column in zip(*itertools.product(EDGES, EDGES), strict=True))

#: What is written, and the ops that are left.
EXACT = {
    "--x": (lambda xp, x, y: xp.negative(xp.negative(x)), ()),
    "+x": (lambda xp, x, y: xp.positive(x), ()),
    "|-x|": (lambda xp, x, y: xp.absolute(-x), ("absolute",)),
    "(-x)**2": (lambda xp, x, y: xp.square(-x), ("square",)),
    "x + -0": (lambda xp, x, y: x + -0.0, ()),
    "-0 + x": (lambda xp, x, y: -0.0 + x, ()),
    "x - 0": (lambda xp, x, y: x - 0.0, ()),
    "x + -y": (lambda xp, x, y: x + -y, ("subtract",)),
    "-x + y": (lambda xp, x, y: -x + y, ("subtract",)),
    "x - -y": (lambda xp, x, y: x - -y, ("add",)),
    "x * 1": (lambda xp, x, y: x * 1.0, ()),
    "-1 * x": (lambda xp, x, y: -1.0 * x, ("negative",)),
    "-x * -y": (lambda xp, x, y: -x * -y, ("multiply",)),
    "x * 2 * c": (lambda xp, x, y: x * 2.0 * -100.3, ("broadcast_to", "multiply")),
    "c * (-4 * x)": (lambda xp, x, y: 1.7 * (-4.0 * x), ("broadcast_to", "multiply")),
    "-x * c": (lambda xp, x, y: -x * 0.1, ("broadcast_to", "multiply")),
    "-(c * x)": (lambda xp, x, y: -(0.1 * x), ("broadcast_to", "multiply")),
    "x / 1": (lambda xp, x, y: x / 1.0, ()),
    "x / -1": (lambda xp, x, y: x / -1.0, ("negative",)),
    "-x / -y": (lambda xp, x, y: -x / -y, ("divide",)),
    "scale(x, 1)": (lambda xp, x, y: xp.scale(x, 1.0), ()),
    "scale(-1, x)": (lambda xp, x, y: xp.scale(-1.0, x), ("negative",)),
    "scale(-x, -y)": (lambda xp, x, y: xp.scale(-x, -y), ("scale",)),
    "scale(3, x)": (lambda xp, x, y: xp.scale(3.0, x), ("broadcast_to", "multiply")),
    "einsum of 1": (lambda xp, x, y: xp.einsum(",i->i", 1.0, x), ()),
    "scale_einsum of 1": (lambda xp, x, y: xp.einsum("i,i->i", x, xp.full(X.shape, 1, X.dtype), scaled=True), ()),
    "where(c, x, x)": (lambda xp, x, y: xp.where(x < y, x, x), ()),
    "where(not c, x, y)": (lambda xp, x, y: xp.where(xp.logical_not(x < y), x, y), ("less", "where")),
    "not not c": (lambda xp, x, y: xp.where(xp.logical_not(xp.logical_not(x < y)), x, y), ("less", "where")),
}
#: What looks alike and is not the same.
KEPT = {
    "x + 0": lambda xp, x, y: x + 0.0,
    "0 - x": lambda xp, x, y: 0.0 - x,
    "-(x - y)": lambda xp, x, y: -(x - y),
    "x * 0": lambda xp, x, y: x * 0.0,
    "x / x": lambda xp, x, y: x / x,
    "x - x": lambda xp, x, y: x - x,
    "x * 3 * c": lambda xp, x, y: x * 3.0 * 1.1,
    "x / 2 * c": lambda xp, x, y: x * 0.5 * 1.1,
    "x * 2 * c, of which one overflows": lambda xp, x, y: x * 2.0 * 0.1,
    "x * 2 * c, of which all overflow": lambda xp, x, y: x * 2.0 * 1e308,
    "x / 3": lambda xp, x, y: x / 3.0,
    "einsum of 1, summed": lambda xp, x, y: x * xp.einsum("i,i->", y, np.ones(X.size)),
    "scale(0, x)": lambda xp, x, y: xp.scale(0.0, x),
    "scale(inf, x)": lambda xp, x, y: xp.scale(np.inf, x),
}


def graph(f, dtype=float):
    b = Builder()
    xp = Namespace(b)
    type_ = ArrayType(np.dtype(dtype), X.shape)
    x, y = (xp.wrap(b.input(type_, name)) for name in "xy")
    return b.graph([xp.lift(f(xp, x, y))])


def bits(arrays):
    """Bit by bit, all NaN being one."""
    return [np.where(np.isnan(x), np.nan, x).view(np.int64) for x in arrays]


def run(graph, *more):
    return protocol.get("numpy").compile(graph)([X, Y, *more])


@pytest.mark.parametrize("f", EXACT)
def test_same_bits_and_fewer_nodes(f):
    rule, left = EXACT[f]
    before = graph(rule)
    after = dead_code(algebra(before))
    assert tuple(node.op.name for node in after.nodes) == left
    for x, y in zip(bits(run(before)), bits(run(after)), strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("f", EXACT)
def test_same_derivatives(f):
    before = graph(EXACT[f][0])
    moved = [run(autodiff.jvp(g, (0, 1)), np.full(X.shape, 0.7), np.full(X.shape, -1.3))[1] for g in (before, algebra(before))]
    pulled = [run(autodiff.vjp(g, (0, 1)), np.full(X.shape, 0.7))[1:] for g in (before, algebra(before))]
    np.testing.assert_array_equal(*moved)
    np.testing.assert_array_equal(*pulled)


@pytest.mark.parametrize("f", KEPT)
def test_what_looks_alike_is_kept(f):
    before = graph(KEPT[f])
    assert [n.op for n in algebra(before).nodes] == [n.op for n in before.nodes]


def test_complex_numbers_are_left_alone():
    before = graph(lambda xp, x, y: x * 1.0 + -y, complex)
    assert [n.op for n in algebra(before).nodes] == [n.op for n in before.nodes]


def test_every_row_has_its_case():
    assert {"negative", "positive", "absolute", "square", "add", "subtract", "multiply", "divide", "scale", "einsum", "scale_einsum", "where", "logical_not"} == set(ROWS)


def test_a_number_too_large_for_its_type_is_not_told_of():
    f = graph(lambda xp, x, y: x * xp.cast(2.0**127, np.float32) * xp.cast(3.0, np.float32), np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kept = algebra(f)
    assert [n.op for n in kept.nodes] == [n.op for n in f.nodes]
