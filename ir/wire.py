"""Graphs as files: data alone, checked on the way in, the same bytes for the same graph.

The body of a file is one msgpack map::

    ir         version of this layout
    ops        (name, version, names of the parameters) of each op used
    types      (dtype, weak, sizes)
    constants  (type, name, bytes: little-endian, C order), equal ones once
    locations  (module, function, line)
    graphs     called graphs first, the program last; a graph calls only those before it

    graph      {name, inputs, nodes, outputs, guards, signature, results}
    input      (type, name)
    node       (op, operands, parameters, results, location); a result is a type, or (type, name)
    guard      (operand, expected, location)
    signature  (name, kind, structure, default) for each parameter; the default is
               (structure, constants) or nil
    structure  "leaf", ("static", value), ("tuple" or "list", child...), ("dict", keys, child...),
               ("namedtuple", "dataclass" or "attrs", class, fields, child...)

All point into the tables by index.  Values are numbered from 0, inputs first; the operand -1 - k is
constant k; so a node can read nothing below it.  A parameter is nil, a bool, an int, a float, a
string, an array of these, or {"graph": index}.

There is no path in a file, no code, and nothing compressed.
"""

from __future__ import annotations

import hashlib
import os
from typing import Any

from wengert.ir.collecting import uncollected
from wengert.ir.envelope import MAX_FILE, read_file, scan, seal, unseal, write_file
from wengert.ir.errors import GraphFileError, VerifyError
from wengert.ir.graph import Graph
from wengert.ir.packing import pack
from wengert.ir.storable import complaint
from wengert.ir.unpacking import MAX_NODES, MAX_RESULTS, UPGRADERS, unpack
from wengert.ir.verify import called_graphs, verify

__all__ = ["UPGRADERS", "from_bytes", "identity", "load", "save", "to_bytes"]


@uncollected()
def identity(graph: Graph) -> str:
    """The SHA-256 of what a graph means: names of values and graphs, and locations, are left out.

    Graphs with one identity compute the same from the same call.
    """
    return hashlib.sha256(pack(graph, names=False)).hexdigest()


@uncollected()
def to_bytes(graph: Graph) -> bytes:
    """The bytes of a graph's file: always the same for the same graph."""
    try:
        verify(graph)
        problem = complaint(graph)
        every = called_graphs(graph)
        if problem is None and sum(len(g.nodes) for g in every) > MAX_NODES:
            problem = f"It has more than {MAX_NODES} nodes."
        if problem is None and sum(len(node.results) for g in every for node in g.nodes) > MAX_RESULTS:
            problem = f"Its nodes have more than {MAX_RESULTS} results."
        body = b"" if problem else pack(graph)
        scan(body or b"\xc0")  # what is written can be read
    except VerifyError as error:
        raise GraphFileError(f"The graph cannot be saved: {error}", op=error.op) from error
    except Exception as error:  # a name that is not UTF-8, a location of odd types, ...
        raise GraphFileError(f"The graph cannot be saved: {error}") from error
    if problem:
        raise GraphFileError(f"The graph cannot be saved. {problem}")
    return seal(body)


@uncollected()
def from_bytes(data: bytes) -> Graph:
    """The graph in a file's bytes, verified."""
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise GraphFileError(
            f"A graph is read from bytes, got {type(data).__name__}. Open the file in binary mode."
        )
    return unpack(unseal(bytes(data)))


def save(graph: Graph, path: str | os.PathLike[str]) -> None:
    """Write a graph to a file.  Whatever happens, the old file or the new one is there, whole."""
    write_file(path, to_bytes(graph))


def load(path: Any) -> Graph:
    """Read a graph from a path or a binary file object.  Runs no code, and needs no source."""
    return from_bytes(path.read(MAX_FILE + 1) if hasattr(path, "read") else read_file(path))
