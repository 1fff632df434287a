"""The text of a symbolic program: one C program that takes the sizes as arguments.

The texts at a dozen sizes have one skeleton; every number in which they differ becomes the expression in the sizes
that it is at each of them.  For how small sizes the text is the same is found by trying; below that the program returns
-1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from wengert.backends.source.c.shared import COMMENT, DIRECTIVE, NUMBER
from wengert.ir.errors import WengertError
from wengert.ir.symbolic.fitting import Fitter
from wengert.ir.symbolic.sizes import Size, replace

__all__ = ["sized"]

Env = Mapping[str, int]

HELPERS = """
static ptrdiff_t floor_div(ptrdiff_t a, ptrdiff_t b) { return a / b - ((a % b != 0) && ((a < 0) != (b < 0))); }
static ptrdiff_t floor_mod(ptrdiff_t a, ptrdiff_t b) { return a - b * floor_div(a, b); }
static ptrdiff_t least(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }
static ptrdiff_t greatest(ptrdiff_t a, ptrdiff_t b) { return a > b ? a : b; }
"""
FUNCTION = re.compile(r"\b(k[0-9]+|f[0-9]+)\(")


def sized(
    emit: Callable[[Env], str], names: Sequence[str], envs: Sequence[Env], spelled: Mapping[str, str], name: str
) -> str | None:
    """One text for the sizes ``envs`` and all like them; None where the texts differ in more than numbers.

    ``spelled`` has what each size is called in C.
    """
    found = [_bones(emit(env)) for env in envs]
    bones, first = found[0]
    if any(other != bones for other, _ in found):
        return None
    fitter = Fitter(envs)
    dims: dict[int, Any] = {}
    code: list[str] = []
    comments = _comments(bones)
    for k, number in enumerate(first):
        same = [numbers[k] for _, numbers in found]
        if len(set(same)) == 1:
            code.append(number)
            continue
        dim = fitter.fit([int(x) for x in same]) if all(x.isdecimal() for x in same) else None
        if dim is None:
            return None
        dims[k] = dim
        code.append(str(dim) if k in comments else _spelled(dim, spelled))

    def holds(env: Env) -> bool:
        """Whether this is the text at other sizes, too."""
        try:
            other, numbers = _bones(emit(env))
        except (WengertError, ValueError):
            return False
        return other == bones and all(int(numbers[k]) == replace(dim, env) for k, dim in dims.items())

    limits = _limits(holds, names, envs[0])
    if limits is None:
        return None
    words = iter(code)
    text = re.sub("@", lambda _: next(words), bones)
    return _with_arguments(text, {spelled[n]: limit for n, limit in limits.items()}, name)


def _bones(text: str) -> tuple[str, list[str]]:
    """The text, comments and all, without its numbers; and these."""
    numbers: list[str] = []

    def taken(found: re.Match[str]) -> str:
        numbers.append(found[0])
        return "@"

    parts, at = [], 0
    for line in DIRECTIVE.finditer(text):
        parts += [NUMBER.sub(taken, text[at : line.start()]), line[0]]
        at = line.end()
    return "".join([*parts, NUMBER.sub(taken, text[at:])]), numbers


def _comments(bones: str) -> set[int]:
    """The numbers that stand in comments."""
    spans = [c.span() for c in COMMENT.finditer(bones)]
    places = (m.start() for m in re.finditer("@", bones))
    return {k for k, at in enumerate(places) if any(low < at < high for low, high in spans)}


def _spelled(dim: Any, spelled: Mapping[str, str]) -> str:
    """A size in C, in brackets unless it is a name or a number."""
    if type(dim) is not Size:
        return str(dim)
    words = []
    for monomial, coefficient in dim.terms:
        factors = [_atom(atom, spelled) for atom, power in monomial for _ in range(power)]
        factors += [str(abs(coefficient))] if abs(coefficient) != 1 or not factors else []
        words.append(("-" if coefficient < 0 else "+", " * ".join(factors)))
    text = " ".join(f"{sign} {word}" for sign, word in words)
    text = text.removeprefix("+ ")
    return text if re.fullmatch(r"\w+", text) else f"({text})"


def _atom(atom: Any, spelled: Mapping[str, str]) -> str:
    if type(atom) is str:
        return spelled[atom]
    operation, sizes = atom
    function = {"//": "floor_div", "%": "floor_mod", "min": "least", "max": "greatest"}[operation]
    words = [_spelled(s, spelled) for s in sizes]
    text = words[0]
    for word in words[1:]:
        text = f"{function}({text}, {word})"
    return text


def _limits(holds: Callable[[Env], bool], names: Sequence[str], env: Env) -> dict[str, int] | None:
    """For each name the smallest size, the others large, from which on the text holds; found by halving, and tried."""
    limits = {}
    for name in names:
        low, high = -1, env[name]
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if holds({**env, name: middle}) else (middle, high)
        limits[name] = high
    limits = limits if holds(limits) else dict(env)
    tries = [{n: limit + step for n, limit in limits.items()} for step in (0, 1, 2, 3, 7, 30, 64, 1000, 20_000)]
    tries += [{**limits, name: limits[name] + step} for name in names for step in (1, 5, 129, 5000)]
    return limits if all(map(holds, tries)) else None


def _with_arguments(text: str, limits: Mapping[str, int], name: str) -> str:
    """Each function takes the sizes first."""
    names = list(limits)
    typed, given = ", ".join(f"const ptrdiff_t {n}" for n in names), ", ".join(names)

    def line(row: str) -> str:
        if row.startswith(("static void ", "static int ", "OUTLINED static ")) and FUNCTION.search(row):
            return FUNCTION.sub(rf"\1({typed}, ", row, count=1)
        return FUNCTION.sub(rf"\1({given}, ", row)

    text = "\n".join(map(line, text.split("\n")))
    text = re.sub(rf"^((?:static )?int {name})\(", rf"\1({typed}, ", text, count=1, flags=re.MULTILINE)
    text = re.sub(rf"^(size_t {name}_workspace)\(void\)", rf"\1({typed})", text, flags=re.MULTILINE)
    wanted = [f"{n} < {limits[n]}" for n in names if limits[n]]
    if wanted:
        entry = re.search(rf"^(?:static )?int {name}\([^{{]*\{{\n", text, re.MULTILINE)
        assert entry is not None  # every program has one
        check = f"    if ({' || '.join(wanted)}) return -1;  /* another text: print that of program.at(...) */\n"
        text = text[: entry.end()] + check + text[entry.end() :]
    place = text.index("#include <string.h>\n") + len("#include <string.h>\n")
    helpers = HELPERS if re.search(r"floor_(?:div|mod)\(|least\(|greatest\(", text) else ""
    return text[:place] + helpers + text[place:]

