"""The printer: a graph as a NumPy function, one statement per node or a short expression of a few."""

from __future__ import annotations

import builtins
import itertools
import keyword
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from attrs import define, field

from wengert.backends.liveness import Liveness, bare, memory, sources
from wengert.backends.source.python.helpers import HELPERS
from wengert.backends.source.python.literals import Expression, spell_array, spell_key, spell_scalar
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
    """A printed program: its text, the objects that it reads by name when run in process, and which of its results
    are arrays that nothing else holds."""

    text: str
    name: str
    globals: dict[str, Any] = field(factory=dict)
    own: list[bool] = field(factory=list)


def emit(
    graph: Graph, name: str | None = None, *, standalone: bool = True, derived: Sequence[int] = ()
) -> Program:
    """Print a graph; with ``standalone``, every constant is spelled out and nothing else is needed but NumPy.

    ``derived`` are the outputs of which the signs of zeros do not matter: derivatives.

    Raises
    ------
    BackendError
        If stand-alone code is asked for a Library op that only runs in process.
    """
    known = inline_bodies(inline_calls(graph), lambda op: op.function is None and op is not OPS["scale"])
    return Printer(dead_code(known), standalone=standalone, derived=derived).program(name)


#: Arrays of so many bytes come from the system page by page: they are written over, or let go as soon as may be.
LARGE = 1 << 18


def is_large(v: Value) -> bool:
    """Whether an array is worth a statement about its memory."""
    return v.type.size * v.type.dtype.itemsize >= LARGE


def shares(node: Node) -> bool:
    """Whether the text of a node is that of its operand, or of a view of it."""
    if node.op.name == "cast":
        return node.operands[0].type.dtype == node.result.type.dtype
    return node.op.name in ("reshape", "transpose", "broadcast_to", "slice") or (
        getattr(node.op, "symbol", None) == "identity")


