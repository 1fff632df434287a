"""Ufuncs that are compositions of ops, and the methods and options of all ufuncs."""

from __future__ import annotations

from typing import Any

import numpy as np

from wengert.ir.ops import BY_FUNCTION
from wengert.tracer.array import Array, find_arrays, namespace_of, refuse
from wengert.tracer.numpy_api import contractions, elementwise, movement, reductions, writing
from wengert.tracer.numpy_api.support import deliver, only_defaults, refuse_plain_out


def _logical(name: str) -> Any:
    """Anything but bool is compared with zero first, as NumPy's truth of a number."""

    def logical(*operands: Any) -> Array:
        xp = namespace_of(*operands)
        arrays = [xp.wrap(xp.lift(x)) for x in operands]
        return getattr(xp, name)(*(a if a.dtype.kind == "b" else xp.not_equal(a, 0) for a in arrays))

    return logical


def _rounding(ufunc: Any) -> Any:
    """Integers are whole already (and floats to NumPy 2.0, which its ufunc says)."""

    def rounding(x: Any) -> Array:
        xp = namespace_of(x)
        array = _natural(xp, ufunc, x)
        return array if array.dtype.kind in "biu" else getattr(xp, ufunc.__name__)(array)

    return rounding


def _divmod(x: Any, y: Any) -> tuple[Array, Array]:
    xp = namespace_of(x, y)
    return xp.floor_divide(x, y), xp.remainder(x, y)


def _fmod(x: Any, y: Any) -> Array:
    xp = namespace_of(x, y)
    a, b = xp.wrap(xp.lift(x)), xp.wrap(xp.lift(y))
    if a.dtype.kind in "biu" and b.dtype.kind in "biu":
        raise refuse("np.fmod of integers is not traced yet.", "Use % or np.remainder, or convert to float.")
    return xp.fmod(x, y)


def _float_power(x: Any, y: Any) -> Array:
    xp = namespace_of(x, y)
    x, y = xp.wrap(xp.lift(x)), xp.wrap(xp.lift(y))
    dtype = np.result_type(x.dtype, y.dtype, np.float64)
    return xp.power(xp.cast(x, dtype), xp.cast(y, dtype))


def _natural(xp: Any, ufunc: Any, x: Any) -> Array:
    """The operand in the dtype in which NumPy computes the ufunc."""
    array = xp.wrap(xp.lift(x))
    return xp.cast(array, ufunc.resolve_dtypes((array.dtype, *(None,) * ufunc.nout))[0])  # never weak, never x itself


def _vecdot(x: Any, y: Any) -> Array:
    xp = namespace_of(x, y)
    if not np.ndim(x) or not np.ndim(y) or np.shape(x)[-1] != np.shape(y)[-1]:
        message = f"vecdot: the last axes must have one size, got shapes {np.shape(x)} and {np.shape(y)}."
        raise ValueError(message)
    x, y = xp.wrap(xp.lift(x)), xp.wrap(xp.lift(y))
    return reductions.sum_(xp.multiply(elementwise.conjugate(x), y), -1, np.result_type(x.dtype, y.dtype))


def _modf(x: Any) -> tuple[Array, Array]:
    xp = namespace_of(x)
    x = _natural(xp, np.modf, x)
    whole = xp.trunc(x)
    fraction = xp.where(xp.isinf(x), xp.copysign(0.0, x), xp.subtract(x, whole))
    return xp.copysign(fraction, x), whole


def _conjugate(x: Any) -> Array:
    xp = namespace_of(x)
    array = xp.wrap(xp.lift(x))
    if array.dtype.kind == "c":
        return xp.conjugate(array)
    return xp.cast(array, np.int8 if array.dtype.kind == "b" else array.dtype)  # as NumPy has it


def _sign(x: Any) -> Array:
    """Of complex numbers z / |z|; an infinite part alone is the whole of it."""
    xp = namespace_of(x)
    z = xp.wrap(xp.lift(x))
    if z.dtype.kind != "c":
        return xp.sign(z)
    a, b = xp.real(z), xp.imag(z)
    parts = [xp.isinf(a), xp.isinf(b)]
    some, both = xp.logical_or(*parts), xp.logical_and(*parts)
    unit = [xp.where(inf, xp.sign(x), 0.0) for inf, x in zip(parts, (a, b), strict=True)]
    z = xp.where(some, xp.complex(*(xp.where(xp.logical_or(both, xp.isnan(xp.add(a, b))), np.nan, u) for u in unit)), z)
    size = xp.absolute(z)
    return xp.divide(z, xp.where(xp.equal(size, 0), 1.0, size))


def _fabs(x: Any) -> Array:
    xp = namespace_of(x)
    return xp.absolute(_natural(xp, np.fabs, x))


def _angle(factor: float) -> Any:
    def angle(x: Any) -> Array:
        xp = namespace_of(x)
        return xp.multiply(_natural(xp, np.degrees, x), factor)

    return angle


