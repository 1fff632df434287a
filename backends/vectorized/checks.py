"""Whether results are to be trusted: what a call of straight lines looks at before it hands them out."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from wengert.ir.graph import Value

__all__ = ["Check", "tells"]

#: Up to here a dot product is cheaper than anything else, and is not given to threads.
SHORT = 8192


@frozen
class Check:
    """The outputs in which there is to be no NaN, and whether the last guard is to hold, which is ours then."""

    outputs: Sequence[int]
    guard: bool


def tells(name: str, v: Value) -> str:
    """What is NaN where an element of a C-contiguous array is: a sum of squares, of many elements the largest."""
    if v.type.size > SHORT:
        return f"{name}.sum()" if v.type.dtype.kind == "c" else f"largest({name}, None)"
    return f"{name}.dot({name})" if len(v.type.shape) == 1 else f"{name}.ravel().dot({name}.ravel())"
