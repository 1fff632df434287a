"""Functions from outside, kept by name: what they compute is in no graph, and a file needs them registered again."""

from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.ir.errors import DerivativeError
from wengert.ir.kinds import Library, refuse
from wengert.ir.types import DTYPES, ArrayType

#: Name to function: arrays to an array, or to a tuple of them.
REGISTRY: dict[str, Callable[..., Any]] = {}


def register(name, function):
    """Make a function known by name, in place of one that had it before."""
    REGISTRY[name] = function


def _call(*arrays, name, results):
    made = REGISTRY[name](*arrays)
    each = made if isinstance(made, tuple) else (made,)
    types = [(DTYPES[dtype], shape) for dtype, shape in results]
    found = [np.asarray(x) for x in each]
    if [x.shape for x in found] != [shape for _, shape in types] or any(
        not np.can_cast(x.dtype, dtype, "same_kind") for x, (dtype, _) in zip(found, types, strict=True)
    ):
        got = ", ".join(f"{x.dtype} of shape {x.shape}" for x in found)
        raise ValueError(f"The primitive {name!r} returned {got}; its graph was made for {types}.")
    exact = tuple(x.astype(dtype, copy=False) for x, (dtype, _) in zip(found, types, strict=True))
    return exact if len(exact) > 1 else exact[0]


def _types(op, types, params):
    name, results = params["name"], params["results"]
    if name not in REGISTRY:
        known = ", ".join(sorted(REGISTRY)) or "none"
        raise refuse(op, f"no primitive called {name!r} is registered here ({known} are): import the module that "
                         "makes it with wg.primitive, then load the graph again.")  # fmt: skip
    if not results or any(dtype not in DTYPES for dtype, _ in results):
        raise refuse(op, f"expected (dtype, shape) for each result, got {results!r}.")
    return tuple(ArrayType(DTYPES[dtype], shape) for dtype, shape in results)


def no_rule(xp, *known):
    message = (
        f"external: the primitive {known[-1]['name']!r} states no derivative. Give wg.primitive a jvp or a vjp, or "
        "take wg.stop_gradient of its result."
    )
    raise DerivativeError(message, op="external", location=getattr(getattr(xp, "builder", None), "location", None))


external = Library(name="external", params=("name", "results"),
    call=_call,
    types=_types,
    jvp=no_rule,
    vjp=no_rule,
    doc="Call the function that wg.primitive registered under this name; its derivatives are those of the custom call "
        "around it.")
