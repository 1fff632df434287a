"""The body of a file as a graph.  Nothing is believed: every index, length and type is checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from wengert.ir.envelope import NOT_A_GRAPH, decode
from wengert.ir.errors import GraphFileError, VerifyError
from wengert.ir.graph import Constant, Graph, Guard, Location, Node, Value
from wengert.ir.kinds import Op
from wengert.ir.ops import OPS
from wengert.ir.packing import IR_VERSION
from wengert.ir.storable import join_default
from wengert.ir.structure import LEAF, Signature, Structure
from wengert.ir.symbolic.formulas import Formula
from wengert.ir.symbolic.schema import Constraint, Sizes
from wengert.ir.symbolic.size_text import parse_size
from wengert.ir.symbolic.sizes import Dim, is_symbolic
from wengert.ir.types import DTYPES, ArrayType, is_stack
from wengert.ir.verify import type_complaint, verify

__all__ = ["UPGRADERS", "unpack"]

T = TypeVar("T")

#: A node takes 6 bytes of a file at least, and as read at most 100 times as much as there: so a small file asks for
#: little, whatever it says.  These are for large ones: a derivative of a million nodes has up to three million.
MAX_NODES = 5_000_000
MAX_RESULTS = 10_000_000  # of all nodes

#: How to read what older versions wrote: (op name, version) to a function from the parameters to
#: the next (name, version, parameters).  What an op means never changes under one version.
UPGRADERS: dict[tuple[str, int], Callable[[dict[str, Any]], tuple[str, int, dict[str, Any]]]] = {}

NEWER = "It was written by a newer version of wengert: pip install --upgrade wengert."
RECORDS = ("namedtuple", "dataclass", "attrs")


def unpack(body: bytes) -> Graph:
    """The graph in a body, verified."""
    reader = _Reader()
    tables = decode(body)
    try:
        graph = reader.program(tables)
        reader.place = "the whole"
        verify(graph)
    except GraphFileError:
        raise
    except VerifyError as error:
        message = f"The graph in the file is not valid: {error} {NOT_A_GRAPH}"
        raise GraphFileError(message, op=error.op) from error
    except Exception as error:  # whatever nonsense makes Python say
        raise GraphFileError(f"In {reader.place}: {error} {NOT_A_GRAPH}") from error
    return graph


# ----- What is expected -----


def _wrong(expected: str, got: Any) -> ValueError:
    return ValueError(f"expected {expected}, got {got!r:.100}.")


def _is(type_: type[T], value: Any) -> T:
    if type(value) is not type_:  # a bool is no int
        raise _wrong(f"a value of type {type_.__name__}", value)
    return value


def _or_none(type_: type[T], value: Any) -> T | None:
    return None if value is None else _is(type_, value)


def _fields(count: int, value: Any) -> Any:
    if type(value) is not tuple or len(value) != count:
        raise _wrong(f"{count} fields", value)
    return value


def _map(keys: tuple[str, ...], value: Any) -> tuple[Any, ...]:
    if type(value) is not dict or set(value) != set(keys):
        raise _wrong(f"a map of {', '.join(keys)}", list(value) if type(value) is dict else value)
    return tuple(value[key] for key in keys)


def _at(table: Sequence[T], index: Any) -> T:
    if type(index) is not int or not 0 <= index < len(table):
        raise _wrong(f"an index below {len(table)}", index)
    return table[index]


# ----- Ops -----


def _known(name: str, version: int) -> None:
    """Raise unless this version of wengert can read this version of the op."""
    if (name, version) in UPGRADERS:
        return
    if name not in OPS:
        raise GraphFileError(
            f"The file uses the op {name!r:.100}, which is not known here. {NEWER}"
        )
    if version != OPS[name].version:
        raise GraphFileError(
            f"The file uses version {version} of the op {name!r}; this version of wengert has "
            f"{OPS[name].version}. {NEWER}"
        )


def _current(name: str, version: int, params: dict[str, Any]) -> tuple[Op, dict[str, Any]]:
    """The op of today, and its parameters."""
    while (name, version) in UPGRADERS:
        name, version, params = UPGRADERS[name, version](params)
    _known(name, version)
    return OPS[name], params


# ----- Reading -----


class _Reader:
    """Reads the tables, then the graphs; ``place`` is where it is."""

    def __init__(self) -> None:
        self.place = "the body"
        self.graphs: list[Graph] = []
        self.node_count = self.result_count = 0

    def program(self, body: Any) -> Graph:
        if type(body) is dict and type(body.get("ir")) is int and body["ir"] > IR_VERSION:
            raise GraphFileError(
                f"The file has IR version {body['ir']}; this one reads {IR_VERSION}. {NEWER}"
            )
        keys = ("ir", "ops", "types", "constants", "locations", "graphs")
        version, ops, types, constants, locations, graphs = _map(keys, body)
        if not 1 <= _is(int, version) <= IR_VERSION:
            raise _wrong(f"an IR version up to {IR_VERSION}", version)
        self.has_sizes = version >= 2
        self.ops = self.table("ops", ops, self.op)
        self.types = self.table("types", types, self.type)
        self.constants = self.table("constants", constants, self.constant)
        self.locations = self.table("locations", locations, self.location)
        self.table("graphs", graphs, self.graph, self.graphs)
        if not self.graphs:
            raise _wrong("a graph", ())
        return self.graphs[-1]

    def table(
        self, name: str, rows: Any, read: Callable[[Any], T], into: list[T] | None = None
    ) -> list[T]:
        """Each row of a table, read; a row sees those before it in ``into``."""
        outer, found = self.place, [] if into is None else into
        for k, row in enumerate(_is(tuple, rows)):
            self.place = f"{name}[{k}]" if outer == "the body" else f"{outer}.{name}[{k}]"
            found.append(read(row))
        self.place = outer
        return found

    def op(self, row: Any) -> tuple[str, int, tuple[str, ...]]:
        name, version, params = _fields(3, row)
        _known(_is(str, name), _is(int, version))
        return name, version, tuple(_is(str, p) for p in _is(tuple, params))

    def type(self, row: Any) -> ArrayType:
        short, weak, shape = _fields(3, row)
        if _is(str, short) not in DTYPES:
            raise _wrong(f"a dtype of {', '.join(DTYPES)}", short)
        type_ = ArrayType(DTYPES[short], tuple(map(self.dim, _is(tuple, shape))), _is(bool, weak))
        if message := type_complaint(type_, symbolic=True):
            raise ValueError(message)
        return type_

    def dim(self, dim: Any) -> Any:
        return parse_size(dim) if type(dim) is str and self.has_sizes else dim

    def constant(self, row: Any) -> Constant | Formula:
        index, name, data = _fields(3, row)
        type_ = _at(self.types, index)
        if type(data) is tuple and self.has_sizes:
            form, *args = data
            return Formula(type_, _or_none(str, name), _is(str, form), tuple(map(self.argument, args)))
        if is_symbolic(type_.shape):
            raise _wrong("a formula for a constant of named sizes", type_)
        dtype = type_.dtype
        if is_stack(type_):
            raise ValueError(f"expected a known size, got {type_} for a constant.")
        if len(_is(bytes, data)) != type_.size * dtype.itemsize:
            raise ValueError(
                f"expected {type_.size * dtype.itemsize} bytes for {type_}, got {len(data)}."
            )
        if dtype.kind == "b" and data.strip(b"\0\1"):
            raise ValueError("expected bools, each a byte 0 or 1.")
        array = (
            np.frombuffer(data, dtype.newbyteorder("<"))
            .astype(dtype, copy=False)
            .reshape(type_.shape)
        )
        array.setflags(write=False)
        return Constant(type_, _or_none(str, name), array=array)

    def location(self, row: Any) -> Location:
        module, function, line = _fields(3, row)
        if not 0 <= _is(int, line) < 2**31:
            raise _wrong("a line number", line)
        return Location(_is(str, module), _is(str, function), line)

    def graph(self, record: Any) -> Graph:
        keys: tuple[str, ...] = ("name", "inputs", "nodes", "outputs", "guards", "signature", "results")
        if self.has_sizes and type(record) is dict and "sizes" in record:
            keys = (*keys, "sizes")
        name, inputs, nodes, outputs, guards, signature, results, *sizes = _map(keys, record)
        self.node_count += len(_is(tuple, nodes))
        if self.node_count > MAX_NODES:
            raise ValueError(f"expected at most {MAX_NODES} nodes.")
        self.values: list[Value] = []
        self.table("inputs", inputs, self.input, self.values)
        return Graph(
            inputs=tuple(self.values),
            nodes=tuple(self.table("nodes", nodes, self.node)),
            outputs=tuple(self.table("outputs", outputs, self.operand)),
            guards=tuple(self.table("guards", guards, self.guard)),
            name=_is(str, name),
            signature=None if signature is None else self.signature(signature),
            results=None if results is None else self.structure(results),
            sizes=self.sizes(*sizes) if sizes else None,
        )

    def input(self, row: Any) -> Value:
        index, name = _fields(2, row)
        return Value(_at(self.types, index), _or_none(str, name))

    def operand(self, index: Any) -> Value:
        if type(index) is int and index < 0:
            return _at(self.constants, -1 - index)
        return _at(self.values, index)

    def node(self, row: Any) -> Node:
        index, operands, values, results, location = _fields(5, row)
        name, version, params = _at(self.ops, index)
        op, given = _current(
            name, version, dict(zip(params, map(self.value, _is(tuple, values)), strict=True))
        )
        self.result_count += len(_is(tuple, results))
        if self.result_count > MAX_RESULTS:
            raise ValueError(f"expected at most {MAX_RESULTS} results of nodes.")
        read = tuple(self.operand(v) for v in _is(tuple, operands))
        made = tuple(self.input(r if type(r) is tuple else (r, None)) for r in results)
        self.values.extend(made)
        return Node(op, read, given, made, self.known_location(location))

    def known_location(self, index: Any) -> Location | None:
        return None if index is None else _at(self.locations, index)

    def guard(self, row: Any) -> Guard:
        value, expected, location = _fields(3, row)
        return Guard(self.operand(value), _is(bool, expected), self.known_location(location))

    def value(self, value: Any) -> Any:
        """A parameter or a key; its depth is bounded, since the body's is."""
        if type(value) is tuple:
            return tuple(map(self.value, value))
        if type(value) is dict and set(value) == {"size"} and self.has_sizes:
            return self.dim(_is(str, value["size"]))
        if type(value) is dict:
            return _at(self.graphs, *_map(("graph",), value))
        if type(value) is bytes:
            raise _wrong("a literal", value)
        return value

    def argument(self, arg: Any) -> Any:
        kind, value = _fields(2, arg)
        if kind == "size":
            return self.dim(_is(str, value))
        return _is({"int": int, "float": float}[kind], value)

    def sizes(self, row: Any) -> Sizes:
        witness, constraints = _fields(2, row)
        pairs = tuple((_is(str, name), _is(int, n)) for name, n in (_fields(2, pair) for pair in _is(tuple, witness)))
        rows = [_fields(4, each) for each in _is(tuple, constraints)]
        return Sizes(pairs, tuple(
            Constraint(self.known_dim(left), _is(str, relation), self.known_dim(right), self.known_location(at))
            for left, relation, right, at in rows
        ))  # fmt: skip

    def known_dim(self, dim: Any) -> Dim:
        return self.dim(dim) if type(dim) is str else _is(int, dim)

    # ----- Structures -----

    def signature(self, rows: Any) -> Signature:
        parameters, arguments, defaults = [], [], []
        for row in _is(tuple, rows):
            name, kind, tree, default = _fields(4, row)
            parameters.append((_is(str, name), _is(int, kind)))
            arguments.append(self.structure(tree))
            if default is not None:
                defaults.append((name, self.default(default)))
        return Signature(tuple(parameters), tuple(arguments), tuple(defaults))

    def default(self, row: Any) -> Any:
        tree, indices = _fields(2, row)
        structure, constants = (
            self.structure(tree),
            [_is(Constant, _at(self.constants, k)) for k in _is(tuple, indices)],
        )
        if structure.leaf_count != len(constants):
            raise _wrong(f"{structure.leaf_count} constants in a default", len(constants))
        return join_default(structure, constants)

    def structure(self, row: Any) -> Structure:
        if row == "leaf":
            return LEAF
        kind, *rest = _is(tuple, row)
        if kind == "static":
            (static,) = _fields(1, tuple(rest))
            if static is not None and type(static) not in (bool, str):
                raise _wrong("None, a bool or a string", static)
            return Structure(kind, static=static)
        name = _is(str, rest.pop(0)) if kind in RECORDS else ""
        keys = self.value(_is(tuple, rest.pop(0))) if kind in (*RECORDS, "dict") else ()
        if is_symbolic(keys):
            raise _wrong("keys that are strings or numbers", keys)
        return Structure(_is(str, kind), tuple(map(self.structure, rest)), keys, name)
