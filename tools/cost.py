"""What a program costs: operations, bytes moved and peak memory, node by node; of its value, forward and reverse.

Operations are counted in arithmetic on one number: one per element of an elementwise op (of one that is a body over
others, those of the body), of a fold and of a running fold, two per term of a contraction.  Library calls go by the
usual leading terms (n^3 for n x n linear algebra, 5 n log2 n for a transform, n log2 n for a sort).  Moving and
indexing are bytes, and no operations; slices, reshapes, transposes and broadcasts look at what is there, and are
neither.  Sub-graphs count as often as they are run: the program is run once, on ``numpy``.

The peak is that of a straight run that frees every array after its last reader and fuses nothing, inputs included: what
``python`` needs, and a bound for the others.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from attrs import field, frozen

from wengert.backends.program import Program
from wengert.backends.vectorized.control import Values
from wengert.backends.vectorized.evaluate import Plan
from wengert.ir import autodiff, kinds
from wengert.ir.build import Builder, Namespace
from wengert.ir.graph import Graph, Location, Node, Value
from wengert.ir.ops import OPS
from wengert.ir.passes import dead_code, inline_calls
from wengert.ir.storable import graphs_in
from wengert.ir.types import ArrayType, is_inexact, is_stack
from wengert.tracer.callee import Callee

__all__ = ["Cost", "Report", "Row", "cost"]


@frozen
class Row:
    """One node: how often it is run, and what it costs each time."""

    op: str
    type: str
    times: int
    operations: int
    bytes: int
    location: Location | None


@frozen
class Cost:
    """What a graph costs.

    Attributes
    ----------
    operations, bytes : int
        In all: arithmetic on one number; bytes read and written.
    peak : int
        The most bytes held at once.
    rows : tuple of Row
        The nodes, those of sub-graphs behind the node that runs them.
    """

    operations: int
    bytes: int
    peak: int
    rows: tuple[Row, ...] = field(repr=False)


@frozen
class Report:
    """The cost of a program's value, of value and forward mode, and of value and reverse mode."""

    value: Cost
    forward: Cost | None
    reverse: Cost | None

    def __str__(self) -> str:
        named = (("value", self.value), ("forward", self.forward), ("reverse", self.reverse))
        lines = [f"{'':8} {'operations':>14} {'bytes moved':>14} {'peak bytes':>14}"]
        lines += [f"{n:8} {c.operations:14,} {c.bytes:14,} {c.peak:14,}" for n, c in named if c is not None]
        lines += ["", f"{'op':16} {'type':20} {'times':>9} {'operations':>14} {'bytes':>14}  line"]
        dear = sorted(self.value.rows, key=lambda r: -(r.operations + r.bytes) * r.times)[:20]
        lines += [
            f"{r.op:16} {r.type:20} {r.times:9,} {r.operations * r.times:14,} {r.bytes * r.times:14,}"
            f"  {r.location or ''}".rstrip()
            for r in dear
        ]
        return "\n".join(lines)


def cost(f: Any, argnums: int | tuple[int, ...] | None = None) -> Callable[..., Report]:
    """``cost(f)(*args)``: operations, bytes and peak memory of a function, traced function, program or graph.

    Parameters
    ----------
    f : callable, Program or Graph
    argnums : int or tuple of int, optional
        What forward and reverse differentiate in; by default every floating-point argument.

    Returns
    -------
    callable
        Takes the arguments of ``f``; gives a :class:`Report`, which prints as a table.
    """
    callee = Callee(f, None)

    def report(*args: Any, **kwargs: Any) -> Report:
        call = callee.call(args, kwargs)
        chosen = call.select(argnums, strict=argnums is not None)
        kept: list[Any] = []

        def action(program: Program, inputs: list[Any]) -> Any:
            kept[:] = [program.graph, inputs]
            return program.run(inputs, "numpy"), None

        call.perform(action)
        graph, inputs = kept
        value = _cost(graph, inputs)
        if not chosen.active or not any(is_inexact(v.type.dtype) for v in graph.outputs):
            return Report(value, None, None)
        tangents = [np.ones(graph.inputs[i].type.shape, graph.inputs[i].type.dtype) for i in chosen.active]
        ends = [np.ones(v.type.shape, v.type.dtype) for v in graph.outputs if is_inexact(v.type.dtype)]
        forward = _cost(autodiff.jvp(graph, chosen.active), [*inputs, *tangents])
        return Report(value, forward, _cost(autodiff.vjp(graph, chosen.active), [*inputs, *ends]))

    return report


# -- counting ------------------------------------------------------------------------------------------------------


class _Counting(Values):
    """The machine of values, which counts how often each graph is called."""

    def __init__(self) -> None:
        super().__init__(self._runner)
        self.times: Counter[Graph] = Counter()
        self.made: dict[Graph, Any] = {}

    def _runner(self, graph: Graph) -> Callable[[Any], list[Any]]:
        if graph not in self.made:
            plan = Plan(graph)
            for i, (node, reads, outs) in enumerate(plan.lowered):
                if isinstance(node.op, kinds.Control):
                    plan.steps[i] = (self._step(node), reads, outs)
            frees = plan.frees(plan.outputs)

            def run(inputs: Any) -> list[Any]:
                env = plan.run(inputs, frees)
                return [env[i] for i in plan.outputs]

            self.made[graph] = run
        return self.made[graph]  # type: ignore[no-any-return]

    def _step(self, node: Node) -> Callable[..., Any]:
        def run(*operands: Any) -> Any:
            made = node.op.drive(self, operands, node.params)  # type: ignore[attr-defined]
            return made if len(made) != 1 else made[0]

        return run

    def call(self, graph: Graph, operands: Sequence[Any]) -> Sequence[Any]:
        self.times[graph] += 1
        return super().call(graph, operands)

    again = call


