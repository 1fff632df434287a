"""A file is data: what is saved is loaded, and nothing else is."""

import enum
import io
import os
import stat
import subprocess
import sys
from pathlib import Path

import msgpack
import numpy as np
import pytest
from attrs import evolve
from graph_samples import F64, SAMPLES, calling, nested, node, small, special

from wengert.ir import envelope, unpacking
from wengert.ir.envelope import seal, unseal
from wengert.ir.errors import GraphFileError
from wengert.ir.graph import Graph, Location, Value
from wengert.ir.ops import OPS
from wengert.ir.structure import Signature, Structure
from wengert.ir.text import dump, parse
from wengert.ir.wire import UPGRADERS, from_bytes, identity, load, save, to_bytes


@pytest.mark.parametrize("name", SAMPLES)
def test_round_trip(name):
    graph = SAMPLES[name]()
    data = to_bytes(graph)
    again = from_bytes(data)

    assert to_bytes(again) == to_bytes(SAMPLES[name]()) == data
    assert identity(again) == identity(graph)
    assert dump(again) == dump(graph)
    assert [n.location for n in again.nodes] == [n.location for n in graph.nodes]


def test_constants_are_exact_and_read_only():
    graph, again = special(), from_bytes(to_bytes(special()))
    assert [c.key for c in again.outputs] == [c.key for c in graph.outputs]
    assert not any(c.array.flags.writeable for c in again.outputs)


PRINT_FILES = """
from graph_samples import SAMPLES
from wengert.ir.wire import to_bytes
print(*(to_bytes(make()).hex() for make in SAMPLES.values()))
"""


def test_a_file_is_the_same_in_every_process():
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    runs = {
        subprocess.check_output(
            [sys.executable, "-c", PRINT_FILES],
            env=environment | {"PYTHONHASHSEED": seed},
            text=True,
        )
        for seed in "12"
    }
    assert runs == {" ".join(to_bytes(make()).hex() for make in SAMPLES.values()) + "\n"}


# ----- Identity -----


def renamed(graph):
    """The same graph without names and locations."""
    text = "\n".join(line.partition("  #")[0] for line in dump(graph).splitlines())
    return text.replace("graph f", "graph g").replace(": a:", ":").replace(": b:", ": c:")


def test_identity_is_meaning():
    assert identity(parse(renamed(small()))) == identity(small())
    assert to_bytes(parse(renamed(small()))) != to_bytes(small())
    assert len({identity(make()) for make in SAMPLES.values()}) == len(SAMPLES)
    a, b = (graph.evolve(outputs=graph.inputs) for graph in (small(), small()))
    assert identity(a) == identity(b) != identity(a.evolve(outputs=a.outputs[::-1]))


def test_a_copy_of_a_called_graph_has_the_same_identity():
    graph = calling()
    inner = graph.nodes[1].params["graph"]
    copy = inner.evolve(name="copy")
    second = node("call", graph.nodes[0].results[0], graph=copy)
    twin = graph.evolve(nodes=(graph.nodes[0], second), outputs=(second.result, graph.outputs[1]))
    assert identity(twin) == identity(graph)


def test_identity_takes_any_static_value():
    def of(static):
        signature = Signature.positional(("c",), (Structure("static", static=static),))
        return identity(Graph((), (), (), signature=signature))

    assert of(enum.Enum("C", "A").A) != of(3) != of("3")


# ----- Damage -----


def test_every_truncation_is_refused():
    data = to_bytes(small())
    for end in range(len(data)):
        with pytest.raises(GraphFileError):
            from_bytes(data[:end])


def test_every_flipped_bit_is_refused():
    data = to_bytes(small())
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(GraphFileError):
            from_bytes(flipped)


@pytest.mark.parametrize("make", [small, calling, nested])
def test_every_flipped_bit_under_a_new_digest_is_refused_or_a_graph(make):
    body = unseal(to_bytes(make()))
    for bit in range(8 * len(body)):
        flipped = bytearray(body)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            graph = from_bytes(seal(bytes(flipped)))
        except GraphFileError as error:
            assert len(str(error)) > 20
        else:
            assert identity(from_bytes(to_bytes(graph))) == identity(graph)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\x89", envelope.MAGIC, b"PK\x03\x04" * 20, b"\x80\x04\x95." * 20, b"\x93NUMPY" * 20,
        b"import os\n" * 20, bytes(1000),
    ],
)  # fmt: skip
def test_other_files_are_refused(data):
    with pytest.raises(GraphFileError):
        from_bytes(data)


