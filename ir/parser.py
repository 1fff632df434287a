"""Reading the text of graphs: a method for each kind of line."""

from __future__ import annotations

import re
from typing import Any

from wengert.ir.errors import VerifyError
from wengert.ir.graph import Constant, Graph, Guard, Node, Value
from wengert.ir.numerals import NUMERAL, nested
from wengert.ir.ops import OPS
from wengert.ir.scanner import (
    ATOMS,
    ELISION,
    ID,
    IDENTIFIER,
    INPUT_NAMED,
    NAMED,
    PARAM,
    STRING,
    WORD,
    Line,
    is_int,
)
from wengert.ir.storable import INT64, MAX_NESTING, join_default
from wengert.ir.structure import LEAF, Signature, Structure
from wengert.ir.symbolic.formulas import Formula
from wengert.ir.symbolic.schema import Constraint, Sizes, has_sizes
from wengert.ir.symbolic.sizes import is_symbolic
from wengert.ir.types import ArrayType, type_of
from wengert.ir.verify import CONSTRAINTS, called_graphs, symbolic_complaints

__all__ = ["parse"]

LEAF_SIGN = re.compile(r"%(?![c0-9?])")
STATIC = re.compile(r"(?:None|True|False)\b(?!:\s*bool)")
STARS = re.compile(r"\*{1,2}(?=[^\s,)])")
COUNT = re.compile("[0-9]{1,18}")
RELATION = re.compile("==|!=|<=|>=|<|>")
RECORD = re.compile(rf"(namedtuple|dataclass|attrs)\s+({IDENTIFIER})\s*\(")


def parse(text: str) -> Graph:
    """The graph that a text describes, the last one in it; a TextError names the line."""
    return _Parser(text).program()


