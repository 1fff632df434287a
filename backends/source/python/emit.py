"""The printer: a graph as a NumPy function, one statement per node or a short expression of a few."""

from __future__ import annotations

import builtins
import keyword
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from attrs import define, field

from wengert.backends import matmul
from wengert.backends.protocol import check_kinds
from wengert.backends.source.python.helpers import HELPERS
from wengert.backends.source.python.spelling import LIBRARY, OPERATORS, UNARY
from wengert.ir import kinds
from wengert.ir.errors import BackendError
from wengert.ir.graph import Constant, Graph, Location, Node, Value
from wengert.ir.ops import OPS
from wengert.ir.passes import dead_code, inline_calls
from wengert.ir.types import DTYPES

__all__ = ["Program", "emit"]

#: Expressions are nested up to this depth and length; CPython's parser and readers both have limits.
DEPTH, LENGTH = 3, 60
#: Array constants up to this size are spelled out as lists.
INLINE = 64


@define
class Expression:
    """Text, how deeply nested it is, and whether it needs parentheses as an operand."""

    text: str
    depth: int = 0
    compound: bool = False

    @property
    def operand(self) -> str:
        """The text as an operand of an operator."""
        return f"({self.text})" if self.compound else self.text


@define
class Program:
    """A printed program: its text, and the objects that it reads by name when run in process."""

    text: str
    name: str
    globals: dict[str, Any] = field(factory=dict)


def emit(graph: Graph, name: str | None = None, *, standalone: bool = True) -> Program:
    """Print a graph; with ``standalone``, every constant is spelled out and nothing else is needed but NumPy.

    Raises
    ------
    BackendError
        If stand-alone code is asked for a Library op that only runs in process.
    """
    return _Printer(dead_code(inline_calls(graph)), standalone=standalone).program(name)


def _identifier(text: str | None, taken: set[str], fallback: str) -> str:
    """A name for an input: its own where that is a plain identifier, else one of ours."""
    plain = text is not None and re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,30}", text)
    if plain and not (keyword.iskeyword(text) or hasattr(builtins, text) or text in taken or re.fullmatch(r"np|[vc]\d+", text)):  # type: ignore[arg-type]
        taken.add(text)  # type: ignore[arg-type]
        return text  # type: ignore[return-value]
    return fallback


