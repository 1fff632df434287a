"""What acts on derivatives alone, in the midst of a program: scaled, clipped, passed straight through, looked at."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.tracer.array import Array
from wengert.tracer.custom import custom, primitive

__all__ = ["clip_gradient", "inspect_gradient", "scale_gradient", "straight_through"]

_taps = itertools.count()


def scale_gradient(x: Any, factor: float) -> Any:
    """``x``, whose derivative is multiplied by ``factor``: 0 stops it, -1 turns it round."""
    return custom(_itself, jvp=lambda primals, tangents: (primals[0], tangents[0] * factor))(x)


def clip_gradient(x: Any, low: float, high: float) -> Any:
    """``x``, whose cotangent is clipped to [low, high], entry by entry; in reverse mode alone, as it is not linear."""
    return custom(_itself, vjp=lambda primals, value, g: (np.clip(g, low, high),))(x)


def straight_through(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function of one array whose derivative is taken to be 1: for rounding, signs and thresholds."""
    return custom(function, jvp=lambda primals, tangents: (function(primals[0]), tangents[0]))  # type: ignore[no-any-return]


def inspect_gradient(x: Any, look: Callable[[np.ndarray[Any, Any]], Any]) -> Any:
    """``x``; ``look`` is called with each tangent or cotangent that passes here, and changes nothing.

    Where many directions are pushed or pulled at once, it is called for each.  It is a primitive, registered for this
    process: a file that holds it does not load in another.
    """

    def seen(g: Any) -> Any:
        look(np.array(g))
        return g

    tap = primitive(
        seen, jvp=lambda primals, tangents: (primals[0], tangents[0]), like=lambda g: g, name=f"inspect_{next(_taps)}")
    passed = custom(
        _itself, jvp=lambda primals, tangents: (primals[0], tap(tangents[0])), vjp=lambda primals, value, g: (tap(g),))
    tap.checked = passed.checked = False  # or it would look at random numbers, too
    return passed(x)


def _itself(x: Any) -> Any:
    traced: Any = x
    return traced * 1 if isinstance(x, Array) and x.dtype.kind != "b" else x
