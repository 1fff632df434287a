"""A graph as the body of its file, laid out as :mod:`wengert.ir.wire` says."""

from __future__ import annotations

from typing import Any

from wengert.ir.envelope import encode
from wengert.ir.graph import Constant, Graph, Guard, Location, Node, Value
from wengert.ir.storable import split_default
from wengert.ir.structure import Signature, Structure
from wengert.ir.symbolic.formulas import Formula
from wengert.ir.symbolic.schema import Sizes
from wengert.ir.symbolic.size_text import written
from wengert.ir.symbolic.sizes import Dim, Size
from wengert.ir.types import SHORT_NAMES, ArrayType
from wengert.ir.verify import called_graphs

__all__ = ["IR_VERSION", "pack"]

#: The layout that is read; what older ones can say is written as they did, so that older versions can read it.
IR_VERSION = 2


def pack(graph: Graph, *, names: bool = True) -> bytes:
    """The body for a graph; without ``names`` (and locations), its meaning alone."""
    return _Packer(names=names).body(graph)


def _index(table: dict[Any, int], key: Any) -> int:
    """The row of ``key``, which is added at first use: so equal graphs have equal tables."""
    return table.setdefault(key, len(table))


def _dim(dim: Dim) -> Any:
    return written(dim) if type(dim) is Size else dim


def _frozen(arg: Any) -> Any:
    """An argument of a formula, told apart by its kind: ("size", text), ("int", number) or ("float", number)."""
    return ("size", written(arg)) if type(arg) is Size else (type(arg).__name__, arg)


class _Packer:
    """Turns graphs into records, and collects the tables that these point into."""

    def __init__(self, *, names: bool) -> None:
        self.names = names
        self.ops: dict[Any, int] = {}
        self.types: dict[ArrayType, int] = {}
        self.constants: dict[Any, int] = {}
        self.locations: dict[Location, int] = {}
        self.rows: dict[int, int] = {}  # graphs, by id

    def body(self, graph: Graph) -> bytes:
        records: dict[bytes, tuple[int, Any]] = {}  # graphs of one content are one
        for inner in called_graphs(graph):
            record = self.graph(inner)
            self.rows[id(inner)], _ = records.setdefault(encode(record), (len(records), record))
        return encode({
            "ir": 1 if graph.sizes is None else 2,
            "ops": list(self.ops),
            "types": [(SHORT_NAMES[t.dtype], t.weak, tuple(map(_dim, t.shape))) for t in self.types],
            "constants": list(self.constants),
            "locations": [(at.module, at.function, at.line) for at in self.locations],
            "graphs": [record for _, record in records.values()],
        })  # fmt: skip

    def graph(self, graph: Graph) -> dict[str, Any]:
        results = (v for node in graph.nodes for v in node.results)
        self.numbers = {id(v): k for k, v in enumerate((*graph.inputs, *results))}
        sizes = {} if graph.sizes is None else {"sizes": self.sizes(graph.sizes)}
        return {
            **sizes,
            "name": graph.name if self.names else "",
            "inputs": [(self.type(v), self.name(v)) for v in graph.inputs],
            "nodes": [self.node(node) for node in graph.nodes],
            "outputs": [self.operand(v) for v in graph.outputs],
            "guards": [self.guard(guard) for guard in graph.guards],
            "signature": graph.signature and self.signature(graph.signature),
            "results": graph.results and self.structure(graph.results),
        }

    def sizes(self, sizes: Sizes) -> tuple[Any, ...]:
        constraints = [(_dim(c.left), c.relation, _dim(c.right), self.location(c.location)) for c in sizes.constraints]
        return sizes.witness, constraints

    # ----- Values -----

    def type(self, value: Value) -> int:
        return _index(self.types, value.type)

    def name(self, value: Value) -> str | None:
        return value.name if self.names else None

    def operand(self, value: Value) -> int:
        if isinstance(value, Formula):
            row = (self.type(value), self.name(value), (value.form, *map(_frozen, value.args)))
            return -1 - _index(self.constants, row)
        return -1 - self.constant(value) if isinstance(value, Constant) else self.numbers[id(value)]

    def constant(self, value: Constant) -> int:
        little = value.array.astype(value.type.dtype.newbyteorder("<"), copy=False)
        return _index(self.constants, (self.type(value), self.name(value), little.tobytes()))

    def location(self, location: Location | None) -> int | None:
        return _index(self.locations, location) if location is not None and self.names else None

    def node(self, node: Node) -> tuple[Any, ...]:
        op = node.op
        return (
            _index(self.ops, (op.name, op.version, op.params)),
            [self.operand(v) for v in node.operands],
            [self.value(node.params[name]) for name in op.params],
            [
                self.type(v) if self.name(v) is None else (self.type(v), v.name)
                for v in node.results
            ],
            self.location(node.location),
        )

    def guard(self, guard: Guard) -> tuple[Any, ...]:
        return self.operand(guard.value), guard.expected, self.location(guard.location)

    def value(self, value: Any) -> Any:
        if isinstance(value, Graph):
            return {"graph": self.rows[id(value)]}
        if type(value) is Size:
            return {"size": written(value)}
        return [self.value(item) for item in value] if type(value) is tuple else value

    # ----- Structures -----

    def signature(self, signature: Signature) -> list[tuple[Any, ...]]:
        defaults = {name: self.default(value) for name, value in signature.defaults}
        return [
            (name, kind, self.structure(tree), defaults.get(name))
            for (name, kind), tree in zip(signature.parameters, signature.arguments, strict=True)
        ]

    def default(self, value: Any) -> tuple[Any, list[int]]:
        structure, constants = split_default(value)
        return self.structure(structure), [self.constant(constant) for constant in constants]

    def structure(self, tree: Structure) -> Any:
        if tree.kind == "leaf":
            return tree.kind
        if tree.kind == "static":
            known = tree.static is None or type(tree.static) in (bool, str)
            # No file comes to hold another one; to tell meanings apart, its repr is enough.
            return tree.kind, tree.static if known else ("repr", repr(tree.static))
        name = () if tree.kind in ("tuple", "list", "dict") else (tree.name,)
        keys = () if tree.kind in ("tuple", "list") else ([self.value(key) for key in tree.keys],)
        return tree.kind, *name, *keys, *(self.structure(child) for child in tree.children)
