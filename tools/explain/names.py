"""What nodes are called, and what they are computed from, in words."""

from __future__ import annotations

import string
from collections.abc import Sequence

import numpy as np

from wengert.ir import kinds
from wengert.ir.graph import Graph, Node, Value
from wengert.ir.structure import Structure, leaf_paths
from wengert.tools.explain.numbers import number

__all__ = ["entry_name", "node_names", "operation", "result_paths", "written"]

_INFIX = ("+", "-", "*", "/", "//", "%", "**", "<", "<=", ">", ">=", "==", "!=", "&", "|", "^",
          "<<", ">>", "and", "or", "xor")  # fmt: skip
_RECORDS = ("dict", "namedtuple", "dataclass", "attrs")


def entry_name(name: str, shape: tuple[int, ...], i: int) -> str:
    """One entry of an array: ``W[0,1]``."""
    if not shape:
        return name
    return f"{name}[{','.join(str(k) for k in np.unravel_index(i, shape))}]"


def result_paths(graph: Graph) -> list[str]:
    """A name for each output: ``loss`` in a dict or record, ``out`` or ``out[1]`` else."""
    results = graph.results
    if results is None:
        return ["out"] if len(graph.outputs) == 1 else [f"out[{i}]" for i in range(len(graph.outputs))]
    if results.kind in _RECORDS and all(isinstance(key, str) for key in results.keys):
        pairs = zip(results.keys, results.children, strict=True)
        return [path for key, child in pairs for path in leaf_paths(child, key)]
    return list(leaf_paths(results, "out"))


def node_names(graph: Graph, inputs: Sequence[str], computed: Sequence[Value]) -> dict[Value, str]:
    """A name for each computed value.

    Its key where the function returns a record of them; else the next free letter; ``%3``, as
    ``print(graph)`` has it, where the letters do not suffice.
    """
    names: dict[Value, str] = {}
    taken = set(map(_base, inputs))
    if _is_record(graph.results):
        own, source = set(computed), _sources(graph)
        for path, value in zip(result_paths(graph), graph.outputs, strict=True):
            while value in source and value not in own:
                value = source[value]
            if value in own and _base(path) not in taken:
                names.setdefault(value, path)
        taken |= set(map(_base, result_paths(graph)))
    free = [c for c in string.ascii_lowercase if c not in taken]
    rest = [value for value in computed if value not in names]
    if len(rest) <= len(free):
        names.update(zip(rest, free, strict=False))
    else:
        every = (*graph.inputs, *(v for node in graph.nodes for v in node.results))
        place = {v: k for k, v in enumerate(every)}
        names.update((value, f"%{place[value]}") for value in rest)
    return names


def _sources(graph: Graph) -> dict[Value, Value]:
    """For a value that is another one in another shape or dtype, though of one entry: that one."""
    pairs = ((node.result, node.operands[0]) for node in graph.nodes if len(node.operands) == 1)
    return {v: x for v, x in pairs if v.type.size == x.type.size == 1}


def _base(name: str) -> str:
    return name.partition("[")[0].partition(".")[0]


def _is_record(results: Structure | None) -> bool:
    return results is not None and results.kind in _RECORDS


def operation(node: Node, arguments: Sequence[str]) -> str:
    """An application of an op: ``a + b``, ``sin(x)``, ``sum(X, axes=(0,))``."""
    op = node.op
    if isinstance(op, kinds.Elementwise):
        if op.symbol in _INFIX:
            return f" {op.symbol} ".join(arguments)
        if op.symbol == "neg":
            return f"-{arguments[0]}"
        return f"{op.name}({', '.join(arguments)})"
    params = [f"{key}={value!r}" for key, value in node.params.items() if not isinstance(value, Graph)]
    return f"{op.name}({', '.join([*arguments, *params])})"


def written(node: Node, arguments: Sequence[Sequence[str]], *, cut: bool = False) -> str:
    """One entry of a result, from the entries it depends on: per operand, their names.

    With ``cut``, those between the last and the one before are left out.
    """
    if isinstance(node.op, kinds.Elementwise):
        return operation(node, [names[0] for names in arguments])
    if isinstance(node.op, kinds.Contraction):
        products = [f"{x} * {y}" for x, y in zip(*arguments, strict=True)]
        return " + ".join(_gap(products, cut)) or number(0)
    return f"{node.op.name}({', '.join(_gap([name for names in arguments for name in names], cut))})"


def _gap(items: list[str], cut: bool) -> list[str]:
    return [*items[:-1], "…", items[-1]] if cut else items
