"""Making graphs: the Builder, and the namespace ``xp`` that rules are written against.

The Builder's ``emit`` is strict: operands have the dtype and shape the op wants.  ``apply`` is NumPy's
calling convention for elementwise ops: it inserts the casts and broadcasts that ``emit`` requires.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from wengert.ir import keys
from wengert.ir.graph import Constant, Graph, Guard, Location, Node, Renamed, Value
from wengert.ir.kinds import Cumulative, Elementwise, Op, Reduction
from wengert.ir.ops import OPS
from wengert.ir.promotion import PYTHON_SCALAR, inferred, plan
from wengert.ir.types import SHORT_NAMES, ArrayType, shared, type_of

__all__ = ["Builder", "Expr", "Namespace"]


def _axes(axis: int | Sequence[int] | None, ndim: int) -> tuple[int, ...]:
    """NumPy's axis argument as a sorted tuple of axes from 0 to ndim - 1."""
    if axis is None:
        return tuple(range(ndim))
    given = axis if isinstance(axis, (tuple, list)) else (axis,)
    return tuple(sorted(np.lib.array_utils.normalize_axis_tuple(given, ndim)))


class Builder:
    """Appends nodes, infers their types, and ends as a Graph.

    Attributes
    ----------
    location : Location or None
        The line that the next nodes come from.
    """

    def __init__(self, name: str = "graph") -> None:
        self.name = name
        self.inputs: list[Value] = []
        self.nodes: list[Node] = []
        self.guards: list[Guard] = []
        self.location: Location | None = None
        self._constants: dict[Any, Constant] = {}
        self._converted: dict[Any, Value] = {}
        self._numbers: dict[Any, Constant] = {}

    def input(self, type_: ArrayType, name: str | None = None) -> Value:
        """A new input."""
        value = Value(type_, name)
        self.inputs.append(value)
        return value

    def constant(self, value: Any) -> Constant:
        """The constant for a Python scalar, NumPy scalar or array; equal ones are one.

        A Python int beyond int64 stays one, as an object, until it is cast to the dtype of what it meets.
        """
        key = (type(value), value) if type(value) in (int, float) and value else None  # 0.0 is not -0.0
        if key is None or key not in self._numbers:
            beyond = type(value) is int and not -(2**63) <= value < 2**63
            made = Constant(type_of(value), array=np.array(value)) if beyond else self.adopt(Constant.of(value))
            self._numbers[key] = made
        return self._numbers[key]

    def beyond(self) -> list[Constant]:
        """The Python ints that int64 does not hold."""
        return [c for c in self._numbers.values() if c.type.weak and c.array.dtype != c.type.dtype]

    def adopt(self, constant: Constant) -> Constant:
        """This constant, or the equal one that is already here."""
        return self._constants.setdefault(constant.key, constant)

    def emit(self, op: Op, operands: Sequence[Value], **params: Any) -> Value:
        """Append one node with one result; operands must already have the types the op wants."""
        return self.emit_all(op, operands, **params)[0]

    def emit_all(self, op: Op, operands: Sequence[Value], **params: Any) -> tuple[Value, ...]:
        """Append one node; all its results."""
        types = tuple([v.type for v in operands])
        made = tuple(map(shared, op.infer(types, params))) if params else inferred(op, types)
        return self._append(op, tuple(operands), params, made)

    def again(self, node: Node, operands: tuple[Value, ...]) -> tuple[Value, ...]:
        """A node of another graph, on what stands here for its operands: of the same types, it gives the same types."""
        if [v.type for v in operands] == [v.type for v in node.operands]:
            return self._append(node.op, operands, node.params, tuple([v.type for v in node.results]))
        return self.emit_all(node.op, operands, **node.params)

    def keep(self, node: Node, operands: tuple[Value, ...]) -> tuple[Value, ...]:
        """A node of a graph that is written again here, once: its results stay what they are, if their types do."""
        if operands == node.operands:
            self.nodes.append(node)
        elif [v.type for v in operands] == [v.type for v in node.operands]:
            self.nodes.append(Node(node.op, operands, node.params, node.results, node.location))
        else:
            return self.emit_all(node.op, operands, **node.params)
        return node.results

    def _append(
        self, op: Op, operands: tuple[Value, ...], params: dict[str, Any], types: tuple[ArrayType, ...]
    ) -> tuple[Value, ...]:
        results = tuple(map(Value, types))
        self.nodes.append(Node(op, operands, params, results, self.location))
        return results

    def apply(self, op: Elementwise, *operands: Value) -> Value:
        """An elementwise op under NumPy's promotion and broadcasting."""
        wanted, result = plan(op, tuple([v.type for v in operands]))
        ready = tuple([
            v if v.type is t or v.type == t else self.convert(v, t) for v, t in zip(operands, wanted, strict=True)
        ])  # fmt: skip
        return self._append(op, ready, {}, (result,))[0]

    def convert(self, value: Value, type_: ArrayType) -> Value:
        """Cast, then broadcast; conversions of a constant are made once."""
        if value.type == type_:
            return value
        if not isinstance(value, Constant):
            return self.broadcast_to(self.cast(value, type_.dtype, weak=type_.weak), type_.shape)
        key = (value, type_)
        if key not in self._converted:
            cast = self.cast(value, type_.dtype, weak=type_.weak)
            self._converted[key] = self.broadcast_to(cast, type_.shape)
        return self._converted[key]

    def cast(self, value: Value, dtype: np.dtype[Any], *, weak: bool = False) -> Value:
        """The value in another dtype.  A weak constant out of the dtype's range is an OverflowError."""
        weak = weak and not value.type.shape
        if value.type.dtype == dtype and value.type.weak == weak:
            return value
        if isinstance(value, Constant):
            if weak:
                return self.constant(PYTHON_SCALAR[dtype.kind](value.array.item()))
            given = value.array.item() if value.type.weak else value.array
            made = np.array(given).astype(dtype) if dtype.kind in "bfc" else _to_int(given, dtype)
            return self.constant(np.asarray(made))
        return self.emit(OPS["cast"], (value,), dtype=SHORT_NAMES[dtype], weak=weak)

    def broadcast_to(self, value: Value, shape: tuple[int, ...]) -> Value:
        """The value repeated to a shape."""
        if value.type.shape == shape:
            return value
        return self.emit(OPS["broadcast_to"], (value,), shape=shape)

    def keeps(self, key: Any) -> bool:
        """Whether a basic key is a slice even where it takes all there is."""
        return False

    def guard(self, value: Value, expected: bool, location: Location | None = None) -> None:
        """Record that the program holds only where ``value`` is ``expected``."""
        self.guards.append(Guard(value, expected, location or self.location))

    def inline(self, graph: Graph, operands: Sequence[Value]) -> tuple[Value, ...]:
        """Copy a graph's nodes and guards in; its outputs."""
        here = self.location
        env = Renamed(self.adopt, zip(graph.inputs, operands, strict=True))
        for node in graph.nodes:
            self.location = node.location or here
            types = tuple(v.type for v in node.results)
            results = self._append(node.op, tuple(env[v] for v in node.operands), node.params, types)
            env.update(zip(node.results, results, strict=True))
        self.location = here
        for guard in graph.guards:
            self.guard(env[guard.value], guard.expected, guard.location)
        return tuple(env[v] for v in graph.outputs)

    def graph(self, outputs: Sequence[Value], **fields: Any) -> Graph:
        """The finished graph."""
        return Graph(
            tuple(self.inputs), tuple(self.nodes), tuple(outputs), tuple(self.guards),
            **{"name": self.name, **fields},
        )  # fmt: skip