def _cost(graph: Graph, inputs: Sequence[Any]) -> Cost:
    graph = dead_code(inline_calls(graph))
    machine = _Counting()
    with np.errstate(all="ignore"):
        machine.call(graph, inputs)
    steps = _Steps(machine.times)
    rows = tuple(_rows(graph, machine.times, steps))
    operations, moved = (sum(getattr(r, name) * r.times for r in rows) for name in ("operations", "bytes"))
    return Cost(operations, moved, _peak(graph, steps), rows)


class _Steps:
    """How many entries a stack has: as many as its loop took steps, on average over its runs."""

    def __init__(self, times: Counter[Graph]) -> None:
        self.times = times
        self.of: dict[Value, int] = {}

    def bytes(self, value: Value) -> int:
        size = value.type.dtype.itemsize
        for n in value.type.shape[is_stack(value.type) :]:
            size *= n
        return size * self.of.get(value, 0) if is_stack(value.type) else size

    def see(self, node: Node) -> None:
        """Remember the steps of a loop's stacks."""
        stacks = [v for v in node.results if is_stack(v.type)]
        taken = [self.of[v] for v in node.operands if v in self.of]
        if stacks and node.op.name == "while":
            ends = self.times[node.params["condition"]] - self.times[node.params["graph"]]
            taken = [-(-self.times[node.params["graph"]] // max(ends, 1))]
        self.of.update(dict.fromkeys(stacks, max(taken, default=0)))


def _rows(graph: Graph, times: Counter[Graph], steps: _Steps) -> Sequence[Row]:
    rows: list[Row] = []
    seen: set[Graph] = set()

    def walk(graph: Graph) -> None:
        if graph in seen or not times[graph]:
            return
        seen.add(graph)
        for node in graph.nodes:
            steps.see(node)
            if isinstance(node.op, kinds.Control):
                for inner in graphs_in(node.params):
                    walk(inner)
                continue
            moved = 0 if _is_view(node) else sum(map(steps.bytes, (*node.operands, *node.results)))
            type_ = str(node.results[0].type)
            rows.append(Row(node.op.name, type_, times[graph], operations(node), moved, node.location))

    walk(graph)
    return rows


def operations(node: Node) -> int:
    """Arithmetic on one number that one run of a node does."""
    op, size = node.op, node.results[0].type.size
    if isinstance(op, kinds.Elementwise):
        return size * _scalar_operations(op, tuple(v.type.dtype for v in node.operands))
    if isinstance(op, (kinds.Reduction, kinds.Cumulative)):
        return node.operands[-1].type.size * len(node.operands)
    if isinstance(op, kinds.Contraction):
        terms = op.split(node.params["subscripts"])
        sizes = {c: n for t, v in zip(terms, node.operands, strict=False) for c, n in zip(t, v.type.shape, strict=True)}
        return 2 * math.prod(sizes.values())
    return _library_operations(node) if isinstance(op, kinds.Library) else 0


def _scalar_operations(op: kinds.Elementwise, dtypes: tuple[Any, ...]) -> int:
    """One, or those of the body; conversions are none."""
    if op.symbol in ("cast", "identity", "real", "imag", "complex", "conj"):
        return 0
    if op.body is None or op is OPS["scale"]:  # a product, repaired where it is not finite
        return 1
    b = Builder()
    xp = Namespace(b)
    op.body(xp, *(xp.wrap(b.input(ArrayType(d))) for d in dtypes))
    return sum(operations(node) for node in b.nodes)


def _library_operations(node: Node) -> int:
    x = node.operands[0].type if node.operands else node.results[0].type
    if "fft" in node.op.name:
        return int(5 * x.size * math.log2(max(x.shape[node.params["axis"]], 2)))
    if "sort" in node.op.name:
        return int(x.size * math.log2(max(x.shape[node.params["axis"]], 2)))
    return x.size * max(x.shape[-1:] or (1,)) if x.ndim > 1 else x.size


# -- peak memory ---------------------------------------------------------------------------------------------------


def _peak(graph: Graph, steps: _Steps) -> int:
    """The most bytes alive at once: inputs and constants throughout, the rest from its node to its last reader."""
    always = {*graph.inputs, *graph.constants}
    base: dict[Value, Value] = {}
    last: dict[Value, int] = {}
    for i, node in enumerate(graph.nodes):
        if _is_view(node):
            base[node.result] = base.get(node.operands[0], node.operands[0])
        last.update((base.get(v, v), i) for v in (*node.operands, *node.results))
    last.update((base.get(v, v), len(graph.nodes)) for v in graph.guarded_outputs)
    dying: dict[int, list[Value]] = {}
    for value, i in last.items():
        if value not in always:
            dying.setdefault(i, []).append(value)
    alive = most = sum(map(steps.bytes, always))
    for i, node in enumerate(graph.nodes):
        steps.see(node)
        alive += sum(steps.bytes(v) for v in node.results if v not in base)
        inner = 0
        if isinstance(node.op, kinds.Control):
            inner = max((_inside(g, steps) for g in graphs_in(node.params) if steps.times[g]), default=0)
        most = max(most, alive + inner)
        alive -= sum(map(steps.bytes, dying.get(i, ())))
    return most


def _is_view(node: Node) -> bool:
    return node.op.name in ("slice", "reshape", "transpose", "broadcast_to")


def _inside(graph: Graph, steps: _Steps) -> int:
    """What a sub-graph needs beside its arguments."""
    return _peak(graph, steps) - sum(map(steps.bytes, graph.inputs))


