"""Derivatives of functions and graphs: what users call.

On plain arguments each runs the backend's own forward or reverse mode.  Within a trace (another derivative,
or a traced function) the same call becomes nodes, made by ``wengert.ir.autodiff``; so derivatives nest to any
order, and modes mix.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.backends.program import Program, results_of
from wengert.ir import autodiff
from wengert.ir.autodiff.forward import cotangent_type
from wengert.ir.errors import DerivativeError
from wengert.ir.graph import Graph, Value
from wengert.ir.structure import Structure, unflatten
from wengert.ir.types import ArrayType, is_inexact
from wengert.tracer.array import Array
from wengert.tracer.callee import Call, Callee, Recorded, Selection, matched

__all__ = [
    "grad", "hessian", "hvp", "jacobian", "jvp", "linearize", "stop_gradient", "value_and_grad", "vjp",
]  # fmt: skip

Argnums = int | tuple[int, ...]


def _wraps(target: Any, prefix: str) -> Callable[[Any], Any]:
    """Name a derivative after what it is taken of."""

    def wrap(function: Any) -> Any:
        function.__name__ = f"{prefix}_{getattr(target, '__name__', 'function')}"
        return function

    return wrap


def grad(f: Any, argnums: Argnums = 0, *, backend: str | None = None) -> Callable[..., Any]:
    """The gradient of a real scalar function.

    Parameters
    ----------
    f : callable, Program or Graph
        Returns one real number (shape ``()``).
    argnums : int or tuple of int
        The positional arguments to differentiate in.
    backend : str, optional

    Returns
    -------
    callable
        Takes the arguments of ``f``; returns the gradient, nested and shaped as the argument (a tuple of them where
        ``argnums`` is a tuple), zero where ``f`` does not depend on it.

    Raises
    ------
    DerivativeError
        If ``f`` is not a real scalar function, or an argument is not floating-point.
    """
    both = value_and_grad(f, argnums, backend=backend)

    @_wraps(f, "grad")
    def gradient(*args: Any, **kwargs: Any) -> Any:
        return both(*args, **kwargs)[1]

    return gradient


def value_and_grad(f: Any, argnums: Argnums = 0, *, backend: str | None = None) -> Callable[..., Any]:
    """The value of a real scalar function and its gradient, in one sweep; see :func:`grad`."""
    callee = Callee(f, backend)

    @_wraps(f, "value_and_grad")
    def gradient(*args: Any, **kwargs: Any) -> Any:
        call = callee.call(args, kwargs)
        chosen = call.select(argnums)
        if (recorded := call.within()) is not None:
            _check_scalar(callee, recorded.graph)
            one = recorded.xp.builder.constant(recorded.graph.outputs[0].type.dtype.type(1))
            values, cotangents = _pulled(recorded, chosen, [one])
            return _wrapped(recorded, values), chosen.nest(cotangents)

        def action(program: Program, inputs: list[Any]) -> Any:
            _check_scalar(callee, program.graph)
            ones = [np.ones((1,), program.graph.outputs[0].type.dtype)]
            return _paired(program.reverse(chosen.active, callee.backend)(inputs, ones))

        graph, (values, cotangents) = call.perform(action)
        return results_of(graph, values), chosen.nest([_scalar(g[0]) for g in cotangents])

    return gradient


def _paired(result: tuple[Any, Any]) -> tuple[Any, Any]:
    """(values, (values, rest)): what ``perform`` wants of an action."""
    return result[0], result


def _scalar(array: Any) -> Any:
    """A NumPy scalar for no axes, as NumPy's own functions return."""
    return array[()] if array.ndim == 0 else array


def _check_scalar(callee: Callee, graph: Graph) -> None:
    types = [v.type for v in graph.outputs]
    if len(types) != 1 or types[0].shape != () or types[0].dtype.kind != "f":
        found = ", ".join(map(str, types)) or "nothing"
        message = (
            f"grad takes a function that returns one real number, of shape (); {callee.name} returns {found}. "
            "For an array result use wg.jacobian or wg.vjp; for a sum of its elements, sum them first."
        )
        raise DerivativeError(message)


# -- within a trace -------------------------------------------------------------------------------


def _wrapped(recorded: Recorded, values: Sequence[Value]) -> Any:
    """Output values as the function's nested result."""
    flat = iter([recorded.xp.wrap(v) for v in values])
    structure = recorded.graph.results
    return tuple(flat) if structure is None else unflatten(structure, flat)


