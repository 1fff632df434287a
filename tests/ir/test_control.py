"""Graphs with sub-graphs as data: text, files, identity; and what is refused in them."""

import random
import re

import control_programs
import numpy as np
import pytest
from samples import samples

import wengert as wg
from wengert.backends import protocol
from wengert.ir import autodiff, text, wire
from wengert.ir.build import Builder, Namespace
from wengert.ir.envelope import seal, unseal
from wengert.ir.errors import GraphFileError, TextError, VerifyError
from wengert.ir.graph import Graph, Node, Value
from wengert.ir.ops import OPS
from wengert.ir.passes import enclose_stacks, inline_calls
from wengert.ir.types import ArrayType, is_inexact, is_stack
from wengert.ir.verify import MAX_CALL_DEPTH, verify

F64, INT64 = ArrayType(np.dtype(float)), ArrayType(np.dtype(np.int64))
ROWS = ArrayType(np.dtype(float), (3,))
X = np.array([0.3, 1.2, 2.1])


def active(graph):
    return tuple(i for i, v in enumerate(graph.inputs) if is_inexact(v.type.dtype))


def every_op():
    """Graphs in which each control op is, a derivative of each among them."""
    names = ("while_in_scan_in_cond", "stacked", "again_around_loop_nothing", "custom_both", "scan_in_while", "mixed_carry")
    for name in names:
        graph, _, arguments = control_programs.graphs(name)
        yield name, graph, arguments
        yield f"{name}, vjp", autodiff.vjp(graph, active(graph)), None
    for name in ("linear", "linear_solve"):
        (sample,) = (s for s in samples(name) if s.operands[0].shape == (0,))
        yield name, sample.graph(), sample.operands


GRAPHS = {name: (graph, arguments) for name, graph, arguments in every_op()}


@pytest.mark.parametrize("name", GRAPHS)
def test_text_and_file_are_read_back(name):
    graph, _ = GRAPHS[name]
    data = wire.to_bytes(graph)
    assert wire.to_bytes(wire.from_bytes(data)) == data
    printed = text.dump(graph)
    assert text.dump(text.parse(printed)) == printed
    assert wire.identity(text.parse(printed)) == wire.identity(wire.from_bytes(data)) == wire.identity(graph)
    verify(wire.from_bytes(data))


def test_between_them_the_graphs_hold_every_control_op():
    found = {op for graph, _ in GRAPHS.values() for op in re.findall(r"= (\w+)", text.dump(graph))}
    assert {name for name, op in OPS.items() if op.kind == "Control"} <= found


def test_what_is_read_back_runs_alike():
    for graph, arguments in GRAPHS.values():
        if arguments is not None:
            again = wire.from_bytes(wire.to_bytes(graph))
            for x, y in zip(*(protocol.get("numpy").compile(g)(arguments) for g in (graph, again)), strict=True):
                assert x.tobytes() == y.tobytes()


def test_identity_is_meaning_alone():
    """Names of bodies and lines are left out; what a body computes, and how often it is run, is not."""
    def loop(n=3, factor=2.0, name="step"):
        def step(c, v):
            return c * factor + v, c

        step.__name__ = name
        return wire.identity(wg.trace(lambda x: wg.scan(step, x[0], x[:n])).graph(X).graph)

    assert loop() == loop(name="other")
    assert len({loop(), loop(factor=3.0), loop(n=2)}) == 3


def test_a_graph_that_is_run_at_several_places_is_written_once():
    assert text.dump(eightfold()).count("graph double(") == 1


def eightfold():
    b = Builder("double")
    x = b.input(F64)
    double = b.graph([b.apply(OPS["add"], x, x)])
    outer = Builder("outer")
    y = outer.input(F64)
    for _ in range(3):
        (y,) = outer.emit_all(OPS["call"], [y], graph=double)
    return outer.graph([y])


def test_a_loop_may_keep_a_great_deal():
    """A derivative's loop hands on all that its steps have computed."""
    def step(c, v):
        for _ in range(60):
            c = np.sin(c) * np.cos(c) + v
        return c, None

    graph = wg.vjp(wg.trace(lambda x: wg.scan(step, x[0], x)[0]).graph(X)).graph
    assert max(len(node.results) for node in graph.nodes) > 100
    assert wire.identity(wire.from_bytes(wire.to_bytes(graph))) == wire.identity(graph)
    assert text.dump(text.parse(text.dump(graph))) == text.dump(graph)


# ----- What is refused -----


def body(build, *types, name="body"):
    b = Builder(name)
    xp = Namespace(b)
    return b.graph([xp.lift(v) for v in build(xp, *(xp.wrap(b.input(t)) for t in types))])


STEP = body(lambda xp, c, v: [c + v, c * v], F64, F64)
AGAIN = body(lambda xp, c: [c * 2.0], F64)
SMALL = body(lambda xp, c: [c < 100.0], F64)
TWO = body(lambda xp, c: [c, c], F64)
GUARDED = STEP.evolve(guards=body(lambda xp, c: [c < 1.0], F64).guards)


