"""Graph to graph, small, each tested alone.  None changes a value or a derivative's convention."""

from __future__ import annotations

from wengert.ir.graph import Graph
from wengert.ir.passes.basic import common_subexpressions, dead_code, fold_constants
from wengert.ir.passes.calls import enclose_stacks, inline_bodies, inline_calls, inline_stacks
from wengert.ir.passes.shapes import merge_shapes

__all__ = [
    "common_subexpressions", "dead_code", "enclose_stacks", "fold_constants", "inline_bodies", "inline_calls",
    "inline_stacks", "merge_shapes", "simplify",
]  # fmt: skip


def simplify(graph: Graph) -> Graph:
    """What every derived graph goes through: constants folded, shapes and equal nodes merged, dead code out."""
    return dead_code(common_subexpressions(merge_shapes(fold_constants(dead_code(graph)))))
