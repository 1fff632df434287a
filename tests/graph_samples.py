"""Graphs that the tests of text, files and verification share."""

import numpy as np

from wengert.ir.graph import Constant, Graph, Guard, Location, Node, Value
from wengert.ir.ops import OPS
from wengert.ir.structure import LEAF, Signature, Structure
from wengert.ir.types import DTYPES, ArrayType, type_of

WEAK = type_of(1.0)
F64, BOOL = ArrayType(DTYPES["f64"]), ArrayType(DTYPES["bool"])
MATRIX = ArrayType(DTYPES["f64"], (2, 3))
EMPTY = Structure("tuple")
HERE = Location("demo", "f", 5)


def node(name, *operands, location=None, label=None, **params):
    op = OPS[name]
    types = op.infer(tuple(v.type for v in operands), params)
    return Node(op, operands, params, tuple(Value(t, label) for t in types), location)


def small():
    """(a + b) * (b + 1)."""
    a, b = Value(WEAK, "a"), Value(WEAK, "b")
    left = node("add", a, b, location=HERE)
    right = node("add", b, Constant.of(1.0), location=HERE)
    there = Location("demo", "f.<locals>.g", 6)
    product = node("multiply", left.result, right.result, location=there)
    return Graph((a, b), (left, right, product), (product.result,), name="f")


def calling():
    """Calls one graph twice, and another, which calls the first."""
    x = Value(F64, "x")
    sine = node("sin", x)
    inner = Graph((x,), (sine,), (sine.result,), name="inner")
    y = Value(F64)
    once = node("call", y, graph=inner)
    middle = Graph((y,), (once,), (once.result, y), name="graph")
    z = Value(F64, "z")
    first = node("call", z, graph=middle)
    second = node("call", first.results[0], graph=inner)
    return Graph((z,), (first, second), (second.result, first.results[1]))


def guarded():
    x = Value(F64, "x")
    less = node("less", x, Constant.of(np.float64(0)), location=HERE)
    guards = (Guard(less.result, False, HERE), Guard(Constant.of(True), True))
    return Graph((x,), (less,), (x, x, Constant.of(np.arange(3)), less.result), guards)


def nested():
    """Every kind of structure, of parameter and of default."""
    names = ("p['w'][0]", "p['b']", "rest[0]", "naïve name")
    values = tuple(Value(MATRIX, name) for name in names)
    total = node("sum", values[0], axes=(0, 1), label="s")
    record = Structure("namedtuple", (LEAF, LEAF), ("loss", "aux"), "Out")
    defaults = (1, 2.0, -1j, np.float32(3), np.bool_(True), True, None)
    signature = Signature(
        (("x", 0), ("p", 1), ("rest", 2), ("mode", 3), ("options", 4)),
        (
            LEAF,
            Structure("dict", (Structure("list", (LEAF,)), EMPTY), ("w", (1, None, "b'\n"))),
            Structure("tuple", (LEAF,)),
            Structure("static", static="fast\u202e#"),
            Structure("dict", (Structure("dataclass", (LEAF,), ("a",), "D"),), ("key",)),
        ),
        (("p", {"w": [np.arange(3.0)], 2: defaults}), ("mode", "fast")),
    )  # fmt: skip
    return Graph(values, (total,), (total.result, values[1]), (), "f g", signature, record)


def special():
    """Numbers that are easily lost."""
    payload = np.array([0x7FF8000000000001, 0xFFF0000000000001], np.uint64).view(np.float64)
    floats = [0.0, -0.0, np.inf, -np.inf, np.nan, 5e-324, 0.1, 1e308, *payload]
    complexes = [complex(-0.0, 0.0), complex(0.0, -0.0), complex(np.inf, np.nan), 1 - 1j * np.inf]
    scalars = [
        *floats, *complexes, *map(np.float64, floats), *map(np.complex64, complexes),
        2, -(2**63), True, False,
        *(np.float32(v) for v in (0.1, -0.0, 1e-45, 3.4028235e38, 16777217)),
        np.array(0x7F800001, np.uint32).view(np.float32)[()],
        np.int8(-128), np.uint64(2**64 - 1), np.bool_(True),
    ]  # fmt: skip
    arrays = [
        np.array(floats), np.array(complexes), np.array(floats[:7], np.float32),
        np.zeros((0, 10**9)), np.zeros((2, 0)),
        np.arange(24).reshape(2, 3, 4), np.array([[True], [False]]),
    ]  # fmt: skip
    outputs = tuple(map(Constant.of, (*scalars, *arrays)))
    named = Constant(WEAK, "gain", array=Constant.of(2.0).array)
    return Graph((), (), (*outputs, named))


SAMPLES = {
    "empty": lambda: Graph((), (), ()), "small": small, "calling": calling, "guarded": guarded,
    "nested": nested, "special": special,
}  # fmt: skip
