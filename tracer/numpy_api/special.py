"""SciPy's functions on traced arrays.

``scipy.special`` is never imported here: whoever calls a ufunc of it has done so, and hands us the ufunc.  Its
functions written in Python (``logsumexp``) turn their arguments into plain arrays before we are asked;
``advice`` says what to write instead, and ``WRAPPERS`` is what they would be.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from wengert.ir.kinds import Elementwise
from wengert.ir.ops import OPS
from wengert.tracer.array import Array, TraceNamespace, namespace_of, refuse
from wengert.tracer.numpy_api.support import array_of, as_array

__all__ = ["WRAPPERS", "advice", "call", "log_softmax", "logsumexp", "ops_of", "polygamma", "softmax"]

_MODULES = ("scipy.special._ufuncs", "scipy.special")
#: Name of SciPy's function to op.
_OPS = {op.library: op for op in OPS.values() if isinstance(op, Elementwise) and op.library}
#: Other names that ufuncs have in SciPy, and NumPy's ops that SciPy has too.
_ALIASES = {
    "psi": "digamma", "jn": "jv", "jve": "jv", "yve": "yv", "_zeta": "zeta", "_riemann_zeta": "riemann_zeta",
    "cbrt": "cbrt", "exp2": "exp2", "expm1": "expm1", "log1p": "log1p", "round": "rint",
}  # fmt: skip
#: Names of ufuncs with several results to the ops of each.
_SEVERAL = {
    "fresnel": ("fresnel_s", "fresnel_c"), "sici": ("sici_s", "sici_c"), "shichi": ("shichi_s", "shichi_c"),
    "airy": ("airy_ai", "airy_aip", "airy_bi", "airy_bip"),
}  # fmt: skip


def _name(ufunc: Any) -> str | None:
    """What SciPy calls a ufunc, if it is one of SciPy's."""
    for module in _MODULES:
        found = sys.modules.get(module)
        for name in (ufunc.__name__, *_ALIASES):
            if found is not None and getattr(found, name, None) is ufunc:
                return str(name)
    return None


def ops_of(name: str) -> tuple[Any, ...]:
    """The ops that compute what SciPy's ufunc of a name does; none where it is not traced."""
    if name in _SEVERAL:
        return tuple(OPS[each] for each in _SEVERAL[name])
    op = OPS[_ALIASES[name]] if name in _ALIASES else _OPS.get(f"scipy.special.{name}")
    return () if op is None else (op,)


def call(ufunc: Any, inputs: tuple[Any, ...]) -> Any:
    """A ufunc that is not NumPy's, on operands of which one is traced."""
    name = _name(ufunc)
    if name is None:
        raise refuse(
            f"the ufunc {ufunc.__name__} is neither NumPy's nor SciPy's, and cannot be traced.",
            "Write it with functions that can (see `wengert ops`).",
        )
    ops = ops_of(name)
    xp = namespace_of(*inputs)
    arrays = [as_array(xp, x) for x in inputs]
    if not ops:
        raise refuse(
            f"scipy.special.{name.lstrip('_')} cannot be traced yet.",
            "Write it with functions that can (see `wengert ops`), or apply it outside the traced function.",
        )
    dtype = _result_dtype(ufunc, name, arrays)
    ready = [xp.cast(a, dtype) for a in arrays]
    results = tuple(xp.apply(op, *ready) for op in ops)
    return results if len(results) > 1 else results[0]


def _result_dtype(ufunc: Any, name: str, arrays: list[Array]) -> Any:
    """The dtype in which SciPy computes, by its own loops; Python numbers alone are NumPy's."""
    python = {"i": int, "f": float, "c": complex}
    alone = all(a.value.type.weak for a in arrays)
    given = [python[a.dtype.kind] if a.value.type.weak and not alone else a.dtype for a in arrays]
    dtypes = ufunc.resolve_dtypes((*given, *(None,) * ufunc.nout))
    if any(d.kind == "c" for d in dtypes):
        raise refuse(
            f"scipy.special.{name} of or with complex numbers cannot be traced.",
            "Use its real counterpart, or apply it outside the traced function.",
        )
    return dtypes[-1]


# -- functions that SciPy writes in Python -----------------------------------------------------------


def logsumexp(a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False) -> Any:
    """log(sum(b exp(a))), shifted by the largest element, which as a constant has no part in the derivative.

    At an infinite maximum the derivative is NaN, as that of ``logaddexp`` is.
    """
    xp, x = array_of(*((a, b) if b is not None else (a,)))
    x = xp.cast(x, np.result_type(x.dtype, 1.0 if x.dtype.kind == "f" else np.float64))
    weights = None if b is None else as_array(xp, b)
    counted = x if weights is None else xp.where(xp.equal(weights, 0), -math.inf, x)
    if not counted.size:
        return np.full_like(np.sum(counted, axis=axis, keepdims=keepdims), -math.inf)
    top = xp.stop_gradient(np.max(counted, axis=axis, keepdims=True))
    shift = xp.where(xp.isfinite(top), top, 0.0)
    terms = xp.subtract(x, shift)
    if weights is None:
        terms = xp.exp(terms)
    else:  # what a weight of 0 counts is nothing, not even NaN; but the slope in that weight is exp(x)
        small = xp.less(terms, 700.0 if x.dtype == np.float64 else 80.0)
        lost = xp.logical_and(xp.equal(weights, 0), xp.logical_not(small))
        terms = xp.multiply(weights, xp.exp(xp.where(lost, -math.inf, terms)))
    total = np.sum(terms, axis=axis, keepdims=True)
    sign = xp.sign(total)
    out = xp.add(xp.log(xp.absolute(total) if return_sign else total), shift)
    if not keepdims:
        out, sign = np.squeeze(out, axis=axis), np.squeeze(sign, axis=axis)
    return (out, sign) if return_sign else out


