"""Products of second-order matrices with a vector, without the matrices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from wengert.backends import protocol
from wengert.backends.program import Program
from wengert.ir import autodiff
from wengert.ir.errors import DerivativeError
from wengert.ir.graph import Graph
from wengert.ir.types import is_inexact
from wengert.tracer.array import Array
from wengert.tracer.callee import Call, Callee, Selection, matched
from wengert.tracer.dense import fits_whole
from wengert.tracer.derivatives import Argnums, check_scalar, grad, jvp, vjp
from wengert.tracer.entrances import Along, pushed_ends
from wengert.tracer.sparse_matrices import gradient_of, guarded
from wengert.tracer.sweeps import fitted, named, nest_outputs, paired, scalar_of, tangent_types

__all__ = ["fisher_product", "gauss_newton_product", "hvp"]


def hvp(f: Any, argnums: Argnums = 0, *, backend: str | None = None) -> Callable[..., Any]:
    """The product of the Hessian with a vector, without the matrix: forward over reverse.

    Returns
    -------
    callable
        ``product(*args, v)``: the arguments of ``f`` and last the vector, nested as the chosen arguments.
    """
    callee = Callee(f, backend)
    entrances = callee.entrances("hvp", argnums)

    @named(f, "hvp", entrances)
    def product(*args: Any) -> Any:
        primals, vector = _taken_apart("An hvp", args)
        call, chosen, vectors = _bound(callee, primals, argnums, vector)
        if call.within() is not None or any(isinstance(v, Array) for v in vectors):
            function, given, along = _of_chosen(lambda *xs: grad(f, argnums)(*xs), primals, argnums, vector)
            return jvp(function, given, along, backend=callee.backend)[1]
        types = tangent_types(call, chosen)
        tangents = [fitted(v, t, "vector", "the Hessian")[None] for v, t in zip(vectors, types, strict=True)]

        def action(program: Program, inputs: list[Any]) -> Any:
            check_scalar(callee, program.graph)
            gradient, given = gradient_of(program, chosen.active), len(call.bound.leaves)
            run = _pushed(gradient, chosen.active, given, callee.backend)
            found = run([*inputs[:given], *(t[0] for t in tangents), *inputs[given:]])
            stop = 2 * len(gradient.graph.outputs)
            return guarded(program.graph, gradient.graph, (*found[: stop // 2], *found[stop:])), found[stop // 2 : stop]

        path = call.path()
        result = chosen.nest([scalar_of(t) for t in call.perform(action, path)[1]])
        gradient = lambda: gradient_of(path.program, chosen.active)
        path.open(
            entrances, chosen.active,
            lambda: attrs.evolve(pushed_ends(gradient().graph, with_value=False), structure=chosen.structure),
            lambda name: _pushed(gradient(), chosen.active, len(call.bound.leaves), name),
            along=Along(chosen.structure, lambda arguments, vector: (*arguments, vector)),
        )  # fmt: skip
        return result

    return product


def _pushed(gradient: Program, active: tuple[int, ...], given: int, backend: str | None) -> Any:
    """:meth:`Program.pushed` of a gradient: of the graph of both, where that serves better than a mode."""
    name = backend or gradient.backend or protocol.current()
    if hasattr(protocol.get(name), "pushed") or not fits_whole(gradient, name):
        return gradient.pushed(active, given, backend)

    def derive(graph: Graph) -> Graph:
        both, n = autodiff.jvp(graph, active), len(graph.inputs)
        return both.evolve(inputs=(*both.inputs[:given], *both.inputs[n:], *both.inputs[given:n]))

    return gradient.transformed(("pushed", active, given), derive, backend)


def gauss_newton_product(
    f: Any, argnums: Argnums = 0, *, loss: Any = None, backend: str | None = None
) -> Callable[..., Any]:
    """The product of the Gauss-Newton matrix with a vector: J' H J v, J the Jacobian of ``f``, H the Hessian of
    ``loss`` at the result of ``f``.

    It is the Hessian of ``loss(f(x))`` without the second derivatives of ``f``, and positive semidefinite where the
    loss is convex.  One forward sweep, one product with H, and one reverse sweep.

    Parameters
    ----------
    f : callable, Program or Graph
        To residuals, or to what the loss is a function of (logits, means).
    loss : callable, Program or Graph, optional
        A real scalar function of the result of ``f``; by default half the sum of squares, of which H is 1.  Where it is
        the negative logarithm of a likelihood in its natural parameters, the matrix is the Fisher information.

    Returns
    -------
    callable
        ``product(*args, v)``, the vector nested as the chosen arguments, and so is the result.
    """
    callee = Callee(f, backend)
    curved = None if loss is None else hvp(loss, backend=backend)

    @named(f, "gauss_newton_product")
    def product(*args: Any) -> Any:
        primals, vector = _taken_apart("A Gauss-Newton product", args)
        call, chosen, vectors = _bound(callee, primals, argnums, vector)
        if call.within() is not None or any(isinstance(v, Array) for v in vectors):
            function, given, along = _of_chosen(callee.target, primals, argnums, vector)
            value, moved = jvp(function, given, along, backend=callee.backend)
            pulled = vjp(function, *given, backend=callee.backend)[1](moved if curved is None else curved(value, moved))
            return pulled[0] if isinstance(argnums, int) else pulled
        types = tangent_types(call, chosen)
        tangents = [fitted(v, t, "vector", "the product")[None] for v, t in zip(vectors, types, strict=True)]
        point: list[Any] = []

        def forward(program: Program, inputs: list[Any]) -> Any:
            _check_real(callee, program)
            point[:] = program, inputs
            return paired(program.forward(chosen.active, callee.backend)(inputs, tangents))

        graph, (values, moved) = call.perform(forward)
        if curved is not None:
            nested = (nest_outputs(graph, [scalar_of(x) for x in values[: len(graph.outputs)]]),
                      nest_outputs(graph, [scalar_of(t[0]) for t in moved]))  # fmt: skip
            from wengert.backends.program import is_leaf
            from wengert.ir.structure import flatten

            leaves: list[Any] = []
            flatten(curved(*nested), is_leaf, leaves)
            types = [v.type for v in graph.outputs]
            moved = [fitted(g, t, "cotangent", "the result")[None] for g, t in zip(leaves, types, strict=True)]
        program, inputs = point
        _, pulled = program.reverse(chosen.active, callee.backend)(inputs, moved)
        return chosen.nest([scalar_of(g[0]) for g in pulled])

    return product


def fisher_product(f: Any, argnums: Argnums = 0, *, backend: str | None = None) -> Callable[..., Any]:
    """The product of the empirical Fisher information with a vector.

    ``f`` gives the logarithm of the likelihood of each observation; the matrix is the sum of the outer products of
    their gradients (scores).  For the expected one, see :func:`gauss_newton_product` with a loss.
    """
    return gauss_newton_product(f, argnums, backend=backend)


def _taken_apart(what: str, args: tuple[Any, ...]) -> tuple[tuple[Any, ...], Any]:
    if len(args) < 2:
        message = f"{what} takes the arguments of the function and, last, the vector."
        raise TypeError(message)
    return args[:-1], args[-1]


def _bound(callee: Callee, primals: Any, argnums: Argnums, vector: Any) -> tuple[Call, Selection, list[Any]]:
    """The call, the chosen arguments, and the leaves of the vector."""
    call = callee.call(primals, {})
    chosen = call.select(argnums)
    vectors = (vector,) if chosen.single else tuple(vector)
    pairs = zip(chosen.structures, vectors, strict=True)
    return call, chosen, [v for s, given in pairs for v in matched(s, given, "vector", "argument")]


def _of_chosen(f: Any, primals: Any, argnums: Argnums, vector: Any) -> tuple[Any, tuple[Any, ...], tuple[Any, ...]]:
    """A function of the chosen arguments alone, these, and the vector as a tuple of as many."""
    numbers = (argnums,) if isinstance(argnums, int) else argnums
    moving = [n % len(primals) for n in numbers]

    def function(*chosen: Any) -> Any:
        full = list(primals)
        for n, x in zip(moving, chosen, strict=True):
            full[n] = x
        return f(*full)

    return function, tuple(primals[n] for n in moving), (vector,) if isinstance(argnums, int) else tuple(vector)


def _check_real(callee: Callee, program: Program) -> None:
    for v in program.graph.outputs:
        if not is_inexact(v.type.dtype) or v.type.dtype.kind == "c":
            message = f"{callee.name} returns an array of type {v.type}; a Gauss-Newton product needs real results."
            raise DerivativeError(message)
