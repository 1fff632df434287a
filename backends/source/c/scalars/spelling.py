"""The C spelling of every scalar symbol, per dtype class, with its reason where it is not plain C.

Arithmetic on integers goes through unsigned numbers of at least 32 bits: they wrap as NumPy's do,
and nothing that C leaves undefined can happen.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np

from wengert.backends.source.c.scalars import complexes
from wengert.backends.source.c.scalars.helpers import Helpers
from wengert.ir.errors import BackendError
from wengert.ir.kinds import SYMBOLS, Elementwise
from wengert.ir.ops import OPS
from wengert.ir.types import DTYPES, SHORT_NAMES, dtype_class

__all__ = ["SPELLING", "cast", "library", "literal", "local", "part", "spell", "stored"]

Spelled: TypeAlias = "Callable[..., str] | None"
CLASSES = ("bool", "int", "uint", "float", "complex")

_LOCAL = {
    "bool": "bool", "f32": "float", "f64": "double", "c64": "float complex", "c128": "double complex",
    **{f"i{n}": f"int{n}_t" for n in (8, 16, 32, 64)},
    **{f"u{n}": f"uint{n}_t" for n in (8, 16, 32, 64)},
}  # fmt: skip


def local(dtype: np.dtype[Any]) -> str:
    """The C type of one value in a register."""
    return _LOCAL[SHORT_NAMES[dtype]]


def stored(dtype: np.dtype[Any]) -> str:
    """The C type of one element in memory.

    NumPy's bool is a byte that someone may have set to 2: reading that as C's bool is undefined.
    """
    return "unsigned char" if dtype.kind == "b" else local(dtype)


def wide(dtype: np.dtype[Any]) -> str:
    """The type of integer arithmetic: unsigned, and wide, as uint16_t squared overflows an int."""
    return "uint64_t" if dtype.itemsize == 8 else "uint32_t"


def part(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of the real and the imaginary part."""
    return np.dtype(np.float32 if dtype == np.complex64 else np.float64)


def literal(value: Any, dtype: np.dtype[Any]) -> str:
    """A scalar, exactly: short binary fractions as they are read, other floats in hexadecimal."""
    if dtype.kind == "c":
        x, y = (literal(v, part(dtype)) for v in (np.real(value), np.imag(value)))
        plain = np.imag(value) == 0 and not np.signbit(np.imag(value))
        return f"({local(dtype)}){x}" if plain else f"cplx_{SHORT_NAMES[dtype]}({x}, {y})"
    if dtype.kind == "b":
        return "true" if value else "false"
    if dtype.kind in "iu":
        return _integer(int(value), dtype)
    text, suffix = "", "f" if dtype.itemsize == 4 else ""
    number = float(value)
    sign = "-" if math.copysign(1.0, number) < 0 else ""
    if math.isnan(number):
        text = "NAN"
    elif math.isinf(number):
        text = "INFINITY"
    elif abs(number) < 1e9 and number.as_integer_ratio()[1] <= 64:
        text = repr(abs(number)) + suffix
    else:
        text = abs(number).hex() + suffix
    return f"(-{text})" if sign else text


def _integer(value: int, dtype: np.dtype[Any]) -> str:
    if dtype.kind == "u":
        return f"UINT64_C({value})" if dtype.itemsize == 8 else f"{value}u"
    if value == np.iinfo(np.int64).min:
        return "INT64_MIN"
    if value == np.iinfo(np.int32).min and dtype.itemsize == 4:
        return "INT32_MIN"
    text = f"INT64_C({abs(value)})" if dtype.itemsize == 8 else str(abs(value))
    return f"(-{text})" if value < 0 else text


# ----- Per symbol and class: (helpers, result dtype, operand dtypes, *atoms) -> text -----


def _plain(sign: str) -> Callable[..., str]:
    return lambda h, out, types, x, y: f"{x} {sign} {y}"


