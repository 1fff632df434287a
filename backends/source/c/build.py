"""From a graph to something that can be called with arrays."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from attrs import evolve

from wengert.backends import protocol
from wengert.backends.direct import AS_ITEM, IS_TRUE, Plan
from wengert.backends.source.c.emit import PRINTED, Failure, Program
from wengert.backends.source.c.entrance import entrance_type, is_long
from wengert.backends.source.c.machine import threads
from wengert.backends.source.c.shared import family, load_shared
from wengert.ir.graph import Graph, Node
from wengert.ir.kinds import Library
from wengert.ir.types import STEPS, ArrayType

__all__ = ["Trusting", "build"]

Array = np.ndarray[Any, Any]
WIDEST = 1000  # inputs, and outputs: an entrance keeps what it knows of each on the stack
_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_int, ctypes.POINTER(ctypes.c_void_p), ctypes.POINTER(ctypes.c_void_p)
)


def _address(array: Array) -> int:
    """Where the elements are.  The first way takes a quarter of the time, but wants to write."""
    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(array))  # type: ignore[arg-type]
    except (TypeError, ValueError):  # read-only, or without elements
        return array.__array_interface__["data"][0]


def _exact(x: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """An input as C reads it.

    C would read beyond the end of one that is too short, and the memory of a NumPy scalar is gone
    before C reads it.
    """
    if shape[:1] == (STEPS,):
        shape = (len(x), *shape[1:])
    if type(x) is np.ndarray and x.shape == shape and x.dtype == dtype and (
        x.flags.carray or (x.flags.c_contiguous and x.flags.aligned)
    ):
        return x
    array = np.asarray(x)
    if array.shape != shape or array.dtype != dtype:
        raise TypeError(f"Expected an array of {dtype} of shape {shape}, got {array.dtype} of shape {array.shape}.")
    return np.array(array, dtype=dtype, order="C", copy=True)


def _pointers(count: int) -> type[ctypes.Array[ctypes.c_void_p]]:
    return ctypes.c_void_p * count


class Runner:
    """A loaded program: ``runner(inputs)``.  Threads may share it; each has its own workspace."""

    def __init__(self, program: Program) -> None:
        graph = program.graph
        text = program.text()
        shared = threads.NAME in text
        with threads.quiet() if shared else contextlib.nullcontext():
            self._loaded = load_shared(text, program.name)  # kept alive: it holds the code
        if shared:
            threads.following(self._loaded.library)
        self._tables = self._loaded.tables
        self._entry = getattr(self._loaded.library, f"{program.name}_{'shared' if self._tables else 'hosted'}")
        self._entry.argtypes = [ctypes.c_void_p] * (7 if self._tables else 5)
        self._entry.restype = ctypes.c_int
        self._failures = program.failures
        self._results = [(v.type.shape, v.type.dtype) for v in graph.guarded_outputs]
        self._types = [(v.type.shape, v.type.dtype) for v in graph.inputs]
        self._inputs = _pointers(len(graph.inputs))
        self._outputs = _pointers(len(self._results))
        self._arrays = [constant.array for constant in program.handed]
        self._constants = _pointers(len(self._arrays))(*map(_address, self._arrays))
        self._callback = _callback(program.calls, self._raised) if program.calls else None
        self._call = ctypes.cast(self._callback, ctypes.c_void_p) if self._callback else None
        self._size = program.workspace
        self._is_long = is_long(graph)
        self._local = threading.local()

    def __call__(self, inputs: Sequence[Array]) -> tuple[Array, ...]:
        arrays = [_exact(x, shape, dtype) for x, (shape, dtype) in zip(inputs, self._types, strict=True)]
        outputs = [np.empty(shape, dtype) for shape, dtype in self._results]
        work = self._borrow()
        code = self._entry(
            *self._tables,
            self._inputs(*map(_address, arrays)),
            self._outputs(*map(_address, outputs)),
            _address(work) if work is not None else None,
            self._constants,
            self._call,
        )
        if work is not None:
            self._local.work = work
        if code:
            self._raise(code)
        return tuple(outputs)

    def direct(self, plan: Plan) -> Any:
        """An entrance in C (see :mod:`wengert.backends.direct`); None where it is not ready, or cannot be."""
        shapes = [(t.shape, t.dtype) for t in plan.inputs]
        known = all(t.dtype.str[1:] in ("f8", "i8", "c16") for t, h in zip(plan.outputs, plan.hands, strict=True)
                    if h == AS_ITEM)  # fmt: skip
        if self._callback is not None or not known or shapes != self._types or len(shapes) > WIDEST or (
            len(plan.outputs) > WIDEST):
            return None
        if [(t.shape, t.dtype) for t in plan.outputs] != self._results or (make := entrance_type()) is None:
            return None
        tables = [ctypes.addressof(table) for table in self._tables] or [0, 0]
        rows = [tuple((t.dtype, t.shape, how) for t, how in zip(types, hows, strict=True))
                for types, hows in ((plan.inputs, plan.takes), (plan.outputs, plan.hands))]  # fmt: skip
        return make(
            ctypes.cast(self._entry, ctypes.c_void_p).value, *tables, ctypes.addressof(self._constants), 0, self._size,
            self._is_long, plan.writes, plan.arguments, plan.rest, plan.around, *rows, plan.results, plan.finish,
            plan.trace, None if plan.backend is None else protocol.chosen, plan.backend, (self, plan), None,
            plan.same,
        )  # fmt: skip

    def _borrow(self) -> Array | None:
        """This thread's workspace, taken away while in use: a callback may run this again."""
        if not self._size:
            return None
        work = self._local.__dict__.pop("work", None)
        return work if work is not None else np.empty(self._size, np.uint8)

    def _raised(self, error: BaseException) -> None:
        self._local.error = error

    def _raise(self, code: int) -> None:
        failure = self._failures[code - 1]
        if failure.kind == "callback" and (error := self._local.__dict__.pop("error", None)):
            raise error
        raise _error(failure)


