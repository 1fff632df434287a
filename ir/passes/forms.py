"""What a value is known to be: an exponential, a sigmoid, a square; and its logarithm, where that is known without it.

All is seen through what moves elements or casts them: what is found is moved or cast alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from wengert.ir.build import Namespace
from wengert.ir.graph import Node, Value
from wengert.ir.sharing import Sharing, number

__all__ = ["Forms"]

#: How many products, quotients and sums within each other are looked through.
_DEEPEST = 40
#: Ops that move elements, each where it is alone, or cast them.
_TRANSPARENT = ("broadcast_to", "reshape", "transpose", "slice", "cast")


class Forms:
    """Questions about the values that a builder has made.  Answers are expressions; None where there is no answer."""

    def __init__(self, builder: Sharing) -> None:
        self.made = builder.made
        self.xp = Namespace(builder)
        self._shifted: set[tuple[Value, tuple[int, ...]]] = set()
        self._logs: dict[Value, tuple[Any, bool] | None] = {}
        self._depth = 0

    # -- looking ------------------------------------------------------------------------------------

    def wrap(self, v: Value) -> Any:
        return self.xp.wrap(v)

    def node(self, v: Value, *ops: str) -> Node | None:
        """The node that made a value, if it is of one of these ops."""
        node = self.made.get(v)
        return node if node is not None and node.op.name in ops else None

    def is_number(self, v: Value, wanted: float) -> bool:
        """Whether every element is known to be this number."""
        found = number(v, self.made)
        return found is not None and bool(found == wanted)

    def through(self, v: Value, question: Callable[[Value], Any]) -> Any:
        """The answer for what a value was before it was moved or cast, moved or cast like it."""
        node = self.node(v, *_TRANSPARENT)
        if node is None or {node.operands[0].type.dtype.kind, v.type.dtype.kind} != {"f"}:
            return None
        found = question(node.operands[0])
        if found is None:
            return None
        if node.op.name == "cast":
            return self.xp.cast(found, v.type.dtype)
        return self.xp.emit(node.op.name, found, **node.params)

    def moved(self, v: Value, x: Any) -> Any:
        """x, moved and cast as the source of a value was to make it."""
        node = self.node(v, *_TRANSPARENT)
        return x if node is None else self.through(v, lambda u: self.moved(u, x))

    def source(self, v: Value) -> Value:
        """What a value was before it was moved or cast."""
        while (node := self.node(v, *_TRANSPARENT)) is not None:
            (v,) = node.operands
        return v

    def beside(self, v: Value, wanted: float) -> Value | None:
        """x, of a sum of x and a number."""
        node = self.node(v, "add")
        for k in (0, 1) if node is not None else ():
            if self.is_number(node.operands[k], wanted):  # type: ignore[union-attr]
                return node.operands[1 - k]  # type: ignore[union-attr]
        return None

    def minus(self, x: Any) -> Any:
        """-x, without doing so twice."""
        inner = self.argument(x.value, "negative")
        return -x if inner is None else inner

    # -- elementary forms -----------------------------------------------------------------------------

    def argument(self, v: Value, op: str) -> Any:
        """x, of op(x)."""
        node = self.node(v, op)
        return self.wrap(node.operands[0]) if node is not None else self.through(v, lambda u: self.argument(u, op))

    def root(self, v: Value) -> Any:
        """x, of x squared."""
        if (node := self.node(v, "square", "multiply", "power")) is not None:
            first, last = node.operands[0], node.operands[-1]
            if node.op.name == "power" and self.is_number(last, 2.0):
                return self.wrap(first)
            return self.wrap(first) if node.op.name != "power" and first is last else None
        return self.through(v, self.root)

    def logit(self, v: Value) -> Any:
        """t, of 1 / (1 + exp(-t)) in any of its forms."""
        node = self.node(v, "expit", "divide", "reciprocal", "power", "subtract", "multiply")
        if node is None:
            return self.through(v, self.logit)
        x, y = node.operands[0], node.operands[-1]
        name = node.op.name
        if name == "expit":
            return self.wrap(x)
        if name == "subtract":
            t = self.logit(y) if self.is_number(x, 1.0) else None
            return None if t is None else self.minus(t)
        if name == "multiply" or (name == "divide" and self.is_number(y, 2.0)):
            return self._by_tanh(x, y, 0.5 if name == "multiply" else 2.0)
        if name == "power":
            return self._inverted(x) if self.is_number(y, -1.0) else None
        if name == "reciprocal":
            return self._inverted(x)
        if self.is_number(x, 1.0):
            return self._inverted(y)
        p, q = self.argument(x, "exp"), self.over_one(y)
        return p if p is not None and q is not None and p.value is q.value else None

    def over_one(self, v: Value) -> Any:
        """x, of 1 + exp(x)."""
        rest = self.beside(v, 1.0)
        return self.through(v, self.over_one) if rest is None else self.argument(rest, "exp")

    def _inverted(self, v: Value) -> Any:
        """t, of 1 / v, v being 1 + exp(-t)."""
        x = self.over_one(v)
        return None if x is None else self.minus(x)

    def _by_tanh(self, x: Value, y: Value, half: float) -> Any:
        """t, of (1 + tanh(t / 2)) / 2."""
        for one, other in ((x, y), (y, x)):
            if self.is_number(other, half) and (rest := self.beside(one, 1.0)) is not None:
                h = self.argument(rest, "tanh")
                return None if h is None else 2 * h
        return None

    # -- logarithms -----------------------------------------------------------------------------------

    def log(self, v: Value) -> Any:
        """log(v), if there are exponentials in v, and they can be done without."""
        found = self._log(v)
        return found[0] if found is not None and found[1] else None

    def _log(self, v: Value) -> tuple[Any, bool] | None:
        """The logarithm, and whether an exponential has gone; of each value looked for once, and not too far."""
        if v not in self._logs and self._depth < _DEEPEST:
            self._depth += 1
            self._logs[v] = self._found_log(v)
            self._depth -= 1
        return self._logs.get(v)

    def _found_log(self, v: Value) -> tuple[Any, bool] | None:
        known = number(v, self.made)
        if known is not None:
            return (self.xp.cast(math.log(known), v.type.dtype), False) if 0 < known < math.inf else None
        if (t := self.logit(v)) is not None:
            return self.xp.log_expit(t), True
        node = self.made.get(v)
        if node is None or v.type.dtype.kind != "f":
            return None
        if node.op.name == "exp":
            return self.wrap(node.operands[0]), True
        if node.op.name in _TRANSPARENT:
            inner = self._log(node.operands[0])
            return None if inner is None else (self.through(v, lambda _: inner[0]), inner[1])
        rule = {"add": self._of_sum, "multiply": self._of_product, "divide": self._of_quotient,
                "sqrt": self._of_root, "sum": self._of_total}.get(node.op.name)  # fmt: skip
        return None if rule is None else rule(node)

    def _parts(self, node: Node) -> tuple[Any, Any, bool] | None:
        found = [self._log(v) for v in node.operands]
        if None in found:
            return None
        (x, in_x), (y, in_y) = found  # type: ignore[misc]
        return x, y, in_x or in_y

    def _of_sum(self, node: Node) -> tuple[Any, bool] | None:
        parts = self._parts(node)
        return None if parts is None or not parts[2] else (self.xp.logaddexp(parts[0], parts[1]), True)

    def _of_product(self, node: Node) -> tuple[Any, bool] | None:
        parts = self._parts(node)
        return None if parts is None else (parts[0] + parts[1], parts[2])

    def _of_quotient(self, node: Node) -> tuple[Any, bool] | None:
        parts = self._parts(node)
        return None if parts is None else (parts[0] - parts[1], parts[2])

    def _of_root(self, node: Node) -> tuple[Any, bool] | None:
        inner = self._log(node.operands[0])
        return None if inner is None else (0.5 * inner[0], inner[1])

    def _of_total(self, node: Node) -> tuple[Any, bool] | None:
        """Of a sum over axes, with the largest taken out."""
        (x,), axes = node.operands, node.params["axes"]
        inner = self._log(x)
        if inner is None or not inner[1] or 0 in x.type.shape:
            return None
        if self.is_shifted(inner[0], axes):
            return self.xp.log(self.xp.sum(self.xp.exp(inner[0]), axis=axes)), True
        low, top = self.shifted(inner[0], axes)
        rest = self.xp.log(self.xp.sum(self.xp.exp(low), axis=axes))
        return rest + self.xp.reshape(top, rest.shape), True

    def shifted(self, x: Any, axes: tuple[int, ...]) -> tuple[Any, Any]:
        """x less its largest along the axes, if that is finite; and that, kept as a constant by derivatives."""
        top = self.xp.stop_gradient(self.xp.max(x, axis=axes, keepdims=True))
        top = self.xp.where(self.xp.isfinite(top), top, 0.0)
        low = x - top
        self._shifted.add((low.value, axes))
        return low, top

    def is_shifted(self, x: Any, axes: tuple[int, ...]) -> bool:
        """Whether the largest has been taken out of x already, here or by the user."""
        if (x.value, axes) in self._shifted:
            return True
        node = self.node(x.value, "subtract")
        if node is None:
            return False
        top = self.made.get(self.source(node.operands[1]))
        return top is not None and top.op.name == "max" and top.operands[0] is node.operands[0] and (
            tuple(top.params["axes"]) == axes)
