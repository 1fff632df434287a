"""A builder that makes nothing twice: programs that grow by the derivatives of their own parts stay small."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.ir import kinds
from wengert.ir.build import Builder
from wengert.ir.graph import Constant, Node, Value
from wengert.ir.ops import OPS
from wengert.ir.types import ArrayType

__all__ = ["VIEWS", "Sharing", "number"]

#: Operations on constants that IEEE rounds exactly, so that they may be done now.
_EXACT = ("+", "-", "*", "/", "neg")
#: Ops of which each result is an element of the operand.
VIEWS = ("broadcast_to", "reshape", "slice", "transpose")
#: Whole numbers up to this size are merged, where a builder merges shifts.
_SHIFT = 1024


def number(value: Value, made: dict[Value, Node]) -> np.ndarray[Any, Any] | None:
    """The number that every element of a value is known to be."""
    while not isinstance(value, Constant):
        node = made.get(value)
        if node is None or node.op.name not in VIEWS:
            return None
        (value,) = node.operands
    return value.array if value.array.ndim == 0 else None


class Sharing(Builder):
    """A builder that makes equal nodes once, does exact arithmetic on constants, and remembers what ``made`` a value.

    While ``merge_shifts`` is set, (x + 1) + 2 is made x + 3, equal but for rounding: the neighbours of a neighbour in a
    family of functions are few.
    """

    def __init__(self, name: str = "graph") -> None:
        super().__init__(name)
        self.made: dict[Value, Node] = {}
        self._seen: dict[Any, tuple[Value, ...]] = {}
        self.merge_shifts = False

    def keep(self, node: Node, operands: tuple[Value, ...]) -> tuple[Value, ...]:
        return self.emit_all(node.op, operands, **node.params)

    def _append(
        self, op: kinds.Op, operands: tuple[Value, ...], params: dict[str, Any], types: tuple[ArrayType, ...]
    ) -> tuple[Value, ...]:
        key = (op, operands, tuple(sorted(params.items(), key=lambda item: item[0])))
        if key not in self._seen:
            known = self._folded(op, operands, types[0]) or self._shifted(op, operands)
            self._seen[key] = super()._append(op, operands, params, types) if known is None else (known,)
            self.made.update((v, self.nodes[-1]) for v in self._seen[key] if known is None)
        return self._seen[key]

    def _folded(self, op: kinds.Op, operands: tuple[Value, ...], type_: ArrayType) -> Value | None:
        """Exact arithmetic on constants, and the branch that a known condition takes."""
        if op.name == "where" and (known := number(operands[0], self.made)) is not None:
            branch = operands[1 if known else 2]
            return branch if branch.type == type_ else None
        if not (isinstance(op, kinds.Elementwise) and op.symbol in _EXACT):
            return None
        numbers = [number(v, self.made) for v in operands]
        if any(x is None for x in numbers):
            return None
        with np.errstate(all="ignore"):
            array = np.asarray(op.function(*(x[()] for x in numbers)), type_.dtype)  # type: ignore[index]
        array.setflags(write=False)
        return self.broadcast_to(Constant(ArrayType(type_.dtype, (), type_.weak), array=array), type_.shape)

    def _shifted(self, op: kinds.Op, operands: tuple[Value, ...]) -> Value | None:
        """x + m, where x is y + n; of both, m and n are small whole numbers."""
        if not self.merge_shifts or (m := self._shift(op, operands)) is None:
            return None
        inner = self.made.get(operands[0])
        if inner is None or (n := self._shift(inner.op, inner.operands)) is None:
            return None
        x = inner.operands[0]
        total = Constant.of(x.type.dtype.type(m + n))
        return x if m + n == 0 else self.emit(OPS["add"], (x, self.broadcast_to(total, x.type.shape)))

    def _shift(self, op: kinds.Op, operands: tuple[Value, ...]) -> int | None:
        """The whole number that a node adds to its first operand."""
        if op not in (OPS["add"], OPS["subtract"]) or operands[0].type.dtype.kind != "f":
            return None
        known = number(operands[1], self.made)
        if known is None or not abs(known) <= _SHIFT or known != int(known):
            return None
        return int(known) if op is OPS["add"] else -int(known)
