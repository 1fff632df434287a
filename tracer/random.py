"""Random generators while tracing: a Generator looks as it did, and its draws become nodes.

A *stream* stands for one Generator.  Within a trace it has a key (:mod:`wengert.ir.ops.random`), which each draw takes
and gives on; elsewhere it is the Generator itself.  Where the first key comes from decides what a later call does:

- a Generator that is an argument, closed over, global or an attribute: an input, read at each call, and after the
  call the Generator is where NumPy would have left it;
- ``default_rng(seed)`` within the function: a constant, or computed from a traced seed;
- ``default_rng()`` within the function: an input that is drawn anew from the operating system at each call.

What holds a Generator from outside (a closure, a module, an attribute, a list) holds its stream while a trace is under
way.  One that cannot be replaced there (in a tuple) and was drawn from all the same is noticed by its state: refused.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import threading
import types
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from attrs import define

from wengert.ir.graph import Graph, Value
from wengert.ir.ops.random import KINDS, is_generator, key_of, state_of
from wengert.ir.passes import dead_code
from wengert.ir.types import type_of
from wengert.tracer.array import Array, TraceNamespace, is_traced
from wengert.tracer.context import Trace, current_trace
from wengert.tracer.location import refuse

__all__ = [
    "Entropy", "Fresh", "Stream", "advance", "begin", "carry_on", "current_key", "drawn_from", "emit", "from_outside",
    "key", "key_now", "replaced", "stood_in", "stream_of",
]  # fmt: skip

_INSTEAD = "Use rng = np.random.default_rng(seed), or take a Generator as an argument, and rng.normal() and the like."
_known: weakref.WeakValueDictionary[int, Stream] = weakref.WeakValueDictionary()


class Stream:
    # A Generator as traced functions see it (no docstring: it is the Generator's).

    __slots__ = ("__weakref__", "real")

    def __init__(self, real: Any) -> None:
        self.real = real

    @property  # type: ignore[misc]
    def __class__(self) -> Any:  # type: ignore[override]
        return np.random.Generator

    def __getattr__(self, name: str) -> Any:
        if current_trace() is None:
            return getattr(self.real, name)
        from wengert.tracer.numpy_api.random import METHODS

        if name in METHODS:
            return functools.partial(METHODS[name], self)
        if name.startswith("_") or not hasattr(np.random.Generator, name):
            message = f"'Generator' object has no attribute {name!r}"
            raise AttributeError(message)
        from wengert.tracer.numpy_api.refused import reason_of

        why, instead = reason_of(f"random.Generator.{name}") or ("it is not known.", "Use another method.")
        raise refuse(f"rng.{name} cannot be traced: {why}", instead)

    def __repr__(self) -> str:
        return repr(self.real)

    def __reduce__(self) -> Any:
        return _itself, (self.real,)

    def __deepcopy__(self, memo: Any = None) -> Any:
        if current_trace() is None:
            return copy.deepcopy(self.real)
        raise refuse("a Generator is copied.", "Pass a second Generator as an argument.")

    __copy__ = __deepcopy__


def _itself(real: Any) -> Any:
    return real


@define(eq=False)
class Drawn:
    """Where a stream is in one trace: the input that it began with (None where it was made there), and its key now."""

    start: Value | None
    key: Array


class Entropy:
    """Keys from the operating system for one call: the same ones on every path that is tried."""

    def __init__(self) -> None:
        self.keys: list[Any] = []

    def at(self, place: int) -> Any:
        """The key of the Generator that is made ``place``-th without a seed."""
        while len(self.keys) <= place:
            self.keys.append(key_of(np.random.default_rng()))
        return self.keys[place]


@define(eq=False)
class Fresh:
    """The source of an implicit input that is another key at each call."""

    place: int
    now: Any


def stream_of(rng: Any) -> Stream:
    """The stream that stands for a Generator: the same one every time."""
    if type(rng) is Stream:
        return rng
    found = _known.get(id(rng))
    if found is None:
        found = _known[id(rng)] = Stream(rng)
    return found


# -- keys -----------------------------------------------------------------------------------------


def key(source: Any) -> Any:
    """The state of a random generator as a vector of uint64: what a graph takes in place of the Generator.

    Parameters
    ----------
    source : numpy.random.Generator, int, or whatever ``np.random.default_rng`` takes
        A Generator is read, not advanced.  The same key replays the same numbers; another draws others.
    """
    if current_trace() is not None:
        return key_now(default_rng(source)) + np.uint64(0)
    return key_of(np.random.default_rng(source))


def key_now(rng: Any) -> Any:
    """The key of a Generator: traced, within a trace."""
    trace = current_trace()
    return current_key(rng) if trace is None else key_within(trace, rng).key


def current_key(rng: Any) -> Any:
    """The key of a Generator, outside of traces."""
    try:
        return key_of(rng)
    except TypeError as error:
        raise refuse(str(error), "") from error


def key_within(trace: Trace, rng: Any) -> Drawn:
    """Where a stream is in a trace; an implicit input where it comes from outside."""
    stream = stream_of(rng)
    if stream not in trace.streams:
        if trace.enclosing is not None:
            outer = key_within(trace.enclosing, stream).key
            value = Value(outer.value.type, None)
            now: Callable[[], Any] = functools.partial(outer.owner.evaluate, outer.value)
        elif stream.real is None:
            raise refuse("a Generator is used after the trace that made it.", "Return what it draws instead.")
        else:
            first = current_key(stream.real)
            value, now = Value(type_of(first), None), lambda: first
        trace.deferred[value] = now
        trace.outer[stream] = (stream, value)
        begin(trace, stream, Array(TraceNamespace(trace), value))
    return trace.streams[stream]


def begin(trace: Trace, rng: Any, key: Array) -> Stream:
    """Let a Generator be a stream whose key is an input of the trace; the same twice is one stream."""
    stream = stream_of(rng)
    trace.streams.setdefault(stream, Drawn(key.value, key))
    return stream


def drawn_from(trace: Trace) -> list[tuple[Stream, Value]]:
    """The streams from outside that were drawn from, and the keys they are left with."""
    pairs = [(s, d) for s, d in trace.streams.items() if d.start is not None and d.key.value is not d.start]
    return [(stream, drawn.key.value) for stream, drawn in pairs]


def from_outside(trace: Trace, source: Any) -> Any:
    """What a trace gives for the implicit input of one within it."""
    if type(source) is Stream:
        return key_within(trace, source).key
    return _fresh(trace, source) if isinstance(source, Fresh) else source


def carry_on(xp: TraceNamespace, graph: Graph, operands: list[Value], drawn: list[tuple[Stream, Value]]) -> None:
    """Let the streams of a trace go on from where a graph within it leaves them."""
    if drawn:
        bare = dead_code(graph.evolve(outputs=tuple(key for _, key in drawn), guards=(), signature=None, results=None))
        keys = xp.builder.inline(bare, operands)
        for (stream, _), key in zip(drawn, keys, strict=True):
            key_within(xp.trace, stream).key = xp.wrap(key)


def _fresh(trace: Trace, fresh: Fresh) -> Array:
    """An implicit input that is another key at each call."""
    if fresh not in trace.outer:
        value = Value(type_of(fresh.now), None)
        trace.deferred[value] = lambda: fresh.now
        trace.outer[fresh] = (fresh, value)
    return Array(TraceNamespace(trace), trace.outer[fresh][1])


def emit(stream: Stream, method: str, shape: tuple[int, ...], dtype: str, *parameters: Any, options: Any = ()) -> Array:
    """A draw: its numbers.  The stream goes on with the next key."""
    trace = current_trace()
    assert trace is not None  # outside, a stream is its Generator
    drawn = key_within(trace, stream)
    xp = TraceNamespace(trace)
    params = {"method": method, "shape": shape, "dtype": dtype, "options": options}
    numbers, drawn.key = xp.emit("draw", drawn.key, *parameters, **params)
    return numbers


def advance(rng: Any, key: Any) -> None:
    """Leave a Generator with a key."""
    bits = getattr(rng, "real", rng).bit_generator
    with bits.lock:
        bits.state = state_of(key)


# -- made within a traced function ------------------------------------------------------------------


def default_rng(seed: Any = None) -> Any:
    """``np.random.default_rng`` in a traced function."""
    trace = current_trace()
    assert trace is not None  # stands in while tracing
    if is_generator(seed):
        return stream_of(seed)
    xp = TraceNamespace(trace)
    if seed is None:
        root = trace
        while root.enclosing is not None:
            root = root.enclosing
        root.fresh += 1
        root.entropy = root.entropy or Entropy()
        return _made(trace, None, _fresh(trace, Fresh(root.fresh - 1, root.entropy.at(root.fresh - 1))))
    if is_traced((seed,)):
        return _made(trace, None, xp.emit("random_key", xp.cast(xp.wrap(xp.lift(seed)), np.int64)))
    if isinstance(seed, (np.random.BitGenerator, np.random.RandomState)) and id(seed) not in trace.bits:
        raise refuse(
            f"a Generator is made over a {type(seed).__name__} from outside, of which a graph knows nothing.",
            "Make the Generator outside, and pass it as an argument.",
        )
    real = np.random.default_rng(seed)
    return _made(trace, real, xp.constant(current_key(real)))


def _made(trace: Trace, real: Any, key: Array) -> Stream:
    stream = Stream(real)
    if real is not None:
        _known[id(real)] = stream
    trace.streams[stream] = Drawn(None, key)
    return stream


def _bits(kind: Any) -> Callable[..., Any]:
    """A class of bit generators: one made here belongs to the trace."""

    def make(seed: Any = None) -> Any:
        if seed is None or is_traced((seed,)):
            raise refuse(f"np.random.{kind.__name__} is made here without a plain seed.", _INSTEAD)
        made = kind(seed)
        trace = current_trace()
        trace.bits[id(made)] = made  # type: ignore[union-attr]
        return made

    return make


def _refused(name: str) -> Callable[..., Any]:
    def refuse_it(*args: Any, **kwargs: Any) -> Any:
        raise refuse(
            f"{name} draws from a state that a graph cannot replay, so that every later call would give the same.",
            _INSTEAD,
        )

    return refuse_it


def stood_in() -> dict[Any, Callable[..., Any]]:
    """What of numpy.random, and of Python's random, does something else while tracing."""
    import random

    found: dict[Any, Callable[..., Any]] = {np.random.default_rng: default_rng, np.random.Generator: default_rng}
    found.update({(kind := getattr(np.random, name)): _bits(kind) for name in KINDS if name})
    found[np.random.RandomState] = _refused("np.random.RandomState")
    for module, label in ((np.random, "np.random"), (random, "random")):
        for name, function in vars(module).items():
            if callable(function) and name.islower() and name != "test" and not name.startswith("_"):
                found.setdefault(function, _refused(f"{label}.{name}"))
    return found