def made(op, operands, results, params):
    inputs = tuple(Value(t) for t in operands)
    node = Node(OPS[op], inputs, params, tuple(Value(t) for t in results))
    return Graph(inputs, (node,), node.results if not any(map(is_stack, results)) else ())


SCAN = {"graph": STEP, "consts": 0, "carries": 1, "length": 3, "reverse": False}
WHILE = {"condition": SMALL, "graph": AGAIN, "consts": 0}
STACK = ArrayType(np.dtype(float), (-1,))
HOSTILE = {
    "a scan of another length": ("scan", (F64, ROWS), (F64, ROWS), {**SCAN, "length": 4}, "C5: scan: expected 4 entries"),
    "a negative length": ("scan", (F64, ROWS), (F64, ROWS), {**SCAN, "length": -2}, "C5: scan: expected a count for length, got -2"),
    "a length of stacks without a count": ("scan", (F64, ROWS), (F64, ROWS), {**SCAN, "length": -1}, "number of steps as an int64"),
    "a length beyond 64 bits": ("scan", (F64, ROWS), (F64, ROWS), {**SCAN, "length": 2**63}, "C4: scan: expected an int for length"),
    "a huge stack": ("scan", (F64,), (F64, ArrayType(np.dtype(float), (2**62,))),
                     {**SCAN, "graph": TWO, "length": 2**62}, "C11: expected less than"),
    "negative consts": ("scan", (F64, ROWS), (F64, ROWS), {**SCAN, "consts": -1}, "C5: scan: expected counts of operands, of which there are 2, got .-1, 1."),
    "more carries than operands": ("scan", (F64,), (F64,), {**SCAN, "graph": AGAIN, "carries": 5}, "of which there are 1, got .0, 5."),
    "more consts than operands": ("scan", (), (), {**SCAN, "graph": body(lambda xp: []), "consts": 2, "carries": 0}, "of which there are 0, got .2, 0."),
    "a carry that changes its type": ("scan", (F64, ROWS), (F64, ROWS), {**SCAN, "graph": body(lambda xp, c, v: [c < v, v], F64, F64)},
                                      r"C5: scan: the loop carries .f64\[\],., and its graph gives .bool"),
    "a body that gives less than it carries": ("scan", (F64, ROWS), (), {**SCAN, "graph": body(lambda xp, c, v: [], F64, F64)}, "the loop carries"),
    "no graph": ("scan", (F64, ROWS), (F64, ROWS), {**SCAN, "graph": None}, "C5: scan: expected a graph"),
    "a reverse that is no bool": ("scan", (F64, ROWS), (F64, ROWS), {**SCAN, "reverse": 1}, "C4: scan: expected a bool for reverse"),
    "a while with negative consts": ("while", (F64,), (F64, INT64), {**WHILE, "consts": -1}, "C5: while: expected counts of operands, of which there are 1"),
    "a while with too many consts": ("while", (F64,), (INT64,), {**WHILE, "consts": 3}, "C5: while: expected counts of operands, of which there are 1"),
    "a condition of two": ("while", (F64,), (F64, INT64), {**WHILE, "condition": TWO}, "condition gives something other than one bool"),
    "a condition of a number": ("while", (F64,), (F64, INT64), {**WHILE, "condition": AGAIN}, "condition gives something other than one bool"),
    "a while whose results are not said": ("while", (F64,), (F64,), WHILE, r"C5: while gives f64\[\], i64\[\]"),
    "no branches": ("switch", (INT64, F64), (F64,), {"graphs": ()}, "at least one graph"),
    "branches of two types": ("switch", (INT64, F64), (F64,), {"graphs": (AGAIN, SMALL)}, "the branches give different types"),
    "an index that is a float": ("switch", (F64, F64), (F64,), {"graphs": (AGAIN, AGAIN)}, "expected an int64 index"),
    "a branch that is no graph": ("switch", (INT64, F64), (F64,), {"graphs": (AGAIN, None)}, "C4: switch: expected a tuple of Graphs"),
    "a call of other operands": ("call", (ROWS,), (ROWS,), {"graph": AGAIN}, r"C5: call: the called graph takes .f64\[\],., got"),
    "a call without a graph": ("call", (F64,), (F64,), {"graph": None}, "C5: call: expected a graph"),
    "an unknown policy": ("checkpoint", (F64,), (F64,), {"graph": AGAIN, "policy": "some"}, "C4: checkpoint: expected 'nothing'"),
    "a jvp of other arguments": ("custom", (F64,), (F64,), {"graph": AGAIN, "jvp": AGAIN, "vjp": None}, "C5: custom: the called graph takes"),
    "a vjp of other results": ("custom", (F64,), (F64,), {"graph": AGAIN, "jvp": None, "vjp": body(lambda xp, x, y, g: [g, g], *[F64] * 3)},
                               r"C5: custom: its vjp should give .f64\[\],., not"),
    "a linear with negative consts": ("linear", (F64, F64), (F64,), {"graph": None, "back": body(lambda xp, x, g: [g], F64, F64), "consts": -1},
                                      "C5: linear: expected counts of operands, of which there are 2, got .-1,."),
    "a linear with another transpose": ("linear", (F64, F64), (F64,), {"graph": None, "back": STEP, "consts": 1}, "C5: linear: its transpose should give"),
    "a primitive that is not there": ("external", (F64,), (F64,), {"name": "nobody.knows", "results": (("f64", ()),)}, "no primitive called 'nobody.knows'"),
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
def test_what_cannot_run_is_refused(what):
    op, operands, results, params, message = HOSTILE[what]
    graph = made(op, operands, results, params)
    with pytest.raises(VerifyError, match=message):
        verify(graph)


def test_stacks_belong_to_loops():
    with pytest.raises(VerifyError, match="C5: negative does not take stacks, which only loops do"):
        verify(made("negative", (STACK,), (STACK,), {}))
    stacks = body(lambda xp, c, v: [c, v], F64, ArrayType(np.dtype(float), (-1, 2)))
    with pytest.raises(VerifyError, match="a stack cannot hold stacks"):
        verify(made("scan", (INT64, F64, ArrayType(np.dtype(float), (-1, -1, 2))), (F64,), {**SCAN, "graph": stacks, "length": -1}))


@pytest.mark.parametrize("op", ["scan", "while", "switch", "call", "checkpoint"])
def test_nesting_is_bounded(op):
    graph = AGAIN
    for _ in range(MAX_CALL_DEPTH - 1):
        b = Builder("level")
        x = b.input(F64)
        params = {
            "scan": {"graph": graph, "consts": 0, "carries": 1, "length": 2, "reverse": False},
            "while": {"graph": graph, "consts": 0, "condition": SMALL},
            "switch": {"graphs": (graph,)}, "call": {"graph": graph}, "checkpoint": {"graph": graph, "policy": "nothing"},
        }[op]  # fmt: skip
        graph = b.graph(b.emit_all(OPS[op], [b.constant(np.int64(0)), x] if op == "switch" else [x], **params)[:1])
    verify(graph)
    assert wire.identity(wire.from_bytes(wire.to_bytes(graph))) == wire.identity(graph)
    deep = made("call", (F64,), (F64,), {"graph": graph})
    with pytest.raises(VerifyError, match=f"C10: graph 'graph' nests calls more than {MAX_CALL_DEPTH} deep"):
        verify(deep)


def test_a_body_that_runs_itself_is_refused():
    graph = made("while", (F64,), (F64, INT64), dict(WHILE))
    graph.nodes[0].params["graph"] = graph
    with pytest.raises(VerifyError, match="C10: graph 'graph' calls itself"):
        verify(graph)


def test_damaged_text_is_refused_or_another_graph():
    """Characters exchanged, numbers changed: an error of ours with the line, or a graph that verifies."""
    rng = random.Random(0)
    printed = text.dump(GRAPHS["while_in_scan_in_cond, vjp"][0])
    for _ in range(150):
        found = list(re.finditer(r"(?<==)-?\d+|(?<=\()\d+|@\w+|%\d+|True|False|f64|i64|\?", printed))
        spot = rng.choice(found)
        other = rng.choice([m[0] for m in found] + ["-1", "-2", "0", "9223372036854775807", "99999999999999999999", "None", "'x'"])
        try:
            again = text.parse(printed[: spot.start()] + other + printed[spot.end() :])
        except TextError:
            continue
        verify(again)


def test_damaged_files_are_refused_or_another_graph():
    rng = random.Random(1)
    body_ = unseal(wire.to_bytes(GRAPHS["stacked, vjp"][0]))
    for _ in range(150):
        at = rng.randrange(len(body_))
        changed = bytearray(body_)
        changed[at] = rng.randrange(256)
        try:
            verify(wire.from_bytes(seal(bytes(changed))))
        except GraphFileError:
            continue


# ----- Passes -----


def test_calls_are_written_out_in_bodies_too():
    loop = body(lambda xp, c: [xp.emit("scan", c, graph=eightfold(), consts=0, carries=1, length=2, reverse=False)], F64)
    (node,) = inline_calls(loop).nodes
    assert {n.op.name for n in node.params["graph"].nodes} == {"add"}


def test_stacks_are_enclosed():
    """All between those that make and those that read them; what is before and after stays."""
    double = wg.trace(lambda a: wg.while_loop(lambda s: s < 9.0, lambda s: np.sin(s) + s * a * 2 + 1, a)).graph(0.9).graph
    graph = autodiff.vjp(double.evolve(signature=None, results=None), (0,))
    assert any(is_stack(v.type) for node in graph.nodes for v in node.results)
    enclosed = enclose_stacks(graph)
    verify(enclosed)
    assert not any(is_stack(v.type) for node in enclosed.nodes for v in node.results)
    arguments = [np.float64(0.9), np.float64(1.0)]
    for x, y in zip(*(protocol.get("numpy").compile(g)(arguments) for g in (graph, enclosed)), strict=True):
        assert x == y
    plain = autodiff.jvp(double.evolve(signature=None, results=None), (0,))
    assert enclose_stacks(plain) is plain
