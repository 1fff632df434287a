"""An explanation as aligned text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from wengert.tools.explain.numbers import number, shown
from wengert.tools.explain.view import Block, Edge, Node

if TYPE_CHECKING:
    from wengert.tools.explain.explanation import Explanation

__all__ = ["derivative_text", "describe", "edge_rows"]

WIDTH = 44
MOST_PATHS = 16
MOST_FACTORS = 64


def describe(e: Explanation, rows: int) -> str:
    """Nodes, edges, paths, visits; of longer tables, the first and last ``rows // 2`` rows each."""
    parts = [
        _head(e),
        _table(_node_rows(e), rows),
        _table(edge_rows(e), rows),
        *_paths(e),
        _visits(e),
    ]
    return "\n\n".join(part for part in parts if part)


def _head(e: Explanation) -> str:
    nodes = f"{e.name}: {len(e.nodes)} nodes, {len(e.edges)} edges"
    if any(node.is_block for node in e.nodes):
        nodes += f"; arrays of more than {e.limit} entries are shown whole, each number a Frobenius norm"
    return nodes


def _node_rows(e: Explanation) -> list[list[str]]:
    rows = [["node", "", "value", f"d·/d{e.wrt}", f"d{e.output}/d·", ""]]
    for node in e.nodes:
        given = node.op in ("input", "constant")
        words = node.op if given else f"= {node.expression}"
        moving = [shown(e.forward[node]), shown(e.reverse[node])] if node.moves else ["", ""]
        rows.append([_node_name(node), _shortened(words), shown(node.value), *moving, _where(node)])
    return rows


def _node_name(node: Node) -> str:
    return node.name if node.shape is None else f"{node.name} {'x'.join(map(str, node.shape))}"


def _shortened(text: str) -> str:
    return text if len(text) <= WIDTH else text[: WIDTH - 1] + "…"


def _where(node: Node) -> str:
    return "" if node.location is None else f"{node.location.function}:{node.location.line}"


def edge_rows(e: Explanation) -> list[list[str]]:
    """Source, target and derivative of every edge."""
    rows = [["edge", "", "derivative"]]
    for edge in e.edges:
        rows.append([edge.source.name, f"→ {edge.target.name}", derivative_text(edge)])
    return rows


def derivative_text(edge: Edge) -> str:
    """A number, or a block's shape and norm."""
    d = edge.derivative
    if isinstance(d, Block):
        return f"{d.shape[0]}x{d.shape[1]}, ‖·‖ {number(d.norm)}"
    return number(d)


def _table(rows: Sequence[Sequence[str]], most: int) -> str:
    """Columns aligned, the numbers to the right; nothing where there is only a heading."""
    if len(rows) < 2:
        return ""
    if len(rows) > most + 1:
        half = max(most // 2, 1)
        gap = ["…", f"({len(rows) - 1 - 2 * half} more)", *[""] * (len(rows[0]) - 2)]
        rows = [*rows[: half + 1], gap, *rows[-half:]]
    widths = [max(len(row[c]) for row in rows) for c in range(len(rows[0]))]
    right = range(2, 5)
    lines = []
    for row in rows:
        cells = [t.rjust(w) if c in right else t.ljust(w) for c, (t, w) in enumerate(zip(row, widths, strict=True))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _paths(e: Explanation) -> Iterator[str]:
    (source, _), (target, _) = e.find(e.wrt), e.find(e.output)
    count = e.paths(source, target)
    head = f"paths from {source.name} to {target.name}: {count}"
    if any(node.is_block for node in e.nodes):
        head += " (an edge to or from a block counts as one)"
    elif 0 < count <= MOST_PATHS:
        total = e.path_sum()
        if sum(map(len, total.terms)) <= MOST_FACTORS:
            verdict = "as the sweeps have it" if total.agrees else f"but the sweeps have {total.factored}"
            head += f"\n{total} = {number(total.total)}, {verdict}"
    yield head


def _visits(e: Explanation) -> str:
    lines = []
    for name, visits in e.edge_visits.items():
        often = sorted(set(visits))
        times = "once" if often in ([1], []) else f"{' or '.join(map(str, often))} times"
        lines.append(f"{name} sweep: {sum(visits)} visits to {len(visits)} edges, each {times}")
    return "\n".join(lines)
