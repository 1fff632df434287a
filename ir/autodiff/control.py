"""Derivatives of control ops: the same op on other sub-graphs.

``fused`` puts values and tangents side by side in one loop.  ``split`` makes a loop of values that also gives what the
tangents need, and a second loop, linear in the tangents, that can be transposed; ``split_within`` does so in a loop or
branch, where a ``while`` runs again instead: how much it keeps is not known beforehand, and cannot leave.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from wengert.ir.autodiff.branches import switch_fused, switch_split
from wengert.ir.autodiff.calls import (
    again,
    call_fused,
    call_split,
    checkpoint_fused,
    checkpoint_split,
    custom_fused,
    custom_split,
    linear_fused,
    linear_split,
)
from wengert.ir.autodiff.loops import scan_fused, scan_split, while_fused, while_split
from wengert.ir.autodiff.pushing import Pushed, Tangent
from wengert.ir.autodiff.solves import solve_fused, solve_split
from wengert.ir.autodiff.transposed_control import transpose
from wengert.ir.build import Builder, Namespace
from wengert.ir.graph import Graph, Node, Value
from wengert.ir.ops import OPS

__all__ = ["fused", "split", "split_within", "transpose"]


def fused(xp: Namespace, node: Node, operands: Sequence[Value], tangents: Sequence[Tangent]) -> Pushed:
    """Values and tangents by one node."""
    return FUSED[node.op.name](xp.builder, node.params, operands, tangents)


def split(xp: Namespace, node: Node, operands: Sequence[Value], tangents: Sequence[Tangent]) -> Pushed:
    """Values by one node, tangents by another that is linear in them."""
    return SPLIT[node.op.name](xp.builder, node.params, operands, tangents, within=False)


def split_within(xp: Namespace, node: Node, operands: Sequence[Value], tangents: Sequence[Tangent]) -> Pushed:
    """The same in a loop or branch."""
    if node.op is OPS["while"]:
        return again(xp.builder, _alone(node, operands), "nothing", operands, tangents)
    return SPLIT[node.op.name](xp.builder, node.params, operands, tangents, within=True)


def _alone(node: Node, operands: Sequence[Value]) -> Graph:
    """The graph of one node."""
    b = Builder(node.op.name)
    inputs = [b.input(v.type) for v in operands]
    return b.graph(b.emit_all(node.op, inputs, **node.params))


FUSED: dict[str, Callable[..., Pushed]] = {
    "call": call_fused,
    "checkpoint": checkpoint_fused,
    "custom": custom_fused,
    "linear": linear_fused,
    "linear_solve": solve_fused,
    "switch": switch_fused,
    "while": while_fused,
    "scan": scan_fused,
}
SPLIT: dict[str, Callable[..., Pushed]] = {
    "call": call_split,
    "checkpoint": checkpoint_split,
    "custom": custom_split,
    "linear": linear_split,
    "linear_solve": solve_split,
    "switch": switch_split,
    "while": while_split,
    "scan": scan_split,
}
