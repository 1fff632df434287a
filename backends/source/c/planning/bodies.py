"""What one run of a loop computes: its statements by the view of the value that each one gives."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Protocol

from wengert.backends.source.c.planning.views import View, compose, unravel
from wengert.ir.graph import Node, Value
from wengert.ir.kinds import c_strides

__all__ = ["Body", "CannotComposeError", "Part", "Readable", "Step"]

#: A value that lies in pieces: each piece's box (start and size), and how its elements are read.
Part = tuple[tuple[int, ...], tuple[int, ...], View]
#: What is computed, how, and from what: None is 0.
Step = tuple[View, Node, tuple[View | None, ...]]


class CannotComposeError(Exception):
    """An element that no offset and strides reach."""


class Readable(Protocol):
    """What a body asks of a plan."""

    split: dict[Value, tuple[Part, ...]]

    def view(self, value: Value) -> View: ...


class Body:
    """The statements that give ``roots``, each a view of a value that one of ``nodes`` computes.

    A node appears once for every place it is needed at: what is computed again for a neighbour is a
    step of its own.  Nodes that no root needs do not appear.
    """

    def __init__(self, plan: Readable, nodes: Sequence[Node], roots: Iterable[View]) -> None:
        inside = {node.result for node in nodes}
        wanted: dict[Value, dict[View, None]] = defaultdict(dict)
        for root in roots:
            wanted[root.base][root] = None
        steps = []
        for node in reversed(nodes):
            for view in wanted[node.result]:
                operands = tuple(_operand(plan, v, view) for v in node.operands)
                steps.append((view, node, operands))
                for operand in operands:
                    if operand is not None and operand.base in inside:
                        wanted[operand.base][operand] = None
        #: In order.
        self.steps: list[Step] = steps[::-1]

    @property
    def leaves(self) -> list[View]:
        """What is read from arrays, each once."""
        made = {view for view, _, _ in self.steps}
        read = (o for _, _, operands in self.steps for o in operands if o is not None)
        return [view for view in dict.fromkeys(read) if view not in made]


def _operand(plan: Readable, value: Value, at: View) -> View | None:
    """Where an elementwise node reads an operand, as it computes the elements ``at`` of its own result.

    None where that lies in no piece, and is 0.
    """
    parts = plan.split.get(value)
    if parts is None:
        view = compose(plan.view(value), at.offset, at.strides, at.shape)
        if view is None:
            raise CannotComposeError
        return view
    if at.strides != c_strides(value.type.shape):
        raise CannotComposeError  # pieces are read as they lie
    index = unravel(at.offset, value.type.shape)
    for start, size, view in parts:
        inner = [i - s for i, s in zip(index, start, strict=True)]
        if all(0 <= i < n for i, n in zip(inner, size, strict=True)):
            offset = view.offset + sum(s * i for s, i in zip(view.strides, inner, strict=True))
            return View(view.base, at.shape, offset, view.strides)
    return None