class _Printer:
    def __init__(self, graph: Graph, *, standalone: bool) -> None:
        self.graph = graph
        self.standalone = standalone
        self.lines: list[str] = []
        self.helpers: dict[str, None] = {}
        self.globals: dict[str, Any] = {}
        self.names: dict[Value, Expression] = {}
        self.constants: dict[Value, str] = {}
        self.count = 0
        self.line: Location | None = None
        broadcast = OPS["broadcast_to"]
        self.slices = {n.result: n for n in graph.nodes if n.op is OPS["slice"]}
        self.source = {n.result: n.operands[0] for n in graph.nodes if n.op is broadcast}
        self.uses = Counter(v for node in graph.nodes for v in self.reads(node)) + Counter(graph.guarded_outputs)

        folds = {n.result: n for n in graph.nodes if isinstance(n.op, kinds.Reduction)}
        #: Folds whose one reader puts the axes back: they are printed with keepdims.
        self.kept = {
            n.operands[0] for n in graph.nodes
            if n.op is OPS["reshape"] and n.operands[0] in folds and self.uses[n.operands[0]] == 1
            and n.params["shape"] == _kept_shape(folds[n.operands[0]])
        }  # fmt: skip

    # -- the whole ------------------------------------------------------------------------------------

    def program(self, name: str | None) -> Program:
        graph, taken = self.graph, set(HELPERS)
        title = _identifier(name or graph.name, set(), "program")
        arguments = [_identifier(v.name, taken, f"x{i}") for i, v in enumerate(graph.inputs)]
        for value, argument in zip(graph.inputs, arguments, strict=True):
            self.names[value] = Expression(argument)
        for node in graph.nodes:
            if any(self.uses[r] for r in node.results):
                self.statement(node)
        results = [self.read(v).text for v in graph.guarded_outputs]
        self.lines.append(f"return ({', '.join(results)}{',' if len(results) == 1 else ''})")
        head = [f"def {title}({', '.join(arguments)}):", *self.docstring(arguments)]
        body = [f"    {line}" for line in self.lines]
        constants = [f"{c} = {text}" for c, text in self.spelled().items()] if self.standalone else []
        helpers = [HELPERS[h] + "\n" for h in self.helpers]
        text = "\n".join(["import numpy as np\n", *constants, *([""] if constants else []), *helpers, *head, *body, ""])
        return Program(text, title, self.globals)

    def docstring(self, arguments: list[str]) -> list[str]:
        given = ", ".join(f"{a}: {v.type}" for a, v in zip(arguments, self.graph.inputs, strict=True))
        outputs = ", ".join(str(v.type) for v in self.graph.outputs)
        guards = ["", f"    Then {len(self.graph.guards)} guards, to be checked: the branches that were taken."] if self.graph.guards else []
        first = f'    """{given} -> ({outputs})'
        return [first, *guards, '    """'] if guards else [first + '"""']

    def spelled(self) -> dict[str, str]:
        """The array constants as Python text."""
        return {name: spell_array(value.array) for value, name in self.constants.items() if isinstance(value, Constant)}

    # -- one node ---------------------------------------------------------------------------------------

    def reads(self, node: Node) -> tuple[Value, ...]:
        """What a node's text mentions: an elementwise op broadcasts by itself where that gives its shape."""
        if not isinstance(node.op, kinds.Elementwise):
            return node.operands
        bare = tuple(self.source.get(v, v) for v in node.operands)
        moving = [v for v in bare if not (isinstance(v, Constant) and not v.type.shape)]
        shapes = [v.type.shape for v in moving]
        return bare if shapes and np.broadcast_shapes(*shapes) == node.result.type.shape else node.operands

    def statement(self, node: Node) -> None:
        """Print a node, or keep it as an expression for its one reader."""
        result = node.result
        expression = _WRITERS[type(node.op)](self, node)
        short = expression.depth < DEPTH and len(expression.text) <= LENGTH
        if self.uses[result] == 1 and short and (isinstance(node.op, kinds.Elementwise) or node.op.name in _VIEWS):
            self.names[result] = expression
            return
        if expression.depth == 0 and not expression.compound:  # another name for what is there
            self.names[result] = expression
            return
        self.comment(node.location)
        self.names[result] = Expression(self.assign(expression.text))

    def assign(self, text: str) -> str:
        name = f"v{self.count}"
        self.count += 1
        self.lines.append(f"{name} = {text}")
        return name

    def comment(self, location: Location | None) -> None:
        """The user's line, when it changes; only characters that cannot end a comment."""
        if location is not None and location != self.line:
            self.line = location
            self.lines.append("# " + re.sub(r"[^A-Za-z0-9_.<>:]", "?", str(location)))

    def read(self, value: Value) -> Expression:
        """A value as an operand."""
        if value in self.names:
            return self.names[value]
        assert isinstance(value, Constant)  # noqa: S101 (every other value is named when it is made)
        if not value.type.shape:
            return Expression(spell_scalar(value.array[()], typed=True))
        if value not in self.constants:
            self.constants[value] = f"c{len(self.constants)}"
            self.globals[self.constants[value]] = value.array
        return Expression(self.constants[value])

    def literal(self, value: Value, *, typed: bool) -> Expression:
        """A value as an operand of a ufunc, in which a scalar constant may be a Python number."""
        if isinstance(value, Constant) and not value.type.shape and not typed:
            text = spell_scalar(value.array[()], typed=False)
            return Expression(text, compound=text.startswith("-"))
        return self.read(value)

    def helper(self, name: str) -> str:
        if name == "_matmul":
            self.helpers["_scale"] = None  # it calls that one
        self.helpers[name] = None
        return name


def spell_scalar(x: Any, *, typed: bool) -> str:
    """A number so that Python reads the same bits: a literal, or one in its dtype."""
    kind = x.dtype.kind
    if kind == "f" and not np.isfinite(x):
        text = "np.nan" if np.isnan(x) else "np.inf" if x > 0 else "-np.inf"
    elif kind == "c" and not np.isfinite(x):
        return f"complex({spell_scalar(x.real, typed=False)}, {spell_scalar(x.imag, typed=False)})"
    else:
        text = repr(x.item())
    return f"np.{x.dtype.name.replace('bool', 'bool_')}({text})" if typed else text


