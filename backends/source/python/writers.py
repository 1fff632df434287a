"""How each kind of op is written in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from wengert.backends import libraries, matmul
from wengert.backends.protocol import check_kinds
from wengert.backends.source.python.literals import Expression, dtype_name, spell_key
from wengert.backends.source.python.loops import control
from wengert.backends.source.python.spelling import LIBRARY, OPERATORS, UNARY
from wengert.ir import kinds
from wengert.ir.errors import BackendError
from wengert.ir.graph import Constant, Node, Value
from wengert.ir.types import DTYPES

if TYPE_CHECKING:
    from wengert.backends.source.python.emit import Printer

__all__ = ["VIEWS", "WRITERS", "kept_shape"]

def _elementwise(p: Printer, node: Node) -> Expression:
    op, reads = node.op, p.reads(node)
    assert isinstance(op, kinds.Elementwise)
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
    arguments = ", ".join(part.text for part in parts)
    if op.library is not None:
        return Expression(_from_library(p, node, arguments), depth)
    name = p.helper(_OURS[op.name]) if op.name in _OURS else f"np.{op.function.__name__}"
    return Expression(f"{name}({arguments})", depth)


def _from_library(p: Printer, node: Node, arguments: str) -> str:
    """A library's function: by its dotted name in a text that stands alone, in process the object itself."""
    op = node.op
    assert isinstance(op, kinds.Elementwise)
    assert op.library is not None
    if p.standalone:
        module, name, k = libraries.split(op.library)
        p.imports[f"import {module}"] = None
        return f"{module}.{name}({arguments})" + ("" if k is None else f"[{k}]")
    p.globals[f"library_{op.name}"] = libraries.find(op, node.location)
    return f"library_{op.name}({arguments})"


#: Elementwise ops without a NumPy function, and the helpers that stand for them.
_OURS = {"scale": "_scale", "complex": "_complex"}


def _cast(p: Printer, node: Node, operand: Value) -> Expression:
    dtype = DTYPES[node.params["dtype"]]
    inner = p.read(operand)
    if operand.type.dtype == dtype:  # weak or not, the same numbers
        return inner
    if dtype in (np.float64, np.complex128) and operand.type.shape and operand.type.size == 1:
        # np.float64, which is also a Python float, makes a scalar of one element before NumPy 2.4
        return Expression(f"np.asarray({inner.text}, {dtype_name(dtype)})", inner.depth + 1)
    return Expression(f"{dtype_name(dtype)}({inner.text})", inner.depth + 1)


def kept_shape(node: Node) -> tuple[int, ...] | None:
    """The shape with the folded axes kept, of a fold that NumPy can keep them for."""
    (x,), axes = node.operands, node.params["axes"]
    if node.op.name in ("argmax", "argmin"):
        return None
    return tuple(1 if a in axes else n for a, n in enumerate(x.type.shape))


def _reduction(p: Printer, node: Node) -> Expression:
    (x,), axes, op = node.operands, node.params["axes"], node.op
    text, whole = p.read(x).operand, len(axes) == x.type.ndim
    if op.name in ("argmax", "argmin") and not whole and len(axes) != 1:
        order = (*(a for a in range(x.type.ndim) if a not in axes), *axes)
        lead = tuple(x.type.shape[a] for a in order[: x.type.ndim - len(axes)])
        count = int(np.prod([x.type.shape[a] for a in axes], dtype=int))
        return Expression(f"{text}.transpose({order}).reshape({(*lead, count)}).{op.name}(axis=-1)", 2)
    axis = "" if whole else f"axis={axes[0] if len(axes) == 1 else axes}"
    narrow = op.name in ("sum", "prod") and x.type.dtype.kind in "iub" and x.type.dtype.itemsize < 8
    dtype = f"dtype={dtype_name(x.type.dtype)}" if narrow else ""
    if whole and not x.type.shape and op.name in ("argmax", "argmin"):
        return Expression("np.int64(0)", 1)
    keep = "keepdims=True" if node.result in p.kept else ""
    given = ", ".join(filter(None, (axis, dtype, keep)))
    if not x.type.shape:  # which may be Python's own number
        return Expression(f"np.{op.name}({', '.join(filter(None, (p.read(x).text, given)))})", 1)
    return Expression(f"{text}.{op.name}({given})", 1)


