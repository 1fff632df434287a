"""A graph as C: kernels, functions that call them, and the entry point."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from attrs import frozen

from wengert.backends.source.c.control import GROW, THREAD
from wengert.backends.source.c.functions import ENVIRONMENT, Function, comment
from wengert.backends.source.c.machine import threads
from wengert.backends.source.c.planning.work import WITHIN, WORK, calls_back, grain, work
from wengert.backends.source.c.products.blas import Address
from wengert.backends.source.c.scalars.helpers import Helpers
from wengert.backends.source.c.scalars.spelling import literal, part, stored
from wengert.backends.source.c.scalars.statements import PARALLEL
from wengert.ir.collecting import uncollected
from wengert.ir.graph import Constant, Graph, Guard, Node, Value
from wengert.ir.types import SHORT_NAMES

__all__ = ["Failure", "Program"]

#: From this many elements on, a hosted program is handed a constant instead of printing it.
PRINTED = 64


@frozen
class Failure:
    """Why a program returns something other than 0: code k is the k-th of these."""

    kind: str
    source: Node


class Program:
    """All the text of one graph.

    ``hosted`` programs run in this process: they may call back, and are handed large constants.  Of ``parallel`` ones
    threads share long loops.
    """

    def __init__(
        self, graph: Graph, name: str, *, hosted: bool, printed: int = PRINTED, parallel: bool = True
    ) -> None:
        self.graph, self.name, self.hosted, self.printed, self.parallel = graph, name, hosted, printed, parallel
        self.threads = threads.threads()
        self.grain = grain(graph) if parallel else math.inf
        self.helpers = Helpers(hosted=hosted, alone=hosted and parallel)
        self.kernels: dict[str, str] = {}
        self.called: dict[str, float] = {}  # how often steps of loops call a kernel; 0 if cold, without end elsewhere
        self.constants: dict[Any, tuple[str, Constant]] = {}
        self.handed: list[Constant] = []
        self.failures: list[Failure] = []
        self.calls: list[Node] = []
        self.functions: list[str] = []
        self._graphs: dict[tuple[Graph, bool, float], tuple[str, int]] = {}
        self.workspace = self._function(graph, graph.guarded_outputs, name)

    def shares(self, node: Node) -> bool:
        """Whether threads share the steps of a scan: they carry nothing, call nobody back, and there is much to do."""
        if not self.hosted or self.grain >= WITHIN or node.op.name != "scan" or node.params["carries"]:
            return False
        plain = node.params["length"] > 1 and not node.params["reverse"]
        return plain and work(node) >= WORK and not calls_back(node.params["graph"])

    def shared_by(self, node: Node) -> int:
        """How many threads share the steps of a node at most."""
        return self.threads if self.shares(node) else 1

    # -- parts ------------------------------------------------------------------------------

    @uncollected()
    def _function(self, graph: Graph, outputs: tuple[Value, ...], name: str, *, cold: bool = False) -> int:
        function = Function(self, graph, outputs, inner=graph is not self.graph, cold=cold)
        function.write(name)
        return function.workspace

    def subgraph(self, graph: Graph, *, cold: bool = False, shared: bool = False) -> tuple[str, int]:
        """The function of a called graph, written once, and the workspace it needs; ``cold`` if it is seldom run.

        Where threads share what calls it, each runs it alone.
        """
        grain = WITHIN if shared else self.grain
        key = graph, cold, grain
        if key not in self._graphs:
            name = f"f{len(self._graphs)}"
            self._graphs[key] = (name, 0)
            before, self.grain = self.grain, grain
            self._graphs[key] = (name, self._function(graph, graph.outputs, name, cold=cold))
            self.grain = before
        return self._graphs[key]

    def kernel(self, key: str, *, inner: bool, cold: bool) -> str:
        """The name of a kernel, ``inner`` where a step of a loop calls it; loops with equal text are one function."""
        if key not in self.kernels:
            self.kernels[key] = f"k{len(self.kernels)}"
        self.called[key] = self.called.get(key, 0) + (0 if cold else 1 if inner else math.inf)
        return self.kernels[key]

    def _apart(self) -> Iterator[str]:
        """What says of each kernel whether it stays a function of its own: not if one step alone calls it, or if steps
        alone do and it is short."""
        left = _WITHIN
        for text in self.kernels:
            calls = self.called[text]
            if not calls:
                yield "COLD "
                continue
            within = calls * len(text) <= left and (calls == 1 or len(text) <= _SHORT)
            left -= int(calls * len(text)) if within else 0
            yield "" if not self.hosted or (within and calls == 1) else "inline " if within else "OUTLINED "

    def fail(self, kind: str, source: Node) -> int:
        """The code of a new failure."""
        self.failures.append(Failure(kind, source))
        return len(self.failures)

    def constant(self, constant: Constant) -> str:
        """A pointer to a constant's elements."""
        if isinstance(constant, Address) or (self.hosted and constant.type.size >= self.printed):
            if constant not in self.handed:
                self.handed.append(constant)
            return f"(const {stored(constant.type.dtype)} *)c[{self.handed.index(constant)}]"
        name, _ = self.constants.setdefault(constant.key, (f"c{len(self.constants)}", constant))
        return f"(const {stored(constant.type.dtype)} *){name}" if constant.type.dtype.kind == "c" else name

    # -- the whole --------------------------------------------------------------------------

    def text(self) -> str:
        """The file."""
        for dtype in map(np.dtype, ("complex64", "complex128")):  # literals do not ask for it
            if any(f"cplx_{SHORT_NAMES[dtype]}(" in text for text in self.kernels):
                self.helpers.need("cplx", dtype)
        bodies = "\n".join((*self.helpers.texts.values(), *self.kernels, *self.functions))
        grows = "grow(" in bodies
        headers = ("complex",) * (" complex " in bodies) + ("math", "stdbool", "stddef", "stdint")
        headers += ("stdlib",) * grows + ("string",)
        parts = [self._head(), "".join(f"#include <{header}.h>\n" for header in headers)]
        if self.hosted:
            parts.append("typedef int call_t(int, const void *const *, void *const *);\n")
            parts.append(_OUTLINED)
        parts += [_COLD] * ("COLD " in bodies or "SELDOM " in bodies or 0 in self.called.values())
        parts += [text for text in (self.helpers.elementary.text(), *self.helpers.texts.values()) if text]
        parts += [GROW] * grows
        parts += [_table(name, constant) for name, constant in self.constants.values()]
        parts += [_named(text, name, apart) + "\n" for apart, (text, name) in zip(
            self._apart(), self.kernels.items(), strict=True)]
        parts += self.functions
        shared = self.hosted and "#pragma omp" in bodies
        parts.append(self._entry(shared=shared))
        if shared:
            parts = [part.replace(PARALLEL, f"{PARALLEL} num_threads({threads.NAME})") for part in parts]
            parts.insert(2, THREAD + threads.PACE)
        return "\n".join(parts)

    def _entry(self, *, shared: bool) -> str:
        if not self.hosted:
            return (
                f"/* How many bytes {self.name} needs to work in. */\n"
                f"size_t {self.name}_workspace(void)\n{{\n    return {self.workspace};\n}}\n"
            )
        pairs = (("inputs", self.graph.inputs), ("outputs", self.graph.guarded_outputs))
        arrays = ", ".join(f"{name}[{k}]" for name, values in pairs for k in range(len(values)))
        call = f"{self.name}({arrays}{', ' if arrays else ''}workspace, c, call)"
        run = threads.ENTRY.replace("CALL", call) if shared else f"    return {call};\n"
        return (
            f"int {self.name}_hosted("
            "const void *const *inputs, void *const *outputs, void *workspace,\n"
            f"    {ENVIRONMENT})\n{{\n    (void)inputs;\n    (void)outputs;\n{run}}}\n"
        )

    def _head(self) -> str:
        lines = [f"/* {self.name}: generated by wengert. Compile as C99, link with -lm.", " *"]
        for word, values in (("in", self.graph.inputs), ("out", self.graph.guarded_outputs)):
            for k, value in enumerate(values):
                guard = k - len(self.graph.outputs) if word == "out" else -1
                lines.append(f" *   {word}{k}: {_described(value)}{self._guarded(guard)}")
        lines += [
            " *",
            " * Arrays are contiguous, in C order; those written overlap no other. The workspace",
            f" * is {self.workspace} bytes, aligned as malloc aligns. Each thread needs its own.",
            " * Returns 0, or:",
        ]  # fmt: skip
        for code, failure in enumerate(self.failures, 1):
            lines.append(f" *   {code}: {_WHY[failure.kind]}{_where(failure.source)}")
        return "\n".join([*(lines if self.failures else lines[:-1]), " */"])

    def _guarded(self, k: int) -> str:
        if k < 0:
            return ""
        guard = self.graph.guards[k]
        return f"; the results hold only where this is {int(guard.expected)}{_where(guard)}"


