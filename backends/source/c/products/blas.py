"""Matrix products by the BLAS of this process, as addresses that a hosted program is handed and calls.

It is looked for in this order, and only for a program with a product that is worth it:

1. the CBLAS that NumPy is linked to.  It is loaded already, so nothing is imported, NumPy and we share its threads
   (``OPENBLAS_NUM_THREADS`` sets their number), and large products have NumPy's bits.  NumPy has no name for it: the
   symbols of its core module are looked up, which finds those of the libraries it needs.  The symbol says how
   wide its integers are: those of NumPy's wheels end in ``64_``.
2. the capsules of ``scipy.linalg.cython_blas``, whose names are C signatures.
3. none: our own loops, as in stand-alone text.

A large product is shared by the threads that share long loops: each asks BLAS for a part.  Threads of BLAS's own would
be a second set beside them, asleep when a product begins and in the way of the next loop: on 2 processors a product of
200 x 200 x 200 after 50 us of other work takes OpenBLAS's threads 320 us, one of them 314 us, and ours 170 us.
OpenBLAS is told to stay in the caller's thread for so long, where it can be told.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import math
import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from attrs import frozen

from wengert.backends import openblas
from wengert.backends.source.c.machine import threads
from wengert.ir.graph import Constant

if TYPE_CHECKING:
    from wengert.backends.source.c.scalars.statements import Kernel

__all__ = ["Address", "Routine", "find", "routine"]

_CAPSULES = "scipy.linalg.cython_blas"
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
#: Products of two numbers up to which no BLAS starts threads.
ALONE = {"gemm": 1 << 18, "gemv": 1 << 13}
#: A lock, how many are within, how many threads BLAS has had before, for all programs of this process.
_state = (ctypes.c_int * 3)()
_ALONE = """\
/* How many threads BLAS has is one number for all who call it. While ours share a product it is 1, and the last who
   leaves (0) puts back what it was. At most so many of ours may share the product as BLAS had. */
#ifdef _OPENMP
static int blas_alone_S(const uint64_t *blas, int most)
{
    int *const state = (int *)(uintptr_t)blas[3];  /* a lock, how many are within, what it was */
    while (__atomic_exchange_n(state, 1, __ATOMIC_ACQUIRE)) {}
    if (most ? state[1]++ == 0 : --state[1] == 0) {
        if (most) state[2] = ((int (*)(void))(uintptr_t)blas[1])();
        if (state[2] != 1) ((void (*)(int))(uintptr_t)blas[2])(most ? 1 : state[2]);
    }
    const int had = state[2];
    __atomic_store_n(state, 0, __ATOMIC_RELEASE);
    return had < most ? had : most;
}
#else
#define blas_alone_S(blas, most) 1
#endif
"""
#: The same products by at most so many threads.
_SHARED = {
    "gemm": """\
/* In a grid of parts that are worth it, of the shape that has the least to read: products of some rows and columns. */
static void gemm_shared_S(const uint64_t *blas, int most, {arguments})
{{
    const ptrdiff_t worth = 1 + (m * n * p >> 18);
    const int parts = blas_alone_S(blas, worth < most ? (int)worth : most);
    ptrdiff_t down = 1, across = parts;
    for (int d = 2; d <= parts; ++d)
        if (parts % d == 0 && m / d + n / (parts / d) <= m / down + n / across) down = d, across = parts / d;
    const ptrdiff_t rows = ((m + down - 1) / down + 7) / 8 * 8, columns = ((n + across - 1) / across + 7) / 8 * 8;
#pragma omp parallel for num_threads(parts < NAME ? parts : NAME) schedule(static)
    for (ptrdiff_t part = 0; part < parts; ++part) {{
        const ptrdiff_t i = part / across * rows, j = part % across * columns;
        if (i < m && j < n)
            gemm_S(blas, m - i < rows ? m - i : rows, n - j < columns ? n - j : columns, p,
                x + (turned_x ? i : i * xs), turned_x, xs, y + (turned_y ? j * ys : j), turned_y, ys, beta,
                out + i * os + j, os);
    }}
    blas_alone_S(blas, 0);
}}
""",
    "gemv": """\