#: Ufuncs that need more than one node, or more than NumPy's own promotion.
COMPOSED: dict[Any, Any] = {
    **{u: _logical(u.__name__) for u in (np.logical_and, np.logical_or, np.logical_xor, np.logical_not)},
    **{u: _rounding(u) for u in (np.floor, np.ceil, np.trunc)},
    np.matmul: contractions.matmul,
    np._core.umath.clip: elementwise.clip,  # type: ignore[attr-defined]  # noqa: SLF001 (what the method clip calls)
    np.divmod: _divmod, np.fmod: _fmod, np.float_power: _float_power, np.modf: _modf,
    np.fabs: _fabs,
    **dict.fromkeys((np.degrees, np.rad2deg), _angle(180.0 / np.pi)),
    **dict.fromkeys((np.radians, np.deg2rad), _angle(np.pi / 180.0)),
    np.conjugate: _conjugate, np.sign: _sign,
    np.vecdot: _vecdot,
}  # fmt: skip

_REDUCE: dict[Any, Any] = {
    np.add: reductions.sum_, np.multiply: reductions.prod, np.maximum: reductions.max_, np.minimum: reductions.min_,
    np.logical_and: reductions.all_, np.logical_or: reductions.any_,
}  # fmt: skip


def call(ufunc: Any, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A ufunc method on operands of which one is traced (or ``out`` is)."""
    out = kwargs.pop("out", None)
    refuse_plain_out(out)
    if not find_arrays(inputs) and not find_arrays((kwargs.get("where"),)):  # only out= is traced
        return deliver_all(getattr(ufunc, method)(*inputs, **kwargs), out)
    return deliver_all(_METHODS.get(method, _refused)(ufunc, method, inputs, kwargs), out)


def deliver_all(result: Any, out: Any) -> Any:
    """Results into their outs."""
    if not isinstance(result, tuple) or out is None:
        return deliver(result, out)
    out = out if isinstance(out, tuple) else (out,) * len(result)
    return tuple(deliver(r, o) for r, o in zip(result, out, strict=True))


def _called(ufunc: Any, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    dtype = kwargs.pop("dtype", None)
    kwargs = {k: v for k, v in kwargs.items() if k not in ("casting", "order", "subok")}
    if kwargs.pop("where", True) is not True:
        raise refuse(f"np.{ufunc.__name__} with where= leaves elements undefined.", "Use np.where on the result.")
    only_defaults(f"np.{ufunc.__name__}", **kwargs)
    xp = namespace_of(*inputs)
    if dtype is not None:
        inputs = tuple(xp.cast(xp.wrap(xp.lift(x)), dtype) for x in inputs)
    if ufunc in COMPOSED:
        return COMPOSED[ufunc](*_strong(xp, inputs))
    op = BY_FUNCTION.get(ufunc)
    if op is None:
        instead = "Write it with functions that can (see `wengert ops`)."
        raise refuse(f"np.{ufunc.__name__} cannot be traced yet.", instead)
    from wengert.tracer.array import strong_apply

    return strong_apply(xp, op, inputs)


def _strong(xp: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Python numbers alone become NumPy's, as in every NumPy function."""
    if not all((isinstance(x, Array) and x.value.type.weak) or type(x) in (int, float, complex) for x in inputs):
        return inputs
    return tuple(xp.cast(x, x.dtype) if isinstance(x, Array) else x for x in inputs)


def _reduced(ufunc: Any, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    function = _REDUCE.get(ufunc)
    if function is None:
        raise refuse(f"np.{ufunc.__name__}.reduce cannot be traced yet.", "Write the fold as a loop.")
    names = ("axis", "dtype", "out", "keepdims", "initial", "where")
    given = dict(zip(names, inputs[1:], strict=False)) | kwargs
    if given.get("dtype") is None:
        given.pop("dtype", None)
    return function(inputs[0], **{"axis": 0, **given})


def _accumulated(ufunc: Any, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if ufunc is not np.add:
        raise refuse(f"np.{ufunc.__name__}.accumulate cannot be traced yet.", "Write it as a loop.")
    given = dict(zip(("axis", "dtype"), inputs[1:], strict=False)) | kwargs
    return reductions.cumsum(inputs[0], **{"axis": 0, **given})


def _outer(ufunc: Any, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    xp = namespace_of(*inputs)
    x, y = (xp.wrap(xp.lift(item)) for item in inputs)
    return ufunc(movement.reshape(x, (*x.shape, *(1,) * y.ndim)), y, **kwargs)


def _at(ufunc: Any, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    writing.at(ufunc, *inputs)


def _refused(ufunc: Any, method: str, inputs: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    raise refuse(f"np.{ufunc.__name__}.{method} cannot be traced yet.", "Write it as a loop over slices.")


_METHODS = {"__call__": _called, "reduce": _reduced, "accumulate": _accumulated, "outer": _outer, "at": _at}