def _wrapping(sign: str) -> Callable[..., str]:
    def spelled(h: Helpers, out: np.dtype[Any], types: Any, x: str, y: str) -> str:
        unsigned = wide(out)
        return f"({local(out)})(({unsigned}){x} {sign} ({unsigned}){y})"

    return spelled


def _bits(sign: str) -> Callable[..., str]:
    # C computes in int and gives an int back
    return lambda h, out, types, x, y: f"({local(out)})({x} {sign} {y})"


def _called(name: str) -> Callable[..., str]:
    """A helper function, one per dtype, whose text says why C's own operator will not do."""
    return lambda h, out, types, *atoms: f"{h.need(name, types[0])}({', '.join(atoms)})"


def _comparison(sign: str) -> Callable[..., str]:
    def spelled(h: Helpers, out: np.dtype[Any], types: Any, x: str, y: str) -> str:
        if x == y and types[0].kind not in "fc":  # compilers warn of x != x, unless NaN makes it a question
            return "true" if "=" in sign and sign != "!=" else "false"
        if {t.kind for t in types} != {"i", "u"}:
            return f"{x} {sign} {y}"
        # NumPy compares int64 with uint64 as numbers; C would read -1 as the largest uint64.
        value = x if types[0].kind == "i" else y
        below = "true" if sign in (("<", "<=", "!=") if value == x else (">", ">=", "!=")) else "false"
        return f"{value} < 0 ? {below} : (uint64_t){x} {sign} (uint64_t){y}"

    return spelled


def _ordered(name: str, *, swap: bool = False) -> Callable[..., str]:
    """C orders no complex numbers."""
    return lambda h, out, types, x, y: f"{h.need(name, types[0])}({f'{y}, {x}' if swap else f'{x}, {y}'})"


def _put_together(h: Helpers, out: np.dtype[Any], types: Any, x: str, y: str) -> str:
    return f"{h.need('cplx', out)}({x}, {y})"


def _of_complex(name: str) -> Callable[..., str]:
    return lambda h, out, types, x: f"{name}{_f(types[0])}({x})"


def _pow(h: Helpers, out: np.dtype[Any], types: Any, x: str, y: str) -> str:
    return f"pow{_f(out)}({x}, {y})"


def _f(dtype: np.dtype[Any]) -> str:
    return "f" if dtype in (np.float32, np.complex64) else ""


def _abs(h: Helpers, out: np.dtype[Any], types: Any, x: str) -> str:
    return f"fabs{_f(out)}({x})"


def _abs_int(h: Helpers, out: np.dtype[Any], types: Any, x: str) -> str:
    # |INT_MIN| is INT_MIN
    return f"{x} < 0 ? ({local(out)})(0u - ({wide(out)}){x}) : {x}"


def _same(h: Helpers, out: np.dtype[Any], types: Any, x: str) -> str:
    return x


def _each(**row: Spelled) -> dict[str, Spelled]:
    return {name: row.get(name) for name in CLASSES}


def _ints(spelled: Spelled, **row: Spelled) -> dict[str, Spelled]:
    return _each(int=spelled, uint=spelled, **row)


def _every(spelled: Spelled) -> dict[str, Spelled]:
    return dict.fromkeys(CLASSES, spelled)


