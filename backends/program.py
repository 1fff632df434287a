"""A program that can be called: a graph, bound to a backend."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.backends import protocol
from wengert.backends.called import Called
from wengert.backends.direct import (
    Entrances,
    Plan,
    gradient_run,
    loosely,
    nests_of,
    outputs_of,
    pushed_run,
    resulting,
    written,
)  # fmt: skip
from wengert.ir.build import Expr
from wengert.ir.errors import GuardError
from wengert.ir.graph import Graph
from wengert.ir.ops.random import is_generator
from wengert.ir.structure import describe, flatten, leaf_paths, unflatten
from wengert.ir.types import ArrayType, KnownSize, Spec, is_inexact, type_of

__all__ = ["Program", "as_input", "check_guards", "is_leaf", "load", "parse", "results_of", "source"]

#: Compiled forms kept per program: value, forward and reverse, per backend and choice of active inputs.
CACHE_SIZE = 64


def is_leaf(value: Any) -> bool:
    """Whether an argument is an array, number or random generator; bool, str and None are static."""
    if type(value) in (int, float, complex) or isinstance(value, (np.ndarray, np.generic, Expr, KnownSize, Spec)):
        return True
    return is_generator(value)


def as_input(value: Any, type_: ArrayType, name: str) -> Any:
    """The argument as the array that a graph's input wants; raises TypeError where it does not fit."""
    if is_generator(value):
        message = (
            f"Argument {name} is a Generator, which a graph would read and not advance, so that every call drew the "
            "same. Pass its state as it is now, wg.key(rng), or wg.key(seed)."
        )
        raise TypeError(message)
    try:
        given = type_of(value)
    except (TypeError, AttributeError) as error:
        message = f"Argument {name} is {value!r}; expected an array of type {type_}."
        raise TypeError(message) from error
    fits = given.shape == type_.shape and (
        given.dtype == type_.dtype
        or (given.weak and np.can_cast(given.dtype, type_.dtype, "same_kind"))
        or (type_.weak and np.can_cast(given.dtype, type_.dtype, "safe"))
    )
    if not fits:
        message = (
            f"Argument {name} has type {given}; the graph was made for {type_}. "
            "Convert the argument, or trace the function again for this type."
        )
        raise TypeError(message)
    array = np.ascontiguousarray(value, dtype=type_.dtype)
    return array.reshape(type_.shape)  # ascontiguousarray makes a vector of a 0-d array


def broken_guard(graph: Graph, values: Sequence[Any]) -> int | None:
    """The number of the first guard of the graph that does not hold."""
    outcomes = zip(graph.guards, values[len(graph.outputs) :], strict=True)
    return next((i for i, (guard, value) in enumerate(outcomes) if bool(value) is not guard.expected), None)


def check_guards(graph: Graph, values: Sequence[Any]) -> None:
    """Raise GuardError, naming the line, unless every guard of the graph holds."""
    if (i := broken_guard(graph, values)) is not None:
        guard = graph.guards[i]
        message = (
            f"This graph was traced where a condition was {guard.expected}, and now it is {not guard.expected}; "
            "the branch taken would be another. Trace the function again with these arguments."
        )
        raise GuardError(message, location=guard.location)


def as_result(array: Any, type_: ArrayType) -> Any:
    """What NumPy would hand back: a Python number where weak, a NumPy scalar for no axes, else the array."""
    if type_.weak:
        return array.item()
    return array[()] if not type_.shape else array


def results_of(graph: Graph, values: Sequence[Any]) -> Any:
    """Flat output values in the nesting that the function returned."""
    flat = [as_result(v, out.type) for v, out in zip(values, graph.outputs, strict=False)]
    return tuple(flat) if graph.results is None else unflatten(graph.results, iter(flat))


