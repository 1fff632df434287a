"""Types: the dtype and shape of a value, and whether it is weak.

A *weak* value is a Python scalar.  It takes the dtype of what it meets, as in NumPy 2 (NEP 50).
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
from attrs import field, frozen

__all__ = [
    "DTYPES", "SHORT_NAMES", "STEPS", "WEAK", "ArrayType", "KnownSize", "Spec", "cotangent_type", "dtype_class",
    "is_inexact", "is_stack", "shared", "type_of",
]  # fmt: skip

#: The first size of a stack: one entry for each step that a loop will have taken.  Loops make and read stacks, and
#: nothing else does; text has a question mark for it.
STEPS = -1

#: Every dtype a program may hold.  A closed list: a file can name no other.
DTYPES: dict[str, np.dtype[Any]] = {
    short: np.dtype(name)
    for short, name in (
        ("bool", "bool"),
        *((f"i{n}", f"int{n}") for n in (8, 16, 32, 64)),
        *((f"u{n}", f"uint{n}") for n in (8, 16, 32, 64)),
        *((f"f{n}", f"float{n}") for n in (32, 64)),
        *((f"c{n}", f"complex{n}") for n in (64, 128)),
    )
}
SHORT_NAMES: dict[np.dtype[Any], str] = {dtype: short for short, dtype in DTYPES.items()}
_SAME = {dtype: dtype for dtype in SHORT_NAMES}  # equal dtypes as one object


def _native(dtype: Any) -> np.dtype[Any]:
    dtype = np.dtype(dtype)
    found = _SAME.get(dtype) or _SAME.get(dtype.newbyteorder("="))
    if found is not None:
        return found
    msg = (
        f"A wengert value cannot have dtype {dtype}; expected one of "
        f"{', '.join(map(str, SHORT_NAMES))}. Convert it first, for instance with .astype(float)."
    )
    raise TypeError(msg)


@frozen(slots=True, unsafe_hash=True, cache_hash=True, repr=False)
class ArrayType:  # noqa: PLW1641 (attrs makes the hash)
    """The type of one value: dtype, shape, and whether it is a weak (Python) scalar.

    In a symbolic graph, and nowhere else, there are sizes (:mod:`wengert.ir.symbolic.sizes`) among the numbers of the
    shape.
    """

    dtype: np.dtype[Any] = field(converter=_native)
    shape: tuple[int, ...] = ()
    weak: bool = False

    def __eq__(self, other: object) -> bool:  # asked several times of each node that is made
        if self is other or type(other) is not ArrayType:
            return self is other
        same = self.dtype is other.dtype or self.dtype == other.dtype
        return same and self.shape == other.shape and self.weak == other.weak

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    def with_shape(self, shape: tuple[int, ...]) -> ArrayType:
        """This dtype in another shape; an array is never weak."""
        return ArrayType(self.dtype, shape, self.weak and not shape)

    def __str__(self) -> str:
        sizes = ",".join("?" if n == STEPS else str(n) for n in self.shape)
        return f"{SHORT_NAMES[self.dtype]}{'*' if self.weak else ''}[{sizes}]"

    __repr__ = __str__


@frozen
class Spec:
    """What an argument will be: its shape, in which axes may be named, and its dtype."""

    shape: tuple[Any, ...]
    dtype: np.dtype[Any]

    @property
    def type(self) -> ArrayType:
        """The type of such an argument."""
        return ArrayType(self.dtype, self.shape)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        raise TypeError("A wg.spec stands for no numbers: it is an argument of f.graph(...) alone.")


class KnownSize(int):
    """A size of an axis as a function that is traced for any size sees it: an int at each of several sizes."""


#: The types of Python scalars.
WEAK: dict[type, ArrayType] = {
    bool: ArrayType(np.dtype(bool)),  # NumPy has no weak bool: True is np.bool_ everywhere
    int: ArrayType(np.dtype(np.int64), (), weak=True),
    float: ArrayType(np.dtype(np.float64), (), weak=True),
    complex: ArrayType(np.dtype(np.complex128), (), weak=True),
}


@functools.lru_cache(maxsize=65536)
def shared(type_: ArrayType) -> ArrayType:
    """The one object that stands for a type: values of large graphs have few types."""
    return type_


def type_of(value: Any) -> ArrayType:
    """The type of a Python scalar (weak), NumPy scalar or array."""
    weak = WEAK.get(type(value))
    return weak if weak is not None else ArrayType(value.dtype, value.shape)


def cotangent_type(type_: ArrayType) -> ArrayType:
    """The type of a tangent or cotangent of a value of this type."""
    return ArrayType(type_.dtype, type_.shape) if type_.weak else type_


def dtype_class(dtype: np.dtype[Any]) -> str:
    """``"bool"``, ``"int"``, ``"uint"``, ``"float"`` or ``"complex"``: what an op's meaning depends on."""
    return {"b": "bool", "i": "int", "u": "uint", "f": "float", "c": "complex"}[dtype.kind]


def is_inexact(dtype: np.dtype[Any]) -> bool:
    """Whether values of this dtype can carry a tangent (floating or complex)."""
    return dtype.kind in "fc"


def is_stack(type_: ArrayType) -> bool:
    """Whether there are as many of these as a loop took steps."""
    return type_.shape[:1] == (STEPS,)