def _pulled(recorded: Recorded, chosen: Selection, cotangents: Sequence[Value]) -> tuple[list[Value], list[Array]]:
    """Inline the vjp graph: the output values, and the cotangents of the active inputs."""
    xp, graph = recorded.xp, recorded.graph
    xp.trace.locate()
    outputs = xp.builder.inline(autodiff.vjp(graph, chosen.active), [*recorded.operands, *cotangents])
    n = len(graph.outputs)
    return list(outputs[:n]), [xp.wrap(v) for v in outputs[n:]]


def _pushed(recorded: Recorded, chosen: Selection, tangents: Sequence[Value]) -> tuple[list[Value], list[Any]]:
    """Inline the jvp graph: the output values, and one tangent per output (None where not inexact)."""
    xp, graph = recorded.xp, recorded.graph
    xp.trace.locate()
    outputs = xp.builder.inline(autodiff.jvp(graph, chosen.active), [*recorded.operands, *tangents])
    n = len(graph.outputs)
    moved = iter([xp.wrap(v) for v in outputs[n:]])
    return list(outputs[:n]), [next(moved) if is_inexact(v.type.dtype) else None for v in graph.outputs]


def _types(call: Call, chosen: Selection) -> list[ArrayType]:
    """The type of a tangent of each active leaf."""
    leaves = [call.bound.leaves[i] for i in chosen.active]
    return [cotangent_type(ArrayType(np.result_type(_dtype(x)), np.shape(x))) for x in leaves]


def _dtype(leaf: Any) -> Any:
    return leaf.dtype if hasattr(leaf, "dtype") else np.float64 if isinstance(leaf, float) else np.asarray(leaf).dtype


def _fit(value: Any, type_: ArrayType, what: str, name: str) -> Any:
    """A tangent or cotangent as an array of its type; raises where shape or dtype do not fit."""
    array = np.asarray(value)
    if array.shape != type_.shape or array.dtype.kind not in "fiub" or (
        array.dtype.kind == "f" and not np.can_cast(array.dtype, type_.dtype, "same_kind")):
        message = f"The {what} of {name} must have type {type_}, got {array.dtype} of shape {array.shape}."
        raise TypeError(message)
    return np.ascontiguousarray(array, type_.dtype).reshape(type_.shape)


def _lifted(recorded: Recorded, values: Sequence[Any], types: Sequence[ArrayType], what: str) -> list[Value]:
    """Tangents or cotangents, traced or not, as values of their types."""
    lifted = []
    for value, type_ in zip(values, types, strict=True):
        found = recorded.xp.lift(value)
        if found.type.shape != type_.shape:
            message = f"A {what} must have type {type_}, got {found.type}."
            raise TypeError(message)
        lifted.append(recorded.xp.builder.cast(found, type_.dtype))
    return lifted


# -- forward --------------------------------------------------------------------------------------


def jvp(f: Any, primals: Sequence[Any], tangents: Sequence[Any], *, backend: str | None = None) -> tuple[Any, Any]:
    """The value of ``f`` and its derivative along ``tangents`` (forward mode).

    Parameters
    ----------
    f : callable, Program or Graph
    primals, tangents : tuple
        The positional arguments, and one tangent for each, nested and shaped alike; None for an argument
        that is not floating-point.

    Returns
    -------
    (value, tangent)
        Both nested as ``f``'s result; the tangent of a result that is not floating-point is None.
    """
    callee = Callee(f, backend)
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)) or len(primals) != len(tangents):
        message = "jvp takes a tuple of primals and a tuple of as many tangents."
        raise TypeError(message)
    call = callee.call(tuple(primals), {})
    chosen = call.select(None, strict=False)
    names = [call.bound.names[i] for i in chosen.active]
    flat = [t for s, value in zip(chosen.structures, tangents, strict=True) for t in matched(s, value, "tangent", "primal")]
    types = _types(call, chosen)
    if (recorded := _within(call, flat)) is not None:
        values, moved = _pushed(recorded, chosen, _lifted(recorded, flat, types, "tangent"))
        return _wrapped(recorded, values), _nested(recorded.graph, moved)
    arrays = [_fit(t, type_, "tangent", n)[None] for t, type_, n in zip(flat, types, names, strict=True)]
    graph, (values, moved) = call.perform(
        lambda program, inputs: _paired(_forward(program, chosen.active, callee.backend, inputs, arrays)))
    return results_of(graph, values), _nested(graph, [None if t is None else _scalar(t[0]) for t in moved])