def makes(node: Node) -> bool:
    """Whether the text of a node makes new arrays for certain."""
    op = node.op
    if isinstance(op, kinds.Elementwise):
        return isinstance(op.function, np.ufunc) or op.function is np.where or op is OPS["scale"]
    if isinstance(op, kinds.Reduction):
        return bool(node.params["axes"])
    return isinstance(op, kinds.Contraction | kinds.Indexing | kinds.Movement)


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

    def __init__(
        self, graph: Graph, *, standalone: bool, within: Printer | None = None, derived: Sequence[int] = ()
    ) -> None:
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
        self.slices = {n.result: n for n in graph.nodes if n.op is OPS["slice"]}
        self.source = sources(graph)
        self.rows = self.needed()
        self.uses = Counter(v for _, reads in self.rows for v in reads) + Counter(graph.guarded_outputs)

        folds = {n.result: n for n in graph.nodes if isinstance(n.op, kinds.Reduction)}
        #: Folds whose one reader puts the axes back: they are printed with keepdims.
        self.kept = {
            n.operands[0] for n in graph.nodes
            if n.op is OPS["reshape"] and n.operands[0] in folds and self.uses[n.operands[0]] == 1
            and n.params["shape"] == kept_shape(folds[n.operands[0]])
        }  # fmt: skip
        self.live = Liveness(self.rows, graph.guarded_outputs, shares, makes)
        self.makers = {r: n for n, _ in self.rows for r in n.results}
        exact = [v for i, v in enumerate(graph.guarded_outputs) if i not in derived]
        self.parts = self.live.parts(self.rows, graph.guarded_outputs, exact)
        #: Arrays that parts are added to.
        self.grown = {v for at in self.parts.values() for v in self.rows[at][1]}

    # -- the whole ------------------------------------------------------------------------------------

    def program(self, name: str | None) -> Program:
        title = _identifier(name or self.graph.name, set(), "program")
        main = self.function(title)
        constants = [f"{c} = {text}" for c, text in self.spelled().items()] if self.standalone else []
        helpers = [HELPERS[h] + "\n" for h in self.helpers]
        functions = [text + "\n\n" for _, text in self.functions.values()]
        imports = "\n".join(self.imports) + "\n"
        text = "\n".join([imports, *constants, *([""] if constants else []), *helpers, *functions, main, ""])
        return Program(text, title, self.globals, self.live.own(self.graph.guarded_outputs))

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
        for at, (node, reads) in enumerate(self.rows):
            self.statement(at, node)
            self.release(at, (*reads, *node.results))
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

    def needed(self) -> list[tuple[Node, tuple[Value, ...]]]:
        """The nodes that something mentions, and what they mention."""
        rows, found = [], set(self.graph.guarded_outputs)
        for node in reversed(self.graph.nodes):
            if not found.isdisjoint(node.results):
                rows.append((node, self.reads(node)))
                found.update(rows[-1][1])
        return rows[::-1]

    def reads(self, node: Node) -> tuple[Value, ...]:
        """What a node's text mentions: an elementwise op broadcasts by itself where that gives its shape."""
        if not isinstance(node.op, kinds.Elementwise):
            return node.operands
        return bare(node, self.source, sized=lambda v: not (isinstance(v, Constant) and not v.type.shape))

    def statement(self, at: int, node: Node) -> None:
        """Print a node, or keep it as an expression for its one reader."""
        if self.added_part(at, node) or self.written_over(at, node):
            return
        if self.parts.get(node.results[0], at) > at:  # added where it is read
            return
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
        roots = (self.live.root[v] for v in (result, *self.reads(node)))
        held = any(is_large(v) or v in self.grown for v in roots)  # written over or let go: to be read at once
        short = expression.depth < DEPTH and len(expression.text) <= LENGTH and not held
        if self.uses[result] == 1 and short and (isinstance(node.op, kinds.Elementwise) or node.op.name in VIEWS):
            self.names[result] = expression
            return
        if expression.depth == 0 and not expression.compound:  # another name for what is there
            self.names[result] = expression
            return
        self.comment(node.location)
        self.names[result] = Expression(self.assign(expression.text))

    def added_part(self, at: int, node: Node) -> bool:
        """Print x + place(y) as an addition to a part of x."""
        part = next((v for v in self.reads(node) if self.parts.get(v) == at), None)
        if part is None:
            return False
        (whole,) = (v for v in self.reads(node) if v is not part)
        (y,), params = self.makers[part].operands, self.makers[part].params
        self.comment(node.location)
        name = self.read(whole).text
        self.lines.append(f"{name}[{spell_key(params['start'], y.type.shape, params['step'])}] += {self.read(y).text}")
        self.names[node.result] = Expression(name)
        self.live.last[whole] = -1  # it goes on as the result
        self.release(at, [y])
        return True

    def written_over(self, at: int, node: Node) -> bool:
        """Print a ufunc that writes its result over a large operand, which nothing reads after it."""
        if not (isinstance(node.op, kinds.Elementwise) and isinstance(node.op.function, np.ufunc)):
            return False
        out, reads = node.result, self.reads(node)
        host = next((v for v in reads if memory(v) == memory(out) and self.live.whole(v, at)), None)
        if host is None or not is_large(out):
            return False
        self.comment(node.location)
        name = self.read(host).text
        operands = ", ".join(self.literal(v, typed=False).text for v in reads)
        self.lines.append(f"np.{node.op.function.__name__}({operands}, out={name})")
        self.names[out] = Expression(name)
        self.live.last[host] = -1  # it goes on as the result
        return True

    def release(self, at: int, values: Sequence[Value]) -> None:
        """Let go of large arrays that nothing reads any more."""
        dead = [v for v in dict.fromkeys(values) if self.live.last[self.live.root[v]] == at and is_large(v)]
        named = dict.fromkeys(self.names[v].text for v in dead if v in self.names and v not in self.graph.inputs)
        if gone := [name for name in named if re.fullmatch(r"v\d+", name)]:
            self.lines.append(f"del {', '.join(gone)}")

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
