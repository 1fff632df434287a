"""How patterns pass through branches and loops.

=============  ====================================================================================================
call           inlined first
checkpoint     as the graph that it runs
custom         as its jvp, or its vjp backwards, says
linear         as its graph, or its transpose backwards, says
linear_solve   along every path through the matrix (a superset)
switch         every branch (a superset), or the one that is known to be chosen
while          any number of steps (a superset): what it carries, united until nothing is added
scan           exact, step by step, for what its graph does at every step
=============  ====================================================================================================

A loop looks at its graph once, and composes that pattern with itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from wengert.ir.graph import Graph, Node, Value
from wengert.ir.sparsity.flow import Flow, Result, Rule, rows_of
from wengert.ir.sparsity.patterns import Ints, Pattern, stacked, united
from wengert.ir.sparsity.rules import dense
from wengert.ir.types import STEPS, is_inexact

__all__ = ["CONTROL", "control"]

#: Steps after which what a loop carries may be forgotten, for patterns of all steps at once.
MEMORY = 32


def _inside(flow: Flow, node: Node) -> Result:
    graph = node.params["graph"]
    return flow.inner(graph, node.operands).run([flow.patterns.get(v) for v in node.operands])


def _custom(flow: Flow, node: Node) -> Result:
    """Its rules take operands and results, which count for nothing, and then tangents or cotangents."""
    moving = [v for v in node.operands if is_inexact(v.type.dtype)]
    ends = [v for v in node.results if is_inexact(v.type.dtype)]
    known: list[Pattern | None] = [None] * (len(node.operands) + len(node.results))
    found: Sequence[Pattern | None]
    if (jvp := node.params["jvp"]) is not None:
        found = flow.inner(jvp, node.operands).run([*known, *map(flow.patterns.get, moving)])
    else:
        found = _backwards(flow, node.params["vjp"], node.operands, len(known), moving, ends)
    made = dict(zip(ends, found, strict=True))
    return [made.get(v) for v in node.results]


def _linear(flow: Flow, node: Node) -> Result:
    """Where only its transpose is stated, what it takes for constant counts as dense."""
    if node.params["graph"] is not None:
        return _inside(flow, node)
    consts = node.params["consts"]
    moving, fixed = node.operands[consts:], [v for v in node.operands[:consts] if v in flow.patterns]
    found = _backwards(flow, node.params["back"], node.operands[:consts], consts, moving, node.results)
    if not fixed:
        return found
    whole = united([flow.patterns[v].grouped(None, 1) for v in fixed])
    return [united([p, whole.take(np.zeros(p.rows, np.int64))]) for p in found]


def _backwards(
    flow: Flow, graph: Graph, operands: Sequence[Value], known: int, moving: Sequence[Value], ends: Sequence[Value]
) -> list[Pattern]:
    """What results depend on, from a graph of ``known`` values and cotangents of the results to those of the moving
    operands."""
    sizes = [v.type.size for v in ends]
    inner = flow.inner(graph, operands, sum(sizes))
    nothing: list[Pattern | None] = [None] * known
    pulled = inner.run([*nothing, *_diagonals(sizes)])
    rows = [p or Pattern.empty(v.type.size, inner.columns) for v, p in zip(moving, pulled, strict=True)]
    return _split(stacked(rows).transposed().after(_together(flow, moving)), sizes) if rows else []


def _switch(flow: Flow, node: Node) -> Result:
    graphs, (at, *operands) = node.params["graphs"], node.operands
    which = flow.known.array(at)
    if which is not None and 0 <= which < len(graphs):
        graphs = (graphs[int(which)],)
    patterns = [flow.patterns.get(v) for v in operands]
    each = [flow.inner(graph, operands).run(patterns) for graph in graphs]
    ends = ([p for p in some if p is not None] for some in zip(*each, strict=True))
    return [united(there) if there else None for there in ends]


def _diagonals(sizes: list[int]) -> list[Pattern | None]:
    """The unit patterns of arrays of these sizes, side by side."""
    first = np.cumsum([0, *sizes])
    return [Pattern.diagonal(n, int(first[-1]), int(i)) for n, i in zip(sizes, first, strict=False)]


def _split(pattern: Pattern, sizes: list[int]) -> list[Pattern]:
    cuts = np.cumsum([0, *sizes])
    return [pattern.take(np.arange(a, b)) for a, b in itertools.pairwise(cuts)]


def _body(flow: Flow, node: Node, graph: Graph, consts: int) -> Pattern:
    """What each result of a loop's graph depends on within one step; a row for each element of its results, a column
    for each of its operands."""
    sizes = [v.type.size for v in graph.inputs]
    first = node.operands[1:] if node.params.get("length") == STEPS else node.operands
    inner = flow.inner(graph, first[:consts], sum(sizes))
    units = [p if is_inexact(v.type.dtype) else None for v, p in zip(graph.inputs, _diagonals(sizes), strict=True)]
    ends = zip(graph.outputs, inner.run(units), strict=True)
    rows = [p or Pattern.empty(v.type.size, inner.columns) for v, p in ends]
    return stacked(rows) if rows else Pattern.empty(0, inner.columns)


def _endless(body: Pattern, known: Pattern, carried: Pattern, entries: Pattern) -> tuple[Pattern, Pattern]:
    """What a loop carries after any number of steps, and what each step gives besides."""
    around, rest = body.take(np.arange(carried.rows)), body.take(np.arange(carried.rows, body.rows))
    while True:
        operands = stacked([known, carried, entries])
        reached = united([carried, around.after(operands)])
        if reached.same(carried):
            return carried, rest.after(operands)
        carried = reached


def _while(flow: Flow, node: Node) -> Result:
    consts = node.params["consts"]
    carries = len(node.operands) - consts
    known, carried = (_together(flow, some) for some in (node.operands[:consts], node.operands[consts:]))
    body = _body(flow, node, node.params["graph"], consts)
    carried, others = _endless(body, known, carried, Pattern.empty(0, flow.columns))
    sizes = [rows_of(v.type) for v in node.results]
    return [*_split(carried, sizes[:carries]), None, *_split(others, sizes[carries + 1 :])]


def _linear_solve(flow: Flow, node: Node) -> Result:
    """The pattern of an inverse lies within the powers of the matrix's, united: those of a graph's paths."""
    consts = node.params["consts"]
    known, right = (_together(flow, some) for some in (node.operands[:consts], node.operands[consts:]))
    body = _body(flow, node, node.params["product"], consts)
    return [_endless(body, known, right, Pattern.empty(0, flow.columns))[0]]


def _scan(flow: Flow, node: Node) -> Result:
    n, consts, carries = (node.params[name] for name in ("length", "consts", "carries"))
    operands = node.operands[1:] if n == STEPS else node.operands
    parts = operands[:consts], operands[consts : consts + carries], operands[consts + carries :]
    known, carried, entries = (_together(flow, some) for some in parts)
    sizes = [v.type.size for v in node.params["graph"].outputs]
    if n == 0:
        return [*_split(carried, sizes[:carries]), *(None for _ in sizes[carries:])]
    body = _body(flow, node, node.params["graph"], consts)
    if n == STEPS:
        carried, others = _endless(body, known, carried, entries)
        return [*_split(carried, sizes[:carries]), *_split(others, sizes[carries:])]
    steps = _stepped(body, known, carried, entries, _places([v.type.size for v in parts[2]], n), node.params["reverse"])
    last = 0 if node.params["reverse"] else n - 1
    end = steps.take(last * body.rows + np.arange(carried.rows))
    first = np.cumsum([0, *sizes])
    of_step = body.rows * np.arange(n)[:, None]
    stacks = [steps.take((of_step + np.arange(a, b)).ravel()) for a, b in itertools.pairwise(first[carries:])]
    return [*_split(end, sizes[:carries]), *stacks]


def _together(flow: Flow, values: Sequence[Value]) -> Pattern:
    return stacked([flow.of(v) for v in values]) if values else Pattern.empty(0, flow.columns)


def _places(sizes: list[int], n: int) -> Ints:
    """For each of n steps, which elements of the arrays that it loops over it reads."""
    first = np.cumsum([0, *sizes])
    parts = [(a, size // n) for a, size in zip(first, sizes, strict=False)]
    each = [a + np.arange(n)[:, None] * size + np.arange(size) for a, size in parts]
    return np.concatenate([np.zeros((n, 0), np.int64), *each], axis=1)


def _stepped(body: Pattern, known: Pattern, carried: Pattern, entries: Pattern, places: Ints, back: bool) -> Pattern:
    """What the loop's graph gives at each step, one below the other: what comes from outside for all steps at once,
    what is carried step by step."""
    n, outside, inside = len(places), known.rows, known.rows + carried.rows
    carrying = (body.indices >= outside) & (body.indices < inside)
    around, rest = body.only(carrying), body.only(~carrying)
    shifted = Pattern(around.indptr, around.indices - outside, carried.rows)
    reads = np.concatenate([
        np.broadcast_to(np.arange(outside), (n, outside)), np.zeros((n, carried.rows), np.int64), outside + places,
    ], axis=1)  # fmt: skip
    met = stacked([known, entries]).take(reads[:, rest.indices].ravel())
    fresh = met.grouped((np.arange(n)[:, None] * body.rows + rest.row).ravel(), n * body.rows)
    if not around.nnz:
        return fresh
    if (lags := _forgotten(shifted, carried.rows)) is not None:
        return united([fresh, *_delayed(lags, fresh, carried, n, body.rows, back=back)])
    steps = [carried] * n
    for t in range(n)[::-1] if back else range(n):
        steps[t] = united([fresh.take(np.arange(t * body.rows, (t + 1) * body.rows)), shifted.after(carried)])
        carried = steps[t].take(np.arange(carried.rows))
    return stacked(steps)


def _forgotten(around: Pattern, carried: int) -> list[Pattern] | None:
    """How a step depends on what was carried one step ago, two, ...; None unless it is forgotten after a few."""
    found, again = [around], around.take(np.arange(carried))
    while len(found) <= MEMORY:
        lag = found[-1].after(again)
        if not lag.nnz:
            return found
        found.append(lag)
    return None


def _delayed(
    lags: list[Pattern], fresh: Pattern, carried: Pattern, n: int, rows: int, *, back: bool
) -> Iterator[Pattern]:
    """What each lag brings to all steps: from the start, or from what another step put into what is carried."""
    c, order = carried.rows, np.arange(n)[::-1] if back else np.arange(n)
    sources = stacked([carried, fresh.take((order[:, None] * rows + np.arange(c)).ravel())])
    for k, lag in enumerate(lags):
        slots = np.arange(n - k)[:, None] * c
        met = sources.take((slots + lag.indices).ravel())
        yield met.grouped((order[k:, None] * rows + lag.row).ravel(), n * rows)


#: By name; an op without a rule of its own is dense.
CONTROL: dict[str, Rule] = {
    "checkpoint": _inside, "custom": _custom, "linear": _linear, "linear_solve": _linear_solve, "switch": _switch,
    "while": _while, "scan": _scan,
}  # fmt: skip


def control(flow: Flow, node: Node) -> Result:
    """The rule of control ops, by name."""
    return CONTROL.get(node.op.name, dense)(flow, node)
