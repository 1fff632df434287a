"""Graphs as text, in the grammar of :mod:`wengert.ir.graph`, and back.

``parse(dump(graph))`` means what ``graph`` means: same identity, same text.  Numbers are exact to
the bit.  What text does not keep: where a location's module ends and its function begins; and of
several graphs with one name, all names but the first.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from wengert.ir.errors import TextError
from wengert.ir.graph import Constant, Graph, Guard, Location, Node, Value
from wengert.ir.numerals import nested, numerals, quoted
from wengert.ir.parser import parse
from wengert.ir.storable import complaint, split_default
from wengert.ir.structure import Signature, Structure
from wengert.ir.symbolic.formulas import Formula
from wengert.ir.symbolic.size_text import written
from wengert.ir.symbolic.sizes import Size
from wengert.ir.types import type_of
from wengert.ir.verify import called_graphs

__all__ = ["dump", "parse"]

ELIDED_ABOVE = 16
SHOWN = 3  # elements at either end of a shortened array
COLUMN = 72  # where location comments stand at the latest
STARS = {2: "*", 4: "**"}  # by the kind of a parameter
BARE = frozenset(map(type_of, (1, 1.0, 1j, True)))  # the types a number has without saying so


def dump(graph: Graph, *, elide: bool = False) -> str:
    """The text of a graph and the graphs it calls.

    With ``elide`` it is for reading only: arrays above 16 elements are shortened, and static
    arguments that text cannot keep are shown by their repr.
    """
    graphs = called_graphs(graph)
    names = _distinct_names(graphs)
    return "\n\n".join(_Printer(g, names, elide=elide).text() for g in graphs)


def _distinct_names(graphs: tuple[Graph, ...]) -> dict[int, str]:
    names: dict[int, str] = {}
    taken: set[str] = set()
    for graph in graphs:
        name, k = graph.name, 1
        while name in taken:
            k += 1
            name = f"{graph.name}_{k}"
        taken.add(name)
        names[id(graph)] = quoted(name)
    return names


class _Printer:
    """Prints one graph."""

    def __init__(self, graph: Graph, names: dict[int, str], *, elide: bool) -> None:
        if not elide and (problem := complaint(graph)):
            raise TextError(problem)
        self.graph = graph
        self.names = names
        self.elide = elide
        results = (v for node in graph.nodes for v in node.results)
        self.ids = {id(v): f"%{k}" for k, v in enumerate((*graph.inputs, *results))}
        self.listed: dict[Any, tuple[str, Constant | Formula]] = {}
        formulas = (v for v in graph.used_values() if isinstance(v, Formula))
        known: list[Any] = [*self._default_constants(), *graph.constants, *formulas]
        for constant in known:
            if constant.type.shape or constant.name is not None or isinstance(constant, Formula):
                self.listed.setdefault(_key(constant), (f"%c{len(self.listed)}", constant))

    def _default_constants(self) -> Iterator[Constant]:
        signature = self.graph.signature
        defaults = dict(signature.defaults) if signature else {}
        for name, _ in signature.parameters if signature else ():
            if name in defaults:
                yield from split_default(defaults[name])[1]

    def text(self) -> str:
        rows = [
            *self._head(),
            *map(self._node, self.graph.nodes),
            *map(self._guard, self.graph.guards),
        ]
        rows.append((" ".join(["return", *map(self.operand, self.graph.outputs)]), None))
        column = min(COLUMN, max((len(line) for line, location in rows if location), default=0))
        inputs = ", ".join(f"{self._value(v)}: {v.type}" for v in self.graph.inputs)
        body = "".join(f"  {_with_location(line, location, column)}\n" for line, location in rows)
        return f"graph {self.names[id(self.graph)]}({inputs}) {{\n{body}}}"

    def _head(self) -> Iterator[tuple[str, Location | None]]:
        if (sizes := self.graph.sizes) is not None:
            yield f"sizes ({', '.join(f'{name}={n}' for name, n in sizes.witness)})", None
            yield from ((f"where {constraint}", constraint.location) for constraint in sizes.constraints)
        for name, constant in self.listed.values():
            label = name if constant.name is None else f"{name}: {quoted(constant.name)}"
            if isinstance(constant, Formula):
                args = ", ".join(map(self._literal, constant.args))
                yield f"{label}: {constant.type} = formula {constant.form}({args})", None
            else:
                yield f"{label}: {constant.type} = constant {self._array(constant)}", None
        if self.graph.signature is not None:
            yield f"takes ({', '.join(self._parameters(self.graph.signature))})", None
        if self.graph.results is not None:
            yield f"gives {self._tree(self.graph.results, itertools.repeat('%'))}", None

    # ----- Lines -----

    def _value(self, value: Value) -> str:
        name = self.ids[id(value)]
        return name if value.name is None else f"{name}: {quoted(value.name)}"

    def _node(self, node: Node) -> tuple[str, Location | None]:
        values = ", ".join(map(self._value, node.results))
        types = ", ".join(str(v.type) for v in node.results)
        params = [f"{name}={self._literal(node.params[name])}" for name in _in_order(node)]
        words = " ".join([node.op.name, *map(self.operand, node.operands), *params])
        return f"{values}: {types} = {words}", node.location

    def _guard(self, guard: Guard) -> tuple[str, Location | None]:
        return f"guard {self.operand(guard.value)} is {guard.expected}", guard.location

    def operand(self, value: Value, *, default: bool = False) -> str:
        """A value by its id, a scalar constant by its number; ``%?`` if the graph has neither."""
        if id(value) in self.ids:
            return self.ids[id(value)]
        if isinstance(value, Formula):
            return self.listed[_key(value)][0]
        if not isinstance(value, Constant):
            return "%?"
        if value.type.shape or value.name is not None:
            return self.listed[_key(value)][0]
        (text,) = numerals(value.array)
        # In a default, a bare True is the bool and not the array.
        bare = value.type in BARE and not (default and value.type.dtype.kind == "b")
        return text if bare else f"{text}:{value.type}"

    def _literal(self, value: Any) -> str:
        if isinstance(value, Graph):
            return f"@{self.names[id(value)]}"
        if type(value) is tuple:
            return _tuple([self._literal(item) for item in value])
        if type(value) is Size:
            return written(value)
        if type(value) is float:
            return numerals(Constant.of(value).array)[0]
        return ascii(value)

    def _array(self, constant: Constant) -> str:
        array = constant.array
        if self.elide and array.size > ELIDED_ABOVE:
            flat = array.reshape(-1)
            first, last = numerals(flat[:SHOWN]), numerals(flat[-SHOWN:])
            return f"[{', '.join([*first, '...', *last])}]"
        return nested(numerals(array), array.shape)

    # ----- Signature -----

    def _parameters(self, signature: Signature) -> Iterator[str]:
        defaults = dict(signature.defaults)
        kinds = [kind for _, kind in signature.parameters]
        for k, ((name, kind), tree) in enumerate(
            zip(signature.parameters, signature.arguments, strict=True)
        ):
            if kind and k and not kinds[k - 1]:
                yield "/"
            if kind == 3 and not {2, 3} & set(kinds[:k]):
                yield "*"
            text = f"{STARS.get(kind, '')}{name}: {self._tree(tree, itertools.repeat('%'))}"
            yield text + self._default(defaults[name]) if name in defaults else text
        if kinds and not kinds[-1]:
            yield "/"

    def _default(self, value: Any) -> str:
        structure, constants = split_default(value)
        leaves = (self.operand(constant, default=True) for constant in constants)
        return f" = {self._tree(structure, leaves)}"

    def _tree(self, tree: Structure, leaves: Iterator[str]) -> str:
        kind = tree.kind
        if kind == "leaf":
            return next(leaves)
        if kind == "static":
            known = tree.static is None or type(tree.static) in (bool, str)
            return ascii(tree.static) if known else f"<{tree.static!r}>"
        items = [self._tree(child, leaves) for child in tree.children]
        if kind == "tuple":
            return _tuple(items)
        if kind == "list":
            return f"[{', '.join(items)}]"
        pairs = zip(tree.keys, items, strict=True)
        if kind == "dict":
            return f"{{{', '.join(f'{self._literal(key)}: {item}' for key, item in pairs)}}}"
        return f"{kind} {tree.name}({', '.join(f'{key}={item}' for key, item in pairs)})"


def _key(constant: Constant | Formula) -> Any:
    return constant.key, constant.name


def _in_order(node: Node) -> list[str]:
    """The parameters as the op states them; then any it does not."""
    return [
        *(p for p in node.op.params if p in node.params),
        *(p for p in node.params if p not in node.op.params),
    ]


def _with_location(line: str, location: Location | None, column: int) -> str:
    if location is None:
        return line
    text = " ".join(str(location).split())
    return f"{line.ljust(column)}  # {text if text.isprintable() else ascii(text)[1:-1]}"


def _tuple(items: list[str]) -> str:
    return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"
