"""Numbers and names as text, exact to the bit: the sign of zero and the payload of a NaN are kept.

::

    bool     True | False
    int      -3
    float    0.1 | -0.0 | 1e-05 | inf | nan | nan(0x7ff8000000000001)    the last by its bits
    complex  1.0+2.0j                                                    float, signed float, j
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

__all__ = ["NUMERAL", "PATH", "nested", "numerals", "quoted", "read_numerals"]

PATH = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*|\[-?[0-9]+\]|\['\w+'\])*")

_UNSIGNED = (
    r"(?:inf|nan(?:\(0x[0-9a-f]{1,16}\))?|[0-9]{1,400}(?:\.[0-9]{0,400})?(?:e[+-]?[0-9]{1,4})?)"
)
_FLOAT = rf"-?{_UNSIGNED}"
_COMPLEX = rf"({_FLOAT})([+-]{_UNSIGNED})j"
NUMERAL = re.compile(rf"True|False|{_FLOAT}(?:[+-]{_UNSIGNED}j)?")
_PATTERNS = {
    "b": re.compile(r"True|False"),
    "i": re.compile(r"-?[0-9]{1,20}"),
    "u": re.compile(r"[0-9]{1,20}"),
    "f": re.compile(_FLOAT),
    "c": re.compile(_COMPLEX),
}


def _part(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of the real and of the imaginary part."""
    return np.dtype(f"f{dtype.itemsize // 2}")


def _bits(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(f"u{dtype.itemsize}")


# ----- Printing -----


def numerals(array: np.ndarray[Any, Any]) -> list[str]:
    """The elements in C order, each as text."""
    flat = np.ascontiguousarray(array).reshape(-1)
    if flat.dtype.kind == "c":
        parts = _floats(flat.view(_part(flat.dtype)))
        pairs = zip(parts[::2], parts[1::2], strict=True)
        return [f"{re}{im if im.startswith('-') else '+' + im}j" for re, im in pairs]
    if flat.dtype.kind == "f":
        return _floats(flat)
    return [repr(n) for n in flat.tolist()]


def _floats(flat: np.ndarray[Any, Any]) -> list[str]:
    plain = np.array(np.nan, flat.dtype).view(_bits(flat.dtype)).item()
    texts = (
        [_short(x) for x in flat] if flat.dtype == np.float32 else [repr(x) for x in flat.tolist()]
    )
    for k in np.flatnonzero(np.isnan(flat)):
        bits = flat[k : k + 1].view(_bits(flat.dtype)).item()
        texts[k] = "nan" if bits == plain else f"nan({bits:#x})"
    return texts


def _short(x: np.float32) -> str:
    """The fewest digits that are read back, through a float64, as ``x``."""
    text = str(x)
    return text if np.float32(float(text)) == x else repr(float(x))


def nested(items: list[str], shape: tuple[int, ...], comma: str = ", ") -> str:
    """The elements of an array in brackets, one pair for each row of each axis."""
    if not shape:
        return items[0]
    if not items:
        return "[]"  # an empty array may have any number of rows
    for n in reversed(shape):
        items = [f"[{comma.join(items[k : k + n])}]" for k in range(0, len(items), n)]
    return items[0]


def quoted(name: str) -> str:
    """A name as it is where it is a path such as ``w['a'][0].x``, else as a string in ASCII."""
    return name if PATH.fullmatch(name) and name.isprintable() else ascii(name)


# ----- Reading -----


def read_numerals(texts: list[str], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """The flat array the texts stand for; a ValueError if one is not of the dtype's form."""
    pattern = _PATTERNS[dtype.kind]
    matches = []
    for text in texts:
        if (match := pattern.fullmatch(text)) is None:
            raise ValueError(f"{text} is not of dtype {dtype}.")
        matches.append(match)
    if dtype.kind == "c":
        part = _part(dtype)
        data = b"".join(_read_float(text, part) for match in matches for text in match.groups())
        return np.frombuffer(data, dtype).copy()
    if dtype.kind == "f":
        return np.frombuffer(b"".join(_read_float(text, dtype) for text in texts), dtype).copy()
    return _read_ints([text == "True" if dtype.kind == "b" else int(text) for text in texts], dtype)


def _read_ints(values: list[int], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    try:
        return np.array(values, dtype)
    except OverflowError as error:
        raise ValueError(f"{error}.") from None


def _read_float(text: str, dtype: np.dtype[Any]) -> bytes:
    name, _, bits = text.partition("(")
    if bits:
        raw = int(bits[2:-1], 16)
        if raw >> 8 * dtype.itemsize:
            raise ValueError(f"{text} has more bits than {dtype}.")
        value = np.array(raw, _bits(dtype)).view(dtype)
        if not np.isnan(value):
            raise ValueError(f"{text} are not the bits of a NaN in {dtype}.")
        return value.tobytes()
    with np.errstate(over="ignore"):
        value = np.array(float(name)).astype(dtype)
    if np.isinf(value) and "inf" not in text:
        raise ValueError(f"{text} is out of the range of {dtype}.")
    return value.tobytes()