def test_trailing_bytes_and_two_files_in_one_are_refused():
    data = to_bytes(small())
    for tail in (b"\0", b"PK\x05\x06", data):
        with pytest.raises(GraphFileError, match="bytes; its header says"):
            from_bytes(data + tail)
    with pytest.raises(GraphFileError, match="the value ends at byte"):
        from_bytes(seal(unseal(data) + b"\xc0"))


BODIES = {
    "reserved byte": (b"\xc1", "starts no value"),
    "array of 4 G": (b"\xdd" + b"\xff" * 4, "does not fit"),
    "map of 4 G": (b"\xdf" + b"\xff" * 4, "does not fit"),
    "string of 4 G": (b"\xdb" + b"\xff" * 4, "does not fit"),
    "bytes of 4 G": (b"\xc6" + b"\xff" * 4, "does not fit"),
    "ext": (b"\xd4\x05\x00", "starts no value"),
    "timestamp": (b"\xd6\xff" + bytes(4), "starts no value"),
    "nested": (b"\x91" * 100_000 + b"\xc0", "at most 32 levels"),
    "nested headers": (b"\xdd\x00\x00\x10\x00" * 1000 + bytes(5000), "at most 32 levels"),
    "empty maps": (b"\xdd" + (2_000_000).to_bytes(4, "big") + b"\x80" * 2_000_000, "1000000 maps"),
    "long string": (b"\xda\x20\x00" + b"a" * 8192, "a string of 8192 bytes"),
    "duplicate keys": (b"\x82\xa1a\xc0\xa1a\xc0", "expected each once"),
    "int key": (b"\x81\x01\xc0", r"keys \[1\]; expected strings"),
    "bytes key": (b"\x81\xc4\x01a\xc0", "expected strings"),
    "list key": (b"\x81\x91\x01\xc0", "cannot be read"),
    "not UTF-8": (b"\xa2\xed\xa0", "utf-8"),
    "nil": (b"\xc0", "a map of ir"),
    "cut": (b"\x92\xc0", "does not fit"),
    "cut number": (b"\x91\xcb\x00", "the value ends"),
}


@pytest.mark.parametrize("name", BODIES)
def test_hostile_bodies_are_refused(name):
    body, message = BODIES[name]
    with pytest.raises(GraphFileError, match=message):
        from_bytes(seal(body))


def changed(make, change):
    """A sealed file whose decoded body went through ``change``."""
    body = msgpack.unpackb(unseal(to_bytes(make())), strict_map_key=False)
    change(body)
    return seal(msgpack.packb(body))


def put(*path):
    *keys, last, value = path

    def change(body):
        for key in keys:
            body = body[key]
        body[last] = value

    return change


