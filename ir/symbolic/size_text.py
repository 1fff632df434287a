"""Sizes as text: Python's own spelling, and its precedence."""

from __future__ import annotations

from typing import Any

from wengert.ir.errors import SizeError
from wengert.ir.symbolic.sizes import INT64, MAX_DEPTH, NAME, NUMBER, Dim, divided, greatest, least, remainder, size

__all__ = ["MAX_TEXT", "parse_size", "read_size", "written"]

MAX_TEXT = 1000


def written(dim: Dim) -> str:
    """The text of a size, which can be read again."""
    text = str(dim)
    if len(text) > MAX_TEXT:
        raise SizeError(f"A size takes {len(text)} letters, {text:.60}...; expected at most {MAX_TEXT}.")
    return text


def parse_size(text: str) -> Dim:
    """The size that a text such as ``"2*n+1"`` or ``"min(n, m//2)"`` describes; a SizeError if there is none."""
    if type(text) is not str or len(text) > MAX_TEXT:
        raise SizeError(f"A size is written in at most {MAX_TEXT} letters, got {text!r:.100}.")
    bare = "".join(text.split())
    found, end = read_size(bare, 0)
    if end != len(bare):
        raise SizeError(f"{text!r:.100} is not a size: {bare[end:end + 20]!r} does not go on with + - * // % or ).")
    return found


def read_size(text: str, at: int) -> tuple[Dim, int]:
    """The size that starts at a place of a text (no spaces in it), and where it ends."""
    return _Reader(text[: at + MAX_TEXT]).sum(at, 0)


class _Reader:
    """Recursive descent, with Python's precedence; every method gives what it read and where that ends."""

    def __init__(self, text: str) -> None:
        self.text = text

    def sum(self, at: int, depth: int) -> tuple[Dim, int]:
        if depth > MAX_DEPTH:
            raise SizeError(f"A size nests more than {MAX_DEPTH} deep.")
        found, at = self.product(at, depth)
        while self.text[at : at + 1] in ("+", "-") and at < len(self.text):
            sign = 1 if self.text[at] == "+" else -1
            term, at = self.product(at + 1, depth)
            found = found + sign * term
        return found, at

    def product(self, at: int, depth: int) -> tuple[Dim, int]:
        minus = self.text[at : at + 1] == "-"
        found, at = self.factor(at + minus, depth)
        found = -found if minus else found
        while True:
            if self.text.startswith("//", at):
                divisor, at = self.factor(at + 2, depth)
                found = divided(found, divisor)
            elif self.text[at : at + 1] == "%":
                divisor, at = self.factor(at + 1, depth)
                found = remainder(found, divisor)
            elif self.text[at : at + 1] == "*" and not self.text.startswith("**", at):
                other, at = self.factor(at + 1, depth)
                found = found * other
            else:
                return found, at

    def factor(self, at: int, depth: int) -> tuple[Dim, int]:
        found: Any
        if number := NUMBER.match(self.text, at):
            if int(number[0]) not in INT64:
                raise SizeError(f"{number[0]} does not fit into 64 bits.")
            return int(number[0]), number.end()
        if self.text[at : at + 1] == "(":
            found, at = self.sum(at + 1, depth + 1)
            return found, self.expect(")", at)
        word = NAME.match(self.text, at)
        if word is None:
            found = self.text[at : at + 10]
            raise SizeError(f"{self.text:.100} is not a size: expected a name or a number at {found!r}.")
        if word[0] not in ("min", "max"):
            return size(word[0]), word.end()
        at, items = self.expect("(", word.end()), list[Dim]()
        while not items or self.text[at : at + 1] == ",":
            item, at = self.sum(at + bool(items), depth + 1)
            items.append(item)
        return (least if word[0] == "min" else greatest)(*items), self.expect(")", at)

    def expect(self, sign: str, at: int) -> int:
        if self.text[at : at + 1] != sign:
            raise SizeError(f"{self.text:.100} is not a size: expected {sign!r} at {self.text[at:at + 10]!r}.")
        return at + 1
