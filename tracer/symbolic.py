"""Tracing for any size: ``wg.trace(f).graph(wg.spec(("n", 3)))``."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from attrs import evolve

from wengert.backends import protocol
from wengert.ir.errors import SizeError, WengertError
from wengert.ir.graph import Graph
from wengert.ir.symbolic.generalising import ConstantError
from wengert.ir.symbolic.size_text import parse_size
from wengert.ir.symbolic.sizes import Size, names_in, replace
from wengert.ir.symbolic.witnesses import Run, lift, symbolic
from wengert.ir.types import ArrayType, Spec
from wengert.ir.verify import called_graphs
from wengert.tracer.context import Trace
from wengert.tracer.known_sizes import LARGE, SymbolicTrace, builtins_in_place
from wengert.tracer.location import refuse
from wengert.tracer.variants import Bound

__all__ = ["graph_for_specs", "lifted", "spec"]


def spec(shape: Any, dtype: Any = float) -> Spec:
    """A stand-in for an array of this shape and dtype, for ``f.graph``: axes may be named.

    Parameters
    ----------
    shape : int, str or tuple of these
        A string is a size: a name, or an expression in names with ``+ - * // % min max``, as ``"2*n+1"``.  One name is
        one size, wherever it stands.
    dtype : dtype-like, optional

    Examples
    --------
    >>> import numpy as np, wengert as wg
    >>> f = wg.trace(lambda m, v: np.tanh(m @ v).sum())
    >>> g = f.graph(wg.spec(("n", 3)), wg.spec(3))
    >>> g(np.ones((2, 3)), np.zeros(3)), g(np.ones((50, 3)), np.zeros(3))
    (np.float64(0.0), np.float64(0.0))
    """
    dims = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    return Spec(tuple(map(_dim, dims)), np.dtype(dtype))


def _dim(dim: Any) -> Any:
    if isinstance(dim, str):
        found = parse_size(dim)
        if any(name.startswith("_") for name in names_in(found)):
            raise SizeError(f"{dim!r} names a size with a leading _, which is kept for wengert; choose another name.")
        return found
    if type(dim) is Size:
        return dim
    if isinstance(dim, (int, np.integer)) and not isinstance(dim, bool) and dim >= 0:
        return int(dim)
    raise SizeError(f"{dim!r} is no size of an axis; expected a count, a name, or an expression such as '2*n+1'.")


class Abstract:
    """An array of which type alone is known."""

    def __init__(self, type_: ArrayType) -> None:
        self.dtype, self.shape = type_.dtype, type_.shape

    def __call__(self) -> Any:
        """Called for the numbers that it holds."""
        raise refuse(
            "the number that a traced value holds is asked for (by an if, bool(), int(), a boolean mask, or what "
            "depends on values in another way), and a spec stands for no numbers.",
            "Choose with np.where or wg.cond instead of an if; or trace with an example: f.graph(x).",
        )


def graph_for_specs(traced: Any, bound: Bound) -> Graph:
    """The graph of a traced function for arguments among which there are specs."""
    leaves = bound.leaves
    types = [leaf.type if isinstance(leaf, Spec) else None for leaf in leaves]
    shapes = [np.shape(leaf) if type_ is None else type_.shape for leaf, type_ in zip(leaves, types, strict=True)]
    names = tuple(dict.fromkeys(names_in(tuple(shapes))))

    def record(env: Mapping[str, int], trace: Trace | None) -> Graph:
        given = [leaf if t is None else Abstract(t.with_shape(replace(t.shape, env)))
                 for leaf, t in zip(leaves, types, strict=True)]  # fmt: skip
        graph: Graph = traced.recorded(evolve(bound, leaves=given), trace)
        return graph

    limit = 2**62

    def make(env: Mapping[str, int], *, keeps_values: bool = False) -> Run:
        nonlocal limit
        trace = SymbolicTrace(traced.__name__, keeps_values=keeps_values)
        trace.builder.limit = limit
        with builtins_in_place():
            run = Run(record(env, trace), trace.slots, trace.notes)
        limit = min(limit, max(LARGE, 100 * trace.builder.largest))
        return run

    if not names:
        return record({}, None)
    try:
        return symbolic(make, names, shapes, agree)
    except ConstantError as error:  # sin(arange(n)) is no formula, but a program
        try:
            return symbolic(functools.partial(make, keeps_values=True), names, shapes, agree)
        except WengertError:
            raise error from None


def lifted(transform: Callable[[Graph], Graph], graph: Graph) -> Graph:
    """A transform of a graph, symbolic or not."""
    return transform(graph) if graph.sizes is None else lift(transform, graph, agree)


# ----- Whether two programs agree -----


def agree(a: Graph, b: Graph) -> bool:
    """Whether two programs of one type compute the same from numbers drawn at random; not known of a while loop."""
    if any(node.op.name == "while" for g in (a, b) for inner in called_graphs(g) for node in inner.nodes):
        return False
    rng = np.random.default_rng(0)
    inputs = [_drawn(rng, v.type) for v in a.inputs]
    (values, failed), (others, also) = _outcome(a, inputs), _outcome(b, inputs)
    if failed is not None or also is not None:
        return failed is also
    return all(map(_same, values, others))


def _drawn(rng: Any, type_: ArrayType) -> Any:
    kind, shape = type_.dtype.kind, type_.shape
    if kind == "b":
        return rng.integers(0, 2, shape).astype(bool)
    if kind in "iu":  # zeros are indices into every axis
        return np.zeros(shape, type_.dtype) if kind == "i" else rng.integers(0, 100, shape).astype(type_.dtype)
    drawn = rng.uniform(0.2, 0.9, shape)
    return np.asarray(drawn + 1j * rng.uniform(0.2, 0.9, shape) if kind == "c" else drawn).astype(type_.dtype)


def _outcome(graph: Graph, inputs: Sequence[Any]) -> tuple[Sequence[Any], Any]:
    try:
        with np.errstate(all="ignore"):
            return protocol.get("numpy").compile(graph)(inputs), None
    except Exception as error:  # noqa: BLE001 (of both, or of one)
        return (), type(error)


def _same(x: Any, y: Any) -> bool:
    if x.shape != y.shape or x.dtype != y.dtype:
        return False
    exact = x.dtype.kind in "biu"
    tolerance = 0.0 if exact else 1e3 * float(np.finfo(x.dtype).eps)
    return bool(np.allclose(x, y, rtol=tolerance, atol=tolerance, equal_nan=True))
