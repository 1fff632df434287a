"""``@trace``: a NumPy function that keeps a graph per signature."""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.backends.called import Called
from wengert.backends.direct import Entrances
from wengert.backends.program import Program, broken_guard, check_guards, is_leaf, results_of
from wengert.ir.errors import GuardError, TraceError
from wengert.ir.graph import Graph
from wengert.ir.ops.random import is_generator
from wengert.ir.passes import stabilise
from wengert.ir.structure import Structure, flatten, leaf_paths, unflatten
from wengert.ir.types import ArrayType, Spec, type_of
from wengert.tracer.array import Array, TraceNamespace
from wengert.tracer.context import Trace, current_trace, inner_trace
from wengert.tracer.entrances import Path, ends_of
from wengert.tracer.environment import Environment
from wengert.tracer.location import refuse
from wengert.tracer.memory import Buffer, View, look_into
from wengert.tracer.parameters import check_result, kept_signature, keywords, positional, signature_of, unhashable
from wengert.tracer.random import Entropy, begin, drawn_from, key_now, replaced, stream_of
from wengert.tracer.standins import in_place, stood_in_for
from wengert.tracer.variants import Bound, Variant, with_constants

__all__ = ["Traced", "record", "trace"]

#: How many branches of one signature are kept before giving up.
PATHS = 64
#: How many graphs are kept for other values of closed-over numbers and arrays.
STALE = 8


