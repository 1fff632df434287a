"""One compiled program for many sizes: numbers that differ from size to size become arguments.

The text of a symbolic graph at one size and at another mostly differs in numbers alone: bounds of loops, strides,
places in the workspace.  The text without its numbers is the *skeleton*.  The first size of a skeleton is compiled
as it is; from the second one on, numbers that were seen to differ are read from a table that the entry point takes.
What is run is the text of the size at hand in every case, so nothing has to be known of how numbers depend on sizes.
"""

from __future__ import annotations

import contextvars
import ctypes
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from attrs import define, field

from wengert.backends.source.c.machine.cache import load
from wengert.ir.errors import BackendError

__all__ = ["Family", "Loaded", "load_shared", "skeleton", "tabulated"]

COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
#: A number of C without a suffix, that is no part of a name, of a macro's argument, or of another number.
NUMBER = re.compile(
    r"(?<![\w.])(?<!_C\()(?<![pP][+-])"
    r"(?:0x[0-9a-f]+(?:\.[0-9a-f]*)?p[+-]?[0-9]+|[0-9]+(?:\.[0-9]*)?(?:e[+-]?[0-9]+)?)(?![\w.])"
)
DIRECTIVE = re.compile(r"^[ \t]*#.*$", re.MULTILINE)
BODY = re.compile(r"^\{\n(.*?)^\}$", re.DOTALL | re.MULTILINE)

_TABLES = """
#ifdef __GNUC__
#define OF_THREAD static __thread
#else
#define OF_THREAD static _Thread_local
#endif
OF_THREAD const int64_t *whole;
OF_THREAD const double *real;
"""
_ENTRY = """
int {name}_shared(const int64_t *w, const double *r, const void *const *inputs, void *const *outputs,
    void *workspace, const void *const *c, call_t *call)
{{
    const int64_t *const whole_before = whole;
    const double *const real_before = real;
    whole = w;
    real = r;
    const int code = {name}_hosted(inputs, outputs, workspace, c, call);
    whole = whole_before;
    real = real_before;
    return code;
}}
"""


@define
class Member:
    """A skeleton: the numbers of its first text, and which of them have been seen to differ."""

    numbers: list[str]
    differ: frozenset[int] = frozenset()
    alone: bool = False  # a table would not compile


@define
class Family:
    """The skeletons of one symbolic program."""

    members: dict[str, Member] = field(factory=dict)
    lock: Any = field(factory=threading.Lock)


@define
class Loaded:
    """A library, and the tables that its entry point takes first, if it does."""

    library: ctypes.CDLL
    tables: tuple[Any, ...] = ()


#: The family that what is compiled now belongs to.
family: contextvars.ContextVar[Family | None] = contextvars.ContextVar("wengert_c_family", default=None)


@contextmanager
def within(kept: Family | None) -> Iterator[None]:
    """Within this context what is compiled belongs to a family."""
    token = family.set(kept)
    try:
        yield
    finally:
        family.reset(token)


def skeleton(text: str) -> tuple[str, list[str]]:
    """A text without its numbers, and these."""
    numbers: list[str] = []

    def taken(found: re.Match[str]) -> str:
        numbers.append(found[0])
        return "@"

    return "".join(part if fixed else NUMBER.sub(taken, part) for part, fixed in _parts(text)), numbers


def _parts(text: str) -> Iterator[tuple[str, bool]]:
    """The text without comments, in pieces; preprocessor's lines are fixed."""
    bare, at = COMMENT.sub("", text), 0
    for line in DIRECTIVE.finditer(bare):
        yield bare[at : line.start()], False
        yield line[0], True
        at = line.end()
    yield bare[at:], False


def tabulated(text: str, differ: frozenset[int], name: str) -> str:
    """The text with a table in place of the numbers that differ; each function reads what it needs of it at first."""
    count = iter(range(10**9))

    def replaced(found: re.Match[str]) -> str:
        k = next(count)
        return found[0] if k not in differ else f"{'n' if found[0].isdecimal() else 'r'}_{k}_"

    bare = "".join(part if fixed else NUMBER.sub(replaced, part) for part, fixed in _parts(text))

    def declared(found: re.Match[str]) -> str:
        used = sorted(set(re.findall(r"\b[nr]_[0-9]+_\b", found[1])))
        kinds = {"n": ("ptrdiff_t", "whole"), "r": ("double", "real")}
        lines = (f"    const {kinds[u[0]][0]} {u} = {kinds[u[0]][1]}[{u[2:-1]}];\n" for u in used)
        return "{\n" + "".join(lines) + found[1] + "}"

    made = BODY.sub(declared, bare)
    place = made.index("typedef int call_t")
    return made[:place] + _TABLES + made[place:] + _ENTRY.format(name=name)


def load_shared(text: str, name: str) -> Loaded:
    """The library of a text, shared with the other sizes of its family."""
    kept = family.get()
    if kept is None:
        return Loaded(load(text))
    key, numbers = skeleton(text)
    with kept.lock:
        member = kept.members.setdefault(key, Member(numbers))
        member.differ |= {k for k, (a, b) in enumerate(zip(member.numbers, numbers, strict=True)) if a != b}
        differ, alone = member.differ, member.alone
    if not differ or alone:
        return Loaded(load(text))
    try:
        library = load(tabulated(text_of(member.numbers, key), differ, name))
    except BackendError:  # a compiler without arrays of variable length, say
        member.alone = True
        return Loaded(load(text))
    whole = (ctypes.c_int64 * len(numbers))(*(int(x) if x.isdecimal() else 0 for x in numbers))
    real = (ctypes.c_double * len(numbers))(*map(_real, numbers))
    return Loaded(library, (whole, real))


def _real(number: str) -> float:
    if number.isdecimal():
        return 0.0
    return float.fromhex(number) if number.startswith("0x") else float(number)


def text_of(numbers: list[str], bones: str) -> str:
    """A skeleton with numbers: the same text for every size, so that it is compiled once."""
    rest = iter(numbers)
    return re.sub("@", lambda _: next(rest), bones)
