"""Reductions, alone or with the loop that computes what they fold."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from attrs import define

from wengert.backends.source.c.loops.nests import Nest, fill, run_body
from wengert.backends.source.c.planning.bodies import Body
from wengert.backends.source.c.planning.plan import Plan, Unit
from wengert.backends.source.c.planning.views import folded_into, whole
from wengert.backends.source.c.scalars.helpers import BLOCK, SHORT
from wengert.backends.source.c.scalars.spelling import literal, local, spell
from wengert.backends.source.c.scalars.statements import Kernel
from wengert.ir.kinds import FOLDS, Reduction

__all__ = ["blocks", "reduction"]

#: Functions that fold one line of floating numbers.
_LINES = {"+": "pairwise", "max": "largest", "min": "smallest"}
_SYMBOL = {"+": "+", "*": "*", "and": "and", "or": "or"}


class Fold:
    """One reduction in the making: its nest, and how an element is had."""

    def __init__(self, kernel: Kernel, plan: Plan, unit: Unit) -> None:
        *self.nodes, self.node = unit.nodes
        self.kernel, self.plan = kernel, plan
        assert isinstance(self.node.op, Reduction)
        self.operand = self.node.operands[0]
        self.fold = self.node.op.fold
        self.dtype, self.out = self.operand.type.dtype, self.node.result
        self.kept = [whole(v) for v in unit.kept] if self.nodes else []
        shape, axes = self.operand.type.shape, set(self.node.params["axes"])
        self.target = folded_into(self.node)
        self.body = Body(plan, self.nodes, [*self.kept, whole(self.operand)])
        views = [*self.body.leaves, *self.kept] if self.nodes else [plan.view(self.operand)]
        self.nest = Nest(kernel, shape, [self.target, *views], [a in axes for a in range(len(shape))])
        labels = self.nest.labels
        self.reduced = [a for a, label in enumerate(labels) if label]
        self.others = [a for a, label in enumerate(labels) if not label]

    def value(self) -> str:
        """The element the loops stand at."""
        if self.nodes:
            return run_body(self.nest, self.body, {view: [view] for view in self.kept})[whole(self.operand)]
        return self.nest.load(self.plan.view(self.operand))

    @property
    def inner(self) -> int:
        """How many elements the innermost loop has."""
        return self.nest.shape[-1] if self.nest.shape else 1


def _identity(fold: str, dtype: np.dtype[Any]) -> str:
    """What a fold starts from."""
    if fold in ("max", "min", "argmax", "argmin"):
        low = fold in ("max", "argmax")
        if dtype.kind == "b":
            return literal(not low, dtype)
        if dtype.kind == "c":
            return literal(complex(-np.inf, -np.inf) if low else complex(np.inf, np.inf), dtype)
        if dtype.kind == "f":
            return literal(-np.inf if low else np.inf, dtype)
        info = np.iinfo(dtype)
        return literal(info.min if low else info.max, dtype)
    return literal(fold in ("*", "and"), dtype) if dtype.kind == "b" else literal(fold == "*", dtype)


def _update(f: Fold, total: str, value: str) -> str:
    """The statement that folds one more value in."""
    if f.fold in _SYMBOL:
        types = (f.dtype, f.dtype)
        text = spell(_SYMBOL[f.fold], f.kernel.helpers, f.dtype, types, [total, value])
        return f"{total} = {text};"
    better = _better(f, ">" if f.fold == "max" else "<", value, total)
    nan = f" || {value} != {value}" if f.dtype.kind == "f" else ""  # NaN wins, and stays: nothing is above it
    if f.dtype.kind == "c":  # the first of them, as they differ
        nan = f" || ({value} != {value} && {total} == {total})"
    return f"if ({better}{nan}) {total} = {value};"


def _better(f: Fold, sign: str, value: str, total: str) -> str:
    return spell(sign, f.kernel.helpers, np.dtype(bool), (f.dtype, f.dtype), [value, total])


def reduction(kernel: Kernel, plan: Plan, unit: Unit) -> None:
    """A fold over axes.

    Where the innermost axis is reduced, each result is folded in a local; floating sums pairwise.
    Where it is kept, results are folded in memory, line by line, as the operand lies.
    """
    f = Fold(kernel, plan, unit)
    if f.operand.type.size == 0:
        fill(kernel, f.out, _identity(f.fold, f.out.type.dtype))
    elif f.fold in ("argmax", "argmin"):
        _each_result(f, _position)
    elif f.nest.labels and not f.nest.labels[-1] and f.reduced:
        _in_memory(f)
    elif not f.reduced or f.dtype.kind not in "fc" or f.inner < 8 or (f.dtype.kind == "c" and f.fold != "+"):
        _each_result(f, _simple)
    elif f.fold in _LINES and not f.nodes:
        _each_result(f, _by_lines)
    elif f.fold == "+":
        _each_result(f, _fused_sum)
    else:
        _each_result(f, _simple)


def _each_result(f: Fold, fold: Callable[[Fold], str]) -> None:
    f.nest.enter(f.others)
    f.nest.store(f.target, fold(f))
    f.nest.leave(len(f.others))


def _in_memory(f: Fold) -> None:
    fill(f.kernel, f.out, _identity(f.fold, f.dtype))
    f.nest.enter()
    value = f.value()
    f.kernel.line(_update(f, f"{f.kernel.write(f.out)}[{f.nest.index(f.target)}]", value))
    f.nest.leave()


def _simple(f: Fold) -> str:
    total = f.kernel.name("s")
    f.kernel.line(f"{local(f.dtype)} {total} = {_identity(f.fold, f.dtype)};")
    flat = f.dtype.kind in "fc" and f.nest.backwards(f.reduced)
    (f.nest.enter_flat if flat else f.nest.enter)(f.reduced)
    f.kernel.line(_update(f, total, f.value()))
    f.nest.leave(1 if flat else len(f.reduced))
    return total


def _position(f: Fold) -> str:
    """The first best element: only a better one, or the first NaN, takes its place."""
    k, sign = f.kernel, ">" if f.fold == "argmax" else "<"
    best, where, count = k.name("s"), k.name("p"), k.name("n")
    k.line(f"{local(f.dtype)} {best} = {_identity(f.fold, f.dtype)};")
    k.line(f"int64_t {where} = 0, {count} = 0;")
    f.nest.enter(f.reduced)
    value = f.value()
    nan = f" || ({value} != {value} && {best} == {best})" if f.dtype.kind in "fc" else ""
    k.open(f"if ({_better(f, sign, value, best)}{nan})")
    k.line(f"{best} = {value};")
    k.line(f"{where} = {count};")
    k.close()
    k.line(f"++{count};")
    f.nest.leave(len(f.reduced))
    return where


def _by_lines(f: Fold) -> str:
    """Folds of an array that is there, by a function that knows how to fold a line."""
    view, axis = f.plan.view(f.operand), f.reduced[-1]
    name = _LINES[f.fold] if f.inner > SHORT or f.fold != "+" else "block_sum"
    function = f.kernel.helpers.need(name, f.dtype)
    first = f"&{f.kernel.read(view.base)}[{f.nest.index(view, without=axis)}]"
    line = f"{function}({first}, {f.inner}, {f.nest.strides[view][axis]})"
    if len(f.reduced) == 1:
        return line
    total = f.kernel.name("s")
    f.kernel.line(f"{local(f.dtype)} {total} = {_identity(f.fold, f.dtype)};")
    f.nest.enter(f.reduced[:-1])
    f.kernel.line(_update(f, total, f.kernel.define(f.dtype, line)))
    f.nest.leave(len(f.reduced) - 1)
    return total


def _fused_sum(f: Fold) -> str:
    """Sums of what this loop computes."""
    axis = f.reduced[-1]
    index = f.nest.names[axis]
    with blocks(f.kernel, f.dtype, index, f.inner, lambda: f.nest.enter(f.reduced[:-1])) as block:
        f.kernel.line(f"{block.element} = {f.value()};")
    f.nest.leave(len(f.reduced) - 1)
    return block.total


@define
class Blocks:
    """Where the terms of a long sum go, and where its total is."""

    element: str
    total: str


@contextlib.contextmanager
def blocks(k: Kernel, dtype: np.dtype[Any], i: str, n: int, around: Callable[[], None]) -> Iterator[Blocks]:
    """The loop ``i`` over ``n`` terms of a sum, 512 at a time into a small buffer.

    The sums of the blocks are added in a tree.  ``around`` opens the loops outside, if more than
    one axis is summed.
    """
    block, add = k.name("block"), k.helpers.need("block_sum", dtype)
    k.line(f"{local(dtype)} {block}[{n if n <= SHORT else BLOCK}];")
    depth, mark = k.depth, len(k.lines)
    around()
    if n <= SHORT and len(k.lines) == mark:
        k.open(f"for (ptrdiff_t {i} = 0; {i} < {n}; ++{i})")
        yield Blocks(f"{block}[{i}]", f"{add}({block}, {n}, 1)")
        k.close()
        return
    level, count, start, end = map(k.name, ("level", "n", "start", "end"))
    push = k.helpers.need("push", dtype)
    tree = [f"{local(dtype)} {level}[64];", f"uint64_t {count} = 0;"]
    k.lines[mark:mark] = ["    " * depth + text for text in tree]
    k.open(f"for (ptrdiff_t {start} = 0; {start} < {n}; {start} += {BLOCK})")
    rest = f"{start} + {BLOCK} < {n} ? {start} + {BLOCK} : {n}"
    k.line(f"const ptrdiff_t {end} = {rest};")
    k.open(f"for (ptrdiff_t {i} = {start}; {i} < {end}; ++{i})")
    yield Blocks(f"{block}[{i} - {start}]", f"total_{push.removeprefix('push_')}({level}, {count})")
    k.close()
    k.line(f"{push}({level}, {count}++, {add}({block}, {end} - {start}, 1));")
    k.close()


assert {"+", "*", "max", "min", "and", "or", "argmax", "argmin"} == set(FOLDS), "a fold without C"
