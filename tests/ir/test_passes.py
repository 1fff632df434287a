"""Each pass does what it says and changes no value."""

import numpy as np
import pytest

from wengert.backends.program import Program
from wengert.ir.build import Builder, Namespace
from wengert.ir.errors import GraphTypeError
from wengert.ir.kinds import Elementwise
from wengert.ir.ops import OPS
from wengert.ir.passes import (
    common_subexpressions,
    dead_code,
    fold_constants,
    inline_bodies,
    inline_calls,
    plain_where_told,
    simplify,
)
from wengert.ir.passes.gathers import gathered_parts
from wengert.ir.types import DTYPES, ArrayType

X = np.array([0.3, 1.2, 2.1])


def vector_graph(body, name="graph"):
    b = Builder(name)
    xp = Namespace(b)
    return b.graph([body(xp, xp.wrap(b.input(ArrayType("f8", (3,)), "x"))).value])


def ops(graph):
    return [node.op.name for node in graph.nodes]


def same_values(before, after):
    np.testing.assert_array_equal(Program(before, "numpy").run([X])[0], Program(after, "numpy").run([X])[0])


def test_dead_code_keeps_what_outputs_and_guards_need():
    b = Builder()
    x = b.input(ArrayType("f8", ()))
    b.apply(OPS["exp"], x)
    b.guard(b.apply(OPS["less"], x, b.constant(1.0)), expected=True)
    graph = dead_code(b.graph([b.apply(OPS["sin"], x)]))

    assert ops(graph) == ["less", "sin"]


def test_common_subexpressions():
    graph = vector_graph(lambda xp, x: xp.sin(x) * xp.sin(x) + xp.sum(x, axis=0) + xp.sum(x, axis=0))
    small = common_subexpressions(graph)

    assert ops(small).count("sin") == ops(small).count("sum") == 1
    same_values(graph, small)


def test_fold_constants_only_where_ieee_rounds_exactly():
    b = Builder()
    x = b.input(ArrayType("f8", (), weak=True))
    third = b.apply(OPS["divide"], b.constant(1.0), b.constant(3.0))
    power = b.apply(OPS["exp"], b.constant(1.0))
    graph = fold_constants(b.graph([b.apply(OPS["add"], b.apply(OPS["multiply"], x, third), power)]))

    assert ops(graph) == ["exp", "multiply", "add"]
    assert [c.array.item() for c in graph.constants] == [1.0, 1 / 3]


def test_simplify_is_idempotent():
    graph = vector_graph(lambda xp, x: xp.exp(x) / xp.sum(xp.exp(x), axis=0))

    assert ops(simplify(simplify(graph))) == ops(simplify(graph))
    same_values(graph, simplify(graph))


def test_inline_calls_to_any_depth():
    inner = vector_graph(lambda xp, x: xp.sin(x), "inner")
    middle = vector_graph(lambda xp, x: xp.emit("call", x, graph=inner) + 1, "middle")
    outer = vector_graph(lambda xp, x: xp.emit("call", x, graph=middle) * xp.emit("call", x, graph=inner))
    flat = inline_calls(outer)

    assert "call" not in ops(flat)
    np.testing.assert_array_equal(Program(outer, "numpy").run([X])[0], (np.sin(X) + 1) * np.sin(X))


def test_a_called_graph_must_have_no_guards():
    b = Builder()
    x = b.input(ArrayType("f8", ()))
    b.guard(b.apply(OPS["less"], x, b.constant(1.0)), expected=True)
    guarded = b.graph([x])
    with pytest.raises(GraphTypeError, match="no guards"):
        Builder().emit(OPS["call"], (x,), graph=guarded)


def test_merge_shapes():
    def body(xp, x):
        y = xp.reshape(xp.reshape(x, (3, 1)), (3,))
        z = xp.transpose(xp.transpose(xp.reshape(x, (1, 3))))
        w = xp.reshape(xp.exp(xp.broadcast_to(xp.broadcast_to(x, (2, 3)), (4, 2, 3))), (24,))
        return y + xp.sum(z) + w[:3]

    graph = vector_graph(body)
    small = simplify(graph)

    assert ops(small).count("transpose") == 0
    exp = next(n for n in small.nodes if n.op.name == "exp")
    assert exp.result.type.shape == (3,)
    same_values(graph, small)


def test_merge_shapes_leaves_an_operand_that_is_not_broadcast():
    graph = vector_graph(lambda xp, x: xp.sum(xp.reshape(x, (3, 1)) * x, axis=1))

    assert ops(simplify(graph)) == ops(dead_code(graph))


