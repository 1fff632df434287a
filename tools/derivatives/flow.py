"""What a graph says of derivatives before any is taken: arguments, ops that stop them, and guards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from attrs import frozen

from wengert.backends import protocol
from wengert.ir.graph import Constant, Graph, Location, Node, Value
from wengert.ir.structure import Structure
from wengert.ir.types import is_inexact
from wengert.tools.explain.local import flows
from wengert.tools.explain.numbers import number

__all__ = [
    "COMPARISONS", "Argument", "Branch", "Stop", "branches", "everything", "reached", "reason", "static_arguments",
    "stops", "useful", "where",
]  # fmt: skip

COMPARISONS = {"less": "<", "less_equal": "<=", "greater": ">", "greater_equal": ">=", "equal": "==", "not_equal": "!="}
#: What a condition is looked for behind.
_WRAPPERS = ("reshape", "logical_not", "cast", "all", "any")


@frozen
class Argument:
    """An argument, and whether a derivative can be taken in it; ``reason`` is a sentence where not."""

    path: str
    dtype: str
    shape: tuple[int, ...]
    differentiable: bool
    reason: str = ""

    def __str__(self) -> str:
        if self.differentiable:
            return f"Argument {self.path}, {self.dtype} of shape {self.shape}, is differentiable."
        return f"Argument {self.path} is not differentiable: {self.reason}"


@frozen
class Stop:
    """An op that no derivative passes through, and why: ``kind`` is ``"locally constant"``, ``"comparison"``,
    ``"integer cast"``, ``"stop_gradient"`` or ``"refused"``."""

    op: str
    location: Location | None
    kind: str
    count: int = 1

    def __str__(self) -> str:
        why = {
            "locally constant": "it is locally constant by declaration, so its derivative is 0.",
            "comparison": "its result is a truth value.",
            "integer cast": "its result is a whole number.",
            "stop_gradient": "it is there to be taken as constant.",
            "refused": "its derivative is refused.",
        }[self.kind]
        times = f" ({self.count} times)" if self.count > 1 else ""
        return f"No derivative passes through {self.op}{where(self.location)}{times}: {why}"


@frozen
class Branch:
    """A guard: the condition at the arguments, its outcome, and how far its sides are apart (None: no comparison)."""

    location: Location | None
    condition: str
    outcome: bool
    margin: float | None

    def __str__(self) -> str:
        text = f"The branch{where(self.location)} was taken because {self.condition} is {self.outcome}"
        if self.margin is None:
            return f"{text}."
        if " == " in self.condition and self.outcome:
            return f"{text}; any other number takes another branch."
        if self.margin == 0:
            return f"{text}; the two sides are equal, so the smallest change may take the other branch."
        return f"{text}; the two sides are {number(self.margin)} apart."


def where(location: Location | None) -> str:
    """`` at module.function:line``, or nothing where that is unknown."""
    return "" if location is None else f" at {location}"


def everything(flat: Graph, inputs: Sequence[Any]) -> dict[Value, Any]:
    """Every value of a graph without calls."""
    produced = [v for node in flat.nodes for v in node.results]
    found = dict(zip(flat.inputs, inputs, strict=True))
    whole = Graph(flat.inputs, flat.nodes, tuple(produced))
    found.update(zip(produced, protocol.get("numpy").compile(whole)(list(inputs)), strict=True))
    found.update((v, v.array) for v in flat.used_values() if isinstance(v, Constant))
    return found


# -- what flows where -------------------------------------------------------------


def reached(flat: Graph, start: Iterable[Value], *, derivatives: bool = True) -> set[Value]:
    """The values that depend on ``start``; with ``derivatives``, along edges that carry one."""
    found = set(start)
    for node in flat.nodes:
        if any(v in found and (not derivatives or flows(node, k)) for k, v in enumerate(node.operands)):
            found.update(node.results)
    return found


def useful(flat: Graph) -> set[Value]:
    """The values that a result depends on."""
    found = set(flat.outputs)
    for node in reversed(flat.nodes):
        if not found.isdisjoint(node.results):
            found.update(node.operands)
    return found


def stops(flat: Graph, start: Iterable[Value]) -> list[Stop]:
    """Where derivatives in ``start`` end on the way to a result."""
    moving, wanted = reached(flat, start), useful(flat)
    counts: dict[tuple[str, Location | None, str], int] = {}
    for node in flat.nodes:
        ends = [k for k, v in enumerate(node.operands) if v in moving and not flows(node, k)]
        if ends and not wanted.isdisjoint(node.results):
            key = (node.op.name, node.location, _kind(node))
            counts[key] = counts.get(key, 0) + 1
    return [Stop(*key, count=count) for key, count in counts.items()]


def _kind(node: Node) -> str:
    if node.op.name == "stop_gradient":
        return "stop_gradient"
    dtype = node.results[0].type.dtype
    if dtype.kind == "b":
        return "comparison"
    return "integer cast" if node.op.name == "cast" and not is_inexact(dtype) else "locally constant"


# -- arguments --------------------------------------------------------------------


def reason(flat: Graph, value: Value) -> str:
    """Why no derivative can be taken in an input, in a sentence; empty where one can."""
    dtype, kind = value.type.dtype, value.type.dtype.kind
    if kind == "b":
        return "it is a truth value."
    if value.type.weak and kind == "i":
        return "it is a Python integer that counts or indexes, or was traced as one."
    if not is_inexact(dtype):
        return f"it is of integers ({dtype}); convert it with .astype(float) to differentiate in it."
    ends = [v for v in flat.outputs if is_inexact(v.type.dtype)]
    if not reached(flat, [value]).isdisjoint(ends):
        return ""
    if reached(flat, [value], derivatives=False).isdisjoint(flat.outputs):
        return "it does not reach a result."
    through = ", ".join(dict.fromkeys(f"{stop.op}{where(stop.location)}" for stop in stops(flat, [value])))
    return f"it reaches the results only through {through or 'integers'}, so its derivative is 0."


def static_arguments(structure: Structure, path: str) -> Iterator[Argument]:
    """The arguments that are not arrays, at any depth."""
    if structure.kind == "static":
        kind = type(structure.static).__name__
        said = "None" if structure.static is None else f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"
        yield Argument(path, kind, (), False, f"it is {said}, which is a static part of the signature.")
    for index, child in enumerate(structure.children):
        if structure.kind in ("tuple", "list"):
            inner = f"{path}[{index}]"
        elif structure.kind == "dict":
            inner = f"{path}[{structure.keys[index]!r}]"
        else:
            inner = f"{path}.{structure.keys[index]}"
        yield from static_arguments(child, inner)


# -- guards -----------------------------------------------------------------------


def branches(flat: Graph, known: dict[Value, Any]) -> list[Branch]:
    """The guards, each once."""
    maker = {v: node for node in flat.nodes for v in node.results}
    return list(dict.fromkeys(_branch(guard, maker, known) for guard in flat.guards))


def _branch(guard: Any, maker: dict[Value, Node], known: dict[Value, Any]) -> Branch:
    value, words = guard.value, ""
    while value in maker and maker[value].op.name in _WRAPPERS:
        node = maker[value]
        words += {"logical_not": "not ", "all": "all of ", "any": "any of "}.get(node.op.name, "")
        value = node.operands[0]
    node = maker.get(value)  # type: ignore[assignment]
    if node is None:
        return Branch(guard.location, f"{words}a truth value that was given", guard.expected, None)
    if node.op.name not in COMPARISONS:
        return Branch(guard.location, f"{words}the result of {node.op.name}", guard.expected, None)
    left, right = (np.asarray(known[v]) for v in node.operands)
    with np.errstate(all="ignore"):
        gap = np.abs(np.subtract(left, right, dtype=np.complex128 if left.dtype.kind == "c" else np.float64))
    sides = (number(left), number(right)) if left.size == 1 and left.dtype.kind != "c" else _arrays(left, right)
    condition = f"{words}{sides[0]} {COMPARISONS[node.op.name]} {sides[1]}"
    return Branch(guard.location, condition, guard.expected, float(gap.min()) if gap.size else None)


def _arrays(left: Any, right: Any) -> tuple[str, str]:
    return f"(an array of shape {left.shape}", f"{number(right.flat[0])})" if _is_one(right) else "another)"


def _is_one(array: Any) -> bool:
    return array.size > 0 and array.dtype.kind != "c" and bool(np.all(array == array.flat[0]))
