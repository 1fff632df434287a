"""One small program for every op, made from what its record states."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from attrs import frozen

from wengert.ir import kinds
from wengert.ir.build import Builder
from wengert.ir.errors import GraphTypeError
from wengert.ir.graph import Graph, Value
from wengert.ir.kinds import Interval, Op
from wengert.ir.ops.external import no_rule
from wengert.ir.ops.library import no_derivative
from wengert.ir.ops.random import key_of
from wengert.ir.types import DTYPES, ArrayType, is_inexact
from wengert.tools.optable_control import CALLS

__all__ = ["DTYPES_ASKED", "Key", "Sample", "joined", "sample", "samples"]

#: An op and the dtype of its operands.
Key: TypeAlias = tuple[str, str]
#: One dtype of each class, and both of those that are rounded.
DTYPES_ASKED = ("bool", "i64", "u8", "c64", "c128", "f32", "f64")

SHAPE = (2, 3)
#: Parameters are facts of a call, not of an op: for these ops the sample call is written down here.
PARAMS: dict[str, dict[str, Any]] = {
    "cast": {"dtype": "f32", "weak": False},
    "reshape": {"shape": (3, 2)},
    "transpose": {"axes": (1, 0)},
    "broadcast_to": {"shape": (4, 2, 3)},
    "concatenate": {"axis": 1},
    "slice": {"start": (1, 2), "size": (1, 2), "step": (1, -1)},
    "place": {"shape": (4, 6), "start": (1, 0), "step": (1, 2)},
    "scatter_add": {"axis": 0, "size": 3},
    "solve": {"singular": "raise"},
    "pinv": {"rtol": 1e-6, "hermitian": False},
    "lstsq": {"rcond": None},
    "complement": {"of": "vh"},
    "draw": {"method": "standard_normal", "shape": (2, 3), "dtype": "f64", "options": ()},
    "parameter": {"of": "rng.poisson: lam"},
    "fft": {"axis": 1, "norm": "backward"}, "ifft": {"axis": 1, "norm": "backward"},
    "rfft": {"n": 3, "axis": 1, "norm": "backward"}, "irfft": {"n": 4, "axis": 1, "norm": "backward"},
}
#: Shapes of the operands of linear algebra; square ones are made diagonally dominant.
MATRICES: dict[str, tuple[tuple[int, ...], ...]] = {
    **dict.fromkeys(("det", "slogdet", "cholesky", "eigh", "eigh_evr", "eigvalsh", "eig", "complement"), ((2, 2),)),
    "expm": ((2, 2),), "expm_along": ((2, 2), (2, 2)),
    "solve": ((2, 2), (2, 3)), "cofactors": ((2, 2), (2, 2)), "lstsq": ((3, 2), (3, 1)),
}  # fmt: skip
#: Parameters that mean the same wherever they occur.
USUAL = {"axes": (1,), "axis": 0, "reverse": False, "subscripts": "ij,jk->ik", "UPLO": "L"}
OPERANDS = {"concatenate": 2, "recurrence": 2, "gcd": 2, "lcm": 2, "nextafter": 2}


@frozen
class Sample:
    """A graph, inputs inside its ops' domains, and each op's own part (``spans``) of inputs and outputs."""

    graph: Graph
    inputs: tuple[np.ndarray[Any, Any], ...]
    spans: dict[Key, tuple[slice, slice]]

    @property
    def differentiable(self) -> bool:
        """Whether an input can carry a derivative, and the op has one."""
        stated = (getattr(node.op, "jvp", None) not in (no_derivative, no_rule) for node in self.graph.nodes)
        return bool(self.active) and all(stated)

    @property
    def active(self) -> tuple[int, ...]:
        """The inputs that a derivative is taken in: inexact ones, but where the partial is stated to be unknown."""
        unknown = {
            v for node in self.graph.nodes if isinstance(node.op, kinds.Elementwise)
            for v, p in zip(node.operands, node.op.partials, strict=True) if isinstance(p, kinds.Unknown)
        }  # fmt: skip
        return tuple(i for i, v in enumerate(self.graph.inputs) if is_inexact(v.type.dtype) and v not in unknown)


def sample(op: Op, dtype: str) -> Sample:
    """A program that is this op alone, on operands of a dtype; GraphTypeError where it is not defined for it."""
    builder = Builder(op.name)
    if op.name in CALLS:
        call = CALLS[op.name](ArrayType(DTYPES[dtype], SHAPE))
        if call is None:
            raise GraphTypeError(f"{op.name} is not defined for {dtype}.", op=op.name)
        types, params = call
    else:
        types = _operand_types(op, DTYPES[dtype])
        params = _params(op)
    operands = [builder.input(t) for t in types]
    op.check_params(params)
    outputs = builder.emit_all(op, operands, **params)
    inputs = tuple(_values(op, i, v.type) for i, v in enumerate(operands))
    spans = {(op.name, dtype): (slice(0, len(operands)), slice(0, len(outputs)))}
    return Sample(builder.graph(outputs), inputs, spans)


def samples(op: Op, dtypes: Sequence[str] = DTYPES_ASKED) -> list[Sample]:
    """A sample for each dtype that the op is defined for.

    Raises
    ------
    GraphTypeError
        If there is none: state its parameters in PARAMS.
    """
    found = []
    for dtype in dtypes:
        with contextlib.suppress(GraphTypeError):
            found.append(sample(op, dtype))
    if not found:
        message = f"{op.name}: there is no sample call of it; state one in wengert.tools.optable_samples.PARAMS."
        raise GraphTypeError(message, op=op.name)
    return found


def joined(samples: Sequence[Sample]) -> Sample:
    """All of them side by side in one program: a source backend then builds once, not a hundred times."""
    builder = Builder("every_op")
    outputs: list[Value] = []
    inputs: list[np.ndarray[Any, Any]] = []
    spans = {}
    for one in samples:
        operands = [builder.input(v.type) for v in one.graph.inputs]
        results = builder.inline(one.graph, operands)
        (key,) = one.spans
        spans[key] = (slice(len(inputs), len(inputs) + len(operands)),
                      slice(len(outputs), len(outputs) + len(results)))  # fmt: skip
        inputs.extend(one.inputs)
        outputs.extend(results)
    return Sample(builder.graph(outputs), tuple(inputs), spans)


# -- one call -------------------------------------------------------------------------------------


def _operand_types(op: Op, dtype: np.dtype[Any]) -> list[ArrayType]:
    array = ArrayType(dtype, SHAPE)
    if op.name == "draw":  # of a key
        return [ArrayType(DTYPES["u64"] if dtype.kind == "u" else dtype, (7,))]
    if op.name == "random_key":
        return [ArrayType(dtype)]
    if op.name in MATRICES:
        return [ArrayType(dtype, shape) for shape in MATRICES[op.name]]
    match op:
        case kinds.Elementwise(symbol="?:"):
            return [ArrayType(DTYPES["bool"], SHAPE), array, array]
        case kinds.Elementwise():
            return [array] * op.arity
        case kinds.Contraction():
            return [array, ArrayType(dtype, SHAPE[::-1])]
        case kinds.Indexing():
            return [array, ArrayType(DTYPES["i64"], (2,))]
    return [array] * OPERANDS.get(op.name, 1)


def _params(op: Op) -> dict[str, Any]:
    if op.name in PARAMS:
        return PARAMS[op.name]
    return {name: USUAL[name] for name in op.params if name in USUAL}


def _values(op: Op, position: int, type_: ArrayType) -> np.ndarray[Any, Any]:
    """Different numbers for each operand; indices 1, 0; reals inside the op's domain."""
    kind = type_.dtype.kind
    if isinstance(op, kinds.Indexing) and position == 1:
        return np.array([1, 0], type_.dtype)
    if op.name == "draw":
        return key_of(np.random.default_rng(0))
    if op.name in ("switch", "while") and type_.shape == () and kind == "i":
        return np.asarray(2 - 2 * position if op.name == "while" else 1, type_.dtype)
    steps = np.arange(type_.size, dtype=np.float64).reshape(type_.shape)
    if kind == "b":
        return np.asarray((steps + position) % 2 == 0)
    if kind in "iu":
        return (steps + 1 + position).astype(type_.dtype)
    low, high = _interval(op, position)
    inside = low + (high - low) * (steps + 1 + 0.3 * position) / (type_.size + 2)
    if op.name in MATRICES and type_.shape[0] == type_.shape[1]:
        inside = inside + 3 * np.diag(np.arange(1, 1 + len(inside)))
    if kind == "c":  # off the axes, where the branch cuts are
        inside = inside + 0.4j * (1 + 0.1 * steps)
    return inside.astype(type_.dtype)


def _interval(op: Op, position: int) -> tuple[float, float]:
    """A bounded part of the operand's domain; positive where that is all the same."""
    domain = getattr(op, "domain", ())
    stated = domain[position] if position < len(domain) else Interval()
    low = stated.low if math.isfinite(stated.low) else 0.25
    high = stated.high if math.isfinite(stated.high) else low + 2
    return low, high