class Traced(Called):
    """A function that records a graph for each signature and runs that.

    Calling it inside another trace runs the function itself, into that trace; with ``call``, it becomes a call there.
    With ``stabilize``, its graphs go through :func:`wengert.ir.passes.stabilise`.
    """

    def __init__(
        self, function: Callable[..., Any], backend: str | None = None, *, stabilize: bool = False, call: bool = False
    ) -> None:
        functools.update_wrapper(self, function)
        self.__name__ = getattr(function, "__name__", None) or _name(function)
        self.function = function
        self.backend = backend
        self.stabilize, self.call = stabilize, call
        self.signature = signature_of(function)
        self._variants: dict[Any, list[Variant]] = {}  # by signature, the last used first
        self.kinds = tuple(int(p.kind) for p in self.signature.parameters.values())
        self._entrances = Entrances()

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """A method: bound to its instance, which is a static argument."""
        return self if instance is None else BoundMethod(self, instance)

    def _called(self, /, *args: Any, **kwargs: Any) -> Any:
        if current_trace() is not None:
            if self.stabilize or self.call:
                from wengert.tracer.stabilizing import run_within  # it stands above: it records and inlines

                return run_within(self, args, kwargs)
            return self.function(*args, **kwargs)
        bound = self.bind(args, kwargs)

        def run(program: Program, inputs: list[Any]) -> tuple[Any, Any]:
            values = program.run(inputs, self.backend)
            return values, values

        path = Path(bound, len(args), self.kinds, self.backend) if not kwargs else None
        graph, values = self.perform(bound, run, whole=True, path=path)
        if path is not None:
            path.open(self._entrances, (), lambda: ends_of(graph), lambda name: path.program.compiled(name))
        return results_of(graph, values)

    # -- arguments --------------------------------------------------------------------------------

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Bound:
        """Arguments taken apart; raises TypeError as the function's own call would."""
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        leaves: list[Any] = []
        structures: list[Structure] = []
        names: list[str] = []
        for name, value in bound.arguments.items():
            structure = flatten(value, is_leaf, leaves)
            structures.append(structure)
            names.extend(leaf_paths(structure, name))
        generators = {i: leaf for i, leaf in enumerate(leaves) if is_generator(leaf)}
        for i, rng in generators.items():
            leaves[i] = key_now(rng)
        for name, leaf in zip(names, leaves, strict=True):
            _check_leaf(name, leaf)
        return Bound(tuple(structures), leaves, names, generators)

    # -- variants -----------------------------------------------------------------------------------

    def perform(
        self, bound: Bound, action: Callable[[Program, list[Any]], tuple[Sequence[Any], Any]], *, whole: bool = False,
        path: Path | None = None,
    ) -> tuple[Graph, Any]:
        """Run ``action(program, inputs)``, which gives (values, result), on the path these arguments take.

        With ``whole``, the values are those of the program's outputs and of the keys that Generators are left with.
        """
        types = tuple(map(_leaf_type, bound.leaves))
        signature = (bound.structures, types, bound.shared)
        try:
            variants = self._variants.get(signature, [])
        except TypeError as error:
            raise unhashable(bound.statics) from error
        inputs = [np.ascontiguousarray(x, t.dtype).reshape(t.shape) for x, t in zip(bound.leaves, types, strict=True)]
        entropy = Entropy()
        variant: Any = None
        implicit: Any = None
        waiting, done = variants, None
        while waiting and done is None:
            variant, *waiting = waiting
            if not variant.applies(bound) or (implicit := variant.implicit(entropy)) is None:
                continue
            program = variant.whole if whole else variant.program
            done, broken = _attempt(program, [*inputs, *implicit], action)
            if broken is not None:
                waiting = variant.beside(broken, [v for v in waiting if v.applies(bound)])
        if done is None:
            kept = self._kept(variants, bound)
            variant = self._new_variant(bound, entropy)
            self._variants[signature] = [variant, *kept]
            implicit, program = variant.implicit(entropy) or [], variant.whole if whole else variant.program
            done = action(program, [*inputs, *implicit])
            check_guards(program.graph, done[0])
        elif variant is not variants[0]:  # a new list: other threads read the old one
            self._variants[signature] = [variant, *(v for v in variants if v is not variant)]
        if variant.drawn:
            n = len(variant.program.graph.outputs)
            values = done[0] if whole else variant.whole.run([*inputs, *implicit], self.backend)
            variant.advance(bound, values[n : n + len(variant.drawn)])
        if path is not None:
            path.variant = variant
        return variant.program.graph, done[1]

    def _kept(self, variants: list[Variant], bound: Bound) -> list[Variant]:
        """The variants to keep beside a new one; raises where they are too many branches of one function."""
        current = [v for v in variants if v.applies(bound)]
        if len(current) >= PATHS:
            message = (
                f"{self.__name__} has taken {PATHS} different branches for arguments of one type, each "
                "traced anew. Replace the Python branch on traced values by np.where, or bound a loop's count."
            )
            raise TraceError(message)
        # closed-over numbers and arrays come and go: of those that no longer apply, the latest
        return [v for i, v in enumerate(variants) if v in current or i < STALE]

    def _new_variant(self, bound: Bound, entropy: Entropy) -> Variant:
        environment = Environment(self.function, bound.statics)
        before = environment.values()
        trace = Trace(_name(self.function))
        trace.entropy = entropy
        with replaced(environment):
            graph, sources = record(self.function, self.signature, bound, bound.leaves, trace)
        environment.forget_changed_since(before)
        positions = {stream_of(rng): i for i, rng in reversed(bound.generators.items())}
        drawn = [positions.get(stream, environment.way(stream) or stream) for stream, _ in trace.drawn]
        keys = graph.evolve(outputs=(*graph.outputs, *(key for _, key in trace.drawn)), results=None)
        program = Program(self.finished(graph), self.backend)
        return Variant(
            program, [environment.way(source) or source for source in sources], environment,
            environment.values(), environment.watches(trace.captured, derived=trace.derived),
            drawn, Program(self.finished(keys), self.backend) if drawn else program, environment.met(bound.generators),
        )  # fmt: skip

    def finished(self, graph: Graph) -> Graph:
        """The graph as it is run and differentiated."""
        return stabilise(graph) if self.stabilize else graph

    # -- what users hold ------------------------------------------------------------------------------

    def graph(self, *args: Any, **kwargs: Any) -> Program:
        """The program for arguments like these, or for what :func:`wengert.spec` says of them; closed-over arrays
        become constants in it."""
        return self.graph_of(self.bind(args, kwargs))

    def graph_of(self, bound: Bound) -> Program:
        """The program for arguments that are already bound."""
        if any(isinstance(leaf, Spec) for leaf in bound.leaves):
            from wengert.tracer.symbolic import graph_for_specs

            return Program(graph_for_specs(self, bound), self.backend)
        return Program(self.recorded(bound), self.backend)

    def recorded(self, bound: Bound, trace: Trace | None = None) -> Graph:
        """The graph, closed-over arrays as constants."""
        with replaced(Environment(self.function, bound.statics)):
            graph, sources = record(self.function, self.signature, bound, bound.leaves, trace)
        return self.finished(with_constants(graph, sources))

    def on(self, backend: str) -> Traced:
        """The same function on another backend."""
        from wengert.backends import protocol

        protocol.get(backend)
        return Traced(self.function, backend, stabilize=self.stabilize, call=self.call)

    def _remade(self) -> Any:
        return functools.partial(Traced, stabilize=self.stabilize, call=self.call), (self.function, self.backend)

    def __repr__(self) -> str:
        return f"<traced {getattr(self.function, '__qualname__', self.__name__)}>"