def test_arrays_put_at_one_place_are_added_first():
    def body(xp, x):
        places = [xp.place(y, shape=(5,), start=(1,), step=(1,)) for y in (xp.sin(x), xp.cos(x))]
        return places[0] + places[1]

    graph = vector_graph(body)

    assert ops(simplify(graph)) == ["sin", "cos", "add", "place"]
    same_values(graph, simplify(graph))


def test_an_op_that_numpy_lacks_is_written_out_in_the_ops_of_its_body():
    op = Elementwise(name="halved_square", types=lambda dtypes, params: dtypes[0],
                     body=lambda xp, x: 0.5 * x * x, partials=(lambda xp, out, x: x,), doc="")  # fmt: skip
    b = Builder()
    x = b.input(ArrayType(DTYPES["f32"], (3,)))
    graph = b.graph([b.apply(OPS["tanh"], b.emit(op, [x]))])
    written = inline_bodies(graph, lambda op: op.function is None)
    assert "halved_square" not in {node.op.name for node in written.nodes}
    assert [v.type for v in written.outputs] == [v.type for v in graph.outputs]
    assert inline_bodies(written, lambda op: op.function is None) is written


def test_plain_products_where_a_nan_is_told():
    b = Builder()
    xp = Namespace(b)
    x, t = (xp.wrap(b.input(ArrayType("f8", (3,)))) for _ in range(2))
    scaled = lambda p: xp.wrap(b.emit(OPS["scale"], (xp.lift(p), t.value)))
    told, lost = scaled(1.0 / x), scaled(xp.exp(x))
    graph = b.graph([xp.lift(xp.reshape(-told * 2.0, (1, 3))), xp.lift(xp.maximum(lost, 0.0)), xp.lift(x[:0])])

    plain, outputs = plain_where_told(graph)

    assert outputs == [0]
    assert ops(plain).count("scale") == 1
    for given in ([X, X + 1.0], [np.array([0.0, 1.0, 2.0]), np.ones(3)]):
        for got, want in zip(Program(plain, "numpy").run(given), Program(graph, "numpy").run(given), strict=True):
            np.testing.assert_array_equal(got, want)
    made = Program(plain, "reference").run([np.array([0.0, 1.0, 2.0]), np.zeros(3)])
    assert np.isnan(made[0][0, 0])


def test_axes_of_known_indices_are_exchanged():
    b = Builder()
    xp = Namespace(b)
    x, g = b.input(ArrayType("f8", (9,))), xp.wrap(b.input(ArrayType("f8", (3, 2))))
    at = b.constant(np.array([[8, 1, 4], [0, 5, 2]]))
    taken = xp.wrap(b.emit(OPS["take"], (x, at), axis=0))
    whole = xp.wrap(b.emit(OPS["scatter_add"], (xp.lift(xp.transpose(g, (1, 0))), at), axis=0, size=9))
    graph = b.graph([xp.lift(xp.transpose(taken, (1, 0))), xp.lift(whole[4:6]), xp.lift(whole[0:2])])

    lean = dead_code(gathered_parts(graph))

    assert not {"transpose", "scatter_add"} & set(ops(lean))
    given = [np.arange(9.0), np.arange(6.0).reshape(3, 2)]
    for got, want in zip(Program(lean, "numpy").run(given), Program(graph, "numpy").run(given), strict=True):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("indices, gathers", [([[3, 1], [0, 5]], True), ([[3, 1], [0, 3]], False)])
def test_parts_of_scatters_are_gathers(indices, gathers):
    b = Builder()
    xp = Namespace(b)
    x = b.input(ArrayType("f8", (2, 2)))
    whole = xp.wrap(b.emit(OPS["scatter_add"], (x, b.constant(np.array(indices))), axis=0, size=6))
    graph = b.graph([xp.lift(whole[0:2]), xp.lift(whole[5::-2])])

    lean = dead_code(gathered_parts(graph))

    given = [np.array([[1.0, 2.0], [3.0, 4.0]])]
    for got, want in zip(Program(lean, "numpy").run(given), Program(graph, "numpy").run(given), strict=True):
        np.testing.assert_array_equal(got, want)
    assert ("scatter_add" in ops(lean)) is not gathers
    for wrong in ([[0, 6], [1, 2]], [[-1, 0], [1, 2]]):  # to be told of when it runs
        b = Builder()
        x = b.input(ArrayType("f8", (2, 2)))
        out = b.emit(OPS["scatter_add"], (x, b.constant(np.array(wrong))), axis=0, size=6)
        graph = b.graph([b.emit(OPS["slice"], (out,), start=(0,), size=(2,), step=(1,))])
        with pytest.raises(IndexError):
            Program(gathered_parts(graph), "reference").run(given)
