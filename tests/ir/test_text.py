"""What is printed is read back as the same graph, and nothing else is read."""

import enum

import numpy as np
import pytest
from graph_samples import SAMPLES, nested, small, special

from wengert.ir.errors import TextError
from wengert.ir.graph import Constant, Graph, Value
from wengert.ir.structure import LEAF, Signature, Structure
from wengert.ir.text import dump, parse
from wengert.ir.types import DTYPES, ArrayType
from wengert.ir.wire import from_bytes, identity, to_bytes

SMALL = """\
graph f(%0: a: f64*[], %1: b: f64*[]) {
  %2: f64*[] = add %0 %1       # demo.f:5
  %3: f64*[] = add %1 1.0      # demo.f:5
  %4: f64*[] = multiply %2 %3  # demo.f.<locals>.g:6
  return %4
}"""


def test_the_text_of_a_small_graph():
    assert dump(small()) == str(small()) == SMALL


@pytest.mark.parametrize("name", SAMPLES)
def test_round_trip(name):
    graph = SAMPLES[name]()
    text = dump(graph)
    again = parse(text)

    assert dump(again) == text
    assert identity(again) == identity(graph)
    assert dump(from_bytes(to_bytes(again))) == text


def test_numbers_are_exact():
    graph, again = special(), parse(dump(special()))
    assert [c.key for c in again.outputs] == [c.key for c in graph.outputs]
    assert again.outputs[-1].name == "gain"


def test_a_signature_comes_back():
    graph, again = nested(), parse(dump(nested()))
    assert again.signature.parameters == graph.signature.parameters
    assert again.signature.arguments == graph.signature.arguments
    assert again.results == graph.results
    assert [v.name for v in again.inputs] == [v.name for v in graph.inputs]
    assert repr(again.signature.defaults) == repr(graph.signature.defaults)


def test_every_float_of_a_width_survives():
    bits = np.random.default_rng(0).integers(0, 2**32, 20_000, dtype=np.uint32)
    floats = Constant.of(bits.view(np.float32)), Constant.of(bits.view(np.float64))
    again = parse(dump(Graph((), (), floats)))
    assert [c.key for c in again.outputs] == [c.key for c in floats]


def test_long_arrays_are_shortened_for_reading_only():
    graph = Graph((), (), (Constant.of(np.arange(17)),))
    text = dump(graph, elide=True)
    assert str(graph) == text
    assert "constant [0, 1, 2, ..., 14, 15, 16]" in text
    with pytest.raises(TextError, match=r"Line 2: .*shortened.*dump\(graph\)"):
        parse(text)
    assert parse(dump(graph)).outputs[0].array.tolist() == list(range(17))


def test_a_static_value_that_text_cannot_keep_is_named():
    color = enum.Enum("Color", "RED").RED
    signature = Signature.positional(("c",), (Structure("static", static=color),))
    graph = Graph((), (), (), signature=signature)
    with pytest.raises(TextError, match=r"'c' holds <Color.RED: 1>.*functools.partial\(f, c="):
        dump(graph)
    with pytest.raises(TextError, match=r"Line 2: .*shortened"):
        parse(str(graph))


def test_hostile_names_are_data():
    evil = "\n}; import os  # \u202e '\"\\ \x00"
    x = Value(ArrayType(DTYPES["f64"]), evil)
    text = dump(Graph((x,), (), (x,), name=evil))
    assert text.isascii() and len(text.splitlines()) == 3
    assert parse(text).inputs[0].name == parse(text).name == evil


def test_comments_blank_lines_and_carriage_returns_are_skipped():
    text = "# a comment\r\n\r\n" + SMALL.replace("\n", "\r\n") + "\n\n"
    assert dump(parse(text)) == SMALL


def test_deep_structures_print():
    tree = LEAF
    for _ in range(20):
        tree = Structure("list", (tree,))
    x = Value(ArrayType(DTYPES["f64"]))
    graph = Graph((x,), (), (x,), results=tree)
    assert parse(dump(graph)).results == tree


