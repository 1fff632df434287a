"""How a ufunc is called: NumPy's loop for the operands, and the options of every call."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from wengert.ir.ops import BY_FUNCTION
from wengert.ir.types import SHORT_NAMES
from wengert.tracer.array import find_arrays, namespace_of, refuse
from wengert.tracer.numpy_api import movement, special
from wengert.tracer.numpy_api.support import as_array, deliver, refuse_plain_out
from wengert.tracer.numpy_api.ufunc_bodies import COMPOSED
from wengert.tracer.weak import fit

__all__ = ["COMPOSED", "ONE_NODE", "call"]

#: The ufuncs that are an op of the IR.
ONE_NODE = {u: op for u, op in BY_FUNCTION.items() if isinstance(u, np.ufunc) and u not in COMPOSED}

_OPTIONS = ("where", "casting", "order", "subok", "dtype", "signature", "sig", "axes", "axis", "keepdims")
_PYTHON = {"i": int, "f": float, "c": complex}


def call(ufunc: Any, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A ufunc method on operands of which one is traced (or ``out`` is)."""
    if method == "__call__":
        if outs := inputs[ufunc.nin :]:  # by position
            kwargs = kwargs | {"out": (*outs, *(None,) * (ufunc.nout - len(outs)))}
        return called(ufunc, inputs[: ufunc.nin], **kwargs)
    from wengert.tracer.numpy_api import ufunc_methods

    return ufunc_methods.METHODS[method](ufunc, inputs, kwargs)


def called(ufunc: Any, inputs: tuple[Any, ...], out: Any = None, **options: Any) -> Any:
    """``ufunc(*inputs, out=out, **options)``."""
    out = out if isinstance(out, tuple) else (out,) * ufunc.nout
    refuse_plain_out(out)
    where, casting = options.get("where", True), options.get("casting", "same_kind")
    _check_options(ufunc, options, out, masked=where is not True)
    if not find_arrays(inputs) and not find_arrays((where,)):  # only out= is traced
        plain = {k: v for k, v in options.items() if k != "where"}
        return delivered(ufunc(*inputs, **plain), out, where, casting)
    xp = namespace_of(*inputs, where, *out)
    values = [xp.lift(x) for x in inputs]
    axes = _core_axes(ufunc, options, [len(v.type.shape) for v in values])
    if axes is not None:
        values = [xp.lift(movement.moveaxis(xp.wrap(v), a, _last(a))) for v, a in zip(values, axes, strict=False)]
    loop = _loop(ufunc, tuple(v.type for v in values), tuple(None if o is None else o.dtype for o in out), casting,
                 options.get("signature", options.get("sig")), options.get("dtype"))  # fmt: skip
    for value, dtype in zip(values, loop, strict=False):
        if value.type.weak:
            fit(xp, value, dtype)
    operands = [xp.cast(xp.wrap(v), d) for v, d in zip(values, loop, strict=False)]
    if ufunc in COMPOSED:
        result = COMPOSED[ufunc](*operands)
    elif ufunc in BY_FUNCTION:
        result = xp.apply(BY_FUNCTION[ufunc], *operands)
    elif getattr(np, ufunc.__name__, None) is not ufunc:
        result = special.call(ufunc, tuple(operands))
    else:
        raise refuse(f"{_name(ufunc)} cannot be traced.", _alternative(ufunc))
    if axes is not None:
        result = movement.moveaxis(result, _last(axes[-1]), axes[-1])
    if options.get("keepdims"):
        result = movement.expand_dims(result, axes[0] if axes is not None else -1)
    return delivered(result, out, where, casting)


def _name(ufunc: Any) -> str:
    name: str = ufunc.__name__
    return f"np.{name}" if getattr(np, name, None) is ufunc else f"the ufunc {name}"


def _alternative(ufunc: Any) -> str:
    if ufunc.types == ["O->O"] * len(ufunc.types) or all(set(t) <= set("O->") for t in ufunc.types):
        return "It calls a Python function on each element: write that function with NumPy's own on the whole array."
    return "Write it with functions that can (see `wengert ops`)."


