"""NumPy's promotion (NEP 50): the types that an elementwise op wants for what it is given."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from wengert.ir.errors import GraphTypeError
from wengert.ir.kinds import Elementwise, Op
from wengert.ir.types import ArrayType, shared

__all__ = ["PYTHON_SCALAR", "common_dtype", "inferred", "plan"]

PYTHON_SCALAR = {"i": int, "f": float, "c": complex}
_LOGICAL = ("and", "or", "xor", "not")


def _promoted(type_: ArrayType) -> Any:
    """What NumPy's promotion wants to see: a Python type for a weak value, else the dtype."""
    return PYTHON_SCALAR[type_.dtype.kind] if type_.weak else type_.dtype


def common_dtype(types: Iterable[ArrayType]) -> np.dtype[Any]:
    """The dtype these types promote to under NEP 50."""
    return np.result_type(*(_promoted(t)(0) if t.weak else t.dtype for t in types))


@functools.lru_cache(maxsize=65536)
def plan(op: Elementwise, types: tuple[ArrayType, ...]) -> tuple[tuple[ArrayType, ...], ArrayType]:
    """The operand types that ``op`` wants for operands of these types, and its result type."""
    if op.symbol in _LOGICAL:
        wanted: Sequence[np.dtype[Any]] = [np.dtype(bool)] * len(types)
    elif op.symbol == "?:":
        wanted = [np.dtype(bool)] + [common_dtype(types[1:])] * 2
    elif isinstance(op.function, np.ufunc):
        alone = all(t.weak for t in types)  # Python numbers alone are NumPy's default dtypes
        given = [t.dtype if alone else _promoted(t) for t in types]
        try:
            wanted = op.function.resolve_dtypes((*given, None))[:-1]
        except TypeError as error:
            dtypes = ", ".join(str(t.dtype) for t in types)
            message = f"{op.name}: NumPy does not define it for dtypes {dtypes}."
            raise GraphTypeError(message, op=op.name) from error
        if any(d.kind == "O" for d in wanted):  # NumPy compares two Python ints as Python does
            wanted = [common_dtype(types)] * len(types)
    else:
        wanted = [common_dtype(types)] * len(types)
    shape = np.broadcast_shapes(*(t.shape for t in types))
    weak = all(t.weak for t in types)
    operands = tuple(shared(ArrayType(d, shape, weak and d.kind != "b")) for d in wanted)
    return operands, inferred(op, operands)[0]


@functools.lru_cache(maxsize=65536)
def inferred(op: Op, types: tuple[ArrayType, ...]) -> tuple[ArrayType, ...]:
    """The result types of an op without parameters."""
    return tuple(map(shared, op.infer(types, {})))
