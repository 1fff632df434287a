"""Pictures: DOT text, written here, and SVG, laid out by the Graphviz that pygraphviz brings
along.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterable
from typing import TYPE_CHECKING

from wengert.backends.program import Program
from wengert.ir.graph import Constant, Graph, Node, Value
from wengert.tools.explain.numbers import number, shown
from wengert.tools.explain.text import derivative_text

if TYPE_CHECKING:
    from wengert.tools.explain import view
    from wengert.tools.explain.explanation import Explanation

__all__ = ["can_render", "explanation_dot", "graph_dot", "graph_svg", "render"]

#: A notebook draws a larger explanation only when asked.
MOST_NODES = 300

STYLE = (
    'graph [rankdir={rankdir}, fontname="Helvetica", bgcolor="transparent"]',
    'node [shape=box, style="rounded,filled", fillcolor="#f6f8fa", color="#8b949e"]',
    'node [fontname="Helvetica", fontsize=11]',
    'edge [color="#57606a", fontname="Helvetica", fontsize=10, arrowsize=0.7]',
)
GIVEN, GOAL = 'fillcolor="#ddf4ff"', 'fillcolor="#dafbe1"'


def quoted(text: str) -> str:
    """A DOT string; a line break stays one."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _digraph(name: str, rankdir: str, lines: Iterable[str]) -> str:
    body = (*(line.format(rankdir=rankdir) for line in STYLE), *lines)
    return "\n".join([f"digraph {quoted(name)} {{", *(f"  {line};" for line in body), "}"]) + "\n"


# -- an explanation ---------------------------------------------------------------


def explanation_dot(e: Explanation) -> str:
    """Inputs at the bottom, the derivative on each edge, in each node its value and both sweeps."""
    goal = e.find(e.output)[0]
    lines = [f"n{n.index} [label={quoted(_node_label(e, n))}{_fill(n, goal)}]" for n in e.nodes]
    for edge in e.edges:
        label = quoted(derivative_text(edge))
        lines.append(f"n{edge.source.index} -> n{edge.target.index} [label={label}]")
    for source, target in e.links:
        lines.append(f"n{source.index} -> n{target.index} [style=dashed]")
    return _digraph(e.name, "BT", lines)


def _node_label(e: Explanation, node: view.Node) -> str:
    size = "" if node.shape is None else f" {'x'.join(map(str, node.shape))}"
    expression = "" if node.op == "input" else f" = {node.expression}"
    lines = [f"{node.name}{size}{expression}", shown(node.value)]
    if node.moves:
        lines.append(f"d·/d{e.wrt} = {shown(e.forward[node])}")
        lines.append(f"d{e.output}/d· = {shown(e.reverse[node])}")
    return "\n".join(lines)


def _fill(node: view.Node, goal: view.Node) -> str:
    return f", {GOAL}" if node is goal else f", {GIVEN}" if node.op == "input" else ""


# -- a graph ----------------------------------------------------------------------


def graph_dot(graph: Graph | Program) -> str:
    """A program as DOT text: its inputs, a box per node with op and type, and who reads whom.

    Scalar constants are written where they are used; constant arrays have boxes of their own.
    """
    graph = graph.graph if isinstance(graph, Program) else graph
    ids: dict[Value, str] = {v: f"i{k}" for k, v in enumerate(graph.inputs)}
    ids.update((c, f"c{k}") for k, c in enumerate(c for c in graph.constants if c.type.shape))
    lines = [f"{ids[v]} [label={quoted(f'{v.name or ids[v]}: {v.type}')}, {GIVEN}]" for v in graph.inputs]
    lines += [f'{ids[c]} [label={quoted(f"constant {c.type}")}, style="dashed"]' for c in graph.constants if c in ids]
    for k, node in enumerate(graph.nodes):
        ids.update((v, f"n{k}") for v in node.results)
        lines.append(f"n{k} [label={quoted(_op_label(node))}]")
        lines += [f"{ids[v]} -> n{k}" for v in node.operands if v in ids]
    for k, value in enumerate(graph.outputs):
        lines.append(f"o{k} [label={quoted(f'result {value.type}')}, {GOAL}]")
        lines += [f"{ids[value]} -> o{k}"] if value in ids else []
    return _digraph(graph.name, "TB", lines)


def _op_label(node: Node) -> str:
    numbers = [number(v.array[()]) for v in node.operands if isinstance(v, Constant) and not
    v.type.shape
               and v.type.dtype.kind != "c"]  # fmt: skip
    params = [f"{k}={v.name if isinstance(v, Graph) else v!r}" for k, v in node.params.items()]
    types = ", ".join(str(v.type) for v in node.results)
    return f"{' '.join([node.op.name, *numbers, *params])}\n{types}"


def graph_svg(graph: Graph | Program) -> str:
    """The picture of a program; ImportError, naming the extra, without ``pip install
    wengert[draw]``.
    """
    return render(graph_dot(graph))


# -- layout -----------------------------------------------------------------------


def can_render() -> bool:
    """Whether the extra is installed."""
    return importlib.util.find_spec("pygraphviz") is not None


def render(dot: str) -> str:
    """DOT text laid out, as SVG."""
    if not can_render():
        message = (
            "Drawing needs pygraphviz, which is not installed here: pip install "
            "wengert[draw]. The DOT text needs nothing."
        )
        raise ImportError(message, name="pygraphviz")
    pygraphviz = importlib.import_module("pygraphviz")
    drawn: bytes = pygraphviz.AGraph(string=dot).draw(format="svg", prog="dot")
    return drawn.decode("utf-8")
