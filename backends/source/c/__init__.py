"""Graphs as C99: fused loops, compiled by the compiler at hand, cached by digest."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from wengert.backends.protocol import Run, check_kinds
from wengert.backends.rerolled import rerolling
from wengert.backends.source.base import SourceBackend
from wengert.backends.source.c.build import Trusting, build
from wengert.backends.source.c.emit import Program
from wengert.backends.source.c.functions import HANDLERS
from wengert.backends.source.c.machine import threads
from wengert.backends.source.c.machine.compiler import abandon, missing
from wengert.backends.source.c.shared import Family, within
from wengert.backends.source.c.sized import sized
from wengert.ir.errors import BackendError
from wengert.ir.graph import Graph
from wengert.ir.kinds import Elementwise
from wengert.ir.ops import OPS
from wengert.ir.passes import early_sums, simplify
from wengert.ir.passes.components import components
from wengert.ir.passes.gathers import gathered_parts
from wengert.ir.passes.reroll import rolled
from wengert.ir.passes.steps import small_steps
from wengert.ir.passes.tiling import tiled
from wengert.ir.symbolic.schema import Sizes
from wengert.ir.symbolic.witnesses import FEWEST, larger

__all__ = ["BACKEND", "CBackend"]

#: When lanes of small arrays are better as so many numbers, one for each element: compilers have to take them all.
APART = {"lanes": 256, "gains": 2, "parts": 3000, "mean": 12}


def _small(graph: Graph) -> Graph:
    """The graph with numbers for small arrays, of many lanes or in the steps of loops."""
    apart = components(graph, **APART)
    return small_steps(graph if apart is graph else simplify(apart))


@rerolling
class CBackend(SourceBackend):
    """Readable C, and what a compiler makes of it."""

    name = "c"
    least = 256

    def unavailable(self) -> str | None:
        """Why nothing can be compiled here."""
        return missing()

    def emit(self, graph: Graph, name: str = "program") -> str:
        """The stand-alone text: ``int name(const double *in0, ..., double *out0, ..., void *)``."""
        return Program(tiled(_small(rolled(graph, self.least))), _checked(name), hosted=False).text()

    def build(self, graph: Graph) -> Run:
        """The compiled program."""
        graph = _small(graph)
        exact = lambda: build(tiled(graph, threads.threads()))
        early = early_sums(graph)
        return exact() if early is None else Trusting(build(tiled(early, threads.threads())), exact)

    def derivative(
        self, derived: Graph, moving: range, ends: range, then: Callable[[Graph], Graph] | None = None
    ) -> Run:
        """A derived graph, built; what goes back to known places is taken from there."""
        graph = derived if then is None else then(derived)
        lean = gathered_parts(graph)
        return self.build(graph if lean is graph else simplify(lean))

    def abandon(self) -> None:
        """End the compilers that run: Python is about to end."""
        abandon()

    def source_of_sizes(self, make: Callable[[Mapping[str, int]], Graph], sizes: Sizes) -> str | None:
        """The text of a symbolic program, which takes the sizes as arguments; None where no one text serves."""
        allowed = (env for env in larger(sizes.names) if all(c.holds(env) for c in sizes.constraints))
        envs = list(itertools.islice(allowed, 12))
        spelled = {name: _argument(name) for name in sizes.names}
        emit = lambda env: Program(make(env), "program", hosted=False, parallel=False).text()
        return sized(emit, sizes.names, envs, spelled, "program") if len(envs) > FEWEST else None

    def sharing(self, kept: dict[str, Any]) -> AbstractContextManager[None]:
        """Within this context programs of other sizes, of which the same dict is kept, are compiled once."""
        return within(kept.setdefault(self.name, Family()))


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


def _argument(name: str) -> str:
    """What a size is called in C: by its name where nothing else is called so."""
    try:
        taken = name in ("w", "c", "call", "program", "I") or name[-1].isdecimal()
        free = _checked(name) == name and not taken
    except BackendError:
        free = False
    return name if free else f"size_{name}"


check_kinds("c", HANDLERS)
BACKEND = CBackend()
