"""Names that are not about arrays of numbers: inside a traced function they do what they do outside."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["NAMES", "note"]

_NOTES = {
    "settings of NumPy": (
        "errstate geterr seterr geterrcall seterrcall getbufsize setbufsize printoptions get_printoptions "
        "set_printoptions polynomial.set_default_printstyle show_config show_runtime get_include info"
    ),
    "tests of NumPy and SciPy": "test linalg.test fft.test random.test polynomial.test scipy.linalg.test",
    "about dtypes": "dtype finfo iinfo",
    "builds slices, or positions, of its own numbers": "s_ index_exp mgrid ogrid",
    "a class; isinstance(x, np.ndarray) holds for a traced array": "ndarray",
    "a class of functions": "ufunc",
    "dates; they hold no traced value": (
        "isnat datetime64 timedelta64 busdaycalendar busday_count busday_offset is_busday datetime_as_string "
        "datetime_data"
    ),
    "text, records and objects; they hold no traced value": (
        "bytes_ str_ void object_ character flexible record recarray strings char rec"
    ),
    "about BLAS and LAPACK": (
        "scipy.linalg.find_best_blas_type scipy.linalg.get_blas_funcs scipy.linalg.get_lapack_funcs"
    ),
    "an exception": "linalg.LinAlgError exceptions",
    "states of generators": (
        "random.BitGenerator random.MT19937 random.PCG64 random.PCG64DXSM random.Philox random.SFC64 "
        "random.SeedSequence"
    ),
    "the class that default_rng makes": "random.Generator",
    "within NumPy; nothing public calls it": "_core.umath._ones_like",
    "a class that walks along a plain array": "flatiter",
    "a module; its functions are in this table": "linalg fft random polynomial lib emath core",
    "a module of other things": "ctypeslib dtypes f2py testing typing",
    "made for subclasses and pickles; nothing calls it on a traced array": (
        "ndarray.__array_finalize__ ndarray.__class_getitem__ ndarray.__setstate__"
    ),
    "an error in NumPy 2, and so here": "ndarray.itemset ndarray.newbyteorder ndarray.tostring ndarray.ptp "
                                        "ndarray.__delitem__",
}  # fmt: skip
#: Name to note.
NAMES = {name: text for text, names in _NOTES.items() for name in names.split()}


def note(name: str, value: Any) -> str | None:
    """Why a name is none of the table's business; None where it is."""
    if name in NAMES:
        return NAMES[name]
    if isinstance(value, type) and issubclass(value, np.generic):
        return "a dtype: of a traced array write x.astype(dtype)"
    if name.startswith(("strings.", "char.", "_core.umath.")):
        return "strings; they hold no traced value"
    if name.startswith("lib.recfunctions."):
        return "structured arrays; they hold no traced value"
    return None