def _check_options(ufunc: Any, options: dict[str, Any], out: tuple[Any, ...], *, masked: bool) -> None:
    for name in options:
        core = name in ("axes", "axis", "keepdims") and ufunc.signature is None
        if name not in _OPTIONS or core or (name == "where" and ufunc.signature is not None):
            message = f"{ufunc.__name__}() got an unexpected keyword argument {name!r}."
            raise TypeError(message)
    if options.get("order", "K") not in ("K", "A", "C", "F", None):
        message = f"order must be one of 'C', 'F', 'A', or 'K' (got {options['order']!r})."
        raise ValueError(message)
    if len(out) != ufunc.nout:
        message = f"The 'out' tuple must have exactly {ufunc.nout} entries, got {len(out)}."
        raise ValueError(message)
    if masked and any(o is None for o in out):
        raise refuse(
            f"np.{ufunc.__name__} with where= and without out= leaves elements undefined.",
            "Use np.where on the result, or pass an array for the others as out=, made by np.zeros_like(traced).",
        )


@functools.lru_cache(maxsize=4096)
def _loop(
    ufunc: Any, types: tuple[Any, ...], outs: tuple[Any, ...], casting: str, signature: Any, dtype: Any
) -> tuple[np.dtype[Any], ...]:
    """The dtypes of NumPy's loop for these operands; its TypeError where there is none."""
    alone = all(t.weak for t in types)  # Python numbers alone are NumPy's default dtypes
    given = [t.dtype if alone or not t.weak else _PYTHON[t.dtype.kind] for t in types]
    if dtype is not None:
        signature = (*(None,) * ufunc.nin, *(np.dtype(dtype),) * ufunc.nout)
    options = {} if signature is None else {"signature": signature}
    found = ufunc.resolve_dtypes((*given, *outs), casting=casting, **options)
    return tuple(held(ufunc, t.dtype, found, k) for k, t in enumerate(types))


def held(ufunc: Any, given: Any, loop: tuple[np.dtype[Any], ...], k: int) -> np.dtype[Any]:
    """The dtype of operand ``k`` in a loop, where a program holds every dtype of it.

    A question (as ``signbit``) about small integers, which NumPy asks in float16, is asked in float32.
    """
    outer = loop[ufunc.nin :] if all(d.kind == "b" for d in loop[ufunc.nin :]) else loop
    for d in outer:
        if d not in SHORT_NAMES:
            raise refuse(
                f"NumPy computes {_name(ufunc)} of {given} in {d}, which no program can hold.",
                "Convert the operand first, for instance with .astype(np.float32).",
            )
    return np.dtype(np.float32) if loop[k] == np.float16 else loop[k]


def delivered(result: Any, out: tuple[Any, ...], where: Any = True, casting: str = "same_kind") -> Any:
    """Results into their outs, where ``where`` is true."""
    if isinstance(result, tuple):
        return tuple(delivered(r, (o,), where, casting) for r, o in zip(result, out, strict=True))
    (target,) = out
    if target is None:
        return result
    result = as_array(target.xp, result)
    if casting == "unsafe":
        result = target.xp.cast(result, target.dtype)
    if where is not True:
        mask = as_array(target.xp, where if isinstance(where, np.ndarray) else np.asarray(where, bool))
        if mask.dtype.kind != "b":
            message = f"Cannot cast array data from {mask.dtype} to bool: where= must be boolean."
            raise TypeError(message)
        shape = np.broadcast_shapes(mask.shape, result.shape, target.shape)
        result = target.xp.where(mask, result, target.xp.cast(target, result.dtype))
        result = target.xp.broadcast_to(result, shape)
    elif result.shape != target.shape and np.broadcast_shapes(result.shape, target.shape) == target.shape:
        result = target.xp.broadcast_to(result, target.shape)
    return deliver(result, target)


# ----- The axes of products of stacks -----


def _core_axes(ufunc: Any, options: dict[str, Any], ndims: list[int]) -> list[tuple[int, ...]] | None:
    """``axes=`` or ``axis=`` as one tuple per operand and result; None where they are the last ones."""
    axes = options.get("axes")
    if options.get("axis") is not None:
        axes = [(options["axis"],)] * ufunc.nin + [()] * ufunc.nout
    if axes is None:
        return None
    return [a if isinstance(a, tuple) else (a,) for a in (*axes, *[()] * (ufunc.nin + ufunc.nout - len(axes)))]


def _last(axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(range(-len(axes), 0))
