"""The printer: a graph as a NumPy function, one statement per node or a short expression of a few."""

from __future__ import annotations

import builtins
import itertools
import keyword
import re
from collections import Counter
from typing import Any

import numpy as np
from attrs import define, field

from wengert.backends.source.python.helpers import HELPERS
from wengert.backends.source.python.literals import Expression, spell_array, spell_scalar
from wengert.backends.source.python.writers import VIEWS, WRITERS, kept_shape
from wengert.ir import kinds
from wengert.ir.graph import Constant, Graph, Location, Node, Value
from wengert.ir.ops import OPS
from wengert.ir.passes import dead_code, inline_bodies, inline_calls

__all__ = ["Program", "emit"]

#: Expressions are nested up to this depth and length; CPython's parser and readers both have limits.
DEPTH, LENGTH = 3, 60


@define
class Program:
    """A printed program: its text, and the objects that it reads by name when run in process."""

    text: str
    name: str
    globals: dict[str, Any] = field(factory=dict)


def emit(graph: Graph, name: str | None = None, *, standalone: bool = True) -> Program:
    """Print a graph; with ``standalone``, every constant is spelled out and nothing else is needed but NumPy.

    Raises
    ------
    BackendError
        If stand-alone code is asked for a Library op that only runs in process.
    """
    known = inline_bodies(inline_calls(graph), lambda op: op.function is None and op is not OPS["scale"])
    return Printer(dead_code(known), standalone=standalone).program(name)


def _identifier(text: str | None, taken: set[str], fallback: str) -> str:
    """A name for an input: its own where that is a plain identifier, else one of ours."""
    if text is None or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,30}", text):
        return fallback
    if keyword.iskeyword(text) or hasattr(builtins, text) or text in taken or re.fullmatch(r"np|[vc]\d+", text):
        return fallback
    taken.add(text)
    return text


