"""Straight lines of plain numbers: a graph without axes in Python's own float arithmetic, which is IEEE's.

Functions are NumPy's, which give the same bits here as on arrays.  Where Python raises and IEEE answers (a division by
zero), the call is made again with NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.backends.assembled import assembled
from wengert.backends.quiet import quiet
from wengert.backends.vectorized.lines import Lines
from wengert.ir import kinds
from wengert.ir.graph import Constant, Graph, Node, Value
from wengert.ir.ops import OPS
from wengert.ir.passes import dead_code, inline_bodies

__all__ = ["numbers"]

_BINARY = {
    **{symbol: symbol for symbol in ("+", "-", "*", "/", "<", "<=", ">", ">=", "==", "!=")},
    "and": "and", "or": "or", "xor": "!=",
}  # fmt: skip
_UNARY = {"neg": "-{}", "not": "not {}", "abs": "abs({})", "identity": "{}"}
#: What Python raises where IEEE has an answer.
_RAISED = (ZeroDivisionError, ValueError)


def _scaled(p: float, t: float) -> float:
    product = p * t
    return 0.0 if product != product and (p == 0 or t == 0) else product


def _spelled(v: Constant) -> str:
    x = v.array.item()
    return repr(x) if isinstance(x, bool) or math.isfinite(x) else f"float('{x!r}')"


def _text(node: Node, xs: list[str]) -> str | None:
    """A node as an expression; None where it has none."""
    op = node.op
    if not isinstance(op, kinds.Elementwise):
        return xs[0] if op.name in ("reshape", "broadcast_to", "transpose", "slice") else None
    bools = all(v.type.dtype.kind == "b" for v in node.operands)
    if op is OPS["scale"]:
        return f"scaled({', '.join(xs)})"
    if op.symbol == "cast":
        same = node.operands[0].type.dtype == node.result.type.dtype
        return xs[0] if same else f"float({xs[0]})" if bools else None
    if op.symbol == "?:":
        return f"{xs[1]} if {xs[0]} else {xs[2]}"
    if bools and op.symbol in ("+", "-", "*", "/", "neg", "abs"):
        return None
    if op.symbol in _BINARY:
        return f"{xs[0]} {_BINARY[op.symbol]} {xs[1]}"
    if op.symbol in _UNARY:
        return _UNARY[op.symbol].format(*xs)
    if op is OPS["sqrt"]:
        return f"sqrt({', '.join(xs)})"
    return f"np_{op.name}({', '.join(xs)})" if isinstance(op.function, np.ufunc) else None


def _written_out(op: kinds.Elementwise) -> bool:
    """Whether an op is as good as its body, to the last bit."""
    return op is not OPS["scale"] and (not isinstance(op.function, np.ufunc) or op.name in ("square", "isnan"))


def numbers(
    graph: Graph, *, saved: int | None = None, checked: range | None = None
) -> Callable[..., tuple[Any, ...]] | None:
    """The function of a graph of real numbers and truths alone, from Python's to Python's; None for any other graph.

    The outputs from ``saved`` on are handed out together, as one tuple; last comes, for those that are ``checked``, a
    number that is NaN where one is.
    """
    graph = dead_code(inline_bodies(graph, _written_out))
    every = {*graph.inputs, *graph.used_values(), *(v for node in graph.nodes for v in node.results)}
    if any(v.type.shape or v.type.dtype not in (np.float64, np.bool_) for v in every):
        return None
    names: dict[Value, str] = {v: f"({_spelled(v)})" for v in every if isinstance(v, Constant)}
    names.update((v, f"x{i}") for i, v in enumerate(graph.inputs))
    lines = []
    for node in graph.nodes:
        text = _text(node, [names[v] for v in node.operands])
        if text is None or len(node.results) > 1:
            return None
        names[node.result] = f"v{len(names)}"
        lines.append(f"{names[node.result]} = {text}")
    results = [names[v] for v in graph.guarded_outputs]
    check = " + ".join(["0.0", *(f"{results[i]} * {results[i]}" for i in checked or ())])
    results += [] if checked is None else [check]
    arguments = [f"x{i}" for i in range(len(graph.inputs))]
    functions = {f"np_{node.op.name}": node.op.function for node in graph.nodes}
    scope = {"scaled": _scaled, "sqrt": math.sqrt, "raised": _RAISED,
             "again": _again(graph, saved, checked), **functions}  # fmt: skip
    return assembled("numbers", arguments, [
        "try:", *(f"    {line}" for line in lines), f"    return {_packed(results, saved)}", "except raised:",
        f"    return again({', '.join(arguments)})",
    ], scope)  # fmt: skip


def _packed(results: list[str], saved: int | None) -> str:
    first, rest = results[:saved], [] if saved is None else results[saved:]
    inner = f"({''.join(f'{x}, ' for x in rest)}), " if saved is not None else ""
    return f"({''.join(f'{x}, ' for x in first)}{inner})"


def _again(graph: Graph, saved: int | None, checked: range | None) -> Callable[..., tuple[Any, ...]]:
    made: list[Any] = []

    def again(*xs: Any) -> tuple[Any, ...]:
        if not made:
            made.append(quiet(Lines(graph, own=True).function("values", checked=checked)))
        found = made[0](*map(np.array, xs))
        plain = [x.item() for x in found]
        return tuple(plain) if saved is None else (*plain[:saved], tuple(plain[saved:]))

    return again
