"""Cheap values computed again where they are read, rather than stored and loaded.

Memory is slower than arithmetic: a few products cost less than an array written and read.  The same
operations on the same numbers give the same bits, wherever they are done.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wengert.backends.source.c.planning.bodies import Body, CannotComposeError
from wengert.backends.source.c.planning.splits import bases, boxes, roots
from wengert.backends.source.c.planning.views import coalesce, folded_into
from wengert.backends.source.c.scalars.statements import cheap, weight
from wengert.ir.graph import Node, Value
from wengert.ir.kinds import Elementwise

if TYPE_CHECKING:
    from wengert.backends.source.c.planning.plan import Plan, Unit

__all__ = ["recompute"]

#: Statements that a loop may take on, per box, for a value that it no longer loads.
BUDGET = 64
#: What a store costs, in arrays read: a line of memory is fetched before it is written.
STORE = 2


def recompute(plan: Plan, units: list[Unit], limit: int) -> list[Unit]:
    """The units, where what is cheap, and read by loops alone, is computed by each that reads it."""
    return _Recomputation(plan, units, limit).run()


class _Recomputation:
    def __init__(self, plan: Plan, units: list[Unit], limit: int) -> None:
        self.plan, self.units, self.limit = plan, units, limit
        self.position = {node: k for k, node in enumerate(plan.nodes)}
        self.owner = {v: unit for unit in units for v in unit.stored}
        self.readers: dict[Value, dict[Unit, None]] = {}
        for unit in units:
            self._enlist(unit)

    def run(self) -> list[Unit]:
        """Values in program order: what one is computed from is settled before it."""
        for value in sorted(self.owner, key=lambda v: self.position[self.plan.producer[v]]):
            if value in self.plan.needed or value not in self.readers:
                continue
            tree = self._tree(value)
            if tree and self._pays(value, tree) and all(self._can(u, tree) for u in self.readers[value]):
                self._move(value, tree)
        return [unit for unit in self.units if unit.stored]

    def _tree(self, value: Value) -> list[Node]:
        """The nodes that make a value from arrays; none if that is not cheap."""
        found: dict[Node, None] = {}
        waiting, cost = [value], 0
        while waiting:
            node = self.plan.producer[waiting.pop()]
            if node in found:
                continue
            if not isinstance(node.op, Elementwise) or not cheap(node):
                return []
            cost += weight(node)
            if cost > BUDGET or any(v in self.plan.split for v in node.operands):
                return []
            found[node] = None
            bases = (self.plan.view(v).base for v in node.operands)
            waiting += [v for v in bases if v in self.plan.producer and v not in self.owner]
        return list(found)

    def _pays(self, value: Value, tree: list[Node]) -> bool:
        """Whether fewer arrays are read and written than before."""
        made = {node.result for node in tree}
        bases = {self.plan.view(v).base for node in tree for v in node.operands}
        arrays = [v for v in bases if v not in made and v.type.size > 1]
        users = self.readers[value]
        fresh = sum(unit not in self.readers.get(v, ()) for v in arrays for unit in users)
        return fresh <= STORE + len(users)

    def _can(self, unit: Unit, tree: list[Node]) -> bool:
        """Whether a loop can take the nodes on, and stays short."""
        if not isinstance(unit.nodes[0].op, Elementwise):
            return False
        made = {node.result for node in tree}
        nodes, total = self._joined(unit, tree)[: -1 if unit.folds else None], 0
        if len(nodes) > self.limit:
            return False
        if unit.folds and self._axes(unit, nodes) != self._axes(unit, unit.nodes[:-1]):
            return False  # the terms would be added in another order
        for box in boxes(self.plan, unit):
            try:
                steps = Body(self.plan, nodes, roots(unit, box)).steps
            except CannotComposeError:
                return False
            extra = [view for view, _, _ in steps if view.base in made]
            if any(s == 0 and n > 1 for view in extra for s, n in zip(view.strides, view.shape, strict=True)):
                return False  # broadcast: what is computed once would be computed for every element
            if sum(weight(self.plan.producer[view.base]) for view in extra) > BUDGET:
                return False
            total += sum(weight(node) for _, node, _ in steps)
        return total <= self.limit

    def _axes(self, unit: Unit, nodes: list[Node]) -> tuple[int, ...] | None:
        """The loops that sum what some nodes compute."""
        ends = roots(unit, ((0,) * len(unit.shape), unit.shape))
        try:
            views = [*Body(self.plan, nodes, ends).leaves, *ends, folded_into(unit.last)]
        except CannotComposeError:
            return None
        axes = unit.last.params["axes"]
        return coalesce(unit.shape, [v.strides for v in views], [a in axes for a in range(len(unit.shape))])[0]

    def _joined(self, unit: Unit, tree: list[Node]) -> list[Node]:
        """The unit's nodes and those it takes on, in order; a reduction stays the last."""
        own, end = (unit.nodes[:-1], unit.nodes[-1:]) if unit.folds else (unit.nodes, [])
        return [*sorted({*own, *tree}, key=self.position.__getitem__), *end]

    def _move(self, value: Value, tree: list[Node]) -> None:
        """Let every reader compute the value, and its owner forget it, with all that only it needed."""
        owner = self.owner.pop(value)
        for unit in self.readers.pop(value):
            unit.nodes = self._joined(unit, tree)
            self._enlist(unit)
        for users in self.readers.values():
            users.pop(owner, None)
        owner.stored.remove(value)
        owner.nodes = self._needed(owner)
        self._enlist(owner)

    def _needed(self, unit: Unit) -> list[Node]:
        """The nodes that something stored depends on."""
        wanted, live = set(unit.stored), []
        for node in reversed(unit.nodes):
            if not wanted.isdisjoint(node.results):
                live.append(node)
                wanted.update(base for v in node.operands for base in bases(self.plan, v))
        return live[::-1]

    def _enlist(self, unit: Unit) -> None:
        for value in self.plan.reads(unit) if unit.stored else ():
            self.readers.setdefault(value, {})[unit] = None
