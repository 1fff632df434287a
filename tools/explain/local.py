"""The derivative of one node in each entry of its operands: a case per kind.

A pattern says which entries of an operand which entry of the result depends on; the numbers come
from a backend, run on a graph of that one node, and so from the op's own record.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from wengert.backends import protocol
from wengert.ir import kinds
from wengert.ir.build import Builder
from wengert.ir.graph import Constant, Graph, Node
from wengert.ir.passes import dead_code, enclose_stacks
from wengert.ir.types import ArrayType, is_inexact

__all__ = ["BUDGET", "Pattern", "flows", "is_rename", "one_result_each", "pattern", "renamed", "slopes"]

#: The most entries that one node's Jacobian may have.
BUDGET = 10**7

#: For each entry of the Jacobian in one operand: where it is in the (flat) result, and in the
#: operand.
Pattern: TypeAlias = tuple[np.ndarray, np.ndarray]


# -- nodes that only rename scalars -----------------------------------------------


def is_rename(node: Node) -> bool:
    """Whether each entry of the result is an entry of an operand, or 0: a movement, a gather, a
    cast.
    """
    op, type_ = node.op, node.operands[0].type
    if isinstance(op, kinds.Elementwise):
        return op.symbol == "cast" and np.can_cast(type_.dtype, node.result.type.dtype, "same_kind")
    return isinstance(op, kinds.Movement) or (isinstance(op, kinds.Indexing) and op.gather)


def renamed(node: Node, ids: Sequence[np.ndarray], arrays: Sequence[np.ndarray]) -> np.ndarray:
    """The ids of the result's entries, where ``ids`` are those of the operands' and 0 stands for
    a known number.
    """
    if isinstance(node.op, kinds.Elementwise):
        return ids[0]
    moved = list(ids) if isinstance(node.op, kinds.Movement) else [ids[0], arrays[1]]
    (result,) = protocol.get("numpy").compile(_alone(node, dtype=np.dtype(np.int64)))(moved)
    return np.asarray(result)


def _alone(node: Node, dtype: np.dtype[Any] | None = None) -> Graph:
    """The node as a graph of its own, each operand an input."""
    b = Builder()
    types = [v.type if dtype is None else ArrayType(dtype, v.type.shape) for v in node.operands]
    return b.graph([b.emit(node.op, [b.input(t) for t in types], **node.params)])


def one_result_each(graph: Graph) -> Graph:
    """With a node for each result of a node that has several, such as a loop."""
    nodes: list[Node] = []
    for node in enclose_stacks(graph).nodes:
        op = node.op
        if isinstance(op, kinds.Library | kinds.Control) and len(node.results) > 1:
            for j, v in enumerate(node.results):
                only = _only(op, j) if isinstance(op, kinds.Library) else _carried(op, j)
                nodes.append(Node(only, node.operands, node.params, (v,), node.location))
        else:
            nodes.append(node)
    return dead_code(graph.evolve(nodes=tuple(nodes)))


def _carried(op: kinds.Control, j: int) -> kinds.Control:
    """The op with its result ``j`` alone."""
    return kinds.Control(
        name=f"{op.name}.{j}", doc=op.doc, params=op.params,
        types=lambda _, types, params: (op.infer(types, params)[j],),
        drive=lambda machine, operands, params: [op.drive(machine, operands, params)[j]],
    )  # fmt: skip


def _only(op: kinds.Library, j: int) -> kinds.Library:
    """The op with its result ``j`` alone."""

    def jvp(xp: Any, out: Any, primals: Any, tangents: Any, params: Any) -> Any:
        whole = op.call(*primals, **params)  # rules run on arrays here, never on a Builder
        return op.jvp(xp, whole, primals, tangents, params)[j]  # type: ignore[misc]

    return kinds.Library(
        name=f"{op.name}.{j}", doc=op.doc, params=op.params, call=lambda *xs, **params: op.call(*xs, **params)[j],
        types=lambda _, types, params: (op.infer(types, params)[j],), jvp=jvp if op.jvp else None, vjp=op.vjp,
    )  # fmt: skip


# -- which entries depend on which ------------------------------------------------


def pattern(node: Node, arrays: Sequence[np.ndarray]) -> list[Pattern]:
    """One per operand; for a contraction, entry by entry the factors of one product."""
    return _PATTERNS[type(node.op)](node, arrays)


def _check_budget(node: Node, count: int) -> None:
    if count > BUDGET:
        message = (
            f"The Jacobian of {node.op.name} has {count} entries, and explain works with "
            f"{BUDGET} at most. "
            "Explain the function on smaller arrays."
        )
        raise ValueError(message)


def _diagonal(node: Node, arrays: Sequence[np.ndarray]) -> list[Pattern]:
    every = np.arange(node.result.type.size)
    return [(every, every)] * len(node.operands)


def _folded(node: Node, arrays: Sequence[np.ndarray]) -> list[Pattern]:
    x, axes = node.operands[0].type, node.params["axes"]
    kept = tuple(1 if a in axes else n for a, n in enumerate(x.shape))
    rows = np.broadcast_to(np.arange(node.result.type.size).reshape(kept), x.shape)
    return [(rows.ravel(), np.arange(x.size))]


def _contracted(node: Node, arrays: Sequence[np.ndarray]) -> list[Pattern]:
    terms = kinds.Contraction.split(node.params["subscripts"])
    sizes = {c: n for term, v in zip(terms, node.operands, strict=False)
             for c, n in zip(term, v.type.shape, strict=True)}  # fmt: skip
    letters = terms[2] + "".join(c for c in sizes if c not in terms[2])
    shape = tuple(sizes[c] for c in letters)
    _check_budget(node, math.prod(shape))
    x, y, rows = (_flat_index(term, letters, shape) for term in terms)
    return [(rows, x), (rows, y)]


def _flat_index(term: str, letters: str, shape: tuple[int, ...]) -> np.ndarray:
    """For each choice of all the letters, the flat position in the array that ``term`` indexes."""
    axes = [letters.index(c) for c in term]
    own = np.arange(math.prod(shape[a] for a in axes)).reshape([shape[a] for a in axes])
    ordered = own.transpose(np.argsort(axes))
    return np.broadcast_to(ordered.reshape([n if a in axes else 1 for a, n in enumerate(shape)]), shape).ravel()


def _scattered(node: Node, arrays: Sequence[np.ndarray]) -> list[Pattern]:
    out = node.result.type
    rows = np.take(np.arange(out.size).reshape(out.shape), arrays[1], axis=node.params["axis"])
    nothing = np.arange(0)
    return [(rows.ravel(), np.arange(rows.size)), (nothing, nothing)]


def _dense(node: Node, arrays: Sequence[np.ndarray]) -> list[Pattern]:
    m = node.result.type.size
    _check_budget(node, m * max((v.type.size for v in node.operands), default=0))
    return [(np.repeat(np.arange(m), v.type.size), np.tile(np.arange(v.type.size), m)) for v in node.operands]


_PATTERNS: dict[type[kinds.Op], Callable[[Node, Sequence[np.ndarray]], list[Pattern]]] = {
    kinds.Elementwise: _diagonal,
    kinds.Reduction: _folded,
    kinds.Contraction: _contracted,
    kinds.Indexing: _scattered,
    kinds.Cumulative: _dense,
    kinds.Library: _dense,
    kinds.Control: _dense,
}


# -- the numbers ------------------------------------------------------------------


def flows(node: Node, k: int) -> bool:
    """Whether a derivative can pass from operand ``k`` to the result."""
    op = node.op
    if not (any(is_inexact(v.type.dtype) for v in node.results) and is_inexact(node.operands[k].type.dtype)):
        return False
    if isinstance(op, kinds.Elementwise):
        known = not (isinstance(op.partials[k], kinds.Unknown) and isinstance(node.operands[k], Constant))
        return op.partials[k] is not None and known
    if isinstance(op, kinds.Reduction):
        return op.partial is not None
    return not (isinstance(op, kinds.Library) and op.jvp is None)


def slopes(node: Node, k: int, arrays: Sequence[np.ndarray], entries: Sequence[Pattern]) -> np.ndarray:
    """The derivative for each entry of operand ``k``'s pattern."""
    rows, cols = entries[k]
    op, shape = node.op, node.operands[k].type.shape
    if isinstance(op, kinds.Elementwise):  # diagonal: one direction sees every entry
        return _pushed(node, k, arrays, np.ones((1, *shape)))[0].ravel()
    if isinstance(op, kinds.Reduction):  # each entry counts in one result: one cotangent sees every entry
        ones = np.ones((1, *node.result.type.shape), node.result.type.dtype)
        _, (g,) = protocol.get("numpy").reverse(_alone(node), (k,))(arrays, [ones])
        return np.asarray(g[0]).ravel()
    if isinstance(op, kinds.Contraction):
        return arrays[1 - k].ravel()[entries[1 - k][1]]
    if isinstance(op, kinds.Indexing):
        return np.ones(len(rows))
    basis = np.eye(math.prod(shape)).reshape(-1, *shape)
    return _pushed(node, k, arrays, basis).reshape(len(basis), -1)[cols, rows]


def _pushed(node: Node, k: int, arrays: Sequence[np.ndarray], tangents: np.ndarray) -> np.ndarray:
    given = tangents.astype(node.operands[k].type.dtype)
    _, (moved,) = protocol.get("numpy").forward(_alone(node), (k,))(arrays, [given])
    return np.asarray(moved)
