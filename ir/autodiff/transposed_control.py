"""Transposes of linear control nodes: the same op on transposed graphs, a scan from the other end."""

from __future__ import annotations

import functools
import string
from collections.abc import Callable, Sequence

from wengert.ir.autodiff.pushing import Scan, positions, spread, there
from wengert.ir.autodiff.residuals import bytes_of
from wengert.ir.autodiff.subgraphs import transposed, zeros
from wengert.ir.build import Builder
from wengert.ir.errors import DerivativeError
from wengert.ir.graph import Graph, Node, Value
from wengert.ir.kinds import Contraction
from wengert.ir.ops import OPS
from wengert.ir.types import STEPS

__all__ = ["transpose"]

#: Cotangents of a node's operands, None where none are due.
Given = Sequence[Value | tuple[Value, ...] | None]


def transpose(b: Builder, node: Node, linear: set[Value], cotangents: Given) -> list[Value | None]:
    """The cotangents of the linear operands of a node, from those of its results.

    Those of a stack come as a tuple, to be added where they are read.
    """
    if node.op.name not in _TRANSPOSES:
        message = f"{node.op.name} is not linear, so it cannot be transposed."
        raise DerivativeError(message, op=node.op.name, location=node.location)
    return _TRANSPOSES[node.op.name](b, node, [v in linear for v in node.operands], cotangents)


def _call_transposed(b: Builder, node: Node, linear: Sequence[bool], cotangents: Given) -> list[Value | None]:
    lin, given = _which(linear), positions(cotangents)  # type: ignore[arg-type]
    graph = transposed(node.params["graph"], lin, given)
    known = [v for v, moving in zip(node.operands, linear, strict=True) if not moving]
    made = b.emit_all(node.op, [*known, *there(cotangents)], **{**node.params, "graph": graph})  # type: ignore[arg-type]
    return spread(len(linear), lin, made)


def _linear_transposed(b: Builder, node: Node, linear: Sequence[bool], cotangents: Given) -> list[Value | None]:
    """The transpose that is stated."""
    c, back = node.params["consts"], node.params["back"]
    given = [zeros(b, v) if g is None else g for v, g in zip(node.results, cotangents, strict=True)]
    made = b.emit_all(OPS["call"], [*node.operands[:c], *given], graph=back)  # type: ignore[list-item]
    return [g if moving else None for moving, g in zip(linear, [*[None] * c, *made], strict=True)]


def _solve_transposed(b: Builder, node: Node, linear: Sequence[bool], cotangents: Given) -> list[Value | None]:
    """The solution of the transposed system."""
    params, (*consts, _) = node.params, node.operands
    product = transposed(params["product"], (len(consts),), (0,))
    made = b.emit_all(node.op, [*consts, *there(cotangents)], graph=params["back"], back=params["graph"],  # type: ignore[list-item, arg-type]
                      product=product, consts=len(consts))  # fmt: skip
    return spread(len(linear), (len(consts),), made)


def _which(flags: Sequence[bool]) -> tuple[int, ...]:
    return tuple(i for i, flag in enumerate(flags) if flag)


def _switch_transposed(b: Builder, node: Node, linear: Sequence[bool], cotangents: Given) -> list[Value | None]:
    lin, given = _which(linear[1:]), positions(cotangents)  # type: ignore[arg-type]
    graphs = tuple(transposed(graph, lin, given) for graph in node.params["graphs"])
    known = [v for v, moving in zip(node.operands, linear, strict=True) if not moving]
    made = b.emit_all(node.op, [*known, *there(cotangents)], graphs=graphs)  # type: ignore[arg-type]
    return spread(len(linear), [1 + i for i in lin], made)


