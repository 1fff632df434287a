"""The ``numpy`` backend: whole arrays.  Forward with many tangents at once, reverse with one adjoint sweep."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.backends.protocol import Forward, Reverse, Run
from wengert.backends.vectorized.arrays import Products, swept
from wengert.backends.vectorized.cotangents import OUT, Adjoints, pull, pull_reads
from wengert.backends.vectorized.evaluate import Plan
from wengert.backends.vectorized.tangents import push
from wengert.ir.errors import BackendError
from wengert.ir.graph import Graph, Node
from wengert.ir.kinds import Elementwise, Library, Unknown
from wengert.ir.types import is_inexact

__all__ = ["BACKEND", "NumpyBackend"]


class NumpyBackend:
    """See :class:`wengert.backends.protocol.Backend`."""

    name = "numpy"

    def unavailable(self) -> str | None:
        return None

    def compile(self, graph: Graph) -> Run:
        plan = Plan(graph)
        frees = plan.frees(plan.outputs)

        def run(inputs: Any) -> tuple[Any, ...]:
            with np.errstate(all="ignore"):
                return plan.results(plan.run(inputs, frees))

        return run

    def forward(self, graph: Graph, active: tuple[int, ...]) -> Forward:
        plan = Plan(graph)
        nodes = list(zip(plan.graph.nodes, plan.reads, plan.outs, strict=True))
        frees = plan.frees(plan.slot.values())  # the sweep reads any of them

        def sweep(env: list[Any], tangents: Any, products: Products) -> tuple[Any, ...]:
            dual: list[Any] = [None] * len(env)
            for i, t in zip(active, tangents, strict=True):
                dual[plan.inputs[i]] = t
            for node, reads, outs in nodes:
                moving = [dual[plan.slot[v]] for v in node.operands]
                moved = push(node, [env[i] for i in outs], [env[i] for i in reads], moving, products)
                for i, t in zip(outs, moved, strict=True):
                    dual[i] = t
            return _ends(plan, dual, len(tangents[0]), _roots(tangents))

        def run(inputs: Any, tangents: Any) -> tuple[Any, Any]:
            with np.errstate(all="ignore"):
                env = plan.run(inputs, frees)
                return plan.results(env), swept(lambda products: sweep(env, tangents, products))

        return run

    def reverse(self, graph: Graph, active: tuple[int, ...]) -> Reverse:
        plan = Plan(graph)
        steps = _backwards(plan, active)
        frees = plan.frees([*plan.outputs, *_kept(plan, steps)])

        def sweep(env: list[Any], cotangents: Any, products: Products) -> tuple[Any, ...]:
            adjoints = Adjoints(len(env))
            k = next((len(g) for g in cotangents if g is not None), 1)
            for slot, value, g in zip(plan.outputs, plan.graph.outputs, cotangents, strict=False):
                if g is not None and is_inexact(value.type.dtype):
                    adjoints.add(slot, g)
            for node, reads, moving, outs in steps:
                gs = [adjoints.arrays[i] for i in outs]
                if any(g is not None for g in gs):
                    for i in outs:
                        adjoints.arrays[i] = None  # read for the last time
                    pull(node, moving, gs, [env[i] for i in outs], [env[i] for i in reads], adjoints, products)
            taken = _roots(cotangents)
            return tuple(_own(adjoints.arrays[plan.inputs[i]], plan.graph.inputs[i], k, taken) for i in active)

        def run(inputs: Any, cotangents: Any = None) -> tuple[Any, Any]:
            def pullback(given: Any) -> Any:
                with np.errstate(all="ignore"):
                    return swept(lambda products: sweep(env, given, products))

            with np.errstate(all="ignore"):
                env = plan.run(inputs, frees)
            values = plan.results(env)
            return values, pullback if cotangents is None else pullback(cotangents)

        return run

    def source(self, graph: Graph) -> str:
        message = "The numpy backend generates no source; ask for 'python', which prints NumPy code."
        raise BackendError(message)


def _backwards(plan: Plan, active: tuple[int, ...]) -> list[tuple[Any, ...]]:
    """The nodes that a cotangent can pass, last first: with the slots it passes on to."""
    moving = {plan.inputs[i] for i in active}
    steps = []
    for node, reads, outs in zip(plan.graph.nodes, plan.reads, plan.outs, strict=True):
        slots = [plan.slot[v] for v in node.operands]
        targets = [s if s in moving and is_inexact(v.type.dtype) and _flows(node, k) else None
                   for k, (s, v) in enumerate(zip(slots, node.operands, strict=True))]  # fmt: skip
        passing = [i for i, v in zip(outs, node.results, strict=True) if is_inexact(v.type.dtype)]
        if passing and any(s is not None for s in targets):
            moving.update(passing)
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


def _ends(plan: Plan, dual: list[Any], k: int, taken: set[int]) -> tuple[Any, ...]:
    return tuple(
        _own(dual[plan.slot[v]], v, k, taken) if is_inexact(v.type.dtype) else None for v in plan.graph.outputs
    )


BACKEND = NumpyBackend()