def _to_int(value: Any, dtype: np.dtype[Any]) -> Any:
    """To an integer dtype: a Python int must fit, as in NumPy; an array converts as astype does."""
    return np.array(value, dtype=dtype) if isinstance(value, int) else np.asarray(value).astype(dtype)


class Expr:
    """A value with operators: what a rule sees when it is run to make a graph."""

    __slots__ = ("value", "xp")
    __hash__ = None  # type: ignore[assignment]  # == makes a node

    def __init__(self, xp: Namespace, value: Value) -> None:
        self.xp = xp
        self.value = value

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.value.type.dtype

    @property
    def shape(self) -> tuple[int, ...]:
        return self.value.type.shape

    @property
    def ndim(self) -> int:
        return len(self.value.type.shape)

    def __getitem__(self, key: Any) -> Any:
        return self.xp.basic_index(self, key)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.value.type}>"


def _operators() -> None:
    """Give Expr the operators of the elementwise ops."""
    unary = {"neg": "negative", "pos": "positive", "abs": "absolute", "invert": "invert"}
    binary = {
        "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide",
        "floordiv": "floor_divide", "mod": "remainder", "pow": "power",
        "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor",
        "lshift": "left_shift", "rshift": "right_shift",
    }  # fmt: skip
    comparison = {
        "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal",
        "eq": "equal", "ne": "not_equal",
    }  # fmt: skip

    def define(dunder: str, op: Op, *, reflected: bool = False) -> None:
        def method(self: Expr, *other: Any) -> Any:
            return self.xp.apply(op, *other, self) if reflected else self.xp.apply(op, self, *other)

        method.__name__ = f"__{dunder}__"
        setattr(Expr, method.__name__, method)

    for dunder, name in (unary | binary | comparison).items():
        define(dunder, OPS[name])
    for dunder, name in binary.items():
        define(f"r{dunder}", OPS[name], reflected=True)


