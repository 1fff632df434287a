"""Each numbered constraint has a graph that keeps it and one that breaks it."""

import numpy as np
import pytest
from graph_samples import F64, HERE, MATRIX, SAMPLES, calling, node

from wengert.ir import verify as module
from wengert.ir.errors import VerifyError
from wengert.ir.graph import Constant, Graph, Guard, Node, Value
from wengert.ir.kinds import Elementwise
from wengert.ir.ops import OPS
from wengert.ir.structure import LEAF, Signature, Structure
from wengert.ir.types import DTYPES, ArrayType
from wengert.ir.verify import called_graphs, verify

X, Y = Value(F64, "x"), Value(F64, "y")
SIN = node("sin", X, location=HERE)
COS = node("cos", SIN.result)
ADD = Elementwise(function=np.add, symbol="+", partials=(1, 1), doc="another add")


@pytest.mark.parametrize("name", SAMPLES)
def test_the_samples_are_programs(name):
    verify(SAMPLES[name]())


def made(op, operands, results, **params):
    node = Node(OPS[op] if isinstance(op, str) else op, operands, params, results, HERE)
    return Graph((X,), (node,), ())


def constant(type_, array, *, read_only=True):
    array.setflags(write=not read_only)
    return Graph((), (), (Constant(type_, array=array),))


def with_results(*structures):
    return [Graph((X,), (), (X,), results=structure) for structure in structures]


def with_signature(parameters, arguments, defaults=()):
    return Graph((X,), (), (X,), signature=Signature(parameters, arguments, defaults))


def calling_itself():
    graph = calling()
    graph.nodes[0].params["graph"].nodes[0].params["graph"] = graph
    return graph


def chain(length, width):
    x = Value(F64)
    graph = Graph((x,), (), (x,))
    for _ in range(length):
        x = Value(F64)
        calls = tuple(node("call", x, graph=graph) for _ in range(width))
        graph = Graph((x,), calls, (calls[0].result,))
    return graph


def of_shape(*shape, dtype="f64", weak=False):
    return Graph((Value(ArrayType(DTYPES[dtype], shape, weak)),), (), ())


