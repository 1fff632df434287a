"""A trace under way: its builder, the concrete values at hand, and what it captured from outside."""

from __future__ import annotations

import contextlib
import contextvars
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from attrs import define

from wengert.backends import protocol
from wengert.ir.build import Builder
from wengert.ir.errors import TraceError
from wengert.ir.graph import Constant, Graph, Node, Value
from wengert.ir.passes.rewriting import substitute
from wengert.ir.types import ArrayType, type_of
from wengert.tracer.location import described, here, refusals

__all__ = ["Capture", "Trace", "current_trace", "inner_trace", "under_way"]

_level = itertools.count()
#: The innermost trace; see :func:`current_trace`.
under_way: contextvars.ContextVar[Trace | None] = contextvars.ContextVar("wengert_trace", default=None)


def inner_trace(name: str) -> Trace:
    """A trace within the one under way, of its kind."""
    outer = under_way.get()
    return Trace(name) if outer is None else outer.inner(name)


def current_trace() -> Trace | None:
    """The innermost trace under way in this thread or task."""
    return under_way.get()


@define(eq=False)
class Capture:
    """An array from outside the traced function: the object, its bytes when used, and the input it became."""

    source: Any
    snapshot: bytes
    value: Value


class Trace:
    """One run of a function on traced arrays."""

    symbolic = False  # whether this is one of several traces, at several sizes
    keeps_values = False  # whether arrays made of sizes are traced, too

    def __init__(self, name: str) -> None:
        self.builder = Builder(name)
        self.level = next(_level)
        self.name = name
        self.finished = False
        self.refusals: list[TraceError] = []
        self.concrete: dict[Value, Any] = {}
        self.deferred: dict[Value, Callable[[], Any]] = {}
        self.captures: dict[int, Capture] = {}
        self.outer: dict[Any, tuple[Any, Value]] = {}  # by the value, or random stream, outside
        self.maker: dict[Value, int] = {}
        self.indexed = 0
        self.captured: list[Any] = []
        self.derived = False
        self.enclosing: Trace | None = None
        self.streams: dict[Any, Any] = {}  # random generators, and where they are (wengert.tracer.random)
        self.bits: dict[int, Any] = {}
        self.entropy: Any = None
        self.fresh = 0
        self.drawn: list[tuple[Any, Value]] = []

    @contextlib.contextmanager
    def active(self) -> Iterator[Trace]:
        """Within this context, this is the trace under way; afterwards it is finished."""
        self.enclosing = under_way.get()
        token, kept = under_way.set(self), refusals.set(self.refusals)
        try:
            yield self
        finally:
            under_way.reset(token)
            refusals.reset(kept)
            self.finished = True

    def locate(self) -> None:
        """Remember the user's line for the nodes that follow."""
        self.builder.location = here()

    def admit(self, size: int) -> None:
        """Raise a MemoryError where an array of so many elements is more than this trace is meant to make."""

    def inner(self, name: str) -> Trace:
        """A trace of a function that is called in this one."""
        return Trace(name)

    def shown(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of an array of this trace, as who asks for it sees it."""
        return shape

    # -- what comes in ------------------------------------------------------------------------

    def argument(self, type_: ArrayType, name: str | None, concrete: Any) -> Value:
        """A new input with the value it has now (or a function that gives it)."""
        value = self.builder.input(type_, name)
        if callable(concrete):
            self.deferred[value] = concrete
        else:
            self.concrete[value] = np.asarray(concrete, type_.dtype)
        return value

    def capture(self, array: Any) -> Value:
        """An array from outside: an input if it stays as it is until the trace ends, else a constant."""
        snapshot = array.tobytes()
        known = self.captures.get(id(array))
        if known is not None and known.snapshot == snapshot and known.value.type.shape == array.shape:
            return known.value
        if known is not None:  # it changed while tracing: a constant, as it is at each use
            return self.builder.constant(array)
        value = Value(type_of(array), None)
        self.captures[id(array)] = Capture(array, snapshot, value)
        self.concrete[value] = np.array(array, dtype=value.type.dtype)
        return value

    def from_outer(self, array: Any) -> Value:
        """A traced array of an enclosing trace: an input of this one."""
        found = self.outer.get(array.value)
        if found is None:
            value = Value(array.value.type, None)
            self.deferred[value] = lambda owner=array.owner, outer=array.value: owner.evaluate(outer)
            found = self.outer[array.value] = (array, value)
        return found[1]

    # -- values at hand -----------------------------------------------------------------------

    def evaluate(self, value: Value) -> Any:
        """The concrete value of a traced one: runs the part of the program it needs, once."""
        if isinstance(value, Constant):
            return value.array
        if value in self.concrete:
            return self.concrete[value]
        if value in self.deferred:
            self.concrete[value] = self.deferred.pop(value)()
            return self.concrete[value]
        nodes, frontier = self._prefix(value)
        produced = [r for node in nodes for r in node.results]
        graph = Graph(tuple(frontier), tuple(nodes), tuple(produced))
        results = protocol.get("numpy").compile(graph)(list(frontier.values()))
        self.concrete.update(zip(produced, results, strict=True))
        return self.concrete[value]

    def _prefix(self, value: Value) -> tuple[list[Node], dict[Value, Any]]:
        """The nodes that a value still needs, in order, and the known values they read."""
        nodes = self.builder.nodes
        while self.indexed < len(nodes):
            self.maker.update(dict.fromkeys(nodes[self.indexed].results, self.indexed))
            self.indexed += 1
        frontier: dict[Value, Any] = {}
        needed: set[int] = set()
        stack = [value]
        while stack:
            found = stack.pop()
            if found in self.concrete or found in self.deferred:
                frontier[found] = self.evaluate(found)
            elif not isinstance(found, Constant) and (i := self.maker[found]) not in needed:
                needed.add(i)
                stack.extend(nodes[i].operands)
        return [nodes[i] for i in sorted(needed)], frontier

    # -- the end ------------------------------------------------------------------------------

    def finish(self, outputs: Sequence[Value], **fields: Any) -> tuple[Graph, list[Any]]:
        """The graph, and what to give its implicit inputs: captured arrays and outer traced arrays."""
        import sys

        frozen: dict[Value, Value] = {}
        implicit: list[tuple[Value, Any]] = []
        for key in list(self.captures):
            capture = self.captures.pop(key)
            self.captured.append(capture.source)
            # held by the capture alone (and this call's argument): nobody can ever change it
            local = sys.getrefcount(capture.source) <= 3 and capture.source.base is None
            if local or capture.source.tobytes() != capture.snapshot:
                self.derived = True
                kept = np.frombuffer(capture.snapshot, capture.source.dtype).reshape(capture.source.shape)
                frozen[capture.value] = self.builder.constant(kept)
            else:
                implicit.append((capture.value, capture.source))
        self.concrete.clear()
        self.deferred.clear()
        implicit += [(value, array) for array, value in self.outer.values()]
        keys = [key for _, key in self.drawn]
        graph = self.builder.graph([*outputs, *keys], **fields)
        if frozen:
            graph = substitute(graph, frozen)
        used = set(graph.used_values())
        for constant in self.builder.beyond():
            if constant not in used:
                continue
            message = (
                f"Python integer {constant.array} is beyond int64, and meets no array or float that could hold it. "
                "Write it as a float, or as np.uint64(...)."
            )
            raise OverflowError(message)
        implicit = [(value, source) for value, source in implicit if value in used]
        inputs = (*graph.inputs, *(value for value, _ in implicit))
        graph = graph.evolve(inputs=inputs, outputs=graph.outputs[: len(outputs)])
        return graph, [source for _, source in implicit]


def leaked(array: Any) -> TraceError:
    """The error for a traced array used after its trace ended."""
    return TraceError(
        f"A traced array of type {array.value.type} is used at {described()}, but the trace of "
        f"{array.owner.name!r} that made it has finished. Return the array from the traced function instead of "
        "keeping it in a global, a closure or an attribute."
    )
