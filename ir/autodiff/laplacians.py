"""The forward Laplacian, graph to graph: values, first derivatives along all directions, and Laplacians, in one pass.

For out = f(x), with the sum over n directions of the arguments,

    d_i out = f'(x) d_i x,        L out = f'(x) L x + sum_i f''(x)[d_i x, d_i x],

so that of the second derivatives only their sum is carried on (Li et al., "A computational framework for neural
network-based variational Monte Carlo with Forward Laplacian", 2024).  A linear op passes both on as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from wengert.ir import kinds
from wengert.ir.autodiff import jvp
from wengert.ir.batching import directions
from wengert.ir.build import Builder, Namespace
from wengert.ir.graph import Graph, Node, Renamed, Value
from wengert.ir.passes import dead_code, inline_calls, simplify
from wengert.ir.types import cotangent_type, is_inexact

__all__ = ["has_laplacian", "laplacian"]


def has_laplacian(graph: Graph) -> bool:
    """Whether the graph is made of the ops that this pass knows: no branches and loops."""
    return not any(isinstance(node.op, kinds.Control) for node in inline_calls(graph).nodes)


def laplacian(graph: Graph, active: tuple[int, ...]) -> Graph:
    """From the inputs, and one stack of n directions for each active input, to the Laplacian of each inexact output."""
    graph = dead_code(inline_calls(graph))
    b = Builder(f"{graph.name}_laplacian")
    inputs = [b.input(v.type, v.name) for v in graph.inputs]
    n = sum(graph.inputs[i].type.size for i in active)
    env = Renamed(b.adopt, zip(graph.inputs, inputs, strict=True))
    first: dict[Value, Value] = {}  # stacks of n
    second: dict[Value, Value] = {}
    for i in active:
        type_ = cotangent_type(graph.inputs[i].type)
        first[inputs[i]] = b.input(type_.with_shape((n, *type_.shape)))
    for node in graph.nodes:
        b.location = node.location
        here = tuple(env[v] for v in node.operands)
        results = b.emit_all(node.op, here, **node.params)
        env.update(zip(node.results, results, strict=True))
        moving = tuple(k for k, v in enumerate(here) if v in first and _flows(node, k))
        if moving and any(is_inexact(v.type.dtype) for v in results):
            _through(b, node, here, results, moving, n, first, second)
    for guard in graph.guards:
        b.guard(env[guard.value], guard.expected, guard.location)
    xp = Namespace(b)
    ends = [env[v] for v in graph.outputs if is_inexact(v.type.dtype)]
    return simplify(b.graph([second.get(v) or xp.lift(xp.full(v.type.shape, 0, v.type.dtype)) for v in ends]))


def _through(
    b: Builder, node: Node, here: Sequence[Value], results: Sequence[Value], moving: tuple[int, ...], n: int,
    first: dict[Value, Value], second: dict[Value, Value],
) -> None:  # fmt: skip
    """One node: its first derivatives along every direction, and its Laplacian."""
    xp, alone = Namespace(b), Builder()
    inputs = [alone.input(v.type) for v in here]
    once = jvp(alone.graph(alone.emit_all(node.op, inputs, **node.params)), moving)
    ends = [v for v in results if is_inexact(v.type.dtype)]
    once = once.evolve(outputs=once.outputs[len(results) :])
    along = [first[here[k]] for k in moving]
    first.update(zip(ends, b.inline(directions(once, len(here), 0, n), [*here, *along]), strict=True))
    sums: list[list[Value]] = [[] for _ in ends]
    if any(here[k] in second for k in moving):
        zeros = (xp.lift(xp.full(here[k].type.shape, 0, here[k].type.dtype)) for k in moving)
        moved = [second.get(here[k]) or zero for k, zero in zip(moving, zeros, strict=True)]
        for terms, v in zip(sums, b.inline(once, [*here, *moved]), strict=True):
            terms.append(v)
    if not _is_linear(node, moving):
        twice = jvp(once, moving)
        twice = dead_code(twice.evolve(outputs=twice.outputs[len(ends) :]))
        for terms, v in zip(sums, b.inline(directions(twice, len(here), 0, n), [*here, *along, *along]), strict=True):
            terms.append(xp.lift(xp.sum(xp.wrap(v), axis=0)))
    for v, terms in zip(ends, sums, strict=True):
        if terms:
            second[v] = terms[0] if len(terms) == 1 else xp.lift(xp.wrap(terms[0]) + xp.wrap(terms[1]))


def _flows(node: Node, k: int) -> bool:
    """Whether a derivative may flow through operand ``k``."""
    if isinstance(node.op, kinds.Library):
        return node.op.jvp is not None
    return not (isinstance(node.op, kinds.Elementwise) and node.op.partials[k] is None)


def _is_linear(node: Node, moving: tuple[int, ...]) -> bool:
    """Whether the op is linear in its moving operands together."""
    op = node.op
    if isinstance(op, kinds.Elementwise):
        return all(not callable(op.partials[k]) for k in moving)
    if isinstance(op, (kinds.Reduction, kinds.Cumulative)):
        return op.partial == 1
    if isinstance(op, kinds.Contraction):
        return len(moving) == 1
    return isinstance(op, (kinds.Movement, kinds.Indexing))
