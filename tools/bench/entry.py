"""Who takes part: a name, and how it computes a row."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from typing import Any

import numpy as np
from attrs import frozen

import wengert as wg
from wengert.tools.bench import ours
from wengert.tools.bench.rows import Row

__all__ = ["HAND", "PEERS", "Absent", "Entry", "close", "entry", "installed", "reference"]

#: Peers by name, and the module that each is imported as.
PEERS = {"autograd": "autograd", "jax": "jax", "torch": "torch", "casadi": "casadi", "pytensor": "pytensor"}
#: What is written by hand: in NumPy, and in C.
HAND = ("hand-numpy", "hand-c")


#: So many numbers are asked of ``reference``.
LARGEST = 2000


class Absent(Exception):  # noqa: N818 (it is no error: a peer that does not have a row says why)
    """Why there is no entry of this name for a row."""


@frozen
class Entry:
    """How one computes a row, prepared as far as it can be before the arguments change."""

    call: Callable[..., Any]  #: the derivative, with the value where the row asks for both
    args: tuple[Any, ...]
    read: Callable[[Any], Any] = lambda result: result  #: to what ``row.by_hand`` returns
    value: Callable[..., Any] | None = None  #: the function alone
    value_args: tuple[Any, ...] = ()


def installed() -> list[str]:
    """The peers that there are here."""
    return [name for name, module in PEERS.items() if importlib.util.find_spec(module) is not None]


def entry(name: str, row: Row, *, tiny: bool = False) -> Entry:
    """The entry of a target of wengert, of a peer, or of what is written by hand; Absent where there is none."""
    given, arguments = row.given(tiny=tiny), row.arguments(tiny=tiny)
    if name == "hand-numpy":
        return Entry(row.by_hand, given, value=row.function, value_args=arguments)
    if name == "hand-c":
        from wengert.tools.bench import native

        return native.entry(row, given, arguments)
    if name in PEERS:
        peer = importlib.import_module(f"wengert.tools.bench.peers.{name}")
        return peer.entry(row, given, arguments)  # type: ignore[no-any-return]
    if (reason := wg.available_backends().get(name, f"there is no target {name}")) is not None:
        raise Absent(reason)
    if name == "reference" and sum(np.size(x) for x in given) > LARGEST:
        raise Absent("computes with one number at a time")
    value, derivative = ours.programs(row, name, tiny=tiny)
    return Entry(derivative, given, value=value, value_args=arguments)


def reference(row: Row, *, tiny: bool = False) -> list[Any]:
    """What all must agree with."""
    return flat(row.by_hand(*row.given(tiny=tiny)))


def flat(result: Any) -> list[Any]:
    """The arrays of a nested result."""
    if isinstance(result, (tuple, list)):
        return [leaf for part in result for leaf in flat(part)]
    return [np.asarray(result)]


def close(result: Any, expected: list[Any], tolerance: float = 1e-8) -> float:
    """The largest difference, over the largest number of the array it is in; raises where that is not small."""
    found = flat(result)
    if [x.size for x in found] != [x.size for x in expected]:
        message = f"results of sizes {[x.size for x in found]}, expected {[x.size for x in expected]}"
        raise ValueError(message)
    worst = 0.0
    for x, y in zip(found, expected, strict=True):
        error = float(np.max(np.abs(x.reshape(y.shape) - y)) / max(float(np.max(np.abs(y))), 1e-300))
        if not error <= tolerance:
            message = f"differs from the derivative by hand by {error:.1e} of its largest number"
            raise ValueError(message)
        worst = max(worst, error)
    return worst
