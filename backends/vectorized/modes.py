"""Forward and reverse mode of a graph: its values, then one sweep."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.backends.vectorized.arrays import Products
from wengert.backends.vectorized.control import Entry, Tape, Values
from wengert.backends.vectorized.cotangents import OUT, Adjoints, pull, pull_reads
from wengert.backends.vectorized.evaluate import Plan, runner
from wengert.backends.vectorized.tangents import push
from wengert.ir.graph import Graph, Node, Value
from wengert.ir.kinds import Control, Elementwise, Library, Unknown
from wengert.ir.types import is_inexact

__all__ = ["Pulling", "Pushing", "active_nodes", "owned", "pulling", "pushing", "recorder"]


class Pushing:
    """Tangents pushed along, k at once."""

    def __init__(self, graph: Graph, active: tuple[int, ...]) -> None:
        self.plan = plan = Plan(graph)
        self.active = active
        self.ends = [(v, plan.slot[v]) for v in plan.graph.outputs]
        self.nodes = list(zip(plan.graph.nodes, plan.reads, plan.outs, strict=True))
        self.frees = plan.frees(plan.slot.values())  # the sweep reads any of them

    def values(self, inputs: Any) -> list[Any]:
        """Every value, by slot."""
        return self.plan.run(inputs, self.frees)

    def sweep(self, env: list[Any], tangents: Any, products: Products) -> list[Any]:
        """The tangents of the outputs, None where nothing flows."""
        plan = self.plan
        dual: list[Any] = [None] * len(env)
        for i, t in zip(self.active, tangents, strict=True):
            dual[plan.inputs[i]] = t
        for node, reads, outs in self.nodes:
            moving = [dual[plan.slot[v]] for v in node.operands]
            moved = push(node, [env[i] for i in outs], [env[i] for i in reads], moving, products)
            for i, t in zip(outs, moved, strict=True):
                dual[i] = t
        return [dual[i] if is_inexact(v.type.dtype) else None for v, i in self.ends]


@functools.lru_cache(maxsize=512)
def pushing(graph: Graph, active: tuple[int, ...]) -> Callable[..., tuple[list[Any], list[Any]]]:
    """A function of (inputs, tangents, products) to outputs and their tangents."""
    mode = Pushing(graph, active)

    def run(inputs: Any, tangents: Any, products: Products) -> tuple[list[Any], list[Any]]:
        env = mode.values(inputs)
        return [env[i] for _, i in mode.ends], mode.sweep(env, tangents, products)

    return run


class Pulling:
    """Cotangents pulled back, k at once."""

    def __init__(self, graph: Graph, active: tuple[int, ...]) -> None:
        self.plan = plan = Plan(graph)
        self.starts = [(plan.graph.inputs[i], plan.inputs[i]) for i in active]
        self.steps = _backwards(plan, active)
        tapes = self._taped()
        self.frees = plan.frees([*plan.outputs, *_kept(plan, self.steps), *tapes])
        self.done = self._last_readers()

    def _last_readers(self) -> list[list[int]]:
        """For each step of the sweep, the slots that no step after it reads."""
        seen: set[int] = set()
        found = []
        for _, reads, _, outs in reversed(self.steps):
            found.append([i for i in dict.fromkeys((*reads, *outs)) if i not in seen])
            seen.update((*reads, *outs))
        return found[::-1]

    def _taped(self) -> list[int]:
        """Control nodes that a cotangent passes leave a tape, in a slot of its own."""
        plan, slots = self.plan, []
        for i, (node, _, targets, outs) in enumerate(self.steps):
            if isinstance(node.op, Control):
                slot = plan.more(node)
                slots.append(slot)
                live = [s is not None for s in targets]
                at = plan.position(node)
                plan.steps[at] = (recorder(node, live), plan.steps[at][1], (*outs, slot))
                self.steps[i] = (node, (slot,), targets, outs)
        return slots

    def values(self, inputs: Any) -> list[Any]:
        """Every value that is still needed, by slot."""
        return self.plan.run(inputs, self.frees)

    def sweep(self, env: list[Any], cotangents: Any, k: int, products: Products, *, last: bool = False) -> list[Any]:
        """The cotangents of the active inputs, None where none arrive.

        With ``last``, a value goes when no step further back reads it: another sweep needs the values again.
        """
        adjoints = Adjoints(len(env))
        for slot, value, g in zip(self.plan.outputs, self.plan.graph.outputs, cotangents, strict=False):
            if g is not None and is_inexact(value.type.dtype):
                adjoints.add(slot, g)
        for (node, reads, moving, outs), done in zip(self.steps, self.done, strict=True):
            gs = [adjoints.arrays[i] for i in outs]
            if any(g is not None for g in gs):
                for i in outs:
                    adjoints.arrays[i] = None  # read for the last time
                if isinstance(node.op, Control):
                    for slot, g in zip(moving, env[reads[0]](gs, k, products), strict=True):
                        if slot is not None and g is not None:
                            adjoints.add(slot, g)
                else:
                    pull(node, moving, gs, [env[i] for i in outs], [env[i] for i in reads], adjoints, products)
            for i in done if last else ():
                env[i] = self.plan.types[i]  # rules may still ask for a dtype
        return [adjoints.arrays[i] for _, i in self.starts]


@functools.lru_cache(maxsize=512)
def pulling(graph: Graph, active: tuple[int, ...]) -> Callable[..., tuple[list[Any], Callable[..., list[Any]]]]:
    """A function of the inputs to the outputs and their pullback, of (cotangents, k, products)."""
    mode = Pulling(graph, active)

    def run(inputs: Any) -> tuple[list[Any], Callable[..., list[Any]]]:
        env = mode.values(inputs)
        return [env[i] for i in mode.plan.outputs], functools.partial(mode.sweep, env)

    return run


def recorder(node: Node, live: Sequence[bool]) -> Callable[..., Any]:
    """The step of a control node that also gives its pullback."""

    def run(*operands: Any) -> tuple[Any, ...]:
        tape = Tape(Values(runner), pulling)
        entries = [Entry(x, flag) for x, flag in zip(operands, live, strict=True)]
        ends = node.op.drive(tape, entries, node.params)  # type: ignore[attr-defined]

        def back(gs: Sequence[Any], k: int, products: Products) -> list[Any]:
            tape.pull(ends, gs, k, products)
            return [e.take() for e in entries]

        return (*(e.primal for e in ends), back)

    return run


def active_nodes(graph: Graph, active: Sequence[int]) -> dict[Node, tuple[bool, ...]]:
    """The nodes that a cotangent can pass, and which of their operands it passes on to."""
    moving = {graph.inputs[i] for i in active}
    found = {}
    for node in graph.nodes:
        flows = tuple(
            v in moving and is_inexact(v.type.dtype) and _flows(node, k) for k, v in enumerate(node.operands)
        )
        passing = [v for v in node.results if is_inexact(v.type.dtype)]
        if passing and any(flows):
            moving.update(passing)
            found[node] = flows
    return found


def _backwards(plan: Plan, active: tuple[int, ...]) -> list[tuple[Any, ...]]:
    """The nodes that a cotangent can pass, last first: with the slots it passes on to."""
    flows, steps = active_nodes(plan.graph, active), []
    for node, reads, outs in zip(plan.graph.nodes, plan.reads, plan.outs, strict=True):
        if node in flows:
            targets = [plan.slot[v] if moves else None for v, moves in zip(node.operands, flows[node], strict=True)]
            steps.append((node, reads, targets, outs))
    return steps[::-1]


def _flows(node: Node, k: int) -> bool:
    """Whether a derivative flows through operand ``k``, which is active; raises where its rule is unknown."""
    if isinstance(node.op, Elementwise):
        if isinstance(partial := node.op.partials[k], Unknown):
            raise partial.refused(node)
        return partial is not None
    return not (isinstance(node.op, Library) and node.op.jvp is None)


def _kept(plan: Plan, steps: list[tuple[Any, ...]]) -> set[int]:
    """The slots that the sweep reads: partials seldom read all that they are handed."""
    kept: set[int] = set()
    for node, reads, moving, outs in steps:
        for k, slot in enumerate(moving):
            found = pull_reads(node, k) if slot is not None else frozenset()
            kept.update(reads[i] for i in found if i != OUT)
            kept.update(outs if OUT in found else ())
    return kept


def _root(array: Any) -> Any:
    """What owns the memory of an array."""
    return array if array.base is None else array.base


def _roots(arrays: Any) -> set[int]:
    return {id(_root(x)) for x in arrays if x is not None}


def owned(values: Sequence[tuple[Value, int]], arrays: Sequence[Any], given: Any, k: int | None = None) -> Any:
    """Tangents or cotangents of these values, each in memory of its own; zeros where nothing flows."""
    taken, k = _roots(given), len(given[0]) if k is None else k
    return tuple(
        _own(g, v, k, taken) if is_inexact(v.type.dtype) else None for (v, _), g in zip(values, arrays, strict=True)
    )


def _own(g: Any, value: Any, k: int, taken: set[int]) -> Any:
    """A tangent or cotangent in memory of its own: copied where it was given, or is handed out already.

    Every other one was made in this sweep: products and sums are new arrays, and views are of those.
    """
    shape = (k, *value.type.shape)
    if g is None:
        return np.zeros(shape, value.type.dtype)
    root = _root(g)
    whole = g.shape == shape and g.size == getattr(root, "size", -1) and g.flags.c_contiguous and g.flags.writeable
    if not whole or id(root) in taken:
        return np.array(np.broadcast_to(g, shape), order="C")
    taken.add(id(root))
    return g
