"""Products over axes: dot, matmul, outer, tensordot, einsum."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.tracer.array import Array
from wengert.tracer.memory import share
from wengert.tracer.numpy_api.positions import stand_in
from wengert.tracer.numpy_api.support import arrays_of, axis_of, deliver, promote

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def _pair(a: Any, b: Any) -> tuple[Any, Array, Array]:
    xp, items = arrays_of((a, b))
    x, y = promote(xp, items)
    return xp, x, y


def product(xp: Any, x: Array, y: Array, x_term: str, y_term: str, out: str) -> Array:
    """A contraction of two operands; letters found in one place only are summed out first."""
    for letter in [c for c in x_term if c not in y_term and c not in out]:
        x = xp.sum(x, axis=x_term.index(letter))
        x_term = x_term.replace(letter, "")
    for letter in [c for c in y_term if c not in x_term and c not in out]:
        y = xp.sum(y, axis=y_term.index(letter))
        y_term = y_term.replace(letter, "")
    if x.ndim == 0 or y.ndim == 0:  # a number times an array
        array, term = (y, y_term) if x.ndim == 0 else (x, x_term)
        scaled = xp.multiply(x, y)
        return xp.transpose(scaled, tuple(term.index(c) for c in out)) if array.ndim else scaled
    return xp.einsum(f"{x_term},{y_term}->{out}", x, y)


def _mismatch(name: str, x: Array, y: Array) -> ValueError:
    return ValueError(f"{name}: shapes {x.shape} and {y.shape} do not fit: the summed axes differ in size")


def dot(a, b, out=None):
    xp, x, y = _pair(a, b)
    if x.ndim == 0 or y.ndim == 0:
        return deliver(xp.multiply(x, y), out)
    if x.shape[-1] != y.shape[max(y.ndim - 2, 0)]:
        raise _mismatch("dot", x, y)
    s = LETTERS[0]
    left, right = LETTERS[1 : x.ndim], LETTERS[20 : 20 + y.ndim - 1]
    y_term = s if y.ndim == 1 else right[:-1] + s + right[-1]
    return deliver(product(xp, x, y, left + s, y_term, left + right), out)


def matmul(a, b):
    xp, x, y = _pair(a, b)
    if x.ndim == 0 or y.ndim == 0:
        message = "matmul: Input operand does not have enough dimensions (has 0, gufunc core requires 1)"
        raise ValueError(message)
    if x.shape[-1] != y.shape[max(y.ndim - 2, 0)]:
        raise _mismatch("matmul", x, y)
    x_term = "is" if x.ndim > 1 else "s"
    y_term = "sj" if y.ndim > 1 else "s"
    core = x_term.replace("s", "") + y_term.replace("s", "")
    x_stack, y_stack = x.shape[: x.ndim - len(x_term)], y.shape[: y.ndim - len(y_term)]
    stack = np.broadcast_shapes(x_stack, y_stack)
    letters = LETTERS[26 : 26 + len(stack)]
    x, x_lead = _unstacked(xp, x, x_stack, stack, letters)
    y, y_lead = _unstacked(xp, y, y_stack, stack, letters)
    for letter, n in zip(letters, stack, strict=True):  # an axis that both have only at size 1 stays
        if letter not in x_lead and letter not in y_lead:
            at = len([c for c in letters[: letters.index(letter)] if c in x_lead])
            x = xp.reshape(x, (*x.shape[:at], n, *x.shape[at:]))
            x_lead = x_lead[:at] + letter + x_lead[at:]
    return product(xp, x, y, x_lead + x_term, y_lead + y_term, letters + core)


def _unstacked(xp: Any, x: Array, own: tuple[int, ...], stack: tuple[int, ...], letters: str) -> tuple[Array, str]:
    """Without the stack axes of size 1 that broadcast: a contraction needs no copy of the operand for them."""
    names = letters[len(letters) - len(own) :]
    full = stack[len(stack) - len(own) :]
    keep = [i for i, (n, m) in enumerate(zip(own, full, strict=True)) if n == m and n != 1]
    shape = (*(own[i] for i in keep), *x.shape[len(own) :])
    return xp.reshape(x, shape), "".join(names[i] for i in keep)


def outer(a, b, out=None):
    xp, x, y = _pair(a, b)
    return deliver(product(xp, xp.reshape(x, (x.size,)), xp.reshape(y, (y.size,)), "i", "j", "ij"), out)


def inner(a, b):
    xp, x, y = _pair(a, b)
    if x.ndim == 0 or y.ndim == 0:
        return xp.multiply(x, y)
    if x.shape[-1] != y.shape[-1]:
        raise _mismatch("inner", x, y)
    left, right = LETTERS[1 : x.ndim], LETTERS[20 : 20 + y.ndim - 1]
    return product(xp, x, y, left + "a", right + "a", left + right)


def vdot(a, b):
    xp, x, y = _pair(a, b)
    if x.dtype.kind == "c":
        x = xp.conjugate(x)
    return inner(xp.reshape(x, (x.size,)), xp.reshape(y, (y.size,)))


def tensordot(a, b, axes=2):
    xp, x, y = _pair(a, b)
    if isinstance(axes, (int, np.integer)):
        n = int(axes)
        x_axes, y_axes = list(range(x.ndim - n, x.ndim)), list(range(n))
    else:
        x_axes, y_axes = (list(t) if isinstance(t, (tuple, list)) else [t] for t in axes)
    x_axes, y_axes = [axis_of(i, x.ndim) for i in x_axes], [axis_of(i, y.ndim) for i in y_axes]
    if [x.shape[i] for i in x_axes] != [y.shape[i] for i in y_axes]:
        message = "shape-mismatch for sum"
        raise ValueError(message)
    x_term, y_term = list(LETTERS[: x.ndim]), list(LETTERS[26 : 26 + y.ndim])
    for i, j in zip(x_axes, y_axes, strict=True):
        y_term[j] = x_term[i]
    summed = {x_term[i] for i in x_axes}
    out = "".join(c for c in (*x_term, *y_term) if c not in summed)
    return product(xp, x, y, "".join(x_term), "".join(y_term), out)


def einsum(*operands, out=None, optimize=False, **kwargs):
    terms, result, arrays = _parsed(operands)
    xp, items = arrays_of(arrays)
    if (dtype := kwargs.get("dtype")) is not None:
        items = [xp.cast(x, dtype) for x in items]
    items = promote(xp, items) if len(items) > 1 else items
    parts = [_distinct(xp, x, term) for x, term in zip(items, terms, strict=True)]
    parts = _without_ones(xp, parts)
    while len(parts) > 1:
        (x, x_term), (y, y_term) = parts.pop(0), parts.pop(0)
        later = set(result).union(*(term for _, term in parts))
        kept = "".join(c for c in dict.fromkeys(x_term + y_term) if c in later)
        parts.insert(0, (product(xp, x, y, x_term, y_term, kept), kept))
    x, term = parts[0]
    gone = tuple(i for i, c in enumerate(term) if c not in result)
    x = xp.sum(x, axis=gone) if gone else xp.cast(x, x.dtype)
    term = "".join(c for c in term if c in result)
    moved = xp.transpose(x, tuple(term.index(c) for c in result))
    if len(items) == 1 and not gone:  # elements moved only: in NumPy a view
        moved = share(items[0], xp.wrap(moved.value), "einsum", terms[0], certain=False)
    return deliver(moved, out)


def _parsed(operands: Any) -> tuple[list[str], str, list[Any]]:
    """Subscripts per operand and of the result, ellipses spelled out."""
    if not isinstance(operands[0], str):
        operands = _as_text(operands)
    subscripts, arrays = operands[0].replace(" ", ""), list(operands[1:])
    left, arrow, result = subscripts.partition("->")
    terms = left.split(",")
    if len(terms) != len(arrays):
        message = f"einsum: {len(terms)} subscripts for {len(arrays)} operands"
        raise ValueError(message)
    free = [c for c in LETTERS if c not in subscripts]
    ndims = [np.ndim(x) - len(t.replace("...", "")) for x, t in zip(arrays, terms, strict=True) if "..." in t]
    dots = "".join(free[: max(ndims, default=0)])
    spelled = []
    for term, x in zip(terms, arrays, strict=True):
        own = np.ndim(x) - len(term.replace("...", ""))
        if own < 0 or (own > 0 and "..." not in term):
            message = f"einsum: {term!r} does not fit an operand with {np.ndim(x)} axes"
            raise ValueError(message)
        spelled.append(term.replace("...", dots[len(dots) - own :] if own else ""))
    if not arrow:
        joined = left.replace("...", "").replace(",", "")
        result = dots + "".join(sorted(c for c in set(joined) if joined.count(c) == 1))
    return spelled, result.replace("...", dots), arrays


def _as_text(operands: Any) -> tuple[Any, ...]:
    """Operands each followed by a list of axis numbers, as a string of letters in the order of the numbers."""
    letters = LETTERS[26:] + LETTERS[:26]
    *terms, result = ["".join("..." if k is Ellipsis else letters[k] for k in term) for term in (
        *operands[1::2], operands[-1] if len(operands) % 2 else ())]  # fmt: skip
    arrow = f"->{result}" if len(operands) % 2 else ""
    return (",".join(terms) + arrow, *operands[: len(terms) * 2 : 2])


def einsum_path(*operands, optimize="greedy", einsum_call=False):
    """The order of the products is a matter of shapes."""
    plain = [stand_in(x) if isinstance(x, Array) else x for x in operands]
    return np.einsum_path(*plain, optimize=optimize)


def _distinct(xp: Any, x: Array, term: str) -> tuple[Array, str]:
    """An operand whose letters differ: a repeated letter is a diagonal."""
    from wengert.tracer.numpy_api.movement import diagonal

    while len(set(term)) != len(term):
        letter = next(c for c in term if term.count(c) > 1)
        i = term.index(letter)
        j = term.index(letter, i + 1)
        if x.shape[i] != x.shape[j]:
            message = f"einsum: axes {letter!r} have sizes {x.shape[i]} and {x.shape[j]}"
            raise ValueError(message)
        x = diagonal(x, 0, i, j)
        term = "".join(c for k, c in enumerate(term) if k not in (i, j)) + letter
    return x, term


def _without_ones(xp: Any, parts: list[tuple[Array, str]]) -> list[tuple[Array, str]]:
    """Operands without the axes of size 1 that another operand has longer: they broadcast, and so need no letter."""
    size: dict[str, int] = {}
    for x, term in parts:
        for letter, n in zip(term, x.shape, strict=True):
            if size.setdefault(letter, n) == 1:
                size[letter] = n
            if n not in (1, size[letter]):
                message = f"einsum: axes {letter!r} have sizes {size[letter]} and {n}, which do not broadcast"
                raise ValueError(message)
    thin = []
    for x, term in parts:
        keep = [i for i, (letter, n) in enumerate(zip(term, x.shape, strict=True)) if n == size[letter]]
        thin.append((xp.reshape(x, tuple(x.shape[i] for i in keep)), "".join(term[i] for i in keep)))
    return thin


TABLE = {
    np.dot: dot, np.outer: outer, np.inner: inner, np.vdot: vdot, np.tensordot: tensordot, np.einsum: einsum,
    np.einsum_path: einsum_path,
    np.linalg.matmul: matmul, np.linalg.tensordot: tensordot,
}  # fmt: skip
