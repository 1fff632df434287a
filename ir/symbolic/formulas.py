"""Constants that depend on sizes: what ``np.arange(n)``, ``np.eye(n)`` or the n of a mean leave in a graph.

A formula is one of FORMS and its arguments: sizes, and numbers.  In the sizes of ``elements``, ``_0``, ``_1``, ... are
the indices of an element along each axis, from 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from attrs import frozen

from wengert.ir.errors import SizeError
from wengert.ir.graph import Constant, Value
from wengert.ir.symbolic.sizes import Size, replace
from wengert.ir.types import ArrayType

__all__ = ["FORMS", "MAX_ELEMENTS", "Formula", "constant_at", "index", "is_index"]

#: The largest constant that sizes may make.
MAX_ELEMENTS = 2**27


@frozen(slots=True, eq=False, repr=False)
class Formula(Value):
    """A constant whose type or elements depend on sizes: in a symbolic graph alone."""

    form: str = ""
    args: tuple[Any, ...] = ()

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal keys, equal constants."""
        return self.type, self.form, self.args, tuple(map(type, self.args)), self.name


def index(axis: int) -> Size:
    """The index of an element along an axis, as a size."""
    return Size(((((f"_{axis}", 1),), 1),))


def is_index(name: str) -> bool:
    """Whether a name stands for an index."""
    return name[:1] == "_" and name[1:].isdecimal()


def _elements(shape: tuple[int, ...], numerator: Any, denominator: Any) -> Any:
    env = {f"_{a}": np.arange(n).reshape(-1, *(1,) * (len(shape) - a - 1)) for a, n in enumerate(shape)}
    above, below = _over(numerator, env), _over(denominator, env)
    return np.broadcast_to(above if type(below) is int and below == 1 else np.true_divide(above, below), shape)


def _over(dim: Any, env: Mapping[str, Any]) -> Any:
    """A size where the names are arrays of int64."""
    if type(dim) is not Size:
        return dim
    total: Any = 0
    for monomial, coefficient in dim.terms:
        product: Any = coefficient
        for atom, power in monomial:
            product = product * _atom(atom, env) ** power
        total = total + product
    return total


def _atom(atom: Any, env: Mapping[str, Any]) -> Any:
    if type(atom) is str:
        return env[atom]
    operation, sizes = atom
    function = {"//": np.floor_divide, "%": np.remainder, "min": np.minimum, "max": np.maximum}[operation]
    values = [_over(s, env) for s in sizes]
    found = values[0]
    for value in values[1:]:
        found = function(found, value)
    return found


def _scalar(function: Callable[[Any], Any]) -> Callable[..., Any]:
    return lambda shape, above, below: np.broadcast_to(function(np.true_divide(above, below)), shape)


def _triangle(shape: tuple[int, ...], rows: int, columns: int, k: int, upper: int, i: int, j: int, first: int) -> Any:
    """For the elements of a triangle, in C order: i times the row, plus j times the column, plus a number."""
    if rows * columns > MAX_ELEMENTS // 2:
        raise SizeError(f"A triangle of {rows} rows and {columns} columns is too large.")
    row, column = np.triu_indices(rows, k, columns) if upper else np.tril_indices(rows, k, columns)
    return row * i + column * j + first


def _named(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda shape, *args: function(*args)


#: Form to a function of the shape and the arguments: the elements, before they are cast to the dtype.
FORMS: dict[str, Callable[..., Any]] = {
    "elements": _elements,
    "over": lambda shape, number, below: np.broadcast_to(np.true_divide(number, below), shape),
    "times": lambda shape, number, factor: np.broadcast_to(np.multiply(number, factor), shape),
    "triangle": _triangle,
    "sqrt": _scalar(np.sqrt),
    "rsqrt": _scalar(lambda x: 1 / np.sqrt(x)),
    "log": _scalar(np.log),
    "linspace": _named(lambda start, stop, n, endpoint: np.linspace(start, stop, n, endpoint=bool(endpoint))),
    "hanning": _named(np.hanning),
    "hamming": _named(np.hamming),
    "blackman": _named(np.blackman),
    "bartlett": _named(np.bartlett),
    "fftfreq": _named(np.fft.fftfreq),
    "rfftfreq": _named(np.fft.rfftfreq),
}  # fmt: skip


#: Which argument is, within a factor of two, the length of the result.
LENGTHS = {"linspace": 2, "hanning": 0, "hamming": 0, "blackman": 0, "bartlett": 0, "fftfreq": 0, "rfftfreq": 0}


def constant_at(formula: Formula, env: Mapping[str, int], limit: int = MAX_ELEMENTS) -> Constant:
    """The constant where the sizes are these; SizeError if it is none."""
    shape = replace(formula.type.shape, env)
    if min(shape, default=0) < 0 or math.prod(shape) > limit:
        raise SizeError(f"A constant has the shape {shape}; expected counts, and at most {limit} elements.")
    known = {**env, **{f"_{a}": index(a) for a in range(len(shape))}}
    args = [replace(arg, known) for arg in formula.args]
    if formula.form != "elements" and any(type(x) is Size or abs(x) > max(limit, 2**31) for x in args):
        raise SizeError(f"A formula {formula.form} has no indices, and no numbers as large as {args}.")
    if formula.form in LENGTHS and args[LENGTHS[formula.form]] > 2 * math.prod(shape) + 2:
        raise SizeError(f"A formula {formula.form} of {args} does not make an array of shape {shape}.")
    try:
        with np.errstate(all="ignore"):
            made = np.asarray(FORMS[formula.form](shape, *args))
    except Exception as error:  # whatever arguments a file gives
        raise SizeError(f"The formula {formula.form} has no value for {args}: {error!r:.200}.") from error
    if made.shape != shape:
        raise SizeError(f"The formula {formula.form} gives an array of shape {made.shape}, not {shape}.")
    type_ = ArrayType(formula.type.dtype, shape, formula.type.weak)
    array = np.array(made.astype(type_.dtype), order="C")
    array.setflags(write=False)
    return Constant(type_, formula.name, array=array)
