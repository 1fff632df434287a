"""``reduce``, ``accumulate``, ``reduceat``, ``outer`` and ``at`` of every ufunc.

What NumPy allows, and of which dtype and shape the result is, NumPy is asked: by the same call on ones.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.ir.graph import Constant
from wengert.tracer.array import Array, find_arrays, namespace_of, refuse
from wengert.tracer.indexing import known, normal_indices, positions
from wengert.tracer.numpy_api import movement, reductions
from wengert.tracer.numpy_api.support import as_array, axis_of, converted, refuse_plain_out
from wengert.tracer.numpy_api.ufuncs import called, delivered, held
from wengert.tracer.plain import counted

__all__ = ["METHODS"]

NO = np._NoValue  # noqa: SLF001 (the default of NumPy's own options)

#: Folds that are ops.
_REDUCE: dict[Any, Any] = {
    np.add: reductions.sum_, np.multiply: reductions.prod, np.maximum: reductions.max_, np.minimum: reductions.min_,
    np.logical_and: reductions.all_, np.logical_or: reductions.any_,
}  # fmt: skip
_RUNNING: dict[Any, str] = {np.add: "cumsum", np.multiply: "cumprod", np.maximum: "cummax", np.minimum: "cummin"}
#: In any grouping the same (but for rounding), so that a tree or a scan of few nodes does.
_ASSOCIATIVE = {
    np.add, np.multiply, np.maximum, np.minimum, np.fmax, np.fmin, np.logical_and, np.logical_or, np.logical_xor,
    np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.gcd, np.lcm, np.hypot, np.logaddexp, np.logaddexp2,
}  # fmt: skip
#: The others are written out step by step; no program should be longer than that for one call.
MOST_STEPS = 4096


def _given(names: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Positional options by name; those that are None are left to their defaults, except the axis."""
    given = dict(zip(names.split(), inputs, strict=False)) | kwargs
    given |= {k: counted(given[k]) for k in ("axis", "indices") if k in given}
    return {k: v for k, v in given.items() if k == "axis" or (v is not None and v is not NO)}


def _ones(xp: Any, item: Any) -> np.ndarray[Any, Any]:
    """Ones in place of an array."""
    type_ = xp.lift(item).type
    return np.broadcast_to(np.ones((), type_.dtype), type_.shape)


def _like(
    xp: Any, ufunc: Any, method: str, x: Any, *args: Any, out: tuple[Any], **options: Any
) -> tuple[np.ndarray[Any, Any], np.dtype[Any]]:
    """What NumPy makes of ones, or its error; and the dtype it computes in, which depends on ``out``, too."""
    options = {k: _ones(xp, v) if find_arrays((v,)) else v for k, v in options.items()}
    ones, (target,) = _ones(xp, x), out
    with np.errstate(all="ignore"):
        like = getattr(ufunc, method)(ones, *args, **options)
        if target is not None:
            getattr(ufunc, method)(ones, *args, **options, out=np.ones(target.shape, target.dtype))
    dtype = like.dtype
    if target is not None and "dtype" not in options:
        dtype = ufunc.resolve_dtypes((target.dtype, ones.dtype, None), casting="unsafe")[-1]
    held(ufunc, ones.dtype, (*(np.dtype(bool),) * ufunc.nin, dtype), 0)
    return like, dtype


def _out(given: dict[str, Any]) -> tuple[Any]:
    out = given.pop("out", None)
    refuse_plain_out(out)
    return out if isinstance(out, tuple) else (out,)


# ----- Folds -----