def _cumulative(p: Printer, node: Node) -> Expression:
    *_, x = node.operands
    axis, fold, dtype = node.params["axis"], node.op.fold, dtype_name(x.type.dtype)  # type: ignore[attr-defined]
    texts = [p.read(v).text for v in node.operands]
    if fold == "linear":
        return Expression(f"{p.helper('_recurrence')}({', '.join(texts)}, {axis}, {node.params['reverse']})", 1)
    name = {"+": "np.cumsum", "*": "np.cumprod", "max": "np.maximum.accumulate", "min": "np.minimum.accumulate"}[fold]
    if node.params["reverse"]:
        return Expression(f"np.flip({name}(np.flip({texts[0]}, {axis}), axis={axis}, dtype={dtype}), {axis})", 3)
    return Expression(f"{name}({texts[0]}, axis={axis}, dtype={dtype})", 1)


def _movement(p: Printer, node: Node) -> Expression:
    write = _MOVEMENTS.get(node.op.name)
    if write is None:
        return _by_pieces(p, node)
    return write(p, node, [p.read(v).text for v in node.operands], node.params)


def _place(p: Printer, node: Node, xs: list[str], params: dict[str, Any]) -> Expression:
    name = p.assign(f"np.zeros({params['shape']}, {dtype_name(node.result.type.dtype)})")
    key = spell_key(params["start"], node.operands[0].type.shape, params["step"])
    p.lines.append(f"{name}[{key}] = {xs[0]}")
    return Expression(name)


def _transposed(p: Printer, node: Node, xs: list[str], params: dict[str, Any]) -> Expression:
    plain = params["axes"] == tuple(range(len(params["axes"])))[::-1]
    text = p.read(node.operands[0]).operand
    return Expression(f"{text}.T" if plain else f"{text}.transpose({params['axes']})", 1)


def _reshaped(p: Printer, node: Node, xs: list[str], params: dict[str, Any]) -> Expression:
    """``np.reshape``; but where it drops the axes of a slice that has one element there, an integer index."""
    if node.operands[0] in p.kept:
        return p.read(node.operands[0])
    cut = p.slices.get(node.operands[0])
    x = p.read(node.operands[0])
    plain = Expression(f"{x.operand}.reshape({params['shape']})" if node.operands[0].type.shape
                       else f"np.reshape({x.text}, {params['shape']})", 1)  # fmt: skip
    if cut is None or p.uses[node.operands[0]] != 1:
        return plain
    size = cut.params["size"]
    key: list[str] = []
    left = list(params["shape"])
    for s, n, d in zip(cut.params["start"], size, cut.params["step"], strict=True):
        if left and left[0] == n and not (n == 1 and len(left) < len(size) - len(key)):
            left.pop(0)
            key.append(spell_key((s,), (n,), (d,)))
        elif n == 1:
            key.append(str(s))
        else:
            return plain
    if left:
        return plain
    return Expression(f"{p.read(cut.operands[0]).operand}[{', '.join(key)}]", 1)


#: Views cheap enough to be written where they are read, if only there.
VIEWS = ("slice", "transpose")

_MOVEMENTS: dict[str, Callable[[Printer, Node, list[str], dict[str, Any]], Expression]] = {
    "reshape": _reshaped,
    "transpose": _transposed,
    "broadcast_to": lambda p, n, xs, params: Expression(f"np.broadcast_to({xs[0]}, {params['shape']})", 1),
    "concatenate": lambda p, n, xs, params: Expression(f"np.concatenate([{', '.join(xs)}], axis={params['axis']})", 1),
    "slice": lambda p, n, xs, params: Expression(
        f"{p.read(n.operands[0]).operand}[{spell_key(params['start'], params['size'], params['step'])}]", 1),
    "place": _place,
}