def _forward(program: Program, active: tuple[int, ...], backend: str | None, inputs: list[Any], tangents: list[Any]) -> Any:
    """The backend's forward mode; without an active input, zeros."""
    if active:
        return program.forward(active, backend)(inputs, tangents)
    values = program.run(inputs, backend)
    zeros = [np.zeros((1, *v.type.shape), v.type.dtype) if is_inexact(v.type.dtype) else None for v in program.graph.outputs]
    return values, zeros


def _within(call: Call, extra: Sequence[Any]) -> Recorded | None:
    """As ``call.within``, also where only the tangents are traced."""
    recorded = call.within()
    if recorded is None and any(isinstance(x, Array) for x in extra):
        call.bound.leaves[:] = [_as_traced(x, extra) for x in call.bound.leaves]
        recorded = call.within()
    return recorded


def _as_traced(leaf: Any, near: Sequence[Any]) -> Any:
    xp = next(x for x in near if isinstance(x, Array)).xp
    return xp.wrap(xp.lift(leaf))


def _nested(graph: Graph, flat: Sequence[Any]) -> Any:
    """One entry per output (or None), nested as the result."""
    return tuple(flat) if graph.results is None else unflatten(graph.results, iter(flat))


def linearize(f: Any, *primals: Any, backend: str | None = None) -> tuple[Any, Callable[..., Any]]:
    """The value of ``f``, and its derivative as a linear function of tangents, ready to be applied many times.

    What does not depend on the tangents is computed once.
    """
    callee = Callee(f, backend)
    call = callee.call(primals, {})
    chosen = call.select(None, strict=False)
    types = _types(call, chosen)
    if call.within() is not None:
        value = jvp(f, primals, _zeros_like(chosen, types))[0]
        return value, lambda *tangents: jvp(f, primals, tangents)[1]

    def action(program: Program, inputs: list[Any]) -> Any:
        parts = autodiff.linearize(program.graph, chosen.active)
        values = Program(parts.primal).run(inputs, callee.backend)
        n, g = len(program.graph.outputs), len(program.graph.guards)
        guards = values[len(values) - g :] if g else ()
        return (*values[:n], *guards), (values, Program(parts.linear), len(values) - g)

    graph, (values, linear, stop) = call.perform(action)
    residuals = list(values[len(graph.outputs) : stop])

    def apply(*tangents: Any) -> Any:
        if len(tangents) != len(chosen.structures):
            message = f"The linear function takes {len(chosen.structures)} tangents, got {len(tangents)}."
            raise TypeError(message)
        flat = [t for s, v in zip(chosen.structures, tangents, strict=True) for t in matched(s, v, "tangent", "primal")]
        arrays = [_fit(t, type_, "tangent", "a primal") for t, type_ in zip(flat, types, strict=True)]
        moved = iter(linear.run([*residuals, *arrays], callee.backend))
        return _nested(graph, [_scalar(next(moved)) if is_inexact(v.type.dtype) else None for v in graph.outputs])

    return results_of(graph, values), apply


def _zeros_like(chosen: Selection, types: Sequence[ArrayType]) -> Any:
    nested = chosen.nest([np.zeros(t.shape, t.dtype)[()] for t in types])
    return (nested,) if chosen.single else nested


# -- reverse --------------------------------------------------------------------------------------