class Printer:
    """The text of one graph; the printers of the graphs in it, ``within`` it, share what stands above the functions."""

    def __init__(self, graph: Graph, *, standalone: bool, within: Printer | None = None) -> None:
        self.graph = graph
        self.standalone = standalone
        self.lines: list[str] = []
        self.names: dict[Value, Expression] = {}
        self.helpers: dict[str, None] = {} if within is None else within.helpers
        self.imports: dict[str, None] = {"import numpy as np": None} if within is None else within.imports
        self.globals: dict[str, Any] = {} if within is None else within.globals
        self.constants: dict[Value, str] = {} if within is None else within.constants
        self.functions: dict[Graph, tuple[str, str]] = {} if within is None else within.functions
        self.count = 0
        self.line: Location | None = None
        broadcast = OPS["broadcast_to"]
        self.slices = {n.result: n for n in graph.nodes if n.op is OPS["slice"]}
        self.source = {n.result: n.operands[0] for n in graph.nodes if n.op is broadcast}
        self.uses = Counter(v for node in graph.nodes for v in self.reads(node)) + Counter(graph.guarded_outputs)

        folds = {n.result: n for n in graph.nodes if isinstance(n.op, kinds.Reduction)}
        #: Folds whose one reader puts the axes back: they are printed with keepdims.
        self.kept = {
            n.operands[0] for n in graph.nodes
            if n.op is OPS["reshape"] and n.operands[0] in folds and self.uses[n.operands[0]] == 1
            and n.params["shape"] == kept_shape(folds[n.operands[0]])
        }  # fmt: skip

    # -- the whole ------------------------------------------------------------------------------------

    def program(self, name: str | None) -> Program:
        title = _identifier(name or self.graph.name, set(), "program")
        main = self.function(title)
        constants = [f"{c} = {text}" for c, text in self.spelled().items()] if self.standalone else []
        helpers = [HELPERS[h] + "\n" for h in self.helpers]
        functions = [text + "\n\n" for _, text in self.functions.values()]
        imports = "\n".join(self.imports) + "\n"
        text = "\n".join([imports, *constants, *([""] if constants else []), *helpers, *functions, main, ""])
        return Program(text, title, self.globals)

    def subprogram(self, graph: Graph) -> str:
        """The name of the function of a graph within this one, printed once."""
        if graph not in self.functions:
            name = f"_body{len(self.functions)}"
            self.functions[graph] = (name, "")
            printer = Printer(dead_code(graph), standalone=self.standalone, within=self)
            self.functions[graph] = (name, printer.function(name))
        return self.functions[graph][0]

    def function(self, title: str) -> str:
        """The definition of the graph's function."""
        graph, taken = self.graph, set(HELPERS)
        theirs = {v.name for v in graph.inputs}
        free = (name for i in itertools.count() if (name := f"x{i}") not in theirs)
        arguments = [_identifier(v.name, taken, name) for v, name in zip(graph.inputs, free, strict=False)]
        for value, argument in zip(graph.inputs, arguments, strict=True):
            self.names[value] = Expression(argument)
        for node in graph.nodes:
            if any(self.uses[r] for r in node.results):
                self.statement(node)
        results = [self.read(v).text for v in graph.guarded_outputs]
        self.lines.append(f"return ({', '.join(results)}{',' if len(results) == 1 else ''})")
        head = [f"def {title}({', '.join(arguments)}):", *self.docstring(arguments)]
        return "\n".join([*head, *(f"    {line}" for line in self.lines)])

    def docstring(self, arguments: list[str]) -> list[str]:
        given = ", ".join(f"{a}: {v.type}" for a, v in zip(arguments, self.graph.inputs, strict=True))
        outputs = ", ".join(str(v.type) for v in self.graph.outputs)
        count = len(self.graph.guards)
        guards = ["", f"    Then {count} guards, to be checked: the branches that were taken."] if count else []
        first = f'    """{given} -> ({outputs})'
        return [first, *guards, '    """'] if guards else [first + '"""']

    def spelled(self) -> dict[str, str]:
        """The array constants as Python text."""
        return {name: spell_array(value.array) for value, name in self.constants.items() if isinstance(value, Constant)}

    # -- one node ---------------------------------------------------------------------------------------

    def reads(self, node: Node) -> tuple[Value, ...]:
        """What a node's text mentions: an elementwise op broadcasts by itself where that gives its shape."""
        if not isinstance(node.op, kinds.Elementwise):
            return node.operands
        bare = tuple(self.source.get(v, v) for v in node.operands)
        moving = [v for v in bare if not (isinstance(v, Constant) and not v.type.shape)]
        shapes = [v.type.shape for v in moving]
        return bare if shapes and np.broadcast_shapes(*shapes) == node.result.type.shape else node.operands

    def statement(self, node: Node) -> None:
        """Print a node, or keep it as an expression for its one reader."""
        expression = WRITERS[type(node.op)](self, node)
        if len(node.results) > 1 and expression.depth == 0:  # the names of a loop's results
            self.names.update(zip(node.results, map(Expression, expression.text.split(", ")), strict=True))
            return
        if len(node.results) > 1:
            self.comment(node.location)
            names = [self.assign(None) for _ in node.results]
            self.lines.append(f"{', '.join(names)} = {expression.text}")
            self.names.update((v, Expression(name)) for v, name in zip(node.results, names, strict=True))
            return
        result = node.result
        short = expression.depth < DEPTH and len(expression.text) <= LENGTH
        if self.uses[result] == 1 and short and (isinstance(node.op, kinds.Elementwise) or node.op.name in VIEWS):
            self.names[result] = expression
            return
        if expression.depth == 0 and not expression.compound:  # another name for what is there
            self.names[result] = expression
            return
        self.comment(node.location)
        self.names[result] = Expression(self.assign(expression.text))

    def assign(self, text: str | None) -> str:
        """A new name for what a text computes; for None, the name alone."""
        name = f"v{self.count}"
        self.count += 1
        if text is not None:
            self.lines.append(f"{name} = {text}")
        return name

    def comment(self, location: Location | None) -> None:
        """The user's line, when it changes; only characters that cannot end a comment."""
        if location is not None and location != self.line:
            self.line = location
            self.lines.append("# " + re.sub(r"[^A-Za-z0-9_.<>:]", "?", str(location)))

    def read(self, value: Value) -> Expression:
        """A value as an operand."""
        if value in self.names:
            return self.names[value]
        assert isinstance(value, Constant)
        if not value.type.shape:
            return Expression(spell_scalar(value.array[()], typed=True))
        if value not in self.constants:
            self.constants[value] = f"c{len(self.constants)}"
            self.globals[self.constants[value]] = value.array
        return Expression(self.constants[value])

    def literal(self, value: Value, *, typed: bool) -> Expression:
        """A value as an operand of a ufunc, in which a scalar constant may be a Python number."""
        if isinstance(value, Constant) and not value.type.shape and not typed:
            text = spell_scalar(value.array[()], typed=False)
            return Expression(text, compound=text.startswith("-"))
        return self.read(value)

    def helper(self, name: str) -> str:
        if name in ("_matmul", "_recurrence"):
            self.helpers["_scale"] = None  # it calls that one
        self.helpers[name] = None
        return name
