"""Lanes along unit vectors: what is known of the zeros in them is not forgotten.

A value of which each element moves in one lane alone is kept as one number per element (``Unit``), through everything
that works element by element or moves elements.  So a product with a matrix is, the first time, that matrix with its
columns (rows, in reverse) scaled, and lanes are filled from then on (``Dense``).  Of these, too, what works element by
element is kept as one number per element, that all of its lanes are yet to be multiplied by (``Scaled``).

Zeros that are left out are exact ones, which ``scale`` makes of everything: the answers are those of all lanes, but for
the order in which factors are multiplied.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from attrs import frozen

from wengert.ir import kinds
from wengert.ir.batching import RULES, Lanes, sources
from wengert.ir.build import Namespace
from wengert.ir.graph import Constant, Node, Value
from wengert.ir.ops import OPS
from wengert.ir.sharing import number
from wengert.ir.types import ArrayType, is_stack

__all__ = ["Dense", "Form", "Scaled", "Unit", "Walk"]

Ints: TypeAlias = np.ndarray[Any, Any]


@frozen(eq=False)
class Unit:
    """Element e is ``value[e]`` in the lane ``lane[e]``, and zero in the others; in all of them where that is -1."""

    value: Value
    lane: Ints


@frozen(eq=False)
class Dense:
    """A number in every lane; these are along the last axis, or where :mod:`wengert.ir.batching` has them."""

    value: Value
    last: bool


@frozen(eq=False)
class Scaled:
    """Element e is that of ``base``, in every lane, times ``value[e]``."""

    value: Value
    base: Dense


Form: TypeAlias = Unit | Dense | Scaled


class Walk:
    """One pass over the nodes of a derivative; the lanes are to be along a last axis in forward mode, else a first."""

    def __init__(self, xp: Namespace, size: int, forward: bool) -> None:
        self.xp, self.size, self.forward = xp, size, forward
        self.lanes = Lanes(xp, size)

    def follow(self, node: Node, here: Sequence[Form | Value]) -> Sequence[Form | Value]:
        """The results of a node of which some operands have lanes."""
        found = UNITS[type(node.op)](self, node, here) if type(node.op) in UNITS else None
        if found is not None:
            return (found,)
        if self.forward and type(node.op) in LAST and all(_is_array(v.type) for v in node.operands):
            last = LAST[type(node.op)](self, node, here)
            if last is not None:
                return (Dense(last, last=True),)
        operands = tuple(v if isinstance(v, Value) else self.first(v) for v in here)
        flags = [not isinstance(v, Value) for v in here]
        copy = Node(node.op, operands, node.params, node.results, node.location)
        results = RULES[type(node.op)](self.lanes, copy, flags)
        pairs = zip(results, node.results, strict=True)
        return [Dense(r, last=False) if r.type.ndim > v.type.ndim else r for r, v in pairs]

    # -- where the lanes are --------------------------------------------------------------------------

    def number(self, value: Any) -> float | None:
        """The number that every element of a value without lanes is known to be."""
        found = number(value, self.xp.builder.made) if isinstance(value, Value) else None  # type: ignore[attr-defined]
        return None if found is None or found.dtype.kind == "c" else float(found)

    def nothing(self, value: Value) -> Form:
        """What is the same along every direction is zero."""
        return Unit(value, np.full(value.type.shape, -1))

    def filled(self, form: Form) -> Value:
        """With a number in every lane, along the last axis in forward mode, else along the first."""
        return self.last(form) if self.forward else self.first(form)

    def last(self, form: Form | Value) -> Value:
        """The value with lanes along a last axis; what has none is repeated."""
        if isinstance(form, Unit):
            return self._spread(form, last=True)
        if not isinstance(form, Value):
            form = self.dense(form)
            return form.value if form.last else self.lanes.moved(form.value, 0, form.value.type.ndim - 1)
        shape = form.type.shape
        return self.xp.lift(self.repeated(form, (*shape, 1), (*shape, self.size)))

    def first(self, form: Form) -> Value:
        """The value with lanes where batching has them."""
        if isinstance(form, Unit):
            return self._spread(form, last=False)
        form = self.dense(form)
        return self.lanes.moved(form.value, form.value.type.ndim - 1, 0) if form.last else form.value

    def dense(self, form: Dense | Scaled) -> Dense:
        """With all lanes multiplied."""
        if isinstance(form, Dense):
            return form
        base, shape = form.base, form.value.type.shape
        factor = self.repeated(form.value, (*shape, 1) if base.last else (1, *shape), base.value.type.shape)
        return Dense(self.xp.lift(self.xp.scale(factor, self.xp.wrap(base.value))), last=base.last)

    def repeated(self, value: Value, wide: tuple[int, ...], full: tuple[int, ...]) -> Any:
        """The value in a shape with more axes, repeated along these."""
        known = self.number(value)
        if known is not None:
            return self.xp.full(full, known, value.type.dtype)
        return self.xp.broadcast_to(self.xp.reshape(self.xp.wrap(value), wide), full)

    def one(self, form: Dense) -> Scaled:
        """The same, as a multiple of itself."""
        type_ = form.value.type
        shape = type_.shape[:-1] if form.last else type_.shape[1:]
        return Scaled(self.xp.lift(self.xp.full(shape, 1, type_.dtype)), form)

    def _spread(self, unit: Unit, *, last: bool) -> Value:
        xp, n, shape, value = self.xp, self.size, unit.value.type.shape, self.xp.wrap(unit.value)
        full = (*shape, n) if last else (n, *shape)
        count = unit.lane.size
        if count == 0 or (unit.lane < 0).all():
            return xp.lift(xp.full(full, 0, value.dtype))
        if (found := _progression(unit.lane)) is not None:  # elements at equal distances
            start, step = found
            start, step = (start, n + step) if last else (start * count, step * count + 1)
            flat = xp.reshape(value, (count,))
            if step != 1 or count != count * n:
                flat = xp.place(flat, shape=(count * n,), start=(start,), step=(step,))
            return xp.lift(xp.reshape(flat, full))
        wide = (*shape, 1) if last else (1, *shape)
        numbers = np.arange(n) if last else np.arange(n).reshape(n, *(1,) * len(shape))
        here = xp.equal(unit.lane.reshape(wide), numbers)
        return xp.lift(xp.where(here, xp.reshape(value, wide), value.dtype.type(0)))

    def placed(self, lines: Value, start: int, step: int) -> Dense:
        """A value of which some lanes are given, in all of them: the others are zero."""
        last, ndim = self.forward, lines.type.ndim
        at = ndim - 1 if last else 0
        if lines.type.shape[at] != self.size:
            pick = lambda here, others: tuple(here if a == at else others[a] for a in range(ndim))
            shape = pick(self.size, lines.type.shape)
            params = {"shape": shape, "start": pick(start, (0,) * ndim), "step": pick(step, (1,) * ndim)}
            lines = self.lanes.emit(OPS["place"], (lines,), **params)[0]
        return Dense(lines, last=last)


def _is_array(type_: ArrayType) -> bool:
    return not is_stack(type_)


def _progression(lane: Ints) -> tuple[int, int] | None:
    """Start and step of lanes at equal distances, in C order."""
    flat = lane.ravel()
    step = int(flat[1] - flat[0]) if len(flat) > 1 else 1
    if flat[0] < 0 or step < 1 or (len(flat) > 2 and not (np.diff(flat) == step).all()):
        return None
    return int(flat[0]), step


# -- one number per element -----------------------------------------------------------------------------------


def _zero(walk: Walk, x: Any) -> bool:
    return isinstance(x, Value) and walk.number(x) == 0


def _elementwise(walk: Walk, node: Node, here: Sequence[Form | Value]) -> Form | None:
    """What maps zeros to zeros, on the numbers."""
    if not _keeps_zeros(walk, node.op.name, here):
        return None
    moving = [x for x in here if not isinstance(x, Value)]
    if all(isinstance(x, Unit) for x in moving):
        if any(not np.array_equal(x.lane, moving[0].lane) for x in moving[1:]):  # type: ignore[union-attr]
            return None
        operands = [x if isinstance(x, Value) else x.value for x in here]
        return Unit(walk.lanes.emit(node.op, operands, **node.params)[0], moving[0].lane)  # type: ignore[union-attr]
    scaled = [walk.one(x) if isinstance(x, Dense) else x for x in here]
    bases = [x.base for x in scaled if isinstance(x, Scaled)]
    if node.op.name not in _MULTIPLES or len(bases) < len(moving) or not _is_array(node.result.type) or (
        any(x.value is not bases[0].value for x in bases)):
        return None
    operands = [x if isinstance(x, Value) else x.value for x in scaled]
    return Scaled(walk.lanes.emit(node.op, operands, **node.params)[0], bases[0])


#: What does the same to a multiple as to the number that it is multiplied by.
_MULTIPLES = ("add", "divide", "multiply", "negative", "positive", "scale", "subtract", "where")


def _keeps_zeros(walk: Walk, name: str, here: Sequence[Form | Value]) -> bool:
    """Whether an elementwise op gives exact zeros where its moving operands are."""
    if name in ("multiply", "divide"):
        known = here[1] if isinstance(here[1], Value) else here[0] if name == "multiply" else None
        by = walk.number(known)
        return by is not None and bool(np.isfinite(by)) and (by != 0 or name == "multiply")
    if name in ("add", "subtract"):
        return all(_zero(walk, x) for x in here if isinstance(x, Value))
    if name == "where":
        return isinstance(here[0], Value) and all(_zero(walk, x) for x in here[1:] if isinstance(x, Value))
    return name == "scale" or len(here) == 1


def _movement(walk: Walk, node: Node, here: Sequence[Form | Value]) -> Form | None:
    if any(isinstance(x, (Dense, Scaled)) or (isinstance(x, Value) and not _zero(walk, x)) for x in here):
        return None
    lanes = [x.lane if isinstance(x, Unit) else np.full(x.type.shape, -1) for x in here]  # type: ignore[union-attr]
    flat = np.concatenate([*(lane.ravel() for lane in lanes), [-1]])
    operands = [x.value if isinstance(x, Unit) else x for x in here]
    value = walk.lanes.emit(node.op, operands, **node.params)[0]  # type: ignore[arg-type]
    return Unit(value, flat[sources(node, [lane.shape for lane in lanes])])


def _indexing(walk: Walk, node: Node, here: Sequence[Form | Value]) -> Form | None:
    x, indices = here
    if not isinstance(x, Unit) or not isinstance(indices, Constant):
        return None
    axis, i = node.params["axis"], indices.array
    size = x.lane.shape[axis] if node.op.gather else node.params["size"]  # type: ignore[attr-defined]
    if i.size and (i.min() < 0 or i.max() >= size):
        return None  # an error when it is run
    if node.op.gather:  # type: ignore[attr-defined]
        lane = np.take(x.lane, i, axis=axis)
    elif len(np.unique(i)) == i.size:
        lane = np.full(node.result.type.shape, -1)
        lane[(*(slice(None),) * axis, i)] = x.lane
    else:
        return None
    return Unit(walk.lanes.emit(node.op, (x.value, indices), **node.params)[0], lane)


def _reduction(walk: Walk, node: Node, here: Sequence[Form | Value]) -> Form | None:
    """The sum of all units has each of them in its lane; the sum of multiples is a product with a matrix."""
    (x,) = here
    if node.op.name != "sum":
        return None
    if isinstance(x, Scaled) and walk.number(x.value) is None:
        letters = string.ascii_letters[: x.value.type.ndim]
        out = "".join(c for a, c in enumerate(letters) if a not in node.params["axes"])
        base, end = (f"{letters}Z", f"{out}Z") if x.base.last else (f"Z{letters}", f"Z{out}")
        operands = (x.value, x.base.value)
        (total,) = walk.lanes.emit(OPS["scale_einsum"], operands, subscripts=f"{letters},{base}->{end}")
        return Dense(total, last=x.base.last)
    if not isinstance(x, Unit) or node.result.type.size != 1 or not x.lane.size:
        return None
    if (found := _progression(x.lane)) is None:
        return None
    count, ones = (x.lane.size,), node.result.type.shape
    lines = walk.xp.reshape(walk.xp.wrap(x.value), (*ones, *count) if walk.forward else (*count, *ones))
    return walk.placed(walk.xp.lift(lines), *found)


def _contraction(walk: Walk, node: Node, here: Sequence[Form | Value]) -> Form | None:
    """Without a sum, a product of numbers; summed over all of a unit's letters, the other operand scaled."""
    k = 1 if isinstance(here[0], Value) else 0
    unit, known, xp = here[k], here[1 - k], walk.xp
    if not isinstance(known, Value) or not node.op.scaled:  # type: ignore[attr-defined]
        return None
    terms = kinds.Contraction.split(node.params["subscripts"])
    term, other, out = terms[k], terms[1 - k], terms[2]
    if not isinstance(unit, Unit):
        if term != out:
            return None
        scaled: Any = walk.one(unit) if isinstance(unit, Dense) else unit
        return Scaled(walk.lanes.emit(node.op, _pair(k, scaled.value, known), **node.params)[0], scaled.base)
    if not unit.lane.size:
        return None
    if set(term) <= set(out) and set(other) <= set(out):
        wide = [unit.lane.shape[term.index(c)] if c in term else 1 for c in out]
        lane = np.transpose(unit.lane, [term.index(c) for c in out if c in term]).reshape(wide)
        value = walk.lanes.emit(node.op, _pair(k, unit.value, known), **node.params)[0]
        return Unit(value, np.broadcast_to(lane, value.type.shape))
    found = _progression(unit.lane)
    if not set(term).isdisjoint(out) or found is None:
        return None
    order = (*out, *term) if walk.forward else (*term, *out)
    whole = xp.transpose(xp.wrap(known), [other.index(c) for c in order])
    shape, ones = unit.value.type.shape, (1,) * len(out)
    factor = walk.repeated(unit.value, (*ones, *shape) if walk.forward else (*shape, *ones), whole.shape)
    scaled = xp.lift(xp.scale(factor, whole))
    rest, count = tuple(known.type.shape[other.index(c)] for c in out), unit.lane.size
    lines = xp.reshape(xp.wrap(scaled), (*rest, count) if walk.forward else (count, *rest))
    return walk.placed(xp.lift(lines), *found)