def _reduce(ufunc: Any, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    given = _given("axis dtype out keepdims initial where", inputs[1:], kwargs)
    out = _out(given)
    x, axis = inputs[0], given.pop("axis", 0)
    if ufunc is np.ldexp:
        raise refuse("np.ldexp.reduce, whose two operands differ in dtype, is not traced.", "Use x * 2.0**n.sum().")
    xp = namespace_of(x, *given.values(), *out)
    like, dtype = _like(xp, ufunc, "reduce", x, axis=axis, out=out, **given)
    array = as_array(xp, x)
    function = _REDUCE.get(ufunc)
    if function is not None and not (ufunc in (np.logical_and, np.logical_or) and {"initial", "dtype"} & given.keys()):
        result = function(array, axis=axis, **({"dtype": dtype} | given if ufunc in (np.add, np.multiply) else {
            k: v for k, v in given.items() if k != "dtype"}))  # fmt: skip
        return delivered(xp.cast(result, dtype), out, casting="unsafe")
    axes = range(array.ndim) if axis is None else (np.atleast_1d(axis) % max(array.ndim, 1)).tolist()
    rest = [a for a in range(array.ndim) if a not in axes]
    if not array.ndim:
        array = xp.reshape(array, (1,))
        axes = [0]
    mask, initial = given.get("where", True), given.get("initial")
    array = _ready(xp, ufunc, array, dtype)
    if mask is not True:
        mask = xp.broadcast_to(as_array(xp, mask), array.shape)
    parts = [_lines(xp, item, tuple(axes), rest) for item in (array, mask) if item is not True]
    if initial is not None:
        initial = xp.broadcast_to(xp.cast(as_array(xp, initial), array.dtype), parts[0].shape[1:])
    result = _folded(xp, ufunc, parts[0], initial, parts[1] if len(parts) > 1 else None)
    if result is None:  # nothing to fold
        return delivered(as_array(xp, np.array(like)), out, casting="unsafe")
    return delivered(xp.reshape(xp.cast(result, dtype), like.shape), out, casting="unsafe")


def _ready(xp: Any, ufunc: Any, array: Array, dtype: np.dtype[Any]) -> Array:
    """The elements in the dtype of the fold: truth for logic, else that of the result."""
    if ufunc.__name__.startswith("logical_"):
        return array if array.dtype.kind == "b" else xp.not_equal(array, 0)
    return xp.cast(array, dtype)


def _lines(xp: Any, x: Any, axes: tuple[int, ...], rest: list[int]) -> Array:
    """The folded axes as one, in front."""
    turned = xp.transpose(x, (*axes, *rest))
    count = int(np.prod([x.shape[a] for a in axes], dtype=int))
    return xp.reshape(turned, (count, *turned.shape[len(axes) :]))


def _folded(xp: Any, ufunc: Any, x: Array, initial: Any, mask: Any) -> Any:
    """The fold along the first axis; None where there is nothing to fold."""
    if mask is not None:
        return _masked(xp, ufunc, x, initial, mask)
    if ufunc in _ASSOCIATIVE:
        if x.shape[0]:
            total = _tree(ufunc, x)
            return total if initial is None else ufunc(initial, total)
        return initial
    _limit(ufunc, "reduce", x.shape[0])
    steps = [x[i] for i in range(x.shape[0])] if initial is None else [initial, *(x[i] for i in range(x.shape[0]))]
    return functools.reduce(lambda a, b: xp.cast(ufunc(a, b), a.dtype), steps) if steps else None


def _masked(xp: Any, ufunc: Any, x: Array, initial: Any, mask: Array) -> Array:
    """One element after the other, those that are masked passed over."""
    _limit(ufunc, "reduce with where=", x.shape[0])
    total = initial
    if total is None:
        total = xp.full(x.shape[1:], ufunc.identity, x.dtype)  # NumPy asks for initial= where there is none
    for i in range(x.shape[0]):
        total = xp.where(mask[i], xp.cast(ufunc(total, x[i]), x.dtype), total)
    return total


def _tree(ufunc: Any, x: Array) -> Array:
    """Neighbours folded, level by level: the order of the elements stays."""
    while (n := x.shape[0]) > 1:
        paired = ufunc(x[0 : n - 1 : 2], x[1:n:2])
        x = movement.concatenate([paired, x[n - 1 :]]) if n % 2 else paired
    return x[0]


def _limit(ufunc: Any, method: str, n: int) -> None:
    if n > MOST_STEPS:
        raise refuse(
            f"np.{ufunc.__name__}.{method} over {n} elements would be as many steps in the program: it is no "
            f"associative fold; at most {MOST_STEPS} are written out.",
            "Write it with sums, products or cumulative sums.",
        )


# ----- Running folds -----


def _accumulate(ufunc: Any, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    given = _given("axis dtype out", inputs[1:], kwargs)
    out = _out(given)
    x, axis = inputs[0], given.pop("axis", 0)
    xp = namespace_of(x, *out)
    _, dtype = _like(xp, ufunc, "accumulate", x, axis=axis, out=out, **given)
    array = _ready(xp, ufunc, as_array(xp, x), dtype)
    axis = axis_of(axis, array.ndim)
    if ufunc in _RUNNING:
        result = getattr(xp, _RUNNING[ufunc])(array, axis)
    else:
        run = _scan if ufunc in _ASSOCIATIVE else _steps
        moved = movement.moveaxis(array, axis, 0)
        result = movement.moveaxis(run(ufunc, moved), 0, axis) if array.size else array
    return delivered(xp.cast(result, dtype), out, casting="unsafe")


def _scan(ufunc: Any, x: Array) -> Array:
    """By doubling: after k rounds each element has folded the 2**k up to it."""
    done, n = 1, x.shape[0]
    while done < n:
        x = movement.concatenate([x[:done], ufunc(x[:-done], x[done:])])
        done *= 2
    return x


def _steps(ufunc: Any, x: Array) -> Array:
    _limit(ufunc, "accumulate", x.shape[0])
    found = [x[0]]
    for i in range(1, x.shape[0]):
        found.append(x.xp.cast(ufunc(found[-1], x[i]), x.dtype))
    return movement.stack(found)


# ----- Folds of slices -----


def _reduceat(ufunc: Any, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Segment i goes from index i to the next one, or is the single element where that is not above it."""
    given = _given("indices axis dtype out", inputs[1:], kwargs)
    out = _out(given)
    x, indices, axis = inputs[0], given.pop("indices"), given.pop("axis", 0)
    if find_arrays((indices,)):
        raise refuse("np.ufunc.reduceat with traced indices is not traced.", "Pass plain integers.")
    xp = namespace_of(x, *out)
    like, dtype = _like(xp, ufunc, "reduceat", x, indices, axis=axis, out=out, **given)
    array = _ready(xp, ufunc, as_array(xp, x), dtype)
    axis = axis_of(axis, array.ndim)
    starts = np.asarray(indices, dtype=np.int64)
    if not starts.size:
        return delivered(as_array(xp, np.array(like)), out, casting="unsafe")
    ends = np.maximum(np.append(starts[1:], array.shape[axis]), starts + 1)
    moved = movement.moveaxis(array, axis, 0)
    if ufunc is np.add and array.dtype.kind != "b":
        result = _sums(xp, moved, starts, ends)
    else:
        result = movement.stack([_folded(xp, ufunc, moved[i:j], None, None) for i, j in zip(starts, ends, strict=True)])
    return delivered(xp.cast(movement.moveaxis(result, 0, axis), dtype), out, casting="unsafe")


def _sums(xp: Any, x: Array, starts: Any, ends: Any) -> Array:
    """All segments at once: each element is added to its own."""
    counts = ends - starts
    segment = np.repeat(np.arange(len(starts)), counts)
    place = np.concatenate([np.arange(i, j) for i, j in zip(starts, ends, strict=True)])
    taken = xp.take(x, xp.constant(place), axis=0)
    return xp.scatter_add(taken, xp.constant(segment), axis=0, size=len(starts))


# ----- All pairs, and places -----


def _outer(ufunc: Any, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    xp = namespace_of(*inputs, *kwargs.values())
    if ufunc.nin != 2 or ufunc.signature is not None or len(inputs) != 2:
        ufunc.outer(*map(functools.partial(_ones, xp), inputs))  # NumPy's error
    x, y = (xp.cast(item, item.dtype) for item in (xp.wrap(xp.lift(item)) for item in inputs))  # never weak
    return called(ufunc, (movement.reshape(x, (*x.shape, *(1,) * y.ndim)), y), **kwargs)


def _at(ufunc: Any, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """``x[indices] = ufunc(x[indices], values)``, repeated places in turn."""
    x, indices, *values = (*inputs, *kwargs.values())
    refuse_plain_out(x)
    if not x.shape and ufunc.nout == 1:
        message = "first operand must be array"
        raise TypeError(message)
    xp = namespace_of(x, *values)
    indices = tuple(map(_plain, indices)) if isinstance(indices, tuple) else _plain(indices)
    traced = bool(find_arrays((indices,)))
    with np.errstate(all="ignore"):  # NumPy's errors; at traced indices those of the dtypes
        stand_ins = [np.ones((), xp.lift(v).type.dtype) if traced else _ones(xp, v) for v in values]
        ufunc.at(np.ones(x.shape, x.dtype), ... if traced else indices, *stand_ins)
    sums = ufunc in (np.add, np.subtract) and np.can_cast(xp.lift(values[0]).type.dtype, x.dtype, "same_kind")
    if traced or (sums and x.dtype.kind != "b"):
        _added(xp, ufunc, x, indices, values)
        return
    chosen = positions(x.shape, indices)
    operands = [xp.reshape(xp.broadcast_to(xp.wrap(xp.lift(v)), chosen.shape), (chosen.size,)) for v in values]
    flat = xp.reshape(xp.wrap(x.value), (x.size,))
    for turn in _turns(chosen.reshape(-1)):
        places = chosen.reshape(-1)[turn]
        new = called(ufunc, (flat[places], *(v[turn] for v in operands)))
        flat[places] = xp.cast(new, x.dtype)  # at converts as astype does
    x.write(xp.reshape(flat, x.shape).value)


def _plain(item: Any) -> Any:
    """An index that is known: a constant, or a mask, which becomes a guard."""
    if isinstance(item, Array) and isinstance(item.value, Constant):
        return item.value.array
    return known(item) if isinstance(item, Array) and item.dtype.kind == "b" else item


def _turns(places: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
    """The first occurrences of all places, the second ones, and so on."""
    order = np.argsort(places, kind="stable")
    ordered = places[order]
    first = np.searchsorted(ordered, ordered)
    turn = np.empty(len(places), np.int64)
    turn[order] = np.arange(len(places)) - first
    return [np.flatnonzero(turn == k) for k in range(int(turn.max(initial=-1)) + 1)]


def _added(xp: Any, ufunc: Any, x: Array, indices: Any, values: list[Any]) -> None:
    """Sums and differences, at plain places or at traced indices along the first axis."""
    if not find_arrays((indices,)):
        chosen = positions(x.shape, indices)
        where, axis_size, shape = xp.constant(chosen.reshape(-1)), x.size, chosen.shape
        flat: tuple[int, ...] = (chosen.size,)
    elif isinstance(indices, Array) and indices.dtype.kind in "iu" and ufunc in (np.add, np.subtract) and x.ndim:
        where, axis_size = normal_indices(xp, indices, x.shape[0]), x.shape[0]
        shape = flat = (*indices.shape, *x.shape[1:])
    else:
        raise refuse(
            f"np.{ufunc.__name__}.at cannot be traced at these indices: np.add.at and np.subtract.at can at one traced "
            "array of integers, the others at plain indices only.",
            "Build the result with np.stack, np.concatenate or np.where.",
        )
    added = xp.broadcast_to(xp.wrap(converted(as_array(xp, values[0]), x.dtype)), shape)
    total = xp.scatter_add(xp.reshape(added, flat), where, axis=0, size=axis_size)
    x.write(ufunc(xp.wrap(x.value), xp.reshape(total, x.shape)).value)


METHODS: dict[str, Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]] = {
    "reduce": _reduce, "accumulate": _accumulate, "reduceat": _reduceat, "outer": _outer, "at": _at,
}  # fmt: skip