def _scan_transposed(b: Builder, node: Node, linear: Sequence[bool], cotangents: Given) -> list[Value | None]:
    """Backwards: the carry is its cotangent, and the cotangents of consts add up beside it, or where they are products
    of less in each step, in one contraction after the loop.

    What a linear scan carries is linear, also where it begins with zeros that are known.
    """
    s, moves = Scan.of(node.params, node.operands), Scan.of(node.params, linear)
    c, m = len(s.consts), len(s.carry)
    fixed, varying = _which(moves.consts), _which(moves.xs)
    gs: list[tuple[Value, ...]] = [g if isinstance(g, tuple) else () if g is None else (g,) for g in cotangents]
    ys = [i for i in range(m, len(gs)) if gs[i]]
    lin = (*fixed, *range(c, c + m), *(c + m + i for i in varying))
    inner = transposed(s.graph, lin, (*range(m), *ys))
    later = {} if s.length == STEPS else _products(inner, len(fixed))
    factors = list(dict.fromkeys(v for nodes in later.values() for node in nodes for v in node.operands))
    count, inner = len(inner.outputs), inner.evolve(outputs=(*inner.outputs, *factors))
    sums_of = [k for k in range(len(fixed)) if k not in later]
    known = [i for i in range(c) if i not in fixed]
    body = Builder(f"{s.graph.name}_back")
    held = [body.input(s.graph.inputs[i].type) for i in known]
    pulled = [body.input(v.type) for v in s.graph.inputs[c : c + m]]
    sums = [body.input(s.graph.inputs[fixed[k]].type) for k in sums_of]
    read = [body.input(v.type) for i, v in enumerate(s.graph.inputs[c + m :]) if i not in varying]
    arrived = []
    for i in ys:
        each = [body.input(s.graph.outputs[i].type.with_shape(s.graph.outputs[i].type.shape)) for _ in gs[i]]
        arrived.append(_total(body, each))
    made = body.inline(inner, [*held, *read, *pulled, *arrived])
    added = [body.apply(OPS["add"], x, made[k]) for x, k in zip(sums, sums_of, strict=True)]  # type: ignore[arg-type]
    rest = made[len(fixed) : count]
    graph = body.graph([*rest[:m], *added, *rest[m:], *made[count:]])
    first = [_total(b, gs[i]) if gs[i] else zeros(b, s.carry[i]) for i in range(m)]
    operands = [
        *s.steps, *(s.consts[i] for i in known), *first, *(zeros(b, s.consts[fixed[k]]) for k in sums_of),
        *(x for i, x in enumerate(s.xs) if i not in varying), *(g for i in ys for g in gs[i]),
    ]  # fmt: skip
    out = b.emit_all(node.op, operands, graph=graph, consts=len(known), carries=m + len(sums), length=s.length,
                     reverse=not s.reverse)  # fmt: skip
    end = len(out) - len(factors)
    stacks = dict(zip(factors, out[end:], strict=True))
    totals = dict(zip(sums_of, out[m : m + len(sums)], strict=True))
    totals |= {k: _total(b, [_summed(b, each, stacks) for each in nodes]) for k, nodes in later.items()}
    out = (*out[:m], *(totals[k] for k in range(len(fixed))), *out[m + len(sums) : end])
    start = len(s.steps)
    targets = [*(start + c + i for i in range(m)), *(start + i for i in fixed), *(start + c + m + i for i in varying)]
    return spread(len(linear), targets, out)


def _products(graph: Graph, count: int) -> dict[int, list[Node]]:
    """Of the first outputs those that are contractions, or sums of some, of less than they give."""
    made = {v: node for node in graph.nodes for v in node.results}
    found = {}
    for k, value in enumerate(graph.outputs[:count]):
        nodes, values = [], [value]
        while values and (node := made.get(values.pop())) is not None:
            if node.op is OPS["add"]:
                values += node.operands
            elif isinstance(node.op, Contraction):
                nodes.append(node)
            else:
                break
        else:
            if not values and nodes and bytes_of({v for n in nodes for v in n.operands}) <= bytes_of([value]):
                found[k] = nodes
    return found


def _summed(b: Builder, node: Node, stacks: dict[Value, Value]) -> Value:
    """The sum of a contraction over all steps: their number is one more letter."""
    x, y, out = Contraction.split(node.params["subscripts"])
    step = next(letter for letter in string.ascii_letters if letter not in x + y + out)
    return b.emit(node.op, [stacks[v] for v in node.operands], subscripts=f"{step}{x},{step}{y}->{out}")


def _total(b: Builder, values: Sequence[Value]) -> Value:
    return functools.reduce(lambda x, y: b.apply(OPS["add"], x, y), values)  # type: ignore[arg-type]


_TRANSPOSES: dict[str, Callable[..., list[Value | None]]] = {
    "call": _call_transposed,
    "checkpoint": _call_transposed,
    "linear": _linear_transposed,
    "linear_solve": _solve_transposed,
    "switch": _switch_transposed,
    "scan": _scan_transposed,
}
