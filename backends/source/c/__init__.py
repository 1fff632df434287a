"""Graphs as C99: fused loops, compiled by the compiler at hand, cached by digest."""

from __future__ import annotations

import re

from wengert.backends.protocol import Run, check_kinds
from wengert.backends.source.base import SourceBackend
from wengert.backends.source.c.build import build
from wengert.backends.source.c.compiler import missing
from wengert.backends.source.c.emit import Program
from wengert.backends.source.c.functions import HANDLERS
from wengert.ir.errors import BackendError
from wengert.ir.graph import Graph
from wengert.ir.kinds import Elementwise
from wengert.ir.ops import OPS

__all__ = ["BACKEND", "CBackend"]


class CBackend(SourceBackend):
    """Readable C, and what a compiler makes of it."""

    name = "c"

    def unavailable(self) -> str | None:
        """Why nothing can be compiled here."""
        return missing()

    def emit(self, graph: Graph, name: str = "program") -> str:
        """The stand-alone text: ``int name(const double *in0, ..., double *out0, ..., void *)``."""
        return Program(graph, _checked(name), hosted=False).text()

    def build(self, graph: Graph) -> Run:
        """The compiled program."""
        return build(graph)


#: What the program itself defines, and what the headers that it includes declare.
_TAKEN = re.compile(r"[kfc]\d+|\w+_[fiu](?:8|16|32|64)|\w+_t|mem\w+|str\w+|is\w+|[jy][01n]|l?gamma")
_LIBM = {op.libm for op in OPS.values() if isinstance(op, Elementwise) and op.libm}
_LIBM |= {"erf", "erfc", "fabs", "fdim", "fma", "fmax", "fmin", "frexp", "ldexp", "logb", "modf", "pow"}
_LIBM |= {"remainder", "round", "signbit", "tgamma", "y1", "nan"}
_KEYWORDS = {
    "auto", "break", "case", "char", "const", "continue", "default", "do", "double", "else",
    "enum", "extern", "float", "for", "goto", "if", "inline", "int", "long", "register",
    "restrict", "return", "short", "signed", "sizeof", "static", "struct", "switch", "typedef",
    "union", "unsigned", "void", "volatile", "while", "bool", "true", "false", "main",
}  # fmt: skip


def _checked(name: str) -> str:
    """A name that C, and the program itself, can have for a function."""
    plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,62}", name, re.ASCII)
    if not plain or name in _KEYWORDS or _TAKEN.fullmatch(name) or name.removesuffix("f") in _LIBM:
        message = (
            f"{name!r} cannot name a C function: expected a letter, then letters, digits and _, and no word of C's."
        )
        raise BackendError(message)
    return name


check_kinds("c", HANDLERS)
BACKEND = CBackend()