def _pair(k: int, x: Value, y: Value) -> tuple[Value, Value]:
    """x as the operand of number ``k``, y as the other."""
    return (x, y) if k == 0 else (y, x)


#: What becomes of units; None where lanes have to be filled.
UNITS: dict[type[kinds.Op], Callable[[Walk, Node, Sequence[Any]], Form | None]] = {
    kinds.Elementwise: _elementwise,
    kinds.Movement: _movement,
    kinds.Indexing: _indexing,
    kinds.Reduction: _reduction,
    kinds.Contraction: _contraction,
}


# -- lanes along a last axis ------------------------------------------------------------------------------------


def _last_movement(walk: Walk, node: Node, here: Sequence[Form | Value]) -> Value | None:
    n, p, operands = walk.size, node.params, [walk.last(x) for x in here]
    more: dict[str, Callable[[], dict[str, Any]]] = {
        "reshape": lambda: {"shape": (*p["shape"], n)},
        "transpose": lambda: {"axes": (*p["axes"], len(p["axes"]))},
        "broadcast_to": lambda: {"shape": (*p["shape"], n)},
        "concatenate": lambda: p,
        "slice": lambda: {"start": (*p["start"], 0), "size": (*p["size"], n), "step": (*p["step"], 1)},
        "place": lambda: {"shape": (*p["shape"], n), "start": (*p["start"], 0), "step": (*p["step"], 1)},
    }
    return walk.lanes.emit(node.op, operands, **more[node.op.name]())[0] if node.op.name in more else None