#: None where NumPy has no loop for the class, so that no graph can ask.
SPELLING: dict[str, dict[str, Spelled]] = {
    "+": _ints(_wrapping("+"), bool=_plain("|"), float=_plain("+"), complex=_plain("+")),
    "-": _ints(_wrapping("-"), float=_plain("-"), complex=_plain("-")),
    "*": _ints(_wrapping("*"), bool=_plain("&"), float=_plain("*"), complex=_called("mul")),
    "/": _each(float=_plain("/"), complex=_called("div")),
    "//": _ints(_called("floordiv"), float=_called("floordiv")),
    "%": _ints(_called("mod"), float=_called("mod")),
    "**": _ints(_called("power"), float=_pow, complex=_called("power")),
    "neg": _ints(
        lambda h, out, types, x: f"({local(out)})(0u - ({wide(out)}){x})",
        **dict.fromkeys(("float", "complex"), lambda h, out, types, x: f"-{x}")),
    "abs": _each(bool=_same, int=_abs_int, uint=_same, float=_abs, complex=_of_complex("cabs")),
    **{sign: _every(_comparison(sign)) for sign in ("==", "!=")},
    "<": _every(_comparison("<")) | {"complex": _ordered("less")},
    "<=": _every(_comparison("<=")) | {"complex": _ordered("less_equal")},
    ">": _every(_comparison(">")) | {"complex": _ordered("less", swap=True)},
    ">=": _every(_comparison(">=")) | {"complex": _ordered("less_equal", swap=True)},
    "&": _ints(_bits("&"), bool=_plain("&")),
    "|": _ints(_bits("|"), bool=_plain("|")),
    "^": _ints(_bits("^"), bool=_plain("!=")),
    "~": _ints(
        lambda h, out, types, x: f"({local(out)})~{x}",
        bool=lambda h, out, types, x: f"!{x}"),
    "<<": _ints(_called("shift_left")),
    ">>": _ints(_called("shift_right")),
    "and": _each(bool=_plain("&")),
    "or": _each(bool=_plain("|")),
    "xor": _each(bool=_plain("!=")),
    "not": _each(bool=lambda h, out, types, x: f"!{x}"),
    "?:": _every(lambda h, out, types, c, x, y: f"{c} ? {x} : {y}"),
    "cast": _every(lambda h, out, types, x: cast(h, x, types[0], out)),
    "identity": _every(_same),
    "real": _each(complex=_of_complex("creal")),
    "imag": _each(complex=_of_complex("cimag")),
    "conj": _each(complex=_of_complex("conj")),
    "complex": _each(float=_put_together),
}  # fmt: skip


def cast(helpers: Helpers, atom: str, source: np.dtype[Any], target: np.dtype[Any]) -> str:
    """``atom`` in another dtype, as NumPy's astype has it."""
    if source == target:
        return atom
    if target.kind == "b":
        return f"{atom} != 0"  # also for 0.5 and NaN
    if source.kind == "f" and target.kind in "iu":
        return f"{helpers.need(f'to_{SHORT_NAMES[target]}', source)}({atom})"
    if source in (np.float64, np.complex128) and target in (np.float32, np.complex64):
        return f"{helpers.need('narrow', source)}({atom})"  # in a declaration: a real number becomes a real part
    return f"({local(target)}){atom}"


def library(name: str, helpers: Helpers, out: np.dtype[Any], atoms: list[str]) -> str:
    """The call of a libm function."""
    if out.kind != "c":
        return f"{name}{_f(out)}({', '.join(atoms)})"
    called = helpers.need(name, out) if name in complexes.OURS else f"c{name}{_f(out)}"
    return f"{called}({', '.join(atoms)})"


def spell(
    symbol: str,
    helpers: Helpers,
    out: np.dtype[Any],
    types: tuple[np.dtype[Any], ...],
    atoms: list[str],
) -> str:
    """The expression of one symbol; its meaning is that of the class of its (last) operand."""
    spelled = SPELLING[symbol][dtype_class(types[-1])]
    if spelled is None:
        raise BackendError(f"C has no spelling of {symbol!r} for dtype {types[-1]}.")
    return spelled(helpers, out, types, *atoms)


def _check() -> None:
    if missing := set(SYMBOLS) ^ set(SPELLING):
        raise BackendError(f"Backend 'c' and kinds.SYMBOLS differ in {', '.join(sorted(missing))}.")
    if missing := set(DTYPES) ^ set(_LOCAL):
        raise BackendError(f"Backend 'c' has no C type for {', '.join(sorted(missing))}.")
    dtype = np.dtype(np.complex128)
    for op in OPS.values():
        if not isinstance(op, Elementwise) or op.libm in {None, *complexes.LIBM, *complexes.OURS}:
            continue
        if op.result_dtype((dtype,) * op.arity, {}) is not None:
            raise BackendError(f"Backend 'c' has no {op.libm} of complex numbers.", op=op.name)


_check()
