"""Constraint C9: the signature of a graph, and the structure of its results."""

from __future__ import annotations

import inspect
import keyword
from collections.abc import Iterator
from typing import Any

from wengert.ir.graph import Graph
from wengert.ir.structure import Signature, Structure

__all__ = ["signature_and_results_fit"]


def signature_and_results_fit(graph: Graph) -> Iterator[tuple[str, None]]:
    structures = []
    if graph.signature is not None:
        yield from ((message, None) for message in _signature_complaints(graph.signature))
        structures.append(("signature", graph.signature.arguments, "inputs", graph.inputs))
    if graph.results is not None:
        structures.append(("results structure", (graph.results,), "outputs", graph.outputs))
    for what, trees, whose, values in structures:
        levels = [level for tree in trees for level in _levels(tree)]
        yield from (
            (f"{what}: {message}", None) for level in levels if (message := _level_complaint(level))
        )
        leaves = sum(level.kind == "leaf" for level in levels)
        if leaves != len(values):
            yield f"the {what} has {leaves} leaves, but there are {len(values)} {whose}.", None


def _signature_complaints(signature: Signature) -> Iterator[str]:
    names = [name for name, _ in signature.parameters]
    if len(names) != len(signature.arguments):
        yield f"signature: {len(names)} parameters, but {len(signature.arguments)} arguments."
    if wrong := [name for name in names if type(name) is not str or not name.isidentifier()]:
        yield f"signature: {wrong[0]!r:.200} cannot name a parameter."
    if unknown := [name for name, _ in signature.defaults if name not in names]:
        yield f"signature: a default for {unknown!r:.200}, which is not a parameter."
    defaults = dict(signature.defaults)
    try:
        inspect.Signature([
            inspect.Parameter(name, kind, default=defaults.get(name, inspect.Parameter.empty))  # type: ignore[arg-type]
            for name, kind in signature.parameters
        ])  # fmt: skip
    except (TypeError, ValueError) as error:
        yield f"signature: {error}."
    for (name, kind), tree in zip(signature.parameters, signature.arguments, strict=True):
        expected = {2: "tuple", 4: "dict"}.get(kind, tree.kind)
        if tree.kind != expected:
            yield f"signature: variadic argument {name!r} must be a {expected}, got a {tree.kind}."


def _levels(tree: Structure) -> Iterator[Structure]:
    todo = [tree]
    while todo:
        level = todo.pop()
        yield level
        todo.extend(level.children)


def _is_field(name: Any) -> bool:
    # A dunder field could replace part of the class that stands in for a record.
    return (
        type(name) is str
        and name.isidentifier()
        and not keyword.iskeyword(name)
        and not name.startswith("__")
    )


def _level_complaint(level: Structure) -> str | None:
    kind, keys, children = level.kind, level.keys, level.children
    if kind in ("leaf", "static"):
        return f"a {kind} has no children." if children or keys else None
    if kind in ("tuple", "list"):
        return f"a {kind} has no keys." if keys else None
    if len(keys) != len(children) or len(set(keys)) != len(keys):
        return (
            f"a {kind} of {len(children)} items has the keys {keys!r:.200}; expected one for each."
        )
    if kind == "dict":
        return None
    if kind not in ("namedtuple", "dataclass", "attrs"):
        return f"{kind!r} is not a kind of structure."
    wrong = [name for name in (level.name, *keys) if not _is_field(name)]
    if kind == "namedtuple":
        wrong += [name for name in keys if name not in wrong and name.startswith("_")]
    return f"{wrong[0]!r:.200} cannot name a {kind} or a field of it." if wrong else None
