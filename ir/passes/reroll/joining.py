"""Rows of an array that are joined again in their order: the array itself, or a part of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from wengert.ir.build import Builder
from wengert.ir.graph import Graph, Node, Value
from wengert.ir.ops import OPS
from wengert.ir.passes.basic import dead_code
from wengert.ir.passes.reroll.entries import cut, reshaped
from wengert.ir.passes.rewriting import rewritten

__all__ = ["join_rows"]

Row = tuple[Value, int]

#: Rows that are worth being looked for.
_FEWEST = 4


def join_rows(graph: Graph, known: dict[Value, Row]) -> Graph:
    """With concatenations of rows of one array, one after the other, made slices of it; ``known`` are values that are
    rows though they are none by name, such as the last of what a loop carries."""
    concatenate = OPS["concatenate"]
    if not any(node.op is concatenate and len(node.operands) >= _FEWEST for node in graph.nodes):
        return graph
    made: dict[Value, Node] = {}

    def row(value: Value) -> Row | None:
        while value not in known and (node := made.get(value)) is not None and node.op is OPS["reshape"]:
            (value,) = node.operands
        if value in known:
            return known[value]
        node = made.get(value)
        if node is None or node.op is not OPS["slice"]:
            return None
        (x,), start, size = node.operands, node.params["start"], node.params["size"]
        whole = size[0] == 1 and size[1:] == x.type.shape[1:] and not any(start[1:]) and all(
            d == 1 for d in node.params["step"][1:])
        return (x, start[0]) if whole and size else None

    def expand(b: Builder, node: Node, operands: tuple[Value, ...]) -> tuple[Value, ...] | None:
        if node.op is not concatenate or len(operands) < _FEWEST:
            results = b.keep(node, operands)
            made.update((v, b.nodes[-1]) for v in results)
            known.update((new, known[old]) for old, new in zip(node.results, results, strict=True) if old in known)
            return results
        axis = node.params["axis"]
        parts = []
        for group, rows in _runs(operands, [row(v) for v in operands]):
            parts += [_block(b, group[0].type.shape, axis, rows)] if len(group) >= _FEWEST else group
        return (parts[0],) if len(parts) == 1 else (b.emit(concatenate, parts, axis=axis),)

    return dead_code(rewritten(graph, expand))


def _runs(values: Sequence[Value], rows: Sequence[Row | None]) -> Iterator[tuple[list[Value], list[Row]]]:
    """Neighbours that are rows of one array at equal distances."""
    group: list[Value] = []
    found: list[Row] = []
    for v, r in zip(values, rows, strict=True):
        fits = bool(found) and r is not None and r[0] is found[0][0] and v.type == group[0].type and (
            len(found) == 1 or r[1] - found[-1][1] == found[1][1] - found[0][1])
        fits = fits and r[1] != found[-1][1]  # type: ignore[index]
        if group and not fits:
            yield group, found
            group, found = [], []
        group.append(v)
        found += [] if r is None else [r]
    yield group, found


def _block(b: Builder, shape: tuple[int, ...], axis: int, rows: list[Row]) -> Value:
    """Rows of an array, each in a shape, joined along an axis."""
    x, first = rows[0]
    n, rest = len(rows), x.type.shape[1:]
    step = (rows[1][1] - first, *(1,) * len(rest))
    part = cut(b, x, (first, *(0,) * len(rest)), (n, *rest), step)
    part = reshaped(b, part, (n, *shape))
    if axis:
        order = (*range(1, axis + 1), 0, *range(axis + 1, len(shape) + 1))
        part = b.emit(OPS["transpose"], (part,), axes=tuple(np.array(order).tolist()))
    return reshaped(b, part, (*shape[:axis], n * shape[axis], *shape[axis + 1 :]))
