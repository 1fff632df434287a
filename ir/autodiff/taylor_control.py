"""Taylor coefficients of control ops: the same op on sub-graphs that carry coefficients beside values.

``given`` and ``ends`` say of each input or output of a sub-graph which coefficients it has: the others are zero.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from wengert.ir.autodiff.pushing import Scan, emit, reading
from wengert.ir.driving import BACK_ONLY
from wengert.ir.errors import DerivativeError
from wengert.ir.graph import Graph, Node, Value
from wengert.ir.ops import OPS

__all__ = ["RULES", "Orders"]

#: Of each value the coefficients that it has, but for the first, which all have.
Orders: TypeAlias = tuple[tuple[int, ...], ...]
#: (the program of series, a node of its tape, the last coefficient) to the coefficients of each result.
Found: TypeAlias = "list[dict[int, Value]]"


def _orders(s: Any, values: Sequence[Value], top: int) -> Orders:
    return tuple(tuple(k for k in range(1, top + 1) if s.at(v, k) is not None) for v in values)


def _given(s: Any, values: Sequence[Value], orders: Orders) -> list[Value]:
    """The coefficients of these orders, zeros where there are none."""
    return [s.zeros(v) if (c := s.at(v, k)) is None else c
            for v, ks in zip(values, orders, strict=True) for k in ks]  # fmt: skip


def _found(ends: Orders, coefficients: Sequence[Value]) -> Found:
    rest = iter(coefficients)
    return [{k: next(rest) for k in ks} for ks in ends]


def _count(orders: Orders) -> int:
    return sum(map(len, orders))


def _both(x: Orders, y: Orders) -> Orders:
    return tuple(tuple(sorted({*a, *b})) for a, b in zip(x, y, strict=True))


def _called(s: Any, node: Node, top: int) -> Found:
    orders = _orders(s, node.operands, top)
    whole = s.expanded(node.params["graph"], top, orders)
    operands = [*map(s.value, node.operands), *_given(s, node.operands, orders)]
    made = s.builder.emit_all(node.op, operands, **{**node.params, "graph": whole.graph})
    return _found(whole.ends, made[len(node.results) :])


def _linear(s: Any, node: Node, top: int) -> Found:
    """A call, as its transpose is not asked for."""
    graph = node.params["graph"]
    if graph is None:
        raise DerivativeError(BACK_ONLY, op="linear", location=node.location)
    return _called(s, Node(OPS["call"], node.operands, {"graph": graph}, node.results, node.location), top)


def _solved(s: Any, node: Node, top: int) -> Found:
    """Of A(c) x = b: x_k solves A(c_0) x_k = b_k less what the product with x_0, ..., x_{k-1} has of order k."""
    *consts, b = node.operands
    known, first, found = [*map(s.value, consts)], s.value(node.results[0]), dict[int, Value]()
    for k in range(1, top + 1):
        orders = _orders(s, consts, k)
        whole = s.expanded(node.params["product"], k, (*orders, tuple(found)))
        made = emit(s.builder, "call", [*known, first, *_given(s, consts, orders), *found.values()], graph=whole.graph)
        right = s.less(s.at(b, k), _found(whole.ends, made[1:])[0].get(k))
        if right is not None:
            (found[k],) = s.builder.emit_all(node.op, [*known, right], **node.params)
    return [found]


def _switched(s: Any, node: Node, top: int) -> Found:
    index, *rest = node.operands
    orders, graphs = _orders(s, rest, top), node.params["graphs"]
    ends: Orders = ((),) * len(node.results)
    for graph in graphs:
        ends = _both(ends, s.expanded(graph, top, orders).ends)
    branches = tuple(s.expanded(graph, top, orders, ends).graph for graph in graphs)
    operands = [s.value(index), *map(s.value, rest), *_given(s, rest, orders)]
    return _found(ends, emit(s.builder, "switch", operands, graphs=branches)[len(node.results) :])


def _carried(s: Any, graph: Graph, top: int, given: Callable[[Orders], Orders], carry: Orders) -> tuple[Orders, Orders]:
    """What the carried values have: at first, and from one step to the next; and all that a step gives, then."""
    m = len(carry)
    while True:
        ends = s.expanded(graph, top, given(carry)).ends
        more = _both(carry, ends[:m])
        if more == carry:
            return carry, (*carry, *ends[m:])
        carry = more


def _looping(graph: Graph, n: int, parts: Sequence[tuple[int, Orders]], ends: Orders, m: int) -> Graph:
    """An expanded graph with the coefficients of its inputs behind each of their ``parts``, and those of its first m
    outputs, which are carried, behind them."""
    first, inputs, own = 0, [], list(graph.inputs[n:])
    for size, orders in parts:
        inputs += [*graph.inputs[first : first + size], *own[: _count(orders)]]
        own, first = own[_count(orders) :], first + size
    outs, rest, q = graph.outputs[: len(ends)], graph.outputs[len(ends) :], _count(ends[:m])
    return graph.evolve(inputs=tuple(inputs), outputs=(*outs[:m], *rest[:q], *outs[m:], *rest[q:]))


def _scanned(s: Any, node: Node, top: int) -> Found:
    scan = Scan.of(node.params, node.operands)
    consts, xs = (_orders(s, values, top) for values in (scan.consts, scan.xs))
    carry, ends = _carried(
        s, scan.graph, top, lambda moving: (*consts, *moving, *xs), _orders(s, scan.carry, top))
    whole = s.expanded(scan.graph, top, (*consts, *carry, *xs), ends).graph
    c, m, count = len(scan.consts), len(scan.carry), len(node.results)
    parts = [(c, consts), (m, carry), (len(scan.xs), xs)]
    body = _looping(whole, len(scan.graph.inputs), parts, ends, m)
    given = [*map(s.value, scan.steps)]
    for values, orders in zip((scan.consts, scan.carry, scan.xs), (consts, carry, xs), strict=True):
        given += [*map(s.value, values), *_given(s, values, orders)]
    q = _count(carry)
    made = emit(s.builder, "scan", given, graph=body, consts=c + _count(consts), carries=m + q,
                length=scan.length, reverse=scan.reverse)  # fmt: skip
    return _found(ends, (*made[m : m + q], *made[q + count :]))


def _whiled(s: Any, node: Node, top: int) -> Found:
    graph, c = node.params["graph"], node.params["consts"]
    fixed, moving = node.operands[:c], node.operands[c:]
    consts, m = _orders(s, fixed, top), len(moving)
    carry, ends = _carried(s, graph, top, lambda orders: (*consts, *orders), _orders(s, moving, top))
    whole = s.expanded(graph, top, (*consts, *carry), ends).graph
    body = _looping(whole, len(graph.inputs), [(c, consts), (m, carry)], ends, m)
    k, q, count = _count(consts), _count(carry), len(graph.outputs)
    condition = reading(
        node.params["condition"], [*range(c), *range(c + k, c + k + m)], [v.type for v in body.inputs])
    given = [*map(s.value, fixed), *_given(s, fixed, consts), *map(s.value, moving), *_given(s, moving, carry)]
    made = emit(s.builder, "while", given, condition=condition, graph=body, consts=c + k)
    found = _found(ends, (*made[m : m + q], *made[m + q + 1 + count - m :]))
    return [*found[:m], {}, *found[m:]]  # the number of steps comes behind what is carried


RULES: dict[str, Callable[[Any, Node, int], Found]] = {
    "call": _called,
    "checkpoint": _called,
    "linear": _linear,
    "linear_solve": _solved,
    "switch": _switched,
    "scan": _scanned,
    "while": _whiled,
}
