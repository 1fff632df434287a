"""Scalar statements: one C statement per op, every operand a name or a literal."""

from __future__ import annotations

import functools
import math
import re
from typing import Any

import numpy as np

from wengert.backends.source.c.planning.views import View
from wengert.backends.source.c.scalars.elementary import FUNCTIONS, TURNING
from wengert.backends.source.c.scalars.helpers import BODIES, Helpers
from wengert.backends.source.c.scalars.spelling import library, literal, local, spell, stored
from wengert.ir.build import Builder, Namespace
from wengert.ir.errors import BackendError
from wengert.ir.graph import Constant, Graph, Node, Value
from wengert.ir.kinds import Elementwise
from wengert.ir.types import DTYPES, ArrayType

__all__ = ["PARALLEL", "Kernel", "cheap", "weight"]

#: What a function counts that is written into the loop: compilers take time that grows faster than a loop's length.
INLINED = 12
#: Turns of a loop from which on functions are taken that vectorise.
SEVERAL = 8
#: Functions written into loops from which on this many turns are asked.
MANY, LONG = 256, 4096
_BOUND = re.compile(r"^for .*< (\d+);")

DTypes = tuple[np.dtype[Any], ...]

#: What lets several threads share a loop, where it is compiled so.
PARALLEL = "#pragma omp parallel for schedule(static)"


@functools.lru_cache(maxsize=4096)
def _body(op: Elementwise, dtypes: DTypes) -> Graph:
    """The body of an op as a graph of scalars."""
    assert op.body is not None
    builder = Builder(op.name)
    inputs = [builder.input(ArrayType(dtype)) for dtype in dtypes]
    xp = Namespace(builder)
    out = xp.lift(op.body(xp, *map(xp.wrap, inputs)))
    wanted = op.infer(tuple(v.type for v in inputs), {})[0].dtype
    return builder.graph([builder.cast(out, wanted)])


def _function(op: Elementwise) -> str:
    """The name that an op has among the elementary functions, if it is one."""
    return "pow" if op.symbol == "**" else op.libm or op.name


@functools.lru_cache(maxsize=4096)
def _weight(op: Elementwise, dtypes: DTypes) -> int:
    if _function(op) in FUNCTIONS:
        return INLINED
    if op.body is None or op.name in BODIES:
        return 1
    return sum(weight(node) for node in _body(op, dtypes).nodes)


def weight(node: Node) -> int:
    """How many statements an elementwise node becomes."""
    assert isinstance(node.op, Elementwise)
    return _weight(node.op, tuple(v.type.dtype for v in node.operands))


#: Symbols of one or a few instructions that vectorise: no division, no call.
_CHEAP = {
    "+", "-", "*", "neg", "abs", "<", "<=", ">", ">=", "==", "!=", "&", "|", "^", "~", "and", "or", "xor", "not",
    "?:", "cast", "identity",
    "real", "imag", "conj", "complex",
}  # fmt: skip


@functools.lru_cache(maxsize=4096)
def _cheap(op: Elementwise, dtypes: DTypes) -> bool:
    if op.body is not None:
        return all(cheap(node) for node in _body(op, dtypes).nodes)
    return op.symbol in _CHEAP


def cheap(node: Node) -> bool:
    """Whether to compute a value again costs less than to load it."""
    assert isinstance(node.op, Elementwise)
    return _cheap(node.op, tuple(v.type.dtype for v in node.operands))