def spell_array(array: np.ndarray[Any, Any]) -> str:
    """An array as text: a list while it is short, else its bytes."""
    dtype = f"np.{array.dtype.name.replace('bool', 'bool_')}"
    plain = array.dtype.kind in "biu" or (array.dtype.kind == "f" and np.isfinite(array).all())
    if array.size <= INLINE and plain:
        return f"np.array({array.tolist()!r}, {dtype}).reshape({array.shape!r})" if 0 in array.shape else f"np.array({array.tolist()!r}, {dtype})"
    little = array.astype(array.dtype.newbyteorder("<"))
    return f"np.frombuffer(bytes.fromhex({little.tobytes().hex()!r}), {dtype}).reshape({array.shape!r})"


# -- a case per kind ------------------------------------------------------------------------------------


def _elementwise(p: _Printer, node: Node) -> Expression:
    op, reads = node.op, p.reads(node)
    assert isinstance(op, kinds.Elementwise)  # noqa: S101 (the table below dispatches on it)
    if op.symbol == "identity":
        return p.read(reads[0])
    if op.symbol == "cast":
        return _cast(p, node, reads[0])
    # a Python number takes the dtype of the arrays it meets; with none beside it, it must say its own
    number = [isinstance(v, Constant) and not v.type.shape for v in reads]
    data = list(zip(reads, number, strict=True))[1 if op.symbol == "?:" else 0 :]
    alone = all(n for _, n in data) and any(v.type.dtype not in (np.float64, np.int64, np.bool_) for v, _ in data)
    shift = op.symbol in ("<<", ">>")
    parts = [p.literal(v, typed=alone or shift or all(number)) for v in reads]
    depth = 1 + max(part.depth for part in parts)
    if op.symbol in OPERATORS and len(parts) == 2:
        left, right = (part.operand for part in parts)
        return Expression(f"{left} {OPERATORS[op.symbol]} {right}", depth, compound=True)
    if op.symbol in UNARY:
        return Expression(f"{UNARY[op.symbol]}{parts[0].operand}", depth, compound=True)
    name = p.helper("_scale") if op is OPS["scale"] else f"np.{op.name}"
    return Expression(f"{name}({', '.join(part.text for part in parts)})", depth)


def _cast(p: _Printer, node: Node, operand: Value) -> Expression:
    dtype = DTYPES[node.params["dtype"]]
    inner = p.read(operand)
    if operand.type.dtype == dtype:  # weak or not, the same numbers
        return inner
    return Expression(f"np.{dtype.name.replace('bool', 'bool_')}({inner.text})", inner.depth + 1)


def _reduction(p: _Printer, node: Node) -> Expression:
    (x,), axes, op = node.operands, node.params["axes"], node.op
    text, whole = p.read(x).text, len(axes) == x.type.ndim
    if op.name in ("argmax", "argmin") and not whole and len(axes) != 1:
        order = (*(a for a in range(x.type.ndim) if a not in axes), *axes)
        lead = tuple(x.type.shape[a] for a in order[: x.type.ndim - len(axes)])
        count = int(np.prod([x.type.shape[a] for a in axes], dtype=int))
        return Expression(f"np.{op.name}(np.transpose({text}, {order}).reshape({(*lead, count)}), axis=-1)", 2)
    axis = "" if whole else f", axis={axes[0] if len(axes) == 1 else axes}"
    narrow = op.name in ("sum", "prod") and x.type.dtype.kind in "iub" and x.type.dtype.itemsize < 8
    dtype = f", dtype=np.{x.type.dtype.name.replace('bool', 'bool_')}" if narrow else ""
    if whole and not x.type.shape and op.name in ("argmax", "argmin"):
        return Expression("np.int64(0)", 1)
    keep = ", keepdims=True" if node.result in p.kept else ""
    return Expression(f"np.{op.name}({text}{axis}{dtype}{keep})", 1)


