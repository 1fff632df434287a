"""Values: each node becomes one call on whole arrays, a case per kind."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from wengert.backends.liveness import bare, sources
from wengert.backends.protocol import check_kinds
from wengert.backends.vectorized import arrays
from wengert.backends.vectorized.control import Values
from wengert.ir import kinds
from wengert.ir.graph import Constant, Graph, Node, Value
from wengert.ir.ops import OPS
from wengert.ir.passes import dead_code, inline_calls
from wengert.ir.types import DTYPES, ArrayType

__all__ = ["NO_ARRAY", "RUN", "Plan", "bare_operands", "lower", "runner"]

Step = Callable[..., Any]


def _elementwise(node: Node) -> Step:
    if node.op.symbol == "cast":  # type: ignore[attr-defined]
        dtype = DTYPES[node.params["dtype"]]
        return lambda x: x.astype(dtype)
    return arrays.elementwise_function(node.op)  # type: ignore[arg-type]


def _reduction(node: Node) -> Step:
    function, axes = node.op.function, node.params["axes"]
    if node.op.fold not in ("argmax", "argmin"):  # type: ignore[attr-defined]
        whole = len(axes) == node.operands[0].type.ndim
        plain = node.op.result is not None or node.op.fold in ("max", "min")  # type: ignore[attr-defined]
        dtype = {} if plain else {"dtype": node.results[0].type.dtype}
        return lambda x: function(x, axis=None if whole else axes, **dtype)
    shape = node.operands[0].type.shape
    order = (*(a for a in range(len(shape)) if a not in axes), *axes)
    lead = tuple(shape[a] for a in order[: len(shape) - len(axes)])
    count = int(np.prod([shape[a] for a in axes], dtype=int))
    return lambda x: function(x.transpose(order).reshape(*lead, count), axis=-1)


def _cumulative(node: Node) -> Step:
    axis, fold, params = node.params["axis"], node.op.fold, node.params  # type: ignore[attr-defined]
    if fold == "linear":
        return lambda carry, x: arrays.recurrence(carry, x, **params)
    run = {"+": np.add, "*": np.multiply, "max": np.maximum, "min": np.minimum}[fold].accumulate
    if params["reverse"]:
        return lambda x: np.flip(run(np.flip(x, axis), axis=axis, dtype=x.dtype), axis)
    return lambda x: run(x, axis=axis, dtype=x.dtype)


def _by_pieces(node: Node) -> Step:
    """Any movement: each piece is a strided view of its flat operand."""
    out, op = node.result.type, node.op
    shapes = tuple(v.type.shape for v in node.operands)
    pieces = op.pieces(shapes, out.shape, node.params)  # type: ignore[attr-defined]

    def run(*operands: Any) -> Any:
        result = np.zeros(out.shape, out.dtype)
        for piece in pieces:
            view = piece_view(np.ascontiguousarray(operands[piece.operand]), piece)
            result[arrays.key(piece.start, piece.size, piece.step)] = view
        return result

    return run


def piece_view(flat: Any, piece: kinds.Piece) -> Any:
    """The elements of a C-contiguous operand that a piece reads, as a view of its shape."""
    if 0 in piece.size:
        return np.empty(piece.size, flat.dtype)
    item = flat.itemsize
    return np.ndarray(
        piece.size, flat.dtype, flat, piece.offset * item, tuple(s * item for s in piece.strides)
    )


#: Movements that NumPy has as a view or a single call; any other is run by its pieces.
_MOVEMENTS: dict[str, Callable[[dict[str, Any]], Step]] = {
    "reshape": lambda p: lambda x: x.reshape(p["shape"]),
    "transpose": lambda p: lambda x: x.transpose(p["axes"]),
    "broadcast_to": lambda p: lambda x: np.broadcast_to(x, p["shape"]),
    "concatenate": lambda p: lambda *xs: np.concatenate(xs, axis=p["axis"]),
    "slice": lambda p: operator.itemgetter(arrays.key(p["start"], p["size"], p["step"])),
    "place": lambda p: lambda x: arrays.place(x, p["shape"], p["start"], p["step"]),
}


def _movement(node: Node) -> Step:
    row = _MOVEMENTS.get(node.op.name)
    return _by_pieces(node) if row is None else row(node.params)


def _contraction(node: Node) -> Step:
    run, subscripts = arrays.contraction(node.op), node.params["subscripts"]  # type: ignore[arg-type]
    return lambda x, y: run(subscripts, x, y)


def _indexing(node: Node) -> Step:
    run, params, (x, indices) = getattr(arrays, node.op.name), node.params, node.operands
    known = indices.array if node.op is OPS["take"] and isinstance(indices, Constant) else np.empty(0)
    if known.size and known.min() >= 0 and known.max() < x.type.shape[params["axis"]]:
        return lambda x, indices: x.take(indices, params["axis"], mode="clip")  # which need not look
    return lambda x, indices: run(x, indices, **params)


#: A node that calls ``run`` on arrays, and gives results of stated types.
RUN = kinds.Library(
    name="run", params=("run", "types"), call=lambda *operands, run, types: run(*operands),
    types=lambda op, types, params: params["types"], jvp=None, vjp=None,
    doc="A function that has no graph.")  # fmt: skip
#: The type of what is no array: what a pullback needs, the last result of such a function.
NO_ARRAY = ArrayType(np.dtype(bool))


def _library(node: Node) -> Step:
    if node.op is RUN:
        return node.params["run"]  # type: ignore[no-any-return]
    run, params, location = node.op.run, node.params, node.location  # type: ignore[attr-defined]
    return lambda *operands: run(operands, params, location)


def _control(node: Node) -> Step:
    from wengert.backends.vectorized.loops import has_length, loop  # which stands above this file

    if has_length(node):
        return loop(node)
    drive, params, machine = node.op.drive, node.params, Values(runner)  # type: ignore[attr-defined]

    def run(*operands: Any) -> Any:
        made = drive(machine, operands, params)
        return made if len(made) != 1 else made[0]

    return run


_LOWERINGS: dict[type[kinds.Op], Callable[[Node], Step]] = {
    kinds.Elementwise: _elementwise,
    kinds.Reduction: _reduction,
    kinds.Cumulative: _cumulative,
    kinds.Movement: _movement,
    kinds.Contraction: _contraction,
    kinds.Indexing: _indexing,
    kinds.Library: _library,
    kinds.Control: _control,
}
check_kinds("numpy", _LOWERINGS)


def lower(node: Node) -> Step:
    """The call that computes a node."""
    return _LOWERINGS[type(node.op)](node)


@functools.lru_cache(maxsize=512)
def runner(graph: Graph) -> Callable[[Any], list[Any]]:
    """A function from inputs to outputs, which may be views of the inputs or of each other."""
    from wengert.backends.vectorized.lines import Lines  # which stands above this file

    program = Lines(graph, own=False).function("values")
    return lambda inputs: list(program(*inputs))


class Plan:
    """A graph made ready: one slot per value, one step per node that is needed.

    ``reads[node]`` are the slots that the step of a node reads: for an elementwise node, those of the operands
    before they were broadcast, where NumPy's own broadcasting gives the node's shape.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph = dead_code(inline_calls(graph))
        self.slot: dict[Value, int] = {}
        for value in (*graph.inputs, *graph.constants, *(r for n in graph.nodes for r in n.results)):
            self.slot.setdefault(value, len(self.slot))
        self.constants = [(self.slot[c], c.array) for c in graph.constants]
        source = sources(graph)
        self.reads = [tuple(self.slot[v] for v in bare_operands(node, source)) for node in graph.nodes]
        self.outs = [tuple(self.slot[v] for v in node.results) for node in graph.nodes]
        needed = {s for reads in self.reads for s in reads} | {self.slot[v] for v in graph.guarded_outputs}
        rows = zip(graph.nodes, self.reads, self.outs, strict=True)
        self.lowered = [(node, reads, outs) for node, reads, outs in rows if not needed.isdisjoint(outs)]
        self._positions = {node: i for i, (node, _, _) in enumerate(self.lowered)}
        self.steps = [(lower(node), reads, outs) for node, reads, outs in self.lowered]
        self.types = [v.type for v in self.slot]
        self.outputs = [self.slot[v] for v in graph.guarded_outputs]
        self.inputs = [self.slot[v] for v in graph.inputs]

    def position(self, node: Node) -> int:
        """Where the step of a node is."""
        return self._positions[node]

    def more(self, node: Node) -> int:
        """A new slot, for something besides the results of a node."""
        value = Value(node.results[0].type)
        self.types.append(value.type)
        return self.slot.setdefault(value, len(self.slot))

    def frees(self, kept: Iterable[int]) -> list[list[int]]:
        """For each step, the slots that nothing reads after it and that are not to be kept."""
        later, last = set(kept), []
        for _, reads, outs in reversed(self.steps):
            last.append([i for i in {*reads, *outs} if i not in later])
            later.update(reads)
        return last[::-1]

    def run(self, inputs: Any, frees: list[list[int]]) -> list[Any]:
        """The values, by slot; those that ``frees`` names go after their last reader, so that memory is used again."""
        env = self._filled(inputs)
        for (step, reads, outs), last in zip(self.steps, frees, strict=True):
            made = step(*[env[i] for i in reads])
            if len(outs) == 1:
                env[outs[0]] = made
            else:
                for i, result in zip(outs, made, strict=True):
                    env[i] = result
            for i in last:
                env[i] = self.types[i]  # rules may still ask for a dtype
        return env

    def _filled(self, inputs: Any) -> list[Any]:
        env: list[Any] = [None] * len(self.slot)
        for slot, array in zip(self.inputs, inputs, strict=True):
            env[slot] = array
        for slot, array in self.constants:
            env[slot] = array
        return env

    def results(self, env: list[Any]) -> tuple[Any, ...]:
        """The guarded outputs, each in memory of its own."""
        return tuple(np.array(env[slot], order="C") for slot in self.outputs)


def bare_operands(node: Node, source: dict[Value, Value]) -> tuple[Value, ...]:
    """What a node reads: for an elementwise one what its operands were before they were broadcast, if that will do."""
    return bare(node, source, sized=lambda v: True) if isinstance(node.op, kinds.Elementwise) else node.operands
