"""A sample call of each op with sub-graphs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from wengert.ir.build import Builder, Namespace
from wengert.ir.graph import Graph
from wengert.ir.ops.external import register
from wengert.ir.types import SHORT_NAMES, ArrayType, is_inexact

__all__ = ["CALLS"]

#: Types of the operands, and the parameters; None where the op is not defined for the dtype.
Call: TypeAlias = tuple[list[ArrayType], dict[str, Any]] | None
SHAPE = (2, 3)
_COUNT = ArrayType(np.dtype(np.int64))


def _graph(rule: Callable[..., Any], *types: ArrayType) -> Graph:
    b = Builder(rule.__name__.strip("_").replace("<lambda>", "called"))
    xp = Namespace(b)
    made = rule(xp, *(xp.wrap(b.input(t)) for t in types))
    return b.graph([xp.lift(x) for x in (made if isinstance(made, tuple) else (made,))])


def _square(xp: Any, x: Any) -> Any:
    return x + x * x


def _checkpoint(x: ArrayType) -> Call:
    return [x], {"graph": _graph(_square, x), "policy": "nothing"}


def _custom(x: ArrayType) -> Call:
    if not is_inexact(x.dtype):
        return [x], {"graph": _graph(_square, x), "jvp": None, "vjp": None}
    jvp = _graph(lambda xp, x, out, t: xp.scale(1 + 2 * x, t), x, x, x)
    vjp = _graph(lambda xp, x, out, g: xp.scale(1 + 2 * x, g), x, x, x)
    return [x], {"graph": _graph(_square, x), "jvp": jvp, "vjp": vjp}


def _linear(x: ArrayType) -> Call:
    if not is_inexact(x.dtype):
        return None
    product = _graph(lambda xp, c, t: xp.scale(c, t), x, x)
    return [x, x], {"graph": product, "back": product, "consts": 1}


def _linear_solve(x: ArrayType) -> Call:
    if not is_inexact(x.dtype):
        return None
    quotient, product = _graph(lambda xp, a, b: b / a, x, x), _graph(lambda xp, a, y: a * y, x, x)
    return [x, x], {"graph": quotient, "back": quotient, "product": product, "consts": 1}


def _switch(x: ArrayType) -> Call:
    return [_COUNT, x], {"graphs": (_graph(_square, x), _graph(lambda xp, x: x * x * x, x))}


def _while(x: ArrayType) -> Call:
    condition = _graph(lambda xp, n, i, x: i < n, _COUNT, _COUNT, x)
    step = _graph(lambda xp, n, i, x: (i + 1, _square(xp, x)), _COUNT, _COUNT, x)
    return [_COUNT, _COUNT, x], {"condition": condition, "graph": step, "consts": 1}


def _scan(x: ArrayType) -> Call:
    row = ArrayType(x.dtype, x.shape[1:])
    step = _graph(lambda xp, c, h, x: (h * c + x, h * x), row, row, row)
    return [row, row, x], {"graph": step, "consts": 1, "carries": 1, "length": x.shape[0], "reverse": True}


def _external(x: ArrayType) -> Call:
    register("wengert sample: twice", lambda x: x + x)
    return [x], {"name": "wengert sample: twice", "results": ((SHORT_NAMES[x.dtype], x.shape),)}


#: Op to the sample call of it on arrays of a type.
CALLS: dict[str, Callable[[ArrayType], Call]] = {
    "call": lambda x: ([x], {"graph": _graph(_square, x)}),
    "checkpoint": _checkpoint,
    "custom": _custom,
    "linear": _linear,
    "linear_solve": _linear_solve,
    "switch": _switch,
    "while": _while,
    "scan": _scan,
    "external": _external,
}