def _kept_shape(node: Node) -> tuple[int, ...] | None:
    """The shape with the folded axes kept, of a fold that NumPy can keep them for."""
    (x,), axes = node.operands, node.params["axes"]
    if node.op.name in ("argmax", "argmin"):
        return None
    return tuple(1 if a in axes else n for a, n in enumerate(x.type.shape))


def _cumulative(p: _Printer, node: Node) -> Expression:
    (x,), axis = node.operands, node.params["axis"]
    text, dtype = p.read(x).text, f"np.{x.type.dtype.name}"
    if node.params["reverse"]:
        return Expression(f"np.flip(np.cumsum(np.flip({text}, {axis}), axis={axis}, dtype={dtype}), {axis})", 3)
    return Expression(f"np.cumsum({text}, axis={axis}, dtype={dtype})", 1)


def spell_key(start: Any, size: Any, step: Any) -> str:
    """The slices that take ``size`` elements from ``start`` on."""
    parts = []
    for s, n, d in zip(start, size, step, strict=True):
        stop = s + d * n
        parts.append(f"{s}:{'' if stop < 0 else stop}" + ("" if d == 1 else f":{d}"))
    return ", ".join(parts) or "..."


def _movement(p: _Printer, node: Node) -> Expression:
    write = _MOVEMENTS.get(node.op.name)
    if write is None:
        return _by_pieces(p, node)
    return write(p, node, [p.read(v).text for v in node.operands], node.params)


def _place(p: _Printer, node: Node, xs: list[str], params: dict[str, Any]) -> Expression:
    name = p.assign(f"np.zeros({params['shape']}, np.{node.result.type.dtype.name.replace('bool', 'bool_')})")
    key = spell_key(params["start"], node.operands[0].type.shape, params["step"])
    p.lines.append(f"{name}[{key}] = {xs[0]}")
    return Expression(name)


def _transposed(p: _Printer, node: Node, xs: list[str], params: dict[str, Any]) -> Expression:
    plain = params["axes"] == tuple(range(len(params["axes"])))[::-1]
    return Expression(f"{_wrapped(xs[0])}.T" if plain else f"np.transpose({xs[0]}, {params['axes']})", 1)


def _wrapped(text: str) -> str:
    return text if re.fullmatch(r"\w+", text) else f"({text})"


def _reshaped(p: _Printer, node: Node, xs: list[str], params: dict[str, Any]) -> Expression:
    """``np.reshape``; but where it drops the axes of a slice that has one element there, an integer index."""
    if node.operands[0] in p.kept:
        return p.read(node.operands[0])
    cut = p.slices.get(node.operands[0])
    if cut is None or p.uses[node.operands[0]] != 1:
        return Expression(f"np.reshape({xs[0]}, {params['shape']})", 1)
    size, key = cut.params["size"], []
    left = list(params["shape"])
    for s, n, d in zip(cut.params["start"], size, cut.params["step"], strict=True):
        if left and left[0] == n and not (n == 1 and len(left) < len(size) - len(key)):
            left.pop(0)
            key.append(spell_key((s,), (n,), (d,)))
        elif n == 1:
            key.append(str(s))
        else:
            return Expression(f"np.reshape({xs[0]}, {params['shape']})", 1)
    if left:
        return Expression(f"np.reshape({xs[0]}, {params['shape']})", 1)
    return Expression(f"{_wrapped(p.read(cut.operands[0]).text)}[{', '.join(key)}]", 1)


#: Views cheap enough to be written where they are read, if only there.
_VIEWS = ("slice", "transpose")

_MOVEMENTS: dict[str, Callable[[_Printer, Node, list[str], dict[str, Any]], Expression]] = {
    "reshape": _reshaped,
    "transpose": _transposed,
    "broadcast_to": lambda p, n, xs, params: Expression(f"np.broadcast_to({xs[0]}, {params['shape']})", 1),
    "concatenate": lambda p, n, xs, params: Expression(f"np.concatenate([{', '.join(xs)}], axis={params['axis']})", 1),
    "slice": lambda p, n, xs, params: Expression(
        f"{_wrapped(xs[0])}[{spell_key(params['start'], params['size'], params['step'])}]", 1),
    "place": _place,
}