#: Loops stay functions of their own.  GCC would write each where it is called, into one function of them all: for that
#: one call less it compiles for up to five times as long.  Those of a step that is taken again and again are worth it,
#: while they are short: addresses are then known, and numbers stay in registers from step to step.
_OUTLINED = """#ifdef __GNUC__
#define OUTLINED __attribute__((noinline))
#else
#define OUTLINED
#endif
"""
_WITHIN, _SHORT = 40_000, 1500
#: Loops that run again, with care, where the first run met what it did not expect.
_COLD = """#ifdef __GNUC__
#define COLD __attribute__((cold, noinline))
#define SELDOM __attribute__((noinline))
#else
#define COLD
#define SELDOM
#endif
"""
_WHY = {
    "index": "an index is out of range",
    "power": "an integer to a negative power",
    "callback": "a call back failed",
    "branch": "an index names no branch",
    "memory": "there is no memory for what a loop keeps",
}


def _named(text: str, name: str, apart: str) -> str:
    """The text of a kernel that was called k, under its name."""
    text = re.sub(r"^(?=static \w+ k\()", apart, text, flags=re.MULTILINE)
    return re.sub(r"\bk(?=(?:_run|_careful)?\()", name, text)


def _where(source: Node | Guard) -> str:
    return f", at {comment(source.location)}" if source.location is not None else ""


def _described(value: Value) -> str:
    dtype = "bool, one byte each" if value.type.dtype.kind == "b" else str(value.type.dtype)
    shape = " x ".join(map(str, value.type.shape))
    return f"{dtype}, {f'shape {shape}' if shape else 'a single number'}"


def _table(name: str, constant: Constant) -> str:
    dtype = constant.type.dtype
    flat = constant.array.ravel()
    if dtype.kind == "c":  # as pairs: a constant expression cannot put numbers together
        dtype = part(dtype)
        flat = flat.view(dtype)
    numbers = [literal(x, dtype) for x in flat] or ["0"]
    rows = (", ".join(numbers[k : k + 8]) for k in range(0, len(numbers), 8))
    body = ",\n    ".join(rows)
    return f"static const {stored(dtype)} {name}[] = {{\n    {body}\n}};\n"
