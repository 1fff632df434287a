"""The Builder: strict by `emit`, NumPy's promotion and broadcasting by `apply`."""

import gc
import itertools

import numpy as np
import pytest

from wengert.ir.build import Builder, Namespace
from wengert.ir.collecting import uncollected
from wengert.ir.errors import GraphTypeError
from wengert.ir.ops import OPS
from wengert.ir.promotion import common_dtype
from wengert.ir.types import DTYPES, ArrayType, type_of

WEAK = {"i": 1, "f": 1.0, "c": 1j}
OPERANDS = [ArrayType(d, (3,)) for d in DTYPES.values()] + [type_of(x) for x in WEAK.values()]


def example(type_):
    return WEAK[type_.dtype.kind] if type_.weak else np.ones(type_.shape, type_.dtype)


@pytest.mark.parametrize("name", ["add", "divide", "power", "less", "hypot", "maximum", "where"])
def test_promotion_is_numpys(name):
    op = OPS[name]
    for types in itertools.product(OPERANDS, repeat=2):
        b = Builder()
        operands = [b.input(t) for t in types]
        try:
            if name == "where":
                expected = np.where(True, *map(example, types)).dtype
            else:
                expected = op.function(*map(example, types)).dtype
        except TypeError:
            expected = None
        if expected is None or expected not in DTYPES.values():
            with pytest.raises((GraphTypeError, TypeError)):
                b.apply(op, *([b.constant(True)] if name == "where" else []), *operands)
            continue
        result = b.apply(op, *([b.constant(True)] if name == "where" else []), *operands)

        assert result.type.dtype == expected, types
        weak = all(t.weak for t in types) and result.type.dtype.kind != "b"
        assert result.type.weak == (weak and name != "where")  # np.where gives arrays


def test_common_dtype_is_result_type():
    assert common_dtype([ArrayType("f4", (2,)), type_of(1.0)]) == np.float32
    assert common_dtype([ArrayType("f4", (2,)), type_of(np.float64(1.0))]) == np.float64
    assert common_dtype([ArrayType("i4", (2,)), type_of(1.5)]) == np.float64


def test_emit_wants_casts_and_broadcasts():
    b = Builder()
    x, y, z = b.input(ArrayType("f8", (3,))), b.input(ArrayType("f8", ())), b.input(ArrayType("f4", (3,)))
    with pytest.raises(GraphTypeError, match="insert broadcast_to"):
        b.emit(OPS["add"], (x, y))
    with pytest.raises(GraphTypeError, match="insert cast"):
        b.emit(OPS["add"], (x, z))
    with pytest.raises(GraphTypeError, match="expected 2 operands, got 1"):
        b.emit(OPS["add"], (x,))


def test_equal_constants_are_one_and_conversions_are_made_once():
    b = Builder()
    x = b.input(ArrayType("f8", (3,)))
    for _ in range(3):
        x = b.apply(OPS["multiply"], x, b.constant(2.0))
    graph = b.graph([x])

    assert len(graph.constants) == 1
    assert [n.op.name for n in graph.nodes] == ["broadcast_to", "multiply", "multiply", "multiply"]


def test_signed_zeros_and_nans_are_different_constants():
    b = Builder()

    assert b.constant(0.0) is not b.constant(-0.0)
    assert b.constant(1) is not b.constant(1.0)
    assert b.constant(np.nan) is b.constant(np.nan)


def test_a_python_int_must_fit():
    b = Builder()
    x = b.input(ArrayType("u1", (3,)))
    with pytest.raises(OverflowError):
        b.apply(OPS["add"], x, b.constant(300))


def test_broadcast_shapes():
    b = Builder()
    x, y = b.input(ArrayType("f8", (3, 1))), b.input(ArrayType("f8", (4,)))

    assert b.apply(OPS["add"], x, y).type.shape == (3, 4)
    with pytest.raises(ValueError, match="mismatch"):
        b.apply(OPS["add"], b.input(ArrayType("f8", (3,))), y)


def test_inline_copies_nodes_and_guards():
    inner = Builder("inner")
    x = inner.input(ArrayType("f8", ()))
    inner.guard(inner.apply(OPS["less"], x, inner.constant(1.0)), expected=True)
    graph = inner.graph([inner.apply(OPS["exp"], x)])
    outer = Builder("outer")
    y = outer.input(ArrayType("f8", ()))
    (result,) = outer.inline(graph, [outer.apply(OPS["sin"], y)])
    whole = outer.graph([result])

    assert [n.op.name for n in whole.nodes] == ["sin", "less", "exp"]
    assert [g.expected for g in whole.guards] == [True]


def test_namespace_has_every_elementwise_op_and_reduction():
    xp = Namespace(Builder())
    for op in OPS.values():
        if op.kind in ("Elementwise", "Reduction") and op.name != "cast":
            assert callable(getattr(xp, op.name))
    with pytest.raises(AttributeError):
        xp.no_such_op  # noqa: B018


def test_the_collector_rests_while_a_graph_is_made_and_only_then():
    @uncollected()
    def made(count):
        assert not gc.isenabled()
        if not count:
            raise ValueError
        return made(count - 1)

    for before in (True, False):
        try:
            (gc.enable if before else gc.disable)()
            with pytest.raises(ValueError):
                made(3)
            assert gc.isenabled() is before
        finally:
            gc.enable()