def _by_pieces(p: _Printer, node: Node) -> Expression:
    """A movement without a NumPy spelling: its pieces, as strided views of the flat operands."""
    out = node.result.type
    shapes = tuple(v.type.shape for v in node.operands)
    name = p.assign(f"np.zeros({out.shape}, np.{out.dtype.name.replace('bool', 'bool_')})")
    for piece in node.op.pieces(shapes, out.shape, node.params):  # type: ignore[attr-defined]
        flat = f"np.ascontiguousarray({p.read(node.operands[piece.operand]).text})"
        size = out.dtype.itemsize
        strides = tuple(s * size for s in piece.strides)
        view = f"np.ndarray({piece.size}, {flat}.dtype, {flat}, {piece.offset * size}, {strides})"
        p.lines.append(f"{name}[{spell_key(piece.start, piece.size, piece.step)}] = {view}")
    return Expression(name)


def _contraction(p: _Printer, node: Node) -> Expression:
    """One matrix product, operands transposed and reshaped as the plan says."""
    x, y = node.operands
    plan = matmul.plan(node.params["subscripts"], x.type.shape, y.type.shape)
    if plan.swap:
        x, y = y, x
    left = _arranged(p.read(x).text, plan.x_axes, plan.x_shape)
    right = _arranged(p.read(y).text, plan.y_axes, plan.y_shape)
    scaled = node.op.scaled and node.result.type.dtype.kind in "fc"  # type: ignore[attr-defined]
    product = f"{p.helper('_matmul')}({left}, {right})" if scaled else f"{left} @ {right}"
    if plan.out_shape is None and plan.out_axes is None:
        return Expression(product, 1, compound=True)
    text = product if plan.out_shape is None else f"np.reshape({product}, {plan.out_shape})"
    return Expression(text if plan.out_axes is None else f"np.transpose({text}, {plan.out_axes})", 2)


def _arranged(text: str, axes: Any, shape: Any) -> str:
    text = _wrapped(text)
    if axes is not None:
        text = f"{text}.T" if axes == tuple(range(len(axes)))[::-1] else f"np.transpose({text}, {axes})"
    return text if shape is None else f"np.reshape({text}, {shape})"


def _indexing(p: _Printer, node: Node) -> Expression:
    x, indices = (p.read(v).text for v in node.operands)
    axis = node.params["axis"]
    if node.op.gather and _known_inside(node):  # type: ignore[attr-defined]
        return Expression(f"np.take({x}, {indices}, axis={axis})", 1)
    name = "_take" if node.op.gather else "_scatter_add"  # type: ignore[attr-defined]
    size = "" if node.op.gather else f", {node.params['size']}"  # type: ignore[attr-defined]
    return Expression(f"{p.helper(name)}({x}, {indices}, {axis}{size})", 1)


def _known_inside(node: Node) -> bool:
    """Whether the indices are constants that lie inside the axis."""
    x, indices = node.operands
    size = x.type.shape[node.params["axis"]]
    return isinstance(indices, Constant) and bool(((indices.array >= 0) & (indices.array < size)).all())


def _library(p: _Printer, node: Node) -> Expression:
    op, xs = node.op, [p.read(v).text for v in node.operands]
    if op.name in LIBRARY:
        return Expression(LIBRARY[op.name](*xs, **node.params), 1)
    if p.standalone:
        message = f"The python backend cannot print {op.name!r} as stand-alone code; run the graph on 'python' or 'numpy' instead."
        raise BackendError(message, op=op.name, location=node.location)
    p.globals[f"library_{op.name}"] = op.call  # type: ignore[attr-defined]
    params = "".join(f", {k}={v!r}" for k, v in node.params.items())
    return Expression(f"library_{op.name}({', '.join(xs)}{params})", 1)


def _control(p: _Printer, node: Node) -> Expression:
    message = f"{node.op.name} should have been inlined before printing."
    raise BackendError(message, op=node.op.name)


_WRITERS: dict[type[kinds.Op], Callable[[_Printer, Node], Expression]] = {
    kinds.Elementwise: _elementwise,
    kinds.Reduction: _reduction,
    kinds.Cumulative: _cumulative,
    kinds.Movement: _movement,
    kinds.Contraction: _contraction,
    kinds.Indexing: _indexing,
    kinds.Library: _library,
    kinds.Control: _control,
}
check_kinds("python", _WRITERS)
