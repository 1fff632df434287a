"""One line of a graph's text, read word by word: a regular expression for each kind of word."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Any

from wengert.ir.errors import SizeError, TextError
from wengert.ir.graph import Constant, Location
from wengert.ir.numerals import NUMERAL, PATH, read_numerals
from wengert.ir.symbolic.size_text import read_size
from wengert.ir.symbolic.sizes import Dim, Size
from wengert.ir.types import DTYPES, STEPS, ArrayType, type_of
from wengert.ir.verify import type_complaint

STRING = re.compile(r"'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"")
NAME = re.compile(rf"{PATH.pattern}|{STRING.pattern}")
# A name stands before a type, or, where several results have theirs at the end, before the next value.
INPUT_NAMED = re.compile(rf":\s*({NAME.pattern})(?=\s*:)")
NAMED = re.compile(rf":\s*({NAME.pattern})(?=\s*(?::|,\s*%))")
ID = re.compile(r"%c?[0-9]+")
# Python's identifiers are wider than \w: verification tells which these are.
IDENTIFIER = r"(?:[A-Za-z_]|[^\x00-\x7f])(?:\w|[^\x00-\x7f])*"
WORD = re.compile(IDENTIFIER)
TYPE = re.compile(r"([a-z]+[0-9]*)(\*?)\[((?:(?:\?|[0-9]{1,19})(?:,[0-9]{1,19})*)?)\]")
TYPE_NAME = re.compile(r"([a-z]+[0-9]*)(\*?)\[(?=[^\]\s]*[A-Za-z_])")
TYPED = re.compile(rf":\s*(?={TYPE.pattern})")
PARAM = re.compile(rf"({IDENTIFIER})=")
COMMENT = re.compile(r"#\s*(?:(.*)\.(.*):(-?[0-9]{1,20})\s*$)?.*")
EMPTY = re.compile("")
ATOMS = {"None": None, "True": True, "False": False}
ELISION = "this text was shortened for reading; write it whole with program.text(), or wengert.ir.text.dump(graph)."
STOP = re.compile(rf"\s*(?:#|$|{PARAM.pattern})")


class Line:
    """A line, and how far it is read."""

    def __init__(self, text: str, number: int) -> None:
        self.text = text.rstrip()
        self.number = number
        self.at = 0

    def error(self, message: str) -> TextError:
        return TextError(f"Line {self.number}: {message}")

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """What stands here, taken, if it fits the pattern; spaces before it are skipped."""
        while self.text[self.at : self.at + 1] in (" ", "\t"):
            self.at += 1
        if found := pattern.match(self.text, self.at):
            self.at = found.end()
        return found

    def take(self, word: str) -> bool:
        return self.match(re.compile(re.escape(word))) is not None

    def expect(self, what: str | re.Pattern[str], called: str = "") -> re.Match[str]:
        found = self.match(re.compile(re.escape(what)) if isinstance(what, str) else what)
        if found is None:
            raise self.unexpected(called or repr(what))
        return found

    def unexpected(self, expected: str) -> TextError:
        rest = self.text[self.at :]
        if rest.startswith(("<", "...")):
            return self.error(ELISION)
        return self.error(f"expected {expected}, got {rest[:40] or 'the end of the line'!r}.")

    def end(self) -> Location | None:
        """The location at the end of the line, if there is one; anything else is an error."""
        found = self.match(COMMENT)
        if self.at < len(self.text):
            raise self.unexpected("the end of the line")
        return Location(found[1], found[2], int(found[3])) if found and found[3] else None

    def items(self, close: str, item: Callable[[], Any]) -> tuple[list[Any], bool]:
        """Items up to ``close``, with commas between; whether the last had a comma too."""
        found, comma = [], True
        while not self.take(close):
            if not comma:
                raise self.unexpected(f"',' or {close!r}")
            found.append(item())
            comma = self.take(",")
        return found, comma

    def read_tuple(self, item: Callable[[], Any]) -> tuple[Any, ...]:
        found, comma = self.items(")", item)
        if len(found) == 1 and not comma:
            raise self.error("a tuple of one is written (x,), with a comma.")
        return tuple(found)

    def at_stop(self) -> bool:
        """Whether the operands end here: at a parameter, a comment, or the end of the line."""
        return STOP.match(self.text, self.at) is not None

    # ----- Words -----

    def read_string(self, text: str) -> str:
        try:
            return str(ast.literal_eval(text))
        except (SyntaxError, ValueError) as error:
            raise self.error(f"{text:.40} is not a string: {error}.") from None

    def read_name(self) -> str:
        return self.unquoted(self.expect(NAME, "a name")[0])

    def unquoted(self, text: str) -> str:
        return self.read_string(text) if text[0] in "'\"" else text

    def read_size(self) -> Dim:
        """A size, which holds no spaces."""
        self.match(EMPTY)
        try:
            found, self.at = read_size(self.text, self.at)
        except SizeError as error:
            raise self.error(str(error)) from None
        return found

    def try_size(self) -> Size | None:
        """The size that stands here, if there is one with a name in it."""
        self.match(EMPTY)
        try:
            found, end = read_size(self.text, self.at)
        except SizeError:
            return None
        if type(found) is not Size or self.text[end : end + 1] not in ("", ",", ")", " ", "\t"):
            return None
        self.at = end
        return found

    def read_type(self) -> ArrayType:
        if symbolic := self.match(TYPE_NAME):
            short, star = symbolic.groups()
            dims: Any = tuple(self.items("]", lambda: STEPS if self.take("?") else self.read_size())[0])
        else:
            short, star, sizes = self.expect(TYPE, "a type such as f64[2,3]").groups()
            dims = tuple(STEPS if n == "?" else int(n) for n in sizes.split(",")) if sizes else ()
        if short not in DTYPES:
            raise self.error(f"expected a dtype of {', '.join(DTYPES)}, got {short}.")
        type_ = ArrayType(DTYPES[short], dims, bool(star))
        if message := type_complaint(type_, symbolic=True):
            raise self.error(message)
        return type_

    def constant(self, texts: list[str], type_: ArrayType, name: str | None = None) -> Constant:
        try:
            array = read_numerals(texts, type_.dtype).reshape(type_.shape)
        except ValueError as error:
            raise self.error(str(error)) from None
        array.setflags(write=False)
        return Constant(type_, name, array=array)

    def read_number(self) -> Constant | None:
        """A scalar constant, if one stands here; its type follows it, or from its form."""
        found = self.match(NUMERAL)
        if found is None:
            return None
        text = found[0]
        if self.match(TYPED):
            type_ = self.read_type()
            if type_.shape:
                raise self.error(f"{text} is a scalar; expected a type such as f32[], got {type_}.")
        else:
            type_ = type_of(
                True if text in ATOMS else 1j if text[-1] == "j" else 1 if is_int(text) else 1.0
            )
        return self.constant([text], type_)


def is_int(text: str) -> bool:
    return text.removeprefix("-").isdecimal()
