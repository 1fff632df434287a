"""Derivatives of functions and graphs: what users call.

On plain arguments each runs the backend's own forward or reverse mode.  Within a trace (another derivative,
or a traced function) the same call becomes nodes, made by ``wengert.ir.autodiff``; so derivatives nest to any
order, and modes mix.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.backends.direct import written
from wengert.backends.program import Program, results_of
from wengert.ir.errors import DerivativeError
from wengert.ir.graph import Graph
from wengert.ir.ops import OPS
from wengert.ir.structure import Structure
from wengert.ir.types import ArrayType, is_inexact, is_stack
from wengert.tracer.array import Array, namespace_of
from wengert.tracer.callee import Callee, Recorded, Selection, matched
from wengert.tracer.entrances import Along, gradient_ends, pushed_ends
from wengert.tracer.sweeps import (
    fitted,
    lifted,
    named,
    nest_outputs,
    output_cotangents,
    output_types,
    paired,
    placed,
    pull_within,
    push_within,
    scalar_of,
    tangent_types,
    within,
    wrap_outputs,
)

__all__ = ["Argnums", "check_scalar", "grad", "jvp", "linearize", "stop_gradient", "value_and_grad", "vjp"]

Argnums = int | tuple[int, ...]


def grad(f: Any, argnums: Argnums = 0, *, backend: str | None = None) -> Callable[..., Any]:
    """The gradient of a real scalar function, of real or complex arguments.

    For a complex argument z = x + iy it is du/dx - i du/dy: a step against its conjugate goes downhill.

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
    return _gradient(f, argnums, backend, with_value=False)


def value_and_grad(f: Any, argnums: Argnums = 0, *, backend: str | None = None) -> Callable[..., Any]:
    """The value of a real scalar function and its gradient, in one sweep; see :func:`grad`."""
    return _gradient(f, argnums, backend, with_value=True)


def _gradient(f: Any, argnums: Argnums, backend: str | None, *, with_value: bool) -> Callable[..., Any]:
    callee = Callee(f, backend)
    entrances = callee.entrances("value_and_grad" if with_value else "grad", argnums)

    @named(f, "value_and_grad" if with_value else "grad", entrances)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        if "out" in kwargs and callee.takes_out():
            return written(gradient(*args, **{k: v for k, v in kwargs.items() if k != "out"}), kwargs["out"])
        call = callee.call(args, kwargs)
        chosen = call.select(argnums)
        if (recorded := call.within()) is not None:
            check_scalar(callee, recorded.graph)
            one = recorded.xp.builder.constant(recorded.graph.outputs[0].type.dtype.type(1))
            values, cotangents = pull_within(recorded, chosen, [one])
            slopes = chosen.nest(cotangents)
            return (wrap_outputs(recorded, values), slopes) if with_value else slopes

        def action(program: Program, inputs: list[Any]) -> Any:
            check_scalar(callee, program.graph)
            value, *rest = program.gradient(chosen.active, callee.backend)(inputs)
            n = len(chosen.active)
            return paired(((value, *rest[n:]), rest[:n]))

        path = call.path()
        graph, (values, cotangents) = call.perform(action, path)
        if not kwargs:
            path.open(
                entrances, chosen.active,
                lambda: gradient_ends(path.program.graph, chosen.active, chosen.structure, with_value=with_value),
                lambda name: path.program.gradient(chosen.active, name), writes=callee.takes_out(),
            )  # fmt: skip
        slopes = chosen.nest([scalar_of(g) for g in cotangents])
        return (results_of(graph, values), slopes) if with_value else slopes

    return gradient


def check_scalar(callee: Callee, graph: Graph) -> None:
    """Raise unless a graph returns one real number."""
    types = [v.type for v in graph.outputs]
    if len(types) != 1 or types[0].shape != () or types[0].dtype.kind != "f":
        if len(types) == 1 and types[0].dtype.kind == "c":
            raise DerivativeError(_complex_result(callee, types[0]))
        found = ", ".join(map(str, types)) or "nothing"
        message = (
            f"grad takes a function that returns one real number, of shape (); {callee.name} returns {found}. "
            "For an array result use wg.jacobian or wg.vjp; for a sum of its elements, sum them first."
        )
        raise DerivativeError(message)