def vjp(f: Any, *primals: Any, backend: str | None = None) -> Any:
    """The value of ``f`` and its pullback (reverse mode).

    Returns
    -------
    (value, pullback)
        ``pullback(cotangent)``, the cotangent nested and shaped as the value, gives a tuple with one cotangent per
        positional argument, None for what is not floating-point.  For a graph and no primals, the graph of both:
        inputs, then cotangents, to outputs, then the inputs' cotangents.
    """
    if not primals and isinstance(f, (Graph, Program)):
        graph = f if isinstance(f, Graph) else f.graph
        if graph.inputs:
            active = tuple(i for i, v in enumerate(graph.inputs) if v.type.dtype.kind == "f")
            return Program(autodiff.vjp(graph, active), backend)
    callee = Callee(f, backend)
    call = callee.call(primals, {})
    chosen = call.select(None, strict=False)
    if (recorded := call.within()) is not None:
        outputs = recorded.xp.builder.inline(recorded.graph, recorded.operands)

        def traced_pullback(cotangent: Any) -> Any:
            given = _output_cotangents(recorded.graph, cotangent)
            lifted = _lifted(recorded, given, _output_types(recorded.graph), "cotangent")
            return chosen.nest(_pulled(recorded, chosen, lifted)[1])

        return _wrapped(recorded, list(outputs)), traced_pullback
    graph, (values, pull) = call.perform(
        lambda program, inputs: _paired(program.reverse(chosen.active, callee.backend)(inputs)))

    def pullback(cotangent: Any) -> Any:
        types, given = _output_types(graph), _output_cotangents(graph, cotangent)
        arrays = iter([_fit(g, t, "cotangent", "the result")[None] for g, t in zip(given, types, strict=True)])
        every = [next(arrays) if is_inexact(v.type.dtype) else None for v in graph.outputs]
        return chosen.nest([_scalar(g[0]) for g in pull(every)])

    return results_of(graph, values), pullback


def _output_types(graph: Graph) -> list[ArrayType]:
    return [cotangent_type(v.type) for v in graph.outputs if is_inexact(v.type.dtype)]


def _output_cotangents(graph: Graph, cotangent: Any) -> list[Any]:
    """The cotangents of the inexact outputs, from one nested as the result (None where not inexact)."""
    from wengert.tracer.callee import _only

    moving = [is_inexact(v.type.dtype) for v in graph.outputs]
    structure = graph.results or Structure("tuple", (Structure("leaf"),) * len(moving))
    return matched(_only(structure, moving), cotangent, "cotangent", "result")


# -- matrices ---------------------------------------------------------------------------------------


def jacobian(
    f: Any, argnums: Argnums = 0, *, mode: str | None = None, backend: str | None = None
) -> Callable[..., Any]:
    """The matrix of all partial derivatives.

    Parameters
    ----------
    argnums : int or tuple of int
    mode : {"forward", "reverse"}, optional
        By default the one that needs fewer sweeps: forward unless there are more inputs than outputs.

    Returns
    -------
    callable
        Gives, nested as the result and in it as the chosen arguments, arrays of shape ``(*output.shape, *input.shape)``.
    """
    if mode not in (None, "forward", "reverse"):
        message = f"mode must be 'forward', 'reverse' or None, got {mode!r}."
        raise ValueError(message)
    callee = Callee(f, backend)

    @_wraps(f, "jacobian")
    def matrix(*args: Any, **kwargs: Any) -> Any:
        call = callee.call(args, kwargs)
        chosen = call.select(argnums)
        types = _types(call, chosen)
        if (recorded := call.within()) is not None:
            blocks = _traced_blocks(recorded, chosen, types, mode)
            return _nest_blocks(recorded.graph, chosen, blocks)

        def action(program: Program, inputs: list[Any]) -> Any:
            _check_outputs(callee, program.graph)
            sweep = _by_columns if _is_forward(program.graph, types, mode) else _by_rows
            return sweep(program, inputs, chosen, types, callee.backend)

        graph, blocks = call.perform(action)
        return _nest_blocks(graph, chosen, blocks)

    return matrix


def _check_outputs(callee: Callee, graph: Graph) -> None:
    for value in graph.outputs:
        if value.type.dtype.kind != "f":
            message = f"{callee.name} returns an array of type {value.type}; a Jacobian needs floating-point results."
            raise DerivativeError(message)


def _is_forward(graph: Graph, types: Sequence[ArrayType], mode: str | None) -> bool:
    columns, rows = sum(t.size for t in types), sum(v.type.size for v in graph.outputs)
    return mode == "forward" or (mode is None and columns <= rows)


def _basis(types: Sequence[ArrayType]) -> list[np.ndarray[Any, Any]]:
    """The unit vectors of all entries of all arrays together, one batch per array."""
    total = sum(t.size for t in types)
    batches, first = [], 0
    for t in types:
        batch = np.zeros((total, t.size), t.dtype)
        batch[first : first + t.size] = np.eye(t.size, dtype=t.dtype)
        batches.append(batch.reshape(total, *t.shape))
        first += t.size
    return batches


