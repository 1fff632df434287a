"""What became of loops, for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from attrs import evolve, frozen

from wengert.ir.graph import Graph, Location, Node
from wengert.ir.kinds import Movement
from wengert.ir.passes.reroll.repeats import FEWEST, described, stretches

__all__ = ["Loop", "Report", "counted", "refused"]

#: Nodes of a loop that is worth a word where it is left as it is.
_WORTH_A_WORD = 64


@frozen
class Loop:
    """A loop that was found: where, how often, nodes in a step, and what a step carries, reads and gives."""

    location: Location | None
    steps: int
    nodes: int
    carries: int
    xs: int
    ys: int
    times: int = 1

    def __str__(self) -> str:
        times = f"{self.times} times " if self.times > 1 else ""
        return (
            f"{self.location or 'somewhere'}: {times}{self.steps} steps of {self.nodes} nodes; "
            f"{self.carries} carried, {self.xs} read, {self.ys} given in each"
        )


def counted(loops: Sequence[Loop]) -> tuple[Loop, ...]:
    """Loops that are alike as one: those within another were found in each of its steps."""
    return tuple(evolve(loop, times=n) for loop, n in Counter(loops).items())


@frozen
class Refused:
    """Steps that stay as they are: where, how often, and why."""

    location: Location | None
    steps: int
    reason: str

    def __str__(self) -> str:
        return f"{self.location or 'somewhere'}: {self.steps} steps stay unrolled: {self.reason}"


@frozen
class Report:
    """How many nodes there were and are, the loops found, and those left as they were."""

    before: int
    after: int
    loops: tuple[Loop, ...]
    refused: tuple[Refused, ...]

    def __str__(self) -> str:
        count = sum(loop.times for loop in self.loops)
        head = f"{self.before} nodes, {self.after} after {count} loop{'s were' if count != 1 else ' was'} found"
        return "\n".join([head, *(f"  {line}" for line in (*self.loops, *self.refused))])


def refused(graph: Graph, misses: Sequence[tuple[Node, Node, int]]) -> tuple[Refused, ...]:
    """Why what repeats itself in a graph is no loop."""
    found = [
        Refused(first.location, count, f"from step to step something else is read at {bad.location}, by {bad.op.name}.")
        for first, bad, count in misses
    ]
    kinds, every = described(graph.nodes, types=False), described(graph.nodes)
    seen: set[Location | None] = {each.location for each in found}
    for start, stop, period in stretches(kinds, _WORTH_A_WORD):
        first = graph.nodes[start]
        if first.location in seen or all(isinstance(node.op, Movement) for node in graph.nodes[start : start + period]):
            continue
        seen.update(node.location for node in graph.nodes[start:stop])
        k = next((k for k in range(start, stop - period) if every[k] != every[k + period]), None)
        found.append(Refused(first.location, (stop - start) // period, _difference(graph, k, period)))
    lines = Counter(node.location for node in graph.nodes if not isinstance(node.op, Movement))
    for line, count in lines.items():
        if line is not None and count >= _WORTH_A_WORD and line not in seen:
            found.append(Refused(line, count, "what is computed at this line does not repeat itself with a period."))
    return tuple(found)


def _difference(graph: Graph, k: int | None, period: int) -> str:
    if k is None:
        return f"they save too little: a loop has at least {FEWEST} steps, and short straight code is faster."
    node, other = graph.nodes[k], graph.nodes[k + period]
    ours, theirs = ([v.type for v in (*n.operands, *n.results)] for n in (node, other))
    where = f"{node.op.name} at {node.location}"
    if ours != theirs:
        shapes = [v.shape for v in ours] != [v.shape for v in theirs]
        return f"{'shapes' if shapes else 'dtypes'} change from step to step, in {where}."
    return f"parameters of {where} change from step to step."