def _complex_result(callee: Callee, type_: ArrayType) -> str:
    return (
        f"grad takes a function that returns one real number, of shape (); {callee.name} returns {type_}, a complex "
        "result. Take np.real(...), np.imag(...) or np.abs(...) of it, or one grad of each part. For a holomorphic "
        "function use wg.jacobian(f, holomorphic=True); for the derivative along a direction or of a pairing, wg.jvp "
        "or wg.vjp."
    )


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
    entrances = callee.entrances("jvp")
    if (result := entrances.first(primals, tangents)) is not NotImplemented:
        return result  # type: ignore[no-any-return]
    nested = all(isinstance(x, (tuple, list)) for x in (primals, tangents))
    if not nested or len(primals) != len(tangents):
        message = "jvp takes a tuple of primals and a tuple of as many tangents."
        raise TypeError(message)
    call = callee.call(tuple(primals), {})
    chosen = call.select(None, strict=False, tangents=tangents)
    names = [call.bound.names[i] for i in chosen.active]
    pairs = zip(chosen.structures, tangents, strict=True)
    flat = [t for s, value in pairs for t in matched(s, value, "tangent", "primal")]
    types = tangent_types(call, chosen)
    if (recorded := within(call, flat)) is not None:
        values, moved = push_within(recorded, chosen, lifted(recorded, flat, types, "tangent"))
        return wrap_outputs(recorded, values), nest_outputs(recorded.graph, moved)
    arrays = [fitted(t, type_, "tangent", n)[None] for t, type_, n in zip(flat, types, names, strict=True)]
    path = call.path()
    graph, (values, moved) = call.perform(
        lambda program, inputs: paired(_forward(program, chosen.active, callee.backend, inputs, arrays)), path)
    if chosen.active:
        path.open(
            entrances, chosen.active, lambda: pushed_ends(path.program.graph, with_value=True),
            lambda name: path.program.pushed(chosen.active, len(call.bound.leaves), name),
            along=Along(Structure("tuple", chosen.structures), lambda *both: ((tuple, both[0]), both[1])),
        )  # fmt: skip
    return results_of(graph, values), nest_outputs(graph, [None if t is None else scalar_of(t[0]) for t in moved])


def _forward(
    program: Program, active: tuple[int, ...], backend: str | None, inputs: list[Any], tangents: list[Any]
) -> Any:
    """The backend's forward mode; without an active input, zeros."""
    if active:
        return program.forward(active, backend)(inputs, tangents)
    values = program.run(inputs, backend)
    types = [v.type for v in program.graph.outputs]
    zeros = [np.zeros((1, *t.shape), t.dtype) if is_inexact(t.dtype) else None for t in types]
    return values, zeros


def linearize(f: Any, *primals: Any, backend: str | None = None) -> tuple[Any, Callable[..., Any]]:
    """The value of ``f``, and its derivative as a linear function of tangents, ready to be applied many times.

    What does not depend on the tangents is computed once.  Where a while loop is among it, whose steps are counted as
    it runs, both are run on ``numpy``.
    """
    callee = Callee(f, backend)
    call = callee.call(primals, {})
    chosen = call.select(None, strict=False)
    types = tangent_types(call, chosen)
    if call.within() is not None:
        value = jvp(f, primals, _zeros_like(chosen, types))[0]
        return value, lambda *tangents: jvp(f, primals, tangents)[1]

    def action(program: Program, inputs: list[Any]) -> Any:
        from wengert.ir import autodiff

        parts = autodiff.linearize(program.graph, chosen.active)
        ours = "numpy" if any(is_stack(v.type) for v in parts.primal.outputs) else callee.backend
        values = Program(parts.primal, ours).run(inputs)
        n, g = len(program.graph.outputs), len(program.graph.guards)
        guards = values[len(values) - g :] if g else ()
        return (*values[:n], *guards), (values, Program(parts.linear, ours), len(values) - g)

    graph, (values, linear, stop) = call.perform(action)
    residuals = list(values[len(graph.outputs) : stop])

    def apply(*tangents: Any) -> Any:
        if len(tangents) != len(chosen.structures):
            message = f"The linear function takes {len(chosen.structures)} tangents, got {len(tangents)}."
            raise TypeError(message)
        flat = [t for s, v in zip(chosen.structures, tangents, strict=True) for t in matched(s, v, "tangent", "primal")]
        if any(isinstance(t, Array) for t in flat):  # only the tangents are traced
            if any(is_stack(v.type) for v in linear.graph.inputs):
                return jvp(f, primals, tangents)[1]
            known = placed(namespace_of(*flat), linear.graph, residuals)
            seeds = lifted(known, flat, types, "tangent")
            inlined = iter(known.xp.builder.inline(linear.graph, [*known.operands, *seeds]))
            traced = [known.xp.wrap(next(inlined)) if is_inexact(v.type.dtype) else None for v in graph.outputs]
            return nest_outputs(graph, traced)
        arrays = [fitted(t, type_, "tangent", "a primal") for t, type_ in zip(flat, types, strict=True)]
        moved = iter(linear.run([*residuals, *arrays]))
        ends = [scalar_of(next(moved)) if is_inexact(v.type.dtype) else None for v in graph.outputs]
        return nest_outputs(graph, ends)

    return results_of(graph, values), apply


