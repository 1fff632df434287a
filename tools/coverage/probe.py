"""One sample call: traced, run, differentiated in both modes, and compared with plain NumPy.

What a function is, is not declared but found: a call that cannot be traced is refused; a result that no input reaches
needs no derivative; an argument along which 5-point differences of plain NumPy see no change is locally constant; in
any other, forward and reverse mode must both give what the differences give.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from attrs import field, frozen

import wengert as wg
from wengert.backends import protocol
from wengert.ir.errors import DerivativeError, WengertError
from wengert.ir.types import is_inexact

__all__ = ["CONSTANT", "DIFFERENTIABLE", "NOT_NEEDED", "REFUSED", "Found", "probe", "slopes"]

DIFFERENTIABLE, CONSTANT = "differentiable", "locally constant"
NOT_NEEDED, REFUSED = "no derivative needed", "refused"
STEP = 1e-3
TOLERANCE = 2e-6
VALUES = 1e-9
_SORTED = ("xp", "bins")  # arguments that have to stay in order
Call = Callable[..., Any]


@frozen
class Found:
    """What a sample call turned out to be: its class, each argument's, why it is refused, and what is wrong."""

    kind: str
    arguments: dict[str, str] = field(factory=dict)
    reason: str = ""
    faults: tuple[str, ...] = ()

    def named(self, kind: str) -> list[str]:
        """The arguments of one class."""
        return [name for name, its in self.arguments.items() if its == kind]


def probe(call: Call) -> Found:
    """What the call is, at the defaults of its parameters."""
    point = {name: p.default for name, p in inspect.signature(call).parameters.items()}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        together = _asked(call, point)
        if together.kind != REFUSED or together.faults or len(point) < 2:
            return together
        alone = {name: _asked(_with(call, point, name), {name: x}) for name, x in point.items()}
    if all(found.kind == REFUSED for found in alone.values()):
        return together
    arguments = {name: found.arguments.get(name, found.kind) for name, found in alone.items()}
    faults = tuple(fault for found in alone.values() for fault in found.faults)
    return Found(_class_of(arguments), arguments, together.reason, faults)


def slopes(call: Call) -> dict[str, bool | None]:
    """Which arguments plain NumPy's result moves with, None where it does not move smoothly at that point."""
    point = {name: p.default for name, p in inspect.signature(call).parameters.items()}
    inputs = [np.asarray(x) for x in point.values()]

    def parts(*values: Any) -> list[Any]:
        return _parts(call(**dict(zip(point, values, strict=True))))

    found: dict[str, bool | None] = {}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for i, (name, x) in enumerate(zip(point, inputs, strict=True)):
            if x.dtype.kind == "f":
                fine = _differences(parts, inputs, i, _direction(x))
                coarse = _differences(parts, inputs, i, _direction(x) / 2)
                pairs = zip(coarse, fine, strict=True)
                smooth = all(_near(2 * c, f, 1e-4) and np.all(np.isfinite(f)) for c, f in pairs)
                found[name] = any(np.any(np.abs(f) > TOLERANCE) for f in fine) if smooth else None
    return found


def _direction(x: Any) -> Any:
    return 0.5 + np.arange(1, x.size + 1).reshape(x.shape) % 3 * 0.31


def _with(call: Call, point: dict[str, Any], name: str) -> Call:
    """The call with every parameter but one held."""
    return functools.partial(call, **{key: x for key, x in point.items() if key != name})


def _class_of(arguments: dict[str, str]) -> str:
    kinds = list(arguments.values())
    return DIFFERENTIABLE if DIFFERENTIABLE in kinds else CONSTANT if CONSTANT in kinds else NOT_NEEDED


def _asked(call: Call, point: dict[str, Any]) -> Found:
    """All arguments of ``point`` traced together."""

    def parts(*values: Any) -> list[Any]:
        return _parts(call(**dict(zip(point, values, strict=True))))

    try:
        program = wg.trace(parts).graph(*point.values())
    except WengertError as error:
        return Found(REFUSED, reason=str(error))
    except AttributeError as error:
        ours = str(error).startswith("a traced array has no attribute")
        return Found(REFUSED, reason=str(error), faults=() if ours else (f"it fails with AttributeError: {error}",))
    except Exception as error:  # noqa: BLE001 (whatever it is: it should have been a sentence of ours)
        return Found(REFUSED, reason=str(error), faults=(f"it fails with {type(error).__name__}: {error}",))
    graph, inputs = program.graph, [np.asarray(x) for x in point.values()]
    try:
        return _compared(graph, parts, dict(zip(point, inputs, strict=True)))
    except Exception as error:  # noqa: BLE001 (a graph that cannot be run or differentiated is a fault of ours)
        return Found(REFUSED, reason=str(error), faults=(f"its graph fails with {type(error).__name__}: {error}",))


def _compared(graph: Any, parts: Call, point: dict[str, Any]) -> Found:
    """What the graph is, set against plain NumPy."""
    inputs = list(point.values())
    faults = _value_faults(graph, inputs, parts(*_copies(inputs))) or _elsewhere(graph, parts, point)
    if faults:
        return Found(REFUSED, reason="its values are wrong", faults=tuple(faults))
    arguments, reached = {}, _reached(graph)
    for i, (name, x) in enumerate(zip(point, inputs, strict=True)):
        if graph.inputs[i] not in reached:
            arguments[name] = NOT_NEEDED
        elif x.dtype.kind != "f":
            arguments[name] = CONSTANT
        else:
            arguments[name], wrong = _derivative(graph, parts, inputs, i)
            faults += [f"in {name}: {text}" for text in wrong]
    if REFUSED in arguments.values() and set(arguments.values()) <= {REFUSED, NOT_NEEDED}:
        return Found(REFUSED, arguments, "its derivative is refused", tuple(faults))
    return Found(_class_of(arguments), arguments, "", tuple(faults))


