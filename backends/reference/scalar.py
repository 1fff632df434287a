"""One scalar at a time: what an elementwise op means, and IEEE scalars for rules to run on.

``meaning`` gives the function of an op on plain Python numbers.  Only where an op is stated by a
rule (a body or a partial) do numbers become ``Scalar``: a number that knows its dtype, so that a
float32 stays one and 1/0 is inf.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.backends import libraries
from wengert.backends.reference import complexes
from wengert.backends.reference.libm import LIBM
from wengert.backends.reference.rounding import caster, kind_of, zero_of
from wengert.backends.reference.symbols import MEANINGS, finished, symbol
from wengert.ir import kinds
from wengert.ir.errors import BackendError, GraphTypeError
from wengert.ir.kinds import SYMBOLS, Elementwise
from wengert.ir.ops import OPS
from wengert.ir.types import DTYPES

__all__ = ["XP", "Scalar", "adder", "meaning", "number", "scaler"]

Dtype = np.dtype[Any]
Function = Callable[..., Any]

BOOL, FLOAT = np.dtype(bool), np.dtype(np.float64)
#: The dtypes of Python's numbers, as NumPy reads them.
PYTHON: dict[type, Dtype] = {bool: BOOL, int: np.dtype(np.int64), float: FLOAT, complex: np.dtype(np.complex128)}
LOGICAL = ("and", "or", "xor", "not")


# -- the meaning of an op ------------------------------------------------------------------------


@functools.cache
def meaning(op: Elementwise, dtypes: tuple[Dtype, ...], out: Dtype) -> Function:
    """The function of ``op`` from Python numbers of ``dtypes`` to one of dtype ``out``."""
    if op.symbol is not None:
        return symbol(op.symbol, dtypes, out)
    if op.libm is not None:
        return finished((complexes.LIBM if dtypes[0].kind == "c" else LIBM)[op.libm], out)
    if op.called:
        function = libraries.find(op)
        return finished(lambda *values: float(function(*values)), out)
    rule = op.body
    assert rule is not None
    return lambda *values: number(rule(XP, *map(Scalar, values, dtypes)), out)


@functools.cache
def adder(dtype: Dtype) -> Function:
    """x + y in ``dtype``."""
    return symbol("+", (dtype, dtype), dtype)


@functools.cache
def scaler(dtype: Dtype) -> Function:
    """p t, where an exact zero on either side gives zero: the op ``scale``, without detours."""
    multiply, zero = symbol("*", (dtype, dtype), dtype), zero_of(dtype)

    def scale(p: Any, t: Any) -> Any:
        product = multiply(p, t)
        return zero if product != product and (p == 0 or t == 0) else product

    return scale


# -- scalars -------------------------------------------------------------------------------------


class Scalar:
    """A number with a dtype.  Its operators are the elementwise ops, which do not raise."""

    __slots__ = ("dtype", "value")
    __hash__ = None  # type: ignore[assignment]  # == gives a Scalar

    shape = ()
    ndim = 0

    def __init__(self, value: Any, dtype: Dtype) -> None:
        self.value = value
        self.dtype = dtype

    def __bool__(self) -> bool:
        message = "A rule is a straight line: it may not branch on a value. Use xp.where."
        raise TypeError(message)

    def __repr__(self) -> str:
        return f"Scalar({self.value!r}, {self.dtype})"


def number(result: Any, dtype: Dtype) -> Any:
    """What a rule returned, a Scalar or a literal, as a Python number of ``dtype``."""
    if type(result) is not Scalar:
        return caster(PYTHON[type(result)], dtype)(result)
    if result.dtype is dtype:
        return result.value
    return caster(result.dtype, dtype)(result.value)


def apply(op: Elementwise, *operands: Any) -> Scalar:
    """An elementwise op on scalars and literals."""
    given = tuple([x.dtype if type(x) is Scalar else type(x) for x in operands])
    function, dtype = plan(op, given)
    return Scalar(function(*[x.value if type(x) is Scalar else x for x in operands]), dtype)


@functools.cache
def plan(op: Elementwise, given: tuple[Dtype | type, ...]) -> tuple[Function, Dtype]:
    """The function on Python numbers for operands of these dtypes, and the dtype of its result.

    A literal is given by its Python type: it is weak, and takes the dtype of what it meets.
    """
    wanted = promoted(op, given)
    out = op.result_dtype(wanted, {})
    if out is None:
        message = f"{op.name}: not defined for {', '.join(map(str, wanted))}."
        raise GraphTypeError(message, op=op.name)
    function = meaning(op, wanted, out)
    if wanted == given:  # also where the literal is of that dtype already: np.float64 == float
        return function, out
    casts = [converter(g, w) for g, w in zip(given, wanted, strict=True)]
    return lambda *xs: function(*[cast(x) for cast, x in zip(casts, xs, strict=True)]), out


def promoted(op: Elementwise, given: tuple[Dtype | type, ...]) -> tuple[Dtype, ...]:
    """The dtypes that the op wants its operands in: NumPy's promotion (NEP 50)."""
    if op.symbol in LOGICAL:
        return (BOOL,) * len(given)
    if op.symbol == "?:":
        return (BOOL, *(common(given[1:]),) * 2)
    if isinstance(op.function, np.ufunc):
        types = [BOOL if g is bool else g for g in given]  # there is no weak bool
        wanted = tuple(op.function.resolve_dtypes((*types, None))[: len(given)])
        if not any(d.kind == "O" for d in wanted):  # NumPy compares two Python ints as Python does
            return wanted
    return (common(given),) * len(given)