WRONG = [
    ("add %0 %1 ", "add %0 %9 ", 2, "%9 is not defined above"),
    ("add %0 %1 ", "add %0 ", 2, "expected 2 operands"),
    ("add %0 %1 ", "add %0 %1 axis=0 ", 2, "C4: add takes the parameters"),
    ("add %0 %1 ", "add %0 1.0:f32[] ", 2, "C5: add: not defined for dtypes"),
    ("add %0 %1 ", "os.system %0 ", 2, "'os' is not an op"),
    ("%2: f64*[]", "%2: f32[]", 2, "C5: add gives f64"),
    ("%2: f64*[]", "%2: f16[]", 2, "expected a dtype"),
    ("%2: f64*[]", "%2: f64[-1]", 2, "expected a type"),
    ("%2: f64*[]", "%2: f64*[2]", 2, "weak"),
    ("%2: f64*[]", "%1: f64*[]", 2, "%1 is defined already"),
    ("%2: f64*[]", "%2, %5: f64*[]", 2, "2 values have 1 types"),
    ("%1 1.0 ", "%1 1e999 ", 3, "out of the range"),
    ("%1 1.0 ", "%1 99999999999999999999 ", 3, "too large|out of bounds"),
    ("%1 1.0 ", "%1 1.0:i64[] ", 3, "not of dtype int64"),
    ("%1 1.0 ", "%1 nan(0x1) ", 3, "not the bits of a NaN"),
    ("return %4", "return %4 axis=1", 5, "expected the end of the line"),
    ("  return %4\n", "", 5, "expected a return line"),
    ("\n}", "", 1, "end of the text"),
    ("return %4", "return %4\n  return %4", 6, "after return"),
    ("return %4", "guard %4 is True\n  return %4", 1, "C7"),
    ("return %4", "guard %4 is maybe\n  return %4", 5, "True or False"),
    ("return %4", "gives (%)\n  return %4", 5, "a tuple of one"),
    ("return %4", "gives (%, %)\n  return %4", 1, "C9: the results structure has 2 leaves"),
    ("return %4", "gives " + "[" * 100 + "\n  return %4", 5, "nests more than"),
    ("return %4", "takes (a: %, a: %)\n  return %4", 1, "C9.*duplicate"),
    ("return %4", "%5: f64[] = sin %4 x=" + "(" * 10_000 + "\n  return %4", 5, "nests more than"),
    ("return %4", "%5: f64[2] = constant [1.0]\n  return %4", 5, "expected 2 elements"),
    ("return %4", "%5: f64[2,1] = constant [1.0, 2.0]\n  return %4", 5, "in brackets for each"),
    ("graph f", "grph f", 1, "expected 'graph'"),
    ("graph f", "graph g() {\n return\n}\ngraph f", 4, "every graph before the last"),
]


@pytest.mark.parametrize(("old", "new", "line", "message"), WRONG)
def test_what_is_wrong_is_refused_with_its_line(old, new, line, message):
    assert old in SMALL
    with pytest.raises(TextError, match=rf"Line {line}: .*({message})"):
        parse(SMALL.replace(old, new, 1))


@pytest.mark.parametrize("text", [SMALL, dump(nested()), dump(special())])
def test_damage_is_a_text_error_or_another_graph(text):
    random = np.random.default_rng(0)
    for _ in range(400):
        at, length = random.integers(len(text)), random.integers(4)
        piece = "".join(random.choice(list("%()[]{}=:,.#'\"@-0ej \n"), random.integers(3)))
        try:
            graph = parse(text[:at] + piece + text[at + length :])
        except TextError as error:
            assert str(error).startswith("Line ")
        else:
            assert dump(parse(dump(graph))) == dump(graph)


def test_identifiers_of_every_language():
    for name in ("β", "कि", "l·l", "ªº", "変数"):
        assert name.isidentifier()
        record = Structure("attrs", (LEAF,), (name,), name)
        x = Value(ArrayType(DTYPES["f64"]), name)
        graph = Graph((x,), (), (x,), (), name, Signature(((name, 3),), (record,)), record)
        assert parse(dump(graph)).signature == graph.signature