DTYPES = ["O", "float128", ">f8", "f8,(1000000,)", 1, None]
BAD_INDICES = [True, 0.0, "0", None, 2**63, -(2**63)]
HUGE = [["f64", False, [2**61]], ["f64", False, [2**62, 0, 2**62]], ["f64", False, [-1]]]
MEANINGS = [
    (put("extra", 1), "a map of ir"),
    (put("ir", 3), "IR version 3.*pip install"),
    (put("ir", 0), "expected an IR version up to 2"),
    (put("ir", True), "type int, got True"),
    (put("ops", 0, 0, "os.system"), "the op 'os.system', which is not known"),
    (put("ops", 0, 0, "__class__"), "not known"),
    (put("ops", 0, 1, 2), "version 2 of the op 'add'; this version of wengert has 1"),
    (put("ops", 0, 2, ["axis"]), "damaged"),
    (put("ops", 0, ["add"]), "expected 3 fields"),
    *((put("types", 0, 0, dtype), "expected") for dtype in DTYPES),
    *((put("types", 0, type_), "expected (less than|a known)") for type_ in HUGE),
    (put("types", 0, 2, [1] * 33), "at most 32 axes"),
    (put("types", 0, 2, [2.0]), "sizes that are counts"),
    (put("types", 0, 2, [True]), "sizes that are counts"),
    (put("constants", 0, 2, b"\0" * 7), r"In constants\[0\]: expected 8 bytes"),
    (put("constants", 0, 2, "text"), "expected a value of type bytes"),
    *((put("locations", 0, 2, line), "line number|type int") for line in (-1, 2**31, True, "5")),
    (put("graphs", []), "expected a graph"),
    (put("graphs", 0, "nodes", 0, 1, 0, 2), r"In graphs\[0\].nodes\[0\]: .* below 2, got 2"),
    (put("graphs", 0, "nodes", 0, 1, 0, -2), "an index below 1"),
    *((put("graphs", 0, "nodes", 0, 1, 0, i), "index") for i in BAD_INDICES),
    (put("graphs", 0, "nodes", 0, 1, []), "expected 2 operands"),
    (put("graphs", 0, "nodes", 0, 2, [1]), "zip"),
    (put("graphs", 0, "nodes", 0, 2, [b"x"]), "a literal"),
    (put("graphs", 0, "nodes", 0, 3, []), r"nodes\[2\]: expected an index below 3, got 3"),
    (put("graphs", 0, "nodes", 0, 3, [0] * 65), "C5"),
    (put("graphs", 0, "nodes", 0, 4, 9), "index"),
    (put("graphs", 0, "nodes", 0, []), "expected 5 fields"),
    (put("graphs", 0, "outputs", [5]), "index"),
    (put("graphs", 0, "guards", [[0, True, None]]), "C7"),
    (put("graphs", 0, "guards", [[0, 1, None]]), "type bool"),
    (put("graphs", 0, "results", ["tuple"]), "C9"),
    (put("graphs", 0, "results", ["static", 3]), "None, a bool or a string"),
    (put("graphs", 0, "results", ["static"]), "expected 1 fields"),
    (put("graphs", 0, "results", []), "not enough values"),
    (put("graphs", 0, "results", ["dict"]), "pop from empty"),
    (put("graphs", 0, "results", ["dict", [{"graph": 0}], "leaf"]), "index"),
    (put("graphs", 0, "results", ["dataclass", "D", ["__init__"], "leaf"]), "C9"),
    (put("graphs", 0, "signature", [["", 1, "leaf", None], ["b", 1, "leaf", None]]), "C9"),
    (put("graphs", 0, "signature", [["a b", 1, "leaf", None], ["b", 1, "leaf", None]]), "C9"),
    (put("graphs", 0, "signature", [["a", 1, "leaf", ["leaf", []]]]), "expected 1 constants"),
]


@pytest.mark.parametrize(("change", "message"), MEANINGS)
def test_bodies_without_meaning_are_refused(change, message):
    with pytest.raises(GraphFileError, match=message):
        from_bytes(changed(small, change))


def test_a_graph_calls_only_those_before_it():
    for row in (1, 2, 9, -1, True):
        change = put("graphs", 1, "nodes", 0, 2, [{"graph": row}])
        with pytest.raises(GraphFileError, match=f"expected an index below 1, got {row}"):
            from_bytes(changed(calling, change))


def test_results_are_counted(monkeypatch):
    data = to_bytes(calling())
    monkeypatch.setattr("wengert.ir.unpacking.MAX_RESULTS", 3)
    with pytest.raises(GraphFileError, match="at most 3 results of nodes"):
        from_bytes(data)
    monkeypatch.setattr("wengert.ir.wire.MAX_RESULTS", 3)
    with pytest.raises(GraphFileError, match="Its nodes have more than 3 results"):
        to_bytes(calling())


def test_nodes_are_counted_and_values_before_anything_is_made(monkeypatch):
    data = to_bytes(calling())
    monkeypatch.setattr("wengert.ir.unpacking.MAX_NODES", 2)
    with pytest.raises(GraphFileError, match="at most 2 nodes"):
        from_bytes(data)
    monkeypatch.setattr("wengert.ir.wire.MAX_NODES", 2)
    with pytest.raises(GraphFileError, match="It has more than 2 nodes"):
        to_bytes(calling())
    monkeypatch.setattr("wengert.ir.envelope.MAX_ELEMENTS", 20)
    with pytest.raises(GraphFileError, match="32 levels, 20 values and"):
        from_bytes(data)


def test_calls_that_double_sixty_times_are_refused():
    def call(operand, row, results):
        return [1, [operand], [{"graph": row}], results, None]

    def bomb(body):
        inner, middle, _ = body["graphs"]
        first = middle | {"nodes": [call(0, 0, [0])], "outputs": [1]}
        twice = [
            first | {"nodes": [call(0, row, [0]), call(1, row, [0])], "outputs": [2]}
            for row in range(1, 61)
        ]
        body["graphs"] = [inner, first, *twice]

    with pytest.raises(GraphFileError, match="C10"):
        from_bytes(changed(calling, bomb))


# ----- Versions -----


def test_a_newer_format_is_refused_by_name():
    data = bytearray(to_bytes(small()))
    data[8] = 2
    with pytest.raises(GraphFileError, match="format version 2; this version of wengert reads 1"):
        from_bytes(data)