def _last_elementwise(walk: Walk, node: Node, here: Sequence[Form | Value]) -> Value:
    weak = {"weak": False} if "weak" in node.params else {}  # an array is never weak
    return walk.lanes.emit(node.op, [walk.last(x) for x in here], **{**node.params, **weak})[0]


def _last_axis(walk: Walk, node: Node, here: Sequence[Form | Value]) -> Value:
    """Reductions and running folds: the axes in front stay."""
    return walk.lanes.emit(node.op, [walk.last(x) for x in here], **node.params)[0]


def _last_indexing(walk: Walk, node: Node, here: Sequence[Form | Value]) -> Value | None:
    x, indices = here
    return walk.lanes.emit(node.op, (walk.last(x), indices), **node.params)[0] if isinstance(indices, Value) else None


def _last_contraction(walk: Walk, node: Node, here: Sequence[Form | Value]) -> Value | None:
    x, y, out = kinds.Contraction.split(node.params["subscripts"])
    letter = next((c for c in string.ascii_letters if c not in x + y), None)
    if letter is None:
        return None
    terms = [term if isinstance(v, Value) else term + letter for term, v in zip((x, y), here, strict=True)]
    operands = [v if isinstance(v, Value) else walk.last(v) for v in here]
    return walk.lanes.emit(node.op, operands, subscripts=f"{terms[0]},{terms[1]}->{out}{letter}")[0]


#: None where the lanes have to come first.
LAST: dict[type[kinds.Op], Callable[[Walk, Node, Sequence[Any]], Value | None]] = {
    kinds.Elementwise: _last_elementwise,
    kinds.Movement: _last_movement,
    kinds.Reduction: _last_axis,
    kinds.Cumulative: _last_axis,
    kinds.Indexing: _last_indexing,
    kinds.Contraction: _last_contraction,
}
