"""Law: text and file keep every op, with every parameter, and its meaning."""

import os

import pytest
from samples import Sample, samples

from wengert.backends import protocol
from wengert.ir import text, wire
from wengert.ir.ops import OPS
from wengert.ir.storable import graphs_in
from wengert.ir.verify import verify

SOAK = bool(os.environ.get("WENGERT_SOAK"))


def of_every_type(name: str) -> list[Sample]:
    """One sample per combination of types and parameters."""
    return list({str(s) + "".join(map(str, graphs_in(s.params))): s for s in samples(name)}.values())


@pytest.mark.parametrize("name", OPS)
def test_text_is_read_back(name, cases):
    for sample in of_every_type(name):
        printed = text.dump(sample.graph())
        again = text.parse(printed)
        assert text.dump(again) == printed
        verify(again)
        same_program(sample, again)
    cases(len(of_every_type(name)))


@pytest.mark.parametrize("name", OPS)
def test_a_file_is_read_back(name, cases):
    for sample in of_every_type(name):
        data = wire.to_bytes(sample.graph())
        again = wire.from_bytes(data)
        assert wire.to_bytes(again) == data
        assert wire.identity(again) == wire.identity(sample.graph())
        same_program(sample, again)
    cases(len(of_every_type(name)))


def same_program(sample, graph):
    (node,) = graph.nodes
    assert node.op is sample.op
    assert [v.type for v in node.results] == list(sample.result_types)
    if not any(graphs_in(sample.params)):
        assert node.params == sample.params, str(sample)
        if not SOAK:  # the same op with the same parameters: that it runs as it did goes without saying
            return
    run = protocol.get("numpy").compile
    for x, y in zip(run(graph)(sample.operands), run(sample.graph())(sample.operands), strict=True):
        assert x.tobytes() == y.tobytes(), str(sample)
