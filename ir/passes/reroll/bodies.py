"""A loop written: the body of a scan, with what is carried, what each step reads of arrays, and what it gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import define, field

from wengert.ir.build import Builder
from wengert.ir.graph import Constant, Graph, Node, Value
from wengert.ir.kinds import Control, Movement
from wengert.ir.ops import OPS
from wengert.ir.passes.basic import dead_code
from wengert.ir.passes.reroll.entries import chosen, places, reshaped, sliced, stacked
from wengert.ir.passes.reroll.steps import Steps
from wengert.ir.types import ArrayType

__all__ = ["Given", "Written", "moves", "write"]

#: How far back movements that are done before a loop, the same for each step, are done in it instead.
_DEPTH = 6


@define
class Given:
    """What the loop is written from: nodes, which of them makes a value, and what stands for a value now."""

    nodes: Sequence[Node]
    maker: Mapping[Value, Node]
    builder: Builder
    at: Any


@define
class Written:
    """What stands for the results of the steps: by node and result, an array of one entry for each step, a value that
    is the same in each, or the last one alone."""

    stacks: dict[tuple[int, int], Value] = field(factory=dict)
    same: dict[tuple[int, int], Value] = field(factory=dict)
    last: dict[tuple[int, int], Value] = field(factory=dict)
    carries: int = 0
    xs: int = 0
    ys: int = 0


class _Body:
    """The body, and what it is given."""

    def __init__(self, given: Given, steps: Steps) -> None:
        self.given, self.steps, self.b = given, steps, given.builder
        self.body = Builder("step")
        self.consts: dict[Value, Value] = {}
        self.xs: dict[Value, Value] = {}
        self.entries: dict[Value, Value] = {}  # inputs of the body: the arrays they are entries of
        self.carries: dict[Any, Value] = {}
        self.firsts: dict[Any, Value] = {}
        self.made: dict[tuple[int, int], Value] = {}
        self.same: dict[tuple[int, int], Value] = {}
        self.before: dict[Any, tuple[Value, ...]] = {}
        self._read: dict[Any, Value | None] = {}
        self.inner = {v for node in given.nodes[steps.start : steps.stop] for v in node.results}

    # -- what a step reads ------------------------------------------------------------------

    def const(self, value: Value) -> Value:
        """The same in each step."""
        if isinstance(value, Constant):
            return value
        return self.consts.setdefault(value, Value(value.type))

    def along(self, array: Value, type_: ArrayType) -> Value:
        """An entry of an array."""
        x = self.xs.get(array)
        if x is None:
            x = self.xs[array] = Value(ArrayType(array.type.dtype, array.type.shape[1:]))
            self.entries[x] = array
        return self.body.cast(x, type_.dtype, weak=type_.weak)

    def outside(self, values: Sequence[Value]) -> Value:
        """What is computed before the loop, a value for each step."""
        found = self._found(values, 0)
        assert found is not None
        return found

    def _found(self, values: Sequence[Value], depth: int) -> Value | None:
        key = tuple(values)
        if self._read.get(key) is None:
            self._read[key] = self._outside(values, depth)
        return self._read[key]

    def _outside(self, values: Sequence[Value], depth: int) -> Value | None:
        """None where steps themselves move these, each in its own way."""
        first, type_, there = values[0], values[0].type, self.inner.isdisjoint(values)
        if there and all(v is first for v in values):
            return self.const(self.given.at(first))
        if not all(isinstance(v, Constant) for v in values) and depth < _DEPTH:
            moved = self._moved(values, depth)
            if moved is not None:
                return moved
        return self.along(stacked(self.b, [self.given.at(v) for v in values]), type_) if there else None

    def _moved(self, values: Sequence[Value], depth: int) -> Value | None:
        """Movements that are alike but for where slices begin: of one array, or of what is read in the step."""
        makers = [self.given.maker.get(v) for v in values]
        first = makers[0]
        if first is None or not moves(first):
            return None
        slices = first.op is OPS["slice"]
        for node in makers:
            if node is None or node.op is not first.op or len(node.operands) != len(first.operands) or any(
                v.type != w.type for v, w in zip(node.operands, first.operands, strict=True)):
                return None
            if node.params != first.params and not (slices and _alike(node.params, first.params)):
                return None
        if slices and any(node.params["start"] != first.params["start"] for node in makers):  # type: ignore[union-attr]
            if any(node.operands[0] is not first.operands[0] for node in makers):  # type: ignore[union-attr]
                return None
            return self._slices(first, [node.params["start"] for node in makers])  # type: ignore[union-attr]
        columns = [[node.operands[i] for node in makers] for i in range(len(first.operands))]  # type: ignore[union-attr]
        operands = [self._found(column, depth + 1) for column in columns]
        return None if None in operands else self.body.emit(first.op, operands, **first.params)  # type: ignore[arg-type]

    def _slices(self, node: Node, starts: list[tuple[int, ...]]) -> Value | None:
        """Slices of an array that is the same in each step."""
        if node.operands[0] in self.inner:
            return None
        array = self.given.at(node.operands[0])
        rows = sliced(self.b, array, starts, node.params["size"], node.params["step"])
        return None if rows is None else self.along(rows, node.result.type)

    # -- the nodes of a step ----------------------------------------------------------------

    def node(self, j: int) -> None:
        """Append a node of the step."""
        steps, nodes = self.steps, self.given.nodes
        each = range(steps.start + j, steps.stop, steps.period)
        first = nodes[each[0]]
        self.b.location = self.body.location = first.location
        sources = steps.sources[j]
        fixed: list[Value | None] = []
        for i, source in enumerate(sources):
            if source is None:
                column = nodes[each[0]].operands[i]
                still = all(nodes[k].operands[i] is column for k in each)
                fixed.append(self.given.at(column) if still else None)
            else:
                fixed.append(self.same.get((source.node, source.result)) if source.steps == 0 else None)
        starts = [nodes[k].params["start"] for k in each] if first.op is OPS["slice"] else []
        if starts and any(s != starts[0] for s in starts):
            self._sliced(j, first, fixed[0], starts)
            return
        if first.op is OPS["take"] and fixed[0] is not None and fixed[1] is None and sources[1] is None:
            indices = [nodes[k].operands[1] for k in each]
            if all(isinstance(v, Constant) for v in indices):
                rows = chosen(self.b, fixed[0], stacked(self.b, indices), first.params["axis"])
                self._results(j, [self.along(rows, first.result.type)])
                return
        if _worth_doing_before(first) and fixed and all(v is not None for v in fixed) and not all(
            isinstance(v, Constant) for v in fixed):
            key = (first.op, tuple(fixed), repr(first.params))
            if key not in self.before:
                self.before[key] = self.b.emit_all(first.op, fixed, **first.params)  # type: ignore[arg-type]
            self.same.update(((j, r), v) for r, v in enumerate(self.before[key]))
            return
        operands = [self._operand(each, i, fixed[i]) for i in range(len(fixed))]
        self._results(j, self.body.emit_all(first.op, operands, **first.params))

    def _results(self, j: int, results: Sequence[Value]) -> None:
        self.made.update(((j, r), v) for r, v in enumerate(results))

    def _operand(self, each: range, i: int, fixed: Value | None) -> Value:
        if fixed is not None:
            return self.const(fixed)
        j = each[0] - self.steps.start
        source = self.steps.sources[j][i]
        if source is None:
            return self.outside([self.given.nodes[k].operands[i] for k in each])
        if source.steps == 0:
            return self.made[source.node, source.result]
        values = [self.given.nodes[k].operands[i] for k in each]
        if all(self._is_read(v) for v in values):  # an entry that a step before has read
            key = tuple(values)
            if key not in self._read:
                self._read[key] = self._moved(values, 0)
            if (found := self._read[key]) is not None:
                return found
        return self._carried((source.node, source.result), tuple(values[: source.steps]))

    def _is_read(self, value: Value) -> bool:
        """Whether a value is moved from what is there before the loop, even if it is so in a step."""
        maker, first = self.given.maker, True
        while (node := maker.get(value)) is not None and moves(node) and len(node.operands) == 1:
            (value,), first = node.operands, False
        return not first and value not in self.inner

    def _carried(self, source: tuple[int, int], begin: tuple[Value, ...]) -> Value:
        """What was made some steps before; in as many steps from the first on it is what stands in ``begin``."""
        for k in range(len(begin)):
            key = (source, begin[k:])
            if key not in self.carries:
                self.carries[key] = Value(begin[k].type)
                self.firsts[key] = self.given.at(begin[k])
        return self.carries[source, begin]

    def _sliced(self, j: int, node: Node, array: Value | None, starts: list[tuple[int, ...]]) -> None:
        """A slice that begins elsewhere in each step."""
        size, step, type_ = node.params["size"], node.params["step"], node.result.type
        if array is not None:
            rows = sliced(self.b, array, starts, size, step)
            if rows is not None:
                self._results(j, [self.along(rows, type_)])
                return
        each = range(self.steps.start + j, self.steps.stop, self.steps.period)
        x = self._operand(each, 0, array)
        table = self.b.constant(places(x.type.shape, starts, size, step))
        flat = reshaped(self.body, x, (x.type.size,))
        where = self.along(table, ArrayType(table.type.dtype, table.type.shape[1:]))
        self._results(j, [self.body.emit(OPS["take"], (flat, where), axis=0)])

    # -- the scan ---------------------------------------------------------------------------

    def update(self, key: Any) -> Value:
        """What a carried value is in the next step."""
        source, begin = key
        if len(begin) > 1:
            return self.carries[source, begin[1:]]
        return self.given_back(source)

    def given_back(self, source: tuple[int, int]) -> Value:
        """A result of a node of the step, within the body."""
        return self.made[source] if source in self.made else self.const(self.same[source])


def moves(node: Node) -> bool:
    """Whether a node costs nothing where it is done within a step."""
    return isinstance(node.op, Movement) or node.op is OPS["cast"]


def _alike(params: dict[str, Any], others: dict[str, Any]) -> bool:
    return bool(params["size"] == others["size"] and params["step"] == others["step"])


def _worth_doing_before(node: Node) -> bool:
    """Whether what is the same in each step is computed before; repeating what is there costs a step nothing."""
    return node.op is not OPS["broadcast_to"] and not isinstance(node.op, Control)


def write(
    given: Given, steps: Steps, wanted: Sequence[tuple[int, int]], last: Sequence[tuple[int, int]],
    bodies: dict[Any, Graph],
) -> Written:
    """The scan of some steps, of which some results are wanted, or the last of some; equal bodies are one graph."""
    at = _Body(given, steps)
    for j in range(steps.period):
        at.node(j)
    b = given.builder
    b.location = given.nodes[steps.start].location
    stacks = {}
    rows: dict[tuple[int, int], Value] = {}
    carried = {source for source, begin in at.carries if len(begin) == 1}
    for key in dict.fromkeys((*wanted, *(key for key in last if key not in carried))):
        if key in at.same:
            continue
        made = at.made[key]
        if made in at.entries:
            stacks[key] = at.entries[made]
        else:
            rows[key] = made
    each = list(dict.fromkeys(rows.values()))
    keys = list(at.carries)
    outputs = [*(at.update(key) for key in keys), *each]
    graph = dead_code(Graph((), tuple(at.body.nodes), tuple(outputs), name="step"))
    read = set(graph.used_values())
    consts, xs = ({x: v for x, v in every.items() if v in read} for every in (at.consts, at.xs))
    graph = graph.evolve(inputs=(*consts.values(), *(at.carries[key] for key in keys), *xs.values()))
    graph = bodies.setdefault(_form(graph, len(consts), len(keys)), graph)
    operands = [*consts, *(at.firsts[key] for key in keys), *xs]
    params = {"graph": graph, "consts": len(consts), "carries": len(keys), "length": steps.count, "reverse": False}
    results = b.emit_all(OPS["scan"], operands, **params) if outputs else ()
    found = dict(zip(each, results[len(keys) :], strict=True))
    stacks.update((key, found[v]) for key, v in rows.items())
    ends = {key[0]: v for key, v in zip(keys, results, strict=False) if len(key[1]) == 1}
    return Written(stacks, dict(at.same), ends, len(keys), len(xs), len(each))


def _form(graph: Graph, consts: int, carries: int) -> Any:
    """Equal forms, equal graphs: the nodes with each value by its number."""
    numbers: dict[Value, Any] = {v: i for i, v in enumerate(graph.inputs)}
    lines = []

    def number(value: Value) -> Any:
        return value.key if isinstance(value, Constant) else numbers[value]

    for node in graph.nodes:
        operands = tuple(map(number, node.operands))
        lines.append((node.op, operands, tuple(sorted((k, _plain(v)) for k, v in node.params.items())), node.location))
        for v in node.results:
            numbers[v] = len(numbers)
    types = tuple(v.type for v in graph.inputs)
    return consts, carries, types, tuple(lines), tuple(map(number, graph.outputs))


def _plain(value: Any) -> Any:
    return repr(value) if not isinstance(value, (Graph, tuple)) else value