def _by_pieces(p: Printer, node: Node) -> Expression:
    """A movement without a NumPy spelling: its pieces, as strided views of the flat operands."""
    out = node.result.type
    shapes = tuple(v.type.shape for v in node.operands)
    name = p.assign(f"np.zeros({out.shape}, {dtype_name(out.dtype)})")
    for piece in node.op.pieces(shapes, out.shape, node.params):  # type: ignore[attr-defined]
        flat = f"np.ascontiguousarray({p.read(node.operands[piece.operand]).text})"
        size = out.dtype.itemsize
        strides = tuple(s * size for s in piece.strides)
        view = f"np.ndarray({piece.size}, {flat}.dtype, {flat}, {piece.offset * size}, {strides})"
        p.lines.append(f"{name}[{spell_key(piece.start, piece.size, piece.step)}] = {view}")
    return Expression(name)


def _contraction(p: Printer, node: Node) -> Expression:
    """One matrix product, operands transposed and reshaped as the plan says."""
    x, y = node.operands
    plan = matmul.plan(node.params["subscripts"], x.type.shape, y.type.shape)
    if plan.swap:
        x, y = y, x
    left = _arranged(p.read(x).operand, plan.x_axes, plan.x_shape)
    right = _arranged(p.read(y).operand, plan.y_axes, plan.y_shape)
    scaled = node.op.scaled and node.result.type.dtype.kind in "fc"  # type: ignore[attr-defined]
    outer = min(len(plan.x_shape or x.type.shape), len(plan.y_shape or y.type.shape)) > 1 and (
        (plan.x_shape or _permuted(x.type.shape, plan.x_axes))[-1] == 1)
    product = f"{p.helper('_matmul')}({left}, {right})" if scaled else f"{left} {'*' if outer else '@'} {right}"
    if plan.out_shape is None and plan.out_axes is None:
        return Expression(product, 1, compound=True)
    text = product if scaled else f"({product})"
    text = text if plan.out_shape is None else f"{text}.reshape({plan.out_shape})"
    return Expression(text if plan.out_axes is None else f"{text}.transpose({plan.out_axes})", 2)


def _permuted(shape: tuple[int, ...], axes: Any) -> tuple[int, ...]:
    return shape if axes is None else tuple(shape[a] for a in axes)


def _arranged(text: str, axes: Any, shape: Any) -> str:
    if axes is not None:
        text = f"{text}.T" if axes == tuple(range(len(axes)))[::-1] else f"{text}.transpose({axes})"
    return text if shape is None else f"{text}.reshape({shape})"


def _indexing(p: Printer, node: Node) -> Expression:
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


def _library(p: Printer, node: Node) -> Expression:
    op, xs = node.op, [p.read(v).text for v in node.operands]
    if op.name in LIBRARY and p.standalone:
        text = LIBRARY[op.name](*xs, **node.params)
        if text.startswith("_"):
            p.helper(text.partition("(")[0])
        return Expression(text, 1)
    if p.standalone:
        message = (
            f"The python backend cannot print {op.name!r} as stand-alone code; "
            "run the graph on 'python' or 'numpy' instead."
        )
        raise BackendError(message, op=op.name, location=node.location)
    name = f"{op.name}_{len(p.globals)}"
    p.globals[name] = lambda *xs, **params: op.run(xs, params, node.location)  # type: ignore[attr-defined]
    params = "".join(f", {k}={v!r}" for k, v in node.params.items())
    return Expression(f"{name}({', '.join(xs)}{params})", 1)


WRITERS: dict[type[kinds.Op], Callable[[Printer, Node], Expression]] = {
    kinds.Elementwise: _elementwise,
    kinds.Reduction: _reduction,
    kinds.Cumulative: _cumulative,
    kinds.Movement: _movement,
    kinds.Contraction: _contraction,
    kinds.Indexing: _indexing,
    kinds.Library: _library,
    kinds.Control: control,
}
check_kinds("python", WRITERS)
