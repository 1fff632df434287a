"""``x[key]`` and ``x[key] = v``, for every kind of NumPy key."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from wengert.ir import keys
from wengert.tracer.array import Array, converted, find_arrays, is_traced, namespace_of
from wengert.tracer.memory import View, look_into, share

__all__ = ["get", "set_"]


def get(x: Array, key: Any) -> Any:
    """``x[key]``; basic keys give views, and a number if that is what is there."""
    if type(key) is not int and type(key) is not slice:
        key = _plainly(_concrete_masks(key))
        if any(isinstance(k, Array) for k in _items(key)):
            return _take(x, key)
        if not keys.is_basic(key):
            return _gather(x, key)
    if x.memory is not None and x.memory.buffer.parts is not None:
        return _looked_up(x, key)
    result = x.xp.basic_index(x, key)
    if result.shape or Ellipsis in _items(key):
        return share(x, result, "index", key)
    place = 0  # NumPy makes a scalar, not a view
    for start, n in zip(keys.resolve(key, x.shape).start, x.shape, strict=True):
        place = place * n + start
    result.origin = (x.value, place)
    return result


def _looked_up(x: Array, key: Any) -> Any:
    """From memory whose elements came from here and there: the element as it was stored, or a view."""
    assert x.memory is not None  # it has been written into
    buffer, places = x.memory.buffer, x.memory.positions()[key]
    if np.ndim(places) or Ellipsis in _items(key):
        view = View(buffer, certain=x.memory.certain, positions=places)
        result = Array(x.xp, None, x.type.with_shape(places.shape))
        look_into(result, view)
        return result
    place = int(places)
    number = buffer.number(place)
    if number is not None:
        return number
    assert buffer.parts is not None  # it is put together of these
    origin = buffer.parts.origin(place)
    alone = not origin[0].type.shape  # a number that was stored
    result = x.xp.wrap(origin[0] if alone else buffer.look(x.xp, np.asarray(place)))
    result.origin = origin
    return result


def _plainly(key: Any) -> Any:
    """A key in which arrays of plain numbers, made while tracing, are plain arrays."""
    from wengert.tracer.numpy_api.creation import from_items

    def plain(item: Any) -> Any:
        if isinstance(item, Array) and (numbers := item.numbers) is not None:
            return numbers
        if isinstance(item, list) and find_arrays(item):
            return from_items(namespace_of(*item), item)
        return item

    return tuple(map(plain, key)) if isinstance(key, tuple) else plain(key)


def _items(key: Any) -> tuple[Any, ...]:
    return key if isinstance(key, tuple) else (key,)


def _concrete_masks(key: Any) -> Any:
    """Traced boolean masks as plain ones: which elements they choose becomes a guard."""

    def plain(item: Any) -> Any:
        if not (isinstance(item, Array) and item.dtype.kind == "b"):
            return item
        return known(item)

    items = tuple(map(plain, _items(key)))
    return items if isinstance(key, tuple) else items[0]


def known(array: Array) -> np.ndarray[Any, Any]:
    """A traced array as it is now; that it stays so becomes a guard."""
    if (numbers := array.numbers) is not None:
        return numbers
    array.check_alive()
    now = np.array(array.owner.evaluate(array.value))
    if now.size:
        array.guarded(array.xp.reduce(_all(), array.xp.equal(array, array.xp.constant(now))))
    return now


def _all() -> Any:
    from wengert.ir.ops import OPS

    return OPS["all"]


def places(shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """The flat position of each element."""
    return np.arange(math.prod(shape), dtype=np.int64).reshape(shape)


def positions(shape: tuple[int, ...], key: Any) -> np.ndarray[Any, Any]:
    """The flat position of each element that a key chooses: NumPy itself resolves the key."""
    few = math.prod(shape) <= _FEW  # a loop that writes element by element asks for the same again and again
    return np.asarray((_counted(shape) if few else places(shape))[key])


_FEW = 2**20
_counted = functools.lru_cache(maxsize=8)(places)


def gathered(xp: Any, x: Array, chosen: Any) -> Array:
    """The elements of ``x`` at flat positions."""
    return xp.take(xp.reshape(x, (x.size,)), xp.constant(np.asarray(chosen, np.int64)), axis=0)


def _gather(x: Array, key: Any) -> Array:
    """An advanced key without traced parts: flat positions, known now."""
    if isinstance(key, list):
        key = np.asarray(key) if key else np.asarray(key, dtype=np.int64)
    return gathered(x.xp, x, positions(x.shape, key))


def _is_same_memory(x: Array, chosen: np.ndarray[Any, Any], new: Any) -> bool:
    """Whether ``new`` is the view of ``x`` that holds exactly the chosen elements."""
    if not isinstance(new, Array) or x.memory is None or new.memory is None or x.memory.buffer is not new.memory.buffer:
        return False
    if not (x.memory.certain and new.memory.certain):
        return False
    return np.array_equal(x.memory.positions().reshape(-1)[chosen], new.memory.positions())


def _take(x: Array, key: Any) -> Array:
    """A key with traced integers in it."""
    xp = namespace_of(x, *_items(key))
    every = _full(key, x.ndim)
    items = [k for k in every if k is not Ellipsis]
    traced = [axis for axis, k in enumerate(items) if isinstance(k, Array)]
    if any(items[axis].dtype.kind not in "iu" for axis in traced):
        message = "arrays used as indices must be of integer (or boolean) type."
        raise IndexError(message)
    whole = sum(isinstance(k, slice) and k == slice(None) for k in items)
    if len(traced) == 1 and whole == len(items) - 1:
        (axis,) = traced
        return xp.take(x, normal_indices(xp, items[axis], x.shape[axis]), axis=axis)
    return _computed(xp, x, every)


def _full(key: Any, ndim: int) -> list[Any]:
    """The items of a key, one for each axis (and None for new ones), without masks.

    An ellipsis stays where it is for no axis: it sets apart what is left and right of it.
    """
    items: list[Any] = []
    for item in _items(key):
        mask = isinstance(item, np.ndarray) and item.dtype.kind == "b"
        items.extend(np.nonzero(item) if mask else [np.asarray(item)] if isinstance(item, list) else [item])
    used = sum(k is not None and k is not Ellipsis for k in items)
    at = next((i for i, k in enumerate(items) if k is Ellipsis), None)
    rest: list[Any] = [slice(None)] * (ndim - used)
    if used > ndim:
        message = f"too many indices: the array has {ndim} axes, but {used} were indexed."
        raise IndexError(message)
    return items + rest if at is None else items[:at] + (rest or [Ellipsis]) + items[at + 1 :]


def _computed(xp: Any, x: Array, items: list[Any]) -> Array:
    """Traced integers among other keys: the flat position is the sum over axes of index times stride.

    NumPy itself says which entry of the index arrays, broadcast together, an element of the result takes: it is asked
    with one array that counts them, on an array with an axis for them, of which nothing is there but its shape.
    """
    traced = [k for k in items if isinstance(k, Array)]
    shape = _together(traced)
    count = np.arange(math.prod(shape)).reshape(shape)
    at = next(i for i, k in enumerate(items) if isinstance(k, Array))  # one array may be there twice
    asked = tuple((count if i == at else 0) if isinstance(k, Array) else k for i, k in enumerate(items))
    keys = [k for k in items if k is not None and k is not Ellipsis]  # one for each axis
    first = next(axis for axis, k in enumerate(keys) if isinstance(k, Array))
    sizes = tuple(
        (count.size if axis == first else 1) if isinstance(k, Array) else n
        for axis, (k, n) in enumerate(zip(keys, x.shape, strict=True))
    )
    entry = [
        np.asarray(np.broadcast_to(np.arange(n).reshape(n, *(1,) * (len(sizes) - axis - 1)), sizes)[asked])
        for axis, n in enumerate(sizes)
    ]
    plain, terms, inside, stride = np.zeros(entry[first].shape, np.int64), [], [], 1
    for axis, (k, n) in reversed(list(enumerate(zip(keys, x.shape, strict=True)))):
        if isinstance(k, Array):
            own = np.broadcast_to(np.arange(k.size).reshape(k.shape), shape).reshape(-1)
            index = gathered(xp, normal_indices(xp, k, n), own[entry[first]])
            inside.append(xp.logical_and(xp.greater_equal(index, 0), xp.less(index, n)))
            terms.append(xp.multiply(index, stride))
        else:
            plain += entry[axis] * stride
        stride *= n
    flat = functools.reduce(xp.add, terms, xp.constant(plain))
    # beyond the end: an IndexError when run, never another element
    flat = xp.where(functools.reduce(xp.logical_and, inside), flat, x.size)
    return xp.take(xp.reshape(x, (x.size,)), flat, axis=0)


def _together(traced: list[Any]) -> tuple[int, ...]:
    try:
        return np.broadcast_shapes(*(k.shape for k in traced))
    except ValueError:
        shapes = " ".join(str(k.shape) for k in traced)
        message = f"shape mismatch: indexing arrays could not be broadcast together with shapes {shapes}"
        raise IndexError(message) from None


def normal_indices(xp: Any, index: Any, size: int) -> Array:
    """Indices as int64, the negative ones counted from the end."""
    index = xp.cast(index, np.int64)
    return xp.where(xp.less(index, 0), xp.add(index, size), index)


def set_(x: Array, key: Any, new: Any) -> None:
    """``x[key] = new``: the elements that the key chooses now come from ``new``."""
    key = _plainly(_concrete_masks(key))
    if any(isinstance(k, Array) for k in _items(key)):
        key = _known_integers(key)
    chosen = positions(x.shape, key)
    if _is_same_memory(x, chosen, new):  # the end of x[key] += y: its middle has written it
        return
    xp = x.xp if not is_traced((new,)) else namespace_of(x, new)
    value = xp.wrap(xp.lift(new))
    origin = new.origin if isinstance(new, Array) and new.dtype == x.dtype and new.owner is x.owner else None
    if value.dtype.kind == "c" and x.dtype.kind != "c":
        message = "Cannot assign complex values to a real array without losing the imaginary part."
        raise TypeError(message)
    if x.dtype.kind == "b" and value.dtype.kind != "b":
        value = xp.not_equal(value, 0)
    elif not np.can_cast(value.dtype, x.dtype, "same_kind") and value.dtype.kind == "f":
        value = xp.cast(xp.trunc(value), x.dtype)
    value = xp.cast(value, x.dtype)
    lead = value.ndim - chosen.ndim
    if lead > 0 and all(n == 1 for n in value.shape[:lead]):  # NumPy drops extra leading axes of size 1
        value = xp.reshape(value, value.shape[lead:])
    try:
        fits = np.broadcast_shapes(value.shape, chosen.shape) == chosen.shape
    except ValueError:
        fits = False
    if not fits:
        message = f"could not broadcast input array from shape {value.shape} into shape {chosen.shape}."
        raise ValueError(message)
    if chosen.size:
        x.write(converted(value, x.dtype), chosen, origin)


def _known_integers(key: Any) -> Any:
    """Traced integer arrays as plain ones: where elements are written becomes a guard."""
    return tuple(known(k) if isinstance(k, Array) else k for k in key) if isinstance(key, tuple) else known(key)
