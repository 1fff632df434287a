"""Numbers, arrays and slices as Python text that reads back the same bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from attrs import define

__all__ = ["Expression", "dtype_name", "spell_array", "spell_key", "spell_scalar"]

#: Array constants up to this size are spelled out as lists.
INLINE = 64


@define
class Expression:
    """Text, how deeply nested it is, and whether it needs parentheses as an operand."""

    text: str
    depth: int = 0
    compound: bool = False

    @property
    def operand(self) -> str:
        """The text as an operand of an operator."""
        return f"({self.text})" if self.compound else self.text

    @property
    def atom(self) -> str:
        """The text as something to index or to take an attribute of."""
        return self.text if self.text.isidentifier() else f"({self.text})"


def dtype_name(dtype: np.dtype[Any]) -> str:
    """A dtype as NumPy's own name for it."""
    return f"np.{dtype.name}_" if dtype.kind == "b" else f"np.{dtype.name}"


def spell_scalar(x: Any, *, typed: bool) -> str:
    """A number so that Python reads the same bits: a literal, or one in its dtype."""
    kind = x.dtype.kind
    if kind == "f" and not np.isfinite(x):
        text = "np.nan" if np.isnan(x) else "np.inf" if x > 0 else "-np.inf"
    elif kind == "c" and not (np.isfinite(x) and _read_back(x.real) and _read_back(x.imag)):
        return f"complex({spell_scalar(x.real, typed=False)}, {spell_scalar(x.imag, typed=False)})"
    else:
        text = repr(x.item())
    return f"{dtype_name(x.dtype)}({text})" if typed else text


def _read_back(part: Any) -> bool:
    """Whether a part of a complex literal is kept by Python, which reads (-0+1j) and (1-0j) as sums."""
    return bool(part != 0 or not np.signbit(part))


def spell_array(array: np.ndarray[Any, Any]) -> str:
    """An array as text: a list while it is short, else its bytes."""
    dtype = dtype_name(array.dtype)
    plain = array.dtype.kind in "biu" or (array.dtype.kind == "f" and np.isfinite(array).all())
    if array.size <= INLINE and plain:
        spelled = f"np.array({array.tolist()!r}, {dtype})"
        return f"{spelled}.reshape({array.shape!r})" if 0 in array.shape else spelled
    little = array.astype(array.dtype.newbyteorder("<"))
    return f"np.frombuffer(bytes.fromhex({little.tobytes().hex()!r}), {dtype}).reshape({array.shape!r})"


def spell_key(start: Any, size: Any, step: Any) -> str:
    """The slices that take ``size`` elements from ``start`` on."""
    parts = []
    for s, n, d in zip(start, size, step, strict=True):
        stop = s + d * n
        parts.append(f"{s}:{'' if stop < 0 else stop}" + ("" if d == 1 else f":{d}"))
    return ", ".join(parts) or "..."
