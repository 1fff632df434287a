"""What is added to a product, by the loop of the product: sums carried from step to step, and biases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wengert.ir.kinds import Contraction

if TYPE_CHECKING:
    from wengert.backends.source.c.planning.plan import Plan, Unit

__all__ = ["added"]


def added(plan: Plan, units: list[Unit]) -> list[Unit]:
    """The units, where a loop that does nothing but add to a product is gone: its node stands before the product's."""
    home = {v: unit for unit in units for v in unit.stored}
    for unit in units:
        (node, *others), stored = unit.nodes, unit.stored
        if others or node.op.name != "add" or node.result.type.dtype.kind not in "fc":
            continue
        for value, other in (node.operands, node.operands[::-1]):
            product = home.get(value)
            if product is None or not isinstance(product.last.op, Contraction) or len(product.nodes) > 1:
                continue
            if value not in plan.arrays and plan.uses[value] == [node] and other not in plan.split:
                product.nodes.insert(0, node)
                product.stored, unit.stored = stored, []
                break
    return [unit for unit in units if unit.stored]
