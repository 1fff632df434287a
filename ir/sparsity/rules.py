"""How patterns pass through a node: a rule per kind, and a row per library op that is not dense everywhere.

Each rule gives, for every result, which elements of the active inputs its elements may depend on.  What the kinds
promise:

=============  ====================================================================================================
Elementwise    exact: the operands' patterns, united; an operand whose partial is None counts for nothing, nor does
               what is multiplied with a known zero, or not chosen by a known condition
Reduction      exact: the rows of each group, united
Cumulative     exact: each result, the rows up to it, from the end where reverse
Movement       exact: the pieces
Contraction    exact: the rows that are summed, without those that meet a known zero
Indexing       exact where the indices are known; else, of every place along the axis (a superset)
Library        dense (a superset); along one axis, or within one matrix of a stack, where its row in LIBRARY says so
Control        see :mod:`wengert.ir.sparsity.control`
=============  ====================================================================================================

*Exact* is structural: an entry is one that some partials make nonzero.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from wengert.ir import kinds
from wengert.ir.graph import Node
from wengert.ir.ops import OPS
from wengert.ir.sparsity.flow import Flow, Result, Rule
from wengert.ir.sparsity.known import movement_rows
from wengert.ir.sparsity.patterns import Pattern, stacked, starts_of, united

__all__ = ["KINDS", "LIBRARY", "dense"]


def _places(shape: tuple[int, ...]) -> Any:
    """The number of each element, in C order."""
    return np.arange(math.prod(shape)).reshape(shape)


def _elementwise(flow: Flow, node: Node) -> Result:
    partials = node.op.partials  # type: ignore[attr-defined]
    moving = [k for k, v in enumerate(node.operands) if partials[k] is not None and v in flow.patterns]
    return flow.union([_unmasked(flow, node, k) for k in moving])


def _unmasked(flow: Flow, node: Node, k: int) -> Pattern:
    """An operand's pattern, without the elements that nothing is known to flow through."""
    pattern = flow.patterns[node.operands[k]]
    if node.op in (OPS["multiply"], OPS["scale"]):
        other = flow.known.array(node.operands[1 - k])
        return pattern if other is None else pattern.kept(np.ravel(other != 0))
    if node.op is OPS["where"]:
        condition = flow.known.array(node.operands[0])
        return pattern if condition is None else pattern.kept(np.ravel(condition == (k == 1)))
    return pattern


def _reduction(flow: Flow, node: Node) -> Result:
    if node.op.partial is None:  # type: ignore[attr-defined]
        return None
    return _over(flow.patterns[node.operands[0]], node.operands[0].type.shape, node.params["axes"])


def _over(pattern: Pattern, shape: tuple[int, ...], axes: Sequence[int]) -> Pattern:
    """The rows along some axes, united."""
    kept = tuple(1 if a in axes else n for a, n in enumerate(shape))
    groups = np.broadcast_to(_places(kept), shape).ravel()
    return pattern.grouped(groups, math.prod(kept))


def _spread(pattern: Pattern, kept: tuple[int, ...], shape: tuple[int, ...]) -> Pattern:
    """The rows of an array of shape ``kept``, broadcast."""
    return pattern.take(np.broadcast_to(_places(kept), shape).ravel())


def _cumulative(flow: Flow, node: Node) -> Result:
    """Each column of a line is there from the first row on that has it."""
    shape, axis = node.result.type.shape, node.params["axis"]
    n, lines = shape[axis], math.prod(shape) // max(shape[axis], 1)
    at = np.moveaxis(_places(shape), axis, -1)
    at = (at[..., ::-1] if node.params["reverse"] else at).reshape(lines, n)
    operands = []
    for k, v in enumerate(node.operands):
        if v in flow.patterns:
            keep = np.ones(math.prod(shape), bool)
            if node.op.fold == "linear" and k == 0:  # type: ignore[attr-defined]
                keep[at[:, :1]] = False  # the first result carries nothing on
            operands.append(flow.patterns[v].kept(keep))
    pattern = united(operands)
    places = np.empty(math.prod(shape), np.int64)
    places[at] = np.arange(lines * n).reshape(lines, n)
    line, position = np.divmod(places[pattern.row], max(n, 1))
    order = np.lexsort((position, pattern.indices, line))
    line, column, position = line[order], pattern.indices[order], position[order]
    first = np.ones(len(order), bool)
    first[1:] = (line[1:] != line[:-1]) | (column[1:] != column[:-1])
    line, column, position = line[first], column[first], position[first]
    counts = n - position
    starts = starts_of(counts)
    reached = np.arange(starts[-1]) + np.repeat(position - starts[:-1], counts)
    rows = at[np.repeat(line, counts), reached]
    return Pattern.of_pairs(rows, np.repeat(column, counts), math.prod(shape), flow.columns)


def _movement(flow: Flow, node: Node) -> Result:
    if node.op is OPS["reshape"]:
        return flow.patterns[node.operands[0]]
    return stacked([flow.of(v) for v in node.operands]).take(movement_rows(node))


