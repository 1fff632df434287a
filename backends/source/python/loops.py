"""Control ops as Python: a function for each sub-graph, and real loops that call them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from wengert.backends.source.python.literals import Expression, dtype_name
from wengert.ir.graph import Graph, Node, Value
from wengert.ir.types import STEPS

if TYPE_CHECKING:
    from wengert.backends.source.python.emit import Printer

__all__ = ["control"]


def control(p: Printer, node: Node) -> Expression:
    """What gives the results of a control node; a loop is printed before it."""
    return _WRITERS[node.op.name](p, node, [p.read(v).text for v in node.operands], node.params)


def _called(p: Printer, node: Node, xs: list[str], params: dict[str, Any]) -> Expression:
    call = f"{p.subprogram(params['graph'])}({', '.join(xs)})"
    return Expression(call if len(node.results) > 1 else f"{call}[0]", 1)


def _switch(p: Printer, node: Node, xs: list[str], params: dict[str, Any]) -> Expression:
    branches = ", ".join(map(p.subprogram, params["graphs"]))
    call = f"{p.helper('_branch')}(({branches},), {xs[0]})({', '.join(xs[1:])})"
    return Expression(call if len(node.results) > 1 else f"{call}[0]", 1)


def _begin(p: Printer, carry: Sequence[str], count: int) -> tuple[list[str], list[str], list[str]]:
    """Names for what is carried, for the results of one step, and for lists of them, which begin here."""
    names = [p.assign(x) for x in carry]
    rows = [p.assign("[]") for _ in range(count)]
    return names, [f"{row}_" for row in rows], rows


def _step(p: Printer, body: str, given: Sequence[str], names: list[str], ys: list[str], rows: list[str]) -> None:
    """One call of a body, in a loop."""
    targets = ", ".join([*names, *ys])
    p.lines.append(f"    {targets}{',' if len(names) + len(ys) == 1 else ''} = {body}({', '.join(given)})")
    p.lines.extend(f"    {row}.append({y})" for row, y in zip(rows, ys, strict=True))


def _results(p: Printer, names: Sequence[str], stacks: Sequence[Value], rows: Sequence[str], order: str) -> Expression:
    texts = list(names)
    for value, row in zip(stacks, rows, strict=True):
        shape, dtype = value.type.shape[1:], dtype_name(value.type.dtype)
        whole = ", ".join([f"len({row})", *map(str, shape)])
        texts.append(p.assign(f"np.array({row}{order}, {dtype}).reshape({whole})"))
    return Expression(", ".join(texts))


def _scan(p: Printer, node: Node, xs: list[str], params: dict[str, Any]) -> Expression:
    p.comment(node.location)
    body, c, m, length = p.subprogram(params["graph"]), params["consts"], params["carries"], str(params["length"])
    if params["length"] == STEPS:
        length, xs = f"int({xs[0]})", xs[1:]
    plain = _plain(params["graph"])
    if plain:
        xs = [*(f"float({x})" for x in xs[: c + m]), *(f"np.asarray({x}).tolist()" for x in xs[c + m :])]
        xs[:c] = [p.assign(x) for x in xs[:c]]
    arrays = [p.assign(x) if not x.isidentifier() else x for x in xs[c + m :]]
    names, ys, rows = _begin(p, xs[c : c + m], len(node.results) - m)
    index = p.assign(None)
    steps = f"reversed(range({length}))" if params["reverse"] else f"range({length})"
    p.lines.append(f"for {index} in {steps}:")
    given = [*xs[:c], *names, *(f"{x}[{index}]" for x in arrays)]
    if names or ys:
        _step(p, body, given, names, ys, rows)
    else:
        p.lines.append(f"    {body}({', '.join(given)})")
    if plain:
        p.lines.extend(f"{name} = np.float64({name})" for name in names)
    return _results(p, names, node.results[m:], rows, "[::-1]" if params["reverse"] else "")


def _plain(graph: Graph) -> bool:
    """Whether Python's own numbers will do in a body: real ones, and nothing but sums, differences and products."""
    values = (*graph.inputs, *graph.used_values(), *(v for node in graph.nodes for v in node.results))
    return all(v.type.dtype == np.float64 and not v.type.shape for v in values) and all(
        getattr(node.op, "symbol", None) in ("+", "-", "*", "neg") for node in graph.nodes)


def _while(p: Printer, node: Node, xs: list[str], params: dict[str, Any]) -> Expression:
    p.comment(node.location)
    test, body, c = p.subprogram(params["condition"]), p.subprogram(params["graph"]), params["consts"]
    m = len(xs) - c
    names, ys, rows = _begin(p, xs[c:], len(node.results) - m - 1)
    steps = p.assign("np.int64(0)")
    given = [*xs[:c], *names]
    p.lines.append(f"while {test}({', '.join(given)})[0]:")
    _step(p, body, given, names, ys, rows)
    p.lines.append(f"    {steps} += 1")
    return _results(p, [*names, steps], node.results[m + 1 :], rows, "")


_WRITERS: dict[str, Callable[[Printer, Node, list[str], dict[str, Any]], Expression]] = {
    "call": _called,
    "checkpoint": _called,
    "custom": _called,
    "linear": _called,
    "linear_solve": _called,
    "switch": _switch,
    "scan": _scan,
    "while": _while,
}