class Trusting:
    """A program that holds where its last guard does; elsewhere the exact one answers, built when needed."""

    def __init__(self, program: Runner, exact: Callable[[], Runner]) -> None:
        self.program, self._exact = program, functools.cache(exact)

    def __call__(self, inputs: Sequence[Array]) -> tuple[Array, ...]:
        with contextlib.suppress(Exception):  # if it was not the early sums', it comes again
            *made, holds = self.program(inputs)
            if holds:
                return tuple(made)
        return self._exact()(inputs)

    def direct(self, plan: Plan) -> Any:
        """The entrance of the program: where the guard fails, it answers as for a call of another kind."""
        outputs, hands = (*plan.outputs, ArrayType(np.dtype(bool))), (*plan.hands, IS_TRUE)
        return self.program.direct(evolve(plan, outputs=outputs, hands=hands))


def _error(failure: Failure) -> Exception:
    source = failure.source
    where = f" (at {source.location})" if source.location is not None else ""
    if failure.kind == "index":
        axis = source.params["axis"]
        size = source.operands[0].type.shape[axis] if source.op.name == "take" else source.params["size"]
        return IndexError(
            f"{source.op.name}: an index is not from 0 to {size - 1}, for axis {axis} of size {size}{where}."
        )
    if failure.kind == "branch":
        return IndexError(f"switch: the index names none of the {len(source.params['graphs'])} branches.{where}")
    if failure.kind == "memory":
        return MemoryError(f"There is no memory for what the steps of a loop keep.{where}")
    return ValueError(f"Integers to negative integer powers are not allowed.{where}")


def _callback(nodes: Sequence[Node], raised: Callable[[BaseException], None]) -> Any:
    """What a program calls for ops without C of their own.  An exception waits until C returns."""

    def view(pointer: int, node_type: Any) -> Array:
        raw = (ctypes.c_char * max(1, node_type.size * node_type.dtype.itemsize)).from_address(pointer)
        return np.frombuffer(raw, node_type.dtype, node_type.size).reshape(node_type.shape)

    def call(which: int, reads: Any, writes: Any) -> int:
        try:
            node = nodes[which]
            assert isinstance(node.op, Library)
            arrays = [view(reads[k], v.type) for k, v in enumerate(node.operands)]
            for array in arrays:
                array.flags.writeable = False
            made = node.op.run(arrays, node.params, node.location)
            for k, (v, result) in enumerate(zip(node.results, made if len(node.results) > 1 else (made,), strict=True)):
                view(writes[k], v.type)[...] = result
        except BaseException as error:  # noqa: BLE001 (carried, and raised by the caller)
            raised(error)
            return 1
        return 0

    return _Callback(call)


def build(graph: Graph) -> Runner:
    """Compile a graph, or take it from the cache."""
    alone = family.get() is None  # else what is handed is no part of the text, and its numbers are each thread's own
    return Runner(Program(graph, "program", hosted=True, printed=PRINTED if alone else 0, parallel=alone))