def _parts(result: Any) -> list[Any]:
    """The numbers in a result: real arrays, complex ones as two; what is not a number is left out."""
    if isinstance(result, (tuple, list)):
        return [part for item in result for part in _parts(item)]
    if isinstance(result, bool):  # of Python's, it is no array to a trace
        return [int(result)]
    dtype = getattr(result, "dtype", None)
    if dtype is None and isinstance(result, (int, float, complex)):
        dtype = np.dtype(type(result))
    if not isinstance(dtype, np.dtype) or dtype.kind not in "biufc":
        return []
    return [result.real, result.imag] if dtype.kind == "c" else [result]


def _copies(inputs: Sequence[Any]) -> list[Any]:
    return [x.copy() if x.ndim else x[()] for x in inputs]


def _reached(graph: Any) -> set[Any]:
    """What the outputs or the guards depend on."""
    reached = set(graph.guarded_outputs)
    for node in reversed(graph.nodes):
        if not reached.isdisjoint(node.results):
            reached.update(node.operands)
    return reached


def _value_faults(graph: Any, inputs: Sequence[Any], expected: Sequence[Any]) -> list[str]:
    values = protocol.get("numpy").compile(graph)(list(inputs))[: len(graph.outputs)]
    if len(values) != len(expected):
        return [f"it gives {len(values)} arrays, NumPy {len(expected)}"]
    found = []
    for x, y in zip(values, expected, strict=True):
        if np.shape(x) != np.shape(y) or not np.allclose(x, y, VALUES, VALUES, equal_nan=True):
            found.append(f"it computes {x}, NumPy {y}")
        elif isinstance(y, (np.ndarray, np.generic)) and x.dtype != y.dtype:
            found.append(f"its dtype is {x.dtype}, NumPy's {y.dtype}")
    return found


def _elsewhere(graph: Any, parts: Call, point: dict[str, Any]) -> list[str]:
    """The faults at another point, of the path that the graph records: what is frozen there without a guard shows."""
    moved = [x * 0.9 if name in _SORTED or not x.ndim else np.flip(x).copy() for name, x in point.items()]
    moved = [y.astype(x.dtype) for y, x in zip(moved, point.values(), strict=True)]
    try:
        expected = parts(*_copies(moved))
    except Exception:  # noqa: BLE001 (plain NumPy cannot do it there)
        return []
    guards = protocol.get("numpy").compile(graph)(list(moved))[len(graph.outputs) :]
    if any(bool(value) is not guard.expected for value, guard in zip(guards, graph.guards, strict=True)):
        return []
    return [f"at another point {fault}" for fault in _value_faults(graph, moved, expected)]


def _derivative(graph: Any, plain: Call, inputs: Sequence[Any], i: int) -> tuple[str, list[str]]:
    """Whether it is differentiable in input i, and what is wrong if forward, reverse and differences are not one."""
    direction = _direction(inputs[i])
    lines = _differences(plain, inputs, i, direction)
    varying = any(np.any(np.abs(line) > TOLERANCE) for line in lines)
    backend, real = protocol.get("numpy"), [is_inexact(v.type.dtype) for v in graph.outputs]
    try:
        moved = backend.forward(graph, (i,))(list(inputs), [direction[None]])[1]
        weights = [np.cos(np.arange(v.type.size, dtype=v.type.dtype)).reshape(v.type.shape)[None] if is_real else None
                   for v, is_real in zip(graph.outputs, real, strict=True)]  # fmt: skip
        (pulled,) = backend.reverse(graph, (i,))(list(inputs), weights)[1]
    except DerivativeError:
        return REFUSED, []
    tangents = [np.zeros(v.type.shape) if t is None else t[0]
                for t, v in zip(moved[: len(real)], graph.outputs, strict=True)]  # fmt: skip
    wrong = [f"forward mode gives {t}, differences {s}"
             for t, s in zip(tangents, lines, strict=True) if not _near(t, s)]  # fmt: skip
    across = sum(float(np.sum(w * t)) for w, t in zip(weights, tangents, strict=True) if w is not None)
    back = float(np.sum(pulled * direction))
    if not _near(np.asarray(back), np.asarray(across)):
        wrong.append(f"reverse mode gives {back}, forward {across}")
    return DIFFERENTIABLE if varying else CONSTANT, wrong


def _differences(plain: Call, inputs: Sequence[Any], i: int, direction: Any) -> list[Any]:
    """The derivative along a direction, by 5-point differences of plain NumPy."""

    def at(steps: int) -> list[Any]:
        moved = _copies(inputs)
        moved[i] = moved[i] + steps * STEP * direction
        return [np.asarray(part, float) for part in plain(*moved)]

    lines = zip(at(-2), at(-1), at(1), at(2), strict=True)
    return [(first - 8 * second + 8 * third - fourth) / (12 * STEP) for first, second, third, fourth in lines]


def _near(x: Any, y: Any, tolerance: float = TOLERANCE) -> bool:
    return bool(np.allclose(x, y, tolerance, tolerance * max(1.0, float(np.max(np.abs(y), initial=0.0)))))