class Program(Called):
    """A graph that can be called, on a backend of choice.

    A call takes arguments nested as the traced function's were; ``out`` are arrays to write the results into, nested
    as the result, with None for what is to be made anew, and arguments may be among them (where the function has a
    parameter of that name, it is this one's).  It raises TypeError where arguments do not fit the graph's inputs, and
    GuardError where they lead to another branch than the one recorded.

    Parameters
    ----------
    graph : Graph
    backend : str, optional
        The backend's name; by default the one in force at each call (see :func:`wengert.backend`).
    """

    def __init__(
        self, graph: Graph, backend: str | None = None, _compiled: dict[Any, Any] | None = None,
        _shared: dict[str, Any] | None = None, _entrances: Entrances | None = None,
    ) -> None:
        self.graph, self.__name__ = graph, graph.name
        self._shared = {} if _shared is None and graph.sizes is not None else _shared  # by programs of other sizes
        self.backend = backend
        self._compiled: dict[Any, Any] = {} if _compiled is None else _compiled
        self._entrances = _entrances or Entrances()

    # -- running ----------------------------------------------------------------------------------

    def _called(self, /, *args: Any, **kwargs: Any) -> Any:
        if "out" in kwargs and self.takes_out():
            return written(self(*args, **{k: v for k, v in kwargs.items() if k != "out"}), kwargs["out"])
        leaves = self.leaves(args, kwargs)
        program = self.fitting(leaves)
        result = program.answer(leaves)
        if not kwargs and not any(isinstance(leaf, Expr) for leaf in leaves):
            self._open(program, leaves, len(args))
        return result

    def takes_out(self) -> bool:
        """Whether ``out`` is ours: no parameter is called so."""
        kinds = () if self.graph.signature is None else self.graph.signature.parameters
        return all(name != "out" and kind != inspect.Parameter.VAR_KEYWORD for name, kind in kinds)

    def _open(self, program: Program, leaves: Sequence[Any], given: int) -> None:
        """An entrance for calls like this one."""
        name = self.backend or protocol.current()
        key = (name, given, *(v.type for v in program.graph.inputs)) if program is not self else (name, given)
        if not self._entrances.wants(key):
            return
        graph = program.graph
        try:
            arguments, rest = program.nests(leaves, given)
        except LookupError:
            return
        inputs, run = tuple(v.type for v in graph.inputs), program.compiled(name)
        outputs, hands, structure = outputs_of(graph)
        plan = Plan(
            inputs, tuple(map(loosely, inputs)), outputs, hands, arguments, *resulting(structure), rest,
            backend=None if self.backend else name, writes=self.takes_out(),
        )  # fmt: skip
        self._entrances.add(key, plan, run, getattr(run, "direct", None))

    def nests(self, leaves: Sequence[Any], given: int) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        """How so many positional arguments are nested, and the leaves of the rest; LookupError for a record."""
        signature = self.graph.signature
        if signature is None:
            return (None,) * len(leaves), ()
        return nests_of([kind for _, kind in signature.parameters], signature.arguments, given, leaves)

    def answer(self, leaves: Sequence[Any]) -> Any:
        """The nested result for flat arguments."""
        traced = [leaf.xp for leaf in leaves if isinstance(leaf, Expr)]
        if traced:
            return self.called(max(traced, key=lambda xp: getattr(xp, "level", 0)), leaves)  # the innermost trace
        values = self.run(self.inputs(leaves))
        check_guards(self.graph, values)
        return results_of(self.graph, values)

    def leaves(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        """The flat arguments; raises TypeError where they are nested otherwise than the graph's."""
        signature = self.graph.signature
        if signature is None:
            if kwargs or len(args) != len(self.graph.inputs):
                count = len(self.graph.inputs)
                message = f"This graph takes {count} positional arguments, got {len(args)} and {sorted(kwargs)}."
                raise TypeError(message)
            return list(args)
        leaves: list[Any] = []
        bound = signature.bind(args, kwargs)
        for (name, _), expected, value in zip(signature.parameters, signature.arguments, bound, strict=True):
            found = flatten(value, is_leaf, leaves)
            if found != expected:
                message = (
                    f"Argument {name} is nested as {describe(found)}; the graph was made for {describe(expected)}."
                )
                raise TypeError(message)
        return leaves

    def at(self, **sizes: int) -> Program:
        """The ordinary program that a symbolic one is where its sizes are these; SizeError if it is none there."""
        from wengert.ir.symbolic.schema import instantiate

        key = ("sizes", self.backend, tuple(sorted(sizes.items())))
        return self.derived(key, lambda: Program(instantiate(self.graph, sizes), self.backend, _shared=self._shared))  # type: ignore[no-any-return]

    def fitting(self, leaves: Sequence[Any]) -> Program:
        """The program for flat arguments of these shapes: of a symbolic graph, the one at their sizes."""
        if self.graph.sizes is None:
            return self
        from wengert.ir.symbolic.schema import solve

        return self.at(**solve(self.graph, [np.shape(x) for x in leaves], self.names()))

    def names(self) -> list[str]:
        """A name for every input, for messages."""
        signature = self.graph.signature
        if signature is None:
            return [v.name or f"number {i}" for i, v in enumerate(self.graph.inputs)]
        pairs = zip(signature.parameters, signature.arguments, strict=True)
        return [path for (name, _), structure in pairs for path in leaf_paths(structure, name)]

    def inputs(self, leaves: Sequence[Any]) -> list[Any]:
        """The leaves as the arrays the backend wants."""
        types = [v.type for v in self.graph.inputs]
        return [as_input(x, t, n) for x, t, n in zip(leaves, types, self.names(), strict=True)]

    def called(self, xp: Any, leaves: Sequence[Any]) -> Any:
        """Within a trace: a call node, or the nodes themselves where guards must be the caller's."""
        types = zip(leaves, self.graph.inputs, strict=True)
        operands = [xp.builder.cast(xp.lift(x), v.type.dtype, weak=v.type.weak) for x, v in types]
        for operand, value, name in zip(operands, self.graph.inputs, self.names(), strict=True):
            if operand.type != value.type:
                message = f"Argument {name} has type {operand.type}; the graph was made for {value.type}."
                raise TypeError(message)
        if self.graph.guards:
            outputs = xp.builder.inline(self.graph, operands)
        else:
            from wengert.ir.ops import OPS

            bare = self.graph.evolve(signature=None, results=None)
            outputs = xp.builder.emit_all(OPS["call"], operands, graph=bare)
        flat = iter([xp.wrap(v) for v in outputs])
        return tuple(flat) if self.graph.results is None else unflatten(self.graph.results, flat)

    # -- compiled forms -----------------------------------------------------------------------------

    def _made(self, kind: str, active: tuple[int, ...], name: str | None, make: Callable[[Any], Any]) -> Any:
        name = name or self.backend or protocol.current()
        return self.derived((name, kind, active), lambda: self._shared_by(protocol.get(name), make))

    def _shared_by(self, backend: Any, make: Callable[[Any], Any]) -> Any:
        if self._shared is None or not hasattr(backend, "sharing"):
            return make(backend)
        with backend.sharing(self._shared):
            return make(backend)

    def derived(self, key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        """What is made of the graph once and used at every call: a derived program, a pattern and its colours."""
        if key not in self._compiled:
            made = make()
            if len(self._compiled) >= CACHE_SIZE:
                del self._compiled[next(iter(self._compiled))]
            self._compiled[key] = made
        return self._compiled[key]

    def run(self, inputs: Sequence[Any], backend: str | None = None) -> tuple[Any, ...]:
        """The guarded outputs for flat inputs that have exactly the right types."""
        if self.graph.sizes is not None:
            return self.fitting(inputs).run(inputs, backend)
        return self.compiled(backend)(inputs)  # type: ignore[no-any-return]

    def compiled(self, backend: str | None = None) -> Any:
        """What the backend makes of the graph (see :class:`wengert.backends.protocol.Backend`)."""
        return self._made("value", (), backend, lambda b: b.compile(self.graph))

    def forward(self, active: tuple[int, ...], backend: str | None = None) -> Any:
        """The backend's forward mode (see :class:`wengert.backends.protocol.Backend`)."""
        return self._made("forward", active, backend, lambda b: b.forward(self.graph, active))

    def reverse(self, active: tuple[int, ...], backend: str | None = None) -> Any:
        """The backend's reverse mode (see :class:`wengert.backends.protocol.Backend`)."""
        return self._made("reverse", active, backend, lambda b: b.reverse(self.graph, active))

    def gradient(self, active: tuple[int, ...], backend: str | None = None) -> Any:
        """Of a graph with one output, a real number: ``run(inputs)`` gives it, its gradient and the guards."""
        return self._made("gradient", active, backend, lambda b: gradient_run(b, self.graph, active))

    def pushed(self, active: tuple[int, ...], given: int, backend: str | None = None) -> Any:
        """Along one direction: ``run(inputs)``, with the tangents of the active ones after the first ``given``, gives
        the outputs, the tangents of those that are inexact, and the guards."""
        return self._made("pushed", (*active, given), backend, lambda b: pushed_run(b, self.graph, active, given))

    def batched(
        self, axes: tuple[int | None, ...], size: int, out_axes: tuple[int | None, ...] | None = None
    ) -> tuple[Program, tuple[int | None, ...]]:
        """The program of ``size`` lanes at once, and where they are in its outputs (see :mod:`wengert.ir.batching`)."""
        from wengert.ir.batching import batch

        def make() -> tuple[Program, tuple[int | None, ...]]:
            graph, found = batch(self.graph, axes, size, out_axes)
            return Program(graph, self.backend), found

        return self.derived(("lanes", axes, size, out_axes), make)

    def transformed(self, key: tuple[Any, ...], derive: Callable[[Graph], Graph], backend: str | None = None) -> Any:
        """The guarded outputs, for flat inputs, of a graph that is derived from this one; made once for a key."""
        return self._made("transformed", key, backend, lambda b: b.compile(derive(self.graph)))

    # -- everything else ----------------------------------------------------------------------------

    __signature__ = property(lambda self: self.graph.signature.inspected)  # without one, that of __call__

    def _remade(self) -> Any:
        return Program, (self.graph, self.backend)

    def on(self, backend: str) -> Program:
        """The same program on another backend; BackendError if there is none of that name here."""
        protocol.get(backend)
        return Program(self.graph, backend, self._compiled, self._shared, self._entrances.of(("on", backend)))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the graph to a file; see :func:`wengert.load`."""
        from wengert.ir.wire import save

        save(self.graph, path)

    def text(self) -> str:
        """The whole graph as text that :func:`wengert.parse` reads back; ``print`` shortens long constants."""
        from wengert.ir.text import dump

        return dump(self.graph)

    def __str__(self) -> str:
        return str(self.graph)

    def __repr__(self) -> str:
        nodes = len(self.graph.nodes)
        inputs, backend = len(self.graph.inputs), self.backend or "default"
        return f"<Program {self.graph.name}: {inputs} inputs, {nodes} nodes, on {backend}>"


def load(path: str | os.PathLike[str]) -> Program:
    """Read a graph that :meth:`Program.save` wrote; GraphFileError if it is not one."""
    from wengert.ir.wire import load as read

    return Program(read(path))


def parse(text: str) -> Program:
    """Read the text of a graph (:meth:`Program.text`); TextError, with the line, if it is not one."""
    from wengert.ir.text import parse as read

    return Program(read(text))


def source(program: Program | Graph, backend: str = "python", *, mode: str = "value", argnums: Any = None) -> str:
    """The text of a generated program.

    Parameters
    ----------
    program : Program or Graph
    backend : str
        A backend that generates source: ``python`` or ``c``.
    mode : {"value", "forward", "reverse"}
        Values alone; with tangents of the outputs; with cotangents of the inputs.
    argnums : tuple of int, optional
        The flat inputs to differentiate in, by default every floating-point one.

    Raises
    ------
    BackendError
        If the backend generates no source, or none for an op of this graph.
    """
    from wengert.ir import autodiff
    from wengert.ir.symbolic.schema import instantiate

    graph = program.graph if isinstance(program, Program) else program
    if not isinstance(graph, Graph):
        message = f"source takes a program (f.graph(*args), or wg.load(path)); got {program!r}."
        raise TypeError(message)
    derive = {"value": lambda g, _: g, "forward": autodiff.jvp, "reverse": autodiff.vjp}
    if mode not in derive:
        message = f"mode must be one of {', '.join(derive)}, got {mode!r}."
        raise ValueError(message)
    every = tuple(i for i, v in enumerate(graph.inputs) if is_inexact(v.type.dtype))
    chosen = every if argnums is None else (argnums,) if isinstance(argnums, int) else tuple(argnums)
    printer = protocol.get(backend)
    if graph.sizes is None:
        return printer.source(derive[mode](graph, chosen))
    sizes = graph.sizes
    if hasattr(printer, "source_of_sizes"):
        made = printer.source_of_sizes(lambda env: derive[mode](instantiate(graph, env), chosen), sizes)
        if made is not None:
            return str(made)
    listed = ", ".join(f"{name} = {n}" for name, n in sizes.witness)
    note = f"{'#' if backend == 'python' else '//'} For {listed}; the source of other sizes: program.at(...).\n"
    return note + printer.source(derive[mode](instantiate(graph, dict(sizes.witness)), chosen))