/* Some results each; where there are few, some terms each, in as many parts whatever the number of threads. */
static void gemv_shared_S(const uint64_t *blas, int most, {arguments})
{{
    enum {{ PARTS = 16, FEW = 256 }};
    const int parts = blas_alone_S(blas, most);
    if (turned && m <= FEW && p >= PARTS * m) {{
        T sums[PARTS * FEW];
#pragma omp parallel for num_threads(parts < NAME ? parts : NAME) schedule(static)
        for (ptrdiff_t part = 0; part < PARTS; ++part) {{
            const ptrdiff_t step = p / PARTS, k = part * step;
            gemv_S(blas, m, part + 1 < PARTS ? step : p - k, x + k * xs, 1, xs, y + k * ys, ys, 0, sums + part * m, 1);
        }}
        for (ptrdiff_t half = PARTS / 2; half; half /= 2)
            for (ptrdiff_t i = 0; i < half * m; ++i) sums[i] += sums[half * m + i];
        for (ptrdiff_t i = 0; i < m; ++i) out[i * os] = sums[i] + (beta == 0 ? 0 : beta * out[i * os]);
    }} else {{
        const ptrdiff_t rows = ((m + parts - 1) / parts + 7) / 8 * 8;
#pragma omp parallel for num_threads(parts < NAME ? parts : NAME) schedule(static)
        for (ptrdiff_t i = 0; i < m; i += rows)
            gemv_S(blas, m - i < rows ? m - i : rows, p, x + (turned ? i : i * xs), turned, xs, y, ys, beta,
                out + i * os, os);
    }}
    blas_alone_S(blas, 0);
}}
""",
}  # fmt: skip


class Address(Constant):
    """Where a function of this process is: never printed, always handed."""


@frozen
class Routine:
    """A product: the template of the C function that calls it, where it is, and what its integers hold at most.

    ``shared`` are templates by name of what lets threads of ours share it, where BLAS can be kept from its own.
    """

    template: str
    shared: dict[str, str]
    address: Address
    largest: int

    def begun(self, kernel: Kernel, name: str, dtype: np.dtype[Any], work: int) -> str:
        """The beginning of a call: by several threads, by one alone, or however many BLAS takes."""
        function = kernel.helpers.write(name, dtype, self.template)
        given = kernel.read(self.address)
        if kernel.grain == math.inf or work < ALONE[name] or not self.shared:
            return f"{function}({given}"
        for its, text in self.shared.items():
            function = kernel.helpers.write(its, dtype, text)
        return f"{function}({given}, {threads.MOST if work >= kernel.grain else 1}"


@frozen
class Source:
    """A BLAS: how each routine is called, how wide its integers are, and the addresses of routines by name.

    ``threads`` are the addresses of what says how many threads it has, and of what sets them.
    """

    owner: str
    calls: dict[str, tuple[str, str]]
    wide: bool
    address: Callable[[str], int | None]
    threads: tuple[int, ...] = ()


def _of_numpy() -> Source | None:
    """The CBLAS that NumPy's core is linked to."""
    if (core := openblas.library()) is None:
        return None
    for symbol, wide in (("scipy_cblas_{}64_", True), ("cblas_{}64_", True), ("cblas_{}", False)):
        if all(hasattr(core, symbol.format(name)) for name in _NAMES) and (wide or _narrow()):
            address = functools.partial(_symbol, core, symbol)
            return Source("NumPy", _CBLAS, wide, address, _of_openblas(core, symbol.replace("cblas", "openblas")))
    return None


def _of_openblas(core: Any, symbol: str) -> tuple[int, ...]:
    found = openblas.threads(core, symbol)
    return () if found is None else tuple(ctypes.cast(function, ctypes.c_void_p).value or 0 for function in found)


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
    by_threads = _SHARED[name].format(arguments=_ARGUMENTS[name]).replace("NAME", threads.NAME)
    shared = {"alone": _ALONE, f"{name}_shared": by_threads}
    scalar, at = ("const T *", "&") if dtype.kind == "c" else ("T", "")
    text = text.replace("SCALAR", scalar).replace("AT_", at)
    text = re.sub(r"\bI\b", "int64_t" if source.wide else "int", text)
    known = (address, *source.threads, ctypes.addressof(_state)) if source.threads else (address,)
    cell = Constant.of(np.array(known, np.uint64))
    return Routine(text, shared if source.threads else {}, Address(cell.type, array=cell.array),
                   2**63 - 1 if source.wide else 2**31 - 1)  # fmt: skip


def _left() -> None:
    """In a forked child: whoever was within has stayed with the parent."""
    _state[:] = [0] * 3


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_left)