def common(given: tuple[Dtype | type, ...]) -> Dtype:
    """The dtype that these promote to."""
    return np.result_type(*(g(0) if isinstance(g, type) else g for g in given))


def converter(given: Dtype | type, wanted: Dtype) -> Function:
    """From a Scalar's value or a literal to ``wanted``; a literal integer has to fit."""
    if given is int and wanted.kind in "iu":
        return lambda x: np.array(x, wanted).item()
    return caster(PYTHON[given] if isinstance(given, type) else given, wanted)


# -- the namespace of rules ----------------------------------------------------------------------


class ScalarNamespace:
    """``xp`` for rules on scalars: every elementwise op by its name."""

    def __getattr__(self, name: str) -> Function:
        op = OPS.get(name)
        if not isinstance(op, Elementwise) or op.params:
            raise AttributeError(name)
        function = functools.partial(apply, op)
        setattr(self, name, function)
        return function

    def cast(self, x: Any, dtype: Any) -> Scalar:
        """``x`` in another dtype."""
        return Scalar(number(x, np.dtype(dtype)), np.dtype(dtype))


XP = ScalarNamespace()


def define_operators() -> None:
    """Give Scalar the operators of the elementwise ops."""
    operators = {
        "neg": "negative", "pos": "positive", "abs": "absolute", "invert": "invert",
        "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal",
        "eq": "equal", "ne": "not_equal",
    }  # fmt: skip
    reflected = {
        "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "pow": "power",
        "floordiv": "floor_divide", "mod": "remainder", "and": "bitwise_and", "or": "bitwise_or",
        "xor": "bitwise_xor", "lshift": "left_shift", "rshift": "right_shift",
    }  # fmt: skip
    for name, op in (operators | reflected).items():
        setattr(Scalar, f"__{name}__", operator_of(OPS[op]))
    for name, op in reflected.items():
        setattr(Scalar, f"__r{name}__", reflected_operator_of(OPS[op]))


def operator_of(op: Any) -> Function:
    """The method of an operator."""
    return lambda self, *others: apply(op, self, *others)


def reflected_operator_of(op: Any) -> Function:
    """The method of an operator whose left operand is a literal."""
    return lambda self, other: apply(op, other, self)


define_operators()


# -- nothing may be missing ----------------------------------------------------------------------


def missing_meanings() -> list[str]:
    """What some op needs, for some dtype it is defined for, and the tables do not have."""
    known = set().union(*MEANINGS.values()) | {"cast"}
    missing = [name for name in SYMBOLS if name not in known]
    for op in OPS.values():
        if not isinstance(op, kinds.Elementwise) or op.body is not None or op.symbol == "cast":
            continue
        for dtype in DTYPES.values():
            dtypes = (BOOL, dtype, dtype) if op.symbol == "?:" else (dtype,) * op.arity
            if op.result_dtype(dtypes, {}) is None:
                continue
            libm = complexes.LIBM if dtype.kind == "c" else LIBM
            if op.libm is not None and op.libm not in libm:
                missing.append(f"{op.libm} of libm of {dtype}")
            if op.symbol is not None and op.symbol not in MEANINGS[kind_of(dtype)]:
                missing.append(f"{op.symbol} of {dtype}")
    return missing


if _missing := missing_meanings():
    raise BackendError(f"The reference backend has no meaning for {', '.join(_missing)}.")