class _Parser:
    """Reads a program graph by graph, line by line."""

    def __init__(self, text: str) -> None:
        lines = (Line(line, k) for k, line in enumerate(text.split("\n"), 1))
        self.lines = iter(
            [line for line in lines if line.text and not line.text.lstrip().startswith("#")]
        )
        self.graphs: dict[str, Graph] = {}
        self.open = False  # whether there are sizes that no graph so far gives a value

    def program(self) -> Graph:
        graph, head = None, Line("", 1)
        for head in self.lines:
            graph = self.graph(head)
        if graph is None:
            raise head.error("expected a graph, got an empty text.")
        if self.open:
            raise head.error("a type or parameter has a named size; expected a line such as: sizes (n=12)")
        try:
            reached = called_graphs(graph)
        except VerifyError as error:
            raise head.error(str(error)) from error
        if len(reached) != len(self.graphs):
            raise head.error(
                "expected every graph before the last to be called by it, directly or not."
            )
        return graph

    def graph(self, head: Line) -> Graph:
        head.expect("graph")
        self.name = head.read_name()
        if self.name in self.graphs:
            raise head.error(f"a graph is called {self.name!r} already.")
        self.values: dict[str, Value] = {}
        self.nodes: list[Node] = []
        self.guards: list[Guard] = []
        self.made_at: dict[int, Line] = {}
        self.signature: Signature | None = None
        self.results: Structure | None = None
        self.sizes: Sizes | None = None
        head.expect("(")
        inputs, _ = head.items(")", lambda: self.input(head))
        head.expect("{")
        head.end()
        outputs = self.body(head)
        graph = Graph(
            tuple(inputs), tuple(self.nodes), outputs, tuple(self.guards),
            self.name, self.signature, self.results, self.sizes,
        )  # fmt: skip
        if graph.sizes is not None:
            for number, message, _ in symbolic_complaints(graph):
                raise head.error(f"{number}: {message}")
            self.open = False
        elif has_sizes(graph):  # the graph that calls it says what they are, and is looked at with it
            self.open = True
        else:
            self.check(graph, head)
        self.graphs[self.name] = graph
        return graph

    def check(self, graph: Graph, head: Line) -> None:
        for number, check in CONSTRAINTS:
            for message, node in check(graph):
                raise self.made_at.get(id(node), head).error(f"{number}: {message}")

    def input(self, line: Line) -> Value:
        name, label = self.new_id(line, INPUT_NAMED)  # f64[3] could be a name, too
        line.expect(":")
        return self.define(line, name, Value(line.read_type(), label))

    def body(self, head: Line) -> tuple[Value, ...]:
        outputs: tuple[Value, ...] | None = None
        for line in self.lines:
            if line.take("}"):
                line.end()
                if outputs is None:
                    raise line.error("expected a return line before the end of the graph.")
                return outputs
            if outputs is not None:
                raise line.unexpected("'}' after return")
            if line.text.lstrip().startswith("%"):
                self.definition(line)
            elif line.take("return"):
                outputs = tuple(self.operands(line))
                line.end()
            else:
                self.statement(line)
        raise head.error("expected '}' at the end of the graph, got the end of the text.")

    def statement(self, line: Line) -> None:
        word = line.expect(WORD, "a line of a graph")[0]
        if word == "guard":
            value = self.operand(line)
            line.expect("is")
            expected = line.expect(re.compile("True|False"), "True or False")[0] == "True"
            self.guards.append(Guard(value, expected, line.end()))
        elif word == "takes" and self.signature is None:
            line.expect("(")
            self.signature = self.parameters(line)
            line.end()
        elif word == "sizes" and self.sizes is None:
            def pair() -> tuple[str, int]:
                return line.expect(PARAM, "a size such as n=12")[1], int(line.expect(COUNT, "a count")[0])

            line.expect("(")
            self.sizes = Sizes(tuple(line.items(")", pair)[0]))
            line.end()
        elif word == "where" and self.sizes is not None:
            left, relation = line.read_size(), line.expect(RELATION, "a comparison")[0]
            constraint = Constraint(left, relation, line.read_size(), line.end())
            self.sizes = Sizes(self.sizes.witness, (*self.sizes.constraints, constraint))
        elif word == "gives" and self.results is None:
            self.results = self.tree(line, [])
            line.end()
        else:
            raise line.error(f"expected one takes, one gives, one sizes, guards and one return, got {word!r}.")

    # ----- Values -----

    def new_id(self, line: Line, named: re.Pattern[str] = NAMED) -> tuple[str, str | None]:
        name = line.expect(ID, "a value such as %0")[0]
        label = line.match(named)
        return name, None if label is None else line.unquoted(label[1])

    def define(self, line: Line, name: str, value: Value) -> Value:
        if name in self.values:
            raise line.error(f"{name} is defined already.")
        self.values[name] = value
        return value

    def definition(self, line: Line) -> None:
        names = [self.new_id(line)]
        while line.take(","):
            names.append(self.new_id(line))
        line.expect(":")
        types = [line.read_type()]
        while line.take(","):
            types.append(line.read_type())
        if len(names) != len(types):
            raise line.error(f"{len(names)} values have {len(types)} types.")
        line.expect("=")
        word = line.expect(WORD, "an op")[0]
        if word == "constant":
            (name, label), type_ = names[0], types[0]
            self.define(line, name, self.constant(line, type_, label))
        elif word == "formula":
            (name, label), type_ = names[0], types[0]
            self.define(line, name, self.formula(line, type_, label))
        else:
            self.node(line, word, names, types)

    def constant(self, line: Line, type_: ArrayType, label: str | None) -> Constant:
        rest = line.text[line.at :].partition("#")[0].replace(" ", "")
        texts = NUMERAL.findall(rest)
        if "..." in rest:
            raise line.error(ELISION)
        zeros = ["0"] * len(texts)
        fits = len(texts) == type_.size and (
            nested(zeros, type_.shape, ",") == NUMERAL.sub("0", rest)
        )
        if not fits:
            raise line.error(
                f"expected {type_.size} elements of {type_}, in brackets for each axis, "
                f"got {rest:.40}."
            )
        return line.constant(texts, type_, label)

    def formula(self, line: Line, type_: ArrayType, label: str | None) -> Formula:
        form = line.expect(WORD, "a formula")[0]
        line.expect("(")
        args, _ = line.items(")", lambda: self.literal(line))
        line.end()
        return Formula(type_, label, form, tuple(args))

    def node(
        self, line: Line, word: str, names: list[tuple[str, str | None]], types: list[ArrayType]
    ) -> None:
        if word not in OPS:
            raise line.error(f"{word!r} is not an op of this version of wengert.")
        operands = self.operands(line)
        params: dict[str, Any] = {}
        while param := line.match(PARAM):
            if param[1] in params:
                raise line.error(f"the parameter {param[1]} is given twice.")
            params[param[1]] = self.literal(line)
        location = line.end()
        results = tuple(Value(type_, label) for type_, (_, label) in zip(types, names, strict=True))
        for (name, _), value in zip(names, results, strict=True):
            self.define(line, name, value)
        node = Node(OPS[word], tuple(operands), params, results, location)
        self.made_at[id(node)] = line
        self.nodes.append(node)

    def operands(self, line: Line) -> list[Value]:
        found = []
        while not line.at_stop():
            found.append(self.operand(line))
        return found

    def operand(self, line: Line) -> Value:
        if name := line.match(ID):
            if name[0] not in self.values:
                raise line.error(f"{name[0]} is not defined above.")
            return self.values[name[0]]
        if (constant := line.read_number()) is None:
            raise line.unexpected("a value or a number")
        return constant

    def literal(self, line: Line, depth: int = 0) -> Any:
        """A parameter or a key.  Not ast.literal_eval: that knows no NaN and no graph."""
        if depth > MAX_NESTING:
            raise line.error(f"a literal nests more than {MAX_NESTING} deep.")
        if found := line.match(STATIC):
            return ATOMS[found[0]]
        if found := line.match(STRING):
            return line.read_string(found[0])
        if (dim := line.try_size()) is not None:
            return dim
        if line.take("("):
            return line.read_tuple(lambda: self.literal(line, depth + 1))
        if line.take("@"):
            if (name := line.read_name()) not in self.graphs:
                raise line.error(f"the graph {name!r} is not defined above.")
            return self.graphs[name]
        text = line.expect(NUMERAL, "a literal")[0]
        value = int(text) if is_int(text) else line.constant([text], type_of(1.0)).array.item()
        if type(value) is int and value not in INT64:
            raise line.error(f"{text} does not fit into 64 bits.")
        return value

    # ----- Structures -----

    def parameters(self, line: Line) -> Signature:
        names: list[tuple[str, int]] = []
        trees: list[Structure] = []
        defaults: list[tuple[str, Any]] = []
        kind = 1

        def parameter() -> None:
            nonlocal kind, names
            stars = line.match(STARS)
            if stars is None and line.take("/"):
                names = [(name, 0) for name, _ in names]
                return
            if stars is None and line.take("*"):
                kind = 3
                return
            own = 2 * len(stars[0]) if stars else kind
            kind = 3 if own == 2 else kind
            names.append((line.expect(WORD, "the name of a parameter")[0], own))
            line.expect(":")
            trees.append(self.tree(line, []))
            if line.take("="):
                defaults.append((names[-1][0], self.default(line)))

        line.items(")", parameter)
        return Signature(tuple(names), tuple(trees), tuple(defaults))

    def default(self, line: Line) -> Any:
        leaves: list[Value] = []
        tree = self.tree(line, leaves, default=True)
        constants = [leaf for leaf in leaves if isinstance(leaf, Constant)]
        if len(constants) != len(leaves):
            raise line.error("a default holds constants, and no other values.")
        return join_default(tree, constants)

    def tree(
        self, line: Line, leaves: list[Value], *, default: bool = False, depth: int = 0
    ) -> Structure:
        """A structure; in a default, operands stand for the leaves and are collected."""
        if depth > MAX_NESTING:
            raise line.error(f"a structure nests more than {MAX_NESTING} deep.")

        def inner() -> Structure:
            return self.tree(line, leaves, default=default, depth=depth + 1)

        def pair() -> tuple[Any, Structure]:
            key = self.literal(line)
            if is_symbolic(key):
                raise line.error("a key is a string, a number or a tuple of these.")
            line.expect(":")
            return key, inner()

        def field() -> tuple[str, Structure]:
            return line.expect(PARAM, "a field")[1], inner()

        if not default and line.match(LEAF_SIGN):
            return LEAF
        if found := line.match(STATIC):
            return Structure("static", static=ATOMS[found[0]])
        if found := line.match(STRING):
            return Structure("static", static=line.read_string(found[0]))
        if line.take("("):
            return Structure("tuple", line.read_tuple(inner))
        if line.take("["):
            return Structure("list", tuple(line.items("]", inner)[0]))
        if line.take("{"):
            return _keyed("dict", line.items("}", pair)[0])
        if record := line.match(RECORD):
            return _keyed(record[1], line.items(")", field)[0], record[2])
        if not default:
            raise line.unexpected("a structure")
        leaves.append(self.operand(line))
        return LEAF


def _keyed(kind: str, pairs: list[tuple[Any, Structure]], name: str = "") -> Structure:
    return Structure(kind, tuple(tree for _, tree in pairs), tuple(key for key, _ in pairs), name)