def test_an_old_op_is_upgraded(monkeypatch):
    """As if multiply had once been called times, and had a parameter."""

    def second(params):
        return "times", 2, {"by": params["factor"]}

    def third(params):
        return "multiply", 1, {} if params["by"] == 7 else params

    monkeypatch.setitem(UPGRADERS, ("times", 1), second)
    monkeypatch.setitem(UPGRADERS, ("times", 2), third)

    def age(body):
        body["ops"][1] = ["times", 1, ["factor"]]
        body["graphs"][0]["nodes"][2][2] = [7]

    graph = from_bytes(changed(small, age))
    assert graph.nodes[2].op is OPS["multiply"]
    assert identity(graph) == identity(small())


def test_today_every_op_is_read_as_it_is():
    assert unpacking.UPGRADERS == {}


# ----- What cannot be saved -----


def with_static(value):
    signature = Signature.positional(("mode",), (Structure("static", static=value),))
    return Graph((), (), (), signature=signature)


def with_default(value):
    signature = Signature((("x", 1),), (Structure("static"),), (("x", value),))
    return Graph((), (), (), signature=signature)


UNSAVABLE = [
    (with_static(3.5), r"Argument 'mode' holds 3.5 of type float.*partial\(f, mode=...\)"),
    (with_static(enum.Enum("C", "A").A), "of type C"),
    (Graph((), (), (), results=Structure("static", static=len)), "The result holds"),
    (Graph((), (), (), name="\ud800"), "surrogates"),
    (Graph((), (), (), name="a" * 5000), "a string of 5000 bytes; at most 4096"),
    (Graph((), (), (Value(F64),)), "C6"),
    (with_default(object()), "The default of argument 'x' holds <object"),
    (with_default(2**70), "The default of argument 'x' cannot be kept"),
    (with_default(np.array("text")), "The default of argument 'x' cannot be kept"),
]


@pytest.mark.parametrize(("graph", "message"), UNSAVABLE)
def test_what_cannot_be_saved_is_named_and_the_old_file_stays(graph, message, tmp_path):
    path = tmp_path / "f.wg"
    save(small(), path)
    before = path.read_bytes()
    with pytest.raises(GraphFileError, match=message):
        save(graph, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["f.wg"]


def test_a_location_of_any_type_is_refused_in_words():
    first, *rest = small().nodes
    odd = evolve(first, location=Location("m", "f", np.int64(3)))
    with pytest.raises(GraphFileError, match="cannot be saved"):
        to_bytes(Graph(first.operands, (odd, *rest), rest[-1].results))


# ----- Disk -----


def test_load_takes_paths_and_files(tmp_path):
    path = tmp_path / "größe.any"
    save(small(), path)
    data = path.read_bytes()
    sources = (path, str(path), os.fsencode(path), io.BytesIO(data))
    assert {identity(load(source)) for source in sources} == {identity(small())}
    assert identity(from_bytes(memoryview(data))) == identity(small())
    with path.open("rb") as file:
        assert dump(load(file)) == dump(small())
    with pytest.raises(GraphFileError, match="binary mode"):
        load(io.StringIO("text"))
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "missing")


def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "f.wg"
    save(small(), path)
    before = path.read_bytes()
    for owner, name in ((Path, "replace"), (os, "fsync")):
        for error in (OSError, KeyboardInterrupt):

            def fail(*_, error=error):
                raise error("disk full")

            with monkeypatch.context() as patched:
                patched.setattr(owner, name, fail)
                with pytest.raises(error, match="disk full"):
                    save(calling(), path)
            assert path.read_bytes() == before
            assert [p.name for p in tmp_path.iterdir()] == ["f.wg"]


@pytest.mark.skipif(os.name == "nt", reason="modes and links are POSIX's")
def test_mode_and_link_are_kept(tmp_path):
    path, link = tmp_path / "f.wg", tmp_path / "link"
    save(small(), path)
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask
    path.chmod(0o640)
    link.symlink_to(path)
    save(calling(), link)
    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert identity(load(link)) == identity(calling())


@pytest.mark.skipif(os.name == "nt", reason="pipes are POSIX's")
def test_only_regular_files(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", "/dev/null", "/dev/zero"):
        with pytest.raises(GraphFileError, match="not a regular file"):
            load(path)
        with pytest.raises(GraphFileError, match="not a regular file"):
            save(small(), path)


def test_a_large_file_is_not_read(tmp_path):
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(envelope.MAX_FILE + 1)
    with pytest.raises(GraphFileError, match="at most 268435456"):
        load(path)