def softmax(x: Any, axis: Any = None) -> Array:
    """exp(x) / sum(exp(x)), shifted by the largest element."""
    xp, a = array_of(x)
    terms = xp.exp(_shifted(xp, a, axis))
    return xp.divide(terms, np.sum(terms, axis=axis, keepdims=True))


def log_softmax(x: Any, axis: Any = None) -> Array:
    """x - logsumexp(x), accurate where softmax is 0."""
    xp, a = array_of(x)
    shifted = _shifted(xp, a, axis)
    return xp.subtract(shifted, xp.log(np.sum(xp.exp(shifted), axis=axis, keepdims=True)))


def _shifted(xp: TraceNamespace, a: Array, axis: Any) -> Array:
    top = xp.stop_gradient(np.max(a, axis=axis, keepdims=True))
    return xp.subtract(a, xp.where(xp.isfinite(top), top, 0.0))


def polygamma(n: Any, x: Any) -> Array:
    """The n-th derivative of digamma, (-1)**(n + 1) n! zeta(n + 1, x), for a count n that is not traced."""
    if isinstance(n, Array) or np.ndim(n):
        raise refuse("scipy.special.polygamma of a traced or an array order cannot be traced.", "Give n as an int.")
    xp, a = array_of(x)
    a = xp.cast(a, np.result_type(a.dtype, 1.0 if a.dtype.kind == "f" else np.float64))
    if n == 0:
        return xp.digamma(a)
    return xp.multiply((-1.0) ** (n + 1) * math.factorial(int(n)), xp.zeta(n + 1.0, a))


#: SciPy's functions that are written in Python, by name, as they are on traced arrays.
WRAPPERS: dict[str, Callable[..., Any]] = {
    "scipy.special.logsumexp": logsumexp, "scipy.special.softmax": softmax, "scipy.special.log_softmax": log_softmax,
    "scipy.special.polygamma": polygamma,
}  # fmt: skip

_INSTEAD = {
    "logsumexp": "m = x.max(); m + np.log(np.sum(np.exp(x - m))), or np.logaddexp for two terms",
    "softmax": "e = np.exp(x - x.max()); e / e.sum()",
    "log_softmax": "y = x - x.max(); y - np.log(np.sum(np.exp(y)))",
    "polygamma": "(-1)**(n + 1) * math.factorial(n) * scipy.special.zeta(n + 1, x); for n = 0 its digamma(x)",
    "multigammaln": "d * (d - 1) / 4 * np.log(np.pi) plus the sum of scipy.special.gammaln(a - j / 2) for j < d",
    "comb": "scipy.special.binom(n, k)",
    "factorial": "scipy.special.gamma(n + 1)",
    "convolve": "np.convolve (for one axis), or sums of shifted slices",
    "fftconvolve": "np.convolve (for one axis), or sums of shifted slices",
    "oaconvolve": "np.convolve (for one axis), or sums of shifted slices",
    "correlate": "np.correlate (for one axis), or sums of shifted slices",
    **{name: f"np.linalg.{name}" for name in (
        "solve", "inv", "det", "norm", "cholesky", "qr", "svd", "eigh", "eigvalsh", "eig", "eigvals", "lstsq", "pinv",
    )},
    "solve_triangular": "np.linalg.solve", "cho_factor": "np.linalg.cholesky", "cho_solve": "np.linalg.solve",
    "lu_solve": "np.linalg.solve", "svdvals": "np.linalg.svd(a, compute_uv=False)", "kron": "np.kron",
    "block_diag": "np.block", "toeplitz": "indexing: c[abs(i - j)]",
}  # fmt: skip


def advice() -> tuple[str, str] | None:
    """If SciPy is what asks for a plain array: which function, and what to write instead."""
    frame = sys._getframe(1)  # noqa: SLF001 (as in location)
    found = None
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        if module.partition(".")[0] == "scipy":
            found = module, frame.f_code.co_name
        elif found is not None or module.partition(".")[0] not in ("wengert", "numpy"):
            break
        frame = frame.f_back  # type: ignore[assignment]
    if found is None:
        return None
    module, name = found
    public = ".".join([p for p in module.split(".") if not p.startswith("_")][:2])
    known = hasattr(sys.modules.get(public), name)
    which = f"{public}.{name}" if known else f"a function of {public}"
    what = f"{which} makes plain arrays of its arguments, and so cannot be given a traced one."
    fix = f"Write it with NumPy: {_INSTEAD[name]}." if name in _INSTEAD else "Write it with NumPy's functions."
    return what, fix
