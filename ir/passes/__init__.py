"""Graph to graph, small, each tested alone.  None changes a value or a derivative's convention, but for ``stabilise``,
which is asked for."""

from __future__ import annotations

from wengert.ir.collecting import uncollected
from wengert.ir.graph import Graph
from wengert.ir.passes.algebra import algebra
from wengert.ir.passes.basic import common_subexpressions, dead_code, fold_constants
from wengert.ir.passes.calls import enclose_stacks, inline_bodies, inline_calls, inline_stacks
from wengert.ir.passes.early import early_sums
from wengert.ir.passes.loops import prune_loops
from wengert.ir.passes.plain import plain_products, plain_where_told, telling
from wengert.ir.passes.shapes import merge_shapes

__all__ = [
    "algebra", "common_subexpressions", "dead_code", "early_sums", "enclose_stacks", "fold_constants", "inline_bodies",
    "inline_calls", "inline_stacks", "merge_shapes", "plain_products", "plain_where_told", "prune_loops",
    "simplify", "stabilise", "telling",
]  # fmt: skip


@uncollected()
def simplify(graph: Graph) -> Graph:
    """What every derived graph goes through: constants folded, shapes and equal nodes merged, dead code out."""
    folded = algebra(fold_constants(dead_code(graph)))
    return dead_code(prune_loops(dead_code(common_subexpressions(merge_shapes(folded)))))


def stabilise(graph: Graph) -> Graph:
    """With known forms that lose digits or overflow replaced: see :mod:`wengert.ir.passes.stabilising`."""
    from wengert.ir.passes.stabilising import rewrite_forms

    return simplify(rewrite_forms(dead_code(graph)))