class BoundMethod:
    """A traced method with its instance."""

    def __init__(self, traced: Traced, instance: Any) -> None:
        functools.update_wrapper(self, traced.function)
        self.traced, self.instance = traced, instance
        self.backend = traced.backend

    @property
    def function(self) -> Any:
        """The plain bound method."""
        return self.traced.function.__get__(self.instance)

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self.function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.traced(self.instance, *args, **kwargs)

    def __reduce__(self) -> Any:
        return getattr, (self.instance, self.function.__name__)

    def __repr__(self) -> str:
        return f"<traced {self.function!r}>"

    def graph(self, *args: Any, **kwargs: Any) -> Program:
        """The program for arguments like these, the instance's arrays as constants."""
        return Traced(self.function, self.backend, stabilize=self.traced.stabilize).graph(*args, **kwargs)


def trace(
    function: Callable[..., Any] | None = None, *, backend: str | None = None, stabilize: bool = False,
    call: bool = False,
) -> Any:
    """Trace a function written with plain NumPy.

    Parameters
    ----------
    function : callable
        Takes and returns arrays, numbers and nested tuples, lists, dicts, named tuples, dataclasses or attrs classes of
        them.  Strings, None, bools and other objects are static: part of the signature.
    backend : str, optional
        The backend it runs on, by default the one in force at each call.
    stabilize : bool
        Whether known forms that lose digits or overflow are rewritten, as by :func:`wengert.stabilize`.
    call : bool
        Whether it stays a call in the graphs of other traced functions, one sub-graph however often it is called: its
        results are then arrays of their own, and what it does beside returning them stays in it.

    Returns
    -------
    Traced
        Called like the function; ``.graph(*args)`` is its program for arguments like these.
    """
    if function is None:
        return functools.partial(trace, backend=backend, stabilize=stabilize, call=call)
    if isinstance(function, Traced):
        stabilize, call = stabilize or function.stabilize, call or function.call
        return Traced(function.function, backend or function.backend, stabilize=stabilize, call=call)
    special = (inspect.isasyncgenfunction, inspect.iscoroutinefunction, inspect.isgeneratorfunction)
    if not callable(function) or any(is_special(function) for is_special in special):  # type: ignore[redundant-expr]
        message = f"trace expects a plain function of arrays, got {function!r}."
        raise TypeError(message)
    return Traced(function, backend, stabilize=stabilize, call=call)


