"""How each control op runs its sub-graphs: once, for every interpreter and every mode.

A *machine* is an interpreter in one mode.  Its values are its own: arrays, lists of scalars, duals, entries of a tape.

==============================  ==========================================================================
``call(graph, operands)``       the results of a graph
``again(graph, operands)``      the same, but a tape keeps the operands alone and runs the graph again later
``custom(params, operands)``    the same, but derivatives are those of the graphs ``jvp`` and ``vjp``
``holds(graph, operands)``      whether a graph's one result is true, for Python
``index(value)``                an integer, for Python
``number(n)``                   an int64, for the program
``at(value, i, n)``             entry ``i`` of ``n`` along the first axis
``stack(values, type)``         values of a type along a new first axis
==============================  ==========================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from wengert.ir.errors import DerivativeError
from wengert.ir.graph import Graph
from wengert.ir.types import STEPS, ArrayType

__all__ = [
    "Machine", "call", "checkpoint", "custom", "forward_rule", "linear", "linear_solve", "reverse_rules", "scan",
    "switch", "while_",
]  # fmt: skip

Values = Sequence[Any]
Params = dict[str, Any]


class Machine(Protocol):
    """See the table above."""

    def call(self, graph: Graph, operands: Values) -> Values: ...
    def again(self, graph: Graph, operands: Values) -> Values: ...
    def custom(self, params: Params, operands: Values) -> Values: ...
    def holds(self, graph: Graph, operands: Values) -> bool: ...
    def index(self, value: Any) -> int: ...
    def number(self, n: int) -> Any: ...
    def at(self, value: Any, i: int, n: int) -> Any: ...
    def stack(self, values: Values, type_: ArrayType) -> Any: ...


def call(machine: Machine, operands: Values, params: Params) -> Values:
    return machine.call(params["graph"], operands)


def checkpoint(machine: Machine, operands: Values, params: Params) -> Values:
    return machine.again(params["graph"], operands)


def custom(machine: Machine, operands: Values, params: Params) -> Values:
    return machine.custom(params, operands)


def reverse_rules(params: Params) -> tuple[Graph | None, Graph | None]:
    """The vjp and the jvp of a custom call; raises where there is neither."""
    if params["jvp"] is None and params["vjp"] is None:
        message = f"custom: the call of {params['graph'].name} states no derivative, neither a jvp nor a vjp."
        raise DerivativeError(message, op="custom")
    return params["vjp"], params["jvp"]


def forward_rule(params: Params) -> Graph:
    """The jvp of a custom call; raises where there is none."""
    _, jvp = reverse_rules(params)
    if jvp is None:
        raise DerivativeError(BACK_ONLY, op="custom")
    return jvp


def linear(machine: Machine, operands: Values, params: Params) -> Values:
    if params["graph"] is None:
        raise DerivativeError(BACK_ONLY, op="linear")
    return machine.call(params["graph"], operands)


#: Where forward mode meets a rule that is not linear, such as a clipped cotangent.
BACK_ONLY = (
    "A custom vjp that is not linear in its cotangent (it clips it, for instance) has no forward mode: use reverse "
    "mode, or give wg.custom a jvp as well."
)


def linear_solve(machine: Machine, operands: Values, params: Params) -> Values:
    """The solution y, held; the product with it, which moves as the matrix does; y again, moving by S(db - dA y)."""
    from wengert.ir.systems import held, moving

    solution = machine.custom(held(params["graph"]), operands)
    image = machine.call(params["product"], [*operands[:-1], *solution])
    return machine.custom(moving(params["graph"], params["back"]), [*operands, *image, *solution])


def switch(machine: Machine, operands: Values, params: Params) -> Values:
    graphs, k = params["graphs"], machine.index(operands[0])
    if not 0 <= k < len(graphs):
        raise IndexError(no_branch(k, len(graphs)))
    return machine.call(graphs[k], operands[1:])


def no_branch(k: object, count: int) -> str:
    """The error of a switch whose index names no branch."""
    return f"switch: index {k} is out of range; there are {count} branches, 0 to {count - 1}."


def scan(machine: Machine, operands: Values, params: Params) -> Values:
    graph, n, m = params["graph"], params["length"], params["carries"]
    if n == STEPS:
        n, operands = machine.index(operands[0]), operands[1:]
    first = params["consts"] + m
    fixed, carry, xs = operands[: params["consts"]], operands[params["consts"] : first], operands[first:]
    columns: list[list[Any]] = [[] for _ in graph.outputs[m:]]
    for i in reversed(range(n)) if params["reverse"] else range(n):
        made = machine.call(graph, [*fixed, *carry, *(machine.at(x, i, n) for x in xs)])
        carry = made[:m]
        for column, y in zip(columns, made[m:], strict=True):
            column.append(y)
    return [*carry, *_stacked(machine, graph, m, [c[::-1] for c in columns] if params["reverse"] else columns)]


def while_(machine: Machine, operands: Values, params: Params) -> Values:
    graph, c = params["graph"], params["consts"]
    fixed, carry, steps = operands[:c], operands[c:], 0
    m = len(carry)
    columns: list[list[Any]] = [[] for _ in graph.outputs[m:]]
    while machine.holds(params["condition"], [*fixed, *carry]):
        made = machine.call(graph, [*fixed, *carry])
        carry, steps = made[:m], steps + 1
        for column, y in zip(columns, made[m:], strict=True):
            column.append(y)
    return [*carry, machine.number(steps), *_stacked(machine, graph, m, columns)]


def _stacked(machine: Machine, graph: Graph, m: int, columns: Sequence[Values]) -> list[Any]:
    return [machine.stack(c, v.type) for c, v in zip(columns, graph.outputs[m:], strict=True)]
