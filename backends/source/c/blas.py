"""Matrix products by the BLAS of this process, as addresses that a hosted program is handed and calls.

It is looked for in this order, and only for a program with a product that is worth it:

1. the CBLAS that NumPy is linked to.  It is loaded already, so nothing is imported, NumPy and we share its threads
   (``OPENBLAS_NUM_THREADS`` sets their number), and large products have NumPy's bits.  NumPy has no name for it: the
   symbols of its core module are looked up, which finds those of the libraries it needs.  The symbol says how
   wide its integers are: those of NumPy's wheels end in ``64_``.
2. the capsules of ``scipy.linalg.cython_blas``, whose names are C signatures.
3. none: our own loops, as in stand-alone text.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import re
from collections.abc import Callable
from typing import Any

import numpy as np
from attrs import frozen

from wengert.ir.graph import Constant

__all__ = ["Address", "Routine", "find", "routine"]

_CORE, _CAPSULES = "numpy._core._multiarray_umath", "scipy.linalg.cython_blas"
_LETTERS = {"float32": "s", "float64": "d", "complex64": "c", "complex128": "z"}
_NAMES = [f"{letter}{name}" for letter in _LETTERS.values() for name in ("gemm", "gemv")]
_INTS = re.compile(rb"void\((?:char\*,)+int\*,int\*,")

#: Matrices of contiguous lines: whether lines are columns ("turned"), and how far apart they are.
_ARGUMENTS = {
    "gemm": """ptrdiff_t m, ptrdiff_t n, ptrdiff_t p, const T *x, int turned_x, ptrdiff_t xs,
                   const T *y, int turned_y, ptrdiff_t ys, T beta, T *out, ptrdiff_t os""",
    "gemv": """ptrdiff_t m, ptrdiff_t p, const T *x, int turned, ptrdiff_t xs,
                   const T *y, ptrdiff_t ys, T beta, T *out, ptrdiff_t os""",
}
_FUNCTION = """\
/* out = x y + beta out, by the BLAS that {owner} is linked to; its address is given. */
static void {name}_S(const uint64_t *address, {arguments})
{{
    typedef void {name}({types});
    const T one = 1;
{body}}}
"""
#: Row by row: 101 says so, 111 and 112 are "as it lies" and "transposed".
_CBLAS = {
    "gemm": ("int, int, int, I, I, I, SCALAR, const T *, I, const T *, I, SCALAR, T *, I", """\
    ((gemm *)(uintptr_t)*address)(101, turned_x ? 112 : 111, turned_y ? 112 : 111, (I)m, (I)n, (I)p,
        AT_one, x, (I)xs, y, (I)ys, AT_beta, out, (I)os);
"""),
    "gemv": ("int, int, I, I, SCALAR, const T *, I, const T *, I, SCALAR, T *, I", """\
    ((gemv *)(uintptr_t)*address)(101, turned ? 112 : 111, (I)(turned ? p : m), (I)(turned ? m : p),
        AT_one, x, (I)xs, y, (I)ys, AT_beta, out, (I)os);
"""),
}  # fmt: skip
_REST = "const T *, const T *, const I *,\n        const T *, const I *, const T *, T *, const I *"
#: Column by column: a matrix is read as its transpose, and so is a product ("t": a T alone would become the type).
_FORTRAN = {
    "gemm": (
        "const char *, const char *, const I *, const I *, const I *, " + _REST, """\
    const I rows = (I)m, columns = (I)n, terms = (I)p, step_x = (I)xs, step_y = (I)ys, step_out = (I)os;
    ((gemm *)(uintptr_t)*address)(turned_y ? "t" : "n", turned_x ? "t" : "n", &columns, &rows, &terms,
        &one, y, &step_y, x, &step_x, &beta, out, &step_out);
"""),
    "gemv": (
        "const char *, const I *, const I *, " + _REST, """\
    const I rows = (I)(turned ? m : p), columns = (I)(turned ? p : m);
    const I step_x = (I)xs, step_y = (I)ys, step_out = (I)os;
    ((gemv *)(uintptr_t)*address)(turned ? "n" : "t", &rows, &columns,
        &one, x, &step_x, y, &step_y, &beta, out, &step_out);
"""),
}  # fmt: skip


class Address(Constant):
    """Where a function of this process is: never printed, always handed."""


@frozen
class Routine:
    """A product: the template of the C function that calls it, where it is, and what its integers hold at most."""

    template: str
    address: Address
    largest: int


@frozen
class Source:
    """A BLAS: how each routine is called, how wide its integers are, and the addresses of routines by name."""

    owner: str
    calls: dict[str, tuple[str, str]]
    wide: bool
    address: Callable[[str], int | None]


def _of_numpy() -> Source | None:
    """The CBLAS that NumPy's core is linked to."""
    try:
        core = ctypes.CDLL(importlib.import_module(_CORE).__file__)
    except (ImportError, OSError, TypeError):
        return None
    for symbol, wide in (("scipy_cblas_{}64_", True), ("cblas_{}64_", True), ("cblas_{}", False)):
        if all(hasattr(core, symbol.format(name)) for name in _NAMES) and (wide or _narrow()):
            return Source("NumPy", _CBLAS, wide, functools.partial(_symbol, core, symbol))
    return None


def _symbol(library: Any, symbol: str, name: str) -> int | None:
    return ctypes.cast(getattr(library, symbol.format(name)), ctypes.c_void_p).value


def _narrow() -> bool:
    """Whether a symbol without an ending has integers of 32 bits, as far as NumPy can tell."""
    built = str(np.show_config(mode="dicts")).lower()
    return not any(word in built for word in ("ilp64", "use64bitint", "interface64"))


def _of_scipy() -> Source | None:
    """SciPy's capsules."""
    try:
        capsules = importlib.import_module(_CAPSULES).__pyx_capi__
    except (ImportError, AttributeError):
        return None
    capsule = ctypes.py_object
    name = ctypes.PYFUNCTYPE(ctypes.c_char_p, capsule)(("PyCapsule_GetName", ctypes.pythonapi))
    pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, capsule, ctypes.c_char_p)(("PyCapsule_GetPointer", ctypes.pythonapi))
    found = {routine: capsules.get(routine) for routine in _NAMES}
    signatures = (c is not None and (name(c) or b"").replace(b" ", b"") for c in found.values())
    if not all(signature and _INTS.match(signature) for signature in signatures):
        return None
    return Source("SciPy", _FORTRAN, False, lambda routine: pointer(found[routine], name(found[routine])))


@functools.cache
def find() -> Source | None:
    """The BLAS of this process."""
    return _of_numpy() or _of_scipy()


@functools.cache
def routine(name: str, dtype: np.dtype[Any]) -> Routine | None:
    """``gemm`` or ``gemv`` of a dtype, where there is a BLAS."""
    source = find()
    address = source.address(_LETTERS[dtype.name] + name) if source and dtype.name in _LETTERS else None
    if source is None or not address:
        return None
    types, body = source.calls[name]
    text = _FUNCTION.format(owner=source.owner, name=name, arguments=_ARGUMENTS[name], types=types, body=body)
    scalar, at = ("const T *", "&") if dtype.kind == "c" else ("T", "")
    text = text.replace("SCALAR", scalar).replace("AT_", at)
    text = re.sub(r"\bI\b", "int64_t" if source.wide else "int", text)
    cell = Constant.of(np.array([address], np.uint64))
    return Routine(text, Address(cell.type, array=cell.array), 2**63 - 1 if source.wide else 2**31 - 1)