def _by_columns(program: Program, inputs: Any, chosen: Selection, types: Sequence[ArrayType], backend: Any) -> Any:
    graph = program.graph
    values, moved = program.forward(chosen.active, backend)(inputs, _basis(types))
    cuts = np.cumsum([t.size for t in types])[:-1]
    return values, [
        [_scalar(np.moveaxis(part, 0, -1).reshape((*v.type.shape, *t.shape)))
         for part, t in zip(np.split(columns, cuts), types, strict=True)]
        for columns, v in zip(moved, graph.outputs, strict=True)
    ]  # fmt: skip


def _by_rows(program: Program, inputs: Any, chosen: Selection, types: Sequence[ArrayType], backend: Any) -> Any:
    graph = program.graph
    ends = [cotangent_type(v.type) for v in graph.outputs]
    values, pulled = program.reverse(chosen.active, backend)(inputs, _basis(ends))
    cuts = np.cumsum([t.size for t in ends])[:-1]
    parts = [np.split(rows, cuts) for rows in pulled]
    return values, [
        [_scalar(part[i].reshape((*end.shape, *t.shape))) for part, t in zip(parts, types, strict=True)]
        for i, end in enumerate(ends)
    ]


def _traced_blocks(recorded: Recorded, chosen: Selection, types: Sequence[ArrayType], mode: str | None) -> Any:
    """A Jacobian within a trace: the linear part is inlined once per row or column."""
    xp, graph = recorded.xp, recorded.graph
    forward = _is_forward(graph, types, mode)
    ends = [cotangent_type(v.type) for v in graph.outputs]
    run = _pushed if forward else _pulled
    sweeps = []
    for k in range(sum(t.size for t in (types if forward else ends))):
        seeds = [xp.builder.constant(batch[k]) for batch in _basis(types if forward else ends)]
        sweeps.append(run(recorded, chosen, seeds)[1])
    return [[_block(xp, sweeps, forward, i, j, ends, types) for j in range(len(types))] for i in range(len(ends))]


def _block(xp: Any, sweeps: Any, forward: bool, i: int, j: int, ends: Any, types: Any) -> Array:
    """One block, from the columns (or rows) of all of them."""
    mine, other = (types, j) if forward else (ends, i)
    first = sum(t.size for t in mine[:other])
    chosen = [sweep[i if forward else j] for sweep in sweeps[first : first + mine[other].size]]
    shape = (*ends[i].shape, *types[j].shape)
    if not chosen:
        return xp.full(shape, 0, ends[i].dtype)
    lines = xp.concatenate([xp.reshape(x, (1, x.size)) for x in chosen], axis=0)
    return xp.reshape(xp.transpose(lines) if forward else lines, shape)


def _nest_blocks(graph: Graph, chosen: Selection, blocks: Any) -> Any:
    return _nested(graph, [chosen.nest(row) for row in blocks])


def hessian(f: Any, argnums: Argnums = 0, *, backend: str | None = None) -> Callable[..., Any]:
    """The matrix of second derivatives of a real scalar function: forward over reverse.

    Gives, nested as the arguments twice over, arrays of shape ``(*input.shape, *input.shape)``.
    """
    callee = Callee(f, backend)
    return jacobian(grad(f, argnums), argnums, mode="forward", backend=callee.backend)


def hvp(f: Any, argnums: Argnums = 0, *, backend: str | None = None) -> Callable[..., Any]:
    """The product of the Hessian with a vector, without the matrix: forward over reverse.

    Returns
    -------
    callable
        ``product(*args, v)``: the arguments of ``f`` and last the vector, nested as the chosen arguments.
    """
    callee = Callee(f, backend)

    @_wraps(f, "hvp")
    def product(*args: Any) -> Any:
        if len(args) < 2:
            message = "An hvp takes the arguments of the function and, last, the vector."
            raise TypeError(message)
        *primals, vector = args
        numbers = (argnums,) if isinstance(argnums, int) else argnums
        moving = [n % len(primals) for n in numbers]

        def gradient(*chosen: Any) -> Any:
            full = list(primals)
            for n, x in zip(moving, chosen, strict=True):
                full[n] = x
            return grad(f, argnums)(*full)

        vectors = (vector,) if isinstance(argnums, int) else tuple(vector)
        return jvp(gradient, tuple(primals[n] for n in moving), vectors, backend=callee.backend)[1]

    return product


def stop_gradient(x: Any) -> Any:
    """``x``, which every derivative takes as constant."""
    return x.xp.apply(_stop(), x) if isinstance(x, Array) else x


@functools.cache
def _stop() -> Any:
    from wengert.ir.ops import OPS

    return OPS["stop_gradient"]
