"""Loops and branches without what nobody reads, without what they carry in vain, and without what comes twice.

A derived loop keeps everything that any derivative might read; this takes out what this one does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from wengert.ir.build import Builder
from wengert.ir.graph import Graph, Node, Value
from wengert.ir.ops import OPS
from wengert.ir.passes.basic import dead_code
from wengert.ir.passes.rewriting import rewritten, substitute
from wengert.ir.types import STEPS

__all__ = ["prune_loops"]


def prune_loops(graph: Graph) -> Graph:
    """With scans, whiles and switches that give and take only what is needed, each value once."""
    if not any(node.op.name in _RULES for node in graph.nodes):
        return graph
    used = set(graph.used_values())

    def expand(b: Builder, node: Node, operands: Sequence[Value]) -> Sequence[Value] | None:
        rule = _RULES.get(node.op.name)
        return None if rule is None else rule(b, node, operands, [v in used for v in node.results])

    return rewritten(graph, expand)


def _pruned(graph: Graph) -> Graph:
    """A body that gives less than it did."""
    return dead_code(prune_loops(dead_code(graph)))


def _reads(graph: Graph, outputs: Iterable[Value]) -> set[Value]:
    """The values that some outputs need."""
    return set(dead_code(graph.evolve(outputs=tuple(outputs))).used_values())


def _once(inputs: Sequence[Value], operands: Sequence[Value]) -> dict[Value, Value]:
    """Inputs that are given the same operand as one before them: each to that one."""
    first: dict[Value, Value] = {}
    return {v: first[x] for v, x in zip(inputs, operands, strict=True) if first.setdefault(x, v) is not v}


def _still(graph: Graph, carried: Sequence[Value]) -> list[int]:
    """Which carried values a step leaves as they are."""
    return [i for i, v in enumerate(carried) if graph.outputs[i] is v]


def _needed(graph: Graph, carried: Sequence[Value], wanted: set[int], outputs: Sequence[Value]) -> set[int]:
    """Which carried values are needed for the wanted ones and for some outputs, step after step."""
    while True:
        read = _reads(graph, [*(graph.outputs[i] for i in sorted(wanted)), *outputs])
        more = {i for i, v in enumerate(carried) if v in read} - wanted
        if not more:
            return wanted
        wanted |= more


class _Body:
    """A body taken apart, and put together again without what is not needed."""

    def __init__(
        self, graph: Graph, consts: int, carries: int, operands: Sequence[Value], used: Sequence[bool]
    ) -> None:
        c, m = consts, carries
        changes = _once(graph.inputs[:c], operands[:c]) | _once(graph.inputs[c + m :], operands[c + m :])
        self.graph = graph = substitute(graph, changes)
        self.operands, self.c, self.m = operands, c, m
        self.carried = graph.inputs[c : c + m]
        self.still = _still(graph, self.carried)
        self.ys = [j for j, flag in enumerate(used[m:]) if flag]
        self.wanted = {i for i, flag in enumerate(used[:m]) if flag and i not in self.still}

    def settle(self, also: Sequence[Value] = ()) -> None:
        """Find what is carried for a reason; ``also`` are other readers of it."""
        outputs = [*(self.graph.outputs[self.m + j] for j in self.ys), *also]
        self.moving = sorted(_needed(self.graph, self.carried, set(self.wanted), outputs) - set(self.still))
        kept = [*(self.graph.outputs[i] for i in self.moving), *dict.fromkeys(outputs[: len(self.ys)])]
        self.rows = list(dict.fromkeys(outputs[: len(self.ys)]))
        self.outputs = tuple(kept)

    def inputs(self, read: set[Value]) -> tuple[list[int], list[int]]:
        """Positions of the inputs that stay the same, and of the arrays, that are read."""
        ins, c, m = self.graph.inputs, self.c, self.m
        fixed = [i for i in (*range(c), *(c + i for i in self.still)) if ins[i] in read]
        return fixed, [i for i in range(c + m, len(ins)) if ins[i] in read]

    def made(self, carry: Sequence[Value], rows: Sequence[Value], types: Sequence[Value]) -> list[Value]:
        """The results of the node: those that nobody reads are values that nothing makes."""
        moving, found = dict(zip(self.moving, carry, strict=True)), dict(zip(self.rows, rows, strict=True))
        first = [
            self.operands[self.c + i] if i in self.still else moving[i] if i in moving else Value(types[i].type)
            for i in range(self.m)
        ]
        rest = [
            found[self.graph.outputs[self.m + j]] if j in self.ys else Value(v.type)
            for j, v in enumerate(types[self.m :])
        ]
        return [*first, *rest]


def _scan(b: Builder, node: Node, operands: Sequence[Value], used: Sequence[bool]) -> Sequence[Value]:
    params, n = node.params, node.params["length"]
    steps, rest = (operands[:1], operands[1:]) if n == STEPS else ((), operands)
    body = _Body(params["graph"], params["consts"], params["carries"], rest, used)
    body.settle()
    graph = body.graph
    whole = {v: rest[i] for i, v in enumerate(graph.inputs) if i >= body.c + body.m}
    through = {v: whole[v] for v in body.rows if v in whole}  # results that are entries: the array itself
    rows = [v for v in body.rows if v not in through]
    outputs = (*(graph.outputs[i] for i in body.moving), *rows)
    read = _reads(graph, outputs)
    fixed, arrays = body.inputs(read)
    given = [*steps, *(rest[i] for i in fixed), *(rest[body.c + i] for i in body.moving), *(rest[i] for i in arrays)]
    inputs = [*(graph.inputs[i] for i in fixed), *(body.carried[i] for i in body.moving),
              *(graph.inputs[i] for i in arrays)]  # fmt: skip
    if not outputs:
        made: tuple[Value, ...] = ()
    else:
        inner = _pruned(graph.evolve(inputs=tuple(inputs), outputs=outputs))
        made = b.emit_all(node.op, given, graph=inner, consts=len(fixed), carries=len(body.moving), length=n,
                          reverse=params["reverse"])  # fmt: skip
    found = dict(zip(rows, made[len(body.moving) :], strict=True)) | through
    return body.made(made[: len(body.moving)], [found[v] for v in body.rows], node.results)


def _while(b: Builder, node: Node, operands: Sequence[Value], used: Sequence[bool]) -> Sequence[Value]:
    params, c = node.params, node.params["consts"]
    m = len(operands) - c
    body = _Body(params["graph"], c, m, operands, [*used[:m], *used[m + 1 :]])
    condition = substitute(params["condition"], _once(params["condition"].inputs[:c], operands[:c]))
    asked = _reads(condition, condition.outputs)
    body.wanted |= {i for i in range(m) if condition.inputs[c + i] in asked} - set(body.still)
    body.settle()
    graph = body.graph
    read = _reads(graph, body.outputs)
    same = (*range(c), *(c + i for i in body.still))
    fixed = [i for i in same if graph.inputs[i] in read or condition.inputs[i] in asked]
    order = [*fixed, *(c + i for i in body.moving)]
    inner = _pruned(graph.evolve(inputs=tuple(graph.inputs[i] for i in order), outputs=body.outputs))
    test = condition.evolve(inputs=tuple(condition.inputs[i] for i in order))
    made = b.emit_all(node.op, [operands[i] for i in order], condition=test, graph=inner, consts=len(fixed))
    q = len(body.moving)
    results = body.made(made[:q], made[q + 1 :], [*node.results[:m], *node.results[m + 1 :]])
    return [*results[:m], made[q], *results[m:]]


def _switch(b: Builder, node: Node, operands: Sequence[Value], used: Sequence[bool]) -> Sequence[Value]:
    graphs, rest = node.params["graphs"], operands[1:]
    graphs = tuple(substitute(g, _once(g.inputs, rest)) for g in graphs)
    kept: dict[tuple[Value, ...], int] = {}
    for j, flag in enumerate(used):
        if flag:
            kept.setdefault(tuple(g.outputs[j] for g in graphs), len(kept))
    outputs = [[key[k] for key in kept] for k in range(len(graphs))]
    reads = [_reads(g, each) for g, each in zip(graphs, outputs, strict=True)]
    given = [i for i in range(len(rest)) if any(g.inputs[i] in read for g, read in zip(graphs, reads, strict=True))]
    inner = tuple(
        _pruned(g.evolve(inputs=tuple(g.inputs[i] for i in given), outputs=tuple(each)))
        for g, each in zip(graphs, outputs, strict=True)
    )
    made = b.emit_all(OPS["switch"], [operands[0], *(rest[i] for i in given)], graphs=inner)
    return [
        made[kept[tuple(g.outputs[j] for g in graphs)]] if flag else Value(v.type)
        for j, (flag, v) in enumerate(zip(used, node.results, strict=True))
    ]


_RULES: dict[str, Callable[[Builder, Node, Sequence[Value], Sequence[bool]], Sequence[Value]]] = {
    "scan": _scan,
    "while": _while,
    "switch": _switch,
}