# -- held outside ------------------------------------------------------------------------------------

_lock = threading.Lock()
_depth = 0
_undo: list[Callable[[], None]] = []


@contextlib.contextmanager
def replaced(environment: Any) -> Iterator[None]:
    """Within this context, who holds a Generator that a function can reach holds its stream."""
    global _depth  # noqa: PLW0603 (a count of the traces under way, in all threads)
    holders, drawn = environment.holders, [rng for rng, _ in environment.generators.values()]
    before = [undrawn(x) for x in drawn]
    with _lock:
        _depth += 1
        for holder, rng in holders:
            if type(rng) is not Stream and is_generator(rng):
                _exchange(holder, rng, stream_of(rng))
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if _depth == 0:
                while _undo:
                    _undo.pop()()
    if any(a != b for a, b in zip(before, map(undrawn, drawn), strict=True)):
        raise refuse(
            "a random generator that is not an argument was drawn from in a way that cannot be traced (it is held in a "
            "tuple or an object that cannot change, or it is a RandomState or random.Random).",
            "Pass the Generator as an argument.",
        )


def undrawn(rng: Any) -> Any:
    """A generator's state, to be compared."""
    if is_generator(rng):
        return key_of(getattr(rng, "real", rng)).tobytes()
    state = rng.getstate() if hasattr(rng, "getstate") else rng.get_state()
    return [x.tobytes() if isinstance(x, np.ndarray) else x for x in state]