class Kernel:
    """One generated C function: its arrays, and the statements written so far.

    Arrays are parameters named by the order in which they are first met, so that equal loops have
    equal text and are written once, whatever arrays they are called with.
    """

    def __init__(self, helpers: Helpers, *, grain: float = math.inf, careful: bool = False) -> None:
        self.helpers = helpers
        #: From how much work on threads share a loop.
        self.grain = grain
        self.lines: list[str] = []
        self.depth = 1
        self.reads: dict[Value, str] = {}
        self.writes: dict[Value, str] = {}
        self.failures: list[tuple[str, Node]] = []
        #: Whether nothing is taken on trust: the text that runs where the other one was in ``doubt`` at its end.
        self.careful = careful
        #: While a loop trusts that no strong-zero product is NaN.
        self.trusting = False
        #: What a loop trusts: that no product is "nan", that no argument of a function is "huge".
        self.doubts: set[str] = set()
        self._names = 0
        self._turns: list[float] = []
        self._known: dict[tuple[np.dtype[Any], str], str] = {}

    # -- text -------------------------------------------------------------------------------

    def line(self, text: str) -> None:
        """One line at the present depth."""
        self.lines.append("    " * self.depth + text)

    def open(self, text: str = "") -> None:
        """Begin a block."""
        self.line(f"{text} {{".lstrip())
        bound = _BOUND.search(text)
        self._turns.append(int(bound[1]) if bound else math.inf if text.startswith("for") else 1)
        self.depth += 1
        self._known.clear()

    def close(self) -> None:
        """End a block."""
        self.depth -= 1
        self._turns.pop()
        self._known.clear()
        self.line("}")

    def name(self, prefix: str = "v") -> str:
        """A name that nothing else in this function has."""
        self._names += 1
        return f"{prefix}{self._names - 1}"

    def define(self, dtype: np.dtype[Any], expression: str) -> str:
        """A local constant; the one that has this value, if the block has it already."""
        key = dtype, expression
        if key not in self._known:
            self._known[key] = self.name()
            self.line(f"const {local(dtype)} {self._known[key]} = {expression};")
        return self._known[key]

    def fail(self, kind: str, node: Node) -> str:
        """The statement that leaves with the code of a failure."""
        if (kind, node) not in self.failures:
            self.failures.append((kind, node))
        return f"return {self.failures.index((kind, node)) + 1};"

    # -- arrays -----------------------------------------------------------------------------

    def read(self, value: Value) -> str:
        """The parameter of an array that is read."""
        if value in self.writes:
            return self.writes[value]
        return self.reads.setdefault(value, f"a{len(self.reads)}")

    def write(self, value: Value) -> str:
        """The parameter of an array that is written."""
        return self.writes.setdefault(value, f"b{len(self.writes)}")

    def load(self, view: View, index: str) -> str:
        """One element as a local name; the element of a constant scalar as a literal."""
        dtype = view.base.type.dtype
        if isinstance(view.base, Constant) and view.base.type.size == 1:
            return literal(view.base.array.reshape(())[()], dtype)
        element = f"{self.read(view.base)}[{index}]"
        return self.define(dtype, f"{element} != 0" if dtype.kind == "b" else element)

    # -- ops --------------------------------------------------------------------------------

    def apply(self, node: Node, atoms: list[str], where: Node | None = None) -> str:
        """The statements of an elementwise node; the name of its value.

        ``where`` is the node of the program that a node of a body belongs to.
        """
        op, where = node.op, where or node
        assert isinstance(op, Elementwise)
        dtypes = tuple(v.type.dtype for v in node.operands)
        out = node.result.type.dtype
        if op.name == "scale" and self.trusting:
            return self.define(out, spell("*", self.helpers, out, dtypes, atoms))
        if op.name in BODIES:
            return self.define(out, f"{self.helpers.need(op.name, out)}({', '.join(atoms)})")
        if (function := _function(op)) in FUNCTIONS and out.kind == "f" and self._vectorises():
            return self._elementary(function, out, ", ".join(atoms))
        if op.body is not None:
            return self._inline(_body(op, dtypes), atoms, where)
        if op.libm is not None:
            return self.define(out, library(op.libm, self.helpers, out, atoms))
        assert op.symbol is not None
        if op.symbol == "**" and out.kind == "i":
            self.line(f"if ({atoms[1]} < 0) {self.fail('power', where)}")
        if op.symbol == "cast":
            out = DTYPES[node.params["dtype"]]
        text = spell(op.symbol, self.helpers, out, dtypes, atoms)
        return text if text in atoms else self.define(out, text)

    def _vectorises(self) -> bool:
        """Whether the loop is worth a function written into it: in a long program, of a long loop alone."""
        return math.prod(self._turns) >= (SEVERAL if self.helpers.elementary.uses < MANY else LONG)

    def _elementary(self, name: str, out: np.dtype[Any], x: str) -> str:
        """A function within a loop: once or a few times, libm's answers sooner.

        Some are for arguments that are not huge. A loop trusts that none is; where one was, it runs again, and each
        number is looked at: a call in the loop would not let it be vectorised.
        """
        functions = self.helpers.elementary
        functions.uses += not self.careful
        call = f"{functions.need(name, out)}({x})"
        if name not in TURNING:
            return self.define(out, call)
        if self.careful:
            return self.define(out, f"any_{call}")
        self.doubts.add("huge")
        huge = f"doubt |= {functions.huge(out)}({x});"
        if (out, huge) not in self._known:
            self._known[out, huge] = huge
            self.line(huge)
        functions.any(name, out)
        return self.define(out, call)

    def _inline(self, graph: Graph, atoms: list[str], where: Node) -> str:
        env: dict[Value, str] = dict(zip(graph.inputs, atoms, strict=True))

        def at(value: Value) -> str:
            if isinstance(value, Constant):
                return literal(value.array[()], value.type.dtype)
            return env[value]

        for node in graph.nodes:
            if not isinstance(node.op, Elementwise):
                raise BackendError(f"The body of {where.op.name} uses {node.op.name}, which is not elementwise.")
            env[node.result] = self.apply(node, [at(v) for v in node.operands], where)
        return at(graph.outputs[0])

    # -- the finished function ---------------------------------------------------------------

    def parameters(self) -> str:
        """The parameter list."""
        reads = [f"const {stored(v.type.dtype)} *restrict {name}" for v, name in self.reads.items()]
        writes = [f"{stored(v.type.dtype)} *restrict {name}" for v, name in self.writes.items()]
        return ", ".join([*reads, *writes]) or "void"

    def text(self, name: str, again: Kernel | None = None) -> str:
        """The definition under a name; ``again`` is what runs where it was in doubt."""
        result, taken = "int" if self.failures else "void", self.parameters()
        end = ["    return 0;"] if self.failures else []
        if again is None:
            return "\n".join([f"static {result} {name}({taken})", "{", *self.lines, *end, "}"])
        call = f"{name}_careful({', '.join((*self.reads.values(), *self.writes.values()))})"
        once = [f"{line} reduction(|:doubt)" if line.lstrip().startswith(PARALLEL) else line for line in self.lines]
        if self.failures:  # what failed may have come from a number that was not to be trusted
            once = [re.sub(r"\breturn (\d+);", rf"return doubt ? {call} : \1;", line) for line in once]
        rare = "SELDOM" if "nan" in self.doubts else "COLD"
        lines = [
            f"static {rare} {result} {name}_careful({taken})", "{", *again.lines, *end, "}", "",
            f"static {result} {name}({taken})", "{", "    uint64_t doubt = 0;", *once,
            f"    return doubt ? {call} : 0;" if self.failures else f"    if (doubt) {call};", "}",
        ]  # fmt: skip
        return "\n".join(lines)