def _indexing(flow: Flow, node: Node) -> Result:
    if node.operands[0] not in flow.patterns:
        return None
    pattern, axis, out = flow.patterns[node.operands[0]], node.params["axis"], node.result.type.shape
    shape, count = node.operands[0].type.shape, len(node.operands[1].type.shape)
    gather = node.op.gather  # type: ignore[attr-defined]
    indices = flow.known.array(node.operands[1])
    size = shape[axis] if gather else out[axis]
    if indices is not None and np.all((indices >= 0) & (indices < size)):
        if gather:
            return pattern.take(np.take(_places(shape), indices, axis=axis).ravel())
        return pattern.grouped(np.take(_places(out), indices, axis=axis).ravel(), math.prod(out))
    if gather:
        kept = (*shape[:axis], *(1,) * count, *shape[axis + 1 :])
        return _spread(_over(pattern, shape, (axis,)), kept, out)
    kept = (*out[:axis], 1, *out[axis + 1 :])
    return _spread(_over(pattern, shape, tuple(range(axis, axis + count))), kept, out)


def _contraction(flow: Flow, node: Node) -> Result:
    return flow.union([_factor(flow, node, k) for k, v in enumerate(node.operands) if v in flow.patterns])


def _factor(flow: Flow, node: Node, k: int) -> Pattern:
    """What the result depends on through one operand."""
    *terms, out = kinds.Contraction.split(node.params["subscripts"])
    mine, its = terms[k], terms[1 - k]
    x, y = node.operands[k], node.operands[1 - k]
    sizes = dict(zip(mine + its, x.type.shape + y.type.shape, strict=True))
    pattern, shape = flow.patterns[x], node.result.type.shape
    known = flow.known.array(y)
    if known is not None and not np.any(known):
        return Pattern.empty(node.result.type.size, flow.columns)
    if known is not None and np.count_nonzero(known) < known.size:
        free = [c for c in mine if c not in its]
        met = np.nonzero(known)
        count = math.prod(sizes[c] for c in free)
        places = dict(zip(its, (np.repeat(m, count) for m in met), strict=True))
        rest = np.tile(np.arange(count), len(met[0]))
        places |= dict(zip(free, np.unravel_index(rest, [sizes[c] for c in free]), strict=True)) if free else {}
        here, there = (_raveled(places, letters, sizes, len(rest)) for letters in (mine, out))
        return pattern.take(here).grouped(there, node.result.type.size)
    summed = tuple(i for i, c in enumerate(mine) if c not in out)
    pattern = _over(pattern, x.type.shape, summed)
    kept = "".join(c for c in mine if c in out)
    places = _places(tuple(sizes[c] for c in kept)).transpose([kept.index(c) for c in out if c in kept])
    axes = tuple(slice(None) if c in kept else None for c in out)
    return pattern.take(np.broadcast_to(places[axes], shape).ravel())


def _raveled(places: dict[str, Any], letters: str, sizes: dict[str, int], count: int) -> Any:
    """The flat places of elements from those along each axis."""
    flat = np.zeros(count, np.int64)
    for c in letters:
        flat = flat * sizes[c] + places[c]
    return flat


# -- ops that are a library's --------------------------------------------------------------------------


def _library(flow: Flow, node: Node) -> Result:
    if node.op.jvp is None:  # type: ignore[attr-defined]
        return (None,) * len(node.results)
    return LIBRARY.get(node.op.name, dense)(flow, node)


def dense(flow: Flow, node: Node) -> Result:
    """Everything depends on everything."""
    parts = [flow.patterns[v].grouped(None, 1) for v in node.operands if v in flow.patterns]
    whole = united(parts)
    return tuple(whole.take(np.zeros(v.type.size, np.int64)) for v in node.results)


def _along_axis(flow: Flow, node: Node) -> Result:
    """Line by line along one axis, of which a result may have another size."""
    (x,), axis = node.operands, node.params["axis"]
    lines = _over(flow.patterns[x], x.type.shape, (axis,))
    kept = (*x.type.shape[:axis], 1, *x.type.shape[axis + 1 :])
    return tuple(_spread(lines, kept, v.type.shape) for v in node.results)


def _of_stacks(flow: Flow, node: Node) -> Result:
    """Matrix by matrix: the axes before the last two of an operand are a stack."""
    stack = node.operands[0].type.shape[:-2]
    parts = [_over(flow.patterns[v], v.type.shape, (len(stack), len(stack) + 1))
             for v in node.operands if v in flow.patterns]  # fmt: skip
    each = united(parts)
    return tuple(
        _spread(each, (*stack, *(1,) * (v.type.ndim - len(stack))), v.type.shape) for v in node.results
    )


_STACKS = """solve cofactors det slogdet pinv lstsq cholesky qr svd svdvals eigh eigvalsh eig complement eigh_evr
    expm_along expm""".split()
#: Library ops of which the results do not all depend on everything.
LIBRARY: dict[str, Rule] = {
    **dict.fromkeys(("sort", "fft", "ifft", "rfft", "irfft"), _along_axis),
    **dict.fromkeys(_STACKS, _of_stacks),
}


KINDS: dict[type[kinds.Op], Rule] = {
    kinds.Elementwise: _elementwise,
    kinds.Reduction: _reduction,
    kinds.Cumulative: _cumulative,
    kinds.Movement: _movement,
    kinds.Contraction: _contraction,
    kinds.Indexing: _indexing,
    kinds.Library: _library,
}
