"""How symbols and Library ops are written in Python; everything else follows from the records."""

from __future__ import annotations

from typing import Any

__all__ = ["LIBRARY", "OPERATORS", "UNARY"]

#: Symbols whose Python operator means the same on arrays.
OPERATORS: dict[str, str] = {
    "+": "+", "-": "-", "*": "*", "/": "/", "//": "//", "%": "%", "**": "**",
    "<": "<", "<=": "<=", ">": ">", ">=": ">=", "==": "==", "!=": "!=",
    "&": "&", "|": "|", "^": "^", "<<": "<<", ">>": ">>",
    "and": "&", "or": "|", "xor": "^",  # their operands are bool
}  # fmt: skip
UNARY: dict[str, str] = {"neg": "-", "~": "~", "not": "~"}

#: Calls that stand-alone code can make; another Library op runs in process only.
LIBRARY: dict[str, Any] = {
    "sort": lambda x, axis: f"np.sort({x}, axis={axis}, kind='stable')",
    "argsort": lambda x, axis: f"np.argsort({x}, axis={axis}, kind='stable')",
}
