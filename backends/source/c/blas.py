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

__all__ = ["Address", "Gemm", "find", "gemm"]

_LETTERS = {"float32": "s", "float64": "d", "complex64": "c", "complex128": "z"}

#: Row by row: 101 says so, 111 and 112 are "as it lies" and "transposed".
_CBLAS = """\
/* out = x y + beta out, by the BLAS that NumPy is linked to; its address is given. */
static void gemm_S(const uint64_t *address, ptrdiff_t m, ptrdiff_t n, ptrdiff_t p, const T *x, int turned_x, ptrdiff_t xs,
                   const T *y, int turned_y, ptrdiff_t ys, T beta, T *out, ptrdiff_t os)
{
    typedef void gemm(int, int, int, I, I, I, SCALAR, const T *, I, const T *, I, SCALAR, T *, I);
    const T one = 1;
    ((gemm *)(uintptr_t)*address)(101, turned_x ? 112 : 111, turned_y ? 112 : 111, (I)m, (I)n, (I)p,
        ATone, x, (I)xs, y, (I)ys, ATbeta, out, (I)os);
}
"""
#: Column by column, so what is computed is the transposed product of the transposed.
_FORTRAN = """\
/* out = x y + beta out, by the BLAS that SciPy is linked to; its address is given. */
static void gemm_S(const uint64_t *address, ptrdiff_t m, ptrdiff_t n, ptrdiff_t p, const T *x, int turned_x, ptrdiff_t xs,
                   const T *y, int turned_y, ptrdiff_t ys, T beta, T *out, ptrdiff_t os)
{
    typedef void gemm(const char *, const char *, const I *, const I *, const I *, const T *, const T *, const I *,
        const T *, const I *, const T *, T *, const I *);
    const T one = 1;
    const I rows = (I)m, columns = (I)n, terms = (I)p, step_x = (I)xs, step_y = (I)ys, step_out = (I)os;
    ((gemm *)(uintptr_t)*address)(turned_y ? "T" : "N", turned_x ? "T" : "N", &columns, &rows, &terms,
        &one, y, &step_y, x, &step_x, &beta, out, &step_out);
}
"""


class Address(Constant):
    """Where a function of this process is: never printed, always handed."""


@frozen
class Gemm:
    """A general matrix product: the template of the C function that calls it, and where it is."""

    template: str
    address: Address
    largest: int  # the largest number that its integers hold


@frozen
class _Source:
    """A BLAS: the address of the matrix product by dtype letter, or None."""

    template: str
    wide: bool
    address: Callable[[str], int | None]


def _of_numpy() -> _Source | None:
    """The CBLAS that NumPy's core is linked to."""
    try:
        core = ctypes.CDLL(importlib.import_module("numpy._core._multiarray_umath").__file__)
    except (ImportError, OSError, TypeError):
        return None
    for symbol, wide in (("scipy_cblas_{}gemm64_", True), ("cblas_{}gemm64_", True), ("cblas_{}gemm", False)):
        if all(hasattr(core, symbol.format(letter)) for letter in "sdcz") and (wide or _narrow()):
            return _Source(_CBLAS, wide, functools.partial(_symbol, core, symbol))
    return None


def _symbol(library: Any, symbol: str, letter: str) -> int | None:
    return ctypes.cast(getattr(library, symbol.format(letter)), ctypes.c_void_p).value


def _narrow() -> bool:
    """Whether a symbol without an ending has integers of 32 bits, as far as NumPy can tell."""
    built = str(np.show_config(mode="dicts")).lower()
    return not any(word in built for word in ("ilp64", "use64bitint", "interface64"))


def _of_scipy() -> _Source | None:
    """SciPy's capsules."""
    try:
        capsules = importlib.import_module("scipy.linalg.cython_blas").__pyx_capi__
    except (ImportError, AttributeError):
        return None
    capsule = ctypes.py_object
    name = ctypes.PYFUNCTYPE(ctypes.c_char_p, capsule)(("PyCapsule_GetName", ctypes.pythonapi))
    pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, capsule, ctypes.c_char_p)(("PyCapsule_GetPointer", ctypes.pythonapi))
    found = {letter: capsules.get(f"{letter}gemm") for letter in "sdcz"}
    signatures = {c and (name(c) or b"").replace(b" ", b"").startswith(b"void(char*,char*,int*,") for c in found.values()}
    if signatures != {True}:
        return None
    return _Source(_FORTRAN, False, lambda letter: pointer(found[letter], name(found[letter])))


@functools.cache
def find() -> _Source | None:
    """The BLAS of this process."""
    return _of_numpy() or _of_scipy()


@functools.cache
def gemm(dtype: np.dtype[Any]) -> Gemm | None:
    """The matrix product of a dtype, where there is a BLAS."""
    source = find()
    address = source.address(_LETTERS[dtype.name]) if source and dtype.name in _LETTERS else None
    if source is None or not address:
        return None
    cell = Constant.of(np.array([address], np.uint64))
    scalar, at = ("const T *", "&") if dtype.kind == "c" else ("T", "")
    text = source.template.replace("SCALAR", scalar).replace("AT", at)
    text = re.sub(r"\bI\b", "int64_t" if source.wide else "int", text)
    return Gemm(text, Address(cell.type, array=cell.array), 2**63 - 1 if source.wide else 2**31 - 1)