def _zeros_like(chosen: Selection, types: Sequence[ArrayType]) -> Any:
    nested = chosen.nest([np.zeros(t.shape, t.dtype)[()] for t in types])
    return (nested,) if chosen.single else nested


def vjp(f: Any, *primals: Any, backend: str | None = None) -> Any:
    """The value of ``f`` and its pullback (reverse mode).

    Returns
    -------
    (value, pullback)
        ``pullback(cotangent)``, the cotangent nested and shaped as the value, gives a tuple with one cotangent per
        positional argument, None for what is not floating-point.  A cotangent g of a complex number is paired with a
        tangent t by Re(g t), without a conjugate.  For a graph and no primals, the graph of both:
        inputs, then cotangents, to outputs, then the inputs' cotangents.
    """
    if not primals and isinstance(f, (Graph, Program)):
        graph = f if isinstance(f, Graph) else f.graph
        if graph.inputs:
            from wengert.ir import autodiff
            from wengert.tracer.symbolic import lifted as at_any_size

            active = tuple(i for i, v in enumerate(graph.inputs) if is_inexact(v.type.dtype))
            return Program(at_any_size(lambda g: autodiff.vjp(g, active), graph), backend)
    callee = Callee(f, backend)
    call = callee.call(primals, {})
    chosen = call.select(None, strict=False)
    if (recorded := call.within()) is not None:
        outputs = recorded.xp.builder.inline(recorded.graph, recorded.operands)

        return wrap_outputs(recorded, list(outputs)), lambda cotangent: _traced_pullback(recorded, chosen, cotangent)
    point: list[Any] = []

    def action(program: Program, inputs: list[Any]) -> Any:
        point[:] = [x.copy() for x in inputs]  # the pullback may be called after the caller's arrays have changed
        return paired(program.reverse(chosen.active, callee.backend)(list(point)))

    graph, (values, pull) = call.perform(action)

    def pullback(cotangent: Any) -> Any:
        types, given = output_types(graph), output_cotangents(graph, cotangent)
        if any(isinstance(g, Array) for g in given):  # only the cotangent is traced
            return _traced_pullback(placed(namespace_of(*given), graph, point), chosen, cotangent)
        arrays = iter([fitted(g, t, "cotangent", "the result")[None] for g, t in zip(given, types, strict=True)])
        every = [next(arrays) if is_inexact(v.type.dtype) else None for v in graph.outputs]
        return chosen.nest([scalar_of(g[0]) for g in pull(every)])

    return results_of(graph, values), pullback


def _traced_pullback(recorded: Recorded, chosen: Selection, cotangent: Any) -> Any:
    given = output_cotangents(recorded.graph, cotangent)
    seeds = lifted(recorded, given, output_types(recorded.graph), "cotangent")
    return chosen.nest(pull_within(recorded, chosen, seeds)[1])


def stop_gradient(x: Any) -> Any:
    """``x``, which every derivative takes as constant."""
    return x.xp.apply(OPS["stop_gradient"], x) if isinstance(x, Array) else x
