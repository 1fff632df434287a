"""The op table: up to date, without holes, and able to see one."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from wengert.backends import protocol
from wengert.ir.kinds import Unknown
from wengert.ir.ops import OPS
from wengert.tools import optable
from wengert.tools.optable_samples import DTYPES_ASKED, samples
from wengert.tools.optable_symbols import derivative

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def table():
    return optable.make(optable.own_backends())


def test_there_are_no_holes(table):
    assert optable.holes(table) == []
    assert {row.op for row in table.rows} == set(OPS)


def test_every_mark_is_earned_on_every_backend(table):
    here = [name for name, reason in protocol.available().items() if reason is None]
    for row in table.rows:
        assert set(row.marks) == set(here) & set(optable.own_backends())
        partials = getattr(OPS[row.op], "partials", (None,))
        real = ("float" in row.types or "complex" in row.types) and row.op not in ("nextafter", "external") and not all(isinstance(p, Unknown) for p in partials)
        assert set(row.marks.values()) == {"✓✓✓" if real else "✓··"}, row.op


def test_docs_are_up_to_date(table):
    if table.absent:
        pytest.skip(f"docs/ops.md has every backend: {table.absent}")
    kept = (ROOT / "docs" / "ops.md").read_text(encoding="utf-8")
    assert kept == optable.markdown(table), "write it with: wengert ops --write docs/ops.md"


class Refusing:
    """The numpy backend, but for one op."""

    name = "refusing"

    def __init__(self, spoil):
        self.numpy, self.spoil = protocol.get("numpy"), spoil

    def unavailable(self):
        return None

    def compile(self, graph):
        self.spoil(graph)
        return self.numpy.compile(graph)

    def forward(self, graph, active):
        return self.numpy.forward(graph, active)

    def reverse(self, graph, active):
        self.spoil(graph)
        return self.numpy.reverse(graph, active)

    def source(self, graph):
        return ""


def use(monkeypatch, backend):
    monkeypatch.setitem(protocol.BUILT_IN, "refusing", "nowhere:NOTHING")
    known = protocol.get
    monkeypatch.setattr(protocol, "get", lambda name: backend if name == "refusing" else known(name))


def test_a_backend_that_refuses_an_op_is_a_hole(monkeypatch):
    def no_tanh(graph):
        if any(node.op.name == "tanh" for node in graph.nodes):
            raise NotImplementedError("no tanh")

    use(monkeypatch, Refusing(no_tanh))
    found = optable.make(("refusing",))
    marks = {row.op: row.marks["refusing"] for row in found.rows}
    assert marks.pop("tanh") == "✗✓✗"
    assert "✗" not in "".join(marks.values())
    assert all("no tanh" in sentence for sentence in optable.holes(found))


def test_a_wrong_answer_is_a_hole(monkeypatch):
    class Wrong(Refusing):
        def forward(self, graph, active):
            run = super().forward(graph, active)

            def off(inputs, tangents):
                values, moved = run(inputs, tangents)
                makers = [node for node in graph.nodes for _ in node.results]
                return values, [m + (node.op.name == "exp") if m is not None else None
                                for m, node in zip(moved, makers, strict=True)]  # fmt: skip

            return off

    use(monkeypatch, Wrong(lambda graph: None))
    found = optable.make(("refusing",))
    assert {row.op: row.marks["refusing"] for row in found.rows if "✗" in row.marks["refusing"]} == {"exp": "✓✗✓"}


def test_an_op_without_a_sample_call_is_a_hole(monkeypatch):
    from wengert.tools import optable_samples

    monkeypatch.delitem(optable_samples.PARAMS, "reshape")
    found = optable.make(("numpy",))
    assert {row.op: row.marks["numpy"] for row in found.rows if "✗" in row.marks["numpy"]} == {"reshape": "✗✗✗"}


@pytest.mark.parametrize("name", OPS)
def test_samples_lie_inside_the_domain(name):
    op = OPS[name]
    for one in samples(op):
        assert {dtype for _, dtype in one.spans} <= set(DTYPES_ASKED)
        for x, interval in zip(one.inputs, getattr(op, "domain", ()), strict=False):
            assert x.dtype.kind != "f" or (np.all(x > interval.low) and np.all(x < interval.high))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("multiply", "dx: y; dy: x"),
        ("subtract", "dx: 1; dy: -1"),
        ("divide", "dx: 1 / y; dy: -out / y"),
        ("arcsin", "dx: 1 / sqrt((1 - x) * (1 + x))"),
        ("exp2", "dx: log(2) * out"),
        ("floor", "0"),
        ("max", "dx: where(x == out, 1, 0) / sum(where(x == out, 1, 0))"),
        ("broadcast_to", "linear; backwards: sum"),
        ("take", "linear; backwards: scatter_add"),
    ],
)
def test_derivatives_are_the_rules_run_on_symbols(name, text):
    assert derivative(OPS[name], samples(OPS[name])[-1].graph) == text


@pytest.mark.skipif(not os.environ.get("WENGERT_SOAK"), reason="looks at the whole table once more: make soak")
def test_the_command_finds_no_hole():
    done = subprocess.run([sys.executable, "-m", "wengert.tools.cli", "ops", "--check"],
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "0 holes" in done.stderr