_operators()


class Namespace:
    """``xp``: every op by name; elementwise ops and reductions, and the ops with a method here, have NumPy's calling
    conventions, the others take operands positionally and parameters by keyword.

    ``lift`` turns what a caller holds into a Value, ``wrap`` a Value into what the caller gets; the
    tracer overrides both.
    """

    def __init__(self, builder: Builder) -> None:
        self.builder = builder

    def lift(self, operand: Any) -> Value:
        """The Value of an operand: an expression, Python scalar or NumPy array."""
        return operand.value if isinstance(operand, Expr) else self.builder.constant(operand)

    def wrap(self, value: Value) -> Any:
        """What a caller is handed for a Value."""
        return Expr(self, value)

    def apply(self, op: Op, *operands: Any) -> Any:
        """An elementwise op on anything ``lift`` takes."""
        return self.wrap(self.builder.apply(op, *[self.lift(x) for x in operands]))  # type: ignore[arg-type]

    def emit(self, op_name: str, *operands: Any, **params: Any) -> Any:
        """One node of any kind, operands as they are; a tuple where it has several results."""
        values = self.builder.emit_all(OPS[op_name], [self.lift(x) for x in operands], **params)
        return self.wrap(values[0]) if len(values) == 1 else tuple(map(self.wrap, values))

    def __getattr__(self, name: str) -> Callable[..., Any]:
        op = OPS.get(name)
        if isinstance(op, Elementwise):
            function = functools.partial(self.apply, op)
        elif isinstance(op, Reduction):
            function = functools.partial(self.reduce, op)
        elif isinstance(op, Cumulative):
            function = functools.partial(self.running, op)
        elif op is not None:
            function = functools.partial(self.emit, name)
        else:
            raise AttributeError(name)
        setattr(self, name, function)
        return function

    # -- dtypes and shapes ------------------------------------------------------------------

    def cast(self, x: Any, dtype: Any, *, weak: bool = False) -> Any:
        """``x`` in another dtype."""
        return self.wrap(self.builder.cast(self.lift(x), np.dtype(dtype), weak=weak))

    def full(self, shape: tuple[int, ...], value: Any, dtype: Any) -> Any:
        """An array of one value."""
        constant = self.builder.constant(np.asarray(value, dtype))
        return self.wrap(self.builder.broadcast_to(constant, shape))

    def ones_like(self, x: Any) -> Any:
        """Ones of the type of ``x``."""
        return self.full(x.shape, 1, x.dtype)

    def zeros_like(self, x: Any) -> Any:
        """Zeros of the type of ``x``."""
        return self.full(x.shape, 0, x.dtype)

    def broadcast_to(self, x: Any, shape: tuple[int, ...]) -> Any:
        """``x`` repeated to a shape."""
        return self.wrap(self.builder.broadcast_to(self.lift(x), tuple(shape)))

    def reshape(self, x: Any, shape: tuple[int, ...]) -> Any:
        """``x`` in another shape, C order, every size given."""
        value = self.lift(x)
        return self.wrap(value) if value.type.shape == shape else self.emit("reshape", x, shape=shape)

    def transpose(self, x: Any, axes: Sequence[int] | None = None) -> Any:
        """Axes permuted, reversed by default."""
        value, ndim = self.lift(x), len(self.lift(x).type.shape)
        order = tuple(range(ndim))[::-1] if axes is None else tuple(a % ndim for a in axes)
        return self.wrap(value) if order == tuple(range(ndim)) else self.emit("transpose", x, axes=order)

    def concatenate(self, arrays: Sequence[Any], axis: int = 0) -> Any:
        """Arrays of one dtype joined along an axis."""
        values = [self.lift(x) for x in arrays]
        if len(values) == 1:
            return self.wrap(values[0])
        return self.emit("concatenate", *map(self.wrap, values), axis=axis % values[0].type.ndim)

    def basic_index(self, x: Any, key: Any) -> Any:
        """``x[key]`` for ints, slices, ellipsis and new axes."""
        value, b = self.lift(x), self.builder
        found = keys.resolve(key, value.type.shape)
        if b.keeps(key) or found.size != value.type.shape or any([d != 1 for d in found.step]):  # noqa: C419 (faster)
            value = b.emit(OPS["slice"], (value,), start=found.start, size=found.size, step=found.step)
        if value.type.shape != found.shape:
            value = b.emit(OPS["reshape"], (value,), shape=found.shape)
        return self.wrap(value)

    # -- folds, products, indices -------------------------------------------------------------

    def reduce(self, op: Op, x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
        """A reduction; no axes, no node, for the folds that leave single elements as they are."""
        value = self.lift(x)
        shape = value.type.shape
        axes = _axes(axis, len(shape))
        if not axes and op.fold not in ("argmax", "argmin"):  # type: ignore[attr-defined]
            return self.wrap(value)
        out = self.emit(op.name, x, axes=axes)
        kept = tuple(1 if a in axes else n for a, n in enumerate(shape))
        return self.reshape(out, kept) if keepdims else out

    def running(self, op: Op, *args: Any, reverse: bool = False) -> Any:
        """A running fold; the last argument is the axis."""
        return self.emit(op.name, *args[:-1], axis=args[-1], reverse=reverse)

    def einsum(self, subscripts: str, x: Any, y: Any, *, scaled: bool = False) -> Any:
        """A product of two operands over named axes; ``scaled`` for partial times tangent."""
        return self.emit("scale_einsum" if scaled else "einsum", x, y, subscripts=subscripts)

    def take(self, x: Any, indices: Any, axis: int) -> Any:
        """Slices at int64 indices from 0 to n - 1."""
        return self.emit("take", x, indices, axis=axis)

    def scatter_add(self, updates: Any, indices: Any, axis: int, size: int) -> Any:
        """The transpose of take."""
        return self.emit("scatter_add", updates, indices, axis=axis, size=size)

    def argsort(self, x: Any, axis: int) -> Any:
        """The stable order."""
        return self.emit("argsort", x, axis=axis)

    def sort(self, x: Any, axis: int) -> Any:
        """Sorted along an axis."""
        return self.emit("sort", x, axis=axis)

    def take_along_axis(self, x: Any, indices: Any, axis: int) -> Any:
        """Per line along an axis, the elements at that line's indices; shapes alike but for the axis."""
        x, indices = self.wrap(self.lift(x)), self.wrap(self.lift(indices))
        order = (*(a for a in range(x.ndim) if a != axis), axis)
        lines, n, count = tuple(x.shape[a] for a in order[:-1]), x.shape[axis], indices.shape[axis]
        first = np.arange(math.prod(lines), dtype=np.int64).reshape(*lines, 1) * n
        flat = self.transpose(indices, order) + first
        taken = self.take(self.reshape(self.transpose(x, order), (math.prod(x.shape),)), flat, axis=0)
        return self.transpose(self.reshape(taken, (*lines, count)), tuple(order.index(a) for a in range(x.ndim)))