def record(
    function: Callable[..., Any],
    signature: inspect.Signature,
    bound: Bound,
    concrete: Sequence[Any],
    trace: Trace | None = None,
    is_result: Callable[[Any], bool] = is_leaf,
) -> tuple[Graph, list[Any]]:
    """Run a function on traced arguments; the graph, and the sources of its implicit inputs.

    ``concrete`` holds a value for each leaf: a number, an array, or a traced array of an enclosing trace.
    ``is_result`` says what of the results is an array.
    """
    trace = trace or inner_trace(_name(function))
    xp = TraceNamespace(trace)
    with trace.active(), in_place(function):
        arguments = []
        for leaf, path in zip(concrete, bound.names, strict=True):
            now = leaf if not isinstance(leaf, Array) else functools.partial(leaf.owner.evaluate, leaf.value)
            value = trace.argument(_leaf_type(leaf), path, now)
            arguments.append(array := Array(xp, value))
            look_into(array, View(Buffer(value, argument=True)))
        given: list[Any] = list(arguments)
        for i, rng in bound.generators.items():
            given[i] = begin(trace, rng, arguments[i])
        flat = iter(given)
        parameters = list(signature.parameters.values())
        values = [stood_in_for(unflatten(structure, flat)) for structure in bound.structures]
        result = _run(trace, function, positional(parameters, values), keywords(parameters, values))
        _check_unchanged(bound, parameters, values, given)
        leaves: list[Any] = []
        structure = flatten(result, is_result, leaves)
        check_result(function, structure)
        outputs = [xp.lift(leaf) for leaf in leaves]
        trace.drawn = drawn_from(trace)
        return trace.finish(outputs, results=structure, signature=kept_signature(parameters, bound.structures))


def _check_unchanged(bound: Bound, parameters: Sequence[Any], values: Sequence[Any], given: Sequence[Any]) -> None:
    """Containers and records are built anew for the function: what it changes in them, the caller would not see."""
    known, rest = {id(leaf) for leaf in given}, iter(given)
    for parameter, structure, value in zip(parameters, bound.structures, values, strict=True):
        kept, now = list(itertools.islice(rest, structure.leaf_count)), list[Any]()
        if structure.kind in ("leaf", "static"):
            continue
        changed = flatten(value, lambda x: id(x) in known or is_leaf(x), now) != structure
        if changed or any(x is not y for x, y in zip(kept, now, strict=True)):
            raise refuse(
                f"the function changes its argument {parameter.name} ({structure.name or structure.kind}) in place, "
                "and the caller's would stay as it is.",
                "Work on a copy, as dict(d), list(l) or dataclasses.replace(o) make one, and return what is new.",
            )


def _run(trace: Trace, function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]) -> Any:
    """Call the function; where NumPy hides our error behind one of its own, or the function passes over it, ours
    comes out."""
    try:
        result = stood_in_for(function)(*args, **kwargs)
    except Exception as error:
        if trace.refusals and not isinstance(error, TraceError):
            raise trace.refusals[0].with_traceback(error.__traceback__) from None
        raise
    if trace.refusals:
        raise trace.refusals[0]
    return result


def _name(function: Any) -> str:
    """A name for the graph; a partial is called as the function within."""
    while isinstance(function, functools.partial):
        function = function.func
    name = getattr(function, "__name__", type(function).__name__)
    return "function" if name == "<lambda>" else name


def _attempt(program: Program, inputs: list[Any], action: Any) -> tuple[tuple[Any, Any] | None, int | None]:
    """Run an action on a path that may be the wrong one; None where it is, and the first guard that says so."""
    if not program.graph.guards:
        return action(program, inputs), None
    try:
        done = action(program, inputs)
    except (GuardError, IndexError, ValueError):
        return None, None
    broken = broken_guard(program.graph, done[0])
    return (done if broken is None else None), broken


def _leaf_type(leaf: Any) -> ArrayType:
    return leaf.value.type if isinstance(leaf, Array) else type_of(leaf)


def _check_leaf(name: str, leaf: Any) -> None:
    if isinstance(leaf, np.ndarray) and type(leaf) not in (np.ndarray, np.memmap, Array):
        message = (
            f"Argument {name} is a {type(leaf).__name__}; only plain ndarrays are traced. Pass np.asarray({name}) "
            "if its special behaviour is not needed."
        )
        raise TraceError(message)
    try:
        _leaf_type(leaf)
    except TypeError as error:
        message = f"Argument {name}: {error}"
        raise TraceError(message) from error
