"""Texts of Python that were written for one program, made into functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["assembled"]


def assembled(name: str, arguments: Sequence[str], body: Sequence[str], scope: dict[str, Any]) -> Callable[..., Any]:
    """The function of a text, which reads its other names in ``scope``."""
    text = "\n".join([f"def {name}({', '.join(arguments)}):", *(f"    {line}" for line in body), ""])
    # The text is ours: names come from counters, literals from repr of numbers.
    exec(compile(text, f"<wengert {name}>", "exec"), scope)
    return scope.pop(name)  # type: ignore[no-any-return]