def _exchange(holder: Any, old: Any, new: Any) -> None:
    """Put one object where another is, in whatever holds it."""
    if isinstance(holder, types.FunctionType):
        for cell in holder.__closure__ or ():
            with contextlib.suppress(ValueError):  # an empty cell
                if cell.cell_contents is old:
                    cell.cell_contents = new
                    _undo.append(functools.partial(_restore_cell, cell, old, new))
        places: list[Any] = [holder.__globals__]
    else:
        places = [holder]
    for place in places:
        if isinstance(place, (dict, list)):
            keys = list(place) if isinstance(place, dict) else range(len(place))
            _exchange_items(place, [k for k in keys if place[k] is old], old, new)
        else:
            names = vars(place) if hasattr(place, "__dict__") else {}
            for name in [n for n, value in names.items() if value is old]:
                with contextlib.suppress(AttributeError, TypeError):
                    (type.__setattr__ if isinstance(place, type) else object.__setattr__)(place, name, new)
                    _undo.append(functools.partial(_restore_attribute, place, name, old, new))


def _exchange_items(place: Any, keys: list[Any], old: Any, new: Any) -> None:
    for k in keys:
        place[k] = new
        _undo.append(functools.partial(_restore_item, place, k, old, new))


def _restore_item(place: Any, k: Any, old: Any, new: Any) -> None:
    with contextlib.suppress(LookupError):
        if place[k] is new:
            place[k] = old


def _restore_cell(cell: Any, old: Any, new: Any) -> None:
    with contextlib.suppress(ValueError):
        if cell.cell_contents is new:
            cell.cell_contents = old


def _restore_attribute(place: Any, name: str, old: Any, new: Any) -> None:
    if vars(place).get(name) is new:
        (type.__setattr__ if isinstance(place, type) else object.__setattr__)(place, name, old)