TUPLE = Structure("tuple", (LEAF,))
BROKEN = {
    "C1": [
        Graph((), (SIN,), ()),
        Graph((X,), (COS, SIN), ()),
        made("add", (X, Y), (Value(F64),)),
        made("add", (X, Value(F64)), (Value(F64),)),
    ],
    "C2": [
        Graph((X, X), (), ()),
        Graph((X,), (SIN, SIN), ()),
        made("sin", (X,), (X,)),
        Graph((Constant.of(1.0),), (), ()),
    ],
    "C3": [made(ADD, (X, X), (Value(F64),))],
    "C4": [
        made("sin", (X,), (Value(F64),), axis=0),
        made("sum", (X,), (Value(F64),)),
        made("sum", (X,), (Value(F64),), axes=[0]),
        made("sum", (X,), (Value(F64),), axes=(True,)),
        made("sum", (X,), (Value(F64),), axes=(np.int64(0),)),
        made("reshape", (X,), (Value(F64),), shape=(2**63,)),
        made("cumsum", (X,), (Value(F64),), axis=0, reverse=1),
        made("slice", (X,), (Value(F64),), start=(0.5,), size=(1,), step=(1,)),
        made("cast", (X,), (Value(F64),), dtype="object", weak=False),
        made("einsum", (X, X), (Value(F64),), subscripts="é,é->"),
        made("call", (X,), (Value(F64),), graph="f"),
    ],
    "C5": [
        made("sin", (X,), (Value(MATRIX),)),
        made("sin", (X,), (Value(F64), Value(F64))),
        made("sin", (X, X), (Value(F64),)),
        made("sin", (X,), ()),
        made("sum", (X,), (Value(F64),), axes=(0,)),
        made("sort", (X, X), (Value(F64),), axis=0),
    ],
    "C6": [Graph((X,), (), (Y,)), Graph((), (), (), (Guard(X, True),))],
    "C7": [
        Graph((X,), (), (), (Guard(X, True),)),
        Graph((), (), (), (Guard(Constant.of(np.array([True])), True),)),
        Graph((), (), (), (Guard(Constant.of(True), 1),)),
    ],
    "C8": [
        constant(F64, np.zeros(2)),
        constant(F64, np.zeros((), np.float32)),
        constant(F64, np.zeros(()), read_only=False),
        Graph((), (), (Constant(F64, array=0.0),)),
    ],
    "C9": [
        *with_results(
            Structure("tuple", (LEAF, LEAF)),
            Structure("static"),
            Structure("set", (LEAF,), (0,)),
            Structure("leaf", (LEAF,)),
            Structure("tuple", (LEAF,), ("a",)),
            Structure("dict", (LEAF,)),
            Structure("dict", (LEAF, Structure("static")), (1, True)),
            Structure("dataclass", (LEAF,), ("__class__",), "D"),
            Structure("dataclass", (LEAF,), ("def",), "D"),
            Structure("attrs", (LEAF,), ("a",), "os.system"),
            Structure("namedtuple", (LEAF,), ("_a",), "N"),
        ),
        with_signature((("x", 1),), ()),
        with_signature((("x", 1), ("x", 1)), (LEAF, Structure("static"))),
        with_signature((("x y", 1),), (LEAF,)),
        with_signature((("x", 7),), (LEAF,)),
        with_signature((("x", 2),), (LEAF,)),
        with_signature((("x", 4),), (TUPLE,)),
        with_signature((("x", 1),), (LEAF,), (("y", 1),)),
        with_signature((("x", 1), ("y", 1)), (LEAF, Structure("static")), (("x", 1.0),)),
    ],
    "C10": [calling_itself(), chain(module.MAX_CALL_DEPTH, 1), chain(40, 2)],
    "C11": [
        of_shape(-2), of_shape(2, -1),
        of_shape(2.0),
        of_shape(*(1,) * 33),
        of_shape(2**31, 2**31),
        of_shape(0, 2**62, 2**62),
        of_shape(2, weak=True),
    ],
}


def test_every_constraint_is_stated_and_broken():
    numbers = [number for number, _ in module.CONSTRAINTS]
    assert sorted([*numbers, "C10"], key=lambda c: int(c[1:])) == list(BROKEN)
    assert all(f"\n{number:4} " in module.__doc__ for number in BROKEN)


@pytest.mark.parametrize(
    ("number", "graph"), [(number, graph) for number, graphs in BROKEN.items() for graph in graphs]
)
def test_a_broken_constraint_is_named(number, graph):
    with pytest.raises(VerifyError, match=rf"^{number}: ") as raised:
        verify(graph)
    assert raised.value.constraint == number


def test_the_error_names_op_and_line():
    with pytest.raises(VerifyError, match=r"\(at demo.f:5\)") as raised:
        verify(made("sin", (X,), (Value(MATRIX),)))
    assert (raised.value.op, raised.value.location) == ("sin", HERE)


def test_a_called_graph_is_verified_too():
    inner = Graph((X,), (), (Y,), name="inner")
    with pytest.raises(VerifyError, match="C6: In graph 'inner'"):
        verify(Graph((X,), (node("call", X, graph=inner),), ()))


def test_called_graphs_come_first_and_once():
    graph = calling()
    assert [g.name for g in called_graphs(graph)] == ["inner", "graph", "graph"]
    assert called_graphs(graph)[-1] is graph


def test_a_long_chain_is_no_recursion():
    x = Value(F64)
    nodes = [node("sin", x)]
    for _ in range(20_000):
        nodes.append(node("sin", nodes[-1].result))
    verify(Graph((x,), tuple(nodes), (nodes[-1].result,)))
