"""Derivatives with fewer calls: what is put side by side is joined, and products of what is known are taken first.

The first makes -0.0 of 0.0, the second rounds otherwise, so these are for derivatives alone.  Signs meet and are gone.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence

from wengert.ir.build import Builder
from wengert.ir.graph import Graph, Node, Value
from wengert.ir.ops import OPS
from wengert.ir.passes.rewriting import rewritten

__all__ = ["factored", "joined", "unsigned"]

#: Parts of a whole: where each starts and ends along the axis that they lie along, and what it is.
_Parts = dict[tuple[int, int], Value]


def joined(graph: Graph) -> Graph:
    """The graph with a concatenation for each sum of arrays in zeros that are all of it; dead code is left in it."""
    parts: dict[Value, tuple[int, _Parts]] = {}

    def expand(b: Builder, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
        if node.op is OPS["place"]:
            made, (x,), start = b.keep(node, operands), operands, node.params["start"]
            axes = [a for a, (n, k) in enumerate(zip(made[0].type.shape, x.type.shape, strict=True)) if n != k]
            if len(axes) == 1 and all(step == 1 for step in node.params["step"]):
                a = axes[0]
                parts[made[0]] = a, {(start[a], start[a] + x.type.shape[a]): x}
            return made
        if node.op is not OPS["add"] or not all(v in parts for v in operands):
            return None
        (axis, first), (other, second) = (parts[v] for v in operands)
        every = {**first, **second}
        whole = sorted(every)
        if axis != other or first.keys() & second.keys() or any(x[1] > y[0] for x, y in itertools.pairwise(whole)):
            return None
        ends = [0, *(end for _, end in whole)]
        shape = node.result.type.shape
        if [*(start for start, _ in whole), shape[axis]] == ends:
            return (b.emit(OPS["concatenate"], [every[key] for key in whole], axis=axis),)
        made = b.keep(node, operands)
        parts[made[0]] = axis, every
        return made

    return rewritten(graph, expand)


def factored(graph: Graph, moving: Sequence[Value]) -> Graph:
    """The graph with one product for many in a row by what does not depend on the ``moving`` values, and a sign."""
    late, readers = set(moving), Counter(graph.used_values())
    factors: dict[Value, tuple[Value | None, Value]] = {}  # of a product; None is -1

    def product(b: Builder, p: Value | None, x: Value, *, once: bool) -> tuple[Value]:
        if once and x in factors:
            q, x = factors[x]
            if p is q is None:
                return (x,)
            if p is None or q is None:
                known = q if p is None else p
                p = None if known is None else b.emit(OPS["negative"], (known,))
            else:
                p = b.emit(OPS["multiply"], (p, q))
        made = b.emit(OPS["negative"], (x,)) if p is None else b.emit(OPS["multiply"], (p, x))
        late.add(made)
        factors[made] = p, x
        return (made,)

    def expand(b: Builder, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
        if late.isdisjoint(operands):
            return None
        if len(node.results) == 1 and node.result.type.dtype.kind == "f":
            k = operands.index(next(v for v in operands if v in late))
            once = readers[node.operands[k]] == 1
            if node.op is OPS["negative"]:
                return product(b, None, operands[0], once=once)
            if node.op is OPS["multiply"] and not late.issuperset(operands):
                return product(b, operands[1 - k], operands[k], once=once)
        late.update(node.results)
        return None

    return rewritten(graph, expand)


def unsigned(graph: Graph) -> Graph:
    """The graph with signs behind products, where they may meet others: -x * y is -(x * y); dead code is left in it."""
    readers = Counter(graph.used_values())
    positive: dict[Value, Value] = {}

    def expand(b: Builder, node: Node, operands: tuple[Value, ...]) -> Sequence[Value] | None:
        if len(node.results) != 1 or node.result.type.dtype.kind != "f":
            return None
        if node.op is OPS["negative"]:
            (x,) = operands
            if x in positive:
                return (positive[x],)
            made = b.keep(node, operands)
            positive[made[0]] = x
            return made
        flags = [v in positive and readers[old] == 1 for v, old in zip(operands, node.operands, strict=True)]
        if node.op not in (OPS["multiply"], OPS["divide"]) or not any(flags):
            return None
        product = b.emit(node.op, [positive[v] if flag else v for v, flag in zip(operands, flags, strict=True)])
        if all(flags):
            return (product,)
        made = (b.emit(OPS["negative"], (product,)),)
        positive[made[0]] = product
        return made

    return rewritten(graph, expand)
